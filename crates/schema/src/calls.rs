//! Whether a statement runs what the schema itself defines: functions, views that call some, rules.

use crate::catalogue::Catalogue;
use crate::cursor::{string_value, unquoted};
use crate::lex::{Kind, Lexer, Token};
use crate::statement::Action;

/// Whether the tokens name a function of the schema as a call does, or a view that calls something when it is read.
/// Those that are declared to read only are no exception: they may call others.
pub(crate) fn may_run(known: &Catalogue, tokens: &[Token<'_>]) -> bool {
    let views = || known.views.iter().filter(|(_, view)| view.calls).map(|(key, _)| key.1.as_str());
    if known.functions.is_empty() && views().next().is_none() {
        return false;
    }
    tokens.iter().enumerate().any(|(at, token)| {
        let name = match token.kind {
            Kind::Word => known.dialect.fold(token.text, false),
            Kind::Quoted => known.dialect.fold(&unquoted(token.text), true),
            // A block's body.
            Kind::Str if at <= 3 && tokens[0].is("do") => {
                let body = string_value(token.text);
                let mut lexer = Lexer::new(&body, known.dialect);
                let inner: Vec<Token<'_>> = std::iter::from_fn(|| lexer.token()).collect();
                return may_run(known, &inner);
            }
            _ => return false,
        };
        // PostgreSQL takes `row.f` for `f(row)`, too.
        let called = tokens.get(at + 1).is_some_and(|next| next.op("(")) || (at > 0 && tokens[at - 1].op("."));
        called && known.functions.keys().any(|key| key.1 == name) || views().any(|view| view == name)
    })
}

/// Whether carrying the statement out runs the functions and reads the views that it names.
pub(crate) fn runs_functions(tokens: &[Token<'_>], action: &Action) -> bool {
    match action {
        Action::Insert { .. }
        | Action::Update { .. }
        | Action::Remove { .. }
        | Action::AlterTable { .. }
        | Action::CreateIndex { .. }
        | Action::Calling(_)
        | Action::Guarded(_) => true,
        Action::CreateTable(table) => table.from_select,
        Action::CreateView(view) => view.head.contains("materialized"),
        Action::Nothing | Action::Judged(..) => ["select", "values", "table", "with", "(", "copy", "set", "refresh"]
            .iter()
            .any(|word| tokens[0].text.eq_ignore_ascii_case(word)),
        _ => false,
    }
}

/// Whether event triggers fire.
pub(crate) fn changes_schema(action: &Action) -> bool {
    match action {
        Action::Nothing
        | Action::Upkeep
        | Action::Insert { .. }
        | Action::Update { .. }
        | Action::Remove { .. }
        | Action::Begin
        | Action::Commit
        | Action::Rollback
        | Action::Savepoint(_)
        | Action::Release(_)
        | Action::RollbackTo(_)
        | Action::SearchPath(..)
        | Action::ForeignKeys(_)
        | Action::Calling(_) => false,
        Action::Guarded(actions) => actions.iter().any(changes_schema),
        _ => true,
    }
}
