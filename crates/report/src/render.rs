//! Formats, and the one function that renders any of them. Pure: no clock, no environment.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use super::body::Report;
use super::context::Context;
use super::{asff, attestation, csv, html, json, junit, markdown, ocsf, prometheus, sarif, table};

/// A format of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Format {
    /// For a terminal.
    Table,
    /// Everything, for programs: the contract that `prodpin schema report` describes.
    Json,
    /// One line for each target and finding, for a spreadsheet.
    Csv,
    /// For a pull request, an issue or a chat.
    Markdown,
    /// One page for a browser and a file: everything, with search, and nothing from the network.
    Html,
    /// SARIF 2.1.0, for code-scanning services.
    Sarif,
    /// JUnit XML, for CI servers.
    Junit,
    /// OCSF compliance findings, one JSON object a line.
    Ocsf,
    /// AWS Security Finding Format: one batch for BatchImportFindings a line.
    Asff,
    /// Metrics for the node exporter's textfile collector.
    Prometheus,
    /// An in-toto attestation of the run, signed with the ledger's key.
    Attestation,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Table,
        Self::Json,
        Self::Csv,
        Self::Markdown,
        Self::Html,
        Self::Sarif,
        Self::Junit,
        Self::Ocsf,
        Self::Asff,
        Self::Prometheus,
        Self::Attestation,
    ];

    /// Its name in flags.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Sarif => "sarif",
            Self::Junit => "junit",
            Self::Ocsf => "ocsf",
            Self::Asff => "asff",
            Self::Prometheus => "prometheus",
            Self::Attestation => "attestation",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::as_str).join(", ");
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| format!("{text:?} is not a report format: use one of {}", names()))
    }
}

/// How a page looks. Only the table heeds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to use ANSI colours. They repeat what words and symbols say.
    pub colour: bool,
    /// The columns there are.
    pub width: usize,
}

impl Style {
    /// For a file or a pipe: no colours, no line is broken.
    pub const UNBOUNDED: Self = Self { colour: false, width: usize::MAX };
}

/// Writes the report in this format. Rows are read from disk as they are needed, some of them more than once.
pub fn render(format: Format, report: &Report, context: &Context<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    match format {
        Format::Table => table::write(report, context.style, &mut out)?,
        Format::Json => json::write(report, &mut out)?,
        Format::Csv => csv::write(report, &mut out)?,
        Format::Markdown => markdown::write(report, &mut out)?,
        Format::Html => html::write(report, &mut out)?,
        Format::Sarif => sarif::write(report, context, &mut out)?,
        Format::Junit => junit::write(report, context, &mut out)?,
        Format::Ocsf => ocsf::write(report, &mut out)?,
        Format::Asff => asff::write(report, context, &mut out)?,
        Format::Prometheus => prometheus::write(report, &mut out)?,
        Format::Attestation => attestation::write(report, context, &mut out)?,
    }
    out.flush()
}
