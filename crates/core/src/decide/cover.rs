//! What keeps the manifests below a target from a cleanup that takes what has no tag: pins of their own, or a registry that
//! follows references, or nothing (I26).

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    ArtifactId, ArtifactKind, Closure, GitLabRepository, Inspection, Obstacle, Part, PinCover, PinFailure, PinState,
    PinTerms, Presence, Recognised, RegistryKind, RepositoryKind, Retention, Snapshot, StatedCleanup,
};

use super::input::Attempts;
use super::lifecycle;

/// What keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeping {
    /// Each has a pin of its own, or gets one.
    Pins,
    /// The pin itself: it locks each of them with the target (K47).
    Locks,
    /// The registry: what a tagged index names is spared there (A33, A34, J5, J24, K52, K55).
    References,
    /// Nothing, because the policy wants pins on targets alone.
    NothingByPolicy,
    /// Nothing, because rules of this registry that nobody read may count tags, and five releases would bring thirty.
    NothingWhereTagsCount(RegistryKind),
}

/// Whether the pins of what is below targets are to be read here.
#[must_use]
pub fn reads_pins_of_parts(snapshot: &Snapshot, terms: PinTerms) -> bool {
    !keeping(snapshot, terms).needs_no_pins()
}

/// Whether what is below a target gets pins of its own here.
#[must_use]
pub fn pins_parts(snapshot: &Snapshot, terms: PinTerms) -> bool {
    keeping(snapshot, terms) == Keeping::Pins
}

/// The pin of an artifact that was tried: a target's, or that of a part of one.
#[must_use]
pub fn pin_of<'a>(inspections: &'a BTreeMap<ArtifactId, Inspection>, artifact: &ArtifactId) -> Option<&'a PinState> {
    let own = inspections.get(artifact).map(|seen| &seen.pin);
    own.or_else(|| inspections.values().find_map(|seen| Some(&seen.parts.find(artifact)?.pin)))
}

/// Those whose look shows these artifacts: themselves, and what they are parts of.
#[must_use]
pub fn owners(inspections: &BTreeMap<ArtifactId, Inspection>, tried: Vec<ArtifactId>) -> Vec<ArtifactId> {
    let mut owners = BTreeSet::new();
    for artifact in tried {
        if inspections.contains_key(&artifact) {
            owners.insert(artifact);
            continue;
        }
        let having = inspections.iter().filter(|(_, seen)| seen.parts.find(&artifact).is_some());
        let before = owners.len();
        owners.extend(having.map(|(owner, _)| owner.clone()));
        if owners.len() == before {
            owners.insert(artifact);
        }
    }
    owners.into_iter().collect()
}

impl Keeping {
    /// Whether what is below a target is kept without pins of its own.
    fn needs_no_pins(self) -> bool {
        matches!(self, Self::References | Self::Locks)
    }
}

pub(super) fn keeping(snapshot: &Snapshot, terms: PinTerms) -> Keeping {
    match snapshot.retention {
        Retention::Acr(_) => return Keeping::Locks,
        Retention::GitLab(ref repository) => return in_gitlab(repository, terms.cover),
        // Google counts digests, not tags, and nothing says that it keeps what an index names (K43).
        Retention::Gar(_) => {
            return match terms.cover {
                PinCover::Auto | PinCover::Closure => Keeping::Pins,
                PinCover::Index => Keeping::NothingByPolicy,
            };
        }
        // Neither expires nor collects what a kept index names (A33, J24, K52, K55); objects have nothing below them.
        Retention::Ecr(_) | Retention::Harbor(_) | Retention::Quay(_) | Retention::Zot(_) | Retention::Bucket(_) => {
            return Keeping::References;
        }
        Retention::Unruled if snapshot.kind == RepositoryKind::Charts => return Keeping::References,
        Retention::Unruled => {}
    }
    let recognised = snapshot.cleanup.kind();
    let spares = |kind: RegistryKind| kind == RegistryKind::Ecr || kind.spares_children();
    match terms.cover {
        PinCover::Closure => Keeping::Pins,
        PinCover::Auto | PinCover::Index if recognised.is_some_and(spares) => Keeping::References,
        PinCover::Index => Keeping::NothingByPolicy,
        PinCover::Auto => match (snapshot.cleanup.stated, &snapshot.cleanup.registry) {
            // By the policy's word, no rule counts them.
            (Some(StatedCleanup::None | StatedCleanup::Untagged), _) => Keeping::Pins,
            (_, Recognised::Kind(kind) | Recognised::Before(kind)) if kind.may_count_tags() => {
                Keeping::NothingWhereTagsCount(*kind)
            }
            _ => Keeping::Pins,
        },
    }
}

/// Its garbage collection spares what a tagged index names where the registry has a metadata database, and takes it where it has
/// none; which of them it is nobody says (K57).
fn in_gitlab(repository: &GitLabRepository, cover: PinCover) -> Keeping {
    match cover {
        PinCover::Closure => Keeping::Pins,
        PinCover::Index => Keeping::NothingByPolicy,
        PinCover::Auto if lifecycle::counts_pins(repository) => Keeping::NothingWhereTagsCount(RegistryKind::GitLab),
        PinCover::Auto => Keeping::Pins,
    }
}

