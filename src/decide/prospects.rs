//! What live lifecycle rules mean for the targets of one repository: on the repository as it will be once everything
//! is pinned that can be, and as it is for those that are not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{
    ArtifactId, Due, Inspection, Obstacle, Pin, PinFailure, PinState, Presence, RepositoryState, Threat,
};
use crate::report::document::TargetReport;

use super::forecast::{self, Arrival, Outlook, Situation};
use super::plan::Input;
use super::protection::is_pinnable;
use super::rollback_set::Target;

/// Both answers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prospects {
    /// With every pin that is there, and every one that can be made.
    pub(super) pinned: Outlook,
    /// With the pins that are there; none where the two are the same.
    unpinned: Option<Outlook>,
}

impl Prospects {
    pub(super) fn of(input: &Input<'_>, targets: &[Target]) -> Self {
        let all: BTreeSet<ArtifactId> = targets.iter().map(|target| target.artifact.clone()).collect();
        let (mut there, mut wanted) = (BTreeSet::new(), BTreeSet::new());
        for artifact in &all {
            let Some(inspection) = input.inspections.get(artifact) else { continue };
            if inspection.pin == PinState::Present {
                there.insert(artifact.clone());
            } else if !input.snapshot.cleanup.withholds_pins()
                && can_be_pinned(inspection, input.attempts.get(artifact))
            {
                wanted.insert(artifact.clone());
            }
        }
        let arrivals = arrivals(input.state);
        let outlook = |pinned: &BTreeSet<ArtifactId>| {
            forecast::outlook(&Situation {
                snapshot: input.snapshot,
                targets: &all,
                pinned,
                inspections: input.inspections,
                arrivals: &arrivals,
                now: input.now,
            })
        };
        let unpinned = (!wanted.is_empty()).then(|| outlook(&there));
        wanted.append(&mut there);
        Self { pinned: outlook(&wanted), unpinned }
    }

    /// What stands in the way of calling an artifact protected (I7).
    pub(super) fn obstacles(&self, artifact: &ArtifactId) -> Vec<Obstacle> {
        match &self.pinned {
            Outlook::Unruled | Outlook::NoneSet => Vec::new(),
            Outlook::Unknown { detail } => vec![Obstacle::Unproven { detail: detail.clone() }],
            Outlook::Known(known) if known.unseen.contains(artifact) => {
                let detail = "what the lifecycle rules will do to it is not known: not all that they count was listed, or it is \
                              too much to be judged"
                    .to_owned();
                vec![Obstacle::Unproven { detail }]
            }
            Outlook::Known(_) => self.pinned.threats(artifact).iter().map(Threat::as_obstacle).collect(),
        }
    }

    /// What takes an artifact first if it is not pinned, where pinning it would help.
    pub(super) fn unless_pinned(&self, artifact: &ArtifactId) -> Option<&Threat> {
        let threat = self.unpinned.as_ref()?.threats(artifact).first()?;
        self.pinned.threats(artifact).is_empty().then_some(threat)
    }
}

/// Whether the next run that may pin would pin it, so that it is judged as pinned. One that was tried and cannot be
/// read back is judged as what it is.
fn can_be_pinned(inspection: &Inspection, attempt: Option<&Result<(), PinFailure>>) -> bool {
    attempt.is_none() && inspection.presence == Presence::Present && is_pinnable(inspection)
}

/// Artifacts that the ledger saw come. What was there at the first look came before, nobody knows when, unless it says
/// itself.
fn arrivals(state: &RepositoryState) -> Vec<Arrival> {
    let watched = state.tags.iter().filter(|(tag, _)| Pin::read(tag).is_none());
    let sightings = watched.flat_map(|(tag, history)| history.sightings.iter().map(move |sighting| (tag, sighting)));
    let first_look = sightings.clone().map(|(_, sighting)| sighting.since.sequence).min();
    let mut arrivals: BTreeMap<&ArtifactId, Arrival> = BTreeMap::new();
    for (tag, sighting) in sightings {
        let at = match sighting.created {
            Some(created) => created,
            None if Some(sighting.since.sequence) == first_look => continue,
            None => sighting.since.at,
        };
        let new = || Arrival { artifact: sighting.artifact.clone(), tags: Vec::new(), at };
        let arrival = arrivals.entry(&sighting.artifact).or_insert_with(new);
        arrival.at = arrival.at.min(at);
        if !arrival.tags.contains(tag) {
            arrival.tags.push(tag.clone());
        }
    }
    arrivals.into_values().collect()
}

impl TargetReport {
    /// When the first live lifecycle rule that is known to reach it acts: until then what it has lasts. None if no such
    /// rule is known, which is no proof that it is protected.
    #[must_use]
    pub fn lasts_until(&self, now: Timestamp) -> Option<&Due> {
        let dues = self.obstacles.iter().filter_map(|obstacle| match obstacle {
            Obstacle::Lifecycle { due, .. } => due.as_ref(),
            _ => None,
        });
        dues.min_by_key(|due| forecast::due_at(due, now))
    }
}

impl Threat {
    /// As what it is to a target.
    fn as_obstacle(&self) -> Obstacle {
        Obstacle::Lifecycle {
            rule: self.rule.clone(),
            effect: format!("{} it {}", self.verb(), forecast::when(&self.due)),
            due: Some(self.due.clone()),
        }
    }
}
