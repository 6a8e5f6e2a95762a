//! The only orchestration: recall, observe, plan, pin, read back, plan again, record, commit, report.

mod cross_check;
mod descriptors;
mod drill;
mod each;
mod forecast;
mod listing;
mod moment;
mod node_digests;
mod parts;
mod pins;
mod post_check;
mod ready;
mod record;
mod release;
mod removals;
mod repository;
mod restore;
mod room;
mod session;
mod setup;
mod signalled;
mod source_totals;
mod stop;
mod vault;
mod wanted;
mod witness;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::ledger::{Access, Ledger, LedgerError};
use crate::model::{Mode, RepositoryKey, RunScope, SourceName};
use crate::policy::Policy;
use crate::report::body::Report;
use crate::sources::Source;

use self::record::Recorder;
use self::session::{Session, SourcesOf};
use self::setup::LookAhead;

pub use self::drill::{DrillOptions, DrillPart, DrillResult, Drilled, DrilledTarget, RehearsedTarget, drill};
pub use self::forecast::{Forecast, ForecastOptions, Recommended, forecast, forecast_on, recommend, recommend_on};
pub use self::listing::Shard;
pub use self::ready::{Ready, ReadyOptions, ready, ready_on};
pub use self::release::{ReleaseOptions, Released, Releasers, release, release_on};
pub use self::restore::{
    AtKey, Destination, FileRestoration, Found, KeyPin, Restoration, RestoreOptions, Unusable, restore,
};
pub use self::stop::{CutOff, Stop};
pub use self::wanted::{Unmatched, Wanted, unmatched};

/// How a run is meant.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Audit, enforce, or enforce without the pins.
    pub mode: Mode,
    /// Only these sources; all of them if empty.
    pub sources: Vec<SourceName>,
    /// Only this share of the repositories.
    pub shard: Option<Shard>,
    /// Only these repositories, and nothing that a source as a whole is asked for: an event named them. All if empty.
    pub repositories: Vec<RepositoryKey>,
    /// Repositories in flight at once. A registry gets up to eight times as many requests, as long as it copes.
    pub concurrency: usize,
    /// The run ends before this much time has passed, and says `incomplete` if it was not done.
    pub deadline: Option<Duration>,
    /// Ends the run early when asked to.
    pub stop: Stop,
}

impl RunOptions {
    /// What part of the policy a run with these options is about.
    #[must_use]
    pub fn scope(&self) -> RunScope {
        RunScope {
            sources: self.sources.clone(),
            shard: self.shard.map(|shard| shard.to_string()),
            repositories: self.repositories.iter().map(ToString::to_string).collect(),
            shown: None,
        }
    }

    /// For a command that reads only, and is asked about whole sources.
    fn reading(sources: &[SourceName], concurrency: usize, deadline: Option<Duration>, stop: &Stop) -> Self {
        Self {
            mode: Mode::Audit,
            sources: sources.to_vec(),
            shard: None,
            repositories: Vec::new(),
            concurrency,
            deadline,
            stop: stop.clone(),
        }
    }

    /// The same, with the deadline running.
    fn due(&self) -> Self {
        Self { stop: self.stop.with_deadline(self.deadline), ..self.clone() }
    }
}

/// Told as a run goes on, for a progress bar. Nothing depends on it.
pub trait Progress: Send + Sync {
    /// A repository was found.
    fn found(&self) {}
    /// A repository is done.
    fn done(&self, _name: &str) {}
    /// So many bytes are going to be read.
    fn to_read(&self, _bytes: u64) {}
    /// So many bytes more were read.
    fn read(&self, _bytes: u64) {}
}

