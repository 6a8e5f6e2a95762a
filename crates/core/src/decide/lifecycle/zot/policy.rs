//! Which policy has a repository, and which of its entries has a tag.

use std::collections::BTreeMap;

use super::super::golang::{GoRegexp, GoRegexpError, matches_path};
use super::Unclear;
use crate::model::{Tag, ZotKeep, ZotPolicy, ZotRepository};

/// The place of the first policy with a pattern of the repository's name.
pub(super) fn policy_of(repository: &ZotRepository) -> Result<Option<usize>, Unclear> {
    for (place, policy) in repository.settings.policies.iter().enumerate() {
        for pattern in &policy.repositories {
            let matches = matches_path(pattern, repository.name.as_str());
            if matches.ok_or_else(|| Unclear::Pattern(pattern.clone()))? {
                return Ok(Some(place));
            }
        }
    }
    Ok(None)
}

/// The regular expressions of a policy's entries, read once.
pub(super) struct Entries<'p> {
    keep: &'p [ZotKeep],
    read: BTreeMap<&'p str, Option<GoRegexp>>,
}

impl<'p> Entries<'p> {
    pub(super) fn read(policy: &'p ZotPolicy) -> Result<Self, Unclear> {
        let mut read = BTreeMap::new();
        for pattern in policy.keep_tags.iter().flat_map(|keep| &keep.patterns) {
            let expression = match GoRegexp::parse(pattern) {
                Ok(expression) => Some(expression),
                // A server does not start with one; the collection passes over it.
                Err(GoRegexpError::Refused) => None,
                Err(GoRegexpError::Unsure) => return Err(Unclear::Pattern(pattern.clone())),
            };
            read.insert(pattern.as_str(), expression);
        }
        Ok(Self { keep: &policy.keep_tags, read })
    }

    /// The place of the first entry that has the tag: without patterns an entry has every tag, and a pattern may match
    /// anywhere in it.
    pub(super) fn entry_of(&self, tag: &Tag) -> Option<usize> {
        let matches = |pattern: &String| {
            let expression = self.read.get(pattern.as_str()).and_then(Option::as_ref);
            expression.is_some_and(|expression| expression.is_match(tag.as_str()))
        };
        self.keep.iter().position(|keep| keep.patterns.is_empty() || keep.patterns.iter().any(matches))
    }
}
