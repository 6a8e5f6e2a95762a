//! The names in a repository's list of tags: each once, as far as that can be told, and in little memory.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use futures::stream::{self, Stream, StreamExt as _};

use super::list::{List, Pages};
use super::page::{TagPage, Text};
use super::registry::{Registry, Repository};
use prodpin_core::model::{Cause, Gap, GapTally, Scope, Tag, TagTable};

/// More tags than this are no repository but an attempt to fill memory (I20). F93 asks for a million.
const MOST_TAGS: usize = 5_000_000;

/// What keeps a list of tags from being whole.
#[derive(Default)]
pub(super) struct ListingGaps {
    /// Why it was not read to its end.
    pub(super) end: Option<Gap>,
    /// Names that are none.
    pub(super) odd_names: GapTally,
}

/// A list that names a tag again is believed to have changed while it was read, so often; then it only repeats itself.
const NAMED_AGAIN: usize = 1_000;

/// Which names came before, by their hashes: the names would be memory (I28). So what came before is only likely. Nearly all
/// registries list names in order, and one that comes after all others did not come before.
#[derive(Default)]
struct Named {
    last: Option<Tag>,
    hashes: HashSet<u64>,
    hasher: RandomState,
    count: usize,
    again: usize,
}

impl Named {
    /// Whether to look a tag up. A list that begins anew is looked up once more, before it is taken for one that only
    /// repeats itself.
    fn is_wanted(&mut self, tag: &Tag) -> bool {
        self.count += 1;
        if self.last.as_ref().is_none_or(|last| last < tag) {
            self.last = Some(tag.clone());
            return true;
        }
        if self.hashes.insert(self.hasher.hash_one(tag)) {
            return true;
        }
        self.again += 1;
        self.again <= NAMED_AGAIN
    }
}

/// The names of all tags, nearly always each once; what keeps the list from being whole goes to `gaps`. Names that are kept
/// are those that are known, or share memory with each other.
pub(super) fn tag_names<'a>(
    registry: &'a Registry,
    repository: &'a Repository,
    gaps: &'a Mutex<ListingGaps>,
    kept: Option<&'a TagTable>,
) -> impl Stream<Item = Tag> + 'a {
    let pages = Pages::<TagPage>::new(registry, List::Tags(repository));
    let batches = stream::unfold((pages, Named::default(), kept), async move |(mut pages, mut known, kept)| {
        let tell = || gaps.lock().unwrap_or_else(PoisonError::into_inner);
        let page = match pages.next().await? {
            Ok(page) => page.tags.unwrap_or_default(),
            Err(fault) => {
                tell().end = Some(fault.gap(Scope::Repository));
                return None;
            }
        };
        let mut names = Vec::with_capacity(page.len());
        for Text(text) in page {
            match text.parse::<Tag>() {
                Ok(tag) if !known.is_wanted(&tag) => {}
                Ok(tag) => {
                    let same = kept.and_then(|kept| kept.get_key_value(&tag)).map(|(known, _)| known.clone());
                    names.push(same.unwrap_or(tag));
                }
                Err(error) => {
                    let detail = format!("the list of tags: {error}");
                    tell().odd_names.push(Gap::new(Scope::Repository, Cause::Malformed, detail));
                }
            }
        }
        if kept.is_some() {
            Tag::pack(names.iter_mut());
        }
        if known.count > MOST_TAGS {
            let detail = format!("the list of tags has no end: more than {MOST_TAGS} names");
            tell().end = Some(Gap::new(Scope::Repository, Cause::Malformed, detail));
            return None;
        }
        Some((stream::iter(names), (pages, known, kept)))
    });
    batches.flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_order_are_new_and_a_list_that_only_repeats_itself_is_given_up_f18_i28() {
        let tag = |number: usize| format!("v{number:05}").parse::<Tag>().unwrap();
        let mut named = Named::default();
        assert!((0..5_000).all(|number| named.is_wanted(&tag(number))));
        assert!(named.hashes.is_empty(), "nothing is kept of names that come in order");
        // The whole list again, and again: once it may have changed.
        assert!((0..4_999).all(|number| named.is_wanted(&tag(number))));
        assert_eq!((0..4_999).filter(|number| named.is_wanted(&tag(*number))).count(), NAMED_AGAIN);
        // Newest first, each once.
        let mut backwards = Named::default();
        assert!((0..5_000).rev().all(|number| backwards.is_wanted(&tag(number))));
        assert_eq!(backwards.again, 0);
    }
}
