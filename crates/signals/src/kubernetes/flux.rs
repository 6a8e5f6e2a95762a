//! What Flux's Helm releases run, and the charts they ran before (E131).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;

use super::connect::Cluster;
use super::flux_automation::{self, Applying};
use super::list::{Kind, Namespaced, Namespaces, list};
use super::objects::{Metadata, nullable};
use super::{context, name};
use crate::{Automated, Named, ProductionSignal, Signalled, Use};
use prodpin_core::model::{
    Automation, ChartReference, Concern, Digest, Evidence, ObjectName, Platform, Reference, Shortcoming, Tenure,
    Workload,
};
use prodpin_policy::FluxConfig;

const HELM_RELEASES: Kind = Kind::named("helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases");
const OCI_REPOSITORIES: Kind =
    Kind::named("source.toolkit.fluxcd.io", "v1", "OCIRepository", "ocirepositories").optional();
const HELM_REPOSITORIES: Kind =
    Kind::named("source.toolkit.fluxcd.io", "v1", "HelmRepository", "helmrepositories").optional();
/// How many releases Flux keeps where nothing is said (E131).
const DEFAULT_HISTORY: u32 = 5;

/// The Helm releases of one Flux.
pub(crate) struct Flux {
    config: FluxConfig,
    deadline: Option<Instant>,
}

impl Flux {
    pub(crate) fn new(config: FluxConfig, deadline: Option<Instant>) -> Self {
        Self { config, deadline }
    }
}

