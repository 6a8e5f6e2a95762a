//! What the function answers: small however large the report is (G149), which lies in the ledger.

use std::io;

use serde::Serialize;
use serde_json::{Value, json};

use super::delivery::ItemFailure;
use crate::model::{Code, FailOn, Finding, Severity, without_credentials};
use crate::outcome::report::{RunSection, Summary};
use crate::policy::LedgerLocation;
use crate::report::body::Report;

/// So many findings are in the answer itself; all are in the report.
const FINDINGS: usize = 20;

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Answer {
    /// There was nothing to look at.
    Nothing {
        /// Why.
        reason: String,
    },
    /// A run ended.
    Ran(Box<RunSummary>),
}

/// What goes back to Lambda.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reply {
    /// What it came to.
    #[serde(flatten)]
    pub answer: Answer,
    /// The messages that a queue is to keep; said, though there be none, to whoever asked for it, and to nobody else.
    #[serde(rename = "batchItemFailures", skip_serializing_if = "Option::is_none")]
    pub failures: Option<Vec<ItemFailure>>,
}

/// A run in brief.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSummary {
    /// About the run.
    pub run: RunSection,
    /// In numbers.
    pub summary: Summary,
    /// Where the whole report is: an object of the ledger. None when no ledger is kept.
    pub report: Option<String>,
    /// The gravest findings that fail a run.
    pub findings: Vec<Brief>,
    /// What could not be read, or the first of it, in words. Findings about that are seldom among the gravest, and are
    /// what whoever reads of an incomplete run asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
}

/// A finding on one line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Brief {
    severity: Severity,
    code: &'static str,
    repository: Option<String>,
    reference: Option<String>,
    message: String,
    remedy: String,
}

impl RunSummary {
    /// What there is to answer about this report. Findings below `fail_on` stay in the report.
    pub fn from_report(report: &Report, ledger: &LedgerLocation, fail_on: FailOn) -> io::Result<Self> {
        let place = match ledger {
            LedgerLocation::None => None,
            LedgerLocation::Directory(path) => Some(path.display().to_string()),
            LedgerLocation::Store(url) => Some(url.to_string()),
        };
        let report_place = match place {
            None => None,
            Some(place) => Some(format!("{}/report/{}", place.trim_end_matches('/'), report.body.digest()?.hex())),
        };
        let (mut findings, mut unread) = (Vec::<Finding>::new(), None);
        for row in report.body.rows() {
            let row = row?;
            unread = unread.or_else(|| row.findings.iter().find_map(unread_of));
            let grave = |finding: &Finding| fail_on.is_reached_by(finding.severity) && finding.waived.is_none();
            findings.extend(row.findings.into_iter().filter(grave));
            // Kept short all the way, for an estate has many rows.
            findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
            findings.truncate(FINDINGS);
        }
        Ok(Self {
            run: report.run.clone(),
            summary: report.summary,
            report: report_place,
            findings: findings.into_iter().map(Brief::from_finding).collect(),
            unread,
        })
    }

    /// The figures as a line of CloudWatch's embedded metric format: metrics without a call or a permission. `WholeRuns`
    /// is what an alarm on missed runs counts: complete runs over the whole policy.
    #[must_use]
    pub fn metrics(&self, function: &str) -> Value {
        let counts = &self.summary.counts;
        let names = ["WholeRuns", "Incomplete", "Targets", "Unprotected", "Critical", "High"];
        let whole = self.run.scope.is_whole();
        let mut line = json!({
            "_aws": {
                "Timestamp": self.run.finished.as_millisecond(),
                "CloudWatchMetrics": [{
                    "Namespace": "prodpin",
                    "Dimensions": [["Function"]],
                    "Metrics": names.map(|name| json!({ "Name": name, "Unit": "Count" })),
                }],
            },
            "Function": function,
            "run": self.run.id,
        });
        let values = [
            u64::from(whole && self.run.complete),
            u64::from(!self.run.complete),
            counts.targets,
            counts.targets.saturating_sub(counts.protected),
            self.summary.findings.with_severity(Severity::Critical),
            self.summary.findings.with_severity(Severity::High),
        ];
        for (name, value) in names.into_iter().zip(values) {
            // The estate's figures come from runs over all of it; one repository's would make a graph jump.
            if whole || !matches!(name, "Targets" | "Unprotected") {
                line[name] = value.into();
            }
        }
        if !whole {
            line["_aws"]["CloudWatchMetrics"][0]["Metrics"] = names
                .iter()
                .filter(|name| !matches!(**name, "Targets" | "Unprotected"))
                .map(|name| json!({ "Name": name, "Unit": "Count" }))
                .collect();
        }
        line
    }
}

fn unread_of(finding: &Finding) -> Option<String> {
    let said = (finding.code == Code::InventoryIncomplete)
        .then(|| format!("{}; {}", without_credentials(&finding.message), finding.remedy))?;
    let place =
        [finding.source.as_ref().map(ToString::to_string), finding.repository.as_ref().map(ToString::to_string)];
    let place = place.into_iter().flatten().collect::<Vec<_>>().join("/");
    Some(if place.is_empty() { said } else { format!("{place}: {said}") })
}

impl Brief {
    fn from_finding(finding: Finding) -> Self {
        let repository = match (&finding.source, &finding.repository) {
            (Some(source), Some(repository)) => Some(format!("{source}/{repository}")),
            (Some(source), None) => Some(source.to_string()),
            _ => None,
        };
        Self {
            severity: finding.severity,
            code: finding.code.as_str(),
            repository,
            reference: finding.reference,
            message: finding.message,
            remedy: finding.remedy,
        }
    }
}
