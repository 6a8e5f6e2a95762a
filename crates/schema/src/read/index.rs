//! Reading CREATE INDEX and the indexes that MySQL defines with a table.

use crate::cursor::{Cursor, normal};
use crate::dialect::Dialect;
use crate::lex::{Kind, Token};
use crate::statement::{Action, NewIndex};

/// Functions that fail for no value of their usual arguments.
const NEVER_FAIL: &[&str] = &[
    "lower",
    "upper",
    "trim",
    "btrim",
    "ltrim",
    "rtrim",
    "length",
    "char_length",
    "coalesce",
    "md5",
    "nullif",
    "to_tsvector",
    "left",
    "right",
    "reverse",
    "concat",
    "unaccent",
    "jsonb_path_ops",
    "greatest",
    "least",
    "casefold",
    "date",
    "year",
    "month",
    "day",
    "setweight",
    "initcap",
    "starts_with",
];

/// Reads what stands behind `CREATE [UNIQUE] … INDEX`.
pub(crate) fn create(cursor: &mut Cursor<'_, '_>, unique: bool, special: bool) -> Option<Action> {
    cursor.eat("concurrently");
    let if_not_exists = cursor.eat("if not exists");
    let name = if cursor.sees("on") { None } else { Some(cursor.name()?.name) };
    if cursor.dialect.is_mysql() && cursor.eat("using") {
        cursor.ident()?;
    }
    cursor.need("on")?;
    cursor.eat("only");
    let table = cursor.name()?;
    let mut index = empty(name, unique, special);
    if cursor.eat("using") {
        let method = cursor.ident()?;
        // Whoever sorts by distance or searches text may need an index of that kind, but no query fails without it.
        index.special |= cursor.dialect.is_mysql() && method == "rtree";
    }
    keys(cursor, &mut index)?;
    rest(cursor, &mut index)?;
    cursor.end()?;
    Some(Action::CreateIndex { table, index, if_not_exists })
}

fn empty(name: Option<String>, unique: bool, special: bool) -> NewIndex {
    NewIndex { name, unique, special, keys: Vec::new(), plain: true, may_fail: false, predicate: None }
}

fn keys(cursor: &mut Cursor<'_, '_>, index: &mut NewIndex) -> Option<()> {
    for mut part in cursor.group()?.parts() {
        let whole = part.rest();
        let column = part.ident();
        // A prefix in MySQL, an operator class or an order elsewhere.
        let prefixed = part.dialect.is_mysql() && part.sees_op("(");
        let is_column = column.is_some() && !part.sees_op("(") && !part.sees_op(".") && !part.sees_op("->>");
        if let Some(column) = column.filter(|_| is_column || prefixed) {
            index.plain &= !prefixed;
            index.keys.push(if prefixed { normal(whole) } else { column });
        } else {
            index.plain = false;
            index.may_fail |= may_fail(whole);
            index.keys.push(normal(whole));
        }
    }
    Some(())
}

fn rest(cursor: &mut Cursor<'_, '_>, index: &mut NewIndex) -> Option<()> {
    while !cursor.done() {
        if cursor.eat("where") {
            index.may_fail |= may_fail(cursor.rest()) && cursor.dialect == Dialect::Postgres;
            index.predicate = Some(normal(cursor.rest()));
            cursor.skip_rest();
        } else if cursor.eat("include") || cursor.eat("with") {
            cursor.group()?;
        } else if cursor.eat("nulls not distinct") {
            index.plain = false;
        } else if cursor.eat("tablespace") || cursor.eat("on") || cursor.eat("using") {
            cursor.ident()?;
        } else if cursor.eat("comment") {
            cursor.string()?;
        } else if cursor.eat("nulls distinct") || cursor.eat("invisible") || cursor.eat("visible") {
        } else if let Some(_option) = cursor.eat_any(&["algorithm", "lock", "key_block_size", "parser", "with parser"])
        {
            cursor.op("=");
            cursor.next()?;
        } else {
            return None;
        }
    }
    Some(())
}

/// Whether computing the expression may fail on some row: a cast, a division, a function not known to be harmless.
fn may_fail(tokens: &[Token<'_>]) -> bool {
    tokens.iter().enumerate().any(|(index, token)| {
        let calls = token.kind == Kind::Word && tokens.get(index + 1).is_some_and(|next| next.op("("));
        let keyword = ["and", "or", "not", "in", "any", "is"].iter().any(|word| token.is(word));
        match token.kind {
            Kind::Word if calls && !keyword => !NEVER_FAIL.iter().any(|name| token.is(name)),
            Kind::Op if token.text == "::" => {
                !tokens.get(index + 1).is_some_and(|ty| ["text", "varchar", "regconfig"].iter().any(|name| ty.is(name)))
            }
            Kind::Op => matches!(token.text, "/" | "%" | "*" | "+" | "-"),
            _ => token.is("cast"),
        }
    })
}

/// Whether an index begins here inside MySQL's CREATE TABLE.
pub(crate) fn begins_in_table(cursor: &Cursor<'_, '_>) -> bool {
    let names = ["key", "index"].iter().any(|word| cursor.sees(word)) && cursor.rest().len() > 1;
    let special = ["fulltext", "spatial"].iter().any(|word| cursor.sees(word)) && cursor.rest().len() > 2;
    names || special
}

/// Reads an index inside MySQL's CREATE TABLE or behind ADD.
pub(crate) fn in_table(cursor: &mut Cursor<'_, '_>) -> Option<NewIndex> {
    let special = cursor.eat("fulltext") || cursor.eat("spatial");
    let _ = cursor.eat("key") || cursor.eat("index");
    cursor.eat("if not exists");
    let name = if cursor.sees_op("(") || cursor.sees("using") { None } else { Some(cursor.ident()?) };
    if cursor.eat("using") {
        cursor.ident()?;
    }
    let mut index = empty(name, false, special);
    keys(cursor, &mut index)?;
    rest(cursor, &mut index)?;
    Some(index)
}
