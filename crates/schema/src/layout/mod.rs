//! Finding the migrations among the files of a revision, whichever tool wrote them.
//!
//! Only parts that go up count. A file is known by its name and content, not by its folder: folders move between
//! releases.

mod dialects;
mod names;
mod parts;

use std::collections::{BTreeMap, BTreeSet};

use crate::dialect::Dialect;
use crate::report::{Finding, Report};
use crate::session::{Source, classify, same_meaning};
use crate::verdict::Verdict;

use names::{Named, Step};
pub use names::{may_be_migration, may_hold_migrations};

/// A file of a revision.
#[derive(Debug, Clone)]
pub struct File {
    /// Its path from the top, with `/` between folders.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Why the text is not all that it holds, or cannot be had.
    pub doubt: Option<&'static str>,
}

/// A folder of migrations that are run one after the other.
#[derive(Debug, Default)]
struct Series<'f> {
    /// In the order in which they are run.
    steps: Vec<(Named, &'f File)>,
}

/// What a comparison of two revisions says about one series of migrations.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The folder, as the newer revision has it.
    pub folder: String,
    /// The dialect that its files were read in.
    pub dialect: Dialect,
    /// The answer.
    pub report: Report,
    /// How many migrations were there before, and how many are new or changed.
    pub earlier: usize,
    /// How many are new or changed.
    pub changed: usize,
}

/// An earlier step in code may have made anything: read as a template, which no dialect knows.
const CODE: &str = "{}";

/// Why two revisions cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// No migrations in either.
    NoMigrations,
    /// The dialect cannot be told for this folder.
    NoDialect(String),
}

/// Compares the migrations of two revisions, series by series.
///
/// # Errors
///
/// Where there are no migrations at all, or where the dialect of a folder cannot be told and none was given.
pub fn compare(from: &[File], to: &[File], dialect: Option<Dialect>) -> Result<Vec<Judged>, Unreadable> {
    let before = series(from);
    let after = series(to);
    if before.is_empty() && after.is_empty() {
        return Err(Unreadable::NoMigrations);
    }
    let moved = moves(&before, &after);
    let mut judged = Vec::new();
    let folders: BTreeSet<&String> =
        after.keys().chain(before.keys().filter(|old| !moved.values().any(|from| from == *old))).collect();
    let empty = Series::default();
    for folder in folders {
        let old = before.get(moved.get(folder).unwrap_or(folder)).unwrap_or(&empty);
        let new = after.get(folder).unwrap_or(&empty);
        let found = dialect.or_else(|| told(folder, from, to, old, new));
        let Some(found) = found else { return Err(Unreadable::NoDialect(folder.clone())) };
        judged.push(judge(folder, found, old, new, moved.contains_key(folder)));
    }
    Ok(judged)
}

/// The dialect of a folder. What the older revision says counts first: a new file must not make the others be read otherwise.
fn told(folder: &str, from: &[File], to: &[File], old: &Series<'_>, new: &Series<'_>) -> Option<Dialect> {
    let only_code = new.steps.iter().chain(&old.steps).all(|(named, _)| named.step == Step::Code);
    let of = |series: &Series<'_>| {
        let texts = series.steps.iter().map(|(_, file)| file.text.as_str());
        dialects::of_folder(folder, from.iter().chain(to), texts)
    };
    // Where no statement is judged, none has to be read.
    let any = (only_code || is_same(old, new)).then_some(Dialect::Postgres);
    of(old).or_else(|| of(new)).or(any)
}

/// Whether nothing changed that a tool would run: the names, the texts, and that all of them could be read.
fn is_same(old: &Series<'_>, new: &Series<'_>) -> bool {
    let read = |series: &Series<'_>| {
        let one = |(named, file): &(Named, &File)| (named.name.clone(), file.text.clone(), file.doubt);
        series.steps.iter().map(one).collect::<Vec<_>>()
    };
    let (old, new) = (read(old), read(new));
    old == new && new.iter().all(|(.., doubt)| doubt.is_none())
}

