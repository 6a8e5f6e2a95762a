//! Its database: repositories with their settings, the images in them, and the versions of each.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use prodpin::model::Digest;
use serde_json::{Value, json};

#[derive(Debug)]
pub(crate) struct World {
    /// By `PROJECT/REPOSITORY`.
    pub(crate) shelves: BTreeMap<String, Shelf>,
    /// The most rows that a page has, however many are asked for.
    pub(crate) most_rows: usize,
    clock: Timestamp,
}

/// A repository.
#[derive(Debug)]
pub(crate) struct Shelf {
    /// `cleanupPolicies`.
    pub(crate) policies: Value,
    pub(crate) on_trial: bool,
    pub(crate) immutable: bool,
    pub(crate) format: &'static str,
    pub(crate) mode: &'static str,
    /// Whether whoever is known may see it.
    pub(crate) is_shown: bool,
    /// By their path.
    pub(crate) images: BTreeMap<String, Image>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self {
            policies: json!({}),
            on_trial: false,
            immutable: false,
            format: "DOCKER",
            mode: "STANDARD_REPOSITORY",
            is_shown: true,
            images: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Image {
    pub(crate) tags: BTreeMap<String, Digest>,
    /// By digest.
    pub(crate) versions: BTreeMap<String, Version>,
}

#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) digest: Digest,
    pub(crate) uploaded: Timestamp,
    pub(crate) media_type: String,
    pub(crate) children: Vec<Digest>,
}

/// Repository and path in a name.
pub(super) fn split(name: &str) -> Option<(String, String)> {
    let mut parts = name.splitn(3, '/');
    let (project, repository, path) = (parts.next()?, parts.next()?, parts.next()?);
    Some((format!("{project}/{repository}"), path.to_owned()))
}

impl World {
    pub(super) fn new() -> Self {
        // A week ago, and later with each push.
        Self { shelves: BTreeMap::new(), most_rows: 1000, clock: Timestamp::now() - SignedDuration::from_hours(24 * 7) }
    }

    pub(crate) fn shelf(&mut self, name: &str) -> &mut Shelf {
        self.shelves.entry(name.to_owned()).or_default()
    }

    pub(crate) fn image(&self, name: &str) -> Option<&Image> {
        let (shelf, path) = split(name)?;
        self.shelves.get(&shelf)?.images.get(&path)
    }

    pub(crate) fn image_mut(&mut self, name: &str) -> &mut Image {
        let (shelf, path) = split(name).expect("an image's name");
        self.shelf(&shelf).images.entry(path).or_default()
    }

    /// What a tag or digest names.
    pub(super) fn find(&self, name: &str, reference: &str) -> Option<Digest> {
        let image = self.image(name)?;
        let by_tag = image.tags.get(reference);
        by_tag.or_else(|| image.versions.get(reference).map(|version| &version.digest)).cloned()
    }

    /// A push: a version is new or not, its tag is new or moves. A minute goes by.
    pub(crate) fn push(
        &mut self,
        name: &str,
        (digest, media_type): (&Digest, &str),
        children: Vec<Digest>,
        tag: Option<&str>,
    ) {
        self.clock += SignedDuration::from_mins(1);
        let uploaded = self.clock;
        let image = self.image_mut(name);
        image.versions.entry(digest.to_string()).or_insert_with(|| Version {
            digest: digest.clone(),
            uploaded,
            media_type: media_type.to_owned(),
            children,
        });
        if let Some(tag) = tag {
            image.tags.insert(tag.to_owned(), digest.clone());
        }
    }

    /// When a version was uploaded, from now on: so many days ago.
    pub(crate) fn age(&mut self, name: &str, digest: &str, days: i64) {
        let version = self.image_mut(name).versions.get_mut(digest).expect("a version that is there");
        version.uploaded = Timestamp::now() - SignedDuration::from_hours(24 * days);
    }

    /// The same of everything in an image, each a day older than the one before.
    pub(crate) fn age_all(&mut self, name: &str, days: i64) {
        let digests: Vec<String> = self.image_mut(name).versions.keys().cloned().collect();
        digests.iter().zip(days..).for_each(|(digest, days)| self.age(name, digest, days));
    }

    /// Past all that holds it, as a fault of the storage would.
    pub(crate) fn remove(&mut self, name: &str, digest: &str) {
        let image = self.image_mut(name);
        image.versions.remove(digest);
        image.tags.retain(|_, named| named.to_string() != digest);
    }
}
