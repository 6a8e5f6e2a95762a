//! What a live lifecycle rule would do to an artifact, and when.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One rule that reaches one artifact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Threat {
    /// The rule, as its owner would find it: its id, or its priority.
    pub rule: String,
    /// What it would do.
    pub effect: Effect,
    /// When.
    pub due: Due,
    /// Whether the service's documentation leaves room for it not to.
    pub certainty: Certainty,
    /// How the rule comes to reach it, in one sentence.
    pub why: String,
}

/// What a lifecycle rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Its bytes are gone for good.
    Deletes,
    /// It must be restored from an archive before it can be read.
    Archives,
    /// A delete marker hides it from readers by key.
    Hides,
}

/// When a rule acts. Whatever is due is taken for lost: services act within a day or so of it.
// How late they run (A36, B68).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Due {
    /// Now: the next time the rules are carried out.
    Now,
    /// At a date that is set already.
    On(#[schemars(with = "String")] Timestamp),
    /// After this many more pushes that the rule counts.
    AfterPushes {
        /// How many.
        pushes: u64,
        /// About when, at the rate of the recent past; none if nothing tells the rate.
        #[schemars(with = "Option<String>")]
        around: Option<Timestamp>,
    },
}

/// How sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// The documented rules leave no other reading.
    Certain,
    /// At least one admissible reading of what is undocumented says so.
    // What is undocumented (A38).
    Possible,
}

/// How many artifacts rules would take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Toll {
    /// Deleted.
    pub deleted: u64,
    /// Archived.
    pub archived: u64,
    /// Deleted or archived in at least one reading of what is not documented, such as parts that an index may hold.
    pub possibly: u64,
}
