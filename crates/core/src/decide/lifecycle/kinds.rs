//! From repositories of any kind to the simulator of that kind, and back to artifacts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::effects::Foreseen;
use super::{Outlook, Situation, ecr, images, objects, s3, zot_tags};
use crate::model::{
    ArtifactId, Certainty, Digest, EcrImage, EcrRepository, Effect, Retention, Setting, Snapshot, Tag, ZotManifest,
};

/// What the live rules will do to the targets, each pinned as the situation says.
#[must_use]
pub fn outlook(situation: &Situation<'_>) -> Outlook {
    match &situation.snapshot.retention {
        Retention::Unruled => Outlook::Unruled,
        Retention::Ecr(repository) => images::outlook(situation, repository),
        Retention::Bucket(bucket) => objects::outlook(situation, bucket),
        Retention::Zot(repository) => zot_tags::outlook(situation, repository),
    }
}

/// How many artifacts rules would take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Toll {
    /// Deleted.
    pub deleted: u64,
    /// Archived.
    pub archived: u64,
    /// Deleted or archived in at least one reading of what is not documented, such as parts that an index may hold.
    pub possibly: u64,
}

/// What the rules would do by then to everything but the targets, nothing else being pushed; none where that is not
/// known.
#[must_use]
pub fn toll(situation: &Situation<'_>, at: Timestamp) -> Option<Toll> {
    let mut toll = Toll::default();
    for (artifact, foreseen) in foreseen(situation, at)? {
        match (foreseen.certainty, foreseen.effect) {
            _ if situation.targets.contains(&artifact) => {}
            (Certainty::Possible, _) => toll.possibly += 1,
            (Certainty::Certain, Effect::Archives) => toll.archived += 1,
            (Certainty::Certain, Effect::Deletes | Effect::Hides) => toll.deleted += 1,
        }
    }
    Some(toll)
}

/// What the rules would do by then to every artifact, pinned as the situation says; none where that is not known.
#[must_use]
pub fn foreseen(situation: &Situation<'_>, at: Timestamp) -> Option<BTreeMap<ArtifactId, Foreseen>> {
    match &situation.snapshot.retention {
        Retention::Unruled => None,
        Retention::Ecr(repository) => images::foreseen(situation, repository, at),
        Retention::Bucket(bucket) => objects::foreseen(situation, bucket, at),
        Retention::Zot(repository) => zot_tags::foreseen(situation, repository, at),
    }
}

/// The repository without the pins that are there; none where they can have harmed nobody, or that cannot be known.
pub(crate) fn without_pins(snapshot: &Snapshot) -> Option<Snapshot> {
    if let Retention::Zot(repository) = &snapshot.retention {
        let bare = zot_tags::without(repository, &zot_tags::is_pin)?;
        return Some(Snapshot { retention: Retention::Zot(Box::new(bare)), ..bare_of(snapshot) });
    }
    let Retention::Ecr(repository) = &snapshot.retention else { return None };
    let bare = images::without_pins(snapshot, repository)?;
    Some(Snapshot { retention: Retention::Ecr(Box::new(bare)), ..bare_of(snapshot) })
}

/// The repository once the tags of these artifacts that do not stay have moved on; none if there are none of them, or no
/// rule asks for tags.
pub(crate) fn without_tags(
    snapshot: &Snapshot,
    of: &dyn Fn(&Digest) -> bool,
    stays: &dyn Fn(&Tag) -> bool,
) -> Option<Snapshot> {
    if let Retention::Zot(repository) = &snapshot.retention {
        let then = zot_tags::without(repository, &|digest, tag| of(digest) && !stays(tag))?;
        return Some(Snapshot { retention: Retention::Zot(Box::new(then)), ..bare_of(snapshot) });
    }
    let Retention::Ecr(repository) = &snapshot.retention else { return None };
    if repository.lifecycle == Setting::Unset {
        return None;
    }
    let moves = |image: &EcrImage| of(&image.digest) && !image.tags.iter().all(stays);
    if !repository.images.iter().any(moves) {
        return None;
    }
    let mut then = (**repository).clone();
    for image in then.images.iter_mut().filter(|image| moves(image)) {
        image.tags = image.tags.iter().filter(|tag| stays(tag)).cloned().collect();
    }
    Some(Snapshot { retention: Retention::Ecr(Box::new(then)), ..bare_of(snapshot) })
}

