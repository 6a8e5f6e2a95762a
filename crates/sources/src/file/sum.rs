//! Checksums that a bucket names of a whole object, and working them out as its bytes stream by.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, Digest as Crc};
use md5::{Digest as _, Md5};

/// Of what kind a checksum is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SumKind {
    /// CRC32, as of gzip.
    Crc32,
    /// CRC32C.
    Crc32c,
    /// CRC64NVME, which S3 gives every object that comes without another one.
    Crc64Nvme,
    /// An ETag that is an MD5.
    Md5Etag,
}

impl fmt::Display for SumKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Md5Etag => "the MD5 in its ETag",
        })
    }
}

/// One checksum, as the bucket names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    kind: SumKind,
    expected: Vec<u8>,
}

impl Sum {
    /// Reads one: an ETag in hex, the others in base64. None where it is no checksum of that kind of a whole object: those of
    /// what was uploaded in parts are of these parts, and have their number behind a dash.
    #[must_use]
    pub fn read(kind: SumKind, text: &str) -> Option<Self> {
        let expected = match kind {
            SumKind::Md5Etag => hex(text)?,
            _ => STANDARD.decode(text).ok()?,
        };
        let length = match kind {
            SumKind::Crc32 | SumKind::Crc32c => 4,
            SumKind::Crc64Nvme => 8,
            SumKind::Md5Etag => 16,
        };
        (expected.len() == length).then_some(Self { kind, expected })
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// A checksum on its way.
pub(super) struct Running {
    sum: Sum,
    state: State,
}

enum State {
    Crc(Box<Crc>),
    Md5(Md5),
}

impl Running {
    pub(super) fn of(sum: &Sum) -> Self {
        let crc = |algorithm| State::Crc(Box::new(Crc::new(algorithm)));
        let state = match sum.kind {
            SumKind::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
            SumKind::Crc32c => crc(CrcAlgorithm::Crc32Iscsi),
            SumKind::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme),
            SumKind::Md5Etag => State::Md5(Md5::new()),
        };
        Self { sum: sum.clone(), state }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc(crc) => crc.update(bytes),
            State::Md5(md5) => md5.update(bytes),
        }
    }

    /// Of which kind it is, and whether it held. The error says what was served and what was named.
    pub(super) fn finish(self) -> (SumKind, Result<(), String>) {
        let Sum { kind, expected } = self.sum;
        let found = match self.state {
            State::Crc(crc) => {
                let value = crc.finalize().to_be_bytes();
                value[value.len() - expected.len()..].to_vec()
            }
            State::Md5(md5) => md5.finalize().to_vec(),
        };
        let shown = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let held = match found == expected {
            true => Ok(()),
            false => {
                Err(format!("its bytes do not match {kind}: it says {}, they give {}", shown(&expected), shown(&found)))
            }
        };
        (kind, held)
    }
}
