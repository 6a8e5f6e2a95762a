//! ECR lifecycle policies (A in `docs/field-guide.md`): what they do to a repository now, what they come to do to some of its
//! images, and how to keep them from it.
//!
//! - `grammar` and `concord` read a policy, or say all that is wrong with it; `rule` and `pattern` say what a rule looks at.
//! - `coverage` says which rule governs each image and how many images are ahead of it; `clock` from when its age counts;
//!   `family` which images hold it. What the documentation leaves open is kept as two bounds.
//! - [`evaluate`] and [`threats`] ask those for one moment and for the time to come; [`Pace`] gives the pushes to come
//!   a date.
//! - [`course`] lives the days up to a date, where one rule sets the clock of another.
//! - [`reach`] says whom one more pin concerns, [`displacements`] who loses a place because something stays.
//! - [`lint`] and [`recommend`] look after the claim rule (`claim`), by which alone a pin holds (A51); [`only_claims`] says
//!   whether a policy is another one with that rule and nothing else changed.

mod claim;
mod clock;
mod concord;
mod course;
mod coverage;
mod evaluate;
mod family;
mod grammar;
mod lint;
mod pace;
mod pattern;
mod pins;
mod reach;
mod recommend;
mod rewrite;
mod rule;
mod threats;

use std::collections::{BTreeMap, BTreeSet};

pub use course::course;
pub use evaluate::{Action, Why, evaluate};
pub use grammar::{GrammarProblem, MAX_RULES, MAX_TEXT, MIN_TEXT};
pub use lint::{Lint, LintKind, lint};
pub use pace::{Pace, Push};
pub use pattern::TagPattern;
pub use pins::{with_pins, without_pins};
pub use reach::{Displacement, Reach, counts_pins_alone, displacements, is_harmless_anywhere, pin_matters, reach};
pub use recommend::{recommend, recommend_for, renumbered};
pub use rewrite::only_claims;
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
