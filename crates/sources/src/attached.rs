//! What is attached to an artifact by tags whose names have its digest (C91), and what was so before.

use std::collections::{BTreeMap, BTreeSet};

use crate::Inventory;
use prodpin_core::model::{
    ArtifactId, Attached, Digest, Inspection, LostAttachment, ObservedTag, Part, PinState, Presence, RepositoryName,
    Resolution, Tag, attaching_tag,
};

/// What was last seen attached to artifacts, by the tag or the type by which it is.
pub type Attachments = BTreeMap<ArtifactId, BTreeMap<Box<str>, ArtifactId>>;

/// What is known when the parts of an artifact are looked at.
#[derive(Debug, Clone, Copy)]
pub struct PartsLook<'a> {
    /// Every tag that was listed, in order of name.
    pub tags: &'a [ObservedTag],
    /// What was attached when earlier runs looked.
    pub known: &'a Attachments,
    /// Whether the pins of parts are to be read.
    pub pins: bool,
}

/// So much that is attached to one target and its parts is pinned with it.
pub(crate) const MOST_ATTACHED: usize = 64;

/// So many parts of one target are asked for what was attached to them.
pub(crate) const MOST_SUBJECTS: usize = 64;

/// A target and what is below it: what something may be attached to.
pub(crate) fn subjects(seen: &Inspection) -> Vec<Digest> {
    let below = seen.parts.below.iter().map(|part| part.digest.clone());
    seen.artifact.digest().cloned().into_iter().chain(below).take(MOST_SUBJECTS).collect()
}

/// The tag that lists what names this artifact as its subject, where a registry has no interface for that.
pub(crate) fn listing_tag(tags: &[ObservedTag], subject: &Digest) -> Option<Digest> {
    let name = format!("{}-{}", subject.algorithm(), subject.hex());
    let at = tags.binary_search_by(|tag| tag.name.as_str().cmp(&name)).ok()?;
    tags[at].target.artifact()?.digest().cloned()
}

/// What tags attach to this artifact.
pub(crate) fn by_tags(tags: &[ObservedTag], subject: &Digest) -> Vec<Attached> {
    let prefix = format!("{}-{}.", subject.algorithm(), subject.hex());
    let from = tags.partition_point(|tag| tag.name.as_str() < prefix.as_str());
    let named = tags[from..].iter().take_while(|tag| tag.name.as_str().starts_with(&prefix));
    let attaching = named.filter(|tag| attaching_tag(&tag.name).is_some());
    let attached = attaching.filter_map(|tag| {
        let digest = tag.target.artifact()?.digest()?.clone();
        let part = Part { digest, name: Some(format!("tag {}", tag.name).into()), pin: PinState::Unknown };
        Some(Attached { part, subject: subject.clone(), by: tag.name.as_str().into() })
    });
    attached.collect()
}

/// Adds what is attached to the inspection: what is below the target anyhow is no attachment, and more than there is room
/// for is counted.
pub(crate) fn note(seen: &mut Inspection, found: Vec<Attached>) {
    let mut known: BTreeSet<Digest> = subjects(seen).into_iter().collect();
    known.extend(seen.parts.below.iter().map(|part| part.digest.clone()));
    let mut distinct = known.clone();
    for attached in found {
        if known.contains(&attached.part.digest) {
            continue;
        }
        let is_new = distinct.insert(attached.part.digest.clone());
        // One manifest may be attached by several names: each is remembered.
        if !is_new || seen.parts.attached.len() < MOST_ATTACHED {
            seen.parts.attached.push(attached);
        } else {
            seen.parts.beyond += 1;
        }
    }
}

/// What was attached before, by a tag or by its type, and was not found under the same name now.
pub(crate) fn not_found(seen: &Inspection, known: &Attachments) -> Vec<(Digest, Box<str>, Digest)> {
    let mut missing = Vec::new();
    for subject in subjects(seen) {
        let before = known.get(&ArtifactId::Manifest(subject.clone())).into_iter().flatten();
        for (by, artifact) in before {
            let Some(digest) = artifact.digest() else { continue };
            let mut now = seen.parts.attached.iter().filter(|now| now.subject == subject && now.by == *by);
            // Of one type there may be several, and newer ones in the place of older ones.
            let found = now.any(|now| now.part.digest == *digest || by.contains('/'));
            if !found {
                missing.push((subject.clone(), by.clone(), digest.clone()));
            }
        }
    }
    missing
}

/// Whether a pin of these bytes is listed.
pub(crate) fn is_kept(tags: &[ObservedTag], digest: &Digest) -> bool {
    let pin = prodpin_core::model::Pin::for_digest(digest).to_string();
    let at = tags.binary_search_by(|tag| tag.name.as_str().cmp(&pin));
    at.is_ok_and(|at| tags[at].target.artifact().and_then(ArtifactId::digest) == Some(digest))
}

/// The look of a source that knows tags and no more: what they attach, and what they attached before and is gone by direct
/// look-up (I4).
pub(crate) async fn look_by_tags<I: Inventory + ?Sized>(
    inventory: &I,
    repository: &RepositoryName,
    look: &PartsLook<'_>,
    seen: &mut Inspection,
) {
    if seen.presence != Presence::Present || seen.artifact.digest().is_none() {
        return;
    }
    let found = subjects(seen).iter().flat_map(|subject| by_tags(look.tags, subject)).collect();
    note(seen, found);
    for (subject, by, digest) in not_found(seen, look.known) {
        let Ok(tag) = by.parse::<Tag>() else { continue };
        let (resolution, gap) = inventory.look_up(repository, &tag).await;
        seen.gaps.extend(gap);
        if resolution == Resolution::NotFound {
            let kept = is_kept(look.tags, &digest);
            seen.parts.lost.push(LostAttachment { digest, subject, by, instead: None, kept, place: None });
        }
    }
}
