//! Walking over the tokens of a statement.

use crate::dialect::Dialect;
use crate::lex::{Kind, Token};

/// A place in a statement. Methods that find nothing leave it where it is.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    pub(crate) dialect: Dialect,
}

/// A name of an object: in which schema, where it says so, and which.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

impl<'t, 'a> Cursor<'t, 'a> {
    pub(crate) fn new(tokens: &'t [Token<'a>], dialect: Dialect) -> Self {
        Self { tokens, at: 0, dialect }
    }

    pub(crate) fn rest(&self) -> &'t [Token<'a>] {
        &self.tokens[self.at.min(self.tokens.len())..]
    }

    pub(crate) fn peek(&self) -> Option<&'t Token<'a>> {
        self.tokens.get(self.at)
    }

    pub(crate) fn done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    pub(crate) fn next(&mut self) -> Option<&'t Token<'a>> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        Some(token)
    }

    /// Whether these keywords come next.
    pub(crate) fn sees(&self, words: &str) -> bool {
        let mut rest = self.rest().iter();
        words.split(' ').all(|word| rest.next().is_some_and(|token| token.is(word)))
    }

    /// Passes over these keywords, if they come next.
    pub(crate) fn eat(&mut self, words: &str) -> bool {
        let found = self.sees(words);
        if found {
            self.at += words.split(' ').count();
        }
        found
    }

    /// Passes over one of these keywords, and says which.
    pub(crate) fn eat_any<'w>(&mut self, words: &[&'w str]) -> Option<&'w str> {
        words.iter().find(|words| self.eat(words)).copied()
    }

    /// Passes over these keywords; nothing is understood without them.
    pub(crate) fn need(&mut self, words: &str) -> Option<()> {
        self.eat(words).then_some(())
    }

    pub(crate) fn sees_op(&self, mark: &str) -> bool {
        self.peek().is_some_and(|token| token.op(mark))
    }

    pub(crate) fn op(&mut self, mark: &str) -> bool {
        let found = self.sees_op(mark);
        self.at += usize::from(found);
        found
    }

    /// Nothing may be left over.
    pub(crate) fn end(&self) -> Option<()> {
        self.done().then_some(())
    }

    pub(crate) fn skip_rest(&mut self) {
        self.at = self.tokens.len();
    }

    /// A name, folded as the dialect does. MySQL and SQLite also take strings for names, here not understood.
    pub(crate) fn ident(&mut self) -> Option<String> {
        let token = self.peek()?;
        let name = match token.kind {
            Kind::Word => self.dialect.fold(token.text, false),
            Kind::Quoted => self.dialect.fold(&unquoted(token.text), true),
            _ => return None,
        };
        self.at += 1;
        Some(name)
    }

    /// A name with or without its schema. More parts than two are a database's and a schema's.
    pub(crate) fn name(&mut self) -> Option<Name> {
        let mut parts = vec![self.ident()?];
        while self.op(".") {
            parts.push(self.ident()?);
        }
        let name = parts.pop()?;
        Some(Name { schema: parts.pop(), name })
    }

    /// Names with commas between.
    pub(crate) fn names(&mut self) -> Option<Vec<Name>> {
        let mut names = vec![self.name()?];
        while self.op(",") {
            names.push(self.name()?);
        }
        Some(names)
    }

    /// What stands in the parentheses that come next.
    pub(crate) fn group(&mut self) -> Option<Cursor<'t, 'a>> {
        if !self.sees_op("(") {
            return None;
        }
        let mut depth = 0_usize;
        for (index, token) in self.rest().iter().enumerate() {
            if token.op("(") {
                depth += 1;
            } else if token.op(")") {
                depth -= 1;
                if depth == 0 {
                    let inner = &self.tokens[self.at + 1..self.at + index];
                    self.at += index + 1;
                    return Some(Cursor::new(inner, self.dialect));
                }
            }
        }
        None
    }

    /// A list of plain names in parentheses.
    pub(crate) fn ident_list(&mut self) -> Option<Vec<String>> {
        let before = *self;
        let list = self.group().and_then(|mut inner| {
            let mut names = vec![inner.ident()?];
            while inner.op(",") {
                names.push(inner.ident()?);
            }
            inner.end()?;
            Some(names)
        });
        if list.is_none() {
            *self = before;
        }
        list
    }

    /// The parts between commas that stand in no parentheses.
    pub(crate) fn parts(&self) -> Vec<Cursor<'t, 'a>> {
        let mut parts = Vec::new();
        let (mut depth, mut start) = (0_usize, 0);
        let rest = self.rest();
        for (index, token) in rest.iter().enumerate() {
            match (token.kind, token.text) {
                (Kind::Op, "(" | "[") => depth += 1,
                (Kind::Op, ")" | "]") => depth = depth.saturating_sub(1),
                (Kind::Op, ",") if depth == 0 => {
                    parts.push(Cursor::new(&rest[start..index], self.dialect));
                    start = index + 1;
                }
                _ => {}
            }
        }
        parts.push(Cursor::new(&rest[start..], self.dialect));
        parts
    }

    /// A literal string's content.
    pub(crate) fn string(&mut self) -> Option<String> {
        let token = self.peek().filter(|token| token.kind == Kind::Str)?;
        self.at += 1;
        Some(string_value(token.text))
    }

    /// Tokens up to where `stop` says so, parentheses passed over whole.
    pub(crate) fn until(&mut self, stop: impl Fn(&Token<'a>) -> bool) -> &'t [Token<'a>] {
        let start = self.at;
        let mut depth = 0_usize;
        while let Some(token) = self.peek() {
            match (token.kind, token.text) {
                (Kind::Op, "(" | "[") => depth += 1,
                (Kind::Op, ")" | "]") => depth = depth.saturating_sub(1),
                _ if depth == 0 && self.at > start && stop(token) => break,
                _ => {}
            }
            self.at += 1;
        }
        &self.tokens[start..self.at]
    }
}

/// A quoted name without its quotes.
pub(crate) fn unquoted(text: &str) -> String {
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    let end = &text[text.len() - 1..];
    inner.replace(&end.repeat(2), end)
}

/// A string's content; dollar quotes and prefixes taken off.
pub(crate) fn string_value(text: &str) -> String {
    if let Some(behind) = text.strip_prefix('$') {
        let mark = behind.find('$').map_or(0, |end| end + 2);
        return text.get(mark..text.len().saturating_sub(mark)).unwrap_or_default().to_owned();
    }
    let Some(open) = text.find(['\'', '"']) else { return String::new() };
    let quote = &text[open..=open];
    let inner = text.get(open + 1..text.len() - 1).unwrap_or_default();
    inner.replace(&quote.repeat(2), quote)
}

/// Tokens as one text by which they are compared: comments and spacing gone, keywords and plain names in lower case.
pub(crate) fn normal(tokens: &[Token<'_>]) -> String {
    let mut text = String::new();
    for token in tokens {
        if !text.is_empty() {
            text.push(' ');
        }
        if token.kind == Kind::Word { text.push_str(&token.text.to_lowercase()) } else { text.push_str(token.text) }
    }
    text
}
