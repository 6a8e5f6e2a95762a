//! Lifecycle configurations as people write them.

use std::sync::Arc;

use prodpin::decide::lifecycle::TriedRules;
use prodpin::decide::lifecycle::s3::{is_meant, read, recommend};
use prodpin::model::{
    BucketExpiration, BucketLifecycle, BucketRetention, BucketRule, BucketTransition, NoncurrentLimit, RuleFilter,
    StorageClass, TransitionMinimum, Trigger, Versioning,
};

use super::world::{at, cleaning, configuration, expiring, moving, tagged};

fn bucket(lifecycle: BucketLifecycle, object_lock: bool) -> BucketRetention {
    BucketRetention {
        bucket: "b".into(),
        versioning: Some(Versioning::Enabled),
        object_lock: Some(object_lock),
        lifecycle: Some(Arc::new(lifecycle)),
        layout: "{repository}/{version}/bundle.zip".parse().unwrap(),
    }
}

const XML: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <!-- what a person wrote -->
  <Rule>
    <ID>a &amp; b</ID>
    <Filter><And><Prefix>api/</Prefix><Tag><Key>kind</Key><Value>build</Value></Tag><Tag><Key>x</Key><Value/></Tag></And></Filter>
    <Status>Enabled</Status>
    <Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass></Transition>
    <Transition><Days>60</Days><StorageClass>GLACIER</StorageClass></Transition>
    <Expiration><Days>365</Days></Expiration>
    <NoncurrentVersionTransition><NoncurrentDays>30</NoncurrentDays><StorageClass>GLACIER_IR</StorageClass></NoncurrentVersionTransition>
    <NoncurrentVersionExpiration><NoncurrentDays>90</NoncurrentDays><NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionExpiration>
  </Rule>
  <Rule>
    <Filter/>
    <Status>Disabled</Status>
    <Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>
    <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>
  </Rule>
  <Rule>
    <Filter/>
    <Status>Enabled</Status>
    <Transition><Date>2027-01-31T00:00:00.000Z</Date><StorageClass>GLACIER</StorageClass></Transition>
    <Expiration><Date>2028-01-31T00:00:00Z</Date></Expiration>
  </Rule>
</LifecycleConfiguration>"#;

const JSON: &str = r#"{"TransitionDefaultMinimumObjectSize": "varies_by_storage_class", "Rules": [
  {"ID": "a & b", "Status": "Enabled",
   "Filter": {"And": {"Prefix": "api/", "Tags": [{"Key": "kind", "Value": "build"}, {"Key": "x", "Value": ""}]}},
   "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 60, "StorageClass": "GLACIER"}],
   "Expiration": {"Days": 365},
   "NoncurrentVersionTransitions": [{"NoncurrentDays": 30, "StorageClass": "GLACIER_IR"}],
   "NoncurrentVersionExpiration": {"NoncurrentDays": 90, "NewerNoncurrentVersions": 3}},
  {"Status": "Disabled", "Filter": {}, "Expiration": {"ExpiredObjectDeleteMarker": true},
   "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
  {"Status": "Enabled", "Filter": {}, "Transitions": [{"Date": "2027-01-31", "StorageClass": "GLACIER"}],
   "Expiration": {"Date": "2028-01-31"}}]}"#;

#[test]
fn xml_and_json_say_the_same_b66() {
    let (xml, json) = (read(XML).unwrap(), read(JSON).unwrap());
    assert_eq!(xml.rules, json.rules);
    assert_eq!((xml.minimum, json.minimum), (TransitionMinimum::Unknown, TransitionMinimum::VariesByClass));
    let first = &xml.rules[0];
    assert_eq!((&*first.id, &*first.filter.prefix), ("a & b", "api/"));
    assert_eq!(first.filter.tags, tagged(&[("kind", "build"), ("x", "")]));
    assert_eq!(first.transitions[1].when, Trigger::Days(60));
    assert_eq!(xml.rules[2].transitions[0].when, Trigger::Date(at("2027-01-31T00:00:00Z")));
    assert_eq!(first.noncurrent_expiration, Some(NoncurrentLimit { days: 90, keep_newer: 3 }));
    let second = &xml.rules[1];
    assert_eq!((second.enabled, second.filter.written, second.abort_uploads_after), (false, true, Some(7)));
    assert_eq!(second.expiration, Some(BucketExpiration::LoneMarkers));
}

