//! The report as AWS Security Finding Format (H153): each line is the input of one `BatchImportFindings` call, of a
//! hundred findings at most: `aws securityhub batch-import-findings --cli-input-json "$LINE"`.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::body::Report;
use super::context::Context;
use super::{escape, json as text, sarif, words};
use prodpin_core::model::{AwsAccount, Code, Finding, Severity};
use prodpin_core::outcome::identity;
use prodpin_core::outcome::status::ServiceStatus;

/// The most that one call takes.
const BATCH: usize = 100;

pub(super) fn write(report: &Report, context: &Context<'_>, out: &mut dyn Write) -> io::Result<()> {
    let account = context.account.ok_or_else(|| io::Error::other("asff needs an AWS account"))?;
    let mut findings = Severity::ALL.into_iter().rev().flat_map(|severity| report.body.findings(severity)).peekable();
    while findings.peek().is_some() {
        out.write_all(b"{\"Findings\":")?;
        let batch = findings.by_ref().take(BATCH).map(|found| found.map(|found| one(&found, report, account)));
        let batch = batch.collect::<io::Result<Vec<_>>>()?;
        text::value(&batch, out)?;
        out.write_all(b"}\n")?;
    }
    Ok(())
}

fn one(finding: &Finding, report: &Report, account: &AwsAccount) -> Value {
    let run = &report.run;
    let AwsAccount { id, region } = account;
    let uid = identity::fingerprint(finding);
    let mut asff = json!({
        "SchemaVersion": "2018-10-08",
        "Id": format!("prodpin/{uid}"),
        "ProductArn": format!("arn:{}:securityhub:{region}:{id}:product/{id}/default", partition(region)),
        "ProductName": "prodpin",
        "CompanyName": "prodpin",
        "GeneratorId": format!("prodpin/{}", finding.code),
        "AwsAccountId": id,
        "Region": region,
        "Types": ["Software and Configuration Checks/prodpin"],
        "FirstObservedAt": finding.first_seen.to_string(),
        "LastObservedAt": run.finished.to_string(),
        "CreatedAt": finding.first_seen.to_string(),
        "UpdatedAt": run.finished.to_string(),
        "Severity": { "Label": label(finding.severity), "Original": finding.severity.as_str() },
        "Title": clipped(&format!("{}: {}", finding.code, sarif::place(finding)), 256),
        "Description": clipped(&finding.message, 1024),
        "Compliance": { "Status": status(finding), "RelatedRequirements": requirements(finding) },
        "Remediation": { "Recommendation": { "Text": clipped(&finding.remedy, 512) } },
        "Resources": [{
            "Type": "Other",
            "Id": clipped(&format!("prodpin/{}", sarif::place(finding)), 512),
            "Region": region,
            "Details": { "Other": details(finding) },
        }],
        "ProductFields": { "prodpin/run": run.id, "prodpin/complete": run.complete.to_string() },
        "RecordState": "ACTIVE",
    });
    if let Some(scope) = words::scope(&run.scope) {
        asff["ProductFields"]["prodpin/scope"] = json!(clipped(&scope, 1024));
    }
    let services =
        ServiceStatus::ALL.map(|status| format!("{}={}", status.as_str(), report.summary.services.of(status)));
    asff["ProductFields"]["prodpin/services"] = json!(services.join(" "));
    if let Some(ledger) = &run.ledger {
        asff["ProductFields"]["prodpin/ledger"] = json!(clipped(&ledger.position(), 512));
    }
    if let Some(sequence) = finding.ledger_sequence {
        asff["ProductFields"]["prodpin/ledger-commit"] = json!(sequence.to_string());
    }
    if let Some(waived) = &finding.waived {
        asff["Workflow"] = json!({ "Status": "SUPPRESSED" });
        let note = format!("Waived until {}: {}", waived.expires, waived.reason);
        asff["Note"] = json!({
            "Text": clipped(&note, 512),
            "UpdatedBy": clipped(&waived.owner, 512),
            "UpdatedAt": run.finished.to_string(),
        });
    }
    asff
}

/// The controls that a finding of this kind is evidence about; Security Hub takes 32 of them.
fn requirements(finding: &Finding) -> Vec<String> {
    let controls = finding.code.control_area().controls().iter();
    controls.map(|control| format!("{} {}", control.standard, control.number)).collect()
}

fn details(finding: &Finding) -> Map<String, Value> {
    let facts = [
        ("source", finding.source.as_ref().map(|source| source.as_str())),
        ("repository", finding.repository.as_ref().map(|name| name.as_str())),
        ("reference", finding.reference.as_deref()),
        ("artifact", finding.artifact.as_deref()),
        ("previous", finding.previous.as_deref()),
    ];
    let facts = facts.into_iter().filter_map(|(name, fact)| Some((name.to_owned(), json!(clipped(fact?, 1024)))));
    facts.collect()
}

/// What could not be read is neither passed nor failed (H159).
fn status(finding: &Finding) -> &'static str {
    match (finding.code, finding.severity) {
        (Code::InventoryIncomplete, _) => "NOT_AVAILABLE",
        (_, Severity::Info | Severity::Low) => "WARNING",
        _ => "FAILED",
    }
}

fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "INFORMATIONAL",
        Severity::Low => "LOW",
        Severity::Medium => "MEDIUM",
        Severity::High => "HIGH",
        Severity::Critical => "CRITICAL",
    }
}

fn partition(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// Security Hub refuses longer text, and empty text where it asks for some.
fn clipped(text: &str, most: usize) -> String {
    let shown = escape::terminal(text);
    match shown.char_indices().nth(most) {
        None if shown.trim().is_empty() => "-".to_owned(),
        None => shown,
        Some(_) => shown.chars().take(most - 1).chain(['…']).collect(),
    }
}
