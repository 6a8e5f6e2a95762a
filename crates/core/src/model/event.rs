//! What the ledger records: changes, never sameness; and one record for each source and run, so that omission shows.

mod run;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    ArtifactId, Attribution, Code, Digest, Drill, DrilledFrom, Finding, PutBack, Rehearsal, RepositoryKey,
    RepositorySettings, SettingFacts, Severity, SourceName, Tag, TagChange,
};

pub use self::run::{Answers, Counts, Mode, RunId, RunRecord, RunScope, SourceRecord};

/// One line of the ledger. Its JSON text is what a leaf of the tree hashes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The run that recorded it.
    pub run: RunId,
    /// When it was observed, by that machine's clock. It informs; the sequence orders (I21).
    pub at: Timestamp,
    /// The repository it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepositoryKey>,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// A tag was seen for the first time.
    TagSeen {
        /// The tag.
        tag: Tag,
        /// What it pointed at.
        artifact: ArtifactId,
        /// When those bytes were written or pushed, as the source tells, else when they say themselves that they were
        /// built, which is only asked where a rule orders by push time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        created: Option<Timestamp>,
    },
    /// A tag points at other bytes than before.
    TagMoved {
        /// The tag.
        tag: Tag,
        /// What it pointed at.
        from: ArtifactId,
        /// What it points at.
        to: ArtifactId,
    },
    /// A tag was not found, for the first time: not yet a deletion (I4).
    TagAbsent {
        /// The tag.
        tag: Tag,
    },
    /// A tag that was absent once is back, pointing at what it pointed at.
    TagReturned {
        /// The tag.
        tag: Tag,
        /// What it points at, so that the event still says what was seen when another writer moved the tag meanwhile.
        artifact: ArtifactId,
    },
    /// A tag was not found by direct look-up in a second run.
    TagDeleted {
        /// The tag.
        tag: Tag,
    },
    /// A deleted tag is back.
    TagRecreated {
        /// The tag.
        tag: Tag,
        /// What it points at now.
        artifact: ArtifactId,
    },
    /// An audit trail names who moved or deleted a tag: a later word about a change that is on record.
    TagAttributed {
        /// The tag.
        tag: Tag,
        /// What happened to it.
        change: TagChange,
        /// What it was moved to; none if it was deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<ArtifactId>,
        /// Who, by the trail's word.
        by: Box<Attribution>,
    },
    /// Something was named as running in production.
    DeploymentStarted {
        /// The artifact.
        artifact: ArtifactId,
        /// Who said so.
        via: Arc<str>,
        /// The tag it was named by, if not by its own identity. As long as the tag stays named it means these bytes,
        /// wherever it is moved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tag: Option<Tag>,
        /// Whether it runs, or is only wanted. What is wanted does not run, or not any more.
        #[serde(default, skip_serializing_if = "DeploymentState::is_running")]
        state: DeploymentState,
    },
    /// It is no longer named, by a complete signal.
    DeploymentEnded {
        /// The artifact.
        artifact: ArtifactId,
        /// Who had said so.
        via: Arc<str>,
        /// Whether it ran, or was only wanted.
        #[serde(default, skip_serializing_if = "DeploymentState::is_running")]
        state: DeploymentState,
    },
    /// A platform's own history names it as having run in production before (E122, E132).
    DeploymentRecalled {
        /// The artifact.
        artifact: ArtifactId,
        /// Who says so.
        via: Arc<str>,
        /// The tag it is named by there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tag: Option<Tag>,
        /// When it was last in production, as the platform tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<Timestamp>,
        /// Whether the platform shows that it ran: a Job that ended, rather than an old revision of a workload.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        finished: bool,
    },
    /// A pin was read back: prodpin's own, or one found in place.
    Pinned {
        /// The artifact.
        artifact: ArtifactId,
    },
    /// A pin was made for this ledger, and read back where none was before. What is not on record like this is somebody
    /// else's, and `release` leaves it.
    PinMade {
        /// The artifact.
        artifact: ArtifactId,
    },
    /// A pin that was made is not there: whoever makes one there later, it is not this ledger's.
    PinUnmade {
        /// The artifact.
        artifact: ArtifactId,
    },
    /// A pin that was there is not.
    PinLost {
        /// The artifact.
        artifact: ArtifactId,
    },
    /// A rule that claims pins was put in front of the repository's lifecycle policy, and read back.
    LifecycleClaimed {
        /// SHA-256 of the policy's text before.
        before: Digest,
        /// SHA-256 of its text as it was read back.
        after: Digest,
    },
    /// A rollback target was not found.
    TargetMissing {
        /// The artifact.
        artifact: ArtifactId,
    },
    /// It is back.
    TargetFound {
        /// The artifact.
        artifact: ArtifactId,
    },
    /// A finding is reported for the first time.
    FindingOpened(FindingKey),
    /// A complete look no longer finds it.
    FindingResolved(FindingKey),
    /// A source's protection settings, recorded when they differ from those before.
    Settings {
        /// The source.
        source: SourceName,
        /// The settings. Boxed, as what few events have: of others there is one for each tag.
        facts: Box<SettingFacts>,
    },
    /// A repository's own protection settings, recorded when they differ from those before.
    RepositorySettings {
        /// The settings.
        facts: Box<RepositorySettings>,
        /// What was known of them before; none when they are seen for the first time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Box<RepositorySettings>>,
    },
    /// An alert was delivered.
    AlertSent {
        /// Its name in the policy.
        alert: Arc<str>,
        /// The findings it told for the first time, or as more severe than before.
        #[serde(rename = "told")]
        reported: Vec<(String, Severity)>,
        /// Those told earlier that are no more.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        forgotten: Vec<String>,
        /// With this, everything in its outbox up to this commit is delivered.
        #[serde(rename = "paid")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delivered: Option<u64>,
    },
    /// A run ends with something that an alert is to tell and that no later run will find: what happened, as opposed to
    /// what is the case. It is in the outbox from the commit that closes the run until it is delivered.
    #[serde(rename = "alert-owed")]
    AlertQueued {
        /// The alert's name in the policy.
        alert: Arc<str>,
        /// SHA-256 of the report's body that has these findings.
        report: Digest,
        /// The findings by name, as far as they are spelt out.
        #[serde(rename = "owed")]
        findings: Vec<(String, Severity)>,
        /// How many more there are.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        more: BTreeMap<Severity, u64>,
    },
    /// This run's report tells what other runs recorded of this repository and may not have lived to report.
    #[serde(rename = "retold")]
    ReportedAgain {
        /// Up to this commit.
        until: u64,
    },
    /// Something is attached to a rollback target or to a part of one, a signature say: seen for the first time, or in the
    /// place of another that it includes.
    Attached {
        /// What it is attached to.
        subject: ArtifactId,
        /// By what: a tag whose name has the subject's digest, or its own type where it names its subject.
        by: Box<str>,
        /// Itself.
        artifact: ArtifactId,
    },
    /// A complete look found a pin on something that nothing in the rollback set needs.
    PinUnneeded {
        /// The artifact.
        artifact: ArtifactId,
    },
    /// It is in the rollback set again, or part of what is.
    PinNeeded {
        /// The artifact.
        artifact: ArtifactId,
    },
    /// Its pin is about to be removed by `release`. On record before it is, so that whatever cuts that off, nobody takes a pin
    /// that is gone for one that somebody else removed.
    PinReleasing {
        /// The artifact.
        artifact: ArtifactId,
        /// The run that is about to remove it. It alone may.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<RunId>,
    },
    /// The run that set out to remove its pin did not, or the pin was found in place after nothing could remove it any more.
    PinReleaseEnded {
        /// The artifact.
        artifact: ArtifactId,
    },
    /// Its pin was removed by `release`, as it was read back.
    PinReleased {
        /// The artifact.
        artifact: ArtifactId,
    },
    /// What one run saw of one source.
    Source(SourceRecord),
    /// A run ended.
    Run(Box<RunRecord>),
    /// Every byte of a rollback target was read and hashed, or one of its parts found broken.
    Drilled {
        /// The artifact.
        artifact: ArtifactId,
        /// Whence it was read.
        from: DrilledFrom,
        /// What came of it.
        drill: Box<Drill>,
    },
    /// A cluster was asked, in dry runs, whether it would start the release again.
    Rehearsed {
        /// The artifact.
        artifact: ArtifactId,
        /// What came of it.
        rehearsal: Box<Rehearsal>,
    },
    /// `restore` put it back from the vault, and read it back.
    Restored {
        /// The artifact.
        artifact: ArtifactId,
        /// What was pushed.
        pushed: Box<PutBack>,
    },
}

