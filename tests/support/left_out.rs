//! What was not tried, said on the terminal.

use std::io::Write as _;

/// Says that something was left out. Written past the test harness, which would swallow it, and in one piece, because
/// other tests write at the same time.
pub(crate) fn left_out(what: &str, why: &str) {
    let _ = std::io::stderr().write_all(format!("left out: {what}: {why}\n").as_bytes());
}
