//! A second place that remembers every checkpoint: whoever rewrites the ledger would have to rewrite that one, too.
//!
//! It holds `checkpoint/<sequence>` of one log, each created and never overwritten, so that it can live under Object
//! Lock in another account. What it does not hold yet is copied; where it differs, all writing stops (I11, I12, F60).

mod copies;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use object_store::path::Path;
use tlog_tiles::tlog::Hash;

use self::copies::{AnchoredCheckpoint, more_strays, read};
use super::checkpoint::Checkpoint;
use super::foreign::{NAMED, comes_later};
use super::proof::Consistency;
use super::read::{Slot, Tip, checkpoint_path};
use super::store::{Created, Store};
use super::{Access, Ledger, LedgerError, location, signature};
use prodpin_policy::LedgerLocation;

/// How far before the head the last copy is looked for, before the whole anchor is listed.
const NEAR: u64 = 512;

/// How long an anchor may take to answer where there is no deadline.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is said of an anchor that kept others waiting.
fn late(waited: Duration) -> String {
    let seconds = waited.as_secs_f64().ceil();
    format!("it did not answer within {seconds} s, all the time that there is for it; see whether it can be reached")
}

/// A ledger's anchor.
#[derive(Debug)]
pub(super) struct Anchor {
    place: AnchorStore,
    state: Mutex<State>,
    /// How long its answers are waited for, at the opening and at each copy.
    patience: Duration,
    /// Until when it is compared at the opening.
    until: Instant,
}

#[derive(Debug)]
enum AnchorStore {
    Open(Box<Store>),
    /// It could not be opened, which is reported.
    Unopened,
}

#[derive(Debug, Default)]
struct State {
    /// All commits up to this one are copied, or were there before there was an anchor.
    copied: Option<u64>,
    /// Why the anchor could not be compared or written, in words.
    trouble: Option<String>,
    /// Where the histories part, once that is known.
    forked: Option<String>,
}

impl Anchor {
    pub(super) async fn open(at: &LedgerLocation, access: Access, until: Option<Instant>) -> Self {
        // No copy is made here: the first commit does.
        let patience = until.map_or(PATIENCE, |until| until.saturating_duration_since(Instant::now()).min(PATIENCE));
        let until = Instant::now() + patience;
        let opened = match tokio::time::timeout_at(until.into(), location::open(at, access)).await {
            Ok(opened) => opened.map_err(|error| error.to_string()),
            Err(_) => Err(late(patience)),
        };
        match opened {
            Ok(store) => Self { place: AnchorStore::Open(Box::new(store)), state: Mutex::default(), patience, until },
            Err(trouble) => {
                let state = State { trouble: Some(trouble), ..State::default() };
                Self { place: AnchorStore::Unopened, state: Mutex::new(state), patience, until }
            }
        }
    }

    fn store(&self) -> Option<&Store> {
        match &self.place {
            AnchorStore::Open(store) => Some(store),
            AnchorStore::Unopened => None,
        }
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn copied(&self) -> Option<u64> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).copied
    }
}

/// What the anchor says of the ledger.
enum AnchorVerdict {
    /// It is what was seen before, grown; copies are there up to this commit.
    Grown(u64),
    /// The anchor is empty.
    Unknown,
}

impl Ledger {
    /// Why the anchor could not do its part, if it could not. Pinning goes on: what is not pinned may be deleted, and a
    /// ledger that was rewritten meanwhile is found once the anchor is back.
    #[must_use]
    pub fn anchor_trouble(&self) -> Option<String> {
        let anchor = self.anchor.as_ref()?;
        let trouble = anchor.state.lock().unwrap_or_else(PoisonError::into_inner).trouble.clone()?;
        let what = if self.access == Access::Read { "compared" } else { "compared or written" };
        Some(format!("the ledger's anchor could not be {what}: {trouble}"))
    }

    /// Whether a second place is to remember the checkpoints.
    #[must_use]
    pub fn is_anchored(&self) -> bool {
        self.anchor.is_some()
    }

