//! What can go wrong with a ledger, by meaning, with the place and the next step.

use std::error::Error as StdError;
use std::io::{Error as IoError, ErrorKind};

/// Why the ledger could not be read or written. Whoever gets one stops: nothing may be done, and nothing told, that the
/// ledger does not hold (I10, F54).
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The credentials or the file permissions do not allow it.
    #[error(
        "ledger {location}: access was denied: {detail}; prodpin must be able to read, list and create there, \
         and to overwrite view/; `audit --ledger none` looks without recording anything"
    )]
    Denied {
        /// The ledger.
        location: String,
        /// What the store said.
        detail: String,
    },
    /// The disk or the quota is full (F54).
    #[error("ledger {location}: no space left: {detail}; make room and run again, what is on record stays")]
    NoSpace {
        /// The ledger.
        location: String,
        /// What the store said.
        detail: String,
    },
    /// The store did not answer, or failed (F55).
    #[error("ledger {location}: the store failed: {detail}; run again once it is back")]
    Unreachable {
        /// The ledger.
        location: String,
        /// What the store said.
        detail: String,
    },
    /// There can be no ledger at this place.
    #[error("ledger {location}: {detail}")]
    Unusable {
        /// The ledger.
        location: String,
        /// What is wrong with it and what to do.
        detail: String,
    },
    /// What is stored contradicts itself (F57, F58).
    #[error(
        "ledger {location} is damaged: {what}; keep it as it is, restore the named object from a backup \
         or start a new ledger elsewhere"
    )]
    Corrupt {
        /// The ledger.
        location: String,
        /// Which object, and what is wrong with it.
        what: String,
    },
    /// The log ends before, or differs from, what was last seen of it (I11, I12, F59).
    #[error(
        "ledger {location}: {what}: it was restored from an old copy or rewritten; restore the newest copy, \
         or, to go on from here on purpose, run `prodpin audit --adopt` once"
    )]
    RolledBack {
        /// The ledger.
        location: String,
        /// What was seen, and what is there.
        what: String,
    },
    /// Something outside the ledger remembers a history that is not there (I24).
    #[error(
        "ledger-history-missing: ledger {location}: {remembered}, and {there}: nothing was recorded or pinned; mount or \
         restore that ledger, or correct its location; to start over without its history on purpose, run \
         `prodpin audit --adopt` once"
    )]
    HistoryMissing {
        /// The ledger.
        location: String,
        /// Who remembers what.
        remembered: String,
        /// What is there instead.
        there: String,
    },
    /// What remembers the ledger's last commit outside the ledger cannot be read, so that nobody knows whether it is
    /// there (I24).
    #[error(
        "ledger-history-missing: ledger {location}: {memory} should remember its last commit and cannot be read: {detail}: \
         whether commits are gone is not known, and nothing was recorded or pinned; make it readable, or restore it; to go \
         on with the ledger as it is on purpose, run `prodpin audit --adopt` once"
    )]
    MemoryUnread {
        /// The ledger.
        location: String,
        /// What remembers.
        memory: String,
        /// Why it cannot be read.
        detail: String,
    },
    /// Two histories exist: this one and the one that was seen before (I11). Nothing is written any more.
    #[error(
        "ledger-forked: ledger {location}: {what}: someone rewrote one of them; keep both as they are, find out who could \
         write there, and start a new ledger elsewhere"
    )]
    Forked {
        /// The ledger.
        location: String,
        /// Where the histories part.
        what: String,
    },
    /// The key that signs checkpoints is not at hand, or not the one that the log knows (F65).
    #[error("ledger {location}: {detail}")]
    Key {
        /// The ledger.
        location: String,
        /// What is wrong with the key and what to do.
        detail: String,
    },
    /// A proof needs a hash that is not there.
    #[error("ledger {location}: {tile} is missing; `prodpin verify --repair` makes it anew from the batches")]
    Underived {
        /// The ledger.
        location: String,
        /// The tile.
        tile: String,
    },
    /// A newer prodpin has written to it (F64).
    #[error(
        "ledger {location} has schema {found}, and this prodpin knows {known}: \
         update prodpin; an older one must not write to it"
    )]
    NewerSchema {
        /// The ledger.
        location: String,
        /// The schema that the log announces.
        found: u64,
        /// The newest one that this program knows.
        known: u64,
    },
    /// Other writers were faster, again and again.
    #[error("ledger {location}: {attempts} other commits came first in a row; run fewer writers at once, or run again")]
    Contended {
        /// The ledger.
        location: String,
        /// How many times was tried.
        attempts: u32,
    },
    /// It was opened for reading only (F63).
    #[error("ledger {location} was opened for reading only")]
    ReadOnly {
        /// The ledger.
        location: String,
    },
    /// An entry that no tile of the log could hold.
    #[error("ledger {location}: an entry has {bytes} bytes, and at most 65535 fit; shorten the names it holds")]
    TooLong {
        /// The ledger.
        location: String,
        /// The entry's length.
        bytes: usize,
    },
}

