//! What pins survive in Google Artifact Registry, and what immutable tags add (K42, K44).

use super::*;
use crate::model::GarRepository;

fn gar(policies: Setting, on_trial: bool) -> Snapshot {
    let repository = GarRepository {
        place: "projects/acme/locations/europe/repositories/shop".into(),
        package: "api".into(),
        policies,
        on_trial,
        immutable_tags: None,
        cached_from: None,
        images: Vec::new(),
        is_counted: true,
        unread: None,
    };
    Snapshot { retention: Retention::Gar(Box::new(repository)), ..Snapshot::default() }
}

#[test]
fn policies_that_spare_it_and_immutable_tags_are_what_it_survives_by_k42_k44() {
    let text = || Setting::Text("{}".into());
    let held = |immutable: Option<bool>, seen: Inspection| Inspection { pin_is_immutable: immutable, ..seen };
    let pinned = || image(PinState::Present);
    for (what, seen, snapshot, expected, protected) in [
        ("no policies", held(Some(false), pinned()), gar(Setting::Unset, false), "yyynn", Some(true)),
        ("simulated", held(Some(false), pinned()), gar(text(), false), "yyynn", Some(true)),
        ("on trial", held(Some(false), pinned()), gar(text(), true), "yyynn", Some(true)),
        ("immutable", held(Some(true), pinned()), gar(text(), false), "yyyyn", Some(true)),
        ("an index", held(Some(true), index(PinState::Present)), gar(text(), false), "yyyyn", Some(true)),
        ("its setting unread", held(None, pinned()), gar(text(), false), "yyyun", Some(true)),
        ("its policies unread", held(None, pinned()), gar(Setting::Unknown, false), "yyuun", None),
        ("not pinned", held(Some(true), image(PinState::Absent)), gar(text(), false), "nyynn", Some(false)),
        ("its pin unread", held(Some(true), image(PinState::Unknown)), gar(text(), false), "uyyun", None),
    ] {
        let (survives, found) = decide(Some(&seen), &snapshot, &[], Some("v1.0.0"));
        assert_eq!((answers(&survives).as_str(), found), (expected, protected), "{what}: {survives:#?}");
    }
    // A platform without a pin: neither a cleanup of what has no tag nor a deletion leaves the index whole.
    let seen = held(Some(true), bare(PinState::Absent));
    let (survives, found) = decide(Some(&seen), &gar(Setting::Unset, false), &[], Some("v1.0.0"));
    assert_eq!((answers(&survives).as_str(), found), ("ynynn", Some(false)), "{survives:#?}");
}
