//! A case for each trap of the field guide, named after its item.

mod locks;
mod many;
mod targets;

use std::collections::BTreeSet;

use prodpin::decide::lifecycle::s3::{EntryKind, Lifecycle, threats_to};
use prodpin::model::Versioning::{Enabled, Off, Suspended};
use prodpin::model::{
    BucketExpiration, BucketLifecycle, BucketRule, BucketTransition, Certainty, Due, Effect, Lock, NoncurrentLimit,
    Replication, RuleFilter, StorageClass, TagSet, TransitionMinimum, Trigger,
};

use super::world::*;

/// A version with one part of it different.
fn with<'a>(
    id: &str,
    modified: &str,
    change: impl FnOnce(&mut Option<u64>, &mut Option<&'a TagSet>, &mut StorageClass, &mut Lock, &mut Replication),
) -> prodpin::decide::lifecycle::s3::Entry<'a> {
    let mut entry: prodpin::decide::lifecycle::s3::Entry<'a> = version(id, modified);
    if let EntryKind::Version { size, tags, class, lock, replication } = &mut entry.kind {
        change(size, tags, class, lock, replication);
    }
    entry
}

fn held<'a>(id: &str, modified: &str) -> prodpin::decide::lifecycle::s3::Entry<'a> {
    with(id, modified, |_, _, _, lock, _| lock.hold = Some(true))
}

#[test]
fn b57_suspended_versioning_destroys_the_null_version_even_from_behind() {
    let rules = configuration([expiring("old", 30)]);
    let front = key([version("null@aa", "2026-02-10T10:00:00Z")]);
    assert_eq!(reported(&rules, Suspended, &front), ["2026-03-13 deletes null@aa by old"]);
    let behind = key([version("v2", "2026-02-10T10:00:00Z"), version("null@aa", "2025-02-10T10:00:00Z")]);
    assert_eq!(
        reported(&rules, Suspended, &behind),
        ["2026-03-13 hides v2 by old", "2026-03-13 deletes null@aa by old"]
    );
    // What is destroyed is not hidden as well, whatever happens to others on that day.
    let cold =
        BucketTransition { class: StorageClass::new("GLACIER"), when: NoncurrentLimit { days: 31, keep_newer: 0 } };
    let both = configuration([BucketRule { noncurrent_transitions: vec![cold], ..expiring("old", 31) }]);
    let two = key([version("null@aa", "2026-02-10T10:00:00Z"), version("v1", "2025-02-10T10:00:00Z")]);
    assert_eq!(
        reported(&both, Suspended, &two),
        ["2026-03-14 deletes null@aa by old", "2026-03-14 moves to GLACIER v1 by old"]
    );
    // The marker that was put there is the null version now, and the next one replaces it, and no version.
    let marked = key([version("v2", "2026-02-10T10:00:00Z"), marker("null", "2025-02-10T10:00:00Z")]);
    assert_eq!(
        reported(&rules, Suspended, &marked),
        ["2026-03-13 hides v2 by old", "2026-03-13 removes marker null by old"]
    );
}

