//! zot's garbage collection with retention, as its code does it (v2.1.20: `pkg/storage/gc`, `pkg/retention`; K55).
//!
//! What is unlike other registries: rules count tags, and a pin is a tag, so that one more pin may push a release out, and
//! a pin that no entry of `keepTags` matches goes at the next collection. The times are those of the digest, so that a pin
//! is no newer than what it pins. Which of two tags of one time a count keeps is open.

mod collect;
mod pins;
mod policy;
mod rows;
mod rules;
mod subsets;
#[cfg(test)]
pub(super) mod tests;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::golang::parse_duration;
use crate::model::{Digest, Tag, ZotPolicy, ZotRepository};
use collect::{Left, Run, Ties, counted_tags, deletes_untagged, uncounted_tags};
pub use pins::{Harm, PinEntry, harm_of_pins, pin_entry, with_pins};
use policy::{Entries, policy_of};
use rows::Rows;
use rules::{Candidate, Kept, has_rules, kept, kept_at_any_time};

/// What one collection comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// The place of the policy that applies; none if no policy has the repository.
    pub policy: Option<usize>,
    /// Whether that policy takes tags.
    pub takes_tags: bool,
    /// Whether manifests without a tag go.
    pub deletes_untagged: bool,
    /// Whether referrers go whose subject is not there.
    pub deletes_referrers: bool,
    /// What becomes of every tag that `index.json` names.
    pub tags: BTreeMap<Tag, Fate>,
    /// What becomes of every manifest whose bytes are there.
    pub manifests: BTreeMap<Digest, Fate>,
    /// The process ends before it removes anything.
    pub panic: Option<Panic>,
}

/// What becomes of a tag or a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It is there afterwards.
    Stays,
    /// It depends on what zot leaves open: which of several with one time a count takes.
    Open,
    /// It is not there.
    Goes,
}

/// A count below nought: zot's process ends where it is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("runtime error: slice bounds out of range [:{count}]")]
pub struct Panic {
    /// The count.
    pub count: i64,
}

/// Why it is not known what a collection comes to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// A pattern of repositories or tags is not surely read as zot reads it.
    #[error("the pattern {0:?} in zot's retention policies is not surely read as zot reads it")]
    Pattern(String),
}

/// A duration as zot's configuration spells it, which is Go's way: `72h`, `1h30m`, no days.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

/// More ways in which ties come out than these are given as the most and the least that stays.
const MOST_RUNS: usize = 256;

/// What one collection of the repository comes to now.
pub fn collect(repository: &ZotRepository, now: Timestamp) -> Result<Collected, Unclear> {
    collect_after(repository, now, 0)
}

/// The same once so many tags were pushed, and pulled, that fall to every entry that counts, and are newer than what is
/// there.
pub fn collect_after(repository: &ZotRepository, now: Timestamp, pushes: usize) -> Result<Collected, Unclear> {
    let place = policy_of(repository)?;
    let policy = place.and_then(|place| repository.settings.policies.get(place));
    let mut collected = Collected {
        policy: place,
        takes_tags: policy.is_some_and(|policy| !policy.keep_tags.is_empty()),
        deletes_untagged: deletes_untagged(policy),
        deletes_referrers: policy.is_some_and(|policy| policy.delete_referrers),
        tags: BTreeMap::new(),
        manifests: BTreeMap::new(),
        panic: None,
    };
    let kept = match policy.filter(|_| collected.takes_tags && repository.settings.collects) {
        Some(policy) => kept_tags(repository, policy, now, pushes)?.map(Some),
        None => Ok(None),
    };
    let outcomes = kept.and_then(|kept| outcomes(repository, policy, kept.as_ref(), now));
    let outcomes = outcomes.unwrap_or_else(|panic| {
        collected.panic = Some(panic);
        let rows = Rows::of(repository);
        vec![Left { tags: rows.tags().collect(), manifests: rows.stored.keys().copied().collect() }]
    });
    let fate = |stays: &dyn Fn(&Left<'_>) -> bool| match outcomes.iter().filter(|left| stays(left)).count() {
        0 => Fate::Goes,
        all if all == outcomes.len() => Fate::Stays,
        _ => Fate::Open,
    };
    for manifest in &repository.manifests {
        let stays = fate(&|left| left.manifests.contains(&manifest.digest));
        collected.manifests.insert(manifest.digest.clone(), stays);
        for tag in &manifest.tags {
            collected.tags.insert(tag.clone(), fate(&|left| left.tags.contains(tag)));
        }
    }
    Ok(collected)
}

