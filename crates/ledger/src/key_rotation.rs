//! Which key may sign a checkpoint: the one before it, one that it handed over to (F65), or, where nobody has it any more,
//! one that was put in force without it, which is reported for ever.

use std::cmp::Ordering;

use super::checkpoint::{Checkpoint, KeyInForce, KeyLost};
use super::read::{Slot, Tip};
use super::signature::{self, Unproven, VerifierKey};
use super::{Ledger, LedgerError};

/// So many numbers between two commits are looked at: nobody puts more strangers' files there for nothing.
const PASSED: usize = 4096;

/// What the next commit says of keys.
#[derive(Debug, Default)]
pub(super) struct Signing {
    /// The key that signs it; none in an unsigned log.
    pub(super) key: Option<KeyInForce>,
    pub(super) lost: Option<KeyLost>,
    /// Whether the key that signed before signs it as well.
    pub(super) hand_over: bool,
}

/// Whether the checkpoint's own key has signed it. One without a key holds as it is.
pub(super) fn holds(tip: &Tip) -> Result<(), &'static str> {
    let Some(now) = &tip.checkpoint.key else { return Ok(()) };
    match signature::check(&tip.note, &now.key) {
        Ok(()) => Ok(()),
        Err(Unproven::Missing) => Err("the key that it names has not signed it"),
        Err(Unproven::Invalid) => Err("its signature is not over this text"),
    }
}

/// Whether the checkpoint may follow this one.
pub(super) fn follows(before: Option<&Checkpoint>, tip: &Tip) -> Result<(), &'static str> {
    holds(tip)?;
    let key = before.and_then(|before| before.key.as_ref());
    let given_up = gives_up(tip);
    if given_up.is_none() && tip.checkpoint.lost.as_ref() != before.and_then(|before| before.lost.as_ref()) {
        return Err("it does not say of lost keys what the one before it says");
    }
    if given_up.is_some() && given_up != key.map(|key| &key.key) {
        return Err("it gives another key up for lost than the one before it names");
    }
    match (key, &tip.checkpoint.key) {
        (None, None) => Ok(()),
        (Some(_), None) => Err("it is not signed, and the one before it is"),
        (Some(before), Some(now)) if before.key == now.key => {
            if before.since != now.since {
                Err("it names another commit as its key's first")
            } else if given_up.is_some() {
                Err("it gives the key up for lost that signs it")
            } else {
                Ok(())
            }
        }
        (_, Some(now)) if now.since != tip.sequence => Err("it names another commit as its key's first"),
        (None, Some(_)) => Ok(()),
        (Some(_), Some(_)) if given_up.is_some() => Ok(()),
        (Some(before), Some(_)) => match signature::check(&tip.note, &before.key) {
            Ok(()) => Ok(()),
            Err(_) => Err("another key signs it, and the one before has not handed over"),
        },
    }
}

/// The key that this very commit gives up for lost.
pub(super) fn gives_up(tip: &Tip) -> Option<&VerifierKey> {
    tip.checkpoint.lost.as_ref().filter(|lost| lost.at == tip.sequence).map(|lost| &lost.key)
}

impl Ledger {
    /// What the next commit says of keys.
    pub(super) fn key_for(
        &self,
        sequence: u64,
        origin: &str,
        before: Option<&Checkpoint>,
    ) -> Result<Signing, LedgerError> {
        let known = before.and_then(|before| before.key.as_ref());
        let lost = before.and_then(|before| before.lost.clone());
        let Some(keys) = &self.keys else {
            return match known {
                None => Ok(Signing::default()),
                Some(known) => Err(self.key_error(format!(
                    "its checkpoints are signed by the key {}, which is not at hand; name it with ledger_key in the \
                     policy, or give it in PRODPIN_LEDGER_KEY; to change it, name it as `previous` under ledger_key; {}",
                    known.key.id(),
                    if_lost(&known.key)
                ))),
            };
        };
        let key = keys.verifier(origin);
        let new = |key| Some(KeyInForce { key, since: sequence });
        match known {
            None => Ok(Signing { key: new(key), lost, hand_over: false }),
            Some(known) if known.key == key => Ok(Signing { key: Some(known.clone()), lost, hand_over: false }),
            Some(known) if keys.hands_over_from(&known.key) => Ok(Signing { key: new(key), lost, hand_over: true }),
            Some(known) if keys.gives_up(&known.key) => {
                let lost = Some(KeyLost { key: known.key.clone(), at: sequence });
                Ok(Signing { key: new(key), lost, hand_over: false })
            }
            Some(known) => Err(self.key_error(match lost.filter(|lost| lost.key == key) {
                Some(lost) => format!(
                    "commit {} says that the key at hand, {}, is lost, and put {} in force without it; find out who \
                     did that: whoever can write there could have",
                    lost.at,
                    key.id(),
                    known.key.id()
                ),
                None => format!(
                    "its checkpoints are signed by the key {}, and the one at hand is {}; put the known key back, or, \
                     to change it, name the known one as `previous` under ledger_key; {}",
                    known.key.id(),
                    key.id(),
                    if_lost(&known.key)
                ),
            })),
        }
    }

