//! Whole runs: what rules do to pins, what is pinned how, and that a second run has nothing to do.

use prodpin::model::{Answer, Code, Event, Finding, Mode};
use prodpin::outcome::report::{PinReport, TargetReport};
use prodpin::run::ForecastOptions;
use serde_json::{Value, json};

use super::{opened, opened_as, pusher, started, with_releases};
use crate::estate::RunResult;
use crate::support::each;
use crate::support::harbor::Harbor;
use prodpin::sources::memory::{image, index};

pub(super) fn rule(template: &str, parameters: &Value, pattern: &str) -> Value {
    json!({
        "action": "retain", "template": template, "params": parameters,
        "tag_selectors": [{ "kind": "doublestar", "decoration": "matches", "pattern": pattern }],
        "scope_selectors": { "repository": [{ "kind": "doublestar", "decoration": "repoMatches", "pattern": "**" }] },
    })
}

fn with_code(reported: &RunResult, code: Code) -> Vec<&Finding> {
    reported.findings.iter().filter(|finding| finding.code == code).collect()
}

/// The two rules by which pins hold, and one about days that takes releases in a hundred years.
fn hold(harbor: &Harbor) {
    let mut world = harbor.world();
    world.make_immutable("shop", "prod-pinned-*");
    let days = rule("nDaysSinceLastPush", &json!({ "nDaysSinceLastPush": 36_500 }), "**");
    world.retain("shop", json!([days, rule("always", &json!({}), "prod-pinned-*")]));
}

#[tokio::test]
async fn where_rules_hold_pins_targets_are_protected_and_a_second_run_writes_nothing_i13_j39() {
    let harbor = started().await;
    let estate = with_releases(&harbor, 7).await;
    hold(&harbor);
    let audit = estate.run_on(Mode::Audit, opened(&harbor, false)).await;
    assert_eq!(harbor.writes(), [], "an audit writes nothing");
    assert_eq!(with_code(&audit, Code::PinMissing).len(), 5, "{}", estate.story(&audit));

    let enforced = estate.run_on(Mode::Enforce, opened(&harbor, true)).await;
    let story = estate.story(&enforced);
    assert!(enforced.complete, "{story}");
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(true)), "{story}");
    let by_digest = |target: &TargetReport| target.survives.as_ref().unwrap().deletion_by_digest.answer;
    assert!(each(enforced.targets().iter(), |target| by_digest(target) == Answer::Yes), "{story}");
    assert_eq!(enforced.codes(), Vec::<String>::new(), "{story}");
    let writes = harbor.writes();
    assert_eq!(writes.len(), 5, "{writes:?}");
    assert!(each(writes.iter(), |write| write.method == "POST" && write.path.ends_with("/tags")), "{writes:?}");
    assert_eq!(harbor.cookies(), 0, "a session cookie forbids writes");
    // The oldest first: a pin is a push (J42).
    let artifacts = harbor.world().artifacts("shop/api").unwrap().clone();
    let mut pinned: Vec<_> = artifacts.iter().filter(|artifact| artifact.tags.len() == 2).collect();
    pinned.sort_by_key(|artifact| artifact.tags[1].1);
    let order: Vec<&str> = pinned.iter().map(|artifact| artifact.tags[0].0.as_str()).collect();
    assert_eq!(order, ["v1.2.0", "v1.3.0", "v1.4.0", "v1.5.0", "v1.6.0"]);

    let events = estate.events().await;
    harbor.forget_requests();
    let second = estate.run_on(Mode::Enforce, opened(&harbor, true)).await;
    assert_eq!(harbor.writes(), [], "{}", estate.story(&second));
    assert_eq!(estate.events().await, events);
    assert_eq!(second.codes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_rule_that_counts_pushes_is_named_and_no_pin_does_harm_i22_j42() {
    let harbor = started().await;
    let estate = with_releases(&harbor, 7).await;
    harbor.world().retain("shop", json!([rule("latestPushedK", &json!({ "latestPushedK": 3 }), "**")]));
    let enforced = estate.run_on(Mode::Enforce, opened(&harbor, true)).await;
    let story = estate.story(&enforced);
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(false)), "{story}");
    // The newest stays where it is; each other pin would be a push before it.
    let pins: Vec<PinReport> = enforced.targets().iter().map(|target| target.pin).collect();
    assert_eq!(pins[0], PinReport::Created, "{story}");
    assert!(each(pins[1..].iter(), |pin| *pin == PinReport::Refused), "{story}");
    assert_eq!(harbor.writes().len(), 1);
    assert_eq!(with_code(&enforced, Code::LifecycleCollision).len(), 5, "{story}");
    for said in [
        "lifecycle rule 1 (latestPushedK) deletes v1.5.0 (<release-5>) after 2 more pushes",
        "with the pin of <release-5>, lifecycle rule 1 (latestPushedK) deletes v1.6.0 (<release-6>) after 2 more pushes",
        "add an `always` rule for `prod-pinned-*` to the retention policy, and an immutability rule",
    ] {
        assert!(story.contains(said), "{said}: {story}");
    }
}

