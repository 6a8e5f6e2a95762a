//! Tags that move, are deleted or come back, and releases whose bytes did.

use prodpin::model::{ArtifactId, Event, Mode, NamePatterns};
use prodpin::outcome::report::PinReport;

use crate::estate::{Estate, REPOSITORY};
use crate::support::each;

#[tokio::test]
async fn latest_pushed_again_is_a_finding_unless_it_may_move() {
    let mut estate = Estate::with_releases(2);
    estate.push("latest", "monday");
    estate.enforce().await;
    estate.push("latest", "tuesday");
    let moved = estate.enforce().await;
    assert!(moved.codes().contains(&"medium tag-moved".to_owned()), "{:?}", moved.codes());
    estate.policy.may_move = NamePatterns::new(["latest"]).unwrap();
    estate.push("latest", "wednesday");
    let allowed = estate.enforce().await;
    golden!(estate, moved, allowed);
}

#[tokio::test]
async fn a_moved_release_keeps_its_first_bytes_in_place_and_stays_a_finding() {
    let mut estate = Estate::with_releases(6);
    estate.enforce().await;
    estate.push("v1.4.0", "not-what-was-tested");
    let moved = estate.enforce().await;
    let later = estate.enforce().await;
    assert!(later.codes().contains(&"critical tag-moved".to_owned()));
    golden!(estate, moved, later);
}

#[tokio::test]
async fn an_old_release_that_moves_is_high_and_told_once() {
    let mut estate = Estate::with_releases(7);
    estate.enforce().await;
    estate.push("v1.0.0", "rewritten-history");
    let moved = estate.enforce().await;
    assert!(moved.codes().contains(&"high tag-moved".to_owned()), "{:?}", moved.codes());
    assert!(!estate.enforce().await.codes().contains(&"high tag-moved".to_owned()));
}

#[tokio::test]
async fn five_releases_moved_to_one_digest_empty_nothing_f34() {
    let mut estate = Estate::with_releases(5);
    let before: Vec<ArtifactId> =
        estate.enforce().await.targets().iter().map(|target| target.artifact.clone()).collect();
    for minor in 0..5 {
        estate.push(&format!("v1.{minor}.0"), "implant");
    }
    let reported = estate.enforce().await;
    for artifact in &before {
        let target = reported.targets().iter().find(|target| target.artifact == *artifact).expect("pushed out");
        assert_eq!(target.protected, Some(true));
    }
    golden!(estate, reported);
}

#[tokio::test]
async fn a_tag_that_comes_back_to_earlier_bytes_flapped() {
    let mut estate = Estate::with_releases(2);
    estate.push("stable", "a");
    estate.enforce().await;
    estate.push("stable", "b");
    estate.enforce().await;
    estate.push("stable", "a");
    let reported = estate.enforce().await;
    assert!(reported.codes().contains(&"medium tag-flapped".to_owned()), "{:?}", reported.codes());
    golden!(estate, reported);
}

#[tokio::test]
async fn signature_tags_are_rewritten_by_design() {
    let mut estate = Estate::with_releases(1);
    let signature = format!("sha256-{}.sig", prodpin::model::Digest::sha256(b"x").hex());
    estate.push(&signature, "one signature");
    estate.enforce().await;
    estate.push(&signature, "two signatures");
    assert_eq!(estate.enforce().await.codes(), ["low rollback-depth-short"]);
}

#[tokio::test]
async fn a_move_is_on_record_once_and_the_run_after_it_records_nothing_i13() {
    let mut estate = Estate::with_releases(5);
    estate.push("latest", "monday");
    estate.enforce().await;
    estate.push("latest", "tuesday");
    estate.enforce().await;
    let events = estate.events().await;
    let after = estate.enforce().await;
    assert!(after.findings.is_empty(), "{:?}", after.codes());
    assert_eq!(estate.events().await, events);
}

