//! A release beside other runs, on a ledger in a directory: whoever commits what in between, and wherever it is killed, no pin that
//! it took is called lost, and what is needed is pinned (I14, I15, F85, F87, F92). `release_model` has every order of this.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use prodpin::model::{ArtifactId, Code, Event, Mode, Pin, PinFailure, RepositoryName, Tag};
use prodpin::outcome::release::{PinRelease, ReleaseState};
use prodpin::policy::Policy;
use prodpin::run::{Progress, Released, RunOptions, run_on};
use prodpin::sources::memory::Removing;
use prodpin::sources::{Permit, Releaser};

use crate::estate::{Estate, REPOSITORY, RunResult, reported};
use crate::release::{NOW, estate, is_pinned, pins, release, release_by};

/// When something happens.
#[derive(Clone, Copy, PartialEq)]
enum When {
    /// Before it is asked whether the pin may go.
    Before,
    /// After that, and before it goes.
    Sent,
    /// After it went, and before anybody knows.
    Gone,
}

/// What removes pins, with something that happens once, or a process that is never heard of again.
struct Between {
    inner: Arc<dyn Releaser>,
    when: When,
    happens: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    is_killed: bool,
}

impl Between {
    fn new(estate: &Estate, when: When, happens: impl FnOnce() + Send + 'static) -> Arc<Self> {
        let happens = Mutex::new(Some(Box::new(happens) as Box<dyn FnOnce() + Send>));
        Arc::new(Self { inner: estate.memory.releaser(), when, happens, is_killed: false })
    }

    fn killed(estate: &Estate, when: When) -> Arc<Self> {
        Arc::new(Self { inner: estate.memory.releaser(), when, happens: Mutex::new(None), is_killed: true })
    }

    async fn at(&self, when: When) {
        if when != self.when {
            return;
        }
        if self.is_killed {
            std::future::pending::<()>().await;
        }
        let happens = self.happens.lock().unwrap().take();
        if let Some(happens) = happens {
            happens();
        }
    }
}

struct Asked<'a> {
    between: &'a Between,
    permit: &'a dyn Permit,
}

impl Permit for Asked<'_> {
    fn ask(&self) -> BoxFuture<'_, Result<(), PinFailure>> {
        Box::pin(async move {
            self.permit.ask().await?;
            self.between.at(When::Sent).await;
            Ok(())
        })
    }
}

#[async_trait]
impl Releaser for Between {
    async fn release(
        &self,
        repository: &RepositoryName,
        artifact: &ArtifactId,
        kept_by: Option<&Tag>,
        permit: &dyn Permit,
    ) -> Result<(), PinFailure> {
        self.at(When::Before).await;
        let gone = self.inner.release(repository, artifact, kept_by, &Asked { between: self, permit }).await;
        self.at(When::Gone).await;
        gone
    }

    async fn pin_again(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        self.inner.pin_again(repository, artifact).await
    }
}

/// Carries a whole run out on a thread of its own, and waits for it.
fn apart<R>(estate: Arc<Estate>, run: R) -> impl FnOnce() + Send + 'static
where
    R: AsyncFnOnce(&Estate) + Send + 'static,
{
    move || {
        let runs = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(&estate));
        };
        std::thread::spawn(runs).join().unwrap();
    }
}

/// The same estate under a policy that keeps one release more.
async fn enforce_with_six(estate: &Estate) -> RunResult {
    let policy = Policy { keep: 6, ..estate.policy.clone() };
    let sources = BTreeMap::from([("shop".parse().unwrap(), estate.memory.writable(["shop/*"]).unwrap())]);
    let options = RunOptions {
        mode: Mode::Enforce,
        sources: Vec::new(),
        shard: None,
        repositories: Vec::new(),
        concurrency: 4,
        deadline: None,
        stop: crate::estate::quick_stop(),
    };
    reported(&run_on(&policy, sources, &options, Arc::new(Quiet)).await.unwrap())
}

struct Quiet;
impl Progress for Quiet {}

fn calls_lost(run: &RunResult) -> bool {
    run.findings.iter().any(|finding| finding.code == Code::PinMissing)
}

async fn shared() -> (Arc<Estate>, ArtifactId) {
    let (estate, oldest) = estate().await;
    (Arc::new(estate), oldest)
}

async fn lost(estate: &Estate) -> bool {
    estate.events().await.iter().any(|event| matches!(event, Event::PinLost { .. }))
}

async fn carry(estate: &Estate, releaser: Arc<Between>) -> Vec<PinRelease> {
    pins(release_by(estate, true, NOW, releaser).await)
}

/// A release that is killed there: its future is dropped, as its process would be.
async fn kill(estate: &Estate, when: When) {
    let releaser = Between::killed(estate, when);
    let carried = tokio::time::timeout(Duration::from_secs(2), release_by(estate, true, NOW, releaser));
    let cut: Result<Released, _> = carried.await;
    assert!(cut.is_err(), "it was to be killed");
}

