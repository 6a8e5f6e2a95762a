//! What stands in parentheses.

use super::super::Unread;
use super::super::node::Node;
use super::parser::{Flags, Parser, Reference};

impl Parser {
    /// Behind `(`; none if it was a comment or flags for what follows.
    pub(super) fn parenthesis(&mut self) -> Result<Option<Node>, Unread> {
        let before = self.source.at;
        match self.source.get_any() {
            Some('?') => return self.extension(),
            Some('*') => {
                let verb = self.source.get_while(|letter| letter != ')' && letter != '>');
                if verb.chars().next().is_some_and(char::is_alphabetic) {
                    self.expect_verb(&verb)?;
                    return Ok(Some(Node::Never));
                }
            }
            _ => {}
        }
        self.source.at = before;
        self.group(None).map(Some)
    }

    fn expect_verb(&mut self, verb: &str) -> Result<(), Unread> {
        match verb {
            "FAIL" | "F" => {}
            "PRUNE" | "SKIP" => self.beyond = true,
            _ => return Err(Unread::Refused),
        }
        self.expect(")")
    }

    /// Up to its end, which gives back the flags as they were.
    fn group(&mut self, name: Option<String>) -> Result<Node, Unread> {
        let number = match name.as_ref().and_then(|name| self.names.get(name).copied()) {
            Some(number) => {
                // One name for several groups, or for one within itself.
                self.beyond = true;
                number
            }
            None => {
                self.groups += 1;
                self.groups
            }
        };
        if let Some(name) = name {
            self.names.insert(name, number);
        }
        self.open.push(number);
        let node = self.inside()?;
        self.open.pop();
        Ok(Node::Group(number, Box::new(node)))
    }

    /// An expression up to `)`.
    fn inside(&mut self) -> Result<Node, Unread> {
        let flags = self.flags;
        let node = self.choice()?;
        self.expect(")")?;
        self.set_flags(flags);
        Ok(node)
    }

    fn set_flags(&mut self, flags: Flags) {
        self.flags = flags;
        self.source.spaced = flags.spaced;
    }

    /// Behind `(?`.
    fn extension(&mut self) -> Result<Option<Node>, Unread> {
        let before = self.source.at;
        let letter = self.source.get_any();
        Ok(Some(match letter {
            Some('<') => {
                let inner = self.source.at;
                match self.source.get() {
                    Some('=') => self.look(true, false)?,
                    Some('!') => self.look(true, true)?,
                    _ => {
                        self.source.at = inner;
                        self.named_group()?
                    }
                }
            }
            Some('=') => self.look(false, false)?,
            Some('!') => self.look(false, true)?,
            Some('P') => self.python_extension()?,
            Some('#') => return self.comment().map(|()| None),
            Some('(') => self.conditional()?,
            Some('>') => {
                let node = self.inside()?;
                // What fits first is another where a search goes backwards.
                Node::Atomic(Box::new(node))
            }
            Some('|') => {
                self.beyond = true;
                self.inside()?
            }
            Some(letter @ ('R' | '0'..='9')) => self.call(letter)?,
            Some('&') => self.named_call()?,
            Some(sign @ ('+' | '-')) if self.source.peek().is_some_and(|digit| digit.is_ascii_digit()) => {
                self.relative_call(sign)?
            }
            _ => {
                self.source.at = before;
                return self.flagged();
            }
        }))
    }

    fn look(&mut self, behind: bool, negative: bool) -> Result<Node, Unread> {
        let groups = self.groups;
        let node = self.inside()?;
        let remembers = self.groups > groups || node.remembers();
        let first_only = node.any(&|node| {
            matches!(node, Node::Atomic(_))
                || matches!(node, Node::Repeat { greed: super::super::node::Greed::Possessive, .. })
        });
        // Back from a place the module goes backwards, and what it finds first is another.
        self.first_only |= behind && first_only;
        self.backwards |= behind && (first_only || remembers);
        Ok(Node::Look { behind, negative, node: Box::new(node) })
    }

    fn named_group(&mut self) -> Result<Node, Unread> {
        match self.reference_name(false)? {
            Reference::Name(name) => {
                self.expect(">")?;
                self.group(Some(name))
            }
            Reference::Number(_) => Err(Unread::Refused),
        }
    }

    fn python_extension(&mut self) -> Result<Node, Unread> {
        match self.source.get() {
            Some('<') => self.named_group(),
            Some('=') => {
                let reference = self.reference_name(true)?;
                self.expect(")")?;
                self.back(reference)
            }
            Some('>' | '&') => self.named_call(),
            _ => Err(Unread::Refused),
        }
    }

    fn comment(&mut self) -> Result<(), Unread> {
        loop {
            match self.source.get_any() {
                None => return Err(Unread::Refused),
                Some(')') => return Ok(()),
                Some('\\') => drop(self.source.get_any()),
                Some(_) => {}
            }
        }
    }

    /// Behind `(?(`.
    fn conditional(&mut self) -> Result<Node, Unread> {
        let flags = self.flags;
        let before = self.source.at;
        if self.source.get() == Some('?') {
            return self.look_conditional();
        }
        self.source.at = before;
        let reference = self.reference_name(true)?;
        self.expect(")")?;
        let yes = self.sequence()?;
        let no = if self.source.eat("|") { self.sequence()? } else { Node::EMPTY };
        self.expect(")")?;
        self.set_flags(flags);
        if matches!(&reference, Reference::Name(name) if name == "DEFINE") {
            // Never taken by itself, unless a group has that name.
            self.beyond = true;
            return Ok(Node::EMPTY);
        }
        let group = self.refer(reference);
        Ok(Node::IfGroup(group, Box::new(yes), Box::new(no)))
    }

