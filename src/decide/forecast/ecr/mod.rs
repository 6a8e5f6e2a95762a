//! ECR lifecycle policies (FIELD-GUIDE A.4, A.5).

mod claim;
mod clock;
mod evaluate;
mod family;
mod grammar;
mod json;
mod lint;
mod pace;
mod pattern;
mod pins;
mod recommend;
mod rule;
mod standing;
mod threats;

use std::collections::{BTreeMap, BTreeSet};

pub use evaluate::{Action, Why, evaluate};
pub use grammar::{GrammarProblem, MAX_RULES, MAX_TEXT, MIN_TEXT};
pub use lint::{Lint, LintKind, lint};
pub use pace::{Pace, Push};
pub use pattern::TagPattern;
pub use pins::with_pins;
pub use recommend::recommend;
pub use rule::{Count, Rule, RuleAction, StorageClass, TagRule};
pub use threats::threats;

use crate::model::{Digest, EcrImage};

/// A lifecycle policy: valid rules, in ascending priority.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    rules: Vec<Rule>,
    /// How long its text is, in characters.
    length: usize,
}

impl Lifecycle {
    /// Reads a policy's text, telling every problem at once. Of a policy that cannot be read nothing is known, least
    /// of all that it spares anything (F53).
    pub fn parse(text: &str) -> Result<Self, Vec<GrammarProblem>> {
        grammar::read(text).map(|rules| Self { rules, length: text.chars().count() })
    }

    /// The rules, in ascending priority.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The policy as ECR reads it.
    #[must_use]
    pub fn to_json(&self) -> String {
        let rules: Vec<_> = self.rules.iter().map(Rule::to_json).collect();
        serde_json::json!({ "rules": rules }).to_string()
    }
}

/// What the rules are applied to.
#[derive(Debug, Clone, Copy)]
pub struct Repository<'a> {
    /// Every image, each digest once, in any order.
    pub images: &'a [EcrImage],
    /// What each index lists, as far as known. An index that is missing here may list anything older than itself.
    pub parts: &'a BTreeMap<Digest, BTreeSet<Digest>>,
}
