//! What a path says: which tool's migration it is, and when it is run.

use std::collections::BTreeSet;

use crate::layout::parts;

/// What kind of step a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Run once.
    Once,
    /// Run again whenever its content changes.
    Repeatable,
    /// Run at every migration: Flyway's callbacks.
    Always,
    /// Written in a programming language.
    Code,
    /// SQL beside migrations, of which no tool's rules say whether it is run.
    Beside,
}

/// A migration by its path.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    /// The folder of its series.
    pub(crate) folder: String,
    /// Its name in the series.
    pub(crate) name: String,
    /// Its place in the series: by kind, then by number.
    pub(crate) order: (u8, Vec<Number>),
    pub(crate) step: Step,
    /// Whether a tool that knows marks for both ways in one file would take this name.
    pub(crate) may_have_marks: bool,
}

/// A number of whatever length, as its digits without leading zeros: shorter is less.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(usize, String);

impl Number {
    fn new(digits: &str) -> Self {
        let digits = digits.trim_start_matches('0');
        Self(digits.len(), digits.to_owned())
    }
}

/// Languages that migrations are written in beside SQL, and forms of SQL that another program fills in first.
const CODE: &[&str] = &[
    "go", "ts", "js", "mjs", "cjs", "mts", "cts", "rb", "py", "php", "java", "kt", "kts", "cs", "fs", "vb", "ex",
    "exs", "rs", "scala", "groovy", "clj", "edn", "lua", "pl", "sh", "ps1", "xml", "yaml", "yml", "json", "hcl",
    "tmpl", "tpl", "j2", "jinja", "erb", "gotmpl", "gz", "zip",
];

/// Endings of files that hold SQL.
const SQL: &[&str] = &["sql", "psql", "pgsql", "mysql", "tsql", "ddl", "sqlite"];

/// Whether the file is worth reading at all, by its path.
#[must_use]
pub fn may_be_migration(path: &str) -> bool {
    let hints = ["migration_lock.toml", "_journal.json", "drizzle.config.ts", "sqlc.yaml", "database.yml"];
    is_sql(path) || hints.iter().any(|hint| path.ends_with(hint)) || (is_code(path) && in_migrations(path))
}

fn extension(path: &str) -> String {
    path.rsplit('.').next().unwrap_or_default().to_lowercase()
}

/// Whether it holds SQL, by its ending in whatever case.
pub(crate) fn is_sql(path: &str) -> bool {
    path.contains('.') && SQL.contains(&extension(path).as_str())
}

fn is_code(path: &str) -> bool {
    // `V1__x.sql.tmpl` is SQL only once it is filled in.
    path.contains('.') && CODE.contains(&extension(path).as_str())
}

/// Whether a folder of this name would hold migrations, of whatever is not read.
#[must_use]
pub fn may_hold_migrations(folder: &str) -> bool {
    let last = folder.rsplit('/').next().unwrap_or_default().to_lowercase();
    let words = ["db", "sql", "schema", "database", "flyway", "liquibase", "versions", "deploy"];
    in_migrations(&format!("{folder}/x"))
        || words.iter().any(|word| last.split(['-', '_', '.']).any(|part| part == *word))
}

/// Whether a folder on the way is called after migrations.
fn in_migrations(path: &str) -> bool {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders.split('/').any(|folder| {
        let folder = folder.to_lowercase();
        ["migration", "migrate", "alembic", "changelog"].iter().any(|word| folder.contains(word))
    })
}

/// Flyway's names for what is run before and after.
/// Source: <https://documentation.red-gate.com/fd/callback-events-277579082.html>.
const CALLBACKS: &[&str] = &[
    "beforemigrate",
    "beforerepeatables",
    "beforeeachmigrate",
    "beforeeachmigratestatement",
    "aftereachmigratestatement",
    "aftereachmigratestatementerror",
    "aftereachmigrate",
    "aftereachmigrateerror",
    "aftermigrate",
    "aftermigrateapplied",
    "aftermigrateerror",
    "afterversioned",
    "beforevalidate",
    "aftervalidate",
    "beforebaseline",
    "afterbaseline",
    "beforerepair",
    "afterrepair",
    "beforeinfo",
    "afterinfo",
    "beforedeploy",
    "afterdeploy",
    "beforeconnect",
    "afterconnect",
    "beforecreateschema",
    "createschema",
    "aftercreateschema",
];

/// Reads a path. None: no migration, or a part that goes down. `paths` are all of its revision.
pub(crate) fn read(path: &str, text: &str, paths: &BTreeSet<&str>) -> Option<Named> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    if !is_sql(file) {
        return code(folder, file, path);
    }
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    if matches!(stem, "up" | "down" | "migration") {
        return in_own_folder(folder, stem);
    }
    if is_down(folder, stem, paths) {
        return None;
    }
    let lower = stem.to_lowercase();
    let event = lower.split("__").next().unwrap_or_default();
    if CALLBACKS.contains(&event) {
        let before = event.starts_with("before") || event == "createschema";
        return Some(named(folder, &lower, Vec::new(), Step::Always).at(if before { 0 } else { 3 }));
    }
    if let Some(rest) = stem.strip_prefix("R__").or_else(|| stem.strip_prefix("r__")) {
        return Some(named(folder, rest, Vec::new(), Step::Repeatable).at(2));
    }
    let numbered = numbers(stem.trim_start_matches(['V', 'v']));
    let plain = stem.starts_with(|first: char| first.is_ascii_digit());
    let flyway = !plain && stem.starts_with(['V', 'v']) && stem.contains("__") && !numbered.is_empty();
    if !plain && !flyway && !parts::is_marked(text) {
        return None;
    }
    let name = stem.strip_suffix(".up").unwrap_or(stem);
    let mut found = named(folder, name, numbered, Step::Once);
    found.may_have_marks = !flyway && name == stem;
    Some(found)
}

