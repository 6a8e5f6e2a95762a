//! Which rule comes to reach a target, and when.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use prodpin::decide::lifecycle::ecr::{Pace, Push, threats, with_pins};
use prodpin::model::{Certainty, Due, EcrImage, Effect, ImageStatus, Threat};

use super::world::*;

const CERTAIN: Certainty = Certainty::Certain;
const POSSIBLE: Certainty = Certainty::Possible;

fn brief(threats: &[Threat]) -> Vec<(&str, Effect, Due, Certainty)> {
    threats.iter().map(|threat| (&*threat.rule, threat.effect, threat.due.clone(), threat.certainty)).collect()
}

fn in_days(days: i64) -> Timestamp {
    ago(0) + SignedDuration::from_hours(days * 24)
}

/// One release a day, the newest today.
fn daily(count: i64) -> World {
    World::with_images((0..count).map(|day| image(&day.to_string(), &[&format!("v{}", count - day)], day)))
}

#[test]
fn a51_a_pinned_target_under_a_claim_rule_has_no_threats() {
    let world = daily(20);
    let pinned = BTreeSet::from([digest("10")]);
    let world = World { images: with_pins(&world.images, &pinned).into_owned(), ..world };
    let below = [keep(2, tagged(&["v*"]), 5), age(3, any_tag(), 3)];
    let with = policy([claim(1, 9999)].into_iter().chain(below.clone()));
    assert_eq!(world.threats(&with, "10"), []);
    assert_eq!(brief(&world.threats(&policy(below), "10")), [("2", Effect::Deletes, Due::Now, CERTAIN)]);
}

#[test]
fn a_count_rule_reaches_a_target_after_so_many_pushes_at_the_pace_of_the_past() {
    let threats = daily(20).threats(&policy([keep(1, tagged(&["v*"]), 30)]), "4");
    let [threat] = &threats[..] else { panic!("{threats:?}") };
    let Due::AfterPushes { pushes: 26, around: Some(around) } = threat.due else { panic!("{threat:?}") };
    assert!(around >= in_days(26) && around <= in_days(28), "{around}");
    assert_eq!((threat.certainty, threat.effect), (CERTAIN, Effect::Deletes));
    assert!(threat.why.contains("number 5") && threat.why.contains("26 more pushes"), "{}", threat.why);
}

#[test]
fn a38_the_place_in_a_count_is_the_worst_admissible() {
    let mut world = daily(3);
    world.images.push(EcrImage { pushed: None, ..image("lost", &["v9"], 0) });
    let threats = world.threats(&policy([keep(1, tagged(&["v*"]), 30)]), "0");
    assert!(matches!(threats[0].due, Due::AfterPushes { pushes: 29, .. }), "{threats:?}");
    assert_eq!(threats[0].certainty, POSSIBLE);
}

#[test]
fn a_claim_rule_is_a_threat_once_pins_to_come_may_fill_it() {
    let pins =
        |count: i64| World::with_images((0..count).map(|day| image(&day.to_string(), &[&pin(&day.to_string())], day)));
    // Ten times as many, and a hundred left: the shield that pins rely on.
    assert_eq!(pins(20).threats(&policy([claim(1, 200)]), "19"), []);
    let [threat] = &pins(21).threats(&policy([claim(1, 200)]), "20")[..] else { panic!() };
    assert!(
        matches!(threat.due, Due::AfterPushes { pushes: 180, .. }) && threat.why.contains("180 more pins"),
        "{threat:?}"
    );
    assert_eq!(pins(1).threats(&policy([claim(1, 101)]), "0"), []);
    assert_eq!(pins(1).threats(&policy([claim(1, 100)]), "0").len(), 1);
    assert_eq!(brief(&pins(21).threats(&policy([claim(1, 20)]), "20")), [("1", Effect::Deletes, Due::Now, CERTAIN)]);
}

#[test]
fn a_count_rule_that_serves_more_than_pins_is_a_threat_however_high_its_count() {
    let world = World::with_images([image("x", &["prod-pinned-1"], 3)]);
    assert_eq!(world.threats(&policy([keep(1, tagged(&["prod-*"]), 9999)]), "x").len(), 1);
    assert_eq!(world.threats(&policy([keep(1, any_tag(), 9999)]), "x").len(), 1);
}

