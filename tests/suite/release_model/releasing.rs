//! A release in the model, step by step: what goes is decided by the program's law.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use prodpin::decide::release::{
    EarlierRun, LastReference, NeededNow, PinFacts, RunFacts, grounds, may_still_go, of_intents, to_make_again,
};
use prodpin::model::{ArtifactId, PinRemoval, PinState};

use super::guards::Guard;
use super::log::{NEW, OLD, PART, Said, artifact, run_id, which};
use super::world::{Act, Lacks, Pin, World};

/// Where a release is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Release {
    Idle,
    /// Production was asked again, and these may go.
    Asked(Vec<u8>),
    /// It looked once more, with the log as of a commit, and these go.
    Decided(u8, Vec<u8>),
    /// What goes is on record: these are left.
    Removing(Vec<u8>),
    /// A removal was sent, by what was on record as of a commit.
    Sent(Sent),
    /// One went, and that is not on record yet.
    Gone(u8, Vec<u8>),
    /// It tries no more.
    Ended,
    /// What it did not remove is on record.
    Left,
    /// It makes these again, in this order, and says so in the end.
    Back {
        as_of: u8,
        open: Vec<u8>,
        made: Vec<u8>,
    },
    Done,
    Crashed,
}

/// A removal on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sent {
    pub(super) flight: Flight,
    rest: Vec<u8>,
    landed: bool,
}

/// Which pin it removes, and as of which commit that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flight {
    pub(super) which: u8,
    pub(super) asked: u8,
}

impl World {
    /// What the program's law lets go, in its order; production was asked when the run began.
    fn going(&self) -> Vec<u8> {
        let state = self.log.now();
        let lawless = self.guards.lacks(Guard::Grounds);
        let earlier: Vec<EarlierRun> = self
            .log
            .runs()
            .map(|(commit, complete)| EarlierRun {
                sequence: u64::from(commit),
                finished: Timestamp::UNIX_EPOCH,
                complete,
                covers: true,
            })
            .collect();
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
        for which in [OLD, PART] {
            let (id, owner) = (artifact(which), artifact(OLD));
            let pin = if self.pin(which) == Pin::There { PinState::Present } else { PinState::Absent };
            let left = match which {
                OLD if self.lacks == Lacks::Tag => LastReference::Nothing,
                OLD => LastReference::Tag("v1.0.0".parse().unwrap()),
                _ => LastReference::Part,
            };
            let owned = which == PART && self.pin(OLD) == Pin::There && !going.contains(&OLD);
            let facts = PinFacts {
                unneeded: state.unneeded.get(&id).copied(),
                needed: false,
                ours: state.made.contains_key(&id),
                pin: &pin,
                part_of: owned.then_some(&owner),
                left: &left,
                removal: &PinRemoval::Untag { leaves_untagged: true },
                worse: None,
            };
            if (lawless && pin == PinState::Present) || grounds(&run, &facts).is_empty() {
                going.push(which);
            }
        }
        going
    }

    /// Whether the program's law lets this one go right now.
    fn may_go(&self, run: u8, which: u8) -> bool {
        let state = self.log.now();
        let id = artifact(which);
        if self.guards.lacks(Guard::Intends) || self.guards.lacks(Guard::Permit) || self.guards.lacks(Guard::Grounds) {
            return true;
        }
        match self.guards.lacks(Guard::Exclusive) {
            true => [1, 2].iter().any(|run| may_still_go(&state, &id, &run_id(*run))),
            false => may_still_go(&state, &id, &run_id(run)),
        }
    }

