//! Files that may be lost, stale, torn, forged or another program's without harm: an envelope that says what it is a cache
//! of, and content that is believed only if it hashes to what the log says. Both compressed, with a checksum.

use std::io::{BufReader, BufWriter, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::commitment::{Commitment, FORM, Hashing};
use super::touch::Touch;
use prodpin_core::model::RepositoryKey;

/// The first line of a cache. Nothing in it is believed: it says where to look for what is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Envelope {
    pub(super) form: u64,
    /// The log's origin.
    pub(super) origin: String,
    /// As of this commit.
    pub(super) sequence: u64,
    /// Of a view: the repository, and the commit that made it what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) repository: Option<RepositoryKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) latest: Option<Touch>,
    /// Of the index: that commit's checkpoint, with its signatures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    /// The key's word for an index that no checkpoint speaks for: of a commit that a program before made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) signed: Option<String>,
}

impl Envelope {
    pub(super) fn new(origin: &str, sequence: u64) -> Self {
        Self {
            form: FORM,
            origin: origin.to_owned(),
            sequence,
            repository: None,
            latest: None,
            note: None,
            signed: None,
        }
    }
}

/// The longest envelope: a checkpoint and a name.
const ENVELOPE_CAP: u64 = 256 << 10;

/// Up to here content is unpacked as a whole, which reads several times as fast.
const READ_WHOLE: u64 = 16 << 20;

/// No writer of a ledger uses a larger window; a file that asks for one is not prodpin's, and would cost its memory (F102).
pub(super) const WINDOW_LOG: u32 = 23;

/// A decoder that takes no more memory than what prodpin writes needs.
pub(super) fn decoder(packed: &[u8]) -> std::io::Result<zstd::Decoder<'static, &[u8]>> {
    let mut decoder = zstd::Decoder::with_buffer(packed)?;
    decoder.window_log_max(WINDOW_LOG)?;
    Ok(decoder)
}

/// Packs a cache. Written piece by piece, because a repository may have a million tags.
pub(super) fn pack(
    envelope: &Envelope,
    content: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> std::io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1)?;
    encoder.include_checksum(true)?;
    let mut buffered = BufWriter::with_capacity(64 << 10, encoder);
    serde_json::to_writer(&mut buffered, envelope)?;
    buffered.write_all(b"\n")?;
    content(&mut buffered)?;
    buffered.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()
}

/// The first line of a packed cache; none if it has none that this program writes.
pub(super) fn envelope(packed: &[u8]) -> Option<Envelope> {
    let envelope: Envelope = serde_json::from_slice(&first_line(packed, ENVELOPE_CAP)?).ok()?;
    (envelope.form == FORM).then_some(envelope)
}

/// The beginning of a packed file, up to a line break or so many bytes.
pub(super) fn first_line(packed: &[u8], most: u64) -> Option<Vec<u8>> {
    let mut decoder = decoder(packed).ok()?.take(most);
    let mut line = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let length = decoder.read(&mut piece).ok()?;
        let read = piece.get(..length)?;
        match read.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                line.extend_from_slice(&read[..end]);
                return Some(line);
            }
            None if length == 0 => return Some(line),
            None => line.extend_from_slice(read),
        }
    }
}

/// Why content is not what was promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It was cut or never finished: what a crash leaves.
    Torn,
    /// It is whole, and something else: nobody who follows the protocol has written it.
    Other,
}

/// Reads what follows the first line, piece by piece, up to one byte more than was promised.
struct Content<'p> {
    decoder: BufReader<zstd::Decoder<'static, &'p [u8]>>,
}

impl<'p> Content<'p> {
    fn open(packed: &'p [u8]) -> Result<Self, Unfit> {
        use std::io::BufRead as _;
        let mut decoder = BufReader::with_capacity(64 << 10, decoder(packed).map_err(|_| Unfit::Torn)?);
        let mut envelope = decoder.by_ref().take(ENVELOPE_CAP);
        envelope.skip_until(b'\n').map_err(|_| Unfit::Torn)?;
        Ok(Self { decoder })
    }
}

impl Read for Content<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        self.decoder.read(bytes)
    }
}

/// A cache's content, if it hashes to what was promised: only then is any of it looked at, and never more than was promised
/// is unpacked (F102).
pub(super) fn content(packed: &[u8], promised: &Commitment) -> Result<Vec<u8>, Unfit> {
    let mut text = Vec::new();
    Content::open(packed)?.take(promised.bytes + 1).read_to_end(&mut text).map_err(|_| Unfit::Torn)?;
    let mut hashing = Hashing::default();
    hashing.take(&text);
    if hashing.finish() == *promised { Ok(text) } else { Err(Unfit::Other) }
}

/// The same, read as JSON. What is large is unpacked twice, so that text and value are not held at once.
pub(super) fn read<T: DeserializeOwned>(packed: &[u8], promised: &Commitment) -> Result<T, Unfit> {
    if promised.bytes < READ_WHOLE {
        return serde_json::from_slice(&content(packed, promised)?).map_err(|_| Unfit::Other);
    }
    let mut hashing = Hashing::default();
    std::io::copy(&mut Content::open(packed)?.take(promised.bytes + 1), &mut hashing).map_err(|_| Unfit::Torn)?;
    if hashing.finish() != *promised {
        return Err(Unfit::Other);
    }
    serde_json::from_reader(BufReader::new(Content::open(packed)?.take(promised.bytes))).map_err(|_| Unfit::Other)
}

/// The content of any length up to this, for who knows in another way what it must be.
pub(super) fn content_up_to(packed: &[u8], most: u64) -> Result<Vec<u8>, Unfit> {
    let mut text = Vec::new();
    Content::open(packed)?.take(most + 1).read_to_end(&mut text).map_err(|_| Unfit::Torn)?;
    if text.len() as u64 > most { Err(Unfit::Other) } else { Ok(text) }
}