#[derive(Debug, Deserialize)]
struct HelmRelease {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    max_history: Option<u32>,
    chart_ref: Option<SourceRef>,
    chart: Option<ChartTemplate>,
    #[serde(flatten)]
    applying: Applying,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ChartTemplate {
    spec: ChartSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ChartSpec {
    source_ref: Option<SourceRef>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SourceRef {
    kind: String,
    name: String,
    namespace: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(deserialize_with = "nullable")]
    history: Vec<Release>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Release {
    #[serde(deserialize_with = "nullable")]
    name: String,
    #[serde(deserialize_with = "nullable")]
    namespace: String,
    chart_name: String,
    chart_version: String,
    oci_digest: Option<String>,
    status: String,
    version: u64,
    last_deployed: Option<String>,
}

/// Where charts come from, as far as it is an OCI registry.
#[derive(Debug, Deserialize)]
struct ChartSource {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    spec: SourceSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SourceSpec {
    url: String,
}

impl Namespaced for HelmRelease {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl Namespaced for ChartSource {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

/// Registry paths by kind, namespace and name.
type Places = BTreeMap<(&'static str, String, String), String>;

#[async_trait]
impl ProductionSignal for Flux {
    fn name(&self) -> Arc<str> {
        name("flux", &self.config.cluster)
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
        let releases: Vec<HelmRelease> = list(&cluster, &HELM_RELEASES, &namespaces, &mut said).await;
        let mut places = Places::new();
        if releases.iter().any(|release| release.status.history.iter().any(|one| one.oci_digest.is_some())) {
            for (kind, source) in [("OCIRepository", OCI_REPOSITORIES), ("HelmRepository", HELM_REPOSITORIES)] {
                let sources: Vec<ChartSource> = list(&cluster, &source, &namespaces, &mut said).await;
                for source in sources {
                    let Some(path) = source.spec.url.strip_prefix("oci://") else { continue };
                    let namespace = source.metadata.namespace.clone().unwrap_or_default();
                    places.insert((kind, namespace, source.metadata.name), path.trim_end_matches('/').to_owned());
                }
            }
        }
        let context = context(&self.config.cluster);
        for release in &releases {
            tell(release, &places, context.as_ref(), &mut said);
        }
        flux_automation::tell(&cluster, &namespaces, context.as_ref(), &mut said).await;
        if self.config.cluster.kubeconfig.is_some() && self.config.cluster.context.is_none() {
            // Which cluster that is changes with the file, and proves nothing of another rule's.
            said.automations.iter_mut().for_each(|it| it.reach = None);
        }
        let automated = said.automations.iter().filter_map(|it| namespace_of(&it.automation)).collect::<Vec<_>>();
        // A namespace may be there for the sake of the sources in it.
        let sources = places.into_keys().map(|(_, namespace, _)| namespace);
        let used: BTreeSet<String> = releases
            .iter()
            .filter_map(|release| release.metadata.namespace.clone())
            .chain(sources)
            .chain(automated)
            .collect();
        said.note_unmatched("namespace", &self.config.namespaces, used.iter().map(String::as_str));
        said.settle();
        // A Flux that only applies Kustomizations names no charts, and is there all the same.
        let applied = |it: &Automated| !matches!(it.automation, Automation::CommittersRead { .. });
        if !releases.is_empty() || !said.automations.iter().any(applied) {
            said.doubt_silence();
        }
        said
    }
}

fn tell(release: &HelmRelease, places: &Places, context: Option<&Arc<str>>, said: &mut Signalled) {
    let workload = Arc::new(Workload {
        platform: Platform::Flux { context: context.cloned() },
        namespace: release.metadata.namespace.as_deref().map(Arc::from),
        kind: "helmrelease".into(),
        name: release.metadata.name.as_str().into(),
    });
    // 0 is without end here, unlike elsewhere.
    let revisions = release.spec.max_history.map_or(DEFAULT_HISTORY, |most| if most == 0 { u32::MAX } else { most });
    let what = Shortcoming::HistoryLimit { revisions, setting: "maxHistory" };
    said.concerns.push(Concern { workload: workload.clone(), what });
    let automation = release.spec.applying.automation("helmrelease", &release.metadata, context);
    // The release that it made last: what Helm applied is annotated with that.
    let last = release.status.history.first().filter(|one| !one.name.is_empty());
    let last = last.map(|one| ObjectName::helm(Some(&one.namespace), &one.name));
    let reach = release.spec.applying.reach("helmrelease", &release.metadata, context, last.into_iter());
    said.automations.push(Automated { automation, images: None, reach });

    let mut history: Vec<&Release> =
        release.status.history.iter().filter(|one| matches!(one.status.as_str(), "deployed" | "superseded")).collect();
    history.sort_by_key(|one| one.version);
    for (at, one) in history.iter().enumerate() {
        let deployed = one.status == "deployed";
        let (tenure, evidence) = match deployed {
            true => (Tenure::Now { since: one.at() }, Evidence::StablePointer),
            false => {
                let last = history.get(at + 1).and_then(|next| next.at());
                (Tenure::Before { last }, Evidence::HistoryReference)
            }
        };
        let digest: Option<Digest> = one.oci_digest.as_deref().and_then(|text| text.parse().ok());
        let evidence = if digest.is_some() { evidence.max(Evidence::ServiceRevision) } else { evidence };
        let named = release.place(places, &one.chart_name).and_then(|path| {
            // In a registry a chart's version is its tag, with '_' for the '+' that no tag takes.
            let version = one.chart_version.replace('+', "_");
            let text = match &digest {
                Some(digest) => format!("{path}:{version}@{digest}"),
                None => format!("{path}:{version}"),
            };
            text.parse::<Reference>().ok()
        });
        let chart = || ChartReference {
            name: one.chart_name.as_str().into(),
            version: one.chart_version.as_str().into(),
            digest: digest.clone(),
        };
        said.uses.push(Use {
            workload: Some(workload.clone()),
            revision: Some(one.version.to_string().into()),
            ..Use::new(named.map_or_else(|| Named::Chart(chart()), Named::Reference), evidence, tenure)
        });
    }
}

fn namespace_of(automation: &Automation) -> Option<String> {
    match automation {
        Automation::Flux { namespace, .. } | Automation::FluxImages { namespace, .. } => {
            namespace.as_deref().map(str::to_owned)
        }
        _ => None,
    }
}

impl HelmRelease {
    /// Where its chart is in a registry, if it is in one.
    fn place(&self, places: &Places, chart: &str) -> Option<String> {
        let own = self.metadata.namespace.clone().unwrap_or_default();
        let of = |kind: &'static str, source: &SourceRef| {
            places.get(&(kind, source.namespace.clone().unwrap_or_else(|| own.clone()), source.name.clone()))
        };
        let whole = self.spec.chart_ref.as_ref().filter(|source| source.kind == "OCIRepository");
        if let Some(source) = whole {
            return of("OCIRepository", source).cloned();
        }
        let source =
            self.spec.chart.as_ref()?.spec.source_ref.as_ref().filter(|source| source.kind == "HelmRepository")?;
        of("HelmRepository", source).map(|path| format!("{path}/{chart}"))
    }
}

impl Release {
    fn at(&self) -> Option<Timestamp> {
        self.last_deployed.as_deref()?.parse().ok()
    }
}
