//! Constraints and indexes before and after.

use crate::apply::label;
use crate::catalogue::{Constraint, Index, Key, Table, same_set};
use crate::dialect::Dialect;
use crate::diff::Diff;
use crate::diff::check;
use crate::diff::tables::{Match, Pair};
use crate::statement::{Foreign, Rule};
use crate::verdict::Verdict;

pub(crate) fn compare(diff: &mut Diff<'_>, pair: &Pair<'_>) {
    let mut fresh: Vec<&Constraint> = pair.new.constraints.iter().filter(|made| !stands(pair, made)).collect();
    for old in &pair.old.constraints {
        match pair.new.constraints.iter().find(|new| new.id == old.id) {
            Some(new) => renamed(diff, pair, old, new),
            None => constraint_gone(diff, pair, old, &mut fresh),
        }
    }
    for new in fresh {
        constraint_added(diff, pair, new);
    }
    for made in pair.new.constraints.iter().filter(|made| pair.old.indexes.iter().any(|old| old.id == made.id)) {
        diff.see(
            Verdict::Expand,
            made.touched,
            object(pair, made.name.as_ref()),
            "a unique index becomes a constraint",
        );
    }
    indexes(diff, pair);
}

/// Whether the constraint was there before.
fn stands(pair: &Pair<'_>, made: &Constraint) -> bool {
    pair.old.constraints.iter().any(|old| old.id == made.id)
        // An index that was made a constraint demands nothing new.
        || pair.old.indexes.iter().any(|old| old.id == made.id)
}

fn object(pair: &Pair<'_>, name: Option<&String>) -> String {
    name.map_or_else(|| pair.label(), |name| format!("{} ({name})", pair.label()))
}

/// Only PostgreSQL's statements name a constraint: ON CONFLICT ON CONSTRAINT.
fn is_named_by_statements(diff: &Diff<'_>, made: &Constraint) -> bool {
    diff.after.dialect == Dialect::Postgres && (made.is_key() || made.rule == Rule::Exclude)
}

fn renamed(diff: &mut Diff<'_>, pair: &Pair<'_>, old: &Constraint, new: &Constraint) {
    if old.parent != new.parent && !same_parent(diff, old, new) {
        let why =
            "the foreign key followed its parent to another name, and no longer leads to the table of the old one";
        diff.see(Verdict::Contract, new.touched, object(pair, old.name.as_ref()), why);
    }
    if old.name == new.name {
        return;
    }
    let (verdict, why) = if is_named_by_statements(diff, old) {
        (Verdict::Contract, "the constraint is renamed: ON CONFLICT ON CONSTRAINT no longer finds it")
    } else {
        (Verdict::Expand, "the constraint is renamed, and no statement names it")
    };
    diff.see(verdict, new.touched, object(pair, old.name.as_ref()), why);
}

/// Whether two foreign keys lead to one table, which only has another name.
fn same_parent(diff: &Diff<'_>, old: &Constraint, new: &Constraint) -> bool {
    let before = old.parent.as_ref().and_then(|key| diff.before.tables.get(key));
    let after = new.parent.as_ref().and_then(|key| diff.after.tables.get(key));
    before.zip(after).is_some_and(|(before, after)| before.id == after.id)
}

/// A constraint that is no longer there, unless another demands the same.
fn constraint_gone(diff: &mut Diff<'_>, pair: &Pair<'_>, old: &Constraint, fresh: &mut Vec<&Constraint>) {
    let statement = diff.removal(old.id).or(pair.new.touched);
    let at = object(pair, old.name.as_ref());
    if let Some(position) =
        fresh.iter().position(|new| old.demands_same(new) && (old.rule != Rule::Primary || new.rule == Rule::Primary))
    {
        let new = fresh.remove(position);
        let lost_name =
            is_named_by_statements(diff, old) && old.name != new.name && matches!(pair.matched, Match::Identity);
        let (verdict, why) = if lost_name {
            (Verdict::Contract, "another name: ON CONFLICT ON CONSTRAINT no longer finds the constraint")
        } else {
            (Verdict::Expand, "replaced by an equal constraint")
        };
        diff.see(verdict, statement, at, why);
        return;
    }
    let (verdict, why) = match old.rule {
        Rule::Primary | Rule::Unique => return key_gone(diff, pair, old),
        Rule::Exclude => (Verdict::Contract, "the exclusion goes: a refusal and an ON CONFLICT target are gone"),
        Rule::Check => return check_gone(diff, pair, old, fresh),
        Rule::Foreign => return foreign_gone(diff, pair, old, fresh),
    };
    diff.see(verdict, statement, at, why);
}

