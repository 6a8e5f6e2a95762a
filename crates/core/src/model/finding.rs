//! Findings: what a person should know, each with a stable code.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attribution, RepositoryKey, RepositoryName, SourceName};

/// How much a finding matters, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth recording, nothing to do.
    Info,
    /// Look when there is time.
    Low,
    /// Look this week.
    Medium,
    /// Look today.
    High,
    /// A rollback would fail, or production's bytes changed.
    Critical,
}

impl Severity {
    /// All of them, least first.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The name used in policies, flags and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal,)+) => {
        /// The stable code of a kind of finding. Codes are part of the contract: add, never rename.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Code {
            $($(#[doc = $doc])+ #[serde(rename = $code)] $variant,)+
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code as users see it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// What it means, in one sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc,)+).trim_ascii(),)+ }
            }
        }
    };
}

codes! {
    /// A tag points at other bytes than before.
    TagMoved = "tag-moved",
    /// A tag is gone, by direct look-up in two runs.
    TagDeleted = "tag-deleted",
    /// A tag that was gone is back.
    TagRecreated = "tag-recreated",
    /// A tag moved away and came back to bytes it had before.
    TagFlapped = "tag-flapped",
    /// Many tags moved in one run.
    TagsMovedTogether = "tags-moved-together",
    /// An S3 key was written again with other bytes.
    ObjectOverwritten = "object-overwritten",
    /// A chart version was published again with other bytes.
    ChartRepublished = "chart-republished",
    /// A chart repository's index and the archive it names do not agree.
    ChartDigestMismatch = "chart-digest-mismatch",
    /// A rollback target does not exist any more.
    TargetMissing = "target-missing",
    /// A rollback target lacks a part: a platform's manifest, a layer, a config.
    TargetBroken = "target-broken",
    /// A rollback target lies in archive storage and must be restored first.
    TargetArchived = "target-archived",
    /// A delete marker hides a rollback target from readers that use its key.
    TargetHidden = "target-hidden",
    /// Fewer rollback targets than the policy keeps.
    RollbackDepthShort = "rollback-depth-short",
    /// Nothing tells which of two releases is the newer one.
    ReleaseOrderDoubtful = "release-order-doubtful",
    /// A rollback target has no pin.
    PinMissing = "pin-missing",
    /// A pin is there but does not keep the artifact.
    PinIneffective = "pin-ineffective",
    /// A pin tag names another artifact than the one in its name.
    PinMoved = "pin-moved",
    /// A pin was not made, because live cleanup rules would take an artifact sooner with it than without it.
    PinRefused = "pin-refused",
    /// A live lifecycle rule would take or slow a rollback target.
    LifecycleCollision = "lifecycle-collision",
    /// Release tags or pins can be overwritten where they live.
    TagsMutable = "tags-mutable",
    /// The bucket keeps no old versions.
    VersioningOff = "versioning-off",
    /// The bucket has no Object Lock, so no pin can hold.
    ObjectLockOff = "object-lock-off",
    /// Somebody beside the principals that the policy names may delete artifacts or change what protects them.
    DeleteAllowed = "delete-allowed",
    /// A registry does not expose its cleanup rules, so that nothing proves that pins hold there.
    CleanupUnknown = "cleanup-unknown",
    /// Protection settings differ from the last run.
    SettingsChanged = "settings-changed",
    /// A workload names its artifact by a tag, so that what it starts next may be something else.
    WorkloadOnMutableTag = "workload-on-mutable-tag",
    /// A workload runs other bytes than its tag names now.
    WorkloadDigestDrift = "workload-digest-drift",
    /// A platform keeps fewer revisions of a workload than the policy keeps releases.
    HistoryShort = "history-short",
    /// A registry, bucket or chart repository gave two answers that cannot both be true.
    RegistryContradiction = "registry-contradiction",
    /// A list or index does not name what is still served.
    ListingCut = "listing-cut",
    /// What a build wrote beside a rollback target's platforms is gone: an attestation, a bill of materials.
    AttestationMissing = "attestation-missing",
    /// Not everything could be read.
    InventoryIncomplete = "inventory-incomplete",
    /// A policy entry matches nothing.
    PolicyUnmatched = "policy-unmatched",
    /// Runs that the policy's schedule asks for did not take place.
    RunOverdue = "run-overdue",
    /// A waiver in the policy has run out.
    WaiverExpired = "waiver-expired",
    /// This machine's clock is behind the ledger's.
    ClockSkew = "clock-skew",
    /// The ledger's key was given up for lost, and another one put in its place without its signature.
    LedgerKeyReplaced = "ledger-key-replaced",
    /// A source has pins, and the ledger has no record of it: the history that made them is missing.
    LedgerHistoryMissing = "ledger-history-missing",
    /// A pin that is not on record, beside a history that is.
    PinUnknown = "pin-unknown",
    /// A file of the ledger that follows from the signed commits was not what they say; it was rebuilt from them.
    LedgerStateDamaged = "ledger-state-damaged",
    /// Files stand among the ledger's commits that are none: somebody else writes there, or a commit was changed.
    LedgerForeignFiles = "ledger-foreign-files",
    /// A rollback target is there, and a rule of the registry keeps it from being pulled.
    TargetNotPullable = "target-not-pullable",
    /// Rollback targets do not survive what the policy requires them to survive, or that is unknown.
    RequirementUnmet = "requirement-unmet",
    /// A rollback target is pinned, and manifests that belong to it are not.
    PinChildrenUnprotected = "pin-children-unprotected",
    /// A signature, or something else that was attached to a rollback target, is gone.
    SignatureMissing = "signature-missing",
    /// The vault does not hold every rollback target whole.
    VaultIncomplete = "vault-incomplete",
    /// An audit trail names who moved or deleted a tag.
    TagAttributed = "tag-attributed",
}

