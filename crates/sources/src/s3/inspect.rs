//! A closer look at one object version.

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use jiff::Timestamp;

use prodpin_core::model::{
    ArtifactId, Cause, Closure, Gap, Inspection, Lock, LockMode, ObjectState, ObservedTag, Obstacle, PinState,
    Presence, Resolution, Retained, Scope, Tag, TagSet, Versioning,
};

use super::Bucket;
use super::failure::S3Failure;
use super::observe::{Depth, observe_key, timestamp};
use super::pin::is_mark;
use super::settings::BucketState;
use super::state;
use super::version::{NULL, VersionId, identify};

pub(super) const HEAD_VERSION: &str = "s3:GetObjectVersion";
pub(super) const HEAD_KEY: &str = "s3:GetObject";
pub(super) const LEGAL_HOLD: &str = "s3:GetObjectLegalHold";
pub(super) const READ_TAGS: &str = "s3:GetObjectVersionTagging";

pub(super) async fn inspect(bucket: &Bucket, artifact: &ArtifactId) -> Inspection {
    let mut inspection = Inspection::unread(artifact.clone());
    let Some((key, id)) = VersionId::from_artifact(artifact) else {
        let detail = format!("bucket {} holds no manifests; name an object version", bucket.name());
        inspection.gaps.push(Gap::new(Scope::Artifact(artifact.clone()), Cause::Unsupported, detail));
        return inspection;
    };
    let listed = async {
        let state = bucket.state().await;
        let depth = match state.judges(key) {
            true => Depth::Version(artifact.clone()),
            false => Depth::Front,
        };
        (observe_key(bucket, key, depth).await, state)
    };
    let ((listed, state), head) = futures::future::join(listed, state::head(bucket, key, &id)).await;
    let head = match head {
        Ok(head) if id.still_names(head.e_tag()) => head,
        // Other bytes are at `null` now, and nothing kept the old ones (B57).
        Ok(_) => return Inspection { presence: Presence::NotFound, pin: PinState::Absent, ..inspection },
        Err(failure) => return absent(bucket, key, inspection, &failure).await,
    };
    inspection.presence = Presence::Present;
    inspection.closure = Closure::Complete;
    inspection.created = timestamp(head.last_modified());
    VersionInspection { bucket, key, id: &id, state: &state, head: &head, inspection: &mut inspection }
        .at_everything(listed)
        .await;
    inspection
}

/// When the version was written.
pub(super) async fn created(bucket: &Bucket, artifact: &ArtifactId) -> Option<Timestamp> {
    let (key, id) = VersionId::from_artifact(artifact)?;
    let head = head(bucket, key, Some(&id)).await.ok()?;
    if id.still_names(head.e_tag()) { timestamp(head.last_modified()) } else { None }
}

/// What readers by key get, or, where a delete marker hides it, the newest version behind it: what `observe` says.
pub(super) async fn look_up(bucket: &Bucket, key: &Tag) -> (Resolution, Option<Gap>) {
    let gap = |cause, detail: String| Some(Gap::new(Scope::Tag(key.clone()), cause, detail));
    match head(bucket, key, None).await {
        Ok(head) => match identify(key, head.version_id(), head.e_tag()) {
            Some(artifact) => (Resolution::Artifact(artifact), None),
            None => {
                (Resolution::Unknown, gap(Cause::Malformed, format!("key {key:?} has no usable version id or ETag")))
            }
        },
        // A HEAD answer has no body: 404 may mean the key, a marker in front of it, or the bucket. The listing tells.
        Err(failure) if failure.is_not_found() => match observe_key(bucket, key, Depth::Front).await {
            Ok(Some(observed)) if observed.target == Resolution::Unknown => {
                (Resolution::Unknown, gap(Cause::Malformed, format!("key {key:?} has no usable version id or ETag")))
            }
            Ok(Some(observed)) => (observed.target, None),
            Ok(None) => (Resolution::NotFound, None),
            Err(gaps) => (Resolution::Unknown, gaps.into_iter().next()),
        },
        Err(failure) => (Resolution::Unknown, Some(failure.gap(Scope::Tag(key.clone()), &bucket.label))),
    }
}

