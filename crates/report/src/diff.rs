//! What changed between two runs: findings that are new, still open, resolved; and those that the later run could not
//! settle, because it did not look, or could not see everything there. Unknown is never resolved.
//!
//! Both bodies are in the order of their repositories, so they are walked side by side, one repository at a time (I20).

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::iter::Peekable;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::body::Report;
use super::overview::Names;
use super::phrase::Phrase;
use super::render::Format;
use super::{escape, json as text, words};
use prodpin_core::model::{Finding, FindingKey, RepositoryName, SourceName};
use prodpin_core::outcome::report::{LedgerSection, Row, RunSection, total_finding_order};

/// What became of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// The earlier run did not have it.
    New,
    /// The later run looked, and it is no more.
    Resolved,
    /// The earlier run had it, and the later one could not tell.
    Unsettled,
    /// Both have it.
    Open,
    /// It happened before the earlier run, and the later one has nothing to add: a tag's move is not taken back by time.
    Past,
}

impl Change {
    const ALL: [Self; 5] = [Self::New, Self::Resolved, Self::Unsettled, Self::Open, Self::Past];

    fn title(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Resolved => "resolved",
            Self::Unsettled => "not settled",
            Self::Open => "still open",
            Self::Past => "past",
        }
    }
}

/// A finding with its life.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    /// What became of it.
    pub change: Change,
    /// The last of the two runs that had it.
    pub last_seen: Timestamp,
    /// When the later run found it gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Timestamp>,
    /// The finding, as the last run had it that did.
    pub finding: Finding,
}

/// Two runs, side by side.
pub struct Diff<'a> {
    since: &'a Report,
    now: &'a Report,
}

impl<'a> Diff<'a> {
    /// What changed from the one to the other.
    #[must_use]
    pub fn new(since: &'a Report, now: &'a Report) -> Self {
        Self { since, now }
    }

    /// The formats that a diff can be written in.
    pub const FORMATS: [Format; 3] = [Format::Table, Format::Json, Format::Markdown];

