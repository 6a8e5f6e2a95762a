//! The report as data: what `--format json` prints, what the ledger keeps, and what every other format is drawn from.
//! Its JSON Schema (`prodpin schema report`) is a contract: add, never rename.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    ArtifactId, Code, Counts, Digest, Finding, Gap, Mode, Obstacle, RepositoryKey, RepositoryName, RunId, RunScope,
    Severity, SourceName, Survives, Tag,
};

pub use super::drilled::DrillReport;
pub use super::finding_counts::FindingCounts;
pub use super::rollback::Rollback;
use super::status::{ServiceCounts, ServiceStatus};

/// About the run itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunSection {
    /// The run's id.
    pub id: RunId,
    /// How it was meant.
    pub mode: Mode,
    /// When it started.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When it finished.
    #[schemars(with = "String")]
    pub finished: Timestamp,
    /// Whether everything that the run was about was read. Not everything read is never "all is well".
    pub complete: bool,
    /// What it was about: the whole policy, unless it was narrowed.
    #[serde(default, skip_serializing_if = "RunScope::is_whole")]
    pub scope: RunScope,
    /// SHA-256 of the policy's text.
    #[schemars(with = "String")]
    pub policy_sha256: Digest,
    /// The ledger as this run left it; none when it kept no ledger.
    pub ledger: Option<LedgerSection>,
}

/// A position in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerSection {
    /// The number of the commit.
    pub sequence: u64,
    /// The root hash of the log at that commit, in base64.
    pub root: String,
    /// That commit's checkpoint, a C2SP signed note: kept elsewhere, it proves later what the ledger said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// Why the ledger's anchor could not be compared or does not hold this commit, where that is known: then the run is
    /// incomplete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unanchored: Option<String>,
    /// Why this is not the ledger that is remembered, where something outside it says so: then what is shown is what is
    /// left of a history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_missing: Option<String>,
    /// Whether nobody signed that commit: then whoever can write to the ledger can forge what it says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsigned: bool,
}

/// What an unsigned ledger means, for the first lines of every page.
pub const UNSIGNED: &str = "The ledger has no key: whoever can write to it can forge what this report says of the past. \
                            Set ledger_key in the policy, or PRODPIN_LEDGER_KEY.";

/// What comes first of a ledger that is not the one that is remembered.
pub const NOT_REMEMBERED: &str = "NOT THE LEDGER THAT IS REMEMBERED:";

/// What comes first of a ledger of which nobody knows that.
pub const NOT_COMPARED: &str = "NOT COMPARED WITH THE ANCHOR:";

impl LedgerSection {
    /// What to say of it before anything else, and why.
    #[must_use]
    pub fn doubt(&self) -> Option<(&'static str, &str)> {
        let missing = self.history_missing.as_deref().map(|why| (NOT_REMEMBERED, why));
        missing.or_else(|| self.unanchored.as_deref().map(|why| (NOT_COMPARED, why)))
    }

    /// Commit and root in one word, as `prodpin verify --since` takes it: with this kept elsewhere, it can be proven later
    /// that nothing before was changed.
    #[must_use]
    pub fn position(&self) -> String {
        format!("{}:{}", self.sequence, self.root)
    }

    /// What a commit's checkpoint says of the ledger.
    #[must_use]
    pub fn new(sequence: u64, root: String, checkpoint: Option<String>) -> Self {
        // Signatures follow a blank line.
        let unsigned = checkpoint.as_ref().is_some_and(|note| !note.contains("\n\n"));
        Self { sequence, root, checkpoint, unanchored: None, history_missing: None, unsigned }
    }
}

/// The whole run in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// How much was seen and protected.
    #[serde(flatten)]
    pub counts: Counts,
    /// How much was found.
    pub findings: FindingCounts,
    /// Services by their status.
    #[serde(default)]
    pub services: ServiceCounts,
}

