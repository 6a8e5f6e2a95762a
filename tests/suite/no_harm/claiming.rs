//! `lifecycle: manage`: enforce puts the rule in front that claims pins, and then pins.

use prodpin::model::{Code, Digest, Event, Mode, PinTerms, Setting, Severity};
use prodpin::outcome::report::PinReport;
use prodpin::sources::memory::{Call, EcrTerms};

use super::runs::{UNTAGGED, asked, days, findings_with, keep, pattern, pins, prefix, releases, rule, terms};
use crate::estate::{Estate, REPOSITORY};
use crate::support::each;

fn managed(rules: &[String]) -> EcrTerms {
    EcrTerms { manages_lifecycle: true, ..terms(rules) }
}

fn text(terms: &EcrTerms) -> String {
    let Setting::Text(text) = &terms.lifecycle else { panic!("a policy") };
    text.to_string()
}

#[tokio::test]
async fn first_the_rule_then_the_pins_and_both_on_record_i22() {
    let live = managed(&[keep(1, &prefix("prod"), 1), days(2, UNTAGGED, 14)]);
    let estate = Estate::in_ecr(6, "2026-01-01", live.clone());
    for mode in [Mode::Audit, Mode::EnforceDryRun] {
        let reported = estate.run(mode).await;
        assert_eq!(estate.memory.calls(), [], "{mode:?} changes nothing");
        assert_eq!(pins(&reported), [PinReport::Planned; 5], "{}", estate.story(&reported));
        let [planned] = findings_with(&reported, Code::PinIneffective)[..] else {
            panic!("{}", estate.story(&reported))
        };
        assert!(planned.remedy.contains("run `prodpin enforce`: it puts a rule in front"), "{}", planned.remedy);
    }
    let reported = estate.enforce().await;
    let calls = estate.memory.calls();
    assert!(matches!(calls[0], Call::Lifecycle { .. }), "{calls:?}");
    assert_eq!((calls.len(), asked(&estate)), (6, releases(&estate, 1..6)));
    assert!(each(reported.targets().iter(), |target| target.protected == Some(true)), "{}", estate.story(&reported));
    let [applied] = findings_with(&reported, Code::SettingsChanged)[..] else { panic!("{}", estate.story(&reported)) };
    assert_eq!(applied.severity, Severity::Info);
    let claimed = estate.events().await.into_iter().find_map(|event| match event {
        Event::LifecycleClaimed { before, .. } => Some(before),
        _ => None,
    });
    assert_eq!(claimed, Some(Digest::sha256(text(&live).as_bytes())));
    // It is nobody else's change, and there is nothing more to do.
    estate.memory.forget_calls();
    let events = estate.events().await;
    let again = estate.enforce().await;
    assert_eq!((estate.memory.calls(), estate.events().await), (vec![], events), "I13");
    assert_eq!(again.codes(), Vec::<String>::new());
}

#[tokio::test]
async fn pins_that_are_there_are_saved_by_it_as_well_i22() {
    let estate = Estate::in_ecr(6, "2026-01-01", terms(&[days(1, UNTAGGED, 14)]));
    estate.enforce().await;
    estate.memory.set_ecr(REPOSITORY, managed(&[keep(1, &prefix("prod"), 1), days(2, UNTAGGED, 14)]));
    let audit = estate.run(Mode::Audit).await;
    assert_eq!(findings_with(&audit, Code::PinIneffective)[0].severity, Severity::Critical, "until then they do harm");
    let reported = estate.enforce().await;
    assert!(each(reported.targets().iter(), |target| target.protected == Some(true)), "{}", estate.story(&reported));
    assert_eq!(findings_with(&reported, Code::PinIneffective).len(), 0, "{}", estate.story(&reported));
}

#[tokio::test]
async fn where_it_is_refused_the_pins_are_judged_without_it_i22() {
    let estate = Estate::in_ecr(6, "2026-01-01", managed(&[keep(1, &prefix("prod"), 1), days(2, UNTAGGED, 14)]));
    estate.memory.refuse_pins(REPOSITORY);
    let reported = estate.enforce().await;
    assert_eq!(asked(&estate), [], "no pin without the rule");
    assert_eq!(pins(&reported), [PinReport::Refused; 5], "{}", estate.story(&reported));
    let [refused] = findings_with(&reported, Code::PinRefused)[..] else { panic!("{}", estate.story(&reported)) };
    assert!(refused.remedy.contains("by hand") && refused.remedy.contains("not allowed"), "{}", refused.remedy);
}

