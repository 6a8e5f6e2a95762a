//! What live lifecycle rules will do: pure simulators, one for each kind of rules, and the one door to all of them.
//! Whoever asks from outside knows repositories, artifacts and threats, and no kind of rules by name.

pub mod acr;
mod acr_commands;
pub(super) mod artifact_outlook;
pub mod ecr;
pub(super) mod effects;
pub mod gar;
mod gar_images;
pub mod gitlab;
mod gitlab_tags;
mod golang;
pub mod harbor;
mod harbor_artifacts;
mod images;
mod json;
mod kinds;
mod objects;
pub mod quay;
mod quay_tags;
pub mod s3;
mod tried;
mod words;
pub mod zot;
mod zot_tags;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::model::{Advice, ArtifactId, Due, Effect, Inspection, Severity, Snapshot, Tag, Threat};

pub(super) use acr_commands::{CLAIM as ACR_CLAIM, readable as acr_readable};
pub use effects::Foreseen;
pub(super) use gar_images::{CLAIM as GAR_CLAIM, readable as gar_readable};
pub(super) use gitlab_tags::{READABLE as GITLAB_READABLE, counts_pins, protection};
pub use kinds::{artifacts, foreseen, if_run_now, left_alone, outlook, recommend, toll, untagged};
pub(super) use kinds::{
    claimed, is_for_a_tag, renumbered, under, why_not_recommended, without_pins, without_pins_of, without_tags,
};
pub(super) use quay_tags::CLAIM as QUAY_CLAIM;
pub use tried::{TriedRules, TriedRulesError};
pub use words::when;
pub(super) use zot_tags::CLAIM as ZOT_CLAIM;

/// One repository as it is to be judged.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// What was listed, rules included.
    pub snapshot: &'a Snapshot,
    /// The artifacts asked about.
    pub targets: &'a BTreeSet<ArtifactId>,
    /// Artifacts that carry a pin, or are taken to, beside those whose pin was listed.
    pub pinned: &'a BTreeSet<ArtifactId>,
    /// What closer looks at some artifacts showed.
    pub inspections: &'a BTreeMap<ArtifactId, Inspection>,
    /// Artifacts that the ledger saw come, for the rate at which they do.
    pub arrivals: &'a [Arrival],
    /// The clock.
    pub now: Timestamp,
}

/// An artifact that came, and may be gone since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// What came.
    pub artifact: ArtifactId,
    /// Every tag that named it.
    pub tags: Vec<Tag>,
    /// When it was pushed, or seen first.
    pub at: Timestamp,
}

/// What the live rules come to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outlook {
    /// The source has no lifecycle rules that prodpin can read. That says nothing of what cleans up there.
    Unruled,
    /// There are definitively none: nothing is removed by rules.
    NoneSet,
    /// Something needed could not be read. Never to be taken for safe (A54).
    Unknown {
        /// What, for a person.
        detail: String,
    },
    /// Worked out.
    Known(Known),
}

/// What was worked out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// What reaches each artifact that was asked about, the soonest first. One that is not in it is reached by no rule.
    pub threats: BTreeMap<ArtifactId, Vec<Threat>>,
    /// Those asked about that were not listed with what the rules count, or stand among too much of it to be judged: of
    /// them nothing is known.
    pub unseen: BTreeSet<ArtifactId>,
    /// What is wrong with the rules themselves.
    pub advice: Vec<Advice>,
}

impl Outlook {
    /// What reaches the artifact, the soonest first.
    #[must_use]
    pub fn threats(&self, artifact: &ArtifactId) -> &[Threat] {
        match self {
            Self::Known(known) => known.threats.get(artifact).map_or(&[], Vec::as_slice),
            Self::Unruled | Self::NoneSet | Self::Unknown { .. } => &[],
        }
    }

