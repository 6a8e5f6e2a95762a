//! The contract's fixture for whatever speaks the registry protocol: content goes in through the pushing client, the
//! program's own source looks at it.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use prodpin::model::{ArtifactId, Digest, NamePatterns, Reference, RepositoryName, Tag};
use prodpin::policy::{OciConfig, Secret};
use prodpin::sources::memory::Content;
use prodpin::sources::oci::{HttpEnvironment, open_in};
use prodpin::sources::{OpenOptions, Source};

use super::contract::{Ability, Fixture};
use super::push::Pusher;

/// A registry as a clause sees it.
pub(crate) struct OciServer {
    name: String,
    url: String,
    /// Keeps the tests on a shared server apart.
    corner: String,
    user: Option<(String, String)>,
    stranger: Option<(String, String)>,
    pusher: Pusher,
    /// C90: most registries do not delete by tag.
    deletes_tags: bool,
    lacks: &'static [Ability],
}

impl OciServer {
    /// A registry that asks nobody.
    pub(crate) fn anonymous(name: &str, url: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self {
            name: name.to_owned(),
            url: url.to_owned(),
            corner: format!("t{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)),
            user: None,
            stranger: None,
            pusher: Pusher::new(url),
            deletes_tags: false,
            lacks: &[],
        }
    }

    /// The same registry, which deletes single tags.
    pub(crate) fn deleting_tags(self) -> Self {
        Self { deletes_tags: true, ..self }
    }

    /// The same registry, which does not offer this.
    pub(crate) fn lacking(self, lacks: &'static [Ability]) -> Self {
        Self { lacks, ..self }
    }

    /// A registry where this user may do everything and that one nothing.
    pub(crate) fn with_user(name: &str, url: &str, user: (&str, &str), stranger: (&str, &str)) -> Self {
        let owned = |(name, password): (&str, &str)| Some((name.to_owned(), password.to_owned()));
        let pusher = Pusher::with_credentials(url, user.0, user.1);
        Self { user: owned(user), stranger: owned(stranger), pusher, ..Self::anonymous(name, url) }
    }

    /// The client that everything is pushed with.
    pub(crate) fn pusher(&self) -> &Pusher {
        &self.pusher
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> &str {
        self.url.split_once("://").expect("a URL").1
    }

    /// The source's configuration as the policy would say it.
    pub(crate) fn config(&self, patterns: &[&str], user: Option<&(String, String)>) -> OciConfig {
        OciConfig {
            url: self.url.parse().expect("the registry's URL"),
            repositories: NamePatterns::new(patterns).expect("patterns"),
            username: user.map(|(name, _)| name.clone()),
            password: user.map(|(_, password)| Secret::new(password.clone())),
            // The token server has a port of its own, and is another origin by that.
            token_realms: vec!["127.0.0.1".to_owned()],
            private: false,
            ca_file: None,
            max_concurrency: None,
            cleanup: None,
            interface: prodpin::policy::RegistryInterface::None,
        }
    }

    fn open_as(&self, patterns: &[&str], user: Option<&(String, String)>, write: bool) -> Source {
        let options = OpenOptions { write, rehearse: false, tried: false, concurrency: 8, deadline: None };
        let name = "registry".parse().expect("a name");
        open_in(&name, &self.config(patterns, user), &options, &HttpEnvironment::default()).expect("a source")
    }
}

#[async_trait]
impl Fixture for OciServer {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn can(&self, ability: Ability) -> bool {
        match ability {
            Ability::DeleteTag => self.deletes_tags,
            Ability::Deny => self.stranger.is_some(),
            other => !self.lacks.contains(&other),
        }
    }

    fn repository(&self, name: &str) -> RepositoryName {
        format!("{}/{name}", self.corner).parse().expect("a repository name")
    }

    fn reference(&self, repository: &RepositoryName, label: &str) -> Reference {
        format!("{}/{repository}:{label}", self.host()).parse().expect("a reference")
    }

    async fn open(&self, patterns: &[&str], write: bool) -> Source {
        self.open_as(patterns, self.user.as_ref(), write)
    }

    async fn open_denied(&self, repository: &RepositoryName) -> Source {
        self.open_as(&[repository.as_str()], self.stranger.as_ref(), false)
    }

    async fn push(&self, repository: &RepositoryName, label: &str, content: &Content) -> ArtifactId {
        self.pusher.push(repository.as_str(), label, content).await
    }

    async fn bytes(&self, repository: &RepositoryName, tag: &Tag) -> Option<Vec<u8>> {
        Some(self.pusher.manifest(repository.as_str(), tag.as_str()).await?.1)
    }

    async fn delete_tag(&self, repository: &RepositoryName, label: &str) {
        assert!(self.pusher.delete_tag(repository.as_str(), label).await, "{label} cannot be deleted");
    }

    async fn delete_artifact(&self, repository: &RepositoryName, artifact: &ArtifactId) {
        self.pusher.delete_manifest(repository.as_str(), artifact).await;
    }

    async fn delete_blob(&self, repository: &RepositoryName, digest: &Digest) {
        self.pusher.delete_blob(repository.as_str(), digest).await;
    }
}
