//! The ledger in a bucket, on S3 servers with versioning and Object Lock: `PRODPIN_TEST_S3` is the address of one, and
//! `PRODPIN_TEST_S3_SECOND` that of another, of other authors.

use std::io::Read as _;
use std::process::Command;
use std::sync::Arc;

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::prefix::PrefixStore;
use prodpin::ledger::{Access, Ledger, LedgerError};
use prodpin::policy::{KeyLocation, LedgerLocation, Safeguards};

use crate::support::each;
use crate::world::{audit, bytes, key, names, put, remove, run_record, tag_seen, whole_run};

/// The AWS chain reads this process's environment, so each test runs again in a process whose environment names the
/// server and nothing of the person's own.
fn in_a_bucket(test: &str) {
    for server in [crate::servers::s3(), crate::servers::second_s3()].into_iter().flatten() {
        on(&server, test);
    }
}

fn on(server: &crate::servers::Server, test: &str) {
    let nothing = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("ledger_bucket::{test}"), "--ignored", "--nocapture"])
        .env("AWS_ENDPOINT_URL_S3", &server.url)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_CONFIG_FILE", nothing.path())
        .env("AWS_SHARED_CREDENTIALS_FILE", nothing.path())
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN")
        .output()
        .unwrap();
    let reported = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && reported.contains("1 passed"), "{}: {reported}", server.name);
}

#[test]
fn writers_in_one_bucket_lose_nothing_i14_f52() {
    in_a_bucket("many_writers");
}

#[test]
fn nothing_but_caches_is_written_twice_i9() {
    in_a_bucket("every_version");
}

#[test]
fn a_bucket_that_is_not_there_is_no_empty_ledger() {
    in_a_bucket("no_bucket");
}

#[test]
fn a_bucket_that_was_emptied_or_cut_is_no_beginning_i24_f98_f99() {
    in_a_bucket("emptied");
}

async fn client() -> aws_sdk_s3::Client {
    let chain = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let path_style = aws_sdk_s3::config::Builder::from(&chain).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(path_style)
}

/// A new bucket with Object Lock, a ledger's location in it, and the objects below that.
async fn bucket() -> (String, LedgerLocation, Arc<dyn ObjectStore>) {
    let name = format!("ledger-{}-{}", std::process::id(), crate::world::at(0).as_second());
    let client = client().await;
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::EuWest1)
        .build();
    client
        .create_bucket()
        .bucket(&name)
        .object_lock_enabled_for_bucket(true)
        .create_bucket_configuration(place)
        .send()
        .await
        .unwrap();
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket(&name).versioning_configuration(versioning).send().await.unwrap();
    let location = LedgerLocation::Store(format!("s3://{name}/team%20a/prodpin").parse().unwrap());
    let store = AmazonS3Builder::new()
        .with_bucket_name(&name)
        .with_region("eu-west-1")
        .with_access_key_id("test")
        .with_secret_access_key("test")
        .with_allow_http(true)
        .with_endpoint(std::env::var("AWS_ENDPOINT_URL_S3").unwrap())
        .build()
        .unwrap();
    (name, location, Arc::new(PrefixStore::new(store, "team a/prodpin")))
}

