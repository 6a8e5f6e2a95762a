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
    /// Nothing breaks by itself, but the release before may meet what only this one writes, or miss a refusal.
    Caution,
    /// The release before runs on what it leaves, but rows were overwritten or lost.
    Data,
    /// It was looked at and not understood.
    Unknown,
    /// It takes away or rewrites: the release before does not work on what it leaves.
    Contract,
}

impl SchemaChange {
    /// All of them, gentlest first.
    pub const ALL: [Self; 6] = [Self::None, Self::Expand, Self::Caution, Self::Data, Self::Unknown, Self::Contract];

    /// The annotation or label that says it, on an image or a workload.
    pub const ANNOTATION: &'static str = "prodpin.dev/schema";

    /// Reads the annotation. What is none of the known words says nothing, and is shown to nobody.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text.trim())
    }

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Expand => "expand",
            Self::Caution => "caution",
            Self::Data => "data",
            Self::Unknown => "unknown",
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
    /// What they do to it, where the rule says that.
    pub schema: Option<SchemaChange>,
    /// What they do that no rollback undoes, where the rule says that.
    pub irreversible: Option<Effects>,
}

/// What a release does outside that no rollback undoes, in its makers' words: `emails, ledger postings since v1.4`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Effects(Box<str>);

/// Longer descriptions are cut: they stand in a question.
const LONGEST_EFFECTS: usize = 200;

impl Effects {
    /// The annotation or label that says it, on an image or a workload.
    pub const ANNOTATION: &'static str = "prodpin.dev/irreversible";

    /// Reads the annotation. Nothing, and a word that says that there is nothing, say nothing.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let text: String = words.join(" ").chars().take(LONGEST_EFFECTS).collect();
        let is_none = text.is_empty() || ["none", "no", "false"].iter().any(|none| text.eq_ignore_ascii_case(none));
        (!is_none).then(|| Self(text.into()))
    }
}

impl fmt::Display for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
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

    /// Whether both may be the same commit, one of them shortened.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.starts_with(&*other.0) || other.0.starts_with(&*self.0)
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

/// What lies between a release and an earlier commit, as `prodpin schema-change --format label` says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaStatement {
    /// What it does to the database.
    pub change: SchemaChange,
    /// The commit that it was compared with.
    pub from: Commit,
}

impl SchemaStatement {
    /// The annotation or label that says it, on an image.
    pub const ANNOTATION: &'static str = "prodpin.dev/schema-change";

    /// Reads `expand from=COMMIT`. Anything else says nothing.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let change = words.next().and_then(SchemaChange::read)?;
        let from = words.next().and_then(|word| word.strip_prefix("from=")).and_then(Commit::read)?;
        words.next().is_none().then_some(Self { change, from })
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
    /// The same, with the commit that it was compared with: `prodpin.dev/schema-change`.
    pub statement: Option<SchemaStatement>,
    /// What it does that no rollback undoes: `prodpin.dev/irreversible`.
    pub irreversible: Option<Effects>,
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
            statement: annotation(SchemaStatement::ANNOTATION).and_then(SchemaStatement::read),
            irreversible: annotation(Effects::ANNOTATION).and_then(Effects::read),
        }
    }

    /// Adds what another place says. Of two commits the first is kept; of two words on the database the graver.
    pub fn or(&mut self, other: Self) {
        self.commit = self.commit.take().or(other.commit);
        self.revision = self.revision.take().or(other.revision);
        self.source = self.source.take().or(other.source);
        self.schema = self.schema.max(other.schema);
        self.statement = match (self.statement.take(), other.statement) {
            (Some(first), Some(second)) if second.change > first.change => Some(second),
            (first, second) => first.or(second),
        };
        // Both are what it does.
        self.irreversible = match (self.irreversible.take(), other.irreversible) {
            (Some(first), Some(second)) if first != second => Effects::read(&format!("{first}; {second}")),
            (first, second) => first.or(second),
        };
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
    fn a_statement_names_the_commit_that_it_begins_at() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let read = |text: &str| SchemaStatement::read(text).map(|it| (it.change, it.from.to_string()));
        for change in SchemaChange::ALL {
            assert_eq!(read(&format!("{change} from={commit}")), Some((change, commit.to_owned())));
        }
        for text in
            ["", "expand", "expand from=main", "safe from=abcdef0", "expand from=abcdef0 x", "from=abcdef0 expand"]
        {
            assert_eq!(read(text), None, "{text}");
        }
        let says =
            |text: &'static str| Provenance::read(move |key| (key == SchemaStatement::ANNOTATION).then_some(text));
        let mut said = says("none from=abcdef0");
        said.or(says("contract from=abcdef1"));
        assert_eq!(said.statement.map(|it| it.change), Some(SchemaChange::Contract));
    }

    #[test]
    fn what_no_rollback_undoes_is_one_line_and_both_places_count() {
        let says = |text: &'static str| Provenance::read(move |key| (key == Effects::ANNOTATION).then_some(text));
        for (first, second, expected) in [
            (" emails,\n ledger\tpostings ", "", Some("emails, ledger postings")),
            ("emails", "emails", Some("emails")),
            ("emails", "payments", Some("emails; payments")),
            ("", "payments", Some("payments")),
            (" None ", "false", None),
        ] {
            let mut said = says(first);
            said.or(says(second));
            assert_eq!(said.irreversible.map(|effects| effects.to_string()).as_deref(), expected, "{first}, {second}");
        }
        assert_eq!(Effects::read(&"é".repeat(900)).unwrap().to_string().chars().count(), LONGEST_EFFECTS);
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
