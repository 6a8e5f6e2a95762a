//! What a removal took along, by a closer look before it and one after (I5, F35).

use std::collections::BTreeSet;

use crate::model::{ArtifactId, Closure, Digest, Gap, Inspection, Part, PinState, Presence};

/// What is not as it was, as a clause; none if only those pins are gone that were `removed`. What cannot be read any more counts
/// as lost.
#[must_use]
pub fn loss(before: &Inspection, after: &Inspection, removed: &BTreeSet<ArtifactId>) -> Option<String> {
    let name = before.artifact.short();
    let unread = || after.gaps.first().map_or_else(|| "nobody says why".to_owned(), |gap: &Gap| gap.detail.clone());
    match (before.presence, after.presence) {
        (_, Presence::Present) => {}
        (_, Presence::NotFound) => return Some(format!("{name} is gone")),
        (_, Presence::Unknown) => return Some(format!("whether {name} is there could not be read: {}", unread())),
    }
    match (&before.closure, &after.closure) {
        (Closure::Broken(lacked), Closure::Broken(lacks)) if lacks.iter().all(|digest| lacked.contains(digest)) => {}
        (_, Closure::Broken(lacks)) => {
            let lacks = lacks.first().map_or_else(String::new, |digest| format!(": {digest}"));
            return Some(format!("{name} lacks parts that it had{lacks}"));
        }
        (Closure::Complete, Closure::Unknown) => {
            return Some(format!("whether {name} is whole could not be read: {}", unread()));
        }
        _ => {}
    }
    if !removed.contains(&before.artifact) && before.pin == PinState::Present && after.pin != PinState::Present {
        return Some(format!("the pin of {name} is not there"));
    }
    of_parts(before, after, removed)
}

fn of_parts(before: &Inspection, after: &Inspection, removed: &BTreeSet<ArtifactId>) -> Option<String> {
    let there: BTreeSet<&Digest> = after.parts.all().map(|part| &part.digest).collect();
    let name = before.artifact.short();
    if let Some(part) = before.parts.all().find(|part| !there.contains(&part.digest)) {
        return Some(format!("{}, which belongs to {name}, was not found", part.digest));
    }
    let unpinned = |part: &&Part| {
        let artifact = ArtifactId::Manifest(part.digest.clone());
        part.pin == PinState::Present
            && !removed.contains(&artifact)
            && after.parts.find(&artifact).is_some_and(|now| now.pin != PinState::Present)
    };
    let part = before.parts.all().find(unpinned)?;
    Some(format!("the pin of {}, which belongs to {name}, is not there", part.digest))
}
