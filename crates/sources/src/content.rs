//! An artifact's bytes, for whoever keeps a copy of them elsewhere (I27).

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{self, HeaderMap};

use super::manifest::{Content as Read, Descriptor, parse};
use prodpin_core::model::{Cause, Digest, RepositoryName};
use prodpin_net::http::fault::Fault;

/// A manifest's exact bytes.
#[derive(Debug, Clone)]
pub struct Document {
    /// The type it was served as.
    pub media_type: Option<String>,
    /// The bytes. They hash to the digest that was asked for.
    pub bytes: Bytes,
}

/// Why bytes could not be had.
#[derive(Debug, Clone)]
pub enum Lost {
    /// The source says definitively that they are not there.
    NotFound,
    /// What it serves is something else.
    Wrong(String),
    /// Not known.
    Unknown(Fault),
}

impl From<Fault> for Lost {
    fn from(fault: Fault) -> Self {
        Self::Unknown(fault)
    }
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFound => f.write_str("the source does not have it"),
            Self::Wrong(detail) => f.write_str(detail),
            Self::Unknown(fault) => f.write_str(&fault.detail),
        }
    }
}

/// What takes a body piece by piece as it arrives.
#[async_trait]
pub trait Taker: Send {
    /// The body begins at this place of the whole.
    async fn begin(&mut self, at: u64) -> Result<(), Fault>;

    /// The next bytes.
    async fn take(&mut self, piece: Bytes) -> Result<(), Fault>;
}

/// Reading bytes. Each read may count as a pull: ask only for what is missing elsewhere (I30).
#[async_trait]
pub trait Content: Send + Sync {
    /// A manifest, held to its digest. One that this run has read already is not read again.
    async fn manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<Document, Lost>;

    /// A blob from this place on, handed over as it arrives, and not held to its digest: whoever takes it does that.
    async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        from: u64,
        taker: &mut dyn Taker,
    ) -> Result<(), Lost>;

    /// The manifests that may hold signatures of this artifact: what is attached to it under the tag that signers use, and
    /// what names it as its subject with a type that `is_signature` knows. Not known where nothing can be attached.
    async fn signatures(
        &self,
        repository: &RepositoryName,
        artifact: &Digest,
        is_signature: IsSignature,
    ) -> Result<AttachedSignatures, Fault> {
        let _ = (repository, artifact, is_signature);
        Err(Fault::new(Cause::Unsupported, "what is attached to an artifact cannot be read there"))
    }
}

/// Whether an artifact of this type may be a signature.
pub type IsSignature = fn(&str) -> bool;

/// What may hold signatures of one artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttachedSignatures {
    /// The manifests, each once.
    pub manifests: Vec<Digest>,
    /// How many more there are than are read of one artifact.
    pub beyond: usize,
}

/// What a manifest refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its digest.
    pub digest: Digest,
    /// Its size, by the manifest's word.
    pub size: u64,
    /// Its type.
    pub media_type: String,
    /// Whether it is a manifest rather than a blob.
    pub is_manifest: bool,
    /// Whether nothing that runs needs it: what a builder wrote beside an image.
    pub is_attestation: bool,
    /// Whether it names another place where its bytes are.
    pub is_foreign: bool,
}

impl TryFrom<Descriptor> for Part {
    type Error = Fault;

    /// What has no size cannot be copied by pieces, nor told whole from cut off.
    fn try_from(descriptor: Descriptor) -> Result<Self, Fault> {
        let is_manifest = descriptor.is_manifest();
        let Some(size) = descriptor.size else {
            let part = descriptor.part.as_deref().unwrap_or("part");
            return Err(Fault::malformed(format!("the manifest names no size for its {part} {}", descriptor.digest)));
        };
        Ok(Self {
            is_manifest,
            is_attestation: descriptor.attestation,
            is_foreign: descriptor.foreign,
            digest: descriptor.digest,
            size,
            media_type: descriptor.media_type,
        })
    }
}

/// What a manifest of this type refers to, read strictly.
pub fn parts(bytes: &[u8], media_type: Option<&str>) -> Result<Vec<Part>, Fault> {
    let below = match parse(bytes, media_type)?.content {
        Read::Index(children) => children,
        Read::Image { config, mut layers } => {
            layers.push(config);
            layers
        }
    };
    below.into_iter().map(Part::try_from).collect()
}

/// Where a part of a body begins, by its `Content-Range`.
pub(crate) fn begins_at(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.trim().strip_prefix("bytes")?.trim_start_matches([' ', '=']).split_once('-')?.0.parse().ok()
}
