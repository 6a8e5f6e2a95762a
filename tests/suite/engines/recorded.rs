//! The engines against what the real ones did: every case that is kept in `recorded/`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::acr::{self, Purge};
use super::harbor::{self, Harbor, Outcome, Verdict};
use super::quay::{self, Quay};
use super::zot::{self, Zot};

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

/// A duration as Go writes it, in seconds.
fn go_seconds(text: &str) -> i64 {
    let (mut seconds, mut number) = (0.0, String::new());
    for next in text.chars() {
        match next {
            'h' | 'm' | 's' => {
                let unit = match next {
                    'h' => 3_600.0,
                    'm' => 60.0,
                    _ => 1.0,
                };
                seconds += number.parse::<f64>().unwrap() * unit;
                number.clear();
            }
            next => number.push(next),
        }
    }
    seconds as i64
}

/// The hexadecimal digits of a digest, for the name that stands for it.
fn hex(id: &str) -> String {
    let place = id.strip_prefix('m').and_then(|place| place.parse::<u64>().ok());
    format!("{:064x}", place.map_or(0xdead, |place| 0xabcd_0000 + place))
}

/// A tag in which such a name stands in brackets.
fn written_out(tag: &str) -> String {
    match (tag.find('<'), tag.find('>')) {
        (Some(open), Some(close)) => format!("{}{}{}", &tag[..open], hex(&tag[open + 1..close]), &tag[close + 1..]),
        _ => tag.to_owned(),
    }
}

fn zot_case(case: &Value) -> Zot {
    let keep = |keep: &Value| zot::Keep {
        patterns: texts(&keep["patterns"]),
        pulled_within: keep["pulledWithin"].as_str().map(go_seconds),
        pushed_within: keep["pushedWithin"].as_str().map(go_seconds),
        most_recently_pushed: keep["mostRecentlyPushedCount"].as_u64().unwrap_or(0) as usize,
        most_recently_pulled: keep["mostRecentlyPulledCount"].as_u64().unwrap_or(0) as usize,
    };
    let policy = |policy: &Value| zot::Policy {
        repositories: texts(&policy["repositories"]),
        delete_referrers: policy["deleteReferrers"] == true,
        delete_untagged: policy["deleteUntagged"].as_bool(),
        keep_tags: list(&policy["keepTags"]).iter().map(keep).collect(),
        keep_untagged: (!policy["keepUntagged"].is_null()).then(|| keep(&policy["keepUntagged"])),
    };
    let manifest = |manifest: &Value| zot::Manifest {
        id: hex(&text(&manifest["id"])),
        is_index: manifest["kind"] == "index",
        children: texts(&manifest["children"]).iter().map(|id| hex(id)).collect(),
        subject: manifest["subject"].as_str().map(hex),
        tags: texts(&manifest["tags"]).iter().map(|tag| written_out(tag)).collect(),
        listed: manifest["listed"] == true,
        age: manifest["age_s"].as_i64().unwrap(),
        statistics: (manifest["stats"] == true)
            .then(|| (manifest["pushed_ago_s"].as_i64(), manifest["pulled_ago_s"].as_i64())),
    };
    Zot {
        repository: text(&case["repository"]),
        database: case["metadb"] == true,
        gc_delay: go_seconds(&text(&case["gc_delay"])),
        retention_delay: go_seconds(&text(&case["retention_delay"])),
        // Which of them applies was recorded, too; its globs are of another edition than the ones here.
        policies: usize::try_from(case["expect"]["policy"].as_i64().unwrap())
            .map(|place| vec![zot::Policy { repositories: vec!["**".to_owned()], ..policy(&case["policies"][place]) }])
            .unwrap_or_default(),
        manifests: list(&case["manifests"]).iter().map(manifest).collect(),
        only_in_database: case["tags_only_in_metadb"]
            .as_object()
            .map(|tags| tags.iter().map(|(tag, id)| (written_out(tag), hex(&text(id)))).collect())
            .unwrap_or_default(),
        not_in_database: texts(&case["tags_missing_in_metadb"]).iter().map(|tag| written_out(tag)).collect(),
        ties: 0,
    }
}

/// What happened to each thing under each of some orders of equals, against what was recorded: what comes out the same under
/// all of them must be that.
fn agrees(case: &str, told: &BTreeMap<String, bool>, open: &BTreeSet<String>, runs: &[BTreeMap<String, bool>]) {
    for (name, left) in told {
        let possible: BTreeSet<bool> = runs.iter().map(|run| run.get(name).copied().unwrap_or(false)).collect();
        assert!(
            possible.contains(left) || open.contains(name),
            "{case}: {name} is left: {left}, and here {possible:?}"
        );
    }
}

