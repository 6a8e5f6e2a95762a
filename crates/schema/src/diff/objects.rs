//! Views, functions, triggers, types, sequences, schemas, extensions before and after.

use crate::apply::label;
use crate::catalogue::{Key, NamedType, Trigger, View};
use crate::dialect::Dialect;
use crate::diff::Diff;
use crate::read::calls::is_harmless;
use crate::statement::TypeDefinition;
use crate::types;
use crate::verdict::Verdict;

pub(crate) fn compare(diff: &mut Diff<'_>) {
    views(diff);
    functions(diff);
    triggers(diff);
    named_types(diff);
    sequences(diff);
    names(diff);
}

fn views(diff: &mut Diff<'_>) {
    let (before, after) = (diff.before, diff.after);
    for (key, old) in &before.views {
        let Some(new) = after.views.get(key) else {
            diff.see(
                Verdict::Contract,
                diff.removal(old.id),
                label(key),
                "the view is gone: old statements no longer find it",
            );
            continue;
        };
        view(diff, key, old, new);
    }
    for (key, new) in after.views.iter().filter(|(key, _)| !before.views.contains_key(*key)) {
        if !after.is_passing(key) {
            diff.see(Verdict::Expand, new.touched, label(key), "a new view");
        }
    }
}

fn view(diff: &mut Diff<'_>, key: &Key, old: &View, new: &View) {
    let same_head = old.head == new.head;
    let same = same_head && old.items == new.items && old.tail == new.tail;
    // What is computed may multiply rows, fold them into one, or make the view one that cannot be written through.
    let plain = |items: &[String]| items.iter().all(|item| !item.contains('('));
    let appended = same_head
        && old.tail == new.tail
        && !old.items.is_empty()
        && new.items.starts_with(&old.items)
        && plain(&new.items[old.items.len()..]);
    let remade = old.id != new.id;
    if remade && diff.after.dialect == Dialect::Postgres && !(same && new.all_granted) {
        let why = "the view is dropped and made anew: rights that were given on it are gone";
        diff.see(Verdict::Contract, new.touched, label(key), why);
    } else if !same && !appended {
        let why = "the view is defined otherwise: old reads may give other rows, old writes may be refused";
        diff.see(Verdict::Contract, new.touched, label(key), why);
    } else if !same {
        diff.see(Verdict::Expand, new.touched, label(key), "columns are appended to the view");
    }
}

fn functions(diff: &mut Diff<'_>) {
    let (before, after) = (diff.before, diff.after);
    for (key, old) in &before.functions {
        let new = after.functions.get(key).map(Vec::as_slice).unwrap_or_default();
        for old in old {
            match new.iter().find(|new| new.id == old.id) {
                None => {
                    let why = "the function is dropped, and with it the right to call it";
                    diff.see(Verdict::Contract, diff.removal(old.id), label(key), why);
                }
                Some(new) if new.definition != old.definition => {
                    diff.see(
                        Verdict::Unknown,
                        new.touched,
                        label(key),
                        "the function has another body, and bodies are not understood",
                    );
                }
                Some(_) => {}
            }
        }
        for new in new.iter().filter(|new| old.iter().all(|old| old.id != new.id)) {
            let why = "a function of the same name with other arguments: old calls may be ambiguous, or reach it";
            diff.see(Verdict::Contract, new.touched, label(key), why);
        }
    }
    for (key, new) in after.functions.iter().filter(|(key, _)| !before.functions.contains_key(*key)) {
        for new in new {
            // PostgreSQL takes the one whose arguments fit best.
            let (verdict, why) = if diff.after.dialect == Dialect::Postgres && is_harmless(&key.1) {
                (Verdict::Unknown, "a function has the name of a built-in one: old calls may reach it")
            } else {
                (Verdict::Expand, "a new function")
            };
            diff.see(verdict, new.touched, label(key), why);
        }
    }
}

fn triggers(diff: &mut Diff<'_>) {
    let (before, after) = (diff.before, diff.after);
    for (key, old) in &before.triggers {
        let relation_stays = after.tables.contains_key(&old.on) || after.views.contains_key(&old.on);
        match after.triggers.get(key) {
            Some(new) => trigger(diff, &key.1, old, new),
            None if relation_stays => {
                diff.see(
                    Verdict::Contract,
                    diff.removal(old.id),
                    &key.1,
                    "the trigger is gone, and what it did for old writes",
                );
            }
            None => {}
        }
    }
    for (key, new) in after.triggers.iter().filter(|(key, _)| !before.triggers.contains_key(*key)) {
        if new.temporary {
            continue;
        }
        let old_table = after
            .tables
            .get(&new.on)
            .is_some_and(|table| before.table_of(table.id).is_some() || before.tables.contains_key(&new.on));
        let old_view = before.views.contains_key(&new.on);
        let (verdict, why) = if old_table || old_view {
            (Verdict::Unknown, "a trigger fires for old writes, and what it does is not understood")
        } else {
            (Verdict::Expand, "a trigger on a new table")
        };
        diff.see(verdict, new.touched, &key.1, why);
    }
}

