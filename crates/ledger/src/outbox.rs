//! The outbox of each alert: what happened, stands in a report, and was not delivered yet. A pure fold of the log, so that a
//! message that failed, and a run that was cut off before it told anybody, are made up for by whichever run comes next.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Ledger;
use prodpin_core::model::{Digest, RunId, Severity};

/// Of so many runs what is undelivered is kept by name; of older ones, how much (I20).
const UNDELIVERED_KEPT: usize = 64;

/// So many names are kept for one alert.
const NAMES_KEPT: usize = 10_000;

/// Everything that one alert has not delivered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outbox {
    /// By run, oldest first.
    #[serde(rename = "debts")]
    pub undelivered: VecDeque<UndeliveredRun>,
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

/// What an alert has not delivered of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UndeliveredRun {
    /// The run.
    pub run: RunId,
    /// The commit that closed it.
    pub sequence: u64,
    /// SHA-256 of its report's body.
    pub report: Digest,
    /// The findings by name.
    #[serde(rename = "owed")]
    pub findings: Vec<(String, Severity)>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<Severity, u64>,
}

impl Outbox {
    /// Whether everything is delivered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.undelivered.is_empty() && self.more.is_empty()
    }

    /// Takes over the outbox of another alert: one that has another name now.
    pub fn take_over(&mut self, other: Self) {
        self.undelivered.extend(other.undelivered);
        self.undelivered.make_contiguous().sort_by_key(|undelivered| undelivered.sequence);
        self.set_aside(&other.more, other.more_until);
    }

    pub(super) fn queue(
        &mut self,
        sequence: u64,
        run: &RunId,
        report: &Digest,
        findings: &[(String, Severity)],
        more: &BTreeMap<Severity, u64>,
    ) {
        match self.undelivered.back_mut().filter(|undelivered| undelivered.run == *run) {
            Some(undelivered) => {
                undelivered.findings.extend_from_slice(findings);
                add(&mut undelivered.more, more);
            }
            None => {
                let (run, report, findings, more) = (run.clone(), report.clone(), findings.to_vec(), more.clone());
                self.undelivered.push_back(UndeliveredRun { run, sequence, report, findings, more });
            }
        }
        while self.undelivered.len() > UNDELIVERED_KEPT || (self.undelivered.len() > 1 && self.names() > NAMES_KEPT) {
            let Some(oldest) = self.undelivered.pop_front() else { break };
            self.set_aside(&oldest.counts(), oldest.sequence);
        }
    }

    fn names(&self) -> usize {
        self.undelivered.iter().map(|undelivered| undelivered.findings.len()).sum()
    }

    fn set_aside(&mut self, counts: &BTreeMap<Severity, u64>, until: u64) {
        add(&mut self.more, counts);
        self.more_until = self.more_until.max(until);
    }

    /// Whether anything up to this commit is undelivered.
    pub(super) fn is_due(&self, until: u64) -> bool {
        let counted = !self.more.is_empty() && self.more_until <= until;
        counted || self.undelivered.iter().any(|undelivered| undelivered.sequence <= until)
    }

    pub(super) fn delivered(&mut self, until: u64) {
        self.undelivered.retain(|undelivered| undelivered.sequence > until);
        if self.more_until <= until {
            self.more.clear();
            self.more_until = 0;
        }
    }
}

impl UndeliveredRun {
    /// All of it in numbers.
    fn counts(&self) -> BTreeMap<Severity, u64> {
        let mut counts = self.more.clone();
        self.findings.iter().for_each(|(_, severity)| *counts.entry(*severity).or_default() += 1);
        counts
    }
}

fn add(counts: &mut BTreeMap<Severity, u64>, others: &BTreeMap<Severity, u64>) {
    for (severity, count) in others {
        *counts.entry(*severity).or_default() += count;
    }
}

impl Ledger {
    /// The outbox of each alert, those that the policy no longer has included.
    #[must_use]
    pub fn outboxes(&self) -> BTreeMap<Arc<str>, Outbox> {
        self.log().index.outboxes.clone()
    }

    /// Whether this alert ever delivered anything.
    #[must_use]
    pub fn has_reported(&self, alert: &str) -> bool {
        self.log().index.reported.contains_key(alert)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(runs: u64, each: usize) -> Outbox {
        let mut outbox = Outbox::default();
        for number in 1..=runs {
            let run = RunId::new(jiff::Timestamp::UNIX_EPOCH, number);
            let findings: Vec<_> = (0..each).map(|nth| (format!("{number}-{nth}"), Severity::High)).collect();
            outbox.queue(number, &run, &Digest::sha256(b"report"), &findings, &BTreeMap::new());
        }
        outbox
    }

    #[test]
    fn a_month_of_debts_stays_small_and_counts_them_all_i20() {
        let outbox = outbox(3_000, 1);
        assert_eq!(outbox.undelivered.len(), UNDELIVERED_KEPT);
        assert_eq!(outbox.more[&Severity::High], 3_000 - UNDELIVERED_KEPT as u64);
        assert_eq!(outbox.undelivered.back().unwrap().sequence, 3_000);
        let outbox = super::tests::outbox(20, 4_000);
        assert!(outbox.names() <= NAMES_KEPT);
        assert_eq!(outbox.more[&Severity::High] + outbox.names() as u64, 80_000);
    }

    #[test]
    fn what_came_after_a_payment_is_still_owed() {
        let mut outbox = outbox(3, 2);
        assert!(outbox.is_due(1) && !Outbox::default().is_due(9));
        outbox.delivered(2);
        assert_eq!(outbox.undelivered.iter().map(|undelivered| undelivered.sequence).collect::<Vec<_>>(), [3]);
        assert!(!outbox.is_due(2));
        outbox.delivered(3);
        assert!(outbox.is_empty());
    }
}
