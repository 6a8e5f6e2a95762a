//! Services one by one while something is wrong with them, and together when nothing is.

use std::io;

use unicode_width::UnicodeWidthStr as _;

use super::{heading, more};
use crate::layout::{Page, Paint, padded, plain, span};
use crate::overview::{Names, Overview, Service, Services, TARGETS};
use crate::phrase::Phrase;
use crate::words;
use prodpin_core::outcome::report::{Reason, RepositoryReport, TargetReport};
use prodpin_core::outcome::status::ServiceStatus;

/// The column of labels.
const LABEL: usize = 14;

/// Below this width there is no room for it.
const NARROW: usize = 60;

pub(super) fn write(page: &mut Page<'_>, overview: &Overview) -> io::Result<()> {
    for status in ServiceStatus::ALL.into_iter().filter(|status| *status != ServiceStatus::Protected) {
        let Some(services) = overview.services.get(&status) else { continue };
        heading(page, title(status), explanation(status))?;
        for service in services.shown.values() {
            match status {
                ServiceStatus::NotReady | ServiceStatus::InDanger | ServiceStatus::Unknown => {
                    troubled(page, overview.names, service)?;
                }
                _ => attention(page, overview.names, service, look(status))?,
            }
        }
        more(page, 0, services.total - services.shown.len() as u64, "more like this; all of them: --format csv")?;
    }
    overview
        .services
        .get(&ServiceStatus::Protected)
        .map_or(Ok(()), |services| protected(page, overview.names, services))
}

fn title(status: ServiceStatus) -> &'static str {
    match status {
        ServiceStatus::NotProtected => "NOT PROTECTED",
        ServiceStatus::NoEarlierRelease => "NO EARLIER RELEASE",
        ServiceStatus::Protected => "PROTECTED",
        ServiceStatus::Ready => "READY",
        wakes => word(wakes),
    }
}

fn explanation(status: ServiceStatus) -> Phrase {
    // Of artifacts alone: whether the database allows a rollback is `prodpin ready`'s to tell.
    Phrase::said(match status {
        ServiceStatus::NotReady => "a rollback would fail now",
        ServiceStatus::InDanger => "a critical finding: what a rollback needs is lost, changed, or about to go",
        ServiceStatus::Unknown => "whether a rollback would work is unknown",
        ServiceStatus::NotProtected => {
            "the release before is intact, and not every rollback target is known to be protected"
        }
        ServiceStatus::NoEarlierRelease => "no earlier release is known, and nothing that was known is lost",
        ServiceStatus::Protected => "every rollback target is protected",
        ServiceStatus::Ready => "every rollback target is protected, and the database allows the way back",
    })
}

/// What wakes people stands out without colour.
pub(crate) fn word(status: ServiceStatus) -> &'static str {
    match status {
        ServiceStatus::NotReady => "NOT READY",
        ServiceStatus::InDanger => "IN DANGER",
        ServiceStatus::Unknown => "UNKNOWN",
        calm => calm.word(),
    }
}

pub(crate) fn look(status: ServiceStatus) -> (&'static str, Paint) {
    match status {
        ServiceStatus::NotReady => ("✗", Paint::Bad),
        ServiceStatus::InDanger => ("‼", Paint::Bad),
        ServiceStatus::Unknown => ("?", Paint::Doubtful),
        ServiceStatus::NotProtected => ATTENTION,
        ServiceStatus::NoEarlierRelease => ("·", Paint::Faint),
        ServiceStatus::Protected | ServiceStatus::Ready => ("✓", Paint::Good),
    }
}

/// What needs a person and no alarm.
const ATTENTION: (&str, Paint) = ("!", Paint::Doubtful);

