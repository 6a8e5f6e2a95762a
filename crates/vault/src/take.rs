//! One blob on its way into the vault: hashed as it streams, visible only when it hashed to its digest.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt as _, PutPayload};
use url::Url;

use super::hash::Hash;
use super::place::blob_path;
use super::{InRegistry, Shelf, Vault, VaultError};
use prodpin_core::model::{Cause, Digest};
use prodpin_net::http::fault::Fault;
use prodpin_sources::content::Taker;

/// A piece of a large blob: the smallest that S3 takes.
const REMOTE_PIECE: usize = 5 << 20;

/// On a disk, less memory does as well.
const LOCAL_PIECE: usize = 1 << 20;

/// S3 takes no more pieces than 10,000 of one object.
const MOST_PIECES: u64 = 9_000;

/// A blob that is being taken.
pub(super) struct Taking<'v> {
    vault: &'v Vault,
    digest: &'v Digest,
    path: Path,
    expected: u64,
    piece: usize,
    /// Bytes that were hashed.
    pub(super) received: u64,
    /// Bytes to leave out, because a server sent again what was taken already.
    skip: u64,
    hash: Hash,
    buffer: BytesMut,
    upload: Option<Box<dyn MultipartUpload>>,
    /// Where a registry takes the next piece, and how much it has.
    session: Option<Url>,
    sent: u64,
    /// What went wrong with the vault, which is no fault of the source.
    pub(super) vault_error: Option<VaultError>,
}

impl<'v> Taking<'v> {
    pub(super) fn new(vault: &'v Vault, digest: &'v Digest, expected: u64) -> Self {
        let smallest = if vault.local { LOCAL_PIECE } else { REMOTE_PIECE };
        let piece = usize::try_from(expected / MOST_PIECES).unwrap_or(smallest).max(smallest);
        Self {
            vault,
            digest,
            path: blob_path(digest),
            expected,
            piece,
            received: 0,
            skip: 0,
            hash: Hash::of(digest),
            buffer: BytesMut::new(),
            upload: None,
            session: None,
            sent: 0,
            vault_error: None,
        }
    }

    /// Begins. Whether it is there already: a registry may have it elsewhere.
    pub(super) async fn start(&mut self) -> Result<bool, VaultError> {
        let Shelf::Registry(registry) = &self.vault.shelf else { return Ok(false) };
        let begun = registry.begin(self.digest, self.expected).await;
        self.session = begun.map_err(|detail| self.vault.failed(detail))?;
        Ok(self.session.is_none())
    }

    /// Sends a piece to a registry.
    async fn send(&mut self, registry: &InRegistry, piece: Bytes) -> Result<(), VaultError> {
        let Some(to) = self.session.take() else { return Err(self.unwritten()) };
        let length = piece.len() as u64;
        let next = registry.send(to, self.sent, piece).await;
        self.session = Some(next.map_err(|detail| self.vault.failed(detail))?);
        self.sent += length;
        Ok(())
    }

    /// Has a registry hold what it got to its digest.
    async fn end(&mut self, registry: &InRegistry, rest: Bytes) -> Result<(), VaultError> {
        let mut rest = rest;
        // After pieces the end is empty: some registries take no bytes with it then.
        if self.sent > 0 && !rest.is_empty() {
            self.send(registry, std::mem::take(&mut rest)).await?;
        }
        let Some(to) = self.session.take() else { return Err(self.unwritten()) };
        registry.end(to, self.digest, rest).await.map_err(|detail| self.vault.failed(detail))
    }

    fn failed(&mut self, error: VaultError) -> Fault {
        let fault = Fault::new(Cause::Unreachable, error.to_string());
        self.vault_error = Some(error);
        fault
    }

