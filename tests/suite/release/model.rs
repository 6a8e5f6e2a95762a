//! Pin, release, production that goes back in the middle of a run, two writers, lost answers and crashes: every interleaving.
//!
//! What the model shares with the code is the law itself, [`grounds`], and the order in which `release` and `enforce` act. A
//! repository has an old release with one manifest below it, each with a pin of its own, and the release that runs. What it
//! leaves out are bytes, and repositories beside this one.

use jiff::{SignedDuration, Timestamp};
use prodpin::decide::release::{EarlierRun, LastReference, PinFacts, RunFacts, grounds};
use prodpin::model::{ArtifactId, Digest, Mark, PinRemoval, PinState};
use stateright::{Checker, Model, Property};

/// The old release, the manifest below it, and the release of today.
const OLD: usize = 0;
const PART: usize = 1;
const TODAY: usize = 2;

/// So many days an artifact must have been outside the rollback set.
const GRACE: u8 = 1;

/// What a registry does with a pin's tag that is to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Registry {
    /// It goes alone, and a manifest stays without any.
    Plain,
    /// A manifest goes with its last tag.
    Ecr,
    /// No single tag is removed.
    Refuses,
}

impl Registry {
    fn removal(self) -> PinRemoval {
        match self {
            Self::Plain => PinRemoval::Untag { leaves_untagged: true },
            Self::Ecr => PinRemoval::Untag { leaves_untagged: false },
            // As for any that is not recognised as one that refuses: it is tried.
            Self::Refuses => PinRemoval::Untag { leaves_untagged: true },
        }
    }
}

/// A run on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Run {
    sequence: u8,
    day: u8,
    complete: bool,
}

/// What a run saw of the world when it looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Look {
    /// Whether production ran the old release.
    ran_old: bool,
    /// Whether everything was read.
    complete: bool,
    pins: [bool; 3],
    /// Whether the old release had its permanent tag.
    tagged: bool,
    /// Runs on record then, and since when the pins were not needed.
    earlier: Option<Run>,
    unneeded: [Option<(u8, u8)>; 3],
    day: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Idle,
    /// An `enforce` that has looked, and one that has pinned.
    Looked(Look),
    Pinned(Look),
    /// A `release` that has looked, whose intention is on record, that removed these, and that asks production again.
    Deciding(Look),
    Intends(Look, [bool; 3]),
    Removed(Look, [bool; 3]),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    runs_old: bool,
    /// How often production may still change, somebody may remove the tag, a process crash, an answer be lost, a day pass.
    changes: u8,
    untags: u8,
    crashes: u8,
    losses: u8,
    days: u8,
    day: u8,
    tagged: bool,
    pins: [bool; 3],
    exists: [bool; 3],
    /// The ledger.
    sequence: u8,
    last_run: Option<Run>,
    unneeded: [Option<(u8, u8)>; 3],
    releasing: [bool; 3],
    released: [bool; 3],
    enforce: Step,
    release: Step,
    /// Whether production changed since the last `enforce` that ended looked, or a `release` was under way meanwhile.
    unsettled: bool,
    /// What must never happen.
    wrong: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Act {
    ProductionChanges,
    Untag,
    Day,
    EnforceLooks(bool),
    EnforcePins,
    EnforceRecords,
    ReleaseLooks(bool),
    ReleaseIntends,
    /// It removes this pin: with an answer, with an answer that is lost, or with a call that is.
    ReleaseRemoves(usize, Heard),
    ReleaseEnds,
    EnforceCrashes,
    ReleaseCrashes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Heard {
    Yes,
    AnswerLost,
    CallLost,
}

/// What is left out of the law, to see that the model finds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Careless {
    #[default]
    Not,
    /// One inventory is taken for two.
    OneInventory,
    /// The pin of a part goes whatever is pinned that has it.
    PartsFirst,
    /// No tag is asked for.
    LastReference,
    /// What could not be read is taken for read.
    Gaps,
    /// What is needed is not looked at.
    Needed,
}

struct Releasing {
    registry: Registry,
    careless: Careless,
    enforces: bool,
}

fn day(day: u8) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * i64::from(day))
}

fn artifact(which: usize) -> ArtifactId {
    ArtifactId::Manifest(Digest::sha256(&[which as u8]))
}

impl Releasing {
    fn look(world: &World, complete: bool) -> Look {
        Look {
            ran_old: world.runs_old,
            complete,
            pins: world.pins,
            tagged: world.tagged,
            earlier: world.last_run,
            unneeded: world.unneeded,
            day: world.day,
        }
    }

