//! Which key may sign a checkpoint: the one before it, or one that it handed over to (F65).

use super::checkpoint::KeyInForce;
use super::read::{Slot, Tip};
use super::signature::{self, Unproven, VerifierKey};
use super::{Ledger, LedgerError};

/// Whether the checkpoint's own key has signed it. One without a key holds as it is.
pub(super) fn holds(tip: &Tip) -> Result<(), &'static str> {
    let Some(now) = &tip.checkpoint.key else { return Ok(()) };
    match signature::check(&tip.note, &now.key) {
        Ok(()) => Ok(()),
        Err(Unproven::Missing) => Err("the key that it names has not signed it"),
        Err(Unproven::Invalid) => Err("its signature is not over this text"),
    }
}

/// Whether the checkpoint may follow one whose key was that.
pub(super) fn follows(before: Option<&KeyInForce>, tip: &Tip) -> Result<(), &'static str> {
    holds(tip)?;
    match (before, &tip.checkpoint.key) {
        (None, None) => Ok(()),
        (Some(_), None) => Err("it is not signed, and the one before it is"),
        (Some(before), Some(now)) if before.key == now.key => {
            if before.since == now.since {
                Ok(())
            } else {
                Err("it names another commit as its key's first")
            }
        }
        (_, Some(now)) if now.since != tip.sequence => Err("it names another commit as its key's first"),
        (None, Some(_)) => Ok(()),
        (Some(before), Some(_)) => match signature::check(&tip.note, &before.key) {
            Ok(()) => Ok(()),
            Err(_) => Err("another key signs it, and the one before has not handed over"),
        },
    }
}

impl Ledger {
    /// The key that the next commit names, and whether the one before hands over to it.
    pub(super) fn key_for(
        &self,
        sequence: u64,
        origin: &str,
        before: Option<&KeyInForce>,
    ) -> Result<(Option<KeyInForce>, bool), LedgerError> {
        match (&self.keys, before) {
            (None, None) => Ok((None, false)),
            (None, Some(known)) => Err(self.key_error(format!(
                "its checkpoints are signed by the key {}, which is not at hand; name it with ledger_key in the policy, \
                 or give it in PRODPIN_LEDGER_KEY",
                known.key.id()
            ))),
            (Some(keys), before) => {
                let key = keys.verifier(origin);
                match before {
                    Some(known) if known.key == key => Ok((Some(known.clone()), false)),
                    None => Ok((Some(KeyInForce { key, since: sequence }), false)),
                    Some(known) if keys.hands_over_from(&known.key) => {
                        Ok((Some(KeyInForce { key, since: sequence }), true))
                    }
                    Some(known) => Err(self.key_error(format!(
                        "its checkpoints are signed by the key {}, and the one at hand is {}; put the known key back, or, \
                         to change it, name the known one as `previous` under ledger_key",
                        known.key.id(),
                        key.id()
                    ))),
                }
            }
        }
    }

    /// Before anything is done elsewhere: whether the next commit can be signed so that it follows.
    pub(super) fn refuse_foreign_key(&self) -> Result<(), LedgerError> {
        let log = self.log();
        let Some(tip) = &log.tip else { return Ok(()) };
        self.key_for(log.next, &tip.checkpoint.origin, tip.checkpoint.key.as_ref()).map(|_| ())
    }

    pub(super) fn key_error(&self, detail: String) -> LedgerError {
        LedgerError::Key { location: self.store.location().to_owned(), detail }
    }

    /// Whether the head's key comes from this one, hand-over by hand-over. Reads two checkpoints for each.
    pub(super) async fn descends_from(&self, ancestor: &VerifierKey) -> Result<bool, LedgerError> {
        let mut key = self.log().tip.as_ref().and_then(|tip| tip.checkpoint.key.clone());
        while let Some(now) = key {
            if now.key == *ancestor {
                return Ok(true);
            }
            let Slot::Whole(first) = self.slot(now.since).await? else { return Ok(false) };
            let before = self.whole_before(now.since).await?.and_then(|before| before.checkpoint.key);
            if first.checkpoint.key.as_ref() != Some(&now) || follows(before.as_ref(), &first).is_err() {
                return Ok(false);
            }
            key = before.filter(|before| before.since < now.since);
        }
        Ok(false)
    }

    /// The last whole checkpoint before this number.
    pub(super) async fn whole_before(&self, sequence: u64) -> Result<Option<Tip>, LedgerError> {
        for sequence in (1..sequence).rev() {
            match self.slot(sequence).await? {
                Slot::Whole(tip) => return Ok(Some(*tip)),
                Slot::Torn => {}
                Slot::Empty => return Ok(None),
            }
        }
        Ok(None)
    }
}
