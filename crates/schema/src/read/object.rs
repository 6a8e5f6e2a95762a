//! Reading what is made, changed and dropped beside tables: views, sequences, schemas, extensions, types.

use crate::cursor::{Cursor, Name, normal};
use crate::dialect::Dialect;
use crate::read::named_type;
use crate::statement::{Action, NewTable, Object};
use crate::verdict::Verdict;

fn judged(verdict: Verdict, why: &str) -> Option<Action> {
    Some(Action::Judged(verdict, why.to_owned()))
}

/// What CREATE makes seldom. `Some(None)`: begun, and not understood.
pub(crate) fn create_rare(cursor: &mut Cursor<'_, '_>) -> Option<Option<Action>> {
    if cursor.eat("schema") || (cursor.dialect.is_mysql() && cursor.eat("database")) {
        return Some(schema(cursor));
    }
    if cursor.eat("extension") {
        cursor.eat("if not exists");
        let name = cursor.ident();
        cursor.skip_rest();
        return Some(name.map(Action::CreateExtension));
    }
    if cursor.eat("type") {
        return Some(named_type::create(cursor));
    }
    if cursor.eat("domain") {
        return Some(named_type::domain(cursor));
    }
    if cursor.eat("policy") {
        cursor.ident();
        return Some(policy(cursor, "a policy decides which rows old statements see"));
    }
    if cursor.eat("rule") {
        return Some(rule(cursor));
    }
    let whole = [
        ("statistics", Verdict::Expand, "statistics change no result"),
        ("collation", Verdict::Expand, "a new collation"),
        ("text search", Verdict::Expand, "a new text search object"),
        ("role", Verdict::Expand, "a new role"),
        ("user", Verdict::Expand, "a new user"),
        ("foreign data wrapper", Verdict::Expand, "a new foreign data wrapper"),
        ("server", Verdict::Expand, "a new foreign server"),
        ("cast", Verdict::Unknown, "a cast may change which operator or function old statements get"),
        ("operator", Verdict::Unknown, "an operator may change what old statements compute"),
    ];
    if cursor.eat("publication") {
        return Some(publication(cursor));
    }
    if cursor.eat("event trigger") {
        cursor.skip_rest();
        return Some(Some(Action::EventTrigger));
    }
    whole.iter().find(|(words, ..)| cursor.sees(words)).map(|(_, verdict, why)| {
        cursor.skip_rest();
        judged(*verdict, why)
    })
}

fn schema(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    cursor.eat("if not exists");
    if cursor.eat("authorization") {
        return Some(Action::CreateSchema(cursor.ident()?));
    }
    let name = cursor.ident()?;
    if cursor.eat("authorization") {
        cursor.ident()?;
    }
    if cursor.dialect.is_mysql() {
        cursor.skip_rest();
    }
    Some(Action::CreateSchema(name))
}

fn policy(cursor: &mut Cursor<'_, '_>, why: &str) -> Option<Action> {
    cursor.need("on")?;
    let on = cursor.name()?;
    cursor.skip_rest();
    Some(Action::Policy { on, why: why.to_owned() })
}

/// A rule that also does nothing is nothing; any other rewrites what old statements do.
fn rule(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    let tokens = cursor.rest();
    let to = tokens.iter().position(|token| token.is("to"))?;
    let on = Cursor::new(&tokens[to + 1..], cursor.dialect).name()?;
    let idle = tokens.len() >= 3 && normal(&tokens[tokens.len() - 3..]) == "do also nothing";
    cursor.skip_rest();
    Some(if idle {
        Action::JudgedOn(on, Verdict::Expand, "the rule does nothing".to_owned())
    } else {
        Action::Rule(on)
    })
}

/// `CREATE PUBLICATION name FOR TABLE …`. One for all tables takes those of later too.
fn publication(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    cursor.ident()?;
    let mut tables = Vec::new();
    if cursor.eat("for table") {
        cursor.eat("only");
        tables = cursor.names()?;
    } else if cursor.done() || cursor.sees("with") {
        cursor.skip_rest();
        return judged(Verdict::Expand, "a publication without tables");
    }
    cursor.skip_rest();
    Some(Action::Publish(tables))
}

