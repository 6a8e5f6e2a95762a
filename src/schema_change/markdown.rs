//! The answer as Markdown, for the comment on a pull request.

use std::io::{self, Write};

use super::document::Document;
use super::render::{place, reason};
use crate::report::escape;

pub(super) fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "## Schema change: {}\n", document.verdict)?;
    let meaning = document.meaning;
    writeln!(out, "{}{}.", meaning[..1].to_uppercase(), &meaning[1..])?;
    for series in &document.series {
        if series.findings.is_empty() {
            continue;
        }
        let folder = if series.folder.is_empty() { "." } else { &series.folder };
        writeln!(out, "\n### {} ({})\n", escape::markdown(folder), series.dialect)?;
        writeln!(out, "| Verdict | Where | Statement | Why |\n| --- | --- | --- | --- |")?;
        for finding in &series.findings {
            writeln!(
                out,
                "| {} | {} | {} | {} |",
                finding.verdict,
                escape::markdown(&place(finding)),
                escape::markdown(&finding.statement),
                escape::markdown(&reason(finding)),
            )?;
        }
    }
    Ok(())
}
