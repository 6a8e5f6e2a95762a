//! What is news: findings at or above the threshold that were not told before, or not as this severe.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::model::{Finding, RepositoryName, RunId, Severity, SourceName};
use crate::outcome::identity::occurrence;
use crate::outcome::report::FindingCounts;
use crate::report::body::Report;

/// What was reported by one alert, and how severe it was then.
pub(crate) type ReportedBefore = BTreeMap<String, Severity>;

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
    pub(super) reported: Vec<(String, Severity)>,
    /// How much of it has no name any more.
    pub(super) nameless: u64,
    /// How much of all that is undelivered from earlier runs.
    pub(super) earlier: u64,
    /// Those runs, latest first.
    pub(super) earlier_runs: Vec<RunId>,
    /// What was reported before and is no more.
    pub(super) forgotten: Vec<String>,
}

impl Choice {
    /// How much there is to tell.
    pub(super) fn len(&self) -> u64 {
        self.reported.len() as u64 + self.nameless
    }
}

/// What may be spelt out of one severity: each repository's first before anyone's second, so that a flood in one of them
/// silences no other (F109). What is kept has a bound, whatever comes.
#[derive(Default)]
struct Shown {
    /// In the order of the report, with its place among those of its repository.
    kept: Vec<(usize, Finding)>,
    places: BTreeMap<(Option<SourceName>, Option<RepositoryName>), usize>,
}

impl Shown {
    fn add(&mut self, finding: Finding) {
        let repository = (finding.source.clone(), finding.repository.clone());
        // Beyond so many repositories it no longer matters which of them are shown.
        if self.places.len() >= SPELT_OUT && !self.places.contains_key(&repository) {
            return;
        }
        let place = self.places.entry(repository).or_default();
        if *place < SPELT_OUT {
            self.kept.push((*place, finding));
            *place += 1;
        }
    }

    fn first(mut self, most: usize) -> impl Iterator<Item = Finding> {
        // Stable: the report's own order within each round.
        self.kept.sort_by_key(|(place, _)| *place);
        self.kept.into_iter().map(|(_, finding)| finding).take(most)
    }
}

/// Waived findings are nobody's news. What a run did not see is forgotten only if the run saw everything (I4).
pub(super) fn choose(report: &Report, threshold: Severity, before: &ReportedBefore) -> io::Result<Choice> {
    let mut choice = Choice::default();
    let mut there = BTreeSet::new();
    for severity in Severity::ALL.into_iter().rev() {
        let mut shown = Shown::default();
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
            choice.reported.push((name, severity));
            shown.add(finding);
        }
        let room = SPELT_OUT - choice.shown.len();
        choice.shown.extend(shown.first(room));
    }
    // Two findings of one name are reported as the more severe one, which came first.
    let mut names = BTreeSet::new();
    choice.reported.retain(|(name, _)| names.insert(name.clone()));
    if report.run.complete && report.run.scope.is_whole() {
        choice.forgotten = before.keys().filter(|name| !there.contains(*name)).cloned().collect();
    }
    Ok(choice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Code;

    fn finding(repository: &str, number: usize) -> Finding {
        Finding {
            code: Code::TagMoved,
            severity: Severity::Critical,
            source: Some("shop".parse().unwrap()),
            repository: Some(repository.parse().unwrap()),
            reference: Some(format!("v{number}")),
            artifact: None,
            previous: None,
            moved_by: None,
            first_seen: jiff::Timestamp::UNIX_EPOCH,
            ledger_sequence: None,
            message: "moved".to_owned(),
            remedy: "look".to_owned(),
            waived: None,
        }
    }

    #[test]
    fn a_flood_in_one_repository_leaves_room_for_every_other_f96_f109() {
        let mut shown = Shown::default();
        (0..100_000).for_each(|number| shown.add(finding("shop/flood", number)));
        (0..3).for_each(|number| shown.add(finding("shop/api", number)));
        shown.add(finding("shop/web", 0));
        assert!(shown.kept.len() <= SPELT_OUT + 4, "{}", shown.kept.len());
        let reported: Vec<String> = shown
            .first(6)
            .map(|finding| format!("{}:{}", finding.repository.unwrap(), finding.reference.unwrap()))
            .collect();
        let expected = ["flood:v0", "api:v0", "web:v0", "flood:v1", "api:v1", "flood:v2"];
        assert_eq!(reported, expected.map(|name| format!("shop/{name}")));
    }
}
