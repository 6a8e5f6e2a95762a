//! `release`: the only way a pin goes.
//!
//! Without `--apply` everything is read, and nothing recorded. With it, it is a run like `audit`, of which a record is kept: that
//! is the second of the two complete inventories that a pin needs. Then each repository that has a pin which may go is looked at
//! once more. Production is asked again before the first pin goes, and at the end. What `decide::release` lets go is removed one
//! repository after the other and one pin at a time, with everything read back (I2, I3, I5); the first removal in a source shows
//! whether anything else goes with a tag there. That a pin is about to be removed is on record before, and belongs to this run
//! until another ends it (I14, I15). What production needs by the end is pinned again, and everything that was removed is where
//! nobody can tell (F92).

mod bytes;
mod look_back;
mod permit;
mod remove;
mod repository;
mod take_over;
mod vault;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;

use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};

use crate::decide::release::EarlierRun;
use crate::decide::{self, Attempts};
use crate::ledger::Access;
use crate::model::{Gap, Mode, RepositoryKey, RunRecord, RunScope, Scope, SourceName};
use crate::outcome::release::{RepositoryRelease, VaultRelease};
use crate::outcome::report::{RepositoryReport, TargetReport};
use crate::policy::{LedgerLocation, Policy};
use crate::report::body::Report;
use crate::sources::{self, Releaser, Source};

use super::listing::Shard;
use super::record::Recorder;
use super::repository::look;
use super::session::{Session, SourcesOf};
use super::setup::{LookAhead, Setup, open_each};
use super::wanted::Asked;
use super::{Progress, Ran, RunError, RunOptions, Stop, Unmatched, Wanted, carry_out, removals};

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
    /// Whether prodpin is being given up: every pin goes that this ledger's runs made and that can go, needed or not.
    pub leaving: bool,
}

/// What came of it.
pub struct Released {
    /// The run, where it was one: what only looks is none, and nothing is recorded.
    pub(crate) ran: Option<Ran>,
    /// Whether everything was read, and done.
    pub complete: bool,
    /// What was not read, where it was no run: of one its report says that.
    pub gaps: Vec<Gap>,
    /// What is said of pins, in every repository that has one which nothing needs.
    pub repositories: Vec<RepositoryRelease>,
    /// Names and globs that no repository has.
    pub unmatched: Vec<Unmatched>,
    /// What is said of the vault, if that was asked for.
    pub vault: Option<VaultRelease>,
}

impl Released {
    /// The run's report, where it was one.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.ran.as_ref().map(|ran| &ran.report)
    }
}

/// What removes pins, by source.
pub type Releasers = BTreeMap<SourceName, Arc<dyn Releaser>>;

/// No more runs are read than this, whatever the grace period.
const MOST_RUNS: usize = 20_000;

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
    if options.run.mode != Mode::Release {
        return shown(policy, sources, options, progress).await;
    }
    let mut releasing = Releasing { options, releasers, repositories: Vec::new(), unmatched: Vec::new(), vault: None };
    let ran = carry_out(policy, sources, &options.run, progress, Some(&mut releasing)).await?;
    let Releasing { repositories, unmatched, vault, .. } = releasing;
    let complete = ran.report.run.complete && repositories.iter().all(RepositoryRelease::is_complete);
    Ok(Released { ran: Some(ran), complete, gaps: Vec::new(), repositories, unmatched, vault })
}

