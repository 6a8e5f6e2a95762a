//! A release in the model, step by step: what goes is decided by the program's law.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use prodpin::decide::release::{
    EarlierRun, LastReference, NeededNow, PinFacts, RunFacts, grounds, may_still_go, of_taken_over, to_make_again,
};
use prodpin::model::{ArtifactId, Event, PinRemoval, PinState};

use super::guards::Guard;
use super::log::{NEW, OLD, PART, artifact, run_id, state, which};
use super::other::Other;
use super::world::{Act, Lacks, Pin, World};

/// Where a release is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Release {
    Idle,
    /// It took over what another one set out to remove, and waits until nothing is on its way that removes that.
    Waits([bool; 2]),
    /// Production was asked again, and these may go.
    Asked(Vec<u8>),
    /// It looked once more, with the log as of a commit, and these go.
    Decided(u8, Vec<u8>),
    /// What goes is on record: these are left.
    Removing(Vec<u8>),
    /// A removal was sent, by what was on record.
    Sent(Sent),
    /// One went, and that is not on record yet.
    Gone(u8, Vec<u8>),
    /// It tries no more.
    Ended,
    /// It makes these again, in this order, once nothing is on its way that removes them.
    Back(Vec<u8>),
    /// It is at it, with the log as of a commit.
    Puts {
        as_of: u8,
        open: Vec<u8>,
        made: Vec<u8>,
    },
    /// What it did not try is to be on record.
    Leaves,
    Done,
    Crashed,
}

/// A removal on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Sent {
    pub(super) which: u8,
    rest: Vec<u8>,
    pub(super) landed: bool,
}

impl Release {
    pub(super) fn as_of(&mut self) -> Option<&mut u8> {
        match self {
            Self::Decided(as_of, ..) | Self::Puts { as_of, .. } => Some(as_of),
            _ => None,
        }
    }
}

impl World {
    /// Whether it is known to every run that pins that nothing needs this: the time is over in which one may go on that does not.
    fn is_known(&self, which: u8) -> bool {
        let at = usize::from(which.min(PART));
        let now = self.log.words[at].unneeded;
        let knows = |other: &Other| match other {
            Other::Pinning { seen, open, .. } => open.is_empty() || seen.knows[at].unneeded == now,
            _ => true,
        };
        self.guards.lacks(Guard::Known) || self.others.iter().all(knows)
    }

    /// What the program's law lets go, in its order; production was asked when the run began.
    fn going(&self) -> Vec<u8> {
        let state = state(&self.log.words);
        let lawless = self.guards.lacks(Guard::Grounds);
        let complete = self.lacks != Lacks::Earlier;
        let earlier = [EarlierRun { sequence: 1_000, finished: Timestamp::UNIX_EPOCH, complete, covers: true }];
        let target = artifact(NEW);
        let run = RunFacts {
            now: Timestamp::UNIX_EPOCH,
            grace: SignedDuration::ZERO,
            newest: None,
            gap: (self.lacks == Lacks::Gap).then_some("a tag could not be read"),
            earlier: &earlier,
            targets: 1,
            unprotected: (self.pin(NEW) != Pin::There).then_some(&target),
            leaving: false,
        };
        let mut going = Vec::new();
        for which in [OLD, PART, NEW] {
            let (id, owner) = (artifact(which), artifact(OLD));
            let pin = self.pin_state(which);
            let left = match which {
                OLD if self.lacks == Lacks::Tag => LastReference::Nothing,
                PART => LastReference::Part,
                _ => LastReference::Tag("v1.0.0".parse().unwrap()),
            };
            let owned = which == PART && self.pin(OLD) == Pin::There && !going.contains(&OLD);
            let facts = PinFacts {
                unneeded: state.unneeded.get(&id).copied(),
                needed: which == NEW,
                ours: state.made.contains_key(&id),
                releasing: state.releasing.contains_key(&id),
                pin: &pin,
                part_of: owned.then_some(&owner),
                left: &left,
                removal: &PinRemoval::Untag { leaves_untagged: true },
                worse: None,
            };
            let may_go = grounds(&run, &facts).is_empty() && self.is_known(which);
            if may_go || (lawless && pin == PinState::Present) {
                going.push(which);
            }
        }
        going
    }

