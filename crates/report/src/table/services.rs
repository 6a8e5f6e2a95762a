//! Services one by one while something is wrong with them, and together when nothing is.

use std::io;

use unicode_width::UnicodeWidthStr as _;

use super::{heading, more};
use crate::layout::{Page, Paint, padded, plain, span};
use crate::overview::{Names, Overview, Service, Services, Standing, TARGETS};
use crate::phrase::Phrase;
use crate::words;
use prodpin_core::outcome::report::{Reason, RepositoryReport, TargetReport};

/// The column of labels.
const LABEL: usize = 14;

/// Below this width there is no room for it.
const NARROW: usize = 60;

pub(super) fn write(page: &mut Page<'_>, overview: &Overview) -> io::Result<()> {
    for standing in Standing::ALL.into_iter().filter(|standing| *standing != Standing::Protected) {
        let Some(services) = overview.services.get(&standing) else { continue };
        heading(page, title(standing), explanation(standing))?;
        for service in services.shown.values() {
            match standing {
                Standing::Attention | Standing::First | Standing::Protected => {
                    attention(page, overview.names, service)?;
                }
                Standing::NotReady | Standing::Endangered | Standing::Unknown => {
                    troubled(page, overview.names, service)?;
                }
            }
        }
        more(page, 0, services.total - services.shown.len() as u64, "more like this; all of them: --format csv")?;
    }
    overview.services.get(&Standing::Protected).map_or(Ok(()), |services| protected(page, overview.names, services))
}

fn title(standing: Standing) -> &'static str {
    match standing {
        Standing::NotReady => "NOT READY",
        Standing::Endangered => "IN DANGER",
        Standing::Unknown => "UNKNOWN",
        Standing::Attention => "NEEDS ATTENTION",
        Standing::First => "NO EARLIER RELEASE",
        Standing::Protected => "PROTECTED",
    }
}

fn explanation(standing: Standing) -> Phrase {
    // Of artifacts alone: whether the database allows a rollback is `prodpin ready`'s to tell.
    Phrase::said(match standing {
        Standing::NotReady => "a rollback would fail now",
        Standing::Endangered => "a critical finding: what a rollback needs is lost, changed, or about to go",
        Standing::Unknown => "whether a rollback would work is unknown",
        Standing::Attention => "not every target is protected, or something needs a person",
        Standing::First => "one release is known, and nothing is lost",
        Standing::Protected => "every rollback target is protected",
    })
}

pub(crate) fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::NotReady => "NOT READY",
        Standing::Endangered => "IN DANGER",
        Standing::Unknown => "UNKNOWN",
        Standing::Attention => "needs attention",
        Standing::First => "no earlier release",
        Standing::Protected => "protected",
    }
}

pub(super) fn look(standing: Standing) -> (&'static str, Paint) {
    match standing {
        Standing::NotReady => ("✗", Paint::Bad),
        Standing::Endangered => ("‼", Paint::Bad),
        Standing::Unknown => ("?", Paint::Doubtful),
        Standing::Attention => ("!", Paint::Doubtful),
        Standing::First => ("·", Paint::Faint),
        Standing::Protected => ("✓", Paint::Good),
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
    field(page, "findings", service.found())?;
    match &service.remedy {
        Some(remedy) => field(page, "do", Phrase::sentence(remedy)),
        None => Ok(()),
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
    let standing = match (target.restorable, target.protected) {
        (Some(false), _) => Standing::NotReady,
        (None, _) => Standing::Unknown,
        (Some(true), Some(true)) => Standing::Protected,
        (Some(true), _) => Standing::Attention,
    };
    let (symbol, paint) = look(standing);
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

/// Services that need nobody: a line each while they are few, else one line for all.
fn protected(page: &mut Page<'_>, names: Names, services: &Services) -> io::Result<()> {
    heading(page, title(Standing::Protected), explanation(Standing::Protected))?;
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
