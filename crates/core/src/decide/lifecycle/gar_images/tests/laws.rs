//! Any policies on any images, held against a second, literal reading of the guide that is lived through day by day.

use proptest::prelude::*;
use serde_json::json;

use super::super::super::gar::{Policies, Verdict, Version, judge};
use super::*;

/// A policy as the guide says it (K41).
#[derive(Debug, Clone)]
struct Literal {
    keeps: bool,
    /// Kept by number, or all of the others.
    newest: Option<usize>,
    tagged: Option<bool>,
    prefixes: Vec<&'static str>,
    older_than: Option<i64>,
    newer_than: Option<i64>,
}

/// An image as it is lived with: its age in seconds, and its tags.
#[derive(Debug, Clone)]
struct Lived {
    name: String,
    age: i64,
    tags: Vec<String>,
}

const DAY: i64 = 86_400;

/// How prefixes beside any state of tags may be read: they are heeded, or go for nothing (K41).
const READINGS: [bool; 2] = [true, false];

fn is_doubtful(policy: &Literal) -> bool {
    policy.newest.is_none() && policy.tagged.is_none() && !policy.prefixes.is_empty()
}

fn fits(policy: &Literal, image: &Lived, all: &[Lived], heeded: bool) -> bool {
    if let Some(newest) = policy.newest {
        return all.iter().filter(|other| other.age < image.age).count() < newest;
    }
    let has = |prefix: &str| image.tags.iter().any(|tag| tag.starts_with(prefix));
    policy.tagged.is_none_or(|tagged| tagged != image.tags.is_empty())
        && (policy.prefixes.is_empty()
            || (is_doubtful(policy) && !heeded)
            || policy.prefixes.iter().any(|prefix| has(prefix)))
        && policy.older_than.is_none_or(|days| image.age > days * DAY)
        && policy.newer_than.is_none_or(|days| image.age < days * DAY)
}

/// What is left of them.
fn cleaned(policies: &[Literal], images: &[Lived], heeded: bool) -> Vec<Lived> {
    let any = |keeps: bool, image: &Lived| {
        policies.iter().filter(|policy| policy.keeps == keeps).any(|policy| fits(policy, image, images, heeded))
    };
    images.iter().filter(|image| !any(false, image) || any(true, image)).cloned().collect()
}

fn policies() -> impl Strategy<Value = Vec<Literal>> {
    let condition = (
        proptest::option::of(any::<bool>()),
        proptest::sample::subsequence(vec!["v", "dev-", "prod-", "prod-pinned-"], 0..3),
        proptest::option::of(0..40_i64),
        proptest::option::weighted(0.2, 1..40_i64),
    );
    let policy = (any::<bool>(), proptest::option::weighted(0.3, 1..5_usize), condition).prop_map(
        |(keeps, newest, (tagged, prefixes, older_than, newer_than))| {
            let newest = newest.filter(|_| keeps);
            // What has no tag begins with nothing: that is refused.
            let prefixes = if tagged == Some(false) { Vec::new() } else { prefixes };
            Literal { keeps, newest, tagged, prefixes, older_than, newer_than }
        },
    );
    proptest::collection::vec(policy, 0..4)
}

/// Each a little older than its days say, so that no two are of one moment and none is of a policy's very age.
fn images() -> impl Strategy<Value = Vec<Lived>> {
    let image = (0..50_i64, 0..4_u8);
    proptest::collection::vec(image, 1..7).prop_map(|images| {
        let lived = |(place, (days, kind)): (usize, (i64, u8))| {
            let tags: Vec<String> = match kind {
                0 => Vec::new(),
                1 => vec![format!("v{place}")],
                2 => vec![format!("dev-{place}")],
                _ => vec![format!("v{place}"), format!("dev-{place}")],
            };
            Lived { name: format!("image {place}"), age: days * DAY + place as i64 + 1, tags }
        };
        images.into_iter().enumerate().map(lived).collect()
    })
}

