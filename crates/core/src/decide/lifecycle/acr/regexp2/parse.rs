//! From the text of an expression to its parts.

mod escape;

use super::class::{self, Class};
use super::{Node, Place, RegexpError};

/// Longer expressions, and groups in more groups, are not read: nobody filters tags by them.
const LONGEST: usize = 4_096;
const DEEPEST: usize = 64;

/// Reads the whole of an expression; beside it, how many groups there are, the whole match counted.
pub(super) fn parse(pattern: &str) -> Result<(Node, usize), RegexpError> {
    let text: Vec<char> = pattern.chars().collect();
    if text.len() > LONGEST {
        return Err(RegexpError::Unsure);
    }
    let (unnamed, names) = groups(&text)?;
    let groups = 1 + unnamed + names.len();
    let mut reader = Reader { text: &text, at: 0, depth: 0, unnamed, names, opened: 0, flags: Flags::default() };
    let node = reader.either()?;
    // What ends it early is a bracket that nothing opened.
    if reader.at < text.len() { Err(RegexpError::Refused) } else { Ok((node, groups)) }
}

/// Counts the groups without a name and lists the names of the others: those are numbered after these.
fn groups(text: &[char]) -> Result<(usize, Vec<String>), RegexpError> {
    let mut reader =
        Reader { text, at: 0, depth: 0, unnamed: 0, names: Vec::new(), opened: 0, flags: Flags::default() };
    let (mut unnamed, mut names) = (0, Vec::<String>::new());
    while let Some(next) = reader.next() {
        match next {
            '\\' => {
                reader.next();
            }
            // What else is wrong with a class is told when it is read in earnest.
            '[' if class::read(&mut reader, false) == Err(RegexpError::Unsure) => return Err(RegexpError::Unsure),
            '(' if reader.peek(0) != Some('?') => unnamed += 1,
            '(' => {
                reader.next();
                match reader.name_ahead() {
                    Some(name) if !names.contains(&name) => names.push(name),
                    // One name for two groups is one group.
                    Some(_) => return Err(RegexpError::Unsure),
                    None if reader.take('#') => while reader.next().is_some_and(|c| c != ')') {},
                    None => {}
                }
            }
            _ => {}
        }
    }
    Ok((unnamed, names))
}

/// What `(?i)` and its like switch, each for the rest of its group.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    ignore_case: bool,
    lines: bool,
    newline: bool,
}

/// An expression, read so far.
pub(super) struct Reader<'t> {
    text: &'t [char],
    pub(super) at: usize,
    depth: usize,
    unnamed: usize,
    names: Vec<String>,
    opened: usize,
    flags: Flags,
}