/// Says what may go. Nothing is changed, and nothing recorded.
async fn shown(
    policy: &Policy,
    sources: SourcesOf,
    options: &ReleaseOptions,
    progress: Arc<dyn Progress>,
) -> Result<Released, RunError> {
    if policy.ledger == LedgerLocation::None {
        return Err(RunError::NoHistory);
    }
    let run = &options.run;
    let session = Session::open(policy, sources, run, Access::Read).await?;
    let setup = &session.setup;
    setup.call_witnesses();
    let mut over = std::pin::pin!(run.stop.over());
    let mut first = First::default();
    let work = |key: RepositoryKey| {
        let setup = setup.clone();
        async move {
            let scan = look(&setup, setup.source(&key).inventory.as_ref(), key.clone()).await?;
            let untried = Attempts::new();
            let plan = decide::plan(&scan.input(&setup, &untried));
            Ok((key, plan.report, !plan.unneeded.is_empty()))
        }
    };
    let take = async |(key, report, unneeded): (RepositoryKey, RepositoryReport, bool)| {
        first.gaps.extend(report.gaps);
        if options.vault {
            first.targets.insert(key.clone(), report.targets);
        }
        if unneeded {
            first.unneeded.insert(key.clone());
        }
        first.all.insert(key);
        Ok(())
    };
    let ended = session.each(progress.as_ref(), &mut over, |_| true, work, take).await?;
    first.gaps.extend(session.gaps(ended));
    first.gaps.extend(setup.production().await.gaps.iter().cloned());
    first.gaps.extend(setup.unanchored());
    first.gaps.sort();
    first.gaps.dedup();
    let asks = Asks::new(options, setup, &first).await?;
    let mut repositories = asks.looks(setup, &mut over).await?;
    repositories.sort_by(|a, b| (&a.source, &a.name).cmp(&(&b.source, &b.name)));
    let told = match (&policy.vault, options.vault) {
        (Some(location), true) if !run.stop.is_set() => {
            let asked = vault::OfVault { setup, location, grace: options.grace, gaps: &first.gaps, apply: false };
            let targets = async |key: &RepositoryKey| Ok(first.targets.get(key).cloned().unwrap_or_default());
            Some(asked.carry(targets, &asks.wanted, |key| asks.earlier(key)).await?)
        }
        _ => None,
    };
    let complete = first.gaps.is_empty() && repositories.iter().all(RepositoryRelease::is_complete);
    let unmatched = asks.unmatched;
    Ok(Released { ran: None, complete, gaps: first.gaps, repositories, unmatched, vault: told })
}

/// What the look at everything came to.
#[derive(Default)]
struct First {
    all: BTreeSet<RepositoryKey>,
    /// Those with a pin that nothing in the rollback set needs.
    unneeded: BTreeSet<RepositoryKey>,
    gaps: Vec<Gap>,
    targets: BTreeMap<RepositoryKey, Vec<TargetReport>>,
}

/// What is asked, with what the ledger knows of runs.
struct Asks<'a> {
    options: &'a ReleaseOptions,
    gaps: &'a [Gap],
    wanted: BTreeSet<RepositoryKey>,
    keys: Vec<RepositoryKey>,
    runs: Vec<(RunRecord, u64)>,
    unmatched: Vec<Unmatched>,
}

impl<'a> Asks<'a> {
    async fn new(options: &'a ReleaseOptions, setup: &Setup, first: &'a First) -> Result<Self, RunError> {
        let mut asked = Asked::new(&options.repositories);
        // All that were looked at, so that a name which nobody has is told from one that has no such pin.
        let wanted: BTreeSet<RepositoryKey> = first.all.iter().filter(|key| asked.wants(key)).cloned().collect();
        let has_pins = |key: &&RepositoryKey| options.leaving || first.unneeded.contains(*key);
        let keys: Vec<RepositoryKey> = wanted.iter().filter(has_pins).cloned().collect();
        let runs = runs_since(setup, &keys, options.grace).await?;
        Ok(Self { options, gaps: &first.gaps, wanted, keys, runs, unmatched: asked.unmatched() })
    }

    fn earlier(&self, key: &RepositoryKey) -> Vec<EarlierRun> {
        self.runs.iter().map(|(record, sequence)| earlier(record, *sequence, key)).collect()
    }

