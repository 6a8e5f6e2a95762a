//! `view/index`: what opening a ledger needs, as of some commit. A cache: each checkpoint says what it must hold.
//!
//! After the envelope comes a line with everything that is small, then one for each repository. What a checkpoint states is
//! how long those lines are, and a hash: SHA-256 over the hash of the small line and the root of the map of repositories.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Head;
use super::batch::Batch;
use super::commitment::Commitment;
use super::outbox::Outbox;
use super::repositories::Repositories;
use super::tiles::Frontier;
use super::touch::Touch;
use super::unreported::UnreportedCommits;
use prodpin_core::model::{
    Digest, Entry, Event, Mark, OpenFindings, RepositoryKey, RunId, RunRecord, RunScope, SettingFacts, Severity,
    SourceName, SourceRecord,
};

/// How many run records are at hand without reading batches.
pub(super) const RUNS_KEPT: usize = 50;

/// No two runs overlap for longer than this.
const LONGEST_OVERLAP: SignedDuration = SignedDuration::from_hours(24);

/// How many kinds of runs are distinguished: more shares than anyone has, and still small.
const SCOPES_KEPT: usize = 1024;

/// A run on record: where, and what the checkpoint before that commit hashes to, for reading on backwards.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Closed {
    pub(super) record: RunRecord,
    pub(super) head: Head,
    pub(super) previous: Option<Digest>,
}

/// Everything about a ledger that is small.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Index {
    /// The log's origin; empty before the first commit.
    pub(super) origin: String,
    /// As of this commit.
    pub(super) sequence: u64,
    /// SHA-256 of that commit's checkpoint, which for that reason is no part of what it states.
    #[serde(skip)]
    pub(super) checkpoint: Option<Digest>,
    /// The border of the tree as of that commit: what the next tile is made of.
    pub(super) frontier: Frontier,
    /// The wall time of the last entry. Not the latest one that any tells of: a clock that was wrong once is not wrong until
    /// its date (F112).
    pub(super) newest: Option<Timestamp>,
    /// Every repository ever recorded.
    #[serde(skip)]
    pub(super) repositories: Repositories,
    pub(super) sources: BTreeMap<SourceName, SourceMemory>,
    /// Open findings about no repository.
    #[serde(default)]
    pub(super) findings: OpenFindings,
    /// What each alert told of what is still there.
    #[serde(rename = "told")]
    #[serde(default)]
    pub(super) reported: BTreeMap<Arc<str>, BTreeMap<String, Severity>>,
    /// What each alert did not deliver.
    #[serde(rename = "owed")]
    #[serde(default)]
    pub(super) outboxes: BTreeMap<Arc<str>, Outbox>,
    /// What was recorded of repositories, and stands in no report so far.
    #[serde(default)]
    pub(super) unreported: UnreportedCommits,
    /// The latest run records, latest last.
    pub(super) runs: VecDeque<Closed>,
    /// When the latest run of each scope started, but for runs of single repositories, latest last; after a long silence
    /// also the one before it, and where clocks contradict each other what each of them says.
    #[serde(default)]
    pub(super) latest: VecDeque<(RunScope, Timestamp)>,
}

/// What is remembered of a source.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct SourceMemory {
    pub(super) settings: Option<(Mark, SettingFacts)>,
    pub(super) seen: Option<(Mark, RunId, SourceRecord)>,
}

impl Index {
    /// What a checkpoint states of this.
    pub(super) fn commitment(&mut self) -> Commitment {
        let small = self.small();
        self.commitment_with(&small)
    }

    fn commitment_with(&mut self, small: &[u8]) -> Commitment {
        let mut hash = Sha256::new();
        hash.update(Sha256::digest(small));
        hash.update(self.repositories.root().0);
        Commitment::new(small.len() as u64 + 1 + self.repositories.bytes(), hash.finalize().into())
    }

