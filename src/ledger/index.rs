//! `view/index`: what opening a ledger needs, as of some commit. A cache.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Head;
use super::cache::CACHE_SCHEMA;
use super::debt::Owing;
use super::tiles::Frontier;
use super::unreported::Unreported;
use crate::model::{
    Digest, Entry, Event, Mark, OpenFindings, RepositoryKey, RepositoryName, RunId, RunRecord, RunScope, SettingFacts,
    Severity, SourceName, SourceRecord,
};

/// How many run records are at hand without reading batches.
pub(super) const RUNS_KEPT: usize = 50;

/// No two runs overlap for longer than this.
const LONGEST_OVERLAP: SignedDuration = SignedDuration::from_hours(24);

/// How many kinds of runs are told apart: more shares than anyone has, and still small.
const SCOPES_KEPT: usize = 1024;

/// How many of a repository's latest commits are at hand, to bring a view that missed some up to date.
const TOUCHES_KEPT: usize = 4;

/// A commit that held events of a repository, with the beginning of its batch's digest: two histories that part never
/// share it, so a view of one is not taken for the other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Touch(pub(super) u64, pub(super) u64);

impl Touch {
    pub(super) fn new(sequence: u64, batch: &Digest) -> Self {
        let beginning = batch.hex().get(..16).and_then(|hex| u64::from_str_radix(hex, 16).ok());
        Self(sequence, beginning.unwrap_or_default())
    }
}

/// Everything about a ledger that is small.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Index {
    pub(super) schema: u32,
    /// The log's origin; empty before the first commit.
    pub(super) origin: String,
    /// As of this commit.
    pub(super) sequence: u64,
    /// SHA-256 of that commit's checkpoint.
    pub(super) checkpoint: Option<Digest>,
    /// The border of the tree as of that commit: what the next tile is made of.
    pub(super) frontier: Frontier,
    /// The latest wall time that any entry tells of.
    pub(super) newest: Option<Timestamp>,
    /// Every repository ever recorded, with its latest commits, latest last.
    pub(super) repositories: BTreeMap<SourceName, BTreeMap<RepositoryName, Vec<Touch>>>,
    pub(super) sources: BTreeMap<SourceName, SourceMemory>,
    /// Open findings about no repository.
    #[serde(default)]
    pub(super) findings: OpenFindings,
    /// What each alert told of what is still there.
    #[serde(default)]
    pub(super) told: BTreeMap<Arc<str>, BTreeMap<String, Severity>>,
    /// What each alert did not deliver.
    #[serde(default)]
    pub(super) owed: BTreeMap<Arc<str>, Owing>,
    /// What was recorded of repositories, and stands in no report so far.
    #[serde(default)]
    pub(super) unreported: Unreported,
    /// The latest run records, latest last.
    pub(super) runs: VecDeque<(RunRecord, Head)>,
    /// When the latest run of each scope started, but for runs of single repositories, latest last.
    #[serde(default)]
    pub(super) latest: VecDeque<(RunScope, Timestamp)>,
}

/// What is remembered of a source.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct SourceMemory {
    pub(super) settings: Option<(Mark, SettingFacts)>,
    pub(super) seen: Option<(Mark, RunId, SourceRecord)>,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            schema: CACHE_SCHEMA,
            origin: String::new(),
            sequence: 0,
            checkpoint: None,
            frontier: Frontier::default(),
            newest: None,
            repositories: BTreeMap::new(),
            sources: BTreeMap::new(),
            findings: OpenFindings::default(),
            told: BTreeMap::new(),
            owed: BTreeMap::new(),
            unreported: Unreported::default(),
            runs: VecDeque::new(),
            latest: VecDeque::new(),
        }
    }
}

impl Index {
    /// The repository's latest commits, latest last; empty for one that was never recorded.
    pub(super) fn touches(&self, key: &RepositoryKey) -> &[Touch] {
        self.repositories.get(&key.source).and_then(|names| names.get(&key.name)).map_or(&[], Vec::as_slice)
    }

