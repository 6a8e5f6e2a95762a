//! Everything below a manifest: child manifests fetched and hashed, blobs asked for (I6).

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt as _};

use super::fault::Fault;
use super::manifest::{Content, Descriptor, Manifest, parse};
use super::registry::{Lack, Registry, Repository};
use super::resolve::check_header;
use crate::model::{Closure, Digest};

/// Indexes in indexes: two levels are rare, eight are an attack (F27).
const MOST_DEPTH: usize = 8;

/// Manifests below one artifact (F27).
const MOST_MANIFESTS: usize = 1_000;

/// Platforms of one index: there are some twenty in all.
const MOST_PLATFORMS: usize = 64;

/// Blobs below one artifact.
const MOST_BLOBS: usize = 20_000;

/// Manifests in memory at once, at 4 MiB each (I20).
const MANIFESTS_AT_ONCE: usize = 6;

/// Why a manifest could not be had.
#[derive(Debug)]
pub(super) enum Trouble {
    NotFound,
    /// The bytes are not what their digest says (F21, F22).
    WrongBytes(String),
    Unknown(Fault),
}

/// A manifest as served: its exact bytes, and what they mean if that can be told.
pub(super) struct Fetched {
    pub(super) bytes: bytes::Bytes,
    pub(super) media_type: Option<String>,
    pub(super) manifest: Result<Manifest, Fault>,
}

impl Registry {
    /// Fetches a manifest by digest and holds its bytes to it.
    pub(super) async fn fetch(&self, repository: &Repository, digest: &Digest) -> Result<Fetched, Trouble> {
        let answer = match self.get_manifest(repository, &digest.to_string()).await {
            Ok(answer) => answer,
            Err(Lack::NotFound) => return Err(Trouble::NotFound),
            Err(Lack::Unknown(fault)) => return Err(Trouble::Unknown(fault)),
        };
        let what = || format!("{}/{}@{digest}", self.host.shown(), repository.name);
        if answer.media_type().is_some_and(|media_type| media_type.contains("html")) {
            return Err(Trouble::Unknown(Fault::malformed(format!("{}: a web page in place of a manifest", what()))));
        }
        if !digest.matches(&answer.body) {
            let served = Digest::of(&answer.body);
            return Err(Trouble::WrongBytes(format!("{}: the bytes served hash to {served}", what())));
        }
        check_header(&answer, what).map_err(|fault| Trouble::WrongBytes(fault.detail))?;
        let media_type = answer.media_type().map(str::to_owned);
        let manifest = parse(&answer.body, media_type.as_deref())
            .map_err(|fault| Fault::new(fault.cause, format!("{}: {}", what(), fault.detail)));
        Ok(Fetched { bytes: answer.body, media_type, manifest })
    }
}

/// What was found below a manifest.
#[derive(Debug, Default)]
pub(super) struct Below {
    missing: BTreeSet<Digest>,
    pub(super) wrong: Vec<String>,
    pub(super) faults: Vec<Fault>,
}

impl Below {
    /// The verdict. What is lacking is lacking, whatever else could not be read.
    pub(super) fn closure(&self) -> Closure {
        match (self.missing.is_empty(), self.wrong.is_empty() && self.faults.is_empty()) {
            (false, _) => Closure::Broken(self.missing.iter().cloned().collect()),
            (true, true) => Closure::Complete,
            (true, false) => Closure::Unknown,
        }
    }

    fn note(&mut self, digest: &Digest, trouble: Trouble) {
        match trouble {
            Trouble::NotFound => {
                self.missing.insert(digest.clone());
            }
            Trouble::WrongBytes(detail) => self.wrong.push(detail),
            Trouble::Unknown(fault) => self.faults.push(fault),
        }
    }
}

/// What is still to be looked at, each thing once: a manifest named twice, or by itself, ends there (F27).
#[derive(Default)]
struct Frontier {
    manifests: Vec<Descriptor>,
    blobs: BTreeSet<Descriptor>,
    seen: BTreeSet<Digest>,
}

impl Frontier {
    fn add(&mut self, content: Content) {
        let below = match content {
            Content::Image { config, mut layers } => {
                layers.push(config);
                layers
            }
            Content::Index(children) => children,
        };
        for descriptor in below {
            if descriptor.is_manifest() {
                if self.seen.insert(descriptor.digest.clone()) {
                    self.manifests.push(descriptor);
                }
            } else if !descriptor.foreign {
                self.blobs.insert(descriptor);
            }
        }
    }
}

