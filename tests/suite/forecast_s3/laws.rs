//! What holds for all rules and all keys.

use jiff::Timestamp;
use prodpin::decide::lifecycle::s3::{Act, Entry, EntryKind, Key, Lifecycle, TimelineStep, timeline};
use prodpin::model::{
    BucketExpiration, BucketLifecycle, BucketRule, BucketTransition, Certainty, Lock, LockMode, NoncurrentLimit,
    Replication, Retained, RuleFilter, StorageClass, TagSet, TransitionMinimum, Trigger, Versioning,
};
use proptest::prelude::*;

use super::literal::{DAY, Happened, Object, World};
use super::world::{KEY, now, tagged};

/// Days that are lived through.
const DAYS: i64 = 60;

/// A version or marker, before it stands anywhere.
#[derive(Debug, Clone)]
struct Made {
    is_marker: bool,
    /// In quarters of a day before now.
    age: i64,
    size: u64,
    tags: [bool; 2],
    class: &'static str,
    held: bool,
    /// In quarters of a day after now.
    retained: Option<i64>,
    /// What of it could not be read.
    unread_tags: bool,
    unread_lock: bool,
}

const TAGS: [(&str, &str); 2] = [("a", "1"), ("b", "2")];
const CLASSES: [&str; 4] = ["STANDARD_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"];

fn made(doubt: bool) -> impl Strategy<Value = Made> {
    let unread = move || if doubt { any::<bool>().boxed() } else { Just(false).boxed() };
    let class = prop_oneof![4 => Just("STANDARD"), 1 => prop::sample::select(&CLASSES[..])];
    let size = prop_oneof![Just(0_u64), Just(1_000), Just(131_071), Just(131_072), Just(1 << 20)];
    let retained = prop::option::weighted(0.2, -40_i64..160);
    (
        prop::bool::weighted(0.2),
        -8_i64..120,
        size,
        any::<[bool; 2]>(),
        class,
        prop::bool::weighted(0.2),
        retained,
        unread(),
        unread(),
    )
        .prop_map(|(is_marker, age, size, tags, class, held, retained, unread_tags, unread_lock)| Made {
            is_marker,
            age,
            size,
            tags,
            class,
            held,
            retained,
            unread_tags,
            unread_lock,
        })
}

fn trigger() -> impl Strategy<Value = Trigger> {
    prop_oneof![
        4 => (0_u32..40).prop_map(Trigger::Days),
        1 => (-60_i64..40).prop_map(|days| Trigger::Date(time(days * 4))),
    ]
}

fn limit() -> impl Strategy<Value = NoncurrentLimit> {
    (0_u32..30, prop_oneof![3 => Just(0_u32), 1 => 1_u32..3])
        .prop_map(|(days, keep_newer)| NoncurrentLimit { days, keep_newer })
}

fn transitions<W: std::fmt::Debug>(when: impl Strategy<Value = W>) -> impl Strategy<Value = Vec<BucketTransition<W>>> {
    let one = (prop::sample::select(&CLASSES[..]), when)
        .prop_map(|(class, when)| BucketTransition { class: StorageClass::new(class), when });
    prop::collection::vec(one, 0..2)
}

fn filter() -> impl Strategy<Value = RuleFilter> {
    let bound = || prop::option::weighted(0.15, prop_oneof![Just(0_u64), Just(1_000), Just(131_072)]);
    let prefix = prop_oneof![3 => Just(""), 2 => Just("api/"), 1 => Just("web/")];
    (prefix, any::<[bool; 2]>(), prop::bool::weighted(0.4), bound(), bound()).prop_map(
        |(prefix, tags, wants_tags, larger_than, smaller_than)| RuleFilter {
            written: true,
            prefix: prefix.into(),
            tags: if wants_tags { chosen(tags) } else { TagSet::new() },
            larger_than,
            smaller_than,
        },
    )
}

