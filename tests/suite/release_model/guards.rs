//! What keeps the law, one by one, so that each can be left out: a model that finds nothing wrong without it would be no evidence
//! for it.

use prodpin::model::{Event, RepositoryState, Speaker};

/// One thing that the law rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Guard {
    /// Nothing goes that the law of the program keeps.
    Grounds,
    /// What is about to go is on record before.
    Intends,
    /// The log is read to its end right before each removal.
    Permit,
    /// An intent has one owner.
    Exclusive,
    /// What a run says of a pin counts as of when it recalled the log.
    Rebases,
    /// An intent ends only by a look that follows a word on record that it is to end.
    Revokes,
    /// The log is read again before a pin is called lost.
    Rereads,
    /// Who pins ends intents, and looks again, first.
    EndsFirst,
    /// Production is asked before the first removal.
    AsksFirst,
    /// Production is asked after the last removal.
    LooksBack,
    /// Parts are pinned again before what has them.
    PartsFirst,
    /// What was sent before an intent was revoked is carried out, or never, before a look that follows.
    Arrives,
}

/// All of them, but for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Guards(pub(super) Option<Guard>);

impl Guards {
    pub(super) fn lacks(self, guard: Guard) -> bool {
        self.0 == Some(guard)
    }

    /// What would be overtaken, and counts all the same.
    pub(super) fn spares(self, event: &Event, state: &RepositoryState, speaker: &Speaker<'_>) -> bool {
        let removed_since = |mark: u64| speaker.as_of < mark && mark < speaker.sequence;
        match event {
            _ if self.lacks(Guard::Rebases) => true,
            Event::Pinned { artifact } if self.lacks(Guard::Revokes) => {
                state.released.get(artifact).is_none_or(|mark| !removed_since(mark.sequence))
            }
            _ => false,
        }
    }
}
