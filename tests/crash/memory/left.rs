//! What a reader may do with a ledger that is not the one remembered.

use serde_json::Value;

use super::listing;
use crate::place::{Estate, WorkDirectory};

/// Every way of looking that goes by the ledger.
pub(super) const JUDGING: [&[&str]; 5] =
    [&["audit"], &["enforce"], &["enforce", "--dry-run"], &["ready"], &["forecast"]];

/// Nothing judges by this ledger, nothing is written, and each says what is remembered and what is there.
#[track_caller]
pub(super) fn is_refused(place: &WorkDirectory, words: &str) {
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
pub(super) fn is_shown_as_what_is_left(place: &WorkDirectory, estate: &Estate, words: &str) {
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
pub(super) fn failed_report_is_found_by_its_code(place: &WorkDirectory) {
    let file = place.path("failed.json");
    place.run(&["audit", "--report", "json=failed.json"]).ends(1);
    let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let found = &report["findings"][0];
    assert_eq!((&found["code"], &found["severity"]), (&"ledger-history-missing".into(), &"critical".into()));
}
