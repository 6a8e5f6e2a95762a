//! What Helm released: images in the manifests of its revisions, and the charts they were made from (E128).
//!
//! Helm keeps each revision, its values included, in a Secret or ConfigMap. Of all that only names, times, statuses and
//! the images of containers leave this file; nothing that could be a value is kept, logged or quoted (I18).

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;
use jiff::Timestamp;
use serde::Deserialize;

use super::connect::Cluster;
use super::image::named;
use super::list::{Kind, Namespaced, Namespaces, list};
use super::objects::{Metadata, is_test_event, nullable};
use crate::{Named, Signalled, Use};
use prodpin_core::model::{Cause, ChartReference, Evidence, Platform, Tenure, Waiting, Workload};

/// Only the revisions that production runs or ran, and few at once: each may have a megabyte.
const SELECTOR: &str = "&labelSelector=owner%3Dhelm%2Cstatus%20in%20%28deployed%2Csuperseded%29";
const SECRETS: Kind = Kind { page: 20, selector: SELECTOR, ..Kind::core("v1", "Secret", "secrets") };
const CONFIG_MAPS: Kind = Kind { kind: "ConfigMap", plural: "configmaps", ..SECRETS };

/// A Secret holds a megabyte; in base64 a third more.
const MOST_STORED: usize = 2 << 20;
/// No release that Helm can store unpacks to more (F83).
const MOST_UNPACKED: usize = 48 << 20;
/// Manifests repeat themselves, but not like this (F83).
const MOST_RATIO: usize = 250;