    /// At the start: the ledger must be what the anchor saw, grown. What only reads goes on where something is left to
    /// read, and says so.
    pub(super) async fn compare_anchor(&mut self) -> Result<(), LedgerError> {
        match self.compared_with_anchor().await {
            Err(error) if self.access == Access::Read && error.is_contradiction() => {
                self.contradiction.get_or_insert(error);
                Ok(())
            }
            compared => compared,
        }
    }

    async fn compared_with_anchor(&self) -> Result<(), LedgerError> {
        let Some(anchor) = &self.anchor else { return Ok(()) };
        let Some(store) = anchor.store() else { return Ok(()) };
        let Ok(compared) = tokio::time::timeout_at(anchor.until.into(), self.compare(store)).await else {
            self.kept_waiting(anchor, store);
            return Ok(());
        };
        match compared {
            Ok(AnchorVerdict::Grown(copied)) => anchor.set(|state| state.copied = Some(copied)),
            // Nobody copies anything while looking: an anchor that is not there looks like this, too.
            Ok(AnchorVerdict::Unknown) if self.access == Access::Read => {
                let trouble = format!(
                    "{} holds none of its commits: it was emptied or is not there, or no run had it yet, and the next \
                     `prodpin audit` copies them",
                    store.location()
                );
                anchor.set(|state| state.trouble = self.head().map(|_| trouble));
            }
            // The checkpoints before are in the head's own chain: only from here on is anything at stake.
            Ok(AnchorVerdict::Unknown) => {
                anchor.set(|state| state.copied = Some(self.log().tip.as_ref().map_or(0, |tip| tip.sequence - 1)));
            }
            Err(Failed::Ledger(error)) => return Err(error),
            Err(Failed::Anchor(error)) => self.unanchored(anchor, &error),
        }
        Ok(())
    }

    fn unanchored(&self, anchor: &Anchor, error: &LedgerError) {
        tracing::warn!(ledger = self.store.location(), %error, "the anchor could not be compared or written");
        anchor.set(|state| state.trouble = Some(error.to_string()));
    }

    fn kept_waiting(&self, anchor: &Anchor, store: &Store) {
        let trouble = format!("{}: {}", store.location(), late(anchor.patience));
        tracing::warn!(ledger = self.store.location(), "the anchor could not be compared or written: {trouble}");
        anchor.set(|state| state.trouble = Some(trouble));
    }

    async fn compare(&self, store: &Store) -> Result<AnchorVerdict, Failed> {
        let head = self.log().index.sequence;
        let folder = Path::from("checkpoint");
        let mut beyond = store.numbers_after(&folder, &checkpoint_path(head)).await.map_err(Failed::Anchor)?;
        beyond.retain(|number| *number > head);
        if !beyond.is_empty() {
            self.must_reach(store, head, beyond).await?;
        }
        let head = self.log().index.sequence;
        let Some(seen) = self.last_up_to(store, head).await? else {
            return Ok(AnchorVerdict::Unknown);
        };
        let sequence = seen.sequence;
        let own = match self.slot(sequence).await.map_err(Failed::Ledger)? {
            Slot::Whole(own) => own,
            _ => {
                let what = format!("commit {sequence}, which {} holds, is gone", store.location());
                return Err(Failed::Ledger(self.rolled_back(what)));
            }
        };
        self.same(store, &own, &seen)?;
        // Equal there, and the head only claims to continue it: proven from tiles, without reading what lies between.
        match self.consistency(seen.checkpoint.size, seen.checkpoint.root()).await {
            Ok(Consistency::Proven(_)) => Ok(AnchorVerdict::Grown(sequence)),
            Ok(Consistency::Contradicted(root)) => Err(Failed::Ledger(self.forked(format!(
                "{} holds commit {sequence} with root {}, and the head continues one with root {root}",
                store.location(),
                seen.checkpoint.root()
            )))),
            // Tiles are missing or wrong, and nobody signs them: the checkpoints themselves lead back, one by one.
            Err(error @ (LedgerError::Underived { .. } | LedgerError::Corrupt { .. })) => {
                if matches!(error, LedgerError::Corrupt { .. }) {
                    self.distrust(
                        "tiles do not match the signed checkpoints; `prodpin verify --repair` makes them anew"
                            .to_owned(),
                    );
                }
                match self.head_follows(&own).await.map_err(Failed::Ledger)? {
                    true => Ok(AnchorVerdict::Grown(sequence)),
                    false => Err(Failed::Ledger(self.forked(format!(
                        "{} holds commit {sequence}, and the head does not continue it",
                        store.location()
                    )))),
                }
            }
            Err(error) => Err(Failed::Ledger(error)),
        }
    }

