//! Files that may be lost, stale, torn or another program's without harm: compressed JSON with a checksum.

use std::io::{BufReader, BufWriter, Read as _};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A cache of another schema is not read but made anew.
pub(super) const CACHE_SCHEMA: u32 = 3;

/// A repository of a million tags needs a tenth of this.
const UNPACKED_CAP: u64 = 4 << 30;

/// Up to here a cache is unpacked as a whole, which reads several times as fast.
const READ_WHOLE: u64 = 16 << 20;

/// Packs a cache. Written piece by piece, because a repository may have a million tags.
pub(super) fn pack<T: Serialize>(value: &T) -> std::io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1)?;
    encoder.include_checksum(true)?;
    let mut buffered = BufWriter::with_capacity(64 << 10, encoder);
    serde_json::to_writer(&mut buffered, value)?;
    buffered.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()
}

/// Unpacks a cache; nothing if it is damaged in any way.
pub(super) fn unpack<T: DeserializeOwned>(packed: &[u8]) -> Option<T> {
    let mut decoder = zstd::Decoder::new(packed).ok()?.take(UNPACKED_CAP);
    let mut text = Vec::new();
    decoder.by_ref().take(READ_WHOLE).read_to_end(&mut text).ok()?;
    let value = if (text.len() as u64) < READ_WHOLE {
        serde_json::from_slice(&text).ok()?
    } else {
        serde_json::from_reader(text.as_slice().chain(BufReader::new(&mut decoder))).ok()?
    };
    // The checksum stands at the end of the stream, past the last brace.
    (decoder.read_to_end(&mut Vec::new()).ok()? == 0).then_some(value)
}
