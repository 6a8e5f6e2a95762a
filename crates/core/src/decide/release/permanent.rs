//! Which tags may be the last that are left on an artifact (I5).

use crate::decide::input::Input;
use crate::decide::labels::Labels;
use crate::decide::rules::{is_watched, looks_like_release};
use crate::model::{ArtifactId, Resolution, Tag, TagStatus};

/// The listed tags of an artifact that keep it once its pin is gone, by what is known of them; whoever removes the pin reads
/// one of them first.
///
/// A tag is permanent if
/// - it is a release by a rule of the policy, or looks like a full version (`v1.4.0`; `v1` and `1.4` move by custom),
/// - nothing in the policy lets it move, it is not `latest`, no pin, and no tag that attaches a signature to something,
/// - and it never named anything else, as far as the ledger goes back.
#[must_use]
pub fn permanent_tags(input: &Input<'_>, artifact: &ArtifactId) -> Vec<Tag> {
    let labels = Labels::new(input.snapshot, input.labels);
    let listed = input.snapshot.tags.iter().filter(|tag| tag.target == Resolution::Artifact(artifact.clone()));
    let names = listed.map(|tag| &tag.name).filter(|tag| {
        let label = labels.label(tag);
        let is_release = input.rules.is_release(label) || is_full_version(label);
        is_watched(tag)
            && label != "latest"
            && is_release
            && !input.rules.may_move(tag, label)
            && stayed(input, tag, artifact)
    });
    names.cloned().collect()
}

fn is_full_version(label: &str) -> bool {
    looks_like_release(label) && label.bytes().filter(|byte| *byte == b'.').count() >= 2
}

/// Whether the ledger knows the tag, and knows it at nothing else.
fn stayed(input: &Input<'_>, tag: &Tag, artifact: &ArtifactId) -> bool {
    input.state.tags.get(tag).is_some_and(|history| {
        history.status() == TagStatus::Present
            && history.sightings().iter().all(|sighting| sighting.artifact == *artifact)
    })
}