/// SQL that stands among the migrations of a folder under a name of no tool's.
pub(crate) fn beside(path: &str, paths: &BTreeSet<&str>) -> Option<Named> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    (is_sql(file) && !is_down(folder, stem, paths)).then(|| named(folder, file, Vec::new(), Step::Beside))
}

fn named(folder: &str, name: &str, numbers: Vec<Number>, step: Step) -> Named {
    let (folder, name) = (folder.to_owned(), name.to_owned());
    Named { folder, name, order: (1, numbers), step, may_have_marks: false }
}

impl Named {
    /// The same, at another place among the kinds.
    fn at(mut self, place: u8) -> Self {
        self.order.0 = place;
        self
    }
}

/// Undo files: golang-migrate's and sqlx's `.down`, Postgrator's `1.undo.x`, yoyo's `.rollback`, db-migrate's `-down`, and
/// Flyway's `U1__`. Only beside the file that they undo: to another tool such a name goes up.
fn is_down(folder: &str, stem: &str, paths: &BTreeSet<&str>) -> bool {
    let beside = |name: &str| {
        let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        paths.contains(format!("{start}{name}.sql").as_str())
    };
    let here = || {
        paths.iter().filter_map(|path| {
            let (near, file) = path.rsplit_once('/').unwrap_or(("", path));
            (near == folder).then_some(file)
        })
    };
    let digit = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    if stem.starts_with('U') && stem.contains("__") && digit(&stem[1..]) {
        return here().any(|file| file.starts_with(['V', 'v']) && file.contains("__"));
    }
    if !digit(stem) {
        return false;
    }
    if let Some(base) = stem.strip_suffix(".down") {
        return beside(base) || here().any(|file| file.ends_with(".up.sql"));
    }
    if let Some(base) = stem.strip_suffix(".undo").or_else(|| stem.strip_suffix(".rollback")) {
        return ["", ".do", ".up"].iter().any(|end| beside(&format!("{base}{end}")));
    }
    for (down, up) in [("-down", "-up"), ("_down", "_up")] {
        if let Some(base) = stem.strip_suffix(down) {
            return beside(&format!("{base}{up}"));
        }
    }
    let mut parts = stem.splitn(3, '.');
    let (number, action) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    action == "undo" && here().any(|file| file.strip_prefix(number).is_some_and(|rest| rest.starts_with(".do.")))
}

/// Diesel's `stamp_name/up.sql` and Prisma's `stamp_name/migration.sql`.
fn in_own_folder(folder: &str, stem: &str) -> Option<Named> {
    let (series, own) = folder.rsplit_once('/').unwrap_or(("", folder));
    // Diesel knows a stamp with `-` in it as the same without.
    let numbers = numbers(&own.replace('-', ""));
    (stem != "down" && !numbers.is_empty()).then(|| named(series, own, numbers, Step::Once))
}

/// The numbers that a name begins with: `1.2__x`, `0001-x`, `20240101120000_x`.
fn numbers(stem: &str) -> Vec<Number> {
    let mut found = Vec::new();
    let mut rest = stem;
    loop {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return found;
        }
        found.push(Number::new(&rest[..digits]));
        rest = &rest[digits..];
        // `__` ends a version of Flyway, and a letter a number.
        let more =
            rest.strip_prefix(['.', '_', '-']).filter(|more| more.starts_with(|first: char| first.is_ascii_digit()));
        match more {
            Some(more) => rest = more,
            None => return found,
        }
    }
}

/// Code in a folder of migrations: numbered, or anything of Alembic.
fn code(folder: &str, file: &str, path: &str) -> Option<Named> {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let numbered = numbers(stem.trim_start_matches(['V', 'v', 'm', 'M']));
    let extension = extension(file);
    let data = ["json", "yaml", "yml", "xml", "edn", "hcl"].contains(&extension.as_str());
    let revision = folder.ends_with("versions") && extension == "py";
    let changelog = data && folder.to_lowercase().contains("changelog");
    // Go builds tests into no program, and declarations of TypeScript hold no code.
    let inert = (stem.ends_with("_test") && extension == "go") || (stem.ends_with(".d") && extension == "ts");
    if !is_code(file) || !in_migrations(path) || inert || file == "_journal.json" || file == "__init__.py" {
        return None;
    }
    // drizzle keeps its snapshots in a folder of that name.
    let snapshot = data && folder.ends_with("meta");
    let is_numbered = !numbered.is_empty() && !snapshot;
    (revision || changelog || is_numbered).then(|| named(folder, stem, numbered, Step::Code))
}
