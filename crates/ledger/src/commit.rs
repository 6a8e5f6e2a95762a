//! Committing: restate after whatever came first, write the batch, create the checkpoint.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tlog_tiles::tlog::record_hash;

use super::batch::{Batch, Link};
use super::checkpoint::{Checkpoint, SCHEMA, Stated};
use super::index::Index;
use super::key_rotation::Signing;
use super::read::{Tip, batch_path, checkpoint_path};
use super::recall::{Ahead, Recalled};
use super::store::Created;
use super::touch::Touch;
use super::tree::Edge;
use super::view::View;
use super::{Access, Head, Ledger, LedgerError, Writing, backoff, batch, signature};
use prodpin_core::model::{
    Digest, Entry, Event, Mark, RepositoryKey, RepositoryState, Sighting, Speaker, TagStatus, is_overtaken, rebase,
};
use prodpin_net::jitter;

/// Each lost attempt means that another writer's commit went through, so this bounds one writer's bad luck only; a run ends
/// before its own deadline (F114).
const PATIENCE: Duration = Duration::from_secs(600);

/// The index is written at the end of a run, and after this many commits, which is what a crash makes the next run
/// read again.
const INDEX_EVERY: u64 = 128;

/// The most that a link adds to a line.
const LINK_BYTES: usize = 512;

/// One commit, ready but for its place.
struct Draft {
    lines: Vec<u8>,
    /// The entries as restated, with what each repository is after them.
    batch: Batch,
    checkpoint: Checkpoint,
    /// The index as of this commit, but for the checkpoint's own hash.
    index: Index,
    /// Whole tiles that this commit completes.
    tiles: Vec<super::tiles::Tile>,
    /// Whether the key that signed before hands over to another one by this commit.
    hand_over: bool,
}

/// What drafting came to.
enum Drafted {
    Ready(Box<Draft>),
    /// The log says all of it already.
    Nothing,
    /// A view is ahead of the head: another writer was quicker.
    Behind,
}

/// What became of a draft.
enum Published {
    Committed,
    /// Something else has that place: another commit, or what is none; these bytes, if it is a file.
    Taken(Option<Bytes>),
}

impl Ledger {
    /// Commits these entries, restated after whatever other writers committed since they were observed; what became
    /// nothing by that is left out. With nothing left, nothing is committed. After an error it is unknown whether the
    /// entries were committed; committing them again, or observing again, is safe in both cases.
    pub async fn commit(&self, entries: Vec<Entry>) -> Result<Head, LedgerError> {
        self.commit_each(entries.into_iter()).await
    }

    /// The same for entries that are made as they are committed: of a million there are never all (I28).
    pub async fn commit_each(&self, mut entries: impl Iterator<Item = Entry> + Send) -> Result<Head, LedgerError> {
        if self.access == Access::Read {
            return Err(LedgerError::ReadOnly { location: self.store.location().to_owned() });
        }
        let mut writing = self.writing.lock().await;
        self.refuse_fork()?;
        let before = self.log().index.sequence;
        let mut views = HashMap::new();
        let (mut at_hand, mut ends_run) = (Vec::new(), false);
        loop {
            let room = batch::at_once().saturating_sub(at_hand.len());
            at_hand.extend(entries.by_ref().take(room));
            if at_hand.is_empty() {
                break;
            }
            let taken = self.commit_some(&at_hand, &mut views, &mut writing).await?;
            let done = at_hand.drain(..taken);
            ends_run |= done.fold(false, |ends, entry| ends | matches!(entry.event, Event::Run(_)));
        }
        // Told only once the anchor knows of it, as far as it can be reached.
        self.copy_to_anchor().await?;
        self.remember_head().await;
        let changed = views.into_values().filter(|view| view.latest.as_ref().is_some_and(|latest| latest.0 > before));
        if let Err(error) = self.write_views(changed.collect()).await {
            tracing::warn!(ledger = self.store.location(), %error, "a cache could not be written; the log is complete");
        }
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
        let began = Instant::now();
        let mut ahead = Ahead::Tell;
        for attempt in 0.. {
            let before = self.log().next;
            let taken = match self.draft(entries, views, ahead).await? {
                (taken, Drafted::Nothing) => return Ok(taken),
                (taken, Drafted::Ready(draft)) => match self.publish(*draft, views).await? {
                    Published::Committed => {
                        writing.since_index += 1;
                        return Ok(taken);
                    }
                    Published::Taken(note) => note,
                },
                (_, Drafted::Behind) => None,
            };
            // The views hold events that were not committed.
            views.clear();
            match taken {
                // The commit that came first is at hand: to follow it costs one batch, and the next create tells whether
                // it was the last (F61).
                Some(note) if attempt == 0 => self.follow(&note).await?,
                _ => self.advance(0, None).await?,
            }
            self.refuse_newer_schema()?;
            // There is no such commit: what the view says of itself is not true.
            ahead = if self.log().next == before { Ahead::IsFalse } else { Ahead::Tell };
            if began.elapsed() > PATIENCE {
                return Err(LedgerError::Contended {
                    location: self.store.location().to_owned(),
                    attempts: attempt + 1,
                });
            }
            if attempt > 0 {
                // The more came first, the more there are: two writers wait for milliseconds, hundreds for up to two seconds.
                backoff::wait(Duration::from_millis(5), attempt).await;
            }
        }
        Ok(0)
    }

