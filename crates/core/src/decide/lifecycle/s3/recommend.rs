//! A bucket's own rules, changed so that none can take a pinned release. Rules have no order and filters cannot negate
//! (B66, B67), so nothing can be put in front of them: what reaches releases has to go.

use crate::model::{BucketExpiration, BucketLifecycle, BucketRetention, BucketRule, BucketTransition, RepositoryName};

use super::write::write;

/// The configuration, complete, with whatever can take or slow a pinned release of this repository taken out of it;
/// without a repository, of any. Where nothing can, it is the live one.
pub fn recommend(bucket: &BucketRetention, repository: Option<&RepositoryName>) -> Result<String, String> {
    let Some(lifecycle) = bucket.lifecycle.as_deref() else {
        return Err("the bucket's lifecycle rules could not be read; grant s3:GetLifecycleConfiguration".to_owned());
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
    if !rule.enabled || !reaches_releases(rule, bucket, home) {
        return rule.clone();
    }
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

fn stays_quick<W>(transition: &BucketTransition<W>) -> bool {
    !transition.class.is_archive()
}

/// A rule for a tag is left alone, unless it is the tag that marks pins: only its owner knows what carries it.
fn reaches_releases(rule: &BucketRule, bucket: &BucketRetention, home: &str) -> bool {
    let prefix = &*rule.filter.prefix;
    let is_near = prefix.starts_with(home) || home.starts_with(prefix);
    let by_tag = !rule.filter.tags.is_empty() && !rule.filter.tags.iter().any(|(key, _)| super::lint::is_mark(key));
    is_near && bucket.layout.can_begin(prefix) && !by_tag
}
