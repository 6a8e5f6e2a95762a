//! Constraints and indexes.

use crate::apply::label;
use crate::apply::tables::{resolve, with};
use crate::catalogue::{Constraint, Index, Key, Table};
use crate::cursor::Name;
use crate::dialect::Dialect;
use crate::session::Session;
use crate::statement::{Change, NewConstraint, NewIndex, Rule};
use crate::verdict::Verdict;

/// Adds a constraint, under the name that the database would give it.
pub(crate) fn add(session: &mut Session<'_>, key: &Key, new: &NewConstraint) {
    let parent = new.foreign.as_ref().map(|foreign| session.after.find(&foreign.parent));
    let touched = session.touched();
    let mut made = Constraint::new(new, session.id(), parent, touched);
    let dialect = session.after.dialect;
    with(session, key, |table| {
        if let Some(index) = &new.using_index
            && let Some(at) = table.indexes.iter().position(|known| known.name.as_ref() == Some(index))
        {
            // The index becomes the constraint's and takes its name.
            let index = table.indexes.remove(at);
            made.columns = index.keys;
            made.name = made.name.take().or(index.name);
            made.id = index.id;
        }
        if made.name.is_none() {
            made.name = usual_name(dialect, &key.1, &made, &table.constraints);
        }
        if made.rule == Rule::Primary {
            for column in table.columns.iter_mut().filter(|column| made.columns.contains(&column.name)) {
                // SQLite allows NULL in most primary keys.
                if dialect != Dialect::Sqlite {
                    column.nullable = Some(false);
                }
            }
        }
        table.constraints.push(made);
    });
}

/// The name of a constraint that was given none.
fn usual_name(dialect: Dialect, table: &str, made: &Constraint, known: &[Constraint]) -> Option<String> {
    let columns = made.columns.join("_");
    let base = match (dialect, made.rule) {
        (Dialect::Postgres, Rule::Primary) => format!("{table}_pkey"),
        (Dialect::Postgres, Rule::Unique) => format!("{table}_{columns}_key"),
        (Dialect::Postgres, Rule::Foreign) => format!("{table}_{columns}_fkey"),
        (Dialect::Postgres, Rule::Check) => {
            checked_column(made).map_or_else(|| format!("{table}_check"), |column| format!("{table}_{column}_check"))
        }
        (Dialect::Mysql | Dialect::Mariadb, Rule::Unique) => made.columns.first()?.clone(),
        (Dialect::Mysql | Dialect::Mariadb, Rule::Foreign) => {
            let number = known.iter().filter(|made| made.foreign.is_some()).count() + 1;
            return Some(format!("{table}_ibfk_{number}"));
        }
        _ => return None,
    };
    let taken = |name: &str| known.iter().any(|made| made.name.as_deref() == Some(name));
    let mut name = base.clone();
    let mut number = 0;
    while taken(&name) {
        number += 1;
        name = format!("{base}{number}");
    }
    Some(name)
}

/// The one column that a CHECK is about, as far as its text begins with it.
fn checked_column(made: &Constraint) -> Option<String> {
    let words =
        made.text.split(' ').filter(|word| word.starts_with(|first: char| first.is_alphabetic() || first == '_'));
    words.map(|word| word.trim_matches('"').to_owned()).next()
}

pub(crate) fn change(session: &mut Session<'_>, key: &Key, change: Change) {
    match change {
        Change::AddConstraint(new) => add(session, key, &new),
        Change::AddIndex(new) => {
            let made = Index::new(&new, session.id(), session.touched());
            with(session, key, |table| table.indexes.push(made));
        }
        Change::DropConstraint { name, if_exists } => drop_constraint(session, key, &name, if_exists),
        Change::DropPrimary => remove(session, key, "its primary key", |made| made.rule == Rule::Primary),
        Change::DropForeign(name) => remove(session, key, &name, |made| made.name.as_deref() == Some(&name)),
        Change::DropIndex(name) => drop_index_of(session, key, &name),
        Change::RenameConstraint { name, to } | Change::RenameIndex { name, to } => rename(session, key, &name, &to),
        Change::AlterConstraint(name) => {
            session.see(Verdict::Caution, label(key), format!("constraint {name} is checked at another moment"));
        }
        Change::Validate(name) => validate(session, key, &name),
        _ => {}
    }
}

