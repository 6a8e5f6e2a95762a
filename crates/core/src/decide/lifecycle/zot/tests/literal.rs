//! zot's collection told step by step: lists of rows, one walk after the other, sorting by insertion, the walk of a map in
//! an order that a seed decides. Slow, and nothing is shared with the simulator.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::world::NOW;
use crate::model::{Digest, Tag, ZotKeep, ZotManifest, ZotPolicy, ZotRepository};

pub(super) struct Left {
    pub(super) tags: BTreeSet<Tag>,
    pub(super) manifests: BTreeSet<Digest>,
}

#[derive(Clone, PartialEq)]
struct Line {
    digest: Digest,
    tag: Option<Tag>,
}

#[derive(Clone)]
struct Counted {
    name: String,
    pushed: Option<Timestamp>,
    pulled: Option<Timestamp>,
}

/// What is left; none: the process ended.
pub(super) fn collect_literally(repository: &ZotRepository, seed: u64) -> Option<Left> {
    let policy = repository.settings.policies.first();
    let mut index = Vec::new();
    for manifest in &repository.manifests {
        for tag in &manifest.tags {
            index.push(Line { digest: manifest.digest.clone(), tag: Some(tag.clone()) });
        }
        if manifest.tags.is_empty() && manifest.is_listed {
            index.push(Line { digest: manifest.digest.clone(), tag: None });
        }
    }
    if let Some(policy) = policy.filter(|policy| !policy.keep_tags.is_empty()) {
        let kept = retained(repository, policy, &index, seed)?;
        for line in index.clone() {
            if let Some(tag) = line.tag.filter(|tag| !kept.contains(tag.as_str())) {
                delete_tag(&mut index, &tag);
            }
        }
    }
    loop {
        let referrers =
            policy.is_some_and(|policy| policy.delete_referrers) && delete_referrers(repository, &mut index);
        let untagged = policy.and_then(|policy| policy.delete_untagged) != Some(false);
        let untagged = untagged && delete_untagged(repository, policy, &mut index)?;
        if !referrers && !untagged {
            break;
        }
    }
    Some(sweep(repository, index))
}

fn manifest<'r>(repository: &'r ZotRepository, digest: &Digest) -> Option<&'r ZotManifest> {
    repository.manifests.iter().find(|manifest| manifest.digest == *digest)
}

fn delete_tag(index: &mut Vec<Line>, tag: &Tag) -> bool {
    let Some(found) = index.iter().find(|line| line.tag.as_ref() == Some(tag)).cloned() else { return false };
    let of_digest = index.iter().filter(|line| line.digest == found.digest).count();
    index.retain(|line| *line != found);
    if of_digest == 1 {
        index.push(Line { digest: found.digest, tag: None });
    }
    true
}

fn delete_digest(index: &mut Vec<Line>, digest: &Digest) -> bool {
    if index.iter().filter(|line| line.digest == *digest).count() != 1 {
        return false;
    }
    index.retain(|line| line.digest != *digest);
    true
}

fn is_old(repository: &ZotRepository, digest: &Digest, delay: SignedDuration) -> bool {
    manifest(repository, digest).is_some_and(|manifest| manifest.written + delay <= NOW)
}

fn delete(repository: &ZotRepository, index: &mut Vec<Line>, line: &Line, delay: SignedDuration) -> bool {
    if !is_old(repository, &line.digest, delay) {
        return false;
    }
    match &line.tag {
        Some(tag) => delete_tag(index, tag),
        None => delete_digest(index, &line.digest),
    }
}

fn delete_referrers(repository: &ZotRepository, index: &mut Vec<Line>) -> bool {
    let mut count = 0;
    for line in index.clone() {
        let subject = manifest(repository, &line.digest).and_then(|manifest| manifest.subject.clone());
        if let Some(subject) = subject {
            let listed = index.iter().any(|other| other.digest == subject);
            if !listed && delete(repository, index, &line, repository.settings.retention_delay) {
                count += 1;
                continue;
            }
        }
        let signed = line.tag.as_ref().and_then(|tag| tag.as_str().strip_prefix("sha256-")?.strip_suffix(".sig"));
        if let Some(hex) = signed {
            let listed = index.iter().any(|other| other.digest.hex() == hex);
            if !listed && delete(repository, index, &line, repository.settings.delay) {
                count += 1;
            }
        }
    }
    count > 0
}

fn delete_untagged(repository: &ZotRepository, policy: Option<&ZotPolicy>, index: &mut Vec<Line>) -> Option<bool> {
    let mut referenced = BTreeSet::new();
    let top: Vec<Digest> = index.iter().map(|line| line.digest.clone()).collect();
    mark(repository, &top, &mut referenced, false);
    let mut retained = BTreeSet::new();
    if let Some(keep) = policy.and_then(|policy| policy.keep_untagged.as_ref())
        && repository.settings.has_database
        && (keep.pulled_count, keep.pushed_count, keep.pulled_within, keep.pushed_within) != (0, 0, None, None)
    {
        let mut counted = Vec::new();
        for line in index.iter().filter(|line| line.tag.is_none()) {
            match manifest(repository, &line.digest).and_then(|manifest| manifest.used) {
                Some(used) => {
                    counted.push(Counted { name: line.digest.hex(), pushed: used.pushed, pulled: used.pulled });
                }
                None => {
                    retained.insert(line.digest.hex());
                }
            }
        }
        retained.extend(by_rules(keep, counted)?);
    }
    let mut gced = false;
    for line in index.clone() {
        if line.tag.is_some() || referenced.contains(&line.digest) || retained.contains(&line.digest.hex()) {
            continue;
        }
        gced = delete(repository, index, &line, repository.settings.retention_delay);
    }
    Some(gced)
}

