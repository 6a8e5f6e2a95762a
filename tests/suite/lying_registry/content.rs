//! Images and indexes to put into a registry, and the source that looks at it.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use prodpin::model::{ArtifactId, Digest, Gap, NamePatterns, RepositoryName, Tag};
use prodpin::policy::{OciConfig, Secret};
use prodpin::sources::oci::{HttpEnvironment, Timing, open_in};
use prodpin::sources::{OpenOptions, Source};

use super::server::{CONFIG, IMAGE, INDEX, LAYER, Server, Store};

impl Store {
    pub(super) fn blob(&mut self, bytes: &[u8]) -> String {
        let digest = Digest::sha256(bytes).to_string();
        self.blobs.insert(digest.clone(), bytes.to_vec());
        digest
    }

    pub(super) fn manifest(&mut self, media_type: &str, text: &str) -> Digest {
        let digest = Digest::sha256(text.as_bytes());
        self.manifests.insert(digest.to_string(), (media_type.to_owned(), text.as_bytes().to_vec()));
        digest
    }

    /// An image of one layer of its own and one that all images share.
    pub(super) fn image(&mut self, name: &str) -> Digest {
        let config = format!(r#"{{"created":"2026-01-02T03:04:05Z","name":"{name}"}}"#);
        let descriptors: Vec<String> = [(CONFIG, config.as_str()), (LAYER, name), (LAYER, "the shared base")]
            .map(|(media_type, bytes)| {
                let digest = self.blob(bytes.as_bytes());
                format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{}}}"#, bytes.len())
            })
            .into();
        let (config, layers) = descriptors.split_first().unwrap();
        let layers = layers.join(",");
        let text = format!(r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{config},"layers":[{layers}]}}"#);
        self.manifest(IMAGE, &text)
    }

    /// An index over manifests that are there.
    pub(super) fn index(&mut self, children: &[&Digest]) -> Digest {
        let children: Vec<String> = children
            .iter()
            .map(|child| {
                let (media_type, bytes) = &self.manifests[&child.to_string()];
                format!(r#"{{"mediaType":"{media_type}","digest":"{child}","size":{}}}"#, bytes.len())
            })
            .collect();
        let text = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, children.join(","));
        self.manifest(INDEX, &text)
    }

    /// An index with a platform for each of these manifests, and an attestation beside them.
    pub(super) fn index_with_attestation(&mut self, platforms: &[(&str, &Digest)], attestation: &Digest) -> Digest {
        let size = |digest: &Digest| self.manifests[&digest.to_string()].1.len();
        let mut children: Vec<String> = platforms
            .iter()
            .map(|(architecture, child)| {
                format!(
                    r#"{{"mediaType":"{IMAGE}","digest":"{child}","size":{},"platform":{{"os":"linux","architecture":"{architecture}"}}}}"#,
                    size(child)
                )
            })
            .collect();
        children.push(format!(
            r#"{{"mediaType":"{IMAGE}","digest":"{attestation}","size":{},"platform":{{"os":"unknown","architecture":"unknown"}},
            "annotations":{{"vnd.docker.reference.type":"attestation-manifest"}}}}"#,
            size(attestation)
        ));
        let text = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, children.join(","));
        self.manifest(INDEX, &text)
    }

    pub(super) fn tag(&mut self, repository: &str, tag: &str, digest: &Digest) {
        self.tags.entry(repository.to_owned()).or_default().insert(tag.to_owned(), digest.to_string());
    }
}

/// A source as a test opens it.
pub(super) struct Opening {
    pub(super) config: OciConfig,
    pub(super) options: OpenOptions,
    pub(super) environment: HttpEnvironment,
}

impl Opening {
    pub(super) fn for_url(url: &str) -> Self {
        let config = OciConfig {
            url: url.parse().unwrap(),
            repositories: NamePatterns::new(["shop/api"]).unwrap(),
            username: None,
            password: None,
            token_realms: Vec::new(),
            private: false,
            ca_file: None,
            max_concurrency: None,
            cleanup: None,
            interface: prodpin::policy::RegistryInterface::None,
        };
        let timing = Timing {
            connect: Duration::from_secs(2),
            request: Duration::from_millis(700),
            list: Duration::from_secs(30),
            tries: 3,
            backoff: Duration::from_millis(5),
            longest_wait: Duration::from_secs(2),
            helper: Duration::from_secs(1),
        };
        let options = OpenOptions { write: false, rehearse: false, tried: false, concurrency: 16, deadline: None };
        Self { config, options, environment: HttpEnvironment { timing, ..HttpEnvironment::default() } }
    }

    pub(super) fn at(server: &Server) -> Self {
        Self::for_url(&server.url())
    }

    pub(super) fn user(mut self, name: &str, password: &str) -> Self {
        self.config.username = Some(name.to_owned());
        self.config.password = Some(Secret::new(password));
        self
    }

    pub(super) fn repositories(mut self, patterns: &[&str]) -> Self {
        self.config.repositories = NamePatterns::new(patterns).unwrap();
        self
    }

    pub(super) fn writing(mut self) -> Self {
        self.options.write = true;
        self
    }

    pub(super) fn within(mut self, time: Duration) -> Self {
        self.options.deadline = Some(Instant::now() + time);
        self
    }

    pub(super) fn open(&self) -> Source {
        open_in(&"test".parse().unwrap(), &self.config, &self.options, &self.environment).unwrap()
    }
}

pub(super) fn repository() -> RepositoryName {
    "shop/api".parse().unwrap()
}

pub(super) fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

pub(super) fn artifact(digest: &Digest) -> ArtifactId {
    ArtifactId::Manifest(digest.clone())
}

/// Everything that the list of repositories gives.
pub(super) async fn listed(source: &Source) -> (Vec<String>, Vec<Gap>) {
    let (mut names, mut gaps) = (Vec::new(), Vec::new());
    let mut stream = source.inventory.repositories();
    while let Some(found) = stream.next().await {
        match found {
            Ok(name) => names.push(name.to_string()),
            Err(gap) => gaps.push(gap),
        }
    }
    (names, gaps)
}
