//! What is below a target, from the vault's own bytes where it has them, else from its source.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream};

use super::place::blob_path;
use super::{Shelf, Vault, VaultError};
use prodpin_core::decide::vault::{VaultPart, order};
use prodpin_core::model::{ArtifactId, Digest, RepositoryKey, RepositoryName};
use prodpin_sources::content::{Content, Lost, Part, parts};

/// Indexes in indexes: two levels are rare, eight are an attack (F27).
const MOST_DEPTH: usize = 8;

/// Parts below one target.
const MOST_PARTS: usize = 20_000;

/// Blobs that are looked up at once.
const ASKED_AT_ONCE: usize = 16;

/// A target with everything below it.
#[derive(Debug, Clone)]
pub struct Closure {
    /// Every part, in the order in which it is written: blobs, manifests from the deepest up, the target last.
    pub parts: Vec<VaultPart>,
    /// The manifests' bytes: of those that the vault lacked, whence they came does not matter, they hash to their digests.
    pub(super) documents: BTreeMap<Digest, Bytes>,
    /// Manifests that the vault does not have yet.
    pub(super) fresh: BTreeSet<Digest>,
    /// Attestations that are gone: nothing that runs needs them.
    pub lost_attestations: BTreeSet<Digest>,
}

/// Why a target is not whole in the vault.
#[derive(Debug)]
pub enum Unwhole {
    /// The vault lacks this part.
    Lacks(Digest),
    /// It has this part with other bytes.
    Damaged {
        /// Which.
        part: Digest,
        /// That, and what to do, in one sentence.
        said: String,
    },
    /// It never had this file.
    NoEntry,
    /// A manifest in it cannot be read.
    Malformed(String),
    /// The vault could not be asked.
    Unknown(VaultError),
}

impl std::fmt::Display for Unwhole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lacks(digest) => write!(f, "the vault does not have {digest}"),
            Self::NoEntry => f.write_str("the vault does not have it"),
            Self::Malformed(detail) | Self::Damaged { said: detail, .. } => f.write_str(detail),
            Self::Unknown(error) => error.fmt(f),
        }
    }
}

/// Why a closure could not be walked.
pub(super) enum Stuck {
    Vault(VaultError),
    /// This part, and why.
    Lost(Digest, Lost),
    /// The tree itself is not one that is kept.
    Malformed(String),
}

/// Whence manifests come that the vault does not have.
pub(super) type Whence<'c> = Option<(&'c dyn Content, &'c RepositoryName)>;

/// A manifest as it was read.
pub(super) struct Read {
    bytes: Bytes,
    media_type: Option<String>,
    /// Whether the vault does not have it.
    is_fresh: bool,
}

/// Whence the manifests of a closure come, each held to its digest.
#[async_trait]
pub(super) trait Documents: Send + Sync {
    async fn read(&self, digest: &Digest) -> Result<Read, Stuck>;
}

/// From their source alone.
pub(super) struct AtSource<'c> {
    pub(super) content: &'c dyn Content,
    pub(super) repository: &'c RepositoryName,
}

#[async_trait]
impl Documents for AtSource<'_> {
    async fn read(&self, digest: &Digest) -> Result<Read, Stuck> {
        let read = self.content.manifest(self.repository, digest).await;
        let read = read.map_err(|lost| Stuck::Lost(digest.clone(), lost))?;
        // Whoever answers is not believed: what is kept is held to its name here once more.
        if !digest.matches(&read.bytes) {
            return Err(Stuck::Lost(digest.clone(), Lost::Wrong("the bytes do not hash to the digest".to_owned())));
        }
        Ok(Read { bytes: read.bytes, media_type: read.media_type, is_fresh: true })
    }
}

/// From the vault, and from their source what it lacks.
struct VaultFirst<'c> {
    vault: &'c Vault,
    source: Option<AtSource<'c>>,
}

