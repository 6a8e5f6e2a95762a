//! Releasing as a model, every interleaving of it: a release, another writer that pins, production that goes back in the middle,
//! answers that are lost, and a crash. Whether a pin may go, what is put on record of it and what is pinned again is asked of the
//! program's own law and its own fold; the registry and production are the model's (I1, I2, I3, I5, F35, F92).

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use prodpin::decide::release::{
    EarlierRun, LastReference, NeededNow, PinFacts, RunFacts, grounds, may_still_go, to_make_again,
};
use prodpin::model::{ArtifactId, Digest, Event, Mark, PinRemoval, PinState, RepositoryState, rebase};
use stateright::{Checker, Model, Property};

/// What runs, an index that ran before it, and the manifest below that.
const NEW: u8 = 0;
const OLD: u8 = 1;
const PART: u8 = 2;

fn artifact(which: u8) -> ArtifactId {
    ArtifactId::Manifest(Digest::sha256(&[which]))
}

fn which(artifact: &ArtifactId) -> u8 {
    [NEW, OLD, PART].into_iter().find(|which| self::artifact(*which) == *artifact).unwrap()
}

/// An entry of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Said {
    Pinned(u8),
    Made(u8),
    Unneeded(u8),
    Needed(u8),
    Releasing(u8),
    Released(u8),
    Run(bool),
}

impl Said {
    fn event(self) -> Option<Event> {
        Some(match self {
            Self::Pinned(which) => Event::Pinned { artifact: artifact(which) },
            Self::Made(which) => Event::PinMade { artifact: artifact(which) },
            Self::Unneeded(which) => Event::PinUnneeded { artifact: artifact(which) },
            Self::Needed(which) => Event::PinNeeded { artifact: artifact(which) },
            Self::Releasing(which) => Event::PinReleasing { artifact: artifact(which) },
            Self::Released(which) => Event::PinReleased { artifact: artifact(which) },
            Self::Run(_) => return None,
        })
    }
}

/// Where the release is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Release {
    Idle,
    /// It decided that these go.
    Decided(Vec<u8>),
    /// Production was asked again, and what goes is on record.
    Intended(Vec<u8>),
    /// It removed one, and did not record that yet: the rest is left.
    Removing(u8, Vec<u8>),
    /// It is to make these again, in this order.
    Back(Vec<u8>),
    Done,
    Crashed,
}

/// Where the other writer is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Other {
    Idle,
    /// It looked: how much of the ledger it knew, whether the old one is needed, and what it is to pin.
    Looked {
        knew: usize,
        needed: bool,
        open: Vec<u8>,
        made: Vec<u8>,
    },
    Done,
}

/// What is not as it should be before anything may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Lacks {
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

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    lacks: Lacks,
    log: Vec<Said>,
    pins: [bool; 3],
    /// Whether production runs the old one, and whether it did when it was asked for the last time.
    back: bool,
    asked_last: Option<bool>,
    release: Release,
    other: Other,
    tried: Vec<u8>,
    removed: bool,
    losses: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Act {
    GoBack,
    Decide,
    Ask,
    /// Production cannot be asked.
    AskInVain,
    Remove,
    /// It is carried out, and the answer is lost.
    RemoveUnheard,
    Record,
    LookBack,
    LookBackInVain,
    PinAgain,
    Crash,
    OtherLooks,
    OtherPins,
    OtherCommits,
}

impl World {
    fn new(lacks: Lacks) -> Self {
        let mut log = Vec::new();
        if lacks != Lacks::Ours {
            log.extend([Said::Made(OLD), Said::Made(PART)]);
        }
        log.extend([Said::Pinned(NEW), Said::Pinned(OLD), Said::Unneeded(OLD), Said::Unneeded(PART)]);
        log.push(Said::Run(lacks != Lacks::Earlier));
        Self {
            lacks,
            log,
            pins: [lacks != Lacks::Target, true, true],
            back: false,
            asked_last: None,
            release: Release::Idle,
            other: Other::Idle,
            tried: Vec::new(),
            removed: false,
            losses: 1,
        }
    }

    fn state(&self, until: usize) -> RepositoryState {
        let mut state = RepositoryState::default();
        for (at, said) in self.log[..until].iter().enumerate() {
            if let Some(event) = said.event() {
                state.apply(Mark { sequence: at as u64 + 1, at: Timestamp::UNIX_EPOCH }, &event);
            }
        }
        state
    }

    fn now(&self) -> RepositoryState {
        self.state(self.log.len())
    }

