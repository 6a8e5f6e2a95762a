//! What Git deploys, as workloads themselves tell it (P75e): the way back there comes before whatever is done by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::decide::automation::{argo_cd_name, bare};
use crate::model::{Automation, Control, Manager, Platform, Workload};

use super::rollback_commands::{Running, Runs};

/// What applies Git to the workloads, where no signal names it by itself, with what one of its workloads runs.
pub(super) fn applied<'r, 'a, 'u>(running: &'r Running<'a, 'u>) -> Vec<(Workload, &'r Runs<'a, 'u>)> {
    let mut applied: BTreeMap<Workload, &Runs<'_, '_>> = BTreeMap::new();
    for ((_, workload), left) in running {
        let Platform::Kubernetes { context } = &workload.platform else { continue };
        for manager in left.iter().filter_map(|(_, used)| used.control.as_deref()).flat_map(|own| &own.managers) {
            if let Some(by) = applier(manager, context.as_ref())
                && !running.keys().any(|(_, known)| is_same(known, &by))
            {
                applied.entry(by).or_insert(left);
            }
        }
    }
    applied.into_iter().collect()
}

fn applier(manager: &Manager, context: Option<&Arc<str>>) -> Option<Workload> {
    match manager {
        // Where it runs is not told, and its own commands do not ask.
        Manager::ArgoCd { application } => {
            let (namespace, name) = match application.rsplit_once('/') {
                Some((namespace, name)) => (Some(namespace.into()), name.into()),
                None => (None, application.clone()),
            };
            Some(Workload { platform: Platform::ArgoCd { context: None }, namespace, kind: "application".into(), name })
        }
        Manager::Flux { kind, namespace, name } => Some(Workload {
            platform: Platform::Flux { context: context.cloned() },
            namespace: namespace.clone(),
            kind: (*kind).into(),
            name: name.clone(),
        }),
        Manager::Helm { .. } | Manager::Owner { .. } => None,
    }
}

fn is_same(known: &Workload, by: &Workload) -> bool {
    match (&known.platform, &by.platform) {
        (Platform::ArgoCd { .. }, Platform::ArgoCd { .. }) => {
            let (known, by) = (
                argo_cd_name(known.namespace.as_deref(), &known.name),
                argo_cd_name(by.namespace.as_deref(), &by.name),
            );
            known == by || bare(&known) == &*by
        }
        (Platform::Flux { .. }, Platform::Flux { .. }) => known == by,
        _ => false,
    }
}

/// What watches the registry beside Git and writes the workloads that this applies, by their own word.
pub(super) fn beside(running: &Running<'_, '_>, by: &Workload) -> BTreeSet<Automation> {
    let mut beside = BTreeSet::new();
    for ((_, workload), left) in running {
        let Platform::Kubernetes { context } = &workload.platform else { continue };
        for own in left.iter().filter_map(|(_, used)| used.control.as_deref()) {
            let mut appliers = own.managers.iter().filter_map(|manager| applier(manager, context.as_ref()));
            if appliers.any(|applier| is_same(by, &applier)) {
                let watches = |known: &&Automation| matches!(known, Automation::Keel { .. } | Automation::ImageTrigger);
                beside.extend(own.automations.iter().filter(watches).cloned());
            }
        }
    }
    beside
}

/// A Helm release by its cluster, namespace and name.
pub(super) type Release = (Option<Arc<str>>, Option<Arc<str>>, Arc<str>);

/// What looks after Helm's releases, by what their workloads say.
pub(super) fn behind_helm(running: &Running<'_, '_>) -> BTreeMap<Release, Control> {
    let mut behind: BTreeMap<Release, Control> = BTreeMap::new();
    for ((_, workload), left) in running {
        let Platform::Kubernetes { context } = &workload.platform else { continue };
        for own in left.iter().filter_map(|(_, used)| used.control.as_deref()) {
            for manager in &own.managers {
                let Manager::Helm { namespace, release } = manager else { continue };
                let namespace = namespace.clone().or_else(|| workload.namespace.clone());
                let control = behind.entry((context.clone(), namespace, release.clone())).or_default();
                let git = own.managers.iter().filter(|by| matches!(by, Manager::ArgoCd { .. } | Manager::Flux { .. }));
                control.managers.extend(git.cloned());
                control.automations.extend(own.automations.iter().filter(|by| by.is_of_git()).cloned());
            }
        }
    }
    behind
}
