//! Each ground on which a pin stays, alone and among others.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{EarlierRun, LastReference, NeededNow, PinFacts, RunFacts, grounds, loss, removal, to_make_again};
use crate::model::{
    ArtifactId, Cleanup, Closure, Digest, Inspection, Mark, Part, PinRemoval, PinState, Presence, Recognised,
    RegistryKind, SettingFacts, StatedCleanup,
};
use crate::outcome::release::Ground;

fn artifact(name: &str) -> ArtifactId {
    ArtifactId::Manifest(Digest::sha256(name.as_bytes()))
}

/// Hours after the first look.
fn at(hour: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour)
}

fn run(sequence: u64, hour: i64) -> EarlierRun {
    EarlierRun { sequence, finished: at(hour), complete: true, covers: true }
}

const DAY: i64 = 24;

/// A run every twelve hours up to this hour, the latest first: the one that ended at the beginning is the eleventh commit.
fn daily(until: i64) -> Vec<EarlierRun> {
    let since = (0..).map(|count| (11 + count, count * DAY / 2)).take_while(|(_, hour)| *hour <= until);
    let mut runs: Vec<EarlierRun> = since.map(|(at, hour)| run(u64::try_from(at).unwrap(), hour)).collect();
    runs.reverse();
    runs.push(run(5, -1));
    runs
}

/// What a test changes of a pin that may go: it left the set at commit 10, on the first day, and this is the ninth.
struct Case {
    run: RunFacts<'static>,
    earlier: Vec<EarlierRun>,
    unneeded: Option<Mark>,
    needed: bool,
    ours: bool,
    releasing: bool,
    pin: PinState,
    part_of: Option<ArtifactId>,
    left: LastReference,
    removal: PinRemoval,
    worse: Option<&'static str>,
    unprotected: Option<ArtifactId>,
}

impl Case {
    fn free() -> Self {
        Self {
            run: RunFacts {
                now: at(8 * DAY),
                grace: SignedDuration::from_hours(7 * DAY),
                newest: Some(at(8 * DAY - 1)),
                gap: None,
                earlier: &[],
                targets: 5,
                unprotected: None,
                leaving: false,
            },
            earlier: daily(8 * DAY - 1),
            unneeded: Some(Mark { sequence: 10, at: at(0) }),
            needed: false,
            ours: true,
            releasing: false,
            pin: PinState::Present,
            part_of: None,
            left: LastReference::Tag("v1.0.0".parse().unwrap()),
            removal: PinRemoval::Untag { leaves_untagged: true },
            worse: None,
            unprotected: None,
        }
    }

    fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut case = Self::free();
        change(&mut case);
        case
    }

    fn grounds(&self) -> Vec<Ground> {
        let run = RunFacts { earlier: &self.earlier, unprotected: self.unprotected.as_ref(), ..self.run };
        let pin = PinFacts {
            unneeded: self.unneeded,
            needed: self.needed,
            ours: self.ours,
            releasing: self.releasing,
            pin: &self.pin,
            part_of: self.part_of.as_ref(),
            left: &self.left,
            removal: &self.removal,
            worse: self.worse,
        };
        grounds(&run, &pin)
    }
}

fn words(case: &Case) -> Vec<String> {
    let name = |ground: &Ground| serde_json::to_value(ground).unwrap()["kind"].as_str().unwrap().to_owned();
    case.grounds().iter().map(name).collect()
}

