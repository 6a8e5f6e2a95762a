//! Killed by the operating system before every call that changes a file, and in the middle of every write (F87); starved
//! of space or of a working disk from each of them on (F54, F55). One clean run later nothing tells (I15).

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::failpoints::{COUNTED, Failpoint, counted, library, under};
use crate::place::{Estate, Ran, WorkDirectory, finish};

/// What there is before the run that is killed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Before {
    /// Nothing: no directory, no key.
    Nothing,
    /// A ledger of two runs, and something new to tell.
    Grown,
    /// The same, and its caches are lost.
    NoCaches,
    /// The same, and its tiles as well.
    NothingDerived,
}

const AUDIT: &[&str] = &["audit", "--format", "csv", "--report", "json=report.json"];
const REPAIR: &[&str] = &["verify", "--repair"];

/// How many are tried at once.
const HANDS: usize = 4;

struct Trial {
    estate: Estate,
    grown: WorkDirectory,
    before: Before,
    victim: &'static [&'static str],
}

impl Trial {
    fn new(before: Before, victim: &'static [&'static str]) -> Self {
        let estate = Estate::start();
        let grown = WorkDirectory::new(&estate);
        if before != Before::Nothing {
            grown.run(&["audit"]).ends(0);
            estate.push("v1.2.1", "v1.2.1");
            grown.run(&["audit"]).ends(0);
            estate.go_on();
        }
        Self { estate, grown, before, victim }
    }

    fn place(&self) -> WorkDirectory {
        let place = WorkDirectory::new(&self.estate);
        let lost: &[&str] = match self.before {
            Before::Nothing => return place,
            Before::Grown => &[],
            Before::NoCaches => &["view"],
            Before::NothingDerived => &["view", "tile"],
        };
        place.take_over(&self.grown);
        lost.iter().for_each(|folder| std::fs::remove_dir_all(place.ledger().join(folder)).unwrap());
        place
    }

    fn run(&self, place: &WorkDirectory, at: Failpoint) -> (Ran, Vec<String>) {
        let log = tempfile::NamedTempFile::new().unwrap();
        let command = under(place.command(self.victim), library().unwrap(), &place.root(), at, log.path());
        (finish(command, Duration::from_secs(120)), counted(log.path()))
    }

    /// What a place comes to once two more runs went well.
    fn state(&self, place: &WorkDirectory) -> Value {
        let first = place.run(&["audit", "--format", "csv"]);
        assert!(matches!(first.code, Some(0 | 3)), "{}", first.err);
        let report = place.run(&["audit", "--format", "json"]);
        assert!(matches!(report.code, Some(0 | 3)), "{}", report.err);
        let history = place.run(&["history", &self.estate.reference(), "--json"]).ends(0);
        let verified = place.verified();
        json!({
            "report": essence(report.json()),
            "history": essence(reported_once(history.json())),
            "damage": verified["damage"],
            "notes": verified["notes"],
            "unsigned": verified["unsigned"],
            "keys": verified["keys"].as_array().map(Vec::len),
        })
    }

    /// Tries each kind at each call that it fits, several at a time, and hands each outcome to the judge.
    fn each(
        &self,
        fits: impl Fn(&str, &str) -> bool + Sync,
        kinds: &[&'static str],
        judge: impl Fn(&str, &Ran) + Sync,
    ) {
        let reference = self.place();
        let (whole, calls) = self.run(&reference, COUNTED);
        assert!(matches!(whole.code, Some(0 | 3)), "{}", whole.err);
        assert!(calls.len() >= 20, "only {} calls were seen: {calls:?}", calls.len());
        let expected = self.state(&reference);
        assert_eq!((&expected["damage"], &expected["notes"]), (&json!([]), &json!([])));
        let all: Vec<Failpoint> = (1..=calls.len())
            .flat_map(|number| kinds.iter().map(move |kind| Failpoint { number, kind }))
            .filter(|at| fits(at.kind, &calls[at.number - 1]))
            .collect();
        let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..HANDS {
                scope.spawn(|| {
                    while let Some(at) = all.get(next.fetch_add(1, Ordering::SeqCst)) {
                        let place = self.place();
                        let (ran, seen) = self.run(&place, *at);
                        let how = format!("{} {}: {}", at.kind, at.number, calls[at.number - 1]);
                        assert!(seen.len() >= at.number, "{how} was never reached");
                        judge(&how, &ran);
                        let state = self.state(&place);
                        if state != expected {
                            wrong.lock().unwrap().push(format!("{how}\n{}\n{state:#}", ran.err));
                        }
                    }
                });
            }
        });
        let wrong = wrong.into_inner().unwrap();
        assert!(
            wrong.is_empty(),
            "{} of {} differ, the first:\n{}\nexpected {expected:#}",
            wrong.len(),
            all.len(),
            wrong[0]
        );
    }

    fn killed(&self) {
        if library().is_none() {
            return;
        }
        let fits = |kind: &str, call: &str| kind == "before" || call.starts_with("write ");
        self.each(fits, &["before", "torn"], |how, ran| {
            assert_eq!(ran.code, None, "{how} did not kill it: {}", ran.err)
        });
    }
}

