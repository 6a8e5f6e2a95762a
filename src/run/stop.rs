//! When to end early: a signal, or a deadline. Asked before every repository and again right before every pin, so that
//! a process that was paused past its deadline changes nothing when it wakes (F86).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A request to end early, shared between whoever asks and the run.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Stop {
    /// Asks the run to end: what is under way is finished, nothing new begins.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Whether to end.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.asked.load(Ordering::Relaxed) || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// The same request, with a moment at which it becomes due by itself.
    #[must_use]
    pub fn with_deadline(&self, after: Option<Duration>) -> Self {
        let deadline = after.map(|after| Instant::now() + after).or(self.deadline);
        Self { asked: self.asked.clone(), deadline }
    }

    /// That moment.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}
