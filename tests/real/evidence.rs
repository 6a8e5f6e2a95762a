//! What real registries answer that is not so: a blob that only a memory knows after it was collected (F130), and lists cut
//! off without a word (F106).

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use prodpin::model::{ArtifactId, Closure, Digest, Obstacle, Presence, RepositoryName};
use prodpin::sources::memory::{Content, image};
use prodpin::sources::oci::{HttpEnvironment, open_in};
use prodpin::sources::{OpenOptions, Source};
use tempfile::TempDir;

use crate::servers::open_registry;
use crate::support::left_out::left_out;
use crate::support::push::Pusher;

/// A registry of a test's own, ended with it.
pub(crate) struct Own {
    process: Child,
    pub(crate) url: String,
    pub(crate) folder: TempDir,
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a registry on a port of its own. Another process may take a port between its choice and its use.
pub(crate) fn start(command: impl Fn(&Path, u16) -> Command) -> Own {
    let folder = tempfile::tempdir().unwrap();
    let mut last = String::new();
    for _ in 0..5 {
        let port = free_port();
        let mut command = command(folder.path(), port);
        let log = folder.path().join("log");
        let said = std::fs::File::create(&log).unwrap();
        let mut process = command.stdout(Stdio::null()).stderr(said).spawn().unwrap();
        for _ in 0..1200 {
            if process.try_wait().unwrap().is_some() {
                break;
            }
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Own { process, url: format!("http://127.0.0.1:{port}"), folder };
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = process.kill();
        let _ = process.wait();
        last = format!("{command:?}: {}", std::fs::read_to_string(log).unwrap());
    }
    panic!("it did not start: {last}")
}

fn source(url: &str) -> Source {
    let config = prodpin::policy::OciConfig {
        url: url.parse().unwrap(),
        repositories: prodpin::model::NamePatterns::new(["shop/*"]).unwrap(),
        username: None,
        password: None,
        token_realms: Vec::new(),
        private: true,
        ca_file: None,
        max_concurrency: None,
        cleanup: None,
        interface: prodpin::policy::RegistryInterface::None,
    };
    let options = OpenOptions { write: true, rehearse: false, tried: false, concurrency: 8, deadline: None };
    open_in(&"shop".parse().unwrap(), &config, &options, &HttpEnvironment::default()).unwrap()
}

fn repository() -> RepositoryName {
    "shop/api".parse().unwrap()
}

pub(crate) const CONFIGURATION: &str = "registry.yml";

/// The configuration that Debian and upstream ship, as far as it matters: descriptors of blobs are kept in memory.
pub(crate) fn configuration(folder: &Path, port: u16) -> String {
    let path = folder.join(CONFIGURATION);
    let text = format!(
        "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\nstorage:\n  cache: {{ blobdescriptor: \
         inmemory }}\n  filesystem: {{ rootdirectory: {} }}\n  delete: {{ enabled: true }}\nhttp: {{ addr: \
         \"127.0.0.1:{port}\", secret: tests }}\n",
        folder.join("data").display()
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What a registry reads from its environment overrides its configuration, and one of these names is for clients.
pub(crate) fn sealed(mut command: Command) -> Command {
    command.env_remove("REGISTRY_AUTH_FILE").env("OTEL_TRACES_EXPORTER", "none");
    command
}

/// Collects a layer under a running registry, and looks at a release that shares it.
async fn after_a_collection(program: &str) {
    let registry = start(|folder, port| {
        let mut serve = Command::new(program);
        serve.args(["serve", &configuration(folder, port)]);
        sealed(serve)
    });
    let pusher = Pusher::new(&registry.url);
    let old: Content = image("a release");
    let artifact = pusher.push("shop/api", "v1.0.0", &old).await;
    let source = source(&registry.url);
    let seen = source.inventory.inspect(&repository(), &artifact).await;
    assert_eq!((seen.presence, seen.closure), (Presence::Present, Closure::Complete), "{:?}", seen.gaps);

    let (media_type, bytes) = pusher.manifest("shop/api", "v1.0.0").await.unwrap();
    pusher.delete_manifest("shop/api", &artifact).await;
    let mut collect = Command::new(program);
    collect.arg("garbage-collect").arg(registry.folder.path().join(CONFIGURATION));
    let collected = sealed(collect).output().unwrap();
    assert!(collected.status.success(), "{}", String::from_utf8_lossy(&collected.stderr));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let lost: Vec<Digest> = old.blobs().into_iter().map(|(digest, _)| digest).collect();
    let head = http.head(format!("{}/v2/shop/api/blobs/{}", registry.url, lost[0])).send().await.unwrap();
    assert_eq!(head.status().as_u16(), 200, "{program} remembers what it collected: else this test shows nothing");

    // Clients ask by HEAD, upload nothing, and the registry takes the next release without its layers.
    let mut document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    document["annotations"] = serde_json::json!({ "release": "the next one" });
    let bytes = serde_json::to_vec(&document).unwrap();
    let artifact: ArtifactId = Digest::sha256(&bytes).into();
    let put = http
        .put(format!("{}/v2/shop/api/manifests/v1.1.0", registry.url))
        .header("Content-Type", media_type)
        .body(bytes)
        .send()
        .await
        .unwrap();
    assert_eq!(put.status().as_u16(), 201);
    let source = self::source(&registry.url);
    let seen = source.inventory.inspect(&repository(), &artifact).await;
    assert_eq!(seen.presence, Presence::Present, "{:?}", seen.gaps);
    assert_ne!(seen.closure, Closure::Complete);
    let contradicts = |obstacle: &Obstacle| matches!(obstacle, Obstacle::Contradiction { .. });
    assert!(seen.obstacles.iter().any(contradicts), "{:?} {:?}", seen.obstacles, seen.gaps);
}

#[tokio::test]
async fn a_collected_layer_that_head_still_has_is_not_whole_on_debian_s_registry_f130() {
    if open_registry().is_some() {
        after_a_collection("docker-registry").await;
    }
}

#[tokio::test]
async fn a_collected_layer_that_head_still_has_is_not_whole_on_a_current_registry_f130() {
    match std::env::var("PRODPIN_TEST_DISTRIBUTION") {
        Ok(program) => after_a_collection(&program).await,
        Err(_) => left_out("a collection under distribution 3", "PRODPIN_TEST_DISTRIBUTION names no program"),
    }
}

#[tokio::test]
async fn lists_that_are_cut_without_a_link_are_read_to_their_end_f106() {
    let Ok(program) = std::env::var("PRODPIN_TEST_CRANE") else {
        return left_out("lists that are cut without a Link", "PRODPIN_TEST_CRANE names no `crane`");
    };
    let registry = start(|_, port| {
        let mut serve = Command::new(&program);
        serve.args(["registry", "serve", "--address", &format!("127.0.0.1:{port}")]);
        serve
    });
    let pusher = Pusher::new(&registry.url);
    let content: Content = image("a release");
    let artifact = pusher.push("shop/api", "v1.0.0", &content).await;
    for number in 0..1_004 {
        pusher.move_tag("shop/api", &format!("build-{number:04}"), &artifact).await;
    }
    let snapshot = source(&registry.url).inventory.observe(&repository()).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps), (1_005, vec![]));
}
