//! Tags with their histories, in order of name, for repositories that have a million of them.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Index;
use std::sync::Arc;

use jiff::Timestamp;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use super::sightings::Seen;
use super::{ArtifactId, Mark, Sighting, Tag, TagHistory};

/// So many tags stand in one row of memory. What is added at the end leaves rows full; in the middle it moves no more
/// than these.
const ROW: usize = 256;

/// Tags in order of name, each with what is known of it. A search tree would leave nearly half of its room empty where
/// names arrive in order, and they do: a list is walked in that order (F93, I28).
#[derive(Clone, Default)]
pub struct TagTable {
    /// None of them is empty.
    rows: Vec<Vec<(Tag, TagHistory)>>,
    count: usize,
    /// Commits of which something was seen: the many tags of one hold its mark once.
    marks: BTreeMap<Mark, Arc<Seen>>,
}

/// A tag with what is known of it, where that stands.
pub type KnownTag<'a> = &'a (Tag, TagHistory);

/// So many marks are looked for; a repository that was seen to change in more commits holds some of them twice.
const MARKS: usize = 1_024;

impl TagTable {
    /// How many tags there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What is known of a tag.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, tag: &Q) -> Option<&TagHistory>
    where
        Tag: Borrow<Q>,
    {
        self.get_key_value(tag).map(|(_, history)| history)
    }

    /// The same, with the name as it is kept here.
    #[must_use]
    pub fn get_key_value<Q: Ord + ?Sized>(&self, tag: &Q) -> Option<(&Tag, &TagHistory)>
    where
        Tag: Borrow<Q>,
    {
        let (row, at) = self.place(tag).ok()?;
        let (tag, history) = &self.rows[row][at];
        Some((tag, history))
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, tag: &Tag) -> Option<&mut TagHistory> {
        let (row, at) = self.place(tag).ok()?;
        Some(&mut self.rows[row][at].1)
    }

    /// Takes note of what a tag points at.
    pub(super) fn sighted(&mut self, tag: &Tag, artifact: &ArtifactId, created: Option<Timestamp>, since: Mark) {
        let sighting = Sighting::new(artifact.clone(), since, created);
        match self.get_mut(tag) {
            Some(history) => history.push(sighting),
            None => drop(self.insert(tag.clone(), sighting.into())),
        }
    }

    /// Has a history share the marks of others.
    fn share(&mut self, history: &mut TagHistory) {
        for seen in history.seen_mut().filter(|seen| seen.created.is_none()) {
            if let Some(known) = self.marks.get(&seen.since) {
                *seen = known.clone();
                continue;
            }
            if self.marks.len() >= MARKS {
                self.marks.clear();
            }
            self.marks.insert(seen.since, seen.clone());
        }
    }

    /// Puts what is known of a tag in place of what was, and returns that.
    pub fn insert(&mut self, tag: Tag, mut history: TagHistory) -> Option<TagHistory> {
        self.share(&mut history);
        match self.place(&tag) {
            Ok((row, at)) => Some(std::mem::replace(&mut self.rows[row][at].1, history)),
            Err((row, at)) => {
                self.count += 1;
                self.insert_at(row, at, (tag, history));
                None
            }
        }
    }

