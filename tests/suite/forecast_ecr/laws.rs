//! Laws over random policies and repositories.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use prodpin::decide::forecast::ecr::{Lifecycle, evaluate, only_claims, recommend, renumbered, with_pins};
use prodpin::model::{Certainty, Digest, Due, EcrImage, Effect, ImageStatus};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::literal::{self, Reading};
use super::world::*;

const PATTERNS: &[&str] = &["a*", "b*", "*1", "*2", "a*2", "c", "prod-pinned-*", "*", "*-*", "a1"];
const TAGS: &[&str] = &["a1", "a2", "b1", "b2", "c", "ab1", "x-y"];

/// Valid policies: each class with rules for tags, at most one for untagged images, and `any` last.
pub(super) fn policies() -> impl Strategy<Value = Value> {
    (standard_rules(), archive_rules(), any::<bool>())
        .prop_filter("no rules", |(standard, archive, _)| standard.len() + archive.len() > 0)
        .prop_map(|(standard, archive, archive_first)| {
            let (first, second) = if archive_first { (archive, standard) } else { (standard, archive) };
            let rules = first.into_iter().chain(second).enumerate().map(|(index, mut rule)| {
                rule["rulePriority"] = json!(index * 3 + 1);
                rule
            });
            rules_json(rules)
        })
}

fn selections() -> impl Strategy<Value = Vec<Value>> {
    let lists = subsequence(PATTERNS, 0..=4).prop_flat_map(|patterns| {
        let pairs = proptest::collection::vec((select(PATTERNS), prop::bool::weighted(0.2)), patterns.len());
        (Just(patterns).prop_shuffle(), pairs)
    });
    (lists, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|((patterns, pairs), bare, before, all)| {
        let mut seen = BTreeSet::new();
        let mut selections = Vec::new();
        for (pattern, (second, both)) in patterns.into_iter().zip(pairs) {
            let list: BTreeSet<&str> = if both { [pattern, second].into() } else { [pattern].into() };
            if seen.insert(list.clone()) {
                selections.push(tagged(&list.into_iter().collect::<Vec<_>>()));
            }
        }
        if bare {
            selections.insert(if before { 0 } else { selections.len() }, untagged());
        }
        if all {
            selections.push(any_tag());
        }
        selections
    })
}

fn standard_rules() -> impl Strategy<Value = Vec<Value>> {
    let counts = proptest::collection::vec((0_u8..4, 1_u64..5), 6);
    (selections(), counts).prop_map(|(selections, counts)| {
        let rule = |(selection, (kind, number)): (Value, (u8, u64))| match kind {
            0 | 1 => keep(1, selection, number),
            2 => age(1, selection, number),
            _ => since(1, selection, "sinceImagePulled", number, transition()),
        };
        selections.into_iter().zip(counts).map(rule).collect()
    })
}

fn archive_rules() -> impl Strategy<Value = Vec<Value>> {
    (selections(), proptest::collection::vec(90_u64..94, 6), prop::bool::weighted(0.5)).prop_map(
        |(selections, days, some)| {
            let rules = selections.into_iter().zip(days).map(|(selection, days)| archive_age(1, selection, days));
            rules.filter(|_| some).collect()
        },
    )
}

/// What may be random about an image, in hours.
#[derive(Debug, Clone)]
struct Draft {
    tags: Vec<&'static str>,
    pinned: bool,
    pushed: Option<i64>,
    pulled: Option<i64>,
    activated: Option<i64>,
    archived: Option<i64>,
    status: ImageStatus,
    subject: Option<usize>,
}

/// `open`: with ties, unknown times, states between the classes and referrers; else all is documented.
fn drafts(open: bool, most: usize) -> impl Strategy<Value = Vec<Draft>> {
    let status = if open {
        prop_oneof![
            6 => Just(ImageStatus::Active),
            2 => Just(ImageStatus::Archived),
            1 => Just(ImageStatus::Activating),
        ]
        .boxed()
    } else {
        prop_oneof![3 => Just(ImageStatus::Active), 1 => Just(ImageStatus::Archived)].boxed()
    };
    // Whole days lie on the boundary.
    let hour = |from: i64, to: i64| (from..to).prop_map(move |day| day * 24 + if open { 0 } else { 7 });
    let known = move |hours: BoxedStrategy<i64>| {
        (hours, prop::bool::weighted(0.1)).prop_map(move |(hours, unknown)| (!(open && unknown)).then_some(hours))
    };
    let (pushed, archived) = (known(hour(0, 7).boxed()), known(hour(88, 96).boxed()));
    let draft = (
        (subsequence(TAGS, 0..=2), prop::bool::weighted(0.2)),
        (pushed, prop::option::weighted(0.3, hour(0, 7)), prop::option::weighted(0.15, hour(0, 7)), archived),
        status,
        (prop::bool::weighted(0.15), 0..most).prop_map(move |(refers, to)| (open && refers).then_some(to)),
    );
    let draft = draft.prop_map(|((tags, pinned), (pushed, pulled, activated, archived), status, subject)| Draft {
        tags,
        pinned,
        pushed,
        pulled,
        activated,
        archived,
        status,
        subject,
    });
    proptest::collection::vec(draft, 1..=most)
}

