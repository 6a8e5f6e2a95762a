//! Removals of pins as the log knows them: what a run set out to remove, and whose word about such a pin counts (I14, I15).
//!
//! That a pin is about to go is on record first, with the run that removes it; then it is removed; then it is on record that it
//! went. Whatever else looks meanwhile, and whatever it commits when, is held against that here:
//!
//! - An intent has one owner, which alone removes the pin. Another release takes the intent over by its own.
//! - Who needs the pin says so on record: from then on the owner removes nothing, and says nothing of it.
//! - That the pin went says the owner, or whoever knew of the intent and looked after the last call that removes the pin had arrived.
//!   That it is there says whoever looked so after it was said to be needed.
//! - A word about a pin that is older than the last word on record about its removal counts for nothing, and the next look judges.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{ArtifactId, Event, Mark, RepositoryState, RunId};

/// Clocks are no further apart than this, with the minute that a call may be under way.
const LONG_AGO: SignedDuration = SignedDuration::from_mins(12);

/// That a run set out to remove a pin, and nobody said yet what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Since when that is on record.
    pub since: Mark,
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<RunId>,
    /// Since when it is on record that the pin is needed: nothing is removed by this intent from there on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Mark>,
}

impl Intent {
    /// Whether this run recorded it.
    #[must_use]
    pub fn is_of(&self, run: &RunId) -> bool {
        self.by.as_ref() == Some(run)
    }

    /// Whether every call that removes the pin by this has arrived by a clock that is no more than minutes from that of the run which
    /// said that the pin is needed. A run that cannot wait goes by it.
    #[must_use]
    pub fn has_arrived(&self, now: Timestamp) -> bool {
        self.revoked.is_some_and(|revoked| now.duration_since(revoked.at) > LONG_AGO)
    }

    /// The last commit that changed it.
    fn last(&self) -> u64 {
        self.revoked.unwrap_or(self.since).sequence
    }
}

impl RepositoryState {
    /// Whether a pin that is not there would be missed: one that was read back, and that no `release` set out to remove of which
    /// nobody knows what came of it.
    #[must_use]
    pub fn misses_pin(&self, artifact: &ArtifactId) -> bool {
        self.pinned.contains_key(artifact) && !self.releasing.contains_key(artifact)
    }

    /// Whether its pin was read back once, and is there or was taken by somebody else than a `release`.
    #[must_use]
    pub fn was_pinned(&self, artifact: &ArtifactId) -> bool {
        self.pinned.contains_key(artifact) || self.lost.contains_key(artifact)
    }

    /// Since when it is on record that its pin is gone, where no `release` removes it: for as long as none is read back there.
    #[must_use]
    pub fn lost_pin(&self, artifact: &ArtifactId) -> Option<Mark> {
        self.lost.get(artifact).filter(|_| !self.releasing.contains_key(artifact)).copied()
    }

    /// Whether a pin that is not there was taken: one that would be missed, or that is on record as lost already.
    #[must_use]
    pub fn lacks_pin(&self, artifact: &ArtifactId) -> bool {
        self.misses_pin(artifact) || self.lost_pin(artifact).is_some()
    }

    /// Takes over what is on record of pins by now, and says of which that is another word than was known. What a look from
    /// before says of these may be older than a removal or a way back, so that none of them is missed.
    pub fn hear_of_pins(&mut self, now: Self) -> BTreeSet<ArtifactId> {
        let (before, after) = (self.pin_marks(), now.pin_marks());
        let is_news = |artifact: &&ArtifactId| {
            before.iter().zip(&after).any(|(before, after)| before.get(*artifact) != after.get(*artifact))
                || self.releasing.get(*artifact) != now.releasing.get(*artifact)
        };
        let known = before.iter().chain(&after).flat_map(|marks| marks.keys());
        let known = known.chain(self.releasing.keys()).chain(now.releasing.keys());
        let news: BTreeSet<ArtifactId> = known.filter(is_news).cloned().collect();
        let Self { pinned, made, lost, unneeded, releasing, released, .. } = now;
        (self.pinned, self.made, self.lost, self.unneeded) = (pinned, made, lost, unneeded);
        (self.releasing, self.released) = (releasing, released);
        for artifact in &news {
            self.pinned.remove(artifact);
            self.made.remove(artifact);
            self.lost.remove(artifact);
        }
        news
    }

    /// What is on record of pins, by artifact.
    fn pin_marks(&self) -> [&BTreeMap<ArtifactId, Mark>; 4] {
        [&self.pinned, &self.made, &self.lost, &self.released]
    }

