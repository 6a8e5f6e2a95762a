//! `release`: the only way a pin goes.
//!
//! It is a run like `audit`, of which a record is kept: that is the second of the two complete inventories that a pin needs.
//! Then each repository that has a pin which nothing needs is looked at once more, its rollback targets are read back, and what
//! `decide::release` lets go is removed, one pin at a time (I2, I3, I5). That it is about to be removed is on record before.
//! At the end production is asked once more, and a pin that it needs by then is made again (F92).

mod bytes;
mod repository;
mod vault;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};

use crate::decide::release::EarlierRun;
use crate::ledger::Ledger;
use crate::model::{
    DeployedReference, Entry, Event, Gap, Mode, PinFailure, RepositoryKey, RunRecord, RunScope, SourceName,
};
use crate::outcome::release::{PinRelease, ReleaseState, RepositoryRelease, VaultRelease};
use crate::policy::Policy;
use crate::report::body::Report;
use crate::sources::{self, Releaser, Source};

use super::listing::Shard;
use super::record::Recorder;
use super::session::SourcesOf;
use super::setup::{LookAhead, Setup, open_each};
use super::wanted::Asked;
use super::{Progress, Ran, RunError, RunOptions, Stop, Unmatched, Wanted, carry_out};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ReleaseOptions {
    /// As of any run. The mode is that of a release, or of an audit where nothing is to be changed.
    pub run: RunOptions,
    /// Only pins in these repositories; in all of them if empty. All are read.
    pub repositories: Vec<Wanted>,
    /// For how long an artifact must have been outside the rollback set.
    pub grace: SignedDuration,
    /// Whether what left it leaves the vault, too.
    pub vault: bool,
}

/// What came of it.
pub struct Released {
    /// The run's report.
    pub report: Report,
    /// The ledger that it was recorded in.
    pub(crate) ledger: Arc<Ledger>,
    /// What is said of pins, in every repository that has one which nothing needs.
    pub repositories: Vec<RepositoryRelease>,
    /// Names and globs that no repository has.
    pub unmatched: Vec<Unmatched>,
    /// What is said of the vault, if that was asked for.
    pub vault: Option<VaultRelease>,
}

/// What removes pins, by source.
pub type Releasers = BTreeMap<SourceName, Arc<dyn Releaser>>;

/// So many runs are looked at for the last one about a repository.
const RUNS: usize = 50;

/// The last question about production takes no longer than this.
const ASKED_FOR: Duration = Duration::from_secs(30);

/// Opens the policy's sources, and releases what may go; in the mode of an audit it says what would.
pub async fn release(
    policy: &Policy,
    options: &ReleaseOptions,
    progress: Arc<dyn Progress>,
) -> Result<Released, RunError> {
    let options = &ReleaseOptions { run: options.run.due(), ..options.clone() };
    let run = &options.run;
    let opening = async |name: &SourceName, config: &_, open: &_, environment: &_| match run.mode {
        Mode::Release => sources::open_to_release(name, config, open, environment).await,
        _ => Ok((sources::open(name, config, open, environment).await?, None)),
    };
    let (opened, unopened) = open_each(policy, run, LookAhead::default(), opening).await?;
    let (mut open, mut releasers) = (BTreeMap::new(), Releasers::new());
    for (name, (source, releaser)) in opened {
        releasers.extend(releaser.map(|releaser| (name.clone(), releaser)));
        open.insert(name, source);
    }
    let sources = SourcesOf::Opened(open, unopened);
    run.stop.in_time(Box::pin(release_with(policy, sources, releasers, options, progress))).await
}

/// The same on sources that are open.
pub async fn release_on(
    policy: &Policy,
    sources: BTreeMap<SourceName, Source>,
    releasers: Releasers,
    options: &ReleaseOptions,
    progress: Arc<dyn Progress>,
) -> Result<Released, RunError> {
    Box::pin(release_with(policy, SourcesOf::Caller(sources), releasers, options, progress)).await
}

async fn release_with(
    policy: &Policy,
    sources: SourcesOf,
    releasers: Releasers,
    options: &ReleaseOptions,
    progress: Arc<dyn Progress>,
) -> Result<Released, RunError> {
    let mut releasing = Releasing { options, releasers, repositories: Vec::new(), unmatched: Vec::new(), vault: None };
    let Ran { report, ledger } = carry_out(policy, sources, &options.run, progress, Some(&mut releasing)).await?;
    let Releasing { repositories, unmatched, vault, .. } = releasing;
    Ok(Released { report, ledger, repositories, unmatched, vault })
}

/// A release that is under way.
pub(super) struct Releasing<'a> {
    options: &'a ReleaseOptions,
    releasers: Releasers,
    repositories: Vec<RepositoryRelease>,
    unmatched: Vec<Unmatched>,
    vault: Option<VaultRelease>,
}

