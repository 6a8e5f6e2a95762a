//! Logs on stderr: one record for one event, whatever its values hold (F77).

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::fmt::{FormatFields, MakeWriter};

use super::colour;
use super::progress::Bar;
use crate::report::escape;

/// Starts logging. `RUST_LOG` decides over the flags.
pub(super) fn start(quiet: bool, verbose: u8, bar: Bar) {
    let level = match (quiet, verbose) {
        // What libraries call an error is reported by this program in its own words, where it is one.
        (true, _) => "off,prodpin=error",
        (false, 0) => "off,prodpin=warn",
        (false, 1) => "warn,prodpin=info",
        (false, 2) => "info,prodpin=debug",
        (false, _) => "debug,prodpin=trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .fmt_fields(fields())
        .with_ansi(io::stderr().is_terminal() && !colour::is_refused())
        .with_writer(AroundTheBar(bar));
    // A second start, as in tests, keeps the first one.
    let _ = subscriber.try_init();
}

/// Values come from registries; control characters in them must reach neither the terminal nor a log's structure.
fn fields() -> impl for<'w> FormatFields<'w> + Send + Sync + 'static {
    debug_fn(|writer, field, value| {
        let shown = escape::log(&format!("{value:?}"));
        match field.name() {
            "message" => writer.write_str(&shown),
            name => write!(writer, "{name}={shown}"),
        }
    })
    .delimited(" ")
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_value_cannot_add_a_record_or_steer_the_terminal_f77() {
        let page = Page::default();
        let writer = page.clone();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(fields())
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let tag = "v1\n2026-11-23 ERROR forged\r\u{1b}[2J\u{202e}\u{9b}1m";
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(tag, shown = %tag, "cannot read {tag}");
        });
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(text.is_ascii() && !text.trim_end().contains(|c: char| c.is_control()), "{text:?}");
        assert_eq!(text.matches("forged").count(), 3);
    }
}
