//! Quay repositories through the door: what goes when, and that a pin which eats a slot is not made (I22, K53).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::effects::Stirred;
use super::super::{Known, Outlook, Situation, foreseen, outlook};
use crate::model::{
    ArtifactId, Certainty, Digest, Due, Gap, Pin, QuayCache, QuayImmutability, QuayPolicies, QuayPolicy,
    QuayRepository, QuayRow, QuayServer, QuayState, Retention, Scope, Snapshot,
};

const NOW: Timestamp = Timestamp::constant(1_796_000_000, 0);

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

fn digest(number: u8) -> Digest {
    Digest::sha256(&[number])
}

fn artifact(number: u8) -> ArtifactId {
    ArtifactId::Manifest(digest(number))
}

fn row(name: &str, number: u8, ago: i64) -> QuayRow {
    let start = NOW - days(ago);
    QuayRow { name: name.parse().unwrap(), digest: digest(number), start, end: None, immutable: false }
}

fn policy(method: &str, value: Value, pattern: Option<&str>, matches: Option<bool>) -> QuayPolicy {
    QuayPolicy { method: method.into(), value, pattern: pattern.map(Into::into), matches }
}

/// `v1` to `v8`, the newest a day old, under these policies of the organization.
fn releases(policies: Vec<QuayPolicy>) -> QuayRepository {
    QuayRepository {
        address: "https://quay.example.com".into(),
        namespace: "acme".into(),
        name: "shop".into(),
        rows: (1..=8).rev().map(|number| row(&format!("v{number}"), number, 9 - i64::from(number))).collect(),
        read: NOW,
        disputed: Vec::new(),
        server: Some(QuayServer {
            prunes: true,
            immutable_tags: true,
            immutable_tags_can_expire: false,
            caches: true,
            default_policy: None,
        }),
        of_namespace: QuayPolicies::Known(policies),
        own: QuayPolicies::Known(Vec::new()),
        state: Some(QuayState::Normal),
        immutability: Vec::new(),
        cache: QuayCache::None,
        time_machine: Some(14 * 86_400),
        locks_pins: false,
    }
}