    /// Before anything is done elsewhere: whether the next commit can be signed so that it follows.
    pub(super) fn refuse_foreign_key(&self) -> Result<(), LedgerError> {
        let log = self.log();
        let Some(tip) = &log.tip else { return Ok(()) };
        let signing = self.key_for(log.next, &tip.checkpoint.origin, Some(&tip.checkpoint))?;
        if let (Some(lost), Some(key)) = (signing.lost.filter(|lost| lost.at == log.next), signing.key) {
            tracing::warn!(
                ledger = self.store.location(),
                "the policy gives the key {} up for lost: the next commit puts {} in force without its signature, and \
                 every later report and check tells",
                lost.key.id(),
                key.key.id()
            );
        }
        Ok(())
    }

    /// That a key was given up for lost, or is by the next commit, in words. It is reported for as long as the log exists: no
    /// signature shows that whoever signs now is who signed before.
    #[must_use]
    pub fn lost_key(&self) -> Option<String> {
        let log = self.log();
        let tip = log.tip.as_ref()?;
        let said = tip.checkpoint.lost.clone();
        let lost = said.or_else(|| self.key_for(log.next, &tip.checkpoint.origin, Some(&tip.checkpoint)).ok()?.lost)?;
        let when = if lost.at <= tip.sequence { format!("at commit {}", lost.at) } else { "by this run".to_owned() };
        Some(format!(
            "the ledger's key {} was given up for lost, and another one put in its place without it {when}",
            lost.key.id()
        ))
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
            // Whoever can write there could put another checkpoint before it, and a signature of its own beside the key's.
            let before = match &first.checkpoint.previous {
                Some(_) => match self.commit_before(&first).await? {
                    None => return Ok(false),
                    before => before,
                },
                None => None,
            };
            let before = before.map(|before| before.checkpoint);
            let follows = follows(before.as_ref(), &first).is_ok() && gives_up(&first).is_none();
            if first.checkpoint.key.as_ref() != Some(&now) || !follows {
                return Ok(false);
            }
            key = before.and_then(|before| before.key).filter(|before| before.since < now.since);
        }
        Ok(false)
    }

    /// Whether the keys of the log, from the first commit's on, lead to this one's: whoever can write there and has no key
    /// makes a checkpoint, and a key for it, of his own. A log that was signed once stays signed.
    pub(super) async fn comes_from_the_first(&self, tip: &Tip) -> Result<bool, LedgerError> {
        let mut at = tip.clone();
        loop {
            let Some(key) = at.checkpoint.key.clone() else { return self.is_never_signed(&at).await };
            if self.memory.knows_key(&key.key) {
                return Ok(true);
            }
            let first = match key.since.cmp(&at.sequence) {
                Ordering::Greater => return Ok(false),
                Ordering::Equal => at,
                Ordering::Less => match self.slot(key.since).await? {
                    Slot::Whole(first) if first.checkpoint.key.as_ref() == Some(&key) => *first,
                    _ => return Ok(false),
                },
            };
            if first.checkpoint.previous.is_none() {
                return Ok(follows(None, &first).is_ok());
            }
            let Some(before) = self.commit_before(&first).await? else { return Ok(false) };
            if follows(Some(&before.checkpoint), &first).is_err() {
                return Ok(false);
            }
            at = before;
        }
    }

    /// Whether neither the first commit nor the one before this one was signed.
    async fn is_never_signed(&self, tip: &Tip) -> Result<bool, LedgerError> {
        let signed = |found: &Tip| found.checkpoint.key.is_some() && found.checkpoint.origin == tip.checkpoint.origin;
        let before = self.commit_before(tip).await?;
        if tip.checkpoint.previous.is_some() && before.is_none_or(|before| signed(&before)) {
            return Ok(false);
        }
        Ok(!matches!(self.slot(1).await?, Slot::Whole(first) if signed(&first)))
    }

    /// The commit that this one names as the one before; none if it is not there. Whatever else stands between is passed
    /// over.
    pub(super) async fn commit_before(&self, tip: &Tip) -> Result<Option<Tip>, LedgerError> {
        if tip.checkpoint.previous.is_none() {
            return Ok(None);
        }
        for sequence in (1..tip.sequence).rev().take(PASSED) {
            match self.slot(sequence).await? {
                Slot::Whole(own) if Some(&own.digest) == tip.checkpoint.previous.as_ref() => return Ok(Some(*own)),
                _ => {}
            }
        }
        Ok(None)
    }

    /// The last checkpoint before this number that may be a commit of the log: where to look, and no proof of anything.
    pub(super) async fn whole_before(&self, sequence: u64) -> Result<Option<Tip>, LedgerError> {
        let head = self.log().tip.as_ref().map(|tip| (tip.checkpoint.origin.clone(), tip.checkpoint.size));
        for sequence in (1..sequence).rev().take(PASSED) {
            let Slot::Whole(tip) = self.slot(sequence).await? else { continue };
            let own = head.as_ref().is_none_or(|(origin, size)| {
                tip.checkpoint.origin == *origin && tip.checkpoint.size <= *size && holds(&tip).is_ok()
            });
            if own {
                return Ok(Some(*tip));
            }
        }
        Ok(None)
    }
}

/// The way out where no other is left, spelled so that it can be copied.
fn if_lost(key: &VerifierKey) -> String {
    format!("if nobody has it any more, say so, for every later report to tell, with ledger_key: {{ lost: \"{key}\" }}")
}
