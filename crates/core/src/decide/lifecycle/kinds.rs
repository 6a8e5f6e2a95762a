//! From repositories of any kind to the simulator of that kind, and back to artifacts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::effects::Foreseen;
use super::{
    Outlook, Situation, acr_commands, ecr, gar_images, gitlab, gitlab_tags, harbor, harbor_artifacts, images, objects,
    quay_tags, s3, zot_tags,
};
use crate::model::{
    ArtifactId, Certainty, Digest, EcrImage, EcrRepository, Effect, Pin, Retention, Scope, Setting, Snapshot, Tag, Toll,
};

/// What the live rules will do to the targets, each pinned as the situation says.
#[must_use]
pub fn outlook(situation: &Situation<'_>) -> Outlook {
    match &situation.snapshot.retention {
        Retention::Unruled => Outlook::Unruled,
        Retention::Ecr(repository) => images::outlook(situation, repository),
        Retention::Bucket(bucket) => objects::outlook(situation, bucket),
        Retention::Harbor(repository) => harbor_artifacts::outlook(situation, repository),
        Retention::Acr(acr) => acr_commands::outlook(situation, acr),
        Retention::GitLab(repository) => gitlab_tags::outlook(situation, repository),
        Retention::Gar(repository) => gar_images::outlook(situation, repository),
        Retention::Quay(repository) => quay_tags::outlook(situation, repository),
        Retention::Zot(repository) => zot_tags::outlook(situation, repository),
    }
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
        Retention::Harbor(repository) => harbor_artifacts::foreseen(situation, repository, at),
        Retention::Acr(acr) => acr_commands::foreseen(situation, acr, at),
        Retention::GitLab(repository) => gitlab_tags::foreseen(situation, repository, at),
        Retention::Gar(repository) => gar_images::foreseen(situation, repository, at),
        Retention::Quay(repository) => quay_tags::foreseen(situation, repository, at),
        Retention::Zot(repository) => zot_tags::foreseen(situation, repository, at),
    }
}

/// What a source's own preview is to be held against: what the rules would do if they were carried out at this moment. ECR and
/// S3 carry theirs out all the time, Harbor by a schedule.
#[must_use]
pub fn if_run_now(situation: &Situation<'_>) -> Option<BTreeMap<ArtifactId, Foreseen>> {
    match &situation.snapshot.retention {
        Retention::Harbor(repository) => harbor_artifacts::if_run_now(situation, repository),
        Retention::Unruled
        | Retention::Ecr(_)
        | Retention::Bucket(_)
        | Retention::Acr(_)
        | Retention::GitLab(_)
        | Retention::Zot(_)
        | Retention::Gar(_)
        | Retention::Quay(_) => foreseen(situation, situation.now),
    }
}

/// The repository without the pins that are there; none where they can have harmed nobody, or that cannot be known.
pub(crate) fn without_pins(snapshot: &Snapshot) -> Option<Snapshot> {
    let retention = match &snapshot.retention {
        Retention::Unruled | Retention::Bucket(_) => return None,
        Retention::Ecr(repository) => Retention::Ecr(Box::new(images::without_pins(snapshot, repository)?)),
        Retention::Harbor(repository) => {
            Retention::Harbor(Box::new(harbor_artifacts::without_pins(snapshot, repository)?))
        }
        Retention::Acr(acr) => Retention::Acr(Box::new(acr_commands::without(acr, &zot_tags::is_pin)?)),
        Retention::GitLab(repository) => {
            Retention::GitLab(Box::new(gitlab_tags::without(repository, &zot_tags::is_pin)?))
        }
        Retention::Gar(repository) => Retention::Gar(Box::new(gar_images::without(repository, &zot_tags::is_pin)?)),
        Retention::Quay(repository) => Retention::Quay(Box::new(quay_tags::without(repository, &zot_tags::is_pin)?)),
        Retention::Zot(repository) => Retention::Zot(Box::new(zot_tags::without(repository, &zot_tags::is_pin)?)),
    };
    Some(Snapshot { retention, ..bare_of(snapshot) })
}

