//! The rollback set: which artifacts must stay ready to roll back to.
//!
//! Every production rule ranks the artifacts it knows, most recent first, and keeps its own `keep`; the set is the
//! union, so that a second kind of evidence can only add. Within a rule:
//!
//! - a release is the bytes its tag was *first* seen with: they keep their place when the tag moves away or is deleted;
//! - bytes that arrived by moving a release tag are kept beside the set, flagged, and take nobody's place: else
//!   whoever can re-push five tags could empty it;
//! - what workloads ran is ordered by when it was last in production, by the best evidence there is: the look that no
//!   longer found it, or what the platform itself tells of the time between looks and before the first one;
//! - what no longer exists is reported in its place, and does not count towards the number to keep.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{
    ArtifactId, Evidence, Inspection, Mark, Order, Presence, ProductionRule, RepositoryState, Running, Snapshot, Span,
    Tag, TagHistory, TagStatus, signal_of,
};
use crate::report::document::Reason;

use super::changes::resolve;
use super::meeting::meet;
use super::order::{Version, natural};
use super::rules::{Rules, is_watched};

/// What each rule ranks, most recent first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    lanes: Vec<Lane>,
}

#[derive(Debug, Clone, PartialEq)]
struct Lane {
    evidence: Evidence,
    ranked: Vec<Candidate>,
}

/// An artifact that production ran, by one rule.
#[derive(Debug, Clone, PartialEq)]
struct Candidate {
    artifact: ArtifactId,
    reasons: Vec<Reason>,
    running: bool,
    /// Bytes that this artifact's tags were moved to.
    moved_in: Vec<(Tag, ArtifactId)>,
}

/// A rollback target, before it is judged.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    pub(super) artifact: ArtifactId,
    pub(super) rank: Option<u32>,
    pub(super) reasons: Vec<Reason>,
    pub(super) running: bool,
}

/// How many more candidates a rule ranks than it can keep or has lost: what vanished without its tag being missed yet.
const SPARE: usize = 32;

/// Applies every production rule. `state` is what was known with this run's events folded in; `names` gives labels of
/// tags that are no longer listed; `signals` says which signals are configured.
#[must_use]
pub fn select(
    rules: &Rules,
    snapshot: &Snapshot,
    state: &RepositoryState,
    labels: &BTreeMap<Tag, Box<str>>,
    running: &[Running],
    signals: &BTreeSet<Arc<str>>,
) -> Selection {
    let names = Names::new(snapshot, state, labels);
    let lanes = rules.production.iter().map(|rule| match rule {
        ProductionRule::Tags { patterns, order } => Lane {
            evidence: Evidence::TagName,
            ranked: releases(names.releases(|label| patterns.matches(label)), *order, rules.keep),
        },
        ProductionRule::MovingTag(tag) => {
            Lane { evidence: Evidence::StablePointer, ranked: moving_tag(names.moving(tag)) }
        }
        ProductionRule::InUse => {
            Lane { evidence: Evidence::RunningDigest, ranked: in_use(rules, state, running, signals) }
        }
    });
    Selection { lanes: lanes.collect() }
}

/// Everything known of one tag, with its label.
struct Named<'a> {
    tag: &'a Tag,
    label: &'a str,
    history: &'a TagHistory,
}

struct Names<'a> {
    all: Vec<Named<'a>>,
}

impl<'a> Names<'a> {
    fn new(snapshot: &'a Snapshot, state: &'a RepositoryState, labels: &'a BTreeMap<Tag, Box<str>>) -> Self {
        let all = meet(snapshot, state).filter(|met| is_watched(met.tag)).filter_map(|met| {
            let (tag, history) = (met.tag, met.known?);
            Some(match met.listed {
                Some(observed) => Named { tag, label: observed.label(), history },
                None => Named { tag, label: labels.get(tag).map_or(tag.as_str(), |label| label), history },
            })
        });
        Self { all: all.collect() }
    }

