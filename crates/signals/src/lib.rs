//! Who says what production runs. Tags and moving tags are judged where the repository is (`decide`); what names
//! references from outside is read here, before the repositories.
//!
//! A signal names artifacts as their platform does; the run finds the repositories they are in. Every signal reads only,
//! through a client that can do nothing else (I17), and what it could not read is a gap, never "nothing runs". A rehearsal is
//! no signal, and has a client of its own, which can make dry runs beside reading.

mod aws;
pub mod file;
mod kubernetes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use jiff::Timestamp;

pub use self::kubernetes::{PullSecret, PullSecrets, Rehearsed, Rehearsing};
use prodpin_core::model::{
    Automation, Cause, ChartReference, Concern, Control, Evidence, Gap, NamePatterns, NodeDigest, Reach, Reference,
    SchemaChange, Scope, Tenure, Workload,
};
use prodpin_policy::{Policy, SignalConfig};

/// A source of references that run in production, or ran there.
#[async_trait]
pub trait ProductionSignal: Send + Sync {
    /// Its name, for a person and as the ledger's key: `file in-use.json`, `kubernetes prod-eu`.
    fn name(&self) -> Arc<str>;

    /// What it names now. A signal that could not be read whole says so in `gaps`; that is never "nothing runs".
    async fn collect(&self) -> Signalled;

    /// What runs now, as `collect` would name it, for less than that asks: enough to see whether something else runs than
    /// before, and to decide nothing (F92). None where it would be all the same.
    async fn glance(&self) -> Option<Signalled> {
        None
    }
}

/// What one signal said.
#[derive(Debug, Clone, PartialEq)]
pub struct Signalled {
    /// The signal's name.
    pub via: Arc<str>,
    /// What it names, in any order.
    pub uses: Vec<Use>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// What makes going back harder.
    pub concerns: Vec<Concern>,
    /// What brings releases into workloads by itself.
    pub automations: Vec<Automated>,
    /// Entries of the policy's rule that matched nothing, as a person would name them. Only told by a whole reading.
    pub unmatched: Vec<String>,
}

impl Signalled {
    /// Nothing yet.
    #[must_use]
    pub fn new(via: Arc<str>) -> Self {
        Self {
            via,
            uses: Vec::new(),
            gaps: Vec::new(),
            concerns: Vec::new(),
            automations: Vec::new(),
            unmatched: Vec::new(),
        }
    }

    /// Notes something that could not be read.
    pub(crate) fn gap(&mut self, cause: Cause, detail: impl std::fmt::Display) {
        let gap = Gap::new(Scope::Signal(self.via.to_string()), cause, format!("{}: {detail}", self.via));
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    /// Notes the entries of a list of patterns that none of these names matches. `what` is what they would have named.
    pub(crate) fn note_unmatched<'n>(
        &mut self,
        what: &str,
        patterns: &NamePatterns,
        names: impl IntoIterator<Item = &'n str>,
    ) {
        self.unmatched = patterns.unmatched(names).map(|entry| format!("{what} {entry:?}")).collect();
    }

    /// Puts what is named in order, and says once what is true of many pods or tasks: since the first of them, until the
    /// last of them.
    pub(crate) fn settle(&mut self) {
        let mut tenures: BTreeMap<Use, Option<Timestamp>> = BTreeMap::new();
        for used in self.uses.drain(..) {
            // The key is what is the same for all of them.
            let (tenure, when) = match used.tenure {
                Tenure::Now { since } => (Tenure::Now { since: None }, since),
                Tenure::Wanted { why } => (Tenure::Wanted { why }, None),
                Tenure::Before { last } => (Tenure::Before { last: None }, last),
            };
            tenures
                .entry(Use { tenure, ..used })
                .and_modify(|known| {
                    *known = match tenure {
                        Tenure::Now { .. } => [*known, when].into_iter().flatten().min(),
                        Tenure::Wanted { .. } | Tenure::Before { .. } => (*known).max(when),
                    };
                })
                .or_insert(when);
        }
        self.uses.extend(tenures.into_iter().map(|(used, when)| {
            let tenure = match used.tenure {
                Tenure::Now { .. } => Tenure::Now { since: when },
                Tenure::Wanted { why } => Tenure::Wanted { why },
                Tenure::Before { .. } => Tenure::Before { last: when },
            };
            Use { tenure, ..used }
        }));
    }

