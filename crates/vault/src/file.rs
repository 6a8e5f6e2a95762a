//! A target that is one file: its bytes are a blob by their SHA-256, and a small manifest says what it was: its key, version,
//! checksums, content type and metadata. The manifest follows from these alone, so that the same file has one name.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::closure::{Closure, Stuck};
use super::copy::{Failure, failure, interrupted, of_vault};
use super::entry::Entry;
use super::place::blob_path;
use super::spool::Spooling;
use super::{Shelf, Vault};
use prodpin_core::decide::vault::{Lack, VaultPart};
use prodpin_core::model::{ArtifactId, Cause, Digest, RepositoryKey, RepositoryName, Tag};
use prodpin_sources::content::{Content, Document, Lost, Taker};
use prodpin_sources::file::{FileFacts, Files, KeptFile, Verdict};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const KIND: &str = "application/vnd.prodpin.file.v1";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const BINARY: &str = "application/octet-stream";
const TITLE: &str = "org.opencontainers.image.title";

/// What the name of each note begins with in the manifest.
const NOTE: &str = "prodpin.dev/file.";

/// A body that breaks off is carried on from where it broke so often.
const CARRIED_ON: u32 = 4;

/// A file that is copied.
#[derive(Debug)]
pub struct FileTarget<'t> {
    /// Its repository.
    pub repository: &'t RepositoryKey,
    /// What its source calls it.
    pub artifact: &'t ArtifactId,
    /// The keys or versions that name it now.
    pub tags: &'t [Tag],
}

impl Vault {
    /// Copies a file, and writes its entry when it is whole. One that is there is not read again. `stopped` says when to begin
    /// nothing new.
    pub async fn keep_file(
        &self,
        target: &FileTarget<'_>,
        files: &dyn Files,
        stopped: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<Entry, Failure> {
        let (key, artifact) = (target.repository, target.artifact);
        let root = match self.file_root(key, artifact).await.map_err(of_vault)? {
            Some(root) if self.whole(&root, None).await.is_ok() => root,
            _ => self.bring_file(target, files, stopped).await?,
        };
        let document = self.document(&root).await.map_err(of_vault)?;
        let size = document.map_or(0, |bytes| bytes.len() as u64);
        let part = manifest_part(root, size);
        let entry = Entry { file: Some(artifact.clone()), ..Entry::new(key, target.tags, &part) };
        self.enter(&entry).await.map_err(of_vault)?;
        Ok(entry)
    }

    /// Reads it once, and writes its blob and its manifest.
    async fn bring_file(
        &self,
        target: &FileTarget<'_>,
        files: &dyn Files,
        stopped: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<Digest, Failure> {
        let (name, artifact) = (&target.repository.name, target.artifact);
        let lost = |lost: Lost| {
            let Failure { lack, .. } = failure(Stuck::Lost(Digest::sha256(b""), lost.clone()));
            Failure { lack, detail: format!("{artifact}: {lost}") }
        };
        if stopped() {
            return Err(interrupted());
        }
        let facts = files.facts(name, artifact).await.map_err(lost)?;
        let whole = |digest: Digest, size| VaultPart {
            digest,
            size,
            media_type: BINARY.to_owned(),
            is_manifest: false,
            depth: 1,
        };
        let part = match (&facts.digest, facts.size) {
            // Held to its name as it streams by.
            (Some(digest), Some(size)) => {
                let part = whole(digest.clone(), size);
                let one = OneFile { files, artifact, facts: &facts };
                self.keep_blob(name, &part, &one, stopped).await?;
                part
            }
            _ => {
                let (read, spooled) = self.spool(files, target, &facts, stopped).await?;
                if let Verdict::Other(detail) = read.verdict {
                    return Err(Failure { lack: Lack::WrongBytes, detail: format!("{artifact}: {detail}") });
                }
                let part = whole(read.digest, read.size);
                self.keep_blob(name, &part, &spooled, stopped).await?;
                part
            }
        };
        let empty = Bytes::from_static(b"{}");
        let config = Digest::sha256(&empty);
        if !self.has(&config, empty.len() as u64).await.map_err(of_vault)? {
            self.keep_bytes(&config, empty).await.map_err(of_vault)?;
        }
        let bytes = Bytes::from(manifest(&part, &facts.notes).to_string());
        let root = Digest::sha256(&bytes);
        if self.document(&root).await.map_err(of_vault)?.is_none() {
            let part = manifest_part(root.clone(), bytes.len() as u64);
            self.keep_manifest(&part, bytes).await.map_err(of_vault)?;
        }
        Ok(root)
    }

    /// Reads a file whose hash nobody knows, and carries on where it breaks off.
    async fn spool(
        &self,
        files: &dyn Files,
        target: &FileTarget<'_>,
        facts: &FileFacts,
        stopped: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<(prodpin_sources::file::FileRead, super::spool::Spooled), Failure> {
        let Ok(_lane) = self.lanes.acquire().await else { return Err(interrupted()) };
        let (mut spooling, mut broke) = (Spooling::of(facts), 0);
        loop {
            if stopped() {
                return Err(interrupted());
            }
            let before = spooling.received;
            let read = files.file(&target.repository.name, target.artifact, facts, before, &mut spooling).await;
            if let Some(detail) = spooling.disk.take() {
                return Err(Failure { lack: Lack::Vault, detail });
            }
            match read {
                Ok(()) => break,
                Err(Lost::Unknown(fault))
                    if matches!(fault.cause, Cause::Unreachable | Cause::ServerError | Cause::TimedOut)
                        && broke < CARRIED_ON
                        && spooling.received > before =>
                {
                    broke += 1;
                }
                Err(lost) => {
                    let Failure { lack, .. } = failure(Stuck::Lost(Digest::sha256(b""), lost.clone()));
                    return Err(Failure { lack, detail: format!("{}: {lost}", target.artifact) });
                }
            }
        }
        spooling.finish(facts).ok_or_else(interrupted)
    }
}

fn manifest_part(digest: Digest, size: u64) -> VaultPart {
    VaultPart { digest, size, media_type: MANIFEST.to_owned(), is_manifest: true, depth: 0 }
}

/// One file, read as a registry's blob is read.
struct OneFile<'f> {
    files: &'f dyn Files,
    artifact: &'f ArtifactId,
    facts: &'f FileFacts,
}

#[async_trait]
impl Content for OneFile<'_> {
    async fn manifest(&self, _repository: &RepositoryName, _digest: &Digest) -> Result<Document, Lost> {
        Err(Lost::NotFound)
    }

    async fn blob(
        &self,
        repository: &RepositoryName,
        _digest: &Digest,
        from: u64,
        taker: &mut dyn Taker,
    ) -> Result<(), Lost> {
        self.files.file(repository, self.artifact, self.facts, from, taker).await
    }
}

/// What a file is kept under: an image manifest as other tools read it, with the file as its one layer.
fn manifest(part: &VaultPart, notes: &BTreeMap<String, String>) -> Value {
    let annotations: BTreeMap<String, &String> =
        notes.iter().map(|(name, value)| (format!("{NOTE}{name}"), value)).collect();
    let mut layer = json!({ "mediaType": BINARY, "digest": part.digest.to_string(), "size": part.size });
    if let Some(title) = title(notes) {
        layer["annotations"] = json!({ TITLE: title });
    }
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": KIND,
        "config": { "mediaType": EMPTY, "digest": Digest::sha256(b"{}").to_string(), "size": 2 },
        "layers": [layer],
        "annotations": annotations,
    })
}

