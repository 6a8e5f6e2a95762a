//! `release`: pins that nothing needs go, and every ground on which one stays is told (I1–I3, I5, I8, I13–I15, F35, F92).

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use jiff::SignedDuration;
use prodpin::model::{
    ArtifactId, Code, Event, Mode, Order, PinFailure, ProductionRule, RepositoryName, SourceName, Tag,
};
use prodpin::outcome::release::{PinRelease, ReleaseState};
use prodpin::run::{Progress, ReleaseOptions, Released, RunOptions, release_on};
use prodpin::sources::memory::{EcrTerms, Removing, image, index_of};
use prodpin::sources::{Permit, Releaser, Source};

use crate::estate::{Estate, REPOSITORY, reported, tags};

struct Quiet;
impl Progress for Quiet {}

pub(crate) const NOW: SignedDuration = SignedDuration::ZERO;

pub(crate) async fn release_by(
    estate: &Estate,
    apply: bool,
    grace: SignedDuration,
    releaser: Arc<dyn Releaser>,
) -> Released {
    let source = estate.memory.read_only(["shop/*"]).unwrap();
    release_in(estate, source, grace, apply.then_some(releaser)).await
}

/// A release on this source as `shop`; one that only shows what it would do where nothing removes pins there.
pub(crate) async fn release_in(
    estate: &Estate,
    source: Source,
    grace: SignedDuration,
    releaser: Option<Arc<dyn Releaser>>,
) -> Released {
    let name = "shop".parse::<SourceName>().unwrap();
    let mode = if releaser.is_some() { Mode::Release } else { Mode::Audit };
    let sources = BTreeMap::from([(name.clone(), source)]);
    let releasers = releaser.into_iter().map(|releaser| (name.clone(), releaser)).collect();
    let run = RunOptions {
        mode,
        sources: Vec::new(),
        shard: None,
        repositories: Vec::new(),
        concurrency: 4,
        deadline: None,
        stop: crate::estate::quick_stop(),
    };
    let options = ReleaseOptions { run, repositories: Vec::new(), grace, vault: false, leaving: false };
    release_on(&estate.policy, sources, releasers, &options, Arc::new(Quiet)).await.unwrap()
}

pub(crate) async fn release(estate: &Estate, apply: bool) -> Vec<PinRelease> {
    pins(release_by(estate, apply, NOW, estate.memory.releaser()).await)
}

pub(crate) fn pins(released: Released) -> Vec<PinRelease> {
    released.repositories.into_iter().flat_map(|repository| repository.pins).collect()
}

pub(crate) fn grounds(pin: &PinRelease) -> Vec<String> {
    let name = |ground| serde_json::to_value(ground).unwrap()["kind"].as_str().unwrap().to_owned();
    pin.grounds.iter().map(name).collect()
}

/// Five releases are pinned, a sixth came, and the oldest is outside the rollback set, as two runs saw.
pub(crate) async fn with_one_left(estate: &mut Estate) -> ArtifactId {
    estate.enforce().await;
    let newest = estate.push("v1.9.0", "release-9");
    estate.enforce().await;
    let oldest = estate.memory.tag(REPOSITORY, "v1.0.0").unwrap();
    assert!(estate.memory.pins(REPOSITORY).is_superset(&[oldest.clone(), newest].into()));
    oldest
}

pub(crate) async fn estate() -> (Estate, ArtifactId) {
    let mut estate = Estate::with_releases(5);
    let oldest = with_one_left(&mut estate).await;
    (estate, oldest)
}

pub(crate) fn is_pinned(estate: &Estate, artifact: &ArtifactId) -> bool {
    estate.memory.pins(REPOSITORY).contains(artifact)
}

