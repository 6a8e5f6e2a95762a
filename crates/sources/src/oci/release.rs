//! Removing pins: `DELETE` of the pin's tag, and of nothing by its digest (F35). The bytes of the manifest and of every manifest
//! below it are in hand before, and all are read back after: a registry that takes any of them along gets them back, and no
//! further call (I5).

use std::collections::BTreeSet;
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
use crate::content::parts;
use crate::{OpenToRelease, Permit, PinFailure, Protector as _, Releaser, Source, in_removal_time};
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

/// Services that remove no single tag by the registry's interface (K58): by digest alone, or by an interface of their own.
const WITHOUT_UNTAGGING: [&str; 6] =
    ["ghcr.io", "docker.io", "index.docker.io", "registry-1.docker.io", "public.ecr.aws", "mcr.microsoft.com"];

/// So often a removal that the registry put off is sent, with a look before each time.
const MOST_TRIES: u32 = 3;

/// So many manifests, and so many bytes of them, are held in hand at the most.
const MOST_MANIFESTS: usize = 256;
const MOST_BYTES: usize = 64 << 20;

/// What is known of removing a tag: in distribution and what is built like it the tag goes alone, and a manifest stays
/// without one until untagged manifests are collected (K64b). Of the others it was never shown.
pub(super) async fn removal(registry: &Registry) -> PinRemoval {
    let host = registry.host.host().trim_end_matches('.').to_ascii_lowercase();
    if WITHOUT_UNTAGGING.iter().any(|service| host == *service || host.ends_with(&format!(".{service}"))) {
        let detail = format!("{host} removes no single tag by the registry's interface; remove the pin there by hand");
        return PinRemoval::Unsupported { detail };
    }
    let kind = match registry.kind().await {
        Recognised::Plain => return PinRemoval::Untag { leaves_untagged: true },
        Recognised::Kind(RegistryKind::Ecr) | Recognised::Before(RegistryKind::Ecr) => {
            let detail = "this is Amazon ECR, where removing the last tag deletes the image; use an `ecr` source";
            return PinRemoval::Unsupported { detail: detail.to_owned() };
        }
        Recognised::Kind(RegistryKind::GitHub) | Recognised::Before(RegistryKind::GitHub) => {
            let detail = "GitHub deletes versions of a package, and removes no tag alone; the pin stays until its version is deleted";
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
        Recognised::NotAsked => {
            let detail = "which kind of registry this is was not asked".to_owned();
            return PinRemoval::Unsupported { detail };
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
        permit: &dyn Permit,
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
        self.unpin(repository, digest, kept_by, permit).await.map_err(failed)
    }

    async fn pin_again(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        self.pins.pin(repository, artifact).await
    }
}

/// A manifest as it is to be put back.
struct Kept {
    digest: Digest,
    media_type: HeaderValue,
    bytes: Bytes,
}

impl Unpinner {
    async fn unpin(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        kept_by: Option<&Tag>,
        permit: &dyn Permit,
    ) -> Result<(), Fault> {
        let registry = &*self.pins.registry;
        let repository = registry.repository(name)?;
        let pin = Pin::for_digest(digest);
        let mut kept = None;
        let mut outcome = Ok(());
        for tried in 1..=MOST_TRIES {
            match pin_state(registry, &repository, digest).await? {
                PinState::Present => {}
                // Gone, whatever was answered.
                PinState::Absent => break,
                PinState::Moved(other) => {
                    return Err(Fault::refused(format!("its pin {pin} names {other}; find out who moved it")));
                }
                PinState::Unsupported { .. } | PinState::Unknown => {
                    return Err(Fault::malformed(format!("whether {pin} is there could not be told")));
                }
            }
            if kept.is_none() {
                kept = Some(in_hand(registry, &repository, digest).await?);
            }
            // The last thing that is read before: what names it from then on (I5).
            if let Some(tag) = kept_by {
                must_name(registry, &repository, tag, digest).await?;
            }
            permit.ask().await.map_err(|failure| Fault::new(failure.cause, failure.detail))?;
            let sent = registry.delete_pin(&repository, &pin);
            outcome = match in_removal_time(sent, |late| Fault::new(Cause::TimedOut, late)).await {
                Ok(answer) if answer.status.is_success() => Ok(()),
                Ok(answer) => {
                    let fault = Fault::from_answer(&answer, &format!("DELETE {pin}"));
                    Err(refusal(fault, answer.status.as_u16()))
                }
                // It may have been carried out all the same.
                Err(fault) => Err(fault),
            };
            let put_off = matches!(&outcome, Err(fault) if fault.cause == Cause::Throttled);
            if !put_off || tried == MOST_TRIES {
                break;
            }
        }
        // Where it was gone before anything was sent, nothing was taken along by this.
        let Some(kept) = kept else { return Ok(()) };
        self.read_back(&repository, digest, kept_by, &kept).await?;
        match pin_state(registry, &repository, digest).await? {
            PinState::Absent => Ok(()),
            _ => Err(outcome.err().unwrap_or_else(|| {
                Fault::refused(format!("removing {pin} was accepted, and reading it back finds it still there"))
            })),
        }
    }

    /// Everything but the pin must be as it was; what is not is put back: the parts first, then what has them.
    async fn read_back(
        &self,
        repository: &Repository,
        digest: &Digest,
        kept_by: Option<&Tag>,
        kept: &[Kept],
    ) -> Result<(), Fault> {
        let registry = &*self.pins.registry;
        let (mut lost, mut gone) = (None, Vec::new());
        for manifest in kept {
            let fault = match registry.verified(repository, &manifest.digest).await {
                Ok(_) => continue,
                Err(Trouble::NotFound) => format!("the manifest {} was removed with it", manifest.digest),
                Err(Trouble::WrongBytes(detail)) => detail,
                Err(Trouble::Unknown(fault)) => fault.detail,
            };
            lost = lost.or(Some(fault));
            gone.push(manifest);
        }
        if let (None, Some(tag)) = (&lost, kept_by) {
            lost = must_name(registry, repository, tag, digest).await.err().map(|fault| fault.detail);
        }
        let Some(lost) = lost else { return Ok(()) };
        // Itself last, and always: whatever else happened, its pin is to be there again.
        let parts = gone.into_iter().filter(|manifest| manifest.digest != *digest);
        let mut is_back = true;
        for manifest in parts.chain(kept.iter().filter(|manifest| manifest.digest == *digest)) {
            let pin = Pin::for_digest(&manifest.digest);
            let put = registry.put_pin(repository, &pin, manifest.media_type.clone(), manifest.bytes.clone()).await;
            is_back &= put.is_ok_and(|answer| answer.status.is_success())
                && matches!(pin_state(registry, repository, &manifest.digest).await, Ok(PinState::Present));
        }
        let pin = Pin::for_digest(digest);
        let outcome = match is_back {
            true => format!("{pin} and what was lost below it were put back, with the same bytes"),
            false => format!(
                "and {pin} could not be put back: run `prodpin enforce`, or `prodpin restore` where there is a vault"
            ),
        };
        Err(Fault::new(Cause::Suspicious, format!("after {pin} was removed: {lost}; {outcome}")))
    }
}

/// The exact bytes, as the registry serves them now, of the manifest and of all below it, the deepest first.
async fn in_hand(registry: &Registry, repository: &Repository, digest: &Digest) -> Result<Vec<Kept>, Fault> {
    let (mut kept, mut open) = (Vec::new(), vec![digest.clone()]);
    let (mut seen, mut size) = (BTreeSet::from([digest.clone()]), 0);
    while let Some(digest) = open.pop() {
        let (answer, _room) = registry.verified(repository, &digest).await.map_err(|trouble| match trouble {
            Trouble::NotFound => Fault::new(Cause::NotFound, format!("the manifest {digest} does not exist any more")),
            Trouble::WrongBytes(detail) => Fault::malformed(detail),
            Trouble::Unknown(fault) => fault,
        })?;
        let media_type = answer.media_type().map(str::to_owned);
        let header = media_type.as_deref().and_then(|media_type| HeaderValue::from_str(media_type).ok());
        let header =
            header.ok_or_else(|| Fault::malformed(format!("the manifest {digest} came without a Content-Type")))?;
        let parts = parts(&answer.body, media_type.as_deref())?;
        let below = parts.into_iter().filter(|part| part.is_manifest && !part.is_foreign).map(|part| part.digest);
        open.extend(below.filter(|digest| seen.insert(digest.clone())));
        size += answer.body.len();
        kept.push(Kept { digest, media_type: header, bytes: answer.body });
        if kept.len() + open.len() > MOST_MANIFESTS || size > MOST_BYTES {
            let detail = "it has more manifests below it than can be held to be put back; remove its pin by hand";
            return Err(Fault::new(Cause::Unsupported, detail));
        }
    }
    kept.reverse();
    Ok(kept)
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
