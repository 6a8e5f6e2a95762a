//! What goes wrong while pins are removed, and whose pins they are: in doubt every pin is there at the end (I1–I3, I5, F35, F92).

use std::collections::BTreeMap;
use std::sync::Arc;

use prodpin::model::{ArtifactId, Code, Event, Mode, Order, Pin, PinFailure, ProductionRule, RepositoryName, Tag};
use prodpin::outcome::release::{PinRelease, ReleaseState};
use prodpin::policy::LedgerLocation;
use prodpin::run::{Progress, ReleaseOptions, Released, RunOptions, Stop, release_on};
use prodpin::sources::memory::{EcrTerms, Memory, Removing, image, index_of};
use prodpin::sources::{Permit, Releaser};

use crate::estate::{Estate, REPOSITORY, reported, tags};
use crate::release::{Meanwhile, NOW, estate, grounds, is_pinned, pins, release, release_by, with_one_left};

/// How a release is asked for, beside the estate.
struct Asked<P> {
    releaser: Arc<dyn Releaser>,
    progress: P,
    stop: Stop,
    leaving: bool,
}

struct Quiet;
impl Progress for Quiet {}

impl Asked<Quiet> {
    fn of(estate: &Estate) -> Self {
        Self { releaser: estate.memory.releaser(), progress: Quiet, stop: crate::estate::quick_stop(), leaving: false }
    }
}

impl<P: Progress + 'static> Asked<P> {
    async fn carry(self, estate: &Estate) -> Released {
        let sources = BTreeMap::from([("shop".parse().unwrap(), estate.memory.read_only(["shop/*"]).unwrap())]);
        let releasers = BTreeMap::from([("shop".parse().unwrap(), self.releaser)]);
        let run = RunOptions {
            mode: Mode::Release,
            sources: Vec::new(),
            shard: None,
            repositories: Vec::new(),
            concurrency: 4,
            deadline: None,
            stop: self.stop,
        };
        let options = ReleaseOptions { run, repositories: Vec::new(), grace: NOW, vault: false, leaving: self.leaving };
        release_on(&estate.policy, sources, releasers, &options, Arc::new(self.progress)).await.unwrap()
    }
}

/// Calls back once the repository was looked at for the first time.
struct OnceSeen<F>(F);
impl<F: Fn() + Send + Sync> Progress for OnceSeen<F> {
    fn done(&self, _name: &str) {
        (self.0)();
    }
}

fn address(artifact: &ArtifactId) -> String {
    format!("registry.example.com/shop/api@{artifact}")
}

/// Releases of two platforms each, of which the newest runs and the oldest is in no rollback set any more; and the parts of it.
async fn of_platforms() -> (Estate, ArtifactId, Vec<ArtifactId>) {
    let mut estate = Estate::new(vec![tags(&["v*"], Order::Semver), ProductionRule::InUse]);
    let parts = |minor: i32| ["amd64", "arm64"].map(|platform| image(&format!("{platform} of {minor}"))).to_vec();
    for minor in 0..5 {
        estate.push_content(&format!("v1.{minor}.0"), &format!("release-{minor}"), index_of(parts(minor)));
    }
    let running = estate.memory.tag(REPOSITORY, "v1.4.0").unwrap();
    estate.in_use(&[address(&running)]);
    let oldest = with_one_left(&mut estate).await;
    (estate, oldest, parts(0).iter().map(|part| part.id()).collect())
}

fn states(pins: &[PinRelease]) -> Vec<ReleaseState> {
    pins.iter().map(|pin| pin.state).collect()
}

#[tokio::test]
async fn a_last_question_without_an_answer_puts_everything_back_f92() {
    let (estate, oldest, parts) = of_platforms().await;
    let file = estate.policy.in_use_files[0].clone();
    let happens = move || std::fs::write(&file, "not JSON").unwrap();
    let releaser = Arc::new(Meanwhile { inner: estate.memory.releaser(), happens });
    let released = Asked { releaser, ..Asked::of(&estate) }.carry(&estate).await;
    assert!(!reported(released.report().unwrap()).complete, "what runs is unknown");
    let pins = pins(released);
    assert_eq!(estate.memory.removals().len(), 3);
    assert_eq!(states(&pins), [ReleaseState::PinnedAgain; 3], "{pins:?}");
    assert!([oldest].iter().chain(&parts).all(|artifact| is_pinned(&estate, artifact)));
}

