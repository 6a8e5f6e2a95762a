//! Reading statements that change or read rows.

use crate::cursor::{Cursor, Name, normal};
use crate::dialect::Dialect;
use crate::lex::Token;
use crate::read::calls::calls;
use crate::statement::{Action, CopyFrom};
use crate::verdict::Verdict;

fn contains(tokens: &[Token<'_>], words: &[&str]) -> bool {
    tokens.iter().any(|token| words.iter().any(|word| token.is(word)))
}

/// SELECT, VALUES, TABLE: nothing, unless it calls what may do anything or makes a table.
pub(crate) fn select(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    let tokens = cursor.rest();
    if let Some(into) = tokens.iter().position(|token| token.is("into")).filter(|_| tokens[0].is("select")) {
        return select_into(cursor, &tokens[into + 1..]);
    }
    cursor.skip_rest();
    if calls(tokens) {
        return sets_sequence(tokens);
    }
    Some(Action::Nothing)
}

/// `SELECT setval('s', n)` is the one call that migrations make all the time.
fn sets_sequence(tokens: &[Token<'_>]) -> Option<Action> {
    let sets = contains(tokens, &["setval"]) && tokens.iter().filter(|token| token.op("(")).count() == 1;
    sets.then(|| {
        Action::Judged(
            Verdict::Contract,
            "the sequence is set by hand: its next number may meet a key that exists".to_owned(),
        )
    })
}

fn select_into(cursor: &mut Cursor<'_, '_>, behind: &[Token<'_>]) -> Option<Action> {
    if !matches!(cursor.dialect, Dialect::Postgres | Dialect::Mssql) {
        return None;
    }
    let mut into = Cursor::new(behind, cursor.dialect);
    let temporary =
        into.eat_any(&["temporary", "temp", "unlogged", "table"]).is_some_and(|word| word.starts_with("temp"));
    into.eat("table");
    let name = into.name()?;
    cursor.skip_rest();
    let temporary = temporary || name.name.starts_with('#');
    let table = crate::statement::NewTable { name: Some(name), temporary, from_select: true, ..Default::default() };
    Some(Action::CreateTable(Box::new(table)))
}

/// A statement behind WITH: what it does is the gravest of its parts.
pub(crate) fn with(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    let tokens = cursor.rest();
    let changes = |word: &str| tokens.iter().any(|token| token.is(word));
    if changes("update") || changes("delete") || changes("merge") || changes("replace") {
        cursor.skip_rest();
        // Which tables are meant, old or new, stays open: taken for old ones.
        return Some(Action::Judged(Verdict::Data, "rows that exist are changed or removed".to_owned()));
    }
    if let Some(at) = tokens.iter().rposition(|token| token.is("insert")) {
        let mut inner = Cursor::new(&tokens[at..], cursor.dialect);
        let found = insert(&mut inner)?;
        cursor.skip_rest();
        return Some(found);
    }
    cursor.skip_rest();
    (!calls_besides_names(tokens)).then_some(Action::Nothing)
}

fn calls_besides_names(tokens: &[Token<'_>]) -> bool {
    // `WITH name (columns) AS (`: the name before the parentheses calls nothing.
    calls(tokens.get(2..).unwrap_or_default())
}

/// INSERT and REPLACE.
pub(crate) fn insert(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    let mut overwrites = cursor.eat("replace");
    if !overwrites {
        cursor.need("insert")?;
        while let Some(word) = cursor.eat_any(&[
            "or replace",
            "or ignore",
            "or abort",
            "or fail",
            "or rollback",
            "ignore",
            "low_priority",
            "delayed",
            "high_priority",
        ]) {
            overwrites |= word == "or replace";
        }
    }
    let into = cursor.eat("into");
    if !into && cursor.dialect == Dialect::Postgres {
        return None;
    }
    let table = cursor.name()?;
    if cursor.eat("as") {
        cursor.ident()?;
    }
    let columns = cursor.ident_list();
    cursor.eat_any(&["overriding system value", "overriding user value"]);
    let tokens = cursor.rest();
    overwrites |= contains_pair(tokens, "do", "update") || contains_pair(tokens, "duplicate", "key");
    let copies = copy(cursor, columns.unwrap_or_default());
    cursor.skip_rest();
    Some(Action::Insert { table, overwrites, copies })
}

fn contains_pair(tokens: &[Token<'_>], first: &str, second: &str) -> bool {
    tokens.windows(2).any(|pair| pair[0].is(first) && pair[1].is(second))
}

/// `INSERT INTO new (…) SELECT … FROM old`, rows copied from one table.
fn copy(cursor: &Cursor<'_, '_>, columns: Vec<String>) -> Option<CopyFrom> {
    let mut inner = *cursor;
    inner.need("select")?;
    let items = inner.until(|token| token.is("from"));
    inner.need("from")?;
    let from = inner.name()?;
    let every_row = inner.done();
    let items = Cursor::new(items, cursor.dialect).parts();
    if items.len() == 1 && items[0].rest().len() == 1 && items[0].sees_op("*") {
        return Some(CopyFrom { from, columns: Vec::new(), every_row: every_row && columns.is_empty() });
    }
    let sources: Vec<String> = items.iter().map(|item| source(*item)).collect();
    // Without a list of targets the order of the new table's columns decides: marked by a number.
    let targets = if columns.is_empty() { (0..sources.len()).map(|at| format!("#{at}")).collect() } else { columns };
    (targets.len() == sources.len()).then(|| CopyFrom {
        from,
        columns: targets.into_iter().zip(sources).collect(),
        every_row,
    })
}

/// A plain column's name, or the expression's text marked as one.
fn source(mut item: Cursor<'_, '_>) -> String {
    let text = normal(item.rest());
    let name = item.ident();
    match name {
        Some(name) if item.done() => name,
        _ => format!("={text}"),
    }
}

/// UPDATE.
pub(crate) fn update(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    cursor.need("update")?;
    // Rows that stand in the way are removed.
    let replaces = cursor.eat("or replace");
    cursor.eat_any(&["only", "low_priority", "ignore", "or ignore", "or abort", "or fail", "or rollback"]);
    let targets = cursor.until(|token| token.is("set"));
    let mut inner = Cursor::new(targets, cursor.dialect);
    let single = !targets.iter().any(|token| token.op(",") || token.is("join") || token.op("("));
    let table = inner.name()?;
    cursor.need("set")?;
    let assigned =
        cursor.until(|token| ["where", "from", "returning", "order", "limit"].iter().any(|word| token.is(word)));
    let mut columns = Vec::new();
    for mut part in Cursor::new(assigned, cursor.dialect).parts() {
        if let Some(list) = part.ident_list() {
            columns.extend(list);
        } else {
            columns.push(part.name()?.name);
        }
    }
    cursor.skip_rest();
    // Several tables at once: whose the columns are stays open.
    let columns = if single && !replaces && !is_alias(&inner, cursor.dialect) { columns } else { Vec::new() };
    Some(Action::Update { tables: vec![table], columns })
}

/// SQL Server names an alias before SET and the table behind FROM.
fn is_alias(inner: &Cursor<'_, '_>, dialect: Dialect) -> bool {
    dialect == Dialect::Mssql && !inner.done()
}

/// DELETE.
pub(crate) fn delete(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    cursor.need("delete")?;
    cursor.eat_any(&["low_priority", "quick", "ignore"]);
    let from = cursor.eat("from");
    cursor.eat("only");
    let table = cursor.name()?;
    let several = cursor.rest().iter().any(|token| token.is("join") || token.is("using")) || !from;
    cursor.skip_rest();
    // With an alias or a join the table is not told from the first name.
    let tables = if several { Vec::new() } else { vec![table] };
    Some(Action::Remove { tables, what: "rows are deleted" })
}

/// TRUNCATE.
pub(crate) fn truncate(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    cursor.need("truncate")?;
    cursor.eat("table");
    cursor.eat("only");
    let mut tables: Vec<Name> = cursor.names()?;
    cursor.eat_any(&["restart identity", "continue identity"]);
    if cursor.eat("cascade") {
        // Tables that refer to these are emptied too.
        tables.clear();
    }
    cursor.eat("restrict");
    cursor.end()?;
    Some(Action::Remove { tables, what: "all rows are removed" })
}

/// MERGE.
pub(crate) fn merge(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    cursor.need("merge")?;
    cursor.eat("into");
    let table = cursor.name()?;
    cursor.skip_rest();
    Some(Action::Remove { tables: vec![table], what: "rows are merged over those that exist" })
}

/// COPY.
pub(crate) fn copy_statement(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    cursor.need("copy")?;
    if contains(cursor.rest(), &["program"]) {
        return None;
    }
    if let Some(query) = cursor.group() {
        let harmless = cursor.eat("to") && !calls(query.rest());
        cursor.skip_rest();
        return (harmless && !contains(query.rest(), &["delete", "update", "insert", "merge"]))
            .then_some(Action::Nothing);
    }
    let table = cursor.name()?;
    cursor.group();
    let into = cursor.eat("from");
    if !into {
        cursor.need("to")?;
    }
    cursor.skip_rest();
    Some(if into { Action::Insert { table, overwrites: false, copies: None } } else { Action::Nothing })
}
