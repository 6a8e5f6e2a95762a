//! Reading ALTER TABLE.

use crate::cursor::{Cursor, normal};
use crate::dialect::Dialect;
use crate::read::alter_mysql;
use crate::read::column::{column, default_text, default_tokens, definition};
use crate::read::constraint;
use crate::read::types::ty;
use crate::statement::{Action, Change, Identity};
use crate::types::Type;
use crate::verdict::Verdict;

/// Reads what stands behind `ALTER TABLE`.
pub(crate) fn table(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    let if_exists = cursor.eat("if exists");
    cursor.eat("only");
    let name = cursor.name()?;
    cursor.op("*");
    if cursor.dialect == Dialect::Mssql && cursor.eat("with") && !cursor.eat("check") {
        cursor.need("nocheck")?;
    }
    let mut changes = Vec::new();
    let mut adds = false;
    for mut part in cursor.parts() {
        if part.done() && cursor.dialect.is_mysql() {
            continue;
        }
        // SQL Server goes on adding and dropping behind a comma.
        if cursor.dialect == Dialect::Mssql && adds && !part.sees("add") {
            changes.push(add(&mut part)?);
            continue;
        }
        adds = part.sees("add");
        changes.push(change(&mut part)?);
    }
    cursor.skip_rest();
    Some(Action::AlterTable { name, if_exists, changes })
}

fn change(cursor: &mut Cursor<'_, '_>) -> Option<Change> {
    let found = if cursor.eat("add") {
        add(cursor)?
    } else if cursor.eat("drop") {
        drop(cursor)?
    } else if cursor.eat("rename") {
        rename(cursor)?
    } else if cursor.dialect.is_mysql() && alter_mysql::begins(cursor) {
        alter_mysql::change(cursor)?
    } else if cursor.eat("alter constraint") {
        let name = cursor.ident()?;
        cursor.skip_rest();
        Change::AlterConstraint(name)
    } else if cursor.eat("alter") {
        cursor.eat("column");
        alter_column(cursor)?
    } else if cursor.eat("validate constraint") {
        Change::Validate(cursor.ident()?)
    } else {
        whole(cursor)?
    };
    cursor.end()?;
    Some(found)
}

fn add(cursor: &mut Cursor<'_, '_>) -> Option<Change> {
    if cursor.dialect.is_mysql()
        && let Some(found) = alter_mysql::add(cursor)?
    {
        return Some(found);
    }
    if constraint::begins(cursor) {
        return Some(Change::AddConstraint(Box::new(constraint::constraint(cursor)?)));
    }
    let named = cursor.eat("column");
    let if_not_exists = cursor.eat("if not exists");
    if !named
        && ["period", "partition", "value", "system"].iter().any(|word| cursor.sees(word))
        && cursor.rest().len() > 2
    {
        return None;
    }
    Some(Change::AddColumn { column: Box::new(column(cursor)?), if_not_exists })
}

fn drop(cursor: &mut Cursor<'_, '_>) -> Option<Change> {
    let found = if cursor.dialect.is_mysql() && alter_mysql::drops(cursor) {
        alter_mysql::drop(cursor)?
    } else if cursor.eat("constraint") {
        let if_exists = cursor.eat("if exists");
        Change::DropConstraint { name: cursor.ident()?, if_exists }
    } else {
        cursor.eat("column");
        let if_exists = cursor.eat("if exists");
        Change::DropColumn { name: cursor.ident()?, if_exists }
    };
    let _ = cursor.eat("cascade") || cursor.eat("restrict");
    Some(found)
}

fn rename(cursor: &mut Cursor<'_, '_>) -> Option<Change> {
    if cursor.eat("constraint") {
        let name = cursor.ident()?;
        cursor.need("to")?;
        return Some(Change::RenameConstraint { name, to: cursor.ident()? });
    }
    if cursor.eat("to") || cursor.eat("as") {
        return Some(Change::Rename(cursor.name()?));
    }
    if cursor.dialect.is_mysql() {
        if cursor.eat("index") || cursor.eat("key") {
            let name = cursor.ident()?;
            cursor.need("to")?;
            return Some(Change::RenameIndex { name, to: cursor.ident()? });
        }
        if cursor.rest().len() == 1 || cursor.rest().get(1).is_some_and(|token| token.op(".")) {
            return Some(Change::Rename(cursor.name()?));
        }
    }
    cursor.eat("column");
    let name = cursor.ident()?;
    cursor.need("to")?;
    Some(Change::RenameColumn { name, to: cursor.ident()? })
}

