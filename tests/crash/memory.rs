//! A ledger that is gone, cut off or exchanged, and what remembers it outside: the file beside its key, the file beside the
//! policy, the running process, the pins in the registry (I24, F98 to F101).

mod left;
mod places;
mod strays;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use self::left::{failed_report_is_found_by_its_code, is_refused, is_shown_as_what_is_left};
use crate::place::{Estate, WorkDirectory, copy};

fn head(place: &WorkDirectory) -> PathBuf {
    place.path("prodpin-ledger.head")
}

fn grown(estate: &Estate) -> WorkDirectory {
    let place = WorkDirectory::new(estate);
    for version in ["v2.0", "v2.1"] {
        estate.push(version, version);
        place.run(&["audit"]).ends(0);
    }
    place
}

fn listing(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

#[test]
fn a_wiped_ledger_is_no_beginning_though_its_key_is_there_i24_f98() {
    let estate = Estate::start();
    let place = grown(&estate);
    std::fs::remove_dir_all(place.ledger()).unwrap();
    is_refused(&place, "there is no such directory");
    assert!(!place.ledger().exists(), "no directory is made in its place");
    for command in [&["history", &estate.reference()][..], &["report"]] {
        place.run(command).ends(1).tells("ledger-history-missing");
    }
    let verified = place.run(&["verify"]).ends(1);
    assert!(verified.out.contains("DAMAGED") && verified.out.contains("remembers commit"), "{}", verified.out);
    assert!(verified.out.contains("all of it is missing") && !verified.out.contains("not signed"), "{}", verified.out);
    assert!(!verified.out.contains("is signed"), "{}", verified.out);
    failed_report_is_found_by_its_code(&place);
    for command in ["ready", "forecast"] {
        let said = place.run(&[command]).ends(1).tells("look without it: `prodpin");
        assert!(said.err.contains(&format!("`prodpin {command} --ledger none`")), "{}", said.err);
        assert_ne!(place.run(&[command, "--ledger", "none"]).code, Some(1));
    }
    // A volume that is not mounted leaves an empty directory.
    std::fs::create_dir(place.ledger()).unwrap();
    is_refused(&place, "it is empty");

    place.run(&["audit", "--adopt"]).ends(0);
    place.run(&["audit"]).ends(0);
    assert_eq!(place.verified()["keys"].as_array().map(Vec::len), Some(1), "under the key that was there");
}

#[test]
fn newest_commits_removed_and_older_caches_put_back_are_missed_i24_f99() {
    let estate = Estate::start();
    let place = grown(&estate);
    let backup = tempfile::tempdir().unwrap();
    copy(&place.ledger(), backup.path());
    estate.push("v3.0", "v3.0");
    place.run(&["audit"]).ends(0);
    let newest = tempfile::tempdir().unwrap();
    copy(&place.ledger(), newest.path());
    std::fs::remove_dir_all(place.ledger()).unwrap();
    copy(backup.path(), &place.ledger());
    is_refused(&place, "it ends at commit");
    // What is left can be looked at, and says so.
    is_shown_as_what_is_left(&place, &estate, "NOT THE LEDGER THAT IS REMEMBERED: ledger-history-missing");
    let verified = place.run(&["verify"]).ends(1);
    assert!(verified.out.contains("remembers commit"), "{}", verified.out);

    // The ledger itself is what ends it.
    std::fs::remove_dir_all(place.ledger()).unwrap();
    copy(newest.path(), &place.ledger());
    place.run(&["audit"]).ends(0);
    place.run(&["verify"]).ends(0);
}

#[test]
fn a_history_that_parts_after_a_backup_is_missed_i11_i24_f99() {
    let estate = Estate::start();
    let place = grown(&estate);
    let other = WorkDirectory::new(&estate);
    other.take_over(&place);
    for (place, text) in [(&place, "mine"), (&other, "theirs")] {
        estate.push("v3.0", text);
        place.run(&["audit"]);
    }
    for _ in 0..2 {
        std::fs::remove_dir_all(place.ledger()).unwrap();
        copy(&other.ledger(), &place.ledger());
        let ran = place.run(&["audit"]).ends(1).tells("ledger-history-missing");
        assert!(ran.err.contains("root"), "{}", ran.err);
        // As long as before, and then longer.
        estate.push("v3.1", "v3.1");
        other.run(&["audit"]);
    }
}

#[test]
fn another_ledger_under_the_same_key_is_missed_i24_f100() {
    let estate = Estate::start();
    let place = grown(&estate);
    let other = WorkDirectory::new(&estate);
    std::fs::copy(place.key(), other.key()).unwrap();
    for _ in 0..4 {
        other.run(&["audit"]).ends(0);
    }
    std::fs::remove_dir_all(place.ledger()).unwrap();
    copy(&other.ledger(), &place.ledger());
    is_refused(&place, "another log is there");
}

#[test]
fn a_key_and_a_memory_that_are_gone_as_well_leave_the_registry_as_witness_i24_f98() {
    let estate = Estate::start();
    let place = WorkDirectory::new(&estate);
    place.run(&["enforce"]);
    for file in [place.key(), head(&place)] {
        std::fs::remove_file(file).unwrap();
    }
    std::fs::remove_dir_all(place.ledger()).unwrap();
    estate.push("v1.2", "moved by somebody");
    for command in ["enforce", "audit"] {
        let ran = place.run(&[command, "--format", "json"]).ends(3);
        let findings: Vec<Value> = ran.json()["findings"].as_array().unwrap().clone();
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(
            (&findings[0]["code"], &findings[0]["severity"]),
            (&"ledger-history-missing".into(), &"critical".into())
        );
    }
    place.run(&["history", &estate.reference()]).ends(1);
    let mut command = place.command(&["audit", "--format", "json"]);
    let adopted = command.env("PRODPIN_ADOPT", "true").output().unwrap();
    let report: Value = serde_json::from_slice(&adopted.stdout).unwrap();
    let codes: Vec<&str> = report["findings"].as_array().unwrap().iter().filter_map(|f| f["code"].as_str()).collect();
    assert!(codes.contains(&"ledger-history-missing"), "{codes:?}");
    let after = place.run(&["enforce", "--format", "json"]).json();
    assert!(!after["findings"].to_string().contains("ledger-history-missing"), "{after:#}");
}

/// Inside one process, that has nothing on disk to remember by.
#[test]
fn a_ledger_that_is_exchanged_under_a_running_watch_is_missed_i24_f98_f100() {
    let estate = Estate::start();
    let place = WorkDirectory::new(&estate);
    place.policy("schedule: rate(1 minute)");
    std::fs::create_dir(head(&place)).unwrap();
    let mut command: Command = place.command(&["watch"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("complete"), "{first}");
    std::fs::remove_dir_all(place.ledger()).unwrap();
    let mut reported = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let reported = reported.find(|line| line.contains("the run failed")).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        reported.contains("ledger-history-missing") && reported.contains("this process remembers commit"),
        "{reported}"
    );
    assert!(!place.ledger().exists());
}
