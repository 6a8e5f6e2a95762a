//! The report for a terminal, and for a tired person: what cannot be rolled back comes first, in words and symbols
//! that do without colour; what is fine takes one line.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

use super::body::Report;
use super::document::{FindingCounts, RepositoryReport, TargetReport};
use super::layout::{FIRM_SPACE, Page, Paint, padded, plain, span};
use super::overview::{Cluster, Group, Names, Overview, Service, Services, Standing, TARGETS};
use super::phrase::Phrase;
use super::render::Style;
use super::words;
use crate::model::{Mode, Severity};

/// The column of labels.
const LABEL: usize = 14;

/// Below this width there is no room for it.
const NARROW: usize = 60;

pub(super) fn write(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let overview = Overview::of(report)?;
    let mut page = Page::new(out, style);
    header(&mut page, report)?;
    verdict(&mut page, report, &overview)?;
    unread(&mut page, &overview)?;
    services(&mut page, &overview)?;
    findings(&mut page, report, &overview)?;
    closing(&mut page, report, &overview)
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
    if !report.run.complete {
        let warning = "Not everything could be read. What was not read may not be safe.";
        page.paragraph(0, 2, &[span(Paint::Bad, "! INCOMPLETE"), plain("\u{a0} "), plain(warning)])?;
    }
    let mut spans = Vec::new();
    for standing in Standing::ALL {
        let total = overview.total(standing);
        if total > 0 {
            let (symbol, paint) = look(standing);
            let count = Phrase::default().number(total).terminal();
            spans.push(span(
                paint,
                format!("{symbol}{FIRM_SPACE}{count}{FIRM_SPACE}{}", word(standing).replace(' ', "\u{a0}")),
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
    page.paragraph(0, 2, &[plain(totals.terminal())])
}

pub(super) fn finding_counts(counts: FindingCounts) -> Phrase {
    let some = Severity::ALL.into_iter().rev().filter(|severity| counts.of(*severity) > 0);
    let listed = Phrase::joined(
        some.map(|severity| Phrase::default().number(counts.of(severity)).say(" ").say(severity.as_str())),
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
    for what in &unread.shown {
        page.paragraph(0, 2, &[span(Paint::Doubtful, "? "), plain(what.terminal())])?;
    }
    more(page, 2, unread.total - unread.shown.len() as u64, "more; all of them: --format csv")
}

fn heading(page: &mut Page<'_>, title: &str, note: Phrase) -> io::Result<()> {
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

fn services(page: &mut Page<'_>, overview: &Overview) -> io::Result<()> {
    for standing in [Standing::NotReady, Standing::Unknown, Standing::Attention] {
        let Some(services) = overview.services.get(&standing) else { continue };
        heading(page, title(standing), explanation(standing))?;
        for service in services.shown.values() {
            match standing {
                Standing::Attention | Standing::Ready => attention(page, overview.names, service)?,
                Standing::NotReady | Standing::Unknown => troubled(page, overview.names, service)?,
            }
        }
        more(page, 0, services.total - services.shown.len() as u64, "more like this; all of them: --format csv")?;
    }
    overview.services.get(&Standing::Ready).map_or(Ok(()), |services| ready(page, overview.names, services))
}

fn title(standing: Standing) -> &'static str {
    match standing {
        Standing::NotReady => "NOT READY",
        Standing::Unknown => "UNKNOWN",
        Standing::Attention => "READY, NEEDING ATTENTION",
        Standing::Ready => "READY",
    }
}

fn explanation(standing: Standing) -> Phrase {
    Phrase::said(match standing {
        Standing::NotReady => "a rollback would fail now",
        Standing::Unknown => "whether a rollback would work could not be told",
        Standing::Attention => "a rollback works now, but may not later",
        Standing::Ready => "a rollback works, and every target is protected",
    })
}

pub(super) fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::NotReady => "NOT READY",
        Standing::Unknown => "UNKNOWN",
        Standing::Attention => "ready, needing attention",
        Standing::Ready => "ready",
    }
}

fn look(standing: Standing) -> (&'static str, Paint) {
    match standing {
        Standing::NotReady => ("✗", Paint::Bad),
        Standing::Unknown => ("?", Paint::Doubtful),
        Standing::Attention => ("!", Paint::Doubtful),
        Standing::Ready => ("✓", Paint::Good),
    }
}

/// A service that cannot be rolled back, or may not: what runs, what to go back to, what is wrong, what to do.
fn troubled(page: &mut Page<'_>, names: Names, service: &Service) -> io::Result<()> {
    let report = &service.report;
    let (symbol, paint) = look(service.standing);
    page.paragraph(0, 2, &[span(paint, format!("{symbol} ")), span(Paint::Strong, names.of(report).terminal())])?;
    field(page, "running", words::current(report))?;
    field(page, "roll back to", words::roll_back_to(report))?;
    if let Some(trouble) = &service.trouble {
        field(page, "why", trouble.clone())?;
    }
    field(page, "protected", words::protection(report))?;
    targets(page, report)?;
    if !service.found.is_empty() {
        field(page, "findings", found(service))?;
    }
    match &service.remedy {
        Some(remedy) if !remedy.trim().is_empty() => field(page, "do", Phrase::sentence(remedy)),
        _ => Ok(()),
    }
}

/// A service that can be rolled back, and about which something needs a person: what to do is among the findings.
fn attention(page: &mut Page<'_>, names: Names, service: &Service) -> io::Result<()> {
    let (symbol, paint) = look(service.standing);
    let cells = ready_cells(names, service).join("\u{a0} ");
    page.paragraph(0, 4, &[span(paint, format!("{symbol} ")), plain(cells)])?;
    targets(page, &service.report)?;
    if !service.report.complete {
        page.paragraph(text_indent(page), text_indent(page), &[plain("not everything about it could be read")])?;
    }
    match service.found.is_empty() {
        true => Ok(()),
        false => field(page, "findings", found(service)),
    }
}

fn found(service: &Service) -> Phrase {
    let found = service.found.iter().map(|(level, code, count)| {
        let times = if *count == 1 { Phrase::default() } else { Phrase::said(" ×").number(*count) };
        Phrase::said(severity(*level)).say(" ").say(code.as_str()).then(times)
    });
    Phrase::joined(found, ", ")
}

/// The column at which a service's details start.
fn text_indent(page: &Page<'_>) -> usize {
    if page.width() < NARROW { 4 } else { LABEL + 2 }
}

fn field(page: &mut Page<'_>, label: &str, text: Phrase) -> io::Result<()> {
    let hang = text_indent(page);
    let label = if hang == 4 { format!("{label}:") } else { padded(label, LABEL - 1) };
    page.paragraph(2, hang, &[span(Paint::Faint, label), plain(" "), plain(text.terminal())])
}

/// The targets one by one, if anything is wrong with one of them.
fn targets(page: &mut Page<'_>, report: &RepositoryReport) -> io::Result<()> {
    let fine = |target: &TargetReport| target.protected == Some(true) && target.restorable == Some(true);
    if report.targets.iter().all(fine) {
        return Ok(());
    }
    for target in report.targets.iter().take(TARGETS) {
        target_line(page, target)?;
    }
    more(page, text_indent(page), report.targets.len().saturating_sub(TARGETS) as u64, "more")
}

fn target_line(page: &mut Page<'_>, target: &TargetReport) -> io::Result<()> {
    let standing = match (target.restorable, target.protected) {
        (Some(false), _) => Standing::NotReady,
        (None, _) => Standing::Unknown,
        (Some(true), Some(true)) => Standing::Ready,
        (Some(true), _) => Standing::Attention,
    };
    let (symbol, paint) = look(standing);
    let short = Phrase::name(&target.artifact.short());
    let name = words::label(target).map_or(short.clone(), |label| label.say(" (").then(short).say(")"));
    let running = if target.running { "running; " } else { "" };
    let spans = [
        span(paint, format!("{symbol} ")),
        plain(format!("{}: {running}{}", name.terminal(), words::target_state(target).terminal())),
    ];
    let indent = text_indent(page);
    page.paragraph(indent, indent + 2, &spans)
}

/// Services that need nobody: a line each while they are few, else one line for all.
fn ready(page: &mut Page<'_>, names: Names, services: &Services) -> io::Result<()> {
    heading(page, title(Standing::Ready), explanation(Standing::Ready))?;
    let shown = services.shown.len() as u64;
    if services.total > shown {
        let many = Phrase::default().counted(services.total, "service", "services").say("; each of them: --format csv");
        return page.paragraph(0, 2, &[span(Paint::Good, "✓ "), plain(many.terminal())]);
    }
    let rows: Vec<[String; 3]> = services.shown.values().map(|service| ready_cells(names, service)).collect();
    let widest = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let (name, release) = (widest(0), widest(1));
    let aligned = name + release + widest(2) + 6 <= page.width();
    for row in rows {
        let text = match &row {
            [service, change, protected] if aligned => {
                [padded(service, name), padded(change, release), padded(protected, 0)].join("\u{a0}\u{a0}")
            }
            cells => cells.join("\u{a0} "),
        };
        page.paragraph(0, 4, &[span(Paint::Good, "✓ "), plain(text)])?;
    }
    Ok(())
}

fn ready_cells(names: Names, service: &Service) -> [String; 3] {
    let report = &service.report;
    let change = words::current_label(report).say(" → ").then(words::roll_back_to(report));
    let [name, change, protection] =
        [names.of(report), change, words::protection(report).say(" protected")].map(|phrase| phrase.terminal());
    [name, change, protection.replace(' ', "\u{a0}")]
}

fn findings(page: &mut Page<'_>, report: &Report, overview: &Overview) -> io::Result<()> {
    if overview.groups.is_empty() {
        return Ok(());
    }
    page.blank()?;
    page.paragraph(0, 2, &[span(Paint::Strong, "FINDINGS")])?;
    overview.groups.values().try_for_each(|group| group_of_findings(page, report, overview.names, group))
}

/// The two that wake people stand out without colour.
pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "CRITICAL",
        Severity::High => "HIGH",
        other => other.as_str(),
    }
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
        span(paint, severity(group.severity)),
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
    if overview.would_pin > 0 && report.run.mode != Mode::Enforce {
        let text = Phrase::said("Nothing was changed. `prodpin enforce` would pin ").counted(
            overview.would_pin,
            "target.",
            "targets.",
        );
        page.paragraph(0, 2, &[plain(text.terminal())])?;
    }
    let text = match &report.run.ledger {
        Some(ledger) => Phrase::said("Recorded in the ledger as commit ")
            .number(ledger.sequence)
            .say(", root ")
            .then(Phrase::name(&ledger.root)),
        None => Phrase::said("No ledger was kept, so the next run cannot tell what changed since this one."),
    };
    page.paragraph(0, 2, &[span(Paint::Faint, text.terminal())])
}