/// The name under which `oras` writes it: the last part of its key, where that is a plain name of a file (F81).
fn title(notes: &BTreeMap<String, String>) -> Option<&str> {
    let last = notes.get("key").or_else(|| notes.get("name"))?.rsplit('/').next()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+');
    (!last.is_empty() && !last.starts_with('.') && last.bytes().all(plain)).then_some(last)
}

/// The file that was kept under this manifest; none where it is no file's.
#[must_use]
pub fn kept_file(closure: &Closure) -> Option<KeptFile> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Kept {
        artifact_type: String,
        layers: Vec<Layer>,
        #[serde(default)]
        annotations: BTreeMap<String, String>,
    }
    #[derive(Deserialize)]
    struct Layer {
        digest: Digest,
        size: u64,
    }
    let root = closure.parts.last()?;
    let kept: Kept = serde_json::from_slice(closure.documents.get(&root.digest)?).ok()?;
    let [Layer { digest, size }] = kept.layers.as_slice() else { return None };
    let notes =
        kept.annotations.into_iter().filter_map(|(name, value)| Some((name.strip_prefix(NOTE)?.to_owned(), value)));
    let file = KeptFile { digest: digest.clone(), size: *size, notes: notes.collect() };
    (kept.artifact_type == KIND).then_some(file)
}

impl Vault {
    /// Where a blob lies, for whoever takes it by hand.
    #[must_use]
    pub fn path_of(&self, digest: &Digest) -> String {
        if let Shelf::Registry(_) = &self.shelf {
            let place = self.location.trim_start_matches("oci://");
            return format!("oras blob fetch --output FILE {place}@{digest}");
        }
        format!("{}/{}", self.location.trim_end_matches('/'), blob_path(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_name_becomes_a_files_name_f81() {
        for (key, expected) in [
            ("api/1.2.0/bundle.zip", Some("bundle.zip")),
            ("bundle+1.zip", Some("bundle+1.zip")),
            ("api/..", None),
            ("api/", None),
            ("api/.bashrc", None),
            ("api/a b.zip", None),
            ("api/a\\b.zip", None),
        ] {
            let notes = BTreeMap::from([("key".to_owned(), key.to_owned())]);
            assert_eq!(title(&notes), expected, "{key}");
        }
    }
}
