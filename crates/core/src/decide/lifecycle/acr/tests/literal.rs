//! The command told step by step: page after page of tags, then every manifest, with workers that look into indexes in an
//! order that a seed decides. Nothing is shared with the simulator but what a filter matches.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::world::NOW;
use crate::model::{AcrLocks, AcrManifest, AcrPurge, AcrRepository, AcrTag, Digest, Tag};

#[derive(Default)]
pub(super) struct Done {
    pub(super) tags: BTreeSet<Tag>,
    pub(super) manifests: BTreeSet<Digest>,
}

pub(super) fn purge_literally(repository: &AcrRepository, command: &AcrPurge, page: usize, seed: u64) -> Done {
    let mut chance = Chance(seed);
    let days: i64 = command.ago.as_deref().unwrap().strip_suffix('d').unwrap().parse().unwrap();
    let border = NOW - SignedDuration::from_hours(24 * days);
    let mut done = Done::default();
    if !command.untagged_only {
        done.tags = purge_tags(repository, command, border, page, &mut chance);
    }
    if (command.untagged || command.untagged_only) && !command.dry_run {
        done.manifests = purge_manifests(repository, command, border, &done.tags, &mut chance);
    }
    done
}

fn is_free(locks: AcrLocks) -> bool {
    locks.delete_enabled.unwrap_or(true) && locks.write_enabled.unwrap_or(true)
}

fn purge_tags(
    repository: &AcrRepository,
    command: &AcrPurge,
    border: Timestamp,
    page: usize,
    chance: &mut Chance,
) -> BTreeSet<Tag> {
    let mut listed: Vec<&AcrTag> = repository.manifests.iter().flat_map(|manifest| &manifest.tags).collect();
    chance.shuffle(&mut listed);
    listed.sort_by_key(|tag| std::cmp::Reverse(tag.updated));
    let (mut skipped, mut taken) = (0, BTreeSet::new());
    for tags in listed.chunks(page) {
        let mut eligible = Vec::new();
        for tag in tags {
            let name = tag.name.as_str();
            let matches = match command.filters[0].split_once(':').unwrap().1 {
                ".*" => true,
                "^v" => name.starts_with('v'),
                _ => !name.starts_with("prod-pinned-"),
            };
            if matches && tag.updated < border && (command.include_locked || is_free(tag.locks)) {
                eligible.push(tag.name.clone());
            }
        }
        if command.keep == 0 || skipped == command.keep {
            taken.extend(eligible);
            continue;
        }
        for name in eligible {
            if skipped < command.keep {
                skipped += 1;
            } else {
                taken.insert(name);
            }
        }
    }
    taken
}

/// What a worker is to look into.
enum Look<'r> {
    Parts(&'r AcrManifest),
    WhetherItMayGo(&'r AcrManifest),
}

fn purge_manifests(
    repository: &AcrRepository,
    command: &AcrPurge,
    border: Timestamp,
    gone: &BTreeSet<Tag>,
    chance: &mut Chance,
) -> BTreeSet<Digest> {
    let (mut ignored, mut candidates, mut looks) = (BTreeSet::new(), Vec::new(), Vec::new());
    for manifest in &repository.manifests {
        while !looks.is_empty() && chance.below(2) == 0 {
            let next = looks.swap_remove(chance.below(looks.len()));
            look(repository, next, &mut ignored);
        }
        if ignored.contains(&manifest.digest) || !(command.include_locked || is_free(manifest.locks)) {
            continue;
        }
        let tagged = manifest.tags.iter().any(|tag| !gone.contains(&tag.name));
        if tagged || manifest.updated.is_none_or(|updated| updated > border) {
            if manifest.media_type.as_deref().is_none_or(is_list) {
                looks.push(Look::Parts(manifest));
            }
            continue;
        }
        looks.push(Look::WhetherItMayGo(manifest));
        candidates.push(manifest);
    }
    while !looks.is_empty() {
        let next = looks.swap_remove(chance.below(looks.len()));
        look(repository, next, &mut ignored);
    }
    candidates.retain(|manifest| !ignored.contains(&manifest.digest));
    if let Ok(keep) = usize::try_from(command.keep) {
        candidates.sort_by(|a, b| b.updated.cmp(&a.updated).then(a.digest.hex().cmp(&b.digest.hex())));
        candidates.drain(..keep.min(candidates.len()));
    }
    candidates.into_iter().map(|manifest| manifest.digest.clone()).collect()
}

fn is_list(media_type: &str) -> bool {
    media_type.ends_with("index.v1+json") || media_type.ends_with("manifest.list.v2+json")
}

fn look(repository: &AcrRepository, look: Look<'_>, ignored: &mut BTreeSet<Digest>) {
    match look {
        Look::Parts(manifest) => ignore_parts(repository, manifest, ignored),
        Look::WhetherItMayGo(manifest) => {
            let media_type = manifest.media_type.as_deref();
            let is_oci = media_type.is_some_and(|it| it.starts_with("application/vnd.oci."));
            if media_type.is_some() && !(is_oci && manifest.subject.is_some()) {
                return;
            }
            if media_type.is_some_and(|it| it.contains("index")) && !manifest.children.is_empty() {
                ignore_parts(repository, manifest, ignored);
            } else {
                ignored.insert(manifest.digest.clone());
            }
        }
    }
}

fn ignore_parts(repository: &AcrRepository, manifest: &AcrManifest, ignored: &mut BTreeSet<Digest>) {
    let find = |digest: &Digest| repository.manifests.iter().find(|manifest| manifest.digest == *digest);
    // In the parts' own words: an index says of each what it is.
    let is_index = |digest: &Digest| {
        find(digest).is_some_and(|part| part.media_type.as_deref().map_or(!part.children.is_empty(), is_list))
    };
    let mut queue = Vec::new();
    for child in &manifest.children {
        if is_index(child) {
            queue.push(child.clone());
        } else {
            ignored.insert(child.clone());
        }
    }
    while !queue.is_empty() {
        let next = queue.remove(0);
        if !ignored.insert(next.clone()) {
            continue;
        }
        for child in find(&next).into_iter().flat_map(|part| &part.children) {
            if is_index(child) {
                queue.push(child.clone());
            } else {
                ignored.insert(child.clone());
            }
        }
    }
}

/// Numbers by chance, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let pick = self.below(end + 1);
            items.swap(end, pick);
        }
    }
}
