//! `index.yaml` as read: strictly where bytes are named, leniently where only one entry is at fault (F138–F140).
//!
//! Helm drops an entry it does not like and says nothing; here every such entry is told, and a version whose entry is no
//! good is unknown, not gone.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use prodpin_core::model::{ChartVersion, Digest, RepositoryName, Tag};
use prodpin_net::memory::Aside;

/// The charts of an index.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) charts: BTreeMap<RepositoryName, Chart>,
    /// Names that no chart can have: `..`, or with a slash (F81).
    pub(super) unnameable: Vec<String>,
    /// What it takes in memory is counted for as long as it is kept.
    _aside: Option<Aside>,
}

/// One chart's entries.
#[derive(Debug, Default)]
pub(super) struct Chart {
    pub(super) versions: BTreeMap<Tag, Listed>,
    /// Entries that not even have a version.
    pub(super) nameless: Vec<&'static str>,
}

/// What the index says of one version.
#[derive(Debug)]
pub(super) enum Listed {
    Archive(Entry),
    /// Helm drops it, or two clients may read it differently.
    Invalid(String),
}

/// An archive as the index names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// SHA-256 of the archive, if the index has it.
    pub(super) digest: Option<Digest>,
    /// The first of its URLs, which is the only one that Helm downloads from.
    pub(super) url: Option<Box<str>>,
    /// May be the time of the index and not of the chart (F139).
    pub(super) created: Option<Timestamp>,
}

/// An index of 50,000 versions has some three million nodes.
const MOST_NODES: usize = 16_000_000;
const MOST_DEPTH: usize = 64;
/// Indexes are written by programs, which have no need for anchors.
const MOST_ALIASES: usize = 1_000;
/// Examples of bad names to tell.
const MOST_EXAMPLES: usize = 100;

impl Index {
    /// Reads an index. The error is for a person, and says where.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        match text.trim_start().chars().next() {
            None => return Err("it is empty".to_owned()),
            Some('<') => return Err("it is a web page or XML, not an index; a login page may be in between".to_owned()),
            Some(_) => {}
        }
        // One at a time, because each may take all the room that there is.
        static READING: Mutex<()> = Mutex::new(());
        let _reading = READING.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = Aside::room();
        let (raw, taken): (RawIndex, usize) = within(allowed, || serde_saphyr::from_str_with_options(text, options()))?;
        if !matches!(raw.api_version, Word::Text(_)) {
            return Err("it has no apiVersion, without which Helm reads none of it".to_owned());
        }
        let entries = raw.entries.ok_or("it has no entries; an empty index says `entries: {}`")?;
        // What is kept of it takes half of what reading it took.
        let mut index = Self { _aside: Some(Aside::count(taken / 2)), ..Self::default() };
        for (name, entries) in entries {
            index.add(name, entries.0);
        }
        Ok(index)
    }

    fn add(&mut self, name: String, entries: Vec<RawEntry>) {
        let nameable = name.len() <= 250 && !name.contains(['/', '\\']) && !name.chars().any(char::is_control);
        let parsed = name.parse::<RepositoryName>().ok().filter(|_| nameable);
        let Some(repository) = parsed else {
            if self.unnameable.len() < MOST_EXAMPLES {
                self.unnameable.push(name.chars().take(80).collect());
            }
            return;
        };
        let chart = self.charts.entry(repository).or_default();
        for entry in entries {
            chart.add(&name, entry);
        }
    }
}

impl Chart {
    fn add(&mut self, chart: &str, raw: RawEntry) {
        let RawEntry::Map { name, version, digest, created, url } = raw else {
            self.nameless.push("an entry is empty or no mapping");
            return;
        };
        let version = match version {
            Word::Text(version) => version,
            Word::Absent => return self.nameless.push("an entry has no version"),
            Word::Other => return self.nameless.push("an entry's version is not text; put it in quotes"),
        };
        let Ok(tag) = version.parse::<Tag>() else {
            return self.nameless.push("an entry's version is empty or longer than any version");
        };
        let listed = entry(chart, &version, name, digest, &created, url).map_or_else(Listed::Invalid, Listed::Archive);
        match self.versions.get(&tag) {
            None => {
                self.versions.insert(tag, listed);
            }
            // The same said twice is said.
            Some(Listed::Archive(known)) if matches!(&listed, Listed::Archive(again) if known.is_same(again)) => {}
            Some(_) => {
                let reason = "the index lists it more than once, with different archives";
                self.versions.insert(tag, Listed::Invalid(reason.to_owned()));
            }
        }
    }
}

impl Entry {
    fn is_same(&self, other: &Self) -> bool {
        match (&self.digest, &other.digest) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, None) => self.url == other.url,
            _ => false,
        }
    }
}

/// One entry, or why Helm drops it.
fn entry(chart: &str, version: &str, name: Word, digest: Word, created: &Word, url: Word) -> Result<Entry, String> {
    if ChartVersion::read(version).is_none() {
        return Err("its version is no semantic version, so Helm drops it without a word".to_owned());
    }
    match name {
        Word::Text(name) if name == chart => {}
        Word::Text(name) => return Err(format!("its entry says that it is the chart {name:.80?}")),
        _ => return Err("its entry has no name, so Helm drops it without a word".to_owned()),
    }
    let digest = match digest {
        Word::Absent => None,
        Word::Text(text) if text.is_empty() => None,
        Word::Text(text) => {
            let hex = text.strip_prefix("sha256:").unwrap_or(&text).to_ascii_lowercase();
            let digest = format!("sha256:{hex}").parse();
            Some(digest.map_err(|_| "its digest is no SHA-256 in hexadecimal".to_owned())?)
        }
        Word::Other => return Err("its digest is not text".to_owned()),
    };
    let created = if let Word::Text(text) = created { text.parse().ok() } else { None };
    let url = if let Word::Text(text) = url { Some(text.into()) } else { None };
    Ok(Entry { digest, url, created })
}

