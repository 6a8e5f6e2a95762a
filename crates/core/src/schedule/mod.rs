//! When a run is due: the policy's schedule, in the dialect it is written in, and the moments that it means.
//!
//! Three dialects look alike and differ in weekday numbers, in what day-of-month and day-of-week mean together, and in
//! their extra letters (G146–G148). Each is read here into sets of numbers and a rule about days; the `cron` crate then
//! walks through minutes, hours, months and years, and is never shown a weekday.

mod day;
mod field;
mod passed;

use std::fmt;
use std::str::FromStr as _;

use chrono::{DateTime, Datelike as _, NaiveDate, TimeZone as _, Timelike as _, Utc};
use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use day::Days;
use field::{Field, Values};

pub use passed::Passed;

/// A schedule, and the time zone that it is meant in.
#[derive(Debug, Clone)]
pub struct Schedule {
    text: Box<str>,
    meaning: Meaning,
    zone: TimeZone,
}

#[derive(Debug, Clone)]
enum Meaning {
    /// AWS `rate()`: so long after the last one, whatever the clock on the wall says.
    Every(SignedDuration),
    /// Moments on the wall's clock.
    Moments(Box<Moments>),
}

#[derive(Debug, Clone)]
struct Moments {
    /// Minutes, hours, months and years; every day.
    clock: cron::Schedule,
    days: Days,
}

impl Schedule {
    /// Reads five fields as Kubernetes does, `@hourly` and its like, or AWS `cron()` and `rate()`. The error says what
    /// is wrong, without repeating the text.
    pub fn parse(text: &str, zone: TimeZone) -> Result<Self, String> {
        let meaning = meaning(text.trim())?;
        if let Meaning::Moments(moments) = &meaning
            && moments.from(civil::date(2000, 1, 1).at(0, 0, 0, 0)).next().is_none()
        {
            return Err("this schedule never comes: no month has such a day".to_owned());
        }
        Ok(Self { text: text.trim().into(), meaning, zone })
    }

    /// The next time that it is due, strictly after this one; none if it never is again.
    ///
    /// A time that the clocks skip in spring does not come that day, and one that they show twice in autumn comes
    /// twice, as in Kubernetes.
    #[must_use]
    pub fn after(&self, last: Timestamp) -> Option<Timestamp> {
        match &self.meaning {
            Meaning::Every(period) => last.checked_add(*period).ok(),
            Meaning::Moments(moments) => self.next_moment(moments, last),
        }
    }

    fn next_moment(&self, moments: &Moments, last: Timestamp) -> Option<Timestamp> {
        // The wall's clock may go back by an hour or two, so what it showed a while ago may come again.
        let from = last.to_zoned(self.zone.clone()).datetime().checked_sub(SignedDuration::from_hours(3)).ok()?;
        let mut next: Option<Timestamp> = None;
        for moment in moments.from(from) {
            let (first, second) = match self.zone.to_ambiguous_timestamp(moment).offset() {
                AmbiguousOffset::Unambiguous { offset } => (offset.to_timestamp(moment).ok()?, None),
                AmbiguousOffset::Fold { before, after } => {
                    (before.to_timestamp(moment).ok()?, after.to_timestamp(moment).ok())
                }
                AmbiguousOffset::Gap { .. } => continue,
            };
            if next.is_some_and(|next| next <= first) {
                break;
            }
            let coming = [Some(first), second].into_iter().flatten().filter(|moment| *moment > last);
            next = next.into_iter().chain(coming).min();
        }
        next
    }
}

/// As written, and by which clock.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meaning {
            Meaning::Every(_) => f.write_str(&self.text),
            Meaning::Moments(_) => {
                write!(f, "{}, by the clock of {}", self.text, self.zone.iana_name().unwrap_or("this machine"))
            }
        }
    }
}

impl Moments {
    /// Every moment from this one on, in order, by the clock on the wall.
    fn from(&self, start: civil::DateTime) -> impl Iterator<Item = civil::DateTime> + '_ {
        // The crate gives what comes after a moment, to the second.
        let mut position = to_chrono(start).map(|start| start - chrono::Duration::seconds(1));
        std::iter::from_fn(move || {
            loop {
                let found = self.clock.after(&position?).next()?;
                let moment = from_chrono(found)?;
                position = Some(found);
                if self.days.include(moment.date()) {
                    return Some(moment);
                }
                // Nothing else of this day is looked at.
                position = found.date_naive().and_hms_opt(23, 59, 59).map(|end| end.and_utc());
            }
        })
    }
}

/// The crate counts in chrono's types. Clocks on walls have no zone; they are passed through as if they were UTC.
fn to_chrono(moment: civil::DateTime) -> Option<DateTime<Utc>> {
    let field = |value: i8| u32::try_from(value).ok();
    let date = NaiveDate::from_ymd_opt(i32::from(moment.year()), field(moment.month())?, field(moment.day())?)?;
    let time = date.and_hms_opt(field(moment.hour())?, field(moment.minute())?, field(moment.second())?)?;
    Some(Utc.from_utc_datetime(&time))
}

