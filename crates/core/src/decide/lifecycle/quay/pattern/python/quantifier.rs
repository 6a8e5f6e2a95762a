//! How often: `*`, `{2,5}`.

use super::super::Unread;
use super::parser::Parser;

/// What `{` began that is no count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fuzzy {
    /// Nothing: it is a letter.
    Not,
    /// A constraint that allows no error.
    Exact,
    /// A constraint that allows some.
    Allows,
}

/// The lowest count that is too big for the module.
const UNLIMITED: u64 = 0xffff_ffff;

impl Parser {
    /// The counts, if it is a quantifier.
    pub(super) fn quantifier(&mut self, letter: char) -> Result<Option<(u32, Option<u32>)>, Unread> {
        match letter {
            '?' => return Ok(Some((0, Some(1)))),
            '*' => return Ok(Some((0, None))),
            '+' => return Ok(Some((1, None))),
            _ => {}
        }
        let before = self.source.at;
        let least = self.source.get_while(|letter| letter.is_ascii_digit());
        let (least, most) = if self.source.eat(",") {
            let most = self.source.get_while(|letter| letter.is_ascii_digit());
            (least, Some(most).filter(|most| !most.is_empty()))
        } else if least.is_empty() {
            self.source.at = before;
            return Ok(None);
        } else {
            (least.clone(), Some(least))
        };
        if !self.source.eat("}") {
            self.source.at = before;
            return Ok(None);
        }
        let count = |digits: &str| match digits.parse::<u64>() {
            _ if digits.is_empty() => Ok(0),
            Ok(count) if count < UNLIMITED => u32::try_from(count).map_err(|_| Unread::Refused),
            _ => Err(Unread::Refused),
        };
        let (least, most) = (count(&least)?, most.as_deref().map(count).transpose()?);
        if most.is_some_and(|most| least > most) { Err(Unread::Refused) } else { Ok(Some((least, most))) }
    }
}
