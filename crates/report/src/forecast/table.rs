//! The forecast for a terminal: what is lost first, first; what is spared takes one line.

use std::io::{self, Write};

use super::page::{Page, Rows, RulesStatus};
use super::rows::ForecastReport;
use super::sentences;
use crate::layout::{Page as Paper, Paint, plain, span};
use crate::phrase::Phrase;
use crate::render::Style;
use crate::words;
use prodpin_core::model::Severity;
use prodpin_core::outcome::forecast::{Preview, RepositoryForecast, RulesFound, TargetForecast, TargetOutlook};

/// Differences between simulation and preview that are shown.
pub(super) const DIFFERENCES: usize = 5;

/// Things that could not be read that are shown.
pub(super) const UNREAD: usize = 5;

pub(super) fn write(report: &ForecastReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let page = Page::from_report(report)?;
    let mut paper = Paper::new(out, style);
    header(&mut paper, report, &page)?;
    unread(&mut paper, report)?;
    for status in RulesStatus::ALL {
        if let Some(rows) = page.rows.get(&status) {
            section(&mut paper, report, &page, status, rows)?;
        }
    }
    paper.blank()?;
    paper.paragraph(0, 2, &[span(Paint::Faint, "Nothing was changed or recorded.")])
}

fn header(paper: &mut Paper<'_>, report: &ForecastReport, page: &Page) -> io::Result<()> {
    let section = &report.section;
    let reported = format!(" · {} · ", words::moment(section.at).replace(' ', "\u{a0}"));
    let rules = sentences::rules(section).terminal();
    paper.paragraph(0, 2, &[span(Paint::Strong, "prodpin forecast"), plain(reported), plain(rules)])?;
    if !section.complete {
        let reported = "Not everything could be read or understood. What was not may not be safe.";
        paper.paragraph(0, 2, &[span(Paint::Bad, "! INCOMPLETE"), plain("\u{a0} "), plain(reported)])?;
    }
    paper.paragraph(0, 2, &[plain(totals(report).terminal())])?;
    match (section.as_of, outlooks(page)) {
        (Some(at), Some(outlooks)) => {
            let reported = Phrase::said("By ").then(Phrase::name(&sentences::day(at))).say(": ").then(outlooks);
            paper.paragraph(0, 2, &[plain(reported.terminal())])
        }
        _ => Ok(()),
    }
}

pub(super) fn totals(report: &ForecastReport) -> Phrase {
    let summary = &report.summary;
    let services = Phrase::default().counted(summary.repositories, "service", "services");
    if summary.unreadable > 0 && summary.unreadable == summary.repositories {
        // "Rules reach none of them" would be a yes that nobody gave.
        let of = Phrase::default().counted(summary.targets, "rollback target", "rollback targets");
        return services.say(", ").then(of).say("; whether rules reach them was not judged");
    }
    if report.section.complete && summary.repositories > 0 && summary.targets == 0 && summary.unknown == 0 {
        return services.say(", and no rollback target: nothing there is a release that is kept");
    }
    let reported = services.say(", rules reach ").number(summary.threatened).say(" of ").counted(
        summary.targets,
        "rollback target",
        "rollback targets",
    );
    let severities = Severity::ALL.into_iter().rev().filter(|severity| summary.severities.with_severity(*severity) > 0);
    let severities = severities.map(|severity| {
        Phrase::default().number(summary.severities.with_severity(severity)).say(" ").say(severity.as_str())
    });
    let severities = Phrase::joined(severities, ", ");
    let reported = if severities.is_empty() { reported } else { reported.say(" (").then(severities).say(")") };
    let reported = match summary.unreadable {
        0 => reported,
        unread => reported.say("; ").counted(unread, "service", "services").say(" without rules to read"),
    };
    match summary.unknown {
        0 => reported,
        unknown => reported.say("; ").counted(unknown, "service", "services").say(" unknown"),
    }
}

/// How the targets fare at the date that was asked about.
pub(super) fn outlooks(page: &Page) -> Option<Phrase> {
    let reported = page
        .outlooks
        .iter()
        .map(|(outlook, count)| Phrase::default().number(*count).say(" ").say(sentences::outlook(*outlook)));
    let reported = Phrase::joined(reported, ", ");
    (!reported.is_empty()).then(|| reported.say(", if pushes go on at the present pace"))
}

fn unread(paper: &mut Paper<'_>, report: &ForecastReport) -> io::Result<()> {
    for gap in report.section.gaps.iter().take(UNREAD) {
        paper.paragraph(0, 2, &[span(Paint::Doubtful, "? "), plain(words::gap(gap).terminal())])?;
    }
    more(paper, 0, report.section.gaps.len().saturating_sub(UNREAD) as u64)
}

fn more(paper: &mut Paper<'_>, indent: usize, count: u64) -> io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let reported = Phrase::said("… and ").number(count).say(" more; all of them: --format json").terminal();
    paper.paragraph(indent, indent + 2, &[span(Paint::Faint, reported)])
}

