//! What the rules do to one key, event after event (B71).

use jiff::Timestamp;

use crate::model::{
    BucketExpiration, BucketRule, Certainty, NoncurrentLimit, Replication, Retained, StorageClass, Trigger, Versioning,
};

use super::doubt::{Case, Holds, Matter, Reading};
use super::key::{Entry, EntryKind, Key};
use super::rules::{Lifecycle, after, due, expires, matches, midnight, next_midnight};

/// One thing that happens to one entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// When; `now` for whatever is due already.
    pub at: Timestamp,
    /// Which entry of the key, by its place at the start; none for a marker that a rule put there.
    pub entry: Option<usize>,
    /// What.
    pub act: Act,
    /// The rule's name.
    pub rule: String,
    /// Whether everything that it depends on is known.
    pub certainty: Certainty,
    /// How the rule comes to reach it.
    pub why: String,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Its bytes are gone for good.
    Deletes,
    /// It is moved to another storage class.
    Moves(StorageClass),
    /// A delete marker is put in front of it.
    Hides,
    /// It is a delete marker, and goes.
    RemovesMarker,
}

/// Everything that happens to a key until the horizon, in order.
#[must_use]
pub fn fate(
    lifecycle: &Lifecycle,
    versioning: Versioning,
    key: &Key<'_>,
    now: Timestamp,
    horizon: Timestamp,
) -> Vec<Step> {
    let lifecycle = lifecycle.about(key.key);
    let mut effort = Effort(u64::MAX);
    let mut of = |about| fate_of(&lifecycle, versioning, key, about, now, horizon, &mut effort);
    let mut steps: Vec<Step> = (0..key.entries.len()).filter_map(&mut of).flatten().collect();
    steps.sort();
    steps
}

/// How much more may be judged. Nobody waits for a key that was overwritten every minute for years: nothing can stop
/// this once it runs (I20), and what it could not finish is unknown.
#[derive(Debug)]
pub(super) struct Effort(u64);

impl Effort {
    /// About a second of work, by the number of rules that are held against an entry.
    const OF_ONE_REPOSITORY: u64 = 1 << 22;

    pub(super) fn new() -> Self {
        Self(Self::OF_ONE_REPOSITORY)
    }

    fn spend(&mut self, effort: usize) -> Option<()> {
        self.0 = self.0.checked_sub(effort as u64)?;
        Some(())
    }
}

/// What happens to one entry: certainly, and possibly. None if that takes too long to find out.
pub(super) fn fate_of(
    lifecycle: &Lifecycle,
    versioning: Versioning,
    key: &Key<'_>,
    about: usize,
    now: Timestamp,
    horizon: Timestamp,
    effort: &mut Effort,
) -> Option<Vec<Step>> {
    let mut run = |case| {
        let reading = Reading { case, about };
        let mut course = Course::start(lifecycle, versioning, key, reading, now);
        course.run(horizon, effort)?;
        Some((course.steps, course.doubted))
    };
    let (mut steps, doubted) = run(Case::Best)?;
    if doubted {
        let (worst, _) = run(Case::Worst)?;
        let (unmarked, _) = run(Case::Unmarked)?;
        let told = |step: &Step, steps: &[Step]| {
            steps.iter().any(|other| Step { certainty: step.certainty, ..other.clone() } == *step)
        };
        for step in worst.into_iter().chain(unmarked) {
            if !told(&step, &steps) {
                steps.push(Step { certainty: Certainty::Possible, ..step });
            }
        }
        steps.sort();
    }
    Some(steps)
}

/// Looking whether it is an entry's day costs so much less than judging it by one rule.
const GLANCES: usize = 256;

/// A key on its way through time, under one reading.
struct Course<'a> {
    lifecycle: &'a Lifecycle,
    versioning: Versioning,
    key: &'a str,
    reading: Reading,
    items: Vec<Item<'a>>,
    /// What happens to the entry that it is about; what happens to the others only leads to that.
    steps: Vec<Step>,
    /// The day that is lived.
    clock: Timestamp,
    /// The last day on which rules acted.
    lived: Option<Timestamp>,
    /// From when on a marker that is not known to come may stand in front.
    may_be_marked: Option<Timestamp>,
    /// Whether anything was a maybe: if not, there is one reading only.
    doubted: bool,
}