    /// What the law says of one pin, by what was seen, where the others in `gone` are without theirs.
    fn goes(&self, look: &Look, which: usize, gone: [bool; 3]) -> bool {
        let careless = self.careless;
        let mark = |(sequence, at): (u8, u8)| Mark { sequence: u64::from(sequence), at: day(at) };
        let earlier: Vec<EarlierRun> = look
            .earlier
            .iter()
            .map(|run| EarlierRun {
                sequence: u64::from(run.sequence),
                finished: day(run.day),
                complete: run.complete || careless == Careless::Gaps,
                covers: true,
            })
            .collect();
        let alone = [EarlierRun { sequence: u64::MAX, finished: day(0), complete: true, covers: true }];
        let (today, index, removal) = (artifact(TODAY), artifact(OLD), self.registry.removal());
        let run = RunFacts {
            now: day(look.day),
            grace: SignedDuration::from_hours(24 * i64::from(GRACE)),
            newest: None,
            gap: (!look.complete && careless != Careless::Gaps).then_some("something was not read"),
            earlier: if careless == Careless::OneInventory { &alone } else { &earlier },
            targets: 1,
            unprotected: (!look.pins[TODAY]).then_some(&today),
        };
        let unneeded = match careless {
            Careless::OneInventory => Some(Mark { sequence: 0, at: day(0) }),
            _ => look.unneeded[which].map(mark),
        };
        let run = RunFacts {
            grace: if careless == Careless::OneInventory { SignedDuration::ZERO } else { run.grace },
            ..run
        };
        let pinned = which == PART && look.pins[OLD] && !gone[OLD] && careless != Careless::PartsFirst;
        let pin = if look.pins[which] { PinState::Present } else { PinState::Absent };
        let left = match which {
            PART => LastReference::Part,
            _ if look.tagged || careless == Careless::LastReference => LastReference::Tag("v1.0.0".parse().unwrap()),
            _ => LastReference::Nothing,
        };
        let facts = PinFacts {
            unneeded,
            needed: look.ran_old && careless != Careless::Needed,
            pin: &pin,
            part_of: pinned.then_some(&index),
            left: &left,
            removal: &removal,
            worse: None,
        };
        grounds(&run, &facts).is_empty()
    }

    /// What may go by what was seen, the release before what is below it.
    fn plan(&self, look: &Look) -> [bool; 3] {
        let mut gone = [false; 3];
        let order = if self.careless == Careless::PartsFirst { [PART, OLD] } else { [OLD, PART] };
        for which in order {
            gone[which] = self.goes(look, which, gone);
        }
        gone
    }

    fn enforce_records(world: &mut World, look: Look) {
        world.sequence += 1;
        for which in [OLD, PART] {
            if look.ran_old {
                world.unneeded[which] = None;
            } else if look.complete && look.pins[which] && world.unneeded[which].is_none() {
                world.unneeded[which] = Some((world.sequence, look.day));
            }
            // What a release set out to remove before it was cut off, and is not there: it removed it.
            if world.releasing[which] && !look.pins[which] {
                (world.releasing[which], world.released[which]) = (false, true);
            }
            if look.ran_old && world.pins[which] {
                (world.releasing[which], world.released[which]) = (false, false);
            }
        }
        world.sequence += 1;
        world.last_run = Some(Run { sequence: world.sequence, day: look.day, complete: look.complete });
    }

    fn remove(&self, world: &mut World, look: &Look, which: usize, heard: Heard) {
        // I2, I3: what the run itself read must allow it, whatever the law was told.
        if !look.pins[TODAY] {
            world.wrong = Some("I2: a pin went before every target was read back");
        }
        let two = look.complete && look.earlier.is_some_and(|run| run.complete);
        let recorded = look.unneeded[which].is_some_and(|(at, _)| look.earlier.is_some_and(|run| at <= run.sequence));
        if !two || !recorded {
            world.wrong = Some("I3: a pin went without two complete inventories");
        }
        if look.ran_old {
            world.wrong = Some("I1: a pin went that a target needed");
        }
        if which == PART && world.pins[OLD] {
            world.wrong = Some("I5: the pin of a part went before that of what has it");
        }
        if heard == Heard::CallLost || self.registry == Registry::Refuses {
            return;
        }
        world.pins[which] = false;
        let tagged = which == OLD && world.tagged;
        if self.registry == Registry::Ecr && !tagged {
            world.exists[which] = false;
        }
    }
}

