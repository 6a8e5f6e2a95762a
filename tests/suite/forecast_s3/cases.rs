//! A case for each trap of the field guide, named after its item.

use std::collections::{BTreeMap, BTreeSet};

use prodpin::decide::forecast::s3::{EntryKind, Key, Lifecycle, LintKind, Objects, lint, threats, threats_to};
use prodpin::model::{
    ArtifactId, BucketExpiration, BucketLifecycle, BucketRetention, BucketRule, BucketTransition, Certainty, Closure,
    Content, DeleteMarker, Due, Effect, Inspection, Lock, LockMode, NoncurrentLimit, ObjectFacts, ObjectState,
    ObjectVersion, ObservedTag, PinState, Presence, Replication, Resolution, Retained, RuleFilter, StorageClass,
    TagSet, Threat, TransitionMinimum, Trigger, Versioning,
};

use super::world::*;

use Versioning::{Enabled, Off, Suspended};

/// A version with one part of it different.
fn with<'a>(
    id: &str,
    modified: &str,
    change: impl FnOnce(&mut Option<u64>, &mut Option<&'a TagSet>, &mut StorageClass, &mut Lock, &mut Replication),
) -> prodpin::decide::forecast::s3::Entry<'a> {
    let mut entry: prodpin::decide::forecast::s3::Entry<'a> = version(id, modified);
    if let EntryKind::Version { size, tags, class, lock, replication } = &mut entry.kind {
        change(size, tags, class, lock, replication);
    }
    entry
}

fn held<'a>(id: &str, modified: &str) -> prodpin::decide::forecast::s3::Entry<'a> {
    with(id, modified, |_, _, _, lock, _| lock.hold = Some(true))
}

#[test]
fn b57_suspended_versioning_destroys_the_null_version_even_from_behind() {
    let rules = configuration([expiring("old", 30)]);
    let front = key([version("null@aa", "2026-02-10T10:00:00Z")]);
    assert_eq!(told(&rules, Suspended, &front), ["2026-03-13 deletes null@aa by old"]);
    let behind = key([version("v2", "2026-02-10T10:00:00Z"), version("null@aa", "2025-02-10T10:00:00Z")]);
    assert_eq!(told(&rules, Suspended, &behind), ["2026-03-13 hides v2 by old", "2026-03-13 deletes null@aa by old"]);
    // What is destroyed is not hidden as well, whatever happens to others on that day.
    let cold =
        BucketTransition { class: StorageClass::new("GLACIER"), when: NoncurrentLimit { days: 31, keep_newer: 0 } };
    let both = configuration([BucketRule { noncurrent_transitions: vec![cold], ..expiring("old", 31) }]);
    let two = key([version("null@aa", "2026-02-10T10:00:00Z"), version("v1", "2025-02-10T10:00:00Z")]);
    assert_eq!(
        told(&both, Suspended, &two),
        ["2026-03-14 deletes null@aa by old", "2026-03-14 moves to GLACIER v1 by old"]
    );
    // The marker that was put there is the null version now, and the next one replaces it, and no version.
    let marked = key([version("v2", "2026-02-10T10:00:00Z"), marker("null", "2025-02-10T10:00:00Z")]);
    assert_eq!(
        told(&rules, Suspended, &marked),
        ["2026-03-13 hides v2 by old", "2026-03-13 removes marker null by old"]
    );
}

#[test]
fn b60_a_hold_stops_deletion_and_no_marker() {
    let rules = configuration([expiring("old", 30), cleaning("clean", 10, 0)]);
    let entries = key([held("v1", "2026-02-10T10:00:00Z")]);
    assert_eq!(told(&rules, Enabled, &entries), ["2026-03-13 hides v1 by old"]);
}

