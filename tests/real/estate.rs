//! An estate of registries and a bucket under one policy, and the program run on it as its users run it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use prodpin::model::{ArtifactId, Digest, Entry, Event};
use prodpin::sources::memory::{Content, image};
use serde_json::Value;
use tempfile::TempDir;

use crate::proxy::Proxy;
use crate::registry::contract::fixture;
use crate::servers::{self, Server};
use crate::support::contract::Fixture as _;
use crate::support::oci::OciServer;

const REGION: &str = "us-east-1";

/// One registry with a proxy in front.
pub(crate) struct Shop {
    pub(crate) name: &'static str,
    pub(crate) proxy: Proxy,
    server: Server,
    fixture: OciServer,
}

/// Everything that one policy is about.
pub(crate) struct Estate {
    pub(crate) directory: TempDir,
    pub(crate) shops: Vec<Shop>,
    pub(crate) bucket: String,
    pub(crate) s3: Client,
    pub(crate) s3_proxy: Proxy,
    /// Where a ledger on s3:// is: past the proxy, which counts what goes to sources.
    s3_url: String,
}

impl Shop {
    /// A repository of this estate's own corner.
    pub(crate) fn repository(&self, name: &str) -> String {
        self.fixture.repository(name).to_string()
    }

    pub(crate) async fn push(&self, repository: &str, tag: &str, content: &Content) -> ArtifactId {
        self.fixture.pusher().push(&self.repository(repository), tag, content).await
    }

    pub(crate) async fn delete(&self, repository: &str, artifact: &ArtifactId) {
        self.fixture.pusher().delete_manifest(&self.repository(repository), artifact).await;
    }

    /// The tags and the digest of each, by plain requests past the proxy.
    pub(crate) async fn tags(&self, repository: &str) -> BTreeMap<String, Digest> {
        let name = self.repository(repository);
        let list = self.fixture.pusher().get(&name, &format!("/v2/{name}/tags/list")).await;
        let list: Value = serde_json::from_slice(&list).expect("a list of tags");
        let mut tags = BTreeMap::new();
        for tag in list["tags"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let (_, bytes) = self.fixture.pusher().manifest(&name, tag).await.expect("the tag's manifest");
            tags.insert(tag.to_owned(), Digest::sha256(&bytes));
        }
        tags
    }
}

impl Estate {
    /// Every kind of registry there is, and a bucket with Object Lock. None where a server is missing.
    pub(crate) async fn new(name: &str, delay: Duration) -> Option<Self> {
        let servers = [
            ("open", servers::open_registry()?),
            ("basic", servers::basic_registry()?),
            ("token", servers::token_registry()?),
        ];
        let s3_url = servers::s3()?.url;
        let mut shops = Vec::new();
        for (name, server) in servers {
            let proxy = Proxy::start(&server.url, delay).await;
            shops.push(Shop { name, proxy, fixture: fixture(&server), server });
        }
        let s3 = client(&s3_url);
        let unique = shops[0].repository("x").replace('/', "-");
        let bucket = format!("{name}-{unique}-{}", jiff::Timestamp::now().as_millisecond());
        let s3_proxy = Proxy::start(&s3_url, delay).await;
        let directory = tempfile::tempdir().expect("a temporary directory");
        let estate = Self { directory, shops, bucket, s3, s3_proxy, s3_url };
        estate.make_bucket(&estate.bucket).await;
        estate.write_policy("ledger");
        Some(estate)
    }

    pub(crate) async fn make_bucket(&self, name: &str) {
        self.s3.create_bucket().bucket(name).object_lock_enabled_for_bucket(true).send().await.expect("a bucket");
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let versioning = self.s3.put_bucket_versioning().bucket(name).versioning_configuration(enabled);
        versioning.send().await.expect("versioning");
    }

