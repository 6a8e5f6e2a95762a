//! Following the steps of an expression over a name.
//!
//! Where nothing is remembered, what can still come of a place in program and name does not depend on the way there, so
//! that no place is visited twice and a search takes little time, whatever the expression. With memory every way is
//! gone, within a budget.

use super::chars;
use super::node::Edge;
use super::program::{Program, Step};

/// The budget is used up, so that nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exhausted;

/// Whether the whole name fits.
pub(super) fn whole(program: &Program, name: &[u8], budget: u64, all_ways: bool) -> Result<bool, Exhausted> {
    let mut search = Search::new(program, name, budget, all_ways);
    let mut visited = search.unvisited();
    search.follow(0, 0, Some(name.len()), &mut visited).map(|end| end.is_some())
}

/// Whether some part of the name fits.
pub(super) fn part(program: &Program, name: &[u8], budget: u64) -> Result<bool, Exhausted> {
    let mut search = Search::new(program, name, budget, false);
    let mut visited = search.unvisited();
    for start in 0..=name.len() {
        if search.follow(0, start, None, &mut visited)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Places in program and name where a search has been.
type Visited = Vec<u64>;

/// To what a search turns when a way leads nowhere.
enum Back {
    /// Another way.
    Way(usize, usize),
    /// What was remembered before.
    Save(usize, Option<usize>),
    /// All that was remembered before.
    Saves(Vec<Option<usize>>),
    /// Where the turn of a loop had begun.
    Begin(usize, Option<usize>),
}

struct Search<'a> {
    program: &'a Program,
    name: &'a [u8],
    left: u64,
    /// Whether no way may be left out for having been there before.
    all_ways: bool,
    saves: Vec<Option<usize>>,
    begins: Vec<Option<usize>>,
}

impl<'a> Search<'a> {
    fn new(program: &'a Program, name: &'a [u8], budget: u64, all_ways: bool) -> Self {
        Self {
            program,
            name,
            left: budget,
            all_ways: all_ways || program.remembers,
            saves: vec![None; program.saves],
            begins: vec![None; program.loops],
        }
    }

    fn unvisited(&self) -> Visited {
        if self.all_ways {
            Vec::new()
        } else {
            vec![0; (self.program.steps.len() * (self.name.len() + 1)).div_ceil(64)]
        }
    }

    /// Whether the search has been there, and from now on it has.
    fn revisits(&self, visited: &mut Visited, step: usize, at: usize) -> bool {
        if self.all_ways {
            return false;
        }
        let place = step * (self.name.len() + 1) + at;
        let (word, bit) = (place / 64, 1 << (place % 64));
        let before = visited[word] & bit != 0;
        visited[word] |= bit;
        before
    }

    /// Where it ends that begins there, if it fits; `end` is where it must.
    fn follow(
        &mut self,
        step: usize,
        at: usize,
        end: Option<usize>,
        visited: &mut Visited,
    ) -> Result<Option<usize>, Exhausted> {
        let mut back = vec![Back::Way(step, at)];
        while let Some(turn) = back.pop() {
            match turn {
                Back::Save(slot, before) => self.saves[slot] = before,
                Back::Saves(before) => self.saves = before,
                Back::Begin(slot, before) => self.begins[slot] = before,
                Back::Way(step, at) => {
                    if let Some(end) = self.way(step, at, end, visited, &mut back)? {
                        return Ok(Some(end));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Goes one way to its end.
    fn way(
        &mut self,
        mut step: usize,
        mut at: usize,
        end: Option<usize>,
        visited: &mut Visited,
        back: &mut Vec<Back>,
    ) -> Result<Option<usize>, Exhausted> {
        loop {
            self.left = self.left.checked_sub(1).ok_or(Exhausted)?;
            if self.revisits(visited, step, at) {
                return Ok(None);
            }
            match self.program.steps[step] {
                Step::Done if end.is_none_or(|end| end == at) => return Ok(Some(at)),
                Step::Done | Step::Never => return Ok(None),
                Step::Take(set) => match self.name.get(at) {
                    Some(byte) if chars::has(set, *byte) => (step, at) = (step + 1, at + 1),
                    _ => return Ok(None),
                },
                Step::Fork(first, second) => {
                    back.push(Back::Way(second, at));
                    step = first;
                }
                Step::Jump(there) => step = there,
                Step::Save(slot) => {
                    back.push(Back::Save(slot, self.saves[slot]));
                    self.saves[slot] = Some(at);
                    step += 1;
                }
                Step::Back(group, either_case) => match self.again(group, either_case, at) {
                    Some(after) => (step, at) = (step + 1, after),
                    None => return Ok(None),
                },
                Step::Unless(group, there) => step = if self.taken(group).is_some() { step + 1 } else { there },
                Step::At(edge) if self.is_at(edge, at) => step += 1,
                Step::At(_) => return Ok(None),
                Step::Look { .. } | Step::Atomic(_) => match self.within(step, at, back)? {
                    Some(after) => (step, at) = after,
                    None => return Ok(None),
                },
                Step::Begin(slot) => {
                    back.push(Back::Begin(slot, self.begins[slot]));
                    self.begins[slot] = Some(at);
                    step += 1;
                }
                // Where no place is visited twice, a turn that took nothing ends by itself.
                Step::Leave(slot, there) if self.all_ways && self.begins[slot] == Some(at) => step = there,
                Step::Leave(..) => step += 1,
            }
        }
    }

    /// Where to go on behind a look or what is tried only once, if it fits.
    fn within(&mut self, step: usize, at: usize, back: &mut Vec<Back>) -> Result<Option<(usize, usize)>, Exhausted> {
        let before = self.saves.clone();
        match self.program.steps[step] {
            Step::Look { behind, negative, next } => {
                let fits = self.look(step + 1, at, behind)?;
                if negative {
                    self.saves = before;
                } else {
                    back.push(Back::Saves(before));
                }
                Ok((fits != negative).then_some((next, at)))
            }
            Step::Atomic(next) => {
                back.push(Back::Saves(before));
                let mut visited = self.unvisited();
                Ok(self.follow(step + 1, at, None, &mut visited)?.map(|after| (next, after)))
            }
            _ => Ok(None),
        }
    }

    fn look(&mut self, step: usize, at: usize, behind: bool) -> Result<bool, Exhausted> {
        if !behind {
            let mut visited = self.unvisited();
            return Ok(self.follow(step, at, None, &mut visited)?.is_some());
        }
        let mut visited = self.unvisited();
        for start in (0..=at).rev() {
            if self.follow(step, start, Some(at), &mut visited)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn taken(&self, group: usize) -> Option<&'a [u8]> {
        let (start, end) = (self.saves[2 * group]?, self.saves[2 * group + 1]?);
        self.name.get(start..end)
    }

    fn again(&self, group: usize, either_case: bool, at: usize) -> Option<usize> {
        let taken = self.taken(group)?;
        let here = self.name.get(at..at + taken.len())?;
        let same = if either_case { here.eq_ignore_ascii_case(taken) } else { here == taken };
        same.then_some(at + taken.len())
    }

    fn is_at(&self, edge: Edge, at: usize) -> bool {
        let word =
            |at: Option<usize>| at.and_then(|at| self.name.get(at)).is_some_and(|byte| chars::has(chars::WORD, *byte));
        let (before, after) = (word(at.checked_sub(1)), word(Some(at)));
        match edge {
            Edge::Start => at == 0,
            Edge::End => at == self.name.len(),
            Edge::Border => before != after,
            Edge::NoBorder => before == after,
            Edge::WordStart => !before && after,
            Edge::WordEnd => before && !after,
        }
    }
}