    pub(super) fn of_release(&mut self, at: usize, act: Act) -> Option<()> {
        let run = at as u8 + 1;
        let next = match (act, self.releases[at].clone()) {
            (Act::Ask(_), Release::Idle) => {
                // Its own first look, as any run's: what another one set out to do it ends.
                let state = self.log.now();
                let ends = of_intents(&state, |id| self.back && [OLD, PART].contains(&which(id)));
                let ends: Vec<Said> = ends.iter().map(Said::of).collect();
                self.commit(run, self.log.commits, ends);
                self.asked_first |= self.back;
                match self.back && !self.guards.lacks(Guard::AsksFirst) {
                    true => Release::Done,
                    false => Release::Asked(self.going()),
                }
            }
            (Act::AskInVain(_), Release::Idle) => Release::Done,
            (Act::Decide(_), Release::Asked(before)) if !self.must_arrive_first(&self.log.now()) => {
                let going = self.going().into_iter().filter(|which| before.contains(which)).collect();
                Release::Decided(self.log.commits, going)
            }
            (Act::Intend(_), Release::Decided(as_of, going)) => {
                if !self.guards.lacks(Guard::Intends) {
                    self.commit(run, as_of, going.iter().map(|which| Said::Releasing(*which, run)));
                }
                self.meant[at].clone_from(&going);
                Release::Removing(going)
            }
            (Act::Send(_), Release::Removing(rest)) => match rest.split_first() {
                Some((which, rest)) if self.may_go(run, *which) => {
                    self.tried[at].push(*which);
                    let flight = Flight { which: *which, asked: self.log.commits };
                    Release::Sent(Sent { flight, rest: rest.to_vec(), landed: false })
                }
                _ => Release::Ended,
            },
            (Act::Land(_), Release::Sent(sent)) if !sent.landed => {
                self.land(sent.flight.which);
                Release::Sent(Sent { landed: true, ..sent })
            }
            (Act::Hear(_), Release::Sent(Sent { flight, rest, landed: true })) => Release::Gone(flight.which, rest),
            // After one of which nobody knows none is tried. It may be on its way still.
            (Act::Unheard(_), Release::Sent(Sent { flight, landed, .. })) => {
                self.losses = self.losses.checked_sub(1)?;
                self.flights.extend((!landed).then_some(flight));
                self.unheard[at].push(flight.which);
                Release::Ended
            }
            (Act::Record(_), Release::Gone(which, rest)) => {
                // What the ledger holds this against is its owner.
                self.commit(run, self.log.commits, [Said::Released(which)]);
                Release::Removing(rest)
            }
            (Act::Leave(_), Release::Ended) => {
                let state = self.log.now();
                let own =
                    state.releasing.iter().filter(|(_, intent)| intent.is_of(&run_id(run)) && intent.is_in_force());
                let own: Vec<Said> = own.map(|(id, _)| Said::Revoked(which(id))).collect();
                self.commit(run, self.log.commits, own);
                Release::Left
            }
            (Act::LookBack(_) | Act::LookBackInVain(_), Release::Left) if self.must_arrive_first(&self.log.now()) => {
                return None;
            }
            (Act::LookBack(_), Release::Left) => {
                self.asked_last[at] = Some(self.back);
                let needed = if self.back { BTreeSet::from([artifact(OLD), artifact(PART)]) } else { BTreeSet::new() };
                self.back_to(at, NeededNow::These(&needed))
            }
            (Act::LookBackInVain(_), Release::Left) => {
                self.asked_last[at] = Some(true);
                self.back_to(at, NeededNow::Unknown)
            }
            (Act::PinAgain(_), Release::Back { as_of, mut open, mut made }) if !open.is_empty() => {
                let next = open.remove(0);
                self.pins[usize::from(next)] = Pin::There;
                made.push(next);
                Release::Back { as_of, open, made }
            }
            (Act::RecordAgain(_), Release::Back { as_of, open, made }) if open.is_empty() => {
                // Of what it had no answer about it does not say that it is there for good, and of what it did not try not whose
                // it is.
                let (tried, unheard) = (self.tried[at].clone(), self.unheard[at].clone());
                let pinned = tried.iter().filter(|which| !unheard.contains(which)).map(|which| Said::Pinned(*which));
                let said: Vec<Said> = pinned.chain(tried.iter().map(|which| Said::Made(*which))).collect();
                self.commit(run, as_of, said.into_iter().filter(|_| !made.is_empty()));
                Release::Done
            }
            (Act::Crash(_), release) => {
                if let Release::Sent(Sent { flight, landed: false, .. }) = release {
                    self.flights.push(flight);
                }
                Release::Crashed
            }
            _ => return None,
        };
        self.releases[at] = next;
        Some(())
    }

    fn back_to(&self, at: usize, needed: NeededNow<'_>) -> Release {
        let meant: Vec<ArtifactId> = self.meant[at].iter().map(|which| artifact(*which)).collect();
        let mut open: Vec<u8> = to_make_again(&meant, needed).iter().map(which).collect();
        if self.guards.lacks(Guard::PartsFirst) {
            open.reverse();
        }
        if self.tried[at].is_empty() || open.is_empty() || self.guards.lacks(Guard::LooksBack) {
            return Release::Done;
        }
        Release::Back { as_of: self.log.commits, open, made: Vec::new() }
    }

    /// Removals that were sent and are not carried out yet.
    pub(super) fn on_their_way(&self) -> impl Iterator<Item = Flight> {
        let sent = self.releases.iter().filter_map(|release| match release {
            Release::Sent(sent) if !sent.landed => Some(sent.flight),
            _ => None,
        });
        sent.chain(self.flights.iter().copied())
    }

    pub(super) fn land(&mut self, which: u8) {
        let pin = &mut self.pins[usize::from(which)];
        if *pin == Pin::There {
            (*pin, self.removed) = (Pin::GoneByRelease, true);
        }
    }
}
