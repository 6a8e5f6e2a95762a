//! The repository as it is once artifacts are pinned, and who fares worse by that. A pin is one more tag, with the times of
//! the digest it names: where tags are counted it takes a place, and may push out a release, pinned or not (I22).

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::policy::{Entries, policy_of};
use super::rules::has_rules;
use super::{Fate, Unclear, collect};
use crate::model::{Digest, Pin, Tag, ZotManifest, ZotPolicy, ZotRepository};

/// The repository with a pin on each of these that has none. zot's database counts pushes by digest: what is pinned is no
/// newer for it (K55).
#[must_use]
pub fn with_pins(repository: &ZotRepository, pinned: &BTreeSet<Digest>) -> ZotRepository {
    let mut then = repository.clone();
    for manifest in then.manifests.iter_mut().filter(|manifest| pinned.contains(&manifest.digest)) {
        if !manifest.tags.iter().any(|tag| is_pin(tag, manifest))
            && let Ok(pin) = Pin::for_digest(&manifest.digest).to_string().parse::<Tag>()
        {
            manifest.tags.push(pin);
        }
    }
    then
}

fn is_pin(tag: &Tag, manifest: &ZotManifest) -> bool {
    Pin::read(tag).is_some_and(|pin| pin.names(&manifest.digest))
}

/// What retention does with the pins of a repository, by the entry that they fall to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinEntry {
    /// It takes no tags.
    NotAsked,
    /// Some pin falls to no entry: it goes at the next collection.
    None,
    /// Some pin falls to the entry at this place, which keeps only some of what it has.
    Limits(usize),
    /// Every pin stays.
    Keeps,
}

/// What becomes of pins, one on each manifest that is there.
pub fn pin_entry(repository: &ZotRepository) -> Result<PinEntry, Unclear> {
    let policy = policy_of(repository)?.and_then(|place| repository.settings.policies.get(place));
    let takes_tags = |policy: &&ZotPolicy| repository.settings.collects && !policy.keep_tags.is_empty();
    let Some(policy) = policy.filter(takes_tags) else { return Ok(PinEntry::NotAsked) };
    let entries = Entries::read(policy)?;
    let mut worst = PinEntry::Keeps;
    for manifest in &repository.manifests {
        let Ok(pin) = Pin::for_digest(&manifest.digest).to_string().parse::<Tag>() else { continue };
        match entries.entry_of(&pin) {
            None => return Ok(PinEntry::None),
            // Without the database the rules are ignored.
            Some(entry) if repository.settings.has_database && has_rules(&policy.keep_tags[entry]) => {
                worst = PinEntry::Limits(entry);
            }
            Some(_) => {}
        }
    }
    Ok(worst)
}

/// What fares worse at the next collection because of pins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Harm {
    /// Tags that go, or may go, and would have stayed, or might have.
    pub tags: BTreeSet<Tag>,
    /// Manifests of which the same is so.
    pub manifests: BTreeSet<Digest>,
}

impl Harm {
    /// Whether nothing fares worse.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.tags.is_empty() && self.manifests.is_empty()
    }
}

/// Who would fare worse if these were pinned as well. The tags of the pins themselves are not in it.
pub fn harm_of_pins(repository: &ZotRepository, pinned: &BTreeSet<Digest>, now: Timestamp) -> Result<Harm, Unclear> {
    let without = collect(repository, now)?;
    let with = collect(&with_pins(repository, pinned), now)?;
    let is_worse = |before: Fate, after: Option<&Fate>| after.is_none_or(|after| *after > before);
    let tags = without.tags.iter().filter(|(tag, before)| is_worse(**before, with.tags.get(*tag)));
    let manifests = without.manifests.iter().filter(|(digest, before)| is_worse(**before, with.manifests.get(*digest)));
    Ok(Harm {
        tags: tags.map(|(tag, _)| tag.clone()).collect(),
        manifests: manifests.map(|(digest, _)| digest.clone()).collect(),
    })
}