    fn releases(&self, matches: impl Fn(&str) -> bool) -> Vec<&Named<'a>> {
        self.all.iter().filter(|named| matches(named.label)).collect()
    }

    fn moving(&self, tag: &Tag) -> Vec<&Named<'a>> {
        self.all.iter().filter(|named| named.tag == tag || named.label == tag.as_str()).collect()
    }
}

/// Releases by their tags, most recent first; tags of one artifact are one release.
fn releases(mut tags: Vec<&Named<'_>>, order: Order, keep: u32) -> Vec<Candidate> {
    sort_releases(&mut tags, order);
    // No more can be missing than have lost their tag, or are on record as missing.
    let lost = tags.iter().filter(|named| named.history.status != TagStatus::Present).count();
    let enough = (keep as usize).saturating_add(lost).saturating_add(SPARE);
    let mut ranked: Vec<Candidate> = Vec::new();
    let mut places: BTreeMap<&ArtifactId, usize> = BTreeMap::new();
    for named in tags {
        let Some(original) = named.history.original() else { continue };
        let place = match places.get(&original.artifact) {
            Some(place) => *place,
            None if ranked.len() == enough => continue,
            None => {
                places.insert(&original.artifact, ranked.len());
                ranked.push(Candidate::new(original.artifact.clone()));
                ranked.len() - 1
            }
        };
        let tag = named.tag.clone();
        let current = named.history.latest().filter(|_| !matches!(named.history.status, TagStatus::Deleted(_)));
        match current {
            Some(current) if current.artifact == original.artifact => {
                ranked[place].reasons.push(Reason::ReleaseTag { tag });
            }
            Some(_) => {
                ranked[place].reasons.push(Reason::ReleasedAs { tag: tag.clone() });
                // Production may have run any of them; as many as are kept of releases are kept of these.
                let mut later: Vec<&ArtifactId> = Vec::new();
                for sighting in named.history.sightings.iter().rev().map(|sighting| &sighting.artifact) {
                    if *sighting != original.artifact && !later.contains(&sighting) && later.len() < keep as usize {
                        later.push(sighting);
                    }
                }
                ranked[place].moved_in.extend(later.into_iter().map(|artifact| (tag.clone(), artifact.clone())));
            }
            None => ranked[place].reasons.push(Reason::ReleasedAs { tag }),
        }
    }
    ranked
}

fn sort_releases(tags: &mut [&Named<'_>], order: Order) {
    let first_seen = |named: &Named<'_>| named.history.original().map(|sighting| sighting.since.sequence);
    match order {
        Order::Name => tags.sort_by(|a, b| natural(b.label, a.label)),
        Order::Semver => tags.sort_by_cached_key(|named| {
            // What is no version comes after all versions: among themselves by first sight, then by name. A lone number
            // is none: a commit's hash may have no letter in it.
            let version = Version::read(named.label).filter(|version| version.conventional);
            let age = if version.is_none() { first_seen(named) } else { None };
            Reverse((version, age, Natural(named.label)))
        }),
        Order::Pushed => tags.sort_by_cached_key(|named| {
            let original = named.history.original();
            // A bucket tells itself when an object was written. Whoever builds an image chooses its build time, so
            // that only orders what was first seen together.
            let written =
                original.is_some_and(|original| matches!(original.artifact, ArtifactId::ObjectVersion { .. }));
            let seen = if written { None } else { first_seen(named) };
            Reverse((seen, original.and_then(|sighting| sighting.created), Natural(named.label)))
        }),
    }
}

#[derive(PartialEq, Eq)]
struct Natural<'a>(&'a str);

impl Ord for Natural<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        natural(self.0, other.0)
    }
}

