//! What cannot change: a manifest by digest, an object version by key and version id.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Digest, Tag};

/// The identity of an artifact within its repository.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArtifactId {
    /// An image manifest, an index, or any other manifest a registry stores.
    Manifest(Digest),
    /// One version of one S3 object.
    ObjectVersion {
        /// The object's key.
        key: Tag,
        /// S3's version id; `null` for an object older than versioning (B57).
        version: Arc<str>,
    },
}

/// Why a text names no artifact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no artifact: expected a digest, or KEY?versionId=ID for an S3 object version")]
pub struct ArtifactIdError(String);

/// What stands between an object's key and its version id. A version id never holds a `?`, so the last one decides.
const VERSION_MARK: &str = "?versionId=";

impl ArtifactId {
    /// The manifest's digest, if this is a manifest.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Manifest(digest) => Some(digest),
            Self::ObjectVersion { .. } => None,
        }
    }

    /// A short form for tables: the first 12 hex digits, or the first 12 characters of the version id.
    #[must_use]
    pub fn short(&self) -> String {
        match self {
            Self::Manifest(digest) => digest.hex().chars().take(12).collect(),
            Self::ObjectVersion { version, .. } => version.chars().take(12).collect(),
        }
    }
}

impl fmt::Display for ArtifactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(digest) => fmt::Display::fmt(digest, f),
            Self::ObjectVersion { key, version } => write!(f, "{key}{VERSION_MARK}{version}"),
        }
    }
}

impl fmt::Debug for ArtifactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl FromStr for ArtifactId {
    type Err = ArtifactIdError;

    fn from_str(text: &str) -> Result<Self, ArtifactIdError> {
        // Nearly all are digests, and no digest holds a mark.
        if text.starts_with("sha256:")
            && let Ok(digest) = text.parse()
        {
            return Ok(Self::Manifest(digest));
        }
        if let Some((key, version)) = text.rsplit_once(VERSION_MARK)
            && !version.is_empty()
            && let Ok(key) = key.parse()
        {
            return Ok(Self::ObjectVersion { key, version: version.into() });
        }
        text.parse().map(Self::Manifest).map_err(|_| ArtifactIdError(text.chars().take(160).collect()))
    }
}

impl From<Digest> for ArtifactId {
    fn from(digest: Digest) -> Self {
        Self::Manifest(digest)
    }
}

impl Serialize for ArtifactId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ArtifactId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        super::text::read(deserializer)
    }
}

/// A registry pin: the tag `prod-pinned-<64 hex>`, derived from the digest it names, so that it never has a reason to
/// move and every writer computes the same one (A49, I8).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pin([u8; 64]);

impl Pin {
    /// What every pin tag starts with.
    pub const PREFIX: &'static str = "prod-pinned-";

    /// The pin of this digest. Of a SHA-512 the first 64 hex digits: a tag holds at most 128 characters.
    #[must_use]
    pub fn for_digest(digest: &Digest) -> Self {
        let mut hex = [b'0'; 64];
        for (slot, digit) in hex.iter_mut().zip(digest.hex().bytes()) {
            *slot = digit;
        }
        Self(hex)
    }

    /// Reads a tag as a pin; `None` for every other tag.
    #[must_use]
    pub fn read(tag: &Tag) -> Option<Self> {
        let hex = tag.as_str().strip_prefix(Self::PREFIX)?.as_bytes();
        let hex: [u8; 64] = hex.try_into().ok()?;
        hex.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')).then_some(Self(hex))
    }

    /// Whether this is the pin of that digest.
    #[must_use]
    pub fn names(&self, digest: &Digest) -> bool {
        *self == Self::for_digest(digest)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::PREFIX)?;
        self.0.iter().try_for_each(|digit| write!(f, "{}", char::from(*digit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifact_ids_round_trip_even_with_odd_keys() {
        for text in [
            format!("{}", Digest::sha256(b"a")),
            "shop/1.2.0/bundle.zip?versionId=3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY".to_owned(),
            "odd?versionId=x/key?versionId=null".to_owned(),
        ] {
            assert_eq!(text.parse::<ArtifactId>().unwrap().to_string(), text);
        }
        assert!("key?versionId=".parse::<ArtifactId>().is_err());
    }

    #[test]
    fn only_exact_pin_tags_are_pins_i8() {
        let digest = Digest::sha256(b"a");
        let pin = Pin::for_digest(&digest);
        let tag: Tag = pin.to_string().parse().unwrap();
        assert!(tag.is_oci());
        assert_eq!(Pin::read(&tag), Some(pin));
        for other in ["prod-pinned-", "prod-pinned-abc", &tag.as_str().to_uppercase(), &format!("{tag}0")] {
            assert_eq!(Pin::read(&other.parse().unwrap()), None);
        }
    }
}