#[tokio::test]
async fn moving_a_tag_that_a_file_names_is_no_deployment() {
    let mut estate = Estate::new(vec![]);
    let tags = ["a", "b", "c", "d", "e"];
    let before: Vec<ArtifactId> = tags.iter().map(|tag| estate.push(tag, &format!("runs as {tag}"))).collect();
    estate.in_use(&tags.map(|tag| format!("registry.example.com/shop/api:{tag}")));
    estate.enforce().await;
    for tag in tags {
        estate.push(tag, "implant");
    }
    for _ in 0..2 {
        let reported = estate.enforce().await;
        for artifact in &before {
            let target = reported.targets().iter().find(|target| target.artifact == *artifact).expect("pushed out");
            assert!(target.running && target.rank.is_some());
        }
        let implant = reported.targets().iter().find(|target| !before.contains(&target.artifact)).unwrap();
        assert_eq!(implant.rank, None, "{}", estate.story(&reported));
    }
    assert!(!estate.events().await.iter().any(|event| matches!(event, Event::DeploymentEnded { .. })));
}

#[tokio::test]
async fn a_tag_that_may_move_is_taken_as_it_is() {
    let mut estate = Estate::new(vec![]);
    estate.policy.may_move = NamePatterns::new(["live"]).unwrap();
    estate.push("live", "one");
    estate.in_use(&["registry.example.com/shop/api:live".to_owned()]);
    estate.enforce().await;
    let two = estate.push("live", "two");
    let reported = estate.enforce().await;
    assert_eq!(reported.targets()[0].artifact, two);
    assert!(reported.targets()[0].running && !reported.targets()[1].running, "{}", estate.story(&reported));
}

#[tokio::test]
async fn bytes_that_arrived_by_a_move_stay_when_the_tag_moves_on() {
    let mut estate = Estate::with_releases(1);
    for text in ["second", "third"] {
        estate.push("v1.0.0", text);
        estate.enforce().await;
    }
    estate.push("v1.0.0", "fourth");
    let reported = estate.enforce().await;
    assert_eq!(reported.targets().len(), 3, "{}", estate.story(&reported));
}

/// Production may have been deployed from the tag in the weeks between: it runs what the tag named then.
#[tokio::test]
async fn bytes_that_arrived_by_a_move_stay_when_the_tag_is_put_back_or_deleted() {
    for put_back in [true, false] {
        let mut estate = Estate::with_releases(1);
        let first = estate.memory.tag(REPOSITORY, "v1.0.0").unwrap();
        estate.enforce().await;
        let second = estate.push("v1.0.0", "second");
        estate.run(Mode::Audit).await;
        match put_back {
            true => estate.memory.move_tag(REPOSITORY, "v1.0.0", &first),
            false => estate.memory.delete_tag(REPOSITORY, "v1.0.0"),
        };
        estate.run(Mode::Audit).await;
        let reported = estate.run(Mode::Enforce).await;
        let kept: Vec<&ArtifactId> = reported.targets().iter().map(|target| &target.artifact).collect();
        assert_eq!(kept, [&first, &second], "{}", estate.story(&reported));
        assert!(each(reported.targets().iter(), |target| target.pin == PinReport::Created || target.artifact == first));
    }
}

/// What came and went before it was ever pinned, and was cleaned up, is no loss that anybody could mend.
#[tokio::test]
async fn bytes_that_came_and_went_unpinned_are_not_missed() {
    let mut estate = Estate::with_releases(1);
    let first = estate.memory.tag(REPOSITORY, "v1.0.0").unwrap();
    estate.run(Mode::Audit).await;
    let second = estate.push("v1.0.0", "second");
    estate.run(Mode::Audit).await;
    estate.memory.move_tag(REPOSITORY, "v1.0.0", &first);
    estate.memory.delete_manifest(REPOSITORY, &second);
    let reported = estate.run(Mode::Audit).await;
    assert_eq!(reported.targets().len(), 1, "{}", estate.story(&reported));
    assert!(!reported.codes().contains(&"critical target-missing".to_owned()), "{:?}", reported.codes());
}

#[tokio::test]
async fn a_moved_tag_that_named_what_runs_is_critical() {
    let mut estate = Estate::with_releases(1);
    let stable = estate.push("stable", "runs");
    estate.in_use(&[format!("registry.example.com/shop/api@{stable}")]);
    estate.enforce().await;
    estate.push("stable", "other");
    let reported = estate.enforce().await;
    assert!(reported.codes().contains(&"critical tag-moved".to_owned()), "{:?}", reported.codes());
}