fn alter_column(cursor: &mut Cursor<'_, '_>) -> Option<Change> {
    if cursor.dialect.is_mysql() && (cursor.eat("index") || cursor.eat("key")) {
        cursor.skip_rest();
        return Some(Change::Nothing);
    }
    cursor.eat("if exists");
    let name = cursor.ident()?;
    if cursor.dialect == Dialect::Mssql {
        let column = definition(cursor, name.clone())?;
        return Some(Change::Redefine { name, column: Box::new(column), keeps_default: true });
    }
    if cursor.eat("set data type") || cursor.eat("type") {
        let mut ty = ty(cursor)?;
        if cursor.eat("collate") {
            ty.collation = Some(cursor.name()?.name);
        }
        let mut using = None;
        if cursor.eat("using") {
            using = (!is_plain_cast(*cursor, &name, &ty)).then(|| normal(cursor.rest()));
            cursor.skip_rest();
        }
        return Some(Change::SetType { name, ty: Box::new(ty), using });
    }
    if cursor.eat("set not null") {
        return Some(Change::SetNotNull(name));
    }
    if cursor.eat("drop not null") {
        return Some(Change::DropNotNull(name));
    }
    if cursor.eat("set default") {
        let default = default_text(default_tokens(cursor));
        return Some(Change::SetDefault(name, default));
    }
    if cursor.eat("drop default") {
        return Some(Change::DropDefault(name));
    }
    generation(cursor, name)
}

/// The column itself, cast to nothing but its new type: `a`, `a::int`, `CAST(a AS int)`.
fn is_plain_cast(mut using: Cursor<'_, '_>, name: &str, new: &Type) -> bool {
    while using.rest().first().is_some_and(|token| token.op("(")) {
        match using.group() {
            Some(inner) if using.done() => using = inner,
            _ => return false,
        }
    }
    let mut casts = Vec::new();
    if using.eat("cast") {
        let Some(mut inner) = using.group() else { return false };
        if inner.ident().as_deref() != Some(name) || !inner.eat("as") {
            return false;
        }
        casts.push(ty(&mut inner).filter(|_| inner.done()));
    } else if using.ident().as_deref() != Some(name) {
        return false;
    }
    while using.op("::") {
        casts.push(ty(&mut using));
    }
    let whole = |cast: &Type| cast.text() == new.text() || (cast.name == "text" && !cast.array);
    using.done() && casts.iter().all(|cast| cast.as_ref().is_some_and(whole))
}

fn generation(cursor: &mut Cursor<'_, '_>, name: String) -> Option<Change> {
    if cursor.eat("add generated") {
        let kind = if cursor.eat("always") { Identity::Always } else { by_default(cursor)? };
        cursor.need("as identity")?;
        let starts = cursor.group().is_some_and(|inner| starts_higher(&inner));
        return Some(Change::AddIdentity(name, kind, starts));
    }
    if cursor.eat("set generated") {
        let kind = if cursor.eat("always") { Identity::Always } else { by_default(cursor)? };
        return Some(Change::SetIdentity(name, kind));
    }
    if cursor.eat("drop identity") {
        cursor.eat("if exists");
        return Some(Change::DropIdentity(name));
    }
    if cursor.eat("drop expression") {
        cursor.eat("if exists");
        return Some(Change::DropExpression(name));
    }
    if cursor.sees("restart")
        || cursor.sees("set")
            && cursor.rest().get(1).is_some_and(|token| {
                ["start", "increment", "maxvalue", "minvalue", "cycle", "no"].iter().any(|word| token.is(word))
            })
    {
        cursor.skip_rest();
        let why = "the identity's numbers are set anew: they may meet keys that exist".to_owned();
        return Some(Change::Judged(Verdict::Contract, why));
    }
    let upkeep = ["set storage", "set statistics", "set compression", "set", "reset"];
    if cursor.eat_any(&upkeep[..3]).is_some() || (cursor.eat_any(&upkeep[3..]).is_some() && cursor.sees_op("(")) {
        cursor.skip_rest();
        return Some(Change::Judged(
            Verdict::Expand,
            "storage and statistics do not change what statements see".to_owned(),
        ));
    }
    None
}