/// A service that cannot be rolled back, or may not: what runs, what to go back to, what is wrong, what to do.
fn troubled(page: &mut Page<'_>, names: Names, service: &Service) -> io::Result<()> {
    let report = &service.report;
    let (symbol, paint) = look(service.status);
    page.paragraph(0, 2, &[span(paint, format!("{symbol} ")), span(Paint::Strong, names.service(report).terminal())])?;
    let label = if words::is_latest_by_name(report) { "latest" } else { "running" };
    field(page, label, words::current(report))?;
    field(page, "roll back to", words::roll_back_to(report))?;
    if let Some(trouble) = &service.trouble {
        field(page, "why", trouble.clone())?;
    }
    field(page, "protected", words::protection(report))?;
    targets(page, report)?;
    field(page, "findings", service.found())?;
    match &service.remedy {
        Some(remedy) => field(page, "do", Phrase::sentence(remedy)),
        None => Ok(()),
    }
}

/// A service that is in no danger, and about which something needs a person: what to do is among the findings.
fn attention(
    page: &mut Page<'_>,
    names: Names,
    service: &Service,
    (symbol, paint): (&'static str, Paint),
) -> io::Result<()> {
    let cells = ready_cells(names, service).join("\u{a0} ");
    page.paragraph(0, 4, &[span(paint, format!("{symbol} ")), plain(cells)])?;
    targets(page, &service.report)?;
    if !service.report.complete {
        page.paragraph(text_indent(page), text_indent(page), &[plain("not everything about it could be read")])?;
    }
    field(page, "findings", service.found())
}

/// The column at which a service's details start.
fn text_indent(page: &Page<'_>) -> usize {
    if page.width() < NARROW { 4 } else { LABEL + 2 }
}

fn field(page: &mut Page<'_>, label: &str, text: Phrase) -> io::Result<()> {
    let (hang, text) = (text_indent(page), text.terminal());
    if text.is_empty() {
        return Ok(());
    }
    let label = if hang == 4 { format!("{label}:") } else { padded(label, LABEL - 1) };
    page.paragraph(2, hang, &[span(Paint::Faint, label), plain(" "), plain(text)])
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
    let status = match (target.restorable, target.protected) {
        (Some(false), _) => ServiceStatus::NotReady,
        (None, _) => ServiceStatus::Unknown,
        (Some(true), Some(true)) => ServiceStatus::Protected,
        (Some(true), _) => ServiceStatus::NotProtected,
    };
    let (symbol, paint) = look(status);
    let short = Phrase::name(&target.artifact.short());
    let name = words::label(target).map_or(short.clone(), |label| label.say(" (").then(short).say(")"));
    let wanted = || target.reasons.iter().any(|reason| matches!(reason, Reason::Wanted { .. }));
    let running = match target.running {
        true => "running; ",
        false if wanted() => "wanted, does not run; ",
        false => "",
    };
    let spans = [
        span(paint, format!("{symbol} ")),
        plain(format!("{}: {running}{}", name.terminal(), words::target_state(target).terminal())),
    ];
    let indent = text_indent(page);
    page.paragraph(indent, indent + 2, &spans)
}

/// Protected services: a line each while they are few, else one line for all. Those that need a person come first, and are
/// marked.
fn protected(page: &mut Page<'_>, names: Names, services: &Services) -> io::Result<()> {
    heading(page, title(ServiceStatus::Protected), explanation(ServiceStatus::Protected))?;
    let shown = services.shown.len() as u64;
    let (marked, calm): (Vec<&Service>, Vec<&Service>) =
        services.shown.values().partition(|service| service.needs_a_person());
    marked.iter().try_for_each(|service| attention(page, names, service, ATTENTION))?;
    more(page, 0, services.marked - marked.len() as u64, "more that need a person; each of them: --format csv")?;
    if services.total > shown {
        let rest = services.total - services.marked;
        if rest == 0 {
            return Ok(());
        }
        let many = Phrase::default().counted(rest, "service", "services").say("; each of them: --format csv");
        return page.paragraph(0, 2, &[span(Paint::Good, "✓ "), plain(many.terminal())]);
    }
    let rows: Vec<[String; 3]> = calm.into_iter().map(|service| ready_cells(names, service)).collect();
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
        [names.service(report), change, words::protection_said(report)].map(|phrase| phrase.terminal());
    [name, change, protection.replace(' ', "\u{a0}")]
}
