//! Tags with all that is known of each, listed now or before.

use std::collections::BTreeMap;

use crate::model::{KnownTag, RepositoryState, Snapshot, Tag, TagHistory};

use super::meeting::meet;
use super::rules::is_watched;

/// Everything known of one tag, with its label: two words, because of a million tags each rule may match all.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    known: KnownTag<'a>,
    /// Where it is not the tag's name.
    label: Option<&'a Label>,
}

/// A label as it is kept.
type Label = Box<str>;

impl<'a> Named<'a> {
    pub(super) fn tag(self) -> &'a Tag {
        &self.known.0
    }

    pub(super) fn history(self) -> &'a TagHistory {
        &self.known.1
    }

    pub(super) fn label(self) -> &'a str {
        self.label.map_or(self.known.0.as_str(), |label| label)
    }
}

/// Everything known of a repository's tags.
pub(super) struct Names<'a> {
    snapshot: &'a Snapshot,
    state: &'a RepositoryState,
    labels: &'a BTreeMap<Tag, Box<str>>,
    /// The source tells when tags were pushed.
    pub(super) dated: bool,
}

impl<'a> Names<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, state: &'a RepositoryState, labels: &'a BTreeMap<Tag, Box<str>>) -> Self {
        Self { snapshot, state, labels, dated: snapshot.tags.iter().any(|tag| tag.pushed.is_some()) }
    }

    fn all(&self) -> impl Iterator<Item = Named<'a>> + Clone {
        let labels = self.labels;
        meet(self.snapshot, self.state).filter(|met| is_watched(met.tag)).filter_map(move |met| {
            let label = match met.listed {
                Some(observed) => observed.object.as_ref().map(|object| &object.label),
                None => labels.get(met.tag),
            };
            let known = met.known?;
            Some(Named { known, label: label.filter(|label| ***label != *known.0.as_str()) })
        })
    }

    pub(super) fn releases(&self, matches: impl Fn(&str) -> bool + Clone) -> impl Iterator<Item = Named<'a>> + Clone {
        self.all().filter(move |named| matches(named.label()))
    }

    pub(super) fn moving(&self, tag: &Tag) -> Vec<Named<'a>> {
        self.all().filter(|named| named.tag() == tag || named.label() == tag.as_str()).collect()
    }
}
