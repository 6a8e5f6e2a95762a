//! A closer look at one artifact, and when it was built.

use jiff::Timestamp;

use super::closure::{Trouble, below};
use super::fault::Fault;
use super::manifest::{Content, Manifest, created_in_config, provenance_in_config};
use super::registry::{Lack, Registry, Repository};
use prodpin_core::model::{
    ArtifactKind, Cause, Digest, Disagreement, Gap, Inspection, Obstacle, Pin, PinState, Presence, Provenance,
    Recognised, RegistryKind, Resolution, Scope, Tag,
};
use prodpin_net::memory;

/// An image's configuration is a few KiB; labels can make it large, not this large.
const CONFIG_CAP: usize = 8 << 20;

/// Bytes, closure and pin of one artifact. The pin is read now, whatever a list said before (F19).
pub(super) async fn inspect(registry: &Registry, repository: &Repository, digest: &Digest) -> Inspection {
    let mut seen = Inspection::unread(digest.clone().into());
    let scope = Scope::Artifact(seen.artifact.clone());
    match registry.fetch_present(repository, digest).await {
        Ok(fetched) => {
            seen.presence = Presence::Present;
            match &fetched.manifest {
                Ok(manifest) => look_below(registry, repository, digest, manifest, &mut seen).await,
                Err(fault) => seen.gaps.push(fault.clone().gap(scope.clone())),
            }
        }
        Err(Trouble::NotFound) => {
            seen.presence = Presence::NotFound;
            if let Some(disagreement) = registry.head_says_there(repository, digest).await {
                contradict(&mut seen, format!("{}@{digest}", repository.name), disagreement);
            }
        }
        Err(Trouble::WrongBytes(detail)) => {
            seen.gaps.push(Gap::new(scope.clone(), Cause::Malformed, detail.clone()));
            seen.obstacles.push(Obstacle::WrongBytes { detail });
        }
        // It was reported: it is there, and not to be had.
        Err(Trouble::Unknown(fault)) if fault.cause == Cause::Blocked => {
            seen.obstacles.push(Obstacle::NotPullable { detail: fault.detail });
        }
        Err(Trouble::Unknown(fault)) => seen.gaps.push(fault.gap(scope.clone())),
    }
    look_at_pin(registry, repository, digest, &mut seen).await;
    if registry.kind().await == Recognised::Kind(RegistryKind::Ecr) {
        // Whether ECR's lifecycle policy selects it, no registry call tells (A49).
        let detail = "this is Amazon ECR, whose lifecycle policy cannot be seen through an `oci` source and may delete \
                      what is pinned; use an `ecr` source";
        seen.obstacles.push(Obstacle::Unproven { detail: detail.to_owned() });
    }
    seen
}

/// Two answers that cannot both be true: whether it is there is then not known, unless its bytes were read.
pub(super) fn contradict(seen: &mut Inspection, about: String, Disagreement { said, but }: Disagreement) {
    if seen.presence == Presence::NotFound {
        seen.presence = Presence::Unknown;
    }
    seen.obstacles.push(Obstacle::Contradiction { about, said, but });
}

/// Reads the pin as whoever pulls by it would: by its bytes, held to what HEAD says (F105).
async fn look_at_pin(registry: &Registry, repository: &Repository, digest: &Digest, seen: &mut Inspection) {
    let pin = Pin::for_digest(digest);
    let (state, disagreement) = match named_by_pin(registry, repository, digest).await {
        Ok(named) => named,
        // The rule that keeps the target back keeps back what its pin names, too: that is reported already.
        Err(fault) if fault.cause == Cause::Blocked && seen.presence != Presence::Present => return,
        Err(fault) => {
            seen.gaps.push(fault.gap(Scope::Artifact(seen.artifact.clone())));
            return;
        }
    };
    seen.pin = state;
    if let Some(disagreement) = disagreement {
        seen.pin = PinState::Unknown;
        contradict(seen, format!("pin {pin}"), disagreement);
    } else if seen.pin == PinState::Present && seen.presence == Presence::NotFound {
        let but = format!("tag {pin} serves exactly these bytes");
        let disagreement = Disagreement { said: "GET by digest answers 404".to_owned(), but };
        contradict(seen, format!("{}@{digest}", repository.name), disagreement);
    }
}

