//! The grammar (A7, A8, A22–A28): what is taken, and what is refused and how it is reported.

use prodpin::decide::lifecycle::ecr::{Lifecycle, MAX_TEXT};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::laws;
use super::world::*;
use crate::support::each;

fn problems(text: &str) -> Vec<String> {
    Lifecycle::parse(text).expect_err(text).iter().map(ToString::to_string).collect()
}

/// The one problem of a policy.
fn problem(policy: &Value) -> String {
    let problems = problems(&text(policy));
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.into_iter().next().unwrap()
}

/// A good rule, with one thing changed: at a path of keys, to a value, or taken away.
fn with(path: &[&str], value: Option<Value>) -> Value {
    let mut rule = age(7, tagged(&["v*"]), 30);
    let (last, parents) = path.split_last().unwrap();
    let table = parents.iter().fold(&mut rule, |table, key| &mut table[*key]).as_object_mut().unwrap();
    match value {
        Some(value) => drop(table.insert((*last).to_owned(), value)),
        None => drop(table.shift_remove(*last)),
    }
    rules_json([rule])
}

#[test]
fn a22_f53_unknown_and_missing_keys_and_values_are_refused_by_the_rules_name() {
    for (path, value, expected) in [
        (&["rulePriority"][..], Some(json!("7")), "\"rulePriority\" is no whole number from 1 up"),
        (&["rulePriority"], Some(json!(0)), "\"rulePriority\" is no whole number from 1 up"),
        (&["rulePriority"], Some(json!(1.5)), "\"rulePriority\" is no whole number from 1 up"),
        (&["rulePriority"], Some(json!(-1)), "\"rulePriority\" is no whole number from 1 up"),
        (&["rulePriority"], None, "\"rulePriority\" is missing"),
        (&["description"], Some(json!(null)), "rule 7: \"description\" is null"),
        (&["note"], Some(json!("x")), "rule 7: the rule has an unknown key \"note\""),
        (&["selection"], None, "rule 7: \"selection\" is missing"),
        (&["selection"], Some(json!([])), "rule 7: \"selection\" is a list"),
        (&["selection", "tagstatus"], Some(json!("any")), "rule 7: \"selection\" has an unknown key \"tagstatus\""),
        (&["selection", "tagStatus"], None, "rule 7: \"tagStatus\" is missing"),
        (&["selection", "tagStatus"], Some(json!("Tagged")), "rule 7: \"tagStatus\" is \"Tagged\""),
        (&["selection", "storageClass"], Some(json!("glacier")), "rule 7: \"storageClass\" is \"glacier\""),
        (&["selection", "countType"], Some(json!("sinceForever")), "rule 7: \"countType\" is \"sinceForever\""),
        (&["selection", "countType"], None, "rule 7: \"countType\" is missing"),
        (&["selection", "countNumber"], None, "rule 7: \"countNumber\" is missing"),
        (&["action"], None, "rule 7: \"action\" is missing"),
        (&["action", "type"], Some(json!("retain")), "rule 7: \"type\" is \"retain\""),
        (&["action", "type"], None, "rule 7: \"type\" is missing"),
        (&["action", "force"], Some(json!(true)), "rule 7: \"action\" has an unknown key \"force\""),
    ] {
        let reported = problem(&with(path, value));
        assert!(reported.contains(expected) && reported.contains("; "), "{reported}, not {expected}");
    }
    let mut policy = rules_json([age(7, any_tag(), 3)]);
    policy["version"] = json!(1);
    assert!(problem(&policy).contains("the policy has an unknown key \"version\""));
}

#[test]
fn a23_tagged_needs_one_list_and_the_others_none() {
    let pattern = json!(["v*"]);
    for (status, lists, expected) in [
        ("tagged", json!({}), Some("without a tag list")),
        ("tagged", json!({ "tagPatternList": pattern, "tagPrefixList": ["v"] }), Some("both")),
        ("untagged", json!({ "tagPatternList": pattern }), Some("not \"tagged\"")),
        ("any", json!({ "tagPrefixList": ["v"] }), Some("not \"tagged\"")),
        ("tagged", json!({ "tagPatternList": [] }), Some("is empty")),
        ("tagged", json!({ "tagPatternList": "v*" }), Some("is a string")),
        ("tagged", json!({ "tagPatternList": ["v*", 1] }), Some("holds a number")),
        ("tagged", json!({ "tagPatternList": ["v*", "v*"] }), Some("stands twice")),
        ("tagged", json!({ "tagPrefixList": [""] }), Some("is empty")),
        ("tagged", json!({ "tagPrefixList": ["v*"] }), Some("has a wildcard")),
        ("tagged", json!({ "tagPatternList": pattern }), None),
        ("tagged", json!({ "tagPrefixList": ["v"] }), None),
        ("untagged", json!({}), None),
    ] {
        let mut selection = json!({ "tagStatus": status });
        selection.as_object_mut().unwrap().extend(lists.as_object().unwrap().clone());
        let policy = rules_json([age(1, selection, 3)]);
        match expected {
            Some(expected) => assert!(problem(&policy).contains(expected), "{policy}: {}", problem(&policy)),
            None => drop(parse(&policy)),
        }
    }
}

