//! A file becomes statements, as the vendor's own client would take it apart.

use crate::body::{Body, routine_at};
use crate::dialect::Dialect;
use crate::lex::{Kind, Lexer, Token};

/// One statement.
#[derive(Debug)]
pub(crate) struct Statement<'a> {
    /// Its tokens, without the mark that ends it.
    pub(crate) tokens: Vec<Token<'a>>,
    /// Its text.
    pub(crate) text: &'a str,
    /// The line it begins on, counted from 1.
    pub(crate) line: u32,
    /// What makes it impossible to read: a command of the client program, a template, a quote or data without end.
    pub(crate) fault: Option<&'static str>,
}

/// Takes a file apart.
pub(crate) struct Splitter<'a> {
    lexer: Lexer<'a>,
    dialect: Dialect,
    delimiter: &'a str,
    line: u32,
    counted: usize,
    odd_delimiter: bool,
    /// A token that was read too far: the next statement begins with it.
    pending: Option<Token<'a>>,
}

impl<'a> Splitter<'a> {
    pub(crate) fn new(text: &'a str, dialect: Dialect) -> Self {
        Self {
            lexer: Lexer::new(text, dialect),
            dialect,
            delimiter: ";",
            odd_delimiter: false,
            line: 1,
            counted: 0,
            pending: None,
        }
    }

    fn token(&mut self) -> Option<Token<'a>> {
        let mut token = self.pending.take().or_else(|| self.lexer.token())?;
        // The client finds its delimiter wherever no quote is open, in `END$$` too, which could be a name.
        if self.delimiter != ";"
            && matches!(token.kind, Kind::Word | Kind::Num | Kind::Op)
            && let Some(at) = token.text.find(self.delimiter).filter(|at| *at > 0)
        {
            token.text = &token.text[..at];
            self.lexer.at = token.at + at;
        }
        Some(token)
    }

    /// The line of a place; places only move forward, so that counting is linear.
    fn line_of(&mut self, at: usize) -> u32 {
        let between = &self.lexer.text.as_bytes()[self.counted..at];
        let breaks = between.iter().filter(|byte| **byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
        self.counted = at;
        self.line
    }

    /// Whether the delimiter that a client command has set stands here.
    fn at_delimiter(&mut self, token: &Token<'a>) -> bool {
        if self.delimiter == ";" || !self.lexer.text[token.at..].starts_with(self.delimiter) {
            return false;
        }
        self.lexer.at = token.at + self.delimiter.len();
        true
    }

    /// `DELIMITER //`, a command of MySQL's client that lasts to the line's end.
    fn sets_delimiter(&mut self, first: &Token<'a>) -> bool {
        if !self.dialect.is_mysql() || !first.is("delimiter") {
            return false;
        }
        let start = first.at + first.text.len();
        self.lexer.at = start;
        self.lexer.skip_line();
        let wanted = self.lexer.text[start..self.lexer.at].trim();
        self.delimiter = if wanted.is_empty() { ";" } else { wanted };
        // Marks of quotes and comments mean other things to the client than here.
        self.odd_delimiter =
            self.delimiter.contains(['\'', '"', '`', '\\', '#', '*']) || self.delimiter.starts_with("--");
        true
    }

    /// Whether the token is SQL Server's `GO`, alone on its line but for a count.
    fn is_go(&self, token: &Token<'a>) -> bool {
        if self.dialect != Dialect::Mssql || !token.is("go") {
            return false;
        }
        let text = self.lexer.text;
        let before = text[..token.at].rsplit('\n').next().unwrap_or_default();
        let after = text[token.at + token.text.len()..].split('\n').next().unwrap_or_default().trim();
        let count = after.trim_end_matches(';').trim_end();
        let alone = count.bytes().all(|byte| byte.is_ascii_digit()) || after.starts_with("--");
        before.trim().is_empty() && alone
    }

    /// Whether a token of SQL Server begins a statement although nothing ended the one before.
    fn begins_line_with_statement(&self, token: &Token<'a>, so_far: &[Token<'a>]) -> bool {
        const STARTS: &[&str] = &[
            "alter", "create", "drop", "insert", "update", "delete", "merge", "exec", "execute", "declare", "if",
            "print", "use", "truncate", "grant", "revoke", "commit", "rollback",
        ];
        if self.dialect != Dialect::Mssql || token.kind != Kind::Word || so_far.is_empty() {
            return false;
        }
        let own_line = self.lexer.text[..token.at].rsplit('\n').next().unwrap_or_default().trim().is_empty();
        let guard = so_far[0].is("if") && !so_far[1..].iter().any(|token| STARTS.iter().any(|word| token.is(word)));
        // ALTER TABLE t, and its first clause on the next line.
        let altered = so_far.len() <= 7 && so_far[0].is("alter") && so_far.iter().skip(2).all(is_name_part);
        let continues = so_far[0].is("merge") || so_far[0].is("with") || altered || is_routine(so_far);
        own_line && !guard && !continues && STARTS.iter().any(|word| token.is(word))
    }

    /// The data behind `COPY … FROM stdin`, up to its end mark. Without one it would swallow the rest of the file.
    fn skip_copy_data(&mut self) -> bool {
        self.lexer.skip_line();
        let text = self.lexer.text;
        while self.lexer.at < text.len() {
            self.lexer.at += 1;
            let start = self.lexer.at.min(text.len());
            self.lexer.at = start;
            self.lexer.skip_line();
            if text[start..self.lexer.at].trim_end_matches('\r') == "\\." {
                return true;
            }
        }
        false
    }

    fn read(&mut self) -> Option<Statement<'a>> {
        let first = loop {
            let token = self.token()?;
            if self.sets_delimiter(&token) || self.at_delimiter(&token) || token.op(";") || self.is_go(&token) {
                continue;
            }
            break token;
        };
        let line = self.line_of(first.at);
        if first.kind == Kind::Bad && first.text.starts_with('\\') {
            return Some(client_command(first, line));
        }
        let mut body = Body::default();
        let mut tokens = vec![first];
        body.step(&tokens, self.dialect);
        let end = self.collect(&mut tokens, &mut body);
        let mut fault = tokens.iter().find(|token| token.kind == Kind::Bad).map(fault_of);
        if body.depth > 0 && end == self.lexer.text.len() && self.delimiter == ";" {
            // Whatever stands behind it would be taken for its body.
            fault = Some("a body in it never ends");
        }
        let several = self.delimiter != ";" && tokens.iter().any(|token| token.op(";"));
        if several && end == self.lexer.text.len() {
            fault = Some("its delimiter does not come again, and what follows would be taken for its body");
        } else if several && !is_routine(&tokens) {
            fault = Some("it holds several statements, and whether the client sends all of them is not known");
        }
        if self.odd_delimiter {
            fault = Some("its delimiter is a mark of quotes or comments");
        }
        body.finish();
        if body.doubtful {
            fault = Some("where a body in it ends is not certain: a name in it is a word of blocks");
        }
        if self.dialect == Dialect::Postgres && copies_from_stdin(&tokens) && !self.skip_copy_data() {
            fault = Some("the data behind COPY … FROM stdin has no end mark and swallows the rest of the file");
        }
        Some(Statement { text: self.lexer.text[first.at..end].trim_end(), tokens, line, fault })
    }

    /// Reads on to what ends the statement, and says where its text ends.
    fn collect(&mut self, tokens: &mut Vec<Token<'a>>, body: &mut Body) -> usize {
        loop {
            let Some(token) = self.token() else { return self.lexer.text.len() };
            if self.at_delimiter(&token) {
                return token.at;
            }
            let ended = match token.kind {
                Kind::Op if token.text == ";" => {
                    self.delimiter == ";" && body.depth == 0 && !(self.dialect == Dialect::Mssql && is_routine(tokens))
                }
                Kind::Op => token.text.starts_with('\\'),
                Kind::Word => self.is_go(&token),
                _ => false,
            };
            if ended {
                return token.at;
            }
            if body.depth == 0 && self.begins_line_with_statement(&token, tokens) {
                self.pending = Some(token);
                return token.at;
            }
            tokens.push(token);
            body.step(tokens, self.dialect);
        }
    }
}

