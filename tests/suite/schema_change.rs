//! `prodpin schema-change` with real repositories of `git` and with folders.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn here() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit status")
}

/// The program with nothing of this machine's environment but the way to `git`.
fn run(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prodpin"));
    command.args(arguments).current_dir(directory).env_clear().stdin(Stdio::null());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).output().expect("the program runs")
}

fn git(directory: &Path, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.args([
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@example.com",
        "-c",
        "commit.gpgsign=false",
        "-c",
        "init.defaultBranch=main",
    ]);
    let done = git.args(arguments).current_dir(directory).output().expect("git runs");
    assert!(done.status.success(), "git {arguments:?}: {}", text(&done.stderr));
}

fn write(directory: &Path, file: &str, content: &str) {
    let path = directory.join(file);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, content).expect("a file");
}

/// A commit of all that is there, with a tag on it.
fn release(directory: &Path, tag: &str) {
    git(directory, &["add", "-A"]);
    git(directory, &["commit", "-q", "--allow-empty", "-m", tag]);
    git(directory, &["tag", tag]);
}

const TABLE: &str = "CREATE TABLE customer (id bigserial PRIMARY KEY, name text NOT NULL, age int);\n";

/// Three releases: the table, a column more, a column less.
fn repository() -> tempfile::TempDir {
    let directory = here();
    let path = directory.path();
    git(path, &["init", "-q"]);
    write(path, "db/migrations/0001_customer.up.sql", TABLE);
    release(path, "v1");
    write(
        path,
        "db/migrations/0002_phone.up.sql",
        "-- a number to call\nALTER TABLE customer\n  ADD COLUMN phone text;\n",
    );
    write(path, "db/migrations/0002_phone.down.sql", "ALTER TABLE customer DROP COLUMN phone;\n");
    release(path, "v2");
    write(path, "db/migrations/0003_age.up.sql", "SELECT 1;\nALTER TABLE customer DROP COLUMN age;\n");
    release(path, "v3");
    directory
}

fn asked(directory: &Path, more: &[&str]) -> Output {
    let mut arguments = vec!["schema-change"];
    arguments.extend(more);
    run(directory, &arguments)
}

fn json(directory: &Path, more: &[&str]) -> Value {
    let output = asked(directory, &[more, &["--format", "json"]].concat());
    assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn commits_of_a_repository_are_compared() {
    let directory = repository();
    let path = directory.path();
    for (from, to, verdict) in
        [("v1", "v1", "none"), ("v1", "v2", "expand"), ("v2", "v3", "contract"), ("v1", "HEAD", "contract")]
    {
        assert_eq!(json(path, &["--from", from, "--to", to])["verdict"], verdict, "{from} {to}");
    }
    let document = json(path, &["--from", "v2"]);
    let finding = &document["series"][0]["findings"][0];
    assert_eq!((&finding["file"], &finding["line"]), (&"db/migrations/0003_age.up.sql".into(), &2.into()));
    assert_eq!(finding["statement"], "ALTER TABLE customer DROP COLUMN age");
    assert_eq!(document["series"][0]["dialect"], "postgres");
    assert_eq!(document["from"].as_str().map(str::len), Some(40), "the commit, whatever it was called by");
    // From a folder below, the whole repository is looked at.
    assert_eq!(json(&path.join("db"), &["--from", "v2"])["verdict"], "contract");
}

#[test]
fn what_is_not_committed_yet_is_a_folder() {
    let directory = repository();
    let path = directory.path();
    write(path, "db/migrations/0004_more.up.sql", "CREATE INDEX ON customer (name);\n");
    assert_eq!(json(path, &["--from", "HEAD", "--to", "."])["verdict"], "expand");
    write(path, "db/migrations/0001_customer.up.sql", "CREATE TABLE customer (id int);\n");
    assert_eq!(json(path, &["--from", "HEAD", "--to", "."])["verdict"], "unknown");
}

#[test]
fn a_folder_of_the_revisions_name_does_not_take_its_place() {
    let folder = repository();
    let before = json(folder.path(), &["--from", "v2"]);
    write(folder.path(), "HEAD/migrations/V1__nothing.sql", "CREATE TABLE nothing (id int);");
    assert_eq!(json(folder.path(), &["--from", "v2"])["verdict"], before["verdict"]);
    assert_ne!(before["verdict"], "none", "{before}");
}

#[test]
fn the_exit_status_follows_fail_on() {
    let directory = repository();
    let path = directory.path();
    for (from, fail_on, expected) in
        [("v2", "contract", 3), ("v2", "expand", 3), ("v1", "contract", 3), ("v3", "expand", 0), ("v3", "none", 3)]
    {
        let output = asked(path, &["--from", from, "--fail-on", fail_on]);
        assert_eq!(code(&output), expected, "{from} {fail_on}: {}", text(&output.stdout));
    }
    let milder = asked(path, &["--from", "v1", "--to", "v2", "--fail-on", "caution"]);
    assert_eq!(code(&milder), 0);
}

#[test]
fn what_cannot_be_answered_says_what_to_do() {
    let directory = repository();
    let path = directory.path();
    let empty = here();
    write(path, "plain/1_a.sql", "CREATE TABLE t (a int);");
    write(path, "later/1_a.sql", "CREATE TABLE t (a int);");
    write(path, "later/2_b.sql", "ALTER TABLE t ADD COLUMN b int;");
    let same = asked(path, &["--from", "plain", "--to", "plain"]);
    assert_eq!(code(&same), 0, "what did not change is read in no dialect: {}", text(&same.stderr));
    for (arguments, said) in [
        (vec!["--from", "v9"], "v9 is neither a folder nor a commit"),
        (vec!["--from=--output=x"], "neither a folder nor a commit"),
        (vec!["--from", "plain", "--to", "later"], "say --dialect"),
        (vec!["--from", "v1", "--dialect", "oracle"], "is no dialect"),
        (vec!["--from", "v1", "--fail-on", "high"], "is no verdict"),
    ] {
        let output = asked(path, &arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(text(&output.stderr).contains(said), "{arguments:?}: {}", text(&output.stderr));
    }
    let nothing = asked(empty.path(), &["--from", ".", "--to", "."]);
    assert_eq!(code(&nothing), 2);
    assert!(text(&nothing.stderr).contains("has migrations"), "{}", text(&nothing.stderr));
}

#[test]
fn every_format_is_what_its_readers_take() {
    let directory = repository();
    let path = directory.path();
    let shown = |format: &str| text(&asked(path, &["--from", "v1", "--format", format]).stdout);
    let sarif: Value = serde_json::from_str(&shown("sarif")).expect("JSON");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!((&result["ruleId"], &result["level"]), (&"schema-contract".into(), &"error".into()));
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "db/migrations/0003_age.up.sql");
    assert_eq!(place["region"]["startLine"], 2);
    let junit = shown("junit");
    assert!(junit.contains("tests=\"1\" failures=\"1\"") && junit.contains("0003_age.up.sql:2"), "{junit}");
    assert!(shown("markdown").starts_with("## Schema change: contract\n"));
    let table = shown("table");
    assert!(table.starts_with("contract: the previous release breaks on the new schema\n"), "{table}");
    assert!(table.contains("db/migrations/0002_phone.up.sql:2"), "{table}");
}

/// A file's words reach a terminal, a page and a scanner as words.
#[test]
fn hostile_statements_stay_text() {
    let directory = here();
    let path = directory.path();
    write(path, "a/postgres/1_a.sql", TABLE);
    write(path, "b/postgres/1_a.sql", TABLE);
    write(path, "b/postgres/2_b.sql", "ALTER TABLE customer DROP COLUMN \"\u{1b}[2J| <b> [x](y)\u{202e}\";\n");
    for format in ["table", "markdown", "junit"] {
        let output = asked(path, &["--from", "a", "--to", "b", "--format", format]);
        let shown = text(&output.stdout);
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{format}: {shown}");
        assert!(format != "markdown" || !shown.contains("<b>"), "{shown}");
    }
}

/// The published schema is the one of this program. `UPDATE_SCHEMAS=1` writes it anew.
#[test]
fn the_published_schema_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/schema-change.schema.json");
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(path, prodpin::schema_change::schema_text()).expect("a schema");
    }
    let published = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(published, prodpin::schema_change::schema_text(), "write it anew with UPDATE_SCHEMAS=1");
}

