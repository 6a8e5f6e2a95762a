//! What a bucket's lifecycle rules do to one version, pure.
//!
//! No dates are computed here: a rule that reaches a version reaches it sooner or later, and a rollback target is meant
//! to stay. What cannot be told is said to be unproven, never harmless.

use aws_sdk_s3::types::{LifecycleRule, LifecycleRuleFilter, TransitionDefaultMinimumObjectSize};
use serde::Serialize;

use crate::model::{Digest, Obstacle, Versioning};

use super::observe::timestamp;

/// A bucket's lifecycle configuration as far as it concerns object versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Lifecycle {
    rules: Vec<Rule>,
    /// Whether transitions leave objects under 128 KB alone; only if the bucket says so (B73).
    small_objects_stay: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Rule {
    id: String,
    enabled: bool,
    filter: Filter,
    expiration: Option<Expiration>,
    noncurrent_expiration: Option<Noncurrent>,
    transitions: Vec<Transition>,
    noncurrent_transitions: Vec<NoncurrentTransition>,
    abort_multipart_upload_days: Option<i32>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Filter {
    prefix: String,
    tags: Vec<(String, String)>,
    larger_than: Option<i64>,
    smaller_than: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Expiration {
    days: Option<i32>,
    date: Option<String>,
    /// Removes delete markers that hide nothing, and touches no version.
    markers_only: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Noncurrent {
    days: Option<i32>,
    keep_newer: Option<i32>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Transition {
    class: String,
    days: Option<i32>,
    date: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct NoncurrentTransition {
    class: String,
    when: Noncurrent,
}

/// The version in question, and what of its bucket matters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) key: &'a str,
    pub(super) size: Option<i64>,
    /// None where they could not be read.
    pub(super) tags: Option<&'a [(String, String)]>,
    /// Whether it is the newest thing at its key.
    pub(super) is_current: Option<bool>,
    pub(super) is_null: bool,
    pub(super) versioning: Option<Versioning>,
    /// Whether a legal hold will be on it. A hold stops deletion, and neither markers nor transitions (B74).
    pub(super) can_be_held: Option<bool>,
}

/// The classes one reads from at once. Any other, one that does not exist yet included, is taken for an archive (F53).
const READABLE: &[&str] = &[
    "STANDARD",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "REDUCED_REDUNDANCY",
    "EXPRESS_ONEZONE",
    "OUTPOSTS",
    "SNOW",
    "FSX_OPENZFS",
    "FSX_ONTAP",
];

const SMALL: i64 = 128 * 1024;

/// Whether an object in this class must be restored before it can be read.
pub(super) fn is_archive(class: &str) -> bool {
    !READABLE.contains(&class)
}

impl Lifecycle {
    pub(super) fn read(rules: &[LifecycleRule], minimum: Option<&TransitionDefaultMinimumObjectSize>) -> Self {
        let mut rules: Vec<Rule> = rules.iter().map(Rule::read).collect();
        // Rules have no order of their own (B67): listed differently, they are the same configuration.
        rules.sort();
        let small_objects_stay = minimum.is_some_and(|minimum| minimum.as_str() == "all_storage_classes_128K");
        Self { rules, small_objects_stay }
    }

    /// A hash that changes when the configuration does.
    pub(super) fn digest(&self) -> Digest {
        // Plain strings, numbers and lists: serializing them cannot fail.
        Digest::of(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// Whether judging this key needs the version's tags.
    pub(super) fn asks_for_tags(&self, key: &str) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.enabled && !rule.filter.tags.is_empty() && key.starts_with(&rule.filter.prefix))
    }

    /// What stands in the way of this version staying as it is.
    pub(super) fn obstacles(&self, subject: &Subject<'_>) -> Vec<Obstacle> {
        let enabled = self.rules.iter().filter(|rule| rule.enabled);
        enabled.flat_map(|rule| rule.obstacles(subject, self.small_objects_stay)).collect()
    }
}

/// How sure something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sure {
    Yes,
    No,
    Unknown,
}

impl From<Option<bool>> for Sure {
    fn from(known: Option<bool>) -> Self {
        match known {
            Some(true) => Self::Yes,
            Some(false) => Self::No,
            None => Self::Unknown,
        }
    }
}

impl Sure {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unknown,
        }
    }
}

impl Rule {
    fn read(rule: &LifecycleRule) -> Self {
        let noncurrent = |days, keep_newer| Noncurrent { days, keep_newer };
        let mut transitions: Vec<_> = rule
            .transitions()
            .iter()
            .map(|transition| Transition {
                class: transition.storage_class().map_or_else(String::new, |class| class.as_str().to_owned()),
                days: transition.days(),
                date: timestamp(transition.date()).map(|date| date.to_string()),
            })
            .collect();
        transitions.sort();
        let mut noncurrent_transitions: Vec<_> = rule
            .noncurrent_version_transitions()
            .iter()
            .map(|transition| NoncurrentTransition {
                class: transition.storage_class().map_or_else(String::new, |class| class.as_str().to_owned()),
                when: noncurrent(transition.noncurrent_days(), transition.newer_noncurrent_versions()),
            })
            .collect();
        noncurrent_transitions.sort();
        Self {
            id: rule.id().unwrap_or_default().to_owned(),
            // Whatever is not plainly disabled is taken to act (F53).
            enabled: rule.status().as_str() != "Disabled",
            filter: Filter::read(rule),
            expiration: rule.expiration().map(|expiration| Expiration {
                days: expiration.days(),
                date: timestamp(expiration.date()).map(|date| date.to_string()),
                markers_only: expiration.days().is_none()
                    && expiration.date().is_none()
                    && expiration.expired_object_delete_marker() == Some(true),
            }),
            noncurrent_expiration: rule
                .noncurrent_version_expiration()
                .map(|rule| noncurrent(rule.noncurrent_days(), rule.newer_noncurrent_versions())),
            transitions,
            noncurrent_transitions,
            abort_multipart_upload_days: rule
                .abort_incomplete_multipart_upload()
                .and_then(|abort| abort.days_after_initiation()),
        }
    }

    fn obstacles(&self, subject: &Subject<'_>, small_objects_stay: bool) -> Vec<Obstacle> {
        let reaches = self.filter.matches(subject);
        let mut found = Vec::new();
        let mut add = |sure: Sure, effect: String| match reaches.and(sure) {
            Sure::Yes => found.push(Obstacle::Lifecycle { rule: self.name(), effect, due: None }),
            Sure::Unknown => {
                let detail = format!("whether lifecycle rule {:?} reaches it; if so, it {effect}", self.name());
                found.push(Obstacle::Unproven { detail });
            }
            Sure::No => {}
        };
        let current = Sure::from(subject.is_current);
        let noncurrent = Sure::from(subject.is_current.map(|current| !current));
        if let Some(expiration) = self.expiration.as_ref().filter(|expiration| !expiration.markers_only) {
            add(current, format!("{}{}", expires(subject), after(expiration.days, expiration.date.as_deref())));
        }
        if let Some(expiration) = &self.noncurrent_expiration {
            let unheld = Sure::from(subject.can_be_held.map(|held| !held));
            let sure = noncurrent.and(expiration.sure()).and(unheld);
            add(sure, format!("deletes it for good{}", after(expiration.days, None)));
        }
        let stays = small_objects_stay && self.filter.has_no_size() && subject.size.is_some_and(|size| size < SMALL);
        if !stays {
            for transition in self.transitions.iter().filter(|transition| is_archive(&transition.class)) {
                let when = after(transition.days, transition.date.as_deref());
                add(current, format!("archives it to {}{when}", transition.class));
            }
            for transition in self.noncurrent_transitions.iter().filter(|transition| is_archive(&transition.class)) {
                let when = after(transition.when.days, None);
                add(noncurrent.and(transition.when.sure()), format!("archives it to {}{when}", transition.class));
            }
        }
        found
    }

    fn name(&self) -> String {
        if self.id.is_empty() { format!("for prefix {:?}", self.filter.prefix) } else { self.id.clone() }
    }
}

impl Noncurrent {
    /// With `NewerNoncurrentVersions`, it depends on versions that are not looked at here (B70).
    fn sure(&self) -> Sure {
        if self.keep_newer.unwrap_or(0) > 0 { Sure::Unknown } else { Sure::Yes }
    }
}

/// What expiration does to a current version, by the bucket's versioning (B69).
fn expires(subject: &Subject<'_>) -> &'static str {
    match subject.versioning {
        Some(Versioning::Off) => "deletes it for good",
        Some(Versioning::Suspended) if subject.is_null => "replaces it by a delete marker for good",
        _ => "puts a delete marker in front of it",
    }
}

fn after(days: Option<i32>, date: Option<&str>) -> String {
    match (days, date) {
        (Some(days), _) => format!(" after {days} days"),
        (None, Some(date)) => format!(" on {date}"),
        (None, None) => String::new(),
    }
}

impl Filter {
    fn read(rule: &LifecycleRule) -> Self {
        let mut filter = Self::default();
        if let Some(given) = rule.filter() {
            filter.add(given);
        }
        // The older form has the prefix beside the filter, and no filter. Deprecated is not gone.
        #[expect(deprecated, reason = "rules written in the older form are still in force (B66)")]
        let prefix = rule.prefix();
        if let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) {
            filter.prefix = prefix.to_owned();
        }
        filter.tags.sort();
        filter
    }

    fn add(&mut self, given: &LifecycleRuleFilter) {
        let and = given.and();
        let prefix = given.prefix().or(and.and_then(|and| and.prefix()));
        self.prefix = prefix.unwrap_or_default().to_owned();
        let tags = given.tag().into_iter().chain(and.into_iter().flat_map(|and| and.tags()));
        self.tags = tags.map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
        self.larger_than = given.object_size_greater_than().or(and.and_then(|and| and.object_size_greater_than()));
        self.smaller_than = given.object_size_less_than().or(and.and_then(|and| and.object_size_less_than()));
    }

    fn has_no_size(&self) -> bool {
        self.larger_than.is_none() && self.smaller_than.is_none()
    }

    /// Every part must hold; bounds are exclusive, tags exact, and there is no negation (B66).
    fn matches(&self, subject: &Subject<'_>) -> Sure {
        let prefix = Sure::from(Some(subject.key.starts_with(&self.prefix)));
        let size = match subject.size {
            _ if self.has_no_size() => Sure::Yes,
            None => Sure::Unknown,
            Some(size) => Sure::from(Some(
                self.larger_than.is_none_or(|bound| size > bound) && self.smaller_than.is_none_or(|bound| size < bound),
            )),
        };
        let tags = match subject.tags {
            _ if self.tags.is_empty() => Sure::Yes,
            None => Sure::Unknown,
            Some(tags) => Sure::from(Some(self.tags.iter().all(|wanted| tags.contains(wanted)))),
        };
        prefix.and(size).and(tags)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::primitives::DateTime;
    use aws_sdk_s3::types::builders::LifecycleRuleBuilder;
    use aws_sdk_s3::types::{
        ExpirationStatus, LifecycleExpiration, LifecycleRuleAndOperator, NoncurrentVersionExpiration,
        NoncurrentVersionTransition, Tag, Transition as SdkTransition, TransitionStorageClass,
    };

    use super::*;

    const SUBJECT: Subject<'_> = Subject {
        key: "api/1/x.zip",
        size: Some(1_000_000),
        tags: Some(&[]),
        is_current: Some(true),
        is_null: false,
        versioning: Some(Versioning::Enabled),
        can_be_held: Some(true),
    };

    fn rule(build: impl FnOnce(LifecycleRuleBuilder) -> LifecycleRuleBuilder) -> Lifecycle {
        let rule = LifecycleRule::builder().id("r").status(ExpirationStatus::Enabled);
        Lifecycle::read(&[build(rule).build().unwrap()], None)
    }

    fn expiring(filter: LifecycleRuleFilter) -> Lifecycle {
        rule(|rule| rule.filter(filter).expiration(LifecycleExpiration::builder().days(30).build()))
    }

    fn everything() -> LifecycleRuleFilter {
        LifecycleRuleFilter::builder().build()
    }

    fn effects(lifecycle: &Lifecycle, subject: &Subject<'_>) -> Vec<String> {
        lifecycle
            .obstacles(subject)
            .into_iter()
            .map(|obstacle| match obstacle {
                Obstacle::Lifecycle { effect, .. } => effect,
                Obstacle::Unproven { .. } => "unproven".to_owned(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn expiration_depends_on_versioning_and_reaches_held_versions_b69_b74() {
        let rules = expiring(everything());
        let marker = "puts a delete marker in front of it after 30 days";
        for (versioning, is_null, expected) in [
            (Some(Versioning::Enabled), false, marker),
            (Some(Versioning::Off), true, "deletes it for good after 30 days"),
            (Some(Versioning::Suspended), true, "replaces it by a delete marker for good after 30 days"),
            (Some(Versioning::Suspended), false, marker),
            (None, false, marker),
        ] {
            assert_eq!(effects(&rules, &Subject { versioning, is_null, ..SUBJECT }), [expected]);
        }
        assert!(effects(&rules, &Subject { is_current: Some(false), ..SUBJECT }).is_empty());
        assert_eq!(effects(&rules, &Subject { is_current: None, ..SUBJECT }), ["unproven"]);
        let dated = rule(|rule| {
            rule.filter(everything())
                .expiration(LifecycleExpiration::builder().date(DateTime::from_secs(86_400)).build())
        });
        assert_eq!(effects(&dated, &SUBJECT), ["puts a delete marker in front of it on 1970-01-02T00:00:00Z"]);
        let markers = rule(|rule| {
            rule.filter(everything())
                .expiration(LifecycleExpiration::builder().expired_object_delete_marker(true).build())
        });
        assert!(effects(&markers, &SUBJECT).is_empty());
    }

    #[test]
    fn a_hold_defeats_noncurrent_expiration_f50_b70_b74() {
        let rules = |keep: Option<i32>| {
            rule(|rule| {
                let noncurrent = NoncurrentVersionExpiration::builder().noncurrent_days(9);
                rule.filter(everything())
                    .noncurrent_version_expiration(noncurrent.set_newer_noncurrent_versions(keep).build())
            })
        };
        let old = Subject { is_current: Some(false), ..SUBJECT };
        for (keep, subject, expected) in [
            (None, old, vec![]),
            (None, Subject { can_be_held: Some(false), ..old }, vec!["deletes it for good after 9 days"]),
            (None, Subject { can_be_held: None, ..old }, vec!["unproven"]),
            (Some(3), Subject { can_be_held: Some(false), ..old }, vec!["unproven"]),
            (None, Subject { can_be_held: Some(false), ..SUBJECT }, vec![]),
        ] {
            assert_eq!(effects(&rules(keep), &subject), expected);
        }
    }

    #[test]
    fn transitions_to_archives_are_told_and_others_not_b73_f53() {
        let to = |class: &str, minimum: Option<TransitionDefaultMinimumObjectSize>| {
            let class = TransitionStorageClass::from(class);
            let rule = LifecycleRule::builder()
                .id("r")
                .status(ExpirationStatus::Enabled)
                .filter(everything())
                .transitions(SdkTransition::builder().days(1).storage_class(class.clone()).build())
                .noncurrent_version_transitions(
                    NoncurrentVersionTransition::builder().noncurrent_days(2).storage_class(class).build(),
                );
            Lifecycle::read(&[rule.build().unwrap()], minimum.as_ref())
        };
        assert_eq!(effects(&to("GLACIER", None), &SUBJECT), ["archives it to GLACIER after 1 days"]);
        let old = Subject { is_current: Some(false), ..SUBJECT };
        assert_eq!(effects(&to("DEEP_ARCHIVE", None), &old), ["archives it to DEEP_ARCHIVE after 2 days"]);
        assert_eq!(effects(&to("PERMAFROST", None), &SUBJECT), ["archives it to PERMAFROST after 1 days"]);
        for class in ["GLACIER_IR", "STANDARD_IA", "INTELLIGENT_TIERING"] {
            assert!(effects(&to(class, None), &SUBJECT).is_empty());
        }
        let small = Subject { size: Some(1000), ..SUBJECT };
        assert_eq!(effects(&to("GLACIER", None), &small).len(), 1);
        let all = TransitionDefaultMinimumObjectSize::AllStorageClasses128K;
        assert!(effects(&to("GLACIER", Some(all)), &small).is_empty());
        let varies = TransitionDefaultMinimumObjectSize::VariesByStorageClass;
        assert_eq!(effects(&to("GLACIER", Some(varies)), &small).len(), 1);
    }

    #[test]
    fn filters_hold_in_every_part_b66() {
        let tag = |value: &str| Tag::builder().key("kind").value(value).build().unwrap();
        let kind = [("kind".to_owned(), "release".to_owned())];
        let tagged = Subject { tags: Some(&kind), ..SUBJECT };
        let unread = Subject { tags: None, ..SUBJECT };
        let filter = LifecycleRuleFilter::builder;
        let and = |prefix: &str| {
            let and = LifecycleRuleAndOperator::builder().prefix(prefix).tags(tag("release"));
            filter().and(and.object_size_greater_than(10).build()).build()
        };
        for (filter, subject, expected) in [
            (filter().prefix("api/").build(), SUBJECT, 1),
            (filter().prefix("web/").build(), SUBJECT, 0),
            (filter().object_size_greater_than(1_000_000).build(), SUBJECT, 0),
            (filter().object_size_greater_than(999_999).build(), SUBJECT, 1),
            (filter().object_size_less_than(1_000_000).build(), SUBJECT, 0),
            (filter().tag(tag("release")).build(), tagged, 1),
            (filter().tag(tag("other")).build(), tagged, 0),
            (filter().tag(tag("release")).build(), SUBJECT, 0),
            (and("api/"), tagged, 1),
            (and("web/"), unread, 0),
        ] {
            assert_eq!(effects(&expiring(filter.clone()), &subject).len(), expected, "{filter:?}");
        }
        assert_eq!(effects(&expiring(and("api/")), &unread), ["unproven"]);
        assert_eq!(
            effects(&expiring(filter().object_size_less_than(9).build()), &Subject { size: None, ..SUBJECT }),
            ["unproven"]
        );
        assert!(expiring(and("api/")).asks_for_tags("api/1/x.zip"));
        assert!(!expiring(and("web/")).asks_for_tags("api/1/x.zip"));
        #[expect(deprecated, reason = "rules written in the older form are still in force (B66)")]
        let older = rule(|rule| rule.prefix("web/").expiration(LifecycleExpiration::builder().days(1).build()));
        assert!(effects(&older, &SUBJECT).is_empty());
    }

    #[test]
    fn disabled_rules_do_nothing_and_unknown_states_act_f53() {
        for (status, expected) in [("Disabled", 0), ("Enabled", 1), ("Paused", 1)] {
            let rules = rule(|rule| {
                rule.status(ExpirationStatus::from(status))
                    .filter(everything())
                    .expiration(LifecycleExpiration::builder().days(1).build())
            });
            assert_eq!(effects(&rules, &SUBJECT).len(), expected, "{status}");
        }
    }

    #[test]
    fn the_digest_knows_changes_and_not_order() {
        let named = |id: &str, days| {
            LifecycleRule::builder()
                .id(id)
                .status(ExpirationStatus::Enabled)
                .filter(everything())
                .expiration(LifecycleExpiration::builder().days(days).build())
                .build()
                .unwrap()
        };
        let (a, b) = (named("a", 1), named("b", 2));
        let digest = |rules: &[LifecycleRule]| Lifecycle::read(rules, None).digest();
        assert_eq!(digest(&[a.clone(), b.clone()]), digest(&[b.clone(), a.clone()]));
        assert_ne!(digest(&[a.clone(), b]), digest(&[a, named("b", 3)]));
        assert_ne!(digest(&[]), digest(&[named("a", 1)]));
    }
}
