//! What holds for the whole bucket: versioning, Object Lock, lifecycle.

use std::sync::Arc;

use prodpin_core::decide::lifecycle::s3::Lifecycle;
use prodpin_core::model::{BucketLifecycle, BucketRetention, Cause, Gap, Scope, SettingFacts, Tag, Versioning};

use super::failure::S3Failure;
use super::gate::{is_whole, root_name};
use super::lifecycle;
use super::{Bucket, access};

/// The bucket's settings as read once; none in a field means that it could not be read (F48).
#[derive(Debug, Clone)]
pub(super) struct BucketState {
    pub(super) versioning: Option<Versioning>,
    pub(super) object_lock: Option<bool>,
    pub(super) lifecycle: Option<Arc<BucketLifecycle>>,
    /// Whom the bucket's policy lets bypass governance. What roles are allowed by their own policies is not in it.
    pub(super) bypass: Option<Vec<String>>,
    pub(super) gaps: Vec<Gap>,
    /// Whether other rules than those that are live will be judged.
    pub(super) tried: bool,
}

pub(super) const VERSIONING: &str = "s3:GetBucketVersioning";
pub(super) const OBJECT_LOCK: &str = "s3:GetBucketObjectLockConfiguration";
pub(super) const LIFECYCLE: &str = "s3:GetLifecycleConfiguration";
pub(super) const POLICY: &str = "s3:GetBucketPolicy";

/// A server that says so in its own words has no such feature: that is an answer, not a failure to answer.
const NOT_OFFERED: &str = "NotImplemented";

impl BucketState {
    pub(super) async fn read(bucket: &Bucket) -> Self {
        let (versioning, object_lock, lifecycle, bypass) =
            futures::future::join4(versioning(bucket), object_lock(bucket), rules(bucket), bypass(bucket)).await;
        let mut gaps = Vec::new();
        let mut note = |failure: S3Failure| {
            let gap = failure.gap(Scope::Source, &bucket.label);
            // What keeps every call from being made is said once.
            if !gaps.contains(&gap) {
                gaps.push(gap);
            }
        };
        Self {
            versioning: versioning.map_err(&mut note).ok(),
            object_lock: object_lock.map_err(&mut note).ok(),
            lifecycle: lifecycle.map_err(&mut note).ok().map(Arc::new),
            bypass,
            gaps,
            tried: bucket.tried,
        }
    }

    pub(super) fn facts(&self, bucket: &Bucket) -> SettingFacts {
        SettingFacts::Bucket {
            bucket: bucket.name().to_owned(),
            versioning: self.versioning,
            object_lock: self.object_lock,
            lifecycle: self.lifecycle.as_ref().map(|lifecycle| lifecycle.digest()),
        }
    }

    /// Whether lifecycle rules judge versions of this key, or might.
    pub(super) fn judges(&self, key: &Tag) -> bool {
        self.tried || self.lifecycle.as_deref().is_none_or(|lifecycle| Lifecycle::new(lifecycle).reaches(key.as_str()))
    }

    /// Whether judging versions of this key needs their tags.
    pub(super) fn asks_for_tags(&self, key: &Tag) -> bool {
        let asks = |lifecycle: &BucketLifecycle| Lifecycle::new(lifecycle).asks_for_tags(key.as_str());
        self.tried || self.lifecycle.as_deref().is_some_and(asks)
    }

    /// Whom the bucket's policy lets bypass governance, as far as it can be read (B62, F49).
    pub(super) fn may_bypass(&self) -> Option<String> {
        match &self.bypass {
            Some(principals) if principals.is_empty() => None,
            Some(principals) => Some(principals.join(", ")),
            None => Some("nobody knows who, because the bucket's policy could not be read,".to_owned()),
        }
    }

    /// What of it decides how long versions stay.
    pub(super) fn retention(&self, bucket: &Bucket) -> Arc<BucketRetention> {
        Arc::new(BucketRetention {
            bucket: bucket.name().into(),
            versioning: self.versioning,
            object_lock: self.object_lock,
            lifecycle: self.lifecycle.clone(),
            layout: bucket.config.layout.clone(),
        })
    }
}

async fn versioning(bucket: &Bucket) -> Result<Versioning, S3Failure> {
    let request = bucket.client.get_bucket_versioning().bucket(bucket.name()).set_expected_bucket_owner(bucket.owner());
    match bucket.budget.call(VERSIONING, request.send()).await {
        Ok(answer) => named(answer.status().map(|status| status.as_str())),
        Err(failure) if failure.is_code(&[NOT_OFFERED]) => Ok(Versioning::Off),
        Err(failure) => match failure.answer.as_deref().and_then(misnamed) {
            Some(status) => named(status),
            None => Err(failure),
        },
    }
}