fn rules() -> impl Strategy<Value = BucketLifecycle> {
    let expiration = prop_oneof![
        4 => trigger().prop_map(BucketExpiration::Current),
        1 => Just(BucketExpiration::LoneMarkers),
    ];
    let rule = (
        prop::bool::weighted(0.9),
        filter(),
        prop::option::of(expiration),
        prop::option::of(limit()),
        transitions(trigger()),
        transitions(limit()),
    )
        .prop_map(|(enabled, filter, expiration, noncurrent_expiration, transitions, noncurrent_transitions)| {
            BucketRule {
                id: "".into(),
                enabled,
                filter,
                expiration,
                noncurrent_expiration,
                transitions,
                noncurrent_transitions,
                abort_uploads_after: None,
            }
        });
    let minimum = prop_oneof![Just(TransitionMinimum::AllClasses), Just(TransitionMinimum::VariesByClass)];
    (prop::collection::vec(rule, 0..5), minimum).prop_map(|(mut rules, minimum)| {
        for (number, rule) in rules.iter_mut().enumerate() {
            rule.id = format!("r{number}").into();
        }
        BucketLifecycle { rules, minimum }
    })
}

/// A bucket's versioning with entries that it can have, newest first.
fn scene(doubt: bool) -> impl Strategy<Value = (Versioning, Vec<Made>, Option<usize>)> {
    let versioning = prop_oneof![Just(Versioning::Off), Just(Versioning::Enabled), Just(Versioning::Suspended)];
    (versioning, prop::collection::vec(made(doubt), 1..6), prop::option::of(0_usize..6)).prop_map(
        |(versioning, mut made, null)| {
            made.sort_by_key(|made| made.age);
            if versioning == Versioning::Off {
                made.truncate(1);
                made[0].is_marker = false;
                return (versioning, made, Some(0));
            }
            let null = null.filter(|place| *place < made.len());
            (versioning, made, null)
        },
    )
}

fn chosen(tags: [bool; 2]) -> TagSet {
    let wanted: Vec<(&str, &str)> =
        TAGS.into_iter().zip(tags).filter(|(_, wanted)| *wanted).map(|(tag, _)| tag).collect();
    tagged(&wanted)
}

/// So many quarters of a day from now.
fn time(quarters: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() + quarters * DAY / 4).unwrap()
}

fn horizon() -> Timestamp {
    time(DAYS * 4)
}

fn key<'a>(made: &[Made], null: Option<usize>, tags: &'a [TagSet]) -> Key<'a> {
    let entry = |(place, made): (usize, &Made)| {
        let kind = if made.is_marker {
            EntryKind::Marker
        } else {
            let retained = made
                .retained
                .map_or(Retained::No, |until| Retained::Until { mode: LockMode::Governance, until: time(until) });
            EntryKind::Version {
                size: Some(made.size),
                tags: (!made.unread_tags).then(|| &tags[place]),
                class: StorageClass::new(made.class),
                lock: if made.unread_lock { Lock::UNKNOWN } else { Lock { hold: Some(made.held), retained } },
                replication: Replication::Settled,
            }
        };
        let id = if null == Some(place) { "null" } else { ["v0", "v1", "v2", "v3", "v4", "v5"][place] };
        Entry { id, modified: time(-made.age), kind }
    };
    Key { key: KEY, entries: made.iter().enumerate().map(entry).collect() }
}

fn objects(made: &[Made], null: Option<usize>) -> Vec<Object> {
    let object = |(place, made): (usize, &Made)| Object {
        place: Some(place),
        is_marker: made.is_marker,
        is_null: null == Some(place),
        written: time(-made.age).as_second(),
        size: made.size,
        tags: if made.is_marker {
            Vec::new()
        } else {
            chosen(made.tags).iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
        },
        class: made.class.to_owned(),
        held: made.held && !made.is_marker,
        retained_until: made.retained.filter(|_| !made.is_marker).map(|until| time(until).as_second()),
        since: None,
    };
    made.iter().enumerate().map(object).collect()
}

fn simulated(rules: &BucketLifecycle, versioning: Versioning, made: &[Made], null: Option<usize>) -> Vec<TimelineStep> {
    let tags: Vec<TagSet> = made.iter().map(|made| chosen(made.tags)).collect();
    timeline(&Lifecycle::new(rules), versioning, &key(made, null, &tags), now(), horizon())
}

