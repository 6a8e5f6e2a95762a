//! Pinning: the exact bytes of a manifest under the tag that is derived from their digest. The only
//! write that a run has; `prodpin restore` has its own.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::HeaderValue;

use super::closure::Trouble;
use super::fault::Fault;
use super::inspect::pin_state;
use super::registry::Registry;
use crate::{PinFailure, Protector};
use prodpin_core::model::{ArtifactId, Cause, Digest, Pin, PinState, RepositoryName};

/// The pinning half of an OCI source.
#[derive(Debug)]
pub(super) struct Pins {
    pub(super) registry: Arc<Registry>,
}

#[async_trait]
impl Protector for Pins {
    async fn pin(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        let Some(digest) = artifact.digest() else {
            let detail = format!("{artifact} is no manifest, and a registry holds nothing else");
            return Err(PinFailure { cause: Cause::Unsupported, detail });
        };
        let failed = |fault: Fault| PinFailure {
            cause: fault.cause,
            detail: format!("cannot pin {repository}@{digest}: {}", fault.detail),
        };
        pin(&self.registry, repository, digest).await.map_err(failed)
    }
}

async fn pin(registry: &Registry, name: &RepositoryName, digest: &Digest) -> Result<(), Fault> {
    let repository = registry.repository(name)?;
    let pin = Pin::for_digest(digest);
    match pin_state(registry, &repository, digest).await? {
        PinState::Present => return Ok(()),
        PinState::Absent => {}
        // Whoever moved it, writing over it would destroy the evidence, and may free the bytes it names (I8, F41).
        PinState::Moved(other) => {
            return Err(Fault::refused(format!("its pin {pin} is there and names {other}; find out who moved it")));
        }
        PinState::Unsupported { .. } | PinState::Unknown => {
            return Err(Fault::malformed(format!("whether {pin} is there could not be told")));
        }
    }
    let reported = |trouble| match trouble {
        Trouble::NotFound => Fault::new(Cause::NotFound, "the manifest does not exist any more"),
        Trouble::WrongBytes(detail) => Fault::malformed(detail),
        Trouble::Unknown(fault) => fault,
    };
    let fetched = registry.fetch_present(&repository, digest).await.map_err(reported)?;
    // A manifest that cannot be read strictly is not spread further.
    fetched.manifest.as_ref().map_err(Clone::clone)?;
    let media_type = fetched.media_type.as_deref().and_then(|media_type| HeaderValue::from_str(media_type).ok());
    let media_type = media_type.ok_or_else(|| Fault::malformed("the manifest came without a Content-Type"))?;
    let (bytes, _room) = match &fetched.bytes {
        Some(bytes) => (bytes.clone(), None),
        None => {
            let (answer, room) = registry.verified(&repository, digest).await.map_err(reported)?;
            (answer.body, Some(room))
        }
    };
    let answer = registry.put_pin(&repository, &pin, media_type, bytes).await?;
    if !answer.status.is_success() {
        return Err(refusal(&Fault::from_answer(&answer, &format!("PUT {pin}")), answer.status.as_u16()));
    }
    match answer.digest() {
        Some(Ok(stored)) if stored != *digest => {
            Err(Fault::malformed(format!("the registry says that it stored {stored} under {pin}")))
        }
        Some(Err(error)) => Err(Fault::malformed(format!("the registry's Docker-Content-Digest: {error}"))),
        _ => Ok(()),
    }
}

/// What a refused write means for whoever has to mend it.
fn refusal(fault: &Fault, status: u16) -> Fault {
    let advice = match status {
        401 | 403 => "; the credentials may read and not push: grant push on this repository",
        405 => "; the registry takes no pushes here: is it a mirror or a proxy cache?",
        409 | 412 => "; the registry protects tags like this one: let pins be created",
        _ => "",
    };
    let detail = match advice {
        "" => fault.detail.clone(),
        advice => format!("{}{advice}", fault.detail),
    };
    Fault::new(fault.cause, detail)
}