impl Model for Releasing {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            runs_old: false,
            changes: 2,
            untags: 1,
            crashes: 1,
            losses: 1,
            days: 2,
            day: 0,
            tagged: true,
            pins: [true; 3],
            exists: [true; 3],
            sequence: 1,
            last_run: None,
            unneeded: [None; 3],
            releasing: [false; 3],
            released: [false; 3],
            enforce: Step::Idle,
            release: Step::Idle,
            unsettled: true,
            wrong: None,
        }]
    }

    fn actions(&self, world: &World, acts: &mut Vec<Act>) {
        // Enough to see everything that can come after one another; the rest repeats itself.
        if world.sequence > 6 {
            return;
        }
        acts.extend((world.changes > 0).then_some(Act::ProductionChanges));
        acts.extend((world.untags > 0).then_some(Act::Untag));
        acts.extend((world.days > 0).then_some(Act::Day));
        match world.enforce {
            Step::Idle if self.enforces => acts.extend([Act::EnforceLooks(true), Act::EnforceLooks(false)]),
            Step::Looked(_) => acts.push(Act::EnforcePins),
            Step::Pinned(_) => acts.push(Act::EnforceRecords),
            _ => {}
        }
        match world.release {
            Step::Idle => acts.extend([Act::ReleaseLooks(true), Act::ReleaseLooks(false)]),
            Step::Deciding(_) => acts.push(Act::ReleaseIntends),
            Step::Intends(_, open) => match open.iter().position(|open| *open) {
                Some(which) => {
                    acts.push(Act::ReleaseRemoves(which, Heard::Yes));
                    if world.losses > 0 {
                        acts.push(Act::ReleaseRemoves(which, Heard::AnswerLost));
                        acts.push(Act::ReleaseRemoves(which, Heard::CallLost));
                    }
                }
                None => acts.push(Act::ReleaseEnds),
            },
            Step::Removed(..) => acts.push(Act::ReleaseEnds),
            _ => {}
        }
        if world.crashes > 0 {
            acts.extend((world.enforce != Step::Idle).then_some(Act::EnforceCrashes));
            acts.extend((world.release != Step::Idle).then_some(Act::ReleaseCrashes));
        }
    }

    fn next_state(&self, before: &World, act: Act) -> Option<World> {
        let mut world = before.clone();
        match act {
            Act::ProductionChanges => {
                world.changes -= 1;
                (world.runs_old, world.unsettled) = (!world.runs_old, true);
            }
            Act::Untag => (world.untags, world.tagged) = (world.untags - 1, false),
            Act::Day => (world.days, world.day) = (world.days - 1, world.day + 1),
            Act::EnforceLooks(complete) => {
                world.unsettled = world.release != Step::Idle;
                world.enforce = Step::Looked(Self::look(&world, complete));
            }
            Act::EnforcePins => {
                let Step::Looked(look) = world.enforce else { return None };
                world.pins[TODAY] = true;
                if look.ran_old {
                    world.pins[PART] |= world.exists[PART];
                    world.pins[OLD] |= world.exists[OLD];
                }
                // What is read back is what is recorded.
                world.enforce = Step::Pinned(Look { pins: world.pins, ..look });
            }
            Act::EnforceRecords => {
                let Step::Pinned(look) = world.enforce else { return None };
                Self::enforce_records(&mut world, look);
                world.enforce = Step::Idle;
            }
            Act::ReleaseLooks(complete) => {
                world.unsettled = true;
                world.release = Step::Deciding(Self::look(&world, complete));
            }
            Act::ReleaseIntends => {
                let Step::Deciding(look) = world.release else { return None };
                let mut open = self.plan(&look);
                for (which, open) in open.iter_mut().enumerate() {
                    // Without it on record nothing is removed: what another writer found needed meanwhile stays.
                    *open &= world.unneeded[which].is_some() || self.careless == Careless::OneInventory;
                    world.releasing[which] |= *open;
                }
                // Of what is not to go, nothing below it goes either.
                open[PART] &= open[OLD] || !look.pins[OLD] || self.careless == Careless::PartsFirst;
                world.release = Step::Intends(look, open);
            }
            Act::ReleaseRemoves(which, heard) => {
                let Step::Intends(look, mut open) = world.release else { return None };
                world.losses -= u8::from(heard != Heard::Yes);
                let needed = world.unneeded[which].is_none() && self.careless != Careless::OneInventory;
                // The tag that is to keep it is read once more, too.
                let untagged = which == OLD && !world.tagged && self.careless != Careless::LastReference;
                if needed || untagged {
                    // Another writer's word, read again right before.
                    world.release = Step::Removed(look, world.released);
                    return Some(world);
                }
                self.remove(&mut world, &look, which, heard);
                open[which] = false;
                let gone = !world.pins[which];
                if gone {
                    (world.releasing[which], world.released[which], world.unneeded[which]) = (false, true, None);
                }
                // After one that is not gone, none is tried.
                world.release = if gone { Step::Intends(look, open) } else { Step::Removed(look, world.released) };
            }
            Act::ReleaseEnds => {
                // Production is asked once more, and what it needs by now is pinned again (F92).
                for which in [PART, OLD] {
                    if world.runs_old && world.released[which] && world.exists[which] {
                        (world.pins[which], world.released[which]) = (true, false);
                    }
                }
                if let Step::Intends(look, _) | Step::Removed(look, _) = world.release {
                    world.sequence += 1;
                    world.last_run = Some(Run { sequence: world.sequence, day: look.day, complete: look.complete });
                }
                (world.release, world.unsettled) = (Step::Idle, true);
            }
            Act::EnforceCrashes => {
                (world.enforce, world.crashes, world.unsettled) = (Step::Idle, world.crashes - 1, true)
            }
            Act::ReleaseCrashes => {
                (world.release, world.crashes, world.unsettled) = (Step::Idle, world.crashes - 1, true)
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("I1: a pin goes only by a release, which is on record", |_: &Self, world: &World| {
                (OLD..=PART).all(|which| world.pins[which] || world.releasing[which] || world.released[which])
            }),
            Property::always("I1: nothing that a target needs goes by what was read", |_, world: &World| {
                world.wrong.is_none_or(|wrong| !wrong.starts_with("I1"))
            }),
            Property::always("I2: targets are read back first", |_, world: &World| {
                world.wrong.is_none_or(|wrong| !wrong.starts_with("I2"))
            }),
            Property::always("I3: two complete inventories", |_, world: &World| {
                world.wrong.is_none_or(|wrong| !wrong.starts_with("I3"))
            }),
            Property::always("I5: no part before what has it", |_, world: &World| {
                world.wrong.is_none_or(|wrong| !wrong.starts_with("I5"))
            }),
            Property::always("I5: no manifest goes with its last tag", |_, world: &World| world.exists == [true; 3]),
            Property::always("F35: where no tag can be removed, nothing is", |model: &Self, world: &World| {
                model.registry != Registry::Refuses || world.pins == [true; 3]
            }),
            Property::always(
                "I14, I15, F92: after a whole run that nothing disturbed, what runs is pinned",
                |_, world: &World| {
                    let quiet = world.enforce == Step::Idle && world.release == Step::Idle && !world.unsettled;
                    !quiet || !world.runs_old || (world.pins[OLD] && world.pins[PART])
                },
            ),
            Property::sometimes("a release goes, and what is below it", |_, world: &World| {
                world.released[OLD] && world.released[PART] && !world.pins[OLD] && !world.pins[PART]
            }),
        ]
    }
}

