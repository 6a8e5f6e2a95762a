//! A batch: the entries of one commit, one canonical JSON line each.
//!
//! The last line about a repository has a `link`: the commit before that touched the repository, by number and by its
//! batch's hash, and what the repository's view is from here on. So a repository is read backwards from its latest commit,
//! each step proven by the one after it, without reading what lies between.

use std::collections::BTreeMap;
use std::io::Read as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::cache;
use super::commitment::{Commitment, Hashing};
use super::touch::Touch;
use prodpin_core::model::{Digest, Entry, Event, RepositoryKey, RunId};
use prodpin_net::memory;

/// A commit larger than this is made in several: a reader holds one batch at a time, and a writer one several times over,
/// as entries, lines and packed (I28).
pub(super) fn most_bytes() -> usize {
    memory::budget().part(32, 4 << 20, 16 << 20)
}

/// So many entries are made at once of what is to be committed: about as many as one batch holds.
pub(super) fn at_once() -> usize {
    most_bytes() / 256
}

/// The most a reader unpacks before it calls a batch hostile.
const UNPACKED_CAP: u64 = 64 << 20;

/// The longest line: tlog-tiles counts an entry's length in 16 bits.
pub(super) const LINE_CAP: usize = u16::MAX as usize;

/// What a commit says of a repository beside what happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Link {
    /// The commit before that touched it; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<Touch>,
    /// Its view as of this commit.
    pub(super) view: Commitment,
}

#[derive(Serialize)]
struct Written<'a> {
    run: &'a RunId,
    at: &'a Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: &'a Option<RepositoryKey>,
    event: &'a Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a Link>,
}

#[derive(Deserialize)]
struct Line {
    run: RunId,
    at: Timestamp,
    #[serde(default)]
    repository: Option<RepositoryKey>,
    event: Event,
    #[serde(default)]
    link: Option<Link>,
}

/// What a batch holds.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    /// For each repository that it touches; none in the batches of programs before.
    pub(super) links: BTreeMap<RepositoryKey, Link>,
}

impl Batch {
    pub(super) fn push(&mut self, entry: Entry, link: Option<Link>) {
        if let (Some(link), Some(key)) = (link, &entry.repository) {
            self.links.insert(key.clone(), link);
        }
        self.entries.push(entry);
    }
}

/// An entry's line, without the line break: exactly these bytes are a leaf of the tree.
pub(super) fn line(entry: &Entry, link: Option<&Link>) -> Vec<u8> {
    let Entry { run, at, repository, event } = entry;
    // Only maps with keys that are no strings, and writers that fail, make this fail; an entry has neither.
    serde_json::to_vec(&Written { run, at, repository, event, link }).unwrap_or_default()
}

/// Reads a line; none if it is no entry that this program knows.
pub(super) fn entry(line: &[u8]) -> Option<(Entry, Option<Link>)> {
    let Line { run, at, repository, event, link } = serde_json::from_slice(line).ok()?;
    Some((Entry { run, at, repository, event }, link))
}

/// Compresses a batch's lines.
pub(super) fn pack(lines: &[u8]) -> std::io::Result<Vec<u8>> {
    zstd::encode_all(lines, 3)
}

/// Up to here a batch is unpacked at once; what grows further, and many times over, is hashed first.
const AT_ONCE: u64 = 1 << 20;
const RATIO: u64 = 32;

/// Unpacks a batch and checks it against its name. What unpacks to much more than it is takes no memory before its hash is
/// known to be right (F102).
pub(super) fn unpack(packed: &[u8], name: &Digest) -> Result<Vec<u8>, &'static str> {
    let broken = |_| "it does not decompress";
    let mut decoder = cache::decoder(packed).map_err(broken)?;
    let first = AT_ONCE.max(packed.len() as u64 * RATIO).min(UNPACKED_CAP + 1);
    let mut lines = Vec::new();
    decoder.by_ref().take(first).read_to_end(&mut lines).map_err(broken)?;
    if lines.len() as u64 == first {
        if !hashes_to(packed, name)? {
            return Err("its bytes do not hash to its name");
        }
        decoder.take(UNPACKED_CAP).read_to_end(&mut lines).map_err(broken)?;
    }
    if name.matches(&lines) { Ok(lines) } else { Err("its bytes do not hash to its name") }
}

/// The same without keeping anything.
fn hashes_to(packed: &[u8], name: &Digest) -> Result<bool, &'static str> {
    let mut decoder = cache::decoder(packed).map_err(|_| "it does not decompress")?.take(UNPACKED_CAP + 1);
    let mut hashing = Hashing::default();
    let bytes = std::io::copy(&mut decoder, &mut hashing).map_err(|_| "it does not decompress")?;
    if bytes > UNPACKED_CAP {
        return Err("it unpacks to more than any batch holds");
    }
    Ok(hashing.is(name))
}

/// The lines of a batch.
pub(super) fn lines(batch: &[u8]) -> impl Iterator<Item = &[u8]> {
    batch.split_inclusive(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}

/// What a batch holds; none if a line is no entry that this program knows.
pub(super) fn read(batch: &[u8]) -> Option<Batch> {
    let mut read = Batch::default();
    for line in lines(batch) {
        let (entry, link) = entry(line)?;
        read.push(entry, link);
    }
    Some(read)
}

/// What can still be read of a damaged batch: to tell which entry it is, never to believe it.
pub(super) fn salvage(packed: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    if let Ok(decoder) = cache::decoder(packed) {
        let _ = decoder.take(UNPACKED_CAP).read_to_end(&mut lines);
    }
    lines
}
