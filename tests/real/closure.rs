//! What is called protected outlives a cleanup of tags and a collection of what has none (I26): on real registries, by their
//! own collectors, of which one follows nothing and the other no subjects (K64b).

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use prodpin::model::{ArtifactId, Digest};
use prodpin::sources::memory::{image, index, index_of};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::evidence::{CONFIGURATION, configuration, free_port, sealed};
use crate::servers::open_registry;
use crate::support::left_out::left_out;
use crate::support::push::Pusher;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const REPOSITORY: &str = "shop/api";

/// A registry in a directory, which can be stopped, collected and started again.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    program: String,
    port: u16,
    process: Option<Child>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Place {
    pub(crate) fn new(program: &str) -> Self {
        let mut place =
            Self { folder: tempfile::tempdir().unwrap(), program: program.to_owned(), port: 0, process: None };
        place.start();
        place
    }

    fn start(&mut self) {
        for _ in 0..5 {
            self.port = free_port();
            let mut serve = Command::new(&self.program);
            serve.args(["serve", &configuration(self.folder.path(), self.port)]);
            let mut process = sealed(serve).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            for _ in 0..1200 {
                if process.try_wait().unwrap().is_some() {
                    break;
                }
                if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                    self.process = Some(process);
                    return;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = process.kill();
            let _ = process.wait();
        }
        panic!("{} did not start", self.program);
    }

    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// A cleanup of tags that takes every one but pins, and then the collection that the registry's own manual describes, with
    /// its server stopped.
    pub(crate) fn collect(&mut self) {
        self.stop();
        let tags = format!("data/docker/registry/v2/repositories/{REPOSITORY}/_manifests/tags");
        for tag in std::fs::read_dir(self.folder.path().join(tags)).unwrap() {
            let tag = tag.unwrap();
            if !tag.file_name().to_str().unwrap().starts_with("prod-pinned-") {
                std::fs::remove_dir_all(tag.path()).unwrap();
            }
        }
        let mut collect = Command::new(&self.program);
        collect.args(["garbage-collect", "--delete-untagged"]).arg(self.folder.path().join(CONFIGURATION));
        let collected = sealed(collect).output().unwrap();
        assert!(collected.status.success(), "{}", String::from_utf8_lossy(&collected.stderr));
        self.start();
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn pusher(&self) -> Pusher {
        Pusher::new(&self.url())
    }

    /// What the program reports, under a policy that says this of pins.
    pub(crate) fn enforce(&self, pins: &str) -> Value {
        let policy = self.folder.path().join("prodpin.yaml");
        let text = format!(
            "version: 1\nledger: {}\n{pins}\nsources:\n  shop: {{ oci: \"{}\", repositories: [\"{REPOSITORY}\"] }}\n\
             production:\n  - {{ tags: [\"v*\"], order: semver }}\n",
            self.folder.path().join("ledger").display(),
            self.url(),
        );
        std::fs::write(&policy, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_prodpin"));
        command.env_clear().env("HOME", self.folder.path()).arg("enforce").arg("--policy").arg(&policy);
        let output = command.args(["--format", "json", "--quiet"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
    }
}

/// Pushes a manifest by its digest alone, with the blobs of it.
async fn put(
    pusher: &Pusher,
    repository: &str,
    reference: Option<&str>,
    media_type: &str,
    document: &Value,
) -> (Digest, usize) {
    let bytes = document.to_string().into_bytes();
    let (digest, size) = (Digest::sha256(&bytes), bytes.len());
    let reference = reference.map_or_else(|| digest.to_string(), str::to_owned);
    pusher.put_manifest(repository, &reference, media_type, bytes).await;
    (digest, size)
}

async fn blob(pusher: &Pusher, repository: &str, text: &str) -> Value {
    let digest = Digest::sha256(text.as_bytes());
    pusher.upload(repository, &digest, text.as_bytes().to_vec()).await;
    json!({ "mediaType": "application/vnd.in-toto+json", "digest": digest.to_string(), "size": text.len() })
}

/// Something that is about something else: a signature, an attestation.
async fn about(pusher: &Pusher, repository: &str, text: &str, subject: Option<&Value>) -> Value {
    let mut config = blob(pusher, repository, "{}").await;
    config["mediaType"] = json!("application/vnd.oci.empty.v1+json");
    let layer = blob(pusher, repository, text).await;
    let mut document = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.in-toto+json", "config": config,
        "layers": [layer],
    });
    if let Some(subject) = subject {
        document["subject"] = subject.clone();
    }
    document
}

/// Releases of every kind. What each needs beside its own manifests is reported: what is attached to it.
pub(crate) async fn stock(pusher: &Pusher, repository: &str) -> Vec<(ArtifactId, Vec<Digest>)> {
    let mut releases = Vec::new();
    for (tag, content) in [
        ("v1.0.0", image("one platform")),
        ("v1.1.0", index("two platforms")),
        ("v1.2.0", index_of(vec![index("two platforms of an index in an index"), image("beside it")])),
    ] {
        releases.push((pusher.push(repository, tag, &content).await, Vec::new()));
    }
    // An index with an attestation in it, as BuildKit writes it, that shares a platform with another.
    let shared = index("two platforms").children()[0].clone();
    let attestation = about(pusher, repository, "how it was built", None).await;
    let (attested, size) = put(pusher, repository, None, MANIFEST, &attestation).await;
    let entries = json!([
        { "mediaType": MANIFEST, "digest": shared.digest().to_string(), "size": shared.bytes().len(),
          "platform": { "os": "linux", "architecture": "amd64" } },
        { "mediaType": MANIFEST, "digest": attested.to_string(), "size": size,
          "platform": { "os": "unknown", "architecture": "unknown" },
          "annotations": { "vnd.docker.reference.type": "attestation-manifest",
                           "vnd.docker.reference.digest": shared.digest().to_string() } },
    ]);
    let document = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
    let (release, _) = put(pusher, repository, Some("v1.3.0"), INDEX, &document).await;
    releases.push((release.into(), vec![attested]));
    // One that is signed by tag, and by subject.
    let content = image("signed");
    let release = pusher.push(repository, "v1.4.0", &content).await;
    let hex = content.digest().hex();
    let signature = about(pusher, repository, "signed by tag", None).await;
    let (by_tag, _) = put(pusher, repository, Some(&format!("sha256-{hex}.sig")), MANIFEST, &signature).await;
    let subject = json!({ "mediaType": MANIFEST, "digest": release.to_string(), "size": content.bytes().len() });
    let (by_subject, size) =
        put(pusher, repository, None, MANIFEST, &about(pusher, repository, "by subject", Some(&subject)).await).await;
    let entry = json!({ "mediaType": MANIFEST, "digest": by_subject.to_string(), "size": size,
                        "artifactType": "application/vnd.in-toto+json" });
    let list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] });
    put(pusher, repository, Some(&format!("sha256-{hex}")), INDEX, &list).await;
    releases.push((release, vec![by_tag, by_subject]));
    releases
}

