//! Reading functions, procedures and triggers. Their bodies are compared, never understood.

use crate::cursor::{Cursor, normal};
use crate::dialect::Dialect;
use crate::lex::Token;
use crate::read::types::ty;
use crate::statement::{Action, NewFunction};

/// Whether CREATE makes a routine, a trigger or an event, whatever stands before that word.
pub(crate) fn begins(cursor: &Cursor<'_, '_>) -> bool {
    kind_at(cursor).is_some()
}

fn kind_at(cursor: &Cursor<'_, '_>) -> Option<usize> {
    let words = ["function", "procedure", "proc", "trigger", "event", "aggregate"];
    let before = ["temp", "temporary", "constraint", "definer"];
    let begins = cursor.peek().is_some_and(|token| words.iter().chain(&before).any(|word| token.is(word)));
    let found = cursor.rest().iter().take(12).position(|token| words.iter().any(|word| token.is(word)));
    let others = ["table", "view", "index", "sequence"];
    found.filter(|at| begins && !cursor.rest()[..*at].iter().any(|token| others.iter().any(|word| token.is(word))))
}

/// Reads it to its end.
pub(crate) fn create(cursor: &mut Cursor<'_, '_>, replace: bool) -> Option<Action> {
    let at = kind_at(cursor)?;
    let before = &cursor.rest()[..at];
    let kind = &cursor.rest()[at];
    let mut inner = Cursor::new(&cursor.rest()[at + 1..], cursor.dialect);
    cursor.skip_rest();
    let if_not_exists = inner.eat("if not exists");
    if kind.is("trigger") {
        return trigger(&inner, before, replace, if_not_exists);
    }
    if kind.is("event") || kind.is("aggregate") {
        // An event of MySQL does what it wants, when it wants.
        return None;
    }
    let name = inner.name()?;
    let behind = inner.rest();
    let arguments = inner.group().map(|inner| argument_types(&inner)).unwrap_or_default();
    let definition = format!("{} {} {}", kind_word(kind), normal(before), normal(behind));
    Some(Action::CreateFunction(NewFunction { name, replace, arguments, definition }))
}

fn kind_word(kind: &Token<'_>) -> String {
    kind.text.to_lowercase()
}

fn trigger(inner: &Cursor<'_, '_>, before: &[Token<'_>], replace: bool, if_not_exists: bool) -> Option<Action> {
    let mut inner = *inner;
    let whole = inner.rest();
    let name = inner.name()?;
    let temporary = before.iter().any(|token| token.is("temp") || token.is("temporary"));
    let on = loop {
        if inner.eat("on") {
            break inner.name()?;
        }
        inner.next()?;
    };
    Some(Action::CreateTrigger { on, name, replace, if_not_exists, temporary, definition: normal(whole) })
}

/// The types of the arguments by which a function is told apart: names, defaults and results left out.
pub(crate) fn argument_types(inner: &Cursor<'_, '_>) -> String {
    let mut types = Vec::new();
    for part in inner.parts() {
        if part.done() {
            continue;
        }
        let mut part = part;
        if part.eat("out") {
            continue;
        }
        let _ = part.eat("in") || part.eat("inout") || part.eat("variadic");
        types.push(argument_type(part));
    }
    types.join(",")
}

fn argument_type(part: Cursor<'_, '_>) -> String {
    let end = |cursor: &Cursor<'_, '_>| {
        cursor.done() || cursor.sees("default") || cursor.sees_op("=") || cursor.sees_op(":=")
    };
    // A type alone, as DROP FUNCTION names it, or a name and a type.
    let mut alone = part;
    if let Some(found) = ty(&mut alone).filter(|_| end(&alone) && part.dialect == Dialect::Postgres) {
        return found.text();
    }
    let mut named = part;
    named.next();
    ty(&mut named).map_or_else(|| normal(part.rest()), |found| found.text())
}
