//! Rows on disk: added as repositories finish, read back in order (I20). Memory holds where each lies and nothing else.

use std::io;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::spool::{Extent, Spool};
use prodpin_core::model::{RepositoryName, SourceName};

/// Where a repository's row lies.
struct RowLocation {
    source: SourceName,
    name: RepositoryName,
    extent: Extent,
}

/// Takes rows in any order.
pub(super) struct RowsWriter {
    spool: Spool,
    index: Vec<RowLocation>,
}

impl RowsWriter {
    pub(super) fn new() -> Self {
        Self { spool: Spool::new(), index: Vec::new() }
    }

    pub(super) fn push(&mut self, source: &SourceName, name: &RepositoryName, row: &impl Serialize) -> io::Result<()> {
        let extent = self.spool.append(&serde_json::to_vec(row)?)?;
        self.index.push(RowLocation { source: source.clone(), name: name.clone(), extent });
        Ok(())
    }

    pub(super) fn finish(mut self) -> Rows {
        self.index.sort_by(|a, b| (&a.source, &a.name).cmp(&(&b.source, &b.name)));
        Rows { spool: Mutex::new(self.spool), index: self.index }
    }
}

/// Rows by source and name.
pub(super) struct Rows {
    spool: Mutex<Spool>,
    index: Vec<RowLocation>,
}

impl Rows {
    /// Every row, one at a time.
    pub(super) fn read<T: DeserializeOwned>(&self) -> impl Iterator<Item = io::Result<T>> + '_ {
        self.index.iter().map(|place| {
            let line = self.spool.lock().unwrap_or_else(PoisonError::into_inner).read(place.extent)?;
            serde_json::from_slice(&line).map_err(io::Error::from)
        })
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether all repositories are of one source.
    pub(super) fn has_one_source(&self) -> bool {
        self.index.first().map(|place| &place.source) == self.index.last().map(|place| &place.source)
    }
}
