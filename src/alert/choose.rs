//! What is news: findings at or above the threshold that were not told before, or not as this severe.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::model::{Finding, RunId, Severity};
use crate::report::body::Report;
use crate::report::document::FindingCounts;
use crate::report::identity::occurrence;

/// What was told by one alert, and how severe it was then.
pub(crate) type ToldBefore = BTreeMap<String, Severity>;

/// Findings that a message spells out; of the others it gives the number (F96).
pub(super) const SPELT_OUT: usize = 50;

/// What one alert has to tell.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// The first of it, most severe first.
    pub(super) shown: Vec<Finding>,
    /// All of it in numbers.
    pub(super) counts: FindingCounts,
    /// All of it by name, to be recorded.
    pub(super) told: Vec<(String, Severity)>,
    /// How much of it has no name any more.
    pub(super) nameless: u64,
    /// How much of all that is owed from earlier runs.
    pub(super) owed: u64,
    /// Those runs, latest first.
    pub(super) owed_by: Vec<RunId>,
    /// What was told before and is no more.
    pub(super) forgotten: Vec<String>,
}

impl Choice {
    /// How much there is to tell.
    pub(super) fn len(&self) -> u64 {
        self.told.len() as u64 + self.nameless
    }
}

/// Waived findings are nobody's news. What a run did not see is forgotten only if the run saw everything (I4).
pub(super) fn choose(report: &Report, threshold: Severity, before: &ToldBefore) -> io::Result<Choice> {
    let mut choice = Choice::default();
    let mut there = BTreeSet::new();
    for severity in Severity::ALL.into_iter().rev() {
        for finding in report.body.findings(severity) {
            let finding = finding?;
            let name = occurrence(&finding);
            let known = before.get(&name).copied();
            if known.is_some() {
                there.insert(name.clone());
            }
            if severity < threshold || finding.waived.is_some() || known >= Some(severity) {
                continue;
            }
            choice.counts.count(&finding);
            choice.told.push((name, severity));
            if choice.shown.len() < SPELT_OUT {
                choice.shown.push(finding);
            }
        }
    }
    // Two findings of one name are told as the more severe one, which came first.
    let mut names = BTreeSet::new();
    choice.told.retain(|(name, _)| names.insert(name.clone()));
    if report.run.complete && report.run.scope.is_whole() {
        choice.forgotten = before.keys().filter(|name| !there.contains(*name)).cloned().collect();
    }
    Ok(choice)
}
