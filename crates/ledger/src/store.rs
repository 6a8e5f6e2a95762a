//! The object store under a ledger, and the few things a ledger does with one.

mod names;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode};

pub(super) use self::names::checkpoint_number;
use super::LedgerError;
use super::backoff;
use prodpin_net::blocking;

/// An object store and its name for messages.
#[derive(Debug)]
pub(super) struct Store {
    /// Where what must last is written.
    objects: Arc<dyn ObjectStore>,
    /// Where caches are written: on a local disk without waiting for it, because a torn cache does no harm.
    caches: Arc<dyn ObjectStore>,
    /// The local directory, if it is one.
    directory: Option<PathBuf>,
    location: String,
    /// How long a local disk may take to answer.
    patience: Duration,
    /// Whether it is still to be seen that the store creates an object only if it is absent.
    unproven: AtomicBool,
}

/// What creating an object came to.
pub(super) enum Created {
    /// It was not there, and is now.
    New,
    /// It was there: these bytes. They may be one's own, if an earlier answer was lost.
    There(Bytes),
}

/// How often a create is tried that was refused although nothing is there.
const CREATES: u32 = 8;

/// No object of a ledger is larger, the state of a repository with a million tags included; what is was not written by
/// prodpin, and is not read into memory (I20).
const OBJECT_CAP: u64 = 256 << 20;

/// A disk that has not answered by then is one whose server is gone: nothing else would ever end the wait.
pub(super) const DISK_PATIENCE: Duration = Duration::from_secs(120);

/// So many calls of a disk about one thing at once: where its server is gone, each of them keeps a thread.
const CALLS: usize = 8;

/// How often a body is asked for that breaks off.
const READS: u32 = 5;

/// Checkpoints are notes of a few lines, and tiles have 256 hashes: nobody needs memory for more (F102).
fn cap_of(path: &Path) -> u64 {
    match path.parts().next().as_ref().map(AsRef::as_ref) {
        Some("checkpoint" | "tile") => 64 << 10,
        // Zstd does not make what it packs notably larger.
        Some("batch") => 65 << 20,
        _ => OBJECT_CAP,
    }
}

impl Store {
    pub(super) fn new(objects: Arc<dyn ObjectStore>, location: &str) -> Self {
        let location = location.to_owned();
        Self {
            caches: objects.clone(),
            objects,
            directory: None,
            location,
            patience: DISK_PATIENCE,
            unproven: AtomicBool::new(false),
        }
    }

    /// The same, which some server keeps that may not do as S3 does: what the log rests on is looked at before it is
    /// relied on. Ceph overwrites in versioned buckets, whatever the condition, and of two commits one would be lost.
    pub(super) fn unproven(self) -> Self {
        Self { unproven: AtomicBool::new(true), ..self }
    }

    pub(super) fn local(
        objects: Arc<dyn ObjectStore>,
        caches: Arc<dyn ObjectStore>,
        directory: PathBuf,
        location: &str,
    ) -> Self {
        let location = location.to_owned();
        Self {
            objects,
            caches,
            directory: Some(directory),
            location,
            patience: DISK_PATIENCE,
            unproven: AtomicBool::new(false),
        }
    }

    pub(super) fn location(&self) -> &str {
        &self.location
    }

    pub(super) fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    pub(super) fn error(&self, error: &Error) -> LedgerError {
        LedgerError::from_store(&self.location, error)
    }

    pub(super) fn corrupt(&self, what: impl Into<String>) -> LedgerError {
        LedgerError::Corrupt { location: self.location.clone(), what: what.into() }
    }

    /// Where an object is on a local disk.
    fn file(&self, path: &Path) -> Option<PathBuf> {
        let directory = self.directory.clone()?;
        Some(path.parts().fold(directory, |file, part| file.join(part.as_ref())))
    }

    /// What a place answers, but no longer than a disk may take. Clients of remote stores have limits of their own.
    async fn in_time<T>(&self, asked: impl Future<Output = Result<T, LedgerError>>) -> Result<T, LedgerError> {
        if self.directory.is_none() {
            return asked.await;
        }
        let answered = tokio::time::timeout(self.patience, asked).await;
        answered.unwrap_or_else(|_| Err(silent_disk(&self.location, self.patience)))
    }

    /// Whether something else than a file stands in an object's place: opening a named pipe would wait for ever (F80).
    async fn is_stranger(&self, path: &Path, follow: bool) -> bool {
        let Some(file) = self.file(path) else { return false };
        let found = if follow { tokio::fs::metadata(file).await } else { tokio::fs::symlink_metadata(file).await };
        found.is_ok_and(|found| !found.is_file())
    }

    /// The object's bytes; none if the store says definitively that there is no such object.
    pub(super) async fn get(&self, path: &Path) -> Result<Option<Bytes>, LedgerError> {
        self.in_time(self.get_now(path)).await
    }

