//! What a run could not tell, another one tells: alerts that failed, runs that died, an anchor out of reach.

use prodpin::alert::tell;
use prodpin::ledger::{Access, Ledger};
use prodpin::model::{Code, Entry, Event, Mode, Severity, Waived, Waiver};
use prodpin::policy::{LedgerLocation, Safeguards};
use prodpin::report::body::Report;
use serde_json::Value;

use crate::alerts::{Receiver, Request, alert};
use crate::estate::{Estate, REPOSITORY, reported};

/// Seven releases, of which the first is no target any more, and everybody was told of how things are.
async fn settled(receiver: &Receiver) -> Estate {
    let mut estate = Estate::with_releases(7);
    estate.policy.alerts = vec![alert("oncall", receiver)];
    receiver.answer(&[200]);
    tell(&estate.policy, &run(&estate).await, None).await.unwrap();
    tell(&estate.policy, &run(&estate).await, None).await.unwrap();
    receiver.take();
    estate
}

async fn run(estate: &Estate) -> Report {
    estate.report(Mode::Enforce, &[]).await.unwrap()
}

fn codes(report: &Report) -> Vec<Code> {
    reported(report).findings.into_iter().map(|finding| finding.code).collect()
}

/// What one message tells.
fn message(receiver: &Receiver) -> Value {
    data(&receiver.take())
}

fn data(requests: &[Request]) -> Value {
    let [request] = requests else { panic!("one message") };
    serde_json::from_str::<Value>(&request.body).unwrap()["data"].clone()
}

