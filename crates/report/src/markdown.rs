//! The report for a pull request, an issue or a chat: the same page as the table's, in Markdown.

use std::io::{self, Write};

use super::body::Report;
use super::overview::{Cluster, Group, Names, Overview, Service};
use super::phrase::Phrase;
use super::{escape, table, words};
use prodpin_core::outcome::report::{LedgerSection, UNSIGNED};
use prodpin_core::outcome::status::ServiceStatus;

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let overview = Overview::from_report(report)?;
    header(report, &overview, out)?;
    unread(&overview, out)?;
    services(&overview, out)?;
    weakest_links(&overview, out)?;
    findings(report, &overview, out)?;
    closing(report, &overview, out)
}

fn header(report: &Report, overview: &Overview, out: &mut dyn Write) -> io::Result<()> {
    let run = &report.run;
    if let Some((what, why)) = run.ledger.as_ref().and_then(LedgerSection::doubt) {
        writeln!(out, "> **{what}** {}\n", Phrase::sentence(why).markdown())?;
    }
    writeln!(out, "## prodpin {}: {}\n", words::mode(run.mode), verdict(overview).markdown())?;
    if !run.complete {
        writeln!(out, "> **INCOMPLETE.** Not everything could be read. What was not read may not be safe.\n")?;
    }
    if run.ledger.as_ref().is_some_and(|ledger| ledger.unsigned) {
        // Names of settings are code, or their underscores would mean emphasis.
        let reported =
            UNSIGNED.replace("ledger_key", "`ledger_key`").replace("PRODPIN_LEDGER_KEY", "`PRODPIN_LEDGER_KEY`");
        writeln!(out, "> **UNSIGNED.** {reported}\n")?;
    }
    if let Some(scope) = words::scope(&run.scope) {
        let scope = Phrase::name(&scope);
        writeln!(out, "> **PARTIAL.** {}: {}.\n", words::is_part(&run.scope), scope.markdown())?;
    }
    if let Some(nothing) = words::nothing_protected(report) {
        writeln!(out, "> **NOTHING PROTECTED.** {}\n", nothing.markdown())?;
    }
    let counts = &report.summary.counts;
    let totals = words::ready_apart(overview.total(ServiceStatus::Protected))
        .say(" ")
        .number(counts.protected)
        .say(" of ")
        .counted(counts.targets, "rollback target", "rollback targets")
        .say(" protected; ")
        .then(table::finding_counts(report.summary.findings));
    let id = escape::markdown_name(run.id.as_str(), 40);
    writeln!(out, "Run {id} at {}. {}.\n", words::moment(run.started), totals.markdown())
}

fn verdict(overview: &Overview) -> Phrase {
    let counts = ServiceStatus::ALL.into_iter().filter(|status| overview.total(*status) > 0);
    let counts =
        counts.map(|status| Phrase::default().number(overview.total(status)).say(" ").say(table::word(status)));
    let verdict = Phrase::joined(counts, ", ");
    if verdict.is_empty() { Phrase::said("no service was looked at") } else { verdict }
}

fn unread(overview: &Overview, out: &mut dyn Write) -> io::Result<()> {
    let unread = &overview.unread;
    if unread.total == 0 {
        return Ok(());
    }
    writeln!(out, "### Not read\n")?;
    for what in unread.reported() {
        writeln!(out, "- {}", what.markdown())?;
    }
    more(unread.more(), "more", out)?;
    writeln!(out)
}

fn more(count: u64, what: &'static str, out: &mut dyn Write) -> io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    writeln!(out, "- … and {}", Phrase::default().number(count).say(" ").say(what).markdown())
}

fn services(overview: &Overview, out: &mut dyn Write) -> io::Result<()> {
    if overview.service_count() == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "### Services\n\n| | Service | Running | Roll back to | Protected | What is wrong |\n|---|---|---|---|---|---|"
    )?;
    for status in ServiceStatus::ALL {
        let Some(services) = overview.services.get(&status) else { continue };
        let shown = services.shown.len() as u64;
        if status == ServiceStatus::Protected && services.total > shown {
            // Those that need a person come first, and are not lost among the others.
            let marked: Vec<_> = services.shown.values().filter(|service| service.needs_a_person()).collect();
            marked.iter().try_for_each(|service| row(service, overview.names, out))?;
            let unshown = services.marked - marked.len() as u64;
            if unshown > 0 {
                let rest = Phrase::said("… and ").number(unshown).say(" more that need a person");
                writeln!(out, "| {} | {} | | | | |", sign_of(status, true), rest.markdown())?;
            }
            let calm = services.total - services.marked;
            if calm > 0 {
                let all = Phrase::default().counted(calm, "service", "services").say(", every target protected");
                writeln!(out, "| {} | {} | | | | |", sign_of(status, false), all.markdown())?;
            }
            continue;
        }
        services.shown.values().try_for_each(|service| row(service, overview.names, out))?;
        if services.total > shown {
            let rest = Phrase::said("… and ").number(services.total - shown).say(" more");
            writeln!(out, "| {} | {} | | | | |", sign_of(status, false), rest.markdown())?;
        }
    }
    writeln!(out)
}