#[tokio::test]
async fn a_run_that_needs_a_pin_by_another_policy_keeps_it_i14_f85() {
    let (estate, oldest) = shared().await;
    let needs = apart(estate.clone(), async |estate: &Estate| {
        assert!(!calls_lost(&enforce_with_six(estate).await));
    });
    let kept = carry(&estate, Between::new(&estate, When::Before, needs)).await;
    assert_eq!((kept.len(), kept[0].state), (1, ReleaseState::Kept), "{kept:?}");
    assert!(kept[0].failure.as_ref().unwrap().contains("another run"), "{kept:?}");
    assert!(is_pinned(&estate, &oldest) && estate.memory.removals().is_empty());
    assert!(!lost(&estate).await);
}

#[tokio::test]
async fn a_run_in_the_middle_of_a_removal_calls_nothing_lost_then_or_later_i15() {
    for when in [When::Sent, When::Gone] {
        for needs in [false, true] {
            let (estate, oldest) = shared().await;
            let runs = apart(estate.clone(), async move |estate: &Estate| {
                let run = if needs { enforce_with_six(estate).await } else { estate.enforce().await };
                assert!(!calls_lost(&run), "{}", estate.story(&run));
            });
            carry(&estate, Between::new(&estate, when, runs)).await;
            for _ in 0..3 {
                let next = enforce_with_six(&estate).await;
                assert!(!calls_lost(&next), "{}", estate.story(&next));
                assert!(is_pinned(&estate, &oldest));
            }
            assert!(!lost(&estate).await);
            // Whoever else takes it now is found.
            let pin = Pin::for_digest(oldest.digest().unwrap()).to_string();
            estate.memory.delete_tag(REPOSITORY, &pin);
            assert!(calls_lost(&enforce_with_six(&estate).await));
            assert!(lost(&estate).await);
        }
    }
}

#[tokio::test]
async fn after_a_release_that_was_killed_what_is_needed_is_pinned_and_a_loss_is_one_again_i15_f87() {
    for when in [When::Before, When::Sent, When::Gone] {
        let (estate, oldest) = shared().await;
        kill(&estate, when).await;
        let next = enforce_with_six(&estate).await;
        assert!(!calls_lost(&next), "{}", estate.story(&next));
        assert!(is_pinned(&estate, &oldest));
        let next = enforce_with_six(&estate).await;
        assert!(!calls_lost(&next), "{}", estate.story(&next));
        let events = estate.events().await;
        enforce_with_six(&estate).await;
        assert_eq!(estate.events().await, events, "nothing is left to say (I13)");
        let pin = Pin::for_digest(oldest.digest().unwrap()).to_string();
        estate.memory.delete_tag(REPOSITORY, &pin);
        assert!(calls_lost(&enforce_with_six(&estate).await));
    }
}

#[tokio::test]
async fn what_a_release_that_was_killed_left_the_next_one_removes_i15_f87() {
    for when in [When::Before, When::Sent, When::Gone] {
        let (estate, oldest) = shared().await;
        kill(&estate, when).await;
        let gone = release(&estate, true).await;
        assert!(gone.iter().all(|pin| pin.state == ReleaseState::Released), "{gone:?}");
        assert!(!is_pinned(&estate, &oldest));
        estate.run(Mode::Audit).await;
        let released = Event::PinReleased { artifact: oldest.clone() };
        assert_eq!(estate.events().await.iter().filter(|event| **event == released).count(), 1);
        assert!(!calls_lost(&enforce_with_six(&estate).await));
        assert!(is_pinned(&estate, &oldest) && !lost(&estate).await);
    }
}

#[tokio::test]
async fn of_two_releases_at_once_one_removes_each_pin_i14() {
    let (estate, oldest) = shared().await;
    let other = apart(estate.clone(), async |estate: &Estate| {
        let gone = release(estate, true).await;
        assert_eq!(gone[0].state, ReleaseState::Released, "{gone:?}");
    });
    let kept = carry(&estate, Between::new(&estate, When::Before, other)).await;
    assert_ne!(kept[0].state, ReleaseState::Failed, "{kept:?}");
    assert_eq!(estate.memory.removals().len(), 1);
    assert!(!is_pinned(&estate, &oldest) && !lost(&estate).await);
    assert!(!calls_lost(&enforce_with_six(&estate).await));
}

#[tokio::test]
async fn a_lost_answer_beside_another_run_is_no_loss_f35_i15() {
    let (estate, oldest) = shared().await;
    estate.memory.set_removing(REPOSITORY, Removing::Unanswered);
    let runs = apart(estate.clone(), async |estate: &Estate| {
        assert!(!calls_lost(&enforce_with_six(estate).await));
    });
    carry(&estate, Between::new(&estate, When::Gone, runs)).await;
    for _ in 0..2 {
        assert!(!calls_lost(&enforce_with_six(&estate).await));
        assert!(is_pinned(&estate, &oldest));
    }
    assert!(!lost(&estate).await);
}
