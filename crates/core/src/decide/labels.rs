//! What rules call a tag.

use std::collections::BTreeMap;

use crate::model::{Snapshot, Tag};

/// What production rules and `may_move` match in place of a tag: for an object the `{version}` part of its key. Only
/// those that differ from their tag are held, so that a registry's 20,000 tags cost nothing.
#[derive(Debug, Clone, Default)]
pub struct Labels<'a>(BTreeMap<&'a Tag, &'a str>);

impl<'a> Labels<'a> {
    /// Of what was listed, and of what is known and was not.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot, unlisted: &'a BTreeMap<Tag, Box<str>>) -> Self {
        let listed = snapshot.tags.iter().map(|tag| (&tag.name, tag.label()));
        let unlisted = unlisted.iter().map(|(tag, label)| (tag, &**label));
        Self(unlisted.chain(listed).filter(|(tag, label)| tag.as_str() != *label).collect())
    }

    pub(super) fn label<'s>(&'s self, tag: &'s Tag) -> &'s str {
        self.0.get(tag).copied().unwrap_or(tag.as_str())
    }
}
