//! `release --apply` on real registries, and then a cleanup of every tag but pins and the registry's own collection of what has
//! none: what is still wanted survives, and what was released does not (I5, I26, F35).

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use prodpin::model::{ArtifactId, Digest, Pin};
use prodpin::sources::memory::{image, index};
use serde_json::{Value, json};

use crate::closure::{Place, REPOSITORY, lost, stock, tags};
use crate::servers::open_registry;
use crate::support::left_out::left_out;

/// Five releases are pinned, two more come, and two runs see that the first two are outside the rollback set.
struct Estate {
    place: Place,
    wanted: Vec<Digest>,
    released: Vec<ArtifactId>,
}

async fn estate(program: &str) -> Estate {
    let place = Place::new(program);
    let mut releases = stock(&place.pusher(), REPOSITORY).await;
    place.enforce("");
    for (tag, content) in [("v1.5.0", image("the newest but one")), ("v1.6.0", index("the newest"))] {
        releases.push((place.pusher().push(REPOSITORY, tag, &content).await, Vec::new()));
    }
    place.enforce("");
    place.enforce("");
    let wanted = releases.split_off(2);
    let digests =
        |(release, attached): (ArtifactId, Vec<Digest>)| release.digest().cloned().into_iter().chain(attached);
    Estate {
        place,
        wanted: wanted.into_iter().flat_map(digests).collect(),
        released: releases.into_iter().map(|(release, _)| release).collect(),
    }
}

impl Estate {
    async fn pins(&self) -> BTreeSet<String> {
        let all = tags(&self.place.pusher(), REPOSITORY).await;
        all.into_iter().filter(|tag| tag.starts_with("prod-pinned-")).collect()
    }

    fn release(&self, more: &[&str]) -> (Option<i32>, Value) {
        let arguments = ["release", "--grace", "0s", "--format", "json", "--quiet"];
        let output = self.place.run(&[&arguments[..], more].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
        (output.status.code(), document)
    }

    async fn lost(&self, digests: Vec<Digest>) -> BTreeSet<Digest> {
        lost(&self.place.pusher(), &self.place.url(), REPOSITORY, digests).await
    }
}

fn states(document: &Value) -> Vec<&str> {
    let pins = document["repositories"][0]["pins"].as_array().unwrap();
    pins.iter().map(|pin| pin["state"].as_str().unwrap()).collect()
}

async fn goes(program: &str) {
    let mut estate = estate(program).await;
    let before = estate.pins().await;
    let (code, shown) = estate.release(&[]);
    assert_eq!((code, estate.pins().await), (Some(0), before.clone()), "{shown:#}");
    let (code, gone) = estate.release(&["--apply"]);
    assert_eq!(code, Some(0), "{gone:#}");
    assert!(states(&gone).iter().all(|state| *state == "released"), "{gone:#}");
    let after = estate.pins().await;
    for released in &estate.released {
        let pin = Pin::for_digest(released.digest().unwrap()).to_string();
        assert!(before.contains(&pin) && !after.contains(&pin), "{released}");
    }
    // The platform that another release has too keeps its pin.
    let shared = index("two platforms").children()[0].digest().clone();
    assert!(after.contains(&Pin::for_digest(&shared).to_string()));
    let report = estate.place.enforce("");
    let targets = report["repositories"][0]["targets"].as_array().unwrap();
    assert!(targets.iter().all(|target| target["protected"] == json!(true)), "{report:#}");
    assert_eq!(estate.pins().await, after, "nothing that went is pinned anew");
    estate.place.collect();
    assert_eq!(estate.lost(estate.wanted.clone()).await, BTreeSet::new());
    let released: Vec<Digest> = estate.released.iter().filter_map(|release| release.digest().cloned()).collect();
    assert!(!estate.lost(released).await.is_empty(), "the collection takes nothing, and this shows nothing");
}

async fn stays(program: &str) {
    let mut estate = estate(program).await;
    let before = estate.pins().await;
    let (code, said) = estate.release(&["--apply"]);
    assert_eq!(code, Some(1), "{said:#}");
    assert!(!states(&said).contains(&"released"), "{said:#}");
    assert!(said.to_string().contains("removes no single tag"), "{said:#}");
    assert_eq!(estate.pins().await, before);
    estate.place.collect();
    let all = estate.released.iter().filter_map(|release| release.digest().cloned()).chain(estate.wanted.clone());
    assert_eq!(estate.lost(all.collect()).await, BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_single_tag_is_removed_every_pin_stays_f35() {
    if open_registry().is_some() {
        stays("docker-registry").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wanted_outlives_a_release_and_the_collection_after_it_i5_i26() {
    match std::env::var("PRODPIN_TEST_DISTRIBUTION") {
        Ok(program) => goes(&program).await,
        Err(_) => left_out("a release under distribution 3", "PRODPIN_TEST_DISTRIBUTION names no program"),
    }
}

/// Killed at some moment of a removal, again and again: what is wanted stays protected, nothing is called lost that a release took,
/// and in the end all went that may (I15, F87).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_is_killed_at_any_moment_loses_nothing_and_is_ended_by_the_next_i15_f87() {
    let Ok(program) = std::env::var("PRODPIN_TEST_DISTRIBUTION") else {
        return left_out("a release that is killed", "PRODPIN_TEST_DISTRIBUTION names no program");
    };
    let estate = estate(&program).await;
    let is_lost =
        |report: &Value| report["findings"].as_array().unwrap().iter().any(|found| found["code"] == "pin-missing");
    for milliseconds in [60, 120, 180, 240, 300, 360, 420, 480, 540, 600] {
        let mut command = estate.place.command(&["release", "--apply", "--grace", "0s", "--quiet"]);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        let _ = process.kill();
        process.wait().unwrap();
        let report = estate.place.enforce("");
        assert!(!is_lost(&report), "after {milliseconds} ms: {report:#}");
        let targets = report["repositories"][0]["targets"].as_array().unwrap();
        assert!(targets.iter().all(|target| target["protected"] == json!(true)), "{report:#}");
    }
    let (code, gone) = estate.release(&["--apply"]);
    assert_eq!(code, Some(0), "{gone:#}");
    let pins = estate.pins().await;
    for released in &estate.released {
        assert!(!pins.contains(&Pin::for_digest(released.digest().unwrap()).to_string()), "{released}");
    }
    assert!(!is_lost(&estate.place.enforce("")));
}
