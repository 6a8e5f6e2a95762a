//! Reading CREATE and ALTER of types and domains.

use crate::cursor::{Cursor, Name, normal};
use crate::read::column::{default_text, default_tokens};
use crate::read::types::ty;
use crate::statement::{Action, TypeChange, TypeDefinition};
use crate::verdict::Verdict;

pub(crate) fn create(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    let name = cursor.name()?;
    let definition = if cursor.eat("as enum") {
        let mut values = Vec::new();
        let inner = cursor.group()?;
        for mut part in inner.parts().into_iter().filter(|part| !part.done()) {
            values.push(part.string()?);
        }
        TypeDefinition::Enum(values)
    } else if cursor.sees("as") && cursor.rest().get(1).is_some_and(|token| token.op("(")) {
        cursor.next();
        let mut attributes = Vec::new();
        for mut part in cursor.group()?.parts() {
            attributes.push((part.ident()?, ty(&mut part)?.text()));
        }
        TypeDefinition::Composite(attributes)
    } else {
        cursor.skip_rest();
        TypeDefinition::Other
    };
    Some(Action::CreateType { name, definition })
}

pub(crate) fn domain(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    let name = cursor.name()?;
    cursor.eat("as");
    let base = Box::new(ty(cursor)?);
    let (mut not_null, mut default, mut checks) = (false, None, Vec::new());
    let mut named = None;
    while !cursor.done() {
        if cursor.eat("not null") {
            not_null = true;
        } else if cursor.eat("default") {
            default = default_text(default_tokens(cursor));
        } else if cursor.eat("constraint") {
            named = Some(cursor.ident()?);
        } else if cursor.eat("check") {
            let text = normal(cursor.group()?.rest());
            checks.push((named.take().unwrap_or_else(|| format!("{}_check", name.name)), text));
        } else if cursor.eat("collate") {
            cursor.name()?;
        } else if !cursor.eat("null") {
            return None;
        }
    }
    Some(Action::CreateType { name, definition: TypeDefinition::Domain { base, not_null, default, checks } })
}

pub(crate) fn alter(cursor: &mut Cursor<'_, '_>, name: Name) -> Option<Action> {
    let change = if cursor.eat("add value") {
        cursor.eat("if not exists");
        let value = cursor.string()?;
        if cursor.eat("before") || cursor.eat("after") {
            cursor.string()?;
        }
        TypeChange::AddValue(value)
    } else if cursor.eat("rename value") {
        let from = cursor.string()?;
        cursor.need("to")?;
        TypeChange::RenameValue(from, cursor.string()?)
    } else if cursor.eat("add attribute") {
        let attribute = cursor.ident()?;
        TypeChange::AddAttribute(attribute, ty(cursor)?.text())
    } else if cursor.eat("drop attribute") {
        cursor.eat("if exists");
        TypeChange::DropAttribute(cursor.ident()?)
    } else if cursor.eat("rename attribute") {
        let from = cursor.ident()?;
        cursor.need("to")?;
        TypeChange::RenameAttribute(from, cursor.ident()?)
    } else if cursor.eat("alter attribute") {
        let attribute = cursor.ident()?;
        let _ = cursor.eat("set data type") || cursor.eat("type");
        TypeChange::AlterAttribute(attribute, ty(cursor)?.text())
    } else if cursor.eat("set schema") || cursor.eat("owner to") {
        cursor.skip_rest();
        let why = "old statements no longer find the type, or lose the right to it".to_owned();
        return Some(Action::JudgedOn(name, Verdict::Contract, why));
    } else {
        alter_domain(cursor)?
    };
    let _ = cursor.eat("cascade") || cursor.eat("restrict");
    cursor.eat("not valid");
    Some(Action::AlterType { name, change })
}

fn alter_domain(cursor: &mut Cursor<'_, '_>) -> Option<TypeChange> {
    if cursor.eat("set not null") {
        return Some(TypeChange::NotNull(true));
    }
    if cursor.eat("drop not null") {
        return Some(TypeChange::NotNull(false));
    }
    if cursor.eat("set default") {
        return Some(TypeChange::Default(default_text(default_tokens(cursor))));
    }
    if cursor.eat("drop default") {
        return Some(TypeChange::Default(None));
    }
    if cursor.eat("add") {
        let name = if cursor.eat("constraint") { Some(cursor.ident()?) } else { None };
        cursor.need("check")?;
        return Some(TypeChange::AddCheck(name, normal(cursor.group()?.rest())));
    }
    if cursor.eat("drop constraint") {
        cursor.eat("if exists");
        return Some(TypeChange::DropCheck(cursor.ident()?));
    }
    if cursor.eat("validate constraint") || cursor.eat("rename constraint") {
        cursor.skip_rest();
        return Some(TypeChange::Nothing);
    }
    None
}