/// One repository: can it be rolled back, to what, and what stands in the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RepositoryReport {
    /// Its source.
    #[schemars(with = "String")]
    pub source: SourceName,
    /// Its name there.
    #[schemars(with = "String")]
    pub name: RepositoryName,
    /// Whether everything about it was read.
    pub complete: bool,
    /// What was not.
    pub gaps: Vec<Gap>,
    /// How much was seen.
    pub counts: Counts,
    /// Whether it can be rolled back now.
    pub rollback: Rollback,
    /// The rollback targets, most recent first.
    pub targets: Vec<TargetReport>,
}

impl RepositoryReport {
    /// Whether every rollback target is protected, as far as that is known.
    fn is_protected(&self) -> Option<bool> {
        let is = |fact: Option<bool>| move |target: &TargetReport| target.protected == fact;
        if self.targets.iter().any(is(Some(false))) {
            return Some(false);
        }
        (self.complete && !self.targets.is_empty() && self.targets.iter().all(is(Some(true)))).then_some(true)
    }

    /// A repository that the run did not come to: nothing is known of it, and nothing said.
    #[must_use]
    pub fn unread(key: RepositoryKey, keep: u32, gap: Gap) -> Self {
        Self {
            source: key.source,
            name: key.name,
            complete: false,
            gaps: vec![gap],
            counts: Counts::default(),
            rollback: Rollback {
                status: None,
                intact: None,
                protected: None,
                ready: None,
                current: None,
                from: None,
                went_back_from: None,
                to: None,
                depth: 0,
                earlier: None,
                keep,
                unknown: None,
                contracted: None,
            },
            targets: Vec::new(),
        }
    }
}

/// One rollback target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TargetReport {
    /// The artifact.
    #[schemars(with = "String")]
    pub artifact: ArtifactId,
    /// Its place among the most recent, from 1; none for what is kept beside them (running elsewhere, moved in).
    pub rank: Option<u32>,
    /// Tags that name it now, pins left out: first those by which workloads name it, then release tags.
    #[schemars(with = "Vec<String>")]
    pub references: Vec<Tag>,
    /// Why it is a target: all reasons.
    pub reasons: Vec<Reason>,
    /// Whether something names it as running now.
    pub running: bool,
    /// Its pin.
    pub pin: PinReport,
    /// Whether it is intact: every part is proven to be there and can be fetched, now. `null`: could not be told.
    pub restorable: Option<bool>,
    /// Whether it is protected: intact, its pin read back, and surviving tag cleanup, untagged cleanup and every live
    /// lifecycle rule. `null`: could not be told.
    pub protected: Option<bool>,
    /// What stands in the way.
    pub obstacles: Vec<Obstacle>,
    /// What it survives, each with why. `protected` is true exactly where it is intact, pinned, and survives tag cleanup,
    /// untagged cleanup and lifecycle rules. A report of a program before has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survives: Option<Survives>,
    /// What belongs to it and has pins of its own, or is to have them; left out where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<PartsReport>,
    /// Whether the vault holds it whole, where the policy names one. Left out where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultState>,
    /// The last drill from each place: every byte read and hashed. Left out where there was none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drills: Vec<DrillReport>,
}

/// How many manifests that belong to a target have pins of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartsReport {
    /// Manifests below it: platforms, indexes, attestations.
    pub below: u64,
    /// What is attached to it and to them and is pinned with it: signatures, attestations, bills of materials.
    pub attached: u64,
    /// How many of these are pinned, by read-back.
    pub pinned: u64,
    /// How many `enforce` would pin.
    pub planned: u64,
    /// How many of those pinned this run made and read back.
    pub created: u64,
}

/// What the vault holds of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VaultState {
    /// Every manifest, read and hashed, and every blob, of the right size.
    Kept,
    /// Not all of it.
    Missing,
    /// Could not be told.
    Unknown,
}

