//! What the rules will do to an entry, as things stand on one day.

use jiff::Timestamp;

use super::Course;
use super::words::Why;
use crate::decide::lifecycle::s3::doubt::{Holds, Matter};
use crate::decide::lifecycle::s3::key::{Entry, EntryKind};
use crate::decide::lifecycle::s3::rules::{after, due, expires, matches, midnight};
use crate::model::{BucketExpiration, BucketRule, Replication, Retained, StorageClass, Versioning};

/// Something that a rule does once it is due. Ordered by what wins on the same day: destruction over a move, the
/// cheaper class over the dearer, any move over a marker (B67).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deed {
    Destroy,
    Move {
        dearness: std::cmp::Reverse<usize>,
        class: StorageClass,
    },
    /// A move that may come and is read as not coming. If it comes, it costs a marker this day.
    Stall,
    Mark,
}

/// What happens to an entry on a day, of what is due: the strongest. Whether a move that is not known to come costs a
/// marker its day is not known either: so it does where the best is asked for, and does not where the worst is.
pub(super) fn prevail(mut due: Vec<Planned<'_>>) -> Vec<Planned<'_>> {
    due.sort_by(|a, b| (&a.deed, a.due, a.rule).cmp(&(&b.deed, b.due, b.rule)));
    let is_move = |planned: &Planned<'_>| matches!(planned.deed, Deed::Move { .. });
    let is_marked_too = due.first().is_some_and(is_move) && due.iter().filter(|p| is_move(p)).all(|p| p.doubtful);
    let mut due = due.into_iter();
    let strongest = due.next();
    let mark = due.find(|planned| is_marked_too && planned.deed == Deed::Mark);
    strongest.into_iter().chain(mark).collect()
}

#[derive(Debug)]
pub(super) struct Planned<'a> {
    pub(super) due: Timestamp,
    pub(super) deed: Deed,
    pub(super) rule: &'a BucketRule,
    pub(super) why: Why,
    /// Whether it is read as coming though that is not known.
    doubtful: bool,
}

impl<'a> Course<'a> {
    pub(super) fn takes(&mut self, holds: Holds, place: usize, matter: Matter) -> bool {
        self.doubted |= holds == Holds::Maybe;
        self.reading.takes(holds, self.items[place].origin, matter)
    }

    /// Whether a marker that may have come before found it locked.
    pub(super) fn was_spared(&self, place: usize, at: Timestamp) -> bool {
        let EntryKind::Version { lock, .. } = &self.items[place].entry.kind else { return false };
        let Some(marked) = self.may_be_marked.filter(|marked| *marked < at) else { return false };
        matches!(lock.retained, Retained::Until { until, .. } if until > marked)
    }

    /// From when on it may be deleted, and whether that is known; none while it is held (B74).
    pub(super) fn open(&self, place: usize) -> Option<(Timestamp, Holds)> {
        let EntryKind::Version { lock, .. } = &self.items[place].entry.kind else {
            // Markers are never locked (B60).
            return Some((Timestamp::MIN, Holds::Yes));
        };
        let unheld = match lock.hold {
            Some(true) => return None,
            Some(false) => Holds::Yes,
            None => Holds::Maybe,
        };
        match lock.retained {
            Retained::No => Some((Timestamp::MIN, unheld)),
            Retained::Until { until, .. } if until <= self.clock => Some((Timestamp::MIN, unheld)),
            Retained::Until { until, .. } => Some((midnight(until)?, unheld)),
            Retained::Unknown => Some((Timestamp::MIN, Holds::Maybe)),
        }
    }

