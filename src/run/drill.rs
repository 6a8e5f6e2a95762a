//! `drill`: reads every byte of the rollback targets from where they would be pulled, hashes it, and keeps nothing but what came of
//! it, in the ledger (F104); verifies their signatures, where there are keys; and asks clusters, where the policy says so,
//! whether they would start them again (P75). It writes to no source, to no vault and to no cluster.

mod found;
mod keys;
mod pulls;
mod reading;
mod rehearsing;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::decide::drilled::{self, Candidate, Choice};
use crate::decide::rehearsed::is_recorded;
use crate::ledger::Access;
use crate::model::{
    ArtifactId, DrillOutcome, DrilledFrom, Entry, Event, Gap, RehearsalOutcome, RepositoryKey, SignatureVerdict,
    SourceName,
};
use crate::policy::Policy;
use crate::signals::Rehearsing;
use crate::vault::Vault;

use super::session::{Session, SourcesOf};
use super::setup::{LookAhead, Setup};
use super::wanted::{Asked, Unmatched, Wanted};
use super::{Progress, RunError, RunOptions, Stop, vault};

pub use self::found::{DrillResult, DrilledTarget};
pub use self::rehearsing::RehearsedTarget;

/// A part of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrillPart {
    /// Reading every byte, and verifying signatures.
    Bytes,
    /// Asking clusters whether they would start the releases again.
    Rehearsal,
}

/// What is drilled.
#[derive(Debug, Clone, Default)]
pub struct DrillOptions {
    /// Only these sources; all of them if empty.
    pub sources: Vec<SourceName>,
    /// Only these repositories; all of them if empty.
    pub repositories: Vec<Wanted>,
    /// Only this part; all that the policy asks for if none.
    pub only: Option<DrillPart>,
    /// Whence the bytes are read.
    pub from: DrilledFrom,
    /// Files with the public keys that signatures are held to.
    pub keys: Vec<PathBuf>,
    /// No more bytes than this are read: what was drilled longest ago comes first.
    pub max_bytes: Option<u64>,
    /// Repositories in flight at once.
    pub concurrency: usize,
    /// It ends before this much time has passed, and says so if it was not done.
    pub deadline: Option<Duration>,
    /// Ends it early when asked to.
    pub stop: Stop,
}

/// What came of it.
pub struct Drilled {
    /// Each target, in the order in which they were taken.
    pub targets: Vec<DrilledTarget>,
    /// How many bytes were read: each blob once.
    pub bytes: u64,
    /// How long the reading took.
    pub took: Duration,
    /// Whether bytes were to be read.
    pub read: bool,
    /// What clusters said; none where none was to be asked.
    pub rehearsed: Option<Vec<RehearsedTarget>>,
    /// Why what came of it is not on record, where that is so.
    pub unrecorded: Vec<String>,
    /// What could not be read of sources and repositories, so that there may be more targets.
    pub gaps: Vec<Gap>,
    /// Names and globs that no repository has.
    pub unmatched: Vec<Unmatched>,
}

/// Opens the policy's sources, without write power, and drills.
pub async fn drill(policy: &Policy, options: &DrillOptions, progress: Arc<dyn Progress>) -> Result<Drilled, RunError> {
    let run = RunOptions::reading(&options.sources, options.concurrency, options.deadline, &options.stop).due();
    run.stop.in_time(Box::pin(carry_out(policy, &run, options, progress))).await
}

async fn carry_out(
    policy: &Policy,
    run: &RunOptions,
    options: &DrillOptions,
    progress: Arc<dyn Progress>,
) -> Result<Drilled, RunError> {
    let stop = &run.stop;
    let read = options.only != Some(DrillPart::Rehearsal);
    let keys = if read { keys::read(&options.keys).await? } else { Vec::new() };
    let stage = match options.only {
        Some(DrillPart::Bytes) => None,
        _ => Rehearsing::of_policy(policy, stop.deadline()),
    };
    if !read && stage.is_none() {
        return Err(RunError::NoRehearsal);
    }
    let session = Session::open(policy, SourcesOf::Policy(LookAhead::default()), run, Access::Write).await?;
    let setup = session.setup.clone();
    setup.call_witnesses();
    let vault = if read { vault_of(policy, options.from).await? } else { None };
    let mut asked = Asked::new(&options.repositories);
    let mut found = found::Found::default();
    let mut over = std::pin::pin!(stop.over());
    let work = |key| found::targets(setup.clone(), key, options.from);
    let take = async |of_one: found::Found| {
        found.todo.extend(of_one.todo);
        found.planned.extend(of_one.planned);
        found.gaps.extend(of_one.gaps);
        Ok(())
    };
    let ended = session.each(progress.as_ref(), &mut over, |key| asked.wants(key), work, take).await?;
    let found::Found { mut todo, planned, mut gaps } = found;
    gaps.extend(session.gaps(ended));
    gaps.extend(setup.production().await.gaps.iter().cloned());
    gaps.sort();
    gaps.dedup();
    // First what is quick: a reading may take all the time that there is.
    let rehearsed = match &stage {
        Some(stage) => {
            let planned = planned.into_iter().filter(|one| stage.covers(&one.state.workload)).collect();
            let pulls = pulls::Pulls::new(policy, stop);
            Some(rehearsing::rehearse(stage, &pulls, planned, stop).await)
        }
        None => None,
    };
    let mut unrecorded = record(&setup, rehearsed.iter().flatten().filter_map(rehearsal_event)).await?;

    let began = Instant::now();
    let mut place = reading::Reading::new(setup.clone(), vault, keys, stop.clone(), progress.clone());
    if !read {
        todo.clear();
    }
    let targets = read_all(&mut place, todo, options, progress.as_ref(), stop).await;
    let (bytes, took) = (place.bytes(), began.elapsed());
    unrecorded.extend(record(&setup, targets.iter().filter_map(event)).await?);
    unrecorded.sort();
    unrecorded.dedup();
    let unmatched = asked.unmatched();
    Ok(Drilled { targets, bytes, took, read, rehearsed, unrecorded, gaps, unmatched })
}

