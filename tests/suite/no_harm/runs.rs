//! Whole runs in which pins did harm once (F116).

use prodpin::model::{
    ArtifactId, Code, Finding, Mode, Mutability, Obstacle, PinTerms, ProductionRule, Setting, Severity,
};
use prodpin::outcome::report::PinReport;
use prodpin::sources::memory::{Call, EcrTerms};

use crate::estate::{Estate, REPOSITORY, RunResult};
use crate::support::each;

pub(super) fn rule(priority: u32, selection: &str, count: &str, number: u64) -> String {
    let unit = if count == "imageCountMoreThan" { "" } else { r#""countUnit": "days", "# };
    format!(
        r#"{{"rulePriority": {priority}, "selection": {{{selection}, "countType": "{count}", {unit}"countNumber": {number}}}, "action": {{"type": "expire"}}}}"#
    )
}

pub(super) fn prefix(prefix: &str) -> String {
    format!(r#""tagStatus": "tagged", "tagPrefixList": ["{prefix}"]"#)
}

pub(super) fn pattern(pattern: &str) -> String {
    format!(r#""tagStatus": "tagged", "tagPatternList": ["{pattern}"]"#)
}

pub(super) const UNTAGGED: &str = r#""tagStatus": "untagged""#;
const ANY: &str = r#""tagStatus": "any""#;

pub(super) fn keep(priority: u32, selection: &str, number: u64) -> String {
    rule(priority, selection, "imageCountMoreThan", number)
}

pub(super) fn days(priority: u32, selection: &str, number: u64) -> String {
    rule(priority, selection, "sinceImagePushed", number)
}

pub(super) fn terms(rules: &[String]) -> EcrTerms {
    EcrTerms {
        mutability: Some(Mutability::Immutable),
        ..EcrTerms::with_lifecycle(&format!(r#"{{"rules": [{}]}}"#, rules.join(", ")))
    }
}

fn claim(number: u64) -> String {
    keep(1, &pattern("prod-pinned-*"), number)
}

pub(super) fn findings_with(reported: &RunResult, code: Code) -> Vec<&Finding> {
    reported.findings.iter().filter(|finding| finding.code == code).collect()
}

pub(super) fn pins(reported: &RunResult) -> Vec<PinReport> {
    reported.targets().iter().map(|target| target.pin).collect()
}

/// Which artifacts were pinned, in the order in which that was asked for.
pub(super) fn asked(estate: &Estate) -> Vec<ArtifactId> {
    let pinned = |call: Call| match call {
        Call::Pin { artifact, .. } => Some(artifact),
        Call::Lifecycle { .. } => None,
    };
    estate.memory.calls().into_iter().filter_map(pinned).collect()
}

pub(super) fn releases(estate: &Estate, range: std::ops::Range<usize>) -> Vec<ArtifactId> {
    range.map(|minor| estate.memory.tag(REPOSITORY, &format!("v1.{minor}.0")).unwrap()).collect()
}

#[tokio::test]
async fn a_rule_that_matches_the_pin_lets_none_be_made_i22_f116() {
    for selection in [
        prefix("prod"),
        prefix("prod-"),
        pattern("prod*"),
        pattern("prod-*"),
        pattern("*-pinned-*"),
        pattern("*-*"),
        r#""tagStatus": "tagged", "tagPatternList": ["v*", "prod*"]"#.to_owned(),
    ] {
        let estate = Estate::in_ecr(6, "2026-01-01", terms(&[keep(1, &selection, 1), days(2, UNTAGGED, 14)]));
        let before = estate.run(Mode::Audit).await;
        assert_eq!(pins(&before), [PinReport::Refused; 5], "{selection}: {}", estate.story(&before));
        let reported = estate.enforce().await;
        assert_eq!(estate.memory.calls(), [], "{selection}");
        assert_eq!(pins(&reported), [PinReport::Refused; 5], "{selection}: {}", estate.story(&reported));
        assert_eq!(findings_with(&reported, Code::PinMissing).len(), 0, "{}", estate.story(&reported));
        for run in [&before, &reported] {
            let [refused] = findings_with(run, Code::PinRefused)[..] else { panic!("{}", estate.story(run)) };
            assert_eq!(refused.severity, Severity::High, "exit 3");
            for part in ["prodpin forecast --recommend shop/api", "aws ecr put-lifecycle-policy", "shop/api"] {
                assert!(refused.remedy.contains(part), "{}", refused.remedy);
            }
            assert!(refused.message.contains("without it, no rule does"), "both outlooks: {}", refused.message);
        }
        for target in reported.targets() {
            assert!(target.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::PinRefused { .. })));
            assert_eq!(target.protected, Some(false));
        }
        // What it says to do makes them harmless.
        let policies = estate.recommended().await.policies;
        let text = policies.into_values().next().unwrap().unwrap();
        estate.memory.set_ecr(
            REPOSITORY,
            EcrTerms { mutability: Some(Mutability::Immutable), ..EcrTerms::with_lifecycle(&text) },
        );
        let then = estate.enforce().await;
        assert_eq!(asked(&estate), releases(&estate, 1..6), "{selection}: the oldest first (F126)");
        assert!(each(then.targets().iter(), |target| target.protected == Some(true)), "{}", estate.story(&then));
        assert_eq!(findings_with(&then, Code::PinRefused).len(), 0);
    }
}

#[tokio::test]
async fn a_pin_that_changes_nothing_is_made_all_the_same_i22() {
    for rules in [
        vec![keep(1, ANY, 3)],
        vec![days(1, &pattern("v*"), 30)],
        vec![keep(1, &pattern("v*"), 2), claim(9_999).replace("\"rulePriority\": 1", "\"rulePriority\": 2")],
    ] {
        let estate = Estate::in_ecr(6, "2026-01-01", terms(&rules));
        let reported = estate.enforce().await;
        assert_eq!(pins(&reported), [PinReport::Created; 5], "{rules:?}: {}", estate.story(&reported));
    }
}

#[tokio::test]
async fn as_many_as_the_claim_rule_keeps_are_pinned_and_no_more_i22_f44() {
    let estate = Estate::in_ecr(6, "2026-01-01", terms(&[claim(3)]));
    let reported = estate.enforce().await;
    assert_eq!(asked(&estate), releases(&estate, 1..4), "{}", estate.story(&reported));
    let expected = [PinReport::Refused, PinReport::Refused, PinReport::Created, PinReport::Created, PinReport::Created];
    assert_eq!(pins(&reported), expected, "{}", estate.story(&reported));
    estate.memory.forget_calls();
    let events = estate.events().await;
    estate.enforce().await;
    assert_eq!((estate.memory.calls(), estate.events().await), (vec![], events), "I13");
}

fn beside(estate: &mut Estate, tag: &str, day: &str) -> ArtifactId {
    estate.memory.set_time(format!("{day}T00:00:00Z").parse().unwrap());
    estate.push(tag, tag)
}

#[tokio::test]
async fn whoever_loses_a_place_is_named_and_the_policy_may_allow_it_i22() {
    // The claim rule is there; but the other one goes on counting what that claims (A30).
    let rules = [claim(9_999), keep(2, &pattern("prod-*"), 2)];
    let mut estate = Estate::in_ecr(6, "2026-01-01", terms(&rules));
    let live = beside(&mut estate, "prod-live", "2025-12-01");
    let reported = estate.enforce().await;
    // One more image fits among the two.
    assert_eq!(asked(&estate), releases(&estate, 1..1), "{}", estate.story(&reported));
    let [refused] = findings_with(&reported, Code::PinRefused)[..] else { panic!("{}", estate.story(&reported)) };
    assert!(refused.message.contains("prod-live") && refused.message.contains(&live.short()), "{}", refused.message);
    assert!(refused.message.contains("no production rule names it"), "{}", refused.message);
    assert!(refused.remedy.contains("pins: { may_displace: true }"), "{}", refused.remedy);
    assert!(!refused.remedy.contains("put-lifecycle-policy"), "it is there: {}", refused.remedy);

    estate.policy.pins.usual = PinTerms { may_displace: true, ..PinTerms::default() };
    let reported = estate.enforce().await;
    assert_eq!(pins(&reported), [PinReport::Created; 5], "{}", estate.story(&reported));

    // What production names is never displaced, whatever the policy says.
    let mut estate = Estate::in_ecr(6, "2026-01-01", terms(&rules));
    let old = beside(&mut estate, "prod-old", "2025-12-01");
    estate.memory.move_tag(REPOSITORY, "v0.9.0", &old);
    estate.policy.pins.usual = PinTerms { may_displace: true, ..PinTerms::default() };
    let reported = estate.enforce().await;
    assert!(!findings_with(&reported, Code::PinRefused).is_empty(), "{}", estate.story(&reported));
    assert_eq!(asked(&estate), Vec::<ArtifactId>::new());

    // What is a target is pinned itself, before the others, and so nobody takes its place.
    let mut estate = Estate::in_ecr(6, "2026-01-01", terms(&rules));
    beside(&mut estate, "prod-live", "2025-12-01");
    estate.policy.production.push(ProductionRule::MovingTag("prod-live".parse().unwrap()));
    estate.policy.pins.usual = PinTerms { may_displace: true, ..PinTerms::default() };
    let reported = estate.enforce().await;
    assert!(findings_with(&reported, Code::PinRefused).is_empty(), "{}", estate.story(&reported));
    assert!(each(reported.targets().iter(), |target| target.protected == Some(true)), "{}", estate.story(&reported));
}

#[tokio::test]
async fn a_pin_that_fails_takes_those_with_it_that_were_harmless_only_after_it_i22_f126() {
    let rules = [claim(9_999), keep(2, &pattern("prod-*"), 2)];
    let mut estate = Estate::in_ecr(6, "2026-01-01", terms(&rules));
    let live = beside(&mut estate, "prod-live", "2025-12-01");
    estate.policy.production.push(ProductionRule::MovingTag("prod-live".parse().unwrap()));
    estate.memory.lose_pin_of(REPOSITORY, &live);
    let reported = estate.enforce().await;
    assert_eq!(asked(&estate), [live], "{}", estate.story(&reported));
    let [refused] = findings_with(&reported, Code::PinRefused)[..] else { panic!("{}", estate.story(&reported)) };
    assert!(refused.message.contains("prod-live"), "{}", refused.message);
    // The next run makes up for it.
    estate.memory.heal();
    let reported = estate.enforce().await;
    assert!(each(reported.targets().iter(), |target| target.protected == Some(true)), "{}", estate.story(&reported));

    // One that was made and got no answer is there, and what was harmless after it is so.
    let mut estate = Estate::in_ecr(6, "2026-01-01", terms(&rules));
    let live = beside(&mut estate, "prod-live", "2025-12-01");
    estate.policy.production.push(ProductionRule::MovingTag("prod-live".parse().unwrap()));
    estate.memory.lose_answer_of(REPOSITORY, &live);
    let reported = estate.enforce().await;
    assert!(findings_with(&reported, Code::PinRefused).is_empty(), "{}", estate.story(&reported));
    assert_eq!(estate.memory.pins(REPOSITORY).len(), 6, "{}", estate.story(&reported));
    let reported = estate.enforce().await;
    assert!(each(reported.targets().iter(), |target| target.protected == Some(true)), "{}", estate.story(&reported));

    // Where each is harmless by itself, one that fails takes nobody with it.
    let estate = Estate::in_ecr(6, "2026-01-01", terms(&[claim(9_999), days(2, UNTAGGED, 14)]));
    estate.memory.lose_pin_of(REPOSITORY, &releases(&estate, 1..2)[0]);
    let reported = estate.enforce().await;
    assert_eq!(asked(&estate), releases(&estate, 1..6), "{}", estate.story(&reported));
    let created = reported.targets().iter().filter(|target| target.pin == PinReport::Created);
    assert_eq!(created.count(), 4, "{}", estate.story(&reported));
}

#[tokio::test]
async fn what_a_saved_release_keeps_others_from_counts_as_well_i22() {
    // Nothing of the pin itself is counted: but without it the releases go, and leave their places to what is older.
    let rules = [claim(9_999), days(2, &pattern("v*"), 30), keep(3, ANY, 12)];
    let mut estate = Estate::in_ecr(6, "2026-01-01", terms(&rules));
    beside(&mut estate, "dev-1", "2025-12-01");
    let reported = estate.enforce().await;
    assert_eq!(pins(&reported), [PinReport::Refused; 5], "{}", estate.story(&reported));
    assert!(findings_with(&reported, Code::PinRefused)[0].message.contains("dev-1"), "{}", estate.story(&reported));
    estate.policy.pins.usual = PinTerms { may_displace: true, ..PinTerms::default() };
    assert_eq!(pins(&estate.enforce().await), [PinReport::Created; 5]);
}

#[tokio::test]
async fn a_tag_that_moves_on_leaves_the_pin_behind_i22() {
    // The rule looks at the release by the tag `prod-live`, so the pin changes nothing today. Tomorrow the tag is on another.
    let rules = [keep(1, &pattern("prod-*"), 2), days(2, UNTAGGED, 14)];
    let mut estate = Estate::in_ecr(2, "2026-01-01", terms(&rules));
    let newest = estate.memory.tag(REPOSITORY, "v1.1.0").unwrap();
    estate.memory.move_tag(REPOSITORY, "prod-live", &newest);
    let reported = estate.enforce().await;
    assert_eq!(pins(&reported), [PinReport::Refused; 2], "{}", estate.story(&reported));
    estate.push("v2.0.0", "two");
}

#[tokio::test]
async fn pins_that_do_harm_are_told_and_never_removed_i1_i22() {
    let estate = Estate::in_ecr(6, "2026-01-01", terms(&[days(1, UNTAGGED, 14)]));
    estate.enforce().await;
    let pinned = estate.memory.pins(REPOSITORY);
    estate.memory.set_ecr(REPOSITORY, terms(&[keep(1, &prefix("prod"), 1), days(2, UNTAGGED, 14)]));
    for mode in [Mode::Audit, Mode::Enforce] {
        let reported = estate.run(mode).await;
        let [harm] = findings_with(&reported, Code::PinIneffective)[..] else { panic!("{}", estate.story(&reported)) };
        assert_eq!(harm.severity, Severity::Critical, "{}", harm.message);
        assert!(harm.message.contains("pins that are there do harm"), "{}", harm.message);
        assert!(harm.message.contains("no rule would take it"), "both outlooks: {}", harm.message);
        assert!(harm.remedy.contains("aws ecr put-lifecycle-policy"), "{}", harm.remedy);
    }
    assert_eq!(estate.memory.pins(REPOSITORY), pinned);
    // With the claim rule in front they do none.
    estate.memory.set_ecr(REPOSITORY, terms(&[claim(9_999), keep(2, &prefix("prod"), 1), days(3, UNTAGGED, 14)]));
    let reported = estate.enforce().await;
    assert_eq!(findings_with(&reported, Code::PinIneffective).len(), 0, "{}", estate.story(&reported));
}

#[tokio::test]
async fn under_rules_that_were_not_read_no_pin_is_made_in_ecr_i22_f123_a54() {
    for (lifecycle, part) in [
        (Setting::Unknown, "ecr:GetLifecyclePolicy"),
        (Setting::Text("{\"rules\": 5}".into()), "prodpin forecast shop/api"),
    ] {
        let estate = Estate::in_ecr(3, "2026-01-01", EcrTerms { lifecycle, ..terms(&[]) });
        let reported = estate.enforce().await;
        assert_eq!(pins(&reported), [PinReport::Refused; 3], "{}", estate.story(&reported));
        assert_eq!(estate.memory.calls(), []);
        let [refused] = findings_with(&reported, Code::PinRefused)[..] else { panic!("{}", estate.story(&reported)) };
        assert!(refused.remedy.contains(part), "{}", refused.remedy);
    }
    // Where the policy says so, they are made, and protect nothing that is proven.
    let mut estate = Estate::in_ecr(3, "2026-01-01", EcrTerms { lifecycle: Setting::Unknown, ..terms(&[]) });
    estate.policy.pins.usual = PinTerms { blind: true, ..PinTerms::default() };
    let reported = estate.enforce().await;
    assert_eq!(pins(&reported), [PinReport::Created; 3]);
    assert!(each(reported.targets().iter(), |target| target.protected.is_none()));
    // Definitively none is safe.
    let estate = Estate::in_ecr(3, "2026-01-01", EcrTerms { lifecycle: Setting::Unset, ..terms(&[]) });
    assert_eq!(pins(&estate.enforce().await), [PinReport::Created; 3]);
}

#[tokio::test]
async fn of_a_list_that_broke_off_only_what_the_rules_alone_prove_is_pinned_i22() {
    for (rules, expected) in [
        (vec![claim(9_999), days(2, &pattern("v*"), 300)], PinReport::Created),
        (vec![claim(9_999), keep(2, &prefix("prod"), 3)], PinReport::Refused),
        (vec![days(1, UNTAGGED, 3)], PinReport::Created),
        (vec![keep(1, &prefix("prod"), 300)], PinReport::Refused),
    ] {
        let estate = Estate::in_ecr(3, "2026-01-01", terms(&rules));
        // Its history begins on a list that is whole: else nothing is pinned at all (I24).
        estate.run(Mode::Audit).await;
        estate.memory.stop_list_after(REPOSITORY, 1);
        let reported = estate.enforce().await;
        assert!(!reported.targets().is_empty());
        assert!(each(pins(&reported).iter(), |pin| *pin == expected), "{rules:?}: {}", estate.story(&reported));
    }
}