#[test]
fn each_ground_by_itself_keeps_a_pin_i1_i2_i3_i5_i8_i22_f35() {
    assert_eq!(words(&Case::free()), Vec::<String>::new(), "without any ground it goes");
    let unsupported = || PinRemoval::Unsupported { detail: "no single tag is removed here".to_owned() };
    for (ground, case) in [
        ("needed", Case::with(|case| case.needed = true)),
        ("gap", Case::with(|case| case.run.gap = Some("tag v2 could not be read"))),
        ("early-run", Case::with(|case| case.earlier[0].complete = false)),
        ("no-target", Case::with(|case| case.run.targets = 0)),
        ("unprotected", Case::with(|case| case.unprotected = Some(artifact("target")))),
        ("not-on-record", Case::with(|case| case.unneeded = None)),
        ("grace", Case::with(|case| (case.run.now, case.run.newest) = (at(7 * DAY - 1), None))),
        ("clock", Case::with(|case| case.run.newest = Some(at(9 * DAY)))),
        ("unread", Case::with(|case| case.pin = PinState::Unknown)),
        ("unread", Case::with(|case| case.pin = PinState::Absent)),
        ("unread", Case::with(|case| case.pin = PinState::Unsupported { marked: false })),
        ("not-ours", Case::with(|case| case.ours = false)),
        ("releasing", Case::with(|case| case.releasing = true)),
        ("moved", Case::with(|case| case.pin = PinState::Moved(artifact("other")))),
        ("part-of", Case::with(|case| case.part_of = Some(artifact("index")))),
        ("last-reference", Case::with(|case| case.left = LastReference::Nothing)),
        ("unsupported", Case::with(|case| case.removal = unsupported())),
        ("harm", Case::with(|case| case.worse = Some("another would be taken sooner"))),
    ] {
        let expected = if ground == "early-run" { "earlier-run-incomplete" } else { ground };
        let found = words(&case);
        // The clock that is behind is also too early.
        assert!(
            found == [expected] || (expected == "clock" && found.contains(&"clock".to_owned())),
            "{ground}: {found:?}"
        );
        assert!(case.grounds().iter().all(|ground| !ground.in_words().is_empty()));
    }
}

#[test]
fn two_complete_inventories_are_runs_about_this_repository_i3() {
    for (what, earlier, expected) in [
        ("none", vec![], vec!["no-earlier-run", "not-on-record"]),
        (
            "the last one is whole",
            [vec![run(40, 190), EarlierRun { complete: false, ..run(39, 189) }], daily(188)].concat(),
            vec![],
        ),
        (
            "a run about another",
            [vec![EarlierRun { covers: false, complete: false, ..run(50, 190) }], daily(188)].concat(),
            vec![],
        ),
        ("only others", vec![EarlierRun { covers: false, ..run(50, 120) }], vec!["no-earlier-run", "not-on-record"]),
        ("it ended before it was seen to leave", vec![run(9, 0)], vec!["not-on-record"]),
        ("this very commit", vec![run(10, 0)], vec!["grace"]),
    ] {
        assert_eq!(words(&Case::with(|case| case.earlier = earlier)), expected, "{what}");
    }
}

#[test]
fn the_sequence_comes_before_the_clock_i21_f90_f112() {
    // Recorded by a machine whose clock was a year behind: it did not see it before the run that was recorded before it.
    let behind = |hour: i64| {
        Case::with(|case| {
            case.unneeded = Some(Mark { sequence: 10, at: at(-365 * DAY) });
            case.earlier = vec![run(40, hour + 1), run(11, hour), run(9, hour)];
            case.run.now = at(hour + 2);
            case.run.newest = Some(at(hour + 1));
        })
    };
    assert_eq!(words(&behind(0)), ["grace"]);
    // And one whose clock was ahead keeps it for longer.
    let ahead = Case::with(|case| case.unneeded = Some(Mark { sequence: 10, at: at(365 * DAY) }));
    assert_eq!(words(&ahead), ["grace"]);
    // No grace asks for no time, and for two runs all the same.
    let none = Case::with(|case| {
        (case.run.grace, case.run.now) = (SignedDuration::ZERO, at(0));
        (case.run.newest, case.earlier) = (Some(at(0)), vec![run(11, 0)]);
    });
    assert_eq!(words(&none), Vec::<String>::new());
    let negative = Case::with(|case| (case.run.grace, case.run.now) = (SignedDuration::from_hours(-99), at(-1)));
    assert!(words(&negative).contains(&"grace".to_owned()), "a grace period is never negative");
}

#[test]
fn a_part_goes_after_what_it_is_part_of_and_only_where_untagged_manifests_stay_i5() {
    let part = |removal: PinRemoval| Case::with(|case| (case.left, case.removal) = (LastReference::Part, removal));
    assert_eq!(words(&part(PinRemoval::Untag { leaves_untagged: true })), Vec::<String>::new());
    assert_eq!(words(&part(PinRemoval::Untag { leaves_untagged: false })), ["last-of-part"]);
    assert_eq!(words(&part(PinRemoval::TakeOff)), ["last-of-part"]);
    let pinned = Case::with(|case| (case.left, case.part_of) = (LastReference::Part, Some(artifact("index"))));
    assert_eq!(words(&pinned), ["part-of"]);
    let on_ecr = Case::with(|case| case.removal = PinRemoval::Untag { leaves_untagged: false });
    assert_eq!(words(&on_ecr), Vec::<String>::new(), "with a tag of its own it goes there, too");
}

