//! The page about going back, as data: what `prodpin ready --format json` prints. Its JSON Schema
//! (`prodpin schema ready`) is a contract: add, never rename.

mod commands;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    ArtifactId, Commit, Digest, Effects, Evidence, Gap, Obstacle, RepositoryName, SchemaChange, Severity, SourceName,
    Tag, Threat, Waiting,
};
use crate::outcome::drilled::{DrillReport, RehearsalReport};
use crate::outcome::report::{FindingCounts, PinReport};
use crate::outcome::status::{ServiceCounts, ServiceStatus};

pub use self::commands::{Forward, Remembered, RollbackCommands, Undoing};

/// The whole document, for its schema; it is written piece by piece and never held whole.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReadyDocument {
    /// The version of this shape.
    pub schema: u32,
    /// About the look itself.
    pub ready: ReadySection,
    /// In numbers.
    pub summary: ReadySummary,
    /// Every repository that was asked about.
    pub repositories: Vec<RepositoryReady>,
}

/// About the look itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReadySection {
    /// When it was taken.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// SHA-256 of the policy's text.
    #[schemars(with = "String")]
    pub policy_sha256: Digest,
    /// Whether everything needed was read. What was not is never a yes.
    pub complete: bool,
    /// What could not be read of sources, and of what runs.
    pub gaps: Vec<Gap>,
    /// Only services of these statuses are listed, because nothing else was asked for; all of them if empty. The summary, and
    /// the exit status, are about every service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<ServiceStatus>,
}

/// The answers in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReadySummary {
    /// Repositories.
    pub repositories: u64,
    /// Those that can be rolled back: the way back is intact, and the database allows it.
    pub roll_back: u64,
    /// Those of them that are protected, too: ready.
    pub ready: u64,
    /// Those to roll forward.
    pub roll_forward: u64,
    /// Those without an earlier release yet.
    pub no_earlier_release: u64,
    /// Those for which it could not be told.
    pub unknown: u64,
    /// Services by their status.
    pub services: ServiceCounts,
    /// The same by how much it matters: not ready and in danger are critical, not knowing is high, no earlier release low.
    pub severities: FindingCounts,
}

/// One repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RepositoryReady {
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
    /// How many releases the policy keeps.
    pub keep: u32,
    /// In one word, as the report has it; `ready` where the database allows the way back, too.
    pub status: ServiceStatus,
    /// Roll back, or forward.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub why: String,
    /// What production runs, as far as known: one release, or both sides of a rollout.
    pub now: Vec<RunningNow>,
    /// What is wanted and does not run: scaled to zero, paused, or not coming up. It is kept, and is no way back.
    pub wanted: Vec<WantedNow>,
    /// What to go back from: what is being brought in, else what runs, else what is wanted.
    #[schemars(with = "Option<String>")]
    pub from: Option<ArtifactId>,
    /// What to go back to; where the verdict is unknown, what it would be.
    #[schemars(with = "Option<String>")]
    pub to: Option<ArtifactId>,
    /// What the questions are about: `to`, else what would have come first; `null` if there is no earlier release.
    #[schemars(with = "Option<String>")]
    pub asked: Option<ArtifactId>,
    /// What is named as running and does not exist.
    pub lacking: Vec<String>,
    /// Critical findings about it, each in one sentence.
    #[serde(default)]
    pub criticals: Vec<String>,
    /// The first question: has the database moved forward destructively since that release ran?
    pub database: Database,
    /// The second question: is that release intact? `null`: could not be told.
    pub intact: Option<bool>,
    /// How to find out what is unknown.
    pub find_out: Vec<String>,
    /// The releases there are, most recent first.
    #[serde(rename = "ladder")]
    pub releases: Vec<ListedRelease>,
    /// How to go back, for each workload.
    pub back: Vec<RollbackCommands>,
    /// How to go forward.
    pub forward: Forward,
    /// Commands that put releases back which the source has lost and the vault has, most recent first.
    #[serde(default)]
    pub restore: Vec<String>,
    /// What must be done by hand before some of these: a registry skips a push of a digest under which it has wrong bytes.
    #[serde(default)]
    pub restore_first: Vec<String>,
    /// Commands that put back what was deleted and the registry still keeps, most recent release first.
    #[serde(default)]
    pub undelete: Vec<String>,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The release before is intact, and the database has not moved on without it.
    RollBack,
    /// What there was to go back to is lost, or the database has moved on.
    RollForward,
    /// There is no earlier release yet, so that forward is the only way; nothing is lost.
    #[serde(rename = "no_earlier_release")]
    NoEarlierRelease,
    /// It could not be told.
    Unknown,
}

