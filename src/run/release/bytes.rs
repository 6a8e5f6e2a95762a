//! What a pin costs: the bytes that nothing else which is pinned in its repository has.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ArtifactId, Digest, RepositoryName, Snapshot};
use crate::sources::Inventory;
use crate::sources::content::{Content, parts};

/// No artifact has more manifests than this; what would take more is not counted.
const MOST_MANIFESTS: usize = 1_000;

/// The unique bytes of each of these, beside what the others of them and `kept` have; nothing where that cannot be told.
pub(super) async fn unique(
    inventory: &dyn Inventory,
    repository: &RepositoryName,
    snapshot: &Snapshot,
    pins: &[ArtifactId],
    kept: &[ArtifactId],
) -> BTreeMap<ArtifactId, u64> {
    let mut unique = of_objects(snapshot, pins);
    let Some(content) = inventory.content() else { return unique };
    let mut closures: BTreeMap<&ArtifactId, BTreeMap<Digest, u64>> = BTreeMap::new();
    for artifact in pins.iter().chain(kept) {
        let Some(digest) = artifact.digest() else { continue };
        match closure(content, repository, digest).await {
            Some(closure) => _ = closures.insert(artifact, closure),
            // What it shares with the others is not known then, and neither is what they have alone.
            None => return unique,
        }
    }
    for artifact in pins {
        let Some(own) = closures.get(artifact) else { continue };
        let others: BTreeSet<&Digest> =
            closures.iter().filter(|(other, _)| **other != artifact).flat_map(|(_, closure)| closure.keys()).collect();
        let bytes = own.iter().filter(|(digest, _)| !others.contains(digest)).map(|(_, size)| *size).sum();
        unique.insert(artifact.clone(), bytes);
    }
    unique
}

/// Versions of objects share nothing.
fn of_objects(snapshot: &Snapshot, pins: &[ArtifactId]) -> BTreeMap<ArtifactId, u64> {
    let versions = snapshot.tags.iter().filter_map(|tag| tag.object.as_deref()).flat_map(|object| &object.versions);
    let wanted: BTreeSet<&ArtifactId> = pins.iter().collect();
    let found = versions.filter(|version| wanted.contains(&version.artifact));
    found.map(|version| (version.artifact.clone(), version.content.size)).collect()
}

/// Everything below a manifest, itself included, with sizes.
async fn closure(content: &dyn Content, repository: &RepositoryName, digest: &Digest) -> Option<BTreeMap<Digest, u64>> {
    let (mut found, mut open) = (BTreeMap::new(), vec![digest.clone()]);
    let mut manifests = 0;
    while let Some(digest) = open.pop() {
        manifests += 1;
        if manifests > MOST_MANIFESTS {
            return None;
        }
        let document = content.manifest(repository, &digest).await.ok()?;
        found.insert(digest, document.bytes.len() as u64);
        for part in parts(&document.bytes, document.media_type.as_deref()).ok()? {
            if found.contains_key(&part.digest) || part.is_foreign {
                continue;
            }
            match part.is_manifest {
                true => open.push(part.digest),
                false => _ = found.insert(part.digest, part.size),
            }
        }
    }
    Some(found)
}
