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
//!   that prodpin itself saw run are kept whatever is told (I21);
//! - what no longer exists is reported in its place, and does not count towards the number to keep.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{
    ArtifactId, Evidence, Inspection, Mark, Order, Presence, ProductionRule, RepositoryState, Running, Snapshot, Tag,
    TagHistory, TagStatus,
};
use crate::report::document::Reason;

use super::deployments::resolve;
use super::in_use::in_use;
use super::labels::Labels;
use super::meeting::meet;
use super::order::{Version, natural};
use super::rules::{Rules, is_watched};

/// What each rule ranks, most recent first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    lanes: Vec<Lane>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lane {
    pub(super) evidence: Evidence,
    pub(super) ranked: Vec<Candidate>,
    /// Places in `ranked` of what prodpin itself saw run, in the order in which it did: kept beside what is told.
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
}

/// Bytes that came under a tag that named others.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MovedIn {
    pub(super) tag: Tag,
    pub(super) artifact: ArtifactId,
    /// The tag names them no more and they were never pinned: if they are gone, a cleanup did its work.
    pub(super) left: bool,
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

/// Applies every production rule. `state` is what was known with this run's events folded in; `labels` are
/// those of tags that are no longer listed; `signals` says which signals are configured; `now` is the run's clock.
#[must_use]
pub fn select(
    rules: &Rules,
    snapshot: &Snapshot,
    state: &RepositoryState,
    labels: &BTreeMap<Tag, Box<str>>,
    running: &[Running],
    signals: &BTreeSet<Arc<str>>,
    now: Timestamp,
) -> Selection {
    let called = Labels::new(snapshot, labels);
    let names = Names::new(snapshot, state, labels);
    let lanes = rules.production.iter().map(|rule| match rule {
        ProductionRule::Tags { patterns, order } => Lane {
            evidence: Evidence::TagName,
            ranked: releases(names.releases(|label| patterns.matches(label)), *order, rules.keep, &state.pinned),
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
fn releases(mut tags: Vec<&Named<'_>>, order: Order, keep: u32, pinned: &BTreeMap<ArtifactId, Mark>) -> Vec<Candidate> {
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
        let released = current.is_some_and(|current| current.artifact == original.artifact);
        ranked[place].moved_in.extend(moved_in(named.history, keep).map(|artifact| MovedIn {
            tag: tag.clone(),
            artifact: artifact.clone(),
            left: (released || current.is_none()) && !pinned.contains_key(artifact),
        }));
        ranked[place].reasons.push(match released {
            true => Reason::ReleaseTag { tag },
            false => Reason::ReleasedAs { tag },
        });
    }
    ranked
}

/// Bytes that a release tag named after its first ones, the latest first. Production may have run any of them, also
/// where the tag was since deleted or put back; as many as are kept of releases are kept of these.
fn moved_in(history: &TagHistory, keep: u32) -> impl Iterator<Item = &ArtifactId> {
    let original = history.original().map(|sighting| &sighting.artifact);
    let mut later: Vec<&ArtifactId> = Vec::new();
    // Nearly every release tag has one sighting.
    for sighting in history.sightings.iter().skip(1).rev().map(|sighting| &sighting.artifact) {
        if later.len() == keep as usize {
            break;
        }
        if Some(sighting) != original && !later.contains(&sighting) {
            later.push(sighting);
        }
    }
    later.into_iter()
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

impl Candidate {
    /// Whether production runs it, or would start it.
    fn is_present(&self) -> bool {
        self.running || self.wanted
    }

    pub(super) fn new(artifact: ArtifactId) -> Self {
        Self {
            artifact,
            reasons: Vec::new(),
            running: false,
            wanted: false,
            ran: true,
            seen: None,
            moved_in: Vec::new(),
        }
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
            Self::Running { .. } | Self::RanBefore { .. } | Self::Wanted { .. } | Self::WantedBefore { .. } => None,
        }
    }
}

/// Whether a candidate is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Told,
    /// It is gone, and so are as many before it as are told.
    Lost,
    /// Behind the last one kept.
    Beyond,
}

/// A release that is gone and is no target, because more are gone than are told. It ran all the same.
pub(super) struct Lost {
    pub(super) artifact: ArtifactId,
    pub(super) reasons: Vec<Reason>,
    /// Whether a rule ranks it as more recent than the release that was asked about, or does not rank that one.
    pub(super) above: bool,
}

impl Lane {
    /// The candidates down to the last one kept: `keep` that exist, everything running, and whatever is missing on
    /// the way. What was not looked at yet counts as existing.
    fn window<'a>(
        &'a self,
        keep: u32,
        is_missing: &impl Fn(&ArtifactId) -> bool,
    ) -> impl Iterator<Item = &'a Candidate> {
        let places = self.places(keep, is_missing);
        let told =
            self.ranked.iter().zip(places).filter(|(candidate, place)| *place == Place::Told || candidate.is_present());
        told.map(|(candidate, _)| candidate)
    }

    fn places(&self, keep: u32, is_missing: &impl Fn(&ArtifactId) -> bool) -> Vec<Place> {
        let mut places = vec![Place::Beyond; self.ranked.len()];
        self.open(keep, is_missing, 0..self.ranked.len(), &mut places);
        self.open(keep, is_missing, self.seen.iter().copied(), &mut places);
        places
    }

    fn open(
        &self,
        keep: u32,
        is_missing: &impl Fn(&ArtifactId) -> bool,
        order: impl Iterator<Item = usize>,
        places: &mut [Place],
    ) {
        let (mut kept, mut missing) = (0, 0);
        for at in order {
            if kept == keep {
                return;
            }
            // What never ran takes no place of a release that did; it is kept beside them (F133).
            if self.ranked[at].wanted && !self.ranked[at].ran {
                continue;
            }
            // However many were cleaned up, only what exists closes the window; the first few lost are told.
            if !is_missing(&self.ranked[at].artifact) {
                kept += 1;
                places[at] = Place::Told;
            } else if missing < keep {
                missing += 1;
                places[at] = Place::Told;
            } else if places[at] == Place::Beyond {
                places[at] = Place::Lost;
            }
        }
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

    /// Every artifact that some production rule ranks.
    pub(super) fn artifacts(&self) -> impl Iterator<Item = &ArtifactId> {
        self.lanes.iter().flat_map(|lane| &lane.ranked).map(|candidate| &candidate.artifact)
    }

    /// What is gone and not among the targets, as seen from one of them.
    pub(super) fn lost(&self, keep: u32, is_missing: impl Fn(&ArtifactId) -> bool, from: &ArtifactId) -> Vec<Lost> {
        let mut lost: BTreeMap<&ArtifactId, Lost> = BTreeMap::new();
        for lane in &self.lanes {
            let place = lane.ranked.iter().position(|candidate| candidate.artifact == *from);
            let places = lane.places(keep, &is_missing);
            for (at, candidate) in lane.ranked.iter().enumerate().filter(|(at, _)| places[*at] == Place::Lost) {
                let (artifact, reasons) = (candidate.artifact.clone(), Vec::new());
                let one = lost.entry(&candidate.artifact).or_insert_with(|| Lost { artifact, reasons, above: false });
                one.reasons.extend(candidate.reasons.iter().cloned());
                one.above |= place.is_none_or(|place| at < place);
            }
        }
        lost.into_values().collect()
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
                for MovedIn { tag, artifact, left } in &candidate.moved_in {
                    if !(*left && is_missing(artifact)) {
                        beside.entry(artifact).or_default().push(Reason::MovedIn { tag: tag.clone() });
                    }
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
