//! What runs in production, by each rule and each signal, and in which order it ran.

use prodpin::model::{Event, Order, ProductionRule};
use prodpin::sources::memory::image;

use crate::estate::{Estate, REPOSITORY, tags};

#[tokio::test]
async fn the_moving_tag_s_history_is_what_production_ran() {
    let mut estate = Estate::new(vec![ProductionRule::MovingTag("prod".parse().unwrap())]);
    for release in ["one", "two", "three"] {
        estate.push("prod", release);
        estate.enforce().await;
    }
    let forward = estate.enforce().await;
    estate.push("prod", "two");
    let back = estate.enforce().await;
    golden!(estate, forward, back);
}

#[tokio::test]
async fn a_file_names_what_runs_however_old_and_its_past_is_remembered() {
    let mut estate = Estate::with_releases(7);
    let old = estate.memory.tag(REPOSITORY, "v1.0.0").unwrap();
    estate.in_use(&[format!("registry.example.com/shop/api@{old}"), "registry.example.com/shop/api:v1.6.0".to_owned()]);
    let both = estate.enforce().await;
    estate.in_use(&["registry.example.com/shop/api:v1.6.0".to_owned()]);
    let ended = estate.enforce().await;
    assert!(estate.events().await.iter().any(|event| matches!(event, Event::DeploymentEnded { .. })));
    golden!(estate, both, ended);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_never_means_that_nothing_runs() {
    let mut estate = Estate::with_releases(2);
    estate.in_use(&["registry.example.com/shop/api:v1.0.0".to_owned()]);
    estate.enforce().await;
    std::fs::write(&estate.policy.in_use_files[0], "[").unwrap();
    let reported = estate.enforce().await;
    assert!(!reported.complete);
    assert!(reported.targets().iter().any(|target| target.running), "{}", estate.story(&reported));
    assert!(!estate.events().await.iter().any(|event| matches!(event, Event::DeploymentEnded { .. })));
}

#[tokio::test]
async fn references_that_lead_nowhere_are_told() {
    let mut estate = Estate::with_releases(2);
    estate.in_use(&[
        "registry.example.com/shop/api:v9".to_owned(),
        "elsewhere.example.com/a/b:1".to_owned(),
        format!("registry.example.com/shop/api@{}", prodpin::model::Digest::sha256(b"never pushed")),
    ]);
    let reported = estate.enforce().await;
    golden!(estate, reported);
}

#[tokio::test]
async fn each_order_has_its_own_five() {
    for (order, expected) in [
        (Order::Semver, ["r-1.10.0", "r-1.9.0", "r-1.8.0", "r-1.2.0", "r-1.1.0"]),
        (Order::Name, ["r-1.10.0", "r-1.9.0", "r-1.8.0", "r-1.2.0", "r-1.1.0"]),
        (Order::Pushed, ["r-1.1.0", "r-1.8.0", "r-1.2.0", "r-1.10.0", "r-1.0.0"]),
    ] {
        let mut estate = Estate::new(vec![tags(&["r-*"], order)]);
        let built = ["r-1.9.0", "r-1.0.0", "r-1.10.0", "r-1.2.0", "r-1.8.0", "r-1.1.0"];
        for (day, tag) in built.iter().enumerate() {
            let at = format!("2026-01-{:02}T00:00:00Z", day + 1).parse().unwrap();
            estate.push_content(tag, tag, image(tag).created(at));
        }
        let reported = estate.enforce().await;
        let names: Vec<&str> = reported.targets().iter().map(|target| target.references[0].as_str()).collect();
        assert_eq!(names, expected, "{order:?}");
    }
}

/// A build's hour has a leading zero, which semantic versioning forbids: the two newest releases were no versions.
#[tokio::test]
async fn a_suffix_with_a_leading_zero_is_a_release_like_any_other() {
    let mut estate = Estate::new(vec![tags(&["*"], Order::Semver)]);
    for tag in ["20-10", "20-11", "21-12", "21-13", "22-14", "23-08", "23-09"] {
        estate.push(&format!("2026.11.{tag}"), tag);
    }
    let reported = estate.enforce().await;
    let names: Vec<&str> = reported.targets().iter().map(|target| target.references[0].as_str()).collect();
    assert_eq!(names, ["23-09", "23-08", "22-14", "21-13", "21-12"].map(|tag| format!("2026.11.{tag}")));
}

#[tokio::test]
async fn what_is_seen_later_is_more_recent_whatever_it_says_of_itself() {
    let mut estate = Estate::new(vec![tags(&["r-*"], Order::Pushed)]);
    estate.push_content("r-a", "a", image("a").created("2030-01-01T00:00:00Z".parse().unwrap()));
    estate.enforce().await;
    estate.push_content("r-b", "b", image("b").created("2020-01-01T00:00:00Z".parse().unwrap()));
    let reported = estate.enforce().await;
    assert_eq!(reported.targets()[0].references[0].as_str(), "r-b");
}

#[tokio::test]
async fn an_unreadable_signal_resolves_nothing() {
    let mut estate = Estate::with_releases(5);
    estate.in_use(&["registry.example.com/shop/api:v9".to_owned()]);
    assert!(estate.enforce().await.codes().contains(&"critical target-missing".to_owned()));
    std::fs::write(&estate.policy.in_use_files[0], "[").unwrap();
    let reported = estate.enforce().await;
    assert!(!reported.repositories[0].complete);
    let events = estate.events().await;
    let resolved =
        |event: &Event| matches!(event, Event::FindingResolved(key) if key.code.as_str() == "target-missing");
    assert!(!events.iter().any(resolved));
}

#[tokio::test]
async fn a_commit_hash_without_letters_is_no_version() {
    let mut estate = Estate::new(vec![tags(&["prod-*"], Order::Semver)]);
    for tag in ["prod-1234567", "prod-7654321", "prod-v1.0.0", "prod-v1.1.0"] {
        estate.push(tag, tag);
    }
    let reported = estate.enforce().await;
    assert_eq!(reported.targets()[0].references[0].as_str(), "prod-v1.1.0");
    assert_eq!(reported.targets()[1].references[0].as_str(), "prod-v1.0.0");
}

#[tokio::test]
async fn a_release_that_never_ran_is_no_way_back() {
    let mut estate = Estate::with_releases(6);
    estate.policy.production.push(ProductionRule::MovingTag("prod".parse().unwrap()));
    let ran = estate.memory.tag(REPOSITORY, "v1.3.0").unwrap();
    estate.memory.move_tag(REPOSITORY, "prod", &ran);
    let first = estate.enforce().await;
    let older = estate.memory.tag(REPOSITORY, "v1.2.0");
    assert_eq!(first.repositories[0].rollback.to, older, "{}", estate.story(&first));
    let runs = estate.memory.tag(REPOSITORY, "v1.4.0").unwrap();
    estate.memory.move_tag(REPOSITORY, "prod", &runs);
    let second = estate.enforce().await;
    assert_eq!(second.repositories[0].rollback.to, Some(ran), "{}", estate.story(&second));
}
