//! Bracket expressions.

use super::super::{Unread, chars};
use super::lexer::Token;
use super::names;
use super::parser::Parser;

impl Parser {
    /// From behind `[` to `]`, which stays the current token.
    pub(super) fn bracket(&mut self) -> Result<chars::Chars, Unread> {
        self.next()?;
        let mut set = 0;
        while self.token != Token::BracketEnd {
            set |= self.bracket_part()?;
        }
        Ok(set)
    }

    fn bracket_part(&mut self) -> Result<chars::Chars, Unread> {
        let from = match self.token {
            Token::Plain(code) => {
                self.next()?;
                code
            }
            Token::Named('.') => self.element()?,
            Token::Named('=') => {
                let code = self.element()?;
                return Ok(self.one(code));
            }
            Token::Named(_) => return self.class(),
            Token::Shorthand(letter, negative) => {
                self.next()?;
                let set = chars::shorthand(letter).ok_or(Unread::Refused)?;
                return Ok(if negative { !set } else { set });
            }
            _ => return Err(Unread::Refused),
        };
        if self.token != Token::Range {
            return Ok(self.one(from));
        }
        self.next()?;
        let to = match self.token {
            Token::Plain(code) => {
                self.next()?;
                code
            }
            Token::Range => {
                self.next()?;
                '-'.into()
            }
            Token::Named('.') => self.element()?,
            _ => return Err(Unread::Refused),
        };
        self.range(from, to)
    }

    fn range(&mut self, from: u32, to: u32) -> Result<chars::Chars, Unread> {
        if from > to {
            return Err(Unread::Refused);
        }
        if self.lexer.either_case {
            self.sure &= to < 128;
        }
        let letter = |code: u32| char::from_u32(code).unwrap_or(char::MAX);
        let set = chars::range(letter(from), letter(to));
        Ok(if self.lexer.either_case { chars::either_case(set) } else { set })
    }

    /// What stands between `[.`, `[=` or `[:` and its end.
    fn name(&mut self) -> Result<String, Unread> {
        self.next()?;
        let mut name = String::new();
        while let Token::Plain(code) = self.token {
            name.push(char::from_u32(code).ok_or(Unread::Refused)?);
            self.next()?;
        }
        self.next()?;
        Ok(name)
    }

    fn element(&mut self) -> Result<u32, Unread> {
        names::character(&self.name()?).ok_or(Unread::Refused)
    }

    fn class(&mut self) -> Result<chars::Chars, Unread> {
        let name = self.name()?;
        let name = if self.lexer.either_case && matches!(name.as_str(), "upper" | "lower") { "alpha" } else { &name };
        chars::class(name).ok_or(Unread::Refused)
    }
}
