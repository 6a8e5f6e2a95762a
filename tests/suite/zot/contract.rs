//! The contract on a zot whose configuration file is known.

use async_trait::async_trait;
use prodpin::model::{ArtifactId, Digest, Reference, RepositoryName, Tag};
use prodpin::sources::Source;
use prodpin::sources::memory::Content;
use serde_json::json;

use super::server::Zot;
use crate::support::contract::{Ability, Fixture, contract_tests};

contract_tests!(start);

async fn start(_clause: &str) -> Option<Served> {
    let zot = Zot::start().await;
    zot.keeps(&json!([{ "patterns": ["^prod-pinned-"] }, { "mostRecentlyPushedCount": 6 }]));
    Some(Served(zot))
}

struct Served(Zot);

#[async_trait]
impl Fixture for Served {
    fn name(&self) -> String {
        "zot".to_owned()
    }

    fn can(&self, ability: Ability) -> bool {
        ability != Ability::Deny
    }

    fn repository(&self, name: &str) -> RepositoryName {
        format!("acme/{name}").parse().unwrap()
    }

    fn reference(&self, repository: &RepositoryName, label: &str) -> Reference {
        format!("{}/{repository}:{label}", self.0.registry.host()).parse().unwrap()
    }

    async fn open(&self, patterns: &[&str], write: bool) -> Source {
        self.0.opened_with(Some(self.0.file()), patterns, write)
    }

    fn writes(&self) -> Option<usize> {
        Some(self.0.writes().len())
    }

    async fn push(&self, repository: &RepositoryName, label: &str, content: &Content) -> ArtifactId {
        self.0.pusher().push(repository.as_str(), label, content).await
    }

    async fn bytes(&self, repository: &RepositoryName, tag: &Tag) -> Option<Vec<u8>> {
        Some(self.0.pusher().manifest(repository.as_str(), tag.as_str()).await?.1)
    }

    async fn delete_tag(&self, repository: &RepositoryName, label: &str) {
        assert!(self.0.pusher().delete_tag(repository.as_str(), label).await);
    }

    async fn delete_artifact(&self, repository: &RepositoryName, artifact: &ArtifactId) {
        self.0.pusher().delete_manifest(repository.as_str(), artifact).await;
    }

    async fn delete_blob(&self, repository: &RepositoryName, digest: &Digest) {
        self.0.pusher().delete_blob(repository.as_str(), digest).await;
    }
}
