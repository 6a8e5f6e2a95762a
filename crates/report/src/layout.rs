//! Lines on a page: words wrapped to a width that may be a terminal's or none at all, and colours that carry no
//! meaning of their own. Text comes in encoded; the only escape sequences on the page are the ones made here.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

use super::render::Style;

/// Narrower than this nothing is readable, and nothing is gained by breaking lines further.
const NARROWEST: usize = 24;

/// Stands for a space at which no line is broken. Encoded text never holds one.
pub(super) const FIRM_SPACE: char = '\u{a0}';

/// How a piece of text is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Strong,
    Faint,
    Bad,
    Doubtful,
    Good,
}

impl Paint {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Strong => Some("1"),
            Self::Faint => Some("2"),
            Self::Bad => Some("1;31"),
            Self::Doubtful => Some("1;33"),
            Self::Good => Some("32"),
        }
    }
}

/// Text in one paint.
#[derive(Debug, Clone)]
pub(super) struct Span {
    text: String,
    paint: Paint,
}

pub(super) fn span(paint: Paint, text: impl Into<String>) -> Span {
    Span { text: text.into(), paint }
}

pub(super) fn plain(text: impl Into<String>) -> Span {
    span(Paint::Plain, text)
}

/// A page that is being written.
pub(super) struct Page<'a> {
    out: &'a mut dyn Write,
    style: Style,
}

impl<'a> Page<'a> {
    pub(super) fn new(out: &'a mut dyn Write, style: Style) -> Self {
        Self { out, style: Style { width: style.width.max(NARROWEST), ..style } }
    }

    pub(super) fn width(&self) -> usize {
        self.style.width
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// A paragraph whose first line starts at `indent` and whose others start at `hang`.
    pub(super) fn paragraph(&mut self, indent: usize, hang: usize, spans: &[Span]) -> io::Result<()> {
        // On a narrow page deep indents would leave no room for text.
        let deepest = self.style.width / 3;
        let hang = hang.min(deepest);
        let mut draft = Draft::at(indent.min(deepest));
        for word in words(spans) {
            if !draft.spans.is_empty() {
                if draft.used + 1 + width_of(&word) > self.style.width {
                    self.line(std::mem::replace(&mut draft, Draft::at(hang)))?;
                } else {
                    draft.push(plain(" "));
                }
            }
            for piece in word {
                self.fit(piece, &mut draft, hang)?;
            }
        }
        self.line(draft)
    }

    /// A line that is to be copied: never broken, however narrow the page, since half of it must not run when pasted.
    pub(super) fn verbatim(&mut self, indent: usize, encoded: &str) -> io::Result<()> {
        writeln!(self.out, "{}{encoded}", " ".repeat(indent.min(self.style.width / 3)))
    }

    /// Adds a piece of a word. A word longer than a line is broken wherever the line ends, but for what is to be copied: a
    /// terminal that breaks it by itself still gives it back whole.
    fn fit(&mut self, piece: Span, draft: &mut Draft, hang: usize) -> io::Result<()> {
        if draft.used + piece.text.width() <= self.style.width || is_copied(&piece.text) {
            draft.push(piece);
            return Ok(());
        }
        for character in piece.text.chars() {
            let character = span(piece.paint, character);
            if draft.used + character.text.width() > self.style.width {
                self.line(std::mem::replace(draft, Draft::at(hang)))?;
            }
            draft.push(character);
        }
        Ok(())
    }

    /// Spans side by side in one paint share their escape sequences.
    fn line(&mut self, draft: Draft) -> io::Result<()> {
        let mut text = " ".repeat(draft.indent);
        for alike in draft.spans.chunk_by(|a, b| a.paint == b.paint) {
            let piece: String = alike.iter().map(|span| span.text.replace(FIRM_SPACE, " ")).collect();
            match alike[0].paint.code().filter(|_| self.style.colour) {
                Some(code) => text.push_str(&format!("\u{1b}[{code}m{piece}\u{1b}[0m")),
                None => text.push_str(&piece),
            }
        }
        writeln!(self.out, "{}", text.trim_end())
    }
}

/// A line in the making.
struct Draft {
    indent: usize,
    used: usize,
    spans: Vec<Span>,
}

impl Draft {
    fn at(indent: usize) -> Self {
        Self { indent, used: indent, spans: Vec::new() }
    }

    fn push(&mut self, span: Span) {
        self.used += span.text.width();
        self.spans.push(span);
    }
}

/// Spans as words; a word may change its paint half way.
fn words(spans: &[Span]) -> Vec<Vec<Span>> {
    let mut words: Vec<Vec<Span>> = vec![Vec::new()];
    for each in spans {
        let text = firm_commands(&each.text);
        for (place, part) in text.split(' ').enumerate() {
            if place > 0 {
                words.push(Vec::new());
            }
            if let (false, Some(word)) = (part.is_empty(), words.last_mut()) {
                word.push(span(each.paint, part));
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What stands between backticks is one word: half a command must not run when it is pasted.
fn firm_commands(text: &str) -> String {
    let quoted = text.matches('`').count() / 2 * 2;
    let mut parts = text.splitn(quoted + 1, '`').enumerate().peekable();
    let mut firm = String::with_capacity(text.len());
    while let Some((place, part)) = parts.next() {
        match place % 2 {
            0 => firm.push_str(part),
            _ => firm.push_str(&part.replace(' ', "\u{a0}")),
        }
        if parts.peek().is_some() {
            firm.push('`');
        }
    }
    firm
}

/// As many hexadecimal digits as a SHA-256 has.
const DIGEST: usize = 64;

/// Whether a word is copied as it stands: a command, or something with a digest in it.
fn is_copied(word: &str) -> bool {
    let mut run = 0;
    word.contains('`')
        || word.chars().any(|character| {
            run = if character.is_ascii_hexdigit() { run + 1 } else { 0 };
            run >= DIGEST
        })
}

fn width_of(word: &[Span]) -> usize {
    word.iter().map(|span| span.text.width()).sum()
}

/// The text, and firm spaces after it up to this many columns.
pub(super) fn padded(text: &str, columns: usize) -> String {
    let mut padded = text.replace(' ', "\u{a0}");
    padded.extend(std::iter::repeat_n(FIRM_SPACE, columns.saturating_sub(text.width())));
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_is_never_broken_however_narrow_the_page() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let command = format!("`prodpin restore --source shop api@{digest} --apply`");
        let text = format!("if the vault has it: {command}; else push {digest} again from {}", "x".repeat(100));
        for width in [24, 40, 80, 100, 200] {
            let mut out = Vec::new();
            let style = Style { width, ..Style::UNBOUNDED };
            Page::new(&mut out, style).paragraph(2, 8, &[plain(text.clone())]).unwrap();
            let page = String::from_utf8(out).unwrap();
            assert!(page.lines().any(|line| line.contains(&command)), "{width}: {page}");
            assert!(
                page.lines().any(|line| line.contains(&digest) && !line.contains('`')) || width == 200,
                "{width}: {page}"
            );
            assert!(
                !page.contains(FIRM_SPACE) && (width == 200 || !page.contains(&"x".repeat(100))),
                "{width}: {page}"
            );
        }
    }

    #[test]
    fn only_whole_pairs_of_backticks_hold_a_command() {
        for (text, firm) in [
            ("run `a b` and `c d`", "run `a\u{a0}b` and `c\u{a0}d`"),
            ("a ` b c", "a ` b c"),
            ("`a b` c ` d e", "`a\u{a0}b` c ` d e"),
            ("no command", "no command"),
        ] {
            assert_eq!(firm_commands(text), firm, "{text}");
        }
    }
}
