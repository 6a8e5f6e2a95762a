//! The body of a report on disk: rows are added as repositories finish and read back in order, so that memory does
//! not grow with the estate (I20).

use std::io;

use super::document::{Row, RunSection, Summary};

/// A finished report: header in memory, rows on disk.
pub struct Report {
    /// About the run.
    pub run: RunSection,
    /// In numbers.
    pub summary: Summary,
    /// The rows.
    pub body: Body,
}

/// Rows in the order of source and repository name; findings about no repository first.
pub struct Body;

impl Body {
    /// Reads every row in order.
    pub fn rows(&self) -> impl Iterator<Item = io::Result<Row>> + '_ {
        std::iter::empty()
    }
}
