//! What targets survive, through whole runs: what the report says of each, what the policy requires beyond it, and that
//! `protected` follows from it.

use prodpin::model::{Answer, Code, Loss, Mode, Required, Severity, Survives};
use prodpin::outcome::report::{PinReport, TargetReport};

use crate::estate::{Estate, RunResult};

pub(crate) fn answers(survives: &Survives) -> String {
    Loss::ALL.map(|loss| &survives.of(loss).answer.as_str()[..1]).concat()
}

fn each(reported: &RunResult) -> Vec<String> {
    reported.targets().iter().map(|target| answers(target.survives.as_ref().unwrap())).collect()
}

/// Protected is exactly: intact, pinned, and surviving the first three.
pub(crate) fn holds(target: &TargetReport) {
    let survives = target.survives.as_ref().unwrap();
    let three = Loss::OF_PROTECTED.iter().all(|loss| survives.of(*loss).answer == Answer::Yes);
    let pinned = matches!(target.pin, PinReport::Present | PinReport::Created);
    let protected = target.restorable == Some(true) && pinned && three;
    assert_eq!(target.protected == Some(true), protected && target.obstacles.is_empty(), "{target:?}");
    assert!(Loss::ALL.iter().all(|loss| !survives.of(*loss).why.is_empty()), "each says why: {survives:?}");
}

#[tokio::test]
async fn a_pin_is_what_a_tag_cleanup_leaves() {
    let estate = Estate::with_releases(3);
    let before = estate.run(Mode::Audit).await;
    assert_eq!(each(&before), ["nyyun"; 3]);
    let after = estate.run(Mode::Enforce).await;
    assert_eq!(each(&after), ["yyyun"; 3]);
    before.targets().iter().chain(after.targets()).for_each(holds);
}

#[tokio::test]
async fn what_falls_short_of_what_the_policy_requires_is_one_finding_for_each_requirement() {
    let mut estate = Estate::with_releases(4);
    let required = |losses: &[Loss]| losses.iter().copied().collect::<Required>();
    for (losses, expected) in [
        (&[][..], vec![]),
        (&Loss::OF_PROTECTED, vec![]),
        (&[Loss::DeletionByDigest], vec!["deletion-by-digest"]),
        (&[Loss::LossOfRegistry, Loss::DeletionByDigest], vec!["deletion-by-digest", "loss-of-registry"]),
    ] {
        estate.policy.pins.usual.require = required(losses);
        estate.run(Mode::Enforce).await;
        let reported = estate.run(Mode::Enforce).await;
        let unmet: Vec<_> = reported.findings.iter().filter(|found| found.code == Code::RequirementUnmet).collect();
        let about: Vec<&str> = unmet.iter().filter_map(|found| found.reference.as_deref()).collect();
        assert_eq!(about, expected, "{losses:?}");
        assert!(unmet.iter().all(|found| found.severity == Severity::Medium && found.message.contains("4 of 4")));
    }
    // What a source says takes the place of what holds for all.
    let terms = prodpin::model::PinTerms::default();
    estate.policy.pins.of.insert("shop".parse().unwrap(), terms);
    let reported = estate.run(Mode::Enforce).await;
    assert!(!reported.findings.iter().any(|found| found.code == Code::RequirementUnmet), "{:?}", reported.codes());
}

#[tokio::test]
async fn what_is_unpinned_falls_short_of_a_tag_cleanup_where_that_is_required() {
    let mut estate = Estate::with_releases(2);
    estate.policy.pins.usual.require = Required::default().with(Loss::TagCleanup);
    let reported = estate.run(Mode::Audit).await;
    let unmet = reported.findings.iter().find(|found| found.code == Code::RequirementUnmet).unwrap();
    assert!(unmet.message.contains("not survived by 2 of 2") && unmet.message.contains("no pin"), "{}", unmet.message);
    assert!(unmet.remedy.contains("prodpin enforce"), "{}", unmet.remedy);
}
