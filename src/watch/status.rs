//! How `watch` has gone so far, as probes and Prometheus ask for it. Pure: the time is an argument.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// The loop looks up at least twice as often as this; a run that is due for longer and has not begun never will.
const STUCK: SignedDuration = SignedDuration::from_mins(2);

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Everything was read, and everybody told.
    Complete,
    /// It ended, and not everything was read.
    Incomplete,
    /// There is no report.
    Failed,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Complete, Self::Incomplete, Self::Failed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
        }
    }
}

/// A run under way.
#[derive(Debug, Clone, Copy)]
struct RunInProgress {
    began: Timestamp,
    /// When it should have ended long ago, by a clock that nobody sets.
    overdue: Instant,
}

/// The last run.
#[derive(Debug, Clone)]
struct Ended {
    outcome: Outcome,
    began: Timestamp,
    at: Timestamp,
    /// Why it is not complete.
    reason: Option<Arc<str>>,
}

/// What is known of the runs so far.
#[derive(Debug, Clone)]
pub struct Status {
    started: Timestamp,
    next: Option<Timestamp>,
    running: Option<RunInProgress>,
    runs: [u64; 3],
    missed: u64,
    last: Option<Ended>,
    succeeded: Option<Timestamp>,
    looks: u64,
    reloads: [u64; 2],
    reloaded: bool,
    report: Arc<str>,
}

impl Status {
    /// Before the first run.
    #[must_use]
    pub fn new(started: Timestamp) -> Self {
        Self {
            started,
            next: None,
            running: None,
            runs: [0; 3],
            missed: 0,
            last: None,
            succeeded: None,
            looks: 0,
            reloads: [0; 2],
            reloaded: true,
            report: Arc::default(),
        }
    }

    /// The next run starts then; none if none ever will.
    pub fn waits(&mut self, next: Option<Timestamp>) {
        self.next = next;
    }

    /// A run begins, which has so much time, and so many before it were missed.
    pub fn begins(&mut self, now: Timestamp, steady: Instant, deadline: Duration, missed: u64) {
        let longest = deadline.saturating_add(STUCK.unsigned_abs());
        self.running = Some(RunInProgress { began: now, overdue: steady + longest });
        self.missed = self.missed.saturating_add(missed);
    }

    /// It ended, and if it is not complete, for this reason. `report` is the last report as metrics; a run without one
    /// leaves no stale figures behind.
    pub fn ended(&mut self, outcome: Outcome, now: Timestamp, report: Option<String>, reason: Option<String>) {
        let began = self.running.take().map_or(now, |running| running.began);
        self.runs[outcome as usize] += 1;
        self.last = Some(Ended { outcome, began, at: now, reason: reason.map(Into::into) });
        if outcome == Outcome::Complete {
            self.succeeded = Some(now);
        }
        self.report = report.unwrap_or_default().into();
    }

    /// A run because of events ended: it saw a part, and what is known of the whole stays.
    pub fn looked(&mut self) {
        self.running = None;
        self.looks += 1;
    }

    /// The policy was read again, or could not be, and the old one stays.
    pub fn reloads(&mut self, succeeded: bool) {
        self.reloads[usize::from(succeeded)] += 1;
        self.reloaded = succeeded;
    }

    /// Whether the process does its work at all; else why not. Findings and unreadable registries are no reason to
    /// start it anew, only a loop that stands still. `steady` is the same moment by a clock that nobody sets: a run is
    /// not cut off because someone corrected the other one (F90).
    pub fn alive(&self, now: Timestamp, steady: Instant) -> Result<(), String> {
        if let Some(RunInProgress { began, overdue }) = self.running {
            return if steady <= overdue {
                Ok(())
            } else {
                Err(format!("the run that began at {began:.0} is past its deadline"))
            };
        }
        match self.next {
            Some(next) if now.duration_since(next) > STUCK => Err(format!("a run is due since {next:.0}")),
            _ => Ok(()),
        }
    }

    /// Whether what the metrics say can be relied on: the last run was complete. Else why not.
    pub fn ready(&self, now: Timestamp, steady: Instant) -> Result<(), String> {
        self.alive(now, steady)?;
        match &self.last {
            None => Err("no run has ended yet".to_owned()),
            Some(Ended { outcome: Outcome::Complete, .. }) => Ok(()),
            Some(Ended { outcome, at, reason, .. }) => {
                let reason = reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
                Err(format!("the last run, at {at:.0}, is {}{reason}", outcome.as_str()))
            }
        }
    }

