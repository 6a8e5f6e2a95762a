//! The truth about versions, on every S3 server there is: checksums, locks and their dates, and that a pin really holds.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, ChecksumAlgorithm, ExpirationStatus, LifecycleExpiration, LifecycleRule,
    LifecycleRuleFilter, NoncurrentVersionExpiration, ObjectLockRetention, ObjectLockRetentionMode,
    StorageClass as SdkClass, Transition, TransitionStorageClass,
};
use prodpin::model::{ArtifactId, LockMode, NamePatterns, Obstacle, PinState, Replication, Retained};
use prodpin::policy::S3Config;
use prodpin::sources::s3::{Tuning, open_tuned};
use prodpin::sources::{OpenOptions, Source};

use crate::servers::{self, Server};

const KEY: &str = "api/1.0.0/x.zip";

struct Bed {
    endpoint: String,
    name: String,
    client: Client,
}

fn credentials() -> Credentials {
    Credentials::new("testing", "testing", None, None, "tests")
}

fn all_servers() -> Vec<Server> {
    servers::s3().into_iter().chain(servers::second_s3()).collect()
}

impl Bed {
    /// A bucket with Object Lock.
    async fn locked(server: &Server) -> Self {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials())
            .endpoint_url(&server.url)
            .force_path_style(true)
            .build();
        let client = Client::from_conf(config);
        let name = format!("truth-{}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos());
        client.create_bucket().bucket(&name).object_lock_enabled_for_bucket(true).send().await.unwrap();
        Self { endpoint: server.url.clone(), name, client }
    }

    async fn put(&self, key: &str, bytes: &str) -> String {
        let body = ByteStream::from(bytes.as_bytes().to_vec());
        let put = self.client.put_object().bucket(&self.name).key(key).body(body);
        put.checksum_algorithm(ChecksumAlgorithm::Sha256).send().await.unwrap().version_id.unwrap()
    }

    async fn retain(&self, version: &str, mode: ObjectLockRetentionMode, days: i64) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let until = i64::try_from(now).unwrap() + days * 86_400;
        let retention = ObjectLockRetention::builder().mode(mode).retain_until_date(DateTime::from_secs(until)).build();
        let put = self.client.put_object_retention().bucket(&self.name).key(KEY).version_id(version);
        put.retention(retention).send().await.unwrap();
        until
    }

    async fn source(&self) -> Source {
        let config = S3Config {
            bucket: self.name.clone(),
            layout: "{repository}/{version}/x.zip".parse().unwrap(),
            repositories: NamePatterns::new(["**"]).unwrap(),
            region: Some("us-east-1".to_owned()),
            endpoint: Some(self.endpoint.parse().unwrap()),
            path_style: true,
            owner: None,
            inventory: None,
        };
        let options = OpenOptions { write: false, rehearse: false, tried: false, concurrency: 8, deadline: None };
        let tuning = Tuning { page_size: 1000, credentials: Some(SharedCredentialsProvider::new(credentials())) };
        open_tuned(&"bundles".parse().unwrap(), &config, &options, tuning).await.unwrap()
    }

    async fn can_delete(&self, version: &str) -> bool {
        self.client.delete_object().bucket(&self.name).key(KEY).version_id(version).send().await.is_ok()
    }
}

fn artifact(version: &str) -> ArtifactId {
    format!("{KEY}?versionId={version}").parse().unwrap()
}

