//! A ledger that is gone, cut off or exchanged, and what remembers it outside: the file beside its key, the file beside the
//! policy, the running process, the pins in the registry (I24, F98 to F101).

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::place::{Estate, Place, copy, files};

/// Every way of looking that goes by the ledger.
const JUDGING: [&[&str]; 5] = [&["audit"], &["enforce"], &["enforce", "--dry-run"], &["ready"], &["forecast"]];

fn head(place: &Place) -> PathBuf {
    place.path("prodpin-ledger.head")
}

fn grown(estate: &Estate) -> Place {
    let place = Place::new(estate);
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

/// Nothing judges by this ledger, nothing is written, and each says what is remembered and what is there.
#[track_caller]
fn is_refused(place: &Place, words: &str) {
    let before = listing(&place.ledger());
    for command in JUDGING {
        let ran = place.run(command).ends(1).tells("ledger-history-missing");
        assert!(ran.err.contains(words) && ran.err.contains("remembers commit"), "{command:?}: {}", ran.err);
        assert!(ran.err.contains("--adopt") && ran.err.contains("nothing was recorded or pinned"), "{}", ran.err);
    }
    assert_eq!(listing(&place.ledger()), before, "nothing is written there");
}

/// Whatever shows it says so before anything else, with --quiet, too, in a field of the JSON, and by the exit status.
#[track_caller]
fn is_shown_as_what_is_left(place: &Place, estate: &Estate, words: &str) {
    let reference = estate.reference();
    let pages: [&[&str]; 7] = [
        &["report"],
        &["report", "--format", "markdown"],
        &["report", "--format", "html"],
        &["report", "--list"],
        &["history", &reference],
        &["history", "--export", "csv=-"],
        &["-q", "report", "--list"],
    ];
    for command in pages {
        let ran = place.run(command).ends(1);
        let first = if command.contains(&"html") { &ran.out } else { ran.out.lines().next().unwrap_or_default() };
        // Words alone, whatever the format draws them with.
        let drawn = first.replace("<strong>", " ").replace("</strong>", " ").replace(['*', '`'], "");
        let said = drawn.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words) || command.contains(&"csv=-"), "{command:?}: {}", ran.out);
        assert!(ran.err.contains("ERROR"), "{command:?}: {}", ran.err);
    }
    let why = words.split_once(": ").unwrap().1;
    for command in [
        &["report", "--format", "json"][..],
        &["report", "--list", "--format", "json"],
        &["history", &reference, "--json"],
    ] {
        let ran = place.run(command).ends(1);
        let said = match ran.json() {
            Value::Array(all) => all[0]["ledger_doubt"].clone(),
            report if report["run"]["ledger"]["history_missing"].is_null() => {
                report["run"]["ledger"]["unanchored"].clone()
            }
            report => report["run"]["ledger"]["history_missing"].clone(),
        };
        assert!(said.as_str().is_some_and(|said| said.contains(why)), "{command:?}: {said}");
    }
}

/// Whatever stands at the place of the ledger, the report that a failed run leaves is found by the code.
#[track_caller]
fn failed_report_is_found_by_its_code(place: &Place) {
    let file = place.path("failed.json");
    place.run(&["audit", "--report", "json=failed.json"]).ends(1);
    let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let found = &report["findings"][0];
    assert_eq!((&found["code"], &found["severity"]), (&"ledger-history-missing".into(), &"critical".into()));
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
    let other = Place::new(&estate);
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
    let other = Place::new(&estate);
    std::fs::copy(place.key(), other.key()).unwrap();
    for _ in 0..4 {
        other.run(&["audit"]).ends(0);
    }
    std::fs::remove_dir_all(place.ledger()).unwrap();
    copy(&other.ledger(), &place.ledger());
    is_refused(&place, "another log is there");
}

