use super::*;
use crate::model::Scope;

#[test]
fn what_could_not_be_read_just_now_is_pinned_all_the_same_and_what_is_wrong_is_not_i6() {
    let artifact: ArtifactId = Digest::sha256(b"x").into();
    let seen = |closure: Closure, causes: &[Cause], obstacles: Vec<Obstacle>| Inspection {
        closure,
        obstacles,
        gaps: causes.iter().map(|cause| Gap::new(Scope::Artifact(artifact.clone()), *cause, "a blob")).collect(),
        ..Inspection::whole(artifact.clone())
    };
    let wrong = || vec![Obstacle::WrongBytes { detail: String::new() }];
    for (closure, causes, obstacles, expected) in [
        (Closure::Complete, [].as_slice(), vec![], true),
        (Closure::Unknown, &[Cause::Unreachable, Cause::Throttled], vec![], true),
        (Closure::Unknown, &[Cause::Unreachable, Cause::Malformed], vec![], false),
        (Closure::Unknown, &[Cause::Unreachable], wrong(), false),
        (Closure::Unknown, &[], vec![], false),
        (Closure::Broken(vec![Digest::sha256(b"y")]), &[Cause::Unreachable], vec![], false),
        (Closure::Unknown, &[], vec![Obstacle::NotPullable { detail: String::new() }], true),
        (Closure::Unknown, &[Cause::Malformed], vec![Obstacle::NotPullable { detail: String::new() }], false),
    ] {
        let seen = seen(closure, causes, obstacles);
        assert_eq!(is_pinnable(&seen), expected, "{seen:?}");
        let verdict = judge(&artifact, Some(&seen), None, Vec::new(), true, None);
        assert!(seen.closure == Closure::Complete || verdict.restorable != Some(true), "a pin proves nothing");
    }
}

#[test]
fn what_lacks_thousands_of_parts_is_told_by_the_first_and_the_number_f96() {
    let artifact: ArtifactId = Digest::sha256(b"x").into();
    let lacking = |count: u32| {
        let seen = Inspection {
            closure: Closure::Broken((0..count).map(|n| Digest::sha256(&n.to_be_bytes())).collect()),
            ..seen()
        };
        let verdict = judge(&artifact, Some(&seen), None, Vec::new(), true, None);
        assert_eq!(verdict.restorable, Some(false));
        let more = |obstacle: &Obstacle| match obstacle {
            Obstacle::PartMissing { more, .. } => more.unwrap_or_default(),
            other => panic!("{other:?}"),
        };
        (verdict.obstacles.len(), verdict.obstacles.iter().map(more).sum::<u64>())
    };
    assert_eq!((lacking(1), lacking(5), lacking(19_000)), ((1, 0), (5, 0), (5, 18_995)));
}

fn seen() -> Inspection {
    Inspection { pin: PinState::Present, ..Inspection::whole(Digest::sha256(b"x").into()) }
}

fn judged(seen: &Inspection, credentials_work: bool) -> ProtectionVerdict {
    judge(&seen.artifact, Some(seen), None, Vec::new(), credentials_work, None)
}

fn unproven(verdict: &ProtectionVerdict) -> Vec<&str> {
    let unproven = verdict.obstacles.iter().filter_map(|obstacle| match obstacle {
        Obstacle::Unproven { detail } => Some(detail.as_str()),
        _ => None,
    });
    unproven.collect()
}

/// What the registry says of it, and what keeps it from being told.
#[test]
fn missing_and_blocked_and_unread_are_told_apart_i25_f31() {
    let blocked = || Obstacle::NotPullable { detail: "a vulnerability gate".to_owned() };
    let contradiction =
        || Obstacle::Contradiction { about: "v1".to_owned(), said: "one".to_owned(), but: "another".to_owned() };
    let gap =
        |seen: &Inspection| Gap::new(Scope::Artifact(seen.artifact.clone()), Cause::Denied, "no right to read it");
    let gone = Inspection { presence: Presence::NotFound, ..seen() };
    let verdict = judged(&gone, true);
    assert_eq!(
        (verdict.restorable, &verdict.obstacles[..], verdict.pin),
        (Some(false), &[Obstacle::Missing][..], PinReport::Absent)
    );
    let verdict = judged(&gone, false);
    assert_eq!((verdict.restorable, unproven(&verdict).len()), (None, 1), "it says so of everything");

    let unknown = |obstacles: Vec<Obstacle>, with_gap: bool| {
        let mut seen = Inspection { presence: Presence::Unknown, obstacles, ..seen() };
        seen.gaps.extend(with_gap.then(|| gap(&seen)));
        seen
    };
    let verdict = judged(&unknown(vec![blocked()], false), true);
    assert_eq!(
        (verdict.restorable, &verdict.obstacles[..]),
        (Some(false), &[blocked()][..]),
        "a rollback would fail now"
    );
    assert_eq!(verdict.pin, PinReport::Present, "and its pin was read");
    let verdict = judged(&unknown(vec![], true), true);
    assert_eq!((verdict.restorable, unproven(&verdict)), (None, vec!["no right to read it"]));
    assert_eq!(verdict.pin, PinReport::Present);
    let verdict = judged(&unknown(vec![], false), true);
    assert_eq!(unproven(&verdict), ["it could not be read"]);
    let verdict = judged(&unknown(vec![contradiction()], false), true);
    assert_eq!(unproven(&verdict), ["the answers about it cannot all be true"]);
    assert!(verdict.restorable.is_none() && verdict.obstacles.contains(&contradiction()));
    let wrong = Obstacle::WrongBytes { detail: String::new() };
    assert_eq!(judged(&unknown(vec![wrong], false), true).restorable, Some(false));
}

