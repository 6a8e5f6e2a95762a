//! The forecast for a pull request, an issue or a chat: the same page as the table's, in Markdown.

use std::io::{self, Write};

use super::page::{Page, RulesStatus};
use super::rows::ForecastReport;
use super::sentences;
use super::table::{DIFFERENCES, UNREAD, outlooks, totals};
use crate::phrase::Phrase;
use crate::words;
use prodpin_core::outcome::forecast::{Preview, RepositoryForecast, RulesFound};

pub(super) fn write(report: &ForecastReport, out: &mut dyn Write) -> io::Result<()> {
    let page = Page::from_report(report)?;
    let section = &report.section;
    writeln!(out, "## prodpin forecast: {}\n", totals(report).markdown())?;
    if !section.complete {
        writeln!(out, "> **INCOMPLETE.** Not everything could be read or understood. What was not may not be safe.\n")?;
    }
    writeln!(out, "At {}, {}.\n", words::moment(section.at), sentences::rules(section).markdown())?;
    if let (Some(at), Some(outlooks)) = (section.as_of, outlooks(&page)) {
        writeln!(out, "By {}: {}.\n", sentences::day(at), outlooks.markdown())?;
    }
    for gap in section.gaps.iter().take(UNREAD) {
        writeln!(out, "- {}", words::gap(gap).markdown())?;
    }
    for status in RulesStatus::ALL {
        let Some(rows) = page.rows.get(&status) else { continue };
        writeln!(out, "### {}: {}\n", heading(status), sentences::explanation(status))?;
        for row in rows.shown.values() {
            service(report, &page, status, row, out)?;
        }
        let rest = rows.total - rows.shown.len() as u64;
        if rest > 0 {
            writeln!(out, "- {}", Phrase::said("… and ").number(rest).say(" more").markdown())?;
        }
        writeln!(out)?;
    }
    writeln!(out, "Nothing was changed or recorded.")
}

fn heading(status: RulesStatus) -> &'static str {
    match status {
        RulesStatus::Reached => "❌ Reached",
        RulesStatus::Unknown => "❔ Unknown",
        RulesStatus::Doubtful => "⚠️ Spared, with doubtful rules",
        RulesStatus::Nothing => "No rollback targets",
        RulesStatus::Spared => "✅ Spared",
        RulesStatus::NoneReadable => "No rules to read",
    }
}

fn service(
    report: &ForecastReport,
    page: &Page,
    status: RulesStatus,
    row: &RepositoryForecast,
    out: &mut dyn Write,
) -> io::Result<()> {
    let targets = Phrase::default().counted(row.targets.len() as u64, "target", "targets");
    let note = match &row.rules {
        RulesFound::NoneSet => targets.say(", no rules set"),
        RulesFound::Unknown { detail } => Phrase::sentence(detail),
        RulesFound::NoneReadable | RulesFound::Live | RulesFound::Tried => targets,
    };
    writeln!(out, "- {}: {}", sentences::name(row, page.with_source).markdown(), note.markdown())?;
    let mut line = |text: Phrase, remedy: Option<&str>| match remedy {
        Some(remedy) => writeln!(out, "  - {} → {}", text.markdown(), Phrase::sentence(remedy).markdown()),
        None => writeln!(out, "  - {}", text.markdown()),
    };
    row.gaps.iter().take(UNREAD).try_for_each(|gap| line(words::gap(gap), None))?;
    if status == RulesStatus::Reached {
        for target in &row.targets {
            let severity = target.severity.map_or(Phrase::default(), |it| Phrase::said(words::severity(it)).say(" "));
            let reported = severity.then(sentences::target(target)).say(": ");
            line(reported.then(sentences::rules_outlook(target, &row.rules)), target.remedy.as_deref())?;
        }
    }
    if let Some(others) = row.others.as_ref().filter(|others| sentences::takes_some(others)) {
        line(sentences::others(others, report.section.as_of), None)?;
    }
    for advice in &row.advice {
        line(Phrase::sentence(&advice.sentence()), Some(&advice.remedy))?;
    }
    if let Some(preview) = &row.preview {
        line(Phrase::said("Preview: ").then(sentences::preview(preview)), None)?;
        if let Preview::Compared { differences, .. } = preview {
            differences.iter().take(DIFFERENCES).try_for_each(|one| line(sentences::difference(one), None))?;
        }
    }
    Ok(())
}