/// One thing that runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct RunningNow {
    /// What.
    #[schemars(with = "String")]
    pub artifact: ArtifactId,
    /// Who says so.
    pub via: String,
    /// What the platform calls this state of the workload.
    pub revision: Option<String>,
    /// Since when.
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// Whether it is on its way out: the workload brings another release in.
    pub leaving: bool,
    /// The client that wrote its images into the workload, by the name that it gives itself there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed_by: Option<String>,
}

/// One thing that is wanted, and of which nothing runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct WantedNow {
    /// What.
    #[schemars(with = "String")]
    pub artifact: ArtifactId,
    /// Who says so.
    pub via: String,
    /// What the platform calls this state of the workload.
    pub revision: Option<String>,
    /// Why it does not run. `null`: it could not be read in this run.
    pub why: Option<Waiting>,
    /// How its last analysis ended, where a progressive delivery shows that: `last analysis failed: error-rate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<String>,
}

/// Whether the database has moved forward destructively.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Database {
    /// `true`: what is gone back to would not work on it. `null`: could not be told.
    pub moved: Option<bool>,
    /// What each release did since.
    pub steps: Vec<Step>,
    /// What keeps the list of releases from being known to be whole.
    pub doubt: Option<String>,
    /// What a person must answer before going back. Left out where there is nothing to ask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<String>,
    /// What releases did since that no rollback undoes, beside the database: a person must answer for it before going back.
    /// Left out where nothing says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub irreversible: Vec<Irreversible>,
    /// Releases since of which it could not be told whether they did such a thing, and why. Left out where all were read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub irreversible_unknown: Vec<String>,
}

/// What a release did that no rollback undoes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Irreversible {
    /// The release.
    #[schemars(with = "String")]
    pub artifact: ArtifactId,
    /// What it did, in its makers' words.
    #[schemars(with = "String")]
    pub effects: Effects,
    /// Who says so.
    pub by: Vec<String>,
}

impl Database {
    /// Whether it is known what happened, and only a person's answer is missing.
    #[must_use]
    pub fn is_question(&self) -> bool {
        let known = |step: &Step| step.schema.is_some_and(|schema| schema != SchemaChange::Unknown);
        !self.questions.is_empty() && self.doubt.is_none() && self.steps.iter().all(known)
    }
}

/// What one release did to the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The release.
    #[schemars(with = "String")]
    pub artifact: ArtifactId,
    /// What it did. `null`: nothing says.
    pub schema: Option<SchemaChange>,
    /// Who says so.
    pub by: Vec<String>,
}