    /// Takes a rule that names nothing at all for one that looks in the wrong place: an empty namespace, another
    /// cluster or account behind the same name, and a production that runs nothing all look alike (I4, F31).
    pub(crate) fn doubt_silence(&mut self) {
        if self.uses.is_empty() && self.gaps.is_empty() {
            let detail = "it was read, and names nothing at all; if production runs nothing there, take the rule out of \
                          the policy, else correct where it looks";
            self.gap(Cause::Suspicious, detail);
        }
    }
}

/// Something that brings releases into workloads by itself, and which ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Automated {
    /// What it is.
    pub automation: Automation,
    /// The images that it brings, where it names them; all of those of what it looks after if none.
    pub images: Option<Vec<Reference>>,
    /// What it looks after by its own status, where that was read.
    pub reach: Option<Reach>,
}

/// One artifact that something runs or ran.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// What.
    pub named: Named,
    /// Set if the digest in it is a node's word for the image, and the tag in it what the workload names (E125).
    pub node: Option<NodeDigest>,
    /// How sure this is.
    pub evidence: Evidence,
    /// Now or before.
    pub tenure: Tenure,
    /// What runs it, where that is known.
    pub workload: Option<Arc<Workload>>,
    /// The container in it; of a function the alias that names this version.
    pub container: Option<Arc<str>>,
    /// What the platform calls this state of the workload.
    pub revision: Option<Arc<str>>,
    /// The place of that state in the order in which the workload's states first came.
    pub introduced: Option<u64>,
    /// What its `prodpin.dev/schema` annotation says of the database.
    pub schema: Option<SchemaChange>,
    /// What decides how the workload can be changed by hand.
    pub control: Option<Arc<Control>>,
}

impl Use {
    /// Something that is named, by nobody in particular.
    #[must_use]
    pub fn new(named: Named, evidence: Evidence, tenure: Tenure) -> Self {
        Self {
            named,
            node: None,
            evidence,
            tenure,
            workload: None,
            container: None,
            revision: None,
            introduced: None,
            schema: None,
            control: None,
        }
    }
}

/// What a platform names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// An image or an object.
    Reference(Reference),
    /// A chart.
    Chart(ChartReference),
}

/// Every signal that the policy configures. No request is sent yet.
#[must_use]
pub fn of_policy(policy: &Policy, deadline: Option<Instant>) -> Vec<Box<dyn ProductionSignal>> {
    let files = policy
        .in_use_files
        .iter()
        .map(|path| -> Box<dyn ProductionSignal> { Box::new(file::FileSignal::new(path.clone())) });
    files.chain(policy.signals.iter().map(|config| open(config, deadline))).collect()
}

/// Sets one signal up.
#[must_use]
pub fn open(config: &SignalConfig, deadline: Option<Instant>) -> Box<dyn ProductionSignal> {
    match config {
        SignalConfig::Kubernetes(config) => Box::new(kubernetes::Kubernetes::new(config.clone(), deadline)),
        SignalConfig::ArgoCd(config) => Box::new(kubernetes::ArgoCd::new(config.clone(), deadline)),
        SignalConfig::Flux(config) => Box::new(kubernetes::Flux::new(config.clone(), deadline)),
        SignalConfig::Ecs(config) => Box::new(aws::Ecs::new(config.clone(), deadline)),
        SignalConfig::Lambda(config) => Box::new(aws::Lambda::new(config.clone(), deadline)),
        SignalConfig::AppRunner(config) => Box::new(aws::AppRunner::new(config.clone(), deadline)),
    }
}
