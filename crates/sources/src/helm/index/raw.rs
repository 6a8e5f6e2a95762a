//! Indexes as they stand in YAML, also with entries that Helm would drop.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{ENTRY_COST, spend};

#[derive(Deserialize)]
pub(super) struct RawIndex {
    #[serde(default, rename = "apiVersion")]
    pub(super) api_version: LenientText,
    #[serde(default)]
    pub(super) entries: Option<BTreeMap<String, Entries>>,
}

/// One chart's entries.
#[derive(Default)]
pub(super) struct Entries(pub(super) Vec<RawEntry>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        spend::<D::Error>(ENTRY_COST / 2)?;
        Ok(Self(Option::<Vec<RawEntry>>::deserialize(deserializer)?.unwrap_or_default()))
    }
}

/// Text, or the lack of it, or something else in its place: one odd value must not take the whole index with it.
#[derive(Debug, Default)]
pub(crate) enum LenientText {
    #[default]
    Absent,
    Text(String),
    Other,
}

/// One entry: of a mapping, what matters.
pub(super) enum RawEntry {
    Map { name: LenientText, version: LenientText, digest: LenientText, created: LenientText, url: LenientText },
    Other,
}

/// Whatever is no text, list or mapping.
macro_rules! other_scalars {
    ($value:ty, $other:expr, $absent:expr) => {
        type Value = $value;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }

        fn visit_bool<E>(self, _: bool) -> Result<$value, E> {
            Ok($other)
        }

        fn visit_i64<E>(self, _: i64) -> Result<$value, E> {
            Ok($other)
        }

        fn visit_u64<E>(self, _: u64) -> Result<$value, E> {
            Ok($other)
        }

        fn visit_i128<E>(self, _: i128) -> Result<$value, E> {
            Ok($other)
        }

        fn visit_u128<E>(self, _: u128) -> Result<$value, E> {
            Ok($other)
        }

        fn visit_f64<E>(self, _: f64) -> Result<$value, E> {
            Ok($other)
        }

        fn visit_bytes<E>(self, _: &[u8]) -> Result<$value, E> {
            Ok($other)
        }

        fn visit_unit<E>(self) -> Result<$value, E> {
            Ok($absent)
        }

        fn visit_none<E>(self) -> Result<$value, E> {
            Ok($absent)
        }
    };
}

struct WordVisitor;

impl<'de> Visitor<'de> for WordVisitor {
    other_scalars!(LenientText, LenientText::Other, LenientText::Absent);

    fn visit_str<E>(self, text: &str) -> Result<LenientText, E> {
        Ok(LenientText::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<LenientText, E> {
        Ok(LenientText::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<LenientText, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(LenientText::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LenientText, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(LenientText::Other)
    }
}

impl<'de> Deserialize<'de> for LenientText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordVisitor)
    }
}

/// The first of a list of words.
struct First(LenientText);

struct FirstVisitor;

impl<'de> Visitor<'de> for FirstVisitor {
    other_scalars!(First, First(LenientText::Other), First(LenientText::Absent));

    fn visit_str<E>(self, _: &str) -> Result<First, E> {
        Ok(First(LenientText::Other))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<First, A::Error> {
        let first = items.next_element()?.unwrap_or_default();
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(First(first))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<First, A::Error> {
        WordVisitor.visit_map(map).map(First)
    }
}

impl<'de> Deserialize<'de> for First {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FirstVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    other_scalars!(RawEntry, RawEntry::Other, RawEntry::Other);

    fn visit_str<E>(self, _: &str) -> Result<RawEntry, E> {
        Ok(RawEntry::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<RawEntry, A::Error> {
        WordVisitor.visit_seq(items).map(|_| RawEntry::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawEntry, A::Error> {
        let [mut name, mut version, mut digest, mut created] = [const { LenientText::Absent }; 4];
        let mut url = LenientText::Absent;
        while let Some(key) = map.next_key::<LenientText>()? {
            let LenientText::Text(key) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            match key.as_str() {
                "name" => name = map.next_value()?,
                "version" => version = map.next_value()?,
                "digest" => digest = map.next_value()?,
                "created" => created = map.next_value()?,
                "urls" => url = map.next_value::<First>()?.0,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(RawEntry::Map { name, version, digest, created, url })
    }
}

impl<'de> Deserialize<'de> for RawEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        spend::<D::Error>(ENTRY_COST)?;
        deserializer.deserialize_any(EntryVisitor)
    }
}
