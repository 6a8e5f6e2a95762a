//! The registry's database, as far as anything here asks for it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use prodpin::model::Digest;
use serde_json::{Value, json};

/// A user, service principal or token of a scope map.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) secret: String,
    /// What it may not do, wherever.
    pub(crate) lacks: Vec<&'static str>,
}

impl Account {
    pub(crate) fn admin(name: &str, secret: &str) -> Self {
        Self { name: name.to_owned(), secret: secret.to_owned(), lacks: Vec::new() }
    }

    pub(crate) fn without(self, lacks: &[&'static str]) -> Self {
        Self { lacks: lacks.to_vec(), ..self }
    }

    pub(super) fn may(&self, of: &str, action: &str) -> bool {
        !self.lacks.iter().any(|lack| *lack == action || *lack == of)
    }
}

/// `changeableAttributes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) delete: bool,
    pub(crate) write: bool,
}

impl Attributes {
    const OPEN: Self = Self { delete: true, write: true };

    pub(super) fn shown(self) -> Value {
        json!({ "deleteEnabled": self.delete, "writeEnabled": self.write, "readEnabled": true, "listEnabled": true })
    }

    /// What a `PATCH` does.
    pub(super) fn set(&mut self, body: &Value) {
        let said = |key: &str, now: bool| body[key].as_bool().unwrap_or(now);
        *self = Self { delete: said("deleteEnabled", self.delete), write: said("writeEnabled", self.write) };
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) updated: Timestamp,
    pub(crate) attributes: Attributes,
    pub(crate) children: Vec<Digest>,
}

#[derive(Debug, Clone)]
pub(crate) struct Tag {
    pub(crate) digest: Digest,
    pub(crate) updated: Timestamp,
    pub(crate) attributes: Attributes,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Repository {
    /// By digest, as lists have them.
    pub(crate) manifests: BTreeMap<String, Manifest>,
    pub(crate) tags: BTreeMap<String, Tag>,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) accounts: Vec<Account>,
    pub(crate) repositories: BTreeMap<String, Repository>,
    pub(crate) clock: Timestamp,
}

impl World {
    pub(crate) fn new(accounts: Vec<Account>) -> Self {
        let clock = "2026-06-01T00:00:00Z".parse().expect("a time");
        Self { accounts, repositories: BTreeMap::new(), clock }
    }

    pub(crate) fn repository(&self, name: &str) -> &Repository {
        self.repositories.get(name).expect("a repository that is there")
    }

    pub(crate) fn repository_mut(&mut self, name: &str) -> &mut Repository {
        self.repositories.entry(name.to_owned()).or_default()
    }

    /// The digest that a tag or digest names.
    pub(crate) fn find(&self, name: &str, reference: &str) -> Option<Digest> {
        let repository = self.repositories.get(name)?;
        let by_tag = repository.tags.get(reference).map(|tag| tag.digest.clone());
        by_tag.or_else(|| repository.manifests.get(reference).map(|manifest| manifest.digest.clone()))
    }

    /// A push: the manifest is new or not, its tag is new, moves, or stays as it is. A minute goes by.
    pub(crate) fn push(
        &mut self,
        name: &str,
        (digest, media_type): (&Digest, &str),
        children: Vec<Digest>,
        tag: Option<&str>,
    ) {
        self.clock += SignedDuration::from_mins(1);
        let (updated, attributes) = (self.clock, Attributes::OPEN);
        let repository = self.repository_mut(name);
        repository.manifests.entry(digest.to_string()).or_insert_with(|| Manifest {
            digest: digest.clone(),
            media_type: media_type.to_owned(),
            updated,
            attributes,
            children,
        });
        if let Some(tag) = tag {
            let same = |known: &Tag| known.digest == *digest;
            if !repository.tags.get(tag).is_some_and(same) {
                repository.tags.insert(tag.to_owned(), Tag { digest: digest.clone(), updated, attributes });
            }
        }
    }

    /// When a tag and its manifest were changed last, from now on.
    pub(crate) fn set_updated(&mut self, name: &str, tag: &str, at: Timestamp) {
        let repository = self.repository_mut(name);
        let tag = repository.tags.get_mut(tag).expect("a tag that is there");
        tag.updated = at;
        let digest = tag.digest.to_string();
        repository.manifests.get_mut(&digest).expect("its manifest").updated = at;
    }

    /// What a manifest's locks are.
    pub(crate) fn lock(&mut self, name: &str, digest: &str, delete: bool) {
        let manifest = self.repository_mut(name).manifests.get_mut(digest).expect("a manifest that is there");
        manifest.attributes.delete = delete;
    }

    /// Past all locks, as a fault of the storage would.
    pub(crate) fn remove(&mut self, name: &str, digest: &str) {
        let repository = self.repository_mut(name);
        repository.manifests.remove(digest);
        repository.tags.retain(|_, tag| tag.digest.to_string() != digest);
    }
}
