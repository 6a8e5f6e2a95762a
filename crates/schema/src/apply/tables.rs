//! Tables made, dropped, renamed, altered.

use crate::apply::{columns, keys, label};
use crate::catalogue::{Constraint, Index, Key, TEMPORARY, Table};
use crate::cursor::Name;
use crate::dialect::Dialect;
use crate::read::calls::text_calls;
use crate::session::Session;
use crate::statement::{Change, NewColumn, NewTable};
use crate::verdict::Verdict;

/// The key of a table that a statement names. A table never seen being made is taken for one that was there before.
pub(crate) fn resolve(session: &mut Session<'_>, name: &Name) -> Key {
    let key = session.after.find(name);
    if !session.after.tables.contains_key(&key) && !session.after.views.contains_key(&key) {
        let table = Table { id: session.id(), opaque: true, ..Table::default() };
        if session.is_change() {
            session.before.tables.insert(key.clone(), table.clone());
        }
        session.after.tables.insert(key.clone(), table);
    }
    key
}

/// Changes a table in the catalogue after.
pub(crate) fn with<R>(session: &mut Session<'_>, key: &Key, change: impl FnOnce(&mut Table) -> R) -> Option<R> {
    session.after.tables.get_mut(key).map(change)
}

pub(crate) fn create(session: &mut Session<'_>, new: NewTable) {
    let Some(name) = new.name.clone() else { return };
    let key = if new.temporary { (TEMPORARY.to_owned(), name.name.clone()) } else { session.after.key(&name) };
    if session.after.tables.contains_key(&key) {
        if new.if_not_exists {
            return;
        }
        if new.replace {
            session.see(Verdict::Contract, label(&key), "the table is made anew: its rows are gone");
        } else if session.is_change() {
            session.see(Verdict::Unknown, label(&key), "a table of this name is there already: the statement fails");
            return;
        }
    }
    note_database(session, &name);
    if may_be_there(session, &key, &new) {
        resolve(session, &name);
        return session.see(Verdict::Expand, label(&key), "a table is made unless it is there, and it may be");
    }
    let touched = session.touched();
    let mut table = Table { id: session.id(), options: new.options.clone(), touched, ..Table::default() };
    table.until_commit = new.options.until_commit;
    table.opaque = new.from_select;
    table.runs = new.columns.iter().any(runs) || new.constraints.iter().any(|made| text_calls(&made.text));
    table.inherits = new.inherits.is_some();
    let template = new.like.as_ref().or(new.partition_of.as_ref()).or(new.inherits.as_ref()).cloned();
    if let Some(template) = template {
        copy_columns(session, &template, &mut table);
    }
    for column in &new.columns {
        let column = columns::build(session, &key, column, &table.options);
        table.columns.push(column);
    }
    session.after.tables.insert(key.clone(), table);
    for constraint in &new.constraints {
        keys::add(session, &key, constraint);
    }
    for index in &new.indexes {
        let made = Index::new(index, session.id(), touched);
        with(session, &key, |table| table.indexes.push(made));
    }
}

/// Whether the values of a column come from a call of what is not known.
fn runs(column: &NewColumn) -> bool {
    let texts = column.default.iter().chain(&column.generated).chain(column.constraints.iter().map(|made| &made.text));
    texts.into_iter().any(|text| text_calls(text))
}

/// Whether IF NOT EXISTS may find a table that the earlier files do not show, or a temporary one hides another.
fn may_be_there(session: &mut Session<'_>, key: &Key, new: &NewTable) -> bool {
    if !session.is_change() {
        return false;
    }
    if new.options.until_commit
        && (session.after.hidden.may_hold(&key.1) || session.after.tables.keys().any(|known| known.1 == key.1))
    {
        let why = "a temporary table has the name of another one, and when it is gone depends on the tool";
        session.see(Verdict::Unknown, key.1.clone(), why);
    }
    new.if_not_exists && !session.after.is_passing(key) && session.after.hidden.may_hold(&key.1)
}

/// All databases of MySQL are taken for one: where several are named, what moves between them is not seen.
fn note_database(session: &mut Session<'_>, name: &Name) {
    let Some(database) = name.schema.clone().filter(|_| session.after.dialect.is_mysql()) else { return };
    session.after.databases.insert(database);
    if session.after.databases.len() > 1 && session.is_change() {
        session.see(Verdict::Unknown, name.name.clone(), "several databases are named, and they are not told apart");
    }
}