    /// Every finding of either run, repository by repository.
    pub fn changes(&self) -> impl Iterator<Item = io::Result<Changed>> + '_ {
        let mut before = self.since.body.rows().peekable();
        let mut after = self.now.body.rows().peekable();
        let mut waiting = Vec::new().into_iter();
        std::iter::from_fn(move || {
            loop {
                if let Some(changed) = waiting.next() {
                    return Some(Ok(changed));
                }
                match self.next_rows(&mut before, &mut after) {
                    Ok(Some(changes)) => waiting = changes.into_iter(),
                    Ok(None) => return None,
                    Err(error) => return Some(Err(error)),
                }
            }
        })
    }

    fn next_rows(
        &self,
        before: &mut Peekable<impl Iterator<Item = io::Result<Row>>>,
        after: &mut Peekable<impl Iterator<Item = io::Result<Row>>>,
    ) -> io::Result<Option<Vec<Changed>>> {
        let next = match (peek(before)?, peek(after)?) {
            (None, None) => return Ok(None),
            (Some(key), None) | (None, Some(key)) => key,
            (Some(one), Some(other)) => one.min(other),
        };
        let (old, _) = take(before, &next)?;
        let (new, settled) = take(after, &next)?;
        let settled = match &next {
            // About sources and the policy: only a run about everything, which saw everything, settles them.
            None => self.now.run.complete && self.now.run.scope.is_whole(),
            Some(_) => settled,
        };
        Ok(Some(self.compare(old, new, settled)))
    }

    fn compare(&self, old: Vec<Finding>, new: Vec<Finding>, settled: bool) -> Vec<Changed> {
        let (then, now) = (self.since.run.finished, self.now.run.finished);
        let mut old: BTreeMap<FindingKey, Finding> =
            old.into_iter().map(|finding| (FindingKey::from_finding(&finding), finding)).collect();
        let mut changes: Vec<Changed> = new
            .into_iter()
            .map(|finding| {
                let change =
                    if old.remove(&FindingKey::from_finding(&finding)).is_some() { Change::Open } else { Change::New };
                Changed { change, last_seen: now, resolved: None, finding }
            })
            .collect();
        changes.extend(old.into_values().map(|finding| {
            let (change, resolved) = match (settled, finding.code.is_event()) {
                (false, _) => (Change::Unsettled, None),
                (true, true) => (Change::Past, None),
                (true, false) => (Change::Resolved, Some(now)),
            };
            Changed { change, last_seen: then, resolved, finding }
        }));
        changes.sort_by(|a, b| a.change.cmp(&b.change).then_with(|| total_finding_order(&a.finding, &b.finding)));
        changes
    }

    /// Writes it in one of [`Diff::FORMATS`].
    pub fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        let mut out = io::BufWriter::new(out);
        match format {
            Format::Json => self.json(&mut out)?,
            Format::Markdown => self.page(&Markdown, &mut out)?,
            _ => self.page(&Plain, &mut out)?,
        }
        out.flush()
    }

    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"{\n\"since\":")?;
        text::value(&self.since.run, out)?;
        out.write_all(b",\n\"run\":")?;
        text::value(&self.now.run, out)?;
        let mut counts: BTreeMap<Change, u64> = BTreeMap::new();
        for changed in self.changes() {
            *counts.entry(changed?.change).or_default() += 1;
        }
        let counts =
            Change::ALL.map(|change| (change.title().replace(' ', "_"), json!(counts.get(&change).unwrap_or(&0))));
        out.write_all(b",\n\"counts\":")?;
        text::value(&serde_json::Map::from_iter(counts), out)?;
        out.write_all(b",\n\"changes\":")?;
        text::list(self.changes(), out)?;
        out.write_all(b"\n}\n")
    }

    /// The first of each kind, and how many there are: a page has an end.
    fn page(&self, look: &dyn DiffFormat, out: &mut dyn Write) -> io::Result<()> {
        let mut found: BTreeMap<Change, (u64, Vec<Finding>)> = BTreeMap::new();
        for changed in self.changes() {
            let Changed { change, finding, .. } = changed?;
            let (count, shown) = found.entry(change).or_default();
            *count += 1;
            shown.push(finding);
            if shown.len() > 4 * SHOWN {
                keep_worst(shown);
            }
        }
        let counts = Change::ALL.map(|change| {
            Phrase::default().number(found.get(&change).map_or(0, |(count, _)| *count)).say(" ").say(change.title())
        });
        if let Some((what, why)) = self.now.run.ledger.as_ref().and_then(LedgerSection::doubt) {
            writeln!(out, "{what} {}\n", look.phrase(&Phrase::sentence(why)))?;
        }
        look.title(
            &format!("since {}, {}", run_title(&self.since.run), look.phrase(&Phrase::joined(counts, ", "))),
            out,
        )?;
        if !self.now.run.complete {
            writeln!(
                out,
                "The later run, {}, is incomplete: what it did not see is not settled.\n",
                run_title(&self.now.run)
            )?;
        }
        for (change, (count, mut shown)) in found {
            keep_worst(&mut shown);
            look.heading(change.title(), out)?;
            for finding in &shown {
                look.item(finding, &self.now.run, out)?;
            }
            if count > shown.len() as u64 {
                let rest =
                    Phrase::said("… and ").number(count - shown.len() as u64).say(" more; all of them: --format json");
                writeln!(out, "{}", look.phrase(&rest))?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

/// Findings of one kind on a page.
const SHOWN: usize = 25;

fn keep_worst(shown: &mut Vec<Finding>) {
    shown.sort_by(total_finding_order);
    shown.truncate(SHOWN);
}

fn run_title(run: &RunSection) -> String {
    format!("{} of {} ({})", words::mode(run.mode), words::moment(run.started), escape::terminal(run.id.as_str()))
}

/// Of which repository the next row is; the rows about none come first.
type Key = Option<(SourceName, RepositoryName)>;

fn key(row: &Row) -> Key {
    row.repository.as_ref().map(|repository| (repository.source.clone(), repository.name.clone()))
}

fn peek(rows: &mut Peekable<impl Iterator<Item = io::Result<Row>>>) -> io::Result<Option<Key>> {
    match rows.peek() {
        None => Ok(None),
        Some(Ok(row)) => Ok(Some(key(row))),
        Some(Err(_)) => {
            rows.next().unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into())).map(|row| Some(key(&row)))
        }
    }
}

/// The findings of every row with this key, and whether there is one that saw everything.
fn take(rows: &mut Peekable<impl Iterator<Item = io::Result<Row>>>, wanted: &Key) -> io::Result<(Vec<Finding>, bool)> {
    let (mut findings, mut looked, mut complete) = (Vec::new(), false, true);
    while peek(rows)?.as_ref() == Some(wanted) {
        let Some(row) = rows.next() else { break };
        let row = row?;
        looked = true;
        complete &= row.repository.as_ref().is_some_and(|repository| repository.complete);
        findings.extend(row.findings);
    }
    Ok((findings, looked && complete))
}

/// How a page is written.
trait DiffFormat {
    fn phrase(&self, phrase: &Phrase) -> String;
    /// The page's first line. It names a run, whose id is written as it is given elsewhere.
    fn title(&self, text: &str, out: &mut dyn Write) -> io::Result<()>;
    fn heading(&self, text: &str, out: &mut dyn Write) -> io::Result<()>;
    fn item(&self, finding: &Finding, run: &RunSection, out: &mut dyn Write) -> io::Result<()>;
}

/// For a terminal.
struct Plain;

/// For a pull request or a chat.
struct Markdown;

fn item(finding: &Finding) -> Phrase {
    let about = Names::WITH_SOURCE.subject(finding.source.as_ref(), finding.repository.as_ref());
    let waived = if finding.waived.is_some() { " (waived)" } else { "" };
    Phrase::said(words::severity(finding.severity))
        .say(" ")
        .say(finding.code.as_str())
        .say(waived)
        .say(" ")
        .then(about)
        .say(": ")
        .then(Phrase::sentence(&finding.message))
}

impl DiffFormat for Plain {
    fn phrase(&self, phrase: &Phrase) -> String {
        phrase.terminal()
    }

    fn title(&self, text: &str, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{text}")
    }

    fn heading(&self, text: &str, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", text.to_uppercase())
    }

    fn item(&self, finding: &Finding, run: &RunSection, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "  {} · {}", item(finding).terminal(), words::evidence(finding, run))
    }
}

impl DiffFormat for Markdown {
    fn phrase(&self, phrase: &Phrase) -> String {
        phrase.markdown()
    }

    fn title(&self, text: &str, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "### {text}\n")
    }

    fn heading(&self, text: &str, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "### {text}\n")
    }

    fn item(&self, finding: &Finding, run: &RunSection, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "- {} ({})", item(finding).markdown(), words::evidence(finding, run))
    }
}
