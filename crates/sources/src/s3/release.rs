//! Removing pins: the legal hold is taken off one exact version, or the mark where the bucket cannot hold. No version is
//! deleted by that, and none is by anything here (I5).

use std::sync::Arc;

use async_trait::async_trait;

use super::Bucket;
use super::inspect::{self, inspect};
use super::pin::Pinner;
use super::version::VersionId;
use crate::{Permit, PinFailure, Protector as _, Releaser, in_removal_time};
use prodpin_core::model::{ArtifactId, Cause, PinState, Presence, RepositoryName, Resolution, Tag};

/// What removes pins in a bucket.
#[derive(Debug)]
pub(super) struct Unpinner(pub(super) Arc<Bucket>);

#[async_trait]
impl Releaser for Unpinner {
    async fn release(
        &self,
        repository: &RepositoryName,
        artifact: &ArtifactId,
        kept_by: Option<&Tag>,
        permit: &dyn Permit,
    ) -> Result<(), PinFailure> {
        let bucket = &*self.0;
        let refuse = |detail: String| Err(PinFailure { cause: Cause::Refused, detail });
        let Some((key, id)) = VersionId::from_artifact(artifact) else {
            return refuse(format!("bucket {} holds no manifests; name an object version", bucket.name()));
        };
        if bucket.config.layout.read(key.as_str()).is_none_or(|(found, _)| found != repository.as_str()) {
            return refuse(format!("key {key:?} does not belong to repository {repository} under the layout"));
        }
        match inspect(bucket, artifact).await.pin {
            PinState::Present | PinState::Unsupported { marked: true } => {}
            PinState::Absent | PinState::Unsupported { marked: false } => return Ok(()),
            PinState::Unknown | PinState::Moved(_) => {
                return refuse(format!("whether {artifact} has a hold could not be told"));
            }
        }
        // What names it from then on, read right before.
        let Some(tag) = kept_by else { return refuse(format!("no key that stays names {artifact}")) };
        match inspect::look_up(bucket, tag).await {
            (Resolution::Artifact(named), _) if named == *artifact => {}
            (Resolution::Artifact(named), _) => return refuse(format!("key {tag:?} names {named} by now")),
            (Resolution::NotFound, _) => return refuse(format!("key {tag:?} names nothing any more")),
            (Resolution::Unknown, gap) => {
                let detail = gap.map_or_else(String::new, |gap| gap.detail);
                return refuse(format!("what key {tag:?} names could not be told: {detail}"));
            }
        }
        permit.ask().await?;
        let late = |detail| PinFailure { cause: Cause::TimedOut, detail };
        let pinner = Pinner(Arc::clone(&self.0));
        let outcome = in_removal_time(pinner.unpin_version(key, &id), late).await;
        // Whatever was answered: what is there decides.
        let seen = inspect(bucket, artifact).await;
        match (seen.pin, seen.presence) {
            (PinState::Absent | PinState::Unsupported { marked: false }, Presence::Present) => Ok(()),
            (_, Presence::NotFound) => refuse(format!("{artifact} was deleted by somebody meanwhile")),
            _ => outcome.and_then(|()| {
                refuse(format!("taking the hold off {artifact} was accepted, and reading it back does not show that"))
            }),
        }
    }

    async fn pin_again(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        Pinner(Arc::clone(&self.0)).pin(repository, artifact).await
    }
}