/// The vault, where that is what is read.
async fn vault_of(policy: &Policy, from: DrilledFrom) -> Result<Option<Arc<Vault>>, RunError> {
    match (from, &policy.vault) {
        (DrilledFrom::Source, _) => Ok(None),
        (DrilledFrom::Vault, None) => Err(RunError::NoVault),
        (DrilledFrom::Vault, Some(location)) => {
            Ok(Some(Arc::new(vault::open_existing(location).await.map_err(RunError::Vault)?)))
        }
    }
}

/// Reads what fits into what may be read, what was drilled longest ago first.
async fn read_all(
    place: &mut reading::Reading,
    mut todo: Vec<found::Todo>,
    options: &DrillOptions,
    progress: &dyn Progress,
    stop: &Stop,
) -> Vec<DrilledTarget> {
    found::sort(&mut todo);
    let (mut targets, mut opened) = (Vec::new(), Vec::new());
    for one in todo {
        match place.open(&one).await {
            Ok(parts) => opened.push((one, parts)),
            Err(result) => targets.push(one.ended(result)),
        }
    }
    let candidates: Vec<Candidate> = opened.iter().map(|(one, parts)| one.candidate(parts)).collect();
    let (choices, bytes) = drilled::choose(&candidates, options.max_bytes);
    drop(candidates);
    progress.to_read(bytes);
    let mut chosen = Vec::new();
    for ((one, parts), choice) in opened.into_iter().zip(choices) {
        match choice {
            Choice::Read => chosen.push((one, parts)),
            Choice::Waits { needs, left } => targets.push(one.ended(DrillResult::Waits { needs, left })),
        }
    }
    let mut over = std::pin::pin!(stop.over());
    targets.extend(place.read(chosen, &mut over).await);
    targets
}

/// What goes on record of a repository, and when it was found.
type Recorded = (RepositoryKey, jiff::Timestamp, Event);

/// Puts on record what is proven, and says why it cannot be where it cannot.
async fn record(setup: &Setup, found: impl Iterator<Item = Recorded>) -> Result<Vec<String>, RunError> {
    if !setup.keeps_ledger {
        return Ok(vec!["there is no ledger".to_owned()]);
    }
    if let Some(gap) = setup.unanchored() {
        return Ok(vec![gap.detail]);
    }
    let (mut entries, mut unrecorded) = (Vec::new(), Vec::new());
    for (repository, at, event) in found {
        match unknown_to_the_ledger(setup, &repository) {
            Some(why) => unrecorded.push(why),
            None => entries.push(Entry { run: setup.id.clone(), at, repository: Some(repository), event }),
        }
    }
    if !entries.is_empty() {
        setup.ledger.commit(entries).await?;
    }
    Ok(unrecorded)
}

/// A drill is no beginning of a history: whatever a source has that the ledger knows nothing of, a run is to see first (I24).
fn unknown_to_the_ledger(setup: &Setup, key: &RepositoryKey) -> Option<String> {
    let withheld = !setup.ledger.knows(key) || setup.witnesses.withhold_in(key);
    withheld.then(|| {
        format!(
            "the ledger does not know {} in {} yet: run `prodpin audit` or `prodpin enforce` first",
            key.name, key.source
        )
    })
}

fn event(target: &DrilledTarget) -> Option<Recorded> {
    let DrillResult::Drilled(drill) = &target.result else { return None };
    let mut drill = Box::new(drill.clone());
    // What could not be read proves nothing in either way.
    drill.signatures = drill.signatures.filter(|check| check.verdict() != SignatureVerdict::Unknown);
    let (artifact, from): (ArtifactId, _) = (target.artifact.clone(), target.from);
    Some((target.repository.clone(), target.at, Event::Drilled { artifact, from, drill }))
}

fn rehearsal_event(target: &RehearsedTarget) -> Option<Recorded> {
    let rehearsal = Box::new(target.rehearsal.clone().filter(is_recorded)?);
    Some((target.repository.clone(), target.at, Event::Rehearsed { artifact: target.artifact.clone(), rehearsal }))
}

impl Drilled {
    /// How many targets were read whole and are what they should be.
    #[must_use]
    pub fn intact(&self) -> usize {
        self.with(DrillOutcome::Intact)
    }

    /// How many are broken.
    #[must_use]
    pub fn broken(&self) -> usize {
        self.with(DrillOutcome::Broken)
    }

    /// How many have signatures of which this came.
    #[must_use]
    pub fn signed(&self, verdict: SignatureVerdict) -> usize {
        let checks = self.targets.iter().filter_map(|target| match &target.result {
            DrillResult::Drilled(drill) => drill.signatures.as_ref(),
            _ => None,
        });
        checks.filter(|check| check.verdict() == verdict).count()
    }

    /// How many old states of workloads were rehearsed with this outcome.
    #[must_use]
    pub fn rehearsals(&self, outcome: RehearsalOutcome) -> usize {
        let rehearsals = self.rehearsed.iter().flatten().filter_map(|target| target.rehearsal.as_ref());
        rehearsals.filter(|rehearsal| rehearsal.outcome == outcome).count()
    }

    fn with(&self, outcome: DrillOutcome) -> usize {
        let has =
            |target: &&DrilledTarget| matches!(&target.result, DrillResult::Drilled(drill) if drill.outcome == outcome);
        self.targets.iter().filter(has).count()
    }
}
