//! What remembers a ledger's head outside the ledger, so that one that is gone, cut off or exchanged is not taken for a
//! beginning (I24): a small file beside the key or the policy, and the process itself.
//!
//! A memory is read before the log and written after a commit. So one that is behind is normal (another machine
//! committed, or a crash came between), and one that is ahead means that commits are gone. A memory that is there and
//! cannot be read is no beginning either. Of the ledger that a policy used last another small file beside it speaks, so
//! that a location that is mistyped is none.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tlog_tiles::tlog::Hash;

use super::head_file::{self, Found, Remembered};
use super::proof::Consistency;
use super::read::Slot;
use super::store::DISK_PATIENCE;
use super::{Access, Head, Ledger, LedgerError, VerifierKey};
use prodpin_net::blocking::{self, Unread};
use prodpin_policy::{LedgerLocation, Safeguards};

/// What this process saw last of each ledger that it opened, by the ledger's place: `watch` and a warm function open the
/// same one again and again, and a directory may be unmounted or exchanged in between.
static SEEN: Mutex<BTreeMap<String, Remembered>> = Mutex::new(BTreeMap::new());

/// What a memory says of the log that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judgement {
    /// It is the same head.
    Same,
    /// The log has more commits than remembered: whether it continues that head is to be proven.
    Grown,
    /// Nothing is there.
    Gone,
    /// Another log is there.
    Another,
    /// The log ends before the head that is remembered.
    Shorter,
    /// The log has another entry or root at that position.
    Forked,
}

/// Compares what is remembered with the head that is there.
fn judge(remembered: &Remembered, there: Option<(&str, Head)>) -> Judgement {
    let Some((origin, head)) = there else { return Judgement::Gone };
    let known = remembered.head;
    if origin != remembered.origin {
        Judgement::Another
    } else if head == known {
        Judgement::Same
    } else if head.sequence < known.sequence || head.size < known.size {
        Judgement::Shorter
    } else if head.sequence == known.sequence || head.size == known.size {
        Judgement::Forked
    } else {
        Judgement::Grown
    }
}

/// Who remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Witness {
    File(PathBuf),
    Process,
    /// The file beside a policy, of the ledger that the policy named before.
    Policy(PathBuf, String),
}

impl std::fmt::Display for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Process => f.write_str("this process"),
            Self::Policy(path, ledger) => {
                write!(
                    f,
                    "this policy last used ledger {}, of which {}",
                    prodpin_policy::visible(ledger),
                    path.display()
                )
            }
        }
    }
}

/// What shows that the log continues a head that is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// A handful of tiles.
    Tiles,
    /// Every commit was just linked to the one before it.
    Linked,
}

/// Everything that remembers one ledger's head.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The ledger's place, as the process remembers it; none if nothing is to be remembered.
    place: Option<String>,
    files: Vec<PathBuf>,
    /// The file that remembers which ledger the policy used last.
    of_policy: Option<PathBuf>,
    /// What should remember, and cannot be read: where, and why.
    unread: Option<(String, String)>,
    /// What was remembered before the log was read.
    recalled: Vec<(Witness, Remembered)>,
    /// Whether whatever contradicts this is given up on purpose, for this run.
    pub(super) adopt: bool,
    /// Whether there is a directory at all, if the ledger is in one.
    missing: bool,
    reported: AtomicBool,
}