/// A table that a module of SQLite keeps.
pub(crate) fn virtual_table(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    let if_not_exists = cursor.eat("if not exists");
    let name = Some(cursor.name()?);
    cursor.skip_rest();
    Some(Action::CreateTable(Box::new(NewTable { name, if_not_exists, from_select: true, ..NewTable::default() })))
}

pub(crate) fn sequence(cursor: &mut Cursor<'_, '_>, temporary: bool) -> Option<Action> {
    cursor.eat("if not exists");
    let name = cursor.name()?;
    cursor.skip_rest();
    Some(Action::CreateSequence { name, temporary })
}

pub(crate) fn rename_tables(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    cursor.need("rename")?;
    let _ = cursor.eat("table") || cursor.eat("tables");
    let mut pairs = Vec::new();
    loop {
        let from = cursor.name()?;
        cursor.need("to")?;
        pairs.push((from, cursor.name()?));
        if !cursor.op(",") {
            return Some(Action::RenameTables(pairs));
        }
    }
}

/// What may stand behind DROP, and what kind of object that is.
const DROPPED: [(&str, Object); 16] = [
    ("table", Object::Table),
    ("foreign table", Object::Table),
    ("tables", Object::Table),
    ("materialized view", Object::View),
    ("view", Object::View),
    ("index", Object::Index),
    ("type", Object::Type),
    ("domain", Object::Type),
    ("sequence", Object::Sequence),
    ("schema", Object::Schema),
    ("database", Object::Other("database")),
    ("extension", Object::Extension),
    ("trigger", Object::Trigger),
    ("rule", Object::Other("rule")),
    ("synonym", Object::Other("synonym")),
    ("role", Object::Other("role")),
];

/// DROP of whatever kind.
pub(crate) fn drop(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    cursor.need("drop")?;
    cursor.eat("temporary");
    if cursor.eat("function") || cursor.eat("procedure") || cursor.eat("routine") || cursor.eat("aggregate") {
        return drop_function(cursor);
    }
    if cursor.eat("policy") {
        cursor.eat("if exists");
        cursor.ident()?;
        return policy(
            cursor,
            "a policy is dropped: rows that old statements saw may be hidden, or hidden ones appear",
        );
    }
    let harmless = [
        ("statistics", "statistics change no result"),
        ("publication", "only logical replication reads it"),
        ("subscription", "only logical replication reads it"),
        ("event trigger", "it acts on schema changes only"),
    ];
    if let Some((_, why)) = harmless.iter().find(|(words, _)| cursor.eat(words)) {
        cursor.skip_rest();
        return judged(Verdict::Caution, why);
    }
    let kind = DROPPED.iter().find(|(words, _)| cursor.eat(words))?.1;
    if kind == Object::Index {
        cursor.eat("concurrently");
    }
    let if_exists = cursor.eat("if exists");
    let names = cursor.names()?;
    let on = if cursor.eat("on") { cursor.name() } else { None };
    let _ = cursor.eat("cascade") || cursor.eat("restrict");
    if cursor.dialect.is_mysql() {
        while cursor.eat_any(&["algorithm", "lock"]).is_some() {
            cursor.op("=");
            cursor.next()?;
        }
    }
    if kind == Object::Other("rule") && cursor.done() {
        return Some(Action::JudgedOn(on?, Verdict::Contract, "the rule no longer rewrites old statements".to_owned()));
    }
    Some(Action::Drop { kind, names, if_exists, on })
}

fn drop_function(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    let if_exists = cursor.eat("if exists");
    let name = cursor.name()?;
    let arguments = cursor.group().map(|inner| crate::read::routine::argument_types(&inner));
    if cursor.sees_op(",") {
        // Several at once.
        cursor.skip_rest();
        return judged(Verdict::Contract, "functions are dropped");
    }
    let _ = cursor.eat("cascade") || cursor.eat("restrict");
    Some(Action::DropFunction { name, arguments, if_exists })
}

