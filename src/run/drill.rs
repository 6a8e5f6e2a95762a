//! `drill`: reads every byte of the rollback targets from where they would be pulled, hashes it, and keeps nothing but what came of
//! it, in the ledger (F104). It writes to no source and to no vault.

mod found;
mod reading;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::decide::drilled::{self, Candidate, Choice};
use crate::ledger::Access;
use crate::model::{ArtifactId, DrillOutcome, DrilledFrom, Entry, Event, Gap, RepositoryKey, SourceName};
use crate::policy::Policy;

use super::session::{Session, SourcesOf};
use super::setup::{LookAhead, Setup};
use super::wanted::{Asked, Unmatched, Wanted};
use super::{Progress, RunError, RunOptions, Stop, vault};

pub use self::found::{DrillResult, DrilledTarget};

/// What is drilled.
#[derive(Debug, Clone, Default)]
pub struct DrillOptions {
    /// Only these sources; all of them if empty.
    pub sources: Vec<SourceName>,
    /// Only these repositories; all of them if empty.
    pub repositories: Vec<Wanted>,
    /// Whence the bytes are read.
    pub from: DrilledFrom,
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
    let session = Session::open(policy, SourcesOf::Policy(LookAhead::default()), run, Access::Write).await?;
    let setup = session.setup.clone();
    setup.call_witnesses();
    let vault = match (options.from, &policy.vault) {
        (DrilledFrom::Source, _) => None,
        (DrilledFrom::Vault, None) => return Err(RunError::NoVault),
        (DrilledFrom::Vault, Some(location)) => {
            Some(Arc::new(vault::open_existing(location).await.map_err(RunError::Vault)?))
        }
    };
    let mut asked = Asked::new(&options.repositories);
    let (mut todo, mut gaps) = (Vec::new(), Vec::new());
    let mut over = std::pin::pin!(stop.over());
    let work = |key| found::targets(setup.clone(), key, options.from);
    let take = async |(found, lacking): (Vec<found::Todo>, Vec<Gap>)| {
        todo.extend(found);
        gaps.extend(lacking);
        Ok(())
    };
    let ended = session.each(progress.as_ref(), &mut over, |key| asked.wants(key), work, take).await?;
    gaps.extend(session.gaps(ended));
    gaps.extend(setup.production().await.gaps.iter().cloned());
    gaps.sort();
    gaps.dedup();
    found::sort(&mut todo);

    let began = Instant::now();
    let mut place = reading::Reading::new(setup.clone(), vault, stop.clone(), progress.clone());
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
    let (bytes, took) = (place.bytes(), began.elapsed());
    let unrecorded = record(&setup, &targets).await?;
    Ok(Drilled { targets, bytes, took, unrecorded, gaps, unmatched: asked.unmatched() })
}

/// Puts on record what is proven, and says why it cannot be where it cannot.
async fn record(setup: &Setup, targets: &[DrilledTarget]) -> Result<Vec<String>, RunError> {
    if !setup.keeps_ledger {
        return Ok(vec!["there is no ledger".to_owned()]);
    }
    if let Some(gap) = setup.unanchored() {
        return Ok(vec![gap.detail]);
    }
    let (mut entries, mut unrecorded) = (Vec::new(), Vec::new());
    for target in targets {
        let Some(event) = event(target) else { continue };
        if let Some(why) = unknown_to_the_ledger(setup, &target.repository) {
            unrecorded.push(why);
            continue;
        }
        let repository = Some(target.repository.clone());
        entries.push(Entry { run: setup.id.clone(), at: target.at, repository, event });
    }
    unrecorded.sort();
    unrecorded.dedup();
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

fn event(target: &DrilledTarget) -> Option<Event> {
    let drill = match &target.result {
        DrillResult::Drilled(drill) => drill,
        _ => return None,
    };
    let (artifact, from, drill): (ArtifactId, _, _) = (target.artifact.clone(), target.from, Box::new(drill.clone()));
    Some(Event::Drilled { artifact, from, drill })
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

    fn with(&self, outcome: DrillOutcome) -> usize {
        let has =
            |target: &&DrilledTarget| matches!(&target.result, DrillResult::Drilled(drill) if drill.outcome == outcome);
        self.targets.iter().filter(has).count()
    }
}
