//! The rollback set: which artifacts must stay ready to roll back to.
//!
//! Every production rule ranks the artifacts it knows, most recent first, and keeps its own `keep`; the set is the
//! union, so that a second kind of evidence can only add. Within a rule:
//!
//! - a release is the bytes its tag was *first* seen with: they keep their place when the tag moves away or is deleted;
//! - bytes that arrived by moving a release tag are kept beside the set, flagged, and take nobody's place: else
//!   whoever can re-push five tags could empty it;
//! - what workloads ran is ordered by when it was last in production, by the best evidence there is: the look that no
//!   longer found it, or what the platform itself tells of the time between looks and before the first one. What is only
//!   told takes nobody's place either: whoever can write a platform's history chooses its times, and so the last few
//!   that prodpin itself saw run are kept whatever is reported (I21);
//! - what names and first sight do not order is kept on both sides (`window`), and said to be in doubt (`doubt`);
//! - what no longer exists is reported in its place, and does not count towards the number to keep.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{
    ArtifactId, Deployment, Evidence, Inspection, Mark, ProductionRule, RepositoryState, Snapshot, Tag, TagStatus,
};
use crate::outcome::report::Reason;

use super::candidate::{Candidate, Lane, MovedIn, is_missing};
use super::deployments::resolve;
use super::in_use::in_use;
use super::labels::Labels;
use super::named::{Named, Names};
use super::ranking::Ranking;
use super::releases::releases;
use super::rules::Rules;
use super::window::{CandidateOutcome, Windowed};

/// What each rule ranks, most recent first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    pub(super) lanes: Vec<Lane>,
}

/// A rollback target, before it is judged.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    pub(super) artifact: ArtifactId,
    pub(super) rank: Option<u32>,
    pub(super) reasons: Vec<Reason>,
    pub(super) running: bool,
}

/// Applies every production rule. `state` is what was known with this run's events folded in; `labels` are
/// those of tags that are no longer listed; `signals` says which signals are configured; `now` is the run's clock.
#[must_use]
pub fn select(
    rules: &Rules,
    snapshot: &Snapshot,
    state: &RepositoryState,
    labels: &BTreeMap<Tag, Box<str>>,
    running: &[Deployment],
    signals: &BTreeSet<Arc<str>>,
    now: Timestamp,
) -> Selection {
    let called = Labels::new(snapshot, labels);
    let names = Names::new(snapshot, state, labels);
    let lanes = rules.production.iter().map(|rule| match rule {
        ProductionRule::Tags { patterns, order } => Lane {
            evidence: Evidence::TagName,
            ranked: releases(
                &Ranking::new(names.releases(|label| patterns.matches(label)), *order, patterns, names.dated),
                rules.keep,
                &state.pinned,
            ),
            seen: Vec::new(),
        },
        ProductionRule::MovingTag(tag) => {
            Lane { evidence: Evidence::StablePointer, ranked: moving_tag(names.moving(tag)), seen: Vec::new() }
        }
        ProductionRule::InUse => {
            let resolved = resolve(running, state, rules, &called);
            in_use(&resolved, state, signals, now)
        }
    });
    Selection { lanes: lanes.collect() }
}

/// What a moving tag named, by when it last did, most recent first.
fn moving_tag(tags: Vec<Named<'_>>) -> Vec<Candidate> {
    let mut ranked: Vec<(Mark, Candidate)> = Vec::new();
    for named in tags {
        let history = named.history();
        let present = !matches!(history.status(), TagStatus::Deleted(_));
        let last = history.sightings().len().saturating_sub(1);
        for (at, sighting) in history.sightings().iter().enumerate().rev() {
            let now = present && at == last;
            let tag = named.tag().clone();
            let reason = if now { Reason::MovingTagNow { tag } } else { Reason::MovingTagBefore { tag } };
            match ranked.iter_mut().find(|(_, candidate)| candidate.artifact == sighting.artifact) {
                Some((mark, candidate)) => {
                    *mark = (*mark).max(sighting.since());
                    candidate.running |= now;
                    // It names it now; that it also did before adds nothing.
                    if !candidate.reasons.iter().any(|other| other.tag() == reason.tag()) {
                        candidate.reasons.push(reason);
                    }
                }
                None => {
                    let mut candidate = Candidate::new(sighting.artifact.clone());
                    candidate.running = now;
                    candidate.reasons.push(reason);
                    ranked.push((sighting.since(), candidate));
                }
            }
        }
    }
    // Stable: within one tag the order of sightings decides between equal marks.
    ranked.sort_by_key(|(mark, candidate)| (Reverse(candidate.running), Reverse(mark.sequence)));
    ranked.into_iter().map(|(_, candidate)| candidate).collect()
}

/// A release that is gone and is no target, because more are gone than are reported. It ran all the same.
pub(super) struct Lost {
    pub(super) artifact: ArtifactId,
    pub(super) reasons: Vec<Reason>,
    /// Whether a rule ranks it as more recent than the release that was asked about, or does not rank that one.
    pub(super) above: bool,
}

impl Selection {
    /// The artifacts to look at next: targets, as far as can be reported, that were not looked at yet.
    #[must_use]
    pub fn unseen(&self, keep: u32, inspections: &BTreeMap<ArtifactId, Inspection>) -> Vec<ArtifactId> {
        let targets = self.targets(keep, inspections);
        targets
            .into_iter()
            .map(|target| target.artifact)
            .filter(|artifact| !inspections.contains_key(artifact))
            .collect()
    }