fn look(status: RulesStatus) -> (&'static str, Paint) {
    match status {
        RulesStatus::Reached => ("✗", Paint::Bad),
        RulesStatus::Unknown => ("?", Paint::Doubtful),
        RulesStatus::Doubtful => ("!", Paint::Doubtful),
        RulesStatus::Nothing => ("·", Paint::Doubtful),
        RulesStatus::Spared => ("✓", Paint::Good),
        RulesStatus::NoneReadable => ("·", Paint::Faint),
    }
}

fn section(
    paper: &mut Paper<'_>,
    report: &ForecastReport,
    page: &Page,
    status: RulesStatus,
    rows: &Rows,
) -> io::Result<()> {
    paper.blank()?;
    let head = [
        span(Paint::Strong, sentences::title(status)),
        plain("\u{a0} "),
        span(Paint::Faint, sentences::explanation(status)),
    ];
    paper.paragraph(0, 2, &head)?;
    for row in rows.shown.values() {
        service(paper, report, page, status, row)?;
    }
    more(paper, 0, rows.total - rows.shown.len() as u64)
}

fn service(
    paper: &mut Paper<'_>,
    report: &ForecastReport,
    page: &Page,
    status: RulesStatus,
    row: &RepositoryForecast,
) -> io::Result<()> {
    let (symbol, paint) = look(status);
    let name = sentences::name(row, page.with_source).terminal();
    let targets = Phrase::default().counted(row.targets.len() as u64, "target", "targets");
    let note = match &row.rules {
        RulesFound::NoneSet => targets.say(", no rules set"),
        RulesFound::Unknown { detail } => Phrase::sentence(detail),
        RulesFound::NoneReadable | RulesFound::Live | RulesFound::Tried => targets,
    };
    let head = [span(paint, format!("{symbol} ")), span(Paint::Strong, name), plain("\u{a0} "), plain(note.terminal())];
    paper.paragraph(0, 2, &head)?;
    for gap in row.gaps.iter().take(UNREAD) {
        paper.paragraph(2, 4, &[span(Paint::Doubtful, "? "), plain(words::gap(gap).terminal())])?;
    }
    let said = if status == RulesStatus::Reached { targets_of(paper, row)? } else { None };
    if let Some(others) = row.others.as_ref().filter(|others| sentences::takes_some(others)) {
        paper.paragraph(2, 4, &[plain(sentences::others(others, report.section.as_of).terminal())])?;
    }
    for advice in &row.advice {
        paper.paragraph(
            2,
            4,
            &[span(Paint::Doubtful, "! "), plain(Phrase::sentence(&advice.sentence()).terminal())],
        )?;
        if said != Some(advice.remedy.as_str()) {
            remedy(paper, &advice.remedy)?;
        }
    }
    row.preview.as_ref().map_or(Ok(()), |preview| compared(paper, preview))
}

/// The targets, and what to do: once where it is the same for all, and that is handed back.
fn targets_of<'r>(paper: &mut Paper<'_>, row: &'r RepositoryForecast) -> io::Result<Option<&'r str>> {
    let mut remedies: Vec<&str> = row.targets.iter().filter_map(|target| target.remedy.as_deref()).collect();
    remedies.dedup();
    let shared = remedies.len() == 1;
    for target in &row.targets {
        let (symbol, paint) = target_look(target);
        let reported = sentences::target(target).say(": ").then(sentences::rules_outlook(target, &row.rules));
        let severity = target.severity.map_or("", words::severity);
        let space = if severity.is_empty() { "" } else { " " };
        let spans = [span(paint, format!("{symbol} {severity}{space}")), plain(reported.terminal())];
        paper.paragraph(2, 4, &spans)?;
        if let (false, Some(text)) = (shared, &target.remedy) {
            remedy(paper, text)?;
        }
    }
    if shared {
        remedy(paper, remedies[0])?;
    }
    Ok(remedies.first().copied().filter(|_| shared))
}

fn target_look(target: &TargetForecast) -> (&'static str, Paint) {
    match (target.severity, target.outlook) {
        (Some(Severity::Critical | Severity::High), _) => ("✗", Paint::Bad),
        (Some(_), _) => ("!", Paint::Doubtful),
        (None, Some(TargetOutlook::Unknown)) => ("?", Paint::Doubtful),
        (None, _) => ("✓", Paint::Good),
    }
}

fn remedy(paper: &mut Paper<'_>, text: &str) -> io::Result<()> {
    paper.paragraph(4, 6, &[plain("→ "), plain(Phrase::sentence(text).terminal())])
}

fn compared(paper: &mut Paper<'_>, preview: &Preview) -> io::Result<()> {
    let reported = Phrase::said("the source's preview ").then(sentences::preview(preview));
    let reported = if matches!(preview, Preview::Compared { .. }) { reported } else { sentences::preview(preview) };
    paper.paragraph(2, 4, &[plain(reported.terminal())])?;
    let Preview::Compared { differences, more: unlisted, .. } = preview else { return Ok(()) };
    for difference in differences.iter().take(DIFFERENCES) {
        let reported = sentences::difference(difference).terminal();
        paper.paragraph(4, 6, &[span(Paint::Doubtful, "≠ "), plain(reported)])?;
    }
    more(paper, 4, differences.len().saturating_sub(DIFFERENCES) as u64 + unlisted)
}
