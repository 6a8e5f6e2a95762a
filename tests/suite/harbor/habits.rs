//! How prodpin behaves towards a Harbor, whatever it finds there.

use axum::http::Method;
use futures::StreamExt as _;
use prodpin::model::{Cause, Code, Digest, Mode, Retention};
use prodpin::sources::memory::index;
use serde_json::json;

use super::runs::rule;
use super::{USER, opened, opened_as, pusher, started, with_releases};
use crate::support::each;
use crate::support::harbor::{Account, Harbor, Lie};

#[tokio::test]
async fn no_request_brings_a_cookie_or_a_filter_that_harbor_may_ignore_j1_j4_j6() {
    let harbor = started().await;
    let estate = with_releases(&harbor, 3).await;
    harbor.world().make_immutable("shop", "prod-pinned-*");
    let enforced = estate.run_on(Mode::Enforce, opened(&harbor, true)).await;
    assert!(enforced.complete, "{}", estate.story(&enforced));
    assert_eq!(harbor.cookies(), 0, "each answer sets one, and the second write with it is refused");
    let requests = harbor.requests();
    assert!(requests.iter().any(|request| request.path.contains("/artifacts?")), "{requests:?}");
    for request in &requests {
        let query = request.path.split_once('?').map_or("", |(_, query)| query);
        let names: Vec<&str> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
        assert!(!names.contains(&"q"), "an unknown key of it is ignored, and the list is whole: {request:?}");
        // The flag costs a query for every tag: rules are matched here.
        assert!(!names.contains(&"with_immutable_status"), "{request:?}");
    }
}

#[tokio::test]
async fn looking_counts_as_a_pull_of_targets_alone_and_once_a_run_i30_j9_j44() {
    let harbor = started().await;
    let estate = with_releases(&harbor, 9).await;
    for _ in 0..2 {
        harbor.world().pulls = 0;
        let audit = estate.run_on(Mode::Audit, opened(&harbor, false)).await;
        assert_eq!(audit.targets().len(), 5);
        assert_eq!(harbor.world().pulls, 5, "one for each target, none for the others");
    }
}

#[tokio::test]
async fn a_disabled_robot_is_denied_and_deletes_nothing_j40() {
    let mut robot = Account::admin("robot$prodpin", "secret");
    let harbor = Harbor::start(vec![Account::admin(USER.0, USER.1), robot.clone()]).await;
    let estate = with_releases(&harbor, 3).await;
    let as_robot = |harbor: &Harbor| opened_as(harbor, &["shop/*"], Some(("robot$prodpin", "secret")), false);
    let first = estate.run_on(Mode::Audit, as_robot(&harbor)).await;
    assert!(first.complete, "{}", estate.story(&first));
    robot.disabled = true;
    harbor.world().accounts[1] = robot;
    for _ in 0..3 {
        let denied = estate.run_on(Mode::Audit, as_robot(&harbor)).await;
        let story = estate.story(&denied);
        assert!(!denied.complete, "{story}");
        let gone = [Code::TagDeleted, Code::TargetMissing];
        assert!(each(denied.findings.iter(), |finding| !gone.contains(&finding.code)), "{story}");
    }
    let snapshot = as_robot(&harbor).inventory.observe(&"shop/api".parse().unwrap()).await;
    assert!(snapshot.gaps.iter().any(|gap| gap.cause == Cause::Denied), "{:?}", snapshot.gaps);
}

#[tokio::test]
async fn a_pin_that_is_there_is_read_and_not_written_again_i13_j41() {
    let harbor = started().await;
    let artifact = pusher(&harbor).push("shop/api", "v1.0.0", &prodpin::sources::memory::image("one")).await;
    let protector = opened(&harbor, true).protector.unwrap();
    let repository = "shop/api".parse().unwrap();
    protector.pin(&repository, &artifact).await.expect("pinned");
    harbor.world().make_immutable("shop", "prod-pinned-*");
    harbor.forget_requests();
    // To push it again would be 412 under the rule, and to create it again 409.
    protector.pin(&repository, &artifact).await.expect("it is there");
    assert_eq!(harbor.writes(), []);
    // Who may not read it is told so by Harbor, and looks after all.
    harbor.lie(Lie::Answer(Method::POST, "/tags", 409, "CONFLICT"));
    protector.pin(&repository, &artifact).await.expect("another run made it");
}

#[tokio::test]
async fn children_of_an_index_are_in_no_list_and_found_below_it_j5() {
    let harbor = started().await;
    let parts = index("two platforms");
    let artifact = pusher(&harbor).push("shop/api", "v1.0.0", &parts).await;
    let inventory = opened(&harbor, false).inventory;
    let repository = "shop/api".parse().unwrap();
    let snapshot = inventory.observe(&repository).await;
    let Retention::Harbor(listed) = &snapshot.retention else { panic!("a Harbor") };
    assert_eq!((listed.artifacts.len(), listed.artifacts[0].children.len()), (1, parts.children().len()));
    let seen = inventory.inspect(&repository, &artifact).await;
    assert_eq!(seen.parts.below.len(), parts.children().len(), "{seen:?}");
}

/// A million artifacts in at most 10,100 requests: one for each hundred, and few that do not grow with them.
#[tokio::test]
async fn a_list_costs_one_request_for_a_hundred_artifacts_and_what_is_shared_is_asked_for_once_j3() {
    let harbor = started().await;
    let (repositories, artifacts) = (4, 250);
    for repository in 0..repositories {
        for number in 0..artifacts {
            let digest = Digest::sha256(format!("{repository} {number}").as_bytes());
            let tag = format!("v1.0.{number}");
            harbor.world().push(&format!("shop/service-{repository}"), &digest, Vec::new(), Some(&tag));
        }
    }
    harbor.world().retain("shop", json!([rule("always", &json!({}), "**")]));
    harbor.world().make_immutable("shop", "prod-pinned-*");
    harbor.forget_requests();
    let inventory = opened(&harbor, false).inventory;
    let names: Vec<_> = inventory.repositories().collect().await;
    assert_eq!(names.len(), repositories);
    for name in names {
        let snapshot = inventory.observe(&name.unwrap()).await;
        assert_eq!((snapshot.tags.len(), snapshot.gaps), (artifacts, vec![]));
    }
    let requests = harbor.requests();
    let pages = requests.iter().filter(|request| request.path.contains("/artifacts?")).count();
    assert_eq!(pages, repositories * artifacts.div_ceil(100));
    // Projects, login, repositories, the project, its two documents, version, garbage collection, replication.
    assert!(requests.len() - pages <= 9, "{requests:#?}");
}
