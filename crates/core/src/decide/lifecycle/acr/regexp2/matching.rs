//! Matching by trying: every way in order, back to the last choice where one fails, as regexp2 does.

use super::{Node, Place, RegexpError};

/// Beyond these nobody should wait. `acr purge` gives up on a filter after a minute.
const MOST_STEPS: u32 = 500_000;
const DEEPEST: u32 = 1_500;

/// Whether the expression matches anywhere in the text.
pub(super) fn is_match(node: &Node, groups: usize, text: &str) -> Result<bool, RegexpError> {
    let text: Vec<char> = text.chars().collect();
    let mut search = Search { text: &text, steps: 0, depth: 0, groups: vec![None; groups] };
    for start in 0..=text.len() {
        search.groups.fill(None);
        if search.matches(node, start, &mut |_, _| Ok(true))? {
            return Ok(true);
        }
    }
    Ok(false)
}

struct Search<'t> {
    text: &'t [char],
    steps: u32,
    depth: u32,
    /// What each group matched last.
    groups: Vec<Option<(usize, usize)>>,
}

/// What follows: whether the rest matches from there.
type Rest<'r, 't> = &'r mut dyn FnMut(&mut Search<'t>, usize) -> Result<bool, RegexpError>;

impl<'t> Search<'t> {
    fn matches(&mut self, node: &Node, at: usize, rest: Rest<'_, 't>) -> Result<bool, RegexpError> {
        self.steps += 1;
        if self.steps > MOST_STEPS || self.depth == DEEPEST {
            return Err(RegexpError::Unsure);
        }
        self.depth += 1;
        let matched = self.node(node, at, rest);
        self.depth -= 1;
        matched
    }

