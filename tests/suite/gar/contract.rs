//! The contract on Google Artifact Registry by its own interface.

use async_trait::async_trait;
use prodpin::model::{ArtifactId, Digest, Reference, RepositoryName, Tag};
use prodpin::sources::Source;
use prodpin::sources::memory::Content;

use super::{USER, opened_as, pusher, started};
use crate::support::contract::{Ability, Fixture, contract_tests};
use crate::support::gar::Gar;

contract_tests!(start);

async fn start(_clause: &str) -> Option<Served> {
    let gar = started().await;
    // It may give fewer rows than are asked for.
    gar.world().most_rows = 20;
    Some(Served(gar))
}

struct Served(Gar);

#[async_trait]
impl Fixture for Served {
    fn name(&self) -> String {
        "Google Artifact Registry".to_owned()
    }

    fn can(&self, _ability: Ability) -> bool {
        true
    }

    /// Every image has a project and a repository in front.
    fn repository(&self, name: &str) -> RepositoryName {
        match name.contains('/') {
            true => format!("acme-prod/{name}").parse().unwrap(),
            false => format!("acme-prod/shelf/{name}").parse().unwrap(),
        }
    }

    fn reference(&self, repository: &RepositoryName, label: &str) -> Reference {
        let host = self.0.url().trim_start_matches("http://").to_owned();
        format!("{host}/{repository}:{label}").parse().unwrap()
    }

    async fn open(&self, patterns: &[&str], write: bool) -> Source {
        opened_as(&self.0, patterns, Some(USER), write)
    }

    async fn open_denied(&self, repository: &RepositoryName) -> Source {
        opened_as(&self.0, &[repository.as_str()], Some((USER.0, "wrong")), false)
    }

    fn more_than_a_page(&self) -> usize {
        45
    }

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
        self.0.world().image_mut(repository.as_str()).tags.remove(label);
    }

    /// Past what holds it, as a fault of the storage would.
    async fn delete_artifact(&self, repository: &RepositoryName, artifact: &ArtifactId) {
        self.0.world().remove(repository.as_str(), &artifact.to_string());
    }

    async fn delete_blob(&self, repository: &RepositoryName, digest: &Digest) {
        pusher(&self.0).delete_blob(repository.as_str(), digest).await;
    }
}
