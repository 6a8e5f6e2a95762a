//! Objects of a bucket in a vault: kept once, drilled, and put back where nothing is; with their metadata, and under a version id
//! that is said to be a new one.

use std::process::{Command, Output, Stdio};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use serde_json::Value;

use crate::servers::{self, Server};
use crate::vault::large;

/// A bucket with releases, and a policy beside it.
struct Bundles {
    here: tempfile::TempDir,
    server: Server,
    client: Client,
    bucket: String,
}

impl Bundles {
    async fn new(name: &str) -> Option<Self> {
        let server = servers::s3()?;
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
            .endpoint_url(&server.url)
            .force_path_style(true)
            .build();
        let client = Client::from_conf(config);
        let bucket = format!("bundles-{name}-{}", std::process::id());
        client.create_bucket().bucket(&bucket).object_lock_enabled_for_bucket(true).send().await.unwrap();
        let here = tempfile::tempdir().unwrap();
        let policy = format!(
            "version: 1\nledger: ./ledger\nvault: ./vault\nsources:\n  bundles: {{ s3: {bucket}, layout: \
             \"{{repository}}/{{version}}/bundle.zip\", region: us-east-1, endpoint: \"{}\", path_style: true }}\n\
             production:\n  - {{ tags: [\"[0-9]*\"], order: semver }}\n",
            server.url
        );
        std::fs::write(here.path().join("prodpin.yaml"), policy).unwrap();
        Some(Self { here, server, client, bucket })
    }

    async fn put(&self, key: &str, bytes: &[u8]) -> String {
        let put = self.client.put_object().bucket(&self.bucket).key(key).body(ByteStream::from(bytes.to_vec()));
        let put = put.content_type("application/zip").content_encoding("identity").metadata("build", "42");
        put.send().await.unwrap().version_id().unwrap().to_owned()
    }

    /// In two parts: the bucket then has a checksum of these, and none of the whole.
    async fn put_in_parts(&self, key: &str, parts: [&[u8]; 2]) -> String {
        let (client, bucket) = (&self.client, &self.bucket);
        let begun = client.create_multipart_upload().bucket(bucket).key(key).send().await.unwrap();
        let id = begun.upload_id().unwrap();
        let mut done = CompletedMultipartUpload::builder();
        for (number, part) in (1..).zip(parts) {
            let body = ByteStream::from(part.to_vec());
            let sent = client.upload_part().bucket(bucket).key(key).upload_id(id).part_number(number).body(body);
            let sent = sent.send().await.unwrap();
            done = done.parts(CompletedPart::builder().part_number(number).e_tag(sent.e_tag().unwrap()).build());
        }
        let complete = client.complete_multipart_upload().bucket(bucket).key(key).upload_id(id);
        let completed = complete.multipart_upload(done.build()).send().await.unwrap();
        completed.version_id().unwrap().to_owned()
    }