fn lived(
    rules: &BucketLifecycle,
    versioning: Versioning,
    made: &[Made],
    null: Option<usize>,
    markers_count: bool,
) -> Vec<Happened> {
    let world = World { key: KEY, rules, versioning, markers_count, objects: objects(made, null) };
    world.live(now().as_second(), horizon().as_second())
}

fn word(act: &Act) -> String {
    match act {
        Act::Deletes => "deletes".to_owned(),
        Act::Hides => "hides".to_owned(),
        Act::RemovesMarker => "removes".to_owned(),
        Act::Moves(class) => class.to_string(),
    }
}

/// Everything that may be true where something could not be read.
fn worlds(made: &[Made]) -> Vec<Vec<Made>> {
    let mut worlds = vec![Vec::new()];
    for made in made {
        let tags: Vec<[bool; 2]> = match made.unread_tags && !made.is_marker {
            true => vec![[false, false], [true, false], [false, true], [true, true]],
            false => vec![made.tags],
        };
        let locks: Vec<(bool, Option<i64>)> = match made.unread_lock && !made.is_marker {
            true => vec![(false, None), (true, None)],
            false => vec![(made.held, made.retained)],
        };
        let mut next = Vec::new();
        for world in &worlds {
            for tags in &tags {
                for (held, retained) in &locks {
                    let mut world: Vec<Made> = world.clone();
                    world.push(Made { tags: *tags, held: *held, retained: *retained, ..made.clone() });
                    next.push(world);
                }
            }
        }
        worlds = next;
    }
    worlds
}