/// Removes the constraints that `which` picks. One that is not known may have been anything.
fn remove(session: &mut Session<'_>, key: &Key, name: &str, which: impl Fn(&Constraint) -> bool) {
    let gone = with(session, key, |table| {
        let gone: Vec<_> = table.constraints.iter().filter(|made| which(made)).map(|made| made.id).collect();
        table.constraints.retain(|made| !which(made));
        gone
    })
    .unwrap_or_default();
    if gone.is_empty() && session.is_old(key) {
        let why = format!("{name} is dropped, and the earlier files do not say what it demands");
        session.see(Verdict::Contract, label(key), why);
    }
    for id in gone {
        session.gone(id);
    }
}

fn drop_constraint(session: &mut Session<'_>, key: &Key, name: &str, if_exists: bool) {
    let known =
        session.after.tables.get(key).is_some_and(|table| {
            !table.opaque && !table.constraints.iter().any(|made| made.name.as_deref() == Some(name))
        });
    if known && if_exists && !session.after.hidden.may_hold(name) {
        return;
    }
    remove(session, key, name, |made| made.name.as_deref() == Some(name));
}

fn drop_index_of(session: &mut Session<'_>, key: &Key, name: &str) {
    let found = with(session, key, |table| {
        let at = table.indexes.iter().position(|index| index.name.as_deref() == Some(name))?;
        Some(table.indexes.remove(at).id)
    });
    if let Some(Some(id)) = found {
        session.gone(id);
    } else {
        remove(session, key, name, |made| made.is_key() && made.name.as_deref() == Some(name));
    }
}

fn rename(session: &mut Session<'_>, key: &Key, name: &str, to: &str) {
    let touched = session.touched();
    let found = with(session, key, |table| {
        let constraint = table.constraints.iter_mut().find(|made| made.name.as_deref() == Some(name));
        if let Some(made) = constraint {
            made.name = Some(to.to_owned());
            made.touched = touched;
            return true;
        }
        let index = table.indexes.iter_mut().find(|index| index.name.as_deref() == Some(name));
        index.is_some_and(|index| {
            index.name = Some(to.to_owned());
            index.touched = touched;
            true
        })
    });
    if found != Some(true) && session.is_old(key) {
        session.see(Verdict::Contract, label(key), format!("{name} is renamed, and old statements may name it"));
    }
}

fn validate(session: &mut Session<'_>, key: &Key, name: &str) {
    let changed = with(session, key, |table| {
        let made = table.constraints.iter_mut().find(|made| made.name.as_deref() == Some(name));
        made.is_none_or(|made| !std::mem::replace(&mut made.valid, true))
    });
    if changed != Some(false) && session.is_old(key) {
        session.see(Verdict::Expand, label(key), "rows that exist are checked; new ones were already");
    }
}

pub(crate) fn create_index(session: &mut Session<'_>, table: &Name, new: &NewIndex, if_not_exists: bool) {
    let key = resolve(session, table);
    let taken = |table: &Table| table.indexes.iter().any(|known| new.name.is_some() && known.name == new.name);
    if if_not_exists && session.after.tables.get(&key).is_some_and(taken) {
        return;
    }
    if if_not_exists
        && session.is_change()
        && session.is_old(&key)
        && new.name.as_ref().is_some_and(|name| session.after.hidden.may_hold(name))
    {
        // Dropping it later may drop one that was there.
        return session.see(Verdict::Expand, label(&key), "an index is made unless it is there, and it may be");
    }
    let mut made = Index::new(new, session.id(), session.touched());
    if made.name.is_none() && session.after.dialect == Dialect::Postgres {
        made.name = Some(format!("{}_{}_idx", key.1, made.keys.join("_")));
    }
    with(session, &key, |table| table.indexes.push(made));
    if session.after.views.contains_key(&key) {
        session.see(Verdict::Expand, label(&key), "an index on a materialized view");
    }
}

pub(crate) fn drop_index(session: &mut Session<'_>, name: &Name, if_exists: bool, on: Option<&Name>) {
    let key = match on {
        Some(table) => Some(resolve(session, table)),
        None => session.after.table_with_index(&name.name),
    };
    match key {
        Some(key) => drop_index_of(session, &key, &name.name),
        None if if_exists && !session.after.hidden.may_hold(&name.name) => {}
        None => {
            let why = "the index is dropped, and the earlier files do not say whether it is unique";
            session.see(Verdict::Unknown, name.name.clone(), why);
        }
    }
}