/// The repository without the pins of these artifacts. Holds are in no list.
pub(crate) fn without_pins_of(snapshot: &Snapshot, of: &BTreeSet<ArtifactId>) -> Snapshot {
    let goes = |digest: &Digest, tag: &Tag| {
        of.contains(&ArtifactId::Manifest(digest.clone())) && zot_tags::is_pin(digest, tag)
    };
    let retention = match &snapshot.retention {
        Retention::Ecr(repository) => {
            let mut then = (**repository).clone();
            for image in &mut then.images {
                if of.contains(&ArtifactId::Manifest(image.digest.clone())) {
                    let is_pin = |tag: &Tag| Pin::read(tag).is_some_and(|pin| pin.names(&image.digest));
                    image.tags = image.tags.iter().filter(|tag| !is_pin(tag)).cloned().collect();
                }
            }
            Retention::Ecr(Box::new(then))
        }
        Retention::Harbor(repository) => {
            let mut then = (**repository).clone();
            for artifact in &mut then.artifacts {
                if of.contains(&ArtifactId::Manifest(artifact.digest.clone())) {
                    let digest = artifact.digest.clone();
                    let is_pin = |tag: &Tag| Pin::read(tag).is_some_and(|pin| pin.names(&digest));
                    artifact.tags.retain(|tag| !tag.name.parse::<Tag>().is_ok_and(|name| is_pin(&name)));
                }
            }
            Retention::Harbor(Box::new(then))
        }
        Retention::Acr(acr) => Retention::Acr(acr_commands::without(acr, &goes).map_or_else(|| acr.clone(), Box::new)),
        Retention::GitLab(repository) => {
            let then = gitlab_tags::without(repository, &goes);
            Retention::GitLab(then.map_or_else(|| repository.clone(), Box::new))
        }
        Retention::Gar(repository) => {
            Retention::Gar(gar_images::without(repository, &goes).map_or_else(|| repository.clone(), Box::new))
        }
        Retention::Quay(repository) => {
            Retention::Quay(quay_tags::without(repository, &goes).map_or_else(|| repository.clone(), Box::new))
        }
        Retention::Zot(repository) => {
            Retention::Zot(zot_tags::without(repository, &goes).map_or_else(|| repository.clone(), Box::new))
        }
        other @ (Retention::Unruled | Retention::Bucket(_)) => other.clone(),
    };
    Snapshot { retention, ..bare_of(snapshot) }
}

/// The repository once the tags of these artifacts that do not stay have moved on; none if there are none of them, or no
/// rule asks for tags.
pub(crate) fn without_tags(
    snapshot: &Snapshot,
    of: &dyn Fn(&Digest) -> bool,
    stays: &dyn Fn(&Tag) -> bool,
) -> Option<Snapshot> {
    let repository = match &snapshot.retention {
        Retention::Unruled | Retention::Bucket(_) => return None,
        Retention::Ecr(repository) => repository,
        Retention::Harbor(repository) => {
            let then = harbor_artifacts::without_tags(repository, of, stays)?;
            return Some(Snapshot { retention: Retention::Harbor(Box::new(then)), ..bare_of(snapshot) });
        }
        Retention::Acr(acr) => {
            let then = acr_commands::without(acr, &|digest, tag| of(digest) && !stays(tag))?;
            return Some(Snapshot { retention: Retention::Acr(Box::new(then)), ..bare_of(snapshot) });
        }
        Retention::GitLab(repository) => {
            let then = gitlab_tags::without(repository, &|digest, tag| of(digest) && !stays(tag))?;
            return Some(Snapshot { retention: Retention::GitLab(Box::new(then)), ..bare_of(snapshot) });
        }
        Retention::Gar(repository) => {
            let then = gar_images::without(repository, &|digest, tag| of(digest) && !stays(tag))?;
            return Some(Snapshot { retention: Retention::Gar(Box::new(then)), ..bare_of(snapshot) });
        }
        Retention::Quay(repository) => {
            // What is immutable does not move.
            let moves = |digest: &Digest, tag: &Tag| {
                of(digest) && !stays(tag) && !repository.rows.iter().any(|row| row.name == *tag && row.immutable)
            };
            let then = quay_tags::without(repository, &moves)?;
            return Some(Snapshot { retention: Retention::Quay(Box::new(then)), ..bare_of(snapshot) });
        }
        Retention::Zot(repository) => {
            let then = zot_tags::without(repository, &|digest, tag| of(digest) && !stays(tag))?;
            return Some(Snapshot { retention: Retention::Zot(Box::new(then)), ..bare_of(snapshot) });
        }
    };
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
    let retention = match &snapshot.retention {
        Retention::Ecr(repository) => Retention::Ecr(Box::new(EcrRepository {
            lifecycle: Setting::Text(lifecycle.into()),
            ..(**repository).clone()
        })),
        Retention::Gar(repository) => Retention::Gar(Box::new(gar_images::under(repository, lifecycle)?)),
        Retention::Unruled
        | Retention::Bucket(_)
        | Retention::Harbor(_)
        | Retention::Acr(_)
        | Retention::GitLab(_)
        | Retention::Quay(_)
        | Retention::Zot(_) => return None,
    };
    Some(Snapshot { retention, ..bare_of(snapshot) })
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
        Retention::Unruled
        | Retention::Bucket(_)
        | Retention::Harbor(_)
        | Retention::Acr(_)
        | Retention::GitLab(_)
        | Retention::Zot(_)
        | Retention::Gar(_)
        | Retention::Quay(_) => None,
    };
    match (rules(before), rules(after)) {
        (Some(before), Some(after)) => ecr::renumbered(&before, &after),
        _ => BTreeMap::new(),
    }
}

