//! Releasing as a model, every interleaving of it: releases, other runs that pin, audits, production that goes back in the middle,
//! answers that are lost, removals that arrive late, crashes between any two steps, and somebody who removes a pin. Whether a pin may
//! go, what is put on record of it, what counts of that and what is pinned again is asked of the program's own law and its own fold;
//! the registry and production are the model's (I1, I2, I3, I5, I14, I15, I26, F35, F92).

mod alone;
mod guards;
mod log;
mod other;
mod releasing;
mod world;

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model, Property};

use self::guards::{Guard, Guards};
use self::log::{NEW, OLD, PART, artifact, state};
use self::other::Other;
use self::releasing::Release;
use self::world::{Act, Lacks, Pin, World};

/// How many runs there are at once, and what keeps the law.
#[derive(Clone, Copy, Debug)]
struct Releases {
    releases: usize,
    others: usize,
    /// With everything that may be lacking, each by itself.
    lacking: bool,
    /// Whether an index came since that has the manifest, too, and other runs need.
    fresh: bool,
    crashes: u8,
    losses: u8,
    thefts: u8,
    /// Whether the other runs pin, or are audits.
    pinning: bool,
    guards: Guards,
}

const ONE: Releases = Releases {
    releases: 1,
    others: 1,
    lacking: true,
    fresh: false,
    crashes: 1,
    losses: 1,
    thefts: 0,
    pinning: true,
    guards: Guards(None),
};

const TWO_WRITERS: Releases = Releases { others: 2, lacking: false, losses: 0, ..ONE };
const TWO_RELEASES: Releases = Releases { releases: 2, lacking: false, losses: 0, ..ONE };
const AUDITS: Releases = Releases { others: 2, lacking: false, pinning: false, ..ONE };
const FRESH: Releases = Releases { lacking: false, fresh: true, ..ONE };

const WITHIN: &str = "I2 I3 I5: with anything lacking, nothing goes";
const WHOLE: &str = "I5 I26: a part is pinned while what has it is";
const BACK: &str = "F92: what production needed at the end is pinned, parts and all";
const FIRST: &str = "F92: nothing goes that production needed right before";
const TARGET: &str = "I1: what runs keeps its pin";
const KEPT: &str = "I14: what a run that pins found to be needed and pinned stays pinned";
const RECORD: &str = "I15: a pin that a release took is on record as such, or its intent is";
const FALSE_LOSS: &str = "I15: no run calls a pin lost that a release took";
const LOSS: &str = "I15: a pin that somebody else took is called lost";

impl Model for Releases {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        let all = [Lacks::Nothing, Lacks::Ours, Lacks::Target, Lacks::Earlier, Lacks::Gap, Lacks::Tag];
        let count = if self.lacking { all.len() } else { 1 };
        let world = |lacks| World {
            crashes: self.crashes,
            losses: self.losses,
            thefts: self.thefts,
            pinning: self.pinning,
            ..World::new(self.guards, lacks, self.releases, self.others)
        };
        let worlds = all.into_iter().take(count).map(world);
        worlds.map(|world| if self.fresh { world.fresh() } else { world }.canonical()).collect()
    }

    fn actions(&self, world: &World, actions: &mut Vec<Act>) {
        actions.extend(world.acts());
    }

    fn next_state(&self, world: &World, act: Act) -> Option<World> {
        world.after(act).map(World::canonical)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(WITHIN, |_, world: &World| world.lacks == Lacks::Nothing || !world.removed),
            Property::always(WHOLE, |model: &Self, world: &World| {
                // Where somebody took the index from under a release, it puts that right by its end.
                let at_odds = model.thefts > 0 && !(done(world) && world.flights.is_empty());
                at_odds || world.pin(OLD) != Pin::There || world.pin(PART) == Pin::There
            }),
            Property::always(BACK, |_, world: &World| {
                // What another one removes meanwhile it puts back itself; what a crash leaves, the next run.
                let settled = done(world) && world.flights.is_empty();
                let asked = world.asked_last.iter().zip(&world.tried).filter(|(needed, _)| **needed == Some(true));
                let is_back = |which: &u8| world.pin(*which) != Pin::GoneByRelease;
                !settled || asked.flat_map(|(_, tried)| tried).all(is_back)
            }),
            Property::always(FIRST, |_, world: &World| {
                !(world.asked_first && world.removed) || world.releases.len() > 1
            }),
            Property::always(TARGET, |_, world: &World| world.lacks == Lacks::Target || world.pin(NEW) == Pin::There),
            Property::always(KEPT, |_, world: &World| {
                let is_gone = |which| world.pin(which) == Pin::GoneByRelease;
                !world.relied_on || !(is_gone(OLD) || is_gone(PART))
            }),
            Property::always(RECORD, |_, world: &World| {
                world.pin(OLD) != Pin::GoneByRelease || !state(&world.log.words).misses_pin(&artifact(OLD))
            }),
            Property::always(FALSE_LOSS, |_, world: &World| !world.false_loss),
            Property::always(LOSS, |_, world: &World| !world.missed_loss),
        ];
        if self.guards == Guards(None) && !self.fresh {
            properties.push(Property::sometimes("pins go", |_, world: &World| {
                done(world) && world.pin(OLD) == Pin::GoneByRelease && world.pin(PART) == Pin::GoneByRelease
            }));
            properties.push(Property::sometimes("and come back", |_, world: &World| {
                done(world) && world.removed && world.pin(OLD) == Pin::There
            }));
            properties.push(Property::sometimes("other runs meet them", |_, world: &World| {
                world.removed && world.others.contains(&Other::Done)
            }));
        }
        properties
    }
}