    /// Everything but the repositories. Nothing here makes writing it fail.
    fn small(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The lines, as they are stored.
    pub(super) fn write(&self, writer: &mut dyn std::io::Write) -> std::io::Result<()> {
        writer.write_all(&self.small())?;
        writer.write_all(b"\n")?;
        for line in self.repositories.lines() {
            writer.write_all(&line)?;
            writer.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Reads the lines; what they hash to comes along, and is for the caller to compare before anything is believed.
    pub(super) fn read(content: &[u8]) -> Option<(Self, Commitment)> {
        let mut lines = content.strip_suffix(b"\n")?.split(|byte| *byte == b'\n');
        let small = lines.next()?;
        let mut index: Self = serde_json::from_slice(small).ok()?;
        for line in lines {
            index.repositories.read(line)?;
        }
        let commitment = index.commitment_with(small);
        Some((index, commitment))
    }

    /// The repository's latest commit; none for one that was never recorded.
    pub(super) fn touch(&self, key: &RepositoryKey) -> Option<&Touch> {
        self.repositories.get(key).map(|known| &known.touch)
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
            Event::AlertSent { alert, reported, forgotten, delivered } => {
                let known = self.reported.get(alert);
                let has_undelivered = delivered
                    .is_some_and(|delivered| self.outboxes.get(alert).is_some_and(|outbox| outbox.is_due(delivered)));
                known.is_some()
                    && !has_undelivered
                    && reported
                        .iter()
                        .all(|(name, severity)| known.is_some_and(|known| known.get(name) == Some(severity)))
                    && forgotten.iter().all(|name| known.is_none_or(|known| !known.contains_key(name)))
            }
            Event::Run(record) => self.has_closed(&record.id),
            // It came in one commit with the record of its run.
            Event::AlertQueued { .. } => self.has_closed(&entry.run),
            _ => false,
        }
    }

    /// Whether the run is known to be on record as ended; of old ones nothing is known here.
    pub(super) fn has_closed(&self, run: &RunId) -> bool {
        self.runs.iter().any(|known| known.record.id == *run)
    }

    /// Folds one commit in: its place, the hash of the checkpoint before it, its batch with what that holds.
    pub(super) fn apply(&mut self, head: &Head, previous: Option<&Digest>, name: &Digest, batch: &Batch) {
        self.sequence = head.sequence;
        let touch = Touch(head.sequence, name.clone());
        let mut noted = None;
        for entry in &batch.entries {
            self.newest = Some(entry.at);
            // In a batch nearly every entry is of the same run and repository as the one before.
            let about = Some((&entry.run, &entry.repository));
            if let Some(key) =
                entry.repository.as_ref().filter(|_| noted.is_none_or(|(_, key)| key != &entry.repository))
            {
                let view = batch.links.get(key).map(|link| link.view);
                self.repositories.set(key, touch.clone(), view);
            }
            if noted != about || matches!(entry.event, Event::ReportedAgain { .. } | Event::Run(_)) {
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
                Event::AlertSent { alert, reported, forgotten, delivered } => {
                    let known = self.reported.entry(alert.clone()).or_default();
                    known.extend(reported.iter().cloned());
                    known.retain(|name, _| !forgotten.contains(name));
                    if let Some(delivered) = delivered
                        && let Some(outbox) = self.outboxes.get_mut(alert)
                    {
                        outbox.delivered(*delivered);
                        self.outboxes.retain(|_, outbox| !outbox.is_empty());
                    }
                }
                Event::AlertQueued { alert, report, findings, more } => {
                    let outbox = self.outboxes.entry(alert.clone()).or_default();
                    outbox.queue(head.sequence, &entry.run, report, findings, more);
                }
                Event::Run(record) => {
                    self.remember(record);
                    let (record, previous) = (record.as_ref().clone(), previous.cloned());
                    self.runs.push_back(Closed { record, head: *head, previous });
                    if self.runs.len() > RUNS_KEPT {
                        self.runs.pop_front();
                    }
                }
                _ => {}
            }
        }
    }

    /// Runs overlap, so the one recorded last need not be the one that started last. But none lasts for days: of two records
    /// that are further apart than that and in the other order, one had a wrong clock, and nothing tells which. Both are
    /// kept: a time that has not come counts for nothing until then, and until another record bears out one of them (I21,
    /// F112).
    fn remember(&mut self, record: &RunRecord) {
        let started = record.started;
        let is_ahead = |at: &Timestamp| at.duration_since(started) >= LONGEST_OVERLAP;
        let in_order: Vec<RunScope> =
            self.latest.iter().filter(|(_, at)| !is_ahead(at)).map(|(scope, _)| scope.clone()).collect();
        let of_one_repository = !record.scope.repositories.is_empty();
        let mut bounded: Vec<RunScope> = Vec::new();
        for (scope, at) in &self.latest {
            let is_own = !of_one_repository && *scope == record.scope;
            if is_ahead(at) && !is_own && !in_order.contains(scope) && !bounded.contains(scope) {
                bounded.push(scope.clone());
            }
        }
        // Whatever this run was about: by the order of the ledger the last of that scope started no later than this one.
        self.latest.extend(bounded.into_iter().map(|scope| (scope, started)));
        if !of_one_repository {
            let own = |scope: &RunScope| *scope == record.scope;
            let is_borne_out = in_order.contains(&record.scope);
            let before = self.latest.iter().filter(|(scope, at)| own(scope) && !is_ahead(at)).map(|(_, at)| *at).max();
            self.latest.retain(|(scope, at)| !own(scope) || (is_ahead(at) && !is_borne_out));
            // After a long silence this run's clock may be the wrong one: what was known before it is not given up for it.
            let silent = before.filter(|at| started.duration_since(*at) >= LONGEST_OVERLAP);
            self.latest.extend(silent.map(|at| (record.scope.clone(), at)));
            self.latest.push_back((record.scope.clone(), before.map_or(started, |at| at.max(started))));
        }
        while self.latest.len() > SCOPES_KEPT {
            self.latest.pop_front();
        }
    }
}
