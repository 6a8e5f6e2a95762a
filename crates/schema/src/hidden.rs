//! What statements that were not understood may have made.

use std::collections::BTreeSet;

use crate::cursor::{string_value, unquoted};
use crate::lex::Kind;
use crate::split::Statement;

/// Words after which names are put together as the statement runs, or after which something else runs.
const RUNS: &[&str] = &[
    "execute",
    "exec",
    "call",
    "prepare",
    "perform",
    "immediate",
    "dblink",
    "format",
    "select",
    "source",
    "sp_executesql",
];

/// Names that earlier statements may have made without the catalogue's knowing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hidden {
    /// Any name at all.
    all: bool,
    /// The words of statements that were not understood: without anything dynamic in it, what a statement makes it names.
    words: BTreeSet<String>,
}

impl Hidden {
    /// Nothing is known of what is there.
    pub(crate) fn everything(&mut self) {
        self.all = true;
    }

    /// Takes in a statement that was not understood. `own` are functions that it may call.
    pub(crate) fn take<'n>(&mut self, statement: &Statement<'_>, mut own: impl Iterator<Item = &'n String>) {
        let mut words = BTreeSet::new();
        for token in &statement.tokens {
            match token.kind {
                Kind::Word => {
                    words.insert(token.text.to_lowercase());
                }
                Kind::Quoted => {
                    words.insert(unquoted(token.text).to_lowercase());
                }
                Kind::Str => {
                    let text = string_value(token.text).to_lowercase();
                    words.extend(
                        text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').map(str::to_owned),
                    );
                }
                _ => {}
            }
        }
        // A guard reads the database's catalogue by SELECT; only what SELECT calls may make something.
        let guards = statement.tokens.first().is_some_and(|token| token.is("do") || token.is("if"));
        let runs = RUNS.iter().any(|word| words.contains(*word) && !(guards && *word == "select"));
        self.all |= runs || statement.fault.is_some() || own.any(|name| words.contains(name));
        self.words.append(&mut words);
    }

    /// Whether something of this name may be there unseen.
    pub(crate) fn may_hold(&self, name: &str) -> bool {
        self.all || self.words.contains(&name.to_lowercase())
    }
}
