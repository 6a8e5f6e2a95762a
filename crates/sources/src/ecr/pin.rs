//! Pinning: the exact bytes of a manifest once more, under the tag that is derived from their digest (A12, A49). The only
//! write there is.

use std::sync::Arc;

use async_trait::async_trait;

use crate::closure::Trouble;
use crate::{PinFailure, Protector};
use prodpin_core::model::{
    ArtifactId, Cause, Digest, EcrImage, ImageStatus, LifecycleChange, Pin, PinState, RepositoryName, Setting,
    Unclaimed,
};

use super::Registry;
use super::failure::EcrFailure;
use super::images;
use super::inspect::pin_state;
use super::manifests::fetch_text;
use super::transport::Call;

/// The pinning half of a registry. It exists only where the source was opened for writing.
#[derive(Debug)]
pub(super) struct Pinner(pub(super) Arc<Registry>);

const PUT: &str = "PutImage";

#[async_trait]
impl Protector for Pinner {
    async fn pin(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        let digest = self.0.digest_of(artifact).map_err(|gap| PinFailure { cause: gap.cause, detail: gap.detail })?;
        self.make(repository, digest).await.map_err(|failure| PinFailure {
            cause: failure.cause,
            detail: format!("cannot pin {repository}@{digest}: {}", failure.detail),
        })
    }

    async fn put_lifecycle(
        &self,
        repository: &RepositoryName,
        change: &LifecycleChange,
    ) -> Result<Box<str>, Unclaimed> {
        if !self.0.config.manages_lifecycle {
            let detail = format!("{repository}: the policy does not say `lifecycle: manage` on this source");
            let failure = PinFailure { cause: Cause::Unsupported, detail };
            return Err(Unclaimed { failure, live: Setting::Text(change.from.clone()) });
        }
        super::lifecycle::put(&self.0, repository, change).await
    }
}

impl Pinner {
    /// Looks before it writes, in every mutability mode: where tags may be overwritten, `PutImage` would move one
    /// without a word (A17, I8).
    async fn make(&self, name: &RepositoryName, digest: &Digest) -> Result<(), PinFailure> {
        let registry = &*self.0;
        let Some((image, status)) = images::described(registry, name, digest).await.map_err(EcrFailure::pin_failure)?
        else {
            return refuse(Cause::NotFound, "the image does not exist any more");
        };
        if is_pinned(registry, name, digest, Some(&image)).await? {
            return Ok(());
        }
        if image.status != ImageStatus::Active {
            return Err(must_be_restored(registry, name, digest, image.status, &status));
        }
        let (fetched, text) = fetch_text(registry, name, digest).await.map_err(|trouble| match trouble {
            Trouble::NotFound => PinFailure { cause: Cause::NotFound, detail: "its manifest is not found".to_owned() },
            Trouble::WrongBytes(detail) => PinFailure { cause: Cause::Malformed, detail },
            Trouble::Unknown(fault) => PinFailure { cause: fault.cause, detail: fault.detail },
        })?;
        // A manifest that cannot be read strictly is not spread further.
        if let Err(fault) = &fetched.manifest {
            return refuse(fault.cause, fault.detail.clone());
        }
        let put = self.put(name, digest, &text.text, fetched.media_type.as_deref()).await;
        drop(text);
        let Err(failure) = put else { return Ok(()) };
        match failure.code.as_deref() {
            // Somebody else was first, or this call was answered and the answer lost: what is there decides (F40, F41).
            Some("ImageAlreadyExistsException" | "ImageTagAlreadyExistsException") => {
                match is_pinned(registry, name, digest, None).await? {
                    true => Ok(()),
                    false => refuse(
                        Cause::Malformed,
                        format!("{}, and yet there is no {}; run again", failure.detail, Pin::for_digest(digest)),
                    ),
                }
            }
            code => {
                let advice = code.map(next_step).unwrap_or_default();
                refuse(failure.cause, format!("{}{advice}", failure.detail))
            }
        }
    }

    async fn put(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        manifest: &str,
        media_type: Option<&str>,
    ) -> Result<(), EcrFailure> {
        let (transport, call) = (&self.0.transport, Call::on(PUT, name));
        let Some(media_type) = media_type else {
            return Err(transport.malformed(&call, "a manifest without a media type, which a copy of it needs"));
        };
        let answer = transport.write(call, |client| {
            let request = client.put_image().repository_name(name.as_str()).set_registry_id(self.0.id());
            let request = request.image_tag(Pin::for_digest(digest).to_string()).image_digest(digest.to_string());
            request.image_manifest(manifest).image_manifest_media_type(media_type).send()
        });
        let answer = answer.await?;
        let stored = answer.image().and_then(|image| image.image_id()).and_then(|id| id.image_digest());
        match stored.is_none_or(|stored| stored == digest.to_string()) {
            true => Ok(()),
            false => Err(transport.malformed(&call, "another image was stored under the pin's name")),
        }
    }
}

/// Whether the pin is there; a failure where its name is taken, for writing over it would destroy the evidence and may
/// free what it names (I8, F41).
async fn is_pinned(
    registry: &Registry,
    name: &RepositoryName,
    digest: &Digest,
    image: Option<&EcrImage>,
) -> Result<bool, PinFailure> {
    match pin_state(registry, name, digest, image).await.map_err(EcrFailure::pin_failure)? {
        PinState::Present => Ok(true),
        PinState::Absent => Ok(false),
        PinState::Moved(other) => {
            let pin = Pin::for_digest(digest);
            Err(PinFailure {
                cause: Cause::Refused,
                detail: format!("its pin {pin} is there and names {other}; find out who moved it"),
            })
        }
        PinState::Unsupported { .. } | PinState::Unknown => Err(PinFailure {
            cause: Cause::Malformed,
            detail: format!("whether {} is there could not be told", Pin::for_digest(digest)),
        }),
    }
}

fn refuse(cause: Cause, detail: impl Into<String>) -> Result<(), PinFailure> {
    Err(PinFailure { cause, detail: detail.into() })
}

/// An image that cannot be pulled cannot be rolled back to, pinned or not (A43, A54).
fn must_be_restored(
    registry: &Registry,
    name: &RepositoryName,
    digest: &Digest,
    status: ImageStatus,
    said: &str,
) -> PinFailure {
    let detail = match status {
        ImageStatus::Activating => {
            "it is being restored from the archive, which takes up to 20 minutes; run again then".to_owned()
        }
        _ => {
            let account = registry.id().map(|id| format!(" --registry-id {id}")).unwrap_or_default();
            format!(
                "it is archived ({said}) and must be restored first: aws ecr update-image-storage-class --region {}{account} \
                 --repository-name {name} --image-id imageDigest={digest} --target-storage-class STANDARD",
                registry.transport.region()
            )
        }
    };
    PinFailure { cause: Cause::Refused, detail }
}

/// What a refused write means for whoever has to mend it (A6).
fn next_step(code: &str) -> &'static str {
    match code {
        "ImageDigestDoesNotMatchException" => "; ECR reads other bytes than it served, so nothing was pinned",
        "ReferencedImagesNotFoundException" => {
            "; the index names images that are gone: push the same bytes again from a replica or a backup"
        }
        "LayersNotFoundException" => "; layers of it are gone: push the same bytes again from a replica or a backup",
        "LimitExceededException" => "; the image has as many tags as ECR allows (1,000): remove some of the others",
        "KmsException" => "; check that the repository's key is enabled and that this identity may use it",
        _ => "",
    }
}
