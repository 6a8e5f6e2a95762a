//! Columns before and after.

use crate::catalogue::{Column, Id, Table};
use crate::dialect::Dialect;
use crate::diff::Diff;
use crate::diff::tables::{Match, Pair};
use crate::statement::{Identity, Rule, TypeDefinition};
use crate::types;
use crate::verdict::Verdict;

pub(crate) fn compare(diff: &mut Diff<'_>, pair: &Pair<'_>) {
    for old in &pair.old.columns {
        match found_again(pair, old) {
            Some(new) => compare_column(diff, pair, old, new),
            None => {
                let again = pair.new.column(&old.name).is_some();
                let why = if again {
                    "the column is dropped and made anew: its values are gone"
                } else {
                    "the column is dropped"
                };
                let statement = diff.removal(old.id).or(pair.new.touched);
                diff.see(Verdict::Contract, statement, object(pair, old), why);
            }
        }
    }
    let known: Vec<Id> = pair.old.columns.iter().filter_map(|old| found_again(pair, old)).map(|new| new.id).collect();
    for new in pair.new.columns.iter().filter(|new| !known.contains(&new.id)) {
        added(diff, pair, new);
    }
}

fn object(pair: &Pair<'_>, column: &Column) -> String {
    format!("{}.{}", pair.label(), column.name)
}

fn found_again<'c>(pair: &Pair<'c>, old: &Column) -> Option<&'c Column> {
    match pair.matched {
        Match::Identity => pair.new.columns.iter().find(|new| new.id == old.id),
        Match::Copy(_) => pair.new.column(&old.name),
    }
}

fn compare_column(diff: &mut Diff<'_>, pair: &Pair<'_>, old: &Column, new: &Column) {
    let at = object(pair, old);
    let touched = new.touched;
    if old.name != new.name {
        diff.see(
            Verdict::Contract,
            touched,
            &at,
            format!("the column is now called {}: old statements no longer find it", new.name),
        );
    }
    if let Match::Copy(copied) = pair.matched
        && old.generated.is_none()
        && !copied.same.contains(&old.name)
    {
        diff.see(Verdict::Contract, copied.statement, &at, "the rebuilt table holds other values in the column");
    }
    compare_type(diff, pair, old, new);
    match (old.nullable, new.nullable) {
        // SQLite numbers the row where such a key is left out or NULL, whatever else the column says.
        _ if diff.after.dialect == Dialect::Sqlite && is_row_number(pair.old, old) && is_row_number(pair.new, new) => {}
        (Some(true) | None, Some(false)) => {
            diff.see(Verdict::Contract, touched, &at, "the column becomes NOT NULL: old writes without it fail");
        }
        (Some(false) | None, Some(true)) => {
            diff.see(Verdict::Caution, touched, &at, "NOT NULL goes: old code may read NULL where it never did");
        }
        _ => {}
    }
    compare_default(diff, pair, old, new);
    compare_source(diff, pair, old, new);
    if old.placed != new.placed {
        diff.see(Verdict::Expand, touched, &at, "only the column's place changes");
    }
}

/// Whether the column is an alias of the row's number in SQLite.
fn is_row_number(table: &Table, column: &Column) -> bool {
    let key = table.constraints.iter().find(|made| made.rule == Rule::Primary);
    let alone = key.is_some_and(|made| made.columns.len() == 1 && made.columns[0] == column.name);
    alone && !table.options.without_rowid && column.ty.as_ref().is_some_and(|ty| ty.name == "integer")
}

/// What people name a type after: a domain is judged by its base.
fn compare_type(diff: &mut Diff<'_>, pair: &Pair<'_>, old: &Column, new: &Column) {
    let at = object(pair, old);
    let (Some(was), Some(is)) = (&old.ty, &new.ty) else {
        if old.ty != new.ty {
            let why = "the type changes, and the earlier files do not say what it was";
            diff.see(Verdict::Contract, new.touched, at, why);
        }
        return;
    };
    if let Some(base) = domain_base(diff, was)
        && types::judge(base, is, diff.after.dialect).0 <= Verdict::Expand
        && was != is
    {
        diff.see(Verdict::Caution, new.touched, at, "the domain's checks no longer hold for the column");
        return;
    }
    let (mut verdict, mut why) = types::judge(was, is, diff.after.dialect);
    // SQLite makes a column an alias of the row's number by this very spelling only.
    let alias = |ty: &types::Type| ty.name == "integer";
    let in_key = pair.old.constraints.iter().any(|made| made.rule == Rule::Primary && made.columns.contains(&old.name));
    if diff.after.dialect == Dialect::Sqlite && in_key && alias(was) != alias(is) {
        (verdict, why) = (Verdict::Contract, "the key is no longer, or only now, the row's number");
    }
    diff.see(verdict, new.touched, at, format!("{why} ({} → {})", was.text(), is.text()));
}

