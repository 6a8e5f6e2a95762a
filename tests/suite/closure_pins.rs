//! Pins of what belongs to a target: platforms, nested indexes, signatures (I26).

mod attached;

use prodpin::model::{ArtifactId, Code, Finding, Mode, Obstacle, Order, PinCover, PinTerms, Severity};
use prodpin::outcome::report::PinReport;
use prodpin::sources::memory::{Call, Content, image, index, index_of};

use crate::estate::{Estate, REPOSITORY, RunResult, tags};
use crate::support::each;

fn of(reported: &RunResult, code: Code) -> Vec<&Finding> {
    reported.findings.iter().filter(|finding| finding.code == code).collect()
}

fn asked(estate: &Estate) -> Vec<ArtifactId> {
    let pinned = |call: Call| match call {
        Call::Pin { artifact, .. } => Some(artifact),
        Call::Lifecycle { .. } => None,
    };
    estate.memory.calls().into_iter().filter_map(pinned).collect()
}

fn estate(releases: &[(&str, Content)]) -> Estate {
    let mut estate = Estate::new(vec![tags(&["v*"], Order::Semver)]);
    for (tag, content) in releases {
        estate.push_content(tag, tag, content.clone());
    }
    estate
}

fn pin_tag(artifact: &ArtifactId) -> String {
    format!("prod-pinned-{}", artifact.digest().unwrap().hex())
}

fn everything_below(content: &Content) -> Vec<ArtifactId> {
    content.children().iter().flat_map(|child| [everything_below(child), vec![child.id()]].concat()).collect()
}

#[tokio::test]
async fn every_manifest_below_a_target_is_pinned_before_it_and_once_i26_i13() {
    let nested = index_of(vec![index("inner"), image("beside")]);
    let releases = [("v1.0.0", index("one")), ("v1.1.0", nested), ("v1.2.0", image("plain"))];
    let estate = estate(&releases);
    let reported = estate.enforce().await;
    let order = asked(&estate);
    for (tag, content) in &releases {
        let at = |artifact: &ArtifactId| order.iter().position(|other| other == artifact);
        let (below, own) = (everything_below(content), at(&content.id()).unwrap());
        assert!(below.iter().all(|part| at(part).is_some_and(|at| at < own)), "{tag}: {order:?}");
    }
    assert_eq!(order.len(), 3 + 2 + 4, "{order:?}");
    assert!(each(reported.targets(), |target| target.protected == Some(true)), "{}", estate.story(&reported));
    let parts: Vec<_> =
        reported.targets().iter().map(|target| target.parts.map(|parts| (parts.below, parts.pinned))).collect();
    assert_eq!(parts, [None, Some((4, 4)), Some((2, 2))]);
    estate.memory.forget_calls();
    let events = estate.events().await;
    let again = estate.enforce().await;
    assert_eq!((asked(&estate), estate.events().await), (Vec::new(), events));
    assert_eq!(again.targets().len(), 3, "pins are no releases");
    assert!(of(&again, Code::PinUnknown).is_empty(), "{}", estate.story(&again));
}

#[tokio::test]
async fn what_two_releases_share_is_pinned_once_i26() {
    let shared = image("the same for both");
    let of_both = |own: &str| index_of(vec![shared.clone(), image(own)]);
    let estate = estate(&[("v1.0.0", of_both("one")), ("v1.1.0", of_both("two"))]);
    let reported = estate.enforce().await;
    let order = asked(&estate);
    assert_eq!(order.iter().filter(|artifact| **artifact == shared.id()).count(), 1);
    assert_eq!(order.len(), 5);
    assert!(each(reported.targets(), |target| target.protected == Some(true)), "{}", estate.story(&reported));
}

#[tokio::test]
async fn an_audit_says_what_would_be_pinned_with_its_parts_i26() {
    let estate = estate(&[("v1.0.0", index("one"))]);
    let reported = estate.run(Mode::Audit).await;
    let parts = reported.targets()[0].parts.unwrap();
    assert_eq!((parts.below, parts.pinned, parts.planned), (2, 0, 2));
    let [missing] = of(&reported, Code::PinMissing)[..] else { panic!("{}", estate.story(&reported)) };
    assert!(missing.message.contains("2 manifests that belong to it"), "{}", missing.message);
    assert!(of(&reported, Code::PinChildrenUnprotected).is_empty(), "told with its pin: {}", estate.story(&reported));
    assert_eq!(asked(&estate), []);
}

