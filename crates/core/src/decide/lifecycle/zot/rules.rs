//! The four rules by which zot keeps tags or untagged manifests: by count and by time, of pushes and of pulls. One that is
//! met is enough.
//!
//! Counts go by order, and which of several with one time come first zot leaves to the walk of a map (tags) and to an
//! unstable sort. What then may stay is told as every way in which it may come out.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::Panic;
use super::subsets::subsets;
use crate::model::{ZotKeep, ZotUse};

/// What a rule counts: a tag or an untagged manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate<K> {
    pub(super) key: K,
    pub(super) used: ZotUse,
}

/// What stays by the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kept<K: Ord> {
    /// In every way in which ties may come out, each once.
    Ways(Vec<BTreeSet<K>>),
    /// There are too many ways to list them.
    Bounds { surely: BTreeSet<K>, perhaps: BTreeSet<K> },
}

/// More ways than these are given as bounds.
const MOST_WAYS: usize = 64;

/// Up to so many are sorted by insertion, which keeps the order of equals (Go's `sort`).
const SORTED_STABLY: usize = 12;

/// Whether there is any rule: without one everything stays that is matched.
pub(super) fn has_rules(keep: &ZotKeep) -> bool {
    keep.pulled_count != 0 || keep.pushed_count != 0 || keep.pulled_within.is_some() || keep.pushed_within.is_some()
}

/// What the rules keep of candidates in no order, as zot's walk over the tags of a repository yields them, once so many more
/// have come to stand before them.
pub(super) fn kept<K: Copy + Ord>(
    keep: &ZotKeep,
    candidates: &[Candidate<K>],
    now: Timestamp,
    before: usize,
) -> Result<Kept<K>, Panic> {
    let recent = recent(keep, candidates, now)?;
    let stable = candidates.len() <= SORTED_STABLY;
    let pulled = Count::of(candidates, places(keep.pulled_count).saturating_sub(before), |used| {
        (used.pulled, None::<Timestamp>)
    });
    // The second sort finds the order of the first one.
    let tells = stable && keep.pulled_count != 0;
    let pushed = Count::of(candidates, places(keep.pushed_count).saturating_sub(before), |used| {
        (used.pushed, used.pulled.filter(|_| tells))
    });
    let first: BTreeSet<K> = pulled.first.iter().chain(&pushed.first).chain(&recent).copied().collect();
    let (Some(pulls), Some(pushes)) = (pulled.ways(MOST_WAYS), pushed.ways(MOST_WAYS)) else {
        let perhaps = pulled.tied.iter().chain(&pushed.tied).copied().filter(|key| !first.contains(key)).collect();
        return Ok(Kept::Bounds { surely: first, perhaps });
    };
    let mut ways = BTreeSet::new();
    for by_pull in &pulls {
        for by_push in &pushes {
            if stable && !come_from_one_order(by_pull, &pulled.tied, by_push, &pushed.tied) {
                continue;
            }
            ways.insert(first.iter().chain(by_pull).chain(by_push).copied().collect());
        }
    }
    Ok(Kept::Ways(ways.into_iter().collect()))
}

/// The same where nobody knows when they were pushed or pulled: as many as a count has places are kept whoever comes first,
/// and of more than that, any may be.
pub(super) fn kept_at_any_time<K: Copy + Ord>(
    keep: &ZotKeep,
    candidates: &[Candidate<K>],
    before: usize,
) -> Result<Kept<K>, Panic> {
    must_not_be_below_nought(keep)?;
    let all = candidates.iter().map(|candidate| candidate.key).collect();
    let most = places(keep.pulled_count).max(places(keep.pushed_count)).saturating_sub(before);
    Ok(match candidates.len() <= most {
        true => Kept::Bounds { surely: all, perhaps: BTreeSet::new() },
        false => Kept::Bounds { surely: BTreeSet::new(), perhaps: all },
    })
}

