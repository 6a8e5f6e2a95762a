//! A disk that is really full, and one that is really read-only: mounted for the test alone, in a namespace that ends
//! with it (F54, F63).

use std::process::Command;
use std::time::Duration;

use crate::left_out::left_out;
use crate::place::{Estate, Ran, WorkDirectory, finish};

/// Runs a shell script in which a file system of its own may be mounted at `$MOUNT`. None where that is not allowed.
fn with_mounts(place: &WorkDirectory, script: &str) -> Option<Ran> {
    let mount = place.path("mount");
    std::fs::create_dir_all(&mount).unwrap();
    let unshared = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-ec", script]);
        command.current_dir(place.root()).env("MOUNT", &mount).env("PRODPIN", env!("CARGO_BIN_EXE_prodpin"));
        command
    };
    if !unshared("mount -t tmpfs none $MOUNT").output().is_ok_and(|output| output.status.success()) {
        left_out("a disk that is full, or read-only", "no file system can be mounted here");
        return None;
    }
    Some(finish(unshared(script), Duration::from_secs(120)))
}

/// What a step of the script says: its exit status and its last words.
fn step<'a>(ran: &'a Ran, name: &str) -> (i32, &'a str) {
    let (_, rest) =
        ran.out.split_once(&format!("== {name}\n")).unwrap_or_else(|| panic!("{name}: {}{}", ran.out, ran.err));
    let section = rest.split("== ").next().unwrap();
    let (said, status) = section.trim_end().rsplit_once("status ").unwrap();
    (status.parse().unwrap(), said)
}

const STEP: &str =
    "step() { echo \"== $1\"; shift; status=0; \"$@\" 2>&1 >/dev/null || status=$?; echo \"status $status\"; }\n";

#[test]
fn a_full_disk_stops_the_run_loses_nothing_and_is_forgotten_once_there_is_room_f54() {
    let estate = Estate::start();
    let place = WorkDirectory::new(&estate);
    place.policy("ledger: mount/ledger");
    let script = format!(
        "{STEP}mount -t tmpfs -o size=512k none $MOUNT\n\
         step first $PRODPIN audit\n\
         cat /dev/zero > $MOUNT/filler 2>/dev/null || true\n\
         step full $PRODPIN audit --report json=failed.json\n\
         step enforce $PRODPIN enforce\n\
         step verify $PRODPIN verify\n\
         rm $MOUNT/filler\n\
         step again $PRODPIN audit\n\
         step whole $PRODPIN verify\n"
    );
    let Some(ran) = with_mounts(&place, &script) else { return };
    assert_eq!(step(&ran, "first").0, 0, "{}", ran.out);
    estate.registry.forget_requests();
    for name in ["full", "enforce"] {
        let (status, said) = step(&ran, name);
        assert_eq!(status, 1, "{said}");
        assert!(said.contains("no space left") && said.contains("make room and run again"), "{said}");
    }
    let failed: serde_json::Value = serde_json::from_slice(&std::fs::read(place.path("failed.json")).unwrap()).unwrap();
    assert_eq!(failed["run"]["complete"], false);
    for name in ["verify", "again", "whole"] {
        assert_eq!(step(&ran, name).0, 0, "{name}: {}", ran.out);
    }
    let wrote = estate.registry.requests().into_iter().filter(|request| request.method == "PUT").count();
    assert_eq!(wrote, 0, "nothing is pinned that could not be recorded");
}

#[test]
fn a_read_only_ledger_is_read_audited_past_on_request_and_never_enforced_on_f63() {
    let estate = Estate::start();
    let place = WorkDirectory::new(&estate);
    place.policy("ledger: mount/ledger");
    let reference = estate.reference();
    let script = format!(
        "{STEP}mount -t tmpfs none $MOUNT\n\
         step first $PRODPIN audit\n\
         mount -o remount,ro $MOUNT\n\
         step audit $PRODPIN audit\n\
         step enforce $PRODPIN enforce\n\
         step without $PRODPIN audit --ledger none\n\
         step enforce-without $PRODPIN enforce --ledger none\n\
         step verify $PRODPIN verify\n\
         step repair $PRODPIN verify --repair\n\
         step history $PRODPIN history {reference}\n\
         step report $PRODPIN report\n\
         step forecast $PRODPIN forecast\n"
    );
    let Some(ran) = with_mounts(&place, &script) else { return };
    for (name, expected) in [
        ("first", 0),
        ("audit", 1),
        ("enforce", 1),
        ("without", 0),
        ("enforce-without", 2),
        ("verify", 0),
        ("repair", 1),
        ("history", 0),
        ("report", 0),
        ("forecast", 0),
    ] {
        let (status, said) = step(&ran, name);
        assert_eq!(status, expected, "{name}: {said}");
    }
    for name in ["audit", "enforce"] {
        let said = step(&ran, name).1;
        assert!(said.contains("access was denied") && said.contains("Read-only file system"), "{said}");
        assert!(said.contains("--ledger none") || name == "enforce", "the way on is told: {said}");
    }
    assert!(step(&ran, "enforce-without").1.contains("needs a ledger"), "{}", ran.out);
    assert!(
        estate
            .registry
            .requests()
            .iter()
            .all(|request| matches!(request.method.as_str(), "GET" | "HEAD" | "PUT" | "POST"))
    );
}