async fn writer(location: &LedgerLocation) -> Ledger {
    Ledger::open(location, Access::Write).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started with the bucket's environment by writers_in_one_bucket_lose_nothing_i14_f52"]
async fn many_writers() {
    let (_, location, store) = bucket().await;
    let ledgers = [Arc::new(writer(&location).await), Arc::new(writer(&location).await)];
    let tasks: Vec<_> = (0..8_u64)
        .map(|number| {
            let ledger = ledgers[(number % 2) as usize].clone();
            tokio::spawn(async move {
                for commit in 0..5 {
                    let tag = format!("v{commit}-{number}");
                    let own = tag_seen(number, &key(&format!("own/{number}")), &tag, &tag);
                    let shared = tag_seen(number, &key("shared"), &tag, &tag);
                    ledger.commit(vec![own, shared]).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(audit(&store).await.len(), 80);
    let reader = Ledger::open(&location, Access::Read).await.unwrap();
    assert_eq!(reader.recall(&key("shared")).await.unwrap().tags.len(), 40);
    assert_eq!(reader.head().unwrap().sequence, 40);

    let views = names(&store, "view").await;
    remove(&store, views).await;
    assert_eq!(writer(&location).await.recall(&key("shared")).await.unwrap().tags.len(), 40);
    assert_eq!(names(&store, "view/repository").await.len(), 9, "a writer makes lost views anew");
}

#[tokio::test]
#[ignore = "started with the bucket's environment by nothing_but_caches_is_written_twice_i9"]
async fn every_version() {
    let (name, location, store) = bucket().await;
    let mut report = Vec::new();
    for run in 1..4 {
        let ledger = writer(&location).await;
        whole_run(&ledger, run, &[("v1", "a"), ("latest", &run.to_string())], &[("v1", "x")]).await.unwrap();
        let digest = ledger.put_report(&b"a row\n"[..]).await.unwrap();
        ledger.report(&digest).await.unwrap().read_to_end(&mut report).unwrap();
        assert!(matches!(
            Ledger::open(&location, Access::Read).await.unwrap().commit(vec![run_record(run)]).await,
            Err(LedgerError::ReadOnly { .. })
        ));
    }
    assert_eq!(report, b"a row\n".repeat(3));
    let listed = client().await.list_object_versions().bucket(&name).send().await.unwrap();
    assert!(listed.delete_markers().is_empty());
    let mut written = std::collections::BTreeMap::<&str, u32>::new();
    for version in listed.versions() {
        *written.entry(version.key().unwrap()).or_default() += 1;
    }
    assert!(each(written.keys(), |name| name.starts_with("team a/prodpin/")), "{written:?}");
    let twice: Vec<_> = written.iter().filter(|(_, times)| **times > 1).map(|(name, _)| *name).collect();
    assert!(!twice.is_empty() && twice.iter().all(|name| name.contains("/view/")), "{twice:?}");

    // A commit that is damaged in the bucket is named.
    let checkpoint = names(&store, "checkpoint").await[2].clone();
    let damaged = String::from_utf8(bytes(&store, &checkpoint).await).unwrap().replace("previous ", "previous 0");
    put(&store, &checkpoint, damaged).await;
    let views = names(&store, "view").await;
    remove(&store, views).await;
    let error = Ledger::open(&location, Access::Read).await.unwrap_err();
    assert!(matches!(error, LedgerError::Corrupt { .. }) && error.to_string().contains(&checkpoint), "{error}");
}

#[tokio::test]
#[ignore = "started with the bucket's environment by a_bucket_that_is_not_there_is_no_empty_ledger"]
async fn no_bucket() {
    let location = LedgerLocation::Store("s3://nobody-made-this-bucket/ledger".parse().unwrap());
    for access in [Access::Read, Access::Write] {
        let error = Ledger::open(&location, access).await.unwrap_err();
        assert!(matches!(error, LedgerError::Unusable { .. }), "{error}");
        assert!(error.to_string().contains("s3://nobody-made-this-bucket/ledger"), "{error}");
    }
}

#[tokio::test]
#[ignore = "started with the bucket's environment by a_bucket_that_was_emptied_or_cut_is_no_beginning_i24_f98_f99"]
async fn emptied() {
    let (name, location, store) = bucket().await;
    let anchor = Some(LedgerLocation::Store(format!("s3://{name}/anchor").parse().unwrap()));
    let anchored = Safeguards { key: KeyLocation::None, anchor, forgets: true, ..Safeguards::default() };
    // No file and no anchor: this process remembers.
    let warm = Safeguards { anchor: None, forgets: false, ..anchored.clone() };
    for run in 1..4 {
        for safeguards in [&anchored, &warm] {
            let ledger = Ledger::open_with(&location, safeguards, Access::Write).await.unwrap();
            whole_run(&ledger, run, &[("v1", "a"), ("latest", &run.to_string())], &[("v1", "x")]).await.unwrap();
        }
    }
    let mut all = names(&store, "checkpoint").await;
    all.sort();
    let newest = all.split_off(all.len() / 2);
    for lost in [newest, all] {
        let views = names(&store, "view").await;
        remove(&store, views.into_iter().chain(lost)).await;
        let error = Ledger::open_with(&location, &anchored, Access::Write).await.unwrap_err();
        assert!(matches!(error, LedgerError::RolledBack { .. }) && error.to_string().contains("anchor"), "{error}");
        let error = Ledger::open_with(&location, &warm, Access::Write).await.unwrap_err();
        assert!(matches!(error, LedgerError::HistoryMissing { .. }), "{error}");
        assert!(error.to_string().contains("this process remembers commit"), "{error}");
        let adopting = Safeguards { adopt: true, ..anchored.clone() };
        let error = Ledger::open_with(&location, &adopting, Access::Write).await.unwrap_err();
        assert!(matches!(error, LedgerError::RolledBack { .. }), "what an anchor holds is never given up: {error}");
    }
    let adopting = Safeguards { adopt: true, ..warm.clone() };
    let ledger = Ledger::open_with(&location, &adopting, Access::Write).await.unwrap();
    whole_run(&ledger, 9, &[("v1", "a")], &[("v1", "x")]).await.unwrap();
    Ledger::open_with(&location, &warm, Access::Write).await.unwrap();
}
