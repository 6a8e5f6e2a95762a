//! Pins as tags that Harbor itself creates: nothing is moved by that, nothing is transferred, and no quota is asked (J39).

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::StatusCode;
use serde_json::json;

use super::api::{Place, rooted};
use super::documents::{ArtifactRow, TagRow};
use super::estate::Estate;
use crate::{PinFailure, Protector};
use prodpin_core::model::{ArtifactId, Cause, Digest, Pin, RepositoryName};
use prodpin_net::http::answer::HttpAnswer;
use prodpin_net::http::fault::Fault;

/// The pinning half of a Harbor.
pub(super) struct TagPins {
    pub(super) estate: Arc<Estate>,
    /// By `/v2`, where Harbor's own interface does not take the pin.
    pub(super) by_push: Arc<dyn Protector>,
}

/// What came of asking Harbor for a tag.
enum Created {
    /// It is there.
    Yes,
    /// It is asked for in another way: this one is not there, or not for these credentials.
    ByPush(Fault),
}

#[async_trait]
impl Protector for TagPins {
    async fn pin(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        let failed = |fault: Fault| PinFailure {
            cause: fault.cause,
            detail: format!("cannot pin {repository}@{artifact}: {}", fault.detail),
        };
        let (Some(place), Some(digest)) = (Place::of(repository), artifact.digest()) else {
            return Err(failed(Fault::new(
                Cause::Unsupported,
                "Harbor holds manifests, each in a project's repository",
            )));
        };
        match self.create(&place, digest).await.map_err(failed)? {
            Created::Yes => Ok(()),
            Created::ByPush(why) => self.by_push.pin(repository, artifact).await.map_err(|failure| PinFailure {
                cause: failure.cause,
                detail: format!("{}; before that, {}", failure.detail, why.detail),
            }),
        }
    }
}

impl TagPins {
    async fn create(&self, place: &Place, digest: &Digest) -> Result<Created, Fault> {
        if let Some(upstream) = &self.estate.project(&place.project).await.cached_from {
            return Err(Fault::new(Cause::Unsupported, no_pins(upstream)));
        }
        let pin = Pin::for_digest(digest);
        // Who may not read it is refused by Harbor where it is somebody else's.
        if let Ok(Some(named)) = self.named_by(place, &pin).await {
            return is_ours(named, digest, &pin);
        }
        let path = place.tags(digest);
        let body = Bytes::from(json!({ "name": pin.to_string() }).to_string());
        let answer = self.estate.api.post_pin(&path, body).await?;
        match answer.status {
            status if status.is_success() => Ok(Created::Yes),
            // It may have been made meanwhile, by another run.
            StatusCode::CONFLICT => match self.named_by(place, &pin).await? {
                Some(named) => is_ours(named, digest, &pin),
                None => Err(Fault::malformed(format!("Harbor says that {pin} exists, and that it does not"))),
            },
            _ => self.refused(&answer, &path),
        }
    }

    fn refused(&self, answer: &HttpAnswer, path: &str) -> Result<Created, Fault> {
        let what = format!("POST {} at {}", rooted(path), self.estate.api.host());
        let fault = self.estate.api.refusal(answer, &what);
        let forbidden = answer.error_codes().iter().any(|code| code == "FORBIDDEN");
        match answer.status {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                Ok(Created::ByPush(fault))
            }
            // Who may push can pin all the same (J39).
            StatusCode::FORBIDDEN if forbidden => {
                Ok(Created::ByPush(Fault { detail: format!("{}; grant tag:create", fault.detail), ..fault }))
            }
            _ => Err(fault),
        }
    }

    /// What a pin names now; none if it is not there.
    async fn named_by(&self, place: &Place, pin: &Pin) -> Result<Option<Digest>, Fault> {
        artifact_at(&self.estate, place, &pin.to_string()).await
    }
}

/// The digest of an artifact by its tag or digest; none where Harbor says that it is not there.
pub(super) async fn artifact_at(estate: &Estate, place: &Place, reference: &str) -> Result<Option<Digest>, Fault> {
    let path = format!("{}/{reference}", place.artifacts());
    let Some(row) = estate.api.document_if_there::<ArtifactRow>(&path).await? else { return Ok(None) };
    let malformed = |error| Fault::malformed(format!("{}: {error}", estate.api.what(&path)));
    row.digest.parse().map(Some).map_err(malformed)
}

/// Whether a tag stands in an artifact's own list of tags.
pub(super) async fn has_tag(estate: &Estate, place: &Place, digest: &Digest, tag: &str) -> Result<bool, Fault> {
    let listed = estate.api.list(&place.tags(digest), "", |_: &[TagRow]| Ok(())).await;
    match listed.end {
        _ if listed.rows.iter().any(|row| *row.name == *tag) => Ok(true),
        None => Ok(false),
        Some(fault) => Err(fault),
    }
}

/// Why nothing is pinned in a cache (J31).
pub(super) fn no_pins(upstream: &str) -> String {
    format!(
        "this project caches {upstream}, and Harbor creates no tags in a proxy cache; pin the release where it comes from, or copy it to another project"
    )
}

fn is_ours(named: Digest, digest: &Digest, pin: &Pin) -> Result<Created, Fault> {
    match named == *digest {
        true => Ok(Created::Yes),
        false => Err(Fault::refused(format!("its pin {pin} is there and names {named}; find out who moved it"))),
    }
}
