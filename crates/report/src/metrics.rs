//! A run in numbers: gauges, whoever takes them (H158).
//!
//! Digests stand in no label: every release would make a new series. What is not known has no sample: a graph with a
//! hole says so, a zero would not.

use std::io;

use super::body::Report;
use prodpin_core::model::{Code, Severity};
use prodpin_core::outcome::report::RepositoryReport;
use prodpin_core::outcome::status::ServiceStatus;

/// Takes gauges, one after the other, all samples of one before the next.
pub trait Metrics {
    /// The samples that follow are of this gauge.
    fn gauge(&mut self, name: &'static str, help: &'static str) -> io::Result<()>;

    /// One sample of it.
    fn sample(&mut self, labels: &[(&'static str, &str)], value: f64) -> io::Result<()>;
}

/// Hands over every metric of a run. Nothing is held in memory but counts.
pub fn measure(report: &Report, out: &mut dyn Metrics) -> io::Result<()> {
    of_run(report, out)?;
    of_findings(report, out)?;
    of_services(report, out)
}

fn of_run(report: &Report, out: &mut dyn Metrics) -> io::Result<()> {
    let (run, counts) = (&report.run, &report.summary.counts);
    let seconds = |at: jiff::Timestamp| at.as_millisecond() as f64 / 1000.0;
    out.gauge("prodpin_run_info", "The last run.")?;
    let mode = super::words::mode(run.mode);
    // Of the policy, which changes with its text and not with every release; the beginning tells them apart.
    let policy = &run.policy_sha256.hex()[..12];
    let scope = super::words::scope(&run.scope);
    let scope = scope.as_deref().unwrap_or("all of the policy");
    let labels = [("version", env!("CARGO_PKG_VERSION")), ("mode", mode), ("scope", scope), ("policy_sha256", policy)];
    out.sample(&labels, 1.0)?;
    let ledger = run.ledger.as_ref().map(|ledger| ledger.sequence as f64);
    for (name, help, value) in [
        ("prodpin_run_complete", "Whether the last run read everything it was about.", Some(f64::from(run.complete))),
        ("prodpin_run_started_timestamp_seconds", "When the last run started.", Some(seconds(run.started))),
        ("prodpin_run_finished_timestamp_seconds", "When the last run finished.", Some(seconds(run.finished))),
        ("prodpin_ledger_sequence", "The ledger commit that closed the last run.", ledger),
        ("prodpin_repositories", "Repositories looked at.", Some(counts.repositories as f64)),
        ("prodpin_tags", "Tags seen.", Some(counts.tags as f64)),
        ("prodpin_targets", "Rollback targets.", Some(counts.targets as f64)),
        ("prodpin_targets_pinned", "Rollback targets with a pin, read back.", Some(counts.pinned as f64)),
        ("prodpin_targets_protected", "Rollback targets proven protected.", Some(counts.protected as f64)),
    ] {
        let Some(value) = value else { continue };
        out.gauge(name, help)?;
        out.sample(&[], value)?;
    }
    Ok(())
}

fn of_findings(report: &Report, out: &mut dyn Metrics) -> io::Result<()> {
    out.gauge("prodpin_findings", "Findings by severity, waived ones left out.")?;
    for severity in Severity::ALL.into_iter().rev() {
        let count = report.summary.findings.with_severity(severity);
        out.sample(&[("severity", severity.as_str())], count as f64)?;
    }
    out.gauge("prodpin_findings_waived", "Findings that the policy waives.")?;
    out.sample(&[], report.summary.findings.waived as f64)?;
    let mut by_code = vec![[0_u64; Severity::ALL.len()]; Code::ALL.len()];
    for row in report.body.rows() {
        for finding in row?.findings.iter().filter(|finding| finding.waived.is_none()) {
            let code = Code::ALL.iter().position(|code| *code == finding.code);
            let severity = Severity::ALL.iter().position(|severity| *severity == finding.severity);
            if let (Some(code), Some(severity)) = (code, severity) {
                by_code[code][severity] += 1;
            }
        }
    }
    out.gauge("prodpin_findings_by_code", "Findings by code and severity, waived ones left out.")?;
    for (code, counts) in Code::ALL.iter().zip(by_code) {
        for (severity, count) in Severity::ALL.iter().zip(counts).filter(|(_, count)| *count > 0) {
            out.sample(&[("code", code.as_str()), ("severity", severity.as_str())], count as f64)?;
        }
    }
    Ok(())
}

/// A fact about one service; none where it is not known.
type Fact = fn(&RepositoryReport) -> Option<u64>;

/// One pass for each metric: the format wants all samples of a metric together, and no row stays in memory.
fn of_services(report: &Report, out: &mut dyn Metrics) -> io::Result<()> {
    out.gauge("prodpin_services", "Services by their status; whether a protected one is ready, prodpin ready tells.")?;
    for status in ServiceStatus::ALL {
        out.sample(&[("status", status.as_str())], report.summary.services.of(status) as f64)?;
    }
    out.gauge("prodpin_service_status", "The status of a service: 1 for the one that it has.")?;
    for row in report.body.rows() {
        let Some(repository) = row?.repository else { continue };
        let Some(status) = repository.rollback.status else { continue };
        let (source, name) = (repository.source.as_str(), repository.name.as_str());
        out.sample(&[("source", source), ("repository", name), ("status", status.as_str())], 1.0)?;
    }
    let facts: [(&str, &str, Fact); 6] = [
        ("prodpin_service_complete", "Whether everything about the service was read.", |of| {
            Some(u64::from(of.complete))
        }),
        (
            "prodpin_service_rollback_intact",
            "Whether the release to go back to is intact; no sample where unknown, and where there is no earlier release.",
            |of| of.rollback.intact.map(u64::from),
        ),
        (
            "prodpin_service_protected",
            "Whether every rollback target of the service is protected; no sample where unknown, and where there is no earlier release.",
            |of| of.rollback.protected.map(u64::from),
        ),
        ("prodpin_service_rollback_depth", "Intact releases before the current one.", |of| {
            Some(u64::from(of.rollback.depth))
        }),
        ("prodpin_service_targets", "Rollback targets of the service.", |of| Some(of.counts.targets)),
        ("prodpin_service_targets_protected", "Rollback targets of the service proven protected.", |of| {
            Some(of.counts.protected)
        }),
    ];
    for (name, help, fact) in facts {
        out.gauge(name, help)?;
        for row in report.body.rows() {
            let Some(repository) = row?.repository else { continue };
            let Some(value) = fact(&repository) else { continue };
            let labels = [("source", repository.source.as_str()), ("repository", repository.name.as_str())];
            out.sample(&labels, value as f64)?;
        }
    }
    Ok(())
}
