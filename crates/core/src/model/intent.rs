//! Removals of pins as the log knows them: what a run set out to remove, and whose word about such a pin still counts (I15).
//!
//! A pin is removed by a `release` in three steps. That it is about to go is on record first; then it is removed; then it is on
//! record that it went. Whatever else looks meanwhile, and whatever it commits when, is held against that here:
//!
//! - An intent has one owner, the run that recorded it. The owner alone removes the pin, and says that it went.
//! - Every other run that meets an intent may end it by a word on record ([`Intent::revoked`]), and no more: a removal may be on
//!   its way already. From that word on the owner removes nothing.
//! - A run that recalled the log after that word, and looked then, knows what became of the pin, and says so.
//! - While nobody knows, a pin that is not there is not called lost.

use serde::{Deserialize, Serialize};

use super::{ArtifactId, Event, Mark, RepositoryState, RunId};

/// That a run set out to remove a pin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Since when that is on record.
    pub since: Mark,
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<RunId>,
    /// Since when it is on record that it is to end: the owner removes nothing from there on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Mark>,
    /// Since when it is on record that it ended without a removal: a run that looked after it was revoked saw the pin. Kept, so
    /// that a late word of the owner is known for what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Mark>,
}

impl Intent {
    pub(super) fn new(since: Mark, by: Option<RunId>) -> Self {
        Self { since, by, revoked: None, ended: None }
    }

    /// Whether this run recorded it.
    #[must_use]
    pub fn is_of(&self, run: &RunId) -> bool {
        self.by.as_ref() == Some(run)
    }

    /// Whether it is not known what came of it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ended.is_none()
    }

    /// Whether its owner may still remove the pin.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        self.is_open() && self.revoked.is_none()
    }

    /// Whether whoever recalled the log as of this commit, and looked then, can tell what came of it.
    fn can_be_told_as_of(&self, as_of: u64) -> bool {
        !self.is_open() || self.revoked.is_some_and(|revoked| revoked.sequence <= as_of)
    }
}

impl RepositoryState {
    /// What some run set out to do with this pin, while nobody knows what came of it.
    #[must_use]
    pub fn open_intent(&self, artifact: &ArtifactId) -> Option<&Intent> {
        self.releasing.get(artifact).filter(|intent| intent.is_open())
    }

    /// The pins that some run may still remove.
    pub fn intents_in_force(&self) -> impl Iterator<Item = &ArtifactId> {
        self.releasing.iter().filter(|(_, intent)| intent.is_in_force()).map(|(artifact, _)| artifact)
    }