/// One release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Rung")]
pub struct ListedRelease {
    /// The artifact.
    #[schemars(with = "String")]
    pub artifact: ArtifactId,
    /// Its place, from 1; none for what is kept beside the ladder.
    pub rank: Option<u32>,
    /// How a client names exactly these bytes.
    pub address: Option<String>,
    /// Tags that name it now, pins left out.
    #[schemars(with = "Vec<String>")]
    pub tags: Vec<Tag>,
    /// What it is called, as in the report: by a tag that names it now, else by one that it was released as.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether something names it as running now.
    pub running: bool,
    /// Whether something would start it, and nothing of it runs.
    pub wanted: bool,
    /// Since when it is known to run or to have run.
    #[schemars(with = "Option<String>")]
    pub first_seen: Option<Timestamp>,
    /// When it was last in production; none where nobody tells, and while it runs.
    #[schemars(with = "Option<String>")]
    pub last_seen: Option<Timestamp>,
    /// When it was built, as it says itself.
    #[schemars(with = "Option<String>")]
    pub built: Option<Timestamp>,
    /// How sure it is that production ran it.
    #[schemars(with = "String")]
    pub evidence: Evidence,
    /// Who says that it did.
    pub by: Vec<String>,
    /// Whether it is intact: every part is proven to be there, not archived, not hidden. `null`: could not be told.
    pub restorable: Option<bool>,
    /// Its pin.
    pub pin: PinReport,
    /// Whether it is protected: intact, its pin read back, and outliving tag cleanup, untagged cleanup and every live
    /// lifecycle rule, as far as the source shows them. `null`: could not be told.
    pub protected: Option<bool>,
    /// What stands in the way.
    pub obstacles: Vec<Obstacle>,
    /// Whether the tags that it was deployed by still name it. `null`: could not be told.
    pub unchanged: Option<bool>,
    /// Those that do not.
    pub moved: Vec<MovedTag>,
    /// Release tags that named other bytes before they were moved to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub moved_here: Vec<Tag>,
    /// How long its protection lasts.
    pub lasts: Lasts,
    /// What it did to the database. `null`: nothing says.
    pub schema: Option<SchemaChange>,
    /// The commit it was built from, as it says itself.
    #[schemars(with = "Option<String>")]
    pub commit: Option<Commit>,
    /// Where that commit is, as it says itself.
    pub repository_url: Option<String>,
    /// The last drill from each place: every byte read and hashed. Left out where there was none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drills: Vec<DrillReport>,
    /// The last rehearsal at each workload that ran it: whether its cluster would start it again. Left out where there was none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rehearsals: Vec<RehearsalReport>,
    /// When `restore` put it back from the vault, where no drill has read it since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub restored: Option<Timestamp>,
}

/// A tag that names other bytes than when it was deployed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct MovedTag {
    /// The tag.
    #[schemars(with = "String")]
    pub tag: Tag,
    /// What it names now; none if it is gone.
    #[schemars(with = "Option<String>")]
    pub to: Option<ArtifactId>,
}

/// How long the protection of an artifact lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Lasts {
    /// As long as its pin: no live rule reaches it.
    WithItsPin,
    /// A live rule comes to reach it although it is pinned.
    UntilRule {
        /// The first one.
        threat: Threat,
    },
    /// Only until this rule, as long as it is not pinned.
    UnlessPinned {
        /// The first rule.
        threat: Threat,
    },
    /// No live rule reaches it, and it is not pinned: the next rule may.
    WithTheRules,
    /// It is pinned, and whether anything else cleans up there cannot be read.
    NoRulesToRead,
    /// It is not pinned, and nothing tells what cleans up there.
    NotAtAll,
    /// It could not be told.
    Unknown {
        /// Why.
        detail: String,
    },
}

impl ReadySummary {
    /// Counts one more repository.
    pub fn add(&mut self, row: &RepositoryReady) {
        self.repositories += 1;
        self.services.add(row.status);
        self.ready += u64::from(row.status == ServiceStatus::Ready);
        match row.verdict {
            Verdict::RollBack => self.roll_back += 1,
            Verdict::RollForward => self.roll_forward += 1,
            Verdict::NoEarlierRelease => self.no_earlier_release += 1,
            Verdict::Unknown => self.unknown += 1,
        }
        // Nothing to go back to is what this program is there to prevent; that there never was anything is not.
        let severity = match (row.status, row.verdict) {
            (ServiceStatus::NotReady | ServiceStatus::InDanger, _) => Severity::Critical,
            (ServiceStatus::Unknown, _) | (_, Verdict::Unknown) => Severity::High,
            (ServiceStatus::NoEarlierRelease, _) => Severity::Low,
            _ => return,
        };
        self.severities.add(severity);
    }
}
