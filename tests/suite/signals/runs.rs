//! What runs make of it: which artifacts are kept, what is reported, what is on record.

use prodpin::model::{ArtifactId, Event, Mode, ProductionRule};
use prodpin::outcome::report::{Reason, TargetReport};
use prodpin::policy::SignalConfig;
use prodpin::sources::memory::index;

use super::api_server::*;
use super::cluster;
use super::objects::*;
use crate::estate::{Estate, RunResult};

const IMAGE: &str = "registry.example.com/shop/api";

fn image(tag: &str) -> String {
    format!("{IMAGE}:{tag}")
}

fn by_node(artifact: &ArtifactId) -> String {
    format!("{IMAGE}@{artifact}")
}

/// An estate whose production is what the cluster runs.
async fn estate() -> (Estate, ApiServer) {
    let server = ApiServer::start().await;
    let mut estate = Estate::new(vec![ProductionRule::InUse]);
    estate.policy.signals = vec![SignalConfig::Kubernetes(cluster(&server))];
    (estate, server)
}

/// A Deployment that has had these images, one revision each; the last one runs, on a node that reports it.
fn deployed(server: &ApiServer, images: &[(&str, &ArtifactId)]) {
    server.clear();
    let (tag, artifact) = images.last().unwrap();
    server.put(DEPLOYMENTS, [deployment("api", &image(tag))]);
    for (n, (tag, _)) in images.iter().enumerate() {
        let n = u32::try_from(n).unwrap() + 1;
        let replicas = u32::from(n as usize == images.len());
        server.put(REPLICA_SETS, [replica_set("Deployment", "api", n, n, replicas, &image(tag))]);
    }
    let newest = u32::try_from(images.len()).unwrap();
    let owner = set_name("api", newest);
    server.put(PODS, [pod("api-x", Some(("ReplicaSet", &owner)), &image(tag), &by_node(artifact))]);
}

fn targets(observed: &RunResult) -> Vec<&ArtifactId> {
    observed.targets().iter().map(|target| &target.artifact).collect()
}

fn target<'t>(observed: &'t RunResult, artifact: &ArtifactId) -> &'t TargetReport {
    observed.targets().iter().find(|target| target.artifact == *artifact).expect("a target")
}

#[tokio::test]
async fn the_five_that_production_ran_last_are_kept_and_a_second_run_does_nothing_e137_i13() {
    let (mut estate, server) = estate().await;
    let releases: Vec<(String, ArtifactId)> =
        (1..=8).map(|n| (format!("v{n}"), estate.push(&format!("v{n}"), &format!("release-{n}")))).collect();
    // Pushed and never deployed.
    estate.push("v9", "release-9");
    let images: Vec<(&str, &ArtifactId)> = releases.iter().map(|(tag, artifact)| (tag.as_str(), artifact)).collect();
    deployed(&server, &images[..7]);
    let first = estate.enforce().await;
    let kept: Vec<&ArtifactId> = releases[2..7].iter().rev().map(|(_, artifact)| artifact).collect();
    assert_eq!(targets(&first), kept, "{}", estate.story(&first));
    assert!(target(&first, &releases[6].1).running);
    let recorded = estate.events().await;
    let second = estate.enforce().await;
    assert_eq!(estate.events().await, recorded, "the second run recorded a change");
    assert_eq!(estate.memory.calls().len(), 5, "the second run pinned something");
    insta::assert_snapshot!(estate.story(&second));
}

#[tokio::test]
async fn order_of_objects_and_of_signals_changes_nothing() {
    let (mut estate, server) = estate().await;
    let releases: Vec<(String, ArtifactId)> =
        (1..=6).map(|n| (format!("v{n}"), estate.push(&format!("v{n}"), &format!("release-{n}")))).collect();
    let images: Vec<(&str, &ArtifactId)> = releases.iter().map(|(tag, artifact)| (tag.as_str(), artifact)).collect();
    deployed(&server, &images);
    server.put(CRON_JOBS, [cron_job("report", &image("v2"))]);
    let mut other = cluster(&server);
    other.cluster.context = Some("prod-us".to_owned());
    estate.policy.signals.push(SignalConfig::Kubernetes(other));
    let one = estate.run(Mode::Audit).await;
    let story = estate.story(&one);
    estate.policy.signals.reverse();
    server.reverse();
    let again = estate.run(Mode::Audit).await;
    assert_eq!(estate.story(&again), story);
    assert!(
        story.contains("kubernetes prod-eu: deployment shop/api") && story.contains("kubernetes prod-us"),
        "{story}"
    );
}