async fn look_below(
    registry: &Registry,
    repository: &Repository,
    digest: &Digest,
    manifest: &Manifest,
    seen: &mut Inspection,
) {
    seen.created = manifest.created;
    seen.kind = match &manifest.content {
        Content::Index(_) => Some(ArtifactKind::Index),
        Content::Image { .. } => manifest.is_chart().then_some(ArtifactKind::Chart),
    };
    seen.children = manifest.content.children();
    let _room = memory::closures().enter(manifest.content.weight()).await;
    let found = below(registry, repository, digest, &manifest.content).await;
    found.tell(seen);
}

/// What an artifact's pin names now; unknown where HEAD and GET do not agree.
pub(super) async fn pin_state(
    registry: &Registry,
    repository: &Repository,
    digest: &Digest,
) -> Result<PinState, Fault> {
    Ok(match named_by_pin(registry, repository, digest).await? {
        (state, None) => state,
        (_, Some(_)) => PinState::Unknown,
    })
}

/// What a pin names now, and whether the answers about that agree.
pub(super) async fn named_by_pin(
    registry: &Registry,
    repository: &Repository,
    digest: &Digest,
) -> Result<(PinState, Option<Disagreement>), Fault> {
    let tag: Tag = Pin::for_digest(digest).to_string().parse().map_err(|_| Fault::malformed("a pin that is no tag"))?;
    let (named, disagreement) = match registry.counts_pulls().await {
        true => (registry.resolve(repository, &tag).await?, None),
        false => registry.resolve_twice(repository, &tag).await?,
    };
    let state = match named {
        Resolution::Artifact(named) if named.digest() == Some(digest) => PinState::Present,
        Resolution::Artifact(other) => PinState::Moved(other),
        Resolution::NotFound => PinState::Absent,
        Resolution::Unknown => PinState::Unknown,
    };
    Ok((state, disagreement))
}

/// When an artifact was built, as it says itself: by its annotation, else in its image configuration, else by the first
/// image of an index.
pub(super) async fn created(registry: &Registry, repository: &Repository, digest: &Digest) -> Option<Timestamp> {
    let mut digest = digest.clone();
    // An index, a nested one at most, and an image.
    for _ in 0..3 {
        let manifest = registry.fetch(repository, &digest).await.ok()?.manifest.clone().ok()?;
        if manifest.created.is_some() {
            return manifest.created;
        }
        match manifest.content {
            Content::Image { config, .. } if config.is_image_config() => {
                let (bytes, _room) = registry.get_blob(repository, &config.digest, CONFIG_CAP).await.ok()?;
                return created_in_config(&bytes);
            }
            Content::Image { .. } => return None,
            Content::Index(children) => {
                let image = children.into_iter().find(|child| child.is_manifest() && !child.attestation);
                digest = image?.digest;
            }
        }
    }
    None
}

/// What an artifact says of itself: by its annotations, those of an index's first image, and that image's labels. What
/// of it cannot be read might say more, so that nothing is reported then.
pub(super) async fn provenance(
    registry: &Registry,
    repository: &Repository,
    digest: &Digest,
) -> Result<Provenance, Fault> {
    let (mut said, mut digest) = (Provenance::default(), digest.clone());
    // An index, a nested one at most, and an image.
    for _ in 0..3 {
        let manifest = match registry.fetch(repository, &digest).await {
            Ok(fetched) => fetched.manifest.clone()?,
            // What is not there is reported by the inspection, and says nothing.
            Err(Trouble::NotFound) => return Ok(said),
            Err(Trouble::WrongBytes(detail)) => return Err(Fault::malformed(detail)),
            Err(Trouble::Unknown(fault)) => return Err(fault),
        };
        said.or(manifest.provenance);
        match manifest.content {
            Content::Image { config, .. } if config.is_image_config() => {
                let labels = match registry.get_blob(repository, &config.digest, CONFIG_CAP).await {
                    Ok((bytes, _room)) => provenance_in_config(&bytes).ok_or_else(|| {
                        Fault::malformed(format!("{}@{digest}: its configuration is none", repository.name))
                    })?,
                    Err(Lack::NotFound) => Provenance::default(),
                    Err(Lack::Unknown(fault)) => return Err(fault),
                };
                said.or(labels);
                return Ok(said);
            }
            Content::Image { .. } => return Ok(said),
            Content::Index(children) => {
                let image = children.into_iter().find(|child| child.is_manifest() && !child.attestation);
                let Some(image) = image else { return Ok(said) };
                digest = image.digest;
            }
        }
    }
    Ok(said)
}
