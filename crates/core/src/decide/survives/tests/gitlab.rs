//! What a pin is worth in GitLab's registry: by immutable tag rules, protected ones, and none.

use super::*;
use crate::model::GitLabRepository;

const PROTECTED: &str = r#"[{"tag_name_pattern":"^prod-pinned-","minimum_access_level_for_push":"maintainer",
    "minimum_access_level_for_delete":"owner"}]"#;
const IMMUTABLE: &str = r#"[{"tag_name_pattern":"^prod-pinned-"}]"#;

fn gitlab(policy: Setting, protected: Setting, immutable: Setting) -> Snapshot {
    let (project, tags, untagged) = ("shop/api".into(), Vec::new(), Vec::new());
    let repository = GitLabRepository { project, policy, protected, immutable, tags, untagged };
    Snapshot { retention: Retention::GitLab(Box::new(repository)), ..Snapshot::default() }
}

fn text(text: &str) -> Setting {
    Setting::Text(text.into())
}

/// A policy by which pins take places.
fn counting() -> Setting {
    text(r#"{"enabled":true,"name_regex":".*","name_regex_keep":null,"keep_n":5}"#)
}

#[test]
fn a_pin_is_a_wall_where_a_rule_makes_it_immutable_and_nowhere_else_k57() {
    let none = || Setting::Unset;
    for (what, seen, snapshot, expected, protected) in [
        ("no rules", image(PinState::Present), gitlab(none(), none(), none()), "yyynn", Some(true)),
        ("immutable", image(PinState::Present), gitlab(none(), none(), text(IMMUTABLE)), "yyyyn", Some(true)),
        ("some may", image(PinState::Present), gitlab(none(), text(PROTECTED), none()), "yyynn", Some(true)),
        ("both", image(PinState::Present), gitlab(none(), text(PROTECTED), text(IMMUTABLE)), "yyyyn", Some(true)),
        ("rules unread", image(PinState::Present), gitlab(none(), none(), Setting::Unknown), "yyyun", Some(true)),
        ("policy unread", image(PinState::Present), gitlab(Setting::Unknown, none(), none()), "yyunn", None),
        ("an index", index(PinState::Present), gitlab(none(), none(), none()), "yyynn", Some(true)),
        ("a platform without", bare(PinState::Absent), gitlab(none(), none(), none()), "ynynn", Some(false)),
        // Its platforms get no pins where each takes a place.
        ("counted", bare(PinState::Absent), gitlab(counting(), none(), none()), "ynynn", Some(false)),
        ("not pinned", image(PinState::Absent), gitlab(none(), none(), text(IMMUTABLE)), "nyynn", Some(false)),
        ("its pin unread", image(PinState::Unknown), gitlab(none(), none(), text(IMMUTABLE)), "uyyun", None),
    ] {
        let (survives, found) = decide(Some(&seen), &snapshot, &[], Some("v1.0.0"));
        assert_eq!((answers(&survives).as_str(), found), (expected, protected), "{what}: {survives:#?}");
    }
}
