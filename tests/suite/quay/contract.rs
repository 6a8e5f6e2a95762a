//! The contract on a Quay by its own interface.

use async_trait::async_trait;
use prodpin::model::{ArtifactId, Digest, Reference, RepositoryName, Tag};
use prodpin::sources::Source;
use prodpin::sources::memory::Content;

use super::{PRODPIN, Who, opened_as, pusher};
use crate::support::contract::{Ability, Fixture, contract_tests};
use crate::support::quay::{Quay, ROBOT};

contract_tests!(start);

async fn start(_clause: &str) -> Option<Served> {
    Some(Served(Quay::start().await))
}

struct Served(Quay);

#[async_trait]
impl Fixture for Served {
    fn name(&self) -> String {
        "Quay".to_owned()
    }

    fn can(&self, _ability: Ability) -> bool {
        true
    }

    fn repository(&self, name: &str) -> RepositoryName {
        format!("acme/{name}").parse().unwrap()
    }

    fn reference(&self, repository: &RepositoryName, label: &str) -> Reference {
        let host = self.0.url().trim_start_matches("http://").to_owned();
        format!("{host}/{repository}:{label}").parse().unwrap()
    }

    async fn open(&self, patterns: &[&str], write: bool) -> Source {
        opened_as(&self.0, patterns, PRODPIN, write)
    }

    async fn open_denied(&self, repository: &RepositoryName) -> Source {
        let wrong = Who { login: Some((ROBOT.0, "wrong")), token: Some("wrong") };
        opened_as(&self.0, &[repository.as_str()], wrong, false)
    }

    fn more_than_a_page(&self) -> usize {
        120
    }

    /// Asking for a token is a GET there.
    fn writes(&self) -> Option<usize> {
        Some(self.0.writes().len())
    }

    async fn push(&self, repository: &RepositoryName, label: &str, content: &Content) -> ArtifactId {
        pusher(&self.0).push(repository.as_str(), label, content).await
    }

    async fn bytes(&self, repository: &RepositoryName, tag: &Tag) -> Option<Vec<u8>> {
        Some(pusher(&self.0).manifest(repository.as_str(), tag.as_str()).await?.1)
    }

    async fn delete_tag(&self, repository: &RepositoryName, label: &str) {
        assert!(pusher(&self.0).delete_tag(repository.as_str(), label).await);
    }

    async fn delete_artifact(&self, repository: &RepositoryName, artifact: &ArtifactId) {
        pusher(&self.0).delete_manifest(repository.as_str(), artifact).await;
    }

    async fn delete_blob(&self, repository: &RepositoryName, digest: &Digest) {
        pusher(&self.0).delete_blob(repository.as_str(), digest).await;
    }
}