fn done(world: &World) -> bool {
    world.releases.iter().all(|release| *release == Release::Done)
}

fn holds(model: Releases, least: usize) {
    let checker = model.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    assert!(checker.unique_state_count() > least, "{} states", checker.unique_state_count());
}

/// A model that finds nothing wrong with less would be no evidence.
fn breaks(guard: Guard, model: Releases, property: &'static str) {
    let found = HasDiscoveries::AllOf(BTreeSet::from([property]));
    let without = Releases { guards: Guards(Some(guard)), ..model };
    let checker = without.checker().threads(2).finish_when(found).spawn_bfs().join();
    assert!(checker.discovery(property).is_some(), "without {guard:?} it still holds: {property}");
}

#[test]
fn every_interleaving_of_a_release_with_a_run_that_pins_keeps_the_law_i1_i2_i3_i5_i15_f35_f92() {
    holds(ONE, 1_000);
}

#[test]
fn every_interleaving_of_a_release_with_two_writers_keeps_the_law_i14_i15_f92() {
    holds(TWO_WRITERS, 1_000);
}

#[test]
fn every_interleaving_of_two_releases_with_a_run_that_pins_keeps_the_law_i14_i15_f92() {
    holds(TWO_RELEASES, 1_000);
}

#[test]
fn every_interleaving_of_a_release_with_two_audits_keeps_the_law_i15_f92() {
    holds(AUDITS, 1_000);
}

#[test]
fn every_interleaving_of_a_release_with_runs_that_need_a_part_by_what_came_since_keeps_the_law_i26() {
    holds(FRESH, 500);
    holds(Releases { others: 2, losses: 0, ..FRESH }, 1_000);
}

#[test]
fn a_pin_that_somebody_else_removes_beside_a_release_is_called_lost_i15() {
    holds(Releases { losses: 0, crashes: 0, thefts: 1, ..AUDITS }, 1_000);
    holds(Releases { lacking: false, thefts: 1, ..ONE }, 1_000);
}

#[test]
fn without_any_one_thing_that_keeps_it_the_law_breaks_in_the_model_i1_i2_i3_i5_i15_f92() {
    let one = Releases { lacking: false, ..ONE };
    breaks(Guard::Grounds, ONE, WITHIN);
    breaks(Guard::Grounds, one, TARGET);
    breaks(Guard::Intends, one, RECORD);
    breaks(Guard::Permit, one, KEPT);
    breaks(Guard::Known, FRESH, WHOLE);
    breaks(Guard::TakesOver, TWO_RELEASES, RECORD);
    breaks(Guard::Rebases, TWO_RELEASES, RECORD);
    breaks(Guard::Rereads, Releases { pinning: false, ..one }, FALSE_LOSS);
    breaks(Guard::SaysFirst, one, KEPT);
    breaks(Guard::Arrives, one, KEPT);
    breaks(Guard::AsksFirst, one, FIRST);
    breaks(Guard::LooksBack, one, BACK);
    breaks(Guard::PartsFirst, one, WHOLE);
}
