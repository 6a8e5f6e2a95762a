//! Columns added, dropped, renamed, redefined.

use crate::apply::tables::with;
use crate::apply::{keys, label};
use crate::catalogue::{Column, Key, Sequence};
use crate::dialect::Dialect;
use crate::session::Session;
use crate::statement::{Change, Identity, NewColumn, TableOptions};
use crate::types::Type;
use crate::verdict::Verdict;

/// A column as it stands in the catalogue once it is made.
pub(crate) fn build(session: &mut Session<'_>, key: &Key, new: &NewColumn, options: &TableOptions) -> Column {
    let mut ty = new.ty.clone();
    if session.after.dialect.is_mysql() && is_text(&ty) {
        // Without rules of its own a column takes the table's.
        ty.collation = ty.collation.or_else(|| ty.charset.is_none().then(|| options.collation.clone()).flatten());
        ty.charset = ty.charset.or_else(|| options.charset.clone());
    }
    let mut default = new.default.clone();
    if new.serial {
        let sequence = format!("{}_{}_seq", key.1, new.name);
        default = Some(format!("nextval ( '{sequence}'"));
        let made = Sequence { id: session.id(), owned: true, touched: session.touched() };
        session.after.sequences.entry((key.0.clone(), sequence)).or_insert(made);
    }
    Column {
        id: session.id(),
        name: new.name.clone(),
        ty: Some(ty),
        nullable: Some(!new.not_null),
        default: Some(same_default(default)),
        default_varies: new.default_varies || new.serial,
        generated: new.generated.clone(),
        identity: new.identity,
        auto_increment: new.auto_increment,
        on_update: new.on_update.clone(),
        serial: new.serial,
        invisible: new.invisible,
        placed: false,
        touched: session.touched(),
    }
}

/// Sequences are compared by name, however they are spelled: `nextval('a'::regclass)`.
fn same_default(default: Option<String>) -> Option<String> {
    let text = default?;
    if let Some(inner) = text.strip_prefix("nextval (") {
        let name = inner.split('\'').nth(1).unwrap_or_default().trim_start_matches("public.");
        return Some(format!("nextval ( '{name}'"));
    }
    Some(text)
}

fn is_text(ty: &Type) -> bool {
    ["char", "text", "enum", "set"].iter().any(|word| ty.name.contains(word))
}

/// Makes sure that the column is known, as one never seen being made where it is not.
pub(crate) fn ensure(session: &mut Session<'_>, key: &Key, name: &str) {
    let Some(table) = session.after.tables.get(key) else { return };
    if table.column(name).is_some() {
        return;
    }
    let table_id = table.id;
    let stub = Column { id: session.id(), name: name.to_owned(), ..Column::default() };
    if session.is_change() {
        let old = session.before.tables.values_mut().find(|table| table.id == table_id);
        if let Some(old) = old {
            old.columns.push(stub.clone());
        }
    }
    with(session, key, |table| table.columns.push(stub));
}

/// Whether the column certainly does not exist.
fn is_absent(session: &Session<'_>, key: &Key, name: &str) -> bool {
    session.after.tables.get(key).is_some_and(|table| !table.opaque && table.column(name).is_none())
        && !session.after.hidden.may_hold(name)
}

pub(crate) fn change(session: &mut Session<'_>, key: &Key, change: Change) {
    match change {
        Change::AddColumn { column, if_not_exists } => add(session, key, &column, if_not_exists),
        Change::DropColumn { name, if_exists } if if_exists && is_absent(session, key, &name) => {}
        Change::DropColumn { name, .. } => drop(session, key, &name),
        Change::RenameColumn { name, to } => {
            edit(session, key, &name, |column| column.name.clone_from(&to));
            rename_in_keys(session, key, &name, &to);
        }
        Change::Redefine { name, column, keeps_default } => redefine(session, key, &name, &column, keeps_default),
        Change::SetType { name, ty, using } => set_type(session, key, &name, *ty, using.as_deref()),
        Change::SetNotNull(name) => edit(session, key, &name, |column| column.nullable = Some(false)),
        Change::DropNotNull(name) => edit(session, key, &name, |column| column.nullable = Some(true)),
        Change::SetDefault(name, default) => set_default(session, key, &name, default, true),
        Change::DropDefault(name) => set_default(session, key, &name, None, false),
        Change::AddIdentity(name, kind, starts) => add_identity(session, key, &name, kind, starts),
        Change::SetIdentity(name, kind) => edit(session, key, &name, |column| column.identity = Some(kind)),
        Change::DropIdentity(name) => {
            judge_old(session, key, Verdict::Contract, "the column no longer numbers new rows by itself");
            edit(session, key, &name, |column| column.identity = None);
        }
        Change::DropExpression(name) => {
            judge_old(session, key, Verdict::Contract, "the column is no longer computed: old writes leave it empty");
            edit(session, key, &name, |column| column.generated = None);
        }
        _ => {}
    }
}

fn judge_old(session: &mut Session<'_>, key: &Key, verdict: Verdict, why: &str) {
    if session.is_old(key) {
        session.see(verdict, label(key), why);
    }
}

/// Changes a column, and notes which statement did.
fn edit(session: &mut Session<'_>, key: &Key, name: &str, change: impl FnOnce(&mut Column)) {
    ensure(session, key, name);
    let touched = session.touched();
    with(session, key, |table| {
        if let Some(column) = table.column_mut(name) {
            column.touched = touched;
            change(column);
        }
    });
}