#[tokio::test]
async fn checksums_locks_and_classes_are_told_as_they_are_b62_b78() {
    for server in all_servers() {
        let bed = Bed::locked(&server).await;
        let plain = bed.put(KEY, "plain").await;
        let governed = bed.put(KEY, "governed").await;
        let until = bed.retain(&governed, ObjectLockRetentionMode::Governance, 3).await;
        let complied = bed.put(KEY, "complied").await;
        bed.retain(&complied, ObjectLockRetentionMode::Compliance, 1).await;
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::111122223333:role/admin"}},"Action":"s3:Bypass*","Resource":"arn:aws:s3:::{}/*"}}]}}"#,
            bed.name
        );
        bed.client.put_bucket_policy().bucket(&bed.name).policy(policy).send().await.unwrap();
        let inventory = bed.source().await.inventory;
        let look = async |version: &str| {
            let seen = inventory.inspect(&"api".parse().unwrap(), &artifact(version)).await;
            assert_eq!(seen.gaps, [], "{}", server.url);
            (seen.object.clone().unwrap(), seen)
        };
        let (object, seen) = look(&plain).await;
        let checksum = object.checksum.unwrap();
        assert_eq!(&*checksum.algorithm, "SHA256", "{}", server.url);
        assert_eq!(checksum.value.len(), 44);
        assert_eq!(object.class.as_str(), "STANDARD");
        assert_eq!(object.replication, Replication::Settled);
        // One of the servers fails where there is no retention, and is not taken to say that there is none.
        assert!(matches!(object.lock.retained, Retained::No | Retained::Unknown), "{}: {:?}", server.url, object.lock);
        assert_eq!(object.lock.hold, Some(false), "{}", server.url);
        assert_eq!((seen.pin, seen.obstacles), (PinState::Absent, vec![]));

        let (object, seen) = look(&governed).await;
        let Retained::Until { mode: LockMode::Governance, until: reported } = object.lock.retained else {
            panic!("{:?}", object.lock)
        };
        assert_eq!(reported.as_second(), until);
        // Governance that a principal may bypass is weak (F49).
        let weak =
            |obstacle: &Obstacle| matches!(obstacle, Obstacle::Unproven { detail } if detail.contains("role/admin"));
        assert!(seen.obstacles.iter().any(weak), "{:?}", seen.obstacles);

        let (object, seen) = look(&complied).await;
        assert!(
            matches!(object.lock.retained, Retained::Until { mode: LockMode::Compliance, .. }),
            "{:?}",
            object.lock
        );
        assert_eq!(seen.obstacles, []);
        assert!(!bed.can_delete(&complied).await, "{}: compliance was no lock", server.url);
    }
}

#[tokio::test]
async fn a_class_that_must_be_restored_is_an_obstacle_b59_b73() {
    for server in all_servers() {
        let bed = Bed::locked(&server).await;
        let put = bed.client.put_object().bucket(&bed.name).key(KEY).body(ByteStream::from_static(b"cold"));
        let version = put.storage_class(SdkClass::Glacier).send().await.unwrap().version_id.unwrap();
        let seen = bed.source().await.inventory.inspect(&"api".parse().unwrap(), &artifact(&version)).await;
        assert_eq!(seen.obstacles, [Obstacle::Archived { class: "GLACIER".to_owned() }], "{}", server.url);
    }
}

/// A whole run of the program: it pins what no hold is on yet, and from then on the server refuses to delete it, although
/// a rule would.
#[tokio::test]
async fn a_whole_run_pins_so_that_deletion_is_refused_i7_b74() {
    for server in all_servers() {
        let bed = Bed::locked(&server).await;
        let version = bed.put(KEY, "release").await;
        let limit = NoncurrentVersionExpiration::builder().noncurrent_days(1).build();
        let rule = LifecycleRule::builder()
            .id("clean")
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("").build())
            .noncurrent_version_expiration(limit);
        let rules = BucketLifecycleConfiguration::builder().rules(rule.build().unwrap()).build().unwrap();
        let put = bed.client.put_bucket_lifecycle_configuration().bucket(&bed.name);
        put.lifecycle_configuration(rules).send().await.unwrap();

        let folder = tempfile::tempdir().unwrap();
        write_policy(folder.path(), &bed);
        let report = run(folder.path(), &["enforce"]);
        let target = &report["repositories"][0]["targets"][0];
        assert_eq!(
            (&target["pin"], &target["protected"]),
            (&"created".into(), &true.into()),
            "{}: {target:#}",
            server.url
        );
        assert!(!bed.can_delete(&version).await, "{}: the pin did not hold", server.url);
        let again = run(folder.path(), &["audit"]);
        let target = &again["repositories"][0]["targets"][0];
        assert_eq!((&target["pin"], &target["protected"]), (&"present".into(), &true.into()), "{}", server.url);
    }
}

/// Live rules as a server gives them back, judged by the program: in an audit, in a forecast, and beside rules that are
/// only tried.
#[tokio::test]
async fn live_rules_are_told_with_their_dates_b69_b73() {
    for server in all_servers() {
        let bed = Bed::locked(&server).await;
        // Smaller ones stay where they are (B73).
        bed.put(KEY, &"release ".repeat(20_000)).await;
        let rule = |id: &str| {
            let filter = LifecycleRuleFilter::builder().prefix("api/").build();
            LifecycleRule::builder().id(id).status(ExpirationStatus::Enabled).filter(filter)
        };
        let hides = rule("tidy").expiration(LifecycleExpiration::builder().days(30).build()).build().unwrap();
        let transition = Transition::builder().days(3).storage_class(TransitionStorageClass::Glacier).build();
        let slows = rule("cool").transitions(transition).build().unwrap();
        let rules = BucketLifecycleConfiguration::builder().rules(hides).rules(slows).build().unwrap();
        let put = bed.client.put_bucket_lifecycle_configuration().bucket(&bed.name);
        put.lifecycle_configuration(rules).send().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        write_policy(folder.path(), &bed);

        let report = run(folder.path(), &["enforce"]);
        let target = &report["repositories"][0]["targets"][0];
        assert_eq!((&target["pin"], &target["protected"]), (&"created".into(), &false.into()), "{target:#}");
        let reported: Vec<&serde_json::Value> =
            target["obstacles"].as_array().unwrap().iter().map(|it| &it["rule"]).collect();
        assert!(reported.contains(&&"tidy".into()) && reported.contains(&&"cool".into()), "{}: {target:#}", server.url);

        for (as_of, outlook) in [("+1d", "stays"), ("+10d", "archived"), ("+60d", "gone")] {
            let forecast = run(folder.path(), &["forecast", "api", "--as-of", as_of]);
            let target = &forecast["repositories"][0]["targets"][0];
            assert_eq!(target["fate"], outlook, "{} {as_of}: {target:#}", server.url);
        }
        let printed = program(folder.path(), &["forecast", "api", "--recommend"]);
        assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
        std::fs::write(folder.path().join("better.json"), &printed.stdout).unwrap();
        let forecast = run(folder.path(), &["forecast", "api", "--lifecycle", "better.json"]);
        assert_eq!(forecast["summary"]["threatened"], 0, "{}: {forecast:#}", server.url);

        // What is printed is what S3 takes, and from then on the release is protected.
        let better = prodpin::decide::lifecycle::s3::read(&String::from_utf8(printed.stdout).unwrap()).unwrap();
        assert!(better.rules.iter().all(|rule| !rule.enabled), "{better:?}");
        bed.client.delete_bucket_lifecycle().bucket(&bed.name).send().await.unwrap();
        let report = run(folder.path(), &["audit"]);
        assert_eq!(report["repositories"][0]["targets"][0]["protected"], true, "{}", server.url);
        let codes: Vec<&serde_json::Value> =
            report["findings"].as_array().unwrap().iter().map(|finding| &finding["code"]).collect();
        assert!(codes.contains(&&"settings-changed".into()), "{codes:?}");
    }
}

fn write_policy(folder: &Path, bed: &Bed) {
    let policy = format!(
        "version: 1\nledger: ./ledger\nsources:\n  bundles: {{ s3: {}, layout: '{{repository}}/{{version}}/x.zip', \
         endpoint: '{}', region: us-east-1 }}\nproduction:\n  - tags: ['[0-9]*']\n",
        bed.name, bed.endpoint
    );
    std::fs::write(folder.join("prodpin.yaml"), policy).unwrap();
}

fn run(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    let output = program(folder, &[arguments, &["--format", "json"]].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

fn program(folder: &Path, arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_prodpin"));
    program.args(arguments).args(["--quiet", "--deadline", "60s"]).current_dir(folder);
    program.env("AWS_ACCESS_KEY_ID", "testing").env("AWS_SECRET_ACCESS_KEY", "testing").output().unwrap()
}
