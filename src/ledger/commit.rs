//! Committing: restate after whatever came first, write the batch, create the checkpoint.

use std::collections::HashMap;
use std::time::Duration;

use tlog_tiles::tlog::{Hash, record_hash};

use super::checkpoint::Checkpoint;
use super::index::Touch;
use super::read::{Tip, batch_path, checkpoint_path};
use super::store::Created;
use super::succession::Signing;
use super::tree::Edge;
use super::view::View;
use super::{Access, Head, Ledger, LedgerError, Writing, batch, chance, signature};
use crate::model::{Digest, Entry, Event, Mark, RepositoryKey, RepositoryState, TagStatus, rebase};

/// Each lost attempt means that another writer's commit went through, so this bounds one writer's bad luck only.
const ATTEMPTS: u32 = 100;

/// The index is written at the end of a run, and after this many commits, which is what a crash makes the next run
/// read again.
const INDEX_EVERY: u64 = 128;

/// One commit, ready but for its place.
struct Draft {
    lines: Vec<u8>,
    /// The entries as restated.
    entries: Vec<Entry>,
    leaves: Vec<Hash>,
    checkpoint: Checkpoint,
    /// Whether the key that signed before hands over to another one by this commit.
    hand_over: bool,
}

impl Ledger {
    /// Commits these entries, restated after whatever other writers committed since they were observed; what became
    /// nothing by that is left out. With nothing left, nothing is committed. After an error it is unknown whether the
    /// entries were committed; committing them again, or observing again, is safe in both cases.
    pub async fn commit(&self, entries: Vec<Entry>) -> Result<Head, LedgerError> {
        if self.access == Access::Read {
            return Err(LedgerError::ReadOnly { location: self.store.location().to_owned() });
        }
        let mut writing = self.writing.lock().await;
        self.refuse_fork()?;
        let before = self.log().index.sequence;
        let mut views = HashMap::new();
        let mut rest = entries.as_slice();
        while !rest.is_empty() {
            let taken = self.commit_some(rest, &mut views, &mut writing).await?;
            rest = &rest[taken..];
        }
        // Told only once the anchor knows of it, as far as it can be reached.
        self.copy_to_anchor().await?;
        self.remember_head().await;
        let changed = views.into_values().filter(|view| view.latest().is_some_and(|latest| latest.0 > before));
        if let Err(error) = self.write_views(changed.collect()).await {
            tracing::warn!(ledger = self.store.location(), %error, "a cache could not be written; the log is complete");
        }
        let ends_run = entries.iter().any(|entry| matches!(entry.event, Event::Run(_)));
        if let Err(error) = self.write_tiles().await {
            tracing::warn!(ledger = self.store.location(), %error, "a tile could not be written; the next run does");
        }
        if writing.since_index >= INDEX_EVERY || (ends_run && writing.since_index > 0) {
            match self.settle_derived().await {
                Ok(()) => writing.since_index = 0,
                Err(error) => {
                    tracing::warn!(ledger = self.store.location(), %error, "the index could not be written; the log is complete");
                }
            }
        }
        Ok(self.head().unwrap_or_else(|| Head { sequence: 0, size: 0, root: Edge::default().root().0 }))
    }

    /// Writes what is derived from the log, the index last: whoever starts from it need not look before it.
    pub(super) async fn settle_derived(&self) -> Result<(), LedgerError> {
        self.write_tiles().await?;
        self.write_partial_tiles().await?;
        self.write_index().await
    }

    /// Commits as many of the entries as one batch holds, and says how many those were.
    async fn commit_some(
        &self,
        entries: &[Entry],
        views: &mut HashMap<RepositoryKey, View>,
        writing: &mut Writing,
    ) -> Result<usize, LedgerError> {
        for attempt in 0..ATTEMPTS {
            let (taken, draft) = self.draft(entries, views).await?;
            let Some(draft) = draft else { return Ok(taken) };
            if self.publish(draft, views).await? {
                writing.since_index += 1;
                return Ok(taken);
            }
            // The views hold events that were not committed.
            views.clear();
            self.advance(0, None).await?;
            self.refuse_newer_schema()?;
            chance::wait(Duration::from_millis(5), attempt.min(8)).await;
        }
        Err(LedgerError::Contended { location: self.store.location().to_owned(), attempts: ATTEMPTS })
    }

