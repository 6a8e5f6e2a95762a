//! Expressions over names of tags, read by RE2. Of what GitLab puts in front and behind an expression of the policy, an
//! alternative takes a part each: `dev|main` is everything that begins with `dev` or ends with `main`. Those of protection rules
//! are looked for anywhere in a name.

use crate::decide::lifecycle::golang::{GoRegexp, GoRegexpError};

/// An expression over names of tags.
#[derive(Debug, Clone)]
pub(super) struct TagPattern(GoRegexp);

impl TagPattern {
    /// One of a cleanup policy.
    pub(super) fn of_policy(text: &str) -> Result<Self, GoRegexpError> {
        GoRegexp::parse(&format!(r"\A{text}\z")).map(Self)
    }

    /// One of a protection rule.
    pub(super) fn of_protection(text: &str) -> Result<Self, GoRegexpError> {
        GoRegexp::parse(text).map(Self)
    }

    pub(super) fn is_match(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}
