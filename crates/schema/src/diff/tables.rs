//! Tables before and after.

use std::collections::BTreeSet;

use crate::apply::label;
use crate::catalogue::{Copied, Id, Key, Table};
use crate::dialect::Dialect;
use crate::diff::{Diff, columns, keys};
use crate::verdict::Verdict;

/// How the columns of a table before are found again in the one after.
#[derive(Clone, Copy)]
pub(crate) enum Match<'c> {
    /// By what they are: the table is the same.
    Identity,
    /// By name: the table was rebuilt and filled from the old one.
    Copy(&'c Copied),
}

/// A table on both sides.
pub(crate) struct Pair<'c> {
    pub(crate) key: &'c Key,
    pub(crate) old: &'c Table,
    pub(crate) new: &'c Table,
    pub(crate) matched: Match<'c>,
}

impl Pair<'_> {
    pub(crate) fn label(&self) -> String {
        label(self.key)
    }
}

pub(crate) fn compare(diff: &mut Diff<'_>) {
    let (before, after) = (diff.before, diff.after);
    for (key, old) in &before.tables {
        if before.is_passing(key) {
            continue;
        }
        // Mostly a table stands where it stood: found without a search.
        let in_place = after.tables.get_key_value(key).filter(|(_, new)| new.id == old.id);
        match in_place.or_else(|| after.table_of(old.id)) {
            Some((new_key, new)) if new_key == key => {
                compare_pair(diff, &Pair { key, old, new, matched: Match::Identity });
            }
            moved => gone_or_renamed(diff, key, old, moved),
        }
    }
    let old_ids: BTreeSet<Id> = before.tables.values().map(|table| table.id).collect();
    for (key, new) in &after.tables {
        if !after.is_passing(key) && !old_ids.contains(&new.id) {
            new_table(diff, key, new);
        }
    }
}

fn compare_pair(diff: &mut Diff<'_>, pair: &Pair<'_>) {
    columns::compare(diff, pair);
    keys::compare(diff, pair);
}

/// The table is no longer under its name, unless a copy of it is.
fn gone_or_renamed(diff: &mut Diff<'_>, key: &Key, old: &Table, moved: Option<(&Key, &Table)>) {
    let after = diff.after;
    let statement = moved.map_or_else(|| diff.removal(old.id), |(_, table)| table.touched);
    if let Some(new) = after.tables.get(key)
        && let Some(copied) = new.copied.as_ref().filter(|copied| copied.from == old.id && copied.every_row)
        && stands_in(diff, key, old, new, moved)
    {
        rebuilt(diff, key, old, new, copied);
        return;
    }
    if moved.is_some() && view_stands_in(diff, key, old) {
        diff.see(
            Verdict::Expand,
            statement,
            label(key),
            "the table is renamed, and a view shows it under the old name",
        );
        return;
    }
    let why = match moved {
        Some((to, _)) => format!("the table is now called {}: old statements no longer find it", label(to)),
        None if after.tables.contains_key(key) => {
            "the table is dropped and made anew: its rows and rights are gone".to_owned()
        }
        None => "the table is dropped: old statements no longer find it".to_owned(),
    };
    diff.see(Verdict::Contract, statement, label(key), why);
}

/// Whether a copy can take the table's place with all that hangs on it.
fn stands_in(diff: &Diff<'_>, key: &Key, old: &Table, new: &Table, moved: Option<(&Key, &Table)>) -> bool {
    let renamed_to = moved.map(|(to, _)| to);
    let refers = |key: &Key| {
        diff.after.tables.values().any(|table| table.constraints.iter().any(|made| made.parent.as_ref() == Some(key)))
    };
    match diff.after.dialect {
        // References, views and triggers follow a table that is renamed first.
        Dialect::Sqlite => {
            let viewed = diff.before.views.values().any(|view| mentions(&view.tail, &key.1));
            let triggered = diff.before.triggers.values().any(|trigger| mentions(&trigger.definition, &key.1));
            renamed_to.is_none() && !(diff.after.renamed.contains(&old.id) && (viewed || triggered))
        }
        // Views and foreign keys hold on to the old table; only rights given to all are known to be back.
        Dialect::Postgres => {
            let viewed = diff.before.views.values().any(|view| mentions(&view.tail, &key.1));
            let triggered = diff.before.triggers.values().any(|trigger| trigger.on == *key);
            let was_referred = diff
                .before
                .tables
                .values()
                .any(|table| table.constraints.iter().any(|made| made.parent.as_ref() == Some(key)));
            let numbers = old.columns.iter().any(|column| column.serial || column.identity.is_some());
            new.all_granted && !viewed && !triggered && !was_referred && !numbers && !old.row_security
        }
        _ => {
            let triggered = diff.before.triggers.values().any(|trigger| trigger.on == *key);
            !triggered && !renamed_to.is_some_and(refers)
        }
    }
}

fn mentions(text: &str, name: &str) -> bool {
    text.split(' ').any(|word| word.trim_matches('"') == name)
}

/// MySQL gives rights by name, and a view over all columns of one table can be written through.
fn view_stands_in(diff: &Diff<'_>, key: &Key, old: &Table) -> bool {
    if !diff.after.dialect.is_mysql() || old.opaque {
        return false;
    }
    let Some(view) = diff.after.views.get(key) else { return false };
    let moved = diff.after.table_of(old.id).map(|(to, _)| format!("from {}", to.1));
    let plain = moved.is_some_and(|from| view.tail.replace('`', "") == from) && !view.head.contains("algorithm");
    let defaults = old.columns.iter().any(|column| column.auto_increment);
    plain
        && !defaults
        && old.columns.iter().all(|column| view.items.iter().any(|item| item.trim_matches('`') == column.name))
}

/// A table that was copied, dropped and put back under its name is judged by comparing.
fn rebuilt(diff: &mut Diff<'_>, key: &Key, old: &Table, new: &Table, copied: &Copied) {
    diff.see(Verdict::Expand, copied.statement, label(key), "the table is rebuilt with all its rows");
    let (was, is) = (&old.options, &new.options);
    if was.without_rowid != is.without_rowid || was.strict != is.strict {
        diff.see(
            Verdict::Contract,
            new.touched,
            label(key),
            "the rebuilt table keeps rows or types by other rules (WITHOUT ROWID, STRICT)",
        );
    }
    if old.opaque || new.opaque || copied.by_position && !same_order(old, new) {
        diff.see(Verdict::Unknown, copied.statement, label(key), "which column goes into which is not known");
    }
    compare_pair(diff, &Pair { key, old, new, matched: Match::Copy(copied) });
}

fn same_order(old: &Table, new: &Table) -> bool {
    let mut new_names = new.columns.iter().map(|column| &column.name);
    old.columns.iter().all(|column| new_names.next() == Some(&column.name))
}

fn new_table(diff: &mut Diff<'_>, key: &Key, new: &Table) {
    let takes_place = diff.before.tables.contains_key(key);
    if !takes_place {
        diff.see(Verdict::Expand, new.touched, label(key), "a new table");
    }
    if diff.before.views.contains_key(key) {
        diff.see(Verdict::Contract, new.touched, label(key), "a table takes the place of a view");
    }
    if new.inherits {
        let why = "rows that the new release writes into it appear in old reads of the parent";
        diff.see(Verdict::Caution, new.touched, label(key), why);
    }
    keys::references_from_new_table(diff, key, new);
}
