//! Which of a rule's candidates are kept: the most recent ones, and beside them those of which nobody knows whether they
//! are among the most recent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::model::{ArtifactId, Evidence, Inspection};

use super::candidate::{Candidate, Lane, is_missing};
use super::ranking::Arrival;
use super::releases::PLATFORMS;

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CandidateOutcome {
    /// It is a target.
    Kept,
    /// It is a target, because it may be as recent as those.
    Beside,
    /// A platform of a release that is a target: its manifest is in that index.
    Part,
    /// It is gone, and so are as many before it as are reported.
    Lost,
    /// Behind the last one kept.
    Beyond,
}

impl CandidateOutcome {
    pub(super) fn is_target(self) -> bool {
        matches!(self, Self::Kept | Self::Beside)
    }
}

/// A candidate that is kept.
pub(super) struct Windowed<'a> {
    pub(super) candidate: &'a Candidate,
    /// Together with the release that it is a platform of: what one goes back to is that.
    pub(super) beside: bool,
    /// By itself, and not as a part of that.
    pub(super) target: bool,
}

type Inspections = BTreeMap<ArtifactId, Inspection>;

impl Candidate {
    /// Whether it is newer than another one of its rule, as far as names and arrivals tell.
    pub(super) fn newer(&self, other: &Self) -> Option<bool> {
        let by_name = self.places.iter().find_map(|this| other.places.iter().find_map(|that| this.by_name(that)));
        by_name.or_else(|| self.arrived()?.later(other.arrived()?))
    }

    /// Whether two releases are in no order: their names tell nothing, or one of a line of numbers that is new altogether
    /// arrived after the other, and is older by its name. So it looks when a project counts anew.
    pub(super) fn is_unordered(&self, other: &Self) -> bool {
        let Some(newer) = self.newer(other) else { return true };
        let (newer, older) = if newer { (self, other) } else { (other, self) };
        let Some(arrived) = newer.arrived() else { return false };
        let same = |line: u64| newer.places.iter().any(|place| place.line.is_some_and(|(other, _)| other == line));
        older.places.iter().filter_map(|place| place.line).any(|(line, since)| {
            // Nearly always there was one of its line before.
            since.later(arrived) == Some(true) && !same(line)
        })
    }

    /// When it was first known.
    pub(super) fn arrived(&self) -> Option<Arrival> {
        self.places.iter().map(|place| place.arrival).min()
    }
}

