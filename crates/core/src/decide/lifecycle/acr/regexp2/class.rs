//! Classes of characters: `[a-z-[aeiou]]`, `[[:digit:]]`, `\w`.

use super::RegexpError;
use super::parse::Reader;

/// A set of characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Class {
    ranges: Vec<(char, char)>,
    negated: bool,
    /// Characters that are not in it although they are in the ranges: `-[…]` at its end.
    without: Option<Box<Class>>,
    /// Whether large letters are the same as small ones: the small one is compared, and the ranges hold it as well.
    ignore_case: bool,
}

const DIGITS: &[(char, char)] = &[('0', '9')];
const SPACES: &[(char, char)] = &[('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')];
const ALL_SPACES: &[(char, char)] = &[('\t', '\r'), (' ', ' ')];
const WORD: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

impl Class {
    pub(super) fn of(literal: char, ignore_case: bool) -> Self {
        Self { ranges: vec![(literal, literal)], ignore_case, ..Self::default() }
    }

    /// Any character, or any but a newline.
    pub(super) fn any(newline: bool) -> Self {
        let ranges = if newline { Vec::new() } else { vec![('\n', '\n')] };
        Self { ranges, negated: true, ..Self::default() }
    }

    /// What a letter behind a backslash stands for, in a class and outside.
    pub(super) fn of_escape(letter: char, ignore_case: bool) -> Option<Self> {
        let mut class = Self { ignore_case, ..Self::default() };
        class.add_escape(letter).then_some(class)
    }

    /// Whether the character is in it.
    pub(super) fn has(&self, character: char) -> bool {
        let asked = if self.ignore_case { character.to_ascii_lowercase() } else { character };
        let within = |c: char| self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&c));
        let found = within(asked) || (self.ignore_case && within(asked.to_ascii_uppercase()));
        found != self.negated && !self.without.as_ref().is_some_and(|without| without.has(character))
    }

    fn add_escape(&mut self, letter: char) -> bool {
        let ranges = match letter.to_ascii_lowercase() {
            'd' => DIGITS,
            's' => SPACES,
            'w' => WORD,
            _ => return false,
        };
        self.add(ranges, letter.is_ascii_uppercase());
        true
    }

    /// Adds ranges, which are in order, or all between them.
    fn add(&mut self, ranges: &[(char, char)], negated: bool) {
        if !negated {
            self.ranges.extend(ranges);
            return;
        }
        let mut next = Some('\0');
        for (low, high) in ranges {
            if let (Some(start), Some(before)) = (next, before(*low)) {
                self.ranges.extend((start <= before).then_some((start, before)));
            }
            next = after(*high);
        }
        self.ranges.extend(next.map(|start| (start, char::MAX)));
    }

    /// `[:digit:]`. Whether there is such a name.
    fn add_named(&mut self, name: &str, negated: bool) -> bool {
        let ranges: &[(char, char)] = match name {
            "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
            "alpha" => &[('A', 'Z'), ('a', 'z')],
            "ascii" => &[('\0', '\u{7f}')],
            "blank" => &[('\t', '\t'), (' ', ' ')],
            "cntrl" => &[('\0', '\u{1f}'), ('\u{7f}', '\u{7f}')],
            "digit" => DIGITS,
            "graph" => &[('!', '~')],
            "lower" => &[('a', 'z')],
            "print" => &[(' ', '~')],
            "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
            "space" => ALL_SPACES,
            "upper" => &[('A', 'Z')],
            "word" => WORD,
            "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
            _ => return false,
        };
        self.add(ranges, negated);
        true
    }
}

fn before(c: char) -> Option<char> {
    u32::from(c).checked_sub(1).and_then(char::from_u32)
}

fn after(c: char) -> Option<char> {
    char::from_u32(u32::from(c) + 1)
}

/// Reads a class, its opening bracket being read.
pub(super) fn read(reader: &mut Reader<'_>, ignore_case: bool) -> Result<Class, RegexpError> {
    reader.enter()?;
    let mut class = Class { ignore_case, negated: reader.take('^'), ..Class::default() };
    let mut low: Option<char> = None;
    let mut is_first = true;
    loop {
        let next = reader.next().ok_or(RegexpError::Refused)?;
        let first = std::mem::replace(&mut is_first, false);
        let mut escaped = false;
        let mut next = next;
        match next {
            ']' if !first => break,
            '\\' if reader.peek(0).is_some() => match escape(reader, &mut class, low.is_some())? {
                Some(character) => (next, escaped) = (character, true),
                None => continue,
            },
            '[' if low.is_none() && reader.peek(0) == Some(':') && named(reader, &mut class)? => continue,
            _ => {}
        }
        if let Some(low) = low.take() {
            if next == '[' && !escaped && !first {
                class.ranges.push((low, low));
                subtract(reader, &mut class, ignore_case)?;
            } else if low > next {
                return Err(RegexpError::Refused);
            } else {
                class.ranges.push((low, next));
            }
        } else if reader.peek(0) == Some('-') && reader.peek(1).is_some_and(|end| end != ']') {
            low = Some(next);
            reader.next();
        } else if next == '-' && !escaped && !first && reader.take('[') {
            subtract(reader, &mut class, ignore_case)?;
        } else {
            class.ranges.push((next, next));
        }
    }
    reader.leave();
    Ok(class)
}

/// What stands behind a backslash in a class: a character, or none if it was a class of its own.
fn escape(reader: &mut Reader<'_>, class: &mut Class, in_range: bool) -> Result<Option<char>, RegexpError> {
    match reader.peek(0) {
        Some(letter @ ('d' | 'D' | 's' | 'S' | 'w' | 'W')) => {
            reader.next();
            if in_range {
                return Err(RegexpError::Refused);
            }
            class.add_escape(letter);
            Ok(None)
        }
        Some('p' | 'P') => Err(RegexpError::Unsure),
        Some('-') => {
            reader.next();
            // Within a range the module leaves the range open and adds the hyphen.
            if in_range {
                return Err(RegexpError::Unsure);
            }
            class.ranges.push(('-', '-'));
            Ok(None)
        }
        _ => reader.character().map(Some),
    }
}

/// `[:digit:]`, its bracket being read and its colon not. If its end is missing, the class is added nevertheless and the
/// bracket is a character as well.
fn named(reader: &mut Reader<'_>, class: &mut Class) -> Result<bool, RegexpError> {
    let start = reader.at;
    reader.next();
    let negated = reader.peek(1).is_some() && reader.take('^');
    let name = reader.word();
    if !class.add_named(&name, negated) {
        return Err(RegexpError::Refused);
    }
    if reader.peek(0) == Some(':') && reader.peek(1) == Some(']') {
        reader.at += 2;
        return Ok(true);
    }
    reader.at = start;
    Ok(false)
}

/// `-[…]`, which must be the last thing in a class.
fn subtract(reader: &mut Reader<'_>, class: &mut Class, ignore_case: bool) -> Result<(), RegexpError> {
    class.without = Some(Box::new(read(reader, ignore_case)?));
    match reader.peek(0) {
        None | Some(']') => Ok(()),
        Some(_) => Err(RegexpError::Refused),
    }
}
