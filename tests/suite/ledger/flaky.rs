//! A store that fails on command: before a write takes effect or after it, once or for good.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// How a write goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fault {
    /// The process dies before the write: nothing works any more.
    DiesBefore,
    /// The process dies after the write.
    DiesAfter,
    /// An error, and nothing was written.
    Refused,
    /// An error, though it was written.
    AnswerLost,
    /// It was written, and the client's own retry then found it there.
    FoundByRetry,
    /// S3's 409: another request for that key was under way. Nothing was written.
    Conflict,
    /// The disk is full.
    NoSpace,
    /// The credentials do not allow it.
    Denied,
}

/// Which writes go wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) fault: Fault,
    /// The how-manieth write whose name starts like `at`, from 0.
    pub(super) number: u64,
    pub(super) at: &'static str,
}

#[derive(Debug)]
pub(super) struct Flaky {
    inner: Arc<dyn ObjectStore>,
    plan: Plan,
    writes: AtomicU64,
    dead: AtomicBool,
    /// Whether lists show nothing of what was written.
    pub(super) stale_lists: bool,
}

impl Flaky {
    pub(super) fn new(inner: &Arc<dyn ObjectStore>, plan: Plan) -> Self {
        let (writes, dead) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { inner: inner.clone(), plan, writes, dead, stale_lists: false }
    }

    pub(super) fn fired(&self) -> bool {
        self.writes.load(Ordering::SeqCst) > self.plan.number
    }

    fn alive(&self) -> Result<()> {
        if self.dead.load(Ordering::SeqCst) { Err(io(std::io::ErrorKind::ConnectionReset)) } else { Ok(()) }
    }
}

fn io(kind: std::io::ErrorKind) -> Error {
    Error::Generic { store: "flaky", source: Box::new(std::io::Error::new(kind, "on command")) }
}

impl fmt::Display for Flaky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("flaky")
    }
}

#[async_trait]
impl ObjectStore for Flaky {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.alive()?;
        let chosen = location.as_ref().starts_with(self.plan.at)
            && self.writes.fetch_add(1, Ordering::SeqCst) == self.plan.number;
        if !chosen {
            return self.inner.put_opts(location, payload, opts).await;
        }
        let path = location.to_string();
        let source = || "on command".into();
        match self.plan.fault {
            Fault::DiesBefore => self.dead.store(true, Ordering::SeqCst),
            Fault::Conflict => return Err(Error::AlreadyExists { path, source: source() }),
            Fault::NoSpace => return Err(io(std::io::ErrorKind::StorageFull)),
            Fault::Denied => return Err(Error::PermissionDenied { path, source: source() }),
            Fault::Refused => {}
            Fault::DiesAfter | Fault::AnswerLost | Fault::FoundByRetry => {
                self.inner.put_opts(location, payload, opts).await?;
                if self.plan.fault == Fault::FoundByRetry {
                    return Err(Error::AlreadyExists { path, source: source() });
                }
                self.dead.store(self.plan.fault == Fault::DiesAfter, Ordering::SeqCst);
            }
        }
        Err(io(std::io::ErrorKind::ConnectionReset))
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.alive()?;
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.alive()?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.alive()?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        panic!("the ledger removes nothing")
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if self.stale_lists { futures::stream::empty().boxed() } else { self.inner.list(prefix) }
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        if self.stale_lists { futures::stream::empty().boxed() } else { self.inner.list_with_offset(prefix, offset) }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        panic!("the ledger copies nothing")
    }
}
