//! What stands among the checkpoints and is not the next commit: somebody else's file, or a commit that was changed. Which of
//! the two is known when the next commit is met, or the end.

use super::walk::Walk;
use crate::LedgerError;
use crate::foreign::{Sorted, foreign};
use crate::read::{Slot, checkpoint_path};
use crate::slot_status::{SlotStatus, slot_status};
use prodpin_core::model::Digest;

/// A file after the last commit that is not the next one.
pub(super) struct Doubt {
    pub(super) sequence: u64,
    pub(super) what: String,
    /// Whether it looks like the next one with a fault in it.
    nearly: bool,
    digest: Option<Digest>,
    previous: Option<Digest>,
}

impl Doubt {
    pub(super) fn new(sequence: u64, what: String, nearly: bool, slot: Slot) -> Self {
        let (digest, previous) = match slot {
            Slot::Whole(tip) => (Some(tip.digest), tip.checkpoint.previous),
            _ => (None, None),
        };
        Self { sequence, what, nearly, digest, previous }
    }

    pub(super) fn name(&self) -> String {
        format!("{:020}", self.sequence)
    }
}

impl Walk<'_> {
    /// What is numbered beyond a gap: this log's own commits, so that some are missing; or what somebody else put there.
    pub(super) async fn beyond(&mut self, last: u64, mut numbers: Vec<u64>) -> Result<(), LedgerError> {
        numbers.retain(|number| *number > last);
        let before = self.before.as_ref().map(|before| before.checkpoint.clone());
        let Sorted { own, strays } = self.kept.sort(before.as_ref(), numbers).await?;
        let mut next = last + 1;
        for number in own {
            let fetched = self.kept.fetch_one(number).await;
            // Where it follows the last one all the same, there never was a commit in the gap.
            let follows = matches!(&fetched, Ok((_, slot, _)) if !self.gap
                && slot_status(self.before.as_ref(), number, slot) == SlotStatus::Next);
            if number > next && !follows {
                for doubt in std::mem::take(&mut self.doubts) {
                    self.lost(doubt.sequence, doubt.what);
                }
                self.lost(next, "it is missing, and later ones are there".to_owned());
            }
            self.numbered(number, fetched).await?;
            next = number + 1;
        }
        self.strays.extend(strays);
        self.doubted().await?;
        let odd = self.kept.odd_names().await?;
        let strays = std::mem::take(&mut self.strays);
        self.found.notes.extend([strays, odd].iter().filter(|names| !names.is_empty()).map(|names| foreign(names)));
        Ok(())
    }

    /// What stands after the last commit and is none: damage only where it looks like one, or like another log's.
    async fn doubted(&mut self) -> Result<(), LedgerError> {
        let doubts = std::mem::take(&mut self.doubts);
        let begun = self.before.is_some() || self.kept.has_batches().await?;
        let mut names: Vec<String> = Vec::new();
        let mut after: Option<&Doubt> = None;
        for doubt in &doubts {
            if let Some(first) = after.filter(|first| doubt.previous.is_some() && doubt.previous == first.digest) {
                let what =
                    format!("{}, and {} continues it: another history", first.what, checkpoint_path(doubt.sequence));
                self.found.damaged(checkpoint_path(first.sequence), None, what);
            }
            if doubt.nearly && begun {
                self.found.damaged(checkpoint_path(doubt.sequence), None, doubt.what.clone());
            } else {
                names.push(doubt.name());
            }
            after = Some(doubt);
        }
        self.strays.extend(names);
        Ok(())
    }
}
