//! Findings about a whole source, and about the policy itself.

use jiff::Timestamp;

use crate::model::{Code, Event, Finding, Mark, SettingFacts, Severity, SourceName, Versioning};

use super::rules::Uses;

/// Judges a source's settings against what they should be and what they were.
#[must_use]
pub fn settings(
    source: &SourceName,
    facts: &SettingFacts,
    previous: Option<&(Mark, SettingFacts)>,
    now: Timestamp,
) -> (Vec<Finding>, Option<Event>) {
    let finding = |code, severity, message: String, remedy: &str| {
        Finding::at_large(code, severity, Some(source), message, remedy, now)
    };
    let mut findings = Vec::new();
    if let SettingFacts::Bucket { bucket, versioning, object_lock, .. } = facts {
        if let Some(state @ (Versioning::Off | Versioning::Suspended)) = versioning {
            let how = if *state == Versioning::Off { "is not versioned" } else { "has versioning suspended" };
            findings.push(finding(
                Code::VersioningOff,
                Severity::High,
                format!("bucket {bucket} {how}: the next write to a key destroys what it held"),
                "enable versioning on the bucket",
            ));
        }
        if *object_lock == Some(false) {
            findings.push(finding(
                Code::ObjectLockOff,
                Severity::High,
                format!("bucket {bucket} has no Object Lock: a pin is only a mark there, and nothing enforces it"),
                "enable Object Lock on the bucket (possible on an existing versioned bucket); no retention period is needed",
            ));
        }
    }
    let event = match previous {
        None => Some(facts.clone()),
        Some((_, before)) => {
            // What could not be read now has not changed; it keeps what was known (F48).
            let known = facts.or_before(before);
            let difference = known.difference(before);
            if !difference.is_empty() {
                findings.push(finding(
                    Code::SettingsChanged,
                    if known.is_weaker_than(before) { Severity::High } else { Severity::Medium },
                    format!("protection settings changed: {}", difference.join(", ")),
                    "make sure that somebody meant it",
                ));
            }
            // What could not be read before and can now is recorded, and is no change.
            (known != *before).then_some(known)
        }
    };
    (findings, event.map(|facts| Event::Settings { source: source.clone(), facts: Box::new(facts) }))
}

/// Policy entries that matched nothing.
#[must_use]
pub fn unmatched<'a>(
    source: Option<&SourceName>,
    entries: impl IntoIterator<Item = &'a str>,
    severity: Severity,
    now: Timestamp,
) -> Vec<Finding> {
    let finding = |entry: &str| {
        let message = format!("{entry} in the policy matches nothing");
        let remedy = "correct the entry, or take it out";
        Finding::at_large(Code::PolicyUnmatched, severity, source, message, remedy, now).naming(entry)
    };
    entries.into_iter().map(finding).collect()
}

/// Production rules that matched nothing in any repository of a whole run: nobody writes a rule to keep nothing (F73).
/// `targets` is how many rollback targets there are all the same.
#[must_use]
pub fn idle_rules(uses: &Uses, repositories: u64, targets: u64, now: Timestamp) -> Vec<Finding> {
    let seen: Vec<String> = uses.seen().map(|tag| format!("{tag:?}")).collect();
    let seen = match seen.is_empty() {
        true => "no tag is there".to_owned(),
        false => format!("tags seen: {}", seen.join(", ")),
    };
    let protects = if targets == 0 { ": nothing is protected" } else { "" };
    let of =
        if repositories == 1 { "the one repository".to_owned() } else { format!("any of {repositories} repositories") };
    let rule = |entries: Vec<&str>| {
        let named = entries.join(", ");
        let message = format!("{named} in the policy matches nothing in {of}{protects}; {seen}");
        let remedy = "change the rule so that it matches the release tags that are there, for example \
                      { tags: [\"v*\"], order: semver }, or take it out";
        Finding::new(Code::PolicyUnmatched, Severity::High, message, remedy, now).naming(named)
    };
    uses.idle().map(|(_, entries)| rule(entries)).collect()
}

/// A source whose repositories hold no tag at all: its layout, or its patterns, lead beside what is there.
#[must_use]
pub fn without_tags(source: &SourceName, repositories: u64, is_bucket: bool, now: Timestamp) -> Finding {
    let of =
        if repositories == 1 { "its one repository".to_owned() } else { format!("its {repositories} repositories") };
    let message =
        format!("source {source} has no artifact in {of}, as the policy reads it: nothing is protected there");
    let remedy = match is_bucket {
        true => "compare `layout:` with the keys that are there, for example with `aws s3 ls --recursive`",
        false => "check `repositories:`, and whether releases are pushed there",
    };
    Finding::at_large(Code::PolicyUnmatched, Severity::High, Some(source), message, remedy, now)
        .naming(format!("source {source}"))
}

