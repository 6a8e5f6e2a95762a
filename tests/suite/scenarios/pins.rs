//! Pins: made, refused, removed, moved, and read back.

use prodpin::model::Mode;
use prodpin::outcome::report::PinReport;
use prodpin::sources::memory::index;

use crate::estate::{Estate, REPOSITORY};
use crate::support::each;

fn pins(estate: &Estate) -> usize {
    estate.memory.calls().len()
}

#[tokio::test]
async fn the_five_most_recent_are_pinned_and_a_second_run_does_nothing_i13() {
    let estate = Estate::with_releases(7);
    let audit = estate.run(Mode::Audit).await;
    assert_eq!(pins(&estate), 0, "an audit pins nothing");
    let first = estate.enforce().await;
    assert_eq!(pins(&estate), 5);
    let events = estate.events().await;
    let second = estate.enforce().await;
    assert_eq!(pins(&estate), 5, "the second run made a call that writes");
    assert_eq!(estate.events().await, events, "the second run recorded a change");
    golden!(estate, audit, first, second);
}

#[tokio::test]
async fn a_dry_run_says_what_enforce_would_do() {
    let estate = Estate::with_releases(2);
    let reported = estate.run(Mode::EnforceDryRun).await;
    assert!(each(reported.targets().iter(), |target| target.pin == PinReport::Planned));
    assert_eq!(pins(&estate), 0);
}

#[tokio::test]
async fn an_index_is_pinned_only_when_its_whole_closure_is_there_i6() {
    let mut estate = Estate::with_releases(1);
    estate.push_content("v2.0.0", "whole", index("whole"));
    let broken = index("broken");
    let parts = broken.children().to_vec();
    estate.push_content("v2.1.0", "broken", broken);
    estate.memory.delete_manifest(REPOSITORY, &parts[1].id());
    estate.name(&parts[1].id(), "part");
    let reported = estate.enforce().await;
    assert_eq!(pins(&estate), 4, "an image, an index, and its two platforms");
    golden!(estate, reported);
}

#[tokio::test]
async fn a_removed_pin_is_made_again_and_told() {
    let estate = Estate::with_releases(2);
    let reported = estate.enforce().await;
    let digest = reported.targets()[0].artifact.digest().unwrap().clone();
    estate.memory.delete_tag(REPOSITORY, &format!("prod-pinned-{}", digest.hex()));
    let audit = estate.run(Mode::Audit).await;
    let again = estate.enforce().await;
    golden!(estate, audit, again);
}

#[tokio::test]
async fn a_removed_pin_is_told_by_every_run_until_it_is_there_again_and_is_on_record_once_i13() {
    let estate = Estate::with_releases(5);
    let reported = estate.enforce().await;
    let pin = format!("prod-pinned-{}", reported.targets()[0].artifact.digest().unwrap().hex());
    estate.memory.delete_tag(REPOSITORY, &pin);
    let first = estate.run(Mode::Audit).await;
    let events = estate.events().await;
    for audit in [first, estate.run(Mode::Audit).await, estate.run(Mode::Audit).await] {
        assert_eq!(audit.codes(), ["high pin-missing"], "{}", estate.story(&audit));
        assert!(audit.findings[0].message.ends_with("is gone"), "{}", estate.story(&audit));
    }
    assert_eq!(estate.events().await, events);
    let again = estate.enforce().await;
    assert_eq!(again.codes(), ["high pin-missing"], "{}", estate.story(&again));
    assert!(again.findings[0].message.ends_with("was made again"), "{}", estate.story(&again));
    assert!(estate.run(Mode::Audit).await.findings.is_empty());
}

#[tokio::test]
async fn a_moved_pin_is_critical_and_never_moved_back_i8() {
    let mut estate = Estate::with_releases(2);
    let reported = estate.enforce().await;
    let pin = format!("prod-pinned-{}", reported.targets()[0].artifact.digest().unwrap().hex());
    let implant = estate.push(&pin, "implant");
    let reported = estate.enforce().await;
    assert_eq!(estate.memory.tag(REPOSITORY, &pin), Some(implant), "prodpin moved a tag");
    assert!(reported.codes().contains(&"critical pin-moved".to_owned()));
    golden!(estate, reported);
}

#[tokio::test]
async fn a_refused_pin_is_a_failure_and_a_lost_one_is_seen_by_reading_back_i7() {
    let estate = Estate::with_releases(1);
    estate.memory.refuse_pins(REPOSITORY);
    let refused = estate.enforce().await;
    estate.memory.heal();
    estate.memory.lose_pins(REPOSITORY);
    let lost = estate.enforce().await;
    assert!(each(lost.targets().iter(), |target| target.protected == Some(false)));
    golden!(estate, refused, lost);
}

#[tokio::test]
async fn a_run_that_is_asked_to_stop_pins_nothing_more_f86() {
    let estate = Estate::with_releases(3);
    let stop = prodpin::run::Stop::default();
    stop.ask();
    let options = prodpin::run::RunOptions {
        mode: Mode::Enforce,
        sources: Vec::new(),
        shard: None,
        repositories: Vec::new(),
        concurrency: 1,
        deadline: None,
        stop,
    };
    struct Quiet;
    impl prodpin::run::Progress for Quiet {}
    let sources =
        std::collections::BTreeMap::from([("shop".parse().unwrap(), estate.memory.writable(["shop/*"]).unwrap())]);
    let report = prodpin::run::run_on(&estate.policy, sources, &options, std::sync::Arc::new(Quiet)).await.unwrap();
    assert!(!report.run.complete);
    assert_eq!(pins(&estate), 0);
}

#[tokio::test]
async fn enforce_tells_that_a_pin_it_made_had_been_removed() {
    let estate = Estate::with_releases(5);
    let reported = estate.enforce().await;
    let digest = reported.targets()[0].artifact.digest().unwrap().clone();
    estate.memory.delete_tag(REPOSITORY, &format!("prod-pinned-{}", digest.hex()));
    let again = estate.enforce().await;
    assert_eq!(again.codes(), ["high pin-missing"], "{}", estate.story(&again));
    assert_eq!(again.targets()[0].pin, PinReport::Created);
    assert!(estate.enforce().await.findings.is_empty());
}