impl LedgerError {
    /// Whether a history that was seen before is not the one that is there.
    #[must_use]
    pub fn is_history_missing(&self) -> bool {
        matches!(
            self,
            Self::HistoryMissing { .. } | Self::MemoryUnread { .. } | Self::RolledBack { .. } | Self::Forked { .. }
        )
    }

    /// The same, where an anchor is compared: one of another log is none of this ledger's.
    pub(super) fn is_contradiction(&self) -> bool {
        self.is_history_missing() || matches!(self, Self::Unusable { .. })
    }

    /// What is remembered, and what is there instead, in words.
    pub(super) fn what_is_missing(&self) -> Option<String> {
        match self {
            Self::HistoryMissing { remembered, there, .. } => {
                Some(format!("ledger-history-missing: {remembered}, and {there}"))
            }
            Self::MemoryUnread { memory, detail, .. } => Some(format!(
                "ledger-history-missing: {memory} should remember the last commit and cannot be read: {detail}"
            )),
            _ => None,
        }
    }

    /// Reads a store's error by meaning: its variant where that says enough, else the I/O error it wraps.
    pub(super) fn from_store(location: &str, error: &object_store::Error) -> Self {
        use object_store::Error;
        let location = location.to_owned();
        let detail = one_line(error);
        let status = status(&detail);
        match (error, io_kind(error)) {
            (Error::PermissionDenied { .. } | Error::Unauthenticated { .. }, _)
            | (_, Some(ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)) => {
                Self::Denied { location, detail }
            }
            _ if matches!(status, Some(401 | 403)) => Self::Denied { location, detail },
            _ if status == Some(404) => {
                Self::Unusable { location, detail: format!("there is no such place: {detail}; create it first") }
            }
            (_, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)) => {
                Self::NoSpace { location, detail }
            }
            (Error::NotFound { .. }, _) => {
                Self::Unusable { location, detail: format!("there is no such place: {detail}; create it first") }
            }
            (Error::NotImplemented { .. } | Error::NotSupported { .. }, _) => Self::Unusable {
                location,
                detail: format!("the store cannot create an object only if it is absent: {detail}; use another store"),
            },
            _ => Self::Unreachable { location, detail },
        }
    }

    /// The same for a plain I/O error.
    pub(super) fn of_io(location: &str, error: IoError) -> Self {
        Self::from_store(location, &object_store::Error::Generic { store: "local", source: Box::new(error) })
    }
}

/// The status of a refused list: it comes wrapped in a private type without its meaning, and only the text has it.
fn status(detail: &str) -> Option<u16> {
    let (_, status) = detail.split_once("returned non-2xx status code: ")?;
    status.get(..3)?.parse().ok()
}

fn io_kind(error: &object_store::Error) -> Option<ErrorKind> {
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    // An I/O error that only wraps another error says nothing by its own kind.
    let says_something = |io: &&IoError| io.kind() != ErrorKind::Other || io.get_ref().is_none();
    causes.filter_map(|error| error.downcast_ref::<IoError>()).find(says_something).map(IoError::kind)
}

/// A store's words are a stranger's bytes: one line, no control characters, not endless (I19).
fn one_line(error: &object_store::Error) -> String {
    let text = error.to_string();
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect()
}
