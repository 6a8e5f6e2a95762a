//! Names and numbers under `checkpoint/` that are no commits of this log: they are named, cost no time, and block nothing
//! (F101). A gap with this log's own commits behind it is damage (I9).

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;

use super::checkpoint::Checkpoint;
use super::read::{Slot, Tip, checkpoint_path};
use super::store::checkpoint_number;
use super::{Ledger, LedgerError, signature, succession};

/// So many numbers beyond a gap are looked at. Whoever can hide commits behind more strays can remove them as well, and
/// that is found by whatever remembers the head.
const JUDGED: usize = 1024;

/// How many are read at once.
const READS: usize = 16;

/// So many strays are named.
const NAMED: usize = 3;

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

/// Numbers beyond a gap, told apart.
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
    if succession::holds(found).is_err() {
        return false;
    }
    let Some(before) = before else { return true };
    let signed = before.key.as_ref().is_none_or(|key| signature::check(&found.note, &key.key).is_ok());
    found.checkpoint.origin == before.origin && found.checkpoint.size > before.size && signed
}

impl Ledger {
    /// The numbers of checkpoints after the one that the index knows.
    pub(super) async fn numbers(&self) -> Result<Numbers, LedgerError> {
        let known = self.log().index.sequence;
        let listed = self.store.numbers_after(&Path::from("checkpoint"), &checkpoint_path(known)).await?;
        Ok(Numbers::after(known, listed))
    }

    /// Once the log was read to its end: whether what is numbered beyond a gap shows that commits are missing.
    pub(super) async fn judge_beyond(&self, beyond: &[u64]) -> Result<(), LedgerError> {
        let next = self.log().next;
        let strays: Vec<u64> = beyond.iter().copied().filter(|number| *number > next).collect();
        if strays.is_empty() {
            return Ok(());
        }
        let before = self.log().tip.as_ref().map(|tip| tip.checkpoint.clone());
        let Sorted { own, strays } = self.sort(before.as_ref(), strays).await?;
        if !own.is_empty() {
            return Err(self.missing(next));
        }
        tracing::warn!(ledger = self.store.location(), "{}", foreign(&strays));
        Ok(())
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
            Ok(Slot::Torn | Slot::Empty) => Ok(false),
            // Nothing that could be a commit: a damaged one is found where it is missed.
            Err(LedgerError::Corrupt { .. } | LedgerError::NewerSchema { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Everything under `checkpoint/` that is not named as checkpoints are.
    pub(super) async fn odd_names(&self) -> Result<Vec<String>, LedgerError> {
        let odd = |name: &str| checkpoint_number(name).is_none().then(|| name.to_owned());
        let folder = Path::from("checkpoint");
        let mut names = self.store.names_after(&folder, &Path::from("checkpoint/ "), odd).await?;
        // A write that was cut off before it had its name.
        names.retain(|name| !name.contains('#'));
        names.sort();
        Ok(names)
    }
}

fn name_of(number: u64) -> String {
    format!("{number:020}")
}

/// What to say of strays, by name.
pub(super) fn foreign(names: &[String]) -> String {
    let shown: Vec<String> =
        names.iter().take(NAMED).map(|name| format!("checkpoint/{}", crate::policy::visible(name))).collect();
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