/// LIKE and the like: the other table's columns, without what only that table has.
fn copy_columns(session: &mut Session<'_>, template: &Name, table: &mut Table) {
    let key = session.after.find(template);
    let Some(known) = session.after.tables.get(&key).cloned() else {
        table.opaque = true;
        return;
    };
    table.opaque = known.opaque;
    for mut column in known.columns {
        column.id = session.id();
        column.touched = session.touched();
        table.columns.push(column);
    }
    if session.after.dialect.is_mysql() {
        table.options = known.options;
        for made in known.constraints.iter().filter(|made| made.is_key()) {
            table.constraints.push(Constraint { id: session.id(), ..made.clone() });
        }
        for index in &known.indexes {
            table.indexes.push(Index { id: session.id(), ..index.clone() });
        }
    }
}

pub(crate) fn drop(session: &mut Session<'_>, name: &Name, if_exists: bool) {
    let key = session.after.find(name);
    if session.after.is_passing(&key) {
        session.after.tables.remove(&key);
        return;
    }
    if !session.after.tables.contains_key(&key) {
        if if_exists && session.after.is_absent(name) {
            return;
        }
        resolve(session, name);
    }
    if let Some(table) = session.after.tables.remove(&key) {
        session.gone(table.id);
        cascade_in_sqlite(session, &key, name);
        let triggers = &mut session.after.triggers;
        let lost: Vec<_> =
            triggers.iter().filter(|(_, trigger)| trigger.on == key).map(|(key, _)| key.clone()).collect();
        for trigger in lost {
            if let Some(trigger) = session.after.triggers.remove(&trigger) {
                session.gone(trigger.id);
            }
        }
    }
}

/// With foreign keys on, dropping a table in SQLite deletes its rows first, and rows that refer to it go too.
fn cascade_in_sqlite(session: &mut Session<'_>, key: &Key, name: &Name) {
    if session.after.dialect != Dialect::Sqlite || session.foreign_keys == Some(false) {
        return;
    }
    let acts = |made: &Constraint| {
        made.parent.as_ref() == Some(key) && made.foreign.as_ref().is_some_and(|foreign| foreign.on_delete.is_some())
    };
    let child =
        session.after.tables.iter().find(|(_, table)| table.constraints.iter().any(acts)).map(|(key, _)| key.clone());
    if let Some(child) = child.filter(|child| session.is_old(child)) {
        let why = format!(
            "dropping {} with foreign keys on empties or changes {}, whose rows refer to it",
            name.name,
            label(&child)
        );
        session.see(Verdict::Contract, label(&child), why);
    }
}

pub(crate) fn rename(session: &mut Session<'_>, from: &Name, to: &Name) {
    let key = resolve(session, from);
    moves_between_databases(session, from, to);
    // Without a schema of its own the new name stays in the old one's.
    let schema = if to.schema.is_some() { session.after.key(to).0 } else { key.0.clone() };
    move_to(session, &key, (schema, to.name.clone()));
}

/// `RENAME TABLE shop.orders TO archive.orders` takes the table away.
fn moves_between_databases(session: &mut Session<'_>, from: &Name, to: &Name) {
    if session.after.dialect.is_mysql() && from.schema != to.schema && to.schema.is_some() {
        session.see(Verdict::Contract, from.name.clone(), "the table moves to another database, unless it is the same");
    }
}

/// Puts a table or a view under another key; what refers to it follows.
pub(crate) fn move_to(session: &mut Session<'_>, key: &Key, new: Key) {
    let touched = session.touched();
    if let Some(mut view) = session.after.views.remove(key) {
        view.touched = touched;
        session.gone(view.id);
        session.after.views.insert(new, view);
        return;
    }
    let Some(mut table) = session.after.tables.remove(key) else { return };
    table.touched = touched;
    session.after.renamed.insert(table.id);
    session.after.tables.insert(new.clone(), table);
    for trigger in session.after.triggers.values_mut().filter(|trigger| trigger.on == *key) {
        trigger.on = new.clone();
    }
    for table in session.after.tables.values_mut() {
        for made in table.constraints.iter_mut().filter(|made| made.parent.as_ref() == Some(key)) {
            made.parent = Some(new.clone());
        }
    }
}

pub(crate) fn alter(session: &mut Session<'_>, name: &Name, if_exists: bool, changes: Vec<Change>) {
    let key = session.after.find(name);
    let known = session.after.tables.contains_key(&key) || session.after.views.contains_key(&key);
    if if_exists && !known && session.after.is_absent(name) {
        return;
    }
    let mut key = resolve(session, name);
    for change in changes {
        key = apply(session, key, change);
    }
}