    /// Whether the program's law lets this one go right now.
    fn may_go(&self, run: u8, which: u8) -> bool {
        let without = [Guard::Intends, Guard::Permit, Guard::Grounds];
        without.into_iter().any(|guard| self.guards.lacks(guard))
            || may_still_go(&state(&self.log.words), &artifact(which), &run_id(run))
    }

    /// Says that these are needed; which of them may be removed at this moment is seen by what is on record before.
    fn says_needed(&mut self, run: u8, of: &[u8]) {
        let needed = of.iter().map(|which| Event::PinNeeded { artifact: artifact(*which) });
        self.log.commit(self.guards, run, self.log.commits, needed);
    }

    pub(super) fn of_release(&mut self, at: usize, act: Act) -> Option<()> {
        let run = at as u8 + 1;
        let next = match (act, self.releases[at].clone()) {
            (Act::TakeOver(_), Release::Idle) => self.takes_over(run)?,
            (Act::Waited(_), Release::Waits(of)) if !self.is_on_its_way(of) || self.guards.lacks(Guard::TakesOver) => {
                // It looks at what it took over: the other one may have removed it.
                let of = [OLD, PART].into_iter().filter(|which| of[usize::from(*which)]);
                let said = of.filter_map(|which| of_taken_over(&artifact(which), &self.pin_state(which)));
                self.log.commit(self.guards, run, self.log.commits, said.collect::<Vec<_>>());
                self.asks()
            }
            (Act::Ask(_), Release::Idle) if !self.has_intents() => self.asks(),
            (Act::AskInVain(_), Release::Idle) => Release::Done,
            (Act::Decide(_), Release::Asked(before)) => {
                let going = self.going().into_iter().filter(|which| before.contains(which)).collect();
                Release::Decided(self.log.commits, going)
            }
            (Act::Intend(_), Release::Decided(as_of, going)) => {
                if !self.guards.lacks(Guard::Intends) {
                    self.says_releasing(run, as_of, &going);
                }
                self.meant[at].clone_from(&going);
                Release::Removing(going)
            }
            (Act::Send(_), Release::Removing(rest)) => match rest.split_first() {
                Some((which, rest)) if self.may_go(run, *which) => {
                    self.tried[at].push(*which);
                    Release::Sent(Sent { which: *which, rest: rest.to_vec(), landed: false })
                }
                _ => Release::Ended,
            },
            (Act::Land(_), Release::Sent(sent)) if !sent.landed => {
                self.land(sent.which);
                Release::Sent(Sent { landed: true, ..sent })
            }
            (Act::Hear(_), Release::Sent(Sent { which, rest, landed: true })) => Release::Gone(which, rest),
            // After one of which nobody knows none is tried. It may be on its way still.
            (Act::Unheard(_), Release::Sent(Sent { which, landed, .. })) => {
                self.losses = self.losses.checked_sub(1)?;
                self.flights.extend((!landed).then_some(which));
                Release::Ended
            }
            (Act::Record(_), Release::Gone(which, rest)) => {
                // What the ledger holds this against is its owner.
                self.log.commit(self.guards, run, 0, [Event::PinReleased { artifact: artifact(which) }]);
                Release::Removing(rest)
            }
            (Act::LookBack(_), Release::Ended) => self.looks_back(at, run, true),
            (Act::LookBackInVain(_), Release::Ended) => self.looks_back(at, run, false),
            (Act::Recall(_), Release::Back(open))
                if !self.is_on_its_way([OLD, PART].map(|which| open.contains(&which)))
                    || self.guards.lacks(Guard::Arrives) =>
            {
                Release::Puts { as_of: self.log.commits, open, made: Vec::new() }
            }
            (Act::PinAgain(_), Release::Puts { as_of, mut open, mut made }) if !open.is_empty() => {
                let next = open.remove(0);
                self.pins[usize::from(next)] = Pin::There;
                made.push(next);
                Release::Puts { as_of, open, made }
            }
            (Act::Record(_), Release::Puts { as_of, open, made }) if open.is_empty() => {
                let pinned = made.iter().map(|which| Event::Pinned { artifact: artifact(*which) });
                let is_made = made.iter().map(|which| Event::PinMade { artifact: artifact(*which) });
                self.log.commit(self.guards, run, as_of, pinned.chain(is_made).collect::<Vec<_>>());
                Release::Leaves
            }
            (Act::Leave(_), Release::Leaves) => {
                self.leaves(at, run);
                Release::Done
            }
            (Act::Crash(_), release) => {
                if let Release::Sent(Sent { which, landed: false, .. }) = release {
                    self.flights.push(which);
                }
                Release::Crashed
            }
            _ => return None,
        };
        self.releases[at] = next;
        Some(())
    }

