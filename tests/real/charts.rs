//! Charts packed by Helm's own SDK, on a file server, in a bucket and in a registry, under the program as its users run
//! it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use prodpin::model::Digest;
use serde_json::Value;
use tempfile::TempDir;

use crate::estate::{Ran, client};
use crate::servers::{self, Charts};

const AUDIT: [&str; 4] = ["audit", "--format", "json", "--quiet"];
const ENFORCE: [&str; 4] = ["enforce", "--format", "json", "--quiet"];

/// A corner of the file server, and a policy about it.
struct Shop {
    charts: Charts,
    corner: String,
    home: TempDir,
}

impl Shop {
    fn new(name: &str) -> Option<Self> {
        let charts = servers::charts()?;
        let corner = format!("{name}-{}", jiff::Timestamp::now().as_nanosecond());
        std::fs::create_dir(Path::new(&charts.directory).join(&corner)).unwrap();
        let shop = Self { charts, corner, home: tempfile::tempdir().unwrap() };
        shop.policy(&format!("helm: {}", shop.url()));
        Some(shop)
    }

    fn url(&self) -> String {
        format!("{}/{}", self.charts.url, self.corner)
    }

    fn path(&self, file: &str) -> PathBuf {
        Path::new(&self.charts.directory).join(&self.corner).join(file)
    }

    fn policy(&self, source: &str) {
        let text = format!(
            "version: 1\nledger: ledger\nsources:\n  charts: {{ {source} }}\nproduction:\n  - {{ tags: [\"[0-9]*\"], order: semver }}\n"
        );
        std::fs::write(self.home.path().join("prodpin.yaml"), text).unwrap();
    }

