//! The bytes of one object version, in slices that are each asked for by themselves: memory is bounded whatever its size, and a
//! slice that breaks off is asked for again.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use bytes::Bytes;

use super::Bucket;
use super::failure::S3Failure;
use super::inspect::{HEAD_VERSION, inspect};
use super::observe::timestamp;
use super::state;
use super::version::{VersionId, bare};
use crate::content::{Lost, Taker};
use crate::file::{FileFacts, Files, Sum, SumKind};
use prodpin_core::model::{ArtifactId, Cause, Digest, Presence, RepositoryName, StorageClass, Tag};
use prodpin_net::http::fault::Fault;

pub(super) const READ: &str = HEAD_VERSION;

/// Bytes asked for at once.
const SLICE: u64 = 4 << 20;
/// For one slice to arrive whole (F5).
const SLICE_TIMEOUT: Duration = Duration::from_secs(120);

/// Names of what is kept of an object beside its bytes.
pub(super) mod note {
    pub(in crate::s3) const BUCKET: &str = "bucket";
    pub(in crate::s3) const CACHE_CONTROL: &str = "cache-control";
    pub(in crate::s3) const CONTENT_DISPOSITION: &str = "content-disposition";
    pub(in crate::s3) const CONTENT_ENCODING: &str = "content-encoding";
    pub(in crate::s3) const CONTENT_LANGUAGE: &str = "content-language";
    pub(in crate::s3) const CONTENT_TYPE: &str = "content-type";
    pub(in crate::s3) const CHECKSUM: &str = "checksum";
    pub(in crate::s3) const ETAG: &str = "etag";
    pub(in crate::s3) const KEY: &str = "key";
    pub(in crate::s3) const METADATA: &str = "metadata.";
    pub(in crate::s3) const MODIFIED: &str = "modified";
    pub(in crate::s3) const VERSION: &str = "version";
}

impl S3Failure {
    pub(super) fn fault(&self, bucket: &Bucket) -> Fault {
        let found = self.gap(prodpin_core::model::Scope::Source, &bucket.label);
        Fault::new(found.cause, found.detail)
    }
}

/// A slice of the bytes that have this ETag.
pub(super) async fn slice(
    bucket: &Bucket,
    key: &Tag,
    id: Option<&VersionId>,
    etag: &str,
    (start, end): (u64, u64),
) -> Result<Bytes, S3Failure> {
    let request = bucket
        .client
        .get_object()
        .bucket(bucket.name())
        .key(key.as_str())
        .set_version_id(id.map(|id| id.as_asked().to_owned()))
        .if_match(etag)
        .range(format!("bytes={start}-{end}"))
        .set_expected_bucket_owner(bucket.owner());
    let whole = async {
        let answer = request.send().await?;
        answer.body.collect().await.map(|body| body.into_bytes()).map_err(SdkError::construction_failure)
    };
    let call = bucket.budget.call(READ, whole);
    let late = || S3Failure::new(Cause::TimedOut, READ, "an object did not arrive whole in time; run again");
    let bytes = tokio::time::timeout(SLICE_TIMEOUT, call).await.unwrap_or_else(|_| Err(late()))?;
    match bytes.len() as u64 == end - start + 1 {
        true => Ok(bytes),
        false => Err(S3Failure::new(Cause::Malformed, READ, "a slice of another size than was asked for")),
    }
}

#[async_trait]
impl Files for Bucket {
    async fn facts(&self, _repository: &RepositoryName, artifact: &ArtifactId) -> Result<FileFacts, Lost> {
        facts(self, artifact).await
    }

    async fn file(
        &self,
        _repository: &RepositoryName,
        artifact: &ArtifactId,
        facts: &FileFacts,
        from: u64,
        taker: &mut dyn Taker,
    ) -> Result<(), Lost> {
        hand_over(self, artifact, facts, from, taker).await
    }
}

pub(super) async fn facts(bucket: &Bucket, artifact: &ArtifactId) -> Result<FileFacts, Lost> {
    let Some((key, id)) = VersionId::from_artifact(artifact) else {
        return Err(Fault::new(Cause::Unsupported, format!("bucket {} holds no manifests", bucket.name())).into());
    };
    let head = match state::head(bucket, key, &id).await {
        Ok(head) if id.still_names(head.e_tag()) => head,
        // Other bytes are at `null` now, and nothing kept the old ones (B57).
        Ok(_) => return Err(Lost::NotFound),
        // A HEAD answers 404 for a missing bucket too, and in no words (I4).
        Err(failure) if failure.is_not_found() => {
            let seen = inspect(bucket, artifact).await;
            let why = seen.gaps.first().map_or_else(|| failure.fault(bucket).detail, |gap| gap.detail.clone());
            return Err(match seen.presence {
                Presence::NotFound => Lost::NotFound,
                _ => Fault::new(Cause::NotFound, why).into(),
            });
        }
        Err(failure) => return Err(failure.fault(bucket).into()),
    };
    archived(bucket, key, &head)?;
    let size = head.content_length().and_then(|size| u64::try_from(size).ok());
    let malformed = |what: &str| Fault::malformed(format!("bucket {}: key {key:?}: {what}", bucket.name()));
    let size = size.ok_or_else(|| malformed("an object of no size"))?;
    let etag = head.e_tag().ok_or_else(|| malformed("an object without an ETag"))?;
    Ok(FileFacts {
        size: Some(size),
        digest: sha256(&head),
        sums: sums(&head),
        unsaid: Some(unsaid(&head)),
        etag: Some(etag.to_owned()),
        notes: notes(bucket, key, &id, &head),
    })
}

