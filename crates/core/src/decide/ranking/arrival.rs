//! When releases came to be known, and what that is taken from.

use std::cmp::Ordering;

use jiff::Timestamp;

use crate::decide::named::Named;
use crate::decide::order::Natural;
use crate::model::{ArtifactId, Order, Sighting};

/// When a release came to be known: by the commit that holds its first sighting, within one commit by when the source
/// says that it was pushed. By the push alone where all were pushed at known times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::decide) struct Arrival {
    pub(in crate::decide) sequence: Option<u64>,
    pub(in crate::decide) pushed: Option<Timestamp>,
}

impl Arrival {
    /// Whether it came later than another one, if that is known.
    pub(in crate::decide) fn later(self, other: Self) -> Option<bool> {
        let by_sequence = self.sequence.zip(other.sequence).map(|(this, that)| this.cmp(&that));
        let by_push = || self.pushed.zip(other.pushed).map(|(this, that)| this.cmp(&that));
        match by_sequence.filter(|order| order.is_ne()).or_else(by_push)? {
            Ordering::Equal => None,
            order => Some(order.is_gt()),
        }
    }
}

/// What arrivals are taken from in one rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrivals {
    pub(super) order: Order,
    /// The source tells when tags were pushed.
    dated: bool,
    /// Every tag's push is known, and says more than when it was first seen.
    pushed: bool,
}

impl Arrivals {
    pub(super) fn new<'a>(mut tags: impl Iterator<Item = Named<'a>>, order: Order, dated: bool) -> Self {
        let arrivals = Self { order, dated, pushed: false };
        Self { pushed: tags.all(|named| arrivals.push_of(named).is_some()), ..arrivals }
    }

    /// When a tag's first bytes were pushed or written, as the source itself tells.
    fn push_of(&self, named: Named<'_>) -> Option<Timestamp> {
        let original = named.history().original()?;
        let written = matches!(original.artifact, ArtifactId::ObjectVersion { .. });
        original.created().filter(|_| written || self.dated)
    }

    /// By arrival, then by name.
    pub(super) fn by_arrival(&self, a: Named<'_>, b: Named<'_>) -> Ordering {
        let by_name = || (Natural(a.label()), a.tag()).cmp(&(Natural(b.label()), b.tag()));
        self.at(a).cmp(&self.at(b)).then_with(by_name)
    }

    pub(super) fn at(&self, named: Named<'_>) -> Arrival {
        let original = named.history().original();
        let sequence = original.map(|sighting| sighting.since().sequence);
        match self.order {
            // A bucket tells itself when an object was written. Whoever builds an image chooses its build time, so
            // that only orders what was first seen together.
            Order::Pushed => {
                let written =
                    original.is_some_and(|original| matches!(original.artifact, ArtifactId::ObjectVersion { .. }));
                let built = original.and_then(Sighting::created);
                Arrival { sequence: if written { None } else { sequence }, pushed: built }
            }
            Order::Semver | Order::Name => {
                Arrival { sequence: if self.pushed { None } else { sequence }, pushed: self.push_of(named) }
            }
        }
    }
}
