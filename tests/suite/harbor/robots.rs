//! The robot accounts of `policies/harbor`: each suffices, and nothing in it is more than is asked for.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use prodpin::model::Mode;
use prodpin::outcome::release::ReleaseState;
use prodpin::sources::memory::image;
use serde_json::{Value, json};

use super::releases::{to_release, with_one_left};
use super::runs::rule;
use super::{USER, opened_as, pusher, with_releases};
use crate::release::{NOW, pins, release_in};
use crate::support::each;
use crate::support::harbor::{Account, Harbor};

fn published(name: &str) -> Value {
    let path = format!("{}/policies/harbor/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn granted(body: &Value) -> BTreeSet<String> {
    let all = body["permissions"].as_array().unwrap().iter().flat_map(|one| one["access"].as_array().unwrap());
    all.map(|one| format!("{}:{}", one["resource"].as_str().unwrap(), one["action"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn each_robot_suffices_for_its_runs_and_has_no_right_that_nothing_asks_for_f30() {
    for (file, mode) in [
        ("robot-audit.json", Mode::Audit),
        ("robot-enforce.json", Mode::Enforce),
        ("robot-enforce-project.json", Mode::Enforce),
    ] {
        let body = published(file);
        let robot = Account::robot("secret", &body);
        let name = robot.name.clone();
        let harbor = Harbor::start(vec![Account::admin(USER.0, USER.1), robot]).await;
        let estate = with_releases(&harbor, 3).await;
        harbor.world().make_immutable("shop", "prod-pinned-*");
        harbor.world().retain("shop", json!([rule("always", &json!({}), "prod-pinned-*")]));
        harbor.forget_requests();
        let source = opened_as(&harbor, &["shop/*"], Some((&name, "secret")), mode == Mode::Enforce);
        let found: Vec<_> = source.inventory.repositories().collect().await;
        assert!(each(found.iter(), Result::is_ok), "{file}: {found:?}");
        let reported = estate.run_on(mode, source).await;
        assert!(reported.complete, "{file}: {}", estate.story(&reported));
        if mode == Mode::Enforce {
            assert!(each(reported.targets().iter(), |target| target.protected == Some(true)), "{file}");
        }
        // Who moved a release is in the project's log.
        let used_before = harbor.used();
        pusher(&harbor).push("shop/api", "v1.1.0", &image("other bytes")).await;
        harbor.forget_requests();
        let source = opened_as(&harbor, &["shop/*"], Some((&name, "secret")), false);
        let moved = estate.run_on(Mode::Audit, source).await;
        assert!(moved.findings.iter().any(|finding| finding.moved_by.is_some()), "{file}: {}", estate.story(&moved));
        // An emptied repository is asked for by itself.
        harbor.world().project("shop").repositories.insert("empty".to_owned(), Vec::new());
        let source = opened_as(&harbor, &["shop/*"], Some((&name, "secret")), false);
        assert_eq!(source.inventory.observe(&"shop/empty".parse().unwrap()).await.gaps, [], "{file}");
        let mut used = harbor.used();
        used.extend(used_before);
        if file.contains("project") {
            // It asks in vain, and goes on.
            assert!(used.remove("garbage-collection:read"));
            assert!(used.remove("replication-policy:list"));
        }
        let unused: Vec<String> = granted(&body).difference(&used).cloned().collect();
        // For `enforce` reads an artifact by its pin before it makes it; an audit does so behind a vulnerability gate alone.
        let allowed: &[&str] = if mode == Mode::Audit { &["artifact:read"] } else { &[] };
        assert_eq!(unused, allowed, "{file}");
        assert_eq!(used.difference(&granted(&body)).count(), 0, "{file}");
    }
}

#[tokio::test]
async fn the_robot_that_removes_pins_can_and_has_no_right_that_nothing_asks_for_f30() {
    let body = published("robot-release.json");
    let robot = Account::robot("secret", &body);
    let name = robot.name.clone();
    let harbor = Harbor::start(vec![Account::admin(USER.0, USER.1), robot]).await;
    let (estate, _) = with_one_left(&harbor).await;
    let (source, releaser) = to_release(&harbor, (&name, "secret"));
    let gone = pins(release_in(&estate, source, NOW, Some(releaser)).await);
    assert_eq!(gone.first().map(|pin| pin.state), Some(ReleaseState::Released), "{gone:?}");
    let used = harbor.used();
    // A pin is made where one that went is needed after all.
    let unused: Vec<String> = granted(&body).difference(&used).cloned().collect();
    assert_eq!(unused, ["tag:create"]);
    assert_eq!(used.difference(&granted(&body)).count(), 0);
}
