//! What a user lives through, run by run, with a golden story for each: every production rule, every finding that a
//! registry can give rise to.

macro_rules! golden {
    ($estate:expr, $($reported:expr),+ $(,)?) => {{
        let stories: Vec<String> = vec![$($estate.story(&$reported)),+];
        insta::assert_snapshot!(stories.join("--- next run\n"));
    }};
}

mod losses;
mod moves;
mod pins;
mod production;

use prodpin::ledger::{Access, Ledger};
use prodpin::model::{Event, Mode, NamePatterns, Order, ProductionRule, RepositoryKey};
use prodpin::run::RunError;
use prodpin::sources::memory::image;

use crate::estate::{Estate, REPOSITORY, tags};
use crate::support::each;

#[tokio::test]
async fn policy_entries_that_match_nothing_are_told_f73() {
    let mut estate = Estate::new(vec![
        tags(&["v*", "realease-*"], Order::Semver),
        ProductionRule::MovingTag("prod".parse().unwrap()),
    ]);
    estate.policy.may_move = NamePatterns::new(["dev-*"]).unwrap();
    estate.push("v1.0.0", "a");
    estate.memory.push("shop/tools", "nightly", image("tool"));
    let reported = estate.enforce().await;
    golden!(estate, reported);
}

#[tokio::test]
async fn two_runs_at_once_both_succeed_i14() {
    let estate = Estate::with_releases(6);
    let (a, b) = tokio::join!(estate.try_run(Mode::Enforce), estate.try_run(Mode::Enforce));
    for reported in [a.unwrap(), b.unwrap()] {
        assert!(each(reported.targets().iter(), |target| target.protected == Some(true)));
    }
    let events = estate.events().await;
    let seen = events.iter().filter(|event| matches!(event, Event::TagSeen { .. })).count();
    assert_eq!(seen, 6, "a tag was recorded twice, or not at all");
    assert!(!events.iter().any(|event| matches!(event, Event::TagMoved { .. })));
}

#[tokio::test]
async fn enforce_without_a_ledger_is_refused_f63() {
    let mut estate = Estate::with_releases(1);
    estate.policy.ledger = prodpin::policy::LedgerLocation::None;
    assert!(matches!(estate.try_run(Mode::Enforce).await, Err(RunError::NoLedger)));
    let reported = estate.run(Mode::Audit).await;
    assert!(reported.findings.iter().all(|finding| finding.ledger_sequence.is_none()));
}

#[tokio::test]
async fn unchanged_runs_share_one_report_and_findings_keep_their_first_day() {
    let mut estate = Estate::with_releases(3);
    estate.enforce().await;
    estate.push("v1.1.0", "implant");
    let moved = estate.enforce().await;
    let later = estate.enforce().await;
    let still = estate.enforce().await;
    let find = |reported: &crate::estate::RunResult| {
        let finding = reported.findings.iter().find(|finding| finding.code == prodpin::model::Code::TagMoved).unwrap();
        (finding.first_seen, finding.ledger_sequence)
    };
    assert_eq!(find(&moved).1, find(&later).1, "a finding names the commit that it was first found in");
    assert_eq!(find(&later), find(&still));
    let reports = estate.reports().await;
    assert_eq!(reports[0], reports[1], "the last two runs saw and said the same");
    assert_ne!(reports[1], reports[2]);
}

#[tokio::test]
async fn what_a_run_recorded_that_died_before_its_report_is_told_by_the_next_i15() {
    let mut estate = Estate::with_releases(7);
    estate.enforce().await;
    for minor in 0..3 {
        estate.push(&format!("v1.{minor}.0"), "implant");
    }
    // What a run commits before it is killed: the events, and no record of the run.
    let ledger = Ledger::open_with(&estate.policy.ledger, &estate.policy.safeguards, Access::Write).await.unwrap();
    let key = RepositoryKey { source: "shop".parse().unwrap(), name: REPOSITORY.parse().unwrap() };
    let state = ledger.recall(&key).await.unwrap();
    let at = "2026-01-01T00:00:00Z".parse().unwrap();
    let entries = (0..3).map(|minor| {
        let tag: prodpin::model::Tag = format!("v1.{minor}.0").parse().unwrap();
        let from = state.tags[&tag].latest().unwrap().artifact.clone();
        let to = estate.memory.tag(REPOSITORY, tag.as_str()).unwrap();
        let event = Event::TagMoved { tag, from, to };
        prodpin::model::Entry { run: prodpin::model::RunId::new(at, 1), at, repository: Some(key.clone()), event }
    });
    ledger.commit(entries.collect()).await.unwrap();
    let reported = estate.enforce().await;
    assert!(reported.codes().contains(&"critical tags-moved-together".to_owned()), "{:?}", reported.codes());
    assert!(!estate.enforce().await.codes().contains(&"critical tags-moved-together".to_owned()), "and only once");
}