#[test]
fn a_mark_that_protects_nothing_goes_like_a_pin() {
    let marked = Case::with(|case| {
        (case.pin, case.removal) = (PinState::Unsupported { marked: true }, PinRemoval::TakeOff);
    });
    assert_eq!(words(&marked), Vec::<String>::new());
}

#[test]
fn all_grounds_are_named_and_not_the_first_alone() {
    let case = Case::with(|case| {
        (case.needed, case.run.gap, case.run.targets) = (true, Some("x"), 0);
        (case.left, case.pin) = (LastReference::Nothing, PinState::Unknown);
    });
    assert_eq!(words(&case), ["needed", "gap", "no-target", "unread", "last-reference"]);
    let passing = |ground: &Ground| ground.passes();
    assert_eq!(case.grounds().iter().filter(|ground| passing(ground)).count(), 1);
}

#[test]
fn a_fast_clock_brings_no_end_of_the_grace_period_nearer_i21_f90() {
    let year = 365 * DAY;
    let left = Some(Mark { sequence: 10, at: at(0) });
    let with = |earlier: Vec<EarlierRun>, now: i64| {
        Case::with(|case| {
            case.unneeded = left;
            (case.earlier, case.run.now) = (earlier, at(now));
            case.run.newest = None;
        })
    };
    for (what, earlier, now) in [
        ("this machine's alone", vec![run(12, 2), run(11, 1)], year),
        ("this machine's, which ran before", vec![run(13, year), run(12, 2), run(11, 1)], year + 1),
        ("another's, between two", vec![run(13, 4), run(12, year), run(11, 1)], 5),
        ("the first one's", vec![run(12, 3), run(11, year)], 4),
        ("nobody ran in between", vec![run(11, 0)], 8 * DAY),
    ] {
        assert_eq!(words(&with(earlier, now)), ["grace"], "{what}");
    }
    // A clock that was behind shortens nothing either, and a week of honest runs is a week.
    assert_eq!(words(&with(vec![run(13, 8 * DAY), run(12, 1), run(11, 8 * DAY - 1)], 8 * DAY + 1)), ["grace"]);
    assert_eq!(words(&with(daily(8 * DAY), 8 * DAY)), Vec::<String>::new());
}

#[test]
fn who_leaves_asks_for_no_time_and_no_target_and_for_the_last_reference_all_the_same_i5() {
    let leaving = |change: fn(&mut Case)| {
        Case::with(|case| {
            case.run.leaving = true;
            (case.needed, case.unneeded, case.run.targets, case.earlier) = (true, None, 0, Vec::new());
            change(case);
        })
    };
    assert_eq!(words(&leaving(|_| {})), Vec::<String>::new());
    assert_eq!(words(&leaving(|case| case.ours = false)), ["not-ours"]);
    assert_eq!(words(&leaving(|case| case.left = LastReference::Nothing)), ["last-reference"]);
    assert_eq!(words(&leaving(|case| case.run.gap = Some("x"))), ["gap"]);
    assert_eq!(words(&leaving(|case| case.pin = PinState::Moved(artifact("other")))), ["moved"]);
}

