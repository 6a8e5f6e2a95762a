//! One corner of the stand-in, for the contract of all sources.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use prodpin::model::{ArtifactId, Digest, Reference, RepositoryName, Tag};
use prodpin::sources::Source;
use prodpin::sources::memory::Content;

use super::{ACCOUNT, EcrServer, REGION, STRANGER, TRUSTED};
use crate::support::contract::{Ability, Fixture};

/// A corner of a registry, for the contract.
pub(crate) struct EcrCorner {
    pub(crate) server: EcrServer,
    corner: u32,
}

impl EcrCorner {
    pub(crate) async fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self { server: EcrServer::start().await, corner: NEXT.fetch_add(1, Ordering::Relaxed) }
    }
}

#[async_trait]
impl Fixture for EcrCorner {
    fn name(&self) -> String {
        "ECR as its service model says".to_owned()
    }

    fn can(&self, ability: Ability) -> bool {
        // What an image says of itself is in its configuration, which ECR gives out elsewhere.
        ability != Ability::Created
    }

    fn repository(&self, name: &str) -> RepositoryName {
        format!("t{}/{name}", self.corner).parse().expect("a repository name")
    }

    fn reference(&self, repository: &RepositoryName, label: &str) -> Reference {
        format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{repository}:{label}").parse().expect("a reference")
    }

    async fn open(&self, patterns: &[&str], write: bool) -> Source {
        self.server.open_as(TRUSTED, patterns, write).await
    }

    async fn open_denied(&self, repository: &RepositoryName) -> Source {
        self.server.open_as(STRANGER, &[repository.as_str()], false).await
    }

    fn writes(&self) -> Option<usize> {
        Some(self.server.count("PutImage"))
    }

    async fn push(&self, repository: &RepositoryName, label: &str, content: &Content) -> ArtifactId {
        self.server.push(repository.as_str(), label, content).into()
    }

    async fn bytes(&self, repository: &RepositoryName, tag: &Tag) -> Option<Vec<u8>> {
        let holdings = self.server.holdings();
        let images = &holdings.repositories.get(repository.as_str())?.images;
        images.iter().find(|image| image.tags.contains(tag.as_str())).map(|image| image.text.clone().into_bytes())
    }

    async fn delete_tag(&self, repository: &RepositoryName, label: &str) {
        let mut holdings = self.server.holdings();
        let repository = holdings.repositories.get_mut(repository.as_str()).expect("a repository");
        for image in &mut repository.images {
            image.tags.remove(label);
        }
    }

    async fn delete_artifact(&self, repository: &RepositoryName, artifact: &ArtifactId) {
        let mut holdings = self.server.holdings();
        let repository = holdings.repositories.get_mut(repository.as_str()).expect("a repository");
        repository.images.retain(|image| Some(&image.digest) != artifact.digest());
    }

    async fn delete_blob(&self, repository: &RepositoryName, digest: &Digest) {
        let mut holdings = self.server.holdings();
        holdings.repositories.get_mut(repository.as_str()).expect("a repository").layers.remove(&digest.to_string());
    }
}