    async fn get_now(&self, path: &Path) -> Result<Option<Bytes>, LedgerError> {
        if self.is_stranger(path, true).await {
            return Err(self.corrupt(format!("{path} is no file")));
        }
        let cap = cap_of(path);
        let mut attempt = 0;
        loop {
            let broken = match self.objects.get(path).await {
                Ok(found) if found.meta.size > cap => {
                    let size = found.meta.size;
                    return Err(self.corrupt(format!("{path} has {size} bytes, more than prodpin ever writes")));
                }
                Ok(found) => match found.bytes().await {
                    Ok(bytes) => return Ok(Some(bytes)),
                    Err(error) => error,
                },
                Err(Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(self.error(&error)),
            };
            // The answer began and broke off: the client underneath asks again only for what has not begun (F115). What a
            // disk does not give now it does not give later.
            attempt += 1;
            if attempt == READS || self.directory.is_some() {
                return Err(self.error(&broken));
            }
            tracing::debug!(ledger = self.location(), %path, error = %broken, "an answer broke off; asked again");
            backoff::wait(Duration::from_millis(100), attempt).await;
        }
    }

    /// Creates the object unless it is there, and tells what is there if it is. An error on a remote store says
    /// nothing about whether the object was written, so it is looked for (F52). On a local disk an error may mean
    /// that a file is visible and not yet safe, so it stays an error, and the next reader decides (F55).
    pub(super) async fn create(&self, path: &Path, bytes: Vec<u8>) -> Result<Created, LedgerError> {
        self.in_time(self.create_now(path, bytes)).await
    }

    async fn create_now(&self, path: &Path, bytes: Vec<u8>) -> Result<Created, LedgerError> {
        let payload = object_store::PutPayload::from(bytes);
        let mut refused = None;
        for attempt in 0..CREATES {
            match self.objects.put_opts(path, payload.clone(), PutMode::Create.into()).await {
                Ok(_) => {
                    self.prove(path, payload).await?;
                    return Ok(Created::New);
                }
                Err(error @ (Error::AlreadyExists { .. } | Error::Precondition { .. })) => {
                    if let Some(there) = self.get(path).await? {
                        self.settle(path).await?;
                        return Ok(Created::There(there));
                    }
                    // S3 answers 409 while another request for the same key is under way, and nothing came of it.
                    refused = Some(error);
                    backoff::wait(Duration::from_millis(20), attempt).await;
                }
                Err(error) if self.directory.is_none() => {
                    return match self.get(path).await {
                        Ok(Some(there)) => Ok(Created::There(there)),
                        _ => Err(self.error(&error)),
                    };
                }
                Err(error) => return Err(self.error(&error)),
            }
        }
        Err(refused.map_or(LedgerError::Contended { location: self.location.clone(), attempts: CREATES }, |error| {
            self.error(&error)
        }))
    }

    /// Creates once more what was just created, with the same bytes: a store that takes it takes everything.
    async fn prove(&self, path: &Path, payload: object_store::PutPayload) -> Result<(), LedgerError> {
        if !self.unproven.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.objects.put_opts(path, payload, PutMode::Create.into()).await {
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                self.unproven.store(false, Ordering::Relaxed);
                Ok(())
            }
            Ok(_) => Err(LedgerError::Unusable {
                location: self.location.clone(),
                detail:
                    "its store writes over what is there although it is asked not to, so that of two runs one would \
                         be lost; use another place, or a bucket without versioning"
                        .to_owned(),
            }),
            // What a run records begins with a batch: nothing is on record yet that could be lost.
            Err(error) => Err(self.error(&error)),
        }
    }