fn references(message: &Value) -> Vec<&str> {
    let findings = message["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["reference"].as_str().unwrap()).collect()
}

async fn undelivered(estate: &Estate) -> usize {
    let ledger = Ledger::open(&estate.policy.ledger, Access::Read).await.unwrap();
    ledger.outboxes().len()
}

#[tokio::test]
async fn a_move_whose_alert_failed_is_told_by_the_run_after_it_i16() {
    let receiver = Receiver::start(&[200]).await;
    let mut estate = settled(&receiver).await;
    estate.push("v1.0.0", "not that release");
    receiver.answer(&[403]);
    let first = run(&estate).await;
    assert!(codes(&first).contains(&Code::TagMoved));
    tell(&estate.policy, &first, None).await.unwrap_err();
    let refused = receiver.take();
    receiver.answer(&[200]);
    let second = run(&estate).await;
    assert!(!codes(&second).contains(&Code::TagMoved), "it happened once");
    assert_eq!(tell(&estate.policy, &second, None).await.unwrap()[0].1, 1);
    let got = receiver.take();
    assert_eq!(
        got[0].headers["webhook-id"], refused[0].headers["webhook-id"],
        "it may have arrived, so it is the same"
    );
    let reported = data(&got);
    assert_eq!(references(&reported), ["v1.0.0"]);
    assert_eq!(reported["counts"]["high"], 1);
    assert_eq!(reported["more"], 0);
    assert_eq!(reported["earlier"], serde_json::json!({ "findings": 1, "runs": [first.run.id] }));
    assert_eq!(undelivered(&estate).await, 0);

    // And by no other, whoever tells again.
    for report in [&first, &second, &run(&estate).await] {
        tell(&estate.policy, report, None).await.unwrap();
    }
    assert!(receiver.take().is_empty());
}

#[tokio::test]
async fn a_run_that_was_cut_off_before_it_told_anybody_is_made_up_for_i15() {
    let receiver = Receiver::start(&[200]).await;
    let mut estate = settled(&receiver).await;
    estate.push("v1.0.0", "not that release");
    run(&estate).await;
    estate.push("v1.1.0", "nor that one");
    let next = run(&estate).await;
    assert_eq!(tell(&estate.policy, &next, None).await.unwrap()[0].1, 2);
    let reported = message(&receiver);
    assert_eq!(references(&reported), ["v1.1.0", "v1.0.0"], "what is new comes first");
    assert!(reported["findings"].as_array().unwrap().iter().all(|finding| finding["ledger_sequence"].is_u64()), "I10");
}

#[tokio::test]
async fn a_host_that_was_gone_for_long_gets_one_message_with_all_of_it_i20() {
    let receiver = Receiver::start(&[200]).await;
    let mut estate = settled(&receiver).await;
    receiver.answer(&[403]);
    for day in 0..20 {
        estate.push("v1.0.0", &format!("bytes of day {day}"));
        tell(&estate.policy, &run(&estate).await, None).await.unwrap_err();
    }
    // One of those days there were more than anybody keeps the names of.
    let ledger = Ledger::open_with(&estate.policy.ledger, &estate.policy.safeguards, Access::Write).await.unwrap();
    let (record, _) = ledger.runs(1).await.unwrap().remove(0);
    let more = [(Severity::High, 1_000), (Severity::Low, 5)].into();
    let event = Event::AlertQueued { alert: "oncall".into(), report: record.report, findings: Vec::new(), more };
    let entry =
        Entry { run: "20261123T031500Z-0123abcd".parse().unwrap(), at: record.finished, repository: None, event };
    ledger.commit(vec![entry]).await.unwrap();
    receiver.take();
    receiver.answer(&[200]);
    assert_eq!(tell(&estate.policy, &run(&estate).await, None).await.unwrap()[0].1, 1_020);
    let reported = message(&receiver);
    assert_eq!((&reported["counts"]["high"], &reported["counts"]["low"]), (&1_020.into(), &0.into()));
    assert_eq!(reported["findings"].as_array().unwrap().len(), 16, "so many reports are read back");
    assert_eq!(reported["more"], 1_004);
    assert_eq!(reported["earlier"]["findings"], 1_020);
    assert_eq!(reported["earlier"]["runs"].as_array().unwrap().len(), 20);
    assert_eq!(
        (undelivered(&estate).await, tell(&estate.policy, &run(&estate).await, None).await.unwrap()[0].1),
        (0, 0)
    );
}

#[tokio::test]
async fn a_new_alert_hears_nothing_of_the_past_and_a_renamed_one_what_it_owed() {
    let (receiver, newcomer) = (Receiver::start(&[200]).await, Receiver::start(&[200]).await);
    let mut estate = settled(&receiver).await;
    estate.push("v1.0.0", "not that release");
    receiver.answer(&[403]);
    tell(&estate.policy, &run(&estate).await, None).await.unwrap_err();
    estate.policy.alerts.push(alert("chat", &newcomer));
    tell(&estate.policy, &run(&estate).await, None).await.unwrap_err();
    assert!(newcomer.take().is_empty(), "it was not there then");
    assert_eq!(undelivered(&estate).await, 1);

    receiver.take();
    receiver.answer(&[200]);
    estate.policy.alerts = vec![alert("pager", &receiver)];
    tell(&estate.policy, &run(&estate).await, None).await.unwrap();
    assert_eq!(references(&message(&receiver)), ["v1.0.0"]);
    assert_eq!(undelivered(&estate).await, 0);
}

#[tokio::test]
async fn what_somebody_answers_for_by_now_is_not_told() {
    let receiver = Receiver::start(&[200]).await;
    let mut estate = settled(&receiver).await;
    estate.push("v1.0.0", "not that release");
    receiver.answer(&[403]);
    tell(&estate.policy, &run(&estate).await, None).await.unwrap_err();
    receiver.take();
    receiver.answer(&[200]);
    estate.policy.waivers = vec![Waiver {
        code: Code::TagMoved,
        source: None,
        repositories: None,
        references: None,
        waived: Waived { reason: "a rebuild".into(), owner: "team".into(), expires: "2999-01-31".parse().unwrap() },
    }];
    assert_eq!(tell(&estate.policy, &run(&estate).await, None).await.unwrap()[0].1, 0);
    assert!(receiver.take().is_empty());
    assert_eq!(undelivered(&estate).await, 0);
}

/// A run that records what it saw and dies before it closes: its report cannot be kept.
async fn dies(estate: &Estate) {
    let (reports, away) = (estate.ledger_directory().join("report"), estate.ledger_directory().join("away"));
    std::fs::rename(&reports, &away).unwrap();
    std::fs::write(&reports, "a file where a directory should be").unwrap();
    assert!(estate.report(Mode::Audit, &[]).await.is_err());
    std::fs::remove_file(&reports).unwrap();
    std::fs::rename(&away, &reports).unwrap();
}

#[tokio::test]
async fn what_runs_that_died_had_seen_is_told_whatever_closed_in_between_i15_i16() {
    let mut estate = Estate::with_releases(2);
    let original = estate.push("latest", "first build");
    estate.memory.push("shop/web", "v1.0.0", "web");
    estate.report(Mode::Audit, &[]).await.unwrap();
    for build in 1..=6 {
        estate.push("latest", &format!("build {build}"));
        dies(&estate).await;
        estate.report(Mode::Audit, &["shop/web"]).await.unwrap();
    }
    let report = estate.report(Mode::Audit, &[]).await.unwrap();
    let moved: Vec<_> = reported(&report).findings.into_iter().filter(|found| found.code == Code::TagMoved).collect();
    let [moved] = &moved[..] else { panic!("{moved:?}") };
    assert_eq!(moved.reference.as_deref(), Some("latest"));
    assert_eq!(moved.previous, Some(original.to_string()), "from where it was when anybody was told of it last");
    assert_eq!(moved.severity, Severity::Medium);
    assert!(moved.first_seen < report.run.started, "dated by the run that saw it");

    // Once; and then nothing more is recorded (I13).
    let events = estate.events().await.len();
    assert!(!codes(&estate.report(Mode::Audit, &[]).await.unwrap()).contains(&Code::TagMoved));
    assert_eq!(estate.events().await.len(), events);
    let reported_again =
        estate.events().await.into_iter().filter(|event| matches!(event, Event::ReportedAgain { .. })).count();
    assert_eq!(reported_again, 6, "by each run that followed one that died");
    assert_eq!(REPOSITORY, "shop/api");
}

#[cfg(unix)]
#[tokio::test]
async fn an_anchor_that_fails_makes_the_run_incomplete() {
    let mut estate = Estate::with_releases(2);
    let anchor = estate.ledger_directory().with_file_name("anchor");
    estate.policy.safeguards =
        Safeguards { anchor: Some(LedgerLocation::Directory(anchor.clone())), ..Safeguards::default() };
    assert!(run(&estate).await.run.complete);
    let before = run(&estate).await;
    assert!(before.run.complete);

    // From its start.
    let away = anchor.with_file_name("away");
    std::fs::rename(&anchor, &away).unwrap();
    std::fs::write(&anchor, "a file where a directory should be").unwrap();
    let report = run(&estate).await;
    assert!(!report.run.complete && codes(&report).contains(&Code::InventoryIncomplete), "{:?}", report.run);
    assert!(report.run.ledger.unwrap().unanchored.is_some());
    std::fs::remove_file(&anchor).unwrap();
    std::fs::rename(&away, &anchor).unwrap();
    let report = run(&estate).await;
    assert!(report.run.complete && !codes(&report).contains(&Code::InventoryIncomplete));

    // Only with its very last commit, for which no finding comes in time.
    let quiet = run(&estate).await.run.ledger.unwrap().sequence;
    let last = quiet + (quiet - report.run.ledger.unwrap().sequence);
    // What leads nowhere is not listed, and cannot be created.
    std::os::unix::fs::symlink("nowhere", anchor.join(format!("checkpoint/{last:020}"))).unwrap();
    let report = run(&estate).await;
    assert!(
        !report.run.complete && !codes(&report).contains(&Code::InventoryIncomplete),
        "{:?} {:?} {last}",
        report.run,
        codes(&report)
    );
    let ledger = report.run.ledger.unwrap();
    assert_eq!(ledger.sequence, last);
    assert!(ledger.unanchored.unwrap().contains("anchor"));
}
