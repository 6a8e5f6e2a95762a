//! A registry with a vendor's own interface beside it: what that interface adds, over what the registry protocol tells.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::content::Content;
use crate::{Inventory, PartsLook, PinLook, Reservation, Trail};
use prodpin_core::model::{
    ArtifactId, Cleanup, DeployedReference, Digest, Gap, Inspection, PinRemoval, Provenance, Reference, RepositoryName,
    Resolution, SettingFacts, Snapshot, Tag, TagTable,
};

/// What a vendor's interface is asked for. Everything else is the registry's word, and so is what a vendor has no own word about.
#[async_trait]
pub(crate) trait Vendor: Send + Sync {
    /// What `/v2` tells.
    fn registry(&self) -> &dyn Inventory;

    /// What was read of the registry as a whole.
    async fn settings(&self) -> (SettingFacts, Vec<Gap>) {
        self.registry().settings().await
    }

    /// What is known of cleanup rules that cannot be read. The registry's word is that its rules are unread, and withholds pins:
    /// a vendor that reads them, or knows that there are none, says so by `Cleanup::default()`.
    async fn cleanup(&self) -> Cleanup {
        self.registry().cleanup().await
    }

    /// Which repositories there are.
    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        self.registry().repositories()
    }

    /// Which of the patterns selected none so far.
    fn unmatched_patterns(&self) -> Vec<String> {
        self.registry().unmatched_patterns()
    }

    /// Every tag of a repository, and what decides how long artifacts stay there.
    async fn observe(&self, repository: &RepositoryName, memory: &Reservation, known: &TagTable) -> Snapshot;

    /// Its own word about a tag that the registry was asked for; by default the registry's stands.
    async fn look_again(
        &self,
        _repository: &RepositoryName,
        _tag: &Tag,
        seen: (Resolution, Option<Gap>),
    ) -> (Resolution, Option<Gap>) {
        seen
    }

    /// What it knows beside what the registry showed of an artifact.
    async fn look_closer(&self, repository: &RepositoryName, seen: &mut Inspection);

    /// How a pin is removed there.
    async fn pin_removal(&self, repository: &RepositoryName) -> PinRemoval {
        self.registry().pin_removal(repository).await
    }

    /// Who moved or deleted tags, by a record of its own.
    fn trail(&self) -> Option<&dyn Trail> {
        self.registry().trail()
    }
}

/// A registry by both.
pub(crate) struct Vendored<V>(pub(crate) V);

/// So many repositories are remembered at once: whoever inspects one is soon done with it (I20).
const REMEMBERED: usize = 128;

/// What is asked once of each repository, or of each of whatever else.
pub(crate) struct Once<T, K = RepositoryName>(Mutex<HashMap<K, Arc<OnceCell<T>>>>);

impl<T, K> Default for Once<T, K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone, K: Clone + Eq + Hash> Once<T, K> {
    /// What came of it, asked by the first who wants to know.
    pub(crate) async fn get(&self, key: &K, ask: impl Future<Output = T>) -> T {
        let cell = {
            let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if cells.len() >= REMEMBERED && !cells.contains_key(key) {
                cells.clear();
            }
            Arc::clone(cells.entry(key.clone()).or_default())
        };
        cell.get_or_init(|| ask).await.clone()
    }
}

#[async_trait]
impl<V: Vendor> Inventory for Vendored<V> {
    async fn settings(&self) -> (SettingFacts, Vec<Gap>) {
        self.0.settings().await
    }

    async fn cleanup(&self) -> Cleanup {
        self.0.cleanup().await
    }

    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        self.0.repositories()
    }

    fn is_pacing(&self) -> bool {
        self.0.registry().is_pacing()
    }

    async fn observe(&self, repository: &RepositoryName) -> Snapshot {
        self.observe_within(repository, &Reservation::unlimited()).await
    }

    async fn observe_within(&self, repository: &RepositoryName, memory: &Reservation) -> Snapshot {
        self.observe_known(repository, memory, &TagTable::default()).await
    }

    async fn observe_known(&self, repository: &RepositoryName, memory: &Reservation, known: &TagTable) -> Snapshot {
        self.0.observe(repository, memory, known).await
    }

    async fn look_for_pin(&self, repository: &RepositoryName, memory: &Reservation) -> PinLook {
        self.0.registry().look_for_pin(repository, memory).await
    }

    async fn look_up(&self, repository: &RepositoryName, tag: &Tag) -> (Resolution, Option<Gap>) {
        let seen = self.0.registry().look_up(repository, tag).await;
        self.0.look_again(repository, tag, seen).await
    }

    async fn confirm(&self, repository: &RepositoryName, tag: &Tag, listed: ArtifactId) -> (Resolution, Option<Gap>) {
        let seen = self.0.registry().confirm(repository, tag, listed).await;
        self.0.look_again(repository, tag, seen).await
    }

    fn confirms_by_bytes(&self) -> bool {
        self.0.registry().confirms_by_bytes()
    }

    async fn reads_tags(&self) -> bool {
        self.0.registry().reads_tags().await
    }

    async fn read_tag(&self, repository: &RepositoryName, tag: &Tag, listed: ArtifactId) -> (Resolution, Option<Gap>) {
        self.0.registry().read_tag(repository, tag, listed).await
    }

    async fn inspect(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Inspection {
        let mut seen = self.0.registry().inspect(repository, artifact).await;
        self.0.look_closer(repository, &mut seen).await;
        seen
    }

    async fn look_at_parts(&self, repository: &RepositoryName, look: &PartsLook<'_>, seen: &mut Inspection) {
        self.0.registry().look_at_parts(repository, look, seen).await;
    }

    async fn created(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<Timestamp> {
        self.0.registry().created(repository, artifact).await
    }

    async fn provenance(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<Provenance, Gap> {
        self.0.registry().provenance(repository, artifact).await
    }

    fn address(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<String> {
        self.0.registry().address(repository, artifact)
    }

    fn locate(&self, reference: &Reference) -> Option<(RepositoryName, DeployedReference)> {
        self.0.registry().locate(reference)
    }

    async fn identities(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<BTreeSet<Digest>, Gap> {
        self.0.registry().identities(repository, artifact).await
    }

    fn selects(&self, repository: &RepositoryName) -> bool {
        self.0.registry().selects(repository)
    }

    async fn pin_removal(&self, repository: &RepositoryName) -> PinRemoval {
        self.0.pin_removal(repository).await
    }

    fn unmatched_patterns(&self) -> Vec<String> {
        self.0.unmatched_patterns()
    }

    fn content(&self) -> Option<&dyn Content> {
        self.0.registry().content()
    }

    fn trail(&self) -> Option<&dyn Trail> {
        self.0.trail()
    }
}