    /// What is wrong with the rules themselves.
    #[must_use]
    pub fn advice(&self) -> &[Advice] {
        match self {
            Self::Known(known) => &known.advice,
            Self::Unruled | Self::NoneSet | Self::Unknown { .. } => &[],
        }
    }
}

/// So near a date leaves no time for a ticket.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Beyond this an estimate says little.
const FORESEEABLE: SignedDuration = SignedDuration::from_hours(365 * 24);

/// How much a threat to a rollback target matters: critical if it is due within a week; high if it has a date, or will
/// be due within a year at the present pace; medium if that takes longer or cannot be known. What only archives can be
/// undone in minutes or hours, and is never critical.
#[must_use]
pub fn severity(threat: &Threat, now: Timestamp) -> Severity {
    let within = |at: Timestamp, span: SignedDuration| at.duration_since(now) <= span;
    let severity = match &threat.due {
        Due::Now => Severity::Critical,
        Due::On(at) if within(*at, SOON) => Severity::Critical,
        Due::On(_) => Severity::High,
        Due::AfterPushes { around: Some(around), .. } if within(*around, FORESEEABLE) => Severity::High,
        Due::AfterPushes { .. } => Severity::Medium,
    };
    match threat.effect {
        Effect::Deletes | Effect::Hides => severity,
        Effect::Archives => severity.min(Severity::High),
    }
}

/// When a threat is due, as far as a date can be reported: what orders threats.
pub(super) fn due_at(due: &Due, now: Timestamp) -> Timestamp {
    match due {
        Due::Now => now,
        Due::On(at) => *at,
        Due::AfterPushes { around, .. } => around.unwrap_or(Timestamp::MAX),
    }
}

/// Whether the threat is carried out by then, as far as can be reported; pushes are taken to go on at the present pace.
#[must_use]
pub fn is_due(threat: &Threat, now: Timestamp, at: Timestamp) -> bool {
    due_at(&threat.due, now) <= at && due_at(&threat.due, now) < Timestamp::MAX
}

/// The soonest first; of two that are equally soon the one that does more harm, then the one that is more certain.
fn sort(threats: &mut Vec<Threat>, now: Timestamp) {
    threats.sort_by(|a, b| {
        let key = |threat: &Threat| (due_at(&threat.due, now), threat.effect, threat.certainty);
        key(a).cmp(&key(b)).then_with(|| a.cmp(b))
    });
    threats.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Certainty;

    #[test]
    fn a_week_a_year_and_an_archive_decide_how_much_it_matters() {
        let now = Timestamp::UNIX_EPOCH;
        let days = |days: i64| now + SignedDuration::from_hours(24 * days);
        let after = |around| Due::AfterPushes { pushes: 3, around };
        for (due, effect, expected) in [
            (Due::Now, Effect::Deletes, Severity::Critical),
            (Due::On(days(7)), Effect::Deletes, Severity::Critical),
            (Due::On(days(8)), Effect::Deletes, Severity::High),
            (Due::On(days(4_000)), Effect::Hides, Severity::High),
            (after(Some(days(1))), Effect::Deletes, Severity::High),
            (after(Some(days(366))), Effect::Deletes, Severity::Medium),
            (after(None), Effect::Deletes, Severity::Medium),
            (Due::Now, Effect::Archives, Severity::High),
            (after(None), Effect::Archives, Severity::Medium),
        ] {
            let threat = Threat {
                rule: "1".to_owned(),
                effect,
                due: due.clone(),
                certainty: Certainty::Certain,
                why: String::new(),
            };
            assert_eq!(severity(&threat, now), expected, "{due:?} {effect:?}");
        }
    }

    #[test]
    fn what_has_no_date_is_never_due() {
        let threat = Threat {
            rule: "1".to_owned(),
            effect: Effect::Deletes,
            due: Due::AfterPushes { pushes: 1, around: None },
            certainty: Certainty::Certain,
            why: String::new(),
        };
        assert!(!is_due(&threat, Timestamp::UNIX_EPOCH, Timestamp::MAX));
    }
}
