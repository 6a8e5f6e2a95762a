//! Record and commit: events reach the ledger before any report names them (I10), in batches, so that memory does not
//! grow with the estate (I20).

mod closing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use crate::alert::Passing;
use crate::decide;
use crate::model::{
    ArtifactId, Cause, DeployedReference, Entry, Event, Finding, Gap, Loss, RepositoryKey, RepositoryName, RunId,
    Scope, SettingFacts, SourceName,
};
use crate::outcome::report::{RepositoryReport, Row, TargetReport, VaultState};
use crate::report::body::BodyWriter;
use prodpin_net::memory;

use super::RunError;
use super::each;
use super::listing::Listed;
use super::repository::{Outcome, Sightings};
use super::setup::Setup;
use super::source_totals::SourceTotals;

/// So many events are committed together at the most; outcomes wait in memory for no more than that.
const EVENTS_PER_COMMIT: usize = 10_000;

/// So many tags wait for a commit at the most, a repository counting for a hundred: what is known of them is read again to
/// commit what is new.
fn weight_per_commit() -> u64 {
    memory::budget().part(2_000, 20_000, 200_000) as u64
}

/// More than so many events of one repository are not recorded any more once the run is to end.
const LATE_EVENTS: usize = 50_000;

/// Collects outcomes, commits what they say, and makes the report.
pub(super) struct Recorder {
    setup: Arc<Setup>,
    body: BodyWriter,
    waiting: Vec<Row>,
    /// What is to be committed, and how many events that is.
    news: Vec<News>,
    events: usize,
    /// Findings about no repository.
    findings: Vec<Finding>,
    /// What the settings became. Committed with the run's record, because it is reported by this report and by no other.
    settings: Vec<Entry>,
    /// Tags and rows that wait for the next commit.
    weight: u64,
    sources: BTreeMap<SourceName, SourceTotals>,
    /// Whether every source that the run is about was opened.
    opened_all: bool,
    /// Repositories that were not looked at, and how many there were to look at, by source.
    left_out: BTreeMap<SourceName, (BTreeSet<RepositoryKey>, u64)>,
    /// Waivers that covered something.
    waivers_used: BTreeSet<usize>,
    /// What alerts owe if this run does not come to tell it.
    passing: Passing,
    /// Repositories with pins that nothing in the rollback set needs.
    unneeded: BTreeSet<RepositoryKey>,
}

/// Events of one repository, or of none. They become entries as they are committed: a repository of a million tags has as
/// many (I28).
struct News {
    repository: Option<RepositoryKey>,
    at: Timestamp,
    seen: Sightings,
    events: Vec<Event>,
}

impl News {
    fn entries(self, run: &RunId) -> impl Iterator<Item = Entry> + Send {
        let (Self { repository, at, seen, events }, run) = (self, run.clone());
        seen.events().chain(events).map(move |event| Entry {
            run: run.clone(),
            at,
            repository: repository.clone(),
            event,
        })
    }
}

impl Recorder {
    /// `unopened` are sources that the others go on without, with the reason.
    pub(super) fn new(setup: Arc<Setup>, unopened: BTreeMap<SourceName, String>) -> Result<Self, RunError> {
        let opened_all = unopened.is_empty();
        let opened = setup.sources.keys().map(|name| (name.clone(), SourceTotals::default()));
        let unopened = unopened.into_iter().map(|(name, detail)| {
            let gaps = vec![Gap::new(Scope::Source, Cause::Refused, format!("source {name}: {detail}"))];
            (name, SourceTotals { gaps, ..SourceTotals::default() })
        });
        let sources = opened.chain(unopened).collect();
        let mut recorder = Self {
            body: BodyWriter::new()?,
            waiting: Vec::new(),
            news: Vec::new(),
            events: 0,
            findings: Vec::new(),
            settings: Vec::new(),
            weight: 0,
            sources,
            opened_all,
            left_out: BTreeMap::new(),
            waivers_used: BTreeSet::new(),
            passing: Passing::new(&setup.alerts),
            unneeded: BTreeSet::new(),
            setup,
        };
        let setup = &recorder.setup;
        recorder.findings.extend(decide::clock_skew(setup.ledger.newest(), setup.started));
        recorder.overdue();
        Ok(recorder)
    }

    /// Looks whether runs like this one were missed (F91). What an event asks for is on no schedule.
    fn overdue(&mut self) {
        let setup = &self.setup;
        let Some(schedule) = setup.schedule.as_ref().filter(|_| setup.only.is_empty()) else { return };
        let last = setup.ledger.last_run_of(&setup.scope, setup.started);
        self.findings.extend(last.and_then(|last| decide::overdue(schedule, last, setup.started)));
    }

