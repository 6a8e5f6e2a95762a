//! A stand-in of zot: the registry protocol alone, a configuration file, and collections by what that says, as the second
//! reading of the guide carries them out. Pins are no pushes (K55).

use std::path::PathBuf;

use prodpin::model::{ArtifactId, NamePatterns, Order};
use prodpin::policy::{OciConfig, RegistryInterface};
use prodpin::sources::memory::image;
use prodpin::sources::oci::HttpEnvironment;
use prodpin::sources::{OpenOptions, Source, zot};
use serde_json::{Value, json};

use crate::engines::zot::{Keep, Manifest, Policy, Zot as Engine};
use crate::estate::{Estate, tags};
use crate::support::push::Pusher;
use crate::support::registry::{Options, Registry};

pub(super) const REPOSITORY: &str = "shop/api";

pub(super) struct Zot {
    pub(super) registry: Registry,
    folder: tempfile::TempDir,
    /// What was pushed, the oldest first.
    pushed: Vec<ArtifactId>,
}

impl Zot {
    pub(super) async fn start() -> Self {
        let registry =
            Registry::start_with(Options { deletes_tags: true, largest_page: 7, ..Options::default() }).await;
        Self { registry, folder: tempfile::tempdir().unwrap(), pushed: Vec::new() }
    }

    /// Releases `v1.0.0` onwards, each an image of its own, in an estate that calls them `release-0` onwards.
    pub(super) async fn with_releases(count: usize) -> (Self, Estate) {
        let mut zot = Self::start().await;
        let mut estate = Estate::new(vec![tags(&["v*"], Order::Semver)]);
        for minor in 0..count {
            let name = format!("release-{minor}");
            let artifact = zot.pusher().push(REPOSITORY, &format!("v1.{minor}.0"), &image(&name)).await;
            estate.name(&artifact, &name);
            zot.pushed.push(artifact);
        }
        zot.registry.forget_requests();
        (zot, estate)
    }

    pub(super) fn pusher(&self) -> Pusher {
        Pusher::new(&self.registry.url())
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.path().join("zot.json")
    }

    /// Writes the configuration file with these entries of `keepTags` for every repository.
    pub(super) fn keeps(&self, keep_tags: &Value) {
        self.configure(&json!([{ "repositories": ["**"], "keepTags": keep_tags }]));
    }

    pub(super) fn configure(&self, policies: &Value) {
        let storage =
            json!({ "rootDirectory": "/var/lib/registry", "gc": true, "retention": { "policies": policies } });
        self.write(&json!({ "distSpecVersion": "1.1.1", "storage": storage, "http": { "port": "5000" } }).to_string());
    }

    pub(super) fn write(&self, text: &str) {
        std::fs::write(self.file(), text).unwrap();
    }

    pub(super) fn opened(&self, write: bool) -> Source {
        self.opened_with(Some(self.file()), &["shop/*"], write)
    }

    pub(super) fn opened_with(&self, file: Option<PathBuf>, patterns: &[&str], write: bool) -> Source {
        let options = OpenOptions { write, rehearse: false, tried: false, concurrency: 8, deadline: None };
        let config = OciConfig {
            url: self.registry.url().parse().unwrap(),
            repositories: NamePatterns::new(patterns).unwrap(),
            username: None,
            password: None,
            token_realms: Vec::new(),
            private: false,
            ca_file: None,
            max_concurrency: None,
            cleanup: None,
            interface: RegistryInterface::Zot { config: file.clone() },
        };
        let name = "shop".parse().unwrap();
        zot::open_in(&name, &config, file.as_deref(), &options, &HttpEnvironment::default()).unwrap()
    }

    /// Everything that was written to it.
    pub(super) fn writes(&self) -> Vec<String> {
        let requests = self.registry.requests().into_iter();
        requests.filter(|request| !matches!(&*request.method, "GET" | "HEAD")).map(|request| request.path).collect()
    }

    pub(super) async fn tags(&self) -> Vec<String> {
        let url = format!("{}/v2/{REPOSITORY}/tags/list?n=7", self.registry.url());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let (mut all, mut last) = (Vec::new(), String::new());
        loop {
            let answer = http.get(format!("{url}&last={last}")).send().await.unwrap().bytes().await.unwrap();
            let page: Value = serde_json::from_slice(&answer).unwrap();
            let page: Vec<String> = serde_json::from_value(page["tags"].clone()).unwrap_or_default();
            match page.last() {
                Some(end) => last.clone_from(end),
                None => return all,
            }
            all.extend(page);
        }
    }

    /// Collects once by what the file says.
    pub(super) async fn collect(&self) {
        let file: Value = serde_json::from_slice(&std::fs::read(self.file()).unwrap()).unwrap();
        let mut manifests: Vec<Manifest> = Vec::new();
        let before = self.tags().await;
        for tag in &before {
            let (_, bytes) = self.pusher().manifest(REPOSITORY, tag).await.unwrap();
            let id = prodpin::model::Digest::sha256(&bytes).to_string();
            match manifests.iter_mut().find(|manifest| manifest.id == id) {
                Some(manifest) => manifest.tags.push(tag.clone()),
                None => {
                    let newest = self.pushed.len();
                    let at = self.pushed.iter().position(|artifact| artifact.to_string() == id).unwrap_or(newest);
                    let ago = 86_400 + 3_600 * i64::try_from(newest - at).unwrap();
                    let tags = vec![tag.clone()];
                    let statistics = Some((Some(ago), None));
                    manifests.push(Manifest { id, tags, listed: true, age: ago, statistics, ..Manifest::default() });
                }
            }
        }
        let policies = file["storage"]["retention"]["policies"].as_array().unwrap().iter().map(policy).collect();
        let repository = REPOSITORY.to_owned();
        let mut engine = Engine { repository, database: true, policies, manifests, ..Engine::default() };
        engine.collect();
        let left: Vec<&String> = engine.manifests.iter().flat_map(|manifest| &manifest.tags).collect();
        for tag in before.iter().filter(|tag| !left.contains(tag)) {
            assert!(self.pusher().delete_tag(REPOSITORY, tag).await);
        }
    }
}

fn policy(policy: &Value) -> Policy {
    let texts = |value: &Value| serde_json::from_value::<Vec<String>>(value.clone()).unwrap_or_default();
    let keep = |keep: &Value| Keep {
        patterns: texts(&keep["patterns"]),
        most_recently_pushed: usize::try_from(keep["mostRecentlyPushedCount"].as_u64().unwrap_or(0)).unwrap(),
        ..Keep::default()
    };
    Policy {
        repositories: texts(&policy["repositories"]),
        keep_tags: policy["keepTags"].as_array().into_iter().flatten().map(keep).collect(),
        ..Policy::default()
    }
}
