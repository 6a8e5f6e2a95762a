//! Where reading begins: at the stored index, if the log or its key speaks for it.
//!
//! A checkpoint states what the index of that commit is, so that a stored one is right, or says of itself that it is older,
//! or was written by nobody who follows the protocol. Of commits that programs before made no checkpoint says that: there
//! the key that signed the commit signs the index as well, and an unsigned log has nothing to be believed by.

use object_store::path::Path;

use super::cache::{self, Envelope};
use super::checkpoint::{Checkpoint, STATED};
use super::commitment::Commitment;
use super::index::Index;
use super::read::{INDEX, Slot, Tip};
use super::{Access, Ledger, LedgerError, Store, key_rotation, signature};
use prodpin_core::model::Digest;

/// The most that an index may hold of which no checkpoint says how long it is.
const UNSTATED_CAP: u64 = 128 << 20;

/// Where reading begins.
enum Start {
    /// As of this commit.
    At { tip: Box<Tip>, index: Box<Index> },
    /// Before the first commit. `seen`: a head that was seen once and is not there.
    Anew { seen: Option<StoredHead> },
}

/// A head that the stored index names.
pub(super) struct StoredHead {
    origin: String,
    sequence: u64,
    /// Its checkpoint, with its signatures; none in the index of a program before.
    note: Option<String>,
}

/// What an index is believed by.
enum IndexTrust {
    /// It is what the checkpoint states, or what the checkpoint's key says.
    Stated,
    /// Nobody says anything of it.
    None,
    /// It is something else.
    Other,
}

impl Ledger {
    /// Starts from the index where one is stored that the log speaks for; else from before the first commit, with the head
    /// that the index names if it is not there.
    pub(super) async fn start_from_index(&self) -> Result<Option<StoredHead>, LedgerError> {
        match self.find_start().await? {
            Start::At { tip, index } => {
                let mut log = self.log_mut();
                log.next = index.sequence + 1;
                log.index = *index;
                log.index.checkpoint = Some(tip.digest.clone());
                log.tip = Some(*tip);
                Ok(None)
            }
            Start::Anew { seen } => Ok(seen),
        }
    }

    async fn find_start(&self) -> Result<Start, LedgerError> {
        let anew = Start::Anew { seen: None };
        let Some(packed) = self.store.cached(&Path::from(INDEX)).await else { return Ok(anew) };
        let Some(envelope) = cache::envelope(&packed) else {
            return Ok(Start::Anew { seen: seen_by_a_program_before(&packed) });
        };
        if envelope.sequence == 0 {
            return Ok(anew);
        }
        let seen = |envelope: Envelope| {
            let Envelope { origin, sequence, note, .. } = envelope;
            Start::Anew { seen: Some(StoredHead { origin, sequence, note }) }
        };
        let tip = match self.slot(envelope.sequence).await {
            Ok(Slot::Whole(tip)) => tip,
            Ok(_) => return Ok(seen(envelope)),
            Err(error) => return Err(error),
        };
        // A stranger's file says nothing; a damaged one is missed, and named, when the log is read.
        if key_rotation::holds(&tip).is_err() || !self.comes_from_the_first(&tip).await? {
            return Ok(seen(envelope));
        }
        let stated = tip.checkpoint.stated.as_ref().map(|stated| stated.state);
        let most = stated.filter(Commitment::is_own_form).map_or(UNSTATED_CAP, |stated| stated.bytes);
        let read = match cache::content_up_to(&packed, most) {
            Ok(content) => Index::read(&content),
            Err(cache::Unfit::Torn) => return Ok(anew),
            Err(cache::Unfit::Other) => None,
        };
        // Another history had a commit of that number.
        let parted =
            envelope.note.as_deref().is_some_and(|note| signature::body(note.as_bytes()) != signature::body(&tip.note));
        let word = match &read {
            Some((index, is)) if index.sequence == tip.sequence && index.origin == tip.checkpoint.origin => {
                self.word(&envelope, &tip, is)
            }
            _ => IndexTrust::Other,
        };
        match (read, word) {
            (Some((index, _)), IndexTrust::Stated) if index.frontier.edge().as_ref() == Some(&tip.checkpoint.edge) => {
                Ok(Start::At { tip, index: Box::new(index) })
            }
            _ if parted => Ok(seen(envelope)),
            (_, IndexTrust::None) => Ok(anew),
            _ => {
                self.distrust(format!(
                    "{INDEX} does not match the checkpoint of commit {}; it was rebuilt from the signed commits",
                    tip.sequence
                ));
                Ok(anew)
            }
        }
    }