    fn node(&mut self, node: &Node, at: usize, rest: Rest<'_, 't>) -> Result<bool, RegexpError> {
        match node {
            Node::One(class) => match self.text.get(at) {
                Some(c) if class.has(*c) => rest(self, at + 1),
                _ => Ok(false),
            },
            Node::Sequence(nodes) => self.sequence(nodes, at, rest),
            Node::Either(ways) => {
                for way in ways {
                    if self.matches(way, at, rest)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Node::Group(number, node) => self.group(*number, node, at, rest),
            Node::Repeat { node, least, most, lazy } => {
                let repeat = Repeat { node, least: *least, most: *most, lazy: *lazy };
                match &**node {
                    Node::One(_) if !lazy => self.run(repeat, at, rest),
                    _ => self.repeat(repeat, 0, at, rest),
                }
            }
            Node::Look { node, behind, negated } => {
                let found = |search: &mut Self| match behind {
                    true => search.behind(node, at),
                    false => Ok(search.ahead(node, at)?.is_some()),
                };
                self.look(found, *negated, at, rest)
            }
            Node::Atomic(node) => self.atomic(node, at, rest),
            Node::Same { group, ignore_case } => match self.same(*group, *ignore_case, at) {
                Some(end) => rest(self, end),
                None => Ok(false),
            },
            Node::At(place) => {
                if self.is_at(*place, at) {
                    rest(self, at)
                } else {
                    Ok(false)
                }
            }
        }
    }

    fn sequence(&mut self, nodes: &[Node], at: usize, rest: Rest<'_, 't>) -> Result<bool, RegexpError> {
        match nodes.split_first() {
            None => rest(self, at),
            Some((first, others)) => self.matches(first, at, &mut |search, at| search.sequence(others, at, rest)),
        }
    }

    /// What follows or precedes is looked at, and nothing of it is taken.
    fn look(
        &mut self,
        found: impl FnOnce(&mut Self) -> Result<bool, RegexpError>,
        negated: bool,
        at: usize,
        rest: Rest<'_, 't>,
    ) -> Result<bool, RegexpError> {
        let before = self.groups.clone();
        let found = found(self)?;
        if found == negated {
            self.groups = before;
            return Ok(false);
        }
        if negated {
            self.groups.clone_from(&before);
        }
        let matched = rest(self, at)?;
        if !matched {
            self.groups = before;
        }
        Ok(matched)
    }

    /// The first way to match is the only one: what follows does not lead back into it.
    fn atomic(&mut self, node: &Node, at: usize, rest: Rest<'_, 't>) -> Result<bool, RegexpError> {
        let before = self.groups.clone();
        let matched = match self.ahead(node, at)? {
            Some(end) => rest(self, end)?,
            None => false,
        };
        if !matched {
            self.groups = before;
        }
        Ok(matched)
    }

    fn group(&mut self, number: usize, node: &Node, at: usize, rest: Rest<'_, 't>) -> Result<bool, RegexpError> {
        self.matches(node, at, &mut |search, end| {
            let before = search.groups[number].replace((at, end));
            let matched = rest(search, end)?;
            if !matched {
                search.groups[number] = before;
            }
            Ok(matched)
        })
    }

    /// As many single characters as there are, then one fewer, and so on.
    fn run(&mut self, repeat: Repeat<'_>, at: usize, rest: Rest<'_, 't>) -> Result<bool, RegexpError> {
        let Node::One(class) = repeat.node else { return Ok(false) };
        let available = self.text[at..].iter().take(repeat.most).take_while(|c| class.has(**c)).count();
        for count in (repeat.least..=available).rev() {
            self.steps += 1;
            if self.steps > MOST_STEPS {
                return Err(RegexpError::Unsure);
            }
            if rest(self, at + count)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn repeat(&mut self, repeat: Repeat<'_>, done: usize, at: usize, rest: Rest<'_, 't>) -> Result<bool, RegexpError> {
        if repeat.lazy && done >= repeat.least && rest(self, at)? {
            return Ok(true);
        }
        if done < repeat.most {
            let again = self.matches(repeat.node, at, &mut |search, end| {
                // What matched nothing would go on for ever.
                if end == at && done >= repeat.least {
                    return Ok(false);
                }
                // Nothing is matched as often as it takes.
                let done = if end == at { repeat.least } else { done + 1 };
                search.repeat(repeat, done, end, rest)
            })?;
            if again {
                return Ok(true);
            }
        }
        if repeat.lazy || done < repeat.least { Ok(false) } else { rest(self, at) }
    }

    /// Where the first way to match from here ends.
    fn ahead(&mut self, node: &Node, at: usize) -> Result<Option<usize>, RegexpError> {
        let mut found = None;
        self.matches(node, at, &mut |_, end| {
            found = Some(end);
            Ok(true)
        })?;
        Ok(found)
    }

    /// Whether something that ends here matches, the nearest start first.
    fn behind(&mut self, node: &Node, at: usize) -> Result<bool, RegexpError> {
        for start in (0..=at).rev() {
            if self.matches(node, start, &mut |_, end| Ok(end == at))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn same(&self, group: usize, ignore_case: bool, at: usize) -> Option<usize> {
        let (start, end) = self.groups[group]?;
        let expected = &self.text[start..end];
        let there = self.text.get(at..at + expected.len())?;
        let alike = |(a, b): (&char, &char)| a == b || (ignore_case && a.eq_ignore_ascii_case(b));
        expected.iter().zip(there).all(alike).then_some(at + expected.len())
    }

    fn is_at(&self, place: Place, at: usize) -> bool {
        let end = self.text.len();
        let is_word = |at: usize| self.text.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_');
        let border = || (at > 0 && is_word(at - 1)) != is_word(at);
        match place {
            Place::Start => at == 0,
            Place::End => at == end,
            Place::LastLine => at == end || (at + 1 == end && self.text[at] == '\n'),
            Place::LineStart => at == 0 || self.text[at - 1] == '\n',
            Place::LineEnd => at == end || self.text[at] == '\n',
            Place::WordBorder => border(),
            Place::NoWordBorder => !border(),
        }
    }
}

/// What is repeated, and how often.
#[derive(Clone, Copy)]
struct Repeat<'n> {
    node: &'n Node,
    least: usize,
    most: usize,
    lazy: bool,
}
