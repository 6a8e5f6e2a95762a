//! A vault in a repository of another registry. Blobs are blobs and manifests are manifests there, each manifest under a tag of its
//! own that is derived from its digest (`kept-<hex>`), so that no cleanup of untagged manifests takes it and nobody has a reason
//! to move it. An entry is a small artifact under a tag that is derived from what it says (`entry-<repository>-<entry>`).

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use serde_json::json;
use url::Url;

use super::entry::Entry;
use super::place::DOCUMENT_CAP;
use prodpin_core::model::{ArtifactId, Cause, Digest, RepositoryKey, RepositoryName, Resolution, Tag};
use prodpin_net::http::fault::Fault;
use prodpin_sources::Source;
use prodpin_sources::content::{Content, Lost, Taker};
use prodpin_sources::oci::{Restorer, Upload};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const ENTRY: &str = "application/vnd.prodpin.entry.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// What the tag of every entry begins with.
const ENTRY_TAG: &str = "entry-";

/// The repository, and the ways to read and to write there.
pub struct InRegistry {
    source: Source,
    writer: Restorer,
    repository: RepositoryName,
}

impl std::fmt::Debug for InRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InRegistry({})", self.repository)
    }
}

impl InRegistry {
    /// A vault in this repository. Whether it may write is decided by how its registry was opened.
    #[must_use]
    pub fn new(source: Source, writer: Restorer, repository: RepositoryName) -> Self {
        Self { source, writer, repository }
    }

    fn content(&self) -> Result<&dyn Content, String> {
        self.source.inventory.content().ok_or_else(|| "its bytes cannot be read".to_owned())
    }

    /// How its blobs are read as they stream.
    pub(super) fn readable(&self) -> Result<(&dyn Content, &RepositoryName), String> {
        Ok((self.content()?, &self.repository))
    }

    /// A manifest's bytes, if they are there and hash to its digest.
    pub(super) async fn document(&self, digest: &Digest) -> Result<Option<Bytes>, String> {
        match self.content()?.manifest(&self.repository, digest).await {
            Ok(document) => Ok(Some(document.bytes)),
            Err(Lost::NotFound | Lost::Wrong(_)) => Ok(None),
            // A repository that nothing was ever pushed to is not there.
            Err(Lost::Unknown(fault)) if fault.cause == Cause::NotFound => Ok(None),
            Err(Lost::Unknown(fault)) => Err(fault.detail),
        }
    }

    /// Whether what it serves under a manifest's digest does not hash to that.
    pub(super) async fn serves_other_bytes(&self, digest: &Digest) -> Result<bool, String> {
        Ok(matches!(self.content()?.manifest(&self.repository, digest).await, Err(Lost::Wrong(_))))
    }

    /// Whether a blob is there with this size, by its own first byte.
    pub(super) async fn has(&self, digest: &Digest, size: u64) -> Result<bool, String> {
        match self.writer.has_blob_now(&self.repository, digest, size).await {
            Err(fault) if fault.cause == Cause::NotFound => Ok(false),
            answer => answer.map_err(|fault| fault.detail),
        }
    }

    /// A part of a blob.
    pub(super) async fn range(&self, digest: &Digest, from: u64, until: u64) -> Result<Bytes, String> {
        let mut piece = Piece { from, at: from, until, bytes: BytesMut::new() };
        let read = self.content()?.blob(&self.repository, digest, from, &mut piece).await;
        match (piece.at >= until, read) {
            (true, _) | (false, Ok(())) => Ok(piece.bytes.freeze()),
            (false, Err(lost)) => Err(format!("{digest}: {lost}")),
        }
    }

    /// Puts a manifest under its own tag.
    pub(super) async fn keep_document(&self, digest: &Digest, media_type: &str, bytes: Bytes) -> Result<(), String> {
        let tag = name(&format!("kept-{}", &digest.hex()[..64]))?;
        self.put(&tag, digest, media_type, bytes).await
    }

    /// Puts a small blob, unless it is there.
    pub(super) async fn keep_bytes(&self, digest: &Digest, bytes: Bytes) -> Result<(), String> {
        if self.has(digest, bytes.len() as u64).await? {
            return Ok(());
        }
        let failed = |fault: Fault| fault.detail;
        match self.writer.begin(&self.repository, digest, false).await.map_err(failed)? {
            Upload::Mounted => Ok(()),
            Upload::At(to) => self.writer.end(&self.repository, to, digest, bytes).await.map_err(failed),
        }
    }

    /// Begins to take a blob; none where the registry had it elsewhere and took it from there, which its first byte proves.
    pub(super) async fn begin(&self, digest: &Digest, size: u64) -> Result<Option<Url>, String> {
        let failed = |fault: Fault| fault.detail;
        match self.writer.begin(&self.repository, digest, true).await.map_err(failed)? {
            Upload::At(to) => Ok(Some(to)),
            Upload::Mounted if self.has(digest, size).await? => Ok(None),
            Upload::Mounted => match self.writer.begin(&self.repository, digest, false).await.map_err(failed)? {
                Upload::At(to) => Ok(Some(to)),
                Upload::Mounted => Ok(None),
            },
        }
    }

    /// The next piece of it.
    pub(super) async fn send(&self, to: Url, offset: u64, bytes: Bytes) -> Result<Url, String> {
        self.writer.send(&self.repository, to, offset, bytes).await.map_err(|fault| fault.detail)
    }

    /// All of it was sent: the registry holds it to its digest.
    pub(super) async fn end(&self, to: Url, digest: &Digest, rest: Bytes) -> Result<(), String> {
        self.writer.end(&self.repository, to, digest, rest).await.map_err(|fault| fault.detail)
    }

