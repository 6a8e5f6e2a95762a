//! What left the rollback set leaves the vault too, for `prodpin release --vault` alone: first its names in `index.json`, then
//! its entries, then the parts that no other entry needs. Only while everything that stays is whole (I27).

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt as _};

use super::place::{DOCUMENT_CAP, blob_path};
use super::{Entry, Vault, VaultError};
use prodpin_core::model::Digest;

/// What would leave the vault.
#[derive(Debug, Clone, Default)]
pub struct Leaving {
    /// The entries, each with its file.
    entries: Vec<(Path, Entry)>,
    /// The parts that nothing else needs, with their sizes.
    parts: BTreeMap<Digest, u64>,
    /// The files of the entries that stay, as they were.
    staying: BTreeSet<Path>,
}

impl Leaving {
    /// The entries that leave.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().map(|(_, entry)| entry)
    }

    /// How many bytes become free.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.parts.values().sum()
    }
}

impl Vault {
    /// Works out what would leave with the entries that do. An error where any entry that stays is not whole, or cannot be
    /// read: then nothing is known to be needless.
    pub async fn leaving(&self, leaves: impl Fn(&Entry) -> bool) -> Result<Leaving, VaultError> {
        let (entries, rest): (Vec<_>, Vec<_>) =
            self.all_entries().await?.into_iter().partition(|(_, entry)| leaves(entry));
        if entries.is_empty() {
            return Ok(Leaving::default());
        }
        let needed = self.needed(rest.iter().map(|(_, entry)| entry)).await?;
        let mut parts = BTreeMap::new();
        let mut walked = BTreeSet::new();
        for (_, entry) in entries.iter().filter(|(_, entry)| walked.insert(entry.digest.clone())) {
            // Of what is not whole itself, its parts stay: what they are is not known.
            let Ok(closure) = self.whole(&entry.digest, Some(&entry.media_type)).await else { continue };
            let own = closure.parts.into_iter().filter(|part| !needed.contains(&part.digest));
            parts.extend(own.map(|part| (part.digest, part.size)));
        }
        Ok(Leaving { entries, parts, staying: rest.into_iter().map(|(path, _)| path).collect() })
    }

    /// Removes what leaves. What was removed when this is cut off is gone, and all that stays is whole.
    pub async fn release(&self, leaving: &Leaving) -> Result<(), VaultError> {
        let gone: Vec<&Entry> = leaving.entries().collect();
        self.unlist(&gone).await?;
        for (path, _) in &leaving.entries {
            self.remove(path).await?;
        }
        // What came meanwhile may need what nobody needed before.
        let now = self.all_entries().await?;
        let fresh = now.iter().filter(|(path, _)| !leaving.staying.contains(path)).map(|(_, entry)| entry);
        let needed = self.needed(fresh).await?;
        for digest in leaving.parts.keys().filter(|digest| !needed.contains(*digest)) {
            self.remove(&blob_path(digest)).await?;
        }
        Ok(())
    }

    /// Every entry of the vault, of every repository. One that cannot be read may need anything.
    async fn all_entries(&self) -> Result<Vec<(Path, Entry)>, VaultError> {
        let prefix = Path::from("prodpin");
        let listed = self.objects()?.list(Some(&prefix)).map(|listed| match listed {
            Ok(object) => Ok(object.location),
            Err(error) => Err(self.error(&format!("{prefix} could not be listed"), &error)),
        });
        let paths: Vec<Path> = listed.try_collect().await?;
        let mut entries = Vec::new();
        for path in paths.into_iter().filter(|path| path.as_ref().ends_with(".json")) {
            let Some(bytes) = self.get(&path, DOCUMENT_CAP).await? else { continue };
            let entry = serde_json::from_slice::<Entry>(&bytes).map_err(|_| VaultError {
                location: self.location.clone(),
                detail: format!("{path} is no entry that this program can read, so that what it needs is not known"),
            })?;
            entries.push((path, entry));
        }
        Ok(entries)
    }

    /// Everything that these entries need.
    async fn needed(&self, entries: impl Iterator<Item = &Entry>) -> Result<BTreeSet<Digest>, VaultError> {
        let mut needed = BTreeSet::new();
        let mut walked = BTreeSet::new();
        for entry in entries.filter(|entry| walked.insert(entry.digest.clone())) {
            let whole = self.whole(&entry.digest, Some(&entry.media_type)).await;
            let closure = whole.map_err(|why| VaultError {
                location: self.location.clone(),
                detail: format!(
                    "{}@{}, which stays, is not whole there: {why}; nothing is removed until `prodpin enforce` made it whole",
                    entry.key(),
                    entry.digest
                ),
            })?;
            needed.extend(closure.parts.into_iter().map(|part| part.digest));
            needed.insert(entry.digest.clone());
        }
        Ok(needed)
    }

    async fn remove(&self, path: &Path) -> Result<(), VaultError> {
        match self.objects()?.delete(path).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.error(&format!("{path} could not be removed"), &error)),
        }
    }
}
