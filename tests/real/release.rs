//! Pins that are released on real servers: what else was there stays there, and what removes no single tag removes nothing
//! (I5, F35).

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use aws_sdk_ecr::types::ImageTagMutability;
use prodpin::model::{Digest, Pin};
use prodpin::sources::memory::{Content, image, index};
use serde_json::Value;

use crate::bucket::Bed;
use crate::ecr::{Moto, REGION};
use crate::evidence::{Own, configuration, sealed, start};
use crate::servers::open_registry;
use crate::support::left_out::left_out;
use crate::support::push::Pusher;

const REPOSITORY: &str = "shop/api";

/// Runs the program on a policy in this folder.
fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prodpin"));
    command.env_clear().env("HOME", folder).current_dir(folder).args(arguments).arg("--quiet");
    command.envs(variables.iter().copied());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn policy(folder: &Path, source: &str) {
    let text = format!(
        "version: 1\nkeep: 2\nledger: ledger\nsources:\n  shop: {source}\nproduction:\n  - {{ tags: [\"v*\"], order: semver }}\n"
    );
    std::fs::write(folder.join("prodpin.yaml"), text).unwrap();
}

fn pins(document: &Value) -> Vec<Value> {
    let repositories = document["repositories"].as_array().unwrap();
    repositories.iter().flat_map(|repository| repository["pins"].as_array().unwrap().clone()).collect()
}

fn states(document: &Value) -> Vec<String> {
    pins(document).iter().map(|pin| pin["state"].as_str().unwrap().to_owned()).collect()
}

fn release(folder: &Path, apply: bool, variables: &[(&str, &str)]) -> (i32, Value) {
    let mut arguments = vec!["release", "--grace", "0s", "--format", "json", "--fail-on", "critical"];
    arguments.extend(apply.then_some("--apply"));
    let (code, stdout, stderr) = run(folder, &arguments, variables);
    (code, serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}")))
}

