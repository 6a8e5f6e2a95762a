//! A bucket's own rules, changed so that none can take a pinned release. Rules have no order and filters cannot negate
//! (B66, B67), so nothing can be put in front of them: what reaches releases has to go.

use crate::model::{
    BucketExpiration, BucketLifecycle, BucketRetention, BucketRule, BucketTransition, RepositoryName, TransitionMinimum,
};

use super::write::write;

/// The configuration, complete, with whatever can take or slow a pinned release of this repository taken out of it;
/// without a repository, of any. Where nothing can, it is the live one.
pub fn recommend(bucket: &BucketRetention, repository: Option<&RepositoryName>) -> Result<String, String> {
    let Some(lifecycle) = bucket.lifecycle.as_deref() else {
        return Err("the bucket's lifecycle rules could not be read".to_owned());
    };
    if lifecycle.rules.is_empty() {
        return Err("the bucket has no lifecycle rules, and needs none: nothing takes a release there".to_owned());
    }
    let home = repository.map(|repository| bucket.layout.repository_prefix(repository)).unwrap_or_default();
    let rules = lifecycle.rules.iter().map(|rule| spared(rule, bucket, &home)).collect();
    write(&BucketLifecycle { rules, minimum: lifecycle.minimum })
}

/// The rule without what it does to releases; switched off where it does nothing else, because S3 takes no rule without
/// an action.
fn spared(rule: &BucketRule, bucket: &BucketRetention, home: &str) -> BucketRule {
    match rule.enabled && is_near(rule, bucket, home) && !is_for_a_tag(rule) {
        true => spared_of(rule, bucket),
        false => rule.clone(),
    }
}

fn spared_of(rule: &BucketRule, bucket: &BucketRetention) -> BucketRule {
    let mut spared = rule.clone();
    if matches!(spared.expiration, Some(BucketExpiration::Current(_))) {
        spared.expiration = None;
    }
    // A legal hold withstands this one, and only where there are holds (B74).
    if bucket.object_lock != Some(true) {
        spared.noncurrent_expiration = None;
    }
    spared.transitions.retain(stays_quick);
    spared.noncurrent_transitions.retain(stays_quick);
    let does_something = spared.expiration.is_some()
        || spared.noncurrent_expiration.is_some()
        || !spared.transitions.is_empty()
        || !spared.noncurrent_transitions.is_empty()
        || spared.abort_uploads_after.is_some();
    if does_something { spared } else { BucketRule { enabled: false, ..rule.clone() } }
}

/// What of the rules was left as it is although it may take releases: rules for a tag, since what carries it is known to
/// its owner alone. Each is a sentence.
pub fn left_alone(bucket: &BucketRetention, repository: Option<&RepositoryName>) -> Vec<String> {
    let home = repository.map(|repository| bucket.layout.repository_prefix(repository)).unwrap_or_default();
    let rules = bucket.lifecycle.iter().flat_map(|lifecycle| &lifecycle.rules);
    let by_tag = rules.filter(|rule| rule.enabled && is_near(rule, bucket, &home) && is_for_a_tag(rule));
    let harmful = by_tag.filter(|rule| spared_of(rule, bucket) != **rule);
    // The command line takes it as a parameter of its own, and without it the bucket has another one afterwards (B75).
    let minimum = bucket.lifecycle.iter().filter(|lifecycle| {
        lifecycle.minimum == TransitionMinimum::VariesByClass
            && lifecycle
                .rules
                .iter()
                .any(|rule| !rule.transitions.is_empty() || !rule.noncurrent_transitions.is_empty())
    });
    let minimum = minimum.map(|_| {
        "the bucket moves objects of any size that a class takes: put the document with \
         `--transition-default-minimum-object-size varies_by_storage_class`, which it cannot say itself"
            .to_owned()
    });
    harmful
        .map(|rule| {
            let tags: Vec<String> =
                rule.filter.tags.iter().map(|(key, value)| format!("{key:.80}={value:.80}").escape_debug().to_string()).collect();
            format!(
                "rule {:?} is left as it is: it takes what is tagged {}, releases too if they carry that tag; keep it off \
                 releases, or narrow the rule",
                rule.name(),
                tags.join(" and ")
            )
        })
        .chain(minimum)
        .collect()
}

fn stays_quick<W>(transition: &BucketTransition<W>) -> bool {
    !transition.class.is_archive()
}

/// Whether the keys that it reaches may be those of releases.
fn is_near(rule: &BucketRule, bucket: &BucketRetention, home: &str) -> bool {
    let prefix = &*rule.filter.prefix;
    (prefix.starts_with(home) || home.starts_with(prefix)) && bucket.layout.can_begin(prefix)
}

/// A rule for a tag is left alone, unless it is the tag that marks pins: only its owner knows what carries it.
pub(in crate::decide::lifecycle) fn is_for_a_tag(rule: &BucketRule) -> bool {
    !rule.filter.tags.is_empty() && !rule.filter.tags.iter().any(|(key, _)| super::lint::is_mark(key))
}
