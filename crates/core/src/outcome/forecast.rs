//! The forecast as data: what `prodpin forecast --format json` prints. Its JSON Schema (`prodpin schema forecast`) is a
//! contract: add, never rename.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Advice, ArtifactId, Digest, Gap, RepositoryName, Severity, SourceName, Threat, Toll};
use crate::outcome::report::{FindingCounts, TargetReport};

/// The whole forecast, for its schema; it is written piece by piece and never held whole.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ForecastDocument {
    /// About the forecast itself.
    pub forecast: ForecastSection,
    /// In numbers.
    pub summary: ForecastSummary,
    /// Every repository.
    pub repositories: Vec<RepositoryForecast>,
}

/// About the forecast itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ForecastSection {
    /// When the repositories were looked at.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The date that was asked about.
    #[schemars(with = "Option<String>")]
    pub as_of: Option<Timestamp>,
    /// SHA-256 of the rules that were tried in place of the live ones; none where the live ones were judged.
    #[schemars(with = "Option<String>")]
    pub tried_sha256: Option<Digest>,
    /// SHA-256 of the policy's text.
    #[schemars(with = "String")]
    pub policy_sha256: Digest,
    /// Whether everything needed was read and understood. What was not is never safe.
    pub complete: bool,
    /// What could not be read of sources, and of what runs.
    pub gaps: Vec<Gap>,
}

/// The forecast in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForecastSummary {
    /// Repositories.
    pub repositories: u64,
    /// Repositories whose rules could not be read or understood.
    pub unknown: u64,
    /// Repositories of sources that have no rules that can be read. That says nothing of what cleans up there.
    pub unreadable: u64,
    /// Rollback targets.
    pub targets: u64,
    /// Rollback targets that a rule reaches, or will come to reach.
    pub threatened: u64,
    /// Those targets by how much it matters.
    pub severities: FindingCounts,
}

/// One repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RepositoryForecast {
    /// Its source.
    #[schemars(with = "String")]
    pub source: SourceName,
    /// Its name there.
    #[schemars(with = "String")]
    pub name: RepositoryName,
    /// Whether everything about it was read and understood.
    pub complete: bool,
    /// What was not read.
    pub gaps: Vec<Gap>,
    /// Which rules were judged.
    pub rules: RulesFound,
    /// The rollback targets, most recent first.
    pub targets: Vec<TargetForecast>,
    /// Everything else in the repository; none where it is not known.
    pub others: Option<OthersForecast>,
    /// What to mend in the rules.
    pub advice: Vec<Advice>,
    /// How the source's own preview compares; none unless it was asked for.
    pub preview: Option<Preview>,
}

/// Which lifecycle rules a repository has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum RulesFound {
    /// The source has none that prodpin can read. That says nothing of what cleans up there.
    NoneReadable,
    /// Definitively none are set.
    NoneSet,
    /// They, or something that they count, could not be read or understood.
    Unknown {
        /// What.
        detail: String,
    },
    /// The live ones.
    Live,
    /// Others, tried in the place of the live ones.
    Tried,
}

/// One rollback target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TargetForecast {
    /// The target, as reports tell it.
    #[serde(flatten)]
    pub target: TargetReport,
    /// What reaches it although it is pinned, or once it is; the soonest first.
    pub threats: Vec<Threat>,
    /// What takes it first as long as it is not pinned; none where it is, or where a pin would not help.
    pub unless_pinned: Option<Threat>,
    /// What is left of it at the date that was asked about.
    #[serde(rename = "fate")]
    pub outlook: Option<TargetOutlook>,
    /// How much it matters; none where no rule reaches it.
    pub severity: Option<Severity>,
    /// What to do.
    pub remedy: Option<String>,
}

/// What rules leave of an artifact by some date; pushes are taken to go on at the present pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Fate")]
pub enum TargetOutlook {
    /// No rule reaches it by then.
    Stays,
    /// It is gone, or hidden.
    Gone,
    /// It must be restored from an archive.
    Archived,
    /// It is gone or archived unless it is pinned before.
    LostUnlessPinned,
    /// It could not be told.
    Unknown,
}

/// What is no rollback target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OthersForecast {
    /// How many artifacts.
    pub artifacts: u64,
    /// What the rules would do now.
    pub now: Toll,
    /// What they would have done by the date that was asked about, if nothing is pushed until then.
    pub by_then: Option<Toll>,
}

/// The source's own preview of its rules beside the simulation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Preview {
    /// Compared.
    Compared {
        /// How many artifacts both say the same of.
        agreed: u64,
        /// Where they differ.
        differences: Vec<Difference>,
        /// How many more differences there are than are listed.
        more: u64,
    },
    /// The source has no preview.
    Unsupported,
    /// It was asked for and could not be had, or there is nothing to compare it with.
    Failed {
        /// Why.
        detail: String,
    },
}

/// One artifact of which simulation and preview say different things.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Which.
    #[schemars(with = "String")]
    pub artifact: ArtifactId,
    /// What the simulation says; none: it stays.
    pub simulated: Option<String>,
    /// What the source says; none: it stays.
    pub previewed: Option<String>,
    /// Why they may differ, and which to believe.
    pub note: String,
}

impl ForecastSummary {
    /// Counts one more repository.
    pub fn add(&mut self, row: &RepositoryForecast) {
        self.repositories += 1;
        self.unknown += u64::from(matches!(row.rules, RulesFound::Unknown { .. }));
        self.unreadable += u64::from(row.rules == RulesFound::NoneReadable);
        self.targets += row.targets.len() as u64;
        for severity in row.targets.iter().filter_map(|target| target.severity) {
            self.threatened += 1;
            self.severities.add(severity);
        }
    }
}
