//! Reading statements about the session, transactions, rights and upkeep.

use crate::cursor::Cursor;
use crate::dialect::Dialect;
use crate::lex::Kind;
use crate::statement::Action;
use crate::verdict::Verdict;

fn judged(verdict: Verdict, why: &str) -> Option<Action> {
    Some(Action::Judged(verdict, why.to_owned()))
}

/// Words that begin statements without lasting effect.
const UPKEEP: &[&str] = &[
    "vacuum",
    "analyze",
    "analyse",
    "reindex",
    "notify",
    "listen",
    "unlisten",
    "checkpoint",
    "lock",
    "unlock",
    "discard",
    "explain",
    "show",
    "describe",
    "desc",
    "optimize",
    "check",
    "checksum",
    "flush",
    "print",
    "fetch",
    "close",
    "deallocate",
    "kill",
];

pub(crate) fn statement(cursor: &mut Cursor<'_, '_>, first: &str) -> Option<Action> {
    if UPKEEP.contains(&first) {
        // EXPLAIN ANALYZE runs what it explains.
        let runs = first == "explain" && cursor.rest().iter().any(|token| token.is("analyze"));
        cursor.skip_rest();
        return (!runs).then_some(Action::Nothing);
    }
    if let Some(found) = transaction(cursor) {
        cursor.skip_rest();
        return Some(found);
    }
    match first {
        "set" | "reset" => set(cursor),
        "pragma" => pragma(cursor),
        "use" => {
            // Databases are taken for one: names with and without them may mean the same.
            cursor.next();
            cursor.ident()?;
            Some(Action::Nothing)
        }
        "attach" => attach(cursor),
        "detach" => {
            cursor.skip_rest();
            Some(Action::Nothing)
        }
        "comment" => {
            cursor.skip_rest();
            judged(Verdict::Expand, "a comment")
        }
        "cluster" => {
            cursor.skip_rest();
            judged(Verdict::Expand, "rows are stored in another order")
        }
        "refresh" => {
            let empties = cursor.rest().iter().rev().take(3).any(|token| token.is("no"));
            cursor.skip_rest();
            if empties {
                return judged(Verdict::Contract, "reads of the materialized view fail until it is filled");
            }
            judged(Verdict::Expand, "the materialized view is filled anew")
        }
        "grant" => grant(cursor),
        "revoke" => {
            cursor.skip_rest();
            judged(Verdict::Contract, "rights are taken away: statements of the previous release may be refused")
        }
        "reassign" => {
            cursor.skip_rest();
            judged(Verdict::Contract, "owners change: whoever worked as the old owner loses its rights")
        }
        "security" | "import" => None,
        "exec" | "execute" => rename_procedure(cursor),
        _ => None,
    }
}

fn transaction(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    if cursor.eat("start transaction") {
        return Some(Action::Begin);
    }
    if cursor.eat("begin") {
        // `BEGIN` alone, or with words about transactions only.
        let words = [
            "work",
            "transaction",
            "tran",
            "isolation",
            "level",
            "read",
            "immediate",
            "exclusive",
            "deferred",
            "not",
            "deferrable",
            "serializable",
            "repeatable",
            "committed",
            "write",
            "only",
        ];
        let only = cursor.rest().iter().all(|token| words.iter().any(|word| token.is(word)) || token.op(","));
        return only.then_some(Action::Begin);
    }
    if cursor.eat("savepoint") || cursor.eat("save transaction") {
        return cursor.ident().map(Action::Savepoint);
    }
    if cursor.eat("release") {
        return Some(Action::Nothing);
    }
    if cursor.eat("commit") || cursor.eat("end") {
        return (!cursor.sees("prepared")).then_some(Action::Commit);
    }
    if cursor.eat("rollback") || cursor.eat("abort") {
        let _ = cursor.eat("work") || cursor.eat("transaction");
        if cursor.eat("to") {
            cursor.eat("savepoint");
            return cursor.ident().map(Action::RollbackTo);
        }
        return (!cursor.sees("prepared")).then_some(Action::Rollback);
    }
    None
}

fn set(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    cursor.next();
    let lasting = ["global", "persist", "persist_only", "password", "default"];
    if cursor.eat_any(&lasting).is_some()
        || cursor.rest().iter().any(|token| token.text.to_lowercase().starts_with("@@global"))
    {
        cursor.skip_rest();
        return judged(Verdict::Contract, "a setting of the server changes for every connection");
    }
    let _ = cursor.eat("local") || cursor.eat("session");
    if cursor.dialect == Dialect::Postgres && cursor.eat("search_path") {
        let _ = cursor.op("=") || cursor.eat("to");
        let first = cursor.ident().or_else(|| cursor.string());
        cursor.skip_rest();
        return Some(Action::SearchPath(first.filter(|name| name != "default" && !name.contains("user"))));
    }
    // A subquery in it may call anything.
    let calls = cursor.rest().iter().any(|token| token.is("select"));
    cursor.skip_rest();
    (!calls).then_some(Action::Nothing)
}

/// Source: <https://www.sqlite.org/pragma.html>.
fn pragma(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    cursor.next();
    let name = cursor.name()?.name;
    let tokens = cursor.rest();
    cursor.skip_rest();
    let value = tokens.get(1).map(|token| token.text.trim_matches(['\'', '"']).to_lowercase());
    match name.as_str() {
        // The schema is then edited as text.
        "writable_schema" => None,
        "foreign_keys" => {
            let on = matches!(value.as_deref(), Some("on" | "1" | "true" | "yes"));
            Some(value.map_or(Action::Nothing, |_| Action::ForeignKeys(on)))
        }
        "encoding" | "auto_vacuum" | "user_version" | "schema_version" if value.is_some() => {
            if name == "schema_version" { None } else { Some(Action::Nothing) }
        }
        _ => Some(Action::Nothing),
    }
}

fn attach(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    cursor.next();
    cursor.eat("database");
    let file = cursor.next()?;
    // Another file may be the very database of the application.
    let in_memory = file.kind == Kind::Str && matches!(file.text, "':memory:'" | "''");
    cursor.need("as")?;
    let name = cursor.ident()?;
    in_memory.then_some(Action::Attach(name))
}

fn grant(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    cursor.next();
    let all = cursor.eat("all");
    cursor.eat("privileges");
    if all && cursor.eat("on") {
        cursor.eat("table");
        let mut inner = *cursor;
        if let Some(names) = inner.names().filter(|_| inner.sees("to")) {
            cursor.skip_rest();
            return Some(Action::GrantAll(names));
        }
    }
    cursor.skip_rest();
    judged(Verdict::Expand, "rights are given")
}

/// `EXEC sp_rename 'table.column', 'name', 'COLUMN'` is SQL Server's way to rename.
fn rename_procedure(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    cursor.next();
    let name = cursor.name()?.name;
    cursor.skip_rest();
    match name.as_str() {
        "sp_rename" => judged(Verdict::Contract, "an object is renamed: old statements no longer find it"),
        "sp_addextendedproperty" | "sp_updateextendedproperty" => judged(Verdict::Expand, "a description"),
        _ => None,
    }
}
