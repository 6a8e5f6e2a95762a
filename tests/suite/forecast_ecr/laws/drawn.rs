//! Policies and worlds drawn at random.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use prodpin::model::{EcrImage, ImageStatus};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use crate::forecast_ecr::world::*;

pub(super) const PATTERNS: &[&str] = &["a*", "b*", "*1", "*2", "a*2", "c", "prod-pinned-*", "*", "*-*", "a1"];
const TAGS: &[&str] = &["a1", "a2", "b1", "b2", "c", "ab1", "x-y"];

/// Valid policies: each class with rules for tags, at most one for untagged images, and `any` last.
pub(crate) fn policies() -> impl Strategy<Value = Value> {
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
pub(super) struct Draft {
    pub(super) tags: Vec<&'static str>,
    pub(super) pinned: bool,
    pub(super) pushed: Option<i64>,
    pulled: Option<i64>,
    pub(super) activated: Option<i64>,
    pub(super) archived: Option<i64>,
    pub(super) status: ImageStatus,
    pub(super) subject: Option<usize>,
}

/// `open`: with ties, unknown times, states between the classes and referrers; else all is documented.
pub(super) fn drafts(open: bool, most: usize) -> impl Strategy<Value = Vec<Draft>> {
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

pub(super) fn world(drafts: &[Draft], open: bool) -> World {
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
    World::with_images(images)
}

/// An index lists images before it.
pub(super) fn with_parts(mut world: World, links: &[(usize, usize)]) -> World {
    for (parent, child) in links.iter().filter(|(parent, child)| child < parent && *parent < world.images.len()) {
        let (parent, child) = (digest(&parent.to_string()), digest(&child.to_string()));
        world.parts.entry(parent).or_default().insert(child);
    }
    for image in &mut world.images {
        image.is_index = world.parts.contains_key(&image.digest);
    }
    world
}
