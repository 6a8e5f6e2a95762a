//! Reading CREATE TABLE.

use crate::cursor::Cursor;
use crate::dialect::Dialect;
use crate::lex::Kind;
use crate::read::column::column;
use crate::read::constraint;
use crate::read::index;
use crate::statement::{Action, NewTable, TableOptions};

/// Reads what stands behind `CREATE [OR REPLACE] [TEMPORARY | UNLOGGED] TABLE`.
pub(crate) fn create(cursor: &mut Cursor<'_, '_>, temporary: bool, replace: bool) -> Option<Action> {
    let mut table = NewTable { temporary, replace, ..NewTable::default() };
    table.if_not_exists = cursor.eat("if not exists");
    let name = cursor.name()?;
    table.temporary |= cursor.dialect == Dialect::Mssql && name.name.starts_with('#');
    table.name = Some(name);
    if cursor.eat("partition of") {
        table.partition_of = Some(cursor.name()?);
        cursor.group();
        partition_bound(cursor)?;
        options(cursor, &mut table.options)?;
        return Some(Action::CreateTable(Box::new(table)));
    }
    if cursor.eat("of") {
        return None;
    }
    if cursor.dialect.is_mysql() && cursor.eat("like") {
        table.like = Some(cursor.name()?);
    } else if !cursor.sees("as") {
        elements(cursor, &mut table)?;
    }
    if cursor.eat("inherits") {
        table.inherits = cursor.group()?.name();
    }
    options(cursor, &mut table.options)?;
    if cursor.eat("ignore") || cursor.eat("replace") || cursor.sees("as") || cursor.sees("select") {
        select(cursor, &mut table)?;
    }
    cursor.end()?;
    Some(Action::CreateTable(Box::new(table)))
}

fn select(cursor: &mut Cursor<'_, '_>, table: &mut NewTable) -> Option<()> {
    cursor.eat("as");
    let reads = ["select", "with", "values", "table"].iter().any(|word| cursor.sees(word)) || cursor.sees_op("(");
    if !reads || cursor.rest().iter().any(|token| token.is("delete") || token.is("update") || token.is("insert")) {
        return None;
    }
    table.from_select = true;
    cursor.skip_rest();
    Some(())
}

fn elements(cursor: &mut Cursor<'_, '_>, table: &mut NewTable) -> Option<()> {
    let inner = cursor.group()?;
    if inner.done() {
        return Some(());
    }
    if inner.sees("select") || inner.sees("with") {
        table.from_select = true;
        return Some(());
    }
    // A plain list of names goes before AS SELECT.
    if cursor.sees("as") && inner.parts().iter().all(|part| part.rest().len() == 1) {
        return Some(());
    }
    for mut part in inner.parts() {
        if part.eat("like") {
            table.like = Some(part.name()?);
            part.skip_rest();
        } else if constraint::begins(&part) {
            let made = constraint::constraint(&mut part)?;
            table.constraints.push(made);
        } else if part.dialect.is_mysql() && index::begins_in_table(&part) {
            table.indexes.push(index::in_table(&mut part)?);
        } else if part.dialect == Dialect::Mssql && part.sees("index") {
            part.skip_rest();
        } else if part.sees("period for") {
            return None;
        } else {
            let mut made = column(&mut part)?;
            let constraints = std::mem::take(&mut made.constraints);
            table.constraints.extend(constraints);
            table.columns.push(made);
        }
    }
    Some(())
}

fn partition_bound(cursor: &mut Cursor<'_, '_>) -> Option<()> {
    if cursor.eat("default") {
        return Some(());
    }
    cursor.need("for values")?;
    if cursor.eat("from") {
        cursor.group()?;
        cursor.need("to")?;
    } else if !cursor.eat("in") && !cursor.eat("with") {
        return None;
    }
    cursor.group().map(|_| ())
}

/// What stands behind the columns.
fn options(cursor: &mut Cursor<'_, '_>, options: &mut TableOptions) -> Option<()> {
    loop {
        cursor.op(",");
        if cursor.done()
            || cursor.sees("as")
            || cursor.sees("select")
            || cursor.sees("ignore")
            || cursor.sees("replace")
        {
            return Some(());
        }
        match cursor.dialect {
            Dialect::Sqlite => {
                if cursor.eat("without rowid") {
                    options.without_rowid = true;
                } else if cursor.eat("strict") {
                    options.strict = true;
                } else {
                    return None;
                }
            }
            Dialect::Mysql | Dialect::Mariadb => mysql_option(cursor, options)?,
            _ => other_option(cursor, options)?,
        }
    }
}

fn other_option(cursor: &mut Cursor<'_, '_>, options: &mut TableOptions) -> Option<()> {
    if cursor.eat("partition by") {
        options.partitioned = true;
        cursor.ident()?;
        return cursor.group().map(|_| ());
    }
    if cursor.eat("with") {
        return cursor.group().map(|_| ());
    }
    if cursor.eat("without oids") || cursor.eat("with no data") || cursor.eat("with data") {
        return Some(());
    }
    if cursor.eat("on commit") {
        options.until_commit = cursor.eat("drop");
        return (options.until_commit || cursor.eat("preserve rows") || cursor.eat("delete rows")).then_some(());
    }
    if cursor.eat("tablespace") || cursor.eat("using") || cursor.eat("on") || cursor.eat("textimage_on") {
        cursor.ident()?;
        cursor.group();
        return Some(());
    }
    None
}

/// One option of MySQL's tables. Those that change what old statements see are kept.
pub(crate) fn mysql_option(cursor: &mut Cursor<'_, '_>, options: &mut TableOptions) -> Option<()> {
    if cursor.eat("partition by") {
        options.partitioned = true;
        cursor.skip_rest();
        return Some(());
    }
    cursor.eat("default");
    let charset = cursor.eat("character set") || cursor.eat("charset");
    let (engine, collate) = (cursor.eat("engine"), cursor.eat("collate"));
    if !charset && !engine && !collate {
        // NAME [=] value.
        cursor.ident()?;
        if cursor.sees("directory") {
            cursor.next();
        }
    }
    cursor.op("=");
    let token = cursor.next().filter(|token| token.kind != Kind::Op);
    let value = match token {
        Some(token) if token.kind == Kind::Str => crate::cursor::string_value(token.text),
        Some(token) => token.text.to_lowercase(),
        // UNION = (…).
        None => return None,
    };
    if charset {
        options.charset = Some(value);
    } else if engine {
        options.engine = Some(value);
    } else if collate {
        options.collation = Some(value);
    }
    Some(())
}