/// The state of a target's pin after the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PinReport {
    /// It was there.
    Present,
    /// This run made it and read it back.
    Created,
    /// `enforce` would make it.
    Planned,
    /// It could not be made, or could not be read back.
    Failed,
    /// It was not made, because live cleanup rules would take an artifact sooner with it than without it.
    Refused,
    /// This source cannot pin so that it holds.
    Unsupported,
    /// Not made on purpose: what cleans up in this registry is not known, and a pin might push a release out.
    Withheld,
    /// Nothing to pin: the artifact is missing, incomplete, or could not be read.
    Absent,
}

/// Why an artifact is a rollback target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Reason {
    /// A release tag names it.
    ReleaseTag {
        /// The tag.
        #[schemars(with = "String")]
        tag: Tag,
    },
    /// A release tag named it when first seen, and names something else now, or is gone.
    ReleasedAs {
        /// The tag.
        #[schemars(with = "String")]
        tag: Tag,
    },
    /// A release tag was moved to these bytes: kept beside the five, flagged, never in place of an earlier target.
    MovedIn {
        /// The tag.
        #[schemars(with = "String")]
        tag: Tag,
    },
    /// The moving tag names it now.
    MovingTagNow {
        /// The tag.
        #[schemars(with = "String")]
        tag: Tag,
    },
    /// The moving tag named it before.
    MovingTagBefore {
        /// The tag.
        #[schemars(with = "String")]
        tag: Tag,
    },
    /// Named as running now.
    Running {
        /// By whom.
        via: String,
    },
    /// Named as running before.
    RanBefore {
        /// By whom.
        via: String,
    },
    /// Wanted now, by something of which no such pod runs: scaled to zero, paused, or not coming up.
    Wanted {
        /// By whom.
        via: String,
    },
    /// Wanted before, and never seen to run.
    WantedBefore {
        /// By whom.
        via: String,
    },
}

/// One row of a report's body: a repository with its findings, or findings about no repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The repository; none for findings about sources and the policy.
    pub repository: Option<RepositoryReport>,
    /// Its findings, most severe first.
    pub findings: Vec<Finding>,
}

impl Row {
    /// Puts the service in one word, now that it is known what is waived.
    pub fn judge(&mut self) {
        let Some(repository) = &mut self.repository else { return };
        let status = ServiceStatus::from_report(repository, &self.findings);
        repository.rollback.status = Some(status);
        repository.rollback.protected = match status {
            ServiceStatus::NoEarlierRelease => None,
            _ => repository.is_protected(),
        };
    }
}

/// The version of the documents `report` and `ready`: 2 since they have `status`, `intact`, `protected` and services by their
/// status.
pub const SCHEMA: u32 = 2;

/// The shape of the whole JSON report, for its schema; it is written piece by piece and never held whole.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// The version of this shape.
    pub schema: u32,
    /// About the run.
    pub run: RunSection,
    /// In numbers.
    pub summary: Summary,
    /// Every repository.
    pub repositories: Vec<RepositoryReport>,
    /// Every finding.
    pub findings: Vec<Finding>,
}

/// The order of findings wherever they are listed: most severe first, then by code and name.
#[must_use]
pub fn finding_order(finding: &Finding) -> (std::cmp::Reverse<Severity>, Code, Option<&str>, Option<&str>) {
    (
        std::cmp::Reverse(finding.severity),
        finding.code,
        finding.repository.as_ref().map(RepositoryName::as_str),
        finding.reference.as_deref(),
    )
}

/// [`finding_order`] with every tie broken, so that a report's bytes do not depend on the order findings came in.
#[must_use]
pub fn total_finding_order(a: &Finding, b: &Finding) -> std::cmp::Ordering {
    let rest = |finding: &Finding| {
        let Finding {
            source, artifact, previous, moved_by, first_seen, ledger_sequence, message, remedy, waived, ..
        } = finding.clone();
        (source, artifact, previous, first_seen, ledger_sequence, message, remedy, waived, moved_by)
    };
    finding_order(a).cmp(&finding_order(b)).then_with(|| rest(a).cmp(&rest(b)))
}
