//! Buckets: keys with a few versions under a few rules, lived through day by day by the literal reading.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use prodpin::model::{
    ArtifactId, BucketExpiration, BucketLifecycle, BucketRetention, BucketRule, BucketTransition, Content, Inspection,
    Lock, NoncurrentLimit, ObjectFacts, ObjectState, ObjectVersion, ObservedTag, PinState, PinTerms, Replication,
    Resolution, Retention, RuleFilter, Snapshot, StorageClass, TagSet, TransitionMinimum, Trigger, Versioning,
};
use proptest::prelude::*;

use super::law::{Engine, Left, decided, no_pin_after_a_failed_one_worsens_any_fate, no_pin_worsens_any_fate, whole};
use crate::forecast_s3::literal::{DAY, Object, World};
use crate::forecast_s3::world::now;

/// One version of a key.
#[derive(Debug, Clone)]
struct Version {
    /// In quarters of a day before now.
    age: i64,
    tags: Vec<(&'static str, &'static str)>,
    held: bool,
}

#[derive(Debug, Clone)]
struct Objects {
    versioning: Versioning,
    locks: bool,
    rules: BucketLifecycle,
    /// Of each key, newest first.
    keys: Vec<Vec<Version>>,
    /// Whether the rules can be read.
    readable: bool,
}

fn key(place: usize) -> String {
    format!("api/v1.{place}.0/bundle.zip")
}

impl Objects {
    fn artifact(&self, place: usize, age: usize) -> ArtifactId {
        let id = match self.versioning {
            Versioning::Off => "null@etag".to_owned(),
            _ => format!("id{age}"),
        };
        ArtifactId::ObjectVersion { key: key(place).parse().unwrap(), version: id.into() }
    }

    fn position(&self, artifact: &ArtifactId) -> (usize, usize) {
        let places = (0..self.keys.len()).flat_map(|place| (0..self.keys[place].len()).map(move |age| (place, age)));
        places.into_iter().find(|(place, age)| self.artifact(*place, *age) == *artifact).unwrap()
    }

    fn written(version: &Version) -> i64 {
        now().as_second() - version.age * DAY / 4
    }

    fn facts(&self, place: usize) -> ObjectFacts {
        let version = |(age, version): (usize, &Version)| ObjectVersion {
            artifact: self.artifact(place, age),
            modified: Timestamp::from_second(Self::written(version)).unwrap(),
            content: Content { etag: format!("etag{age}").into(), size: 1 << 20 },
            class: StorageClass::STANDARD,
        };
        ObjectFacts {
            label: format!("v1.{place}.0").into(),
            versions: self.keys[place].iter().enumerate().map(version).collect(),
            markers: Vec::new(),
            hidden_by: None,
        }
    }
}

impl Engine for Objects {
    /// Days until the end.
    type Future = i64;

    fn now(&self) -> Timestamp {
        now()
    }

    fn snapshot(&self) -> Snapshot {
        let tag = |place: usize| ObservedTag {
            name: key(place).parse().unwrap(),
            target: Resolution::Artifact(self.artifact(place, 0)),
            pushed: None,
            object: Some(Box::new(self.facts(place))),
        };
        let bucket = BucketRetention {
            bucket: "acme".into(),
            versioning: Some(self.versioning),
            object_lock: Some(self.locks),
            lifecycle: self.readable.then(|| Arc::new(self.rules.clone())),
            layout: "{repository}/{version}/bundle.zip".parse().unwrap(),
        };
        Snapshot {
            tags: (0..self.keys.len()).map(tag).collect(),
            retention: Retention::Bucket(Arc::new(bucket)),
            ..Snapshot::default()
        }
    }

    fn inspect(&self, artifact: &ArtifactId) -> Inspection {
        let (place, age) = self.position(artifact);
        let version = &self.keys[place][age];
        let marked = version.tags.contains(&("prod-pinned", "true"));
        let pin = match (self.locks, version.held) {
            (true, true) => PinState::Present,
            (true, false) => PinState::Absent,
            (false, _) => PinState::Unsupported { marked },
        };
        let tags: TagSet = version.tags.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let state = ObjectState {
            checksum: None,
            class: StorageClass::STANDARD,
            archive_tier: None,
            lock: Lock { hold: Some(version.held), ..Lock::NONE },
            replication: Replication::Settled,
            tags: Some(tags),
            key: Some(Box::new(self.facts(place))),
        };
        Inspection { pin, object: Some(Box::new(state)), ..whole(artifact, &self.snapshot()) }
    }

    fn pin(&self, artifact: &ArtifactId) -> Self {
        let mut pinned = self.clone();
        let (place, age) = self.position(artifact);
        let version = &mut pinned.keys[place][age];
        match self.locks {
            true => version.held = true,
            false => version.tags.push(("prod-pinned", "true")),
        }
        pinned
    }

    fn live(&self, days: &i64) -> Vec<BTreeMap<ArtifactId, Left>> {
        let readings = [false, true].into_iter().flat_map(|markers_count| self.read(*days, markers_count));
        readings.collect()
    }
}