    /// Takes over what is known of pins by now; says whether any of it was not known: then a look from before is older.
    pub fn hear_of_pins(&mut self, now: Self) -> bool {
        let of_removals = self.releasing != now.releasing || self.released != now.released;
        let is_news = of_removals || self.pinned != now.pinned || self.made != now.made;
        let Self { pinned, made, unneeded, releasing, released, .. } = now;
        (self.pinned, self.made, self.unneeded) = (pinned, made, unneeded);
        (self.releasing, self.released) = (releasing, released);
        is_news
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

/// Whether what is said of a pin may be older than a removal that is on record, or is not for this run to say: then it counts
/// for nothing, and the next run says what is the case.
#[must_use]
pub fn is_overtaken(event: &Event, state: &RepositoryState, speaker: &Speaker<'_>) -> bool {
    let intent = |artifact: &ArtifactId| state.releasing.get(artifact);
    // What the same commit says before this is not newer than this.
    let removed_since = |artifact: &ArtifactId| {
        let removed = state.released.get(artifact);
        removed.is_some_and(|mark| speaker.as_of < mark.sequence && mark.sequence < speaker.sequence)
    };
    let cannot_tell = |intent: &Intent| !intent.can_be_told_as_of(speaker.as_of);
    match event {
        Event::Pinned { artifact } => removed_since(artifact) || intent(artifact).is_some_and(cannot_tell),
        Event::PinMade { artifact } => removed_since(artifact),
        Event::PinLost { artifact } | Event::PinUnmade { artifact } => {
            // Made again since, by whoever removed it for a while.
            let since = |mark: Option<&Mark>| mark.is_some_and(|mark| speaker.as_of < mark.sequence);
            state.open_intent(artifact).is_some()
                || since(state.pinned.get(artifact))
                || since(state.made.get(artifact))
        }
        Event::PinReleasing { artifact, .. } => intent(artifact).is_some_and(cannot_tell),
        Event::PinReleased { artifact } => match intent(artifact) {
            None => true,
            Some(intent) if intent.is_of(speaker.run) => false,
            Some(intent) => !intent.is_open() || cannot_tell(intent),
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Digest, rebase};
    use jiff::Timestamp;

    fn artifact() -> ArtifactId {
        ArtifactId::Manifest(Digest::sha256(b"one"))
    }

    fn run(number: u64) -> RunId {
        RunId::new(Timestamp::UNIX_EPOCH, number)
    }

    /// A ledger of one repository: commits are numbered from 1.
    #[derive(Default)]
    struct Log {
        state: RepositoryState,
        commits: u64,
    }

    impl Log {
        /// What a run commits that recalled the log as of a commit; what of it counted.
        fn commit(&mut self, by: u64, as_of: u64, events: impl IntoIterator<Item = Event>) -> Vec<Event> {
            let (run, sequence) = (run(by), self.commits + 1);
            let speaker = Speaker { run: &run, as_of, sequence };
            let mut kept = Vec::new();
            for event in events {
                let counts = !is_overtaken(&event, &self.state, &speaker);
                if let Some(event) = counts.then(|| rebase(event, &self.state)).flatten() {
                    self.state.apply(Mark { sequence, at: Timestamp::UNIX_EPOCH }, &event);
                    kept.push(event);
                }
            }
            self.commits += u64::from(!kept.is_empty());
            kept
        }

        /// A pin that this ledger made, that nothing needs, and that the first run set out to remove.
        fn with_intent() -> Self {
            let mut log = Self::default();
            log.commit(0, 0, [pinned(), made(), Event::PinUnneeded { artifact: artifact() }]);
            assert_eq!(log.commit(1, 1, [releasing(1)]).len(), 1);
            log
        }
    }

    fn pinned() -> Event {
        Event::Pinned { artifact: artifact() }
    }
    fn made() -> Event {
        Event::PinMade { artifact: artifact() }
    }
    fn releasing(by: u64) -> Event {
        Event::PinReleasing { artifact: artifact(), by: Some(run(by)) }
    }
    fn revoked() -> Event {
        Event::PinReleaseRevoked { artifact: artifact() }
    }
    fn released() -> Event {
        Event::PinReleased { artifact: artifact() }
    }

    #[test]
    fn an_intent_has_one_owner_and_is_taken_over_only_once_it_was_revoked_i14() {
        let mut log = Log::with_intent();
        assert_eq!(log.commit(2, 2, [releasing(2)]), [], "it is another run's");
        log.commit(3, 2, [revoked()]);
        assert_eq!(log.commit(2, 2, [releasing(2)]), [], "it recalled before that was revoked");
        assert_eq!(log.commit(2, 3, [releasing(2)]), [releasing(2)]);
        assert!(log.state.releasing[&artifact()].is_of(&run(2)));
        assert_eq!(log.commit(1, 2, [released()]), [], "a late word of the first one");
    }

    #[test]
    fn its_owner_says_that_a_pin_went_however_late_and_others_only_once_it_was_revoked_i15() {
        let mut log = Log::with_intent();
        assert_eq!(log.commit(2, 2, [released()]), [], "a removal may be under way");
        log.commit(2, 2, [revoked()]);
        assert_eq!(log.commit(2, 2, [released()]), [], "and may be still as of that look");
        assert_eq!(log.commit(3, 3, [pinned()]), [pinned()], "one that looked after that saw the pin");
        assert!(log.state.misses_pin(&artifact()));
        assert_eq!(log.commit(4, 3, [released()]), [], "and one that did not is older");
        assert_eq!(log.commit(1, 2, [released()]), [released()], "the owner's answer came late");
        assert!(!log.state.misses_pin(&artifact()));
        assert_eq!(log.commit(1, 2, [released()]), [], "once (I13)");
    }

    #[test]
    fn no_look_that_is_older_than_a_removal_makes_a_pin_of_it_again_i15() {
        let mut log = Log::with_intent();
        assert_eq!(log.commit(2, 2, [pinned()]), [], "the pin is there, and may be about to go");
        log.commit(1, 2, [released()]);
        assert_eq!(log.commit(2, 2, [pinned(), made()]), []);
        assert_eq!(log.commit(2, 3, [pinned(), made()]), [pinned(), made()]);
    }

    #[test]
    fn while_nobody_knows_a_pin_that_is_not_there_is_not_lost_and_afterwards_it_is_i15() {
        let lost = || Event::PinLost { artifact: artifact() };
        let mut log = Log::with_intent();
        for event in [lost(), Event::PinUnmade { artifact: artifact() }] {
            assert_eq!(log.commit(2, 1, [event]), []);
        }
        log.commit(2, 2, [Event::PinNeeded { artifact: artifact() }]);
        assert!(!log.state.releasing[&artifact()].is_in_force(), "what is needed is not removed any more");
        assert_eq!(log.commit(2, 2, [lost()]), []);
        log.commit(3, 3, [pinned()]);
        assert_eq!(log.commit(4, 4, [lost()]), [lost()]);
    }

    #[test]
    fn a_removal_and_a_pin_that_is_made_again_are_told_in_one_commit_i15() {
        let mut log = Log::with_intent();
        log.commit(2, 2, [revoked()]);
        assert_eq!(log.commit(3, 3, [released(), pinned(), made()]), [released(), pinned(), made()]);
        assert!(log.state.misses_pin(&artifact()));
    }

    #[test]
    fn an_intent_survives_being_written_down() {
        let mut log = Log::with_intent();
        log.commit(2, 2, [revoked()]);
        let text = serde_json::to_string(&log.state).unwrap();
        assert_eq!(serde_json::from_str::<RepositoryState>(&text).unwrap(), log.state);
    }
}
