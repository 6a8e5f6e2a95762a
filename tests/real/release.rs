//! A release on real registries, and then a cleanup of every tag but pins and the registry's own collection of what has
//! none: what is still wanted survives, and what was released does not (I5, I26, F35).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use prodpin::model::{ArtifactId, Digest, Mode, Pin};
use prodpin::outcome::release::{PinRelease, ReleaseState};
use prodpin::policy::load;
use prodpin::run::{Progress, ReleaseOptions, Released, RunOptions, Stop, release};
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

    /// What became of each pin, and whether everything was done.
    async fn release(&self, mode: Mode) -> (Vec<PinRelease>, bool) {
        let released = self.carry(mode).await;
        let pins = released.repositories.into_iter().flat_map(|repository| repository.pins).collect();
        (pins, released.complete)
    }

    async fn carry(&self, mode: Mode) -> Released {
        struct Quiet;
        impl Progress for Quiet {}
        let policy = load(&self.place.folder.path().join("prodpin.yaml")).unwrap();
        let run = RunOptions {
            mode,
            sources: Vec::new(),
            shard: None,
            repositories: Vec::new(),
            concurrency: 4,
            deadline: None,
            stop: Stop::default().with_removals_within(Duration::from_millis(200)),
        };
        let options =
            ReleaseOptions { run, repositories: Vec::new(), grace: SignedDuration::ZERO, vault: false, leaving: false };
        release(&policy, &options, Arc::new(Quiet)).await.unwrap()
    }

    async fn lost(&self, digests: Vec<Digest>) -> BTreeSet<Digest> {
        lost(&self.place.pusher(), &self.place.url(), REPOSITORY, digests).await
    }
}

async fn goes(program: &str) {
    let mut estate = estate(program).await;
    let before = estate.pins().await;
    let (shown, complete) = estate.release(Mode::Audit).await;
    assert!(complete && shown.iter().all(|pin| pin.state == ReleaseState::Planned), "{shown:#?}");
    assert_eq!(estate.pins().await, before);
    let (gone, complete) = estate.release(Mode::Release).await;
    assert!(complete && gone.len() > 2, "{gone:#?}");
    assert!(gone.iter().all(|pin| pin.state == ReleaseState::Released), "{gone:#?}");
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
    let (said, complete) = estate.release(Mode::Release).await;
    assert!(!complete && said.iter().all(|pin| pin.state != ReleaseState::Released), "{said:#?}");
    let failed = said.iter().filter_map(|pin| pin.failure.as_ref()).next().unwrap();
    assert!(failed.contains("removes no single tag"), "{failed}");
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

/// Cut off at some moment of a removal, again and again, as a process that is killed: what is wanted stays protected, nothing is called
/// lost that a release took, and in the end all went that may (I15, F87).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_is_cut_off_at_any_moment_loses_nothing_and_is_ended_by_the_next_i15_f87() {
    let Ok(program) = std::env::var("PRODPIN_TEST_DISTRIBUTION") else {
        return left_out("a release that is cut off", "PRODPIN_TEST_DISTRIBUTION names no program");
    };
    let estate = estate(&program).await;
    let is_lost =
        |report: &Value| report["findings"].as_array().unwrap().iter().any(|found| found["code"] == "pin-missing");
    for milliseconds in [150, 300, 450, 600, 750, 900, 1050, 1200] {
        let _ = tokio::time::timeout(Duration::from_millis(milliseconds), estate.carry(Mode::Release)).await;
        let report = estate.place.enforce("");
        assert!(!is_lost(&report), "after {milliseconds} ms: {report:#}");
        let targets = report["repositories"][0]["targets"].as_array().unwrap();
        assert!(targets.iter().all(|target| target["protected"] == json!(true)), "{report:#}");
    }
    let (gone, complete) = estate.release(Mode::Release).await;
    assert!(complete, "{gone:#?}");
    let pins = estate.pins().await;
    for released in &estate.released {
        assert!(!pins.contains(&Pin::for_digest(released.digest().unwrap()).to_string()), "{released}");
    }
    assert!(!is_lost(&estate.place.enforce("")));
}
