//! How long the rules of a job retain one artifact, if nothing is pushed, and how many pushes it takes to end that.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::failure::Failure;
use super::job::{Job, Standing};
use super::template::{By, Template, offset_of};
use super::times::Times;
use crate::model::Digest;

/// What the rules of a job hold for one artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fate {
    /// A rule retains it whatever comes: its place in the job.
    pub(super) always: Option<usize>,
    /// The rule whose count retains it for the longest.
    pub(super) counted: Option<Counted>,
    /// A count retains it in some order of equals and not in every one: the rule's place.
    pub(super) open: Option<usize>,
    /// The rule about days that retains it for the longest, and when that ends.
    pub(super) until: Option<(Timestamp, usize)>,
    /// By each rule that counts it, how many more come before it has no place.
    pub(super) margins: BTreeMap<usize, Margin>,
}

/// How many more may come before one has no place: in the worst order of equals, and in the best.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Margin {
    pub(super) at_worst: u64,
    pub(super) at_best: u64,
}

/// A place among the first so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    /// After so many more that the rule selects and that come to stand before it, it has none.
    pub(super) left: u64,
    /// The rule's place in the job.
    pub(super) place: usize,
    /// What the rule counts.
    pub(super) by: By,
    /// About when so many will have come.
    pub(super) around: Option<Timestamp>,
}

/// What the rules of a job hold for all artifacts.
#[derive(Debug, Clone, Default)]
pub(super) struct Fates {
    pub(super) of: BTreeMap<Digest, Fate>,
    /// Every rule that counts and was evaluated: its place in the job.
    pub(super) counting: Vec<usize>,
    /// The first failure of a rule while it was evaluated; the rule has no part in the fates.
    pub(super) failed: Option<Failure>,
    /// Whether no rule was evaluated: nothing is deleted then (J.0).
    pub(super) is_idle: bool,
}

/// Every artifact's fate; the error is one with which the job fails for certain.
pub(super) fn fates(job: &Job<'_>) -> Result<Fates, Failure> {
    let times: Vec<Times> = job.artifacts.iter().map(Times::of).collect();
    let mut fates: BTreeMap<Digest, Fate> = BTreeMap::new();
    for artifact in job.artifacts {
        fates.entry(artifact.digest.clone()).or_default();
    }
    let (mut failed, mut is_idle) = (None, true);
    let mut counting = Vec::new();
    let mut of = |row: usize, change: &dyn Fn(&mut Fate)| {
        if let Some(fate) = fates.get_mut(&job.artifacts[row].digest) {
            change(fate);
        }
    };
    for Standing { place, template, selected } in job.standings()? {
        let selected = match selected {
            Ok(selected) => selected,
            Err(failure) => {
                failed = failed.or(Some(failure));
                continue;
            }
        };
        is_idle = false;
        match template {
            Template::Always => selected.iter().for_each(|row| of(*row, &|fate| fate.always = Some(place))),
            Template::Latest(by, count) => {
                counting.push(place);
                let pace = Pace::of(&selected, by, &times, job.now);
                for (row, rank) in ranks(&selected, by, &times) {
                    of(row, &|fate| fate.count(place, by, count, rank, &pace));
                }
            }
            Template::LastDays(_) | Template::Since(..) => {
                for row in &selected {
                    if let Some(end) = end_of(template, times[*row]).filter(|end| *end > job.now) {
                        of(*row, &|fate| fate.until = fate.until.max(Some((end, place))));
                    }
                }
            }
        }
    }
    Ok(Fates { of: fates, counting, failed, is_idle })
}

impl Fate {
    fn count(&mut self, place: usize, by: By, count: i64, rank: Rank, pace: &Pace) {
        let left = |ahead: i64| u64::try_from(count.saturating_sub(ahead)).unwrap_or(0);
        let margin = Margin { at_worst: left(rank.ahead_at_worst), at_best: left(rank.ahead) };
        self.margins.insert(place, margin);
        match margin {
            Margin { at_worst: 0, at_best: 0 } => {}
            Margin { at_worst: 0, .. } => self.open = self.open.or(Some(place)),
            Margin { at_worst: left, .. } if self.counted.is_none_or(|known| known.left < left) => {
                self.counted = Some(Counted { left, place, by, around: pace.after(left) });
            }
            Margin { .. } => {}
        }
    }
}

/// How many stand before one, without its equals and with them.
#[derive(Debug, Clone, Copy)]
struct Rank {
    ahead: i64,
    ahead_at_worst: i64,
}

fn ranks(selected: &[usize], by: By, times: &[Times]) -> Vec<(usize, Rank)> {
    let mut keys: Vec<i64> = selected.iter().map(|row| by.of(times[*row])).collect();
    keys.sort_unstable();
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let rank = |row: &usize| {
        let key = by.of(times[*row]);
        let ahead = keys.len() - keys.partition_point(|other| *other <= key);
        let with_equals = keys.len() - keys.partition_point(|other| *other < key);
        (*row, Rank { ahead: number(ahead), ahead_at_worst: number(with_equals - 1) })
    };
    selected.iter().map(rank).collect()
}

/// The first moment at which a rule about days no longer retains what has these times; none: that is beyond time.
fn end_of(template: Template, times: Times) -> Option<Timestamp> {
    const SECOND: i128 = 1_000_000_000;
    let (end, days) = match template {
        Template::LastDays(days) => (i128::from(times.pushed) * SECOND, days),
        Template::Since(by, days) => ((i128::from(by.of(times)) + 1) * SECOND, days),
        Template::Always | Template::Latest(..) => return None,
    };
    let end = end - offset_of(days);
    let furthest = Timestamp::MAX.as_nanosecond();
    Timestamp::from_nanosecond(end.clamp(Timestamp::MIN.as_nanosecond(), furthest)).ok()
}

/// How fast new ones come to stand first.
struct Pace {
    /// Of the last ninety days.
    newest: Option<Timestamp>,
    mean: Option<i64>,
    now: Timestamp,
}

impl Pace {
    fn of(selected: &[usize], by: By, times: &[Times], now: Timestamp) -> Self {
        let now_second = now.as_second();
        let recent = |second: &i64| (now_second - 90 * 86_400..=now_second).contains(second);
        let seconds: Vec<i64> = selected.iter().map(|row| by.of(times[*row])).filter(recent).collect();
        let (newest, oldest) = (seconds.iter().max(), seconds.iter().min());
        let mean = newest.zip(oldest).and_then(|(newest, oldest)| {
            let between = i64::try_from(seconds.len()).ok()? - 1;
            (between > 0 && newest > oldest).then(|| (newest - oldest) / between)
        });
        Self { newest: newest.and_then(|second| Timestamp::from_second(*second).ok()), mean, now }
    }

    /// To the day, so that two runs of one day say the same.
    fn after(&self, more: u64) -> Option<Timestamp> {
        let (newest, mean) = (self.newest?, self.mean?);
        let second = newest.as_second().checked_add(mean.checked_mul(i64::try_from(more).ok()?)?)?;
        let second = second.max(self.now.as_second());
        Timestamp::from_second(second.checked_add(86_399)?.div_euclid(86_400).checked_mul(86_400)?).ok()
    }
}
