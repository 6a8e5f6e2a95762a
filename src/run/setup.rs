//! What a run has in hand before it looks at the first repository: ledger, sources, and what signals say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::decide::{self, Rules, Uses};
use crate::ledger::{Access, Ledger};
use crate::memory::{self, Admission};
use crate::model::{
    Cause, DatabaseRule, Digest, Finding, Gap, Mode, Reference, RepositoryKey, RepositoryName, RunId, RunScope,
    Running, RunningReference, Scope, SourceName, Waiver, claimant,
};
use crate::policy::{Alert, LedgerLocation, PinPolicy, Policy, SourceConfig};
use crate::schedule::Schedule;
use crate::signals::{self, Named, ProductionSignal, Signalled, Use};
use crate::sources::oci::Surroundings;
use crate::sources::{self, OpenOptions, Source};

use super::witness::Witnesses;
use super::{RunError, RunOptions, Stop, descriptors};

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
    /// What the policy says of databases.
    pub(super) database: Vec<DatabaseRule>,
    pub(super) waivers: Vec<Waiver>,
    pub(super) alerts: Vec<Alert>,
    pub(super) ledger: Ledger,
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
    pub(super) production: Production,
    /// Policy entries that have matched nothing so far.
    pub(super) uses: Mutex<Uses>,
}

/// What signals from outside say.
#[derive(Default)]
pub(super) struct Production {
    running: BTreeMap<RepositoryKey, Vec<Running>>,
    /// Every signal that is configured.
    pub(super) configured: BTreeSet<Arc<str>>,
    /// Those that were read whole.
    pub(super) complete: BTreeSet<Arc<str>>,
    pub(super) gaps: Vec<Gap>,
    /// References into no source of the policy, which a file names one by one.
    pub(super) uncovered: Vec<String>,
    /// What workloads name that no source of the policy holds, by registry or bucket.
    pub(super) elsewhere: BTreeMap<String, BTreeSet<String>>,
    /// What signals say of workloads, whatever they run.
    pub(super) findings: Vec<Finding>,
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
        let mut ledger = Ledger::open_with(&policy.ledger, &policy.safeguards, access).await?;
        ledger.must_be_remembered()?;
        let production = Production::collect(policy, &sources, options, started).await;
        let rules =
            Rules { keep: policy.keep, production: policy.production.clone(), may_move: policy.may_move.clone() };
        Ok(Self {
            id: RunId::new(started, std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), started)),
            mode: options.mode,
            scope: options.scope(),
            only: options.repositories.clone(),
            schedule: policy.schedule.clone(),
            started,
            policy: policy.digest.clone(),
            uses: Mutex::new(Uses::of(&rules, &policy.database)),
            rules,
            pins: policy.pins.clone(),
            database: policy.database.clone(),
            waivers: policy.waivers.clone(),
            alerts: policy.alerts.clone(),
            ledger,
            keeps_ledger,
            concurrency: options.concurrency,
            admission: Admission::new(memory::budget().working()),
            named: policy.sources.keys().chain(sources.keys()).cloned().collect(),
            adopts: policy.safeguards.adopt,
            witnesses: Witnesses::default(),
            sources,
            production,
        })
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
pub(super) type Opened = (BTreeMap<SourceName, Source>, BTreeMap<SourceName, String>);

/// Opens the sources that the run is about: with write power only to enforce. One that cannot be opened leaves the
/// others running.
pub(super) async fn open_sources(policy: &Policy, options: &RunOptions, ahead: LookAhead) -> Result<Opened, RunError> {
    let of_repositories = options.repositories.iter().map(|key| key.source.clone());
    let wanted: Vec<SourceName> = options.sources.iter().cloned().chain(of_repositories).collect();
    let chosen = choose(policy, &wanted)?;
    let connections = descriptors::connections(chosen.len()).unwrap_or(usize::MAX);
    let registries = chosen.iter().filter_map(|(_, config)| {
        let SourceConfig::Oci(oci) = config else { return None };
        Some(oci.url.authority())
    });
    let several_registries = registries.collect::<BTreeSet<_>>().len() > 1;
    let surroundings = Surroundings { several_registries, ..Surroundings::of_process() };
    let until = options.stop.share();
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
        let surroundings = &surroundings;
        // All at once, because each may ask somebody for credentials (F108).
        async move { (name, open_in_time(name, config, &open, surroundings, until).await) }
    });
    let (mut opened, mut unopened) = (BTreeMap::new(), BTreeMap::new());
    for (name, outcome) in futures::future::join_all(opening).await {
        match outcome {
            Ok(source) => _ = opened.insert(name.clone(), source),
            Err(detail) => _ = unopened.insert(name.clone(), detail),
        }
    }
    match unopened.pop_first() {
        Some((source_name, detail)) if opened.is_empty() => Err(RunError::Source { source_name, detail }),
        Some((name, detail)) => {
            unopened.insert(name, detail);
            Ok((opened, unopened))
        }
        None => Ok((opened, unopened)),
    }
}

