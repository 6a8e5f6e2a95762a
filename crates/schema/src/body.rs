//! Bodies that hold semicolons without quoting them: `BEGIN ATOMIC … END`, a trigger's `BEGIN … END`.
//!
//! Blocks begin and end where a statement may begin, nowhere else: a column may be called `begin` or `end`. Where it is
//! not certain which is meant, the end of the body is not known, and what follows could be taken for a part of it.

use crate::dialect::Dialect;
use crate::lex::{Kind, Token};

/// Follows a statement token by token.
#[derive(Default)]
pub(crate) struct Body {
    /// Blocks that are open.
    pub(crate) depth: usize,
    /// A word of blocks stood where none begins or ends.
    pub(crate) doubtful: bool,
    /// CASE expressions that are open.
    cases: usize,
    routine: bool,
    /// The last token that opened a block or ended a statement: behind it a statement may begin.
    starts: bool,
    /// The last token was an END that no CASE expression took: whether a statement may begin where it stood.
    ended: Option<bool>,
    /// Parentheses that are open.
    parens: usize,
    /// The body is a single statement, without a block around it.
    single: bool,
}

impl Body {
    /// Takes in the last of the tokens.
    pub(crate) fn step(&mut self, tokens: &[Token<'_>], dialect: Dialect) {
        let Some(last) = tokens.last() else { return };
        self.routine = self.routine || (tokens.len() <= HEAD && routine_at(tokens).is_some());
        let block = dialect == Dialect::Mssql && tokens[0].is("if");
        if !self.routine && !block {
            return;
        }
        let before = tokens.len().checked_sub(2).map(|at| tokens[at]);
        let starts = std::mem::take(&mut self.starts);
        if let Some(at_start) = self.ended.take() {
            self.behind_end(last, at_start, dialect);
        }
        if last.kind != Kind::Word {
            self.mark(last, before);
            return;
        }
        // `NEW.end` is a column.
        if before.is_some_and(|before| before.op(".")) {
            return;
        }
        if last.is("begin") {
            self.begin(before, starts, dialect);
        } else if last.is("atomic") && dialect == Dialect::Postgres && before.is_some_and(|before| before.is("begin")) {
            self.doubtful |= self.parens > 0;
            (self.depth, self.starts) = (self.depth + 1, true);
        } else if last.is("case") {
            // At a statement's beginning it is one of its own, whose branches hold statements.
            self.cases += usize::from(!starts || self.depth == 0);
        } else if last.is("end") {
            self.end(starts, dialect);
        } else if self.cases == 0 && ["then", "else", "do", "loop", "repeat"].iter().any(|word| last.is(word)) {
            self.starts = true;
            self.single |= self.depth == 0 && last.is("then");
        } else if dialect == Dialect::Mssql && before.is_some_and(|before| before.is("begin")) {
            // BEGIN TRANSACTION opens no block.
            let opens = !last.is("tran") && !last.is("transaction");
            self.depth -= usize::from(!opens && self.depth > 0);
        } else if dialect.is_mysql() && self.depth == 0 && self.parens == 0 {
            self.single |= is_statement(last, before);
        }
    }

    /// What is left open when the statement ends.
    pub(crate) fn finish(&mut self) {
        self.doubtful |= self.ended.take() == Some(false);
    }

    fn mark(&mut self, last: &Token<'_>, before: Option<Token<'_>>) {
        if last.op("(") {
            self.parens += 1;
        } else if last.op(")") {
            self.parens = self.parens.saturating_sub(1);
        } else if last.op(";") {
            self.doubtful |= self.cases > 0;
            (self.starts, self.parens) = (true, 0);
        } else if last.op(":") {
            // A label before LOOP or BEGIN.
            self.starts = before.is_some_and(|before| matches!(before.kind, Kind::Word | Kind::Quoted));
        }
    }

    fn begin(&mut self, before: Option<Token<'_>>, starts: bool, dialect: Dialect) {
        if dialect == Dialect::Postgres {
            return;
        }
        // A routine's head ends at its first BEGIN; behind these words it is a name.
        const NAMES: &[&str] = &[
            "of",
            "trigger",
            "procedure",
            "function",
            "event",
            "on",
            "exists",
            "follows",
            "precedes",
            "from",
            "select",
        ];
        let behind_name = before.is_none_or(|before| {
            let mark = before.kind == Kind::Op && !matches!(before.text, ")" | ";" | ":");
            mark || NAMES.iter().any(|word| before.is(word))
        });
        let in_head = self.depth == 0 && !self.single && !behind_name && self.parens == 0;
        if self.cases > 0 || !(in_head || starts || dialect == Dialect::Mssql) {
            self.doubtful = true;
            return;
        }
        (self.depth, self.starts) = (self.depth + 1, true);
    }

    fn end(&mut self, starts: bool, dialect: Dialect) {
        if self.cases > 0 && !starts {
            self.cases -= 1;
            return;
        }
        self.depth = self.depth.saturating_sub(1);
        // `UNTIL done END REPEAT` is told by its next word; elsewhere `end` is a name.
        self.ended = Some(starts || dialect == Dialect::Mssql);
        self.doubtful |= !starts && !dialect.is_mysql() && dialect != Dialect::Mssql;
    }

    /// `END IF` and its like close no block that was counted.
    fn behind_end(&mut self, last: &Token<'_>, at_start: bool, dialect: Dialect) {
        let closes = |words: &[&str]| dialect.is_mysql() && words.iter().any(|word| last.is(word));
        if !at_start {
            self.doubtful |= !closes(&["repeat"]);
        }
        if closes(&["if", "loop", "while", "repeat", "case"]) {
            self.depth += 1;
        } else if self.depth > 0 && !last.op(";") && dialect != Dialect::Mssql {
            // A label of MySQL goes before the mark.
            self.doubtful |= !(dialect.is_mysql() && matches!(last.kind, Kind::Word | Kind::Quoted));
        }
    }
}

/// Whether a statement begins here that is the whole body of a routine of MySQL.
fn is_statement(token: &Token<'_>, before: Option<Token<'_>>) -> bool {
    let timing = before.is_some_and(|before| ["after", "before", "or"].iter().any(|word| before.is(word)));
    let words = ["select", "update", "insert", "delete", "replace", "set", "call", "return", "while", "with"];
    !timing && words.iter().any(|word| token.is(word))
}

/// The longest head before the word that says what is made: `CREATE OR REPLACE DEFINER = 'a' @ 'b' … TRIGGER`.
const HEAD: usize = 14;

/// Where the word stands that makes the statement one about a routine, a trigger or an event.
pub(crate) fn routine_at(tokens: &[Token<'_>]) -> Option<usize> {
    let first = tokens.first()?;
    if !first.is("create") && !first.is("alter") {
        return None;
    }
    const KINDS: &[&str] = &["function", "procedure", "proc", "trigger", "event", "aggregate"];
    const BEFORE: &[&str] = &["or", "replace", "alter", "temp", "temporary", "constraint", "definer"];
    const OTHERS: &[&str] = &["table", "view", "index", "sequence", "user", "role", "database", "schema"];
    let is_one = |token: &Token<'_>, words: &[&str]| words.iter().any(|word| token.is(word));
    let mut definer = false;
    for (at, token) in tokens.iter().enumerate().take(HEAD).skip(1) {
        if is_one(token, KINDS) {
            return Some(at);
        }
        // Behind DEFINER comes a user in whatever spelling.
        definer |= token.is("definer");
        if is_one(token, OTHERS) || !(definer || is_one(token, BEFORE)) {
            return None;
        }
    }
    None
}
