//! Waits of writers who met.

use std::time::Duration;

use prodpin_net::jitter;

/// The longest wait between two attempts.
const LONGEST: Duration = Duration::from_secs(2);

/// Waits for somewhere between nothing and a doubling span, so that writers who met do not meet again.
pub(super) async fn wait(first: Duration, attempt: u32) {
    tokio::time::sleep(jitter::part(jitter::backoff(first, attempt + 1, LONGEST))).await;
}
