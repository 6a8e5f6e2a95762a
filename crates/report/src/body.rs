//! The body of a report on disk: rows are added as repositories finish and read back in order, so that memory does
//! not grow with the estate (I20). What stays in memory is where each row lies.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::spool::{Extent, Spool};
use prodpin_core::model::{Code, Digest, Finding, RepositoryKey, RepositoryName, Severity, SourceName};
use prodpin_core::outcome::report::{Row, RunSection, Summary, total_finding_order};

/// The longest line that is read back. A row holds one repository, and memory is bounded by one repository.
const LONGEST_LINE: u64 = 256 << 20;

/// A finished report: header in memory, rows on disk.
pub struct Report {
    /// About the run.
    pub run: RunSection,
    /// In numbers.
    pub summary: Summary,
    /// The rows.
    pub body: Body,
}

impl Report {
    /// The report of a run that came to no end: it says so, and nothing else. What was committed before is in the
    /// ledger; the next run tells it.
    pub fn of_failure(run: RunSection, code: Code, reason: &str) -> io::Result<Self> {
        let finding = Finding {
            code,
            severity: if code == Code::LedgerHistoryMissing { Severity::Critical } else { Severity::High },
            source: None,
            repository: None,
            reference: None,
            artifact: None,
            previous: None,
            moved_by: None,
            first_seen: run.started,
            ledger_sequence: None,
            message: format!("the run failed: {reason}"),
            remedy: "mend what it names, and run again".to_owned(),
            waived: None,
        };
        let mut writer = BodyWriter::new()?;
        writer.push(Row { repository: None, findings: vec![finding] })?;
        let body = writer.finish()?;
        Ok(Self { run: RunSection { complete: false, ledger: None, ..run }, summary: body.summary(), body })
    }
}

/// Takes the rows of a report in any order.
pub struct BodyWriter {
    spool: Spool,
    index: Vec<RowExtent>,
    /// Where in the index each repository is: every one of 10,000 is looked for again.
    places: HashMap<RepositoryKey, usize>,
    loose: Vec<Finding>,
    summary: Summary,
}

/// What is done to a row whenever it is read back.
type Amendment = Box<dyn Fn(&mut Row) + Send + Sync>;

/// Where a repository's row lies.
struct RowExtent {
    source: SourceName,
    name: RepositoryName,
    extent: Extent,
    severities: Severities,
    amended: Option<Amendment>,
}

impl RowExtent {
    /// The row as it reads now.
    fn row(&self, line: &[u8]) -> io::Result<Row> {
        let mut row = serde_json::from_slice(line)?;
        self.amended.iter().for_each(|amend| amend(&mut row));
        Ok(row)
    }

    /// The same as the line that stands for it.
    fn line(&self, line: Vec<u8>) -> io::Result<Vec<u8>> {
        if self.amended.is_some() { line_of(&self.row(&line)?) } else { Ok(line) }
    }
}

/// Which severities a row's findings have, so that a pass over one severity reads only the rows it needs.
#[derive(Clone, Copy, Default)]
struct Severities(u8);

impl Severities {
    fn from_findings(findings: &[Finding]) -> Self {
        Self(findings.iter().fold(0, |bits, finding| bits | Self::bit(finding.severity)))
    }

    fn has(self, severity: Severity) -> bool {
        self.0 & Self::bit(severity) != 0
    }

    fn bit(severity: Severity) -> u8 {
        match severity {
            Severity::Info => 1,
            Severity::Low => 2,
            Severity::Medium => 4,
            Severity::High => 8,
            Severity::Critical => 16,
        }
    }
}

impl BodyWriter {
    /// An empty body. Rows stay in memory up to some MiB, then go to a temporary file that no name points at.
    pub fn new() -> io::Result<Self> {
        Ok(Self::on(Spool::new()))
    }

    pub(super) fn on(spool: Spool) -> Self {
        let (index, places, loose) = (Vec::new(), HashMap::new(), Vec::new());
        Self { spool, index, places, loose, summary: Summary::default() }
    }

    /// Adds a row. Findings about no repository are gathered from all such rows into one, which comes first; there is
    /// one of them for each fault of a source or policy entry, so they are few.
    pub fn push(&mut self, mut row: Row) -> io::Result<()> {
        row.judge();
        self.push_judged(row)
    }

