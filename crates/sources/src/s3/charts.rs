//! A bucket as a chart repository needs it: one object's bytes, one key's versions, one version's hold. Which keys are
//! charts is the index's to say, so no layout is read here.

use std::sync::Arc;

use super::client::{self, Budget};
use super::content::{self, READ, slice};
use super::failure::{BucketName, S3Failure};
use super::observe::{Depth, observe_key};
use super::pin::Pinner;
use super::version::VersionId;
use super::{Bucket, S3Error, Tuning, check, inspect};
use crate::content::{Lost, Taker};
use crate::file::FileFacts;
use crate::{Inventory as _, OpenOptions};
use prodpin_core::model::{
    ArtifactId, Cause, Gap, Inspection, ObservedTag, PinFailure, Retention, Scope, SettingFacts, SourceName, Tag,
};
use prodpin_policy::S3Config;

/// Bytes asked for at once: less than any answer may have, so that memory is bounded whatever an object's size.
const SLICE: i64 = 8 << 20;

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

    /// What is known of a version before it is read.
    pub(crate) async fn facts(&self, artifact: &ArtifactId) -> Result<FileFacts, Lost> {
        content::facts(&self.0, artifact).await
    }

    /// Its bytes from this place on.
    pub(crate) async fn hand_over(
        &self,
        artifact: &ArtifactId,
        facts: &FileFacts,
        from: u64,
        taker: &mut dyn Taker,
    ) -> Result<(), Lost> {
        content::hand_over(&self.0, artifact, facts, from, taker).await
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
            let bytes = slice(&self.0, key, id.as_ref(), etag, (start.unsigned_abs(), end.unsigned_abs())).await;
            take(&bytes.map_err(gap)?);
            start = end + 1;
        }
        Ok(())
    }
}

fn scope(key: &Tag, version: Option<&ArtifactId>) -> Scope {
    version.map_or_else(|| Scope::Tag(key.clone()), |version| Scope::Artifact(version.clone()))
}
