//! Tags with all that is known of each, listed now or before.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{ArtifactId, RepositoryState, Snapshot, Tag, TagHistory};

use super::meeting::meet;
use super::rules::is_watched;

/// Everything known of one tag, with its label.
pub(super) struct Named<'a> {
    pub(super) tag: &'a Tag,
    pub(super) label: &'a str,
    pub(super) history: &'a TagHistory,
    /// The source tells when tags were pushed.
    dated: bool,
}

impl Named<'_> {
    /// When its first bytes were pushed or written, as the source itself tells.
    pub(super) fn pushed(&self) -> Option<Timestamp> {
        let original = self.history.original()?;
        let written = matches!(original.artifact, ArtifactId::ObjectVersion { .. });
        original.created.filter(|_| written || self.dated)
    }
}

/// Everything known of a repository's tags.
pub(super) struct Names<'a> {
    all: Vec<Named<'a>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, state: &'a RepositoryState, labels: &'a BTreeMap<Tag, Box<str>>) -> Self {
        let dated = snapshot.tags.iter().any(|tag| tag.pushed.is_some());
        let all = meet(snapshot, state).filter(|met| is_watched(met.tag)).filter_map(|met| {
            let (tag, history) = (met.tag, met.known?);
            Some(match met.listed {
                Some(observed) => Named { tag, label: observed.label(), history, dated },
                None => Named { tag, label: labels.get(tag).map_or(tag.as_str(), |label| label), history, dated },
            })
        });
        Self { all: all.collect() }
    }

    pub(super) fn releases(&self, matches: impl Fn(&str) -> bool) -> Vec<&Named<'a>> {
        self.all.iter().filter(|named| matches(named.label)).collect()
    }

    pub(super) fn moving(&self, tag: &Tag) -> Vec<&Named<'a>> {
        self.all.iter().filter(|named| named.tag == tag || named.label == tag.as_str()).collect()
    }
}
