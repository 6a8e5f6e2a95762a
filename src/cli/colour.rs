//! Whether colours are wanted at all.

use std::sync::atomic::{AtomicBool, Ordering};

/// Said on the command line, for the process.
static NONE: AtomicBool = AtomicBool::new(false);

/// No colours, whatever the environment says.
pub(super) fn refuse() {
    NONE.store(true, Ordering::Relaxed);
}

/// Whether none are wanted: by the command line, or by `NO_COLOR`.
pub(super) fn is_refused() -> bool {
    NONE.load(Ordering::Relaxed) || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
