//! What belongs to a target: the pins of the manifests below it, and what is attached to them by tags and as referrers.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt as _};

use super::closure::Trouble;
use super::fault::Fault;
use super::inspect::{contradict, named_by_pin};
use super::manifest::Content;
use super::referrers::Listed;
use super::registry::{Registry, Repository};
use crate::attached::{self, PartsLook};
use prodpin_core::model::{
    ArtifactId, Attached, Cause, Digest, Inspection, LostAttachment, Pin, PinState, Presence, Resolution, Scope, Tag,
};

/// Pins of parts, and lists of referrers, that are asked for at once.
const AT_ONCE: usize = 6;

/// Looks at what belongs to a target. What is attached is asked for wherever it could be lost; pins are read where parts
/// have pins of their own.
pub(super) async fn look(registry: &Registry, repository: &Repository, look: &PartsLook<'_>, seen: &mut Inspection) {
    if seen.presence != Presence::Present {
        return;
    }
    let mut found = Vec::new();
    let mut unread = BTreeSet::new();
    let asked = attached::subjects(seen).into_iter().map(|subject| async move {
        let listed = attached::listing_tag(look.tags, &subject);
        let answer = registry.referrers(repository, &subject, listed).await;
        (subject, answer)
    });
    let mut asked = stream::iter(asked).buffered(AT_ONCE);
    while let Some((subject, answer)) = asked.next().await {
        found.extend(attached::by_tags(look.tags, &subject));
        match answer {
            Ok(Listed { newest, beyond }) => {
                found.extend(newest);
                seen.parts.beyond += beyond;
            }
            Err(fault) => {
                unread.insert(subject);
                note_unread(seen, fault);
            }
        }
    }
    attached::note(seen, found);
    for (subject, by, digest) in attached::not_found(seen, look.known) {
        // Of what is not known nothing is missed (I4).
        if !(by.contains('/') && unread.contains(&subject)) {
            note_lost(registry, repository, look, seen, (subject, by, digest)).await;
        }
    }
    seen.parts.asked = look.pins;
    if look.pins {
        read_pins(registry, repository, seen).await;
    }
}

/// What passes by itself is a gap, as everywhere; where a registry keeps its referrers to itself, that is reported once.
fn note_unread(seen: &mut Inspection, fault: Fault) {
    match fault.cause {
        Cause::Throttled | Cause::Unreachable | Cause::ServerError | Cause::TimedOut | Cause::Interrupted => {
            seen.gaps.push(fault.gap(Scope::Artifact(seen.artifact.clone())));
        }
        _ => seen.parts.unread = Some(fault.detail),
    }
}

async fn read_pins(registry: &Registry, repository: &Repository, seen: &mut Inspection) {
    let digests: BTreeSet<Digest> = seen.parts.all().map(|part| part.digest.clone()).collect();
    let asked = digests.into_iter().map(|digest| async move {
        let answer = named_by_pin(registry, repository, &digest).await;
        (digest, answer)
    });
    let mut asked = stream::iter(asked).buffer_unordered(AT_ONCE);
    while let Some((digest, answer)) = asked.next().await {
        let state = match answer {
            Ok((state, None)) => state,
            Ok((_, Some(disagreement))) => {
                contradict(seen, format!("pin {}", Pin::for_digest(&digest)), disagreement);
                PinState::Unknown
            }
            Err(fault) => {
                seen.gaps.push(fault.gap(Scope::Artifact(seen.artifact.clone())));
                PinState::Unknown
            }
        };
        seen.parts.all_mut().filter(|part| part.digest == digest).for_each(|part| part.pin = state.clone());
    }
}

/// Whether what was attached before is still found by those who look for it: under its tag, or in what has its place.
async fn note_lost(
    registry: &Registry,
    repository: &Repository,
    look: &PartsLook<'_>,
    seen: &mut Inspection,
    (subject, by, digest): (Digest, Box<str>, Digest),
) {
    let kept = attached::is_kept(look.tags, &digest);
    let place = Some(format!("{}/{}", registry.host.shown(), repository.name).into());
    let mut lost = LostAttachment { digest, subject, by, instead: None, kept, place };
    if let Ok(tag) = lost.by.parse::<Tag>().map_err(|_| ())
        && !lost.by.contains('/')
    {
        let named = match registry.resolve(repository, &tag).await {
            Ok(Resolution::Artifact(ArtifactId::Manifest(named))) => named,
            Ok(Resolution::NotFound) => return seen.parts.lost.push(lost),
            Ok(_) => return,
            Err(fault) => return seen.gaps.push(fault.gap(Scope::Tag(tag))),
        };
        match named == lost.digest {
            // The list was behind.
            true => return,
            false => match includes(registry, repository, &named, &lost.digest).await {
                Ok(true) => return,
                Ok(false) => lost.instead = Some(named),
                Err(fault) => return note_unread(seen, fault),
            },
        }
    }
    seen.parts.lost.push(lost);
}

/// Whether one manifest has all layers of another: signers add to what is under their tag. Of one that is gone nobody can
/// say what it had.
async fn includes(registry: &Registry, repository: &Repository, whole: &Digest, part: &Digest) -> Result<bool, Fault> {
    let mut layers = Vec::new();
    for digest in [whole, part] {
        let fetched = match registry.fetch(repository, digest).await {
            Ok(fetched) => fetched,
            Err(Trouble::NotFound) => return Ok(false),
            Err(Trouble::WrongBytes(detail)) => return Err(Fault::malformed(detail)),
            Err(Trouble::Unknown(fault)) => return Err(fault),
        };
        let manifest = fetched.manifest.as_ref().map_err(Clone::clone)?;
        let below = match &manifest.content {
            Content::Image { layers, .. } => layers,
            Content::Index(children) => children,
        };
        layers.push(below.iter().map(|layer| layer.digest.clone()).collect::<BTreeSet<Digest>>());
    }
    Ok(layers[1].is_subset(&layers[0]))
}

/// Of referrers, those that are pinned with what they are about.
pub(super) fn newest_of_each_type(mut referrers: Vec<(Option<jiff::Timestamp>, Attached)>) -> Listed {
    /// Of one type so many: each of several signers may have one, and a list does not tell by whom each is.
    const OF_EACH_TYPE: usize = 4;
    const IN_ALL: usize = 16;
    // A list without dates is in the order in which its entries came.
    referrers.reverse();
    referrers.sort_by_key(|(created, _)| std::cmp::Reverse(*created));
    let count = referrers.len();
    let mut newest: Vec<Attached> = Vec::new();
    for (_, attached) in referrers {
        let same = newest.iter().filter(|other| other.by == attached.by).count();
        if same < OF_EACH_TYPE && newest.len() < IN_ALL {
            newest.push(attached);
        }
    }
    Listed { beyond: count - newest.len(), newest }
}
