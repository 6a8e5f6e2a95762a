//! What an artifact says of itself. Whoever builds it chooses this: it is shown, and believed only where believing it
//! wrongly does less harm than not asking.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::NamePatterns;

/// What a release does to the database that it shares with the one before, gentlest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SchemaChange {
    /// Nothing.
    None,
    /// It only adds: the release before still works on what it leaves.
    Expand,
    /// It takes away or rewrites: the release before does not work on what it leaves.
    Contract,
}

impl SchemaChange {
    /// The annotation or label that says it, on an image or a workload.
    pub const ANNOTATION: &'static str = "prodpin.dev/schema";

    /// Reads the annotation. What is none of the known words says nothing, and is shown to nobody.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        [Self::None, Self::Expand, Self::Contract].into_iter().find(|known| known.as_str() == text.trim())
    }

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Expand => "expand",
            Self::Contract => "contract",
        }
    }
}

impl fmt::Display for SchemaChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What the policy says that releases do to their database.
#[derive(Debug, Clone, PartialEq)]
pub struct DatabaseRule {
    /// Of which repositories.
    pub repositories: NamePatterns,
    /// Of which releases, by their tags; all of them if none are named.
    pub tags: Option<NamePatterns>,
    /// What they do.
    pub schema: SchemaChange,
}

/// A commit by its whole or shortened hash: 7 to 64 lowercase hex digits, so that no command can be made of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Commit(Box<str>);

impl Commit {
    /// Reads one; `None` for whatever else a build wrote in its place.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        ((7..=64).contains(&text.len()) && text.bytes().all(hex)).then(|| Self(text.into()))
    }

    /// The first 12 digits.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What an artifact says of itself, in its annotations and labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The commit it was built from: `org.opencontainers.image.revision`.
    pub commit: Option<Commit>,
    /// What stands there and is no commit: a branch, say, which means something else tomorrow.
    pub revision: Option<Box<str>>,
    /// Where that commit is: `org.opencontainers.image.source`.
    pub source: Option<Box<str>>,
    /// What it does to the database: `prodpin.dev/schema`.
    pub schema: Option<SchemaChange>,
}

/// Longer addresses are cut: nobody types them.
const LONGEST_SOURCE: usize = 300;

/// As much of what is no commit is reported.
const LONGEST_REVISION: usize = 60;

impl Provenance {
    /// The annotation, or label, that says the commit.
    pub const REVISION: &str = "org.opencontainers.image.revision";
    /// The one that says where that is.
    pub const SOURCE: &str = "org.opencontainers.image.source";

    /// Reads annotations or labels.
    #[must_use]
    pub fn read<'t>(annotation: impl Fn(&str) -> Option<&'t str>) -> Self {
        Self {
            commit: annotation(Self::REVISION).and_then(Commit::read),
            revision: annotation(Self::REVISION)
                .filter(|text| Commit::read(text).is_none() && !text.trim().is_empty())
                .map(|text| text.trim().chars().take(LONGEST_REVISION).collect::<String>().into()),
            source: annotation(Self::SOURCE)
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(|text| text.chars().take(LONGEST_SOURCE).collect::<String>().into()),
            schema: annotation(SchemaChange::ANNOTATION).and_then(SchemaChange::read),
        }
    }

    /// Adds what another place says. Of two commits the first is kept; of two words on the database the graver.
    pub fn or(&mut self, other: Self) {
        self.commit = self.commit.take().or(other.commit);
        self.revision = self.revision.take().or(other.revision);
        self.source = self.source.take().or(other.source);
        self.schema = self.schema.max(other.schema);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hashes_are_commits_i19() {
        let whole = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(Commit::read(whole).unwrap().short(), "0123456789ab");
        assert_eq!(Commit::read(" abcdef0 ").unwrap().short(), "abcdef0");
        for text in ["", "abcdef", "main", "-abcdef0", "abcdef0;rm -rf /", "$(id)abcdef0", &"a".repeat(65)] {
            assert_eq!(Commit::read(text), None, "{text}");
        }
    }

    #[test]
    fn the_graver_of_two_words_counts_and_a_word_that_is_none_says_nothing() {
        let says = |word: &'static str| Provenance::read(move |key| (key == SchemaChange::ANNOTATION).then_some(word));
        for (first, second, expected) in [
            ("none", "contract", Some(SchemaChange::Contract)),
            ("contract", "expand", Some(SchemaChange::Contract)),
            ("expand", "none", Some(SchemaChange::Expand)),
            ("safe", "none", Some(SchemaChange::None)),
            ("safe", "ok", None),
        ] {
            let mut said = says(first);
            said.or(says(second));
            assert_eq!(said.schema, expected, "{first}, {second}");
        }
    }
}
