//! Releases whose order nobody can know: told as such, both kept, and no verdict built on it.

use std::collections::BTreeMap;

use crate::model::{ArtifactId, Code, Evidence, Finding, Inspection, Severity};
use crate::outcome::report::TargetReport;

use super::candidate::{Candidate, Lane};
use super::draft::Draft;
use super::readiness::{self, Readiness, first_choice};
use super::rollback_set::Selection;
use super::window::CandidateOutcome;

type Inspections = BTreeMap<ArtifactId, Inspection>;

/// Why two releases are in no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// One rule ranks both.
    Names,
    /// Two rules do, each by itself.
    Rules,
    /// The names tell, and all of a series of version numbers arrived later and is older by its name.
    Line,
    /// The names tell, and what arrived later is older by its name.
    Arrival,
}

impl Selection {
    fn tagged(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.iter().filter(|lane| lane.evidence == Evidence::TagName)
    }

    /// Whether one release is newer than another, as far as tags tell: by their names within one rule, else by when they
    /// were first seen or pushed.
    pub(super) fn newer(&self, one: &ArtifactId, other: &ArtifactId) -> Option<bool> {
        let of = |lane: &Lane, artifact: &ArtifactId| {
            lane.ranked.iter().position(|candidate| candidate.artifact == *artifact)
        };
        for lane in self.tagged() {
            if let (Some(this), Some(that)) = (of(lane, one), of(lane, other)) {
                let (this, that) = (&lane.ranked[this], &lane.ranked[that]);
                return if this.is_unordered(that) { None } else { this.newer(that) };
            }
        }
        let arrived =
            |artifact: &ArtifactId| self.tagged().filter_map(|lane| lane.ranked[of(lane, artifact)?].arrived()).min();
        arrived(one)?.later(arrived(other)?)
    }

    /// The first two kept releases that are in no order, the more recent place first.
    fn doubt(&self, keep: u32, seen: &Inspections) -> Option<(Why, &Candidate, &Candidate)> {
        let rules: Vec<Vec<(&Candidate, CandidateOutcome)>> =
            self.tagged().map(|lane| kept(lane, keep, seen)).collect();
        let within = rules.iter().find_map(|kept| {
            let mut pairs = pairs(kept).map(|((one, _), (other, _))| (*one, *other));
            let (one, other) = pairs.find(|(one, other)| one.is_unordered(other))?;
            Some((if one.newer(other).is_none() { Why::Names } else { Why::Line }, one, other))
        });
        let between = || {
            let first = rules.iter().filter_map(|kept| Some(kept.first()?.0)).collect::<Vec<_>>();
            let unknown = |one: &Candidate, other: &Candidate| {
                one.artifact != other.artifact && self.newer(&one.artifact, &other.artifact).is_none()
            };
            pairs(&first).find(|(one, other)| unknown(one, other)).map(|(one, other)| (Why::Rules, *one, *other))
        };
        let arrived = || {
            rules.iter().find_map(|kept| {
                let (last, _) = kept.iter().find(|(_, reported)| *reported == CandidateOutcome::Beside)?;
                Some((Why::Arrival, kept.first()?.0, *last))
            })
        };
        within.or_else(between).or_else(arrived)
    }
}

fn kept<'a>(lane: &'a Lane, keep: u32, seen: &Inspections) -> Vec<(&'a Candidate, CandidateOutcome)> {
    let reported = lane.places(keep, seen);
    let targets = lane.ranked.iter().enumerate().zip(reported).filter(|(_, reported)| reported.is_target());
    // A release and the tags of its platforms are one.
    let alone = targets.filter(|((at, _), _)| lane.release_of(*at) == *at);
    alone.map(|((_, candidate), reported)| (candidate, reported)).collect()
}

fn pairs<T>(all: &[T]) -> impl Iterator<Item = (&T, &T)> {
    all.iter().enumerate().flat_map(|(at, one)| all[at + 1..].iter().map(move |other| (one, other)))
}

