//! Sequences, and what holds an expression together.

use std::collections::BTreeMap;

use super::super::node::{Edge, Greed, Node};
use super::super::{Parsed, Unread, chars};
use super::quantifier::Fuzzy;
use super::source::Source;

/// Deeper nested groups are not read: Python's own parser ends at the depth of its stack.
const DEEPEST: usize = 100;

/// What inline flags switch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) either_case: bool,
    /// `f`: some characters count as two.
    pub(super) full_case: bool,
    pub(super) spaced: bool,
    /// `w`: other borders of words.
    pub(super) words: bool,
    pub(super) ascii: bool,
    pub(super) unicode: bool,
}

/// A reference to a group, judged when all groups are known.
#[derive(Debug)]
pub(super) enum Reference {
    Number(usize),
    Name(String),
}

pub(super) struct Parser {
    pub(super) source: Source,
    pub(super) flags: Flags,
    pub(super) groups: usize,
    pub(super) names: BTreeMap<String, usize>,
    pub(super) open: Vec<usize>,
    /// What stands in the expression for groups that may come later, by the place's number.
    pub(super) references: Vec<Reference>,
    /// Calls of groups, the whole expression being nought.
    pub(super) calls: Vec<Reference>,
    /// Whether something in it is beyond what is followed here.
    pub(super) beyond: bool,
    /// Whether a group stands where the module goes backwards, so that it may take another part.
    pub(super) backwards: bool,
    /// Whether something stands there of which only the first way counts.
    pub(super) first_only: bool,
    depth: usize,
}

/// Reads an expression, or tells that Python refuses it.
pub(in super::super) fn parse(text: &str) -> Result<Parsed, Unread> {
    let mut parser = Parser {
        source: Source::new(text),
        flags: Flags::default(),
        groups: 0,
        names: BTreeMap::new(),
        open: vec![],
        references: vec![],
        calls: vec![],
        beyond: false,
        backwards: false,
        first_only: false,
        depth: 0,
    };
    let node = parser.choice()?;
    if !parser.source.is_at_end() || (parser.flags.ascii && parser.flags.unicode) {
        return Err(Unread::Refused);
    }
    let groups = parser.resolve()?;
    if parser.beyond {
        return Err(Unread::Beyond);
    }
    // What groups take matters only where it is asked for.
    let groups_alone = groups.is_empty() && !parser.first_only;
    let node = Node::Sequence(vec![resolved(node, &groups), Node::Edge(Edge::End)]);
    Ok(Parsed { node, sure: !parser.backwards || groups_alone })
}

/// The expression with the numbers of groups in place of those of references.
fn resolved(node: Node, groups: &[usize]) -> Node {
    let all = |nodes: Vec<Node>| nodes.into_iter().map(|node| resolved(node, groups)).collect();
    let boxed = |node: Box<Node>| Box::new(resolved(*node, groups));
    match node {
        Node::Back { group, either_case } => Node::Back { group: groups[group], either_case },
        Node::IfGroup(group, yes, no) => Node::IfGroup(groups[group], boxed(yes), boxed(no)),
        Node::Sequence(nodes) => Node::Sequence(all(nodes)),
        Node::Choice(nodes) => Node::Choice(all(nodes)),
        Node::Repeat { node, least, most, greed } => Node::Repeat { node: boxed(node), least, most, greed },
        Node::Group(number, node) => Node::Group(number, boxed(node)),
        Node::Look { behind, negative, node } => Node::Look { behind, negative, node: boxed(node) },
        Node::Atomic(node) => Node::Atomic(boxed(node)),
        Node::Chars(_) | Node::Edge(_) | Node::Never => node,
    }
}

impl Parser {
    /// The numbers of what is referred to. There must be such groups, also for calls.
    fn resolve(&self) -> Result<Vec<usize>, Unread> {
        let resolve = |reference: &Reference, least: usize| {
            let number = match reference {
                Reference::Number(number) => Some(*number),
                Reference::Name(name) => self.names.get(name).copied(),
            };
            number.filter(|number| (least..=self.groups).contains(number)).ok_or(Unread::Refused)
        };
        self.calls.iter().try_for_each(|call| resolve(call, 0).map(drop))?;
        self.references.iter().map(|reference| resolve(reference, 1)).collect()
    }

