//! Rows written, overwritten and removed.

use std::collections::BTreeSet;

use crate::apply::label;
use crate::catalogue::{Copied, Key};
use crate::cursor::Name;
use crate::session::Session;
use crate::statement::CopyFrom;
use crate::verdict::Verdict;

pub(crate) fn insert(session: &mut Session<'_>, table: &Name, overwrites: bool, copies: Option<CopyFrom>, calls: bool) {
    let key = session.after.find(table);
    if session.after.is_passing(&key) {
        return;
    }
    if calls && session.is_change() {
        session.see(Verdict::Unknown, label(&key), "the statement calls functions, and what they do is not known");
    }
    let old = session.is_old(&key);
    if let Some(copies) = copies {
        copied(session, &key, &copies);
    }
    if session.after.tables.get(&key).is_some_and(|table| table.inherits) {
        session.see(Verdict::Contract, label(&key), "rows of the child appear in reads of the parent");
        return;
    }
    if old && overwrites {
        session.see(Verdict::Data, label(&key), "rows that exist are overwritten");
    } else if old {
        session.see(Verdict::Expand, label(&key), "rows are added");
    }
}

/// Notes which of another table's rows and columns a new table was filled with.
fn copied(session: &mut Session<'_>, key: &Key, copies: &CopyFrom) {
    let from = session.after.find(&copies.from);
    let Some(source) = session.after.tables.get(&from) else { return };
    let (from, source_columns) =
        (source.id, source.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>());
    let statement = session.touched();
    let Some(table) = session.after.tables.get_mut(key) else { return };
    let target = |at: &str| match at.strip_prefix('#') {
        Some(number) => table.columns.get(number.parse::<usize>().ok()?).map(|column| column.name.clone()),
        None => Some(at.to_owned()),
    };
    let by_position = copies.columns.is_empty();
    let pairs = copies.columns.iter().filter_map(|(to, source)| Some((target(to)?, source)));
    let same: BTreeSet<String> = if by_position {
        let pairs = table.columns.iter().zip(&source_columns);
        pairs.filter(|(column, source)| column.name == **source).map(|(column, _)| column.name.clone()).collect()
    } else {
        pairs.filter(|(to, source)| to == *source).map(|(to, _)| to).collect()
    };
    // Filled twice is no longer a plain copy.
    let every_row = copies.every_row && table.copied.is_none();
    table.copied = Some(Copied { from, every_row, same, by_position, statement });
}

pub(crate) fn update(session: &mut Session<'_>, tables: &[Name], columns: &[String]) {
    for name in tables {
        let key = session.after.find(name);
        if !session.is_old(&key) {
            mark_changed(session, &key);
            continue;
        }
        if name.name == "sqlite_sequence" {
            session.see(Verdict::Expand, label(&key), "SQLite never goes below the highest key");
            continue;
        }
        if name.name.starts_with("sqlite_")
            || matches!(name.schema.as_deref(), Some("pg_catalog" | "mysql" | "information_schema"))
            || name.name.starts_with("pg_")
        {
            session.see(Verdict::Unknown, label(&key), "the database's own catalogue is edited");
            continue;
        }
        let new_only = !columns.is_empty() && columns.iter().all(|column| is_new_column(session, &key, column));
        if new_only && !fires(session, &key) {
            session.see(Verdict::Expand, label(&key), "only columns made by the same change set are filled");
        } else {
            session.see(Verdict::Data, label(&key), "rows that exist are overwritten");
        }
    }
}

/// Whether writing a row changes more of it than the statement says: a trigger, ON UPDATE.
fn fires(session: &Session<'_>, key: &Key) -> bool {
    let triggered =
        session.before.triggers.values().any(|trigger| trigger.on == *key && trigger.definition.contains("update"));
    let moves = session.after.tables.get(key).is_some_and(|table| {
        table.columns.iter().any(|column| column.on_update.is_some() && !is_new_column(session, key, &column.name))
    });
    triggered || moves
}

fn is_new_column(session: &Session<'_>, key: &Key, name: &str) -> bool {
    let column = session.after.tables.get(key).and_then(|table| Some((table.id, table.column(name)?.id)));
    column.is_some_and(|(table, column)| {
        session.before.table_of(table).is_some_and(|(_, old)| old.columns.iter().all(|known| known.id != column))
    })
}

/// A copy that was changed afterwards is none.
fn mark_changed(session: &mut Session<'_>, key: &Key) {
    if let Some(copied) = session.after.tables.get_mut(key).and_then(|table| table.copied.as_mut()) {
        copied.every_row = false;
    }
}

pub(crate) fn remove(session: &mut Session<'_>, tables: &[Name], what: &str) {
    if tables.is_empty() {
        session.see(Verdict::Data, "", what);
    }
    for name in tables {
        let key = session.after.find(name);
        if session.is_old(&key) {
            session.see(Verdict::Data, label(&key), what);
        } else {
            mark_changed(session, &key);
        }
    }
}
