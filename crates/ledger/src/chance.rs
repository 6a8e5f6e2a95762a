//! Randomness for names and waits; nothing secret hangs on it.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// A number that no other process draws, and this one only once. The standard library seeds its hashers from the
/// operating system.
pub(super) fn draw() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// The longest wait between two attempts.
const LONGEST: Duration = Duration::from_secs(2);

/// Waits for somewhere between nothing and a doubling span, so that writers who met do not meet again.
pub(super) async fn wait(first: Duration, attempt: u32) {
    let span = first.saturating_mul(1 << attempt.min(10)).min(LONGEST);
    let share = draw() % 1024;
    tokio::time::sleep(span.mul_f64(share as f64 / 1024.0)).await;
}
