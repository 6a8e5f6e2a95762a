//! Entries: which targets of which repositories were whole here, with which tags, since when; and `index.json`, which other
//! tools read and which follows from them.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::place::{DOCUMENT_CAP, entries_path};
use super::{Shelf, Vault, VaultError};
use prodpin_core::decide::vault::VaultPart;
use prodpin_core::model::{ArtifactId, Digest, RepositoryKey, RepositoryName, SourceName, Tag};

/// That a target was whole in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The version of this shape: 1.
    pub schema: u32,
    /// The source it came from.
    pub source: SourceName,
    /// The repository there.
    pub repository: RepositoryName,
    /// The target's manifest: its own, or of a file the one that the vault made for it.
    pub digest: Digest,
    /// The target, where it is a file: an object version, or a chart's archive by its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<ArtifactId>,
    /// Its media type.
    pub media_type: String,
    /// The size of its manifest.
    pub size: u64,
    /// The tags that named it then; pins are not among them.
    pub tags: Vec<Tag>,
    /// When it was first seen whole here with these tags.
    pub kept: Timestamp,
}

/// A list of targets for other tools is no longer than this.
const INDEX_CAP: u64 = 32 << 20;

/// How often another writer may come in between.
const WRITES: u32 = 8;

const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const REFERENCE_NAME: &str = "org.opencontainers.image.ref.name";

impl Entry {
    pub(super) fn new(repository: &RepositoryKey, tags: &[Tag], root: &VaultPart) -> Self {
        let mut tags = tags.to_vec();
        tags.sort();
        Self {
            schema: 1,
            source: repository.source.clone(),
            repository: repository.name.clone(),
            digest: root.digest.clone(),
            file: None,
            media_type: root.media_type.clone(),
            size: root.size,
            tags,
            kept: Timestamp::now(),
        }
    }

    /// The target.
    #[must_use]
    pub fn artifact(&self) -> ArtifactId {
        self.file.clone().unwrap_or_else(|| ArtifactId::Manifest(self.digest.clone()))
    }

    /// Its repository.
    #[must_use]
    pub fn key(&self) -> RepositoryKey {
        RepositoryKey { source: self.source.clone(), name: self.repository.clone() }
    }

    /// The same target with the same tags has one name: what is known is not written again (I13).
    pub(super) fn path(&self) -> Path {
        let tags: Vec<&str> = self.tags.iter().map(Tag::as_str).collect();
        let tags = Digest::sha256(tags.join("\n").as_bytes()).hex();
        let target = self.file.as_ref().map_or_else(|| self.digest.hex(), name_of);
        entries_path(&self.key()).join(format!("{target}-{}.json", &tags[..16]))
    }

    /// How tools that read image layouts find it: `SOURCE/REPOSITORY:TAG`, or `SOURCE/REPOSITORY@DIGEST` where it has none, or
    /// none that such a tool takes.
    fn names(&self) -> Vec<String> {
        let key = self.key();
        match self.tags.is_empty() || !self.tags.iter().all(Tag::is_oci) {
            true => vec![format!("{key}@{}", self.digest)],
            false => self.tags.iter().map(|tag| format!("{key}:{tag}")).collect(),
        }
    }
}

fn latest_first(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by(|a, b| b.kept.cmp(&a.kept).then_with(|| a.digest.cmp(&b.digest)));
    entries
}

/// What the files of a file's entries begin with: its bytes are known by no name before they were read.
fn name_of(file: &ArtifactId) -> String {
    Digest::sha256(file.to_string().as_bytes()).hex()
}

impl Vault {
    /// The manifest under which a file is kept; none where it is not.
    pub async fn file_root(&self, repository: &RepositoryKey, file: &ArtifactId) -> Result<Option<Digest>, VaultError> {
        let begins = name_of(file);
        let entries = self.entries_named(repository, &|name| name.starts_with(&begins)).await?;
        Ok(entries.into_iter().find(|entry| entry.file.as_ref() == Some(file)).map(|entry| entry.digest))
    }

    /// Writes an entry unless it is there.
    pub(super) async fn enter(&self, entry: &Entry) -> Result<(), VaultError> {
        if let Shelf::Registry(registry) = &self.shelf {
            return registry.enter(entry).await.map_err(|detail| self.failed(detail));
        }
        let path = entry.path();
        if self.size(&path).await?.is_some() {
            return Ok(());
        }
        let bytes = serde_json::to_vec(entry).map_err(|error| self.odd(&path, &error.to_string()))?;
        self.create(&path, bytes.into()).await.map(drop)
    }

