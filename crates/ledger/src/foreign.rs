//! Names and numbers under `checkpoint/` that are no commits of this log: they are named, cost no time, and block nothing
//! (F101). A gap that this log's own commits behind it do not bridge is damage (I9).

use std::collections::BTreeMap;
use std::sync::PoisonError;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;

use super::checkpoint::Checkpoint;
use super::read::{Slot, Tip, checkpoint_path};
use super::rebuild::Rebuild;
use super::slot_status::{SlotStatus, slot_status};
use super::store::checkpoint_number;
use super::{Ledger, LedgerError, key_rotation, signature};

/// So many numbers beyond a gap are looked at. Whoever can hide commits behind more strays can remove them as well, and
/// that is found by whatever remembers the head.
const JUDGED: usize = 1024;

/// How many are read at once.
const READS: usize = 16;

/// So many strays are named.
pub(super) const NAMED: usize = 3;

/// Numbers after the last commit that is known.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    /// The last number up to which none is missing in the list; 0 if the first one is.
    pub(super) unbroken: u64,
    /// What lies beyond a gap, in order.
    pub(super) beyond: Vec<u64>,
}

impl Numbers {
    pub(super) fn after(known: u64, mut listed: Vec<u64>) -> Self {
        listed.sort_unstable();
        listed.dedup();
        listed.retain(|number| *number > known);
        let unbroken = listed.iter().zip(known + 1..).take_while(|(number, next)| *number == next).count();
        let beyond = listed.split_off(unbroken);
        Self { unbroken: listed.last().copied().unwrap_or(0), beyond }
    }
}

/// So many are remembered with what they are.
const REMEMBERED: usize = 64;

/// What was met among the checkpoints that is no commit of the log.
#[derive(Debug, Default)]
pub(super) struct Strays {
    /// By name, each with what is wrong with it.
    named: BTreeMap<String, String>,
    /// How many there are.
    count: u64,
    /// How many writes were never finished.
    unfinished: u64,
}

impl Strays {
    /// Says whether it is a new one.
    fn note(&mut self, name: &str, why: String) -> bool {
        if self.named.contains_key(name) {
            return false;
        }
        self.count += 1;
        if self.named.len() < REMEMBERED {
            self.named.insert(name.to_owned(), why);
        }
        true
    }

    fn why(&self, name: &str) -> Option<String> {
        self.named.get(name).cloned()
    }

    fn in_words(&self) -> Option<String> {
        let reported: Vec<&str> = self.named.values().take(NAMED).map(String::as_str).collect();
        let more = self.count.saturating_sub(reported.len() as u64);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        (!reported.is_empty()).then(|| format!("{}{more}", reported.join("; ")))
    }
}

/// Numbers beyond a gap, distinguished.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// Later commits of the log: what lies between is missing.
    pub(super) own: Vec<u64>,
    /// Whatever else, by name.
    pub(super) strays: Vec<String>,
}

/// Whether this checkpoint can only be a later commit of the log that ends with the one before. A copy of an earlier one
/// is not, and neither is one that the log's key has not signed.
pub(super) fn comes_later(before: Option<&Checkpoint>, found: &Tip) -> bool {
    if key_rotation::holds(found).is_err() {
        return false;
    }
    let Some(before) = before else { return true };
    let signed = before.key.as_ref().is_none_or(|key| signature::check(&found.note, &key.key).is_ok());
    found.checkpoint.origin == before.origin && found.checkpoint.size > before.size && signed
}

impl Ledger {
    /// The numbers of checkpoints after the one that the index knows. What is listed with them and is not named as they are
    /// is noted.
    pub(super) async fn numbers(&self) -> Result<Numbers, LedgerError> {
        let known = self.log().index.sequence;
        let named = |name: &str| Some(checkpoint_number(name).ok_or_else(|| name.to_owned()));
        let listed = self.store.names_after(&Path::from("checkpoint"), &checkpoint_path(known), named).await?;
        let mut numbers = Vec::new();
        for name in listed {
            match name {
                Ok(number) => numbers.push(number),
                Err(odd) if is_unfinished(&odd) => {}
                Err(odd) => {
                    let shown = prodpin_policy::visible(&odd);
                    self.note_stray(&odd, format!("checkpoint/{shown} is not named like a commit"));
                }
            }
        }
        Ok(Numbers::after(known, numbers))
    }