#[test]
fn b66_filters_hold_in_every_part_and_bounds_are_exclusive() {
    let tags = tagged(&[("kind", "release"), ("team", "shop")]);
    let reaches = |filter: RuleFilter, size: u64| {
        let rules = configuration([BucketRule { filter, ..expiring("r", 1) }]);
        let entry = with("v1", "2026-01-01T00:00:00Z", |bytes, tagged, _, _, _| {
            (*bytes, *tagged) = (Some(size), Some(&tags));
        });
        !told(&rules, Enabled, &key([entry])).is_empty()
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
    assert_eq!(told(&configuration([expiring("all", 1)]), Enabled, &key([entry()])).len(), 1);
    let disposable = RuleFilter { tags: tagged(&[("disposable", "true")]), ..RuleFilter::default() };
    let scoped = configuration([BucketRule { filter: disposable, ..expiring("some", 1) }]);
    assert_eq!(told(&scoped, Enabled, &key([entry()])), [] as [&str; 0]);
}

#[test]
fn b66_unread_tags_are_a_possibility_f48() {
    let filter = RuleFilter { tags: tagged(&[("kind", "release")]), ..RuleFilter::default() };
    let rules = configuration([BucketRule { filter, ..expiring("some", 1) }, expiring("all", 100)]);
    let unread = with("v1", "2026-01-01T00:00:00Z", |_, tagged, _, _, _| *tagged = None);
    assert_eq!(
        told(&rules, Enabled, &key([unread])),
        ["2026-03-01T12:00:00Z possibly hides v1 by some", "2026-04-11 hides v1 by all"]
    );
}

#[test]
fn b67_deletion_beats_a_move_a_move_beats_a_marker_and_the_cheaper_class_wins() {
    let written = "2026-02-19T10:00:00Z";
    let rules = configuration([expiring("gone", 10), moving("cold", "GLACIER", 10)]);
    assert_eq!(told(&rules, Off, &key([version("null@a", written)])), ["2026-03-02 deletes null@a by gone"]);
    assert_eq!(
        told(&rules, Enabled, &key([version("v1", written)])),
        ["2026-03-02 moves to GLACIER v1 by cold", "2026-03-03 hides v1 by gone"]
    );
    let classes = ["STANDARD_IA", "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR"].map(|class| moving(class, class, 10));
    assert_eq!(
        told(&configuration(classes), Enabled, &key([version("v1", written)])),
        ["2026-03-02 moves to DEEP_ARCHIVE v1 by DEEP_ARCHIVE"]
    );
    // And the order of the rules says nothing.
    let classes = ["GLACIER_IR", "DEEP_ARCHIVE", "GLACIER"].map(|class| moving(class, class, 10));
    assert_eq!(told(&configuration(classes), Enabled, &key([version("v1", written)])).len(), 1);
}

/// A move that wins the marker's day puts it off (B67); where the move is not known to come, neither is the day.
#[test]
fn f48_what_may_be_put_off_by_a_day_is_certain_from_the_next_day_on() {
    let wanted = RuleFilter { written: true, tags: tagged(&[("kind", "cold")]), ..RuleFilter::default() };
    let cold = BucketRule { filter: wanted, ..moving("cold", "GLACIER", 10) };
    let rules = configuration([expiring("gone", 10), cold, cleaning("clean", 1, 0)]);
    let unread = with("v2", "2026-02-19T10:00:00Z", |_, tags, _, _, _| *tags = None);
    assert_eq!(
        told(&rules, Enabled, &key([unread, version("v1", "2026-03-01T10:00:00Z")])),
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
        told(&rules, Enabled, &key([unread])),
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
    assert_eq!(told(&past, Enabled, &fresh), ["2026-03-02 hides v1 by dated"]);
    let future = configuration([dated("2027-01-01T00:00:00Z")]);
    assert_eq!(told(&future, Enabled, &fresh), ["2027-01-01 hides v1 by dated"]);
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
        assert_eq!(told(&rules, versioning, &key([version(id, written)])), [expected], "{versioning:?} {id}");
    }
}

#[test]
fn b69_a_lone_marker_is_removed_and_one_with_something_behind_it_stays() {
    let markers = BucketRule { expiration: Some(BucketExpiration::LoneMarkers), ..rule("markers") };
    let rules = configuration([markers]);
    let lone = key([marker("m", "2026-02-10T10:00:00Z")]);
    assert_eq!(told(&rules, Enabled, &lone), ["2026-03-01T12:00:00Z removes marker m by markers"]);
    let front = key([marker("m", "2026-02-10T10:00:00Z"), version("v1", "2026-02-01T10:00:00Z")]);
    assert_eq!(told(&rules, Enabled, &front), [] as [&str; 0]);
    // By days, a marker of that age goes too, and only then.
    let aged = configuration([expiring("old", 30)]);
    assert_eq!(told(&aged, Enabled, &lone), ["2026-03-13 removes marker m by old"]);
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
        told(&configuration([cleaning("clean", 10, 0)]), Enabled, &entries),
        [
            "2026-03-01T12:00:00Z deletes v1 by clean",
            "2026-03-03 deletes v2 by clean",
            "2026-03-10 deletes v3 by clean"
        ]
    );
    assert_eq!(
        told(&configuration([cleaning("clean", 10, 2)]), Enabled, &entries),
        ["2026-03-01T12:00:00Z deletes v1 by clean"]
    );
    assert_eq!(told(&configuration([cleaning("clean", 10, 3)]), Enabled, &entries), [] as [&str; 0]);
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
    let told = told(&configuration([cleaning("clean", 100, 1)]), Enabled, &entries);
    assert_eq!(told, ["2026-05-01 possibly deletes v1 by clean"]);
}

