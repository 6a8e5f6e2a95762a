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

/// How every maybe is read in one pass over a key: for the worst of one entry, or for its best. What happens to the
/// entry in both passes is certain; what happens in the first alone is possible.
///
/// The worst for one is not always the worst for the others: where a rule keeps a number of newer versions, a newer one
/// that goes makes room. So deletions of other noncurrent versions are read the other way round (B70).
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) worst: bool,
    /// Which entry of the key it is about.
    pub(super) about: usize,
}

impl Reading {
    /// Whether something happens to this entry. `makes_room` is for deletions of noncurrent versions.
    pub(super) fn takes(self, holds: Holds, entry: Option<usize>, makes_room: bool) -> bool {
        match holds {
            Holds::Yes => true,
            Holds::No => false,
            Holds::Maybe => self.worst != (makes_room && entry != Some(self.about)),
        }
    }
}
