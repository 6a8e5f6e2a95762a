//! Which controls of common standards a kind of finding is evidence about. A finding is no verdict about a control: it is what an
//! auditor of that control wants to see.

use super::Code;

/// What a finding is about, in an auditor's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControlArea {
    /// Whether production can be brought back to a release that worked.
    Recovery,
    /// Whether what was released is still what runs and what its name says.
    ChangeControl,
    /// Who may change or delete releases, and whether settings let them.
    AccessToReleases,
    /// Whether the record of what happened can be relied on.
    AuditRecord,
    /// Whether everything in scope is watched, on time.
    Monitoring,
    /// Whether a release can be traced to its build.
    Provenance,
}

/// A control of a standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComplianceControl {
    /// The standard, with its version.
    pub standard: &'static str,
    /// The control's number there.
    pub number: &'static str,
}

const SOC_2: &str = "SOC 2 (TSC 2017)";
const ISO_27001: &str = "ISO/IEC 27001:2022";
const NIST_800_53: &str = "NIST SP 800-53 Rev. 5";
const PCI_DSS: &str = "PCI DSS 4.0.1";
const CIS: &str = "CIS Controls 8";

macro_rules! controls {
    ($($standard:ident $number:literal),+ $(,)?) => {
        &[$(ComplianceControl { standard: $standard, number: $number }),+]
    };
}

impl ControlArea {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Recovery,
        Self::ChangeControl,
        Self::AccessToReleases,
        Self::AuditRecord,
        Self::Monitoring,
        Self::Provenance,
    ];

    /// In a few words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recovery => "recovery",
            Self::ChangeControl => "change control",
            Self::AccessToReleases => "access to releases",
            Self::AuditRecord => "audit record",
            Self::Monitoring => "monitoring",
            Self::Provenance => "provenance",
        }
    }

    /// The controls, a standard after the other.
    #[must_use]
    pub const fn controls(self) -> &'static [ComplianceControl] {
        match self {
            Self::Recovery => controls![
                SOC_2 "A1.2", SOC_2 "CC8.1", ISO_27001 "A.8.13", NIST_800_53 "CP-9", NIST_800_53 "CP-10", PCI_DSS "6.5.1",
                CIS "11.2",
            ],
            Self::ChangeControl => controls![
                SOC_2 "CC8.1", ISO_27001 "A.8.32", NIST_800_53 "CM-3", NIST_800_53 "SI-7", PCI_DSS "6.5.1", CIS "16.1",
            ],
            Self::AccessToReleases => controls![
                SOC_2 "CC6.1", ISO_27001 "A.8.9", NIST_800_53 "CM-5", NIST_800_53 "CP-9", PCI_DSS "7.2.1", CIS "11.3",
            ],
            Self::AuditRecord => controls![
                SOC_2 "CC7.2", ISO_27001 "A.8.15", NIST_800_53 "AU-9", NIST_800_53 "AU-10", PCI_DSS "10.3.2", CIS "8.1",
            ],
            Self::Monitoring => controls![
                SOC_2 "CC7.1", ISO_27001 "A.8.16", NIST_800_53 "CA-7", PCI_DSS "10.4.1", CIS "8.11",
            ],
            Self::Provenance => controls![
                SOC_2 "CC8.1", ISO_27001 "A.8.32", NIST_800_53 "CM-14", NIST_800_53 "SR-4", PCI_DSS "6.3.2", CIS "16.4",
            ],
        }
    }
}

impl Code {
    /// What a finding of this kind is about.
    // Without a wildcard: a new code has to say.
    #[must_use]
    pub const fn control_area(self) -> ControlArea {
        match self {
            Self::TargetMissing
            | Self::TargetBroken
            | Self::TargetArchived
            | Self::TargetHidden
            | Self::TargetNotPullable
            | Self::RollbackDepthShort
            | Self::ReleaseOrderDoubtful
            | Self::PinMissing
            | Self::PinIneffective
            | Self::PinMoved
            | Self::PinRefused
            | Self::PinChildrenUnprotected
            | Self::LifecycleCollision
            | Self::CleanupUnknown
            | Self::HistoryShort
            | Self::RequirementUnmet
            | Self::VaultIncomplete => ControlArea::Recovery,
            Self::TagMoved
            | Self::TagDeleted
            | Self::TagAttributed
            | Self::TagRecreated
            | Self::TagFlapped
            | Self::TagsMovedTogether
            | Self::ObjectOverwritten
            | Self::ChartRepublished
            | Self::ChartDigestMismatch
            | Self::WorkloadOnMutableTag
            | Self::WorkloadDigestDrift => ControlArea::ChangeControl,
            Self::TagsMutable
            | Self::VersioningOff
            | Self::ObjectLockOff
            | Self::DeleteAllowed
            | Self::SettingsChanged => ControlArea::AccessToReleases,
            Self::LedgerKeyReplaced
            | Self::LedgerHistoryMissing
            | Self::LedgerStateDamaged
            | Self::LedgerForeignFiles
            | Self::PinUnknown
            | Self::ClockSkew => ControlArea::AuditRecord,
            Self::RegistryContradiction
            | Self::ListingCut
            | Self::InventoryIncomplete
            | Self::PolicyUnmatched
            | Self::RunOverdue
            | Self::WaiverExpired => ControlArea::Monitoring,
            Self::AttestationMissing | Self::SignatureMissing => ControlArea::Provenance,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_area_names_a_control_of_each_standard_once() {
        for area in ControlArea::ALL {
            let standards: BTreeSet<&str> = area.controls().iter().map(|control| control.standard).collect();
            assert_eq!(standards, [SOC_2, ISO_27001, NIST_800_53, PCI_DSS, CIS].into(), "{area:?}");
            let numbers: BTreeSet<&str> = area.controls().iter().map(|control| control.number).collect();
            assert_eq!(numbers.len(), area.controls().len(), "{area:?}");
            assert!(Code::ALL.iter().any(|code| code.control_area() == area), "{area:?} is of no finding");
        }
    }
}
