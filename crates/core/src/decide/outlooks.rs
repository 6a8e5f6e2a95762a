//! What live lifecycle rules mean for the targets of one repository: on the repository as it will be once everything
//! is pinned that may be, and as it is for those that are not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{Advice, ArtifactId, Due, Obstacle, Pin, RepositoryState, Snapshot, Threat};
use crate::outcome::report::TargetReport;

use super::facts::Facts;
use super::lifecycle::{self, Arrival, Outlook, Situation};
use super::pinning::Pinning;
use super::rollback_set::Target;

/// Both answers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outlooks {
    /// With every pin that is there, and every one that may be made; under the rules that are put in front first, if any
    /// are.
    pinned: Outlook,
    /// With the pins that are there, under the live rules; none where the two are the same.
    unpinned: Option<Outlook>,
    /// Whether other rules are put in front first: until then the live ones hold for what is pinned already.
    changes: bool,
    /// The pins.
    pub(super) pinning: Pinning,
}

impl Outlooks {
    pub(super) fn new(input: &Facts<'_>, targets: &[Target]) -> Self {
        let all: BTreeSet<ArtifactId> = targets.iter().map(|target| target.artifact.clone()).collect();
        let arrivals = arrivals(input.state);
        let pinning = Pinning::new(input, targets, &arrivals);
        let outlook = |snapshot: &Snapshot, pinned: &BTreeSet<ArtifactId>| {
            lifecycle::outlook(&Situation {
                snapshot,
                targets: &all,
                pinned,
                inspections: input.inspections,
                arrivals: &arrivals,
                now: input.now,
            })
        };
        let changed = pinning.claim.as_ref().and_then(|change| lifecycle::under(input.snapshot, &change.to));
        let differs = !pinning.cleared.pins.is_empty() || changed.is_some();
        let unpinned = differs.then(|| outlook(input.snapshot, &pinning.there));
        let then = outlook(changed.as_ref().unwrap_or(input.snapshot), &pinning.made());
        Self { pinned: then, unpinned, changes: changed.is_some(), pinning }
    }

    /// What the rules come to for the repository as a whole, as they are.
    pub(super) fn live(&self) -> &Outlook {
        self.unpinned.as_ref().filter(|_| self.changes).unwrap_or(&self.pinned)
    }

    /// What the rules come to for this artifact: as they are where its pin is there, and else as they will be when it
    /// gets one.
    fn outlook(&self, artifact: &ArtifactId) -> &Outlook {
        if self.pinning.there.contains(artifact) { self.live() } else { &self.pinned }
    }

    /// What reaches it, pinned or not.
    pub(super) fn threats(&self, artifact: &ArtifactId) -> &[Threat] {
        self.outlook(artifact).threats(artifact)
    }

    /// What is wrong with the live rules.
    pub(super) fn advice(&self) -> &[Advice] {
        self.live().advice()
    }

    /// What stands in the way of calling an artifact protected (I7).
    pub(super) fn obstacles(&self, artifact: &ArtifactId) -> Vec<Obstacle> {
        match self.outlook(artifact) {
            Outlook::Unruled | Outlook::NoneSet => Vec::new(),
            Outlook::Unknown { detail } => vec![Obstacle::Unproven { detail: detail.clone() }],
            Outlook::Known(known) if known.unseen.contains(artifact) => {
                let detail = "what the lifecycle rules will do to it is not known: not all that they count was listed, or it is \
                              too much to be judged"
                    .to_owned();
                vec![Obstacle::Unproven { detail }]
            }
            Outlook::Known(_) => self.threats(artifact).iter().map(Threat::as_obstacle).collect(),
        }
    }

    /// What takes an artifact first if it is not pinned, where pinning it would help.
    pub(super) fn unless_pinned(&self, artifact: &ArtifactId) -> Option<&Threat> {
        let threat = self.unpinned.as_ref()?.threats(artifact).first()?;
        self.threats(artifact).is_empty().then_some(threat)
    }
}

/// Artifacts that the ledger saw come. What was there at the first look came before, nobody knows when, unless it says
/// itself.
fn arrivals(state: &RepositoryState) -> Vec<Arrival> {
    let watched = state.tags.iter().filter(|(tag, _)| Pin::read(tag).is_none());
    let sightings = watched.flat_map(|(tag, history)| history.sightings().iter().map(move |sighting| (tag, sighting)));
    let first_look = sightings.clone().map(|(_, sighting)| sighting.since().sequence).min();
    let mut arrivals: BTreeMap<&ArtifactId, Arrival> = BTreeMap::new();
    for (tag, sighting) in sightings {
        let at = match sighting.created() {
            Some(created) => created,
            None if Some(sighting.since().sequence) == first_look => continue,
            None => sighting.since().at,
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
        dues.min_by_key(|due| lifecycle::due_at(due, now))
    }
}

impl Threat {
    /// As what it is to a target.
    fn as_obstacle(&self) -> Obstacle {
        Obstacle::Lifecycle {
            rule: self.rule.clone(),
            effect: format!("{} it {}", self.verb(), lifecycle::when(&self.due)),
            due: Some(self.due.clone()),
        }
    }
}
