//! A ledger whose store does not answer: the deadline holds all the same, and so does SIGTERM (I20, F88, F89).

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::failpoints::{COUNTED, Failpoint, counted, library, under};
use crate::place::{Estate, Ran, WorkDirectory, finish};

const DEADLINE: Duration = Duration::from_secs(5);

/// It ended by itself, in time, and says that it is not complete, in the report as well.
#[track_caller]
fn ended_in_time(place: &WorkDirectory, ran: Ran, words: &str) {
    let ran = ran.ends(1).tells(words);
    // Starting and ending a process takes its time where many do at once.
    assert!(ran.took < DEADLINE + Duration::from_secs(2), "{:?}: {}", ran.took, ran.err);
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(place.path("report.json")).unwrap()).unwrap();
    assert_eq!(report["run"]["complete"], false);
}

const RUN: &[&str] = &["audit", "--deadline", "5s", "--report", "json=report.json"];

/// A store that takes every connection and says nothing.
struct Silent(TcpListener);

impl Silent {
    fn listen() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn command(&self, place: &WorkDirectory, arguments: &[&str]) -> Command {
        let mut command = place.command(arguments);
        command
            .env("AWS_ENDPOINT_URL_S3", format!("http://{}", self.0.local_addr().unwrap()))
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "eu-west-1");
        command
    }
}

#[test]
fn a_bucket_that_does_not_answer_holds_no_command_past_its_deadline_i20() {
    let estate = Estate::start();
    let (place, silent) = (WorkDirectory::new(&estate), Silent::listen());
    place.policy("ledger: s3://silent/ledger");
    ended_in_time(&place, finish(silent.command(&place, RUN), Duration::from_secs(60)), "the ledger's store");
    for command in ["forecast", "ready"] {
        let ran = finish(silent.command(&place, &[command, "--deadline", "5s"]), Duration::from_secs(60)).ends(1);
        assert!(ran.took < DEADLINE + Duration::from_secs(2), "{command}: {:?}", ran.took);
    }
}

/// What it would have remembered is reported as not compared; everything else is done (I24).
#[test]
fn i20_an_anchor_that_does_not_answer_costs_its_part_of_the_time_and_no_pin() {
    let estate = Estate::start();
    let (place, silent) = (WorkDirectory::new(&estate), Silent::listen());
    place.policy("ledger: ./ledger\nanchor: s3://silent/anchor");
    let enforce = ["enforce", "--deadline", "12s", "--report", "json=report.json"];
    let ran = finish(silent.command(&place, &enforce), Duration::from_secs(60)).ends(1);
    assert!(ran.took < Duration::from_secs(14), "{:?}: {}", ran.took, ran.err);
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(place.path("report.json")).unwrap()).unwrap();
    let pinned = &report["summary"]["pinned"];
    assert!(pinned.as_u64().is_some_and(|pinned| pinned > 0), "{report:#}");
    let said = report.to_string();
    assert!(said.contains("s3://silent/anchor: it did not answer within"), "{said}");
}