fn from_chrono(moment: DateTime<Utc>) -> Option<civil::DateTime> {
    let field = |value: u32| i8::try_from(value).ok();
    let year = i16::try_from(moment.year()).ok()?;
    civil::DateTime::new(
        year,
        field(moment.month())?,
        field(moment.day())?,
        field(moment.hour())?,
        field(moment.minute())?,
        field(moment.second())?,
        0,
    )
    .ok()
}

fn meaning(text: &str) -> Result<Meaning, String> {
    let inside = |name: &str| text.strip_prefix(name)?.trim_start().strip_prefix('(')?.strip_suffix(')');
    if let Some(rate) = inside("rate") {
        return every(rate).map(Meaning::Every);
    }
    let moments = match inside("cron") {
        Some(fields) => aws(fields)?,
        None => match text.strip_prefix('@') {
            Some(name) => kubernetes(named(name)?)?,
            None => kubernetes(text)?,
        },
    };
    Ok(Meaning::Moments(Box::new(moments)))
}

/// `rate(1 hour)`, `rate(2 hours)`: the unit agrees with the number, as AWS insists (G148).
fn every(rate: &str) -> Result<SignedDuration, String> {
    let wrong = || "rate() takes a number and a unit, such as rate(15 minutes)".to_owned();
    let [number, unit] = rate.split_whitespace().collect::<Vec<_>>()[..] else { return Err(wrong()) };
    let number: i64 = number.parse().ok().filter(|number| (1..=1_000_000).contains(number)).ok_or_else(wrong)?;
    let minutes = match unit.strip_suffix('s').unwrap_or(unit) {
        "minute" => 1,
        "hour" => 60,
        "day" => 24 * 60,
        _ => return Err("the unit of rate() is minutes, hours or days".to_owned()),
    };
    if (number == 1) == unit.ends_with('s') {
        return Err("AWS takes rate(1 hour) and rate(2 hours): the unit agrees with the number".to_owned());
    }
    Ok(SignedDuration::from_mins(number * minutes))
}

fn named(name: &str) -> Result<&'static str, String> {
    match name {
        "yearly" | "annually" => Ok("0 0 1 1 *"),
        "monthly" => Ok("0 0 1 * *"),
        "weekly" => Ok("0 0 * * 0"),
        "daily" | "midnight" => Ok("0 0 * * *"),
        "hourly" => Ok("0 * * * *"),
        _ => Err("use one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly".to_owned()),
    }
}

fn split<const N: usize>(text: &str, what: &str) -> Result<[String; N], String> {
    let fields: Vec<String> = text.split_whitespace().map(str::to_ascii_uppercase).collect();
    let found = fields.len();
    fields.try_into().map_err(|_| format!("{what} has {N} fields, and this has {found}"))
}

/// Minute, hour, day of month, month, day of week from Sunday = 0 (G146).
fn kubernetes(text: &str) -> Result<Moments, String> {
    let [minute, hour, month_day, month, week_day] = split::<5>(text, "a schedule")?;
    let read = |field: Field, text: &str| field.kubernetes(text);
    Ok(Moments {
        clock: clock(&read(field::MINUTE, &minute)?, &read(field::HOUR, &hour)?, &read(field::MONTH, &month)?, None)?,
        days: Days::Either {
            month: read(field::MONTH_DAY, &month_day)?,
            week: read(field::WEEK_DAY_FROM_0, &week_day)?,
        },
    })
}

/// Minute, hour, day of month, month, day of week from Sunday = 1, year; one of the two days is `?` (G148).
fn aws(text: &str) -> Result<Moments, String> {
    let [minute, hour, month_day, month, week_day, year] = split::<6>(text, "AWS cron()")?;
    let days = match (month_day.as_str(), week_day.as_str()) {
        ("?", "?") => return Err("AWS cron() takes ? for day of month or for day of week, not for both".to_owned()),
        ("?", week_day) => day::of_week(week_day)?,
        (month_day, "?") => day::of_month(month_day)?,
        _ => return Err("AWS cron() needs ? for day of month or for day of week".to_owned()),
    };
    let clock = clock(
        &field::MINUTE.aws(&minute)?,
        &field::HOUR.aws(&hour)?,
        &field::MONTH.aws(&month)?,
        Some(&field::YEAR.aws(&year)?),
    )?;
    Ok(Moments { clock, days })
}

/// Years that the crate knows. AWS allows some that it does not; by then someone will have looked again.
const LAST_YEAR: u16 = 2100;

/// In the crate's own words, with plain lists only, which mean the same in every dialect (G147).
fn clock(minute: &Values, hour: &Values, month: &Values, year: Option<&Values>) -> Result<cron::Schedule, String> {
    let list = |values: &Values| {
        values
            .numbers()
            .filter(|number| *number <= LAST_YEAR)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
            .join(",")
    };
    let years = year.filter(|year| !year.is_star()).map_or_else(|| "*".to_owned(), list);
    if years.is_empty() {
        return Err(format!("years after {LAST_YEAR} are too far away to schedule"));
    }
    let text = format!("0 {} {} * {} * {years}", list(minute), list(hour), list(month));
    cron::Schedule::from_str(&text).map_err(|error| format!("this schedule cannot be kept: {error}"))
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
