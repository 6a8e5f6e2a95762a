//! One row for each rule beside those that the corpus shows: what a splitter, a guard, a dialect makes of a text.

use prodpin_schema::Dialect::{Mariadb, Mssql, Mysql, Postgres, Sqlite};
use prodpin_schema::Verdict::{Caution, Contract, Data, Expand, None, Unknown};
use prodpin_schema::{Dialect, Report, Source, Verdict, classify, same_meaning};

fn judge(dialect: Dialect, base: &str, change: &str) -> Report {
    let all = [Source { file: "1.sql", text: base }];
    let earlier: &[Source<'_>] = if base.is_empty() { &[] } else { &all };
    classify(dialect, earlier, &[Source { file: "2.sql", text: change }])
}

fn check(rows: &[(Dialect, &str, &str, Verdict)]) {
    let mut wrong = Vec::new();
    for (dialect, base, change, expected) in rows {
        let report = judge(*dialect, base, change);
        if report.verdict != *expected {
            wrong.push(format!("{dialect}: {change}\n  expected {expected}: {report:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const T: &str = "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(10) NOT NULL);";

#[test]
fn texts_are_taken_apart_as_the_vendors_clients_do() {
    check(&[
        // COPY's data is no SQL, and without an end mark it swallows what follows.
        (Postgres, T, "COPY t (id, b) FROM stdin;\n1\tDROP TABLE t;\n\\.\nSELECT 1;", Expand),
        (Postgres, T, "COPY t (id, b) FROM stdin;\n1\tx\nDROP TABLE t;\n", Unknown),
        (Postgres, T, "COPY t FROM PROGRAM 'x';", Unknown),
        (Postgres, T, "COPY (DELETE FROM t RETURNING id) TO STDOUT;", Unknown),
        (Postgres, T, "SELECT $a$ ; DROP TABLE t; $a$;\r\n", None),
        (Postgres, T, "SELECT E'\\'; DROP TABLE t; --';", None),
        (Postgres, T, "SELECT 'it''s'; DROP TABLE t;", Contract),
        (Postgres, T, "SELECT 'never ends; DROP TABLE t;", Unknown),
        (Postgres, T, "ALTER TABLE {{ schema }}.t ADD COLUMN c int;", Unknown),
        (Postgres, T, "ALTER TABLE ${schema}.t ADD COLUMN c int;", Unknown),
        (Postgres, T, "\\connect other\nSELECT 1;", Unknown),
        (Postgres, T, "\\restrict abc\nSELECT 1;\n\\unrestrict abc\n", None),
        (Mysql, T, "/*!50003 DROP TABLE t */;", Contract),
        // MariaDB executes it, and MySQL is mostly a guess.
        (Mysql, T, "/*M! DROP TABLE t */;", Unknown),
        // MariaDB leaves out what only MySQL's versions have.
        (Mariadb, T, "/*!80000 DROP TABLE t */;", None),
        (Mariadb, T, "/*!100100 DROP TABLE t */;", Contract),
        (
            Mysql,
            T,
            "DELIMITER $$\nCREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END$$\nDELIMITER ;\nALTER TABLE t ADD c int;",
            Expand,
        ),
        (
            Mysql,
            T,
            "DELIMITER $$\nCREATE PROCEDURE p() BEGIN SELECT 1; END$$\nDELIMITER ;\nALTER TABLE t DROP COLUMN a;",
            Contract,
        ),
        (
            Mysql,
            T,
            "DELIMITER zz\nCREATE PROCEDURE p() BEGIN SELECT 1; ENDzz\nALTER TABLE t DROP COLUMN azz\nDELIMITER ;",
            Contract,
        ),
        (Mysql, T, "DELIMITER $$\nCREATE PROCEDURE p() BEGIN SELECT 1; END;\nALTER TABLE t DROP COLUMN a;", Unknown),
        // To PostgreSQL a lone carriage return ends a comment.
        (Postgres, T, "-- a\rALTER TABLE t DROP COLUMN a;", Contract),
        (Postgres, T, "-- a\r\nALTER TABLE t ADD COLUMN c int;", Expand),
        (Sqlite, T, "-- a\rALTER TABLE t DROP COLUMN a;", None),
        (Mysql, T, "CREATE PROCEDURE p() BEGIN IF 1 THEN SELECT 1; END IF; END;\nDROP TABLE t;", Contract),
        (
            Sqlite,
            T,
            "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM t; END; DROP TABLE t;",
            Contract,
        ),
        // A body without end would swallow what follows.
        (Sqlite, T, "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; DROP TABLE t;", Unknown),
        (Mssql, T, "ALTER TABLE t ADD c int\nGO\nDROP TABLE t\nGO\n", Contract),
        (Mssql, T, "ALTER TABLE t ADD c int NULL\nALTER TABLE t ADD d int NULL\nGO", Expand),
    ]);
}

#[test]
fn what_is_not_understood_to_its_last_word_is_unknown() {
    check(&[
        (Postgres, T, "ALTER TABLE t ADD COLUMN c int FROBNICATE;", Unknown),
        (Postgres, T, "CALL migrate();", Unknown),
        (Postgres, T, "FROBNICATE t;", Unknown),
        (Postgres, T, "EXPLAIN ANALYZE DELETE FROM t;", Unknown),
        (Postgres, T, "SELECT drop_everything();", Unknown),
        (Postgres, T, "INSERT INTO t SELECT drop_everything();", Unknown),
        (Sqlite, T, "PRAGMA writable_schema=1;", Unknown),
        (Sqlite, T, "ATTACH DATABASE 'app.db' AS x;", Unknown),
        (Mysql, T, "EXECUTE st;", Unknown),
        (Mssql, T, "EXEC('DROP TABLE t')", Unknown),
        (Mssql, T, "DECLARE @x int", Unknown),
        // An index of which nothing is known may have been unique.
        (Postgres, T, "DROP INDEX somewhere;", Unknown),
        // Without earlier files nothing says that a table is not there.
        (Postgres, "", "DROP TABLE IF EXISTS t;", Contract),
        (Postgres, T, "DROP TABLE IF EXISTS elsewhere;", None),
        (Postgres, "CREATE TABLE t (id int); CALL more_tables();", "DROP TABLE IF EXISTS elsewhere;", Contract),
    ]);
}

#[test]
fn guards_around_static_statements_are_seen_through() {
    let add = "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM information_schema.columns WHERE table_name='t') THEN ALTER TABLE t ADD COLUMN c int; END IF; END $$;";
    check(&[
        (Postgres, T, add, Expand),
        (
            Postgres,
            T,
            "DO $$ BEGIN CREATE TYPE m AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN NULL; END $$;",
            Expand,
        ),
        (
            Postgres,
            T,
            "DO $x$ BEGIN IF EXISTS (SELECT 1) THEN DROP TABLE t; END IF; END $x$ LANGUAGE plpgsql;",
            Contract,
        ),
        (Postgres, T, "DO $$ BEGIN PERFORM f(); END $$;", Unknown),
        (Postgres, T, "DO $$ DECLARE r record; BEGIN FOR r IN SELECT 1 LOOP DROP TABLE t; END LOOP; END $$;", Unknown),
        // What may not run takes nothing back.
        (
            Postgres,
            T,
            "ALTER TABLE t ALTER a SET NOT NULL; DO $$ BEGIN IF false THEN ALTER TABLE t ALTER a DROP NOT NULL; END IF; END $$;",
            Contract,
        ),
        (
            Mssql,
            T,
            "IF NOT EXISTS (SELECT 1 FROM sys.columns WHERE name = 'c')\nBEGIN\n  ALTER TABLE t ADD c int NULL;\nEND\nGO",
            Expand,
        ),
        (Mssql, T, "IF COL_LENGTH('t','a') IS NOT NULL\n  ALTER TABLE t DROP COLUMN a\nGO", Contract),
    ]);
}

#[test]
fn transactions_take_back_what_the_database_would() {
    check(&[
        (Postgres, T, "BEGIN; DROP TABLE t; ROLLBACK; ALTER TABLE t ADD COLUMN c int;", Expand),
        (Postgres, T, "DROP TABLE t; ROLLBACK;", Contract),
        (Mysql, T, "START TRANSACTION; DELETE FROM t; ALTER TABLE t ADD c int; ROLLBACK;", Data),
        (Mysql, T, "DELETE FROM t; ROLLBACK;", Data),
    ]);
}

#[test]
fn the_rules_beyond_the_corpus() {
    let ix = "CREATE TABLE t (id int PRIMARY KEY, a int, FULLTEXT KEY ft (a));";
    check(&[
        (Postgres, T, "ALTER TABLE t ADD COLUMN s text NOT NULL DEFAULT 'a' CHECK (s IN ('a','b'));", Expand),
        (Postgres, T, "ALTER TABLE t ADD COLUMN s text NOT NULL DEFAULT 'c' CHECK (s IN ('a','b'));", Contract),
        (Postgres, T, "ALTER TABLE t ADD COLUMN s int CHECK (s IS NOT NULL);", Contract),
        (Postgres, T, "ALTER TABLE t ADD COLUMN s int CHECK (a > 0);", Contract),
        (Postgres, T, "CREATE UNIQUE INDEX ON t (b);", Contract),
        (Postgres, T, "CREATE INDEX ON t ((1/a));", Contract),
        (Postgres, T, "CREATE INDEX ON t (lower(b));", Expand),
        (Postgres, T, "SELECT setval('s', 1);", Contract),
        (Postgres, T, "CREATE PUBLICATION p FOR TABLE t;", Expand),
        (Postgres, "CREATE TABLE t (a int);", "CREATE PUBLICATION p FOR TABLE t;", Contract),
        (
            Postgres,
            "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
            "INSERT INTO t VALUES (f());",
            Unknown,
        ),
        (
            Postgres,
            "CREATE VIEW v AS SELECT 1 AS a;",
            "CREATE OR REPLACE VIEW v AS SELECT 1 AS a, unnest(x) AS b;",
            Contract,
        ),
        (Postgres, T, "ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME TO t;", None),
        (Postgres, T, "UPDATE t SET a = 1;", Data),
        (Postgres, T, "WITH x AS (SELECT 1) UPDATE t SET a = 1;", Data),
        (Postgres, T, "ALTER TABLE t ALTER b TYPE varchar(20);", Caution),
        (Mysql, ix, "ALTER TABLE t DROP INDEX ft;", Contract),
        (Mysql, T, "ALTER TABLE t MODIFY a int NOT NULL DEFAULT 0;", Contract),
        // A row written anew moves its ON UPDATE column.
        (
            Mysql,
            "CREATE TABLE t (id int, m timestamp NULL ON UPDATE CURRENT_TIMESTAMP);",
            "ALTER TABLE t ADD c int; UPDATE t SET c = 1;",
            Data,
        ),
        (Mysql, T, "SET GLOBAL sql_mode = '';", Contract),
        (
            Mysql,
            T,
            "CREATE TABLE u (id int PRIMARY KEY, a int, b varchar(10) NOT NULL); INSERT INTO u SELECT * FROM t; RENAME TABLE t TO o, u TO t;",
            Expand,
        ),
        (Mssql, T, "ALTER TABLE t ALTER COLUMN a bigint NULL", Caution),
        (Mssql, T, "ALTER TABLE t ALTER COLUMN b varchar(5) NOT NULL", Contract),
        (Mssql, T, "ALTER TABLE t DROP COLUMN a", Contract),
        (Mssql, T, "ALTER TABLE [dbo].[t] ADD [c] nvarchar(10) NOT NULL CONSTRAINT df DEFAULT ('x')", Expand),
        (Mssql, T, "EXEC sp_rename 't.a', 'z', 'COLUMN'", Contract),
        (Mssql, T, "CREATE NONCLUSTERED INDEX ix ON t (a)", Expand),
    ]);
}

/// SQLite's documented twelve steps, and what becomes of them when one is left out.
#[test]
fn sqlite_rebuilds_are_judged_by_comparing() {
    let base = "CREATE TABLE p (id INTEGER PRIMARY KEY, a TEXT); CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id) ON DELETE CASCADE);";
    let steps = |head: &str, table: &str, copy: &str| {
        format!(
            "{head}CREATE TABLE n ({table}); INSERT INTO n ({copy}) SELECT {copy} FROM p; DROP TABLE p; ALTER TABLE n RENAME TO p;"
        )
    };
    let off = "PRAGMA foreign_keys=OFF; ";
    for (text, expected) in [
        (steps(off, "id INTEGER PRIMARY KEY, a TEXT, b TEXT", "id, a"), Expand),
        // Inside a transaction the pragma does nothing, and the drop empties the child.
        (steps("BEGIN; PRAGMA foreign_keys=OFF; ", "id INTEGER PRIMARY KEY, a TEXT", "id, a"), Contract),
        (steps("", "id INTEGER PRIMARY KEY, a TEXT", "id, a"), Contract),
        (steps(off, "id INTEGER PRIMARY KEY, a TEXT", "id"), Contract),
        (steps(off, "id INT PRIMARY KEY, a TEXT", "id, a"), Contract),
        (steps(off, "id INTEGER PRIMARY KEY, a TEXT NOT NULL DEFAULT ''", "id, a"), Contract),
        (steps(off, "id INTEGER PRIMARY KEY, a TEXT", "id, a").replace("FROM p;", "FROM p LIMIT 9;"), Contract),
    ] {
        let report = judge(Sqlite, base, &text);
        assert_eq!(report.verdict, expected, "{text}\n{report:#?}");
    }
}

#[test]
fn a_finding_names_file_line_statement_and_why() {
    let report =
        judge(Postgres, T, "-- first\n\nALTER TABLE t\n  ADD COLUMN c int;\n/* then */ ALTER TABLE t DROP COLUMN a;\n");
    let worst = &report.findings[0];
    assert_eq!((worst.file.as_str(), worst.line, worst.object.as_str()), ("2.sql", 5, "t.a"));
    assert_eq!(worst.statement, "ALTER TABLE t DROP COLUMN a");
    assert_eq!(worst.why, "the column is dropped");
    assert_eq!((report.findings[1].line, report.findings[1].statement.as_str()), (3, "ALTER TABLE t ADD COLUMN c int"));
}

#[test]
fn comments_and_spacing_have_no_meaning() {
    for (left, right, same) in [
        ("CREATE TABLE t (a int);", "-- note\ncreate  table T(a INT) ;\r\n", true),
        ("CREATE TABLE t (a int);", "CREATE TABLE t (a bigint);", false),
        ("SELECT 'a b';", "SELECT 'a  b';", false),
        ("SELECT 1;", "SELECT 1; SELECT 2;", false),
        ("{{ x }}", "{{ x }}", true),
        ("{{ x }}", "{{ y }}", false),
    ] {
        assert_eq!(same_meaning(Postgres, left, right), same, "{left} {right}");
    }
    assert!(same_meaning(Mysql, "SELECT 1; # one", "select 1;"));
}

/// Whatever is thrown at it, it answers; and a text cut short is never milder than unknown where the cut is in a quote.
#[test]
fn every_text_gets_an_answer() {
    let pieces = [
        "CREATE TABLE t (",
        "'",
        "\"",
        "$$",
        "/*",
        "*/",
        ";",
        "\\",
        "é",
        "ALTER TABLE t",
        "DROP",
        "BEGIN",
        "END",
        "GO\n",
        "--",
        "\n",
        "(",
        ")",
        "`",
        "[",
        "{",
        "DO $$ BEGIN",
    ];
    let mut seed = 7_usize;
    for _ in 0..3000 {
        let mut text = String::new();
        for _ in 0..8 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[(seed >> 33) % pieces.len()]);
            text.push(' ');
        }
        for dialect in Dialect::ALL {
            let _ = judge(dialect, &text, &text);
        }
    }
}
