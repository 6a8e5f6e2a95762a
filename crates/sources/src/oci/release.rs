//! Removing pins: `DELETE` of the pin's tag, and of nothing by its digest (F35). The manifest's bytes are in hand before, and
//! everything is read back after: a registry that takes the manifest along gets it back, and no further call (I5).

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::HeaderValue;

use super::closure::Trouble;
use super::fault::Fault;
use super::inspect::pin_state;
use super::pin::Pins;
use super::registry::{Registry, Repository};
use super::transport::Transport;
use super::{HttpEnvironment, OciError, OpenOptions, inventory, registry_of};
use crate::{OpenToRelease, PinFailure, Protector as _, Releaser, Source};
use prodpin_core::model::{
    ArtifactId, Cause, Digest, Pin, PinRemoval, PinState, Recognised, RegistryKind, RepositoryName, Resolution,
    SourceName, Tag,
};
use prodpin_policy::OciConfig;

/// Opens a registry so that pins can be removed there. Nothing is sent yet.
pub fn open_to_release(
    name: &SourceName,
    config: &OciConfig,
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<OpenToRelease, OciError> {
    let registry = Arc::new(registry_of(name, config, options, environment, Transport::releasing)?);
    let inventory = Arc::new(inventory(&registry, config));
    let source = Source { inventory, protector: None, rehearsal: None };
    Ok((source, Some(Arc::new(Unpinner { pins: Pins { registry } }))))
}

/// What removes pins in a registry.
#[derive(Debug)]
struct Unpinner {
    pins: Pins,
}

/// What is known of removing a tag: in distribution and what is built like it the tag goes alone, and a manifest stays
/// without one until untagged manifests are collected (K64b). Of the others it was never shown.
pub(super) async fn removal(registry: &Registry) -> PinRemoval {
    let kind = match registry.kind().await {
        Recognised::Plain | Recognised::NotAsked => return PinRemoval::Untag { leaves_untagged: true },
        Recognised::Kind(RegistryKind::Ecr) | Recognised::Before(RegistryKind::Ecr) => {
            let detail = "this is Amazon ECR, where removing the last tag deletes the image; use an `ecr` source";
            return PinRemoval::Unsupported { detail: detail.to_owned() };
        }
        // It answers 400 to a tag, and takes an artifact with all its tags by digest (J8).
        Recognised::Kind(RegistryKind::Harbor) | Recognised::Before(RegistryKind::Harbor) => {
            let detail = "Harbor removes no single tag by the registry's interface; remove the pin in Harbor itself";
            return PinRemoval::Unsupported { detail: detail.to_owned() };
        }
        Recognised::Kind(kind) | Recognised::Before(kind) => kind,
        Recognised::Unknown { detail } => {
            return PinRemoval::Unsupported { detail: format!("which kind of registry this is is unknown: {detail}") };
        }
    };
    let detail =
        format!("that {kind} removes the tag alone, and not what it names, was never shown; remove the pin there");
    PinRemoval::Unsupported { detail }
}

#[async_trait]
impl Releaser for Unpinner {
    async fn release(
        &self,
        repository: &RepositoryName,
        artifact: &ArtifactId,
        kept_by: Option<&Tag>,
    ) -> Result<(), PinFailure> {
        let Some(digest) = artifact.digest() else {
            let detail = format!("{artifact} is no manifest, and a registry holds nothing else");
            return Err(PinFailure { cause: Cause::Unsupported, detail });
        };
        let failed = |fault: Fault| PinFailure {
            cause: fault.cause,
            detail: format!("cannot remove the pin of {repository}@{digest}: {}", fault.detail),
        };
        if let PinRemoval::Unsupported { detail } = removal(&self.pins.registry).await {
            return Err(failed(Fault::new(Cause::Unsupported, detail)));
        }
        self.unpin(repository, digest, kept_by).await.map_err(failed)
    }

    async fn pin_again(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        self.pins.pin(repository, artifact).await
    }
}

/// A manifest as it is to be put back.
struct Kept {
    media_type: HeaderValue,
    bytes: Bytes,
}

impl Unpinner {
    async fn unpin(&self, name: &RepositoryName, digest: &Digest, kept_by: Option<&Tag>) -> Result<(), Fault> {
        let registry = &*self.pins.registry;
        let repository = registry.repository(name)?;
        let pin = Pin::for_digest(digest);
        match pin_state(registry, &repository, digest).await? {
            PinState::Present => {}
            PinState::Absent => return Ok(()),
            PinState::Moved(other) => {
                return Err(Fault::refused(format!("its pin {pin} names {other}; find out who moved it")));
            }
            PinState::Unsupported { .. } | PinState::Unknown => {
                return Err(Fault::malformed(format!("whether {pin} is there could not be told")));
            }
        }
        let kept = in_hand(registry, &repository, digest).await?;
        // The last thing that is read before: what names it from then on (I5).
        if let Some(tag) = kept_by {
            must_name(registry, &repository, tag, digest).await?;
        }
        let outcome = match registry.delete_pin(&repository, &pin).await {
            Ok(answer) if answer.status.is_success() => Ok(()),
            Ok(answer) => {
                let fault = Fault::from_answer(&answer, &format!("DELETE {pin}"));
                Err(refusal(fault, answer.status.as_u16()))
            }
            // It may have been carried out all the same.
            Err(fault) => Err(fault),
        };
        self.read_back(&repository, digest, kept_by, kept).await?;
        match pin_state(registry, &repository, digest).await? {
            PinState::Absent => Ok(()),
            _ => Err(outcome.err().unwrap_or_else(|| {
                Fault::refused(format!("removing {pin} was accepted, and reading it back finds it still there"))
            })),
        }
    }

    /// Everything but the pin must be as it was; what is not is put back.
    async fn read_back(
        &self,
        repository: &Repository,
        digest: &Digest,
        kept_by: Option<&Tag>,
        kept: Kept,
    ) -> Result<(), Fault> {
        let registry = &*self.pins.registry;
        let lost = match registry.verified(repository, digest).await {
            Ok(_) => match kept_by {
                Some(tag) => must_name(registry, repository, tag, digest).await.err(),
                None => None,
            },
            Err(Trouble::NotFound) => Some(Fault::new(Cause::NotFound, "the manifest was removed with its tag")),
            Err(Trouble::WrongBytes(detail)) => Some(Fault::malformed(detail)),
            Err(Trouble::Unknown(fault)) => Some(fault),
        };
        let Some(lost) = lost else { return Ok(()) };
        let pin = Pin::for_digest(digest);
        let put = registry.put_pin(repository, &pin, kept.media_type, kept.bytes).await;
        let is_back = put.is_ok_and(|answer| answer.status.is_success())
            && matches!(pin_state(registry, repository, digest).await, Ok(PinState::Present));
        let outcome = match is_back {
            true => format!("{pin} was put back, with the same bytes"),
            false => format!(
                "and {pin} could not be put back: run `prodpin enforce`, or `prodpin restore` where there is a vault"
            ),
        };
        Err(Fault::new(lost.cause, format!("after {pin} was removed, {}; {outcome}", lost.detail)))
    }
}

/// The manifest's exact bytes as the registry serves them now.
async fn in_hand(registry: &Registry, repository: &Repository, digest: &Digest) -> Result<Kept, Fault> {
    let (answer, _room) = registry.verified(repository, digest).await.map_err(|trouble| match trouble {
        Trouble::NotFound => Fault::new(Cause::NotFound, "the manifest does not exist any more"),
        Trouble::WrongBytes(detail) => Fault::malformed(detail),
        Trouble::Unknown(fault) => fault,
    })?;
    let media_type = answer.media_type().and_then(|media_type| HeaderValue::from_str(media_type).ok());
    let media_type = media_type.ok_or_else(|| Fault::malformed("the manifest came without a Content-Type"))?;
    Ok(Kept { media_type, bytes: answer.body })
}

async fn must_name(registry: &Registry, repository: &Repository, tag: &Tag, digest: &Digest) -> Result<(), Fault> {
    match registry.resolve_by_bytes(repository, tag).await? {
        Resolution::Artifact(named) if named.digest() == Some(digest) => Ok(()),
        Resolution::Artifact(other) => Err(Fault::refused(format!("tag {tag} names {other} by now"))),
        Resolution::NotFound => Err(Fault::refused(format!("tag {tag} is gone"))),
        Resolution::Unknown => Err(Fault::malformed(format!("what tag {tag} names could not be told"))),
    }
}

/// What a refused removal means for whoever has to mend it.
fn refusal(fault: Fault, status: u16) -> Fault {
    let (cause, advice) = match status {
        401 | 403 => (fault.cause, "; the credentials may not delete: grant delete on this repository"),
        400 | 404 | 405 | 501 => (
            Cause::Unsupported,
            "; this registry removes no single tag, and nothing is removed by digest, which would take all tags with it",
        ),
        409 | 412 => (fault.cause, "; a rule of the registry protects the tag"),
        _ => (fault.cause, ""),
    };
    Fault::new(cause, format!("{}{advice}", fault.detail))
}
