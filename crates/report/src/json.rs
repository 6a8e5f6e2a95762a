//! The report for programs: the contract, written piece by piece, one repository or finding a line.
//!
//! Strings are exact; what they look like is pure ASCII, so that no terminal, log or `<script>` the report lands in
//! can be told anything by a tag's name (F74, F76).

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use super::body::Report;
use prodpin_core::model::Severity;
use prodpin_core::outcome::report::SCHEMA;

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{{\n\"schema\":{SCHEMA},\n\"run\":")?;
    value(&report.run, out)?;
    out.write_all(b",\n\"summary\":")?;
    value(&report.summary, out)?;
    out.write_all(b",\n\"repositories\":")?;
    let repositories = report.body.rows().filter_map(|row| row.map(|row| row.repository).transpose());
    list(repositories, out)?;
    out.write_all(b",\n\"findings\":")?;
    // Most severe first, over all repositories: one pass for each severity that occurs.
    let severities = Severity::ALL.into_iter().rev();
    list(severities.flat_map(|severity| report.body.findings(severity)), out)?;
    out.write_all(b"\n}\n")
}

/// A document of a header, a summary and rows.
pub(super) fn document<T: Serialize>(
    version: Option<u32>,
    name: &str,
    section: &impl Serialize,
    summary: &impl Serialize,
    rows: impl Iterator<Item = io::Result<T>>,
    out: &mut dyn Write,
) -> io::Result<()> {
    out.write_all(b"{\n")?;
    if let Some(version) = version {
        writeln!(out, "\"schema\":{version},")?;
    }
    write!(out, "\"{name}\":")?;
    value(section, out)?;
    out.write_all(b",\n\"summary\":")?;
    value(summary, out)?;
    out.write_all(b",\n\"repositories\":")?;
    list(rows, out)?;
    out.write_all(b"\n}\n")
}

pub(super) fn list<T: Serialize>(items: impl Iterator<Item = io::Result<T>>, out: &mut dyn Write) -> io::Result<()> {
    let mut before: &[u8] = b"[\n";
    for item in items {
        out.write_all(before)?;
        value(&item?, out)?;
        before = b",\n";
    }
    out.write_all(if before == b"[\n" { b"[]" } else { b"\n]" })
}

pub(super) fn value(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(out, Inert)).map_err(io::Error::from)
}

/// A value as text that is pure ASCII.
pub fn ascii(of: &impl Serialize) -> io::Result<String> {
    let mut bytes = Vec::new();
    value(of, &mut bytes)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// Everything beyond printable ASCII as `\uXXXX`, and what HTML could read.
struct Inert;

impl Formatter for Inert {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let inert = |character: char| matches!(character, ' '..='~') && !matches!(character, '<' | '>' | '&');
        let mut rest = fragment;
        while let Some((at, character)) = rest.char_indices().find(|(_, character)| !inert(*character)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + character.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}