fn document(policies: &[Literal]) -> String {
    let one = |(place, policy): (usize, &Literal)| {
        let mut shown = json!({ "action": if policy.keeps { "KEEP" } else { "DELETE" } });
        match policy.newest {
            Some(newest) => shown["mostRecentVersions"] = json!({ "keepCount": newest }),
            None => {
                let mut condition = json!({ "tagPrefixes": policy.prefixes });
                if let Some(tagged) = policy.tagged {
                    condition["tagState"] = json!(if tagged { "TAGGED" } else { "UNTAGGED" });
                }
                for (key, days) in [("olderThan", policy.older_than), ("newerThan", policy.newer_than)] {
                    if let Some(days) = days {
                        condition[key] = json!(format!("{}s", days * DAY));
                    }
                }
                shown["condition"] = condition;
            }
        }
        (format!("p{place}"), shown)
    };
    Value::Object(policies.iter().enumerate().map(one).collect()).to_string()
}

fn listed(images: &[Lived]) -> Vec<GarImage> {
    let image = |lived: &Lived| GarImage {
        digest: digest(&lived.name),
        tags: lived.tags.iter().map(|tag| tag.parse().unwrap()).collect(),
        uploaded: NOW - SignedDuration::from_secs(lived.age),
        children: Vec::new(),
    };
    images.iter().map(image).collect()
}

/// What is left at the end of each day, while something new comes on some of them.
fn life(policies: &[Literal], images: &[Lived], pushes: &[u8], heeded: bool) -> Vec<Vec<String>> {
    let (mut images, mut days) = (images.to_vec(), Vec::new());
    for (day, pushes) in pushes.iter().enumerate() {
        images = cleaned(policies, &images, heeded);
        days.push(images.iter().map(|image| image.name.clone()).collect());
        images.iter_mut().for_each(|image| image.age += DAY);
        images.extend((0..*pushes).map(|number| Lived {
            name: format!("pushed on day {day}, {number}"),
            age: i64::from(number),
            tags: Vec::new(),
        }));
    }
    days
}

