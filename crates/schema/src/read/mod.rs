//! Reading a statement. What is left over after all that is known was read makes the whole statement not understood:
//! a reader that overlooks a clause would call a drop nothing.

mod alter;
mod alter_mysql;
mod batch;
pub(crate) mod calls;
mod column;
mod constraint;
mod data;
mod guard;
mod index;
mod named_type;
mod object;
mod routine;
mod session;
mod table;
mod types;
mod view;

use crate::cursor::Cursor;
use crate::dialect::Dialect;
use crate::lex::Token;
use crate::statement::Action;

/// What the statement does. None: not understood.
pub(crate) fn statement(tokens: &[Token<'_>], dialect: Dialect) -> Option<Action> {
    if dialect == Dialect::Mssql && batch::holds_another(tokens) {
        return None;
    }
    let mut cursor = Cursor::new(tokens, dialect);
    let action = read(&mut cursor)?;
    cursor.end()?;
    let calling = runs_expressions(tokens, &action) && calls::calls(tokens);
    Some(if calling { Action::Calling(Box::new(action)) } else { action })
}

/// Whether carrying the statement out computes expressions for rows.
fn runs_expressions(tokens: &[Token<'_>], action: &Action) -> bool {
    match action {
        Action::Insert { .. } | Action::Update { .. } | Action::Remove { .. } => true,
        Action::CreateTable(table) => table.from_select,
        Action::CreateView(view) => view.head.contains("materialized"),
        Action::Judged(..) => tokens[0].is("with"),
        _ => false,
    }
}

fn read(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    let first = cursor.peek()?.text.to_ascii_lowercase();
    match first.as_str() {
        "create" => create(cursor),
        "alter" => alter(cursor),
        "drop" => object::drop(cursor),
        "rename" => object::rename_tables(cursor),
        "insert" | "replace" => data::insert(cursor),
        "update" => data::update(cursor),
        "delete" => data::delete(cursor),
        "truncate" => data::truncate(cursor),
        "merge" => data::merge(cursor),
        "copy" => data::copy_statement(cursor),
        "with" => data::with(cursor),
        "select" | "values" | "table" | "(" => data::select(cursor),
        "do" => guard::anonymous_block(cursor),
        "if" => guard::transact(cursor),
        _ => session::statement(cursor, &first),
    }
}

fn create(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    cursor.need("create")?;
    let replace = cursor.eat("or replace") || cursor.eat("or alter");
    // MariaDB drops what CREATE OR REPLACE names: only where that is followed is it understood.
    let rare = object::create_rare(cursor);
    if let Some(found) = rare {
        return found.filter(|action| !replace || matches!(action, Action::JudgedOn(..) | Action::Rule(_)));
    }
    if routine::begins(cursor) {
        return routine::create(cursor, replace);
    }
    if view::begins(cursor) {
        return view::create(cursor, replace);
    }
    let unique = cursor.eat("unique");
    let special = cursor.eat("fulltext") || cursor.eat("spatial");
    let _ = cursor.eat("clustered") || cursor.eat("nonclustered");
    if cursor.eat("index") {
        return index::create(cursor, unique, special).filter(|_| !replace);
    }
    let temporary = cursor.eat_any(&["global temporary", "local temporary", "temporary", "temp"]).is_some();
    cursor.eat("unlogged");
    if cursor.eat("table") {
        return table::create(cursor, temporary, replace);
    }
    if cursor.eat("virtual table") {
        return object::virtual_table(cursor);
    }
    if cursor.eat("sequence") {
        return object::sequence(cursor, temporary).filter(|_| !replace);
    }
    None
}

fn alter(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    cursor.need("alter")?;
    cursor.eat("ignore");
    cursor.eat("online");
    if cursor.eat("table") || cursor.eat("foreign table") {
        return alter::table(cursor);
    }
    object::alter(cursor)
}
