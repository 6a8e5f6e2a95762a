//! The ways back and the way forward, with their commands.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Commit, Workload};

/// How to bring one workload back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Way")]
pub struct RollbackCommands {
    /// The workload.
    pub workload: Workload,
    /// What the platform calls its state now.
    pub from_revision: Option<String>,
    /// What the platform calls the state to go back to, where it still has it.
    pub to_revision: Option<String>,
    /// Commands, in order. Every name in them is quoted; where a name cannot be, there are none.
    pub commands: Vec<String>,
    /// What to know before and after.
    pub notes: Vec<String>,
    /// What brings its own state again after what is done by hand. `commands` hold first what can be held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone_by: Vec<Undoing>,
    /// Whether Git says what runs there: reverting in Git is the answer, and this way is for when that cannot be waited for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// Commands that let go on what was held, last, and only once what it brings is not what was left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resume: Vec<String>,
    /// How many releases the platform itself can go back to. `null` where it keeps no states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remembers: Option<Remembered>,
}

/// Something that brings its own state again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Undoing {
    /// What it is: `Argo CD application shop`.
    pub by: String,
    /// Whether it does so by itself. `null`: its settings were not read.
    pub acts: Option<bool>,
    /// When it does so, or why not.
    pub when: String,
}

/// What a platform itself still has of the releases there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remembered {
    /// So many earlier releases it has a state of its own for.
    pub releases: u32,
    /// Of so many.
    pub of: u32,
    /// How many old states it keeps at most, where that is said.
    pub limit: Option<u32>,
    /// The setting that says so.
    pub setting: Option<String>,
}

/// How to go forward.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forward {
    /// The commit to branch from: what production runs was built from it, as it says itself.
    #[schemars(with = "Option<String>")]
    pub commit: Option<Commit>,
    /// Where that commit is, as it says itself.
    pub repository_url: Option<String>,
    /// Commands, in order.
    pub commands: Vec<String>,
    /// What to know.
    pub notes: Vec<String>,
}
