//! What must not grow with the log: counted in requests, so that no machine's speed is in it (I9, I20).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};
use prodpin::ledger::{Access, Claim, Ledger, Since};

use super::world::*;

/// A store that counts what is asked of it.
#[derive(Debug)]
struct Counted {
    inner: Arc<InMemory>,
    reads: AtomicU64,
    lists: AtomicU64,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counted")
    }
}

#[async_trait]
impl ObjectStore for Counted {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        panic!("the ledger removes nothing")
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        self.inner.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        panic!("the ledger copies nothing")
    }
}

/// A log that grows, and its counts.
struct Growing {
    counted: Arc<Counted>,
    store: Arc<dyn ObjectStore>,
    commits: u64,
}

impl Growing {
    fn new() -> Self {
        let (reads, lists) = (AtomicU64::default(), AtomicU64::default());
        let counted = Arc::new(Counted { inner: Arc::new(InMemory::new()), reads, lists });
        Self { store: counted.clone(), counted, commits: 0 }
    }

    /// Runs of which each saw one repository change and closed.
    async fn grow(&mut self, commits: u64) {
        let ledger = writer(&self.store).await;
        for run in self.commits..commits {
            let repository = key(&format!("shop/{}", run % 7));
            let seen = (0..12).map(|n| tag_seen(run, &repository, &format!("v{run}-{n}"), "a"));
            ledger.commit(seen.chain([run_record(run)]).collect()).await.unwrap();
        }
        self.commits = commits;
    }

    async fn opened(&self) -> Ledger {
        open(&self.store, Access::Read).await.unwrap()
    }

    fn restart(&self) {
        self.counted.reads.store(0, Ordering::SeqCst);
        self.counted.lists.store(0, Ordering::SeqCst);
    }

    fn reads(&self) -> u64 {
        self.counted.reads.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn opening_recalling_and_proving_do_not_grow_with_the_log_i9_i20() {
    let mut log = Growing::new();
    let mut before: Option<[u64; 5]> = None;
    for commits in [80, 320, 1280] {
        log.grow(commits).await;
        let size = (commits * 13) as f64;
        log.restart();
        let ledger = log.opened().await;
        assert_eq!(log.counted.lists.load(Ordering::SeqCst), 1);
        let opening = log.reads();

        log.restart();
        assert_eq!(ledger.recall(&key("shop/3")).await.unwrap().tags.len() as u64, (commits + 3) / 7 * 12);
        let recalling = log.reads();

        let first = ledger.checkpoint(2).await.unwrap().unwrap().note;
        log.restart();
        let since = ledger.since(&Claim::parse(&first).unwrap()).await.unwrap();
        assert!(matches!(since, Since::Grown { from_size: 26, .. }), "{since:?}");
        let growth = log.reads();

        log.restart();
        ledger.prove_entry(commits * 13 / 3).await.unwrap().unwrap();
        let entry = log.reads();

        log.restart();
        let (run, _) = ledger.find_run(&run_id(commits / 3)).await.unwrap().unwrap();
        assert_eq!(run.id, run_id(commits / 3));
        let finding = log.reads();

        let now = [opening, recalling, growth, entry, finding];
        assert!(growth as f64 <= size.log2(), "{now:?}");
        assert!(entry as f64 <= 4.0 * size.log2(), "{now:?}");
        if let Some(before) = before {
            assert_eq!((now[0], now[1]), (before[0], before[1]), "opening and recalling cost what they did");
            // Four times as long: two more halvings.
            assert!(now[2] <= before[2] + 2 && now[3] <= before[3] + 4, "{before:?} {now:?}");
        }
        // A few around the place, and none of what lies far from it.
        assert!(finding <= 180, "{now:?}");
        before = Some(now);
    }
}

/// Clocks were wrong, so that ids are in no order: what is not where it should be is found all the same (I21).
#[tokio::test]
async fn a_run_whose_clock_was_wrong_is_found_i21() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let ledger = writer(&store).await;
    for number in 0..400_u64 {
        ledger.commit(vec![run_record((number * 217) % 400 + 1)]).await.unwrap();
    }
    for run in [1, 2, 133, 218, 399, 400] {
        assert_eq!(ledger.find_run(&run_id(run)).await.unwrap().unwrap().0.id, run_id(run));
    }
    assert_eq!(ledger.find_run(&run_id(401)).await.unwrap(), None);
}

/// Caches are lost after a pin was: the state that is folded anew is lighter than before.
#[tokio::test]
async fn views_are_made_anew_where_a_pin_was_lost_f62() {
    use prodpin::model::Event;
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let ledger = writer(&store).await;
    let repository = key("shop/api");
    ledger.commit(vec![entry(1, &repository, Event::Pinned { artifact: artifact("a") })]).await.unwrap();
    ledger.commit(vec![entry(2, &repository, Event::PinLost { artifact: artifact("a") })]).await.unwrap();
    let state = ledger.recall(&repository).await.unwrap();
    let caches = names(&store, "view").await;
    remove(&store, caches).await;
    assert_eq!(writer(&store).await.recall(&repository).await.unwrap(), state);
}