fn apply(session: &mut Session<'_>, key: Key, change: Change) -> Key {
    if session.after.views.contains_key(&key) {
        return on_view(session, key, change);
    }
    runs_for_rows(session, &key, &change);
    match change {
        Change::Nothing => {}
        Change::Rename(to) => {
            if session.after.dialect.is_mysql() && to.schema.is_some() {
                session.see(
                    Verdict::Contract,
                    label(&key),
                    "the table moves to another database, unless it is the same",
                );
            }
            let schema = if to.schema.is_some() { session.after.key(&to).0 } else { key.0.clone() };
            let new = (schema, to.name);
            move_to(session, &key, new.clone());
            return new;
        }
        Change::SetSchema(schema) => {
            let new = (schema, key.1.clone());
            move_to(session, &key, new.clone());
            return new;
        }
        Change::RowSecurity(on) => row_security(session, &key, on),
        Change::Trigger { name, enabled } => crate::apply::objects::enable_trigger(session, &key, &name, enabled),
        Change::Convert(options) => columns::convert(session, &key, &options),
        Change::Engine(engine) => self::engine(session, &key, &engine),
        Change::Inherit => inherit(session, &key),
        Change::Attach(partition) => attach(session, &partition),
        Change::Judged(verdict, why) => {
            let verdict = if session.is_old(&key) { verdict } else { Verdict::Expand.min(verdict) };
            session.see(verdict, label(&key), why);
        }
        Change::AddConstraint(_)
        | Change::DropConstraint { .. }
        | Change::DropPrimary
        | Change::DropForeign(_)
        | Change::RenameConstraint { .. }
        | Change::AlterConstraint(_)
        | Change::Validate(_)
        | Change::AddIndex(_)
        | Change::DropIndex(_)
        | Change::RenameIndex { .. } => keys::change(session, &key, change),
        _ => columns::change(session, &key, change),
    }
    key
}

/// What is computed for every row that is there: defaults and checks of new columns, conversions.
fn runs_for_rows(session: &mut Session<'_>, key: &Key, change: &Change) {
    let calling = match change {
        Change::AddColumn { column, .. } | Change::Redefine { column, .. } => runs(column),
        Change::SetType { using: Some(using), .. } => text_calls(using),
        Change::AddConstraint(made) => text_calls(&made.text),
        Change::SetDefault(_, Some(default)) => text_calls(default),
        _ => false,
    };
    if calling {
        with(session, key, |table| table.runs = true);
        session.see(Verdict::Unknown, label(key), "it calls a function, and what that does is not known");
    }
}

/// ALTER TABLE may name a view.
fn on_view(session: &mut Session<'_>, key: Key, change: Change) -> Key {
    if let Change::Rename(to) = change {
        let new = (key.0.clone(), to.name);
        move_to(session, &key, new.clone());
        return new;
    }
    if session.is_old(&key) {
        session.see(Verdict::Contract, label(&key), "the view changes under old statements");
    }
    key
}

fn row_security(session: &mut Session<'_>, key: &Key, on: bool) {
    with(session, key, |table| table.row_security = on);
    if session.is_old(key) {
        let (verdict, why) = if on {
            (Verdict::Contract, "row security hides rows from old statements and refuses writes")
        } else {
            (Verdict::Caution, "row security goes: a refusal that old code could count on is gone")
        };
        session.see(verdict, label(key), why);
    }
}

/// Only InnoDB keeps foreign keys and undoes a failed transaction.
fn engine(session: &mut Session<'_>, key: &Key, engine: &str) {
    let Some((same, refers)) = with(session, key, |table| {
        let old = table.options.engine.replace(engine.to_owned()).unwrap_or_else(|| "innodb".to_owned());
        (old == engine, table.constraints.iter().any(|made| made.foreign.is_some()))
    }) else {
        return;
    };
    if same {
        return;
    }
    let verdict = match (session.is_old(key), engine == "innodb", refers) {
        (false, ..) | (true, true, _) => Verdict::Expand,
        (true, false, true) => Verdict::Contract,
        (true, false, false) => Verdict::Caution,
    };
    session.see(verdict, label(key), "the storage engine changes: transactions and foreign keys may no longer hold");
}

/// Rows of a partition appear in the table; a table that was there before refuses what the partition's bounds exclude.
fn attach(session: &mut Session<'_>, partition: &Name) {
    let key = session.after.find(partition);
    let (verdict, why) = if session.is_old(&key) {
        (Verdict::Contract, "a table becomes a partition: old writes outside its bounds are refused")
    } else {
        (Verdict::Expand, "rows of the partition appear in the table")
    };
    session.see(verdict, label(&key), why);
}

fn inherit(session: &mut Session<'_>, key: &Key) {
    with(session, key, |table| table.inherits = true);
    session.see(Verdict::Contract, label(key), "rows of the child appear in reads of the parent");
}
