//! The engines against what the real ones did: every case that is kept in `recorded/`.

mod quay_runs;
mod zot_runs;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::acr::Purge;
use super::harbor::{Harbor, Outcome, Verdict};
use super::{acr, harbor};

fn cases(packed: &[u8]) -> Vec<Value> {
    let text = String::from_utf8(zstd::decode_all(packed).unwrap()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().map(|all| all.iter().map(text).collect()).unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// What happened to each thing under each of some orders of equals, against what was recorded: what comes out the same under
/// all of them must be that.
fn agrees(case: &str, reported: &BTreeMap<String, bool>, open: &BTreeSet<String>, runs: &[BTreeMap<String, bool>]) {
    for (name, left) in reported {
        let possible: BTreeSet<bool> = runs.iter().map(|run| run.get(name).copied().unwrap_or(false)).collect();
        assert!(
            possible.contains(left) || open.contains(name),
            "{case}: {name} is left: {left}, and here {possible:?}"
        );
    }
}

fn harbor_case(case: &Value, strips: bool) -> Harbor {
    let now = case["now"].as_i64().unwrap();
    let never = harbor::NEVER - now;
    let time = |value: &Value| value.as_i64().unwrap_or(never);
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let selector = |selector: &Value| harbor::Selector {
        kind: word(&selector["kind"]),
        decoration: word(&selector["decoration"]),
        pattern: word(&selector["pattern"]),
        extras: word(&selector["extras"]),
    };
    let rule = |rule: &Value| harbor::Rule {
        id: rule["id"].as_i64().unwrap_or(0),
        disabled: rule["disabled"] == true,
        action: word(&rule["action"]),
        template: word(&rule["template"]),
        params: rule["params"].clone(),
        tags: list(&rule["tag_selectors"]).iter().map(selector).collect(),
        repositories: list(&rule["scope_selectors"]["repository"]).iter().map(selector).collect(),
    };
    let tag = |tag: &Value| harbor::Tag { name: text(&tag[0]), pushed: time(&tag[1]), pulled: time(&tag[2]) };
    let artifact = |artifact: &Value| harbor::Artifact {
        digest: artifact["digest"].to_string(),
        pushed: time(&artifact["pushed"]),
        pulled: time(&artifact["pulled"]),
        tags: list(&artifact["tags"]).iter().map(tag).collect(),
        referenced: artifact["referenced"] == true,
    };
    Harbor {
        project: text(&case["project"]["name"]),
        repository: text(&case["repository"]),
        now: (now, case["now_nanos"].as_i64().unwrap()),
        algorithm: word(&case["policy"]["algorithm"]),
        rules: list(&case["policy"]["rules"]).iter().map(rule).collect(),
        immutable: list(&case["immutable_rules"]).iter().map(rule).collect(),
        artifacts: list(&case["artifacts"]).iter().map(artifact).collect(),
        strips,
    }
}

/// Cases whose pattern is malformed are not kept: whether it is an error depends on what it is held against, and on a race
/// (J14).
#[test]
fn harbor_retains_here_as_harbor_did_j11_j30() {
    let cases = cases(include_bytes!("recorded/harbor.jsonl.zst"));
    assert_eq!(cases.len(), 386);
    for case in &cases {
        let expect = &case["expect"];
        let open: BTreeSet<String> =
            expect["order_dependent"].as_object().map(|open| open.keys().cloned().collect()).unwrap_or_default();
        for (version, strips) in [("v2.15.2", true), ("main", false)] {
            let reported = if expect[version].is_null() { &expect["v2.15.2"] } else { &expect[version] };
            let harbor = harbor_case(case, strips);
            for (run, dry) in [("dry", true), ("real", false)] {
                let outcome = harbor.retain(dry);
                let reported = match expect["launch"].as_str() {
                    Some("untouched") => Outcome::Untouched,
                    Some("error") => Outcome::Error,
                    _ if reported[run]["rows"].is_null() => Outcome::Error,
                    _ => Outcome::Rows(text(&reported[run]["rows"]).chars().map(verdict).collect()),
                };
                let name = format!("{} {version} {run}", case["id"]);
                let (Outcome::Rows(here), Outcome::Rows(there)) = (&outcome, &reported) else {
                    assert_eq!(outcome, reported, "{name}");
                    continue;
                };
                for (row, artifact) in harbor.artifacts.iter().enumerate() {
                    let same = here[row] == there[row] || open.contains(&artifact.digest);
                    assert!(same, "{name}: row {row} is {:?}, and here {:?}", there[row], here[row]);
                }
            }
        }
    }
}

fn verdict(letter: char) -> Verdict {
    match letter {
        'R' => Verdict::Retained,
        'D' => Verdict::Deleted,
        'I' => Verdict::Immutable,
        _ => Verdict::Refused,
    }
}

fn acr_case(case: &Value) -> (Purge, BTreeMap<String, Vec<acr::Manifest>>) {
    let command = &case["command"];
    let purge = Purge {
        filters: texts(&command["filters"]),
        ago: case["expect"]["ago_seconds"].as_i64().unwrap_or(0),
        keep: command["keep"].as_u64().unwrap_or(0) as usize,
        untagged: command["untagged"] == true,
        untagged_only: command["untagged_only"] == true,
        include_locked: command["include_locked"] == true,
    };
    let locked =
        |thing: &Value| thing["attributes"]["deleteEnabled"] == false || thing["attributes"]["writeEnabled"] == false;
    let tag =
        |tag: &Value| acr::Tag { name: text(&tag["name"]), age: tag["age_s"].as_i64().unwrap(), locked: locked(tag) };
    let manifest = |manifest: &Value| acr::Manifest {
        id: text(&manifest["id"]),
        media_type: manifest["mediaType"].as_str().map(str::to_owned),
        age: manifest["age_s"].as_i64(),
        locked: locked(manifest),
        children: texts(&manifest["children"]),
        subject: manifest["subject"].as_str().map(str::to_owned),
        tags: list(&manifest["tags"]).iter().map(tag).collect(),
    };
    let repository =
        |repository: &Value| (text(&repository["name"]), list(&repository["manifests"]).iter().map(manifest).collect());
    (purge, list(&case["repositories"]).iter().map(repository).collect())
}

#[test]
fn acr_purges_here_as_acr_did_k47_k49() {
    let cases = cases(include_bytes!("recorded/acr.jsonl.zst"));
    assert_eq!(cases.len(), 130);
    for case in &cases {
        let name = format!("{} {}", case["id"], case["note"]);
        let (purge, mut repositories) = acr_case(case);
        let is_dry = case["command"]["dry_run"] == true;
        let is_error = case["expect"]["error"].as_str().is_some_and(|error| !error.is_empty());
        if case["expect"]["ago_seconds"].is_null() {
            assert!(is_error, "{name}: only what cannot be read as a time has none");
            continue;
        }
        let mut after = repositories.clone();
        assert_eq!(purge.run(&mut after).is_none(), is_error, "{name}: {}", case["expect"]["error"]);
        if !is_dry && !is_error {
            repositories = after;
        }
        for (repository, reported) in case["expect"]["repositories"].as_object().unwrap() {
            let left: BTreeSet<&str> = repositories[repository].iter().map(|manifest| manifest.id.as_str()).collect();
            let tags = repositories[repository].iter().flat_map(|manifest| &manifest.tags);
            let tags: BTreeSet<&str> = tags.map(|tag| tag.name.as_str()).collect();
            let open = texts(&reported["manifests_undetermined"]);
            for (what, is_left) in [("left", true), ("deleted", false)] {
                for tag in texts(&reported[format!("tags_{what}")]) {
                    assert_eq!(tags.contains(tag.as_str()), is_left, "{name}: {repository}:{tag}");
                }
                for id in texts(&reported[format!("manifests_{what}")]).iter().filter(|id| !open.contains(id)) {
                    assert_eq!(left.contains(id.as_str()), is_left, "{name}: {repository} {id}");
                }
            }
        }
    }
}