fn check(registry: Registry, careless: Careless) -> impl Checker<Releasing> {
    let model = Releasing { registry, careless, enforces: true };
    model.checker().threads(2).spawn_bfs().join()
}

#[test]
fn every_interleaving_keeps_i1_i2_i3_i5_i14_i15_f92() {
    let checked = check(Registry::Plain, Careless::Not);
    checked.assert_properties();
}

#[test]
fn where_a_manifest_goes_with_its_last_tag_a_part_keeps_its_pin_i5() {
    let checked = check(Registry::Ecr, Careless::Not);
    let found: Vec<&str> = checked.discoveries().into_keys().collect();
    assert_eq!(found, Vec::<&str>::new(), "nothing is violated, and a part never goes");
}

#[test]
fn where_no_tag_can_be_removed_nothing_goes_f35() {
    let checked = check(Registry::Refuses, Careless::Not);
    assert_eq!(checked.discoveries().into_keys().collect::<Vec<&str>>(), Vec::<&str>::new());
}

#[test]
fn what_is_left_out_of_the_law_is_found() {
    for (careless, registry, violated) in [
        (Careless::OneInventory, Registry::Plain, "I3: two complete inventories"),
        (Careless::Gaps, Registry::Plain, "I3: two complete inventories"),
        (Careless::PartsFirst, Registry::Plain, "I5: no part before what has it"),
        (Careless::LastReference, Registry::Ecr, "I5: no manifest goes with its last tag"),
        (Careless::Needed, Registry::Plain, "I1: nothing that a target needs goes by what was read"),
    ] {
        let checked = check(registry, careless);
        let found: Vec<&str> = checked.discoveries().into_keys().collect();
        assert!(found.contains(&violated), "{careless:?}: {found:?}");
    }
}
