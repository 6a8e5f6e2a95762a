//! What Argo CD's applications run, and the commits and charts they ran before (E130).

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::connect::Cluster;
use super::list::{Kind, Namespaced, Namespaces, apart, list};
use super::objects::{Metadata, nullable};
use super::workloads::managers;
use super::{context, name};
use crate::{Named, ProductionSignal, Signalled, Use};
use prodpin_core::decide::automation::argo_cd_name;
use prodpin_core::model::{
    AutomatedSync, Automation, Cause, ChartReference, Concern, Evidence, Manager, ObjectName, Platform, Reach,
    Reference, Shortcoming, Tenure, Workload,
};
use prodpin_policy::ArgoCdConfig;

const APPLICATIONS: Kind = Kind::named("argoproj.io", "v1alpha1", "Application", "applications");
const IMAGE_UPDATERS: Kind =
    Kind::named("argocd-image-updater.argoproj.io", "v1alpha1", "ImageUpdater", "imageupdaters").optional();
/// How many deployments Argo CD keeps where nothing is said (E130).
const DEFAULT_HISTORY: u32 = 10;

/// The applications of one Argo CD.
pub(crate) struct ArgoCd {
    config: ArgoCdConfig,
    deadline: Option<Instant>,
}

impl ArgoCd {
    pub(crate) fn new(config: ArgoCdConfig, deadline: Option<Instant>) -> Self {
        Self { config, deadline }
    }
}

#[derive(Debug, Deserialize)]
struct Application {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default, deserialize_with = "nullable")]
    spec: Spec,
    #[serde(default, deserialize_with = "nullable")]
    status: Status,
}

impl Namespaced for Application {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    revision_history_limit: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    sync_policy: SyncPolicy,
    #[serde(deserialize_with = "nullable")]
    destination: Destination,
}

/// Which cluster it writes into: by its address, or by a name that Argo CD alone knows.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Destination {
    #[serde(deserialize_with = "nullable")]
    server: String,
    #[serde(deserialize_with = "nullable")]
    name: String,
}

impl Destination {
    /// Whether it is the cluster that Argo CD itself runs in.
    fn is_own(&self) -> bool {
        let server = self.server.trim_end_matches('/');
        matches!((server, self.name.as_str()), ("https://kubernetes.default.svc", "") | ("", "in-cluster"))
    }
}

/// An object that it applies.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resource {
    #[serde(deserialize_with = "nullable")]
    group: String,
    #[serde(deserialize_with = "nullable")]
    kind: String,
    namespace: Option<String>,
    #[serde(deserialize_with = "nullable")]
    name: String,
}

/// What writes images into applications that its selectors match.
#[derive(Debug, Deserialize)]
struct ImageUpdater {
    #[serde(default)]
    metadata: Metadata,
}

