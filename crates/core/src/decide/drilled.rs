//! Drills, decided: which targets are read and which wait, and what the last drill of a target means for it (F104).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{
    ArtifactId, BrokenPart, Digest, DrilledFrom, Inspection, Obstacle, Presence, RepositoryState, SourceName,
};
use crate::outcome::report::{DrillReport, TargetReport};

/// A target that may be drilled: its parts by where they are read, each blob once for all repositories of a source. None
/// stands for the vault.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Where its parts are.
    pub place: Option<SourceName>,
    /// Its parts, with their sizes.
    pub parts: Vec<(Digest, u64)>,
}

/// What becomes of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// It is read.
    Read,
    /// It waits for another drill: so many bytes of it would be read, and so many are left of what may be.
    Waits {
        /// What it needs.
        needs: u64,
        /// What is left.
        left: u64,
    },
}

/// Which of the candidates are read, in their order, where no more than `most` bytes may be. A part that was read for one of
/// them costs the others nothing. What does not fit waits, and what comes after it may fit. Beside the choices, how many bytes
/// that is.
#[must_use]
pub fn choose(candidates: &[Candidate], most: Option<u64>) -> (Vec<Choice>, u64) {
    let mut read: BTreeSet<(&Option<SourceName>, &Digest)> = BTreeSet::new();
    let mut bytes = 0_u64;
    let choices = candidates.iter().map(|candidate| {
        let mut own = BTreeSet::new();
        let fresh = candidate
            .parts
            .iter()
            .filter(|(digest, _)| !read.contains(&(&candidate.place, digest)) && own.insert(digest));
        let needs = fresh.fold(0_u64, |sum, (_, size)| sum.saturating_add(*size));
        let left = most.map_or(u64::MAX, |most| most.saturating_sub(bytes));
        if needs > left {
            return Choice::Waits { needs, left };
        }
        bytes = bytes.saturating_add(needs);
        read.extend(candidate.parts.iter().map(|(digest, _)| (&candidate.place, digest)));
        Choice::Read
    });
    let choices = choices.collect();
    (choices, bytes)
}

/// What drills are on record of an artifact: the last one of each place.
#[must_use]
pub fn reports(state: &RepositoryState, artifact: &ArtifactId) -> Vec<DrillReport> {
    let drills = state.drilled.get(artifact).into_iter().flatten();
    drills
        .map(|(from, (mark, drill))| DrillReport {
            from: *from,
            at: mark.at,
            outcome: drill.outcome,
            bytes: drill.bytes,
            milliseconds: drill.milliseconds,
            broken: drill.broken.clone(),
            signatures: drill.signatures.clone(),
        })
        .collect()
}

/// The parts under whose digests the last drill of its source read wrong bytes, the target itself among them.
pub(super) fn wrong_bytes(target: &TargetReport) -> impl Iterator<Item = &Digest> {
    let of_source = target.drills.iter().filter(|drill| drill.from == DrilledFrom::Source);
    of_source.flat_map(|drill| &drill.broken).filter(|part| !part.gone).map(|part| &part.digest)
}

/// When `restore` put the artifact back, where no drill has read it in its source since.
#[must_use]
pub fn restored_since(state: &RepositoryState, artifact: &ArtifactId) -> Option<Timestamp> {
    let restored = state.restored.get(artifact)?;
    let drilled = state.drilled.get(artifact).and_then(|drills| drills.get(&DrilledFrom::Source));
    drilled.is_none_or(|(mark, _)| mark < restored).then_some(restored.at)
}

