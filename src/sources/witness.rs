//! Whether anything in a repository is pinned, by whatever hands.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use jiff::Timestamp;

use super::Inventory;
use crate::model::{ArtifactId, Inspection, Pin, PinState, RepositoryName, Snapshot};

/// So many of a repository's newest object versions are asked for a hold: more than any policy keeps releases, in nearly
/// every case, and still a bounded number of calls.
const ASKED: usize = 32;

/// How many are asked at once.
const AT_ONCE: usize = 8;

/// A pin tag in the list, or a hold or mark on one of the newest object versions.
pub(super) async fn any_pin<I: Inventory + ?Sized>(inventory: &I, repository: &RepositoryName) -> Option<String> {
    let snapshot = inventory.observe(repository).await;
    any_pin_of(&snapshot, async |artifact| inventory.inspect(repository, artifact).await).await
}

/// The same in what was listed.
pub(super) async fn any_pin_of(snapshot: &Snapshot, inspect: impl AsyncFn(&ArtifactId) -> Inspection) -> Option<String> {
    if let Some(pin) = snapshot.tags.iter().find(|tag| Pin::read(&tag.name).is_some()) {
        return Some(pin.name.to_string());
    }
    let inspect = &inspect;
    let asked = stream::iter(newest(snapshot)).map(|artifact| async move {
        let held = match inspect(&artifact).await.pin {
            PinState::Present => "legal hold on",
            PinState::Unsupported { marked: true } => "mark on",
            _ => return None,
        };
        Some(format!("{held} {artifact}"))
    });
    let found = asked.buffer_unordered(AT_ONCE).filter_map(std::future::ready);
    let mut found = std::pin::pin!(found);
    found.next().await
}

/// The newest object versions, newest first. What is pinned by a tag needs no look at it.
fn newest(snapshot: &Snapshot) -> Vec<ArtifactId> {
    let objects = snapshot.tags.iter().filter_map(|tag| tag.object.as_ref());
    let versions = objects.flat_map(|object| &object.versions);
    let mut newest: BTreeSet<(Timestamp, ArtifactId)> = BTreeSet::new();
    for version in versions {
        newest.insert((version.modified, version.artifact.clone()));
        if newest.len() > ASKED {
            newest.pop_first();
        }
    }
    newest.into_iter().rev().map(|(_, artifact)| artifact).collect()
}