impl PartialOrd for Natural<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What a moving tag named, by when it last did, most recent first.
fn moving_tag(tags: Vec<&Named<'_>>) -> Vec<Candidate> {
    let mut ranked: Vec<(Mark, Candidate)> = Vec::new();
    for named in tags {
        let present = !matches!(named.history.status, TagStatus::Deleted(_));
        let last = named.history.sightings.len().saturating_sub(1);
        for (at, sighting) in named.history.sightings.iter().enumerate().rev() {
            let now = present && at == last;
            let tag = named.tag.clone();
            let reason = if now { Reason::MovingTagNow { tag } } else { Reason::MovingTagBefore { tag } };
            match ranked.iter_mut().find(|(_, candidate)| candidate.artifact == sighting.artifact) {
                Some((mark, candidate)) => {
                    *mark = (*mark).max(sighting.since);
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
                    ranked.push((sighting.since, candidate));
                }
            }
        }
    }
    // Stable: within one tag the order of sightings decides between equal marks.
    ranked.sort_by_key(|(mark, candidate)| (Reverse(candidate.running), Reverse(mark.sequence)));
    ranked.into_iter().map(|(_, candidate)| candidate).collect()
}

/// Whether it runs now, when it was last in production, and the commit that last changed what is known of it.
type Recency = (bool, Option<Timestamp>, u64);

/// What signals named: running now first, then by when it was last in production.
fn in_use(rules: &Rules, state: &RepositoryState, running: &[Running], signals: &BTreeSet<Arc<str>>) -> Vec<Candidate> {
    let resolved = resolve(running, state, rules);
    let clock = Clock::of(state);
    let mut ranked: Vec<(Recency, Candidate)> = Vec::new();
    for (artifact, spans) in &state.deployments {
        let mut candidate = Candidate::new(artifact.clone());
        let (mut last, mut sequence) = (None, 0);
        let mut before = Vec::new();
        for (via, span) in spans {
            // A signal that the policy no longer names cannot say that anything still runs.
            let runs = span.until.is_none() && signal_of(via, signals).is_some();
            candidate.running |= runs;
            last = last.max(clock.last_in_production(span));
            sequence = sequence.max(span.until.map_or(span.from.sequence, |until| until.sequence));
            match runs {
                true => candidate.reasons.push(Reason::Running { via: via.to_string() }),
                false => before.push((clock.last_in_production(span), via)),
            }
        }
        if candidate.reasons.is_empty() {
            before.sort_by(|a, b| b.cmp(a));
            let told = before.into_iter().take(REASONS_TOLD).map(|(_, via)| Reason::RanBefore { via: via.to_string() });
            candidate.reasons.extend(told);
        }
        candidate.running |= resolved.named.contains_key(artifact);
        let moved = resolved.moved_in.iter().filter(|(claimed, ..)| claimed == artifact);
        candidate.moved_in.extend(moved.map(|(_, tag, now)| (tag.clone(), now.clone())));
        ranked.push(((candidate.running, last, sequence), candidate));
    }
    ranked.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.artifact.cmp(&y.artifact)));
    ranked.into_iter().map(|(_, candidate)| candidate).collect()
}

/// Of workloads that ran an artifact and run it no more, so many are named as the reason for keeping it.
const REASONS_TOLD: usize = 8;

/// The wall time of each ledger position, made to follow the sequence, which is what orders (I21): so that it can be
/// compared with the times that platforms tell of deployments no run was there to see.
struct Clock(BTreeMap<u64, Timestamp>);

impl Clock {
    fn of(state: &RepositoryState) -> Self {
        let marks = state.deployments.values().flat_map(BTreeMap::values).flat_map(|span| {
            let until = span.until.unwrap_or(span.from);
            [(span.from.sequence, span.from.at), (until.sequence, until.at)]
        });
        let mut times: BTreeMap<u64, Timestamp> = BTreeMap::new();
        for (sequence, at) in marks {
            let time = times.entry(sequence).or_insert(at);
            *time = (*time).max(at);
        }
        let mut latest = Timestamp::MIN;
        for time in times.values_mut() {
            latest = latest.max(*time);
            *time = latest;
        }
        Self(times)
    }

