//! What the rules do to one key, event after event (B71).

mod planning;
mod words;

use jiff::Timestamp;

use self::planning::{Deed, Planned, prevail};
use super::doubt::{Case, Holds, Matter, Reading};
use super::key::{Entry, EntryKind, Key};
use super::rules::{Lifecycle, next_midnight};
use crate::model::{BucketRule, Certainty, StorageClass, Versioning};

/// One thing that happens to one entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimelineStep {
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
pub fn timeline(
    lifecycle: &Lifecycle,
    versioning: Versioning,
    key: &Key<'_>,
    now: Timestamp,
    horizon: Timestamp,
) -> Vec<TimelineStep> {
    let lifecycle = lifecycle.about(key.key);
    let mut effort = Effort(u64::MAX);
    let mut of = |about| timeline_of(&lifecycle, versioning, key, about, now, horizon, &mut effort);
    let mut steps: Vec<TimelineStep> = (0..key.entries.len()).filter_map(&mut of).flatten().collect();
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
pub(super) fn timeline_of(
    lifecycle: &Lifecycle,
    versioning: Versioning,
    key: &Key<'_>,
    about: usize,
    now: Timestamp,
    horizon: Timestamp,
    effort: &mut Effort,
) -> Option<Vec<TimelineStep>> {
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
        let reported = |step: &TimelineStep, steps: &[TimelineStep]| {
            steps.iter().any(|other| TimelineStep { certainty: step.certainty, ..other.clone() } == *step)
        };
        for step in worst.into_iter().chain(unmarked) {
            if !reported(&step, &steps) {
                steps.push(TimelineStep { certainty: Certainty::Possible, ..step });
            }
        }
        steps.sort();
    }
    Some(steps)
}

/// Looking whether it is an entry's day costs so much less than judging it by one rule.
const LOOKUPS: usize = 256;

/// A key on its way through time, under one reading.
struct Course<'a> {
    lifecycle: &'a Lifecycle,
    versioning: Versioning,
    key: &'a str,
    reading: Reading,
    items: Vec<Item<'a>>,
    /// What happens to the entry that it is about; what happens to the others only leads to that.
    steps: Vec<TimelineStep>,
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
        effort.spend(1 + self.items.len() / LOOKUPS)?;
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
        let mut timelines = gone.iter();
        self.items.retain(|_| !timelines.next().copied().unwrap_or(false));
        let mut timelines = gone.iter();
        acted.retain(|_| !timelines.next().copied().unwrap_or(false));
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

    /// Only what happens to the entry that it is about is reported, and put in words.
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
            self.steps.push(TimelineStep { at, entry: item.origin, act, rule: rule.name(), certainty, why });
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
}
