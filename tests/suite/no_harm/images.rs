//! ECR: repositories of a few images under a few rules, lived through by the guide's words.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use prodpin::decide::lifecycle::ecr::Lifecycle;
use prodpin::model::{
    ArtifactId, Digest, EcrImage, EcrRepository, ImageStatus, Inspection, ObservedTag, Pin, PinTerms, Resolution,
    Retention, Setting, Snapshot,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::law::{Engine, Left, decided, no_pin_after_a_failed_one_worsens_any_fate, no_pin_worsens_any_fate, whole};
use crate::forecast_ecr::literal::{self, Parts, Reading};
use crate::forecast_ecr::world::{now, text};

#[derive(Debug, Clone)]
pub(super) struct Images {
    pub(super) images: Vec<EcrImage>,
    pub(super) policy: Value,
    /// What indexes list, which no list of images tells.
    pub(super) parts: Parts,
}

/// What comes.
#[derive(Debug, Clone)]
pub(super) enum Future {
    /// Days, and the rules are carried out after each.
    Days(Vec<u16>),
    /// Pushes of images with these tags, and so many days; then the rules are carried out once.
    Pushes(Vec<Vec<&'static str>>, u16),
}

fn digest(name: &str) -> Digest {
    Digest::sha256(name.as_bytes())
}

pub(super) fn image(name: &str, tags: &[&str], hours: i64) -> EcrImage {
    EcrImage {
        digest: digest(name),
        tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
        pushed: Some(now() - SignedDuration::from_hours(hours)),
        pulled: None,
        archived: None,
        activated: None,
        status: ImageStatus::Active,
        subject: None,
        is_index: false,
    }
}

impl Engine for Images {
    type Future = Future;

    fn now(&self) -> Timestamp {
        now()
    }

    fn snapshot(&self) -> Snapshot {
        let mut tags: Vec<ObservedTag> = self
            .images
            .iter()
            .flat_map(|image| {
                image.tags.iter().map(|tag| ObservedTag {
                    name: tag.clone(),
                    target: Resolution::Artifact(image.digest.clone().into()),
                    pushed: image.pushed.map(Box::new),
                    object: None,
                })
            })
            .collect();
        tags.sort_by(|a, b| a.name.cmp(&b.name));
        let ecr = EcrRepository {
            registry: "111122223333".into(),
            images: self.images.clone(),
            mutability: None,
            lifecycle: Setting::Text(text(&self.policy).into()),
            access: Setting::Unset,
            cached_from: None,
            manages_lifecycle: false,
            may_delete: [].into(),
        };
        Snapshot { tags, retention: Retention::Ecr(Box::new(ecr)), ..Snapshot::default() }
    }

    fn inspect(&self, artifact: &ArtifactId) -> Inspection {
        let archived = self
            .images
            .iter()
            .any(|image| Some(&image.digest) == artifact.digest() && image.status != ImageStatus::Active)
            .then(|| prodpin::model::Obstacle::Archived { class: "ARCHIVED".to_owned() });
        let children = artifact.digest().and_then(|digest| self.parts.get(digest));
        let children = children.into_iter().flatten().cloned().collect();
        Inspection { obstacles: archived.into_iter().collect(), children, ..whole(artifact, &self.snapshot()) }
    }

    fn pin(&self, artifact: &ArtifactId) -> Self {
        let mut pinned = self.clone();
        let digest = artifact.digest().unwrap();
        let image = pinned.images.iter_mut().find(|image| image.digest == *digest).unwrap();
        let pin = Pin::for_digest(digest).to_string().parse().unwrap();
        image.tags = image.tags.iter().cloned().chain([pin]).collect();
        pinned
    }

    fn live(&self, future: &Future) -> Vec<BTreeMap<ArtifactId, Left>> {
        let mut world = self.clone();
        let mut moments = Vec::new();
        match future {
            Future::Days(days) => {
                world.carry_out(now());
                moments.push(self.left(&world));
                for day in days {
                    world.carry_out(now() + SignedDuration::from_hours(24 * i64::from(*day) + 1));
                    moments.push(self.left(&world));
                }
            }
            Future::Pushes(pushes, days) => {
                for (number, tags) in pushes.iter().enumerate() {
                    // A tag that is pushed again moves.
                    for image in &mut world.images {
                        image.tags = image.tags.iter().filter(|tag| !tags.contains(&tag.as_str())).cloned().collect();
                    }
                    world.images.push(image(&format!("push {number}"), tags, -1 - i64::try_from(number).unwrap()));
                }
                world.carry_out(now() + SignedDuration::from_hours(24 * i64::from(*days) + 100));
                moments.push(self.left(&world));
            }
        }
        moments
    }
}

impl Images {
    /// What of these images is left there.
    fn left(&self, world: &Self) -> BTreeMap<ArtifactId, Left> {
        let left = |digest: &Digest| match world.images.iter().find(|image| image.digest == *digest) {
            None => Left::Gone,
            Some(image) if image.status == ImageStatus::Archived => Left::Archived,
            Some(_) => Left::Whole,
        };
        self.images.iter().map(|image| (image.digest.clone().into(), left(&image.digest))).collect()
    }

    /// Carries the rules out as the guide has it, until nothing is left to do at that moment.
    fn carry_out(&mut self, at: Timestamp) {
        let mut newest_first: Vec<&EcrImage> = self.images.iter().collect();
        newest_first.sort_by_key(|image| std::cmp::Reverse(image.activated.or(image.pushed)));
        let reading = Reading {
            newest_first: newest_first.into_iter().map(|image| image.digest.clone()).collect(),
            ancient: BTreeSet::new(),
            between: BTreeMap::new(),
            judges_referrers: true,
            archives_referrers: false,
            boundary_is_older: false,
            archived_holds: true,
        };
        for (digest, _, kind) in literal::suffers(&self.policy, &self.images, &self.parts, at, &reading) {
            match kind {
                "expire" => self.images.retain(|image| image.digest != digest),
                _ => {
                    for image in self.images.iter_mut().filter(|image| image.digest == digest) {
                        (image.status, image.archived) = (ImageStatus::Archived, Some(at));
                    }
                }
            }
        }
    }
}

const PATTERNS: [&str; 10] =
    ["prod*", "prod-*", "v*", "*-*", "*", "prod-pinned-*", "dev*", "prod-1", "*pinned*", "v1*"];

fn rule() -> impl Strategy<Value = Value> {
    let selection = prop_oneof![
        6 => proptest::sample::select(&PATTERNS[..]).prop_map(|pattern| json!({ "tagStatus": "tagged", "tagPatternList": [pattern] })),
        2 => proptest::sample::select(&["prod", "prod-", "v", "dev"][..]).prop_map(|prefix| json!({ "tagStatus": "tagged", "tagPrefixList": [prefix] })),
        1 => Just(json!({ "tagStatus": "tagged", "tagPatternList": ["v*", "prod*"] })),
        2 => Just(json!({ "tagStatus": "untagged" })),
        1 => Just(json!({ "tagStatus": "any" })),
    ];
    let count = prop_oneof![
        5 => (1_u64..5).prop_map(|number| json!({ "countType": "imageCountMoreThan", "countNumber": number })),
        1 => Just(json!({ "countType": "imageCountMoreThan", "countNumber": 9_999 })),
        3 => (1_u64..40).prop_map(|days| json!({ "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days })),
        1 => (1_u64..40).prop_map(|days| json!({ "countType": "sinceImagePulled", "countUnit": "days", "countNumber": days })),
    ];
    let action = prop_oneof![
        6 => Just(json!({ "type": "expire" })),
        1 => Just(json!({ "type": "transition", "targetStorageClass": "archive" })),
    ];
    (selection, count, action).prop_map(|(selection, count, action)| {
        let mut rule = json!({ "selection": selection, "action": action });
        rule["selection"].as_object_mut().unwrap().extend(count.as_object().unwrap().clone());
        rule
    })
}

/// Valid policies: rules in some order, each selection once, `any` last; sometimes a rule of the archive.
fn policies() -> impl Strategy<Value = Value> {
    let archive = prop::option::weighted(0.2, 90_u64..200);
    (prop::collection::vec(rule(), 1..5), archive, any::<bool>()).prop_filter_map(
        "not valid",
        |(mut rules, archive, claimed)| {
            rules.sort_by_key(|rule| rule["selection"]["tagStatus"] == "any");
            if claimed {
                rules.insert(0, json!({
                    "selection": { "tagStatus": "tagged", "tagPatternList": ["prod-pinned-*"], "countType": "imageCountMoreThan", "countNumber": 9_999 },
                    "action": { "type": "expire" },
                }));
            }
            rules.extend(archive.map(|days| json!({
                "selection": {
                    "tagStatus": "tagged", "tagPatternList": ["v*"], "storageClass": "archive",
                    "countType": "sinceImageTransitioned", "countUnit": "days", "countNumber": days,
                },
                "action": { "type": "expire" },
            })));
            for (index, rule) in rules.iter_mut().enumerate() {
                rule["rulePriority"] = json!(index + 1);
            }
            let policy = json!({ "rules": rules });
            Lifecycle::parse(&text(&policy)).is_ok().then_some(policy)
        },
    )
}

const BESIDE: [&str; 6] = ["prod-1", "prod-live", "dev-1", "dev-2", "latest", "prod-pinned-by-hand"];

/// Some releases, some others, some without a tag, some signatures; no two pushed at the same time.
fn repositories() -> impl Strategy<Value = Images> {
    let releases = prop::collection::vec(
        (0_i64..60, prop::option::weighted(0.3, 0..BESIDE.len()), prop::bool::weighted(0.2)),
        1..7,
    );
    let others = prop::collection::vec(
        (0_i64..60, prop::option::weighted(0.8, 0..BESIDE.len()), prop::bool::weighted(0.15)),
        0..6,
    );
    (releases, others, policies()).prop_map(|(releases, others, policy)| {
        let mut images: Vec<EcrImage> = Vec::new();
        let mut taken: BTreeSet<usize> = BTreeSet::new();
        let mut own = |beside: Option<usize>| beside.filter(|place| taken.insert(*place)).map(|place| BESIDE[place]);
        for (place, (days, beside, pinned)) in releases.into_iter().enumerate() {
            let hours = days * 24 + 2 * i64::try_from(place).unwrap() + 1;
            let name = format!("release {place}");
            let pin = Pin::for_digest(&digest(&name)).to_string();
            let version = format!("v1.{place}.0");
            let tags: Vec<&str> =
                [Some(version.as_str()), own(beside), pinned.then_some(pin.as_str())].into_iter().flatten().collect();
            let mut release = image(&name, &tags, hours);
            release.pulled = (place % 2 == 0).then(|| now() - SignedDuration::from_hours(hours / 2));
            images.push(release);
        }
        for (place, (days, beside, refers)) in others.into_iter().enumerate() {
            let hours = days * 24 + 2 * i64::try_from(place).unwrap() + 2;
            let tags: Vec<&str> = own(beside).into_iter().collect();
            let mut other = image(&format!("other {place}"), &tags, hours);
            other.subject = refers.then(|| digest("release 0"));
            images.push(other);
        }
        Images { images, policy, parts: Parts::new() }
    })
}

/// The same where some releases are indexes, whose platforms have no tag, were pushed right before them, and stay with
/// them (A33).
fn families() -> impl Strategy<Value = Images> {
    (repositories(), prop::collection::vec(any::<bool>(), 7)).prop_map(|(mut engine, indexes)| {
        let mut children = Vec::new();
        let releases =
            engine.images.iter_mut().filter(|image| image.tags.iter().any(|tag| tag.as_str().starts_with('v')));
        for (index, _) in releases.zip(indexes).filter(|(_, is_index)| *is_index) {
            index.is_index = true;
            let child = |minutes: i64| {
                let mut child = image(&format!("{} {minutes}", index.digest), &[], 0);
                child.pushed = index.pushed.map(|pushed| pushed - SignedDuration::from_mins(minutes));
                child
            };
            let platforms = [child(10), child(20)];
            let listed = platforms.iter().map(|platform| platform.digest.clone()).collect();
            engine.parts.insert(index.digest.clone(), listed);
            children.extend(platforms);
        }
        engine.images.extend(children);
        engine
    })
}

fn futures() -> impl Strategy<Value = Vec<Future>> {
    let days = prop::collection::vec(0_u16..60, 1..5).prop_map(|mut days| {
        days.sort_unstable();
        Future::Days(days)
    });
    let tags = prop::sample::select(&["v2.0.0", "prod-2", "prod-live", "dev-9", "latest", "v3.0.0"][..]);
    let push = prop::collection::vec(tags, 0..3);
    let pushes = (prop::collection::vec(push, 1..8), 0_u16..60).prop_map(|(pushes, days)| Future::Pushes(pushes, days));
    (days, pushes).prop_map(|(days, pushes)| vec![days, pushes])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 384, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_pin_worsens_any_fate_in_ecr_i22_f116_f126(engine in repositories(), keep in 1_u32..6, futures in futures()) {
        no_pin_worsens_any_fate(&engine, keep, PinTerms::default(), &futures, |_, _| false)?;
    }

    #[test]
    fn no_pin_worsens_any_fate_where_releases_are_indexes_i22_f116(engine in families(), keep in 1_u32..6, futures in futures()) {
        no_pin_worsens_any_fate(&engine, keep, PinTerms::default(), &futures, |_, _| false)?;
    }

    #[test]
    fn no_pin_after_a_failed_one_worsens_any_fate_in_ecr_i22_f126(engine in repositories(), keep in 1_u32..6, futures in futures(), fails: u8) {
        no_pin_after_a_failed_one_worsens_any_fate(&engine, keep, PinTerms::default(), &futures, fails)?;
    }

    #[test]
    fn with_the_policy_s_word_nobody_loses_whom_production_names_i22(engine in repositories(), keep in 1_u32..6, futures in futures()) {
        let terms = PinTerms { may_displace: true, ..PinTerms::default() };
        let outside = |engine: &Images, artifact: &ArtifactId| {
            let image = engine.images.iter().find(|image| Some(&image.digest) == artifact.digest()).unwrap();
            let named = image.tags.iter().any(|tag| tag.as_str().starts_with('v') || Pin::read(tag).is_some());
            !named && image.subject.is_none()
        };
        no_pin_worsens_any_fate(&engine, keep, terms, &futures, outside)?;
    }
}

/// The law would hold if no pin were ever made. Where a rule that claims pins comes first and nothing else counts, all are.
#[test]
fn a_claim_rule_lets_every_pin_be_made_and_the_oldest_first_f116_f126() {
    let rules = json!([
        { "rulePriority": 1, "selection": { "tagStatus": "tagged", "tagPatternList": ["prod-pinned-*"], "countType": "imageCountMoreThan", "countNumber": 9_999 }, "action": { "type": "expire" } },
        { "rulePriority": 2, "selection": { "tagStatus": "tagged", "tagPrefixList": ["prod"], "countType": "imageCountMoreThan", "countNumber": 1 }, "action": { "type": "expire" } },
        { "rulePriority": 3, "selection": { "tagStatus": "tagged", "tagPatternList": ["v*"], "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 5 }, "action": { "type": "expire" } },
        { "rulePriority": 4, "selection": { "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14 }, "action": { "type": "expire" } },
    ]);
    let images = (0..6).map(|n| image(&format!("release {n}"), &[&format!("v1.{n}.0")], 24 * (40 - n)));
    let engine = Images { images: images.collect(), policy: json!({ "rules": rules }), parts: Parts::new() };
    let plan = decided(&engine, 5, PinTerms::default());
    let expected: Vec<ArtifactId> = (1..6).map(|n| digest(&format!("release {n}")).into()).collect();
    assert_eq!(plan.pins, expected, "the oldest first (F126)");
}

/// A rule takes a release at its next turn unless a tag moves away from the one in front of it first, and a pin that comes to
/// stand there would take that chance from it.
#[test]
fn what_a_moving_tag_may_still_save_is_not_pushed_out_by_a_pin_i22() {
    let rules = json!([
        { "rulePriority": 1, "selection": { "tagStatus": "tagged", "tagPatternList": ["prod-pinned-*"], "countType": "imageCountMoreThan", "countNumber": 9_999 }, "action": { "type": "expire" } },
        { "rulePriority": 2, "selection": { "tagStatus": "tagged", "tagPatternList": ["v*", "prod*"], "countType": "imageCountMoreThan", "countNumber": 1 }, "action": { "type": "expire" } },
    ]);
    let images = vec![
        image("front", &["v1.0.0", "prod-live"], 1),
        image("behind", &["v1.1.0", "prod-1"], 800),
        image("pinned", &["v1.4.0"], 9),
    ];
    let engine = Images { images, policy: json!({ "rules": rules }), parts: Parts::new() };
    let futures = [Future::Days(vec![0]), Future::Pushes(vec![vec!["prod-live"]], 0)];
    no_pin_worsens_any_fate(&engine, 1, PinTerms::default(), &futures, |_, _| false).unwrap();
}
