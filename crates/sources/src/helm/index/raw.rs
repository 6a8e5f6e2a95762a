//! Indexes as they stand in YAML, also with entries that Helm would drop.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{ENTRY_COST, spend};

/// Whatever is no text, list or mapping.
macro_rules! other_scalars {
    ($value:ty, $number:expr, $other:expr, $absent:expr) => {
        type Value = $value;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }

        fn visit_bool<E>(self, truth: bool) -> Result<$value, E> {
            Ok($number(LenientText::Number(truth.to_string())))
        }

        fn visit_i64<E>(self, number: i64) -> Result<$value, E> {
            Ok($number(LenientText::Number(number.to_string())))
        }

        fn visit_u64<E>(self, number: u64) -> Result<$value, E> {
            Ok($number(LenientText::Number(number.to_string())))
        }

        fn visit_i128<E>(self, number: i128) -> Result<$value, E> {
            Ok($number(LenientText::Number(number.to_string())))
        }

        fn visit_u128<E>(self, number: u128) -> Result<$value, E> {
            Ok($number(LenientText::Number(number.to_string())))
        }

        fn visit_f64<E>(self, number: f64) -> Result<$value, E> {
            Ok($number(go_number(number)))
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

/// The file, of which two members matter.
#[derive(Default)]
pub(super) struct RawIndex {
    pub(super) api_version: LenientText,
    pub(super) entries: Option<Charts>,
}

impl<'de> Deserialize<'de> for RawIndex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IndexVisitor;
        impl<'de> Visitor<'de> for IndexVisitor {
            type Value = RawIndex;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an index of charts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawIndex, A::Error> {
                let (mut api_version, mut entries) = (None, None);
                // Derived, a member whose name is no text would cost the whole file.
                while let Some(key) = map.next_key::<LenientText>()? {
                    let twice = match &key {
                        LenientText::Text(name) if name == "apiVersion" => {
                            api_version.replace(map.next_value()?).is_some()
                        }
                        LenientText::Text(name) if name == "entries" => entries.replace(map.next_value()?).is_some(),
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            false
                        }
                    };
                    if twice {
                        return Err(A::Error::custom("apiVersion or entries is there twice"));
                    }
                }
                Ok(RawIndex { api_version: api_version.unwrap_or_default(), entries: entries.unwrap_or_default() })
            }
        }
        deserializer.deserialize_map(IndexVisitor)
    }
}

/// Charts by name.
#[derive(Default)]
pub(super) struct Charts {
    pub(super) charts: BTreeMap<String, Entries>,
    /// How many have a name that is null, a list or a mapping.
    pub(super) keys_no_text: usize,
}

impl<'de> Deserialize<'de> for Charts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ChartsVisitor;
        impl<'de> Visitor<'de> for ChartsVisitor {
            type Value = Charts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("charts by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Charts, A::Error> {
                let mut read = Charts::default();
                while let Some(key) = map.next_key::<LenientText>()? {
                    let entries = map.next_value::<Entries>()?;
                    match key {
                        LenientText::Text(name) | LenientText::Number(name) => match read.charts.entry(name) {
                            Entry::Vacant(place) => _ = place.insert(entries),
                            // Helm refuses the file; a reader that takes one of the two would lose the other.
                            Entry::Occupied(place) => {
                                return Err(A::Error::custom(format!("the chart {:.80?} is there twice", place.key())));
                            }
                        },
                        LenientText::Absent | LenientText::Other => read.keys_no_text += 1,
                    }
                }
                Ok(read)
            }
        }
        deserializer.deserialize_map(ChartsVisitor)
    }
}

/// One chart's entries.
#[derive(Default)]
pub(super) struct Entries(pub(super) Vec<RawEntry>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        spend::<D::Error>(ENTRY_COST / 2)?;
        deserializer.deserialize_any(EntriesVisitor)
    }
}

struct EntriesVisitor;

fn no_list() -> Entries {
    Entries(vec![RawEntry::NoList])
}

fn no_list_of(_: LenientText) -> Entries {
    no_list()
}

