//! Migrations that were written to be taken for something milder, and those brothers of theirs that came to mind. Each says
//! how mild the answer may be at most.

use prodpin_schema::Dialect::{self, Mariadb, Mssql, Mysql, Postgres, Sqlite};
use prodpin_schema::Verdict::{Contract, Data, Unknown};
use prodpin_schema::{Source, Verdict, classify};

/// Dialect, earlier file, change, and the mildest answer that is sound.
type Row<'a> = (Dialect, &'a str, &'a str, Verdict);

fn check(rows: &[Row<'_>]) {
    let mut wrong = Vec::new();
    for (dialect, base, change, mildest) in rows {
        let report =
            classify(*dialect, &[Source { file: "1.sql", text: base }], &[Source { file: "2.sql", text: change }]);
        // Unknown promises nothing, so that it is never too mild.
        if report.verdict < *mildest && report.verdict != Unknown {
            wrong.push(format!("{dialect}: {change}\n  answered {}: {:?}", report.verdict, report.findings));
        }
    }
    assert!(wrong.is_empty(), "{} milder than the truth\n{}", wrong.len(), wrong.join("\n"));
}

const T: &str = "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(10) NOT NULL);";
const F: &str = "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(10) NOT NULL); \
    CREATE FUNCTION f() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT drop_all()'; \
    CREATE FUNCTION lower(t) RETURNS int LANGUAGE sql AS 'SELECT drop_all()'; \
    CREATE VIEW v AS SELECT f() AS x;";

#[test]
fn names_that_are_words_of_blocks_hide_nothing() {
    check(&[
        (
            Sqlite,
            T,
            "CREATE TRIGGER x AFTER INSERT ON n WHEN (SELECT begin FROM n) BEGIN SELECT 1; END; DROP TABLE t; END;",
            Contract,
        ),
        (
            Sqlite,
            T,
            "CREATE TRIGGER x AFTER INSERT ON n BEGIN SELECT begin FROM n; END; DROP TABLE t; SELECT 1; END;",
            Contract,
        ),
        (
            Sqlite,
            T,
            "CREATE TRIGGER x AFTER UPDATE OF begin ON n BEGIN SELECT 1; END; DROP TABLE t; SELECT 1; END;",
            Contract,
        ),
        (
            Sqlite,
            T,
            "CREATE TRIGGER x AFTER INSERT ON n BEGIN SELECT CASE WHEN begin THEN begin END; END; DROP TABLE t; END;",
            Contract,
        ),
        (Sqlite, T, "CREATE TRIGGER begin AFTER INSERT ON n BEGIN SELECT 1; END; DROP TABLE t; END;", Contract),
        (Sqlite, T, "CREATE TABLE event (begin int, a int); DROP TABLE t; COMMIT; END;", Contract),
        (Mysql, T, "CREATE PROCEDURE p(IN begin int) SELECT 1; DROP TABLE t; END;", Contract),
        (
            Mysql,
            T,
            "CREATE TRIGGER x BEFORE INSERT ON n FOR EACH ROW UPDATE u begin SET begin.a=1; DROP TABLE t; END;",
            Contract,
        ),
        (
            Mysql,
            T,
            "CREATE TRIGGER x BEFORE INSERT ON n FOR EACH ROW FOLLOWS begin SET NEW.a=1; DROP TABLE t; END;",
            Contract,
        ),
        (Mysql, T, "CREATE PROCEDURE p() BEGIN UPDATE u begin SET a=1; END; DROP TABLE t; END;", Contract),
        (Mysql, T, "CREATE PROCEDURE p() BEGIN REPEAT SET @a=1; UNTIL 1 END REPEAT; END; DROP TABLE t;", Contract),
        (Mysql, T, "CREATE PROCEDURE p() BEGIN CASE 1 WHEN 1 THEN SELECT 1; END CASE; END; DROP TABLE t;", Contract),
        (
            Postgres,
            T,
            "CREATE FUNCTION g(begin atomic) RETURNS int LANGUAGE sql RETURN 1; DROP TABLE t; END;",
            Contract,
        ),
        (Mssql, T, "IF 1 = 1\nBEGIN\n BEGIN TRAN\n PRINT 'x'\n COMMIT\nEND\nDROP TABLE t\nGO", Contract),
    ]);
}

#[test]
fn calls_run_wherever_they_stand() {
    check(&[
        (Postgres, F, "SELECT lower(t) FROM t;", Contract),
        (Postgres, F, "SELECT t.f FROM t;", Contract),
        (Postgres, F, "SELECT * FROM v;", Contract),
        (Postgres, F, "INSERT INTO t VALUES (f(), 1, 'x');", Contract),
        (Postgres, F, "INSERT INTO t (id, b) SELECT x, 'y' FROM v;", Contract),
        (Postgres, T, "INSERT INTO t VALUES (public.count(1), 1, 'x');", Contract),
        (Postgres, T, "INSERT INTO t VALUES (query_to_xml('DROP TABLE t', true, true, ''), 1, 'x');", Contract),
        (Postgres, F, "CREATE TABLE n AS SELECT f() AS x;", Contract),
        (Postgres, T, "CREATE TABLE n AS SELECT whatever() AS x;", Contract),
        (Postgres, F, "SELECT f() INTO n;", Contract),
        (Postgres, F, "CREATE MATERIALIZED VIEW m AS SELECT f();", Contract),
        (Postgres, F, "ALTER TABLE t ADD COLUMN c int DEFAULT f();", Contract),
        (Postgres, T, "ALTER TABLE t ADD COLUMN c int DEFAULT whatever();", Contract),
        (Postgres, T, "ALTER TABLE t ADD COLUMN c int; UPDATE t SET c = whatever();", Contract),
        (Postgres, F, "ALTER TABLE t ADD COLUMN c int; UPDATE t SET c = f();", Contract),
        (Postgres, F, "CREATE TABLE n (a int DEFAULT f()); INSERT INTO n DEFAULT VALUES;", Contract),
        (Postgres, T, "CREATE TABLE n (a int DEFAULT whatever()); INSERT INTO n DEFAULT VALUES;", Contract),
        (Postgres, T, "CREATE TABLE n (a int CHECK (whatever(a))); INSERT INTO n VALUES (1);", Contract),
        (Postgres, T, "DO $$ BEGIN IF whatever() THEN CREATE TABLE n (a int); END IF; END $$;", Contract),
        (Postgres, F, "DO $$ BEGIN IF NOT EXISTS (SELECT f()) THEN CREATE TABLE n (a int); END IF; END $$;", Contract),
        (Postgres, T, "DO $$ BEGIN RAISE NOTICE '%', whatever(); CREATE TABLE n (a int); END $$;", Contract),
        (Postgres, T, "DO $$ BEGIN CREATE TABLE n AS SELECT whatever() AS x; END $$;", Contract),
        (Postgres, T, "EXPLAIN (ANALYSE) DELETE FROM t;", Data),
        (Mariadb, T, "ANALYZE DELETE FROM t;", Data),
        (Mariadb, T, "DESCRIBE ANALYZE FORMAT=JSON DELETE FROM t;", Data),
        (Mysql, T, "SET @x = whatever();", Contract),
        (Mysql, T, "INSERT INTO t VALUES (shop.lower('x'), 1, 'x');", Contract),
        (Postgres, F, "REFRESH MATERIALIZED VIEW v;", Contract),
        (Postgres, F, "WITH x AS (SELECT f()) INSERT INTO t SELECT * FROM x;", Contract),
        (Postgres, F, "COPY (SELECT lower(t) FROM t) TO STDOUT;", Contract),
        (Postgres, F, "DELETE FROM t WHERE false AND f() = 1;", Contract),
    ]);
}

#[test]
fn writes_set_off_triggers_and_rules() {
    let fired = "CREATE TABLE t (id int, a int); CREATE TABLE n (a int); \
        CREATE TRIGGER x AFTER INSERT ON n FOR EACH ROW EXECUTE FUNCTION g();";
    check(&[
        (Postgres, fired, "INSERT INTO n VALUES (1);", Contract),
        (
            Postgres,
            T,
            "CREATE TABLE n (a int); CREATE TRIGGER x AFTER INSERT ON n EXECUTE FUNCTION g(); INSERT INTO n VALUES (1);",
            Contract,
        ),
        (
            Postgres,
            T,
            "CREATE TEMP TABLE n (a int); CREATE TRIGGER x AFTER INSERT ON n EXECUTE FUNCTION g(); INSERT INTO n VALUES (1);",
            Contract,
        ),
        (
            Sqlite,
            T,
            "CREATE TABLE n (a int); CREATE TEMP TRIGGER x AFTER INSERT ON n BEGIN DELETE FROM t; END; INSERT INTO n VALUES (1);",
            Data,
        ),
        (
            Postgres,
            T,
            "CREATE TABLE n (a int); CREATE RULE r AS ON INSERT TO n DO ALSO DELETE FROM t; INSERT INTO n VALUES (1);",
            Data,
        ),
        (
            Postgres,
            T,
            "CREATE VIEW w AS SELECT 1 AS a; CREATE RULE r AS ON INSERT TO w DO INSTEAD DELETE FROM t; INSERT INTO w VALUES (1);",
            Data,
        ),
        (Postgres, T, "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION g();", Contract),
        (
            Postgres,
            "CREATE TABLE t (id int); CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION g();",
            "CREATE TABLE n (a int);",
            Contract,
        ),
        (
            Postgres,
            T,
            "CREATE TABLE n (a int PRIMARY KEY); INSERT INTO n VALUES (1); ALTER TABLE t ADD COLUMN x int REFERENCES n ON DELETE CASCADE; UPDATE t SET x = 1; DELETE FROM n;",
            Data,
        ),
        (
            Sqlite,
            T,
            "CREATE TABLE n (a int); CREATE TRIGGER x AFTER INSERT ON n BEGIN DELETE FROM t; END; INSERT INTO n VALUES (1);",
            Data,
        ),
    ]);
}

#[test]
fn transactions_that_may_end_otherwise() {
    check(&[
        (Postgres, T, "BEGIN; DROP TABLE t; PREPARE TRANSACTION 'x'; ROLLBACK;", Contract),
        (Postgres, T, "BEGIN; DROP TABLE t; COMMIT AND CHAIN; ROLLBACK;", Contract),
        (Postgres, T, "ALTER TABLE t RENAME TO u; BEGIN; ALTER TABLE u RENAME TO t; BEGIN; ROLLBACK;", Contract),
        (Postgres, T, "ALTER TABLE t RENAME TO u; COMMIT; ALTER TABLE u RENAME TO t; ROLLBACK;", Contract),
        (Postgres, T, "ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME TO t; BEGIN; ROLLBACK;", Verdict::None),
        (Postgres, T, "BEGIN; SAVEPOINT s; DROP TABLE t; RELEASE SAVEPOINT s; ROLLBACK TO s; COMMIT;", Contract),
        (Postgres, T, "SAVEPOINT s; DROP TABLE t; ROLLBACK TO s;", Contract),
        (Postgres, T, "DO $$ BEGIN IF false THEN ROLLBACK; END IF; CREATE TABLE n (a int); END $$;", Verdict::None),
        (
            Postgres,
            T,
            "BEGIN; DELETE FROM t; DO $$ BEGIN IF false THEN ROLLBACK; END IF; CREATE TABLE n (a int); END $$; COMMIT;",
            Data,
        ),
        (Postgres, T, "ALTER TABLE t RENAME TO u; COMMIT; BEGIN; ALTER TABLE u RENAME TO t;", Contract),
        (Sqlite, T, "SAVEPOINT a; DROP TABLE t; RELEASE a; ROLLBACK;", Contract),
        (Sqlite, T, "BEGIN; BEGIN; DROP TABLE t; ROLLBACK;", Contract),
        (Mssql, T, "BEGIN TRAN; DROP TABLE t; SAVE TRAN s; CREATE TABLE n (a int); ROLLBACK TRAN s; COMMIT;", Contract),
        (Mssql, T, "BEGIN TRAN; BEGIN TRAN; DROP TABLE t; COMMIT; ROLLBACK;", Contract),
        (Mysql, T, "START TRANSACTION; DELETE FROM t; SET autocommit = 1; ROLLBACK;", Data),
        (Mysql, T, "START TRANSACTION; DELETE FROM t; LOCK TABLES t WRITE; ROLLBACK;", Data),
        (Mysql, T, "START TRANSACTION; DELETE FROM t; CALL p(); ROLLBACK;", Data),
        (Mysql, T, "START TRANSACTION; DELETE FROM t; START TRANSACTION; ROLLBACK;", Data),
        (Mysql, "CREATE TABLE t (id int) ENGINE=MyISAM;", "START TRANSACTION; DELETE FROM t; ROLLBACK;", Data),
        (
            Mysql,
            T,
            "CREATE TRIGGER x BEFORE INSERT ON n FOR EACH ROW IF NEW.a THEN SET NEW.a = 1; END IF; START TRANSACTION; DELETE FROM t; END WHILE; ROLLBACK;",
            Data,
        ),
    ]);
}

#[test]
fn temporary_tables_hide_others_only_while_they_are_there() {
    check(&[
        (Postgres, T, "CREATE TEMP TABLE t (a int) ON COMMIT DROP; DROP TABLE t;", Contract),
        (Postgres, T, "BEGIN; CREATE TEMP TABLE t (a int) ON COMMIT DROP; COMMIT; DROP TABLE t;", Contract),
        (Postgres, T, "CREATE TEMP TABLE t (a int); DISCARD ALL; DROP TABLE t;", Contract),
        (Postgres, "CREATE TABLE temp.t (id int);", "DROP TABLE temp.t;", Contract),
        (Mysql, T, "DELETE FROM temp.t;", Data),
        (Postgres, T, "BEGIN; SET LOCAL search_path = pg_temp; COMMIT; DELETE FROM elsewhere;", Data),
        (
            Postgres,
            T,
            "BEGIN; SET LOCAL search_path = archive; COMMIT; CREATE TABLE t (a int); DROP TABLE t;",
            Contract,
        ),
        (
            Postgres,
            "CREATE TABLE users_old.t (id int); CREATE TABLE t (id int);",
            "SET search_path = users_old; DROP TABLE t;",
            Contract,
        ),
    ]);
}

#[test]
fn words_of_one_dialect_that_only_some_servers_take() {
    check(&[
        (Mysql, T, "ALTER TABLE t RENAME TO u; /*!99999 ALTER TABLE u RENAME TO t */;", Contract),
        (Mysql, T, "/*!80030 DROP TABLE t */;", Contract),
        (Mysql, T, "ALTER TABLE t RENAME TO u; /*M! ALTER TABLE u RENAME TO t */;", Contract),
        (Mariadb, T, "ALTER TABLE t RENAME TO u; /*M!110800 ALTER TABLE u RENAME TO t */;", Contract),
        (Mariadb, T, "/*M!100100 DROP TABLE t */;", Contract),
        (Mysql, T, "SELECT a#'\n; DROP TABLE t; SELECT '1';", Contract),
        (Mysql, T, "DELIMITER //\nSELECT 1; DROP TABLE t//\n", Contract),
        (Mysql, T, "SET sql_mode = 'NO_BACKSLASH_ESCAPES'; SELECT '\\'; DROP TABLE t; -- ';", Contract),
        (Postgres, T, "SET standard_conforming_strings = off; SELECT '\\'' ; DROP TABLE t; SELECT '';", Contract),
        (Mysql, T, "SET a = 1, GLOBAL max_connections = 1;", Contract),
        (Mysql, T, "SET @@persist.max_connections = 1;", Contract),
        (Mariadb, T, "CREATE OR REPLACE USER app IDENTIFIED BY 'x';", Contract),
        (Mariadb, T, "CREATE OR REPLACE DATABASE shop;", Contract),
        (Mariadb, "CREATE TABLE t (a int, UNIQUE KEY u (a));", "CREATE OR REPLACE INDEX u ON t (a);", Contract),
        (Mariadb, "CREATE TABLE t (a int); CREATE SEQUENCE s;", "CREATE OR REPLACE SEQUENCE s;", Contract),
        (Mysql, T, "RENAME TABLE t TO archive.t;", Contract),
        (Mysql, T, "RENAME TABLE shop.t TO archive.t;", Contract),
        (Mysql, T, "ALTER TABLE t RENAME TO archive.t;", Contract),
        (
            Sqlite,
            T,
            "ALTER TABLE t ADD COLUMN c int; CREATE UNIQUE INDEX u ON t (c); UPDATE OR REPLACE t SET c = 1;",
            Data,
        ),
        (
            Sqlite,
            "CREATE TABLE p (id INTEGER PRIMARY KEY, a TEXT UNIQUE);",
            "PRAGMA foreign_keys=OFF; CREATE TABLE n (id INTEGER PRIMARY KEY, a TEXT UNIQUE ON CONFLICT REPLACE); INSERT INTO n SELECT * FROM p; DROP TABLE p; ALTER TABLE n RENAME TO p;",
            Contract,
        ),
    ]);
}

#[test]
fn sql_server_needs_no_marks_between_statements() {
    check(&[
        (Mssql, T, "PRINT 'x' DROP TABLE t", Contract),
        (Mssql, T, "SET NOCOUNT ON DROP TABLE t", Contract),
        (Mssql, T, "SELECT 1 DROP TABLE t", Contract),
        (Mssql, T, "INSERT INTO t (id, b) VALUES (1, 'x') DROP TABLE t", Contract),
        (Mssql, T, "GRANT SELECT ON t TO app DROP TABLE t", Contract),
        (Mssql, T, "BEGIN TRAN DROP TABLE t COMMIT", Contract),
        (Mssql, T, "COMMIT DROP TABLE t", Contract),
        (Mssql, T, "EXEC sp_addextendedproperty 'a', 'b' DROP TABLE t", Contract),
        (Mssql, T, "IF 1 = 1 BEGIN PRINT 'x' DROP TABLE t END", Contract),
        (Mssql, T, "IF 1 = 1 BEGIN PRINT 'x' END ELSE BEGIN DROP TABLE t END", Contract),
        (Mssql, T, "USE shop DROP TABLE t", Contract),
        (Mssql, T, "PRINT 'x'\n:r drop.sql\n", Contract),
        (Mssql, T, "PRINT 'x'\nGO -- next\nDROP TABLE t\nGO", Contract),
        (Mssql, T, "ALTER TABLE t\n  DROP COLUMN a", Contract),
        (Mssql, T, "MERGE t USING n ON 1=1 WHEN MATCHED THEN UPDATE SET a = 1; DROP TABLE t", Contract),
        (Mssql, T, "WITH x AS (SELECT 1 AS a) SELECT * FROM x DROP TABLE t", Contract),
    ]);
}

#[test]
fn the_databases_own_tables_are_not_ordinary_ones() {
    check(&[
        (Postgres, T, "INSERT INTO pg_catalog.pg_rewrite VALUES (1);", Contract),
        (Postgres, T, "DELETE FROM pg_class;", Contract),
        (Mysql, T, "INSERT INTO mysql.user VALUES (1);", Contract),
        (Mysql, T, "REPLACE INTO mysql.tables_priv VALUES (1);", Contract),
        (Sqlite, T, "INSERT INTO sqlite_master VALUES (1);", Contract),
        (Sqlite, T, "DELETE FROM sqlite_sequence;", Contract),
        (Mssql, T, "DELETE FROM msdb.dbo.sysjobs", Data),
    ]);
}

#[test]
fn what_the_earlier_files_do_not_show_is_not_made_here() {
    let hidden = "CREATE TABLE t (id int); CALL more_tables();";
    let maybe = "CREATE TABLE t (id int, a int); DO $$ BEGIN IF EXISTS (SELECT 1) THEN ALTER TABLE t DROP COLUMN a; END IF; END $$;";
    check(&[
        (Postgres, hidden, "CREATE TABLE IF NOT EXISTS u (id int, a int); ALTER TABLE u DROP COLUMN a;", Contract),
        (Postgres, hidden, "CREATE TABLE IF NOT EXISTS u (id int, a int); DELETE FROM u;", Data),
        (Postgres, hidden, "ALTER TABLE t ADD COLUMN IF NOT EXISTS c int; ALTER TABLE t DROP COLUMN c;", Contract),
        (Postgres, hidden, "CREATE INDEX IF NOT EXISTS i ON t (id); DROP INDEX i;", Unknown),
        (Postgres, maybe, "ALTER TABLE t DROP COLUMN IF EXISTS a;", Contract),
        (Postgres, "CREATE TABLE app.t (id int);", "DROP SCHEMA IF EXISTS app CASCADE;", Contract),
        (Postgres, T, "DROP SCHEMA IF EXISTS public CASCADE;", Contract),
        (Postgres, T, "DROP EXTENSION IF EXISTS pgcrypto CASCADE;", Contract),
        (Postgres, T, "CREATE FUNCTION lower(varchar) RETURNS text LANGUAGE sql AS 'SELECT 1';", Contract),
    ]);
}

#[test]
fn a_cast_that_computes_is_no_plain_cast() {
    let base = "CREATE TABLE t (a varchar(10), d numeric(5,2));";
    check(&[
        (Postgres, base, "ALTER TABLE t ALTER a TYPE varchar(20) USING a::varchar(3);", Data),
        (Postgres, base, "ALTER TABLE t ALTER a TYPE text USING a::text || 'x';", Data),
        (Postgres, base, "ALTER TABLE t ALTER d TYPE numeric(9,2) USING d::numeric * 100;", Data),
        (Postgres, base, "ALTER TABLE t ALTER a TYPE text USING CAST(d AS text);", Data),
        (Postgres, base, "ALTER TABLE t ALTER a TYPE text USING whatever(a);", Data),
    ]);
}

/// Thousands of savepoints, each of which would hold a whole catalogue.
#[test]
fn many_savepoints_take_no_more_memory_than_a_few() {
    let tables: String =
        (0..500).map(|at| format!("CREATE TABLE t{at} (id int PRIMARY KEY, a int, b int, c int);\n")).collect();
    let points: String = (0..20_000).map(|at| format!("SAVEPOINT s{at};\n")).collect();
    let change = format!("BEGIN; {points} ROLLBACK;");
    check(&[(Postgres, &tables, &change, Unknown)]);
}
