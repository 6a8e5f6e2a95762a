//! Waits between tries, and the randomness in them and in names; nothing secret hangs on it.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// A number that no other process draws, and this one only once. The standard library seeds its hashers from the
/// operating system.
#[must_use]
pub fn draw() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Somewhere between nothing and the whole of it.
#[must_use]
pub fn part(whole: Duration) -> Duration {
    whole.mul_f64((draw() >> 11) as f64 / (1_u64 << 53) as f64)
}

/// The longest wait before another try, once so many failed: the first one's, doubled with each.
#[must_use]
pub fn backoff(first: Duration, failures: u32, longest: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(longest)
}

/// A wait of which half is certain and half left to chance, so that callers who failed together do not return as one.
#[must_use]
pub fn wait(backoff: Duration) -> Duration {
    backoff / 2 + part(backoff / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_limit_and_vary_f2_f38() {
        let (first, longest) = (Duration::from_millis(200), Duration::from_secs(20));
        for (failures, full) in [(0, 200), (1, 200), (2, 400), (5, 3200), (30, 20_000), (u32::MAX, 20_000)] {
            let backoff = backoff(first, failures, longest);
            assert_eq!(backoff.as_millis(), full);
            let waits: Vec<u128> = (0..50).map(|_| wait(backoff).as_millis()).collect();
            assert!(waits.iter().all(|wait| (full / 2..=full).contains(wait)), "{failures}: {waits:?}");
            assert!(waits.iter().any(|wait| *wait != waits[0]), "{failures}: all are the same");
        }
    }
}