impl Lane {
    /// The candidates down to the last one kept: `keep` releases that exist, everything running, whatever is missing on
    /// the way, and what may be as recent. What was not looked at yet counts as existing.
    pub(super) fn window<'a>(&'a self, keep: u32, seen: &Inspections) -> impl Iterator<Item = Windowed<'a>> {
        let places = self.places(keep, seen);
        let reported = self.ranked.iter().enumerate().zip(places);
        reported
            .filter(|((_, candidate), reported)| {
                reported.is_target() || *reported == CandidateOutcome::Part || candidate.is_present()
            })
            .map(|((at, candidate), reported)| Windowed {
                candidate,
                beside: !candidate.is_present() && self.release_of(at) != at,
                target: reported != CandidateOutcome::Part,
            })
    }

    pub(super) fn places(&self, keep: u32, seen: &Inspections) -> Vec<CandidateOutcome> {
        let mut places = vec![CandidateOutcome::Beyond; self.ranked.len()];
        self.open(keep, seen, 0..self.ranked.len(), &mut places);
        self.open(keep, seen, self.seen.iter().copied(), &mut places);
        if self.evidence == Evidence::TagName {
            self.beside(keep as usize, seen, &mut places);
        }
        places
    }

    /// The place of the release that a candidate is a platform of, or its own.
    pub(super) fn release_of(&self, at: usize) -> usize {
        self.ranked[at].platform_of.unwrap_or(at)
    }

    /// Whether the index of its release names a candidate.
    fn is_part(&self, at: usize, seen: &Inspections) -> bool {
        let release = self.release_of(at);
        let index = (release != at).then(|| seen.get(&self.ranked[release].artifact)).flatten();
        let digest = self.ranked[at].artifact.digest();
        index.zip(digest).is_some_and(|(index, digest)| index.children.contains(digest))
    }

    fn is_missing(&self, at: usize, seen: &Inspections) -> bool {
        is_missing(seen, &self.ranked[at].artifact)
    }

    fn open(&self, keep: u32, seen: &Inspections, order: impl Iterator<Item = usize>, places: &mut [CandidateOutcome]) {
        let (mut kept, mut missing) = (0, 0);
        let mut tags: BTreeMap<usize, usize> = BTreeMap::new();
        for at in order {
            // What never ran takes no place of a release that did; it is kept beside them (F133).
            if self.ranked[at].wanted && !self.ranked[at].ran {
                continue;
            }
            let release = self.release_of(at);
            let counted = tags.get(&release).is_some_and(|tags| *tags < PLATFORMS);
            if kept == keep && !counted {
                continue;
            }
            // However many were cleaned up, only what exists closes the window; the first few lost are reported.
            if !self.is_missing(at, seen) {
                kept += u32::from(!counted);
                *tags.entry(release).or_default() += 1;
                self.keep(at, CandidateOutcome::Kept, seen, places);
            } else if kept < keep && missing < keep {
                missing += 1;
                places[at] = CandidateOutcome::Kept;
            } else if kept < keep && places[at] == CandidateOutcome::Beyond {
                places[at] = CandidateOutcome::Lost;
            }
        }
    }

    /// Keeps a candidate, and the release that it is a platform of.
    fn keep(&self, at: usize, reported: CandidateOutcome, seen: &Inspections, places: &mut [CandidateOutcome]) {
        let release = self.release_of(at);
        if release != at && !self.is_missing(release, seen) && !places[release].is_target() {
            places[release] = reported;
        }
        if !places[at].is_target() {
            places[at] = if self.is_part(at, seen) { CandidateOutcome::Part } else { reported };
        }
    }

    /// Keeps what may be among the most recent, as far as anybody knows, the first of each family first, and as many at
    /// the most as are kept anyway; and what arrived after all that are kept, whatever its name says.
    fn beside(&self, keep: usize, seen: &Inspections, places: &mut [CandidateOutcome]) {
        let there: Vec<usize> = (0..self.ranked.len()).filter(|at| !self.is_missing(*at, seen)).collect();
        let releases: Vec<usize> = there.iter().copied().filter(|at| self.release_of(*at) == *at).collect();
        let beyond: Vec<usize> = there.into_iter().filter(|at| places[*at] == CandidateOutcome::Beyond).collect();
        let mut families: Vec<(Option<u32>, VecDeque<usize>)> = Vec::new();
        for at in beyond {
            let newer = releases.iter().filter(|other| {
                let (this, other) = (&self.ranked[at], &self.ranked[**other]);
                other.newer(this) == Some(true) && !other.is_unordered(this)
            });
            let possible = newer.take(keep).count() < keep;
            if possible || self.is_latest(at, places) {
                let family = self.ranked[at].places.first().and_then(|place| place.family);
                match families.iter_mut().find(|(known, _)| *known == family) {
                    Some((_, waiting)) => waiting.push_back(at),
                    None => families.push((family, VecDeque::from([at]))),
                }
            }
        }
        let mut kept = BTreeSet::new();
        while kept.len() < keep && !families.is_empty() {
            families.retain_mut(|(_, waiting)| {
                if let Some(at) = waiting.pop_front().filter(|_| kept.len() < keep) {
                    kept.insert(self.release_of(at));
                    self.keep(at, CandidateOutcome::Beside, seen, places);
                }
                !waiting.is_empty()
            });
        }
    }

    /// Whether it arrived after all that are kept.
    fn is_latest(&self, at: usize, places: &[CandidateOutcome]) -> bool {
        let kept = places.iter().zip(&self.ranked).filter(|(reported, _)| reported.is_target()).map(|(_, kept)| kept);
        let Some(arrived) = self.ranked[at].arrived() else { return false };
        let mut kept = kept.filter_map(Candidate::arrived).peekable();
        kept.peek().is_some() && kept.all(|other| arrived.later(other) == Some(true))
    }
}