/// Something that is no image, and is released all the same.
pub(crate) async fn artifact(pusher: &Pusher, repository: &str, tag: &str) -> ArtifactId {
    let document = about(pusher, repository, "rules of a policy engine", None).await;
    put(pusher, repository, Some(tag), MANIFEST, &document).await.0.into()
}

/// What of a release cannot be had any more, by digest, as a client pulls it.
pub(crate) async fn lost(pusher: &Pusher, url: &str, repository: &str, roots: Vec<Digest>) -> BTreeSet<Digest> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let (mut lost, mut left) = (BTreeSet::new(), roots);
    while let Some(digest) = left.pop() {
        let Some((_, bytes)) = pusher.manifest(repository, &digest.to_string()).await else {
            lost.insert(digest);
            continue;
        };
        assert!(digest.matches(&bytes));
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        let digest_of = |descriptor: &Value| descriptor["digest"].as_str().unwrap().parse::<Digest>().unwrap();
        left.extend(document["manifests"].as_array().into_iter().flatten().map(digest_of));
        let config = document.get("config").into_iter();
        for blob in document["layers"].as_array().into_iter().flatten().chain(config).map(digest_of) {
            let answer = http.get(format!("{url}/v2/{repository}/blobs/{blob}")).send().await.unwrap();
            let is_there = answer.status().is_success();
            if !is_there || !blob.matches(&answer.bytes().await.unwrap_or_default()) {
                lost.insert(blob);
            }
        }
    }
    lost
}

pub(crate) async fn tags(pusher: &Pusher, repository: &str) -> BTreeSet<String> {
    let list: Value =
        serde_json::from_slice(&pusher.get(repository, &format!("/v2/{repository}/tags/list")).await).unwrap();
    list["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()).collect()
}

/// Pins an estate, collects, and says what of it is lost, and what was called protected.
async fn after_a_collection(program: &str, pins: &str) -> (BTreeSet<Digest>, BTreeSet<bool>, Value) {
    let mut place = Place::new(program);
    let releases = stock(&place.pusher(), REPOSITORY).await;
    let report = place.enforce(pins);
    let pinned = tags(&place.pusher(), REPOSITORY).await;
    let again = place.enforce(pins);
    assert_eq!(tags(&place.pusher(), REPOSITORY).await, pinned, "a second run pushes nothing (I13)");
    let targets = again["repositories"][0]["targets"].as_array().unwrap().clone();
    assert_eq!(targets.len(), releases.len(), "{report}");
    let protected = targets.iter().map(|target| target["protected"] == json!(true)).collect();
    place.collect();
    let pusher = place.pusher();
    let mut gone = BTreeSet::new();
    for (release, attached) in releases {
        let roots = release.digest().cloned().into_iter().chain(attached).collect();
        gone.extend(lost(&pusher, &place.url(), REPOSITORY, roots).await);
    }
    (gone, protected, again)
}

async fn survives(program: &str) {
    let (lost, protected, report) = after_a_collection(program, "").await;
    assert_eq!(protected, BTreeSet::from([true]), "{report:#}");
    assert_eq!(lost, BTreeSet::new(), "{program}: what was called protected");
    // With pins on indexes alone the same collection takes something: else this shows nothing. It was not called protected.
    let (lost, protected, report) = after_a_collection(program, "pins: { cover: index }").await;
    assert!(!lost.is_empty(), "{program}: the collection takes nothing");
    assert!(protected.contains(&false), "{report:#}");
    let codes: Vec<&str> = report["findings"].as_array().unwrap().iter().filter_map(|f| f["code"].as_str()).collect();
    assert!(codes.contains(&"pin-children-unprotected"), "{codes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_protected_outlives_the_collection_of_debian_s_registry_i26_k64b() {
    if open_registry().is_some() {
        survives("docker-registry").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_protected_outlives_the_collection_of_a_current_registry_i26_k64b() {
    match std::env::var("PRODPIN_TEST_DISTRIBUTION") {
        Ok(program) => survives(&program).await,
        Err(_) => left_out("a collection under distribution 3", "PRODPIN_TEST_DISTRIBUTION names no program"),
    }
}
