//! Whether anything in a repository is pinned, by whatever hands.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::{ArtifactId, Inspection, Pin, PinState, Snapshot};

/// So many of a repository's newest object versions are asked for a hold: more than any policy keeps releases, in nearly
/// every case, and still a bounded number of calls.
const ASKED: usize = 32;

/// A pin tag in the list.
pub(super) fn pin_tag(snapshot: &Snapshot) -> Option<String> {
    snapshot.tags.iter().find(|tag| Pin::read(&tag.name).is_some()).map(|tag| tag.name.to_string())
}

/// A hold or a mark on an object version.
pub(super) fn hold(seen: &Inspection) -> Option<String> {
    match seen.pin {
        PinState::Present => Some(format!("legal hold on {}", seen.artifact)),
        PinState::Unsupported { marked: true } => Some(format!("mark on {}", seen.artifact)),
        _ => None,
    }
}

/// The newest object versions, newest first. What is pinned by a tag needs no look at it.
pub(super) fn newest(snapshot: &Snapshot) -> Vec<ArtifactId> {
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