#[test]
fn b71_b72_a_marker_starts_the_clock_that_deletes() {
    let rules = configuration([expiring("old", 30), cleaning("clean", 7, 0)]);
    let entries = key([version("v1", "2026-02-10T10:00:00Z")]);
    assert_eq!(told(&rules, Enabled, &entries), ["2026-03-13 hides v1 by old", "2026-03-20 deletes v1 by clean"]);
    let threats = threats_to(&Lifecycle::new(&rules), Some(Enabled), &entries, 0, now()).unwrap();
    assert_eq!(threats.iter().map(|threat| threat.effect).collect::<Vec<_>>(), [Effect::Hides, Effect::Deletes]);
    assert!(threats[1].why.contains("\"old\" puts a delete marker"), "{}", threats[1].why);
    // What is overdue acts now, and the clock starts then and not when it should have.
    let overdue = key([version("v1", "2020-02-10T10:00:00Z")]);
    assert_eq!(
        told(&rules, Enabled, &overdue),
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
    assert_eq!(told(&rules, Enabled, &entries), ["2026-03-05 moves to GLACIER v1 by cold"]);
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
        assert_eq!(told(&rules, Enabled, &entries), ["2026-06-02 deletes v1 by clean"]);
        let short = with("v1", "2026-01-01T10:00:00Z", until("2026-02-01T09:00:00Z", mode));
        let entries = key([version("v2", "2026-02-27T10:00:00Z"), short]);
        assert_eq!(told(&rules, Enabled, &entries), ["2026-03-10 deletes v1 by clean"]);
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
        told(&rules, Enabled, &entries),
        ["2026-03-10 moves to GLACIER v1 by cold", "2026-06-02 deletes v1 by clean"]
    );
}

#[test]
fn b74_what_waits_for_replication_is_skipped_and_nobody_knows_for_how_long() {
    let rules = configuration([expiring("old", 1)]);
    let pending = with("v1", "2026-01-01T10:00:00Z", |_, _, _, _, replication| *replication = Replication::Pending);
    assert_eq!(told(&rules, Enabled, &key([pending])), ["2026-03-01T12:00:00Z possibly hides v1 by old"]);
}

#[test]
fn f48_a_lock_that_could_not_be_read_is_neither_there_nor_not() {
    let rules = configuration([cleaning("clean", 10, 0)]);
    let unread = with("v1", "2026-01-01T10:00:00Z", |_, _, _, lock, _| *lock = Lock::UNKNOWN);
    let entries = key([version("v2", "2026-02-27T10:00:00Z"), unread]);
    assert_eq!(told(&rules, Enabled, &entries), ["2026-03-10 possibly deletes v1 by clean"]);
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
        told(
            &rules,
            Enabled,
            &key([version("v3", "2026-02-25T10:00:00Z"), middle, version("v1", "2026-01-01T10:00:00Z")]),
        )
    };
    assert_eq!(world(false), ["2026-03-01T12:00:00Z deletes v2 by temporary"]);
    assert_eq!(world(true), ["2026-03-13 deletes v1 by clean"]);
}

