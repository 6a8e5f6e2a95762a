//! Putting a target back: blobs first, then manifests from the deepest up, the pin, and tags that nobody holds. Only what is
//! missing is sent, and exactly the bytes that were kept (I27).

use bytes::Bytes;
use futures::{StreamExt as _, stream};

use super::closure::Closure;
use super::hash::Hash;
use super::{Vault, VaultError};
use prodpin_core::decide::vault::{TagStep, VaultPart, tag_step};
use prodpin_core::model::{ArtifactId, Digest, RepositoryName, Tag};
use prodpin_net::http::fault::Fault;
use prodpin_sources::Source;
use prodpin_sources::oci::{Restorer, Upload};

/// A piece of an upload: one request, and held in memory.
const PIECE: u64 = 8 << 20;

/// Blobs on their way at once.
const AT_ONCE: usize = 2;

/// Questions at once.
const ASKED_AT_ONCE: usize = 8;

/// A target is put back to this repository.
pub struct Restoring<'r> {
    /// From where.
    pub vault: &'r Vault,
    /// To where.
    pub restorer: &'r Restorer,
    /// What reads and pins there.
    pub source: &'r Source,
    /// The repository.
    pub repository: &'r RepositoryName,
    /// What is pinned.
    pub pinning: Pinning,
}

/// What is pinned of what comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pinning {
    /// Nothing: what cleans up in the registry is not known, and a pin might push a release out (I22).
    Withheld,
    /// Nothing yet: the next run judges the pin by the live lifecycle rules first (I22).
    Later,
    /// The target.
    Target,
    /// Every manifest of it, from the deepest up (I26).
    Closure,
}

impl Pinning {
    /// Whether this command pins anything.
    #[must_use]
    pub fn makes_any(self) -> bool {
        matches!(self, Self::Target | Self::Closure)
    }
}

/// What becomes of a tag, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagOutcome {
    /// The tag.
    pub tag: Tag,
    /// What becomes of it.
    pub step: TagStep,
    /// Whether it was put, as it was read back.
    pub put: bool,
    /// Why it was not put although it should have been.
    pub failed: Option<String>,
}

/// What is to be put back, and once it was, what was.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// Blobs that the registry lacks.
    pub blobs: Vec<VaultPart>,
    /// Manifests that it lacks, in the order in which they go.
    pub manifests: Vec<VaultPart>,
    /// Tags that the target had.
    pub tags: Vec<TagOutcome>,
    /// Blobs that the registry had elsewhere and took from there.
    pub mounted: usize,
}

impl Restored {
    /// How many bytes are to be sent.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.blobs.iter().chain(&self.manifests).map(|part| part.size).sum()
    }
}