#[test]
fn a_memory_that_cannot_be_read_is_not_taken_for_none_and_not_written_over_i24() {
    let estate = Estate::start();
    let place = grown(&estate);
    let whole = std::fs::read(head(&place)).unwrap();
    for bytes in [&b""[..], b"{", &whole[..whole.len() / 2], &[0; 64], b"{\"origin\":7}"] {
        std::fs::write(head(&place), bytes).unwrap();
        for command in JUDGING {
            let ran = place.run(command).ends(1).tells("ledger-history-missing");
            assert!(ran.err.contains("prodpin-ledger.head") && ran.err.contains("cannot be read"), "{}", ran.err);
            assert!(ran.err.contains("--adopt"), "{}", ran.err);
        }
        assert_eq!(std::fs::read(head(&place)).unwrap(), bytes);
    }
    is_shown_as_what_is_left(&place, &estate, "NOT THE LEDGER THAT IS REMEMBERED: ledger-history-missing");
    assert!(place.run(&["verify"]).ends(1).out.contains("cannot be read"));
    // Nor is a ledger that is gone as well, or a link that leads nowhere.
    std::fs::rename(place.ledger(), place.path("away")).unwrap();
    place.run(&["audit"]).ends(1).tells("cannot be read");
    assert!(!place.ledger().exists());
    std::fs::rename(place.path("away"), place.ledger()).unwrap();
    std::fs::remove_file(head(&place)).unwrap();
    std::os::unix::fs::symlink(place.path("unmounted/head"), head(&place)).unwrap();
    place.run(&["audit"]).ends(1).tells("cannot be read");

    place.run(&["audit", "--adopt"]).ends(0);
    place.run(&["audit"]).ends(0);
    std::fs::remove_file(head(&place)).unwrap();
    place.run(&["audit"]).ends(0);
    assert!(head(&place).exists());
    // An older one is what another machine's commits leave here.
    std::fs::write(head(&place), whole).unwrap();
    place.run(&["audit"]).ends(0);
    place.run(&["verify"]).ends(0);
}

/// No pin is there to witness anything: nothing but the policy's own memory tells.
#[test]
fn a_location_that_is_mistyped_is_no_beginning_i24() {
    let estate = Estate::start();
    let place = Place::new(&estate);
    place.policy("ledger: led");
    place.run(&["audit"]).ends(0);
    for (wrong, there) in [("ldg", "there is no such directory"), ("empty", "it is empty")] {
        if wrong == "empty" {
            std::fs::create_dir(place.path(wrong)).unwrap();
        }
        place.policy(&format!("ledger: {wrong}"));
        for command in JUDGING {
            let ran = place.run(command).ends(1).tells("ledger-history-missing");
            assert!(ran.err.contains("/led") && ran.err.contains(there), "{command:?}: {}", ran.err);
        }
        assert!(!place.path(&format!("{wrong}.key")).exists(), "no key is made");
    }
    assert!(!place.path("ldg").exists());
    // Moved on purpose, with its key: the same log goes on.
    std::fs::rename(place.path("led"), place.path("moved")).unwrap();
    std::fs::rename(place.path("led.key"), place.path("moved.key")).unwrap();
    place.policy("ledger: moved");
    place.run(&["audit"]).ends(0);
    // Another one for once is named, and another one from now on is said to be.
    place.run(&["audit", "--ledger", "once"]).ends(0);
    place.policy("ledger: new");
    place.run(&["audit"]).ends(1).tells("ledger-history-missing");
    place.run(&["audit", "--adopt"]).ends(0);
    place.run(&["audit"]).ends(0);
}

