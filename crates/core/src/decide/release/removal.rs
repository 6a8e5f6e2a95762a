//! How pins are removed in a source, by all that is known of it (F35, F123).

use crate::decide::lifecycle::harbor::{Lock, lock};
use crate::model::{
    ArtifactId, Cleanup, Pin, PinRemoval, Recognised, Retention, SettingFacts, Snapshot, StatedCleanup,
};

/// What the source itself says of removing pins, held against what an earlier run knew of it and against what the policy says
/// cleans up there. `before` is what is on record of the source.
///
/// A registry that an earlier run recognised removes tags as its kind does, whatever hides its marks now. Where something
/// removes what has no tag, a manifest does not stay without one.
#[must_use]
pub fn removal(read: PinRemoval, cleanup: &Cleanup, before: Option<&SettingFacts>) -> PinRemoval {
    // Who speaks a registry's own interface knows what that is.
    if matches!(read, PinRemoval::Unsupported { .. } | PinRemoval::ByName) {
        return read;
    }
    let known = match (&cleanup.registry, before) {
        (Recognised::Before(kind), _) => Some(kind.name().to_owned()),
        (_, Some(SettingFacts::Registry { recognised: Some(name) })) => Some(name.clone()),
        _ => None,
    };
    if let Some(name) = known {
        let detail = format!(
            "an earlier run recognised this registry as {name}, and that it removes the tag alone was never shown; remove the \
             pin there"
        );
        return PinRemoval::Unsupported { detail };
    }
    match (read, cleanup.stated) {
        (PinRemoval::Untag { .. }, Some(StatedCleanup::Untagged | StatedCleanup::Unknown)) => {
            PinRemoval::Untag { leaves_untagged: false }
        }
        (read, _) => read,
    }
}

/// How one pin is removed. A tag that a rule holds immutable is not, by nobody; which those are the repository's rules say.
pub(super) fn removal_of(removal: &PinRemoval, snapshot: &Snapshot, artifact: &ArtifactId) -> PinRemoval {
    if *removal != PinRemoval::ByName {
        return removal.clone();
    }
    let unsupported = |detail: String| PinRemoval::Unsupported { detail };
    let (Retention::Harbor(repository), Some(digest)) = (&snapshot.retention, artifact.digest()) else {
        return unsupported("whether a rule holds this pin immutable is unknown".to_owned());
    };
    let pin = Pin::for_digest(digest).to_string();
    match lock(repository, [pin.as_str()]) {
        Lock::Open | Lock::FailedOpen => PinRemoval::ByName,
        Lock::By(_) => unsupported(format!(
            "an immutability rule of project {} covers this pin, and Harbor removes no immutable tag; disable the rule for as \
             long as pins are removed",
            repository.project
        )),
        Lock::Unknown(detail) => unsupported(format!("whether a rule holds this pin immutable is unknown: {detail}")),
    }
}
