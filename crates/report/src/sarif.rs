//! The report as SARIF 2.1.0 (H152), for code-scanning services: one result for each finding.
//!
//! What a finding is about is no file, so its logical location says it; the physical one is the policy file, because
//! importers drop results without a file.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::body::Report;
use super::context::Context;
use super::{escape, json as text, words};
use prodpin_core::model::{Code, Finding, RepositoryName, Severity, SourceName};
use prodpin_core::outcome::identity;

pub(super) fn write(report: &Report, context: &Context<'_>, out: &mut dyn Write) -> io::Result<()> {
    let run = &report.run;
    out.write_all(b"{\n\"$schema\":\"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json\",\n\"version\":\"2.1.0\",\n\"runs\":[{\n\"tool\":")?;
    text::value(&tool(), out)?;
    out.write_all(b",\n\"automationDetails\":")?;
    text::value(&json!({ "id": format!("prodpin/{}/{}", words::mode(run.mode), run.id) }), out)?;
    out.write_all(b",\n\"invocations\":")?;
    text::value(&json!([invocation(report)]), out)?;
    out.write_all(b",\n\"properties\":")?;
    text::value(&json!({ "run": run, "summary": report.summary }), out)?;
    out.write_all(b",\n\"results\":")?;
    let policy = context.policy.unwrap_or("prodpin.yaml");
    let severities = Severity::ALL.into_iter().rev();
    let results = severities
        .flat_map(|severity| report.body.findings(severity))
        .map(|finding| finding.map(|finding| result(&finding, policy)));
    text::list(results, out)?;
    out.write_all(b"\n}]\n}\n")
}

fn tool() -> Value {
    let rules: Vec<Value> = Code::ALL
        .iter()
        .map(|code| json!({ "id": code.as_str(), "shortDescription": { "text": code.meaning() } }))
        .collect();
    json!({ "driver": {
        "name": "prodpin",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": rules,
    } })
}

fn invocation(report: &Report) -> Value {
    let run = &report.run;
    let mut invocation = json!({
        "executionSuccessful": run.complete,
        "startTimeUtc": run.started.to_string(),
        "endTimeUtc": run.finished.to_string(),
    });
    if !run.complete {
        invocation["toolExecutionNotifications"] = json!([{ "level": "error", "message": { "text": "Not everything could be read. What was not read may not be safe." } }]);
    }
    invocation
}

fn result(finding: &Finding, policy: &str) -> Value {
    let mut result = json!({
        "ruleId": finding.code.as_str(),
        "ruleIndex": Code::ALL.iter().position(|code| *code == finding.code),
        "kind": "fail",
        "level": level(finding.severity),
        "message": { "text": message(finding) },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": relative_uri(policy), "uriBaseId": "%SRCROOT%" },
                "region": { "startLine": 1 },
            },
            "logicalLocations": [{ "fullyQualifiedName": place(finding), "kind": "resource" }],
        }],
        "partialFingerprints": { "prodpinFinding/v1": identity::fingerprint(finding) },
        "properties": finding,
    });
    if let Some(waived) = &finding.waived {
        let justification = format!("{} ({}, until {})", waived.reason, waived.owner, waived.expires);
        result["suppressions"] =
            json!([{ "kind": "external", "status": "accepted", "justification": escape::terminal(&justification) }]);
    }
    result
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// What the finding is about, from the source down to the tag.
pub(super) fn place(finding: &Finding) -> String {
    let place = [
        Some(finding.source.as_ref().map_or("policy", SourceName::as_str)),
        finding.repository.as_ref().map(RepositoryName::as_str),
        finding.reference.as_deref().or(finding.artifact.as_deref()),
    ];
    place.into_iter().flatten().collect::<Vec<_>>().join(" / ")
}

/// In a SARIF message brackets make links and braces placeholders, and a registry's words shall make neither.
fn message(finding: &Finding) -> String {
    let said = match finding.remedy.trim() {
        "" => finding.message.clone(),
        remedy => format!("{}. Next: {remedy}", finding.message.trim_end_matches('.')),
    };
    let mut inert = String::with_capacity(said.len());
    for character in escape::terminal(&said).chars() {
        match character {
            '[' | ']' => inert.extend(['\\', character]),
            '{' | '}' => inert.extend([character, character]),
            other => inert.push(other),
        }
    }
    inert
}

/// The policy file's name as a relative URI reference: where the file lies on this machine is nobody's business.
fn relative_uri(policy: &str) -> String {
    use std::fmt::Write as _;
    let name = policy.rsplit(['/', '\\']).next().unwrap_or(policy);
    name.bytes().fold(String::new(), |mut uri, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~') {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
        uri
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_s_path_is_its_name_and_nothing_else() {
        assert_eq!(relative_uri("/home/me/prod pin.yaml"), "prod%20pin.yaml");
        assert_eq!(relative_uri("prodpin.yaml"), "prodpin.yaml");
    }
}