/// Where nothing lies beside the key any more, the anchor is all that remembers, and whoever goes by the ledger asks it.
#[test]
fn who_only_reads_asks_the_anchor_and_writes_nothing_there_i24_f99() {
    let estate = Estate::start();
    let place = Place::new(&estate);
    place.policy("anchor: anchor");
    place.run(&["audit"]).ends(0);
    copy(&place.ledger(), &place.path("older"));
    estate.push("v2.0", "v2.0");
    place.run(&["audit"]).ends(0);
    copy(&place.ledger(), &place.path("newest"));
    let put = |name: &str| {
        std::fs::remove_dir_all(place.ledger()).unwrap();
        copy(&place.path(name), &place.ledger());
        let _ = std::fs::remove_file(head(&place));
    };
    put("older");
    let before = listing(&place.path("anchor"));
    for command in [["ready"], ["forecast"]] {
        place.run(&command).ends(1).tells("it ends at commit");
    }
    is_shown_as_what_is_left(&place, &estate, "NOT THE LEDGER THAT IS REMEMBERED: ledger");

    // An anchor that cannot be asked, or that was emptied, says nothing of what is there.
    put("newest");
    assert_ne!(place.run(&["ready"]).code, Some(1));
    std::fs::rename(place.path("anchor"), place.path("away")).unwrap();
    for there in ["nothing", "a directory", "a file"] {
        match there {
            "nothing" => {}
            "a directory" => std::fs::create_dir(place.path("anchor")).unwrap(),
            _ => {
                std::fs::remove_dir(place.path("anchor")).unwrap();
                std::fs::write(place.path("anchor"), "x").unwrap();
            }
        }
        let ready = place.run(&["ready", "--format", "json"]).ends(1).json();
        assert_eq!(ready["summary"]["unknown"], 1, "{there}: {ready:#}");
        assert!(ready["repositories"].to_string().contains("anchor could not be compared"), "{there}: {ready:#}");
        let forecast = place.run(&["forecast", "--format", "json"]).ends(1).json();
        assert!(forecast["repositories"].to_string().contains("anchor could not be compared"), "{there}: {forecast:#}");
        is_shown_as_what_is_left(&place, &estate, "NOT COMPARED WITH THE ANCHOR: the ledger's anchor");
    }
    std::fs::remove_file(place.path("anchor")).unwrap();
    std::fs::rename(place.path("away"), place.path("anchor")).unwrap();
    assert_eq!(listing(&place.path("anchor")), before, "nothing was written there");
}

#[test]
fn checkpoints_that_were_never_finished_are_told_once_with_their_count_f101() {
    let estate = Estate::start();
    let place = grown(&estate);
    let folder = place.ledger().join("checkpoint");
    let last = files(&folder).len() as u64;
    for number in 1..=200 {
        std::fs::write(folder.join(format!("{:020}", last + number)), "").unwrap();
    }
    for command in [&["report", "--list"][..], &["audit"]] {
        let ran = place.run(command).ends(0);
        assert!(ran.err.contains("197 more") && ran.err.lines().count() < 20, "{}", ran.err);
    }
    let verified = place.run(&["verify"]);
    assert!(verified.out.contains("197 more") && verified.out.lines().count() < 20, "{}", verified.out);
}

#[test]
fn a_copy_of_the_ledger_elsewhere_and_other_ledgers_are_what_they_are_i24() {
    let estate = Estate::start();
    let place = grown(&estate);
    copy(&place.ledger(), &place.path("moved"));
    std::fs::copy(place.key(), place.path("moved.key")).unwrap();
    place.run(&["audit", "--ledger", "moved"]).ends(0);
    place.run(&["audit", "--ledger", "new"]).ends(0);
    place.run(&["audit", "--ledger", "none"]).ends(0);
    place.run(&["audit"]).ends(0);
    std::fs::remove_dir_all(place.path("moved")).unwrap();
    place.run(&["audit", "--ledger", "moved"]).ends(1).tells("ledger-history-missing");
    place.run(&["audit"]).ends(0);
}

/// A volume that is gone takes the key and the memory beside the ledger with it; the policy lies elsewhere.
#[test]
fn a_volume_with_ledger_and_key_that_is_gone_is_missed_beside_the_policy_i24_f98() {
    let estate = Estate::start();
    let place = Place::new(&estate);
    std::fs::create_dir(place.path("volume")).unwrap();
    place.policy("ledger: volume/ledger");
    place.run(&["audit"]).ends(0);
    assert!(place.path("volume/ledger.head").exists());
    std::fs::rename(place.path("volume"), place.path("away")).unwrap();
    std::fs::create_dir(place.path("volume")).unwrap();
    let ran = place.run(&["audit"]).ends(1).tells("ledger-history-missing");
    assert!(ran.err.contains("prodpin.yaml."), "{}", ran.err);
    assert_eq!(files(&place.path("volume")), Vec::<PathBuf>::new());
    std::fs::remove_dir(place.path("volume")).unwrap();
    std::fs::rename(place.path("away"), place.path("volume")).unwrap();
    place.run(&["audit"]).ends(0);
}