/// Without the notes of runs that told again what one that died may not have told.
fn reported_once(history: Value) -> Value {
    let Value::Array(entries) = history else { return history };
    Value::Array(entries.into_iter().filter(|entry| entry["event"]["type"] != "retold").collect())
}

/// Without what differs from run to run.
fn essence(value: Value) -> Value {
    const PASSING: [&str; 6] = ["first_seen", "ledger_sequence", "run", "at", "sequence", "ledger"];
    match value {
        Value::Object(map) => {
            map.into_iter().filter(|(key, _)| !PASSING.contains(&key.as_str())).map(|(k, v)| (k, essence(v))).collect()
        }
        Value::Array(all) => all.into_iter().map(essence).collect(),
        other => other,
    }
}

#[test]
fn killed_at_every_call_of_a_first_run_with_directory_and_key_i15_f62_f87() {
    Trial::new(Before::Nothing, AUDIT).killed();
}

#[test]
fn killed_at_every_call_of_a_later_run_i15_f56_f62_f87() {
    Trial::new(Before::Grown, AUDIT).killed();
}

#[test]
fn killed_at_every_call_while_caches_are_made_anew_i15_f87() {
    Trial::new(Before::NoCaches, AUDIT).killed();
}

#[test]
fn killed_at_every_call_of_a_repair_i15_f62_f87() {
    Trial::new(Before::NothingDerived, REPAIR).killed();
}

#[test]
fn a_full_disk_from_any_call_on_fails_the_run_and_nothing_more_i15_f54() {
    let trial = Trial::new(Before::Grown, AUDIT);
    if library().is_none() {
        return;
    }
    // Asking the disk to write what it has needs no space.
    let needs_space = |_: &str, call: &str| !call.starts_with("fsync ") && !call.starts_with("unlink ");
    trial.each(needs_space, &["nospace"], |how, ran| {
        assert!(matches!(ran.code, Some(1 | 2)), "{how} went unnoticed: {}", ran.err);
        assert!(ran.err.contains("No space left on device"), "{how}: {}", ran.err);
    });
}

#[test]
fn a_disk_that_fails_or_lies_fails_the_run_unless_it_was_a_cache_i15_f55() {
    let trial = Trial::new(Before::Grown, AUDIT);
    if library().is_none() {
        return;
    }
    let fits = |kind: &str, call: &str| kind == "io" || ["link ", "fsync "].iter().any(|name| call.starts_with(name));
    trial.each(fits, &["io", "unheard"], |how, ran| {
        // What remembers the head is behind then, as after a crash.
        let derived = ["/view/", "/tile/", ".head", "/.tmp"].iter().any(|folder| how.contains(folder));
        assert!(matches!(ran.code, Some(1 | 2)) || derived, "{how} went unnoticed: {}", ran.err);
    });
}