impl<'a> Iterator for Splitter<'a> {
    type Item = Statement<'a>;

    fn next(&mut self) -> Option<Statement<'a>> {
        self.read()
    }
}

/// Whether the token may be a part of a name: `[dbo].[t]`.
fn is_name_part(token: &Token<'_>) -> bool {
    token.op(".") || token.kind == Kind::Quoted || (token.kind == Kind::Word && !token.is("add") && !token.is("with"))
}

fn is_routine(tokens: &[Token<'_>]) -> bool {
    routine_at(tokens).is_some()
}

fn copies_from_stdin(tokens: &[Token<'_>]) -> bool {
    tokens[0].is("copy") && tokens.windows(2).any(|pair| pair[0].is("from") && pair[1].is("stdin"))
}

fn fault_of(token: &Token<'_>) -> &'static str {
    match token.text.as_bytes().first() {
        Some(b'\\') => "a command of the client program stands in it",
        Some(b'{' | b'}' | b'$') => "a template or placeholder that another tool fills in stands in it",
        Some(b'/') => "a comment in it is executed by some servers and not by others",
        _ => "a quote in it never ends",
    }
}

/// A line for the client program. The token that pg_dump writes around its output does nothing to a database.
fn client_command(token: Token<'_>, line: u32) -> Statement<'_> {
    let harmless = ["\\restrict ", "\\unrestrict ", "\\."].iter().any(|start| token.text.starts_with(start));
    let fault = (!harmless).then_some("a command of the client program, whose effect is not known");
    Statement { tokens: Vec::new(), text: token.text.trim_end(), line, fault }
}
