//! Rows written, overwritten and removed.

use std::collections::BTreeSet;

use crate::apply::label;
use crate::catalogue::{Copied, Key, Table};
use crate::cursor::Name;
use crate::dialect::Dialect;
use crate::session::Session;
use crate::statement::{CopyFrom, Foreign};
use crate::verdict::Verdict;

pub(crate) fn insert(session: &mut Session<'_>, table: &Name, overwrites: bool, copies: Option<CopyFrom>) {
    let key = session.after.find(table);
    runs_on_write(session, &key);
    if session.after.is_passing(&key) {
        return;
    }
    if is_catalogue(session, table) {
        return;
    }
    stays_in_doubt(session, &key);
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

/// What a write sets off: triggers, rules, defaults and checks that call something. Bodies are not understood.
fn runs_on_write(session: &mut Session<'_>, key: &Key) {
    let fires = session.after.triggers.values().any(|trigger| trigger.on == *key && trigger.enabled)
        || session.after.tables.get(key).is_some_and(|table| table.runs)
        || session.after.views.get(key).is_some_and(|view| view.calls);
    if fires {
        session.see(
            Verdict::Unknown,
            label(key),
            "writing to it sets off what is not understood: a trigger, a rule, a function",
        );
    }
}

/// The database's own tables: editing them changes anything at all. Says whether it is one.
fn is_catalogue(session: &mut Session<'_>, name: &Name) -> bool {
    let schemas: &[&str] = match session.after.dialect {
        Dialect::Postgres => &["pg_catalog", "information_schema", "cron"],
        Dialect::Mysql | Dialect::Mariadb => &["mysql", "information_schema", "performance_schema", "sys"],
        Dialect::Mssql => &["sys", "information_schema", "msdb", "master"],
        Dialect::Sqlite => &[],
    };
    let prefix = match session.after.dialect {
        Dialect::Postgres => "pg_",
        Dialect::Sqlite => "sqlite_",
        _ => "",
    };
    let own = !prefix.is_empty()
        && name.name.starts_with(prefix)
        && !session.after.tables.contains_key(&session.after.find(name));
    let found = own || name.schema.as_deref().is_some_and(|schema| schemas.contains(&schema));
    if found {
        session.see(Verdict::Unknown, name.name.clone(), "the database's own catalogue is edited");
    }
    found
}

/// Only InnoDB undoes what a transaction did to rows.
fn stays_in_doubt(session: &mut Session<'_>, key: &Key) {
    let known = session.after.tables.get(key);
    let undone = known
        .is_some_and(|table| !table.opaque && table.options.engine.as_deref().is_none_or(|engine| engine == "innodb"));
    if session.after.dialect.is_mysql() && !undone {
        session.rows_mark = None;
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
        runs_on_write(session, &key);
        if !session.is_old(&key) {
            mark_changed(session, &key);
            reaches_children(session, &key, |foreign| foreign.on_update.is_some());
            continue;
        }
        if name.name == "sqlite_sequence" {
            session.see(Verdict::Expand, label(&key), "SQLite never goes below the highest key");
            continue;
        }
        if is_catalogue(session, name) {
            continue;
        }
        stays_in_doubt(session, &key);
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
        runs_on_write(session, &key);
        if name.name == "sqlite_sequence" {
            session.see(Verdict::Contract, label(&key), "keys that were used before are given again");
        } else if is_catalogue(session, name) {
        } else if session.is_old(&key) {
            stays_in_doubt(session, &key);
            session.see(Verdict::Data, label(&key), what);
        } else {
            mark_changed(session, &key);
            reaches_children(session, &key, |foreign| foreign.on_delete.is_some());
        }
    }
}

/// Rows of tables that were there before may refer to those of a new one, and change with them.
fn reaches_children(session: &mut Session<'_>, key: &Key, acts: impl Fn(&Foreign) -> bool) {
    let refers = |table: &Table| {
        table
            .constraints
            .iter()
            .any(|made| made.parent.as_ref() == Some(key) && made.foreign.as_ref().is_some_and(&acts))
    };
    let children: Vec<Key> =
        session.after.tables.iter().filter(|(_, table)| refers(table)).map(|(key, _)| key.clone()).collect();
    for child in children.iter().filter(|child| session.is_old(child)).cloned().collect::<Vec<_>>() {
        session.see(Verdict::Data, label(&child), "rows that refer to the changed ones change or go with them");
    }
}
