//! A calendar of what lifecycle rules would take, and when.

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday};
use maud::{Markup, html};

use super::timeline::{Taken, When};
use crate::phrase::thousands;

/// Months that are drawn as such; every day is in the list below them.
const MONTHS: usize = 4;

type DueBy = BTreeMap<When, BTreeMap<String, Taken>>;

pub(super) fn section(due: &DueBy) -> Markup {
    let mut by_day: BTreeMap<Date, u64> = BTreeMap::new();
    for (when, rules) in due {
        if let Some(day) = when.day() {
            *by_day.entry(day).or_default() += rules.values().map(|taken| taken.targets).sum::<u64>();
        }
    }
    let mut months: Vec<Date> = by_day.keys().map(|day| day.first_of_month()).collect();
    months.dedup();
    months.truncate(MONTHS);
    html! {
        section id="calendar" aria-labelledby="calendar-title" {
            h2 id="calendar-title" { "Lifecycle calendar" }
            p class="soft small" { "What live lifecycle rules would take from the rollback targets, and when. Services act within about a day of a date." }
            div class="card" {
                @if !months.is_empty() {
                    div class="months" { @for month in months { (grid(month, &by_day)) } }
                }
                (agenda(due))
            }
        }
    }
}

fn grid(month: Date, by_day: &BTreeMap<Date, u64>) -> Markup {
    let before = usize::try_from(month.weekday().to_monday_zero_offset()).unwrap_or(0);
    let days = (1..=month.days_in_month()).filter_map(|day| month.with().day(day).build().ok());
    let cells: Vec<Option<Date>> = std::iter::repeat_n(None, before).chain(days.map(Some)).collect();
    let week = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];
    html! {
        table class="month" {
            caption { (month.strftime("%B %Y")) }
            thead { tr { @for day in week { th scope="col" abbr=(name(day)) { (&name(day)[..2]) } } } }
            tbody {
                @for week in cells.chunks(7) {
                    tr {
                        @for cell in week {
                            @match cell.map(|day| (day, by_day.get(&day))) {
                                None => td {},
                                Some((day, None)) => td { (day.day()) },
                                Some((day, Some(targets))) => td class="due" { (day.day()) small { (thousands(*targets)) span class="sr" { " rollback targets due" } } },
                            }
                        }
                    }
                }
            }
        }
    }
}

fn name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

fn agenda(due: &DueBy) -> Markup {
    html! {
        div class="scroll" role="region" aria-label="What is due" tabindex="0" {
            table {
                caption { "What is due, soonest first" }
                thead { tr { th scope="col" { "When" } th scope="col" { "Rule" } th scope="col" class="num" { "Targets" } th scope="col" { "Which" } } }
                tbody {
                    @for (when, rules) in due {
                        @for (rule, taken) in rules {
                            tr {
                                th scope="row" { (moment(*when)) }
                                td { code { (rule) } }
                                td class="num" { (thousands(taken.targets)) }
                                td {
                                    @for (service, release, effect) in &taken.named {
                                        div { span class="name" { (service) " " (release) } span class="soft" { ": " (effect) } }
                                    }
                                    @let more = taken.targets - taken.named.len() as u64;
                                    @if more > 0 { div class="soft" { "and " (thousands(more)) " more" } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn moment(when: When) -> String {
    match when {
        When::Now => "now, at the next pass".to_owned(),
        When::On(day) => day.to_string(),
        When::AfterPushes(pushes, Some(day)) => format!("after {} more pushes, about {day}", thousands(pushes)),
        When::AfterPushes(pushes, None) => format!("after {} more pushes", thousands(pushes)),
        When::Unsaid => "a date was not worked out".to_owned(),
    }
}
