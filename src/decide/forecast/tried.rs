//! Lifecycle rules from a file, tried before they are applied.

use super::ecr::{Lifecycle, recommend};
use crate::model::{Retention, Setting, Snapshot};

/// Rules that are valid in their own grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriedRules {
    text: Box<str>,
}

/// Everything that is wrong with them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct TriedRulesError {
    /// Each problem with the rule it is in and what to do about it.
    pub problems: Vec<String>,
}

impl TriedRules {
    /// Reads rules.
    pub fn read(text: &str) -> Result<Self, TriedRulesError> {
        match Lifecycle::parse(text) {
            Ok(_) => Ok(Self { text: text.into() }),
            Err(problems) => Err(TriedRulesError { problems: problems.iter().map(ToString::to_string).collect() }),
        }
    }

    /// The rules as they were written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same with one in front that claims every pin, complete and valid.
    pub fn recommend(&self) -> Result<String, String> {
        recommend(Some(&self.text)).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            problems.join("; ")
        })
    }

    /// Puts them in the place of the live rules. Whether there is a place for them: rules of another kind, or of none,
    /// stay what they are.
    pub fn apply(&self, snapshot: &mut Snapshot) -> bool {
        match &mut snapshot.retention {
            Retention::Unruled => false,
            Retention::Ecr(repository) => {
                repository.lifecycle = Setting::Text(self.text.clone());
                true
            }
        }
    }
}
