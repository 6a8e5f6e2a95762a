//! Quay's recorded prunings, held against its engine.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{cases, list, text, texts};
use crate::engines::quay;
use crate::engines::quay::Quay;

fn quay_case(case: &Value, version: &str, ties: u64) -> Quay {
    let reported = &case[version];
    let refused = texts(&reported["refused"]);
    let policy = |policy: &Value| {
        let value = &policy[2];
        let written = value.as_str().map_or_else(|| value.to_string(), |value| value.replace(['_', ' '], ""));
        let rule = if policy[1] == "creation_date" {
            let (number, unit) = written.split_at(written.len() - 1);
            let unit = match unit {
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "w" => 604_800_000,
                _ => 31_536_000_000,
            };
            quay::Rule::Age(number.parse::<i64>().unwrap() * unit)
        } else {
            quay::Rule::Count(match value {
                Value::Bool(yes) => usize::from(*yes),
                _ => written.parse::<f64>().unwrap() as usize,
            })
        };
        quay::Policy {
            rule,
            pattern: policy[3].as_str().map(str::to_owned),
            matches: policy[4].as_bool().unwrap_or(false),
        }
    };
    let policies = |all: &Value| {
        let accepted = list(all).iter().filter(|one| !refused.contains(&text(&one[0])));
        accepted.map(policy).collect::<Vec<_>>()
    };
    let repository = |repository: &Value| {
        let rows = list(&reported["rows"]).iter().filter(|row| row[1] == repository["name"]);
        quay::Repository {
            is_normal: repository["state"] == "NORMAL",
            is_gone: repository["state"] == "MARKED_FOR_DELETION",
            policies: policies(&repository["policies"]),
            rows: rows
                .map(|row| quay::Row {
                    id: text(&row[0]),
                    name: text(&row[2]),
                    digest: text(&row[3]),
                    start: row[4].as_i64().unwrap(),
                    end: row[5].as_i64(),
                    hidden: row[6] == true,
                    immutable: row[7] == true,
                    outcome: quay::Outcome::Untouched,
                })
                .collect(),
        }
    };
    Quay {
        now: 0,
        enabled: case["enabled"] == true,
        last_ran: case["last_ran"].as_i64(),
        policies: policies(&case["policies"]),
        default_policy: (!case["default"].is_null() && reported["registry_error"] == false)
            .then(|| policy(&case["default"])),
        repositories: list(&case["repositories"]).iter().map(repository).collect(),
        spares_signatures: version == "main",
        ties,
    }
}

#[test]
fn quay_prunes_here_as_quay_did_k53() {
    let cases = cases(include_bytes!("quay.jsonl.zst"));
    assert_eq!(cases.len(), 189);
    for case in &cases {
        for version in ["main", "3.18.0"].into_iter().filter(|version| !case[version].is_null()) {
            let name = format!("{} {version} {}", case["id"], case["note"]);
            let runs: Vec<BTreeMap<String, quay::Outcome>> = (0..16)
                .map(|ties| {
                    let mut quay = quay_case(case, version, ties);
                    for run in texts(&case["run"]) {
                        match run.as_str() {
                            "prune" => quay.prune(),
                            // What it pruned before it ended stays pruned.
                            _ => quay.prune_registry().unwrap_or(()),
                        }
                    }
                    let rows = quay.repositories.iter().flat_map(|repository| &repository.rows);
                    rows.map(|row| (row.id.clone(), row.outcome)).collect()
                })
                .collect();
            let open = texts(&case[version]["open"]);
            for row in list(&case[version]["rows"]) {
                let id = text(&row[0]);
                let reported = match row[8].as_str().unwrap() {
                    "pruned" => quay::Outcome::Pruned,
                    "cascaded" => quay::Outcome::Cascaded,
                    _ => quay::Outcome::Untouched,
                };
                let here: BTreeSet<quay::Outcome> = runs.iter().map(|run| run[&id]).collect();
                assert!(
                    here.contains(&reported) || open.contains(&id),
                    "{name}: {id} {} is {reported:?}, and here {here:?}",
                    row[2]
                );
            }
        }
    }
}