#[tokio::test]
async fn a_pin_that_nothing_needs_goes_once_and_is_no_loss_i13() {
    let (mut estate, oldest) = estate().await;
    let shown = release(&estate, false).await;
    assert_eq!((shown.len(), shown[0].state, &shown[0].artifact), (1, ReleaseState::Planned, &oldest));
    assert_eq!(shown[0].kept_by.as_ref().map(Tag::as_str), Some("v1.0.0"));
    assert!(is_pinned(&estate, &oldest) && estate.memory.removals().is_empty(), "it was only shown");
    let gone = release(&estate, true).await;
    assert_eq!((gone.len(), gone[0].state), (1, ReleaseState::Released));
    assert!(!is_pinned(&estate, &oldest));
    assert_eq!(estate.memory.tag(REPOSITORY, "v1.0.0").as_ref(), Some(&oldest), "its own tag stays");
    let events = estate.events().await;
    assert!(release(&estate, true).await.is_empty());
    assert_eq!((estate.events().await, estate.memory.removals().len()), (events, 1));
    // A target again: it is pinned anew, and nobody is said to have removed its pin.
    estate.policy.keep = 6;
    let again = estate.enforce().await;
    assert!(is_pinned(&estate, &oldest), "{}", estate.story(&again));
    assert!(again.findings.iter().all(|finding| finding.code != Code::PinMissing), "{}", estate.story(&again));
}

#[tokio::test]
async fn one_run_or_a_short_time_is_not_enough_i3() {
    let (estate, oldest) = estate().await;
    let week = SignedDuration::from_hours(24 * 7);
    let early = pins(release_by(&estate, true, week, estate.memory.releaser()).await);
    assert_eq!(grounds(&early[0]), ["grace"]);
    assert!(is_pinned(&estate, &oldest));
    // The release that only `release` itself has seen is not let go by it.
    let mut estate = Estate::with_releases(5);
    estate.enforce().await;
    estate.push("v1.9.0", "release-9");
    let fresh = release(&estate, true).await;
    // The newest has no pin yet, either.
    assert_eq!(grounds(&fresh[0]), ["unprotected", "not-on-record"]);
    assert_eq!(estate.memory.removals(), []);
}

#[tokio::test]
async fn a_gap_or_a_target_that_is_not_protected_keeps_every_pin_i2_i3() {
    let (estate, oldest) = estate().await;
    estate.memory.make_unreadable(REPOSITORY, "v1.4.0");
    let unread = release(&estate, true).await;
    assert!(unread.iter().all(|pin| grounds(pin).contains(&"gap".to_owned())), "{unread:?}");
    assert!(is_pinned(&estate, &oldest) && estate.memory.removals().is_empty());

    let (estate, oldest) = self::estate().await;
    let target = estate.memory.tag(REPOSITORY, "v1.4.0").unwrap();
    estate.memory.delete_tag(REPOSITORY, &format!("prod-pinned-{}", target.digest().unwrap().hex()));
    let unpinned = release(&estate, true).await;
    assert_eq!(grounds(&unpinned[0]), ["unprotected"]);
    assert!(is_pinned(&estate, &oldest) && estate.memory.removals().is_empty());
}

#[tokio::test]
async fn after_a_run_that_was_incomplete_two_more_are_needed_i3() {
    let (estate, _) = estate().await;
    estate.memory.stop_list_after(REPOSITORY, 3);
    estate.run(Mode::Audit).await;
    estate.memory.heal();
    let first = release(&estate, true).await;
    assert_eq!(grounds(&first[0]), ["earlier-run-incomplete"]);
    let second = release(&estate, true).await;
    assert_eq!(second[0].state, ReleaseState::Released);
}

#[tokio::test]
async fn the_last_permanent_tag_is_asked_for_i5() {
    let (mut estate, oldest) = estate().await;
    // One more tag on it, which names no release and may move.
    estate.memory.move_tag(REPOSITORY, "stable", &oldest);
    estate.memory.move_tag(REPOSITORY, "latest", &oldest);
    estate.memory.delete_tag(REPOSITORY, "v1.0.0");
    estate.run(Mode::Audit).await;
    let kept = release(&estate, true).await;
    assert_eq!(grounds(&kept[0]), ["last-reference"]);
    assert_eq!(estate.memory.removals(), []);
    // What moved once may move again.
    estate.push("v1.2.0", "moved there");
    estate.memory.move_tag(REPOSITORY, "v1.2.0", &oldest);
    estate.run(Mode::Audit).await;
    let kept = release(&estate, false).await;
    assert!(kept.iter().all(|pin| pin.state == ReleaseState::Kept), "{kept:?}");
}

