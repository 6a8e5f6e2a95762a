//! One scenario for each kind of workload, and for each way in which a cluster does not tell.

mod access;
mod controllers;
mod knative;
mod lists;
mod workloads;

use prodpin::policy::SignalConfig;
use prodpin::signals::Signalled;

use super::api_server::*;
use super::objects::*;
use super::{ask, cluster, digest};

const IMAGE: &str = "registry.example.com/shop/api";

fn image(tag: &str) -> String {
    format!("{IMAGE}:{tag}")
}

fn seen(words: &str) -> String {
    format!("{IMAGE}@{}", digest(words))
}

async fn all(server: &ApiServer) -> Signalled {
    ask(&SignalConfig::Kubernetes(cluster(server))).await
}

/// Digests by the words they stand for.
fn named(mut text: String, words: &[&str]) -> String {
    for word in words {
        text = text.replace(&digest(word).to_string(), &format!("<{word}>"));
    }
    text
}

/// A Deployment at its third revision; pods of the second are still there in a rollout.
fn rollout(server: &ApiServer, old_replicas: u32) {
    server.put(DEPLOYMENTS, [deployment("api", &image("v3"))]);
    server.put(
        REPLICA_SETS,
        [
            replica_set("Deployment", "api", 1, 1, 0, &image("v1")),
            replica_set("Deployment", "api", 2, 2, old_replicas, &image("v2")),
            replica_set("Deployment", "api", 3, 3, 2, &image("v3")),
        ],
    );
    server.put(PODS, [pod("api-3-a", Some(("ReplicaSet", &set_name("api", 3))), &image("v3"), &seen("three"))]);
}