fn series(files: &[File]) -> BTreeMap<String, Series<'_>> {
    let mut found: BTreeMap<String, Series<'_>> = BTreeMap::new();
    let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut others = Vec::new();
    for file in files {
        match names::read(&file.path, &file.text, &paths) {
            Some(named) => found.entry(named.folder.clone()).or_default().steps.push((named, file)),
            None => others.push(file),
        }
    }
    // Code without a single numbered step is no series: a module that happens to be called like one.
    found.retain(|_, series| series.steps.len() > 1 || series.steps.iter().any(|(named, _)| named.step != Step::Code));
    for file in others {
        if let Some(named) = names::beside(&file.path, &paths)
            && let Some(series) = found.get_mut(&named.folder)
        {
            series.steps.push((named, file));
        }
    }
    for series in found.values_mut() {
        series.steps.sort_by(|left, right| (&left.0.order, &left.0.name).cmp(&(&right.0.order, &right.0.name)));
    }
    found
}

/// Folders of the newer revision that are folders of the older one under another name: most of their files are there.
fn moves(before: &BTreeMap<String, Series<'_>>, after: &BTreeMap<String, Series<'_>>) -> BTreeMap<String, String> {
    let mut moved = BTreeMap::new();
    for (folder, new) in after.iter().filter(|(folder, _)| !before.contains_key(*folder)) {
        let names: BTreeSet<&str> = new.steps.iter().map(|(named, _)| named.name.as_str()).collect();
        let gone = before.iter().filter(|(old, _)| !after.contains_key(*old));
        let best = gone
            .map(|(old, series)| {
                (
                    series.steps.iter().filter(|(named, _)| names.contains(named.name.as_str())).count(),
                    series.steps.len(),
                    old,
                )
            })
            .max();
        if let Some((shared, all, old)) = best
            && shared * 2 > all
        {
            moved.insert(folder.clone(), old.clone());
        }
    }
    moved
}

/// A step, the path of its file, what of it goes up, and what makes that uncertain.
struct Up<'f> {
    named: &'f Named,
    path: &'f str,
    text: String,
    doubt: Option<&'static str>,
}

fn ups<'f>(series: &'f Series<'_>, dialect: Dialect, ways: parts::Ways) -> Vec<Up<'f>> {
    let up = |(named, file): &'f (Named, &File)| {
        let (text, doubt) =
            if named.step == Step::Code { (file.text.clone(), None) } else { parts::up(&file.text, dialect, ways) };
        Up { named, path: &file.path, text, doubt: file.doubt.or(doubt) }
    };
    series.steps.iter().map(up).collect()
}

