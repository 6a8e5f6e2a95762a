//! Times of a schedule that have gone by.

use jiff::Timestamp;

use super::Schedule;

/// More than these are not counted: a minute's schedule that slept for a week.
const MOST: u64 = 10_000;

/// Times of a schedule that went by, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// How many there were; at least so many, if [`Passed::counted`] does not hold.
    pub count: u64,
    /// Whether all were counted.
    pub counted: bool,
}

impl Schedule {
    /// The times after one moment and up to another, none if there were none.
    #[must_use]
    pub fn passed(&self, after: Timestamp, now: Timestamp) -> Option<Passed> {
        let first = self.after(after).filter(|first| *first <= now)?;
        let mut passed = Passed { first, last: first, count: 1, counted: true };
        while let Some(next) = self.after(passed.last).filter(|next| *next <= now) {
            if passed.count == MOST {
                return Some(Passed { last: now, counted: false, ..passed });
            }
            passed.last = next;
            passed.count += 1;
        }
        Some(passed)
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn passed(text: &str, after: &str, now: &str) -> Option<(String, String, u64, bool)> {
        let schedule = Schedule::parse(text, TimeZone::UTC).unwrap();
        let passed = schedule.passed(after.parse().unwrap(), now.parse().unwrap())?;
        Some((passed.first.to_string(), passed.last.to_string(), passed.count, passed.counted))
    }

    #[test]
    fn the_end_counts_and_the_beginning_does_not_f91() {
        let reported = |first: &str, last: &str, count| Some((first.to_owned(), last.to_owned(), count, true));
        let (three, four) = ("2026-11-23T03:00:00Z", "2026-11-23T04:00:00Z");
        assert_eq!(passed("@hourly", three, "2026-11-23T03:59:59Z"), None);
        assert_eq!(passed("@hourly", three, four), reported(four, four, 1));
        assert_eq!(passed("@hourly", three, "2026-11-23T06:30:00Z"), reported(four, "2026-11-23T06:00:00Z", 3));
        assert_eq!(passed("rate(2 hours)", three, "2026-11-23T06:59:00Z").map(|reported| reported.2), Some(1));
        assert_eq!(passed("@hourly", four, three), None, "a clock that was set back passes nothing");
        assert_eq!(passed("cron(0 0 1 1 ? 2026)", three, "2030-01-01T00:00:00Z"), None, "a schedule that is over");
    }

    #[test]
    fn a_long_sleep_is_not_counted_to_the_end() {
        let now = "2027-11-23T00:00:30Z";
        assert_eq!(
            passed("* * * * *", "2026-11-23T00:00:00Z", now),
            Some(("2026-11-23T00:01:00Z".to_owned(), now.to_owned(), MOST, false))
        );
    }
}