/// What removes pins, where somebody else was faster each time: as the sources answer then, without a call of their own. And what
/// happens meanwhile.
struct TooLate<F>(Memory, F);

#[async_trait::async_trait]
impl<F: Fn() + Send + Sync> Releaser for TooLate<F> {
    async fn release(
        &self,
        _: &RepositoryName,
        artifact: &ArtifactId,
        _: Option<&Tag>,
        _: &dyn Permit,
    ) -> Result<(), PinFailure> {
        (self.1)();
        self.0.delete_tag(REPOSITORY, &Pin::for_digest(artifact.digest().unwrap()).to_string());
        Ok(())
    }

    async fn pin_again(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        self.0.releaser().pin_again(repository, artifact).await
    }
}

#[tokio::test]
async fn what_somebody_else_removed_is_said_to_be_gone_and_no_removal_of_this_run_i14_i15() {
    let (estate, oldest, parts) = of_platforms().await;
    let releaser = Arc::new(TooLate(estate.memory.clone(), || ()));
    let gone = pins(Asked { releaser, ..Asked::of(&estate) }.carry(&estate).await);
    assert_eq!(states(&gone), [ReleaseState::Gone; 3], "{gone:?}");
    assert_eq!(estate.memory.removals(), []);
    let next = estate.enforce().await;
    assert!(next.findings.iter().all(|finding| finding.code != Code::PinMissing), "{}", estate.story(&next));
    assert!(!is_pinned(&estate, &oldest), "nothing needs it");

    // And where it is needed by the end it comes back, whoever removed it.
    let (back, wanted, _) = of_platforms().await;
    let (file, names) = (back.policy.in_use_files[0].clone(), format!("[\"{}\"]", address(&wanted)));
    let goes_back = move || std::fs::write(&file, &names).unwrap();
    let releaser = Arc::new(TooLate(back.memory.clone(), goes_back));
    let again = pins(Asked { releaser, ..Asked::of(&back) }.carry(&back).await);
    assert_eq!(states(&again), [ReleaseState::PinnedAgain; 3], "{again:?}");
    assert!([wanted].iter().chain(&parts).all(|artifact| is_pinned(&back, artifact)));
}

#[tokio::test]
async fn production_that_goes_back_gets_the_pins_of_every_part_back_f92_i26() {
    let (mut estate, oldest, parts) = of_platforms().await;
    let (file, back) = (estate.policy.in_use_files[0].clone(), format!("[\"{}\"]", address(&oldest)));
    let happens = move || std::fs::write(&file, &back).unwrap();
    let releaser = Arc::new(Meanwhile { inner: estate.memory.releaser(), happens });
    let released = Asked { releaser, ..Asked::of(&estate) }.carry(&estate).await;
    assert!(reported(released.report().unwrap()).complete);
    assert!([oldest].iter().chain(&parts).all(|artifact| is_pinned(&estate, artifact)), "{:?}", pins(released));
    estate.policy.keep = 6;
    let next = estate.enforce().await;
    assert!(next.findings.iter().all(|finding| finding.code != Code::PinMissing), "{}", estate.story(&next));
}

#[tokio::test]
async fn a_moving_tag_that_goes_back_while_a_pin_goes_gets_it_back_f92() {
    let mut estate =
        Estate::new(vec![tags(&["v*"], Order::Semver), ProductionRule::MovingTag("prod".parse().unwrap())]);
    for minor in 0..5 {
        estate.push(&format!("v1.{minor}.0"), &format!("release-{minor}"));
    }
    estate.push("prod", "release-4");
    let oldest = with_one_left(&mut estate).await;
    let (memory, back) = (estate.memory.clone(), oldest.clone());
    let happens = move || memory.move_tag(REPOSITORY, "prod", &back);
    let releaser = Arc::new(Meanwhile { inner: estate.memory.releaser(), happens });
    let released = pins(Asked { releaser, ..Asked::of(&estate) }.carry(&estate).await);
    assert_eq!(states(&released), [ReleaseState::PinnedAgain], "{released:?}");
    assert!(is_pinned(&estate, &oldest));
}

