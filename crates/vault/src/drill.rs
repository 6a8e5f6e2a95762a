//! The drill: every byte of a target is read, hashed, and let go. Nothing is kept but a few pieces that are on their way, and
//! each blob is read once however many targets name it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{OnceCell, Semaphore};

use super::closure::{AtSource, Closure, Stuck, walk};
use super::hash::Hash;
use super::{Shelf, Vault};
use prodpin_core::decide::vault::VaultPart;
use prodpin_core::model::{ArtifactId, Cause, Digest, RepositoryName};
use prodpin_net::http::fault::Fault;
use prodpin_sources::content::{Content, Lost, Taker};
use prodpin_sources::file::{FileFacts, Files, Tally, Verdict};

/// Blobs that are read from one place at once: enough to keep a line and two processors busy.
const LANES: usize = 4;

/// A body that breaks off is carried on from where it broke so often.
const CARRIED_ON: u32 = 4;

/// A piece of a blob in the vault: one request, and held in memory.
const PIECE: u64 = 4 << 20;

/// On a disk, less memory does as well.
const LOCAL_PIECE: u64 = 1 << 20;

/// Whence it is read.
#[derive(Clone, Copy)]
pub enum Place<'p> {
    /// The source of the target.
    Source(&'p dyn Content),
    /// The vault.
    Vault(&'p Vault),
}

/// Why a part is not proven to be what its digest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// It is not there.
    Gone,
    /// It is something else.
    Wrong(String),
    /// It could not be read to its end, which proves nothing.
    Unread(String),
    /// The drill was asked to end first.
    Interrupted,
}

/// Who is asked to end, and who is told how many bytes came.
pub trait Watcher: Send + Sync {
    /// Whether to begin and to carry on nothing more.
    fn stopped(&self) -> bool;
    /// So many bytes more were hashed.
    fn hashed(&self, bytes: u64);
}

/// What came of reading a blob, once for all who need it.
type Proof = Arc<OnceCell<Result<(), Flaw>>>;

/// What one drill has read in one place.
#[derive(Debug)]
pub struct Drilling {
    known: Mutex<HashMap<Digest, Proof>>,
    lanes: Semaphore,
}

impl Default for Drilling {
    fn default() -> Self {
        Self { known: Mutex::default(), lanes: Semaphore::new(LANES) }
    }
}

impl Drilling {
    /// Everything below a target, every manifest read and hashed. The error names the manifest that is at fault.
    pub async fn closure(
        &self,
        place: Place<'_>,
        repository: &RepositoryName,
        root: &Digest,
    ) -> Result<Closure, (Digest, Flaw)> {
        let walked = match place {
            Place::Source(content) => walk(&AtSource { content, repository }, root, None).await,
            Place::Vault(vault) => vault.walk(root, None, None).await,
        };
        walked.map_err(|stuck| match stuck {
            Stuck::Lost(digest, Lost::NotFound) => (digest, Flaw::Gone),
            Stuck::Lost(digest, Lost::Wrong(detail)) => (digest, Flaw::Wrong(detail)),
            Stuck::Lost(digest, Lost::Unknown(fault)) => (digest, Flaw::Unread(fault.detail)),
            Stuck::Malformed(detail) => (root.clone(), Flaw::Unread(detail)),
            Stuck::Vault(error) => (root.clone(), Flaw::Unread(error.to_string())),
        })
    }

    /// Reads a blob whole and holds it to its size and digest, unless it was read before.
    pub async fn prove(
        &self,
        place: Place<'_>,
        repository: &RepositoryName,
        part: &VaultPart,
        watcher: &dyn Watcher,
    ) -> Result<(), Flaw> {
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            Arc::clone(known.entry(part.digest.clone()).or_default())
        };
        let proven = cell.get_or_init(|| async {
            let Ok(_lane) = self.lanes.acquire().await else { return Err(Flaw::Interrupted) };
            let mut hashing = Hashing::new(part, watcher);
            match place {
                Place::Source(content) => from_source(content, repository, &mut hashing).await?,
                Place::Vault(vault) => from_vault(vault, &mut hashing).await?,
            }
            hashing.finish()
        });
        proven.await.clone()
    }
}

