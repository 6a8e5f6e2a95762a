//! Views, functions, triggers, types, sequences, schemas, extensions.

use crate::apply::label;
use crate::apply::tables::{move_to, resolve};
use crate::catalogue::{Function, Key, NamedType, Sequence, TEMPORARY, Trigger, View};
use crate::cursor::Name;
use crate::dialect::Dialect;
use crate::session::Session;
use crate::statement::{NewFunction, NewView, Object, TypeChange, TypeDefinition};
use crate::verdict::Verdict;

pub(crate) fn create_view(session: &mut Session<'_>, new: NewView) {
    let key = if new.temporary { (TEMPORARY.to_owned(), new.name.name.clone()) } else { session.after.key(&new.name) };
    let known = session.after.views.get(&key).map(|view| (view.id, view.all_granted));
    if known.is_some() && new.if_not_exists {
        return;
    }
    // Replacing keeps the view, its rights and its triggers.
    let (id, all_granted) = known.filter(|_| new.replace).unwrap_or_else(|| (session.id(), false));
    if known.is_none() && new.replace && session.after.hidden.may_hold(&key.1) && session.is_change() {
        session.see(Verdict::Unknown, label(&key), "a view is replaced that the earlier files do not show");
    }
    let (head, items, tail, calls) = (new.head, new.items, new.tail, new.calls);
    let view = View { id, head, items, tail, calls, all_granted, touched: session.touched() };
    session.after.views.insert(key, view);
}

pub(crate) fn create_function(session: &mut Session<'_>, new: NewFunction) {
    let key = session.after.key(&new.name);
    let touched = session.touched();
    let fresh = session.id();
    let known = session.after.functions.entry(key.clone()).or_default();
    let same = known.iter_mut().find(|known| known.arguments == new.arguments);
    if let Some(known) = same.filter(|_| new.replace) {
        known.definition = new.definition;
        known.touched = touched;
        return;
    }
    let first = known.is_empty();
    known.push(Function { id: fresh, arguments: new.arguments, definition: new.definition, touched });
    if first && new.replace && session.after.hidden.may_hold(&key.1) && session.is_change() {
        session.see(Verdict::Unknown, label(&key), "a function is replaced that the earlier files do not show");
    }
}

pub(crate) fn drop_function(session: &mut Session<'_>, name: &Name, arguments: Option<&str>, if_exists: bool) {
    let key = session.after.key(name);
    let Some(known) = session.after.functions.get_mut(&key) else {
        if !if_exists || session.after.hidden.may_hold(&key.1) {
            session.see(Verdict::Contract, label(&key), "the function is dropped");
        }
        return;
    };
    let which = |function: &Function| arguments.is_none_or(|arguments| function.arguments == arguments);
    let mut gone: Vec<_> = known.iter().filter(|function| which(function)).map(|function| function.id).collect();
    if gone.is_empty() && known.len() == 1 {
        // Types may be spelled otherwise: there is only one that can be meant.
        gone.push(known[0].id);
    }
    known.retain(|function| !gone.contains(&function.id));
    let empty = known.is_empty();
    if empty {
        session.after.functions.remove(&key);
    }
    if gone.is_empty() {
        session.see(Verdict::Contract, label(&key), "the function is dropped");
    }
    for id in gone {
        session.gone(id);
    }
}

/// Triggers are named within their table in PostgreSQL, within the database elsewhere.
fn trigger_key(session: &Session<'_>, on: Option<&Key>, name: &str) -> (Key, String) {
    let within = on.cloned().filter(|_| session.after.dialect == Dialect::Postgres);
    (within.unwrap_or_default(), name.to_owned())
}

pub(crate) fn create_trigger(
    session: &mut Session<'_>,
    on: &Name,
    name: &Name,
    replace: bool,
    temporary: bool,
    definition: String,
) {
    let on = resolve(session, on);
    let key = trigger_key(session, Some(&on), &name.name);
    let temporary = temporary || session.after.is_passing(&on);
    let known = session.after.triggers.get(&key).map(|trigger| trigger.id);
    let id = known.filter(|_| replace).unwrap_or_else(|| session.id());
    let touched = session.touched();
    session.after.triggers.insert(key, Trigger { id, on, definition, enabled: true, temporary, touched });
}

/// A rule rewrites what is written to a table, or read from it.
pub(crate) fn create_rule(session: &mut Session<'_>, on: &Name) {
    let key = resolve(session, on);
    let (verdict, why) = if session.is_old(&key) {
        (Verdict::Contract, "the rule rewrites old statements, and INSERT … ON CONFLICT is refused under it")
    } else {
        (Verdict::Expand, "a rule on a new table")
    };
    session.see(verdict, label(&key), why);
    if let Some(table) = session.after.tables.get_mut(&key) {
        table.runs = true;
    }
    if let Some(view) = session.after.views.get_mut(&key) {
        view.calls = true;
    }
}

