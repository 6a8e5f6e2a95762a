//! The model's world, and what happens in it.

use super::guards::Guards;
use super::log::{Log, NEW, OLD, PART, Said};
use super::other::Other;
use super::releasing::{Flight, Release};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Pin {
    There,
    GoneByRelease,
    GoneByStranger,
}

/// One history up to here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) guards: Guards,
    pub(super) lacks: Lacks,
    pub(super) log: Log,
    pub(super) pins: [Pin; 3],
    /// Whether production runs the old one.
    pub(super) back: bool,
    /// Whether it did when a release asked before its first removal, and after its last.
    pub(super) asked_first: bool,
    pub(super) asked_last: [Option<bool>; 2],
    pub(super) releases: Vec<Release>,
    pub(super) others: Vec<Other>,
    /// Whether the other runs pin.
    pub(super) pinning: bool,
    /// What each release set out to remove, what of it it tried, in order, and which of that it had no answer about.
    pub(super) meant: [Vec<u8>; 2],
    pub(super) tried: [Vec<u8>; 2],
    pub(super) unheard: [Vec<u8>; 2],
    /// Removals whose sender does not wait for them any more.
    pub(super) flights: Vec<Flight>,
    pub(super) removed: bool,
    /// How many answers may still be lost, whether processes may be killed, and whether somebody may still remove a pin.
    pub(super) losses: u8,
    pub(super) crashes: bool,
    pub(super) thefts: u8,
    /// A run called a pin lost that a release removed, or did not miss one that somebody else removed.
    pub(super) false_loss: bool,
    pub(super) missed_loss: bool,
}

/// What happens next; the number is that of the release or of the other run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Act {
    GoBack,
    Steal,
    /// A removal that nobody waits for is carried out, or never will be.
    Arrive(usize),
    Vanish(usize),
    Ask(usize),
    AskInVain(usize),
    Decide(usize),
    Intend(usize),
    Send(usize),
    Land(usize),
    Hear(usize),
    Unheard(usize),
    Record(usize),
    Leave(usize),
    LookBack(usize),
    LookBackInVain(usize),
    PinAgain(usize),
    RecordAgain(usize),
    Crash(usize),
    Begin(usize),
    Look(usize),
    Judge(usize),
    EndIntents(usize),
    Pin(usize),
    JudgeAgain(usize),
    Commit(usize),
}

impl World {
    pub(super) fn new(guards: Guards, lacks: Lacks, releases: usize, others: usize) -> Self {
        let mut log = Log::default();
        let made = [Said::Made(OLD), Said::Made(PART)];
        let first = [Said::Pinned(NEW), Said::Pinned(OLD), Said::Unneeded(OLD), Said::Unneeded(PART)];
        let made = made.into_iter().filter(|_| lacks != Lacks::Ours);
        log.commit(Guards::default(), 0, 0, made.chain(first));
        log.commit(Guards::default(), 0, 0, [Said::Run(lacks != Lacks::Earlier)]);
        let new = if lacks == Lacks::Target { Pin::GoneByStranger } else { Pin::There };
        Self {
            guards,
            lacks,
            log,
            pins: [new, Pin::There, Pin::There],
            back: false,
            asked_first: false,
            asked_last: [None; 2],
            releases: vec![Release::Idle; releases],
            others: vec![Other::Idle; others],
            pinning: true,
            meant: [Vec::new(), Vec::new()],
            tried: [Vec::new(), Vec::new()],
            unheard: [Vec::new(), Vec::new()],
            flights: Vec::new(),
            removed: false,
            losses: 1,
            crashes: true,
            thefts: 0,
            false_loss: false,
            missed_loss: false,
        }
    }

    pub(super) fn pin(&self, which: u8) -> Pin {
        self.pins[usize::from(which)]
    }

    pub(super) fn commit(&mut self, run: u8, as_of: u8, said: impl IntoIterator<Item = Said>) {
        self.log.commit(self.guards, run, as_of, said);
    }

    /// Everything that may be tried; what is not possible is no step.
    pub(super) fn acts(&self) -> Vec<Act> {
        let mut acts = Vec::new();
        acts.extend((!self.back).then_some(Act::GoBack));
        acts.extend((self.thefts > 0 && self.pin(OLD) == Pin::There).then_some(Act::Steal));
        for flight in 0..self.flights.len() {
            acts.extend([Act::Arrive(flight), Act::Vanish(flight)]);
        }
        for (at, release) in self.releases.iter().enumerate() {
            acts.extend(match release {
                Release::Idle => vec![Act::Ask(at), Act::AskInVain(at)],
                Release::Asked(_) => vec![Act::Decide(at)],
                Release::Decided(..) => vec![Act::Intend(at)],
                Release::Removing(_) => vec![Act::Send(at)],
                Release::Sent(_) => vec![Act::Land(at), Act::Hear(at), Act::Unheard(at)],
                Release::Gone(..) => vec![Act::Record(at)],
                Release::Ended => vec![Act::Leave(at)],
                Release::Left => vec![Act::LookBack(at), Act::LookBackInVain(at)],
                Release::Back { .. } => vec![Act::PinAgain(at), Act::RecordAgain(at)],
                Release::Done | Release::Crashed => Vec::new(),
            });
            let can_crash = self.crashes && !matches!(release, Release::Idle | Release::Done | Release::Crashed);
            acts.extend(can_crash.then_some(Act::Crash(at)));
        }
        for (at, other) in self.others.iter().enumerate() {
            acts.extend(match other {
                Other::Idle => vec![Act::Begin(at)],
                Other::Begun { .. } => vec![Act::Look(at)],
                Other::Looked { .. } => vec![Act::Judge(at), Act::EndIntents(at)],
                Other::Pinning { .. } => vec![Act::Pin(at), Act::JudgeAgain(at)],
                Other::Judged { .. } => vec![Act::Commit(at)],
                Other::Done => Vec::new(),
            });
        }
        acts
    }

    /// The world after it; none if that is not possible here.
    pub(super) fn after(&self, act: Act) -> Option<Self> {
        let mut next = self.clone();
        match act {
            Act::GoBack => next.back = true,
            Act::Steal => {
                next.thefts -= 1;
                next.pins[usize::from(OLD)] = Pin::GoneByStranger;
            }
            Act::Arrive(at) => {
                let flight = next.flights.remove(at);
                next.land(flight.which);
            }
            Act::Vanish(at) => _ = next.flights.remove(at),
            Act::Begin(at)
            | Act::Look(at)
            | Act::Judge(at)
            | Act::EndIntents(at)
            | Act::Pin(at)
            | Act::JudgeAgain(at)
            | Act::Commit(at) => next.of_other(at, act)?,
            Act::Ask(at)
            | Act::AskInVain(at)
            | Act::Decide(at)
            | Act::Intend(at)
            | Act::Send(at)
            | Act::Land(at)
            | Act::Hear(at)
            | Act::Unheard(at)
            | Act::Record(at)
            | Act::Leave(at)
            | Act::LookBack(at)
            | Act::LookBackInVain(at)
            | Act::PinAgain(at)
            | Act::RecordAgain(at)
            | Act::Crash(at) => {
                next.of_release(at, act)?;
            }
        }
        Some(next)
    }
}
