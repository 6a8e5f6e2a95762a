//! Several releases: going back from N to N−k looks at every release between.

use crate::dialect::Dialect;
use crate::report::{Finding, Report};
use crate::session::{Source, classify};
use crate::verdict::Verdict;

/// One release: the migrations that it added.
#[derive(Debug, Clone)]
pub struct Release<'a> {
    /// Its name, as reports say it.
    pub name: &'a str,
    /// What it added, in order.
    pub migrations: Vec<Source<'a>>,
}

/// Judges going back from the last release to the one at `target`, counted from 0.
///
/// All that came after the target is one change set: what it made and dropped again does not matter to the target, and
/// what it dropped matters whichever release did. "None" is not "safe": a value that a release up to the target made
/// possible may be written by a later one that has no migration at all, so cautions are carried forward.
#[must_use]
pub fn chain(dialect: Dialect, base: &[Source<'_>], releases: &[Release<'_>], target: usize) -> Report {
    let (until, beyond) = releases.split_at((target + 1).min(releases.len()));
    let mut earlier: Vec<Source<'_>> = base.to_vec();
    let mut carried = Vec::new();
    for release in until {
        let report = classify(dialect, &earlier, &release.migrations);
        // With nothing newer there is nobody who could write such a value.
        if !beyond.is_empty() {
            carried.extend(report.findings.into_iter().filter(|found| found.verdict == Verdict::Caution).map(carry));
        }
        earlier.extend(&release.migrations);
    }
    let change: Vec<Source<'_>> = beyond.iter().flat_map(|release| release.migrations.iter().copied()).collect();
    let mut findings = classify(dialect, &earlier, &change).findings;
    findings.extend(carried);
    Report::new(findings)
}

fn carry(mut finding: Finding) -> Finding {
    finding.why = format!("carried forward, a later release may be the first to use it: {}", finding.why);
    finding
}
