//! Applying statements to the catalogue.

mod columns;
mod keys;
mod objects;
mod rows;
mod tables;
mod transaction;

use crate::catalogue::Key;
use crate::cursor::Name;
use crate::session::Session;
use crate::statement::{Action, Change, Object, Rule};
use crate::verdict::Verdict;

pub(crate) use transaction::{TransactionState, end_of_file};

/// Applies what one statement does.
pub(crate) fn action(session: &mut Session<'_>, action: Action) {
    commit_by_itself(session, &action);
    session.transaction.done |= !settles(&action);
    match action {
        Action::Nothing | Action::Upkeep => {}
        Action::Calling(inner) => {
            session.see(Verdict::Unknown, "", "the statement calls functions, and what they do is not known");
            self::action(session, *inner);
        }
        Action::EventTrigger => event_trigger(session),
        Action::Rule(on) => objects::create_rule(session, &on),
        Action::Judged(verdict, why) => session.see(verdict, "", why),
        Action::JudgedOn(name, verdict, why) => judged_on(session, &name, verdict, &why),
        Action::Begin
        | Action::Commit
        | Action::Rollback
        | Action::Savepoint(_)
        | Action::Release(_)
        | Action::RollbackTo(_) => transaction::apply(session, action),
        Action::SearchPath(path, local) => search_path(session, path, local),
        Action::ForeignKeys(on) => foreign_keys(session, on),
        Action::Attach(name) => {
            session.after.passing.insert(name);
        }
        Action::CreateTable(table) => tables::create(session, *table),
        Action::AlterTable { name, if_exists, changes } => tables::alter(session, &name, if_exists, changes),
        Action::RenameTables(pairs) => {
            for (from, to) in pairs {
                tables::rename(session, &from, &to);
            }
        }
        Action::Drop { kind, names, if_exists, on } => {
            for name in names {
                drop(session, kind, &name, if_exists, on.as_ref());
            }
        }
        Action::DropFunction { name, arguments, if_exists } => {
            objects::drop_function(session, &name, arguments.as_deref(), if_exists);
        }
        Action::CreateIndex { table, index, if_not_exists } => {
            keys::create_index(session, &table, &index, if_not_exists)
        }
        Action::RenameObject { kind, name, to, if_exists } => objects::rename(session, kind, &name, &to, if_exists),
        Action::Policy { on, why } => policy(session, &on, why),
        Action::Publish(names) => publish(session, &names),
        Action::GrantAll(names) => grant_all(session, &names),
        Action::Insert { table, overwrites, copies } => rows::insert(session, &table, overwrites, copies),
        Action::Update { tables, columns } => rows::update(session, &tables, &columns),
        Action::Remove { tables, what } => rows::remove(session, &tables, what),
        Action::Guarded(actions) => {
            for inner in actions {
                session.keep_floor();
                self::action(session, guarded(inner));
            }
        }
        other => object(session, other),
    }
}

/// What is made and changed beside tables.
fn object(session: &mut Session<'_>, action: Action) {
    match action {
        Action::CreateView(view) => objects::create_view(session, view),
        Action::CreateFunction(function) => objects::create_function(session, function),
        Action::CreateTrigger { on, name, replace, if_not_exists, temporary, definition } => {
            objects::create_trigger(session, &on, &name, replace || if_not_exists, temporary, definition);
        }
        Action::CreateType { name, definition } => objects::create_type(session, &name, definition),
        Action::AlterType { name, change } => objects::alter_type(session, &name, change),
        Action::CreateSequence { name, temporary } => objects::create_sequence(session, &name, temporary),
        Action::AlterSequence { name, verdict, why } => objects::alter_sequence(session, &name, verdict, why),
        Action::CreateSchema(name) => {
            let id = session.id();
            session.after.schemas.entry(name).or_insert(id);
        }
        Action::CreateExtension(name) => {
            let id = session.id();
            session.after.extensions.entry(name).or_insert(id);
        }
        _ => {}
    }
}

/// Whether nothing is done that a transaction could take back.
fn settles(action: &Action) -> bool {
    matches!(
        action,
        Action::Nothing
            | Action::Upkeep
            | Action::Begin
            | Action::Commit
            | Action::Rollback
            | Action::Savepoint(_)
            | Action::Release(_)
            | Action::RollbackTo(_)
            | Action::SearchPath(..)
            | Action::ForeignKeys(_)
    )
}

/// What may not run makes nothing for certain, and copies nothing for certain.
fn guarded(action: Action) -> Action {
    match action {
        Action::Insert { table, overwrites, .. } => Action::Insert { table, overwrites, copies: None },
        Action::GrantAll(_) => Action::Judged(Verdict::Expand, "rights are given".to_owned()),
        Action::CreateTable(mut table) => {
            table.if_not_exists = true;
            Action::CreateTable(table)
        }
        Action::AlterTable { name, if_exists, changes } => {
            let changes = changes.into_iter().map(|change| match change {
                Change::AddColumn { column, .. } => Change::AddColumn { column, if_not_exists: true },
                other => other,
            });
            Action::AlterTable { name, if_exists, changes: changes.collect() }
        }
        other => other,
    }
}

