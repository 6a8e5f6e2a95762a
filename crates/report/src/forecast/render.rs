//! The forecast's formats, and the one function that renders any of them.

use std::io::{self, Write};

use super::rows::ForecastReport;
use super::{json, markdown, table};
use crate::render::Style;

/// A format of the forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ForecastFormat {
    /// For a terminal.
    Table,
    /// Everything, for programs: the contract that `prodpin schema forecast` describes.
    Json,
    /// For a pull request, an issue or a chat.
    Markdown,
}

/// Writes the forecast in this format.
pub fn render(format: ForecastFormat, report: &ForecastReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    match format {
        ForecastFormat::Table => table::write(report, style, &mut out)?,
        ForecastFormat::Json => json::write(report, &mut out)?,
        ForecastFormat::Markdown => markdown::write(report, &mut out)?,
    }
    out.flush()
}