/// Whether what a signal names runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeploymentState {
    /// It runs.
    #[default]
    Running,
    /// It would be started, and nothing of it runs.
    Wanted,
}

impl DeploymentState {
    fn is_running(&self) -> bool {
        *self == Self::Running
    }
}

impl Event {
    /// The tag it is about, if it is about one.
    #[must_use]
    pub fn tag(&self) -> Option<&Tag> {
        match self {
            Self::TagSeen { tag, .. }
            | Self::TagMoved { tag, .. }
            | Self::TagAbsent { tag }
            | Self::TagReturned { tag, .. }
            | Self::TagDeleted { tag }
            | Self::TagRecreated { tag, .. }
            | Self::TagAttributed { tag, .. } => Some(tag),
            _ => None,
        }
    }

    /// Every tag it is about: `restore` puts several back at once.
    pub fn tags(&self) -> impl Iterator<Item = &Tag> {
        let put_back = match self {
            Self::Restored { pushed, .. } => pushed.tags.as_slice(),
            _ => &[],
        };
        self.tag().into_iter().chain(put_back)
    }

    /// The oldest schema of the ledger that knows this kind of event (F64).
    #[must_use]
    pub fn schema(&self) -> u64 {
        match self {
            Self::LifecycleClaimed { .. }
            | Self::TagAttributed { .. }
            | Self::Attached { .. }
            | Self::Drilled { .. }
            | Self::Rehearsed { .. }
            | Self::Restored { .. }
            | Self::PinMade { .. }
            | Self::PinUnmade { .. }
            | Self::PinUnneeded { .. }
            | Self::PinNeeded { .. }
            | Self::PinReleasing { .. }
            | Self::PinReleaseEnded { .. }
            | Self::PinReleased { .. } => 3,
            Self::AlertQueued { .. } | Self::ReportedAgain { .. } => 2,
            _ => 1,
        }
    }
}

/// What makes two findings of two runs the same one. Its words may change; what it is about may not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FindingKey {
    /// Its code.
    pub code: Code,
    /// Its source, where it is about no repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceName>,
    /// The tag, key or policy entry it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The artifact it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
}

impl FindingKey {
    /// The key of a finding.
    #[must_use]
    pub fn from_finding(finding: &Finding) -> Self {
        Self {
            code: finding.code,
            source: finding.source.clone().filter(|_| finding.repository.is_none()),
            reference: finding.reference.clone(),
            artifact: finding.artifact.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There is one for each tag of a repository of a million (F93).
    #[test]
    fn an_event_is_small() {
        assert!(size_of::<Event>() <= 128, "{}", size_of::<Event>());
        assert!(size_of::<Entry>() <= 192, "{}", size_of::<Entry>());
    }
}
