//! Which files are migrations, in which order, and which part of them counts.

use prodpin_schema::layout::{File, Judged, Unreadable, compare};
use prodpin_schema::{Dialect, Verdict};

fn files(all: &[(&str, &str)]) -> Vec<File> {
    all.iter()
        .map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned(), doubt: Option::None })
        .collect()
}

/// The change between the first files and those with the last ones added.
fn added(first: &[(&str, &str)], more: &[(&str, &str)]) -> Vec<Judged> {
    let mut both = files(first);
    both.extend(files(more));
    compare(&files(first), &both, Some(Dialect::Postgres)).expect("migrations")
}

fn verdict(judged: &[Judged]) -> Verdict {
    judged.iter().map(|judged| judged.report.verdict).max().expect("a series")
}

const T: &str = "CREATE TABLE t (id int PRIMARY KEY, a int);";
const ADD: &str = "ALTER TABLE t ADD COLUMN b int;";
const DROP: &str = "ALTER TABLE t DROP COLUMN a;";

/// Every tool's layout: the earlier file is read, the added one judged, what goes down is not.
#[test]
fn layouts_of_every_tool_are_found() {
    let goose = format!("-- +goose Up\n{ADD}\n-- +goose Down\n{DROP}\n");
    let dbmate = format!("-- migrate:up\n{ADD}\n-- migrate:down\n{DROP}\n");
    let liquibase = format!("--liquibase formatted sql\n--changeset me:2\n{ADD}\n--rollback {DROP}\n");
    let rows = [
        ("flyway", ("sql/V1__a.sql", T.to_owned()), ("sql/V1.1__b.sql", ADD.to_owned())),
        ("golang-migrate", ("m/1_a.up.sql", T.to_owned()), ("m/2_b.up.sql", ADD.to_owned())),
        ("sqlx", ("migrations/20240101_a.sql", T.to_owned()), ("migrations/20240102_b.sql", ADD.to_owned())),
        ("goose", ("m/00001_a.sql", format!("-- +goose Up\n{T}")), ("m/00002_b.sql", goose)),
        ("dbmate", ("db/migrations/1_a.sql", format!("-- migrate:up\n{T}")), ("db/migrations/2_b.sql", dbmate)),
        (
            "diesel",
            ("migrations/2024-01-01-000000_a/up.sql", T.to_owned()),
            ("migrations/2024-01-02-000000_b/up.sql", ADD.to_owned()),
        ),
        (
            "prisma",
            ("prisma/migrations/20240101_a b/migration.sql", T.to_owned()),
            ("prisma/migrations/20240102_c/migration.sql", ADD.to_owned()),
        ),
        ("liquibase", ("c/1.sql", format!("--liquibase formatted sql\n{T}")), ("c/2.sql", liquibase)),
        ("unpadded", ("m/9_a.sql", T.to_owned()), ("m/10_b.sql", ADD.to_owned())),
        (
            "drizzle",
            ("drizzle/0000_a.sql", T.to_owned()),
            ("drizzle/0001_b.sql", format!("{ADD}--> statement-breakpoint\nSELECT 1;")),
        ),
    ];
    for (tool, (first, text), (second, more)) in &rows {
        let judged = added(&[(*first, text.as_str())], &[(*second, more.as_str())]);
        assert_eq!(verdict(&judged), Verdict::Expand, "{tool}: {judged:#?}");
        assert_eq!((judged.len(), judged[0].earlier, judged[0].changed), (1, 1, 1), "{tool}");
    }
    let judged = added(&[("m/V1__a.sql", T)], &[("m/U2__b.sql", DROP)]);
    assert_eq!(verdict(&judged), Verdict::None);
    for down in ["m/2_b.down.sql", "m/2024_b/down.sql"] {
        let judged = added(&[("m/1_a.up.sql", T)], &[(down, DROP)]);
        assert_eq!(verdict(&judged), Verdict::None, "{down}");
    }
}

#[test]
fn a_name_that_ends_in_down_goes_up() {
    let first = [("m/V1__a.sql", "CREATE TABLE t (id int, a int);")];
    let judged = added(&first, &[("m/V2__scale_down.sql", "ALTER TABLE t DROP COLUMN a;")]);
    assert_eq!(verdict(&judged), Verdict::Contract, "{judged:#?}");
}