#[test]
fn a23_any_comes_last_in_its_class_and_priorities_are_unique() {
    assert!(
        problem(&rules_json([age(1, any_tag(), 3), age(2, untagged(), 3)]))
            .contains("rule 1: \"any\" stands before rule 2")
    );
    assert!(problem(&rules_json([age(1, any_tag(), 3), age(2, any_tag(), 4)])).contains("before rule 2"));
    assert!(problem(&rules_json([age(3, untagged(), 3), age(3, tagged(&["x"]), 3)])).contains("rule 3: 2 rules"));
    parse(&rules_json([archive_age(9, untagged(), 90), age(2, any_tag(), 3), archive_age(10, any_tag(), 90)]));
    parse(&rules_json([age(40, any_tag(), 3), age(7, untagged(), 3)]));
}

#[test]
fn a25_at_most_four_wildcards_in_a_pattern() {
    parse(&rules_json([age(1, tagged(&["*a*1*2*"]), 3)]));
    assert!(problem(&rules_json([age(1, tagged(&["*a*1*2*3*"]), 3)])).contains("more than four wildcards"));
}

#[test]
fn a26_counts_have_no_unit_ages_have_days_and_numbers_start_at_one() {
    let unit = |unit: Value| with(&["selection", "countUnit"], Some(unit));
    assert!(problem(&unit(json!("hours"))).contains("use days"));
    assert!(problem(&with(&["selection", "countUnit"], None)).contains("without a \"countUnit\""));
    let mut count = keep(1, any_tag(), 3);
    count["selection"]["countUnit"] = json!("days");
    assert!(problem(&rules_json([count])).contains("remove \"countUnit\""));
    for number in [json!(0), json!(-3), json!("3"), json!(3.5), json!(null)] {
        assert!(problem(&with(&["selection", "countNumber"], Some(number))).contains("from 1 up"));
    }
    parse(&with(&["selection", "countNumber"], Some(json!(u64::MAX))));
}

#[test]
fn a27_what_may_stand_together() {
    let archive = |selection: Value| {
        let mut selection = selection;
        selection["storageClass"] = json!("archive");
        selection
    };
    for (rule, expected) in [
        (since(1, any_tag(), "sinceImagePulled", 9, expire()), Some("cannot expire")),
        (since(1, any_tag(), "sinceImagePulled", 9, transition()), None),
        (since(1, any_tag(), "sinceImagePushed", 9, transition()), None),
        (since(1, any_tag(), "sinceImageTransitioned", 90, expire()), Some("outside the archive")),
        (archive_age(1, any_tag(), 89), Some("after 89 days")),
        (archive_age(1, any_tag(), 90), None),
        (since(1, archive(any_tag()), "sinceImageTransitioned", 90, transition()), Some("cannot archive again")),
        (since(1, archive(any_tag()), "sinceImagePushed", 90, expire()), Some("on archived images")),
        (keep(1, archive(any_tag()), 9), Some("on archived images")),
        (
            since(1, any_tag(), "sinceImagePushed", 9, json!({ "type": "transition" })),
            Some("without a \"targetStorageClass\""),
        ),
        (
            since(
                1,
                any_tag(),
                "sinceImagePushed",
                9,
                json!({ "type": "transition", "targetStorageClass": "standard" }),
            ),
            Some("use archive"),
        ),
        (
            since(1, any_tag(), "sinceImagePushed", 9, json!({ "type": "expire", "targetStorageClass": "archive" })),
            Some("remove it"),
        ),
    ] {
        let policy = rules_json([rule]);
        match expected {
            Some(expected) => assert!(problem(&policy).contains(expected), "{policy}: {}", problem(&policy)),
            None => drop(parse(&policy)),
        }
    }
}

