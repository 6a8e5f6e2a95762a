//! When the next run starts. Nothing here waits or asks the time: the caller tells it, and is reported what to do.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::schedule::Schedule;

/// A clock that goes back by no more than this was only corrected; a schedule's time that came is not awaited twice.
const CORRECTION: SignedDuration = SignedDuration::from_mins(1);

/// What a run without `--deadline` gets at the least and at the most, whatever the schedule.
const SHORTEST_RUN: SignedDuration = SignedDuration::from_mins(30);
const LONGEST_RUN: SignedDuration = SignedDuration::from_hours(6);

/// So many of the times to come are looked at for the shortest way from one to the next: a fortnight of days.
const LOOKED_AHEAD: usize = 14;

/// How long a run may take where nobody said: as long as it is from one time of the schedule to the next, within
/// bounds. One that hangs would else hold up every run after it.
#[must_use]
pub fn allowance(schedule: &Schedule, now: Timestamp) -> Duration {
    let coming: Vec<Timestamp> =
        std::iter::successors(schedule.after(now), |last| schedule.after(*last)).take(LOOKED_AHEAD).collect();
    let shortest = coming.windows(2).map(|pair| pair[1].duration_since(pair[0])).min();
    let allowed = shortest.unwrap_or(LONGEST_RUN).clamp(SHORTEST_RUN, LONGEST_RUN);
    allowed.unsigned_abs()
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tick {
    /// Nothing before this moment.
    Wait(Timestamp),
    /// Run now, once, however many times have come; so many before the latest were missed.
    Run {
        /// Times that passed without a run.
        missed: u64,
    },
    /// The schedule has come to its end.
    Never,
}

/// A schedule in use: at most one run at a time, and one for each time that came.
#[derive(Debug)]
pub struct Timetable {
    schedule: Schedule,
    /// Runs start up to so much later than the schedule says, so that many clusters do not ask a registry at once.
    jitter: Duration,
    /// What makes this process's lateness differ from others'.
    seed: u64,
    /// Times up to this one are dealt with.
    reckoned: Timestamp,
    /// Whether to run whatever the schedule says, because no run is known.
    at_once: bool,
}

impl Timetable {
    /// From `now` on. What was due since the last run that is on record is made up for; without any, a run is due now.
    #[must_use]
    pub fn new(schedule: Schedule, jitter: Duration, seed: u64, last: Option<Timestamp>, now: Timestamp) -> Self {
        // A record from the future must not put off everything until then (F90).
        let reckoned = last.unwrap_or(now).min(now);
        Self { schedule, jitter, seed, reckoned, at_once: last.is_none() }
    }

    /// What to do now. When it says to run, what has come up to now is dealt with.
    pub fn tick(&mut self, now: Timestamp) -> Tick {
        if self.reckoned.duration_since(now) > CORRECTION {
            self.reckoned = now;
        }
        if std::mem::take(&mut self.at_once) {
            self.reckoned = now;
            return Tick::Run { missed: 0 };
        }
        let Some(start) = self.next() else { return Tick::Never };
        if now < start {
            return Tick::Wait(start);
        }
        let Some(passed) = self.schedule.passed(self.reckoned, now) else { return Tick::Wait(start) };
        self.reckoned = passed.last;
        Tick::Run { missed: passed.count - 1 }
    }

    /// When the next run starts, lateness included; none if the schedule has come to its end.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        if self.at_once {
            return Some(self.reckoned);
        }
        let due = self.schedule.after(self.reckoned)?;
        Some(due.saturating_add(self.lateness(due)).unwrap_or(due))
    }

    /// Another schedule from now on. Times that only the old one, or only the new one, had in the past are gone.
    pub fn reschedule(&mut self, schedule: Schedule, now: Timestamp) {
        if schedule.to_string() != self.schedule.to_string() {
            self.reckoned = now;
        }
        self.schedule = schedule;
    }

    /// The same for the same time however often it is asked, and less than half of the way to the time after it.
    fn lateness(&self, due: Timestamp) -> SignedDuration {
        let gap = self.schedule.after(due).map_or(Duration::MAX, |after| after.duration_since(due).unsigned_abs());
        let most = u64::try_from(self.jitter.min(gap / 2).as_millis()).unwrap_or(u64::MAX);
        if most == 0 {
            return SignedDuration::ZERO;
        }
        let mut hasher = DefaultHasher::new();
        (self.seed, due.as_second()).hash(&mut hasher);
        SignedDuration::from_millis(i64::try_from(hasher.finish() % most).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-23T{text}Z").parse().unwrap()
    }

    fn schedule(text: &str) -> Schedule {
        Schedule::parse(text, TimeZone::UTC).unwrap()
    }

    fn timetable(text: &str, last: Option<&str>, now: &str) -> Timetable {
        Timetable::new(schedule(text), Duration::ZERO, 7, last.map(at), at(now))
    }

    #[test]
    fn without_a_run_on_record_the_first_is_at_once_and_the_next_when_it_is_due() {
        let mut table = timetable("@hourly", None, "03:10:00");
        assert_eq!(table.next(), Some(at("03:10:00")));
        assert_eq!(table.tick(at("03:10:00")), Tick::Run { missed: 0 });
        assert_eq!(table.tick(at("03:10:09")), Tick::Wait(at("04:00:00")));
        assert_eq!(table.tick(at("04:00:00")), Tick::Run { missed: 0 });
        assert_eq!(table.tick(at("04:00:00")), Tick::Wait(at("05:00:00")), "a time comes once (F84)");
    }

    #[test]
    fn what_was_due_while_nobody_watched_is_made_up_for_once_f91() {
        let mut table = timetable("*/15 * * * *", Some("02:00:03"), "03:10:00");
        assert_eq!(table.tick(at("03:10:00")), Tick::Run { missed: 3 }, "02:15, 02:30 and 02:45; 03:00 is this one");
        assert_eq!(table.tick(at("03:10:01")), Tick::Wait(at("03:15:00")));
        let mut table = timetable("*/15 * * * *", Some("03:00:03"), "03:10:00");
        assert_eq!(table.tick(at("03:10:00")), Tick::Wait(at("03:15:00")));
    }

    #[test]
    fn a_run_longer_than_its_time_delays_the_next_and_what_it_covered_is_missed() {
        let mut table = timetable("*/15 * * * *", Some("03:00:00"), "03:01:00");
        assert_eq!(table.tick(at("03:15:00")), Tick::Run { missed: 0 });
        // It ends at 03:52: 03:30 passed unserved, 03:45 is made up for, and there is never a second one beside it.
        assert_eq!(table.tick(at("03:52:00")), Tick::Run { missed: 1 });
        assert_eq!(table.tick(at("03:53:00")), Tick::Wait(at("04:00:00")));
    }

    #[test]
    fn a_clock_that_goes_back_a_day_does_not_stop_the_runs_for_a_day_f90() {
        let mut table = timetable("@hourly", Some("03:00:00"), "03:10:00");
        let yesterday: Timestamp = "2026-11-22T03:10:00Z".parse().unwrap();
        assert_eq!(table.tick(yesterday), Tick::Wait("2026-11-22T04:00:00Z".parse().unwrap()));
        let mut table = timetable("@hourly", Some("03:00:00"), "03:10:00");
        assert_eq!(table.tick(at("04:00:00")), Tick::Run { missed: 0 });
        assert_eq!(table.tick(at("03:59:40")), Tick::Wait(at("05:00:00")), "a small correction runs nothing twice");
        let future = Timetable::new(schedule("@hourly"), Duration::ZERO, 7, Some(at("23:00:00")), at("03:10:00"));
        assert_eq!(future.next(), Some(at("04:00:00")), "nor does a record from the future");
    }

    #[test]
    fn a_new_schedule_counts_from_now_and_the_same_one_changes_nothing() {
        let mut table = timetable("@daily", Some("00:00:00"), "03:10:00");
        table.reschedule(schedule("* * * * *"), at("03:10:30"));
        assert_eq!(table.tick(at("03:10:31")), Tick::Wait(at("03:11:00")), "190 minutes are not missed");
        table.reschedule(schedule("* * * * *"), at("03:12:30"));
        assert_eq!(table.tick(at("03:12:30")), Tick::Run { missed: 1 });
    }

    #[test]
    fn a_run_may_take_as_long_as_it_is_to_the_next_within_bounds() {
        for (text, minutes) in [
            ("* * * * *", 30),
            ("*/15 * * * *", 30),
            ("@hourly", 60),
            ("0 9-17 * * 1-5", 60),
            ("0 3,5 * * *", 120),
            ("@daily", 360),
            ("rate(90 minutes)", 90),
            ("cron(0 3 24 11 ? 2026)", 360),
        ] {
            assert_eq!(allowance(&schedule(text), at("03:10:00")), Duration::from_secs(minutes * 60), "{text}");
        }
    }

    #[test]
    fn a_schedule_that_is_over_never_runs() {
        let mut table = timetable("cron(0 3 23 11 ? 2026)", Some("03:00:00"), "03:10:00");
        assert_eq!((table.tick(at("03:10:00")), table.next()), (Tick::Never, None));
    }

    proptest! {
        /// However the clock is read, every time up to the last run is either run for or counted as missed, once.
        #[test]
        fn every_time_is_run_for_or_missed_once(
            steps in prop::collection::vec(1_i64..4_000, 1..60),
            jitter in 0_u64..2_000,
            seed in any::<u64>(),
            text in prop::sample::select(vec!["*/15 * * * *", "@hourly", "7,8 * * * *", "rate(10 minutes)"]),
        ) {
            let start = at("00:00:00");
            let mut table = Timetable::new(schedule(text), Duration::from_secs(jitter), seed, Some(start), start);
            let (mut now, mut dealt, mut last) = (start, 0, start);
            for step in steps {
                now += SignedDuration::from_secs(step);
                match table.tick(now) {
                    Tick::Run { missed } => {
                        dealt += 1 + missed;
                        last = now;
                        let again = table.tick(now);
                        prop_assert!(matches!(again, Tick::Wait(next) if next > now), "{again:?}");
                    }
                    Tick::Wait(next) => prop_assert!(next > now),
                    Tick::Never => prop_assert!(false, "it has no end"),
                }
            }
            let came = schedule(text).passed(start, last).map_or(0, |passed| passed.count);
            prop_assert_eq!(dealt, came);
        }

        /// A run that is late by jitter is still the run of its own time.
        #[test]
        fn lateness_is_stable_and_stays_before_the_next_time(seed in any::<u64>(), jitter in 0_u64..100_000) {
            let table = Timetable::new(
                schedule("*/15 * * * *"), Duration::from_secs(jitter), seed, Some(at("03:00:00")), at("03:00:00"),
            );
            let start = table.next().unwrap();
            prop_assert_eq!(table.next(), Some(start));
            let most = Duration::from_secs(jitter).min(Duration::from_secs(450));
            prop_assert!(start >= at("03:15:00"));
            prop_assert!(start.duration_since(at("03:15:00")).unsigned_abs() <= most);
        }
    }
}