#[tokio::test]
async fn a_rollback_in_progress_keeps_both_sides_whatever_else_was_deployed() {
    let (mut estate, server) = estate().await;
    let releases: Vec<ArtifactId> = (1..=9).map(|n| estate.push(&format!("v{n}"), &format!("release-{n}"))).collect();
    server.put(DEPLOYMENTS, [deployment("api", &image("v1"))]);
    for n in 2..=9_u32 {
        let replicas = u32::from(n == 9);
        server.put(REPLICA_SETS, [replica_set("Deployment", "api", n, n, replicas, &image(&format!("v{n}")))]);
    }
    // The oldest of all is renumbered to be the newest.
    server.put(REPLICA_SETS, [replica_set("Deployment", "api", 10, 1, 1, &image("v1"))]);
    let observed = estate.enforce().await;
    for side in [&releases[0], &releases[8]] {
        let target = target(&observed, side);
        assert!(target.running && target.protected == Some(true), "{}", estate.story(&observed));
    }
    assert_eq!(observed.targets().len(), 5);
}

#[tokio::test]
async fn a_cluster_that_cannot_be_read_never_means_that_nothing_runs_i4() {
    let (mut estate, server) = estate().await;
    let old = estate.push("v1", "release-1");
    deployed(&server, &[("v1", &old)]);
    estate.enforce().await;
    server.clear();
    let silent = estate.enforce().await;
    assert!(!silent.complete, "a cluster with nothing in it is doubted");
    deployed(&server, &[("v1", &old)]);
    for namespace in ["*", NAMESPACE] {
        server.deny(PODS, namespace);
        server.deny(DEPLOYMENTS, namespace);
        server.deny(REPLICA_SETS, namespace);
    }
    let observed = estate.enforce().await;
    assert!(!observed.complete);
    assert!(target(&observed, &old).running);
    assert!(!estate.events().await.iter().any(|event| matches!(event, Event::DeploymentEnded { .. })));
}

#[tokio::test]
async fn a_tag_in_an_old_revision_means_what_it_was_when_the_workload_ran_it_e124() {
    let (mut estate, server) = estate().await;
    let first = estate.push("v1", "release-1");
    deployed(&server, &[("v1", &first)]);
    estate.enforce().await;
    let second = estate.push("v2", "release-2");
    deployed(&server, &[("v1", &first), ("v2", &second)]);
    estate.enforce().await;
    // Afterwards somebody pushes v1 again: what production ran is what it ran.
    let implant = estate.push("v1", "implant");
    let observed = estate.enforce().await;
    assert!(target(&observed, &first).reasons.iter().any(|reason| matches!(reason, Reason::RanBefore { .. })));
    assert!(!targets(&observed).contains(&&implant), "{}", estate.story(&observed));
    // And a ledger that starts today cannot know better than the tag's own history.
    assert_eq!(targets(&observed), [&second, &first]);
}

#[tokio::test]
async fn a_tag_moved_under_a_running_workload_is_drift_and_both_are_kept() {
    let (mut estate, server) = estate().await;
    let tested = estate.push("v1", "tested");
    deployed(&server, &[("v1", &tested)]);
    let before = estate.enforce().await;
    assert!(before.codes().contains(&"low workload-on-mutable-tag".to_owned()), "{:?}", before.codes());
    let implant = estate.push("v1", "implant");
    let observed = estate.enforce().await;
    assert!(observed.codes().contains(&"high workload-digest-drift".to_owned()), "{:?}", observed.codes());
    assert!(observed.codes().contains(&"critical tag-moved".to_owned()), "{:?}", observed.codes());
    assert!(target(&observed, &tested).running && !target(&observed, &implant).running);
    insta::assert_snapshot!(estate.story(&observed));
    // A pod starts anew and pulls what the tag names now: it runs what it runs.
    deployed(&server, &[("v1", &implant)]);
    let restarted = estate.enforce().await;
    assert!(target(&restarted, &implant).running && !target(&restarted, &tested).running);
    assert!(!restarted.codes().iter().any(|code| code.ends_with("drift")), "{:?}", restarted.codes());
}

#[tokio::test]
async fn an_index_and_its_platforms_are_one_artifact_e125() {
    let (mut estate, server) = estate().await;
    let whole = estate.push_content("v1", "index", index("release-1"));
    let platform = ArtifactId::Manifest(prodpin::model::Digest::sha256(&index("release-1").children()[0].bytes()));
    let config = index("release-1").children()[0].blobs()[0].0.clone();
    for reported in [by_node(&platform), config.to_string(), by_node(&whole)] {
        server.clear();
        server.put(PODS, [pod("p", None, &image("v1"), &reported)]);
        let observed = estate.enforce().await;
        assert_eq!(targets(&observed), [&whole], "{reported}");
        assert!(target(&observed, &whole).running && observed.complete);
        assert!(!observed.codes().iter().any(|code| code.ends_with("drift")), "{:?}", observed.codes());
    }
    let recorded = estate.changes().await;
    assert_eq!(recorded.iter().filter(|event| matches!(event, Event::DeploymentStarted { .. })).count(), 1);
}

