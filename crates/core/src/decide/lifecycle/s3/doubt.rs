//! What is known, what is not, and how the unknown is read.

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holds {
    No,
    Maybe,
    Yes,
}

impl Holds {
    /// Both. The weaker of the two, so it does not matter which was asked first.
    pub(super) fn and(self, other: Self) -> Self {
        self.min(other)
    }
}

impl From<bool> for Holds {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// How the maybes are read in one pass over a key, about one of its entries. What happens to the entry in the best case
/// is certain; what happens in another alone is possible.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) case: Case,
    /// Which entry of the key it is about.
    pub(super) about: usize,
}

/// Which maybes come true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// None.
    Best,
    /// All. The worst for one entry is not always the worst for the others: where a rule keeps a number of newer
    /// versions, a newer one that goes makes room. So deletions of other noncurrent versions are read the other way
    /// round (B70).
    Worst,
    /// The worst, but for delete markers: what is marked early is not moved later, and an early marker may find a version
    /// locked that a later one destroys.
    Unmarked,
}

/// What a maybe is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matter {
    /// The deletion of a noncurrent version, which others may be counted behind.
    Room,
    /// A delete marker.
    Mark,
    /// Anything else.
    Other,
}

impl Reading {
    /// Whether something happens to this entry.
    pub(super) fn takes(self, holds: Holds, entry: Option<usize>, matter: Matter) -> bool {
        let room_for_it = matter == Matter::Room && entry != Some(self.about);
        match (holds, self.case) {
            (Holds::Yes, _) => true,
            (Holds::No, _) => false,
            (Holds::Maybe, Case::Best) => room_for_it,
            (Holds::Maybe, Case::Worst) => !room_for_it,
            (Holds::Maybe, Case::Unmarked) => !room_for_it && matter != Matter::Mark,
        }
    }
}
