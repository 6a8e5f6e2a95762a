//! The report for a terminal, and for a tired person: what cannot be rolled back comes first, in words and symbols
//! that do without colour; what is fine takes one line.

mod services;

use std::io::{self, Write};

use super::body::Report;
use super::escape;
use super::layout::{FIRM_SPACE, Page, Paint, plain, span};
use super::overview::{Cluster, Group, Names, Overview};
use super::phrase::Phrase;
use super::render::Style;
use super::words;
use prodpin_core::model::Severity;
use prodpin_core::outcome::report::{FindingCounts, LedgerSection, UNSIGNED};
use prodpin_core::outcome::status::ServiceStatus;
pub(super) use services::{look, word};

pub(super) fn write(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let overview = Overview::from_report(report)?;
    let mut page = Page::new(out, style);
    in_doubt(&mut page, report)?;
    header(&mut page, report)?;
    verdict(&mut page, report, &overview)?;
    unread(&mut page, &overview)?;
    services::write(&mut page, &overview)?;
    weakest_links(&mut page, &overview)?;
    findings(&mut page, report, &overview)?;
    closing(&mut page, report, &overview)
}

/// Before everything else: what follows is what is left of another history, or may be.
fn in_doubt(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let Some((what, why)) = report.run.ledger.as_ref().and_then(LedgerSection::doubt) else { return Ok(()) };
    page.paragraph(0, 2, &[span(Paint::Bad, format!("! {what}")), plain("\u{a0} "), plain(escape::terminal(why))])?;
    page.blank()
}

fn header(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let run = &report.run;
    let took = run.finished.duration_since(run.started).as_secs().max(0);
    let spans = [
        span(Paint::Strong, format!("prodpin {}", words::mode(run.mode))),
        plain(format!(
            " · {} · {} · run\u{a0}{}",
            words::moment(run.started).replace(' ', "\u{a0}"),
            duration(took),
            super::escape::terminal_name(run.id.as_str(), 40)
        )),
    ];
    page.paragraph(0, 2, &spans)?;
    page.blank()
}

fn duration(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}{FIRM_SPACE}s"),
        60..3_600 => format!("{}{FIRM_SPACE}min{FIRM_SPACE}{}{FIRM_SPACE}s", seconds / 60, seconds % 60),
        _ => format!("{}{FIRM_SPACE}h{FIRM_SPACE}{}{FIRM_SPACE}min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// The answer before the details.
fn verdict(page: &mut Page<'_>, report: &Report, overview: &Overview) -> io::Result<()> {
    if report.run.ledger.as_ref().is_some_and(|ledger| ledger.unsigned) {
        page.paragraph(0, 2, &[span(Paint::Doubtful, "! UNSIGNED"), plain("\u{a0} "), plain(UNSIGNED)])?;
    }
    if !report.run.complete {
        let warning = "Not everything could be read. What was not read may not be safe.";
        page.paragraph(0, 2, &[span(Paint::Bad, "! INCOMPLETE"), plain("\u{a0} "), plain(warning)])?;
    }
    if let Some(scope) = words::scope(&report.run.scope) {
        let reported = format!("{}: {}.", words::is_part(&report.run.scope), escape::terminal(&scope));
        page.paragraph(0, 2, &[span(Paint::Bad, "! PARTIAL"), plain("\u{a0} "), plain(reported)])?;
    }
    if let Some(nothing) = words::nothing_protected(report) {
        page.paragraph(0, 2, &[span(Paint::Bad, "! NOTHING PROTECTED"), plain("\u{a0} "), plain(nothing.terminal())])?;
    }
    let mut spans = Vec::new();
    for status in ServiceStatus::ALL {
        let total = overview.total(status);
        if total > 0 {
            let (symbol, paint) = look(status);
            let count = Phrase::default().number(total).terminal();
            spans.push(span(
                paint,
                format!("{symbol}{FIRM_SPACE}{count}{FIRM_SPACE}{}", word(status).replace(' ', "\u{a0}")),
            ));
            spans.push(plain(format!("{FIRM_SPACE}{FIRM_SPACE} ")));
        }
    }
    if spans.is_empty() {
        let nothing =
            "No service was looked at, so nothing is known to be safe. Check the repositories that the policy names.";
        spans.push(span(Paint::Doubtful, "? nothing seen"));
        spans.push(plain(format!("\u{a0} {nothing}")));
    }
    page.paragraph(0, 2, &spans)?;
    let counts = &report.summary.counts;
    let totals = Phrase::default()
        .counted(overview.service_count(), "service", "services")
        .say(", ")
        .number(counts.protected)
        .say(" of ")
        .counted(counts.targets, "rollback target", "rollback targets")
        .say(" protected; ")
        .then(finding_counts(report.summary.findings));
    page.paragraph(0, 2, &[plain(totals.terminal())])?;
    if overview.service_count() == 0 {
        return Ok(());
    }
    let ready = words::ready_apart(overview.total(ServiceStatus::Protected));
    page.paragraph(0, 2, &[span(Paint::Faint, ready.terminal())])
}

pub(super) fn finding_counts(counts: FindingCounts) -> Phrase {
    let some = Severity::ALL.into_iter().rev().filter(|severity| counts.with_severity(*severity) > 0);
    let listed = Phrase::joined(
        some.map(|severity| Phrase::default().number(counts.with_severity(severity)).say(" ").say(severity.as_str())),
        ", ",
    );
    if listed.is_empty() { Phrase::said("no findings") } else { Phrase::said("findings: ").then(listed) }
}

fn unread(page: &mut Page<'_>, overview: &Overview) -> io::Result<()> {
    let unread = &overview.unread;
    if unread.total == 0 {
        return Ok(());
    }
    heading(page, "NOT READ", Phrase::default().counted(unread.total, "gap", "gaps"))?;
    for what in unread.reported() {
        page.paragraph(0, 2, &[span(Paint::Doubtful, "? "), plain(what.terminal())])?;
    }
    more(page, 2, unread.more(), "more; all of them: --format csv")
}

fn heading(page: &mut Page<'_>, title: &'static str, note: Phrase) -> io::Result<()> {
    page.blank()?;
    page.paragraph(0, 2, &[span(Paint::Strong, title), plain("\u{a0} "), span(Paint::Faint, note.terminal())])
}

fn more(page: &mut Page<'_>, indent: usize, count: u64, what: &'static str) -> io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let text = Phrase::said("… and ").number(count).say(" ").say(what);
    page.paragraph(indent, indent + 2, &[span(Paint::Faint, text.terminal())])
}

