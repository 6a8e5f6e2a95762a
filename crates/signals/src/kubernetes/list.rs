//! Lists, page by page to their end. A list that stops early, or may not be read, is a gap and never a short list.

use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use super::connect::{Cluster, KubernetesFailure};
use super::objects::Metadata;
use super::page::{self, Listed};
use crate::Signalled;
use prodpin_core::model::{Cause, NamePatterns};
use prodpin_net::cursor::Cursor;
use prodpin_net::memory;

/// A kind of object, as the API server's paths and RBAC rules call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    /// One of them, as objects and lists say what they are.
    pub(super) kind: &'static str,
    pub(super) plural: &'static str,
    /// Whether a cluster may do without it: it comes from a custom resource definition.
    pub(super) optional: bool,
    /// Objects in one page: Secrets may have a megabyte each.
    pub(super) page: u32,
    /// What is asked of the server beside the page, in the form of a query.
    pub(super) selector: &'static str,
}

impl Kind {
    pub(super) const fn core(version: &'static str, kind: &'static str, plural: &'static str) -> Self {
        Self { group: "", version, kind, plural, optional: false, page: PAGE, selector: "" }
    }

    pub(super) const fn named(
        group: &'static str,
        version: &'static str,
        kind: &'static str,
        plural: &'static str,
    ) -> Self {
        Self { group, version, kind, plural, optional: false, page: PAGE, selector: "" }
    }

    pub(super) const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    pub(super) fn path(&self, namespace: Option<&str>) -> String {
        let namespace = namespace.map_or_else(String::new, |name| format!("/namespaces/{name}"));
        format!("{}{namespace}/{}", self.root(), self.plural)
    }

    fn root(&self) -> String {
        match self.group {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        }
    }

    /// What its lists and objects say of the version they are written in.
    pub(super) fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// What an RBAC rule must say.
    fn grant(&self) -> String {
        format!("apiGroups: [\"{}\"], resources: [\"{}\"], verbs: [\"list\"]", self.group, self.plural)
    }
}

/// Objects in one page.
const PAGE: u32 = 500;
/// More objects of one kind than any cluster holds (I20).
const MOST_OBJECTS: usize = 1_000_000;

/// Which namespaces are looked at, and how: by name where only names are given, for which rights in these namespaces
/// are enough; else over the whole cluster, or, where that is denied, over the namespaces that there are.
pub(super) struct Namespaces<'p> {
    patterns: &'p NamePatterns,
    listed: OnceCell<Result<Vec<String>, KubernetesFailure>>,
}

impl<'p> Namespaces<'p> {
    pub(super) fn new(patterns: &'p NamePatterns) -> Self {
        Self { patterns, listed: OnceCell::new() }
    }

    fn matches(&self, namespace: Option<&str>) -> bool {
        namespace.is_some_and(|namespace| self.patterns.matches(namespace))
    }

    fn by_name(&self) -> Option<Vec<String>> {
        let named = self.patterns.explicit_names().filter(|name| self.patterns.matches(name));
        (!self.patterns.has_globs()).then(|| named.map(str::to_owned).collect())
    }

    /// The namespaces that there are, as far as they are meant.
    async fn existing(&self, cluster: &Cluster) -> &Result<Vec<String>, KubernetesFailure> {
        const NAMESPACES: Kind = Kind::core("v1", "Namespace", "namespaces");
        self.listed
            .get_or_init(|| async {
                let listed: Listed<Namespace> = pages(cluster, &NAMESPACES, None).await?;
                // One that cannot be read may be one of those that are meant.
                if let Some(odd) = listed.odd.first() {
                    return Err(KubernetesFailure::new(Cause::Malformed, odd.reported(&NAMESPACES)));
                }
                let names = listed.objects.into_iter().map(|namespace| namespace.metadata.name);
                Ok(names.filter(|name| self.patterns.matches(name)).collect())
            })
            .await
    }
}

#[derive(Deserialize)]
struct Namespace {
    #[serde(default)]
    metadata: Metadata,
}

