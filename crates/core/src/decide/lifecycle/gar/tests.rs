use super::*;

const DAY: i64 = 86_400;

fn now() -> Timestamp {
    Timestamp::from_second(1_796_000_000).unwrap()
}

fn version(name: &str, tag: Option<&str>, days: i64) -> Version {
    Version {
        package: "web/api".to_owned(),
        name: name.to_owned(),
        tags: tag.into_iter().map(ToOwned::to_owned).collect(),
        uploaded: Timestamp::from_second(now().as_second() - days * DAY).unwrap(),
    }
}

fn by(policy: &str) -> Vec<String> {
    vec![policy.to_owned()]
}

fn judged(policies: &str, versions: &[Version]) -> Vec<Verdict> {
    judge(&Policies::parse(policies).unwrap(), versions, now())
}

#[test]
fn k42_gar_the_vendors_example() {
    let policies = r#"{
        "old": {"id": "old", "action": "DELETE", "condition": {"olderThan": "8640000s"}},
        "default": {"id": "default", "action": "DELETE", "condition": {"tagState": "TAGGED", "tagPrefixes": ["default"]}},
        "stable": {"id": "stable", "action": "KEEP", "condition": {"versionNamePrefixes": ["2.0.6"]}}
    }"#;
    let versions = [
        version("2.0.1", Some("default"), 120),
        version("2.0.6", Some("default"), 150),
        version("1.9.2", Some("patch"), 20),
    ];
    let verdicts = judged(policies, &versions);
    let deleted = Verdict::Deleted { by: vec!["default".to_owned(), "old".to_owned()] };
    assert_eq!(verdicts, [deleted, Verdict::Kept { by: by("stable") }, Verdict::Untouched]);
}

