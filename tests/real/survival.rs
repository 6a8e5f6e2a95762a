//! What was said to survive, after what was said: real registries, and the losses themselves. Every tag but the pins is
//! removed and what has no tag is collected, and whatever the report said yes to is still there by digest; what it did not
//! say yes to is deleted by digest, and gone.

use std::path::Path;
use std::process::Command;

use prodpin::model::ArtifactId;
use prodpin::sources::memory::image;
use serde_json::Value;

use crate::evidence::{CONFIGURATION, Own, configuration, sealed, start};
use crate::servers::open_registry;
use crate::support::left_out::left_out;
use crate::support::push::Pusher;

/// One run of the program on this registry.
fn run(registry: &Own, mode: &str) -> Value {
    let folder = registry.folder.path();
    let policy = format!(
        "version: 1\nkeep: 5\nsources:\n  shop: {{ oci: \"{}\", repositories: [shop/api], private: true }}\nproduction: [{{ \
         tags: [\"v*\"], order: semver }}]\nrequire: [deletion-by-digest]\nfail_on: critical\n",
        registry.url
    );
    std::fs::write(folder.join("prodpin.yaml"), policy).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_prodpin"));
    let ran = program.args([mode, "--format", "json", "--quiet"]).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn targets(report: &Value) -> &Vec<Value> {
    report["repositories"][0]["targets"].as_array().unwrap()
}

fn answers<'r>(report: &'r Value, loss: &str) -> Vec<&'r str> {
    targets(report).iter().map(|target| target["survives"][loss]["answer"].as_str().unwrap()).collect()
}

/// Removes every tag but the pins, as a cleanup with access to the storage does: an old registry takes no deletion of tags.
fn clean_tags(folder: &Path) {
    let tags = folder.join("data/docker/registry/v2/repositories/shop/api/_manifests/tags");
    for tag in std::fs::read_dir(tags).unwrap() {
        let tag = tag.unwrap();
        if !tag.file_name().to_str().unwrap().starts_with("prod-pinned-") {
            std::fs::remove_dir_all(tag.path()).unwrap();
        }
    }
}

async fn what_was_said_holds(program: &str) {
    let registry = start(|folder, port| {
        let mut serve = Command::new(program);
        serve.args(["serve", &configuration(folder, port)]);
        sealed(serve)
    });
    let pusher = Pusher::new(&registry.url);
    let mut releases: Vec<ArtifactId> = Vec::new();
    for minor in 0..3 {
        releases.push(pusher.push("shop/api", &format!("v1.{minor}.0"), &image(&format!("release {minor}"))).await);
    }
    let beside = pusher.push("shop/api", "dev-1", &image("a branch")).await;

    let said = run(&registry, "audit");
    assert_eq!(answers(&said, "tag_cleanup"), ["no"; 3], "nothing is pinned yet");
    run(&registry, "enforce");
    let said = run(&registry, "enforce");
    for loss in ["tag_cleanup", "untagged_cleanup", "lifecycle_rules"] {
        assert_eq!(answers(&said, loss), ["yes"; 3], "{loss}: {said:#}");
    }
    assert!(targets(&said).iter().all(|target| target["protected"] == true), "{said:#}");
    assert!(answers(&said, "deletion_by_digest").iter().all(|answer| *answer != "yes"));
    let is_unmet = |finding: &Value| finding["code"] == "requirement-unmet";
    assert_eq!(said["findings"].as_array().unwrap().iter().filter(|finding| is_unmet(finding)).count(), 1);

    clean_tags(registry.folder.path());
    let mut collect = Command::new(program);
    collect.args(["garbage-collect", "--delete-untagged"]).arg(registry.folder.path().join(CONFIGURATION));
    let collected = sealed(collect).output().unwrap();
    assert!(collected.status.success(), "{}", String::from_utf8_lossy(&collected.stderr));
    assert!(pusher.manifest("shop/api", &beside.to_string()).await.is_none(), "else this test shows nothing");
    let after = run(&registry, "audit");
    assert_eq!(targets(&after).len(), 3, "{after:#}");
    for target in targets(&after) {
        assert_eq!(
            (&target["restorable"], &target["protected"]),
            (&Value::Bool(true), &Value::Bool(true)),
            "{after:#}"
        );
    }
    for release in &releases {
        assert!(pusher.manifest("shop/api", &release.to_string()).await.is_some(), "{release}");
    }

    pusher.delete_manifest("shop/api", &releases[0]).await;
    let gone = run(&registry, "audit");
    let lost = targets(&gone).iter().find(|target| target["artifact"] == releases[0].to_string()).unwrap();
    assert_eq!(lost["restorable"], false, "{gone:#}");
    let survives = lost["survives"].as_object().unwrap();
    assert!(survives.values().all(|survival| survival["answer"] == "no"), "{lost:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_to_survive_a_cleanup_does_on_debian_s_registry() {
    if open_registry().is_some() {
        what_was_said_holds("docker-registry").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_to_survive_a_cleanup_does_on_a_current_registry() {
    match std::env::var("PRODPIN_TEST_DISTRIBUTION") {
        Ok(program) => what_was_said_holds(&program).await,
        Err(_) => left_out("cleanups under distribution 3", "PRODPIN_TEST_DISTRIBUTION names no program"),
    }
}
