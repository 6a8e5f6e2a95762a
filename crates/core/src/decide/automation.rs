//! What is known of whatever looks after workloads, joined with the workloads that it looks after: their own objects name it,
//! and another signal read its settings.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{Automation, Control, Deployment, Manager, Platform, Workload};

/// Joins what was read of automations with what runs or is wanted in one repository. `automations` are those that may concern
/// it: of those that write images, the ones that write images of this repository.
pub fn attach(running: &mut [Deployment], automations: &BTreeSet<Automation>) {
    if automations.is_empty() {
        return;
    }
    for used in running.iter_mut().filter(|used| used.runs_or_is_wanted()) {
        let Some(workload) = &used.workload else { continue };
        let own = used.control.as_deref().cloned().unwrap_or_default();
        let found = concerning(workload, &own.managers, automations);
        if !found.is_empty() {
            let automations = own.automations.iter().chain(&found).cloned().collect();
            used.control = Some(Arc::new(Control { automations, ..own }));
        }
    }
}

/// The name of an Argo CD application as its commands take it: one outside of Argo CD's own namespace stands behind that.
#[must_use]
pub fn argo_cd_name(namespace: Option<&str>, name: &str) -> Arc<str> {
    match namespace {
        None | Some("argocd") => name.into(),
        Some(namespace) => format!("{namespace}/{name}").into(),
    }
}

