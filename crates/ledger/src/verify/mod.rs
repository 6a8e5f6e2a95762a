//! Checking everything: what a ledger holds must follow from its batches, and the batches from its checkpoints.
//!
//! The log is folded once more from its first commit, with caches in a directory of its own, so that memory stays
//! bounded; then what is derived is compared. Damage does not end the check: each checkpoint says where it stands, so
//! that the ones after a damaged one can still be judged.

mod anchored;
mod derived;
mod doubts;
mod walk;

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use serde::{Serialize, Serializer};

use super::memory::Memory;
use super::store::Store;
use super::{Access, Head, Ledger, LedgerError, VerifierKey, location};
use prodpin_policy::{LedgerLocation, Safeguards};
use walk::Walk;

pub use anchored::Anchored;

/// More than this is no help to anybody.
const DAMAGE_SHOWN: usize = 100;

/// How to check.
#[derive(Debug, Clone, Default)]
pub struct Verify {
    /// Make tiles and caches anew where they are missing or wrong. Nothing else is ever written.
    pub repair: bool,
    /// A key that must have signed, and from which today's key must descend.
    pub key: Option<VerifierKey>,
    /// The second place that remembers checkpoints.
    pub anchor: Option<LedgerLocation>,
    /// What else remembers: the files beside the key and the policy.
    pub safeguards: Safeguards,
}

/// What was checked, and what is wrong.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verification {
    /// The log's own name.
    pub origin: Option<String>,
    /// The last commit.
    pub head: Option<Head>,
    /// Its checkpoint, with its signatures: what an auditor keeps.
    pub checkpoint: Option<String>,
    /// How many commits there are.
    pub commits: u64,
    /// How many entries.
    pub entries: u64,
    /// How many of the commits are not signed.
    pub unsigned: u64,
    /// The keys that signed, oldest first.
    pub keys: Vec<KeySpan>,
    /// What the anchor had to say; none if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Anchored>,
    /// How many tiles were compared.
    pub tiles: u64,
    /// How many views were compared.
    pub views: u64,
    /// How many report bodies were read.
    pub reports: u64,
    /// What contradicts itself. Empty if the ledger is what it says.
    pub damage: Vec<Damage>,
    /// How much more of it there is than is reported.
    pub more_damage: u64,
    /// What was made anew.
    pub repaired: Vec<String>,
    /// What is worth knowing and no damage.
    pub notes: Vec<String>,
}

/// A key and the first commit that it signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeySpan {
    /// The verifier key.
    #[serde(serialize_with = "as_text")]
    pub key: VerifierKey,
    /// The first commit that it signed.
    pub since: u64,
    /// The key before it, if that did not hand over but was given up for lost.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_as_text")]
    pub lost: Option<VerifierKey>,
}

fn maybe_as_text<S: Serializer>(key: &Option<VerifierKey>, serializer: S) -> Result<S::Ok, S::Error> {
    match key {
        Some(key) => serializer.collect_str(key),
        None => serializer.serialize_none(),
    }
}

fn as_text<S: Serializer>(key: &VerifierKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(key)
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// The object in the store.
    pub object: String,
    /// The entry in the log, from 0, where it can be reported.
    pub entry: Option<u64>,
    /// What is wrong with it.
    pub what: String,
}

impl Verification {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.damage.is_empty()
    }

    /// Whether all was compared that was to be compared.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !matches!(self.anchor, Some(Anchored::Empty { .. } | Anchored::Unread { .. }))
    }

    fn damaged(&mut self, object: impl ToString, entry: Option<u64>, what: impl Into<String>) {
        if self.damage.len() < DAMAGE_SHOWN {
            self.damage.push(Damage { object: object.to_string(), entry, what: what.into() });
        } else {
            self.more_damage += 1;
        }
    }
}

impl Ledger {
    /// Checks the whole ledger at a location.
    pub async fn verify(location: &LedgerLocation, how: &Verify) -> Result<Verification, LedgerError> {
        let memory = Memory::recall(location, &how.safeguards).await;
        check(location::open(location, Access::Read).await?, memory, how).await
    }

    /// The same on a store that the caller made.
    pub async fn verify_on(store: Arc<dyn ObjectStore>, name: &str, how: &Verify) -> Result<Verification, LedgerError> {
        check(Store::new(store, name), Memory::default(), how).await
    }
}

async fn check(store: Store, memory: Memory, how: &Verify) -> Result<Verification, LedgerError> {
    let scratch = tempfile::tempdir().map_err(|error| LedgerError::of_io("in the temporary directory", error))?;
    let caches = LocalFileSystem::new_with_prefix(scratch.path());
    let caches = caches.map_err(|error| LedgerError::from_store("in the temporary directory", &error))?;
    // Opened to write, so that its caches are written; nothing below commits.
    let folded = Ledger { memory, ..Ledger::unread(store.with_caches(Arc::new(caches)), Access::Write) };
    let kept = Ledger::unread(store, Access::Read);
    let mut walk = Walk::new(&folded, &kept, how);
    walk.log().await?;
    walk.anchor().await?;
    walk.memory().await?;
    walk.derived().await?;
    Ok(walk.verification())
}
