//! Runs that should have been and were not: what nobody looked at in the meantime went unseen (F91).

use jiff::{SignedDuration, Timestamp};

use crate::model::{Code, Finding, Severity};
use crate::schedule::Schedule;

/// What there is to say when the last run like this one started at `last` and this one starts `now`. The latest time
/// that is due is this run's own; any before it was missed.
#[must_use]
pub fn overdue(schedule: &Schedule, last: Timestamp, now: Timestamp) -> Option<Finding> {
    let passed = schedule.passed(last, now)?;
    let missed = passed.count - 1;
    if missed == 0 {
        return None;
    }
    let times = match (missed, passed.counted) {
        (1, true) => "one run was".to_owned(),
        (_, true) => format!("{missed} runs were"),
        (_, false) => format!("more than {missed} runs were"),
    };
    let message = format!(
        "{times} missed: by the schedule {schedule} the next one after {last:.0} was due at {first:.0}, and none was \
             recorded until now; what was pushed, moved or removed in between may have gone unseen",
        first = passed.first,
    );
    let remedy = "find out what kept the runs from starting or ending: the CronJob's events, the function's errors and \
                  throttles, the log of prodpin watch";
    Some(Finding::at_large(Code::RunOverdue, Severity::Medium, None, message, remedy, now))
}

/// Clocks this far apart are worth a word (F90).
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Whether this machine's clock is behind the one that wrote the ledger's newest entry.
#[must_use]
pub fn clock_skew(newest: Option<Timestamp>, now: Timestamp) -> Option<Finding> {
    let newest = newest.filter(|newest| newest.duration_since(now) > SKEW)?;
    let message = format!("the ledger's last entry is from {newest}, and this machine's clock says {now}");
    let remedy = "correct the clock; order comes from the ledger's sequence and is not affected";
    Some(Finding::new(Code::ClockSkew, Severity::Medium, message, remedy, now))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn reported(last: &str, now: &str) -> Option<String> {
        let schedule = Schedule::parse("*/15 * * * *", TimeZone::UTC).unwrap();
        overdue(&schedule, last.parse().unwrap(), now.parse().unwrap()).map(|finding| finding.message)
    }

    #[test]
    fn one_time_between_two_runs_is_this_one_and_any_other_was_missed_f91() {
        let last = "2026-11-23T03:00:02.5Z";
        assert_eq!(reported(last, "2026-11-23T03:10:00Z"), None, "by hand, in between");
        assert_eq!(reported(last, "2026-11-23T03:15:04Z"), None);
        assert_eq!(reported(last, "2026-11-23T03:29:59Z"), None, "late, and still in its own time");
        assert_eq!(reported(last, "2026-11-22T03:00:00Z"), None, "a clock that was set back");
        let once = reported(last, "2026-11-23T03:30:00Z").unwrap();
        assert!(once.starts_with("one run was missed") && once.contains("due at 2026-11-23T03:15:00Z"), "{once}");
        assert!(reported(last, "2026-11-23T05:00:01Z").unwrap().starts_with("7 runs were missed"));
        assert!(reported(last, "2027-11-23T05:00:01Z").unwrap().starts_with("more than 9999 runs were missed"));
    }
}
