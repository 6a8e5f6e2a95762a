//! Removing pins: `BatchDeleteImage` of the pin's tag. With its last tag an image is deleted, so that another tag on it is
//! read right before, and everything is read back after (I5).

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ecr::types::ImageIdentifier;

use crate::{Permit, PinFailure, Protector as _, Releaser, in_removal_time};
use prodpin_core::model::{ArtifactId, Cause, Digest, Pin, PinState, RepositoryName, Tag};

use super::Registry;
use super::failure::EcrFailure;
use super::images;
use super::inspect::pin_state;
use super::pin::Pinner;
use super::transport::Call;

const DELETE: &str = "BatchDeleteImage";

/// What removes pins in a registry.
#[derive(Debug)]
pub(super) struct Unpinner(pub(super) Arc<Registry>);

#[async_trait]
impl Releaser for Unpinner {
    async fn release(
        &self,
        repository: &RepositoryName,
        artifact: &ArtifactId,
        kept_by: Option<&Tag>,
        permit: &dyn Permit,
    ) -> Result<(), PinFailure> {
        let digest = self.0.digest_of(artifact).map_err(|gap| PinFailure { cause: gap.cause, detail: gap.detail })?;
        self.unpin(repository, digest, kept_by, permit).await.map_err(|failure| PinFailure {
            cause: failure.cause,
            detail: format!("cannot remove the pin of {repository}@{digest}: {}", failure.detail),
        })
    }

    async fn pin_again(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        Pinner(Arc::clone(&self.0)).pin(repository, artifact).await
    }
}

impl Unpinner {
    async fn unpin(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        kept_by: Option<&Tag>,
        permit: &dyn Permit,
    ) -> Result<(), PinFailure> {
        let registry = &*self.0;
        let pin = Pin::for_digest(digest);
        match pin_state(registry, name, digest, None).await.map_err(EcrFailure::pin_failure)? {
            PinState::Present => {}
            PinState::Absent => return Ok(()),
            PinState::Moved(other) => {
                return refuse(Cause::Refused, format!("its pin {pin} names {other}; find out who moved it"));
            }
            PinState::Unsupported { .. } | PinState::Unknown => {
                return refuse(Cause::Malformed, format!("whether {pin} is there could not be told"));
            }
        }
        let Some(tag) = kept_by else {
            return refuse(
                Cause::Unsupported,
                "it has no other permanent tag, and ECR deletes an image with its last one",
            );
        };
        self.must_name(name, tag, digest).await?;
        permit.ask().await?;
        let late = |detail| PinFailure { cause: Cause::TimedOut, detail };
        let outcome = in_removal_time(self.delete(name, &pin), late).await;
        // Whatever was answered: what is there decides.
        self.must_name(name, tag, digest).await.map_err(|failure| PinFailure {
            // More went than the pin, or nobody can tell.
            cause: Cause::Suspicious,
            detail: format!("after {pin} was removed, {}; run `prodpin audit` at once", failure.detail),
        })?;
        match pin_state(registry, name, digest, None).await.map_err(EcrFailure::pin_failure)? {
            PinState::Absent => Ok(()),
            _ => outcome.and_then(|()| {
                refuse(Cause::Refused, format!("removing {pin} was accepted, and reading it back finds it still there"))
            }),
        }
    }

    async fn must_name(&self, name: &RepositoryName, tag: &Tag, digest: &Digest) -> Result<(), PinFailure> {
        match images::by_tag(&self.0, name, tag).await.map_err(EcrFailure::pin_failure)? {
            Some(image) if image.digest == *digest => Ok(()),
            Some(other) => refuse(Cause::Refused, format!("tag {tag} names {} by now", other.digest)),
            None => refuse(Cause::Refused, format!("tag {tag} is gone")),
        }
    }

    /// By the tag alone: with a digest beside it, ECR would delete the image under all its tags (A15).
    async fn delete(&self, name: &RepositoryName, pin: &Pin) -> Result<(), PinFailure> {
        let call = Call::on(DELETE, name);
        let answer = self.0.transport.write_once(call, |client| {
            let request = client.batch_delete_image().repository_name(name.as_str()).set_registry_id(self.0.id());
            request.image_ids(ImageIdentifier::builder().image_tag(pin.to_string()).build()).send()
        });
        let answer = answer.await.map_err(EcrFailure::pin_failure)?;
        // An answer of success may tell of failures (F46).
        match answer.failures().first() {
            None => Ok(()),
            Some(failure) => {
                let code = failure.failure_code().map_or("unknown", |code| code.as_str());
                let reason: String = failure.failure_reason().unwrap_or_default().chars().take(200).collect();
                refuse(Cause::Refused, format!("ECR did not remove {pin}: {code}: {reason}"))
            }
        }
    }
}

fn refuse(cause: Cause, detail: impl Into<String>) -> Result<(), PinFailure> {
    Err(PinFailure { cause, detail: detail.into() })
}
