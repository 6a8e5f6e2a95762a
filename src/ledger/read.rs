//! Reading the log forward: from the head last known to the one there is now, checking every link.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use tlog_tiles::tlog::{Hash, record_hash};

use super::checkpoint::{Checkpoint, Flaw, SCHEMA};
use super::index::Index;
use super::rebuild::Rebuild;
use super::tree::Edge;
use super::{Access, Head, Ledger, LedgerError, Log, batch, cache, signature, succession, tiles};
use crate::model::{Digest, Entry};

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
    /// Finds the head: from the index where there is one that fits, else from the first commit.
    pub(super) async fn find_head(&self) -> Result<(), LedgerError> {
        let cached = self.store.cached(&Path::from(INDEX)).await;
        let index = cached.and_then(|bytes| cache::unpack::<Index>(&bytes));
        let index = index.filter(|index| index.schema == cache::CACHE_SCHEMA && index.sequence > 0);
        let fits = |index: &Index, tip: &Tip| {
            Some(&tip.digest) == index.checkpoint.as_ref()
                && index.frontier.edge().as_ref() == Some(&tip.checkpoint.edge)
        };
        let mut lost = None;
        if let Some(index) = index {
            match self.slot(index.sequence).await? {
                Slot::Whole(tip) if fits(&index, &tip) => {
                    let broken = |what| self.store.corrupt(format!("{}: {what}", checkpoint_path(tip.sequence)));
                    succession::holds(&tip).map_err(broken)?;
                    let mut log = self.log_mut();
                    log.next = index.sequence + 1;
                    (log.tip, log.index) = (Some(*tip), index);
                }
                _ => lost = Some((index.origin, index.sequence)),
            }
        }
        let anew = self.log().tip.is_none();
        // The list tells how far to read ahead, and shows a gap; never where the log ends, because it may be stale.
        let numbers = self.numbers().await?;
        let listed = numbers.unbroken;
        let mut rebuild = (anew && listed > 0 && self.access == Access::Write).then(|| Rebuild::new(listed));
        if rebuild.is_some() {
            let there = self.list_tiles().await?;
            self.log_mut().tiles_there = Arc::new(there);
        }
        self.advance(listed, rebuild.as_mut()).await?;
        self.judge_beyond(&numbers.beyond).await?;
        if let Some(rebuild) = rebuild {
            rebuild.finish(self).await;
        }
        if let Some((origin, sequence)) = lost {
            self.refuse_lost_head(&origin, sequence)?;
        }
        Ok(())
    }

    /// Once the head is found: whether the next commit can be made, and what the last writer did not come to.
    pub(super) async fn make_ready(&mut self) -> Result<(), LedgerError> {
        if self.access == Access::Write {
            self.refuse_newer_schema()?;
            self.refuse_foreign_key()?;
            self.compare_anchor().await?;
        }
        self.compare_memory().await?;
        if self.access == Access::Write {
            self.copy_to_anchor().await?;
            self.write_tiles().await?;
            // Shows, before anything is done elsewhere, that this ledger can be written to (F63).
            self.write_index().await?;
        }
        Ok(())
    }

    /// The index names a commit that is not there. If it is this log's own index, commits were lost (I12, F59).
    fn refuse_lost_head(&self, origin: &str, sequence: u64) -> Result<(), LedgerError> {
        let log = self.log();
        if log.tip.as_ref().is_some_and(|tip| tip.checkpoint.origin != origin) {
            return Ok(());
        }
        let there = log.tip.as_ref().map_or(0, |tip| tip.sequence);
        let what = if there < sequence {
            format!("it ends at commit {there}, and commit {sequence} was seen before")
        } else {
            format!("commit {sequence} is not the one that was seen before")
        };
        match self.access {
            Access::Write if self.memory.adopt => {
                tracing::warn!(ledger = self.store.location(), "--adopt: {what}");
                Ok(())
            }
            Access::Write => Err(LedgerError::RolledBack { location: self.store.location().to_owned(), what }),
            Access::Read => {
                tracing::warn!(ledger = self.store.location(), "{what}");
                Ok(())
            }
        }
    }

    pub(super) fn refuse_newer_schema(&self) -> Result<(), LedgerError> {
        self.log().tip.as_ref().map_or(Ok(()), |tip| self.refuse_schema(tip.checkpoint.schema))
    }

    pub(super) fn refuse_schema(&self, schema: u64) -> Result<(), LedgerError> {
        if schema > SCHEMA { Err(self.newer(schema)) } else { Ok(()) }
    }

    fn newer(&self, found: u64) -> LedgerError {
        LedgerError::NewerSchema { location: self.store.location().to_owned(), found, known: SCHEMA }
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
                Slot::Whole(tip) => {
                    let (entries, leaves) = self.link(&tip, packed.as_deref())?;
                    if let Some(rebuild) = rebuild.as_deref_mut() {
                        rebuild.take(self, &tip, &entries).await;
                    }
                    if self.put_forward(*tip, &entries, &leaves) > tiles::WAITING {
                        self.write_tiles().await?;
                    }
                }
                Slot::Torn => {
                    tracing::warn!(
                        ledger = self.store.location(),
                        "checkpoint/{sequence:020} was never finished; passed over"
                    );
                    self.log_mut().next = sequence + 1;
                }
                Slot::Empty if sequence <= listed => {
                    return Err(self.missing(sequence));
                }
                Slot::Empty => return Ok(()),
            }
            sequence += 1;
        }
    }

    /// Makes a commit, one's own or another's, the head. Returns how many tiles wait to be written.
    pub(super) fn put_forward(&self, tip: Tip, entries: &[Entry], leaves: &[Hash]) -> usize {
        let mut log = self.log_mut();
        let Log { index, tiles, .. } = &mut *log;
        for leaf in leaves {
            index.frontier.push(*leaf, |tile| {
                if self.access == Access::Write {
                    tiles.push(tile);
                }
            });
        }
        log.index.apply(&tip.head(), &tip.checkpoint.batch, entries);
        log.index.origin.clone_from(&tip.checkpoint.origin);
        log.index.checkpoint = Some(tip.digest.clone());
        log.next = tip.sequence + 1;
        log.tip = Some(tip);
        log.tiles.len()
    }

    /// Checks that a commit follows the head, and that its batch is what its root says (F57, F58).
    fn link(&self, tip: &Tip, packed: Option<&[u8]>) -> Result<(Vec<Entry>, Vec<Hash>), LedgerError> {
        let (name, checkpoint) = (format!("checkpoint/{:020}", tip.sequence), &tip.checkpoint);
        let log = self.log();
        let before = log.tip.as_ref();
        if before.is_some_and(|before| before.checkpoint.origin != checkpoint.origin) {
            return Err(self.store.corrupt(format!("{name} belongs to another log")));
        }
        if before.map(|before| &before.digest) != checkpoint.previous.as_ref() {
            return Err(self.store.corrupt(format!("{name} does not follow the checkpoint before it")));
        }
        succession::follows(before.map(|before| &before.checkpoint), tip)
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

    fn entries(&self, tip: &Tip, lines: &[u8]) -> Result<Vec<Entry>, LedgerError> {
        batch::entries(lines).ok_or_else(|| match tip.checkpoint.schema {
            newer if newer > SCHEMA => self.newer(newer),
            _ => self.store.corrupt(format!("{}: a line is no entry", batch_path(&tip.checkpoint.batch))),
        })
    }

    /// What stands under this number.
    pub(super) async fn slot(&self, sequence: u64) -> Result<Slot, LedgerError> {
        let path = checkpoint_path(sequence);
        let Some(bytes) = self.store.get(&path).await? else { return Ok(Slot::Empty) };
        match Checkpoint::decode(&bytes) {
            Ok(checkpoint) => {
                let digest = Digest::of(signature::body(&bytes));
                Ok(Slot::Whole(Box::new(Tip { sequence, digest, checkpoint, note: bytes.to_vec() })))
            }
            Err(Flaw::Torn) => Ok(Slot::Torn),
            Err(Flaw::Malformed) => Err(self.store.corrupt(format!("{path} is no checkpoint"))),
            Err(Flaw::Newer(schema)) => Err(self.newer(schema)),
        }
    }

    pub(super) async fn fetch_one(&self, sequence: u64) -> Result<Fetched, LedgerError> {
        let slot = self.slot(sequence).await?;
        let packed = match &slot {
            Slot::Whole(tip) => self.store.get(&batch_path(&tip.checkpoint.batch)).await?,
            Slot::Empty | Slot::Torn => None,
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

    /// Commits in the order given, each with its entries: for looking back over what is already linked to the head.
    pub(super) fn commits(
        &self,
        sequences: impl Iterator<Item = u64> + Send + 'static,
    ) -> BoxStream<'_, Result<(Tip, Vec<Entry>), LedgerError>> {
        let open = move |fetched: Result<Fetched, LedgerError>| match fetched {
            Ok((_, Slot::Whole(tip), packed)) => {
                let opened = self.unpack(&tip, packed.as_deref()).and_then(|lines| self.entries(&tip, &lines));
                Some(opened.map(|entries| (*tip, entries)))
            }
            Ok((_, Slot::Torn, _)) => None,
            Ok((sequence, Slot::Empty, _)) => Some(Err(self.missing(sequence))),
            Err(error) => Some(Err(error)),
        };
        self.fetch(sequences).filter_map(move |fetched| std::future::ready(open(fetched))).boxed()
    }

    pub(super) fn missing(&self, sequence: u64) -> LedgerError {
        self.store.corrupt(format!("{} is missing", checkpoint_path(sequence)))
    }

    /// Writes the index as it is now.
    pub(super) async fn write_index(&self) -> Result<(), LedgerError> {
        let packed = cache::pack(&self.log().index);
        let packed = packed.map_err(|error| LedgerError::of_io(self.store.location(), error))?;
        self.store.cache(&Path::from(INDEX), packed).await
    }
}