impl Restoring<'_> {
    /// Looks what is missing. Nothing is changed.
    pub async fn look(&self, closure: &Closure, target: &Digest, tags: &[Tag]) -> Result<Restored, Fault> {
        let asked = closure.parts.iter().cloned().map(|part| async move {
            let there = match part.is_manifest {
                true => self.restorer.has_manifest(self.repository, &part.digest).await,
                false => self.restorer.has_blob(self.repository, &part.digest, part.size).await,
            };
            there.map(|there| (part, there))
        });
        // In their order.
        let mut asked = std::pin::pin!(stream::iter(asked).buffered(ASKED_AT_ONCE));
        let mut found = Restored::default();
        while let Some(answer) = asked.next().await {
            match answer? {
                (_, true) => {}
                (part, false) if part.is_manifest => found.manifests.push(part),
                (part, false) => found.blobs.push(part),
            }
        }
        for tag in tags {
            let step = self.step(target, tag).await;
            found.tags.push(TagOutcome { tag: tag.clone(), step, put: false, failed: None });
        }
        Ok(found)
    }

    /// What is pinned once it is back, in the order in which it is.
    #[must_use]
    pub fn pins(&self, closure: &Closure, target: &Digest) -> Vec<Digest> {
        let manifests = closure.parts.iter().filter(|part| part.is_manifest).map(|part| part.digest.clone());
        match self.pinning {
            Pinning::Withheld | Pinning::Later => Vec::new(),
            Pinning::Target => vec![target.clone()],
            Pinning::Closure => manifests.collect(),
        }
    }

    async fn step(&self, target: &Digest, tag: &Tag) -> TagStep {
        let (resolution, _) = self.source.inventory.look_up(self.repository, tag).await;
        tag_step(target, &resolution)
    }

    /// Sends it. What was sent stays there if it breaks off, and the next try sends the rest.
    pub async fn send(&self, closure: &Closure, target: &Digest, missing: &mut Restored) -> Result<(), String> {
        let blobs = missing.blobs.clone().into_iter().map(|part| async move { self.send_blob(&part).await });
        let mut sent = std::pin::pin!(stream::iter(blobs).buffer_unordered(AT_ONCE));
        let mut mounted = 0;
        while let Some(outcome) = sent.next().await {
            mounted += usize::from(outcome?);
        }
        missing.mounted = mounted;
        for part in &missing.manifests {
            let bytes = document(closure, &part.digest)?;
            let put = self.restorer.put_manifest(self.repository, &part.digest, &part.media_type, bytes).await;
            put.map_err(|fault| format!("{}: {}", part.digest, fault.detail))?;
        }
        if let Some(protector) = &self.source.protector {
            for digest in self.pins(closure, target) {
                let artifact = ArtifactId::Manifest(digest);
                protector.pin(self.repository, &artifact).await.map_err(|failure| failure.to_string())?;
            }
        }
        self.send_tags(closure, target, missing).await
    }

    async fn send_tags(&self, closure: &Closure, target: &Digest, missing: &mut Restored) -> Result<(), String> {
        let Some(root) = closure.parts.last() else { return Ok(()) };
        for reported in &mut missing.tags {
            // Asked right before: somebody may have pushed it meanwhile, and it is theirs then (I8).
            reported.step = self.step(target, &reported.tag).await;
            if reported.step != TagStep::Put {
                continue;
            }
            let bytes = document(closure, target)?;
            let put = self.restorer.put_tag(self.repository, &reported.tag, target, &root.media_type, bytes).await;
            reported.failed = match put {
                Err(fault) => Some(fault.detail),
                Ok(()) => match self.step(target, &reported.tag).await {
                    TagStep::Held => None,
                    _ => Some("it does not name the target although the registry took it".to_owned()),
                },
            };
            reported.put = reported.failed.is_none();
        }
        Ok(())
    }

    /// Whether the registry had it elsewhere.
    async fn send_blob(&self, part: &VaultPart) -> Result<bool, String> {
        let reported = |fault: Fault| format!("blob {}: {}", part.digest, fault.detail);
        let broken = |error: VaultError| error.to_string();
        let mut to = match self.restorer.begin(self.repository, &part.digest, true).await.map_err(reported)? {
            // A registry may take from memory what is gone from its disk: only the byte proves it.
            Upload::Mounted => match self.restorer.has_blob_now(self.repository, &part.digest, part.size).await {
                Ok(true) => return Ok(true),
                Ok(false) | Err(_) => {
                    match self.restorer.begin(self.repository, &part.digest, false).await.map_err(reported)? {
                        Upload::Mounted => return Ok(true),
                        Upload::At(to) => to,
                    }
                }
            },
            Upload::At(to) => to,
        };
        let mut hash = Hash::of(&part.digest);
        let mut from = 0;
        loop {
            let until = part.size.min(from + PIECE);
            let bytes = match until > from {
                true => self.vault.range(&part.digest, from, until).await.map_err(broken)?,
                false => Bytes::new(),
            };
            hash.update(&bytes);
            if until == part.size {
                if hash.digest() != part.digest {
                    return Err(self.vault.damaged(&part.digest));
                }
                // After parts the end is empty: some registries take no bytes with it then.
                let rest = match from {
                    0 => bytes,
                    _ => {
                        to = self.restorer.send(self.repository, to, from, bytes).await.map_err(reported)?;
                        Bytes::new()
                    }
                };
                self.restorer.end(self.repository, to, &part.digest, rest).await.map_err(reported)?;
                return Ok(false);
            }
            to = self.restorer.send(self.repository, to, from, bytes).await.map_err(reported)?;
            from = until;
        }
    }
}

fn document(closure: &Closure, digest: &Digest) -> Result<Bytes, String> {
    closure.documents.get(digest).cloned().ok_or_else(|| format!("the vault's copy of {digest} was not read"))
}