    /// When it was last in production; none if it was, and nobody tells when. A platform often tells only when the
    /// next one was started, or created: before prodpin itself saw this one start, that cannot be right, and the first
    /// look that did not find it any more counts.
    fn last_in_production(&self, span: &Span) -> Option<Timestamp> {
        let until = self.0.get(&span.until.unwrap_or(span.from).sequence).copied();
        match span.told {
            told if span.recalled => told,
            Some(told) if told >= span.from.at => Some(told),
            _ => until,
        }
    }
}

impl Candidate {
    fn new(artifact: ArtifactId) -> Self {
        Self { artifact, reasons: Vec::new(), running: false, moved_in: Vec::new() }
    }
}

impl Reason {
    /// The tag that the reason names, if it names one.
    fn tag(&self) -> Option<&Tag> {
        match self {
            Self::ReleaseTag { tag }
            | Self::ReleasedAs { tag }
            | Self::MovedIn { tag }
            | Self::MovingTagNow { tag }
            | Self::MovingTagBefore { tag } => Some(tag),
            Self::Running { .. } | Self::RanBefore { .. } => None,
        }
    }
}

impl Lane {
    /// The candidates down to the last one kept: `keep` that exist, everything running, and whatever is missing on
    /// the way. What was not looked at yet counts as existing.
    fn window<'a>(
        &'a self,
        keep: u32,
        is_missing: &impl Fn(&ArtifactId) -> bool,
    ) -> impl Iterator<Item = &'a Candidate> {
        let (mut kept, mut missing) = (0, 0);
        self.ranked.iter().filter(move |candidate| {
            let open = kept < keep;
            let told = if !open {
                false
            } else if is_missing(&candidate.artifact) {
                // However many were cleaned up, only what exists closes the window; the first few lost are told.
                missing += 1;
                missing <= keep
            } else {
                kept += 1;
                true
            };
            told || candidate.running
        })
    }
}

impl Selection {
    /// The artifacts to look at next: targets, as far as can be told, that were not looked at yet.
    #[must_use]
    pub fn unseen(&self, keep: u32, inspections: &BTreeMap<ArtifactId, Inspection>) -> Vec<ArtifactId> {
        let targets = self.targets(keep, |artifact| is_missing(inspections, artifact));
        targets
            .into_iter()
            .map(|target| target.artifact)
            .filter(|artifact| !inspections.contains_key(artifact))
            .collect()
    }

    /// The rollback targets: ranked ones first, then those kept beside them.
    pub(super) fn targets(&self, keep: u32, is_missing: impl Fn(&ArtifactId) -> bool) -> Vec<Target> {
        // (best place, strongest evidence) decides between rules; each artifact is one target with all its reasons.
        let mut merged: BTreeMap<&ArtifactId, ((usize, Reverse<Evidence>), Target)> = BTreeMap::new();
        let mut beside: BTreeMap<&ArtifactId, Vec<Reason>> = BTreeMap::new();
        for lane in &self.lanes {
            for (place, candidate) in lane.window(keep, &is_missing).enumerate() {
                let place = (place, Reverse(lane.evidence));
                let (best, target) = merged.entry(&candidate.artifact).or_insert_with(|| {
                    let artifact = candidate.artifact.clone();
                    (place, Target { artifact, rank: None, reasons: Vec::new(), running: false })
                });
                *best = (*best).min(place);
                target.running |= candidate.running;
                target.reasons.extend(candidate.reasons.iter().cloned());
                for (tag, artifact) in &candidate.moved_in {
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

/// Whether a look at the artifact proved that it is gone.
pub(super) fn is_missing(inspections: &BTreeMap<ArtifactId, Inspection>, artifact: &ArtifactId) -> bool {
    inspections.get(artifact).is_some_and(|inspection| inspection.presence == Presence::NotFound)
}
