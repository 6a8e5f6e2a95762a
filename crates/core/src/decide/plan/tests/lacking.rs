//! Pins that are lacking, and releases that are: what is told of them, run after run.

use super::*;
use crate::model::{Cleanup, Recognised, RegistryKind};

fn lost() -> [Event; 2] {
    [Event::Pinned { artifact: artifact("1") }, Event::PinLost { artifact: artifact("1") }]
}

/// Severity, message and remedy of what is told under a code.
fn told(plan: &Plan, code: Code) -> Vec<(Severity, String, String)> {
    let of_code = plan.findings.iter().filter(|finding| finding.code == code);
    of_code.map(|finding| (finding.severity, finding.message.clone(), finding.remedy.clone())).collect()
}

#[test]
fn a_pin_that_somebody_took_is_a_grave_lack_until_it_is_there_again_and_then_that_is_told_once_i13_i15() {
    let (pinned, made) = (|| Event::Pinned { artifact: artifact("1") }, || Event::PinMade { artifact: artifact("1") });
    let gone = |pin, attempt: Option<Result<(), PinFailure>>| {
        let look = Look::new(&[("v1", "1")]).knowing(&lost()).seeing("1", |seen| seen.pin = pin);
        match attempt {
            None => look,
            Some(outcome) => look.trying("1", outcome),
        }
    };
    for (pin, attempt, message, recorded) in [
        (PinState::Absent, None, "is gone", vec![]),
        (PinState::Absent, Some(Err(failure())), "could not be pinned: denied", vec![]),
        (PinState::Present, None, "had been removed, and is there again", vec![pinned()]),
        (PinState::Present, Some(Ok(())), "had been removed, and was made again", vec![pinned(), made()]),
    ] {
        let case = format!("{pin:?} {attempt:?}");
        let look = gone(pin, attempt);
        let plan = look.plan();
        let found = told(&plan, Code::PinMissing);
        let [(Severity::High, said, _)] = &found[..] else { panic!("{case}: {found:?}") };
        assert!(said.contains(message), "{case}: {said}");
        assert_eq!(look.recorded(), recorded, "{case}");
    }
    // Nothing is told of it by the run after.
    let back = [&lost()[..], &[pinned()]].concat();
    assert_eq!(told(&Look::new(&[("v1", "1")]).knowing(&back).plan(), Code::PinMissing), []);
    // A release that removed it took nothing from anybody.
    let released = [&lost()[..], &[Event::PinReleased { artifact: artifact("1") }]].concat();
    let look = Look::new(&[("v1", "1")]).knowing(&released).seeing("1", |seen| seen.pin = PinState::Absent);
    let found = told(&look.plan(), Code::PinMissing);
    assert!(matches!(&found[..], [(Severity::Medium, ..)]), "{found:?}");
}

/// A release that is a target no more, whose pin was taken and is there again: no stranger made that.
#[test]
fn a_pin_that_was_on_record_and_lost_is_not_called_one_that_is_on_none_i13() {
    let tags = ["1", "2", "3", "4", "5", "6"].map(|content| (format!("v{content}"), content));
    let of_first = pin("1");
    let mut listed: Vec<(&str, &str)> = tags.iter().map(|(tag, content)| (tag.as_str(), *content)).collect();
    listed.push((&of_first, "1"));
    let look = || Look::new(&listed);
    assert_eq!(told(&look().plan(), Code::PinUnknown).len(), 1);
    assert_eq!(told(&look().knowing(&lost()).plan(), Code::PinUnknown), []);
}

#[test]
fn a_lost_pin_that_may_not_be_made_stays_told_beside_what_withholds_it_i22() {
    let withheld = |known: &[Event]| {
        let mut look = Look::new(&[("v1", "1")]).knowing(known).seeing("1", |seen| seen.pin = PinState::Absent);
        look.snapshot.cleanup = Cleanup { registry: Recognised::Kind(RegistryKind::Harbor), stated: None };
        look.plan()
    };
    assert_eq!(told(&withheld(&[]), Code::PinMissing), [], "it is unpinned on purpose");
    let plan = withheld(&lost());
    assert_eq!((plan.pins.len(), plan.report.targets[0].pin), (0, PinReport::Withheld));
    let found = told(&plan, Code::PinMissing);
    let [(Severity::High, message, remedy)] = &found[..] else { panic!("{found:?}") };
    assert!(message.contains("is gone") && remedy.contains("cleanup-unknown"), "{message}: {remedy}");
}

