//! Go's `regexp`, in the words of the `regex` crate. Both match in the same way; they read some texts differently. What Go
//! refuses is refused, and what the crate reads otherwise is written for it so that it means the same.

use std::iter::Peekable;
use std::str::Chars;

use regex::Regex;

use super::class;

/// A regular expression as Go's `regexp.Compile` reads it.
#[derive(Debug, Clone)]
pub(in crate::decide::lifecycle) struct GoRegexp(Regex);

/// Why there is no regular expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::decide::lifecycle) enum GoRegexpError {
    /// Go refuses it.
    #[error("Go does not take it for a regular expression")]
    Refused,
    /// Go may take it, and it is not known here what it means.
    #[error("it holds something that is not surely read as Go reads it")]
    Unsure,
}

impl GoRegexp {
    /// Reads an expression.
    pub(in crate::decide::lifecycle) fn parse(pattern: &str) -> Result<Self, GoRegexpError> {
        let mut reader = Reader { rest: pattern.chars().peekable(), out: String::new(), groups: 0, names: Vec::new() };
        reader.read()?;
        Regex::new(&reader.out).map(Self).map_err(|_| GoRegexpError::Unsure)
    }

    /// Whether it matches anywhere in the text.
    pub(in crate::decide::lifecycle) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

/// The most repetitions that Go allows.
const MOST: u32 = 1_000;

/// What stands before a sign of repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Something,
    Repetition,
}

