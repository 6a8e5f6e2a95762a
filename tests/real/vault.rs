//! A registry that is lost altogether, and comes back from the vault: a real one, with its storage thrown away.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use prodpin::model::Digest;
use prodpin::sources::memory::{Content, image, index};
use serde_json::Value;

use crate::evidence::sealed;
use crate::servers;
use crate::support::push::Pusher;

/// A registry of this test's own, so that it can be lost.
pub(crate) struct Lost {
    here: tempfile::TempDir,
    port: u16,
    server: Option<Child>,
}

impl Drop for Lost {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Lost {
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with("./vault").await
    }

    /// With a vault at this place.
    async fn start_with(vault: &str) -> Option<Self> {
        // Where the other registries run, its program is there, too.
        servers::open_registry()?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut lost = Self { here: tempfile::tempdir().unwrap(), port, server: None };
        let policy = format!(
            "version: 1\nledger: ./ledger\nvault: {vault}\nsources:\n  shop: {{ oci: \"http://127.0.0.1:{port}\", \
             repositories: [\"shop/*\"], cleanup: none }}\nproduction:\n  - {{ tags: [\"v*\"], order: semver }}\n"
        );
        std::fs::write(lost.path("prodpin.yaml"), policy).unwrap();
        lost.serve().await;
        Some(lost)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.here.path().join(name)
    }

    pub(crate) async fn serve(&mut self) {
        let (storage, port) = (self.path("storage"), self.port);
        std::fs::create_dir_all(&storage).unwrap();
        let config = format!(
            "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\nstorage:\n  filesystem: {{ rootdirectory: \
             {} }}\n  delete: {{ enabled: true }}\nhttp: {{ addr: \"127.0.0.1:{port}\", secret: tests }}\n",
            storage.display()
        );
        let file = self.path("registry.yml");
        std::fs::write(&file, config).unwrap();
        let mut command = sealed(Command::new("docker-registry"));
        command.arg("serve").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.server = Some(command.spawn().expect("docker-registry starts"));
        for _ in 0..1_200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("docker-registry does not listen on {port}");
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Everything it held is gone.
    pub(crate) async fn lose_everything(&mut self) {
        self.stop();
        std::fs::remove_dir_all(self.path("storage")).unwrap();
        self.serve().await;
    }

    pub(crate) fn prodpin(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prodpin"));
        command.args(arguments).current_dir(self.here.path()).env_clear().env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.prodpin(arguments);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    pub(crate) fn pusher(&self) -> Pusher {
        Pusher::new(&format!("http://127.0.0.1:{}", self.port))
    }

    /// Blobs that stand under their names and do not hash to them.
    fn damaged(&self) -> Vec<String> {
        let folder = self.path("vault/blobs/sha256");
        let files = std::fs::read_dir(&folder).into_iter().flatten().map(|file| file.unwrap().path());
        let whole = files.filter(|file| !name(file).contains('#'));
        whole
            .filter(|file| Digest::sha256(&std::fs::read(file).unwrap()).hex() != name(file))
            .map(|file| name(&file))
            .collect()
    }
}

fn name(file: &Path) -> String {
    file.file_name().unwrap().to_string_lossy().into_owned()
}

/// Text that no two places of are alike, so that no part of a large layer can stand for another.
pub(crate) fn large(seed: u64, bytes: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let letter = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + (state % 26) as u8)
    };
    std::iter::repeat_with(letter).take(bytes).collect()
}

fn releases() -> Vec<(&'static str, Content)> {
    vec![
        ("v1.0.0", image(&large(1, (1 << 20) + 1))),
        ("v1.1.0", index(&large(2, 1 << 20))),
        ("v1.2.0", index("small")),
        ("v1.3.0", image(&large(3, (16 << 20) + 5))),
    ]
}

fn every(content: &Content) -> Vec<&Content> {
    content.children().iter().chain([content]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_lost_everything_comes_back_byte_for_byte_i27() {
    let Some(registry) = Lost::start().await else { return };
    is_lost_and_comes_back(registry).await;
}

/// The same from a vault in another registry, whatever program that one is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_lost_everything_comes_back_from_other_registries_i27() {
    let vaults =
        [servers::open_registry(), servers::another_registry("distribution 3"), servers::another_registry("ferro")];
    for server in vaults.into_iter().flatten() {
        let host = server.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let place = format!("oci://{host}/{}/prodpin", unique());
        let Some(registry) = Lost::start_with(&place).await else { return };
        is_lost_and_comes_back(registry).await;
    }
}

/// A name that nobody else uses in a registry that is shared.
fn unique() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("vault-{}-{}", std::process::id(), now.as_nanos())
}