pub(crate) fn enable_trigger(session: &mut Session<'_>, on: &Key, name: &str, enabled: bool) {
    let touched = session.touched();
    if matches!(name, "all" | "user") {
        if name == "all" && !enabled && session.is_old(on) {
            session.see(Verdict::Contract, label(on), "all triggers are switched off, those of foreign keys included");
        }
        for trigger in session.after.triggers.values_mut().filter(|trigger| trigger.on == *on) {
            trigger.enabled = enabled;
            trigger.touched = touched;
        }
        return;
    }
    let key = trigger_key(session, Some(on), name);
    if let Some(trigger) = session.after.triggers.get_mut(&key) {
        let same = trigger.enabled == enabled;
        trigger.enabled = enabled;
        trigger.touched = touched;
        if same {
            session.see(Verdict::Expand, label(on), "the trigger fires as before");
        }
    } else if session.is_old(on) {
        session.see(Verdict::Contract, label(on), "a trigger is switched on or off that the earlier files do not show");
    }
}

pub(crate) fn create_type(session: &mut Session<'_>, name: &Name, definition: TypeDefinition) {
    let key = session.after.key(name);
    let made = NamedType { id: session.id(), definition, known: true, touched: session.touched() };
    session.after.types.insert(key, made);
}

pub(crate) fn alter_type(session: &mut Session<'_>, name: &Name, change: TypeChange) {
    let key = session.after.key(name);
    let touched = session.touched();
    let known = session.after.types.get_mut(&key).filter(|known| known.known);
    let Some(known) = known else {
        judge_type_change(session, &key, &change);
        return;
    };
    known.touched = touched;
    match (&mut known.definition, change) {
        (TypeDefinition::Enum(values), TypeChange::AddValue(value)) => {
            // Where it sorts does not matter: the order among the old ones stays.
            if !values.contains(&value) {
                values.push(value);
            }
        }
        (TypeDefinition::Enum(values), TypeChange::RenameValue(from, to)) => {
            for value in values.iter_mut().filter(|value| **value == from) {
                value.clone_from(&to);
            }
        }
        (TypeDefinition::Composite(attributes), change) => change_attributes(attributes, change),
        (TypeDefinition::Domain { not_null, default, checks, .. }, change) => match change {
            TypeChange::NotNull(set) => *not_null = set,
            TypeChange::Default(new) => *default = new,
            TypeChange::AddCheck(named, text) => {
                checks.push((named.unwrap_or_else(|| format!("{}_check", name.name)), text));
            }
            TypeChange::DropCheck(named) => checks.retain(|(known, _)| *known != named),
            _ => {}
        },
        (_, change) => judge_type_change(session, &key, &change),
    }
}

fn change_attributes(attributes: &mut Vec<(String, String)>, change: TypeChange) {
    match change {
        TypeChange::AddAttribute(name, ty) => attributes.push((name, ty)),
        TypeChange::DropAttribute(name) => attributes.retain(|(known, _)| *known != name),
        TypeChange::RenameAttribute(from, to) => {
            for (name, _) in attributes.iter_mut().filter(|(known, _)| *known == from) {
                name.clone_from(&to);
            }
        }
        TypeChange::AlterAttribute(name, ty) => {
            for (_, known) in attributes.iter_mut().filter(|(known, _)| *known == name) {
                known.clone_from(&ty);
            }
        }
        _ => {}
    }
}

/// A change of a type whose definition is not known.
fn judge_type_change(session: &mut Session<'_>, key: &Key, change: &TypeChange) {
    let (verdict, why) = match change {
        TypeChange::AddValue(_) => {
            (Verdict::Caution, "a value is added: the new release writes what the previous one never met")
        }
        TypeChange::AddAttribute(..) => (Verdict::Expand, "an attribute is added"),
        TypeChange::NotNull(false) => (Verdict::Caution, "a refusal of the domain is gone"),
        TypeChange::DropCheck(_) => (Verdict::Caution, "a check of the domain is gone"),
        TypeChange::Nothing => (Verdict::Expand, "the domain demands the same"),
        _ => (Verdict::Contract, "the type changes under old statements"),
    };
    session.see(verdict, label(key), why);
}

pub(crate) fn create_sequence(session: &mut Session<'_>, name: &Name, temporary: bool) {
    if !temporary {
        let key = session.after.key(name);
        let made = Sequence { id: session.id(), owned: false, touched: session.touched() };
        session.after.sequences.entry(key).or_insert(made);
    }
}

pub(crate) fn alter_sequence(session: &mut Session<'_>, name: &Name, verdict: Verdict, why: String) {
    let key = session.after.key(name);
    let made_here = session
        .after
        .sequences
        .get(&key)
        .is_some_and(|known| session.before.sequences.values().all(|old| old.id != known.id));
    session.see(if made_here { Verdict::Expand } else { verdict }, label(&key), why);
}

