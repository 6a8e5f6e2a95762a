//! Auto-prune policies: what Quay accepts as one (`data/model/autoprune.py`).

use serde_json::{Number, Value};

use super::pattern::{Fit, InvalidPattern, TagPattern};
use super::span::{self, NoSpan};

/// A policy that Quay accepted.
#[derive(Debug, Clone)]
pub struct PrunePolicy {
    /// A name unlike that of every other.
    pub id: String,
    /// What it prunes.
    pub rule: PruneRule,
    /// The tags it looks at; none for all. Quay accepts invalid expressions, and its run ends at them.
    pub pattern: Option<Result<TagPattern, InvalidPattern>>,
    /// Whether those are the tags that fit, and not those that do not.
    pub matches: bool,
    /// As it was written, which is what may not be there twice.
    written: Written,
}

/// What a policy prunes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PruneRule {
    /// All but so many of the youngest.
    NumberOfTags(u64),
    /// What began longer ago, in milliseconds.
    CreationDate(i64),
}

#[derive(Debug, Clone, PartialEq)]
struct Written {
    method: String,
    value: Value,
    pattern: Option<String>,
    matches: bool,
}

/// Why Quay refuses a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyRefused {
    /// Its method, value or pattern is none.
    Invalid,
    /// Its value is a span that is too long to be counted.
    TooLong,
    /// There is the same already.
    Exists,
}

impl PrunePolicy {
    /// Reads a policy. Where it is not said whether the pattern is of what to prune, the worker takes it as of what to
    /// keep (K53b).
    pub fn read(
        id: &str,
        method: &str,
        value: &Value,
        pattern: Option<&str>,
        matches: Option<bool>,
    ) -> Result<Self, PolicyRefused> {
        let rule = match method {
            "number_of_tags" => PruneRule::NumberOfTags(count(value).ok_or(PolicyRefused::Invalid)?),
            "creation_date" => PruneRule::CreationDate(age(value)?),
            _ => return Err(PolicyRefused::Invalid),
        };
        if pattern == Some("") {
            return Err(PolicyRefused::Invalid);
        }
        Ok(Self {
            id: id.to_owned(),
            rule,
            pattern: pattern.map(TagPattern::postgres),
            matches: matches.unwrap_or(false),
            written: Written {
                method: method.to_owned(),
                value: value.clone(),
                pattern: pattern.map(ToOwned::to_owned),
                matches: matches.unwrap_or(true),
            },
        })
    }

    /// Adds it to those of its scope.
    pub fn add_to(self, scope: &mut Vec<Self>) -> Result<(), PolicyRefused> {
        if scope.iter().any(|policy| policy.written.is_same(&self.written)) {
            return Err(PolicyRefused::Exists);
        }
        scope.push(self);
        Ok(())
    }

    /// Whether it looks at tags of the name.
    pub fn looks_at(&self, name: &str) -> Result<Fit, InvalidPattern> {
        match &self.pattern {
            None => Ok(Fit { matches: true, certain: true }),
            Some(Err(invalid)) => Err(*invalid),
            Some(Ok(pattern)) => {
                let fit = pattern.fits(name);
                Ok(Fit { matches: fit.matches == self.matches, ..fit })
            }
        }
    }
}

impl Written {
    fn is_same(&self, other: &Self) -> bool {
        self.method == other.method
            && self.pattern == other.pattern
            && self.matches == other.matches
            && match (&self.value, &other.value) {
                (Value::String(one), Value::String(other)) => one == other,
                // True is 1.
                (one, other) => count(one) == count(other),
            }
    }
}

/// A whole number above nought; to Python `true` is one.
fn count(value: &Value) -> Option<u64> {
    match value {
        Value::Bool(true) => Some(1),
        Value::Number(number) => number.as_u64().or_else(|| beyond(number)).filter(|count| *count > 0),
        _ => None,
    }
}

/// A whole number too great for what holds it.
fn beyond(number: &Number) -> Option<u64> {
    let text = number.to_string();
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(u64::MAX)
}

fn age(value: &Value) -> Result<i64, PolicyRefused> {
    let text = value.as_str().filter(|text| !text.is_empty()).ok_or(PolicyRefused::Invalid)?;
    span::seconds(text).map(|seconds| seconds * 1_000).map_err(|error| match error {
        NoSpan::Malformed => PolicyRefused::Invalid,
        NoSpan::TooLong => PolicyRefused::TooLong,
    })
}