#[async_trait]
impl Documents for VaultFirst<'_> {
    async fn read(&self, digest: &Digest) -> Result<Read, Stuck> {
        if let Some(bytes) = self.vault.document(digest).await.map_err(Stuck::Vault)? {
            let media_type = Some(shape_of(Some(&bytes)));
            return Ok(Read { bytes, media_type, is_fresh: false });
        }
        match &self.source {
            Some(source) => source.read(digest).await,
            None => Err(Stuck::Lost(digest.clone(), Lost::NotFound)),
        }
    }
}

/// Walks everything below a target. Blobs are named and not looked at.
pub(super) async fn walk(
    documents_of: &dyn Documents,
    root: &Digest,
    media_type: Option<&str>,
) -> Result<Closure, Stuck> {
    let mut found: Vec<VaultPart> = Vec::new();
    let (mut documents, mut fresh, mut lost) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    let mut types: BTreeMap<Digest, Option<String>> = BTreeMap::from([(root.clone(), media_type.map(str::to_owned))]);
    let mut level: Vec<(Digest, bool)> = vec![(root.clone(), false)];
    let mut root_type = media_type.map(str::to_owned);
    for depth in 0.. {
        if level.is_empty() {
            break;
        }
        if depth > MOST_DEPTH {
            return Err(Stuck::Malformed(format!("{root}: more than {MOST_DEPTH} levels of manifests")));
        }
        let mut next: BTreeMap<Digest, bool> = BTreeMap::new();
        for (digest, is_attestation) in std::mem::take(&mut level) {
            let named = types.get(&digest).cloned().flatten();
            let Read { bytes, media_type: served, is_fresh } = match documents_of.read(&digest).await {
                Ok(read) => read,
                Err(Stuck::Lost(..)) if is_attestation && depth > 0 => {
                    lost.insert(digest.clone());
                    found.retain(|part| part.digest != digest);
                    continue;
                }
                Err(stuck) => return Err(stuck),
            };
            if is_fresh {
                fresh.insert(digest.clone());
            }
            let media_type = named.or(served);
            if digest == *root && root_type.is_none() {
                root_type.clone_from(&media_type);
            }
            let below = parts(&bytes, media_type.as_deref())
                .map_err(|fault| Stuck::Malformed(format!("{digest}: {}", fault.detail)))?;
            documents.insert(digest.clone(), bytes);
            for part in below {
                note(&part, depth + 1, is_attestation, &mut found, &mut types, &mut next);
            }
            if found.len() > MOST_PARTS {
                return Err(Stuck::Malformed(format!("{root}: more than {MOST_PARTS} parts")));
            }
        }
        level = next.into_iter().filter(|(digest, _)| !documents.contains_key(digest)).collect();
    }
    let size = documents.get(root).map_or(0, |bytes| bytes.len() as u64);
    let media_type = root_type.unwrap_or_else(|| shape_of(documents.get(root)));
    found.push(VaultPart { digest: root.clone(), size, media_type, is_manifest: true, depth: 0 });
    Ok(Closure { parts: order(found), documents, fresh, lost_attestations: lost })
}

impl Vault {
    /// Walks everything below a target, by its own bytes first.
    pub(super) async fn walk(
        &self,
        root: &Digest,
        media_type: Option<&str>,
        whence: Whence<'_>,
    ) -> Result<Closure, Stuck> {
        let source = whence.map(|(content, repository)| AtSource { content, repository });
        walk(&VaultFirst { vault: self, source }, root, media_type).await
    }

