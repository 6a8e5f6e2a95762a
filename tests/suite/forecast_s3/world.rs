//! Keys and rules for these tests, written briefly.

use jiff::Timestamp;
use prodpin::decide::lifecycle::s3::{Act, Entry, EntryKind, Key, Lifecycle, TimelineStep, timeline};
use prodpin::model::{
    BucketExpiration, BucketLifecycle, BucketRule, BucketTransition, Lock, NoncurrentLimit, Replication, RuleFilter,
    StorageClass, TagSet, TransitionMinimum, Trigger, Versioning,
};

pub(crate) const KEY: &str = "api/1.2.0/bundle.zip";

/// The day on which these tests are run.
pub(crate) fn now() -> Timestamp {
    at("2026-03-01T12:00:00Z")
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A moment as tests write it: a day alone is its midnight.
pub(crate) fn short(time: Timestamp) -> String {
    time.to_string().replace("T00:00:00Z", "")
}

pub(crate) fn rule(id: &str) -> BucketRule {
    let filter = RuleFilter { written: true, ..RuleFilter::default() };
    BucketRule { id: id.into(), enabled: true, filter, ..BucketRule::default() }
}

pub(crate) fn expiring(id: &str, days: u32) -> BucketRule {
    BucketRule { expiration: Some(BucketExpiration::Current(Trigger::Days(days))), ..rule(id) }
}

pub(crate) fn cleaning(id: &str, days: u32, keep_newer: u32) -> BucketRule {
    BucketRule { noncurrent_expiration: Some(NoncurrentLimit { days, keep_newer }), ..rule(id) }
}

pub(crate) fn moving(id: &str, class: &str, days: u32) -> BucketRule {
    let transition = BucketTransition { class: StorageClass::new(class), when: Trigger::Days(days) };
    BucketRule { transitions: vec![transition], ..rule(id) }
}

pub(crate) fn configuration(rules: impl IntoIterator<Item = BucketRule>) -> BucketLifecycle {
    BucketLifecycle { rules: rules.into_iter().collect(), minimum: TransitionMinimum::VariesByClass }
}

pub(crate) fn tagged(tags: &[(&str, &str)]) -> TagSet {
    tags.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

/// A version of a megabyte without tags or locks.
pub(crate) fn version(id: &str, modified: &str) -> Entry<'static> {
    static NONE: TagSet = TagSet::new();
    let kind = EntryKind::Version {
        size: Some(1 << 20),
        tags: Some(&NONE),
        class: StorageClass::STANDARD,
        lock: Lock::NONE,
        replication: Replication::Settled,
    };
    Entry { id: String::from(id).leak(), modified: at(modified), kind }
}

pub(crate) fn marker(id: &str, modified: &str) -> Entry<'static> {
    Entry { id: String::from(id).leak(), modified: at(modified), kind: EntryKind::Marker }
}

pub(crate) fn key<'a>(entries: impl IntoIterator<Item = Entry<'a>>) -> Key<'a> {
    Key { key: KEY, entries: entries.into_iter().collect() }
}

pub(crate) fn steps(rules: &BucketLifecycle, versioning: Versioning, key: &Key<'_>) -> Vec<TimelineStep> {
    timeline(&Lifecycle::new(rules), versioning, key, now(), at("2030-01-01T00:00:00Z"))
}

/// Steps as text: when, what, to which.
pub(crate) fn reported(rules: &BucketLifecycle, versioning: Versioning, key: &Key<'_>) -> Vec<String> {
    steps(rules, versioning, key)
        .iter()
        .map(|step| {
            let what = match &step.act {
                Act::Deletes => "deletes".to_owned(),
                Act::Moves(class) => format!("moves to {class}"),
                Act::Hides => "hides".to_owned(),
                Act::RemovesMarker => "removes marker".to_owned(),
            };
            let possibly = if step.certainty == prodpin::model::Certainty::Possible { "possibly " } else { "" };
            let id = step.entry.map_or("", |entry| key.entries[entry].id);
            format!("{} {possibly}{what} {id} by {}", short(step.at), step.rule)
        })
        .collect()
}