fn named(status: Option<&str>) -> Result<Versioning, S3Failure> {
    match status {
        None | Some("") => Ok(Versioning::Off),
        Some("Enabled") => Ok(Versioning::Enabled),
        Some("Suspended") => Ok(Versioning::Suspended),
        Some(other) => Err(S3Failure::new(Cause::Malformed, VERSIONING, format!("unknown status {other:?}"))),
    }
}

/// The status in an answer whose root element bears the operation's name in place of `VersioningConfiguration`, as
/// some S3-compatible servers send it and the SDK refuses it. Any other document stays unread.
fn misnamed(answer: &str) -> Option<Option<&str>> {
    let names = ["GetBucketVersioningResponse", "GetBucketVersioningOutput"];
    let is_root = |name: &&str| is_whole(answer.as_bytes()) && root_name(answer.as_bytes()) == Some(name.as_bytes());
    names.iter().find(|name| is_root(name))?;
    let status = answer.split_once("<Status>").and_then(|(_, rest)| rest.split_once("</Status>"));
    Some(status.map(|(status, _)| status))
}

async fn object_lock(bucket: &Bucket) -> Result<bool, S3Failure> {
    let request =
        bucket.client.get_object_lock_configuration().bucket(bucket.name()).set_expected_bucket_owner(bucket.owner());
    match bucket.budget.call(OBJECT_LOCK, request.send()).await {
        Ok(answer) => {
            let enabled = answer.object_lock_configuration().and_then(|lock| lock.object_lock_enabled());
            match enabled.map(|enabled| enabled.as_str()) {
                Some("Enabled") => Ok(true),
                other => Err(S3Failure::new(Cause::Malformed, OBJECT_LOCK, format!("unknown state {other:?}"))),
            }
        }
        Err(failure) if failure.is_code(&["ObjectLockConfigurationNotFoundError", NOT_OFFERED]) => Ok(false),
        Err(failure) => Err(failure),
    }
}

async fn rules(bucket: &Bucket) -> Result<BucketLifecycle, S3Failure> {
    let request = bucket
        .client
        .get_bucket_lifecycle_configuration()
        .bucket(bucket.name())
        .set_expected_bucket_owner(bucket.owner());
    match bucket.budget.call(LIFECYCLE, request.send()).await {
        // A bucket without rules says so by an error code, so an answer without rules is not one.
        Ok(answer) if answer.rules().is_empty() => {
            Err(S3Failure::new(Cause::Malformed, LIFECYCLE, "a lifecycle configuration without rules"))
        }
        Ok(answer) => Ok(lifecycle::read(answer.rules(), answer.transition_default_minimum_object_size())),
        Err(failure) if failure.is_code(&["NoSuchLifecycleConfiguration", NOT_OFFERED]) => {
            Ok(BucketLifecycle::default())
        }
        Err(failure) => Err(failure),
    }
}

/// Only makes a verdict on retention finer, so that a role without this permission loses nothing else, and no gap says
/// so.
async fn bypass(bucket: &Bucket) -> Option<Vec<String>> {
    let request = bucket.client.get_bucket_policy().bucket(bucket.name()).set_expected_bucket_owner(bucket.owner());
    match bucket.budget.call(POLICY, request.send()).await {
        Ok(answer) => access::may_bypass(answer.policy()?),
        Err(failure) if failure.is_code(&["NoSuchBucketPolicy", NOT_OFFERED]) => Some(Vec::new()),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versioning_is_read_under_the_names_servers_give_it_and_no_other() {
        for (answer, expected) in [
            (
                "<GetBucketVersioningResponse><Status>Enabled</Status></GetBucketVersioningResponse>",
                Some(Some("Enabled")),
            ),
            ("<?xml version=\"1.0\"?><GetBucketVersioningResponse xmlns=\"x\"/>", Some(None)),
            ("<GetBucketVersioningOutput><Status></Status></GetBucketVersioningOutput>", Some(Some(""))),
            ("<GetBucketVersioningOutput>", None),
            ("<html><Status>Enabled</Status></html>", None),
            ("", None),
        ] {
            assert_eq!(misnamed(answer), expected, "{answer}");
        }
    }
}