    /// Releases everywhere, a `latest`, and something that is no release.
    pub(crate) async fn stock(&self) {
        for shop in &self.shops {
            for version in 1..=3 {
                shop.push("api", &format!("v1.{version}.0"), &image(&format!("{} api {version}", shop.name))).await;
            }
            shop.push("api", "latest", &image(&format!("{} api 3", shop.name))).await;
            shop.push("api", "dev-1", &image(&format!("{} dev", shop.name))).await;
            shop.push("web", "v2.0.0", &image(&format!("{} web", shop.name))).await;
        }
        for version in 1..=3 {
            self.put(&format!("api/v1.{version}.0/bundle.zip"), &format!("bundle {version}")).await;
        }
    }

    /// Writes an object, and returns its version.
    pub(crate) async fn put(&self, key: &str, text: &str) -> String {
        let body = ByteStream::from(text.as_bytes().to_vec());
        let put = self.s3.put_object().bucket(&self.bucket).key(key).body(body).send().await.expect("an object");
        put.version_id().expect("a version").to_owned()
    }

    /// Every version and delete marker of the bucket, with whether it is held.
    pub(crate) async fn versions(&self) -> BTreeMap<(String, String), &'static str> {
        let listed = self.s3.list_object_versions().bucket(&self.bucket).send().await.expect("a listing");
        let mut found = BTreeMap::new();
        for version in listed.versions() {
            let (key, id) = (version.key().expect("a key"), version.version_id().expect("an id"));
            let hold = self.s3.get_object_legal_hold().bucket(&self.bucket).key(key).version_id(id).send().await;
            let held = hold.is_ok_and(|hold| {
                hold.legal_hold().and_then(|hold| hold.status()).is_some_and(|status| status.as_str() == "ON")
            });
            found.insert((key.to_owned(), id.to_owned()), if held { "held" } else { "loose" });
        }
        for marker in listed.delete_markers() {
            let (key, id) = (marker.key().expect("a key"), marker.version_id().expect("an id"));
            found.insert((key.to_owned(), id.to_owned()), "delete marker");
        }
        found
    }

    /// The version that an object had first.
    pub(crate) async fn first_version(&self, key: &str) -> String {
        let versions = self.versions().await;
        let mut found = versions.into_keys().filter(|(found, _)| found == key);
        let (Some((_, id)), None) = (found.next(), found.next()) else { panic!("{key} has one version") };
        id
    }

    /// All that anyone can see of the estate: tags by repository, versions of the bucket.
    pub(crate) async fn everything(&self) -> Vec<String> {
        let mut all = Vec::new();
        for shop in &self.shops {
            for repository in ["api", "web"] {
                let tags = shop.tags(repository).await;
                all.extend(tags.iter().map(|(tag, digest)| format!("{}/{repository}:{tag} {digest}", shop.name)));
            }
        }
        all.extend(self.versions().await.into_iter().map(|((key, id), state)| format!("{key} {id} {state}")));
        all
    }

    /// One policy about all of it.
    pub(crate) fn write_policy(&self, ledger: &str) {
        let mut text = format!("version: 1\nledger: {ledger}\nsources:\n");
        for shop in &self.shops {
            let (url, corner) = (shop.proxy.url(), shop.repository("*"));
            text.push_str(&format!("  {}:\n    oci: {url}\n    repositories: [\"{corner}\"]\n", shop.name));
            if shop.server.user.is_some() {
                text.push_str("    username: ${SHOP_USER}\n    password: ${SHOP_PASSWORD}\n");
                text.push_str("    token_realms: [127.0.0.1]\n");
            }
        }
        let (bucket, url) = (&self.bucket, self.s3_proxy.url());
        text.push_str(&format!("  bundles:\n    s3: {bucket}\n    endpoint: {url}\n"));
        text.push_str("    layout: \"{repository}/{version}/bundle.zip\"\n");
        text.push_str("production:\n  - { tags: [\"v*\"], order: semver }\ntags:\n  may_move: [\"dev-*\"]\n");
        std::fs::write(self.path("prodpin.yaml"), text).expect("a policy");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The program, in the estate's directory, with nothing of this machine's environment but its own credentials.
    pub(crate) fn prodpin(&self, arguments: &[&str]) -> Command {
        self.prodpin_at(Path::new(env!("CARGO_BIN_EXE_prodpin")), arguments)
    }

    /// The same from a copy of the program.
    pub(crate) fn prodpin_at(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.directory.path()).env_clear().stdin(Stdio::null());
        command.env("AWS_ACCESS_KEY_ID", "testing").env("AWS_SECRET_ACCESS_KEY", "testing");
        command.env("AWS_REGION", REGION).env("AWS_ENDPOINT_URL_S3", &self.s3_url).env("NO_PROXY", "127.0.0.1");
        if let Some(user) = self.shops.iter().find_map(|shop| shop.server.user.as_ref()) {
            command.env("SHOP_USER", &user.name).env("SHOP_PASSWORD", &user.password);
        }
        command
    }

    /// Runs it to its end, off the threads that serve the proxies.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.prodpin(arguments);
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic");
        Ran::from_output(output.expect("the program runs"))
    }

    /// Starts it.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.prodpin(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
    }

    /// The ledger in a directory of the estate, checked link by link by an auditor of the tests' own.
    pub(crate) async fn ledger(&self, name: &str) -> Vec<Entry> {
        let files = LocalFileSystem::new_with_prefix(self.path(name)).expect("a ledger");
        entries(Arc::new(files)).await
    }

    /// The same for a ledger in a bucket.
    pub(crate) async fn ledger_in(&self, bucket: &str, prefix: &str) -> Vec<Entry> {
        let store = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(REGION)
            .with_access_key_id("testing")
            .with_secret_access_key("testing")
            .with_allow_http(true)
            .with_endpoint(&self.s3_url)
            .build()
            .expect("a store");
        entries(Arc::new(object_store::prefix::PrefixStore::new(store, prefix))).await
    }

    /// What the sources were sent that is no reading. Tokens are asked for elsewhere.
    pub(crate) fn writes(&self) -> Vec<(String, String)> {
        self.proxies().flat_map(Proxy::writes).collect()
    }

    pub(crate) fn requests(&self) -> usize {
        self.proxies().map(Proxy::count).sum()
    }

    pub(crate) fn forget(&self) {
        self.proxies().for_each(Proxy::forget);
    }

    fn proxies(&self) -> impl Iterator<Item = &Proxy> {
        self.shops.iter().map(|shop| &shop.proxy).chain([&self.s3_proxy])
    }
}