impl Reader<'_> {
    pub(super) fn peek(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek(0);
        self.at += usize::from(next.is_some());
        next
    }

    pub(super) fn take(&mut self, expected: char) -> bool {
        let is_there = self.peek(0) == Some(expected);
        self.at += usize::from(is_there);
        is_there
    }

    /// Letters, digits and underscores; others that the module takes for such stand in no name that anybody uses here.
    pub(super) fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(c) = self.peek(0).filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
            word.push(c);
            self.at += 1;
        }
        word
    }

    pub(super) fn enter(&mut self) -> Result<(), RegexpError> {
        self.depth += 1;
        if self.depth > DEEPEST { Err(RegexpError::Unsure) } else { Ok(()) }
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Alternatives up to a closing bracket or the end.
    fn either(&mut self) -> Result<Node, RegexpError> {
        self.enter()?;
        let mut ways = vec![self.sequence()?];
        while self.take('|') {
            ways.push(self.sequence()?);
        }
        self.leave();
        Ok(if ways.len() == 1 { ways.remove(0) } else { Node::Either(ways) })
    }

    fn sequence(&mut self) -> Result<Node, RegexpError> {
        let mut nodes = Vec::new();
        loop {
            self.comments()?;
            match self.peek(0) {
                None | Some('|' | ')') => return Ok(Node::Sequence(nodes)),
                Some(_) => {}
            }
            let Some(node) = self.atom()? else { continue };
            self.comments()?;
            nodes.push(self.repeated(node)?);
        }
    }

    /// `(?#…)`.
    fn comments(&mut self) -> Result<(), RegexpError> {
        while (self.peek(0), self.peek(1), self.peek(2)) == (Some('('), Some('?'), Some('#')) {
            while self.peek(0).is_some_and(|c| c != ')') {
                self.at += 1;
            }
            self.next().ok_or(RegexpError::Refused)?;
        }
        Ok(())
    }

    /// One thing that may be repeated; none where only flags were switched.
    fn atom(&mut self) -> Result<Option<Node>, RegexpError> {
        if self.counts().is_some() {
            return Err(RegexpError::Refused);
        }
        let flags = self.flags;
        let node = match self.next() {
            Some('(') => return self.group(),
            Some('[') => Node::One(class::read(self, flags.ignore_case)?),
            Some('\\') => self.escape()?,
            Some('^') => Node::At(if flags.lines { Place::LineStart } else { Place::Start }),
            Some('$') => Node::At(if flags.lines { Place::LineEnd } else { Place::LastLine }),
            Some('.') => Node::One(Class::any(flags.newline)),
            Some(literal) => Node::One(Class::of(literal, flags.ignore_case)),
            None => return Err(RegexpError::Refused),
        };
        Ok(Some(node))
    }

    /// What a sign of repetition that stands here says, and its length. Braces of another form are characters.
    fn counts(&self) -> Option<(Option<usize>, Option<usize>, usize)> {
        match self.peek(0)? {
            '*' => return Some((Some(0), Some(usize::MAX), 1)),
            '+' => return Some((Some(1), Some(usize::MAX), 1)),
            '?' => return Some((Some(0), Some(1), 1)),
            '{' => {}
            _ => return None,
        }
        let rest: String = self.text[self.at + 1..].iter().take_while(|c| **c != '}').collect();
        if self.text.get(self.at + 1 + rest.chars().count()) != Some(&'}') {
            return None;
        }
        let (least, most) = rest.split_once(',').map_or((rest.as_str(), None), |(least, most)| (least, Some(most)));
        let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
        if least.is_empty() || !digits(least) || !most.is_none_or(digits) {
            return None;
        }
        // Numbers beyond 31 bits are refused.
        let number = |text: &str| text.parse::<i32>().ok().and_then(|number| usize::try_from(number).ok());
        let most = match most {
            None => number(least),
            Some("") => Some(usize::MAX),
            Some(most) => number(most),
        };
        Some((number(least), most, rest.chars().count() + 2))
    }

    fn repeated(&mut self, node: Node) -> Result<Node, RegexpError> {
        let Some((least, most, length)) = self.counts() else { return Ok(node) };
        let (Some(least), Some(most)) = (least, most) else { return Err(RegexpError::Refused) };
        self.at += length;
        self.comments()?;
        let lazy = self.take('?');
        if least > most {
            return Err(RegexpError::Refused);
        }
        Ok(Node::Repeat { node: Box::new(node), least, most, lazy })
    }

    /// What an opening bracket begins, up to the closing one.
    fn group(&mut self) -> Result<Option<Node>, RegexpError> {
        let flags = self.flags;
        let wrap: Box<dyn Fn(Box<Node>) -> Node> = if self.take('?') {
            if let Some(name) = self.name_ahead() {
                let place = self.names.iter().position(|known| *known == name).ok_or(RegexpError::Refused)?;
                let number = 1 + self.unnamed + place;
                // The name, its brackets, and the `P` before them.
                self.at += usize::from(self.peek(0) == Some('P')) + name.chars().count() + 2;
                Box::new(move |node| Node::Group(number, node))
            } else {
                match self.special()? {
                    Some(wrap) => wrap,
                    None => return Ok(None),
                }
            }
        } else {
            self.opened += 1;
            let number = self.opened;
            Box::new(move |node| Node::Group(number, node))
        };
        let node = self.either()?;
        if !self.take(')') {
            return Err(RegexpError::Refused);
        }
        self.flags = flags;
        Ok(Some(wrap(Box::new(node))))
    }

    /// What stands behind `(?` if no name does; none if only flags were switched.
    #[expect(clippy::type_complexity, reason = "what is done with the group's inside, said once")]
    fn special(&mut self) -> Result<Option<Box<dyn Fn(Box<Node>) -> Node>>, RegexpError> {
        let look = |behind, negated| -> Box<dyn Fn(Box<Node>) -> Node> {
            Box::new(move |node| Node::Look { node, behind, negated })
        };
        match (self.peek(0), self.peek(1)) {
            (Some(sign @ ('=' | '!')), _) => {
                self.at += 1;
                Ok(Some(look(false, sign == '!')))
            }
            (Some('<'), Some(sign @ ('=' | '!'))) => {
                self.at += 2;
                Ok(Some(look(true, sign == '!')))
            }
            (Some('>'), _) => {
                self.at += 1;
                Ok(Some(Box::new(Node::Atomic)))
            }
            // Conditions, balanced groups, groups with a number, and names that end otherwise than they should.
            (Some('(' | '\''), _) | (Some('<'), Some(_)) | (Some('P'), Some('<')) => Err(RegexpError::Unsure),
            // A group that is closed at once is no group, and its question mark repeats nothing.
            (None | Some('<' | 'P' | ')'), _) => Err(RegexpError::Refused),
            _ => self.switch(),
        }
    }

    /// `(?i)`, `(?i-m:`.
    #[expect(clippy::type_complexity, reason = "what is done with the group's inside, said once")]
    fn switch(&mut self) -> Result<Option<Box<dyn Fn(Box<Node>) -> Node>>, RegexpError> {
        let before = self.flags;
        let mut on = true;
        loop {
            let flags = &mut self.flags;
            match self.text.get(self.at).map(char::to_ascii_lowercase) {
                Some('-') => on = false,
                Some('+') => on = true,
                Some('i') => flags.ignore_case = on,
                Some('m') => flags.lines = on,
                Some('s') => flags.newline = on,
                // Neither changes what matches.
                Some('d' | 'u') => {}
                Some('n' | 'x') => return Err(RegexpError::Unsure),
                Some(')') => {
                    self.at += 1;
                    return Ok(None);
                }
                Some(':') => {
                    self.at += 1;
                    return Ok(Some(Box::new(|node| *node)));
                }
                _ => {
                    self.flags = before;
                    return Err(RegexpError::Refused);
                }
            }
            self.at += 1;
        }
    }

    /// The name that follows, if a group is named here in the plain way: `<name>`, `P<name>`. Nothing is read.
    fn name_ahead(&self) -> Option<String> {
        let start = self.at + usize::from(self.peek(0) == Some('P'));
        let rest = self.text.get(start..)?;
        let end = rest.iter().position(|c| *c == '>')?;
        let name: String = rest.get(..end)?.iter().collect();
        let name = name.strip_prefix('<')?;
        let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        (is_word && name.starts_with(|c: char| !c.is_ascii_digit())).then(|| name.to_owned())
    }
}
