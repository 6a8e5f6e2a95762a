//! The answer: a verdict, and every statement that it rests on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;

/// What one statement, or what remains of several, means for the previous release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How grave it is.
    pub verdict: Verdict,
    /// The file that holds the statement.
    pub file: String,
    /// The line on which the statement begins, counted from 1.
    pub line: u32,
    /// The statement, shortened.
    pub statement: String,
    /// What it touches: a table, a column, a view.
    pub object: String,
    /// What it does to the previous release.
    pub why: String,
}

/// The answer about a change set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The gravest of the findings.
    pub verdict: Verdict,
    /// What was found, gravest first, then in the order of the files.
    pub findings: Vec<Finding>,
}

impl Report {
    /// A report about these findings.
    #[must_use]
    pub fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
        let verdict = findings.first().map_or(Verdict::None, |finding| finding.verdict);
        Self { verdict, findings }
    }
}