/// What reading a file came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileProof {
    /// Its bytes are what its source says that they are.
    Held,
    /// It was read to its end, and its source says nothing of its bytes, for this reason.
    Unsaid(String),
    /// They are something else, and hash to this.
    Wrong(Digest, String),
    /// It was not read to its end.
    Flawed(Flaw),
}

impl Drilling {
    /// Reads a file whole and holds it to what its source says of it. Beside what came of it, how many bytes it has.
    pub async fn prove_file(
        &self,
        files: &dyn Files,
        (repository, artifact): (&RepositoryName, &ArtifactId),
        facts: &FileFacts,
        watcher: &dyn Watcher,
    ) -> (FileProof, u64) {
        let Ok(_lane) = self.lanes.acquire().await else { return (FileProof::Flawed(Flaw::Interrupted), 0) };
        let mut reading = ReadingFile { tally: Tally::of(facts), most: facts.size, watcher, skip: 0 };
        let mut broke = 0;
        loop {
            if watcher.stopped() {
                return (FileProof::Flawed(Flaw::Interrupted), 0);
            }
            let before = reading.tally.size;
            let read = files.file(repository, artifact, facts, before, &mut reading).await;
            let flaw = match read {
                Ok(()) => break,
                Err(_) if reading.is_longer() => break,
                Err(_) if watcher.stopped() => Flaw::Interrupted,
                Err(Lost::Unknown(fault))
                    if is_passing(&fault) && broke < CARRIED_ON && reading.tally.size > before =>
                {
                    broke += 1;
                    continue;
                }
                Err(Lost::NotFound) => Flaw::Gone,
                Err(Lost::Wrong(detail)) => Flaw::Wrong(detail),
                Err(Lost::Unknown(fault)) => Flaw::Unread(fault.detail),
            };
            return (FileProof::Flawed(flaw), 0);
        }
        let read = reading.tally.finish(facts);
        let proof = match read.verdict {
            Verdict::Same(_) => FileProof::Held,
            Verdict::Unsaid(why) => FileProof::Unsaid(why),
            Verdict::Other(detail) => FileProof::Wrong(read.digest, detail),
        };
        (proof, read.size)
    }
}

/// Whether asking for the rest may help.
fn is_passing(fault: &Fault) -> bool {
    matches!(fault.cause, Cause::Unreachable | Cause::ServerError | Cause::TimedOut)
}

/// A file on its way to nowhere.
struct ReadingFile<'d> {
    tally: Tally,
    most: Option<u64>,
    watcher: &'d dyn Watcher,
    /// Bytes to leave out, because they came already.
    skip: u64,
}

impl ReadingFile<'_> {
    fn is_longer(&self) -> bool {
        self.most.is_some_and(|most| self.tally.size > most)
    }
}

#[async_trait]
impl Taker for ReadingFile<'_> {
    async fn begin(&mut self, at: u64) -> Result<(), Fault> {
        self.skip = self.tally.size.saturating_sub(at);
        match at <= self.tally.size {
            true => Ok(()),
            false => Err(Fault::malformed("a later part of the file than was asked for")),
        }
    }

    async fn take(&mut self, piece: Bytes) -> Result<(), Fault> {
        let left_out = usize::try_from(self.skip).unwrap_or(usize::MAX).min(piece.len());
        self.skip -= left_out as u64;
        self.tally.update(&piece[left_out..]);
        self.watcher.hashed((piece.len() - left_out) as u64);
        if self.is_longer() {
            return Err(Fault::malformed("more bytes than its source says that it has"));
        }
        match self.watcher.stopped() {
            true => Err(Fault::new(Cause::Interrupted, "the drill was asked to end")),
            false => Ok(()),
        }
    }
}

