//! Ledgers that are gone, elsewhere, or mistyped, and memories that cannot be read or kept.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::left::{JUDGING, is_shown_as_what_is_left};
use super::{grown, head, listing};
use crate::place::{Estate, WorkDirectory, copy, files};

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
    let place = WorkDirectory::new(&estate);
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
    let place = WorkDirectory::new(&estate);
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
    let place = WorkDirectory::new(&estate);
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