/// Holds what was looked at to what the last drill of its source found: a part that was served with other bytes than its digest
/// says is damaged until another drill reads it whole, since a look that reads no bytes cannot tell.
pub fn hold(state: &RepositoryState, inspections: &mut BTreeMap<ArtifactId, Inspection>) {
    for (artifact, seen) in inspections.iter_mut().filter(|(_, seen)| seen.presence == Presence::Present) {
        let Some((mark, drill)) = state.drilled.get(artifact).and_then(|drills| drills.get(&DrilledFrom::Source))
        else {
            continue;
        };
        let day = mark.at.strftime("%Y-%m-%d");
        let damaged = drill.broken.iter().filter(|part| !part.gone).map(|BrokenPart { digest, detail, .. }| {
            Obstacle::PartDamaged {
                digest: digest.clone(),
                detail: format!("part {digest}: the drill of {day} found that {detail}"),
            }
        });
        for damaged in damaged {
            if !seen.obstacles.contains(&damaged) {
                seen.obstacles.push(damaged);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Closure, Drill, DrillOutcome, Event, Mark};
    use jiff::Timestamp;

    fn candidate(place: &str, parts: &[(&str, u64)]) -> Candidate {
        let parts = parts.iter().map(|(name, size)| (Digest::sha256(name.as_bytes()), *size)).collect();
        Candidate { place: (!place.is_empty()).then(|| place.parse().unwrap()), parts }
    }

    #[test]
    fn what_fits_is_read_and_what_is_shared_costs_once() {
        use Choice::{Read, Waits};
        let base = ("base", 60);
        let candidates = [
            candidate("eu", &[base, ("one", 20)]),
            candidate("eu", &[base, ("two", 10), ("two", 10)]),
            candidate("us", &[base, ("two", 10)]),
            candidate("eu", &[("three", 5)]),
        ];
        for (most, expected, bytes) in [
            (None, [Read, Read, Read, Read], 165),
            (Some(165), [Read, Read, Read, Read], 165),
            (Some(100), [Read, Read, Waits { needs: 70, left: 10 }, Read], 95),
            (
                Some(80),
                [Read, Waits { needs: 10, left: 0 }, Waits { needs: 70, left: 0 }, Waits { needs: 5, left: 0 }],
                80,
            ),
            (Some(0), [80, 70, 70, 5].map(|needs| Waits { needs, left: 0 }), 0),
        ] {
            assert_eq!(choose(&candidates, most), (expected.to_vec(), bytes), "{most:?}");
        }
    }

    fn drilled(artifact: &ArtifactId, from: DrilledFrom, outcome: DrillOutcome, sequence: u64) -> (Mark, Event) {
        let broken = BrokenPart {
            digest: Digest::sha256(b"layer"),
            gone: false,
            detail: "it hashes to something else".to_owned(),
        };
        let broken = if outcome == DrillOutcome::Broken { vec![broken] } else { Vec::new() };
        let drill = Box::new(Drill { outcome, bytes: 9, milliseconds: 61_000, broken, signatures: None });
        let mark = Mark { sequence, at: Timestamp::from_second(1_795_000_000).unwrap() };
        (mark, Event::Drilled { artifact: artifact.clone(), from, drill })
    }

    #[test]
    fn what_a_drill_found_holds_until_another_one_f104() {
        let artifact = ArtifactId::Manifest(Digest::sha256(b"x"));
        let present = Inspection {
            presence: Presence::Present,
            closure: Closure::Complete,
            ..Inspection::unread(artifact.clone())
        };
        let (from, to) = (DrillOutcome::Broken, DrillOutcome::Intact);
        for (drills, damaged) in [
            (vec![], 0),
            (vec![(DrilledFrom::Source, from)], 1),
            (vec![(DrilledFrom::Source, from), (DrilledFrom::Vault, to)], 1),
            (vec![(DrilledFrom::Source, from), (DrilledFrom::Source, to)], 0),
            (vec![(DrilledFrom::Source, to), (DrilledFrom::Source, from)], 1),
            (vec![(DrilledFrom::Vault, from)], 0),
        ] {
            let mut state = RepositoryState::default();
            for (sequence, (from, outcome)) in drills.iter().enumerate() {
                let (mark, event) = drilled(&artifact, *from, *outcome, sequence as u64);
                state.apply(mark, &event);
            }
            let mut inspections = BTreeMap::from([(artifact.clone(), present.clone())]);
            hold(&state, &mut inspections);
            hold(&state, &mut inspections);
            assert_eq!(inspections[&artifact].obstacles.len(), damaged, "{drills:?}");
            let mut gone =
                BTreeMap::from([(artifact.clone(), Inspection { presence: Presence::NotFound, ..present.clone() })]);
            hold(&state, &mut gone);
            assert_eq!(gone[&artifact].obstacles, [], "what is gone is damaged no more");
        }
    }
}