    /// The entries of a repository, the latest first. What is no entry is left out.
    pub async fn entries(&self, repository: &RepositoryKey) -> Result<Vec<Entry>, VaultError> {
        self.entries_named(repository, &|_| true).await
    }

    async fn entries_named(
        &self,
        repository: &RepositoryKey,
        wanted: &(dyn Fn(&str) -> bool + Send + Sync),
    ) -> Result<Vec<Entry>, VaultError> {
        if let Shelf::Registry(registry) = &self.shelf {
            let listed = registry.entries(repository).await.map_err(|detail| self.failed(detail))?;
            return Ok(latest_first(listed));
        }
        let prefix = entries_path(repository);
        let listed = match self.objects()?.list_with_delimiter(Some(&prefix)).await {
            Ok(listed) => listed.objects,
            Err(Error::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(self.error(&format!("{prefix} could not be listed"), &error)),
        };
        let mut entries = Vec::new();
        let is_wanted = |path: &Path| path.filename().is_some_and(|name| name.ends_with(".json") && wanted(name));
        for object in listed.into_iter().filter(|object| is_wanted(&object.location)) {
            let Some(bytes) = self.get(&object.location, DOCUMENT_CAP).await? else { continue };
            match serde_json::from_slice::<Entry>(&bytes) {
                Ok(entry) if entry.key() == *repository => entries.push(entry),
                Ok(_) | Err(_) => tracing::warn!(path = %object.location, "this is no entry of the vault"),
            }
        }
        Ok(latest_first(entries))
    }

    fn odd(&self, path: &Path, detail: &str) -> VaultError {
        VaultError { location: self.location.clone(), detail: format!("{path}: {detail}") }
    }

    /// Writes what an image layout begins with, and adds these entries to its list. The list follows from the entries: where
    /// another writer comes in between, it is read and added to again.
    pub async fn list(&self, entries: &[Entry]) -> Result<(), VaultError> {
        // A registry lists what it has by itself.
        let objects = match &self.shelf {
            Shelf::Store(objects) => objects,
            Shelf::Registry(_) => return Ok(()),
        };
        let layout = Path::from("oci-layout");
        if self.size(&layout).await?.is_none() {
            self.create(&layout, Bytes::from_static(br#"{"imageLayoutVersion":"1.0.0"}"#)).await?;
        }
        let path = Path::from("index.json");
        let mut refused = None;
        for _ in 0..WRITES {
            let (before, version) = self.index(&path).await?;
            let (after, added) = merged(before.clone(), entries);
            if !added {
                return Ok(());
            }
            let bytes = serde_json::to_vec(&after).map_err(|error| self.odd(&path, &error.to_string()))?;
            let options = PutOptions { mode: self.mode(version, &mut refused), ..PutOptions::default() };
            match objects.put_opts(&path, PutPayload::from(bytes), options).await {
                Ok(_) | Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {}
                Err(error) => return Err(self.error(&format!("{path} could not be written"), &error)),
            }
        }
        Err(self.odd(&path, "other writers came in between each time; the next run adds what is missing"))
    }

    /// Takes these entries off the list, where it names what they name. Written on the condition that nobody else did meanwhile.
    pub(super) async fn unlist(&self, entries: &[&Entry]) -> Result<(), VaultError> {
        let path = Path::from("index.json");
        let mut refused = None;
        for _ in 0..WRITES {
            let (Some(mut before), version) = self.index(&path).await? else { return Ok(()) };
            if !shrink(&mut before, entries) {
                return Ok(());
            }
            let bytes = serde_json::to_vec(&before).map_err(|error| self.odd(&path, &error.to_string()))?;
            let options = PutOptions { mode: self.mode(version, &mut refused), ..PutOptions::default() };
            match self.objects()?.put_opts(&path, PutPayload::from(bytes), options).await {
                Ok(_) | Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {}
                Err(error) => return Err(self.error(&format!("{path} could not be written"), &error)),
            }
        }
        Err(self.odd(&path, "other writers came in between each time; run the command again"))
    }

    /// How the list is written over this version of it: on the condition that nobody else did meanwhile. `refused` is the version
    /// for which that was tried before.
    fn mode(&self, version: Option<UpdateVersion>, refused: &mut Option<UpdateVersion>) -> PutMode {
        match version {
            None => PutMode::Create,
            // A disk has no conditions: what another writer put meanwhile is seen in the next round.
            Some(_) if self.local => PutMode::Overwrite,
            // Ceph refuses every condition on what is there. Nobody came in between, and the list follows from entries.
            Some(version) if refused.as_ref() == Some(&version) => PutMode::Overwrite,
            Some(version) => {
                *refused = Some(version.clone());
                PutMode::Update(version)
            }
        }
    }

    async fn index(&self, path: &Path) -> Result<(Option<Value>, Option<UpdateVersion>), VaultError> {
        let what = || format!("{path} could not be read");
        let found = match self.objects()?.get(path).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok((None, None)),
            Err(error) => return Err(self.error(&what(), &error)),
        };
        if found.meta.size > INDEX_CAP {
            return Err(self.odd(path, "it is too long to be added to; entries are kept all the same"));
        }
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let bytes = found.bytes().await.map_err(|error| self.error(&what(), &error))?;
        let value: Value = serde_json::from_slice(&bytes)
            .map_err(|_| self.odd(path, "it is no index of an image layout; move it away, and it is written anew"))?;
        Ok((Some(value), Some(version)))
    }
}

/// The list with these entries, and whether it grew.
fn merged(before: Option<Value>, entries: &[Entry]) -> (Value, bool) {
    let is_new = before.is_none();
    let mut index = before.unwrap_or_else(|| json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [] }));
    if !index["manifests"].is_array() {
        index["manifests"] = json!([]);
    }
    let name_of = |listed: &Value| listed["annotations"][REFERENCE_NAME].as_str().map(str::to_owned);
    let Some(listed) = index["manifests"].as_array_mut() else { return (index, false) };
    // A tag that moved names what was kept last, as in a registry.
    let mut places: BTreeMap<String, usize> =
        listed.iter().enumerate().filter_map(|(at, listed)| Some((name_of(listed)?, at))).collect();
    let mut grew = is_new;
    // Of several that had one name the last is meant.
    let mut named: BTreeMap<String, Value> = BTreeMap::new();
    for entry in entries {
        for name in entry.names() {
            let descriptor = listed_as(entry, &name);
            named.insert(name, descriptor);
        }
    }
    for (name, descriptor) in named {
        match places.get(&name) {
            Some(at) if listed[*at] == descriptor => {}
            Some(at) => (listed[*at], grew) = (descriptor, true),
            None => {
                places.insert(name, listed.len());
                listed.push(descriptor);
                grew = true;
            }
        }
    }
    (index, grew)
}