struct Reader<'p> {
    rest: Peekable<Chars<'p>>,
    out: String,
    groups: usize,
    names: Vec<String>,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), GoRegexpError> {
        let mut before = Before::Nothing;
        while let Some(next) = self.rest.next() {
            before = match next {
                '(' => self.group()?,
                ')' => {
                    self.groups = self.groups.checked_sub(1).ok_or(GoRegexpError::Refused)?;
                    self.out.push(')');
                    Before::Something
                }
                '|' => {
                    self.out.push('|');
                    Before::Nothing
                }
                '*' | '+' | '?' => self.repeat(before, next.to_string())?,
                '{' => match self.counts()? {
                    Some(counts) => self.repeat(before, counts)?,
                    None => self.literal('{'),
                },
                '[' => {
                    class::read(&mut self.rest, &mut self.out)?;
                    Before::Something
                }
                '\\' => self.escape(before)?,
                '.' | '^' | '$' => {
                    self.out.push(next);
                    Before::Something
                }
                other => self.literal(other),
            };
        }
        if self.groups == 0 { Ok(()) } else { Err(GoRegexpError::Refused) }
    }

    fn literal(&mut self, literal: char) -> Before {
        class::push(&mut self.out, literal);
        Before::Something
    }

    /// One sign of repetition, and the `?` that makes it take as little as it can. A second sign is refused.
    fn repeat(&mut self, before: Before, mut sign: String) -> Result<Before, GoRegexpError> {
        if before != Before::Something {
            return Err(GoRegexpError::Refused);
        }
        if self.rest.next_if_eq(&'?').is_some() {
            sign.push('?');
        }
        self.out.push_str(&sign);
        Ok(Before::Repetition)
    }

    /// `{2}`, `{2,}`, `{2,4}`; braces of any other form are themselves.
    fn counts(&mut self) -> Result<Option<String>, GoRegexpError> {
        let mut ahead = self.rest.clone();
        let Some(least) = number(&mut ahead) else { return Ok(None) };
        let mut most = Some(least);
        if ahead.next_if_eq(&',').is_some() {
            most = None;
            if ahead.peek() != Some(&'}') {
                match number(&mut ahead) {
                    Some(number) => most = Some(number),
                    None => return Ok(None),
                }
            }
        }
        if ahead.next() != Some('}') {
            return Ok(None);
        }
        self.rest = ahead;
        if least > MOST || most.is_some_and(|most| most > MOST || most < least) {
            return Err(GoRegexpError::Refused);
        }
        Ok(Some(match most {
            Some(most) => format!("{{{least},{most}}}"),
            None => format!("{{{least},}}"),
        }))
    }

    fn group(&mut self) -> Result<Before, GoRegexpError> {
        if self.rest.next_if_eq(&'?').is_none() {
            self.groups += 1;
            self.out.push('(');
            return Ok(Before::Nothing);
        }
        match self.rest.peek() {
            Some('P' | '<') => self.named_group(),
            _ => self.flags(),
        }
    }

    /// `(?P<name>` or `(?<name>`. Names matter only in that each may be used once.
    fn named_group(&mut self) -> Result<Before, GoRegexpError> {
        self.rest.next_if_eq(&'P');
        self.rest.next_if_eq(&'<').ok_or(GoRegexpError::Refused)?;
        let mut name = String::new();
        while let Some(c) = self.rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
        }
        let closed = self.rest.next() == Some('>');
        if !closed || name.is_empty() || self.names.contains(&name) {
            return Err(GoRegexpError::Refused);
        }
        self.names.push(name);
        self.groups += 1;
        self.out.push('(');
        Ok(Before::Nothing)
    }

    /// `(?i)`, `(?i:`, `(?s-m:`.
    fn flags(&mut self) -> Result<Before, GoRegexpError> {
        let (mut flags, mut off, mut any) = (String::new(), false, false);
        loop {
            match self.rest.next() {
                Some(flag @ ('i' | 'm' | 's' | 'U')) => {
                    flags.push(flag);
                    any = true;
                }
                Some('-') if !off => {
                    flags.push('-');
                    (off, any) = (true, false);
                }
                Some(end @ (':' | ')')) if any || !off => return self.flagged(&flags, end),
                _ => return Err(GoRegexpError::Refused),
            }
        }
    }

    fn flagged(&mut self, flags: &str, end: char) -> Result<Before, GoRegexpError> {
        let (on, off) = flags.split_once('-').unwrap_or((flags, ""));
        let twice = |flags: &str| flags.chars().any(|flag| flags.matches(flag).count() > 1);
        if twice(on) || twice(off) || on.chars().any(|flag| off.contains(flag)) {
            // Go lets the last one win; the crate refuses it.
            return Err(GoRegexpError::Unsure);
        }
        if end == ':' {
            self.groups += 1;
        }
        if end == ':' || !flags.is_empty() {
            self.out.push_str("(?");
            self.out.push_str(flags);
            self.out.push(end);
        }
        // A repetition behind `(?i)` would be one of what stands before it.
        match self.rest.peek() {
            Some('*' | '+' | '?' | '{') if end == ')' => Err(GoRegexpError::Unsure),
            _ => Ok(Before::Nothing),
        }
    }

    fn escape(&mut self, before: Before) -> Result<Before, GoRegexpError> {
        match self.rest.peek() {
            Some(&sign @ ('A' | 'b' | 'B' | 'z')) => {
                self.rest.next();
                self.out.push('\\');
                self.out.push(sign);
                // A brace behind it would be read as a kind of border by the crate.
                if sign.eq_ignore_ascii_case(&'b') && self.rest.peek() == Some(&'{') {
                    self.out.push_str("(?:)");
                }
                Ok(Before::Something)
            }
            Some('Q') => {
                self.rest.next();
                Ok(self.quoted(before))
            }
            _ => {
                class::escape(&mut self.rest, &mut self.out)?;
                Ok(Before::Something)
            }
        }
    }

    /// `\Q…\E`: everything between is itself.
    fn quoted(&mut self, before: Before) -> Before {
        let mut last = before;
        while let Some(next) = self.rest.next() {
            if next == '\\' && self.rest.next_if_eq(&'E').is_some() {
                break;
            }
            last = self.literal(next);
        }
        last
    }
}

/// A number without a zero in front; more digits than matter are read as a number that is too large.
fn number(rest: &mut Peekable<Chars<'_>>) -> Option<u32> {
    let mut digits = String::new();
    while let Some(digit) = rest.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some(digits.parse().unwrap_or(MOST + 1))
}
