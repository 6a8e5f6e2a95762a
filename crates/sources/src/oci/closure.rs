//! Everything below a manifest: child manifests fetched and hashed, blobs asked for (I6).

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::stream::{self, StreamExt as _};

use super::answer::HttpAnswer;
use super::fault::Fault;
use super::manifest::{Content, Descriptor, Manifest, parse, parse_as};
use super::registry::{Body, Lack, Registry, Repository};
use super::resolve::check_header;
pub(super) use crate::closure::Trouble;
use crate::closure::{Below, Frontier, Identities, check_child};
use prodpin_core::model::{Digest, Disagreement};

/// Manifests in memory at once, at 4 MiB each (I20).
const MANIFESTS_AT_ONCE: usize = 6;

/// Bytes of a manifest that are kept for its pin. Larger ones are fetched again: many of them would be too much (I28).
const MOST_KEPT: usize = 256 << 10;

/// A manifest as served: what its bytes mean if that can be reported, and the bytes themselves unless they are many.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) size: usize,
    pub(super) bytes: Option<bytes::Bytes>,
    pub(super) media_type: Option<String>,
    pub(super) manifest: Result<Manifest, Fault>,
}

impl Registry {
    /// Fetches a manifest by digest and holds its bytes to it. It counts as a pull: `fetch` does it once.
    pub(super) async fn get_by_digest(&self, repository: &Repository, digest: &Digest) -> Result<Fetched, Trouble> {
        let (answer, _room) = self.verified(repository, digest).await?;
        let what = || format!("{}/{}@{digest}", self.host.shown(), repository.name);
        Ok(Fetched::from_answer(answer, what))
    }

    /// A manifest's exact bytes, held to its digest.
    pub(super) async fn verified(&self, repository: &Repository, digest: &Digest) -> Result<Body, Trouble> {
        let (answer, room) = match self.get_manifest(repository, &digest.to_string()).await {
            Ok(body) => body,
            Err(Lack::NotFound) => return Err(Trouble::NotFound),
            Err(Lack::Unknown(fault)) => return Err(Trouble::Unknown(fault)),
        };
        let what = || format!("{}/{}@{digest}", self.host.shown(), repository.name);
        if answer.media_type().is_some_and(|media_type| media_type.contains("html")) {
            return Err(Trouble::Unknown(Fault::malformed(format!("{}: a web page in place of a manifest", what()))));
        }
        if !digest.matches(&answer.body) {
            let served = Digest::sha256(&answer.body);
            return Err(Trouble::WrongBytes(format!("{}: the bytes served hash to {served}", what())));
        }
        check_header(&answer, what).map_err(|fault| Trouble::WrongBytes(fault.detail))?;
        Ok((answer, room))
    }
}

impl Fetched {
    /// Reads what was served.
    pub(super) fn from_answer(answer: HttpAnswer, what: impl Fn() -> String) -> Self {
        let media_type = answer.media_type().map(str::to_owned);
        let manifest = parse(&answer.body, media_type.as_deref())
            .map_err(|fault| Fault::new(fault.cause, format!("{}: {}", what(), fault.detail)));
        let size = answer.body.len();
        Self { size, bytes: Some(answer.body).filter(|_| size <= MOST_KEPT), media_type, manifest }
    }
}

impl Registry {
    /// Whether HEAD says that a manifest is there for which GET has just answered 404.
    pub(super) async fn head_says_there(&self, repository: &Repository, digest: &Digest) -> Option<Disagreement> {
        self.reported_by_head(repository, &digest.to_string()).await?;
        let [said, but] = ["HEAD says that it is there", "GET answers 404"].map(str::to_owned);
        Some(Disagreement { said, but })
    }
}

