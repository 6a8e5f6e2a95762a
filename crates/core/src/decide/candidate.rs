//! What production rules rank: artifacts that production ran.

use std::collections::BTreeMap;

use crate::model::{ArtifactId, Evidence, Inspection, Presence, Tag};
use crate::outcome::report::Reason;

use super::ranking::Rank;

/// What one production rule ranks, most recent first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lane {
    pub(super) evidence: Evidence,
    pub(super) ranked: Vec<Candidate>,
    /// Places in `ranked` of what prodpin itself saw run, in the order in which it did: kept beside what is reported.
    pub(super) seen: Vec<usize>,
}

/// An artifact that production ran, by one rule.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    pub(super) artifact: ArtifactId,
    pub(super) reasons: Vec<Reason>,
    pub(super) running: bool,
    /// Whether something would start it, and nothing of it runs.
    pub(super) wanted: bool,
    /// Whether anything but that it is wanted says that it ran.
    pub(super) ran: bool,
    /// The commit at which prodpin itself last saw it run, or go; none if it never did.
    pub(super) seen: Option<u64>,
    /// Bytes that this artifact's tags were moved to.
    pub(super) moved_in: Vec<MovedIn>,
    /// Where its release tags stand in their order, and by what.
    pub(super) places: Vec<Rank>,
    /// All its tags name one platform of a release: the place of that release in the same lane.
    pub(super) platform_of: Option<usize>,
}

/// Bytes that came under a tag that named others.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MovedIn {
    pub(super) tag: Tag,
    pub(super) artifact: ArtifactId,
    /// The tag names them no more and they were never pinned: if they are gone, a cleanup did its work.
    pub(super) left: bool,
}

impl Candidate {
    pub(super) fn new(artifact: ArtifactId) -> Self {
        Self {
            artifact,
            reasons: Vec::new(),
            running: false,
            wanted: false,
            ran: true,
            seen: None,
            moved_in: Vec::new(),
            places: Vec::new(),
            platform_of: None,
        }
    }

    /// Whether production runs it, or would start it.
    pub(super) fn is_present(&self) -> bool {
        self.running || self.wanted
    }

    /// A tag that it is known by.
    pub(super) fn named(&self) -> Option<&Tag> {
        self.reasons.iter().find_map(Reason::tag)
    }
}

/// Whether a look at the artifact proved that it is gone.
pub(super) fn is_missing(inspections: &BTreeMap<ArtifactId, Inspection>, artifact: &ArtifactId) -> bool {
    inspections.get(artifact).is_some_and(|inspection| inspection.presence == Presence::NotFound)
}
