//! The report as OCSF compliance findings (H154): one JSON object a line, one for each finding.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::body::Report;
use super::{escape, json as text, sarif, words};
use prodpin_core::model::{Finding, Severity};
use prodpin_core::outcome::identity;
use prodpin_core::outcome::report::RunSection;

/// The version of the schema that this follows.
const VERSION: &str = "1.5.0";

const COMPLIANCE_FINDING: u32 = 2003;

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for severity in Severity::ALL.into_iter().rev() {
        for finding in report.body.findings(severity) {
            text::value(&event(&finding?, report), out)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}

fn event(finding: &Finding, report: &Report) -> Value {
    let run = &report.run;
    let new = finding.first_seen >= run.started;
    let (activity, activity_name) = if new { (1, "Create") } else { (2, "Update") };
    let (severity, severity_name) = severity(finding.severity);
    // 3 is "suppressed": accepted by somebody, with a reason.
    let (status, status_name) = match (&finding.waived, new) {
        (Some(_), _) => (3, "Suppressed"),
        (None, true) => (1, "New"),
        (None, false) => (2, "In Progress"),
    };
    let mut event = json!({
        "class_uid": COMPLIANCE_FINDING,
        "class_name": "Compliance Finding",
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": activity,
        "activity_name": activity_name,
        "type_uid": COMPLIANCE_FINDING * 100 + activity,
        "type_name": format!("Compliance Finding: {activity_name}"),
        "time": run.finished.as_millisecond(),
        "severity_id": severity,
        "severity": severity_name,
        "status_id": status,
        "status": status_name,
        "message": escape::terminal(&finding.message),
        "metadata": {
            "version": VERSION,
            "uid": format!("{}/{}", run.id, identity::fingerprint(finding)),
            "correlation_uid": run.id,
            "product": { "name": "prodpin", "vendor_name": "prodpin", "version": env!("CARGO_PKG_VERSION") },
        },
        "finding_info": {
            "uid": identity::fingerprint(finding),
            "title": finding.code.meaning(),
            "desc": escape::terminal(&finding.message),
            "types": [finding.code.as_str()],
            "first_seen_time": finding.first_seen.as_millisecond(),
            "created_time": finding.first_seen.as_millisecond(),
            "last_seen_time": run.finished.as_millisecond(),
        },
        "compliance": {
            "control": finding.code.as_str(),
            "standards": standards(finding),
            "requirements": requirements(finding, run),
            "status": "Fail",
            "status_id": 3,
        },
        "remediation": { "desc": escape::terminal(&finding.remedy) },
        "resources": [{
            "uid": escape::terminal(&sarif::place(finding)),
            "name": escape::terminal(finding.repository.as_ref().map_or("policy", |name| name.as_str())),
            "type": if finding.repository.is_some() { "artifact repository" } else { "configuration" },
        }],
    });
    event["unmapped"] = Value::Object(evidence(finding, run));
    event["unmapped"]["services"] = json!(report.summary.services);
    event
}

/// The policy, and the standards that a finding of this kind is evidence about.
fn standards(finding: &Finding) -> Vec<&'static str> {
    let mut standards = vec!["prodpin policy"];
    standards.extend(finding.code.control_area().controls().iter().map(|control| control.standard));
    standards.dedup();
    standards
}

fn requirements(finding: &Finding, run: &RunSection) -> Vec<String> {
    let policy = format!("policy sha256:{}", run.policy_sha256.hex());
    let controls = finding.code.control_area().controls().iter();
    std::iter::once(policy).chain(controls.map(|control| format!("{} {}", control.standard, control.number))).collect()
}

/// What OCSF has no field for: exact names, and where the evidence lies (I10).
fn evidence(finding: &Finding, run: &RunSection) -> Map<String, Value> {
    let mut evidence = Map::new();
    let facts = [
        ("source", finding.source.as_ref().map(|source| json!(source))),
        ("repository", finding.repository.as_ref().map(|name| json!(name))),
        ("reference", finding.reference.as_ref().map(|reference| json!(reference))),
        ("artifact", finding.artifact.as_ref().map(|artifact| json!(artifact))),
        ("previous", finding.previous.as_ref().map(|previous| json!(previous))),
        ("ledger_sequence", finding.ledger_sequence.map(|sequence| json!(sequence))),
        ("ledger", run.ledger.as_ref().map(|ledger| json!(ledger.position()))),
        ("waived", finding.waived.as_ref().map(|waived| json!(waived))),
        ("run_complete", Some(json!(run.complete))),
        ("run_scope", words::scope(&run.scope).map(|scope| json!(scope))),
    ];
    evidence.extend(facts.into_iter().filter_map(|(name, fact)| Some((name.to_owned(), fact?))));
    evidence
}

fn severity(severity: Severity) -> (u32, &'static str) {
    match severity {
        Severity::Info => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}
