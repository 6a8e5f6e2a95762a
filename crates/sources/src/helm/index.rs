//! `index.yaml` as read: strictly where bytes are named, leniently where only one entry is at fault (F138–F140).
//!
//! Helm drops an entry it does not like and says nothing; here every such entry is reported, and a version whose entry is no
//! good is unknown, not gone.

mod raw;
#[cfg(test)]
mod tests;
mod text;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use prodpin_core::model::{ChartVersion, Digest, RepositoryName, Tag};
use prodpin_net::memory::Aside;

use self::raw::{RawEntry, RawIndex};

pub(super) use self::raw::{ChartFile, LenientText};
use self::text::Text;

/// The charts of an index.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) charts: BTreeMap<RepositoryName, Chart>,
    /// Names that no chart can have: `..`, or with a slash (F81).
    pub(super) unnameable: Vec<String>,
    /// What else is odd about the file, each as a clause, and keeps nothing of it from being read.
    pub(super) odd: Vec<String>,
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
    /// Reads an index of at most so many bytes unpacked. The error is for a person, and says where.
    pub(super) fn read(bytes: &[u8], most: usize) -> Result<Self, String> {
        let Text { text, odd } = Text::read(bytes, most)?;
        match text.trim_start().chars().next() {
            None => return Err("it is empty".to_owned()),
            Some('<') => return Err("it is a web page or XML, not an index; a login page may be in between".to_owned()),
            Some(_) => {}
        }
        // One at a time, because each may take all the room that there is.
        static READING: Mutex<()> = Mutex::new(());
        let _reading = READING.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = Aside::room();
        let (raw, taken): (RawIndex, usize) =
            within(allowed, || serde_saphyr::from_str_with_options(&text, options()))?;
        if !matches!(raw.api_version, LenientText::Text(_) | LenientText::Number(_)) {
            return Err("it has no apiVersion, without which Helm reads none of it".to_owned());
        }
        let entries = raw.entries.ok_or("it has no entries; an empty index says `entries: {}`")?;
        // What is kept of it takes half of what reading it took.
        let mut index = Self { _aside: Some(Aside::count(taken / 2)), odd, ..Self::default() };
        if entries.keys_no_text > 0 {
            index.odd.push(format!("{} of its charts have a name that is no text", entries.keys_no_text));
        }
        for (name, entries) in entries.charts {
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
        let (name, version, digest, created, url) = match raw {
            RawEntry::Map { name, version, digest, created, url } => (name, version, digest, created, url),
            RawEntry::Twice => return self.nameless.push("an entry names one of its members twice"),
            RawEntry::NoList => return self.nameless.push("what stands in place of its list of entries is no list"),
            RawEntry::Other => return self.nameless.push("an entry is empty or no mapping"),
        };
        let version = match version {
            LenientText::Text(version) => version,
            LenientText::Absent => return self.nameless.push("an entry has no version"),
            LenientText::Number(_) | LenientText::Other => {
                return self.nameless.push("an entry's version is not text; put it in quotes");
            }
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
fn entry(
    chart: &str,
    version: &str,
    name: LenientText,
    digest: LenientText,
    created: &LenientText,
    url: LenientText,
) -> Result<Entry, String> {
    if ChartVersion::read(version).is_none() {
        return Err("its version is no semantic version, so Helm drops it without a word".to_owned());
    }
    match name {
        LenientText::Text(name) | LenientText::Number(name) if name == chart => {}
        LenientText::Text(name) | LenientText::Number(name) => {
            return Err(format!("its entry says that it is the chart {name:.80?}"));
        }
        LenientText::Other => return Err("its entry's name is no text; put it in quotes".to_owned()),
        LenientText::Absent => return Err("its entry has no name, so Helm drops it without a word".to_owned()),
    }
    let digest = match digest {
        LenientText::Absent => None,
        LenientText::Text(text) if text.is_empty() => None,
        LenientText::Text(text) => {
            let hex = text.strip_prefix("sha256:").unwrap_or(&text).to_ascii_lowercase();
            let digest = format!("sha256:{hex}").parse();
            Some(digest.map_err(|_| "its digest is no SHA-256 in hexadecimal".to_owned())?)
        }
        LenientText::Number(_) | LenientText::Other => return Err("its digest is not text".to_owned()),
    };
    let created = if let LenientText::Text(text) = created { text.parse().ok() } else { None };
    let url = if let LenientText::Text(text) = url { Some(text.into()) } else { None };
    Ok(Entry { digest, url, created })
}

impl ChartFile {
    /// Reads a `Chart.yaml`; the error is for a person.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = Text::read(bytes, bytes.len())?;
        serde_saphyr::from_str_with_options(&text.text, options()).map_err(|error| said(&error))
    }

    /// Name and version; none unless it has both, once.
    pub(super) fn named(self) -> Option<(String, String)> {
        let text = |field| match field {
            LenientText::Text(text) | LenientText::Number(text) => Some(text),
            LenientText::Absent | LenientText::Other => None,
        };
        Some((text(self.name)?, text(self.version)?))
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
        // Who reads them decides: one member that is there twice must not take the whole file with it.
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
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