    /// The next commit, if that is what stands under this number after the last one; none for what is passed over.
    pub(super) async fn next_in(
        &self,
        before: Option<&Tip>,
        sequence: u64,
        slot: Slot,
    ) -> Result<Option<Tip>, LedgerError> {
        let what = match (slot_status(before, sequence, &slot), slot) {
            (SlotStatus::Next, Slot::Whole(tip)) => return Ok(Some(*tip)),
            (SlotStatus::Next, _) => return Ok(None),
            (SlotStatus::Newer(schema), _) => return Err(self.newer(schema)),
            (SlotStatus::Displaced(what), _) => return Err(self.displaced(before, sequence, what)),
            (SlotStatus::Foreign(what), _) => what,
            // Without a signature, whoever can write there could as well have made it fit.
            (SlotStatus::Doubtful(what), _) if !self.is_forgery(before).await? => {
                return Err(self.displaced(before, sequence, what));
            }
            (SlotStatus::Doubtful(what), _) => what,
        };
        self.note_stray(&name_of(sequence), what);
        Ok(None)
    }

    /// Whether what is nearly the next commit can only be forged, or one that nobody was told of: where the log is signed,
    /// whatever remembers a commit that was whole says that it is gone; where it has not begun, no batch is there.
    async fn is_forgery(&self, before: Option<&Tip>) -> Result<bool, LedgerError> {
        match before {
            Some(before) => Ok(before.checkpoint.key.is_some()),
            None => Ok(!self.has_batches().await?),
        }
    }

    /// Whether anybody ever began a commit here: its batch is written first.
    pub(super) async fn has_batches(&self) -> Result<bool, LedgerError> {
        Ok(self.store.list(&Path::from("batch")).try_next().await?.is_some())
    }

    /// A commit that does not follow the last one: what stands between is what it misses.
    pub(super) fn displaced(&self, before: Option<&Tip>, sequence: u64, what: String) -> LedgerError {
        let first = before.map_or(1, |before| before.sequence + 1);
        let passed = self.strays.lock().unwrap_or_else(PoisonError::into_inner).why(&name_of(first));
        self.store.corrupt(match passed {
            _ if first == sequence => what,
            Some(why) => format!("{why}, and {what}"),
            None => format!("{} is no commit, and {what}", checkpoint_path(first)),
        })
    }

    pub(super) fn note_stray(&self, name: &str, why: String) {
        let mut strays = self.strays.lock().unwrap_or_else(PoisonError::into_inner);
        if strays.note(name, why.clone()) && strays.count <= NAMED as u64 {
            tracing::warn!(ledger = self.store.location(), "{why}: no commit of this ledger, passed over");
        }
    }

    /// A write that was cut off counts for nothing. The first few are reported, however many somebody put there.
    pub(super) fn note_unfinished(&self, sequence: u64) {
        let mut strays = self.strays.lock().unwrap_or_else(PoisonError::into_inner);
        strays.unfinished += 1;
        if strays.unfinished <= NAMED as u64 {
            tracing::warn!(
                ledger = self.store.location(),
                "checkpoint/{} was never finished; passed over",
                name_of(sequence)
            );
        }
    }

    /// How many more of them there were.
    pub(super) fn tell_unfinished(&self) {
        let count = self.strays.lock().unwrap_or_else(PoisonError::into_inner).unfinished;
        let more = count.saturating_sub(NAMED as u64);
        if more > 0 {
            tracing::warn!(
                ledger = self.store.location(),
                "{more} more checkpoints were never finished; passed over: find out who writes there"
            );
        }
    }

    /// Why this number was passed over, if it was.
    pub(super) fn passed_over(&self, sequence: u64) -> Option<String> {
        self.strays.lock().unwrap_or_else(PoisonError::into_inner).why(&name_of(sequence))
    }

    /// What stands among the checkpoints and is none of this log's, as far as was looked; none if there is nothing.
    #[must_use]
    pub fn strays(&self) -> Option<String> {
        self.strays.lock().unwrap_or_else(PoisonError::into_inner).in_words()
    }

