//! Locks and holds: what they stop, and what happens once they end.

use prodpin::model::Versioning::Enabled;
use prodpin::model::{
    BucketRule, BucketTransition, Lock, LockMode, NoncurrentLimit, Replication, Retained, RuleFilter, StorageClass,
    TagSet,
};

use super::{held, with};
use crate::forecast_s3::world::*;

#[test]
fn b60_a_hold_stops_deletion_and_no_marker() {
    let rules = configuration([expiring("old", 30), cleaning("clean", 10, 0)]);
    let entries = key([held("v1", "2026-02-10T10:00:00Z")]);
    assert_eq!(reported(&rules, Enabled, &entries), ["2026-03-13 hides v1 by old"]);
}

#[test]
fn b74_a_lock_that_ends_is_followed_by_the_deletion() {
    let until = |until: &'static str, mode| {
        move |_: &mut Option<u64>,
              _: &mut Option<&TagSet>,
              _: &mut StorageClass,
              lock: &mut Lock,
              _: &mut Replication| {
            lock.retained = Retained::Until { mode, until: at(until) };
        }
    };
    let rules = configuration([cleaning("clean", 10, 0)]);
    for mode in [LockMode::Governance, LockMode::Compliance] {
        let old = with("v1", "2026-01-01T10:00:00Z", until("2026-06-01T09:00:00Z", mode));
        let entries = key([version("v2", "2026-02-01T10:00:00Z"), old]);
        assert_eq!(reported(&rules, Enabled, &entries), ["2026-06-02 deletes v1 by clean"]);
        let short = with("v1", "2026-01-01T10:00:00Z", until("2026-02-01T09:00:00Z", mode));
        let entries = key([version("v2", "2026-02-27T10:00:00Z"), short]);
        assert_eq!(reported(&rules, Enabled, &entries), ["2026-03-10 deletes v1 by clean"]);
    }
    // Locked, it is still moved: what cannot be done today leaves room for what can.
    let cold = BucketRule {
        noncurrent_transitions: vec![BucketTransition {
            class: StorageClass::new("GLACIER"),
            when: NoncurrentLimit { days: 10, keep_newer: 0 },
        }],
        ..rule("cold")
    };
    let rules = configuration([cleaning("clean", 10, 0), cold]);
    let old = with("v1", "2026-01-01T10:00:00Z", until("2026-06-01T09:00:00Z", LockMode::Compliance));
    let entries = key([version("v2", "2026-02-27T10:00:00Z"), old]);
    assert_eq!(
        reported(&rules, Enabled, &entries),
        ["2026-03-10 moves to GLACIER v1 by cold", "2026-06-02 deletes v1 by clean"]
    );
}

#[test]
fn b74_what_waits_for_replication_is_skipped_and_nobody_knows_for_how_long() {
    let rules = configuration([expiring("old", 1)]);
    let pending = with("v1", "2026-01-01T10:00:00Z", |_, _, _, _, replication| *replication = Replication::Pending);
    assert_eq!(reported(&rules, Enabled, &key([pending])), ["2026-03-01T12:00:00Z possibly hides v1 by old"]);
}

#[test]
fn f48_a_lock_that_could_not_be_read_is_neither_there_nor_not() {
    let rules = configuration([cleaning("clean", 10, 0)]);
    let unread = with("v1", "2026-01-01T10:00:00Z", |_, _, _, lock, _| *lock = Lock::UNKNOWN);
    let entries = key([version("v2", "2026-02-27T10:00:00Z"), unread]);
    assert_eq!(reported(&rules, Enabled, &entries), ["2026-03-10 possibly deletes v1 by clean"]);
}

/// Holding one version can cost another its bytes: what stays is counted (B70). Seen only if the rules are run on the
/// bucket as it will be.
#[test]
fn b70_a_hold_on_one_version_can_give_up_an_older_one() {
    let temporary = tagged(&[("temporary", "yes")]);
    let scoped = RuleFilter { tags: temporary.clone(), ..RuleFilter::default() };
    let rules = configuration([BucketRule { filter: scoped, ..cleaning("temporary", 1, 0) }, cleaning("clean", 20, 1)]);
    let world = |hold: bool| {
        let middle = with("v2", "2026-02-20T10:00:00Z", |_, tags, _, lock, _| {
            (*tags, lock.hold) = (Some(&temporary), Some(hold));
        });
        reported(
            &rules,
            Enabled,
            &key([version("v3", "2026-02-25T10:00:00Z"), middle, version("v1", "2026-01-01T10:00:00Z")]),
        )
    };
    assert_eq!(world(false), ["2026-03-01T12:00:00Z deletes v2 by temporary"]);
    assert_eq!(world(true), ["2026-03-13 deletes v1 by clean"]);
}
