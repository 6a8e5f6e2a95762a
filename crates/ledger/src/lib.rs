//! The append-only record of what was seen, decided and done: one log on an object store.
//!
//! ```text
//! batch/<sha256>          the entries of one commit: a JSON line each, zstd; named by the hash of the plain bytes
//! checkpoint/<sequence>   a C2SP tlog-checkpoint; created only if absent: THIS is the commit
//! report/<sha256>         a report's body, zstd; named by the hash of the plain bytes
//! tile/<level>/<number>   C2SP tlog-tiles: derived, for proofs that read no batch
//! view/index              a cache: repositories, settings, runs, the head last seen
//! view/repository/<hash>  a cache: one repository's folded state
//! ```
//!
//! What is not signed is believed only as far as a signature covers it (I23): a batch, a report and a tile by their hashes,
//! which the signed checkpoint leads to; the caches by what checkpoints state, as below.
//!
//! Nothing but caches is ever overwritten, and nothing is ever removed, so the log can live under Object Lock.
//!
//! **A leaf** of the Merkle tree (RFC 6962) is the exact bytes of one line of a batch, without its line break. Since schema 3
//! the last line of a commit about a repository has a `link`: `after`, the commit before that touched the repository, by
//! number and batch, and `view`, what the repository's view is from here on (form, length, SHA-256). So a view is proven
//! without the others; and where it is lost or wrong it is made anew from the repository's own commits, each proven by the
//! one after it.
//!
//! **A checkpoint** is a note's body: origin, size, root, then extension lines:
//!
//! ```text
//! prodpin/5f0c…            the log's own name, drawn at its first commit; a copy elsewhere keeps it
//! 42                       how many entries the log has
//! qv3…=                    the root over all of them
//! schema 3                 of the entries; a program that knows only older schemas does not write (F64)
//! batch 9c1e…              what this commit appended
//! previous 77ab…           SHA-256 of the previous checkpoint's body; not in the first
//! key prodpin/5f0c…+… 7    the key that signs, and the commit that put it in force; none in an unsigned log
//! lost prodpin/5f0c…+… 7   the last key that was given up for lost, and the commit that did; in no other log
//! commit 9                 its own number, so that none stands in another's place (schema 3)
//! form lines 5120          how the batch is stored, and how long its plain bytes are (schema 3)
//! state 1 2048 ab12…       what `view/index` of this commit is: form, length, hash (schema 3); see `index`
//! edge 0aX…= 9fQ…=         roots of the perfect subtrees, largest first: the next writer needs no tiles
//! ```
//!
//! A blank line and signature lines follow (C2SP signed-note, Ed25519); those of witnesses are kept. A log that was
//! signed once stays signed. A new key is put in force by a checkpoint that the old one signs as well, so whoever knows
//! any key of a log can follow it to the one of today (F65). Where nobody has the old one any more, a checkpoint can give
//! it up for lost, if the policy says so: nothing proves then that the new key's owner is the old one's, so each later
//! checkpoint says it again, every report has a finding, and a verifier that trusts the old key refuses. Tiles are derived from the batches and can be made anew at
//! any time.
//!
//! **Hashes are over plain, canonical bytes**, never over how those are stored. A later program may bundle batches, compress
//! them together or store them as columns: it writes another word than `lines` after `form`, and whatever it needs to find
//! them; this one then says that it must be updated (F64). The same holds for the form numbers of state and views: a program
//! of another form makes them anew from the log, and calls none damaged.
//!
//! Schemas 1 and 2, up to the first release, state nothing of caches and have no links. Their logs are read from the first
//! commit once, and what was done so far is kept in `view/index`, signed by the log's key, so that a run that is cut off
//! leaves the next one less to read (F111). The first commit after that is of schema 3.
//!
//! **A commit** writes the batch, then the checkpoint. Whoever finds the checkpoint taken reads what came first,
//! restates its own entries after it ([`prodpin_core::model::rebase`]), and tries the next number (I14, F61). A crash before
//! the checkpoint leaves an orphan that nothing refers to; a crash after it leaves stale caches (I15, F62).
//!
//! **What is no commit** and stands under a number is passed over (F101): an unfinished write, and whatever does not follow the
//! last commit under the log's key (`slot_status`). The next commit takes the number after it; links and roots show that nothing
//! lies between, whether or not the file is still there. In a signed log nothing that looks like the next commit and is not
//! signed stops anybody: a commit that people were told of is remembered, and missed. A commit that follows another one than
//! the last here is damage.
//!
//! **What remembers is elsewhere.** The head is remembered beside the key or the policy, by the process, by the anchor, and
//! the pins in the registries show that there was a history; whatever contradicts one of them is no beginning (I24).
//!
//! **Caches** say for themselves what they are a cache of, and the log says what they must hold. One that is missing,
//! stale, torn, foreign or of another program's version is brought up to date or made anew, which is nobody's fault; one
//! that says of itself to be what the log speaks of, and is something else, was written by nobody who follows the protocol:
//! it is made anew, and told (`ledger-state-damaged`). Only a head that was seen, is proven and is gone stops writing (I12).
//! In a log without a key all of this holds against whoever can write `view/` alone; whoever can create checkpoints can
//! forge all of it, which every report says.