#[tokio::test]
async fn a_forecast_names_the_rule_and_its_date() {
    let harbor = started().await;
    let estate = with_releases(&harbor, 2).await;
    let days = rule("nDaysSinceLastPush", &json!({ "nDaysSinceLastPush": 3_650 }), "**");
    harbor.world().retain("shop", json!([days]));
    for minor in 0..2 {
        harbor.world().set_pushed("shop/api", &format!("v1.{minor}.0"), "2026-05-01T12:00:00Z".parse().unwrap());
    }
    let forecast = estate.forecast_on(ForecastOptions::default(), opened(&harbor, false)).await;
    let row = forecast.report.rows().next().unwrap().unwrap();
    let text = serde_json::to_string(&row).unwrap();
    assert!(text.contains("1 (nDaysSinceLastPush)"), "{text}");
    // Kept for ten years, and gone with the next run at three.
    assert!(text.contains("T03:00:00Z") && !text.contains("\"due\":\"now\""), "{text}");
}

#[tokio::test]
async fn what_cannot_be_read_of_the_rules_is_never_no_rules_i7() {
    use crate::support::harbor::Lie;
    use axum::http::Method;
    for (lie, granted) in [
        (Lie::Answer(Method::GET, "/immutabletagrules", 403, "FORBIDDEN"), "immutable-tag:list"),
        (Lie::Answer(Method::GET, "/retentions/", 403, "FORBIDDEN"), "tag-retention:read"),
        (Lie::Answer(Method::GET, "/retentions/", 404, "NOT_FOUND"), "/retentions/"),
        (Lie::Bare(Method::GET, "/immutabletagrules", 404), "/immutabletagrules"),
    ] {
        let harbor = started().await;
        let estate = with_releases(&harbor, 3).await;
        hold(&harbor);
        harbor.lie(lie);
        let enforced = estate.run_on(Mode::Enforce, opened(&harbor, true)).await;
        let story = estate.story(&enforced);
        assert_eq!(harbor.writes(), [], "nobody knows what a pin does there: {story}");
        assert!(each(enforced.targets().iter(), |target| target.protected.is_none()), "{story}");
        assert!(!enforced.complete, "{story}");
        let repository = &enforced.repositories[0];
        assert!(repository.gaps.iter().any(|gap| gap.detail.contains(granted)), "{:?}", repository.gaps);
        assert!(!story.contains(&Code::TagDeleted.to_string()));
    }
}

#[tokio::test]
async fn a_proxy_cache_has_no_pins_and_nothing_in_it_is_called_deleted_j31() {
    let harbor = started().await;
    let estate = with_releases(&harbor, 7).await;
    harbor.world().project("shop").registry = 4;
    let first = estate.run_on(Mode::Enforce, opened(&harbor, true)).await;
    let story = estate.story(&first);
    assert_eq!(harbor.writes(), [], "{story}");
    assert!(each(first.targets().iter(), |target| target.protected == Some(false)), "{story}");
    assert!(story.contains("cannot be pinned: this project caches"), "{story}");
    harbor.world().remove("shop/api", &first.targets()[0].artifact.to_string());
    for _ in 0..3 {
        let next = estate.run_on(Mode::Enforce, opened(&harbor, true)).await;
        assert_eq!(with_code(&next, Code::TagDeleted), Vec::<&Finding>::new(), "{}", estate.story(&next));
    }
    // It is on record all the same.
    assert!(estate.events().await.iter().any(|event| matches!(event, Event::TagDeleted { .. })));
}

#[tokio::test]
async fn an_index_is_pinned_alone_and_keeps_its_platforms_j24() {
    let harbor = started().await;
    let estate = with_releases(&harbor, 1).await;
    let parts = index("two platforms");
    let artifact = pusher(&harbor).push("shop/api", "v2.0.0", &parts).await;
    hold(&harbor);
    harbor.forget_requests();
    let enforced = estate.run_on(Mode::Enforce, opened(&harbor, true)).await;
    let target = enforced.targets().iter().find(|target| target.artifact == artifact).unwrap();
    assert_eq!(target.protected, Some(true), "{}", estate.story(&enforced));
    assert_eq!(harbor.writes().len(), 2, "its platforms need no pins");
    // What it is worth: Harbor refuses to delete it, and what it refers to.
    let refused = |reference: String| {
        let url = format!("{}/api/v2.0/projects/shop/repositories/api/artifacts/{reference}", harbor.url());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        async move { http.delete(url).basic_auth("admin", Some("Harbor12345")).send().await.unwrap().status() }
    };
    assert_eq!(refused(artifact.to_string()).await, 412);
    assert_eq!(refused(parts.children()[0].id().to_string()).await, 412);
}

#[tokio::test]
async fn projects_are_chosen_by_name_whatever_they_are_called_j7() {
    let harbor = started().await;
    let pusher = pusher(&harbor);
    for name in ["12345/api", "shop/team/api", "shop/web", "pay/api"] {
        pusher.push(name, "v1.0.0", &image(name)).await;
    }
    hold(&harbor);
    harbor.world().retain("12345", json!([rule("always", &json!({}), "**")]));
    let user = Some(super::USER);
    let source = opened_as(&harbor, &["12345/*", "shop/**"], user, false);
    harbor.forget_requests();
    let found: Vec<_> = futures::StreamExt::collect(source.inventory.repositories()).await;
    let mut names: Vec<String> = found.into_iter().map(|found| found.unwrap().to_string()).collect();
    names.sort();
    assert_eq!(names, ["12345/api", "shop/team/api", "shop/web"]);
    assert!(harbor.requests().iter().all(|request| !request.path.contains("projects/pay/")), "nobody asked for it");
    for name in &names {
        let snapshot = source.inventory.observe(&name.parse().unwrap()).await;
        assert_eq!((snapshot.gaps, snapshot.tags.len()), (vec![], 1), "{name}");
    }
}
