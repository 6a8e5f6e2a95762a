//! Caches may be missing, stale, torn, foreign or newer: what the ledger knows does not change.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use prodpin::ledger::{Access, Ledger};
use prodpin::model::{Entry, RepositoryState, RunRecord};

use super::flaky::{Fault, Flaky, Plan};
use super::world::*;

const NAMES: [&str; 3] = ["shop/api", "web/front", "odd/\u{202e}..%2f\\名"];

/// Everything that can be asked of a ledger.
type Knowledge = (Vec<RepositoryState>, Vec<Vec<(u64, Entry)>>, Vec<RunRecord>, Option<jiff::Timestamp>, usize);

async fn knowledge(ledger: &Ledger) -> Knowledge {
    let (mut states, mut histories) = (Vec::new(), Vec::new());
    for name in NAMES {
        states.push(ledger.recall(&key(name)).await.unwrap());
        histories.push(ledger.history(&key(name), None).await.unwrap());
    }
    let runs = ledger.runs(100).await.unwrap().into_iter().map(|(run, _)| run).collect();
    (states, histories, runs, ledger.newest(), ledger.repositories(&"shop".parse().unwrap()).len())
}

/// Runs `first` up to but without `last`; each moves a tag in each repository.
async fn runs(ledger: &Ledger, first: u64, last: u64) {
    for run in first..last {
        for name in NAMES {
            let state = ledger.recall(&key(name)).await.unwrap();
            let tags = [("v1", "a"), ("latest", &format!("{name} {run}"))];
            ledger.commit(observe(run, &key(name), &state, &tags)).await.unwrap();
        }
        ledger.commit(vec![source_record(run), run_record(run)]).await.unwrap();
    }
}

async fn grown(last: u64) -> Arc<dyn ObjectStore> {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    runs(&writer(&store).await, 1, last).await;
    store
}

/// Reading, then writing, then reading again must all know the same, and so must the next run's work.
async fn knows_the_same(store: &Arc<dyn ObjectStore>, expected: &Knowledge, how: &str) {
    let before = names(store, "view").await;
    let reader = open(store, Access::Read).await.unwrap();
    assert_eq!(&knowledge(&reader).await, expected, "{how}: reading");
    assert_eq!(names(store, "view").await, before, "{how}: reading wrote");
    assert_eq!(&knowledge(&writer(store).await).await, expected, "{how}: writing");
    assert_eq!(&knowledge(&open(store, Access::Read).await.unwrap()).await, expected, "{how}: afterwards");
}

#[tokio::test]
async fn damaged_caches_are_made_anew_i15() {
    let store = grown(6).await;
    let expected = knowledge(&writer(&store).await).await;
    assert_eq!(expected.0[0].tags.len(), 2);
    assert_eq!(expected.2.len(), 5);
    let all = names(&store, "view").await;
    assert_eq!(all.len(), 4, "{all:?}");
    for damaged in [all.clone(), vec![all[0].clone()], all[1..].to_vec(), vec![all[2].clone()]] {
        for how in ["removed", "empty", "cut", "flipped", "text", "other json"] {
            for name in &damaged {
                let mut content = bytes(&store, name).await;
                match how {
                    "removed" => remove(&store, [name.clone()]).await,
                    "empty" => put(&store, name, "").await,
                    "cut" => put(&store, name, &content[..content.len() / 2]).await,
                    "flipped" => {
                        let middle = content.len() / 2;
                        content[middle] ^= 4;
                        put(&store, name, content).await;
                    }
                    "text" => put(&store, name, "not a cache").await,
                    _ => put(&store, name, zstd::encode_all(&b"{\"schema\":99}"[..], 1).unwrap()).await,
                }
            }
            knows_the_same(&store, &expected, &format!("{how} {damaged:?}")).await;
        }
    }
    audit(&store).await;
}

#[tokio::test]
async fn older_caches_are_brought_up_to_date_i15() {
    // Views may have missed one commit, a few, or more than the index remembers of a repository.
    for (older, newer) in [(5, 6), (5, 8), (2, 12)] {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        runs(&writer(&store).await, 1, older).await;
        let mut kept = Vec::new();
        for name in names(&store, "view").await {
            kept.push((name.clone(), bytes(&store, &name).await));
        }
        runs(&writer(&store).await, older, newer).await;
        let expected = knowledge(&writer(&store).await).await;
        for part in [&kept[..], &kept[..1], &kept[1..], &kept[2..3]] {
            for (name, content) in part {
                put(&store, name, content.clone()).await;
            }
            knows_the_same(&store, &expected, &format!("{} of {older} in {newer}", part.len())).await;
        }
    }
}

#[tokio::test]
async fn another_ledgers_caches_are_not_believed() {
    let (store, other) = (grown(4).await, grown(9).await);
    let expected = knowledge(&writer(&store).await).await;
    for name in names(&other, "view").await {
        put(&store, &name, bytes(&other, &name).await).await;
    }
    knows_the_same(&store, &expected, "another ledger's").await;
}

/// A copy of a ledger that went its own way has the same origin; its views name commits that this one does not have.
#[tokio::test]
async fn a_copys_views_are_not_believed_i11() {
    let store = grown(4).await;
    let copy: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    for name in names(&store, "").await {
        put(&copy, &name, bytes(&store, &name).await).await;
    }
    runs(&writer(&copy).await, 20, 22).await;
    runs(&writer(&store).await, 4, 8).await;
    let expected = knowledge(&writer(&store).await).await;
    for name in names(&copy, "view/repository").await {
        put(&store, &name, bytes(&copy, &name).await).await;
    }
    knows_the_same(&store, &expected, "a copy's").await;
}

#[tokio::test]
async fn a_list_that_shows_nothing_hides_no_commit_f52() {
    let store = grown(4).await;
    let expected = knowledge(&writer(&store).await).await;
    let mut stale = Flaky::new(&store, Plan { fault: Fault::Refused, number: u64::MAX, at: "" });
    stale.stale_lists = true;
    let stale: Arc<dyn ObjectStore> = Arc::new(stale);
    assert_eq!(knowledge(&open(&stale, Access::Read).await.unwrap()).await, expected);
    let views = names(&store, "view").await;
    remove(&store, views).await;
    assert_eq!(knowledge(&writer(&stale).await).await, expected);
}

#[tokio::test]
async fn a_reader_without_caches_writes_none() {
    let store = grown(3).await;
    let expected = knowledge(&writer(&store).await).await;
    let views = names(&store, "view").await;
    remove(&store, views).await;
    assert_eq!(knowledge(&open(&store, Access::Read).await.unwrap()).await, expected);
    assert_eq!(names(&store, "view").await, Vec::<String>::new());
}