mod anchor;
mod attester;
mod backoff;
mod batch;
mod cache;
mod chain;
mod checkpoint;
mod commit;
mod commitment;
mod distrust;
mod error;
mod foreign;
mod head;
mod head_file;
mod index;
mod key;
mod key_rotation;
mod kms;
mod location;
mod memory;
mod options;
mod outbox;
mod proof;
mod query;
mod read;
mod rebuild;
mod recall;
mod report;
mod repositories;
mod s3;
mod signature;
mod slot_status;
mod start;
mod store;
mod tiles;
mod touch;
mod tree;
mod unreported;
mod verify;
mod view;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use jiff::Timestamp;
use object_store::ObjectStore;

use self::anchor::Anchor;
use self::index::Index;
use self::key::Keys;
use self::memory::Memory;
use self::read::Tip;
use self::store::Store;
use self::tiles::Tile;
use prodpin_core::model::{
    Mark, OpenFindings, RepositoryKey, RepositoryName, SettingFacts, Severity, SourceName, SourceRecord,
};
use prodpin_policy::{LedgerLocation, Safeguards};

pub use attester::Attester;
pub use distrust::Distrusted;
pub use error::LedgerError;
pub use head::Head;
pub use key::make_key;
pub use location::objects_at;
pub use outbox::{Outbox, UndeliveredRun};
pub use proof::{Claim, InclusionProof, SignedCheckpoint, Since};
pub use signature::VerifierKey;
pub use unreported::UnreportedEvents;
pub use verify::{Anchored, Damage, Verification, Verify};

/// What a ledger is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing is created or changed, caches included.
    Read,
    /// Commits are made. Opening fails where that would.
    Write,
}

/// One ledger, open. It can be shared between tasks; commits take turns.
#[derive(Debug)]
pub struct Ledger {
    store: Store,
    access: Access,
    /// What signs checkpoints; none if they are not signed, or if nothing is written.
    keys: Option<Keys>,
    anchor: Option<Anchor>,
    /// What remembers the head outside the log.
    memory: Memory,
    /// Why what is there is not what is remembered, where the ledger was opened for reading all the same.
    contradiction: Option<LedgerError>,
    /// What is known of the log so far. Never locked across a wait.
    log: RwLock<Log>,
    /// Held by whoever moves the head: a commit, or a look at what others committed.
    writing: tokio::sync::Mutex<Writing>,
    /// As of which commit each repository was last recalled here.
    recalled: Mutex<HashMap<RepositoryKey, u64>>,
    /// The head when the ledger was opened.
    opened_at: u64,
    /// What was stored as derived state, and is not what the log says.
    distrusted: Mutex<Distrusted>,
    /// What stands among the checkpoints and is none of this log's.
    strays: Mutex<foreign::Strays>,
    /// Where caches are made that are not to be left behind.
    scratch: Option<tempfile::TempDir>,
}

/// The log as far as it was read.
#[derive(Debug, Default)]
struct Log {
    tip: Option<Tip>,
    index: Index,
    /// Whole tiles that are not written yet.
    tiles: Vec<Tile>,
    /// Tiles that need not be written, because they were listed.
    tiles_there: Arc<HashSet<String>>,
    /// The next number to commit under.
    next: u64,
}

/// What the writer keeps in mind.
#[derive(Debug, Default)]
struct Writing {
    /// Commits since the index was last written.
    since_index: u64,
}

impl Ledger {
    /// Opens the ledger at a location. Opened for reading, a directory that does not exist is an empty ledger. What is
    /// committed is not signed, and nothing is compared.
    pub async fn open(location: &LedgerLocation, access: Access) -> Result<Self, LedgerError> {
        Self::open_with(location, &Safeguards::none(), access).await
    }

    /// Opens the ledger at a location, with what keeps it honest.
    pub async fn open_with(
        location: &LedgerLocation,
        safeguards: &Safeguards,
        access: Access,
    ) -> Result<Self, LedgerError> {
        Self::open_until(location, safeguards, access, None).await
    }

