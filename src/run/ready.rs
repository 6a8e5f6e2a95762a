//! Can I roll back now? Reads repositories, signals and the ledger; changes and records nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;

use crate::decide::bring_back::way_back;
use crate::decide::{self, Attempts, forecast as rules, ready as decided};
use crate::ledger::Access;
use crate::model::{ArtifactId, Cause, Gap, Provenance, RepositoryKey, Scope, SourceName};
use crate::outcome::ready::{ReadySection, RepositoryReady};
use crate::outcome::report::TargetReport;
use crate::policy::Policy;
use crate::report::ready::{ReadyReport, ReadyWriter};
use crate::sources::Readable;
use crate::sources::{Inventory, Source};
use crate::vault::{Unwhole, Vault};

use super::removals::judge;
use super::repository::look;
use super::session::{Session, SourcesOf};
use super::setup::{LookAhead, Setup};
use super::wanted::{Asked, Unmatched, Wanted};
use super::{Progress, RunError, RunOptions, Stop, vault};

/// What is asked about.
#[derive(Debug, Clone, Default)]
pub struct ReadyOptions {
    /// Only these sources; all of them if empty.
    pub sources: Vec<SourceName>,
    /// Only these repositories; all of them if empty.
    pub repositories: Vec<Wanted>,
    /// Repositories in flight at once.
    pub concurrency: usize,
    /// It ends before this much time has passed, and says so if it was not done.
    pub deadline: Option<Duration>,
    /// Ends it early when asked to.
    pub stop: Stop,
}

/// The answers, and what was asked for in vain.
pub struct Ready {
    /// The answers.
    pub report: ReadyReport,
    /// Names and globs that no repository has.
    pub unmatched: Vec<Unmatched>,
}

/// Opens the policy's sources, without write power, and answers for each repository.
pub async fn ready(policy: &Policy, options: &ReadyOptions, progress: Arc<dyn Progress>) -> Result<Ready, RunError> {
    let run = options.run().due();
    let sources = SourcesOf::Policy(LookAhead::default());
    run.stop.in_time(answer(policy, sources, &run, options, progress)).await
}

/// The same on sources that are open.
pub async fn ready_on(
    policy: &Policy,
    sources: BTreeMap<SourceName, Source>,
    options: &ReadyOptions,
    progress: Arc<dyn Progress>,
) -> Result<Ready, RunError> {
    answer(policy, SourcesOf::Caller(sources), &options.run(), options, progress).await
}

async fn answer(
    policy: &Policy,
    sources: SourcesOf,
    run: &RunOptions,
    options: &ReadyOptions,
    progress: Arc<dyn Progress>,
) -> Result<Ready, RunError> {
    let session = Session::open(policy, sources, run, Access::Read).await?;
    let setup = &session.setup;
    setup.call_witnesses();
    let mut writer = ReadyWriter::default();
    let mut asked = Asked::new(&options.repositories);
    let mut over = std::pin::pin!(run.stop.over());
    let kept = Arc::new(Kept::open(policy).await);
    let work = |key| one(setup.clone(), kept.clone(), key);
    let take = async |row: RepositoryReady| Ok(writer.push(&row)?);
    let ended = session.each(progress.as_ref(), &mut over, |key| asked.wants(key), work, take).await?;
    let production = setup.production().await;
    let mut gaps = session.gaps(ended);
    gaps.extend(production.gaps.iter().cloned());
    let (at, policy_sha256, complete) = (setup.started, policy.digest.clone(), gaps.is_empty());
    let section = ReadySection { at, policy_sha256, complete, gaps, only: Vec::new() };
    Ok(Ready { report: writer.finish(section), unmatched: asked.unmatched() })
}

