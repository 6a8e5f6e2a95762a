//! Pins: the tag is pushed as in any registry, and then made immutable, where the server can do that. One request that did both
//! would lock a tag that is there at whatever it names (K52b): so each step is read back before the next.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::StatusCode;

use super::api::{Api, Place};
use super::documents::{Page, TagRow};
use super::estate::Estate;
use crate::{PinFailure, Protector};
use prodpin_core::model::{ArtifactId, Cause, Digest, Pin, RepositoryName};
use prodpin_net::http::fault::Fault;

/// Makes a tag immutable, and takes the expiry off that it has of its manifest's label: with one it could not be (K52c).
const LOCK: &[u8] = br#"{"expiration":null,"immutable":true}"#;

/// Takes the expiry off alone, where no tag can be immutable.
const KEEP: &[u8] = br#"{"expiration":null}"#;

/// The pinning half.
pub(super) struct LockedPins {
    pub(super) estate: Arc<Estate>,
    pub(super) by_push: Arc<dyn Protector>,
}

#[async_trait]
impl Protector for LockedPins {
    async fn pin(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        let (Some(place), Some(digest)) = (Place::of(repository), artifact.digest()) else {
            let detail = format!(
                "no pin of {repository}@{artifact} is made, because it could not be made immutable: Quay has no such name"
            );
            return Err(PinFailure { cause: Cause::Malformed, detail });
        };
        // A tag that nobody can make immutable takes the place of another under a policy by number (K53), and was judged as one
        // that takes none: so it is not made.
        self.may_hold(repository, &place).await.map_err(|fault| PinFailure {
            cause: fault.cause,
            detail: format!(
                "no pin of {repository}@{digest} is made, because it could not be made immutable: {}",
                fault.detail
            ),
        })?;
        let pushed = self.by_push.pin(repository, artifact).await;
        if pushed.is_err() && there(&self.estate.api, &place, digest).await.is_err() {
            return pushed;
        }
        // It is there, whoever pushed it: another run at the same time, which locked it as well (I14).
        self.hold(&place, digest).await.map_err(|fault| PinFailure {
            cause: fault.cause,
            detail: format!("the pin of {repository}@{digest} is there and does not hold: {}", fault.detail),
        })
    }
}

impl LockedPins {
    async fn may_hold(&self, repository: &RepositoryName, place: &Place) -> Result<(), Fault> {
        let server = self.estate.server().await.as_ref().map_err(Clone::clone)?;
        match server.immutable_tags {
            true => self.estate.may_lock(repository, place).await,
            false => Ok(()),
        }
    }

    async fn hold(&self, place: &Place, digest: &Digest) -> Result<(), Fault> {
        let Estate { api, .. } = &*self.estate;
        let server = self.estate.server().await.as_ref().map_err(Clone::clone)?;
        let is_held = |row: &TagRow| if server.immutable_tags { row.is_held() } else { !row.has_end() };
        if is_held(&there(api, place, digest).await?) {
            return Ok(());
        }
        let path = place.tag(&Pin::for_digest(digest).to_string());
        let answer = api.lock_pin(&path, if server.immutable_tags { LOCK } else { KEEP }).await?;
        if !answer.status.is_success() {
            let fault = api.refusal(&answer, &format!("PUT {path} at {}", api.host()));
            let advice = match answer.status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    "; grant repo:write to the source's token, of a user who may write to the repository"
                }
                StatusCode::SERVICE_UNAVAILABLE => "; a read-only repository or a mirror takes no changes",
                _ => "",
            };
            return Err(Fault { detail: format!("{}{advice}", fault.detail), ..fault });
        }
        // The feature being off, Quay answers 201 and does nothing.
        match is_held(&there(api, place, digest).await?) {
            true => Ok(()),
            false => Err(Fault::refused(format!("PUT {path} was accepted, and reading the tag back shows no change"))),
        }
    }
}

/// The pin as Quay's list has it, and nothing else under its name.
async fn there(api: &Api, place: &Place, digest: &Digest) -> Result<TagRow, Fault> {
    let pin = Pin::for_digest(digest);
    match row(api, place, digest).await? {
        Some(row) if row.digest().as_ref() == Some(digest) => Ok(row),
        Some(_) => Err(Fault::refused(format!("its pin {pin} names something else; find out who moved it"))),
        None => Err(Fault::new(Cause::Malformed, format!("Quay's list of tags does not have its pin {pin}"))),
    }
}

/// The row of a pin that is alive.
pub(super) async fn row(api: &Api, place: &Place, digest: &Digest) -> Result<Option<TagRow>, Fault> {
    let pin = Pin::for_digest(digest).to_string();
    let query = format!("specificTag={pin}&onlyActiveTags=true");
    let page: Page = api.document(&format!("{}/tag/", place.path()), Some(&query)).await?;
    Ok(page.tags.into_iter().find(|row| *row.name == *pin))
}
