//! The store under the vault, and the names in it.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload};
use tokio::sync::OnceCell;

use super::{Shelf, Vault, VaultError};
use prodpin_core::model::{Digest, RepositoryKey};

/// No manifest is larger, and no entry.
pub(super) const DOCUMENT_CAP: u64 = 4 << 20;

/// Where a blob or a manifest is.
pub(super) fn blob_path(digest: &Digest) -> Path {
    Path::from_iter(["blobs", digest.algorithm(), &digest.hex()])
}

/// Where the entries of a repository are.
pub(super) fn entries_path(repository: &RepositoryKey) -> Path {
    let parts = ["prodpin", repository.source.as_str()].into_iter().chain(repository.name.as_str().split('/'));
    Path::from_iter(parts)
}

impl Vault {
    /// The store, where it lies on one.
    pub(super) fn objects(&self) -> Result<&Arc<dyn ObjectStore>, VaultError> {
        match &self.shelf {
            Shelf::Store(objects) => Ok(objects),
            Shelf::Registry(_) => Err(self.failed("it is in a registry, where prodpin only adds".to_owned())),
        }
    }

    /// What a registry said, as an error of the vault.
    pub(super) fn failed(&self, detail: String) -> VaultError {
        VaultError { location: self.location.clone(), detail }
    }

    pub(super) fn error(&self, doing: &str, error: &Error) -> VaultError {
        // The chain below says what the store said; the address in it is the vault's own.
        let mut detail = format!("{doing}: {error}");
        detail.truncate(detail.char_indices().nth(400).map_or(detail.len(), |(at, _)| at));
        VaultError { location: self.location.clone(), detail }
    }

    /// A small object's bytes; none if the store says that there is none.
    pub(super) async fn get(&self, path: &Path, cap: u64) -> Result<Option<Bytes>, VaultError> {
        let what = || format!("{path} could not be read");
        match self.objects()?.get(path).await {
            Ok(found) if found.meta.size > cap => {
                let detail = format!("{path} has {} bytes, and no more than {cap} are read", found.meta.size);
                Err(VaultError { location: self.location.clone(), detail })
            }
            Ok(found) => found.bytes().await.map(Some).map_err(|error| self.error(&what(), &error)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error(&what(), &error)),
        }
    }

    /// The size of an object; none if the store says that there is none.
    pub(super) async fn size(&self, path: &Path) -> Result<Option<u64>, VaultError> {
        match self.objects()?.head(path).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error(&format!("{path} could not be looked up"), &error)),
        }
    }

    /// Creates an object unless it is there. Whether it was created.
    pub(super) async fn create(&self, path: &Path, bytes: Bytes) -> Result<bool, VaultError> {
        let payload = PutPayload::from(bytes);
        match self.objects()?.put_opts(path, payload, PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
            Err(error) => Err(self.error(&format!("{path} could not be written"), &error)),
        }
    }

    /// A part of a blob.
    pub(super) async fn range(&self, digest: &Digest, from: u64, to: u64) -> Result<Bytes, VaultError> {
        if let Shelf::Registry(registry) = &self.shelf {
            return registry.range(digest, from, to).await.map_err(|detail| self.failed(detail));
        }
        let path = blob_path(digest);
        let read = self.objects()?.get_range(&path, from..to).await;
        read.map_err(|error| self.error(&format!("{path} could not be read"), &error))
    }

    /// A manifest's bytes, if they are there and hash to its digest.
    pub(super) async fn document(&self, digest: &Digest) -> Result<Option<Bytes>, VaultError> {
        if let Shelf::Registry(registry) = &self.shelf {
            return registry.document(digest).await.map_err(|detail| self.failed(detail));
        }
        let bytes = self.get(&blob_path(digest), DOCUMENT_CAP).await?;
        Ok(bytes.filter(|bytes| digest.matches(bytes)))
    }

    /// Where it is kept that a part is there.
    pub(super) fn cell(&self, digest: &Digest) -> Arc<OnceCell<()>> {
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(known.entry(digest.clone()).or_default())
    }
}
