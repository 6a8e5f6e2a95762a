//! A progress bar, on a terminal only.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::escape::terminal;
use crate::run::Progress;

/// Tells how far a run is. Where stderr is no terminal, it does nothing.
#[derive(Clone)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new(quiet: bool) -> Self {
        if quiet || !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos}/{len} repositories  {wide_msg}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Shows itself from now on: commands that answer at once never flash a bar.
    pub(super) fn show(&self) {
        if self.0.length().is_some() && io::stderr().is_terminal() {
            self.0.set_draw_target(ProgressDrawTarget::stderr());
            self.0.enable_steady_tick(Duration::from_millis(120));
        }
    }

    /// Writes something else to stderr meanwhile.
    pub(super) fn around<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }

    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn found(&self) {
        self.0.inc_length(1);
    }

    fn to_read(&self, bytes: u64) {
        let template = "{spinner} {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
        self.0.set_length(bytes);
        self.0.set_position(0);
        self.0.reset_eta();
    }

    fn read(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn done(&self, name: &str) {
        self.0.inc(1);
        self.0.set_message(terminal(name));
    }
}
