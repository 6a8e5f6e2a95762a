//! Every repository of a run, many at a time, until all are done or the run is to end.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::model::RepositoryKey;

use super::listing::{self, Listed, Shard};
use super::setup::Setup;
use super::{Progress, RunError, Stop};

/// How it ended.
pub(super) struct Ended {
    /// What came of listing each source.
    pub(super) listed: Vec<Listed>,
    /// Repositories that were found and not done.
    pub(super) left_out: u64,
    /// Whether work was cut off, because it did not end when it was asked to.
    pub(super) given_up: bool,
}

/// What part of the repositories to look at, and how.
pub(super) struct Round<'a> {
    pub(super) setup: &'a Arc<Setup>,
    pub(super) shard: Option<Shard>,
    pub(super) stop: &'a Stop,
    pub(super) progress: &'a dyn Progress,
}

impl Round<'_> {
    /// Lists the sources, works on each repository that is wanted, and hands over what came of it, one at a time.
    /// `over` returns when what is still under way must be given up.
    pub(super) async fn each<T, F>(
        self,
        over: &mut Pin<&mut impl Future<Output = ()>>,
        mut wanted: impl FnMut(&RepositoryKey) -> bool,
        work: impl Fn(RepositoryKey) -> F,
        mut take: impl AsyncFnMut(T) -> Result<(), RunError>,
    ) -> Result<Ended, RunError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, RunError>> + Send + 'static,
    {
        let Self { setup, shard, stop, progress } = self;
        let (found, mut repositories) = mpsc::channel(setup.concurrency);
        let mut listings = listing::start(setup, shard, &found, stop);
        drop(found);
        let mut tasks = JoinSet::new();
        let mut ended = Ended { listed: Vec::new(), left_out: 0, given_up: false };
        let mut listing_ended = false;
        while !ended.given_up && (!listing_ended || !tasks.is_empty()) {
            tokio::select! {
                next = repositories.recv(), if !listing_ended && tasks.len() < setup.concurrency => match next {
                    Some(key) if !wanted(&key) => {}
                    Some(_) if stop.is_set() => ended.left_out += 1,
                    Some(key) => {
                        progress.found();
                        let name = key.name.clone();
                        let work = work(key);
                        tasks.spawn(async move { (name, work.await) });
                    }
                    None => listing_ended = true,
                },
                Some(outcome) = tasks.join_next() => {
                    let (name, outcome) = outcome.map_err(|error| RunError::Defect(error.to_string()))?;
                    progress.done(name.as_str());
                    take(outcome?).await?;
                }
                () = &mut *over => ended.given_up = true,
            }
        }
        // What is still under way then waits for an answer that does not come; it is as if it had not begun.
        ended.left_out += tasks.len() as u64;
        tasks.shutdown().await;
        if ended.given_up {
            listings.shutdown().await;
        }
        while let Some(listed) = listings.join_next().await {
            ended.listed.push(listed.map_err(|error| RunError::Defect(error.to_string()))?);
        }
        Ok(ended)
    }
}
