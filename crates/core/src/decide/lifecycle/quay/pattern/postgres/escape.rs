//! What follows a backslash in an advanced expression.

use super::super::Unread;
use super::lexer::{Lexer, Read, Token};

impl Lexer {
    /// After `\`.
    pub(super) fn escape(&mut self) -> Read {
        let letter = self.get().ok_or(Unread::Refused)?;
        if !letter.is_ascii_alphanumeric() {
            return Ok(Token::Plain(letter.into()));
        }
        Ok(match letter {
            'a' => Token::Plain(7),
            'b' => Token::Plain(8),
            'e' => Token::Plain(27),
            'f' => Token::Plain(12),
            'n' => Token::Plain(10),
            'r' => Token::Plain(13),
            't' => Token::Plain(9),
            'v' => Token::Plain(11),
            'B' => Token::Plain('\\'.into()),
            'c' => Token::Plain(u32::from(self.get().ok_or(Unread::Refused)?) & 0o37),
            'd' | 's' | 'w' => Token::Shorthand(letter, false),
            'D' | 'S' | 'W' => Token::Shorthand(letter.to_ascii_lowercase(), true),
            'A' => Token::Start,
            'Z' => Token::Finish,
            'm' => Token::WordStart,
            'M' => Token::WordEnd,
            'y' => Token::Border,
            'Y' => Token::NoBorder,
            'u' => Token::Plain(self.code(16, 4, 4)?),
            'U' => Token::Plain(self.code(16, 8, 8)?),
            'x' => Token::Plain(self.code(16, 1, 255)?),
            '1'..='9' => return self.back(),
            '0' => return self.octal(),
            _ => return Err(Unread::Refused),
        })
    }

    /// A number; its digits wrap around as the real ones do.
    fn digits(&mut self, base: u32, least: usize, most: usize) -> Result<u32, Unread> {
        let mut code = 0u32;
        let mut count = 0;
        while count < most
            && let Some(digit) = self.peek(0).and_then(|letter| letter.to_digit(base))
        {
            code = code.wrapping_mul(base).wrapping_add(digit);
            self.at += 1;
            count += 1;
        }
        if count < least { Err(Unread::Refused) } else { Ok(code) }
    }

    fn code(&mut self, base: u32, least: usize, most: usize) -> Result<u32, Unread> {
        // The highest code that PostgreSQL's expressions know.
        self.digits(base, least, most).and_then(|code| if code > 0x7fff_fffe { Err(Unread::Refused) } else { Ok(code) })
    }

    fn back(&mut self) -> Read {
        let second = self.at;
        self.at -= 1;
        let number = self.digits(10, 1, 255)?;
        if self.at == second || (number > 0 && number <= self.groups) {
            return Ok(Token::Back(number));
        }
        self.at = second;
        self.octal()
    }

    fn octal(&mut self) -> Read {
        self.at -= 1;
        let code = self.digits(8, 1, 3)?;
        if code > 0xff {
            self.at -= 1;
            return Ok(Token::Plain(code >> 3));
        }
        Ok(Token::Plain(code))
    }
}
