//! Against every recorded answer of Harbor's own code, by way of the example program.

use std::path::Path;

use serde_json::Value;

use super::super::order;

#[path = "../../../../../examples/simulate/harbor.rs"]
mod simulate;

fn unpacked(packed: &[u8]) -> String {
    String::from_utf8(zstd::decode_all(packed).unwrap()).unwrap()
}

#[test]
fn every_recorded_run_comes_out_as_in_harbor_j11_to_j26() {
    let recorded = unpacked(include_bytes!("../../../../../fixtures/harbor/retention.jsonl.zst"));
    let mut cases = 0;
    for line in recorded.lines() {
        let recorded: Value = serde_json::from_str(line).unwrap();
        let answer = simulate::answer(Path::new("retention.jsonl"), line).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["id"], recorded["id"]);
        assert_eq!(answer["expect"], recorded["expect"], "{} ({})", recorded["id"], recorded["family"]);
        cases += 1;
    }
    assert_eq!(cases, 420);
}

#[test]
fn every_recorded_match_comes_out_as_in_harbor_j22() {
    let recorded = unpacked(include_bytes!("../../../../../fixtures/harbor/doublestar.tsv.zst"));
    let table = Path::new("doublestar.tsv");
    let mut cases = 0;
    for (number, line) in recorded.lines().enumerate() {
        if !simulate::header(table, number, line) {
            assert_eq!(simulate::answer(table, line).unwrap(), line);
            cases += 1;
        }
    }
    assert_eq!(cases, 1_200);
}

#[test]
fn equals_are_left_in_the_order_of_go_j15() {
    let recorded = unpacked(include_bytes!("../../../../../fixtures/harbor/sort.jsonl.zst"));
    let mut cases = 0;
    for line in recorded.lines() {
        let (numbers, expected): (Vec<i64>, Vec<usize>) = serde_json::from_str(line).unwrap();
        let mut places: Vec<usize> = (0..numbers.len()).collect();
        order::sort(&mut places, &|a, b| numbers[*a] > numbers[*b]);
        assert_eq!(places, expected, "{numbers:?}");
        cases += 1;
    }
    assert_eq!(cases, 678);
}

#[test]
fn what_cannot_be_read_is_told_and_nothing_is_made_of_it() {
    let case = unpacked(include_bytes!("../../../../../fixtures/harbor/retention.jsonl.zst"));
    let case = case.lines().next().unwrap();
    for (broken, problem) in [
        (case.replacen("sha256:", "sha256:x", 1), "is not a digest"),
        (case.replacen(r#""rules":["#, r#""rules":[7,"#, 1), "the retention policy cannot be understood"),
        (
            case.replacen(r#""immutable_rules":["#, r#""immutable_rules":[7"#, 1),
            "immutability rules cannot be understood",
        ),
        (case.replacen(r#""push_time":""#, r#""push_time":"x"#, 1), ""),
        (case[..99].to_owned(), "EOF"),
    ] {
        let answer = simulate::answer(Path::new("retention.jsonl"), &broken);
        assert!(answer.as_ref().is_err_and(|told| told.contains(problem)), "{problem}: {answer:?}");
    }
    for line in ["\"a\"", "a\t\"a\"", "\"a\"\ta"] {
        assert!(simulate::answer(Path::new("doublestar.tsv"), line).is_err(), "{line}");
    }
}