    /// Restates entries after the head, and makes a commit of them. Says how many of them it took.
    async fn draft(
        &self,
        entries: &[Entry],
        views: &mut HashMap<RepositoryKey, View>,
        ahead: Ahead,
    ) -> Result<(usize, Drafted), LedgerError> {
        let (sequence, tip) = {
            let log = self.log();
            (log.next, log.tip.clone())
        };
        let most = batch::most_bytes();
        let (mut restated, mut taken, mut bytes) = (Vec::new(), 0, 0);
        for entry in entries {
            if bytes >= most {
                break;
            }
            taken += 1;
            let entry = match self.restate(entry, sequence, views, ahead).await? {
                Restated::As(entry) => entry,
                Restated::Nothing => continue,
                Restated::Behind => return Ok((taken, Drafted::Behind)),
            };
            let length = batch::line(&entry, None).len();
            if length == 0 || length + LINK_BYTES > batch::LINE_CAP {
                let location = self.store.location().to_owned();
                return Err(LedgerError::TooLong { location, bytes: length });
            }
            bytes += length + 1;
            restated.push(entry);
        }
        if restated.is_empty() {
            return Ok((taken, Drafted::Nothing));
        }
        Ok((taken, Drafted::Ready(Box::new(self.assemble(sequence, tip, (restated, bytes), views)?))))
    }

    /// Everything about a commit of these entries, whose lines have so many bytes, at this place.
    fn assemble(
        &self,
        sequence: u64,
        tip: Option<Tip>,
        (entries, bytes): (Vec<Entry>, usize),
        views: &HashMap<RepositoryKey, View>,
    ) -> Result<Draft, LedgerError> {
        let mut size = tip.as_ref().map_or(0, |tip| tip.checkpoint.size);
        let mut edge = tip.as_ref().map_or_else(Edge::default, |tip| tip.checkpoint.edge.clone());
        let mut index = self.log().index.clone();
        let last: HashMap<RepositoryKey, usize> =
            entries.iter().enumerate().filter_map(|(at, entry)| Some((entry.repository.clone()?, at))).collect();
        // Room for all at once: lines that grow are held twice.
        let mut lines = Vec::with_capacity(bytes + last.len() * LINK_BYTES);
        let (mut batch, mut tiles) =
            (Batch { entries: Vec::with_capacity(entries.len()), ..Batch::default() }, Vec::new());
        for (at, entry) in entries.into_iter().enumerate() {
            let ends = entry.repository.as_ref().filter(|key| last.get(*key) == Some(&at));
            let link = ends.and_then(|key| {
                let view = views.get(key)?.commitment();
                Some(Link { after: index.touch(key).cloned(), view })
            });
            let line = batch::line(&entry, link.as_ref());
            let leaf = record_hash(&line);
            edge.push(size, leaf);
            index.frontier.push(leaf, |tile| tiles.push(tile));
            size += 1;
            lines.extend_from_slice(&line);
            lines.push(b'\n');
            batch.push(entry, link);
        }
        let origin = tip.as_ref().map_or_else(new_origin, |tip| tip.checkpoint.origin.clone());
        let Signing { key, lost, hand_over } =
            self.key_for(sequence, &origin, tip.as_ref().map(|tip| &tip.checkpoint))?;
        let name = Digest::sha256(&lines);
        let previous = tip.map(|tip| tip.digest);
        index.origin.clone_from(&origin);
        index.apply(&Head { sequence, size, root: edge.root().0 }, previous.as_ref(), &name, &batch);
        let stated = Stated { sequence, batch_bytes: lines.len() as u64, state: index.commitment() };
        let checkpoint =
            Checkpoint { origin, size, schema: SCHEMA, batch: name, previous, key, lost, stated: Some(stated), edge };
        Ok(Draft { lines, batch, checkpoint, index, tiles, hand_over })
    }

