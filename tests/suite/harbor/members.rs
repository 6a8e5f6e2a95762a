//! Who may change what protects releases: any developer of a project its tag retention, and nobody an immutable tag (J30).

use prodpin::model::{Code, Mode, Severity};
use serde_json::json;

use super::runs::rule;
use super::{opened, started, with_releases};
use crate::estate::RunResult;

fn allowed(reported: &RunResult) -> Vec<(Severity, &str)> {
    let found = reported.findings.iter().filter(|finding| finding.code == Code::DeleteAllowed);
    found.map(|finding| (finding.severity, finding.message.as_str())).collect()
}

#[tokio::test]
async fn developers_can_delete_what_no_immutability_rule_holds_j25_j30() {
    let harbor = started().await;
    let estate = with_releases(&harbor, 3).await;
    harbor.world().retain("shop", json!([rule("always", &json!({}), "prod-pinned-*")]));
    let open = estate.run_on(Mode::Audit, opened(&harbor, false)).await;
    let [(severity, message)] = allowed(&open)[..] else { panic!("one: {}", estate.story(&open)) };
    assert_eq!(severity, Severity::Low);
    assert!(message.starts_with("any developer of project shop may change its tag retention and run it"), "{message}");
    // A malformed rule in front ends the matching: whoever wrote the second one relies on it.
    harbor.world().make_immutable("shop", "[");
    harbor.world().make_immutable("shop", "prod-pinned-*");
    let broken = estate.run_on(Mode::Audit, opened(&harbor, false)).await;
    let [(severity, message)] = allowed(&broken)[..] else { panic!("one: {}", estate.story(&broken)) };
    assert_eq!(severity, Severity::Medium);
    assert!(message.contains("has a malformed pattern"), "{message}");
    harbor.world().project("shop").immutable.remove(0);
    let held = estate.run_on(Mode::Audit, opened(&harbor, false)).await;
    assert_eq!(allowed(&held), [], "{}", estate.story(&held));
}
