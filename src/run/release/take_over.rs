//! What another release set out to remove here, and did not say what came of it: it was cut off, or is at it. This one takes that over
//! on record, so that the other removes nothing any more, waits until its last call has arrived, looks, and says what came of it (I15).

use std::sync::Arc;

use crate::decide::release::of_taken_over;
use crate::model::{ArtifactId, Event, RepositoryKey};

use super::super::removals::record;
use super::super::repository::look;
use super::super::setup::Setup;
use super::super::{RunError, Stop};

pub(super) async fn take_over(setup: &Arc<Setup>, key: &RepositoryKey, stop: &Stop) -> Result<(), RunError> {
    let state = setup.ledger.recall(key).await?;
    let begun: Vec<ArtifactId> = state.releasing.into_keys().collect();
    if begun.is_empty() {
        return Ok(());
    }
    tracing::info!(repository = %key, pins = begun.len(), "taking over in {key} what another release set out to remove");
    let by = Some(setup.id.clone());
    let events = begun.iter().map(|artifact| Event::PinReleasing { artifact: artifact.clone(), by: by.clone() });
    record(setup, key, events).await?;
    if !stop.waits_for_removals().await {
        return Ok(());
    }
    let inventory = setup.source(key).inventory.as_ref();
    let scan = look(setup, inventory, key.clone()).await?;
    let looks = scan.look_closely(inventory, begun).await;
    let events = looks.iter().filter_map(|(artifact, seen)| of_taken_over(artifact, &seen.pin));
    Ok(record(setup, key, events).await?)
}
