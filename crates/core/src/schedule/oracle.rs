//! Schedules read a second time, in another way: minute after minute, the text of each field is held against the number
//! on the calendar. It shares neither code nor types with the first reading, and no crate but the one that knows what
//! offset from UTC a zone has at a moment.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::Schedule;

/// What the wall shows.
#[derive(Clone, Copy)]
struct Wall {
    minute: i64,
    hour: i64,
    day: i64,
    month: i64,
    year: i64,
    /// Days since the 1st of January 1970, a Thursday.
    days: i64,
}

impl Wall {
    fn from_seconds(seconds: i64) -> Self {
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // From the 1st of January 2000 on, which is soon counted.
        let (mut year, mut left) = (2000, days - 10_957);
        while left >= year_length(year) {
            left -= year_length(year);
            year += 1;
        }
        let mut month = 1;
        while left >= month_length(year, month) {
            left -= month_length(year, month);
            month += 1;
        }
        Self { minute: rest / 60 % 60, hour: rest / 3600, day: left + 1, month, year, days }
    }

    fn days_since_sunday(&self) -> i64 {
        (self.days + 4).rem_euclid(7)
    }

    fn last_day(&self) -> i64 {
        month_length(self.year, self.month)
    }
}

fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn year_length(year: i64) -> i64 {
    if is_leap(year) { 366 } else { 365 }
}

fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const MONTHS: &str = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC";
const DAYS: &str = "SUN MON TUE WED THU FRI SAT";

/// A number or a name, counted from `first`.
fn number(text: &str, names: &str, first: i64) -> i64 {
    match names.split(' ').position(|name| name.eq_ignore_ascii_case(text)) {
        Some(place) => first + place as i64,
        None => text.parse().unwrap(),
    }
}

/// Whether a field names a number.
fn names(field: &str, wanted: i64, (lowest, highest): (i64, i64), words: &str) -> bool {
    field.split(',').any(|part| {
        let (range, step) = part.split_once('/').unwrap_or((part, ""));
        let (from, to) = match range.split_once('-') {
            _ if range == "*" || range == "?" => (lowest, highest),
            Some((from, to)) => (number(from, words, lowest), number(to, words, lowest)),
            None if step.is_empty() => (number(range, words, lowest), number(range, words, lowest)),
            None => (number(range, words, lowest), highest),
        };
        let step: i64 = if step.is_empty() { 1 } else { step.parse().unwrap() };
        wanted >= from && wanted <= to && (wanted - from) % step == 0
    })
}

/// Whether a field leaves its unit free, in Kubernetes' reading.
fn is_free(field: &str) -> bool {
    field.split(',').any(|part| ["*", "?", "*/1", "?/1"].contains(&part))
}

/// Whether the schedule means this date.
fn means_date(text: &str, wall: &Wall) -> bool {
    if let Some(fields) = text.strip_prefix("cron(") {
        let fields: Vec<&str> = fields.trim_end_matches(')').split(' ').collect();
        let [_, _, day, month, week_day, year] = fields[..] else { panic!("{text}") };
        return names(month, wall.month, (1, 12), MONTHS)
            && names(year, wall.year, (1970, 2199), "")
            && if week_day == "?" { means_day(day, wall) } else { means_week_day(week_day, wall) };
    }
    let fields: Vec<&str> = text.split(' ').collect();
    let [_, _, day, month, week_day] = fields[..] else { panic!("{text}") };
    let of_month = names(day, wall.day, (1, 31), "");
    let of_week = names(week_day, wall.days_since_sunday(), (0, 6), DAYS);
    names(month, wall.month, (1, 12), MONTHS)
        && match (is_free(day), is_free(week_day)) {
            (false, false) => of_month || of_week,
            _ => of_month && of_week,
        }
}

/// AWS's day of month.
fn means_day(field: &str, wall: &Wall) -> bool {
    if field == "L" {
        return wall.day == wall.last_day();
    }
    let Some(nearest) = field.strip_suffix('W') else { return names(field, wall.day, (1, 31), "") };
    let wanted: i64 = nearest.parse().unwrap();
    // Of the month's days from Monday to Friday, the one that is nearest to a day that the month has.
    let is_working = |day: i64| !matches!((wall.days + day - wall.day + 4).rem_euclid(7), 0 | 6);
    let days = (1..=wall.last_day()).filter(|day| is_working(*day));
    wanted <= wall.last_day() && days.min_by_key(|day| (day - wanted).abs()) == Some(wall.day)
}

/// AWS's day of week.
fn means_week_day(field: &str, wall: &Wall) -> bool {
    let today = wall.days_since_sunday() + 1;
    if field == "L" {
        return today == 7;
    }
    if let Some(last) = field.strip_suffix('L') {
        return today == number(last, DAYS, 1) && wall.day + 7 > wall.last_day();
    }
    match field.split_once('#') {
        Some((day, nth)) => today == number(day, DAYS, 1) && (wall.day - 1) / 7 + 1 == nth.parse::<i64>().unwrap(),
        None => names(field, today, (1, 7), DAYS),
    }
}

fn means_time(text: &str, wall: &Wall) -> bool {
    let mut fields = text.strip_prefix("cron(").unwrap_or(text).split(' ');
    let (minute, hour) = (fields.next().unwrap(), fields.next().unwrap());
    names(minute, wall.minute, (0, 59), "") && names(hour, wall.hour, (0, 23), "")
}

