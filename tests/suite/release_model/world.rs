//! The model's world, and what happens in it.

use super::guards::Guards;
use super::log::{Log, OLD, PART, Word, artifact};
use super::other::Other;
use super::releasing::Release;
use prodpin::model::Event;

/// What is not as it should be before anything may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lacks {
    Nothing,
    /// A run of this ledger made the pins.
    Ours,
    /// The target is pinned.
    Target,
    /// The run before was complete.
    Earlier,
    /// This run read everything.
    Gap,
    /// A tag stays on the old one.
    Tag,
}

/// A pin, and who removed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Pin {
    There,
    GoneByRelease,
    GoneByStranger,
}

/// What other runs are called in the log. Nothing hangs on which of them it is.
pub(super) const OTHERS: u8 = 7;

/// One history up to here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) guards: Guards,
    pub(super) lacks: Lacks,
    pub(super) log: Log,
    pub(super) pins: [Pin; 3],
    /// Whether it is on record that nothing needs the old ones, or was.
    pub(super) announced: bool,
    /// Whether production runs the old one.
    pub(super) back: bool,
    /// Whether other runs need it by a policy of their own.
    pub(super) by_its_own: bool,
    /// Whether it did when a release asked before its first removal, and after its last.
    pub(super) asked_first: bool,
    pub(super) asked_last: [Option<bool>; 2],
    pub(super) releases: Vec<Release>,
    pub(super) others: Vec<Other>,
    /// Whether the other runs pin.
    pub(super) pinning: bool,
    /// What each release set out to remove, and what of it it tried, in order.
    pub(super) meant: [Vec<u8>; 2],
    pub(super) tried: [Vec<u8>; 2],
    /// Removals whose sender does not wait for them any more.
    pub(super) flights: Vec<u8>,
    pub(super) removed: bool,
    /// How many answers may still be lost, how many processes killed, and whether somebody may still remove a pin.
    pub(super) losses: u8,
    pub(super) crashes: u8,
    pub(super) thefts: u8,
    /// A run called a pin lost that a release removed, or did not miss one that somebody else removed.
    pub(super) false_loss: bool,
    pub(super) missed_loss: bool,
    /// How many called a pin lost.
    pub(super) lost: u8,
    /// A run that pins found the old ones to be needed and pinned, after it was on record that nothing needs them.
    pub(super) relied_on: bool,
}

/// What happens next; the number is that of the release or of the other run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Act {
    /// A complete run finds that nothing needs the old ones.
    Announce,
    GoBack,
    Steal,
    /// A removal that nobody waits for is carried out, or never will be.
    Arrive(usize),
    Vanish(usize),
    Ask(usize),
    AskInVain(usize),
    Decide(usize),
    Intend(usize),
    TakeOver(usize),
    Waited(usize),
    Send(usize),
    Land(usize),
    Hear(usize),
    Unheard(usize),
    Record(usize),
    LookBack(usize),
    LookBackInVain(usize),
    PinAgain(usize),
    Leave(usize),
    Crash(usize),
    Begin(usize),
    Look(usize),
    Judge(usize),
    Pin(usize),
    JudgeAgain(usize),
    Commit(usize),
    Die(usize),
    /// A release, or after all of these another run, reads the log anew for what it does next.
    Recall(usize),
}

impl World {
    /// All is pinned, and that nothing needs the old ones is on record.
    pub(super) fn new(guards: Guards, lacks: Lacks, releases: usize, others: usize) -> Self {
        let made = (lacks != Lacks::Ours).then_some(1);
        let word = Word { made, unneeded: Some(1), ..Word::default() };
        let words = [Word { pinned: Some(1), ..word }, word];
        let new = if lacks == Lacks::Target { Pin::GoneByStranger } else { Pin::There };
        Self {
            guards,
            lacks,
            log: Log { words, commits: 1 },
            pins: [Pin::There, Pin::There, new],
            announced: true,
            back: false,
            by_its_own: false,
            asked_first: false,
            asked_last: [None; 2],
            releases: vec![Release::Idle; releases],
            others: vec![Other::Idle; others],
            pinning: true,
            meant: [Vec::new(), Vec::new()],
            tried: [Vec::new(), Vec::new()],
            flights: Vec::new(),
            removed: false,
            losses: 1,
            crashes: 1,
            thefts: 0,
            false_loss: false,
            missed_loss: false,
            lost: 0,
            relied_on: false,
        }
    }