fn artifact(id: &str) -> ArtifactId {
    format!("{KEY}?versionId={id}").parse().unwrap()
}

fn observed(versions: &[(&str, &str)], markers: &[(&str, &str)], hidden: bool) -> ObservedTag {
    let versions: Vec<ObjectVersion> = versions
        .iter()
        .map(|(id, modified)| ObjectVersion {
            artifact: artifact(id),
            modified: at(modified),
            content: Content { etag: "e".into(), size: 1 << 20 },
            class: StorageClass::STANDARD,
        })
        .collect();
    let markers: Vec<DeleteMarker> =
        markers.iter().map(|(id, modified)| DeleteMarker { id: (*id).into(), modified: Some(at(modified)) }).collect();
    let hidden_by = markers.first().filter(|_| hidden).map(|marker| marker.id.clone());
    ObservedTag {
        name: KEY.parse().unwrap(),
        target: Resolution::Artifact(versions[0].artifact.clone()),
        pushed: None,
        object: Some(Box::new(ObjectFacts { label: "1.2.0".into(), versions, markers, hidden_by })),
    }
}

fn bucket(rules: BucketLifecycle, object_lock: Option<bool>) -> BucketRetention {
    BucketRetention {
        bucket: "b".into(),
        versioning: Some(Enabled),
        object_lock,
        lifecycle: Some(std::sync::Arc::new(rules)),
        layout: "{repository}/{version}/bundle.zip".parse().unwrap(),
    }
}

fn inspected(id: &str, lock: Lock) -> (ArtifactId, Inspection) {
    let object = ObjectState {
        checksum: None,
        class: StorageClass::STANDARD,
        archive_tier: None,
        lock,
        replication: Replication::Settled,
        tags: None,
        key: None,
    };
    let inspection = Inspection {
        artifact: artifact(id),
        presence: Presence::Present,
        kind: None,
        created: Some(at("2026-01-01T10:00:00Z")),
        children: Vec::new(),
        closure: Closure::Complete,
        pin: PinState::Absent,
        obstacles: Vec::new(),
        lost_attestations: Vec::new(),
        gaps: Vec::new(),
        object: Some(Box::new(object)),
    };
    (artifact(id), inspection)
}

/// What threatens the target `v1`.
fn threatened(bucket: &BucketRetention, tags: &[ObservedTag]) -> Vec<Threat> {
    let inspections = BTreeMap::from([inspected("v1", Lock::NONE)]);
    let targets = BTreeSet::from([artifact("v1")]);
    let objects = Objects { bucket, tags, inspections: &inspections, held: &targets };
    threats(&objects, &targets, now()).unwrap().remove(&artifact("v1")).unwrap()
}

#[test]
fn targets_are_judged_as_they_will_be_once_pinned() {
    let rules = || configuration([cleaning("clean", 10, 0)]);
    let tags = [observed(&[("v2", "2026-02-27T10:00:00Z"), ("v1", "2026-01-01T10:00:00Z")], &[], false)];
    assert_eq!(threatened(&bucket(rules(), Some(true)), &tags), []);
    let seen = |lock| {
        threatened(&bucket(rules(), lock), &tags).into_iter().map(|t| (t.effect, t.certainty)).collect::<Vec<_>>()
    };
    assert_eq!(seen(Some(false)), [(Effect::Deletes, Certainty::Certain)]);
    assert_eq!(seen(None), [(Effect::Deletes, Certainty::Possible)]);
}

#[test]
fn a_marker_in_front_starts_the_clock_of_what_is_behind_it_b70() {
    let rules = configuration([cleaning("clean", 10, 0)]);
    let tags = [observed(&[("v1", "2026-01-01T10:00:00Z")], &[("m", "2026-02-27T10:00:00Z")], true)];
    let due: Vec<Due> = threatened(&bucket(rules, Some(false)), &tags).into_iter().map(|threat| threat.due).collect();
    assert_eq!(due, [Due::On(at("2026-03-10T00:00:00Z"))]);
    // Markers and versions come in two lists, and are put together by time.
    let tag = observed(
        &[("v3", "2026-02-01T00:00:00Z"), ("v1", "2026-01-01T00:00:00Z")],
        &[("m2", "2026-02-10T00:00:00Z"), ("m1", "2026-01-10T00:00:00Z")],
        true,
    );
    let key = Key::new(KEY, tag.object.as_ref().unwrap(), None, |_| None);
    assert_eq!(key.entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), ["m2", "v3", "m1", "v1"]);
}

