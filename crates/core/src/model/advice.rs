//! What is wrong with lifecycle rules themselves, whatever they hit today.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing to mend in lifecycle rules.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Advice {
    /// The rule, as its owner would find it; none for the rules as a whole.
    pub rule: Option<String>,
    /// What kind of thing it is.
    pub kind: AdviceKind,
    /// What is the case.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl Advice {
    /// What is the case, with the rule named.
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.rule {
            Some(rule) => format!("lifecycle rule {rule}: {}", self.message),
            None => self.message.clone(),
        }
    }
}

/// What advice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AdviceKind {
    /// Pins do not hold against these rules: nothing claims them, or not first, or not enough of them.
    // Pins that look like pins and are none (F44).
    PinsIneffective,
    /// A rule does something else than it seems to.
    DoubtfulRule,
    /// Copies between this registry and another carry over deletions or moved tags, or are started by pins.
    Replication,
}
