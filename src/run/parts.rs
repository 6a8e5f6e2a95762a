//! Looking at what belongs to targets: the manifests below them, and what is attached to them (I26).

use std::collections::BTreeMap;

use futures::StreamExt as _;
use futures::stream;

use crate::decide;
use crate::model::{ArtifactId, Inspection, PinTerms, RepositoryName, RepositoryState, Snapshot};
use crate::sources::{Inventory, PartsLook};

/// How many targets of one repository are looked at at once; each asks for several pins at once.
const AT_ONCE: usize = 4;

/// Looks at what belongs to these artifacts, which were inspected.
pub(super) async fn look(
    inventory: &dyn Inventory,
    repository: &RepositoryName,
    (snapshot, state, terms): (&Snapshot, &RepositoryState, PinTerms),
    artifacts: Vec<ArtifactId>,
    inspections: &mut BTreeMap<ArtifactId, Inspection>,
) {
    let pins = decide::reads_pins_of_parts(snapshot, terms);
    let look = PartsLook { tags: &snapshot.tags, known: &state.attached, pins };
    let taken: Vec<(ArtifactId, Inspection)> =
        artifacts.iter().filter_map(|artifact| inspections.remove_entry(artifact)).collect();
    let looks = stream::iter(taken)
        .map(|(artifact, mut seen)| async move {
            inventory.look_at_parts(repository, &look, &mut seen).await;
            (artifact, seen)
        })
        .buffer_unordered(AT_ONCE);
    let mut looks = std::pin::pin!(looks);
    while let Some((artifact, seen)) = looks.next().await {
        inspections.insert(artifact, seen);
    }
}
