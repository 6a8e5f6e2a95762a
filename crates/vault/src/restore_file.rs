//! A kept file's bytes, for whoever puts it back.

use async_trait::async_trait;
use bytes::Bytes;

use super::Vault;
use prodpin_core::model::Digest;
use prodpin_sources::file::Pieces;

/// A blob of the vault, a piece at a time.
#[derive(Debug)]
pub struct BlobPieces<'v> {
    /// Where it lies.
    pub vault: &'v Vault,
    /// Which.
    pub digest: &'v Digest,
}

#[async_trait]
impl Pieces for BlobPieces<'_> {
    async fn piece(&self, from: u64, until: u64) -> Result<Bytes, String> {
        self.vault.range(self.digest, from, until).await.map_err(|error| error.to_string())
    }
}
