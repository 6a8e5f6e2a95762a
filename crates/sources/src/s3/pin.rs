//! The only writes: a legal hold, or where the bucket cannot hold, a tag that marks and does not protect.

use async_trait::async_trait;
use std::sync::Arc;

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::types::{ObjectLockLegalHold, ObjectLockLegalHoldStatus, Tag as ObjectTag, Tagging};

use crate::{PinFailure, Protector};
use prodpin_core::model::{ArtifactId, Cause, RepositoryName, Tag, TagSet};

use super::Bucket;
use super::checksum::with_md5;
use super::failure::S3Failure;
use super::inspect::{head, tags};
use super::version::VersionId;

/// The mark's key and value.
const MARK: (&str, &str) = ("prod-pinned", "true");

/// S3 keeps at most ten tags on a version.
const MAX_TAGS: usize = 10;

pub(super) const HOLD: &str = "s3:PutObjectLegalHold";
pub(super) const WRITE_TAGS: &str = "s3:PutObjectVersionTagging";

/// Whether this tag is the mark.
pub(super) fn is_mark((key, value): &(Box<str>, Box<str>)) -> bool {
    (&**key, &**value) == MARK
}

/// The writing half of a bucket. It exists only where the source was opened for writing.
#[derive(Debug)]
pub(super) struct Pinner(pub(super) Arc<Bucket>);

#[async_trait]
impl Protector for Pinner {
    async fn pin(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        let bucket = &*self.0;
        let refuse = |detail: String| Err(PinFailure { cause: Cause::Refused, detail });
        let Some((key, id)) = VersionId::from_artifact(artifact) else {
            return refuse(format!("bucket {} holds no manifests; name an object version", bucket.name()));
        };
        if bucket.config.layout.read(key.as_str()).is_none_or(|(found, _)| found != repository.as_str()) {
            return refuse(format!("key {key:?} does not belong to repository {repository} under the layout"));
        }
        self.pin_version(key, &id).await
    }
}

impl Pinner {
    pub(super) async fn pin_version(&self, key: &Tag, id: &VersionId) -> Result<(), PinFailure> {
        let bucket = &*self.0;
        self.check_null(key, id).await?;
        let failed = |failure: S3Failure| failure.pin_failure(&bucket.label);
        match bucket.state().await.object_lock {
            Some(false) => self.mark(key, id).await,
            // Unknown, a hold is still the right thing to try: S3 refuses it where there is no lock.
            Some(true) | None => self.hold(key, id).await.map_err(failed),
        }
    }

    /// Takes the hold off, or the mark.
    pub(super) async fn unpin_version(&self, key: &Tag, id: &VersionId) -> Result<(), PinFailure> {
        let bucket = &*self.0;
        self.check_null(key, id).await?;
        let failed = |failure: S3Failure| failure.pin_failure(&bucket.label);
        match bucket.state().await.object_lock {
            Some(false) => {
                let mut tags = tags(bucket, key, id).await.map_err(failed)?;
                tags.retain(|tag| !is_mark(tag));
                self.write_tags(key, id, tags).await.map_err(failed)
            }
            Some(true) | None => self.set_hold(key, id, ObjectLockLegalHoldStatus::Off).await.map_err(failed),
        }
    }

    /// The `null` version may hold other bytes by now; whoever named the old ones does not mean these.
    async fn check_null(&self, key: &Tag, id: &VersionId) -> Result<(), PinFailure> {
        if !id.is_null() {
            return Ok(());
        }
        let found = head(&self.0, key, Some(id)).await.map_err(|failure| failure.pin_failure(&self.0.label))?;
        let named = matches!(id, VersionId::Null { etag: Some(_) }) && id.still_names(found.e_tag());
        if named {
            return Ok(());
        }
        let detail = format!("key {key:?}: the bytes at version null are not known to be the ones meant; not pinned");
        Err(PinFailure { cause: Cause::Refused, detail })
    }

    async fn hold(&self, key: &Tag, id: &VersionId) -> Result<(), S3Failure> {
        self.set_hold(key, id, ObjectLockLegalHoldStatus::On).await
    }

    async fn set_hold(&self, key: &Tag, id: &VersionId, to: ObjectLockLegalHoldStatus) -> Result<(), S3Failure> {
        let bucket = &*self.0;
        // Taking a hold off is not sent again without a look in between: somebody may have put one on meanwhile.
        let retries = match to {
            ObjectLockLegalHoldStatus::Off => aws_sdk_s3::config::Builder::new().retry_config(RetryConfig::disabled()),
            _ => aws_sdk_s3::config::Builder::new(),
        };
        let request = bucket
            .client
            .put_object_legal_hold()
            .bucket(bucket.name())
            .key(key.as_str())
            .version_id(id.as_asked())
            .legal_hold(ObjectLockLegalHold::builder().status(to).build())
            .set_expected_bucket_owner(bucket.owner());
        bucket.budget.call(HOLD, with_md5(request.customize().config_override(retries)).send()).await.map(drop)
    }

    /// Writing tags replaces all of them, so the others are read first and written back.
    async fn mark(&self, key: &Tag, id: &VersionId) -> Result<(), PinFailure> {
        let bucket = &*self.0;
        let failed = |failure: S3Failure| failure.pin_failure(&bucket.label);
        let mut tags = tags(bucket, key, id).await.map_err(failed)?;
        if tags.iter().any(is_mark) {
            return Ok(());
        }
        tags.retain(|(name, _)| **name != *MARK.0);
        if tags.len() >= MAX_TAGS {
            let detail = format!("key {key:?}: it has {MAX_TAGS} tags, and S3 keeps no more; remove one of them");
            return Err(PinFailure { cause: Cause::Refused, detail });
        }
        tags.push((MARK.0.into(), MARK.1.into()));
        self.write_tags(key, id, tags).await.map_err(failed)
    }

    async fn write_tags(&self, key: &Tag, id: &VersionId, tags: TagSet) -> Result<(), S3Failure> {
        let bucket = &*self.0;
        let invalid =
            |error: aws_sdk_s3::error::BuildError| S3Failure::new(Cause::Malformed, WRITE_TAGS, error.to_string());
        let tags: Result<Vec<_>, _> =
            tags.into_iter().map(|(name, value)| ObjectTag::builder().key(name).value(value).build()).collect();
        let tagging = Tagging::builder().set_tag_set(Some(tags.map_err(invalid)?)).build().map_err(invalid)?;
        let request = bucket
            .client
            .put_object_tagging()
            .bucket(bucket.name())
            .key(key.as_str())
            .version_id(id.as_asked())
            .tagging(tagging)
            .set_expected_bucket_owner(bucket.owner());
        bucket.budget.call(WRITE_TAGS, with_md5(request.customize()).send()).await.map(drop)
    }
}