#[tokio::test]
async fn production_is_asked_again_before_the_first_pin_goes_f92() {
    for (said, complete) in [(None, true), (Some("not JSON"), false)] {
        let (estate, oldest, _) = of_platforms().await;
        let file = estate.policy.in_use_files[0].clone();
        let said = said.map_or_else(|| format!("[\"{}\"]", address(&oldest)), str::to_owned);
        let progress = OnceSeen(move || std::fs::write(&file, &said).unwrap());
        let asked =
            Asked { releaser: estate.memory.releaser(), progress, stop: crate::estate::quick_stop(), leaving: false };
        let released = asked.carry(&estate).await;
        assert_eq!(reported(released.report().unwrap()).complete, complete);
        assert_eq!(estate.memory.removals(), [], "{complete}");
        assert!(pins(released).iter().all(|pin| pin.state == ReleaseState::Kept), "{complete}");
    }
}

#[tokio::test]
async fn only_pins_that_this_ledger_made_go_i1() {
    // Another ledger's.
    let (mut estate, oldest) = estate().await;
    let place = tempfile::tempdir().unwrap();
    estate.policy.ledger = LedgerLocation::Directory(place.path().join("other"));
    estate.policy.safeguards.adopt = true;
    estate.enforce().await;
    estate.enforce().await;
    let kept = release(&estate, true).await;
    assert_eq!(grounds(&kept[0]), ["not-ours"], "{kept:?}");
    assert!(is_pinned(&estate, &oldest) && estate.memory.removals().is_empty());

    // A person's, from before the first run.
    let mut estate = Estate::with_releases(5);
    let oldest = estate.memory.tag(REPOSITORY, "v1.0.0").unwrap();
    let pin = Pin::for_digest(oldest.digest().unwrap()).to_string();
    estate.memory.move_tag(REPOSITORY, &pin, &oldest);
    estate.policy.safeguards.adopt = true;
    estate.enforce().await;
    estate.push("v1.9.0", "release-9");
    estate.enforce().await;
    let kept = release(&estate, true).await;
    assert_eq!(grounds(&kept[0]), ["not-ours"], "{kept:?}");

    // One that was made here, that somebody removed, and that somebody made anew.
    let (estate, oldest) = self::estate().await;
    let pin = Pin::for_digest(oldest.digest().unwrap()).to_string();
    estate.memory.delete_tag(REPOSITORY, &pin);
    estate.run(Mode::Audit).await;
    estate.memory.move_tag(REPOSITORY, &pin, &oldest);
    estate.run(Mode::Audit).await;
    let kept = release(&estate, true).await;
    assert_eq!(grounds(&kept[0]), ["not-ours"], "{kept:?}");
}

#[tokio::test]
async fn a_release_that_failed_makes_no_part_of_anything_i5() {
    let (estate, oldest) = estate().await;
    estate.memory.set_removing(REPOSITORY, Removing::Lost);
    release(&estate, true).await;
    estate.memory.set_removing(REPOSITORY, Removing::Alone);
    estate.memory.delete_tag(REPOSITORY, "v1.0.0");
    estate.run(Mode::Audit).await;
    estate.run(Mode::Audit).await;
    let kept = release(&estate, true).await;
    assert_eq!(grounds(&kept[0]), ["last-reference"], "{kept:?}");
    assert!(is_pinned(&estate, &oldest));
}

#[tokio::test]
async fn one_removal_shows_that_a_registry_takes_the_manifest_and_no_other_follows_f35() {
    let mut estate = Estate::with_releases(5);
    estate.enforce().await;
    for minor in [6, 7] {
        estate.push(&format!("v1.{minor}.0"), &format!("release-{minor}"));
        estate.enforce().await;
    }
    estate.memory.set_removing(REPOSITORY, Removing::TakesAll);
    let released = Asked::of(&estate).carry(&estate).await;
    assert!(!reported(released.report().unwrap()).complete);
    let pins = pins(released);
    assert_eq!(estate.memory.removals().len(), 1, "{pins:?}");
    assert_eq!(states(&pins), [ReleaseState::Failed, ReleaseState::NotTried], "{pins:?}");
    let said = pins[0].failure.as_ref().unwrap();
    assert!(said.contains("is gone") && said.contains("no further pin is removed in this source"), "{said}");
    // The one that left the set first was tried.
    assert_eq!(pins[0].kept_by.as_ref().unwrap().as_str(), "v1.0.0");
}