#[tokio::test]
async fn a_configuration_that_nobody_knows_is_a_gap_and_no_missing_target_e125() {
    let (mut estate, server) = estate().await;
    let known = estate.push("v1", "release-1");
    let unknown = prodpin::model::Digest::sha256(b"a configuration of long ago").to_string();
    server.put(PODS, [pod("p", None, &image("v1"), &unknown)]);
    let observed = estate.enforce().await;
    assert!(!observed.complete);
    assert_eq!(targets(&observed), [&known], "{}", estate.story(&observed));
    assert!(!observed.codes().iter().any(|code| code.ends_with("target-missing")), "{:?}", observed.codes());
}

#[tokio::test]
async fn pods_that_run_different_bytes_under_one_tag_are_on_record_once_i13() {
    let (mut estate, server) = estate().await;
    let one = estate.push("v1", "one");
    let two = estate.push("v1", "two");
    server.put(DEPLOYMENTS, [deployment("api", &image("v1"))]);
    server.put(REPLICA_SETS, [replica_set("Deployment", "api", 1, 1, 2, &image("v1"))]);
    let owner = set_name("api", 1);
    for (name, artifact) in [("a", &one), ("b", &two)] {
        server.put(PODS, [pod(name, Some(("ReplicaSet", &owner)), &image("v1"), &by_node(artifact))]);
    }
    let first = estate.enforce().await;
    assert!(first.targets().len() == 2 && first.targets().iter().all(|target| target.running));
    assert!(first.codes().contains(&"high workload-digest-drift".to_owned()), "{:?}", first.codes());
    let recorded = estate.events().await;
    estate.enforce().await;
    assert_eq!(estate.events().await, recorded);
}

#[tokio::test]
async fn deployments_between_two_runs_are_ordered_by_what_the_platform_tells() {
    let (mut estate, server) = estate().await;
    let releases: Vec<ArtifactId> = (1..=3).map(|n| estate.push(&format!("v{n}"), &format!("release-{n}"))).collect();
    let images = [("v1", &releases[0]), ("v2", &releases[1]), ("v3", &releases[2])];
    deployed(&server, &images[..1]);
    estate.enforce().await;
    // Two deployments later: no run saw the second.
    deployed(&server, &images);
    let observed = estate.enforce().await;
    assert_eq!(targets(&observed)[0], &releases[2]);
    assert_eq!(observed.targets().len(), 3);
    assert!(observed.repositories[0].rollback.to.is_some());
}

#[tokio::test]
async fn what_runs_from_elsewhere_is_listed_by_place() {
    let (mut estate, server) = estate().await;
    let known = estate.push("v1", "release-1");
    deployed(&server, &[("v1", &known)]);
    server.put(CRON_JOBS, [cron_job("dump", "postgres:17"), cron_job("other", "ghcr.io/acme/tool:2")]);
    let observed = estate.enforce().await;
    let uncovered: Vec<(&str, &str)> = observed
        .findings
        .iter()
        .filter(|finding| finding.code.as_str() == "policy-unmatched")
        .map(|finding| (finding.reference.as_deref().unwrap(), finding.message.as_str()))
        .collect();
    assert_eq!(uncovered.len(), 2, "{uncovered:?}");
    assert!(uncovered[0].0 == "docker.io" && uncovered[0].1.ends_with("docker.io: library/postgres"), "{uncovered:?}");
}

#[tokio::test]
async fn a_short_history_is_a_finding_that_names_the_workload_e122() {
    let (mut estate, server) = estate().await;
    let known = estate.push("v1", "release-1");
    deployed(&server, &[("v1", &known)]);
    server.put(STATEFUL_SETS, [workload("StatefulSet", "db", &image("v1"), 2)]);
    let observed = estate.enforce().await;
    let short: Vec<&str> = observed
        .findings
        .iter()
        .filter(|finding| finding.code.as_str() == "history-short")
        .map(|finding| finding.message.as_str())
        .collect();
    assert_eq!(short, ["statefulset shop/db keeps 2 old revisions, and the policy keeps 5 releases"]);
}

#[tokio::test]
async fn a_signal_beside_release_tags_only_adds() {
    let (mut estate, server) = estate().await;
    estate.policy.production.insert(0, crate::estate::tags(&["v*"], prodpin::model::Order::Semver));
    let releases: Vec<ArtifactId> =
        (1..=7).map(|n| estate.push(&format!("v1.{n}.0"), &format!("release-{n}"))).collect();
    deployed(&server, &[("v1.1.0", &releases[0])]);
    let observed = estate.enforce().await;
    assert_eq!(observed.targets().len(), 6, "{}", estate.story(&observed));
    assert!(target(&observed, &releases[0]).running);
    assert_eq!(observed.repositories[0].rollback.current.as_ref(), Some(&releases[0]));
}
