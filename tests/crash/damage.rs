//! A ledger that was torn, edited, exchanged, put back or rewritten, and what the program says of it (F56 to F60, F62,
//! F64).

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::json;

use crate::place::{Estate, WorkDirectory, copy, files};

/// Three runs, with something new in each.
fn grown(estate: &Estate) -> WorkDirectory {
    let place = WorkDirectory::new(estate);
    for version in ["v2.0", "v2.1", "v2.2"] {
        estate.push(version, version);
        place.run(&["audit"]).ends(0);
    }
    place
}

fn copied(estate: &Estate, from: &WorkDirectory) -> WorkDirectory {
    let place = WorkDirectory::new(estate);
    place.take_over(from);
    place
}

fn checkpoints(ledger: &Path) -> Vec<PathBuf> {
    files(&ledger.join("checkpoint"))
}

/// The batch of a checkpoint.
fn batch(ledger: &Path, checkpoint: &Path) -> PathBuf {
    let text = std::fs::read_to_string(checkpoint).unwrap();
    ledger.join("batch").join(text.lines().find_map(|line| line.strip_prefix("batch ")).unwrap())
}

fn next(ledger: &Path) -> PathBuf {
    ledger.join(format!("checkpoint/{:020}", checkpoints(ledger).len() + 1))
}

/// The checkpoint as the ledger's key signs it after an edit.
fn signed_anew(place: &WorkDirectory, checkpoint: &Path, edit: impl Fn(&str) -> String) -> String {
    let note = std::fs::read_to_string(checkpoint).unwrap();
    let body = edit(&format!("{}\n", note.split_once("\n\n").unwrap().0));
    let verifier = body.lines().find_map(|line| line.strip_prefix("key ")).unwrap().rsplit_once(' ').unwrap().0;
    let mut parts = verifier.splitn(3, '+');
    let (name, id) = (parts.next().unwrap(), parts.next().unwrap());
    let key = std::fs::read_to_string(place.key()).unwrap();
    let seed = STANDARD.decode(key.trim().splitn(5, '+').nth(4).unwrap()).unwrap();
    let signature = SigningKey::from_bytes(seed[1..].try_into().unwrap()).sign(body.as_bytes());
    let line = [&u32::from_str_radix(id, 16).unwrap().to_be_bytes()[..], &signature.to_bytes()].concat();
    format!("{body}\n— {name} {}\n", STANDARD.encode(line))
}

#[test]
fn a_torn_last_checkpoint_and_orphans_change_nothing_f56_f62() {
    let estate = Estate::start();
    let grown = grown(&estate);
    let before = grown.verified();
    for length in [0, 1, 60, 200, 400] {
        let place = copied(&estate, &grown);
        let ledger = place.ledger();
        let last = std::fs::read(checkpoints(&ledger).pop().unwrap()).unwrap();
        std::fs::write(next(&ledger), &last[..length.min(last.len() - 1)]).unwrap();
        std::fs::write(ledger.join("batch").join("0".repeat(64)), "an orphan").unwrap();
        std::fs::write(next(&ledger).with_extension("tmp#1"), "half").unwrap();
        let found = place.run(&["verify", "--json"]).ends(0).json();
        assert_eq!((&found["head"], &found["damage"]), (&before["head"], &json!([])), "{length}");
        assert!(found["notes"].to_string().contains("never finished"), "{found:#}");
        place.run(&["audit"]).ends(0);
        let found = place.verified();
        assert_eq!(found["damage"], json!([]));
        assert!(found["commits"].as_u64() > before["commits"].as_u64(), "the ledger goes on: {found:#}");
    }
}

#[test]
fn a_flipped_bit_is_named_with_its_entry_and_never_repaired_over_f57() {
    let estate = Estate::start();
    let grown = grown(&estate);
    for number in 0..checkpoints(&grown.ledger()).len() {
        let place = copied(&estate, &grown);
        let victim = batch(&place.ledger(), &checkpoints(&place.ledger())[number]);
        let mut bytes = std::fs::read(&victim).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        std::fs::write(&victim, &bytes).unwrap();
        let name = format!("batch/{}", victim.file_name().unwrap().to_string_lossy());
        let reported = place.run(&["verify"]).ends(1);
        assert!(reported.out.contains(&format!("DAMAGED {name}")) && reported.out.contains("entr"), "{}", reported.out);
        let found = place.run(&["verify", "--json", "--repair"]).ends(1).json();
        assert!(found["damage"][0]["entry"].is_u64(), "{found:#}");
        assert_eq!(std::fs::read(&victim).unwrap(), bytes, "what cannot be made anew is left as it is");
        // Without caches the damage is in the way, and nothing is done over it.
        std::fs::remove_dir_all(place.ledger().join("view")).unwrap();
        place.run(&["audit"]).ends(1).tells(&name);
        place.run(&["enforce"]).ends(1).tells(&name);
    }
    let bytes = std::fs::read(&checkpoints(&grown.ledger())[2]).unwrap();
    for at in (0..bytes.len()).step_by(97) {
        let place = copied(&estate, &grown);
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        std::fs::write(&checkpoints(&place.ledger())[2], flipped).unwrap();
        let reported = place.run(&["verify"]).ends(1);
        assert!(reported.out.contains("DAMAGED checkpoint/"), "byte {at}: {}", reported.out);
    }
}

