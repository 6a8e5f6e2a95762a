//! Manifests by digest, their bytes held to it, and everything below one (I6).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_ecr::types::{Image, ImageFailure, ImageIdentifier};
use http_body_util::LengthLimitError;

use crate::closure::{Below, Frontier, Identities, Trouble, check_child};
use crate::manifest::{ACCEPTED, Content, Descriptor, Manifest, parse};
use prodpin_core::model::{Cause, Digest, PartAnswer, Provenance, RepositoryName, Served};
use prodpin_net::aws::{AnswerCap, caused_by};
use prodpin_net::http::fault::Fault;
use prodpin_net::memory::{self, InFlight};

use super::failure::EcrFailure;
use super::transport::Call;
use super::{Registry, access};

/// Ids in one call (A1, A5).
const AT_ONCE: usize = 100;

/// Manifests in one answer, by what their indexes say of their sizes: a hundred of the largest would be 400 MiB (I20).
const BYTES_AT_ONCE: u64 = 8 << 20;

/// No manifest is larger (A9, F26).
const MOST_BYTES: usize = 4 << 20;

const GET: &str = "BatchGetImage";
const CHECK: &str = "BatchCheckLayerAvailability";

/// A manifest that was served: what its text means if that can be reported. The text itself is gone by then: nothing but its
/// room bounds how many there are (I28).
#[derive(Debug)]
pub(super) struct Fetched {
    size: usize,
    pub(super) media_type: Option<String>,
    pub(super) manifest: Result<Manifest, Fault>,
}

/// One manifest.
pub(super) async fn fetch(registry: &Registry, name: &RepositoryName, digest: &Digest) -> Result<Fetched, Trouble> {
    fetch_text(registry, name, digest).await.map(|(fetched, _)| fetched)
}

/// The exact text of a manifest, with its room.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) text: String,
    _room: InFlight,
}

