//! Killed at any write, or lied to about it: one clean run later nothing tells (I15).

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use prodpin::ledger::{Access, Ledger, LedgerError};
use prodpin::model::{Entry, RepositoryState, TagHistory, TagStatus};

use super::flaky::{Fault, Flaky, Plan};
use super::world::*;

/// What one run finds: the tags of `shop/api` and of `web/front`.
type World = (&'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)]);

const GROWING: [World; 3] = [
    (&[("v1", "a"), ("latest", "a")], &[("v1", "x")]),
    (&[("v1", "a"), ("latest", "b")], &[("v1", "x"), ("v2", "y")]),
    (&[("v1", "a"), ("v2", "b"), ("latest", "c")], &[("v1", "z"), ("v2", "y")]),
];

/// What is gone stays gone.
const SHRINKING: [World; 3] =
    [GROWING[0], (&[("v1", "a"), ("latest", "b")], &[("v1", "x"), ("v3", "w")]), (&[("v2", "b")], &[("v3", "w")])];

/// The runs from this number on, each on a ledger opened anew.
async fn runs(store: &Arc<dyn ObjectStore>, worlds: &[World], from: usize) -> Result<(), LedgerError> {
    for (n, (shop, web)) in worlds.iter().enumerate().skip(from) {
        let ledger = open(store, Access::Write).await?;
        whole_run(&ledger, n as u64 + 1, shop, web).await?;
    }
    Ok(())
}

async fn states(ledger: &Ledger) -> [RepositoryState; 2] {
    [ledger.recall(&key("shop/api")).await.unwrap(), ledger.recall(&key("web/front")).await.unwrap()]
}

/// Every store that a crash can leave: one for each write, before it and after it took effect.
async fn crashed(worlds: &[World]) -> Vec<(String, Arc<dyn ObjectStore>)> {
    let mut stores = Vec::new();
    for fault in [Fault::DiesBefore, Fault::DiesAfter] {
        for number in 0.. {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let flaky = Arc::new(Flaky::new(&store, Plan { fault, number, at: "" }));
            let dying: Arc<dyn ObjectStore> = flaky.clone();
            let _ = runs(&dying, worlds, 0).await;
            if !flaky.fired() {
                break;
            }
            stores.push((format!("{fault:?} at write {number}"), store));
        }
    }
    assert!(stores.len() > 50, "only {} crashes were tried", stores.len());
    stores
}

/// The run that was cut short is started again, as if it had never been.
#[tokio::test]
async fn killed_at_every_write_and_then_run_again_i15_f62_f87() {
    let reference: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    runs(&reference, &GROWING, 0).await.unwrap();
    let expected = (states(&writer(&reference).await).await, changes(&reference).await);
    for (how, store) in crashed(&GROWING).await {
        let done = writer(&store).await.runs(10).await.unwrap().len();
        runs(&store, &GROWING, done).await.unwrap();
        assert_eq!((states(&writer(&store).await).await, changes(&store).await), expected, "{how}");
    }
}

async fn changes(store: &Arc<dyn ObjectStore>) -> Vec<(u64, Entry)> {
    audit(store).await.into_iter().filter(|(_, entry)| entry.repository.is_some()).collect()
}

/// The run after a crash is another run, so that its look and the dead one's make two; a run later both agree.
#[tokio::test]
async fn deletions_come_out_the_same_after_a_crash_i15_i4() {
    let what = |states: [RepositoryState; 2]| {
        states.map(|state| {
            let kind = |history: TagHistory| {
                let artifacts: Vec<_> = history.sightings().iter().map(|sighting| sighting.artifact.clone()).collect();
                (artifacts, matches!(history.status(), TagStatus::Deleted(_)))
            };
            state.tags.into_iter().map(|(tag, history)| (tag, kind(history))).collect::<Vec<_>>()
        })
    };
    let worlds = [&SHRINKING[..], &[SHRINKING[2]; 2]].concat();
    let reference: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    runs(&reference, &worlds, 0).await.unwrap();
    let expected = what(states(&writer(&reference).await).await);
    for (how, store) in crashed(&SHRINKING).await {
        let ledger = writer(&store).await;
        let done = ledger.runs(10).await.unwrap().len();
        for (n, (shop, web)) in worlds.iter().enumerate().skip(done) {
            whole_run(&ledger, n as u64 + 10, shop, web).await.unwrap();
        }
        assert_eq!(what(states(&ledger).await), expected, "{how}");
        audit(&store).await;
    }
}

#[tokio::test]
async fn a_lost_answer_is_recognised_as_ones_own_commit_f52() {
    for at in ["batch", "checkpoint"] {
        for fault in [Fault::AnswerLost, Fault::FoundByRetry, Fault::Conflict] {
            for number in 0..3 {
                let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
                let flaky = Arc::new(Flaky::new(&store, Plan { fault, number, at }));
                let ledger = Ledger::open_on(flaky.clone(), "flaky", Access::Write).await.unwrap();
                whole_run(&ledger, 1, GROWING[0].0, GROWING[0].1).await.unwrap();
                assert!(flaky.fired());
                assert_eq!(audit(&store).await.len(), 5, "{fault:?} on {at} {number}");
                assert_eq!(ledger.head().unwrap().sequence, 3);
            }
        }
    }
}

#[tokio::test]
async fn a_refused_write_advances_nothing_and_says_why_f54() {
    for at in ["batch", "checkpoint"] {
        for fault in [Fault::NoSpace, Fault::Denied, Fault::Refused] {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            // The first batch is put twice, to see whether the store minds.
            let number = if at == "batch" { 2 } else { 1 };
            let flaky: Arc<dyn ObjectStore> = Arc::new(Flaky::new(&store, Plan { fault, number, at }));
            let ledger = Ledger::open_on(flaky, "flaky", Access::Write).await.unwrap();
            let repository = key("shop/api");
            let head = ledger.commit(vec![tag_seen(1, &repository, "v1", "a")]).await.unwrap();
            let before = ledger.recall(&repository).await.unwrap();
            let error = ledger.commit(vec![tag_seen(1, &repository, "v2", "b")]).await.unwrap_err();
            match fault {
                Fault::NoSpace => assert!(matches!(error, LedgerError::NoSpace { .. }), "{error}"),
                Fault::Denied => assert!(matches!(error, LedgerError::Denied { .. }), "{error}"),
                _ => assert!(matches!(error, LedgerError::Unreachable { .. }), "{error}"),
            }
            assert!(error.to_string().starts_with("ledger flaky: "), "{error}");
            assert_eq!(ledger.head(), Some(head));
            assert_eq!(ledger.recall(&repository).await.unwrap(), before);
            assert_eq!(audit(&store).await.len(), 1);
            // The same ledger goes on once there is room again.
            ledger.commit(vec![tag_seen(1, &repository, "v2", "b")]).await.unwrap();
            assert_eq!(audit(&store).await.len(), 2);
        }
    }
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_is_refused_at_the_start_f63() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    runs(&store, &GROWING, 0).await.unwrap();
    let plan = Plan { fault: Fault::Denied, number: 0, at: "view/index" };
    let flaky: Arc<dyn ObjectStore> = Arc::new(Flaky::new(&store, plan));
    let error = open(&flaky, Access::Write).await.unwrap_err();
    assert!(matches!(error, LedgerError::Denied { .. }), "{error}");
    let reader = open(&flaky, Access::Read).await.unwrap();
    assert_eq!(reader.runs(1).await.unwrap()[0].0.id, run_id(3));
}

#[tokio::test]
async fn views_that_could_not_be_written_do_no_harm_i15() {
    for number in 0..12 {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let plan = Plan { fault: Fault::Refused, number, at: "view/repository" };
        let flaky: Arc<dyn ObjectStore> = Arc::new(Flaky::new(&store, plan));
        runs(&flaky, &GROWING, 0).await.unwrap();
        let reference: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        runs(&reference, &GROWING, 0).await.unwrap();
        let reader = open(&store, Access::Read).await.unwrap();
        assert_eq!(states(&reader).await, states(&writer(&reference).await).await, "view {number}");
    }
}
