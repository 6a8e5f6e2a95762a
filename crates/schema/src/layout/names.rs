//! What a path says: which tool's migration it is, and when it is run.

/// What kind of step a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Run once.
    Once,
    /// Run again whenever its content changes.
    Repeatable,
    /// Written in a programming language.
    Code,
}

/// A migration by its path.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    /// The folder of its series.
    pub(crate) folder: String,
    /// Its name in the series.
    pub(crate) name: String,
    /// Its place in the series: repeatable ones last, then by number.
    pub(crate) order: (bool, Vec<Number>),
    pub(crate) step: Step,
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

/// Languages that migrations are written in beside SQL.
const CODE: &[&str] =
    &["go", "ts", "js", "mjs", "cjs", "rb", "py", "php", "java", "kt", "cs", "ex", "exs", "xml", "yaml", "yml", "json"];

/// Files that stand beside migrations and are none.
const BESIDE: &[&str] =
    &["__init__.py", "atlas.sum", "migration_lock.toml", "seed.sql", "seeds.sql", "schema.sql", "_journal.json"];

/// Whether the file is worth reading at all, by its path.
#[must_use]
pub fn may_be_migration(path: &str) -> bool {
    let extension = path.rsplit('.').next().unwrap_or_default();
    let hints = ["migration_lock.toml", "_journal.json", "drizzle.config.ts", "sqlc.yaml", "database.yml"];
    extension == "sql" || hints.iter().any(|hint| path.ends_with(hint)) || (is_code(path) && in_migrations(path))
}

fn is_code(path: &str) -> bool {
    let extension = path.rsplit('.').next().unwrap_or_default();
    CODE.contains(&extension)
}

/// Whether a folder on the way is called after migrations.
fn in_migrations(path: &str) -> bool {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders.split('/').any(|folder| {
        let folder = folder.to_lowercase();
        ["migration", "migrate", "alembic", "changelog"].iter().any(|word| folder.contains(word))
    })
}

/// Reads a path. None: no migration, or a part that goes down.
pub(crate) fn read(path: &str, text: &str) -> Option<Named> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    if BESIDE.contains(&file)
        || folder
            .split('/')
            .any(|part| matches!(part, "meta" | "node_modules" | "vendor" | "test" | "tests" | "testdata"))
    {
        return None;
    }
    if is_code(file) {
        return code(folder, file, path);
    }
    let stem = file.strip_suffix(".sql")?;
    if matches!(stem, "up" | "down" | "migration") {
        return in_own_folder(folder, stem);
    }
    if is_down(stem) {
        return None;
    }
    if let Some(rest) = stem.strip_prefix("R__").or_else(|| stem.strip_prefix("r__")) {
        return Some(named(folder, rest, Vec::new(), Step::Repeatable));
    }
    let numbered = numbers(stem.trim_start_matches(['V', 'v']));
    let marked = text.contains("-- +goose")
        || text.contains("-- migrate:up")
        || text.trim_start().starts_with("--liquibase formatted sql");
    let flyway = stem.starts_with(['V', 'v']) && stem.contains("__");
    if numbered.is_empty() && !marked {
        return None;
    }
    let plain = stem.starts_with(|first: char| first.is_ascii_digit());
    if !plain && !flyway && !marked {
        return None;
    }
    let name = stem.strip_suffix(".up").unwrap_or(stem);
    Some(named(folder, name, numbered, Step::Once))
}

fn named(folder: &str, name: &str, numbers: Vec<Number>, step: Step) -> Named {
    Named { folder: folder.to_owned(), name: name.to_owned(), order: (step == Step::Repeatable, numbers), step }
}

/// Undo files: golang-migrate's and sqlx's `.down`, Flyway's `U1__`.
fn is_down(stem: &str) -> bool {
    let undo =
        stem.starts_with('U') && stem.contains("__") && stem[1..].starts_with(|first: char| first.is_ascii_digit());
    // Not `_down`: `V2__scale_down.sql` goes up.
    stem.ends_with(".down") || stem.ends_with(".undo") || stem.ends_with(".rollback") || undo
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
    let data = file.ends_with(".json") || file.ends_with(".yaml") || file.ends_with(".yml") || file.ends_with(".xml");
    let revision = folder.ends_with("versions") && file.ends_with(".py");
    let changelog = data && folder.to_lowercase().contains("changelog");
    if !in_migrations(path)
        || stem.ends_with("_test")
        || stem.ends_with(".test")
        || stem.ends_with(".spec")
        || stem.ends_with(".d")
    {
        return None;
    }
    (revision || changelog || (!numbered.is_empty() && !data)).then(|| named(folder, stem, numbered, Step::Code))
}
