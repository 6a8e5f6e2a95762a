//! Files that were named, marked or placed so as to be passed over.

use prodpin_schema::layout::{File, Judged, compare};
use prodpin_schema::{Dialect, Verdict};

fn files(all: &[(&str, &str)]) -> Vec<File> {
    all.iter().map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned(), doubt: None }).collect()
}

fn between(before: &[(&str, &str)], after: &[(&str, &str)]) -> Vec<Judged> {
    compare(&files(before), &files(after), Some(Dialect::Postgres)).expect("migrations")
}

fn verdict(judged: &[Judged]) -> Verdict {
    judged.iter().map(|judged| judged.report.verdict).max().expect("a series")
}

/// What is added to a series that has the table.
fn added(first: &str, name: &str, text: &str) -> Verdict {
    added_to(first, T, name, text)
}

fn added_to(first: &str, earlier: &str, name: &str, text: &str) -> Verdict {
    let before = [(first, earlier)];
    verdict(&between(&before, &[(first, earlier), (name, text)]))
}

const T: &str = "CREATE TABLE t (id int PRIMARY KEY, a int);";
const DROP: &str = "ALTER TABLE t DROP COLUMN a;";

#[test]
fn files_of_other_names_are_not_passed_over() {
    for (first, name) in [
        ("m/V1__a.sql", "m/V2__b.SQL"),
        ("m/V1__a.sql", "m/beforeMigrate.sql"),
        ("m/V1__a.sql", "m/afterMigrate__grants.sql"),
        ("m/V1__a.sql", "callbacks/afterVersioned.sql"),
        ("m/V1__a.sql", "m/R__views.sql"),
        ("m/V1__a.sql", "m/V2__x.down.sql"),
        ("m/V1__a.sql", "m/V2__x.undo.sql"),
        ("m/V1__a.sql", "m/extra.sql"),
        ("m/V1__a.sql", "m/schema.sql"),
        ("m/1_a.sql", "test/2_b.sql"),
        ("m/1_a.sql", "vendor/lib/2_b.sql"),
        ("m/1_a.sql", "testdata/2_b.sql"),
        ("m/1_a.sql", "meta/2_b.sql"),
        ("m/1_a.sql", "m/2_b.down.sql"),
        ("m/1_a.sql", "m/2_b.rollback.sql"),
        ("m/1_a.sql", "m/2_b.psql"),
        ("migrations/1_a.sql", "migrations/2_b.sql.tmpl"),
        ("migrations/1_a.sql", "migrations/2_add_test.js"),
        ("migrations/1_a.sql", "migrations/2_b.test.ts"),
        ("migrations/1_a.sql", "migrations/2_b.rs"),
        ("m/1_a.sql", "m/U2__b.sql"),
    ] {
        let verdict = added(first, name, DROP);
        assert!(verdict >= Verdict::Unknown, "{first}, {name}: {verdict}");
    }
}

#[test]
fn what_goes_down_beside_what_goes_up_is_left_out() {
    for (up, down) in [
        ("m/2_b.up.sql", "m/2_b.down.sql"),
        ("m/2_b.sql", "m/2_b.down.sql"),
        ("m/2_b.sql", "m/2_b.rollback.sql"),
        ("m/2.do.b.sql", "m/2.undo.b.sql"),
        ("m/2-b-up.sql", "m/2-b-down.sql"),
        ("m/V2__b.sql", "m/U2__b.sql"),
        ("m/2_b/up.sql", "m/2_b/down.sql"),
    ] {
        let add = "ALTER TABLE t ADD COLUMN c int;";
        let after = [("m/1_a.sql", T), (up, add), (down, DROP)];
        assert_eq!(verdict(&between(&after[..1], &after)), Verdict::Expand, "{down}");
    }
}

/// A comment in which another tool would see the way back.
#[test]
fn marks_of_another_tool_hide_nothing() {
    let hidden = [
        "SELECT 1;\n-- migrate:down\n",
        "-- migrate:up\nSELECT 1;\n-- migrate:down\n",
        "-- +goose Up\nSELECT 1;\n-- +goose Down\n",
        "-- +migrate Up\nSELECT 1;\n-- +migrate Down\n",
        "SELECT '\n-- +goose Up\n'; SELECT '\n-- +goose Down\n';\n",
        "SELECT 1;\n---- create above / drop below ----\n",
        "SELECT 1;\n-- //@UNDO\n",
        "# --- !Ups\nSELECT 1;\n# --- !Downs\n",
    ];
    for text in hidden {
        for first in ["m/1_a.sql", "m/1_a.up.sql", "m/V1__a.sql", "m/1_a/up.sql"] {
            let name = first.replace('1', "2").replace("_a", "_b");
            let verdict = added(first, &name, &format!("{text}{DROP}"));
            assert!(verdict >= Verdict::Unknown, "{name}: {text}: {verdict}");
        }
    }
    // Marks that are added to the earlier files as well, where their names are another tool's.
    let marked = format!("-- migrate:up\n{T}");
    let verdict =
        added_to("m/V1__a.sql", &marked, "m/V2__b.sql", &format!("-- migrate:up\nSELECT 1;\n-- migrate:down\n{DROP}"));
    assert!(verdict >= Verdict::Unknown, "{verdict}");
    let before = [("m/1_a.sql", T)];
    let later = format!("-- migrate:up\nSELECT 1;\n-- migrate:down\n{DROP}");
    let after = [("m/1_a.sql", marked.as_str()), ("m/2_b.sql", later.as_str())];
    assert!(self::verdict(&between(&before, &after)) >= Verdict::Unknown);
}

