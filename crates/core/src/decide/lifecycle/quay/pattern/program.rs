//! An expression as steps that a search follows.

use super::chars::Chars;
use super::node::{Edge, Greed, Node};

/// The longest name of a tag (OCI distribution specification), which bounds every repetition.
pub(super) const LONGEST: usize = 128;

/// Above so many steps an expression is not followed.
const MOST_STEPS: usize = 60_000;

/// What to do at one place of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Takes one character of the set.
    Take(Chars),
    /// Goes on at the first, and if that leads nowhere at the second.
    Fork(usize, usize),
    /// Goes on there.
    Jump(usize),
    /// Remembers where it is.
    Save(usize),
    /// Takes again what the group took.
    Back(usize, bool),
    /// Goes on there unless the group took something.
    Unless(usize, usize),
    /// Only at such a place.
    At(Edge),
    /// Looks with the steps that follow, up to their `Done`; then goes on there.
    Look {
        /// Back from here.
        behind: bool,
        /// That it does not fit.
        negative: bool,
        /// Where to go on.
        next: usize,
    },
    /// Takes what the steps that follow take first, up to their `Done`; then goes on there.
    Atomic(usize),
    /// Notes where a turn of a loop begins.
    Begin(usize),
    /// Leaves the loop for there if its turn took nothing.
    Leave(usize, usize),
    /// Fits.
    Done,
    /// Does not.
    Never,
}

/// An expression to be followed.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    /// How many places it remembers, two for each group.
    pub(super) saves: usize,
    /// How many loops it has.
    pub(super) loops: usize,
    /// Whether the way by which a place was reached matters for what follows.
    pub(super) remembers: bool,
}

impl Program {
    /// The steps; none if there are too many.
    pub(super) fn of(node: &Node) -> Option<Self> {
        let remembers = node.remembers();
        let mut program = Self { steps: Vec::new(), saves: 2, loops: 0, remembers };
        program.add(node)?;
        program.push(Step::Done)?;
        Some(program)
    }

    fn push(&mut self, step: Step) -> Option<usize> {
        (self.steps.len() < MOST_STEPS).then(|| self.steps.push(step))?;
        Some(self.steps.len() - 1)
    }

    fn add(&mut self, node: &Node) -> Option<()> {
        match node {
            Node::Chars(set) => self.push(Step::Take(*set)).map(drop),
            Node::Sequence(nodes) => nodes.iter().try_for_each(|node| self.add(node)),
            Node::Choice(nodes) => self.choice(nodes),
            Node::Repeat { node, least, most, greed: Greed::Possessive } => {
                let at = self.push(Step::Never)?;
                self.repeat(node, *least, *most, false)?;
                self.push(Step::Done)?;
                self.steps[at] = Step::Atomic(self.steps.len());
                Some(())
            }
            Node::Repeat { node, least, most, greed } => self.repeat(node, *least, *most, *greed == Greed::Lazy),
            Node::Group(number, node) => {
                self.saves = self.saves.max(2 * number + 2);
                self.push(Step::Save(2 * number))?;
                self.add(node)?;
                self.push(Step::Save(2 * number + 1)).map(drop)
            }
            Node::Back { group, either_case } => {
                self.saves = self.saves.max(2 * group + 2);
                self.push(Step::Back(*group, *either_case)).map(drop)
            }
            Node::IfGroup(group, yes, no) => {
                self.saves = self.saves.max(2 * group + 2);
                let unless = self.push(Step::Never)?;
                self.add(yes)?;
                let jump = self.push(Step::Never)?;
                self.steps[unless] = Step::Unless(*group, self.steps.len());
                self.add(no)?;
                self.steps[jump] = Step::Jump(self.steps.len());
                Some(())
            }
            Node::Look { behind, negative, node } => {
                let at = self.push(Step::Never)?;
                self.add(node)?;
                self.push(Step::Done)?;
                self.steps[at] = Step::Look { behind: *behind, negative: *negative, next: self.steps.len() };
                Some(())
            }
            Node::Atomic(node) => {
                let at = self.push(Step::Never)?;
                self.add(node)?;
                self.push(Step::Done)?;
                self.steps[at] = Step::Atomic(self.steps.len());
                Some(())
            }
            Node::Edge(edge) => self.push(Step::At(*edge)).map(drop),
            Node::Never => self.push(Step::Never).map(drop),
        }
    }

    fn choice(&mut self, nodes: &[Node]) -> Option<()> {
        let mut ends = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let last = index + 1 == nodes.len();
            let fork = if last { None } else { Some(self.push(Step::Never)?) };
            self.add(node)?;
            if let Some(fork) = fork {
                ends.push(self.push(Step::Never)?);
                self.steps[fork] = Step::Fork(fork + 1, self.steps.len());
            }
        }
        for end in ends {
            self.steps[end] = Step::Jump(self.steps.len());
        }
        Some(())
    }

    /// Repetitions beyond the longest name change nothing: whatever took nothing may do so as often as one likes.
    fn repeat(&mut self, node: &Node, least: u32, most: Option<u32>, lazy: bool) -> Option<()> {
        let bound = |times: u32| usize::try_from(times).unwrap_or(usize::MAX).min(LONGEST + 1);
        let fork = |first, second| if lazy { Step::Fork(second, first) } else { Step::Fork(first, second) };
        for _ in 0..bound(least) {
            self.add(node)?;
        }
        let Some(most) = most else {
            let slot = self.loops;
            self.loops += 1;
            let start = self.push(Step::Never)?;
            self.push(Step::Begin(slot))?;
            self.add(node)?;
            let leave = self.push(Step::Never)?;
            self.push(Step::Jump(start))?;
            self.steps[leave] = Step::Leave(slot, self.steps.len());
            self.steps[start] = fork(start + 1, self.steps.len());
            return Some(());
        };
        let mut forks = Vec::new();
        for _ in bound(least)..bound(most) {
            forks.push(self.push(Step::Never)?);
            self.add(node)?;
        }
        for at in forks {
            self.steps[at] = fork(at + 1, self.steps.len());
        }
        Some(())
    }
}
