//! Manifests and indexes, read strictly: two readers must never see two different things in the same bytes.

mod raw;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use oci_distribution::annotations::ORG_OPENCONTAINERS_IMAGE_CREATED;
use oci_distribution::manifest::{
    IMAGE_CONFIG_MEDIA_TYPE, IMAGE_DOCKER_CONFIG_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE,
    OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE,
};
use prodpin_core::model::{Cause, Digest, Provenance};
use prodpin_net::http::fault::Fault;
use serde::Deserialize;

use self::raw::{Document, REFERENCE_TYPE, RawDescriptor, RawPlatform, reject_look_alikes};

/// Which of the two shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Image,
    Index,
}

/// A manifest's content, as far as protection needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    /// When it was built, by its own annotation.
    pub(super) created: Option<Timestamp>,
    /// What else it says of itself, by its annotations.
    pub(super) provenance: Provenance,
    pub(super) content: Content,
}

/// What Helm calls the configuration of a chart that it pushes (F142).
const CHART_CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";

impl Manifest {
    /// Whether it is a Helm chart.
    pub(super) fn is_chart(&self) -> bool {
        matches!(&self.content, Content::Image { config, .. } if config.media_type == CHART_CONFIG)
    }
}

/// What it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Image { config: Descriptor, layers: Vec<Descriptor> },
    Index(Vec<Descriptor>),
}

/// More parts than any client makes or takes.
const MOST_PARTS: usize = 10_000;

/// What a part takes in memory, read and waiting to be asked for.
const PART_COST: usize = 512;

impl Content {
    /// What it takes to ask for everything below it, by its own word: its parts, and those of the manifests that it names.
    /// What these say is held to it afterwards.
    pub(super) fn weight(&self) -> usize {
        const SMALLEST_PART: u64 = 100;
        let (own, below) = match self {
            Self::Image { layers, .. } => (layers.len() + 1, 0),
            Self::Index(children) => {
                let manifests = children.iter().filter(|child| child.is_manifest());
                (
                    children.len(),
                    manifests.map(|child| child.size.unwrap_or(0) / SMALLEST_PART).fold(0, u64::saturating_add),
                )
            }
        };
        own.saturating_add(usize::try_from(below).unwrap_or(usize::MAX).min(2 * MOST_PARTS)).saturating_mul(PART_COST)
    }

    /// The manifests that an index names.
    pub(super) fn children(&self) -> Vec<Digest> {
        match self {
            Self::Image { .. } => Vec::new(),
            Self::Index(children) => children.iter().map(|child| child.digest.clone()).collect(),
        }
    }
}

/// A reference by digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Descriptor {
    pub(super) digest: Digest,
    /// None where the manifest names none.
    pub(super) size: Option<u64>,
    pub(super) media_type: String,
    /// A layer that registries need not hold, because it names where else it is.
    pub(super) foreign: bool,
    /// Written beside an image by its builder (`vnd.docker.reference.type`, or the platform `unknown/unknown`), or a part
    /// of such: not something that runs.
    pub(super) attestation: bool,
    /// What it is to a person: `platform linux/arm64`, `layer`.
    pub(super) part: Option<String>,
}

impl Descriptor {
    /// Whether it refers to a manifest; everything else is a blob, even in an index (build caches do that).
    pub(super) fn is_manifest(&self) -> bool {
        is_manifest(&self.media_type)
    }

    /// Whether it is the configuration of an image, which says when it was built.
    pub(super) fn is_image_config(&self) -> bool {
        matches!(self.media_type.as_str(), IMAGE_CONFIG_MEDIA_TYPE | IMAGE_DOCKER_CONFIG_MEDIA_TYPE)
    }
}

/// What a part is called that a machine of some kind starts.
pub(super) const PLATFORM: &str = "platform";

const FOREIGN: [&str; 5] = [
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
];

fn kind(media_type: &str) -> Option<Kind> {
    match media_type {
        OCI_IMAGE_MEDIA_TYPE | IMAGE_MANIFEST_MEDIA_TYPE => Some(Kind::Image),
        OCI_IMAGE_INDEX_MEDIA_TYPE | IMAGE_MANIFEST_LIST_MEDIA_TYPE => Some(Kind::Index),
        _ => None,
    }
}

/// Whether a media type is one of the four that are asked for.
pub(super) fn is_manifest(media_type: &str) -> bool {
    kind(media_type).is_some()
}

/// Whether a media type is one of the two that list other manifests.
pub(super) fn is_index(media_type: &str) -> bool {
    kind(media_type) == Some(Kind::Index)
}

/// Manifests of Docker's schema 1 have no digest that all readers agree on, so nothing about them can be proven.
pub(super) fn is_schema_1(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.docker.distribution.manifest.v1+")
}

/// The four types that are asked for: with fewer a server may convert, and the same tag has another digest (C88, A12).
pub(super) const ACCEPTED: [&str; 4] =
    [OCI_IMAGE_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE];

/// Reads a manifest's exact bytes. `served` is the Content-Type they came with.
pub(super) fn parse(bytes: &[u8], served: Option<&str>) -> Result<Manifest, Fault> {
    if served.is_some_and(is_schema_1) {
        return Err(schema_1());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::malformed("the manifest is not UTF-8"))?;
    reject_look_alikes(text)?;
    // The error's text is left out: it quotes what the registry sent.
    let document: Document = serde_json::from_str(text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        match text.contains("\"fsLayers\"") {
            true => schema_1(),
            false => Fault::malformed(format!("the manifest breaks the specification ({place})")),
        }
    })?;
    document.check(served)
}

