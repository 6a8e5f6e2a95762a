//! Reading a column's definition.

use crate::cursor::{Cursor, normal};
use crate::dialect::Dialect;
use crate::lex::{Kind, Token};
use crate::read::constraint;
use crate::read::types::ty;
use crate::statement::{Identity, NewColumn, NewConstraint, Rule};

/// Words at which the expression of a DEFAULT ends.
const AFTER_DEFAULT: &[&str] = &[
    "not",
    "null",
    "constraint",
    "check",
    "unique",
    "primary",
    "references",
    "collate",
    "generated",
    "on",
    "comment",
    "auto_increment",
    "first",
    "after",
    "invisible",
    "visible",
    "key",
    "deferrable",
    "identity",
    "storage",
    "as",
    "with",
    "initially",
    "using",
];

/// Reads a column's definition to its end.
pub(crate) fn column(cursor: &mut Cursor<'_, '_>) -> Option<NewColumn> {
    let name = cursor.ident()?;
    definition(cursor, name)
}

/// Reads what stands behind a column's name.
pub(crate) fn definition(cursor: &mut Cursor<'_, '_>, name: String) -> Option<NewColumn> {
    let mut column = NewColumn { name, ..NewColumn::default() };
    let serial = cursor.peek().is_some_and(is_serial);
    if !cursor.sees("as") {
        column.ty = ty(cursor)?;
    }
    match cursor.dialect {
        Dialect::Postgres => column.serial = serial,
        Dialect::Mysql | Dialect::Mariadb if serial => {
            column.auto_increment = true;
            column.not_null = true;
            column.constraints.push(of_column(&column, Rule::Unique));
        }
        _ => {}
    }
    column.not_null |= column.serial;
    while !cursor.done() {
        attribute(cursor, &mut column)?;
    }
    Some(column)
}

fn is_serial(token: &Token<'_>) -> bool {
    ["serial", "bigserial", "smallserial", "serial4", "serial8", "serial2"].iter().any(|word| token.is(word))
}

fn of_column(column: &NewColumn, rule: Rule) -> NewConstraint {
    constraint::plain(rule, vec![column.name.clone()])
}

fn attribute(cursor: &mut Cursor<'_, '_>, column: &mut NewColumn) -> Option<()> {
    let name = if cursor.eat("constraint") { Some(cursor.ident()?) } else { None };
    if keys(cursor, column, name.as_ref())? || values(cursor, column)? {
        return Some(());
    }
    let looks = cursor.eat("invisible");
    column.invisible |= looks;
    if looks || cursor.eat("visible") || cursor.eat("sparse") || cursor.eat("rowguidcol") || cursor.eat("enable") {
        return Some(());
    }
    if cursor.eat("comment") {
        column.comment = true;
        return cursor.string().map(|_| ());
    }
    if cursor.eat("collate") {
        let collation = cursor.name().map(|name| name.name).or_else(|| cursor.string());
        column.ty.collation = Some(collation?);
        return Some(());
    }
    if cursor.eat("storage") || cursor.eat("compression") || cursor.eat("column_format") {
        return cursor.ident().map(|_| ());
    }
    if cursor.eat("character set") || cursor.eat("charset") {
        column.ty.charset = Some(cursor.ident()?);
        return Some(());
    }
    if cursor.eat("first") {
        column.placed = true;
        return Some(());
    }
    if cursor.eat("after") {
        column.placed = true;
        return cursor.ident().map(|_| ());
    }
    None
}

/// NOT NULL, keys, checks and references. Says whether there was one.
fn keys(cursor: &mut Cursor<'_, '_>, column: &mut NewColumn, name: Option<&String>) -> Option<bool> {
    if cursor.eat("not null") {
        column.not_null = true;
        return (!conflict_clause(cursor)?).then_some(true);
    }
    if cursor.eat("null") {
        column.null = true;
        return Some(true);
    }
    let rule = if cursor.eat("primary key") || (cursor.dialect.is_mysql() && cursor.eat("key")) {
        cursor.eat("clustered");
        cursor.eat("nonclustered");
        cursor.eat("asc");
        column.not_null |= cursor.dialect != Dialect::Sqlite;
        Rule::Primary
    } else if cursor.eat("unique") {
        cursor.eat("key");
        Rule::Unique
    } else if cursor.sees("check") {
        Rule::Check
    } else if cursor.sees("references") {
        Rule::Foreign
    } else {
        return Some(false);
    };
    let mut made = match rule {
        Rule::Check => constraint::check(cursor)?,
        Rule::Foreign => constraint::references(cursor, vec![column.name.clone()])?,
        _ => of_column(column, rule),
    };
    if conflict_clause(cursor)? {
        made.text.push_str(" on conflict otherwise");
    }
    made.name = name.cloned();
    constraint::timing(cursor, &mut made)?;
    column.constraints.push(made);
    if cursor.dialect == Dialect::Sqlite && cursor.eat("autoincrement") {
        column.auto_increment = true;
    }
    Some(true)
}