    async fn flush(&mut self, piece: Bytes) -> Result<(), Fault> {
        let vault = self.vault;
        let objects = match &vault.shelf {
            Shelf::Store(objects) => objects,
            Shelf::Registry(registry) => {
                let sent = self.send(registry, piece).await;
                return sent.map_err(|error| self.failed(error));
            }
        };
        if self.upload.is_none() {
            match objects.put_multipart(&self.path).await {
                Ok(upload) => self.upload = Some(upload),
                Err(error) => {
                    let error = self.vault.error(&format!("{} could not be written", self.path), &error);
                    return Err(self.failed(error));
                }
            }
        }
        let Some(upload) = &mut self.upload else { return Ok(()) };
        if let Err(error) = upload.put_part(PutPayload::from(piece)).await {
            let error = self.vault.error(&format!("{} could not be written", self.path), &error);
            return Err(self.failed(error));
        }
        Ok(())
    }

    /// Ends it: the blob appears if it hashed to its digest, and not otherwise. What is wrong with it comes back.
    pub(super) async fn finish(mut self) -> Result<Option<String>, VaultError> {
        let digest = self.hash.digest();
        if digest != *self.digest || self.received != self.expected {
            let (digest, received, expected) = (self.digest, self.received, self.expected);
            self.abort().await;
            return Ok(Some(match received == expected {
                true => format!("the bytes served for {digest} do not hash to it"),
                false => format!("{received} bytes were served for {digest}, which has {expected}"),
            }));
        }
        let rest = self.buffer.split().freeze();
        let vault = self.vault;
        if let Shelf::Registry(registry) = &vault.shelf {
            return self.end(registry, rest).await.map(|()| None);
        }
        if self.upload.is_none() {
            return self.vault.create(&self.path, rest).await.map(|_| None);
        }
        if !rest.is_empty() && self.flush(rest).await.is_err() {
            let error = self.vault_error.take();
            self.give_up().await;
            return Err(error.unwrap_or_else(|| self.unwritten()));
        }
        let Some(upload) = &mut self.upload else { return Err(self.unwritten()) };
        match upload.complete().await {
            Ok(_) => Ok(None),
            Err(error) => {
                let error = self.vault.error(&format!("{} could not be written", self.path), &error);
                self.abort().await;
                Err(error)
            }
        }
    }

    /// What was not written is never called kept, whatever the reason.
    fn unwritten(&self) -> VaultError {
        VaultError { location: self.vault.location.clone(), detail: format!("{} was not written", self.path) }
    }

    /// Gives it up: nothing of it is left where that can be helped.
    pub(super) async fn abort(mut self) {
        self.give_up().await;
    }

    async fn give_up(&mut self) {
        if let Some(upload) = &mut self.upload
            && let Err(error) = upload.abort().await
        {
            tracing::debug!(path = %self.path, %error, "an upload could not be given up");
        }
    }
}

#[async_trait]
impl Taker for Taking<'_> {
    async fn begin(&mut self, at: u64) -> Result<(), Fault> {
        self.skip = self.received.saturating_sub(at);
        match at <= self.received {
            true => Ok(()),
            false => Err(Fault::malformed("a later part of the blob than was asked for")),
        }
    }

    async fn take(&mut self, mut piece: Bytes) -> Result<(), Fault> {
        let left_out = usize::try_from(self.skip).unwrap_or(usize::MAX).min(piece.len());
        self.skip -= left_out as u64;
        let piece = piece.split_off(left_out);
        if piece.is_empty() {
            return Ok(());
        }
        self.received += piece.len() as u64;
        self.vault.moved.bytes.fetch_add(piece.len() as u64, std::sync::atomic::Ordering::Relaxed);
        if self.received > self.expected {
            return Err(Fault::malformed(format!("more bytes than the {} that {} has", self.expected, self.digest)));
        }
        self.hash.update(&piece);
        self.buffer.extend_from_slice(&piece);
        while self.buffer.len() >= self.piece {
            let full = self.buffer.split_to(self.piece).freeze();
            self.flush(full).await?;
        }
        Ok(())
    }
}
