//! Classes in brackets and escapes of Go's regular expressions, written for the `regex` crate.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

use super::regexp::GoRegexpError;

/// Writes one character so that it is itself, in a class and outside.
pub(super) fn push(out: &mut String, literal: char) {
    if literal.is_ascii_alphanumeric() || literal == '_' {
        out.push(literal);
    } else {
        // Writing to a string does not fail.
        let _ = write!(out, "\\x{{{:x}}}", u32::from(literal));
    }
}

/// Reads a class, its opening bracket being read.
pub(super) fn read(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), GoRegexpError> {
    out.push('[');
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut first = true;
    loop {
        match rest.peek().copied() {
            None => return Err(GoRegexpError::Refused),
            Some(']') if !first => break,
            Some('[') if named(rest, out)? => {}
            Some('\\') if is_set(rest) => {
                rest.next();
                escape(rest, out)?;
            }
            Some(_) => range(rest, out)?,
        }
        first = false;
    }
    rest.next();
    out.push(']');
    Ok(())
}

/// `[:digit:]`; brackets without an end to that are themselves.
fn named(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<bool, GoRegexpError> {
    const NAMES: [&str; 14] = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
        "word", "xdigit",
    ];
    let ahead: String = rest.clone().collect();
    let Some((name, _)) = ahead.strip_prefix("[:").and_then(|ahead| ahead.split_once(":]")) else { return Ok(false) };
    if !NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return Err(GoRegexpError::Refused);
    }
    // What was read and the two signs on each side.
    for _ in 0..name.chars().count() + 4 {
        rest.next();
    }
    let _ = write!(out, "[:{name}:]");
    Ok(true)
}

/// Whether the backslash begins a class rather than a character.
fn is_set(rest: &Peekable<Chars<'_>>) -> bool {
    matches!(rest.clone().nth(1), Some('d' | 'D' | 's' | 'S' | 'w' | 'W' | 'p' | 'P'))
}

fn range(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), GoRegexpError> {
    let low = member(rest)?;
    let mut ahead = rest.clone();
    if ahead.next() != Some('-') || matches!(ahead.peek(), None | Some(']')) {
        push(out, low);
        return Ok(());
    }
    *rest = ahead;
    let high = member(rest)?;
    if high < low {
        return Err(GoRegexpError::Refused);
    }
    push(out, low);
    out.push('-');
    push(out, high);
    Ok(())
}

fn member(rest: &mut Peekable<Chars<'_>>) -> Result<char, GoRegexpError> {
    match rest.next() {
        None => Err(GoRegexpError::Refused),
        Some('\\') => character(rest),
        Some(other) => Ok(other),
    }
}

/// Reads what stands behind a backslash: a class by its letter, or one character.
pub(super) fn escape(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), GoRegexpError> {
    // Go's are of ASCII, the crate's are not.
    let set = match rest.peek() {
        Some('d') => "[0-9]",
        Some('D') => "[^0-9]",
        Some('s') => "[\\t\\n\\x0c\\r\\x20]",
        Some('S') => "[^\\t\\n\\x0c\\r\\x20]",
        Some('w') => "[0-9A-Za-z_]",
        Some('W') => "[^0-9A-Za-z_]",
        Some('p' | 'P') => return property(rest, out),
        _ => {
            let literal = character(rest)?;
            push(out, literal);
            return Ok(());
        }
    };
    rest.next();
    out.push_str(set);
    Ok(())
}

/// `\pL`, `\p{Greek}`, `\P{^Greek}`. Names that the crate does not know, Go may know.
fn property(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), GoRegexpError> {
    let mut negated = rest.next() == Some('P');
    let name = match rest.next() {
        Some('{') => {
            let mut name = String::new();
            loop {
                match rest.next() {
                    Some('}') => break name,
                    Some(c) => name.push(c),
                    None => return Err(GoRegexpError::Refused),
                }
            }
        }
        Some(letter) => letter.to_string(),
        None => return Err(GoRegexpError::Refused),
    };
    let name = name.strip_prefix('^').map_or(name.as_str(), |name| {
        negated = !negated;
        name
    });
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(GoRegexpError::Refused);
    }
    let _ = write!(out, "\\{}{{{name}}}", if negated { 'P' } else { 'p' });
    Ok(())
}

/// One character behind a backslash.
fn character(rest: &mut Peekable<Chars<'_>>) -> Result<char, GoRegexpError> {
    let next = rest.next().ok_or(GoRegexpError::Refused)?;
    match next {
        'a' => Ok('\u{7}'),
        'f' => Ok('\u{c}'),
        'n' => Ok('\n'),
        'r' => Ok('\r'),
        't' => Ok('\t'),
        'v' => Ok('\u{b}'),
        'x' => hexadecimal(rest),
        // A single digit would be a reference to a group, of which Go knows none.
        '1'..='7' if !matches!(rest.peek(), Some('0'..='7')) => Err(GoRegexpError::Refused),
        '0'..='7' => Ok(octal(next, rest)),
        other if other.is_ascii() && !other.is_ascii_alphanumeric() => Ok(other),
        _ => Err(GoRegexpError::Refused),
    }
}

fn octal(first: char, rest: &mut Peekable<Chars<'_>>) -> char {
    let mut value = first.to_digit(8).unwrap_or(0);
    for _ in 0..2 {
        let Some(digit) = rest.next_if(|c| c.is_digit(8)) else { break };
        value = value * 8 + digit.to_digit(8).unwrap_or(0);
    }
    char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn hexadecimal(rest: &mut Peekable<Chars<'_>>) -> Result<char, GoRegexpError> {
    let digits: String = if rest.next_if_eq(&'{').is_some() {
        let mut digits = String::new();
        while let Some(digit) = rest.next_if(char::is_ascii_hexdigit) {
            digits.push(digit);
        }
        rest.next_if_eq(&'}').ok_or(GoRegexpError::Refused)?;
        digits
    } else {
        rest.next().into_iter().chain(rest.next()).collect()
    };
    let value = u32::from_str_radix(&digits, 16).map_err(|_| GoRegexpError::Refused)?;
    char::from_u32(value).ok_or(GoRegexpError::Refused)
}