impl Objects {
    fn read(&self, days: i64, markers_count: bool) -> Vec<BTreeMap<ArtifactId, Left>> {
        let end = now().as_second() + days * DAY;
        let mut log = Vec::new();
        for (place, versions) in self.keys.iter().enumerate() {
            let object = |(age, version): (usize, &Version)| Object {
                place: Some(age),
                is_marker: false,
                is_null: self.versioning == Versioning::Off,
                written: Self::written(version),
                size: 1 << 20,
                tags: version.tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
                class: "STANDARD".to_owned(),
                held: version.held,
                retained_until: None,
                since: None,
            };
            let key = key(place);
            let world = World {
                key: &key,
                rules: &self.rules,
                versioning: self.versioning,
                markers_count,
                objects: versions.iter().enumerate().map(object).collect(),
            };
            log.extend(world.live(now().as_second(), end).into_iter().map(|happened| (place, happened)));
        }
        let moments = (0..=days).map(|day| now().as_second() + day * DAY);
        let left = |moment: i64| {
            let mut left = BTreeMap::new();
            for place in 0..self.keys.len() {
                for age in 0..self.keys[place].len() {
                    let own =
                        log.iter().filter(|(other, what)| *other == place && what.place == age && what.at <= moment);
                    let worst = own.map(|(_, what)| match what.what.as_str() {
                        "deletes" => Left::Gone,
                        "hides" => Left::Hidden,
                        "GLACIER" | "DEEP_ARCHIVE" => Left::Archived,
                        _ => Left::Whole,
                    });
                    left.insert(self.artifact(place, age), worst.max().unwrap_or(Left::Whole));
                }
            }
            left
        };
        moments.map(left).collect()
    }
}

const TAGS: [(&str, &str); 2] = [("a", "1"), ("prod-pinned", "true")];

fn rules() -> impl Strategy<Value = BucketLifecycle> {
    let filter = (any::<bool>(), prop::bool::weighted(0.4), prop::sample::select(&TAGS[..])).prop_map(
        |(whole, tagged, (key, value))| RuleFilter {
            written: true,
            prefix: if whole { "" } else { "api/" }.into(),
            tags: if tagged { vec![(key.into(), value.into())] } else { TagSet::new() },
            larger_than: None,
            smaller_than: None,
        },
    );
    let limit = (1_u32..20, 0_u32..3).prop_map(|(days, keep_newer)| NoncurrentLimit { days, keep_newer });
    let class = prop::sample::select(&["STANDARD_IA", "GLACIER"][..]).prop_map(StorageClass::new);
    let moving = (class, 1_u32..30).prop_map(|(class, days)| BucketTransition { class, when: Trigger::Days(days) });
    let rule = (
        filter,
        prop::option::of((1_u32..30).prop_map(|days| BucketExpiration::Current(Trigger::Days(days)))),
        prop::option::of(limit),
        prop::collection::vec(moving, 0..2),
    )
        .prop_map(|(filter, expiration, noncurrent_expiration, transitions)| BucketRule {
            enabled: true,
            filter,
            expiration,
            noncurrent_expiration,
            transitions,
            ..BucketRule::default()
        });
    prop::collection::vec(rule, 1..4).prop_map(|mut rules| {
        for (number, rule) in rules.iter_mut().enumerate() {
            rule.id = format!("r{number}").into();
        }
        BucketLifecycle { rules, minimum: TransitionMinimum::VariesByClass }
    })
}

fn buckets() -> impl Strategy<Value = Objects> {
    let version = (0_i64..160, prop::bool::weighted(0.3)).prop_map(|(age, tagged)| Version {
        age,
        tags: if tagged { vec![("a", "1")] } else { Vec::new() },
        held: false,
    });
    let keys = prop::collection::vec(prop::collection::vec(version, 1..4), 1..4);
    let kind = prop_oneof![
        4 => Just((Versioning::Enabled, true)),
        2 => Just((Versioning::Enabled, false)),
        1 => Just((Versioning::Off, false)),
    ];
    (rules(), keys, kind).prop_map(|(rules, mut keys, (versioning, locks))| {
        for versions in &mut keys {
            versions.sort_by_key(|version| version.age);
            // No two of a key in one moment.
            for place in 1..versions.len() {
                versions[place].age = versions[place].age.max(versions[place - 1].age + 1);
            }
            if versioning == Versioning::Off {
                versions.truncate(1);
            }
        }
        Objects { versioning, locks, rules, keys, readable: true }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_hold_or_mark_worsens_any_fate_in_a_bucket_i22(bucket in buckets(), keep in 1_u32..6) {
        no_pin_worsens_any_fate(&bucket, keep, PinTerms::default(), &[60], |_, _| false)?;
    }

    #[test]
    fn no_hold_after_a_failed_one_worsens_any_fate_in_a_bucket_i22(bucket in buckets(), keep in 1_u32..6, fails: u8) {
        no_pin_after_a_failed_one_worsens_any_fate(&bucket, keep, PinTerms::default(), &[60], fails)?;
    }

    /// Rules that were not read cannot be simulated. A hold is made all the same: no rule looks at it, and whatever it is
    /// on it can only keep. What it may cost is a place among newer versions of its own key, for a version that is older;
    /// that one is held before it.
    #[test]
    fn a_hold_under_unread_rules_harms_no_target_i22(bucket in buckets()) {
        let bucket = Objects { versioning: Versioning::Enabled, locks: true, readable: false, ..bucket };
        let targets: Vec<ArtifactId> =
            decided(&bucket, 5, PinTerms::default()).report.targets.into_iter().map(|target| target.artifact).collect();
        let made = no_pin_worsens_any_fate(&bucket, 5, PinTerms::default(), &[60], |_, artifact| !targets.contains(artifact))?;
        prop_assert_eq!(made, targets.len());
    }
}