/// The rules, complete and valid, changed so that every pin holds against them.
pub fn recommend(snapshot: &Snapshot) -> Result<String, String> {
    match &snapshot.retention {
        Retention::Ecr(repository) if repository.lifecycle == Setting::Unknown => {
            Err(unread(snapshot, "its lifecycle policy could not be read"))
        }
        Retention::Bucket(bucket) if bucket.lifecycle.is_none() => {
            Err(unread(snapshot, "the bucket's lifecycle rules could not be read"))
        }
        Retention::Unruled => {
            Err("it has no lifecycle rules that prodpin can read, so there is nothing to recommend".to_owned())
        }
        Retention::Ecr(repository) => images::recommend(repository),
        Retention::Bucket(bucket) => {
            let repository = snapshot.tags.iter().find_map(|tag| bucket.layout.parse(tag.name.as_str()));
            s3::recommend(bucket, repository.as_ref().map(|(repository, _)| repository))
        }
        Retention::Harbor(repository) => harbor::recommend(repository),
        Retention::Acr(_) => Err(format!(
            "acr purge commands stand in tasks and pipelines, which prodpin does not write: {}",
            acr_commands::CLAIM
        )),
        Retention::GitLab(repository) => gitlab::recommend(repository),
        Retention::Gar(repository) => gar_images::recommend(repository),
        Retention::Quay(_) => Err(format!("prodpin writes no auto-prune policies: {}", quay_tags::CLAIM)),
        Retention::Zot(_) => Err(format!(
            "zot's rules stand in its configuration file, which prodpin does not write: {}",
            zot_tags::CLAIM
        )),
    }
}

/// That, with the reason: a permission that lacks is one of several.
fn unread(snapshot: &Snapshot, what: &str) -> String {
    let why = snapshot.gaps.iter().find(|gap| matches!(gap.scope, Scope::Setting | Scope::Source));
    why.map_or_else(|| what.to_owned(), |gap| format!("{what}: {}", gap.detail))
}

/// What such rules leave to their owner, each as a sentence.
pub fn left_alone(snapshot: &Snapshot) -> Vec<String> {
    match &snapshot.retention {
        Retention::Unruled
        | Retention::Ecr(_)
        | Retention::Harbor(_)
        | Retention::Acr(_)
        | Retention::GitLab(_)
        | Retention::Zot(_)
        | Retention::Gar(_)
        | Retention::Quay(_) => Vec::new(),
        Retention::Bucket(bucket) => {
            let repository = snapshot.tags.iter().find_map(|tag| bucket.layout.parse(tag.name.as_str()));
            s3::left_alone(bucket, repository.as_ref().map(|(repository, _)| repository))
        }
    }
}

