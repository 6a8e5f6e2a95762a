//! Whether anything in a repository is pinned, by whatever hands.

use std::collections::BTreeSet;

use jiff::Timestamp;

use prodpin_core::model::{ArtifactId, Gap, Inspection, Pin, PinState, Snapshot};

/// So many of a repository's newest object versions are asked for a hold: more than any policy keeps releases, in nearly
/// every case, and still a bounded number of calls.
const ASKED: usize = 32;

/// So many of the others are asked, evenly spread: what was pinned last may be older than many builds that came after.
const SPREAD: usize = 32;

/// What a look for pins in a repository found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinLook {
    /// A pin, in words.
    Pin(String),
    /// None, of all that was asked.
    NoPin {
        /// How many object versions were not asked for holds.
        unasked: usize,
    },
    /// Whether there is one is not known.
    Unread(Gap),
}

/// A pin tag in the list.
pub(super) fn pin_tag(snapshot: &Snapshot) -> Option<String> {
    snapshot.tags.iter().find(|tag| Pin::read(&tag.name).is_some()).map(|tag| tag.name.to_string())
}

/// A look for holds under way. What could not be listed or asked is not known to have none.
pub(super) struct Holds {
    unasked: usize,
    unread: Option<Gap>,
}

impl Holds {
    /// With the object versions to ask.
    pub(super) fn look(snapshot: &Snapshot) -> (Self, Vec<ArtifactId>) {
        let unread = (!snapshot.listing_is_complete()).then(|| snapshot.gaps.first().cloned()).flatten();
        let (asked, unasked) = asked(snapshot);
        (Self { unasked, unread }, asked)
    }

    /// Takes what was seen of one; a hold or a mark ends the look.
    pub(super) fn note(&mut self, seen: Inspection) -> Option<PinLook> {
        match seen.pin {
            PinState::Present | PinState::Moved(_) => Some(PinLook::Pin(format!("legal hold on {}", seen.artifact))),
            PinState::Unsupported { marked: true } => Some(PinLook::Pin(format!("mark on {}", seen.artifact))),
            PinState::Unknown => {
                self.unread = self.unread.take().or_else(|| seen.gaps.into_iter().next());
                None
            }
            PinState::Absent | PinState::Unsupported { marked: false } => None,
        }
    }

    pub(super) fn end(self) -> PinLook {
        self.unread.map_or(PinLook::NoPin { unasked: self.unasked }, PinLook::Unread)
    }
}

/// The object versions to ask for holds, the newest first and then some of the others, and how many are left out. What is
/// pinned by a tag needs no look at it.
pub(super) fn asked(snapshot: &Snapshot) -> (Vec<ArtifactId>, usize) {
    let objects = snapshot.tags.iter().filter_map(|tag| tag.object.as_ref());
    choose(objects.flat_map(|object| &object.versions).map(|version| (version.modified, &version.artifact)))
}

fn choose<'a>(versions: impl Iterator<Item = (Timestamp, &'a ArtifactId)> + Clone) -> (Vec<ArtifactId>, usize) {
    let mut newest: BTreeSet<(Timestamp, &ArtifactId)> = BTreeSet::new();
    for version in versions.clone() {
        newest.insert(version);
        if newest.len() > ASKED {
            newest.pop_first();
        }
    }
    let others = versions.filter(|version| !newest.contains(version));
    let left = others.clone().count();
    let mut asked: Vec<ArtifactId> = newest.iter().rev().map(|(_, artifact)| (*artifact).clone()).collect();
    let first = asked.len();
    asked.extend(others.step_by(left.div_ceil(SPREAD).max(1)).map(|(_, artifact)| artifact.clone()));
    let unasked = left - (asked.len() - first);
    (asked, unasked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prodpin_core::model::Digest;

    #[test]
    fn the_newest_versions_are_asked_and_some_of_all_others_i24() {
        for (versions, expected, left) in [(0, 0, 0), (32, 32, 0), (64, 64, 0), (65, 49, 16), (1000, 64, 936)] {
            let all: Vec<(Timestamp, ArtifactId)> = (0..versions)
                .map(|n: i64| {
                    let artifact = ArtifactId::Manifest(Digest::sha256(&n.to_be_bytes()));
                    (Timestamp::from_second(n).unwrap(), artifact)
                })
                .collect();
            let (asked, unasked) = choose(all.iter().map(|(at, artifact)| (*at, artifact)));
            assert_eq!((asked.len(), unasked), (expected, left), "{versions}");
            assert_eq!(asked.iter().collect::<BTreeSet<_>>().len(), expected, "each once");
            assert_eq!(asked.first(), all.last().map(|(_, artifact)| artifact), "the newest first");
        }
    }
}