#[derive(Clone)]
struct Item<'a> {
    entry: Entry<'a>,
    origin: Option<usize>,
    class: StorageClass,
    /// Since when something newer stands in front of it, and what put that there if a rule did (B70).
    behind: Option<Behind>,
    /// How many noncurrent versions are newer, markers left out.
    newer: usize,
    /// When a rule next does something to it, as things stand; none if nothing is known to.
    next: Option<Timestamp>,
}

#[derive(Clone)]
struct Behind {
    since: Timestamp,
    by_rule: Option<String>,
}

/// Something that a rule does once it is due. Ordered by what wins on the same day: destruction over a move, the
/// cheaper class over the dearer, any move over a marker (B67).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
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
fn prevail(mut due: Vec<Planned<'_>>) -> Vec<Planned<'_>> {
    due.sort_by(|a, b| (&a.deed, a.due, a.rule).cmp(&(&b.deed, b.due, b.rule)));
    let is_move = |planned: &Planned<'_>| matches!(planned.deed, Deed::Move { .. });
    let is_marked_too = due.first().is_some_and(is_move) && due.iter().filter(|p| is_move(p)).all(|p| p.doubtful);
    let mut due = due.into_iter();
    let strongest = due.next();
    let mark = due.find(|planned| is_marked_too && planned.deed == Deed::Mark);
    strongest.into_iter().chain(mark).collect()
}

#[derive(Debug)]
struct Planned<'a> {
    due: Timestamp,
    deed: Deed,
    rule: &'a BucketRule,
    why: Why,
    /// Whether it is read as coming though that is not known.
    doubtful: bool,
}

/// How a rule comes to reach an entry, to be put in words if it is told.
#[derive(Debug, Clone, Copy)]
enum Why {
    /// It is current.
    Current(Trigger),
    /// It is noncurrent.
    Noncurrent(NoncurrentLimit),
    /// A marker, of which nothing is told.
    LoneMarker,
}

impl<'a> Course<'a> {
    fn start(
        lifecycle: &'a Lifecycle,
        versioning: Versioning,
        key: &Key<'a>,
        reading: Reading,
        now: Timestamp,
    ) -> Self {
        let successors = std::iter::once(None).chain(key.entries.iter().map(|entry| Some(entry.modified)));
        let items = key.entries.iter().zip(successors).enumerate().map(|(place, (entry, since))| Item {
            entry: entry.clone(),
            origin: Some(place),
            class: match &entry.kind {
                EntryKind::Version { class, .. } => class.clone(),
                EntryKind::Marker => StorageClass::STANDARD,
            },
            behind: since.map(|since| Behind { since, by_rule: None }),
            newer: 0,
            next: None,
        });
        Self {
            lifecycle,
            versioning,
            key: key.key,
            reading,
            items: items.collect(),
            steps: Vec::new(),
            clock: now,
            lived: None,
            may_be_marked: None,
            doubted: false,
        }
    }

    /// Every time something is due, until nothing is. It ends: versions only go, classes only get cheaper, and a key
    /// that is marked is not marked again.
    fn run(&mut self, horizon: Timestamp, effort: &mut Effort) -> Option<()> {
        self.count();
        for place in 0..self.items.len() {
            self.plan(place, effort)?;
        }
        while self.clock <= horizon {
            let at = self.clock;
            self.act(at, effort)?;
            // Whatever lost its day to something else has the next one.
            let Some(tomorrow) = next_midnight(at) else { break };
            let Some(next) = self.items.iter().filter_map(|item| item.next).min() else { break };
            self.clock = next.max(tomorrow);
        }
        Some(())
    }

    /// Notes when a rule next does something to an entry.
    fn plan(&mut self, place: usize, effort: &mut Effort) -> Option<()> {
        effort.spend(1 + self.lifecycle.rules.len())?;
        self.items[place].next = self.planned(place).iter().map(|planned| planned.due).min();
        Some(())
    }

