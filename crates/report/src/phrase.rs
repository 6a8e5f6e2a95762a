//! Text that remembers which of its parts are this program's own words and which came from outside, so that every
//! renderer can encode the latter for its own destination, and none can forget to (I19).

use super::escape;

/// Names in tables and lists are cut to this many columns; CSV and JSON hold them whole.
pub(super) const NAME_COLUMNS: usize = 48;

/// In Markdown there is more room.
const MARKDOWN_NAME_COLUMNS: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Our own words: literals and numbers only.
    Said(String),
    /// A name from outside.
    Name(String),
    /// A sentence that quotes names from outside.
    Sentence(String),
}

/// A short text made of such parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Phrase(Vec<Piece>);

impl Phrase {
    pub(super) fn said(words: &'static str) -> Self {
        Self::default().say(words)
    }

    pub(super) fn name(name: &str) -> Self {
        Self(vec![Piece::Name(name.to_owned())])
    }

    pub(super) fn sentence(text: &str) -> Self {
        Self(vec![Piece::Sentence(text.trim().to_owned())])
    }

    pub(super) fn say(mut self, words: &'static str) -> Self {
        self.0.push(Piece::Said(words.to_owned()));
        self
    }

    pub(super) fn number(mut self, number: u64) -> Self {
        self.0.push(Piece::Said(thousands(number)));
        self
    }

    /// `1 service`, `2 services`.
    pub(super) fn counted(self, number: u64, one: &'static str, many: &'static str) -> Self {
        self.number(number).say(" ").say(if number == 1 { one } else { many })
    }

    pub(super) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    pub(super) fn joined(phrases: impl IntoIterator<Item = Self>, between: &'static str) -> Self {
        phrases.into_iter().fold(
            Self::default(),
            |whole, next| {
                if whole.is_empty() { next } else { whole.say(between).then(next) }
            },
        )
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn terminal(&self) -> String {
        self.shown(|name| escape::terminal_name(name, NAME_COLUMNS), escape::terminal)
    }

    pub(super) fn markdown(&self) -> String {
        self.shown(|name| escape::markdown_name(name, MARKDOWN_NAME_COLUMNS), escape::markdown)
    }

    /// As it is, for a renderer that encodes the whole.
    pub(super) fn raw(&self) -> String {
        self.shown(str::to_owned, str::to_owned)
    }

    fn shown(&self, name: impl Fn(&str) -> String, sentence: impl Fn(&str) -> String) -> String {
        let show = |piece: &Piece| match piece {
            Piece::Said(words) => words.clone(),
            Piece::Name(text) => name(text),
            Piece::Sentence(text) => sentence(text),
        };
        self.0.iter().map(show).collect()
    }
}

/// `9934` as `9,934`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (number, shown) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(thousands(number), shown);
        }
    }
}