/// A source that cannot be opened in its share of the time leaves the others running.
async fn open_in_time(
    name: &SourceName,
    config: &SourceConfig,
    options: &OpenOptions,
    surroundings: &Surroundings,
    until: Option<Instant>,
) -> Result<Source, String> {
    let opening = sources::open(name, config, options, surroundings);
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

impl Production {
    /// Asks every signal, all at the same time. What they say does not depend on who answers first.
    async fn collect(
        policy: &Policy,
        sources: &BTreeMap<SourceName, Source>,
        options: &RunOptions,
        now: Timestamp,
    ) -> Self {
        // Repositories wait for what signals say, so these have a part of the time only: what could not be read by then is
        // a gap, and every repository is decided all the same (F134).
        let until = options.stop.share();
        let signals = signals::of_policy(policy, until);
        let asked = signals.iter().map(|signal| in_time(signal.as_ref(), &options.stop, until));
        let mut said = futures::future::join_all(asked).await;
        said.sort_by(|a, b| a.via.cmp(&b.via));
        let mut production = Self::default();
        for mut signalled in said {
            let concerns = std::mem::take(&mut signalled.concerns);
            production.findings.extend(decide::concerns(&signalled.via, concerns, policy.keep, now));
            if signalled.gaps.is_empty() {
                let unmatched = std::mem::take(&mut signalled.unmatched);
                let entries: Vec<String> =
                    unmatched.into_iter().map(|entry| format!("{}: {entry}", signalled.via)).collect();
                let entries = entries.iter().map(String::as_str);
                production.findings.extend(decide::unmatched(None, entries, crate::model::Severity::Medium, now));
            }
            production.add(signalled, sources);
        }
        for (key, running) in &mut production.running {
            tracing::debug!(repository = %key, count = running.len(), "signals name {} things in {key}", running.len());
            running.sort();
            running.dedup();
        }
        production
    }

    fn add(&mut self, signalled: Signalled, sources: &BTreeMap<SourceName, Source>) {
        let Signalled { via, uses, gaps, .. } = signalled;
        // Two files of one name are one signal, and that is whole only if both are.
        if self.configured.insert(via.clone()) && gaps.is_empty() {
            self.complete.insert(via.clone());
        } else if !gaps.is_empty() {
            self.complete.remove(&via);
        }
        self.gaps.extend(gaps);
        for entry in uses {
            let mut covered = false;
            for (name, source) in sources {
                let located = match &entry.named {
                    Named::Reference(reference) => source.inventory.locate(reference),
                    Named::Chart(chart) => chart.reference().and_then(|chart| source.inventory.locate(&chart)),
                };
                let Some((repository, pointed)) = located else { continue };
                if !source.inventory.selects(&repository) {
                    continue;
                }
                covered = true;
                let key = RepositoryKey { source: name.clone(), name: repository };
                self.running.entry(key).or_default().push(running(&entry, pointed, &via));
            }
            if !covered {
                self.note_uncovered(&entry);
            }
        }
    }

    fn note_uncovered(&mut self, entry: &Use) {
        let place = match &entry.named {
            Named::Reference(reference) if entry.workload.is_none() => {
                return self.uncovered.push(reference.to_string());
            }
            Named::Reference(Reference::Image { host, .. }) => host.clone(),
            Named::Reference(Reference::Object { bucket, .. }) => format!("s3://{bucket}"),
            Named::Reference(Reference::Chart { .. }) | Named::Chart(_) => "chart repositories".to_owned(),
        };
        let thing = match &entry.named {
            // By name, not by each version of it.
            Named::Reference(Reference::Image { repository, .. }) => repository.to_string(),
            Named::Reference(Reference::Object { key, .. }) => key.to_string(),
            Named::Reference(Reference::Chart { name, .. }) => name.to_string(),
            Named::Chart(chart) => chart.name.to_string(),
        };
        self.elsewhere.entry(place).or_default().insert(thing);
    }

    pub(super) fn of(&self, key: &RepositoryKey) -> &[Running] {
        self.running.get(key).map_or(&[], Vec::as_slice)
    }

    pub(super) fn repositories<'a>(&'a self, source: &'a SourceName) -> impl Iterator<Item = &'a RepositoryName> {
        self.running.keys().filter(move |key| key.source == *source).map(|key| &key.name)
    }
}

/// After its share of the time a signal has so long to say what it has read until then.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// No longer than its share of the run: a signal that hangs is one that could not be read.
async fn in_time(signal: &dyn ProductionSignal, stop: &Stop, until: Option<Instant>) -> Signalled {
    let late = async {
        match until {
            Some(until) => tokio::time::sleep_until((until + LAST_WORDS).into()).await,
            None => std::future::pending().await,
        }
    };
    let (cause, why) = tokio::select! {
        biased;
        said = signal.collect() => return said,
        () = stop.set() => (stop.cause(), "the run ended before it was read"),
        () = late => (Cause::TimedOut, "it was not read within the third of --deadline that signals have"),
    };
    let mut said = Signalled::new(signal.name());
    let detail = format!("{}: {why}", said.via);
    said.gaps.push(Gap::new(Scope::Signal(said.via.to_string()), cause, detail));
    said
}

/// What a use means in the repository that holds what it names.
fn running(entry: &Use, reference: RunningReference, signal: &Arc<str>) -> Running {
    let named_as = match &entry.named {
        // Only a node's digest stands beside a tag that says something else; who writes both means the digest.
        Named::Reference(Reference::Image { tag, .. }) if entry.node.is_some() => tag.clone(),
        _ => None,
    };
    Running {
        reference,
        named_as,
        node: entry.node,
        evidence: entry.evidence,
        via: entry.workload.as_ref().map_or_else(|| signal.clone(), |workload| claimant(signal, workload)),
        tenure: entry.tenure,
        workload: entry.workload.clone(),
        container: entry.container.clone(),
        revision: entry.revision.clone(),
        introduced: entry.introduced,
        schema: entry.schema,
        control: entry.control.clone(),
    }
}
