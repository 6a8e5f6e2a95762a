//! The report as JUnit XML (H155), for CI servers: one test case for each service, and one for what concerns none.
//!
//! A case fails by findings at or above the threshold. One that could not be read whole is an error: what was not
//! checked has not passed (H159).

use std::io::{self, Write};

use quick_xml::events::{BytesDecl, BytesText, Event};
use quick_xml::writer::Writer;

use super::body::Report;
use super::context::Context;
use super::{escape, words};
use prodpin_core::model::{FailOn, Finding};
use prodpin_core::outcome::report::{RepositoryReport, Row};
use prodpin_core::outcome::status::ServiceStatus;

/// So many findings are spelt out for one service, most severe first; the JSON report holds all of them (F96).
const SPELT_OUT: usize = 50;

/// How a case ends.
enum Outcome {
    Passed,
    Failed(String),
    /// Not told.
    Unknown(String),
}

pub(super) fn write(report: &Report, context: &Context<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (mut tests, mut failures, mut errors) = (0_u64, 0_u64, 0_u64);
    for row in report.body.rows() {
        tests += 1;
        match outcome(&row?, context.fail_on) {
            Outcome::Passed => {}
            Outcome::Failed(_) => failures += 1,
            Outcome::Unknown(_) => errors += 1,
        }
    }
    let mut counts = [("tests", tests.to_string()), ("failures", failures.to_string()), ("errors", errors.to_string())];
    if !report.run.complete {
        counts[0].1 = (tests + 1).to_string();
        counts[2].1 = (errors + 1).to_string();
    }
    let seconds = report.run.finished.duration_since(report.run.started).as_secs_f64();
    let time = format!("{seconds:.3}");
    let scope = words::scope(&report.run.scope).map(|scope| format!(", only {}", escape::terminal(&scope)));
    let name = format!("prodpin {} {}{}", words::mode(report.run.mode), report.run.id, scope.unwrap_or_default());
    let timestamp = report.run.started.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let mut xml = Writer::new_with_indent(&mut *out, b' ', 1);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let counts = counts.iter().map(|(name, count)| (*name, count.as_str()));
    let all = [("name", "prodpin"), ("time", time.as_str())].into_iter().chain(counts.clone());
    let suite = [("name", name.as_str()), ("time", time.as_str())].into_iter().chain(counts);
    let suite = suite.chain([("timestamp", timestamp.as_str())]);
    xml.create_element("testsuites").with_attributes(all).write_inner_content(|xml| {
        xml.create_element("testsuite").with_attributes(suite).write_inner_content(|xml| {
            xml.create_element("properties").write_inner_content(|xml| {
                let mut property = |name: &str, value: &str| {
                    let named = xml.create_element("property").with_attributes([("name", name), ("value", value)]);
                    named.write_empty().map(|_| ())
                };
                if let Some(ledger) = &report.run.ledger {
                    property("ledger", &escape::terminal(&ledger.position()))?;
                }
                ServiceStatus::ALL.into_iter().try_for_each(|status| {
                    let count = report.summary.services.of(status).to_string();
                    property(&format!("services.{}", status.as_str()), &count)
                })
            })?;
            if !report.run.complete {
                incomplete(xml)?;
            }
            report.body.rows().try_for_each(|row| case(&row?, context.fail_on, xml))
        })?;
        Ok(())
    })?;
    out.write_all(b"\n")
}

fn incomplete<W: Write>(xml: &mut Writer<W>) -> io::Result<()> {
    let reported = "Not everything could be read. What was not read may not be safe.";
    xml.create_element("testcase")
        .with_attributes([("classname", "prodpin"), ("name", "everything was read")])
        .write_inner_content(|xml| {
            xml.create_element("error").with_attribute(("message", reported)).write_empty()?;
            Ok(())
        })?;
    Ok(())
}

fn case<W: Write>(row: &Row, fail_on: FailOn, xml: &mut Writer<W>) -> io::Result<()> {
    let (class, name) = match &row.repository {
        Some(repository) => (escape::terminal(repository.source.as_str()), escape::terminal(repository.name.as_str())),
        None => ("prodpin".to_owned(), "sources and policy".to_owned()),
    };
    let element = xml.create_element("testcase").with_attributes([("classname", class.as_str()), ("name", &name)]);
    let outcome = outcome(row, fail_on);
    let below: Vec<&Finding> = row.findings.iter().filter(|finding| !counts(finding, fail_on)).collect();
    if matches!(outcome, Outcome::Passed) && below.is_empty() {
        element.write_empty()?;
        return Ok(());
    }
    element.write_inner_content(|xml| {
        let reported = match &outcome {
            Outcome::Passed => None,
            Outcome::Failed(message) => Some(("failure", message)),
            Outcome::Unknown(message) => Some(("error", message)),
        };
        if let Some((tag, message)) = reported {
            let counting = row.findings.iter().filter(|finding| counts(finding, fail_on));
            xml.create_element(tag)
                .with_attribute(("message", message.as_str()))
                .write_text_content(BytesText::new(&lines(counting)))?;
        }
        if !below.is_empty() {
            xml.create_element("system-out").write_text_content(BytesText::new(&lines(below.iter().copied())))?;
        }
        Ok(())
    })?;
    Ok(())
}

fn outcome(row: &Row, fail_on: FailOn) -> Outcome {
    let mut counting = row.findings.iter().filter(|finding| counts(finding, fail_on));
    if let Some(worst) = counting.next() {
        let more = counting.count();
        let rest = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        return Outcome::Failed(format!(
            "{} {}: {}{rest}",
            worst.severity,
            worst.code,
            escape::terminal(&worst.message)
        ));
    }
    match &row.repository {
        Some(repository) if !repository.complete || is_unknown(repository) => {
            let why =
                words::trouble(repository).map_or_else(|| "not everything was read".to_owned(), |why| why.terminal());
            Outcome::Unknown(why)
        }
        _ => Outcome::Passed,
    }
}

fn is_unknown(repository: &RepositoryReport) -> bool {
    repository.rollback.status == Some(ServiceStatus::Unknown)
}

fn counts(finding: &Finding, fail_on: FailOn) -> bool {
    finding.waived.is_none() && fail_on.is_reached_by(finding.severity)
}

fn lines<'a>(findings: impl Iterator<Item = &'a Finding>) -> String {
    let mut lines = String::new();
    let mut more = 0_u64;
    for (place, finding) in findings.enumerate() {
        if place >= SPELT_OUT {
            more += 1;
            continue;
        }
        let waived = match &finding.waived {
            Some(waived) => format!(" [waived until {}: {}]", waived.expires, escape::terminal(&waived.reason)),
            None => String::new(),
        };
        let (message, remedy) = (escape::terminal(&finding.message), escape::terminal(&finding.remedy));
        lines.push_str(&format!("{} {}: {message}{waived}\n  next: {remedy}\n", finding.severity, finding.code));
    }
    if more > 0 {
        lines.push_str(&format!("… and {more} more\n"));
    }
    lines
}