#[test]
fn no_pin_is_made_of_what_is_kept_back_and_that_is_told_f119() {
    let blocked = |pin: PinState| {
        Look::new(&[("v1", "1"), ("v2", "2")]).seeing("1", |seen| {
            (seen.presence, seen.closure, seen.pin) = (Presence::Unknown, Closure::Unknown, pin);
            seen.obstacles = vec![Obstacle::NotPullable { detail: "a vulnerability gate".to_owned() }];
        })
    };
    let look = blocked(PinState::Absent);
    let plan = look.plan();
    let found = told(&plan, Code::PinMissing);
    let [(Severity::Medium, message, remedy)] = &found[..] else { panic!("{found:?}") };
    assert!(message.starts_with("v1 ") && remedy.contains("target-not-pullable"), "{message}: {remedy}");
    assert!(plan.pins.is_empty(), "{:?}", plan.pins);
    for pin in [PinState::Present, PinState::Unknown] {
        assert_eq!(told(&blocked(pin).plan(), Code::PinMissing), []);
    }
    let moved = blocked(PinState::Moved(artifact("2"))).plan();
    assert_eq!(told(&moved, Code::PinMoved).len(), 1, "{:?}", moved.findings);
}

#[test]
fn fewer_releases_than_asked_for_are_not_called_all_there_are_where_a_tag_could_not_be_read_i4() {
    let depth = |look: &Look| {
        let found = told(&look.plan(), Code::RollbackDepthShort);
        let [(severity, message, remedy)] = &found[..] else { panic!("{found:?}") };
        (*severity, message.clone(), remedy.clone())
    };
    let (_, message, remedy) = depth(&Look::new(&[("v1", "1"), ("v2", "2")]));
    assert_eq!(message, "2 production releases are known, and the policy keeps 5");
    assert!(remedy.starts_with("nothing to do"), "{remedy}");
    let mut unread = Look::new(&[("v1", "1"), ("v2", "2"), ("v3", "3")]);
    unread.snapshot.tags[2].target = Resolution::Unknown;
    unread.snapshot.gaps.push(Gap::new(Scope::Tag("v3".parse().unwrap()), Cause::TimedOut, "v3"));
    assert_eq!(told(&unread.plan(), Code::InventoryIncomplete).len(), 1, "the finding that the remedy names");
    let (_, message, remedy) = depth(&unread);
    assert!(message.ends_with("the policy keeps 5; 1 more release tag could not be read"), "{message}");
    assert!(remedy.contains("inventory-incomplete"), "{remedy}");
}

#[test]
fn a_release_that_was_not_read_to_its_end_is_not_called_intact_i25() {
    let depth = |unread: &[&str]| {
        let mut look = Look::new(&[("v1", "1"), ("v2", "2"), ("v3", "3")]).seeing("1", |seen| {
            seen.closure = Closure::Broken(vec![Digest::sha256(b"layer")]);
        });
        for content in unread {
            look = look.seeing(content, |seen| {
                seen.closure = Closure::Unknown;
                seen.gaps = vec![Gap::new(Scope::Artifact(artifact("0")), Cause::Throttled, "a layer")];
            });
        }
        told(&look.plan(), Code::RollbackDepthShort).remove(0).1
    };
    assert_eq!(depth(&[]), "2 of the 5 releases to keep are intact");
    assert_eq!(depth(&["2"]), "1 of the 5 releases to keep are intact, and 1 more may be: not all of it could be read");
    assert_eq!(
        depth(&["2", "3"]),
        "0 of the 5 releases to keep are intact, and 2 more may be: not all of them could be read"
    );
}