fn judge(folder: &str, dialect: Dialect, old: &Series<'_>, new: &Series<'_>, moved: bool) -> Judged {
    let steps = || old.steps.iter().chain(&new.steps).filter(|(named, _)| named.step != Step::Code);
    let may = steps().all(|(named, _)| named.may_have_marks);
    let ways = parts::ways(steps().map(|(_, file)| file.text.as_str()), may);
    let (old, new) = (ups(old, dialect, ways), ups(new, dialect, ways));
    let mut known: BTreeMap<&str, &Up<'_>> = old.iter().map(|it| (it.named.name.as_str(), it)).collect();
    let mut change = Vec::new();
    let mut findings = Vec::new();
    for it in &new {
        match known.remove(it.named.name.as_str()) {
            Some(was) if was.text == it.text || same_meaning(dialect, &was.text, &it.text) => {
                // What cannot be read may have changed unseen.
                findings
                    .extend(it.doubt.filter(|_| it.text != was.text || it.text.is_empty()).map(|why| unread(it, why)));
            }
            Some(_) if matches!(it.named.step, Step::Repeatable | Step::Always) => change.push(it),
            Some(was) => findings.push(edited(it.path, &was.text, &it.text)),
            None => change.push(it),
        }
    }
    let mut missing: Vec<&Up<'_>> = known.into_values().collect();
    change.retain(|it| {
        let at = missing.iter().position(|was| is_renamed(was, it));
        at.is_none_or(|at| {
            missing.remove(at);
            false
        })
    });
    missing.retain(|was| was.named.step != Step::Beside);
    findings.extend(missing.iter().map(|was| removed(&was.named.name, was.path)));
    if moved && new.iter().any(|it| parts::is_liquibase(&it.text)) {
        findings.push(whole_file(folder, Verdict::Unknown, 1, MOVED));
    }
    let changed = change.len() + findings.len();
    findings.extend(change.iter().filter_map(|it| Some(unread(it, doubt_of(it)?))));
    if !change.is_empty() {
        // They run again with every migration.
        let again = new.iter().filter(|it| it.named.step == Step::Always);
        change.extend(again.filter(|it| !change.iter().any(|known| known.path == it.path)).collect::<Vec<_>>());
        change
            .sort_by(|left, right| (&left.named.order, &left.named.name).cmp(&(&right.named.order, &right.named.name)));
    }
    let earlier: Vec<Source<'_>> = sources(old.iter(), CODE);
    let added: Vec<Source<'_>> = sources(change.iter().copied(), "");
    findings.extend(classify(dialect, &earlier, &added).findings);
    Judged { folder: folder.to_owned(), dialect, report: Report::new(findings), earlier: old.len(), changed }
}

/// Whether a step is an earlier one under another name, by its number and what it holds. Under another number it is run
/// again, and so is Prisma's under any other name.
fn is_renamed(was: &Up<'_>, is: &Up<'_>) -> bool {
    let prisma = is.path.ends_with("/migration.sql");
    let numbered = !is.named.order.1.is_empty() && was.named.order == is.named.order;
    let by_content = is.named.step == Step::Code && is.named.order.1.is_empty();
    was.named.step == is.named.step
        && !prisma
        && (numbered || by_content)
        && was.text == is.text
        && !is.text.trim().is_empty()
}

/// Why a step that is new or changed cannot be judged by its text.
fn doubt_of(it: &Up<'_>) -> Option<&'static str> {
    it.doubt.or(match it.named.step {
        Step::Code => Some("a migration written in code: render it as SQL to have it judged"),
        Step::Beside => Some("it stands among migrations, and whether it is run is not known by its name"),
        _ => None,
    })
}

/// The SQL among the steps. `code` stands for a step that is not read.
fn sources<'s>(steps: impl Iterator<Item = &'s Up<'s>>, code: &'static str) -> Vec<Source<'s>> {
    let text = |it: &'s Up<'s>| if doubt_of(it).is_some() { code } else { it.text.as_str() };
    steps.map(|it| Source { file: it.path, text: text(it) }).collect()
}

fn unread(it: &Up<'_>, why: &str) -> Finding {
    whole_file(it.path, Verdict::Unknown, 1, why)
}

/// Liquibase knows a change set by its file's path, too.
const MOVED: &str = "the folder has moved, and Liquibase runs what stands at another path again";

fn whole_file(path: &str, verdict: Verdict, line: u32, why: &str) -> Finding {
    Finding {
        verdict,
        file: path.to_owned(),
        line,
        statement: String::new(),
        object: String::new(),
        why: why.to_owned(),
    }
}

/// An earlier migration reads otherwise: databases that have run it will not run it again.
fn edited(path: &str, was: &str, is: &str) -> Finding {
    let line = was.lines().zip(is.lines()).take_while(|(was, is)| was == is).count() + 1;
    let why = "an earlier migration was changed in meaning, and which databases have run which text is not known";
    whole_file(path, Verdict::Unknown, u32::try_from(line).unwrap_or(1), why)
}

fn removed(name: &str, path: &str) -> Finding {
    whole_file(
        path,
        Verdict::Unknown,
        1,
        &format!("the earlier migration {name} is gone: squashed, or never to be run"),
    )
}
