//! The repository as it will be after pinning, and as it would be without its pins.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::{Digest, HarborArtifact, HarborTag, Pin};

/// The artifacts as they will be when these are pinned at that moment: a pin is a push of its artifact (D115).
#[must_use]
pub fn with_pins<'a>(
    artifacts: &'a [HarborArtifact],
    pinned: &BTreeSet<Digest>,
    at: Timestamp,
) -> Cow<'a, [HarborArtifact]> {
    let lacks = |artifact: &HarborArtifact| pinned.contains(&artifact.digest) && !is_pinned(artifact);
    if !artifacts.iter().any(lacks) {
        return Cow::Borrowed(artifacts);
    }
    let pin = |artifact: &HarborArtifact| {
        let mut artifact = artifact.clone();
        if lacks(&artifact) {
            let name = Pin::for_digest(&artifact.digest).to_string().into();
            artifact.tags.push(HarborTag { name, pushed: at, pulled: None });
        }
        artifact
    };
    Cow::Owned(artifacts.iter().map(pin).collect())
}

/// The artifacts without the pins that are there. Each goes back to the time of its other tags (J20).
#[must_use]
pub fn without_pins(artifacts: &[HarborArtifact]) -> Vec<HarborArtifact> {
    without(artifacts, is_pin)
}

/// The artifacts without some of their tags.
#[must_use]
pub fn without(
    artifacts: &[HarborArtifact],
    leaves: impl Fn(&HarborArtifact, &HarborTag) -> bool,
) -> Vec<HarborArtifact> {
    let bare = |artifact: &HarborArtifact| {
        let tags = artifact.tags.iter().filter(|tag| !leaves(artifact, tag)).cloned().collect();
        HarborArtifact { tags, ..artifact.clone() }
    };
    artifacts.iter().map(bare).collect()
}

/// Whether it has its own pin.
#[must_use]
pub fn is_pinned(artifact: &HarborArtifact) -> bool {
    artifact.tags.iter().any(|tag| is_pin(artifact, tag))
}

fn is_pin(artifact: &HarborArtifact, tag: &HarborTag) -> bool {
    *tag.name == *Pin::for_digest(&artifact.digest).to_string()
}