#[test]
fn k41_gar_all_of_a_condition_has_to_be_true() {
    for (condition, fits) in [
        ("{}", true),
        (r#"{"tagState":"TAG_STATE_UNSPECIFIED"}"#, true),
        (r#"{"tagState":"ANY"}"#, true),
        (r#"{"tagState":"TAGGED"}"#, true),
        (r#"{"tagState":"UNTAGGED"}"#, false),
        (r#"{"tagPrefixes":["x","v1"]}"#, true),
        (r#"{"tagState":"TAGGED","tagPrefixes":["x","v1"]}"#, true),
        (r#"{"tagState":"TAGGED","tagPrefixes":["x"]}"#, false),
        (r#"{"tagPrefixes":["x"],"olderThan":"864000s"}"#, false),
        (r#"{"versionNamePrefixes":["sha256:a"]}"#, true),
        (r#"{"packageNamePrefixes":["web"]}"#, true),
        (r#"{"packageNamePrefixes":["api"]}"#, false),
        (r#"{"packageNamePrefixes":["web","web/api"]}"#, true),
        (r#"{"olderThan":"863999s"}"#, true),
        (r#"{"olderThan":"864000s"}"#, false),
        (r#"{"newerThan":"864000.5s"}"#, true),
        (r#"{"newerThan":"864000s"}"#, false),
        (r#"{"olderThan":"863999s","tagState":"UNTAGGED"}"#, false),
    ] {
        let policies = format!(r#"{{"p":{{"action":"DELETE","condition":{condition}}}}}"#);
        let verdict = judged(&policies, &[version("sha256:ab", Some("v1.2"), 10)]).remove(0);
        assert_eq!(verdict, if fits { Verdict::Deleted { by: by("p") } } else { Verdict::Untouched }, "{condition}");
    }
}

/// "Any tag state: ignores tag state", and "tagState must be set to TAGGED to use tag prefixes", say the vendor's pages.
#[test]
fn k41_gar_prefixes_beside_any_state_of_tags_narrow_nothing_for_sure() {
    let release = version("sha256:ab", Some("v1.2"), 40);
    for state in ["", r#""tagState":"ANY","#, r#""tagState":"TAG_STATE_UNSPECIFIED","#] {
        let prefixed = format!(r#"{{{state}"tagPrefixes":["dev-"],"olderThan":"2592000s"}}"#);
        let deletes = format!(r#"{{"p":{{"action":"DELETE","condition":{prefixed}}}}}"#);
        assert_eq!(
            judged(&deletes, std::slice::from_ref(&release)),
            [Verdict::Undetermined { by: by("p") }],
            "{state}"
        );
        let untagged = version("sha256:cd", None, 40);
        assert_eq!(judged(&deletes, &[untagged]), [Verdict::Undetermined { by: by("p") }], "{state}");
        let keeps = |tag: &str| {
            format!(
                r#"{{"p":{{"action":"DELETE","condition":{{}}}},
                    "k":{{"action":"KEEP","condition":{{{state}"tagPrefixes":["{tag}"]}}}}}}"#
            )
        };
        assert_eq!(judged(&keeps("v1"), std::slice::from_ref(&release)), [Verdict::Kept { by: by("k") }], "{state}");
        assert_eq!(
            judged(&keeps("dev-"), std::slice::from_ref(&release)),
            [Verdict::Undetermined { by: by("p") }],
            "{state}"
        );
    }
}

#[test]
fn k43_gar_a_count_is_of_digests_and_platforms_take_places() {
    let policies = r#"{
        "all": {"action": "DELETE", "condition": {}},
        "five": {"action": "KEEP", "mostRecentVersions": {"keepCount": 5}}
    }"#;
    // Each release an index and two platforms, pushed one after the other.
    let release = |days: i64, tag| {
        [version("index", Some(tag), days), version("amd64", None, days), version("arm64", None, days)]
    };
    let mut versions: Vec<Version> =
        [(1, "v3"), (2, "v2"), (3, "v1")].into_iter().flat_map(|(days, tag)| release(days, tag)).collect();
    for (index, version) in versions.iter_mut().enumerate() {
        version.uploaded =
            Timestamp::from_second(version.uploaded.as_second() - i64::try_from(index).unwrap()).unwrap();
    }
    let kept =
        judged(policies, &versions).into_iter().filter(|verdict| matches!(verdict, Verdict::Kept { .. })).count();
    assert_eq!(kept, 5);
    // Of the second release a platform is gone.
    assert_eq!(judged(policies, &versions)[5], Verdict::Deleted { by: by("all") });
    // Another package is counted by itself.
    versions[8].package = "web/worker".to_owned();
    assert_eq!(judged(policies, &versions)[8], Verdict::Kept { by: by("five") });
}

#[test]
fn k43_gar_which_of_one_moment_is_the_most_recent_is_told_as_open() {
    let policies = r#"{
        "all": {"action": "DELETE", "condition": {}},
        "one": {"action": "KEEP", "mostRecentVersions": {"keepCount": 2, "packageNamePrefixes": ["web"]}}
    }"#;
    let versions = [version("a", None, 1), version("b", None, 2), version("c", None, 2), version("d", None, 3)];
    let open = || Verdict::Undetermined { by: by("all") };
    let expected = [Verdict::Kept { by: by("one") }, open(), open(), Verdict::Deleted { by: by("all") }];
    assert_eq!(judged(policies, &versions), expected);
}

/// The API escapes slashes in names of packages, and policies may mean either spelling.
#[test]
fn k41_gar_a_prefix_with_a_slash_leaves_it_open_which_packages_are_meant() {
    let open = Verdict::Undetermined { by: by("p") };
    for prefix in ["web/a", "web%2Fa"] {
        let deletes = format!(r#"{{"p":{{"action":"DELETE","condition":{{"packageNamePrefixes":["{prefix}"]}}}}}}"#);
        assert_eq!(judged(&deletes, &[version("a", None, 1)]), std::slice::from_ref(&open), "{prefix}");
        for kept in [
            format!(r#""condition":{{"packageNamePrefixes":["{prefix}"]}}"#),
            format!(r#""mostRecentVersions":{{"keepCount":9,"packageNamePrefixes":["{prefix}"]}}"#),
        ] {
            let keeps = format!(r#"{{"p":{{"action":"DELETE","condition":{{}}}},"k":{{"action":"KEEP",{kept}}}}}"#);
            assert_eq!(judged(&keeps, &[version("a", None, 1)]), std::slice::from_ref(&open), "{kept}");
        }
    }
}

#[test]
fn k41_gar_what_is_not_known_is_not_read() {
    for (text, problem) in [
        ("[]", "not what the API"),
        (r#"{"p":{"action":"DELETE","condition":{"size":1}}}"#, "not what the API"),
        (r#"{"p":{"action":"ARCHIVE","condition":{}}}"#, "not what the API"),
        (r#"{"p":{"action":"DELETE"}}"#, "either a condition or a number"),
        (r#"{"p":{"action":"DELETE","mostRecentVersions":{"keepCount":1}}}"#, "only policies to keep"),
        (
            r#"{"p":{"action":"KEEP","condition":{"tagState":"UNTAGGED","tagPrefixes":["v"]}}}"#,
            "beside tagState UNTAGGED",
        ),
        (r#"{"p":{"action":"DELETE","condition":{"olderThan":"30d"}}}"#, "a span of time that is none: 30d"),
    ] {
        let error = Policies::parse(text).unwrap_err().to_string();
        assert!(error.contains(problem), "{text}: {error}");
    }
    assert_eq!(judged("{}", &[version("a", None, 999)]), [Verdict::Untouched]);
}

#[test]
fn i22_gar_a_pin_by_tag_worsens_no_fate_but_where_its_prefix_is_deleted() {
    let bare = vec![version("a", Some("v1"), 9), version("b", None, 8)];
    let mut pinned = bare.clone();
    pinned[1].tags.push("prod-pinned-b".to_owned());
    let untagged = r#"{"p":{"action":"DELETE","condition":{"tagState":"UNTAGGED"}}}"#;
    assert_eq!(judged(untagged, &bare)[1], Verdict::Deleted { by: by("p") });
    assert_eq!(judged(untagged, &pinned), [Verdict::Untouched, Verdict::Untouched]);
    // A policy that deletes what has such a tag is one that a pin runs into.
    let tagged = r#"{"p":{"action":"DELETE","condition":{"tagState":"TAGGED","tagPrefixes":["prod-"]}}}"#;
    assert_eq!(judged(tagged, &bare)[1], Verdict::Untouched);
    assert_eq!(judged(tagged, &pinned)[1], Verdict::Deleted { by: by("p") });
}