#[test]
fn swapped_or_missing_commits_are_named_f58() {
    let estate = Estate::start();
    let grown = grown(&estate);
    let place = copied(&estate, &grown);
    let all = checkpoints(&place.ledger());
    let (two, three) = (std::fs::read(&all[1]).unwrap(), std::fs::read(&all[2]).unwrap());
    std::fs::write(&all[1], three).unwrap();
    std::fs::write(&all[2], two).unwrap();
    let reported = place.run(&["verify"]).ends(1);
    assert!(reported.out.contains("DAMAGED checkpoint/00000000000000000002: checkpoint/00000000000000000002 is the checkpoint of another commit"), "{}", reported.out);

    let place = copied(&estate, &grown);
    std::fs::remove_file(&checkpoints(&place.ledger())[1]).unwrap();
    let reported = place.run(&["verify"]).ends(1);
    assert!(reported.out.contains("DAMAGED checkpoint/00000000000000000002: it is missing"), "{}", reported.out);
    std::fs::remove_dir_all(place.ledger().join("view")).unwrap();
    place.run(&["audit"]).ends(1).tells("checkpoint/00000000000000000002 is missing");
}

/// The same ledger a while ago, and what came since.
fn with_a_backup(estate: &Estate, lines: &str) -> (WorkDirectory, tempfile::TempDir) {
    let (place, backup) = (WorkDirectory::new(estate), tempfile::tempdir().unwrap());
    place.policy(lines);
    place.run(&["audit"]).ends(0);
    copy(&place.ledger(), backup.path());
    estate.push("v3.0", "v3.0");
    place.run(&["audit"]).ends(0);
    (place, backup)
}

#[test]
fn an_old_backup_is_refused_where_anything_remembers_more_i12_f59() {
    let estate = Estate::start();
    let (place, backup) = with_a_backup(&estate, "");
    // The log alone was put back; the caches are newer.
    for folder in ["checkpoint", "batch"] {
        std::fs::remove_dir_all(place.ledger().join(folder)).unwrap();
        copy(&backup.path().join(folder), &place.ledger().join(folder));
    }
    for command in ["audit", "enforce"] {
        place.run(&[command]).ends(1).tells("it was restored from an old copy or rewritten");
    }
    // Reading goes on, and says so; verify finds the newer caches.
    let history = place.run(&["history", &estate.reference()]).ends(1);
    assert!(history.out.starts_with("NOT THE LEDGER THAT IS REMEMBERED"), "{}", history.out);
    place.run(&["verify"]).ends(1);

    // All of it was put back: only the anchor remembers.
    let (place, backup) = with_a_backup(&estate, "anchor: anchor");
    std::fs::remove_dir_all(place.ledger()).unwrap();
    copy(backup.path(), &place.ledger());
    for command in ["audit", "enforce"] {
        let ran = place.run(&[command]).ends(1).tells("it was restored from an old copy or rewritten");
        assert!(ran.err.contains("anchor"), "{}", ran.err);
    }
}

#[test]
fn a_history_rewritten_with_the_stolen_key_differs_from_its_anchor_i11_f60() {
    let estate = Estate::start();
    let (place, backup) = with_a_backup(&estate, "anchor: anchor");
    let kept = place.verified()["checkpoint"].as_str().unwrap().to_owned();
    std::fs::write(place.path("kept"), kept).unwrap();
    // Who has the key cuts the ledger off and signs another continuation, and takes away what lies beside the key.
    std::fs::remove_dir_all(place.ledger()).unwrap();
    std::fs::remove_file(place.path("prodpin-ledger.head")).unwrap();
    copy(backup.path(), &place.ledger());
    place.policy("");
    estate.push("v3.0", "something else");
    place.run(&["audit"]);
    place.run(&["audit"]);
    place.run(&["verify"]).ends(0);
    place.policy("anchor: anchor");
    for command in ["audit", "enforce"] {
        place.run(&[command]).ends(1).tells("ledger-forked");
    }
    let since = place.run(&["verify", "--since", "kept"]).ends(1);
    assert!(since.out.contains("ledger-forked"), "{}", since.out);
}

#[test]
fn a_newer_programs_ledger_is_read_and_not_written_f64() {
    let estate = Estate::start();
    let place = grown(&estate);
    let last = checkpoints(&place.ledger()).pop().unwrap();
    let newer = signed_anew(&place, &last, |body| body.replace("\nschema 3\n", "\nschema 99\n"));
    std::fs::write(&last, newer).unwrap();
    std::fs::remove_dir_all(place.ledger().join("view")).unwrap();
    let before = files(&place.ledger().join("checkpoint"));
    for command in ["audit", "enforce"] {
        place.run(&[command]).ends(1).tells("update prodpin");
    }
    assert_eq!(files(&place.ledger().join("checkpoint")), before);
    let history = place.run(&["history", &estate.reference()]).ends(0);
    assert!(history.out.contains("v2.2"), "{}", history.out);
}