#[test]
fn whatever_s3_would_refuse_is_told_all_at_once() {
    let rule = |rest: &str| format!(r#"{{"Rules": [{{"ID": "r", "Status": "Enabled", {rest}}}]}}"#);
    let days = r#""Expiration": {"Days": 1}"#;
    for (text, expected) in [
        (r#"{"Rules": []}"#.to_owned(), "no rules"),
        (r#"{"Rules": [7]}"#.to_owned(), "rule number 1"),
        (r#"{"Rules": {}}"#.to_owned(), "must be a list"),
        (rule(days), "neither a Filter nor a Prefix"),
        (rule(&format!(r#""Filter": {{}}, "Prefix": "", {days}"#)), "older Prefix"),
        (rule(&format!(r#""Filter": {{"Prefix": "a", "ObjectSizeLessThan": 5}}, {days}"#)), "more than one condition"),
        (rule(&format!(r#""Filter": {{"And": {{"Prefix": "a"}}}}, {days}"#)), "less than two"),
        (rule(&format!(r#""Filter": {{"Not": {{}}}}, {days}"#)), "\"Not\""),
        (rule(&format!(r#""Filter": {{}}, {days}, {days}"#)), "twice"),
        (rule(r#""Filter": {}"#), "does nothing"),
        (rule(r#""Filter": {}, "Expiration": {"Days": 0}"#), "must be 1 to"),
        (rule(r#""Filter": {}, "Expiration": {"Days": 1, "Date": "2027-01-01"}"#), "not both"),
        (rule(r#""Filter": {}, "Expiration": {"Date": "2027-01-01T01:00:00Z"}"#), "midnight"),
        (rule(r#""Filter": {}, "Expiration": {}"#), "neither Days nor Date"),
        (rule(r#""Filter": {}, "Expiration": {"Days": -1}"#), "whole number"),
        (rule(r#""Filter": {}, "Transitions": [{"Days": 1, "StorageClass": "PERMAFROST"}]"#), "PERMAFROST"),
        (rule(r#""Filter": {}, "NoncurrentVersionExpiration": {}"#), "lacks NoncurrentDays"),
        (
            rule(
                r#""Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 101}"#,
            ),
            "1 to 100",
        ),
        (
            rule(r#""Prefix": "", "NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 1}"#),
            "needs a Filter in place of the older Prefix",
        ),
        ("<LifecycleConfiguration>".to_owned(), "ends in the middle"),
        ("<Rules/>".to_owned(), "root"),
        ("<LifecycleConfiguration>x</LifecycleConfiguration>".to_owned(), "holds text"),
        ("<LifecycleConfiguration/><LifecycleConfiguration/>".to_owned(), "second document"),
        ("<!DOCTYPE x [<!ENTITY a \"b\">]><LifecycleConfiguration/>".to_owned(), "document type"),
        ("<LifecycleConfiguration><Rule><ID>&a;</ID></Rule></LifecycleConfiguration>".to_owned(), "&a;"),
        (format!("{}x", "<LifecycleConfiguration>".repeat(100_000)), "nested deeper"),
    ] {
        let problems = TriedRules::read(&text).unwrap_err().problems;
        let found = problems.iter().any(|problem| problem.contains(expected));
        assert!(found, "{expected}: {problems:?} for {}", &text[..text.len().min(200)]);
    }
    let two = read(r#"{"Rules": [{"Filter": {}, "Expiration": {"Days": 0}}]}"#).unwrap_err();
    assert_eq!(two.len(), 2, "{two:?}");
}

/// What the parts of one rule say to each other. Beside each document that S3 refuses stands its nearest neighbour that it takes.
#[test]
fn a_rule_whose_parts_contradict_each_other_is_refused_b66_b67() {
    let rule = |rest: &str| read(&format!(r#"{{"Rules": [{{"ID": "r", "Status": "Enabled", {rest}}}]}}"#));
    let moves = |kind: &str, list: &[(&str, u32)], rest: &str| {
        let (member, days) = if kind == "current" {
            ("Transitions", "Days")
        } else {
            ("NoncurrentVersionTransitions", "NoncurrentDays")
        };
        let list: Vec<String> =
            list.iter().map(|(class, n)| format!(r#"{{"{days}": {n}, "StorageClass": "{class}"}}"#)).collect();
        rule(&format!(r#""Filter": {{}}, "{member}": [{}]{rest}"#, list.join(", ")))
    };
    let end = |kind: &str, days: u32| match kind {
        "current" => format!(r#", "Expiration": {{"Days": {days}}}"#),
        _ => format!(r#", "NoncurrentVersionExpiration": {{"NoncurrentDays": {days}}}"#),
    };
    for kind in ["current", "noncurrent"] {
        for class in ["STANDARD_IA", "ONEZONE_IA"] {
            assert_refused(moves(kind, &[(class, 29)], ""), "at least 30 days");
            moves(kind, &[(class, 30)], "").unwrap();
            for archive in ["GLACIER", "DEEP_ARCHIVE"] {
                assert_refused(moves(kind, &[(class, 30), (archive, 59)], ""), "at least 30 days after that to");
                assert_refused(moves(kind, &[(archive, 1), (class, 30)], ""), "at least 30 days after that to");
                moves(kind, &[(archive, 60), (class, 30)], "").unwrap();
            }
        }
        for class in ["INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"] {
            moves(kind, &[(class, 0)], "").unwrap();
            assert_refused(moves(kind, &[(class, 40), (class, 80)], ""), "go to");
            assert_refused(moves(kind, &[(class, 40)], &end(kind, 40)), "must come later");
            assert_refused(moves(kind, &[(class, 40)], &end(kind, 39)), "must come later");
            moves(kind, &[(class, 40)], &end(kind, 41)).unwrap();
        }
    }
    let dated = |expires: &str| {
        rule(&format!(
            r#""Filter": {{}}, "Transitions": [{{"Date": "2027-02-01", "StorageClass": "GLACIER"}}], "Expiration": {expires}"#
        ))
    };
    assert_refused(dated(r#"{"Days": 400}"#), "mixes Days and Date");
    assert_refused(dated(r#"{"Date": "2027-02-01"}"#), "must come later");
    dated(r#"{"Date": "2027-02-02"}"#).unwrap();
    let sized = r#""Filter": {"ObjectSizeLessThan": 9}"#;
    assert_refused(
        rule(&format!(r#"{sized}, "AbortIncompleteMultipartUpload": {{"DaysAfterInitiation": 7}}"#)),
        "sizes",
    );
    assert_refused(rule(&format!(r#"{sized}, "Expiration": {{"ExpiredObjectDeleteMarker": true}}"#)), "sizes");
    let between = |larger: u32, smaller: u32| {
        rule(&format!(
            r#""Filter": {{"And": {{"ObjectSizeGreaterThan": {larger}, "ObjectSizeLessThan": {smaller}}}}}, "Expiration": {{"Days": 9}}"#
        ))
    };
    assert_refused(between(9, 9), "must be greater than");
    assert_refused(between(10, 9), "must be greater than");
    between(8, 9).unwrap();
}

#[track_caller]
fn assert_refused(read: Result<BucketLifecycle, Vec<String>>, expected: &str) {
    let problems = read.expect_err(expected);
    assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:?}");
}

#[test]
fn a_policy_of_another_service_is_not_meant() {
    assert!(is_meant(XML) && is_meant(JSON) && is_meant("\u{feff} <x/>"));
    assert!(!is_meant(r#"{"rules": []}"#) && !is_meant("[]") && !is_meant("rules"));
}

/// What nothing has to be changed in comes back as it was, in every shape that a rule can have.
#[test]
fn what_is_written_is_read_as_the_same() {
    let filters = [
        RuleFilter { written: true, prefix: "logs/".into(), ..RuleFilter::default() },
        RuleFilter { written: false, prefix: "logs/".into(), ..RuleFilter::default() },
        RuleFilter { written: true, tags: tagged(&[("kind", "build")]), ..RuleFilter::default() },
        RuleFilter { written: true, tags: tagged(&[("a", "1"), ("b", "2")]), ..RuleFilter::default() },
        RuleFilter {
            written: true,
            prefix: "logs/".into(),
            larger_than: Some(5),
            smaller_than: Some(9),
            tags: tagged(&[("a", "")]),
        },
        RuleFilter { written: true, tags: tagged(&[("a", "1")]), larger_than: Some(5), ..RuleFilter::default() },
    ];
    let dated = |date| Trigger::Date(at(date));
    let moved = BucketTransition { class: StorageClass::new("GLACIER"), when: dated("2027-01-31T00:00:00Z") };
    let later =
        BucketTransition { class: StorageClass::new("GLACIER"), when: NoncurrentLimit { days: 4, keep_newer: 0 } };
    let rules = filters.into_iter().enumerate().map(|(number, filter)| BucketRule {
        expiration: Some(BucketExpiration::Current(dated("2027-02-01T00:00:00Z"))),
        noncurrent_expiration: Some(NoncurrentLimit { days: 9, keep_newer: u32::from(filter.written) }),
        transitions: vec![moved.clone()],
        noncurrent_transitions: vec![later.clone()],
        filter,
        ..expiring(&format!("r{number}"), 9)
    });
    let lifecycle = configuration(rules);
    let text = recommend(&bucket(lifecycle.clone(), true), Some(&"api".parse().unwrap())).unwrap();
    assert_eq!(read(&text).unwrap().rules, lifecycle.rules);
}

#[test]
fn only_what_can_take_a_pinned_release_is_taken_out_b66_b74() {
    let lifecycle = configuration([
        BucketRule { noncurrent_expiration: Some(NoncurrentLimit { days: 9, keep_newer: 0 }), ..expiring("both", 30) },
        moving("cool", "GLACIER", 3),
        moving("cheap", "STANDARD_IA", 30),
        BucketRule {
            filter: RuleFilter { written: true, tags: tagged(&[("prod-pinned", "true")]), ..RuleFilter::default() },
            ..expiring("pins", 1)
        },
        BucketRule {
            filter: RuleFilter { written: true, tags: tagged(&[("kind", "build")]), ..RuleFilter::default() },
            ..expiring("builds", 1)
        },
        cleaning("clean", 5, 0),
    ]);
    let acts = |object_lock| -> Vec<(String, bool, bool, bool)> {
        let text = recommend(&bucket(lifecycle.clone(), object_lock), None).unwrap();
        let rules = read(&text).unwrap().rules.into_iter();
        rules
            .map(|r| (r.id.to_string(), r.enabled, r.expiration.is_some(), r.noncurrent_expiration.is_some()))
            .collect()
    };
    let reported = |name: &str, enabled, expires, cleans| (name.to_owned(), enabled, expires, cleans);
    let locked = [
        reported("both", true, false, true),
        reported("cool", false, false, false),
        reported("cheap", true, false, false),
        reported("pins", false, true, false),
        reported("builds", true, true, false),
        reported("clean", true, false, true),
    ];
    assert_eq!(acts(true), locked);
    let unlocked = acts(false);
    assert_eq!(unlocked[0], reported("both", false, true, true), "S3 takes no rule that does nothing");
    assert_eq!(unlocked[5], reported("clean", false, false, true));
    let unread = recommend(&BucketRetention { lifecycle: None, ..bucket(lifecycle, true) }, None).unwrap_err();
    assert!(unread.contains("could not be read"), "{unread}");
    let none = recommend(&bucket(configuration([]), true), None).unwrap_err();
    assert!(none.contains("has no lifecycle rules"), "{none}");
}
