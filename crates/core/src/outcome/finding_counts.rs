//! How many findings of each severity.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{FailOn, Finding, Severity};

/// How many findings of each severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingCounts {
    /// Critical findings.
    pub critical: u64,
    /// High findings.
    pub high: u64,
    /// Medium findings.
    pub medium: u64,
    /// Low findings.
    pub low: u64,
    /// Informational findings.
    pub info: u64,
    /// Findings of any severity that the policy waives. They are in none of the numbers above.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waived: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl FindingCounts {
    /// Counts one more.
    pub fn add(&mut self, severity: Severity) {
        self.add_many(severity, 1);
    }

    /// Counts so many more.
    pub fn add_many(&mut self, severity: Severity, count: u64) {
        *self.slot(severity) += count;
    }

    /// Counts a finding: by its severity, or among the waived.
    pub fn count(&mut self, finding: &Finding) {
        match finding.waived {
            Some(_) => self.waived += 1,
            None => self.add(finding.severity),
        }
    }

    /// Takes back that a finding was counted.
    pub fn uncount(&mut self, finding: &Finding) {
        match finding.waived {
            Some(_) => self.waived -= 1,
            None => *self.slot(finding.severity) -= 1,
        }
    }

    /// How many there are of this severity.
    #[must_use]
    pub fn with_severity(mut self, severity: Severity) -> u64 {
        *self.slot(severity)
    }

    /// How many there are at this severity or above.
    #[must_use]
    pub fn at_least(self, severity: Severity) -> u64 {
        Severity::ALL.into_iter().filter(|other| *other >= severity).map(|other| self.with_severity(other)).sum()
    }

    /// How many there are that fail a check.
    #[must_use]
    pub fn failing(self, fail_on: FailOn) -> u64 {
        fail_on.least().map_or(0, |least| self.at_least(least))
    }

    fn slot(&mut self, severity: Severity) -> &mut u64 {
        match severity {
            Severity::Critical => &mut self.critical,
            Severity::High => &mut self.high,
            Severity::Medium => &mut self.medium,
            Severity::Low => &mut self.low,
            Severity::Info => &mut self.info,
        }
    }
}