#[test]
fn zot_collects_here_as_zot_did_k55() {
    let cases = cases(include_bytes!("recorded/zot.jsonl.zst"));
    assert_eq!(cases.len(), 140);
    for case in &cases {
        let name = format!("{} {}", case["id"], case["note"]);
        let expect = &case["expect"];
        let mut told = BTreeMap::new();
        for (what, left) in [("left", true), ("gone", false)] {
            told.extend(
                texts(&expect[format!("tags_{what}")]).iter().map(|tag| (format!("tag {}", written_out(tag)), left)),
            );
            told.extend(texts(&expect[format!("manifests_{what}")]).iter().map(|id| (hex(id), left)));
        }
        let open = texts(&expect["tags_undetermined"]);
        let open = open.iter().map(|tag| format!("tag {}", written_out(tag)));
        let open: BTreeSet<String> =
            open.chain(texts(&expect["manifests_undetermined"]).iter().map(|id| hex(id))).collect();
        if expect["panic"] == true {
            continue;
        }
        let runs: Vec<BTreeMap<String, bool>> = (0..16)
            .map(|ties| {
                let mut zot = Zot { ties, ..zot_case(case) };
                if case["dry_run"] == false {
                    zot.collect();
                }
                let left = zot.manifests.iter().flat_map(|manifest| {
                    let tags = manifest.tags.iter().map(|tag| format!("tag {tag}"));
                    tags.chain([manifest.id.clone()])
                });
                left.map(|name| (name, true)).collect()
            })
            .collect();
        agrees(&name, &told, &open, &runs);
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
            let told = if expect[version].is_null() { &expect["v2.15.2"] } else { &expect[version] };
            let harbor = harbor_case(case, strips);
            for (run, dry) in [("dry", true), ("real", false)] {
                let outcome = harbor.retain(dry);
                let told = match expect["launch"].as_str() {
                    Some("untouched") => Outcome::Untouched,
                    Some("error") => Outcome::Error,
                    _ if told[run]["rows"].is_null() => Outcome::Error,
                    _ => Outcome::Rows(text(&told[run]["rows"]).chars().map(verdict).collect()),
                };
                let name = format!("{} {version} {run}", case["id"]);
                let (Outcome::Rows(here), Outcome::Rows(there)) = (&outcome, &told) else {
                    assert_eq!(outcome, told, "{name}");
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
        for (repository, told) in case["expect"]["repositories"].as_object().unwrap() {
            let left: BTreeSet<&str> = repositories[repository].iter().map(|manifest| manifest.id.as_str()).collect();
            let tags = repositories[repository].iter().flat_map(|manifest| &manifest.tags);
            let tags: BTreeSet<&str> = tags.map(|tag| tag.name.as_str()).collect();
            let open = texts(&told["manifests_undetermined"]);
            for (what, is_left) in [("left", true), ("deleted", false)] {
                for tag in texts(&told[format!("tags_{what}")]) {
                    assert_eq!(tags.contains(tag.as_str()), is_left, "{name}: {repository}:{tag}");
                }
                for id in texts(&told[format!("manifests_{what}")]).iter().filter(|id| !open.contains(id)) {
                    assert_eq!(left.contains(id.as_str()), is_left, "{name}: {repository} {id}");
                }
            }
        }
    }
}

fn quay_case(case: &Value, version: &str, ties: u64) -> Quay {
    let told = &case[version];
    let refused = texts(&told["refused"]);
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
        let rows = list(&told["rows"]).iter().filter(|row| row[1] == repository["name"]);
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
        default_policy: (!case["default"].is_null() && told["registry_error"] == false)
            .then(|| policy(&case["default"])),
        repositories: list(&case["repositories"]).iter().map(repository).collect(),
        spares_signatures: version == "main",
        ties,
    }
}

#[test]
fn quay_prunes_here_as_quay_did_k53() {
    let cases = cases(include_bytes!("recorded/quay.jsonl.zst"));
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
                let told = match row[8].as_str().unwrap() {
                    "pruned" => quay::Outcome::Pruned,
                    "cascaded" => quay::Outcome::Cascaded,
                    _ => quay::Outcome::Untouched,
                };
                let here: BTreeSet<quay::Outcome> = runs.iter().map(|run| run[&id]).collect();
                assert!(
                    here.contains(&told) || open.contains(&id),
                    "{name}: {id} {} is {told:?}, and here {here:?}",
                    row[2]
                );
            }
        }
    }
}