    /// As the ledger takes it: what another writer said before means what it means after that.
    fn commit(&mut self, said: impl IntoIterator<Item = Said>) {
        for said in said {
            let kept = said.event().is_none_or(|event| rebase(event, &self.now()).is_some());
            if kept {
                self.log.push(said);
            }
        }
    }

    /// What the program's law lets go, in its order.
    fn decide(&self) -> Vec<u8> {
        let state = self.now();
        let run = |(at, said): (usize, &Said)| match said {
            Said::Run(complete) => Some(EarlierRun {
                sequence: at as u64 + 1,
                finished: Timestamp::UNIX_EPOCH,
                complete: *complete,
                covers: true,
            }),
            _ => None,
        };
        let earlier: Vec<EarlierRun> = self.log.iter().enumerate().rev().filter_map(run).collect();
        let target = artifact(NEW);
        let run = RunFacts {
            now: Timestamp::UNIX_EPOCH,
            grace: SignedDuration::ZERO,
            newest: None,
            gap: (self.lacks == Lacks::Gap).then_some("a tag could not be read"),
            earlier: &earlier,
            targets: 1,
            unprotected: (!self.pins[usize::from(NEW)]).then_some(&target),
            leaving: false,
        };
        let mut going = Vec::new();
        for which in [OLD, PART] {
            let (id, owner) = (artifact(which), artifact(OLD));
            let pin = if self.pins[usize::from(which)] { PinState::Present } else { PinState::Absent };
            let left = match which {
                OLD if self.lacks == Lacks::Tag => LastReference::Nothing,
                OLD => LastReference::Tag("v1.0.0".parse().unwrap()),
                _ => LastReference::Part,
            };
            let owned = which == PART && self.pins[usize::from(OLD)] && !going.contains(&OLD);
            let facts = PinFacts {
                unneeded: state.unneeded.get(&id).copied(),
                needed: self.back,
                ours: state.made.contains_key(&id),
                pin: &pin,
                part_of: owned.then_some(&owner),
                left: &left,
                removal: &PinRemoval::Untag { leaves_untagged: true },
                worse: None,
            };
            if grounds(&run, &facts).is_empty() {
                going.push(which);
            }
        }
        going
    }

    fn make_again(&mut self, needed: NeededNow<'_>) {
        let tried: Vec<ArtifactId> = self.tried.iter().map(|which| artifact(*which)).collect();
        let again: Vec<u8> = to_make_again(&tried, needed).iter().map(which).collect();
        self.release = if again.is_empty() { Release::Done } else { Release::Back(again) };
    }

    fn of_release(&mut self, act: &Act) -> Option<()> {
        match (act, self.release.clone()) {
            (Act::Decide, Release::Idle) => self.release = Release::Decided(self.decide()),
            (Act::Ask, Release::Decided(going)) if !self.back => {
                self.commit(going.iter().map(|which| Said::Releasing(*which)));
                self.release = Release::Intended(going);
            }
            (Act::Ask | Act::AskInVain, Release::Decided(_)) => self.release = Release::Done,
            (Act::Remove | Act::RemoveUnheard, Release::Intended(mut going)) if !going.is_empty() => {
                let next = going.remove(0);
                if !may_still_go(&self.now(), &artifact(next)) {
                    self.release = Release::Intended(Vec::new());
                    return Some(());
                }
                if *act == Act::RemoveUnheard {
                    self.losses = self.losses.checked_sub(1)?;
                }
                self.tried.push(next);
                (self.pins[usize::from(next)], self.removed) = (false, true);
                self.release = match act {
                    // After one of which nobody knows none is tried.
                    Act::RemoveUnheard => Release::Intended(Vec::new()),
                    _ => Release::Removing(next, going),
                };
            }
            (Act::Record, Release::Removing(gone, going)) => {
                self.commit([Said::Released(gone)]);
                self.release = Release::Intended(going);
            }
            (Act::LookBack, Release::Intended(going)) if going.is_empty() => {
                self.asked_last = Some(self.back);
                let needed = if self.back { BTreeSet::from([artifact(OLD), artifact(PART)]) } else { BTreeSet::new() };
                self.make_again(NeededNow::These(&needed));
            }
            (Act::LookBackInVain, Release::Intended(going)) if going.is_empty() => {
                self.asked_last = Some(true);
                self.make_again(NeededNow::Unknown);
            }
            (Act::PinAgain, Release::Back(mut again)) => {
                let next = again.remove(0);
                self.pins[usize::from(next)] = true;
                self.commit([Said::Pinned(next), Said::Made(next)]);
                self.release = if again.is_empty() { Release::Done } else { Release::Back(again) };
            }
            (Act::Crash, _) => self.release = Release::Crashed,
            _ => return None,
        }
        Some(())
    }

