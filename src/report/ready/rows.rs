//! The repositories on disk: added as they finish, read back in order (I20).

use std::io;
use std::sync::{Mutex, PoisonError};

use super::document::{ReadySection, ReadySummary, RepositoryReady, Verdict};
use crate::model::{RepositoryName, Severity, SourceName};
use crate::report::spool::{Extent, Spool};

/// The finished answers: header in memory, repositories on disk.
pub struct ReadyReport {
    /// About the look itself.
    pub section: ReadySection,
    /// In numbers.
    pub summary: ReadySummary,
    rows: Mutex<Spool>,
    index: Vec<Place>,
}

/// Where a repository's row lies.
struct Place {
    source: SourceName,
    name: RepositoryName,
    extent: Extent,
}

/// Takes the repositories in any order.
pub struct ReadyWriter {
    rows: Spool,
    index: Vec<Place>,
    summary: ReadySummary,
    complete: bool,
}

impl Default for ReadyWriter {
    fn default() -> Self {
        Self { rows: Spool::new(), index: Vec::new(), summary: ReadySummary::default(), complete: true }
    }
}

impl ReadyWriter {
    /// Adds a repository.
    pub fn push(&mut self, row: &RepositoryReady) -> io::Result<()> {
        self.complete &= row.complete;
        self.summary.add(row.verdict);
        let extent = self.rows.append(&serde_json::to_vec(row)?)?;
        self.index.push(Place { source: row.source.clone(), name: row.name.clone(), extent });
        Ok(())
    }

    /// Puts them in order. What is incomplete in any of them, or by the header's own gaps, is incomplete as a whole.
    #[must_use]
    pub fn finish(mut self, mut section: ReadySection) -> ReadyReport {
        section.complete &= self.complete && section.gaps.is_empty();
        self.index.sort_by(|a, b| (&a.source, &a.name).cmp(&(&b.source, &b.name)));
        ReadyReport { section, summary: self.summary, rows: Mutex::new(self.rows), index: self.index }
    }
}

impl ReadyReport {
    /// Every repository, one at a time, by source and name.
    pub fn rows(&self) -> impl Iterator<Item = io::Result<RepositoryReady>> + '_ {
        self.index.iter().map(|place| {
            let line = self.rows.lock().unwrap_or_else(PoisonError::into_inner).read(place.extent)?;
            serde_json::from_slice(&line).map_err(io::Error::from)
        })
    }

    /// How many repositories there are.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }
}

impl ReadySummary {
    fn add(&mut self, verdict: Verdict) {
        self.repositories += 1;
        match verdict {
            Verdict::RollBack => self.roll_back += 1,
            // Nothing to go back to is what this program is there to prevent.
            Verdict::RollForward => {
                self.roll_forward += 1;
                self.severities.add(Severity::Critical);
            }
            Verdict::Unknown => {
                self.unknown += 1;
                self.severities.add(Severity::High);
            }
        }
    }
}
