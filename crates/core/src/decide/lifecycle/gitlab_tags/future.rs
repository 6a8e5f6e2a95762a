//! The runs to come of a cleanup policy on a repository with its pins.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::super::Situation;
use super::super::gitlab::{DatedTag, Fate, Rules, When};
use super::{UNLISTED, pin_of, threat};
use crate::model::{ArtifactId, Certainty, Digest, Due, GitLabRepository, GitLabTag, Tag, Threat};

/// What becomes of each artifact, as far as it goes.
type Fates = BTreeMap<Digest, Fate>;

pub(super) struct Future {
    rules: Rules,
    /// Tags with their dates, as a run takes them.
    dated: Vec<DatedTag>,
    /// Which artifact each of them names.
    names: BTreeMap<Tag, Digest>,
    listed: BTreeSet<Digest>,
    /// What has no tag: garbage collection takes it at any time.
    untagged: BTreeSet<Digest>,
    /// Whether GitLab says when each tag was published. Where it does not, that something may go is no forecast.
    knows_dates: bool,
    now: Timestamp,
    /// The first run, and every run before which a tag comes of age, in order.
    runs: Vec<Timestamp>,
    /// The most that a run keeps.
    most: usize,
    /// By run and number of tags pushed meanwhile.
    tried: RefCell<BTreeMap<(usize, usize), Fates>>,
}

impl Future {
    /// Why it is not known, if it is not.
    pub(super) fn of(situation: &Situation<'_>, repository: &GitLabRepository, rules: Rules) -> Result<Self, String> {
        if !situation.snapshot.listing_is_complete() {
            return Err(UNLISTED.to_owned());
        }
        let tags = with_pins(situation, repository);
        let knows_dates = tags.iter().all(|tag| tag.published.is_some());
        let when = |tag: &GitLabTag| tag.published.map_or(When::Unknown, When::At);
        let dated = tags.iter().map(|tag| DatedTag { name: tag.name.clone(), pushed: when(tag), built: when(tag) });
        let dated: Vec<DatedTag> = dated.collect();
        let runs = runs(&rules, &tags, situation.now);
        let most = rules.policy().keeps().map_or(0, most);
        let listed: BTreeSet<Digest> = tags.iter().filter_map(|tag| tag.digest.clone()).collect();
        let untagged = repository.untagged.iter().filter(|digest| !listed.contains(*digest)).cloned().collect();
        let names = tags.into_iter().filter_map(|tag| Some((tag.name, tag.digest?))).collect();
        let tried = RefCell::default();
        Ok(Self { rules, dated, names, listed, untagged, knows_dates, now: situation.now, runs, most, tried })
    }

    /// What takes it first; none inside where nothing does, none at all where it was not listed, or where that depends on
    /// dates that nobody tells.
    pub(super) fn threats(&self, artifact: &ArtifactId) -> Option<Vec<Threat>> {
        let mut all = self.in_full(artifact)?;
        all.truncate(1);
        Some(all)
    }

    /// What takes it, the soonest first: by which run, and after how many pushes, each for when it may and for when it surely
    /// does. By all of that one future is held against another (I22).
    pub(super) fn in_full(&self, artifact: &ArtifactId) -> Option<Vec<Threat>> {
        let digest = artifact.digest()?;
        if self.untagged.contains(digest) {
            return Some(vec![threat(Due::Now, Certainty::Certain)]);
        }
        if !self.listed.contains(digest) {
            return None;
        }
        if !self.knows_dates && self.fate(digest, 0, 0) == Fate::Open {
            return None;
        }
        let last = self.runs.len() - 1;
        let mut found = Vec::new();
        for least in [Fate::Open, Fate::Goes] {
            let goes = |run, pushes| self.fate(digest, run, pushes) >= least;
            let certainty = if least == Fate::Goes { Certainty::Certain } else { Certainty::Possible };
            if goes(last, 0) {
                found.push(threat(self.due(first(0, last, |run| goes(run, 0))), certainty));
            }
            if self.most > 0 && goes(last, self.most) {
                let pushes = first(1, self.most, |pushes| goes(last, pushes));
                let due = Due::AfterPushes { pushes: u64::try_from(pushes).unwrap_or(u64::MAX), around: None };
                found.push(threat(due, certainty));
            }
        }
        super::super::sort(&mut found, self.now);
        // What surely goes then may, too.
        let sure: Vec<Due> =
            found.iter().filter(|it| it.certainty == Certainty::Certain).map(|it| it.due.clone()).collect();
        found.retain(|threat| threat.certainty == Certainty::Certain || !sure.contains(&threat.due));
        Some(found)
    }

