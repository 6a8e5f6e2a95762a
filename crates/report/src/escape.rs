//! Encoding of hostile text for each place it may reach (I19): one function for each destination.
//!
//! Whoever may push a tag or write an S3 key chooses text that this program prints. Everywhere but in JSON, text is
//! shown as printable ASCII, and whatever else it holds as an escape: `\n`, `\u{1b}`, `\u{202e}`. That covers escape
//! sequences, control and bidirectional characters, zero-width ones, and letters of other alphabets that look like
//! Latin ones (F74, F78). OCI names are ASCII by themselves; an S3 key in another alphabet reads badly here and is
//! whole in the JSON report. A backslash is doubled, so that two different texts are never shown alike.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

/// Marks that this program's own sentences use. None of them looks like something a name is made of.
const MARKS: [char; 3] = ['…', '→', '·'];

/// Sentences longer than this many characters are cut: nobody reads on, and one must not fill a screen.
const LONGEST_SENTENCE: usize = 2_000;

/// A sentence for a terminal: names within it are as hostile as names alone.
#[must_use]
pub fn terminal(text: &str) -> String {
    sentence(text).collect()
}

/// A name for a terminal, in at most this many columns: what is cut is cut from the middle, where an ellipsis stands.
#[must_use]
pub fn terminal_name(text: &str, columns: usize) -> String {
    shorten(name(text).collect(), columns)
}

/// A message of this program's own, for a terminal. It quotes what it names with escapes already, as in
/// `"v1\\u{1b}" is no tag`: a backslash stays one, and whatever else could steer the terminal is an escape here too.
#[must_use]
pub fn message(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(LONGEST_SENTENCE));
    for character in text.chars().take(LONGEST_SENTENCE) {
        match character {
            '\\' => shown.push(character),
            mark if MARKS.contains(&mark) => shown.push(mark),
            other => shown.push_str(&visible(other)),
        }
    }
    if text.chars().nth(LONGEST_SENTENCE).is_some() {
        shown.push('…');
    }
    shown
}

/// A value in a log line: one record stays one line (F77). Values come quoted, with their escapes.
#[must_use]
pub fn log(text: &str) -> String {
    message(text)
}

/// A cell of a CSV file, before quoting. Spreadsheets run cells that start with `=`, `+`, `-` or `@` as formulas, and
/// some take a semicolon for the separator: the first gets an apostrophe in front, the second an escape (F75).
/// Tabs and line breaks, the other dangerous starts, are escapes already.
#[must_use]
pub fn csv(text: &str) -> String {
    let shown: String = name(text).collect();
    let mut cell = String::with_capacity(shown.len() + 1);
    if shown.starts_with(is_formula_start) {
        cell.push('\'');
    }
    for (place, part) in shown.split(';').enumerate() {
        if place > 0 {
            cell.push_str(if part.trim_start().starts_with(is_formula_start) { "\\u{3b}" } else { ";" });
        }
        cell.push_str(part);
    }
    cell
}

fn is_formula_start(character: char) -> bool {
    matches!(character, '=' | '+' | '-' | '@')
}

/// A sentence for Markdown. Words made of letters are left as they are; every other word (a tag, a digest, an
/// address, a mention, a piece of HTML) becomes a code span, in which Markdown means nothing and nobody is notified:
/// a backslash in front of `@` or a URL would not prevent that.
///
/// What stands between two backticks, as a command does in this program's own sentences, becomes one code span. A
/// backtick from outside can only move the borders of such spans: every part is encoded one way or the other.
#[must_use]
pub fn markdown(text: &str) -> String {
    let shown: String = text.chars().take(LONGEST_SENTENCE).collect();
    let parts: Vec<&str> = shown.split('`').collect();
    let mut page = String::with_capacity(text.len());
    if parts.len().is_multiple_of(2) {
        markdown_words(&shown, &mut page);
    } else {
        let mut gap = false;
        for (place, part) in parts.into_iter().enumerate() {
            let mut piece = String::new();
            match place.is_multiple_of(2) {
                true => markdown_words(part, &mut piece),
                false if part.trim().is_empty() => {}
                false => piece = markdown_command(part),
            }
            gap |= part.starts_with(char::is_whitespace);
            // Two code spans side by side would be one.
            let apart = page.ends_with('`') && piece.starts_with('`');
            if !piece.is_empty() && !page.is_empty() && (gap || apart) {
                page.push(' ');
            }
            page.push_str(&piece);
            gap = part.ends_with(char::is_whitespace) || (gap && piece.is_empty());
        }
    }
    if text.chars().nth(LONGEST_SENTENCE).is_some() {
        page.push('…');
    }
    page
}

