//! What a run has in hand before it looks at the first repository: ledger, sources, and signals that are being asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use jiff::Timestamp;

use crate::decide::{Rules, Uses};
use crate::ledger::{Access, Ledger};
use crate::model::{Cause, DatabaseRule, Digest, Gap, Mode, RepositoryKey, RunId, RunScope, Scope, SourceName, Waiver};
use crate::policy::{Alert, LedgerLocation, PinPolicy, Policy, SourceConfig, VaultLocation};
use crate::schedule::Schedule;
use crate::sources::oci::HttpEnvironment;
use crate::sources::{self, OpenOptions, Source};
use prodpin_net::jitter;
use prodpin_net::memory::{self, Admission};

use super::signalled::Asking;
use super::witness::Witnesses;
use super::{RunError, RunOptions, descriptors};

/// So many changes are asked about in one run: more at once have one cause, and trails are metered (L66).
const TRAIL_QUESTIONS: usize = 100;

/// Everything a run's parts share.
pub(super) struct Setup {
    pub(super) id: RunId,
    pub(super) mode: Mode,
    pub(super) scope: RunScope,
    /// Only these repositories; all if empty.
    pub(super) only: Vec<RepositoryKey>,
    /// When runs are due, if the policy says so.
    pub(super) schedule: Option<Schedule>,
    pub(super) started: Timestamp,
    pub(super) policy: Digest,
    pub(super) rules: Rules,
    /// What is allowed about pins.
    pub(super) pins: PinPolicy,
    /// Where copies of rollback targets are kept, if anywhere.
    pub(super) vault: Option<VaultLocation>,
    /// What the policy says of databases.
    pub(super) database: Vec<DatabaseRule>,
    pub(super) waivers: Vec<Waiver>,
    pub(super) alerts: Vec<Alert>,
    pub(super) ledger: Arc<Ledger>,
    /// Where the ledger stood when it was opened.
    pub(super) begun: u64,
    /// Whether the ledger outlives the run, so that reports may name its positions.
    pub(super) keeps_ledger: bool,
    pub(super) concurrency: usize,
    /// Who may be in flight, by memory.
    pub(super) admission: Admission,
    pub(super) sources: BTreeMap<SourceName, Source>,
    /// Every source that the policy names, whether the run is about it or not.
    pub(super) named: BTreeSet<SourceName>,
    /// Whether a history that is missing is given up on purpose.
    pub(super) adopts: bool,
    /// What sources show that the ledger knows nothing of.
    pub(super) witnesses: Witnesses,
    /// Signals from outside, asked while sources are listed.
    pub(super) asking: Asking,
    /// How many questions audit trails may still be asked in this run.
    pub(super) trail_questions: AtomicUsize,
    /// Policy entries that have matched nothing so far.
    pub(super) uses: Mutex<Uses>,
}

impl Setup {
    /// `access` is what the ledger is needed for.
    pub(super) async fn new(
        policy: &Policy,
        sources: BTreeMap<SourceName, Source>,
        options: &RunOptions,
        started: Timestamp,
        access: Access,
    ) -> Result<Self, RunError> {
        let keeps_ledger = policy.ledger != LedgerLocation::None;
        if options.mode == Mode::Enforce && !keeps_ledger {
            return Err(RunError::NoLedger);
        }
        if options.mode == Mode::Release && !keeps_ledger {
            return Err(RunError::NoHistory);
        }
        let asking = Asking::begin(policy, &options.stop);
        let until = options.stop.share();
        let mut ledger = Ledger::open_until(&policy.ledger, &policy.safeguards, access, until).await?;
        ledger.must_be_remembered()?;
        // An index of charts is kept as long as its source is open.
        let sets_aside = policy.sources.values().any(|config| matches!(config, SourceConfig::Helm(_)));
        let rules =
            Rules { keep: policy.keep, production: policy.production.clone(), may_move: policy.may_move.clone() };
        Ok(Self {
            id: RunId::new(started, jitter::draw()),
            mode: options.mode,
            scope: options.scope(),
            only: options.repositories.clone(),
            schedule: policy.schedule.clone(),
            started,
            policy: policy.digest.clone(),
            uses: Mutex::new(Uses::from_rules(&rules, &policy.database)),
            rules,
            pins: policy.pins.clone(),
            vault: policy.vault.clone(),
            database: policy.database.clone(),
            waivers: policy.waivers.clone(),
            alerts: policy.alerts.clone(),
            begun: ledger.head().map_or(0, |head| head.sequence),
            ledger: Arc::new(ledger),
            keeps_ledger,
            concurrency: options.concurrency,
            admission: Admission::new(memory::budget().for_repositories(sets_aside)),
            named: policy.sources.keys().chain(sources.keys()).cloned().collect(),
            adopts: policy.safeguards.adopt,
            witnesses: Witnesses::default(),
            sources,
            asking,
            trail_questions: AtomicUsize::new(TRAIL_QUESTIONS),
        })
    }

    /// That nobody could ask the anchor whether this is the ledger: for whoever only looks, nothing that rests on the
    /// ledger is known then (I24).
    pub(super) fn unanchored(&self) -> Option<Gap> {
        let trouble = self.ledger.anchor_trouble()?;
        let detail = format!("{trouble}; what the ledger says cannot be relied on (without it: --ledger none)");
        Some(Gap::new(Scope::Repository, Cause::Unreachable, detail))
    }