fn archived(bucket: &Bucket, key: &Tag, head: &HeadObjectOutput) -> Result<(), Lost> {
    let class = head.storage_class().map_or(StorageClass::STANDARD, |class| StorageClass::new(class.as_str()));
    let is_back = head.restore().is_some_and(|state| state.contains("ongoing-request=\"false\""));
    if (class.is_archive() || head.archive_status().is_some()) && !is_back {
        let detail = format!(
            "bucket {}: key {key:?} lies in the archive class {class}: it can be read once `aws s3api restore-object` brought \
             it back",
            bucket.name()
        );
        return Err(Fault::new(Cause::Blocked, detail).into());
    }
    Ok(())
}

/// The SHA-256 of the whole object, where the bucket knows it.
pub(super) fn sha256(head: &HeadObjectOutput) -> Option<Digest> {
    use base64::Engine as _;
    let text = head.checksum_sha256().filter(|_| is_of_all(head))?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    Some(Digest::Sha256(bytes.try_into().ok()?))
}

/// Whether checksums are of the whole object and not of its parts.
fn is_of_all(head: &HeadObjectOutput) -> bool {
    head.checksum_type().is_none_or(|kind| kind.as_str() == "FULL_OBJECT")
}

fn sums(head: &HeadObjectOutput) -> Vec<Sum> {
    let of_all = is_of_all(head);
    let named = [
        (SumKind::Crc64Nvme, head.checksum_crc64_nvme()),
        (SumKind::Crc32c, head.checksum_crc32_c()),
        (SumKind::Crc32, head.checksum_crc32()),
    ];
    let named = named.into_iter().filter(|_| of_all).filter_map(|(kind, text)| Sum::read(kind, text?));
    // Encrypted with a key of KMS or of the client, an ETag is no MD5.
    let is_plain = head.server_side_encryption().is_none_or(|kind| kind.as_str() == "AES256")
        && head.sse_customer_algorithm().is_none();
    let etag = head.e_tag().filter(|_| is_plain).and_then(|etag| Sum::read(SumKind::Md5Etag, bare(etag)));
    named.chain(etag).collect()
}

/// Why nothing says what the bytes should be, where that is so.
fn unsaid(head: &HeadObjectOutput) -> String {
    match head.e_tag().is_some_and(|etag| etag.contains('-')) {
        true => "it was uploaded in parts, and the bucket has a checksum of these parts only".to_owned(),
        false => "the bucket has no checksum of it, and its ETag is no MD5".to_owned(),
    }
}

fn notes(bucket: &Bucket, key: &Tag, id: &VersionId, head: &HeadObjectOutput) -> BTreeMap<String, String> {
    let checksum = state::shown(head).checksum.map(|sum| format!("{}:{}", sum.algorithm, sum.value));
    let modified = timestamp(head.last_modified()).map(|at| at.to_string());
    let named = [
        (note::BUCKET, Some(bucket.name().to_owned())),
        (note::KEY, Some(key.as_str().to_owned())),
        (note::VERSION, Some(id.as_asked().to_owned())),
        (note::ETAG, head.e_tag().map(|etag| bare(etag).to_owned())),
        (note::CHECKSUM, checksum),
        (note::MODIFIED, modified),
        (note::CONTENT_TYPE, head.content_type().map(str::to_owned)),
        (note::CONTENT_ENCODING, head.content_encoding().map(str::to_owned)),
        (note::CONTENT_LANGUAGE, head.content_language().map(str::to_owned)),
        (note::CONTENT_DISPOSITION, head.content_disposition().map(str::to_owned)),
        (note::CACHE_CONTROL, head.cache_control().map(str::to_owned)),
    ];
    let named = named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let metadata = head.metadata().into_iter().flatten();
    named.chain(metadata.map(|(name, value)| (format!("{}{name}", note::METADATA), value.clone()))).collect()
}

pub(super) async fn hand_over(
    bucket: &Bucket,
    artifact: &ArtifactId,
    facts: &FileFacts,
    from: u64,
    taker: &mut dyn Taker,
) -> Result<(), Lost> {
    let (Some((key, id)), Some(size), Some(etag)) = (VersionId::from_artifact(artifact), facts.size, &facts.etag)
    else {
        return Err(Fault::malformed(format!("{artifact} is no object version that was looked at")).into());
    };
    taker.begin(from).await?;
    let mut start = from;
    while start < size {
        let end = size.min(start + SLICE) - 1;
        let bytes = slice(bucket, key, Some(&id), etag, (start, end)).await;
        taker.take(bytes.map_err(|failure| failure.fault(bucket))?).await?;
        start = end + 1;
    }
    Ok(())
}