/// The parts of a target that are to be pinned before it, and those after it, in this order: what is further down first,
/// so that a run that is cut off leaves no pin over what it does not cover.
pub(super) fn wanted(keeping: Keeping, seen: &Inspection, attempts: &Attempts) -> (Vec<ArtifactId>, Vec<ArtifactId>) {
    if keeping != Keeping::Pins || seen.presence != Presence::Present {
        return (Vec::new(), Vec::new());
    }
    let lacks = |part: &&Part| part.pin == PinState::Absent && !attempts.contains_key(&artifact(part));
    let below = seen.parts.below.iter().rev().filter(lacks).map(artifact);
    let attached = seen.parts.attached.iter().map(|attached| &attached.part).filter(lacks).map(artifact);
    (below.collect(), attached.collect())
}

fn artifact(part: &Part) -> ArtifactId {
    ArtifactId::Manifest(part.digest.clone())
}

/// Why manifests below a target have no pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// None is made here.
    Keeping(Keeping),
    /// It was tried.
    Failed(PinFailure),
    /// It was accepted, and is not there.
    Vanished,
    /// Its pin names something else.
    Moved,
    /// It is not known yet, or is still to be made.
    Open,
}

/// What is below a target without a pin.
pub(super) struct Unpinned<'a> {
    pub(super) parts: Vec<&'a Part>,
    pub(super) why: Why,
}

/// What lacks a pin below a target that is there; none where nothing does, or none is needed.
pub(super) fn unpinned<'a>(keeping: Keeping, seen: &'a Inspection, attempts: &Attempts) -> Option<Unpinned<'a>> {
    if keeping.needs_no_pins() || seen.presence != Presence::Present {
        return None;
    }
    let lacks = |part: &&Part| match part.pin {
        PinState::Present => false,
        PinState::Unknown => keeping != Keeping::Pins,
        PinState::Absent | PinState::Moved(_) | PinState::Unsupported { .. } => true,
    };
    let parts: Vec<&Part> = seen.parts.below.iter().filter(lacks).collect();
    let tried = |part: &&Part| attempts.get(&artifact(part));
    let failed = parts.iter().filter_map(tried).find_map(|attempt| attempt.as_ref().err());
    let why = match failed {
        _ if keeping != Keeping::Pins => Why::Keeping(keeping),
        Some(failure) => Why::Failed(failure.clone()),
        None if parts.iter().any(|part| matches!(part.pin, PinState::Moved(_))) => Why::Moved,
        None if parts.iter().filter_map(tried).next().is_some() => Why::Vanished,
        None => Why::Open,
    };
    (!parts.is_empty()).then_some(Unpinned { parts, why })
}

/// What keeps a target from being called protected because of what is below it.
pub(super) fn obstacle(keeping: Keeping, seen: Option<&Inspection>, attempts: &Attempts) -> Option<Obstacle> {
    let seen = seen.filter(|seen| !keeping.needs_no_pins() && seen.presence == Presence::Present)?;
    // What lacks parts gets no pin at all, and says so itself.
    if matches!(seen.closure, Closure::Broken(_)) && seen.pin != PinState::Present {
        return None;
    }
    if let Some(Unpinned { parts, why }) = unpinned(keeping, seen, attempts) {
        let first = parts.first().map_or_else(String::new, |part| named(part));
        return Some(Obstacle::PartsUnpinned { count: parts.len() as u64, first, why: why.clause() });
    }
    let unread = seen.parts.below.iter().filter(|part| part.pin == PinState::Unknown).count();
    // What is known to lack them says so itself.
    let unasked =
        seen.kind == Some(ArtifactKind::Index) && seen.closure == Closure::Complete && seen.parts.below.is_empty();
    let detail = match (unread, unasked) {
        (0, false) => return None,
        (0, true) => "which manifests are below it, and whether they have pins, is not known".to_owned(),
        (1, _) => "the pin of 1 manifest below it could not be read".to_owned(),
        (unread, _) => format!("the pins of {unread} manifests below it could not be read"),
    };
    Some(Obstacle::Unproven { detail })
}

/// A part in a sentence: `platform linux/arm64 (4a3ad75409b1)`.
pub(super) fn named(part: &Part) -> String {
    let short = artifact(part).short();
    part.name.as_ref().map_or_else(|| short.clone(), |name| format!("{name} ({short})"))
}

impl Why {
    /// As a clause; none where the next `enforce` ends it.
    fn clause(&self) -> Option<String> {
        Some(match self {
            Self::Open | Self::Keeping(Keeping::Pins | Keeping::Locks | Keeping::References) => return None,
            Self::Keeping(Keeping::NothingByPolicy) => "the policy says `cover: index`".to_owned(),
            Self::Keeping(Keeping::NothingWhereTagsCount(kind)) => {
                format!("this registry ({kind}) may count tags, so only targets are pinned")
            }
            Self::Failed(failure) => failure.to_string(),
            Self::Vanished => "a pin was accepted, and reading it back does not find it".to_owned(),
            Self::Moved => "a pin names something else".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