/// What each entry of the policy keeps of the tags it has, in every way; first what is kept whatever the entries say.
struct KeptTags<'a> {
    always: BTreeSet<&'a Tag>,
    by_entry: Vec<Kept<&'a Tag>>,
}

/// What retention keeps of tags. Where the database does not know a tag, or knows nothing of its digest, the tag stays.
/// Without the database, patterns alone decide.
fn kept_tags<'a>(
    repository: &'a ZotRepository,
    policy: &'a ZotPolicy,
    now: Timestamp,
    pushes: usize,
) -> Result<Result<KeptTags<'a>, Panic>, Unclear> {
    let entries = Entries::read(policy)?;
    let named: Vec<&Tag> = repository.manifests.iter().flat_map(|manifest| &manifest.tags).collect();
    if !repository.settings.has_database {
        let always = named.into_iter().filter(|tag| entries.entry_of(tag).is_some()).collect();
        return Ok(Ok(KeptTags { always, by_entry: Vec::new() }));
    }
    let candidates = match repository.knows_use {
        true => counted_tags(repository),
        false => uncounted_tags(repository),
    };
    let known: BTreeSet<&Tag> = candidates.iter().map(|candidate| candidate.key).collect();
    let mut always: BTreeSet<&Tag> = named.into_iter().filter(|tag| !known.contains(tag)).collect();
    let mut groups: BTreeMap<usize, Vec<Candidate<&Tag>>> = BTreeMap::new();
    for candidate in candidates {
        if let Some(entry) = entries.entry_of(candidate.key) {
            groups.entry(entry).or_default().push(candidate);
        }
    }
    let mut by_entry = Vec::new();
    for (entry, group) in groups {
        let keep = &policy.keep_tags[entry];
        if !has_rules(keep) {
            always.extend(group.iter().map(|candidate| candidate.key));
            continue;
        }
        let kept = match repository.knows_use {
            true => kept(keep, &group, now, pushes),
            false => kept_at_any_time(keep, &group, pushes),
        };
        match kept {
            Ok(kept) => by_entry.push(kept),
            Err(panic) => return Ok(Err(panic)),
        }
    }
    Ok(Ok(KeptTags { always, by_entry }))
}

impl<'a> KeptTags<'a> {
    /// Every way in which ties come out, as the tags that are kept; or the most and the least.
    fn ways(&self) -> Vec<BTreeSet<&'a Tag>> {
        let mut ways = vec![self.always.clone()];
        for kept in &self.by_entry {
            let choices = match kept {
                Kept::Ways(choices) if ways.len() * choices.len() <= MOST_RUNS => choices,
                _ => return self.least_and_most(),
            };
            let with = |way: &BTreeSet<&'a Tag>| -> Vec<BTreeSet<&'a Tag>> {
                choices.iter().map(|choice| way.union(choice).copied().collect()).collect()
            };
            ways = ways.iter().flat_map(with).collect();
        }
        ways
    }

    fn least_and_most(&self) -> Vec<BTreeSet<&'a Tag>> {
        let (mut least, mut most) = (self.always.clone(), self.always.clone());
        for kept in &self.by_entry {
            match kept {
                Kept::Ways(choices) => {
                    let any: BTreeSet<&Tag> = choices.iter().flatten().copied().collect();
                    least.extend(any.iter().filter(|tag| choices.iter().all(|choice| choice.contains(*tag))));
                    most.extend(any);
                }
                Kept::Bounds { surely, perhaps } => {
                    least.extend(surely);
                    most.extend(surely.union(perhaps));
                }
            }
        }
        vec![least, most]
    }
}

/// What is left in each way in which ties come out.
fn outcomes<'a>(
    repository: &'a ZotRepository,
    policy: Option<&'a ZotPolicy>,
    kept: Option<&KeptTags<'a>>,
    now: Timestamp,
) -> Result<Vec<Left<'a>>, Panic> {
    let rows = Rows::of(repository);
    let is_open = Cell::new(false);
    let run = |ties, tags: Option<&BTreeSet<&'a Tag>>| {
        let run = Run { repository, policy, ties, is_open: &is_open, now, rows: rows.clone() };
        run.carry_out(tags)
    };
    let ways: Vec<Option<BTreeSet<&Tag>>> = match kept {
        Some(kept) => kept.ways().into_iter().map(Some).collect(),
        None => vec![None],
    };
    let mut outcomes = Vec::new();
    for way in &ways {
        outcomes.push(run(Ties::InOrder, way.as_ref())?);
        if is_open.replace(false) {
            outcomes.push(run(Ties::AllStay, way.as_ref())?);
            outcomes.push(run(Ties::NoneStay, way.as_ref())?);
            is_open.replace(false);
        }
    }
    Ok(outcomes)
}