/// One manifest with its text, for a copy of it. Who has a text asks for no other meanwhile: nobody waits for room while
/// holding some.
pub(super) async fn fetch_text(
    registry: &Registry,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<(Fetched, Text), Trouble> {
    let ((images, failures), room) =
        get(registry, name, &[digest], 0).await.map_err(|failure| Trouble::Unknown(failure.into()))?;
    let call = Call::on(GET, name);
    if let Some(image) = images.into_iter().find(|image| identity(image) == Some(digest.to_string().as_str())) {
        let (fetched, text) = read(registry, name, digest, image)?;
        return Ok((fetched, Text { text, _room: room }));
    }
    match failures.first() {
        Some(failure) => Err(trouble(registry, &call, failure)),
        None => Err(Trouble::Unknown(registry.transport.malformed(&call, "neither an image nor a failure").into())),
    }
}

/// Several at once. What a batch does not answer for by digest is asked for alone.
async fn fetch_all(
    registry: &Registry,
    name: &RepositoryName,
    children: &[Descriptor],
) -> Vec<(Digest, Result<Fetched, Trouble>)> {
    let digests: Vec<&Digest> = children.iter().map(|child| &child.digest).collect();
    let reported: u64 = children.iter().map(bytes_of).sum();
    let ((images, failures), room) = match get(registry, name, &digests, reported as usize).await {
        Ok(answer) => answer,
        Err(failure) => {
            let fault = Fault::from(failure);
            return digests.into_iter().map(|digest| (digest.clone(), Err(Trouble::Unknown(fault.clone())))).collect();
        }
    };
    let mut images: BTreeMap<String, Image> =
        images.into_iter().filter_map(|image| Some((identity(&image)?.to_owned(), image))).collect();
    let (mut fetched, mut unanswered) = (Vec::with_capacity(digests.len()), Vec::new());
    for digest in digests {
        let text = digest.to_string();
        let about = |failure: &&ImageFailure| failure.image_id().and_then(|id| id.image_digest()) == Some(&text);
        let one = match (images.remove(&text), failures.iter().find(about)) {
            (Some(image), _) => read(registry, name, digest, image).map(|(fetched, _)| fetched),
            (None, Some(failure)) => Err(trouble(registry, &Call::on(GET, name), failure)),
            (None, None) => {
                unanswered.push(fetched.len());
                Err(Trouble::NotFound)
            }
        };
        fetched.push((digest.clone(), one));
    }
    // Nobody waits for room while holding some.
    drop((images, room));
    for at in unanswered {
        let digest = fetched[at].0.clone();
        fetched[at].1 = fetch(registry, name, &digest).await;
    }
    fetched
}

/// An ordinary answer, as a body and as what the SDK and parsing make of each byte of it.
const ORDINARY: usize = 64 << 10;
const PARSED: usize = 6;

/// What an answer has beside each manifest, and what quoting may make of one.
const EACH: usize = 1 << 10;
const QUOTED: usize = 2;

type Answered = (Vec<Image>, Vec<ImageFailure>);

/// Asks for manifests of so many bytes, as far as that is known, with the room for them and for what parsing makes of them.
/// An answer that is larger is read only once there is room for it (I28).
async fn get(
    registry: &Registry,
    name: &RepositoryName,
    digests: &[&Digest],
    reported: usize,
) -> Result<(Answered, InFlight), EcrFailure> {
    let expected = ORDINARY.max(reported.saturating_mul(QUOTED) + digests.len() * EACH);
    let room = memory::bodies().enter(expected.saturating_mul(PARSED)).await;
    let is_longer = AtomicBool::new(false);
    match get_shorter(registry, name, digests, expected, &is_longer).await {
        Err(_) if is_longer.load(Ordering::Relaxed) => {}
        answer => return Ok((answer?, room)),
    }
    drop(room);
    let most = MOST_BYTES.saturating_mul(digests.len()).min(access::MOST_BYTES);
    let room = memory::bodies().enter(most.saturating_mul(PARSED)).await;
    Ok((get_shorter(registry, name, digests, access::MOST_BYTES, &is_longer).await?, room))
}

/// `is_longer` becomes true if the answer has more bytes.
async fn get_shorter(
    registry: &Registry,
    name: &RepositoryName,
    digests: &[&Digest],
    shorter_than: usize,
    is_longer: &AtomicBool,
) -> Result<Answered, EcrFailure> {
    let (id, call) = (registry.id(), Call::on(GET, name));
    let ids: Vec<ImageIdentifier> =
        digests.iter().map(|digest| ImageIdentifier::builder().image_digest(digest.to_string()).build()).collect();
    let accepted: Vec<String> = ACCEPTED.map(str::to_owned).into();
    let answer = registry.transport.call(call, |client| {
        let request = client.batch_get_image().repository_name(name.as_str()).set_registry_id(id.clone());
        let request = request.set_image_ids(Some(ids.clone())).set_accepted_media_types(Some(accepted.clone()));
        async move {
            let answer = request.customize().interceptor(AnswerCap(shorter_than)).send().await;
            if answer.as_ref().is_err_and(|error| caused_by::<LengthLimitError>(error)) {
                is_longer.store(true, Ordering::Relaxed);
            }
            answer
        }
    });
    let answer = answer.await?;
    Ok((answer.images.unwrap_or_default(), answer.failures.unwrap_or_default()))
}

fn identity(image: &Image) -> Option<&str> {
    image.image_id().and_then(|id| id.image_digest())
}

/// Holds the served bytes to the digest (A12, F22), and reads them.
fn read(
    registry: &Registry,
    name: &RepositoryName,
    digest: &Digest,
    image: Image,
) -> Result<(Fetched, String), Trouble> {
    let call = Call::on(GET, name);
    let Some(text) = image.image_manifest else {
        return Err(Trouble::Unknown(registry.transport.malformed(&call, "an image without a manifest").into()));
    };
    if text.len() > MOST_BYTES {
        return Err(Trouble::Unknown(registry.transport.malformed(&call, "a manifest of more than 4 MiB").into()));
    }
    if !digest.matches(text.as_bytes()) {
        let served = Digest::sha256(text.as_bytes());
        return Err(Trouble::WrongBytes(format!("{name}@{digest}: the bytes served hash to {served}")));
    }
    let media_type = image.image_manifest_media_type;
    let manifest = parse(text.as_bytes(), media_type.as_deref())
        .map_err(|fault| Fault::new(fault.cause, format!("{name}@{digest}: {}", fault.detail)));
    Ok((Fetched { size: text.len(), media_type, manifest }, text))
}

fn trouble(registry: &Registry, call: &Call<'_>, failure: &ImageFailure) -> Trouble {
    let code = failure.failure_code().map(|code| code.as_str());
    if code == Some("ImageNotFound") {
        return Trouble::NotFound;
    }
    Trouble::Unknown(EcrFailure::listed(registry.transport.place(), call, code, failure.failure_reason()).into())
}

/// Walks everything below a manifest, level by level.
pub(super) async fn below(registry: &Registry, name: &RepositoryName, root: &Digest, content: Content) -> Below {
    let mut found = Below::default();
    let mut frontier = Frontier::below(name.as_str(), root, content);
    loop {
        let level = match frontier.descend() {
            Ok(level) if level.is_empty() => break,
            Ok(level) => level,
            Err(fault) => {
                found.faults.push(fault);
                return found;
            }
        };
        for batch in batches(&level) {
            let fetched = fetch_all(registry, name, batch).await;
            for (child, (_, fetched)) in batch.iter().zip(fetched) {
                match fetched.and_then(|fetched| child_content(name, child, fetched)) {
                    Ok(content) => frontier.add(content, child.attestation),
                    Err(trouble) => found.note(child, trouble),
                }
            }
        }
    }
    found.note_hollow(&frontier);
    match frontier.into_blobs() {
        Ok(blobs) => ask_blobs(registry, name, blobs, &mut found).await,
        Err(fault) => found.faults.push(fault),
    }
    found
}

/// The digests by which a node may report this manifest.
pub(super) async fn identities(
    registry: &Registry,
    name: &RepositoryName,
    root: &Digest,
) -> Result<BTreeSet<Digest>, Fault> {
    let mut identities = Identities::new(root);
    while let Some(level) = identities.descend() {
        for digest in level {
            let fetched = fetch(registry, name, &digest).await;
            identities.add(fetched.and_then(|fetched| fetched.manifest.map_err(Trouble::Unknown)))?;
        }
    }
    Ok(identities.found())
}

/// What an image says of itself by its annotations and those of an index's first image. Its labels are in its
/// configuration, which ECR gives out by a signed URL of another service only.
pub(super) async fn provenance(registry: &Registry, name: &RepositoryName, root: &Digest) -> Result<Provenance, Fault> {
    let (mut said, mut digest) = (Provenance::default(), root.clone());
    // An index, a nested one at most, and an image.
    for _ in 0..3 {
        let manifest = match fetch(registry, name, &digest).await {
            Ok(fetched) => fetched.manifest?,
            // What is not there is reported by the inspection, and says nothing.
            Err(Trouble::NotFound) => return Ok(said),
            Err(Trouble::WrongBytes(detail)) => return Err(Fault::malformed(detail)),
            Err(Trouble::Unknown(fault)) => return Err(fault),
        };
        said.or(manifest.provenance);
        let Content::Index(children) = manifest.content else { return Ok(said) };
        let image = children.into_iter().find(|child| child.is_manifest() && !child.attestation);
        let Some(image) = image else { return Ok(said) };
        digest = image.digest;
    }
    Ok(said)
}

/// How many bytes a child has by what its index says; as many as any where it says nothing.
fn bytes_of(child: &Descriptor) -> u64 {
    child.size.unwrap_or(u64::MAX).min(MOST_BYTES as u64)
}

/// Batches whose answers fit into memory.
fn batches(level: &[Descriptor]) -> Vec<&[Descriptor]> {
    let (mut batches, mut start, mut bytes) = (Vec::new(), 0, 0_u64);
    for (at, child) in level.iter().enumerate() {
        let size = bytes_of(child);
        if at > start && (at - start >= AT_ONCE || bytes + size > BYTES_AT_ONCE) {
            batches.push(&level[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += size;
    }
    batches.push(&level[start..]);
    batches
}

fn child_content(name: &RepositoryName, child: &Descriptor, fetched: Fetched) -> Result<Content, Trouble> {
    let called = format!("{name}@{}", child.digest);
    check_child(&called, child, fetched.size, fetched.media_type.as_deref()).map_err(Trouble::Unknown)?;
    fetched.manifest.map(|manifest| manifest.content).map_err(Trouble::Unknown)
}

/// Asks for every blob whether it is there, a hundred at a time.
async fn ask_blobs(
    registry: &Registry,
    name: &RepositoryName,
    blobs: impl IntoIterator<Item = Descriptor>,
    found: &mut Below,
) {
    let blobs: BTreeMap<String, Descriptor> = blobs.into_iter().map(|blob| (blob.digest.to_string(), blob)).collect();
    let names: Vec<String> = blobs.keys().cloned().collect();
    let call = Call::on(CHECK, name);
    for batch in names.chunks(AT_ONCE) {
        let id = registry.id();
        let answer = registry.transport.call(call, |client| {
            let request = client.batch_check_layer_availability().repository_name(name.as_str());
            request.set_registry_id(id.clone()).set_layer_digests(Some(batch.to_vec())).send()
        });
        let answer = match answer.await {
            Ok(answer) => answer,
            Err(failure) => return found.faults.push(failure.into()),
        };
        for failure in answer.failures() {
            let code = failure.failure_code().map(|code| code.as_str());
            found
                .faults
                .push(EcrFailure::listed(registry.transport.place(), &call, code, failure.failure_reason()).into());
        }
        let mut answered = 0;
        for layer in answer.layers() {
            let Some(blob) = layer.layer_digest().and_then(|digest| blobs.get(digest)) else { continue };
            let (digest, size) = (&blob.digest, blob.size);
            answered += 1;
            match layer.layer_availability().map(|state| state.as_str()) {
                // ECR keeps layers itself, and this call is its own inventory of them: its word is what GET is elsewhere.
                Some("AVAILABLE") => {
                    let reported = layer.layer_size().map_or(size, |reported| u64::try_from(reported).ok());
                    let served = if reported == Some(0) { Served::Nothing } else { Served::Begun };
                    found.note_blob(name.as_str(), blob, &PartAnswer::served(served, reported));
                }
                Some("UNAVAILABLE") => found.lacks_blob(name.as_str(), blob),
                // F53
                state => found.faults.push(Fault::new(
                    Cause::Unsupported,
                    format!("blob {name}@{digest}: its availability {state:.80?} is not known here"),
                )),
            }
        }
        if answered + answer.failures().len() < batch.len() {
            found.faults.push(registry.transport.malformed(&call, "not every layer was answered for").into());
        }
    }
}