    /// Reads and judges the settings of every source: all at once, and for no longer than their share of the time, since
    /// every repository waits for them (I28).
    pub(super) async fn settings(&mut self, until: Option<Instant>) {
        let setup = self.setup.clone();
        let asked = setup.sources.iter().map(|(name, source)| async move {
            let settings = source.inventory.settings();
            let read = match until {
                None => Some(settings.await),
                Some(until) => tokio::time::timeout_at(until.into(), settings).await.ok(),
            };
            (name, read)
        });
        for (name, read) in futures::future::join_all(asked).await {
            let Some((facts, gaps)) = read else {
                let detail = format!(
                    "source {name}: its settings were not read within the third of --deadline that there is for them"
                );
                self.totals(name).gaps.push(Gap::new(Scope::Setting, Cause::TimedOut, detail));
                continue;
            };
            let totals = self.totals(name);
            totals.gaps.extend(gaps);
            totals.is_bucket = matches!(facts, SettingFacts::Bucket { .. });
            let previous = setup.ledger.settings(name);
            let (findings, event) = decide::settings(name, &facts, previous.as_ref(), setup.started);
            self.findings.extend(findings);
            self.settings.extend(event.map(|event| self.entry(None, Timestamp::now(), event)));
        }
    }

    pub(super) async fn add(&mut self, outcome: Outcome) -> Result<(), RunError> {
        let Outcome { key, mut plan, mut seen, mut events, cleanup, at, memory } = outcome;
        if self.setup.witnesses.withhold_in(&key) {
            // Against a history that is missing nothing can be judged, and nothing is a beginning (I24).
            (seen, events) = (Sightings::default(), Vec::new());
            decide::unjudged(&mut plan, &key);
        }
        self.waivers_used.extend(decide::waive(&self.setup.waivers, &mut plan.findings, self.setup.started));
        self.passing.note(&plan.findings, |name| plan.passing.contains(name));
        match plan.unneeded.is_empty() && !plan.releasing {
            true => self.unneeded.remove(&key),
            false => self.unneeded.insert(key.clone()),
        };
        let totals = self.totals(&key.source);
        totals.note(cleanup);
        totals.counts += plan.report.counts;
        let weight = 100 + plan.report.counts.tags;
        totals.seen.push((key.name.clone(), plan.seen));
        if !plan.report.complete {
            totals.incomplete.insert(key.name.clone());
        }
        self.enter(Some(key), at, seen, events);
        self.weight += weight;
        self.waiting.push(Row { repository: Some(plan.report), findings: plan.findings });
        // A row without news needs no commit; with others that have some it waits, but not for long: rows, and the
        // states behind the events, are memory (I20).
        let heavy = self.events >= EVENTS_PER_COMMIT || self.weight >= weight_per_commit();
        let recorded = if self.events == 0 || heavy { self.commit().await } else { Ok(()) };
        drop(memory);
        recorded
    }

    /// The same once the run is to end: what would take long to record is left to the next run, so that everything else
    /// is recorded and told (I28). A pin that was made for it is found in place then.
    pub(super) async fn add_late(&mut self, outcome: Outcome) -> Result<(), RunError> {
        if outcome.seen.count() + outcome.events.len() > LATE_EVENTS {
            self.left_out.entry(outcome.key.source.clone()).or_default().0.insert(outcome.key);
            return Ok(());
        }
        self.add(outcome).await
    }

    /// Every repository that was looked at.
    pub(super) async fn repositories(&mut self) -> Result<Vec<RepositoryKey>, RunError> {
        // What waits has a row from then on.
        self.commit().await?;
        Ok(self.body.repositories())
    }

    /// Those of them that have a pin which nothing in the rollback set needs.
    pub(super) fn unneeded(&self) -> impl Iterator<Item = &RepositoryKey> {
        self.unneeded.iter()
    }

    /// What was not read so far, of any source and of any repository: each that has gaps of its own by one line.
    pub(super) fn gaps(&self) -> Vec<Gap> {
        let of_sources = self.sources.values().flat_map(|totals| totals.gaps.iter().cloned());
        let incomplete = self.sources.iter().flat_map(|(source, totals)| {
            let unread = move |name: &RepositoryName| {
                let detail = format!("{source}/{name} was not read completely; `prodpin audit` says why");
                Gap::new(Scope::Source, Cause::Refused, detail)
            };
            totals.incomplete.iter().map(unread)
        });
        of_sources.chain(incomplete).collect()
    }

    /// The rollback targets of a repository that was looked at.
    pub(super) fn targets(&mut self, key: &RepositoryKey) -> Result<Vec<TargetReport>, RunError> {
        let row = self.body.row(key)?.and_then(|row| row.repository);
        Ok(row.map_or_else(Vec::new, |row| row.targets))
    }

    /// Takes note of what the vault holds of them.
    pub(super) fn note_vault(
        &mut self,
        key: &RepositoryKey,
        states: BTreeMap<ArtifactId, VaultState>,
        vault: &Arc<str>,
    ) {
        let vault = vault.clone();
        self.body.amend(key, move |row| {
            for target in row.repository.iter_mut().flat_map(|repository| &mut repository.targets) {
                if let Some(state) = states.get(&target.artifact) {
                    decide::vault::note(target, *state, &vault);
                }
            }
        });
    }