#[tokio::test]
async fn where_no_tag_can_be_removed_it_is_said_and_nothing_else_is_tried_f35() {
    let (estate, oldest) = estate().await;
    estate.memory.set_removing(REPOSITORY, Removing::Refused);
    let refused = release(&estate, true).await;
    assert_eq!(refused[0].state, ReleaseState::Failed);
    assert!(refused[0].failure.as_ref().unwrap().contains("no single tag"), "{refused:?}");
    assert!(is_pinned(&estate, &oldest));
    assert_eq!(estate.memory.removals().len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_lost_and_a_run_that_ends_there_leave_the_truth_on_record_i15() {
    let (mut estate, oldest) = estate().await;
    estate.memory.set_removing(REPOSITORY, Removing::Unanswered);
    let lost = release(&estate, true).await;
    assert_eq!(lost[0].state, ReleaseState::Failed);
    let released = |event: &Event| matches!(event, Event::PinReleased { .. });
    assert!(!estate.events().await.iter().any(released), "nobody knows");
    assert!(!is_pinned(&estate, &oldest));
    let next = estate.enforce().await;
    assert!(estate.events().await.iter().any(released), "the next run saw that it is gone");
    assert!(next.findings.iter().all(|finding| finding.code != Code::PinMissing), "{}", estate.story(&next));
    let events = estate.events().await;
    estate.enforce().await;
    assert_eq!(estate.events().await, events);
    estate.policy.keep = 6;
    let again = estate.enforce().await;
    assert!(is_pinned(&estate, &oldest));
    assert!(again.findings.iter().all(|finding| finding.code != Code::PinMissing), "{}", estate.story(&again));
}

#[tokio::test]
async fn a_target_again_before_the_next_run_is_not_said_to_have_lost_its_pin_i15() {
    let (mut estate, oldest) = estate().await;
    estate.memory.set_removing(REPOSITORY, Removing::Unanswered);
    release(&estate, true).await;
    estate.policy.keep = 6;
    let again = estate.enforce().await;
    assert!(is_pinned(&estate, &oldest));
    assert!(again.findings.iter().all(|finding| finding.code != Code::PinMissing), "{}", estate.story(&again));
    assert!(estate.events().await.iter().any(|event| matches!(event, Event::PinReleased { .. })));
}

/// What happens right before a pin goes.
struct Before<'a, F> {
    permit: &'a dyn Permit,
    happens: &'a F,
}

impl<F: Fn() + Send + Sync> Permit for Before<'_, F> {
    fn ask(&self) -> BoxFuture<'_, Result<(), PinFailure>> {
        Box::pin(async move {
            self.permit.ask().await?;
            (self.happens)();
            Ok(())
        })
    }
}

/// What removes pins, while something happens.
pub(crate) struct Meanwhile<F> {
    pub(crate) inner: Arc<dyn Releaser>,
    pub(crate) happens: F,
}

#[async_trait]
impl<F: Fn() + Send + Sync> Releaser for Meanwhile<F> {
    async fn release(
        &self,
        repository: &RepositoryName,
        artifact: &ArtifactId,
        kept_by: Option<&Tag>,
        permit: &dyn Permit,
    ) -> Result<(), PinFailure> {
        // Once nothing more is asked of the ledger.
        self.inner.release(repository, artifact, kept_by, &Before { permit, happens: &self.happens }).await
    }

    async fn pin_again(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        self.inner.pin_again(repository, artifact).await
    }
}

#[tokio::test]
async fn production_that_goes_back_while_a_pin_goes_gets_it_back_f92() {
    let mut estate = Estate::new(vec![tags(&["v*"], Order::Semver), ProductionRule::InUse]);
    for minor in 0..5 {
        estate.push(&format!("v1.{minor}.0"), &format!("release-{minor}"));
    }
    let address = |artifact: &ArtifactId| format!("registry.example.com/shop/api@{artifact}");
    let running = estate.memory.tag(REPOSITORY, "v1.4.0").unwrap();
    estate.in_use(&[address(&running)]);
    let oldest = with_one_left(&mut estate).await;
    let (file, back) = (estate.policy.in_use_files[0].clone(), serde_json::to_string(&[address(&oldest)]).unwrap());
    let happens = move || std::fs::write(&file, &back).unwrap();
    let releaser = Arc::new(Meanwhile { inner: estate.memory.releaser(), happens });
    let released = pins(release_by(&estate, true, NOW, releaser).await);
    let of_oldest = released.iter().find(|pin| pin.artifact == oldest).unwrap();
    assert_eq!(of_oldest.state, ReleaseState::PinnedAgain, "{released:?}");
    assert!(is_pinned(&estate, &oldest));
    let next = estate.enforce().await;
    assert!(next.findings.iter().all(|finding| finding.code != Code::PinMissing), "{}", estate.story(&next));
}

