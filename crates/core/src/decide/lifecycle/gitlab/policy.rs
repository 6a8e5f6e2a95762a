//! A project's cleanup policy and protection rules, as GitLab's REST API gives them.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::pattern::TagPattern;

/// Why rules are not known, though their text is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyProblem {
    /// No document of that form.
    #[error("{0} is not in the form that GitLab gives it")]
    Form(&'static str),
    /// A value that is not read.
    #[error("{key} {text:?}: {why}")]
    Value {
        /// Of which key.
        key: &'static str,
        /// What stands there.
        text: String,
        /// What is wrong with it.
        why: String,
    },
}

/// A cleanup policy that is enabled.
#[derive(Debug, Clone)]
pub struct CleanupPolicy {
    /// What goes; without one nothing does.
    pub(super) delete: Option<TagPattern>,
    /// What stays. The outer none: it was not told, as by releases that do not tell it.
    pub(super) keep: Option<Option<TagPattern>>,
    pub(super) keep_number: Option<u64>,
    pub(super) older_than: Option<SignedDuration>,
    next_run: Option<Timestamp>,
    cadence: Option<SignedDuration>,
}

#[derive(Deserialize)]
struct Document {
    enabled: bool,
    #[serde(default)]
    cadence: Option<String>,
    #[serde(default)]
    keep_n: Option<u64>,
    #[serde(default)]
    older_than: Option<String>,
    #[serde(default)]
    name_regex: Option<String>,
    #[serde(default)]
    name_regex_delete: Option<String>,
    #[serde(default)]
    next_run_at: Option<String>,
}

impl CleanupPolicy {
    /// Reads `container_expiration_policy` of a project; none if there is none, or it is not enabled.
    pub fn parse(text: &str) -> Result<Option<Self>, PolicyProblem> {
        let form = || PolicyProblem::Form("the cleanup policy");
        let value: Value = serde_json::from_str(text).map_err(|_| form())?;
        if value.is_null() {
            return Ok(None);
        }
        let keep = value.as_object().ok_or_else(form)?.get("name_regex_keep").cloned();
        let document: Document = serde_json::from_value(value).map_err(|_| form())?;
        if !document.enabled {
            return Ok(None);
        }
        let keep = match keep {
            None => None,
            Some(Value::Null) => Some(None),
            Some(Value::String(text)) => Some(expression("name_regex_keep", &text)?),
            Some(_) => return Err(form()),
        };
        // The one is the other's former name.
        let delete = document.name_regex_delete.or(document.name_regex).unwrap_or_default();
        Ok(Some(Self {
            delete: expression("name_regex", &delete)?,
            keep,
            keep_number: document.keep_n,
            older_than: document.older_than.as_deref().map(|text| span("older_than", text)).transpose()?,
            next_run: document.next_run_at.and_then(|text| text.parse().ok()),
            cadence: document.cadence.as_deref().and_then(|text| span("cadence", text).ok()),
        }))
    }

    /// When it runs first at or after this moment; none where that is not told. An hourly job looks for what is due.
    #[must_use]
    pub fn run_at_or_after(&self, at: Timestamp) -> Option<Timestamp> {
        let next = self.next_run?;
        if next >= at {
            return Some(next);
        }
        let cadence = self.cadence.filter(|cadence| cadence.is_positive())?;
        let passed = at.duration_since(next).as_secs() / cadence.as_secs();
        let run =
            |number: i64| next.checked_add(SignedDuration::from_secs(number.checked_mul(cadence.as_secs())?)).ok();
        run(passed).filter(|run| *run >= at).or_else(|| run(passed.checked_add(1)?))
    }

    /// How many of the newest it keeps.
    #[must_use]
    pub fn keeps(&self) -> Option<u64> {
        self.keep_number
    }

    /// How old what it takes must be.
    #[must_use]
    pub fn older_than(&self) -> Option<SignedDuration> {
        self.older_than
    }
}

/// What is empty matches no tag: none has an empty name.
fn expression(key: &'static str, text: &str) -> Result<Option<TagPattern>, PolicyProblem> {
    if text.is_empty() {
        return Ok(None);
    }
    let unread = |error: crate::decide::lifecycle::golang::GoRegexpError| PolicyProblem::Value {
        key,
        text: text.to_owned(),
        why: error.to_string().replace("Go", "RE2"),
    };
    TagPattern::of_policy(text).map(Some).map_err(unread)
}