    /// The same, where the anchor's answer is waited for no longer than until then.
    pub async fn open_until(
        location: &LedgerLocation,
        safeguards: &Safeguards,
        access: Access,
        until: Option<Instant>,
    ) -> Result<Self, LedgerError> {
        let memory = Memory::recall(location, safeguards).await;
        if access == Access::Write {
            memory.refuse_missing()?;
        }
        let mut ledger = Self { memory, ..Self::unread(location::open(location, access).await?, access) };
        let seen = ledger.start_from_index().await?;
        if access == Access::Write && *location != LedgerLocation::None && !ledger.is_stated() {
            // Progress of a long reading is signed; a key is only made once it is known that none signed before.
            ledger.keys = Keys::at_hand(safeguards, location).await;
        }
        ledger.find_head(seen).await?;
        if access == Access::Write && ledger.head().is_none() {
            // No key is made either for what is no beginning.
            ledger.compare_memory().await?;
        }
        // What ends with the run is nobody's record: it would be the anchor of another log than the next one's.
        if access == Access::Write && *location != LedgerLocation::None {
            let known = ledger.signed_by();
            ledger.keys = Keys::load(safeguards, location, ledger.store.location(), known.as_ref()).await?;
        }
        if let (Some(anchor), false) = (&safeguards.anchor, *location == LedgerLocation::None) {
            // Whoever goes by the ledger asks what remembers it (I24); only a run adds to that. One that does not answer is
            // an anchor that could not be asked: it costs its part of the time, and not the run.
            ledger.anchor = Some(Anchor::open(anchor, access, until).await);
        }
        ledger.start().await
    }

    /// Opens the ledger on a store that the caller made, under this name in messages. The store must create an object
    /// only if it is absent, and see at once what was created.
    pub async fn open_on(store: Arc<dyn ObjectStore>, name: &str, access: Access) -> Result<Self, LedgerError> {
        let mut ledger = Self::unread(Store::new(store, name).unproven(), access);
        let seen = ledger.start_from_index().await?;
        ledger.find_head(seen).await?;
        ledger.start().await
    }

    /// A ledger of which nothing was read yet.
    fn unread(store: Store, access: Access) -> Self {
        Self {
            store,
            access,
            keys: None,
            anchor: None,
            memory: Memory::default(),
            contradiction: None,
            log: RwLock::new(Log { next: 1, ..Log::default() }),
            writing: tokio::sync::Mutex::default(),
            recalled: Mutex::default(),
            opened_at: 0,
            distrusted: Mutex::default(),
            strays: Mutex::default(),
            scratch: None,
        }
    }

    async fn start(mut self) -> Result<Self, LedgerError> {
        self.make_ready().await?;
        let opened_at = self.log().index.sequence;
        self.opened_at = opened_at;
        Ok(self)
    }

    /// The key that signed the last commit known here; none in an unsigned log.
    pub(crate) fn signed_by(&self) -> Option<VerifierKey> {
        self.log().tip.as_ref()?.checkpoint.key.as_ref().map(|key| key.key.clone())
    }

    /// The last commit known here; none while the log is empty.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        self.log().tip.as_ref().map(Tip::head)
    }

    /// Every source of which a repository was ever recorded.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceName> {
        self.log().index.repositories.by_source().keys().cloned().collect()
    }

    /// Whether any repository of the source was ever recorded.
    #[must_use]
    pub fn has_history(&self, source: &SourceName) -> bool {
        self.log().index.repositories.by_source().get(source).is_some_and(|names| !names.is_empty())
    }

    /// Whether the repository was ever recorded.
    #[must_use]
    pub fn knows(&self, key: &RepositoryKey) -> bool {
        self.log().index.touch(key).is_some()
    }

    /// Every repository ever recorded for the source: one that vanished from a listing must still be looked at.
    #[must_use]
    pub fn repositories(&self, source: &SourceName) -> Vec<RepositoryName> {
        self.log()
            .index
            .repositories
            .by_source()
            .get(source)
            .map(|names| names.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// The source's protection settings as last recorded, and since when.
    #[must_use]
    pub fn settings(&self, source: &SourceName) -> Option<(Mark, SettingFacts)> {
        self.log().index.sources.get(source)?.settings.clone()
    }

    /// What a run last saw of the source, and when.
    #[must_use]
    pub fn last_seen(&self, source: &SourceName) -> Option<(Mark, SourceRecord)> {
        let log = self.log();
        let (mark, _, record) = log.index.sources.get(source)?.seen.as_ref()?;
        Some((*mark, record.clone()))
    }

    /// Open findings about no repository.
    #[must_use]
    pub fn open_findings(&self) -> OpenFindings {
        self.log().index.findings.clone()
    }

    /// What this alert told of what is still there, and how severe it was then.
    #[must_use]
    pub fn reported(&self, alert: &str) -> BTreeMap<String, Severity> {
        self.log().index.reported.get(alert).cloned().unwrap_or_default()
    }

    /// The last wall time in the ledger: a machine whose clock is behind it is behind, or the one that wrote last was ahead
    /// (F90).
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.log().index.newest
    }

    /// The ledger's name in messages.
    #[must_use]
    pub fn location(&self) -> &str {
        self.store.location()
    }

    // No code below panics while it holds one of these locks, and each update is whole before it is let go.
    fn log(&self) -> RwLockReadGuard<'_, Log> {
        self.log.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_mut(&self) -> RwLockWriteGuard<'_, Log> {
        self.log.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn recalled(&self) -> MutexGuard<'_, HashMap<RepositoryKey, u64>> {
        self.recalled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
