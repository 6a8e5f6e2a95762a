//! What keeps the law, one by one, so that each can be left out: a model that finds nothing wrong without it would be no evidence
//! for it.

/// One thing that the law rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Guard {
    /// Nothing goes that the law of the program keeps.
    Grounds,
    /// What is about to go is on record before.
    Intends,
    /// The log is read to its end right before each removal.
    Permit,
    /// No pin goes before every run is over that pins by what it knew before that pin was found to be needless.
    Known,
    /// What another release set out to remove is taken over once the last of its removals arrived.
    TakesOver,
    /// What a run says of a pin counts as of when it recalled the log.
    Rebases,
    /// The log is read again before a pin is called lost, or made.
    Rereads,
    /// Who needs a pin says so on record before it relies on it.
    SaysFirst,
    /// And looks only once the last removal arrived that was sent before.
    Arrives,
    /// Production is asked before the first removal.
    AsksFirst,
    /// Production is asked after the last removal.
    LooksBack,
    /// Parts are pinned again before what has them.
    PartsFirst,
}

/// All of them, but for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Guards(pub(super) Option<Guard>);

impl Guards {
    pub(super) fn lacks(self, guard: Guard) -> bool {
        self.0 == Some(guard)
    }
}