    /// Whether a target is whole in the vault, read back now: every manifest is read and hashed, every blob is looked up and
    /// has the size that its manifest says. What it holds was hashed when it was written; `prodpin restore` hashes it again.
    pub async fn whole(&self, root: &Digest, media_type: Option<&str>) -> Result<Closure, Unwhole> {
        let closure = match self.walk(root, media_type, None).await {
            Ok(closure) => closure,
            Err(Stuck::Vault(error)) => return Err(Unwhole::Unknown(error)),
            Err(Stuck::Lost(digest, _)) => return Err(self.lacking(digest).await),
            Err(Stuck::Malformed(detail)) => return Err(Unwhole::Malformed(detail)),
        };
        let blobs: Vec<(Digest, u64)> = closure
            .parts
            .iter()
            .filter(|part| !part.is_manifest)
            .map(|part| (part.digest.clone(), part.size))
            .collect();
        let asked = blobs.into_iter().map(|(digest, size)| async move {
            let there = match self.cell(&digest).initialized() {
                true => Ok(true),
                false => self.has(&digest, size).await,
            };
            (digest, there)
        });
        let mut asked = stream::iter(asked).buffer_unordered(ASKED_AT_ONCE);
        while let Some((digest, there)) = asked.next().await {
            match there {
                Ok(true) => {}
                Ok(false) => return Err(self.lacking(digest).await),
                Err(error) => return Err(Unwhole::Unknown(error)),
            }
        }
        drop(asked);
        Ok(closure)
    }

    /// The same of a file, by what its source calls it.
    pub async fn whole_file(&self, repository: &RepositoryKey, file: &ArtifactId) -> Result<Closure, Unwhole> {
        match self.file_root(repository, file).await {
            Ok(Some(root)) => self.whole(&root, None).await,
            Ok(None) => Err(Unwhole::NoEntry),
            Err(error) => Err(Unwhole::Unknown(error)),
        }
    }

    /// Why a part cannot be used: it is not there, or something else lies in its place.
    async fn lacking(&self, part: Digest) -> Unwhole {
        let lies_there = match &self.shelf {
            Shelf::Registry(registry) => registry.serves_other_bytes(&part).await.map_err(|detail| self.failed(detail)),
            Shelf::Store(_) => self.size(&blob_path(&part)).await.map(|size| size.is_some()),
        };
        match lies_there {
            Ok(true) => Unwhole::Damaged { said: self.damaged(&part), part },
            Ok(false) => Unwhole::Lacks(part),
            Err(error) => Unwhole::Unknown(error),
        }
    }

    /// Whether a blob is there with this size.
    pub(super) async fn has(&self, digest: &Digest, size: u64) -> Result<bool, VaultError> {
        if let Shelf::Registry(registry) = &self.shelf {
            return registry.has(digest, size).await.map_err(|detail| self.failed(detail));
        }
        Ok(self.size(&blob_path(digest)).await? == Some(size))
    }
}

/// Takes note of a part that a manifest names.
fn note(
    part: &Part,
    depth: usize,
    below_attestation: bool,
    found: &mut Vec<VaultPart>,
    types: &mut BTreeMap<Digest, Option<String>>,
    next: &mut BTreeMap<Digest, bool>,
) {
    let is_attestation = part.is_attestation || below_attestation;
    found.push(VaultPart {
        digest: part.digest.clone(),
        size: part.size,
        media_type: part.media_type.clone(),
        is_manifest: part.is_manifest,
        depth,
    });
    if part.is_manifest {
        types.entry(part.digest.clone()).or_insert_with(|| Some(part.media_type.clone()));
        let known = next.entry(part.digest.clone()).or_insert(is_attestation);
        *known &= is_attestation;
    }
}

/// The type of a manifest by its shape, where nothing else says it: Docker's say their own.
fn shape_of(bytes: Option<&Bytes>) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Shape {
        media_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
    }
    let shape = bytes.and_then(|bytes| serde_json::from_slice::<Shape>(bytes).ok());
    match shape {
        Some(Shape { media_type: Some(media_type), .. }) => media_type,
        Some(Shape { manifests: Some(_), .. }) => "application/vnd.oci.image.index.v1+json".to_owned(),
        _ => "application/vnd.oci.image.manifest.v1+json".to_owned(),
    }
}