/// ALTER of whatever is no table.
pub(crate) fn alter(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    let kinds = [
        ("materialized view", Object::View),
        ("view", Object::View),
        ("index", Object::Index),
        ("sequence", Object::Sequence),
        ("type", Object::Type),
        ("domain", Object::Type),
        ("schema", Object::Schema),
    ];
    let Some((_, kind)) = kinds.iter().find(|(words, _)| cursor.eat(words)) else { return alter_rare(cursor) };
    if *kind == Object::View && !matches!(cursor.dialect, Dialect::Postgres) {
        cursor.skip_rest();
        return judged(Verdict::Contract, "the view is defined anew");
    }
    if *kind == Object::Index && cursor.eat("all in tablespace") {
        return None;
    }
    let if_exists = cursor.eat("if exists");
    let name = cursor.name()?;
    if cursor.eat("rename to") {
        return Some(Action::RenameObject { kind: *kind, name, to: cursor.ident()?, if_exists });
    }
    match kind {
        Object::Type => named_type::alter(cursor, name),
        Object::Sequence => alter_sequence(cursor, name),
        Object::Index => {
            let known = ["set", "reset", "attach", "alter", "depends", "no"].iter().any(|word| cursor.sees(word));
            cursor.skip_rest();
            if known { judged(Verdict::Expand, "storage does not change what statements see") } else { None }
        }
        _ => alter_view_or_schema(cursor, name),
    }
}

fn alter_view_or_schema(cursor: &mut Cursor<'_, '_>, name: Name) -> Option<Action> {
    cursor.skip_rest();
    let why =
        "the object's owner, place, options or columns change: statements or rights of the previous release break";
    Some(Action::JudgedOn(name, Verdict::Contract, why.to_owned()))
}

fn alter_rare(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    let kinds = [
        ("default privileges", Verdict::Expand, "rights of objects made later"),
        ("database", Verdict::Contract, "settings or the owner of the database change for every connection"),
        ("role", Verdict::Contract, "settings or rights of a role change"),
        ("user", Verdict::Contract, "settings or rights of a user change"),
        ("extension", Verdict::Contract, "the extension's functions and types move or change"),
        ("policy", Verdict::Contract, "a policy decides which rows old statements see"),
        ("system", Verdict::Contract, "settings of the server change for every connection"),
        ("publication", Verdict::Contract, "UPDATE and DELETE fail on a published table without a replica identity"),
        ("statistics", Verdict::Expand, "statistics change no result"),
        ("subscription", Verdict::Expand, "only logical replication reads it"),
        ("event trigger", Verdict::Contract, "it may refuse what old code does to the schema"),
        ("rule", Verdict::Expand, "only the rule's name changes"),
    ];
    if cursor.eat("function") || cursor.eat("procedure") || cursor.eat("routine") || cursor.eat("aggregate") {
        return alter_function(cursor);
    }
    if cursor.eat("trigger") {
        // Renamed: what it does stays, when it fires among others may not.
        cursor.skip_rest();
        return judged(Verdict::Unknown, "a trigger is renamed: triggers fire in the order of their names");
    }
    let (_, verdict, why) = kinds.iter().find(|(words, ..)| cursor.eat(words))?;
    cursor.skip_rest();
    judged(*verdict, why)
}

fn alter_function(cursor: &mut Cursor<'_, '_>) -> Option<Action> {
    let name = cursor.name()?;
    cursor.group();
    let (verdict, why) = if cursor.sees("rename") || cursor.sees("set schema") || cursor.sees("owner") {
        (Verdict::Contract, "old calls no longer find the function, or lose the right to it")
    } else {
        (Verdict::Unknown, "what the function does, or with whose rights, may change")
    };
    cursor.skip_rest();
    Some(Action::JudgedOn(name, verdict, why.to_owned()))
}

fn alter_sequence(cursor: &mut Cursor<'_, '_>, name: Name) -> Option<Action> {
    let tokens = cursor.rest();
    let has = |word: &str| tokens.iter().any(|token| token.is(word));
    let (verdict, why) = if has("restart") || has("maxvalue") || has("minvalue") || has("increment") || has("cycle") {
        (Verdict::Contract, "the sequence's numbers change: they may run out, or meet keys that exist")
    } else if has("owner") || has("schema") || has("as") {
        (Verdict::Contract, "the sequence's owner, place or type changes")
    } else if has("owned") || has("cache") || has("start") || has("set") {
        (Verdict::Expand, "old statements get the same numbers")
    } else {
        return None;
    };
    cursor.skip_rest();
    Some(Action::AlterSequence { name, verdict, why: why.to_owned() })
}