impl Memory {
    /// What is remembered of the ledger at this place. Asked before the log is read.
    pub(super) async fn recall(location: &LedgerLocation, safeguards: &Safeguards) -> Self {
        let place = match location {
            _ if safeguards.forgets => None,
            LedgerLocation::None => None,
            LedgerLocation::Directory(path) => {
                Some(std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string())
            }
            // Nothing but the place itself: it is written down, and told (I18).
            LedgerLocation::Store(url) => {
                Some(format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path()))
            }
        };
        let adopt = safeguards.adopt;
        let Some(place) = place else { return Self { adopt, ..Self::default() } };
        // A directory on a network that is gone answers nothing, and must not take the deadline's clock with it.
        let (there, location, safeguards) = (place.clone(), location.clone(), safeguards.clone());
        let (what, until) = (format!("the memory of {place}"), Instant::now() + DISK_PATIENCE);
        let looked = blocking::one(&what, until, move || Self::look(there, &location, &safeguards)).await;
        let mut memory = looked.unwrap_or_else(|unread| Self {
            place: Some(place.clone()),
            unread: Some(("what lies beside its key or the policy".to_owned(), why(unread))),
            ..Self::default()
        });
        let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
        memory.recalled.extend(seen.map(|seen| (Witness::Process, seen)));
        Self { adopt, ..memory }
    }

    /// What lies on disk.
    fn look(place: String, location: &LedgerLocation, safeguards: &Safeguards) -> Self {
        let mut memory = Self { files: safeguards.head_files(location), ..Self::default() };
        for file in &memory.files {
            match head_file::read(file) {
                Found::Nothing => {}
                Found::Memory(remembered) => memory.recalled.push((Witness::File(file.clone()), remembered)),
                Found::Unread(why) => memory.unread = Some((file.display().to_string(), why)),
            }
        }
        memory.of_policy = safeguards.policy_head_file();
        match memory.of_policy.as_ref().map(|file| (file, head_file::read(file))) {
            // Of the same place the other memories speak.
            Some((file, Found::Memory(remembered))) => {
                if let Some(other) = remembered.ledger.clone().filter(|other| *other != place) {
                    memory.recalled.push((Witness::Policy(file.clone(), other), remembered));
                }
            }
            Some((file, Found::Unread(why))) => memory.unread = Some((file.display().to_string(), why)),
            Some((_, Found::Nothing)) | None => {}
        }
        memory.missing = match location {
            LedgerLocation::Directory(directory) => {
                std::fs::metadata(directory).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
            }
            LedgerLocation::None | LedgerLocation::Store(_) => false,
        };
        memory.place = Some(place);
        memory
    }

    /// Whether the last commit that is remembered was signed by this key.
    pub(super) fn knows_key(&self, key: &VerifierKey) -> bool {
        self.recalled.iter().any(|(_, remembered)| remembered.key.as_deref() == Some(key.to_string().as_str()))
    }

    /// What to say if the directory that a memory is about does not exist: told before one is made in its place.
    pub(super) fn refuse_missing(&self) -> Result<(), LedgerError> {
        let Some(place) = self.place.as_ref().filter(|_| self.missing && !self.adopt) else { return Ok(()) };
        match self.recalled.first() {
            Some((witness, remembered)) => {
                Err(contradiction(place, witness, remembered, "there is no such directory".to_owned()))
            }
            None => self.refuse_unread(place),
        }
    }

    /// What cannot be read may remember what is not there.
    fn refuse_unread(&self, location: &str) -> Result<(), LedgerError> {
        match &self.unread {
            Some((memory, detail)) => Err(LedgerError::MemoryUnread {
                location: location.to_owned(),
                memory: memory.clone(),
                detail: detail.clone(),
            }),
            None => Ok(()),
        }
    }
}

fn contradiction(location: &str, witness: &Witness, remembered: &Remembered, there: String) -> LedgerError {
    let Remembered { origin, head, .. } = remembered;
    LedgerError::HistoryMissing {
        location: location.to_owned(),
        remembered: format!(
            "{witness} remembers commit {} of log {}, root {}",
            head.sequence,
            prodpin_policy::visible(origin),
            head.root_base64()
        ),
        there,
    }
}

impl Ledger {
    /// Why this ledger is not the one that is remembered; none if it is, or if nothing remembers one.
    pub(super) async fn contradicts_memory(&self, proof: Proof) -> Result<Option<LedgerError>, LedgerError> {
        for (witness, remembered) in &self.memory.recalled {
            if let Some(there) = self.contradicts(remembered, proof).await? {
                return Ok(Some(contradiction(self.store.location(), witness, remembered, there)));
            }
        }
        Ok(self.memory.refuse_unread(self.store.location()).err())
    }

    async fn contradicts(&self, remembered: &Remembered, proof: Proof) -> Result<Option<String>, LedgerError> {
        let there = self.log().tip.as_ref().map(|tip| (tip.checkpoint.origin.clone(), tip.head()));
        let known = remembered.head;
        let judged = judge(remembered, there.as_ref().map(|(origin, head)| (origin.as_str(), *head)));
        let gone = if self.memory.missing { "there is no such directory" } else { "it is empty" };
        let Some((origin, head)) = there else { return Ok(Some(gone.to_owned())) };
        if let Some(what) = self.contradicts_key(remembered).await? {
            return Ok(Some(what));
        }
        Ok(match judged {
            Judgement::Same => None,
            Judgement::Gone => Some(gone.to_owned()),
            Judgement::Another => Some(format!("another log is there, {}", prodpin_policy::visible(&origin))),
            Judgement::Shorter => Some(match self.passed_over(known.sequence) {
                Some(why) => format!("{why}: restore that file"),
                None => format!(
                    "it ends at commit {} with {} entries: it was restored from an old copy or rewritten",
                    head.sequence, head.size
                ),
            }),
            Judgement::Forked => {
                Some(format!("its commit {} has root {}: it was rewritten", head.sequence, head.root_base64()))
            }
            Judgement::Grown if proof == Proof::Linked => self.contradicts_slot(&known).await?,
            Judgement::Grown => match self.consistency(known.size, Hash(known.root)).await {
                Ok(Consistency::Proven(_)) => None,
                Ok(Consistency::Contradicted(own)) => {
                    Some(format!("with {} entries, as many as it had then, its root was {own}", known.size))
                }
                // Without a tile nothing is proven; the commit itself still shows whether it is the one.
                Err(LedgerError::Underived { .. }) => self.contradicts_slot(&known).await?,
                Err(error) => return Err(error),
            },
        })
    }

