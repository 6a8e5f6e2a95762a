//! Somebody who can write to the ledger and has no key, against the program: a release was pushed again or removed, and the
//! ledger's caches are made to say that nothing happened (I23, F97, F102).

use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::place::{Estate, WorkDirectory, files};

fn unpack(file: &Path) -> String {
    String::from_utf8(zstd::decode_all(&std::fs::read(file).unwrap()[..]).unwrap()).unwrap()
}

/// Packed again, with a checksum that is right.
fn edit(file: &Path, change: impl FnOnce(String) -> String) {
    let before = unpack(file);
    let after = change(before.clone());
    assert_ne!(after, before, "{}", file.display());
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(after.as_bytes()).unwrap();
    std::fs::write(file, encoder.finish().unwrap()).unwrap();
}

fn index(place: &WorkDirectory) -> std::path::PathBuf {
    place.ledger().join("view/index")
}

fn view(place: &WorkDirectory) -> std::path::PathBuf {
    files(&place.ledger().join("view/repository")).pop().unwrap()
}

/// The second line of the index: everything but the repositories.
fn edit_small(place: &WorkDirectory, change: impl FnOnce(&mut Value)) {
    edit(&index(place), |text| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut small = serde_json::from_str(&lines[1]).unwrap();
        change(&mut small);
        lines[1] = small.to_string();
        lines.join("\n") + "\n"
    });
}

fn codes(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

/// Two runs over the same releases, then v1.1 is pushed again with other bytes.
fn moved(estate: &Estate, place: &WorkDirectory) {
    place.run(&["audit"]);
    place.run(&["audit"]);
    estate.push("v1.1", "the attacker's");
}

/// What a view says that a tag named first.
fn named(view: &Path, tag: &str) -> String {
    let text = unpack(view);
    let body: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    body["state"]["tags"][tag]["sightings"][0]["artifact"].as_str().unwrap().to_owned()
}

#[test]
fn a_view_with_the_attackers_digest_hides_no_moved_release_i23_f97() {
    let estate = Estate::start();
    let place = WorkDirectory::new(&estate);
    moved(&estate, &place);
    // What the registry serves now is what the ledger is made to have known.
    let twin = WorkDirectory::new(&estate);
    twin.run(&["audit"]);
    let (was, is) = (named(&view(&place), "v1.1"), named(&view(&twin), "v1.1"));
    edit(&view(&place), |text| text.replace(&was, &is));
    let ran = place.run(&["audit", "--format", "json"]);
    let found = codes(&ran.json());
    assert!(found.contains(&"tag-moved".to_owned()), "{found:?}");
    assert!(found.contains(&"ledger-state-damaged".to_owned()), "{found:?}");
    assert_eq!(ran.code, Some(3));
    // The next run finds nothing wrong with the ledger any more, and the check neither.
    let again = codes(&place.run(&["audit", "--format", "json"]).json());
    assert!(!again.contains(&"ledger-state-damaged".to_owned()), "{again:?}");
    place.run(&["verify"]).ends(0);
}

#[test]
fn an_index_without_repositories_is_no_beginning_i23_f97() {
    let estate = Estate::start();
    let place = WorkDirectory::new(&estate);
    moved(&estate, &place);
    edit(&index(&place), |text| text.lines().take(2).map(|line| format!("{line}\n")).collect());
    let found = codes(&place.run(&["audit", "--format", "json"]).json());
    assert!(found.contains(&"tag-moved".to_owned()), "{found:?}");
    assert!(found.contains(&"ledger-state-damaged".to_owned()), "{found:?}");
}

#[test]
fn sightings_that_are_left_out_of_a_view_are_missed_all_the_same_i23_f97() {
    let estate = Estate::start();
    let place = WorkDirectory::new(&estate);
    place.run(&["audit"]);
    edit(&view(&place), |text| {
        let (first, body) = text.split_once('\n').unwrap();
        let mut body: Value = serde_json::from_str(body).unwrap();
        body["state"]["tags"].as_object_mut().unwrap().remove("v1.2").unwrap();
        format!("{first}\n{body}")
    });
    let reported = place.run(&["history", &format!("{}:v1.2", estate.reference())]);
    assert!(reported.out.contains("v1.2") && reported.code == Some(0), "{}{}", reported.out, reported.err);
    let found = codes(&place.run(&["audit", "--format", "json"]).json());
    assert!(found.contains(&"ledger-state-damaged".to_owned()), "{found:?}");
}

#[test]
fn a_run_that_is_left_out_of_the_index_is_still_the_last_i23_f97() {
    let estate = Estate::start();
    let place = WorkDirectory::new(&estate);
    place.run(&["audit"]);
    estate.go_on();
    let last = place.run(&["audit", "--format", "json"]).json()["run"]["id"].as_str().unwrap().to_owned();
    edit_small(&place, |small| drop(small["runs"].as_array_mut().unwrap().pop().unwrap()));
    let shown = place.run(&["report", "--format", "json"]).json();
    assert_eq!(shown["run"]["id"], *last);
    let listed = place.run(&["report", "--list"]);
    assert!(listed.out.contains(&last), "{}", listed.out);
    place.run(&["verify"]).ends(1);
    place.run(&["audit"]);
    place.run(&["verify"]).ends(0);
}

#[test]
fn a_cache_that_unpacks_to_gigabytes_is_told_and_takes_no_time_f102_i20() {
    let estate = Estate::start();
    let place = WorkDirectory::new(&estate);
    place.run(&["audit"]);
    for file in [index(&place), view(&place)] {
        let envelope = unpack(&file).lines().next().unwrap().to_owned() + "\n";
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.write_all(envelope.as_bytes()).unwrap();
        std::io::copy(&mut std::io::Read::take(std::io::repeat(b' '), 4 << 30), &mut encoder).unwrap();
        std::fs::write(&file, encoder.finish().unwrap()).unwrap();
    }
    let ran = place.run(&["audit", "--format", "json"]);
    assert!(ran.took.as_secs() < 30, "{:?}", ran.took);
    assert!(codes(&ran.json()).contains(&"ledger-state-damaged".to_owned()));
}