    /// One day: each entry suffers the strongest of what is due, all of them judged as they stood before.
    fn act(&mut self, at: Timestamp, effort: &mut Effort) -> Option<()> {
        effort.spend(1 + self.items.len() / GLANCES)?;
        let mut chosen = Vec::new();
        let mut acted = vec![false; self.items.len()];
        for (place, acted) in acted.iter_mut().enumerate() {
            if self.items[place].next.is_none_or(|next| next > at) {
                continue;
            }
            effort.spend(1 + self.lifecycle.rules.len())?;
            let mut due = self.planned(place);
            due.retain(|planned| planned.due <= at);
            *acted = true;
            chosen.extend(prevail(due).into_iter().map(|planned| (place, planned)));
        }
        self.lived = Some(at);
        if !acted.contains(&true) {
            return Some(());
        }
        let mut gone = vec![false; self.items.len()];
        let mut marked = None;
        for (place, Planned { deed, rule, why, .. }) in chosen {
            let act = match deed {
                Deed::Stall => continue,
                Deed::Destroy if self.items[place].entry.is_marker() => {
                    gone[place] = true;
                    Act::RemovesMarker
                }
                Deed::Destroy => {
                    gone[place] = true;
                    Act::Deletes
                }
                Deed::Move { class, .. } => {
                    self.items[place].class = class.clone();
                    Act::Moves(class)
                }
                Deed::Mark => {
                    marked = Some(rule);
                    Act::Hides
                }
            };
            self.step(at, place, act, rule, |item, act| why.in_words(item, act));
        }
        if let Some(rule) = marked {
            self.mark(at, rule, &mut gone);
        }
        let moved = marked.is_some() || gone.contains(&true);
        let mut fates = gone.iter();
        self.items.retain(|_| !fates.next().copied().unwrap_or(false));
        let mut fates = gone.iter();
        acted.retain(|_| !fates.next().copied().unwrap_or(false));
        if let Some(rule) = marked {
            self.put_marker(at, rule);
            acted.insert(0, true);
        }
        self.count();
        self.plan_again(&acted, moved, effort)
    }

    /// What something happened to is judged anew; and where entries came or went, so is whatever may have got another
    /// number of newer ones. Behind more than any rule asks for, one more or less changes nothing.
    fn plan_again(&mut self, acted: &[bool], moved: bool, effort: &mut Effort) -> Option<()> {
        let expirations = self.lifecycle.rules.iter().filter_map(|rule| rule.noncurrent_expiration);
        let transitions = self.lifecycle.rules.iter().flat_map(|rule| &rule.noncurrent_transitions);
        let limits = expirations.chain(transitions.map(|transition| transition.when));
        let most = limits.map(|limit| limit.keep_newer as usize).max().unwrap_or(0);
        for (place, acted) in acted.iter().enumerate() {
            if *acted || (moved && self.items[place].newer <= most) {
                self.plan(place, effort)?;
            }
        }
        Some(())
    }

    fn count(&mut self) {
        let mut newer = 0;
        for (place, item) in self.items.iter_mut().enumerate() {
            item.newer = newer;
            newer += usize::from(place > 0 && !item.entry.is_marker());
        }
    }

