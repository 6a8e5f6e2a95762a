//! When Harbor does something by itself.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::model::Due;
use crate::schedule::Schedule;

/// The first run at a moment or after it. Harbor's six fields begin with the second, which its portal and its API hold to 0
/// (J23); the rest is Kubernetes' five. The clock is the job service's, which is UTC's in its image. A schedule that cannot
/// be understood may be due at any time.
pub(super) fn first_run(cron: &str, from: Timestamp) -> Due {
    let fields = cron.trim().split_once(char::is_whitespace).map_or("", |(_, rest)| rest);
    let named = cron.trim().starts_with('@');
    let schedule = Schedule::parse(if named { cron } else { fields }, TimeZone::UTC);
    let before = from.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(from);
    match schedule {
        Err(_) => Due::Now,
        // So far ahead that no run of it is worked out: no run is before that.
        Ok(schedule) => Due::On(schedule.after(before).unwrap_or(from)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_fields_begin_with_the_second_j23() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for (cron, from, expected) in [
            ("0 0 0 * * *", "2026-01-02T00:00:00Z", Some("2026-01-02T00:00:00Z")),
            ("0 0 0 * * *", "2026-01-02T00:00:01Z", Some("2026-01-03T00:00:00Z")),
            ("0 30 4 * * 0", "2026-01-02T00:00:00Z", Some("2026-01-04T04:30:00Z")),
            ("@daily", "2026-01-02T00:00:01Z", Some("2026-01-03T00:00:00Z")),
            ("0 0 3 * * *", "2200-01-02T00:00:01Z", Some("2200-01-02T00:00:01Z")),
            ("whenever", "2026-01-02T00:00:01Z", None),
        ] {
            assert_eq!(first_run(cron, at(from)), expected.map_or(Due::Now, |run| Due::On(at(run))), "{cron}");
        }
    }
}
