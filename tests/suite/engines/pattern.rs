//! As much of patterns as the registries' rules use here: regular expressions with everything that the recorded rules hold,
//! and doublestar globs. Slow, and close to how one reads them aloud.

mod globs;

pub(crate) use self::globs::glob;

/// A regular expression. What it cannot read is no expression.
#[derive(Debug, Clone)]
pub(crate) struct Regex(Node);

#[derive(Debug, Clone)]
enum Node {
    /// Any of these characters, or none of them; the last says whether case is ignored.
    One(bool, Vec<(char, char)>, bool),
    Start,
    End,
    Border,
    Never,
    Group(Option<usize>, Box<Node>),
    Back(usize),
    Look {
        ahead: bool,
        not: bool,
        inner: Box<Node>,
    },
    Sequence(Vec<Node>),
    Either(Vec<Node>),
    Repeat(Box<Node>, usize, usize),
}

type Captures = Vec<Option<(usize, usize)>>;

struct Reader<'a> {
    text: Vec<char>,
    at: usize,
    fold: bool,
    groups: usize,
    dialect: &'a Dialect,
}

/// Where dialects differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Go's RE2 and what is compatible with it.
    Go,
    /// PostgreSQL's: `\y` is the border of a word, `\b` is a backspace (K53c).
    Postgres,
}

impl Regex {
    pub(crate) fn new(pattern: &str, dialect: Dialect) -> Option<Self> {
        let mut reader = Reader { text: pattern.chars().collect(), at: 0, fold: false, groups: 0, dialect: &dialect };
        let node = reader.either()?;
        (reader.at == reader.text.len()).then_some(Self(node))
    }

    /// Whether any part of the text matches.
    pub(crate) fn finds(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        (0..=text.len()).any(|at| step(&self.0, &text, at, &mut vec![None; 16], &mut |_, _| true))
    }
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, expected: &str) -> bool {
        let found = expected.chars().enumerate().all(|(place, want)| self.text.get(self.at + place) == Some(&want));
        self.at += if found { expected.chars().count() } else { 0 };
        found
    }

    fn either(&mut self) -> Option<Node> {
        let mut ways = vec![self.sequence()?];
        while self.eat("|") {
            ways.push(self.sequence()?);
        }
        Some(Node::Either(ways))
    }

    fn sequence(&mut self) -> Option<Node> {
        let mut parts = Vec::new();
        while let Some(next) = self.peek() {
            if matches!(next, '|' | ')') {
                break;
            }
            let atom = self.atom()?;
            parts.push(self.repeated(atom)?);
        }
        Some(Node::Sequence(parts))
    }

    fn repeated(&mut self, atom: Node) -> Option<Node> {
        let (least, most) = match self.peek() {
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('?') => (0, 1),
            Some('{') if self.text.get(self.at + 1).is_some_and(char::is_ascii_digit) => {
                let close = self.text[self.at..].iter().position(|next| *next == '}')? + self.at;
                let inside: String = self.text[self.at + 1..close].iter().collect();
                let (least, most) = inside.split_once(',').unwrap_or((&inside, &inside));
                let least = least.parse().ok()?;
                let most = if most.is_empty() { usize::MAX } else { most.parse().ok()? };
                self.at = close;
                (least, most)
            }
            _ => return Some(atom),
        };
        self.at += 1;
        self.eat("?");
        let again = matches!(self.peek(), Some('*' | '+'));
        (least <= most && !again).then(|| Node::Repeat(Box::new(atom), least, most))
    }

    fn atom(&mut self) -> Option<Node> {
        let next = self.peek()?;
        self.at += 1;
        Some(match next {
            '^' => Node::Start,
            '$' => Node::End,
            '.' => Node::One(true, Vec::new(), false),
            '(' => return self.group(),
            '[' => return self.class(),
            '\\' => return self.escape(),
            '*' | '+' | '?' => return None,
            plain => Node::One(false, vec![(plain, plain)], self.fold),
        })
    }

    fn group(&mut self) -> Option<Node> {
        for (mark, ahead, not) in [("?=", true, false), ("?!", true, true), ("?<=", false, false), ("?<!", false, true)]
        {
            if self.eat(mark) {
                let inner = Box::new(self.either()?);
                return self.eat(")").then_some(Node::Look { ahead, not, inner });
            }
        }
        if self.eat("?i)") {
            self.fold = true;
            return Some(Node::Sequence(Vec::new()));
        }
        let fold = self.fold;
        let number = if self.eat("?i:") {
            self.fold = true;
            None
        } else if self.eat("?:") {
            None
        } else if self.peek() == Some('?') {
            return None;
        } else {
            self.groups += 1;
            Some(self.groups)
        };
        let inner = Box::new(self.either()?);
        self.fold = fold;
        self.eat(")").then_some(Node::Group(number, inner))
    }

    fn escape(&mut self) -> Option<Node> {
        let next = self.peek()?;
        self.at += 1;
        Some(match next {
            'd' | 'D' | 'w' | 'W' | 's' | 'S' => {
                Node::One(next.is_uppercase(), named(&next.to_lowercase().to_string())?, false)
            }
            'A' => Node::Start,
            'Z' => Node::End,
            'y' if *self.dialect == Dialect::Postgres => Node::Border,
            'b' if *self.dialect == Dialect::Postgres => Node::Never,
            'b' => Node::Border,
            digit @ '1'..='9' => Node::Back(digit.to_digit(10)? as usize),
            letter if letter.is_ascii_alphanumeric() => return None,
            plain => Node::One(false, vec![(plain, plain)], false),
        })
    }

    fn class(&mut self) -> Option<Node> {
        let not = self.eat("^");
        let mut ranges = Vec::new();
        let mut first = true;
        loop {
            let next = self.peek()?;
            self.at += 1;
            if next == ']' && !first {
                return Some(Node::One(not, ranges, self.fold));
            }
            first = false;
            if next == '[' && self.eat(":") {
                let close = self.text[self.at..].iter().position(|next| *next == ':')? + self.at;
                let name: String = self.text[self.at..close].iter().collect();
                ranges.extend(named(&name)?);
                self.at = close + 1;
                if !self.eat("]") {
                    return None;
                }
                continue;
            }
            let from = if next == '\\' {
                let escaped = self.peek()?;
                self.at += 1;
                if let Some(set) = named(&escaped.to_string()) {
                    ranges.extend(set);
                    continue;
                }
                escaped
            } else {
                next
            };
            let to = match (self.peek(), self.text.get(self.at + 1).copied()) {
                (Some('-'), Some(to)) if to != ']' => {
                    self.at += 2;
                    to
                }
                _ => from,
            };
            if to < from {
                return None;
            }
            ranges.push((from, to));
        }
    }
}

