//! Services without cleanup rules: what deletes by digest there, and what keeps it from that.

use super::*;

#[test]
fn in_github_whoever_administers_a_package_deletes_what_is_pinned_k58() {
    let github = || kind(RegistryKind::GitHub, None);
    let (survives, protected) = decide(Some(&image(PinState::Present)), &github(), &[], Some("v1"));
    assert_eq!((answers(&survives).as_str(), protected), ("yyynn", Some(true)), "{survives:?}");
    let (survives, protected) = decide(Some(&index(PinState::Present)), &github(), &[], Some("v1"));
    assert_eq!(
        (answers(&survives).as_str(), protected),
        ("yyynn", Some(true)),
        "each platform has a pin: {survives:?}"
    );
    let said = kind(RegistryKind::GitHub, Some(StatedCleanup::Unknown));
    let unread = [Obstacle::CleanupUnknown { detail: "the policy says so".to_owned() }];
    assert_eq!(decide(Some(&image(PinState::Present)), &said, &unread, Some("v1")).1, None);
}

#[test]
fn in_docker_hub_a_pin_that_a_rule_makes_immutable_survives_deletion_k59() {
    for (pin, is_immutable, expected, protected) in [
        (PinState::Present, Some(true), "yyyyn", Some(true)),
        (PinState::Present, Some(false), "yyynn", Some(true)),
        (PinState::Present, None, "yyyun", Some(true)),
        (PinState::Absent, Some(true), "nyynn", Some(false)),
    ] {
        let seen = Inspection { pin_is_immutable: is_immutable, ..image(pin.clone()) };
        let decided = decide(Some(&seen), &kind(RegistryKind::DockerHub, None), &[], Some("v1"));
        assert_eq!((answers(&decided.0).as_str(), decided.1), (expected, protected), "{pin:?} {is_immutable:?}");
    }
}
