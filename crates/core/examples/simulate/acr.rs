//! Cases of `acr purge`: a registry and a command as a line describes them, read into the model's facts, and the answer
//! written as the cases write it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use prodpin_core::decide::lifecycle::acr::{Purged, PurgedRepository, broken, purge};
use prodpin_core::model::{
    AcrLocks, AcrManifest, AcrPurge, AcrRepository, AcrTag, Digest, NameError, RepositoryName, Tag,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Times in cases are seconds before now; which now, does not matter.
const NOW: i64 = 1_790_000_000;

#[derive(Deserialize)]
struct Case {
    id: Value,
    command: Command,
    repositories: Vec<Repository>,
}

#[derive(Deserialize)]
struct Command {
    filters: Option<Vec<String>>,
    ago: Option<String>,
    keep: i64,
    untagged: bool,
    untagged_only: bool,
    include_locked: bool,
    dry_run: bool,
}

#[derive(Deserialize)]
struct Repository {
    name: String,
    manifests: Vec<Manifest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    id: String,
    media_type: Option<Box<str>>,
    #[serde(rename = "age_s")]
    age: Option<i64>,
    attributes: Option<Attributes>,
    children: Vec<String>,
    subject: Option<String>,
    tags: Vec<ListedTag>,
}

#[derive(Deserialize)]
struct ListedTag {
    name: String,
    #[serde(rename = "age_s")]
    age: i64,
    attributes: Option<Attributes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    delete_enabled: Option<bool>,
    write_enabled: Option<bool>,
}

/// What the simulator makes of one line.
pub(crate) fn answer(line: &str) -> Result<Value, String> {
    let case: Case = serde_json::from_str(line).map_err(|error| format!("this is no case: {error}"))?;
    let repositories = case.repositories.iter().map(Repository::read).collect::<Result<Vec<_>, String>>()?;
    let purged = purge(&case.command.read(), &repositories, at(0)?).map_err(|unclear| unclear.to_string())?;
    let mut each = Map::new();
    for (written, repository) in case.repositories.iter().zip(&repositories) {
        each.insert(written.name.clone(), written.expect(repository, &purged));
    }
    let expect = json!({
        "error": purged.ended.as_ref().map_or_else(String::new, ToString::to_string),
        "ago_seconds": purged.ago.map(|ago| -ago.as_secs()),
        "count_tags": purged.tags,
        "count_manifests": purged.manifests,
        "repositories": each,
    });
    Ok(json!({ "id": case.id, "expect": expect }))
}

impl Command {
    fn read(&self) -> AcrPurge {
        AcrPurge {
            filters: self.filters.clone().unwrap_or_default(),
            ago: self.ago.clone(),
            keep: self.keep,
            untagged: self.untagged,
            untagged_only: self.untagged_only,
            include_locked: self.include_locked,
            dry_run: self.dry_run,
        }
    }
}

impl Repository {
    fn read(&self) -> Result<AcrRepository, String> {
        Ok(AcrRepository {
            name: self.name.parse::<RepositoryName>().map_err(|error| error.to_string())?,
            manifests: self.manifests.iter().map(Manifest::read).collect::<Result<_, String>>()?,
        })
    }

    /// Ids and tags are sorted where the cases sort them, and in order of the listing elsewhere.
    fn expect(&self, repository: &AcrRepository, purged: &Purged) -> Value {
        let looked_at = purged.repositories.get(&repository.name);
        let unharmed = PurgedRepository::default();
        let outcome = looked_at.unwrap_or(&unharmed);
        let ids = |has: &dyn Fn(&Digest) -> bool| -> Vec<&str> {
            self.manifests.iter().map(|manifest| manifest.id.as_str()).filter(|id| has(&digest(id))).collect()
        };
        let sorted = |mut ids: Vec<&str>| {
            ids.sort_unstable();
            ids.into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let tags: BTreeSet<&Tag> =
            repository.manifests.iter().flat_map(|it| it.tags.iter().map(|tag| &tag.name)).collect();
        let (deleted, left): (Vec<&Tag>, Vec<&Tag>) = tags.into_iter().partition(|tag| outcome.tags.contains(*tag));
        let unlocked = sorted(ids(&|digest| outcome.unlocked_manifests.contains(digest)));
        let unlocked = unlocked.iter().map(|id| format!("manifest {id}"));
        let unlocked = unlocked.chain(outcome.unlocked_tags.iter().map(|tag| format!("tag {tag}")));
        let broken = broken(repository, outcome);
        json!({
            "tags_deleted": deleted,
            "tags_left": left,
            "manifests_deleted": sorted(ids(&|digest| outcome.manifests.contains(digest))),
            "manifests_left": ids(&|digest| !outcome.manifests.contains(digest)),
            "tagged_indexes_lacking_children": ids(&|digest| broken.contains(&digest)),
            "tag_regex": looked_at.map(|outcome| &outcome.filter),
            "unlocked": unlocked.collect::<Vec<_>>(),
            // What is locked is passed over or unlocked: nothing is left for the registry to refuse.
            "refused_by_registry": [],
            "manifests_undetermined": sorted(ids(&|digest| outcome.open_manifests.contains(digest))),
        })
    }
}

impl Manifest {
    fn read(&self) -> Result<AcrManifest, String> {
        let tags = self.tags.iter().map(|tag| {
            Ok(AcrTag {
                name: tag.name.parse().map_err(|error: NameError| error.to_string())?,
                updated: at(tag.age)?,
                locks: locks(tag.attributes.as_ref()),
            })
        });
        Ok(AcrManifest {
            digest: digest(&self.id),
            media_type: self.media_type.clone(),
            updated: self.age.map(at).transpose()?,
            locks: locks(self.attributes.as_ref()),
            children: self.children.iter().map(|id| digest(id)).collect(),
            subject: self.subject.as_deref().map(digest),
            tags: tags.collect::<Result<_, String>>()?,
        })
    }
}

fn locks(attributes: Option<&Attributes>) -> AcrLocks {
    attributes.map_or_else(AcrLocks::default, |attributes| AcrLocks {
        delete_enabled: attributes.delete_enabled,
        write_enabled: attributes.write_enabled,
    })
}

fn at(ago: i64) -> Result<Timestamp, String> {
    Timestamp::from_second(NOW.saturating_sub(ago)).map_err(|error| error.to_string())
}

/// An id stands for a digest.
fn digest(id: &str) -> Digest {
    Digest::sha256(id.as_bytes())
}
