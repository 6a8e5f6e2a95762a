//! The forecast's rows on disk: added as repositories finish, read back in order (I20).

use std::io;

use crate::rows::{Rows, RowsWriter};
use prodpin_core::outcome::forecast::{ForecastSection, ForecastSummary, RepositoryForecast};

/// A finished forecast: header in memory, rows on disk.
pub struct ForecastReport {
    /// About the forecast itself.
    pub section: ForecastSection,
    /// In numbers.
    pub summary: ForecastSummary,
    rows: Rows,
}

/// Takes the rows of a forecast in any order.
pub struct ForecastWriter {
    rows: RowsWriter,
    summary: ForecastSummary,
    complete: bool,
}

impl Default for ForecastWriter {
    fn default() -> Self {
        Self { rows: RowsWriter::new(), summary: ForecastSummary::default(), complete: true }
    }
}

impl ForecastWriter {
    /// Adds a row.
    pub fn push(&mut self, row: &RepositoryForecast) -> io::Result<()> {
        self.complete &= row.complete;
        self.summary.add(row);
        self.rows.push(&row.source, &row.name, row)
    }

    /// Puts the rows in order. What is incomplete in any row, or by the header's own gaps, is incomplete as a whole.
    #[must_use]
    pub fn finish(self, mut section: ForecastSection) -> ForecastReport {
        section.complete &= self.complete && section.gaps.is_empty();
        ForecastReport { section, summary: self.summary, rows: self.rows.finish() }
    }
}

impl ForecastReport {
    /// Every row, one at a time, by source and name.
    pub fn rows(&self) -> impl Iterator<Item = io::Result<RepositoryForecast>> + '_ {
        self.rows.read()
    }

    /// Whether all repositories are of one source.
    pub(super) fn has_one_source(&self) -> bool {
        self.rows.has_one_source()
    }
}