    /// Every artifact that some production rule ranks.
    pub(super) fn artifacts(&self) -> impl Iterator<Item = &ArtifactId> {
        self.lanes.iter().flat_map(|lane| &lane.ranked).map(|candidate| &candidate.artifact)
    }

    /// What is gone and not among the targets, as seen from one of them.
    pub(super) fn lost(
        &self,
        keep: u32,
        inspections: &BTreeMap<ArtifactId, Inspection>,
        from: &ArtifactId,
    ) -> Vec<Lost> {
        let mut lost: BTreeMap<&ArtifactId, Lost> = BTreeMap::new();
        for lane in &self.lanes {
            let place = lane.ranked.iter().position(|candidate| candidate.artifact == *from);
            let places = lane.places(keep, inspections);
            for (at, candidate) in
                lane.ranked.iter().enumerate().filter(|(at, _)| places[*at] == CandidateOutcome::Lost)
            {
                let (artifact, reasons) = (candidate.artifact.clone(), Vec::new());
                let one = lost.entry(&candidate.artifact).or_insert_with(|| Lost { artifact, reasons, above: false });
                one.reasons.extend(candidate.reasons.iter().cloned());
                one.above |= place.is_none_or(|place| at < place);
            }
        }
        lost.into_values().collect()
    }

    /// Release tags that name a platform of a target, and so are no targets of their own.
    pub(super) fn platform_tags(&self, keep: u32, inspections: &BTreeMap<ArtifactId, Inspection>) -> Vec<&Tag> {
        let parts = self.lanes.iter().flat_map(|lane| {
            let reported = lane.places(keep, inspections);
            lane.ranked
                .iter()
                .zip(reported)
                .filter(|(_, reported)| *reported == CandidateOutcome::Part)
                .map(|(candidate, _)| candidate)
        });
        parts.flat_map(|candidate| &candidate.reasons).filter_map(Reason::tag).collect()
    }

    /// The targets of all rules about tags in one row, and those of every other rule. Between rules about tags goes
    /// first what arrived last: their names are not compared.
    fn rows(&self, keep: u32, inspections: &BTreeMap<ArtifactId, Inspection>) -> Vec<(Evidence, Vec<&Candidate>)> {
        let (mut tagged, mut rows) = (Vec::new(), Vec::new());
        for lane in &self.lanes {
            let window = lane.window(keep, inspections).filter(|reported| !reported.beside);
            let window: Vec<&Candidate> = window.map(|reported| reported.candidate).collect();
            match lane.evidence {
                Evidence::TagName => tagged.push(window),
                evidence => rows.push((evidence, window)),
            }
        }
        rows.insert(0, (Evidence::TagName, in_one_row(&tagged)));
        rows
    }

    /// The rollback targets: ranked ones first, then those kept beside them.
    pub(super) fn targets(&self, keep: u32, inspections: &BTreeMap<ArtifactId, Inspection>) -> Vec<Target> {
        // (best place, strongest evidence) decides between rules; each artifact is one target with all its reasons.
        let mut merged: BTreeMap<&ArtifactId, ((usize, Reverse<Evidence>), Target)> = BTreeMap::new();
        let mut beside: BTreeMap<&ArtifactId, Vec<Reason>> = BTreeMap::new();
        for (evidence, row) in self.rows(keep, inspections) {
            for (place, candidate) in row.into_iter().enumerate() {
                let place = (place, Reverse(evidence));
                let (best, target) = merged.entry(&candidate.artifact).or_insert_with(|| {
                    let artifact = candidate.artifact.clone();
                    (place, Target { artifact, rank: None, reasons: Vec::new(), running: false })
                });
                *best = (*best).min(place);
                target.running |= candidate.running;
                target.reasons.extend(candidate.reasons.iter().cloned());
            }
        }
        for Windowed { candidate, beside: apart, target } in
            self.lanes.iter().flat_map(|lane| lane.window(keep, inspections))
        {
            if target && apart {
                beside.entry(&candidate.artifact).or_default().extend(candidate.reasons.iter().cloned());
            }
            for MovedIn { tag, artifact, left } in &candidate.moved_in {
                if !(*left && is_missing(inspections, artifact)) {
                    beside.entry(artifact).or_default().push(Reason::MovedIn { tag: tag.clone() });
                }
            }
        }
        let mut ranked: Vec<_> = merged.into_values().collect();
        ranked.sort_by_key(|(place, _)| *place);
        let mut targets: Vec<Target> = ranked.into_iter().map(|(_, target)| target).collect();
        for (target, rank) in targets.iter_mut().zip(1..) {
            target.rank = Some(rank);
        }
        let ranked = targets.len();
        for (artifact, reasons) in beside {
            match targets[..ranked].iter_mut().find(|target| target.artifact == *artifact) {
                Some(target) => target.reasons.extend(reasons),
                None => targets.push(Target { artifact: artifact.clone(), rank: None, reasons, running: false }),
            }
        }
        for target in &mut targets {
            target.reasons.sort();
            target.reasons.dedup();
        }
        targets
    }
}

/// Several rules' candidates, each in its own order, what arrived last before the others.
fn in_one_row<'a>(rules: &[Vec<&'a Candidate>]) -> Vec<&'a Candidate> {
    let mut at = vec![0; rules.len()];
    let mut row = Vec::new();
    loop {
        let heads = rules.iter().enumerate().filter_map(|(rule, row)| Some((rule, *row.get(at[rule])?)));
        let next = heads.max_by_key(|(rule, head)| (head.arrived(), Reverse(at[*rule]), Reverse(*rule)));
        let Some((rule, head)) = next else { return row };
        at[rule] += 1;
        row.push(head);
    }
}

#[cfg(test)]
mod tests;
