//! Which of the policy's patterns have selected a repository so far.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use prodpin_core::model::NamePatterns;

/// The entries that matched something.
#[derive(Debug, Default)]
pub(crate) struct Matched {
    entries: Mutex<BTreeSet<String>>,
    /// Set once the list of repositories was read to its end: before that, "matched nothing" is not known.
    listed: AtomicBool,
}

impl Matched {
    /// For a source whose list is read in one piece, or is a gap.
    pub(crate) fn in_one_piece() -> Self {
        Self { entries: Mutex::default(), listed: AtomicBool::new(true) }
    }

    pub(crate) fn note(&self, patterns: &NamePatterns, name: &str) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in patterns.matching_entries(name) {
            if !entries.contains(entry) {
                entries.insert(entry.to_owned());
            }
        }
    }

    pub(crate) fn finish(&self) {
        self.listed.store(true, Ordering::Relaxed);
    }

    /// The entries that matched nothing; none as long as that is not known.
    pub(crate) fn lacking(&self, patterns: &NamePatterns) -> Vec<String> {
        if !self.listed.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        patterns.included().filter(|entry| !entries.contains(*entry)).map(str::to_owned).collect()
    }
}
