//! A store where others are always quicker, or that breaks off in the middle of an answer (F114, F115).

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use prodpin::ledger::{Access, Ledger};
use prodpin::policy::LedgerLocation;

use super::world::*;

/// What is in the way.
#[derive(Debug, Default)]
struct Way {
    /// Before so many creates of a checkpoint another writer commits.
    overtaken: AtomicU64,
    /// So many answers break off after their first half.
    broken: AtomicU64,
    reads: AtomicU64,
    /// Creates of a checkpoint.
    tries: AtomicU64,
}

#[derive(Debug)]
struct Hindered {
    inner: Arc<dyn ObjectStore>,
    other: Ledger,
    way: Arc<Way>,
}

fn takes_one(from: &AtomicU64) -> bool {
    from.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl fmt::Display for Hindered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hindered")
    }
}

#[async_trait]
impl ObjectStore for Hindered {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        if location.as_ref().starts_with("checkpoint") {
            self.way.tries.fetch_add(1, Ordering::SeqCst);
        }
        if location.as_ref().starts_with("checkpoint") && takes_one(&self.way.overtaken) {
            let run = 1_000 + self.way.overtaken.load(Ordering::SeqCst);
            self.other.commit(vec![source_record(run)]).await.unwrap();
        }
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.way.reads.fetch_add(1, Ordering::SeqCst);
        let found = self.inner.get_opts(location, options).await?;
        if !takes_one(&self.way.broken) {
            return Ok(found);
        }
        let (meta, range, attributes) = (found.meta.clone(), found.range.clone(), found.attributes.clone());
        let whole = found.bytes().await?;
        let reset = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "on command");
        let pieces =
            [Ok(whole.slice(..whole.len() / 2)), Err(Error::Generic { store: "hindered", source: Box::new(reset) })];
        let payload = GetResultPayload::Stream(futures::stream::iter(pieces).boxed());
        Ok(GetResult { payload, meta, range, attributes, extensions: Default::default() })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        panic!("the ledger removes nothing")
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        panic!("the ledger copies nothing")
    }
}

async fn hindered() -> (Arc<dyn ObjectStore>, Ledger, Arc<Way>) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let way = Arc::new(Way::default());
    let other = writer(&store).await;
    other.commit(vec![tag_seen(1, &key("shop/api"), "v1", "a")]).await.unwrap();
    let hindered = Hindered { inner: store.clone(), other, way: way.clone() };
    let ledger = Ledger::open_on(Arc::new(hindered), "hindered", Access::Write).await.unwrap();
    (store, ledger, way)
}

/// Each time somebody else was quicker the log has grown: there is no number of times after which a run is given up.
#[tokio::test]
async fn a_writer_that_is_overtaken_again_and_again_loses_nothing_f114_i14() {
    let (store, ledger, way) = hindered().await;
    way.overtaken.store(104, Ordering::SeqCst);
    ledger.commit(vec![tag_seen(2, &key("shop/api"), "v2", "b")]).await.unwrap();
    assert_eq!(ledger.head().unwrap().sequence, 1 + 104 + 1);
    audit(&store).await;
}

/// All of them know the same head, and all but one find that others came first.
#[tokio::test]
async fn of_many_writers_that_begin_at_once_none_is_lost_f114_i14() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    writer(&store).await.commit(vec![source_record(1)]).await.unwrap();
    let mut writers = Vec::new();
    for _ in 0..48 {
        writers.push(writer(&store).await);
    }
    let commits = writers.iter().zip(2..).map(|(ledger, run)| ledger.commit(vec![source_record(run)]));
    for committed in futures::future::join_all(commits).await {
        committed.unwrap();
    }
    assert_eq!(audit(&store).await.len(), 49);
}