/// HEAD; by version id where one is given.
pub(super) async fn head(bucket: &Bucket, key: &Tag, id: Option<&VersionId>) -> Result<HeadObjectOutput, S3Failure> {
    let by_id = head_as_asked(bucket, key, id).await;
    match (id, by_id) {
        // Some servers do not know `null` by its name. Without an id they answer with the newest version, which is
        // taken only if it is the one without an id; its ETag is compared as always.
        (Some(id), Err(failure)) if id.is_null() && failure.status == Some(400) => {
            match head_as_asked(bucket, key, None).await {
                Ok(head) if head.version_id().is_none_or(|id| id == NULL) => Ok(head),
                _ => Err(failure),
            }
        }
        (_, by_id) => by_id,
    }
}

async fn head_as_asked(bucket: &Bucket, key: &Tag, id: Option<&VersionId>) -> Result<HeadObjectOutput, S3Failure> {
    let request = bucket
        .client
        .head_object()
        .bucket(bucket.name())
        .key(key.as_str())
        .set_version_id(id.map(|id| id.as_asked().to_owned()))
        .set_expected_bucket_owner(bucket.owner());
    let name = if id.is_some() { HEAD_VERSION } else { HEAD_KEY };
    bucket.budget.call(name, request.send()).await
}

/// The size of one version as a GET of its first byte tells it.
async fn served_size(bucket: &Bucket, key: &Tag, id: &VersionId) -> Option<u64> {
    let request = bucket
        .client
        .get_object()
        .bucket(bucket.name())
        .key(key.as_str())
        .version_id(id.as_asked())
        .range("bytes=0-0")
        .set_expected_bucket_owner(bucket.owner());
    let answer = bucket.budget.call(HEAD_VERSION, request.send()).await.ok()?;
    match answer.content_range() {
        Some(range) => range.rsplit_once('/')?.1.trim().parse().ok(),
        None => answer.content_length().and_then(|length| u64::try_from(length).ok()),
    }
}

/// The tags of one version.
pub(super) async fn tags(bucket: &Bucket, key: &Tag, id: &VersionId) -> Result<TagSet, S3Failure> {
    let request = bucket
        .client
        .get_object_tagging()
        .bucket(bucket.name())
        .key(key.as_str())
        .version_id(id.as_asked())
        .set_expected_bucket_owner(bucket.owner());
    let answer = bucket.budget.call(READ_TAGS, request.send()).await?;
    Ok(answer.tag_set().iter().map(|tag| (tag.key().into(), tag.value().into())).collect())
}

/// A version that HEAD did not give. Gone is only what the listing does not have either: a HEAD answers 404 for a
/// missing bucket too, and in no words (I4).
async fn absent(bucket: &Bucket, key: &Tag, mut inspection: Inspection, failure: &S3Failure) -> Inspection {
    let scope = Scope::Artifact(inspection.artifact.clone());
    if !failure.is_not_found() {
        inspection.gaps.push(failure.gap(scope, &bucket.label));
        return inspection;
    }
    match observe_key(bucket, key, Depth::Whole).await {
        Ok(observed) => {
            let id = VersionId::from_artifact(&inspection.artifact).map(|(_, id)| id);
            let versions = observed.and_then(|observed| observed.object).map(|object| object.versions);
            let is_listed = versions.unwrap_or_default().iter().any(|version| {
                version.artifact == inspection.artifact
                    || (id == Some(VersionId::Null { etag: None })
                        && VersionId::from_artifact(&version.artifact).is_some_and(|(_, id)| id.is_null()))
            });
            if is_listed {
                let detail = format!("key {key:?}: the version is listed, and not found when asked for; run again");
                inspection.gaps.push(Gap::new(scope, Cause::Suspicious, detail));
            } else {
                inspection.presence = Presence::NotFound;
                inspection.pin = PinState::Absent;
            }
        }
        Err(gaps) => {
            inspection.gaps.extend(gaps.into_iter().map(|gap| Gap { scope: scope.clone(), ..gap }));
        }
    }
    inspection
}

