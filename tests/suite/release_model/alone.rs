//! What becomes of a release that was killed at each of its steps, where runs follow one after the other (I15).

use super::guards::Guards;
use super::log::{OLD, PART, artifact, state};
use super::other::Other;
use super::releasing::Release;
use super::world::{Act, Lacks, Pin, World};

/// The steps of a release, as they come one after the other where nothing goes wrong.
fn steps(at: usize) -> Vec<Act> {
    let one = [Act::Send(at), Act::Land(at), Act::Hear(at), Act::Record(at)];
    let before = [Act::Ask(at), Act::Decide(at), Act::Intend(at)];
    let after = [Act::Send(at), Act::LookBack(at)];
    before.into_iter().chain(one).chain(one).chain(after).collect()
}

/// One run that pins, from its beginning to its end.
fn run(mut world: World, at: usize) -> World {
    let again = world.releases.len() + at;
    while world.others[at] != Other::Done {
        let mut acts = world.acts().into_iter();
        let of_run = acts.find_map(|act| match act {
            Act::Begin(of) | Act::Look(of) | Act::Judge(of) | Act::Pin(of) | Act::JudgeAgain(of) | Act::Commit(of)
                if of == at =>
            {
                world.after(act)
            }
            Act::Recall(of) if of == again => world.after(act),
            _ => None,
        });
        world = of_run.unwrap_or_else(|| panic!("nothing is left to do in {world:?}"));
    }
    assert!(!world.false_loss && !world.missed_loss, "{world:?}");
    world
}

/// The world after a release that was killed after so many steps, and what was on its way then carried out, or never.
fn killed(after: usize, arrives: bool) -> World {
    let mut world = World::new(Guards::default(), Lacks::Nothing, 2, 3);
    for act in &steps(0)[..after] {
        world = world.after(*act).unwrap();
    }
    if after > 0 {
        world = world.after(Act::Crash(0)).unwrap();
    }
    if !world.flights.is_empty() {
        world = world.after(if arrives { Act::Arrive(0) } else { Act::Vanish(0) }).unwrap();
    }
    world
}

#[test]
fn after_a_release_that_was_killed_anywhere_a_run_pins_what_is_needed_and_a_loss_is_a_loss_again_i15_f92() {
    for (after, arrives) in (0..steps(0).len()).flat_map(|after| [(after, true), (after, false)]) {
        let world = killed(after, arrives).after(Act::GoBack).unwrap();
        let world = run(world, 0);
        assert_eq!((world.pin(OLD), world.pin(PART)), (Pin::There, Pin::There), "after {after} steps");
        let words = state(&world.log.words);
        assert!(words.misses_pin(&artifact(OLD)), "after {after} steps: {:?}", world.log);
        assert!(words.releasing.is_empty(), "after {after} steps: {:?}", world.log);
        let again = run(world.clone(), 1);
        assert_eq!(again.log, world.log, "nothing is left to say (I13), after {after} steps");
        let stolen = World { thefts: 1, ..again }.after(Act::Steal).unwrap();
        let world = run(stolen, 2);
        assert_eq!(world.pin(OLD), Pin::There);
        assert!(world.lost > 0, "after {after} steps: {:?}", world.log);
    }
}

#[test]
fn what_a_release_that_was_killed_left_the_next_one_removes_i15() {
    for (after, arrives) in (0..steps(0).len()).flat_map(|after| [(after, true), (after, false)]) {
        let mut world = run(killed(after, arrives), 0);
        while world.releases[1] != Release::Done {
            let next = [
                Act::TakeOver(1),
                Act::Waited(1),
                Act::Ask(1),
                Act::Decide(1),
                Act::Intend(1),
                Act::Send(1),
                Act::Land(1),
                Act::Hear(1),
                Act::Record(1),
                Act::LookBack(1),
            ];
            world = next.into_iter().find_map(|act| world.after(act)).unwrap();
        }
        let gone = (Pin::GoneByRelease, Pin::GoneByRelease);
        assert_eq!((world.pin(OLD), world.pin(PART)), gone, "after {after} steps: {:?}", world.log);
        let words = state(&world.log.words);
        assert!(words.releasing.is_empty() && words.pinned.is_empty(), "after {after} steps: {:?}", world.log);
        let again = run(world.clone(), 1);
        assert_eq!(again.log, world.log, "nothing is left to say (I13), after {after} steps");
    }
}
