//! What is stored contradicts itself, is older than what was seen, or newer than this program.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use prodpin::ledger::{Access, LedgerError};

use super::world::*;

/// Four commits about one repository; no caches.
async fn log() -> Arc<dyn ObjectStore> {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let ledger = writer(&store).await;
    for n in 1..5 {
        ledger.commit(vec![tag_seen(n, &key("shop/api"), &format!("v{n}"), &n.to_string())]).await.unwrap();
    }
    drop(ledger);
    let views = names(&store, "view").await;
    remove(&store, views).await;
    store
}

fn checkpoint(sequence: u64) -> String {
    format!("checkpoint/{sequence:020}")
}

async fn batch_of(store: &Arc<dyn ObjectStore>, sequence: u64) -> String {
    let text = String::from_utf8(bytes(store, &checkpoint(sequence)).await).unwrap();
    let name = text.lines().find_map(|line| line.strip_prefix("batch ")).unwrap();
    format!("batch/{name}")
}

async fn is_corrupt(store: &Arc<dyn ObjectStore>, names: &str) {
    for access in [Access::Read, Access::Write] {
        let error = open(store, access).await.unwrap_err();
        assert!(matches!(error, LedgerError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains(names), "{error} does not name {names}");
    }
}

#[tokio::test]
async fn a_flipped_bit_in_any_batch_is_named_f57() {
    for sequence in 1..5 {
        let store = log().await;
        let name = batch_of(&store, sequence).await;
        let mut content = bytes(&store, &name).await;
        let last = content.len() - 3;
        content[last] ^= 1;
        put(&store, &name, content).await;
        is_corrupt(&store, &name).await;
    }
}

#[tokio::test]
async fn commits_that_are_swapped_exchanged_or_missing_are_named_f58() {
    let store = log().await;
    let (two, three) = (bytes(&store, &checkpoint(2)).await, bytes(&store, &checkpoint(3)).await);
    put(&store, &checkpoint(2), three).await;
    put(&store, &checkpoint(3), two).await;
    is_corrupt(&store, &checkpoint(2)).await;

    let store = log().await;
    let (two, three) = (batch_of(&store, 2).await, batch_of(&store, 3).await);
    put(&store, &two, bytes(&store, &three).await).await;
    is_corrupt(&store, &two).await;

    let store = log().await;
    remove(&store, [batch_of(&store, 3).await]).await;
    is_corrupt(&store, "is missing").await;

    for sequence in 1..4 {
        let store = log().await;
        remove(&store, [checkpoint(sequence)]).await;
        is_corrupt(&store, &format!("{} is missing", checkpoint(sequence))).await;
    }
}

/// A checkpoint whose every hash was made to fit a batch with other entries still does not fit the one before it: it is
/// passed over, and where a commit of its number was seen, that is missed.
#[tokio::test]
async fn another_logs_commit_does_not_continue_this_one_i9_f101() {
    for seen in [false, true] {
        let (store, other) = (log().await, log().await);
        if seen {
            drop(writer(&store).await);
        }
        put(&store, &batch_of(&other, 4).await, bytes(&other, &batch_of(&other, 4).await).await).await;
        put(&store, &checkpoint(4), bytes(&other, &checkpoint(4)).await).await;
        match open(&store, Access::Write).await {
            Ok(ledger) => assert!(!seen && ledger.head().unwrap().sequence == 3, "{:?}", ledger.head()),
            Err(error) => assert!(seen && error.to_string().contains(&checkpoint(4)), "{error}"),
        }
    }
}

#[tokio::test]
async fn an_unfinished_checkpoint_is_passed_over_f56() {
    for length in [0, 30, 100, 250] {
        let store = log().await;
        let content = bytes(&store, &checkpoint(4)).await;
        let length = length.min(content.len() - 1);
        put(&store, &checkpoint(5), &content[..length]).await;
        let reader = open(&store, Access::Read).await.unwrap();
        assert_eq!(reader.head().unwrap().sequence, 4);
        let ledger = writer(&store).await;
        let head = ledger.commit(vec![tag_seen(9, &key("shop/api"), "v9", "9")]).await.unwrap();
        assert_eq!((head.sequence, head.size), (6, 5), "the unfinished number is not used again");
        let views = names(&store, "view").await;
        remove(&store, views).await;
        let ledger = writer(&store).await;
        assert_eq!(ledger.recall(&key("shop/api")).await.unwrap().tags.len(), 5);
        assert_eq!(ledger.history(&key("shop/api"), None).await.unwrap().len(), 5);
        assert_eq!(ledger.head(), Some(head));
    }
}

#[tokio::test]
async fn a_damaged_last_checkpoint_is_not_taken_for_an_unfinished_one_f57() {
    let store = log().await;
    let mut content = bytes(&store, &checkpoint(4)).await;
    let root = content.iter().position(|byte| *byte == b'\n').unwrap() + 6;
    content[root] ^= 1;
    put(&store, &checkpoint(4), content).await;
    is_corrupt(&store, &checkpoint(4)).await;
}

#[tokio::test]
async fn an_old_copy_is_refused_and_can_still_be_read_i12_f59() {
    let store = log().await;
    drop(writer(&store).await);
    // Only the caches are newer: what a restored backup looks like.
    remove(&store, [checkpoint(4)]).await;
    let error = open(&store, Access::Write).await.unwrap_err();
    assert!(matches!(error, LedgerError::RolledBack { .. }), "{error}");
    assert!(error.to_string().contains("commit 4"), "{error}");
    let reader = open(&store, Access::Read).await.unwrap();
    assert_eq!(reader.head().unwrap().sequence, 3);
    assert_eq!(reader.recall(&key("shop/api")).await.unwrap().tags.len(), 3);

    let store = log().await;
    drop(writer(&store).await);
    remove(&store, (1..5).map(checkpoint)).await;
    assert!(matches!(open(&store, Access::Write).await, Err(LedgerError::RolledBack { .. })), "all of it is gone");
}

#[tokio::test]
async fn a_head_that_was_replaced_is_refused_i11() {
    let (store, copy) = (log().await, Arc::new(InMemory::new()) as Arc<dyn ObjectStore>);
    for name in names(&store, "").await {
        put(&copy, &name, bytes(&store, &name).await).await;
    }
    writer(&store).await.commit(vec![tag_seen(7, &key("a"), "v", "this")]).await.unwrap();
    drop(writer(&store).await);
    writer(&copy).await.commit(vec![tag_seen(8, &key("a"), "v", "that")]).await.unwrap();
    put(&store, &batch_of(&copy, 5).await, bytes(&copy, &batch_of(&copy, 5).await).await).await;
    put(&store, &checkpoint(5), bytes(&copy, &checkpoint(5)).await).await;
    let error = open(&store, Access::Write).await.unwrap_err();
    assert!(matches!(error, LedgerError::RolledBack { .. }), "{error}");
}

#[tokio::test]
async fn a_newer_programs_ledger_is_read_and_not_written_f64() {
    let store = log().await;
    let old = writer(&store).await;
    // The newer program commits while the old one has the ledger open.
    let text = String::from_utf8(bytes(&store, &checkpoint(4)).await).unwrap();
    let donor: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    for name in names(&store, "").await {
        put(&donor, &name, bytes(&store, &name).await).await;
    }
    writer(&donor).await.commit(vec![tag_seen(5, &key("shop/api"), "v5", "5")]).await.unwrap();
    let newer = String::from_utf8(bytes(&donor, &checkpoint(5)).await).unwrap().replace("schema 3", "schema 4");
    assert_ne!(newer, text);
    put(&store, &batch_of(&donor, 5).await, bytes(&donor, &batch_of(&donor, 5).await).await).await;
    put(&store, &checkpoint(5), newer.clone()).await;

    let error = old.commit(vec![tag_seen(6, &key("shop/api"), "v6", "6")]).await.unwrap_err();
    assert!(matches!(error, LedgerError::NewerSchema { found: 4, known: 3, .. }), "{error}");
    let error = open(&store, Access::Write).await.unwrap_err();
    assert!(error.to_string().contains("update prodpin"), "{error}");
    // What it can still read, it reads.
    let reader = open(&store, Access::Read).await.unwrap();
    assert_eq!(reader.recall(&key("shop/api")).await.unwrap().tags.len(), 5);
    // What it cannot, it does not take for damage or for nothing.
    put(&store, &checkpoint(5), newer.replace("edge", "frontier")).await;
    let views = names(&store, "view").await;
    remove(&store, views).await;
    for access in [Access::Read, Access::Write] {
        assert!(matches!(open(&store, access).await, Err(LedgerError::NewerSchema { .. })));
    }
}
