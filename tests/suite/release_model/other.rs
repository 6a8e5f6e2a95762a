//! Another run in the model, one that pins or an audit: what it records of pins is decided by the program.

use std::collections::{BTreeMap, BTreeSet};

use prodpin::decide::release::{SeenPin, calls_lost, in_doubt, leave_to_releases, of_gone, of_part, of_target};
use prodpin::model::{ArtifactId, Event, Intent};

use super::guards::Guard;
use super::log::{Intended, OLD, PART, Said, Word, Words, artifact, state, which, words};
use super::world::{Act, OTHERS, Pin, World};

/// What it knows and saw.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Seen {
    /// As of which commit it recalled the log before it looked.
    pub(super) as_of: u8,
    /// As of which it read it last.
    pub(super) heard: u8,
    pub(super) knows: Words,
    /// Whether it needs the old one.
    needed: bool,
    /// Whether it read the log since it is on record that nothing needs the old ones.
    told: bool,
    pins: [Pin; 2],
    /// Of which intents it waited until nothing that removes these pins was on its way.
    pub(super) waited: [Option<Intended>; 2],
    looks: u8,
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Other {
    Idle,
    /// It asked production and recalled the log.
    Begun(Seen),
    Looked(Seen),
    /// It looks again, once nothing is on its way that removes these.
    Again(Seen, [bool; 2]),
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

impl Other {
    /// As of which commits it knows the log.
    pub(super) fn commits(&mut self) -> Vec<&mut u8> {
        match self {
            Self::Judged { as_of, .. } => vec![as_of],
            other => other.seen().into_iter().flat_map(|seen| [&mut seen.as_of, &mut seen.heard]).collect(),
        }
    }

    /// What it knows, while that is of interest.
    pub(super) fn seen(&mut self) -> Option<&mut Seen> {
        match self {
            Self::Begun(seen) | Self::Looked(seen) | Self::Again(seen, _) => Some(seen),
            Self::Pinning { seen, .. } => Some(seen),
            Self::Idle | Self::Judged { .. } | Self::Done => None,
        }
    }
}

/// So often it looks.
const LOOKS: u8 = 3;

fn ids(of: [bool; 2]) -> BTreeSet<ArtifactId> {
    [OLD, PART].into_iter().filter(|which| of[usize::from(*which)]).map(artifact).collect()
}

impl Seen {
    /// It with every word in another form.
    pub(super) fn renumber(&mut self, of_word: impl Fn(Word) -> Word) {
        self.knows = self.knows.map(&of_word);
        self.waited = self.waited.map(|intent| of_word(Word { intent, ..Word::default() }).intent);
    }

    fn is_there(&self, which: u8) -> bool {
        self.pins[usize::from(which)] == Pin::There
    }

    fn needs(&self) -> BTreeSet<ArtifactId> {
        ids([self.needed; 2])
    }

    /// What the program records of such a look.
    fn events(&self, made: &[u8]) -> Vec<Event> {
        let state = state(&self.knows);
        let mut events = Vec::new();
        if self.needed {
            let is_made = made.contains(&OLD);
            let there = self.is_there(OLD);
            let look = SeenPin { was_absent: !there, is_present: there || is_made, made: is_made, attempted: is_made };
            events.extend(of_target(&state, &artifact(OLD), look));
            let is_made = made.contains(&PART);
            let there = self.is_there(PART) || is_made;
            events.extend(there.then(|| of_part(&state, &artifact(PART), is_made)).flatten());
        }
        let needed = self.needs();
        let back = state.unneeded.keys().filter(|id| needed.contains(*id));
        events.extend(back.map(|id| Event::PinNeeded { artifact: id.clone() }));
        events.extend(of_gone(&state, |id| {
            let which = which(id);
            let is_target = self.needed && which == OLD;
            !(self.is_there(which) || made.contains(&which) || is_target)
        }));
        events
    }

    /// What of it it records.
    fn said(&self, made: &[u8]) -> Vec<Event> {
        let mut events = self.events(made);
        leave_to_releases(&state(&self.knows), &intents(self.waited), &mut events);
        events
    }

    /// What a release may be removing of what it needs or does not find, and that it did not wait for.
    fn doubts(&self) -> [bool; 2] {
        let doubts = in_doubt(&state(&self.knows), &self.needs(), &self.events(&[]), &intents(self.waited));
        [OLD, PART].map(|which| doubts.contains_key(&artifact(which)))
    }
}

/// These intents, as the program has them.
fn intents(of: [Option<Intended>; 2]) -> BTreeMap<ArtifactId, Intent> {
    let word = |intent| Word { intent, ..Word::default() };
    state(&of.map(word)).releasing
}

impl World {
    /// Whether a removal of one of these is on its way.
    pub(super) fn is_on_its_way(&self, of: [bool; 2]) -> bool {
        self.on_their_way().any(|which| of[usize::from(which)])
    }

    /// Reads the log again; says whether it has other words about pins than were known.
    fn hears(&self, seen: &mut Seen) -> bool {
        if self.guards.lacks(Guard::Rereads) {
            return false;
        }
        let mut state = state(&seen.knows);
        let news = state.hear_of_pins(super::log::state(&self.log.words));
        (seen.knows, seen.heard) = (words(&state), self.log.commits);
        seen.told = self.announced;
        !news.is_empty()
    }

    /// What comes after a look, before anything is pinned.
    fn judged(&mut self, mut seen: Seen) -> Other {
        let pins = self.pinning && seen.needed;
        let open: Vec<u8> = [PART, OLD].into_iter().filter(|which| pins && !seen.is_there(*which)).collect();
        let says = |seen: &Seen| -> Vec<Event> {
            let events = seen.events(&[]).into_iter();
            events.filter(|event| pins && matches!(event, Event::PinNeeded { .. })).collect()
        };
        let waits = |seen: &Seen| self.pinning && seen.doubts() != [false; 2];
        let of_interest = !says(&seen).is_empty() || waits(&seen);
        if !open.is_empty() || of_interest || calls_lost(&seen.events(&[])) {
            let heard = self.hears(&mut seen);
            let (needs, doubts) = (says(&seen), seen.doubts());
            let says_first = !needs.is_empty() || waits(&seen);
            if says_first && seen.looks < LOOKS && !self.guards.lacks(Guard::SaysFirst) {
                self.log.commit(self.guards, OTHERS, seen.as_of, needs);
                return Other::Again(seen, doubts);
            }
            if heard && pins && seen.looks < LOOKS {
                return Other::Again(seen, [false; 2]);
            }
        }
        if open.is_empty() { self.ends(seen, Vec::new()) } else { Other::Pinning { seen, open, made: Vec::new() } }
    }

    /// What its report says, and it is about to record.
    fn ends(&mut self, mut seen: Seen, made: Vec<u8>) -> Other {
        if calls_lost(&seen.events(&made)) {
            let recalled = seen.knows;
            self.hears(&mut seen);
            let called = seen.events(&made).contains(&Event::PinLost { artifact: artifact(OLD) });
            let gone = seen.pins[usize::from(OLD)];
            self.lost = u8::from(called || self.lost > 0);
            self.false_loss |= called && gone == Pin::GoneByRelease;
            // Where a word came meanwhile, the next look judges.
            let of_old = |words: &Words| words[usize::from(OLD)];
            let missed = seen.needed && of_old(&recalled) == of_old(&self.log.words);
            self.missed_loss |=
                missed && !called && gone == Pin::GoneByStranger && state(&recalled).misses_pin(&artifact(OLD));
        }
        let has = |which| seen.is_there(which) || made.contains(&which);
        self.relied_on |= seen.needed && self.pinning && seen.told && has(OLD) && has(PART);
        let said: Vec<Said> = seen.said(&made).iter().map(Said::of).collect();
        if said.is_empty() { Other::Done } else { Other::Judged { as_of: seen.as_of, said } }
    }

    pub(super) fn of_other(&mut self, at: usize, act: Act) -> Option<()> {
        let next = match (act, self.others[at].clone()) {
            (Act::Begin(_), Other::Idle) => Other::Begun(Seen {
                as_of: self.log.commits,
                heard: self.log.commits,
                knows: self.log.words,
                needed: self.back || self.by_its_own,
                told: self.announced,
                pins: [Pin::There; 2],
                waited: [None; 2],
                looks: 1,
            }),
            (Act::Look(_), Other::Begun(seen)) => Other::Looked(Seen { pins: [self.pin(OLD), self.pin(PART)], ..seen }),
            (Act::Judge(_), Other::Looked(seen)) => self.judged(seen),
            (Act::Recall(_), Other::Again(seen, doubts))
                if !self.is_on_its_way(doubts) || self.guards.lacks(Guard::Arrives) =>
            {
                Other::Begun(Seen {
                    as_of: self.log.commits,
                    heard: self.log.commits,
                    knows: self.log.words,
                    told: self.announced,
                    pins: [Pin::There; 2],
                    waited: [OLD, PART].map(|which| {
                        let at = usize::from(which);
                        if doubts[at] { seen.knows[at].intent } else { seen.waited[at] }
                    }),
                    looks: seen.looks + 1,
                    ..seen
                })
            }
            (Act::Pin(_), Other::Pinning { seen, mut open, mut made }) if !open.is_empty() => {
                let next = open.remove(0);
                self.pins[usize::from(next)] = Pin::There;
                made.push(next);
                Other::Pinning { seen, open, made }
            }
            (Act::JudgeAgain(_), Other::Pinning { seen, open, made }) if open.is_empty() => self.ends(seen, made),
            (Act::Commit(_), Other::Judged { as_of, said }) => {
                self.log.commit(self.guards, OTHERS, as_of, said.into_iter().map(Said::event));
                Other::Done
            }
            _ => return None,
        };
        self.others[at] = next;
        Some(())
    }
}