impl SettingFacts {
    fn or_before(&self, before: &Self) -> Self {
        match (self, before) {
            (
                Self::Bucket { bucket, versioning, object_lock, lifecycle },
                Self::Bucket {
                    versioning: versioning_before,
                    object_lock: lock_before,
                    lifecycle: lifecycle_before,
                    ..
                },
            ) => Self::Bucket {
                bucket: bucket.clone(),
                versioning: versioning.or(*versioning_before),
                object_lock: object_lock.or(*lock_before),
                lifecycle: lifecycle.clone().or_else(|| lifecycle_before.clone()),
            },
            (
                Self::EcrRegistry { registry, region, cache, replication, templates },
                Self::EcrRegistry {
                    registry: registry_before,
                    region: region_before,
                    cache: cache_before,
                    replication: replication_before,
                    templates: templates_before,
                },
            ) if (registry, region) == (registry_before, region_before) => Self::EcrRegistry {
                registry: registry.clone(),
                region: region.clone(),
                cache: cache.clone().or_else(|| cache_before.clone()),
                replication: replication.clone().or_else(|| replication_before.clone()),
                templates: templates.clone().or_else(|| templates_before.clone()),
            },
            (Self::Registry { recognised }, Self::Registry { recognised: before }) => {
                Self::Registry { recognised: recognised.clone().or_else(|| before.clone()) }
            }
            _ => self.clone(),
        }
    }

    fn is_weaker_than(&self, before: &Self) -> bool {
        match (self, before) {
            (
                Self::Bucket { versioning, object_lock, .. },
                Self::Bucket { versioning: versioning_before, object_lock: lock_before, .. },
            ) => {
                (*versioning_before == Some(Versioning::Enabled) && *versioning != *versioning_before)
                    || (*lock_before == Some(true) && *object_lock != *lock_before)
            }
            // None of a registry's settings reaches into a repository that exists (A47, A48).
            (
                Self::EcrRegistry { registry, region, .. },
                Self::EcrRegistry { registry: registry_before, region: region_before, .. },
            ) => (registry, region) != (registry_before, region_before),
            _ => true,
        }
    }

    fn difference(&self, before: &Self) -> Vec<String> {
        match (self, before) {
            (
                Self::Bucket { bucket, versioning, object_lock, lifecycle },
                Self::Bucket {
                    bucket: bucket_before,
                    versioning: versioning_before,
                    object_lock: lock_before,
                    lifecycle: lifecycle_before,
                },
            ) => [
                (bucket != bucket_before).then(|| format!("bucket {bucket_before} became {bucket}")),
                (versioning_before.is_some() && versioning != versioning_before)
                    .then(|| format!("versioning is {}", word(*versioning))),
                (lock_before.is_some() && object_lock != lock_before)
                    .then(|| format!("Object Lock is {}", if *object_lock == Some(true) { "on" } else { "off" })),
                (lifecycle_before.is_some() && lifecycle != lifecycle_before)
                    .then(|| "the lifecycle configuration is another one".to_owned()),
            ]
            .into_iter()
            .flatten()
            .collect(),
            // Findings about its cleanup tell the kind.
            (Self::Registry { .. }, Self::Registry { .. }) => Vec::new(),
            (
                Self::EcrRegistry { registry, region, cache, replication, templates },
                Self::EcrRegistry {
                    registry: registry_before,
                    region: region_before,
                    cache: cache_before,
                    replication: replication_before,
                    templates: templates_before,
                },
            ) => {
                let other = |before: &Option<_>, now: &Option<_>, what: &str| {
                    (before.is_some() && before != now).then(|| format!("the {what} are other ones"))
                };
                [
                    ((registry, region) != (registry_before, region_before)).then(|| {
                        format!("registry {registry_before} in {region_before} became {registry} in {region}")
                    }),
                    other(cache_before, cache, "pull-through cache rules"),
                    other(replication_before, replication, "replication rules"),
                    other(templates_before, templates, "repository creation templates"),
                ]
                .into_iter()
                .flatten()
                .collect()
            }
            _ => vec!["the source is of another kind".to_owned()],
        }
    }
}

fn word(versioning: Option<Versioning>) -> &'static str {
    match versioning {
        Some(Versioning::Enabled) => "enabled",
        Some(Versioning::Suspended) => "suspended",
        Some(Versioning::Off) => "off",
        None => "unknown",
    }
}
