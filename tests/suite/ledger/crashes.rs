//! Killed at any write, or lied to about it: one clean run later nothing tells (I15).

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use prodpin::ledger::{Access, Ledger, LedgerError};
use prodpin::model::RepositoryState;

use super::flaky::{Fault, Flaky, Plan};
use super::world::*;

const SHOP: [&[(&str, &str)]; 3] = [&[("v1", "a"), ("latest", "a")], &[("v1", "a"), ("latest", "b")], &[("v2", "b")]];
const WEB: [&[(&str, &str)]; 3] = [&[("v1", "x")], &[("v1", "x")], &[]];

/// Three runs: the first on a new ledger.
async fn three_runs(store: &Arc<dyn ObjectStore>) -> Result<(), LedgerError> {
    for n in 0..3 {
        let ledger = open(store, Access::Write).await?;
        whole_run(&ledger, n as u64 + 1, SHOP[n], WEB[n]).await?;
    }
    Ok(())
}

async fn states(ledger: &Ledger) -> [RepositoryState; 2] {
    [ledger.recall(&key("shop/api")).await.unwrap(), ledger.recall(&key("web/front")).await.unwrap()]
}

/// What a clean run left to do finds, and the state it leaves.
async fn finish(store: &Arc<dyn ObjectStore>) -> [RepositoryState; 2] {
    let ledger = writer(store).await;
    // Which run was cut short is read from the log, as its operator would read it from the missing run record.
    let done = ledger.runs(10).await.unwrap().len();
    for n in done..3 {
        whole_run(&ledger, n as u64 + 1, SHOP[n], WEB[n]).await.unwrap();
    }
    states(&ledger).await
}

/// Marks name commits; a cut-short run repeated by a clean one has its commits under the same numbers.
#[tokio::test]
async fn killed_at_every_write_and_then_run_again_i15_f62_f87() {
    let reference: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    three_runs(&reference).await.unwrap();
    let expected = states(&writer(&reference).await).await;
    let expected_log = audit(&reference).await;
    let mut crashes = 0;
    for fault in [Fault::DiesBefore, Fault::DiesAfter] {
        for number in 0.. {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let flaky = Arc::new(Flaky::new(&store, Plan { fault, number, at: "" }));
            let dying: Arc<dyn ObjectStore> = flaky.clone();
            let _ = three_runs(&dying).await;
            if !flaky.fired() {
                break;
            }
            crashes += 1;
            assert_eq!(finish(&store).await, expected, "{fault:?} at write {number}");
            let log = audit(&store).await;
            let changes = |log: &[(u64, prodpin::model::Entry)]| -> Vec<_> {
                log.iter().filter(|(_, entry)| entry.repository.is_some()).cloned().collect()
            };
            assert_eq!(changes(&log), changes(&expected_log), "{fault:?} at write {number}");
        }
    }
    assert!(crashes > 50, "only {crashes} crashes were tried");
}

#[tokio::test]
async fn a_lost_answer_is_recognised_as_ones_own_commit_f52() {
    for at in ["batch", "checkpoint"] {
        for fault in [Fault::AnswerLost, Fault::FoundByRetry, Fault::Conflict] {
            for number in 0..3 {
                let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
                let flaky = Arc::new(Flaky::new(&store, Plan { fault, number, at }));
                let ledger = Ledger::open_on(flaky.clone(), "flaky", Access::Write).await.unwrap();
                whole_run(&ledger, 1, SHOP[0], WEB[0]).await.unwrap();
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
            let flaky: Arc<dyn ObjectStore> = Arc::new(Flaky::new(&store, Plan { fault, number: 1, at }));
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
    three_runs(&store).await.unwrap();
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
        three_runs(&flaky).await.unwrap();
        let reference: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        three_runs(&reference).await.unwrap();
        let reader = open(&store, Access::Read).await.unwrap();
        assert_eq!(states(&reader).await, states(&writer(&reference).await).await, "view {number}");
    }
}