impl Namespaced for ImageUpdater {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SyncPolicy {
    automated: Option<Automated>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Automated {
    /// Left out, it is on.
    enabled: Option<bool>,
    #[serde(deserialize_with = "nullable")]
    self_heal: bool,
    #[serde(deserialize_with = "nullable")]
    prune: bool,
    #[serde(deserialize_with = "nullable")]
    allow_empty: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    #[serde(deserialize_with = "nullable")]
    history: Vec<Deployed>,
    #[serde(deserialize_with = "nullable")]
    summary: Summary,
    #[serde(deserialize_with = "nullable")]
    sync: Sync,
    #[serde(deserialize_with = "nullable")]
    resources: Vec<Resource>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Summary {
    #[serde(deserialize_with = "nullable")]
    images: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sync {
    status: String,
    revision: String,
    #[serde(deserialize_with = "nullable")]
    revisions: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Deployed {
    id: i64,
    revision: String,
    #[serde(deserialize_with = "nullable")]
    revisions: Vec<String>,
    deployed_at: Option<String>,
    source: Option<Source>,
    #[serde(deserialize_with = "nullable")]
    sources: Vec<Source>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Source {
    /// Set if the source is a chart repository; the revision is then the chart's version.
    chart: Option<String>,
}

#[async_trait]
impl ProductionSignal for ArgoCd {
    fn name(&self) -> Arc<str> {
        name("argocd", &self.config.cluster)
    }

    async fn collect(&self) -> Signalled {
        let mut said = Signalled::new(self.name());
        let cluster = match Cluster::connect(&self.config.cluster, self.deadline).await {
            Ok(cluster) => cluster,
            Err(failure) => {
                said.gap(failure.cause, failure);
                return said;
            }
        };
        let namespaces = Namespaces::new(&self.config.namespaces);
        let mut applications: Vec<Application> = list(&cluster, &APPLICATIONS, &namespaces, &mut said).await;
        applications.retain(|application| self.config.applications.matches(&application.metadata.name));
        let names = applications.iter().map(|application| application.metadata.name.as_str());
        said.note_unmatched("application", &self.config.applications, names);
        let context = context(&self.config.cluster);
        for application in &applications {
            tell(application, context.as_ref(), &mut said);
        }
        if self.config.cluster.kubeconfig.is_some() && self.config.cluster.context.is_none() {
            // Which cluster that is changes with the file, and proves nothing of another rule's.
            said.automations.iter_mut().for_each(|it| it.reach = None);
        }
        tell_updaters(&cluster, &namespaces, context.as_ref(), &mut said).await;
        said.settle();
        said.doubt_silence();
        said
    }
}

fn tell(application: &Application, context: Option<&Arc<str>>, said: &mut Signalled) {
    let workload = Arc::new(Workload {
        platform: Platform::ArgoCd { context: context.cloned() },
        namespace: application.metadata.namespace.as_deref().map(Arc::from),
        kind: "application".into(),
        name: application.metadata.name.as_str().into(),
    });
    let setting = "revisionHistoryLimit";
    let revisions = application.spec.revision_history_limit.unwrap_or(DEFAULT_HISTORY);
    said.concerns.push(Concern { workload: workload.clone(), what: Shortcoming::HistoryLimit { revisions, setting } });

    tell_automations(application, context, said);
    tell_running(&application.status, &workload, said);
    tell_history(&application.status.history, &workload, said);
}

/// What writes newest tags into applications by objects of its own, and whether all of these were read: they may be in any
/// namespace that the rule names.
async fn tell_updaters(
    cluster: &Cluster,
    namespaces: &Namespaces<'_>,
    context: Option<&Arc<str>>,
    said: &mut Signalled,
) {
    let updaters = apart::<ImageUpdater>(cluster, &IMAGE_UPDATERS, namespaces, said.via.clone()).await;
    let is_whole = updaters.is_whole();
    let told = updaters.where_allowed(said).into_iter().map(|updater| Automation::ArgoCdUpdater {
        namespace: updater.metadata.namespace.as_deref().map(Arc::from),
        name: updater.metadata.name.as_str().into(),
    });
    let read = is_whole.then(|| Automation::CommittersRead { context: context.cloned(), argo_cd: true });
    let all: Vec<_> = told.chain(read).collect();
    said.automations.extend(all.into_iter().map(|automation| crate::Automated {
        automation,
        images: None,
        reach: None,
    }));
}

/// What it applies, where that is in its own cluster.
fn reach(application: &Application, context: Option<&Arc<str>>) -> Reach {
    let Application { metadata, spec, status } = application;
    let of = |one: &Resource| ObjectName::new(&one.group, &one.kind, one.namespace.as_deref(), &one.name);
    let own = status.resources.iter().filter(|_| spec.destination.is_own());
    Reach {
        context: context.cloned(),
        itself: ObjectName::new("argoproj.io", "Application", metadata.namespace.as_deref(), &metadata.name),
        objects: own.map(of).collect(),
    }
}

/// How it syncs, what writes its own object, and what writes images into it.
fn tell_automations(application: &Application, context: Option<&Arc<str>>, said: &mut Signalled) {
    let Metadata { namespace, name, annotations, .. } = &application.metadata;
    let named = argo_cd_name(namespace.as_deref(), name);
    let automated = application.spec.sync_policy.automated.as_ref().filter(|sync| sync.enabled != Some(false));
    let itself = Manager::ArgoCd { application: named.clone() };
    let mut writers = managers("Application", &application.metadata).into_iter().filter(|by| *by != itself);
    let is_writer = |by: &Manager| !matches!(by, Manager::Helm { .. });
    let automation = Automation::ArgoCd {
        application: named.clone(),
        automated: automated.map(|sync| AutomatedSync {
            self_heal: sync.self_heal,
            prune: sync.prune,
            allow_empty: sync.allow_empty,
        }),
        written_by: writers.find(is_writer),
        proven: false,
    };
    let reach = Some(reach(application, context));
    said.automations.push(crate::Automated { automation, images: None, reach });
    let Some(list) = annotations.updated_images.as_deref().filter(|list| !list.trim().is_empty()) else { return };
    let automation = Automation::ArgoCdImages {
        context: context.cloned(),
        application: named,
        namespace: namespace.as_deref().map(Arc::from),
        name: name.as_str().into(),
        list: list.into(),
    };
    said.automations.push(crate::Automated { automation, images: updated(list), reach: None });
}

/// The images in `api=registry.example.com/shop/api:~1.2, registry.example.com/shop/web`; none if one cannot be read, which may
/// be any.
fn updated(list: &str) -> Option<Vec<Reference>> {
    let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let image = |entry: &str| {
        let image = entry.split_once('=').map_or(entry, |(_, image)| image);
        // What follows is no tag but a range of versions.
        let (path, last) = image.rsplit_once('/').map_or(("", image), |(path, last)| (path, last));
        let last = last.split_once(':').map_or(last, |(name, _)| name);
        let name = if path.is_empty() { last.to_owned() } else { format!("{path}/{last}") };
        name.parse::<Reference>().ok()
    };
    entries.map(image).collect()
}

/// The images that it runs.
fn tell_running(status: &Status, workload: &Arc<Workload>, said: &mut Signalled) {
    let latest = status.history.iter().max_by_key(|deployed| (deployed.at(), deployed.id));
    let since = latest.and_then(Deployed::at);
    // What it compares with is what is wanted; what it deployed last is what its history ends with (P75e).
    let revision = match latest {
        Some(latest) => joined(&latest.revision, &latest.revisions),
        None if status.sync.status == "Synced" => joined(&status.sync.revision, &status.sync.revisions),
        None => None,
    };
    for image in &status.summary.images {
        let image = match image {
            // What a resource leaves empty, for someone else to fill in, Argo CD lists as it is.
            Value::Null => continue,
            Value::String(image) => image.trim(),
            _ => {
                said.gap(Cause::Malformed, format_args!("{workload}: an image of its status is no text"));
                continue;
            }
        };
        if image.is_empty() {
            continue;
        }
        match image.parse::<Reference>() {
            Ok(reference) => said.uses.push(Use {
                workload: Some(workload.clone()),
                revision: revision.clone(),
                ..Use::new(Named::Reference(reference), Evidence::StablePointer, Tenure::Now { since })
            }),
            Err(error) => said.gap(Cause::Malformed, format_args!("{workload}: {error}")),
        }
    }
}

/// The history has no images, only what they were rendered from: of a chart it names the version, of a repository the
/// commit, by which the ledger's own record of this application goes on telling what ran.
fn tell_history(deployments: &[Deployed], workload: &Arc<Workload>, said: &mut Signalled) {
    let mut history: Vec<&Deployed> = deployments.iter().collect();
    history.sort_by_key(|deployed| (deployed.at(), deployed.id));
    for (at, deployed) in history.iter().enumerate() {
        let tenure = match history.get(at + 1) {
            None => Tenure::Now { since: deployed.at() },
            Some(next) => Tenure::Before { last: next.at() },
        };
        let evidence = if at + 1 == history.len() { Evidence::StablePointer } else { Evidence::HistoryReference };
        for (name, version) in deployed.charts() {
            let chart = ChartReference { name: name.into(), version: version.into(), digest: None };
            said.uses.push(Use {
                workload: Some(workload.clone()),
                revision: joined(&deployed.revision, &deployed.revisions),
                ..Use::new(Named::Chart(chart), evidence, tenure)
            });
        }
    }
}

/// One revision, or those of several sources.
fn joined(one: &str, several: &[String]) -> Option<Arc<str>> {
    match (one, several) {
        ("", []) => None,
        ("", several) => Some(several.join(", ").into()),
        (one, _) => Some(one.into()),
    }
}

impl Deployed {
    fn at(&self) -> Option<Timestamp> {
        self.deployed_at.as_deref()?.parse().ok()
    }

    /// Charts by name and version.
    fn charts(&self) -> impl Iterator<Item = (&str, &str)> {
        let one = self.source.iter().map(|source| (source, self.revision.as_str()));
        let several = self.sources.iter().zip(self.revisions.iter().map(String::as_str));
        one.chain(several).filter_map(|(source, version)| Some((source.chart.as_deref()?, version)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_image_names_nothing_and_hides_nothing_e130() {
        let images = |images: &str| {
            let text = format!(
                r#"{{"metadata":{{"name":"shop","namespace":"argocd"}},"spec":null,"status":{{"summary":{{"images":{images}}}}}}}"#
            );
            let application: Application = serde_json::from_str(&text).unwrap();
            let mut said = Signalled::new("argocd".into());
            tell(&application, None, &mut said);
            (said.uses.len(), said.gaps.len())
        };
        for (listed, expected) in [
            (r#"["r.example/a:1"]"#, (1, 0)),
            (r#"["r.example/a:1", ""]"#, (1, 0)),
            (r#"["", " ", null, "r.example/a:1\n"]"#, (1, 0)),
            (r#"[""]"#, (0, 0)),
            ("null", (0, 0)),
            ("[]", (0, 0)),
            (r#"["r.example/a:1", 5]"#, (1, 1)),
            (r#"["r.example/a:1", "{{ .Values.image }}"]"#, (1, 1)),
        ] {
            assert_eq!(images(listed), expected, "{listed}");
        }
        let bare: Application = serde_json::from_str(r#"{"metadata":{"name":"shop"},"status":null}"#).unwrap();
        let mut said = Signalled::new("argocd".into());
        tell(&bare, None, &mut said);
        assert_eq!((said.uses.len(), said.gaps.len()), (0, 0));
    }

    #[test]
    fn how_an_application_syncs_and_what_writes_it_is_read_off_its_object_p76() {
        let told = |metadata: Value, spec: Value| {
            let application = serde_json::json!({ "metadata": metadata, "spec": spec, "status": null });
            let application: Application = serde_json::from_value(application).unwrap();
            let mut said = Signalled::new("argocd".into());
            tell(&application, None, &mut said);
            said.automations
                .into_iter()
                .map(|it| (it.automation, it.images.map(|images| images.len())))
                .collect::<Vec<_>>()
        };
        let shop = || serde_json::json!({ "name": "shop", "namespace": "argocd" });
        let of = |automated, written_by| Automation::ArgoCd {
            application: "shop".into(),
            automated,
            written_by,
            proven: false,
        };
        let sync = |self_heal, prune| Some(AutomatedSync { self_heal, prune, allow_empty: false });
        for (policy, expected) in [
            (Value::Null, None),
            (serde_json::json!({ "automated": null }), None),
            (serde_json::json!({ "automated": {} }), sync(false, false)),
            (serde_json::json!({ "automated": { "enabled": false, "selfHeal": true } }), None),
            (
                serde_json::json!({ "automated": { "selfHeal": true, "prune": true, "allowEmpty": null } }),
                sync(true, true),
            ),
        ] {
            let spec = serde_json::json!({ "syncPolicy": policy });
            assert_eq!(told(shop(), spec.clone()), [(of(expected, None), None)], "{spec}");
        }
        let mut child = shop();
        child["annotations"] = serde_json::json!({
            "argocd.argoproj.io/tracking-id": "apps:argoproj.io/Application:argocd/shop",
            "argocd-image-updater.argoproj.io/image-list": "api=registry.example.com:5000/shop/api:~1.2, nginx",
        });
        let parent = Manager::ArgoCd { application: "apps".into() };
        let said = told(child.clone(), Value::Null);
        assert_eq!(said[0], (of(None, Some(parent)), None));
        assert!(matches!(&said[1], (Automation::ArgoCdImages { .. }, Some(2))), "{said:?}");
        // One that looks after itself is written by nothing else.
        child["annotations"]["argocd.argoproj.io/tracking-id"] = "shop:argoproj.io/Application:argocd/shop".into();
        assert_eq!(told(child, Value::Null)[0], (of(None, None), None));
        let mut made = shop();
        made["ownerReferences"] =
            serde_json::json!([{ "kind": "ApplicationSet", "name": "all", "uid": "1", "controller": true }]);
        let owner = Manager::Owner { kind: "ApplicationSet".into(), name: "all".into() };
        assert_eq!(told(made, Value::Null), [(of(None, Some(owner)), None)]);
    }
}
