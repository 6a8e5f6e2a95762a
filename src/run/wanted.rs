//! Repositories that were asked for by name, and those of them that there are.

use std::collections::BTreeSet;

use crate::model::{NamePatterns, PatternError, RepositoryKey};

/// Repositories by name or glob, as `NAME` or `SOURCE/NAME`.
#[derive(Debug, Clone)]
pub struct Wanted {
    text: String,
    patterns: NamePatterns,
}

impl Wanted {
    /// Reads one name or glob.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        Ok(Self { text: text.to_owned(), patterns: NamePatterns::new([text])? })
    }

    fn matches(&self, key: &RepositoryKey) -> bool {
        self.patterns.matches(key.name.as_str()) || self.patterns.matches(&key.to_string())
    }
}

/// What was asked for, and what of it there is.
pub(super) struct Asked<'a> {
    wanted: &'a [Wanted],
    found: BTreeSet<usize>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(wanted: &'a [Wanted]) -> Self {
        Self { wanted, found: BTreeSet::new() }
    }

    pub(super) fn wants(&mut self, key: &RepositoryKey) -> bool {
        let matching: Vec<usize> = (0..self.wanted.len()).filter(|index| self.wanted[*index].matches(key)).collect();
        self.found.extend(&matching);
        self.wanted.is_empty() || !matching.is_empty()
    }

    pub(super) fn unmatched(self) -> Vec<String> {
        let missing = self.wanted.iter().enumerate().filter(|(index, _)| !self.found.contains(index));
        missing.map(|(_, wanted)| wanted.text.clone()).collect()
    }
}