#[derive(Deserialize)]
struct Stored {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    r#type: String,
    #[serde(default, deserialize_with = "nullable")]
    data: Data,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Data {
    release: String,
}

impl Namespaced for Stored {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

/// A revision, as far as it is read. Values and templates are passed over.
#[derive(Deserialize)]
struct Release {
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    namespace: String,
    version: u64,
    #[serde(default, deserialize_with = "nullable")]
    info: Info,
    #[serde(default, deserialize_with = "nullable")]
    chart: Chart,
    #[serde(default, deserialize_with = "nullable")]
    manifest: String,
    #[serde(default, deserialize_with = "nullable")]
    hooks: Vec<Hook>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Info {
    #[serde(deserialize_with = "nullable")]
    status: String,
    last_deployed: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Chart {
    #[serde(deserialize_with = "nullable")]
    metadata: ChartMetadata,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ChartMetadata {
    name: String,
    version: String,
}

/// What Helm runs beside a release. It is no part of what is deployed, and once over it was no deployment.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Hook {
    manifest: String,
    #[serde(deserialize_with = "nullable")]
    events: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    last_run: HookRun,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct HookRun {
    phase: String,
}

impl Hook {
    fn is_running(&self) -> bool {
        self.last_run.phase == "Running" && !self.events.iter().all(|event| is_test_event(event))
    }

    /// Whether going back with Helm runs it.
    fn is_for_rollback(&self) -> bool {
        self.events.iter().any(|event| matches!(event.as_str(), "pre-rollback" | "post-rollback"))
    }
}

/// What is kept of a revision.
#[derive(Debug)]
struct Revision {
    version: u64,
    deployed: bool,
    at: Option<Timestamp>,
    chart: (String, String),
    images: BTreeSet<(String, String)>,
    /// Of hooks that going back runs.
    hooks: BTreeSet<(String, String)>,
}

/// Adds what releases say. Answers the namespaces in which there were any.
pub(super) async fn tell(
    cluster: &Cluster,
    namespaces: &Namespaces<'_>,
    context: Option<&Arc<str>>,
    said: &mut Signalled,
) -> BTreeSet<String> {
    let mut releases: BTreeMap<(String, String), Vec<Revision>> = BTreeMap::new();
    for kind in [SECRETS, CONFIG_MAPS] {
        let stored: Vec<Stored> = list(cluster, &kind, namespaces, said).await;
        for one in stored {
            // A Secret of another type that carries Helm's labels is nobody's release.
            if kind == SECRETS && !matches!(one.r#type.as_str(), "helm.sh/release.v1" | "") {
                continue;
            }
            let place = format!("{}/{}", one.metadata.namespace.as_deref().unwrap_or_default(), one.metadata.name);
            let label = one.metadata.labels.get("status").map(String::as_str);
            match read_as(&one.data.release, kind == SECRETS, label) {
                Ok(Some((namespace, name, revision))) => {
                    let namespace = one.metadata.namespace.clone().unwrap_or(namespace);
                    releases.entry((namespace, name)).or_default().push(revision);
                }
                Ok(None) => {}
                Err(reason) => said.gap(Cause::Malformed, format_args!("Helm release in {place}: {reason}")),
            }
        }
    }
    for ((namespace, name), revisions) in &mut releases {
        revisions.sort_by_key(|revision| revision.version);
        let workload = Arc::new(Workload {
            platform: Platform::Helm { context: context.cloned() },
            namespace: Some(namespace.as_str().into()),
            kind: "release".into(),
            name: name.as_str().into(),
        });
        tell_release(&workload, revisions, said);
    }
    said.settle();
    releases.into_keys().map(|(namespace, _)| namespace).collect()
}

fn tell_release(workload: &Arc<Workload>, revisions: &[Revision], said: &mut Signalled) {
    for (at, revision) in revisions.iter().enumerate() {
        let tenure = match revision.deployed {
            true => Tenure::Now { since: revision.at },
            // It ran until the next one was deployed, as far as that is still kept.
            false => Tenure::Before { last: revisions.get(at + 1).and_then(|next| next.at).or(revision.at) },
        };
        let number: Arc<str> = revision.version.to_string().into();
        let hooks = revision.hooks.iter().filter(|image| revision.deployed && !revision.images.contains(*image));
        let hooks = hooks.map(|image| (image, Tenure::Wanted { why: Waiting::NextRun }));
        for ((container, image), tenure) in revision.images.iter().map(|image| (image, tenure)).chain(hooks) {
            match named(image, None, tenure) {
                Ok(used) => said.uses.push(Use {
                    workload: Some(workload.clone()),
                    // A volume has no container.
                    container: Some(container.as_str().into()).filter(|name: &Arc<str>| !name.is_empty()),
                    revision: Some(number.clone()),
                    ..used
                }),
                Err(_) if !revision.deployed => {}
                // Not the image itself: a template that went wrong may have put anything there.
                Err(_) => said.gap(
                    Cause::Malformed,
                    format_args!(
                        "{workload}, revision {number}: container {container} has an image that is no reference"
                    ),
                ),
            }
        }
        let (name, version) = &revision.chart;
        if !name.is_empty() && !version.is_empty() {
            let chart = ChartReference { name: name.as_str().into(), version: version.as_str().into(), digest: None };
            let evidence = if revision.deployed { Evidence::StablePointer } else { Evidence::HistoryReference };
            said.uses.push(Use {
                workload: Some(workload.clone()),
                revision: Some(number.clone()),
                ..Use::new(Named::Chart(chart), evidence, tenure)
            });
        }
    }
}

/// Reads one stored revision; none if production never ran it. The reasons quote nothing of it.
///
/// Helm asks for revisions by their label, and believes it. Whoever repairs a release that hangs sets the label alone, and
/// the status inside goes on saying `pending-upgrade`.
fn read_as(stored: &str, secret: bool, label: Option<&str>) -> Result<Option<(String, String, Revision)>, String> {
    let unpacked = unpack(stored, secret)?;
    let release: Release = serde_json::from_slice(&unpacked)
        .map_err(|error| format!("it is no release (line {}, column {})", error.line(), error.column()))?;
    let status = label.filter(|label| matches!(*label, "deployed" | "superseded"));
    let deployed = match status.unwrap_or(&release.info.status) {
        "deployed" => true,
        "superseded" => false,
        _ => return Ok(None),
    };
    let (mut images, mut hooks) = (BTreeSet::new(), BTreeSet::new());
    let running = release.hooks.iter().filter(|hook| hook.is_running()).map(|hook| hook.manifest.as_str());
    for document in running.chain([release.manifest.as_str()]).flat_map(documents) {
        collect_images(document, &mut images)?;
    }
    let of_rollback = release.hooks.iter().filter(|hook| hook.is_for_rollback());
    for document in of_rollback.flat_map(|hook| documents(&hook.manifest)) {
        collect_images(document, &mut hooks)?;
    }
    let at = release.info.last_deployed.and_then(|text| text.parse().ok());
    let chart = (release.chart.metadata.name, release.chart.metadata.version);
    let revision = Revision { version: release.version, deployed, at, chart, images, hooks };
    Ok(Some((release.namespace, release.name, revision)))
}

/// Base64 of gzip of JSON, in a Secret with base64 around it; entries of old versions are not compressed (E128).
fn unpack(stored: &str, secret: bool) -> Result<Vec<u8>, String> {
    if stored.len() > MOST_STORED {
        return Err("it is larger than Helm can store".to_owned());
    }
    let decode = |text: &[u8]| BASE64_STANDARD.decode(text.trim_ascii()).map_err(|_| "it is no base64".to_owned());
    let inner = if secret { decode(stored.as_bytes())? } else { stored.as_bytes().to_vec() };
    let packed = decode(&inner)?;
    if !packed.starts_with(&[0x1f, 0x8b]) {
        return Ok(packed);
    }
    let most = MOST_UNPACKED.min(packed.len().saturating_mul(MOST_RATIO));
    let mut unpacked = Vec::new();
    GzDecoder::new(packed.as_slice())
        .take(most as u64 + 1)
        .read_to_end(&mut unpacked)
        .map_err(|_| "it is no gzip".to_owned())?;
    match unpacked.len() > most {
        true => Err("it unpacks to more than any release".to_owned()),
        false => Ok(unpacked),
    }
}

/// The YAML documents of a manifest that may have containers. A line of three dashes can be nothing else in YAML.
fn documents(manifest: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(manifest);
    let all = std::iter::from_fn(move || {
        let text = rest?;
        let found = if text.starts_with("---") { Some(0) } else { text.find("\n---").map(|at| at + 1) };
        match found {
            Some(at) => {
                rest = Some(text[at..].split_once('\n').map_or("", |(_, after)| after));
                Some(&text[..at])
            }
            None => {
                rest = None;
                Some(text)
            }
        }
    });
    all.filter(|document| document.contains("image"))
}

/// A rendered manifest with all its documents is within these by far (F67).
const MOST_NODES: usize = 400_000;
const MOST_DEPTH: usize = 96;

fn collect_images(document: &str, images: &mut BTreeSet<(String, String)>) -> Result<(), String> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MOST_DEPTH,
            flow_nesting_limit: MOST_DEPTH,
            max_nodes: MOST_NODES,
            max_events: 2 * MOST_NODES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 50_000,
            max_replay_stack_depth: 8,
        },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        // A short commit of digits and one e overflows as a number, and Go's YAML writes it without quotes.
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    };
    let value: serde_json::Value = serde_saphyr::from_str_with_options(document, options)
        .map_err(|_| "a document of its manifest is no YAML".to_owned())?;
    walk(&value, images);
    Ok(())
}

/// Containers wherever pods are described, in custom resources too. The document's own depth is limited.
fn walk(value: &serde_json::Value, images: &mut BTreeSet<(String, String)>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (key, field) in fields {
                if matches!(key.as_str(), "containers" | "initContainers" | "ephemeralContainers") {
                    let containers = field.as_array().map_or(&[][..], Vec::as_slice);
                    images.extend(containers.iter().filter_map(|container| {
                        let text = |key: &str| Some(container.get(key)?.as_str()?.to_owned());
                        Some((text("name")?, text("image")?))
                    }));
                }
                if key == "volumes" {
                    let volumes = field.as_array().map_or(&[][..], Vec::as_slice);
                    let reference = |volume: &serde_json::Value| {
                        Some(volume.get("image")?.get("reference")?.as_str()?.to_owned())
                            .filter(|text| !text.is_empty())
                    };
                    images.extend(volumes.iter().filter_map(reference).map(|image| (String::new(), image)));
                }
                walk(field, images);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| walk(item, images)),
        _ => {}
    }
}
