//! The vault: a copy of every rollback target, kept where deleting anything at the source does not reach it (I27).
//!
//! It is an OCI image layout, which skopeo, crane and oras read, with one kind of file beside it:
//!
//! ```text
//! oci-layout, index.json                      what such a layout begins with; index.json follows from the entries
//! blobs/sha256/<hex>                          manifests, configurations and layers, each once, whatever names them
//! prodpin/<source>/<repository>/<hex>-<tags>.json   an entry: this target was whole here, and had these tags then; of a file,
//!                                             <hex> is the SHA-256 of what its source calls it
//! ```
//!
//! A blob appears under its name only after it hashed to it; a manifest only after everything that it names; an entry only
//! after its target. All three are created and never written over, so that a vault may lie under Object Lock and several
//! writers need not know of each other. No run deletes anything; `prodpin release --vault --apply` does.
//!
//! In a registry (`in_registry`) the same lies in one repository: blobs, manifests, and an artifact for each entry.
//!
//! - `place` knows the names and the store; `entry` the entries and `index.json`;
//! - `closure` walks what is below a target, from the vault's own bytes first;
//! - `file` keeps a target that is one file as a blob under a small manifest, `spool` hashes it first where nobody knows its hash;
//! - `copy` brings what is missing; `restore` puts it back; `release` lets go what left the rollback set;
//! - `drill` reads everything and keeps nothing; `signature` verifies what is attached to a target at its source.

mod closure;
mod copy;
mod drill;
mod entry;
mod file;
mod hash;
mod in_registry;
mod place;
mod release;
mod restore;
mod restore_file;
mod signature;
mod spool;
mod take;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use object_store::ObjectStore;
use tokio::sync::{OnceCell, Semaphore};

use prodpin_core::model::Digest;

pub use closure::{Closure, Unwhole};
pub use copy::{Failure, Target};
pub use drill::{Drilling, FileProof, Flaw, Place, Watcher};
pub use entry::Entry;
pub use file::{FileTarget, kept_file};
pub use in_registry::InRegistry;
pub use release::Leaving;
pub use restore::{Pinning, Restored, Restoring, TagOutcome};
pub use restore_file::BlobPieces;
pub use signature::{VerifyingKey, verify};

/// Why the vault itself could not be read or written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("vault {location}: {detail}")]
pub struct VaultError {
    /// Where it is.
    pub location: String,
    /// What was asked and answered.
    pub detail: String,
}

/// How much was moved into the vault by this process.
#[derive(Debug, Default)]
pub struct Moved {
    /// Blobs and manifests that were written.
    pub parts: AtomicU64,
    /// Their bytes, as read from sources.
    pub bytes: AtomicU64,
}

/// What a vault lies on.
#[derive(Debug)]
enum Shelf {
    /// An image layout in a directory or a bucket.
    Store(Arc<dyn ObjectStore>),
    /// A repository of a registry.
    Registry(Box<InRegistry>),
}

/// A vault that is open.
#[derive(Debug)]
pub struct Vault {
    shelf: Shelf,
    location: String,
    /// Whether it is a directory on this machine.
    local: bool,
    /// What is known to be there, or on its way, so that each part is asked for and moved once, whoever names it.
    known: Mutex<HashMap<Digest, Arc<OnceCell<()>>>>,
    /// How many blobs are on their way at once: each takes some memory.
    lanes: Semaphore,
    /// What was moved.
    pub moved: Moved,
}

impl Vault {
    /// A vault in this store.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectStore>, location: &str, local: bool) -> Self {
        Self::on(Shelf::Store(objects), location, local)
    }

    /// A vault in this repository of a registry.
    #[must_use]
    pub fn in_registry(registry: InRegistry, location: &str) -> Self {
        Self::on(Shelf::Registry(Box::new(registry)), location, false)
    }

    fn on(shelf: Shelf, location: &str, local: bool) -> Self {
        Self {
            shelf,
            location: location.to_owned(),
            local,
            known: Mutex::default(),
            lanes: Semaphore::new(if local { 4 } else { 2 }),
            moved: Moved::default(),
        }
    }

    /// Where it is, for messages.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    /// That a copy is damaged, and what to do: a run takes what has the right size for whole, and copies only what is not there.
    pub(crate) fn damaged(&self, digest: &Digest) -> String {
        let first = match &self.shelf {
            Shelf::Store(_) => format!("move {} out of the vault", self.path_of(digest)),
            Shelf::Registry(_) => format!("delete that blob from the storage behind {}", self.location),
        };
        format!(
            "the vault's copy of {digest} is damaged: its bytes are not those that its name says; {first}, and run \
             `prodpin enforce`, which copies it again while its source has it; else bring it back from a backup of the vault"
        )
    }

    /// The same where something is said to be safe there: what a registry's own rules remove is not known.
    #[must_use]
    pub fn described(&self) -> String {
        match &self.shelf {
            Shelf::Store(_) => self.location.clone(),
            Shelf::Registry(_) => format!("{} (prodpin does not read what cleans up there)", self.location),
        }
    }
}