async fn from_source(
    content: &dyn Content,
    repository: &RepositoryName,
    hashing: &mut Hashing<'_>,
) -> Result<(), Flaw> {
    let mut broke = 0;
    loop {
        if hashing.watcher.stopped() {
            return Err(Flaw::Interrupted);
        }
        let (before, digest) = (hashing.received, hashing.part.digest.clone());
        let read = content.blob(repository, &digest, before, hashing).await;
        if hashing.is_longer() {
            return Ok(());
        }
        match read {
            Ok(()) => return Ok(()),
            Err(_) if hashing.watcher.stopped() => return Err(Flaw::Interrupted),
            // What came is hashed already: only the rest is asked for.
            Err(Lost::Unknown(fault)) if is_passing(&fault) && broke < CARRIED_ON && hashing.received > before => {
                broke += 1;
            }
            Err(Lost::NotFound) => return Err(Flaw::Gone),
            Err(Lost::Wrong(detail)) => return Err(Flaw::Wrong(detail)),
            Err(Lost::Unknown(fault)) => return Err(Flaw::Unread(fault.detail)),
        }
    }
}

async fn from_vault(vault: &Vault, hashing: &mut Hashing<'_>) -> Result<(), Flaw> {
    if let Shelf::Registry(registry) = &vault.shelf {
        let (content, repository) = registry.readable().map_err(Flaw::Unread)?;
        return from_source(content, repository, hashing).await;
    }
    let digest = hashing.part.digest.clone();
    let unread = |error: super::VaultError| Flaw::Unread(error.to_string());
    match vault.size(&super::place::blob_path(&digest)).await.map_err(unread)? {
        None => return Err(Flaw::Gone),
        Some(size) if size != hashing.part.size => {
            return Err(Flaw::Wrong(format!("it has {size} bytes there, and {} by its manifest", hashing.part.size)));
        }
        Some(_) => {}
    }
    let piece = if vault.local { LOCAL_PIECE } else { PIECE };
    while hashing.received < hashing.part.size {
        if hashing.watcher.stopped() {
            return Err(Flaw::Interrupted);
        }
        let (from, until) = (hashing.received, hashing.part.size.min(hashing.received + piece));
        let bytes = vault.range(&digest, from, until).await.map_err(unread)?;
        if bytes.is_empty() {
            return Err(Flaw::Unread(format!("nothing came of it from byte {from} on")));
        }
        hashing.hash_in(&bytes);
    }
    Ok(())
}

/// A blob on its way to nowhere.
struct Hashing<'d> {
    part: &'d VaultPart,
    watcher: &'d dyn Watcher,
    received: u64,
    /// Bytes to leave out, because a server sent again what was hashed already.
    skip: u64,
    hash: Hash,
}

impl<'d> Hashing<'d> {
    fn new(part: &'d VaultPart, watcher: &'d dyn Watcher) -> Self {
        Self { part, watcher, received: 0, skip: 0, hash: Hash::of(&part.digest) }
    }

    fn hash_in(&mut self, bytes: &[u8]) {
        self.received += bytes.len() as u64;
        self.hash.update(bytes);
        self.watcher.hashed(bytes.len() as u64);
    }

    fn is_longer(&self) -> bool {
        self.received > self.part.size
    }

    fn finish(self) -> Result<(), Flaw> {
        let Self { part, received, hash, .. } = self;
        match (received == part.size, hash.digest() == part.digest) {
            (true, true) => Ok(()),
            (true, false) => Err(Flaw::Wrong("its bytes do not hash to its digest".to_owned())),
            (false, _) if received > part.size => {
                Err(Flaw::Wrong(format!("more bytes are served than the {} that its manifest names", part.size)))
            }
            (false, _) => {
                Err(Flaw::Wrong(format!("{received} bytes are served, and its manifest names {}", part.size)))
            }
        }
    }
}

#[async_trait]
impl Taker for Hashing<'_> {
    async fn begin(&mut self, at: u64) -> Result<(), Fault> {
        self.skip = self.received.saturating_sub(at);
        match at <= self.received {
            true => Ok(()),
            false => Err(Fault::malformed("a later part of the blob than was asked for")),
        }
    }

    async fn take(&mut self, piece: Bytes) -> Result<(), Fault> {
        let left_out = usize::try_from(self.skip).unwrap_or(usize::MAX).min(piece.len());
        self.skip -= left_out as u64;
        self.hash_in(&piece[left_out..]);
        if self.is_longer() {
            return Err(Fault::malformed("more bytes than its manifest names"));
        }
        match self.watcher.stopped() {
            true => Err(Fault::new(Cause::Interrupted, "the drill was asked to end")),
            false => Ok(()),
        }
    }
}