#[tokio::test]
async fn it_is_not_put_there_if_somebody_would_lose_by_it_i22() {
    // A rule of the archive is renumbered and nobody loses. With a place at stake somebody does, unless that is allowed.
    let pinned = Estate::in_ecr(6, "2026-01-01", terms(&[days(1, UNTAGGED, 14)]));
    pinned.enforce().await;
    let rules = [rule(1, &pattern("v*"), "sinceImagePushed", 30), keep(2, &pattern("*-*"), 9)];
    pinned.memory.set_time("2025-12-01T00:00:00Z".parse().unwrap());
    pinned.memory.push(REPOSITORY, "dev-1", prodpin::sources::memory::image("dev"));
    pinned.memory.set_ecr(REPOSITORY, managed(&rules));
    pinned.memory.forget_calls();
    let reported = pinned.enforce().await;
    assert_eq!(pinned.memory.calls(), [], "{}", pinned.story(&reported));
    assert!(
        reported.findings.iter().any(|finding| finding.remedy.contains("would be taken sooner")),
        "{}",
        pinned.story(&reported)
    );
    let mut pinned = pinned;
    pinned.policy.pins.usual = PinTerms { may_displace: true, ..PinTerms::default() };
    pinned.enforce().await;
    assert!(matches!(pinned.memory.calls()[..], [Call::Lifecycle { .. }]), "{:?}", pinned.memory.calls());
}

#[tokio::test]
async fn without_the_policy_s_word_no_rule_is_written_i8() {
    let estate = Estate::in_ecr(6, "2026-01-01", terms(&[keep(1, &prefix("prod"), 1)]));
    estate.enforce().await;
    assert_eq!(estate.memory.calls(), []);
}

/// A rule that its author wrote for pins is the author's: it may come first and keep more, and is never taken out.
#[tokio::test]
async fn rules_of_the_user_s_own_for_pins_are_not_lost_i8_i22() {
    let described = |mut rule: serde_json::Value| {
        rule["description"] = "pins as Ann wants them".into();
        rule.to_string()
    };
    let read = |rule: &str| serde_json::from_str::<serde_json::Value>(rule).unwrap();
    let any = r#""tagStatus": "any""#;
    // One that keeps too few keeps more, and stays where it is.
    let few = described(read(&keep(1, &pattern("prod-pinned-*"), 5)));
    let estate = Estate::in_ecr(6, "2026-01-01", managed(&[few, keep(2, any, 3)]));
    let reported = estate.enforce().await;
    assert!(each(reported.targets().iter(), |target| target.protected == Some(true)), "{}", estate.story(&reported));
    let after = lifecycle(&estate);
    assert!(after.contains("pins as Ann wants them") && after.contains("9999"), "{after}");
    // One that is ample is left as it is.
    let ample = described(read(&keep(1, &pattern("prod-pinned-*"), 500)));
    let estate = Estate::in_ecr(6, "2026-01-01", managed(&[ample, keep(2, any, 3)]));
    estate.enforce().await;
    assert!(each(estate.memory.calls().iter(), |call| matches!(call, Call::Pin { .. })), "{:?}", estate.memory.calls());
    // One that takes them by their age would have to go.
    let by_age = described(read(&days(1, &pattern("prod-pinned-*"), 30)));
    let live = managed(&[by_age, keep(2, any, 3)]);
    let estate = Estate::in_ecr(6, "2026-01-01", live.clone());
    let reported = estate.enforce().await;
    assert_eq!(lifecycle(&estate), text(&live), "{}", estate.story(&reported));
    let remedies = || reported.findings.iter().map(|finding| finding.remedy.as_str());
    assert!(
        remedies().any(|remedy| remedy.contains("rule 1 of the live policy would be lost")),
        "{}",
        estate.story(&reported)
    );
}

/// What is there after the write decides which pins are made, not what was read before it.
#[tokio::test]
async fn pins_are_judged_under_what_somebody_else_wrote_meanwhile_i22() {
    let harmless = managed(&[keep(1, &pattern("dev*"), 3)]);
    let harmful = terms(&[keep(1, &prefix("prod"), 1), days(2, UNTAGGED, 14)]).lifecycle;
    let live = EcrTerms { written_over: Some(harmful.clone()), ..harmless };
    let estate = Estate::in_ecr(6, "2026-01-01", live);
    let reported = estate.enforce().await;
    assert_eq!(asked(&estate), [], "{}", estate.story(&reported));
    assert_eq!(pins(&reported), [PinReport::Refused; 5], "{}", estate.story(&reported));
    let [refused] = findings_with(&reported, Code::PinRefused)[..] else { panic!("{}", estate.story(&reported)) };
    assert!(refused.remedy.starts_with("run `prodpin enforce` again"), "{}", refused.remedy);
    // The same where it cannot be known what is there.
    let live = EcrTerms { written_over: Some(Setting::Unknown), ..managed(&[keep(1, &pattern("dev*"), 3)]) };
    let estate = Estate::in_ecr(6, "2026-01-01", live);
    let reported = estate.enforce().await;
    assert_eq!(asked(&estate), [], "{}", estate.story(&reported));
}

