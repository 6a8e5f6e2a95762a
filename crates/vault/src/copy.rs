//! Bringing a target into the vault: only what is missing is read from its source, each part once for all repositories.

use std::sync::atomic::Ordering;
use std::time::Instant;

use futures::{StreamExt as _, stream};

use super::closure::Stuck;
use super::entry::Entry;
use super::place::blob_path;
use super::take::Taking;
use super::{Shelf, Vault, VaultError};
use prodpin_core::decide::vault::{Lack, VaultPart};
use prodpin_core::model::{Cause, Digest, RepositoryKey, RepositoryName, Tag};
use prodpin_sources::content::{Content, Lost};

/// What is copied.
#[derive(Debug)]
pub struct Target<'t> {
    /// Its repository.
    pub repository: &'t RepositoryKey,
    /// The target.
    pub digest: &'t Digest,
    /// The tags that name it now.
    pub tags: &'t [Tag],
}

/// Why it is not whole in the vault.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The kind of reason.
    pub lack: Lack,
    /// What was asked and answered.
    pub detail: String,
}

/// A body that breaks off is carried on from where it broke so often.
const CARRIED_ON: u32 = 4;

/// Parts of one target that are on their way at once; the vault's lanes have the last word.
const AT_ONCE: usize = 4;

impl Vault {
    /// Copies a target, and writes its entry when it is whole. `stopped` says when to begin nothing new.
    pub async fn keep(
        &self,
        target: &Target<'_>,
        content: &dyn Content,
        stopped: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<Entry, Failure> {
        let name = &target.repository.name;
        let closure = self.walk(target.digest, None, Some((content, name))).await.map_err(failure)?;
        let manifests = closure.parts.iter().filter(|part| part.is_manifest);
        let manifests: Vec<VaultPart> = manifests.cloned().collect();
        let blobs = closure.parts.iter().filter(|part| !part.is_manifest).cloned();
        let blobs = blobs.map(|part| async move { self.keep_blob(name, &part, content, stopped).await });
        let mut copied = stream::iter(blobs).buffer_unordered(AT_ONCE);
        let mut failed = None;
        // One that fails leaves the others to be brought: the next run has the less to do.
        while let Some(outcome) = copied.next().await {
            if let Err(failure) = outcome {
                failed = failed.or(Some(failure));
            }
        }
        drop(copied);
        if let Some(failure) = failed {
            return Err(failure);
        }
        for part in &manifests {
            if closure.fresh.contains(&part.digest)
                && let Some(bytes) = closure.documents.get(&part.digest)
            {
                self.keep_manifest(part, bytes.clone()).await.map_err(of_vault)?;
            }
        }
        let Some(root) = manifests.last() else {
            return Err(Failure { lack: Lack::Unread, detail: "it has no manifest".to_owned() });
        };
        let entry = Entry::new(target.repository, target.tags, root);
        self.enter(&entry).await.map_err(of_vault)?;
        Ok(entry)
    }

    /// Writes a manifest.
    pub(super) async fn keep_manifest(&self, part: &VaultPart, bytes: bytes::Bytes) -> Result<(), VaultError> {
        let Shelf::Registry(registry) = &self.shelf else { return self.keep_bytes(&part.digest, bytes).await };
        let length = bytes.len() as u64;
        let kept = registry.keep_document(&part.digest, &part.media_type, bytes).await;
        kept.map_err(|detail| self.failed(detail))?;
        self.note_moved(length);
        Ok(())
    }

    fn note_moved(&self, bytes: u64) {
        self.moved.parts.fetch_add(1, Ordering::Relaxed);
        self.moved.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Writes a small blob.
    pub(super) async fn keep_bytes(&self, digest: &Digest, bytes: bytes::Bytes) -> Result<(), VaultError> {
        let length = bytes.len() as u64;
        if let Shelf::Registry(registry) = &self.shelf {
            registry.keep_bytes(digest, bytes).await.map_err(|detail| self.failed(detail))?;
            self.note_moved(length);
            return Ok(());
        }
        let path = blob_path(digest);
        if !self.create(&path, bytes.clone()).await? {
            // What stands there does not hash to its name, or it would have been read.
            if self.document(digest).await?.is_some() {
                return Ok(());
            }
            let detail = format!("{path} is there with other bytes than its name says; move it away");
            return Err(VaultError { location: self.location.clone(), detail });
        }
        self.note_moved(length);
        Ok(())
    }

    /// One blob, unless it is there or on its way already.
    pub(super) async fn keep_blob(
        &self,
        repository: &RepositoryName,
        part: &VaultPart,
        content: &dyn Content,
        stopped: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<(), Failure> {
        let cell = self.cell(&part.digest);
        let brought = cell.get_or_try_init(|| async {
            if self.has(&part.digest, part.size).await.map_err(of_vault)? {
                return Ok(());
            }
            self.bring(repository, part, content, stopped).await
        });
        brought.await.copied()
    }

    async fn bring(
        &self,
        repository: &RepositoryName,
        part: &VaultPart,
        content: &dyn Content,
        stopped: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<(), Failure> {
        let Ok(_lane) = self.lanes.acquire().await else {
            return Err(interrupted());
        };
        if stopped() {
            return Err(interrupted());
        }
        let began = Instant::now();
        let mut taking = Taking::new(self, &part.digest, part.size);
        if taking.start().await.map_err(of_vault)? {
            self.note_moved(0);
            return Ok(());
        }
        let mut broke = 0;
        loop {
            let before = taking.received;
            let read = content.blob(repository, &part.digest, before, &mut taking).await;
            if let Some(error) = taking.vault_error.take() {
                taking.abort().await;
                return Err(of_vault(error));
            }
            match read {
                Ok(()) => break,
                // What came is hashed already: only the rest is asked for.
                Err(Lost::Unknown(fault))
                    if matches!(fault.cause, Cause::Unreachable | Cause::ServerError | Cause::TimedOut)
                        && broke < CARRIED_ON
                        && taking.received > before
                        && !stopped() =>
                {
                    broke += 1;
                }
                Err(lost) => {
                    taking.abort().await;
                    let failure = failure(Stuck::Lost(part.digest.clone(), lost));
                    return Err(if stopped() { Failure { lack: Lack::Interrupted, ..failure } } else { failure });
                }
            }
        }
        match taking.finish().await.map_err(of_vault)? {
            Some(wrong) => Err(Failure { lack: Lack::WrongBytes, detail: wrong }),
            None => {
                self.moved.parts.fetch_add(1, Ordering::Relaxed);
                let took = began.elapsed().as_millis() as u64;
                tracing::debug!(digest = %part.digest, bytes = part.size, took_ms = took, "kept in the vault");
                Ok(())
            }
        }
    }
}

pub(super) fn interrupted() -> Failure {
    Failure { lack: Lack::Interrupted, detail: "the run ended before it was copied".to_owned() }
}

pub(super) fn of_vault(error: VaultError) -> Failure {
    Failure { lack: Lack::Vault, detail: error.to_string() }
}

pub(super) fn failure(stuck: Stuck) -> Failure {
    match stuck {
        Stuck::Vault(error) => of_vault(error),
        Stuck::Malformed(detail) => Failure { lack: Lack::Unread, detail },
        Stuck::Lost(digest, lost) => {
            let lack = match lost {
                Lost::NotFound => Lack::Gone,
                Lost::Wrong(_) => Lack::WrongBytes,
                Lost::Unknown(_) => Lack::Unread,
            };
            Failure { lack, detail: format!("{digest}: {lost}") }
        }
    }
}
