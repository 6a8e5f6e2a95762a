//! Whole runs: what policies do to pins, how pins are made, and that a second run has nothing to do.

use axum::http::Method;
use prodpin::model::{Answer, Code, Mode};
use prodpin::outcome::report::PinReport;
use serde_json::{Value, json};

use super::{opened, opened_as, pusher, with_releases};
use crate::estate::RunResult;
use crate::support::each;
use crate::support::quay::{Lie, Quay};

fn policy(method: &str, value: &Value) -> Value {
    json!({ "uuid": "u", "method": method, "value": value, "tagPattern": null, "tagPatternMatches": true })
}

fn keeps(quay: &Quay, count: u64) {
    quay.world().policies.insert("acme".to_owned(), vec![policy("number_of_tags", &json!(count))]);
}

fn has(reported: &RunResult, code: Code) -> bool {
    reported.findings.iter().any(|finding| finding.code == code)
}

#[tokio::test]
async fn pins_are_made_immutable_and_a_second_run_writes_nothing_i13_k52() {
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 8).await;
    keeps(&quay, 8);
    // Whatever the manifest's label says of its tags.
    quay.world().expires_after = Some(7_200);
    let audit = estate.run_on(Mode::Audit, opened(&quay, false)).await;
    assert!(quay.writes().is_empty(), "an audit writes nothing");
    assert!(has(&audit, Code::PinMissing), "{}", estate.story(&audit));
    let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
    let story = estate.story(&enforced);
    assert!(enforced.complete, "{story}");
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(true)), "{story}");
    let by_digest = |answer| {
        each(enforced.targets().iter(), |target| target.survives.as_ref().unwrap().deletion_by_digest.answer == answer)
    };
    assert!(by_digest(Answer::Yes), "{story}");
    {
        let world = quay.world();
        let pins = || world.rows["acme/shop"].iter().filter(|row| row.name.starts_with("prod-pinned-"));
        assert_eq!(pins().count(), 5);
        assert!(pins().all(|row| row.immutable && row.end.is_none()), "{:?}", world.rows);
    }
    assert_eq!(quay.writes().len(), 10, "a push and a lock for each: {:?}", quay.writes());
    // What it is worth.
    let target = enforced.targets()[0].artifact.to_string();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let refused = http.delete(format!("{}/v2/acme/shop/manifests/{target}", quay.url())).send().await.unwrap();
    assert_eq!(refused.status(), 409);
    quay.forget_requests();
    let second = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
    assert!(quay.writes().is_empty(), "{:?}: {}", quay.writes(), estate.story(&second));
    assert!(each(second.targets().iter(), |target| target.protected == Some(true)), "{}", estate.story(&second));
}

#[tokio::test]
async fn where_pins_cannot_be_immutable_one_that_eats_a_slot_is_not_made_i22_k53() {
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 6).await;
    keeps(&quay, 6);
    quay.world().immutable_tags = false;
    let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
    let story = estate.story(&enforced);
    assert!(quay.writes().is_empty(), "{:?}: {story}", quay.writes());
    assert!(each(enforced.targets().iter(), |target| target.pin == PinReport::Refused), "{story}");
    assert!(story.contains("organization number_of_tags 6"), "{story}");
    // Where nothing counts, a pin is a tag that stays.
    quay.world().policies.clear();
    let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
    let story = estate.story(&enforced);
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(true)), "{story}");
}

#[tokio::test]
async fn policies_that_may_not_be_read_are_unknown_and_the_gap_names_the_permission_i7_k54b() {
    for (scopes, granted) in [
        (vec!["repo:read", "repo:write", "repo:admin"], "grant org:admin"),
        (vec!["repo:read", "repo:write", "org:admin"], "grant repo:admin"),
    ] {
        let quay = Quay::start().await;
        let estate = with_releases(&quay, 3).await;
        quay.world().scopes = scopes;
        let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
        let story = estate.story(&enforced);
        assert!(quay.writes().is_empty(), "{story}");
        assert!(each(enforced.targets().iter(), |target| target.protected.is_none()), "{story}");
        assert!(!enforced.complete, "{story}");
        let gaps = &enforced.repositories[0].gaps;
        assert!(gaps.iter().any(|gap| gap.detail.contains(granted)), "{gaps:?}");
    }
}

#[tokio::test]
async fn what_lies_or_fails_is_unknown_and_deletes_nothing_i7() {
    for lie in [
        Lie::Answer(Method::GET, "/config", 500),
        Lie::Answer(Method::GET, "/tag/", 401),
        Lie::Answer(Method::GET, "/tag/", 503),
        Lie::Answer(Method::GET, "/autoprunepolicy/", 404),
        Lie::LostPage(1),
    ] {
        let quay = Quay::start().await;
        let estate = with_releases(&quay, 3).await;
        keeps(&quay, 5);
        quay.lie(lie.clone());
        let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
        let story = estate.story(&enforced);
        assert!(quay.writes().is_empty(), "{lie:?}: {story}");
        assert!(each(enforced.targets().iter(), |target| target.protected.is_none()), "{lie:?}: {story}");
        assert!(!has(&enforced, Code::TagDeleted), "{lie:?}: {story}");
    }
}

#[tokio::test]
async fn a_lock_that_is_accepted_and_forgotten_is_no_pin_k52b() {
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 3).await;
    quay.lie(Lie::ForgetsLocks);
    let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
    let story = estate.story(&enforced);
    assert!(each(enforced.targets().iter(), |target| target.protected != Some(true)), "{story}");
    assert!(story.contains("reading the tag back shows no change"), "{story}");
}

#[tokio::test]
async fn a_wrong_token_and_none_leave_the_rules_unknown_k54b() {
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 3).await;
    let wrong = estate.run_on(Mode::Enforce, opened_as(&quay, &["acme/*"], Some("wrong"), true)).await;
    let story = estate.story(&wrong);
    assert!(quay.writes().is_empty(), "{story}");
    assert!(!wrong.complete && each(wrong.targets().iter(), |target| target.protected.is_none()), "{story}");
    let without = estate.run_on(Mode::Enforce, opened_as(&quay, &["acme/*"], None, true)).await;
    let story = estate.story(&without);
    assert!(each(without.targets().iter(), |target| target.pin == PinReport::Withheld), "{story}");
    assert!(has(&without, Code::CleanupUnknown), "{story}");
}

#[tokio::test]
async fn what_was_deleted_comes_back_by_the_time_machine_and_the_finding_has_the_call_k54() {
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 3).await;
    let first = estate.run_on(Mode::Audit, opened(&quay, false)).await;
    pusher(&quay).delete_manifest("acme/shop", &first.targets()[0].artifact).await;
    let mut told = String::new();
    for _ in 0..3 {
        let run = estate.run_on(Mode::Audit, opened(&quay, false)).await;
        told = run.findings.iter().map(|finding| finding.remedy.clone()).collect::<Vec<_>>().join("\n");
    }
    assert!(told.contains("Quay's time machine has it until"), "{told}");
    assert!(told.contains("/api/v1/repository/acme/shop/tag/v1.2.0/restore"), "{told}");
}
