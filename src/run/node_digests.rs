//! What nodes report as running, joined with the artifacts of the repository that the workload names.
//!
//! A node may name an index, one platform's manifest of it, or, without a repository, an image's configuration (E125).
//! All of them are one artifact: counted apart, one release would take the place of two.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    ArtifactId, Cause, DeployedReference, Deployment, Digest, Evidence, Gap, NodeDigest, Presence, RepositoryName,
    RepositoryState, Scope, Tag,
};
use crate::sources::Inventory;

/// So many of the artifacts that a tag pointed at are looked into, the latest first.
const CANDIDATES: usize = 8;

/// Replaces nodes' words by artifacts of the repository. What belongs to none is an artifact of its own, and kept.
pub(super) async fn join(
    inventory: &dyn Inventory,
    repository: &RepositoryName,
    running: &[Deployment],
    state: &RepositoryState,
) -> (Vec<Deployment>, Vec<Gap>) {
    let mut known = Known { inventory, repository, state, identities: BTreeMap::new(), gaps: Vec::new() };
    let mut joined = Vec::with_capacity(running.len());
    for entry in running {
        joined.push(match entry.node {
            None => entry.clone(),
            Some(node) => known.join(entry, node).await,
        });
    }
    joined.sort();
    joined.dedup();
    (joined, known.gaps)
}

struct Known<'a> {
    inventory: &'a dyn Inventory,
    repository: &'a RepositoryName,
    state: &'a RepositoryState,
    identities: BTreeMap<ArtifactId, BTreeSet<Digest>>,
    gaps: Vec<Gap>,
}

impl Known<'_> {
    async fn join(&mut self, entry: &Deployment, node: NodeDigest) -> Deployment {
        let exact = Deployment { node: None, ..entry.clone() };
        let DeployedReference::Artifact(reported) = &entry.reference else { return exact };
        let Some(digest) = reported.digest() else { return exact };
        let candidates = entry.named_as.as_ref().map_or_else(Vec::new, |tag| self.candidates(&entry.via, tag));
        if candidates.contains(reported) {
            return exact;
        }
        let gaps_before = self.gaps.len();
        for candidate in candidates {
            if self.identities(&candidate).await.contains(digest) {
                return Deployment { reference: DeployedReference::Artifact(candidate), ..exact };
            }
        }
        if self.is_known(reported) {
            return exact;
        }
        // A digest that a node made itself while it imported an archive is in no registry, and a configuration is served
        // by none as a manifest: looked for as one, either would seem deleted.
        let is_node_s_own = match node {
            NodeDigest::Manifest => entry.named_as.is_some() && self.is_not_served(reported, digest).await,
            NodeDigest::PerhapsConfig => true,
        };
        if !is_node_s_own {
            return exact;
        }
        if self.gaps.len() == gaps_before {
            let detail = format!(
                "{}: a node reports {digest}, which is no artifact known here nor a part of one: it was imported on the \
                 node, or deleted before prodpin saw it; the tag is taken for what runs",
                entry.via
            );
            self.gaps.push(Gap::new(Scope::Repository, Cause::NotFound, detail));
        }
        match &entry.named_as {
            Some(tag) => Deployment {
                reference: DeployedReference::Tag(tag.clone()),
                named_as: None,
                evidence: entry.evidence.min(Evidence::StablePointer),
                ..exact
            },
            None => exact,
        }
    }

    /// Whether the registry definitively does not have a manifest that a node reports.
    async fn is_not_served(&mut self, reported: &ArtifactId, digest: &Digest) -> bool {
        // An image that is there has other identities beside its own: its configuration, its platforms.
        if self.identities(reported).await.iter().any(|identity| identity != digest) {
            return false;
        }
        self.inventory.inspect(self.repository, reported).await.presence == Presence::NotFound
    }

    /// What the tag may have meant when the node pulled it, the likeliest first.
    fn candidates(&self, via: &str, tag: &Tag) -> Vec<ArtifactId> {
        let claimed = self.state.claimed(via, tag).or_else(|| self.state.formerly(via, tag));
        let sighted = self.state.tags.get(tag).into_iter().flat_map(|history| history.sightings().iter().rev());
        let mut candidates: Vec<ArtifactId> = Vec::new();
        for artifact in claimed.into_iter().chain(sighted.map(|sighting| &sighting.artifact)) {
            if candidates.len() < CANDIDATES && !candidates.contains(artifact) {
                candidates.push(artifact.clone());
            }
        }
        candidates
    }

    fn is_known(&self, artifact: &ArtifactId) -> bool {
        let sighted = |history: &crate::model::TagHistory| {
            history.sightings().iter().any(|sighting| sighting.artifact == *artifact)
        };
        self.state.deployments.contains_key(artifact)
            || self.state.pinned.contains_key(artifact)
            || self.state.tags.values().any(sighted)
    }

    async fn identities(&mut self, artifact: &ArtifactId) -> &BTreeSet<Digest> {
        if !self.identities.contains_key(artifact) {
            let identities = match self.inventory.identities(self.repository, artifact).await {
                Ok(identities) => identities,
                Err(gap) => {
                    self.gaps.push(gap);
                    BTreeSet::new()
                }
            };
            self.identities.insert(artifact.clone(), identities);
        }
        &self.identities[artifact]
    }
}