/// Walks everything below a manifest, level by level.
pub(super) async fn below(registry: &Registry, repository: &Repository, root: &Digest, content: &Content) -> Below {
    let mut found = Below::default();
    let mut frontier = Frontier::below(repository.name.as_str(), root, content.clone());
    for depth in 0.. {
        let level = match frontier.descend() {
            Ok(level) if level.is_empty() => break,
            Ok(level) => level,
            Err(fault) => {
                found.faults.push(fault);
                return found;
            }
        };
        let fetched = level.into_iter().map(|child| async move {
            let content = child_content(registry, repository, &child).await;
            (child, content)
        });
        let mut fetched = stream::iter(fetched).buffer_unordered(MANIFESTS_AT_ONCE);
        while let Some((child, content)) = fetched.next().await {
            match content {
                Ok(content) => {
                    found.holds(depth, &child);
                    frontier.add(content, child.attestation);
                }
                Err(trouble) => {
                    if matches!(trouble, Trouble::NotFound)
                        && let Some(disagreement) = registry.head_says_there(repository, &child.digest).await
                    {
                        found.contradict(format!("{}@{}", repository.name, child.digest), disagreement);
                    } else {
                        found.note(&child, trouble);
                    }
                }
            }
        }
    }
    found.note_hollow(&frontier);
    ask_blobs(registry, repository, frontier, &mut found).await;
    found
}

/// The digests by which a node may report this manifest.
pub(super) async fn identities(
    registry: &Registry,
    repository: &Repository,
    root: &Digest,
) -> Result<BTreeSet<Digest>, Fault> {
    let mut identities = Identities::new(root);
    while let Some(level) = identities.descend() {
        let fetched = level.into_iter().map(|digest| async move { registry.fetch(repository, &digest).await });
        let mut fetched = stream::iter(fetched).buffer_unordered(MANIFESTS_AT_ONCE);
        while let Some(answer) = fetched.next().await {
            identities.add(answer.and_then(|fetched| fetched.manifest.clone().map_err(Trouble::Unknown)))?;
        }
    }
    Ok(identities.found())
}

async fn child_content(registry: &Registry, repository: &Repository, child: &Descriptor) -> Result<Content, Trouble> {
    let fetched = registry.fetch_present(repository, &child.digest).await?;
    let fetched = registry.as_its_index_says(repository, child, fetched).await?;
    let name = format!("{}@{}", repository.name, child.digest);
    check_child(&name, child, fetched.size, fetched.media_type.as_deref()).map_err(Trouble::Unknown)?;
    fetched.manifest.as_ref().map(|manifest| manifest.content.clone()).map_err(|fault| Trouble::Unknown(fault.clone()))
}

impl Registry {
    /// A child that came under another media type than its index says is read by what the index says: clients pull it by
    /// that, its bytes are those of the digest, and file servers and older registries call everything the same. What its own
    /// bytes say is held to the index all the same.
    async fn as_its_index_says(
        &self,
        repository: &Repository,
        child: &Descriptor,
        fetched: Arc<Fetched>,
    ) -> Result<Arc<Fetched>, Trouble> {
        if fetched.media_type.as_deref() == Some(&child.media_type) {
            return Ok(fetched);
        }
        let (bytes, _room) = match &fetched.bytes {
            Some(bytes) => (bytes.clone(), None),
            None => {
                let (answer, room) = self.verified(repository, &child.digest).await?;
                (answer.body, Some(room))
            }
        };
        let manifest = parse_as(&bytes, &child.media_type).map_err(|fault| {
            let name = format!("{}@{}", repository.name, child.digest);
            Trouble::Unknown(Fault::new(fault.cause, format!("{name}: {}", fault.detail)))
        })?;
        let (size, bytes, media_type) = (fetched.size, fetched.bytes.clone(), Some(child.media_type.clone()));
        let read = Arc::new(Fetched { size, bytes, media_type, manifest: Ok(manifest) });
        self.manifests.replace((repository.name.clone(), child.digest.clone()), &read);
        Ok(read)
    }
}

async fn ask_blobs(registry: &Registry, repository: &Repository, frontier: Frontier, found: &mut Below) {
    let blobs = match frontier.into_blobs() {
        Ok(blobs) => blobs,
        Err(fault) => return found.faults.push(fault),
    };
    let asked = blobs.into_iter().map(|blob| async move {
        let answer = registry.ask_blob(repository, &blob.digest).await;
        (blob, answer)
    });
    let mut asked = stream::iter(asked).buffer_unordered(registry.width());
    while let Some((blob, answer)) = asked.next().await {
        match answer {
            Ok(answer) => found.note_blob(repository.name.as_str(), &blob, &answer),
            Err(fault) => found.note(&blob, Trouble::Unknown(fault)),
        }
    }
}
