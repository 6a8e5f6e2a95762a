//! What stands behind a backslash.

use super::super::class::Class;
use super::super::{Node, Place, RegexpError};
use super::Reader;

impl Reader<'_> {
    /// What stands behind a backslash outside of a class.
    pub(super) fn escape(&mut self) -> Result<Node, RegexpError> {
        let ignore_case = self.flags.ignore_case;
        let next = self.peek(0).ok_or(RegexpError::Refused)?;
        let place = match next {
            'b' => Some(Place::WordBorder),
            'B' => Some(Place::NoWordBorder),
            // Matching begins at the start, so that both are the same.
            'A' | 'G' => Some(Place::Start),
            'Z' => Some(Place::LastLine),
            'z' => Some(Place::End),
            'p' | 'P' => return Err(RegexpError::Unsure),
            'k' => return self.named_reference(),
            '<' | '\'' if self.peek(1).is_some() => return Err(RegexpError::Unsure),
            _ => None,
        };
        if let Some(place) = place {
            self.at += 1;
            return Ok(Node::At(place));
        }
        if let Some(class) = Class::of_escape(next, ignore_case) {
            self.at += 1;
            return Ok(Node::One(class));
        }
        if matches!(next, '1'..='9')
            && let Some(group) = self.reference()?
        {
            return Ok(Node::Same { group, ignore_case });
        }
        Ok(Node::One(Class::of(self.character()?, ignore_case)))
    }

    /// `\1`. More digits than there are groups may be an octal character instead.
    fn reference(&mut self) -> Result<Option<usize>, RegexpError> {
        let digits: String = self.text[self.at..].iter().take_while(|c| c.is_ascii_digit()).collect();
        let number = digits.parse::<i32>().ok().and_then(|number| usize::try_from(number).ok());
        let number = number.ok_or(RegexpError::Refused)?;
        if number <= self.unnamed + self.names.len() {
            self.at += digits.len();
            return Ok(Some(number));
        }
        if number <= 9 { Err(RegexpError::Refused) } else { Ok(None) }
    }

    /// `\k<name>`.
    fn named_reference(&mut self) -> Result<Node, RegexpError> {
        self.at += 1;
        if !self.take('<') {
            return Err(if self.peek(0) == Some('\'') { RegexpError::Unsure } else { RegexpError::Refused });
        }
        let name = self.word();
        if name.is_empty() || !self.take('>') {
            return Err(RegexpError::Refused);
        }
        let place = self.names.iter().position(|known| *known == name);
        let by_name = place.map(|place| 1 + self.unnamed + place);
        let by_number = || name.parse().ok().filter(|number| *number <= self.unnamed + self.names.len());
        let group = by_name.or_else(by_number).ok_or(RegexpError::Refused)?;
        Ok(Node::Same { group, ignore_case: self.flags.ignore_case })
    }

    /// One character behind a backslash, in a class and outside. A letter that means nothing is itself.
    pub(in super::super) fn character(&mut self) -> Result<char, RegexpError> {
        let next = self.next().ok_or(RegexpError::Refused)?;
        match next {
            '0'..='7' => {
                self.at -= 1;
                Ok(self.octal())
            }
            'x' if self.take('{') => self.braced_hexadecimal(),
            'x' => self.hexadecimal(2),
            'u' => self.hexadecimal(4),
            'a' => Ok('\u{7}'),
            'b' => Ok('\u{8}'),
            'e' => Ok('\u{1b}'),
            'f' => Ok('\u{c}'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'v' => Ok('\u{b}'),
            'c' => {
                let letter = self.next().ok_or(RegexpError::Refused)?.to_ascii_uppercase();
                let code = u32::from(letter).checked_sub(u32::from('@')).filter(|code| *code < 32);
                code.and_then(char::from_u32).ok_or(RegexpError::Refused)
            }
            other => Ok(other),
        }
    }

    /// Up to three digits, of which the lowest eight bits count.
    fn octal(&mut self) -> char {
        let mut value = 0;
        for _ in 0..3 {
            let Some(digit) = self.peek(0).and_then(|c| c.to_digit(8)) else { break };
            value = value * 8 + digit;
            self.at += 1;
        }
        char::from(u8::try_from(value & 0xff).unwrap_or(0))
    }

    fn hexadecimal(&mut self, digits: usize) -> Result<char, RegexpError> {
        let end = self.at + digits;
        let text: String = self.text.get(self.at..end).ok_or(RegexpError::Refused)?.iter().collect();
        self.at = end;
        code_point(&text)
    }

    fn braced_hexadecimal(&mut self) -> Result<char, RegexpError> {
        let text: String = self.text[self.at..].iter().take_while(|c| **c != '}').collect();
        self.at += text.chars().count();
        if self.take('}') { code_point(&text) } else { Err(RegexpError::Refused) }
    }
}

fn code_point(digits: &str) -> Result<char, RegexpError> {
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_hexdigit()) {
        return Err(RegexpError::Refused);
    }
    let value = u32::from_str_radix(digits, 16).map_err(|_| RegexpError::Refused)?;
    // A surrogate is no character of any text.
    char::from_u32(value).ok_or(if value > 0x10_ffff { RegexpError::Refused } else { RegexpError::Unsure })
}
