//! What alerts owe: what happened, stands in a report, and was not delivered yet. A pure fold of the log, so that a
//! message that failed, and a run that was cut off before it told anybody, are made up for by whichever run comes next.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Ledger;
use prodpin_core::model::{Digest, RunId, Severity};

/// Of so many runs it is kept by name what they owe; of older ones, how much (I20).
const DEBTS_KEPT: usize = 64;

/// So many names are kept for one alert.
const NAMES_KEPT: usize = 10_000;

/// Everything that one alert owes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Owing {
    /// By run, oldest first.
    pub debts: VecDeque<Debt>,
    /// How much there is beside, of which no names are kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<Severity, u64>,
    /// The last commit that this is from.
    #[serde(default, skip_serializing_if = "is_zero")]
    more_until: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What an alert owes of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Debt {
    /// The run.
    pub run: RunId,
    /// The commit that closed it.
    pub sequence: u64,
    /// SHA-256 of its report's body.
    pub report: Digest,
    /// The findings by name.
    pub owed: Vec<(String, Severity)>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<Severity, u64>,
}

impl Owing {
    /// Whether nothing is owed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.debts.is_empty() && self.more.is_empty()
    }

    /// Takes over what another alert owes: one that has another name now.
    pub fn take_over(&mut self, other: Self) {
        self.debts.extend(other.debts);
        self.debts.make_contiguous().sort_by_key(|debt| debt.sequence);
        self.set_aside(&other.more, other.more_until);
    }

    pub(super) fn incur(
        &mut self,
        sequence: u64,
        run: &RunId,
        report: &Digest,
        owed: &[(String, Severity)],
        more: &BTreeMap<Severity, u64>,
    ) {
        match self.debts.back_mut().filter(|debt| debt.run == *run) {
            Some(debt) => {
                debt.owed.extend_from_slice(owed);
                add(&mut debt.more, more);
            }
            None => {
                let (run, report, owed, more) = (run.clone(), report.clone(), owed.to_vec(), more.clone());
                self.debts.push_back(Debt { run, sequence, report, owed, more });
            }
        }
        while self.debts.len() > DEBTS_KEPT || (self.debts.len() > 1 && self.names() > NAMES_KEPT) {
            let Some(oldest) = self.debts.pop_front() else { break };
            self.set_aside(&oldest.counts(), oldest.sequence);
        }
    }

    fn names(&self) -> usize {
        self.debts.iter().map(|debt| debt.owed.len()).sum()
    }

    fn set_aside(&mut self, counts: &BTreeMap<Severity, u64>, until: u64) {
        add(&mut self.more, counts);
        self.more_until = self.more_until.max(until);
    }

    /// Whether anything up to this commit is owed.
    pub(super) fn is_due(&self, until: u64) -> bool {
        let counted = !self.more.is_empty() && self.more_until <= until;
        counted || self.debts.iter().any(|debt| debt.sequence <= until)
    }

    pub(super) fn pay(&mut self, until: u64) {
        self.debts.retain(|debt| debt.sequence > until);
        if self.more_until <= until {
            self.more.clear();
            self.more_until = 0;
        }
    }
}

impl Debt {
    /// All of it in numbers.
    fn counts(&self) -> BTreeMap<Severity, u64> {
        let mut counts = self.more.clone();
        self.owed.iter().for_each(|(_, severity)| *counts.entry(*severity).or_default() += 1);
        counts
    }
}

fn add(counts: &mut BTreeMap<Severity, u64>, others: &BTreeMap<Severity, u64>) {
    for (severity, count) in others {
        *counts.entry(*severity).or_default() += count;
    }
}

impl Ledger {
    /// What each alert owes, those that the policy no longer has included.
    #[must_use]
    pub fn owed(&self) -> BTreeMap<Arc<str>, Owing> {
        self.log().index.owed.clone()
    }

    /// Whether this alert ever told anything, or had a debt settled.
    #[must_use]
    pub fn has_told(&self, alert: &str) -> bool {
        self.log().index.told.contains_key(alert)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owing(runs: u64, each: usize) -> Owing {
        let mut owing = Owing::default();
        for number in 1..=runs {
            let run = RunId::new(jiff::Timestamp::UNIX_EPOCH, number);
            let owed: Vec<_> = (0..each).map(|nth| (format!("{number}-{nth}"), Severity::High)).collect();
            owing.incur(number, &run, &Digest::of(b"report"), &owed, &BTreeMap::new());
        }
        owing
    }

    #[test]
    fn a_month_of_debts_stays_small_and_counts_them_all_i20() {
        let owing = owing(3_000, 1);
        assert_eq!(owing.debts.len(), DEBTS_KEPT);
        assert_eq!(owing.more[&Severity::High], 3_000 - DEBTS_KEPT as u64);
        assert_eq!(owing.debts.back().unwrap().sequence, 3_000);
        let owing = super::tests::owing(20, 4_000);
        assert!(owing.names() <= NAMES_KEPT);
        assert_eq!(owing.more[&Severity::High] + owing.names() as u64, 80_000);
    }

    #[test]
    fn what_came_after_a_payment_is_still_owed() {
        let mut owing = owing(3, 2);
        assert!(owing.is_due(1) && !Owing::default().is_due(9));
        owing.pay(2);
        assert_eq!(owing.debts.iter().map(|debt| debt.sequence).collect::<Vec<_>>(), [3]);
        assert!(!owing.is_due(2));
        owing.pay(3);
        assert!(owing.is_empty());
    }
}
