//! An S3 Inventory in place of a listing (B79): what a large bucket held when the inventory was made.
//!
//! It is read once, spread over files by repository, and each repository is then read from its file alone, so that
//! memory stays that of one repository. What it says is as of then: what is missing in it is looked up in the bucket
//! itself before it is called gone (I4), and one that is old leaves a gap.

mod manifest;
mod rows;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use prodpin_core::model::{Cause, Gap, RepositoryName, Scope};
use prodpin_net::cursor::Cursor;
use prodpin_policy::InventoryLocation;

use super::Bucket;
use super::failure::S3Failure;
use super::listing::Page;

use self::manifest::{File, Manifest};
use self::rows::Spool;

pub(super) const READ: &str = "s3:GetObject on the inventory";

/// Read in pieces, so that no answer is larger than any other that is accepted.
const PIECE: u64 = 8 << 20;

/// A manifest names files; nobody has this many.
const MOST_MANIFEST: u64 = 4 << 20;

/// Daily inventories are there within a day or two.
const STALE: SignedDuration = SignedDuration::from_hours(48);

/// An inventory, read.
#[derive(Debug)]
pub(super) struct Inventory {
    /// When it was made.
    pub(super) made: Timestamp,
    /// The repositories that it knows, each with how many rows are about it.
    pub(super) repositories: BTreeMap<Box<str>, usize>,
    spool: Arc<Spool>,
}

impl Inventory {
    /// Fetches and spreads it.
    pub(super) async fn read(bucket: &Bucket, place: &InventoryLocation) -> Result<Self, S3Failure> {
        let key = newest(bucket, place).await?;
        let text = fetch(bucket, &place.bucket, &key, MOST_MANIFEST).await?;
        let manifest = Manifest::read(&text, bucket.name()).map_err(malformed)?;
        let mut spool = Spool::new().map_err(|error| malformed(format!("no temporary file: {error}")))?;
        for file in &manifest.files {
            let compressed = download(bucket, &place.bucket, file).await?;
            let (layout, columns) = (bucket.config.layout.clone(), manifest.columns.clone());
            let size = file.size;
            let filled = tokio::task::spawn_blocking(move || {
                spool.fill(compressed, size, &columns, &layout)?;
                Ok::<Spool, String>(spool)
            });
            spool = filled
                .await
                .map_err(|error| malformed(error.to_string()))?
                .map_err(|reason| malformed(format!("{}: {reason}", file.key)))?;
        }
        let repositories = spool.finish().map_err(malformed)?;
        tracing::info!(made = %manifest.made, "bucket {} is known by its inventory of {}", bucket.name(), manifest.made);
        Ok(Self { made: manifest.made, repositories, spool: Arc::new(spool) })
    }

    /// How many versions and markers it knows of one repository.
    pub(super) fn rows(&self, repository: &RepositoryName) -> usize {
        self.repositories.get(repository.as_str()).copied().unwrap_or_default()
    }

    /// Everything that it knows of one repository, as one page of a listing.
    pub(super) async fn page(&self, bucket: &Bucket, repository: &RepositoryName) -> Result<Page, S3Failure> {
        let (spool, layout, name) = (Arc::clone(&self.spool), bucket.config.layout.clone(), repository.clone());
        let read = tokio::task::spawn_blocking(move || spool.page(&layout, &name));
        read.await.map_err(|error| malformed(error.to_string()))?.map_err(malformed)
    }

    /// What an old inventory leaves unknown.
    pub(super) fn staleness(&self, bucket: &Bucket, now: Timestamp) -> Option<Gap> {
        let age = now.duration_since(self.made);
        (age > STALE).then(|| {
            let detail = format!(
                "bucket {}: its inventory is of {}, {} days ago; what was written or deleted since is not known. Check \
                 that inventories are still delivered, or leave inventory out of the policy to list the bucket",
                bucket.name(),
                self.made,
                age.as_hours() / 24
            );
            Gap::new(Scope::Repository, Cause::Unsupported, detail)
        })
    }
}