async fn entries(store: Arc<dyn ObjectStore>) -> Vec<Entry> {
    crate::world::audit(&store).await.into_iter().map(|(_, entry)| entry).collect()
}

/// What changed, as the ledger has it: everything but the records that every run leaves.
pub(crate) fn changes(entries: &[Entry]) -> Vec<&Entry> {
    entries.iter().filter(|entry| !matches!(entry.event, Event::Run(_) | Event::Source(_))).collect()
}

/// A run that ended.
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn from_output(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The report, of a run with `--format json` that ended like this.
    pub(crate) fn report(&self, status: i32) -> Value {
        assert_eq!(self.status, Some(status), "{}\n{}", self.stdout, self.stderr);
        serde_json::from_str(&self.stdout).expect("a JSON report")
    }
}

/// Source, repository, and state of the pin of every target.
pub(crate) fn pins(report: &Value) -> Vec<(String, String, String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let mut pins = Vec::new();
    for repository in report["repositories"].as_array().expect("a list") {
        for target in repository["targets"].as_array().expect("a list") {
            let (source, name) = (text(&repository["source"]), text(&repository["name"]));
            pins.push((source, name, text(&target["artifact"]), text(&target["pin"])));
        }
    }
    pins.sort();
    pins
}

pub(crate) fn client(url: &str) -> Client {
    let credentials = Credentials::new("testing", "testing", None, None, "tests");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(url)
        .force_path_style(true);
    Client::from_conf(config.build())
}

/// Waits until something is so, and says whether it came to be.
pub(crate) async fn until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = tokio::time::Instant::now() + limit;
    while tokio::time::Instant::now() < end {
        if condition() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}
