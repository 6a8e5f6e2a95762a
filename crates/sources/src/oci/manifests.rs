//! Manifests by digest, each fetched once in a run: a GET counts as a pull in many registries, and a rule that goes by
//! the last pull then keeps what was only looked at (I30, F124). What is held is verified bytes, and they never change;
//! whether they are still there is asked by HEAD, which counts nowhere.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::StatusCode;
use tokio::sync::OnceCell;

use super::closure::{Fetched, Trouble};
use super::fault::Fault;
use super::registry::{Lack, Registry, Repository};
use prodpin_core::model::{Digest, RepositoryName, Resolution, Tag};

/// What all manifests that are held may weigh together (I20). A manifest weighs some KiB.
const MOST_BYTES: usize = 8 << 20;

/// What one costs beside its bytes.
const OVERHEAD: usize = 1 << 10;

type Key = (RepositoryName, Digest);

/// One manifest, fetched by whoever asks first while the others wait.
type Cell = Arc<OnceCell<Arc<Fetched>>>;

/// The manifests that one registry served in this run.
#[derive(Debug, Default)]
pub(super) struct Manifests {
    held: Mutex<ManifestCache>,
}

#[derive(Debug, Default)]
struct ManifestCache {
    cells: HashMap<Key, Cell>,
    /// Those that are filled, the oldest first, with their weights.
    filled: VecDeque<(Key, usize)>,
    bytes: usize,
}

impl Manifests {
    fn cell(&self, key: &Key) -> Cell {
        Arc::clone(self.lock().cells.entry(key.clone()).or_default())
    }

    /// Counts what was just fetched, and lets the oldest go where that is too much.
    fn weigh(&self, key: Key, bytes: usize) {
        let mut held = self.lock();
        // Read, it takes about as much again; what is large leaves no bytes, and no less of what was read.
        let weight = bytes * 2 + OVERHEAD;
        held.bytes += weight;
        held.filled.push_back((key, weight));
        while held.bytes > MOST_BYTES {
            let Some((oldest, weight)) = held.filled.pop_front() else { break };
            held.cells.remove(&oldest);
            held.bytes -= weight;
        }
    }

    /// Puts the same manifest, read better, in the place of what is held. It weighs the same.
    pub(super) fn replace(&self, key: Key, fetched: &Arc<Fetched>) {
        if let Some(cell) = self.lock().cells.get_mut(&key) {
            *cell = Arc::new(OnceCell::new_with(Some(Arc::clone(fetched))));
        }
    }

    /// Forgets a cell that came to hold nothing.
    fn forget_empty(&self, key: &Key) {
        let mut held = self.lock();
        if held.cells.get(key).is_some_and(|cell| !cell.initialized()) {
            held.cells.remove(key);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ManifestCache> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    /// A manifest's verified bytes, whether or not they are still there now.
    pub(super) async fn fetch(&self, repository: &Repository, digest: &Digest) -> Result<Arc<Fetched>, Trouble> {
        let key = (repository.name.clone(), digest.clone());
        let cell = self.manifests.cell(&key);
        let mut fresh = None;
        let fetched = cell
            .get_or_try_init(|| async {
                let fetched = self.get_by_digest(repository, digest).await?;
                fresh = Some(fetched.size);
                Ok(Arc::new(fetched))
            })
            .await
            .cloned();
        match fresh {
            Some(bytes) => self.manifests.weigh(key, bytes),
            None if fetched.is_err() => self.manifests.forget_empty(&key),
            None => {}
        }
        fetched
    }

    /// Keeps what was fetched by a tag, so that it is not fetched again by its digest.
    pub(super) fn hold(&self, repository: &Repository, digest: &Digest, fetched: Fetched) {
        let key = (repository.name.clone(), digest.clone());
        let bytes = fetched.size;
        if self.manifests.cell(&key).set(Arc::new(fetched)).is_ok() {
            self.manifests.weigh(key, bytes);
        }
    }

    /// The same, if it is there now: what was fetched before is asked for by HEAD.
    pub(super) async fn fetch_present(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Arc<Fetched>, Trouble> {
        let held = self.manifests.cell(&(repository.name.clone(), digest.clone())).get().cloned();
        let Some(held) = held else { return self.fetch(repository, digest).await };
        let answer = self.head_manifest(repository, &digest.to_string()).await.map_err(Trouble::Unknown)?;
        let same = answer.digest().is_none_or(|named| named.is_ok_and(|named| named == *digest));
        if answer.status == StatusCode::OK && same && !answer.elsewhere {
            return Ok(held);
        }
        // A HEAD that is refused, says "not found" without a word, or says something else: the bytes decide.
        self.get_by_digest(repository, digest).await.map(Arc::new)
    }

    /// Reads anew what a tag names that is said to name this manifest: by the bytes, once for each manifest. Further
    /// tags of the same manifest are taken at the registry's word, which then names bytes that were seen.
    pub(super) async fn confirm(
        &self,
        repository: &Repository,
        tag: &Tag,
        listed: &Digest,
    ) -> Result<Resolution, Fault> {
        let key = (repository.name.clone(), listed.clone());
        let cell = self.manifests.cell(&key);
        let (mut by_bytes, mut fresh) = (None, None);
        let held = cell
            .get_or_try_init(|| async {
                let (resolution, fetched) = match self.get_by_tag(repository, tag).await {
                    Ok((digest, fetched)) => {
                        let fetched = (digest == *listed).then_some(fetched);
                        (Ok(Resolution::Artifact(digest.into())), fetched)
                    }
                    Err(Lack::NotFound) => (Ok(Resolution::NotFound), None),
                    Err(Lack::Unknown(fault)) => (Err(fault), None),
                };
                by_bytes = Some(resolution);
                fresh = fetched.as_ref().map(|fetched| fetched.size);
                fetched.map(Arc::new).ok_or(())
            })
            .await
            .is_ok();
        match fresh {
            Some(bytes) => self.manifests.weigh(key, bytes),
            None if !held => self.manifests.forget_empty(&key),
            None => {}
        }
        if let Some(resolution) = by_bytes {
            return resolution;
        }
        match self.resolve(repository, tag).await? {
            Resolution::Artifact(named) if named.digest() == Some(listed) => Ok(Resolution::Artifact(named)),
            _ => self.resolve_by_bytes(repository, tag).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_stays_within_its_bound_and_the_oldest_goes_first_i20_i30() {
        let manifests = Manifests::default();
        let key = |number: usize| ("shop/api".parse().unwrap(), Digest::sha256(number.to_string().as_bytes()));
        for number in 0..10 {
            manifests.cell(&key(number));
            manifests.weigh(key(number), 1 << 20);
        }
        let held = manifests.lock();
        assert!(held.bytes <= MOST_BYTES);
        assert_eq!((held.cells.len(), held.filled.len()), (3, 3));
        assert!(held.cells.contains_key(&key(9)) && !held.cells.contains_key(&key(0)));
    }

    #[test]
    fn a_fetch_that_failed_leaves_nothing_behind_i20() {
        let manifests = Manifests::default();
        let key = ("shop/api".parse().unwrap(), Digest::sha256(b"x"));
        manifests.cell(&key);
        manifests.forget_empty(&key);
        assert!(manifests.lock().cells.is_empty());
    }
}
