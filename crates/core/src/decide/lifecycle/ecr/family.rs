//! Who holds whom: an index holds its children (A33), a referrer follows its subject (A35).

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Repository;
use super::clock::arrived;
use crate::model::{Digest, EcrImage};

/// The relations between the images of a repository, by their places in its list.
pub(super) struct Family<'a> {
    places: BTreeMap<&'a Digest, usize>,
    /// The indexes in the repository that list it.
    parents: BTreeMap<usize, Vec<usize>>,
    children: BTreeMap<usize, Vec<usize>>,
    /// What refers to it.
    referrers: BTreeMap<usize, Vec<usize>>,
    /// Indexes whose children are not known, the newest two.
    unread: Vec<(usize, Option<Timestamp>)>,
}

impl<'a> Family<'a> {
    pub(super) fn new(repository: &Repository<'a>) -> Self {
        let images = repository.images;
        let places: BTreeMap<_, _> = images.iter().enumerate().map(|(place, image)| (&image.digest, place)).collect();
        let mut family = Self {
            parents: BTreeMap::new(),
            children: BTreeMap::new(),
            referrers: BTreeMap::new(),
            unread: Vec::new(),
            places,
        };
        for (parent, children) in repository.parts {
            // An index that is gone holds nothing.
            let Some(parent) = family.place(parent) else { continue };
            for child in children.iter().filter_map(|child| family.places.get(child)).filter(|child| **child != parent)
            {
                family.parents.entry(*child).or_default().push(parent);
                family.children.entry(parent).or_default().push(*child);
            }
        }
        for (place, image) in images.iter().enumerate() {
            if let Some(subject) = family.subject(image) {
                family.referrers.entry(subject).or_default().push(place);
            }
        }
        let unread = images.iter().enumerate().filter(|(_, image)| image.is_index);
        let mut unread: Vec<_> = unread
            .filter(|(_, image)| !repository.parts.contains_key(&image.digest))
            .map(|(place, image)| (place, image.pushed))
            .collect();
        // One of unknown push time may be the newest.
        unread.sort_by_key(|(place, pushed)| (pushed.is_some(), std::cmp::Reverse(*pushed), *place));
        unread.truncate(2);
        family.unread = unread;
        family
    }

    pub(super) fn place(&self, digest: &Digest) -> Option<usize> {
        self.places.get(digest).copied()
    }

    pub(super) fn parents(&self, image: usize) -> &[usize] {
        self.parents.get(&image).map_or(&[], Vec::as_slice)
    }

    pub(super) fn children(&self, image: usize) -> &[usize] {
        self.children.get(&image).map_or(&[], Vec::as_slice)
    }

    pub(super) fn referrers(&self, image: usize) -> &[usize] {
        self.referrers.get(&image).map_or(&[], Vec::as_slice)
    }

    /// What the image refers to, if that is here.
    pub(super) fn subject(&self, image: &EcrImage) -> Option<usize> {
        image.subject.as_ref().and_then(|subject| self.place(subject))
    }

    /// Whether an index of unknown children may list the image, and so hold it. Children are pushed before the index
    /// that lists them (A12).
    pub(super) fn may_be_held(&self, place: usize, image: &EcrImage) -> bool {
        self.unread.iter().any(|(index, pushed)| {
            *index != place
                && match (pushed, image.pushed.or(arrived(image))) {
                    (Some(index), Some(child)) => child <= *index,
                    _ => true,
                }
        })
    }
}
