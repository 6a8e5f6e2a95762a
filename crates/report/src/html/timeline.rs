//! What the page draws over time, gathered in one pass and bounded: tags that moved, and what lifecycle rules will take.

use std::collections::BTreeMap;
use std::io;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::body::Report;
use crate::overview::Names;
use crate::words;
use prodpin_core::model::{Code, Due, Finding, Obstacle, Severity};
use prodpin_core::outcome::report::RepositoryReport;

/// Moves that are drawn; the table of findings has all of them.
const MOVES: usize = 200;
/// Days in the calendar.
const DAYS: usize = 120;
/// Targets named for one day and rule.
const NAMED: usize = 5;

/// What happened, and what will.
#[derive(Default)]
pub(super) struct Timeline {
    /// The latest moves, latest last.
    pub(super) moves: Vec<Move>,
    pub(super) due: BTreeMap<When, BTreeMap<String, Taken>>,
}

/// A tag that came to point at something else, or at nothing.
pub(super) struct Move {
    pub(super) at: Timestamp,
    pub(super) service: String,
    pub(super) tag: String,
    pub(super) code: Code,
    pub(super) severity: Severity,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) sequence: Option<u64>,
}

/// When a rule acts, soonest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum When {
    /// The next time the rules are carried out.
    Now,
    /// On this day.
    On(Date),
    /// After so many more pushes, with the day that the recent rate makes likely.
    AfterPushes(u64, Option<Date>),
    /// It was not worked out when.
    Unsaid,
}

/// What one rule takes at one time.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) targets: u64,
    /// Some of them: service, release, effect.
    pub(super) named: Vec<(String, String, String)>,
}

impl Timeline {
    pub(super) fn from_report(report: &Report) -> io::Result<Self> {
        let names = Names::of_report(report);
        let mut timeline = Self::default();
        for row in report.body.rows() {
            let row = row?;
            for finding in row.findings.iter().filter(|finding| finding.code.is_move()) {
                timeline.add_move(finding, names);
            }
            if let Some(repository) = &row.repository {
                timeline.add_due(repository, names);
            }
        }
        timeline.moves.sort_by(|a, b| (a.at, &a.service, &a.tag).cmp(&(b.at, &b.service, &b.tag)));
        timeline.forget_old_moves();
        Ok(timeline)
    }

    fn add_move(&mut self, finding: &Finding, names: Names) {
        let short = |artifact: &Option<String>| {
            let id = artifact.as_ref()?;
            Some(id.parse::<prodpin_core::model::ArtifactId>().map_or_else(
                |_| crate::escape::terminal_name(id, 24),
                |id| crate::escape::terminal_name(&id.short(), 32),
            ))
        };
        self.moves.push(Move {
            at: finding.first_seen,
            service: names.subject(finding.source.as_ref(), finding.repository.as_ref()).terminal(),
            tag: crate::escape::terminal_name(finding.reference.as_deref().unwrap_or("(several)"), 48),
            code: finding.code,
            severity: finding.severity,
            from: short(&finding.previous),
            to: short(&finding.artifact),
            sequence: finding.ledger_sequence,
        });
        if self.moves.len() > 4 * MOVES {
            self.moves.sort_by(|a, b| (a.at, &a.service, &a.tag).cmp(&(b.at, &b.service, &b.tag)));
            self.forget_old_moves();
        }
    }

    fn forget_old_moves(&mut self) {
        let spare = self.moves.len().saturating_sub(MOVES);
        self.moves.drain(..spare);
    }

    fn add_due(&mut self, repository: &RepositoryReport, names: Names) {
        for target in &repository.targets {
            for obstacle in &target.obstacles {
                let Obstacle::Lifecycle { rule, effect, due } = obstacle else { continue };
                let rule = crate::escape::terminal_name(rule, 64);
                let taken = self.due.entry(When::from_due(due.as_ref())).or_default().entry(rule).or_default();
                taken.targets += 1;
                if taken.named.len() < NAMED {
                    let release = words::release(repository, &target.artifact).terminal();
                    taken.named.push((names.service(repository).terminal(), release, crate::escape::terminal(effect)));
                }
            }
        }
        // The soonest days matter; what is later is in the rows.
        while self.due.len() > DAYS {
            self.due.pop_last();
        }
    }
}

impl When {
    fn from_due(due: Option<&Due>) -> Self {
        let day = |at: &Timestamp| at.to_zoned(TimeZone::UTC).date();
        match due {
            None => Self::Unsaid,
            Some(Due::Now) => Self::Now,
            Some(Due::On(at)) => Self::On(day(at)),
            Some(Due::AfterPushes { pushes, around }) => Self::AfterPushes(*pushes, around.as_ref().map(day)),
        }
    }

    /// The day it falls on, as far as one is known.
    pub(super) fn day(self) -> Option<Date> {
        match self {
            Self::On(day) | Self::AfterPushes(_, Some(day)) => Some(day),
            Self::Now | Self::AfterPushes(_, None) | Self::Unsaid => None,
        }
    }
}
