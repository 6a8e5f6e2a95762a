//! Documents that S3 refuses, prefixes that are no beginning of a key, and what a recommendation leaves to its reader.

use std::sync::Arc;

use prodpin::decide::lifecycle::TriedRules;
use prodpin::decide::lifecycle::s3::{LintKind, left_alone, lint, read};
use prodpin::model::{BucketLifecycle, BucketRetention, BucketRule, RuleFilter, TransitionMinimum, Versioning};

use proptest::prelude::*;

use super::world::{configuration, expiring, moving, tagged};

/// One rule that expires what this filter selects.
fn document(filter: &str) -> String {
    format!(r#"{{"Rules": [{{"ID": "r", "Status": "Enabled", "Filter": {filter}, "Expiration": {{"Days": 30}}}}]}}"#)
}

fn tags(count: usize) -> String {
    let tags: Vec<String> = (0..count).map(|n| format!(r#"{{"Key": "k{n}", "Value": "v"}}"#)).collect();
    format!(r#"{{"And": {{"Tags": [{}]}}}}"#, tags.join(","))
}

fn tag(key: usize, value: usize) -> String {
    format!(r#"{{"Tag": {{"Key": "{}", "Value": "{}"}}}}"#, "k".repeat(key), "v".repeat(value))
}

#[test]
fn filters_beyond_what_objects_have_are_refused_b66() {
    let prefix = |bytes: usize| format!(r#"{{"Prefix": "{}"}}"#, "p".repeat(bytes));
    let twice = r#"{"And": {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}}"#;
    for (filter, reason) in [
        (prefix(1_025), "its prefix has 1025 bytes"),
        (tags(11), "it asks for 11 tags"),
        (twice.to_owned(), "the tag \"a\" twice"),
        (tag(129, 1), "a key of 129"),
        (tag(1, 257), "a value of 257"),
    ] {
        let problems = read(&document(&filter)).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(reason)), "{filter}: {problems:?}");
    }
    for filter in [prefix(1_024), tags(10), tag(128, 256), tag(1, 0)] {
        assert!(read(&document(&filter)).is_ok(), "{filter}");
    }
}

fn kinds(prefix: &str) -> Vec<LintKind> {
    let filter = RuleFilter { written: true, prefix: prefix.into(), ..RuleFilter::default() };
    let lifecycle = configuration([BucketRule { filter, ..expiring("old", 30) }]);
    let layout = "{repository}/{version}/bundle.zip".parse().unwrap();
    lint(&lifecycle, Some(Versioning::Enabled), &layout).into_iter().map(|lint| lint.kind).collect()
}

#[test]
fn a_prefix_that_is_written_as_something_else_is_told_b66() {
    for prefix in [
        "/",
        "/api",
        "/api/",
        "/*",
        "api/*",
        "*",
        "**/bundle.zip",
        "ap?/",
        "^api/",
        "./api/",
        "../api",
        "s3://bundles/api/",
        "arn:aws:s3:::bundles/api",
        "api\\",
        "C:\\api",
        " api/",
        "api/ ",
        "\tapi",
        "\"api/\"",
        "'api/'",
    ] {
        assert_eq!(kinds(prefix), [LintKind::PrefixTakenLiterally], "{prefix:?}");
    }
    for prefix in ["api/", "api", "api/1.", "API/", "a-b_c.d/", "logs", ""] {
        assert!(!kinds(prefix).contains(&LintKind::PrefixTakenLiterally), "{prefix:?}");
    }
}

fn bucket(lifecycle: BucketLifecycle) -> BucketRetention {
    BucketRetention {
        bucket: "b".into(),
        versioning: Some(Versioning::Enabled),
        object_lock: Some(true),
        lifecycle: Some(Arc::new(lifecycle)),
        layout: "{repository}/{version}/bundle.zip".parse().unwrap(),
    }
}

#[test]
fn what_a_recommendation_leaves_to_its_reader_is_said_b66_b75() {
    let for_tag = |id: &str, tags: &[(&str, &str)], rule: BucketRule| BucketRule {
        id: id.into(),
        filter: RuleFilter { written: true, tags: tagged(tags), ..RuleFilter::default() },
        ..rule
    };
    let left = |rules: Vec<BucketRule>, minimum| {
        let lifecycle = BucketLifecycle { minimum, ..configuration(rules) };
        left_alone(&bucket(lifecycle), Some(&"api".parse().unwrap()))
    };
    let unknown = TransitionMinimum::Unknown;
    let said = left(vec![for_tag("temp", &[("temp", "yes")], expiring("", 30))], unknown);
    assert!(
        said.len() == 1 && said[0].contains("rule \"temp\" is left as it is") && said[0].contains("temp=yes"),
        "{said:?}"
    );
    let said = left(vec![for_tag("cold", &[("a", "1"), ("b", "2")], moving("", "GLACIER", 90))], unknown);
    assert!(said.len() == 1 && said[0].contains("a=1 and b=2"), "{said:?}");
    let elsewhere = BucketRule {
        filter: RuleFilter {
            written: true,
            prefix: "logs/x/y/z".into(),
            tags: tagged(&[("t", "1")]),
            ..RuleFilter::default()
        },
        ..expiring("logs", 30)
    };
    let disabled = BucketRule { enabled: false, ..for_tag("off", &[("t", "1")], expiring("", 1)) };
    let harmless = for_tag("warm", &[("t", "1")], moving("", "STANDARD_IA", 30));
    let pins = for_tag("pins", &[("prod-pinned", "true")], expiring("", 1));
    assert_eq!(left(vec![expiring("plain", 30), elsewhere, disabled, harmless, pins], unknown), Vec::<String>::new());
    for (minimum, says) in
        [(TransitionMinimum::VariesByClass, true), (TransitionMinimum::AllClasses, false), (unknown, false)]
    {
        let said = left(vec![moving("warm", "STANDARD_IA", 30)], minimum);
        assert_eq!(said.iter().any(|left| left.contains("varies_by_storage_class")), says, "{minimum:?}: {said:?}");
    }
}

const DOCUMENTS: &[&str] = &[
    r#"{"Rules":[{"ID":"r","Status":"Enabled","Filter":{"And":{"Prefix":"a/","Tags":[{"Key":"k","Value":"v"}]}},"Transitions":[{"Days":30,"StorageClass":"GLACIER"}],"Expiration":{"Days":90}}]}"#,
    "<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter><Prefix>a/</Prefix></Filter><Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>",
    r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":3},"action":{"type":"expire"}}]}"#,
];

const ODD: &[&str] = &[
    "null",
    "[]",
    "{}",
    "\"",
    "-1",
    "1e999",
    "99999999999999999999",
    "2147483648",
    "\u{feff}",
    "\0",
    "<",
    ">",
    "</",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "&amp;",
    "&#0;",
    "&x;",
    "<Rule>",
    "</Rule>",
    "<Days>",
    "{",
    "}",
    ",",
    ":",
    "\\ud800",
    "true",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever a document holds: it is read or refused, and what was read can be judged.
    #[test]
    fn any_document_is_read_or_refused(
        seed in proptest::sample::select(DOCUMENTS),
        changes in proptest::collection::vec((any::<u16>(), 0..12_usize, proptest::sample::select(ODD)), 0..5),
    ) {
        let mut text: Vec<char> = seed.chars().collect();
        for (place, cut, odd) in changes {
            let at = usize::from(place) % (text.len() + 1);
            let end = (at + cut).min(text.len());
            text.splice(at..end, odd.chars());
        }
        let text: String = text.into_iter().collect();
        match read(&text) {
            Ok(lifecycle) => {
                let layout = "{repository}/{version}/bundle.zip".parse().unwrap();
                _ = lint(&lifecycle, Some(Versioning::Enabled), &layout);
                left_alone(&bucket(lifecycle), None);
            }
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
        if let Err(error) = TriedRules::read(&text) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
