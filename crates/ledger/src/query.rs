//! Looking back: runs, and what happened to a repository.

use std::collections::BTreeSet;

use futures::TryStreamExt as _;
use jiff::Timestamp;

use super::batch::Batch;
use super::index::{Closed, RUNS_KEPT};
use super::read::{Slot, Tip, batch_path, checkpoint_path};
use super::touch::Touch;
use super::{Head, Ledger, LedgerError, batch, key_rotation};
use prodpin_core::model::{Entry, Event, RepositoryKey, RunId, RunRecord, RunScope, Tag};

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

    /// The latest run records, newest first, up to one of which `last` says that no older one is asked for.
    pub async fn runs_until(
        &self,
        mut last: impl FnMut(&RunRecord, &Head) -> bool + Send,
    ) -> Result<Vec<(RunRecord, Head)>, LedgerError> {
        let (at_hand, _) = self.runs_at_hand();
        let may_be_more = at_hand.len() == RUNS_KEPT;
        let mut runs = Vec::new();
        for (run, head) in at_hand {
            let ends = last(&run, &head);
            runs.push((run, head));
            if ends {
                return Ok(runs);
            }
        }
        if may_be_more {
            self.older_runs(|run, head| {
                let ends = last(&run, &head);
                runs.push((run, head));
                !ends
            })
            .await?;
        }
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

    /// The runs whose ids begin so, newest first: two at most, for one is asked for.
    pub async fn runs_that_begin(&self, prefix: &str) -> Result<Vec<(RunRecord, Head)>, LedgerError> {
        let begins = |run: &RunRecord| run.id.as_str().starts_with(prefix);
        let (runs, all) = self.runs_at_hand();
        // Ids begin with the time of the start: what is older than one that does not begin so does not either.
        let may_be_older = !all && runs.last().is_none_or(|(run, _)| begins(run));
        let mut found: Vec<_> = runs.into_iter().filter(|(run, _)| begins(run)).take(2).collect();
        if found.is_empty() && !all || found.len() < 2 && may_be_older {
            self.older_runs(|run, head| {
                if begins(&run) {
                    found.push((run, head));
                }
                found.len() < 2
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
        let recent = log.index.runs.iter().map(|run| (&run.record.scope, run.record.started));
        // Runs that events asked for may have pushed the others out of the recent ones.
        let remembered = log.index.latest.iter().map(|(scope, started)| (scope, *started));
        let past = recent.chain(remembered).filter(|(other, started)| covers(other) && *started <= now);
        past.map(|(_, started)| started).max()
    }

    /// The run records that need no reading, newest first, and whether those are all.
    fn runs_at_hand(&self) -> (Vec<(RunRecord, Head)>, bool) {
        let log = self.log();
        let runs: Vec<_> = log.index.runs.iter().rev().map(|run| (run.record.clone(), run.head)).collect();
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
        // Its own commits begin there; before them only where clocks differ. Where to look is nobody's word: what is found
        // is proven.
        let (after, before) = (low..=last.min(low + NEAR), low.saturating_sub(NEAR / 8).max(1)..low);
        let mut commits = self.fetch(after.chain(before.rev()));
        while let Some((_, slot, packed)) = commits.try_next().await? {
            let Slot::Whole(tip) = slot else { continue };
            let Ok(lines) = self.unpack(&tip, packed.as_deref()) else { continue };
            let Ok(batch) = self.entries(&tip, &lines) else { continue };
            for (nth, entry) in batch.entries.into_iter().enumerate() {
                match entry.event {
                    Event::Run(record) if record.id == *id => {
                        return Ok(self.is_proven(&tip, &lines, nth).await.then(|| (*record, tip.head())));
                    }
                    _ => {}
                }
            }
        }
        Ok(None)
    }

    /// Whether an entry of a commit lies in the head's tree, and the commit is what it says: for what was found by looking
    /// at one commit, without what leads there from the head.
    async fn is_proven(&self, tip: &Tip, lines: &[u8], nth: usize) -> bool {
        let count = batch::lines(lines).count() as u64;
        let (Some(line), Some(first)) = (batch::lines(lines).nth(nth), tip.checkpoint.size.checked_sub(count)) else {
            return false;
        };
        if key_rotation::holds(tip).is_err() || !self.is_key_of_this_log(tip).await {
            return false;
        }
        self.is_entry(first + nth as u64, line).await && self.vouch(tip).await.is_ok()
    }

    async fn is_key_of_this_log(&self, tip: &Tip) -> bool {
        match &tip.checkpoint.key {
            Some(key) => {
                self.signed_by().as_ref() == Some(&key.key) || self.descends_from(&key.key).await.unwrap_or(false)
            }
            None => true,
        }
    }

    /// The run that made a commit, or the last whole one before it: one line of its batch says so.
    async fn run_of(&self, sequence: u64) -> Result<Option<RunId>, LedgerError> {
        let Some(tip) = self.whole_before(sequence + 1).await? else { return Ok(None) };
        // Only where to look: what is damaged, or was written by somebody else, is found by whoever reads it.
        let packed = self.store.get(&batch_path(&tip.checkpoint.batch)).await.unwrap_or_default();
        let Ok(lines) = self.unpack(&tip, packed.as_deref()) else { return Ok(None) };
        let first = batch::lines(&lines).next().and_then(batch::entry);
        Ok(first.map(|(entry, _)| entry.run))
    }

    /// Reads older batches backwards, until there are no more or no more are wanted: from a commit that the index speaks
    /// for, each by the hash that the one after it states.
    async fn older_runs(&self, mut wanted: impl FnMut(RunRecord, Head) -> bool + Send) -> Result<(), LedgerError> {
        let (first, skip) = {
            let log = self.log();
            // One commit may close several runs, of which only some are at hand.
            let skip: BTreeSet<RunId> = log.index.runs.iter().map(|run| run.record.id.clone()).collect();
            (log.index.runs.front().cloned(), skip)
        };
        let Some(first) = first else { return Ok(()) };
        let mut commits = self.fetch((1..=first.head.sequence).rev());
        let mut expected = Expected::Commit(Box::new(first));
        let mut passed = None;
        while let Some((sequence, slot, packed)) = commits.try_next().await? {
            let tip = match slot {
                Slot::Whole(tip) if expected.is(&tip) => tip,
                // None of this chain: whether one is missing is known when the first commit was not reached.
                _ => {
                    passed = passed.or(Some(sequence));
                    continue;
                }
            };
            passed = None;
            expected = Expected::Hash(tip.checkpoint.previous.clone());
            let lines = self.unpack(&tip, packed.as_deref())?;
            for entry in self.entries(&tip, &lines)?.entries.into_iter().rev() {
                let Event::Run(record) = entry.event else { continue };
                if !skip.contains(&record.id) && !wanted(*record, tip.head()) {
                    return Ok(());
                }
            }
        }
        match passed.filter(|_| !matches!(expected, Expected::Hash(None))) {
            Some(sequence) => {
                let name = checkpoint_path(sequence);
                Err(self.store.corrupt(format!("{name} is missing, or is not the one that later ones name")))
            }
            None => Ok(()),
        }
    }

    /// Every entry of the log in order, with its commit's number and its own, until the reader fails.
    pub async fn each_entry<E>(
        &self,
        mut read: impl FnMut(u64, u64, &Entry) -> Result<(), E>,
    ) -> Result<Result<(), E>, LedgerError> {
        let head = self.log().index.sequence;
        let mut commits = self.linked(head);
        let mut number = 0;
        while let Some((tip, batch)) = commits.try_next().await? {
            for entry in &batch.entries {
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
        let view = self.view_at_head(key).await?;
        let mut history = Vec::new();
        let mut take = |sequence: u64, batch: Batch| {
            let about = batch.entries.into_iter().filter(|entry| {
                let same_tag = tag.is_none_or(|tag| entry.event.tags().any(|about| about == tag));
                entry.repository.as_ref() == Some(key) && same_tag
            });
            history.extend(about.map(|entry| (sequence, entry)));
        };
        let touches: Vec<Touch> = view.touches().cloned().collect();
        if let Some(oldest) = touches.first().filter(|_| view.body.complete_after > 0) {
            let Before { unlinked, linked } = self.before(key, oldest).await?;
            let mut commits = self.linked(unlinked);
            while let Some((tip, batch)) = commits.try_next().await? {
                take(tip.sequence, batch);
            }
            drop(commits);
            let mut batches = self.batches(linked);
            while let Some((touch, batch)) = batches.try_next().await? {
                take(touch.0, batch);
            }
        }
        let mut batches = self.batches(touches);
        while let Some((touch, batch)) = batches.try_next().await? {
            take(touch.0, batch);
        }
        Ok(history)
    }

    /// The commits that touched a repository before this one, from link to link.
    pub(super) async fn before(&self, key: &RepositoryKey, touch: &Touch) -> Result<Before, LedgerError> {
        let (mut linked, mut at) = (Vec::new(), touch.clone());
        loop {
            let batch = self.batch_of(&at).await?;
            match batch.links.get(key).map(|link| link.after.clone()) {
                Some(Some(after)) => {
                    linked.push(after.clone());
                    at = after;
                }
                Some(None) => {
                    linked.reverse();
                    return Ok(Before { unlinked: 0, linked });
                }
                // Made by a program before: from the first commit on, each is read.
                None => {
                    linked.pop();
                    linked.reverse();
                    return Ok(Before { unlinked: if at == *touch { at.0 - 1 } else { at.0 }, linked });
                }
            }
        }
    }
}

/// Where a repository's commits before some commit lie.
pub(super) struct Before {
    /// Somewhere up to this one.
    pub(super) unlinked: u64,
    /// And these, oldest first.
    pub(super) linked: Vec<Touch>,
}

/// What the commit before must be, on the way back.
enum Expected {
    /// Where a run is that the index speaks for.
    Commit(Box<Closed>),
    /// What the checkpoint after it says that this one hashes to.
    Hash(Option<prodpin_core::model::Digest>),
}

impl Expected {
    fn is(&self, tip: &Tip) -> bool {
        match self {
            Self::Commit(closed) => tip.head() == closed.head && tip.checkpoint.previous == closed.previous,
            Self::Hash(digest) => digest.as_ref() == Some(&tip.digest),
        }
    }
}