fn by_default(cursor: &mut Cursor<'_, '_>) -> Option<Identity> {
    cursor.need("by default").map(|()| Identity::ByDefault)
}

/// Whether the sequence is told to start above the first number.
fn starts_higher(inner: &Cursor<'_, '_>) -> bool {
    let mut inner = *inner;
    while !inner.done() {
        if inner.eat("start") {
            inner.eat("with");
            return inner.next().and_then(|token| token.text.parse::<u64>().ok()).is_some_and(|start| start > 1);
        }
        inner.next();
    }
    false
}

/// Clauses about the table as a whole.
fn whole(cursor: &mut Cursor<'_, '_>) -> Option<Change> {
    let contract = |why: &str| Some(Change::Judged(Verdict::Contract, why.to_owned()));
    if cursor.eat("set schema") {
        return Some(Change::SetSchema(cursor.ident()?));
    }
    if cursor.eat("owner to") {
        cursor.next();
        return contract("the owner changes: whoever worked as the old owner loses its rights");
    }
    if let Some(found) = row_security(cursor) {
        return Some(found);
    }
    if cursor.eat("disable trigger") {
        return Some(Change::Trigger { name: cursor.ident()?, enabled: false });
    }
    if cursor.eat("enable replica trigger") {
        return Some(Change::Trigger { name: cursor.ident()?, enabled: false });
    }
    if cursor.eat("enable trigger") || cursor.eat("enable always trigger") {
        return Some(Change::Trigger { name: cursor.ident()?, enabled: true });
    }
    if cursor.eat("attach partition") {
        let partition = cursor.name()?;
        cursor.skip_rest();
        return Some(Change::Attach(partition));
    }
    if cursor.eat("detach partition") {
        cursor.skip_rest();
        return contract("the partition's rows leave the table");
    }
    if cursor.eat("inherit") {
        cursor.skip_rest();
        return Some(Change::Inherit);
    }
    if cursor.eat("no inherit") {
        cursor.skip_rest();
        return contract("rows of the child leave the parent");
    }
    storage(cursor)
}

/// Clauses about how a table's rows are stored and replicated.
fn storage(cursor: &mut Cursor<'_, '_>) -> Option<Change> {
    let judged = |verdict: Verdict, why: &str| Some(Change::Judged(verdict, why.to_owned()));
    if cursor.eat("replica identity") {
        let none = cursor.sees("nothing");
        cursor.skip_rest();
        return if none {
            judged(Verdict::Contract, "published UPDATE and DELETE fail without a replica identity")
        } else {
            judged(Verdict::Expand, "only logical replication reads the replica identity")
        };
    }
    if cursor.eat("set tablespace pg_default") {
        return Some(Change::Nothing);
    }
    let upkeep = [
        "set tablespace",
        "set logged",
        "set unlogged",
        "cluster on",
        "set without cluster",
        "set without oids",
        "set access method",
    ];
    if cursor.eat_any(&upkeep).is_some() || ((cursor.eat("set") || cursor.eat("reset")) && cursor.sees_op("(")) {
        cursor.skip_rest();
        return judged(Verdict::Expand, "storage does not change what statements see");
    }
    None
}

fn row_security(cursor: &mut Cursor<'_, '_>) -> Option<Change> {
    if cursor.eat("enable row level security") {
        return Some(Change::RowSecurity(true));
    }
    if cursor.eat("disable row level security") {
        return Some(Change::RowSecurity(false));
    }
    if cursor.eat("force row level security") {
        let why =
            "row security reaches the owner too: rows that old statements saw may be hidden or refused".to_owned();
        return Some(Change::Judged(Verdict::Contract, why));
    }
    cursor.eat("no force row level security").then(|| {
        Change::Judged(Verdict::Caution, "row security no longer reaches the owner: a refusal is gone".to_owned())
    })
}