fn at<T>(repository: &QuayRepository, pinned: &[u8], look: impl FnOnce(&Situation<'_>) -> T) -> T {
    let snapshot = Snapshot { retention: Retention::Quay(Box::new(repository.clone())), ..Snapshot::default() };
    let targets: BTreeSet<ArtifactId> = (1..=8).map(artifact).collect();
    look(&Situation {
        snapshot: &snapshot,
        targets: &targets,
        pinned: &pinned.iter().copied().map(artifact).collect(),
        inspections: &BTreeMap::new(),
        arrivals: &[],
        now: NOW,
    })
}

fn known(repository: &QuayRepository, pinned: &[u8]) -> Known {
    match at(repository, pinned, outlook) {
        Outlook::Known(known) => known,
        other => panic!("{other:?}"),
    }
}

/// Whether it goes now, of every release.
fn gone(repository: &QuayRepository, pinned: &[u8]) -> Vec<u8> {
    let known = known(repository, pinned);
    let is_now = |number: &u8| known.threats.get(&artifact(*number)).is_some_and(|threats| threats[0].due == Due::Now);
    (1..=8).filter(is_now).collect()
}

/// Keep 6, eight releases, five pinned: with mutable pins one release tag is left, and with immutable ones six are.
#[test]
fn a_mutable_pin_eats_a_slot_and_an_immutable_one_does_not_i22_k53() {
    let six = || policy("number_of_tags", json!(6), None, Some(true));
    let mut repository = releases(vec![six()]);
    assert_eq!(gone(&repository, &[]), [1, 2]);
    assert_eq!(gone(&repository, &[4, 5, 6, 7, 8]), [1, 2, 3]);
    let stirred = |repository: &QuayRepository| at(repository, &[], |it| super::stirred(it, repository, &artifact(4)));
    assert_eq!(stirred(&repository), Stirred::These((1..=8).map(artifact).collect()));
    // Between its push and its lock, and for good where that fails, a pin is a tag like others.
    repository.locks_pins = true;
    assert_eq!(gone(&repository, &[4, 5, 6, 7, 8]), [1, 2, 3]);
    let threat = known(&repository, &[4, 5, 6, 7, 8]).threats[&artifact(3)][0].clone();
    assert_eq!((&*threat.rule, threat.certainty), ("organization number_of_tags 6", Certainty::Possible));
    assert_eq!(stirred(&repository), Stirred::These((1..=8).map(artifact).collect()));
    // A policy that fits the whole name makes it immutable as it is pushed.
    for (pattern, matches, is_born) in
        [("prod-pinned-.*", true, true), ("^prod-pinned-", true, false), ("v.*", false, true), ("(", true, false)]
    {
        repository.immutability = vec![QuayImmutability { pattern: pattern.into(), matches }];
        let expected: &[u8] = if is_born { &[1, 2] } else { &[1, 2, 3] };
        assert_eq!(gone(&repository, &[4, 5, 6, 7, 8]), expected, "{pattern}");
        assert_eq!(stirred(&repository) == Stirred::Nobody, is_born, "{pattern}");
    }
    // Where there is room for all of them at once nothing is lost meanwhile.
    let mut roomy = releases(vec![policy("number_of_tags", json!(13), None, Some(true))]);
    roomy.locks_pins = true;
    assert_eq!(gone(&roomy, &[4, 5, 6, 7, 8]), Vec::<u8>::new());
    let pushes = |pinned: &[u8]| known(&roomy, pinned).threats[&artifact(1)][0].due.clone();
    assert_eq!(pushes(&[]), pushes(&[4, 5, 6, 7, 8]), "once they are immutable none counts them");
    // And what is pinned stays for good.
    assert_eq!(known(&repository, &[4]).threats.get(&artifact(4)), None);
    // A policy that does not look at pins is not changed by one.
    let of_releases = policy("number_of_tags", json!(6), Some("^v"), Some(true));
    assert_eq!(stirred(&releases(vec![of_releases])), Stirred::Nobody);
    assert_eq!(stirred(&releases(vec![policy("creation_date", json!("3d"), None, Some(true))])), Stirred::Nobody);
}

/// So many pushes later the worker itself takes it, and not one push before.
#[test]
fn what_goes_by_number_goes_after_as_many_pushes_as_the_worker_takes_it_after_k53() {
    for keep in 1..=10_u64 {
        let repository = releases(vec![policy("number_of_tags", json!(keep), None, Some(true))]);
        let known = known(&repository, &[]);
        for number in 1..=8 {
            let pushes = match &known.threats[&artifact(number)][0].due {
                Due::Now => 0,
                Due::AfterPushes { pushes, .. } => *pushes,
                Due::On(at) => panic!("{at}"),
            };
            for pushed in 0..12_u64 {
                let mut then = repository.clone();
                for new in 0..pushed {
                    let name = format!("new{new}");
                    then.rows.insert(0, row(&name, 100 + u8::try_from(new).unwrap(), 0));
                }
                assert_eq!(
                    gone(&then, &[]).contains(&number),
                    pushed >= pushes,
                    "keep {keep}, v{number}, {pushed} pushed"
                );
            }
        }
    }
}

#[test]
fn what_goes_by_age_or_expiry_has_a_date_and_the_last_tag_decides_k53() {
    let mut repository = releases(vec![policy("creation_date", json!("4d"), Some("^v"), Some(true))]);
    assert_eq!(gone(&repository, &[]), [1, 2, 3, 4], "older than four days; v5 is four days old to the millisecond");
    let due = |repository: &QuayRepository, number: u8| {
        known(repository, &[]).threats.get(&artifact(number)).map(|threats| threats[0].due.clone())
    };
    let ms = SignedDuration::from_millis(1);
    assert_eq!(due(&repository, 8), Some(Due::On(NOW + days(3) + ms)));
    repository.rows.insert(0, row("stable", 8, 0));
    assert_eq!(due(&repository, 8), None, "another tag keeps it");
    repository.rows[0].end = Some(NOW + days(30));
    assert_eq!(due(&repository, 8), Some(Due::On(NOW + days(30))));
    let taken = at(&repository, &[], |situation| foreseen(situation, NOW + days(1)).unwrap());
    assert_eq!(taken.keys().filter(|found| (1..=5).any(|number| **found == artifact(number))).count(), 5);
    repository.rows.iter_mut().for_each(|row| row.immutable = row.name.as_str() != "stable");
    assert_eq!(gone(&repository, &[]), Vec::<u8>::new(), "immutable tags are not pruned");
}

#[test]
fn both_ways_of_signatures_are_told_and_what_only_one_takes_is_possible_k53a() {
    let mut repository = releases(vec![policy("number_of_tags", json!(8), None, Some(true))]);
    let signature = format!("sha256-{}.sig", digest(8).hex());
    repository.rows.insert(0, row(&signature, 9, 0));
    let known = known(&repository, &[]);
    let first = &known.threats[&artifact(1)][0];
    assert_eq!((&first.due, first.certainty), (&Due::Now, Certainty::Possible), "it takes a place up to 3.18.0");
}

#[test]
fn tags_of_one_second_at_the_border_may_go_k53d() {
    let mut repository = releases(vec![policy("number_of_tags", json!(4), None, Some(true))]);
    repository.rows[4].start = repository.rows[3].start;
    let known = known(&repository, &[]);
    for number in [4, 5] {
        let threat = &known.threats[&artifact(number)][0];
        assert_eq!((&threat.due, threat.certainty), (&Due::Now, Certainty::Possible), "v{number}");
    }
}

#[test]
fn the_operators_policy_is_inverted_where_it_does_not_say_and_nothing_is_pruned_without_the_feature_k53b() {
    let mut repository = releases(Vec::new());
    assert_eq!(at(&repository, &[], outlook), Outlook::NoneSet);
    let of_operator = policy("number_of_tags", json!(1), Some("^dev-"), None);
    repository.server.as_mut().unwrap().default_policy = Some(of_operator);
    assert_eq!(gone(&repository, &[]), [1, 2, 3, 4, 5, 6, 7], "what does not fit is pruned");
    let mut off = repository.clone();
    off.server.as_mut().unwrap().prunes = false;
    assert_eq!(at(&off, &[], outlook), Outlook::NoneSet);
    repository.state = Some(QuayState::ReadOnly);
    assert_eq!(gone(&repository, &[]), Vec::<u8>::new(), "what is read-only is not pruned");
}

/// Whatever is pruned: a mirror loses what its upstream lacks, pins first.
#[test]
fn of_a_mirror_or_a_cache_nothing_is_called_safe_i7() {
    let other = |state: &str| QuayRepository { state: Some(QuayState::Other(state.into())), ..releases(Vec::new()) };
    let cache = |cache: QuayCache| QuayRepository { cache, ..releases(Vec::new()) };
    for (mut repository, said) in [
        (other("MIRROR"), "deletes what the upstream lacks"),
        (other("ORG_MIRROR"), "deletes what the upstream lacks"),
        (other("MARKED_FOR_DELETION"), "Quay is deleting it"),
        (other("ARCHIVED"), "is not known"),
        (cache(QuayCache::Of("docker.io".into())), "caches docker.io"),
        (cache(QuayCache::Unknown { detail: "HTTP status 403".to_owned() }), "HTTP status 403"),
    ] {
        for prunes in [true, false] {
            repository.server.as_mut().unwrap().prunes = prunes;
            let Outlook::Unknown { detail } = at(&repository, &[], outlook) else { panic!("{said}") };
            assert!(detail.contains(said), "{said}: {detail}");
            let stirred = at(&repository, &[], |situation| super::stirred(situation, &repository, &artifact(4)));
            assert!(matches!(stirred, Stirred::Unknown { .. }), "{said}");
        }
    }
    let cached = Retention::Quay(Box::new(cache(QuayCache::Of("docker.io".into()))));
    assert_eq!(cached.cached_from(), Some("docker.io"));
}

#[test]
fn what_could_not_be_read_is_unknown_and_a_pin_there_is_judged_by_nobody_i7() {
    let unread = || QuayPolicies::Unknown { detail: "grant org:admin".to_owned() };
    let whole = || releases(vec![policy("number_of_tags", json!(3), None, Some(true))]);
    let cases: [(QuayRepository, &str); 9] = [
        (QuayRepository { server: None, ..whole() }, "the server's configuration"),
        (QuayRepository { of_namespace: unread(), ..whole() }, "grant org:admin"),
        (QuayRepository { own: unread(), ..whole() }, "grant org:admin"),
        (QuayRepository { state: None, ..whole() }, "whether the repository is pruned"),
        (QuayRepository { disputed: vec!["v9".parse().unwrap()], ..whole() }, "not every tag"),
        (releases(vec![policy("number_of_tags", json!("three"), None, Some(true))]), "none that Quay takes"),
        (releases(vec![policy("keep_forever", json!(3), None, Some(true))]), "none that Quay takes"),
        (releases(vec![policy("number_of_tags", json!(3), Some("v["), Some(true))]), "PostgreSQL refuses"),
        (releases(vec![policy("number_of_tags", json!(3), Some("(v)*\\1"), Some(true))]), "not surely read"),
    ];
    for (repository, said) in cases {
        let Outlook::Unknown { detail } = at(&repository, &[], outlook) else { panic!("{said}") };
        assert!(detail.contains(said), "{said}: {detail}");
        assert!(at(&repository, &[], |situation| foreseen(situation, NOW)).is_none());
        let stirred = at(&repository, &[], |situation| super::stirred(situation, &repository, &artifact(4)));
        assert!(matches!(stirred, Stirred::Unknown { .. }), "{said}");
    }
    let repository = whole();
    let gap = Gap::new(Scope::Repository, crate::model::Cause::TimedOut, "");
    let retention = Retention::Quay(Box::new(repository));
    let snapshot = Snapshot { retention, gaps: vec![gap], ..Snapshot::default() };
    let (none, inspections) = (BTreeSet::new(), BTreeMap::new());
    let situation = Situation {
        snapshot: &snapshot,
        targets: &none,
        pinned: &none,
        inspections: &inspections,
        arrivals: &[],
        now: NOW,
    };
    assert!(matches!(outlook(&situation), Outlook::Unknown { .. }));
}

#[test]
fn a_pin_that_is_there_counts_once_and_goes_with_the_repository_without_pins() {
    let mut repository = releases(vec![policy("number_of_tags", json!(9), None, Some(true))]);
    let pin = Pin::for_digest(&digest(8)).to_string();
    repository.rows.insert(0, row(&pin, 8, 0));
    assert_eq!(gone(&repository, &[8]), Vec::<u8>::new());
    assert_eq!(known(&repository, &[8]).advice.len(), 1);
    let without = super::without(&repository, &super::super::zot_tags::is_pin).unwrap();
    assert_eq!(without.rows.len(), 8);
    assert_eq!(super::without(&without, &super::super::zot_tags::is_pin), None);
}

/// Of `v7` and `v8` one is kept, and of all tags six: whether `v2` is among those hangs on which comes first.
#[test]
fn what_hangs_on_an_order_that_quay_does_not_set_may_go_k53d() {
    let of_two = || policy("number_of_tags", json!(1), Some("^v[78]$"), Some(true));
    let of_all = || policy("number_of_tags", json!(6), None, Some(true));
    let fate = |repository: &QuayRepository| {
        let threat = known(repository, &[]).threats[&artifact(2)][0].clone();
        (threat.due, threat.certainty)
    };
    for policies in [vec![of_two(), of_all()], vec![of_all(), of_two()]] {
        assert_eq!(fate(&releases(policies)), (Due::Now, Certainty::Possible));
    }
    // An organization's comes before a repository's.
    let mut repository = releases(vec![of_all()]);
    repository.own = QuayPolicies::Known(vec![of_two()]);
    assert_eq!(fate(&repository), (Due::Now, Certainty::Certain));
    let mut other = releases(vec![of_two()]);
    other.own = QuayPolicies::Known(vec![of_all()]);
    assert!(!gone(&other, &[]).contains(&2), "v7 is gone by then");
    // The operator's runs at a time of its own.
    other.own = QuayPolicies::Known(Vec::new());
    other.server.as_mut().unwrap().default_policy = Some(of_all());
    assert_eq!(fate(&other), (Due::Now, Certainty::Possible));
}

#[test]
fn a_pin_that_is_to_be_made_immutable_is_judged_as_it_will_be_k52() {
    let mut repository = releases(vec![policy("number_of_tags", json!(8), None, Some(true))]);
    repository.locks_pins = true;
    repository.immutability = vec![QuayImmutability { pattern: "prod-pinned-.*".into(), matches: true }];
    let pin = Pin::for_digest(&digest(8)).to_string();
    repository.rows.insert(0, QuayRow { end: Some(NOW + days(1)), ..row(&pin, 8, 0) });
    assert_eq!(gone(&repository, &[]), [1], "as it is, it takes a place");
    let held = known(&repository, &[8]);
    assert!(!held.threats.contains_key(&artifact(8)) && held.advice.is_empty());
    assert_eq!(gone(&repository, &[8]), Vec::<u8>::new());
    // Under that name something else is no pin.
    repository.rows[0].digest = digest(7);
    assert_eq!(gone(&repository, &[8]), [1]);
}

/// Where a pin is said to stir nobody, nobody's fate is another with it.
#[test]
fn a_pin_that_stirs_nobody_changes_nobodys_outlook_i22() {
    let mut tried = 0;
    for keep in 1..=9_u64 {
        for pattern in [None, Some("^v"), Some("pinned"), Some("^v[1-4]$"), Some("^(v8|prod-)")] {
            for (matches, locks_pins) in [(true, false), (true, true), (false, false), (false, true)] {
                let ages = policy("creation_date", json!("5d"), Some("^v[1-3]$"), Some(true));
                let counts = policy("number_of_tags", json!(keep), pattern, Some(matches));
                let mut repository = releases(vec![ages, counts]);
                repository.locks_pins = locks_pins;
                for number in 1..=8 {
                    let stirred = at(&repository, &[], |it| super::stirred(it, &repository, &artifact(number)));
                    if stirred != Stirred::Nobody {
                        continue;
                    }
                    tried += 1;
                    let (without, with) = (known(&repository, &[]), known(&repository, &[number]));
                    for other in (1..=8).filter(|other| *other != number).map(artifact) {
                        let found = (without.threats.get(&other), with.threats.get(&other));
                        assert_eq!(found.0, found.1, "keep {keep} of {pattern:?} {matches}, pin of v{number}");
                    }
                }
            }
        }
    }
    assert!(tried > 500, "{tried}");
}
