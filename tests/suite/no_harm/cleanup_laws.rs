//! The law in registries whose rules the source cannot read, over random repositories and rules of each (I22, F123).
//!
//! - Nothing said: no pin is made, so nobody's outlook changes.
//! - `cleanup: untagged` where that is so: no pin worsens any outlook, and what is called protected stays.
//! - `cleanup: none` where there are no rules, or where they leave pins alone: the same.
//! - That it is withheld is needed: under each engine there are rules with which a pin kills.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use prodpin::model::{ArtifactId, Pin, PinTerms, Recognised, RegistryKind, StatedCleanup};
use serde_json::json;

use super::cleanup_rules::{any_rules, none, only_untagged, retain, selector, zot_rules};
use super::cleanups::{Future, Registry, called_protected};
use super::law::{Engine, Left, decided, no_pin_after_a_failed_one_worsens_any_fate, no_pin_worsens_any_fate};
use crate::engines::world::{DAY, Item, Rules, World};
use crate::engines::{acr, quay, zot};

const KINDS: [RegistryKind; 6] = [
    RegistryKind::Harbor,
    RegistryKind::Zot,
    RegistryKind::Quay,
    RegistryKind::Azure,
    RegistryKind::Google,
    RegistryKind::GitLab,
];

/// Releases, some of them indexes with platforms that have no tag, or with one that has; builds with and without a tag;
/// signatures by subject; pins of an earlier run. No two were pushed at the same time.
fn items() -> impl Strategy<Value = (Vec<Item>, Vec<String>)> {
    let release = (0_i64..60, 0_u8..8, prop::option::of(0_i64..60), prop::bool::weighted(0.2));
    let other = (0_i64..60, 0_u8..6, prop::option::of(0_i64..60), any::<bool>());
    (prop::collection::vec(release, 1..7), prop::collection::vec(other, 0..6)).prop_map(|(releases, others)| {
        let mut items: Vec<Item> = Vec::new();
        let mut running = Vec::new();
        for (place, (days, shape, pulled, is_pinned)) in releases.into_iter().enumerate() {
            let name = format!("release {place}");
            let pushed = -days * DAY - 600 * i64::try_from(items.len()).unwrap() - 5_000;
            let mut release = Item::new(&name, &[&format!("v1.{place}.0")], pushed);
            release.pulled = pulled.map(|days| -days * DAY - 30 - i64::try_from(place).unwrap());
            if is_pinned {
                release.tags.push((Pin::for_digest(&release.digest).to_string(), pushed + 60));
            }
            if shape < 3 {
                release.is_index = true;
                for platform in 0..2 {
                    let child = format!("{name} platform {platform}");
                    let tag = format!("v1.{place}.0-arm64");
                    let tags = if shape == 2 && platform == 0 { vec![tag.as_str()] } else { Vec::new() };
                    items.push(Item::new(&child, &tags, pushed - 10 - platform));
                    release.children.push(child);
                }
            }
            if shape == 7 || shape == 0 {
                let mut signature = Item::new(&format!("{name} signature"), &[], pushed + 20);
                signature.subject = Some(name);
                items.push(signature);
            }
            items.push(release);
        }
        for (place, (days, shape, pulled, runs)) in others.into_iter().enumerate() {
            let name = format!("other {place}");
            let tag = ["latest", "main", "dev-1", "dev-2", "", ""][place.min(5)];
            let tag = if shape < 4 { tag } else { "" };
            let tags: Vec<&str> = [tag].into_iter().filter(|tag| !tag.is_empty()).collect();
            let mut other = Item::new(&name, &tags, -days * DAY - 600 * i64::try_from(items.len()).unwrap() - 7_000);
            other.pulled = pulled.map(|days| -days * DAY - 300 - i64::try_from(place).unwrap());
            // Something that has no tag any more may run.
            if runs && shape > 3 {
                running.push(name);
            }
            items.push(other);
        }
        (items, running)
    })
}

fn futures() -> impl Strategy<Value = Vec<Future>> {
    let pushed =
        prop::option::weighted(0.4, prop::sample::select(&["v2.0.0", "v3.0.0", "latest", "dev-9", "dev-1"][..]));
    prop::collection::vec(prop::collection::vec((0_u16..40, pushed), 1..6), 2)
}

/// A registry of that kind under these rules.
fn registries(rules: impl Strategy<Value = Rules>, stated: Option<StatedCleanup>) -> impl Strategy<Value = Registry> {
    (items(), rules).prop_map(move |((items, running), rules)| {
        let mut registry = Registry::new(World { items, rules, pins: 0 }, stated);
        registry.running = running;
        registry
    })
}

fn each(
    rules: impl Fn(RegistryKind) -> BoxedStrategy<Rules>,
    stated: Option<StatedCleanup>,
) -> impl Strategy<Value = Registry> {
    registries(prop::strategy::Union::new(KINDS.map(rules)), stated)
}

