//! Content digests, parsed strictly before any use (F25).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256, Sha512};

/// A content digest as OCI writes it: `sha256:<64 hex>` or `sha512:<128 hex>`.
///
/// Bytes are kept rather than text, because an estate holds millions of them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// SHA-256, which every registry speaks.
    Sha256([u8; 32]),
    /// SHA-512, registered by OCI and rare.
    Sha512(Box<[u8; 64]>),
}

/// Why a text is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a digest: expected sha256:<64 lowercase hex digits> or sha512:<128>")]
pub struct DigestError {
    text: String,
}

impl Digest {
    /// The SHA-256 of these bytes.
    #[must_use]
    pub fn sha256(bytes: &[u8]) -> Self {
        Self::Sha256(Sha256::digest(bytes).into())
    }

    /// Whether these bytes hash to this digest, by this digest's own algorithm.
    #[must_use]
    pub fn matches(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Sha256(expected) => Sha256::digest(bytes)[..] == expected[..],
            Self::Sha512(expected) => Sha512::digest(bytes)[..] == expected[..],
        }
    }

    /// The hexadecimal part, without the algorithm.
    #[must_use]
    pub fn hex(&self) -> String {
        let bytes: &[u8] = match self {
            Self::Sha256(bytes) => bytes,
            Self::Sha512(bytes) => &bytes[..],
        };
        let mut text = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            text.push(HEX[usize::from(byte >> 4)]);
            text.push(HEX[usize::from(byte & 15)]);
        }
        text
    }

    /// The algorithm's registered name.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "sha256",
            Self::Sha512(_) => "sha512",
        }
    }
}

const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];

/// Lowercase hexadecimal only: a digest has exactly one spelling.
fn decode<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let digits = hex.as_bytes();
    if digits.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let parsed = match text.split_once(':') {
            Some(("sha256", hex)) => decode(hex).map(Self::Sha256),
            Some(("sha512", hex)) => decode(hex).map(|bytes| Self::Sha512(Box::new(bytes))),
            _ => None,
        };
        parsed.ok_or_else(|| DigestError { text: text.chars().take(160).collect() })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        super::text::read(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_only_f25() {
        let good = Digest::sha256(b"x");
        assert_eq!(good.to_string().parse::<Digest>().unwrap(), good);
        let hex = good.hex();
        for bad in [
            String::new(),
            hex.clone(),
            format!("sha256:{}", hex.to_uppercase()),
            format!("sha256:{hex}0"),
            format!("sha512:{hex}"),
            "sha256:../../etc/passwd".to_owned(),
            format!("md5:{hex}"),
            format!(" sha256:{hex}"),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad:?} was taken for a digest");
        }
    }
}
