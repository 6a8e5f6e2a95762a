//! Clauses of ALTER TABLE that only MySQL and MariaDB have.

use crate::cursor::Cursor;
use crate::read::column::{column, definition};
use crate::read::index;
use crate::read::table::mysql_option;
use crate::statement::{Change, TableOptions};
use crate::verdict::Verdict;

const STARTS: &[&str] = &[
    "modify",
    "change",
    "convert to",
    "engine",
    "default",
    "character",
    "charset",
    "collate",
    "auto_increment",
    "force",
    "algorithm",
    "lock",
    "comment",
    "row_format",
    "key_block_size",
    "order",
    "disable",
    "enable",
    "reorganize",
    "exchange",
    "truncate",
    "analyze",
    "optimize",
    "rebuild",
    "check",
    "repair",
    "coalesce",
    "remove",
    "partition",
    "discard",
    "import",
    "stats_persistent",
    "pack_keys",
    "max_rows",
    "min_rows",
    "avg_row_length",
    "page_checksum",
    "transactional",
    "with",
    "without",
];

/// Whether such a clause comes next.
pub(crate) fn begins(cursor: &Cursor<'_, '_>) -> bool {
    STARTS.iter().any(|word| cursor.sees(word))
}

fn judged(verdict: Verdict, why: &str) -> Option<Change> {
    Some(Change::Judged(verdict, why.to_owned()))
}

/// Reads such a clause to its end.
pub(crate) fn change(cursor: &mut Cursor<'_, '_>) -> Option<Change> {
    if cursor.eat("modify") {
        cursor.eat("column");
        cursor.eat("if exists");
        let column = column(cursor)?;
        return Some(Change::Redefine { name: column.name.clone(), column: Box::new(column), keeps_default: false });
    }
    if cursor.eat("change") {
        cursor.eat("column");
        cursor.eat("if exists");
        let name = cursor.ident()?;
        let to = cursor.ident()?;
        let column = definition(cursor, to)?;
        return Some(Change::Redefine { name, column: Box::new(column), keeps_default: false });
    }
    if cursor.eat("convert to") {
        let mut options = TableOptions::default();
        while !cursor.done() {
            mysql_option(cursor, &mut options)?;
        }
        return Some(Change::Convert(options));
    }
    if cursor.sees("engine") {
        let mut options = TableOptions::default();
        mysql_option(cursor, &mut options)?;
        return Some(Change::Engine(options.engine?));
    }
    if cursor.eat("auto_increment") || cursor.eat("force") || cursor.eat("algorithm") || cursor.eat("lock") {
        cursor.skip_rest();
        return Some(Change::Nothing);
    }
    if let Some(found) = partitions(cursor) {
        cursor.skip_rest();
        return Some(found);
    }
    if cursor.eat("disable keys") || cursor.eat("enable keys") || cursor.eat("order by") {
        cursor.skip_rest();
        return Some(Change::Nothing);
    }
    if cursor.sees("discard") || cursor.sees("import") || cursor.sees("with") || cursor.sees("without") {
        return None;
    }
    let mut options = TableOptions::default();
    while !cursor.done() {
        mysql_option(cursor, &mut options)?;
        cursor.op(",");
    }
    judged(Verdict::Expand, "a default for later columns or a storage option: old statements see no difference")
}

fn partitions(cursor: &mut Cursor<'_, '_>) -> Option<Change> {
    if cursor.eat("truncate partition") {
        return judged(Verdict::Contract, "rows of the partition are removed");
    }
    if cursor.eat("exchange partition") {
        return judged(Verdict::Contract, "the partition's rows are exchanged for those of another table");
    }
    if cursor.eat("remove partitioning") {
        return judged(Verdict::Contract, "statements that name a partition fail");
    }
    if cursor.eat("partition by") {
        let open = cursor.sees("hash") || cursor.sees("key") || cursor.rest().iter().any(|token| token.is("maxvalue"));
        return if open {
            judged(Verdict::Expand, "every row has a partition")
        } else {
            judged(Verdict::Contract, "rows for which there is no partition are refused")
        };
    }
    if cursor.eat("reorganize partition") || cursor.eat("coalesce partition") {
        return judged(Verdict::Expand, "rows move between partitions, none leaves the table");
    }
    let upkeep =
        ["analyze partition", "optimize partition", "rebuild partition", "check partition", "repair partition"];
    cursor.eat_any(&upkeep).map(|_| Change::Nothing)
}

/// What ADD adds only here: indexes and partitions. `Some(None)`: something else.
pub(crate) fn add(cursor: &mut Cursor<'_, '_>) -> Option<Option<Change>> {
    if cursor.eat("partition") {
        cursor.skip_rest();
        return Some(judged(Verdict::Expand, "a partition is added"));
    }
    if index::begins_in_table(cursor) && !cursor.sees("column") {
        return Some(Some(Change::AddIndex(index::in_table(cursor)?)));
    }
    let before = *cursor;
    cursor.eat("column");
    // ADD (a int, b int) is left unknown: one clause, several columns.
    if cursor.sees_op("(") {
        return None;
    }
    *cursor = before;
    Some(None)
}

/// Whether DROP drops something that only exists here.
pub(crate) fn drops(cursor: &Cursor<'_, '_>) -> bool {
    ["primary key", "foreign key", "index", "key", "partition", "check"].iter().any(|words| cursor.sees(words))
        && cursor.rest().len() > 1
}

/// Reads it.
pub(crate) fn drop(cursor: &mut Cursor<'_, '_>) -> Option<Change> {
    if cursor.eat("primary key") {
        return Some(Change::DropPrimary);
    }
    if cursor.eat("partition") {
        cursor.skip_rest();
        return judged(Verdict::Contract, "the partition goes with its rows");
    }
    if cursor.eat("foreign key") {
        cursor.eat("if exists");
        return Some(Change::DropForeign(cursor.ident()?));
    }
    if cursor.eat("check") {
        return Some(Change::DropConstraint { name: cursor.ident()?, if_exists: false });
    }
    cursor.next();
    cursor.eat("if exists");
    Some(Change::DropIndex(cursor.ident()?))
}