async fn tags(pusher: &Pusher) -> BTreeSet<String> {
    let list: Value =
        serde_json::from_slice(&pusher.get(REPOSITORY, &format!("/v2/{REPOSITORY}/tags/list")).await).unwrap();
    list["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()).collect()
}

fn pin(digest: &Digest) -> String {
    Pin::for_digest(digest).to_string()
}

/// A registry in which two releases are kept and a third has left the rollback set, with its two platforms.
async fn registry(program: &str) -> (Own, Pusher, Content) {
    let registry = start(|folder, port| {
        let mut serve = Command::new(program);
        serve.args(["serve", &configuration(folder, port)]);
        sealed(serve)
    });
    let pusher = Pusher::new(&registry.url);
    let oldest = index("the oldest");
    pusher.push(REPOSITORY, "v1.0.0", &oldest).await;
    pusher.push(REPOSITORY, "v1.1.0", &index("the one before")).await;
    let folder = registry.folder.path();
    policy(folder, &format!("{{ oci: \"{}\", repositories: [\"{REPOSITORY}\"] }}", registry.url));
    run(folder, &["enforce"], &[]);
    pusher.push(REPOSITORY, "v1.2.0", &image("the newest")).await;
    run(folder, &["enforce"], &[]);
    (registry, pusher, oldest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_current_registry_lets_pins_go_and_keeps_everything_else_i5_i13() {
    let Ok(program) = std::env::var("PRODPIN_TEST_DISTRIBUTION") else {
        return left_out("a release under distribution 3", "PRODPIN_TEST_DISTRIBUTION names no program");
    };
    let (registry, pusher, oldest) = registry(&program).await;
    let folder = registry.folder.path();
    let before = tags(&pusher).await;
    let gone: BTreeSet<String> =
        oldest.children().iter().map(|child| pin(&child.digest())).chain([pin(&oldest.digest())]).collect();
    assert!(before.is_superset(&gone), "{before:?}");
    let (_, shown) = release(folder, false, &[]);
    assert_eq!(states(&shown), ["planned"; 3], "{shown:#}");
    assert!(pins(&shown)[0]["unique_bytes"].as_u64().unwrap() > 0, "{shown:#}");
    assert_eq!(tags(&pusher).await, before);
    let (code, released) = release(folder, true, &[]);
    assert_eq!((code, states(&released)), (0, vec!["released".to_owned(); 3]), "{released:#}");
    assert_eq!(tags(&pusher).await, before.difference(&gone).cloned().collect());
    // What had the pins is there, every part of it.
    for digest in oldest.children().iter().map(Content::digest).chain([oldest.digest()]) {
        assert!(pusher.manifest(REPOSITORY, &digest.to_string()).await.is_some(), "{digest}");
    }
    let (code, again) = release(folder, true, &[]);
    assert_eq!((code, states(&again)), (0, Vec::new()), "{again:#}");
    // And no run takes it for a loss.
    let (_, report, _) = run(folder, &["audit", "--format", "json"], &[]);
    assert!(!report.contains("pin-missing"), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_removes_no_single_tag_loses_nothing_f35() {
    if open_registry().is_none() {
        return;
    }
    let (registry, pusher, oldest) = registry("docker-registry").await;
    let before = tags(&pusher).await;
    let (code, refused) = release(registry.folder.path(), true, &[]);
    assert_eq!((code, states(&refused)[0].as_str()), (1, "failed"), "{refused:#}");
    let why = pins(&refused)[0]["failure"].as_str().unwrap().to_owned();
    assert!(why.contains("removes no single tag"), "{why}");
    assert_eq!(tags(&pusher).await, before, "nothing is removed by its digest");
    assert!(pusher.manifest(REPOSITORY, &oldest.digest().to_string()).await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_ecr_an_image_keeps_its_other_tags_and_is_never_deleted_i5_a15() {
    let Some(moto) = Moto::new("release").await else { return };
    let folder = tempfile::tempdir().unwrap();
    let repository = moto.name("api");
    moto.create(&repository, ImageTagMutability::Mutable, &[]).await;
    let claim = include_str!("../../policies/ecr/lifecycle-claim.json");
    let put = moto.client.put_lifecycle_policy().repository_name(&repository).lifecycle_policy_text(claim);
    put.send().await.unwrap();
    let (oldest, untagged) = (image("oldest"), image("its own tag will go"));
    moto.push_to(&repository, "v1.0.0", &oldest).await;
    moto.push_to(&repository, "v1.1.0", &untagged).await;
    let url = moto.url().to_owned();
    let ecr = format!("{{ ecr: {{ region: {REGION}, endpoint: \"{url}\" }}, repositories: [\"{repository}\"] }}");
    policy(folder.path(), &ecr);
    let variables = [("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", "testing"), ("AWS_REGION", REGION)];
    run(folder.path(), &["enforce"], &variables);
    for (tag, name) in [("v1.2.0", "c"), ("v1.3.0", "d")] {
        moto.push_to(&repository, tag, &image(name)).await;
    }
    run(folder.path(), &["enforce"], &variables);
    // The second one lives by its pin alone from here on.
    let id = aws_sdk_ecr::types::ImageIdentifier::builder().image_tag("v1.1.0").build();
    moto.delete(&repository, id).await;
    run(folder.path(), &["audit"], &variables);
    let (_, released) = release(folder.path(), true, &variables);
    let state = |digest: &Digest| {
        let of = pins(&released).into_iter().find(|pin| pin["artifact"] == digest.to_string());
        of.unwrap_or_else(|| panic!("{released:#}"))
    };
    assert_eq!(state(&oldest.digest())["state"], "released", "{released:#}");
    let kept = state(&untagged.digest());
    assert_eq!((&kept["state"], &kept["grounds"][0]["kind"]), (&"kept".into(), &"last-reference".into()), "{kept:#}");
    let tags = moto.tags(&repository).await;
    assert_eq!(tags.get("v1.0.0"), Some(&oldest.digest().to_string()), "{tags:?}");
    assert!(!tags.contains_key(&pin(&oldest.digest())) && tags.contains_key(&pin(&untagged.digest())), "{tags:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_bucket_a_hold_is_taken_off_and_the_version_stays_i5() {
    let Some(bed) = Bed::new("release", true, true).await else { return };
    let folder = tempfile::tempdir().unwrap();
    for version in ["1.0.0", "1.1.0"] {
        bed.put(&format!("shop/api/v{version}/bundle.zip"), version).await;
    }
    let source = format!(
        "{{ s3: {}, layout: \"{{repository}}/{{version}}/bundle.zip\", region: us-east-1, endpoint: \"{}\", path_style: true, repositories: [\"**\"] }}",
        bed.bucket, bed.endpoint
    );
    policy(folder.path(), &source);
    let variables = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
    let (_, said, errors) = run(folder.path(), &["enforce"], &variables);
    bed.put("shop/api/v1.2.0/bundle.zip", "1.2.0").await;
    run(folder.path(), &["enforce"], &variables);
    let held = async |version: &str| bed.is_held(&format!("shop/api/v{version}/bundle.zip")).await;
    assert!(held("1.0.0").await && held("1.2.0").await, "{said}{errors}");
    let (code, released) = release(folder.path(), true, &variables);
    assert_eq!((code, states(&released)), (0, vec!["released".to_owned()]), "{released:#}");
    assert!(!held("1.0.0").await && held("1.1.0").await && held("1.2.0").await);
    let (_, again) = release(folder.path(), true, &variables);
    assert_eq!(states(&again), Vec::<String>::new(), "{again:#}");
}