#[test]
fn what_is_known_of_a_source_outlives_the_run_that_knew_it_f123() {
    let untag = |leaves_untagged| PinRemoval::Untag { leaves_untagged };
    let cleanup = |registry, stated| Cleanup { registry, stated };
    let harbor = SettingFacts::Registry { recognised: Some("Harbor".to_owned()) };
    let plain = SettingFacts::Registry { recognised: None };
    for (cleanup, before, expected) in [
        (cleanup(Recognised::Plain, None), None, Some(true)),
        (cleanup(Recognised::Plain, None), Some(&plain), Some(true)),
        (cleanup(Recognised::Plain, None), Some(&harbor), None),
        (cleanup(Recognised::NotAsked, Some(StatedCleanup::None)), Some(&harbor), None),
        (cleanup(Recognised::Before(RegistryKind::Zot), None), None, None),
        (cleanup(Recognised::NotAsked, Some(StatedCleanup::None)), None, Some(true)),
        (cleanup(Recognised::NotAsked, Some(StatedCleanup::Untagged)), None, Some(false)),
        (cleanup(Recognised::NotAsked, Some(StatedCleanup::Unknown)), None, Some(false)),
    ] {
        let found = match removal(untag(true), &cleanup, before) {
            PinRemoval::Untag { leaves_untagged } => Some(leaves_untagged),
            _ => None,
        };
        assert_eq!(found, expected, "{cleanup:?} {before:?}");
    }
    let said = PinRemoval::Unsupported { detail: "said".to_owned() };
    assert_eq!(removal(said.clone(), &cleanup(Recognised::Plain, None), None), said);
    assert_eq!(removal(PinRemoval::TakeOff, &cleanup(Recognised::NotAsked, None), None), PinRemoval::TakeOff);
    // Who speaks Harbor's own interface knows that it is one.
    let own = cleanup(Recognised::Kind(RegistryKind::Harbor), None);
    assert_eq!(removal(PinRemoval::ByName, &own, Some(&harbor)), PinRemoval::ByName);
}

#[test]
fn all_that_went_is_made_again_as_soon_as_one_is_needed_or_nobody_knows_f92_i26() {
    let (index, part, other) = (artifact("index"), artifact("part"), artifact("other"));
    let removed = [index.clone(), part.clone()];
    let again = |needed: &[&ArtifactId]| {
        let needed = needed.iter().map(|artifact| (*artifact).clone()).collect();
        to_make_again(&removed, NeededNow::These(&needed))
    };
    // Parts before what has them.
    let all = vec![part.clone(), index.clone()];
    assert_eq!(again(&[&index]), all);
    assert_eq!(again(&[&part]), all);
    assert_eq!(again(&[&other]), Vec::<ArtifactId>::new());
    assert_eq!(to_make_again(&removed, NeededNow::Unknown), all);
}

#[test]
fn what_a_removal_took_along_is_seen_i5_f35() {
    let digest = |name: &str| Digest::sha256(name.as_bytes());
    let part = |name: &str, pin| Part { digest: digest(name), name: None, pin };
    let whole = || {
        let mut seen = Inspection::unread(artifact("a"));
        (seen.presence, seen.closure, seen.pin) = (Presence::Present, Closure::Complete, PinState::Present);
        seen.parts.below = vec![part("child", PinState::Present)];
        seen
    };
    let with = |change: fn(&mut Inspection)| {
        let mut seen = whole();
        change(&mut seen);
        seen
    };
    let (none, itself) = (BTreeSet::new(), BTreeSet::from([artifact("a")]));
    assert_eq!(loss(&whole(), &whole(), &none), None);
    assert_eq!(loss(&whole(), &with(|seen| seen.pin = PinState::Absent), &itself), None);
    for after in [
        with(|seen| seen.presence = Presence::NotFound),
        with(|seen| seen.presence = Presence::Unknown),
        with(|seen| seen.closure = Closure::Unknown),
        with(|seen| seen.closure = Closure::Broken(vec![Digest::sha256(b"layer")])),
        with(|seen| seen.parts.below.clear()),
        with(|seen| seen.parts.below[0].pin = PinState::Absent),
        with(|seen| seen.parts.below[0].pin = PinState::Unknown),
    ] {
        assert!(loss(&whole(), &after, &itself).is_some(), "{after:?}");
    }
    assert!(loss(&whole(), &with(|seen| seen.pin = PinState::Unknown), &none).is_some());
    // A pin of a part that was removed before is no loss.
    let both = BTreeSet::from([artifact("a"), artifact("child")]);
    let without = with(|seen| (seen.pin, seen.parts.below[0].pin) = (PinState::Absent, PinState::Absent));
    assert_eq!(loss(&whole(), &without, &both), None);
    // What was broken before is not lost now.
    let broken = with(|seen| seen.closure = Closure::Broken(vec![Digest::sha256(b"layer")]));
    assert_eq!(loss(&broken, &broken, &none), None);
}
