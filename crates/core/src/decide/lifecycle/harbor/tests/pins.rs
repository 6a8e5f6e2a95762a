//! What one more pin does to fates (I22): nothing bad where rules do not count, and nothing to the pinned under the two rules
//! that hold pins.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::NestedNames;
use super::literal::{artifacts, rules};
use super::world::{World, ago, immutable, rule, selector};
use crate::model::{HarborArtifact, HarborTag};

/// The same with one of them pinned just now.
fn pinned(artifacts: &[HarborArtifact], row: usize) -> Vec<HarborArtifact> {
    let mut artifacts = artifacts.to_vec();
    let pin = HarborTag { name: "prod-pinned-0123abcd".into(), pushed: ago(0), pulled: None };
    artifacts[row].tags.push(pin);
    artifacts
}

fn is_count(rule: &Value) -> bool {
    rule["template"].as_str().unwrap().starts_with("latest")
}

fn excludes(rule: &Value) -> bool {
    rule["tag_selectors"].as_array().unwrap().iter().any(|selector| selector["decoration"] == "excludes")
}

proptest! {
    #[test]
    fn under_both_rules_for_pins_a_pin_holds_i22(
        others in prop::collection::vec(rules(), 0..4),
        artifacts in artifacts(),
        row in any::<prop::sample::Index>(),
        nested in any::<bool>(),
    ) {
        let pins = || selector("matches", "prod-pinned-*");
        let rules: Vec<Value> = others.into_iter().chain([rule("always", json!(null), &[pins()])]).collect();
        let row = row.index(artifacts.len());
        let world = World {
            immutable: vec![immutable(selector("repoMatches", "**"), pins())],
            names: if nested { NestedNames::Stripped } else { NestedNames::Whole },
            ..World::new(&rules, &pinned(&artifacts, row))
        };
        prop_assert_eq!(&world.real()[row..=row], "R");
        let without_it = World { rules: vec![rule("latestPushedK", 0, &[selector("matches", "**")])], ..world };
        prop_assert_eq!(&without_it.real()[row..=row], "I", "nor does a run without the retain rule take it");
    }

    #[test]
    fn where_no_rule_counts_a_pin_worsens_nobody_and_what_it_worsens_is_its_own_i22(
        rules in prop::collection::vec(rules(), 1..4),
        artifacts in artifacts(),
        row in any::<prop::sample::Index>(),
    ) {
        let row = row.index(artifacts.len());
        let before = World::new(&rules, &artifacts).dry();
        let after = World::new(&rules, &pinned(&artifacts, row)).dry();
        let worse: Vec<usize> = (0..artifacts.len())
            .filter(|at| before.as_bytes()[*at] == b'R' && after.as_bytes()[*at] == b'D')
            .collect();
        if !rules.iter().any(is_count) {
            prop_assert!(worse.iter().all(|at| *at == row), "{:?} fare worse", worse);
        }
        // What has no tag loses what it had by that; `excludes` may let go of what it is a further name for, and no more.
        if !artifacts[row].tags.is_empty() && !rules.iter().any(excludes) {
            prop_assert!(!worse.contains(&row));
        }
    }
}

/// Ways in which a pin does harm in Harbor, each seen by comparing both runs.
#[test]
fn pins_that_would_worsen_a_fate_i22() {
    let tagged = |name, pushed, tags: &[&str]| super::world::artifact(name, pushed, tags);
    let two = [tagged("new", 60, &["v2"]), tagged("old", 120, &["v1"])];
    let untagged = [tagged("new", 60, &["v2"]), tagged("old", 120, &[])];
    let matches = |pattern| selector("matches", pattern);
    for (what, rule, artifacts, before, after) in [
        ("it takes the place of a newer one (D115)", rule("latestPushedK", 1, &[matches("**")]), &two, "RD", "DR"),
        ("it is active now", rule("latestActiveK", 1, &[matches("**")]), &two, "RD", "DR"),
        ("it is untagged no more (J21)", rule("always", json!(null), &[matches("v*")]), &untagged, "RR", "RD"),
        (
            "its only tag is one that is excluded",
            rule("always", json!(null), &[selector("excludes", "prod-*")]),
            &untagged,
            "RR",
            "RD",
        ),
        ("a pull alone counts", rule("latestPulledN", 1, &[matches("v*")]), &two, "RD", "RD"),
        ("days only help", rule("nDaysSinceLastPush", 0, &[matches("**")]), &two, "DD", "DR"),
    ] {
        let runs = |artifacts: &[HarborArtifact]| World::new(&[rule.clone()], artifacts).dry();
        assert_eq!((runs(artifacts).as_str(), runs(&pinned(artifacts, 1)).as_str()), (before, after), "{what}");
    }
}