fn add(session: &mut Session<'_>, key: &Key, new: &NewColumn, if_not_exists: bool) {
    let Some(table) = session.after.tables.get(key) else { return };
    if table.column(&new.name).is_some() {
        if !if_not_exists && session.is_change() {
            session.see(
                Verdict::Unknown,
                label(key),
                format!("column {} is there already: the statement fails", new.name),
            );
        }
        return;
    }
    let options = table.options.clone();
    let may_be_there = table.opaque || session.after.hidden.may_hold(&new.name);
    if if_not_exists && may_be_there && session.is_old(key) && session.is_change() {
        // What follows may reach a column that old code knows.
        ensure(session, key, &new.name);
        let why = "a column is added unless it is there, and it may be";
        return session.see(Verdict::Expand, label(key), why);
    }
    let column = build(session, key, new, &options);
    with(session, key, |table| table.columns.push(column));
    for constraint in &new.constraints {
        keys::add(session, key, constraint);
    }
}

fn drop(session: &mut Session<'_>, key: &Key, name: &str) {
    ensure(session, key, name);
    let removed = with(session, key, |table| {
        let at = table.columns.iter().position(|column| column.name == name)?;
        let column = table.columns.remove(at);
        let has = |names: &[String]| names.iter().any(|known| known == name);
        let mut gone = vec![column.id];
        gone.extend(table.constraints.iter().filter(|made| has(&made.columns)).map(|made| made.id));
        gone.extend(table.indexes.iter().filter(|index| has(&index.keys)).map(|index| index.id));
        table.constraints.retain(|made| !has(&made.columns));
        table.indexes.retain(|index| !has(&index.keys));
        Some(gone)
    });
    for id in removed.flatten().into_iter().flatten() {
        session.gone(id);
    }
}

fn rename_in_keys(session: &mut Session<'_>, key: &Key, name: &str, to: &str) {
    with(session, key, |table| {
        let lists = table.constraints.iter_mut().map(|made| &mut made.columns);
        for list in lists.chain(table.indexes.iter_mut().map(|index| &mut index.keys)) {
            for column in list.iter_mut().filter(|column| *column == name) {
                to.clone_into(column);
            }
        }
    });
}

/// The whole column anew: what is left out is dropped, NULL among it. SQL Server keeps the default.
fn redefine(session: &mut Session<'_>, key: &Key, name: &str, new: &NewColumn, keeps_default: bool) {
    ensure(session, key, name);
    let options = session.after.tables.get(key).map(|table| table.options.clone()).unwrap_or_default();
    let mut built = build(session, key, new, &options);
    let mut in_key = false;
    with(session, key, |table| {
        in_key = table.constraints.iter().any(|made| {
            made.rule == crate::statement::Rule::Primary && made.columns.iter().any(|column| column == name)
        });
    });
    edit(session, key, name, |column| {
        built.id = column.id;
        built.touched = column.touched;
        built.placed = new.placed;
        if keeps_default {
            built.default.clone_from(&column.default);
            built.identity = column.identity;
            built.generated.clone_from(&column.generated);
        }
        if in_key {
            built.nullable = Some(false);
        }
        *column = built;
    });
    if new.comment {
        judge_old(session, key, Verdict::Expand, "a comment");
    }
    if name != new.name {
        rename_in_keys(session, key, name, &new.name);
    }
    for constraint in &new.constraints {
        keys::add(session, key, constraint);
    }
}

fn set_type(session: &mut Session<'_>, key: &Key, name: &str, ty: Type, using: Option<&str>) {
    let computes = using.is_some();
    edit(session, key, name, |column| column.ty = Some(ty));
    if computes && session.is_old(key) {
        session.see(Verdict::Data, label(key), format!("values of {name} are computed anew"));
    }
}

/// SET DEFAULT, or DROP DEFAULT where nothing is `set`.
fn set_default(session: &mut Session<'_>, key: &Key, name: &str, default: Option<String>, set: bool) {
    let default = same_default(default);
    let mut same = false;
    edit(session, key, name, |column| {
        same = column.default.as_ref() == Some(&default);
        column.default = Some(default);
        column.default_varies = false;
    });
    if set && same && session.is_old(key) {
        session.see(Verdict::Expand, label(key), format!("the default of {name} is set to what it was"));
    }
}

fn add_identity(session: &mut Session<'_>, key: &Key, name: &str, kind: Identity, starts: bool) {
    edit(session, key, name, |column| {
        column.identity = Some(kind);
        // The identity takes a default's place.
        column.default = column.default.take().map(|_| None);
    });
    if session.is_old(key) && session.after.dialect == Dialect::Postgres {
        let (verdict, why) = if kind == Identity::Always {
            (Verdict::Contract, "values that old statements give for the column are refused")
        } else if starts {
            (Verdict::Expand, "the column numbers new rows, from above those that exist")
        } else {
            (Verdict::Contract, "the column numbers new rows from 1: the numbers meet keys that exist")
        };
        session.see(verdict, label(key), why);
    }
}

/// CONVERT TO CHARACTER SET: every text column.
pub(crate) fn convert(session: &mut Session<'_>, key: &Key, options: &TableOptions) {
    let touched = session.touched();
    let opaque = with(session, key, |table| {
        for column in &mut table.columns {
            if let Some(ty) = column.ty.as_mut().filter(|ty| is_text(ty)) {
                ty.charset.clone_from(&options.charset);
                ty.collation.clone_from(&options.collation);
                column.touched = touched;
            }
        }
        table.options.charset.clone_from(&options.charset);
        table.options.collation.clone_from(&options.collation);
        table.opaque
    });
    if opaque == Some(true) && session.is_old(key) {
        session.see(Verdict::Contract, label(key), "character set and collation of columns that are not known change");
    }
}
