//! A chart repository of one shop, opened as a source.

use std::time::Duration;

use futures::StreamExt as _;
use prodpin::model::{ArtifactId, Cause, Digest, Inspection, Obstacle, RepositoryName, Resolution, Snapshot};
use prodpin::policy::{Policy, SourceConfig};
use prodpin::sources::oci::{HttpEnvironment, Timing, Variables};
use prodpin::sources::{OpenOptions, Source, helm};

use crate::support::chart::{Shop, archive, index};

pub(super) fn shop() -> RepositoryName {
    "shop".parse().unwrap()
}

pub(super) fn policy(source: &str) -> Policy {
    let text = format!("version: 1\nsources:\n  charts:\n{source}production: [{{ tags: [\"[0-9]*\"] }}]\n");
    prodpin::policy::parse(&text, "prodpin.yaml", &|name| (name == "SECRET").then(|| "hunter2".to_owned())).unwrap()
}

/// Opens a chart repository under a policy with these further lines.
pub(super) async fn open(server: &Shop, lines: &[&str]) -> Source {
    open_at(&server.url(), lines, Variables::default()).await
}

pub(super) async fn open_at(url: &str, lines: &[&str], variables: Variables) -> Source {
    let lines: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    let policy = policy(&format!("    helm: {url}\n{lines}"));
    let Some(SourceConfig::Helm(config)) = policy.sources.values().next() else { panic!("a chart repository") };
    let timing = Timing { tries: 2, backoff: Duration::from_millis(1), ..Timing::default() };
    let environment = HttpEnvironment { variables, timing, ..HttpEnvironment::default() };
    let options = OpenOptions { write: false, rehearse: false, tried: false, concurrency: 8, deadline: None };
    helm::open_in(&"charts".parse().unwrap(), config, &options, &environment).await.unwrap()
}

/// A server with one chart in these versions.
pub(super) async fn stocked(versions: &[&str]) -> Shop {
    let server = Shop::start().await;
    stock(&server, versions);
    server
}

pub(super) fn stock(server: &Shop, versions: &[&str]) {
    let mut entries = Vec::new();
    let urls: Vec<String> = versions.iter().map(|version| format!("charts/shop-{version}.tgz")).collect();
    for (version, url) in versions.iter().zip(&urls) {
        let bytes = archive("shop", version, version);
        entries.push(("shop", *version, Some(Digest::sha256(&bytes)), url.as_str()));
        server.put(&format!("/{url}"), "application/gzip", bytes);
    }
    server.put("/index.yaml", "text/yaml", index(&entries));
}

pub(super) fn artifact(version: &str) -> ArtifactId {
    Digest::sha256(&archive("shop", version, version)).into()
}

pub(super) async fn names(source: &Source) -> (Vec<String>, Vec<Cause>) {
    let (mut names, mut causes) = (Vec::new(), Vec::new());
    let mut all = source.inventory.repositories();
    while let Some(found) = all.next().await {
        match found {
            Ok(name) => names.push(name.to_string()),
            Err(gap) => causes.push(gap.cause),
        }
    }
    (names, causes)
}

pub(super) fn reported(snapshot: &Snapshot) -> Vec<(String, bool)> {
    let known = |resolution: &Resolution| matches!(resolution, Resolution::Artifact(_));
    let mut tags: Vec<_> = snapshot.tags.iter().map(|tag| (tag.name.to_string(), known(&tag.target))).collect();
    tags.sort();
    tags
}

pub(super) fn wrong_bytes(seen: &Inspection) -> Vec<&str> {
    let reported = seen.obstacles.iter().map(|obstacle| match obstacle {
        Obstacle::WrongBytes { detail } => Some(detail.as_str()),
        _ => None,
    });
    reported.flatten().collect()
}
