//! Paths that lead somewhere else, or to something that is no file: told, never waited for (F80).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::place::{Estate, Ran, WorkDirectory, files, finish};

fn pipe(path: &Path) {
    let _ = std::fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// It must not wait for somebody to write into a named pipe.
fn at_once(place: &WorkDirectory, arguments: &[&str]) -> Ran {
    finish(place.command(arguments), Duration::from_secs(30))
}

#[test]
fn a_named_pipe_or_a_device_is_no_policy_no_ledger_no_key_and_no_report_f80() {
    let estate = Estate::start();
    let place = WorkDirectory::new(&estate);
    pipe(&place.path("pipe"));
    for stranger in ["pipe", "/dev/null", "/dev/zero", "."] {
        at_once(&place, &["audit", "--policy", stranger]).ends(2).tells("is not a file");
    }
    for stranger in ["pipe", "/dev/zero", "prodpin.yaml"] {
        at_once(&place, &["audit", "--ledger", stranger]).ends(1).tells("this is a file; name a directory");
        at_once(&place, &["verify", "--ledger", stranger]).ends(1).tells("this is a file; name a directory");
        at_once(&place, &["history", "--ledger", stranger, &estate.reference()]).ends(1).tells("this is a file");
    }
    for stranger in ["pipe", "/dev/full"] {
        at_once(&place, &["audit", "--report", &format!("json={stranger}")]).ends(2).tells("is no file");
        at_once(&place, &["verify", "--since", stranger]).ends(2).tells("is not a checkpoint");
    }
    for stranger in ["pipe", "/dev/zero", "/dev/null"] {
        place.policy(&format!("ledger_key: {{ file: {stranger} }}"));
        at_once(&place, &["audit"]).ends(1).tells("is no file, and so no key");
    }
    place.policy("anchor: pipe");
    let ran = at_once(&place, &["audit", "--format", "json"]);
    assert!(ran.out.contains("anchor could not be compared") && ran.out.contains("this is a file"), "{}", ran.out);
}

#[test]
fn named_pipes_inside_a_ledger_are_told_or_made_anew_f80() {
    let estate = Estate::start();
    let grown = WorkDirectory::new(&estate);
    grown.run(&["audit"]).ends(0);
    for folder in ["view/repository", "view", "batch", "checkpoint", "report", "tile/0/000.p"] {
        let place = WorkDirectory::new(&estate);
        place.take_over(&grown);
        let victim = files(&place.ledger().join(folder)).into_iter().find(|file| file.is_file()).unwrap();
        pipe(&victim);
        let (audited, verified) = (at_once(&place, &["audit"]), at_once(&place, &["verify"]));
        let cache = folder.starts_with("view");
        if cache {
            audited.ends(0);
            verified.ends(0);
            assert!(victim.is_file(), "{folder}: a cache is made anew");
        } else if folder.starts_with("tile") {
            // Derived, and no longer at the border: whoever needs it makes it anew.
            audited.ends(0);
        } else {
            let reported = verified.ends(1).out;
            assert!(reported.contains("DAMAGED") && reported.contains("is no file"), "{folder}: {reported}");
        }
        at_once(&place, &["history", &estate.reference()]);
        at_once(&place, &["report"]);
    }
    let place = WorkDirectory::new(&estate);
    place.take_over(&grown);
    pipe(&place.key());
    at_once(&place, &["audit"]).ends(1).tells("is no file, and so no key");
}

#[test]
fn a_ledger_through_a_link_is_one_ledger_with_one_key_f80() {
    let estate = Estate::start();
    let place = WorkDirectory::new(&estate);
    std::fs::create_dir(place.path("real")).unwrap();
    std::os::unix::fs::symlink("real", place.path("linked")).unwrap();
    at_once(&place, &["audit", "--ledger", "linked/ledger"]).ends(0);
    at_once(&place, &["audit", "--ledger", "real/../real/ledger"]).ends(0);
    std::os::unix::fs::symlink("real/ledger", place.path("direct")).unwrap();
    at_once(&place, &["audit", "--ledger", "direct"]).ends(0);
    let verified = at_once(&place, &["verify", "--json", "--ledger", "real/ledger"]).ends(0).json();
    assert_eq!((verified["unsigned"].as_u64(), verified["keys"].as_array().unwrap().len()), (Some(0), 1));
    assert!(place.path("real/ledger.key").is_file() && !place.path("direct.key").exists());
    // Nor is the key behind the link written over by a report.
    let report = at_once(&place, &["audit", "--ledger", "direct", "--report", "json=real/ledger.key"]);
    report.ends(2).tells("signing key");
    std::os::unix::fs::symlink("nowhere", place.path("dangling")).unwrap();
    let ran = at_once(&place, &["audit", "--ledger", "dangling"]);
    assert!(ran.code == Some(1) && ran.err.contains("dangling"), "{}", ran.err);
}

#[test]
fn what_a_run_reads_beside_its_policy_is_a_file_f80() {
    let estate = Estate::start();
    let place = WorkDirectory::new(&estate);
    pipe(&place.path("pipe"));
    at_once(&place, &["forecast", "--lifecycle", "pipe"]).ends(2).tells("is not a file");
    at_once(&place, &["history", "--export", "csv=pipe"]).ends(2).tells("is no file");
    let mut command = place.command(&["audit"]);
    command.env("REGISTRY_AUTH_FILE", place.path("pipe"));
    let ran = finish(command, Duration::from_secs(30)).ends(1);
    assert!(ran.err.contains("it is no file"), "{}", ran.err);
    let text = std::fs::read_to_string(place.path("prodpin.yaml")).unwrap();
    std::fs::write(place.path("prodpin.yaml"), text.replace("oci: \"http:", "ca_file: pipe, oci: \"http:")).unwrap();
    let ran = at_once(&place, &["audit"]).ends(1);
    assert!(ran.err.contains("is no file"), "{}", ran.err);
}

#[test]
fn a_list_of_what_runs_is_a_file_f80() {
    let estate = Estate::start();
    let place = WorkDirectory::new(&estate);
    pipe(&place.path("pipe"));
    let text = std::fs::read_to_string(place.path("prodpin.yaml")).unwrap();
    for stranger in ["pipe", "/dev/zero"] {
        let with = text.replace("{ tags: [\"v*\"] }", &format!("{{ tags: [\"v*\"] }}, {{ file: {stranger} }}"));
        std::fs::write(place.path("prodpin.yaml"), with).unwrap();
        let ran = at_once(&place, &["audit", "--format", "json"]);
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        assert_eq!(ran.json()["run"]["complete"], false);
    }
}