impl<'de> Visitor<'de> for EntriesVisitor {
    other_scalars!(Entries, no_list_of, no_list(), Entries::default());

    fn visit_str<E>(self, _: &str) -> Result<Entries, E> {
        Ok(no_list())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = items.next_element()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entries, A::Error> {
        WordVisitor.visit_map(map).map(|_| no_list())
    }
}

/// Text, or the lack of it, or something else in its place: one odd value must not take the whole index with it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum LenientText {
    #[default]
    Absent,
    Text(String),
    /// A number, a truth: as Helm's reader spells it where it wants a text.
    Number(String),
    Other,
}

/// What `Chart.yaml` says of itself.
#[derive(Debug, Default)]
pub(crate) struct ChartFile {
    pub(crate) name: LenientText,
    pub(crate) version: LenientText,
}

impl<'de> Deserialize<'de> for ChartFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FileVisitor;
        impl<'de> Visitor<'de> for FileVisitor {
            type Value = ChartFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ChartFile, A::Error> {
                let mut file = ChartFile::default();
                while let Some(key) = map.next_key::<LenientText>()? {
                    let field = match &key {
                        LenientText::Text(key) if key == "name" => &mut file.name,
                        LenientText::Text(key) if key == "version" => &mut file.version,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    let value = map.next_value::<LenientText>()?;
                    // Two readers may take either of two.
                    let differs = *field != LenientText::Absent && *field != value;
                    *field = if differs { LenientText::Other } else { value };
                }
                Ok(file)
            }
        }
        deserializer.deserialize_map(FileVisitor)
    }
}

/// One entry: of a mapping, what matters.
pub(super) enum RawEntry {
    Map {
        name: LenientText,
        version: LenientText,
        digest: LenientText,
        created: LenientText,
        url: LenientText,
    },
    /// A mapping that names one of these twice.
    Twice,
    /// Stands for a whole list that is none.
    NoList,
    Other,
}

/// A number as Go writes it in the shortest form (`%g`), which is what Helm makes of one in place of a text.
fn go_number(number: f64) -> LenientText {
    if !number.is_finite() {
        return LenientText::Other;
    }
    let scientific = format!("{number:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return LenientText::Other };
    let Ok(exponent) = exponent.parse::<i32>() else { return LenientText::Other };
    let plain = (-4..6).contains(&exponent);
    let sign = if exponent < 0 { '-' } else { '+' };
    LenientText::Number(match plain {
        true => format!("{number}"),
        false => format!("{digits}e{sign}{:02}", exponent.abs()),
    })
}

struct WordVisitor;

impl<'de> Visitor<'de> for WordVisitor {
    other_scalars!(LenientText, std::convert::identity, LenientText::Other, LenientText::Absent);

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

fn no_first(_: LenientText) -> First {
    First(LenientText::Other)
}

struct FirstVisitor;

impl<'de> Visitor<'de> for FirstVisitor {
    other_scalars!(First, no_first, First(LenientText::Other), First(LenientText::Absent));

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

fn no_entry(_: LenientText) -> RawEntry {
    RawEntry::Other
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    other_scalars!(RawEntry, no_entry, RawEntry::Other, RawEntry::Other);

    fn visit_str<E>(self, _: &str) -> Result<RawEntry, E> {
        Ok(RawEntry::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<RawEntry, A::Error> {
        WordVisitor.visit_seq(items).map(|_| RawEntry::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawEntry, A::Error> {
        let [mut name, mut version, mut digest, mut created] = [const { LenientText::Absent }; 4];
        let mut url = LenientText::Absent;
        let mut twice = false;
        while let Some(key) = map.next_key::<LenientText>()? {
            let LenientText::Text(key) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let (field, value) = match key.as_str() {
                "name" => (&mut name, map.next_value()?),
                "version" => (&mut version, map.next_value()?),
                "digest" => (&mut digest, map.next_value()?),
                "created" => (&mut created, map.next_value()?),
                "urls" => (&mut url, map.next_value::<First>()?.0),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            twice |= *field != LenientText::Absent && *field != value;
            *field = value;
        }
        if twice {
            return Ok(RawEntry::Twice);
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
