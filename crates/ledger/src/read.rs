//! Reading the log forward: from the head last known to the one there is now, checking every link.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use tlog_tiles::tlog::{Hash, record_hash};

use super::batch::{self, Batch};
use super::checkpoint::{Checkpoint, Flaw, SCHEMA};
use super::index::Index;
use super::rebuild::Rebuild;
use super::slot_status::{SlotStatus, slot_status};
use super::start::StoredHead;
use super::tiles::{self, Tile};
use super::tree::Edge;
use super::{Access, Head, Ledger, LedgerError, Log, key_rotation, signature};
use prodpin_core::model::Digest;

/// A checkpoint with its number and the hash of its body.
#[derive(Debug, Clone)]
pub(super) struct Tip {
    pub(super) sequence: u64,
    pub(super) digest: Digest,
    pub(super) checkpoint: Checkpoint,
    /// As it is stored, with whatever signatures stand on it.
    pub(super) note: Vec<u8>,
}

impl Tip {
    pub(super) fn head(&self) -> Head {
        Head { sequence: self.sequence, size: self.checkpoint.size, root: self.checkpoint.root().0 }
    }
}

/// What stands under a checkpoint's number.
pub(super) enum Slot {
    Empty,
    /// A write that never finished: the number is passed over, and nothing is removed (F56).
    Torn,
    /// Nothing that reads as a checkpoint of this number, and why.
    Other {
        what: String,
        bytes: Bytes,
    },
    /// What only a newer program can read.
    Newer {
        schema: u64,
        bytes: Bytes,
    },
    Whole(Box<Tip>),
}

/// A number, what stands under it, and its packed batch.
pub(super) type Fetched = (u64, Slot, Option<Bytes>);

/// How many requests go ahead of the batch being read.
const AHEAD: usize = 8;

pub(super) const INDEX: &str = "view/index";

pub(super) fn checkpoint_path(sequence: u64) -> Path {
    Path::from(format!("checkpoint/{sequence:020}"))
}

pub(super) fn batch_path(digest: &Digest) -> Path {
    Path::from(format!("batch/{}", digest.hex()))
}

impl Ledger {
    /// Reads on from where it starts to where the log ends. `seen`: a head that was seen once.
    pub(super) async fn find_head(&mut self, seen: Option<StoredHead>) -> Result<(), LedgerError> {
        let anew = self.log().tip.is_none();
        // The list tells how far to read ahead, and shows a gap; never where the log ends, because it may be stale.
        let numbers = self.numbers().await?;
        let listed = numbers.unbroken;
        // For looking, views that nobody speaks for are made when they are asked for.
        let incomplete = self.access == Access::Write && self.log().index.repositories.is_incomplete();
        // Where programs before wrote, only a reading of it says what views are; it may have been cut off once.
        let unstated = !self.is_stated();
        let rebuild = (listed > 0 && unstated) || incomplete;
        if rebuild && self.access == Access::Read {
            self.cache_elsewhere();
        }
        let mut rebuild = rebuild.then(|| Rebuild::new(unstated));
        if anew && rebuild.is_some() && self.access == Access::Write {
            let there = self.list_tiles().await?;
            self.log_mut().tiles_there = Arc::new(there);
        }
        self.advance(listed, rebuild.as_mut()).await?;
        self.tell_unfinished();
        self.judge_beyond(&numbers.beyond, rebuild.as_mut()).await?;
        if let Some(rebuild) = rebuild {
            rebuild.finish(self).await?;
        }
        if let Some(seen) = seen {
            self.judge_lost_head(&seen)?;
        }
        Ok(())
    }

    /// Once the head is found: whether the next commit can be made, and what the last writer did not come to.
    pub(super) async fn make_ready(&mut self) -> Result<(), LedgerError> {
        if self.access == Access::Write {
            self.refuse_newer_schema()?;
            self.refuse_foreign_key()?;
        }
        self.compare_anchor().await?;
        self.compare_memory().await?;
        if self.access == Access::Write {
            self.copy_to_anchor().await?;
            self.write_tiles().await?;
            // Shows, before anything is done elsewhere, that this ledger can be written to (F63).
            self.write_index().await?;
        }
        Ok(())
    }

    pub(super) fn refuse_newer_schema(&self) -> Result<(), LedgerError> {
        self.log().tip.as_ref().map_or(Ok(()), |tip| self.refuse_schema(tip.checkpoint.schema))
    }

    pub(super) fn refuse_schema(&self, schema: u64) -> Result<(), LedgerError> {
        if schema > SCHEMA { Err(self.newer(schema)) } else { Ok(()) }
    }