fn domain_base<'c>(diff: &Diff<'c>, ty: &types::Type) -> Option<&'c types::Type> {
    let schema = ty.schema.clone().unwrap_or_else(|| "public".to_owned());
    match &diff.before.types.get(&(schema, ty.name.clone()))?.definition {
        TypeDefinition::Domain { base, .. } => Some(base),
        _ => None,
    }
}

fn compare_default(diff: &mut Diff<'_>, pair: &Pair<'_>, old: &Column, new: &Column) {
    let at = object(pair, old);
    let touched = new.touched;
    let numbers = |column: &Column| column.identity.is_some() || column.serial;
    match (&old.default, &new.default) {
        (Some(was), Some(is)) if same_value(was.as_deref(), is.as_deref(), new) => {
            // Set anew and the same: nothing that a statement sees, something that the database stores.
        }
        (_, Some(None)) if numbers(new) && new.identity.is_some() => {}
        (Some(Some(_)) | None, Some(None)) => {
            diff.see(
                Verdict::Contract,
                touched,
                at,
                "the default goes: old writes without the column fail or leave it empty",
            );
        }
        (Some(None), Some(Some(_))) if old.nullable == Some(false) && !diff.after.dialect.is_mysql() => {
            diff.see(Verdict::Caution, touched, at, "writes without the column were refused and are now accepted");
        }
        (_, Some(Some(_))) => {
            diff.see(
                Verdict::Contract,
                touched,
                at,
                "the default changes: old writes without the column give another value",
            );
        }
        _ => {}
    }
}

/// The same value, a number in quotes or without.
fn same_value(was: Option<&str>, is: Option<&str>, column: &Column) -> bool {
    let number = column
        .ty
        .as_ref()
        .is_some_and(|ty| ["int", "dec", "num", "float", "double", "real"].iter().any(|word| ty.name.contains(word)));
    let plain =
        |text: Option<&str>| text.map(|text| if number { text.trim_matches('\'').to_owned() } else { text.to_owned() });
    plain(was) == plain(is)
}

/// Where values come from beside a default.
fn compare_source(diff: &mut Diff<'_>, pair: &Pair<'_>, old: &Column, new: &Column) {
    let at = object(pair, old);
    let touched = new.touched;
    if old.generated != new.generated {
        let why = "how the column is computed changes: old reads give other values, old writes may be refused";
        diff.see(Verdict::Contract, touched, &at, why);
    }
    match (old.identity, new.identity) {
        (Some(Identity::ByDefault), Some(Identity::Always)) => {
            diff.see(Verdict::Contract, touched, &at, "values that old statements give for the column are refused");
        }
        (Some(Identity::Always), Some(Identity::ByDefault)) => {
            diff.see(Verdict::Expand, touched, &at, "the column also takes values that a statement gives");
        }
        _ => {}
    }
    if old.auto_increment && !new.auto_increment {
        diff.see(Verdict::Contract, touched, &at, "the column no longer numbers new rows as before");
    } else if new.auto_increment && !old.auto_increment {
        diff.see(Verdict::Expand, touched, &at, "the column numbers new rows by itself");
    }
    if old.on_update != new.on_update {
        diff.see(Verdict::Contract, touched, &at, "what an UPDATE writes into the column by itself changes");
    }
    if new.invisible && !old.invisible {
        diff.see(Verdict::Contract, touched, &at, "SELECT * and INSERT without columns no longer see the column");
    } else if old.invisible && !new.invisible {
        diff.see(Verdict::Caution, touched, &at, "SELECT * and INSERT without columns see the column");
    }
}

/// A column more.
fn added(diff: &mut Diff<'_>, pair: &Pair<'_>, new: &Column) {
    let at = object(pair, new);
    let filled = new.default.as_ref().is_some_and(Option::is_some)
        || new.generated.is_some()
        || new.identity.is_some()
        || new.auto_increment;
    let (verdict, why) = if new.serial {
        (Verdict::Contract, "whoever does not own the table lacks the right to the new column's sequence")
    } else if !filled && (new.nullable == Some(false) || demands_value(diff, new)) {
        (Verdict::Contract, "the new column is NOT NULL and has no default: old writes fail")
    } else if new.generated.is_some() {
        (Verdict::Caution, "the new column is computed at every write: where that fails, old writes fail")
    } else {
        (Verdict::Expand, "a new column that old writes may leave out")
    };
    diff.see(verdict, new.touched, at, why);
}

/// Whether the column's domain refuses NULL, or what its default would be.
fn demands_value(diff: &Diff<'_>, new: &Column) -> bool {
    let Some(ty) = &new.ty else { return false };
    let schema = ty.schema.clone().unwrap_or_else(|| "public".to_owned());
    let domain = diff.after.types.get(&(schema, ty.name.clone()));
    domain
        .is_some_and(|known| matches!(&known.definition, TypeDefinition::Domain { not_null: true, default: None, .. }))
}