/// The releases whose order is in doubt, two of them by name.
pub(super) fn finding(
    selection: &Selection,
    keep: u32,
    seen: &Inspections,
    draft: Draft<'_>,
    targets: &[TargetReport],
) -> Option<Finding> {
    let (why, one, other) = selection.doubt(keep, seen)?;
    let (first, second) = (one.named()?, other.named()?);
    let runs = readiness::says_what_runs(targets);
    let (severity, message) = match why {
        Why::Rules if runs => return None,
        Why::Names => (
            if runs { Severity::Low } else { Severity::Medium },
            format!(
                "the order of {first} and {second} is doubtful: their names do not tell which is newer, and both were \
                 first seen at once; both are kept"
            ),
        ),
        Why::Rules => (
            Severity::Medium,
            format!(
                "the order of {first} and {second} is doubtful: two tag rules name them, and both were first seen at \
                 once; both are kept"
            ),
        ),
        Why::Line => (
            if runs { Severity::Low } else { Severity::Medium },
            format!(
                "the order of {first} and {second} is doubtful: {second} arrived later, is of a series of version \
                 numbers that began later, and its name ranks it below; both are kept"
            ),
        ),
        Why::Arrival => (
            Severity::Info,
            format!(
                "{second} arrived after {first}, and its name ranks it below; the order may be doubtful; both are kept"
            ),
        ),
    };
    let remedy = match why {
        Why::Names | Why::Line | Why::Arrival => {
            "say what production runs with a rule such as { moving_tag: prod } or { kubernetes: … }, order by push with \
             `order: pushed`, or give each way of naming releases a rule of its own"
        }
        Why::Rules => {
            "say what production runs with a rule such as { moving_tag: prod } or { kubernetes: … }; the next release \
             that is pushed settles it, too"
        }
    };
    let mut finding = draft.finding(Code::ReleaseOrderDoubtful, severity, message, remedy);
    finding.reference = Some(first.to_string());
    finding.artifact = Some(one.artifact.to_string());
    Some(finding)
}

/// Withdraws an answer that rests on an order that nobody knows: which release is the latest, or which is the one before.
pub(super) fn withhold(selection: &Selection, targets: &[TargetReport], readiness: &mut Readiness) {
    let find = |artifact: Option<&ArtifactId>| targets.iter().find(|target| Some(&target.artifact) == artifact);
    let newer = |one: &TargetReport, other: &TargetReport| selection.newer(&one.artifact, &other.artifact);
    // What something saw run is ordered by that.
    let by_tag = |target: &&TargetReport| {
        target.rank.is_some() && target.restorable != Some(false) && !readiness::is_proven(target)
    };
    let others = |than: &TargetReport| {
        let than = than.artifact.clone();
        targets.iter().filter(by_tag).filter(move |target| target.artifact != than)
    };
    let Some(current) = find(readiness.current.as_ref()) else { return };
    if !current.running
        && !readiness::is_proven(current)
        && let Some(other) = others(current).find(|other| newer(current, other) != Some(true))
    {
        let why = unordered("which is the latest release", current, other);
        let unknown = readiness.unknown.take().or(Some(why));
        *readiness =
            Readiness { unknown, rollout_state: std::mem::take(&mut readiness.rollout_state), ..Readiness::default() };
        return;
    }
    let before: Vec<&TargetReport> = readiness.before(targets).collect();
    let to = first_choice(before.iter().map(|target| target.restorable)).map(|at| before[at]);
    let Some(to) = to.filter(|to| !readiness::is_proven(to)) else { return };
    let between = |other: &&TargetReport| {
        other.artifact != current.artifact && newer(to, other) != Some(true) && newer(other, current) != Some(true)
    };
    let between = others(to).find(between);
    if let Some(other) = between {
        let why = unordered("which release came before", to, other);
        readiness.unknown.get_or_insert(why);
        readiness.ready = None;
    }
}

fn unordered(what: &str, one: &TargetReport, other: &TargetReport) -> String {
    let named = |target: &TargetReport| {
        let tag = target.references.first().or_else(|| target.reasons.iter().find_map(|reason| reason.tag()));
        tag.map_or_else(|| target.artifact.short(), ToString::to_string)
    };
    format!(
        "{what} is unknown: nothing orders {} and {}; to make it known, say in the policy what production runs, for \
         example with {{ moving_tag: prod }} under `production:`",
        named(one),
        named(other)
    )
}
