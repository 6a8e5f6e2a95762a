//! A project's retention policy and immutability rules, as `GET /retentions/{id}` and `GET …/immutabletagrules` answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// A retention policy. Its rules say what to retain; everything else in a repository that they take goes (D113).
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct RetentionPolicy {
    /// How rules are joined; Harbor knows `or`.
    #[serde(default, deserialize_with = "or_default")]
    pub algorithm: String,
    /// In the order in which they are looked at.
    #[serde(default, deserialize_with = "or_default")]
    pub rules: Vec<RetentionRule>,
    /// When it runs.
    #[serde(default, deserialize_with = "or_default")]
    pub trigger: Trigger,
    /// What it is about.
    #[serde(default, deserialize_with = "or_default")]
    pub scope: Scope,
}

/// One rule: what to retain, where.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct RetentionRule {
    /// Rules made by the API have none, which reads as 0 (J27).
    #[serde(default, deserialize_with = "or_default")]
    pub id: i64,
    /// Whether it is left out.
    #[serde(default, deserialize_with = "or_default")]
    pub disabled: bool,
    /// Harbor knows `retain`.
    #[serde(default, deserialize_with = "or_default")]
    pub action: String,
    /// Which evaluator: `always`, `latestPushedK` and so on.
    #[serde(default, deserialize_with = "or_default")]
    pub template: String,
    /// By the template's name. Any type may stand there.
    #[serde(default, rename = "params", deserialize_with = "or_default")]
    pub parameters: Map<String, Value>,
    /// Which artifacts: those that every one selects.
    #[serde(default, deserialize_with = "or_default")]
    pub tag_selectors: Vec<SelectorText>,
    /// Which repositories, under the key `repository`.
    #[serde(default, deserialize_with = "or_default")]
    pub scope_selectors: ScopeSelectors,
}

/// Selectors by what they select: `repository`, or `project`.
pub type ScopeSelectors = BTreeMap<String, Vec<SelectorText>>;

/// A selector as written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct SelectorText {
    /// Harbor knows `doublestar`.
    #[serde(default, deserialize_with = "or_default")]
    pub kind: String,
    /// What is compared, and whether it is to match.
    #[serde(default, deserialize_with = "or_default")]
    pub decoration: String,
    /// The pattern; the empty one matches everything.
    #[serde(default, deserialize_with = "or_default")]
    pub pattern: String,
    /// JSON as a text, or anything else: what holds of untagged artifacts (J21).
    #[serde(default, deserialize_with = "or_default")]
    pub extras: String,
}

/// When a policy runs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Trigger {
    /// Harbor knows `Schedule`.
    #[serde(default, deserialize_with = "or_default")]
    pub kind: String,
    /// `cron`, six fields with the seconds first; empty where it runs only by hand (J23).
    #[serde(default, deserialize_with = "or_default")]
    pub settings: Map<String, Value>,
}

/// What a policy is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Scope {
    /// `project`, of all that the API takes.
    #[serde(default, deserialize_with = "or_default")]
    pub level: String,
}

/// A rule that makes tags immutable. What it says of action, template and extras counts for nothing (J.0, J27).
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct ImmutableRule {
    /// Rules are tried from the lowest on (J25).
    #[serde(default, deserialize_with = "or_default")]
    pub id: i64,
    /// Absent where it is not (J27).
    #[serde(default, deserialize_with = "or_default")]
    pub disabled: bool,
    /// Only the first counts (D111).
    #[serde(default, deserialize_with = "or_default")]
    pub tag_selectors: Vec<SelectorText>,
    /// Only the first under `repository` counts; without one the rule is inert (J27).
    #[serde(default, deserialize_with = "or_default")]
    pub scope_selectors: ScopeSelectors,
}

impl RetentionPolicy {
    /// Reads a policy. Of one that cannot be read nothing is known, least of all that it spares anything.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("the retention policy cannot be understood: {error}"))
    }

    /// When it runs by itself; none: only by hand.
    #[must_use]
    pub fn cron(&self) -> Option<&str> {
        let cron = self.trigger.settings.get("cron").and_then(Value::as_str)?;
        (self.trigger.kind == "Schedule" && !cron.is_empty()).then_some(cron)
    }
}

impl ImmutableRule {
    /// Reads all rules of a project, in the order in which Harbor tries them.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, String> {
        let rules: Result<Vec<Self>, _> = serde_json::from_str(text);
        let mut rules = rules.map_err(|error| format!("the immutability rules cannot be understood: {error}"))?;
        rules.sort_by_key(|rule| rule.id);
        Ok(rules)
    }
}

/// The selectors of repositories.
pub(super) fn of_repositories(selectors: &ScopeSelectors) -> &[SelectorText] {
    selectors.get("repository").map_or(&[], Vec::as_slice)
}

/// Harbor reads `null` as what a field is without it.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