    /// Only what happens to the entry that it is about is told, and put in words.
    fn step(
        &mut self,
        at: Timestamp,
        place: usize,
        act: Act,
        rule: &BucketRule,
        why: impl FnOnce(&Item<'_>, &Act) -> String,
    ) {
        let item = &self.items[place];
        if item.origin == Some(self.reading.about) {
            let why = why(item, &act);
            let certainty = Certainty::Certain;
            self.steps.push(Step { at, entry: item.origin, act, rule: rule.name(), certainty, why });
        }
    }

    /// Under suspended versioning the marker has no id of its own, and so replaces what has none either (B69).
    fn mark(&mut self, at: Timestamp, rule: &BucketRule, gone: &mut [bool]) {
        if self.versioning != Versioning::Suspended {
            return;
        }
        for (place, gone) in gone.iter_mut().enumerate() {
            let item = &self.items[place];
            if !item.entry.is_null() || *gone {
                continue;
            }
            if item.entry.is_marker() {
                *gone = true;
                self.step(at, place, Act::RemovesMarker, rule, |_, _| String::new());
                continue;
            }
            let open = self.open(place).filter(|(until, _)| *until <= at).map_or(Holds::No, |(_, holds)| holds);
            let taken = match open {
                // A key that is marked already is not marked again.
                Holds::Yes if self.was_spared(place, at) => self.takes(Holds::Maybe, place, Matter::Other),
                open => self.takes(open, place, Matter::Room),
            };
            if taken {
                *gone = true;
                if place == 0 {
                    // What is destroyed is not hidden.
                    let origin = self.items[place].origin;
                    self.steps.retain(|step| step.at != at || step.entry != origin || step.act != Act::Hides);
                }
                let why = "versioning is suspended, so the marker takes the place of the null version for good";
                self.step(at, place, Act::Deletes, rule, |_, _| why.to_owned());
            }
        }
    }

    fn put_marker(&mut self, at: Timestamp, rule: &BucketRule) {
        // If what was in front is gone, the next one was behind it already, and its clock runs on.
        if let Some(front) = self.items.first_mut().filter(|front| front.behind.is_none()) {
            front.behind = Some(Behind { since: at, by_rule: Some(rule.name()) });
        }
        let id = if self.versioning == Versioning::Suspended { "null" } else { "" };
        let entry = Entry { id, modified: at, kind: EntryKind::Marker };
        self.items
            .insert(0, Item { entry, origin: None, class: StorageClass::STANDARD, behind: None, newer: 0, next: None });
    }

    fn takes(&mut self, holds: Holds, place: usize, matter: Matter) -> bool {
        self.doubted |= holds == Holds::Maybe;
        self.reading.takes(holds, self.items[place].origin, matter)
    }

    /// Whether a marker that may have come before found it locked.
    fn was_spared(&self, place: usize, at: Timestamp) -> bool {
        let EntryKind::Version { lock, .. } = &self.items[place].entry.kind else { return false };
        let Some(marked) = self.may_be_marked.filter(|marked| *marked < at) else { return false };
        matches!(lock.retained, Retained::Until { until, .. } if until > marked)
    }

    /// From when on it may be deleted, and whether that is known; none while it is held (B74).
    fn open(&self, place: usize) -> Option<(Timestamp, Holds)> {
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
    fn planned(&mut self, place: usize) -> Vec<Planned<'a>> {
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
            // What replaces the null version under suspended versioning is a marker, and is told as what it destroys.
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

impl Why {
    fn in_words(self, item: &Item<'_>, act: &Act) -> String {
        let goes = |goes: &str| match act {
            Act::Moves(class) => format!("moves to {class}"),
            Act::Deletes | Act::Hides | Act::RemovesMarker => goes.to_owned(),
        };
        match (self, &item.behind) {
            (Self::Current(trigger), _) => {
                let written = item.entry.modified;
                format!("it is the current version, written {written}, and {} {}", goes("expires"), in_words(trigger))
            }
            (Self::Noncurrent(limit), Some(behind)) => {
                let newer = newer(limit.days, limit.keep_newer);
                format!("it is noncurrent {}, and {} {newer}", behind.in_words(), goes("goes"))
            }
            (Self::Noncurrent(_), None) | (Self::LoneMarker, _) => String::new(),
        }
    }
}

impl Behind {
    fn in_words(&self) -> String {
        match &self.by_rule {
            Some(rule) => format!("from {} on, when rule {rule:?} puts a delete marker in front of it", self.since),
            None => format!("since {}", self.since),
        }
    }
}

fn in_words(trigger: Trigger) -> String {
    match trigger {
        Trigger::Days(days) => format!("after {}", counted(days)),
        Trigger::Date(date) => format!("from {date} on"),
        Trigger::Unknown => "at a time that the rule says in a way not known here".to_owned(),
    }
}

fn newer(days: u32, keep: u32) -> String {
    match keep {
        0 => format!("after {}", counted(days)),
        keep => format!("after {} behind the {keep} newer noncurrent versions that stay", counted(days)),
    }
}

fn counted(days: u32) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}