#[test]
fn where_nothing_can_be_remembered_it_is_said_and_no_error_i24() {
    let estate = Estate::start();
    let place = grown(&estate);
    // A directory in its place keeps it from being written, whoever runs this test.
    std::fs::remove_file(head(&place)).unwrap();
    std::fs::create_dir(head(&place)).unwrap();
    let ran = place.run(&["audit"]).ends(0);
    assert!(ran.err.contains("nothing outside ledger") && ran.err.contains("anchor"), "{}", ran.err);
    place.policy("anchor: anchor");
    let ran = place.run(&["audit"]).ends(0);
    assert!(!ran.err.contains("nothing outside ledger"), "the anchor remembers: {}", ran.err);
    std::fs::remove_dir_all(place.ledger()).unwrap();
    let ran = place.run(&["audit"]).ends(1);
    assert!(ran.err.contains("anchor"), "{}", ran.err);
    assert_eq!(std::fs::metadata(place.key()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_key_and_a_memory_that_are_gone_as_well_leave_the_registry_as_witness_i24_f98() {
    let estate = Estate::start();
    let place = Place::new(&estate);
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
    let place = Place::new(&estate);
    place.policy("schedule: rate(1 minute)");
    std::fs::create_dir(head(&place)).unwrap();
    let mut command: Command = place.command(&["watch"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("complete"), "{first}");
    std::fs::remove_dir_all(place.ledger()).unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let told = told.find(|line| line.contains("the run failed")).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(told.contains("ledger-history-missing") && told.contains("this process remembers commit"), "{told}");
    assert!(!place.ledger().exists());
}

#[test]
fn strays_among_the_checkpoints_are_named_and_block_nothing_f101() {
    let estate = Estate::start();
    let place = grown(&estate);
    let folder = place.ledger().join("checkpoint");
    let own = files(&folder);
    let last = std::fs::read(own.last().unwrap()).unwrap();
    // Garbage, nothing, and copies of what is here.
    std::fs::write(folder.join("09223372036854775807"), "x").unwrap();
    std::fs::write(folder.join("18446744073709551615"), &last).unwrap();
    std::fs::write(folder.join("00000000000000000099"), &last).unwrap();
    std::fs::copy(&own[0], folder.join("00000000000000000100")).unwrap();
    for odd in ["7", "notes.txt", "99999999999999999999", "00000000000000000001.bak", "+0000000000000000001"] {
        std::fs::write(folder.join(odd), "x").unwrap();
    }
    for round in 0..2 {
        let ran = place.run(&["audit"]).ends(0);
        assert!(ran.err.contains("no commit of this ledger"), "{}", ran.err);
        assert!(ran.took.as_secs() < 20, "{:?}", ran.took);
        let verified = place.run(&["verify"]).ends(0);
        for name in ["00000000000000000099", "checkpoint/+0000000000000000001", "more"] {
            assert!(verified.out.contains(name), "{name}: {}", verified.out);
        }
        if round == 0 {
            std::fs::remove_dir_all(place.ledger().join("view")).unwrap();
        }
    }

    // What the log's own commits lie behind is a gap, and stays damage.
    let third = folder.join("00000000000000000003");
    std::fs::remove_file(third).unwrap();
    std::fs::remove_dir_all(place.ledger().join("view")).unwrap();
    std::fs::remove_file(head(&place)).unwrap();
    place.run(&["audit"]).ends(1).tells("00000000000000000003 is missing");
    let verified = place.run(&["verify"]).ends(1);
    assert!(verified.out.contains("DAMAGED checkpoint/00000000000000000003: it is missing"), "{}", verified.out);
}

#[test]
fn strays_in_the_anchor_are_no_commits_that_were_lost_f101() {
    let estate = Estate::start();
    let place = Place::new(&estate);
    place.policy("anchor: anchor");
    place.run(&["audit"]).ends(0);
    let folder = place.path("anchor/checkpoint");
    let last = std::fs::read(files(&folder).pop().unwrap()).unwrap();
    std::fs::write(folder.join("09223372036854775807"), &last).unwrap();
    std::fs::write(folder.join("00000000000000000099"), "x").unwrap();
    estate.push("v1.3", "v1.3");
    place.run(&["audit"]).ends(0);
    place.run(&["verify"]).ends(0);
}
