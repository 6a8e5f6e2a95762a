//! SQL Server needs no mark between statements. Readers that look at a statement's beginning only would take the next one
//! for a part of it; its keywords are reserved, so that they name nothing.

use crate::lex::{Kind, Token};

/// Words that begin a statement.
const STARTS: &[&str] = &[
    "alter",
    "create",
    "drop",
    "truncate",
    "insert",
    "update",
    "delete",
    "merge",
    "exec",
    "execute",
    "declare",
    "if",
    "while",
    "print",
    "use",
    "grant",
    "revoke",
    "deny",
    "commit",
    "rollback",
    "begin",
    "save",
    "backup",
    "restore",
    "dbcc",
    "waitfor",
    "disable",
    "enable",
    "bulk",
    "kill",
    "reconfigure",
    "shutdown",
    "throw",
    "raiserror",
    "goto",
    "return",
    "break",
    "continue",
    "set",
];

/// Whether another statement begins within this one, which is neither a routine nor guarded.
pub(crate) fn holds_another(tokens: &[Token<'_>]) -> bool {
    let Some(first) = tokens.first() else { return false };
    let strict = ["alter", "create", "drop", "truncate", "if"].iter().any(|word| first.is(word));
    let mut depth = 0_usize;
    let mut rights = ["grant", "revoke", "deny"].iter().any(|word| first.is(word));
    for (at, token) in tokens.iter().enumerate().skip(1) {
        match token.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            // A command of the client, such as `:r file`.
            ":" if token.kind == Kind::Op => return true,
            _ => {}
        }
        rights &= !(token.is("to") || token.is("from"));
        let begins = depth == 0 && !rights && STARTS.iter().any(|word| token.is(word));
        if begins && !strict && !belongs(first, &tokens[at - 1], token) {
            return true;
        }
    }
    false
}

/// Whether the word is a part of the statement that `first` begins.
fn belongs(first: &Token<'_>, before: &Token<'_>, token: &Token<'_>) -> bool {
    let is_one = |words: &[&str]| words.iter().any(|word| token.is(word));
    match first.text.to_ascii_lowercase().as_str() {
        "update" => token.is("set"),
        "merge" => {
            before.is("then") && is_one(&["insert", "update", "delete"]) || before.is("update") && token.is("set")
        }
        // One statement behind the named queries; which, its reader tells.
        "with" => before.op(")") && is_one(&["insert", "update", "delete", "merge"]) || token.is("set"),
        "begin" | "save" | "commit" | "rollback" => is_one(&["transaction", "tran"]),
        _ => false,
    }
}
