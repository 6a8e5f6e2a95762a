//! From tokens to an expression.

use super::super::node::{Edge, Greed, Node};
use super::super::{Parsed, Unread, chars};
use super::lexer::{Flavour, Lexer, Token};

/// The highest number of a bound.
const MOST: u32 = 255;

/// Longer ones PostgreSQL may refuse as too complex, by what it takes to hold them.
const SIMPLE: u64 = 10_000;

/// Deeper nested groups are not read: the real ones end at the depth of a stack.
const DEEPEST: usize = 200;

/// Reads an expression, or tells that PostgreSQL refuses it.
pub(in super::super) fn parse(text: &str) -> Result<Parsed, Unread> {
    let mut parser = Parser {
        lexer: Lexer::new(text)?,
        token: Token::Nothing,
        groups: vec![],
        branches: 0,
        enclosing: vec![],
        sure: true,
        depth: 0,
    };
    parser.next()?;
    let node = parser.choice(Token::End, false)?;
    let sure = parser.sure && node.written_out() <= SIMPLE;
    Ok(Parsed { node, sure })
}

/// A group that has ended.
#[derive(Debug, Clone, Copy)]
struct Group {
    /// The branch that it stands in.
    branch: usize,
    /// Whether it stands there by itself, not again and again.
    once: bool,
}

pub(super) struct Parser {
    pub(super) lexer: Lexer,
    pub(super) token: Token,
    /// Those opened so far, by number less 1; none where it has not ended.
    groups: Vec<Option<Group>>,
    branches: usize,
    /// The branches that are open.
    enclosing: Vec<usize>,
    /// Whether what a match depends on was understood.
    pub(super) sure: bool,
    depth: usize,
}

impl Parser {
    pub(super) fn next(&mut self) -> Result<(), Unread> {
        self.token = self.lexer.next()?;
        Ok(())
    }

    pub(super) fn one(&mut self, code: u32) -> chars::Chars {
        if !self.lexer.either_case {
            return chars::one(code);
        }
        // Which letters beyond ASCII have one of ASCII as their other case depends on the database's locale.
        self.sure &= code < 128;
        chars::either_case(chars::one(code))
    }

    fn choice(&mut self, until: Token, looks: bool) -> Result<Node, Unread> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Unread::Beyond);
        }
        let mut branches = vec![];
        loop {
            self.branches += 1;
            self.enclosing.push(self.branches);
            branches.push(self.branch(until, looks)?);
            self.enclosing.pop();
            if self.token != Token::Bar {
                break;
            }
            self.next()?;
        }
        self.depth -= 1;
        if self.token != until {
            return Err(Unread::Refused);
        }
        Ok(if branches.len() == 1 { branches.remove(0) } else { Node::Choice(branches) })
    }

    fn branch(&mut self, until: Token, looks: bool) -> Result<Node, Unread> {
        let mut nodes = vec![];
        while self.token != Token::Bar && self.token != until && self.token != Token::End {
            nodes.push(self.part(looks)?);
        }
        Ok(Node::Sequence(nodes))
    }

    /// A constraint, or an atom with what says how often.
    fn part(&mut self, looks: bool) -> Result<Node, Unread> {
        let edge = match self.token {
            Token::Caret | Token::Start => Some(Edge::Start),
            Token::Dollar | Token::Finish => Some(Edge::End),
            Token::WordStart => Some(Edge::WordStart),
            Token::WordEnd => Some(Edge::WordEnd),
            Token::Border => Some(Edge::Border),
            Token::NoBorder => Some(Edge::NoBorder),
            _ => None,
        };
        if let Some(edge) = edge {
            self.next()?;
            return Ok(Node::Edge(edge));
        }
        if let Token::Look { behind, negative } = self.token {
            self.next()?;
            let node = Box::new(self.choice(Token::Close, true)?);
            self.next()?;
            return Ok(Node::Look { behind, negative, node });
        }
        let (node, group) = self.atom(looks)?;
        let (least, most) = self.bounds()?;
        if let Some(number) = group {
            let branch = self.enclosing.last().copied().unwrap_or(0);
            self.groups[number - 1] = Some(Group { branch, once: (least, most) == (1, Some(1)) });
        }
        Ok(match (least, most) {
            (1, Some(1)) => node,
            (0, Some(0)) => Node::EMPTY,
            _ => Node::Repeat { node: Box::new(node), least, most, greed: Greed::Greedy },
        })
    }

    /// What one matches, and its number if it remembers.
    fn atom(&mut self, looks: bool) -> Result<(Node, Option<usize>), Unread> {
        let node = match self.token {
            Token::Plain(code) => Node::Chars(self.one(code)),
            // Only the second flavour has it as a letter.
            Token::Close if self.lexer.flavour == Flavour::Extended => Node::Chars(self.one(')'.into())),
            Token::Bracket(positive) => {
                let set = self.bracket()?;
                Node::Chars(if positive { set } else { !set })
            }
            Token::Shorthand(letter, negative) => {
                let set = chars::shorthand(letter).ok_or(Unread::Refused)?;
                Node::Chars(if negative { !set } else { set })
            }
            Token::Dot => Node::Chars(chars::ANY),
            Token::Open(remembers) => return self.group(remembers, looks),
            Token::Back(number) => self.back(number, looks)?,
            _ => return Err(Unread::Refused),
        };
        self.next()?;
        Ok((node, None))
    }

    fn group(&mut self, remembers: bool, looks: bool) -> Result<(Node, Option<usize>), Unread> {
        let number = (remembers && !looks).then(|| {
            self.groups.push(None);
            self.lexer.groups += 1;
            self.groups.len()
        });
        self.next()?;
        let node = self.choice(Token::Close, looks)?;
        self.next()?;
        Ok((if let Some(number) = number { Node::Group(number, Box::new(node)) } else { node }, number))
    }

    /// Which part of a name a group takes is chosen once for each part of the name that what encloses it takes
    /// (`regexec.c`), so that a group deeper than what asks for it may be found not to fit although another choice would.
    fn back(&mut self, number: u32, looks: bool) -> Result<Node, Unread> {
        let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1)).ok_or(Unread::Refused)?;
        let group = self.groups.get(index).copied().flatten().filter(|_| !looks).ok_or(Unread::Refused)?;
        self.sure &= group.once && self.enclosing.contains(&group.branch);
        Ok(Node::Back { group: index + 1, either_case: self.lexer.either_case })
    }

    /// How often; once if nothing is said.
    fn bounds(&mut self) -> Result<(u32, Option<u32>), Unread> {
        let bounds = match self.token {
            Token::Star => (0, None),
            Token::Plus => (1, None),
            Token::Question => (0, Some(1)),
            Token::Bound => {
                self.next()?;
                let least = self.number()?;
                let mut most = Some(least);
                if self.token == Token::Comma {
                    self.next()?;
                    most = if matches!(self.token, Token::Digit(_)) { Some(self.number()?) } else { None };
                }
                if self.token != Token::BoundEnd || most.is_some_and(|most| least > most) {
                    return Err(Unread::Refused);
                }
                (least, most)
            }
            _ => return Ok((1, Some(1))),
        };
        self.next()?;
        Ok(bounds)
    }

    fn number(&mut self) -> Result<u32, Unread> {
        let mut number = 0;
        while let Token::Digit(digit) = self.token {
            number = number * 10 + digit;
            if number > MOST {
                return Err(Unread::Refused);
            }
            self.next()?;
        }
        Ok(number)
    }
}
