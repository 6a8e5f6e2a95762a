//! The forecast for a terminal: what is lost first, first; what is spared takes one line.

use std::io::{self, Write};

use super::page::{Page, Rows, Standing};
use super::rows::ForecastReport;
use super::sentences;
use crate::layout::{Page as Paper, Paint, plain, span};
use crate::phrase::Phrase;
use crate::render::Style;
use crate::words;
use prodpin_core::model::Severity;
use prodpin_core::outcome::forecast::{Fate, Preview, RepositoryForecast, RulesFound, TargetForecast};

/// Differences between simulation and preview that are shown.
pub(super) const DIFFERENCES: usize = 5;

/// Things that could not be read that are shown.
pub(super) const UNREAD: usize = 5;

pub(super) fn write(report: &ForecastReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let page = Page::of(report)?;
    let mut paper = Paper::new(out, style);
    header(&mut paper, report, &page)?;
    unread(&mut paper, report)?;
    for standing in Standing::ALL {
        if let Some(rows) = page.rows.get(&standing) {
            section(&mut paper, report, &page, standing, rows)?;
        }
    }
    paper.blank()?;
    paper.paragraph(0, 2, &[span(Paint::Faint, "Nothing was changed or recorded.")])
}

fn header(paper: &mut Paper<'_>, report: &ForecastReport, page: &Page) -> io::Result<()> {
    let section = &report.section;
    let told = format!(" · {} · ", words::moment(section.at).replace(' ', "\u{a0}"));
    let rules = sentences::rules(section).terminal();
    paper.paragraph(0, 2, &[span(Paint::Strong, "prodpin forecast"), plain(told), plain(rules)])?;
    if !section.complete {
        let told = "Not everything could be read or understood. What was not may not be safe.";
        paper.paragraph(0, 2, &[span(Paint::Bad, "! INCOMPLETE"), plain("\u{a0} "), plain(told)])?;
    }
    paper.paragraph(0, 2, &[plain(totals(report).terminal())])?;
    match (section.as_of, fates(page)) {
        (Some(at), Some(fates)) => {
            let told = Phrase::said("By ").then(Phrase::name(&sentences::day(at))).say(": ").then(fates);
            paper.paragraph(0, 2, &[plain(told.terminal())])
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
    let told = services.say(", rules reach ").number(summary.threatened).say(" of ").counted(
        summary.targets,
        "rollback target",
        "rollback targets",
    );
    let severities = Severity::ALL.into_iter().rev().filter(|severity| summary.severities.of(*severity) > 0);
    let severities = severities
        .map(|severity| Phrase::default().number(summary.severities.of(severity)).say(" ").say(severity.as_str()));
    let severities = Phrase::joined(severities, ", ");
    let told = if severities.is_empty() { told } else { told.say(" (").then(severities).say(")") };
    let told = match summary.unreadable {
        0 => told,
        unread => told.say("; ").counted(unread, "service", "services").say(" without rules to read"),
    };
    match summary.unknown {
        0 => told,
        unknown => told.say("; ").counted(unknown, "service", "services").say(" unknown"),
    }
}

/// How the targets fare at the date that was asked about.
pub(super) fn fates(page: &Page) -> Option<Phrase> {
    let told =
        page.fates.iter().map(|(fate, count)| Phrase::default().number(*count).say(" ").say(sentences::fate(*fate)));
    let told = Phrase::joined(told, ", ");
    (!told.is_empty()).then(|| told.say(", if pushes go on at the present pace"))
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
    let told = Phrase::said("… and ").number(count).say(" more; all of them: --format json").terminal();
    paper.paragraph(indent, indent + 2, &[span(Paint::Faint, told)])
}

fn look(standing: Standing) -> (&'static str, Paint) {
    match standing {
        Standing::Reached => ("✗", Paint::Bad),
        Standing::Unknown => ("?", Paint::Doubtful),
        Standing::Doubtful => ("!", Paint::Doubtful),
        Standing::Spared => ("✓", Paint::Good),
        Standing::NoneReadable => ("·", Paint::Faint),
    }
}

fn section(
    paper: &mut Paper<'_>,
    report: &ForecastReport,
    page: &Page,
    standing: Standing,
    rows: &Rows,
) -> io::Result<()> {
    paper.blank()?;
    let head = [
        span(Paint::Strong, sentences::title(standing)),
        plain("\u{a0} "),
        span(Paint::Faint, sentences::explanation(standing)),
    ];
    paper.paragraph(0, 2, &head)?;
    for row in rows.shown.values() {
        service(paper, report, page, standing, row)?;
    }
    more(paper, 0, rows.total - rows.shown.len() as u64)
}

fn service(
    paper: &mut Paper<'_>,
    report: &ForecastReport,
    page: &Page,
    standing: Standing,
    row: &RepositoryForecast,
) -> io::Result<()> {
    let (symbol, paint) = look(standing);
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
    let said = if standing == Standing::Reached { targets_of(paper, row)? } else { None };
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
        let told = sentences::target(target).say(": ").then(sentences::prospect(target, &row.rules));
        let severity = target.severity.map_or("", words::severity);
        let space = if severity.is_empty() { "" } else { " " };
        let spans = [span(paint, format!("{symbol} {severity}{space}")), plain(told.terminal())];
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
    match (target.severity, target.fate) {
        (Some(Severity::Critical | Severity::High), _) => ("✗", Paint::Bad),
        (Some(_), _) => ("!", Paint::Doubtful),
        (None, Some(Fate::Unknown)) => ("?", Paint::Doubtful),
        (None, _) => ("✓", Paint::Good),
    }
}

fn remedy(paper: &mut Paper<'_>, text: &str) -> io::Result<()> {
    paper.paragraph(4, 6, &[plain("→ "), plain(Phrase::sentence(text).terminal())])
}

fn compared(paper: &mut Paper<'_>, preview: &Preview) -> io::Result<()> {
    let told = Phrase::said("the source's preview ").then(sentences::preview(preview));
    let told = if matches!(preview, Preview::Compared { .. }) { told } else { sentences::preview(preview) };
    paper.paragraph(2, 4, &[plain(told.terminal())])?;
    let Preview::Compared { differences, more: unlisted, .. } = preview else { return Ok(()) };
    for difference in differences.iter().take(DIFFERENCES) {
        let told = sentences::difference(difference).terminal();
        paper.paragraph(4, 6, &[span(Paint::Doubtful, "≠ "), plain(told)])?;
    }
    more(paper, 4, differences.len().saturating_sub(DIFFERENCES) as u64 + unlisted)
}