#[test]
fn b66_filters_hold_in_every_part_and_bounds_are_exclusive() {
    let tags = tagged(&[("kind", "release"), ("team", "shop")]);
    let reaches = |filter: RuleFilter, size: u64| {
        let rules = configuration([BucketRule { filter, ..expiring("r", 1) }]);
        let entry = with("v1", "2026-01-01T00:00:00Z", |bytes, tagged, _, _, _| {
            (*bytes, *tagged) = (Some(size), Some(&tags));
        });
        !reported(&rules, Enabled, &key([entry])).is_empty()
    };
    let filter = RuleFilter::default;
    for (filter, size, expected) in [
        (RuleFilter { prefix: "api/".into(), ..filter() }, 10, true),
        (RuleFilter { prefix: "API/".into(), ..filter() }, 10, false),
        (RuleFilter { larger_than: Some(10), ..filter() }, 10, false),
        (RuleFilter { larger_than: Some(9), ..filter() }, 10, true),
        (RuleFilter { smaller_than: Some(10), ..filter() }, 10, false),
        (RuleFilter { smaller_than: Some(11), ..filter() }, 10, true),
        (RuleFilter { larger_than: Some(9), smaller_than: Some(11), ..filter() }, 10, true),
        (RuleFilter { tags: tagged(&[("kind", "release")]), ..filter() }, 10, true),
        (RuleFilter { tags: tagged(&[("kind", "Release")]), ..filter() }, 10, false),
        (RuleFilter { tags: tagged(&[("kind", "release"), ("team", "shop")]), ..filter() }, 10, true),
        (RuleFilter { tags: tagged(&[("kind", "release"), ("team", "web")]), ..filter() }, 10, false),
        (RuleFilter { prefix: "web/".into(), tags: tagged(&[("kind", "release")]), ..filter() }, 10, false),
    ] {
        assert_eq!(reaches(filter.clone(), size), expected, "{filter:?} on {size}");
    }
}

#[test]
fn b66_a_tag_protects_nothing_unless_a_rule_asks_for_another() {
    let tags = tagged(&[("prod-pinned", "true")]);
    let entry = || with("v1", "2026-01-01T00:00:00Z", |_, tagged, _, _, _| *tagged = Some(&tags));
    assert_eq!(reported(&configuration([expiring("all", 1)]), Enabled, &key([entry()])).len(), 1);
    let disposable = RuleFilter { tags: tagged(&[("disposable", "true")]), ..RuleFilter::default() };
    let scoped = configuration([BucketRule { filter: disposable, ..expiring("some", 1) }]);
    assert_eq!(reported(&scoped, Enabled, &key([entry()])), [] as [&str; 0]);
}

#[test]
fn b66_unread_tags_are_a_possibility_f48() {
    let filter = RuleFilter { tags: tagged(&[("kind", "release")]), ..RuleFilter::default() };
    let rules = configuration([BucketRule { filter, ..expiring("some", 1) }, expiring("all", 100)]);
    let unread = with("v1", "2026-01-01T00:00:00Z", |_, tagged, _, _, _| *tagged = None);
    assert_eq!(
        reported(&rules, Enabled, &key([unread])),
        ["2026-03-01T12:00:00Z possibly hides v1 by some", "2026-04-11 hides v1 by all"]
    );
}

#[test]
fn b67_deletion_beats_a_move_a_move_beats_a_marker_and_the_cheaper_class_wins() {
    let written = "2026-02-19T10:00:00Z";
    let rules = configuration([expiring("gone", 10), moving("cold", "GLACIER", 10)]);
    assert_eq!(reported(&rules, Off, &key([version("null@a", written)])), ["2026-03-02 deletes null@a by gone"]);
    assert_eq!(
        reported(&rules, Enabled, &key([version("v1", written)])),
        ["2026-03-02 moves to GLACIER v1 by cold", "2026-03-03 hides v1 by gone"]
    );
    let classes = ["STANDARD_IA", "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR"].map(|class| moving(class, class, 10));
    assert_eq!(
        reported(&configuration(classes), Enabled, &key([version("v1", written)])),
        ["2026-03-02 moves to DEEP_ARCHIVE v1 by DEEP_ARCHIVE"]
    );
    // And the order of the rules says nothing.
    let classes = ["GLACIER_IR", "DEEP_ARCHIVE", "GLACIER"].map(|class| moving(class, class, 10));
    assert_eq!(reported(&configuration(classes), Enabled, &key([version("v1", written)])).len(), 1);
}