/// What `Chart.yaml` says of itself.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ChartFile {
    #[serde(default)]
    pub(super) name: Word,
    #[serde(default)]
    pub(super) version: Word,
}

impl ChartFile {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_saphyr::from_slice_with_options(bytes, options()).ok()
    }
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MOST_DEPTH,
            flow_nesting_limit: MOST_DEPTH,
            max_nodes: MOST_NODES,
            max_events: 2 * MOST_NODES,
            max_total_scalar_bytes: 128 << 20,
            max_documents: 1,
            max_aliases: MOST_ALIASES,
            max_anchors: MOST_ALIASES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
            max_replay_stack_depth: 8,
        },
        // A short commit of digits and one e overflows as a number, and Go's YAML writes it without quotes.
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

thread_local! {
    /// What the entries of the index that is read on this thread may still take in memory. The parser knows nodes and
    /// bytes, and of neither how much is kept (I20).
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// What an entry takes with its words, and while its list grows.
const ENTRY_COST: usize = 512;

const TOO_MANY: &str = "the index has more charts and versions than the memory budget allows; raise --memory";

fn spend<E: serde::de::Error>(bytes: usize) -> Result<(), E> {
    LEFT.with(|left| match left.get().checked_sub(bytes) {
        Some(rest) => {
            left.set(rest);
            Ok(())
        }
        None => Err(E::custom(TOO_MANY)),
    })
}

/// Reads in so many bytes, and says how many of them it took.
fn within<T>(bytes: usize, read: impl FnOnce() -> Result<T, serde_saphyr::Error>) -> Result<(T, usize), String> {
    LEFT.with(|left| left.set(bytes));
    let read = read();
    let left = LEFT.with(|left| left.replace(usize::MAX));
    read.map(|read| (read, bytes - left)).map_err(|error| said(&error))
}

/// The library's reason on one line, with its place.
fn said(error: &serde_saphyr::Error) -> String {
    let message = error.to_string();
    if message.contains(TOO_MANY) {
        return TOO_MANY.to_owned();
    }
    let line = message.lines().next().unwrap_or_default();
    format!("it is no YAML that can be read: {line:.160}")
}

#[derive(Deserialize)]
struct RawIndex {
    #[serde(default, rename = "apiVersion")]
    api_version: Word,
    #[serde(default)]
    entries: Option<BTreeMap<String, Entries>>,
}

/// One chart's entries.
#[derive(Default)]
struct Entries(Vec<RawEntry>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        spend::<D::Error>(ENTRY_COST / 2)?;
        Ok(Self(Option::<Vec<RawEntry>>::deserialize(deserializer)?.unwrap_or_default()))
    }
}

/// Text, or the lack of it, or something else in its place: one odd value must not take the whole index with it.
#[derive(Debug, Default)]
pub(super) enum Word {
    #[default]
    Absent,
    Text(String),
    Other,
}

/// One entry: of a mapping, what matters.
enum RawEntry {
    Map { name: Word, version: Word, digest: Word, created: Word, url: Word },
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
    other_scalars!(Word, Word::Other, Word::Absent);

    fn visit_str<E>(self, text: &str) -> Result<Word, E> {
        Ok(Word::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Word, E> {
        Ok(Word::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Word, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Word::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Word, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Word::Other)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordVisitor)
    }
}

/// The first of a list of words.
struct First(Word);

struct FirstVisitor;

impl<'de> Visitor<'de> for FirstVisitor {
    other_scalars!(First, First(Word::Other), First(Word::Absent));

    fn visit_str<E>(self, _: &str) -> Result<First, E> {
        Ok(First(Word::Other))
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
        let [mut name, mut version, mut digest, mut created] = [const { Word::Absent }; 4];
        let mut url = Word::Absent;
        while let Some(key) = map.next_key::<Word>()? {
            let Word::Text(key) = key else {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Short commits that are numbers too large for any, infinities, and what is no number: nothing of it is read.
    #[test]
    fn a_member_that_nobody_reads_spoils_no_file() {
        for odd in
            ["12e4567", "-12e4567", "1e999", ".inf", "-.inf", ".nan", "99999999999999999999999999", "0x", "1_000", "~"]
        {
            let index = format!(
                "apiVersion: v1\nentries:\n  shop:\n  - {{name: shop, version: 1.1.0, appVersion: {odd}, urls: [a.tgz]}}\n"
            );
            let index = Index::read(index.as_bytes()).unwrap_or_else(|error| panic!("{odd}: {error}"));
            let chart = &index.charts["shop"];
            assert!(matches!(chart.versions["1.1.0"], Listed::Archive(_)), "{odd}");
            let file = format!("apiVersion: v2\nname: shop\nversion: 1.1.0\nappVersion: {odd}\n");
            let file = ChartFile::read(file.as_bytes()).unwrap_or_else(|| panic!("{odd}"));
            assert!(matches!((file.name, file.version), (Word::Text(_), Word::Text(_))), "{odd}");
        }
    }

    /// What is read and is no text is an entry of its own that is wrong, and never another version.
    #[test]
    fn a_version_that_is_a_number_is_no_version() {
        let index = "apiVersion: v1\nentries:\n  shop:\n  - {name: shop, version: 12e4567, urls: [a.tgz]}\n";
        let index = Index::read(index.as_bytes()).unwrap();
        let chart = &index.charts["shop"];
        assert_eq!((chart.versions.len(), chart.nameless.len()), (0, 1));
    }
}
