//! Derived state that is not what the log says: told once for a run, and never acted on.

use std::sync::PoisonError;

use super::Ledger;

/// So many are reported in words.
const SHOWN: usize = 8;

/// What was stored as derived state and does not match what the log says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distrusted {
    /// What and what became of it, a few of them.
    pub what: Vec<String>,
    /// How many more.
    pub more: u64,
}

impl Distrusted {
    /// All of it in words; none if there is nothing.
    #[must_use]
    pub fn in_words(&self) -> Option<String> {
        let listed = self.what.join("; ");
        match self.more {
            _ if self.what.is_empty() => None,
            0 => Some(listed),
            more => Some(format!("{listed}; and {more} more like these")),
        }
    }
}

impl Ledger {
    /// What was stored and not believed since this ledger was opened.
    #[must_use]
    pub fn distrusted(&self) -> Distrusted {
        self.distrusted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn distrust(&self, what: String) {
        tracing::warn!(ledger = self.store.location(), "{what}");
        let mut distrusted = self.distrusted.lock().unwrap_or_else(PoisonError::into_inner);
        if distrusted.what.contains(&what) {
            return;
        }
        if distrusted.what.len() < SHOWN { distrusted.what.push(what) } else { distrusted.more += 1 }
    }
}
