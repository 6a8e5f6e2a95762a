//! Names of sources, repositories and tags.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::short_text::ShortText;

/// Why a text is no name of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {kind}: {rule}")]
pub struct NameError {
    kind: &'static str,
    text: String,
    rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident($kept:ty), $kind:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($kept);

        impl $name {
            /// The name as text. It may hold anything the source allows: encode it before showing it (I19).
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(NameError { kind: $kind, text: text.chars().take(160).collect(), rule: $rule })
                }
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                super::text::read(deserializer)
            }
        }
    };
}

name!(
    /// A source's name in the policy.
    SourceName(Arc<str>),
    "source name",
    "use letters, digits, '-', '_' and '.', at most 64 of them, starting with a letter or digit",
    |text| {
        text.len() <= 64
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    }
);

name!(
    /// A repository within its source: what an image's path is, what `{repository}` matched in a bucket.
    RepositoryName(Arc<str>),
    "repository name",
    "it must have 1 to 1024 bytes and no '.' or '..' part",
    |text| {
        !text.is_empty() && text.len() <= 1024 && text.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
    }
);

name!(
    /// A name that points at an artifact and may move: an OCI tag, an S3 key, a chart version.
    Tag(ShortText),
    "tag",
    "it must have 1 to 1024 bytes",
    |text| !text.is_empty() && text.len() <= 1024
);

impl Tag {
    /// Has names that came together share memory, so that of a million tags each takes little more than its name (F93).
    pub fn pack<'t>(tags: impl Iterator<Item = &'t mut Self>) {
        ShortText::pack(tags.map(|tag| &mut tag.0));
    }

    /// Whether OCI would accept this tag (`[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`), so that it can stand in a URL path.
    #[must_use]
    pub fn is_oci(&self) -> bool {
        let bytes = self.0.as_bytes();
        bytes.len() <= 128
            && bytes[0] != b'.'
            && bytes[0] != b'-'
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
    }
}

impl RepositoryName {
    /// Whether OCI would accept this name, so that it can stand in a URL path.
    #[must_use]
    pub fn is_oci(&self) -> bool {
        self.0.len() <= 255
            && self.0.split('/').all(|part| {
                part.bytes().all(|byte| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
                }) && part.starts_with(|first: char| first.is_ascii_alphanumeric())
                    && part.ends_with(|last: char| last.is_ascii_alphanumeric())
            })
    }
}

/// One repository of one source: the unit of everything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RepositoryKey {
    /// The source that holds it.
    pub source: SourceName,
    /// Its name there.
    pub name: RepositoryName,
}

impl fmt::Display for RepositoryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.source, self.name)
    }
}
