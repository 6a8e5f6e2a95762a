//! Logs on stderr: one record for one event, whatever its values hold (F77).

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::debug_fn;

use super::progress::Bar;
use crate::report::escape;

/// Starts logging. `RUST_LOG` decides over the flags.
pub(super) fn start(quiet: bool, verbose: u8, bar: Bar) {
    let level = match (quiet, verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "warn,prodpin=info",
        (false, 2) => "info,prodpin=debug",
        (false, _) => "debug,prodpin=trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    // Values come from registries; control characters in them must reach neither the terminal nor a log's structure.
    let fields = debug_fn(|writer, field, value| {
        let shown = escape::log(&format!("{value:?}"));
        match field.name() {
            "message" => writer.write_str(&shown),
            name => write!(writer, "{name}={shown}"),
        }
    })
    .delimited(" ");
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .fmt_fields(fields)
        .with_ansi(io::stderr().is_terminal() && !plain)
        .with_writer(AroundTheBar(bar));
    // A second start, as in tests, keeps the first one.
    let _ = subscriber.try_init();
}

/// Takes the progress bar away while a record is written, so that they do not run into each other.
struct AroundTheBar(Bar);

struct Record<'b>(&'b Bar);

impl Write for Record<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.around(|| io::stderr().lock().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

impl<'w> MakeWriter<'w> for AroundTheBar {
    type Writer = Record<'w>;

    fn make_writer(&'w self) -> Record<'w> {
        Record(&self.0)
    }
}
