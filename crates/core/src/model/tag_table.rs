//! Tags with their histories, in order of name, for repositories that have a million of them.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Index;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use super::{Tag, TagHistory};

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
}

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

    /// Puts what is known of a tag in place of what was, and returns that.
    pub fn insert(&mut self, tag: Tag, history: TagHistory) -> Option<TagHistory> {
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
    use crate::model::{Digest, Mark, Sighting, TagStatus};

    fn history(number: u16) -> TagHistory {
        let since = Mark { sequence: u64::from(number), at: jiff::Timestamp::UNIX_EPOCH };
        let artifact = Digest::of(&number.to_le_bytes()).into();
        TagHistory { sightings: Sighting { artifact, since, created: None }.into(), status: TagStatus::Present }
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
        assert!(size_of::<(Tag, TagHistory)>() <= 136, "{}", size_of::<(Tag, TagHistory)>());
    }
}