/// The first times after `start` and up to `end`.
fn times(text: &str, zone: &TimeZone, start: Timestamp, end: Timestamp, most: usize) -> Vec<Timestamp> {
    let mut found = Vec::new();
    let mut now = start.as_second().div_euclid(60) * 60 + 60;
    while found.len() < most && now <= end.as_second() {
        let at = Timestamp::from_second(now).unwrap();
        let wall = Wall::from_seconds(now + i64::from(zone.to_offset(at).seconds()));
        if !means_date(text, &wall) {
            // Dates begin at a quarter of an hour by any clock, whatever the zone.
            now = now.div_euclid(900) * 900 + 900;
            continue;
        }
        if means_time(text, &wall) {
            found.push(at);
        }
        now += 60;
    }
    found
}

/// A field of numbers, and names where there are some.
fn field(from: u16, to: u16, words: &'static str) -> BoxedStrategy<String> {
    let written = move |number: u16| match words.split(' ').nth(usize::from(number - from)) {
        // Some of them by name, and not always in capitals.
        Some(name) if !name.is_empty() && number.is_multiple_of(3) => name.to_lowercase(),
        Some(name) if !name.is_empty() && number % 3 == 1 => name.to_owned(),
        _ => number.to_string(),
    };
    let number = move || from..=to;
    let ordered = move |a: u16, b: u16| format!("{}-{}", written(a.min(b)), written(a.max(b)));
    let part = prop_oneof![
        4 => number().prop_map(written),
        2 => (number(), number()).prop_map(move |(a, b)| ordered(a, b)),
        1 => (number(), number(), 1..20_u16).prop_map(move |(a, b, step)| format!("{}/{step}", ordered(a, b))),
        1 => (number(), 1..20_u16).prop_map(move |(a, step)| format!("{}/{step}", written(a))),
        1 => (1..40_u16).prop_map(|step| format!("*/{step}")),
    ];
    prop::collection::vec(part, 1..4).prop_map(|parts| parts.join(",")).boxed()
}

/// The same, or a star.
fn free_or(from: u16, to: u16, words: &'static str, star: &'static str, weight: u32) -> BoxedStrategy<String> {
    prop_oneof![weight => Just(star.to_owned()), 2 => field(from, to, words)].boxed()
}

fn kubernetes() -> impl Strategy<Value = String> {
    let star = prop::sample::select(vec!["*", "?", "*/1"]);
    (free_or(0, 59, "", "*", 1), free_or(0, 23, "", "*", 1), star).prop_flat_map(|(minute, hour, star)| {
        let days = (free_or(1, 31, "", star, 1), free_or(1, 12, MONTHS, "*", 4), free_or(0, 6, DAYS, star, 1));
        days.prop_map(move |(day, month, week_day)| format!("{minute} {hour} {day} {month} {week_day}"))
    })
}

fn aws() -> impl Strategy<Value = String> {
    let of_month = prop_oneof![
        3 => free_or(1, 31, "", "*", 1),
        1 => Just("L".to_owned()),
        2 => (1..=31_u8).prop_map(|day| format!("{day}W")),
    ];
    let week_day = || {
        prop_oneof![
            (1..=7_u8).prop_map(|day| day.to_string()),
            prop::sample::select(vec!["SUN", "WED", "sat"]).prop_map(str::to_owned)
        ]
    };
    let of_week = prop_oneof![
        3 => free_or(1, 7, DAYS, "*", 1),
        1 => Just("L".to_owned()),
        2 => week_day().prop_map(|day| format!("{day}L")),
        2 => (week_day(), 1..=5_u8).prop_map(|(day, nth)| format!("{day}#{nth}")),
    ];
    let days =
        prop_oneof![of_month.prop_map(|day| (day, "?".to_owned())), of_week.prop_map(|day| ("?".to_owned(), day))];
    let year = prop_oneof![3 => Just("*".to_owned()), 1 => field(2025, 2032, "")];
    (free_or(0, 59, "", "*", 1), free_or(0, 23, "", "*", 1), days, free_or(1, 12, MONTHS, "*", 4), year).prop_map(
        |(minute, hour, (day, week_day), month, year)| format!("cron({minute} {hour} {day} {month} {week_day} {year})"),
    )
}

/// Zones whose clocks jump by an hour, by half of one, at midnight, or not at all.
const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Cairo",
    "America/Santiago",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Weekdays, either day, letters, years, names, clocks that jump: twice read, once meant (G146, G148).
    #[test]
    fn a_second_reading_finds_the_same_times_g146_g148(
        text in prop_oneof![kubernetes(), aws()],
        zone in prop::sample::select(ZONES.to_vec()),
        seconds in 1_767_225_600_i64..1_924_992_000,
        near_a_jump in any::<bool>(),
    ) {
        let zone = TimeZone::get(zone).unwrap();
        let mut start = Timestamp::from_second(seconds).unwrap();
        if near_a_jump && let Some(jump) = zone.following(start).next() {
            start = jump.timestamp() - SignedDuration::from_secs(seconds % 100_000);
        }
        let end = start + SignedDuration::from_hours(24 * 35);
        let expected = times(&text, &zone, start, end, 4);
        let found = match Schedule::parse(&text, zone.clone()) {
            Ok(schedule) => std::iter::successors(schedule.after(start), |last| schedule.after(*last))
                .take_while(|time| *time <= end)
                .take(4)
                .collect(),
            Err(refused) => {
                prop_assert!(refused.contains("never comes"), "{}: {}", text, refused);
                Vec::new()
            }
        };
        prop_assert_eq!(found, expected, "{} in {:?} after {}", text, zone.iana_name(), start);
    }
}
