//! Another run in the model, one that pins or an audit: what it records of pins is decided by the program.

use prodpin::decide::release::{SeenPin, calls_lost, of_gone, of_intents, of_target};
use prodpin::model::{Event, RepositoryState};

use super::guards::Guard;
use super::log::{OLD, PART, Said, artifact, which};
use super::world::{Act, Pin, World};

/// What it knows and saw.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Seen {
    /// As of which commit it recalled the log.
    as_of: u8,
    /// How many entries it knows by now.
    knew: usize,
    /// Whether production ran the old one when it was asked.
    needed: bool,
    pins: [Pin; 3],
    /// Whether it looked again, having ended intents.
    again: bool,
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Other {
    Idle,
    /// It asked production and recalled the log.
    Begun(Seen),
    Looked(Seen),
    /// It pins what it misses.
    Pinning {
        seen: Seen,
        open: Vec<u8>,
        made: Vec<u8>,
    },
    /// What it records, and its report says.
    Judged {
        as_of: u8,
        said: Vec<Said>,
    },
    Done,
}

impl World {
    fn run_of(&self, at: usize) -> u8 {
        (self.releases.len() + at) as u8 + 1
    }

    /// What the program records of such a look.
    fn events(state: &RepositoryState, seen: &Seen, made: &[u8]) -> Vec<Event> {
        let is_there = |which: u8| seen.pins[usize::from(which)] == Pin::There;
        let mut events = Vec::new();
        if seen.needed {
            let made = made.contains(&OLD);
            let look = SeenPin { was_absent: !is_there(OLD), is_present: is_there(OLD) || made, made, attempted: made };
            events.extend(of_target(state, &artifact(OLD), look));
        }
        events.extend(made.contains(&PART).then(|| Event::PinMade { artifact: artifact(PART) }));
        events.extend(of_intents(state, |id| seen.needed && [OLD, PART].contains(&which(id))));
        events.extend(of_gone(state, |id| {
            let which = which(id);
            !is_there(which) && !made.contains(&which) && !(seen.needed && which == OLD)
        }));
        events
    }

    /// What it makes of its look, the log read again where it would call a pin lost.
    fn judged(&self, seen: &mut Seen, made: &[u8]) -> Vec<Event> {
        let events = Self::events(&self.log.state(seen.knew), seen, made);
        if !calls_lost(&events) || self.guards.lacks(Guard::Rereads) {
            return events;
        }
        seen.knew = self.log.entries.len();
        Self::events(&self.log.now(), seen, made)
    }

    /// Whether it ends intents that it met, or heard of removals that may be newer than its look, and looks again before it pins
    /// anything.
    fn ends_first(&self, seen: &Seen, knew: usize) -> bool {
        let (before, now) = (self.log.state(knew), self.log.state(seen.knew));
        let removals = before.releasing != now.releasing || before.released != now.released;
        let heard = removals || before.pinned != now.pinned || before.made != now.made;
        let in_force = now.intents_in_force().next().is_some();
        ((self.pinning && in_force) || heard) && !seen.again && !self.guards.lacks(Guard::EndsFirst)
    }

    /// Whether a removal is on its way that was sent before a word on record that it is to end, which is known here.
    pub(super) fn must_arrive_first(&self, state: &RepositoryState) -> bool {
        let is_before = |flight: super::releasing::Flight| {
            let intent = state.releasing.get(&artifact(flight.which));
            let revoked = intent.and_then(|intent| intent.revoked);
            revoked.is_some_and(|revoked| u64::from(flight.asked) < revoked.sequence)
        };
        !self.guards.lacks(Guard::Arrives) && self.on_their_way().any(is_before)
    }

    pub(super) fn of_other(&mut self, at: usize, act: Act) -> Option<()> {
        let run = self.run_of(at);
        let next = match (act, self.others[at].clone()) {
            (Act::Begin(_), Other::Idle) => Other::Begun(Seen {
                as_of: self.log.commits,
                knew: self.log.entries.len(),
                needed: self.back,
                pins: self.pins,
                again: false,
            }),
            (Act::Look(_), Other::Begun(seen)) if !self.must_arrive_first(&self.log.state(seen.knew)) => {
                Other::Looked(Seen { pins: self.pins, ..seen })
            }
            (Act::Judge(_), Other::Looked(mut seen)) => {
                let before = seen.knew;
                self.judged(&mut seen, &[]);
                if self.ends_first(&seen, before) {
                    return None;
                }
                let missed = |which: &u8| self.pinning && seen.needed && seen.pins[usize::from(*which)] != Pin::There;
                let open = [PART, OLD].into_iter().filter(missed).collect();
                Other::Pinning { seen, open, made: Vec::new() }
            }
            (Act::EndIntents(_), Other::Looked(mut seen)) => {
                let before = seen.knew;
                let events = self.judged(&mut seen, &[]);
                if !self.ends_first(&seen, before) {
                    return None;
                }
                let ends = |event: &&Event| matches!(event, Event::PinNeeded { .. } | Event::PinReleaseRevoked { .. });
                let ends: Vec<Said> = events.iter().filter(ends).map(Said::of).collect();
                self.commit(run, seen.as_of, ends);
                Other::Begun(Seen { knew: self.log.entries.len(), again: true, ..seen })
            }
            (Act::Pin(_), Other::Pinning { seen, mut open, mut made }) if !open.is_empty() => {
                let next = open.remove(0);
                self.pins[usize::from(next)] = Pin::There;
                made.push(next);
                Other::Pinning { seen, open, made }
            }
            (Act::JudgeAgain(_), Other::Pinning { mut seen, open, made }) if open.is_empty() => {
                let events = self.judged(&mut seen, &made);
                let called = events.contains(&Event::PinLost { artifact: artifact(OLD) });
                let gone = seen.pins[usize::from(OLD)];
                self.false_loss |= called && gone == Pin::GoneByRelease;
                let missable = seen.needed && self.log.state(seen.knew).misses_pin(&artifact(OLD));
                self.missed_loss |= missable && !called && gone == Pin::GoneByStranger;
                Other::Judged { as_of: seen.as_of, said: events.iter().map(Said::of).collect() }
            }
            (Act::Commit(_), Other::Judged { as_of, said }) => {
                self.commit(run, as_of, said);
                Other::Done
            }
            _ => return None,
        };
        self.others[at] = next;
        Some(())
    }
}
