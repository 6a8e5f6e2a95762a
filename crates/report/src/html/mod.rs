//! The report as one page: everything in one file, nothing from the network, nothing that a registry says ever run.
//!
//! What has a bound (the summary, moved tags, the calendar) is drawn here; rows, of which there may be a
//! hundred thousand, follow as inert JSON that the page's own script shows as they are scrolled to, so neither this
//! program nor the first view of the page grows with the estate (I20). The content security policy allows that one
//! script and that one style sheet by their hashes and nothing else (F76). Every text is shown as the terminal shows
//! it: printable ASCII and escapes (F74, F78).

mod calendar;
mod moves;
mod rows;
mod summary;
mod timeline;

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use self::timeline::Timeline;
use super::body::Report;
use super::overview::Overview;
use super::{escape, words};
use prodpin_core::outcome::report::{LedgerSection, RunSection, UNSIGNED};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let overview = Overview::from_report(report)?;
    let timeline = Timeline::from_report(report)?;
    // The closing tags come after the rows, which are written one by one.
    let page = page(report, &overview, &timeline).into_string();
    let page = page.strip_suffix("</body></html>").unwrap_or(&page);
    out.write_all(page.as_bytes())?;
    rows::write(report, out)?;
    write!(out, "<script>{SCRIPT}</script>\n</body></html>\n")
}

/// A hash by which the policy allows one inline element.
fn hash(content: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(content.as_bytes())))
}

fn page(report: &Report, overview: &Overview, timeline: &Timeline) -> Markup {
    let run = &report.run;
    let policy = format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="generator" content={ "prodpin " (env!("CARGO_PKG_VERSION")) };
                title { "prodpin: " (words::mode(run.mode)) " of " (words::moment(run.started)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a class="skip" href="#main" { "Skip to the report" }
                (header(run))
                (contents(timeline))
                main id="main" class="wrap" tabindex="-1" {
                    @if let Some((what, why)) = run.ledger.as_ref().and_then(LedgerSection::doubt) {
                        div class="banner" role="note" aria-label="Ledger in doubt" {
                            p { strong { (what) } " " (escape::terminal(why)) }
                        }
                    }
                    @if let Some(nothing) = words::nothing_protected(report) {
                        div class="banner" role="note" aria-label="Nothing protected" {
                            p { strong { "Nothing protected." } " " (nothing.terminal()) }
                        }
                    }
                    (warnings(run, overview))
                    (summary::section(report, overview))
                    (table_of_services(report))
                    (table_of_findings())
                    @if !timeline.moves.is_empty() { (moves::section(&timeline.moves, run)) }
                    @if !timeline.due.is_empty() { (calendar::section(&timeline.due)) }
                    (ledger(run))
                }
                footer {
                    div class="wrap" {
                        "Written by prodpin " (env!("CARGO_PKG_VERSION")) ". This file is whole in itself: it loads nothing and sends nothing. "
                        "Times are UTC. Text from registries is shown in ASCII, with everything else escaped."
                    }
                }
            }
        }
    }
}

fn header(run: &RunSection) -> Markup {
    html! {
        header class="top" {
            div class="wrap" {
                div {
                    div class="mark" { "prodpin" }
                    h1 { "Rollback readiness" }
                    p class="soft small" {
                        (words::mode(run.mode)) " of " (words::moment(run.started))
                        " · run " code { (escape::terminal(run.id.as_str())) }
                        @if let Some(scope) = words::scope(&run.scope) { " · only " (escape::terminal(&scope)) }
                    }
                }
                button id="theme" class="theme" type="button" hidden { "Theme" }
            }
        }
    }
}

fn contents(timeline: &Timeline) -> Markup {
    html! {
        nav class="toc" aria-label="Contents" {
            ul class="wrap" {
                li { a href="#summary" { "Summary" } }
                li { a href="#services" { "Services" } }
                li { a href="#findings" { "Findings" } }
                @if !timeline.moves.is_empty() { li { a href="#moves" { "Moved tags" } } }
                @if !timeline.due.is_empty() { li { a href="#calendar" { "Lifecycle calendar" } } }
                li { a href="#ledger" { "Ledger" } }
            }
        }
    }
}

