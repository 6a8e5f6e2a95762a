//! Words, names, literals and marks of a text, per dialect, without copying it.

use crate::dialect::Dialect;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A keyword or a name without quotes.
    Word,
    /// A name in quotes, backticks or brackets.
    Quoted,
    /// A string literal, dollar quotes included.
    Str,
    /// A number.
    Num,
    /// An operator or a mark.
    Op,
    /// What the dialect does not know: a template, a client command, a quote that never ends.
    Bad,
}

/// A token: a slice of the text it was read from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    /// What it is.
    pub(crate) kind: Kind,
    /// The slice, quotes included.
    pub(crate) text: &'a str,
    /// Where it begins.
    pub(crate) at: usize,
}

impl Token<'_> {
    /// Whether it is this keyword, in whatever case.
    pub(crate) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether it is this mark.
    pub(crate) fn op(&self, mark: &str) -> bool {
        self.kind == Kind::Op && self.text == mark
    }
}

/// Reads a text token by token.
pub(crate) struct Lexer<'a> {
    pub(crate) text: &'a str,
    pub(crate) at: usize,
    dialect: Dialect,
    /// Executable comments that are open: their content is read, their end is skipped.
    open_comments: usize,
}

/// Marks of more than one character, longest first.
const MARKS: &[&str] = &["->>", "::", ":=", "||", "->", "<>", "<=", ">=", "!=", "=>", "@@"];

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str, dialect: Dialect) -> Self {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, at, dialect, open_comments: 0 }
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    pub(crate) fn byte(&self, ahead: usize) -> u8 {
        self.bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    /// The next token, comments and blanks passed over.
    pub(crate) fn token(&mut self) -> Option<Token<'a>> {
        while self.skip_blank() {}
        let start = self.at;
        if start >= self.text.len() {
            return None;
        }
        let kind = self.scan();
        // A scan ends between characters: it stops at ASCII only, or at the end.
        while !self.text.is_char_boundary(self.at) {
            self.at += 1;
        }
        Some(Token { kind, text: &self.text[start..self.at], at: start })
    }

    fn scan(&mut self) -> Kind {
        let (first, next) = (self.byte(0), self.byte(1));
        match first {
            b'\'' => self.string(b'\'', self.dialect.is_mysql()),
            b'"' if self.dialect.is_mysql() => self.string(b'"', true),
            b'"' => self.quoted(b'"'),
            b'`' if self.dialect.is_mysql() || self.dialect == Dialect::Sqlite => self.quoted(b'`'),
            b'[' if matches!(self.dialect, Dialect::Sqlite | Dialect::Mssql) => self.quoted(b']'),
            b'$' if self.dialect == Dialect::Postgres => self.dollar(),
            b'\\' => self.client_command(),
            // Left over by what passes over comments: some servers execute it, others do not.
            b'/' if next == b'*' => self.doubtful_comment(),
            b'{' | b'}' => self.one(Kind::Bad),
            b'0'..=b'9' => self.number(),
            b'.' if next.is_ascii_digit() && !self.follows_name() => self.number(),
            b'e' | b'E' if next == b'\'' && self.dialect == Dialect::Postgres => {
                self.at += 1;
                self.string(b'\'', true)
            }
            b'n' | b'N' | b'b' | b'B' | b'x' | b'X' if next == b'\'' => {
                self.at += 1;
                self.string(b'\'', self.dialect.is_mysql())
            }
            b'@' if self.dialect.is_mysql() || self.dialect == Dialect::Mssql => self.word(),
            b'#' if self.dialect == Dialect::Mssql => self.word(),
            _ if is_name(first) => self.word(),
            _ => self.mark(),
        }
    }

    fn one(&mut self, kind: Kind) -> Kind {
        self.at += 1;
        kind
    }

    fn follows_name(&self) -> bool {
        self.at > 0 && {
            let before = self.bytes()[self.at - 1];
            is_name(before) || matches!(before, b'"' | b'`' | b']')
        }
    }

    fn word(&mut self) -> Kind {
        self.at += 1;
        while is_name(self.byte(0)) || self.continues_name(self.byte(0)) {
            self.at += 1;
        }
        Kind::Word
    }

    /// `#` begins a comment of MySQL and is an operator of PostgreSQL, also right behind a name.
    fn continues_name(&self, byte: u8) -> bool {
        match byte {
            b'$' => self.dialect != Dialect::Sqlite,
            b'@' => self.dialect.is_mysql() || self.dialect == Dialect::Mssql,
            b'#' => self.dialect == Dialect::Mssql,
            _ => false,
        }
    }

    fn number(&mut self) -> Kind {
        while self.byte(0).is_ascii_alphanumeric() || matches!(self.byte(0), b'.' | b'_') {
            let exponent = matches!(self.byte(0), b'e' | b'E') && matches!(self.byte(1), b'+' | b'-');
            self.at += if exponent { 2 } else { 1 };
        }
        Kind::Num
    }

    fn mark(&mut self) -> Kind {
        let rest = &self.bytes()[self.at..];
        let length = MARKS.iter().find(|mark| rest.starts_with(mark.as_bytes())).map_or(1, |mark| mark.len());
        self.at += length;
        Kind::Op
    }

    /// A string; a quote in it is doubled or, where the dialect has it, escaped.
    fn string(&mut self, quote: u8, escapes: bool) -> Kind {
        self.at += 1;
        while self.at < self.text.len() {
            let byte = self.byte(0);
            let escaped = byte == b'\\' && escapes;
            if escaped || (byte == quote && self.byte(1) == quote) {
                self.at += 2;
            } else if byte == quote {
                return self.one(Kind::Str);
            } else {
                self.at += 1;
            }
        }
        self.at = self.text.len();
        Kind::Bad
    }

    fn quoted(&mut self, end: u8) -> Kind {
        self.at += 1;
        while self.at < self.text.len() {
            if self.byte(0) == end {
                if self.byte(1) != end {
                    return self.one(Kind::Quoted);
                }
                self.at += 1;
            }
            self.at += 1;
        }
        self.at = self.text.len();
        Kind::Bad
    }

    /// `$tag$ … $tag$`, or a parameter `$1`.
    fn dollar(&mut self) -> Kind {
        let rest = &self.text[self.at..];
        let tag = rest[1..].bytes().take_while(|byte| is_name(*byte)).count();
        if rest.as_bytes().get(1 + tag) != Some(&b'$') || rest.as_bytes()[1].is_ascii_digit() {
            // A parameter, or a placeholder that some tool fills in.
            let kind =
                if tag > 0 && rest[1..=tag].bytes().all(|byte| byte.is_ascii_digit()) { Kind::Op } else { Kind::Bad };
            self.at += 1 + tag;
            return kind;
        }
        let (mark, body) = rest.split_at(tag + 2);
        match body.find(mark) {
            Some(end) => {
                self.at += mark.len() + end + mark.len();
                Kind::Str
            }
            None => {
                self.at = self.text.len();
                Kind::Bad
            }
        }
    }

    /// A command of the client program, up to the line's end.
    fn client_command(&mut self) -> Kind {
        if self.dialect.is_mysql() && matches!(self.byte(1), b'g' | b'G') {
            self.at += 2;
            return Kind::Op;
        }
        self.skip_line();
        Kind::Bad
    }

    pub(crate) fn skip_line(&mut self) {
        let rest = &self.bytes()[self.at..];
        self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    }

    /// A comment up to the end of its line, which PostgreSQL sees at a lone carriage return as well.
    fn skip_comment(&mut self) {
        let rest = &self.bytes()[self.at..];
        let ends = |byte: &u8| *byte == b'\n' || (*byte == b'\r' && self.dialect == Dialect::Postgres);
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
    }

    /// Passes over one comment or a run of blanks. Says whether there was any.
    fn skip_blank(&mut self) -> bool {
        let start = self.at;
        while self.at < self.text.len() && (self.byte(0).is_ascii_whitespace() || self.byte(0) == 0x0b) {
            self.at += 1;
        }
        match (self.byte(0), self.byte(1)) {
            (b'-', b'-') if self.dashes_are_comment() => self.skip_comment(),
            (b'#', _) if self.dialect.is_mysql() => self.skip_line(),
            (b'*', b'/') if self.open_comments > 0 => {
                self.open_comments -= 1;
                self.at += 2;
            }
            (b'/', b'*') if self.executable() != Executable::Doubtful => self.block_comment(),
            _ => {}
        }
        self.at > start
    }

    /// MySQL wants a blank behind two dashes: `--1` is a number, twice negated.
    fn dashes_are_comment(&self) -> bool {
        let after = self.byte(2);
        !self.dialect.is_mysql() || after.is_ascii_whitespace() || after.is_ascii_control()
    }

    /// `/* … */`; nested where the dialect nests them. What MySQL or MariaDB would execute is opened instead of skipped.
    fn block_comment(&mut self) {
        if let Executable::Always(mark) = self.executable() {
            self.at += 2 + mark;
            self.open_comments += 1;
            return;
        }
        let nests = matches!(self.dialect, Dialect::Postgres | Dialect::Mssql);
        let mut depth = 0_usize;
        while self.at < self.text.len() {
            match (self.byte(0), self.byte(1)) {
                (b'/', b'*') if nests || depth == 0 => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth = depth.saturating_sub(1);
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    fn doubtful_comment(&mut self) -> Kind {
        let rest = &self.text[self.at..];
        self.at += rest.find("*/").map_or(rest.len(), |end| end + 2);
        Kind::Bad
    }

    /// `/*! … */`, `/*!50100 … */` and `/*M! … */`. MariaDB leaves out versions 50700 to 99999, which only MySQL has, and
    /// MySQL all that begins with `M!`. What every server in use executes is read; what some do is not understood: read,
    /// it could take back what others leave done. That a file is MySQL's is mostly a guess, so that MariaDB counts there.
    /// Source: <https://mariadb.com/kb/en/comment-syntax/>, <https://dev.mysql.com/doc/refman/8.4/en/comments.html>.
    fn executable(&self) -> Executable {
        let rest = self.bytes().get(self.at + 2..).unwrap_or_default();
        let only_mariadb = rest.starts_with(b"M!");
        let mark = if only_mariadb { 2 } else { 1 };
        if !self.dialect.is_mysql() || !(only_mariadb || rest.starts_with(b"!")) {
            return Executable::Never;
        }
        let digits = rest[mark..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !matches!(digits, 0 | 5 | 6) {
            return Executable::Doubtful;
        }
        let version = self.text[self.at + 2 + mark..][..digits].parse::<u32>().unwrap_or(0);
        match (self.dialect, version) {
            (Dialect::Mariadb, 50_700..=99_999) if !only_mariadb => Executable::Never,
            (Dialect::Mariadb, 0..=OLDEST_MARIADB) => Executable::Always(mark + digits),
            (Dialect::Mysql, 0..=50_699) if !only_mariadb => Executable::Always(mark + digits),
            _ => Executable::Doubtful,
        }
    }
}

/// MariaDB 10.5, the oldest that was maintained in 2025.
const OLDEST_MARIADB: u32 = 100_500;

/// What becomes of a comment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Executable {
    /// No server reads it.
    Never,
    /// Every server in use executes it; its mark has this many bytes.
    Always(usize),
    /// That depends on the server.
    Doubtful,
}

/// Whether the byte stands in a name without quotes. Bytes beyond ASCII do in all dialects.
pub(crate) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