    /// Whether this says nothing that the log does not already hold: a record said again after a lost answer.
    pub(super) fn knows(&self, entry: &Entry) -> bool {
        match &entry.event {
            Event::Settings { source, facts } => {
                let before = self.sources.get(source).and_then(|memory| memory.settings.as_ref());
                before.is_some_and(|(_, before)| *before == **facts)
            }
            Event::Source(record) => {
                let last = self.sources.get(&record.source).and_then(|memory| memory.seen.as_ref());
                last.is_some_and(|(_, run, last)| *run == entry.run && last == record)
            }
            Event::FindingOpened(key) => self.findings.since(key).is_some(),
            Event::FindingResolved(key) => self.findings.since(key).is_none(),
            Event::AlertSent { alert, told, forgotten, paid } => {
                let known = self.told.get(alert);
                let owes = paid.is_some_and(|paid| self.owed.get(alert).is_some_and(|owing| owing.is_due(paid)));
                known.is_some()
                    && !owes
                    && told.iter().all(|(name, severity)| known.is_some_and(|known| known.get(name) == Some(severity)))
                    && forgotten.iter().all(|name| known.is_none_or(|known| !known.contains_key(name)))
            }
            Event::Run(record) => self.has_closed(&record.id),
            // It came in one commit with the record of its run.
            Event::AlertOwed { .. } => self.has_closed(&entry.run),
            _ => false,
        }
    }

    /// Whether the run is known to be on record as ended; of old ones nothing is known here.
    pub(super) fn has_closed(&self, run: &RunId) -> bool {
        self.runs.iter().any(|(known, _)| known.id == *run)
    }

    /// Folds one commit in.
    pub(super) fn apply(&mut self, head: &Head, batch: &Digest, entries: &[Entry]) {
        self.sequence = head.sequence;
        let touch = Touch::new(head.sequence, batch);
        let mut noted = None;
        for entry in entries {
            self.newest = self.newest.max(Some(entry.at));
            if let Some(key) = &entry.repository {
                self.touch(key, touch);
            }
            // In a batch nearly every entry is of the same run and repository as the one before.
            let about = Some((&entry.run, &entry.repository));
            if noted != about || matches!(entry.event, Event::Retold { .. } | Event::Run(_)) {
                self.unreported.apply(head.sequence, entry);
            }
            noted = about;
            let mark = Mark { sequence: head.sequence, at: entry.at };
            match &entry.event {
                Event::Settings { source, facts } => {
                    self.sources.entry(source.clone()).or_default().settings = Some((mark, (**facts).clone()));
                }
                Event::Source(record) => {
                    let memory = self.sources.entry(record.source.clone()).or_default();
                    memory.seen = Some((mark, entry.run.clone(), record.clone()));
                }
                event @ (Event::FindingOpened(_) | Event::FindingResolved(_)) if entry.repository.is_none() => {
                    self.findings.apply(mark, event);
                }
                Event::AlertSent { alert, told, forgotten, paid } => {
                    let known = self.told.entry(alert.clone()).or_default();
                    known.extend(told.iter().cloned());
                    known.retain(|name, _| !forgotten.contains(name));
                    if let Some(paid) = paid
                        && let Some(owing) = self.owed.get_mut(alert)
                    {
                        owing.pay(*paid);
                        self.owed.retain(|_, owing| !owing.is_empty());
                    }
                }
                Event::AlertOwed { alert, report, owed, more } => {
                    let owing = self.owed.entry(alert.clone()).or_default();
                    owing.incur(head.sequence, &entry.run, report, owed, more);
                }
                Event::Run(record) => {
                    self.remember(record);
                    self.runs.push_back((record.as_ref().clone(), *head));
                    if self.runs.len() > RUNS_KEPT {
                        self.runs.pop_front();
                    }
                }
                _ => {}
            }
        }
    }

    fn remember(&mut self, record: &RunRecord) {
        if !record.scope.repositories.is_empty() {
            return;
        }
        let before = self.latest.iter().position(|(scope, _)| *scope == record.scope);
        let before = before.and_then(|at| self.latest.remove(at)).map(|(_, started)| started);
        // Runs overlap, so the one recorded last need not be the one that started last. But none lasts for days: what is
        // that far ahead of a later record had a wrong clock, and the ledger's order outranks it (I21, F112).
        let before = before.filter(|at| at.duration_since(record.started) < LONGEST_OVERLAP);
        self.latest.push_back((record.scope.clone(), before.map_or(record.started, |at| at.max(record.started))));
        if self.latest.len() > SCOPES_KEPT {
            self.latest.pop_front();
        }
    }

    fn touch(&mut self, key: &RepositoryKey, touch: Touch) {
        // Looked up before it is entered: in a batch nearly every entry is about a repository just seen.
        let names = match self.repositories.get_mut(&key.source) {
            Some(names) => names,
            None => self.repositories.entry(key.source.clone()).or_default(),
        };
        let touches = match names.get_mut(&key.name) {
            Some(touches) => touches,
            None => names.entry(key.name.clone()).or_default(),
        };
        if touches.last() == Some(&touch) {
            return;
        }
        if touches.len() == TOUCHES_KEPT {
            touches.remove(0);
        }
        touches.push(touch);
    }
}