/// The spans that GitLab offers: days, and months of thirty of them.
fn span(key: &'static str, text: &str) -> Result<SignedDuration, PolicyProblem> {
    let wrong = || PolicyProblem::Value { key, text: text.to_owned(), why: "no number of days or months".to_owned() };
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: i64 = number.parse().map_err(|_| wrong())?;
    let days = match unit.trim() {
        "d" | "day" | "days" => 1,
        "month" | "months" => 30,
        _ => return Err(wrong()),
    };
    let hours = number.checked_mul(days * 24).filter(|hours| *hours <= i64::from(i32::MAX)).ok_or_else(wrong)?;
    Ok(SignedDuration::from_hours(hours))
}

/// Protected and immutable tag rules of a project. Who runs the cleanup is nobody, so that every rule holds for it.
#[derive(Debug, Clone, Default)]
pub struct ProtectionRules(Vec<ProtectionRule>);

#[derive(Debug, Clone)]
struct ProtectionRule {
    pattern: TagPattern,
    allows: Allows,
}

/// Who may delete what a rule covers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Allows {
    /// Nobody.
    Nobody,
    /// Whoever has this role or a higher one.
    Role(Box<str>),
    /// It says who may push, and nothing of deletion.
    Unsaid,
}

#[derive(Deserialize)]
struct RuleDocument {
    tag_name_pattern: String,
    #[serde(default)]
    minimum_access_level_for_push: Option<String>,
    #[serde(default)]
    minimum_access_level_for_delete: Option<String>,
}

/// Roles that a rule may name, the lowest first.
const ROLES: [&str; 3] = ["maintainer", "owner", "admin"];

impl ProtectionRules {
    /// Reads the list of a project's tag rules.
    pub fn parse(text: &str) -> Result<Self, PolicyProblem> {
        let rules: Vec<RuleDocument> =
            serde_json::from_str(text).map_err(|_| PolicyProblem::Form("the list of protected tags"))?;
        let rules = rules.into_iter().map(|rule| {
            let pattern = TagPattern::of_protection(&rule.tag_name_pattern).map_err(|error| PolicyProblem::Value {
                key: "tag_name_pattern",
                text: rule.tag_name_pattern.clone(),
                why: error.to_string().replace("Go", "RE2"),
            })?;
            let allows = match (rule.minimum_access_level_for_delete, rule.minimum_access_level_for_push) {
                (Some(role), _) => Allows::Role(role.into()),
                // An immutable rule names nobody who may.
                (None, None) => Allows::Nobody,
                (None, Some(_)) => Allows::Unsaid,
            };
            Ok(ProtectionRule { pattern, allows })
        });
        rules.collect::<Result<_, _>>().map(Self)
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The same without what only an immutable rule means: of a list that has none, one that names no role was not read in full.
    #[must_use]
    pub fn of_roles(mut self) -> Self {
        for rule in &mut self.0 {
            if rule.allows == Allows::Nobody {
                rule.allows = Allows::Unsaid;
            }
        }
        self
    }

    /// Whether a rule keeps the cleanup from deleting a tag of this name.
    #[must_use]
    pub fn protects(&self, name: &str) -> bool {
        self.covering(name).any(|rule| rule.allows != Allows::Unsaid)
    }

    /// Whether an immutable rule covers it: then nobody deletes or moves it while the rule is there.
    #[must_use]
    pub fn makes_immutable(&self, name: &str) -> bool {
        self.covering(name).any(|rule| rule.allows == Allows::Nobody)
    }

    /// The role that whoever deletes it must have at least, where a rule says one. Of several the highest holds.
    #[must_use]
    pub fn role_to_delete(&self, name: &str) -> Option<&str> {
        let roles = self.covering(name).filter_map(|rule| match &rule.allows {
            Allows::Role(role) => Some(&**role),
            Allows::Nobody | Allows::Unsaid => None,
        });
        // One that is not known here counts as the lowest: no more is promised than is known.
        roles.max_by_key(|role| ROLES.iter().position(|known| known == role))
    }

    fn covering(&self, name: &str) -> impl Iterator<Item = &ProtectionRule> {
        self.0.iter().filter(move |rule| rule.pattern.is_match(name))
    }
}