    /// In Prometheus' text format: how the runs go, then what the last one said. What is not known has no sample.
    #[must_use]
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        let seconds = |at: Timestamp| Some(at.as_millisecond() as f64 / 1000.0);
        let gauges = [
            ("prodpin_watch_started_timestamp_seconds", "When the process started.", seconds(self.started)),
            ("prodpin_watch_running", "Whether a run is under way.", Some(f64::from(self.running.is_some()))),
            ("prodpin_watch_next_run_timestamp_seconds", "When the next run starts.", self.next.and_then(seconds)),
            (
                "prodpin_watch_last_success_timestamp_seconds",
                "When the last complete run ended.",
                self.succeeded.and_then(seconds),
            ),
            (
                "prodpin_watch_last_run_duration_seconds",
                "How long the last run took.",
                self.last.as_ref().map(|last| last.at.duration_since(last.began).as_secs_f64()),
            ),
            (
                "prodpin_watch_policy_current",
                "Whether the policy in use is the one last read; 0 after a reload that failed.",
                Some(f64::from(self.reloaded)),
            ),
        ];
        for (name, help, value) in gauges {
            let Some(value) = value else { continue };
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        }
        let mut counter = |name: &str, help: &str, samples: &[(&str, u64)]| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
            for (labels, value) in samples {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let runs = Outcome::ALL.map(|outcome| {
            let labels = ["{outcome=\"complete\"}", "{outcome=\"incomplete\"}", "{outcome=\"failed\"}"];
            (labels[outcome as usize], self.runs[outcome as usize])
        });
        counter("prodpin_watch_runs_total", "Runs by how they ended.", &runs);
        counter(
            "prodpin_watch_runs_missed_total",
            "Times of the schedule that passed without a run.",
            &[("", self.missed)],
        );
        counter("prodpin_watch_looks_total", "Runs of a part, because of push events.", &[("", self.looks)]);
        let reloads = [("{outcome=\"failed\"}", self.reloads[0]), ("{outcome=\"done\"}", self.reloads[1])];
        counter("prodpin_watch_reloads_total", "Times the policy was read again.", &reloads);
        text.push_str(&self.report);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-23T{text}Z").parse().unwrap()
    }

    const DEADLINE: Duration = Duration::from_secs(600);

    #[test]
    fn alive_is_a_loop_that_moves_and_ready_a_run_that_saw_everything() {
        let steady = Instant::now();
        let after = |seconds: u64| steady + Duration::from_secs(seconds);
        let mut status = Status::new(at("03:00:00"));
        assert_eq!(status.alive(at("03:00:00"), steady), Ok(()));
        assert_eq!(status.ready(at("03:00:00"), steady), Err("no run has ended yet".to_owned()));
        status.waits(Some(at("03:15:00")));
        assert_eq!(status.alive(at("03:16:59"), steady), Ok(()));
        assert_eq!(status.alive(at("03:18:00"), steady), Err("a run is due since 2026-11-23T03:15:00Z".to_owned()));

        status.begins(at("03:15:00"), steady, DEADLINE, 0);
        assert_eq!(status.alive(at("03:26:00"), after(660)), Ok(()), "under way, whatever was due");
        assert!(status.alive(at("03:28:00"), after(780)).unwrap_err().contains("past its deadline"));
        let tomorrow = "2026-11-24T03:16:00Z".parse().unwrap();
        assert_eq!(status.alive(tomorrow, after(60)), Ok(()), "somebody set the clock (F90)");
        status.ended(Outcome::Complete, at("03:16:00"), Some("prodpin_targets 5\n".to_owned()), None);
        status.waits(Some(at("03:30:00")));
        assert_eq!(status.ready(at("03:16:00"), steady), Ok(()));

        status.begins(at("03:30:00"), steady, DEADLINE, 2);
        assert_eq!(status.ready(at("03:30:30"), steady), Ok(()), "a run under way takes nothing from the last one");
        status.ended(Outcome::Failed, at("03:31:00"), None, Some("the ledger is full".to_owned()));
        status.waits(Some(at("03:45:00")));
        assert_eq!(status.alive(at("03:31:00"), steady), Ok(()), "starting anew would not help");
        let reported = "the last run, at 2026-11-23T03:31:00Z, is failed: the ledger is full";
        assert_eq!(status.ready(at("03:31:00"), steady), Err(reported.to_owned()));
        let text = status.metrics();
        for line in [
            "prodpin_watch_runs_total{outcome=\"complete\"} 1",
            "prodpin_watch_runs_total{outcome=\"failed\"} 1",
            "prodpin_watch_runs_missed_total 2",
            "prodpin_watch_last_run_duration_seconds 60",
            "prodpin_watch_policy_current 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("prodpin_targets"), "figures of a run before the last are not the last's");
        assert!(text.contains(&format!("last_success_timestamp_seconds {}", at("03:16:00").as_second())), "{text}");
    }

    #[test]
    fn what_is_not_known_yet_has_no_sample() {
        let mut status = Status::new(at("03:00:00"));
        let text = status.metrics();
        for name in ["next_run", "last_success", "last_run_duration"] {
            assert!(!text.contains(name), "{name}");
        }
        status.reloads(false);
        assert!(status.metrics().contains("\nprodpin_watch_policy_current 0\n"));
        status.reloads(true);
        assert!(status.metrics().contains("\nprodpin_watch_policy_current 1\n"));
    }
}