    /// Branches up to `)` or the end.
    pub(super) fn choice(&mut self) -> Result<Node, Unread> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Unread::Beyond);
        }
        let mut branches = vec![self.sequence()?];
        while self.source.eat("|") {
            branches.push(self.sequence()?);
        }
        self.depth -= 1;
        Ok(if branches.len() == 1 { branches.remove(0) } else { Node::Choice(branches) })
    }

    /// One branch. A quantifier stands behind what it is of; none may stand behind another.
    pub(super) fn sequence(&mut self) -> Result<Node, Unread> {
        let mut nodes: Vec<Option<Node>> = vec![None];
        loop {
            let before = self.source.at;
            let node = match self.source.get() {
                None | Some(')' | '|') => {
                    self.source.at = before;
                    break;
                }
                Some('\\') => self.escape()?,
                Some('(') => match self.parenthesis()? {
                    Some(node) => node,
                    None => continue,
                },
                Some('.') => Node::Chars(chars::ANY),
                Some('[') => Node::Chars(self.set()?),
                Some('^') => Node::Edge(Edge::Start),
                Some('$') => Node::Edge(Edge::End),
                Some(letter @ ('?' | '*' | '+' | '{')) => match self.quantifier(letter)? {
                    Some(counts) => {
                        let node = nodes.pop().flatten().ok_or(Unread::Refused)?;
                        nodes.push(Some(self.repeated(node, counts)));
                        nodes.push(None);
                        continue;
                    }
                    None => match self.fuzzy()? {
                        Fuzzy::Not => Node::Chars(self.one(letter)),
                        // No error is allowed, so that it says nothing.
                        Fuzzy::Exact => continue,
                        Fuzzy::Allows => {
                            nodes.pop().flatten().ok_or(Unread::Refused)?;
                            self.beyond = true;
                            nodes.push(Some(Node::Never));
                            nodes.push(None);
                            continue;
                        }
                    },
                },
                Some(letter) => Node::Chars(self.one(letter)),
            };
            nodes.push(Some(node));
        }
        Ok(Node::Sequence(nodes.into_iter().flatten().collect()))
    }

    fn repeated(&mut self, node: Node, (least, most): (u32, Option<u32>)) -> Node {
        let before = self.source.at;
        let greed = match self.source.get() {
            Some('?') => Greed::Lazy,
            Some('+') => Greed::Possessive,
            _ => {
                self.source.at = before;
                Greed::Greedy
            }
        };
        if is_empty(&node) || (least, most) == (1, Some(1)) {
            return node;
        }
        Node::Repeat { node: Box::new(node), least, most, greed }
    }

    /// A letter, in either case if told.
    pub(super) fn one(&mut self, letter: char) -> chars::Chars {
        self.fold(chars::one(letter.into()), letter.is_ascii())
    }

    /// A set, in either case if told; `ascii` is whether it names nothing beyond ASCII.
    pub(super) fn fold(&mut self, set: chars::Chars, ascii: bool) -> chars::Chars {
        if !self.flags.either_case {
            return set;
        }
        // Some letters beyond ASCII have one of ASCII as their other case, or two.
        self.beyond |= !ascii;
        chars::either_case(set)
    }

    pub(super) fn expect(&mut self, text: &str) -> Result<(), Unread> {
        if self.source.eat(text) { Ok(()) } else { Err(Unread::Refused) }
    }

    pub(super) fn refer(&mut self, reference: Reference) -> usize {
        self.references.push(reference);
        self.references.len() - 1
    }
}

/// Whether it is nothing at all, which a quantifier does not change.
fn is_empty(node: &Node) -> bool {
    match node {
        Node::Sequence(nodes) | Node::Choice(nodes) => nodes.iter().all(is_empty),
        Node::Repeat { node, .. } | Node::Atomic(node) => is_empty(node),
        Node::Look { negative, node, .. } => !negative && is_empty(node),
        Node::IfGroup(_, yes, no) => is_empty(yes) && is_empty(no),
        Node::Chars(_) | Node::Group(..) | Node::Back { .. } | Node::Edge(_) | Node::Never => false,
    }
}