impl Code {
    /// Whether findings of this kind tell what happened rather than what is the case. An event is reported by the run that saw
    /// it and is not resolved by time; a condition is opened and resolved on record.
    // Without a wildcard: a new code has to say which of the two it is.
    #[must_use]
    pub const fn is_event(self) -> bool {
        match self {
            Self::TagMoved
            | Self::TagDeleted
            | Self::TagAttributed
            | Self::TagRecreated
            | Self::TagFlapped
            | Self::TagsMovedTogether
            | Self::ObjectOverwritten
            | Self::ChartRepublished
            | Self::SettingsChanged => true,
            Self::ChartDigestMismatch
            | Self::TargetMissing
            | Self::TargetBroken
            | Self::TargetArchived
            | Self::TargetHidden
            | Self::RollbackDepthShort
            | Self::ReleaseOrderDoubtful
            | Self::PinMissing
            | Self::PinIneffective
            | Self::PinMoved
            | Self::PinRefused
            | Self::LifecycleCollision
            | Self::TagsMutable
            | Self::VersioningOff
            | Self::ObjectLockOff
            | Self::DeleteAllowed
            | Self::CleanupUnknown
            | Self::WorkloadOnMutableTag
            | Self::WorkloadDigestDrift
            | Self::HistoryShort
            | Self::RegistryContradiction
            | Self::ListingCut
            | Self::AttestationMissing
            | Self::InventoryIncomplete
            | Self::PolicyUnmatched
            | Self::RunOverdue
            | Self::WaiverExpired
            | Self::ClockSkew
            | Self::LedgerKeyReplaced
            | Self::LedgerHistoryMissing
            | Self::PinUnknown
            | Self::LedgerStateDamaged
            | Self::LedgerForeignFiles
            | Self::TargetNotPullable
            | Self::RequirementUnmet
            | Self::PinChildrenUnprotected
            | Self::SignatureMissing
            | Self::VaultIncomplete => false,
        }
    }

    /// Whether a finding of this kind is about a name that points at other bytes than before, or at none.
    #[must_use]
    pub const fn is_move(self) -> bool {
        match self {
            Self::SettingsChanged | Self::TagAttributed => false,
            // A condition, for it stays until somebody mends it; what it tells is a move all the same.
            Self::PinMoved => true,
            other => other.is_event(),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Something a person should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What kind of finding it is.
    pub code: Code,
    /// How much it matters here.
    pub severity: Severity,
    /// The source it is about; none for the policy as a whole.
    #[schemars(with = "Option<String>")]
    pub source: Option<SourceName>,
    /// The repository it is about; none for a whole source.
    #[schemars(with = "Option<String>")]
    pub repository: Option<RepositoryName>,
    /// The tag, key or policy entry it is about.
    pub reference: Option<String>,
    /// The artifact it is about.
    pub artifact: Option<String>,
    /// What the reference pointed at before.
    pub previous: Option<String>,
    /// Who moved or deleted the tag, where an audit trail names somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_by: Option<Attribution>,
    /// When prodpin first saw it.
    #[schemars(with = "String")]
    pub first_seen: Timestamp,
    /// The ledger commit that holds the evidence; none when the run kept no ledger.
    // Committed before it is reported (I10).
    pub ledger_sequence: Option<u64>,
    /// What is the case, in one sentence.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// Who accepted it in the policy, why and until when. A waived finding is shown, and does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived: Option<Waived>,
}

impl Finding {
    /// First seen now. What it is about is added by the methods below; without them it is about the policy, or the run.
    #[must_use]
    pub fn new(
        code: Code,
        severity: Severity,
        message: impl Into<String>,
        remedy: impl Into<String>,
        now: Timestamp,
    ) -> Self {
        Self {
            code,
            severity,
            source: None,
            repository: None,
            reference: None,
            artifact: None,
            previous: None,
            moved_by: None,
            first_seen: now,
            ledger_sequence: None,
            message: message.into(),
            remedy: remedy.into(),
            waived: None,
        }
    }

    /// About a whole source, or about the policy or the run where no source is named.
    #[must_use]
    pub fn at_large(
        code: Code,
        severity: Severity,
        source: Option<&SourceName>,
        message: impl Into<String>,
        remedy: impl Into<String>,
        now: Timestamp,
    ) -> Self {
        Self { source: source.cloned(), ..Self::new(code, severity, message, remedy, now) }
    }

    /// About this repository.
    #[must_use]
    pub fn of_repository(self, key: &RepositoryKey) -> Self {
        Self { source: Some(key.source.clone()), repository: Some(key.name.clone()), ..self }
    }

    /// About this tag, key or policy entry.
    #[must_use]
    pub fn naming(self, reference: impl Into<String>) -> Self {
        Self { reference: Some(reference.into()), ..self }
    }
}

/// The part of a waiver that a finding carries, so that a report says by itself why it does not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Waived {
    /// Why it is accepted.
    pub reason: String,
    /// Who answers for that.
    pub owner: String,
    /// The last day on which it holds, in UTC.
    #[schemars(with = "String")]
    pub expires: Date,
}