fn named(name: &str) -> Option<Vec<(char, char)>> {
    Some(match name {
        "d" | "digit" => vec![('0', '9')],
        "w" => vec![('0', '9'), ('A', 'Z'), ('a', 'z'), ('_', '_')],
        "s" | "space" => vec![('\t', '\r'), (' ', ' ')],
        "upper" => vec![('A', 'Z')],
        "alpha" => vec![('A', 'Z'), ('a', 'z')],
        "xdigit" => vec![('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return None,
    })
}

fn is_in(ranges: &[(char, char)], fold: bool, next: char) -> bool {
    let within = |next: char| ranges.iter().any(|(from, to)| *from <= next && next <= *to);
    within(next) || fold && (within(next.to_ascii_lowercase()) || within(next.to_ascii_uppercase()))
}

fn step(
    node: &Node,
    text: &[char],
    at: usize,
    captures: &mut Captures,
    then: &mut dyn FnMut(usize, &mut Captures) -> bool,
) -> bool {
    match node {
        Node::One(not, ranges, fold) => {
            text.get(at).is_some_and(|next| is_in(ranges, *fold, *next) != *not) && then(at + 1, captures)
        }
        Node::Start => at == 0 && then(at, captures),
        Node::End => at == text.len() && then(at, captures),
        Node::Border => {
            let is_word = |place: Option<&char>| place.is_some_and(|next| next.is_ascii_alphanumeric() || *next == '_');
            let before = at.checked_sub(1).and_then(|before| text.get(before));
            is_word(before) != is_word(text.get(at)) && then(at, captures)
        }
        Node::Never => false,
        Node::Group(number, inner) => step(inner, text, at, captures, &mut |end, captures| {
            if let Some(number) = number {
                let before = captures[*number];
                captures[*number] = Some((at, end));
                return then(end, captures) || {
                    captures[*number] = before;
                    false
                };
            }
            then(end, captures)
        }),
        Node::Back(number) => {
            let Some((from, to)) = captures[*number] else { return false };
            text[at..].starts_with(&text[from..to]) && then(at + to - from, captures)
        }
        Node::Look { ahead, not, inner } => {
            let found = match ahead {
                true => step(inner, text, at, captures, &mut |_, _| true),
                false => (0..=at).any(|from| step(inner, text, from, captures, &mut |end, _| end == at)),
            };
            found != *not && then(at, captures)
        }
        Node::Sequence(parts) => sequence(parts, text, at, captures, then),
        Node::Either(ways) => ways.iter().any(|way| step(way, text, at, captures, then)),
        Node::Repeat(inner, least, most) => repeat((inner, *least, *most), text, at, captures, then),
    }
}

fn sequence(
    parts: &[Node],
    text: &[char],
    at: usize,
    captures: &mut Captures,
    then: &mut dyn FnMut(usize, &mut Captures) -> bool,
) -> bool {
    match parts.split_first() {
        None => then(at, captures),
        Some((first, rest)) => {
            step(first, text, at, captures, &mut |at, captures| sequence(rest, text, at, captures, then))
        }
    }
}

fn repeat(
    (inner, least, most): (&Node, usize, usize),
    text: &[char],
    at: usize,
    captures: &mut Captures,
    then: &mut dyn FnMut(usize, &mut Captures) -> bool,
) -> bool {
    let less = (inner, least.saturating_sub(1), if most == usize::MAX { most } else { most.saturating_sub(1) });
    let again = most > 0
        && step(inner, text, at, captures, &mut |next, captures| next > at && repeat(less, text, next, captures, then));
    again || least == 0 && then(at, captures)
}
