//! What follows a backslash.

use super::super::node::{Edge, Node};
use super::super::{Unread, chars};
use super::parser::{Parser, Reference};
use super::set::Item;

impl Parser {
    /// Outside of a set.
    pub(super) fn escape(&mut self) -> Result<Node, Unread> {
        let before = self.source.at;
        let letter = self.source.get_any().ok_or(Unread::Refused)?;
        let edge = match letter {
            'A' => Some(Edge::Start),
            'Z' | 'z' => Some(Edge::End),
            'b' => Some(Edge::Border),
            'B' => Some(Edge::NoBorder),
            'm' => Some(Edge::WordStart),
            'M' => Some(Edge::WordEnd),
            // Where the search began, which is the beginning.
            'G' => Some(Edge::Start),
            _ => None,
        };
        if let Some(edge) = edge {
            self.beyond |= self.flags.words && "bBmM".contains(letter);
            return Ok(Node::Edge(edge));
        }
        match letter {
            // From where the match is told, which does not change whether there is one.
            'K' => Ok(Node::EMPTY),
            // An end of a line, of which no name has one.
            'R' => Ok(Node::Never),
            // What is seen as one character; in ASCII every one is.
            'X' => Ok(Node::Chars(chars::ANY)),
            'g' => self.named_reference(),
            'L' => Err(Unread::Refused),
            '1'..='9' => self.numbered(letter),
            _ => {
                self.source.at = before;
                let item = self.set_escape()?;
                Ok(Node::Chars(match item {
                    Item::Letter(letter) => self.one(letter),
                    Item::Class(set) => self.fold(set, true),
                }))
            }
        }
    }

    /// In a set, and outside of one where that makes no difference.
    pub(super) fn set_escape(&mut self) -> Result<Item, Unread> {
        let letter = self.source.get_any().ok_or(Unread::Refused)?;
        Ok(match letter {
            'x' => self.hex(2)?,
            'u' => self.hex(4)?,
            'U' => self.hex(8)?,
            'a' => Item::Letter('\u{7}'),
            'b' => Item::Letter('\u{8}'),
            'f' => Item::Letter('\u{c}'),
            'n' => Item::Letter('\n'),
            'r' => Item::Letter('\r'),
            't' => Item::Letter('\t'),
            'v' => Item::Letter('\u{b}'),
            'd' | 's' | 'w' => Item::Class(chars::shorthand(letter).ok_or(Unread::Refused)?),
            'D' | 'S' | 'W' => Item::Class(!chars::shorthand(letter.to_ascii_lowercase()).ok_or(Unread::Refused)?),
            'h' => Item::Class(chars::class("blank").ok_or(Unread::Refused)?),
            'p' | 'P' => match self.property_escape(letter == 'p')? {
                Some(set) => Item::Class(set),
                None => Item::Letter(letter),
            },
            'N' => self.named_character(),
            '0'..='9' => self.octal(letter)?,
            _ if letter.is_ascii_alphabetic() => return Err(Unread::Refused),
            _ => Item::Letter(letter),
        })
    }

    /// Behind `N`, which is a letter unless a name follows. The names themselves are not known here.
    fn named_character(&mut self) -> Item {
        let before = self.source.at;
        if self.source.eat("{") {
            let spaced = std::mem::replace(&mut self.source.spaced, false);
            self.source.get_while(|letter| letter.is_ascii_alphanumeric() || letter == ' ' || letter == '-');
            self.source.spaced = spaced;
            if self.source.eat("}") {
                self.beyond = true;
                return Item::Letter('N');
            }
        }
        self.source.at = before;
        Item::Letter('N')
    }

    fn hex(&mut self, length: usize) -> Result<Item, Unread> {
        let mut code = 0u32;
        for _ in 0..length {
            let digit = self.source.get().and_then(|letter| letter.to_digit(16)).ok_or(Unread::Refused)?;
            code = code.checked_mul(16).and_then(|code| code.checked_add(digit)).ok_or(Unread::Refused)?;
        }
        if code >= 0x11_0000 {
            return Err(Unread::Refused);
        }
        // Half of a pair is a character to Python.
        Ok(Item::Letter(char::from_u32(code).unwrap_or(char::MAX)))
    }

    /// Up to three digits of base eight, the first of which was read.
    fn octal(&mut self, first: char) -> Result<Item, Unread> {
        let mut code = first.to_digit(8).ok_or(Unread::Refused)?;
        for _ in 0..2 {
            let before = self.source.at;
            let Some(digit) = self.source.get().and_then(|letter| letter.to_digit(8)) else {
                self.source.at = before;
                break;
            };
            code = code * 8 + digit;
        }
        char::from_u32(code).map(Item::Letter).ok_or(Unread::Refused)
    }

    /// A group by number, or a character by three digits of base eight.
    fn numbered(&mut self, first: char) -> Result<Node, Unread> {
        let mut digits = first.to_string();
        let mut after = self.source.at;
        if let Some(second) = self.source.get().filter(char::is_ascii_digit) {
            digits.push(second);
            after = self.source.at;
            let third = self.source.get().filter(|letter| letter.is_digit(8));
            if let Some(third) = third.filter(|_| digits.chars().all(|digit| digit.is_digit(8))) {
                digits.push(third);
                let code = u32::from_str_radix(&digits, 8).map_err(|_| Unread::Refused)? & 0x1ff;
                let letter = char::from_u32(code).ok_or(Unread::Refused)?;
                return Ok(Node::Chars(self.one(letter)));
            }
        }
        self.source.at = after;
        let number = digits.parse().map_err(|_| Unread::Refused)?;
        self.back(Reference::Number(number))
    }

    /// `\g<name>`; where that is not what follows, the letter.
    fn named_reference(&mut self) -> Result<Node, Unread> {
        let before = self.source.at;
        if self.source.eat("<")
            && let Ok(reference) = self.reference_name(true)
            && self.source.eat(">")
            && let Ok(node) = self.back(reference)
        {
            return Ok(node);
        }
        self.source.at = before;
        Ok(Node::Chars(self.one('g')))
    }

    /// What a group took, again. One that is still open cannot be asked.
    pub(super) fn back(&mut self, reference: Reference) -> Result<Node, Unread> {
        let number = match &reference {
            Reference::Number(number) => Some(*number),
            Reference::Name(name) => self.names.get(name).copied(),
        };
        if number.is_some_and(|number| self.open.contains(&number)) {
            return Err(Unread::Refused);
        }
        let group = self.refer(reference);
        self.beyond |= self.flags.either_case && self.flags.full_case;
        Ok(Node::Back { group, either_case: self.flags.either_case })
    }
}
