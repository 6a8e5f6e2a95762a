//! K57 and GitLab's own sources, case by case.

use jiff::SignedDuration;

use super::*;
use crate::decide::lifecycle::gitlab::{Fate, PolicyProblem, Standing};
use crate::model::Tag;

fn policy(rest: &str) -> String {
    format!(r#"{{"enabled":true,"cadence":"1d","next_run_at":"2026-11-30T00:00:00.000Z",{rest}}}"#)
}

fn fates(policy_rest: &str, protection: &str, tags: &[DatedTag], pushes: usize) -> String {
    let judged = rules(&policy(policy_rest), protection).judge(tags, now(), pushes);
    let word = |fate: &Fate| match fate {
        Fate::Stays => "stays",
        Fate::Open => "open",
        Fate::Goes => "goes",
    };
    let words: Vec<String> = judged.iter().map(|(tag, fate)| format!("{tag} {}", word(fate))).collect();
    words.join(", ")
}

#[test]
fn k57_what_is_left_out_what_is_counted_and_what_is_old() {
    let tags = [tag("v1", 50), tag("v2", 40), tag("v3", 30), tag("dev", 20), tag("latest", 60)];
    for (rest, protection, expected) in [
        // Nothing is taken without an expression that says what.
        (r#""name_regex":null,"name_regex_keep":null"#, "[]", "dev stays, latest stays, v1 stays, v2 stays, v3 stays"),
        (r#""name_regex":"","name_regex_keep":"""#, "[]", "dev stays, latest stays, v1 stays, v2 stays, v3 stays"),
        // Without a number and an age, everything but `latest`.
        (r#""name_regex":".*","name_regex_keep":null"#, "[]", "dev goes, latest stays, v1 goes, v2 goes, v3 goes"),
        (
            r#""name_regex":".*","name_regex_keep":null,"keep_n":2"#,
            "[]",
            "dev stays, latest stays, v1 goes, v2 goes, v3 stays",
        ),
        // `latest` takes no place; what does not match takes none either.
        (
            r#""name_regex":"v.*","name_regex_keep":null,"keep_n":2"#,
            "[]",
            "dev stays, latest stays, v1 goes, v2 stays, v3 stays",
        ),
        (
            r#""name_regex":".*","name_regex_keep":"v1","keep_n":2"#,
            "[]",
            "dev stays, latest stays, v1 stays, v2 goes, v3 stays",
        ),
        // Strictly older.
        (
            r#""name_regex":".*","name_regex_keep":null,"older_than":"40d""#,
            "[]",
            "dev stays, latest stays, v1 goes, v2 stays, v3 stays",
        ),
        (
            r#""name_regex":".*","name_regex_keep":null,"keep_n":1,"older_than":"30d""#,
            "[]",
            "dev stays, latest stays, v1 goes, v2 goes, v3 stays",
        ),
        (
            r#""name_regex":".*","name_regex_keep":null,"keep_n":0"#,
            "[]",
            "dev goes, latest stays, v1 goes, v2 goes, v3 goes",
        ),
        // The newer name of the key comes first.
        (
            r#""name_regex":".*","name_regex_delete":"dev","name_regex_keep":null"#,
            "[]",
            "dev goes, latest stays, v1 stays, v2 stays, v3 stays",
        ),
        // What is protected stays, and takes a place all the same.
        (
            r#""name_regex":".*","name_regex_keep":null,"keep_n":2"#,
            r#"[{"tag_name_pattern":"^dev$","minimum_access_level_for_delete":"owner"}]"#,
            "dev stays, latest stays, v1 goes, v2 goes, v3 stays",
        ),
        (
            r#""name_regex":".*","name_regex_keep":null"#,
            r#"[{"tag_name_pattern":"v[12]"}]"#,
            "dev goes, latest stays, v1 stays, v2 stays, v3 goes",
        ),
    ] {
        assert_eq!(fates(rest, protection, &tags, 0), expected, "{rest} {protection}");
    }
}

#[test]
fn k57_the_expressions_of_a_policy_are_anchored_an_alternative_at_one_end_alone() {
    let tags = [tag("dev-1", 9), tag("main", 9), tag("x-main", 9), tag("x-dev", 9)];
    let rest = |delete: &str| format!(r#""name_regex":"{delete}","name_regex_keep":null"#);
    for (delete, expected) in [
        ("dev", "dev-1 stays, main stays, x-dev stays, x-main stays"),
        ("dev.*", "dev-1 goes, main stays, x-dev stays, x-main stays"),
        ("dev|main", "dev-1 goes, main goes, x-dev stays, x-main goes"),
        ("(dev|main)", "dev-1 stays, main goes, x-dev stays, x-main stays"),
    ] {
        assert_eq!(fates(&rest(delete), "[]", &tags, 0), expected, "{delete}");
    }
    // Those of protection rules are looked for anywhere.
    let protected = fates(&rest(".*"), r#"[{"tag_name_pattern":"main"}]"#, &tags, 0);
    assert_eq!(protected, "dev-1 goes, main stays, x-dev goes, x-main stays");
}

#[test]
fn k57_a_pin_takes_a_place_unless_it_is_preserved_by_name() {
    let pin = "prod-pinned-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let tags = [tag("v1", 3), tag("v2", 2), tag(pin, 0)];
    let protects = r#"[{"tag_name_pattern":"^prod-pinned-","minimum_access_level_for_delete":"admin"}]"#;
    let counted = fates(r#""name_regex":".*","name_regex_keep":null,"keep_n":2"#, protects, &tags, 0);
    assert_eq!(
        counted,
        format!("{pin} stays, v1 goes, v2 stays"),
        "a protection rule does not keep it from being counted"
    );
    let preserved = fates(r#""name_regex":".*","name_regex_keep":"prod-pinned-.*","keep_n":2"#, "[]", &tags, 0);
    assert_eq!(preserved, format!("{pin} stays, v1 stays, v2 stays"));
    let rules = rules(&policy(r#""name_regex":".*","name_regex_keep":"prod-pinned-.*""#), "[]");
    assert_eq!(rules.standing(&pin.parse().unwrap()), Standing::Preserved);
}

#[test]
fn what_is_not_told_is_open_and_never_safe() {
    let unsaid = r#""name_regex":".*""#;
    assert_eq!(fates(unsaid, "[]", &[tag("v1", 9)], 0), "v1 open", "what is preserved was not told");
    let undated = |name: &str| DatedTag { pushed: When::Unknown, ..tag(name, 9) };
    let keep = r#""name_regex":".*","name_regex_keep":null,"keep_n":1"#;
    // By the one date `v1` goes, by the other it may.
    assert_eq!(fates(keep, "[]", &[undated("v1"), tag("v2", 1)], 0), "v1 open, v2 open");
    assert_eq!(fates(keep, "[]", &[undated("v1")], 0), "v1 stays", "there is none to push it out");
    let old = r#""name_regex":".*","name_regex_keep":null,"older_than":"7d""#;
    assert_eq!(fates(old, "[]", &[undated("v1")], 0), "v1 open");
    // Of equals any may be the newest.
    assert_eq!(fates(keep, "[]", &[tag("a", 5), tag("b", 5), tag("c", 6)], 0), "a open, b open, c goes");
    // GitLab takes what has no date for the newest, and never for old.
    let dateless = DatedTag { pushed: When::Never, built: When::Never, ..tag("v1", 9) };
    assert_eq!(fates(keep, "[]", &[dateless.clone(), tag("v2", 1)], 0), "v1 stays, v2 goes");
    assert_eq!(fates(old, "[]", &[dateless], 0), "v1 stays");
}

#[test]
fn pushes_to_come_take_places() {
    let keep = r#""name_regex":".*","name_regex_keep":null,"keep_n":3"#;
    let tags = [tag("v1", 3), tag("v2", 2)];
    for (pushes, expected) in
        [(0, "v1 stays, v2 stays"), (1, "v1 stays, v2 stays"), (2, "v1 goes, v2 stays"), (3, "v1 goes, v2 goes")]
    {
        assert_eq!(fates(keep, "[]", &tags, pushes), expected, "{pushes}");
    }
}

#[test]
fn beyond_a_page_of_tags_what_counts_together_is_open() {
    let keep = r#""name_regex":"v.*","name_regex_keep":null,"keep_n":1"#;
    let mut tags = vec![tag("v1", 3), tag("v2", 2)];
    tags.extend((0..998).map(|number| tag(&format!("other-{number}"), 1)));
    assert_eq!(tags.len(), 1_000);
    assert!(fates(keep, "[]", &tags, 0).ends_with("v1 goes, v2 stays"));
    tags.push(tag("other-more", 1));
    assert!(fates(keep, "[]", &tags, 0).ends_with("v1 open, v2 stays"));
    // What nothing counts goes wherever it stands.
    let all = r#""name_regex":"v.*","name_regex_keep":null"#;
    assert!(fates(all, "[]", &tags, 0).ends_with("v1 goes, v2 goes"));
}

#[test]
fn a_policy_is_read_or_is_a_problem_and_never_none() {
    let parse = |text: &str| CleanupPolicy::parse(text);
    assert!(parse("null").unwrap().is_none());
    assert!(parse(r#"{"enabled":false,"name_regex":"("}"#).unwrap().is_none(), "what is off is not read");
    for wrong in [
        "",
        "[]",
        "{}",
        "true",
        r#"{"enabled":"yes"}"#,
        r#"{"enabled":true,"keep_n":-1}"#,
        r#"{"enabled":true,"name_regex_keep":7}"#,
    ] {
        assert!(matches!(parse(wrong), Err(PolicyProblem::Form(_))), "{wrong}");
    }
    for wrong in [
        r#"{"enabled":true,"name_regex":"("}"#,
        r#"{"enabled":true,"name_regex":".*","name_regex_keep":"a{2000}"}"#,
        r#"{"enabled":true,"older_than":"soon"}"#,
        r#"{"enabled":true,"older_than":"7"}"#,
        r#"{"enabled":true,"older_than":"99999999999999999999d"}"#,
    ] {
        assert!(matches!(parse(wrong), Err(PolicyProblem::Value { .. })), "{wrong}");
    }
    for wrong in ["", "{}", "[7]", r#"[{"pattern":"x"}]"#] {
        assert!(matches!(ProtectionRules::parse(wrong), Err(PolicyProblem::Form(_))), "{wrong}");
    }
    assert!(matches!(ProtectionRules::parse(r#"[{"tag_name_pattern":"("}]"#), Err(PolicyProblem::Value { .. })));
}

#[test]
fn an_immutable_rule_names_nobody_who_may_delete() {
    let rules = ProtectionRules::parse(
        r#"[{"tag_name_pattern":"^prod-","minimum_access_level_for_delete":null,"minimum_access_level_for_push":null},
            {"tag_name_pattern":"^v","minimum_access_level_for_delete":"owner"}]"#,
    )
    .unwrap();
    let of = |name: &str| (rules.protects(name), rules.makes_immutable(name));
    assert_eq!([of("prod-pinned-1"), of("v1"), of("dev")], [(true, true), (true, false), (false, false)]);
}

#[test]
fn it_runs_when_it_is_due_and_at_its_cadence_after_that() {
    let runs = |cadence: &str, at: &str| {
        let text = format!(r#"{{"enabled":true,"cadence":"{cadence}","next_run_at":"2026-11-30T10:00:00.5Z"}}"#);
        let policy = CleanupPolicy::parse(&text).unwrap().unwrap();
        policy.run_at_or_after(at.parse().unwrap()).map(|run| run.to_string())
    };
    assert_eq!(runs("7d", "2026-11-29T00:00:00Z").as_deref(), Some("2026-11-30T10:00:00.5Z"));
    assert_eq!(runs("7d", "2026-11-30T10:00:00.5Z").as_deref(), Some("2026-11-30T10:00:00.5Z"));
    assert_eq!(runs("7d", "2026-12-01T00:00:00Z").as_deref(), Some("2026-12-07T10:00:00.5Z"));
    assert_eq!(runs("1month", "2026-12-01T00:00:00Z").as_deref(), Some("2026-12-30T10:00:00.5Z"));
    assert_eq!(runs("at times", "2026-12-01T00:00:00Z"), None);
    let untold = CleanupPolicy::parse(r#"{"enabled":true,"cadence":"1d"}"#).unwrap().unwrap();
    assert_eq!(untold.run_at_or_after(now()), None);
    assert_eq!((untold.keeps(), untold.older_than()), (None, None::<SignedDuration>));
    assert_eq!(
        rules(r#"{"enabled":true,"name_regex":"x"}"#, "[]").standing(&"latest".parse::<Tag>().unwrap()),
        Standing::Latest
    );
}