    /// The same of a row whose service was put in a word by all that was found, which may be more than is in the row.
    pub(super) fn push_judged(&mut self, mut row: Row) -> io::Result<()> {
        row.findings.iter().for_each(|finding| self.summary.findings.count(finding));
        let Some(repository) = &row.repository else {
            self.loose.append(&mut row.findings);
            return Ok(());
        };
        self.summary.counts += repository.counts;
        repository.rollback.status.into_iter().for_each(|status| self.summary.services.add(status));
        let (source, name) = (repository.source.clone(), repository.name.clone());
        row.findings.sort_by(total_finding_order);
        let line = line_of(&row)?;
        if line.len() as u64 > LONGEST_LINE {
            return Err(io::Error::other(format!(
                "the report of {source}/{name} is longer than {} MiB: leave out some of its tags with patterns in the policy",
                LONGEST_LINE >> 20
            )));
        }
        let extent = self.spool.append(&line)?;
        self.places.insert(RepositoryKey { source: source.clone(), name: name.clone() }, self.index.len());
        let severities = Severities::from_findings(&row.findings);
        self.index.push(RowExtent { source, name, extent, severities, amended: None });
        Ok(())
    }

    /// The row of a repository as it was added and amended.
    pub fn row(&mut self, key: &RepositoryKey) -> io::Result<Option<Row>> {
        let Some(at) = self.places.get(key) else { return Ok(None) };
        let place = &self.index[*at];
        place.row(&self.spool.read(place.extent)?).map(Some)
    }

    /// Adds to what a repository's row tells of its targets, without writing the row a second time. What is counted of rows
    /// stays what it was.
    pub fn amend(&mut self, key: &RepositoryKey, amend: impl Fn(&mut Row) + Send + Sync + 'static) {
        if let Some(at) = self.places.get(key) {
            self.index[*at].amended = Some(Box::new(amend));
        }
    }

    /// Takes the row of a repository out, because another one is to stand in its place.
    pub fn take(&mut self, key: &RepositoryKey) -> io::Result<Option<Row>> {
        let row = self.row(key)?;
        if let (Some(at), Some(row)) = (self.places.remove(key), &row) {
            self.index.swap_remove(at);
            if let Some(RowExtent { source, name, .. }) = self.index.get(at) {
                // One that was added twice is found where it was found before.
                let (moved, from) = (RepositoryKey { source: source.clone(), name: name.clone() }, self.index.len());
                self.places.entry(moved).and_modify(|place| *place = if *place == from { at } else { *place });
            }
            row.findings.iter().for_each(|finding| self.summary.findings.uncount(finding));
            if let Some(repository) = &row.repository {
                self.summary.counts -= repository.counts;
                repository.rollback.status.into_iter().for_each(|status| self.summary.services.remove(status));
            }
        }
        Ok(row)
    }

    /// The repositories that have a row.
    #[must_use]
    pub fn repositories(&self) -> Vec<RepositoryKey> {
        let key = |place: &RowExtent| RepositoryKey { source: place.source.clone(), name: place.name.clone() };
        self.index.iter().map(key).collect()
    }

    /// Puts the rows in order. A repository that was added twice is shown twice: hiding one would hide a fault.
    pub fn finish(mut self) -> io::Result<Body> {
        self.loose.sort_by(total_finding_order);
        self.index.sort_by(|a, b| (&a.source, &a.name).cmp(&(&b.source, &b.name)));
        settle_twins(&mut self.index, &mut self.spool)?;
        Ok(Body { spool: Mutex::new(self.spool), index: self.index, loose: self.loose, summary: self.summary })
    }
}

/// Rows with the same name are ordered by what they say, so that the order they came in does not show.
fn settle_twins(index: &mut [RowExtent], spool: &mut Spool) -> io::Result<()> {
    for twins in index.chunk_by_mut(|a, b| a.source == b.source && a.name == b.name).filter(|twins| twins.len() > 1) {
        let lines = twins.iter_mut().map(|place| {
            let line = place.line(spool.read(place.extent)?)?;
            Ok((line, place.extent, place.severities, place.amended.take()))
        });
        let mut lines = lines.collect::<io::Result<Vec<_>>>()?;
        lines.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        for (place, (_, extent, severities, amended)) in twins.iter_mut().zip(lines) {
            (place.extent, place.severities, place.amended) = (extent, severities, amended);
        }
    }
    Ok(())
}