fn has_counts(rules: &BucketLifecycle) -> bool {
    rules.rules.iter().any(|rule| {
        rule.noncurrent_expiration.is_some_and(|limit| limit.keep_newer > 0)
            || rule.noncurrent_transitions.iter().any(|transition| transition.when.keep_newer > 0)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Where everything is known, the simulator and the literal reading agree on every event.
    #[test]
    fn the_simulator_does_what_the_rules_say_word_by_word_b71(rules in rules(), (versioning, mut made, null) in scene(false)) {
        if has_counts(&rules) {
            // Whether markers count is not known (B70).
            made.retain(|made| !made.is_marker);
        }
        // Sizes of markers are not known either, and nothing else depends on them.
        let sized = |rule: &BucketRule| rule.filter.larger_than.is_some() || rule.filter.smaller_than.is_some();
        if rules.rules.iter().any(sized) {
            made.retain(|made| !made.is_marker);
        }
        let null = null.filter(|place| *place < made.len());
        let steps = simulated(&rules, versioning, &made, null);
        let literal = lived(&rules, versioning, &made, null, false);
        let mut found: Vec<(i64, usize, String)> =
            steps.iter().map(|step| (step.at.as_second(), step.entry.unwrap(), word(&step.act))).collect();
        let mut expected: Vec<(i64, usize, String)> =
            literal.iter().map(|what| (what.at, what.place, what.what.clone())).collect();
        found.sort();
        expected.sort();
        prop_assert_eq!(&found, &expected, "{:#?}\n{:#?}", steps, literal);
        for step in &steps {
            prop_assert_eq!(step.certainty, Certainty::Certain);
            let named = literal.iter().any(|what| {
                what.at == step.at.as_second() && Some(what.place) == step.entry && what.rules.contains(&step.rule)
            });
            prop_assert!(named, "{:?} is not by a rule that would: {:?}", step, literal);
        }
    }

    /// Where something could not be read: what happens in some world is reported at least as soon, and what is reported for
    /// certain happens in every world, no later.
    #[test]
    fn possible_covers_every_world_and_certain_holds_in_all_f48(
        rules in rules(),
        (versioning, made, null) in scene(true).prop_filter("few enough worlds", |(_, made, _)| {
            let count = |which: fn(&Made) -> bool| made.iter().filter(|made| !made.is_marker && which(made)).count();
            2 * count(|made| made.unread_tags) + count(|made| made.unread_lock) <= 4
        }),
    ) {
        let steps = simulated(&rules, versioning, &made, null);
        let loses = |what: &str| matches!(what, "deletes" | "hides" | "GLACIER" | "DEEP_ARCHIVE");
        for world in worlds(&made) {
            for markers_count in [false, true] {
                let literal = lived(&rules, versioning, &world, null, markers_count);
                for what in literal.iter().filter(|what| what.what == "deletes") {
                    let reported = steps.iter().any(|step| {
                        step.entry == Some(what.place) && step.act == Act::Deletes && step.at.as_second() <= what.at
                    });
                    prop_assert!(reported, "not told: {:?} in {:?}\n{:#?}", what, world, steps);
                }
                for step in steps.iter().filter(|step| step.certainty == Certainty::Certain && step.act == Act::Deletes) {
                    let happens = literal.iter().any(|what| {
                        Some(what.place) == step.entry && what.what == "deletes" && what.at <= step.at.as_second()
                    });
                    prop_assert!(happens, "not certain: {:?} in {:?}\n{:#?}", step, world, literal);
                }
                for what in literal.iter().filter(|what| loses(&what.what)) {
                    // Deleted at once, it is not hidden first.
                    let reported = steps.iter().any(|step| {
                        step.entry == Some(what.place)
                            && (word(&step.act) == what.what || step.act == Act::Deletes || matches!(&step.act, Act::Moves(class) if class.is_archive()))
                    });
                    prop_assert!(reported, "not told at all: {:?} in {:?}\n{:#?}", what, world, steps);
                }
            }
        }
    }

    /// A longer look only adds.
    #[test]
    fn a_later_as_of_never_un_expires(rules in rules(), (versioning, made, null) in scene(true), days in 0_i64..DAYS) {
        let tags: Vec<TagSet> = made.iter().map(|made| chosen(made.tags)).collect();
        let key = key(&made, null, &tags);
        let lifecycle = Lifecycle::new(&rules);
        let early = timeline(&lifecycle, versioning, &key, now(), time(days * 4));
        let late = timeline(&lifecycle, versioning, &key, now(), horizon());
        prop_assert_eq!(&late[..early.len()], &early[..]);
        prop_assert!(late[early.len()..].iter().all(|step| step.at > time(days * 4)));
    }

    /// Lifecycle never deletes what is held (B74), whatever else it does to it.
    #[test]
    fn a_held_version_is_never_deleted_b74(rules in rules(), (versioning, mut made, null) in scene(true), held in 0_usize..5) {
        let held = held % made.len();
        made[held] = Made { held: true, unread_lock: false, ..made[held].clone() };
        let steps = simulated(&rules, versioning, &made, null);
        prop_assert!(steps.iter().all(|step| step.entry != Some(held) || step.act != Act::Deletes), "{:#?}", steps);
    }

    /// A hold costs no other version its bytes, as long as no rule counts. Where one does, it can:
    /// `b70_a_hold_on_one_version_can_give_up_an_older_one`.
    #[test]
    fn a_hold_endangers_no_other_version_unless_rules_count_b70(
        rules in rules().prop_filter("no rule counts", |rules| !has_counts(rules)),
        (versioning, made, null) in scene(false),
        held in 0_usize..5,
    ) {
        let held = held % made.len();
        let mut pinned = made.clone();
        pinned[held].held = true;
        let lost = |made: &[Made]| -> Vec<(usize, i64)> {
            let steps = simulated(&rules, versioning, made, null);
            let lost = steps.iter().filter(|step| step.act == Act::Deletes && step.entry != Some(held));
            lost.map(|step| (step.entry.unwrap(), step.at.as_second())).collect()
        };
        prop_assert_eq!(lost(&made), lost(&pinned));
    }

    /// The order in which rules are written says nothing (B67).
    #[test]
    fn rules_have_no_order_b67(rules in rules(), (versioning, made, null) in scene(true)) {
        let mut turned = rules.clone();
        turned.rules.reverse();
        prop_assert_eq!(simulated(&rules, versioning, &made, null), simulated(&turned, versioning, &made, null));
    }
}