fn markdown_words(text: &str, shown: &mut String) {
    for (place, word) in text.split_whitespace().enumerate() {
        if place > 0 {
            shown.push(' ');
        }
        markdown_word(word, shown);
    }
}

fn markdown_word(word: &str, shown: &mut String) {
    let inner = word.trim_start_matches(['(', '"', '\'']);
    let (front, _) = word.split_at(word.len() - inner.len());
    let core = inner.trim_end_matches(['…', ')', '"', '\'', '.', ',', ';', ':', '?']);
    let (_, back) = inner.split_at(core.len());
    shown.push_str(front);
    if is_plain_word(core) {
        shown.push_str(core);
        // "1." and "1)" at the start of a line would open a list.
        if core.ends_with(|last: char| last.is_ascii_digit()) && !back.is_empty() {
            shown.push('\\');
        }
    } else if !core.is_empty() {
        shown.push_str(&markdown_name(core, usize::MAX));
    }
    shown.push_str(back);
}

/// Letters with a hyphen or apostrophe within, a short number, or one of our own marks. Longer runs of digits could
/// be read as a commit, and letters with digits as the number of an issue.
fn is_plain_word(word: &str) -> bool {
    let letters = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphabetic());
    let number = !word.is_empty() && word.len() < 7 && word.bytes().all(|byte| byte.is_ascii_digit());
    let commit = word.len() >= 7 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    number
        || (!commit && word.split(['-', '\'']).all(letters))
        || (word.chars().count() == 1 && word.starts_with(MARKS))
}

/// A name for Markdown: a code span. What could end the span or a table's cell, or open HTML in a careless renderer,
/// is an escape.
#[must_use]
pub fn markdown_name(text: &str, columns: usize) -> String {
    let inert = |piece: Cow<'static, str>| match piece.as_ref() {
        "`" | "|" | "<" | ">" => escaped(piece.chars().next().unwrap_or_default()),
        _ => piece,
    };
    format!("`{}`", shorten(name(text).map(inert).collect(), columns))
}

/// The one redirection in a command of ours, which is to be pasted as it stands. It opens nothing, whoever wrote it.
const INTO_A_FILE: &str = " > policy.json && ";

/// A command as it stands between backticks.
fn markdown_command(text: &str) -> String {
    let parts: Vec<String> = text.split(INTO_A_FILE).map(|part| markdown_name(part, usize::MAX)).collect();
    let inner: Vec<&str> = parts.iter().map(|part| part.trim_matches('`')).collect();
    format!("`{}`", inner.join(INTO_A_FILE))
}

/// Each character of a sentence as it is shown.
fn sentence(text: &str) -> impl Iterator<Item = Cow<'static, str>> + '_ {
    let cut = text.chars().nth(LONGEST_SENTENCE).is_some().then_some(Cow::Borrowed("…"));
    let show = |character| if MARKS.contains(&character) { String::from(character).into() } else { visible(character) };
    text.chars().take(LONGEST_SENTENCE).map(show).chain(cut)
}

/// Each character of a name as it is shown. Spaces that could pass for the end of a column, or for nothing, are
/// escapes: at the ends, and side by side.
fn name(text: &str) -> impl Iterator<Item = Cow<'static, str>> + '_ {
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    std::iter::from_fn(move || {
        let character = rest.next()?;
        let alone = before != ' ' && rest.peek().is_some_and(|next| *next != ' ');
        before = character;
        Some(if character == ' ' && !alone { escaped(' ') } else { visible(character) })
    })
}