    /// The entries may be the same, and signed by somebody else.
    async fn contradicts_key(&self, remembered: &Remembered) -> Result<Option<String>, LedgerError> {
        let Some(known) = remembered.key.as_deref().and_then(VerifierKey::parse) else { return Ok(None) };
        let (key, lost) = {
            let log = self.log();
            let Some(tip) = log.tip.as_ref().filter(|tip| tip.checkpoint.origin == remembered.origin) else {
                return Ok(None);
            };
            (tip.checkpoint.key.clone().map(|key| key.key), tip.checkpoint.lost.clone())
        };
        // A key that was given up for lost is reported in every report.
        if key.as_ref() == Some(&known) || lost.is_some() || self.descends_from(&known).await? {
            return Ok(None);
        }
        Ok(Some(match key {
            Some(key) => {
                format!("its last commit is signed by the key {}, to which {} never handed over", key.id(), known.id())
            }
            None => format!("its last commit is not signed, and {} signed before", known.id()),
        }))
    }

    async fn contradicts_slot(&self, known: &Head) -> Result<Option<String>, LedgerError> {
        Ok(match self.slot(known.sequence).await? {
            Slot::Whole(own) if own.head() == *known => None,
            Slot::Whole(own) => Some(format!("its commit {} has root {}", known.sequence, own.checkpoint.root())),
            Slot::Other { what, .. } => Some(what),
            _ => Some(format!("its commit {} is not there", known.sequence)),
        })
    }

    /// Before anything is written. What only reads goes on where something is left to read, and says so.
    pub(super) async fn compare_memory(&mut self) -> Result<(), LedgerError> {
        match self.contradicts_memory(Proof::Tiles).await? {
            None => {}
            Some(error) if self.memory.adopt => tracing::warn!("--adopt: {error}"),
            Some(error) if self.access == Access::Write => return Err(error),
            Some(error) => self.contradiction = Some(error),
        }
        if self.contradiction.is_none() {
            self.remember_here();
        }
        Ok(())
    }

    /// Refuses to judge anything by a ledger that is not the one that is remembered.
    pub fn must_be_remembered(&mut self) -> Result<(), LedgerError> {
        self.contradiction.take().map_or(Ok(()), Err)
    }

    /// Why what it says may not be what was recorded: something that remembers it contradicts it, or could not be asked.
    #[must_use]
    pub fn doubt(&self) -> Option<String> {
        self.contradiction.as_ref().map(ToString::to_string).or_else(|| self.anchor_trouble())
    }

    /// Why it is not the ledger that is remembered, where something says so and it was opened for reading all the same.
    #[must_use]
    pub fn history_missing(&self) -> Option<String> {
        self.contradiction.as_ref().map(ToString::to_string)
    }

    fn remember_here(&self) -> Option<(String, Remembered)> {
        let place = self.memory.place.clone()?;
        let remembered = self.log().tip.as_ref().map(|tip| Remembered {
            origin: tip.checkpoint.origin.clone(),
            head: tip.head(),
            key: tip.checkpoint.key.as_ref().map(|key| key.key.to_string()),
            ledger: None,
        })?;
        SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone(), remembered.clone());
        Some((place, remembered))
    }

    /// After a commit. A memory that cannot be written is no error: it is behind then, as after a crash.
    pub(super) async fn remember_head(&self) {
        let Some((place, remembered)) = self.remember_here() else { return };
        let (files, of_policy) = (self.memory.files.clone(), self.memory.of_policy.clone());
        let what = format!("the memory of {place}");
        let written = blocking::one(&what, Instant::now() + DISK_PATIENCE, move || {
            if let Some(file) = of_policy {
                let last = Remembered { ledger: Some(place), ..remembered.clone() };
                // It is no memory of a ledger that is emptied in its place, and often nobody may write there.
                if let Err(error) = head_file::write(&file, &last) {
                    tracing::debug!("cannot write {}: {error}", file.display());
                }
            }
            let write = |file: &PathBuf| {
                head_file::write(file, &remembered).map_err(|error| format!("{}: {error}", file.display()))
            };
            files.iter().map(write).collect()
        });
        let written: Vec<Result<(), String>> = written.await.unwrap_or_else(|unread| vec![Err(why(unread))]);
        if written.iter().any(Result::is_ok) || self.is_anchored() || self.memory.reported.swap(true, Ordering::Relaxed)
        {
            return;
        }
        let why: Vec<String> = written.into_iter().filter_map(Result::err).collect();
        tracing::warn!(
            "nothing outside ledger {} remembers its last commit{}{}: name an `anchor` in the policy, so that a ledger \
             that is emptied or cut is noticed",
            self.store.location(),
            if why.is_empty() { "" } else { "; cannot write " },
            why.join(", ")
        );
    }
}

/// Why a disk said nothing.
fn why(unread: Unread) -> String {
    match unread {
        Unread::Late => format!("its file system did not answer for {} s", DISK_PATIENCE.as_secs()),
        Unread::Broke(error) => error.to_string(),
    }
}