    fn asking<'s>(&'s self, setup: &'s Arc<Setup>, key: &'s RepositoryKey) -> repository::Asking<'s> {
        let ReleaseOptions { grace, leaving, .. } = *self.options;
        repository::Asking { setup, key, grace, leaving, earlier: self.earlier(key), gaps: self.gaps }
    }

    /// What may go, repository by repository, until `over` returns.
    async fn looks(
        &self,
        setup: &Arc<Setup>,
        over: &mut Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Vec<RepositoryRelease>, RunError> {
        let looks = self.keys.iter().map(|key| async move {
            if setup.mode == Mode::Release {
                take_over::take_over(setup, key, &self.options.run.stop).await?;
            }
            let decided = self.asking(setup, key).decide().await?;
            if setup.mode == Mode::Release && !decided.gone.is_empty() {
                removals::record(setup, key, decided.gone).await?;
            }
            Ok::<_, RunError>(decided.said)
        });
        let mut looks = std::pin::pin!(stream::iter(looks).buffer_unordered(setup.concurrency));
        let mut said = Vec::new();
        loop {
            let next = tokio::select! {
                next = looks.next() => next,
                () = &mut *over => break,
            };
            match next {
                Some(done) => said.push(done?),
                None => break,
            }
        }
        Ok(said)
    }
}

/// The runs on record since the first of what these repositories do not need left their rollback sets, and one before; no more
/// than can count for the grace period.
async fn runs_since(
    setup: &Setup,
    keys: &[RepositoryKey],
    grace: SignedDuration,
) -> Result<Vec<(RunRecord, u64)>, RunError> {
    let mut first = u64::MAX;
    for key in keys {
        let state = setup.ledger.recall(key).await?;
        first = first.min(state.unneeded.values().map(|mark| mark.sequence).min().unwrap_or(u64::MAX));
    }
    let now = Timestamp::now();
    let enough = grace.max(SignedDuration::ZERO).saturating_mul(2).saturating_add(SignedDuration::from_hours(48));
    let (mut count, mut earliest, mut before) = (0, now, false);
    let runs = setup.ledger.runs_until(|record, head| {
        let was_before = std::mem::replace(&mut before, head.sequence < first);
        (count, earliest) = (count + 1, earliest.min(record.finished));
        let long = count > 50 && now.duration_since(earliest) > enough;
        was_before || long || count >= MOST_RUNS
    });
    Ok(runs.await?.into_iter().map(|(record, head)| (record, head.sequence)).collect())
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
        let all = recorder.repositories().await?.into_iter().collect();
        let mut gaps: Vec<Gap> = recorder.gaps();
        gaps.extend(setup.production().await.gaps.iter().cloned());
        let unneeded = recorder.unneeded().cloned().collect();
        let first = First { all, unneeded, gaps, targets: BTreeMap::new() };
        let mut asks = Asks::new(self.options, setup, &first).await?;
        self.unmatched = std::mem::take(&mut asks.unmatched);
        if !self.unmatched.is_empty() {
            // Who mistypes one name may mean another one by those that there are.
            return Ok(());
        }
        self.repositories = asks.looks(setup, over).await?;
        if self.repositories.len() < asks.keys.len() {
            recorder
                .failed_at(asks.keys.iter().take(1).map(|key| (&key.source, ended(stop, "all pins were looked at"))));
        }
        let troubles =
            look_back::Removal { options: self.options, releasers: &self.releasers, asks: &asks, policy, setup, stop };
        let troubles = troubles.carry(&mut self.repositories).await?;
        recorder.failed_at(troubles.iter().map(|(source, gap)| (source, gap.clone())));
        self.repositories.sort_by(|a, b| (&a.source, &a.name).cmp(&(&b.source, &b.name)));
        if self.options.vault
            && troubles.is_empty()
            && let Some(location) = &policy.vault
            && !stop.is_set()
        {
            let asked = vault::OfVault { setup, location, grace: self.options.grace, gaps: &first.gaps, apply: true };
            let targets = async |key: &RepositoryKey| recorder.targets(key);
            self.vault = Some(asked.carry(targets, &asks.wanted, |key| asks.earlier(key)).await?);
        }
        Ok(())
    }
}

/// That the run ended before something was done.
fn ended(stop: &Stop, what: &str) -> Gap {
    let detail = format!("{} before {what}; what was done is on record, and the next run does the rest", stop.reason());
    Gap::new(Scope::Source, stop.cause(), detail)
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
