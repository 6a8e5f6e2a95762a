//! Runs that were missed, and clocks that claim they were not.

use std::collections::BTreeMap;

use prodpin::ledger::{Access, Ledger};
use prodpin::model::{Answers, Code, Counts, Digest, Entry, Event, Mode, RunId, RunRecord, RunScope, Severity};
use prodpin::schedule::Schedule;

use crate::estate::{Estate, RunResult};

/// An estate with a schedule, whose last run started so many hours ago.
async fn last_run(hours: i64, scope: RunScope, schedule: &str) -> Estate {
    let mut estate = Estate::with_releases(2);
    estate.policy.schedule = Some(Schedule::parse(schedule, jiff::tz::TimeZone::UTC).unwrap());
    let started = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours);
    let record = RunRecord {
        id: RunId::new(started, 7),
        mode: Mode::Audit,
        started,
        finished: started,
        complete: true,
        scope,
        policy: Digest::sha256(b"policy"),
        counts: Counts::default(),
        findings: BTreeMap::new(),
        report: Digest::sha256(b"report"),
        answers: Answers::ForItself,
    };
    record_run(&estate, record).await;
    estate
}

async fn record_run(estate: &Estate, record: RunRecord) {
    let ledger = Ledger::open_with(&estate.policy.ledger, &estate.policy.safeguards, Access::Write).await.unwrap();
    let at = record.started;
    let entry = Entry { run: record.id.clone(), at, repository: None, event: Event::Run(Box::new(record)) };
    ledger.commit(vec![entry]).await.unwrap();
}

#[tokio::test]
async fn a_run_with_a_clock_a_year_ahead_silences_nothing_f112() {
    let missed = |reported: &RunResult| reported.findings.iter().any(|finding| finding.code == Code::RunOverdue);
    let estate = last_run(26, RunScope::default(), "rate(1 hour)").await;
    let started = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 365);
    let before = {
        let ledger = Ledger::open(&estate.policy.ledger, Access::Read).await.unwrap();
        ledger.runs(1).await.unwrap().remove(0).0
    };
    record_run(&estate, RunRecord { id: RunId::new(started, 8), started, finished: started, ..before }).await;
    assert!(missed(&estate.run(Mode::Audit).await), "26 hours of nothing are told");
    assert!(!missed(&estate.run(Mode::Audit).await), "on time again");
    // Only the future one is on record: nothing can be said once, and from then on everything.
    let estate = last_run(-24 * 365, RunScope::default(), "rate(1 hour)").await;
    assert!(!missed(&estate.run(Mode::Audit).await));
}

/// However the runs on record stood to the clock: what is told of now is what their order in the ledger bears out.
#[tokio::test]
async fn f112_no_time_that_a_run_claims_outranks_the_order_of_the_ledger() {
    const YEAR: i64 = 24 * 365;
    let event = || RunScope { repositories: vec!["shop/shop/api".to_owned()], ..RunScope::default() };
    let events = |hours: std::ops::RangeInclusive<i64>| hours.rev().map(|ago| (ago, true)).collect::<Vec<_>>();
    // Sixty runs for single repositories leave none of the others among the records at hand.
    let many: Vec<(i64, bool)> = (0..60).map(|n| (20 - n / 3, true)).collect();
    for (what, before, missed) in [
        ("on time", vec![(1, false)], false),
        ("a day of nothing", vec![(26, false)], true),
        ("and one a year ahead", vec![(26, false), (-YEAR, false)], true),
        ("events after it", [vec![(26, false), (-YEAR, false)], many.clone()].concat(), true),
        ("events before it", [many.clone(), vec![(-YEAR, false)]].concat(), false),
        ("events on both sides", [vec![(26, false)], many.clone(), vec![(-YEAR, false)], many.clone()].concat(), true),
        ("an event a year ahead", vec![(26, false), (-YEAR, true)], true),
        ("two a year ahead", [vec![(26, false), (-YEAR, false), (-YEAR - 1, false)], many.clone()].concat(), true),
        ("one in time after it", vec![(26, false), (-YEAR, false), (1, false)], false),
        ("a clock far behind", vec![(1, false), (YEAR, true)], false),
        ("an event far behind, and events", [vec![(1, false), (YEAR, true)], many.clone()].concat(), false),
        ("a run far behind, and events", [vec![(1, false), (YEAR, false)], many.clone()].concat(), false),
        ("a year ahead, events, and in time", [vec![(-YEAR, false)], many.clone(), vec![(1, false)]].concat(), false),
        ("one in time, and events", [vec![(-YEAR, false), (1, false)], events(0..=1)].concat(), false),
    ] {
        let estate =
            last_run(before[0].0, if before[0].1 { event() } else { RunScope::default() }, "rate(1 hour)").await;
        let first = {
            let ledger = Ledger::open(&estate.policy.ledger, Access::Read).await.unwrap();
            ledger.runs(1).await.unwrap().remove(0).0
        };
        let now = jiff::Timestamp::now();
        let kept = &estate.policy;
        let ledger = Ledger::open_with(&kept.ledger, &kept.safeguards, Access::Write).await.unwrap();
        for (number, (ago, is_event)) in (8..).zip(&before[1..]) {
            let started = now - jiff::SignedDuration::from_hours(*ago);
            let scope = if *is_event { event() } else { RunScope::default() };
            let record =
                RunRecord { id: RunId::new(started, number), started, finished: started, scope, ..first.clone() };
            let event = Event::Run(Box::new(record.clone()));
            ledger.commit(vec![Entry { run: record.id, at: started, repository: None, event }]).await.unwrap();
        }
        drop(ledger);
        let reported = estate.run(Mode::Audit).await;
        let is = |reported: &RunResult, code| reported.findings.iter().any(|finding| finding.code == code);
        assert_eq!(is(&reported, Code::RunOverdue), missed, "{what}: {}", estate.story(&reported));
        let again = estate.run(Mode::Audit).await;
        let both = (is(&again, Code::RunOverdue), is(&again, Code::ClockSkew));
        assert_eq!(
            both,
            (false, false),
            "{what}: on time again, and a clock that was wrong once is not wrong for ever"
        );
    }
}

#[tokio::test]
async fn missed_runs_are_a_finding_until_runs_are_on_time_again_f91() {
    let whole = RunScope::default();
    let overdue = |reported: &RunResult| {
        reported.findings.iter().filter(|finding| finding.code == Code::RunOverdue).cloned().collect::<Vec<_>>()
    };
    let estate = last_run(26, whole.clone(), "rate(1 hour)").await;
    let found = overdue(&estate.run(Mode::Audit).await);
    assert_eq!((found.len(), found[0].severity), (1, Severity::Medium));
    assert!(found[0].message.starts_with("25 runs were missed"), "{}", found[0].message);
    assert!(found[0].ledger_sequence.is_some(), "on record before it is told (I10)");
    assert_eq!(overdue(&estate.run(Mode::Audit).await), [], "on time again");

    // In its own time; and a part of the estate that some run looked at says nothing about the whole.
    let one = RunScope { repositories: vec!["shop/shop/api".to_owned()], ..whole.clone() };
    for (hours, scope, schedule) in
        [(1, whole.clone(), "rate(1 hour)"), (20, whole, "rate(1 day)"), (26, one, "rate(1 hour)")]
    {
        let reported = last_run(hours, scope, schedule).await.run(Mode::Audit).await;
        assert_eq!(overdue(&reported), [], "{hours} h, {schedule}");
    }
}