/// Marks what indexes list and what refers to something; for the sweep also what is named itself.
fn mark(repository: &ZotRepository, digests: &[Digest], marked: &mut BTreeSet<Digest>, themselves: bool) {
    for digest in digests {
        let Some(found) = manifest(repository, digest) else { continue };
        if themselves || found.subject.is_some() {
            marked.insert(digest.clone());
        }
        marked.extend(found.children.iter().cloned());
        mark(repository, &found.children, marked, themselves);
    }
}

fn sweep(repository: &ZotRepository, mut index: Vec<Line>) -> Left {
    index.retain(|line| {
        let children = manifest(repository, &line.digest).map(|found| found.children.clone()).unwrap_or_default();
        children.is_empty() || children.iter().any(|child| manifest(repository, child).is_some())
    });
    let mut marked = BTreeSet::new();
    let top: Vec<Digest> = index.iter().map(|line| line.digest.clone()).collect();
    mark(repository, &top, &mut marked, true);
    let stays = |digest: &Digest| marked.contains(digest) || !is_old(repository, digest, repository.settings.delay);
    let digests = repository.manifests.iter().map(|manifest| manifest.digest.clone());
    Left {
        tags: index.into_iter().filter_map(|line| line.tag).collect(),
        manifests: digests.filter(|digest| stays(digest)).collect(),
    }
}

fn retained(repository: &ZotRepository, policy: &ZotPolicy, index: &[Line], seed: u64) -> Option<BTreeSet<String>> {
    let listed: Vec<&Tag> = index.iter().filter_map(|line| line.tag.as_ref()).collect();
    let entry = |tag: &str| policy.keep_tags.iter().position(|keep| has(keep, tag));
    let name = |tag: &&Tag| tag.as_str().to_owned();
    if !repository.settings.has_database {
        return Some(listed.iter().filter(|tag| entry(tag.as_str()).is_some()).map(name).collect());
    }
    let mut known = BTreeMap::new();
    for line in index {
        if let Some(tag) = line.tag.as_ref().filter(|tag| !repository.tags_missing_in_database.contains(*tag)) {
            known.insert(tag.as_str(), &line.digest);
        }
    }
    known.extend(repository.tags_only_in_database.iter().map(|(tag, digest)| (tag.as_str(), digest)));
    let mut candidates = Vec::new();
    for (tag, digest) in known {
        if let Some(used) = manifest(repository, digest).and_then(|manifest| manifest.used) {
            candidates.push(Counted { name: tag.to_owned(), pushed: used.pushed, pulled: used.pulled });
        }
    }
    let is_candidate = |tag: &&&Tag| candidates.iter().any(|candidate| candidate.name == tag.as_str());
    let mut kept: BTreeSet<String> = listed.iter().filter(|tag| !is_candidate(tag)).map(name).collect();
    shuffle(&mut candidates, seed);
    for (place, keep) in policy.keep_tags.iter().enumerate() {
        let group: Vec<Counted> =
            candidates.iter().filter(|candidate| entry(&candidate.name) == Some(place)).cloned().collect();
        if group.is_empty() {
            continue;
        }
        if (keep.pulled_count, keep.pushed_count, keep.pulled_within, keep.pushed_within) == (0, 0, None, None) {
            kept.extend(group.into_iter().map(|candidate| candidate.name));
        } else {
            kept.extend(by_rules(keep, group)?);
        }
    }
    Some(kept)
}

/// The patterns of these repositories are plain enough.
fn has(keep: &ZotKeep, tag: &str) -> bool {
    let matches = |pattern: &String| match pattern.strip_prefix('^') {
        Some("$") => tag.is_empty(),
        Some(start) => tag.starts_with(start),
        None => tag.contains(pattern.as_str()),
    };
    keep.patterns.is_empty() || keep.patterns.iter().any(matches)
}

fn by_rules(keep: &ZotKeep, mut candidates: Vec<Counted>) -> Option<BTreeSet<String>> {
    assert!(candidates.len() <= 12, "beyond these the sort is another one");
    let mut kept = BTreeSet::new();
    let never = Timestamp::MIN;
    for (count, by_pull) in [(keep.pulled_count, true), (keep.pushed_count, false)] {
        if count == 0 {
            continue;
        }
        let time = |candidate: &Counted| if by_pull { candidate.pulled } else { candidate.pushed }.unwrap_or(never);
        for end in 1..candidates.len() {
            let mut at = end;
            while at > 0 && time(&candidates[at]) > time(&candidates[at - 1]) {
                candidates.swap(at, at - 1);
                at -= 1;
            }
        }
        let upper = usize::try_from(count).ok()?.min(candidates.len());
        kept.extend(candidates[..upper].iter().map(|candidate| candidate.name.clone()));
    }
    for candidate in &candidates {
        let after = |time: Option<Timestamp>, within: SignedDuration| time.unwrap_or(never) > NOW - within;
        let pulled =
            keep.pulled_within.is_some_and(|within| after(candidate.pulled, within) || after(candidate.pushed, within));
        if pulled || keep.pushed_within.is_some_and(|within| after(candidate.pushed, within)) {
            kept.insert(candidate.name.clone());
        }
    }
    Some(kept)
}

fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for end in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pick = usize::try_from(seed >> 33).unwrap() % (end + 1);
        items.swap(end, pick);
    }
}