#[test]
fn a28_one_untagged_rule_and_no_tag_list_twice_in_a_class() {
    let twice = |one: Value, two: Value| problem(&rules_json([age(1, one, 3), age(2, two, 3)]));
    assert!(twice(untagged(), untagged()).contains("rule 2: two rules select \"untagged\""));
    assert!(twice(tagged(&["a", "b"]), tagged(&["b", "a"])).contains("the other one is rule 1"));
    let prefix = json!({ "tagStatus": "tagged", "tagPrefixList": ["a"] });
    assert!(twice(tagged(&["a*"]), prefix).contains("same tag list"));
    parse(&rules_json([age(1, untagged(), 3), archive_age(2, untagged(), 90)]));
    parse(&rules_json([age(1, tagged(&["a"]), 3), archive_age(2, tagged(&["a"]), 90)]));
}

#[test]
fn a7_a8_the_limits_are_in_characters_and_rules() {
    let good = text(&rules_json([age(1, any_tag(), 3)]));
    let padded = |length: usize| good.clone() + &" ".repeat(length - good.len());
    assert!(Lifecycle::parse(&padded(MAX_TEXT)).is_ok());
    assert!(problems(&padded(MAX_TEXT + 1))[0].contains("30721 characters"));
    // The é has two bytes and is one character.
    let mut described = age(1, any_tag(), 3);
    described["description"] = json!("é".repeat(15_000) + &"x".repeat(15_000));
    assert!(Lifecycle::parse(&rules_json([described]).to_string()).is_ok());
    assert!(problems("{\"rules\":[]}").iter().any(|problem| problem.contains("12 characters")));
    let many = |count: u32| rules_json((1..=count).map(|number| age(number, tagged(&[&format!("v{number}")]), 3)));
    parse(&many(50));
    assert!(problem(&many(51)).contains("51 rules"));
}

#[test]
fn f53_whatever_is_no_policy_is_refused() {
    let pad = " ".repeat(100);
    for (text, expected) in [
        ("", "not JSON"),
        ("[]", "the policy is a list"),
        ("null", "the policy is null"),
        ("{}", "no \"rules\""),
        ("{\"rules\":{}}", "\"rules\" is an object"),
        ("{\"rules\":[]}", "no rules"),
        ("{\"rules\":[7]}", "rule number 1 in the list: the rule is a number"),
        ("{\"rules\":[]} x", "not JSON"),
        ("{\"rules\":[],\"rules\":[]}", "twice"),
    ] {
        let problems = problems(&(text.to_owned() + &pad));
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{text}: {problems:?}");
    }
    let deep = "[".repeat(15_000) + &"]".repeat(15_000);
    assert!(problems(&deep)[0].contains("not JSON"));
}

#[test]
fn a_key_that_stands_twice_is_told_wherever_it_stands() {
    let good = rules_json([age(7, any_tag(), 3)]).to_string();
    for (key, twice) in [
        ("\"rulePriority\":7", "\"rulePriority\":7,\"rulePriority\":7"),
        ("\"tagStatus\":\"any\"", "\"tagStatus\":\"any\",\"tagStatus\":\"any\""),
        ("\"type\":\"expire\"", "\"type\":\"expire\",\"type\":\"expire\""),
    ] {
        let reported = problems(&good.replace(key, twice));
        assert!(reported.iter().any(|problem| problem.contains("twice")), "{reported:?}");
    }
}

#[test]
fn all_problems_are_told_at_once_and_names_are_shown_harmless_i19() {
    let mut bad = age(4, json!({ "tagStatus": "tagged", "tagPatternList": ["*****"] }), 0);
    bad["\u{1b}[31m"] = json!(1);
    let reported = problems(&rules_json([bad, since(5, any_tag(), "sinceImagePulled", 3, expire())]).to_string());
    assert_eq!(reported.len(), 4, "{reported:#?}");
    assert!(each(reported.iter(), |problem| !problem.contains('\u{1b}')), "{reported:?}");
}

proptest! {
    #[test]
    fn what_is_rendered_reads_as_the_same_rules(policy in laws::policies()) {
        let read = parse(&policy);
        let again = Lifecycle::parse(&text(&serde_json::from_str(&read.to_json()).unwrap())).unwrap();
        prop_assert_eq!(read.rules(), again.rules());
    }

    #[test]
    fn no_text_makes_the_reader_panic(noise in "\\PC{0,300}", cut in 0_usize..400) {
        let _ = Lifecycle::parse(&noise);
        let good = rules_json([age(7, tagged(&["v*"]), 3), keep(9, any_tag(), 3)]).to_string();
        let cut: String = good.chars().take(cut).collect();
        let _ = Lifecycle::parse(&(cut + &noise));
    }
}