#[tokio::test]
async fn a_run_that_is_stopped_says_so_and_has_what_it_did_on_record_f88() {
    let (estate, oldest, _) = of_platforms().await;
    let stop = crate::estate::quick_stop();
    let asks = stop.clone();
    let releaser = Arc::new(Meanwhile { inner: estate.memory.releaser(), happens: move || asks.ask() });
    let released = Asked { releaser, stop, ..Asked::of(&estate) }.carry(&estate).await;
    assert!(!reported(released.report().unwrap()).complete);
    let pins = pins(released);
    assert_eq!(states(&pins), [ReleaseState::Released, ReleaseState::NotTried, ReleaseState::NotTried], "{pins:?}");
    let gone = Event::PinReleased { artifact: oldest };
    assert!(estate.events().await.contains(&gone));
}

#[tokio::test]
async fn what_is_only_shown_is_not_recorded() {
    let (estate, _) = estate().await;
    let before = (estate.events().await, estate.reports().await.len());
    let files = |estate: &Estate| {
        let LedgerLocation::Directory(path) = &estate.policy.ledger else { panic!("a directory") };
        walk(path)
    };
    let there = files(&estate);
    let shown = release_by(&estate, false, NOW, estate.memory.releaser()).await;
    assert!(shown.complete && shown.report().is_none());
    assert_eq!((estate.events().await, estate.reports().await.len()), before);
    assert_eq!(files(&estate), there);
    // It is no run that counts as one of two.
    let mut estate = Estate::with_releases(5);
    estate.enforce().await;
    estate.push("v1.9.0", "release-9");
    for _ in 0..3 {
        let shown = release(&estate, false).await;
        assert_eq!(grounds(&shown[0]), ["unprotected", "not-on-record"]);
    }
}

fn walk(path: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn leaving_takes_what_was_made_here_and_says_what_stays_i5() {
    let mut estate = Estate::with_releases(5);
    let by_hand = estate.memory.tag(REPOSITORY, "v1.1.0").unwrap();
    estate.memory.move_tag(REPOSITORY, &Pin::for_digest(by_hand.digest().unwrap()).to_string(), &by_hand);
    estate.policy.safeguards.adopt = true;
    estate.enforce().await;
    // One whose release tag is gone has nothing but its pin.
    let alone = estate.memory.tag(REPOSITORY, "v1.2.0").unwrap();
    estate.memory.delete_tag(REPOSITORY, "v1.2.0");
    let released = Asked { leaving: true, ..Asked::of(&estate) }.carry(&estate).await;
    assert!(reported(released.report().unwrap()).complete);
    let pins = pins(released);
    assert_eq!(estate.memory.pins(REPOSITORY), [by_hand.clone(), alone.clone()].into(), "{pins:?}");
    for (artifact, ground) in [(by_hand, "not-ours"), (alone, "last-reference")] {
        let pin = pins.iter().find(|pin| pin.artifact == artifact).unwrap();
        assert_eq!(grounds(pin), [ground], "{pins:?}");
    }
    let gone = pins.iter().filter(|pin| pin.state == ReleaseState::Released).count();
    assert_eq!(gone, 3, "{pins:?}");
}

#[tokio::test]
async fn on_ecr_leaving_deletes_no_image_i5() {
    let estate = Estate::in_ecr(3, "2026-11-01", EcrTerms::default());
    estate.enforce().await;
    let only = estate.memory.tag(REPOSITORY, "v1.1.0").unwrap();
    estate.memory.delete_tag(REPOSITORY, "v1.1.0");
    Asked { leaving: true, ..Asked::of(&estate) }.carry(&estate).await;
    assert_eq!(estate.memory.pins(REPOSITORY), [only].into());
}