/// As many as an estate with a job for each repository may have; creates are conditional, as in S3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f114_of_256_writers_at_once_none_is_lost() {
    const WRITERS: u64 = 256;
    let entries = |run: u64| vec![tag_seen(run, &key(&format!("shop/r{run}")), "v1", "a"), source_record(run)];
    let (store, _, way) = hindered().await;
    let mut writers = Vec::new();
    for _ in 0..WRITERS {
        let hindered = Hindered { inner: store.clone(), other: writer(&store).await, way: way.clone() };
        writers.push(Ledger::open_on(Arc::new(hindered), "hindered", Access::Write).await.unwrap());
    }
    way.tries.store(0, Ordering::SeqCst);
    let commits = writers.into_iter().zip(2..).map(|(ledger, run)| {
        let entries = entries(run);
        tokio::spawn(async move { ledger.commit(entries).await.map(drop) })
    });
    for committed in futures::future::join_all(commits.collect::<Vec<_>>()).await {
        committed.unwrap().unwrap();
    }
    // Each commit takes one try; what comes on top is what others lost by it, and is bounded by leaving them room.
    let tries = way.tries.load(Ordering::SeqCst);
    assert!(tries < WRITERS * WRITERS / 4, "{tries} tries for {WRITERS} commits");
    assert_eq!(audit(&store).await.len() as u64, 1 + 2 * WRITERS);
}

/// The same with files, each of which waits for the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f114_of_64_writers_at_once_none_is_lost_in_a_directory() {
    const WRITERS: u64 = 64;
    let entries = |run: u64| vec![tag_seen(run, &key(&format!("shop/r{run}")), "v1", "a"), source_record(run)];
    let directory = tempfile::tempdir().unwrap();
    let location = LedgerLocation::Directory(directory.path().join("ledger"));
    Ledger::open(&location, Access::Write).await.unwrap().commit(vec![source_record(1)]).await.unwrap();
    let mut writers = Vec::new();
    for _ in 0..WRITERS {
        writers.push(Ledger::open(&location, Access::Write).await.unwrap());
    }
    let commits = writers.into_iter().zip(2..).map(|(ledger, run)| {
        let entries = entries(run);
        tokio::spawn(async move { ledger.commit(entries).await.map(drop) })
    });
    for committed in futures::future::join_all(commits.collect::<Vec<_>>()).await {
        committed.unwrap().unwrap();
    }
    let ledger = Ledger::open(&location, Access::Read).await.unwrap();
    assert_eq!(ledger.head().unwrap().sequence, WRITERS + 1);
    for run in 2..WRITERS + 2 {
        assert_eq!(ledger.recall(&key(&format!("shop/r{run}"))).await.unwrap().tags.len(), 1, "run {run}");
    }
}

#[tokio::test]
async fn being_overtaken_once_costs_one_look_f61_f114() {
    let (_, ledger, way) = hindered().await;
    ledger.commit(vec![source_record(2)]).await.unwrap();
    way.overtaken.store(1, Ordering::SeqCst);
    way.reads.store(0, Ordering::SeqCst);
    ledger.commit(vec![source_record(3)]).await.unwrap();
    let reads = way.reads.load(Ordering::SeqCst);
    assert_eq!(reads, 3, "the checkpoint that was there, its batch, and one's own batch, which is there already");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again_f115() {
    let (store, ledger, way) = hindered().await;
    for (run, broken) in [(2, 1), (3, 3)] {
        way.broken.store(broken, Ordering::SeqCst);
        assert_eq!(ledger.recall(&key("shop/api")).await.unwrap().tags.len() as u64, run - 1);
        ledger.commit(vec![tag_seen(run, &key("shop/api"), &format!("v{run}"), "b")]).await.unwrap();
    }
    assert_eq!(way.broken.load(Ordering::SeqCst), 0);
    assert_eq!(ledger.distrusted().in_words(), None);
    audit(&store).await;
    // A store that never gives the whole of it is reported.
    way.broken.store(u64::MAX, Ordering::SeqCst);
    let error = ledger.checkpoint(1).await.unwrap_err().to_string();
    assert!(error.contains("the store failed"), "{error}");
}