/// One repository's page.
async fn one(setup: Arc<Setup>, kept: Arc<Kept>, key: RepositoryKey) -> Result<RepositoryReady, RunError> {
    let inventory = setup.source(&key).inventory.as_ref();
    let mut seen = look(&setup, inventory, key.clone()).await?;
    let missing = setup.witnesses.reason(&key, setup.started);
    if let Some(reason) = &missing {
        seen.gaps.push(Gap::new(Scope::Repository, Cause::Suspicious, reason.clone()));
    }
    let unanchored = setup.unanchored();
    seen.gaps.extend(unanchored.clone());
    let untried = Attempts::new();
    let mut plan = judge(&setup, &mut seen, |seen| decide::plan(&seen.input(&setup, &untried))).await?;
    let input = seen.input(&setup, &untried);
    // What somebody answers for is no danger here either.
    decide::waive(&setup.waivers, &mut plan.findings, setup.started);
    if missing.is_some() {
        decide::unjudged(&mut plan, &key);
    }
    let artifacts: Vec<ArtifactId> = plan.report.targets.iter().map(|target| target.artifact.clone()).collect();
    let said = provenance(inventory, &key, &artifacts).await;
    let named = |artifact: &ArtifactId| Some((artifact.clone(), inventory.address(&key.name, artifact)?));
    let addresses = artifacts.iter().filter_map(named).collect();
    let row = rules::row(&input, &plan, None, false);
    let has_history = missing.is_none() && unanchored.is_none();
    let mut page = decided::page(&decided::Facts {
        input: &input,
        plan: &plan,
        row,
        said: &said,
        addresses: &addresses,
        has_history,
    });
    kept.tell(&key, inventory.readable(), &plan.report.targets, &mut page).await;
    Ok(page)
}

/// The policy's vault, if it names one.
enum Kept {
    Nowhere,
    Unopened(String),
    Here(Vault),
}

impl Kept {
    async fn open(policy: &Policy) -> Self {
        let Some(location) = &policy.vault else { return Self::Nowhere };
        match vault::open_existing(location).await {
            Ok(vault) => Self::Here(vault),
            Err(detail) => Self::Unopened(detail),
        }
    }

    /// Says of each release that is not proven intact whether the vault has it, and how to put it back: a registry that lost a
    /// whole repository answers for none of it, and what is there all the same is not sent again.
    async fn tell(
        &self,
        key: &RepositoryKey,
        readable: Option<Readable<'_>>,
        targets: &[TargetReport],
        page: &mut RepositoryReady,
    ) {
        let Some(readable) = readable else { return };
        for target in targets.iter().filter(|target| target.restorable != Some(true)) {
            let artifact = target.artifact.clone();
            let unknown = match self {
                Self::Nowhere => return,
                Self::Unopened(detail) => detail.clone(),
                Self::Here(vault) => match vault::whole(vault, key, &artifact, readable).await {
                    Ok(_) => {
                        let (first, commands) = way_back(key, target);
                        page.restore_first.extend(first);
                        page.restore.extend(commands);
                        continue;
                    }
                    Err(Unwhole::Lacks(_) | Unwhole::Damaged { .. } | Unwhole::NoEntry | Unwhole::Malformed(_)) => {
                        continue;
                    }
                    Err(Unwhole::Unknown(error)) => error.to_string(),
                },
            };
            let detail = format!("whether the vault has {} is unknown: {unknown}", artifact.short());
            page.gaps.push(Gap::new(Scope::Artifact(artifact), Cause::Unreachable, detail));
            page.complete = false;
        }
    }
}

/// How many artifacts are asked at once what they say of themselves.
const ASKED_AT_ONCE: usize = 4;

async fn provenance(
    inventory: &dyn Inventory,
    key: &RepositoryKey,
    artifacts: &[ArtifactId],
) -> BTreeMap<ArtifactId, Result<Provenance, Gap>> {
    let asked = stream::iter(artifacts.iter().cloned()).map(|artifact| async move {
        let said = inventory.provenance(&key.name, &artifact).await;
        (artifact, said)
    });
    asked.buffer_unordered(ASKED_AT_ONCE).collect().await
}

impl ReadyOptions {
    fn run(&self) -> RunOptions {
        RunOptions::reading(&self.sources, self.concurrency, self.deadline, &self.stop)
    }
}