    /// `(?(?=a)b|c)`: the one if it fits from here, else the other.
    fn look_conditional(&mut self) -> Result<Node, Unread> {
        let (behind, mark) = match self.source.get() {
            Some('<') => (true, self.source.get()),
            other => (false, other),
        };
        let negative = match mark {
            Some('=') => false,
            Some('!') => true,
            _ => return Err(Unread::Refused),
        };
        let groups = self.groups;
        let look = self.look(behind, negative)?;
        self.backwards |= self.groups > groups;
        let yes = self.sequence()?;
        let no = if self.source.eat("|") { self.sequence()? } else { Node::EMPTY };
        self.expect(")")?;
        let Node::Look { behind, negative, node } = look else { return Err(Unread::Refused) };
        let other = Node::Look { behind, negative: !negative, node: node.clone() };
        let this = Node::Look { behind, negative, node };
        Ok(Node::Choice(vec![Node::Sequence(vec![this, yes]), Node::Sequence(vec![other, no])]))
    }

    /// A call of a group by number, or of the whole expression.
    fn call(&mut self, letter: char) -> Result<Node, Unread> {
        let digits = if letter == 'R' { "0".to_owned() } else { self.digits_after(letter) };
        self.expect(")")?;
        Ok(self.called(Reference::Number(digits.parse().map_err(|_| Unread::Refused)?)))
    }

    fn relative_call(&mut self, sign: char) -> Result<Node, Unread> {
        let digits = self.source.get_while(|letter| letter.is_ascii_digit());
        let offset: usize = digits.parse().map_err(|_| Unread::Refused)?;
        let number = if sign == '+' { self.groups.checked_add(offset) } else { (self.groups + 1).checked_sub(offset) };
        let number = number.filter(|number| *number > 0).ok_or(Unread::Refused)?;
        self.expect(")")?;
        Ok(self.called(Reference::Number(number)))
    }

    fn named_call(&mut self) -> Result<Node, Unread> {
        let reference = self.reference_name(false)?;
        self.expect(")")?;
        Ok(self.called(reference))
    }

    fn called(&mut self, reference: Reference) -> Node {
        self.calls.push(reference);
        self.beyond = true;
        Node::Never
    }

    fn digits_after(&mut self, first: char) -> String {
        let rest = self.source.get_while(|letter| letter.is_ascii_digit());
        format!("{first}{rest}")
    }

    /// A name, or if told a number.
    pub(super) fn reference_name(&mut self, numeric: bool) -> Result<Reference, Unread> {
        let name = self.source.get_while(|letter| letter != ')' && letter != '>');
        if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
            let number = name.parse().map_err(|_| Unread::Refused)?;
            return if numeric && number > 0 { Ok(Reference::Number(number)) } else { Err(Unread::Refused) };
        }
        let mut letters = name.chars();
        let first = letters.next().is_some_and(|letter| letter == '_' || letter.is_alphabetic());
        if first && letters.all(|letter| letter == '_' || letter.is_alphanumeric()) {
            Ok(Reference::Name(name))
        } else {
            Err(Unread::Refused)
        }
    }

    /// Flags, for what follows or for what stands behind a colon.
    fn flagged(&mut self) -> Result<Option<Node>, Unread> {
        let on = self.flag_letters()?;
        let off = if self.source.eat("-") { Some(self.flag_letters()?) } else { None };
        if off.as_ref().is_some_and(|off| off.is_empty() || off.contains(['b', 'e', 'p', 'r', 'V'])) {
            return Err(Unread::Refused);
        }
        let off = off.unwrap_or_default();
        if on.chars().any(|letter| off.contains(letter)) {
            return Err(Unread::Refused);
        }
        let before = self.flags;
        let flags = self.switched(&on, &off);
        if self.source.eat(":") {
            self.set_flags(flags);
            let node = self.inside()?;
            self.set_flags(before);
            return Ok(Some(node));
        }
        self.expect(")")?;
        self.set_flags(flags);
        Ok(None)
    }

    /// The letters of flags, the version's without its number.
    fn flag_letters(&mut self) -> Result<String, Unread> {
        let mut letters = String::new();
        loop {
            let before = self.source.at;
            match self.source.get() {
                Some(letter @ ('a' | 'b' | 'e' | 'f' | 'i' | 'm' | 'p' | 's' | 'u' | 'w' | 'x')) => {
                    letters.push(letter)
                }
                Some('r') => {
                    // Backwards.
                    self.beyond = true;
                    letters.push('r');
                }
                Some('L') => self.beyond = true,
                Some('V') => match self.source.get() {
                    Some('0') => letters.push('V'),
                    Some('1') => {
                        self.beyond = true;
                        letters.push('V');
                    }
                    _ => {
                        self.source.at = before;
                        return Ok(letters);
                    }
                },
                _ => {
                    self.source.at = before;
                    return Ok(letters);
                }
            }
        }
    }

    fn switched(&self, on: &str, off: &str) -> Flags {
        let switch = |before: bool, letter: char| (before || on.contains(letter)) && !off.contains(letter);
        let before = self.flags;
        Flags {
            either_case: switch(before.either_case, 'i'),
            full_case: switch(before.full_case, 'f'),
            spaced: switch(before.spaced, 'x'),
            words: switch(before.words, 'w'),
            ascii: switch(before.ascii, 'a'),
            unicode: switch(before.unicode, 'u'),
        }
    }
}
