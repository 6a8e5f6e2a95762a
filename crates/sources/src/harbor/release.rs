//! Removing pins: `DELETE` of the pin's tag on its own artifact, by Harbor's tags API. Harbor removes a tag alone, and leaves the
//! artifact with its others; an immutable tag it does not remove at all. `/v2` removes no single tag there (J8, J24).

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::StatusCode;

use super::api::{Api, Place, rooted};
use super::documents::TagRow;
use super::estate::Estate;
use super::pin::{TagPins, artifact_at, has_tag, no_pins};
use crate::oci::{HttpEnvironment, Known, OciError, open_known_to_release};
use crate::{OpenOptions, OpenToRelease, Permit, PinFailure, Protector as _, Releaser, Source, in_removal_time};
use prodpin_core::model::{ArtifactId, Cause, Digest, Pin, RegistryKind, RepositoryName, SourceName, Tag};
use prodpin_net::http::fault::Fault;
use prodpin_policy::OciConfig;

/// Opens a Harbor so that pins can be removed there. Nothing is sent yet.
pub fn open_to_release(
    name: &SourceName,
    config: &OciConfig,
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<OpenToRelease, OciError> {
    let Known { registry, inventory, pins } =
        open_known_to_release(name, config, RegistryKind::Harbor, options, environment)?;
    let estate = Arc::new(Estate::new(Api::new(registry)));
    let releaser = pins.map(|by_push| {
        Arc::new(Unpinner { pins: TagPins { estate: Arc::clone(&estate), by_push } }) as Arc<dyn Releaser>
    });
    let inventory = super::inventory(config, inventory, estate);
    Ok((Source { inventory, protector: None, rehearsal: None }, releaser))
}

/// What removes pins in a Harbor.
struct Unpinner {
    pins: TagPins,
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
        let failed = |fault: Fault| PinFailure {
            cause: fault.cause,
            detail: format!("cannot remove the pin of {repository}@{artifact}: {}", fault.detail),
        };
        let (Some(place), Some(digest)) = (Place::of(repository), artifact.digest()) else {
            let detail = "Harbor holds manifests, each in a project's repository";
            return Err(failed(Fault::new(Cause::Unsupported, detail)));
        };
        let Some(tag) = kept_by else {
            let detail = "no other tag stays on it, and Harbor's garbage collection may take what has none";
            return Err(failed(Fault::new(Cause::Unsupported, detail)));
        };
        self.unpin(&place, digest, tag, permit).await.map_err(failed)
    }

    async fn pin_again(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        self.pins.pin(repository, artifact).await
    }
}

impl Unpinner {
    async fn unpin(&self, place: &Place, digest: &Digest, tag: &Tag, permit: &dyn Permit) -> Result<(), Fault> {
        let estate = &*self.pins.estate;
        if let Some(upstream) = &estate.project(&place.project).await.cached_from {
            return Err(Fault::new(Cause::Unsupported, no_pins(upstream)));
        }
        let pin = Pin::for_digest(digest);
        match artifact_at(estate, place, &pin.to_string()).await? {
            // Gone, whoever removed it.
            None => return Ok(()),
            Some(named) if named == *digest => {}
            Some(other) => {
                return Err(Fault::refused(format!("its pin {pin} names {other}; find out who moved it")));
            }
        }
        self.must_not_be_immutable(place, digest, &pin).await?;
        // The last thing that is read before: what names it from then on (I5).
        self.must_name(place, tag, digest).await?;
        permit.ask().await.map_err(|failure| Fault::new(failure.cause, failure.detail))?;
        let path = format!("{}/{pin}", place.tags(digest));
        let sent = estate.api.delete_pin(&path);
        let outcome = match in_removal_time(sent, |late| Fault::new(Cause::TimedOut, late)).await {
            Ok(answer) if answer.status.is_success() => Ok(()),
            Ok(answer) => {
                let fault = estate.api.refusal(&answer, &format!("DELETE {} at {}", rooted(&path), estate.api.host()));
                Err(match answer.status {
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                        Fault { detail: format!("{}; grant tag:delete to the robot account", fault.detail), ..fault }
                    }
                    StatusCode::METHOD_NOT_ALLOWED => Fault { cause: Cause::Unsupported, ..fault },
                    _ => fault,
                })
            }
            // It may have been carried out all the same.
            Err(fault) => Err(fault),
        };
        self.must_name(place, tag, digest).await.map_err(|fault| {
            let detail = format!("after {pin} was to be removed, {}; run `prodpin audit` at once", fault.detail);
            Fault::new(Cause::Suspicious, detail)
        })?;
        match has_tag(estate, place, digest, &pin.to_string()).await? {
            false => Ok(()),
            true => Err(outcome.err().unwrap_or_else(|| {
                Fault::refused(format!("removing {pin} was accepted, and reading it back finds it still there"))
            })),
        }
    }

    /// Both of Harbor's own words: what the tag names, and which tags the artifact has.
    async fn must_name(&self, place: &Place, tag: &Tag, digest: &Digest) -> Result<(), Fault> {
        let estate = &*self.pins.estate;
        match artifact_at(estate, place, tag.as_str()).await? {
            Some(named) if named == *digest => {}
            Some(other) => return Err(Fault::refused(format!("tag {tag} names {other} by now"))),
            None => return Err(Fault::refused(format!("tag {tag} is gone"))),
        }
        match has_tag(estate, place, digest, tag.as_str()).await? {
            true => Ok(()),
            false => Err(Fault::malformed(format!("Harbor does not list tag {tag} on the artifact that it names"))),
        }
    }

    /// Harbor says itself which tags it holds immutable, and refuses to remove those.
    async fn must_not_be_immutable(&self, place: &Place, digest: &Digest, pin: &Pin) -> Result<(), Fault> {
        let (api, path) = (&self.pins.estate.api, place.tags(digest));
        let listed = api.list(&path, "with_immutable_status=true", |_: &[TagRow]| Ok(())).await;
        let pin = pin.to_string();
        match listed.rows.iter().find(|row| *row.name == *pin) {
            Some(TagRow { immutable: Some(true), .. }) => Err(Fault::refused(format!(
                "Harbor holds {pin} immutable, by a rule of project {}, and removes no such tag; while the rule is disabled, it does",
                place.project
            ))),
            Some(TagRow { immutable: Some(false), .. }) => Ok(()),
            Some(TagRow { immutable: None, .. }) => {
                Err(Fault::malformed(format!("Harbor does not say whether {pin} is immutable")))
            }
            None => Err(listed.end.unwrap_or_else(|| Fault::malformed(format!("Harbor does not list {pin}")))),
        }
    }
}