fn visible(character: char) -> Cow<'static, str> {
    match character {
        '\\' => "\\\\".into(),
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        '\t' => "\\t".into(),
        ' '..='~' => String::from(character).into(),
        other => escaped(other),
    }
}

fn escaped(character: char) -> Cow<'static, str> {
    let mut text = String::with_capacity(10);
    let _ = write!(text, "\\u{{{:x}}}", u32::from(character));
    text.into()
}

/// Keeps both ends: the start tells what it is, the end tells it from its neighbours. An escape is never cut.
fn shorten(pieces: Vec<Cow<'static, str>>, columns: usize) -> String {
    let total: usize = pieces.iter().map(|piece| piece.width()).sum();
    if total <= columns {
        return pieces.concat();
    }
    let room = columns.saturating_sub(1);
    let (front, back) = (room - room / 2, room / 2);
    let fit = |budget: usize, widths: &mut dyn Iterator<Item = usize>| {
        widths
            .scan(0, |used, width| {
                *used += width;
                (*used <= budget).then_some(())
            })
            .count()
    };
    let head = fit(front, &mut pieces.iter().map(|piece| piece.width()));
    let tail = fit(back, &mut pieces.iter().rev().map(|piece| piece.width()));
    format!("{}…{}", pieces[..head].concat(), pieces[pieces.len() - tail..].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_ascii_is_shown_raw_f74_f78() {
        assert_eq!(
            terminal_name("v1\u{1b}[2J\u{202e}\u{430}\u{9b}\u{7f}\r\\", 99),
            r"v1\u{1b}[2J\u{202e}\u{430}\u{9b}\u{7f}\r\\"
        );
        assert_eq!(terminal_name(" a  b c ", 99), r"\u{20}a\u{20}\u{20}b c\u{20}");
        assert_eq!(terminal("one…\ntwo"), r"one…\ntwo");
        assert_eq!(log("a\nb"), r"a\nb");
        assert_eq!(message(&format!("{:?} is no tag\n\u{1b}", "v1\u{1b}[2J")), r#""v1\u{1b}[2J" is no tag\n\u{1b}"#);
    }

    #[test]
    fn long_names_keep_both_ends_and_whole_escapes() {
        assert_eq!(terminal_name("abcdefghij", 10), "abcdefghij");
        assert_eq!(terminal_name("abcdefghijk", 9), "abcd…hijk");
        assert_eq!(terminal_name("\u{202e}abcdefghijk\u{202e}", 9), "…ijk".replace("ijk", ""));
        assert_eq!(terminal_name(&"x".repeat(1_000), 20).width(), 20);
    }

    #[test]
    fn cells_run_no_formula_f75() {
        assert_eq!(csv("=1+1"), "'=1+1");
        assert_eq!(csv("@x"), "'@x");
        assert_eq!(csv("\t=x"), r"\t=x");
        assert_eq!(csv("a;=x;y"), r"a\u{3b}=x;y");
        assert_eq!(csv("1.2.0"), "1.2.0");
    }

    #[test]
    fn markdown_notifies_nobody_and_links_nowhere() {
        assert_eq!(markdown("ask @team, see https://x.example/#1."), "ask `@team`, see `https://x.example/#1`.");
        assert_eq!(markdown("1. <b>bold</b> (really)"), r"1\. `\u{3c}b\u{3e}bold\u{3c}/b\u{3e}` (really)");
        assert_eq!(markdown("run `prodpin enforce`, then `a b` or `c`"), "run `prodpin enforce`, then `a b` or `c`");
        assert_eq!(
            markdown("`x``y` `<b>` @t`"),
            r"`\u{60}x\u{60}\u{60}y\u{60}` `\u{60}\u{3c}b\u{3e}\u{60}` `@t\u{60}`"
        );
        assert_eq!(markdown("a`@all`b"), "a`@all`b");
        assert_eq!(markdown("don't re-push deadbeef GH-1"), "don't re-push `deadbeef` `GH-1`");
        assert_eq!(markdown_name("a`|b", 99), r"`a\u{60}\u{7c}b`");
    }
}