/// Once every pin is made that may be: whatever is called protected is whole at each moment of each future, and whatever is
/// pinned is there.
fn what_is_protected_stays(registry: &Registry, keep: u32, futures: &[Future]) -> Result<(), TestCaseError> {
    let (pinned, protected) = called_protected(registry, keep, PinTerms::default());
    for left in futures.iter().flat_map(|future| pinned.live(future)) {
        for artifact in &protected {
            let is_lost = left.get(artifact).is_none_or(|left| *left == Left::Gone);
            prop_assert!(!is_lost, "{artifact} was called protected, and is gone");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn where_rules_are_unread_and_nothing_is_said_no_pin_is_made_i22_f123(
        mut registry in each(|kind| any_rules(kind, false), None),
        keep in 1_u32..6,
        known in 0_u8..3,
    ) {
        registry.recognised = match known {
            0 => Recognised::Kind(registry.world.kind()),
            1 => Recognised::Before(registry.world.kind()),
            _ => Recognised::Unknown { detail: "GET /v2/: HTTP status 502".to_owned() },
        };
        let plan = decided(&registry, keep, PinTerms::default());
        prop_assert!(plan.pins.is_empty() && plan.claim.is_none());
        prop_assert!(plan.report.targets.iter().all(|target| target.protected != Some(true)), "nothing is proven");
    }

    #[test]
    fn no_pin_worsens_any_fate_where_only_the_untagged_is_taken_i22_f123_f126(
        registry in each(only_untagged, Some(StatedCleanup::Untagged)),
        keep in 1_u32..6,
        futures in futures(),
    ) {
        no_pin_worsens_any_fate(&registry, keep, PinTerms::default(), &futures, |_, _| false)?;
        what_is_protected_stays(&registry, keep, &futures)?;
    }

    /// A pin may be a push: the newest release is to be the newest push again once all are made (J42).
    #[test]
    fn releases_are_pinned_the_oldest_first_i22_f126(
        registry in each(|kind| any_rules(kind, false), Some(StatedCleanup::Unknown)),
        keep in 1_u32..6,
    ) {
        let pins = decided(&registry, keep, PinTerms::default()).pins;
        let place = |pin: &ArtifactId| {
            let item = registry.world.items.iter().find(|item| ArtifactId::from(item.digest.clone()) == *pin)?;
            item.tags.iter().find_map(|(tag, _)| tag.strip_prefix("v1.")?.strip_suffix(".0")?.parse::<u32>().ok())
        };
        let places: Vec<u32> = pins.iter().filter_map(place).collect();
        prop_assert!(places.is_sorted(), "{:?}", places);
    }

    #[test]
    fn no_pin_after_a_failed_one_worsens_any_fate_where_only_the_untagged_is_taken_i22_f126(
        registry in each(only_untagged, Some(StatedCleanup::Untagged)),
        keep in 1_u32..6,
        futures in futures(),
        fails: u8,
    ) {
        no_pin_after_a_failed_one_worsens_any_fate(&registry, keep, PinTerms::default(), &futures, fails)?;
    }

    #[test]
    fn no_pin_worsens_any_fate_where_nothing_is_taken_i22_f123(
        registry in each(|kind| Just(none(kind)).boxed(), Some(StatedCleanup::None)),
        keep in 1_u32..6,
        futures in futures(),
    ) {
        no_pin_worsens_any_fate(&registry, keep, PinTerms::default(), &futures, |_, _| false)?;
        what_is_protected_stays(&registry, keep, &futures)?;
    }

    /// `cleanup: none` is also for registries that leave pins alone; where platforms of an index are not, it is `untagged`.
    #[test]
    fn no_pin_worsens_any_fate_where_pins_are_exempt_as_the_finding_advises_i22_f123(
        mut registry in each(|kind| any_rules(kind, true), Some(StatedCleanup::None)),
        keep in 1_u32..6,
        futures in futures(),
    ) {
        if registry.world.kind() == RegistryKind::Google {
            registry.stated = Some(StatedCleanup::Untagged);
        }
        no_pin_worsens_any_fate(&registry, keep, PinTerms::default(), &futures, |_, _| false)?;
        what_is_protected_stays(&registry, keep, &futures)?;
    }
}

/// How many of so many random registries of that kind would have something worse off for the pins that would be made.
fn harmed(kind: RegistryKind, rules: &BoxedStrategy<Rules>, tries: usize) -> (usize, usize) {
    let mut runner = TestRunner::deterministic();
    let (mut harmed, mut killed) = (0, 0);
    for _ in 0..tries {
        let registry = registries(rules.clone(), Some(StatedCleanup::Unknown)).new_tree(&mut runner).unwrap().current();
        assert_eq!(registry.world.kind(), kind);
        let (pinned, _) = called_protected(&registry, 3, PinTerms::default());
        let future = vec![(1, None), (20, None)];
        let (without, with) = (registry.live(&future), pinned.live(&future));
        let worse = |left: &dyn Fn(Left) -> bool| {
            without.iter().zip(&with).any(|(without, with)| {
                without.iter().any(|(artifact, was)| left(with[artifact]) && with[artifact] > *was)
            })
        };
        harmed += usize::from(worse(&|_| true));
        killed += usize::from(worse(&|left| left == Left::Gone));
    }
    (harmed, killed)
}

/// Without it the law would hold of nothing: under every engine, pins that nobody withholds kill.
#[test]
fn pins_that_are_not_withheld_kill_under_every_engine_i22_k49_k53_k55_j44() {
    for kind in KINDS {
        let (harmed, killed) = harmed(kind, &any_rules(kind, false), 100);
        assert!(killed > 0, "{kind}: of 100 random registries {harmed} are worse off, {killed} lose something");
    }
}

/// Releases with these numbers, the oldest first, a day apart, and nothing else.
fn releases(number: i64) -> Vec<Item> {
    (0..number)
        .map(|place| Item::new(&format!("release {place}"), &[&format!("v1.{place}.0")], (place - 90) * DAY))
        .collect()
}

/// What is gone of so many releases the next day, before any pin and after all of five.
fn gone(rules: Rules, number: i64, stated: StatedCleanup) -> (Vec<String>, Vec<String>) {
    let registry = Registry::new(World { items: releases(number), rules, pins: 0 }, Some(stated));
    let (pinned, _) = called_protected(&registry, 5, PinTerms::default());
    assert_eq!(pinned.world.pins, 5, "all five are pinned");
    let lost = |registry: &Registry| {
        let left = registry.live(&vec![(1, None)]).remove(0);
        let items = registry.world.items.iter();
        items
            .filter(|item| left[&item.digest.clone().into()] != Left::Whole)
            .map(|item| item.tags[0].0.clone())
            .collect()
    };
    (lost(&registry), lost(&pinned))
}

/// The laws would hold if nothing were pinned: where a registry takes nothing but what has no tag, everything is, and called
/// protected.
#[test]
fn where_only_the_untagged_is_taken_every_target_is_pinned_and_protected_i22_f123() {
    for kind in KINDS {
        for stated in [StatedCleanup::None, StatedCleanup::Untagged] {
            let registry = Registry::new(World { items: releases(7), rules: none(kind), pins: 0 }, Some(stated));
            let (pinned, protected) = called_protected(&registry, 5, PinTerms::default());
            assert_eq!((pinned.world.pins, protected.len()), (5, 5), "{kind} {stated:?}");
        }
    }
}

/// The instances that were seen on real registries.
#[test]
fn rules_that_count_lose_releases_to_pins_that_are_not_withheld_k49_k53_k55_j44() {
    let zot = |keep_tags| Rules::Zot(zot::Zot { policies: vec![zot_rules(keep_tags, None)], ..zot::Zot::default() });
    let six = zot::Keep { most_recently_pushed: 6, ..zot::Keep::default() };
    // Pins are pulls there, and no pushes; which of a release's two names a place goes to is open.
    let (before, after) = gone(zot(vec![six]), 6, StatedCleanup::Unknown);
    assert!(before.is_empty() && after.len() >= 3, "{before:?} {after:?}");
    let policies = vec![quay::Policy { rule: quay::Rule::Count(6), pattern: None, matches: true }];
    let (before, after) = gone(Rules::Quay { policies, immutable_pins: false }, 8, StatedCleanup::Unknown);
    assert_eq!((before.len(), after.len()), (2, 7), "one release tag is left beside five pins (K53)");
    let purge = acr::Purge { filters: vec!["shop/api:.*".to_owned()], keep: 6, ..acr::Purge::default() };
    let (before, after) = gone(Rules::Acr(vec![purge]), 6, StatedCleanup::Unknown);
    assert_eq!((before.len(), after.len()), (0, 5), "five pins are newer than five releases (K49)");
}

/// Harbor takes a pin for a push, whatever keeps the pin itself: old releases that are pinned push out newer builds. So an
/// immutable tag and a rule that keeps it are not all that `cleanup: none` needs there.
#[test]
fn pins_that_are_exempt_are_pushes_in_harbor_all_the_same_j42_k55() {
    let pins = || selector("matches", "prod-pinned-*", false);
    let rules = |template| Rules::Harbor {
        retention: vec![retain("always", 0, pins()), retain(template, 8, selector("matches", "**", false))],
        immutable: vec![retain("immutable_template", 0, pins())],
        collects: false,
    };
    let builds =
        (0..6).map(|place| Item::new(&format!("build {place}"), &[&format!("main-{place}")], (place - 20) * DAY));
    let items: Vec<Item> = releases(5).into_iter().chain(builds).collect();
    for (template, lost) in [("latestPushedK", 3), ("nDaysSinceLastPush", 0)] {
        let mut registry =
            Registry::new(World { items: items.clone(), rules: rules(template), pins: 0 }, Some(StatedCleanup::None));
        if template != "latestPushedK" {
            let Rules::Harbor { retention, .. } = &mut registry.world.rules else { unreachable!() };
            retention[1].params = json!({ template: 60 });
        }
        let (pinned, protected) = called_protected(&registry, 5, PinTerms::default());
        assert_eq!(protected.len(), 5, "{template}");
        let future = vec![(1, None)];
        let (without, with) = (registry.live(&future).remove(0), pinned.live(&future).remove(0));
        let worse = without.iter().filter(|(artifact, was)| with[artifact] > **was).count();
        assert_eq!(worse, lost, "{template}");
    }
}