    pub(super) fn newer(&self, found: u64) -> LedgerError {
        LedgerError::NewerSchema { location: self.store.location().to_owned(), found, known: SCHEMA }
    }

    /// Whether the head says what follows from the log; programs before did not.
    pub(super) fn is_stated(&self) -> bool {
        self.log().tip.as_ref().is_some_and(|tip| tip.checkpoint.stated.is_some())
    }

    /// Reads on until there is no further commit, folding each into the index.
    pub(super) async fn advance(&self, listed: u64, mut rebuild: Option<&mut Rebuild>) -> Result<(), LedgerError> {
        let next = self.log().next;
        let mut ahead = self.fetch(next..=listed);
        let mut sequence = next;
        loop {
            let (_, slot, packed) = match ahead.try_next().await? {
                Some(fetched) => fetched,
                None => self.fetch_one(sequence).await?,
            };
            match slot {
                Slot::Torn => {
                    self.note_unfinished(sequence);
                    self.log_mut().next = sequence + 1;
                }
                Slot::Empty if sequence <= listed => {
                    return Err(self.missing(sequence));
                }
                Slot::Empty => return Ok(()),
                slot => {
                    let before = self.log().tip.clone();
                    match self.next_in(before.as_ref(), sequence, slot).await? {
                        Some(tip) => self.go_on_to(tip, packed.as_deref(), rebuild.as_deref_mut()).await?,
                        None => self.log_mut().next = sequence + 1,
                    }
                }
            }
            sequence += 1;
        }
    }

    /// Folds the next commit in.
    async fn go_on_to(
        &self,
        tip: Tip,
        packed: Option<&[u8]>,
        mut rebuild: Option<&mut Rebuild>,
    ) -> Result<(), LedgerError> {
        let before = self.log().tip.clone();
        let (batch, leaves) = self.link(before.as_ref(), &tip, packed)?;
        if let Some(rebuild) = rebuild.as_deref_mut() {
            rebuild.take(self, &tip, &batch).await;
        }
        if self.put_forward(tip, &batch, &leaves) > tiles::WAITING {
            self.write_tiles().await?;
        }
        if let Some(rebuild) = rebuild {
            rebuild.relieve(self).await;
        }
        Ok(())
    }

    /// Follows what stands in the way of one's own commit: another writer's, which is at hand, or what is passed over.
    pub(super) async fn follow(&self, note: &Bytes) -> Result<(), LedgerError> {
        let next = self.log().next;
        let before = self.log().tip.clone();
        let tip = match self.read_slot(next, note) {
            Slot::Whole(tip) if slot_status(before.as_ref(), next, &Slot::Whole(tip.clone())) == SlotStatus::Next => {
                tip
            }
            _ => return self.advance(0, None).await,
        };
        let packed = self.store.get(&batch_path(&tip.checkpoint.batch)).await?;
        let (batch, leaves) = self.link(before.as_ref(), &tip, packed.as_deref())?;
        self.put_forward(*tip, &batch, &leaves);
        Ok(())
    }

    /// Makes another's commit the head. Returns how many tiles wait to be written.
    pub(super) fn put_forward(&self, tip: Tip, batch: &Batch, leaves: &[Hash]) -> usize {
        let mut log = self.log_mut();
        let Log { index, tiles, .. } = &mut *log;
        for leaf in leaves {
            index.frontier.push(*leaf, |tile| {
                if self.access == Access::Write {
                    tiles.push(tile);
                }
            });
        }
        let checkpoint = &tip.checkpoint;
        log.index.apply(&tip.head(), checkpoint.previous.as_ref(), &checkpoint.batch, batch);
        log.index.origin.clone_from(&checkpoint.origin);
        log.index.checkpoint = Some(tip.digest.clone());
        log.next = tip.sequence + 1;
        log.tip = Some(tip);
        log.tiles.len()
    }

    /// Makes one's own commit the head, with what follows from it.
    pub(super) fn install(&self, tip: Tip, index: Index, tiles: Vec<Tile>) {
        let mut log = self.log_mut();
        log.tiles.extend(tiles);
        log.next = tip.sequence + 1;
        (log.index, log.tip) = (index, Some(tip));
    }

