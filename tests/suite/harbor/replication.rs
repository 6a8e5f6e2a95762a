//! Copies to and from other registries: what they do to releases is told, and so is what a pin starts (J.0, J34).

use axum::http::Method;
use prodpin::model::{Code, Finding, HarborReplication, Mode, Retention, Severity};
use prodpin::run::ForecastOptions;
use serde_json::json;

use super::runs::rule;
use super::{opened, started, with_releases};
use crate::estate::{Estate, RunResult};
use crate::support::each;
use crate::support::harbor::{Harbor, Lie};

async fn held() -> (Harbor, Estate) {
    let harbor = started().await;
    let estate = with_releases(&harbor, 3).await;
    harbor.world().make_immutable("shop", "prod-pinned-*");
    harbor.world().retain("shop", json!([rule("always", &json!({}), "**")]));
    (harbor, estate)
}

fn about<'r>(reported: &'r RunResult, policy: &str) -> Vec<&'r Finding> {
    reported.findings.iter().filter(|finding| finding.reference.as_deref() == Some(policy)).collect()
}

/// What a look ahead says beside what rules will do.
async fn said_ahead(harbor: &Harbor, estate: &Estate) -> String {
    let forecast = estate.forecast_on(ForecastOptions::default(), opened(harbor, false)).await;
    let rows: Vec<_> = forecast.report.rows().map(Result::unwrap).collect();
    rows.iter().flat_map(|row| &row.advice).map(|advice| format!("{}\n", advice.message)).collect()
}

#[tokio::test]
async fn what_is_pulled_over_releases_is_a_finding_and_costs_no_target_its_protection_j34() {
    let (harbor, estate) = held().await;
    harbor.world().replicate("mirror", false, "scheduled", true);
    let enforced = estate.run_on(Mode::Enforce, opened(&harbor, true)).await;
    let story = estate.story(&enforced);
    let [finding] = &about(&enforced, "mirror")[..] else { panic!("one finding: {story}") };
    assert_eq!((finding.code, finding.severity), (Code::TagsMutable, Severity::Medium), "{story}");
    assert!(finding.message.ends_with("release tags can be overwritten: v1.0.0, v1.1.0, v1.2.0"), "{story}");
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(true)), "pins are immutable: {story}");
    // Harbor refuses to move what a rule holds.
    harbor.world().make_immutable("shop", "v1*");
    let held = estate.run_on(Mode::Audit, opened(&harbor, false)).await;
    assert!(about(&held, "mirror").is_empty(), "{}", estate.story(&held));
}

#[tokio::test]
async fn a_copy_that_follows_deletions_is_no_second_copy_and_pins_start_it_j34() {
    let (harbor, estate) = held().await;
    harbor.world().replicate("follows", true, "event_based", true);
    let audited = estate.run_on(Mode::Audit, opened(&harbor, false)).await;
    let story = estate.story(&audited);
    let [finding] = &about(&audited, "follows")[..] else { panic!("one finding: {story}") };
    assert_eq!((finding.code, finding.severity), (Code::DeleteAllowed, Severity::Low), "{story}");
    assert!(finding.message.contains("registry elsewhere"), "{story}");
    let ahead = said_ahead(&harbor, &estate).await;
    assert!(ahead.contains("each pin made here starts replication policy follows"), "before it is made: {ahead}");
    // One that is off does nothing.
    harbor.world().replication[0].as_object_mut().unwrap().remove("enabled");
    let off = estate.run_on(Mode::Audit, opened(&harbor, false)).await;
    assert!(about(&off, "follows").is_empty(), "{}", estate.story(&off));
    assert_eq!(said_ahead(&harbor, &estate).await, "");
}

#[tokio::test]
async fn policies_that_may_not_be_read_are_unknown_and_cost_no_run_its_completeness_j34() {
    for (status, code) in [(403, "FORBIDDEN"), (404, "NOT_FOUND")] {
        let (harbor, estate) = held().await;
        harbor.world().replicate("mirror", false, "scheduled", true);
        harbor.lie(Lie::Answer(Method::GET, "/replication/policies", status, code));
        let enforced = estate.run_on(Mode::Enforce, opened(&harbor, true)).await;
        let story = estate.story(&enforced);
        assert!(enforced.complete, "{story}");
        assert!(each(enforced.targets().iter(), |target| target.protected == Some(true)), "{story}");
        let snapshot = opened(&harbor, false).inventory.observe(&"shop/api".parse().unwrap()).await;
        let Retention::Harbor(repository) = &snapshot.retention else { panic!("a Harbor") };
        let HarborReplication::Unknown { why, .. } = &repository.replication else { panic!("never none") };
        let ahead = said_ahead(&harbor, &estate).await;
        assert!(ahead.contains("is unknown: the replication policies could not be read: "), "{ahead}");
        assert!(!why.is_empty() && ahead.contains(&**why), "{ahead}");
    }
}

#[tokio::test]
async fn a_failure_to_read_policies_is_a_gap_and_settles_nothing_that_was_found_f48_j34() {
    let (harbor, estate) = held().await;
    harbor.world().replicate("mirror", false, "scheduled", false);
    let first = estate.run_on(Mode::Enforce, opened(&harbor, true)).await;
    let seen = about(&first, "mirror")[0].first_seen;
    harbor.lie(Lie::Answer(Method::GET, "/replication/policies", 500, "UNKNOWN"));
    let failed = estate.run_on(Mode::Enforce, opened(&harbor, true)).await;
    let story = estate.story(&failed);
    assert!(!failed.complete, "{story}");
    assert!(each(failed.targets().iter(), |target| target.protected == Some(true)), "{story}");
    harbor.be_honest();
    let again = estate.run_on(Mode::Enforce, opened(&harbor, true)).await;
    assert_eq!(about(&again, "mirror")[0].first_seen, seen, "it was open all the time: {}", estate.story(&again));
}