    fn of_other(&mut self, act: &Act) -> Option<()> {
        match (act, self.other.clone()) {
            (Act::OtherLooks, Other::Idle) => {
                let open = [PART, OLD].into_iter().filter(|which| self.back && !self.pins[usize::from(*which)]);
                let open = open.collect();
                self.other = Other::Looked { knew: self.log.len(), needed: self.back, open, made: Vec::new() };
            }
            (Act::OtherPins, Other::Looked { knew, needed, mut open, mut made }) if !open.is_empty() => {
                let next = open.remove(0);
                self.pins[usize::from(next)] = true;
                made.push(next);
                self.other = Other::Looked { knew, needed, open, made };
            }
            (Act::OtherCommits, Other::Looked { knew, needed, open, made }) if open.is_empty() => {
                let knew = self.state(knew);
                for which in [OLD, PART].into_iter().filter(|_| needed) {
                    self.commit(knew.unneeded.contains_key(&artifact(which)).then_some(Said::Needed(which)));
                }
                let found = needed && !knew.misses_pin(&artifact(OLD));
                self.commit(found.then_some(Said::Pinned(OLD)));
                self.commit(made.into_iter().flat_map(|which| [Said::Pinned(which), Said::Made(which)]));
                self.other = Other::Done;
            }
            _ => return None,
        }
        Some(())
    }
}

struct Releases;

impl Model for Releases {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        let all = [Lacks::Nothing, Lacks::Ours, Lacks::Target, Lacks::Earlier, Lacks::Gap, Lacks::Tag];
        all.map(World::new).to_vec()
    }

    fn actions(&self, world: &World, actions: &mut Vec<Act>) {
        if !world.back {
            actions.push(Act::GoBack);
        }
        if !matches!(world.release, Release::Done | Release::Crashed) {
            actions.extend([Act::Decide, Act::Ask, Act::AskInVain, Act::Remove, Act::RemoveUnheard, Act::Record]);
            actions.extend([Act::LookBack, Act::LookBackInVain, Act::PinAgain, Act::Crash]);
        }
        actions.extend([Act::OtherLooks, Act::OtherPins, Act::OtherCommits]);
    }

    fn next_state(&self, world: &World, act: Act) -> Option<World> {
        let mut next = world.clone();
        match act {
            Act::GoBack => next.back = true,
            Act::OtherLooks | Act::OtherPins | Act::OtherCommits => next.of_other(&act)?,
            _ => next.of_release(&act)?,
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("I2 I3 I5: with anything lacking, nothing goes", |_, world: &World| {
                world.lacks == Lacks::Nothing || !world.removed
            }),
            // Where another writer pins at the same time, at the end: a crash in the middle is for the next run to mend.
            Property::always("I5 I26: a part is pinned while what has it is", |_, world: &World| {
                let races = world.other != Other::Idle && world.release != Release::Done;
                races || !world.pins[usize::from(OLD)] || world.pins[usize::from(PART)]
            }),
            Property::always("F92: what production needed at the end is pinned, parts and all", |_, world: &World| {
                let ended = world.release == Release::Done && world.asked_last == Some(true);
                !ended || (world.pins[usize::from(OLD)] && world.pins[usize::from(PART)])
            }),
            Property::always("I1: what runs keeps its pin", |_, world: &World| {
                world.lacks == Lacks::Target || world.pins[usize::from(NEW)]
            }),
            Property::always("I15: a pin that a release took is not called lost", |_, world: &World| {
                let raced = world.release == Release::Crashed && world.other != Other::Idle;
                raced || world.pins[usize::from(OLD)] || !world.now().misses_pin(&artifact(OLD))
                    // Its answer came, and is about to be recorded; that it would go is on record.
                    || world.now().releasing.contains_key(&artifact(OLD))
            }),
            Property::sometimes("pins go", |_, world: &World| {
                world.release == Release::Done && !world.pins[usize::from(OLD)] && !world.pins[usize::from(PART)]
            }),
            Property::sometimes("and come back", |_, world: &World| {
                world.release == Release::Done && world.removed && world.pins[usize::from(OLD)]
            }),
            Property::sometimes("F35: an answer that is lost ends it", |_, world: &World| {
                world.release == Release::Done && world.losses == 0 && world.pins[usize::from(PART)]
            }),
        ]
    }
}

#[test]
fn every_interleaving_of_a_release_keeps_what_is_needed_i1_i2_i3_i5_f35_f92() {
    let checker = Releases.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    assert!(checker.unique_state_count() > 500, "{} states", checker.unique_state_count());
}