/// A move that wins the marker's day puts it off (B67); where the move is not known to come, neither is the day.
#[test]
fn f48_what_may_be_put_off_by_a_day_is_certain_from_the_next_day_on() {
    let wanted = RuleFilter { written: true, tags: tagged(&[("kind", "cold")]), ..RuleFilter::default() };
    let cold = BucketRule { filter: wanted, ..moving("cold", "GLACIER", 10) };
    let rules = configuration([expiring("gone", 10), cold, cleaning("clean", 1, 0)]);
    let unread = with("v2", "2026-02-19T10:00:00Z", |_, tags, _, _, _| *tags = None);
    assert_eq!(
        reported(&rules, Enabled, &key([unread, version("v1", "2026-03-01T10:00:00Z")])),
        [
            "2026-03-01T12:00:00Z deletes v1 by clean",
            "2026-03-02 possibly moves to GLACIER v2 by cold",
            "2026-03-02 possibly hides v2 by gone",
            "2026-03-03 possibly deletes v2 by clean",
            "2026-03-03 hides v2 by gone",
            "2026-03-04 deletes v2 by clean",
        ]
    );
}

/// Of tags that could not be read, one rule wants some and another wants others: either may come true.
#[test]
fn f48_what_may_be_hidden_may_be_moved_instead() {
    let only = |key: &str, rule: BucketRule| {
        let filter = RuleFilter { written: true, tags: tagged(&[(key, "yes")]), ..RuleFilter::default() };
        BucketRule { filter, ..rule }
    };
    let rules = configuration([only("old", expiring("gone", 5)), only("cold", moving("cold", "GLACIER", 20))]);
    let unread = with("v1", "2026-03-01T10:00:00Z", |_, tags, _, _, _| *tags = None);
    assert_eq!(
        reported(&rules, Enabled, &key([unread])),
        ["2026-03-07 possibly hides v1 by gone", "2026-03-22 possibly moves to GLACIER v1 by cold"]
    );
}

#[test]
fn b68_due_times_round_up_to_midnight_and_past_ones_are_now() {
    let rules = configuration([expiring("old", 3)]);
    let early = "2026-01-15T10:30:00Z";
    let lifecycle = Lifecycle::new(&rules);
    let entries = key([version("v1", early)]);
    let when = |now: &str| {
        threats_to(&lifecycle, Some(Enabled), &entries, 0, at(now)).unwrap().into_iter().map(|threat| threat.due).next()
    };
    assert_eq!(when("2026-01-16T00:00:00Z"), Some(Due::On(at("2026-01-19T00:00:00Z"))));
    assert_eq!(when("2026-01-18T23:59:59Z"), Some(Due::On(at("2026-01-19T00:00:00Z"))));
    assert_eq!(when("2026-01-19T00:00:00Z"), Some(Due::Now));
    assert_eq!(when("2026-08-01T00:00:00Z"), Some(Due::Now));
}

#[test]
fn b68_a_past_date_keeps_acting_daily() {
    let dated = |date: &str| BucketRule {
        expiration: Some(BucketExpiration::Current(Trigger::Date(at(date)))),
        ..rule("dated")
    };
    let past = configuration([dated("2020-01-01T00:00:00Z")]);
    let fresh = key([version("v1", "2026-03-01T11:00:00Z")]);
    assert_eq!(reported(&past, Enabled, &fresh), ["2026-03-02 hides v1 by dated"]);
    let future = configuration([dated("2027-01-01T00:00:00Z")]);
    assert_eq!(reported(&future, Enabled, &fresh), ["2027-01-01 hides v1 by dated"]);
}

#[test]
fn b69_expiration_does_what_versioning_says() {
    let rules = configuration([expiring("old", 30)]);
    let written = "2026-02-10T10:00:00Z";
    for (versioning, id, expected) in [
        (Off, "null@aa", "2026-03-13 deletes null@aa by old"),
        (Enabled, "v1", "2026-03-13 hides v1 by old"),
        (Enabled, "null@aa", "2026-03-13 hides null@aa by old"),
        (Suspended, "v1", "2026-03-13 hides v1 by old"),
        (Suspended, "null@aa", "2026-03-13 deletes null@aa by old"),
    ] {
        assert_eq!(reported(&rules, versioning, &key([version(id, written)])), [expected], "{versioning:?} {id}");
    }
}

