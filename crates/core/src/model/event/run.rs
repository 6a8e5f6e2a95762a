//! A run as it is recorded: what it read, in which way, with what result.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Digest, SourceName};

/// A run's identity: its start in UTC and random hexadecimal digits, so that ids sort by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct RunId(Arc<str>);

impl RunId {
    /// The id of a run that starts now and drew this number.
    #[must_use]
    pub fn new(started: Timestamp, random: u64) -> Self {
        Self(format!("{}-{:08x}", started.strftime("%Y%m%dT%H%M%SZ"), random as u32).into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RunId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = text.len() == 25
            && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'T' | b'Z' | b'-' | b'a'..=b'f'));
        if shape {
            Ok(Self(text.into()))
        } else {
            Err(format!("{text:?} is not a run id: expected 20261123T031500Z-0123abcd"))
        }
    }
}

/// Held to its shape wherever it comes from: it is printed as it is (I19).
impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::model::text::read(deserializer)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one run saw of one source. Two runs over the same state record the same hash, so omission shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// The source.
    pub source: SourceName,
    /// Whether everything was read.
    pub complete: bool,
    /// How much was seen.
    pub counts: Counts,
    /// SHA-256 over every repository's name and what was seen of it, in an order-independent way.
    pub seen: Digest,
}

/// How much of something there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Repositories.
    pub repositories: u64,
    /// Distinct artifacts that tags point at.
    pub artifacts: u64,
    /// Tags.
    pub tags: u64,
    /// Rollback targets.
    pub targets: u64,
    /// Rollback targets with a pin, read back.
    pub pinned: u64,
    /// Rollback targets proven protected.
    pub protected: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.repositories += other.repositories;
        self.artifacts += other.artifacts;
        self.tags += other.tags;
        self.targets += other.targets;
        self.pinned += other.pinned;
        self.protected += other.protected;
    }
}

/// How a run was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Read only.
    Audit,
    /// Pins were made.
    Enforce,
    /// Everything but the pins.
    EnforceDryRun,
    /// Pins were removed that nothing needed.
    Release,
}

/// What part of the policy a run was about: all of it, unless it was narrowed on purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunScope {
    /// Only these sources; all of them if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub sources: Vec<SourceName>,
    /// Only this share of the repositories, as `index/count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// Only these repositories, as `source/repository`; an event named them. All of them if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    /// Of an earlier run's report only this is shown, in words. On record it is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
}

impl RunScope {
    /// Whether the run was about everything, and all of it is shown.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.sources.is_empty() && self.shard.is_none() && self.repositories.is_empty() && self.shown.is_none()
    }
}

/// Which recorded events stand in a report once a run is on record as ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    /// All that were recorded until then, whoever recorded them: so the programs before took it, wrongly.
    #[default]
    ForEverything,
    /// The run's own, and those that it said it retold.
    ForItself,
}

impl Answers {
    fn is_for_everything(&self) -> bool {
        *self == Self::ForEverything
    }
}

/// The record that closes a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run.
    pub id: RunId,
    /// How it was meant.
    pub mode: Mode,
    /// When it started.
    pub started: Timestamp,
    /// When it finished.
    pub finished: Timestamp,
    /// Whether everything that the run was about was read.
    pub complete: bool,
    /// What it was about.
    #[serde(default, skip_serializing_if = "RunScope::is_whole")]
    pub scope: RunScope,
    /// SHA-256 of the policy's text.
    pub policy: Digest,
    /// How much was seen, over all sources.
    pub counts: Counts,
    /// Findings by severity's name.
    pub findings: BTreeMap<String, u64>,
    /// SHA-256 of the report's body, which the ledger keeps under that name.
    pub report: Digest,
    /// For which events that report answers.
    #[serde(default, skip_serializing_if = "Answers::is_for_everything")]
    pub answers: Answers,
}

impl std::ops::SubAssign for Counts {
    fn sub_assign(&mut self, other: Self) {
        self.repositories -= other.repositories;
        self.artifacts -= other.artifacts;
        self.tags -= other.tags;
        self.targets -= other.targets;
        self.pinned -= other.pinned;
        self.protected -= other.protected;
    }
}
