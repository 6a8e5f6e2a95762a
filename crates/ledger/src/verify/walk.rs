//! From the first commit to the last: checkpoints, signatures, batches, entries, reports.

use std::collections::HashMap;

use futures::{FutureExt as _, StreamExt as _};
use object_store::path::Path;
use tlog_tiles::tlog::{Hash, record_hash};

use super::derived::KeptIndex;
use super::doubts::Doubt;
use super::{KeySpan, Verification, Verify};
use crate::batch::Batch;
use crate::foreign::{NAMED, Numbers};
use crate::memory::Proof;
use crate::read::{Fetched, Slot, Tip, batch_path, checkpoint_path};
use crate::rebuild::Rebuild;
use crate::slot_status::{SlotStatus, slot_status};
use crate::tiles::{self, TileId, WIDTH};
use crate::tree::Edge;
use crate::{Ledger, LedgerError, batch, key_rotation};
use prodpin_core::model::{Digest, Event, RunId};

/// So many reports are read at once: each is held whole.
const REPORTS: usize = 4;

/// A check on its way through the log.
pub(super) struct Walk<'a> {
    /// The log as folded here, with caches of its own.
    pub(super) folded: &'a Ledger,
    /// The ledger as it stands, whose caches are judged.
    pub(super) kept: &'a Ledger,
    pub(super) how: &'a Verify,
    pub(super) found: Verification,
    pub(super) before: Option<Tip>,
    /// A checkpoint before is missing or unreadable, so that the next one has nothing to follow.
    pub(super) gap: bool,
    /// Something in the log could not be read: what is derived from it cannot be judged.
    pub(super) broken: bool,
    pub(super) rebuild: Rebuild,
    pub(super) index: Option<KeptIndex>,
    /// What is still to be read, with the first run that names it.
    reports: HashMap<Digest, RunId>,
    /// What was passed over since the last commit.
    pub(super) doubts: Vec<Doubt>,
    /// How many writes were never finished.
    unfinished: u64,
    /// What is no commit of this log for certain.
    pub(super) strays: Vec<String>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(folded: &'a Ledger, kept: &'a Ledger, how: &'a Verify) -> Self {
        Self {
            folded,
            kept,
            how,
            found: Verification::default(),
            before: None,
            gap: false,
            broken: false,
            rebuild: Rebuild::new(false),
            index: None,
            reports: HashMap::new(),
            doubts: Vec::new(),
            unfinished: 0,
            strays: Vec::new(),
        }
    }

    pub(super) fn verification(self) -> Verification {
        self.found
    }

    pub(super) async fn log(&mut self) -> Result<(), LedgerError> {
        self.index = self.kept_index().await;
        let kept = self.kept;
        let Numbers { unbroken, beyond } = kept.numbers().await?;
        let mut ahead = kept.fetch(1..=unbroken);
        let mut last = unbroken;
        for sequence in 1.. {
            let fetched = match ahead.next().await {
                Some(fetched) => fetched,
                None => kept.fetch_one(sequence).await,
            };
            if sequence > unbroken && matches!(fetched, Ok((_, Slot::Empty, _))) {
                break;
            }
            last = sequence;
            self.numbered(sequence, fetched).await?;
            if sequence % 1000 == 0 {
                tracing::info!(ledger = kept.location(), commits = sequence, "checked");
            }
        }
        self.beyond(last, beyond).await?;
        let more = self.unfinished.saturating_sub(NAMED as u64);
        if more > 0 {
            self.found.notes.push(format!("{more} more checkpoints were never finished and count for nothing"));
        }
        self.check_reports().await?;
        self.end();
        Ok(())
    }

    /// What stands under a number.
    pub(super) async fn numbered(
        &mut self,
        sequence: u64,
        fetched: Result<Fetched, LedgerError>,
    ) -> Result<(), LedgerError> {
        let (slot, packed) = match fetched {
            Ok((_, slot, packed)) => (slot, packed),
            Err(LedgerError::Corrupt { what, .. }) => {
                self.lost(sequence, what);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if matches!(slot, Slot::Torn) {
            self.unfinished += 1;
            if self.unfinished <= NAMED as u64 {
                let path = checkpoint_path(sequence);
                self.found.notes.push(format!("{path} was never finished and counts for nothing"));
            }
            return Ok(());
        }
        // After a gap nothing tells a commit from what is none.
        let status = match (&slot, self.gap) {
            (Slot::Whole(_), true) => SlotStatus::Next,
            (_, true) => SlotStatus::Foreign(String::new()),
            (slot, false) => slot_status(self.before.as_ref(), sequence, slot),
        };
        match (status, slot) {
            (_, Slot::Newer { schema, .. }) if self.gap => return Err(self.kept.newer(schema)),
            (SlotStatus::Newer(schema), _) => return Err(self.kept.newer(schema)),
            (SlotStatus::Next, Slot::Whole(tip)) => {
                self.strays.extend(self.doubts.drain(..).map(|doubt| doubt.name()));
                self.commit(*tip, packed.as_deref()).await?;
            }
            // What was passed over since the last commit is what this one follows.
            (SlotStatus::Displaced(_), Slot::Whole(tip)) => {
                for doubt in std::mem::take(&mut self.doubts) {
                    self.lost(doubt.sequence, doubt.what);
                }
                self.commit(*tip, packed.as_deref()).await?;
            }
            (_, Slot::Other { what, .. }) if self.gap => self.lost(sequence, what),
            (_, Slot::Empty) => self.lost(sequence, "it is missing, and later ones are there".to_owned()),
            (SlotStatus::Foreign(what), slot) => self.doubts.push(Doubt::new(sequence, what, false, slot)),
            (SlotStatus::Doubtful(what), slot) => self.doubts.push(Doubt::new(sequence, what, true, slot)),
            (SlotStatus::Next | SlotStatus::Displaced(_), _) => {}
        }
        Ok(())
    }

    /// A checkpoint that cannot be read.
    pub(super) fn lost(&mut self, sequence: u64, what: String) {
        (self.gap, self.broken, self.before) = (true, true, None);
        self.found.damaged(checkpoint_path(sequence), None, what);
    }

    async fn commit(&mut self, tip: Tip, packed: Option<&[u8]>) -> Result<(), LedgerError> {
        // What a newer program wrote cannot be judged by this one, and is no damage (F64).
        self.kept.refuse_schema(tip.checkpoint.schema)?;
        self.checkpoint(&tip);
        let from = (!self.gap).then(|| self.before.as_ref().map_or(0, |before| before.checkpoint.size));
        let whole = self.batch(&tip, from, packed).await?;
        match whole {
            Some((batch, leaves)) => {
                self.reports_of(&batch);
                if !self.broken {
                    self.links(&tip, &batch);
                    self.rebuild.take(self.folded, &tip, &batch).await;
                    if self.folded.put_forward(tip.clone(), &batch, &leaves) > tiles::WAITING {
                        self.check_tiles().await?;
                    }
                    self.rebuild.relieve(self.folded).await;
                    self.stated(&tip);
                }
            }
            None => self.broken = true,
        }
        self.found.commits += 1;
        (self.before, self.gap) = (Some(tip), false);
        Ok(())
    }

    /// Whether the checkpoint follows the one before: log, link, key.
    fn checkpoint(&mut self, tip: &Tip) {
        let path = checkpoint_path(tip.sequence);
        let before = self.before.as_ref();
        let mut wrong = Vec::new();
        if before.is_some_and(|before| before.checkpoint.origin != tip.checkpoint.origin) {
            wrong.push("it belongs to another log");
        }
        if !self.gap && before.map(|before| &before.digest) != tip.checkpoint.previous.as_ref() {
            wrong.push("it does not follow the checkpoint before it");
        }
        let before = before.map(|before| &before.checkpoint);
        let signed = if self.gap { key_rotation::holds(tip) } else { key_rotation::follows(before, tip) };
        wrong.extend(signed.err());
        for what in wrong {
            self.found.damaged(&path, None, what);
        }
        match &tip.checkpoint.key {
            None => self.found.unsigned += 1,
            Some(now) if self.found.keys.last().is_none_or(|last| last.key != now.key) => {
                let lost =
                    tip.checkpoint.lost.as_ref().filter(|lost| lost.at == now.since).map(|lost| lost.key.clone());
                if let Some(lost) = &lost {
                    self.found.notes.push(format!(
                        "{} gives the key {} up for lost: whoever could write here then may have put {} in its place",
                        checkpoint_path(now.since),
                        lost.id(),
                        now.key.id()
                    ));
                }
                self.found.keys.push(KeySpan { key: now.key.clone(), since: now.since, lost });
            }
            Some(_) => {}
        }
    }

    /// A batch's entries and leaves, if they are what the checkpoint says.
    async fn batch(
        &mut self,
        tip: &Tip,
        from: Option<u64>,
        packed: Option<&[u8]>,
    ) -> Result<Option<(Batch, Vec<Hash>)>, LedgerError> {
        let path = batch_path(&tip.checkpoint.batch);
        let Some(packed) = packed else {
            self.found.damaged(&path, from, format!("it is missing{}", entries_of(from, tip)));
            return Ok(None);
        };
        let lines = match batch::unpack(packed, &tip.checkpoint.batch) {
            Ok(lines) => lines,
            Err(what) => {
                let entry = match from {
                    Some(from) => self.wrong_entry(from, tip.checkpoint.size, packed).await?,
                    None => None,
                };
                let reported = match entry {
                    Some(entry) => format!("{what}; entry {entry} is the first that was changed or cannot be read"),
                    None => format!("{what}{}", entries_of(from, tip)),
                };
                self.found.damaged(&path, entry, reported);
                return Ok(None);
            }
        };
        let leaves: Vec<Hash> = batch::lines(&lines).map(record_hash).collect();
        if let Some(from) = from {
            let mut edge = self.before.as_ref().map_or_else(Edge::default, |before| before.checkpoint.edge.clone());
            for (size, leaf) in (from..).zip(&leaves) {
                edge.push(size, *leaf);
            }
            if from + leaves.len() as u64 != tip.checkpoint.size || edge != tip.checkpoint.edge {
                let what = format!("its root is not that of its entries{}", entries_of(Some(from), tip));
                self.found.damaged(checkpoint_path(tip.sequence), Some(from), what);
                return Ok(None);
            }
        }
        let mut read = Batch::default();
        for (index, line) in (from.unwrap_or_default()..).zip(batch::lines(&lines)) {
            match batch::entry(line) {
                Some((entry, link)) => read.push(entry, link),
                None => {
                    self.found.damaged(&path, Some(index), format!("entry {index} is no entry that prodpin knows"));
                    return Ok(None);
                }
            }
        }
        Ok(Some((read, leaves)))
    }

    /// The first entry of a damaged batch that is not what a tile says.
    async fn wrong_entry(&self, from: u64, to: u64, packed: &[u8]) -> Result<Option<u64>, LedgerError> {
        let salvaged = batch::salvage(packed);
        let mut lines = batch::lines(&salvaged);
        let mut row: Option<(TileId, Vec<Hash>)> = None;
        for index in from..to {
            let id = TileId { level: 0, number: index / WIDTH as u64 };
            if row.as_ref().is_none_or(|(known, _)| *known != id) {
                row = Some((id, self.widest(id).await?));
            }
            let within = (index % WIDTH as u64) as usize;
            let Some(expected) = row.as_ref().and_then(|(_, row)| row.get(within)) else { return Ok(None) };
            if lines.next().map(record_hash) != Some(*expected) {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// As much of a tile as the store holds.
    async fn widest(&self, id: TileId) -> Result<Vec<Hash>, LedgerError> {
        let store = &self.kept.store;
        if let Some(bytes) = store.get(&id.path()).await? {
            return Ok(tiles::hashes(&bytes, bytes.len() / tiles::HASH).unwrap_or_default());
        }
        let folder = Path::from(format!("{}.p", id.path()));
        let widest = store.greatest_after(&folder, &id.partial_path(0)).await?;
        match store.get(&id.partial_path(widest as usize)).await? {
            Some(bytes) => Ok(tiles::hashes(&bytes, widest as usize).unwrap_or_default()),
            None => Ok(Vec::new()),
        }
    }

    /// Notes the reports that runs name, each with the first of them.
    fn reports_of(&mut self, batch: &Batch) {
        for entry in &batch.entries {
            if let Event::Run(record) = &entry.event {
                self.reports.entry(record.report.clone()).or_insert_with(|| record.id.clone());
            }
        }
    }

    /// Reads every report that a run names: several at once, because there may be one for each quarter of an hour.
    async fn check_reports(&mut self) -> Result<(), LedgerError> {
        let kept = self.kept;
        let reports = futures::stream::iter(std::mem::take(&mut self.reports))
            .map(move |(report, run)| async move { (run, kept.report(&report).await.map(drop)) }.boxed());
        let mut reports = reports.buffer_unordered(REPORTS);
        while let Some((run, read)) = reports.next().await {
            match read {
                Ok(()) => self.found.reports += 1,
                Err(LedgerError::Corrupt { what, .. }) => {
                    let (object, what) = what.split_once([':', ' ']).unwrap_or((what.as_str(), "it is damaged"));
                    self.found.damaged(object, None, format!("{}; run {run} names it", what.trim()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Compares with what remembers the head outside the ledger (I24).
    pub(super) async fn memory(&mut self) -> Result<(), LedgerError> {
        if self.broken {
            return Ok(());
        }
        let contradicted = self.folded.contradicts_memory(Proof::Linked).await?;
        for what in contradicted.iter().filter_map(LedgerError::what_is_missing) {
            match self.found.head {
                Some(head) => self.found.damaged(checkpoint_path(head.sequence), None, what),
                None => self.found.damaged("checkpoint", None, format!("all of it is missing: {what}")),
            }
        }
        Ok(())
    }

    /// What the log as a whole came to.
    fn end(&mut self) {
        let Some(head) = self.before.take() else { return };
        self.found.origin = Some(head.checkpoint.origin.clone());
        self.found.entries = head.checkpoint.size;
        self.found.head = Some(head.head());
        self.found.checkpoint = Some(String::from_utf8_lossy(&head.note).into_owned());
        let Some(trusted) = &self.how.key else { return };
        let spans = &self.found.keys;
        let what = match spans.iter().position(|span| span.key == *trusted) {
            None => format!("no commit is signed by the key {}, which you trust", trusted.id()),
            Some(at) => match spans.iter().skip(at + 1).find(|span| span.lost.is_some()) {
                Some(span) => format!(
                    "commit {} gives up a key for lost, so that today's does not come from {}, which you trust",
                    span.since,
                    trusted.id()
                ),
                None => return,
            },
        };
        self.found.damaged(checkpoint_path(head.sequence), None, what);
    }
}

/// Which entries a batch holds, in words.
fn entries_of(from: Option<u64>, tip: &Tip) -> String {
    match from {
        Some(from) if from + 1 == tip.checkpoint.size => format!(": entry {from}"),
        Some(from) if from < tip.checkpoint.size => format!(": entries {from} to {}", tip.checkpoint.size - 1),
        _ => String::new(),
    }
}