#[test]
fn what_could_not_be_read_is_no_safety_i4_f48() {
    let rules = || configuration([expiring("old", 300), cleaning("clean", 3000, 0)]);
    let unreadable = BucketRetention { lifecycle: None, ..bucket(rules(), Some(false)) };
    let (nothing, targets) = (BTreeMap::new(), BTreeSet::from([artifact("v1")]));
    let objects = Objects { bucket: &unreadable, tags: &[], inspections: &nothing, held: &targets };
    assert_eq!(threats(&objects, &targets, now()), None);
    // Of a target that was not looked at, and was not listed, nothing is known.
    let readable = bucket(rules(), Some(true));
    let objects = Objects { bucket: &readable, ..objects };
    assert_eq!(threats(&objects, &targets, now()), Some(BTreeMap::new()));
    // A target that was not listed may stand anywhere.
    let lost = threatened(&bucket(rules(), Some(false)), &[]);
    let seen: Vec<_> = lost.iter().map(|threat| (threat.effect, threat.certainty)).collect();
    assert!(seen.contains(&(Effect::Hides, Certainty::Possible)), "{seen:?}");
    assert!(seen.contains(&(Effect::Deletes, Certainty::Possible)), "{seen:?}");
    // So may one in a key that the listing broke off in.
    let mut broken = observed(&[("v1", "2026-01-01T10:00:00Z")], &[], false);
    broken.target = Resolution::Unknown;
    assert_eq!(threatened(&bucket(rules(), Some(false)), &[broken]), lost);
    // And rules about other keys are no threat to it.
    let other = RuleFilter { prefix: "logs/".into(), ..RuleFilter::default() };
    let elsewhere = configuration([BucketRule { filter: other, ..expiring("logs", 1) }]);
    assert_eq!(threatened(&bucket(elsewhere, Some(false)), &[]), []);
}