    /// What goes by then, nothing else being pushed.
    pub(super) fn taken_by(&self, at: Timestamp) -> Vec<(Digest, Certainty)> {
        let runs = self.runs.partition_point(|run| *run <= at.max(self.now));
        let Some(last) = runs.checked_sub(1) else { return Vec::new() };
        let fates = self.fates(last, 0);
        let taken = fates.into_iter().filter_map(|(digest, fate)| match fate {
            Fate::Stays => None,
            Fate::Open => Some((digest, Certainty::Possible)),
            Fate::Goes => Some((digest, Certainty::Certain)),
        });
        taken.collect()
    }

    fn due(&self, run: usize) -> Due {
        match self.runs.get(run) {
            Some(at) if *at > self.now => Due::On(*at),
            _ => Due::Now,
        }
    }

    fn fate(&self, digest: &Digest, run: usize, pushes: usize) -> Fate {
        let mut tried = self.tried.borrow_mut();
        let fates = tried.entry((run, pushes)).or_insert_with(|| self.fates(run, pushes));
        fates.get(digest).copied().unwrap_or(Fate::Stays)
    }

    /// An artifact goes with the last of its tags.
    fn fates(&self, run: usize, pushes: usize) -> Fates {
        let at = self.runs.get(run).copied().unwrap_or(self.now);
        let mut fates = Fates::new();
        for (tag, fate) in self.rules.judge(&self.dated, at, pushes) {
            if let Some(digest) = self.names.get(&tag) {
                fates.entry(digest.clone()).and_modify(|other| *other = fate.min(*other)).or_insert(fate);
            }
        }
        fates
    }
}

/// After more pushes than these a forecast says nothing.
const MOST_PUSHES: usize = 1_000_000;

/// How many pushes at the most decide what a run keeps that keeps so many.
pub(super) fn most(keep: u64) -> usize {
    usize::try_from(keep).unwrap_or(MOST_PUSHES).min(MOST_PUSHES)
}

/// The tags with those of pins that are to be made. A pin is published as it is made, wherever anything is known to be.
pub(super) fn with_pins(situation: &Situation<'_>, repository: &GitLabRepository) -> Vec<GitLabTag> {
    let mut tags = repository.tags.clone();
    let known: BTreeSet<&Tag> = repository.tags.iter().map(|tag| &tag.name).collect();
    let is_dated = repository.tags.iter().all(|tag| tag.published.is_some());
    let published = is_dated.then_some(situation.now);
    for digest in situation.pinned.iter().filter_map(|artifact| artifact.digest()) {
        if let Some(name) = pin_of(digest).filter(|name| !known.contains(name)) {
            tags.push(GitLabTag { name, digest: Some(digest.clone()), published });
        }
    }
    tags
}

/// The first run, and those before which a tag comes of age. Where GitLab does not tell when it runs, it may at any time.
fn runs(rules: &Rules, tags: &[GitLabTag], now: Timestamp) -> Vec<Timestamp> {
    let policy = rules.policy();
    let run = |at: Timestamp| policy.run_at_or_after(at).unwrap_or(at);
    let mut runs = BTreeSet::from([run(now)]);
    if let Some(age) = policy.older_than() {
        // What is just as old stays.
        let of_age =
            |tag: &GitLabTag| tag.published?.checked_add(age).ok()?.checked_add(SignedDuration::from_nanos(1)).ok();
        runs.extend(tags.iter().filter_map(of_age).filter(|at| *at > now).map(run));
    }
    runs.into_iter().collect()
}

/// The first place from this one on at which it holds, if it does at the last one, and from there on at all.
fn first(from: usize, last: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (from, last.max(from));
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}