    /// The version is gone for good, whatever held it.
    async fn lose(&self, key: &str, version: &str) {
        let (client, bucket) = (&self.client, &self.bucket);
        let off = aws_sdk_s3::types::ObjectLockLegalHold::builder()
            .status(aws_sdk_s3::types::ObjectLockLegalHoldStatus::Off)
            .build();
        let hold = client.put_object_legal_hold().bucket(bucket).key(key).version_id(version).legal_hold(off);
        hold.send().await.unwrap();
        client.delete_object().bucket(bucket).key(key).version_id(version).send().await.unwrap();
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prodpin"));
        command.args(arguments).current_dir(self.here.path()).env_clear().env("NO_COLOR", "1").stdin(Stdio::null());
        let of_aws = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")];
        command.envs(of_aws).env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        assert!(!self.server.url.is_empty());
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments).await;
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output)))
    }

    /// Every version and marker, as lines.
    async fn listed(&self) -> Vec<String> {
        let listed = self.client.list_object_versions().bucket(&self.bucket).send().await.unwrap();
        let versions = listed.versions().iter().map(|one| format!("{:?} {:?}", one.key(), one.version_id()));
        let markers =
            listed.delete_markers().iter().map(|one| format!("marker {:?} {:?}", one.key(), one.version_id()));
        versions.chain(markers).collect()
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn states(report: &Value) -> Vec<&str> {
    let targets = report["repositories"][0]["targets"].as_array().unwrap();
    targets.iter().map(|target| target["vault"].as_str().unwrap_or("none")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_is_lost_comes_back_byte_for_byte_i27_i8() {
    let Some(bundles) = Bundles::new("lost").await else { return };
    // More than two of the slices that are asked for at once.
    let big = large(31, (9 << 20) + 7).into_bytes();
    let key = "api/1.1.0/bundle.zip";
    bundles.put("api/1.0.0/bundle.zip", b"one").await;
    let version = bundles.put(key, &big).await;

    let audit = bundles.json(&["audit", "--format", "json"]).await;
    assert_eq!(states(&audit), ["missing", "missing"], "{audit:#}");
    let first = bundles.run(&["enforce", "--format", "json", "-v"]).await;
    let report: Value =
        serde_json::from_slice(&first.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&first)));
    assert_eq!(states(&report), ["kept", "kept"], "{}", text(&first));
    // Two files, what stands in place of a configuration once, and two manifests.
    let blobs = std::fs::read_dir(bundles.here.path().join("vault/blobs/sha256")).unwrap().count();
    assert_eq!(blobs, 5);
    let second = text(&bundles.run(&["enforce", "-v"]).await);
    assert!(second.contains("parts=0 bytes=0"), "{second}");

    for place in ["source", "vault"] {
        let drilled = bundles.run(&["drill", "--from", place]).await;
        assert!(drilled.status.success() && text(&drilled).starts_with("2 of 2"), "{place}: {}", text(&drilled));
    }

    bundles.lose(key, &version).await;
    let reference = format!("api@{key}?versionId={version}");
    let command = format!("prodpin restore --source bundles '{reference}' --apply");
    let ready = text(&bundles.run(&["ready", "api"]).await);
    assert!(ready.contains(&command), "{ready}");
    let before = bundles.listed().await;
    let dry = bundles.run(&["restore", &reference]).await;
    assert!(dry.status.success() && text(&dry).contains("readers get nothing there"), "{}", text(&dry));
    assert_eq!(bundles.listed().await, before, "a dry run changes nothing");

    let restored = bundles.run(&["restore", "--source", "bundles", &reference, "--apply"]).await;
    let said = text(&restored);
    assert!(restored.status.success() && said.contains("another version id"), "{said}");
    assert!(said.contains("pin: made") && !said.contains("not on record"), "{said}");
    let back = bundles.client.get_object().bucket(&bundles.bucket).key(key).send().await.unwrap();
    assert_ne!(back.version_id().unwrap(), version);
    assert_eq!((back.content_type(), back.content_encoding()), (Some("application/zip"), Some("identity")));
    assert_eq!(back.metadata().unwrap().get("build").map(String::as_str), Some("42"));
    assert!(said.contains(back.version_id().unwrap()), "{said}");
    assert_eq!(back.body.collect().await.unwrap().into_bytes(), big);

    let again = bundles.run(&["restore", &reference, "--apply"]).await;
    assert!(again.status.success() && text(&again).contains("Nothing was missing"), "{}", text(&again));
    // What restore put there is nobody else's doing.
    let report = bundles.json(&["enforce", "--format", "json"]).await;
    let codes: Vec<&str> =
        report["findings"].as_array().unwrap().iter().map(|found| found["code"].as_str().unwrap()).collect();
    let unwanted =
        |code: &&str| code.starts_with("tag-") || code.starts_with("target-") || *code == "object-overwritten";
    assert!(!codes.iter().any(unwanted), "{codes:?}");
    assert_eq!(states(&report), ["kept", "kept"], "{report:#}");
    // It is in the vault under its new name too, and nothing was moved for that.
    let by_key = text(&bundles.run(&["restore", "api"]).await);
    assert!(by_key.matches(key).count() >= 2, "{by_key}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_at_a_key_is_never_written_over_i8_i27() {
    let Some(bundles) = Bundles::new("taken").await else { return };
    let key = "api/1.0.0/bundle.zip";
    let version = bundles.put(key, b"the release").await;
    assert_eq!(states(&bundles.json(&["enforce", "--format", "json"]).await), ["kept"]);
    bundles.lose(key, &version).await;
    let theirs = bundles.put(key, b"what somebody put there").await;
    let before = bundles.listed().await;
    let reference = format!("api@{key}?versionId={version}");
    let refused = bundles.run(&["restore", &reference, "--apply"]).await;
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("left alone: readers get another object") && said.contains(&theirs), "{said}");
    // Where its bytes are is said, for whoever takes them by hand.
    let path = said.lines().find(|line| line.contains("blobs/sha256/")).unwrap_or_else(|| panic!("{said}"));
    assert_eq!(std::fs::read(bundles.here.path().join(path.trim())).unwrap(), b"the release");
    assert_eq!(bundles.listed().await, before);

    // Behind a delete marker readers get nothing: the key is free.
    bundles.client.delete_object().bucket(&bundles.bucket).key(key).send().await.unwrap();
    let restored = bundles.run(&["restore", &reference, "--apply"]).await;
    assert!(restored.status.success(), "{}", text(&restored));
    let back = bundles.client.get_object().bucket(&bundles.bucket).key(key).send().await.unwrap();
    assert_eq!(&back.body.collect().await.unwrap().into_bytes()[..], b"the release");

    // A copy that rotted in the vault is not sent.
    let digest = prodpin::model::Digest::sha256(b"the release").hex();
    std::fs::write(bundles.here.path().join("vault/blobs/sha256").join(&digest), b"the rel-ase").unwrap();
    bundles.client.delete_object().bucket(&bundles.bucket).key(key).send().await.unwrap();
    let before = bundles.listed().await;
    let refused = bundles.run(&["restore", &reference, "--apply"]).await;
    assert!(refused.status.code() == Some(1) && text(&refused).contains("damaged"), "{}", text(&refused));
    assert_eq!(bundles.listed().await, before, "nothing of it is stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_of_which_nothing_says_what_it_should_be_is_not_called_intact_f104() {
    let Some(bundles) = Bundles::new("unsaid").await else { return };
    let first = large(33, 5 << 20).into_bytes();
    bundles.put_in_parts("api/1.0.0/bundle.zip", [&first, b"and the rest"]).await;
    assert_eq!(states(&bundles.json(&["enforce", "--format", "json"]).await), ["kept"]);
    let drilled = bundles.run(&["drill"]).await;
    let said = text(&drilled);
    assert!(said.starts_with("0 of 1") && said.contains("nothing says what its bytes should be"), "{said}");
    assert_ne!(drilled.status.code(), Some(0), "{said}");
    // What the vault has of it is held to its hash.
    let drilled = bundles.run(&["drill", "--from", "vault"]).await;
    assert!(drilled.status.success() && text(&drilled).starts_with("1 of 1"), "{}", text(&drilled));
}