/// The repository under other rules.
pub(crate) fn under(snapshot: &Snapshot, lifecycle: &str) -> Option<Snapshot> {
    let Retention::Ecr(repository) = &snapshot.retention else { return None };
    let other = EcrRepository { lifecycle: Setting::Text(lifecycle.into()), ..(**repository).clone() };
    Some(Snapshot { retention: Retention::Ecr(Box::new(other)), ..bare_of(snapshot) })
}

/// All of a snapshot but what decides how long its artifacts stay, which is large.
fn bare_of(snapshot: &Snapshot) -> Snapshot {
    Snapshot {
        tags: snapshot.tags.clone(),
        gaps: snapshot.gaps.clone(),
        retention: Retention::Unruled,
        cleanup: snapshot.cleanup.clone(),
        unserved: snapshot.unserved.clone(),
        left_out: snapshot.left_out.clone(),
        kind: snapshot.kind,
        made: snapshot.made,
    }
}

/// What each rule of the second repository is called in the first.
pub(crate) fn renumbered(before: &Snapshot, after: &Snapshot) -> BTreeMap<String, String> {
    let rules = |snapshot: &Snapshot| match &snapshot.retention {
        Retention::Ecr(repository) => images::rules(repository),
        Retention::Unruled | Retention::Bucket(_) | Retention::Zot(_) => None,
    };
    match (rules(before), rules(after)) {
        (Some(before), Some(after)) => ecr::renumbered(&before, &after),
        _ => BTreeMap::new(),
    }
}

/// The rules, complete and valid, changed so that every pin holds against them.
pub fn recommend(snapshot: &Snapshot) -> Result<String, String> {
    match &snapshot.retention {
        Retention::Unruled => {
            Err("it has no lifecycle rules that prodpin can read, so there is nothing to recommend".to_owned())
        }
        Retention::Zot(_) => Err(format!(
            "zot's rules stand in its configuration file, which prodpin does not write: {}",
            zot_tags::CLAIM
        )),
        Retention::Ecr(repository) => images::recommend(repository),
        Retention::Bucket(bucket) => {
            let repository = snapshot.tags.iter().find_map(|tag| bucket.layout.parse(tag.name.as_str()));
            s3::recommend(bucket, repository.as_ref().map(|(repository, _)| repository))
        }
    }
}

/// The rules with the pins claimed and nothing else changed; none where prodpin does not write rules.
pub(crate) fn claimed(snapshot: &Snapshot) -> Option<Result<String, String>> {
    match &snapshot.retention {
        Retention::Ecr(repository) => Some(images::claimed(repository)),
        Retention::Unruled | Retention::Bucket(_) | Retention::Zot(_) => None,
    }
}

/// Every artifact that rules may act on.
pub fn artifacts(snapshot: &Snapshot) -> impl Iterator<Item = ArtifactId> + '_ {
    let images = images(&snapshot.retention).iter().map(|image| ArtifactId::Manifest(image.digest.clone()));
    let objects = snapshot.tags.iter().filter_map(|tag| tag.object.as_deref()).flat_map(|object| &object.versions);
    let manifests = manifests(&snapshot.retention).iter().map(|it| ArtifactId::Manifest(it.digest.clone()));
    images.chain(objects.map(|version| version.artifact.clone())).chain(manifests)
}

/// Those of them that no tag names. A version always has its key.
pub fn untagged(snapshot: &Snapshot) -> impl Iterator<Item = ArtifactId> + '_ {
    let untagged = images(&snapshot.retention).iter().filter(|image| image.tags.is_empty());
    let manifests = manifests(&snapshot.retention).iter().filter(|manifest| manifest.tags.is_empty());
    let manifests = manifests.map(|manifest| ArtifactId::Manifest(manifest.digest.clone()));
    untagged.map(|image| ArtifactId::Manifest(image.digest.clone())).chain(manifests)
}

fn images(retention: &Retention) -> &[EcrImage] {
    match retention {
        Retention::Unruled | Retention::Bucket(_) | Retention::Zot(_) => &[],
        Retention::Ecr(ecr) => &ecr.images,
    }
}

fn manifests(retention: &Retention) -> &[ZotManifest] {
    match retention {
        Retention::Unruled | Retention::Bucket(_) | Retention::Ecr(_) => &[],
        Retention::Zot(repository) => &repository.manifests,
    }
}