fn pinned_of(images: &[Lived], pinned: &BTreeSet<usize>) -> Vec<Lived> {
    let mut images = images.to_vec();
    for place in pinned {
        let pin = Pin::for_digest(&digest(&images[*place].name)).to_string();
        images[*place].tags.push(pin);
    }
    images
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_says_what_a_literal_reading_says_k42(policies in policies(), images in images()) {
        let versions: Vec<Version> = images.iter().map(|image| Version {
            package: "api".to_owned(),
            name: digest(&image.name).to_string(),
            tags: image.tags.clone(),
            uploaded: NOW - SignedDuration::from_secs(image.age),
        }).collect();
        let left = READINGS.map(|heeded| -> BTreeSet<String> {
            cleaned(&policies, &images, heeded).into_iter().map(|image| image.name).collect()
        });
        let verdicts = judge(&Policies::parse(&document(&policies)).unwrap(), &versions, NOW);
        for (image, verdict) in images.iter().zip(verdicts) {
            match verdict {
                Verdict::Deleted { .. } => prop_assert!(left.iter().all(|left| !left.contains(&image.name))),
                Verdict::Untouched | Verdict::Kept { .. } => {
                    prop_assert!(left.iter().all(|left| left.contains(&image.name)));
                }
                Verdict::Undetermined { .. } => prop_assert!(policies.iter().any(is_doubtful), "no two are of one moment"),
            }
        }
    }

    /// What no policy is said to reach is there for ever, and what one surely takes by a date is gone then.
    #[test]
    fn what_is_foretold_comes_and_nothing_else_k42_k43(
        policies in policies(),
        images in images(),
        pinned in proptest::collection::btree_set(0..7_usize, 0..3),
        pushes in proptest::collection::vec(0..3_u8, 60),
    ) {
        let pinned: BTreeSet<usize> = pinned.into_iter().filter(|place| *place < images.len()).collect();
        let snapshot = snapshot(repository(&document(&policies), listed(&images)));
        let all: BTreeSet<ArtifactId> = images.iter().map(|image| artifact(&image.name)).collect();
        let situation = Situation {
            snapshot: &snapshot,
            targets: &all,
            pinned: &pinned.iter().map(|place| artifact(&images[*place].name)).collect(),
            inspections: &BTreeMap::new(),
            arrivals: &[],
            now: NOW,
        };
        let outlook = outlook(&situation);
        let lives = READINGS.map(|heeded| life(&policies, &pinned_of(&images, &pinned), &pushes, heeded));
        for (days, image) in lives.iter().flat_map(|days| images.iter().map(move |image| (days, image))) {
            let threats = outlook.threats(&artifact(&image.name));
            for (day, left) in days.iter().enumerate() {
                let then = NOW + super::days(day as i64);
                let is_left = left.contains(&image.name);
                prop_assert!(is_left || !threats.is_empty(), "{image:?} is gone on day {day}, and nothing said so");
                let surely = threats.iter().any(|threat| threat.certainty == Certainty::Certain && match threat.due {
                    Due::Now => true,
                    Due::On(at) => at <= then,
                    Due::AfterPushes { .. } => false,
                });
                prop_assert!(!(surely && is_left), "{image:?} is there on day {day}: {threats:?}");
            }
        }
        // The same by day, where nothing comes.
        for heeded in READINGS {
            let quiet = life(&policies, &pinned_of(&images, &pinned), &[0; 60], heeded);
            for (day, left) in quiet.iter().enumerate() {
                let taken = foreseen(&situation, NOW + super::days(day as i64)).unwrap();
                for image in &images {
                    let is_left = left.contains(&image.name);
                    let told = taken.get(&artifact(&image.name)).map(|foreseen| foreseen.certainty);
                    match told {
                        None => prop_assert!(is_left, "{image:?}"),
                        Some(Certainty::Certain) => prop_assert!(!is_left, "{image:?}"),
                        Some(_) => prop_assert!(policies.iter().any(is_doubtful), "{image:?}"),
                    }
                }
            }
        }
    }

    /// One more pin: where its own outlook is none the worse, nobody is gone sooner by it, whatever comes.
    #[test]
    fn no_pin_that_is_made_takes_anything_from_anybody_i22(
        policies in policies(),
        images in images(),
        pinned in proptest::collection::btree_set(0..7_usize, 0..3),
        one_more in any::<prop::sample::Index>(),
        pushes in proptest::collection::vec(0..3_u8, 60),
    ) {
        let before: BTreeSet<usize> = pinned.into_iter().filter(|place| *place < images.len()).collect();
        let one_more = one_more.index(images.len());
        let after: BTreeSet<usize> = before.iter().copied().chain([one_more]).collect();
        let snapshot = snapshot(repository(&document(&policies), listed(&images)));
        let name = |place: &usize| artifact(&images[*place].name);
        let ids = |places: &BTreeSet<usize>| places.iter().map(name).collect::<BTreeSet<ArtifactId>>();
        let (were, are) = (ids(&before), ids(&after));
        let inspections = BTreeMap::new();
        let of = |pinned, targets| Situation {
            snapshot: &snapshot, targets, pinned, inspections: &inspections, arrivals: &[], now: NOW,
        };
        let nobody = BTreeSet::new();
        let harmless = match stirred(&of(&were, &nobody), &name(&one_more)) {
            Stirred::Nobody => true,
            Stirred::Unknown { detail } => panic!("{detail}"),
            Stirred::These(these) => {
                let (was, is) = (artifact_outlooks(&of(&were, &these)), artifact_outlooks(&of(&are, &these)));
                is.iter().all(|(artifact, outlook)| outlook.worse_than(&was[artifact]).is_none())
            }
        };
        for heeded in READINGS {
            let lived = |pinned| life(&policies, &pinned_of(&images, pinned), &pushes, heeded);
            let (without, with) = (lived(&before), lived(&after));
            for (without, with) in without.iter().zip(&with) {
                for image in &images {
                    let lost = without.contains(&image.name) && !with.contains(&image.name);
                    prop_assert!(!(harmless && lost), "{image:?} is lost by the pin of {:?}", images[one_more]);
                }
            }
        }
    }
}