#[test]
fn b69_a_lone_marker_is_removed_and_one_with_something_behind_it_stays() {
    let markers = BucketRule { expiration: Some(BucketExpiration::LoneMarkers), ..rule("markers") };
    let rules = configuration([markers]);
    let lone = key([marker("m", "2026-02-10T10:00:00Z")]);
    assert_eq!(reported(&rules, Enabled, &lone), ["2026-03-01T12:00:00Z removes marker m by markers"]);
    let front = key([marker("m", "2026-02-10T10:00:00Z"), version("v1", "2026-02-01T10:00:00Z")]);
    assert_eq!(reported(&rules, Enabled, &front), [] as [&str; 0]);
    // By days, a marker of that age goes too, and only then.
    let aged = configuration([expiring("old", 30)]);
    assert_eq!(reported(&aged, Enabled, &lone), ["2026-03-13 removes marker m by old"]);
}

#[test]
fn b70_noncurrent_counts_from_the_successor_and_both_limits_must_be_exceeded() {
    let entries = key([
        version("v4", "2026-02-27T10:00:00Z"),
        version("v3", "2026-02-20T10:00:00Z"),
        version("v2", "2026-01-10T10:00:00Z"),
        version("v1", "2020-01-01T10:00:00Z"),
    ]);
    assert_eq!(
        reported(&configuration([cleaning("clean", 10, 0)]), Enabled, &entries),
        [
            "2026-03-01T12:00:00Z deletes v1 by clean",
            "2026-03-03 deletes v2 by clean",
            "2026-03-10 deletes v3 by clean"
        ]
    );
    assert_eq!(
        reported(&configuration([cleaning("clean", 10, 2)]), Enabled, &entries),
        ["2026-03-01T12:00:00Z deletes v1 by clean"]
    );
    assert_eq!(reported(&configuration([cleaning("clean", 10, 3)]), Enabled, &entries), [] as [&str; 0]);
    // Two newer ones stay, so one more overwrite gives up the next.
    let lifecycle = Lifecycle::new(&configuration([cleaning("clean", 10, 2)]));
    let next = threats_to(&lifecycle, Some(Enabled), &entries, 2, now()).unwrap();
    assert_eq!(
        next.iter().map(|threat| threat.due.clone()).collect::<Vec<_>>(),
        [Due::AfterPushes { pushes: 1, around: None }]
    );
}

#[test]
fn b70_whether_markers_count_as_newer_versions_is_not_documented() {
    let entries = key([
        version("v3", "2026-02-01T10:00:00Z"),
        marker("m", "2026-01-20T10:00:00Z"),
        version("v1", "2026-01-01T10:00:00Z"),
    ]);
    let reported = reported(&configuration([cleaning("clean", 100, 1)]), Enabled, &entries);
    assert_eq!(reported, ["2026-05-01 possibly deletes v1 by clean"]);
}

#[test]
fn b71_b72_a_marker_starts_the_clock_that_deletes() {
    let rules = configuration([expiring("old", 30), cleaning("clean", 7, 0)]);
    let entries = key([version("v1", "2026-02-10T10:00:00Z")]);
    assert_eq!(reported(&rules, Enabled, &entries), ["2026-03-13 hides v1 by old", "2026-03-20 deletes v1 by clean"]);
    let threats = threats_to(&Lifecycle::new(&rules), Some(Enabled), &entries, 0, now()).unwrap();
    assert_eq!(threats.iter().map(|threat| threat.effect).collect::<Vec<_>>(), [Effect::Hides, Effect::Deletes]);
    assert!(threats[1].why.contains("\"old\" puts a delete marker"), "{}", threats[1].why);
    // What is overdue acts now, and the clock starts then and not when it should have.
    let overdue = key([version("v1", "2020-02-10T10:00:00Z")]);
    assert_eq!(
        reported(&rules, Enabled, &overdue),
        ["2026-03-01T12:00:00Z hides v1 by old", "2026-03-09 deletes v1 by clean"]
    );
}

