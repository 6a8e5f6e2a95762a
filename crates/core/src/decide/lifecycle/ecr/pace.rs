//! How fast images come, by the rule that counts them.

use std::collections::BTreeMap;

use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};

use super::clock::arrived;
use super::rule::Rule;
use crate::model::{Digest, EcrImage, Pin, Tag};

/// A push that is on record, of an image that may be gone since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// What was pushed.
    pub digest: Digest,
    /// Every tag that named it.
    pub tags: Vec<Tag>,
    /// When it was pushed, or seen first.
    pub at: Timestamp,
}

/// The pushes of the past, to tell from them about when so many more will have come.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    /// Newest first.
    pushes: Vec<Push>,
    now: Timestamp,
}

/// Spans to tell a rate from, the most recent one that holds enough pushes.
const SPANS: [SignedDuration; 3] =
    [SignedDuration::from_hours(30 * 24), SignedDuration::from_hours(90 * 24), SignedDuration::from_hours(365 * 24)];
/// Fewer tell less than a longer span would.
const ENOUGH: usize = 5;

impl Pace {
    /// The pace of a repository: its images, and pushes from the ledger, which also knows of images that are gone. What
    /// is on record as pushed after `now` tells nothing. A pin is no push: how fast images come at which a rule looks is the
    /// same before and after a pin that the rule looks at, too (I13, I22).
    #[must_use]
    pub fn measure(images: &[EcrImage], ledger_pushes: &[Push], now: Timestamp) -> Self {
        let live = images.iter().filter_map(|image| {
            let tags = image.tags.iter().filter(|tag| Pin::read(tag).is_none()).cloned().collect();
            Some(Push { digest: image.digest.clone(), tags, at: arrived(image)? })
        });
        let mut pushes: Vec<Push> = live.filter(|push| push.at <= now).collect();
        let places = pushes.iter().enumerate().map(|(place, push)| (push.digest.clone(), place));
        let mut places: BTreeMap<Digest, usize> =
            if ledger_pushes.is_empty() { BTreeMap::new() } else { places.collect() };
        for push in ledger_pushes.iter().filter(|push| push.at <= now) {
            let place = *places.entry(push.digest.clone()).or_insert(pushes.len());
            match pushes.get_mut(place) {
                Some(known) => {
                    let more: Vec<Tag> = push.tags.iter().filter(|tag| !known.tags.contains(tag)).cloned().collect();
                    known.tags.extend(more);
                }
                None => pushes.push(push.clone()),
            }
        }
        pushes.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.digest.cmp(&b.digest)));
        Self { pushes, now }
    }

    /// About when so many more images will have come at which the rule looks. None if nothing tells the rate.
    #[must_use]
    pub fn around(&self, rule: &Rule, more: u64) -> Option<Timestamp> {
        self.rate(rule)?.after(more)
    }

    /// The mean time between pushes at which the rule looks, and from when to count on. A repository that has been quiet for longer than that
    /// has slowed down, so the time since its last push counts too; by whole days, for the same reason.
    pub(super) fn rate(&self, rule: &Rule) -> Option<Rate> {
        let counted = self.pushes.iter().filter(|push| rule.matches(&push.tags));
        let newest_first: Vec<Timestamp> = counted.map(|push| push.at).collect();
        let (newest, oldest) = (*newest_first.first()?, *newest_first.last()?);
        let recent = SPANS.iter().find_map(|span| {
            let start = newest.checked_sub(*span).ok()?;
            let within = newest_first.partition_point(|at| *at >= start);
            (within >= ENOUGH).then_some((within, newest.duration_since(oldest.max(start))))
        });
        let (pushes, span) = recent.unwrap_or((newest_first.len(), newest.duration_since(oldest)));
        let between = i32::try_from(pushes.checked_sub(1)?).ok().filter(|between| *between > 0)?;
        if span.is_zero() {
            return None;
        }
        let mean = span / between;
        let today = day(self.now, RoundMode::Floor)?;
        let quiet = today.duration_since(newest);
        let (from, mean) = if quiet > mean { (today, (span + quiet) / (between + 1)) } else { (newest, mean) };
        Some(Rate { from, mean, now: self.now })
    }
}

/// How fast images come at which one rule looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    from: Timestamp,
    mean: SignedDuration,
    now: Timestamp,
}

impl Rate {
    /// About when so many more will have come; to the day, so that two runs of one day say the same.
    pub(super) fn after(self, more: u64) -> Option<Timestamp> {
        let nanoseconds = self.mean.as_nanos().checked_mul(i128::from(more))?;
        let seconds = i64::try_from(nanoseconds / 1_000_000_000).ok()?;
        let around = self.from.checked_add(SignedDuration::from_secs(seconds)).ok()?;
        day(around.max(self.now), RoundMode::Ceil)
    }
}

fn day(at: Timestamp, mode: RoundMode) -> Option<Timestamp> {
    at.round(TimestampRound::new().smallest(Unit::Hour).increment(24).mode(mode)).ok()
}
