//! Reading a column's type.

use crate::cursor::{Cursor, normal};
use crate::dialect::Dialect;
use crate::lex::Kind;
use crate::types::Type;

/// Words that end a type or a column without one.
const ENDS: &[&str] = &[
    "not",
    "null",
    "default",
    "primary",
    "unique",
    "check",
    "references",
    "constraint",
    "generated",
    "as",
    "collate",
    "auto_increment",
    "autoincrement",
    "comment",
    "on",
    "key",
    "identity",
    "using",
    "first",
    "after",
    "invisible",
    "visible",
    "storage",
    "compression",
    "deferrable",
    "initially",
    "persisted",
    "virtual",
    "stored",
    "charset",
    "character",
    "with",
    "to",
    "hidden",
    "sparse",
];

/// Reads a type. SQLite takes any words, and none.
pub(crate) fn ty(cursor: &mut Cursor<'_, '_>) -> Option<Type> {
    let mut ty = Type::default();
    if cursor.dialect == Dialect::Sqlite {
        let mut words = Vec::new();
        while let Some(token) = cursor.peek().filter(|token| matches!(token.kind, Kind::Word | Kind::Quoted)) {
            if ends(token.text) && !token.is("character") {
                break;
            }
            words.push(cursor.ident()?);
        }
        ty.name = words.join(" ");
        ty.args = args(cursor);
        return Some(ty);
    }
    let name = cursor.name()?;
    // What every database has on its search path needs no schema to be told apart.
    ty.schema = name.schema.filter(|schema| !matches!(schema.as_str(), "pg_catalog" | "public" | "dbo" | "sys"));
    ty.name = more_words(cursor, &name.name);
    ty.args = args(cursor);
    if cursor.dialect == Dialect::Postgres {
        postgres_suffix(cursor, &mut ty);
    } else if cursor.dialect.is_mysql() {
        mysql_suffix(cursor, &mut ty);
    }
    one_name(&mut ty, cursor.dialect);
    Some(ty)
}

fn ends(word: &str) -> bool {
    ENDS.iter().any(|end| word.eq_ignore_ascii_case(end))
}

fn args(cursor: &mut Cursor<'_, '_>) -> Vec<String> {
    cursor.group().map(|inner| inner.parts().iter().map(|part| normal(part.rest())).collect()).unwrap_or_default()
}

/// Types of several words become one.
fn more_words(cursor: &mut Cursor<'_, '_>, first: &str) -> String {
    let second = match first {
        "double" => cursor.eat("precision").then_some("double"),
        "character" | "char" | "nchar" | "national" => national(cursor, first),
        "bit" => cursor.eat("varying").then_some("varbit"),
        "binary" => cursor.eat("varying").then_some("varbinary"),
        "long" => cursor.eat("varchar").then_some("mediumtext"),
        _ => None,
    };
    second.unwrap_or(first).to_owned()
}

fn national(cursor: &mut Cursor<'_, '_>, first: &str) -> Option<&'static str> {
    if first == "national" && !cursor.eat("character") {
        cursor.eat("char");
    }
    Some(if cursor.eat("varying") || cursor.eat("varchar") { "varchar" } else { "char" })
}

fn postgres_suffix(cursor: &mut Cursor<'_, '_>, ty: &mut Type) {
    if matches!(ty.name.as_str(), "timestamp" | "time") {
        if cursor.eat("with time zone") {
            ty.name.push_str("tz");
        } else {
            cursor.eat("without time zone");
        }
        if ty.args.is_empty() {
            ty.args = args(cursor);
        }
    }
    if ty.name == "interval" {
        let fields = ["year", "month", "day", "hour", "minute", "second", "to"];
        while let Some(field) = cursor.eat_any(&fields) {
            ty.args.push(field.to_owned());
        }
    }
    while cursor.op("[") {
        ty.array = true;
        if cursor.peek().is_some_and(|token| token.kind == Kind::Num) {
            cursor.next();
        }
        cursor.op("]");
    }
    if cursor.eat("array") {
        ty.array = true;
    }
}

fn mysql_suffix(cursor: &mut Cursor<'_, '_>, ty: &mut Type) {
    loop {
        if cursor.eat("unsigned") {
            ty.unsigned = true;
        } else if cursor.eat("character set") || cursor.eat("charset") || cursor.eat("char set") {
            ty.charset = cursor.ident();
        } else if cursor.eat("ascii") {
            ty.charset = Some("latin1".to_owned());
        } else if !cursor.eat("signed") && !cursor.eat("zerofill") && !cursor.eat("binary") {
            return;
        }
    }
}

/// Different names of one type.
fn one_name(ty: &mut Type, dialect: Dialect) {
    let name = match (dialect, ty.name.as_str()) {
        (Dialect::Postgres, "int" | "integer" | "serial" | "serial4") => "int4",
        (Dialect::Postgres, "bigint" | "bigserial" | "serial8") => "int8",
        (Dialect::Postgres, "smallint" | "smallserial" | "serial2") => "int2",
        (Dialect::Postgres, "decimal" | "dec") => "numeric",
        (Dialect::Postgres, "real") => "float4",
        (Dialect::Postgres, "double" | "float") => "float8",
        (Dialect::Postgres, "boolean") => "bool",
        (Dialect::Postgres, "char" | "character" | "bpchar") => "char",
        (_, "integer" | "int4") => "int",
        (Dialect::Mysql | Dialect::Mariadb, "bool" | "boolean") => "tinyint",
        (Dialect::Mysql | Dialect::Mariadb, "serial" | "int8") => "bigint",
        (Dialect::Mysql | Dialect::Mariadb, "int1") => "tinyint",
        (Dialect::Mysql | Dialect::Mariadb, "int2") => "smallint",
        (Dialect::Mysql | Dialect::Mariadb, "int3" | "middleint") => "mediumint",
        (Dialect::Mysql | Dialect::Mariadb, "real" | "float8") => "double",
        (Dialect::Mysql | Dialect::Mariadb | Dialect::Mssql, "numeric" | "dec" | "fixed") => "decimal",
        _ => return,
    };
    ty.name = name.to_owned();
    if matches!(ty.name.as_str(), "tinyint" | "smallint" | "mediumint" | "int" | "bigint") {
        ty.args.clear();
    }
}
