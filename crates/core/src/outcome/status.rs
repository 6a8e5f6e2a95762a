//! How a service is placed for a rollback, in one word: decided here and nowhere else, and shown by the report, each of its
//! exports and the page about going back (I31).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Finding, Severity};

use super::report::RepositoryReport;

/// The status of a service, the greatest danger to a rollback first. Three words have one meaning each wherever they
/// stand: *intact*: every part is proven to be there. *Protected*: intact, the pin read back, and outliving cleanup as
/// far as the source shows it; of a service, that each of its rollback targets is. *Ready*: protected, and known that the
/// database allows the way back, which only `prodpin ready` finds out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceStatus {
    /// It cannot be rolled back: what it could go back to is lost, or does not work on today's database.
    NotReady,
    /// It can, or may, and something critical says that it soon cannot.
    InDanger,
    /// It could not be told.
    Unknown,
    /// It can, and not every rollback target is known to be protected.
    NotProtected,
    /// No earlier release is known, and nothing that was known is lost: no failure, and not ready.
    NoEarlierRelease,
    /// It can, and every target is protected. Whether the database allows it is not known.
    Protected,
    /// Protected, and the database allows the way back.
    Ready,
}

impl ServiceStatus {
    /// All of them, the greatest danger first.
    pub const ALL: [Self; 7] = [
        Self::NotReady,
        Self::InDanger,
        Self::Unknown,
        Self::NotProtected,
        Self::NoEarlierRelease,
        Self::Protected,
        Self::Ready,
    ];

    /// As programs read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotReady => "not_ready",
            Self::InDanger => "in_danger",
            Self::Unknown => "unknown",
            Self::NotProtected => "not_protected",
            Self::NoEarlierRelease => "no_earlier_release",
            Self::Protected => "protected",
            Self::Ready => "ready",
        }
    }

    /// As people read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotReady => "not ready",
            Self::InDanger => "in danger",
            Self::Unknown => "unknown",
            Self::NotProtected => "not protected",
            Self::NoEarlierRelease => "no earlier release",
            Self::Protected => "protected",
            Self::Ready => "ready",
        }
    }

    /// Of a service in a report. Unknown is never counted as protected, protected is never said of what was not read whole,
    /// and nothing is called ready before images were asked about the database.
    #[must_use]
    pub fn from_report(row: &RepositoryReport, findings: &[Finding]) -> Self {
        let is_open = |finding: &Finding| finding.waived.is_none() && finding.severity == Severity::Critical;
        let critical = findings.iter().any(is_open);
        let unprotected = row.targets.iter().any(|target| target.protected != Some(true));
        let lost = row.targets.iter().any(|target| target.restorable == Some(false));
        match (row.rollback.ready, row.rollback.intact) {
            (Some(false), _) if lost || critical || row.rollback.contracted.is_some() => Self::NotReady,
            _ if critical => Self::InDanger,
            (Some(false), _) => Self::NoEarlierRelease,
            (_, Some(true)) if unprotected => Self::NotProtected,
            (_, Some(true)) if row.complete => Self::Protected,
            // Of what was not read whole, nothing more is known than that there is a way back.
            (_, _) => Self::Unknown,
        }
    }
}

/// Services by their status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceCounts {
    /// It cannot be rolled back.
    pub not_ready: u64,
    /// Something critical is open.
    pub in_danger: u64,
    /// It could not be told.
    pub unknown: u64,
    /// There is a way back, and not every target is known to be protected.
    pub not_protected: u64,
    /// No earlier release is known.
    pub no_earlier_release: u64,
    /// Every target is protected; whether the database allows the way back is not known.
    pub protected: u64,
    /// Protected, and the database allows it. A report counts none here: `prodpin ready` does.
    pub ready: u64,
}

impl ServiceCounts {
    /// Counts one more.
    pub fn add(&mut self, status: ServiceStatus) {
        *self.slot(status) += 1;
    }

    /// Takes back that one was counted.
    pub fn remove(&mut self, status: ServiceStatus) {
        *self.slot(status) -= 1;
    }

    /// How many have this status.
    #[must_use]
    pub fn of(mut self, status: ServiceStatus) -> u64 {
        *self.slot(status)
    }

    /// All services.
    #[must_use]
    pub fn total(self) -> u64 {
        ServiceStatus::ALL.into_iter().map(|status| self.of(status)).sum()
    }

    fn slot(&mut self, status: ServiceStatus) -> &mut u64 {
        match status {
            ServiceStatus::NotReady => &mut self.not_ready,
            ServiceStatus::InDanger => &mut self.in_danger,
            ServiceStatus::Unknown => &mut self.unknown,
            ServiceStatus::NotProtected => &mut self.not_protected,
            ServiceStatus::NoEarlierRelease => &mut self.no_earlier_release,
            ServiceStatus::Protected => &mut self.protected,
            ServiceStatus::Ready => &mut self.ready,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_called_the_same_wherever_it_is_written() {
        let mut counts = ServiceCounts::default();
        for status in ServiceStatus::ALL {
            counts.add(status);
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
            assert_eq!(status.word(), status.as_str().replace('_', " "));
            assert_eq!(serde_json::to_value(counts).unwrap()[status.as_str()], 1, "{status:?}");
        }
        assert_eq!(counts.total(), ServiceStatus::ALL.len() as u64);
        assert!(ServiceStatus::ALL.is_sorted());
    }
}
