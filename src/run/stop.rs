//! When to end early: a signal, or a deadline. Asked before every repository and again right before every pin, so that
//! a process that was paused past its deadline changes nothing when it wakes (F86).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::model::Cause;
use crate::sources::REMOVAL_TAKES;

/// How long what is under way may take to end once it was asked to. A pod is killed 30 seconds after SIGTERM, and the
/// books must be closed before that (F88).
const GRACE: Duration = Duration::from_secs(5);

/// What everything else waits for gets at least so much of a run's time, so that a short deadline does not cut off a
/// server that is merely slow.
const SHARE_FLOOR: Duration = Duration::from_secs(5);

/// The end of a run is reserved from its start (I28): for closing the books, and for telling people. In a short run both
/// are shorter.
const BOOKS: Duration = Duration::from_secs(20);
const TELLING: Duration = Duration::from_secs(20);

/// The last call that removes a pin has arrived so long after a word on record that the pin is to stay: the log was read 10 seconds
/// before such a call at the most, the call is given up after 20, and 30 are left for what is still under way then.
const REMOVALS: Duration = REMOVAL_TAKES.saturating_mul(3);

/// A request to end early, shared between whoever asks and the run.
#[derive(Debug, Clone)]
pub struct Stop {
    asked: Arc<watch::Sender<bool>>,
    deadline: Option<Instant>,
    grace: Duration,
    books: Duration,
    removals: Duration,
    /// All the time that there was, for a person.
    after: Option<Duration>,
}

/// The deadline passed and something still held the run up: by then nothing but the ledger's store can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the deadline passed before the run could end, and it was cut off: the ledger's store, what signs for it, or a source's last \
     answer did not come in time; what was recorded stays, and the next run does the rest"
)]
pub struct CutOff;

impl Default for Stop {
    fn default() -> Self {
        let asked = Arc::new(watch::Sender::new(false));
        Self { asked, deadline: None, grace: GRACE, books: BOOKS, removals: REMOVALS, after: None }
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
    /// is under way, to close the books, and to tell whom there is to tell.
    #[must_use]
    pub fn with_deadline(&self, after: Option<Duration>) -> Self {
        let Some(after) = after else { return self.clone() };
        let part = |most: Duration| most.min(after / 10);
        let (grace, books) = (part(GRACE), part(BOOKS));
        let work = after.saturating_sub(grace + books + part(TELLING));
        let deadline = Some(Instant::now() + work);
        Self { asked: self.asked.clone(), deadline, grace, books, removals: self.removals, after: Some(after) }
    }

    /// The same request, for a world in which calls that remove pins arrive sooner: what tests have.
    #[must_use]
    pub fn with_removals_within(self, removals: Duration) -> Self {
        Self { removals, ..self }
    }

    /// Waits until no call is under way any more that removes a pin and was sent before. False if the run is to end before.
    pub async fn waits_for_removals(&self) -> bool {
        tokio::select! {
            () = tokio::time::sleep(self.removals) => true,
            () = self.set() => false,
        }
    }

    /// Why a run was not done, for a person.
    #[must_use]
    pub fn reason(&self) -> String {
        match self.after {
            Some(after) if self.cause() == Cause::TimedOut => {
                format!("the deadline of {} s was reached", (after.as_secs_f64() * 10.0).round() / 10.0)
            }
            _ => "the run was asked to end".to_owned(),
        }
    }

    /// The moment at which it becomes due by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Until when something may take that everything else waits for: a third of the time that is left, or five seconds if
    /// that is more, and never more than half. None where there is no deadline.
    #[must_use]
    pub fn share(&self) -> Option<Instant> {
        let (deadline, now) = (self.deadline?, Instant::now());
        let left = deadline.saturating_duration_since(now);
        Some(now + (left / 3).max(SHARE_FLOOR.min(left / 2)))
    }

    /// Returns when even the books can no longer be closed: only a deadline brings this about. A ledger whose store
    /// hangs must not hold a run up (I20).
    pub async fn cut(&self) {
        match self.deadline {
            Some(deadline) => tokio::time::sleep_until((deadline + self.grace + self.books).into()).await,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_run_is_reserved_i28() {
        for (after, work, cut) in [(15, 10.5, 13.5), (60, 43.0, 54.0), (720, 675.0, 700.0), (3600, 3555.0, 3580.0)] {
            let (now, stop) = (Instant::now(), Stop::default().with_deadline(Some(Duration::from_secs(after))));
            let left = |at: Instant| (at.duration_since(now).as_secs_f64() * 10.0).round() / 10.0;
            let deadline = stop.deadline().unwrap();
            assert_eq!((left(deadline), left(deadline + stop.grace + stop.books)), (work, cut), "{after} s");
        }
    }

    #[test]
    fn what_all_wait_for_leaves_most_of_the_time_to_the_rest_i28_f134() {
        let share = |seconds: u64| {
            let stop = Stop { deadline: Some(Instant::now() + Duration::from_secs(seconds)), ..Stop::default() };
            stop.share().unwrap().saturating_duration_since(Instant::now()).as_secs_f64().round() as u64
        };
        assert_eq!((share(4), share(12), share(60), share(720)), (2, 5, 20, 240));
        assert_eq!(Stop::default().share(), None);
    }
}