#[test]
fn lint_tells_what_cannot_mean_what_it_says() {
    let layout = "{repository}/{version}/bundle.zip".parse().unwrap();
    let of = |rules: Vec<BucketRule>, versioning| {
        let lints = lint(&configuration(rules), Some(versioning), &layout);
        lints.into_iter().map(|lint| (lint.rule, lint.kind)).collect::<Vec<_>>()
    };
    let scoped =
        |filter: RuleFilter, rule: BucketRule| BucketRule { filter: RuleFilter { written: true, ..filter }, ..rule };
    let prefix = |prefix: &str| RuleFilter { prefix: prefix.into(), ..RuleFilter::default() };
    assert_eq!(of(vec![expiring("r", 1)], Enabled), [("r".to_owned(), LintKind::WholeBucket)]);
    assert_eq!(
        of(vec![scoped(prefix("api/1.0/bundles"), expiring("r", 1))], Enabled),
        [("r".to_owned(), LintKind::MatchesNoRelease)]
    );
    assert_eq!(of(vec![scoped(prefix("api/"), expiring("r", 1))], Enabled), []);
    for odd in ["/", "/*", "api/*", "/api/", "*", "api/1.*/", "/api/1.0/"] {
        let told = of(vec![scoped(prefix(odd), expiring("r", 1))], Enabled);
        assert_eq!(told, [("r".to_owned(), LintKind::PrefixTakenLiterally)], "{odd}");
    }
    let pins = RuleFilter { tags: tagged(&[("prod-pinned", "false")]), ..RuleFilter::default() };
    assert_eq!(of(vec![scoped(pins, expiring("r", 1))], Enabled), [("r".to_owned(), LintKind::ReachesOnlyPins)]);
    assert_eq!(
        of(vec![scoped(prefix("api/"), expiring("a", 1)), scoped(prefix("api/1"), cleaning("b", 1, 0))], Enabled),
        [("a".to_owned(), LintKind::HidesThenDestroys)]
    );
    assert_eq!(
        of(vec![scoped(prefix("api/"), moving("r", "GLACIER", 1))], Enabled),
        [("r".to_owned(), LintKind::ArchivesReleases)]
    );
    assert_eq!(of(vec![scoped(prefix("api/"), moving("r", "GLACIER_IR", 1))], Enabled), []);
    let legacy = BucketRule { filter: prefix("api/"), ..cleaning("r", 1, 3) };
    assert_eq!(of(vec![legacy], Enabled), [("r".to_owned(), LintKind::CountWithoutFilter)]);
    assert_eq!(of(vec![scoped(prefix("api/"), expiring("r", 1))], Off), [("r".to_owned(), LintKind::DestroysCurrent)]);
    let none = RuleFilter { larger_than: Some(9), smaller_than: Some(10), ..prefix("api/") };
    assert_eq!(of(vec![scoped(none, expiring("r", 1))], Enabled), [("r".to_owned(), LintKind::EmptySizeRange)]);
    let off = BucketRule { enabled: false, ..expiring("r", 1) };
    assert_eq!(of(vec![off], Enabled), [("r".to_owned(), LintKind::Disabled)]);
    // Of two rules that do the same, the one that can never be first is told, and of two that are equal the second.
    let api = |rule| scoped(prefix("api/"), rule);
    let shadowed =
        |rules| of(rules, Enabled).into_iter().filter(|(_, kind)| *kind == LintKind::Shadowed).collect::<Vec<_>>();
    let b = [("b".to_owned(), LintKind::Shadowed)];
    assert_eq!(shadowed(vec![api(cleaning("b", 9, 0)), api(cleaning("a", 3, 0))]), b);
    assert_eq!(shadowed(vec![api(cleaning("a", 3, 0)), api(cleaning("b", 3, 0))]), b);
    assert_eq!(shadowed(vec![api(cleaning("a", 3, 2)), api(cleaning("b", 9, 0))]), [], "it keeps fewer");
    assert_eq!(shadowed(vec![scoped(prefix("api/1"), expiring("a", 3)), api(expiring("b", 9))]), [], "it reaches more");
    assert_eq!(shadowed(vec![BucketRule { enabled: false, ..api(expiring("a", 3)) }, api(expiring("b", 9))]), []);
}

/// A key that was overwritten every hour for three years.
fn hourly(versions: i64) -> Key<'static> {
    let newest = at("2026-03-01T11:00:00Z");
    let written = |hours: i64| (newest - jiff::SignedDuration::from_hours(hours)).to_string();
    key((0..versions).map(|age| version(&format!("v{age}"), &written(age))))
}

/// Each of its days is worth a look at what is due on it, and no more.
#[test]
fn a_key_with_many_versions_is_judged_to_its_end_i20() {
    let many = hourly(26_280);
    let place = many.entries.len() - 1;
    for (days, keep_newer) in [(3650, 0), (3650, 100), (1, 30_000)] {
        let lifecycle = Lifecycle::new(&configuration([cleaning("clean", days, keep_newer)]));
        let threats = threats_to(&lifecycle, Some(Enabled), &many, place, now()).unwrap();
        let dated: Vec<&Threat> = threats.iter().filter(|threat| matches!(threat.due, Due::On(_) | Due::Now)).collect();
        let expected = (keep_newer < 30_000).then_some("2033-02-28T00:00:00Z");
        let due: Vec<Due> = dated.iter().map(|threat| threat.due.clone()).collect();
        assert_eq!(due, expected.map(|due| Due::On(at(due))).into_iter().collect::<Vec<_>>(), "{days} {keep_newer}");
    }
}

/// Nothing can stop the evaluation once it runs, and what it could not finish is unknown and never safe.
#[test]
fn a_key_that_would_take_too_long_to_judge_is_unknown_i20() {
    let many = hourly(5_000);
    let rules = (0..1000).map(|n| cleaning(&format!("clean {n}"), 3650, 0));
    let lifecycle = Lifecycle::new(&configuration(rules));
    assert_eq!(threats_to(&lifecycle, Some(Enabled), &many, 4_999, now()), None);
    assert!(threats_to(&lifecycle, Some(Enabled), &hourly(100), 99, now()).is_some());
}
