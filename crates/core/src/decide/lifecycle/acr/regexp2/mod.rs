//! Regular expressions as `acr purge` reads them: those of the Go module regexp2 (v1.11.5, its RE2 mode), which has .NET's
//! grammar and backtracking: looking ahead and behind, references to groups, atomic groups. No crate reads quite the same.
//!
//! What the module refuses is refused. What it may take and is not known here for sure is [`RegexpError::Unsure`], never
//! guessed: conditions, balanced groups, `(?x)`, most classes of Unicode.

mod class;
mod matching;
mod parse;
#[cfg(test)]
mod tests;

use class::Class;

/// A regular expression, read.
#[derive(Debug, Clone)]
pub(super) struct Regexp {
    node: Node,
    groups: usize,
}

/// Why there is no regular expression, or no answer from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum RegexpError {
    /// The module refuses it.
    #[error("acr purge does not take it for a regular expression")]
    Refused,
    /// It is not known here how the module reads it, or matching takes too long.
    #[error("it is not surely read as acr purge reads it")]
    Unsure,
}

/// One part of an expression.
#[derive(Debug, Clone)]
enum Node {
    /// One character of a class; `(?i)` compares the small letter.
    One(Class),
    Sequence(Vec<Node>),
    Either(Vec<Node>),
    /// A group that is remembered under its number.
    Group(usize, Box<Node>),
    Repeat {
        node: Box<Node>,
        least: usize,
        most: usize,
        lazy: bool,
    },
    Look {
        node: Box<Node>,
        behind: bool,
        negated: bool,
    },
    /// What matched is not tried in another way.
    Atomic(Box<Node>),
    /// The same text as a group matched; none if it has not.
    Same {
        group: usize,
        ignore_case: bool,
    },
    At(Place),
}

/// A place between characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    End,
    /// The end, or before a newline that is the last character.
    LastLine,
    LineStart,
    LineEnd,
    WordBorder,
    NoWordBorder,
}

impl Regexp {
    /// Reads an expression.
    pub(super) fn parse(pattern: &str) -> Result<Self, RegexpError> {
        let (node, groups) = parse::parse(pattern)?;
        Ok(Self { node, groups })
    }

    /// Whether it matches anywhere in the text.
    pub(super) fn is_match(&self, text: &str) -> Result<bool, RegexpError> {
        matching::is_match(&self.node, self.groups, text)
    }
}
