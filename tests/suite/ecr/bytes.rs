//! Bytes of ECR: read by the registry protocol for a drill and a vault, and put back; by rights that documents of their own grant.

use std::collections::BTreeSet;
use std::process::Stdio;

use prodpin::model::ArtifactId;
use prodpin::sources::content::{Lost, Taker};
use prodpin::sources::memory::{Content, image, index};
use prodpin_net::http::fault::Fault;
use serde_json::json;

use super::calls::statements;
use super::*;
use crate::support::ecr::{ACCOUNT, REGION};

/// A registry with two releases, and a policy beside it.
struct Payments {
    server: EcrServer,
    here: tempfile::TempDir,
    releases: Vec<(&'static str, Content)>,
}

struct Ran {
    status: i32,
    said: String,
    stdout: String,
}

impl Payments {
    async fn open() -> Self {
        let server = EcrServer::start().await;
        // More than one of the pieces in which a blob is sent.
        let large = image(&"0123456789abcdef".repeat((9 << 20) / 16));
        let releases = vec![("v1.0.0", index("one")), ("v1.1.0", large)];
        for (tag, content) in &releases {
            server.push("shop/api", tag, content);
        }
        let here = tempfile::tempdir().unwrap();
        let policy = format!(
            "version: 1\nledger: ./ledger\nvault: ./vault\nsources:\n  payments: {{ ecr: {{ region: {REGION}, registry: \
             \"{ACCOUNT}\", endpoint: \"{}\" }}, repositories: [\"shop/*\"] }}\nproduction:\n  - {{ tags: [\"v*\"], order: \
             semver }}\n",
            server.url()
        );
        std::fs::write(here.path().join("prodpin.yaml"), policy).unwrap();
        Self { server, here, releases }
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_prodpin"));
        command.args(arguments).current_dir(self.here.path()).env_clear().env("NO_COLOR", "1").stdin(Stdio::null());
        let of_aws = [("AWS_ACCESS_KEY_ID", TRUSTED), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_REGION", REGION)];
        command.envs(of_aws).env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        let output = command.output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        Ran { status: output.status.code().unwrap(), said: format!("{stdout}{stderr}"), stdout }
    }

    fn called(&self) -> BTreeSet<String> {
        self.server.calls().into_iter().map(|call| call.operation).collect()
    }

    fn lose(&self, content: &Content) {
        let mut holdings = self.server.holdings();
        let repository = holdings.repositories.get_mut("shop/api").unwrap();
        for part in content.children().iter().chain([content]) {
            repository.images.retain(|image| image.digest != part.digest());
            for (digest, _) in part.blobs() {
                repository.blobs.remove(&digest.to_string());
                repository.layers.remove(&digest.to_string());
            }
        }
    }
}

fn granted(documents: &[&str]) -> BTreeSet<String> {
    documents.iter().flat_map(|document| statements(document).0).collect()
}

const ENFORCE: &str = include_str!("../../../policies/ecr/iam-enforce.json");
const AUDIT: &str = include_str!("../../../policies/ecr/iam-audit.json");
const DRILL: &str = include_str!("../../../policies/ecr/iam-drill.json");
const RESTORE: &str = include_str!("../../../policies/ecr/iam-restore.json");

#[tokio::test(flavor = "multi_thread")]
async fn what_ecr_lost_comes_back_by_rights_of_its_own_i27_i17() {
    let payments = Payments::open().await;
    let kept = payments.run(&["enforce", "--format", "json", "-v"]).await;
    let report: Value = serde_json::from_str(&kept.stdout).unwrap_or_else(|_| panic!("{}", kept.said));
    let targets = report["repositories"][0]["targets"].as_array().unwrap();
    assert!(targets.len() == 2 && targets.iter().all(|target| target["vault"] == "kept"), "{report:#}");
    assert!(payments.called().is_subset(&granted(&[ENFORCE, DRILL])), "{:?}", payments.called());
    assert!(!granted(&[ENFORCE]).contains("GetAuthorizationToken"), "a run without a vault asks for no password");
    let second = payments.run(&["enforce", "-v"]).await;
    assert!(second.said.contains("parts=0 bytes=0"), "{}", second.said);

    payments.server.forget_calls();
    let drilled = payments.run(&["drill"]).await;
    assert!(drilled.status == 0 && drilled.said.starts_with("2 of 2"), "{}", drilled.said);
    assert!(payments.called().is_subset(&granted(&[AUDIT, DRILL])), "{:?}", payments.called());

    for (tag, content) in &payments.releases {
        payments.lose(content);
        payments.server.forget_calls();
        let reference = format!("shop/api@{}", content.digest());
        let dry = payments.run(&["restore", &reference]).await;
        assert!(dry.status == 0 && dry.said.contains("they would be pushed"), "{}", dry.said);
        assert!(
            payments.called().is_subset(&granted(&[AUDIT, DRILL])),
            "a dry run only reads: {:?}",
            payments.called()
        );
        let restored = payments.run(&["restore", &reference, "--apply"]).await;
        assert_eq!(restored.status, 0, "{}", restored.said);
        assert!(restored.said.contains("It is not pinned yet"), "{}", restored.said);
        assert!(payments.called().is_subset(&granted(&[RESTORE])), "{:?}", payments.called());
        let holdings = payments.server.holdings();
        let repository = &holdings.repositories["shop/api"];
        for part in content.children().iter().chain([content]) {
            let found = repository.images.iter().find(|image| image.digest == part.digest()).expect("it is back");
            assert_eq!((found.text.as_bytes(), found.media_type.as_str()), (part.bytes().as_ref(), part.media_type()));
            for (digest, bytes) in part.blobs() {
                assert_eq!(repository.blobs[&digest.to_string()], bytes.to_vec());
            }
        }
        let root = repository.images.iter().find(|image| image.digest == content.digest()).unwrap();
        assert_eq!(root.tags.iter().collect::<Vec<_>>(), [tag], "no pin before the rules were judged");
    }
    let pinned = payments.run(&["enforce", "--format", "json"]).await;
    let report: Value = serde_json::from_str(&pinned.stdout).unwrap_or_else(|_| panic!("{}", pinned.said));
    assert_eq!(report["summary"]["pinned"], 2, "{report:#}");
    assert_eq!(payments.run(&["drill"]).await.status, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_rots_in_ecr_is_found_by_its_bytes_f104() {
    let payments = Payments::open().await;
    payments.run(&["audit", "--quiet"]).await;
    let (digest, _) = payments.releases[1].1.blobs().into_iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    {
        let mut holdings = payments.server.holdings();
        let repository = holdings.repositories.get_mut("shop/api").unwrap();
        repository.blobs.get_mut(&digest.to_string()).unwrap()[77] ^= 1;
    }
    let drilled = payments.run(&["drill"]).await;
    assert_eq!(drilled.status, 3, "{}", drilled.said);
    assert!(drilled.said.contains("BROKEN") && drilled.said.contains(&digest.to_string()), "{}", drilled.said);
}

/// The documents for bytes grant nothing that deletes or loosens, and the drill's nothing that writes.
#[test]
fn the_documents_for_bytes_grant_no_more_than_bytes_need_i17_a55() {
    let (drill, _) = statements(DRILL);
    assert_eq!(
        drill,
        BTreeSet::from(["BatchGetImage", "GetAuthorizationToken", "GetDownloadUrlForLayer"].map(str::to_owned))
    );
    let (restore, denied) = statements(RESTORE);
    let (audit, never) = statements(AUDIT);
    let beyond: BTreeSet<String> = restore.difference(&audit).cloned().collect();
    let pushing = ["CompleteLayerUpload", "InitiateLayerUpload", "PutImage", "UploadLayerPart"];
    let pulling = ["GetAuthorizationToken", "GetDownloadUrlForLayer"];
    assert_eq!(beyond, pushing.iter().chain(&pulling).map(|&action| action.to_owned()).collect());
    assert_eq!(denied, never.into_iter().filter(|action| !pushing.contains(&action.as_str())).collect());
    assert!(denied.contains("BatchDeleteImage") && denied.is_disjoint(&restore));
}

/// Who takes nothing.
struct Nobody;

#[async_trait::async_trait]
impl Taker for Nobody {
    async fn begin(&mut self, _at: u64) -> Result<(), Fault> {
        panic!("nothing is to come")
    }

    async fn take(&mut self, _piece: ::bytes::Bytes) -> Result<(), Fault> {
        panic!("nothing is to come")
    }
}

/// The password goes to this account's registry, or to where the policy sends the API's calls, whatever an answer names (F13).
#[tokio::test]
async fn the_password_is_sent_to_no_other_registry_f13() {
    for endpoint in [
        "https://444455556666.dkr.ecr.eu-west-1.amazonaws.com",
        "https://111122223333.dkr.ecr.us-east-1.amazonaws.com",
        "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
        "http://111122223333.dkr.ecr.eu-west-1.amazonaws.com",
        "https://evil.example",
    ] {
        let server = EcrServer::start().await;
        let digest = server.push("shop/api", "v1", &image("one"));
        server.lie(move |call| {
            let data =
                json!({ "authorizationToken": "QVdTOng=", "expiresAt": 1_999_999_999, "proxyEndpoint": endpoint });
            (call.operation == "GetAuthorizationToken").then(|| Answer::ok(json!({ "authorizationData": [data] })))
        });
        let source = server.open_as(TRUSTED, &["shop/*"], false).await;
        let content = source.inventory.content().unwrap();
        let layer = image("one").blobs()[0].0.clone();
        let lost = content.blob(&api(), &layer, 0, &mut Nobody).await.unwrap_err();
        assert!(matches!(&lost, Lost::Unknown(fault) if fault.detail.contains("no password")), "{endpoint}: {lost}");
        assert_eq!(source.inventory.inspect(&api(), &ArtifactId::from(digest)).await.gaps, []);
    }
}
