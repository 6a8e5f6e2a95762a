//! What a signature covers of derived state: a form, a length and a hash.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use prodpin_core::model::Digest;

/// The form in which this program writes states. Raised whenever the same log would be written in other bytes: a hash over
/// another form says nothing about this program's bytes, so that such a state is made anew and never called damaged.
pub(super) const FORM: u64 = 3;

/// A promise about bytes that are stored elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Commitment {
    pub(super) form: u64,
    /// How many bytes: nobody needs to unpack more of a file to know that it is another one (F102).
    pub(super) bytes: u64,
    hash: [u8; 32],
}

impl Commitment {
    /// Of these bytes.
    #[cfg(test)]
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let mut hashing = Hashing::default();
        hashing.take(bytes);
        hashing.finish()
    }

    pub(super) fn new(bytes: u64, hash: [u8; 32]) -> Self {
        Self { form: FORM, bytes, hash }
    }

    /// Whether this program could have written the bytes.
    pub(super) fn is_own_form(&self) -> bool {
        self.form == FORM
    }
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.form, self.bytes, Digest::Sha256(self.hash).hex())
    }
}

impl FromStr for Commitment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let read = || {
            let mut parts = text.split(' ');
            let (form, bytes, hex) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
            let Ok(Digest::Sha256(hash)) = format!("sha256:{hex}").parse() else { return None };
            let read = Self { form, bytes, hash };
            // One spelling only.
            (parts.next().is_none() && read.to_string() == text).then_some(read)
        };
        read().ok_or("not a form, a length and a SHA-256")
    }
}

impl Serialize for Commitment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Commitment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Hashes what is written to it, and counts it.
#[derive(Default)]
pub(super) struct Hashing {
    hash: Sha256,
    bytes: u64,
}

impl Hashing {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// Whether what was written has this name.
    pub(super) fn is(self, name: &Digest) -> bool {
        Digest::Sha256(self.hash.finalize().into()) == *name
    }

    pub(super) fn finish(self) -> Commitment {
        Commitment::new(self.bytes, self.hash.finalize().into())
    }
}

impl std::io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.take(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commitment_has_one_spelling() {
        let text = Commitment::from_bytes(b"state").to_string();
        assert_eq!(text.parse(), Ok(Commitment::from_bytes(b"state")));
        for other in [format!("0{text}"), format!("{text} "), text.to_uppercase(), text.replacen(' ', "  ", 1)] {
            assert!(other.parse::<Commitment>().is_err() || other == text, "{other}");
        }
    }
}
