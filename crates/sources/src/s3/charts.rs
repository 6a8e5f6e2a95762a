//! A bucket as a chart repository needs it: one object's bytes, one key's versions, one version's hold. Which keys are
//! charts is the index's to say, so no layout is read here.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::error::SdkError;
use bytes::Bytes;

use super::client::{self, Budget};
use super::failure::{BucketName, S3Failure};
use super::inspect::HEAD_VERSION;
use super::observe::{Depth, observe_key};
use super::pin::Pinner;
use super::version::VersionId;
use super::{Bucket, S3Error, Tuning, check, inspect};
use crate::{Inventory as _, OpenOptions};
use prodpin_core::model::{
    ArtifactId, Cause, Gap, Inspection, ObservedTag, PinFailure, Retention, Scope, SettingFacts, SourceName, Tag,
};
use prodpin_policy::S3Config;

/// Bytes asked for at once: less than any answer may have, so that memory is bounded whatever an object's size.
const SLICE: i64 = 8 << 20;
/// For one slice to arrive whole (F5).
const SLICE_TIMEOUT: Duration = Duration::from_secs(120);

/// A bucket, by key.
#[derive(Debug, Clone)]
pub(crate) struct Keys(Arc<Bucket>);

/// Why an object was not read.
#[derive(Debug)]
pub(crate) enum NoObject {
    NotFound,
    TooLarge(i64),
    Unknown(Gap),
}

impl Keys {
    pub(crate) async fn open(
        name: &SourceName,
        config: S3Config,
        options: &OpenOptions,
        tuning: Tuning,
    ) -> Result<Self, S3Error> {
        check(name, &config)?;
        Ok(Self(Arc::new(Bucket {
            client: client::connect(&config, options.write, tuning.credentials).await,
            budget: Budget::new(options),
            label: BucketName { name: config.bucket.clone(), owner: config.owner.clone() },
            config,
            tried: options.tried,
            page_size: tuning.page_size,
            state: Default::default(),
            inventory: Default::default(),
            matched: Default::default(),
        })))
    }

    pub(crate) async fn settings(&self) -> (SettingFacts, Vec<Gap>) {
        self.0.settings().await
    }

    /// What decides how long versions stay: rules reach charts as they reach everything else in the bucket.
    pub(crate) async fn retention(&self) -> Retention {
        Retention::Bucket(self.0.state().await.retention(&self.0))
    }

    /// A key with all its versions; none where nothing of that name is listed.
    pub(crate) async fn key(&self, key: &Tag) -> Result<Option<ObservedTag>, Vec<Gap>> {
        observe_key(&self.0, key, Depth::Whole).await
    }

    /// The version that readers by key get; none where there is none, or a delete marker in front of it.
    pub(crate) async fn front(&self, key: &Tag) -> Result<Option<ArtifactId>, Vec<Gap>> {
        let Some(observed) = observe_key(&self.0, key, Depth::Front).await? else { return Ok(None) };
        let hidden = observed.object.as_ref().is_some_and(|object| object.hidden_by.is_some());
        Ok(observed.target.artifact().filter(|_| !hidden).cloned())
    }

    pub(crate) async fn inspect(&self, artifact: &ArtifactId) -> Inspection {
        inspect::inspect(&self.0, artifact).await
    }

    pub(crate) async fn pin(&self, artifact: &ArtifactId) -> Result<(), PinFailure> {
        match VersionId::from_artifact(artifact) {
            Some((key, id)) => Pinner(Arc::clone(&self.0)).pin_version(key, &id).await,
            None => Err(PinFailure { cause: Cause::Refused, detail: format!("{artifact} is no object version") }),
        }
    }

    /// Hands an object's bytes over slice by slice, oldest answer first: that version, or the one that readers by key
    /// get. Returns the ETag, which every slice must share.
    pub(crate) async fn read(
        &self,
        key: &Tag,
        version: Option<&ArtifactId>,
        cap: i64,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), NoObject> {
        let id = version.and_then(VersionId::from_artifact).map(|(_, id)| id);
        let gap = |failure: S3Failure| NoObject::Unknown(failure.gap(scope(key, version), &self.0.label));
        let head = match inspect::head(&self.0, key, id.as_ref()).await {
            Ok(head) => head,
            Err(failure) if failure.is_not_found() => return Err(NoObject::NotFound),
            Err(failure) => return Err(gap(failure)),
        };
        let malformed = |reason: &str| gap(S3Failure::new(Cause::Malformed, READ, reason));
        let size = head.content_length().filter(|size| *size >= 0).ok_or_else(|| malformed("an object of no size"))?;
        let etag = head.e_tag().ok_or_else(|| malformed("an object without an ETag"))?;
        if id.as_ref().is_some_and(|id| !id.still_names(Some(etag))) {
            return Err(NoObject::NotFound);
        }
        if size > cap {
            return Err(NoObject::TooLarge(size));
        }
        let mut start = 0;
        while start < size {
            let end = (start + SLICE).min(size) - 1;
            let bytes = self.slice(key, id.as_ref(), etag, start, end).await.map_err(gap)?;
            if bytes.len() as i64 != end - start + 1 {
                return Err(malformed("a slice of another size than was asked for"));
            }
            take(&bytes);
            start = end + 1;
        }
        Ok(())
    }

    async fn slice(
        &self,
        key: &Tag,
        id: Option<&VersionId>,
        etag: &str,
        start: i64,
        end: i64,
    ) -> Result<Bytes, S3Failure> {
        let bucket = &self.0;
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
        tokio::time::timeout(SLICE_TIMEOUT, call).await.unwrap_or_else(|_| Err(late()))
    }
}

const READ: &str = HEAD_VERSION;

fn scope(key: &Tag, version: Option<&ArtifactId>) -> Scope {
    version.map_or_else(|| Scope::Tag(key.clone()), |version| Scope::Artifact(version.clone()))
}
