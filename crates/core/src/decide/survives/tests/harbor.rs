//! What Harbor refuses to delete: an artifact with an immutable tag, as its own matcher sees it.

use serde_json::{Value, json};

use super::*;
use crate::model::{HarborArtifact, HarborCollection, HarborReplication, HarborRepository, HarborTag};

fn rule(id: i64, repositories: &str, tags: &str) -> Value {
    let selector = |decoration: &str, pattern: &str| json!([{ "kind": "doublestar", "decoration": decoration, "pattern": pattern }]);
    json!({
        "id": id,
        "tag_selectors": selector("matches", tags),
        "scope_selectors": { "repository": selector("repoMatches", repositories) },
    })
}

fn harbor(immutable: Setting) -> Snapshot {
    let tag = |name: &str| HarborTag { name: name.into(), pushed: NOW, pulled: None };
    let artifact = HarborArtifact {
        digest: Digest::sha256(b"image"),
        tags: vec![tag("v1.0.0")],
        pushed: NOW,
        pulled: None,
        labels: Vec::new(),
        is_referenced: false,
        children: Vec::new(),
    };
    let repository = HarborRepository {
        project: "shop".into(),
        name: "team/api".into(),
        neighbours: Arc::default(),
        artifacts: vec![artifact],
        policy: Setting::Unset,
        immutable,
        version: Some("v2.15.2-080b0220".into()),
        collection: HarborCollection::Unscheduled,
        replication: HarborReplication::Known([].into()),
        cached_from: None,
    };
    Snapshot { retention: Retention::Harbor(Box::new(repository)), ..Snapshot::default() }
}

#[test]
fn an_immutable_tag_survives_deletion_by_digest_and_nothing_else_does_j24_j25() {
    let pins = "prod-pinned-*";
    for (what, rules, pin, expected) in [
        ("covered", vec![rule(1, "**", pins)], PinState::Present, 'y'),
        ("covered by name", vec![rule(1, "team/*", pins)], PinState::Present, 'y'),
        ("a release's own tag", vec![rule(1, "**", "v*")], PinState::Present, 'y'),
        ("a release's own tag, unpinned", vec![rule(1, "**", "v*")], PinState::Absent, 'y'),
        ("no rule", vec![], PinState::Present, 'n'),
        ("another repository", vec![rule(1, "api", pins)], PinState::Present, 'n'),
        ("other tags", vec![rule(1, "**", "release-*")], PinState::Present, 'n'),
        ("not pinned", vec![rule(1, "**", pins)], PinState::Absent, 'n'),
        ("pin unread", vec![rule(1, "**", pins)], PinState::Unknown, 'u'),
        ("a malformed rule in front", vec![rule(1, "**", "[a"), rule(2, "**", pins)], PinState::Present, 'n'),
        ("a malformed rule behind", vec![rule(1, "**", pins), rule(2, "**", "[a")], PinState::Present, 'y'),
        ("by id, not by place", vec![rule(2, "**", pins), rule(1, "**", "[a")], PinState::Present, 'n'),
    ] {
        let snapshot = harbor(Setting::Text(Value::from(rules).to_string().into()));
        let (survives, _) = decide(Some(&image(pin)), &snapshot, &[], Some("v1.0.0"));
        assert_eq!(answers(&survives).chars().nth(3), Some(expected), "{what}: {survives:#?}");
    }
    for (setting, expected) in [(Setting::Unset, "yyynn"), (Setting::Unknown, "yyyun")] {
        let (survives, protected) = decide(Some(&image(PinState::Present)), &harbor(setting), &[], Some("v1.0.0"));
        assert_eq!((answers(&survives).as_str(), protected), (expected, Some(true)));
    }
}