#[test]
fn b73_archives_slow_a_rollback_and_glacier_ir_does_not() {
    let written = "2026-02-19T10:00:00Z";
    let effects = |class: &str, minimum: TransitionMinimum, size: u64| -> Vec<(Effect, Certainty)> {
        let rules = BucketLifecycle { rules: vec![moving("cold", class, 10)], minimum };
        let entry = with("v1", written, |bytes, _, _, _, _| *bytes = Some(size));
        let threats = threats_to(&Lifecycle::new(&rules), Some(Enabled), &key([entry]), 0, now()).unwrap();
        threats.iter().map(|threat| (threat.effect, threat.certainty)).collect()
    };
    let (certain, possible) = ([(Effect::Archives, Certainty::Certain)], [(Effect::Archives, Certainty::Possible)]);
    let (varies, all, unknown) =
        (TransitionMinimum::VariesByClass, TransitionMinimum::AllClasses, TransitionMinimum::Unknown);
    assert_eq!(effects("GLACIER", varies, 1 << 20), certain);
    assert_eq!(effects("DEEP_ARCHIVE", varies, 1 << 20), certain);
    assert_eq!(effects("PERMAFROST", varies, 1 << 20), certain, "F53");
    for class in ["GLACIER_IR", "STANDARD_IA", "INTELLIGENT_TIERING"] {
        assert_eq!(effects(class, varies, 1 << 20), []);
    }
    assert_eq!(effects("GLACIER", all, 131_071), []);
    assert_eq!(effects("GLACIER", all, 131_072), certain);
    assert_eq!(effects("GLACIER", varies, 1), certain);
    assert_eq!(effects("GLACIER", unknown, 1), possible);
    // A size in the filter overrules the minimum.
    let sized = RuleFilter { larger_than: Some(0), ..RuleFilter::default() };
    let rules =
        BucketLifecycle { rules: vec![BucketRule { filter: sized, ..moving("cold", "GLACIER", 1) }], minimum: all };
    let small = with("v1", written, |bytes, _, _, _, _| *bytes = Some(9));
    assert_eq!(threats_to(&Lifecycle::new(&rules), Some(Enabled), &key([small]), 0, now()).unwrap().len(), 1);
    // From one archive into a deeper one, nothing is lost that is not lost already.
    let there = with("v1", written, |_, _, class, _, _| *class = StorageClass::new("GLACIER"));
    let deeper = Lifecycle::new(&configuration([moving("deep", "DEEP_ARCHIVE", 1)]));
    assert_eq!(threats_to(&deeper, Some(Enabled), &key([there]), 0, now()), Some(vec![]));
}

#[test]
fn b73_noncurrent_versions_move_by_their_own_rule() {
    let transition =
        BucketTransition { class: StorageClass::new("GLACIER"), when: NoncurrentLimit { days: 5, keep_newer: 0 } };
    let rules = configuration([BucketRule { noncurrent_transitions: vec![transition], ..rule("cold") }]);
    let entries = key([version("v2", "2026-02-27T10:00:00Z"), held("v1", "2026-01-01T10:00:00Z")]);
    assert_eq!(reported(&rules, Enabled, &entries), ["2026-03-05 moves to GLACIER v1 by cold"]);
}

#[test]
fn f48_unknown_versioning_is_certain_only_where_all_states_agree() {
    let lifecycle = Lifecycle::new(&configuration([expiring("old", 30), moving("cold", "GLACIER", 1)]));
    let seen = |id: &str| {
        let entries = key([version(id, "2026-02-10T10:00:00Z")]);
        let threats = threats_to(&lifecycle, None, &entries, 0, now()).unwrap();
        threats.into_iter().map(|threat| (threat.effect, threat.certainty)).collect::<BTreeSet<_>>()
    };
    assert_eq!(seen("v1"), [(Effect::Hides, Certainty::Certain), (Effect::Archives, Certainty::Certain)].into());
    assert_eq!(
        seen("null@aa"),
        [
            (Effect::Deletes, Certainty::Possible),
            (Effect::Hides, Certainty::Possible),
            (Effect::Archives, Certainty::Certain)
        ]
        .into()
    );
}
