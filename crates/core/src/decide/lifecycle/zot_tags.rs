//! zot repositories in the forecast: what its next collections take, pinned as the situation says (K55).
//!
//! zot collects at an interval of hours, so that what a collection would take now is taken for lost now. What goes by time is
//! dated by trying the collection at every instant at which a time rule ends. What goes by count goes once enough tags were
//! pushed: they are taken to fall to the entry that counts, and to be pulled.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::effects::{ArtifactOutlook, Foreseen, Stirred};
use super::zot::{self, Collected, Fate, PinEntry};
use super::{Known, Outlook, Situation};
use crate::model::{
    Advice, AdviceKind, ArtifactId, Certainty, Digest, Due, Effect, Pin, Tag, Threat, ZotKeep, ZotManifest,
    ZotRepository,
};

const UNLISTED: &str = "not everything was listed that zot's retention counts";

pub(super) fn outlook(situation: &Situation<'_>, repository: &ZotRepository) -> Outlook {
    let future = match Future::of(situation, repository) {
        Ok(future) => future,
        Err(detail) => return Outlook::Unknown { detail },
    };
    let mut known = Known { advice: advice(repository), ..Known::default() };
    for target in situation.targets {
        match future.threats(target) {
            None => {
                known.unseen.insert(target.clone());
            }
            Some(threats) if threats.is_empty() => {}
            Some(threats) => {
                known.threats.insert(target.clone(), threats);
            }
        }
    }
    Outlook::Known(known)
}

pub(super) fn foreseen(
    situation: &Situation<'_>,
    repository: &ZotRepository,
    at: Timestamp,
) -> Option<BTreeMap<ArtifactId, Foreseen>> {
    let future = Future::of(situation, repository).ok()?;
    let collected = zot::collect(&future.repository, at).ok()?;
    let taken = future.repository.manifests.iter().filter_map(|manifest| {
        let certainty = certainty(*collected.manifests.get(&manifest.digest)?)?;
        let Threat { rule, why, .. } = threat(collected.policy, manifest, Due::Now, certainty);
        let foreseen = Foreseen { effect: Effect::Deletes, rule, certainty, why };
        Some((ArtifactId::Manifest(manifest.digest.clone()), foreseen))
    });
    Some(taken.collect())
}

/// Whose outlook a pin can change: that of everything, where tags are counted or pins may be taken; else nobody's but its
/// own, which it does not worsen.
pub(super) fn stirred(situation: &Situation<'_>, repository: &ZotRepository) -> Stirred {
    if let Err(detail) = Future::of(situation, repository) {
        return Stirred::Unknown { detail };
    }
    match zot::pin_entry(repository) {
        Ok(PinEntry::NotAsked | PinEntry::Keeps) => Stirred::Nobody,
        Ok(PinEntry::Limits(entry)) if !repository.knows_use => {
            let detail = format!(
                "the pin would fall to keepTags[{entry}], which keeps tags by count or time, and zot does not say when tags were \
                 pushed and pulled"
            );
            Stirred::Unknown { detail }
        }
        Ok(PinEntry::None | PinEntry::Limits(_)) => {
            let all = repository.manifests.iter().map(|manifest| ArtifactId::Manifest(manifest.digest.clone()));
            Stirred::These(all.collect())
        }
        Err(unclear) => Stirred::Unknown { detail: unclear.to_string() },
    }
}

/// The outlook of each that is asked about.
pub(super) fn artifact_outlooks(
    situation: &Situation<'_>,
    repository: &ZotRepository,
) -> BTreeMap<ArtifactId, ArtifactOutlook> {
    let future = Future::of(situation, repository).ok();
    let outlook = |artifact: &ArtifactId| {
        let threats = future.as_ref().and_then(|future| future.threats(artifact));
        threats.map_or(ArtifactOutlook::Unknown, ArtifactOutlook::Known)
    };
    situation.targets.iter().map(|artifact| (artifact.clone(), outlook(artifact))).collect()
}

/// The repository without these tags; none if it has none of them, or tags decide nothing there.
pub(super) fn without(repository: &ZotRepository, goes: &dyn Fn(&Digest, &Tag) -> bool) -> Option<ZotRepository> {
    let decides = zot::pin_entry(repository).ok()? != PinEntry::NotAsked;
    let has = |manifest: &ZotManifest| manifest.tags.iter().any(|tag| goes(&manifest.digest, tag));
    if !decides || !repository.manifests.iter().any(has) {
        return None;
    }
    let mut then = repository.clone();
    for manifest in &mut then.manifests {
        let digest = manifest.digest.clone();
        manifest.tags.retain(|tag| !goes(&digest, tag));
        // Its row stays, without a tag.
        manifest.is_listed = true;
    }
    Some(then)
}

/// Whether the tag is the pin of that digest.
pub(super) fn is_pin(digest: &Digest, tag: &Tag) -> bool {
    Pin::read(tag).is_some_and(|pin| pin.names(digest))
}

/// What zot's configuration should say; prodpin reads that file and does not write it.
pub(crate) const CLAIM: &str =
    "put `{\"patterns\": [\"^prod-pinned-\"]}` first in keepTags of the policy that has the repository";

fn advice(repository: &ZotRepository) -> Vec<Advice> {
    let message = match zot::pin_entry(repository) {
        Ok(PinEntry::None) => "no entry of keepTags has pins: the next garbage collection removes them".to_owned(),
        Ok(PinEntry::Limits(entry)) => {
            format!("pins fall to keepTags[{entry}], which keeps only some of what it has: each takes a place there")
        }
        Ok(PinEntry::NotAsked | PinEntry::Keeps) | Err(_) => return Vec::new(),
    };
    vec![Advice { rule: None, kind: AdviceKind::PinsIneffective, message, remedy: CLAIM.to_owned() }]
}

