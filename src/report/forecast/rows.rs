//! The forecast's rows on disk: added as repositories finish, read back in order (I20).

use std::io;
use std::sync::{Mutex, PoisonError};

use super::document::{ForecastSection, ForecastSummary, RepositoryForecast, RulesFound};
use crate::model::{RepositoryName, SourceName};
use crate::report::spool::{Extent, Spool};

/// A finished forecast: header in memory, rows on disk.
pub struct ForecastReport {
    /// About the forecast itself.
    pub section: ForecastSection,
    /// In numbers.
    pub summary: ForecastSummary,
    rows: Mutex<Spool>,
    index: Vec<Place>,
}

/// Where a repository's row lies.
struct Place {
    source: SourceName,
    name: RepositoryName,
    extent: Extent,
}

/// Takes the rows of a forecast in any order.
pub struct ForecastWriter {
    rows: Spool,
    index: Vec<Place>,
    summary: ForecastSummary,
    complete: bool,
}

impl Default for ForecastWriter {
    fn default() -> Self {
        Self { rows: Spool::new(), index: Vec::new(), summary: ForecastSummary::default(), complete: true }
    }
}

impl ForecastWriter {
    /// Adds a row.
    pub fn push(&mut self, row: &RepositoryForecast) -> io::Result<()> {
        self.complete &= row.complete;
        self.summary.add(row);
        let extent = self.rows.append(&serde_json::to_vec(row)?)?;
        self.index.push(Place { source: row.source.clone(), name: row.name.clone(), extent });
        Ok(())
    }

    /// Puts the rows in order. What is incomplete in any row, or by the header's own gaps, is incomplete as a whole.
    #[must_use]
    pub fn finish(mut self, mut section: ForecastSection) -> ForecastReport {
        section.complete &= self.complete && section.gaps.is_empty();
        self.index.sort_by(|a, b| (&a.source, &a.name).cmp(&(&b.source, &b.name)));
        ForecastReport { section, summary: self.summary, rows: Mutex::new(self.rows), index: self.index }
    }
}

impl ForecastReport {
    /// Every row, one at a time, by source and name.
    pub fn rows(&self) -> impl Iterator<Item = io::Result<RepositoryForecast>> + '_ {
        self.index.iter().map(|place| {
            let line = self.rows.lock().unwrap_or_else(PoisonError::into_inner).read(place.extent)?;
            serde_json::from_slice(&line).map_err(io::Error::from)
        })
    }

    /// Whether all repositories are of one source.
    pub(super) fn has_one_source(&self) -> bool {
        self.index.first().map(|place| &place.source) == self.index.last().map(|place| &place.source)
    }
}

impl ForecastSummary {
    fn add(&mut self, row: &RepositoryForecast) {
        self.repositories += 1;
        self.unknown += u64::from(matches!(row.rules, RulesFound::Unknown { .. }));
        self.unreadable += u64::from(row.rules == RulesFound::NoneReadable);
        self.targets += row.targets.len() as u64;
        for severity in row.targets.iter().filter_map(|target| target.severity) {
            self.threatened += 1;
            self.severities.add(severity);
        }
    }
}
