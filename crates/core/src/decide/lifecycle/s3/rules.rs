//! Which rule reaches which version, and when it is due.

use jiff::Timestamp;

use crate::model::{
    BucketExpiration, BucketLifecycle, BucketRule, RuleFilter, StorageClass, TransitionMinimum, Trigger,
};

use super::doubt::Holds;
use super::key::{Entry, EntryKind};

/// The rules of a bucket that act, as the simulator takes them.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    pub(super) rules: Vec<BucketRule>,
    minimum: TransitionMinimum,
}

/// Objects under this many bytes are small (B73).
const SMALL: u64 = 128 * 1024;

const DAY: i64 = 24 * 60 * 60;

impl Lifecycle {
    /// The rules that are enabled, by name: their order means nothing (B67), and so must not show.
    #[must_use]
    pub fn new(configuration: &BucketLifecycle) -> Self {
        let mut rules: Vec<BucketRule> = configuration.rules.iter().filter(|rule| rule.enabled).cloned().collect();
        rules.sort();
        Self { rules, minimum: configuration.minimum }
    }

    /// Whether judging this key needs the tags of its versions, each of which costs a call (B71).
    #[must_use]
    pub fn asks_for_tags(&self, key: &str) -> bool {
        self.rules.iter().any(|rule| !rule.filter.tags.is_empty() && key.starts_with(&*rule.filter.prefix))
    }

    /// Whether any rule can reach this key at all.
    #[must_use]
    pub fn reaches(&self, key: &str) -> bool {
        self.rules.iter().any(|rule| key.starts_with(&*rule.filter.prefix))
    }

    /// Only what can reach a key: most rules of a bucket are about something else.
    pub(super) fn about(&self, key: &str) -> Self {
        let rules = self.rules.iter().filter(|rule| key.starts_with(&*rule.filter.prefix));
        Self { rules: rules.cloned().collect(), minimum: self.minimum }
    }

    /// Whether a transition of this rule to this class takes an object of this size.
    pub(super) fn moves(&self, rule: &BucketRule, class: &StorageClass, size: Option<u64>) -> Holds {
        // A size in the filter overrules the minimum.
        if rule.filter.larger_than.is_some() || rule.filter.smaller_than.is_some() {
            return Holds::Yes;
        }
        let is_small = match size {
            Some(size) if size >= SMALL => return Holds::Yes,
            Some(_) => Holds::Yes,
            None => Holds::Maybe,
        };
        let small_ones_move = match self.minimum {
            TransitionMinimum::AllClasses => Holds::No,
            TransitionMinimum::VariesByClass => Holds::from(class.is_archive()),
            TransitionMinimum::Unknown => Holds::Maybe,
        };
        if is_small == Holds::Yes || small_ones_move == Holds::Yes { small_ones_move } else { Holds::Maybe }
    }
}

/// Whether a filter matches (B66): every part must hold, bounds are exclusive, tags exact.
pub(super) fn matches(filter: &RuleFilter, key: &str, entry: &Entry<'_>) -> Holds {
    let prefix = Holds::from(key.starts_with(&*filter.prefix));
    let is_sized = filter.larger_than.is_some() || filter.smaller_than.is_some();
    let (size, tags) = match &entry.kind {
        // A marker has no tags, so none match; nothing says what its size is to a filter.
        EntryKind::Marker => (if is_sized { Holds::Maybe } else { Holds::Yes }, Holds::from(filter.tags.is_empty())),
        EntryKind::Version { size, tags, .. } => (
            match size {
                _ if !is_sized => Holds::Yes,
                None => Holds::Maybe,
                Some(size) => Holds::from(
                    filter.larger_than.is_none_or(|bound| *size > bound)
                        && filter.smaller_than.is_none_or(|bound| *size < bound),
                ),
            },
            match tags {
                _ if filter.tags.is_empty() => Holds::Yes,
                None => Holds::Maybe,
                Some(tags) => Holds::from(filter.tags.iter().all(|wanted| tags.contains(wanted))),
            },
        ),
    };
    prefix.and(size).and(tags)
}

/// When something is due, and whether it is known that it will be.
pub(super) fn due(trigger: Trigger, written: Timestamp) -> Option<(Timestamp, Holds)> {
    match trigger {
        Trigger::Days(days) => Some((after(written, days)?, Holds::Yes)),
        // A date that is past keeps acting daily on what was written since (B68).
        Trigger::Date(date) => Some((midnight(date)?.max(midnight(written)?), Holds::Yes)),
        Trigger::Unknown => Some((midnight(written)?, Holds::Maybe)),
    }
}

/// So many days after, rounded up to the next midnight UTC (B68); none after the end of time.
pub(super) fn after(base: Timestamp, days: u32) -> Option<Timestamp> {
    let seconds = base.as_second().checked_add(i64::from(days).checked_mul(DAY)?)?;
    midnight(Timestamp::new(seconds, base.subsec_nanosecond()).ok()?)
}

/// The next midnight UTC, or this one.
pub(super) fn midnight(time: Timestamp) -> Option<Timestamp> {
    let floor = time.as_second().div_euclid(DAY) * DAY;
    let floor = Timestamp::new(floor, 0).ok()?;
    if floor >= time { Some(floor) } else { next_midnight(floor) }
}

/// The next midnight UTC, and never this one.
pub(super) fn next_midnight(time: Timestamp) -> Option<Timestamp> {
    Timestamp::new((time.as_second().div_euclid(DAY) + 1).checked_mul(DAY)?, 0).ok()
}

/// What a rule does to current versions.
pub(super) fn expires(rule: &BucketRule) -> Option<Trigger> {
    match rule.expiration {
        Some(BucketExpiration::Current(trigger)) => Some(trigger),
        Some(BucketExpiration::LoneMarkers) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn due_times_round_up_to_midnight_b68() {
        for (written, days, due) in [
            ("2026-01-15T10:30:00Z", 3, "2026-01-19T00:00:00Z"),
            ("2026-01-15T00:00:00Z", 3, "2026-01-18T00:00:00Z"),
            ("2026-01-15T00:00:00.001Z", 3, "2026-01-19T00:00:00Z"),
            ("2024-02-28T23:59:59Z", 1, "2024-03-01T00:00:00Z"),
            ("1969-12-30T12:00:00Z", 0, "1969-12-31T00:00:00Z"),
        ] {
            assert_eq!(after(at(written), days), Some(at(due)), "{written} + {days}");
        }
        assert_eq!(after(at("2026-01-15T10:30:00Z"), u32::MAX), None);
    }

    #[test]
    fn a_date_that_is_past_keeps_acting_on_what_came_since_b68() {
        let date = Trigger::Date(at("2026-01-01T00:00:00Z"));
        assert_eq!(due(date, at("2025-06-01T10:00:00Z")), Some((at("2026-01-01T00:00:00Z"), Holds::Yes)));
        assert_eq!(due(date, at("2026-06-01T10:00:00Z")), Some((at("2026-06-02T00:00:00Z"), Holds::Yes)));
    }
}
