//! `lifecycle: manage`: enforce puts the rule in front that claims pins, and then pins.

use prodpin::model::{Code, Digest, Event, Mode, PinTerms, Setting, Severity};
use prodpin::outcome::report::PinReport;
use prodpin::sources::memory::{Call, EcrTerms};

use super::runs::{UNTAGGED, asked, days, keep, of, pattern, pins, prefix, releases, rule, terms};
use crate::estate::{Estate, REPOSITORY};

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
        let told = estate.run(mode).await;
        assert_eq!(estate.memory.calls(), [], "{mode:?} changes nothing");
        assert_eq!(pins(&told), [PinReport::Planned; 5], "{}", estate.story(&told));
        let [planned] = of(&told, Code::PinIneffective)[..] else { panic!("{}", estate.story(&told)) };
        assert!(planned.remedy.contains("run `prodpin enforce`: it puts a rule in front"), "{}", planned.remedy);
    }
    let told = estate.enforce().await;
    let calls = estate.memory.calls();
    assert!(matches!(calls[0], Call::Lifecycle { .. }), "{calls:?}");
    assert_eq!((calls.len(), asked(&estate)), (6, releases(&estate, 1..6)));
    assert!(told.targets().iter().all(|target| target.protected == Some(true)), "{}", estate.story(&told));
    let [applied] = of(&told, Code::SettingsChanged)[..] else { panic!("{}", estate.story(&told)) };
    assert_eq!(applied.severity, Severity::Info);
    let claimed = estate.events().await.into_iter().find_map(|event| match event {
        Event::LifecycleClaimed { before, .. } => Some(before),
        _ => None,
    });
    assert_eq!(claimed, Some(Digest::of(text(&live).as_bytes())));
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
    assert_eq!(of(&audit, Code::PinIneffective)[0].severity, Severity::Critical, "until then they do harm");
    let told = estate.enforce().await;
    assert!(told.targets().iter().all(|target| target.protected == Some(true)), "{}", estate.story(&told));
    assert_eq!(of(&told, Code::PinIneffective).len(), 0, "{}", estate.story(&told));
}

#[tokio::test]
async fn where_it_is_refused_the_pins_are_judged_without_it_i22() {
    let estate = Estate::in_ecr(6, "2026-01-01", managed(&[keep(1, &prefix("prod"), 1), days(2, UNTAGGED, 14)]));
    estate.memory.refuse_pins(REPOSITORY);
    let told = estate.enforce().await;
    assert_eq!(asked(&estate), [], "no pin without the rule");
    assert_eq!(pins(&told), [PinReport::Refused; 5], "{}", estate.story(&told));
    let [refused] = of(&told, Code::PinRefused)[..] else { panic!("{}", estate.story(&told)) };
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
    let told = pinned.enforce().await;
    assert_eq!(pinned.memory.calls(), [], "{}", pinned.story(&told));
    assert!(
        told.findings.iter().any(|finding| finding.remedy.contains("would be taken sooner")),
        "{}",
        pinned.story(&told)
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
