//! What threatens the targets of a whole bucket, once they are pinned.

use std::collections::{BTreeMap, BTreeSet};

use prodpin::decide::lifecycle::s3::{Key, LintKind, Objects, lint, threats};
use prodpin::model::Versioning::{Enabled, Off};
use prodpin::model::{
    ArtifactId, BucketLifecycle, BucketRetention, BucketRule, Certainty, Closure, Content, DeleteMarker, Due, Effect,
    Inspection, Lock, ObjectFacts, ObjectState, ObjectVersion, ObservedTag, PinState, Presence, Replication,
    Resolution, RuleFilter, StorageClass, Threat,
};

use crate::forecast_s3::world::*;

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
        parts: Default::default(),
        pin_is_immutable: None,
        undeletable: None,
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
        let reported = of(vec![scoped(prefix(odd), expiring("r", 1))], Enabled);
        assert_eq!(reported, [("r".to_owned(), LintKind::PrefixTakenLiterally)], "{odd}");
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
    // Of two rules that do the same, the one that can never be first is reported, and of two that are equal the second.
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