/// What the rules keep of candidates in the order in which `index.json` names them, and those beside it that more than
/// twelve candidates of one time leave open.
pub(super) fn kept_in_order<K: Copy + Ord>(
    keep: &ZotKeep,
    candidates: &[Candidate<K>],
    now: Timestamp,
) -> Result<(BTreeSet<K>, BTreeSet<K>), Panic> {
    let mut kept = recent(keep, candidates, now)?;
    let mut open = BTreeSet::new();
    let mut sorted = candidates.to_vec();
    let time_of: [fn(&ZotUse) -> Option<Timestamp>; 2] = [|used| used.pulled, |used| used.pushed];
    for (count, time) in [keep.pulled_count, keep.pushed_count].into_iter().zip(time_of) {
        if count == 0 {
            continue;
        }
        sorted.sort_by_key(|candidate| Reverse(time(&candidate.used)));
        kept.extend(sorted.iter().take(places(count)).map(|candidate| candidate.key));
        if candidates.len() > SORTED_STABLY {
            open.extend(Count::of(candidates, places(count), time).tied);
        }
    }
    Ok((kept, open))
}

/// What the rules by time keep. A count below nought ends zot's process, as soon as there is anything to count.
fn recent<K: Copy + Ord>(keep: &ZotKeep, candidates: &[Candidate<K>], now: Timestamp) -> Result<BTreeSet<K>, Panic> {
    must_not_be_below_nought(keep)?;
    let within = |time: Option<Timestamp>, span: Option<SignedDuration>| match (time, span) {
        (Some(time), Some(span)) => now.duration_since(time) < span,
        _ => false,
    };
    let stays = |used: &ZotUse| {
        within(used.pulled, keep.pulled_within)
            || within(used.pushed, keep.pulled_within)
            || within(used.pushed, keep.pushed_within)
    };
    Ok(candidates.iter().filter(|candidate| stays(&candidate.used)).map(|candidate| candidate.key).collect())
}

/// A count below nought ends zot's process.
pub(super) fn must_not_be_below_nought(keep: &ZotKeep) -> Result<(), Panic> {
    let below = [keep.pulled_count, keep.pushed_count].into_iter().find(|count| *count < 0);
    below.map_or(Ok(()), |count| Err(Panic { count }))
}

fn places(count: i64) -> usize {
    usize::try_from(count).unwrap_or(0)
}

/// What a count keeps: the first ones, and some of those that share the time at its border.
struct Count<K> {
    first: BTreeSet<K>,
    tied: Vec<K>,
    of_tied: usize,
}

impl<K: Copy + Ord> Count<K> {
    /// By the later time first, then by what breaks ties.
    fn of<T: Ord>(candidates: &[Candidate<K>], places: usize, time: impl Fn(&ZotUse) -> T) -> Self {
        let places = places.min(candidates.len());
        let mut sorted: Vec<(T, K)> =
            candidates.iter().map(|candidate| (time(&candidate.used), candidate.key)).collect();
        sorted.sort_by(|a, b| b.cmp(a));
        let border = places > 0 && places < sorted.len() && sorted[places - 1].0 == sorted[places].0;
        if !border {
            let first = sorted.into_iter().take(places).map(|(_, key)| key).collect();
            return Self { first, tied: Vec::new(), of_tied: 0 };
        }
        let time = &sorted[places].0;
        let first: BTreeSet<K> = sorted.iter().take_while(|(other, _)| other > time).map(|(_, key)| *key).collect();
        let tied = sorted.iter().filter(|(other, _)| other == time).map(|(_, key)| *key).collect();
        Self { of_tied: places - first.len(), first, tied }
    }

    /// Every choice among those at the border; none if there are too many.
    fn ways(&self, most: usize) -> Option<Vec<BTreeSet<K>>> {
        subsets(&self.tied, self.of_tied, most)
    }
}

/// Whether both choices are what comes first in one and the same order: then of those in both ties one choice has all
/// that the other has.
fn come_from_one_order<K: Copy + Ord>(a: &BTreeSet<K>, tied_a: &[K], b: &BTreeSet<K>, tied_b: &[K]) -> bool {
    let both: BTreeSet<K> = tied_a.iter().filter(|key| tied_b.contains(key)).copied().collect();
    let (a, b): (BTreeSet<K>, BTreeSet<K>) =
        (a.intersection(&both).copied().collect(), b.intersection(&both).copied().collect());
    a.is_subset(&b) || b.is_subset(&a)
}