#[test]
fn each_tool_has_its_own_marks() {
    for (up, down) in [
        ("-- +goose Up", "-- +goose Down"),
        ("-- +migrate Up", "-- +migrate Down"),
        ("-- migrate:up", "-- migrate:down"),
        ("-- rambler up", "-- rambler down"),
        ("-- Up Migration", "-- Down Migration"),
        ("# --- !Ups", "# --- !Downs"),
        ("-- Up", "-- Down"),
        ("-- migrate:up transaction:false", "-- migrate:down"),
    ] {
        let text = |up_part: &str, down_part: &str| format!("{up}\n{up_part}\n{down}\n{down_part}\n");
        let (one, two) = (text(T, "DROP TABLE t;"), text("ALTER TABLE t ADD COLUMN c int;", DROP));
        assert_eq!(added_to("m/1_a.sql", &one, "m/2_b.sql", &two), Verdict::Expand, "{up}");
        let odd = [
            format!("  {two}").replace(&format!("\n{down}"), &format!("\n  {down}")),
            format!("{two}{up}\n{DROP}"),
            format!("{DROP}\n{two}"),
        ];
        for text in odd {
            let verdict = added_to("m/1_a.sql", &one, "m/2_b.sql", &text);
            assert!(verdict >= Verdict::Unknown, "{verdict}: {text}");
        }
    }
    let (one, two) = (
        format!("{T}\n---- create above / drop below ----\n"),
        format!("SELECT 1;\n---- create above / drop below ----\n{DROP}"),
    );
    assert_eq!(added_to("m/1_a.sql", &one, "m/2_b.sql", &two), Verdict::None);
}

#[test]
fn what_is_numbered_anew_runs_again() {
    let before = [("m/1_a.sql", T), ("m/2_b.sql", "DELETE FROM t;")];
    for (name, mildest) in [("m/9_b.sql", Verdict::Unknown), ("m/2_other.sql", Verdict::None)] {
        let after = [("m/1_a.sql", T), (name, "DELETE FROM t;")];
        let found = verdict(&between(&before, &after));
        assert_eq!(found, mildest, "{name}");
    }
    let before = [("p/1_a/migration.sql", T), ("p/2_b/migration.sql", "DELETE FROM t;")];
    let after = [("p/1_a/migration.sql", T), ("p/2_c/migration.sql", "DELETE FROM t;")];
    assert!(verdict(&between(&before, &after)) >= Verdict::Unknown, "Prisma knows a migration by its whole name");
    let text = format!("--liquibase formatted sql\n--changeset a:1\n{T}");
    assert!(verdict(&between(&[("a/1.sql", &text)], &[("b/1.sql", &text)])) >= Verdict::Unknown);
}

#[test]
fn callbacks_run_with_every_migration() {
    let (call, add) = ("GRANT SELECT ON t TO app;", "ALTER TABLE t ADD COLUMN c int;");
    let before = [("m/V1__a.sql", T), ("m/afterMigrate.sql", call)];
    assert_eq!(verdict(&between(&before, &before)), Verdict::None);
    let after = [("m/V1__a.sql", T), ("m/afterMigrate.sql", call), ("m/V2__b.sql", add)];
    assert_eq!(verdict(&between(&before, &after)), Verdict::Expand);
    let before = [("m/V1__a.sql", T), ("m/afterMigrate.sql", "DELETE FROM t;")];
    let after = [("m/V1__a.sql", T), ("m/afterMigrate.sql", "DELETE FROM t;"), ("m/V2__b.sql", add)];
    assert_eq!(verdict(&between(&before, &after)), Verdict::Data);
}

/// Words of another dialect in a new file must not make the others be read otherwise.
#[test]
fn the_dialect_is_that_of_the_earlier_files() {
    let earlier = "CREATE TABLE t (id bigserial PRIMARY KEY, a jsonb, at timestamptz);";
    let words = "-- ` auto_increment engine= unsigned tinyint( delimiter longtext on update current_timestamp\n";
    let after =
        [("m/1_a.sql", earlier.to_owned()), ("m/2_b.sql", format!("{words}SELECT '\\'; DROP TABLE t; SELECT '';"))];
    let after: Vec<(&str, &str)> = after.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let judged = compare(&files(&[("m/1_a.sql", earlier)]), &files(&after), None).expect("migrations");
    assert_eq!((judged[0].dialect, judged[0].report.verdict), (Dialect::Postgres, Verdict::Contract));
}

#[test]
fn what_cannot_be_read_is_unknown_on_both_sides() {
    let link = |text: &str| File { path: "m/2_b.sql".to_owned(), text: text.to_owned(), doubt: Some("a link") };
    let first = files(&[("m/1_a.sql", T)]);
    let with = |it: File| first.iter().cloned().chain([it]).collect::<Vec<_>>();
    for (before, after, expected) in [
        (first.clone(), with(link("")), Verdict::Unknown),
        (with(link("")), with(link("")), Verdict::Unknown),
        (with(link("one commit")), with(link("one commit")), Verdict::None),
        (with(link("one commit")), with(link("another")), Verdict::Unknown),
    ] {
        let judged = compare(&before, &after, Some(Dialect::Postgres)).expect("migrations");
        assert_eq!(verdict(&judged), expected);
    }
}
