//! The truth about one version: checksum, storage, locks, replication.

use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ChecksumMode, ObjectLockMode};

use prodpin_core::model::{Cause, Checksum, Lock, LockMode, ObjectState, Replication, Retained, StorageClass, Tag};

use super::Bucket;
use super::failure::S3Failure;
use super::inspect::{self, HEAD_VERSION};
use super::observe::timestamp;
use super::version::VersionId;

pub(super) const RETENTION: &str = "s3:GetObjectRetention";

/// HEAD with the checksum. Where the bucket is encrypted with a key of its own, S3 tells the checksum only to those who
/// may use that key; to the others it refuses the whole answer, so they are reported everything but the checksum.
pub(super) async fn head(bucket: &Bucket, key: &Tag, id: &VersionId) -> Result<HeadObjectOutput, S3Failure> {
    let request = bucket
        .client
        .head_object()
        .bucket(bucket.name())
        .key(key.as_str())
        .version_id(id.as_asked())
        .checksum_mode(ChecksumMode::Enabled)
        .set_expected_bucket_owner(bucket.owner());
    match bucket.budget.call(HEAD_VERSION, request.send()).await {
        Err(failure) if failure.cause == Cause::Denied || id.is_null() => inspect::head(bucket, key, Some(id)).await,
        answer => answer,
    }
}

/// What HEAD shows. What it does not show of locks is unknown: it shows them only to those who may read them (F48).
pub(super) fn shown(head: &HeadObjectOutput) -> ObjectState {
    let retained = match (head.object_lock_mode(), timestamp(head.object_lock_retain_until_date())) {
        (Some(mode), Some(until)) => Retained::Until { mode: mode_of(mode), until },
        _ => Retained::Unknown,
    };
    ObjectState {
        checksum: checksum(head),
        class: head.storage_class().map_or(StorageClass::STANDARD, |class| StorageClass::new(class.as_str())),
        archive_tier: head.archive_status().map(|tier| tier.as_str().into()),
        lock: Lock { hold: None, retained },
        replication: Replication::read(head.replication_status().map(|status| status.as_str())),
        tags: None,
        key: None,
    }
}

fn mode_of(mode: &ObjectLockMode) -> LockMode {
    match mode.as_str() {
        "GOVERNANCE" => LockMode::Governance,
        "COMPLIANCE" => LockMode::Compliance,
        _ => LockMode::Other,
    }
}

/// The strongest one there is.
fn checksum(head: &HeadObjectOutput) -> Option<Checksum> {
    let found = [
        ("SHA512", head.checksum_sha512()),
        ("SHA256", head.checksum_sha256()),
        ("SHA1", head.checksum_sha1()),
        ("MD5", head.checksum_md5()),
        ("XXHASH128", head.checksum_xxhash128()),
        ("XXHASH3", head.checksum_xxhash3()),
        ("XXHASH64", head.checksum_xxhash64()),
        ("CRC64NVME", head.checksum_crc64_nvme()),
        ("CRC32C", head.checksum_crc32_c()),
        ("CRC32", head.checksum_crc32()),
    ];
    let (algorithm, value) = found.into_iter().find_map(|(algorithm, value)| Some((algorithm, value?)))?;
    let kind = head.checksum_type().map(|kind| kind.as_str().into());
    Some(Checksum { algorithm: algorithm.into(), value: value.into(), kind })
}

/// The retention, where HEAD does not show one. Some servers fail where there is none, and nothing that is decided
/// hangs on it, so that it is not asked for again and again.
pub(super) async fn retention(bucket: &Bucket, key: &Tag, id: &VersionId) -> Retained {
    let request = bucket
        .client
        .get_object_retention()
        .bucket(bucket.name())
        .key(key.as_str())
        .version_id(id.as_asked())
        .set_expected_bucket_owner(bucket.owner());
    let once = Builder::new().retry_config(RetryConfig::standard().with_max_attempts(1));
    match bucket.budget.call(RETENTION, request.customize().config_override(once).send()).await {
        Ok(answer) => {
            let retention = answer.retention();
            let mode = retention.and_then(|retention| retention.mode()).map(mode_of_retention);
            let until = retention.and_then(|retention| timestamp(retention.retain_until_date()));
            match (mode, until) {
                (Some(mode), Some(until)) => Retained::Until { mode, until },
                // S3 says by an error code that there is none; other servers by an element with nothing in it.
                (None, None) => Retained::No,
                _ => Retained::Unknown,
            }
        }
        Err(failure) if never_locked(&failure, bucket.state().await.object_lock) => Retained::No,
        Err(failure) => {
            tracing::debug!(%key, "the retention of {key} could not be read: {failure:?}");
            Retained::Unknown
        }
    }
}

/// Whether this answer says that a version never had a hold or a retention. S3 has an error code for that. Ceph's gateway
/// answers with the bucket's: believed only of a bucket that is known to have Object Lock.
pub(super) fn never_locked(failure: &S3Failure, object_lock: Option<bool>) -> bool {
    failure.is_code(&["NoSuchObjectLockConfiguration"])
        || (object_lock == Some(true) && failure.is_code(&["ObjectLockConfigurationNotFoundError"]))
}

fn mode_of_retention(mode: &aws_sdk_s3::types::ObjectLockRetentionMode) -> LockMode {
    match mode.as_str() {
        "GOVERNANCE" => LockMode::Governance,
        "COMPLIANCE" => LockMode::Compliance,
        _ => LockMode::Other,
    }
}
