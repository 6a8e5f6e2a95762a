//! The pace of calls that an account has few of. ECR takes ten `PutImage` a second in an account and region, whoever sends them
//! (A7).

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two writes, so that half of the quota is left to those who push.
const APART: Duration = Duration::from_millis(200);

/// Writes that may follow each other at once.
const BURST: u32 = 5;

/// Turns, one after the other.
#[derive(Debug)]
pub(super) struct Pace {
    /// Between two of them.
    apart: Duration,
    /// So many may follow each other at once.
    burst: u32,
    /// When the next turn would be if nobody had waited before.
    next: Mutex<Option<Instant>>,
}

/// That of writes.
impl Default for Pace {
    fn default() -> Self {
        Self { apart: APART, burst: BURST, next: Mutex::default() }
    }
}

impl Pace {
    /// The one pace of writes in an account and region. The quota is the account's, so it is this whole process's, however many
    /// sources look at it.
    pub(super) fn for_account(place: &str) -> Arc<Self> {
        Self::of(place, APART, BURST)
    }

    /// The one pace of calls at a place.
    pub(super) fn of(place: &str, apart: Duration, burst: u32) -> Arc<Self> {
        static PACES: LazyLock<Mutex<HashMap<String, Arc<Pace>>>> = LazyLock::new(Mutex::default);
        let mut paces = PACES.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Self { apart, burst, next: Mutex::default() });
        Arc::clone(paces.entry(place.to_owned()).or_insert_with(new))
    }

    /// Waits for a turn; not where it would come too late.
    pub(super) async fn turn(&self, deadline: Option<Instant>) -> Result<(), TooLate> {
        let now = Instant::now();
        let at = self.take(now, deadline)?;
        tokio::time::sleep_until(at.into()).await;
        Ok(())
    }

    fn take(&self, now: Instant, deadline: Option<Instant>) -> Result<Instant, TooLate> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(self.apart * (self.burst - 1)).unwrap_or(now);
        let slot = next.unwrap_or(earliest).max(earliest);
        let at = slot.max(now);
        if deadline.is_some_and(|end| at >= end) {
            return Err(TooLate);
        }
        *next = Some(slot + self.apart);
        Ok(at)
    }
}

/// The turn would come after the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLate;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_one_by_one_a7() {
        let (pace, now) = (Pace::default(), Instant::now());
        let waits: Vec<u128> = (0..8).map(|_| (pace.take(now, None).unwrap() - now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 200, 400, 600]);
        let soon = now + Duration::from_millis(100);
        assert_eq!(pace.take(now, Some(soon)), Err(TooLate));
        let later = now + Duration::from_secs(60);
        assert_eq!(pace.take(later, None), Ok(later), "who waited long enough has a burst again, and no more");
        let waits: Vec<u128> = (0..6).map(|_| (pace.take(later, None).unwrap() - later).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 200, 400]);
    }

    #[test]
    fn sources_of_one_place_share_a_pace() {
        assert!(Arc::ptr_eq(&Pace::for_account("a pace of tests"), &Pace::for_account("a pace of tests")));
        assert!(!Arc::ptr_eq(&Pace::for_account("a pace of tests"), &Pace::for_account("another pace of tests")));
    }
}