fn weakest_links(overview: &Overview, out: &mut dyn Write) -> io::Result<()> {
    let reported = overview.survival.reported();
    if reported.is_empty() {
        return Ok(());
    }
    writeln!(out, "### Weakest link\n")?;
    for line in reported {
        writeln!(out, "- {}", line.markdown())?;
    }
    more(overview.survival.more(), "more sources", out)?;
    writeln!(out)
}

fn sign_of(status: ServiceStatus, marked: bool) -> String {
    let sign = match status {
        ServiceStatus::NotReady => "❌ ",
        ServiceStatus::InDanger => "‼️ ",
        ServiceStatus::Unknown => "❔ ",
        ServiceStatus::NotProtected => "⚠️ ",
        ServiceStatus::Protected | ServiceStatus::Ready if marked => "⚠️ ",
        ServiceStatus::NoEarlierRelease => "",
        ServiceStatus::Protected | ServiceStatus::Ready => "✅ ",
    };
    match status {
        ServiceStatus::NotReady | ServiceStatus::InDanger | ServiceStatus::Unknown => {
            format!("{sign}**{}**", table::word(status))
        }
        _ => format!("{sign}{}", table::word(status)),
    }
}

fn row(service: &Service, names: Names, out: &mut dyn Write) -> io::Result<()> {
    let report = &service.report;
    let mut wrong: Vec<Phrase> = service.trouble.clone().into_iter().collect();
    let troubled =
        report.targets.iter().filter(|target| target.protected != Some(true) || target.restorable != Some(true));
    wrong.extend(troubled.take(3).map(|target| {
        let name = words::label(target).unwrap_or_else(|| Phrase::name(&target.artifact.short()));
        name.say(": ").then(words::target_state(target))
    }));
    if wrong.is_empty() {
        wrong.push(service.found());
    }
    let cells = [
        names.service(report),
        words::current(report),
        words::roll_back_to(report),
        words::protection(report),
        Phrase::joined(wrong, "; "),
    ];
    let cells = cells.map(|cell| cell.markdown()).join(" | ");
    writeln!(out, "| {} | {cells} |", sign_of(service.status, service.needs_a_person()))
}

fn findings(report: &Report, overview: &Overview, out: &mut dyn Write) -> io::Result<()> {
    if overview.groups.is_empty() {
        return Ok(());
    }
    writeln!(out, "### Findings\n")?;
    overview.groups.values().try_for_each(|group| group_of_findings(report, overview.names, group, out))?;
    writeln!(out)
}

fn group_of_findings(report: &Report, names: Names, group: &Group, out: &mut dyn Write) -> io::Result<()> {
    let severity = words::severity(group.severity);
    let count = Phrase::default().counted(group.findings, "finding", "findings");
    writeln!(out, "- **{severity}** `{}`, {}", group.code, count.markdown())?;
    group.shown.iter().try_for_each(|cluster| cluster_of_findings(report, names, cluster, out))?;
    let subjects = group.subjects - group.shown.len() as u64;
    if subjects > 0 {
        let listed: u64 = group.shown.iter().map(|cluster| cluster.findings).sum();
        let rest = Phrase::said("… and ").number(group.findings - listed).say(" more in ");
        writeln!(out, "  - {}", rest.counted(subjects, "other service", "other services").markdown())?;
    }
    Ok(())
}

fn cluster_of_findings(report: &Report, names: Names, cluster: &Cluster, out: &mut dyn Write) -> io::Result<()> {
    let (source, repository) = &cluster.subject;
    for finding in &cluster.examples {
        let about =
            names.subject(source.as_ref(), repository.as_ref()).say(": ").then(Phrase::sentence(&finding.message));
        write!(out, "  - {} ({})", about.markdown(), words::evidence(finding, &report.run))?;
        match finding.remedy.trim() {
            "" => writeln!(out)?,
            remedy => writeln!(out, " → {}", Phrase::sentence(remedy).markdown())?,
        }
    }
    let rest = cluster.findings - cluster.examples.len() as u64;
    if rest > 0 {
        writeln!(out, "  - … and {}", Phrase::default().number(rest).say(" more like this here").markdown())?;
    }
    Ok(())
}

fn closing(report: &Report, overview: &Overview, out: &mut dyn Write) -> io::Result<()> {
    if let Some(text) = overview.pins.reported(report.run.mode) {
        writeln!(out, "{}\n", text.markdown())?;
    }
    let waived = overview.waived();
    if !waived.is_empty() {
        writeln!(out, "Waived by the policy, and not counted: {}.\n", waived.markdown())?;
    }
    match &report.run.ledger {
        Some(ledger) => {
            let unsigned = if ledger.unsigned { "; its checkpoint is not signed" } else { "" };
            let root = escape::markdown_name(&ledger.root, 100);
            writeln!(out, "Ledger: commit {}, root {root}{unsigned}.", ledger.sequence)
        }
        None => writeln!(out, "No ledger was kept."),
    }
}
