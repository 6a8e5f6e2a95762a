//! Column types: their names made one, and what becomes of old statements when one replaces another.

use crate::dialect::Dialect;
use crate::verdict::Verdict;

/// A column's type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Type {
    /// Its one name in the dialect: `int4`, never `integer`. Empty where SQLite has none.
    pub(crate) name: String,
    /// What stands in its parentheses.
    pub(crate) args: Vec<String>,
    pub(crate) array: bool,
    pub(crate) unsigned: bool,
    pub(crate) charset: Option<String>,
    pub(crate) collation: Option<String>,
    /// The schema of a type that somebody made.
    pub(crate) schema: Option<String>,
}

impl Type {
    fn number(&self, at: usize) -> Option<u32> {
        self.args.get(at)?.parse().ok()
    }

    /// The text by which types are compared.
    pub(crate) fn text(&self) -> String {
        let args = if self.args.is_empty() { String::new() } else { format!("({})", self.args.join(",")) };
        let mark = if self.array { "[]" } else { "" };
        format!("{}{args}{mark}", self.name)
    }
}

/// What a change of type does to the release before, and why.
pub(crate) type Judgement = (Verdict, &'static str);

const SAME: Judgement = (Verdict::None, "the type stays");
const WIDER: Judgement = (
    Verdict::Caution,
    "the type is widened: the new release can write values that the previous one never met, and strictly typed \
     clients see another type",
);
const OTHER: Judgement =
    (Verdict::Contract, "the type changes: what the previous release reads or writes is no longer the same");

/// Judges one type put in another's place.
pub(crate) fn judge(old: &Type, new: &Type, dialect: Dialect) -> Judgement {
    if old == new {
        return SAME;
    }
    if old.array != new.array {
        return OTHER;
    }
    if dialect != Dialect::Sqlite && !same_text_rules(old, new, dialect) {
        return (
            Verdict::Contract,
            "the character set or collation changes: what is equal, how it sorts and what can be stored differ",
        );
    }
    match dialect {
        Dialect::Sqlite => affinities(old, new),
        Dialect::Postgres => postgres(old, new),
        Dialect::Mysql | Dialect::Mariadb => mysql(old, new, dialect),
        Dialect::Mssql => mssql(old, new),
    }
}

fn same_text_rules(old: &Type, new: &Type, dialect: Dialect) -> bool {
    // A text type of MySQL without its own rules takes the table's, which the caller has put in.
    let charset = !dialect.is_mysql() || old.charset == new.charset;
    charset && old.collation == new.collation
}

/// SQLite looks at a type's name for its affinity only.
/// Source: <https://www.sqlite.org/datatype3.html#determination_of_column_affinity>.
fn affinities(old: &Type, new: &Type) -> Judgement {
    let collates = old.collation == new.collation;
    if affinity(&old.name) != affinity(&new.name) || !collates {
        return (Verdict::Contract, "the column's affinity or collation changes: values come back as another type");
    }
    (Verdict::Expand, "the type is spelled otherwise, its affinity stays")
}

fn affinity(name: &str) -> &'static str {
    let has = |word: &str| name.contains(word);
    if has("int") {
        "integer"
    } else if has("char") || has("clob") || has("text") {
        "text"
    } else if name.is_empty() || has("blob") {
        "blob"
    } else if has("real") || has("floa") || has("doub") {
        "real"
    } else {
        "numeric"
    }
}

/// Source: the storage ranges in <https://www.postgresql.org/docs/current/datatype.html>.
fn postgres(old: &Type, new: &Type) -> Judgement {
    const INTEGERS: &[&str] = &["int2", "int4", "int8"];
    let unbounded = |ty: &Type| ty.name == "text" || (ty.name == "varchar" && ty.args.is_empty());
    if unbounded(old) && unbounded(new) {
        return (Verdict::Expand, "text and varchar without a length hold the same values");
    }
    if old.name == "varchar" && (unbounded(new) || new.name == "varchar") {
        return longer(old, new);
    }
    if let Some(judged) = ranked(INTEGERS, old, new) {
        return judged;
    }
    match (old.name.as_str(), new.name.as_str()) {
        ("numeric", "numeric") => precision(old, new),
        ("varbit", "varbit") => longer(old, new),
        _ => OTHER,
    }
}