    /// What an entry means after the head; nothing if the log says it already.
    async fn restate(
        &self,
        entry: &Entry,
        sequence: u64,
        views: &mut HashMap<RepositoryKey, View>,
        ahead: Ahead,
    ) -> Result<Restated, LedgerError> {
        let Some(key) = &entry.repository else {
            let known = self.log().index.knows(entry);
            return Ok(if known { Restated::Nothing } else { Restated::As(entry.clone()) });
        };
        if !views.contains_key(key) {
            match self.view(key, ahead).await? {
                Recalled::Known(view) => drop(views.insert(key.clone(), *view)),
                Recalled::Behind => return Ok(Restated::Behind),
            }
        }
        let Some(view) = views.get_mut(key) else { return Ok(Restated::Nothing) };
        let as_of = self.recalled().get(key).copied().unwrap_or(self.opened_at);
        let state = &view.body.state;
        let speaker = Speaker { run: &entry.run, as_of, sequence };
        if counts_an_unseen_look(&entry.event, state, as_of)
            || is_overtaken(&entry.event, state, &speaker)
            || is_on_record(entry, state)
        {
            return Ok(Restated::Nothing);
        }
        let Some(event) = rebase(entry.event.clone(), &view.body.state) else { return Ok(Restated::Nothing) };
        view.begin();
        view.body.state.apply(Mark { sequence, at: entry.at }, &event);
        Ok(Restated::As(Entry { event, ..entry.clone() }))
    }

    /// Writes the batch and creates the checkpoint.
    async fn publish(&self, draft: Draft, views: &mut HashMap<RepositoryKey, View>) -> Result<Published, LedgerError> {
        let Draft { lines, batch, checkpoint, mut index, tiles, hand_over } = draft;
        let io = |error| LedgerError::of_io(self.store.location(), error);
        let path = batch_path(&checkpoint.batch);
        if let Created::There(there) = self.store.create(&path, batch::pack(&lines).map_err(io)?).await? {
            batch::unpack(&there, &checkpoint.batch).map_err(|what| self.store.corrupt(format!("{path}: {what}")))?;
        }
        let sequence = self.log().next;
        let body = checkpoint.encode();
        let digest = Digest::sha256(&body);
        let note = self.sign(&checkpoint, &body, hand_over).await?;
        let note = match self.store.create(&checkpoint_path(sequence), note.clone()).await {
            Ok(Created::New) => note,
            // An earlier answer was lost: this is one's own commit, made already (F52).
            Ok(Created::There(there)) if signature::body(&there) == body => there.to_vec(),
            Ok(Created::There(there)) => return Ok(Published::Taken(Some(there))),
            // A folder, or what is larger than any checkpoint: looked at like any other stranger's file.
            Err(LedgerError::Corrupt { .. }) => return Ok(Published::Taken(None)),
            Err(error) => return Err(error),
        };
        let touch = Touch(sequence, checkpoint.batch.clone());
        for key in batch.links.keys() {
            if let Some(view) = views.get_mut(key) {
                view.latest = Some(touch.clone());
            }
        }
        index.checkpoint = Some(digest.clone());
        self.install(Tip { sequence, digest, checkpoint, note }, index, tiles);
        Ok(Published::Committed)
    }

    /// The checkpoint as it is stored: with its signatures, if it has a key.
    async fn sign(&self, checkpoint: &Checkpoint, body: &[u8], hand_over: bool) -> Result<Vec<u8>, LedgerError> {
        let Some(keys) = self.keys.as_ref().filter(|_| checkpoint.key.is_some()) else { return Ok(body.to_vec()) };
        let lines = keys.sign(&checkpoint.origin, body, hand_over).await;
        let lines = lines.map_err(|detail| self.key_error(format!("nothing was recorded: {detail}")))?;
        Ok([body, b"\n", &lines].concat())
    }
}

/// What an entry became after the head.
enum Restated {
    As(Entry),
    Nothing,
    /// Its repository's view is ahead of the head.
    Behind,
}

/// Whether this deletion would be made of a look that its run knew of when it recalled, since withdrawn, and of one by
/// another run at the same time: two concurrent looks are one (I4).
fn counts_an_unseen_look(event: &Event, state: &RepositoryState, as_of: u64) -> bool {
    let Event::TagDeleted { tag } = event else { return false };
    match state.tags.get(tag).map(|history| history.status()) {
        Some(TagStatus::Absent(mark)) => mark.sequence > as_of,
        _ => false,
    }
}

/// Whether this very look is on record: said again after what another writer saw later, it is no news and no way back (I13).
fn is_on_record(entry: &Entry, state: &RepositoryState) -> bool {
    let (tag, artifact) = match &entry.event {
        Event::TagSeen { tag, artifact, .. }
        | Event::TagReturned { tag, artifact }
        | Event::TagRecreated { tag, artifact }
        | Event::TagMoved { tag, to: artifact, .. } => (tag, artifact),
        _ => return false,
    };
    let this = |sighting: &Sighting| sighting.since().at == entry.at && sighting.artifact == *artifact;
    state.tags.get(tag).is_some_and(|history| history.sightings().iter().any(this))
}

/// A name that no other log has.
fn new_origin() -> String {
    format!("prodpin/{:016x}{:016x}", jitter::draw(), jitter::draw())
}