fn world(drafts: &[Draft], open: bool) -> World {
    let images = drafts.iter().enumerate().map(|(place, draft)| {
        let name = place.to_string();
        let mut tags: Vec<String> = draft.tags.iter().map(|tag| (*tag).to_owned()).collect();
        tags.extend(draft.pinned.then(|| pin(&name)));
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        // A minute for each image sets equals apart where all is to be documented.
        let apart = SignedDuration::from_mins(if open { 0 } else { place as i64 });
        let time = |hours: Option<i64>| hours.map(|hours| hours_ago(hours) - apart);
        EcrImage {
            pushed: time(draft.pushed),
            pulled: time(draft.pulled),
            activated: time(draft.activated),
            archived: time(draft.archived),
            status: draft.status,
            subject: draft.subject.filter(|subject| *subject < place).map(|subject| digest(&subject.to_string())),
            ..image(&name, &tags, 0)
        }
    });
    World::of(images)
}

/// An index lists images before it.
fn with_parts(mut world: World, links: &[(usize, usize)]) -> World {
    for (parent, child) in links.iter().filter(|(parent, child)| child < parent && *parent < world.images.len()) {
        let (parent, child) = (digest(&parent.to_string()), digest(&child.to_string()));
        world.parts.entry(parent).or_default().insert(child);
    }
    for image in &mut world.images {
        image.is_index = world.parts.contains_key(&image.digest);
    }
    world
}

type Suffered = BTreeSet<(Digest, u64, &'static str)>;

fn simulated(world: &World, policy: &Value, least: Certainty) -> Suffered {
    let actions = world.actions(&parse(policy)).into_iter().filter(|action| action.certainty <= least);
    let kind = |effect| if effect == Effect::Deletes { "expire" } else { "transition" };
    actions.map(|action| (action.digest, action.priority.into(), kind(action.effect))).collect()
}

/// Every admissible reading of a small world.
fn readings(world: &World) -> Vec<Reading> {
    let images = &world.images;
    let arrived = |image: &EcrImage| image.activated.or(image.pushed);
    let orders = permutations(images.len()).into_iter().filter(|order| {
        let times: Vec<_> = order.iter().filter_map(|place| arrived(&images[*place])).collect();
        times.is_sorted_by(|a, b| a >= b)
    });
    let unknown: Vec<&EcrImage> =
        images.iter().filter(|image| image.pushed.is_none() || image.archived.is_none()).collect();
    let between: Vec<&EcrImage> = images.iter().filter(|image| image.status == ImageStatus::Activating).collect();
    let has_referrers = images.iter().any(|image| image.subject.is_some());
    let mut readings: Vec<Reading> = orders
        .map(|order| Reading {
            newest_first: order.into_iter().map(|place| images[place].digest.clone()).collect(),
            ancient: BTreeSet::new(),
            between: BTreeMap::new(),
            judges_referrers: true,
            archives_referrers: true,
            boundary_is_older: true,
            archived_holds: true,
        })
        .collect();
    let each = |readings: Vec<Reading>, change: &dyn Fn(&Reading) -> Vec<Reading>| {
        readings.iter().flat_map(change).collect::<Vec<_>>()
    };
    for image in unknown {
        readings = each(readings, &|reading| {
            let mut ancient = reading.clone();
            ancient.ancient.insert(image.digest.clone());
            vec![reading.clone(), ancient]
        });
    }
    for image in between {
        readings = each(readings, &|reading| {
            let classes = [vec!["standard"], vec!["archive"], vec!["standard", "archive"]];
            let judged = classes.map(|classes| {
                let mut reading = reading.clone();
                reading.between.insert(image.digest.clone(), classes);
                reading
            });
            judged.to_vec()
        });
    }
    if has_referrers {
        readings = each(readings, &|reading| {
            let judged = [(true, true), (true, false), (false, true), (false, false)];
            let read = |(judges_referrers, archives_referrers)| Reading {
                judges_referrers,
                archives_referrers,
                ..reading.clone()
            };
            judged.map(read).to_vec()
        });
    }
    let closed = |reading: &Reading| vec![reading.clone(), Reading { boundary_is_older: false, ..reading.clone() }];
    readings = each(readings, &closed);
    if !world.parts.is_empty() {
        let loose = |reading: &Reading| vec![reading.clone(), Reading { archived_holds: false, ..reading.clone() }];
        readings = each(readings, &loose);
    }
    readings
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(count - 1);
    let insert = |order: &Vec<usize>, at: usize| {
        let mut order = order.clone();
        order.insert(at, count - 1);
        order
    };
    shorter.iter().flat_map(|order| (0..count).map(|at| insert(order, at)).collect::<Vec<_>>()).collect()
}

/// What goes in some reading, and what goes in all.
fn read_all(world: &World, policy: &Value) -> (Suffered, Suffered) {
    let read = |reading: &Reading| literal::suffers(policy, &world.images, &world.parts, now(), reading);
    let mut all = readings(world).iter().map(read).collect::<Vec<_>>().into_iter();
    let first = all.next().unwrap();
    all.fold((first.clone(), first), |(union, common), next| (&union | &next, &common & &next))
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
            let told = threats.iter().any(|threat| {
                threat.rule == action.priority.to_string() && threat.effect == action.effect && match threat.due {
                    Due::Now => true,
                    Due::On(date) => date <= later,
                    Due::AfterPushes { .. } => false,
                }
            });
            prop_assert!(told, "{:?} was not told by {:?}", action, threats);
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
            let own = after.tags.iter().any(|tag| tag.as_str() == prodpin::model::Pin::of(&after.digest).to_string());
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
