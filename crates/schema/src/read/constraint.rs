//! Reading constraints.

use crate::cursor::{Cursor, normal};
use crate::read::column::conflict_clause;
use crate::statement::{Foreign, NewConstraint, Rule};

/// A constraint without more to say.
pub(crate) fn plain(rule: Rule, columns: Vec<String>) -> NewConstraint {
    NewConstraint {
        name: None,
        rule,
        columns,
        text: String::new(),
        foreign: None,
        not_valid: false,
        deferrable: false,
        using_index: None,
    }
}

/// Whether a constraint of the table begins here, and no column.
pub(crate) fn begins(cursor: &Cursor<'_, '_>) -> bool {
    cursor.sees("constraint")
        || cursor.sees("primary key")
        || cursor.sees("foreign key")
        || (cursor.sees("check") && cursor.rest().get(1).is_some_and(|token| token.op("(")))
        || (cursor.sees("exclude") && cursor.rest().len() > 2)
        || (cursor.sees("unique") && cursor.rest().len() > 1)
}

/// Reads a constraint of the table to its end.
pub(crate) fn constraint(cursor: &mut Cursor<'_, '_>) -> Option<NewConstraint> {
    let mut name = None;
    if cursor.eat("constraint") && !cursor.sees("primary key") && !cursor.sees("foreign key") && !cursor.sees("check") {
        name = Some(cursor.ident()?);
    }
    let mut made = if cursor.eat("primary key") {
        key(cursor, Rule::Primary)?
    } else if cursor.eat("unique") {
        let _ = cursor.eat("key") || cursor.eat("index");
        key(cursor, Rule::Unique)?
    } else if cursor.eat("foreign key") {
        if cursor.dialect.is_mysql() && !cursor.sees_op("(") {
            let index = cursor.ident()?;
            name = name.or(Some(index));
        }
        let columns = cursor.ident_list()?;
        references(cursor, columns)?
    } else if cursor.sees("check") {
        check(cursor)?
    } else if cursor.eat("exclude") {
        let mut made = plain(Rule::Exclude, Vec::new());
        made.text = normal(cursor.rest());
        cursor.skip_rest();
        made
    } else {
        return None;
    };
    made.name = name.or(made.name);
    if conflict_clause(cursor)? {
        made.text.push_str(" on conflict otherwise");
    }
    timing(cursor, &mut made)?;
    cursor.end()?;
    Some(made)
}

fn key(cursor: &mut Cursor<'_, '_>, rule: Rule) -> Option<NewConstraint> {
    let mut made = plain(rule, Vec::new());
    cursor.eat("clustered");
    cursor.eat("nonclustered");
    if cursor.eat("using index") {
        made.using_index = Some(cursor.ident()?);
        return Some(made);
    }
    if cursor.eat("nulls not distinct") {
        made.text = "nulls not distinct".to_owned();
    } else if cursor.dialect.is_mysql() && !cursor.sees_op("(") {
        if !cursor.sees("using") {
            made.name = Some(cursor.ident()?);
        }
        if cursor.eat("using") {
            cursor.next();
        }
    }
    for part in cursor.group()?.parts() {
        let mut part = part;
        let name = part.ident()?;
        // A prefix of the column, or an order.
        if part.group().is_some() {
            made.text.push_str(" prefix");
        }
        part.eat_any(&["asc", "desc"]);
        part.end()?;
        made.columns.push(name);
    }
    if cursor.eat("using index tablespace") {
        cursor.ident()?;
    }
    if cursor.eat("using") {
        cursor.next();
    }
    if cursor.eat("include") {
        cursor.group()?;
    }
    if cursor.eat("with") {
        cursor.group()?;
    }
    if cursor.eat("comment") {
        cursor.string()?;
    }
    Some(made)
}

pub(crate) fn check(cursor: &mut Cursor<'_, '_>) -> Option<NewConstraint> {
    cursor.need("check")?;
    let mut made = plain(Rule::Check, Vec::new());
    made.text = normal(cursor.group()?.rest());
    if cursor.eat("no inherit") {
        made.text.push_str(" no inherit");
    }
    cursor.eat("enforced");
    Some(made)
}

/// `REFERENCES parent (columns) ON DELETE …`.
pub(crate) fn references(cursor: &mut Cursor<'_, '_>, columns: Vec<String>) -> Option<NewConstraint> {
    cursor.need("references")?;
    let parent = cursor.name()?;
    let mut foreign =
        Foreign { parent, columns: cursor.ident_list().unwrap_or_default(), on_delete: None, on_update: None };
    loop {
        if cursor.eat("match") {
            cursor.next()?;
        } else if cursor.eat("on delete") {
            foreign.on_delete = action(cursor)?;
        } else if cursor.eat("on update") {
            foreign.on_update = action(cursor)?;
        } else {
            break;
        }
    }
    let mut made = plain(Rule::Foreign, columns);
    made.foreign = Some(foreign);
    Some(made)
}

/// What a foreign key does. None is a refusal.
fn action(cursor: &mut Cursor<'_, '_>) -> Option<Option<String>> {
    let found = cursor.eat_any(&["no action", "restrict", "cascade", "set null", "set default"])?;
    cursor.ident_list();
    Some((!matches!(found, "no action" | "restrict")).then(|| found.to_owned()))
}

/// DEFERRABLE and NOT VALID.
pub(crate) fn timing(cursor: &mut Cursor<'_, '_>, made: &mut NewConstraint) -> Option<()> {
    loop {
        if cursor.eat("not deferrable") || cursor.eat("initially immediate") {
        } else if cursor.eat("deferrable") || cursor.eat("initially deferred") {
            made.deferrable = true;
        } else if cursor.eat("not valid") {
            made.not_valid = true;
        } else if cursor.eat("not enforced") || cursor.eat("not for replication") {
            return None;
        } else {
            return Some(());
        }
    }
}