    /// Asks the disk itself about this folder, in as much time as it may take.
    async fn on_disk<T: Send + 'static>(
        &self,
        folder: PathBuf,
        call: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let until = Instant::now() + self.patience;
        match blocking::some(&format!("the folder {}", folder.display()), CALLS, until, call).await {
            Ok(answer) => answer.map_err(|error| LedgerError::of_io(&self.location, error)),
            Err(blocking::Unread::Broke(error)) => {
                Err(LedgerError::of_io(&self.location, std::io::Error::other(error)))
            }
            Err(blocking::Unread::Late) => Err(silent_disk(&self.location, self.patience)),
        }
    }

    /// Another process may have written the file and died before its directory entry was safe.
    async fn settle(&self, path: &Path) -> Result<(), LedgerError> {
        let Some(file) = self.file(path) else { return Ok(()) };
        let folder = file.parent().unwrap_or(&file).to_path_buf();
        self.on_disk(folder.clone(), move || std::fs::File::open(folder)?.sync_all()).await
    }

    /// The cache's bytes. A cache that cannot be read is a cache that is not there.
    pub(super) async fn cached(&self, path: &Path) -> Option<Bytes> {
        let read = async {
            if self.is_stranger(path, false).await {
                return Ok(None);
            }
            for attempt in 1..=READS {
                let Ok(found) = self.caches.get(path).await else { break };
                if found.meta.size > OBJECT_CAP {
                    break;
                }
                if let Ok(bytes) = found.bytes().await {
                    return Ok(Some(bytes));
                }
                backoff::wait(Duration::from_millis(100), attempt).await;
            }
            Ok(None)
        };
        self.in_time(read).await.unwrap_or_default()
    }

    /// Writes a cache, over what was there.
    pub(super) async fn cache(&self, path: &Path, bytes: Vec<u8>) -> Result<(), LedgerError> {
        let put = async { self.caches.put(path, bytes.into()).await.map_err(|error| self.error(&error)) };
        self.in_time(put).await.map(drop)
    }

    /// Every object under a prefix, as far as the store lists it.
    pub(super) fn list(&self, prefix: &Path) -> BoxStream<'static, Result<ObjectMeta, LedgerError>> {
        let (location, local) = (self.location.clone(), self.directory.is_some());
        let listed =
            self.objects.list(Some(prefix)).map_err(move |error| (LedgerError::from_store(&location, &error), error));
        // A local directory without any.
        let listed = listed.filter_map(move |object| {
            let absent = local && matches!(object, Err((_, Error::NotFound { .. })));
            std::future::ready((!absent).then_some(object.map_err(|(error, _)| error)))
        });
        if !local {
            return listed.boxed();
        }
        // Each further name within the time that a disk has.
        let (location, patience) = (self.location.clone(), self.patience);
        let in_time = stream::unfold(Some(listed.boxed()), move |listed| {
            let location = location.clone();
            async move {
                let mut listed = listed?;
                match tokio::time::timeout(patience, listed.next()).await {
                    Ok(next) => Some((next?, Some(listed))),
                    Err(_) => Some((Err(silent_disk(&location, patience)), None)),
                }
            }
        });
        in_time.boxed()
    }

    /// Writes an object whatever stands there: only ever one that is derived, and only when asked to repair it.
    pub(super) async fn replace(&self, path: &Path, bytes: Vec<u8>) -> Result<(), LedgerError> {
        let put = async { self.objects.put(path, bytes.into()).await.map_err(|error| self.error(&error)) };
        self.in_time(put).await.map(drop)
    }

    /// The same place, with caches elsewhere.
    pub(super) fn with_caches(&self, caches: Arc<dyn ObjectStore>) -> Self {
        Self {
            objects: self.objects.clone(),
            caches,
            directory: self.directory.clone(),
            location: self.location.clone(),
            patience: self.patience,
            unproven: AtomicBool::new(self.unproven.load(Ordering::Relaxed)),
        }
    }
}

/// That a directory did not answer at all.
fn silent_disk(location: &str, waited: Duration) -> LedgerError {
    let seconds = waited.as_secs();
    let detail =
        format!("its file system did not answer for {seconds} s; see whether the server it is mounted from is up");
    LedgerError::Unusable { location: location.to_owned(), detail }
}

/// What opening a directory comes to, in as much time as a disk may take.
pub(super) async fn opened<T: Send + 'static>(
    location: &str,
    open: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    match blocking::some(&format!("the ledger at {location}"), CALLS, Instant::now() + DISK_PATIENCE, open).await {
        Ok(opened) => opened,
        Err(blocking::Unread::Broke(error)) => Err(LedgerError::of_io(location, std::io::Error::other(error))),
        Err(blocking::Unread::Late) => Err(silent_disk(location, DISK_PATIENCE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;
    use object_store::throttle::{ThrottleConfig, ThrottledStore};

    #[tokio::test]
    async fn a_directory_that_does_not_answer_is_an_error_that_names_it_whatever_is_asked_i20() {
        let (hour, place, path) = (Duration::from_secs(3_600), "/mnt/gone", Path::from("checkpoint/1"));
        let memory = InMemory::new();
        memory.put(&path, "x".into()).await.unwrap();
        let silent = ThrottleConfig {
            wait_get_per_call: hour,
            wait_put_per_call: hour,
            wait_list_per_call: hour,
            ..ThrottleConfig::default()
        };
        let objects: Arc<dyn ObjectStore> = Arc::new(ThrottledStore::new(memory, silent));
        let local = Store::local(objects.clone(), objects.clone(), place.into(), place);
        let local = Store { patience: Duration::from_millis(20), ..local };
        let listed: Vec<_> = local.list(&Path::from("checkpoint")).collect().await;
        let [listed] = <[_; 1]>::try_from(listed).unwrap();
        for error in [
            local.get(&path).await.map(drop).unwrap_err(),
            local.create(&path, Vec::new()).await.map(drop).unwrap_err(),
            local.cache(&path, Vec::new()).await.unwrap_err(),
            local.replace(&path, Vec::new()).await.unwrap_err(),
            listed.map(drop).unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(error.contains(place) && error.contains("did not answer"), "{error}");
        }
        assert!(local.cached(&path).await.is_none());
        // The client of a remote store says itself when it gives up.
        let remote = Store { patience: Duration::ZERO, ..Store::new(Arc::new(InMemory::new()), "s3://ledger") };
        assert!(remote.get(&path).await.unwrap().is_none());
    }
}
