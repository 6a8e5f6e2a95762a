//! The summary of the estate: the status of services, how many targets are protected, what was found.

use maud::{Markup, html};

use crate::body::Report;
use crate::overview::Overview;
use crate::phrase::thousands;
use prodpin_core::model::{Code, Severity};
use prodpin_core::outcome::status::ServiceStatus;

pub(super) fn section(report: &Report, overview: &Overview) -> Markup {
    html! {
        section id="summary" aria-labelledby="summary-title" {
            h2 id="summary-title" { "Summary" }
            div class="summary" {
                (services(overview))
                (targets(report))
                (findings(report))
                (seen(report))
            }
            (weakest_links(overview))
            @if !overview.groups.is_empty() { (groups(overview)) }
        }
    }
}

/// A part of a bar: its length, its look, its name.
type Part = (u64, &'static str, &'static str);

/// A bar of parts. The list beside it says the same in words, so it is hidden from readers of words.
fn bar(parts: &[Part]) -> Markup {
    let whole: u64 = parts.iter().map(|part| part.0).sum();
    let mut start = 0.0;
    let places: Vec<(f64, f64, &str)> = parts
        .iter()
        .filter(|part| part.0 > 0)
        .map(|(length, look, _)| {
            let width = *length as f64 / whole as f64 * 1000.0;
            let place = (start, width, *look);
            start += width;
            place
        })
        .collect();
    html! {
        svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            @for (start, width, look) in places {
                rect x=(format!("{start:.2}")) y="0" width=(format!("{width:.2}")) height="10" class=(look) {}
            }
        }
    }
}

fn keyed(parts: &[Part]) -> Markup {
    html! {
        ul class="keyed" {
            @for (count, look, name) in parts {
                li {
                    span { (dot(look)) (name) }
                    b { (thousands(*count)) }
                }
            }
        }
    }
}

fn dot(look: &str) -> Markup {
    html! { svg width="14" height="10" viewBox="0 0 14 10" aria-hidden="true" focusable="false" { circle cx="5" cy="5" r="4" class=(look) {} } }
}

fn services(overview: &Overview) -> Markup {
    let parts = statuses().map(|status| (overview.total(status), bar_look(status), status.word()));
    let parts: Vec<Part> = parts.collect();
    html! {
        div class="card" {
            h3 { "Services protected" }
            p class="big" { (thousands(overview.total(ServiceStatus::Protected))) small { " of " (thousands(overview.service_count())) } }
            (bar(&parts)) (keyed(&parts))
            p { "Whether the database allows a rollback, and so which of them are ready, tells " code { "prodpin ready" } "." }
        }
    }
}

/// Those that a report has: nothing is called ready here.
fn statuses() -> impl Iterator<Item = ServiceStatus> {
    ServiceStatus::ALL.into_iter().filter(|status| *status != ServiceStatus::Ready)
}

fn bar_look(status: ServiceStatus) -> &'static str {
    match status {
        ServiceStatus::NotReady => "f-bad",
        ServiceStatus::InDanger => "f-high",
        ServiceStatus::Unknown => "f-doubt",
        ServiceStatus::NotProtected | ServiceStatus::NoEarlierRelease => "f-calm",
        ServiceStatus::Protected | ServiceStatus::Ready => "f-good",
    }
}

fn targets(report: &Report) -> Markup {
    let counts = &report.summary.counts;
    let pinned_only = counts.pinned.saturating_sub(counts.protected);
    let parts = [
        (counts.protected, "f-good", "protected"),
        (pinned_only, "f-calm", "pinned, not proven protected"),
        (counts.targets.saturating_sub(counts.protected + pinned_only), "f-bad", "not known to be"),
    ];
    html! {
        div class="card" {
            h3 { "Rollback targets protected" }
            p class="big" { (thousands(counts.protected)) small { " of " (thousands(counts.targets)) } }
            (bar(&parts)) (keyed(&parts))
        }
    }
}

fn findings(report: &Report) -> Markup {
    let counts = report.summary.findings;
    let parts = [
        (counts.critical, "f-bad", "critical"),
        (counts.high, "f-high", "high"),
        (counts.medium, "f-doubt", "medium"),
        (counts.low + counts.info, "f-calm", "low and info"),
    ];
    html! {
        div class="card" {
            h3 { "Findings" }
            p class="big" { (thousands(counts.at_least(Severity::Info))) @if counts.waived > 0 { small { " and " (thousands(counts.waived)) " waived" } } }
            (bar(&parts)) (keyed(&parts))
        }
    }
}

fn seen(report: &Report) -> Markup {
    let counts = &report.summary.counts;
    let took = report.run.finished.duration_since(report.run.started).as_secs();
    html! {
        div class="card" {
            h3 { "Looked at" }
            p class="big" { (thousands(counts.tags)) small { " tags" } }
            ul class="keyed" {
                li { span { "repositories" } b { (thousands(counts.repositories)) } }
                li { span { "artifacts" } b { (thousands(counts.artifacts)) } }
                li { span { "targets" } b { (thousands(counts.targets)) } }
                li { span { "seconds" } b { (took) } }
                li { span { "everything read" } b { @if report.run.complete { "yes" } @else { "no" } } }
            }
        }
    }
}

/// What the targets of each source do not survive, the most ordinary of it: one line a source.
fn weakest_links(overview: &Overview) -> Markup {
    let reported = overview.survival.reported();
    let more = overview.survival.more();
    html! {
        @if !reported.is_empty() {
            div class="card" {
                h3 { "Weakest link" }
                ul {
                    @for line in reported { li { (line.terminal()) } }
                    @if more > 0 { li { "and " (thousands(more)) " more sources" } }
                }
            }
        }
    }
}

/// Floods are one line here, with the worst on top (F96).
fn groups(overview: &Overview) -> Markup {
    html! {
        div class="card" {
            div class="scroll" role="region" aria-label="Findings by kind" tabindex="0" {
                table {
                    caption { "Findings by kind" }
                    thead { tr {
                        th scope="col" { "Severity" } th scope="col" { "Kind" } th scope="col" { "Meaning" }
                        th scope="col" { "Controls" }
                        th scope="col" class="num" { "Findings" } th scope="col" class="num" { "Services" }
                    } }
                    tbody {
                        @for group in overview.groups.values() {
                            tr {
                                td { span class={ "tag " (look(group.severity)) } { (group.severity) } }
                                th scope="row" { button class="link" type="button" data-code=(group.code.as_str()) { (group.code) } }
                                td { (group.code.meaning()) }
                                td class="controls" { (controls(group.code)) }
                                td class="num" { (thousands(group.findings)) }
                                td class="num" { (thousands(group.subjects)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What an auditor asks about: the area, and its controls by number; which standard each is of, stands in their title.
fn controls(code: Code) -> Markup {
    let area = code.control_area();
    html! {
        (area.as_str()) ": "
        @for (place, control) in area.controls().iter().enumerate() {
            @if place > 0 { ", " }
            abbr title=(control.standard) { (control.number) }
        }
    }
}

pub(super) fn look(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "bad",
        Severity::Medium => "doubt",
        Severity::Low | Severity::Info => "",
    }
}
