//! A registry with a vendor's own interface beside it: what that interface adds, over what the registry protocol tells.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;

use crate::content::Content;
use crate::matched::Matched;
use crate::{Inventory, PartsLook, PinLook, Reservation};
use prodpin_core::model::{
    ArtifactId, Cleanup, DeployedReference, Digest, Gap, Inspection, NamePatterns, PinRemoval, Provenance, Reference,
    RepositoryName, Resolution, SettingFacts, Snapshot, Tag, TagTable,
};

/// What a vendor's interface is asked for. Everything else is the registry's word.
#[async_trait]
pub(crate) trait Vendor: Send + Sync {
    /// Which repositories there are.
    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>>;

    /// Which of the patterns selected one so far.
    fn matched(&self) -> (&NamePatterns, &Matched);

    /// Every tag of a repository, and what decides how long artifacts stay there.
    async fn observe(&self, repository: &RepositoryName, memory: &Reservation, known: &TagTable) -> Snapshot;

    /// What it knows beside what the registry showed of an artifact.
    async fn look_closer(&self, repository: &RepositoryName, seen: &mut Inspection);
}

/// A registry by both.
pub(crate) struct Vendored<V> {
    /// What `/v2` tells.
    pub(crate) registry: Arc<dyn Inventory>,
    pub(crate) vendor: V,
}

#[async_trait]
impl<V: Vendor> Inventory for Vendored<V> {
    async fn settings(&self) -> (SettingFacts, Vec<Gap>) {
        self.registry.settings().await
    }

    async fn cleanup(&self) -> Cleanup {
        self.registry.cleanup().await
    }

    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        self.vendor.repositories()
    }

    fn is_pacing(&self) -> bool {
        self.registry.is_pacing()
    }

    async fn observe(&self, repository: &RepositoryName) -> Snapshot {
        self.observe_within(repository, &Reservation::unlimited()).await
    }

    async fn observe_within(&self, repository: &RepositoryName, memory: &Reservation) -> Snapshot {
        self.observe_known(repository, memory, &TagTable::default()).await
    }

    async fn observe_known(&self, repository: &RepositoryName, memory: &Reservation, known: &TagTable) -> Snapshot {
        self.vendor.observe(repository, memory, known).await
    }

    async fn look_for_pin(&self, repository: &RepositoryName, memory: &Reservation) -> PinLook {
        self.registry.look_for_pin(repository, memory).await
    }

    async fn look_up(&self, repository: &RepositoryName, tag: &Tag) -> (Resolution, Option<Gap>) {
        self.registry.look_up(repository, tag).await
    }

    async fn confirm(&self, repository: &RepositoryName, tag: &Tag, listed: ArtifactId) -> (Resolution, Option<Gap>) {
        self.registry.confirm(repository, tag, listed).await
    }

    fn confirms_by_bytes(&self) -> bool {
        self.registry.confirms_by_bytes()
    }

    async fn reads_tags(&self) -> bool {
        self.registry.reads_tags().await
    }

    async fn read_tag(&self, repository: &RepositoryName, tag: &Tag, listed: ArtifactId) -> (Resolution, Option<Gap>) {
        self.registry.read_tag(repository, tag, listed).await
    }

    async fn inspect(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Inspection {
        let mut seen = self.registry.inspect(repository, artifact).await;
        self.vendor.look_closer(repository, &mut seen).await;
        seen
    }

    async fn look_at_parts(&self, repository: &RepositoryName, look: &PartsLook<'_>, seen: &mut Inspection) {
        self.registry.look_at_parts(repository, look, seen).await;
    }

    async fn created(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<Timestamp> {
        self.registry.created(repository, artifact).await
    }

    async fn provenance(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<Provenance, Gap> {
        self.registry.provenance(repository, artifact).await
    }

    fn address(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<String> {
        self.registry.address(repository, artifact)
    }

    fn locate(&self, reference: &Reference) -> Option<(RepositoryName, DeployedReference)> {
        self.registry.locate(reference)
    }

    async fn identities(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<BTreeSet<Digest>, Gap> {
        self.registry.identities(repository, artifact).await
    }

    fn selects(&self, repository: &RepositoryName) -> bool {
        self.registry.selects(repository)
    }

    async fn pin_removal(&self, repository: &RepositoryName) -> PinRemoval {
        self.registry.pin_removal(repository).await
    }

    fn unmatched_patterns(&self) -> Vec<String> {
        let (patterns, matched) = self.vendor.matched();
        matched.lacking(patterns)
    }

    fn content(&self) -> Option<&dyn Content> {
        self.registry.content()
    }
}
