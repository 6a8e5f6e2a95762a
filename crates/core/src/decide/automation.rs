//! What is known of whatever looks after workloads, joined with the workloads that it looks after: their own objects name it,
//! and another signal read its settings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Automation, Control, Deployment, Manager, ObjectName, Platform, Reach, Workload};

/// Everything that was read of automations, by what workloads call it: there may be thousands of either.
#[derive(Debug, Default)]
pub struct Automations {
    all: Vec<(Automation, Option<Reach>)>,
    by_name: BTreeMap<(&'static str, String), Vec<usize>>,
    by_object: BTreeMap<ObjectName, Vec<usize>>,
}

/// What is looked after: an object in a cluster, where that is known.
#[derive(Debug, Clone)]
struct Subject {
    context: Option<Arc<str>>,
    object: ObjectName,
    /// Whether everything down to the workload is proven.
    proven: bool,
}

impl Automations {
    /// Puts them in order.
    #[must_use]
    pub fn new(all: Vec<(Automation, Option<Reach>)>) -> Self {
        let mut by_name: BTreeMap<(&'static str, String), Vec<usize>> = BTreeMap::new();
        let mut by_object: BTreeMap<ObjectName, Vec<usize>> = BTreeMap::new();
        for (at, (automation, reach)) in all.iter().enumerate() {
            by_name.entry(name_of(automation)).or_default().push(at);
            for object in reach.iter().flat_map(|reach| &reach.objects) {
                by_object.entry(object.clone()).or_default().push(at);
            }
        }
        Self { all, by_name, by_object }
    }

    /// Joins them with what runs or is wanted in one repository. `concerns` tells of each, by its place, whether it may write
    /// images of this repository.
    pub fn attach(&self, running: &mut [Deployment], concerns: impl Fn(usize) -> bool) {
        for used in running.iter_mut().filter(|used| used.runs_or_is_wanted()) {
            let Some(workload) = &used.workload else { continue };
            let mut own = used.control.as_deref().cloned().unwrap_or_default();
            let told = self.tracking(workload, &own);
            let is_more = !told.is_empty();
            own.managers.extend(told);
            let found = self.concerning(workload, &own.managers, &concerns);
            if is_more || !found.is_empty() {
                own.automations.extend(found);
                used.control = Some(Arc::new(own));
            }
        }
    }

    /// Applications that look after a workload without an annotation of it: by their own status, or by the label that Argo CD
    /// tracks by where nothing else is chosen. Helm's charts set that too, so that it counts where such an application is known.
    fn tracking(&self, workload: &Workload, own: &Control) -> BTreeSet<Manager> {
        let subject = subject(workload);
        let proven = subject.iter().flat_map(|subject| {
            let named = self.by_object.get(&subject.object).into_iter().flatten();
            named.filter(|at| self.all[**at].1.as_ref().is_some_and(|reach| reach.context == subject.context))
        });
        let is_helm = own.managers.iter().any(|by| matches!(by, Manager::Helm { .. }));
        let instance = own.instance.as_ref().filter(|_| !is_helm && subject.is_some());
        let labelled = instance.and_then(|name| self.by_name.get(&(APPLICATION, bare(name).to_owned())));
        let mut told = BTreeSet::new();
        for at in proven {
            if let Automation::ArgoCd { application, .. } = &self.all[*at].0
                && !own.managers.iter().any(|by| names(by, application))
            {
                told.insert(Manager::ArgoCd { application: application.clone() });
            }
        }
        let is_application = |at: &usize| matches!(self.all[*at].0, Automation::ArgoCd { .. });
        if let Some(name) = instance.filter(|_| labelled.into_iter().flatten().any(is_application)) {
            let known = told.iter().chain(&own.managers).any(|by| match by {
                Manager::ArgoCd { application } => bare(application) == bare(name),
                _ => false,
            });
            if !known {
                told.insert(Manager::ArgoCd { application: name.clone() });
            }
        }
        told
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
        let first = subject(workload);
        let mut open: Vec<(Manager, Option<Subject>)> =
            managers.iter().cloned().chain(itself(workload)).map(|by| (by, first.clone())).collect();
        while let Some((manager, subject)) = open.pop() {
            for at in names_for(&manager).iter().filter_map(|name| self.by_name.get(name)).flatten() {
                let (automation, reach) = &self.all[*at];
                if !self.is_meant(automation, workload, subject.as_ref(), &manager) || !concerns(*at) {
                    continue;
                }
                let proven = self.is_proven(*at, workload, subject.as_ref(), managers);
                let told = match automation.clone() {
                    Automation::ArgoCd { application, automated, written_by, .. } => {
                        Automation::ArgoCd { application, automated, written_by, proven }
                    }
                    Automation::Flux { context, kind, namespace, name, suspended, interval, corrects, .. } => {
                        Automation::Flux { context, kind, namespace, name, suspended, interval, corrects, proven }
                    }
                    other => other,
                };
                if found.insert(told)
                    && let Automation::ArgoCd { written_by: Some(by), .. } = automation
                {
                    let above = reach.as_ref().map(|reach| Subject {
                        context: reach.context.clone(),
                        object: reach.itself.clone(),
                        proven,
                    });
                    open.push((by.clone(), above));
                }
            }
        }
        found
    }

    /// Whether an automation's own status names what it is said to look after, in the same cluster, or it is that itself.
    fn is_proven(
        &self,
        at: usize,
        workload: &Workload,
        subject: Option<&Subject>,
        managers: &BTreeSet<Manager>,
    ) -> bool {
        let (automation, reach) = &self.all[at];
        let Some(reach) = reach else { return false };
        if let Automation::ArgoCd { application, .. } = automation
            && !self.is_one_of_its_name(application)
        {
            return false;
        }
        let is_itself = match &workload.platform {
            Platform::ArgoCd { context } | Platform::Flux { context } => {
                let is_kind = *reach.itself.kind == *workload.kind;
                let is_name = (&reach.itself.namespace, &reach.itself.name) == (&workload.namespace, &workload.name);
                *context == reach.context && is_kind && is_name
            }
            _ => false,
        };
        let by_helm = || {
            managers.iter().any(|by| match by {
                Manager::Helm { namespace, release } => {
                    let namespace = namespace.as_deref().or(workload.namespace.as_deref());
                    reach.objects.contains(&ObjectName::helm(namespace, release))
                }
                _ => false,
            })
        };
        let named = subject.is_some_and(|subject| {
            subject.proven
                && subject.context == reach.context
                && (reach.objects.contains(&subject.object)
                    || (reach.itself.kind.as_ref() == "helmrelease" && by_helm()))
        });
        is_itself || named
    }

    /// Whether no other application that was read, of whichever Argo CD, is called so.
    fn is_one_of_its_name(&self, application: &str) -> bool {
        let named = self.by_name.get(&(APPLICATION, bare(application).to_owned())).into_iter().flatten();
        let same = |at: &&usize| matches!(&self.all[**at].0, Automation::ArgoCd { application: other, .. } if **other == *application);
        named.filter(same).count() == 1
    }

    fn is_meant(
        &self,
        automation: &Automation,
        workload: &Workload,
        subject: Option<&Subject>,
        manager: &Manager,
    ) -> bool {
        // What Flux applies is in its own cluster, and each cluster has a Kustomization of the usual name.
        let is_here = |context: &Option<Arc<str>>| match (subject, &workload.platform) {
            (Some(subject), _) => subject.context == *context,
            (
                None,
                Platform::Kubernetes { context: own }
                | Platform::Helm { context: own }
                | Platform::Flux { context: own },
            ) => own == context,
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
            (
                Automation::FluxImages { context, .. } | Automation::CommittersRead { context, argo_cd: false },
                Manager::Flux { .. },
            ) => is_here(context),
            (
                Automation::ArgoCdUpdater { .. } | Automation::CommittersRead { argo_cd: true, .. },
                Manager::ArgoCd { .. },
            ) => true,
            _ => false,
        }
    }

    fn is_sole(&self, application: &str) -> bool {
        let named = self.by_name.get(&(APPLICATION, bare(application).to_owned())).into_iter().flatten();
        named.map(|at| &self.all[*at].0).all(|other| match other {
            Automation::ArgoCd { application: other, .. } => &**other == application,
            _ => true,
        })
    }
}

/// A workload of a cluster as its API names it.
fn subject(workload: &Workload) -> Option<Subject> {
    let Platform::Kubernetes { context } = &workload.platform else { return None };
    let (group, kind) = match workload.kind.as_ref() {
        kind @ ("deployment" | "statefulset" | "daemonset" | "replicaset") => ("apps", kind),
        kind @ ("cronjob" | "job") => ("batch", kind),
        kind @ "rollout" => ("argoproj.io", kind),
        kind @ "deploymentconfig" => ("apps.openshift.io", kind),
        "ksvc" => ("serving.knative.dev", "service"),
        kind @ ("pod" | "replicationcontroller") => ("", kind),
        _ => return None,
    };
    let object = ObjectName::new(group, kind, workload.namespace.as_deref(), &workload.name);
    Some(Subject { context: context.clone(), object, proven: true })
}

fn names(manager: &Manager, called: &str) -> bool {
    matches!(manager, Manager::ArgoCd { application } if **application == *called || **application == *bare(called))
}

const APPLICATION: &str = "application";
const IMAGES: &str = "images";
const UPDATERS: &str = "updaters";

/// Under which name it is looked for.
fn name_of(automation: &Automation) -> (&'static str, String) {
    match automation {
        Automation::ArgoCd { application, .. } | Automation::ArgoCdImages { application, .. } => {
            (APPLICATION, bare(application).to_owned())
        }
        Automation::Flux { kind, namespace, name, .. } => (*kind, placed(namespace.as_deref(), name)),
        Automation::FluxImages { .. } | Automation::CommittersRead { argo_cd: false, .. } => (IMAGES, String::new()),
        Automation::ArgoCdUpdater { .. } | Automation::CommittersRead { argo_cd: true, .. } => {
            (UPDATERS, String::new())
        }
        // These are told by workloads themselves.
        Automation::Keel { .. } | Automation::ImageTrigger | Automation::Analysis { .. } => ("", String::new()),
    }
}

/// Under which names what a workload is managed by is found.
fn names_for(manager: &Manager) -> Vec<(&'static str, String)> {
    match manager {
        Manager::ArgoCd { application } => {
            vec![(APPLICATION, bare(application).to_owned()), (UPDATERS, String::new())]
        }
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
#[must_use]
pub fn bare(application: &str) -> &str {
    application.rsplit_once('/').map_or(application, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ArtifactId, AutomatedSync, DeployedReference, Digest, Evidence, Tenure};

    fn argo(application: &str, written_by: Option<Manager>) -> Automation {
        let automated = Some(AutomatedSync::default());
        Automation::ArgoCd { application: application.into(), automated, written_by, proven: false }
    }

    /// The same, known to look after what it is joined with.
    fn proven(mut automation: Automation) -> Automation {
        if let Automation::ArgoCd { proven, .. } | Automation::Flux { proven, .. } = &mut automation {
            *proven = true;
        }
        automation
    }

    /// What its own status names, of a Deployment of the workload's name or an application.
    fn reach(context: &str, kind: &str, name: &str, objects: &[ObjectName]) -> Option<Reach> {
        let itself = ObjectName::new("any", kind, Some("argocd"), name);
        Some(Reach { context: Some(context.into()), itself, objects: objects.iter().cloned().collect() })
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
            proven: false,
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
        let all = all.iter().map(|one| (one.clone(), None)).collect();
        joined(&mut used, all);
        used.control.map(|control| control.automations.iter().cloned().collect()).unwrap_or_default()
    }

    fn joined(used: &mut Deployment, all: Vec<(Automation, Option<Reach>)>) {
        Automations::new(all).attach(std::slice::from_mut(used), |_| true);
    }

    fn told(mut used: Deployment, all: &[(Automation, Option<Reach>)]) -> Vec<Automation> {
        joined(&mut used, all.to_vec());
        used.control.map(|control| control.automations.iter().cloned().collect()).unwrap_or_default()
    }

    #[test]
    fn only_what_its_own_status_names_in_the_same_cluster_is_proven_p76() {
        let api = ObjectName::new("apps", "Deployment", Some("shop"), "api");
        let by_argo = || deployed(&[Manager::ArgoCd { application: "shop".into() }]);
        let shop = argo("shop", None);
        let of = |context: &str, objects: &[ObjectName]| (shop.clone(), reach(context, "Application", "shop", objects));
        let here = of("eu", std::slice::from_ref(&api));
        assert_eq!(told(by_argo(), std::slice::from_ref(&here)), [proven(shop.clone())]);
        let other = ObjectName::new("apps", "Deployment", Some("shop"), "web");
        for unproven in [of("us", std::slice::from_ref(&api)), of("eu", &[other]), of("eu", &[])] {
            assert_eq!(told(by_argo(), &[unproven]), std::slice::from_ref(&shop));
        }
        // Two Argo CDs have an application of one name, and a command names no Argo CD.
        assert_eq!(told(by_argo(), &[here.clone(), of("us", &[])]), std::slice::from_ref(&shop));
        // What writes it is held for it only where that names it, too.
        let child = (argo("shop", Some(Manager::ArgoCd { application: "apps".into() })), here.1.clone());
        let itself = child.1.as_ref().unwrap().itself.clone();
        let parent = |objects: &[ObjectName]| (argo("apps", None), reach("eu", "Application", "apps", objects));
        assert_eq!(
            told(by_argo(), &[child.clone(), parent(&[itself])]),
            [proven(argo("apps", None)), proven(child.0.clone())]
        );
        assert_eq!(told(by_argo(), &[child.clone(), parent(&[])]), [argo("apps", None), proven(child.0)]);
        // A Kustomization of a hub writes into another cluster, and one of the same name is here.
        let by_flux =
            Manager::Flux { kind: "kustomization", namespace: Some("flux-system".into()), name: "apps".into() };
        let apps = |objects: &[ObjectName]| (flux("eu", "apps"), reach("eu", "Kustomization", "apps", objects));
        let used = || deployed(std::slice::from_ref(&by_flux));
        assert_eq!(told(used(), &[apps(&[api])]), [proven(flux("eu", "apps"))]);
        assert_eq!(told(used(), &[apps(&[])]), [flux("eu", "apps")]);
    }

    /// Argo CD tracks by a label where nothing else is chosen, which Helm's charts set as well.
    #[test]
    fn an_application_is_found_by_its_own_status_and_by_the_label_that_helm_uses_too() {
        let api = ObjectName::new("apps", "Deployment", Some("shop"), "api");
        let managers = |mut used: Deployment, instance: Option<&str>, all: Vec<(Automation, Option<Reach>)>| {
            let control = Control::clone(used.control.as_ref().unwrap());
            used.control = Some(Arc::new(Control { instance: instance.map(Arc::from), ..control }));
            joined(&mut used, all);
            used.control.unwrap().managers.iter().cloned().collect::<Vec<_>>()
        };
        let shop = Manager::ArgoCd { application: "shop".into() };
        let known = |objects: &[ObjectName]| vec![(argo("shop", None), reach("eu", "Application", "shop", objects))];
        let helm = Manager::Helm { namespace: None, release: "shop".into() };
        assert_eq!(managers(deployed(&[]), None, known(std::slice::from_ref(&api))), std::slice::from_ref(&shop));
        assert_eq!(managers(deployed(&[]), Some("shop"), known(&[])), std::slice::from_ref(&shop));
        assert_eq!(managers(deployed(&[]), Some("web"), known(&[])), []);
        assert_eq!(managers(deployed(&[]), Some("shop"), Vec::new()), []);
        let by_helm = deployed(std::slice::from_ref(&helm));
        assert_eq!(managers(by_helm, Some("shop"), known(&[])), std::slice::from_ref(&helm));
        // What somebody wrote beside it hides nothing.
        let tracked = deployed(&[Manager::ArgoCd { application: "manual".into() }]);
        assert_eq!(managers(tracked, None, known(&[api])).len(), 2);
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
        let unproven = all.iter().map(|one| (one.clone(), None)).collect();
        Automations::new(unproven).attach(std::slice::from_mut(&mut other), |at| at == 1);
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