fn trigger(diff: &mut Diff<'_>, name: &str, old: &Trigger, new: &Trigger) {
    if old.definition != new.definition || old.on != new.on && old.id != new.id {
        diff.see(Verdict::Unknown, new.touched, name, "the trigger does something else, and what is not understood");
    }
    match (old.enabled, new.enabled) {
        (true, false) => diff.see(Verdict::Contract, new.touched, name, "the trigger no longer fires for old writes"),
        (false, true) => diff.see(Verdict::Unknown, new.touched, name, "the trigger now fires for old writes"),
        _ => {}
    }
}

fn named_types(diff: &mut Diff<'_>) {
    let (before, after) = (diff.before, diff.after);
    for (key, old) in &before.types {
        match after.types.get(key) {
            Some(new) if new.id == old.id => named_type(diff, key, old, new),
            found => {
                let statement = diff.removal(old.id).or(found.and_then(|new| new.touched));
                diff.see(Verdict::Contract, statement, label(key), "the type is gone or made anew");
            }
        }
    }
    for (key, new) in after.types.iter().filter(|(key, _)| !before.types.contains_key(*key)) {
        let renamed = before.types.values().any(|old| old.id == new.id);
        if !renamed {
            diff.see(Verdict::Expand, new.touched, label(key), "a new type");
        }
    }
}

fn named_type(diff: &mut Diff<'_>, key: &Key, old: &NamedType, new: &NamedType) {
    let at = label(key);
    match (&old.definition, &new.definition) {
        (TypeDefinition::Enum(was), TypeDefinition::Enum(is)) => {
            let (verdict, why) = types::values(was, is);
            diff.see(verdict, new.touched, at, why);
        }
        (TypeDefinition::Composite(was), TypeDefinition::Composite(is)) if was != is => {
            let (verdict, why) = if is.starts_with(was) {
                (Verdict::Expand, "an attribute is added")
            } else {
                (Verdict::Contract, "an attribute is dropped, renamed or of another type")
            };
            diff.see(verdict, new.touched, at, why);
        }
        (
            TypeDefinition::Domain { not_null: was_not_null, default: was_default, checks: was, .. },
            TypeDefinition::Domain { not_null, default, checks: is, .. },
        ) => {
            if (not_null, was_not_null) == (&true, &false)
                || is.iter().any(|check| !was.iter().any(|old| old.1 == check.1))
            {
                diff.see(Verdict::Contract, new.touched, &at, "the domain demands more of old writes");
            }
            if (not_null, was_not_null) == (&false, &true)
                || was.iter().any(|check| !is.iter().any(|new| new.1 == check.1))
            {
                diff.see(Verdict::Caution, new.touched, &at, "a refusal of the domain is gone");
            }
            if default != was_default {
                diff.see(Verdict::Contract, new.touched, &at, "the domain's default changes");
            }
        }
        _ => {}
    }
}

fn sequences(diff: &mut Diff<'_>) {
    let (before, after) = (diff.before, diff.after);
    for (key, old) in &before.sequences {
        let new = after.sequences.get(key).filter(|new| new.id == old.id);
        if new.is_some() {
            continue;
        }
        let moved = after.sequences.values().find(|new| new.id == old.id);
        let statement = diff.removal(old.id).or(moved.and_then(|new| new.touched));
        let (verdict, why) = if old.owned && moved.is_some() {
            (Verdict::Expand, "the sequence is used through a column's default, which follows")
        } else {
            (Verdict::Contract, "the sequence is gone or renamed: old statements no longer find it")
        };
        diff.see(verdict, statement, label(key), why);
    }
    for (key, new) in after.sequences.iter().filter(|(key, _)| !before.sequences.contains_key(*key)) {
        let renamed = before.sequences.values().any(|old| old.id == new.id);
        if !renamed && !new.owned {
            diff.see(Verdict::Expand, new.touched, label(key), "a new sequence");
        }
    }
}

/// Schemas and extensions.
fn names(diff: &mut Diff<'_>) {
    let (before, after) = (diff.before, diff.after);
    for (what, old, new) in
        [("schema", &before.schemas, &after.schemas), ("extension", &before.extensions, &after.extensions)]
    {
        for (name, id) in old {
            if new.get(name) != Some(id) {
                diff.see(
                    Verdict::Contract,
                    diff.removal(*id),
                    name,
                    format!("the {what} is gone, with all that is in it"),
                );
            }
        }
        for name in new.keys().filter(|name| !old.contains_key(*name)) {
            // Which statement made it does not matter: it can only be one.
            diff.see(Verdict::Expand, None, name, format!("a new {what}"));
        }
    }
}
