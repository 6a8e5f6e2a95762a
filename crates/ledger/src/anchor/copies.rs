//! The copies of checkpoints that an anchor holds.

use prodpin_core::model::Digest;

use crate::checkpoint::Checkpoint;
use crate::foreign::NAMED;
use crate::read::{Tip, checkpoint_path};
use crate::store::Store;
use crate::{LedgerError, signature};

/// A checkpoint as the anchor holds it.
#[derive(Clone)]
pub(super) struct AnchoredCheckpoint {
    pub(super) sequence: u64,
    pub(super) checkpoint: Checkpoint,
    pub(super) note: Vec<u8>,
}

impl AnchoredCheckpoint {
    /// The same as a commit of the log.
    pub(super) fn tip(&self) -> Tip {
        let digest = Digest::sha256(signature::body(&self.note));
        Tip { sequence: self.sequence, digest, checkpoint: self.checkpoint.clone(), note: self.note.clone() }
    }
}

/// Said once, however many somebody put there.
pub(super) fn more_strays(store: &Store, strays: u64) {
    let more = strays.saturating_sub(NAMED as u64);
    if more > 0 {
        tracing::warn!(anchor = store.location(), "{more} more files are there, and are no commits of this log");
    }
}

pub(super) async fn read(store: &Store, sequence: u64) -> Result<Option<AnchoredCheckpoint>, LedgerError> {
    let Some(note) = store.get(&checkpoint_path(sequence)).await? else { return Ok(None) };
    let checkpoint = Checkpoint::decode(&note).ok();
    Ok(checkpoint.map(|checkpoint| AnchoredCheckpoint { sequence, checkpoint, note: note.to_vec() }))
}
