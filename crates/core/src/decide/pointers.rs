//! Pointers yield to pods: what Helm, Argo CD or Flux call deployed is what should run. Where the cluster's own workloads
//! want it and no pod of it is ready, it does not (F133).

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ArtifactId, Deployment, Platform, RepositoryState, Tenure, Waiting};

use super::deployments::uses;
use super::labels::Labels;
use super::rules::Rules;

/// Takes what only a pointer calls running for wanted, where pods show that it does not run.
pub fn yield_to_pods(running: &mut [Deployment], state: &RepositoryState, rules: &Rules, labels: &Labels<'_>) {
    let mut wanted: BTreeMap<ArtifactId, BTreeMap<Option<&str>, Waiting>> = BTreeMap::new();
    let mut runs: BTreeSet<ArtifactId> = BTreeSet::new();
    let artifacts = uses(running, state, rules, labels);
    for (artifact, used) in &artifacts {
        for used in used {
            let Some(Platform::Kubernetes { context }) = used.workload.as_ref().map(|workload| &workload.platform)
            else {
                continue;
            };
            match used.tenure {
                Tenure::Now { .. } => {
                    runs.insert(artifact.clone());
                }
                Tenure::Wanted { why } => {
                    wanted.entry(artifact.clone()).or_default().insert(context.as_deref(), why);
                }
                Tenure::Before { .. } => {}
            }
        }
    }
    wanted.retain(|artifact, _| !runs.contains(artifact));
    let mut yielding: Vec<(Deployment, Waiting)> = Vec::new();
    for (artifact, wanted) in &wanted {
        let pointers = artifacts.get(artifact).into_iter().flatten().filter(|used| used.runs_now());
        for used in pointers {
            let why = match used.workload.as_ref().map(|workload| &workload.platform) {
                Some(Platform::Helm { context } | Platform::Flux { context }) => wanted.get(&context.as_deref()),
                // It may deploy to another cluster than its own.
                Some(Platform::ArgoCd { .. }) => wanted.values().next(),
                _ => None,
            };
            yielding.extend(why.map(|why| ((*used).clone(), *why)));
        }
    }
    for entry in running {
        if let Some((_, why)) = yielding.iter().find(|(pointer, _)| pointer == entry) {
            entry.tenure = Tenure::Wanted { why: *why };
        }
    }
}
