//! What stands out in a valid policy.

use prodpin::decide::lifecycle::ecr::{Lifecycle, Lint, LintKind, lint};

use super::world::*;

fn world() -> World {
    World::with_images([
        image("a", &["v1", &pin("a")], 3),
        image("b", &["v2"], 2),
        image("index", &["release-1"], 2),
        image("child", &[], 2),
        archived("old", &["v0"], 30),
    ])
    .lists("index", &["child"])
}

fn lints(policy: &Lifecycle, pins: usize) -> Vec<Lint> {
    lint(policy, &world().repository(), pins)
}

fn kinds(policy: &Lifecycle) -> Vec<(Option<String>, LintKind)> {
    lints(policy, 1).into_iter().map(|lint| (lint.rule, lint.kind)).collect()
}

fn expected_of(rule: u32, kind: LintKind) -> (Option<String>, LintKind) {
    (Some(rule.to_string()), kind)
}

#[test]
fn a_good_policy_is_clean() {
    assert_eq!(kinds(&policy([claim(1, 9999), keep(2, tagged(&["v*"]), 5), age(3, untagged(), 14)])), []);
    assert_eq!(
        kinds(&policy([age(1, untagged(), 14), claim(2, 9999)])),
        [],
        "a rule for untagged images cannot act on a pin"
    );
}

#[test]
fn f44_the_claim_rule_is_absent_late_low_or_by_age() {
    let v = |priority| keep(priority, tagged(&["v*"]), 5);
    assert_eq!(kinds(&policy([v(1)])), [(None, LintKind::ClaimAbsent)]);
    assert_eq!(kinds(&policy([v(1), claim(2, 9999)])), [expected_of(2, LintKind::ClaimNotFirst)]);
    assert_eq!(kinds(&policy([claim(1, 50), v(2)])), [expected_of(1, LintKind::ClaimNearlyFull)]);
    assert_eq!(kinds(&policy([age(1, tagged(&["prod-pinned-*"]), 900), v(2)])), [expected_of(1, LintKind::ClaimByAge)]);
    let broad = lints(&policy([keep(1, tagged(&["prod-*"]), 9999)]), 1);
    assert!(broad[0].message.contains("rule 1 also matches prodpin's pin tags"), "{broad:?}");
    let narrow = kinds(&policy([keep(1, tagged(&["prod-pinned-*", "v*"]), 9999)]));
    assert!(narrow.contains(&(None, LintKind::ClaimAbsent)), "it claims only pins that are versions too: {narrow:?}");
}

#[test]
fn a51_headroom_is_counted_from_the_pins_that_are_there_and_those_to_come() {
    assert_eq!(lints(&policy([claim(1, 9999)]), 999), []);
    assert_eq!(lints(&policy([claim(1, 9999)]), 1_000)[0].kind, LintKind::ClaimNearlyFull);
    assert!(lints(&policy([claim(1, 10)]), 11)[0].message.contains("there are 11 pins: the oldest"));
}

#[test]
fn a44_rules_of_the_archive_need_a_claim_of_their_own() {
    let bare = policy([claim(1, 9999), archive_age(2, tagged(&["v*"]), 90)]);
    assert_eq!(kinds(&bare), [expected_of(2, LintKind::ArchiveUnclaimed)]);
    let claimed = archive_age(2, tagged(&["prod-pinned-*"]), 36_500);
    assert_eq!(kinds(&policy([claim(1, 9999), claimed, archive_age(3, tagged(&["v*"]), 90)])), []);
}

#[test]
fn a_rule_that_matches_nothing_and_one_that_is_shadowed() {
    let shadowed = |rules: Vec<serde_json::Value>| kinds(&policy([claim(1, 9999)].into_iter().chain(rules)));
    assert_eq!(shadowed(vec![keep(2, tagged(&["version-*"]), 5)]), [expected_of(2, LintKind::MatchesNothing)]);
    let words = shadowed(vec![keep(2, tagged(&["v*"]), 5), age(3, tagged(&["v1*"]), 5)]);
    assert_eq!(words, [expected_of(3, LintKind::Shadowed)]);
    let here = shadowed(vec![keep(2, tagged(&["v*"]), 5), age(3, tagged(&["*2"]), 5)]);
    assert_eq!(here, [expected_of(3, LintKind::Shadowed)], "of the images here, all are claimed");
    let partly = shadowed(vec![keep(2, tagged(&["v*"]), 5), age(3, tagged(&["*1"]), 5)]);
    assert_eq!(partly, [], "release-1 is left to it");
}

#[test]
fn a24_patterns_in_one_list_must_all_match() {
    let found = lints(&policy([claim(1, 9999), keep(2, tagged(&["v*", "release-*"]), 5)]), 1);
    assert_eq!(found[0].kind, LintKind::PatternsAnded);
    assert!(found[0].message.contains("v*, release-*"), "{found:?}");
}

#[test]
fn a28_a_pattern_in_two_lists() {
    let rules = [claim(1, 9999), keep(2, tagged(&["v*", "*1"]), 5), keep(3, tagged(&["v*"]), 5)];
    assert!(kinds(&policy(rules)).contains(&expected_of(3, LintKind::PatternRepeated)));
}

#[test]
fn a33_a_count_of_everything_counts_parts_of_indexes() {
    let found = kinds(&policy([claim(1, 9999), keep(2, any_tag(), 5)]));
    assert_eq!(found, [expected_of(2, LintKind::SelectsEverything), expected_of(2, LintKind::ReachesChildren)]);
    assert_eq!(
        kinds(&policy([claim(1, 9999), age(2, tagged(&["*"]), 5)])),
        [expected_of(2, LintKind::SelectsEverything)]
    );
}

#[test]
fn a7_a_policy_near_the_limits() {
    let mut long = claim(1, 9999);
    long["description"] = "x".repeat(28_000).into();
    assert_eq!(kinds(&policy([long])), [(None, LintKind::NearLimit)]);
}