fn warnings(run: &RunSection, overview: &Overview) -> Markup {
    let unread = &overview.unread;
    html! {
        @if !run.complete {
            div class="banner" role="note" aria-label="Incomplete" {
                p { strong { "Incomplete." } " Not everything could be read. What was not read may not be safe." }
                @if unread.total > 0 {
                    ul {
                        @for what in unread.reported() { li { (what.terminal()) } }
                        @let more = unread.more();
                        @if more > 0 { li { "and " (more) " more" } }
                    }
                }
            }
        }
        @if run.ledger.as_ref().is_some_and(|ledger| ledger.unsigned) {
            div class="banner" role="note" aria-label="Unsigned" { p { strong { "Unsigned. " } (UNSIGNED) } }
        }
        @if let Some(text) = overview.pins.reported(run.mode) {
            p class="soft" { (with_commands(&text.terminal())) }
        }
        noscript {
            p { "The rows of this page are shown by its own script, which this browser does not run. The overview below is complete; \
                 every row is also in the report's CSV and Markdown forms." }
        }
    }
}

/// What stands between backticks is a command.
fn with_commands(text: &str) -> Markup {
    html! {
        @for (place, part) in text.split('`').enumerate() {
            @if place.is_multiple_of(2) { (part) } @else { code { (part) } }
        }
    }
}

fn table_of_services(report: &Report) -> Markup {
    let sources = if report.body.has_one_source() { "one" } else { "several" };
    html! {
        section id="services" aria-labelledby="services-title" data-sources=(sources) {
            h2 id="services-title" { "Services" }
            p class="soft small" { "Each service's release list: what runs, and the releases before it that can be rolled back to. Open a service for its releases." }
            div class="tools" role="search" aria-label="Services" {
                label class="grow" { "Search services, tags and digests" input id="services-search" type="search" autocomplete="off" spellcheck="false"; }
                label { "Source" select id="services-sources" { option value="" { "all" } } }
                fieldset id="services-statuses" class="chips" { legend { "Show" } }
            }
            (rows_of("services", "Services and their release lists", "services"))
        }
    }
}

fn table_of_findings() -> Markup {
    html! {
        section id="findings" aria-labelledby="findings-title" {
            h2 id="findings-title" { "Findings" }
            p class="soft small" { "What a person should know, most severe first. Open a finding for its evidence and the next step." }
            div class="tools" role="search" aria-label="Findings" {
                label class="grow" { "Search findings" input id="findings-search" type="search" autocomplete="off" spellcheck="false"; }
                label { "Code" select id="findings-codes" { option value="" { "all" } } }
                fieldset id="findings-severities" class="chips" { legend { "Show" } }
            }
            (rows_of("findings", "Findings", "findings"))
        }
    }
}

fn rows_of(id: &str, caption: &str, things: &str) -> Markup {
    html! {
        p id={ (id) "-status" } class="small soft" role="status" { }
        table id={ (id) "-table" } class="rows" role="table" tabindex="-1" data-things=(things) {
            caption class="sr" { (caption) }
            thead role="rowgroup" { }
            tbody role="rowgroup" { }
        }
        p class="more" { button id={ (id) "-more" } type="button" hidden { "Show more" } }
    }
}

fn ledger(run: &RunSection) -> Markup {
    html! {
        section id="ledger" aria-labelledby="ledger-title" {
            h2 id="ledger-title" { "Ledger" }
            div class="card keep" {
                @match &run.ledger {
                    Some(ledger) => {
                        p { "What this page says was committed to an append-only log before the page was written. Whoever keeps the two values below can later prove that nothing before them was changed." }
                        dl class="facts" {
                            dt { "Commit" } dd { (ledger.sequence) }
                            dt { "Root hash" } dd { code { (escape::terminal(&ledger.root)) } }
                            dt { "Policy" } dd { code { "sha256:" (run.policy_sha256.hex()) } }
                            dt { "Run" } dd { code { (escape::terminal(run.id.as_str())) } }
                        }
                        p { "To verify: render this page again from the ledger, and compare the two files byte for byte." }
                        pre tabindex="0" { code { "prodpin report --run " (escape::terminal(run.id.as_str())) " --report html=again.html\nsha256sum again.html" } }
                        p { "To prove, whenever you like, that nothing before was changed:" }
                        pre tabindex="0" { code { "prodpin verify --since " (escape::terminal(&ledger.position())) } }
                        p class="soft small" {
                            "The last lines of the table that " code { "prodpin report --run" } " prints must name the same commit and root. "
                            "A row's own evidence is the commit it names: " code { "prodpin history REFERENCE" } " tells what was recorded about it, and when."
                        }
                    }
                    None => {
                        p { "No ledger was kept, so nothing here can be verified later, and tags that moved since an earlier run were not noticed." }
                        dl class="facts" { dt { "Policy" } dd { code { "sha256:" (run.policy_sha256.hex()) } } }
                    }
                }
            }
        }
    }
}