    /// Folds in what is said of one pin.
    pub(super) fn apply_to_pin(&mut self, mark: Mark, artifact: &ArtifactId, event: &Event) {
        let id = || artifact.clone();
        match event {
            Event::Pinned { .. } => {
                self.settle(mark, artifact);
                self.pinned.entry(id()).or_insert(mark);
                self.released.remove(artifact);
                self.lost.remove(artifact);
            }
            Event::PinMade { .. } => {
                self.settle(mark, artifact);
                self.made.entry(id()).or_insert(mark);
                self.released.remove(artifact);
                self.lost.remove(artifact);
            }
            Event::PinReleaseEnded { .. } => self.settle(mark, artifact),
            Event::PinUnmade { .. } => drop(self.made.remove(artifact)),
            Event::PinUnneeded { .. } => drop(self.unneeded.entry(id()).or_insert(mark)),
            Event::PinNeeded { .. } => {
                self.unneeded.remove(artifact);
                if let Some(intent) = self.releasing.get_mut(artifact) {
                    intent.revoked = intent.revoked.or(Some(mark));
                }
            }
            Event::PinReleasing { by, .. } => {
                self.releasing.insert(id(), Intent { since: mark, by: by.clone(), revoked: None });
            }
            Event::PinReleased { .. } => {
                self.pinned.remove(artifact);
                self.made.remove(artifact);
                self.unneeded.remove(artifact);
                self.releasing.remove(artifact);
                self.lost.remove(artifact);
                self.released.insert(id(), mark);
            }
            Event::PinLost { .. } => {
                self.pinned.remove(artifact);
                self.made.remove(artifact);
                self.lost.entry(id()).or_insert(mark);
            }
            _ => {}
        }
    }

    /// An intent ended with the pin in place: what is known of the pin is as new as that word, whatever came between.
    fn settle(&mut self, mark: Mark, artifact: &ArtifactId) {
        if self.releasing.remove(artifact).is_some() {
            for known in [&mut self.pinned, &mut self.made] {
                known.entry(artifact.clone()).and_modify(|since| *since = mark);
            }
        }
    }
}

/// Whoever says something of a pin, and what they knew when they looked at it.
#[derive(Debug, Clone, Copy)]
pub struct Speaker<'a> {
    /// The run.
    pub run: &'a RunId,
    /// As of which commit it recalled the repository before it looked.
    pub as_of: u64,
    /// The commit that this is to be part of.
    pub sequence: u64,
}

impl Speaker<'_> {
    /// Whether this came after what the run knew. What the same commit says before is not newer than the rest of it.
    fn is_news(self, sequence: u64) -> bool {
        self.as_of < sequence && sequence < self.sequence
    }

    /// Whether the run looked after a word on record that ended this intent's removals.
    fn looked_after(self, intent: &Intent) -> bool {
        intent.revoked.is_some_and(|revoked| revoked.sequence <= self.as_of)
    }
}

/// Whether what is said of a pin may be older than a removal that is on record, or is not for this run to say: then it counts
/// for nothing, and the next run says what is the case.
#[must_use]
pub fn is_overtaken(event: &Event, state: &RepositoryState, speaker: &Speaker<'_>) -> bool {
    let intent = |artifact: &ArtifactId| state.releasing.get(artifact);
    let is_news = |mark: Option<&Mark>| mark.is_some_and(|mark| speaker.is_news(mark.sequence));
    let unknown = |intent: &Intent| !speaker.looked_after(intent);
    match event {
        Event::Pinned { artifact } | Event::PinMade { artifact } => {
            is_news(state.released.get(artifact)) || intent(artifact).is_some_and(unknown)
        }
        Event::PinLost { artifact } | Event::PinUnmade { artifact } => {
            let (pinned, made) = (state.pinned.get(artifact), state.made.get(artifact));
            intent(artifact).is_some()
                || [pinned, made, state.released.get(artifact)]
                    .into_iter()
                    .any(|mark| mark.is_some_and(|mark| speaker.as_of < mark.sequence))
        }
        // It is taken over by who knew of it alone.
        Event::PinReleasing { artifact, .. } => intent(artifact).is_some_and(|intent| speaker.is_news(intent.last())),
        Event::PinReleased { artifact } => match intent(artifact) {
            None => true,
            Some(intent) if intent.is_of(speaker.run) && intent.revoked.is_none() => false,
            Some(intent) => intent.is_of(speaker.run) || intent.last() > speaker.as_of,
        },
        Event::PinReleaseEnded { artifact } => match intent(artifact) {
            None => true,
            Some(intent) => !intent.is_of(speaker.run) && unknown(intent),
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests;
