use proptest::prelude::*;

use super::*;

/// The next `count` times after `start`, with seconds left out.
fn times(text: &str, zone: &str, start: &str, count: usize) -> Vec<String> {
    let zone = TimeZone::get(zone).unwrap();
    let schedule = Schedule::parse(text, zone.clone()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut last: Timestamp = start.parse().unwrap();
    let mut found = Vec::new();
    while found.len() < count {
        let Some(next) = schedule.after(last) else { break };
        found.push(next.to_zoned(zone.clone()).strftime("%a %Y-%m-%dT%H:%M%:z").to_string());
        last = next;
    }
    found
}

fn dates(text: &str, start: &str, count: usize) -> Vec<String> {
    let day = |time: String| time.chars().take("Mon 2026-11-23".len()).collect();
    times(text, "UTC", start, count).into_iter().map(day).collect()
}

#[test]
fn five_fields_mean_what_kubernetes_means_g146() {
    let start = "2026-11-23T03:15:30Z";
    for (text, expected) in [
        ("*/15 * * * *", "Mon 2026-11-23T03:30+00:00"),
        ("0 4 * * *", "Mon 2026-11-23T04:00+00:00"),
        ("0 3 * * *", "Tue 2026-11-24T03:00+00:00"),
        ("5/20 3 * * *", "Mon 2026-11-23T03:25+00:00"),
        ("0 0 * * 0", "Sun 2026-11-29T00:00+00:00"),
        ("0 0 * * sun", "Sun 2026-11-29T00:00+00:00"),
        ("0 0 ? * MON-FRI", "Tue 2026-11-24T00:00+00:00"),
        ("0 0 29 2 ?", "Tue 2028-02-29T00:00+00:00"),
        ("@hourly", "Mon 2026-11-23T04:00+00:00"),
        ("@weekly", "Sun 2026-11-29T00:00+00:00"),
        ("@monthly", "Tue 2026-12-01T00:00+00:00"),
    ] {
        assert_eq!(times(text, "UTC", start, 1), [expected], "{text}");
    }
}

#[test]
fn either_day_will_do_when_both_are_named_g146() {
    let start = "2026-11-01T00:00:00Z";
    assert_eq!(dates("0 0 13 * 5", start, 4), ["Fri 2026-11-06", "Fri 2026-11-13", "Fri 2026-11-20", "Fri 2026-11-27"]);
    assert_eq!(dates("0 0 10 * 5", start, 3), ["Fri 2026-11-06", "Tue 2026-11-10", "Fri 2026-11-13"]);
    // A star leaves its field free, with any list around it; every second day is a choice.
    assert_eq!(dates("0 0 * * 5", start, 2), ["Fri 2026-11-06", "Fri 2026-11-13"]);
    assert_eq!(dates("0 0 */1 * 5", start, 1), ["Fri 2026-11-06"]);
    assert_eq!(dates("0 0 */10 * 5", start, 3), ["Fri 2026-11-06", "Wed 2026-11-11", "Fri 2026-11-13"]);
}

#[test]
fn aws_has_its_own_weekdays_and_letters_g148() {
    let start = "2026-11-23T03:15:30Z";
    for (text, expected) in [
        ("cron(0 10 * * ? *)", "Mon 2026-11-23"),
        ("cron(0 0 ? * 1 *)", "Sun 2026-11-29"),
        ("cron(0 0 ? * MON-FRI *)", "Tue 2026-11-24"),
        ("cron(0 0 ? * L *)", "Sat 2026-11-28"),
        ("cron(0 0 ? * 6L *)", "Fri 2026-11-27"),
        ("cron(0 0 ? * 6#3 *)", "Fri 2026-12-18"),
        ("cron(0 0 ? * FRI#1 *)", "Fri 2026-12-04"),
        ("cron(0 0 L * ? *)", "Mon 2026-11-30"),
        ("cron(0 0 L 2 ? *)", "Sun 2027-02-28"),
        // The 1st of May 2027 is a Saturday, the 31st of January a Sunday, the 15th of May a Saturday.
        ("cron(0 0 1W 5 ? 2027)", "Mon 2027-05-03"),
        ("cron(0 0 31W 1 ? 2027)", "Fri 2027-01-29"),
        ("cron(0 0 15W 5 ? 2027)", "Fri 2027-05-14"),
        ("cron(0 0 1 1 ? 2030-2031)", "Tue 2030-01-01"),
    ] {
        assert_eq!(dates(text, start, 1), [expected], "{text}");
    }
    assert_eq!(dates("cron(0 0 1 1 ? 2020)", start, 1), Vec::<String>::new());
    assert_eq!(
        times("rate(15 minutes)", "UTC", start, 2),
        ["Mon 2026-11-23T03:30+00:00", "Mon 2026-11-23T03:45+00:00"]
    );
    assert_eq!(times("rate(1 day)", "UTC", start, 1), ["Tue 2026-11-24T03:15+00:00"]);
}

#[test]
fn clocks_that_jump_skip_in_spring_and_repeat_in_autumn() {
    let berlin = "Europe/Berlin";
    assert_eq!(
        times("30 2 * * *", berlin, "2026-03-28T00:00:00Z", 3),
        ["Sat 2026-03-28T02:30+01:00", "Mon 2026-03-30T02:30+02:00", "Tue 2026-03-31T02:30+02:00"]
    );
    assert_eq!(
        times("30 2 * * *", berlin, "2026-10-24T12:00:00Z", 3),
        ["Sun 2026-10-25T02:30+02:00", "Sun 2026-10-25T02:30+01:00", "Mon 2026-10-26T02:30+01:00"]
    );
    assert_eq!(
        times("*/30 * * * *", berlin, "2026-10-25T00:10:00Z", 5),
        [
            "Sun 2026-10-25T02:30+02:00",
            "Sun 2026-10-25T02:00+01:00",
            "Sun 2026-10-25T02:30+01:00",
            "Sun 2026-10-25T03:00+01:00",
            "Sun 2026-10-25T03:30+01:00"
        ]
    );
}

#[test]
fn what_no_scheduler_keeps_is_refused() {
    for (text, reason) in [
        ("* * * *", "five fields, and this has 4"),
        ("0 0 * * 7", "it goes from 0 to 6"),
        ("60 * * * *", "is no minute"),
        ("0 0 0 * *", "is no day of month"),
        ("0 5-1 * * *", "goes backwards"),
        ("*/0 * * * *", "is no step"),
        ("+5 * * * *", "is no minute"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 L * *", "is no day of month"),
        ("@reboot", "use one of @yearly"),
        ("cron(0 0 * * *)", "6 fields, and this has 5"),
        ("cron(0 0 * * * *)", "needs ?"),
        ("cron(0 0 ? * ? *)", "not for both"),
        ("cron(0 0 ? * 0 *)", "it goes from 1 to 7"),
        ("cron(0 0 ? * 2#6 *)", "names no week"),
        ("cron(0 0 32W * ? *)", "write 15W"),
        ("cron(0 0 1 1 ? 2150)", "too far away"),
        ("rate(0 hours)", "rate() takes"),
        ("rate(1 hours)", "agrees with the number"),
        ("rate(2 weeks)", "minutes, hours or days"),
    ] {
        let reported = Schedule::parse(text, TimeZone::UTC).map(|_| ()).unwrap_err();
        let reason = reason.replace("five", "5");
        assert!(reported.contains(&reason), "{text}: {reported}");
    }
}

/// A field as people write them, within bounds, without what only one of the implementations takes.
fn field(from: u8, to: u8) -> impl Strategy<Value = String> {
    let number = move || from..=to;
    let part = prop_oneof![
        number().prop_map(|n| n.to_string()),
        (number(), number()).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        (number(), number(), 1..20u8).prop_map(|(a, b, step)| format!("{}-{}/{step}", a.min(b), a.max(b))),
    ];
    prop_oneof![3 => Just("*".to_owned()), 3 => prop::collection::vec(part, 1..4).prop_map(|parts| parts.join(","))]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// An independent implementation agrees on what five fields mean.
    #[test]
    fn five_fields_agree_with_croner_g146(
        minute in field(0, 59), hour in field(0, 23), month_day in field(1, 31), month in field(1, 12),
        week_day in field(0, 6), seconds in 946_684_800i64..2_840_000_000,
    ) {
        let text = format!("{minute} {hour} {month_day} {month} {week_day}");
        let theirs = croner::Cron::from_str(&text).unwrap();
        let mut at = DateTime::from_timestamp(seconds, 0).unwrap();
        let Ok(ours) = Schedule::parse(&text, TimeZone::UTC) else {
            // Refused only where they find nothing either.
            prop_assert!(theirs.find_next_occurrence(&at, false).is_err(), "{}", text);
            return Ok(());
        };
        for _ in 0..3 {
            let Ok(expected) = theirs.find_next_occurrence(&at, false) else { break };
            let found = ours.after(Timestamp::from_second(at.timestamp()).unwrap()).map(Timestamp::as_second);
            prop_assert_eq!(found, Some(expected.timestamp()), "{} after {}", text, at);
            at = expected;
        }
    }
}