impl Namespaced for Namespace {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

/// An object that lies in a namespace.
pub(super) trait Namespaced {
    fn metadata(&self) -> &Metadata;
}

/// Every object of a kind in the namespaces that are meant. What could not be listed is a gap of the signal.
pub(super) async fn list<T: DeserializeOwned + Namespaced>(
    cluster: &Cluster,
    kind: &Kind,
    namespaces: &Namespaces<'_>,
    said: &mut Signalled,
) -> Vec<T> {
    if kind.optional {
        match is_absent(cluster, kind).await {
            Ok(false) => {}
            Ok(true) => return Vec::new(),
            // Not asked for in vain: whatever else the cluster has is worth more than waiting for this (F134).
            Err(failure) => {
                let root = kind.root();
                said.gap(failure.cause, format_args!("{} cannot be listed: {root}: {failure}", kind.plural));
                return Vec::new();
            }
        }
    }
    let Some(named) = namespaces.by_name() else {
        match pages::<T>(cluster, kind, None).await {
            Ok(mut listed) => {
                listed.doubt_homeless();
                // One whose namespace nobody can tell may lie in one that is meant.
                listed.odd.retain(|odd| odd.namespace.is_none() || namespaces.matches(odd.namespace.as_deref()));
                listed.objects.retain(|object| namespaces.matches(object.metadata().namespace.as_deref()));
                return listed.reported(kind, said);
            }
            Err(failure) if failure.status == Some(StatusCode::FORBIDDEN) => {}
            Err(failure) => {
                said.gap(failure.cause, format_args!("{} cannot be listed: {failure}", kind.plural));
                return Vec::new();
            }
        }
        return match namespaces.existing(cluster).await {
            Ok(existing) => list_each(cluster, kind, existing, said).await,
            Err(failure) if failure.cause != Cause::Denied => {
                said.gap(failure.cause, format_args!("namespaces cannot be listed: {failure}"));
                Vec::new()
            }
            Err(_) => {
                let grant = kind.grant();
                said.gap(
                    Cause::Denied,
                    format_args!(
                        "may list neither {} in all namespaces nor the namespaces; grant a ClusterRole with {grant}, or \
                         list namespaces by name in the policy",
                        kind.plural
                    ),
                );
                Vec::new()
            }
        };
    };
    list_each(cluster, kind, &named, said).await
}

/// What one kind's list brought, while others are read at the same time.
pub(super) struct Apart<T> {
    objects: Vec<T>,
    said: Signalled,
}

impl<T> Apart<T> {
    /// Whether nothing was left unread.
    pub(super) fn is_whole(&self) -> bool {
        self.said.gaps.is_empty()
    }

    /// The objects; what could not be read is reported.
    pub(super) fn reported(self, said: &mut Signalled) -> Vec<T> {
        for gap in self.said.gaps {
            if !said.gaps.contains(&gap) {
                said.gaps.push(gap);
            }
        }
        self.objects
    }
}

impl<T> Apart<T> {
    /// The objects that may be listed. For what only adds to what is known otherwise: without the right to it nothing is missed
    /// of what runs, and nothing is concluded from what is not there. What went wrong in another way is reported.
    pub(super) fn where_allowed(mut self, said: &mut Signalled) -> Vec<T> {
        self.said.gaps.retain(|gap| gap.cause != Cause::Denied);
        self.reported(said)
    }
}

/// The same, beside others: gaps are kept apart until all are read, so that their order is always the same.
pub(super) async fn apart<T: DeserializeOwned + Namespaced>(
    cluster: &Cluster,
    kind: &Kind,
    namespaces: &Namespaces<'_>,
    via: Arc<str>,
) -> Apart<T> {
    let mut said = Signalled::new(via);
    let objects = list(cluster, kind, namespaces, &mut said).await;
    Apart { objects, said }
}

async fn list_each<T: DeserializeOwned + Namespaced>(
    cluster: &Cluster,
    kind: &Kind,
    namespaces: &[String],
    said: &mut Signalled,
) -> Vec<T> {
    let mut objects = Vec::new();
    for namespace in namespaces {
        if !is_label(namespace) {
            said.gap(Cause::Malformed, format_args!("{namespace:?} is no name of a namespace"));
            continue;
        }
        match pages(cluster, kind, Some(namespace)).await {
            Ok(listed) => objects.extend(listed.reported(kind, said)),
            Err(failure) if failure.status == Some(StatusCode::FORBIDDEN) => said.gap(
                Cause::Denied,
                format_args!(
                    "may not list {} in namespace {namespace}; grant a Role there with {}",
                    kind.plural,
                    kind.grant()
                ),
            ),
            Err(failure) => said.gap(
                failure.cause,
                format_args!("{} in namespace {namespace} cannot be listed: {failure}", kind.plural),
            ),
        }
    }
    objects
}

/// Whether the cluster does not have this kind at all. Asked of the discovery, which everyone may read: without the
/// right to list a kind, its absence looks like a missing right.
/// An error is one that a list would run into as well.
async fn is_absent(cluster: &Cluster, kind: &Kind) -> Result<bool, KubernetesFailure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Resources {
        kind: String,
        group_version: String,
        resources: Vec<Resource>,
    }
    #[derive(Deserialize)]
    struct Resource {
        name: String,
    }
    match cluster.peek(&kind.root()).await {
        Err(failure) => match failure.status {
            Some(StatusCode::NOT_FOUND) => Ok(true),
            // Some clusters hide the discovery and allow the list.
            Some(status) if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => Ok(false),
            _ => Err(failure),
        },
        // What is no discovery document says nothing: the list is asked for, and says it.
        Ok(body) => Ok(serde_json::from_slice::<Resources>(&body).is_ok_and(|known| {
            let is_one = known.kind == "APIResourceList" && known.group_version == kind.api_version();
            is_one && !known.resources.iter().any(|resource| resource.name == kind.plural)
        })),
    }
}

