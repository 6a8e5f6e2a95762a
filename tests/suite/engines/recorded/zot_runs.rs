//! zot's recorded garbage collections, held against its engine.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{agrees, cases, list, text, texts};
use crate::engines::zot;
use crate::engines::zot::Zot;

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

#[test]
fn zot_collects_here_as_zot_did_k55() {
    let cases = cases(include_bytes!("zot.jsonl.zst"));
    assert_eq!(cases.len(), 140);
    for case in &cases {
        let name = format!("{} {}", case["id"], case["note"]);
        let expect = &case["expect"];
        let mut reported = BTreeMap::new();
        for (what, left) in [("left", true), ("gone", false)] {
            reported.extend(
                texts(&expect[format!("tags_{what}")]).iter().map(|tag| (format!("tag {}", written_out(tag)), left)),
            );
            reported.extend(texts(&expect[format!("manifests_{what}")]).iter().map(|id| (hex(id), left)));
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
        agrees(&name, &reported, &open, &runs);
    }
}
