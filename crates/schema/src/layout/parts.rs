//! The part of a file that goes up. What does not is blanked line by line, so that lines keep their numbers.
//!
//! A mark of another tool in a comment must not hide what stands behind it: marks count only where every file of the
//! series, on both sides, has those of one tool, and as that tool reads them.

use crate::dialect::Dialect;

/// A tool that keeps both ways in one file: the lines that begin the way up and the way down, in lower case, with one
/// blank between words. None: the file begins with the way up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) tool: &'static str,
    up: Option<&'static str>,
    down: &'static str,
}

const fn marks(tool: &'static str, up: Option<&'static str>, down: &'static str) -> Marks {
    Marks { tool, up, down }
}

/// Sources: each tool's documentation of its file format.
const TOOLS: [Marks; 11] = [
    marks("goose", Some("-- +goose up"), "-- +goose down"),
    marks("sql-migrate", Some("-- +migrate up"), "-- +migrate down"),
    marks("micrate", Some("-- +micrate up"), "-- +micrate down"),
    marks("dbmate", Some("-- migrate:up"), "-- migrate:down"),
    marks("rambler", Some("-- rambler up"), "-- rambler down"),
    marks("node-pg-migrate", Some("-- up migration"), "-- down migration"),
    marks("Play evolutions", Some("# --- !ups"), "# --- !downs"),
    marks("aerich", Some("-- upgrade --"), "-- downgrade --"),
    marks("node-sqlite", Some("-- up"), "-- down"),
    marks("tern", None, "---- create above / drop below ----"),
    marks("MyBatis Migrations", None, "-- //@undo"),
];

/// What a series of files says by its marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ways {
    /// No file has any.
    One,
    /// All have those of this tool.
    Both(Marks),
    /// Some have, or several tools': what they mean is not known.
    Mixed,
}

/// Looks at all files of a series. `may` says whether their names are those of a tool that knows marks.
pub(crate) fn ways<'t>(texts: impl Iterator<Item = &'t str> + Clone, may: bool) -> Ways {
    if !texts.clone().any(goes_back) {
        return Ways::One;
    }
    let filled = texts.filter(|text| !text.trim().is_empty());
    let fits = |known: &&Marks| may && filled.clone().all(|text| known.has_all(text));
    TOOLS.iter().find(fits).map_or(Ways::Mixed, |known| Ways::Both(*known))
}

/// Whether some comment begins a part that goes back.
fn goes_back(text: &str) -> bool {
    text.lines().any(|line| is_way_back(&plain(line)))
}

/// Whether the file says by a mark that it is a migration, whatever it is called.
pub(crate) fn is_marked(text: &str) -> bool {
    let ups = TOOLS.iter().filter_map(|known| known.up).filter(|up| up.contains([':', '+']));
    is_liquibase(text) || ups.into_iter().any(|up| text.lines().any(|line| begins(&plain(line), up)))
}

impl Marks {
    fn has_all(&self, text: &str) -> bool {
        let wanted = self.up.unwrap_or(self.down);
        text.lines().any(|line| begins(&plain(line), wanted))
    }

    /// The way up, and what makes it uncertain.
    fn up(&self, text: &str) -> (String, Option<&'static str>) {
        let mut kept = String::with_capacity(text.len());
        let (mut open, mut ups, mut downs, mut odd) = (self.up.is_none(), 0, 0, false);
        for line in text.split_inclusive('\n') {
            let plain = plain(line);
            if self.up.is_some_and(|up| begins(&plain, up)) {
                // Behind the way down no tool begins the way up again.
                (ups, open, odd) = (ups + 1, true, odd || downs > 0);
            } else if begins(&plain, self.down) {
                (downs, open) = (downs + 1, false);
            } else if open {
                odd |= is_way_back(&plain);
                kept.push_str(line);
                continue;
            } else if downs == 0 && !(plain.is_empty() || ["--", "#", "/*", "*"].iter().any(|it| plain.starts_with(it)))
            {
                odd = true;
            }
            // Each tool looks for its marks at the beginning of a line.
            odd |= line.starts_with([' ', '\t']) && is_way_back(&plain);
            kept.push('\n');
        }
        let odd = odd || ups > 1 || downs > 1;
        (kept, odd.then_some("its marks for the ways up and down stand where the tool does not expect them"))
    }
}

/// A line in lower case with one blank between words.
fn plain(line: &str) -> String {
    let spaced = match line.trim().strip_prefix("--") {
        Some(rest) if !rest.starts_with('-') => format!("-- {rest}"),
        _ => line.trim().to_owned(),
    };
    spaced.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether the line is the mark, with options behind it or none.
fn begins(plain: &str, mark: &str) -> bool {
    plain.strip_prefix(mark).is_some_and(|rest| rest.is_empty() || (rest.starts_with(' ') && mark.contains([':', '+'])))
}

/// Whether a comment looks like the head of a part that goes back: the mark of a tool that is known, or of one that is not.
fn is_way_back(plain: &str) -> bool {
    const DOWN: &[&str] = &["down", "downs", "undo", "downgrade"];
    const WITH: &[&str] =
        &["migrate", "migration", "migrations", "section", "script", "step", "begin", "start", "sql", "the"];
    if TOOLS.iter().any(|known| begins(plain, known.down)) {
        return true;
    }
    let Some(rest) = plain.strip_prefix("--").or_else(|| plain.strip_prefix('#')) else { return false };
    let words = || rest.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words().any(|word| DOWN.contains(&word)) && words().all(|word| DOWN.contains(&word) || WITH.contains(&word))
}

/// The text that is run on the way up, and what makes that uncertain.
pub(crate) fn up(text: &str, dialect: Dialect, ways: Ways) -> (String, Option<&'static str>) {
    match ways {
        Ways::Both(known) => return known.up(text),
        Ways::Mixed if goes_back(text) => {
            let why = "it has marks of a way back that other files of the series do not have: what is run is not known";
            return (text.to_owned(), Some(why));
        }
        Ways::Mixed | Ways::One => {}
    }
    if is_liquibase(text) {
        return (liquibase(text), None);
    }
    if text.contains("--> statement-breakpoint") && dialect.is_mysql() {
        // MySQL takes two dashes without a blank for two minus signs.
        return (text.replace("--> statement-breakpoint", ";"), None);
    }
    (text.to_owned(), None)
}

/// Whether the file is one of Liquibase's, which knows a change set by its file's path, too.
pub(crate) fn is_liquibase(text: &str) -> bool {
    let first = text.trim_start_matches('\u{feff}').trim_start().lines().next().unwrap_or_default();
    plain(first).starts_with("-- liquibase formatted sql")
}

/// Rollbacks stand in comments, one of them over several lines. A delimiter of its own is not followed: a template mark
/// makes the file not understood.
fn liquibase(text: &str) -> String {
    let odd = text.lines().any(|line| {
        let plain = plain(line);
        plain.starts_with("-- changeset") && (plain.contains("enddelimiter") || plain.contains("dbms:"))
            || plain.starts_with("-- preconditions")
            || plain.starts_with("-- ignorelines")
    });
    if odd { format!("{text}\n{{}};\n") } else { text.to_owned() }
}