fn longer(old: &Type, new: &Type) -> Judgement {
    match (old.number(0), new.number(0)) {
        (Some(was), Some(is)) if is >= was => WIDER,
        (Some(_), None) if new.args.is_empty() || new.args[0].eq_ignore_ascii_case("max") => WIDER,
        _ => (Verdict::Contract, "the type holds less than before: writes of the previous release fail"),
    }
}

fn precision(old: &Type, new: &Type) -> Judgement {
    let scale = |ty: &Type| ty.number(1).unwrap_or(0);
    match (old.number(0), new.number(0)) {
        (Some(was), Some(is)) if is >= was && scale(old) == scale(new) => {
            if is == was {
                SAME
            } else {
                WIDER
            }
        }
        _ => (
            Verdict::Contract,
            "precision or scale changes: what the previous release writes is rounded otherwise or refused",
        ),
    }
}

/// Types of one family, narrowest first.
fn ranked(family: &[&str], old: &Type, new: &Type) -> Option<Judgement> {
    let rank = |ty: &Type| family.iter().position(|name| *name == ty.name);
    let (was, is) = (rank(old)?, rank(new)?);
    Some(match is.cmp(&was) {
        std::cmp::Ordering::Equal => SAME,
        std::cmp::Ordering::Greater => WIDER,
        std::cmp::Ordering::Less => {
            (Verdict::Contract, "the type holds less than before: writes of the previous release fail")
        }
    })
}

/// Source: <https://mariadb.com/kb/en/data-types/>, <https://dev.mysql.com/doc/refman/8.4/en/storage-requirements.html>.
fn mysql(old: &Type, new: &Type, dialect: Dialect) -> Judgement {
    const INTEGERS: &[&str] = &["tinyint", "smallint", "mediumint", "int", "bigint"];
    const TEXTS: &[&str] = &["tinytext", "text", "mediumtext", "longtext"];
    const BLOBS: &[&str] = &["tinyblob", "blob", "mediumblob", "longblob"];
    if let Some((verdict, why)) = ranked(INTEGERS, old, new) {
        return match (verdict, old.unsigned, new.unsigned) {
            // Only the width for display changed.
            (Verdict::None, was, is) if was == is => (Verdict::Expand, "only the width for display changes"),
            // The next wider signed type holds every unsigned value.
            (Verdict::Caution, true, false) => WIDER,
            (_, was, is) if was != is => OTHER,
            _ => (verdict, why),
        };
    }
    for family in [TEXTS, BLOBS] {
        if let Some((verdict, why)) = ranked(family, old, new) {
            // Beyond 64 kB nothing that fits into a column before is cut.
            return if verdict == Verdict::Caution && old.name != family[0] {
                (Verdict::Expand, why)
            } else {
                (verdict, why)
            };
        }
    }
    match (old.name.as_str(), new.name.as_str()) {
        ("varchar", "varchar") | ("char", "char") | ("varbinary", "varbinary") => longer(old, new),
        ("varchar", "text" | "mediumtext" | "longtext") if old.number(0).is_some_and(|length| length <= 16_383) => {
            WIDER
        }
        ("decimal", "decimal") if old.unsigned == new.unsigned => precision(old, new),
        ("enum" | "set", _) if old.name == new.name => values(&old.args, &new.args),
        ("json", "longtext") if dialect == Dialect::Mariadb => {
            (Verdict::Caution, "the check for valid JSON goes: a write that was refused is accepted")
        }
        _ => OTHER,
    }
}

/// Values of an enum, old and new.
pub(crate) fn values(old: &[String], new: &[String]) -> Judgement {
    if old == new {
        return SAME;
    }
    if new.starts_with(old) {
        return (Verdict::Caution, "a value is added: the new release writes what the previous one never met");
    }
    (Verdict::Contract, "values are removed, renamed or put in another order")
}

/// Source: <https://learn.microsoft.com/sql/t-sql/data-types/data-types-transact-sql>.
fn mssql(old: &Type, new: &Type) -> Judgement {
    const INTEGERS: &[&str] = &["tinyint", "smallint", "int", "bigint"];
    if let Some(judged) = ranked(INTEGERS, old, new) {
        return judged;
    }
    match (old.name.as_str(), new.name.as_str()) {
        ("varchar", "varchar") | ("nvarchar", "nvarchar") | ("varbinary", "varbinary") => longer(old, new),
        ("decimal", "decimal") => precision(old, new),
        _ => OTHER,
    }
}