impl Releasing<'_> {
    /// What is done once every repository was looked at. `over` returns when what is under way is to be given up.
    pub(super) async fn carry(
        &mut self,
        policy: &Policy,
        setup: &Arc<Setup>,
        recorder: &mut Recorder,
        stop: &Stop,
        over: &mut Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), RunError> {
        let mut asked = Asked::new(&self.options.repositories);
        // All that were looked at, so that a name which nobody has is told from one that has no such pin.
        let all = recorder.repositories().await?;
        let wanted: BTreeSet<RepositoryKey> = all.into_iter().filter(|key| asked.wants(key)).collect();
        self.unmatched = asked.unmatched();
        let keys: Vec<RepositoryKey> = recorder.unneeded().filter(|key| wanted.contains(key)).cloned().collect();
        let runs = setup.ledger.runs(RUNS).await?;
        let mut gaps: Vec<Gap> = recorder.gaps();
        gaps.extend(setup.production().await.gaps.iter().cloned());
        let grace = self.options.grace;
        let releasers = &self.releasers;
        let looks = keys.iter().map(|key| {
            let earlier: Vec<EarlierRun> =
                runs.iter().map(|(record, head)| earlier(record, head.sequence, key)).collect();
            let releaser = releasers.get(&key.source).cloned();
            let asking = repository::Asking { setup, key, grace, earlier, gaps: &gaps, releaser, stop };
            async move { asking.carry().await }
        });
        {
            let mut looks = std::pin::pin!(stream::iter(looks).buffer_unordered(setup.concurrency));
            loop {
                let next = tokio::select! {
                    next = looks.next() => next,
                    () = &mut *over => break,
                };
                match next {
                    Some(done) => self.repositories.push(done?),
                    None => break,
                }
            }
        }
        self.repositories.sort_by(|a, b| (&a.source, &a.name).cmp(&(&b.source, &b.name)));
        if setup.mode == Mode::Release {
            self.look_back(policy, setup, stop).await?;
        }
        if self.options.vault
            && let Some(location) = &policy.vault
            && !stop.is_set()
        {
            let apply = setup.mode == Mode::Release;
            let asked = vault::OfVault { setup, location, grace, gaps: &gaps, apply };
            let earlier = |key: &RepositoryKey| {
                runs.iter().map(|(record, head)| earlier(record, head.sequence, key)).collect::<Vec<EarlierRun>>()
            };
            self.vault = Some(asked.carry(recorder, &wanted, earlier).await?);
        }
        Ok(())
    }

    /// Asks production once more, and makes those pins again that it needs by now.
    async fn look_back(&mut self, policy: &Policy, setup: &Arc<Setup>, stop: &Stop) -> Result<(), RunError> {
        let released = |pins: &[PinRelease]| pins.iter().any(|pin| pin.state == ReleaseState::Released);
        if !self.repositories.iter().any(|repository| released(&repository.pins)) {
            return Ok(());
        }
        let most = Instant::now() + ASKED_FOR;
        let until = stop.share().map_or(most, |share| share.min(most));
        let named = setup.named_since(policy, stop, until).await;
        for repository in &mut self.repositories {
            let key = RepositoryKey { source: repository.source.clone(), name: repository.name.clone() };
            let (Some(references), Some(releaser)) = (named.get(&key), self.releasers.get(&key.source)) else {
                continue;
            };
            for pin in repository.pins.iter_mut().filter(|pin| pin.state == ReleaseState::Released) {
                // A tag may name any of them by now, and one pin too many does no harm.
                let is_named = references.iter().any(|reference| match reference {
                    DeployedReference::Artifact(artifact) => *artifact == pin.artifact,
                    DeployedReference::Tag(_) => true,
                });
                if is_named {
                    again(setup, releaser.as_ref(), &key, pin).await?;
                }
            }
        }
        Ok(())
    }
}

/// Makes a pin again that was removed.
async fn again(
    setup: &Setup,
    releaser: &dyn Releaser,
    key: &RepositoryKey,
    pin: &mut PinRelease,
) -> Result<(), RunError> {
    match releaser.pin_again(&key.name, &pin.artifact).await {
        Ok(()) => {
            pin.state = ReleaseState::PinnedAgain;
            record(setup, key, [Event::Pinned { artifact: pin.artifact.clone() }]).await
        }
        Err(PinFailure { detail, .. }) => {
            tracing::error!(repository = %key, "production went back to {}, and it could not be pinned again: {detail}", pin.artifact);
            pin.state = ReleaseState::Failed;
            pin.failure = Some(format!(
                "it was released, production went back to it meanwhile, and pinning it again failed: {detail}; run `prodpin enforce`"
            ));
            Ok(())
        }
    }
}

/// Puts on record what is about to happen, or did.
async fn record(setup: &Setup, key: &RepositoryKey, events: impl IntoIterator<Item = Event>) -> Result<(), RunError> {
    let at = Timestamp::now();
    let entry = |event| Entry { run: setup.id.clone(), at, repository: Some(key.clone()), event };
    setup.ledger.commit(events.into_iter().map(entry).collect()).await?;
    Ok(())
}

fn earlier(record: &RunRecord, sequence: u64, key: &RepositoryKey) -> EarlierRun {
    EarlierRun { sequence, finished: record.finished, complete: record.complete, covers: covers(&record.scope, key) }
}

/// Whether a run of this scope was about the repository.
fn covers(scope: &RunScope, key: &RepositoryKey) -> bool {
    let of_source = scope.sources.is_empty() || scope.sources.contains(&key.source);
    let of_shard = scope.shard.as_ref().is_none_or(|shard| shard.parse::<Shard>().is_ok_and(|shard| shard.holds(key)));
    let of_repositories = scope.repositories.is_empty() || scope.repositories.contains(&key.to_string());
    of_source && of_shard && of_repositories
}
