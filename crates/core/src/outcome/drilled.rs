//! What drills are on record, in the report and on the page about going back.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{BrokenPart, DrillOutcome, DrilledFrom, Rehearsal, SignatureCheck};

/// A drill that is on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DrillReport {
    /// Whence the bytes were read.
    pub from: DrilledFrom,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// What came of it.
    pub outcome: DrillOutcome,
    /// The bytes of all parts, each part counted once.
    pub bytes: u64,
    /// How long it took.
    pub milliseconds: u64,
    /// Some of the parts that are not as they should be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<BrokenPart>,
    /// What came of its signatures. Left out where no key was given, or not all of them could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures: Option<SignatureCheck>,
}

/// A rehearsal that is on record: whether a cluster would start the release again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RehearsalReport {
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// What was rehearsed, and what came of it.
    #[serde(flatten)]
    pub rehearsal: Rehearsal,
}
