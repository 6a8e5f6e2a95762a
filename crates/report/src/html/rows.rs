//! The rows as inert JSON in blocks that the page's script reads one after the other.
//!
//! A row is an array: names of fields, ten thousand times over, would be most of the file. Text that repeats (remedies,
//! states) is held once for each block.

use std::collections::HashMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::body::Report;
use crate::phrase::Phrase;
use crate::{escape, json as text, words};
use prodpin_core::model::{Finding, Severity};
use prodpin_core::outcome::report::{Reason, RepositoryReport, Row, RunSection, TargetReport};
use prodpin_core::outcome::status::ServiceStatus;

/// A block is closed once it holds this many bytes, so that neither writer nor reader holds much at a time.
const BLOCK: usize = 256 << 10;

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut block = Block::default();
    for row in report.body.rows() {
        let row = row?;
        let value = block.row(&row, &report.run);
        if !block.rows.is_empty() {
            block.rows.extend_from_slice(b",\n");
        }
        text::value(&value, &mut block.rows)?;
        if block.rows.len() >= BLOCK {
            std::mem::take(&mut block).write(out)?;
        }
    }
    if block.rows.is_empty() { Ok(()) } else { block.write(out) }
}

#[derive(Default)]
struct Block {
    rows: Vec<u8>,
    words: Vec<String>,
    known: HashMap<String, usize>,
}

impl Block {
    fn write(self, out: &mut dyn Write) -> io::Result<()> {
        // The formatter escapes `<`, so nothing in here can end the element (F76).
        out.write_all(b"<script type=\"application/json\">{\"words\":")?;
        text::value(&self.words, out)?;
        out.write_all(b",\"rows\":[\n")?;
        out.write_all(&self.rows)?;
        out.write_all(b"\n]}</script>\n")
    }

    fn word(&mut self, word: String) -> usize {
        if let Some(place) = self.known.get(&word) {
            return *place;
        }
        let place = self.words.len();
        self.words.push(word.clone());
        self.known.insert(word, place);
        place
    }

    /// The order of these fields is what the script takes them apart by.
    fn row(&mut self, row: &Row, run: &RunSection) -> Value {
        let findings: Vec<Value> = row.findings.iter().map(|finding| self.finding(finding, run)).collect();
        let Some(repository) = &row.repository else {
            return json!([null, null, ServiceStatus::Protected as usize, 1, "", "", 0, 0, null, [], [], findings]);
        };
        let status = ServiceStatus::from_report(repository, &row.findings) as usize;
        let targets: Vec<Value> = repository.targets.iter().map(|target| self.target(target, repository)).collect();
        let gaps: Vec<String> = repository.gaps.iter().take(GAPS).map(|gap| words::gap(gap).terminal()).collect();
        json!([
            escape::terminal(repository.source.as_str()),
            name(repository.name.as_str()),
            status,
            u8::from(repository.complete),
            words::current_said(repository).terminal(),
            words::roll_back_to(repository).terminal(),
            repository.rollback.depth,
            repository.rollback.keep,
            words::trouble(repository).map(|trouble| trouble.terminal()),
            targets,
            gaps,
            findings,
        ])
    }

    fn target(&mut self, target: &TargetReport, repository: &RepositoryReport) -> Value {
        // Whether it can be gone back to comes first: a pin on what cannot be fetched helps nobody.
        let look = match (target.restorable, target.protected) {
            (Some(false), _) => "x",
            (Some(true), Some(true)) => "p",
            (None, _) | (_, None) => "u",
            (Some(true), Some(false)) => "n",
        };
        let is_way_back =
            repository.rollback.to.as_ref() == Some(&target.artifact) && repository.rollback.intact == Some(true);
        // 1 runs, 2 is wanted and does not.
        let wanted = target.reasons.iter().any(|reason| matches!(reason, Reason::Wanted { .. }));
        let presence = match (target.running, wanted) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => 0,
        };
        let reasons = Phrase::joined(target.reasons.iter().map(words::reason), "; ").terminal();
        json!([
            target.rank,
            words::label(target).map(|label| label.terminal()),
            name(&target.artifact.to_string()),
            look,
            presence,
            u8::from(is_way_back),
            self.word(words::target_state(target).terminal()),
            self.word(reasons),
        ])
    }

    fn finding(&mut self, finding: &Finding, run: &RunSection) -> Value {
        let id = |text: &Option<String>| text.as_deref().map(name);
        json!([
            Severity::ALL.iter().position(|severity| *severity == finding.severity),
            self.word(finding.code.as_str().to_owned()),
            id(&finding.reference),
            id(&finding.artifact),
            id(&finding.previous),
            escape::terminal(&finding.message),
            self.word(escape::terminal(&finding.remedy)),
            finding.first_seen.strftime("%Y-%m-%d %H:%M").to_string(),
            u8::from(finding.first_seen >= run.started),
            finding.ledger_sequence,
            finding.waived.as_ref().map(|waived| {
                let (reason, owner) = (escape::terminal(&waived.reason), escape::terminal(&waived.owner));
                format!("{reason} ({owner}, until {})", waived.expires)
            }),
        ])
    }
}

/// Gaps of one service that are spelt out; the CSV and JSON reports have all.
const GAPS: usize = 50;

fn name(text: &str) -> String {
    escape::terminal_name(text, usize::MAX)
}