/// Why a run could not be carried out at all. What could not be read is no such error: it is in the report.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A source could not be set up.
    #[error("source {source_name}: {detail}")]
    Source {
        /// Its name in the policy.
        source_name: SourceName,
        /// What is wrong and what to do.
        detail: String,
    },
    /// `--source` names a source that the policy does not have.
    #[error("--source {name}: the policy has no such source; it has {known}")]
    UnknownSource {
        /// The name given.
        name: SourceName,
        /// The names there are.
        known: String,
    },
    /// `enforce` without a ledger.
    #[error("enforce needs a ledger: what it pins must be on record; set `ledger:` in the policy, or give --ledger")]
    NoLedger,
    /// `release` without a ledger.
    #[error(
        "release needs a ledger: what it goes by is on record there; set `ledger:` in the policy, or give --ledger"
    )]
    NoHistory,
    /// The ledger could not be read or written. Nothing is pinned after that (F54).
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The report could not be kept while it was made.
    #[error("the report could not be kept: {0}")]
    Report(#[from] std::io::Error),
    /// The deadline passed although the run had been asked to end.
    #[error(transparent)]
    CutOff(#[from] CutOff),
    /// `--from vault` without a vault.
    #[error("the policy names no vault; write `vault:`, and run prodpin enforce, so that there is something to drill")]
    NoVault,
    /// `--only rehearsal` where the policy asks for none.
    #[error(
        "no rule of the policy rehearses: set `rehearse: true` on a rule `kubernetes`, and apply \
         policies/kubernetes-rbac-rehearsal.yaml"
    )]
    NoRehearsal,
    /// A key that signatures are to be held to.
    #[error("signature key {}: {why}", path.display())]
    SignatureKey {
        /// Its file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The vault could not be opened.
    #[error("{0}")]
    Vault(String),
    /// A defect of prodpin.
    #[error("a repository's task ended unexpectedly ({0}); this is a defect of prodpin, please report it")]
    Defect(String),
}

/// What a run leaves.
pub(crate) struct Ran {
    pub(crate) report: Report,
    /// The ledger that it was recorded in: what follows is recorded there too, and it is opened once.
    pub(crate) ledger: Arc<Ledger>,
}

/// Opens the policy's sources and runs once.
pub async fn run(policy: &Policy, options: &RunOptions, progress: Arc<dyn Progress>) -> Result<Report, RunError> {
    Ok(run_and_keep(policy, options, progress).await?.report)
}

/// The same, and hands the ledger over.
pub(crate) async fn run_and_keep(
    policy: &Policy,
    options: &RunOptions,
    progress: Arc<dyn Progress>,
) -> Result<Ran, RunError> {
    let options = &options.due();
    let sources = SourcesOf::Policy(LookAhead::default());
    // Boxed, like the one below: a run is a deep future, and callers nest it in theirs.
    options.stop.in_time(Box::pin(carry_out(policy, sources, options, progress, None))).await
}

/// Runs once on sources that are open: every step of the picture on this crate's front page.
pub async fn run_on(
    policy: &Policy,
    sources: BTreeMap<SourceName, Source>,
    options: &RunOptions,
    progress: Arc<dyn Progress>,
) -> Result<Report, RunError> {
    Ok(Box::pin(carry_out(policy, SourcesOf::Caller(sources), options, progress, None)).await?.report)
}

async fn carry_out(
    policy: &Policy,
    sources: SourcesOf,
    options: &RunOptions,
    progress: Arc<dyn Progress>,
    releasing: Option<&mut release::Releasing<'_>>,
) -> Result<Ran, RunError> {
    let stop = &options.stop;
    let mut session = Session::open(policy, sources, options, Access::Write).await?;
    let setup = session.setup.clone();
    setup.call_witnesses();
    let mut recorder = Recorder::new(setup.clone(), std::mem::take(&mut session.unopened))?;
    let mut over = std::pin::pin!(stop.over());
    let mut given_up = false;
    if options.repositories.is_empty() {
        tokio::select! {
            () = recorder.settings(stop.share()) => {}
            () = &mut over => given_up = true,
        }
    }

    if !given_up {
        let work = |key| {
            let (setup, stop) = (setup.clone(), stop.clone());
            async move { Ok(repository::decide_one(setup, key, stop).await?) }
        };
        let take = async |outcome: repository::Outcome| match stop.is_set() {
            true => recorder.add_late(outcome).await,
            false => recorder.add(outcome).await,
        };
        let ended = session.each(progress.as_ref(), &mut over, |_| true, work, take).await?;
        recorder.left_out(&ended.known, &ended.left_out);
        recorder.failed_at(ended.defects());
        ended.listed.into_iter().for_each(|listed| recorder.listed(listed));
        given_up = ended.given_up;
    }
    let ended_early = given_up || stop.is_set();
    if !ended_early {
        post_check::look_again(policy, &setup, &mut recorder, stop, &mut over).await?;
        if let Some(releasing) = releasing {
            releasing.carry(policy, &setup, &mut recorder, stop, &mut over).await?;
        }
    }
    vault::keep(policy.vault.as_ref(), &setup, &mut recorder, stop).await?;
    let report = recorder.finish(ended_early.then(|| (stop.cause(), stop.reason()))).await?;
    Ok(Ran { report, ledger: setup.ledger.clone() })
}
