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

        async fn open(&self, patterns: &[&str], write: bool) -> Source {
            let opened = if write { self.0.writable(patterns) } else { self.0.read_only(patterns) };
            opened.expect("patterns")
        }

        async fn open_denied(&self, repository: &RepositoryName) -> Source {
            self.0.deny(repository.as_str());
            self.open(&[repository.as_str()], false).await
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

/// The same, over HTTP against the registry in this process, whose pages hold seven entries.
mod http {
    use async_trait::async_trait;
    use prodpin::model::{ArtifactId, Digest, Reference, RepositoryName, Tag};
    use prodpin::sources::Source;
    use prodpin::sources::memory::Content;

    use crate::support::contract::{Ability, Fixture, contract_tests};
    use crate::support::oci::OciServer;
    use crate::support::registry::{Options, Registry};

    mod anonymous {
        use super::*;

        contract_tests!(start);

        async fn start(_clause: &str) -> Option<Served> {
            let registry = Registry::start_with(Options { largest_page: 7, ..Options::default() }).await;
            let server = OciServer::anonymous("in-process registry", &registry.url());
            Some(Served { registry, server })
        }
    }

    mod basic {
        use super::*;

        contract_tests!(start);

        async fn start(_clause: &str) -> Option<Served> {
            let user = ("tester", "p:ss \"w\u{f6}rd\"");
            let credentials = Some((user.0.to_owned(), user.1.to_owned()));
            let options = Options { largest_page: 7, credentials, ..Options::default() };
            let registry = Registry::start_with(options).await;
            let name = "in-process registry with Basic authentication";
            let server = OciServer::with_user(name, &registry.url(), user, ("tester", "wrong"));
            Some(Served { registry, server })
        }
    }

    /// The registry lives as long as the fixture; its log is the witness that reading only reads.
    struct Served {
        registry: Registry,
        server: OciServer,
    }

    #[async_trait]
    impl Fixture for Served {
        fn name(&self) -> String {
            self.server.name()
        }

        fn can(&self, ability: Ability) -> bool {
            self.server.can(ability)
        }

        fn repository(&self, name: &str) -> RepositoryName {
            self.server.repository(name)
        }

        fn reference(&self, repository: &RepositoryName, label: &str) -> Reference {
            self.server.reference(repository, label)
        }

        async fn open(&self, patterns: &[&str], write: bool) -> Source {
            self.server.open(patterns, write).await
        }

        async fn open_denied(&self, repository: &RepositoryName) -> Source {
            self.server.open_denied(repository).await
        }

        fn writes(&self) -> Option<usize> {
            let requests = self.registry.requests();
            Some(requests.iter().filter(|request| !matches!(&*request.method, "GET" | "HEAD")).count())
        }

        async fn push(&self, repository: &RepositoryName, label: &str, content: &Content) -> ArtifactId {
            self.server.push(repository, label, content).await
        }

        async fn bytes(&self, repository: &RepositoryName, tag: &Tag) -> Option<Vec<u8>> {
            self.server.bytes(repository, tag).await
        }

        async fn delete_artifact(&self, repository: &RepositoryName, artifact: &ArtifactId) {
            self.server.delete_artifact(repository, artifact).await;
        }

        async fn delete_blob(&self, repository: &RepositoryName, digest: &Digest) {
            self.server.delete_blob(repository, digest).await;
        }
    }
}