#[test]
fn a51_a_claim_by_age_is_a_threat_with_its_date() {
    let world = World::with_images([image("x", &["prod-pinned-1"], 3)]);
    let threats = world.threats(&policy([age(1, tagged(&["prod-pinned-*"]), 10)]), "x");
    assert_eq!(brief(&threats), [("1", Effect::Deletes, Due::On(in_days(7)), CERTAIN)]);
}

#[test]
fn age_rules_have_a_date_and_only_the_governing_rule_threatens() {
    let world = World::with_images([image("x", &["v1"], 3)]);
    let rules = policy([age(1, tagged(&["v*"]), 30), age(2, any_tag(), 5)]);
    assert_eq!(brief(&world.threats(&rules, "x")), [("1", Effect::Deletes, Due::On(in_days(27)), CERTAIN)]);
    assert_eq!(world.threats(&policy([age(1, tagged(&["dev*"]), 1)]), "x"), []);
    assert_eq!(world.threats(&policy([age(1, any_tag(), u64::MAX)]), "x"), []);
}

#[test]
fn a31_a_pull_puts_the_date_off_so_it_is_the_earliest() {
    let pulled = EcrImage { pulled: Some(ago(2)), ..image("x", &["v1"], 300) };
    let rules = policy([since(1, any_tag(), "sinceImagePulled", 30, transition())]);
    let threats = World::with_images([pulled]).threats(&rules, "x");
    assert_eq!(brief(&threats), [("1", Effect::Archives, Due::On(in_days(28)), POSSIBLE)]);
    assert!(threats[0].why.contains("a pull puts it off"));
}

#[test]
fn a44_what_is_archived_is_deleted_from_the_archive_later() {
    let world = World::with_images([image("x", &["v1"], 3), image("y", &["v2"], 40)]);
    let archiving = since(1, tagged(&["v*"]), "sinceImagePushed", 30, transition());
    let rules = policy([archiving, archive_age(2, any_tag(), 90)]);
    assert_eq!(
        brief(&world.threats(&rules, "x")),
        [
            ("1", Effect::Archives, Due::On(in_days(27)), CERTAIN),
            ("2", Effect::Deletes, Due::On(in_days(117)), CERTAIN),
        ]
    );
    let due = now() + SignedDuration::from_hours(90 * 24);
    assert_eq!(
        brief(&world.threats(&rules, "y")),
        [("1", Effect::Archives, Due::Now, CERTAIN), ("2", Effect::Deletes, Due::On(due), CERTAIN),]
    );
    assert_eq!(
        brief(&World::with_images([archived("z", &["v3"], 80)]).threats(&rules, "z")),
        [("2", Effect::Deletes, Due::On(in_days(10)), CERTAIN)]
    );
}

#[test]
fn f43_an_image_between_the_classes_is_threatened_by_both() {
    let world = World::with_images([EcrImage { status: ImageStatus::Activating, ..archived("x", &["v1"], 80) }]);
    let threats = world.threats(&policy([age(1, tagged(&["v*"]), 300), archive_age(2, any_tag(), 90)]), "x");
    assert_eq!(
        threats.iter().map(|threat| (&*threat.rule, threat.certainty)).collect::<Vec<_>>(),
        [("2", POSSIBLE), ("1", POSSIBLE)]
    );
}

#[test]
fn a33_a_child_is_threatened_once_all_its_parents_are() {
    let world = || World::with_images([image("one", &["v1"], 9), image("two", &["w1"], 5), image("child", &[], 20)]);
    let both = || world().lists("one", &["child"]).lists("two", &["child"]);
    let untagged_rule = age(3, untagged(), 14);
    assert_eq!(both().threats(&policy([untagged_rule.clone()]), "child"), [], "held for good");
    let one = policy([age(1, tagged(&["v*"]), 30), untagged_rule.clone()]);
    assert_eq!(both().threats(&one, "child"), [], "the second still holds it");
    let all = policy([age(1, tagged(&["v*"]), 30), age(2, tagged(&["w*"]), 30), untagged_rule]);
    let threats = both().threats(&all, "child");
    assert_eq!(brief(&threats), [("3", Effect::Deletes, Due::On(in_days(25)), CERTAIN)], "the later of the dates");
    assert!(threats[0].why.contains("by rule 1") && threats[0].why.contains("by rule 2"), "{}", threats[0].why);
    assert_eq!(brief(&world().threats(&all, "child")), [("3", Effect::Deletes, Due::Now, CERTAIN)]);
}