/// Why no rules can be recommended for an ECR repository, as its policy is: it is full, or not understood.
pub(crate) fn why_not_recommended(retention: &Retention) -> Option<String> {
    match retention {
        Retention::Ecr(repository) => images::recommend(repository).err(),
        Retention::Unruled
        | Retention::Bucket(_)
        | Retention::Harbor(_)
        | Retention::Acr(_)
        | Retention::GitLab(_)
        | Retention::Zot(_)
        | Retention::Gar(_)
        | Retention::Quay(_) => None,
    }
}

/// Whether this rule of a bucket is for a tag that releases may carry: what spares releases then is not known here.
pub(crate) fn is_for_a_tag(retention: &Retention, rule: &str) -> bool {
    let Retention::Bucket(bucket) = retention else { return false };
    let rules = bucket.lifecycle.iter().flat_map(|lifecycle| &lifecycle.rules);
    rules.into_iter().any(|other| other.name() == rule && s3::is_for_a_tag(other))
}

/// The rules with the pins claimed and nothing else changed; none where prodpin does not write rules.
pub(crate) fn claimed(snapshot: &Snapshot) -> Option<Result<String, String>> {
    match &snapshot.retention {
        Retention::Ecr(repository) => Some(images::claimed(repository)),
        Retention::Unruled
        | Retention::Bucket(_)
        | Retention::Harbor(_)
        | Retention::Acr(_)
        | Retention::GitLab(_)
        | Retention::Zot(_)
        | Retention::Gar(_)
        | Retention::Quay(_) => None,
    }
}

/// Every artifact that rules may act on.
pub fn artifacts(snapshot: &Snapshot) -> impl Iterator<Item = ArtifactId> + '_ {
    let manifests = manifests(&snapshot.retention).map(|(digest, _)| ArtifactId::Manifest(digest.clone()));
    let objects = snapshot.tags.iter().filter_map(|tag| tag.object.as_deref()).flat_map(|object| &object.versions);
    manifests.chain(objects.map(|version| version.artifact.clone()))
}

/// Those of them that no tag names, where a preview may leave such out. A version always has its key, and Harbor's dry run has
/// them all.
pub fn untagged(snapshot: &Snapshot) -> impl Iterator<Item = ArtifactId> + '_ {
    let has_all = matches!(snapshot.retention, Retention::Harbor(_));
    let untagged = manifests(&snapshot.retention).filter(move |(_, is_tagged)| !is_tagged && !has_all);
    untagged.map(|(digest, _)| ArtifactId::Manifest(digest.clone()))
}

/// Every manifest that was listed by itself, and whether it has a tag.
fn manifests(retention: &Retention) -> Box<dyn Iterator<Item = (&Digest, bool)> + '_> {
    match retention {
        Retention::Unruled | Retention::Bucket(_) => Box::new(std::iter::empty()),
        Retention::Ecr(repository) => {
            Box::new(repository.images.iter().map(|image| (&image.digest, !image.tags.is_empty())))
        }
        Retention::Harbor(repository) => {
            Box::new(repository.artifacts.iter().map(|artifact| (&artifact.digest, !artifact.tags.is_empty())))
        }
        Retention::Acr(acr) => {
            Box::new(acr.repository.manifests.iter().map(|manifest| (&manifest.digest, !manifest.tags.is_empty())))
        }
        Retention::Gar(repository) => {
            Box::new(repository.images.iter().map(|image| (&image.digest, !image.tags.is_empty())))
        }
        Retention::Zot(repository) => {
            Box::new(repository.manifests.iter().map(|manifest| (&manifest.digest, !manifest.tags.is_empty())))
        }
        // What has no tag is not listed there.
        Retention::GitLab(repository) => {
            let tagged: BTreeSet<&Digest> = repository.tags.iter().filter_map(|tag| tag.digest.as_ref()).collect();
            Box::new(tagged.into_iter().map(|digest| (digest, true)))
        }
        Retention::Quay(repository) => {
            let living = repository.rows.iter().filter(|row| row.end.is_none());
            let tagged: BTreeSet<&Digest> = living.map(|row| &row.digest).collect();
            Box::new(tagged.into_iter().map(|digest| (digest, true)))
        }
    }
}
