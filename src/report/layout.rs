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
        let (indent, hang) = (indent.min(deepest), hang.min(deepest));
        let (mut start, mut used) = (indent, indent);
        let mut line: Vec<Span> = Vec::new();
        for word in words(spans) {
            let width = width_of(&word);
            if !line.is_empty() && used + 1 + width > self.style.width {
                self.line(start, &std::mem::take(&mut line))?;
                (start, used) = (hang, hang);
            }
            if !line.is_empty() {
                line.push(plain(" "));
                used += 1;
            }
            for piece in word {
                used = self.piece(piece, &mut line, (&mut start, used, hang))?;
            }
        }
        self.line(start, &line)
    }

    /// Adds a piece of a word, broken wherever the line ends if the word alone is longer than a line.
    fn piece(&mut self, piece: Span, line: &mut Vec<Span>, at: (&mut usize, usize, usize)) -> io::Result<usize> {
        let (start, mut used, hang) = at;
        if used + piece.text.width() <= self.style.width {
            used += piece.text.width();
            line.push(piece);
            return Ok(used);
        }
        let mut rest = String::new();
        for character in piece.text.chars() {
            let width = char_width(character);
            if used + width > self.style.width {
                line.push(span(piece.paint, std::mem::take(&mut rest)));
                self.line(*start, &std::mem::take(line))?;
                (*start, used) = (hang, hang);
            }
            rest.push(character);
            used += width;
        }
        line.push(span(piece.paint, rest));
        Ok(used)
    }

    /// A line as it is. Spans side by side in one paint share their escape sequences.
    fn line(&mut self, indent: usize, spans: &[Span]) -> io::Result<()> {
        let mut text = " ".repeat(indent);
        for alike in spans.chunk_by(|a, b| a.paint == b.paint) {
            let piece: String = alike.iter().map(|span| span.text.replace(FIRM_SPACE, " ")).collect();
            match alike[0].paint.code().filter(|_| self.style.colour) {
                Some(code) => text.push_str(&format!("\u{1b}[{code}m{piece}\u{1b}[0m")),
                None => text.push_str(&piece),
            }
        }
        writeln!(self.out, "{}", text.trim_end())
    }
}

/// Spans as words; a word may change its paint half way.
fn words(spans: &[Span]) -> Vec<Vec<Span>> {
    let mut words: Vec<Vec<Span>> = vec![Vec::new()];
    for each in spans {
        for (place, part) in each.text.split(' ').enumerate() {
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

fn width_of(word: &[Span]) -> usize {
    word.iter().map(|span| span.text.width()).sum()
}

fn char_width(character: char) -> usize {
    unicode_width::UnicodeWidthChar::width(character).unwrap_or(0)
}

/// The text, and firm spaces after it up to this many columns.
pub(super) fn padded(text: &str, columns: usize) -> String {
    let mut padded = text.replace(' ', "\u{a0}");
    padded.extend(std::iter::repeat_n(FIRM_SPACE, columns.saturating_sub(text.width())));
    padded
}