    /// What speaks for an index that is this.
    fn word(&self, envelope: &Envelope, tip: &Tip, is: &Commitment) -> IndexTrust {
        if let Some(stated) = tip.checkpoint.stated.as_ref().filter(|stated| stated.state.is_own_form()) {
            return if stated.state == *is { IndexTrust::Stated } else { IndexTrust::Other };
        }
        let Some(key) = &tip.checkpoint.key else {
            // An unsigned log of a program before: whoever can write there can forge any of it.
            return if tip.checkpoint.schema < STATED { IndexTrust::Stated } else { IndexTrust::None };
        };
        let body = statement(&tip.checkpoint.origin, tip.sequence, &tip.digest, is);
        match envelope.signed.as_deref() {
            Some(signed) if signature::check(signed.as_bytes(), &key.key).is_err() => IndexTrust::None,
            Some(signed) if signature::body(signed.as_bytes()) == body.as_bytes() => IndexTrust::Stated,
            Some(_) => IndexTrust::Other,
            None => IndexTrust::None,
        }
    }

    /// Writes the index as it is now.
    pub(super) async fn write_index(&self) -> Result<(), LedgerError> {
        let (index, tip, is) = {
            let mut log = self.log_mut();
            let is = log.index.commitment();
            (log.index.clone(), log.tip.clone(), is)
        };
        let mut envelope = Envelope::new(&index.origin, index.sequence);
        if let Some(tip) = &tip {
            envelope.note = Some(String::from_utf8_lossy(&tip.note).into_owned());
            let stated = tip.checkpoint.stated.as_ref().is_some_and(|stated| stated.state == is);
            let signs = self.keys.as_ref().filter(|_| !stated && tip.checkpoint.key.is_some());
            if let Some(keys) = signs {
                let body = statement(&index.origin, tip.sequence, &tip.digest, &is);
                match keys.sign(&index.origin, body.as_bytes(), false).await {
                    Ok(lines) => {
                        envelope.signed = Some(format!("{body}\n{}", String::from_utf8_lossy(&lines)));
                    }
                    // Then nobody speaks for it, and the next to open this reads the log again.
                    Err(error) => tracing::warn!(ledger = self.store.location(), %error, "the index is not signed"),
                }
            }
        }
        self.store.cache(&Path::from(INDEX), self.pack_index(&envelope, &index)?).await
    }

    /// The index as it is now, believed by what its checkpoint states alone.
    pub(super) fn packed_index(&self) -> Result<Vec<u8>, LedgerError> {
        let log = self.log();
        let mut envelope = Envelope::new(&log.index.origin, log.index.sequence);
        envelope.note = log.tip.as_ref().map(|tip| String::from_utf8_lossy(&tip.note).into_owned());
        self.pack_index(&envelope, &log.index)
    }

    fn pack_index(&self, envelope: &Envelope, index: &Index) -> Result<Vec<u8>, LedgerError> {
        let packed = cache::pack(envelope, |writer| index.write(writer));
        packed.map_err(|error| LedgerError::of_io(self.store.location(), error))
    }

