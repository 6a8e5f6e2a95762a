//! What is wrong with a policy, shown where it is wrong: place, source line, caret, fix.

use std::cell::{Cell, RefCell};
use std::fmt;

/// Where something stands in the policy's text. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Span {
    pub(super) line: u64,
    pub(super) column: u64,
    /// How many characters to underline.
    pub(super) width: u64,
}

/// One thing that is wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    span: Span,
    /// The source line, made safe to show; empty where there is none.
    shown: Shown,
    message: String,
    fix: Option<String>,
}

/// Everything that is wrong with a policy, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyErrors {
    origin: String,
    problems: Vec<Problem>,
    unreported: usize,
}

impl std::error::Error for PolicyErrors {}

impl PolicyErrors {
    /// For a policy that came to nothing without a reason: never taken for an empty one.
    pub(super) fn unexplained(origin: &str) -> Self {
        let shown = Shown { text: String::new(), caret: None };
        let message = "the policy could not be read".to_owned();
        let span = Span { line: 1, column: 1, width: 1 };
        Self { origin: visible(origin), problems: vec![Problem { span, shown, message, fix: None }], unreported: 0 }
    }

    /// How many there are; never none.
    #[must_use]
    pub fn count(&self) -> usize {
        self.problems.len() + self.unreported
    }
}

impl PolicyErrors {
    /// Each problem on a line of its own, without the text around it: for logs.
    pub fn lines(&self) -> Vec<String> {
        let line = |problem: &Problem| {
            let Span { line, column, .. } = problem.span;
            let fix = problem.fix.as_ref().map_or(String::new(), |fix| format!(" ({fix})"));
            format!("{}:{line}:{column}: {}{fix}", self.origin, problem.message)
        };
        let more = (self.unreported > 0).then(|| format!("{} more problems", self.unreported));
        self.problems.iter().map(line).chain(more).collect()
    }
}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            problem.write(f, &self.origin)?;
        }
        match self.unreported {
            0 => Ok(()),
            more => write!(f, "\n{}: {more} more problems", self.origin),
        }
    }
}

impl Problem {
    fn write(&self, f: &mut fmt::Formatter<'_>, origin: &str) -> fmt::Result {
        let Span { line, column, .. } = self.span;
        write!(f, "{origin}:{line}:{column}: {}", self.message)?;
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        if !self.shown.text.is_empty() {
            write!(f, "\n {number} | {}", self.shown.text)?;
            if let Some((offset, width)) = self.shown.caret {
                write!(f, "\n {margin} | {}{}", " ".repeat(offset), "^".repeat(width))?;
            }
        }
        match &self.fix {
            Some(fix) => write!(f, "\n {margin} = {fix}"),
            None => Ok(()),
        }
    }
}

/// Collects problems while a policy is read, so that all of them are reported at once.
pub(super) struct Problems<'t> {
    origin: &'t str,
    text: &'t str,
    errors: RefCell<Vec<Problem>>,
    /// How many more there are.
    unreported: Cell<usize>,
    warnings: RefCell<Vec<(Span, String)>>,
}

/// A file with more problems than this is another kind of file, and nobody reads on.
const MOST_SHOWN: usize = 50;

impl<'t> Problems<'t> {
    pub(super) fn new(origin: &'t str, text: &'t str) -> Self {
        Self { origin, text, errors: RefCell::default(), unreported: Cell::new(0), warnings: RefCell::default() }
    }

    /// Something that makes the policy unusable.
    pub(super) fn error(&self, span: Span, message: impl Into<String>, fix: impl Into<Option<String>>) {
        if self.errors.borrow().len() >= MOST_SHOWN {
            return self.unreported.set(self.unreported.get() + 1);
        }
        let shown = Shown::from_text(self.text, span);
        let fix = fix.into().map(|fix| visible(&fix));
        let problem = Problem { span, shown, message: visible(&message.into()), fix };
        let mut errors = self.errors.borrow_mut();
        if !errors.contains(&problem) {
            errors.push(problem);
        }
    }

    /// Whether something at this place has been reported.
    pub(super) fn has_error_at(&self, span: Span) -> bool {
        self.errors.borrow().iter().any(|problem| problem.span == span)
    }

