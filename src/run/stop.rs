//! When to end early: a signal, or a deadline. Asked before every repository and again right before every pin, so that
//! a process that was paused past its deadline changes nothing when it wakes (F86).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::model::Cause;

/// How long what is under way may take to end once it was asked to. A pod is killed 30 seconds after SIGTERM, and the
/// books must be closed before that (F88).
const GRACE: Duration = Duration::from_secs(5);

/// A request to end early, shared between whoever asks and the run.
#[derive(Debug, Clone)]
pub struct Stop {
    asked: Arc<watch::Sender<bool>>,
    deadline: Option<Instant>,
    grace: Duration,
}

/// The deadline passed and something still held the run up: by then nothing but the ledger's store can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the deadline passed before the run could end, and it was cut off: the ledger's store, or what signs for it, did not \
     answer; what was recorded stays, and the next run does the rest"
)]
pub struct CutOff;

impl Default for Stop {
    fn default() -> Self {
        Self { asked: Arc::new(watch::Sender::new(false)), deadline: None, grace: GRACE }
    }
}

impl Stop {
    /// Asks the run to end: what is under way is finished if it can be soon, nothing new begins.
    pub fn ask(&self) {
        self.asked.send_replace(true);
    }

    /// Whether to end.
    #[must_use]
    pub fn is_set(&self) -> bool {
        *self.asked.borrow() || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Why what was not reached was not: it was asked to end, or its own deadline passed.
    #[must_use]
    pub fn cause(&self) -> Cause {
        if *self.asked.borrow() { Cause::Interrupted } else { Cause::TimedOut }
    }

    /// Returns when it was asked for.
    pub async fn asked(&self) {
        let mut asked = self.asked.subscribe();
        if asked.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The same request, for a run that must be over after this time: it is asked to end early enough to finish what
    /// is under way and to close the books.
    #[must_use]
    pub fn with_deadline(&self, after: Option<Duration>) -> Self {
        let Some(after) = after else { return self.clone() };
        let grace = GRACE.min(after / 10);
        Self { asked: self.asked.clone(), deadline: Some(Instant::now() + after.saturating_sub(2 * grace)), grace }
    }

    /// The moment at which it becomes due by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Returns when even the books can no longer be closed: only a deadline brings this about. A ledger whose store
    /// hangs must not hold a run up (I20).
    pub async fn cut(&self) {
        match self.deadline {
            Some(deadline) => tokio::time::sleep_until((deadline + self.grace * 3 / 2).into()).await,
            None => std::future::pending().await,
        }
    }

    /// Carries this out, unless the deadline's last moment comes first.
    pub async fn in_time<T, E: From<CutOff>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        tokio::select! {
            done = work => done,
            () = self.cut() => Err(CutOff.into()),
        }
    }

    /// Returns when it is set, by whichever of the two.
    pub async fn set(&self) {
        let due = async {
            match self.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.asked() => {}
            () = due => {}
        }
    }

    /// Returns when what is still under way must be given up.
    pub async fn over(&self) {
        self.set().await;
        tokio::time::sleep(self.grace).await;
    }
}