    fn helm(&self, arguments: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/charts.py");
        let output = Command::new(&self.charts.python).arg(script).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn pack(&self, version: &str, text: &str) -> Digest {
        let directory = self.path("");
        self.helm(&["pack", directory.to_str().unwrap(), "shop", version, text]);
        Digest::sha256(&std::fs::read(self.path(&format!("shop-{version}.tgz"))).unwrap())
    }

    fn index(&self) {
        self.helm(&["index", self.path("").to_str().unwrap()]);
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prodpin"));
        command.args(arguments).current_dir(self.home.path()).env_clear().stdin(Stdio::null());
        command.env("AWS_ACCESS_KEY_ID", "testing").env("AWS_SECRET_ACCESS_KEY", "testing");
        command.env("AWS_REGION", "us-east-1").env("NO_PROXY", "127.0.0.1");
        Ran::from_output(tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap())
    }
}

/// Severity, code and reference of every finding, and of the one with this code the message.
fn findings(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = report["findings"].as_array().unwrap().iter();
    all.map(|finding| {
        format!("{} {} {}", text(&finding["severity"]), text(&finding["code"]), text(&finding["reference"]))
    })
    .collect()
}

fn message(report: &Value, code: &str) -> String {
    let mut all = report["findings"].as_array().unwrap().iter();
    all.find(|finding| finding["code"] == code).unwrap_or_else(|| panic!("{code} in {report:#}"))["message"].to_string()
}

fn has(report: &Value, finding: &str) -> bool {
    findings(report).iter().any(|found| found == finding)
}

fn artifacts(report: &Value) -> Vec<String> {
    let targets = report["repositories"][0]["targets"].as_array().unwrap();
    targets.iter().map(|target| target["artifact"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn charts_on_a_file_server_are_watched_from_release_to_loss_f140() {
    let Some(shop) = Shop::new("life") else { return };
    let (a, b) = (shop.pack("1.2.3+a", "first"), shop.pack("1.2.3+b", "first"));
    let c = shop.pack("1.10.0", "third");
    shop.index();
    let report = shop.run(&AUDIT).await.report(0);
    assert_eq!(report["run"]["complete"], true, "{report:#}");
    let mut ranked = artifacts(&report);
    assert_eq!(ranked.remove(0), c.to_string(), "1.10 comes after 1.2");
    ranked.sort();
    let mut expected = vec![a.to_string(), b.to_string()];
    expected.sort();
    assert_eq!(ranked, expected);
    assert!(message(&report, "pin-ineffective").contains("cannot be pinned"));
    assert_eq!(report["repositories"][0]["targets"][0]["restorable"], true, "{report:#}");
    let again = shop.run(&ENFORCE).await.report(0);
    assert_eq!(findings(&again), findings(&report), "I13");

    // Somebody publishes 1.10.0 again.
    let other = shop.pack("1.10.0", "changed");
    assert_ne!(other, c);
    shop.index();
    let report = shop.run(&AUDIT).await.report(3);
    assert!(has(&report, "critical chart-republished 1.10.0"), "{report:#}");
    assert!(has(&report, "critical target-missing 1.10.0"), "{report:#}");

    // Somebody changes the archive of 1.2.3+b and leaves the index as it was.
    let good = std::fs::read(shop.path("shop-1.2.3+b.tgz")).unwrap();
    shop.pack("1.2.3+b", "changed in place");
    let report = shop.run(&AUDIT).await.report(1);
    assert!(has(&report, "critical chart-digest-mismatch 1.2.3+b"), "{report:#}");
    std::fs::write(shop.path("shop-1.2.3+b.tgz"), good).unwrap();

    // And 1.2.3+a vanishes: at the second look it is gone.
    std::fs::remove_file(shop.path("shop-1.2.3+a.tgz")).unwrap();
    shop.index();
    let report = shop.run(&AUDIT).await.report(3);
    assert!(!findings(&report).iter().any(|found| found.contains("tag-deleted")), "I4: {report:#}");
    let report = shop.run(&AUDIT).await.report(3);
    assert!(message(&report, "tag-deleted").contains("Helm would install 1.2.3+b for it"), "{report:#}");

    let history = shop.run(&["history", "chart:shop:1.10.0"]).await;
    assert_eq!(history.status, Some(0), "{}", history.stderr);
    assert!(history.stdout.contains("1.10.0"), "{}", history.stdout);
}

struct Bucket {
    name: String,
    s3: Client,
}

impl Bucket {
    async fn put(&self, key: &str, bytes: Vec<u8>) -> String {
        let put = self.s3.put_object().bucket(&self.name).key(key).body(ByteStream::from(bytes)).send().await.unwrap();
        put.version_id().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn charts_in_a_bucket_are_held_and_cannot_be_deleted_i7() {
    let Some(shop) = Shop::new("bucket") else { return };
    let Some(server) = servers::s3() else { return };
    let bucket = Bucket { name: shop.corner.clone(), s3: client(&server.url) };
    let create = bucket.s3.create_bucket().bucket(&bucket.name).object_lock_enabled_for_bucket(true);
    create.send().await.unwrap();
    let upload = async |files: &[&str]| {
        let mut versions = Vec::new();
        for file in files {
            versions.push(bucket.put(&format!("stable/{file}"), std::fs::read(shop.path(file)).unwrap()).await);
        }
        versions
    };
    shop.pack("1.2.3", "first");
    shop.pack("1.2.4+b", "second");
    shop.index();
    let files = ["shop-1.2.3.tgz", "shop-1.2.4+b.tgz", "index.yaml"];
    let versions = upload(&files).await;
    shop.policy(&format!("helm: \"s3://{}/stable\", endpoint: \"{}\", region: us-east-1", bucket.name, server.url));

    let report = shop.run(&ENFORCE).await.report(0);
    assert_eq!(report["run"]["complete"], true, "{report:#}");
    assert_eq!(
        artifacts(&report),
        [
            format!("stable/{}?versionId={}", files[1], versions[1]),
            format!("stable/{}?versionId={}", files[0], versions[0]),
        ]
    );
    for target in report["repositories"][0]["targets"].as_array().unwrap() {
        assert_eq!((&target["pin"], &target["protected"]), (&"created".into(), &true.into()), "{target:#}");
    }
    for (file, version) in files.iter().zip(&versions).take(2) {
        let key = format!("stable/{file}");
        let delete = bucket.s3.delete_object().bucket(&bucket.name).key(&key).version_id(version);
        assert!(delete.send().await.is_err(), "a deletion of a held version is refused");
    }
    let loose = bucket.s3.delete_object().bucket(&bucket.name).key("stable/index.yaml").version_id(&versions[2]);
    assert!(loose.send().await.is_ok(), "the index is nobody's release");
    upload(&["index.yaml"]).await;

    let again = shop.run(&ENFORCE).await.report(0);
    assert_eq!(findings(&again), findings(&report), "I13");
    assert_eq!(again["repositories"][0]["targets"][0]["pin"], "present");

    // Published again: the held bytes are still there, behind the new ones.
    shop.pack("1.2.4+b", "changed");
    shop.index();
    upload(&["shop-1.2.4+b.tgz", "index.yaml"]).await;
    let report = shop.run(&AUDIT).await.report(3);
    assert!(has(&report, "critical chart-republished 1.2.4+b"), "{report:#}");
    assert!(artifacts(&report).contains(&format!("stable/{}?versionId={}", files[1], versions[1])), "{report:#}");
    assert!(!findings(&report).iter().any(|found| found.contains("target-missing")), "{report:#}");

    // An archive without its index: the two disagree.
    shop.pack("1.2.3", "changed in place");
    upload(&["shop-1.2.3.tgz"]).await;
    shop.policy(&format!(
        "helm: \"s3://{}/stable\", endpoint: \"{}\", region: us-east-1, repositories: [shop]",
        bucket.name, server.url
    ));
    let report = shop.run(&AUDIT).await.report(3);
    assert!(has(&report, "critical chart-republished 1.2.3"), "{report:#}");
    assert!(has(&report, "critical chart-digest-mismatch 1.2.3"), "{report:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_a_bucket_lost_comes_back_at_its_key_i27() {
    let Some(shop) = Shop::new("kept") else { return };
    let Some(server) = servers::s3() else { return };
    let bucket = Bucket { name: shop.corner.clone(), s3: client(&server.url) };
    bucket.s3.create_bucket().bucket(&bucket.name).object_lock_enabled_for_bucket(false).send().await.unwrap();
    let versioned = aws_sdk_s3::types::VersioningConfiguration::builder()
        .status(aws_sdk_s3::types::BucketVersioningStatus::Enabled)
        .build();
    let set = bucket.s3.put_bucket_versioning().bucket(&bucket.name).versioning_configuration(versioned);
    set.send().await.unwrap();
    shop.pack("1.2.3", "first");
    shop.index();
    let bytes = std::fs::read(shop.path("shop-1.2.3.tgz")).unwrap();
    let key = "stable/shop-1.2.3.tgz";
    let version = bucket.put(key, bytes.clone()).await;
    bucket.put("stable/index.yaml", std::fs::read(shop.path("index.yaml")).unwrap()).await;
    let source = format!("helm: \"s3://{}/stable\", endpoint: \"{}\", region: us-east-1", bucket.name, server.url);
    shop.policy(&source);
    let policy = shop.home.path().join("prodpin.yaml");
    let text = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(&policy, text.replace("ledger: ledger", "ledger: ledger\nvault: ./vault")).unwrap();

    let ran = shop.run(&["enforce", "--format", "json", "--quiet", "--fail-on", "critical"]).await;
    let report = ran.report(0);
    assert_eq!(report["repositories"][0]["targets"][0]["vault"], "kept", "{report:#}");
    for place in ["source", "vault"] {
        let drilled = shop.run(&["drill", "--from", place]).await;
        assert!(
            drilled.stdout.starts_with("1 of 1 rollback targets"),
            "{place}: {} {}",
            drilled.stdout,
            drilled.stderr
        );
    }
    bucket.s3.delete_object().bucket(&bucket.name).key(key).version_id(&version).send().await.unwrap();
    let reference = format!("shop@{key}?versionId={version}");
    let restored = shop.run(&["restore", &reference, "--apply"]).await;
    assert!(restored.stdout.contains("Restored: the bucket serves it"), "{} {}", restored.stdout, restored.stderr);
    let back = bucket.s3.get_object().bucket(&bucket.name).key(key).send().await.unwrap();
    assert_eq!(back.body.collect().await.unwrap().into_bytes(), bytes);
    let again = shop.run(&["restore", &reference, "--apply"]).await;
    assert!(again.stdout.contains("Nothing was missing"), "{} {}", again.stdout, again.stderr);
    let after = shop.run(&["audit", "--format", "json", "--quiet", "--fail-on", "critical"]).await.report(0);
    assert!(!findings(&after).iter().any(|found| found.contains("chart-republished")), "{after:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn charts_in_a_registry_are_known_as_charts_f142() {
    let Some(shop) = Shop::new("registry") else { return };
    let Some(registry) = servers::open_registry() else { return };
    let host = registry.url.trim_start_matches("http://").to_owned();
    let push = |version: &str| {
        let archive = shop.path(&format!("shop-{version}.tgz"));
        shop.helm(&["push", archive.to_str().unwrap(), &format!("oci://{host}/{}", shop.corner)]);
    };
    for version in ["1.2.3+b.1", "1.10.0+b.2", "1.9.0-rc.1+b.3"] {
        shop.pack(version, "first");
        push(version);
    }
    shop.policy(&format!("oci: {}, repositories: [\"{}/*\"]", registry.url, shop.corner));
    let report = shop.run(&ENFORCE).await.report(0);
    let targets = report["repositories"][0]["targets"].as_array().unwrap();
    let named: Vec<&str> = targets.iter().map(|target| target["references"][0].as_str().unwrap()).collect();
    assert_eq!(named, ["1.10.0_b.2", "1.9.0-rc.1_b.3", "1.2.3_b.1"], "`_` is `+`: {report:#}");
    assert!(targets.iter().all(|target| target["protected"] == true), "{report:#}");

    shop.pack("1.10.0+b.2", "changed");
    push("1.10.0+b.2");
    let report = shop.run(&AUDIT).await.report(3);
    assert!(has(&report, "critical chart-republished 1.10.0_b.2"), "{report:#}");
    let file = shop.home.path().join("in-use.json");
    std::fs::write(&file, format!("[\"oci://{host}/{}/shop:1.2.3+b.1\"]", shop.corner)).unwrap();
    let text = std::fs::read_to_string(shop.home.path().join("prodpin.yaml")).unwrap();
    std::fs::write(shop.home.path().join("prodpin.yaml"), format!("{text}  - {{ file: in-use.json }}\n")).unwrap();
    let report = shop.run(&AUDIT).await.report(3);
    let running: Vec<&Value> = report["repositories"][0]["targets"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|target| target["running"] == true)
        .collect();
    assert_eq!(running.len(), 1, "{report:#}");
    assert_eq!(running[0]["references"][0], "1.2.3_b.1");
}