    /// Every tag with what is known of it, in order of name.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Tag, &TagHistory)> + Clone {
        self.rows.iter().flatten().map(|(tag, history)| (tag, history))
    }

    /// The same, each held by one word.
    pub fn known(&self) -> impl DoubleEndedIterator<Item = KnownTag<'_>> + Clone {
        self.rows.iter().flatten()
    }

    /// The same behind this tag.
    pub fn known_after(&self, tag: &Tag) -> impl DoubleEndedIterator<Item = KnownTag<'_>> + Clone {
        let (row, at) = match self.place(tag) {
            Ok((row, at)) => (row, at + 1),
            Err(place) => place,
        };
        let first = self.rows.get(row).and_then(|row| row.get(at..)).unwrap_or_default();
        first.iter().chain(self.rows.get(row + 1..).unwrap_or_default().iter().flatten())
    }

    /// Every tag, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Tag> + Clone {
        self.iter().map(|(tag, _)| tag)
    }

    /// What is known of every tag, in order of name.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &TagHistory> + Clone {
        self.iter().map(|(_, history)| history)
    }

    /// Where a tag is, or would be: a row and a place in it.
    fn place<Q: Ord + ?Sized>(&self, tag: &Q) -> Result<(usize, usize), (usize, usize)>
    where
        Tag: Borrow<Q>,
    {
        let after = self.rows.partition_point(|row| Borrow::<Q>::borrow(&row[0].0) <= tag);
        let Some(row) = after.checked_sub(1) else { return Err((0, 0)) };
        match self.rows[row].binary_search_by(|(name, _)| Borrow::<Q>::borrow(name).cmp(tag)) {
            Ok(at) => Ok((row, at)),
            Err(at) => Err((row, at)),
        }
    }

    fn insert_at(&mut self, mut row: usize, mut at: usize, entry: (Tag, TagHistory)) {
        if self.rows.is_empty() {
            self.rows.push(Vec::new());
        }
        if self.rows[row].len() == ROW {
            // Behind all others a new row begins; elsewhere one becomes two.
            let last = row + 1 == self.rows.len() && at == ROW;
            let from = if last { ROW } else { ROW / 2 };
            // Names that come one by one, as they are read from the ledger.
            Tag::pack(self.rows[row].iter_mut().map(|(tag, _)| tag));
            let rest = self.rows[row].split_off(from);
            self.rows.insert(row + 1, rest);
            if at >= from {
                (row, at) = (row + 1, at - from);
            }
        }
        self.rows[row].insert(at, entry);
    }
}

impl FromIterator<(Tag, TagHistory)> for TagTable {
    fn from_iter<T: IntoIterator<Item = (Tag, TagHistory)>>(entries: T) -> Self {
        let mut table = Self::default();
        for (tag, history) in entries {
            table.insert(tag, history);
        }
        table
    }
}

impl<Q: Ord + ?Sized> Index<&Q> for TagTable
where
    Tag: Borrow<Q>,
{
    type Output = TagHistory;

    fn index(&self, tag: &Q) -> &TagHistory {
        match self.get(tag) {
            Some(history) => history,
            None => panic!("nothing is known of this tag"),
        }
    }
}

impl IntoIterator for TagTable {
    type Item = (Tag, TagHistory);
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<(Tag, TagHistory)>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter().flatten()
    }
}

/// By what is known, however it is divided into rows.
impl PartialEq for TagTable {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.iter().eq(other.iter())
    }
}

impl fmt::Debug for TagTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// As a map, whatever it is in memory: what it reads as is what the ledger commits to.
impl Serialize for TagTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for TagTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = TagTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of tags")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TagTable, A::Error> {
                let mut table = TagTable::default();
                while let Some((tag, history)) = map.next_entry()? {
                    table.insert(tag, history);
                }
                Ok(table)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::model::Digest;

    fn history(number: u16) -> TagHistory {
        let since = Mark { sequence: u64::from(number), at: jiff::Timestamp::UNIX_EPOCH };
        Sighting::new(Digest::sha256(&number.to_le_bytes()).into(), since, None).into()
    }

    fn tag(number: u16) -> Tag {
        format!("t{number:05}").parse().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn it_is_a_sorted_map_whatever_the_order_of_names(numbers in proptest::collection::vec(0u16..1_500, 0..1_200)) {
            let (mut table, mut map) = (TagTable::default(), BTreeMap::new());
            for (at, number) in numbers.iter().enumerate() {
                let history = history(at as u16);
                prop_assert_eq!(table.insert(tag(*number), history.clone()), map.insert(tag(*number), history));
            }
            prop_assert_eq!(table.len(), map.len());
            prop_assert!(table.iter().eq(map.iter()));
            prop_assert!(table.rows.iter().all(|row| (1..=ROW).contains(&row.len())));
            for number in 0..1_500 {
                prop_assert_eq!(table.get(&tag(number)), map.get(&tag(number)));
            }
            let text = serde_json::to_string(&table).unwrap();
            prop_assert_eq!(&text, &serde_json::to_string(&map).unwrap(), "what the ledger commits to");
            prop_assert_eq!(serde_json::from_str::<TagTable>(&text).unwrap(), table);
        }
    }

    #[test]
    fn a_tag_takes_no_more_than_its_place_f93_i28() {
        let table: TagTable = (0..20_000).map(|number| (tag(number), history(number))).collect();
        let places: usize = table.rows.iter().map(Vec::capacity).sum();
        assert!(places < 20_000 + ROW, "{places}");
        assert!(size_of::<(Tag, TagHistory)>() <= 64, "{}", size_of::<(Tag, TagHistory)>());
    }
}
