//! The report as metrics in Prometheus' text format (H158), for the node exporter's textfile collector.
//!
//! Digests stand in no label: every release would make a new series. What is not known has no sample: a graph with a
//! hole says so, a zero would not.

use std::io::{self, Write};

use super::body::Report;
use super::document::RepositoryReport;
use super::overview::Standing;
use super::{escape, table};
use crate::model::{Code, Severity};

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    of_run(report, out)?;
    of_findings(report, out)?;
    of_services(report, out)
}

fn metric(name: &str, help: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge")
}

fn of_run(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let (run, counts) = (&report.run, &report.summary.counts);
    let seconds = |at: jiff::Timestamp| at.as_millisecond() as f64 / 1000.0;
    metric("prodpin_run_info", "The last run.", out)?;
    let mode = super::words::mode(run.mode);
    writeln!(
        out,
        "prodpin_run_info{{version={},mode={},policy_sha256={}}} 1",
        label(env!("CARGO_PKG_VERSION")),
        label(mode),
        // Of the policy, which changes with its text and not with every release; the beginning tells them apart.
        label(&run.policy_sha256.hex()[..12]),
    )?;
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
        metric(name, help, out)?;
        writeln!(out, "{name} {value}")?;
    }
    Ok(())
}

fn of_findings(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    metric("prodpin_findings", "Findings by severity, waived ones left out.", out)?;
    for severity in Severity::ALL.into_iter().rev() {
        let count = report.summary.findings.of(severity);
        writeln!(out, "prodpin_findings{{severity={}}} {count}", label(severity.as_str()))?;
    }
    metric("prodpin_findings_waived", "Findings that the policy waives.", out)?;
    writeln!(out, "prodpin_findings_waived {}", report.summary.findings.waived)?;
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
    metric("prodpin_findings_by_code", "Findings by code and severity, waived ones left out.", out)?;
    for (code, counts) in Code::ALL.iter().zip(by_code) {
        for (severity, count) in Severity::ALL.iter().zip(counts).filter(|(_, count)| *count > 0) {
            let (code, severity) = (label(code.as_str()), label(severity.as_str()));
            writeln!(out, "prodpin_findings_by_code{{code={code},severity={severity}}} {count}")?;
        }
    }
    Ok(())
}

/// A fact about one service; none where it is not known.
type Fact = fn(&RepositoryReport) -> Option<u64>;

/// One pass for each metric: the format wants all samples of a metric together, and no row stays in memory.
fn of_services(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut standings = [0_u64; Standing::ALL.len()];
    for row in report.body.rows() {
        let row = row?;
        let standing = row.repository.as_ref().map(|repository| Standing::of(repository, &row.findings));
        if let Some(place) = Standing::ALL.iter().position(|other| Some(*other) == standing) {
            standings[place] += 1;
        }
    }
    metric("prodpin_services", "Services by how they stand.", out)?;
    for (standing, count) in Standing::ALL.into_iter().zip(standings) {
        writeln!(out, "prodpin_services{{standing={}}} {count}", label(table::word(standing)))?;
    }
    let facts: [(&str, &str, Fact); 5] = [
        ("prodpin_service_complete", "Whether everything about the service was read.", |of| {
            Some(u64::from(of.complete))
        }),
        ("prodpin_service_rollback_ready", "Whether it can be rolled back now; no sample where unknown.", |of| {
            of.rollback.ready.map(u64::from)
        }),
        ("prodpin_service_rollback_depth", "Restorable releases before the current one.", |of| {
            Some(u64::from(of.rollback.depth))
        }),
        ("prodpin_service_targets", "Rollback targets of the service.", |of| Some(of.counts.targets)),
        ("prodpin_service_targets_protected", "Rollback targets of the service proven protected.", |of| {
            Some(of.counts.protected)
        }),
    ];
    for (name, help, fact) in facts {
        metric(name, help, out)?;
        for row in report.body.rows() {
            let Some(repository) = row?.repository else { continue };
            let Some(value) = fact(&repository) else { continue };
            let (source, name_of) = (label(repository.source.as_str()), label(repository.name.as_str()));
            writeln!(out, "{name}{{source={source},repository={name_of}}} {value}")?;
        }
    }
    Ok(())
}

/// A label's value: shown as everywhere, then quoted as the format wants it.
fn label(text: &str) -> String {
    let shown = escape::terminal_name(text, usize::MAX);
    format!("\"{}\"", shown.replace('\\', "\\\\").replace('"', "\\\""))
}