/// MySQL commits at each schema change, so that a ROLLBACK behind it undoes nothing before it.
fn commit_by_itself(session: &mut Session<'_>, action: &Action) {
    let rows = matches!(
        action,
        Action::Nothing
            | Action::Calling(_)
            | Action::Insert { .. }
            | Action::Update { .. }
            | Action::Rollback
            | Action::Savepoint(_)
            | Action::Release(_)
            | Action::RollbackTo(_)
    ) || matches!(action, Action::Remove { what, .. } if *what == "rows are deleted");
    if session.after.dialect.is_mysql() && !rows {
        session.rows_mark = None;
    }
}

fn event_trigger(session: &mut Session<'_>) {
    session.after.event_triggers = true;
    let why = "it may refuse what old code does to the schema, temporary tables included";
    session.see(Verdict::Contract, "", why);
}

/// Within a transaction the pragma does nothing. Source: <https://www.sqlite.org/pragma.html#pragma_foreign_keys>.
fn foreign_keys(session: &mut Session<'_>, on: bool) {
    if session.rows_mark.is_none() {
        session.foreign_keys = Some(on);
    }
}

fn search_path(session: &mut Session<'_>, path: Option<String>, local: bool) {
    let path = path.unwrap_or_else(|| "public".to_owned());
    let before = std::mem::replace(&mut session.after.current, path);
    if local {
        session.path_before.get_or_insert(before);
    } else {
        session.path_before = None;
    }
}

/// Judged by its words, where the object was there before.
fn judged_on(session: &mut Session<'_>, name: &Name, verdict: Verdict, why: &str) {
    let key = session.after.find(name);
    let made_here = made_here(session, &key);
    session.see(if made_here { Verdict::Expand } else { verdict }, label(&key), why);
}

/// Whether whatever bears this name was made by the change set.
fn made_here(session: &Session<'_>, key: &Key) -> bool {
    let (before, after) = (&session.before, &session.after);
    if after.tables.contains_key(key) || after.views.contains_key(key) {
        return !session.is_old(key);
    }
    let new_type = after.types.contains_key(key) && !before.types.contains_key(key);
    let new_function = after.functions.contains_key(key) && !before.functions.contains_key(key);
    new_type || new_function
}

fn drop(session: &mut Session<'_>, kind: Object, name: &Name, if_exists: bool, on: Option<&Name>) {
    match kind {
        Object::Table => tables::drop(session, name, if_exists),
        Object::Index => keys::drop_index(session, name, if_exists, on),
        Object::Other(what) => session.see(Verdict::Contract, name.name.clone(), format!("the {what} is dropped")),
        _ => objects::drop(session, kind, name, if_exists, on),
    }
}

fn policy(session: &mut Session<'_>, on: &Name, why: String) {
    let key = tables::resolve(session, on);
    let secured = session.before.tables.get(&key).is_some_and(|table| table.row_security)
        || session.after.tables.get(&key).is_some_and(|table| table.row_security || table.opaque);
    let verdict = if session.is_old(&key) && secured { Verdict::Contract } else { Verdict::Expand };
    session.see(verdict, label(&key), why);
}

/// UPDATE and DELETE fail on a published table that has no key to tell its rows by.
/// Source: <https://www.postgresql.org/docs/current/logical-replication-publication.html>.
fn publish(session: &mut Session<'_>, names: &[Name]) {
    let keyed = |name: &Name| {
        let table = session.after.tables.get(&session.after.find(name));
        table.is_some_and(|table| table.constraints.iter().any(|made| made.rule == Rule::Primary))
    };
    let all = !names.is_empty() && names.iter().all(keyed);
    let (verdict, why) = if all {
        (Verdict::Expand, "only logical replication reads a publication")
    } else {
        (Verdict::Contract, "UPDATE and DELETE fail on a published table that has no primary key to tell its rows by")
    };
    session.see(verdict, "", why);
}

fn grant_all(session: &mut Session<'_>, names: &[Name]) {
    for name in names {
        let key = session.after.find(name);
        if let Some(table) = session.after.tables.get_mut(&key) {
            table.all_granted = true;
        }
        if let Some(view) = session.after.views.get_mut(&key) {
            view.all_granted = true;
        }
    }
    session.see(Verdict::Expand, "", "rights are given");
}

/// A key as reports name it.
pub(crate) fn label(key: &Key) -> String {
    let (schema, name) = key;
    if schema.is_empty() || schema == "public" { name.clone() } else { format!("{schema}.{name}") }
}