    /// The index names a commit that is not there. If its own checkpoint proves that it was, commits were lost (I12, F59);
    /// else whoever can write there says so.
    pub(super) fn judge_lost_head(&mut self, seen: &StoredHead) -> Result<(), LedgerError> {
        let what = {
            let log = self.log();
            let head = log.tip.as_ref().map(|tip| &tip.checkpoint);
            if head.is_some_and(|head| head.origin != seen.origin) {
                return Ok(());
            }
            if !seen.is_proven(head) {
                self.distrust(format!(
                    "{INDEX} names commit {}, of which there is no signed checkpoint; it was rebuilt from the signed commits",
                    seen.sequence
                ));
                return Ok(());
            }
            let there = log.tip.as_ref().map_or(0, |tip| tip.sequence);
            if seen.note.is_none() && there >= seen.sequence {
                // A program before wrote it, and the log has grown since.
                return Ok(());
            }
            if let Some(why) = self.passed_over(seen.sequence) {
                format!("{why}, and commit {} was seen there before", seen.sequence)
            } else if there < seen.sequence {
                format!("it ends at commit {there}, and commit {} was seen before", seen.sequence)
            } else {
                format!("commit {} is not the one that was seen before", seen.sequence)
            }
        };
        match self.access {
            Access::Write if self.memory.adopt => {
                tracing::warn!(ledger = self.store.location(), "--adopt: {what}");
                Ok(())
            }
            Access::Write => Err(LedgerError::RolledBack { location: self.store.location().to_owned(), what }),
            // What is left of it can be looked at; nothing is judged by it.
            Access::Read => {
                let location = self.store.location().to_owned();
                self.contradiction.get_or_insert(LedgerError::RolledBack { location, what });
                Ok(())
            }
        }
    }

    /// Views that are made while looking go to a place of their own: looking leaves nothing behind.
    pub(super) fn cache_elsewhere(&mut self) {
        let scratch = tempfile::tempdir().ok();
        let files = scratch
            .as_ref()
            .and_then(|scratch| object_store::local::LocalFileSystem::new_with_prefix(scratch.path()).ok());
        let caches: std::sync::Arc<dyn object_store::ObjectStore> = match files {
            Some(files) => std::sync::Arc::new(files),
            None => std::sync::Arc::new(object_store::memory::InMemory::new()),
        };
        let store: Store = self.store.with_caches(caches);
        (self.store, self.scratch) = (store, scratch);
    }
}

impl StoredHead {
    /// Whether the log's own key says that there was such a commit. In an unsigned log nobody can.
    fn is_proven(&self, head: Option<&Checkpoint>) -> bool {
        let key = head.and_then(|head| head.key.as_ref());
        let stated = head.is_some_and(|head| head.stated.is_some());
        let Some(note) = &self.note else { return !stated };
        let Ok(seen) = Checkpoint::decode(note.as_bytes()) else { return false };
        if seen.origin != self.origin || seen.stated.as_ref().is_some_and(|stated| stated.sequence != self.sequence) {
            return false;
        }
        match (key, &seen.key) {
            (Some(key), _) => signature::check(note.as_bytes(), &key.key).is_ok(),
            (None, Some(own)) => signature::check(note.as_bytes(), &own.key).is_ok(),
            (None, None) => true,
        }
    }
}

/// What the key says of an index.
fn statement(origin: &str, sequence: u64, checkpoint: &Digest, is: &Commitment) -> String {
    format!("{origin}\nindex of commit {sequence}\n{}\n{is}\n", checkpoint.hex())
}

/// The beginning of the index of a program before, which was JSON as a whole: enough to learn which head it had seen.
fn seen_by_a_program_before(packed: &[u8]) -> Option<StoredHead> {
    use std::io::Read as _;
    let mut beginning = Vec::new();
    cache::decoder(packed).ok()?.take(1 << 10).read_to_end(&mut beginning).ok()?;
    let text = String::from_utf8_lossy(&beginning);
    let field = |name: &str| {
        text.split_once(&format!("\"{name}\":"))?
            .1
            .split(['\"', ',', '}'])
            .find(|part| !part.is_empty())
            .map(str::to_owned)
    };
    if !text.starts_with("{\"schema\":3,") {
        return None;
    }
    let (origin, sequence) = (field("origin")?, field("sequence")?.parse().ok()?);
    (sequence > 0).then_some(StoredHead { origin, sequence, note: None })
}