/// What the targets of each source do not survive, the most ordinary of it: one line a source.
fn weakest_links(page: &mut Page<'_>, overview: &Overview) -> io::Result<()> {
    let reported = overview.survival.reported();
    if reported.is_empty() {
        return Ok(());
    }
    heading(page, "WEAKEST LINK", Phrase::said("what rollback targets do not survive, source by source"))?;
    for line in reported {
        page.paragraph(0, 2, &[plain(line.terminal())])?;
    }
    more(page, 0, overview.survival.more(), "more sources; each target: --format csv")
}

fn findings(page: &mut Page<'_>, report: &Report, overview: &Overview) -> io::Result<()> {
    if overview.groups.is_empty() {
        return Ok(());
    }
    page.blank()?;
    page.paragraph(0, 2, &[span(Paint::Strong, "FINDINGS")])?;
    overview.groups.values().try_for_each(|group| group_of_findings(page, report, overview.names, group))
}

fn group_of_findings(page: &mut Page<'_>, report: &Report, names: Names, group: &Group) -> io::Result<()> {
    let paint = match group.severity {
        Severity::Critical => Paint::Bad,
        Severity::High => Paint::Doubtful,
        Severity::Medium | Severity::Low => Paint::Strong,
        Severity::Info => Paint::Faint,
    };
    let count = if group.findings == 1 { Phrase::default() } else { Phrase::said(" ×").number(group.findings) };
    let head = [
        span(paint, words::severity(group.severity)),
        plain(format!(" {}", group.code)),
        span(Paint::Faint, count.terminal()),
    ];
    page.paragraph(0, 2, &head)?;
    let mut remedies: Vec<&str> =
        group.shown.iter().flat_map(|cluster| &cluster.examples).map(|finding| finding.remedy.as_str()).collect();
    remedies.dedup();
    let shared = remedies.len() == 1;
    for cluster in &group.shown {
        cluster_of_findings(page, report, names, cluster, !shared)?;
    }
    let listed: u64 = group.shown.iter().map(|cluster| cluster.findings).sum();
    if group.subjects > group.shown.len() as u64 {
        let rest = Phrase::said("… and ").number(group.findings - listed).say(" more in ").counted(
            group.subjects - group.shown.len() as u64,
            "other service; all of them: --format csv",
            "other services; all of them: --format csv",
        );
        page.paragraph(2, 4, &[span(Paint::Faint, rest.terminal())])?;
    }
    if shared { remedy(page, remedies[0]) } else { Ok(()) }
}

fn cluster_of_findings(
    page: &mut Page<'_>,
    report: &Report,
    names: Names,
    cluster: &Cluster,
    each: bool,
) -> io::Result<()> {
    let (source, repository) = &cluster.subject;
    for finding in &cluster.examples {
        let about =
            names.subject(source.as_ref(), repository.as_ref()).say(": ").then(Phrase::sentence(&finding.message));
        let evidence = format!(" [{}]", words::evidence(finding, &report.run).replace(' ', "\u{a0}"));
        page.paragraph(2, 4, &[plain(about.terminal()), span(Paint::Faint, evidence)])?;
        if each {
            remedy(page, &finding.remedy)?;
        }
    }
    more(page, 4, cluster.findings - cluster.examples.len() as u64, "more like this here")
}

fn remedy(page: &mut Page<'_>, text: &str) -> io::Result<()> {
    if text.trim().is_empty() {
        return Ok(());
    }
    page.paragraph(4, 6, &[plain("→ "), plain(Phrase::sentence(text).terminal())])
}

fn closing(page: &mut Page<'_>, report: &Report, overview: &Overview) -> io::Result<()> {
    page.blank()?;
    if let Some(text) = overview.pins.reported(report.run.mode) {
        page.paragraph(0, 2, &[plain(text.terminal())])?;
    }
    let waived = overview.waived();
    if !waived.is_empty() {
        let text =
            Phrase::said("Waived by the policy, and not counted: ").then(waived).say("; each of them: --format csv.");
        page.paragraph(0, 2, &[plain(text.terminal())])?;
    }
    let text = match &report.run.ledger {
        Some(ledger) => Phrase::said("Recorded in the ledger as commit ")
            .number(ledger.sequence)
            .say(", root ")
            .then(Phrase::name(&ledger.root))
            .say(if ledger.unsigned { "; its checkpoint is not signed" } else { "" }),
        None => Phrase::said("No ledger was kept, so the next run cannot tell what changed since this one."),
    };
    page.paragraph(0, 2, &[span(Paint::Faint, text.terminal())])
}