    /// The manifest was part of something else, whose pin nothing needs; an index that has it, too, came since, and other runs need
    /// that. Nothing of it is on record yet.
    pub(super) fn fresh(self) -> Self {
        let part = Word { made: Some(1), ..Word::default() };
        let pins = [Pin::GoneByStranger, Pin::There, Pin::There];
        let log = Log { words: [Word::default(), part], commits: 1 };
        Self { log, pins, announced: false, by_its_own: true, ..self }
    }

    pub(super) fn pin(&self, which: u8) -> Pin {
        self.pins[usize::from(which)]
    }

    /// Everything that may be tried; what is not possible is no step.
    pub(super) fn acts(&self) -> Vec<Act> {
        let mut acts = Vec::new();
        acts.extend((!self.announced).then_some(Act::Announce));
        acts.extend((!self.back && !self.by_its_own).then_some(Act::GoBack));
        acts.extend((self.thefts > 0 && self.pin(OLD) == Pin::There).then_some(Act::Steal));
        for flight in 0..self.flights.len() {
            acts.extend([Act::Arrive(flight), Act::Vanish(flight)]);
        }
        for (at, release) in self.releases.iter().enumerate() {
            acts.extend(match release {
                Release::Idle => vec![Act::TakeOver(at), Act::Ask(at), Act::AskInVain(at)],
                Release::Asked(_) => vec![Act::Decide(at)],
                Release::Decided(..) => vec![Act::Intend(at)],
                Release::Waits(..) => vec![Act::Waited(at)],
                Release::Removing(_) => vec![Act::Send(at)],
                Release::Sent(_) => vec![Act::Land(at), Act::Hear(at), Act::Unheard(at)],
                Release::Gone(..) => vec![Act::Record(at)],
                Release::Ended => vec![Act::LookBack(at), Act::LookBackInVain(at)],
                Release::Back(_) => vec![Act::Recall(at)],
                Release::Puts { .. } => vec![Act::PinAgain(at), Act::Record(at)],
                Release::Leaves => vec![Act::Leave(at)],
                Release::Done | Release::Crashed => Vec::new(),
            });
            let can_crash = self.crashes > 0 && !matches!(release, Release::Idle | Release::Done | Release::Crashed);
            acts.extend(can_crash.then_some(Act::Crash(at)));
        }
        for (at, other) in self.others.iter().enumerate() {
            acts.extend(match other {
                Other::Idle => vec![Act::Begin(at)],
                Other::Begun(_) => vec![Act::Look(at)],
                Other::Looked(_) => vec![Act::Judge(at)],
                Other::Again(..) => vec![Act::Recall(self.releases.len() + at)],
                Other::Pinning { .. } => vec![Act::Pin(at), Act::JudgeAgain(at)],
                Other::Judged { .. } => vec![Act::Commit(at)],
                Other::Done => Vec::new(),
            });
            let has_begun = matches!(other, Other::Again(..) | Other::Pinning { .. } | Other::Judged { .. });
            acts.extend((self.crashes > 0 && has_begun).then_some(Act::Die(at)));
        }
        acts
    }