async fn is_lost_and_comes_back(mut registry: Lost) {
    let releases = releases();
    for (tag, content) in &releases {
        registry.pusher().push("shop/api", tag, content).await;
    }
    // Killed at moments that get later, and carried on: what is under its name is whole each time.
    for wait in [60, 120, 200, 300, 450] {
        let mut child =
            registry.prodpin(&["enforce", "--quiet"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let _ = child.kill();
        let _ = child.wait();
        assert_eq!(registry.damaged(), Vec::<String>::new());
    }
    let kept = registry.run(&["enforce", "--format", "json", "-v"]).await;
    let report: Value = serde_json::from_slice(&kept.stdout).unwrap();
    let targets = report["repositories"][0]["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 4);
    assert!(targets.iter().all(|target| target["vault"] == "kept" && target["pin"] != "failed"), "{report}");
    let second = registry.run(&["enforce", "--format", "json", "-v"]).await;
    let reported = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(reported.contains("parts=0 bytes=0"), "{reported}");

    registry.lose_everything().await;
    let pusher = registry.pusher();
    assert_eq!(pusher.manifest("shop/api", "v1.0.0").await, None);
    for (tag, content) in &releases {
        let reference = format!("shop/api@{}", content.digest());
        let dry = registry.run(&["restore", &reference]).await;
        assert!(dry.status.success(), "{}", String::from_utf8_lossy(&dry.stderr));
        assert_eq!(pusher.manifest("shop/api", tag).await, None, "a dry run changes nothing");
        let restored = registry.run(&["restore", &reference, "--apply"]).await;
        let reported =
            format!("{}{}", String::from_utf8_lossy(&restored.stdout), String::from_utf8_lossy(&restored.stderr));
        assert!(restored.status.success() && reported.contains("read back whole and pinned"), "{reported}");
    }
    for (tag, content) in &releases {
        let tagged = pusher.manifest("shop/api", tag).await.expect("its tag is back").1;
        assert_eq!(tagged, content.bytes().to_vec(), "{tag}");
        for one in every(content) {
            let found = pusher.manifest("shop/api", &one.digest().to_string()).await.expect("every manifest is back");
            assert_eq!((found.0.as_str(), found.1), (one.media_type(), one.bytes().to_vec()));
            for (digest, bytes) in one.blobs() {
                assert_eq!(pusher.get("shop/api", &format!("/v2/shop/api/blobs/{digest}")).await, bytes.to_vec());
            }
        }
    }
    let after = registry.run(&["enforce", "--format", "json"]).await;
    let report: Value = serde_json::from_slice(&after.stdout).unwrap();
    assert_eq!(report["summary"]["protected"], 4, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_that_rots_in_the_registry_is_refused_f104_i27() {
    let Some(registry) = Lost::start().await else { return };
    let (good, rotten) = (image("good"), image(&large(7, 2 << 20)));
    for (tag, content) in [("v1.0.0", &good), ("v1.1.0", &rotten)] {
        registry.pusher().push("shop/api", tag, content).await;
    }
    // One bit of one layer flips on its disk: the registry serves it, and its size is right.
    let layer = rotten.blobs()[1].0.hex();
    let file =
        registry.path("storage").join("docker/registry/v2/blobs/sha256").join(&layer[..2]).join(&layer).join("data");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[1 << 20] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let ran = registry.run(&["enforce", "--format", "json"]).await;
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let found = report["findings"].as_array().unwrap().iter().find(|found| found["code"] == "vault-incomplete");
    let found = found.expect("it is told");
    assert_eq!(found["severity"], "high", "{found}");
    assert!(found["message"].as_str().unwrap().contains("do not hash"), "{found}");
    let states: Vec<&str> = report["repositories"][0]["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|target| target["vault"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["missing", "kept"]);
    assert!(!registry.path("vault/blobs/sha256").join(layer).exists());
    assert_eq!(registry.damaged(), Vec::<String>::new());
}