fn malformed(reason: impl Into<String>) -> S3Failure {
    S3Failure::new(Cause::Malformed, READ, reason)
}

/// The manifest that was named, or the newest below the folder that was. Folders are named by time, so the last in
/// order is the newest; one of `data` and the like is not named by time.
async fn newest(bucket: &Bucket, place: &InventoryLocation) -> Result<String, S3Failure> {
    if place.key.ends_with("manifest.json") {
        return Ok(place.key.clone());
    }
    let prefix = format!("{}/", place.key.trim_end_matches('/'));
    let (mut newest, mut cursor) = (None::<String>, Cursor::default());
    loop {
        let request = bucket.client.list_objects_v2().bucket(&place.bucket).prefix(&prefix).delimiter("/");
        let request = request.set_continuation_token(cursor.token());
        let answer = bucket.budget.call("s3:ListBucket on the inventory", request.send()).await?;
        let folders = answer.common_prefixes().iter().filter_map(|folder| folder.prefix());
        let latest = folders.filter(|folder| is_dated(folder, &prefix)).max().map(str::to_owned);
        newest = newest.max(latest);
        let next = answer.next_continuation_token().filter(|_| answer.is_truncated() == Some(true));
        if !cursor.advance(next.map(str::to_owned), answer.common_prefixes().is_empty()).map_err(malformed)? {
            break;
        }
    }
    newest.map(|folder| format!("{folder}manifest.json")).ok_or_else(|| {
        malformed(format!(
            "no inventory below s3://{}/{prefix}; name the folder that holds its dated ones",
            place.bucket
        ))
    })
}

fn is_dated(folder: &str, prefix: &str) -> bool {
    let name = folder.strip_prefix(prefix).unwrap_or_default();
    name.starts_with(|first: char| first.is_ascii_digit()) && name.contains('T')
}

async fn fetch(bucket: &Bucket, holder: &str, key: &str, most: u64) -> Result<Vec<u8>, S3Failure> {
    let request = bucket.client.get_object().bucket(holder).key(key);
    let answer = bucket.budget.call(READ, request.send()).await?;
    let length = answer.content_length().and_then(|length| u64::try_from(length).ok()).unwrap_or(u64::MAX);
    if length > most {
        return Err(malformed(format!("s3://{holder}/{key} is larger than {} MiB", most >> 20)));
    }
    let body = answer.body.collect().await.map_err(|error| malformed(error.to_string()))?;
    Ok(body.to_vec())
}

/// One data file, piece by piece into a file of our own.
async fn download(bucket: &Bucket, holder: &str, file: &File) -> Result<std::fs::File, S3Failure> {
    use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
    let failed = |error: std::io::Error| malformed(format!("a temporary file: {error}"));
    let mut copy = tokio::fs::File::from_std(tempfile::tempfile().map_err(failed)?);
    let (mut at, mut version) = (0, None);
    while at < file.size {
        let end = (at + PIECE).min(file.size) - 1;
        let request = bucket.client.get_object().bucket(holder).key(&file.key).range(format!("bytes={at}-{end}"));
        // All pieces are of the same object, or none is.
        let answer = bucket.budget.call(READ, request.set_if_match(version.take()).send()).await?;
        version = answer.e_tag().map(str::to_owned);
        let piece = answer.body.collect().await.map_err(|error| malformed(error.to_string()))?.into_bytes();
        if piece.len() as u64 != end + 1 - at {
            return Err(malformed(format!(
                "{}: {} bytes were asked for and {} came",
                file.key,
                end + 1 - at,
                piece.len()
            )));
        }
        copy.write_all(&piece).await.map_err(failed)?;
        at = end + 1;
    }
    copy.rewind().await.map_err(failed)?;
    Ok(copy.into_std().await)
}
