//! The answers, in order of gravity.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a change set means for the previous release running on the new schema, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No lasting effect on schema or data.
    None,
    /// No statement of the previous release breaks.
    Expand,
    /// No statement breaks by itself, but values that the new release writes, or a refusal that is gone, reach old code.
    Caution,
    /// Old code runs, but rows were overwritten or lost.
    Data,
    /// Not understood, so nothing is promised.
    Unknown,
    /// An ordinary statement of the previous release fails, or silently gives another result.
    Contract,
}

impl Verdict {
    /// All of them, mildest first.
    pub const ALL: [Self; 6] = [Self::None, Self::Expand, Self::Caution, Self::Data, Self::Unknown, Self::Contract];

    /// The word that stands in reports and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Expand => "expand",
            Self::Caution => "caution",
            Self::Data => "data",
            Self::Unknown => "unknown",
            Self::Contract => "contract",
        }
    }

    /// What the verdict says to somebody who wants to roll back.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::None => "no lasting effect on schema or data",
            Self::Expand => "the previous release works on the new schema",
            Self::Caution => "the previous release works until it meets what only the new release writes",
            Self::Data => "the previous release runs, but rows were overwritten or lost",
            Self::Unknown => "not understood, so the way back is not known to be safe",
            Self::Contract => "the previous release breaks on the new schema",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for Verdict {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|verdict| verdict.as_str() == text)
            .ok_or_else(|| format!("{text:?} is no verdict: say none, expand, caution, data, unknown or contract"))
    }
}