/// What looks after a workload, by its labels and annotations or because it is that itself, and what looks after that.
fn concerning(
    workload: &Workload,
    managers: &BTreeSet<Manager>,
    automations: &BTreeSet<Automation>,
) -> BTreeSet<Automation> {
    let mut names: BTreeSet<Manager> = managers.clone();
    names.extend(itself(workload));
    let mut found = BTreeSet::new();
    // An application may be written by another one, and that by a third: until nothing new is found.
    loop {
        let before = found.len();
        for automation in automations {
            if is_meant(automation, workload, &names, automations)
                && found.insert(automation.clone())
                && let Automation::ArgoCd { written_by: Some(by), .. } = automation
            {
                names.insert(by.clone());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// What a workload is called as a manager of others.
fn itself(workload: &Workload) -> Option<Manager> {
    let namespace = workload.namespace.as_deref();
    match (&workload.platform, workload.kind.as_ref()) {
        (Platform::ArgoCd { .. }, _) => {
            Some(Manager::ArgoCd { application: argo_cd_name(namespace, &workload.name) })
        }
        (Platform::Flux { .. }, "helmrelease") => Some(Manager::Flux {
            kind: "helmrelease",
            namespace: workload.namespace.clone(),
            name: workload.name.clone(),
        }),
        _ => None,
    }
}

fn is_meant(
    automation: &Automation,
    workload: &Workload,
    names: &BTreeSet<Manager>,
    automations: &BTreeSet<Automation>,
) -> bool {
    // What Flux applies is in its own cluster, and each cluster has a Kustomization of the usual name.
    let is_here = |context: &Option<Arc<str>>| match &workload.platform {
        Platform::Kubernetes { context: own } | Platform::Helm { context: own } | Platform::Flux { context: own } => {
            own == context
        }
        _ => false,
    };
    match automation {
        Automation::ArgoCd { application, .. } | Automation::ArgoCdImages { application, .. } => {
            let named = |application: &str| names.contains(&Manager::ArgoCd { application: application.into() });
            named(application) || (named(bare(application)) && is_sole(application, automations))
        }
        Automation::Flux { context, kind, namespace, name, .. } => {
            let named = Manager::Flux { kind, namespace: namespace.clone(), name: name.clone() };
            is_here(context) && names.contains(&named)
        }
        // It writes into a Git repository that Flux applies.
        Automation::FluxImages { context, .. } => {
            is_here(context) && names.iter().any(|name| matches!(name, Manager::Flux { .. }))
        }
        Automation::Keel { .. } | Automation::ImageTrigger | Automation::Analysis { .. } => false,
    }
}

/// An application's name without its namespace: an object names one in Argo CD's own namespace so, whatever that is called.
pub(super) fn bare(application: &str) -> &str {
    application.rsplit_once('/').map_or(application, |(_, name)| name)
}

/// Whether no other application that was read has this name.
fn is_sole(application: &str, automations: &BTreeSet<Automation>) -> bool {
    automations.iter().all(|other| match other {
        Automation::ArgoCd { application: other, .. } => &**other == application || bare(other) != bare(application),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ArtifactId, AutomatedSync, DeployedReference, Digest, Evidence, Tenure};

    fn argo(application: &str, written_by: Option<Manager>) -> Automation {
        let automated = Some(AutomatedSync::default());
        Automation::ArgoCd { application: application.into(), automated, written_by }
    }

    fn flux(context: &str, name: &str) -> Automation {
        Automation::Flux {
            context: Some(context.into()),
            kind: "kustomization",
            namespace: Some("flux-system".into()),
            name: name.into(),
            suspended: false,
            interval: Some("10m".into()),
            corrects: true,
        }
    }

    fn images(context: &str) -> Automation {
        Automation::FluxImages {
            context: Some(context.into()),
            namespace: Some("flux-system".into()),
            name: "all".into(),
            suspended: false,
            interval: None,
        }
    }

    fn deployed(managers: &[Manager]) -> Deployment {
        let bytes = DeployedReference::Artifact(ArtifactId::from(Digest::sha256(b"v3")));
        let workload = Workload {
            platform: Platform::Kubernetes { context: Some("eu".into()) },
            namespace: Some("shop".into()),
            kind: "deployment".into(),
            name: "api".into(),
        };
        Deployment {
            workload: Some(Arc::new(workload)),
            control: Some(Arc::new(Control { managers: managers.iter().cloned().collect(), ..Control::default() })),
            ..Deployment::now(bytes, Evidence::RunningDigest, "kubernetes eu: deployment shop/api")
        }
    }

    fn attached(mut used: Deployment, all: &[Automation]) -> Vec<Automation> {
        attach(std::slice::from_mut(&mut used), &all.iter().cloned().collect());
        used.control.map(|control| control.automations.iter().cloned().collect()).unwrap_or_default()
    }

    #[test]
    fn a_workload_is_joined_with_what_its_own_object_names_and_with_nothing_else_p75e() {
        let parent = Manager::ArgoCd { application: "apps".into() };
        let shop = argo("shop", Some(parent.clone()));
        let all = [shop.clone(), argo("apps", None), argo("other", None), flux("eu", "apps"), images("eu")];
        let by_argo = Manager::ArgoCd { application: "shop".into() };
        assert_eq!(attached(deployed(&[by_argo]), &all), [argo("apps", None), shop]);
        assert_eq!(attached(deployed(&[]), &all), []);
        let by_flux = |name: &str| Manager::Flux {
            kind: "kustomization",
            namespace: Some("flux-system".into()),
            name: name.into(),
        };
        assert_eq!(attached(deployed(&[by_flux("apps")]), &all), [flux("eu", "apps"), images("eu")]);
        // Another cluster's Kustomization of the same name says nothing of this one.
        assert_eq!(attached(deployed(&[by_flux("apps")]), &[flux("us", "apps"), images("us")]), []);
        assert_eq!(attached(deployed(&[by_flux("infra")]), &all), [images("eu")]);
    }

    #[test]
    fn applications_that_write_each_other_end_and_what_ran_before_has_no_control() {
        let by = |name: &str| Some(Manager::ArgoCd { application: name.into() });
        let all = [argo("a", by("b")), argo("b", by("a"))];
        let used = deployed(&[Manager::ArgoCd { application: "a".into() }]);
        assert_eq!(attached(used.clone(), &all), all);
        let before = Deployment { tenure: Tenure::Before { last: None }, control: None, ..used };
        assert_eq!(attached(before, &all), []);
    }

    #[test]
    fn an_application_is_its_own_manager() {
        let application = Workload {
            platform: Platform::ArgoCd { context: None },
            namespace: Some("teams".into()),
            kind: "application".into(),
            name: "shop".into(),
        };
        let used = Deployment { workload: Some(Arc::new(application)), control: None, ..deployed(&[]) };
        assert_eq!(attached(used, &[argo("teams/shop", None), argo("shop", None)]), [argo("teams/shop", None)]);
        // Argo CD's own namespace may have another name, which nothing that it applies tells.
        let tracked = deployed(&[Manager::ArgoCd { application: "shop".into() }]);
        let (gitops, teams) = (argo("openshift-gitops/shop", None), argo("teams/shop", None));
        assert_eq!(attached(tracked.clone(), std::slice::from_ref(&gitops)), [gitops.clone()]);
        assert_eq!(attached(tracked, &[gitops, teams]), [], "which of the two is meant is not known");
    }
}