/// A version that is there, and what is still to be learnt of it.
struct VersionInspection<'a> {
    bucket: &'a Bucket,
    key: &'a Tag,
    id: &'a VersionId,
    state: &'a BucketState,
    head: &'a HeadObjectOutput,
    inspection: &'a mut Inspection,
}

impl VersionInspection<'_> {
    async fn at_everything(mut self, listed: Result<Option<ObservedTag>, Vec<Gap>>) {
        let listed = self.front(listed).await;
        let tags = self.tags().await;
        let is_marked = tags.as_ref().map(|tags| tags.iter().any(is_mark));
        let mut object = state::shown(self.head);
        object.tags = tags;
        self.storage(&object);
        self.pin(is_marked).await;
        self.lock(&mut object).await;
        self.versioning();
        // What rules will do to it is decided by whoever knows what else will be held (B71).
        object.key = listed.filter(|listed| listed.target != Resolution::Unknown).and_then(|listed| listed.object);
        self.inspection.object = Some(Box::new(object));
    }

    fn add(&mut self, obstacle: Obstacle) {
        self.inspection.obstacles.push(obstacle);
    }

    fn unproven(&mut self, detail: &str) {
        self.add(Obstacle::Unproven { detail: detail.to_owned() });
    }

    fn note(&mut self, failure: &S3Failure) {
        let scope = Scope::Artifact(self.inspection.artifact.clone());
        self.inspection.gaps.push(failure.gap(scope, &self.bucket.label));
    }

    fn storage(&mut self, object: &ObjectState) {
        let class = &object.class;
        if let Some(tier) = &object.archive_tier {
            self.add(Obstacle::Archived { class: format!("{class} {tier}") });
        } else if class.is_archive() {
            self.add(Obstacle::Archived { class: class.to_string() });
        }
    }

    /// Whether a delete marker is in front (B60).
    async fn front(&mut self, listed: Result<Option<ObservedTag>, Vec<Gap>>) -> Option<ObservedTag> {
        let observed = match listed {
            Ok(Some(observed)) => observed,
            Ok(None) => {
                self.unproven("whether a delete marker hides it: the listing does not have the key");
                self.inspection.closure = Closure::Unknown;
                return None;
            }
            Err(gaps) => {
                self.unproven("whether a delete marker hides it");
                self.inspection.closure = Closure::Unknown;
                let scope = Scope::Artifact(self.inspection.artifact.clone());
                self.inspection.gaps.extend(gaps.into_iter().map(|gap| Gap { scope: scope.clone(), ..gap }));
                return None;
            }
        };
        self.size(&observed).await;
        if let Some(marker) = observed.object.as_ref().and_then(|object| object.hidden_by.as_ref()) {
            self.add(Obstacle::Hidden { marker: marker.to_string() });
        }
        Some(observed)
    }

    /// The listing and HEAD are two answers about one version, whose size never changes (I25). Where they differ, the
    /// first byte by GET decides: some proxies answer every HEAD with a length of 0.
    async fn size(&mut self, observed: &ObservedTag) {
        let versions = observed.object.as_ref().map_or(&[][..], |object| &object.versions);
        let listed = versions.iter().find(|version| version.artifact == self.inspection.artifact);
        let reported = self.head.content_length().and_then(|length| u64::try_from(length).ok());
        let (Some(listed), Some(reported)) = (listed.map(|version| version.content.size), reported) else { return };
        if listed == reported {
            return;
        }
        let served = served_size(self.bucket, self.key, self.id).await;
        if served == Some(listed) {
            return;
        }
        self.inspection.closure = Closure::Unknown;
        let served = served.map_or_else(|| "GET tells none".to_owned(), |size| format!("GET says {size}"));
        self.add(Obstacle::Contradiction {
            about: format!("key {:?}", self.key),
            said: format!("the listing says that it has {listed} bytes"),
            but: format!("HEAD says {reported}, and {served}"),
        });
    }

    /// Tags cost a call each, so they are read only where they decide something: as the mark where nothing can be
    /// held, and where a lifecycle rule asks for them (B71).
    async fn tags(&mut self) -> Option<TagSet> {
        if !self.state.asks_for_tags(self.key) && self.state.object_lock != Some(false) {
            return None;
        }
        match tags(self.bucket, self.key, self.id).await {
            Ok(tags) => Some(tags),
            Err(failure) => {
                self.note(&failure);
                None
            }
        }
    }

    async fn pin(&mut self, is_marked: Option<bool>) {
        if self.state.object_lock == Some(false) {
            self.add(Obstacle::NoObjectLock);
            self.inspection.pin = match is_marked {
                Some(marked) => PinState::Unsupported { marked },
                None => PinState::Unknown,
            };
            return;
        }
        self.inspection.pin = self.legal_hold().await;
        if self.state.object_lock.is_none() && self.inspection.pin != PinState::Present {
            self.unproven("whether the bucket has Object Lock");
        }
    }

    /// HEAD shows a hold only to those who may read holds, and nothing to the others: its silence says nothing (F48).
    async fn legal_hold(&mut self) -> PinState {
        if self.head.object_lock_legal_hold_status().is_some_and(|status| status.as_str() == "ON") {
            return PinState::Present;
        }
        let request = self
            .bucket
            .client
            .get_object_legal_hold()
            .bucket(self.bucket.name())
            .key(self.key.as_str())
            .version_id(self.id.as_asked())
            .set_expected_bucket_owner(self.bucket.owner());
        match self.bucket.budget.call(LEGAL_HOLD, request.send()).await {
            Ok(answer) => match answer.legal_hold().map(|hold| hold.status().map(|status| status.as_str())) {
                Some(Some("ON")) => PinState::Present,
                // S3 says by an error code that no hold was ever set; other servers by an element with no status.
                Some(Some("OFF") | None) => PinState::Absent,
                other => {
                    self.note(&S3Failure::new(Cause::Malformed, LEGAL_HOLD, format!("unknown legal hold {other:?}")));
                    PinState::Unknown
                }
            },
            Err(failure) if state::never_locked(&failure, self.state.object_lock) => PinState::Absent,
            Err(failure) => {
                self.note(&failure);
                PinState::Unknown
            }
        }
    }

    /// What else keeps it from being deleted. A retention is not prodpin's pin, so one that could not be read leaves no
    /// gap: it is unknown, and never taken for a lock or for none (F48).
    async fn lock(&mut self, object: &mut ObjectState) {
        if self.state.object_lock == Some(false) {
            object.lock = Lock::NONE;
            return;
        }
        object.lock.hold = match self.inspection.pin {
            PinState::Present => Some(true),
            PinState::Absent => Some(false),
            PinState::Moved(_) | PinState::Unsupported { .. } | PinState::Unknown => None,
        };
        if object.lock.retained == Retained::Unknown {
            object.lock.retained = state::retention(self.bucket, self.key, self.id).await;
        }
        if let Retained::Until { mode: LockMode::Governance | LockMode::Other, until } = object.lock.retained
            && object.lock.hold != Some(true)
            && let Some(who) = self.state.may_bypass()
        {
            self.unproven(&format!("its retention in governance mode until {until} is weak: {who} may bypass it"));
        }
    }

    fn versioning(&mut self) {
        match self.state.versioning {
            Some(Versioning::Off) => self.add(Obstacle::Unversioned),
            // The next write, and the next expiration, replace the `null` version and no other (B57).
            Some(Versioning::Suspended) if self.id.is_null() => self.add(Obstacle::Unversioned),
            Some(_) => {}
            None => self.unproven("whether the bucket keeps versions"),
        }
        if *self.id == (VersionId::Null { etag: None }) {
            self.unproven("which bytes were meant: a null version was named without its ETag");
        }
    }
}
