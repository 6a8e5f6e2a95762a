//! The contract on the source in memory, which is its reference.

mod memory {
    use async_trait::async_trait;
    use prodpin::model::{ArtifactId, Digest, Reference, RepositoryName, Tag};
    use prodpin::sources::Source;
    use prodpin::sources::memory::{Content, Memory};

    use crate::support::contract::{Ability, Fixture, contract_tests};

    contract_tests!(start);

    async fn start(_clause: &str) -> Option<InMemory> {
        Some(InMemory(Memory::new()))
    }

    struct InMemory(Memory);

    #[async_trait]
    impl Fixture for InMemory {
        fn name(&self) -> String {
            "memory".to_owned()
        }

        fn can(&self, _ability: Ability) -> bool {
            true
        }

        fn repository(&self, name: &str) -> RepositoryName {
            name.parse().expect("a repository name")
        }

        fn reference(&self, repository: &RepositoryName, label: &str) -> Reference {
            format!("{}/{repository}:{label}", Memory::HOST).parse().expect("a reference")
        }

        fn open(&self, patterns: &[&str], write: bool) -> Source {
            let opened = if write { self.0.writable(patterns) } else { self.0.read_only(patterns) };
            opened.expect("patterns")
        }

        fn open_denied(&self, repository: &RepositoryName) -> Source {
            self.0.deny(repository.as_str());
            self.open(&[repository.as_str()], false)
        }

        async fn push(&self, repository: &RepositoryName, label: &str, content: &Content) -> ArtifactId {
            self.0.push(repository.as_str(), label, content.clone())
        }

        async fn bytes(&self, repository: &RepositoryName, tag: &Tag) -> Option<Vec<u8>> {
            self.0.manifest(repository.as_str(), tag.as_str()).map(Into::into)
        }

        async fn delete_tag(&self, repository: &RepositoryName, label: &str) {
            self.0.delete_tag(repository.as_str(), label);
        }

        async fn delete_artifact(&self, repository: &RepositoryName, artifact: &ArtifactId) {
            self.0.delete_manifest(repository.as_str(), artifact);
        }

        async fn delete_blob(&self, repository: &RepositoryName, digest: &Digest) {
            self.0.delete_blob(repository.as_str(), digest);
        }
    }
}