    fn has_intents(&self) -> bool {
        self.log.words.iter().any(|word| word.intent.is_some())
    }

    fn pin_state(&self, which: u8) -> PinState {
        if self.pin(which) == Pin::There { PinState::Present } else { PinState::Absent }
    }

    fn says_releasing(&mut self, run: u8, as_of: u8, of: &[u8]) {
        let by = Some(run_id(run));
        let events = of.iter().map(|which| Event::PinReleasing { artifact: artifact(*which), by: by.clone() });
        self.log.commit(self.guards, run, as_of, events.collect::<Vec<_>>());
    }

    /// What another one set out to remove, and did not say what came of it, is its own from here on.
    fn takes_over(&mut self, run: u8) -> Option<Release> {
        let of = [OLD, PART].map(|which| self.log.words[usize::from(which)].intent.is_some());
        if of == [false; 2] {
            return None;
        }
        let taken: Vec<u8> = [OLD, PART].into_iter().filter(|which| of[usize::from(*which)]).collect();
        self.says_releasing(run, self.log.commits, &taken);
        Some(Release::Waits(of))
    }

    /// Production is asked right before, and it goes on with what may go, if anything.
    fn asks(&mut self) -> Release {
        self.asked_first |= self.back && self.releases.len() == 1;
        let going = self.going();
        match (self.back && !self.guards.lacks(Guard::AsksFirst)) || going.is_empty() {
            true => Release::Done,
            false => Release::Asked(going),
        }
    }

    /// Production is asked, and the log read: what is needed is to be there, parts and all.
    fn looks_back(&mut self, at: usize, run: u8, answered: bool) -> Release {
        let meant: Vec<ArtifactId> = self.meant[at].iter().map(|which| artifact(*which)).collect();
        self.asked_last[at] = Some(self.back || !answered);
        let revoked = [OLD, PART].into_iter().filter(|which| {
            let intent = self.log.words.get(usize::from(*which)).and_then(|word| word.intent);
            intent.is_some_and(|intent| intent.revoked.is_some())
        });
        let back = [OLD, PART].into_iter().filter(|_| self.back);
        let needed: BTreeSet<ArtifactId> = revoked.chain(back).map(artifact).collect();
        let needed = if answered { NeededNow::These(&needed) } else { NeededNow::Unknown };
        let mut open: Vec<u8> = to_make_again(&meant, needed).iter().map(which).collect();
        if self.guards.lacks(Guard::PartsFirst) {
            open.reverse();
        }
        if self.tried[at].is_empty() || open.is_empty() || self.guards.lacks(Guard::LooksBack) {
            self.leaves(at, run);
            return Release::Done;
        }
        self.says_needed(run, &open);
        Release::Back(open)
    }

    /// Of what it set out to remove and did not try it says so.
    fn leaves(&mut self, at: usize, run: u8) {
        let left = self.meant[at].iter().filter(|which| !self.tried[at].contains(which));
        let left: Vec<Event> = left.map(|which| Event::PinReleaseEnded { artifact: artifact(*which) }).collect();
        self.log.commit(self.guards, run, 0, left);
    }

    /// Removals that were sent and are not carried out yet.
    pub(super) fn on_their_way(&self) -> impl Iterator<Item = u8> {
        let sent = self.releases.iter().filter_map(|release| match release {
            Release::Sent(sent) if !sent.landed => Some(sent.which),
            _ => None,
        });
        sent.chain(self.flights.iter().copied()).filter(|which| *which < NEW)
    }

    pub(super) fn land(&mut self, which: u8) {
        let pin = &mut self.pins[usize::from(which)];
        if *pin == Pin::There {
            (*pin, self.removed) = (Pin::GoneByRelease, true);
        }
    }
}
