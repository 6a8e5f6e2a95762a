//! The user's policy with the pins claimed.

use prodpin::decide::lifecycle::ecr::{Lifecycle, recommend};
use serde_json::{Value, json};

use super::world::*;

fn recommended(rules: impl IntoIterator<Item = Value>) -> Value {
    serde_json::from_str(&recommend(Some(&text(&rules_json(rules)))).unwrap()).unwrap()
}

fn priorities(policy: &Value) -> Vec<(u64, String)> {
    let rules = policy["rules"].as_array().unwrap();
    let brief = |rule: &Value| {
        (
            rule["rulePriority"].as_u64().unwrap(),
            rule["selection"]["tagStatus"].to_string() + &rule["selection"]["tagPatternList"].to_string(),
        )
    };
    rules.iter().map(brief).collect()
}

#[test]
fn without_a_policy_it_is_the_claim_alone() {
    insta::assert_snapshot!(recommend(None).unwrap());
}

#[test]
fn rules_are_renumbered_only_to_make_room() {
    let priority =
        |rules: Vec<Value>| priorities(&recommended(rules)).into_iter().map(|(own, _)| own).collect::<Vec<_>>();
    assert_eq!(priority(vec![age(5, any_tag(), 3)]), [1, 5]);
    assert_eq!(priority(vec![age(1, untagged(), 3), age(2, tagged(&["v*"]), 3), age(10, any_tag(), 3)]), [1, 2, 3, 10]);
    assert_eq!(priority(vec![age(10, any_tag(), 3), age(1, untagged(), 3)]), [1, 10, 2], "the list keeps its order");
    let last = [age(1, untagged(), 3), age(u32::MAX, any_tag(), 3)];
    assert_eq!(priority(last.to_vec()), [1, 2, u64::from(u32::MAX)]);
    let close = [age(1, untagged(), 3), age(u32::MAX - 1, tagged(&["v"]), 3), age(u32::MAX, any_tag(), 3)];
    assert_eq!(priority(close.to_vec()), [1, 2, u64::from(u32::MAX) - 1, u64::from(u32::MAX)]);
}

#[test]
fn a_claim_that_is_late_is_moved_and_one_that_is_low_or_by_age_replaced() {
    let mut late = claim(7, 5_000);
    late["description"] = json!("ours");
    let moved = recommended([keep(1, tagged(&["v*"]), 5), late]);
    assert_eq!(moved["rules"][0]["description"], "ours");
    assert_eq!(moved["rules"][0]["selection"]["countNumber"], 5_000);
    assert_eq!(priorities(&moved).iter().map(|(own, _)| *own).collect::<Vec<_>>(), [1, 2]);
    for poor in [claim(1, 20), age(1, tagged(&["prod-pinned-*"]), 9_000)] {
        let repaired = recommended([poor, keep(2, tagged(&["v*"]), 5)]);
        assert_eq!(repaired["rules"].as_array().unwrap().len(), 2);
        assert_eq!(repaired["rules"][0]["selection"]["countNumber"], 9_999);
    }
}

#[test]
fn a_good_policy_comes_back_byte_for_byte() {
    let odd = format!("\n{}\n ", text(&rules_json([claim(3, 9999), age(9, any_tag(), 3)])));
    assert_eq!(recommend(Some(&odd)).unwrap(), odd);
}

#[test]
fn a44_rules_of_the_archive_get_a_claim_of_their_own() {
    let policy = recommended([archive_age(1, tagged(&["v*"]), 90), age(2, any_tag(), 30)]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&policy).unwrap());
}

#[test]
fn what_the_user_wrote_stays_as_it_was_written() {
    let live = "{\n    \"rules\": [\n        {\n            \"action\": {\"type\": \"expire\"},\n            \"description\": \"Zu alt \u{2013} weg\",\n            \
                \"rulePriority\": 1,\n            \"selection\": {\"tagStatus\": \"untagged\", \"countType\": \"sinceImagePushed\", \"countUnit\": \
                \"days\", \"countNumber\": 14}\n        }\n    ]\n}\n";
    let reported = recommend(Some(live)).unwrap();
    assert!(reported.starts_with("{\n    \"rules\": [\n        {\n            \"rulePriority\": 1,"), "{reported}");
    assert!(
        reported.contains("\"description\": \"Zu alt \u{2013} weg\",\n            \"rulePriority\": 1")
            || reported.contains("\"rulePriority\": 2"),
        "{reported}"
    );
    assert!(reported.find("\"action\"").unwrap() < reported.rfind("\"description\"").unwrap());
}

#[test]
fn a7_no_room_for_one_more_rule_is_told_with_what_to_merge() {
    let tags = |number: u32| if number == 59 { "v10x*".to_owned() } else { format!("v{number}*") };
    let shadowing = rules_json((10..60).map(|number| age(number, tagged(&[&tags(number)]), 3)));
    let problem = |policy: Value| recommend(Some(&text(&policy))).unwrap_err()[0].clone();
    let shadowed = problem(shadowing);
    assert!(shadowed.to_string().contains("remove rule 59, which never acts: rule 10 claims whatever"), "{shadowed}");
    let distinct = rules_json((10..60).map(|number| age(number, tagged(&[&format!("v{number}-*")]), 3)));
    assert!(problem(distinct).to_string().contains("merge two"));
}

#[test]
fn f53_an_unreadable_policy_is_not_mended() {
    let problems = recommend(Some(&text(&json!({ "rules": [{ "rulePriority": 3 }] })))).unwrap_err();
    assert!(problems.iter().any(|problem| problem.rule == Some(3)), "{problems:?}");
}

#[test]
fn a7_a_policy_with_no_room_for_more_text_is_told() {
    let mut long = age(2, any_tag(), 3);
    long["description"] = json!("x".repeat(30_500));
    let problems = recommend(Some(&rules_json([long]).to_string())).unwrap_err();
    assert!(problems[0].message.contains("characters"), "{problems:?}");
    let mut fits = age(2, any_tag(), 3);
    fits["description"] = json!("x".repeat(30_000));
    let pretty = serde_json::to_string_pretty(&rules_json([fits])).unwrap();
    assert!(Lifecycle::parse(&recommend(Some(&pretty)).unwrap()).is_ok());
}