#[tokio::test]
async fn where_there_are_no_rules_none_are_made_i22() {
    let estate = Estate::in_ecr(6, "2026-01-01", EcrTerms { lifecycle: Setting::Unset, ..managed(&[]) });
    let reported = estate.enforce().await;
    assert_eq!(asked(&estate).len(), 5, "{}", estate.story(&reported));
    assert!(each(estate.memory.calls().iter(), |call| matches!(call, Call::Pin { .. })), "{:?}", estate.memory.calls());
}

/// What prodpin cannot read it does not rewrite, and says so.
#[tokio::test]
async fn rules_that_are_not_understood_are_left_byte_for_byte_i22_f53() {
    let good = keep(1, &prefix("prod"), 1);
    for (what, odd) in [
        ("an unknown key of a rule", good.replacen('{', r#"{"owner": "web", "#, 1)),
        (
            "an unknown key of the selection",
            good.replacen(r#""tagStatus""#, r#""architecture": "arm64", "tagStatus""#, 1),
        ),
        ("an unknown action", good.replace("expire", "retain")),
        ("a key twice", good.replacen('{', r#"{"rulePriority": 9, "#, 1)),
        ("a number as text", good.replace(r#""countNumber": 1"#, r#""countNumber": "1""#)),
        ("a fraction", good.replace(r#""countNumber": 1"#, r#""countNumber": 1.0"#)),
        ("too large a priority", good.replace(r#""rulePriority": 1"#, r#""rulePriority": 99999999999"#)),
    ] {
        assert_ne!(odd, good, "{what}");
        let live = managed(&[odd]);
        let estate = Estate::in_ecr(6, "2026-01-01", live.clone());
        let reported = estate.enforce().await;
        assert_eq!((estate.memory.calls(), lifecycle(&estate)), (vec![], text(&live)), "{what}");
        assert_eq!(pins(&reported), [PinReport::Refused; 5], "{what}: {}", estate.story(&reported));
        let [refused] = findings_with(&reported, Code::PinRefused)[..] else {
            panic!("{what}: {}", estate.story(&reported))
        };
        assert!(refused.message.contains("cannot be understood"), "{what}: {}", refused.message);
    }
}

#[tokio::test]
async fn a_full_policy_is_left_as_it_is_and_the_limit_is_told_i22() {
    let rules: Vec<String> = (1..=50).map(|rule| keep(rule, &pattern(&format!("x{rule}-*")), 3)).collect();
    let live = managed(&rules);
    let estate = Estate::in_ecr(6, "2026-01-01", live.clone());
    let reported = estate.enforce().await;
    assert_eq!(lifecycle(&estate), text(&live));
    let [reported] = findings_with(&reported, Code::PinIneffective)[..] else { panic!("{}", estate.story(&reported)) };
    assert_eq!(reported.severity, Severity::Medium, "it was asked for, and not done");
    assert!(reported.remedy.contains("50 rules, and ECR takes no more than 50"), "{}", reported.remedy);
}

/// The room grows with the pins, and what is written says so.
#[tokio::test]
async fn a_claim_rule_that_grows_full_keeps_more_and_never_fewer_i22() {
    let claim = |count: u64| keep(1, &pattern("prod-pinned-*"), count);
    let estate = Estate::in_ecr(6, "2026-01-01", managed(&[claim(110), keep(2, r#""tagStatus": "any""#, 3)]));
    estate.enforce().await;
    assert!(lifecycle(&estate).contains(r#""countNumber": 110"#), "it has room");
    for number in 0..6 {
        estate.memory.push(
            REPOSITORY,
            &format!("prod-pinned-{number}"),
            prodpin::sources::memory::image(&format!("{number}")),
        );
    }
    let reported = estate.enforce().await;
    assert!(lifecycle(&estate).contains("9999"), "{} {}", lifecycle(&estate), estate.story(&reported));
    estate.memory.forget_calls();
    estate.enforce().await;
    assert_eq!(estate.memory.calls(), [], "I13");
}

fn lifecycle(estate: &Estate) -> String {
    text(&estate.memory.ecr(REPOSITORY))
}