fn certainty(fate: Fate) -> Option<Certainty> {
    match fate {
        Fate::Stays => None,
        Fate::Open => Some(Certainty::Possible),
        Fate::Goes => Some(Certainty::Certain),
    }
}

fn threat(policy: Option<usize>, manifest: &ZotManifest, due: Due, certainty: Certainty) -> Threat {
    let policy = policy.map_or_else(String::new, |place| format!("retention.policies[{place}]."));
    let (rule, why) = match (manifest.tags.is_empty(), manifest.subject.is_some()) {
        (false, _) => ("keepTags", "none of its tags is kept, and what has no tag is deleted"),
        (true, true) => ("deleteReferrers", "what it refers to is not there"),
        (true, false) => ("deleteUntagged", "it has no tag, and nothing that stays lists it"),
    };
    Threat { rule: format!("{policy}{rule}"), effect: Effect::Deletes, due, certainty, why: why.to_owned() }
}

/// The collections to come of a repository with its pins.
struct Future {
    repository: ZotRepository,
    /// The place of the policy that has it.
    policy: Option<usize>,
    /// Now, and every instant at which something may come to go by time, in order.
    instants: Vec<Timestamp>,
    /// The most that any entry counts.
    most: usize,
    /// By instant and number of tags pushed meanwhile.
    tried: RefCell<BTreeMap<(usize, usize), Option<Collected>>>,
}

impl Future {
    /// Why it is not known, if it is not.
    fn of(situation: &Situation<'_>, repository: &ZotRepository) -> Result<Self, String> {
        if !situation.snapshot.listing_is_complete() {
            return Err(UNLISTED.to_owned());
        }
        let pinned = situation.pinned.iter().filter_map(|artifact| artifact.digest().cloned()).collect();
        let repository = zot::with_pins(repository, &pinned);
        let collected = zot::collect(&repository, situation.now).map_err(|unclear| unclear.to_string())?;
        if let Some(panic) = collected.panic {
            return Err(format!("zot's garbage collection ends with an error: {panic}"));
        }
        let policy = collected.policy;
        let keeps: Vec<ZotKeep> = match policy.and_then(|place| repository.settings.policies.get(place)) {
            Some(policy) => policy.keep_tags.iter().chain(&policy.keep_untagged).cloned().collect(),
            None => Vec::new(),
        };
        let counts = keeps.iter().flat_map(|keep| [keep.pushed_count, keep.pulled_count]);
        let most = counts.max().and_then(|most| usize::try_from(most).ok()).unwrap_or(0);
        let instants = instants(&repository, &keeps, situation.now);
        let tried = RefCell::new(BTreeMap::from([((0, 0), Some(collected))]));
        Ok(Self { repository, policy, instants, most, tried })
    }

    /// What takes it first; none inside where nothing does, none at all where it was not listed, or where that depends on
    /// times that nobody knows.
    fn threats(&self, artifact: &ArtifactId) -> Option<Vec<Threat>> {
        let digest = artifact.digest()?;
        let manifest = self.repository.manifests.iter().find(|manifest| manifest.digest == *digest)?;
        let last = self.instants.len() - 1;
        let threat = |at: usize, pushes: usize, due: Due| {
            certainty(self.fate(digest, at, pushes)).map(|certainty| threat(self.policy, manifest, due, certainty))
        };
        let goes = |at, pushes| self.fate(digest, at, pushes) != Fate::Stays;
        if !self.repository.knows_use && self.fate(digest, 0, 0) == Fate::Open {
            return None;
        }
        let found = if goes(last, 0) {
            let first = first(last, |at| goes(at, 0));
            threat(first, 0, if first == 0 { Due::Now } else { Due::On(self.instants[first]) })
        } else if self.most > 0 && goes(last, self.most) {
            let pushes = first(self.most, |pushes| goes(last, pushes));
            let due = Due::AfterPushes { pushes: u64::try_from(pushes).unwrap_or(u64::MAX), around: None };
            threat(last, pushes, due)
        } else {
            None
        };
        Some(found.into_iter().collect())
    }

    fn fate(&self, digest: &Digest, at: usize, pushes: usize) -> Fate {
        let mut tried = self.tried.borrow_mut();
        let collected = tried.entry((at, pushes)).or_insert_with(|| {
            // That it can be worked out was seen before: only times differ.
            zot::collect_after(&self.repository, self.instants[at], pushes).ok()
        });
        let fate = collected.as_ref().and_then(|collected| collected.manifests.get(digest));
        fate.copied().unwrap_or(Fate::Open)
    }
}

/// The first place at which it holds, if it does at the last one, and from there on at all.
fn first(last: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, last);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

/// Every instant at which a delay or a time rule ends, the present first.
fn instants(repository: &ZotRepository, keeps: &[ZotKeep], now: Timestamp) -> Vec<Timestamp> {
    let mut instants = BTreeSet::from([now]);
    let mut add = |from: Option<Timestamp>, span: SignedDuration| {
        let end = from.and_then(|from| from.checked_add(span).ok());
        instants.extend(end.filter(|end| *end > now));
    };
    for manifest in &repository.manifests {
        add(Some(manifest.written), repository.settings.delay);
        add(Some(manifest.written), repository.settings.retention_delay);
        for (keep, used) in keeps.iter().filter_map(|keep| Some((keep, manifest.used?))) {
            for (time, span) in [
                (used.pulled, keep.pulled_within),
                (used.pushed, keep.pulled_within),
                (used.pushed, keep.pushed_within),
            ] {
                if let Some(span) = span {
                    add(time, span);
                }
            }
        }
    }
    instants.into_iter().collect()
}

#[cfg(test)]
mod tests;