/// Takes what these entries name off the list. Whether it was there.
fn shrink(index: &mut Value, entries: &[&Entry]) -> bool {
    let Some(listed) = index["manifests"].as_array_mut() else { return false };
    let before = listed.len();
    let names: Vec<(String, String)> = entries
        .iter()
        .flat_map(|entry| entry.names().into_iter().map(|name| (name, entry.digest.to_string())))
        .collect();
    listed.retain(|descriptor| {
        let name = descriptor["annotations"][REFERENCE_NAME].as_str().unwrap_or_default();
        let digest = descriptor["digest"].as_str().unwrap_or_default();
        !names.iter().any(|(gone, of)| gone == name && of == digest)
    });
    listed.len() < before
}

fn listed_as(entry: &Entry, name: &str) -> Value {
    json!({
        "mediaType": entry.media_type,
        "digest": entry.digest.to_string(),
        "size": entry.size,
        "annotations": { REFERENCE_NAME: name },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(tag: &str, bytes: &[u8]) -> Entry {
        Entry {
            schema: 1,
            source: "shop".parse().unwrap(),
            repository: "shop/api".parse().unwrap(),
            digest: Digest::sha256(bytes),
            file: None,
            media_type: "m".to_owned(),
            size: 3,
            tags: vec![tag.parse().unwrap()],
            kept: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_list_grows_and_what_is_known_changes_nothing_i13() {
        let (first, grew) = merged(None, &[entry("v1", b"1"), entry("v2", b"2")]);
        assert!(grew);
        assert_eq!(first["manifests"].as_array().unwrap().len(), 2);
        assert_eq!(first["manifests"][0]["annotations"][REFERENCE_NAME], "shop/shop/api:v1");
        let (second, grew) = merged(Some(first.clone()), &[entry("v2", b"2")]);
        assert!(!grew);
        assert_eq!(second, first);
        let (moved, grew) = merged(Some(first), &[entry("v2", b"3")]);
        assert!(grew);
        assert_eq!(moved["manifests"].as_array().unwrap().len(), 2);
        assert_eq!(moved["manifests"][1]["digest"], Digest::sha256(b"3").to_string());
    }
}
