//! The answer in every format.

use std::io::{self, Write};

use clap::ValueEnum;
use prodpin_core::model::SchemaStatement;
use prodpin_schema::{Finding, Verdict};

use super::document::Document;
use super::{junit, markdown, sarif};
use crate::report::escape;

/// What the answer is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person.
    Table,
    /// Everything, for programs: what `prodpin schema schema-change` describes.
    Json,
    /// For code scanning.
    Sarif,
    /// For CI servers.
    Junit,
    /// For a pull request.
    Markdown,
    /// A label for the image: `prodpin.dev/schema-change=VERDICT from=COMMIT`.
    Label,
}

/// Writes the answer.
///
/// # Errors
///
/// Where writing fails.
pub fn render(format: Format, document: &Document, fail_on: Option<Verdict>, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Table => table(document, out),
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, document)?;
            writeln!(out)
        }
        Format::Sarif => sarif::write(document, out),
        Format::Junit => junit::write(document, fail_on, out),
        Format::Markdown => markdown::write(document, out),
        Format::Label => {
            writeln!(
                out,
                "{}={} from={}",
                SchemaStatement::ANNOTATION,
                document.verdict,
                escape::terminal(&document.from)
            )
        }
    }
}

fn table(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}: {}", document.verdict, document.meaning)?;
    writeln!(out, "{} → {}", escape::terminal(&document.from), escape::terminal(&document.to))?;
    for series in &document.series {
        let folder = if series.folder.is_empty() { "." } else { &series.folder };
        writeln!(
            out,
            "\n{} ({}): {}, {} of {} migrations new or changed",
            escape::terminal(folder),
            series.dialect,
            series.verdict,
            series.changed,
            series.earlier + series.changed,
        )?;
        for finding in &series.findings {
            writeln!(out, "  {:<9} {}", finding.verdict.as_str(), escape::terminal(&place(finding)))?;
            if !finding.statement.is_empty() {
                writeln!(out, "            {}", escape::terminal(&finding.statement))?;
            }
            writeln!(out, "            {}", escape::terminal(&reason(finding)))?;
        }
    }
    Ok(())
}

/// `file:line`.
pub(super) fn place(finding: &Finding) -> String {
    format!("{}:{}", finding.file, finding.line)
}

/// What is touched, and why that matters.
pub(super) fn reason(finding: &Finding) -> String {
    if finding.object.is_empty() { finding.why.clone() } else { format!("{}: {}", finding.object, finding.why) }
}
