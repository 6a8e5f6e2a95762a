//! Making all views anew while the log is read from its first commit, in bounded memory, and keeping what was done so far:
//! a run that is cut off meanwhile leaves the next one less to read (F111).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;

use super::batch::Batch;
use super::read::Tip;
use super::recall::Stored;
use super::touch::Touch;
use super::view::{View, by_repository};
use super::{Access, Ledger, LedgerError};
use prodpin_core::model::RepositoryKey;

/// How many tags, and artifacts that they pointed at, are held over all repositories before the views are written out.
const WEIGHT: usize = 300_000;

/// After so many commits, or so much time, what was done so far is written out.
const COMMITS: u64 = 500;
const TIME: Duration = Duration::from_secs(5);

/// Views in the making. Without this, an estate whose caches are lost would read the whole log once per repository.
pub(super) struct Rebuild {
    views: HashMap<RepositoryKey, RebuiltView>,
    weight: usize,
    /// Those that cannot be gone on with, because what was written out of them is gone, or was never made.
    lost: HashSet<RepositoryKey>,
    /// Only these, from their beginning.
    only: Option<HashSet<RepositoryKey>>,
    /// Whether all of it is made, from the first commit on.
    saves: bool,
    /// Commits since the last time that progress was kept.
    commits: u64,
    since: Instant,
}

struct RebuiltView {
    view: View,
    changed: bool,
    /// Whether the log says what the view is: programs before did not.
    reported: bool,
}

impl Rebuild {
    pub(super) fn new(saves: bool) -> Self {
        Self {
            views: HashMap::new(),
            weight: 0,
            lost: HashSet::new(),
            only: None,
            saves,
            commits: 0,
            since: Instant::now(),
        }
    }

    /// Folds one commit into the views of the repositories it touches. Called before the index knows of it.
    pub(super) async fn take(&mut self, ledger: &Ledger, tip: &Tip, batch: &Batch) {
        // From here on checkpoints state the index, and through it what each view is.
        if tip.checkpoint.stated.is_some() {
            self.tell(ledger);
        }
        let touch = Touch(tip.sequence, tip.checkpoint.batch.clone());
        for (key, entries) in by_repository(batch) {
            if self.only.as_ref().is_some_and(|only| !only.contains(key)) {
                continue;
            }
            let Some(held) = self.hold(ledger, key).await else { continue };
            let before = held.view.weight();
            held.view.apply(&touch, entries);
            (held.changed, held.reported) = (true, batch.links.contains_key(key));
            // A pin that was lost makes it lighter.
            let after = held.view.weight();
            self.weight = (self.weight + after).saturating_sub(before);
        }
        self.commits += 1;
    }

    /// Writes out what is too much to hold, and keeps what was done, now and then. Called once the index knows.
    pub(super) async fn relieve(&mut self, ledger: &Ledger) {
        let due = self.commits >= COMMITS || self.since.elapsed() >= TIME;
        if self.weight > WEIGHT || (self.saves && due) {
            self.flush(ledger).await;
        }
        if self.saves && due {
            self.tell(ledger);
            // Tiles before the index: whoever starts from it does not look before it.
            let kept = match ledger.access {
                Access::Write => match ledger.write_tiles().await {
                    Ok(()) => ledger.write_index().await,
                    Err(error) => Err(error),
                },
                Access::Read => Ok(()),
            };
            if let Err(error) = kept {
                tracing::warn!(ledger = ledger.store.location(), %error, "progress could not be kept");
            }
            (self.commits, self.since) = (0, Instant::now());
        }
    }

    /// The repository's view so far. None if it was held, written out and then lost.
    async fn hold(&mut self, ledger: &Ledger, key: &RepositoryKey) -> Option<&mut RebuiltView> {
        if self.lost.contains(key) {
            return None;
        }
        if !self.views.contains_key(key) {
            let known = ledger.log().index.repositories.get(key).cloned();
            let view = match known {
                Some(known) => match ledger.stored_view(key, &known).await {
                    Stored::Right(view) => *view,
                    _ => {
                        self.lost.insert(key.clone());
                        return None;
                    }
                },
                None => View::new(key.clone()),
            };
            self.weight += view.weight();
            self.views.insert(key.clone(), RebuiltView { view, changed: false, reported: true });
        }
        self.views.get_mut(key)
    }

    /// Says in the index what views are of which the log does not say it.
    fn tell(&mut self, ledger: &Ledger) {
        let mut log = ledger.log_mut();
        for held in self.views.values_mut().filter(|held| !held.reported) {
            tell_one(&mut log, held);
        }
    }

    async fn flush(&mut self, ledger: &Ledger) {
        let mut changed = Vec::new();
        for (_, mut held) in self.views.drain() {
            if !held.reported {
                tell_one(&mut ledger.log_mut(), &mut held);
            }
            if held.changed {
                changed.push(held.view);
            }
        }
        // Caches: without them the next look reads the log. Whether the ledger can be written to at all is shown by the
        // index, which is written last.
        if let Err(error) = ledger.write_views(changed).await {
            tracing::warn!(ledger = ledger.store.location(), %error, "a cache could not be written; the log is complete");
        }
        self.weight = 0;
    }

    /// Writes out the rest, and makes those once more that could not be gone on with.
    pub(super) async fn finish(mut self, ledger: &Ledger) -> Result<(), LedgerError> {
        self.flush(ledger).await;
        let missing: BTreeSet<RepositoryKey> = ledger.log().index.repositories.unreported().collect();
        let missing: HashSet<RepositoryKey> = missing.into_iter().chain(self.lost.drain()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let mut missing = missing;
        while !missing.is_empty() {
            let mut again = Self::new(false);
            again.only = Some(missing);
            let mut commits = ledger.linked(ledger.log().index.sequence);
            while let Some((tip, batch)) = commits.try_next().await? {
                again.again(&tip, &batch);
            }
            drop(commits);
            missing = std::mem::take(&mut again.lost);
            again.flush(ledger).await;
        }
        Ok(())
    }

    /// One commit of a second reading: nothing is written out before its end, and what is too much waits for a third.
    fn again(&mut self, tip: &Tip, batch: &Batch) {
        let touch = Touch(tip.sequence, tip.checkpoint.batch.clone());
        for (key, entries) in by_repository(batch) {
            let wanted = self.only.as_ref().is_some_and(|only| only.contains(key));
            if !wanted || self.lost.contains(key) {
                continue;
            }
            let fresh = || RebuiltView { view: View::new(key.clone()), changed: true, reported: false };
            let held = self.views.entry(key.clone()).or_insert_with(fresh);
            let before = held.view.weight();
            held.view.apply(&touch, entries);
            self.weight = (self.weight + held.view.weight()).saturating_sub(before);
        }
        while self.weight > WEIGHT && self.views.len() > 1 {
            let Some(key) = self.views.keys().next().cloned() else { return };
            let weight = self.views.remove(&key).map_or(0, |held| held.view.weight());
            self.weight = self.weight.saturating_sub(weight);
            self.lost.insert(key);
        }
    }
}

/// Notes in the index what a view is, if it is of the repository's latest commit there.
fn tell_one(log: &mut super::Log, held: &mut RebuiltView) {
    held.reported = true;
    let Some(latest) = &held.view.latest else { return };
    if log.index.touch(&held.view.repository) == Some(latest) {
        log.index.repositories.set(&held.view.repository, latest.clone(), Some(held.view.commitment()));
    }
}