    /// The source of a repository that this run found.
    pub(super) fn source(&self, key: &RepositoryKey) -> &Source {
        match self.sources.get(&key.source) {
            Some(source) => source,
            None => unreachable!("repositories come from the run's own sources"),
        }
    }
}

/// Requests at a registry for each repository in flight. A tag is one small question, so with some network in between
/// their number is what makes a run quick; the registry's own complaints bring it down.
const REQUESTS_EACH: usize = 8;

/// What looking ahead asks of sources, beside what a run does.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LookAhead {
    /// The source's own preview.
    pub(super) rehearse: bool,
    /// Whatever rules that are not live could ask for.
    pub(super) tried: bool,
}

/// The sources that could be opened, and why the others could not.
pub(super) type Opened<T = Source> = (BTreeMap<SourceName, T>, BTreeMap<SourceName, String>);

/// Opens the sources that the run is about: with write power only to enforce. One that cannot be opened leaves the
/// others running.
pub(super) async fn open_sources(policy: &Policy, options: &RunOptions, ahead: LookAhead) -> Result<Opened, RunError> {
    let opening = async |name: &SourceName, config: &_, open: &_, environment: &_| {
        sources::open(name, config, open, environment).await
    };
    open_each(policy, options, ahead, opening).await
}

/// The same, opened in another way.
pub(super) async fn open_each<T>(
    policy: &Policy,
    options: &RunOptions,
    ahead: LookAhead,
    opener: impl AsyncFn(&SourceName, &SourceConfig, &OpenOptions, &HttpEnvironment) -> Result<T, String>,
) -> Result<Opened<T>, RunError> {
    let of_repositories = options.repositories.iter().map(|key| key.source.clone());
    let wanted: Vec<SourceName> = options.sources.iter().cloned().chain(of_repositories).collect();
    let chosen = choose(policy, &wanted)?;
    let connections = descriptors::connections(chosen.len()).unwrap_or(usize::MAX);
    let registries = chosen.iter().filter_map(|(_, config)| {
        let SourceConfig::Oci(oci) = config else { return None };
        Some(oci.url.authority())
    });
    let several_registries = registries.collect::<BTreeSet<_>>().len() > 1;
    let environment = HttpEnvironment { several_registries, ..HttpEnvironment::of_process() };
    let until = options.stop.share();
    let is_one = chosen.len() == 1;
    let opening = chosen.into_iter().map(|(name, config)| {
        let wanted = match config {
            SourceConfig::Oci(_) | SourceConfig::Helm(_) => options.concurrency.saturating_mul(REQUESTS_EACH),
            // A page of a bucket's list is large: in flight they are the memory that a run needs.
            SourceConfig::S3(_) => options.concurrency,
            // The same holds for a page of images; beside it, a repository has two more small calls in flight.
            SourceConfig::Ecr(_) => options.concurrency.saturating_mul(2),
        };
        let open = OpenOptions {
            write: options.mode == Mode::Enforce,
            rehearse: ahead.rehearse,
            tried: ahead.tried,
            concurrency: wanted.min(connections),
            deadline: options.stop.deadline(),
        };
        let (environment, opener) = (&environment, &opener);
        // All at once, because each may ask somebody for credentials (F108).
        async move { (name, in_time(opener(name, config, &open, environment), until).await) }
    });
    let (mut opened, mut unopened) = (BTreeMap::new(), BTreeMap::new());
    for (name, outcome) in futures::future::join_all(opening).await {
        match outcome {
            Ok(source) => _ = opened.insert(name.clone(), source),
            Err(detail) => _ = unopened.insert(name.clone(), detail),
        }
    }
    match unopened.pop_first() {
        // Of several, each has a gap of its own, even if none could be opened: what is known of them is reported all the same.
        Some((source_name, detail)) if is_one => Err(RunError::Source { source_name, detail }),
        Some((name, detail)) => {
            unopened.insert(name, detail);
            Ok((opened, unopened))
        }
        None => Ok((opened, unopened)),
    }
}

/// A source that cannot be opened in its share of the time leaves the others running.
async fn in_time<T>(opening: impl Future<Output = Result<T, String>>, until: Option<Instant>) -> Result<T, String> {
    match until {
        None => opening.await,
        Some(until) => tokio::time::timeout_at(until.into(), opening).await.unwrap_or_else(|_| {
            Err("it was not opened within the third of --deadline that there is for it; see whether its credentials can \
                 be had"
                .to_owned())
        }),
    }
}

fn choose<'a>(policy: &'a Policy, wanted: &[SourceName]) -> Result<Vec<(&'a SourceName, &'a SourceConfig)>, RunError> {
    if let Some(name) = wanted.iter().find(|name| !policy.sources.contains_key(*name)) {
        let known: Vec<&str> = policy.sources.keys().map(SourceName::as_str).collect();
        return Err(RunError::UnknownSource { name: name.clone(), known: known.join(", ") });
    }
    Ok(policy.sources.iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name)).collect())
}
