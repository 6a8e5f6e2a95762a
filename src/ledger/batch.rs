//! A batch: the entries of one commit, one canonical JSON line each.

use std::io::Read as _;

use crate::model::{Digest, Entry};

/// A commit larger than this is made in several: a reader holds one batch at a time.
pub(super) const BATCH_BYTES: usize = 16 << 20;

/// The most a reader unpacks before it calls a batch hostile.
const UNPACKED_CAP: u64 = 64 << 20;

/// The longest line: tlog-tiles counts an entry's length in 16 bits.
pub(super) const LINE_CAP: usize = u16::MAX as usize;

/// An entry's line, without the line break: exactly these bytes are a leaf of the tree.
pub(super) fn line(entry: &Entry) -> Vec<u8> {
    // Only maps with keys that are no strings, and writers that fail, make this fail; an entry has neither.
    serde_json::to_vec(entry).unwrap_or_default()
}

/// Compresses a batch's lines.
pub(super) fn pack(lines: &[u8]) -> std::io::Result<Vec<u8>> {
    zstd::encode_all(lines, 3)
}

/// Unpacks a batch and checks it against its name.
pub(super) fn unpack(packed: &[u8], name: &Digest) -> Result<Vec<u8>, &'static str> {
    let mut lines = Vec::new();
    let decoder = zstd::Decoder::new(packed).map_err(|_| "it does not decompress")?;
    decoder.take(UNPACKED_CAP + 1).read_to_end(&mut lines).map_err(|_| "it does not decompress")?;
    if lines.len() as u64 > UNPACKED_CAP {
        return Err("it unpacks to more than any batch holds");
    }
    if name.matches(&lines) { Ok(lines) } else { Err("its bytes do not hash to its name") }
}

/// The lines of a batch.
pub(super) fn lines(batch: &[u8]) -> impl Iterator<Item = &[u8]> {
    batch.split_inclusive(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}

/// The entries of a batch; none if a line is no entry that this program knows.
pub(super) fn entries(batch: &[u8]) -> Option<Vec<Entry>> {
    lines(batch).map(|line| serde_json::from_slice(line).ok()).collect()
}

/// What can still be read of a damaged batch: to tell which entry it is, never to believe it.
pub(super) fn salvage(packed: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    if let Ok(decoder) = zstd::Decoder::new(packed) {
        let _ = decoder.take(UNPACKED_CAP).read_to_end(&mut lines);
    }
    lines
}
