//! What is known of whatever looks after workloads, joined with the workloads that it looks after: their own objects name it,
//! and another signal read its settings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Automation, Control, Deployment, Manager, Platform, Workload};

/// Everything that was read of automations, by what workloads call it: there may be thousands of either.
#[derive(Debug, Default)]
pub struct Automations {
    all: Vec<Automation>,
    by_name: BTreeMap<(&'static str, String), Vec<usize>>,
}

impl Automations {
    /// Puts them in order.
    #[must_use]
    pub fn new(all: Vec<Automation>) -> Self {
        let mut by_name: BTreeMap<(&'static str, String), Vec<usize>> = BTreeMap::new();
        for (at, automation) in all.iter().enumerate() {
            by_name.entry(name_of(automation)).or_default().push(at);
        }
        Self { all, by_name }
    }

    /// Joins them with what runs or is wanted in one repository. `concerns` tells of each, by its place, whether it may write
    /// images of this repository.
    pub fn attach(&self, running: &mut [Deployment], concerns: impl Fn(usize) -> bool) {
        for used in running.iter_mut().filter(|used| used.runs_or_is_wanted()) {
            let Some(workload) = &used.workload else { continue };
            let own = used.control.as_deref().cloned().unwrap_or_default();
            let found = self.concerning(workload, &own.managers, &concerns);
            if !found.is_empty() {
                let automations = own.automations.iter().chain(&found).cloned().collect();
                used.control = Some(Arc::new(Control { automations, ..own }));
            }
        }
    }

    /// What looks after a workload, by its labels and annotations or because it is that itself, and what looks after that: an
    /// application may be written by another one, and that by a third.
    fn concerning(
        &self,
        workload: &Workload,
        managers: &BTreeSet<Manager>,
        concerns: &impl Fn(usize) -> bool,
    ) -> BTreeSet<Automation> {
        let mut found = BTreeSet::new();
        let mut open: Vec<Manager> = managers.iter().cloned().chain(itself(workload)).collect();
        while let Some(manager) = open.pop() {
            for at in names_for(&manager).iter().filter_map(|name| self.by_name.get(name)).flatten() {
                let automation = &self.all[*at];
                if self.is_meant(automation, workload, &manager)
                    && concerns(*at)
                    && found.insert(automation.clone())
                    && let Automation::ArgoCd { written_by: Some(by), .. } = automation
                {
                    open.push(by.clone());
                }
            }
        }
        found
    }

    fn is_meant(&self, automation: &Automation, workload: &Workload, manager: &Manager) -> bool {
        // What Flux applies is in its own cluster, and each cluster has a Kustomization of the usual name.
        let is_here = |context: &Option<Arc<str>>| match &workload.platform {
            Platform::Kubernetes { context: own }
            | Platform::Helm { context: own }
            | Platform::Flux { context: own } => own == context,
            _ => false,
        };
        match (automation, manager) {
            (
                Automation::ArgoCd { application, .. } | Automation::ArgoCdImages { application, .. },
                Manager::ArgoCd { application: named },
            ) => application == named || (bare(named) == &**named && self.is_sole(application)),
            (
                Automation::Flux { context, kind, namespace, name, .. },
                Manager::Flux { kind: of, namespace: inside, name: called },
            ) => is_here(context) && (kind, namespace, name) == (of, inside, called),
            // It writes into a Git repository that Flux applies.
            (Automation::FluxImages { context, .. }, Manager::Flux { .. }) => is_here(context),
            _ => false,
        }
    }

    /// Whether no other application that was read has this name.
    fn is_sole(&self, application: &str) -> bool {
        let named = self.by_name.get(&(APPLICATION, bare(application).to_owned())).into_iter().flatten();
        named.map(|at| &self.all[*at]).all(|other| match other {
            Automation::ArgoCd { application: other, .. } => &**other == application,
            _ => true,
        })
    }
}

const APPLICATION: &str = "application";
const IMAGES: &str = "images";

/// Under which name it is looked for.
fn name_of(automation: &Automation) -> (&'static str, String) {
    match automation {
        Automation::ArgoCd { application, .. } | Automation::ArgoCdImages { application, .. } => {
            (APPLICATION, bare(application).to_owned())
        }
        Automation::Flux { kind, namespace, name, .. } => (*kind, placed(namespace.as_deref(), name)),
        Automation::FluxImages { .. } => (IMAGES, String::new()),
        // These are told by workloads themselves.
        Automation::Keel { .. } | Automation::ImageTrigger | Automation::Analysis { .. } => ("", String::new()),
    }
}

/// Under which names what a workload is managed by is found.
fn names_for(manager: &Manager) -> Vec<(&'static str, String)> {
    match manager {
        Manager::ArgoCd { application } => vec![(APPLICATION, bare(application).to_owned())],
        Manager::Flux { kind, namespace, name } => {
            vec![(*kind, placed(namespace.as_deref(), name)), (IMAGES, String::new())]
        }
        Manager::Helm { .. } | Manager::Owner { .. } => Vec::new(),
    }
}

fn placed(namespace: Option<&str>, name: &str) -> String {
    format!("{}/{name}", namespace.unwrap_or_default())
}

/// The name of an Argo CD application as its commands take it: one outside of Argo CD's own namespace stands behind that.
#[must_use]
pub fn argo_cd_name(namespace: Option<&str>, name: &str) -> Arc<str> {
    match namespace {
        None | Some("argocd") => name.into(),
        Some(namespace) => format!("{namespace}/{name}").into(),
    }
}

/// What a workload is called as a manager of others.
fn itself(workload: &Workload) -> Option<Manager> {
    let namespace = workload.namespace.as_deref();
    match (&workload.platform, workload.kind.as_ref()) {
        (Platform::ArgoCd { .. }, _) => Some(Manager::ArgoCd { application: argo_cd_name(namespace, &workload.name) }),
        (Platform::Flux { .. }, "helmrelease") => Some(Manager::Flux {
            kind: "helmrelease",
            namespace: workload.namespace.clone(),
            name: workload.name.clone(),
        }),
        _ => None,
    }
}

/// An application's name without its namespace: an object names one in Argo CD's own namespace so, whatever that is called.
pub(super) fn bare(application: &str) -> &str {
    application.rsplit_once('/').map_or(application, |(_, name)| name)
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
        Automations::new(all.to_vec()).attach(std::slice::from_mut(&mut used), |_| true);
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
        let mut other = deployed(&[Manager::ArgoCd { application: "shop".into() }]);
        Automations::new(all.to_vec()).attach(std::slice::from_mut(&mut other), |at| at == 1);
        assert!(other.control.unwrap().automations.is_empty(), "it writes images of other repositories");
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
        assert_eq!(attached(tracked.clone(), std::slice::from_ref(&gitops)), std::slice::from_ref(&gitops));
        assert_eq!(attached(tracked, &[gitops, teams]), [], "which of the two is meant is not known");
    }
}