/// Follows the pages. A token that has expired between two of them starts the list over, once: what follows under a new
/// one would be of another moment.
async fn pages<T: DeserializeOwned + Namespaced>(
    cluster: &Cluster,
    kind: &Kind,
    namespace: Option<&str>,
) -> Result<Listed<T>, KubernetesFailure> {
    pages_of(cluster, kind, namespace, kind.selector).await
}

/// The same of those that a workload finds by its labels; of all, where it has no such labels.
pub(super) async fn selected<T: DeserializeOwned + Namespaced>(
    cluster: &Cluster,
    kind: &Kind,
    namespace: &str,
    selector: Option<&str>,
) -> Result<Listed<T>, KubernetesFailure> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(selector.map(|selector| ("labelSelector", selector)));
    let query = query.finish();
    let query = if query.is_empty() { query } else { format!("&{query}") };
    pages_of(cluster, kind, Some(namespace), &query).await
}

async fn pages_of<T: DeserializeOwned + Namespaced>(
    cluster: &Cluster,
    kind: &Kind,
    namespace: Option<&str>,
    selector: &str,
) -> Result<Listed<T>, KubernetesFailure> {
    match pages_once(cluster, kind, namespace, selector).await {
        Err(failure) if failure.status == Some(StatusCode::GONE) => {
            pages_once(cluster, kind, namespace, selector).await.map_err(|failure| match failure.status {
                Some(StatusCode::GONE) => {
                    let reason =
                        "the list expired twice while it was read; the API server forgets faster than it answers";
                    KubernetesFailure::new(Cause::Unreachable, reason)
                }
                _ => failure,
            })
        }
        other => other,
    }
}

async fn pages_once<T: DeserializeOwned + Namespaced>(
    cluster: &Cluster,
    kind: &Kind,
    namespace: Option<&str>,
    selector: &str,
) -> Result<Listed<T>, KubernetesFailure> {
    let (mut listed, mut cursor, mut cost) = (Listed::default(), Cursor::default(), 0);
    let most = memory::budget().part(2, 64 << 20, 2 << 30);
    loop {
        let path = format!("{}?{}{selector}", kind.path(namespace), query(kind.page, cursor.token().as_deref()));
        let body = cluster.get(&path).await?;
        let before = listed.count();
        let next =
            page::read(kind, &body, &mut listed).map_err(|reason| KubernetesFailure::new(Cause::Malformed, reason))?;
        let read = listed.count() - before;
        cost += body.len() + read * size_of::<T>();
        drop(body);
        let more = cursor.advance(next, read == 0);
        match more
            .map_err(|reason| KubernetesFailure::new(Cause::Malformed, format!("the list does not end: {reason}")))?
        {
            false => return Ok(listed),
            true if listed.count() > MOST_OBJECTS => {
                return Err(KubernetesFailure::new(
                    Cause::Malformed,
                    format!("there are more than {MOST_OBJECTS} objects"),
                ));
            }
            true if cost > most => {
                let count = listed.count();
                let reason = format!("more than {count} objects need more memory than there is; raise --memory");
                return Err(KubernetesFailure::new(Cause::Malformed, reason));
            }
            true => {}
        }
    }
}

fn query(page: u32, token: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &page.to_string());
    query.extend_pairs(token.map(|token| ("continue", token)));
    query.finish()
}

/// Whether it can stand in a path as a namespace: an RFC 1123 label.
pub(super) fn is_label(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