pub(crate) fn rename(session: &mut Session<'_>, kind: Object, name: &Name, to: &str, if_exists: bool) {
    let key =
        if kind == Object::View || kind == Object::Table { session.after.find(name) } else { session.after.key(name) };
    let new = (key.0.clone(), to.to_owned());
    let touched = session.touched();
    let found = match kind {
        Object::View => {
            let known = session.after.views.contains_key(&key);
            move_to(session, &key, new.clone());
            known
        }
        Object::Index => {
            let table = session.after.table_with_index(&name.name);
            if let Some(table) = &table {
                let change = crate::statement::Change::RenameIndex { name: name.name.clone(), to: to.to_owned() };
                crate::apply::keys::change(session, table, change);
            }
            table.is_some()
        }
        Object::Sequence => {
            let sequence = session.after.sequences.remove(&key);
            sequence.is_some_and(|sequence| {
                session.after.sequences.insert(new.clone(), Sequence { touched, ..sequence });
                true
            })
        }
        Object::Type => {
            let known = session.after.types.remove(&key);
            known.is_some_and(|known| {
                session.after.types.insert(new.clone(), NamedType { touched, ..known });
                true
            })
        }
        _ => false,
    };
    if !found && (!if_exists || session.after.hidden.may_hold(&key.1)) {
        session.see(Verdict::Contract, label(&key), "the object is renamed: old statements no longer find it");
    }
}

pub(crate) fn drop(session: &mut Session<'_>, kind: Object, name: &Name, if_exists: bool, on: Option<&Name>) {
    let key = if kind == Object::View { session.after.find(name) } else { session.after.key(name) };
    let gone = match kind {
        Object::View => session.after.views.remove(&key).map(|view| view.id),
        Object::Type => session.after.types.remove(&key).map(|known| known.id),
        Object::Sequence => session.after.sequences.remove(&key).map(|known| known.id),
        Object::Schema => return drop_schema(session, &name.name, if_exists),
        Object::Extension => session.after.extensions.remove(&name.name),
        Object::Trigger => {
            let on = on.map(|on| session.after.find(on));
            let trigger = trigger_key(session, on.as_ref(), &name.name);
            session.after.triggers.remove(&trigger).map(|known| known.id)
        }
        _ => None,
    };
    match gone {
        Some(id) => {
            session.gone(id);
            if kind == Object::View {
                let lost: Vec<_> = session
                    .after
                    .triggers
                    .iter()
                    .filter(|(_, trigger)| trigger.on == key)
                    .map(|(key, _)| key.clone())
                    .collect();
                for trigger in lost {
                    session.after.triggers.remove(&trigger);
                }
            }
        }
        // Whoever runs the database may have installed it.
        None if kind == Object::Extension && if_exists => {
            session.see(Verdict::Unknown, label(&key), "an extension is dropped that the earlier files do not show");
        }
        None if if_exists && !session.after.hidden.may_hold(&key.1) => {}
        None if session.after.is_passing(&key) => {}
        None => session.see(Verdict::Contract, label(&key), "the object is dropped"),
    }
}

/// A schema goes with all that is in it. The one that every database has was made by no file.
fn drop_schema(session: &mut Session<'_>, name: &str, if_exists: bool) {
    let made = session.after.schemas.remove(name);
    if let Some(id) = made {
        session.gone(id);
    }
    let inside = |key: &Key| key.0 == name;
    let after = &mut session.after;
    let tables: Vec<_> = after.tables.keys().filter(|key| inside(key)).cloned().collect();
    let mut gone: Vec<_> = tables.iter().filter_map(|key| after.tables.remove(key)).map(|table| table.id).collect();
    let views: Vec<_> = after.views.keys().filter(|key| inside(key)).cloned().collect();
    gone.extend(views.iter().filter_map(|key| after.views.remove(key)).map(|view| view.id));
    let functions: Vec<_> = after.functions.keys().filter(|key| inside(key)).cloned().collect();
    let lost = functions.iter().filter_map(|key| after.functions.remove(key)).flatten();
    gone.extend(lost.map(|function| function.id));
    let types: Vec<_> = after.types.keys().filter(|key| inside(key)).cloned().collect();
    gone.extend(types.iter().filter_map(|key| after.types.remove(key)).map(|known| known.id));
    let sequences: Vec<_> = after.sequences.keys().filter(|key| inside(key)).cloned().collect();
    gone.extend(sequences.iter().filter_map(|key| after.sequences.remove(key)).map(|known| known.id));
    let empty = gone.is_empty();
    for id in gone {
        session.gone(id);
    }
    let certain = name == "public" || name == "dbo" || !if_exists || session.after.hidden.may_hold(name);
    if made.is_none() && (certain || !empty) {
        session.see(Verdict::Contract, name, "the schema is dropped, with all that is in it");
    }
}
