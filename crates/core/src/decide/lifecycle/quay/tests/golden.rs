//! The guide's examples.

use super::super::collect::collect;
use super::super::doubt::{Run, run as run_all, undetermined};
use super::super::immutability::{ImmutabilityPolicy, ImmutabilityRefused};
use super::super::operation::{Done, Operation};
use super::super::pattern::TagPattern;
use super::super::pins::{with_pin, worsened};
use super::super::policy::{PolicyRefused, PrunePolicy};
use super::super::prune::{Failure, TaskRun};
use super::super::world::{Signatures, State, Task};
use super::worlds::{DAY, NOW, left, policy, releases, repository, run, world};

/// Keep six of eight releases, the five youngest pinned.
fn pinned(immutable: bool) -> super::super::world::World {
    let mut world = world(vec![policy("n0", 6, None, true)], vec![releases()]);
    for manifest in 0..5 {
        let (with, done) = with_pin(&world, 0, manifest, &format!("prod-pinned-{manifest}"), immutable, NOW - 1_000);
        assert_eq!(done, Done::Ok);
        world = with;
    }
    world
}

#[test]
fn k53_quay_a_mutable_pin_takes_the_place_of_a_release() {
    let bare = world(vec![policy("n0", 6, None, true)], vec![releases()]);
    let (without, with) = (run(&bare), run(&pinned(false)));
    assert_eq!(left(&without), ["v1.8.0", "v1.7.0", "v1.6.0", "v1.5.0", "v1.4.0", "v1.3.0"]);
    // Which of what began at one moment a count keeps is not determined, but all five pins are younger.
    let pins = ["prod-pinned-0", "prod-pinned-1", "prod-pinned-2", "prod-pinned-3", "prod-pinned-4"];
    assert_eq!(left(&with), [["v1.8.0"].as_slice(), &pins].concat());
    assert_eq!(worsened(&without, &with), [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5)]);
    let open = undetermined(&pinned(false), &[Run::Namespace], NOW, &with);
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn k53_quay_an_immutable_pin_takes_no_place() {
    let bare = world(vec![policy("n0", 6, None, true)], vec![releases()]);
    let (without, with) = (run(&bare), run(&pinned(true)));
    assert_eq!(left(&with).iter().filter(|name| name.starts_with('v')).count(), 6);
    assert_eq!(left(&with).len(), 11);
    assert_eq!(worsened(&without, &with), []);
}

