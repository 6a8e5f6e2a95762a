//! Sets of characters.

use super::super::{Unread, chars};
use super::parser::Parser;

/// One item of a set.
pub(super) enum Item {
    Letter(char),
    /// A class, and whether it lies within ASCII.
    Class(chars::Chars),
}

impl Parser {
    /// Behind `[`.
    pub(super) fn set(&mut self) -> Result<chars::Chars, Unread> {
        let spaced = std::mem::replace(&mut self.source.spaced, false);
        let negative = self.source.eat("^");
        let mut ascii = true;
        // The first item is one even if it is `]`.
        let mut set = self.set_member(&mut ascii)?;
        while !self.source.eat("]") {
            set |= self.set_member(&mut ascii)?;
        }
        self.source.spaced = spaced;
        let set = self.fold(set, ascii);
        Ok(if negative { !set } else { set })
    }

    fn set_member(&mut self, ascii: &mut bool) -> Result<chars::Chars, Unread> {
        let from = match self.set_item()? {
            Item::Letter(letter) => letter,
            Item::Class(set) => return Ok(set),
        };
        *ascii &= from.is_ascii();
        let one = |letter: char| chars::one(letter.into());
        if !self.source.eat("-") {
            return Ok(one(from));
        }
        let before = self.source.at;
        if self.source.eat("]") {
            self.source.at = before;
            return Ok(one(from) | one('-'));
        }
        match self.set_item()? {
            Item::Class(set) => Ok(one(from) | one('-') | set),
            Item::Letter(to) if from > to => Err(Unread::Refused),
            Item::Letter(to) => {
                *ascii &= to.is_ascii();
                Ok(chars::range(from, to))
            }
        }
    }

    fn set_item(&mut self) -> Result<Item, Unread> {
        if self.source.eat("\\") {
            return self.set_escape();
        }
        let before = self.source.at;
        if self.source.eat("[:") {
            match self.posix_class()? {
                Some(set) => return Ok(Item::Class(set)),
                None => self.source.at = before,
            }
        }
        self.source.get().map(Item::Letter).ok_or(Unread::Refused)
    }

    /// Behind `[:`; none if it is no class after all.
    fn posix_class(&mut self) -> Result<Option<chars::Chars>, Unread> {
        let negative = self.source.eat("^");
        let (property, value) = self.property_name();
        if !self.source.eat(":]") {
            return Ok(None);
        }
        self.property(property.as_deref(), &value, negative, true).map(Some)
    }
}
