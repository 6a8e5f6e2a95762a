//! The repositories on disk: added as they finish, read back in order (I20).

use std::io;

use crate::rows::{Rows, RowsWriter};
use prodpin_core::outcome::ready::{ReadySection, ReadySummary, RepositoryReady};
use prodpin_core::outcome::status::ServiceStatus;

/// The finished answers: header in memory, repositories on disk.
pub struct ReadyReport {
    /// About the look itself.
    pub section: ReadySection,
    /// In numbers.
    pub summary: ReadySummary,
    rows: Rows,
}

/// Takes the repositories in any order.
pub struct ReadyWriter {
    rows: RowsWriter,
    summary: ReadySummary,
    complete: bool,
}

impl Default for ReadyWriter {
    fn default() -> Self {
        Self { rows: RowsWriter::new(), summary: ReadySummary::default(), complete: true }
    }
}

impl ReadyWriter {
    /// Adds a repository.
    pub fn push(&mut self, row: &RepositoryReady) -> io::Result<()> {
        self.complete &= row.complete;
        self.summary.add(row);
        self.rows.push(&row.source, &row.name, row)
    }

    /// Puts them in order. What is incomplete in any of them, or by the header's own gaps, is incomplete as a whole.
    #[must_use]
    pub fn finish(self, mut section: ReadySection) -> ReadyReport {
        section.complete &= self.complete && section.gaps.is_empty();
        ReadyReport { section, summary: self.summary, rows: self.rows.finish() }
    }
}

impl ReadyReport {
    /// Every repository that was asked for, one at a time, by source and name.
    pub fn rows(&self) -> impl Iterator<Item = io::Result<RepositoryReady>> + '_ {
        self.rows
            .read()
            .filter(|row: &io::Result<RepositoryReady>| row.as_ref().map_or(true, |row| self.shows(row.status)))
    }

    fn shows(&self, status: ServiceStatus) -> bool {
        self.section.only.is_empty() || self.section.only.contains(&status)
    }

    /// How many of them there are.
    pub(super) fn shown(&self) -> u64 {
        let shown = ServiceStatus::ALL.into_iter().filter(|status| self.shows(*status));
        shown.map(|status| self.summary.services.of(status)).sum()
    }

    /// The same by danger to a rollback, and each of these by source and name. Read once for each status that there is,
    /// so that nothing is held.
    pub(super) fn by_danger(&self) -> impl Iterator<Item = io::Result<RepositoryReady>> + '_ {
        let there = ServiceStatus::ALL.into_iter().filter(|status| self.summary.services.of(*status) > 0);
        there.flat_map(|status| self.rows().filter(move |row| row.as_ref().map_or(true, |row| row.status == status)))
    }

    /// How many repositories there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
}
