//! Production that goes back while a run is under way: the run asks at its end once more, and keeps what came back (F92).

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::StatusCode;
use prodpin::model::{ArtifactId, Event, Mode, PinFailure, ProductionRule, RepositoryName};
use prodpin::outcome::report::{PinReport, TargetReport};
use prodpin::policy::SignalConfig;
use prodpin::sources::{Protector, Source};

use crate::estate::{Estate, REPOSITORY, RunResult};
use crate::signals::api_server::{ApiServer, DEPLOYMENTS, PODS, REPLICA_SETS};
use crate::signals::cluster;
use crate::signals::objects::{deployment, pod, replica_set, set_name};

/// A registry with each of whose pins something happens to production.
struct Meanwhile<F> {
    memory: Source,
    happens: F,
}

#[async_trait]
impl<F: Fn() + Send + Sync> Protector for Meanwhile<F> {
    async fn pin(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        (self.happens)();
        self.memory.protector.as_ref().unwrap().pin(repository, artifact).await
    }
}

async fn enforce_while(estate: &Estate, happens: impl Fn() + Send + Sync + 'static) -> RunResult {
    let memory = estate.memory.writable(["shop/*"]).unwrap();
    let protector = Arc::new(Meanwhile { memory: memory.clone(), happens });
    estate.run_on(Mode::Enforce, Source { protector: Some(protector), ..memory }).await
}

fn by_pin(targets: &[TargetReport]) -> Vec<(ArtifactId, bool, bool)> {
    let pinned = |target: &TargetReport| matches!(target.pin, PinReport::Present | PinReport::Created);
    targets.iter().map(|target| (target.artifact.clone(), target.running, pinned(target))).collect()
}

#[tokio::test]
async fn f92_production_that_goes_back_in_a_run_is_kept_by_that_run() {
    let mut estate = Estate::new(vec![ProductionRule::InUse]);
    let address = |artifact: &ArtifactId| format!("registry.example.com/shop/api@{artifact}");
    let (old, new) = (estate.push("v1", "one"), estate.push("v2", "two"));
    estate.in_use(&[address(&new)]);
    let (file, back) = (estate.policy.in_use_files[0].clone(), serde_json::to_string(&[address(&old)]).unwrap());
    let during = enforce_while(&estate, move || std::fs::write(&file, &back).unwrap()).await;
    let both = [(old.clone(), true, true), (new.clone(), false, true)];
    assert_eq!(by_pin(during.targets()), both, "{}", estate.story(&during));
    assert!(during.complete);
    assert_eq!((during.repositories.len(), during.services.total()), (1, 1), "one row, and that of the second look");
    assert_eq!(during.repositories[0].rollback.current.as_ref(), Some(&old));
    // A look at the same state changes nothing more (I13).
    let recorded = estate.events().await;
    let after = estate.enforce().await;
    assert_eq!(by_pin(after.targets()), both);
    assert_eq!((estate.events().await, estate.memory.calls().len()), (recorded, 2));
}

#[tokio::test]
async fn f92_a_tag_that_is_gone_at_both_looks_of_a_run_was_seen_gone_once_i4() {
    let mut estate = Estate::new(vec![ProductionRule::InUse]);
    let address = |artifact: &ArtifactId| format!("registry.example.com/shop/api@{artifact}");
    let (old, new) = (estate.push("v1", "one"), estate.push("v2", "two"));
    estate.push("v3", "three");
    estate.in_use(&[address(&new)]);
    estate.run(Mode::Audit).await;
    estate.memory.delete_tag(REPOSITORY, "v3");
    let (file, back) = (estate.policy.in_use_files[0].clone(), serde_json::to_string(&[address(&old)]).unwrap());
    let during = enforce_while(&estate, move || std::fs::write(&file, &back).unwrap()).await;
    assert_eq!(during.repositories[0].rollback.current.as_ref(), Some(&old), "it was looked at twice");
    let gone = async || {
        let of_tag = |event: &Event| matches!(event, Event::TagAbsent { .. } | Event::TagDeleted { .. });
        estate.changes().await.into_iter().filter(of_tag).collect::<Vec<_>>()
    };
    let tag = "v3".parse::<prodpin::model::Tag>().unwrap();
    assert_eq!(gone().await, [Event::TagAbsent { tag: tag.clone() }]);
    estate.run(Mode::Audit).await;
    assert_eq!(gone().await, [Event::TagAbsent { tag: tag.clone() }, Event::TagDeleted { tag }]);
}

#[tokio::test]
async fn f92_files_of_one_name_are_one_signal_when_they_are_read_again() {
    let mut estate = Estate::new(vec![ProductionRule::InUse]);
    let address = |artifact: &ArtifactId| format!("registry.example.com/shop/api@{artifact}");
    let (old, new, other) = (estate.push("v1", "one"), estate.push("v2", "two"), estate.push("v3", "three"));
    let places = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let files = places.each_ref().map(|place| place.path().join("in-use.json"));
    let names = |artifact: &ArtifactId| serde_json::to_string(&[address(artifact)]).unwrap();
    std::fs::write(&files[0], names(&new)).unwrap();
    std::fs::write(&files[1], names(&other)).unwrap();
    estate.policy.in_use_files = files.to_vec();
    let (back, [changes, goes]) = (names(&old), files);
    let during = enforce_while(&estate, move || {
        std::fs::write(&changes, &back).unwrap();
        _ = std::fs::remove_file(&goes);
    })
    .await;
    let running: Vec<_> = during.targets().iter().filter(|target| target.running).map(|it| &it.artifact).collect();
    assert!(running.contains(&&other), "what a file named that is gone is not taken back: {}", estate.story(&during));
}