fn key_gone(diff: &mut Diff<'_>, pair: &Pair<'_>, old: &Constraint) {
    let statement = diff.removal(old.id).or(pair.new.touched);
    // A column that went took its key with it, and that was said.
    if !old.columns.is_empty() && old.columns.iter().all(|name| pair.new.column(name).is_none()) {
        return;
    }
    let kept = pair.new.has_unique(&old.columns) && old.text.is_empty() && old.rule != Rule::Primary;
    let (verdict, why) = if kept && !is_named_by_statements(diff, old) {
        (Verdict::Expand, "the columns stay unique")
    } else {
        (
            Verdict::Contract,
            "the columns are no longer unique, or no longer by that name: ON CONFLICT and upserts change, duplicates are accepted",
        )
    };
    diff.see(verdict, statement, object(pair, old.name.as_ref()), why);
}

fn check_gone(diff: &mut Diff<'_>, pair: &Pair<'_>, old: &Constraint, fresh: &mut Vec<&Constraint>) {
    let statement = diff.removal(old.id).or(pair.new.touched);
    if let Some(position) =
        fresh.iter().position(|new| new.rule == Rule::Check && check::allows_more(&old.text, &new.text))
    {
        fresh.remove(position);
    }
    let why = "the check is gone or allows more: what was refused is accepted, and old code may read it";
    diff.see(Verdict::Caution, statement, object(pair, old.name.as_ref()), why);
}

fn acts(foreign: Option<&Foreign>) -> bool {
    foreign.is_some_and(|foreign| foreign.on_delete.is_some() || foreign.on_update.is_some())
}

fn foreign_gone(diff: &mut Diff<'_>, pair: &Pair<'_>, old: &Constraint, fresh: &mut Vec<&Constraint>) {
    let statement = diff.removal(old.id).or(pair.new.touched);
    let other = fresh
        .iter()
        .position(|new| new.rule == Rule::Foreign && new.columns == old.columns && new.parent == old.parent);
    let (verdict, why) = if let Some(position) = other {
        let new = fresh.remove(position);
        let actions = |made: &Constraint| made.foreign.as_ref().map(|it| (it.on_delete.clone(), it.on_update.clone()));
        if actions(old) == actions(new) {
            (Verdict::Caution, "the foreign key is checked at another moment")
        } else {
            (Verdict::Contract, "what the foreign key does when its parent goes changes")
        }
    } else if acts(old.foreign.as_ref()) {
        (Verdict::Contract, "the foreign key acted on its rows when their parent went, and no longer does")
    } else {
        (Verdict::Caution, "the foreign key goes: a refusal that old code could count on is gone")
    };
    diff.see(verdict, statement, object(pair, old.name.as_ref()), why);
}

/// A constraint that was not there before, on a table that was.
fn constraint_added(diff: &mut Diff<'_>, pair: &Pair<'_>, new: &Constraint) {
    let at = object(pair, new.name.as_ref());
    let (verdict, why) = match new.rule {
        Rule::Exclude => (Verdict::Contract, "old writes may be refused"),
        Rule::Check => {
            if check::passes_old_writes(&new.text, pair) {
                (Verdict::Expand, "the check lets through what old writes leave in the new column")
            } else {
                (Verdict::Contract, "old writes that do not meet the check fail, rows that exist apart")
            }
        }
        Rule::Primary | Rule::Unique => unique_added(pair, &new.columns, new.text.is_empty()),
        Rule::Foreign => foreign_added(diff, pair, new),
    };
    diff.see(verdict, new.touched, at, why);
}

/// Uniqueness that was not demanded before.
fn unique_added(pair: &Pair<'_>, columns: &[String], usual: bool) -> (Verdict, &'static str) {
    let implied = usual && pair.old.uniques().any(|known| known.iter().all(|name| columns.contains(name)));
    if implied {
        return (Verdict::Expand, "the columns are unique already");
    }
    // Old writes leave a new column NULL, which is equal to nothing, or at a default that differs from row to row.
    let free = columns.iter().filter(|name| is_new(pair, name)).any(|name| {
        pair.new.column(name).is_some_and(|column| {
            let unset = column.default == Some(None) && column.nullable == Some(true) && column.generated.is_none();
            let numbered = column.auto_increment || column.identity.is_some();
            unset && usual || column.default_varies || numbered
        })
    });
    if free {
        return (Verdict::Expand, "old writes never repeat what they leave in the new column");
    }
    (Verdict::Contract, "old writes that repeat a value fail")
}

pub(crate) fn is_new(pair: &Pair<'_>, name: &str) -> bool {
    match pair.matched {
        Match::Identity => pair.new.column(name).is_some_and(|new| pair.old.columns.iter().all(|old| old.id != new.id)),
        Match::Copy(_) => pair.old.column(name).is_none() && pair.new.column(name).is_some(),
    }
}