    /// What the rules will do to an entry as things stand now.
    pub(super) fn planned(&mut self, place: usize) -> Vec<Planned<'a>> {
        let lifecycle = self.lifecycle;
        let mut planned = Vec::new();
        for rule in &lifecycle.rules {
            let item = &self.items[place];
            let reaches = matches(&rule.filter, self.key, &item.entry).and(acts_on(&item.entry));
            if reaches == Holds::No {
                continue;
            }
            match (item.behind.as_ref().map(|behind| behind.since), item.entry.is_marker()) {
                (None, false) => self.plan_current(place, rule, reaches, &mut planned),
                (None, true) => self.plan_lone_marker(place, rule, reaches, &mut planned),
                (Some(since), _) => self.plan_noncurrent(place, rule, reaches, since, &mut planned),
            }
        }
        planned
    }

    fn plan_current(&mut self, place: usize, rule: &'a BucketRule, reaches: Holds, planned: &mut Vec<Planned<'a>>) {
        let written = self.items[place].entry.modified;
        if let Some(trigger) = expires(rule)
            && let Some((due, sure)) = due(trigger, written)
        {
            let why = Why::Current(trigger);
            // What replaces the null version under suspended versioning is a marker, and is reported as what it destroys.
            match self.versioning {
                Versioning::Off => {
                    self.plan_destruction(place, rule, due, reaches.and(sure), Matter::Other, why, planned)
                }
                Versioning::Enabled | Versioning::Suspended => {
                    let sure = reaches.and(sure);
                    if sure == Holds::Maybe {
                        let due = due.max(self.clock);
                        self.may_be_marked = Some(self.may_be_marked.map_or(due, |earliest| earliest.min(due)));
                    }
                    if self.takes(sure, place, Matter::Mark) {
                        planned.push(Planned { due, deed: Deed::Mark, rule, why, doubtful: false });
                    }
                }
            }
        }
        for transition in &rule.transitions {
            let Some((due, sure)) = due(transition.when, written) else { continue };
            let why = Why::Current(transition.when);
            self.plan_move(place, rule, due, reaches.and(sure), &transition.class, why, planned);
        }
    }

    /// A marker goes once nothing is behind it (B69).
    fn plan_lone_marker(&mut self, place: usize, rule: &'a BucketRule, reaches: Holds, planned: &mut Vec<Planned<'a>>) {
        if self.items.len() > 1 {
            return;
        }
        let written = self.items[place].entry.modified;
        let found = match rule.expiration {
            Some(BucketExpiration::Current(trigger)) => due(trigger, written),
            Some(BucketExpiration::LoneMarkers) => midnight(written).map(|due| (due, Holds::Yes)),
            None => None,
        };
        if let Some((due, sure)) = found
            && self.takes(reaches.and(sure), place, Matter::Other)
        {
            planned.push(Planned { due, deed: Deed::Destroy, rule, why: Why::LoneMarker, doubtful: false });
        }
    }

    fn plan_noncurrent(
        &mut self,
        place: usize,
        rule: &'a BucketRule,
        reaches: Holds,
        since: Timestamp,
        planned: &mut Vec<Planned<'a>>,
    ) {
        if let Some(limit) = rule.noncurrent_expiration
            && let Some(due) = after(since, limit.days)
        {
            let sure = reaches.and(self.has_newer(place, limit.keep_newer));
            self.plan_destruction(place, rule, due, sure, Matter::Room, Why::Noncurrent(limit), planned);
        }
        for transition in &rule.noncurrent_transitions {
            let limit = transition.when;
            let Some(due) = after(since, limit.days) else { continue };
            let sure = reaches.and(self.has_newer(place, limit.keep_newer));
            self.plan_move(place, rule, due, sure, &transition.class, Why::Noncurrent(limit), planned);
        }
    }

    /// Whether so many noncurrent versions are newer. Nothing says whether markers count (B70).
    fn has_newer(&self, place: usize, wanted: u32) -> Holds {
        let wanted = wanted as usize;
        if place.saturating_sub(1) < wanted {
            Holds::No
        } else if self.items[place].newer >= wanted {
            Holds::Yes
        } else {
            Holds::Maybe
        }
    }

    #[expect(clippy::too_many_arguments, reason = "each is one fact of the deed, and two callers have all of them")]
    fn plan_destruction(
        &mut self,
        place: usize,
        rule: &'a BucketRule,
        due: Timestamp,
        sure: Holds,
        matter: Matter,
        why: Why,
        planned: &mut Vec<Planned<'a>>,
    ) {
        let Some((open, unlocked)) = self.open(place) else { return };
        if self.takes(sure.and(unlocked), place, matter) {
            planned.push(Planned { due: due.max(open), deed: Deed::Destroy, rule, why, doubtful: false });
        }
    }

    #[expect(clippy::too_many_arguments, reason = "each is one fact of the deed, and two callers have all of them")]
    fn plan_move(
        &mut self,
        place: usize,
        rule: &'a BucketRule,
        due: Timestamp,
        sure: Holds,
        class: &StorageClass,
        why: Why,
        planned: &mut Vec<Planned<'a>>,
    ) {
        let item = &self.items[place];
        let EntryKind::Version { size, .. } = item.entry.kind else { return };
        if class.cheapness() <= item.class.cheapness() {
            return;
        }
        let sure = sure.and(self.lifecycle.moves(rule, class, size));
        let deed = if self.takes(sure, place, Matter::Other) {
            Deed::Move { dearness: std::cmp::Reverse(class.cheapness()), class: class.clone() }
        } else if sure == Holds::Maybe && self.lived.is_none_or(|lived| lived < due) {
            // It comes on its day or never: whatever is stronger that day makes it needless.
            Deed::Stall
        } else {
            return;
        };
        planned.push(Planned { due, deed, rule, why, doubtful: sure == Holds::Maybe });
    }
}

/// Whether rules act on it at all. While its replication waits they do not, and nobody knows how long it waits (B74).
fn acts_on(entry: &Entry<'_>) -> Holds {
    match &entry.kind {
        EntryKind::Marker => Holds::Yes,
        EntryKind::Version { replication, .. } => match replication {
            // A version that is not replicated at all is by far the most common, and looks the same unread.
            Replication::Settled | Replication::Unknown => Holds::Yes,
            Replication::Pending | Replication::Stuck(_) => Holds::Maybe,
        },
    }
}