    /// Whether the policy requires this source's targets to survive the loss of their registry.
    pub(super) fn requires_copies(&self, source: &SourceName) -> bool {
        self.setup.pins.for_source(source).require.iter().any(|loss| loss == Loss::LossOfRegistry)
    }

    /// Findings about no repository.
    pub(super) fn found(&mut self, findings: Vec<Finding>) {
        self.findings.extend(findings);
    }

    /// Which of these are named in a repository that was looked at, and are not in its rollback set (F92).
    pub(super) async fn unkept(
        &mut self,
        named: BTreeMap<RepositoryKey, Vec<DeployedReference>>,
    ) -> Result<Vec<RepositoryKey>, RunError> {
        // What waits has a row from then on.
        self.commit().await?;
        let mut unkept = Vec::new();
        for (key, references) in named {
            let Some(row) = self.body.row(&key)?.and_then(|row| row.repository) else { continue };
            let is_kept = |reference: &DeployedReference| {
                row.targets.iter().any(|target| match reference {
                    DeployedReference::Artifact(artifact) => target.artifact == *artifact,
                    DeployedReference::Tag(tag) => target.references.contains(tag),
                })
            };
            if !references.iter().all(is_kept) {
                unkept.push(key);
            }
        }
        Ok(unkept)
    }

    /// What a second look came to, in the place of the first one. What that one recorded and nobody was reported is in this one.
    pub(super) async fn replace(&mut self, outcome: Outcome) -> Result<(), RunError> {
        if let Some(before) = self.body.take(&outcome.key)?.and_then(|row| row.repository) {
            let totals = self.totals(&outcome.key.source);
            totals.counts -= before.counts;
            totals.seen.retain(|(name, _)| *name != outcome.key.name);
            totals.incomplete.remove(&outcome.key.name);
        }
        self.add(outcome).await
    }

    /// Takes note of what was not looked at. Each has a line in the report, so that nobody takes it for well.
    pub(super) fn left_out(&mut self, known: &BTreeMap<SourceName, u64>, left_out: &BTreeSet<RepositoryKey>) {
        for (source, count) in known {
            self.left_out.entry(source.clone()).or_default().1 += count;
        }
        for key in left_out {
            self.left_out.entry(key.source.clone()).or_default().0.insert(key.clone());
        }
    }

    fn end_early(&mut self, cause: Cause, reason: &str) {
        let left_out = std::mem::take(&mut self.left_out);
        for (name, totals) in &mut self.sources {
            let (keys, known) = left_out.get(name).cloned().unwrap_or_default();
            let detail = format!("{reason}: {}", each::unscanned(known, keys.iter()));
            totals.gaps.push(Gap::new(Scope::Source, cause, detail));
        }
        for key in left_out.into_values().flat_map(|(keys, _)| keys) {
            let gap = Gap::new(Scope::Repository, cause, format!("not scanned: {reason}"));
            let report = RepositoryReport::unread(key, self.setup.rules.keep, gap);
            self.waiting.push(Row { repository: Some(report), findings: Vec::new() });
        }
    }

    pub(super) fn failed_at<'a>(&mut self, defects: impl Iterator<Item = (&'a SourceName, Gap)>) {
        defects.for_each(|(source, gap)| self.totals(source).gaps.push(gap));
    }

    pub(super) fn listed(&mut self, listed: Listed) {
        let totals = self.totals(&listed.source);
        totals.gaps.extend(listed.gaps);
        totals.unmatched = listed.unmatched;
    }

    /// Commits what waits, then lets the rows go that name it.
    async fn commit(&mut self) -> Result<(), RunError> {
        self.weight = 0;
        let news = std::mem::take(&mut self.news);
        if std::mem::take(&mut self.events) > 0 {
            let entries = news.into_iter().flat_map(|news| news.entries(&self.setup.id));
            self.setup.ledger.commit_each(entries).await?;
        }
        let position = self.setup.ledger.head().filter(|_| self.setup.keeps_ledger).map(|head| head.sequence);
        for mut row in std::mem::take(&mut self.waiting) {
            for finding in &mut row.findings {
                finding.ledger_sequence =
                    if self.setup.keeps_ledger { finding.ledger_sequence.or(position) } else { None };
            }
            self.body.push(row)?;
        }
        Ok(())
    }

    fn entry(&self, repository: Option<RepositoryKey>, at: Timestamp, event: Event) -> Entry {
        Entry { run: self.setup.id.clone(), at, repository, event }
    }

    fn enter(&mut self, repository: Option<RepositoryKey>, at: Timestamp, seen: Sightings, events: Vec<Event>) {
        self.events += seen.count() + events.len();
        self.news.push(News { repository, at, seen, events });
    }

    fn totals(&mut self, source: &SourceName) -> &mut SourceTotals {
        self.sources.entry(source.clone()).or_default()
    }
}