    /// Restates entries after the head, and makes a commit of them.
    async fn draft(
        &self,
        entries: &[Entry],
        views: &mut HashMap<RepositoryKey, View>,
    ) -> Result<(usize, Option<Draft>), LedgerError> {
        let (sequence, tip) = {
            let log = self.log();
            (log.next, log.tip.clone())
        };
        let (mut lines, mut restated, mut leaves, mut taken) = (Vec::new(), Vec::new(), Vec::new(), 0);
        let mut size = tip.as_ref().map_or(0, |tip| tip.checkpoint.size);
        let mut edge = tip.as_ref().map_or_else(Edge::default, |tip| tip.checkpoint.edge.clone());
        for entry in entries {
            if lines.len() >= batch::BATCH_BYTES {
                break;
            }
            taken += 1;
            let Some(entry) = self.restate(entry, sequence, views).await? else { continue };
            let line = batch::line(&entry);
            if line.is_empty() || line.len() > batch::LINE_CAP {
                let location = self.store.location().to_owned();
                return Err(LedgerError::TooLong { location, bytes: line.len() });
            }
            let leaf = record_hash(&line);
            edge.push(size, leaf);
            leaves.push(leaf);
            size += 1;
            lines.extend_from_slice(&line);
            lines.push(b'\n');
            restated.push(entry);
        }
        if restated.is_empty() {
            return Ok((taken, None));
        }
        let origin = tip.as_ref().map_or_else(new_origin, |tip| tip.checkpoint.origin.clone());
        let Signing { key, lost, hand_over } =
            self.key_for(sequence, &origin, tip.as_ref().map(|tip| &tip.checkpoint))?;
        let checkpoint = Checkpoint {
            origin,
            size,
            // As old as it can be: whoever knows no newer one goes on reading what is none (F64).
            schema: restated.iter().map(|entry| entry.event.schema()).max().unwrap_or(1),
            batch: Digest::of(&lines),
            previous: tip.map(|tip| tip.digest),
            key,
            lost,
            edge,
        };
        Ok((taken, Some(Draft { lines, entries: restated, leaves, checkpoint, hand_over })))
    }

    /// What an entry means after the head; nothing if the log says it already.
    async fn restate(
        &self,
        entry: &Entry,
        sequence: u64,
        views: &mut HashMap<RepositoryKey, View>,
    ) -> Result<Option<Entry>, LedgerError> {
        let Some(key) = &entry.repository else {
            return Ok((!self.log().index.knows(entry)).then(|| entry.clone()));
        };
        if !views.contains_key(key) {
            views.insert(key.clone(), self.view_now(key).await?);
        }
        let Some(view) = views.get_mut(key) else { return Ok(None) };
        let as_of = self.recalled().get(key).copied().unwrap_or(self.opened_at);
        if counts_an_unseen_look(&entry.event, &view.state, as_of) {
            return Ok(None);
        }
        let Some(event) = rebase(entry.event.clone(), &view.state) else { return Ok(None) };
        view.state.apply(Mark { sequence, at: entry.at }, &event);
        Ok(Some(Entry { event, ..entry.clone() }))
    }

    /// Writes the batch and creates the checkpoint. `false`: another commit has that place.
    async fn publish(&self, draft: Draft, views: &mut HashMap<RepositoryKey, View>) -> Result<bool, LedgerError> {
        let Draft { lines, entries, leaves, checkpoint, hand_over } = draft;
        let io = |error| LedgerError::of_io(self.store.location(), error);
        let path = batch_path(&checkpoint.batch);
        if let Created::There(there) = self.store.create(&path, batch::pack(&lines).map_err(io)?).await? {
            batch::unpack(&there, &checkpoint.batch).map_err(|what| self.store.corrupt(format!("{path}: {what}")))?;
        }
        let sequence = self.log().next;
        let body = checkpoint.encode();
        let digest = Digest::of(&body);
        let note = self.sign(&checkpoint, &body, hand_over).await?;
        let note = match self.store.create(&checkpoint_path(sequence), note.clone()).await? {
            Created::New => note,
            // An earlier answer was lost: this is one's own commit, made already (F52).
            Created::There(there) if signature::body(&there) == body => there.to_vec(),
            Created::There(_) => return Ok(false),
        };
        let touch = Touch::new(sequence, &checkpoint.batch);
        for key in entries.iter().filter_map(|entry| entry.repository.as_ref()) {
            if let Some(view) = views.get_mut(key) {
                view.origin.clone_from(&checkpoint.origin);
                view.touched(touch);
            }
        }
        self.put_forward(Tip { sequence, digest, checkpoint, note }, &entries, &leaves);
        Ok(true)
    }

    /// The checkpoint as it is stored: with its signatures, if it has a key.
    async fn sign(&self, checkpoint: &Checkpoint, body: &[u8], hand_over: bool) -> Result<Vec<u8>, LedgerError> {
        let Some(keys) = self.keys.as_ref().filter(|_| checkpoint.key.is_some()) else { return Ok(body.to_vec()) };
        let lines = keys.sign(&checkpoint.origin, body, hand_over).await;
        let lines = lines.map_err(|detail| self.key_error(format!("nothing was recorded: {detail}")))?;
        Ok([body, b"\n", &lines].concat())
    }
}

/// Whether this deletion would be made of a look that its run knew of when it recalled, since withdrawn, and of one by
/// another run at the same time: two concurrent looks are one (I4).
fn counts_an_unseen_look(event: &Event, state: &RepositoryState, as_of: u64) -> bool {
    let Event::TagDeleted { tag } = event else { return false };
    match state.tags.get(tag).map(|history| history.status) {
        Some(TagStatus::Absent(mark)) => mark.sequence > as_of,
        _ => false,
    }
}

/// A name that no other log has.
fn new_origin() -> String {
    format!("prodpin/{:016x}{:016x}", chance::draw(), chance::draw())
}