/// What is there, and of which something could not be told: each thing is said once, by what says most.
#[test]
fn what_is_not_proven_is_told_once_i25() {
    let blocked = || vec![Obstacle::NotPullable { detail: String::new() }];
    let contradiction =
        || vec![Obstacle::Contradiction { about: "v1".to_owned(), said: "one".to_owned(), but: "another".to_owned() }];
    let read_badly = |gap: bool| {
        let gap = gap.then(|| Gap::new(Scope::Repository, Cause::Throttled, "asked too often"));
        gap.into_iter().collect::<Vec<_>>()
    };
    let parts = "not all of its parts could be read";
    let pin = format!("the pin of {} could not be read", seen().artifact);
    for (obstacles, gap, closure, pin_state, expected) in [
        (vec![], false, Closure::Complete, PinState::Present, vec![]),
        (vec![], false, Closure::Unknown, PinState::Present, vec![parts]),
        (vec![], true, Closure::Unknown, PinState::Present, vec!["asked too often"]),
        (blocked(), false, Closure::Unknown, PinState::Present, vec![]),
        (contradiction(), false, Closure::Unknown, PinState::Present, vec![]),
        (blocked(), true, Closure::Unknown, PinState::Present, vec!["asked too often"]),
        (contradiction(), true, Closure::Unknown, PinState::Present, vec!["asked too often"]),
        (vec![], false, Closure::Complete, PinState::Unknown, vec![pin.as_str()]),
        (vec![], true, Closure::Complete, PinState::Unknown, vec![pin.as_str()]),
        (blocked(), false, Closure::Complete, PinState::Unknown, vec![]),
        (contradiction(), false, Closure::Complete, PinState::Unknown, vec![]),
        (blocked(), true, Closure::Complete, PinState::Unknown, vec![pin.as_str()]),
        (contradiction(), true, Closure::Complete, PinState::Unknown, vec![pin.as_str()]),
    ] {
        let seen = Inspection { obstacles, gaps: read_badly(gap), closure, pin: pin_state, ..seen() };
        assert_eq!(unproven(&judged(&seen, true)), expected, "{seen:?}");
    }
    let contradicted = Inspection { obstacles: contradiction(), ..seen() };
    assert_eq!(judged(&contradicted, true).restorable, None, "whole by digest, and what a tag brings is not known");
    assert_eq!(judged(&seen(), true).restorable, Some(true));
}

#[test]
fn a_pin_is_planned_only_where_one_can_be_made_and_nothing_refuses_it_i22() {
    let absent = Inspection { pin: PinState::Absent, ..seen() };
    let pin = |seen: &Inspection, refused| {
        let verdict = judge(&seen.artifact, Some(seen), None, Vec::new(), true, refused);
        (verdict.pin, verdict.pinnable, verdict.obstacles.contains(&Obstacle::Unpinned))
    };
    assert_eq!(pin(&absent, None), (PinReport::Planned, true, true));
    let broken = Inspection { closure: Closure::Broken(vec![Digest::sha256(b"y")]), ..absent.clone() };
    assert_eq!(pin(&broken, None), (PinReport::Absent, false, true), "a pin would promise what it cannot keep");
    let refused = |blind| Some(RefusedPin { obstacle: Obstacle::Unproven { detail: "harm".to_owned() }, blind });
    assert_eq!(pin(&absent, refused(false)), (PinReport::Refused, false, true));
    assert_eq!(pin(&absent, refused(true)), (PinReport::Refused, false, false), "whether it is needed is not known");
}

/// Exactly as many as are shown have no number beside them.
#[test]
fn five_lacking_parts_are_all_named_f96() {
    for (count, more) in [(5, None), (6, Some(1))] {
        let parts = (0..count).map(|n: u32| Digest::sha256(&n.to_be_bytes())).collect();
        let verdict = judged(&Inspection { closure: Closure::Broken(parts), ..seen() }, true);
        let told: Vec<Option<u64>> = verdict
            .obstacles
            .iter()
            .filter_map(|obstacle| match obstacle {
                Obstacle::PartMissing { more, .. } => Some(*more),
                _ => None,
            })
            .collect();
        assert_eq!((told.len(), told.iter().flatten().next().copied()), (5, more));
    }
}

#[test]
fn a_part_that_is_named_with_its_platform_is_not_named_once_more_f96() {
    let (one, two) = (Digest::sha256(b"1"), Digest::sha256(b"2"));
    let missing = |digest: &Digest, part: Option<&str>| Obstacle::PartMissing {
        digest: digest.clone(),
        part: part.map(Into::into),
        more: None,
    };
    let named = missing(&one, Some("platform linux/arm64"));
    let closure = Closure::Broken(vec![one.clone(), two.clone()]);
    let told = judged(&Inspection { closure, obstacles: vec![named.clone()], ..seen() }, true).obstacles;
    let mut expected = vec![named, missing(&two, None)];
    expected.sort();
    assert_eq!(told, expected);
}
