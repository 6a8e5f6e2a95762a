//! Tags that moved, each on its own lane along one line of time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};

use super::summary::look;
use super::timeline::Move;
use crate::words;
use prodpin_core::outcome::report::RunSection;

/// Lanes that are drawn: those with the latest moves.
const LANES: usize = 20;

/// The drawing's width, and where its lanes begin.
const WIDTH: f64 = 960.0;
const LEFT: f64 = 300.0;
const RIGHT: f64 = 940.0;
const LANE: f64 = 26.0;

/// A lane's tag, and its moves.
type Lane<'a> = ((&'a str, &'a str), Vec<&'a Move>);

pub(super) fn section(moves: &[Move], run: &RunSection) -> Markup {
    let mut lanes: BTreeMap<(&str, &str), Vec<&Move>> = BTreeMap::new();
    for each in moves {
        lanes.entry((&each.service, &each.tag)).or_default().push(each);
    }
    let mut lanes: Vec<Lane<'_>> = lanes.into_iter().collect();
    lanes.sort_by_key(|(key, moves)| (std::cmp::Reverse(moves.last().map(|last| last.at)), *key));
    html! {
        section id="moves" aria-labelledby="moves-title" {
            h2 id="moves-title" { "Tags that moved" }
            p class="soft small" { "When each tag was first seen to name something else. Times are those of the runs that saw it." }
            div class="card" {
                div class="scroll" role="region" aria-label="Timeline of moved tags" tabindex="0" { (drawing(&lanes, run)) }
                div class="scroll" role="region" aria-label="Moved tags" tabindex="0" { (table(moves)) }
            }
        }
    }
}

fn drawing(lanes: &[Lane<'_>], run: &RunSection) -> Markup {
    let shown = &lanes[..lanes.len().min(LANES)];
    let end = run.finished;
    let first = shown.iter().flat_map(|(_, moves)| moves).map(|each| each.at).min().unwrap_or(end);
    // A day at the least, so that moves of one run do not fill the whole width.
    let start = first.min(end - jiff::SignedDuration::from_hours(24));
    let x = |at: Timestamp| {
        let part = at.duration_since(start).as_secs_f64() / end.duration_since(start).as_secs_f64();
        LEFT + part.clamp(0.0, 1.0) * (RIGHT - LEFT)
    };
    let bottom = 24.0 + LANE * shown.len() as f64;
    let ticks = (0..=3).filter_map(|step| {
        let at = start.checked_add(end.duration_since(start) * step / 3).ok()?;
        Some((
            x(at),
            at.strftime("%Y-%m-%d").to_string(),
            match step {
                0 => "start",
                3 => "end",
                _ => "middle",
            },
        ))
    });
    html! {
        svg class="lane" viewBox={ "0 0 " (WIDTH) " " (bottom + 24.0) } aria-hidden="true" focusable="false" {
            @for (at, day, anchor) in ticks {
                line x1=(at) x2=(at) y1="8" y2=(bottom) class="s-line" {}
                text x=(at) y=(bottom + 16.0) text-anchor=(anchor) { (day) }
            }
            @for (place, ((service, tag), moves)) in shown.iter().enumerate() {
                @let y = 24.0 + LANE * place as f64;
                text x="0" y=(y + 4.0) { (clip(&format!("{service} {tag}"), 44)) }
                line x1=(LEFT) x2=(RIGHT) y1=(y) y2=(y) class="s-line" {}
                @for each in moves {
                    // A square where the tag is gone, a disc where it names something else.
                    @let mark = format!("f-{}", match look(each.severity) { "" => "calm", other => other });
                    @if each.to.is_none() {
                        rect x=(x(each.at) - 5.0) y=(y - 5.0) width="10" height="10" class=(mark) {}
                    } @else {
                        circle cx=(x(each.at)) cy=(y) r="6" class=(mark) {}
                    }
                }
            }
        }
        @if lanes.len() > shown.len() { p class="soft small" { "and " (lanes.len() - shown.len()) " more tags" } }
    }
}

fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

fn table(moves: &[Move]) -> Markup {
    html! {
        table {
            caption { "The latest moves" }
            thead { tr {
                th scope="col" { "When" } th scope="col" { "Service" } th scope="col" { "Tag" } th scope="col" { "What" }
                th scope="col" { "From" } th scope="col" { "To" } th scope="col" { "Severity" } th scope="col" { "Evidence" }
            } }
            tbody {
                @for each in moves.iter().rev() {
                    tr {
                        td { (words::moment(each.at)) }
                        th scope="row" class="name" { (each.service) }
                        td { code { (each.tag) } }
                        td { (each.code) }
                        td { @if let Some(from) = &each.from { code { (from) } } @else { span class="soft" { "–" } } }
                        td { @if let Some(to) = &each.to { code { (to) } } @else { span class="soft" { "–" } } }
                        td { span class={ "tag " (look(each.severity)) } { (each.severity) } }
                        td { @if let Some(sequence) = each.sequence { "commit " (sequence) } @else { span class="soft" { "no ledger" } } }
                    }
                }
            }
        }
    }
}
