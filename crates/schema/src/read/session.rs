//! Reading statements about the session, transactions, rights and upkeep.

use crate::cursor::{Cursor, normal};
use crate::dialect::Dialect;
use crate::lex::{Kind, Token};
use crate::read::calls::calls;
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
        let runs = runs_what_it_explains(cursor, first);
        cursor.skip_rest();
        return (!runs).then_some(Action::Upkeep);
    }
    if let Some(found) = transaction(cursor) {
        cursor.end()?;
        return found;
    }
    match first {
        "set" | "reset" => set(cursor),
        "pragma" => pragma(cursor),
        "use" => {
            // Databases are taken for one: names with and without them may mean the same.
            cursor.next();
            cursor.ident()?;
            cursor.end()?;
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

/// EXPLAIN ANALYZE runs what it explains, and so does MariaDB's ANALYZE before a statement.
fn runs_what_it_explains(cursor: &Cursor<'_, '_>, first: &str) -> bool {
    let has = |words: &[&str]| cursor.rest().iter().any(|token| words.iter().any(|word| token.is(word)));
    match first {
        "explain" | "describe" | "desc" => has(&["analyze", "analyse"]),
        "analyze" | "analyse" => has(&["select", "insert", "update", "delete", "replace", "with"]),
        _ => false,
    }
}

/// Transactions. `Some(None)`: begun, and not understood.
fn transaction(cursor: &mut Cursor<'_, '_>) -> Option<Option<Action>> {
    if cursor.eat("start transaction") || cursor.sees("begin") {
        return Some(begin(cursor));
    }
    if cursor.eat("savepoint") || cursor.eat("save transaction") || cursor.eat("save tran") {
        return Some(cursor.ident().map(Action::Savepoint));
    }
    if cursor.eat("release") {
        cursor.eat("savepoint");
        return Some(cursor.ident().map(Action::Release));
    }
    if cursor.eat("commit") || cursor.eat("end") {
        cursor.eat_any(&["work", "transaction", "tran"]);
        cursor.eat("and no chain");
        return Some(Some(Action::Commit));
    }
    if cursor.eat("rollback") || cursor.eat("abort") {
        cursor.eat_any(&["work", "transaction", "tran"]);
        if cursor.eat("to") {
            cursor.eat("savepoint");
            return Some(cursor.ident().map(Action::RollbackTo));
        }
        if cursor.dialect == Dialect::Mssql && !cursor.done() {
            return Some(cursor.ident().map(Action::RollbackTo));
        }
        cursor.eat("and no chain");
        return Some(Some(Action::Rollback));
    }
    None
}

fn begin(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    // Alone or with words about transactions only.
    const WORDS: &[&str] = &[
        "begin",
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
        "with",
        "consistent",
        "snapshot",
    ];
    let tokens = cursor.rest();
    // SQL Server's BEGIN alone opens a block.
    let block = cursor.dialect == Dialect::Mssql && !cursor.sees("begin tran") && !cursor.sees("begin transaction");
    cursor.skip_rest();
    let only = tokens.iter().all(|token| WORDS.iter().any(|word| token.is(word)) || token.op(","));
    (only && !block).then_some(Action::Begin)
}

fn set(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    cursor.next();
    let tokens = cursor.rest();
    let text = normal(tokens).to_lowercase();
    let lasting = ["global", "persist", "persist_only", "password", "default"];
    let first_lasts = lasting.iter().any(|word| cursor.sees(word));
    let mysql = cursor.dialect.is_mysql();
    if first_lasts || (mysql && tokens.iter().any(|token| is_lasting(token, &lasting[..4]))) {
        cursor.skip_rest();
        return judged(Verdict::Contract, "a setting of the server changes for every connection");
    }
    let local = cursor.eat("local");
    cursor.eat("session");
    if cursor.dialect == Dialect::Postgres && cursor.eat("search_path") {
        return search_path(cursor, local);
    }
    cursor.skip_rest();
    // How quotes are read changes what the rest of the file says.
    let quotes = text.contains("standard_conforming_strings") && !text.ends_with("on") && !text.ends_with("'on'")
        || mysql && (text.contains("ansi") || text.contains("no_backslash_escapes"));
    if quotes || calls(tokens) || tokens.iter().any(|token| token.is("select")) {
        return None;
    }
    // Switching it on commits.
    Some(if text.contains("autocommit") { Action::Upkeep } else { Action::Nothing })
}

fn is_lasting(token: &Token<'_>, words: &[&str]) -> bool {
    let name = token.text.trim_start_matches('@');
    token.kind == Kind::Word && words.iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// The first schema of the path. Temporary ones cannot be told from others by what stands in them.
fn search_path(cursor: &mut Cursor<'_, '_>, local: bool) -> Option<Action> {
    let _ = cursor.op("=") || cursor.eat("to");
    let first = cursor.ident().or_else(|| cursor.string())?;
    cursor.skip_rest();
    if first.contains("temp") {
        return None;
    }
    Some(Action::SearchPath(Some(first).filter(|name| name != "default" && name != "$user"), local))
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