    /// The world after it; none if that is not possible here.
    pub(super) fn after(&self, act: Act) -> Option<Self> {
        let mut next = self.clone();
        match act {
            Act::Announce => {
                let unneeded = [OLD, PART].into_iter().filter(|which| self.pin(*which) == Pin::There);
                let unneeded = unneeded.map(|which| Event::PinUnneeded { artifact: artifact(which) });
                next.log.commit(self.guards, OTHERS, self.log.commits, unneeded.collect::<Vec<_>>());
                next.announced = true;
            }
            Act::GoBack => next.back = true,
            Act::Steal => {
                next.thefts -= 1;
                next.pins[usize::from(OLD)] = Pin::GoneByStranger;
            }
            Act::Arrive(at) => {
                let which = next.flights.remove(at);
                next.land(which);
            }
            Act::Vanish(at) => _ = next.flights.remove(at),
            Act::Begin(at) | Act::Look(at) | Act::Judge(at) | Act::Pin(at) | Act::JudgeAgain(at) | Act::Commit(at) => {
                next.of_other(at, act)?
            }
            Act::Recall(at) => match at.checked_sub(self.releases.len()) {
                Some(at) => next.of_other(at, act)?,
                None => next.of_release(at, act)?,
            },
            Act::Ask(at)
            | Act::AskInVain(at)
            | Act::Decide(at)
            | Act::Intend(at)
            | Act::TakeOver(at)
            | Act::Waited(at)
            | Act::Send(at)
            | Act::Land(at)
            | Act::Hear(at)
            | Act::Unheard(at)
            | Act::Record(at)
            | Act::Leave(at)
            | Act::LookBack(at)
            | Act::LookBackInVain(at)
            | Act::PinAgain(at) => next.of_release(at, act)?,
            Act::Die(at) => {
                next.crashes = self.crashes.checked_sub(1)?;
                next.others[at] = Other::Done;
            }
            Act::Crash(at) => {
                next.crashes = self.crashes.checked_sub(1)?;
                next.of_release(at, act)?;
            }
        }
        Some(next)
    }

    /// The same world in the one form that all have which differ in nothing but numbers of commits and which run is which.
    pub(super) fn canonical(mut self) -> Self {
        let of_others = self.others.iter_mut().flat_map(Other::commits);
        let mut known: Vec<u8> = of_others.map(|commit| *commit).collect();
        known.extend(self.releases.iter_mut().filter_map(Release::as_of).map(|as_of| *as_of));
        known.sort_unstable();
        known.dedup();
        // What a run knew up to keeps its place among those; of what came after, no run can tell which was first.
        let number = |commit: u8| match known.binary_search(&commit) {
            Ok(at) => at as u8 + 1,
            Err(at) => at as u8 + 1,
        };
        let of_word = |word: Word| word.renumbered(number);
        self.log.words = self.log.words.map(of_word);
        self.log.commits = number(self.log.commits);
        self.others.iter_mut().filter_map(Other::seen).for_each(|seen| seen.renumber(of_word));
        self.others.iter_mut().flat_map(Other::commits).for_each(|commit| *commit = number(*commit));
        self.releases.iter_mut().filter_map(Release::as_of).for_each(|as_of| *as_of = number(*as_of));
        self.others.sort_unstable();
        (self.lost, self.asked_last) =
            (0, if self.releases.contains(&Release::Crashed) { [None; 2] } else { self.asked_last });
        for (at, release) in self.releases.iter().enumerate() {
            // What one set out to do is of no interest once it is over, and what it tried where nobody needed that at the end.
            if matches!(release, Release::Done | Release::Crashed) {
                self.meant[at].clear();
                if self.asked_last[at] != Some(true) {
                    self.tried[at].clear();
                }
            }
        }
        let key = |at: usize| (&self.releases[at], &self.meant[at], &self.tried[at], self.asked_last[at]);
        if self.releases.len() == 2 && key(1) < key(0) {
            self.releases.swap(0, 1);
            self.meant.swap(0, 1);
            self.tried.swap(0, 1);
            self.asked_last.swap(0, 1);
            self.log.words = self.log.words.map(Word::swapped);
            for seen in self.others.iter_mut().filter_map(Other::seen) {
                seen.renumber(Word::swapped);
            }
        }
        self
    }
}
