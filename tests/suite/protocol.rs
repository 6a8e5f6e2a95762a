//! The commit protocol as a model, every interleaving of it: two and three writers, crashes, answers that are lost.
//!
//! What the model shares with the code is the protocol: look, restate, write the batch, create the checkpoint only if
//! its number is free, and on a refusal look again. Beside the log stands a cache of what the log says, which each writer
//! leaves there when it is done and an attacker without the key writes as it likes; a commit states what the cache must be.
//! What it leaves out are bytes. `ledger::crashes` and
//! `ledger::writers` hold the code itself to the same properties.

use std::collections::BTreeSet;

use stateright::{Checker, Model, Property};

/// What a tag points at, as somebody saw it: the events of a commit.
type Events = Vec<(u8, u8)>;

/// A commit as its checkpoint names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Commit {
    /// Which batch, by content: who wrote it, in which attempt, saying what.
    batch: (u8, u8, Events),
    /// The number of the commit before, from 1; 0 for the first.
    previous: u8,
    /// What the log says from here on: what a cache as of this commit must be.
    state: Events,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Step {
    /// It knows nothing yet, or its process was just started anew.
    Started,
    /// It has read the log up to here and knows what it would add.
    Restated(u8, Events),
    /// Its batch is in the store.
    Stored(u8, Events),
    /// It created a checkpoint and was reported so, or found nothing to add.
    Done,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    batches: BTreeSet<(u8, u8, Events)>,
    /// What stands under each number: a commit, or a file of somebody else.
    log: Vec<Option<Commit>>,
    /// How often somebody without the key may still take the next number.
    strays: u8,
    steps: Vec<Step>,
    /// How many crashes and lost answers may still come.
    crashes: u8,
    losses: u8,
    /// How often each writer was started.
    attempts: Vec<u8>,
    /// What is stored of the state, and as of how many commits: anybody can write it.
    cache: Option<(u8, Events)>,
    /// How often somebody without the key may still write it.
    forgeries: u8,
    /// Commits whose writer was told that they stand, with their place.
    reported: BTreeSet<(u8, Commit)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Act {
    Look(u8),
    Store(u8),
    Create(u8),
    /// The create takes effect, and its answer is lost; the writer asks what stands there.
    CreateUnheard(u8),
    Crash(u8),
    /// A writer that is done leaves the state as it read it.
    Keep(u8),
    /// Somebody without the key leaves that nothing is known, or that something else is, as of some commit.
    Forge(u8, bool),
    /// Somebody without the key creates a file under the number that comes next.
    Stray,
}

/// Where a checkpoint that is there already is written over: what the store must not do.
struct Protocol {
    writers: u8,
    overwrites: bool,
    /// A lost answer is taken for a refusal, without asking what stands there.
    forgets: bool,
    /// The cache is believed whatever the commit states of it.
    believes: bool,
    forgeries: u8,
    strays: u8,
    /// What stands under a number is taken for the commit before, whatever it is.
    counts_strays: bool,
}

impl Protocol {
    fn honest(writers: u8) -> Self {
        Self {
            writers,
            overwrites: false,
            forgets: false,
            believes: false,
            forgeries: 0,
            strays: 0,
            counts_strays: false,
        }
    }

    /// What a writer takes to be known: from the cache where the log speaks for it, and from the commits after.
    fn read(&self, world: &World) -> BTreeSet<(u8, u8)> {
        let from = world.cache.as_ref().filter(|(as_of, state)| {
            let stated = as_of.checked_sub(1).and_then(|last| world.log.get(usize::from(last))?.as_ref());
            stated.is_some_and(|commit| self.believes || commit.state == *state)
        });
        let (as_of, state) = from.cloned().unwrap_or_default();
        state.into_iter().chain(Self::known(&world.log[usize::from(as_of)..])).collect()
    }

    /// What a writer sees: a tag that all see alike, and one of its own.
    fn seen(writer: u8) -> Events {
        vec![(0, 0), (1 + writer, 1 + writer)]
    }

    fn known(log: &[Option<Commit>]) -> BTreeSet<(u8, u8)> {
        log.iter().flatten().flat_map(|commit| commit.batch.2.iter().copied()).collect()
    }

    /// The number of the last commit in it.
    fn last(log: &[Option<Commit>]) -> u8 {
        log.iter().rposition(Option::is_some).map_or(0, |at| at as u8 + 1)
    }

    fn create(&self, world: &mut World, writer: u8, heard: bool) {
        let at = usize::from(writer);
        let Step::Stored(place, events) = world.steps[at].clone() else { return };
        let known = Self::known(&world.log[..world.log.len().min(usize::from(place))]);
        let state = known.into_iter().chain(events.iter().copied()).collect::<BTreeSet<_>>().into_iter().collect();
        let previous = if self.counts_strays { place } else { Self::last(&world.log[..usize::from(place)]) };
        let commit = Commit { batch: (writer, world.attempts[at], events), previous, state };
        let free = world.log.len() == usize::from(place);
        if free {
            world.log.push(Some(commit.clone()));
        } else if self.overwrites && heard {
            world.log[usize::from(place)] = Some(commit.clone());
        }
        let own = world.log[usize::from(place)].as_ref() == Some(&commit);
        let recognised = own && (heard || !self.forgets);
        if recognised {
            world.reported.insert((place, commit));
        }
        world.steps[at] = if recognised { Step::Done } else { Step::Started };
        if !recognised && self.forgets && !heard {
            world.attempts[at] += 1;
        }
    }
}

impl Model for Protocol {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        let writers = usize::from(self.writers);
        vec![World {
            batches: BTreeSet::new(),
            log: Vec::new(),
            strays: self.strays,
            steps: vec![Step::Started; writers],
            crashes: 2,
            losses: 2,
            attempts: vec![0; writers],
            cache: None,
            forgeries: self.forgeries,
            reported: BTreeSet::new(),
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Act>) {
        for writer in 0..self.writers {
            match &world.steps[usize::from(writer)] {
                Step::Started => actions.push(Act::Look(writer)),
                Step::Restated(..) => actions.push(Act::Store(writer)),
                Step::Stored(..) => {
                    actions.push(Act::Create(writer));
                    if world.losses > 0 {
                        actions.push(Act::CreateUnheard(writer));
                    }
                }
                Step::Done => {
                    if self.forgeries > 0
                        && world.cache.as_ref().is_none_or(|(as_of, _)| *as_of < Self::last(&world.log))
                    {
                        actions.push(Act::Keep(writer));
                    }
                    continue;
                }
            }
            if world.crashes > 0 {
                actions.push(Act::Crash(writer));
            }
        }
        if world.strays > 0 {
            actions.push(Act::Stray);
        }
        if world.forgeries > 0 {
            for as_of in 1..=world.log.len() as u8 {
                actions.extend([Act::Forge(as_of, false), Act::Forge(as_of, true)]);
            }
        }
    }

    fn next_state(&self, last: &World, act: Act) -> Option<World> {
        let mut world = last.clone();
        match act {
            Act::Look(writer) => {
                let known = self.read(&world);
                let mut events = Self::seen(writer);
                events.retain(|event| !known.contains(event) || (self.forgets && event.0 != 0));
                let place = world.log.len() as u8;
                world.steps[usize::from(writer)] =
                    if events.is_empty() { Step::Done } else { Step::Restated(place, events) };
            }
            Act::Store(writer) => {
                let at = usize::from(writer);
                let Step::Restated(place, events) = world.steps[at].clone() else { return None };
                world.batches.insert((writer, world.attempts[at], events.clone()));
                world.steps[at] = Step::Stored(place, events);
            }
            Act::Create(writer) => self.create(&mut world, writer, true),
            Act::CreateUnheard(writer) => {
                world.losses -= 1;
                self.create(&mut world, writer, false);
            }
            Act::Keep(_) => {
                let last = Self::last(&world.log);
                let commit = world.log[..usize::from(last)].last()?.as_ref()?;
                world.cache = Some((last, commit.state.clone()));
            }
            Act::Forge(as_of, all) => {
                world.forgeries -= 1;
                // Nothing was ever seen; or everything was, so that nobody tells it.
                let all =
                    if all { (0..self.writers).flat_map(Self::seen).collect::<BTreeSet<_>>() } else { BTreeSet::new() };
                world.cache = Some((as_of, all.into_iter().collect()));
            }
            Act::Stray => {
                world.strays -= 1;
                world.log.push(None);
            }
            Act::Crash(writer) => {
                world.crashes -= 1;
                world.attempts[usize::from(writer)] += 1;
                world.steps[usize::from(writer)] = Step::Started;
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("I9: what was told is never lost, moved or edited", |_, world: &World| {
                let there = |place: u8| world.log.get(usize::from(place)).and_then(Option::as_ref);
                world.reported.iter().all(|(place, commit)| there(*place) == Some(commit))
            }),
            Property::always("I9: every checkpoint follows the one before and has its batch", |_, world: &World| {
                let mut before = 0;
                (1..).zip(&world.log).filter_map(|(number, slot)| Some((number, slot.as_ref()?))).all(
                    |(number, commit)| {
                        let follows = commit.previous == std::mem::replace(&mut before, number);
                        follows && world.batches.contains(&commit.batch)
                    },
                )
            }),
            Property::always("I13: one change is one event", |_, world: &World| {
                let all: Vec<_> = world.log.iter().flatten().flat_map(|commit| &commit.batch.2).collect();
                all.len() == all.iter().collect::<BTreeSet<_>>().len()
            }),
            Property::always(
                "I14, I15: once all are done, the log says what all saw",
                |model: &Self, world: &World| {
                    let done = world.steps.iter().all(|step| *step == Step::Done);
                    let seen = (0..model.writers).flat_map(Self::seen).collect::<BTreeSet<_>>();
                    !done || Self::known(&world.log) == seen
                },
            ),
            Property::always("I23: what is restated is what all commits come to", |_, world: &World| {
                (0..).zip(&world.steps).all(|(writer, step)| {
                    let Step::Restated(place, events) = step else { return true };
                    let known = Self::known(&world.log[..usize::from(*place)]);
                    let expected: Events =
                        Self::seen(writer).into_iter().filter(|event| !known.contains(event)).collect();
                    *events == expected
                })
            }),
            Property::eventually("I14: no writer waits for another for ever", |_, world: &World| {
                world.steps.iter().all(|step| *step == Step::Done)
            }),
            Property::sometimes("the model reaches crashes, lost answers and meetings", |_, world: &World| {
                world.crashes == 0 && world.losses == 0 && world.log.len() > 1
            }),
        ]
    }
}

#[test]
fn every_interleaving_of_two_writers_keeps_the_log_i9_i13_i14_i15() {
    let checked = Protocol::honest(2).checker().spawn_bfs().join();
    checked.assert_properties();
    assert!(checked.unique_state_count() > 500, "{} states", checked.unique_state_count());
}

#[test]
fn every_interleaving_of_three_writers_keeps_the_log_i9_i13_i14_i15() {
    let checked = Protocol::honest(3).checker().spawn_bfs().join();
    checked.assert_properties();
    assert!(checked.unique_state_count() > 5_000, "{} states", checked.unique_state_count());
}

#[test]
fn whoever_writes_the_cache_without_the_key_changes_nothing_i23_i9_i13() {
    let attacked = Protocol { forgeries: 2, ..Protocol::honest(2) };
    let checked = attacked.checker().spawn_bfs().join();
    checked.assert_properties();
    assert!(checked.unique_state_count() > 1_000, "{} states", checked.unique_state_count());
}

/// Every interleaving of writers with somebody who takes the next number twice: all commits are there, each follows the last.
#[test]
fn whoever_takes_numbers_without_the_key_blocks_and_parts_nothing_f101_i9_i14() {
    let attacked = Protocol { strays: 2, forgeries: 1, ..Protocol::honest(2) };
    let checked = attacked.checker().spawn_bfs().join();
    checked.assert_properties();
    assert!(checked.unique_state_count() > 1_000, "{} states", checked.unique_state_count());
}

#[test]
fn a_writer_that_takes_a_strangers_file_for_the_commit_before_parts_the_log_in_the_model_f101() {
    let broken = Protocol { strays: 1, counts_strays: true, ..Protocol::honest(2) };
    let checked = broken.checker().spawn_bfs().join();
    assert!(checked.discovery("I9: every checkpoint follows the one before and has its batch").is_some());
}

#[test]
fn a_cache_that_is_believed_unproven_makes_the_log_say_what_nobody_saw_in_the_model_i23() {
    let broken = Protocol { believes: true, forgeries: 1, ..Protocol::honest(2) };
    let checked = broken.checker().spawn_bfs().join();
    assert!(checked.discovery("I23: what is restated is what all commits come to").is_some());
}

/// A model that finds nothing wrong with a broken protocol would be no evidence for this one.
#[test]
fn a_store_that_overwrites_loses_commits_in_the_model_i9() {
    let broken = Protocol { overwrites: true, ..Protocol::honest(2) };
    let checked = broken.checker().spawn_bfs().join();
    assert!(checked.discovery("I9: what was told is never lost, moved or edited").is_some());
}

#[test]
fn a_writer_that_takes_a_lost_answer_for_a_refusal_repeats_itself_in_the_model_i13() {
    let broken = Protocol { forgets: true, ..Protocol::honest(2) };
    let checked = broken.checker().spawn_bfs().join();
    assert!(checked.discovery("I13: one change is one event").is_some());
}
