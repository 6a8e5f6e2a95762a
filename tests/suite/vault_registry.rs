//! A vault in a second registry: kept there by digest, under tags that nobody moves; drilled and put back from there.

use std::process::Stdio;

use prodpin::model::Digest;
use prodpin::sources::memory::{Content, image, index};
use serde_json::Value;

use crate::support::push::Pusher;
use crate::support::registry::Registry;

const VAULT: &str = "backup/prodpin";

/// A registry with releases, another one for the vault, and a policy beside them.
struct Two {
    source: Registry,
    vault: Registry,
    here: tempfile::TempDir,
    releases: Vec<(&'static str, Content)>,
}

struct Ran {
    status: i32,
    stdout: String,
    said: String,
}

impl Two {
    async fn open() -> Self {
        let (source, vault) = (Registry::start().await, Registry::start().await);
        let pusher = Pusher::new(&source.url());
        // More than one of the pieces in which a blob is sent.
        let large = image(&"0123456789abcdef".repeat((11 << 20) / 16));
        let releases = vec![("v1.0.0", index("one")), ("v1.1.0", large)];
        for (tag, content) in &releases {
            pusher.push("shop/api", tag, content).await;
        }
        let here = tempfile::tempdir().unwrap();
        let host = vault.url().trim_start_matches("http://").to_owned();
        let policy = format!(
            "version: 1\nledger: ./ledger\nvault: oci://{host}/{VAULT}\nsources:\n  r: {{ oci: \"{}\", repositories: \
             [\"shop/*\"], cleanup: none }}\nproduction:\n  - {{ tags: [\"v*\"], order: semver }}\n",
            source.url()
        );
        std::fs::write(here.path().join("prodpin.yaml"), policy).unwrap();
        Self { source, vault, here, releases }
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_prodpin"));
        command.args(arguments).current_dir(self.here.path()).env_clear().env("NO_COLOR", "1").stdin(Stdio::null());
        let output = command.output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        Ran { status: output.status.code().unwrap(), said: format!("{stdout}{stderr}"), stdout }
    }

    async fn states(&self, command: &str) -> Vec<String> {
        let ran = self.run(&[command, "--format", "json"]).await;
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.said));
        let targets = report["repositories"][0]["targets"].as_array().unwrap();
        targets.iter().map(|target| target["vault"].as_str().unwrap_or("none").to_owned()).collect()
    }

    fn writes(&self) -> usize {
        let requests = self.vault.requests();
        requests.iter().filter(|request| !matches!(request.method.as_str(), "GET" | "HEAD")).count()
    }

    /// Deletes a release with everything below it.
    async fn lose(&self, content: &Content) {
        let pusher = Pusher::new(&self.source.url());
        for one in content.children().iter().chain([content]) {
            pusher.delete_manifest("shop/api", &one.id()).await;
            for (digest, _) in one.blobs() {
                pusher.delete_blob("shop/api", &digest).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_comes_back_from_another_registry_i27() {
    let two = Two::open().await;
    assert_eq!(two.states("audit").await, ["missing", "missing"]);
    assert_eq!(two.writes(), 0, "looking writes nothing");
    assert_eq!(two.states("enforce").await, ["kept", "kept"]);
    let kept = Pusher::new(&two.vault.url());
    for (_, content) in &two.releases {
        for one in content.children().iter().chain([content]) {
            // Under its digest, and under a tag of its own, so that no cleanup of untagged manifests takes it.
            for reference in [one.digest().to_string(), format!("kept-{}", one.digest().hex())] {
                let (media_type, bytes) = kept.manifest(VAULT, &reference).await.expect("it is kept");
                assert_eq!((media_type.as_str(), bytes), (one.media_type(), one.bytes().to_vec()));
            }
            for (digest, bytes) in one.blobs() {
                assert_eq!(kept.get(VAULT, &format!("/v2/{VAULT}/blobs/{digest}")).await, bytes.to_vec());
            }
        }
    }
    two.vault.forget_requests();
    let second = two.run(&["enforce", "-v"]).await;
    assert!(second.said.contains("parts=0 bytes=0"), "{}", second.said);
    assert_eq!(two.writes(), 0, "what is known is not written again");
    let drilled = two.run(&["drill", "--from", "vault"]).await;
    assert!(drilled.status == 0 && drilled.said.starts_with("2 of 2"), "{}", drilled.said);

    for (tag, content) in &two.releases {
        two.lose(content).await;
        let listed = two.run(&["restore", "shop/api"]).await;
        assert!(listed.status == 0 && listed.said.contains(tag), "{}", listed.said);
        let restored = two.run(&["restore", &format!("shop/api:{tag}"), "--apply"]).await;
        assert!(restored.status == 0 && restored.said.contains("read back whole and pinned"), "{}", restored.said);
        let pusher = Pusher::new(&two.source.url());
        let tagged = pusher.manifest("shop/api", tag).await.expect("its tag is back").1;
        assert_eq!(Digest::sha256(&tagged), content.digest());
        for one in content.children().iter().chain([content]) {
            for (digest, bytes) in one.blobs() {
                assert_eq!(pusher.get("shop/api", &format!("/v2/shop/api/blobs/{digest}")).await, bytes.to_vec());
            }
        }
    }
    assert_eq!(two.writes(), 0, "restoring writes nothing to the vault");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_lost_a_part_says_so_and_copies_it_again_i27_f104() {
    let two = Two::open().await;
    assert_eq!(two.states("enforce").await, ["kept", "kept"]);
    let (_, content) = &two.releases[1];
    let (digest, _) = content.blobs().into_iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    Pusher::new(&two.vault.url()).delete_blob(VAULT, &digest).await;
    let drilled = two.run(&["drill", "--from", "vault"]).await;
    assert!(drilled.status == 3 && drilled.said.contains(&digest.to_string()), "{}", drilled.said);
    assert!(two.states("audit").await.contains(&"missing".to_owned()));
    assert_eq!(two.states("enforce").await, ["kept", "kept"]);
    assert_eq!(two.run(&["drill", "--from", "vault"]).await.status, 0);
}

/// A tag that is the vault's by its name, and that somebody put to something else, is left to them, and is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_somebody_holds_in_the_vault_is_left_alone_i8() {
    let two = Two::open().await;
    let (_, content) = &two.releases[1];
    let (other, tag) = (image("other"), format!("kept-{}", content.digest().hex()));
    Pusher::new(&two.vault.url()).push(VAULT, &tag, &other).await;
    let ran = two.run(&["enforce", "--format", "json"]).await;
    assert!(ran.stdout.contains("left alone"), "{}", ran.said);
    let found = Pusher::new(&two.vault.url()).manifest(VAULT, &tag).await.unwrap().1;
    assert_eq!(Digest::sha256(&found), other.digest());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_down_costs_no_pin_and_what_is_there_is_unknown_i27() {
    let two = Two::open().await;
    let Two { source: _source, vault, here, .. } = two;
    drop(vault);
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_prodpin"));
    command.args(["enforce", "--format", "json"]).current_dir(here.path()).env_clear().env("NO_COLOR", "1");
    let output = command.stdin(Stdio::null()).output().await.unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["summary"]["pinned"], 2);
    let targets = report["repositories"][0]["targets"].as_array().unwrap();
    assert!(targets.iter().all(|target| target["vault"] == "unknown"), "{report:#}");
}
