//! Garbage collection (`data/model/gc.py`, K54): when a row leaves the history and a manifest goes, if nothing else
//! happens. Until then it can be restored.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{Millis, Repository, World};

/// How many rows Quay purges at once.
const CHUNK: usize = 10;

/// What goes, and when; what is in neither goes never.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gone {
    /// When a row leaves the history, by place in the repository's list.
    pub rows: BTreeMap<usize, Millis>,
    /// When a manifest goes, by place in the repository's list.
    pub manifests: BTreeMap<usize, Millis>,
}

/// What goes from a repository from then on, were nothing but collection to run. In a server it comes some time later, and
/// not while the namespace is disabled.
#[must_use]
pub fn collect(world: &World, repository: &Repository, now: Millis) -> Gone {
    let mut gone = Gone::default();
    let held = world.features.immutable_tags && !world.features.immutable_tags_can_expire;
    let mut due: BTreeMap<Millis, Vec<usize>> = BTreeMap::new();
    for (index, row) in repository.tags.iter().enumerate().filter(|(_, row)| !(held && row.immutable)) {
        if let Some(end) = row.end {
            due.entry(now.max(end + 1_000 * world.time_machine_s)).or_default().push(index);
        }
    }
    for (at, rows) in due {
        for chunk in rows.chunks(CHUNK) {
            gone.rows.extend(chunk.iter().map(|row| (*row, at)));
            purge(repository, chunk, at, &mut gone);
        }
    }
    gone
}

/// Takes the manifests that these rows named, and all below them, as far as nothing holds them.
fn purge(repository: &Repository, rows: &[usize], at: Millis, gone: &mut Gone) {
    let mut looked_at: BTreeSet<usize> = BTreeSet::new();
    let mut next: Vec<usize> = rows.iter().map(|row| repository.tags[*row].manifest).collect();
    while let Some(manifest) = next.pop() {
        // What is gone lists no children any more.
        if !gone.manifests.contains_key(&manifest) && looked_at.insert(manifest) {
            next.extend(&repository.manifests[manifest].children);
        }
    }
    loop {
        let free: Vec<usize> = looked_at
            .iter()
            .copied()
            .filter(|manifest| !gone.manifests.contains_key(manifest) && !is_used(repository, *manifest, gone))
            .collect();
        if free.is_empty() {
            return;
        }
        gone.manifests.extend(free.into_iter().map(|manifest| (manifest, at)));
    }
}

/// Whether a row, an index or a referrer holds it.
fn is_used(repository: &Repository, manifest: usize, gone: &Gone) -> bool {
    let rows = repository.tags.iter().enumerate();
    rows.into_iter().any(|(index, row)| row.manifest == manifest && !gone.rows.contains_key(&index))
        || repository.manifests.iter().enumerate().any(|(index, other)| {
            !gone.manifests.contains_key(&index)
                && (other.children.contains(&manifest) || other.subject == Some(manifest))
        })
}
