//! A second reading of the guide, as literal and as slow as can be, against the simulator on random policies.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{NEVER, Outcome};
use super::world::{DAY, NOW, World, ago, artifact, immutable, rule, selector};
use crate::model::{HarborArtifact, HarborTag};

const TEMPLATES: [&str; 7] = [
    "always",
    "latestPushedK",
    "latestPulledN",
    "latestActiveK",
    "lastXDays",
    "nDaysSinceLastPush",
    "nDaysSinceLastPull",
];
const PATTERNS: [&str; 8] = ["**", "*", "v*", "v?", "prod-pinned-*", "{v1,dev}", "{prod-,}pinned-?", ""];
const TAGS: [&str; 7] = ["v1", "v2", "v10", "dev", "prod-pinned-a", "prod-pinned-b", "pinned-c"];
const EXTRAS: [&str; 4] = ["", "{}", r#"{"untagged":true}"#, r#"{"untagged":false}"#];

/// Every way to choose from a pattern's braces, which are not nested here.
fn ways(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else { return vec![pattern.to_owned()] };
    let (inside, after) = rest.split_once('}').unwrap();
    inside.split(',').map(|choice| format!("{before}{choice}{after}")).collect()
}

/// Tags hold no slash, so that `**` is `*`.
fn is_match(pattern: &str, tag: &str) -> bool {
    fn one(pattern: &[u8], tag: &[u8]) -> bool {
        match (pattern.first(), tag.first()) {
            (None, None) => true,
            (Some(b'*'), _) => one(&pattern[1..], tag) || (!tag.is_empty() && one(pattern, &tag[1..])),
            (Some(b'?'), Some(_)) => one(&pattern[1..], &tag[1..]),
            (Some(a), Some(b)) => a == b && one(&pattern[1..], &tag[1..]),
            _ => false,
        }
    }
    pattern.is_empty() || ways(pattern).iter().any(|way| one(way.as_bytes(), tag.as_bytes()))
}

/// Guide 114, J21.
fn takes(selector: &Value, artifact: &HarborArtifact) -> bool {
    let pattern = selector["pattern"].as_str().unwrap();
    let excludes = selector["decoration"] == "excludes";
    if artifact.tags.is_empty() {
        let counts_as_matching = match selector["extras"].as_str() {
            Some(r#"{"untagged":true}"#) => true,
            Some("{}" | r#"{"untagged":false}"#) => false,
            _ => !excludes,
        };
        return counts_as_matching != excludes;
    }
    match excludes {
        true => !artifact.tags.iter().all(|tag| is_match(pattern, &tag.name)),
        false => artifact.tags.iter().any(|tag| is_match(pattern, &tag.name)),
    }
}

fn pushed(artifact: &HarborArtifact) -> i64 {
    let mut times: Vec<i64> = artifact.tags.iter().map(|tag| tag.pushed.as_second()).collect();
    times.push(artifact.pushed.as_second());
    times.into_iter().max().unwrap()
}

fn pulled(artifact: &HarborArtifact) -> i64 {
    let mut times: Vec<i64> =
        artifact.tags.iter().filter_map(|tag| tag.pulled).map(|pulled| pulled.as_second()).collect();
    times.extend(artifact.pulled.map(|pulled| pulled.as_second()));
    times.into_iter().max().unwrap_or(NEVER)
}

/// Whether a rule retains the row in the order of the listing, and whether in every order of equals and in any.
fn keeps(rule: &Value, artifacts: &[HarborArtifact], row: usize) -> (bool, bool, bool) {
    let is_selected = |artifact: &HarborArtifact| {
        rule["tag_selectors"].as_array().unwrap().iter().all(|selector| takes(selector, artifact))
    };
    let template = rule["template"].as_str().unwrap();
    let number = rule["params"][template].as_i64().unwrap();
    let me = &artifacts[row];
    if !is_selected(me) {
        return (false, false, false);
    }
    let key = |artifact: &HarborArtifact| match template {
        "latestPushedK" => pushed(artifact),
        "latestPulledN" => pulled(artifact),
        _ => pushed(artifact).max(pulled(artifact)),
    };
    let always = |is_kept| (is_kept, is_kept, is_kept);
    match template {
        "always" => always(true),
        "lastXDays" => always(pushed(me) > NOW - number * DAY),
        "nDaysSinceLastPush" => always(pushed(me) >= NOW - number * DAY),
        "nDaysSinceLastPull" => always(pulled(me) >= NOW - number * DAY),
        _ => {
            let ahead = |is_ahead: &dyn Fn(usize) -> bool| {
                let rivals = (0..artifacts.len()).filter(|other| *other != row && is_selected(&artifacts[*other]));
                i64::try_from(rivals.filter(|other| is_ahead(*other)).count()).unwrap() < number
            };
            let mine = key(me);
            (
                ahead(&|other| key(&artifacts[other]) > mine || (key(&artifacts[other]) == mine && other < row)),
                ahead(&|other| key(&artifacts[other]) >= mine),
                ahead(&|other| key(&artifacts[other]) > mine),
            )
        }
    }
}

/// Guide 111, J25, J27; no pattern here is malformed, and every rule is for every repository.
fn is_immutable(rules: &[Value], artifact: &HarborArtifact) -> bool {
    rules.iter().any(|rule| {
        let mut first = rule["tag_selectors"][0].clone();
        first["extras"] = json!(r#"{"untagged":false}"#);
        takes(&first, artifact)
    })
}

fn selectors() -> impl Strategy<Value = Value> {
    let parts = (prop_oneof!["matches", "excludes"], prop::sample::select(&PATTERNS), prop::sample::select(&EXTRAS));
    parts.prop_map(|(decoration, pattern, extras)| {
        let mut selector = selector(&decoration, pattern);
        selector["extras"] = json!(extras);
        selector
    })
}

pub(super) fn rules() -> impl Strategy<Value = Value> {
    let parts = (prop::sample::select(&TEMPLATES), 0..6_i64, prop::collection::vec(selectors(), 1..3));
    parts.prop_map(|(template, number, selectors)| rule(template, number, &selectors))
}

/// Times to the second, from few, so that many are equal.
fn times() -> impl Strategy<Value = i64> {
    (0..5_i64, 0..2_i64).prop_map(|(days, seconds)| days * DAY + seconds)
}

/// A tag, and when it was pushed and pulled.
type Dated = (&'static str, i64, Option<i64>);

pub(super) fn artifacts() -> impl Strategy<Value = Vec<HarborArtifact>> {
    let tag = (prop::sample::select(&TAGS), times(), prop::option::of(times()));
    let row = (prop::collection::vec(tag, 0..3), times(), prop::option::of(times()));
    prop::collection::vec(row, 1..11).prop_map(|rows| {
        let one = |(place, (tags, pushed, pulled)): (usize, (Vec<Dated>, i64, Option<i64>))| {
            let tag = |(name, pushed, pulled): Dated| HarborTag {
                name: name.into(),
                pushed: ago(pushed),
                pulled: pulled.map(ago),
            };
            HarborArtifact {
                tags: tags.into_iter().map(tag).collect(),
                pulled: pulled.map(ago),
                ..artifact(&place.to_string(), pushed, &[])
            }
        };
        rows.into_iter().enumerate().map(one).collect()
    })
}

proptest! {
    #[test]
    fn two_readings_of_the_guide_agree(
        rules in prop::collection::vec(rules(), 1..4),
        immutable_tags in prop::collection::vec(selectors(), 0..2),
        artifacts in artifacts(),
    ) {
        let anywhere = || selector("repoMatches", "**");
        let immutable: Vec<Value> = immutable_tags.into_iter().map(|tags| immutable(anywhere(), tags)).collect();
        let world = World { immutable, ..World::new(&rules, &artifacts) };
        let (outcome, ..) = world.outcome();
        let Outcome::Ran(run) = outcome else { panic!("{outcome:?}") };
        let mut expected = String::new();
        for (row, artifact) in artifacts.iter().enumerate() {
            let kept: Vec<(bool, bool, bool)> = rules.iter().map(|rule| keeps(rule, &artifacts, row)).collect();
            let (is_kept, is_sure) = (kept.iter().any(|kept| kept.0), kept.iter().any(|kept| kept.1));
            let is_possible = kept.iter().any(|kept| kept.2);
            expected.push(match (is_kept, is_immutable(&world.immutable, artifact)) {
                (true, _) => 'R',
                (false, true) => 'I',
                (false, false) => 'D',
            });
            prop_assert_eq!(run.open.contains(&artifact.digest), is_possible && !is_sure, "row {}", row);
        }
        prop_assert_eq!(world.dry(), expected);
    }
}
