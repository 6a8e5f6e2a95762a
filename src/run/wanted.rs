//! Repositories that were asked for by name, and those of them that there are.

use std::collections::BTreeSet;

use crate::model::{NamePatterns, PatternError, RepositoryKey};
use crate::policy::edits;

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

    /// Whether this repository is meant.
    #[must_use]
    pub fn matches(&self, key: &RepositoryKey) -> bool {
        self.patterns.matches(key.name.as_str()) || self.patterns.matches(&key.to_string())
    }

    /// How far a repository's name is from what was asked for; none if it is another name altogether.
    fn distance(&self, key: &RepositoryKey) -> Option<usize> {
        let (text, name) = (self.text.as_str(), key.name.as_str());
        // Whoever has just been pulling writes the registry in front.
        if text.strip_suffix(name).is_some_and(|front| front.ends_with('/')) {
            return Some(0);
        }
        let last = |path: &'_ str| path.rsplit('/').next().unwrap_or_default().to_owned();
        if self.patterns.has_globs() || text.len().max(name.len()) > LONGEST {
            return None;
        }
        let distance = edits(text, name).min(edits(text, &key.to_string()));
        let near = (distance <= text.len() / 4).then_some(distance);
        near.or_else(|| (last(text) == last(name)).then_some(text.len() / 4 + 1))
    }
}

/// Longer names are not compared.
const LONGEST: usize = 128;

/// So many names are offered in the place of one that there is not.
const OFFERED: usize = 3;

/// What was asked for, and what of it there is.
pub(super) struct Asked<'a> {
    wanted: &'a [Wanted],
    found: BTreeSet<usize>,
    /// For each that was wanted, the nearest names that it is not.
    near: Vec<BTreeSet<(usize, String)>>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(wanted: &'a [Wanted]) -> Self {
        Self { wanted, found: BTreeSet::new(), near: vec![BTreeSet::new(); wanted.len()] }
    }

    pub(super) fn wants(&mut self, key: &RepositoryKey) -> bool {
        let matching: Vec<usize> = (0..self.wanted.len()).filter(|index| self.wanted[*index].matches(key)).collect();
        self.found.extend(&matching);
        for (wanted, near) in self.wanted.iter().zip(&mut self.near) {
            if let Some(distance) = wanted.distance(key) {
                near.insert((distance, key.name.to_string()));
                if near.len() > OFFERED {
                    near.pop_last();
                }
            }
        }
        self.wanted.is_empty() || !matching.is_empty()
    }

    pub(super) fn unmatched(self) -> Vec<Unmatched> {
        let asked = self.wanted.iter().zip(self.near).enumerate();
        let missing = asked.filter(|(index, _)| !self.found.contains(index)).map(|(_, asked)| asked);
        missing
            .map(|(wanted, mut near)| {
                // Where one is meant for certain, the others are not.
                if near.first().is_some_and(|(distance, _)| *distance == 0) {
                    near.retain(|(distance, _)| *distance == 0);
                }
                Unmatched { asked: wanted.text.clone(), near: near.into_iter().map(|(_, name)| name).collect() }
            })
            .collect()
    }
}

/// Which of what was asked for none of these repositories is.
#[must_use]
pub fn unmatched<'k>(wanted: &[Wanted], among: impl Iterator<Item = &'k RepositoryKey>) -> Vec<Unmatched> {
    let mut asked = Asked::new(wanted);
    for key in among {
        asked.wants(key);
    }
    asked.unmatched()
}

/// A name or glob that no repository has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    /// As it was asked for.
    pub asked: String,
    /// What was perhaps meant, the nearest first.
    pub near: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(asked: &str) -> Vec<String> {
        let wanted = [Wanted::new(asked).unwrap()];
        let mut all = Asked::new(&wanted);
        for name in ["shop/api", "shop/web", "billing/api", "payments/ledger-writer"] {
            let key = RepositoryKey { source: "eu".parse().unwrap(), name: name.parse().unwrap() };
            assert!(!all.wants(&key), "{asked} is {name}");
        }
        all.unmatched().remove(0).near
    }

    #[test]
    fn a_name_that_nobody_has_is_answered_with_those_that_it_may_mean() {
        assert_eq!(near("registry.example.com/shop/api"), ["shop/api"]);
        assert_eq!(near("localhost:5000/shop/web"), ["shop/web"]);
        assert_eq!(near("shop/wbe"), ["shop/web"], "swapped letters are one slip");
        assert_eq!(near("payments/ledger-writter"), ["payments/ledger-writer"]);
        assert_eq!(near("other/api"), ["billing/api", "shop/api"]);
        assert_eq!(near("eu/shop/ap"), ["shop/api"], "with its source");
        assert_eq!(near("nothing/like-it"), [""; 0]);
        assert_eq!(near("stock/*"), [""; 0]);
    }
}
