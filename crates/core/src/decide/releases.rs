//! The releases of one rule: tags of one artifact are one release, and so are a release and the tags of its platforms.

use std::collections::BTreeMap;

use crate::model::{ArtifactId, Mark, TagHistory, TagStatus};
use crate::outcome::report::Reason;

use super::candidate::{Candidate, MovedIn};
use super::platform_tags::without_platform;
use super::ranking::{Arrival, Ranking};

/// How many more candidates a rule ranks than it can keep or has lost: what vanished without its tag being missed yet.
const SPARE: usize = 32;

/// So many tags of platforms are taken for those of one release.
pub(super) const PLATFORMS: usize = 16;

/// Releases by their tags, which come most recent first.
pub(super) fn releases(ranking: &Ranking<'_>, keep: u32, pinned: &BTreeMap<ArtifactId, Mark>) -> Vec<Candidate> {
    // No more can be missing than have lost their tag, or are on record as missing.
    let lost = ranking.tags().filter(|named| named.history().status() != TagStatus::Present).count();
    let mut room = Room::new(ranking.latest(), keep as usize, lost);
    let mut ranked: Vec<Candidate> = Vec::new();
    let mut labels: Vec<Vec<&str>> = Vec::new();
    let mut at: BTreeMap<&ArtifactId, usize> = BTreeMap::new();
    for ranked_tag in ranking.ranked() {
        let named = ranked_tag.named();
        let (history, label) = (named.history(), named.label());
        let Some(original) = history.original() else { continue };
        let known = match at.get(&original.artifact) {
            Some(known) => *known,
            None if !room.admits(ranked_tag.family(), ranking.arrival(named), label) => continue,
            None => {
                at.insert(&original.artifact, ranked.len());
                ranked.push(Candidate::new(original.artifact.clone()));
                labels.push(Vec::new());
                ranked.len() - 1
            }
        };
        labels[known].push(label);
        let candidate = &mut ranked[known];
        candidate.places.push(ranking.place(&ranked_tag));
        let tag = named.tag().clone();
        let current = history.latest().filter(|_| !matches!(history.status(), TagStatus::Deleted(_)));
        let released = current.is_some_and(|current| current.artifact == original.artifact);
        candidate.moved_in.extend(moved_in(history, keep).map(|artifact| MovedIn {
            tag: tag.clone(),
            artifact: artifact.clone(),
            left: (released || current.is_none()) && !pinned.contains_key(artifact),
        }));
        candidate.reasons.push(match released {
            true => Reason::ReleaseTag { tag },
            false => Reason::ReleasedAs { tag },
        });
    }
    for (candidate, release) in ranked.iter_mut().zip(platforms(&labels)) {
        candidate.platform_of = release;
    }
    ranked
}

/// Which releases are worth ranking: enough in a row, and beside them the first ones of each family, about which nobody
/// knows whether they come before those, and the one that arrived last.
struct Room {
    keep: usize,
    left: usize,
    platforms: usize,
    families: BTreeMap<u32, usize>,
    latest: Option<Arrival>,
}

impl Room {
    fn new(latest: Option<Arrival>, keep: usize, lost: usize) -> Self {
        let left = keep.saturating_add(lost).saturating_add(SPARE);
        Self { keep, left, platforms: left.saturating_mul(PLATFORMS), families: BTreeMap::new(), latest }
    }

    fn admits(&mut self, family: Option<u32>, arrival: Arrival, label: &str) -> bool {
        if self.platforms > 0 && without_platform(label).is_some() {
            self.platforms -= 1;
            return self.left > 0;
        }
        let known = family.is_some_and(|family| self.families.contains_key(&family));
        let new = self.families.len() <= self.keep;
        let count = family.filter(|_| known || new).map(|family| self.families.entry(family).or_default());
        let first = count.is_some_and(|count| {
            *count += 1;
            *count <= self.keep
        });
        if self.left > 0 {
            self.left -= 1;
            return true;
        }
        // The first one of those is enough.
        first || self.latest.take_if(|latest| *latest == arrival).is_some()
    }
}

/// For each candidate the release whose platform its tags name, if they name nothing else.
fn platforms(labels: &[Vec<&str>]) -> Vec<Option<usize>> {
    let plain = |label: &str| match label.strip_prefix(['v', 'V']) {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_digit()) => rest.to_owned(),
        _ => label.to_owned(),
    };
    let without: Vec<Option<String>> = labels
        .iter()
        .map(|labels| labels.iter().map(|label| without_platform(label)).collect::<Option<Vec<_>>>()?.pop())
        .collect();
    if without.iter().all(Option::is_none) {
        return vec![None; labels.len()];
    }
    let mut releases: BTreeMap<String, usize> = BTreeMap::new();
    for (at, labels) in labels.iter().enumerate().filter(|(at, _)| without[*at].is_none()) {
        for label in labels {
            releases.entry(plain(label)).or_insert(at);
        }
    }
    let release = |(at, release): (usize, &Option<String>)| {
        // Where no tag names the release alone, the first platform stands for it.
        let of = *releases.entry(plain(release.as_ref()?)).or_insert(at);
        (of != at).then_some(of)
    };
    without.iter().enumerate().map(release).collect()
}

/// Bytes that a release tag named after its first ones, the latest first. Production may have run any of them, also
/// where the tag was since deleted or put back; as many as are kept of releases are kept of these.
fn moved_in(history: &TagHistory, keep: u32) -> impl Iterator<Item = &ArtifactId> {
    let original = history.original().map(|sighting| &sighting.artifact);
    let mut later: Vec<&ArtifactId> = Vec::new();
    // Nearly every release tag has one sighting.
    for sighting in history.sightings().iter().skip(1).rev().map(|sighting| &sighting.artifact) {
        if later.len() == keep as usize {
            break;
        }
        if Some(sighting) != original && !later.contains(&sighting) {
            later.push(sighting);
        }
    }
    later.into_iter()
}
