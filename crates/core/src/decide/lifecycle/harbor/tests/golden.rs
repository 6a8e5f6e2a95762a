//! The guide's examples, one row each.

use serde_json::{Value, json};

use super::super::{Failure, NestedNames, Outcome, RetentionPolicy, launch};
use super::world::{DAY, World, ago, artifact, immutable, rule, selector};
use crate::model::HarborArtifact;

fn all() -> Value {
    selector("matches", "**")
}

/// Three releases, the newest first, and one without a tag.
fn releases() -> Vec<HarborArtifact> {
    vec![
        artifact("3", DAY, &["v3"]),
        artifact("2", 2 * DAY, &["v2", "prod-pinned-2"]),
        artifact("untagged", 3 * DAY, &[]),
        artifact("1", 40 * DAY, &["v1"]),
    ]
}

#[test]
fn what_rules_retain() {
    let world = |rules: &[Value]| World::new(rules, &releases()).dry();
    let extras = |decoration: &str, extras: &str| {
        let mut selector = selector(decoration, "v*");
        selector["extras"] = json!(extras);
        selector
    };
    for (what, rules, expected) in [
        ("D113: nothing selected, all goes", vec![rule("always", 1, &[selector("matches", "x{}")])], "DDRD"),
        ("J.0: a rule without a selector is no rule", vec![rule("always", 1, &[])], "RRRR"),
        (
            "J.0: and retains nothing beside one",
            vec![rule("always", 1, &[]), rule("latestPushedK", 1, &[all()])],
            "RDDD",
        ),
        ("J.0: less than nothing is ten", vec![rule("latestPushedK", -1, &[all()])], "RRRR"),
        ("J.0: and so is a text", vec![rule("latestPushedK", "1", &[all()])], "RRRR"),
        ("J.0: a fraction is cut off", vec![rule("latestPushedK", 1.9, &[all()])], "RDDD"),
        ("J.0: none is none", vec![rule("latestPushedK", 0, &[all()])], "DDDD"),
        (
            "D114: one tag that does not match",
            vec![rule("always", 1, &[selector("excludes", "prod-pinned-*")])],
            "RRRR",
        ),
        ("D114: all tags match", vec![rule("always", 1, &[selector("excludes", "v*")])], "DRRD"),
        ("J21: untagged by `matches`", vec![rule("always", 1, &[extras("matches", "{}")])], "RRDR"),
        ("J21: untagged by `excludes`", vec![rule("always", 1, &[extras("excludes", r#"{"untagged":true}"#)])], "DRDD"),
        ("J21: what is no JSON says nothing", vec![rule("always", 1, &[extras("matches", "{")])], "RRRR"),
        (
            "J13: selectors in a row",
            vec![rule("always", 1, &[selector("matches", "v*"), selector("matches", "prod-*")])],
            "DRRD",
        ),
        ("J17: to the second", vec![rule("nDaysSinceLastPush", 2, &[all()])], "RRDD"),
        ("J17: strictly after", vec![rule("lastXDays", 2, &[all()])], "RDDD"),
        ("J17: so many days that they wrap", vec![rule("nDaysSinceLastPush", 106_752, &[all()])], "DDDD"),
        ("J17: one less", vec![rule("nDaysSinceLastPush", 106_751, &[all()])], "RRRR"),
        ("J18: what was never pulled", vec![rule("nDaysSinceLastPull", 9_000, &[all()])], "DDDD"),
        ("J22: the empty pattern", vec![rule("always", 1, &[selector("excludes", "")])], "DDRD"),
        ("J22: `**` within a segment is `*`", vec![rule("always", 1, &[selector("matches", "v**")])], "RRRR"),
        ("J23: a comma outside braces", vec![rule("always", 1, &[selector("matches", "v1,v2")])], "DDRD"),
    ] {
        assert_eq!(world(&rules), expected, "{what}");
    }
}

#[test]
fn what_fails_deletes_nothing_and_a_bad_pattern_may_j14() {
    let mut nameless = rule("always", 1, &[all()]);
    nameless["action"] = json!("");
    for (broken, expected) in [
        (rule("nothing", 1, &[all()]), Failure::TemplateNotRegistered),
        (rule("", 1, &[all()]), Failure::TemplateEmpty),
        (nameless, Failure::ActionEmpty),
        (rule("always", 1, &[json!({"kind": "label", "decoration": "matches"})]), Failure::SelectorNotRegistered),
        (rule("always", 1, &[selector("with", "x")]), Failure::DecorationUnsupported),
        (rule("always", 1, &[json!({"kind": "doublestar"})]), Failure::SelectorEmpty),
    ] {
        let (outcome, ..) = World::new(&[rule("always", 1, &[all()]), broken], &releases()).outcome();
        assert_eq!(outcome, Outcome::Failed { failure: expected, if_lost: None });
    }
    let bad = rule("always", 1, &[selector("matches", "v[")]);
    let (outcome, ..) = World::new(&[bad.clone(), rule("latestPushedK", 1, &[all()])], &releases()).outcome();
    let Outcome::Failed { failure: Failure::BadPattern, if_lost: Some(lost) } = outcome else { panic!("{outcome:?}") };
    let kept: Vec<bool> = releases().iter().map(|artifact| lost.retains(&artifact.digest)).collect();
    assert_eq!(kept, [true, false, false, false], "the other rule alone");
    let (outcome, ..) = World::new(&[bad], &releases()).outcome();
    let Outcome::Failed { if_lost: Some(lost), .. } = outcome else { panic!("{outcome:?}") };
    assert!(lost.is_idle, "alone it deletes nothing");
}

/// J25, J26, J27: `emptied` is a rule that retains nothing, so that immutability alone keeps anything.
#[test]
fn what_immutability_keeps() {
    let emptied = || World::new(&[rule("latestPushedK", 0, &[all()])], &releases());
    let anywhere = || selector("repoMatches", "**");
    let pins = || selector("matches", "prod-pinned-*");
    let mut off = immutable(anywhere(), pins());
    off["disabled"] = json!(true);
    let of = |rules: &[Value]| World { immutable: rules.to_vec(), ..emptied() };
    let bad = immutable(anywhere(), selector("matches", "["));
    for (what, rules, dry, real) in [
        ("D117: a pin", vec![immutable(anywhere(), pins())], "DIDD", "DIDD"),
        ("J25: a bad pattern before it", vec![bad.clone(), immutable(anywhere(), pins())], "DDDD", "DDDD"),
        ("J25: a bad pattern behind it", vec![immutable(anywhere(), pins()), bad], "DIDD", "DIDD"),
        ("J27: off", vec![off], "DDDD", "DDDD"),
        ("J27: without a repository", vec![json!({"tag_selectors": [pins()]})], "DDDD", "DDDD"),
        (
            "J27: what has no tag, by `excludes`",
            vec![immutable(anywhere(), selector("excludes", "v*"))],
            "DIID",
            "DIID",
        ),
        ("J27: elsewhere", vec![immutable(selector("repoMatches", "web"), pins())], "DDDD", "DDDD"),
    ] {
        assert_eq!((of(&rules).dry().as_str(), of(&rules).real().as_str()), (dry, real), "{what}");
    }
    let nested = |names, scope| World { repository: "team/api".to_owned(), names, ..of(&[immutable(scope, pins())]) };
    for (names, scope, dry, real) in [
        (NestedNames::Stripped, selector("repoMatches", "team/**"), "DDDD", "DEDD"),
        (NestedNames::Whole, selector("repoMatches", "team/**"), "DIDD", "DIDD"),
        (NestedNames::Stripped, selector("repoExcludes", "team/**"), "DIDD", "DIDD"),
        (NestedNames::Whole, selector("repoExcludes", "team/**"), "DDDD", "DDDD"),
    ] {
        let world = nested(names, scope.clone());
        assert_eq!((world.dry().as_str(), world.real().as_str()), (dry, real), "J26: {names:?} {scope}");
    }
}

#[test]
fn what_the_core_refuses_j24_j43() {
    let emptied = |artifacts: &[HarborArtifact]| World::new(&[rule("latestPushedK", 0, &[all()])], artifacts);
    let index = HarborArtifact { children: vec![artifact("child", 0, &[]).digest], ..artifact("index", 9, &["v1"]) };
    let child = HarborArtifact { is_referenced: true, ..artifact("child", 9, &["v1-amd64"]) };
    assert_eq!(emptied(&[index.clone(), child.clone()]).real(), "DD", "the index goes first");
    assert_eq!(emptied(&[child.clone(), index]).real(), "ED", "the child is asked for first");
    assert_eq!(emptied(&[child.clone()]).real(), "E", "held by what is not listed");
    assert_eq!(emptied(&[child]).dry(), "D", "which a dry run does not see");
    let row = artifact("1", 9, &["v1"]);
    assert_eq!(emptied(&[row.clone(), row]).real(), "EE", "gone, and its second row finds nothing (J43)");
}

#[test]
fn a_duplicate_row_costs_a_place_and_equals_are_open_j15_j16() {
    let [newest, second, _, oldest] = releases().try_into().unwrap();
    let two = rule("latestPushedK", 2, &[all()]);
    let doubled = World::new(&[two], &[newest.clone(), newest.clone(), second.clone(), oldest]);
    assert_eq!(doubled.dry(), "RRDD");
    let equal = HarborArtifact { pushed: newest.pushed, ..artifact("4", DAY, &["v4"]) };
    let one = rule("latestPushedK", 1, &[all()]);
    let (outcome, dry, _) = World::new(&[one], &[newest.clone(), equal.clone(), second]).outcome();
    let Outcome::Ran(run) = outcome else { panic!("{outcome:?}") };
    assert_eq!(run.open, [newest.digest, equal.digest].into());
    assert_eq!(dry.len(), 3);
}

/// J42: pins written in the wrong order are the newest in the wrong order.
#[test]
fn a_pin_is_a_push_d115_j42() {
    let mut releases = releases();
    for (place, pinned) in [(0, 3), (1, 2), (3, 1)] {
        let pin = crate::model::HarborTag { name: "prod-pinned-x".into(), pushed: ago(pinned), pulled: None };
        releases[place].tags.push(pin);
    }
    assert_eq!(World::new(&[rule("latestPushedK", 2, &[all()])], &releases).dry(), "DRDR");
}

#[test]
fn rules_that_take_no_repository_leave_it_alone_j11() {
    let policy = |rules: Value| {
        let policy = json!({ "algorithm": "or", "rules": rules, "scope": { "level": "project" } });
        RetentionPolicy::parse(&policy.to_string()).unwrap()
    };
    let scoped = |scope: Value| {
        let mut rule = rule("always", 1, &[all()]);
        rule["scope_selectors"] = json!({ "repository": [scope] });
        rule
    };
    let of = |rules: Value| format!("{:?}", launch(&policy(rules), "shop", &["api", "web"], "api"));
    let mut off = rule("always", 1, &[all()]);
    off["disabled"] = json!(true);
    assert_eq!(of(json!([])), "Untouched");
    assert_eq!(of(json!([off])), "Untouched");
    assert_eq!(of(json!([scoped(selector("repoMatches", "web"))])), "Untouched");
    assert!(of(json!([scoped(selector("repoExcludes", "web"))])).starts_with("Job"));
    assert!(of(json!([scoped(selector("nsMatches", "shop"))])).starts_with("Job"));
    // Of a repository no tag is known, and its extras decide.
    assert!(of(json!([scoped(selector("matches", "x"))])).starts_with("Job"));
    assert!(of(json!([scoped(selector("excludes", "x"))])).starts_with("Job"));
    let mut untagged = selector("matches", "**");
    untagged["extras"] = json!("{}");
    assert_eq!(of(json!([scoped(untagged)])), "Untouched");
    // Malformed for another repository alone, and yet nothing runs.
    assert_eq!(of(json!([scoped(selector("repoMatches", "w["))])), "Failed(BadPattern)");
}