    /// Writes an entry unless it is there.
    pub(super) async fn enter(&self, entry: &Entry) -> Result<(), String> {
        let tag = name(&tag_of(entry))?;
        match self.source.inventory.look_up(&self.repository, &tag).await {
            (Resolution::Artifact(_), _) => return Ok(()),
            (Resolution::NotFound, _) => {}
            (Resolution::Unknown, gap) => return Err(gap.map_or_else(|| format!("tag {tag}"), |gap| gap.detail)),
        }
        let text = serde_json::to_vec(entry).map_err(|error| error.to_string())?;
        let (config, empty) = (Digest::sha256(&text), Digest::sha256(b"{}"));
        let size = text.len();
        self.keep_bytes(&config, text.into()).await?;
        self.keep_bytes(&empty, Bytes::from_static(b"{}")).await?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": ENTRY,
            "config": { "mediaType": ENTRY, "digest": config.to_string(), "size": size },
            "layers": [{ "mediaType": EMPTY, "digest": empty.to_string(), "size": 2 }],
        });
        let bytes = Bytes::from(manifest.to_string());
        self.put(&tag, &Digest::sha256(&bytes), MANIFEST, bytes).await
    }

    /// The entries of a repository, in no order; each that cannot be read is an error, for it may be the one that is asked for.
    pub(super) async fn entries(&self, repository: &RepositoryKey) -> Result<Vec<Entry>, String> {
        let snapshot = self.source.inventory.observe(&self.repository).await;
        if let Some(gap) = snapshot.gaps.iter().find(|gap| gap.cause != Cause::NotFound) {
            return Err(gap.detail.clone());
        }
        let begins = format!("{ENTRY_TAG}{}-", key_name(repository));
        let mut entries = Vec::new();
        for tag in snapshot.tags.iter().filter(|tag| tag.name.as_str().starts_with(&begins)) {
            let Some(digest) = tag.target.artifact().and_then(ArtifactId::digest) else { continue };
            let entry = self.entry(digest).await?;
            if entry.key() == *repository {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    async fn entry(&self, digest: &Digest) -> Result<Entry, String> {
        #[derive(serde::Deserialize)]
        struct Artifact {
            config: Config,
        }
        #[derive(serde::Deserialize)]
        struct Config {
            digest: Digest,
            size: u64,
        }
        let odd = |what: &str| format!("{digest}: {what}");
        let bytes = self.document(digest).await?.ok_or_else(|| odd("an entry's manifest is not there"))?;
        let Artifact { config } = serde_json::from_slice(&bytes).map_err(|_| odd("this is no entry of the vault"))?;
        if config.size > DOCUMENT_CAP {
            return Err(odd("an entry that is too large"));
        }
        let text = self.range(&config.digest, 0, config.size).await?;
        match config.digest.matches(&text) {
            true => serde_json::from_slice(&text).map_err(|_| odd("this is no entry of the vault")),
            false => Err(odd("an entry's bytes do not hash to their digest")),
        }
    }

    /// Puts a manifest under a tag that names nothing, or it already (I8).
    async fn put(&self, tag: &Tag, digest: &Digest, media_type: &str, bytes: Bytes) -> Result<(), String> {
        match self.source.inventory.look_up(&self.repository, tag).await {
            (Resolution::Artifact(named), _) if named.digest() == Some(digest) => return Ok(()),
            (Resolution::Artifact(named), _) => {
                return Err(format!("tag {tag} names {named}, which is none of prodpin's doing; it is left alone"));
            }
            (Resolution::NotFound, _) => {}
            (Resolution::Unknown, gap) => return Err(gap.map_or_else(|| format!("tag {tag}"), |gap| gap.detail)),
        }
        let put = self.writer.put_tag(&self.repository, tag, digest, media_type, bytes).await;
        put.map_err(|fault| fault.detail)
    }
}

fn name(text: &str) -> Result<Tag, String> {
    text.parse().map_err(|_| format!("{text} is no tag"))
}

/// A repository by a name that every registry takes as a part of a tag.
fn key_name(repository: &RepositoryKey) -> String {
    Digest::sha256(repository.to_string().as_bytes()).hex()[..32].to_owned()
}

/// The same target with the same tags has one name: what is known is not written again (I13).
fn tag_of(entry: &Entry) -> String {
    let path = Digest::sha256(entry.path().as_ref().as_bytes()).hex();
    format!("{ENTRY_TAG}{}-{}", key_name(&entry.key()), &path[..48])
}

/// A part of a blob that is taken, and no more of it.
struct Piece {
    from: u64,
    at: u64,
    until: u64,
    bytes: BytesMut,
}

#[async_trait]
impl Taker for Piece {
    async fn begin(&mut self, at: u64) -> Result<(), Fault> {
        self.at = at;
        match at <= self.from {
            true => Ok(()),
            false => Err(Fault::malformed("a later part of the blob than was asked for")),
        }
    }

    async fn take(&mut self, piece: Bytes) -> Result<(), Fault> {
        let (begins, ends) = (self.at, self.at + piece.len() as u64);
        let (from, until) = (self.from.clamp(begins, ends), self.until.clamp(begins, ends));
        self.bytes.extend_from_slice(&piece[(from - begins) as usize..(until - begins) as usize]);
        self.at = ends;
        match self.at >= self.until {
            // The rest of the body is nobody's wish.
            true => Err(Fault::new(Cause::Interrupted, "that is enough")),
            false => Ok(()),
        }
    }
}