#[test]
fn lines_are_those_of_the_file() {
    let judged = added(
        &[("m/1_a.sql", &format!("-- +goose Up\n{T}"))],
        &[("m/2_b.sql", &format!("-- +goose Up\n\n\n\n{DROP}\n-- +goose Down\nx\n"))],
    );
    assert_eq!((judged[0].report.verdict, judged[0].report.findings[0].line), (Verdict::Contract, 5));
}

/// Earlier files: comments may change, meanings may not, folders may move.
#[test]
fn earlier_files_are_known_by_name_and_content() {
    let before = files(&[("db/1_a.sql", T), ("db/2_b.sql", ADD)]);
    for (what, after, expected) in [
        (
            "comments",
            vec![("db/1_a.sql", "-- why\nCREATE TABLE t\n(id int PRIMARY KEY, a int);"), ("db/2_b.sql", ADD)],
            Verdict::None,
        ),
        ("moved", vec![("sql/1_a.sql", T), ("sql/2_b.sql", ADD), ("sql/3_c.sql", DROP)], Verdict::Contract),
        ("moved only", vec![("sql/1_a.sql", T), ("sql/2_b.sql", ADD)], Verdict::None),
        ("renamed", vec![("db/1_first.sql", T), ("db/2_b.sql", ADD)], Verdict::None),
        ("edited", vec![("db/1_a.sql", "CREATE TABLE t (id int PRIMARY KEY);"), ("db/2_b.sql", ADD)], Verdict::Unknown),
        ("deleted", vec![("db/2_b.sql", ADD)], Verdict::Unknown),
        ("late", vec![("db/1_a.sql", T), ("db/1_z.sql", DROP), ("db/2_b.sql", ADD)], Verdict::Contract),
        (
            "code",
            vec![("migrations/1_a.sql", T), ("migrations/2_b.sql", ADD), ("migrations/3_c.go", "package m")],
            Verdict::Unknown,
        ),
    ] {
        let judged = compare(&before, &files(&after), Some(Dialect::Postgres)).expect("migrations");
        assert_eq!(verdict(&judged), expected, "{what}: {judged:#?}");
    }
}

#[test]
fn repeatable_files_are_run_again_when_they_change() {
    let view = |columns: &str| format!("CREATE OR REPLACE VIEW v AS SELECT {columns} FROM t;");
    let (one, two, other) = (view("id"), view("id, a"), view("a"));
    let before = files(&[("V1__a.sql", T), ("R__v.sql", one.as_str())]);
    for (text, expected) in [(&one, Verdict::None), (&two, Verdict::Expand), (&other, Verdict::Contract)] {
        let after = files(&[("V1__a.sql", T), ("R__v.sql", text.as_str())]);
        let judged = compare(&before, &after, Some(Dialect::Postgres)).expect("migrations");
        assert_eq!(verdict(&judged), expected, "{text}");
    }
}

#[test]
fn the_dialect_is_told_by_folder_configuration_or_words() {
    let told = |all: &[(&str, &str)]| compare(&[], &files(all), None).map(|judged| judged[0].dialect);
    assert_eq!(told(&[("db/mariadb/1_a.sql", T)]), Ok(Dialect::Mariadb));
    assert_eq!(told(&[("supabase/migrations/1_a.sql", T)]), Ok(Dialect::Postgres));
    assert_eq!(
        told(&[("p/1_a/migration.sql", T), ("p/migration_lock.toml", "provider = \"sqlite\"")]),
        Ok(Dialect::Sqlite)
    );
    assert_eq!(told(&[("m/1_a.sql", "CREATE TABLE `t` (id int AUTO_INCREMENT) ENGINE=InnoDB;")]), Ok(Dialect::Mysql));
    assert_eq!(told(&[("m/1_a.sql", T)]), Err(Unreadable::NoDialect("m".to_owned())));
    assert_eq!(compare(&[], &files(&[("readme.sql", "x")]), None).err(), Some(Unreadable::NoMigrations));
    // Two folders for two databases are judged one by one.
    let both = compare(&[], &files(&[("db/mysql/1_a.sql", T), ("db/sqlite/1_a.sql", T)]), None).expect("migrations");
    assert_eq!(both.iter().map(|judged| judged.dialect).collect::<Vec<_>>(), [Dialect::Mysql, Dialect::Sqlite]);
}
