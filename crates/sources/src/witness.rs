//! Whether anything in a repository is pinned, by whatever hands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use prodpin_core::model::{ArtifactId, Inspection, Pin, PinState, RepositoryName, Snapshot};

/// So many of a repository's newest object versions are asked for a hold: more than any policy keeps releases, in nearly
/// every case, and still a bounded number of calls.
const ASKED: usize = 32;

/// So many of the others are asked, evenly spread: what was pinned last may be older than many builds that came after.
const SPREAD: usize = 32;

/// How many object versions of each repository a look for pins did not ask for holds.
#[derive(Debug, Default)]
pub(super) struct LeftOut(Mutex<BTreeMap<RepositoryName, usize>>);

impl LeftOut {
    /// What to ask of a repository; how many are left out is kept.
    pub(super) fn note(&self, repository: &RepositoryName, snapshot: &Snapshot) -> Vec<ArtifactId> {
        let (asked, unasked) = asked(snapshot);
        let mut left_out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if unasked > 0 {
            left_out.insert(repository.clone(), unasked);
        }
        asked
    }

    pub(super) fn of(&self, repository: &RepositoryName) -> usize {
        let left_out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left_out.get(repository).copied().unwrap_or_default()
    }
}

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
                    let artifact = ArtifactId::Manifest(Digest::of(&n.to_be_bytes()));
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
