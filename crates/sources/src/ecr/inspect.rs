//! A closer look at one image: its state, its bytes, what is below it, its pin.

use crate::closure::Trouble;
use prodpin_core::model::{
    ArtifactId, ArtifactKind, Cause, Digest, EcrImage, Gap, ImageStatus, Inspection, Obstacle, Pin, PinState, Presence,
    RepositoryName, Scope, Tag,
};

use super::Registry;
use super::failure::EcrFailure;
use super::images;
use super::manifests::{below, fetch};

pub(super) async fn inspect(registry: &Registry, name: &RepositoryName, artifact: &ArtifactId) -> Inspection {
    let mut seen = Inspection::unread(artifact.clone());
    let digest = match registry.digest_of(artifact) {
        Ok(digest) => digest,
        Err(gap) => {
            seen.gaps.push(gap);
            return seen;
        }
    };
    let scope = Scope::Artifact(artifact.clone());
    let image = match images::described(registry, name, digest).await {
        Ok(Some((image, status))) => {
            seen.presence = Presence::Present;
            seen.created = image.pushed;
            Some((image, status))
        }
        Ok(None) => {
            seen.presence = Presence::NotFound;
            None
        }
        Err(failure) => {
            seen.gaps.push(failure.gap(scope));
            return seen;
        }
    };
    let pin = pin_state(registry, name, digest, image.as_ref().map(|(image, _)| image));
    let look = async {
        match &image {
            None => {}
            Some((EcrImage { status: ImageStatus::Active, .. }, _)) => {
                look_inside(registry, name, digest, &mut seen).await
            }
            // It lists and cannot be pulled; asking for its bytes would only look like damage (A43, F43).
            Some((_, status)) => seen.obstacles.push(Obstacle::Archived { class: status.to_string() }),
        }
    };
    let (pin, ()) = tokio::join!(pin, look);
    seen.pin = pin.unwrap_or_else(|failure| {
        seen.gaps.push(failure.gap(scope));
        PinState::Unknown
    });
    seen
}

async fn look_inside(registry: &Registry, name: &RepositoryName, digest: &Digest, seen: &mut Inspection) {
    let scope = || Scope::Artifact(digest.clone().into());
    let fetched = match fetch(registry, name, digest).await {
        Ok(fetched) => fetched,
        Err(trouble) => {
            // Listed as present and pullable a moment ago: what is served now is no proof of anything else (I4).
            seen.presence = Presence::Unknown;
            match trouble {
                Trouble::NotFound => {
                    let detail = format!("{name}@{digest} is listed, and not found when asked for; run again");
                    seen.gaps.push(Gap::new(scope(), Cause::Suspicious, detail));
                    seen.obstacles.push(Obstacle::Contradiction {
                        about: format!("image {name}@{digest}"),
                        said: "ecr:DescribeImages says that it is there and ACTIVE".to_owned(),
                        but: "ecr:BatchGetImage says ImageNotFound".to_owned(),
                    });
                }
                Trouble::WrongBytes(detail) => {
                    seen.gaps.push(Gap::new(scope(), Cause::Malformed, detail.clone()));
                    seen.obstacles.push(Obstacle::WrongBytes { detail });
                }
                Trouble::Unknown(fault) => seen.gaps.push(fault.gap(scope())),
            }
            return;
        }
    };
    let manifest = match fetched.manifest {
        Ok(manifest) => manifest,
        Err(fault) => return seen.gaps.push(fault.gap(scope())),
    };
    seen.created = manifest.created.or(seen.created);
    seen.kind = manifest.is_chart().then_some(ArtifactKind::Chart);
    seen.children = manifest.content.children();
    let _room = prodpin_net::memory::closures().enter(manifest.content.weight()).await;
    let found = below(registry, name, digest, manifest.content).await;
    found.tell(seen);
}

/// The tag that pins this digest.
pub(super) fn pin_tag(digest: &Digest) -> Option<Tag> {
    Pin::for_digest(digest).to_string().parse().ok()
}

/// What an image's pin names now. The image's own tags tell that it is there; that it is not, or is elsewhere, only a
/// look at the tag tells.
pub(super) async fn pin_state(
    registry: &Registry,
    name: &RepositoryName,
    digest: &Digest,
    image: Option<&EcrImage>,
) -> Result<PinState, EcrFailure> {
    let Some(tag) = pin_tag(digest) else { return Ok(PinState::Unknown) };
    if image.is_some_and(|image| image.tags.contains(&tag)) {
        return Ok(PinState::Present);
    }
    Ok(match images::by_tag(registry, name, &tag).await? {
        None => PinState::Absent,
        Some(named) if named.digest == *digest => PinState::Present,
        Some(other) => PinState::Moved(other.digest.into()),
    })
}