    /// A copy, if it says anything of this log: whoever can write to the anchor alone, and has no key, makes no evidence.
    async fn as_evidence(&self, seen: Option<AnchoredCheckpoint>) -> Result<Option<AnchoredCheckpoint>, LedgerError> {
        let Some(seen) = seen else { return Ok(None) };
        let signed = self.log().tip.as_ref().is_some_and(|tip| tip.checkpoint.key.is_some());
        let is = match &seen.checkpoint.key {
            _ if !signed || seen.checkpoint.lost.is_some() => true,
            Some(key) => signature::check(&seen.note, &key.key).is_ok() && self.descends_from(&key.key).await?,
            // The log was not signed at first.
            None => signature::body(&seen.note) == self.body_at(seen.sequence).await?,
        };
        Ok(is.then_some(seen))
    }

    async fn body_at(&self, sequence: u64) -> Result<Vec<u8>, LedgerError> {
        match self.slot(sequence).await? {
            Slot::Whole(own) => Ok(signature::body(&own.note).to_vec()),
            _ => Ok(Vec::new()),
        }
    }

    /// The latest copy up to this commit that says anything of this log; else whatever is there.
    async fn last_up_to(&self, store: &Store, head: u64) -> Result<Option<AnchoredCheckpoint>, Failed> {
        let latest = read(store, head).await.map_err(Failed::Anchor)?;
        if let Some(seen) = self.as_evidence(latest).await.map_err(Failed::Ledger)? {
            return Ok(Some(seen));
        }
        let (mut other, mut strays) = (None, 0);
        for from in [head.saturating_sub(NEAR), 0] {
            let listed = store.numbers_after(&Path::from("checkpoint"), &checkpoint_path(from)).await;
            let mut numbers = listed.map_err(Failed::Anchor)?;
            numbers.retain(|number| *number <= head);
            numbers.sort_unstable();
            for number in numbers.into_iter().rev().take(NEAR as usize) {
                let Some(seen) = read(store, number).await.map_err(Failed::Anchor)? else { continue };
                let stray = seen.clone();
                if let Some(seen) = self.as_evidence(Some(seen)).await.map_err(Failed::Ledger)? {
                    return Ok(Some(seen));
                }
                strays += 1;
                if strays <= NAMED as u64 {
                    tracing::warn!(
                        anchor = store.location(),
                        "commit {number} is there, and this log's key never signed it"
                    );
                }
                other = other.or(Some(stray));
            }
        }
        more_strays(store, strays);
        Ok(other)
    }

    /// The anchor is ahead: another writer may have committed since the head was read, or commits were lost.
    async fn must_reach(&self, store: &Store, head: u64, mut beyond: Vec<u64>) -> Result<(), Failed> {
        self.advance(0, None).await.map_err(Failed::Ledger)?;
        let there = self.log().index.sequence;
        beyond.sort_unstable();
        // A copy that was never finished is no evidence, and hides none that lies before it.
        let mut strays = 0;
        while let Some(number) = beyond.pop().filter(|number| *number > there) {
            let seen = read(store, number).await.map_err(Failed::Anchor)?;
            if seen.is_some_and(|seen| self.anchored_later(&seen.tip())) {
                let what =
                    format!("it ends at commit {}, and {} holds commit {number}", there.max(head), store.location());
                return Err(Failed::Ledger(self.rolled_back(what)));
            }
            strays += 1;
            if strays <= NAMED as u64 {
                tracing::warn!(anchor = store.location(), "commit {number} is there, and is no whole checkpoint");
            }
        }
        more_strays(store, strays);
        Ok(())
    }

