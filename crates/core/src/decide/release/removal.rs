//! How pins are removed in a source, by all that is known of it (F35, F123).

use crate::model::{Cleanup, PinRemoval, Recognised, SettingFacts, StatedCleanup};

/// What the source itself says of removing pins, held against what an earlier run knew of it and against what the policy says
/// cleans up there. `before` is what is on record of the source.
///
/// A registry that an earlier run recognised removes tags as its kind does, whatever hides its marks now. Where something
/// removes what has no tag, a manifest does not stay without one.
#[must_use]
pub fn removal(read: PinRemoval, cleanup: &Cleanup, before: Option<&SettingFacts>) -> PinRemoval {
    if let PinRemoval::Unsupported { .. } = read {
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