/// Walks everything below a manifest, level by level.
pub(super) async fn below(registry: &Registry, repository: &Repository, root: &Digest, content: &Content) -> Below {
    let mut found = Below::default();
    let mut frontier = Frontier::default();
    frontier.seen.insert(root.clone());
    frontier.add(content.clone());
    for depth in 0.. {
        let level = std::mem::take(&mut frontier.manifests);
        if level.is_empty() {
            break;
        }
        if depth >= MOST_DEPTH || frontier.seen.len() > MOST_MANIFESTS || frontier.blobs.len() > MOST_BLOBS {
            found.faults.push(Fault::malformed(format!(
                "{}@{root}: more than {MOST_DEPTH} levels, {MOST_MANIFESTS} manifests or {MOST_BLOBS} blobs below one \
                 artifact",
                repository.name
            )));
            return found;
        }
        let fetched = level.into_iter().map(|child| async move {
            let content = child_content(registry, repository, &child).await;
            (child, content)
        });
        let mut fetched = stream::iter(fetched).buffer_unordered(MANIFESTS_AT_ONCE);
        while let Some((child, content)) = fetched.next().await {
            match content {
                Ok(content) => frontier.add(content),
                Err(trouble) => found.note(&child.digest, trouble),
            }
        }
    }
    ask_blobs(registry, repository, frontier.blobs, &mut found).await;
    found
}

/// The digests by which a node may report this manifest: its own, its platforms', and their configurations' (E125).
pub(super) async fn identities(
    registry: &Registry,
    repository: &Repository,
    root: &Digest,
) -> Result<BTreeSet<Digest>, Fault> {
    let mut identities = BTreeSet::from([root.clone()]);
    let mut level = vec![root.clone()];
    // An index of indexes runs nowhere.
    for _ in 0..2 {
        let fetched = level.into_iter().map(|digest| async move { registry.fetch(repository, &digest).await });
        let mut fetched = stream::iter(fetched).buffer_unordered(MANIFESTS_AT_ONCE);
        level = Vec::new();
        while let Some(answer) = fetched.next().await {
            let manifest = match answer {
                Ok(fetched) => fetched.manifest?,
                // A platform that was cleaned away runs nowhere under its index.
                Err(Trouble::NotFound) => continue,
                Err(Trouble::WrongBytes(detail)) => return Err(Fault::malformed(detail)),
                Err(Trouble::Unknown(fault)) => return Err(fault),
            };
            match manifest.content {
                Content::Image { config, .. } => {
                    identities.insert(config.digest);
                }
                Content::Index(children) => {
                    let platforms = children.into_iter().filter(|child| child.is_manifest() && !child.attestation);
                    level.extend(platforms.map(|child| child.digest).take(MOST_PLATFORMS));
                    identities.extend(level.iter().cloned());
                }
            }
        }
    }
    Ok(identities)
}

async fn child_content(registry: &Registry, repository: &Repository, child: &Descriptor) -> Result<Content, Trouble> {
    let fetched = registry.fetch(repository, &child.digest).await?;
    let size = fetched.bytes.len() as u64;
    let name = || format!("{}@{}", repository.name, child.digest);
    if size != child.size {
        let detail = format!("{} has {size} bytes and its index says {}", name(), child.size);
        return Err(Trouble::Unknown(Fault::malformed(detail)));
    }
    if fetched.media_type.as_deref().is_some_and(|served| served != child.media_type) {
        let detail = format!("{} was served as another media type than its index says (F24)", name());
        return Err(Trouble::Unknown(Fault::malformed(detail)));
    }
    fetched.manifest.map(|manifest| manifest.content).map_err(Trouble::Unknown)
}

async fn ask_blobs(registry: &Registry, repository: &Repository, blobs: BTreeSet<Descriptor>, found: &mut Below) {
    if blobs.len() > MOST_BLOBS {
        found
            .faults
            .push(Fault::malformed(format!("{}: more than {MOST_BLOBS} blobs below one artifact", repository.name)));
        return;
    }
    let asked = blobs.into_iter().map(|blob| async move {
        let facts = registry.head_blob(repository, &blob.digest).await;
        (blob, facts)
    });
    let mut asked = stream::iter(asked).buffer_unordered(registry.width());
    while let Some((blob, facts)) = asked.next().await {
        match facts {
            Ok(facts) if facts.size.is_none_or(|size| size == blob.size) => {}
            Ok(_) => found.faults.push(Fault::malformed(format!(
                "blob {}@{} has another size than its manifest says",
                repository.name, blob.digest
            ))),
            Err(Lack::NotFound) => {
                found.missing.insert(blob.digest);
            }
            Err(Lack::Unknown(fault)) => found.faults.push(fault),
        }
    }
}
