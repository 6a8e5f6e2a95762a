//! The formats of the answers, and the one function that renders any of them.

use std::io::{self, Write};

use super::rows::ReadyReport;
use super::{json, page};
use crate::render::Style;

/// A format of the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ReadyFormat {
    /// For a person.
    Page,
    /// Everything, for programs: the contract that `prodpin schema ready` describes.
    Json,
}

/// Writes the answers in this format. A page for each repository if there are few, or if `whole`; else a line.
pub fn render(
    format: ReadyFormat,
    report: &ReadyReport,
    whole: bool,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    match format {
        ReadyFormat::Page => page::write(report, whole, style, &mut out)?,
        ReadyFormat::Json => json::write(report, &mut out)?,
    }
    out.flush()
}
