//! What a run has in hand before it looks at the first repository: ledger, sources, and what signals say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use crate::decide::{Rules, Uses};
use crate::ledger::{Access, Ledger};
use crate::model::{Digest, Gap, Mode, RepositoryKey, RepositoryName, RunId, RunScope, Running, SourceName, Waiver};
use crate::policy::{LedgerLocation, Policy, SourceConfig};
use crate::signals::file::FileSignal;
use crate::signals::{ProductionSignal, Signalled};
use crate::sources::oci::Surroundings;
use crate::sources::{self, OpenOptions, Source};

use super::{RunError, RunOptions, descriptors};

/// Everything a run's parts share.
pub(super) struct Setup {
    pub(super) id: RunId,
    pub(super) mode: Mode,
    pub(super) scope: RunScope,
    pub(super) started: Timestamp,
    pub(super) policy: Digest,
    pub(super) rules: Rules,
    pub(super) waivers: Vec<Waiver>,
    pub(super) ledger: Ledger,
    /// Whether the ledger outlives the run, so that reports may name its positions.
    pub(super) keeps_ledger: bool,
    pub(super) concurrency: usize,
    pub(super) sources: BTreeMap<SourceName, Source>,
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
    /// References into no source of the policy.
    pub(super) uncovered: Vec<String>,
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
        let ledger = Ledger::open_with(&policy.ledger, &policy.safeguards, access).await?;
        let production = Production::collect(policy, &sources).await;
        let rules =
            Rules { keep: policy.keep, production: policy.production.clone(), may_move: policy.may_move.clone() };
        Ok(Self {
            id: RunId::new(started, std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), started)),
            mode: options.mode,
            scope: options.scope(),
            started,
            policy: policy.digest.clone(),
            uses: Mutex::new(Uses::of(&rules)),
            rules,
            waivers: policy.waivers.clone(),
            ledger,
            keeps_ledger,
            concurrency: options.concurrency,
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

/// The sources that could be opened, and why the others could not.
pub(super) type Opened = (BTreeMap<SourceName, Source>, BTreeMap<SourceName, String>);

/// Opens the sources that the run is about: with write power only to enforce. One that cannot be opened leaves the
/// others running.
pub(super) async fn open_sources(policy: &Policy, options: &RunOptions, rehearse: bool) -> Result<Opened, RunError> {
    let chosen = choose(policy, &options.sources)?;
    let connections = descriptors::connections(chosen.len()).unwrap_or(usize::MAX);
    let registries = chosen.iter().filter_map(|(_, config)| {
        let SourceConfig::Oci(oci) = config else { return None };
        Some(oci.url.authority())
    });
    let several_registries = registries.collect::<BTreeSet<_>>().len() > 1;
    let surroundings = Surroundings { several_registries, ..Surroundings::of_process() };
    let (mut opened, mut unopened) = (BTreeMap::new(), BTreeMap::new());
    for (name, config) in chosen {
        let wanted = match config {
            SourceConfig::Oci(_) | SourceConfig::Helm(_) => options.concurrency.saturating_mul(REQUESTS_EACH),
            // A page of a bucket's list is large: in flight they are the memory that a run needs.
            SourceConfig::S3(_) => options.concurrency,
            // The same holds for a page of images; beside it, a repository has two more small calls in flight.
            SourceConfig::Ecr(_) => options.concurrency.saturating_mul(2),
        };
        let open = OpenOptions {
            write: options.mode == Mode::Enforce,
            rehearse,
            concurrency: wanted.min(connections),
            deadline: options.stop.deadline(),
        };
        match sources::open(name, config, &open, &surroundings).await {
            Ok(source) => {
                opened.insert(name.clone(), source);
            }
            Err(detail) => {
                unopened.insert(name.clone(), detail);
            }
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

fn choose<'a>(policy: &'a Policy, wanted: &[SourceName]) -> Result<Vec<(&'a SourceName, &'a SourceConfig)>, RunError> {
    if let Some(name) = wanted.iter().find(|name| !policy.sources.contains_key(*name)) {
        let known: Vec<&str> = policy.sources.keys().map(SourceName::as_str).collect();
        return Err(RunError::UnknownSource { name: name.clone(), known: known.join(", ") });
    }
    Ok(policy.sources.iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name)).collect())
}

impl Production {
    async fn collect(policy: &Policy, sources: &BTreeMap<SourceName, Source>) -> Self {
        let mut production = Self::default();
        for path in &policy.in_use_files {
            let signalled = FileSignal::new(path.clone()).collect().await;
            production.add(signalled, sources);
        }
        production
    }

    fn add(&mut self, signalled: Signalled, sources: &BTreeMap<SourceName, Source>) {
        let Signalled { via, evidence, references, gaps } = signalled;
        // Two files of one name are one signal, and that is whole only if both are.
        if self.configured.insert(via.clone()) && gaps.is_empty() {
            self.complete.insert(via.clone());
        } else if !gaps.is_empty() {
            self.complete.remove(&via);
        }
        self.gaps.extend(gaps);
        for reference in references {
            let mut covered = false;
            for (name, source) in sources {
                let Some((repository, pointed)) = source.inventory.locate(&reference) else { continue };
                if !source.inventory.selects(&repository) {
                    continue;
                }
                covered = true;
                let key = RepositoryKey { source: name.clone(), name: repository };
                self.running.entry(key).or_default().push(Running { reference: pointed, evidence, via: via.clone() });
            }
            if !covered {
                self.uncovered.push(reference.to_string());
            }
        }
    }

    pub(super) fn of(&self, key: &RepositoryKey) -> &[Running] {
        self.running.get(key).map_or(&[], Vec::as_slice)
    }

    pub(super) fn repositories<'a>(&'a self, source: &'a SourceName) -> impl Iterator<Item = &'a RepositoryName> {
        self.running.keys().filter(move |key| key.source == *source).map(|key| &key.name)
    }
}
