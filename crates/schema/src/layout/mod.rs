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

pub use names::may_be_migration;
use names::{Named, Step};

/// A file of a revision.
#[derive(Debug, Clone)]
pub struct File {
    /// Its path from the top, with `/` between folders.
    pub path: String,
    /// Its text.
    pub text: String,
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
        let texts = || new.steps.iter().chain(&old.steps).map(|(_, file)| file.text.as_str());
        let only_code = new.steps.iter().chain(&old.steps).all(|(named, _)| named.step == Step::Code);
        let all = from.iter().chain(to);
        let of_folder = || dialects::of_folder(folder, all, texts());
        // Where no statement is judged, none has to be read.
        let any = (only_code || is_same(old, new)).then_some(Dialect::Postgres);
        let found = dialect.or_else(of_folder).or(any);
        let Some(found) = found else { return Err(Unreadable::NoDialect(folder.clone())) };
        judged.push(judge(folder, found, old, new));
    }
    Ok(judged)
}

fn is_same(old: &Series<'_>, new: &Series<'_>) -> bool {
    let texts = |series: &Series<'_>| series.steps.iter().map(|(_, file)| file.text.clone()).collect::<Vec<_>>();
    texts(old) == texts(new)
}

fn series(files: &[File]) -> BTreeMap<String, Series<'_>> {
    let mut found: BTreeMap<String, Series<'_>> = BTreeMap::new();
    for file in files {
        if let Some(named) = names::read(&file.path, &file.text) {
            found.entry(named.folder.clone()).or_default().steps.push((named, file));
        }
    }
    // Code without a single numbered step is no series: a module that happens to be called like one.
    found.retain(|_, series| series.steps.len() > 1 || series.steps.iter().any(|(named, _)| named.step != Step::Code));
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

fn judge(folder: &str, dialect: Dialect, old: &Series<'_>, new: &Series<'_>) -> Judged {
    let ups = |series: &Series<'_>| -> Vec<(Named, String, String)> {
        let up = |(named, file): &(Named, &File)| (named.clone(), file.path.clone(), parts::up(&file.text, dialect));
        series.steps.iter().map(up).collect()
    };
    let (old, new) = (ups(old), ups(new));
    let mut known: BTreeMap<&str, &(Named, String, String)> = old.iter().map(|it| (it.0.name.as_str(), it)).collect();
    let mut change = Vec::new();
    let mut findings = Vec::new();
    for it in &new {
        let (named, path, text) = it;
        match known.remove(named.name.as_str()) {
            Some((_, _, was)) if was == text || same_meaning(dialect, was, text) => {}
            Some(_) if named.step == Step::Repeatable => change.push(it),
            Some((_, _, was)) => findings.push(edited(path, was, text)),
            None => change.push(it),
        }
    }
    // Renamed files are known by what they hold.
    let mut missing: Vec<&(Named, String, String)> = known.into_values().collect();
    change.retain(|(_, _, text)| {
        let at = missing.iter().position(|(_, _, was)| was == text && !text.trim().is_empty());
        at.is_none_or(|at| {
            missing.remove(at);
            false
        })
    });
    findings.extend(missing.iter().map(|(named, path, _)| removed(&named.name, path)));
    let changed = change.len() + findings.len();
    findings.extend(change.iter().filter(|(named, ..)| named.step == Step::Code).map(|(_, path, _)| code(path)));
    let earlier: Vec<Source<'_>> = sources(old.iter(), CODE);
    let added: Vec<Source<'_>> = sources(change.iter().copied(), "");
    findings.extend(classify(dialect, &earlier, &added).findings);
    Judged { folder: folder.to_owned(), dialect, report: Report::new(findings), earlier: old.len(), changed }
}

/// The SQL among the steps. `code` stands for a step in code.
fn sources<'s>(steps: impl Iterator<Item = &'s (Named, String, String)>, code: &'static str) -> Vec<Source<'s>> {
    let text = |step: Step, text: &'s str| if step == Step::Code { code } else { text };
    steps.map(|(named, path, up)| Source { file: path, text: text(named.step, up) }).collect()
}

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

fn code(path: &str) -> Finding {
    whole_file(path, Verdict::Unknown, 1, "a migration written in code: render it as SQL to have it judged")
}