/// SQLite's ON CONFLICT behind a constraint. Says whether it takes refused rows for something else than a failure.
pub(crate) fn conflict_clause(cursor: &mut Cursor<'_, '_>) -> Option<bool> {
    if cursor.dialect != Dialect::Sqlite || !cursor.eat("on conflict") {
        return Some(false);
    }
    if cursor.eat("abort") || cursor.eat("fail") || cursor.eat("rollback") {
        return Some(false);
    }
    (cursor.eat("replace") || cursor.eat("ignore")).then_some(true)
}

/// Where values come from: defaults, expressions, identities.
fn values(cursor: &mut Cursor<'_, '_>, column: &mut NewColumn) -> Option<bool> {
    if cursor.eat("default") {
        let tokens = default_tokens(cursor);
        column.default_varies =
            tokens.iter().any(|token| token.op("(")) || tokens.iter().any(|token| token.is("newid"));
        column.default = default_text(tokens);
        return Some(true);
    }
    if cursor.eat("auto_increment") {
        column.auto_increment = true;
        column.not_null = true;
        return Some(true);
    }
    if cursor.eat("on update") {
        column.on_update = Some(normal(cursor.until(is_after_default)));
        return Some(true);
    }
    if cursor.dialect == Dialect::Mssql && cursor.eat("identity") {
        cursor.group();
        column.identity = Some(Identity::Always);
        return Some(true);
    }
    let identity = if cursor.eat("generated always as identity") {
        Some(Identity::Always)
    } else {
        cursor.eat("generated by default as identity").then_some(Identity::ByDefault)
    };
    if identity.is_some() {
        cursor.group();
        column.identity = identity;
        column.not_null = true;
        return Some(true);
    }
    if cursor.eat("generated always as") || cursor.eat("as") {
        column.generated = Some(normal(cursor.group()?.rest()));
        cursor.eat_any(&["stored", "virtual", "persistent", "persisted"]);
        return Some(true);
    }
    Some(false)
}

fn is_after_default(token: &Token<'_>) -> bool {
    token.op(",") || (token.kind == Kind::Word && AFTER_DEFAULT.iter().any(|word| token.is(word)))
}

/// The tokens of a DEFAULT's expression.
pub(crate) fn default_tokens<'t, 'a>(cursor: &mut Cursor<'t, 'a>) -> &'t [Token<'a>] {
    cursor.until(is_after_default)
}

/// A default as it is compared: casts and outer parentheses gone, NULL the same as none.
pub(crate) fn default_text(mut tokens: &[Token<'_>]) -> Option<String> {
    while let [first, inner @ .., last] = tokens {
        if !(first.op("(") && last.op(")")) || closes_early(inner) {
            break;
        }
        tokens = inner;
    }
    if let Some(cast) = tokens.iter().position(|token| token.op("::")) {
        let only_cast = tokens[cast + 1..]
            .iter()
            .all(|token| token.kind != Kind::Op || matches!(token.text, "(" | ")" | "[" | "]" | "." | ","));
        if only_cast && cast == 1 {
            tokens = &tokens[..cast];
        }
    }
    // A type's name before a literal: `timestamp '2024-01-01'`.
    if let [word, literal] = tokens
        && word.kind == Kind::Word
        && literal.kind == Kind::Str
    {
        tokens = &tokens[1..];
    }
    let text = normal(tokens);
    match text.as_str() {
        "null" | "" => None,
        "now ( )" | "current_timestamp ( )" | "getdate ( )" | "localtimestamp" | "now" => {
            Some("current_timestamp".to_owned())
        }
        _ => Some(text),
    }
}

fn closes_early(inner: &[Token<'_>]) -> bool {
    let mut depth = 0_i32;
    inner.iter().any(|token| {
        depth += i32::from(token.op("(")) - i32::from(token.op(")"));
        depth < 0
    })
}