#[tokio::test]
async fn a_part_goes_after_its_index_and_stays_while_another_needs_it_i5() {
    let mut estate = Estate::new(vec![tags(&["v*"], Order::Semver)]);
    let shared = image("shared by the first two");
    let own = image("the first one's own");
    for (minor, parts) in [
        vec![shared.clone(), own.clone()],
        vec![shared.clone(), image("b")],
        vec![image("c"), image("d")],
        vec![image("e"), image("f")],
        vec![image("g"), image("h")],
    ]
    .into_iter()
    .enumerate()
    {
        estate.push_content(&format!("v1.{minor}.0"), &format!("release-{minor}"), index_of(parts));
    }
    let oldest = with_one_left(&mut estate).await;
    let gone = release(&estate, true).await;
    assert_eq!(estate.memory.removals(), [oldest.clone(), own.id()], "{gone:?}");
    assert!(gone.iter().all(|pin| pin.state == ReleaseState::Released));
    assert!(is_pinned(&estate, &shared.id()), "the second release needs it");
    assert!(release(&estate, true).await.is_empty());
}

#[tokio::test]
async fn on_ecr_an_image_with_a_permanent_tag_goes_and_what_rules_do_to_it_then_is_told_i22() {
    let keep = |count: u32| {
        format!(
            r#"{{"rules":[{{"rulePriority":1,"selection":{{"tagStatus":"tagged","tagPatternList":["prod-pinned-*"],"countType":"imageCountMoreThan","countNumber":999}},"action":{{"type":"expire"}}}},{{"rulePriority":2,"selection":{{"tagStatus":"tagged","tagPatternList":["v*"],"countType":"imageCountMoreThan","countNumber":{count}}},"action":{{"type":"expire"}}}}]}}"#
        )
    };
    // Nothing but pins is counted first: without its pin the oldest counts among `v*`, alone, and harms nobody.
    let mut estate = Estate::in_ecr(5, "2026-11-01", EcrTerms::with_lifecycle(&keep(50)));
    let oldest = with_one_left(&mut estate).await;
    let gone = release(&estate, true).await;
    assert_eq!((gone[0].state, is_pinned(&estate, &oldest)), (ReleaseState::Released, false), "{gone:?}");
    // One place for `v*`: what a rule in front claims is counted by the rules behind it all the same, so that nobody loses a
    // place by the pin that goes. What then becomes of its own artifact is told.
    let mut estate = Estate::in_ecr(5, "2026-11-01", EcrTerms::with_lifecycle(&keep(1)));
    estate.memory.set_time("2026-10-01T00:00:00Z".parse().unwrap());
    estate.push("v0.1.0", "old");
    let oldest = with_one_left(&mut estate).await;
    let gone = release(&estate, true).await;
    assert_eq!((gone[0].state, is_pinned(&estate, &oldest)), (ReleaseState::Released, false), "{gone:?}");
    assert_eq!(gone[0].then.as_ref().map(|threat| threat.rule.as_str()), Some("2"), "{gone:?}");
}

#[tokio::test]
async fn a_release_is_a_run_on_record_and_pins_nothing_else() {
    let (estate, _) = estate().await;
    estate.memory.forget_calls();
    let released = release_by(&estate, true, NOW, estate.memory.releaser()).await;
    let report = released.report().unwrap();
    assert_eq!(report.run.mode, Mode::Release);
    assert!(reported(report).complete);
    assert_eq!(estate.memory.calls(), [], "no pin is made");
}
