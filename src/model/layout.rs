//! How a bucket's keys name repository and version: `{repository}/{version}/bundle.zip`.

use std::fmt;
use std::str::FromStr;

/// A key pattern with `{repository}` and `{version}` parts.
#[derive(Clone, PartialEq, Eq)]
pub struct Layout {
    text: String,
}

/// Why a text is no layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("layout {text:?}: {reason}")]
pub struct LayoutError {
    text: String,
    reason: String,
}

impl FromStr for Layout {
    type Err = LayoutError;

    fn from_str(text: &str) -> Result<Self, LayoutError> {
        Ok(Self { text: text.to_owned() })
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}