    /// Something the writer may not have meant; the policy can be used.
    pub(super) fn warn(&self, span: Span, message: impl Into<String>) {
        self.warnings.borrow_mut().push((span, visible(&message.into())));
    }

    /// The errors, if there are any; else the warnings, each on one line.
    pub(super) fn settle(self) -> Result<Vec<String>, PolicyErrors> {
        let mut problems = self.errors.into_inner();
        if problems.is_empty() {
            let mut warnings = self.warnings.into_inner();
            warnings.sort();
            let origin = self.origin;
            let reported = |(span, text): (Span, String)| format!("{origin}:{}:{}: {text}", span.line, span.column);
            return Ok(warnings.into_iter().map(reported).collect());
        }
        problems.sort_by_key(|problem| problem.span);
        Err(PolicyErrors { origin: visible(self.origin), problems, unreported: self.unreported.get() })
    }
}

/// A source line as it may be shown: no secret, no control character, no more than a screen's width.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    text: String,
    caret: Option<(usize, usize)>,
}

const SCREEN: usize = 100;
const REDACTED: &str = "[redacted]";

impl Shown {
    fn from_text(text: &str, span: Span) -> Self {
        let index = usize::try_from(span.line.saturating_sub(1)).unwrap_or(usize::MAX);
        let column = usize::try_from(span.column.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(line) = text.lines().nth(index) else {
            return Self { text: String::new(), caret: None };
        };
        // The window keeps the caret on the screen however long the line is.
        let (masked, untouched) = mask(text, index, line);
        let start = if column > SCREEN * 3 / 4 { column - SCREEN / 2 } else { 0 };
        let window: String = masked.chars().skip(start).take(SCREEN).collect();
        let before: String = window.chars().take(column - start.min(column)).collect();
        let offset = visible(&before).chars().count();
        let width = usize::try_from(span.width).unwrap_or(1).clamp(1, SCREEN);
        let rest = window.chars().count().saturating_sub(column - start.min(column)).max(1);
        let caret = if column < untouched { Some((offset, width.min(rest))) } else { None };
        let caret = match caret {
            Some((offset, width)) if column + width > untouched => Some((offset, width.min(1))),
            other => other,
        };
        Self { text: visible(&window), caret }
    }
}

/// Takes secrets out of a source line (F71, I18): user and password of a URL, and a literal password. Answers how many
/// characters at the front are as they were written.
fn mask(text: &str, index: usize, line: &str) -> (String, usize) {
    if in_password_block(text, index, line) { (REDACTED.to_owned(), 0) } else { mask_line(line) }
}

/// One line without the secrets that can be reported from it alone.
pub(super) fn mask_line(line: &str) -> (String, usize) {
    let mut masked = line.to_owned();
    let mut untouched = usize::MAX;
    if let Some(value) = literal_secret(&masked) {
        untouched = masked[..value].chars().count() + 1;
        masked.truncate(value);
        masked.push_str(REDACTED);
    }
    if let Some(value) = query(&masked) {
        untouched = untouched.min(masked[..value].chars().count() + 1);
        masked.truncate(value);
        masked.push_str(REDACTED);
    }
    let mut from = 0;
    while let Some(scheme) = masked[from..].find("://").map(|found| from + found + 3) {
        let authority =
            masked[scheme..].find(['/', '"', '\'', ',', ' ', '?', '#']).map_or(masked.len(), |end| scheme + end);
        // A password may hold any of these characters; the last `@` before white space decides.
        let blank = masked[scheme..].find(char::is_whitespace).map_or(masked.len(), |end| scheme + end);
        let at = masked[scheme..authority].rfind('@').or_else(|| masked[scheme..blank].rfind('@'));
        if let Some(at) = at {
            untouched = untouched.min(masked[..scheme].chars().count());
            masked.replace_range(scheme..scheme + at, REDACTED);
        }
        from = scheme;
    }
    (masked, untouched)
}

/// The keys whose values are secrets: all that is read as one from the environment alone.
const SECRET_KEYS: [&str; 8] = ["password", "secret", "slack", "pagerduty", "opsgenie", "bearer", "signature", "path"];

/// Where what follows the name of a secret begins in this line, unless it names a variable. A colon is not asked for:
/// the line is shown because something is wrong with it.
fn literal_secret(line: &str) -> Option<usize> {
    SECRET_KEYS.into_iter().filter_map(|key| literal_after(line, key)).chain(misspelt_secret(line)).min()
}

/// The same behind a key that is nearly one of those, or is called a key or a token: it is shown because nobody knows it.
fn misspelt_secret(line: &str) -> Option<usize> {
    let mut ends = line.match_indices(':').map(|(at, _)| at);
    ends.find_map(|end| {
        let before = line[..end].trim_end_matches(['"', '\'']);
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        let key = &before[before.trim_end_matches(is_part).len()..];
        let value = line[end + 1..].trim_start_matches(['"', '\'', ' ', '\t']);
        let is_secret = is_nearly_secret(&key.to_ascii_lowercase());
        (is_secret && !value.is_empty() && !value.starts_with(['$', '{', '['])).then(|| line.len() - value.len())
    })
}

fn is_nearly_secret(key: &str) -> bool {
    const KNOWN: [&str; 4] = ["ledger_key", "token_realms", "keys", "signatures"];
    if KNOWN.contains(&key) || key.len() > 32 {
        return false;
    }
    let near = SECRET_KEYS.into_iter().filter(|secret| secret.len() > 4).any(|secret| edits(key, secret) <= 2);
    near || key.ends_with("key") || key.contains("token") || key.contains("secret") || key.contains("passw")
}

fn literal_after(line: &str, key: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(found) = line[from..].find(key) {
        let after = from + found + key.len();
        // The others are words that names are made of, too.
        let is_key = key == "password" || line[after..].trim_start_matches(['"', '\'', ' ']).starts_with(':');
        let value = line[after..].trim_start_matches(['"', '\'', ':', ' ', '\t']);
        if is_key && !value.is_empty() && !value.starts_with("${") {
            return Some(line.len() - value.len());
        }
        from = after;
    }
    None
}

/// Where the query of an alert's address begins: it may hold a key.
fn query(line: &str) -> Option<usize> {
    let hook = line.find("webhook")?;
    line[hook..].find('?').map(|found| hook + found)
}

/// Whether this line continues a `password:` that began above it, as a block scalar does.
fn in_password_block(text: &str, index: usize, line: &str) -> bool {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let above: Vec<&str> = text.lines().take(index).collect();
    let parent = above.iter().rev().find(|other| !other.trim().is_empty() && indent(other) < indent(line));
    parent.is_some_and(|parent| {
        let key = parent.trim_start().trim_start_matches("- ").trim_start_matches(['"', '\'']);
        SECRET_KEYS.iter().any(|secret| key.starts_with(secret))
    })
}

/// The writer's own words within a message: short, and without the secrets that a slip of quoting swept into them.
pub(super) fn quote(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    let rest = if short.len() < text.len() { "…" } else { "" };
    format!("\"{}{rest}\"", visible(&mask_line(&short).0))
}

/// Text that cannot steer a terminal: control characters, and those that reorder or hide text, are spelt out (F74, F78).
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let hides = matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if character == '\t' {
            shown.push(' ');
        } else if character.is_control() || hides {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The known word that was probably meant.
pub(super) fn nearest<'w>(spanned: &str, known: &[&'w str]) -> Option<&'w str> {
    let spanned = spanned.to_lowercase();
    if spanned.len() > 64 {
        return None;
    }
    let near = |word: &str| edits(&spanned, word) <= (word.len().max(spanned.len()) / 3).max(1);
    let part = |word: &str| spanned.len() >= 3 && (word.starts_with(&spanned) || spanned.starts_with(word));
    let best = |fits: &dyn Fn(&str) -> bool| {
        known.iter().copied().filter(|word| fits(word)).min_by_key(|word| (edits(&spanned, word), *word))
    };
    best(&near).or_else(|| best(&part))
}

/// Insertions, deletions, substitutions and swaps of neighbours that lead from one word to the other.
pub fn edits(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<usize>>()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let cost = usize::from(from[i - 1] != to[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}