/// A kubeconfig that is a pipe into which nobody writes, by the policy's word and by the environment's.
#[test]
fn f108_a_kubeconfig_that_hangs_is_a_gap_that_names_it() {
    let estate = Estate::start();
    for (signal, environment) in [
        ("kubernetes: { kubeconfig: ./kubeconfig, all: true }", None),
        ("kubernetes: { all: true }", Some("KUBECONFIG")),
    ] {
        let place = WorkDirectory::new(&estate);
        let pipe = place.path("kubeconfig");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        place.policy("ledger: ./ledger");
        let policy = std::fs::read_to_string(place.path("prodpin.yaml")).unwrap();
        let policy = policy.replacen("production: [", &format!("production: [{{ {signal} }}, "), 1);
        std::fs::write(place.path("prodpin.yaml"), policy).unwrap();
        let mut command = place.command(&["audit", "--deadline", "12s", "--report", "json=report.json"]);
        command.envs(environment.map(|name| (name, &pipe)));
        let ran = finish(command, Duration::from_secs(60)).ends(1);
        assert!(ran.took < Duration::from_secs(14), "{:?}: {}", ran.took, ran.err);
        let report = std::fs::read(place.path("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        assert_eq!(report["summary"]["targets"], 3, "every repository is decided all the same: {report:#}");
        assert!(report.to_string().contains("kubeconfig was not read in time; see whether it"), "{report:#}");
    }
}

/// A run, with what a policy may name.
fn run(place: &WorkDirectory) -> Command {
    let mut command = place.command(RUN);
    command.env("SECRET", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3");
    command
}

/// The calls of a whole run.
fn calls(place: &WorkDirectory) -> Vec<String> {
    let log = tempfile::NamedTempFile::new().unwrap();
    finish(under(run(place), library().unwrap(), &place.root(), COUNTED, log.path()), Duration::from_secs(60));
    counted(log.path())
}

fn hangs(place: &WorkDirectory, number: usize) -> Command {
    let at = Failpoint { number, kind: "hang" };
    under(run(place), library().unwrap(), &place.root(), at, &place.path("calls"))
}

#[test]
fn a_directory_that_hangs_at_opening_or_at_a_commit_holds_no_run_past_its_deadline_i20() {
    if library().is_none() {
        return;
    }
    let estate = Estate::start();
    let grown = WorkDirectory::new(&estate);
    grown.run(&["audit"]).ends(0);
    let copied = || {
        let place = WorkDirectory::new(&estate);
        place.take_over(&grown);
        place
    };
    let all = calls(&copied());
    for point in ["/view/index", "/batch/", "fsync /", "/checkpoint/", "/report/", "/tile/"] {
        let within = |call: &String| call.contains("prodpin-ledger") && call.contains(point);
        let number = 1 + all.iter().position(within).unwrap_or_else(|| panic!("{point}: {all:#?}"));
        let place = copied();
        ended_in_time(&place, finish(hangs(&place, number), Duration::from_secs(60)), "the ledger's store");
        // What it left is no obstacle.
        place.run(&["audit"]).ends(0);
        assert_eq!(place.verified()["damage"], serde_json::json!([]), "{point}");
    }
}

#[test]
fn alerts_that_cannot_be_recorded_hold_no_run_past_its_deadline_i20() {
    if library().is_none() {
        return;
    }
    let estate = Estate::start();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let place = WorkDirectory::new(&estate);
    place.policy(&format!(
        "alerts: {{ ops: {{ webhook: \"http://{nobody}/\", secret: \"${{SECRET}}\", severity: info, private: true }} }}"
    ));
    // The run opens the ledger once, and the alerts open it again: that is where it hangs.
    let all = calls(&place);
    let opened = |call: &String| call.starts_with("open ") && call.contains("/view/index");
    let number = 1 + all.iter().rposition(opened).unwrap();
    let ran = finish(hangs(&place, number), Duration::from_secs(60)).ends(1).tells("not everybody was told");
    assert!(ran.took < DEADLINE + Duration::from_secs(2), "{:?}: {}", ran.took, ran.err);
}

#[test]
fn a_signal_ends_a_run_whose_ledger_hangs_before_it_would_be_killed_f88() {
    let estate = Estate::start();
    let (place, silent) = (WorkDirectory::new(&estate), Silent::listen());
    place.policy("ledger: s3://silent/ledger");
    for (signals, most) in [(1, 28), (2, 8)] {
        let mut command = silent.command(&place, &["audit", "--report", "json=report.json"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _connection = silent.0.accept().unwrap();
        let asked = Instant::now();
        for _ in 0..signals {
            assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
            std::thread::sleep(Duration::from_millis(500));
        }
        let ran =
            Ran::from_output(&child.wait_with_output().unwrap(), asked.elapsed()).ends(1).tells("stopped by a signal");
        assert!(ran.took < Duration::from_secs(most), "{:?}", ran.took);
    }
}