    /// Checks that a commit follows another, and that its batch is what its root says (F57, F58).
    pub(super) fn link(
        &self,
        before: Option<&Tip>,
        tip: &Tip,
        packed: Option<&[u8]>,
    ) -> Result<(Batch, Vec<Hash>), LedgerError> {
        let (name, checkpoint) = (format!("checkpoint/{:020}", tip.sequence), &tip.checkpoint);
        if before.is_some_and(|before| before.checkpoint.origin != checkpoint.origin) {
            return Err(self.store.corrupt(format!("{name} belongs to another log")));
        }
        if before.map(|before| &before.digest) != checkpoint.previous.as_ref() {
            return Err(self.store.corrupt(format!("{name} does not follow the checkpoint before it")));
        }
        key_rotation::follows(before.map(|before| &before.checkpoint), tip)
            .map_err(|what| self.store.corrupt(format!("{name}: {what}")))?;
        let lines = self.unpack(tip, packed)?;
        let leaves: Vec<Hash> = batch::lines(&lines).map(record_hash).collect();
        let mut size = before.map_or(0, |before| before.checkpoint.size);
        let mut edge = before.map_or_else(Edge::default, |before| before.checkpoint.edge.clone());
        for leaf in &leaves {
            edge.push(size, *leaf);
            size += 1;
        }
        if size != checkpoint.size || edge != checkpoint.edge {
            return Err(self.store.corrupt(format!("{name} does not match the entries of its batch")));
        }
        Ok((self.entries(tip, &lines)?, leaves))
    }

    pub(super) fn unpack(&self, tip: &Tip, packed: Option<&[u8]>) -> Result<Vec<u8>, LedgerError> {
        let digest = &tip.checkpoint.batch;
        let name = batch_path(digest);
        let packed = packed.ok_or_else(|| self.store.corrupt(format!("{name} is missing")))?;
        batch::unpack(packed, digest).map_err(|what| self.store.corrupt(format!("{name}: {what}")))
    }

    pub(super) fn entries(&self, tip: &Tip, lines: &[u8]) -> Result<Batch, LedgerError> {
        batch::read(lines).ok_or_else(|| match tip.checkpoint.schema {
            newer if newer > SCHEMA => self.newer(newer),
            _ => self.store.corrupt(format!("{}: a line is no entry", batch_path(&tip.checkpoint.batch))),
        })
    }

    /// What stands under this number.
    pub(super) async fn slot(&self, sequence: u64) -> Result<Slot, LedgerError> {
        match self.store.get(&checkpoint_path(sequence)).await {
            Ok(Some(bytes)) => Ok(self.read_slot(sequence, &bytes)),
            Ok(None) => Ok(Slot::Empty),
            // A folder, a link, or more bytes than any checkpoint has.
            Err(LedgerError::Corrupt { what, .. }) => Ok(Slot::Other { what, bytes: Bytes::new() }),
            Err(error) => Err(error),
        }
    }

    /// The same of bytes that stand there.
    fn read_slot(&self, sequence: u64, bytes: &Bytes) -> Slot {
        let other = |what| Slot::Other { what: format!("{} {what}", checkpoint_path(sequence)), bytes: bytes.clone() };
        match Checkpoint::decode(bytes) {
            Ok(checkpoint) if checkpoint.stated.as_ref().is_some_and(|stated| stated.sequence != sequence) => {
                other("is the checkpoint of another commit")
            }
            Ok(checkpoint) => {
                let digest = Digest::sha256(signature::body(bytes));
                Slot::Whole(Box::new(Tip { sequence, digest, checkpoint, note: bytes.to_vec() }))
            }
            Err(Flaw::Torn) => Slot::Torn,
            Err(Flaw::Malformed) => other("is no checkpoint"),
            Err(Flaw::Newer(schema)) => Slot::Newer { schema, bytes: bytes.clone() },
        }
    }

    pub(super) async fn fetch_one(&self, sequence: u64) -> Result<Fetched, LedgerError> {
        let slot = self.slot(sequence).await?;
        let packed = match &slot {
            Slot::Whole(tip) => self.store.get(&batch_path(&tip.checkpoint.batch)).await?,
            Slot::Empty | Slot::Torn | Slot::Other { .. } | Slot::Newer { .. } => None,
        };
        Ok((sequence, slot, packed))
    }

    /// Checkpoints and packed batches in order, some requests ahead of the reader.
    pub(super) fn fetch(
        &self,
        sequences: impl Iterator<Item = u64> + Send + 'static,
    ) -> BoxStream<'_, Result<Fetched, LedgerError>> {
        futures::stream::iter(sequences).map(move |sequence| self.fetch_one(sequence).boxed()).buffered(AHEAD).boxed()
    }

    pub(super) fn missing(&self, sequence: u64) -> LedgerError {
        self.store.corrupt(format!("{} is missing", checkpoint_path(sequence)))
    }
}