fn line_of(row: &Row) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(row)?;
    line.push(b'\n');
    Ok(line)
}

/// Rows in the order of source and repository name; findings about no repository first.
pub struct Body {
    spool: Mutex<Spool>,
    index: Vec<RowExtent>,
    loose: Vec<Finding>,
    summary: Summary,
}

impl Body {
    /// How many repositories it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// The repositories that it holds.
    #[must_use]
    pub fn repositories(&self) -> Vec<RepositoryKey> {
        let key = |place: &RowExtent| RepositoryKey { source: place.source.clone(), name: place.name.clone() };
        self.index.iter().map(key).collect()
    }

    /// Whether it holds nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty() && self.loose.is_empty()
    }

    /// Whether all repositories are of one source.
    pub(super) fn has_one_source(&self) -> bool {
        self.index.first().map(|place| &place.source) == self.index.last().map(|place| &place.source)
    }

    /// The rows in numbers: the sum of what every repository counts, and the findings by severity.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.summary
    }

    /// Reads every row in order, one at a time. May be called again, and by several at once.
    pub fn rows(&self) -> impl Iterator<Item = io::Result<Row>> + '_ {
        self.first().into_iter().map(Ok).chain(self.index.iter().map(|place| self.row(place)))
    }

    /// The findings of one severity, in the order of the rows.
    pub fn findings(&self, severity: Severity) -> impl Iterator<Item = io::Result<Finding>> + '_ {
        let loose = self.loose.iter().cloned().map(Ok);
        let rows = self.index.iter().filter(move |place| place.severities.has(severity));
        let of_rows = rows.flat_map(|place| match self.row(place) {
            Ok(row) => row.findings.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        });
        loose.chain(of_rows).filter(move |finding| finding.as_ref().map_or(true, |found| found.severity == severity))
    }

    /// Writes the rows as lines of JSON in order: what the ledger keeps under its hash. Equal rows, equal bytes.
    pub fn write_canonical(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(first) = self.first() {
            out.write_all(&line_of(&first)?)?;
        }
        self.index.iter().try_for_each(|place| out.write_all(&self.line(place)?))
    }

    /// The hash of those bytes, which is the name that the ledger keeps them under.
    pub fn digest(&self) -> io::Result<Digest> {
        let mut hash = Hash(Sha256::new());
        self.write_canonical(&mut hash)?;
        Ok(Digest::Sha256(hash.0.finalize().into()))
    }

    /// Reads what [`Body::write_canonical`] wrote.
    pub fn read_canonical(input: impl Read) -> io::Result<Self> {
        Self::read_lines(BufReader::new(input), LONGEST_LINE)
    }

    fn read_lines(mut input: impl BufRead, longest: u64) -> io::Result<Self> {
        let fault = |number: usize, what: &str| {
            io::Error::new(io::ErrorKind::InvalidData, format!("line {number} of the report's body {what}"))
        };
        let mut writer = BodyWriter::new()?;
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            input.by_ref().take(longest).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                break;
            }
            if line.last() != Some(&b'\n') {
                return Err(fault(number, "is cut short, or longer than any row may be"));
            }
            let row = serde_json::from_slice(&line).map_err(|error| fault(number, &format!("is no row: {error}")))?;
            writer.push(row)?;
        }
        writer.finish()
    }

    fn first(&self) -> Option<Row> {
        (!self.loose.is_empty()).then(|| Row { repository: None, findings: self.loose.clone() })
    }

    fn line(&self, place: &RowExtent) -> io::Result<Vec<u8>> {
        place.line(self.spooled(place)?)
    }

    fn spooled(&self, place: &RowExtent) -> io::Result<Vec<u8>> {
        // A reader that panicked left the file as it was: every read seeks first.
        self.spool.lock().unwrap_or_else(PoisonError::into_inner).read(place.extent)
    }

    fn row(&self, place: &RowExtent) -> io::Result<Row> {
        place.row(&self.spooled(place)?)
    }
}

struct Hash(Sha256);

impl Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
