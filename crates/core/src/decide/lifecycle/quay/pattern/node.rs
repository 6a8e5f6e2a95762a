//! An expression as both dialects are read to.

use super::chars::Chars;

/// A part of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// One character of the set.
    Chars(Chars),
    /// One after the other; nothing at all if there are none.
    Sequence(Vec<Node>),
    /// The first that fits.
    Choice(Vec<Node>),
    /// Again and again.
    Repeat {
        /// What.
        node: Box<Node>,
        /// At least so often.
        least: u32,
        /// At most so often.
        most: Option<u32>,
        /// Which number is tried first.
        greed: Greed,
    },
    /// Remembered under a number, from 1.
    Group(usize, Box<Node>),
    /// What the group matched, again, in either case of letters if told.
    Back {
        /// Its number.
        group: usize,
        /// Whether the case of letters does not matter.
        either_case: bool,
    },
    /// One of two, by whether a group matched.
    IfGroup(usize, Box<Node>, Box<Node>),
    /// Looks and takes nothing.
    Look {
        /// Back from here.
        behind: bool,
        /// That it does not fit.
        negative: bool,
        /// What.
        node: Box<Node>,
    },
    /// What fits first, and no second try.
    Atomic(Box<Node>),
    /// A place between characters.
    Edge(Edge),
    /// Fits nowhere.
    Never,
}

/// How a repetition prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Greed {
    /// Many.
    Greedy,
    /// Few.
    Lazy,
    /// Many, and no second try.
    Possessive,
}

/// A place between characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// Before everything.
    Start,
    /// After everything.
    End,
    /// Between a word's character and none.
    Border,
    /// Not there.
    NoBorder,
    /// Where a word begins.
    WordStart,
    /// Where a word ends.
    WordEnd,
}

impl Node {
    /// Nothing.
    pub(super) const EMPTY: Self = Self::Sequence(Vec::new());

    /// Whether it remembers, or asks what was remembered.
    pub(super) fn remembers(&self) -> bool {
        self.any(&|node| matches!(node, Self::Back { .. } | Self::IfGroup(..)))
    }

    /// How many characters it is long with all repetitions written out, each as often as it is bounded.
    pub(super) fn written_out(&self) -> u64 {
        match self {
            Self::Sequence(nodes) | Self::Choice(nodes) => {
                nodes.iter().fold(0, |sum, node| sum.saturating_add(node.written_out()))
            }
            Self::Repeat { node, least, most, .. } => {
                node.written_out().saturating_mul(most.unwrap_or(*least).max(1).into())
            }
            Self::Group(_, node) | Self::Look { node, .. } | Self::Atomic(node) => node.written_out(),
            Self::IfGroup(_, yes, no) => yes.written_out().saturating_add(no.written_out()),
            Self::Chars(_) | Self::Back { .. } | Self::Edge(_) | Self::Never => 1,
        }
    }

    /// Whether something in it is so.
    pub(super) fn any(&self, so: &dyn Fn(&Self) -> bool) -> bool {
        so(self)
            || match self {
                Self::Sequence(nodes) | Self::Choice(nodes) => nodes.iter().any(|node| node.any(so)),
                Self::Repeat { node, .. } | Self::Group(_, node) | Self::Look { node, .. } | Self::Atomic(node) => {
                    node.any(so)
                }
                Self::IfGroup(_, yes, no) => yes.any(so) || no.any(so),
                Self::Chars(_) | Self::Back { .. } | Self::Edge(_) | Self::Never => false,
            }
    }
}
