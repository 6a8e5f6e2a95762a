//! What locks hold, and for whom it is not known.

use super::*;
use crate::model::{AcrCommand, AcrLocks, AcrManifest, AcrPurges, AcrRepository, AcrRetention};

fn acr(purges: AcrPurges, locked: bool) -> Snapshot {
    let manifest = |name: &[u8]| AcrManifest {
        digest: Digest::sha256(name),
        media_type: None,
        updated: Some(NOW),
        locks: AcrLocks { delete_enabled: Some(!locked), write_enabled: None },
        children: Vec::new(),
        subject: None,
        tags: Vec::new(),
    };
    let manifests = vec![manifest(b"image"), manifest(b"index")];
    let repository = AcrRepository { name: "shop/api".parse().unwrap(), manifests };
    Snapshot {
        retention: Retention::Acr(Box::new(AcrRetention { repository, purges, unread: None })),
        ..Snapshot::default()
    }
}

fn stated(lines: &[&str], others: bool) -> AcrPurges {
    AcrPurges::Stated { commands: lines.iter().map(|line| AcrCommand::parse(line).unwrap()).collect(), others }
}

#[test]
fn a_pin_is_a_lock_on_all_of_it_k46_k47() {
    let some = || stated(&["--filter 'shop/.*:^dev-' --ago 1d --untagged"], false);
    for (what, seen, snapshot, expected, protected) in [
        ("nothing is run", image(PinState::Present), acr(stated(&[], false), true), "yyyyn", Some(true)),
        ("simulated", image(PinState::Present), acr(some(), true), "yyyyn", Some(true)),
        ("an index", index(PinState::Present), acr(some(), true), "yyyyn", Some(true)),
        ("an index, its parts unseen", unseen(), acr(some(), true), "yuyun", None),
        ("the policy is silent", image(PinState::Present), acr(AcrPurges::Unknown, true), "yyuyn", None),
        ("there may be more", image(PinState::Present), acr(stated(&[], true), true), "yyuyn", None),
        ("not pinned", image(PinState::Absent), acr(some(), false), "nyynn", Some(false)),
        ("locked by somebody", image(PinState::Absent), acr(some(), true), "nyyyn", Some(false)),
        ("an index, locked by somebody", index(PinState::Absent), acr(some(), true), "nuynn", Some(false)),
        ("its locks unread", index(PinState::Unknown), acr(some(), true), "uuyun", None),
    ] {
        let (survives, found) = decide(Some(&seen), &snapshot, &[], Some("v1.0.0"));
        assert_eq!((answers(&survives).as_str(), found), (expected, protected), "{what}: {survives:#?}");
    }
    // What has neither a tag nor a pin the registry may take by itself.
    for purges in [stated(&[], false), some()] {
        let (survives, found) = decide(Some(&image(PinState::Absent)), &acr(purges, false), &[], None);
        assert_eq!((answers(&survives).as_str(), found), ("nnunn", Some(false)), "{survives:#?}");
    }
}

/// A pinned index of which it was not seen what is below it.
fn unseen() -> Inspection {
    let mut seen = index(PinState::Present);
    seen.parts.below.clear();
    seen
}
