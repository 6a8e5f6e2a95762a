//! The report as SARIF 2.1.0 (H152), for code-scanning services: one result for each finding.
//!
//! What a finding is about is no file, so its logical location says it; the physical one is the policy file, because
//! importers drop results without a file. Where one kind of finding comes in floods, one result stands for all of a source.

mod flood;

use std::io::{self, Write};

use serde_json::{Value, json};

use self::flood::Floods;
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
    let floods = Floods::of(report)?;
    let results = Severity::ALL.into_iter().rev().flat_map(|severity| {
        let grouped = floods.results(severity, policy).map(Ok);
        let single = report.body.findings(severity).filter(|finding| !finding.as_ref().is_ok_and(|it| floods.hold(it)));
        grouped.chain(single.map(|finding| finding.map(|finding| result(&finding, policy))))
    });
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
    let places = [place(finding)];
    let mut result = frame(finding.code, finding.severity, &finding.message, &finding.remedy, &places, policy);
    result["partialFingerprints"] = json!({ "prodpinFinding/v1": identity::fingerprint(finding) });
    result["properties"] = json!(finding);
    if let Some(waived) = &finding.waived {
        let justification = format!("{} ({}, until {})", waived.reason, waived.owner, waived.expires);
        result["suppressions"] =
            json!([{ "kind": "external", "status": "accepted", "justification": escape::terminal(&justification) }]);
    }
    result
}

/// What every result has.
fn frame(code: Code, severity: Severity, said: &str, remedy: &str, places: &[String], policy: &str) -> Value {
    let places: Vec<Value> =
        places.iter().map(|place| json!({ "fullyQualifiedName": place, "kind": "resource" })).collect();
    json!({
        "ruleId": code.as_str(),
        "ruleIndex": Code::ALL.iter().position(|other| *other == code),
        "kind": "fail",
        "level": level(severity),
        "message": { "text": message(said, remedy) },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": relative_uri(policy), "uriBaseId": "%SRCROOT%" },
                "region": { "startLine": 1 },
            },
            "logicalLocations": places,
        }],
    })
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
fn message(said: &str, remedy: &str) -> String {
    let said = match remedy.trim() {
        "" => said.to_owned(),
        remedy => format!("{}. Next: {remedy}", said.trim_end_matches('.')),
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
