//! The contract on a stand-in for ECR that others wrote. What it lacks, the registry in `tests/suite/ecr` has.

use async_trait::async_trait;
use prodpin::model::{ArtifactId, RepositoryName, Tag};
use prodpin::sources::Source;
use prodpin::sources::memory::Content;

use crate::ecr::Moto;
use crate::support::contract::{Ability, Fixture, contract_tests};

contract_tests!(start);

async fn start(_clause: &str) -> Option<Moto> {
    Moto::new("contract").await
}

#[async_trait]
impl Fixture for Moto {
    fn name(&self) -> String {
        "moto's ECR".to_owned()
    }

    fn can(&self, ability: Ability) -> bool {
        match ability {
            // What an image says of itself is in its configuration, which ECR gives out elsewhere.
            Ability::Created => false,
            // It enforces no policies, and has no way to lose a layer.
            Ability::Deny | Ability::DeletePart => false,
            _ => true,
        }
    }

    fn repository(&self, name: &str) -> RepositoryName {
        self.name(name).parse().expect("a repository name")
    }

    fn reference(&self, repository: &RepositoryName, label: &str) -> prodpin::model::Reference {
        format!("{}.dkr.ecr.{}.amazonaws.com/{repository}:{label}", self.account, crate::ecr::REGION)
            .parse()
            .expect("a reference")
    }

    async fn open(&self, patterns: &[&str], write: bool) -> Source {
        self.source(patterns, write).await
    }

    async fn push(&self, repository: &RepositoryName, label: &str, content: &Content) -> ArtifactId {
        self.push_to(repository.as_str(), label, content).await.into()
    }

    async fn bytes(&self, repository: &RepositoryName, tag: &Tag) -> Option<Vec<u8>> {
        let id = aws_sdk_ecr::types::ImageIdentifier::builder().image_tag(tag.as_str()).build();
        let found = self.client.batch_get_image().repository_name(repository.as_str()).image_ids(id).send().await;
        let image = found.expect("an answer").images?.into_iter().next()?;
        image.image_manifest.map(String::into_bytes)
    }

    async fn delete_tag(&self, repository: &RepositoryName, label: &str) {
        self.delete(repository.as_str(), aws_sdk_ecr::types::ImageIdentifier::builder().image_tag(label).build()).await;
    }

    async fn delete_artifact(&self, repository: &RepositoryName, artifact: &ArtifactId) {
        let id = aws_sdk_ecr::types::ImageIdentifier::builder().image_digest(artifact.to_string()).build();
        self.delete(repository.as_str(), id).await;
    }
}