/// Reads the exact bytes of a manifest that an index names as of this type, whatever they were served as.
pub(super) fn parse_as(bytes: &[u8], named: &str) -> Result<Manifest, Fault> {
    let own = serde_json::from_slice::<OwnType>(bytes).ok().and_then(|own| own.media_type);
    match own {
        Some(own) if own != named => {
            Err(Fault::malformed(format!("the manifest says that it is {own:.100?}, and its index says {named:.100?}")))
        }
        _ => parse(bytes, Some(named)),
    }
}

/// What a manifest says of its own type.
#[derive(Deserialize)]
struct OwnType {
    #[serde(rename = "mediaType", default, deserialize_with = "prodpin_net::lenient::text")]
    media_type: Option<String>,
}

fn schema_1() -> Fault {
    let detail =
        "the manifest is of Docker's schema 1, which cannot be verified; push the image again with a current client";
    Fault::new(Cause::Unsupported, detail)
}

impl Document {
    fn check(self, served: Option<&str>) -> Result<Manifest, Fault> {
        if self.fs_layers.is_some() || self.schema_version == 1 {
            return Err(schema_1());
        }
        if self.schema_version != 2 {
            return Err(Fault::malformed("the manifest's schemaVersion is not 2"));
        }
        if let (Some(own), Some(served)) = (self.media_type.as_deref(), served)
            && own != served
        {
            return Err(Fault::malformed(format!(
                "the manifest says that it is {own:.100?} and was served as {served:.100?}"
            )));
        }
        let named = self.media_type.as_deref().or(served);
        let parts = [&self.layers, &self.manifests].into_iter().flatten().map(Vec::len).sum::<usize>();
        if parts > MOST_PARTS {
            let detail = format!("the manifest has {parts} parts, and no more than {MOST_PARTS} are asked for");
            return Err(Fault::new(Cause::Unsupported, detail));
        }
        let Some(kind) = named.and_then(kind) else {
            let detail = format!("manifests of type {:.100?} are not supported", named.unwrap_or("unknown"));
            return Err(Fault::new(Cause::Unsupported, detail));
        };
        let annotation = |key: &str| self.annotations.0.get(key).map(String::as_str);
        let created = annotation(ORG_OPENCONTAINERS_IMAGE_CREATED).and_then(|text| text.parse().ok());
        let provenance = Provenance::read(annotation);
        let content = match (kind, self.manifests, self.layers, self.config) {
            (_, Some(_), Some(_), _) | (_, Some(_), _, Some(_)) => {
                return Err(Fault::malformed("the manifest has both `manifests` and `layers` or `config`"));
            }
            // An index without a list is one of nothing, as one with an empty list is.
            (Kind::Index, manifests, None, None) => Content::Index(descriptors(manifests.unwrap_or_default())),
            (Kind::Image, None, layers, Some(config)) => {
                let mut config = Descriptor::from(config);
                config.part = Some("configuration".to_owned());
                let mut layers = descriptors(layers.unwrap_or_default());
                layers.iter_mut().for_each(|layer| layer.part = Some("layer".to_owned()));
                Content::Image { config, layers }
            }
            _ => return Err(Fault::malformed("the manifest's shape is not that of its media type")),
        };
        Ok(Manifest { created, provenance, content })
    }
}

fn descriptors(raw: Vec<RawDescriptor>) -> Vec<Descriptor> {
    raw.into_iter().map(Descriptor::from).collect()
}

impl From<RawDescriptor> for Descriptor {
    fn from(raw: RawDescriptor) -> Self {
        let elsewhere = raw.urls.is_some_and(|urls| !urls.is_empty());
        let is_nobodys = raw.platform.as_ref().is_some_and(RawPlatform::is_nobodys);
        let attestation = is_nobodys || raw.annotations.0.contains_key(REFERENCE_TYPE);
        let foreign = elsewhere && FOREIGN.contains(&raw.media_type.as_str());
        let part = raw.platform.and_then(|platform| platform.name()).map(|name| format!("{PLATFORM} {name}"));
        Self { digest: raw.digest, size: raw.size, media_type: raw.media_type, foreign, attestation, part }
    }
}

/// When an image's configuration says that it was built.
pub(super) fn created_in_config(bytes: &[u8]) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Config {
        created: Option<String>,
    }
    serde_json::from_slice::<Config>(bytes).ok()?.created?.parse().ok()
}

/// What an image says of itself by the labels in its configuration.
pub(super) fn provenance_in_config(bytes: &[u8]) -> Option<Provenance> {
    #[derive(Deserialize)]
    struct Config {
        config: Option<Labelled>,
    }
    #[derive(Deserialize)]
    struct Labelled {
        #[serde(rename = "Labels")]
        labels: Option<BTreeMap<String, String>>,
    }
    let config: Config = serde_json::from_slice(bytes).ok()?;
    let labels = config.config.and_then(|config| config.labels).unwrap_or_default();
    Some(Provenance::read(|key| labels.get(key).map(String::as_str)))
}