#[test]
fn a33_a_child_of_an_index_that_a_count_rule_reaches_waits_for_its_pushes() {
    let world = World::with_images([image("index", &["v1"], 9), image("child", &[], 20)]).lists("index", &["child"]);
    let threats = world.threats(&policy([keep(1, tagged(&["v*"]), 5), age(2, untagged(), 14)]), "child");
    assert_eq!(brief(&threats), [("2", Effect::Deletes, Due::AfterPushes { pushes: 5, around: None }, CERTAIN)]);
}

#[test]
fn a35_a_referrer_is_threatened_by_what_threatens_its_subject() {
    let refers = EcrImage { subject: Some(digest("x")), ..image("signature", &[], 9) };
    let world = World::with_images([image("x", &["v1"], 3), refers]);
    let threats = world.threats(&policy([age(1, tagged(&["v*"]), 30)]), "signature");
    assert_eq!(brief(&threats), [("1", Effect::Deletes, Due::On(in_days(27)), CERTAIN)]);
    let direct = world.threats(&policy([age(1, tagged(&["v*"]), 30), age(2, untagged(), 14)]), "signature");
    assert_eq!(
        direct.iter().map(|threat| (&*threat.rule, threat.certainty)).collect::<Vec<_>>(),
        [("2", POSSIBLE), ("1", CERTAIN)]
    );
}

#[test]
fn the_pace_is_that_of_what_the_rule_counts_with_images_that_are_gone() {
    let rules = policy([keep(1, tagged(&["v*"]), 3), keep(2, tagged(&["dev*"]), 100)]);
    let around = |world: &World, ledger: &[Push]| {
        let targets = BTreeSet::from([digest("0")]);
        let pace = Pace::measure(&world.images, ledger, now());
        match &threats(&rules, &world.repository(), &targets, now(), &pace)[&digest("0")][0].due {
            Due::AfterPushes { around, .. } => *around,
            due => panic!("{due:?}"),
        }
    };
    let lone = World::with_images([image("0", &["v1"], 20), image("d1", &["dev1"], 1), image("d2", &["dev2"], 2)]);
    assert_eq!(around(&lone, &[]), None, "one push tells no rate, and those of others are of no matter");
    let push = |name: &str, days: i64, text: &str| Push { digest: digest(name), tags: vec![tag(text)], at: ago(days) };
    let past = [push("p", 30, "v0"), push("p2", 40, "v00"), push("q", 35, "dev"), push("0", 20, "v1")];
    let reported = around(&lone, &past).unwrap();
    // Every ten days, and quiet for twice as long: three more in some 40 days.
    assert!(reported > in_days(30) && reported < in_days(50), "{reported}");
    let future = [push("p", -30, "v0")];
    assert_eq!(around(&lone, &future), None, "what is on record as yet to come tells nothing");
}

#[test]
fn a_target_that_is_not_there_has_no_threats_here() {
    assert_eq!(World::with_images([image("x", &[], 9)]).threats(&policy([age(1, any_tag(), 1)]), "y"), []);
}

#[test]
fn a43_an_archived_image_gets_no_pin_before_it_is_restored() {
    let images = [archived("x", &["v1"], 3), image("y", &["v2"], 3), image("z", &[&pin("z")], 3)];
    let after = with_pins(&images, &["x", "y", "z"].map(digest).into());
    let pins: Vec<usize> = after
        .iter()
        .map(|image| image.tags.iter().filter(|tag| tag.as_str().starts_with("prod-pinned-")).count())
        .collect();
    assert_eq!(pins, [0, 1, 1]);
}
