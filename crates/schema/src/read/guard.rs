//! The usual guard around static statements is seen through: `DO $$ BEGIN IF NOT EXISTS (…) THEN …; END IF; END $$`.
//! Whatever else a block holds makes it not understood.

use crate::cursor::{Cursor, string_value};
use crate::dialect::Dialect;
use crate::lex::Kind;
use crate::read::calls::calls;
use crate::split::Splitter;
use crate::statement::Action;

/// PostgreSQL's anonymous block.
pub(crate) fn anonymous_block(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    cursor.need("do")?;
    if cursor.eat("language") && cursor.ident()? != "plpgsql" {
        return None;
    }
    let body = cursor.next().filter(|token| token.kind == Kind::Str)?;
    // A body in plain quotes is left alone: few write one, and its quotes are doubled.
    if !body.text.starts_with('$') {
        return None;
    }
    if cursor.eat("language") && cursor.ident()? != "plpgsql" {
        return None;
    }
    let inner = string_value(body.text);
    let actions = block(&inner)?;
    Some(Action::Guarded(actions))
}

/// What may stand in a block beside static statements.
fn block(text: &str) -> Option<Vec<Action>> {
    let mut actions = Vec::new();
    let mut in_block = false;
    for statement in Splitter::new(text, Dialect::Postgres) {
        if statement.fault.is_some() {
            return None;
        }
        let mut cursor = Cursor::new(&statement.tokens, Dialect::Postgres);
        if !in_block {
            in_block = cursor.eat("begin");
            if !in_block {
                return None;
            }
        }
        step(&mut cursor, &mut actions)?;
    }
    // Blocks are written to change something: an empty one stays not understood.
    (!actions.is_empty()).then_some(actions)
}

fn step(cursor: &mut Cursor<'_, '_>, actions: &mut Vec<Action>) -> Option<()> {
    loop {
        if cursor.eat("end if") || cursor.eat("end") {
            return cursor.end();
        }
        if cursor.eat("null") {
            return cursor.end();
        }
        if cursor.eat("if") || cursor.eat("elsif") {
            condition(cursor, "then")?;
        } else if cursor.eat("exception") {
        } else if cursor.eat("when") {
            condition(cursor, "then")?;
        } else if cursor.eat("else") || cursor.eat("begin") {
        } else if cursor.eat("raise notice") {
            if calls(cursor.rest()) || cursor.rest().iter().any(|token| token.is("select")) {
                return None;
            }
            cursor.skip_rest();
            return Some(());
        } else {
            break;
        }
        if cursor.done() {
            return Some(());
        }
    }
    let dangerous =
        ["execute", "perform", "select", "return", "for", "while", "loop", "call", "get", "with", "declare", "do"];
    if dangerous.iter().any(|word| cursor.sees(word)) || cursor.rest().iter().any(|token| token.op(":=")) {
        return None;
    }
    let action = crate::read::statement(cursor.rest(), Dialect::Postgres)?;
    // Within a block they mean other things, and may not run.
    let lasts = !matches!(action, Action::Begin | Action::Commit | Action::Rollback | Action::SearchPath(..));
    actions.push(Some(action).filter(|_| lasts)?);
    cursor.skip_rest();
    Some(())
}

/// A condition up to the word that ends it. It may read, and must not call what could write.
fn condition(cursor: &mut Cursor<'_, '_>, end: &str) -> Option<()> {
    let tokens = cursor.until(|token| token.is(end));
    let changes = ["insert", "update", "delete", "merge"];
    if tokens.iter().any(|token| changes.iter().any(|word| token.is(word))) || calls(tokens) {
        return None;
    }
    cursor.need(end)
}

/// SQL Server's `IF [NOT] EXISTS (…) [BEGIN] … [END]` around one statement.
pub(crate) fn transact(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    if cursor.dialect != Dialect::Mssql {
        return None;
    }
    cursor.need("if")?;
    let starts =
        ["begin", "alter", "create", "drop", "insert", "update", "delete", "exec", "execute", "truncate", "grant"];
    let condition = cursor.until(|token| starts.iter().any(|word| token.is(word)));
    if condition.iter().any(|token| token.is("if")) || calls(condition) {
        return None;
    }
    let mut tokens = cursor.rest();
    cursor.skip_rest();
    if tokens.first()?.is("begin") {
        tokens = &tokens[1..];
        tokens.last().filter(|token| token.is("end"))?;
        tokens = &tokens[..tokens.len() - 1];
    }
    let mut actions = Vec::new();
    for part in tokens.split(|token| token.op(";")).filter(|part| !part.is_empty()) {
        let action = crate::read::statement(part, Dialect::Mssql)?;
        let lasts = !matches!(action, Action::Begin | Action::Commit | Action::Rollback | Action::RollbackTo(_));
        actions.push(Some(action).filter(|_| lasts)?);
    }
    Some(Action::Guarded(actions))
}