    /// Whether this copy is of a commit after the log's last one. One that gives up the key of the log's last commit is
    /// taken for one, too: nothing is committed where that may have happened.
    fn anchored_later(&self, seen: &Tip) -> bool {
        let log = self.log();
        let before = log.tip.as_ref().map(|tip| &tip.checkpoint);
        let key = before.and_then(|before| before.key.as_ref());
        let gives_up = seen.checkpoint.lost.as_ref().is_some_and(|lost| key.is_some_and(|key| key.key == lost.key));
        comes_later(before, seen) || gives_up
    }

    fn same(&self, store: &Store, own: &Tip, seen: &AnchoredCheckpoint) -> Result<(), Failed> {
        if own.checkpoint.origin != seen.checkpoint.origin {
            return Err(Failed::Ledger(LedgerError::Unusable {
                location: self.store.location().to_owned(),
                detail: format!("{} is the anchor of another log; name one of its own", store.location()),
            }));
        }
        if signature::body(&own.note) == signature::body(&seen.note) {
            return Ok(());
        }
        let (here, there): (Hash, Hash) = (own.checkpoint.root(), seen.checkpoint.root());
        let what = format!("commit {} has root {here} here, and {there} at {}", own.sequence, store.location());
        Err(Failed::Ledger(self.forked(what)))
    }

    fn rolled_back(&self, what: String) -> LedgerError {
        let what =
            format!("{what} (what an anchor holds is never given up: to start over, name a new ledger and anchor)");
        LedgerError::RolledBack { location: self.store.location().to_owned(), what }
    }

    /// Nothing is committed any more after the histories were seen to part (I11).
    pub(super) fn refuse_fork(&self) -> Result<(), LedgerError> {
        let Some(anchor) = &self.anchor else { return Ok(()) };
        let what = anchor.state.lock().unwrap_or_else(PoisonError::into_inner).forked.clone();
        what.map_or(Ok(()), |what| Err(self.forked(what)))
    }

    fn forked(&self, what: String) -> LedgerError {
        if let Some(anchor) = &self.anchor {
            anchor.set(|state| state.forked = Some(what.clone()));
        }
        LedgerError::Forked { location: self.store.location().to_owned(), what }
    }

    /// Copies every checkpoint that the anchor does not hold yet, signatures of witnesses included.
    pub(super) async fn copy_to_anchor(&self) -> Result<(), LedgerError> {
        let Some(anchor) = &self.anchor else { return Ok(()) };
        let (Some(store), Some(copied)) = (anchor.store(), anchor.copied()) else { return Ok(()) };
        // Asked again by the next run: each look at a place that does not answer takes its time.
        if self.anchor_trouble().is_some() {
            return Ok(());
        }
        for tip in self.since_commit(copied).await? {
            let sequence = tip.sequence;
            let path = checkpoint_path(sequence);
            let copied = tokio::time::timeout(anchor.patience, store.create(&path, tip.note.clone())).await;
            let Ok(copied) = copied else {
                self.kept_waiting(anchor, store);
                return Ok(());
            };
            match copied {
                Ok(Created::New) => {}
                Ok(Created::There(there)) => {
                    let seen = Checkpoint::decode(&there).ok();
                    let seen = seen.map(|checkpoint| AnchoredCheckpoint { sequence, checkpoint, note: there.to_vec() });
                    let Some(seen) = self.as_evidence(seen).await? else {
                        // Its place is lost; what comes after it names it by hash.
                        let what = format!(
                            "{} holds a file as commit {sequence} that this log's key never signed",
                            store.location()
                        );
                        tracing::warn!(ledger = self.store.location(), "{what}");
                        anchor.set(|state| (state.copied, state.trouble) = (Some(sequence), Some(what)));
                        continue;
                    };
                    self.same(store, &tip, &seen).map_err(Failed::into_inner)?;
                }
                Err(error) => {
                    self.unanchored(anchor, &error);
                    return Ok(());
                }
            }
            anchor.set(|state| state.copied = Some(sequence));
        }
        Ok(())
    }
}

/// Whose failure it is: the ledger's stops the run, the anchor's is reported.
enum Failed {
    Ledger(LedgerError),
    Anchor(LedgerError),
}

impl Failed {
    fn into_inner(self) -> LedgerError {
        match self {
            Self::Ledger(error) | Self::Anchor(error) => error,
        }
    }
}
