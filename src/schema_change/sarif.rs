//! The answer as SARIF 2.1.0, for code scanning: one result for each statement that is graver than expand.

use std::io::{self, Write};

use prodpin_schema::{Finding, Verdict};
use serde_json::{Value, json};

use super::document::Document;
use super::render::reason;
use crate::report::escape;

pub(super) fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let rules: Vec<Value> = Verdict::ALL
        .into_iter()
        .map(|verdict| json!({ "id": rule(verdict), "shortDescription": { "text": verdict.meaning() } }))
        .collect();
    let results: Vec<Value> =
        document.findings().filter(|finding| finding.verdict > Verdict::Expand).map(result).collect();
    let log = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "prodpin schema-change", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "properties": { "verdict": document.verdict, "from": document.from, "to": document.to },
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &log)?;
    writeln!(out)
}

fn rule(verdict: Verdict) -> String {
    format!("schema-{verdict}")
}

fn level(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Contract | Verdict::Unknown => "error",
        Verdict::Data | Verdict::Caution => "warning",
        Verdict::Expand | Verdict::None => "note",
    }
}

fn result(finding: &Finding) -> Value {
    json!({
        "ruleId": rule(finding.verdict),
        "level": level(finding.verdict),
        "message": { "text": inert(&reason(finding)) },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&finding.file), "uriBaseId": "%SRCROOT%" },
            "region": { "startLine": finding.line.max(1) },
        } }],
        "properties": { "statement": finding.statement, "object": finding.object },
    })
}

/// In a SARIF message brackets make links and braces placeholders.
fn inert(text: &str) -> String {
    let mut inert = String::with_capacity(text.len());
    for character in escape::terminal(text).chars() {
        match character {
            '[' | ']' => inert.extend(['\\', character]),
            '{' | '}' => inert.extend([character, character]),
            other => inert.push(other),
        }
    }
    inert
}

fn uri(path: &str) -> String {
    let keep = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~');
    path.bytes().map(|byte| if keep(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