fn foreign_added(diff: &Diff<'_>, pair: &Pair<'_>, new: &Constraint) -> (Verdict, &'static str) {
    let unset = |name: &String| {
        is_new(pair, name)
            && pair.new.column(name).is_some_and(|column| column.default == Some(None) && column.nullable == Some(true))
    };
    if !new.columns.iter().any(unset) {
        return (Verdict::Contract, "old writes whose parent does not exist fail");
    }
    if holds_parent(diff, new) {
        return (Verdict::Caution, "once the new column is used, old code can no longer delete its parent");
    }
    (Verdict::Expand, "old writes leave the new column empty")
}

/// Whether the foreign key refuses what old code may do to a table that was there before.
fn holds_parent(diff: &Diff<'_>, made: &Constraint) -> bool {
    let frees = made.foreign.as_ref().and_then(|foreign| foreign.on_delete.as_deref());
    let old_parent = made.parent.as_ref().is_some_and(|key| {
        let table = diff.after.tables.get(key);
        table.is_none_or(|table| diff.before.table_of(table.id).is_some() || diff.before.tables.contains_key(key))
    });
    old_parent && !matches!(frees, Some("cascade" | "set null"))
}

pub(crate) fn references_from_new_table(diff: &mut Diff<'_>, key: &Key, table: &Table) {
    if diff.before.tables.contains_key(key) {
        return;
    }
    let held: Vec<_> =
        table.constraints.iter().filter(|made| made.foreign.is_some() && holds_parent(diff, made)).collect();
    for made in held {
        let parent = made.parent.as_ref().map(label).unwrap_or_default();
        let why = format!("once {} has rows, old code can no longer delete what they refer to in {parent}", label(key));
        diff.see(Verdict::Caution, made.touched, label(key), why);
    }
}

fn indexes(diff: &mut Diff<'_>, pair: &Pair<'_>) {
    let made_constraint = |index: &Index| pair.new.constraints.iter().any(|made| made.id == index.id);
    for old in pair.old.indexes.iter().filter(|old| !made_constraint(old)) {
        match pair.new.indexes.iter().find(|new| new.id == old.id) {
            Some(new) if new.name != old.name => {
                diff.see(
                    Verdict::Expand,
                    new.touched,
                    object(pair, old.name.as_ref()),
                    "only the index's name changes",
                );
            }
            Some(_) => {}
            None => index_gone(diff, pair, old),
        }
    }
    for new in &pair.new.indexes {
        let same = |old: &Index| {
            matches!(pair.matched, Match::Copy(_))
                && old.unique == new.unique
                && old.keys == new.keys
                && old.predicate == new.predicate
        };
        if pair.old.indexes.iter().any(|old| old.id == new.id || same(old)) {
            continue;
        }
        index_added(diff, pair, new);
    }
}

fn index_gone(diff: &mut Diff<'_>, pair: &Pair<'_>, old: &Index) {
    let statement = diff.removal(old.id).or(pair.new.touched);
    if old.keys.iter().any(|name| pair.old.column(name).is_some() && pair.new.column(name).is_none()) {
        return;
    }
    let equal = |new: &Index| new.unique && new.keys == old.keys && new.predicate == old.predicate;
    let plain = old.plain && old.predicate.is_none();
    let kept =
        pair.new.indexes.iter().any(equal) || (plain && pair.new.uniques().any(|known| same_set(known, &old.keys)));
    let (verdict, why) = if old.special {
        (Verdict::Contract, "searches that need an index of this kind fail")
    } else if !old.unique {
        (Verdict::Expand, "an index that was not unique: statements get slower, not wrong")
    } else if kept {
        (Verdict::Expand, "replaced by an equal unique index")
    } else {
        (Verdict::Contract, "the columns are no longer unique: ON CONFLICT and upserts change, duplicates are accepted")
    };
    diff.see(verdict, statement, object(pair, old.name.as_ref()), why);
}

fn index_added(diff: &mut Diff<'_>, pair: &Pair<'_>, new: &Index) {
    let replaces = new.unique
        && pair.old.indexes.iter().any(|old| {
            old.unique && old.keys == new.keys && (old.predicate == new.predicate || old.predicate.is_none())
        });
    let (verdict, why) = if new.unique && !replaces {
        unique_added(pair, &new.keys, new.plain)
    } else if new.may_fail {
        (Verdict::Contract, "the index computes an expression that may fail: where it does, old writes fail")
    } else {
        (Verdict::Expand, "a new index that refuses nothing new")
    };
    diff.see(verdict, new.touched, object(pair, new.name.as_ref()), why);
}