#[test]
fn k53a_quay_signatures_take_places_up_to_3_18_0() {
    let mut shop = repository(&["a", "b", "c", "d", "v4", "v3", "v2", "v1"]);
    for index in 0..4 {
        shop.tags[index].name = format!("{}.sig", shop.manifests[4 + index].digest.replace(':', "-"));
    }
    let mut world = world(vec![policy("n0", 2, None, true)], vec![shop]);
    let releases = |world: &super::super::world::World| {
        let outcome = run(world);
        left(&outcome).into_iter().filter(|name| name.starts_with('v')).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(releases(&world), ["v4", "v3"]);
    // The signatures of what went, went too.
    assert_eq!(left(&run(&world)).len(), 4);
    world.signatures = Signatures::Ordinary;
    assert_eq!(releases(&world), Vec::<String>::new());
    assert_eq!(left(&run(&world)).len(), 2);
}

#[test]
fn k53b_quay_a_default_policy_that_says_nothing_of_its_pattern_is_inverted() {
    let read = |matches| PrunePolicy::read("default", "creation_date", &"1h".into(), Some("^v"), matches).unwrap();
    for (matches, expected) in [(None, ["v1"]), (Some(false), ["v1"]), (Some(true), ["main"])] {
        let mut world = world(vec![], vec![repository(&["v1", "main"])]);
        world.default_policy = Some(read(matches));
        let outcome = run_all(&world, &[Run::Registry], NOW);
        assert_eq!(left(&outcome), expected, "{matches:?}");
    }
}

#[test]
fn k53c_quay_a_prune_pattern_is_one_of_postgresql() {
    let fits = |pattern: &str, name: &str| TagPattern::postgres(pattern).ok().map(|pattern| pattern.fits(name).matches);
    for (pattern, name, expected) in [
        ("v1", "xv1.2", Some(true)),
        ("v1", "V1", Some(false)),
        (r"\bv1\b", "v1", Some(false)),
        (r"\yv1\y", "v1", Some(true)),
        (r"\yv1\y", "xv1", Some(false)),
        ("(?<n>v)1", "v1", None),
        ("(?P<n>v)1", "v1", None),
        (r"v1\z", "v1", None),
        (r"\p{L}", "v1", None),
        ("(?i)V1", "v1", Some(true)),
        ("^(?!prod-pinned-)", "prod-pinned-1", Some(false)),
    ] {
        assert_eq!(fits(pattern, name), expected, "{pattern}");
    }
}

#[test]
fn k53c_quay_a_pattern_whose_meaning_is_not_sure_is_told() {
    let sure = |read: Result<TagPattern, _>| read.unwrap().fits("v1").certain;
    // Too complex for some; a group that may be found to take another part; letters by locale.
    for pattern in ["(v{1,255}){1,255}1?", r"((v|v1)(1)?)\3?", r"(?i)v1|\u017f", r"(v)*1?\1?"] {
        assert!(!sure(TagPattern::postgres(pattern)), "{pattern}");
    }
    for pattern in ["v{255}|v1", r"(v|x)(1|2)\2?", "(?i)V1"] {
        assert!(sure(TagPattern::postgres(pattern)), "{pattern}");
    }
    // Fuzzy, recursive, of another version, of properties.
    for pattern in ["v1{e}", "(?V1)v1", r"\p{Greek}|v1", "(v)(?R)?1"] {
        assert!(!sure(TagPattern::python(pattern)), "{pattern}");
    }
    for pattern in ["v1", r"\p{L}\d", "(?i)V1", "(?:v+)+1", "(?<=(v)|x)1|v1"] {
        assert!(sure(TagPattern::python(pattern)), "{pattern}");
    }
    // Perhaps found only in more than a second; not found it is in no time.
    let slow = TagPattern::python("(?:(?:v+)+x|v+1)").unwrap();
    let long = "v".repeat(60);
    let fit = slow.fits(&format!("{long}1"));
    assert_eq!((fit.matches, fit.certain), (true, false));
    let fit = slow.fits(&format!("{long}2"));
    assert_eq!((fit.matches, fit.certain), (false, true));
    // A name that is none of a tag.
    assert!(!TagPattern::postgres("v").unwrap().fits("vé").certain);
}

#[test]
fn k53c_quay_an_invalid_pattern_ends_the_run_and_what_was_pruned_stays_pruned() {
    let policies = vec![policy("n0", "5d", None, true), policy("n1", 1, Some("("), true), policy("n2", 1, None, true)];
    let outcome = run(&world(policies, vec![releases(), releases()]));
    assert_eq!(outcome.task, TaskRun::Ended(Err(Failure::InvalidPattern)));
    assert_eq!(left(&outcome).len(), 5);
    assert!(outcome.world.repositories[1].tags.iter().all(|row| row.ended_by.is_none()));
    // Even where there is no tag at all.
    let nothing = run(&world(vec![policy("n0", 1, Some("("), true)], vec![repository(&[])]));
    assert_eq!(nothing.task, TaskRun::Ended(Err(Failure::InvalidPattern)));
}

#[test]
fn k53c_quay_a_policy_of_a_repository_that_is_not_normal_ends_the_run() {
    let mut mirror = releases();
    (mirror.state, mirror.prune) = (State::Other, vec![policy("r0", 1, None, true)]);
    let mut other = releases();
    other.prune = vec![policy("r1", "3d", None, true), policy("r2", 1, None, true)];
    let own = run(&world(vec![], vec![mirror.clone(), other.clone()]));
    assert_eq!(own.task, TaskRun::Ended(Err(Failure::RepositoryNotNormal)));
    // Ages came before.
    assert_eq!(own.trace.begun, [(1, "r1".to_owned())]);
    let under = run(&world(vec![policy("n0", 2, None, true)], vec![mirror, other]));
    assert_eq!(under.task, TaskRun::Ended(Ok(())));
    assert_eq!(left(&under).len(), 8);
}

#[test]
fn k52a_quay_an_immutability_pattern_fits_whole_names() {
    for (pattern, expected) in [("^prod-pinned-", false), ("prod-pinned-", false), ("prod-pinned-.*", true)] {
        let policy = ImmutabilityPolicy::read("i0", pattern, true).unwrap();
        assert_eq!(policy.covers("prod-pinned-0123"), (expected, true), "{pattern}");
    }
    for (pattern, refused) in [("", true), ("(", true), (&*"a".repeat(256), false), (&*"a".repeat(257), true)] {
        let read = ImmutabilityPolicy::read("i0", pattern, true).map(drop);
        assert_eq!(read, if refused { Err(ImmutabilityRefused::Invalid) } else { Ok(()) }, "{pattern}");
    }
}

#[test]
fn k52c_quay_a_pin_inherits_the_expiry_of_its_manifest() {
    let mut shop = repository(&["v1"]);
    shop.manifests[0].expires_after = Some("1d".to_owned());
    let mut world = world(vec![], vec![shop]);
    let pin = |tag: &str| Operation::Create { tag: tag.to_owned(), manifest: 0, restore: false };
    let immutable = |tag: &str| Operation::SetImmutable { tag: tag.to_owned(), immutable: true };
    assert_eq!(world.operate(0, &pin("pin"), NOW, "op0"), Done::Ok);
    assert_eq!(world.repositories[0].tags[1].end, Some(NOW + DAY));
    assert_eq!(world.operate(0, &immutable("pin"), NOW, "op1"), Done::RefusedExpirySet);
    let never = Operation::SetExpiration { tag: "pin".to_owned(), expires_s: None };
    assert_eq!(world.operate(0, &never, NOW, "op2"), Done::Ok);
    assert_eq!(world.operate(0, &immutable("pin"), NOW, "op3"), Done::Ok);
    for refused in [pin("pin"), Operation::Delete { tag: "pin".to_owned() }, Operation::DeleteManifest { manifest: 0 }]
    {
        assert_eq!(world.operate(0, &refused, NOW, "op4"), Done::RefusedImmutable);
    }
    world.repositories[0].manifests[0].immutable = Some(" TRUE ".to_owned());
    assert_eq!(world.operate(0, &pin("other"), NOW, "op5"), Done::Ok);
    let other = world.repositories[0].tags.last().unwrap();
    assert_eq!((other.immutable, other.end), (true, None));
}

#[test]
fn k53d_quay_age_is_strict_to_the_millisecond() {
    for (value, past, gone) in [
        ("1m", 60_000, false),
        ("1m", 60_001, true),
        ("1y", 365 * DAY, false),
        ("0d", 1, true),
        ("-5d", -4 * DAY, true),
    ] {
        let mut shop = repository(&["v1"]);
        shop.tags[0].start = NOW - past;
        let outcome = run(&world(vec![policy("n0", value, None, true)], vec![shop]));
        assert_eq!(left(&outcome).is_empty(), gone, "{value} {past}");
    }
}

#[test]
fn k53_quay_a_task_rests_for_an_hour_to_the_millisecond() {
    for (last, runs) in [(NOW - 3_600_000, false), (NOW - 3_600_001, true), (NOW - 1, false)] {
        let mut world = world(vec![policy("n0", 1, None, true)], vec![releases()]);
        world.task = Some(Task { last_ran: Some(last) });
        assert_eq!(run(&world).task == TaskRun::Ended(Ok(())), runs, "{last}");
    }
}

#[test]
fn k53d_quay_policies_that_are_refused() {
    let read = |method: &str, value: serde_json::Value, pattern| {
        PrunePolicy::read("n", method, &value, pattern, Some(true)).map(drop)
    };
    let refused = Err(PolicyRefused::Invalid);
    assert_eq!(read("number_of_tags", 0.into(), None), refused);
    assert_eq!(read("number_of_tags", (-1).into(), None), refused);
    assert_eq!(read("number_of_tags", "5".into(), None), refused);
    assert_eq!(read("number_of_tags", 2.0.into(), None), refused);
    assert_eq!(read("number_of_tags", true.into(), None), Ok(()));
    assert_eq!(read("creation_date", "7".into(), None), refused);
    assert_eq!(read("creation_date", "".into(), None), refused);
    assert_eq!(read("creation_date", "1000000000d".into(), None), Err(PolicyRefused::TooLong));
    assert_eq!(read("other", 1.into(), None), refused);
    assert_eq!(read("number_of_tags", 1.into(), Some("")), refused);
    assert_eq!(read("number_of_tags", 1.into(), Some("(")), Ok(()));
    let mut scope = vec![policy("n0", 1, None, true)];
    assert_eq!(policy("n1", 1, None, true).add_to(&mut scope), Err(PolicyRefused::Exists));
    assert_eq!(policy("n1", 1, None, false).add_to(&mut scope), Ok(()));
}

#[test]
fn k53d_quay_which_of_one_moment_a_count_keeps_is_told_as_open() {
    let mut shop = repository(&["a", "b", "c", "d"]);
    for row in &mut shop.tags[..3] {
        row.start = NOW - DAY;
    }
    let world = world(vec![policy("n0", 1, None, true)], vec![shop]);
    let outcome = run(&world);
    assert_eq!(left(&outcome).len(), 1);
    let open = undetermined(&world, &[Run::Namespace], NOW, &outcome);
    assert_eq!(open.ties, [(0, 0), (0, 1), (0, 2)].into());
    assert_eq!((open.policy_order.len(), open.task), (0, false));
}

#[test]
fn k53d_quay_what_depends_on_the_order_of_counts_is_told_as_open() {
    // First one of all, then one of those that are left but for the youngest release, or the other way round.
    let policies = vec![policy("n0", 2, None, true), policy("n1", 1, Some("^v"), true)];
    let world = world(policies, vec![repository(&["v3", "v2", "main", "dev"])]);
    let outcome = run(&world);
    assert_eq!(left(&outcome), ["v3"]);
    let open = undetermined(&world, &[Run::Namespace], NOW, &outcome);
    assert_eq!(open.policy_order, [(0, 2)].into());
    // The older release goes by either policy.
    assert_eq!((open.ties.len(), open.task), (0, false));
}

#[test]
fn k54_quay_what_ended_can_be_restored_until_the_window_closes() {
    let mut shop = repository(&["v2", "v1"]);
    shop.tags[1].end = Some(NOW - DAY);
    let base = world(vec![], vec![shop]);
    let gone = collect(&base, &base.repositories[0], NOW);
    assert_eq!(gone.manifests, [(1, NOW + 13 * DAY)].into());
    assert_eq!(gone.rows, [(1, NOW + 13 * DAY)].into());
    // By the API a digest without a living tag is not there, and restored it is.
    let operation = |restore| Operation::Create { tag: "pin".to_owned(), manifest: 1, restore };
    let mut world = base.clone();
    assert_eq!(world.operate(0, &operation(false), NOW, "op0"), Done::NotFound);
    assert_eq!(world.operate(0, &operation(true), NOW, "op1"), Done::Ok);
    assert_eq!(collect(&world, &world.repositories[0], NOW).manifests, [].into());
    // A referrer holds what it is about, without limit.
    let mut world = base;
    world.repositories[0].manifests[0].subject = Some(1);
    assert_eq!(collect(&world, &world.repositories[0], NOW).manifests, [].into());
}
