//! The anchor beside the log: a log that was cut off and signed anew with a stolen key holds by itself (F60), and only
//! what a second place remembers tells it from the true one.

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use serde::Serialize;
use tlog_tiles::tlog::Hash;

use super::walk::Walk;
use crate::checkpoint::{Checkpoint, Flaw};
use crate::foreign::comes_later;
use crate::read::{Slot, Tip, checkpoint_path};
use crate::store::Store;
use crate::{Access, LedgerError, location, signature};
use prodpin_core::model::Digest;
use prodpin_policy::LedgerLocation;

/// How many copies are under way at once.
const READS: usize = 16;

/// What the anchor had to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Anchored {
    /// Every copy that it holds was compared; what differed is among the damage.
    Compared {
        /// The anchor.
        anchor: String,
        /// How many copies it holds.
        copies: u64,
        /// The last commit that it has seen.
        last: u64,
    },
    /// It holds nothing: no run has copied anything yet, or somebody emptied it.
    Empty {
        /// The anchor.
        anchor: String,
    },
    /// It could not be read. That says nothing, least of all that all is well.
    Unread {
        /// Why, with the anchor's name.
        why: String,
    },
}

/// What became of one copy.
enum Copy {
    Same,
    /// A write that never finished.
    Torn,
    /// The log does not have this commit.
    Beyond,
    /// It is no checkpoint, and was one once.
    Damaged,
    /// Another history, or another log: in words.
    Differs(String),
}

impl Walk<'_> {
    /// Compares every checkpoint that the anchor holds with the log's own.
    pub(super) async fn anchor(&mut self) -> Result<(), LedgerError> {
        let Some(at) = &self.how.anchor else { return Ok(()) };
        self.found.anchor = Some(match self.compare(at).await {
            Ok(anchored) => anchored,
            Err(Failed::Ledger(error)) => return Err(error),
            Err(Failed::Anchor(error)) => Anchored::Unread { why: error.to_string() },
        });
        Ok(())
    }

    async fn compare(&mut self, at: &LedgerLocation) -> Result<Anchored, Failed> {
        let anchor = location::open(at, Access::Read).await.map_err(Failed::Anchor)?;
        let folder = Path::from("checkpoint");
        let mut held = anchor.numbers_after(&folder, &checkpoint_path(0)).await.map_err(Failed::Anchor)?;
        held.sort_unstable();
        let (name, head) = (anchor.location().to_owned(), self.found.head.map_or(0, |head| head.sequence));
        let (mut copies, mut last, mut beyond, mut parted) = (0, 0, None, None);
        {
            let numbers = futures::stream::iter(held);
            let compared = numbers.map(|sequence| self.copy(&anchor, sequence).boxed()).buffered(READS);
            let mut compared = std::pin::pin!(compared);
            while let Some((sequence, copy)) = compared.try_next().await? {
                if !matches!(copy, Copy::Torn) {
                    last = sequence;
                }
                match copy {
                    Copy::Same => copies += 1,
                    Copy::Torn => {}
                    Copy::Beyond => beyond = beyond.or(Some(sequence)),
                    Copy::Damaged => {
                        parted.get_or_insert((sequence, format!("{name} holds something that is no checkpoint")));
                    }
                    Copy::Differs(what) => drop(parted.get_or_insert((sequence, what))),
                }
            }
        }
        // Copies that were all cut off say as little as none.
        if copies == 0 && beyond.is_none() && parted.is_none() {
            return Ok(Anchored::Empty { anchor: name });
        }
        // Reported once: whatever follows a commit that differs, differs as well (I11, I12).
        if let Some((sequence, what)) = parted {
            self.found.damaged(checkpoint_path(sequence), None, what);
        } else if let Some(first) = beyond {
            let what = format!("the log ends at commit {head}, and {name} holds commits {first} to {last}");
            self.found.damaged(checkpoint_path(first), None, what);
        } else if last < head {
            let missing = head - last;
            self.found.notes.push(format!(
                "{name} has not seen the last {missing} of the commits; a run with the anchor copies them"
            ));
        }
        Ok(Anchored::Compared { anchor: name, copies, last })
    }

    async fn copy(&self, anchor: &Store, sequence: u64) -> Result<(u64, Copy), Failed> {
        let path = checkpoint_path(sequence);
        let Some(note) = anchor.get(&path).await.map_err(Failed::Anchor)? else { return Ok((sequence, Copy::Torn)) };
        let seen = match Checkpoint::decode(&note) {
            Ok(seen) => seen,
            Err(Flaw::Torn) => return Ok((sequence, Copy::Torn)),
            Err(Flaw::Malformed) => return Ok((sequence, Copy::Damaged)),
            // It is no commit of a log that was read whole: a newer program's log ends the check before this (F64).
            Err(Flaw::Newer(_)) => return Ok((sequence, Copy::Torn)),
        };
        let own = match self.kept.slot(sequence).await {
            Ok(Slot::Whole(own)) => own,
            Ok(_) => {
                let digest = Digest::sha256(signature::body(&note));
                let found = Tip { sequence, digest, checkpoint: seen, note: note.to_vec() };
                let log = self.folded.log();
                let later = comes_later(log.tip.as_ref().map(|tip| &tip.checkpoint), &found);
                // Under a number that this log has not reached stands what is none of its commits.
                return Ok((sequence, if later { Copy::Beyond } else { Copy::Torn }));
            }
            Err(error) => return Err(Failed::Ledger(error)),
        };
        let name = anchor.location();
        let copy = if own.checkpoint.origin != seen.origin {
            Copy::Differs(format!("{name} is the anchor of another log, {}; name one of its own", seen.origin))
        } else if signature::body(&own.note) != signature::body(&note) {
            let (here, there): (Hash, Hash) = (own.checkpoint.root(), seen.root());
            Copy::Differs(format!("ledger-forked: it has root {here} here, and {there} at {name}"))
        } else {
            Copy::Same
        };
        Ok((sequence, copy))
    }
}

/// Whose failure it is: the ledger's ends the check, the anchor's is reported.
enum Failed {
    Ledger(LedgerError),
    Anchor(LedgerError),
}
