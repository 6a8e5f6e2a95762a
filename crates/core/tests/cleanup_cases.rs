//! What the real programs did to repositories, case by case: zot's own garbage collection on 140 repositories laid on disk
//! (v2.1.20), and the functions of `acr purge` on 130 registries in memory (acr-cli cfbb835).

#[path = "../examples/simulate/acr.rs"]
mod acr;
#[path = "../examples/simulate/zot.rs"]
mod zot;

use std::collections::BTreeSet;

use serde_json::Value;

fn cases(packed: &[u8]) -> Vec<(String, Value)> {
    let text = String::from_utf8(zstd::decode_all(packed).expect("a whole file")).expect("a text");
    let read = |line: &str| (line.to_owned(), serde_json::from_str(line).expect("a case"));
    text.lines().map(read).collect()
}

#[test]
fn zot_leaves_what_it_left_in_every_case_k55() {
    let cases = cases(include_bytes!("../fixtures/zot/cases.jsonl.zst"));
    assert_eq!(cases.len(), 140);
    let mut beyond = Vec::new();
    for (line, case) in &cases {
        let answer = zot::answer(line).expect("an answer");
        let (ours, theirs) = (&answer["expect"], &case["expect"]);
        if ours == theirs {
            continue;
        }
        // Six runs need not show that a tie may come out otherwise.
        assert!(comes_out_otherwise(ours, theirs), "{}: {ours} is not {theirs}", case["id"]);
        beyond.push(case["id"].as_str().expect("an id"));
    }
    assert_eq!(beyond, ["s-fix04"]);
}

/// Whether the answers differ only in what ours calls undetermined.
fn comes_out_otherwise(ours: &Value, theirs: &Value) -> bool {
    let set = |of: &Value, key: &str| -> BTreeSet<String> {
        let listed = of[key].as_array().expect("a list").iter();
        listed.map(|it| it.as_str().expect("a text").to_owned()).collect()
    };
    let same = ["policy", "tag_retention", "delete_untagged", "delete_referrers", "panic"];
    same.iter().all(|key| ours[key] == theirs[key])
        && ["tags", "manifests"].iter().all(|what| {
            let open = set(ours, &format!("{what}_undetermined"));
            ["left", "gone"].iter().all(|end| {
                let (ours, theirs) = (set(ours, &format!("{what}_{end}")), set(theirs, &format!("{what}_{end}")));
                ours.symmetric_difference(&theirs).all(|it| open.contains(it))
            })
        })
}

#[test]
fn acr_purge_takes_what_it_took_in_every_case_k49() {
    let cases = cases(include_bytes!("../fixtures/acr/cases.jsonl.zst"));
    assert_eq!(cases.len(), 130);
    for (line, case) in &cases {
        let answer = acr::answer(line).expect("an answer");
        let (ours, theirs) = (&answer["expect"], &case["expect"]);
        // Of an error only that there is one matters, its words are of the libraries.
        assert_eq!(ours["error"] == "", theirs["error"] == "", "{}: {}", case["id"], ours["error"]);
        for key in ["ago_seconds", "count_tags", "count_manifests", "repositories"] {
            assert_eq!(ours[key], theirs[key], "{}: {key}", case["id"]);
        }
    }
}

#[test]
fn a_line_that_is_no_case_is_told() {
    for line in ["", "{}", "nonsense", r#"{"id": "a", "repository": 1}"#] {
        assert!(zot::answer(line).expect_err("no case").starts_with("this is no case: "), "{line}");
        assert!(acr::answer(line).expect_err("no case").starts_with("this is no case: "), "{line}");
    }
}