const IMAGE: &str = "registry.example.com/shop/api";

/// A Deployment whose revisions are these releases; the last one runs.
fn runs(server: &ApiServer, revisions: &[(u32, &ArtifactId)]) {
    server.clear();
    let image = |version: u32| format!("{IMAGE}:v{version}");
    let (version, artifact) = revisions.last().unwrap();
    server.put(DEPLOYMENTS, [deployment("api", &image(*version))]);
    for (at, (version, _)) in revisions.iter().enumerate() {
        let number = u32::try_from(at).unwrap() + 1;
        let replicas = u32::from(at + 1 == revisions.len());
        server.put(REPLICA_SETS, [replica_set("Deployment", "api", number, *version, replicas, &image(*version))]);
    }
    let owner = set_name("api", *version);
    let by_node = format!("{IMAGE}@{artifact}");
    server.put(PODS, [pod("api-x", Some(("ReplicaSet", &owner)), &image(*version), &by_node)]);
}

/// A cluster that runs v8 and kept v3 to v7; v1 is pushed and in no revision.
async fn in_cluster() -> (Estate, ApiServer, Vec<ArtifactId>) {
    let server = ApiServer::start().await;
    let mut estate = Estate::new(vec![ProductionRule::InUse]);
    estate.policy.signals = vec![SignalConfig::Kubernetes(cluster(&server))];
    let releases: Vec<ArtifactId> = (1..=8).map(|n| estate.push(&format!("v{n}"), &format!("release-{n}"))).collect();
    let known: Vec<(u32, &ArtifactId)> = (3..=8).map(|n| (n, &releases[n as usize - 1])).collect();
    runs(&server, &known);
    (estate, server, releases)
}

#[tokio::test]
async fn f92_what_a_cluster_goes_back_to_in_a_run_is_pinned_in_it() {
    let (estate, server, releases) = in_cluster().await;
    let world = (server.clone(), releases.clone());
    let reported = enforce_while(&estate, move || {
        let (server, releases) = &world;
        runs(server, &[(7, &releases[6]), (8, &releases[7]), (1, &releases[0])]);
    })
    .await;
    let kept = by_pin(reported.targets());
    assert_eq!(kept[0], (releases[0].clone(), true, true), "{}", estate.story(&reported));
    assert_eq!(kept.iter().filter(|(_, running, _)| *running).count(), 1);
    assert!(kept.contains(&(releases[7].clone(), false, true)), "what ran when it began is kept as well");
    assert!(reported.complete);
    // The wall between the two looks is on record, in this order.
    let began = estate.changes().await.into_iter().filter_map(|event| match event {
        Event::DeploymentStarted { artifact, .. } => Some(artifact),
        _ => None,
    });
    let began: Vec<ArtifactId> = began.collect();
    let at = |artifact: &ArtifactId| began.iter().position(|other| other == artifact);
    assert!(at(&releases[7]) < at(&releases[0]) && at(&releases[0]).is_some(), "{began:?}");
}

#[tokio::test]
async fn f92_where_nothing_changes_only_pods_are_asked_for_again() {
    let (estate, server, releases) = in_cluster().await;
    let reported = estate.enforce().await;
    assert_eq!(by_pin(reported.targets()).len(), 5);
    assert_eq!((server.times(PODS), server.times(REPLICA_SETS), server.times(DEPLOYMENTS)), (2, 1, 1));
    // Another release that is kept anyway, and a pod of a release that comes and goes, are no news.
    let (server, releases) = (server.clone(), releases.clone());
    let world = server.clone();
    estate.memory.push(REPOSITORY, "v9", prodpin::sources::memory::image("release-9"));
    let back = enforce_while(&estate, move || runs(&world, &[(8, &releases[7]), (7, &releases[6])])).await;
    assert!(back.complete);
    estate.run(Mode::Audit).await;
    assert_eq!(server.times(PODS), 2 + 2 + 1, "an audit pins nothing, and asks once");
}

#[tokio::test]
async fn f92_a_cluster_that_cannot_be_asked_again_leaves_what_it_said_first() {
    let (estate, server, _) = in_cluster().await;
    let world = server.clone();
    let busy = (PODS.to_owned(), StatusCode::FORBIDDEN, "", usize::MAX);
    let reported = enforce_while(&estate, move || world.world().down = Some(busy.clone())).await;
    assert!(reported.complete, "what was read when it began was read whole");
    assert_eq!(by_pin(reported.targets()).iter().filter(|(_, _, pinned)| *pinned).count(), 5);
    assert!(server.times(PODS) > 1, "it was asked");
}
