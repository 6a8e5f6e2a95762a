//! A moment, and how long ago it was.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// By two clocks: one stands still while a machine sleeps, and the other can be set. Whichever says more counts, so that a process that
/// was paused knows it (F86).
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    by_clock: Timestamp,
    by_process: Instant,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { by_clock: Timestamp::now(), by_process: Instant::now() }
    }

    /// So long ago by the clock on the wall alone, as for a process whose machine slept.
    #[cfg(test)]
    pub(super) fn ago(age: SignedDuration) -> Self {
        Self { by_clock: Timestamp::now() - age, by_process: Instant::now() }
    }

    pub(super) fn age(self) -> SignedDuration {
        let by_process = SignedDuration::try_from(self.by_process.elapsed()).unwrap_or(SignedDuration::MAX);
        Timestamp::now().duration_since(self.by_clock).max(by_process)
    }
}