#[tokio::test]
async fn an_index_pinned_by_an_older_program_gets_its_children_i26() {
    let mut estate = estate(&[("v1.0.0", index("one"))]);
    estate.policy.pins.usual.cover = PinCover::Index;
    estate.enforce().await;
    assert_eq!(asked(&estate), [index("one").id()]);
    estate.memory.forget_calls();
    estate.policy.pins.usual.cover = PinCover::Auto;
    let reported = estate.run(Mode::Audit).await;
    let [found] = of(&reported, Code::PinChildrenUnprotected)[..] else { panic!("{}", estate.story(&reported)) };
    assert_eq!((found.severity, reported.targets()[0].protected), (Severity::Medium, Some(false)));
    assert!(found.remedy.contains("prodpin enforce"), "{}", found.remedy);
    let reported = estate.enforce().await;
    assert_eq!(asked(&estate).len(), 2);
    assert_eq!(reported.targets()[0].protected, Some(true), "{}", estate.story(&reported));
    assert!(of(&reported, Code::PinChildrenUnprotected).is_empty());
}

#[tokio::test]
async fn a_pin_on_the_index_alone_protects_no_release_i26_k58() {
    let mut estate = estate(&[("v1.0.0", index("one")), ("v1.1.0", image("plain"))]);
    estate.policy.pins.usual = PinTerms { cover: PinCover::Index, ..PinTerms::default() };
    let reported = estate.enforce().await;
    assert_eq!(asked(&estate).len(), 2);
    let protected: Vec<_> = reported.targets().iter().map(|target| target.protected).collect();
    assert_eq!(protected, [Some(true), Some(false)], "{}", estate.story(&reported));
    let [found] = of(&reported, Code::PinChildrenUnprotected)[..] else { panic!("{}", estate.story(&reported)) };
    assert_eq!(found.severity, Severity::High);
    assert!(found.message.contains("cover: index") && found.message.contains("2 manifests below it"), "{found:?}");
    // Pins that were made before the policy said so hold all the same.
    estate.policy.pins.usual.cover = PinCover::Closure;
    estate.enforce().await;
    estate.policy.pins.usual.cover = PinCover::Index;
    let reported = estate.enforce().await;
    assert!(each(reported.targets(), |target| target.protected == Some(true)), "{}", estate.story(&reported));
}

#[tokio::test]
async fn a_child_pin_that_is_gone_is_made_again_and_one_that_moved_is_not_i26_i8() {
    let content = index("one");
    let children = everything_below(&content);
    let estate = estate(&[("v1.0.0", content), ("v1.1.0", image("other"))]);
    estate.enforce().await;
    estate.memory.delete_tag(REPOSITORY, &pin_tag(&children[0]));
    estate.memory.forget_calls();
    let reported = estate.enforce().await;
    assert_eq!(asked(&estate), [children[0].clone()]);
    assert!(each(reported.targets(), |target| target.protected == Some(true)), "{}", estate.story(&reported));

    estate.memory.move_tag(REPOSITORY, &pin_tag(&children[0]), &image("other").id());
    estate.memory.forget_calls();
    let reported = estate.enforce().await;
    assert_eq!(asked(&estate), [], "a pin is never moved");
    let [moved] = of(&reported, Code::PinMoved)[..] else { panic!("{}", estate.story(&reported)) };
    assert_eq!(moved.severity, Severity::Critical);
    let target = reported.targets().iter().find(|target| target.parts.is_some()).unwrap();
    assert_eq!(target.protected, Some(false));
}

#[tokio::test]
async fn a_child_that_cannot_be_pinned_is_told_and_keeps_nothing_else_from_its_pin_i26_i7() {
    let content = index("one");
    let children = everything_below(&content);
    for lost in [false, true] {
        let estate = estate(&[("v1.0.0", content.clone()), ("v1.1.0", image("other"))]);
        if lost {
            estate.memory.lose_pins(REPOSITORY);
        } else {
            estate.memory.lose_pin_of(REPOSITORY, &children[0]);
        }
        let reported = estate.enforce().await;
        let target = reported.targets().iter().find(|target| target.rank == Some(2)).unwrap();
        assert_eq!(target.protected, Some(false), "{}", estate.story(&reported));
        assert!(target.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::PartsUnpinned { .. })));
        if !lost {
            assert_eq!(estate.memory.pins(REPOSITORY).len(), 3, "two of three of the index, and the other release");
            assert_eq!(target.pin, PinReport::Created);
            let [found] = of(&reported, Code::PinChildrenUnprotected)[..] else {
                panic!("{}", estate.story(&reported))
            };
            assert_eq!(found.severity, Severity::High);
        }
        // Once it works, the next run makes it whole.
        estate.memory.heal();
        let reported = estate.enforce().await;
        assert!(each(reported.targets(), |target| target.protected == Some(true)), "{}", estate.story(&reported));
    }
}
