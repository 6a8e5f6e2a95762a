//! Laws over random policies and repositories.

mod drawn;
mod readings;

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use prodpin::decide::lifecycle::ecr::{Lifecycle, evaluate, only_claims, recommend, renumbered, with_pins};
use prodpin::model::{Certainty, Digest, Due, EcrImage, Effect, ImageStatus};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use self::drawn::{PATTERNS, drafts, with_parts, world};
use self::readings::read_all;
use super::literal;
use super::literal::Reading;
use super::world::*;

pub(super) use self::drawn::policies;

type Suffered = BTreeSet<(Digest, u64, &'static str)>;

fn simulated(world: &World, policy: &Value, least: Certainty) -> Suffered {
    let actions = world.actions(&parse(policy)).into_iter().filter(|action| action.certainty <= least);
    let kind = |effect| if effect == Effect::Deletes { "expire" } else { "transition" };
    actions.map(|action| (action.digest, action.priority.into(), kind(action.effect))).collect()
}

/// Children of indexes, and whatever refers to one, or to what refers to one. Images refer to earlier ones.
fn doubtful(world: &World) -> BTreeSet<Digest> {
    let mut doubtful: BTreeSet<Digest> = world.parts.values().flatten().cloned().collect();
    for image in &world.images {
        if image.subject.as_ref().is_some_and(|subject| doubtful.contains(subject)) {
            doubtful.insert(image.digest.clone());
        }
    }
    doubtful
}

fn effects(suffered: &Suffered) -> BTreeSet<(Digest, &'static str)> {
    suffered.iter().map(|(digest, _, kind)| (digest.clone(), *kind)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Where all is documented, the simulator says what the guide's words say, and says that it is certain.
    #[test]
    fn a29_to_a32_it_agrees_with_the_guides_words(policy in policies(), drafts in drafts(false, 24)) {
        let world = world(&drafts, false);
        let mut order: Vec<&EcrImage> = world.images.iter().collect();
        order.sort_by_key(|image| std::cmp::Reverse(image.activated.or(image.pushed)));
        let reading = Reading {
            newest_first: order.into_iter().map(|image| image.digest.clone()).collect(),
            ancient: BTreeSet::new(),
            between: BTreeMap::new(),
            judges_referrers: true,
            archives_referrers: true,
            boundary_is_older: true,
            archived_holds: true,
        };
        let expected = literal::suffers(&policy, &world.images, &world.parts, now(), &reading);
        prop_assert_eq!(simulated(&world, &policy, Certainty::Certain), expected.clone());
        prop_assert_eq!(simulated(&world, &policy, Certainty::Possible), expected);
    }

    /// Whatever goes in some admissible reading is at risk; what goes in all is certain, and nothing else.
    #[test]
    fn a38_possible_is_the_union_and_certain_the_intersection_of_all_readings(
        policy in policies(),
        drafts in drafts(true, 4),
    ) {
        let world = world(&drafts, true);
        let (union, common) = read_all(&world, &policy);
        prop_assert_eq!(effects(&simulated(&world, &policy, Certainty::Possible)), effects(&union));
        prop_assert_eq!(effects(&simulated(&world, &policy, Certainty::Certain)), effects(&common));
    }

    /// What is due now is what ECR does now.
    #[test]
    fn threats_that_are_due_now_are_the_actions_of_this_moment(
        policy in policies(),
        drafts in drafts(true, 8),
        links in proptest::collection::vec((0_usize..8, 0_usize..8), 0..6),
    ) {
        let world = with_parts(world(&drafts, true), &links);
        let rules = parse(&policy);
        let acted: BTreeSet<_> = world.actions(&rules).into_iter()
            .map(|action| (action.digest, action.priority.to_string(), action.effect, action.certainty)).collect();
        let mut due = BTreeSet::new();
        for place in 0..world.images.len() {
            for threat in world.threats(&rules, &place.to_string()) {
                if threat.due == Due::Now {
                    due.insert((digest(&place.to_string()), threat.rule, threat.effect, threat.certainty));
                }
            }
        }
        prop_assert_eq!(due, acted);
    }

    /// Everything that goes is foreseen: at a date to come, whatever ECR would then do was a threat with that date.
    #[test]
    fn what_goes_later_was_a_threat_before(policy in policies(), drafts in drafts(true, 8), days in 0_i64..12) {
        let world = world(&drafts, true);
        let rules = parse(&policy);
        let later = now() + SignedDuration::from_hours(days * 24 + 5);
        for action in evaluate(&rules, &world.repository(), later) {
            let place = world.images.iter().position(|image| image.digest == action.digest).unwrap();
            let threats = world.threats(&rules, &place.to_string());
            let reported = threats.iter().any(|threat| {
                threat.rule == action.priority.to_string() && threat.effect == action.effect && match threat.due {
                    Due::Now => true,
                    Due::On(date) => date <= later,
                    Due::AfterPushes { .. } => false,
                }
            });
            prop_assert!(reported, "{:?} was not told by {:?}", action, threats);
        }
    }

    /// A later look never brings an image back.
    #[test]
    fn later_never_un_expires(
        policy in policies(),
        drafts in drafts(true, 10),
        links in proptest::collection::vec((0_usize..10, 0_usize..10), 0..6),
        hours in 0_i64..400,
        more in 0_i64..400,
    ) {
        let world = with_parts(world(&drafts, true), &links);
        let rules = parse(&policy);
        let gone = |hours| {
            let at = now() + SignedDuration::from_hours(hours);
            let actions = evaluate(&rules, &world.repository(), at);
            let all: BTreeSet<_> = actions.iter().map(|action| (action.digest.clone(), action.priority, action.effect)).collect();
            let certain = actions.into_iter().filter(|action| action.certainty == Certainty::Certain);
            (all, certain.map(|action| (action.digest, action.priority, action.effect)).collect::<BTreeSet<_>>())
        };
        let ((early, early_sure), (late, late_sure)) = (gone(hours), gone(hours + more));
        prop_assert!(early.is_subset(&late));
        prop_assert!(early_sure.is_subset(&late_sure));
    }

    /// The same images in any order, the same actions.
    #[test]
    fn the_order_of_the_images_is_of_no_matter(policy in policies(), drafts in drafts(true, 8)) {
        let mut world = world(&drafts, true);
        let before = world.actions(&parse(&policy));
        world.images.reverse();
        prop_assert_eq!(world.actions(&parse(&policy)), before);
    }

    /// I7, A51: with the recommended policy nothing that was safe is at risk, no pinned image is, and asking again
    /// changes nothing.
    #[test]
    fn a51_recommending_endangers_nothing_and_protects_every_pin(
        policy in policies(),
        drafts in drafts(true, 8),
        links in proptest::collection::vec((0_usize..8, 0_usize..8), 0..6),
        pretty in any::<bool>(),
    ) {
        let live = if pretty { serde_json::to_string_pretty(&policy).unwrap() } else { text(&policy) };
        let recommended = recommend(Some(&live)).unwrap();
        prop_assert_eq!(&recommend(Some(&recommended)).unwrap(), &recommended);
        let after = Lifecycle::parse(&recommended).unwrap();
        let world = with_parts(world(&drafts, true), &links);
        let before: BTreeSet<Digest> = world.actions(&parse(&policy)).into_iter().map(|action| action.digest).collect();
        let left: BTreeSet<Digest> = world.actions(&after).into_iter().map(|action| action.digest).collect();
        prop_assert!(left.is_subset(&before), "{}", recommended);
        // Whatever is pinned, or follows what is not, apart.
        for (place, image) in world.images.iter().enumerate() {
            let pinned = image.tags.iter().any(|tag| tag.as_str().starts_with("prod-pinned-"));
            if pinned && image.subject.is_none() {
                prop_assert!(!left.contains(&image.digest), "{}", recommended);
                prop_assert_eq!(world.threats(&after, &place.to_string()), vec![]);
            }
        }
    }

    /// What prodpin may put by itself does to every image without a pin what the user's rules did, by the same rule; and a
    /// policy that could only be had by taking out a rule of the user's is none of those (I8, I22).
    #[test]
    fn i22_a_rewrite_leaves_whoever_has_no_pin_to_the_same_rule(
        policy in policies(),
        drafts in drafts(false, 24),
        days in 0_i64..40,
    ) {
        let live = text(&policy);
        let to = recommend(Some(&live)).unwrap();
        let by_age = policy["rules"].as_array().unwrap().iter().any(|rule| {
            rule["selection"]["tagPatternList"] == json!(["prod-pinned-*"]) && rule["selection"]["countType"] != "imageCountMoreThan"
        });
        match only_claims(&live, &to) {
            Err(why) => prop_assert!(by_age, "{}\n{}\n{}", why, live, to),
            Ok(()) => {
                let (before, after) = (parse(&policy), Lifecycle::parse(&to).unwrap());
                let names = renumbered(&before, &after);
                let world = world(&drafts, false);
                let pinned: BTreeSet<Digest> = world.images.iter()
                    .filter(|image| image.tags.iter().any(|tag| tag.as_str().starts_with("prod-pinned-")))
                    .map(|image| image.digest.clone()).collect();
                let at = now() + SignedDuration::from_hours(24 * days);
                let acts = |rules: &Lifecycle, named: &dyn Fn(String) -> String| -> BTreeSet<_> {
                    let actions = evaluate(rules, &world.repository(), at).into_iter();
                    let others = actions.filter(|action| !pinned.contains(&action.digest));
                    others.map(|action| (action.digest, named(action.priority.to_string()), action.effect, action.certainty, action.why)).collect()
                };
                let was = |name: String| names.get(&name).cloned().unwrap_or(name);
                prop_assert_eq!(acts(&after, &was), acts(&before, &|name| name), "{}\n{}", live, to);
            }
        }
    }

    /// A claim rule on top only ever takes away.
    #[test]
    fn a_claim_rule_on_top_endangers_nothing(
        policy in policies(),
        drafts in drafts(true, 8),
        pattern in select(PATTERNS),
    ) {
        let world = world(&drafts, true);
        let mut claimed = policy.clone();
        let list = claimed["rules"].as_array_mut().unwrap();
        list.retain(|rule| rule["selection"]["tagPatternList"] != json!([pattern]));
        for rule in list.iter_mut() {
            rule["rulePriority"] = json!(rule["rulePriority"].as_u64().unwrap() + 1);
        }
        let without: BTreeSet<Digest> = match list.is_empty() {
            true => BTreeSet::new(),
            false => world.actions(&parse(&claimed)).into_iter().map(|action| action.digest).collect(),
        };
        claimed["rules"].as_array_mut().unwrap().insert(0, keep(1, tagged(&[pattern]), 9999));
        let with = world.actions(&parse(&claimed));
        prop_assert!(with.iter().all(|action| without.contains(&action.digest)));
        prop_assert!(with.iter().all(|action| action.priority != 1), "what it claims never expires");
    }

    /// Pinning adds one tag where it is missing, and nothing else.
    #[test]
    fn pinning_adds_the_pins_alone(drafts in drafts(true, 8), chosen in proptest::collection::btree_set(0_usize..8, 0..8)) {
        let world = world(&drafts, true);
        let pinned: BTreeSet<Digest> = chosen.iter().map(|place| digest(&place.to_string())).collect();
        let after = with_pins(&world.images, &pinned);
        prop_assert_eq!(with_pins(&after, &pinned).to_vec(), after.to_vec());
        for (before, after) in world.images.iter().zip(after.iter()) {
            let added: Vec<_> = after.tags.iter().filter(|tag| !before.tags.contains(tag)).collect();
            prop_assert_eq!(&EcrImage { tags: before.tags.clone(), ..after.clone() }, before);
            prop_assert!(added.len() <= 1);
            let own = after.tags.iter().any(|tag| tag.as_str() == prodpin::model::Pin::for_digest(&after.digest).to_string());
            prop_assert!(own || !pinned.contains(&after.digest) || after.status != ImageStatus::Active);
        }
    }
}

proptest! {
    // Each case is judged in up to some thousand readings.
    #![proptest_config(ProptestConfig::with_cases(80))]

    /// With indexes too, but for children and what refers to them: what a second count may spare is only possible, and
    /// one reading is not held against another, so that more may be called possible than any single reading takes.
    #[test]
    fn a33_indexes_hold_their_children_in_every_reading(
        policy in policies(),
        drafts in drafts(true, 4),
        links in proptest::collection::vec((0_usize..4, 0_usize..4), 1..4),
    ) {
        let world = with_parts(world(&drafts, true), &links);
        let (union, common) = read_all(&world, &policy);
        let (possible, union) = (effects(&simulated(&world, &policy, Certainty::Possible)), effects(&union));
        prop_assert!(union.is_subset(&possible), "{:?} lacks some of {:?}", possible, union);
        let doubtful = doubtful(&world);
        let invented: Vec<_> = possible.difference(&union).filter(|(digest, _)| !doubtful.contains(digest)).collect();
        prop_assert!(invented.is_empty(), "{:?} go in no reading", invented);
        let certain = effects(&simulated(&world, &policy, Certainty::Certain));
        prop_assert!(certain.is_subset(&effects(&common)), "{:?} is not in all of {:?}", certain, common);
    }
}
