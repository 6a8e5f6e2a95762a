//! Looking back: runs, and what happened to a repository.

use futures::TryStreamExt as _;

use jiff::Timestamp;

use super::index::RUNS_KEPT;
use super::read::batch_path;
use super::{Head, Ledger, LedgerError, batch};
use crate::model::{Entry, Event, RepositoryKey, RunId, RunRecord, RunScope, Tag};

/// How many commits around the place where a run should be are read before the whole log is.
const NEAR: u64 = 256;

impl Ledger {
    /// The latest run records with the commit that holds each, newest first.
    pub async fn runs(&self, most: usize) -> Result<Vec<(RunRecord, Head)>, LedgerError> {
        let (mut runs, _) = self.runs_at_hand();
        if most > runs.len() && runs.len() == RUNS_KEPT {
            let mut missing = most - runs.len();
            self.older_runs(|run, head| {
                runs.push((run, head));
                missing -= 1;
                missing > 0
            })
            .await?;
        }
        runs.truncate(most);
        Ok(runs)
    }

    /// The record of one run, and the commit that holds it.
    pub async fn find_run(&self, id: &RunId) -> Result<Option<(RunRecord, Head)>, LedgerError> {
        let (runs, all) = self.runs_at_hand();
        let mut found = runs.into_iter().find(|(run, _)| run.id == *id);
        if found.is_none() && !all {
            found = self.run_near(id).await?;
        }
        // Clocks may have been far apart: only the whole log says that there is no such run (I21).
        if found.is_none() && !all {
            self.older_runs(|run, head| {
                if run.id == *id {
                    found = Some((run, head));
                }
                found.is_none()
            })
            .await?;
        }
        Ok(found)
    }

    /// When the last run started that was about all that this scope is about, as far as the index tells: a run of this
    /// scope, or of the whole policy. A run that says it started later than `now` had a wrong clock, and when it really
    /// was, nobody knows: it counts for nothing, else one such run would silence what is asked here until its date (I21).
    #[must_use]
    pub fn last_run_of(&self, scope: &RunScope, now: Timestamp) -> Option<Timestamp> {
        let log = self.log();
        let covers = |other: &RunScope| other == scope || other.is_whole();
        let recent = log.index.runs.iter().map(|(run, _)| (&run.scope, run.started));
        // Runs that events asked for may have pushed the others out of the recent ones.
        let remembered = log.index.latest.iter().map(|(scope, started)| (scope, *started));
        let past = recent.chain(remembered).filter(|(other, started)| covers(other) && *started <= now);
        past.map(|(_, started)| started).max()
    }

    /// The run records that need no reading, newest first, and whether those are all.
    fn runs_at_hand(&self) -> (Vec<(RunRecord, Head)>, bool) {
        let log = self.log();
        let runs: Vec<_> = log.index.runs.iter().rev().cloned().collect();
        let all = runs.len() < RUNS_KEPT;
        (runs, all)
    }

    /// A run's record, looked for where it should be: ids begin with the time of the start, and runs are recorded about
    /// in that order. A year has 35,000 of them, so the place is found by halving.
    async fn run_near(&self, id: &RunId) -> Result<Option<(RunRecord, Head)>, LedgerError> {
        let last = self.log().index.sequence;
        let (mut low, mut high) = (1, last + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.run_of(middle).await? {
                Some(run) if run < *id => low = middle + 1,
                _ => high = middle,
            }
        }
        // Its own commits begin there; before them only where clocks differ.
        let (after, before) = (low..=last.min(low + NEAR), low.saturating_sub(NEAR / 8).max(1)..low);
        let mut commits = self.commits(after.chain(before.rev()));
        while let Some((tip, entries)) = commits.try_next().await? {
            for entry in entries {
                match entry.event {
                    Event::Run(record) if record.id == *id => return Ok(Some((*record, tip.head()))),
                    _ => {}
                }
            }
        }
        Ok(None)
    }

    /// The run that made a commit, or the last whole one before it: one line of its batch says so.
    async fn run_of(&self, sequence: u64) -> Result<Option<RunId>, LedgerError> {
        let Some(tip) = self.whole_before(sequence + 1).await? else { return Ok(None) };
        let packed = self.store.get(&batch_path(&tip.checkpoint.batch)).await?;
        let lines = self.unpack(&tip, packed.as_deref())?;
        let first = batch::lines(&lines).next().and_then(|line| serde_json::from_slice::<Entry>(line).ok());
        Ok(first.map(|entry| entry.run))
    }

    /// Reads older batches backwards, until there are no more or no more are wanted.
    async fn older_runs(&self, mut wanted: impl FnMut(RunRecord, Head) -> bool + Send) -> Result<(), LedgerError> {
        let (first, mut skip) = {
            let log = self.log();
            let first = log.index.runs.front().map_or(0, |(_, head)| head.sequence);
            // One commit may close several runs, of which only some are at hand.
            let skip: Vec<RunId> = log.index.runs.iter().map(|(run, _)| run.id.clone()).collect();
            (first, skip)
        };
        skip.sort_unstable();
        let mut commits = self.commits((1..=first).rev());
        while let Some((tip, entries)) = commits.try_next().await? {
            for entry in entries.into_iter().rev() {
                let Event::Run(record) = entry.event else { continue };
                if skip.binary_search(&record.id).is_err() && !wanted(*record, tip.head()) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Every entry of the log in order, with its commit's number and its own, until the reader fails.
    pub async fn each_entry<E>(
        &self,
        mut read: impl FnMut(u64, u64, &Entry) -> Result<(), E>,
    ) -> Result<Result<(), E>, LedgerError> {
        let head = self.log().index.sequence;
        let mut commits = self.commits(1..=head);
        let mut number = 0;
        while let Some((tip, entries)) = commits.try_next().await? {
            for entry in &entries {
                if let Err(error) = read(tip.sequence, number, entry) {
                    return Ok(Err(error));
                }
                number += 1;
            }
        }
        Ok(Ok(()))
    }

    /// Everything recorded about a repository, or about one of its tags, oldest first, with the commits' numbers.
    pub async fn history(&self, key: &RepositoryKey, tag: Option<&Tag>) -> Result<Vec<(u64, Entry)>, LedgerError> {
        let view = self.view_now(key).await?;
        let unlisted = 1..=view.complete_after;
        let mut commits = self.commits(unlisted.chain(view.touches.into_iter().map(|touch| touch.0)));
        let mut history = Vec::new();
        while let Some((tip, entries)) = commits.try_next().await? {
            let about = entries.into_iter().filter(|entry| {
                let same_tag = tag.is_none_or(|tag| entry.event.tag() == Some(tag));
                entry.repository.as_ref() == Some(key) && same_tag
            });
            history.extend(about.map(|entry| (tip.sequence, entry)));
        }
        Ok(history)
    }
}
