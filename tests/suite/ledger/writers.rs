//! Many writers at once: all of them succeed, and nothing is lost or said twice.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use prodpin::ledger::{Access, Ledger};
use prodpin::model::{Event, SettingFacts, TagStatus};
use prodpin::policy::LedgerLocation;

use super::world::*;

const TASKS: u64 = 4;

/// Two ledgers open on one place, several tasks on each, some repositories shared and some not.
async fn many_writers(one: Ledger, two: Ledger, commits: u64) -> u64 {
    let ledgers = [Arc::new(one), Arc::new(two)];
    let mut tasks = Vec::new();
    for number in 0..2 * TASKS {
        let ledger = ledgers[(number % 2) as usize].clone();
        tasks.push(tokio::spawn(async move {
            for commit in 0..commits {
                let (own, shared) = (key(&format!("own/{number}")), key(&format!("shared/{}", commit % 3)));
                let bytes = format!("{number} {commit}");
                let name = format!("v{commit}-{number}");
                let both = vec![tag_seen(number, &own, &name, &bytes), tag_seen(number, &shared, &name, &bytes)];
                // Everyone sees this one, and one of them says so.
                let everyone = tag_seen(number, &shared, &format!("all-{commit}"), "same");
                ledger.commit([both, vec![everyone]].concat()).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    2 * TASKS * commits
}

async fn check(store: &Arc<dyn ObjectStore>, reader: &Ledger, commits: u64) {
    let entries = audit(store).await;
    assert_eq!(entries.len() as u64, 2 * 2 * TASKS * commits + commits, "each event once");
    for number in 0..2 * TASKS {
        let own = reader.recall(&key(&format!("own/{number}"))).await.unwrap();
        assert_eq!(own.tags.len() as u64, commits);
    }
    let mut shared = 0;
    for n in 0..3 {
        shared += reader.recall(&key(&format!("shared/{n}"))).await.unwrap().tags.len() as u64;
    }
    assert_eq!(shared, 2 * TASKS * commits + commits);
    assert_eq!(reader.repositories(&"shop".parse().unwrap()).len() as u64, 2 * TASKS + 3.min(commits));
    assert_eq!(reader.head().unwrap().size, entries.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_in_memory_lose_nothing_i14_f61_f85() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (one, two) = (writer(&store).await, writer(&store).await);
    many_writers(one, two, 20).await;
    check(&store, &writer(&store).await, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_on_one_directory_lose_nothing_i14_f61_f85() {
    let folder = tempfile::tempdir().unwrap();
    let location = LedgerLocation::Directory(folder.path().join("ledger"));
    let one = Ledger::open(&location, Access::Write).await.unwrap();
    let two = Ledger::open(&location, Access::Write).await.unwrap();
    many_writers(one, two, 5).await;
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(folder.path().join("ledger")).unwrap());
    check(&store, &Ledger::open(&location, Access::Read).await.unwrap(), 5).await;
}

#[tokio::test]
async fn the_job_fires_twice_and_changes_are_said_once_i13_f84() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (one, two) = (writer(&store).await, writer(&store).await);
    let repository = key("shop/api");
    let tags = [("v1", "a"), ("v2", "b"), ("latest", "b")];
    let (first, second) = (one.recall(&repository).await.unwrap(), two.recall(&repository).await.unwrap());
    one.commit(observe(1, &repository, &first, &tags)).await.unwrap();
    two.commit(observe(2, &repository, &second, &tags)).await.unwrap();
    assert_eq!(audit(&store).await.len(), 3);
    let again = one.recall(&repository).await.unwrap();
    assert_eq!(observe(3, &repository, &again, &tags), []);
    let head = one.commit(vec![]).await.unwrap();
    assert_eq!((head.sequence, head.size), (1, 3));
}

#[tokio::test]
async fn records_said_again_after_a_lost_answer_are_kept_once_i13() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let ledger = writer(&store).await;
    let source = "shop".parse().unwrap();
    let settings = Event::Settings { source, facts: Box::new(SettingFacts::Registry { recognised: None }) };
    let settings = prodpin::model::Entry { repository: None, ..entry(1, &key("x"), settings) };
    let entries = vec![settings, source_record(1), run_record(1)];
    let head = ledger.commit(entries.clone()).await.unwrap();
    assert_eq!(ledger.commit(entries).await.unwrap(), head);
    // Another run's record with the same content is another record: sameness shows, so that omission does.
    assert_eq!(ledger.commit(vec![source_record(2)]).await.unwrap().size, 4);
}

#[tokio::test]
async fn two_looks_at_the_same_time_are_no_deletion_i4() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let repository = key("shop/api");
    whole_run(&writer(&store).await, 1, &[("v1", "a")], &[]).await.unwrap();
    let (one, two) = (writer(&store).await, writer(&store).await);
    let before = (one.recall(&repository).await.unwrap(), two.recall(&repository).await.unwrap());
    assert_eq!(before.0, before.1, "both know the same");
    one.commit(observe(2, &repository, &before.0, &[])).await.unwrap();
    two.commit(observe(3, &repository, &before.1, &[])).await.unwrap();
    let status = writer(&store).await.recall(&repository).await.unwrap().tags[&tag("v1")].status();
    assert!(matches!(status, TagStatus::Absent(_)), "{status:?}");
}

/// One run knows of an earlier look; before it commits, others see the tag again and miss it again. What it adds to
/// that last look is a look at the same time.
#[tokio::test]
async fn an_absence_that_the_run_did_not_know_does_not_complete_its_deletion_i4() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let quick = writer(&store).await;
    let repository = key("shop/api");
    whole_run(&quick, 1, &[("v1", "a")], &[]).await.unwrap();
    whole_run(&quick, 2, &[], &[]).await.unwrap();
    let slow = writer(&store).await;
    let known = slow.recall(&repository).await.unwrap();
    assert!(matches!(known.tags[&tag("v1")].status(), TagStatus::Absent(_)));
    let deletion = observe(3, &repository, &known, &[]);
    assert!(matches!(deletion[0].event, Event::TagDeleted { .. }));
    whole_run(&quick, 4, &[("v1", "a")], &[]).await.unwrap();
    whole_run(&quick, 5, &[], &[]).await.unwrap();
    slow.commit(deletion).await.unwrap();
    let status = slow.recall(&repository).await.unwrap().tags[&tag("v1")].status();
    assert!(matches!(status, TagStatus::Absent(_)), "{status:?}");
    whole_run(&slow, 6, &[], &[]).await.unwrap();
    let status = quick.recall(&repository).await.unwrap().tags[&tag("v1")].status();
    assert!(matches!(status, TagStatus::Deleted(_)), "{status:?}");
}

/// A run commits what it saw, another run sees other bytes later and commits that, and the first one says its own again: with
/// the rest of its entries, or because an answer was lost. The tag did not come back.
#[tokio::test]
async fn a_look_that_is_said_again_after_another_writers_is_no_way_back_i13_i14() {
    for learns in [false, true] {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let (one, two) = (writer(&store).await, writer(&store).await);
        let shop = key("shop/api");
        one.commit(vec![tag_seen(1, &shop, "latest", "a")]).await.unwrap();
        two.commit(vec![tag_seen(2, &shop, "latest", "b")]).await.unwrap();
        let other = tag_seen(1, &key("web/front"), "v1", "x");
        let again = tag_seen(1, &shop, "latest", "a");
        if learns {
            one.commit(vec![other.clone()]).await.unwrap();
        }
        one.commit(vec![again, other]).await.unwrap();
        let state = writer(&store).await.recall(&shop).await.unwrap();
        let sightings = &state.tags[&tag("latest")].sightings();
        assert_eq!(
            sightings.iter().map(|seen| seen.artifact.clone()).collect::<Vec<_>>(),
            [artifact("a"), artifact("b")]
        );
        assert_eq!(audit(&store).await.len(), 3, "learns: {learns}");
    }
}
