//! What was listed and what is known, side by side.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::model::{KnownTag, ObservedTag, RepositoryState, Snapshot, Tag, TagHistory};

/// A tag that was listed, or is known, or both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met<'a> {
    pub(super) tag: &'a Tag,
    pub(super) listed: Option<&'a ObservedTag>,
    pub(super) known: Option<KnownTag<'a>>,
}

impl<'a> Met<'a> {
    /// What is known of it.
    pub(super) fn history(&self) -> Option<&'a TagHistory> {
        self.known.map(|(_, history)| history)
    }
}

/// With the tags in order of name, so that what is named first does not depend on how a registry lists. A run puts its
/// snapshot in this order as soon as it has it, and then this costs one look at each.
pub(super) fn in_order(snapshot: &Snapshot) -> Cow<'_, Snapshot> {
    let mut snapshot = Cow::Borrowed(snapshot);
    if !is_in_order(&snapshot) {
        snapshot.to_mut().tags.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    }
    snapshot
}

fn by_name(snapshot: &Snapshot) -> Vec<&ObservedTag> {
    let mut tags: Vec<&ObservedTag> = snapshot.tags.iter().collect();
    tags.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    tags
}

fn is_in_order(snapshot: &Snapshot) -> bool {
    snapshot.tags.is_sorted_by(|a, b| a.name <= b.name)
}

/// Every tag on either side, in order of name. Both sides are in that order, so one walk joins them: with 20,000 tags
/// a look-up for each would cost more than all that is decided about it.
pub(super) fn meet<'a>(snapshot: &'a Snapshot, state: &'a RepositoryState) -> impl Iterator<Item = Met<'a>> + Clone {
    // A run puts it in order as soon as it has it, and a list of a million places is memory.
    let (as_is, sorted) =
        if is_in_order(snapshot) { (&snapshot.tags[..], Vec::new()) } else { (&[][..], by_name(snapshot)) };
    join(as_is.iter().chain(sorted), state.tags.known())
}

/// The same behind this tag, of a list that is in order of name.
pub(super) fn meet_after<'a>(
    snapshot: &'a Snapshot,
    state: &'a RepositoryState,
    tag: &Tag,
) -> impl Iterator<Item = Met<'a>> {
    let from = snapshot.tags.partition_point(|listed| listed.name <= *tag);
    join(snapshot.tags[from..].iter(), state.tags.known_after(tag))
}

fn join<'a>(
    listed: impl Iterator<Item = &'a ObservedTag> + Clone,
    known: impl Iterator<Item = KnownTag<'a>> + Clone,
) -> impl Iterator<Item = Met<'a>> + Clone {
    let (mut listed, mut known) = (listed.peekable(), known.peekable());
    std::iter::from_fn(move || {
        let first = match (listed.peek(), known.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(listed), Some((tag, _))) => listed.name.cmp(tag),
        };
        let listed = if first.is_le() { listed.next() } else { None };
        let known = if first.is_ge() { known.next() } else { None };
        let tag = listed.map(|listed| &listed.name).or(known.map(|(tag, _)| tag))?;
        Some(Met { tag, listed, known })
    })
}

/// Has listed tags share the names of those that are known: of a million tags each name is held once (I28). The list is in
/// order of name.
pub fn share_names(snapshot: &mut Snapshot, state: &RepositoryState) {
    let mut known = state.tags.keys().peekable();
    for listed in &mut snapshot.tags {
        while known.next_if(|name| **name < listed.name).is_some() {}
        if let Some(name) = known.next_if(|name| **name == listed.name) {
            listed.name = name.clone();
        }
    }
}

/// Tags that are known and were not listed.
pub fn unlisted<'a>(snapshot: &'a Snapshot, state: &'a RepositoryState) -> impl Iterator<Item = &'a Tag> {
    meet(snapshot, state).filter(|met| met.listed.is_none()).map(|met| met.tag)
}
