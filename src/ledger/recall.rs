//! What the ledger knows of one repository: its view, brought up to date from the log where it lags.

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};

use super::index::Touch;
use super::read::Slot;
use super::view::View;
use super::{Ledger, LedgerError, cache};
use crate::model::{RepositoryKey, RepositoryState};

/// What a look at a repository's view came to.
pub(super) enum Recalled {
    /// Its view as of the head; an empty one if it was never recorded.
    Known(Box<View>),
    /// Its view is ahead of the head known here.
    Behind,
}

/// How many views are written at once.
const WRITES: usize = 16;

impl Ledger {
    /// What the ledger knows of a repository as of the head.
    pub async fn recall(&self, key: &RepositoryKey) -> Result<RepositoryState, LedgerError> {
        // Taken before looking: a look that turns out newer than it says only makes a later deletion wait a run.
        let mut as_of = self.log().index.sequence;
        let view = match self.view(key).await? {
            Recalled::Known(view) => *view,
            Recalled::Behind => {
                let writing = self.writing.lock().await;
                self.advance(0, None).await?;
                drop(writing);
                as_of = self.log().index.sequence;
                self.view_now(key).await?
            }
        };
        self.recalled().insert(key.clone(), as_of);
        Ok(view.state)
    }

    /// The view as of the head, even if the one in the store says that there is more: then that one is not believed.
    pub(super) async fn view_now(&self, key: &RepositoryKey) -> Result<View, LedgerError> {
        match self.view(key).await? {
            Recalled::Known(view) => Ok(*view),
            Recalled::Behind => self.replay(key, None).await,
        }
    }

    pub(super) async fn view(&self, key: &RepositoryKey) -> Result<Recalled, LedgerError> {
        let (origin, touches) = {
            let log = self.log();
            (log.index.origin.clone(), log.index.touches(key).to_vec())
        };
        let Some(latest) = touches.last().copied() else {
            return Ok(Recalled::Known(Box::new(View::new(&origin, key.clone()))));
        };
        let stored = self.stored_view(&origin, key).await;
        let view = match stored {
            Some(view) if view.latest() == Some(latest) => return Ok(Recalled::Known(Box::new(view))),
            Some(view) if view.latest().is_some_and(|ahead| ahead.0 > latest.0) => {
                return Ok(Recalled::Behind);
            }
            // It missed the last few: their numbers are at hand.
            Some(view) if view.latest().is_some_and(|known| touches.contains(&known)) => {
                self.catch_up(view, &touches).await?
            }
            Some(view) if self.confirms(&view).await => self.replay(key, Some(view)).await?,
            _ => self.replay(key, None).await?,
        };
        if self.access == super::Access::Write {
            // A cache: without it the next look costs what this one did.
            let _ = self.write_view(view.clone()).await;
        }
        Ok(Recalled::Known(Box::new(view)))
    }

    /// Whether the view's last commit is one of this log's.
    pub(super) async fn confirms(&self, view: &View) -> bool {
        let Some(latest) = view.latest() else { return false };
        match self.slot(latest.0).await {
            Ok(Slot::Whole(tip)) => Touch::new(latest.0, &tip.checkpoint.batch) == latest,
            _ => false,
        }
    }

    async fn catch_up(&self, mut view: View, touches: &[Touch]) -> Result<View, LedgerError> {
        let known = view.latest().map_or(0, |known| known.0);
        let missed: Vec<u64> = touches.iter().map(|touch| touch.0).filter(|sequence| *sequence > known).collect();
        let mut commits = self.commits(missed.into_iter());
        while let Some((tip, entries)) = commits.try_next().await? {
            view.apply(Touch::new(tip.sequence, &tip.checkpoint.batch), &entries);
        }
        Ok(view)
    }

    /// Reads the log for one repository, from a view or from the beginning, up to the head.
    async fn replay(&self, key: &RepositoryKey, from: Option<View>) -> Result<View, LedgerError> {
        let (origin, last) = {
            let log = self.log();
            (log.index.origin.clone(), log.index.touches(key).last().map_or(0, |touch| touch.0))
        };
        let mut view = from.unwrap_or_else(|| View::new(&origin, key.clone()));
        let first = view.latest().map_or(1, |known| known.0 + 1);
        let mut commits = self.commits(first..=last);
        while let Some((tip, entries)) = commits.try_next().await? {
            view.apply(Touch::new(tip.sequence, &tip.checkpoint.batch), &entries);
        }
        Ok(view)
    }

    pub(super) async fn write_views(&self, views: Vec<View>) -> Result<(), LedgerError> {
        let writes = futures::stream::iter(views).map(|view| self.write_view(view).boxed());
        writes.buffer_unordered(WRITES).try_collect::<()>().await
    }

    async fn write_view(&self, view: View) -> Result<(), LedgerError> {
        let packed = cache::pack(&view).map_err(|error| LedgerError::of_io(self.store.location(), error))?;
        self.store.cache(&View::path(&view.repository), packed).await
    }
}
