//! The only orchestration: observe, recall, plan, apply, record, commit, report.

use std::time::Duration;

use crate::model::{Mode, SourceName};
use crate::policy::Policy;
use crate::report::body::Report;

/// How a run is meant.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Audit, enforce, or enforce without the pins.
    pub mode: Mode,
    /// Only these sources; all of them if empty.
    pub sources: Vec<SourceName>,
    /// Only this share of the repositories.
    pub shard: Option<Shard>,
    /// Repositories in flight at once.
    pub concurrency: usize,
    /// The run ends before this much time has passed, and says `incomplete` if it was not done.
    pub deadline: Option<Duration>,
    /// Asked to end early: no repository is begun any more, what was done is committed, the run says `incomplete` (F88).
    pub stop: Stop,
}

/// A wish to end early, that anyone may look at or wait for.
#[derive(Debug, Clone)]
pub struct Stop(Option<tokio::sync::watch::Receiver<bool>>);

impl Stop {
    /// For a run that nobody interrupts.
    #[must_use]
    pub fn never() -> Self {
        Self(None)
    }

    /// A wish that comes true when `true` is sent.
    #[must_use]
    pub fn when(asked: tokio::sync::watch::Receiver<bool>) -> Self {
        Self(Some(asked))
    }

    /// Whether the run was asked to end.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.as_ref().is_some_and(|asked| *asked.borrow())
    }

    /// Returns once the run is asked to end; never, if nobody can ask any more.
    pub async fn asked(&self) {
        if let Some(asked) = &self.0
            && asked.clone().wait_for(|asked| *asked).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

/// One of several disjoint shares of an estate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    pub index: u32,
    /// How many there are.
    pub count: u32,
}

/// Told as a run goes on, for a progress bar. Nothing depends on it.
pub trait Progress: Send + Sync {
    /// A repository was found.
    fn found(&self) {}
    /// A repository is done.
    fn done(&self, _name: &str) {}
}

/// Why a run could not be carried out at all. What could not be read is no such error: it is in the report.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A source could not be set up.
    #[error("source {source_name}: {detail}")]
    Source {
        /// Its name in the policy.
        source_name: SourceName,
        /// What is wrong and what to do.
        detail: String,
    },
}

/// Runs once.
pub async fn run(policy: &Policy, options: &RunOptions, progress: &dyn Progress) -> Result<Report, RunError> {
    let _ = (policy, options, progress);
    unimplemented!()
}
