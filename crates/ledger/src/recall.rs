//! What the ledger knows of one repository: its view where that is what the log says it must be, else made anew from the
//! commits that touched the repository.

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};

use super::repositories::Known;
use super::touch::Touch;
use super::view::{Body, View};
use super::{Ledger, LedgerError, cache};
use prodpin_core::model::{RepositoryKey, RepositoryState};

/// What a look at a repository's view came to.
pub(super) enum Recalled {
    /// Its view as of the head; an empty one if it was never recorded.
    Known(Box<View>),
    /// Its view says that it is ahead of the head known here.
    Behind,
}

/// What a view means that says it is ahead of the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    /// Another writer may have been quicker: it is reported, and the head is looked for anew.
    Tell,
    /// The head was just looked for: there is no such commit.
    IsFalse,
}

/// What is stored as a repository's view.
pub(super) enum Stored {
    /// Nothing that says anything: none, torn, or of another log or program.
    Nothing,
    /// What the log says it must be.
    Right(Box<View>),
    /// Of an earlier commit, it says: the packed file.
    Of(Touch, bytes::Bytes),
    /// Of a commit after the head, it says.
    Ahead,
    /// What nobody writes who follows the protocol.
    Wrong,
}

/// How many views are written at once.
const WRITES: usize = 16;

impl Ledger {
    /// What the ledger knows of a repository as of the head.
    pub async fn recall(&self, key: &RepositoryKey) -> Result<RepositoryState, LedgerError> {
        // Taken before looking: a look that turns out newer than it says only makes a later deletion wait a run.
        let as_of = self.log().index.sequence;
        let (view, as_of) = match self.view(key, Ahead::Tell).await? {
            Recalled::Known(view) => (*view, as_of),
            Recalled::Behind => {
                self.look_again().await?;
                let as_of = self.log().index.sequence;
                (self.view_now(key).await?, as_of)
            }
        };
        self.recalled().insert(key.clone(), as_of);
        Ok(view.body.state)
    }

    /// What is known of it wherever the log ends now, without a look that would follow: what is said of tags and pins is still
    /// held against what was recalled before.
    pub async fn recall_again(&self, key: &RepositoryKey) -> Result<RepositoryState, LedgerError> {
        self.look_again().await?;
        Ok(self.view_at_head(key).await?.body.state)
    }

    /// Moves the head to where the log ends now.
    pub async fn look_again(&self) -> Result<(), LedgerError> {
        let writing = self.writing.lock().await;
        self.advance(0, None).await?;
        drop(writing);
        Ok(())
    }

    /// The view as of the head, wherever that is by then. Never called while the head is held.
    pub(super) async fn view_at_head(&self, key: &RepositoryKey) -> Result<View, LedgerError> {
        match self.view(key, Ahead::Tell).await? {
            Recalled::Known(view) => Ok(*view),
            Recalled::Behind => {
                self.look_again().await?;
                self.view_now(key).await
            }
        }
    }

    /// The view as of the head, even if the one in the store says that there is more: then that one is not believed.
    pub(super) async fn view_now(&self, key: &RepositoryKey) -> Result<View, LedgerError> {
        match self.view(key, Ahead::IsFalse).await? {
            Recalled::Known(view) => Ok(*view),
            Recalled::Behind => self.made_anew(key).await,
        }
    }

    async fn made_anew(&self, key: &RepositoryKey) -> Result<View, LedgerError> {
        let Some(known) = self.log().index.repositories.get(key).cloned() else {
            return Ok(View::new(key.clone()));
        };
        Ok(self.make_view(key, &known, None).await?.view)
    }

    pub(super) async fn view(&self, key: &RepositoryKey, ahead: Ahead) -> Result<Recalled, LedgerError> {
        let known = self.log().index.repositories.get(key).cloned();
        let Some(known) = known else {
            return Ok(Recalled::Known(Box::new(View::new(key.clone()))));
        };
        let (base, wrong) = match self.stored_view(key, &known).await {
            Stored::Right(view) => return Ok(Recalled::Known(view)),
            Stored::Ahead if ahead == Ahead::Tell => return Ok(Recalled::Behind),
            Stored::Of(touch, packed) => (Some((touch, packed)), false),
            Stored::Nothing => (None, false),
            Stored::Ahead | Stored::Wrong => (None, true),
        };
        let made = self.make_view(key, &known, base).await?;
        if wrong || made.base_was_wrong {
            let commits = made.commits;
            self.distrust(format!(
                "the view of {key} does not match the signed checkpoints; it was rebuilt from {commits} {}",
                if commits == 1 { "commit" } else { "commits" }
            ));
        }
        self.keep_view(&known, &made.view).await;
        Ok(Recalled::Known(Box::new(made.view)))
    }

    /// Stores a view that was made anew, and notes what it is where the log does not say it yet.
    async fn keep_view(&self, known: &Known, view: &View) {
        let commitment = view.commitment();
        if known.view != Some(commitment) {
            let mut log = self.log_mut();
            let (key, latest) = (&view.repository, view.latest.clone());
            if let Some(latest) = latest.filter(|latest| log.index.touch(key) == Some(latest)) {
                log.index.repositories.set(key, latest, Some(commitment));
            }
        }
        if self.access == super::Access::Write {
            // A cache: without it the next look costs what this one did.
            let _ = self.write_view(view).await;
        }
    }

    /// What is stored as a repository's view, judged by what the log says of it.
    pub(super) async fn stored_view(&self, key: &RepositoryKey, known: &Known) -> Stored {
        self.judge_stored(key, known, self.store.cached(&View::path(key)).await)
    }

    pub(super) fn judge_stored(&self, key: &RepositoryKey, known: &Known, packed: Option<bytes::Bytes>) -> Stored {
        let Some(packed) = packed else { return Stored::Nothing };
        let Some(envelope) = cache::envelope(&packed) else { return Stored::Nothing };
        let (origin, head) = {
            let log = self.log();
            (log.index.origin.clone(), log.index.sequence)
        };
        if envelope.origin != origin {
            return Stored::Nothing;
        }
        if envelope.repository.as_ref() != Some(key) {
            return Stored::Wrong;
        }
        let Some(latest) = envelope.latest else { return Stored::Wrong };
        if latest == known.touch {
            let promised = known.view.filter(super::commitment::Commitment::is_own_form);
            // Nobody speaks for it: what a program before wrote in another form is made anew once.
            let Some(promised) = promised else { return Stored::Nothing };
            return match cache::read::<Body>(&packed, &promised) {
                Ok(body) => Stored::Right(Box::new(View { repository: key.clone(), latest: Some(latest), body })),
                Err(cache::Unfit::Torn) => Stored::Nothing,
                Err(cache::Unfit::Other) => Stored::Wrong,
            };
        }
        if latest.0 > head {
            return Stored::Ahead;
        }
        if latest.0 >= known.touch.0 { Stored::Wrong } else { Stored::Of(latest, packed) }
    }

    pub(super) async fn write_views(&self, views: Vec<View>) -> Result<(), LedgerError> {
        let writes = futures::stream::iter(views).map(|view| async move { self.write_view(&view).await }.boxed());
        writes.buffer_unordered(WRITES).try_collect::<()>().await
    }

    async fn write_view(&self, view: &View) -> Result<(), LedgerError> {
        let origin = self.log().index.origin.clone();
        let packed = view.pack(&origin).map_err(|error| LedgerError::of_io(self.store.location(), error))?;
        self.store.cache(&View::path(&view.repository), packed).await
    }
}