#[test]
fn json_follows_its_schema() {
    let directory = repository();
    let schema: Value = serde_json::from_str(&prodpin::schema_change::schema_text()).expect("a schema");
    let document = json(directory.path(), &["--from", "v1"]);
    crate::reports::check(&document, &schema, &schema, "schema-change").expect("a document of its schema");
}

/// A migration that is a link, or lies in a folder that is one, is read; one that leads out of the repository is unknown.
#[cfg(unix)]
#[test]
fn links_are_followed_and_those_that_lead_out_are_unknown() {
    use std::os::unix::fs::symlink;
    let drop = "ALTER TABLE customer DROP COLUMN age;\n";
    for (link, target, verdict) in [
        ("db/migrations/0004_x.up.sql", "../../odd/x.txt", "contract"),
        ("db/migrations/0004_x", "../../odd", "contract"),
        ("db/migrations/0004_x.up.sql", "/etc/hostname", "unknown"),
        ("db/migrations/0004_x.up.sql", "nowhere.sql", "unknown"),
    ] {
        let directory = repository();
        let path = directory.path();
        write(path, "odd/x.txt", drop);
        write(path, "odd/up.sql", drop);
        release(path, "v4");
        symlink(target, path.join(link)).expect("a link");
        assert_eq!(
            json(path, &["--from", "v4", "--to", ".", "--dialect", "postgres"])["verdict"],
            verdict,
            "{link} {target}"
        );
        release(path, "v5");
        let found = json(path, &["--from", "v4", "--to", "v5", "--dialect", "postgres"]);
        assert_eq!(found["verdict"], verdict, "{link} {target}");
    }
}

#[test]
fn the_answer_is_written_as_a_label_with_the_commit_it_begins_at() {
    let directory = repository();
    let path = directory.path();
    let document = json(path, &["--from", "v1", "--to", "v2"]);
    let from = document["from"].as_str().expect("a commit");
    let output = asked(path, &["--from", "v1", "--to", "v2", "--format", "label"]);
    assert_eq!((code(&output), text(&output.stdout)), (0, format!("prodpin.dev/schema-change=expand from={from}\n")));
    let output = asked(path, &["--from", "./db", "--to", "v2", "--format", "label"]);
    assert_eq!((code(&output), text(&output.stdout).as_str()), (2, ""));
    assert!(text(&output.stderr).contains("say --from COMMIT"), "{}", text(&output.stderr));
}