    /// Once the log was read to its end: whether what is numbered beyond a gap shows that commits are missing. Where the
    /// first of them follows the last one here, there never was a commit in the gap, and the log goes on.
    pub(super) async fn judge_beyond(
        &self,
        beyond: &[u64],
        mut rebuild: Option<&mut Rebuild>,
    ) -> Result<(), LedgerError> {
        loop {
            let (next, before) = {
                let log = self.log();
                (log.next, log.tip.clone())
            };
            let strays: Vec<u64> = beyond.iter().copied().filter(|number| *number > next).collect();
            if strays.is_empty() {
                return Ok(());
            }
            let Sorted { own, strays } = self.sort(before.as_ref().map(|tip| &tip.checkpoint), strays).await?;
            if let Some(first) = own.first().copied() {
                let slot = self.slot(first).await?;
                if slot_status(before.as_ref(), first, &slot) != SlotStatus::Next {
                    return Err(self.missing(next));
                }
                self.log_mut().next = first;
                self.advance(first, rebuild.as_deref_mut()).await?;
                continue;
            }
            for name in &strays {
                self.note_stray(name, format!("checkpoint/{name} is no later commit"));
            }
            tracing::warn!(ledger = self.store.location(), "{}", foreign(&strays));
            return Ok(());
        }
    }

    /// Tells the later commits of a log that ends here from what is none.
    pub(super) async fn sort(&self, before: Option<&Checkpoint>, numbers: Vec<u64>) -> Result<Sorted, LedgerError> {
        let unread: Vec<String> = numbers.iter().skip(JUDGED).map(|number| name_of(*number)).collect();
        let looks = futures::stream::iter(numbers.into_iter().take(JUDGED));
        let looks = looks.map(|number| async move { Ok((number, self.later(before, number).await?)) }.boxed());
        let mut looks = looks.buffered(READS);
        let mut sorted = Sorted::default();
        while let Some((number, own)) = looks.try_next().await? {
            if own {
                sorted.own.push(number);
            } else {
                sorted.strays.push(name_of(number));
            }
        }
        sorted.strays.extend(unread);
        Ok(sorted)
    }

    async fn later(&self, before: Option<&Checkpoint>, number: u64) -> Result<bool, LedgerError> {
        match self.slot(number).await {
            Ok(Slot::Whole(tip)) => Ok(comes_later(before, &tip)),
            // Nothing that could be a commit: a damaged one is found where it is missed.
            Ok(Slot::Torn | Slot::Empty | Slot::Other { .. } | Slot::Newer { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Everything under `checkpoint/` that is not named as checkpoints are.
    pub(super) async fn odd_names(&self) -> Result<Vec<String>, LedgerError> {
        let odd = |name: &str| checkpoint_number(name).is_none().then(|| name.to_owned());
        let folder = Path::from("checkpoint");
        let mut names = self.store.names_after(&folder, &Path::from("checkpoint/ "), odd).await?;
        names.retain(|name| !is_unfinished(name));
        names.sort();
        Ok(names)
    }
}

/// A write that was cut off before it had its name.
fn is_unfinished(name: &str) -> bool {
    name.contains('#')
}

fn name_of(number: u64) -> String {
    format!("{number:020}")
}

/// What to say of strays, by name.
pub(super) fn foreign(names: &[String]) -> String {
    let shown: Vec<String> =
        names.iter().take(NAMED).map(|name| format!("checkpoint/{}", prodpin_policy::visible(name))).collect();
    let more = names.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}: no commit of this ledger, and ignored; somebody else wrote there", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_apart_at_the_first_gap_f101() {
        let far = 9_223_372_036_854_775_807;
        for (known, listed, unbroken, beyond) in [
            (0, vec![], 0, vec![]),
            (0, vec![1, 2, 3], 3, vec![]),
            (2, vec![4, 3], 4, vec![]),
            (2, vec![1, 2, 3, 3], 3, vec![]),
            (0, vec![2, 3], 0, vec![2, 3]),
            (3, vec![4, 99, far], 4, vec![99, far]),
            (3, vec![u64::MAX], 0, vec![u64::MAX]),
        ] {
            let found = Numbers::after(known, listed.clone());
            assert_eq!(found, Numbers { unbroken, beyond }, "{known} {listed:?}");
        }
    }

    #[test]
    fn only_twenty_digits_name_a_checkpoint_f101() {
        for (name, number) in [
            ("00000000000000000001", Some(1)),
            ("09223372036854775807", Some(9_223_372_036_854_775_807)),
            ("18446744073709551615", Some(u64::MAX)),
            ("99999999999999999999", None),
            ("00000000000000000000", None),
            ("1", None),
            ("+0000000000000000001", None),
            ("0000000000000000000a", None),
            ("00000000000000000001.tmp", None),
        ] {
            assert_eq!(checkpoint_number(name), number, "{name}");
        }
    }
}
