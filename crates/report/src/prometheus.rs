//! The metrics in Prometheus' text format (H158), for the node exporter's textfile collector.

use std::io::{self, Write};

use super::body::Report;
use super::escape;
use super::metrics::{Metrics, measure};

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    // A comment: as a label it would begin new series with every run.
    if let Some(ledger) = &report.run.ledger {
        writeln!(out, "# prodpin ledger {}", escape::terminal(&ledger.position()))?;
    }
    measure(report, &mut Text { name: "", out })
}

struct Text<'a> {
    name: &'static str,
    out: &'a mut dyn Write,
}

impl Metrics for Text<'_> {
    fn gauge(&mut self, name: &'static str, help: &'static str) -> io::Result<()> {
        self.name = name;
        writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} gauge")
    }

    fn sample(&mut self, labels: &[(&'static str, &str)], value: f64) -> io::Result<()> {
        self.out.write_all(self.name.as_bytes())?;
        for (place, (key, text)) in labels.iter().enumerate() {
            write!(self.out, "{}{key}={}", if place == 0 { '{' } else { ',' }, label(text))?;
        }
        writeln!(self.out, "{} {value}", if labels.is_empty() { "" } else { "}" })
    }
}

/// A label's value: shown as everywhere, then quoted as the format wants it.
fn label(text: &str) -> String {
    let shown = escape::terminal_name(text, usize::MAX);
    format!("\"{}\"", shown.replace('\\', "\\\\").replace('"', "\\\""))
}
