//! What is below a manifest, and what of it was found: the bookkeeping that every source of manifests shares (I6).

use std::collections::BTreeSet;

use super::http::fault::Fault;
use super::manifest::{Content, Descriptor, Manifest};
use crate::model::{Cause, Closure, Digest};

/// Indexes in indexes: two levels are rare, eight are an attack (F27).
const MOST_DEPTH: usize = 8;

/// Manifests below one artifact (F27).
const MOST_MANIFESTS: usize = 1_000;

/// Blobs below one artifact.
const MOST_BLOBS: usize = 20_000;

/// Platforms of one index: there are some twenty in all.
const MOST_PLATFORMS: usize = 64;

/// Why a manifest could not be had.
#[derive(Debug)]
pub(super) enum Trouble {
    NotFound,
    /// The bytes are not what their digest says (F21, F22).
    WrongBytes(String),
    Unknown(Fault),
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

    pub(super) fn note(&mut self, digest: &Digest, trouble: Trouble) {
        match trouble {
            Trouble::NotFound => {
                self.missing.insert(digest.clone());
            }
            Trouble::WrongBytes(detail) => self.wrong.push(detail),
            Trouble::Unknown(fault) => self.faults.push(fault),
        }
    }

    /// Definitively not there. A foreign layer lies elsewhere by intent, and whether it still does, nobody can say here.
    pub(super) fn lacks_blob(&mut self, repository: &str, blob: &Descriptor) {
        if blob.foreign {
            let detail = format!(
                "layer {repository}@{} is kept elsewhere (a foreign layer): whether it is still there is not known here",
                blob.digest
            );
            self.faults.push(Fault::new(Cause::Unsupported, detail));
        } else {
            self.missing.insert(blob.digest.clone());
        }
    }
}

/// What is still to be looked at, each thing once: a manifest named twice, or by itself, ends there (F27).
pub(super) struct Frontier {
    /// For sentences: `shop/api@sha256:…`.
    root: String,
    depth: usize,
    manifests: Vec<Descriptor>,
    blobs: BTreeSet<Descriptor>,
    seen: BTreeSet<Digest>,
    /// An index of nothing that could be started is whole and no way back.
    is_hollow: bool,
}

impl Frontier {
    pub(super) fn below(repository: &str, root: &Digest, content: Content) -> Self {
        let mut frontier = Self {
            root: format!("{repository}@{root}"),
            depth: 0,
            manifests: Vec::new(),
            blobs: BTreeSet::new(),
            seen: BTreeSet::from([root.clone()]),
            is_hollow: match &content {
                Content::Index(children) => !children.iter().any(|child| child.is_manifest() && !child.attestation),
                Content::Image { .. } => false,
            },
        };
        frontier.add(content);
        frontier
    }

    pub(super) fn add(&mut self, content: Content) {
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
            } else {
                self.blobs.insert(descriptor);
            }
        }
    }

    /// The manifests one level further down; empty at the end.
    pub(super) fn descend(&mut self) -> Result<Vec<Descriptor>, Fault> {
        let level = std::mem::take(&mut self.manifests);
        if self.is_hollow {
            return Err(Fault::malformed(format!(
                "{}: this index names no image, so that nothing can be started",
                self.root
            )));
        }
        if level.is_empty() {
            return Ok(level);
        }
        if self.depth >= MOST_DEPTH || self.seen.len() > MOST_MANIFESTS || self.blobs.len() > MOST_BLOBS {
            return Err(Fault::malformed(format!(
                "{}: more than {MOST_DEPTH} levels, {MOST_MANIFESTS} manifests or {MOST_BLOBS} blobs below one artifact",
                self.root
            )));
        }
        self.depth += 1;
        Ok(level)
    }

    /// Every blob below the root, once the levels are walked.
    pub(super) fn into_blobs(self) -> Result<BTreeSet<Descriptor>, Fault> {
        match self.blobs.len() > MOST_BLOBS {
            true => Err(Fault::malformed(format!("{}: more than {MOST_BLOBS} blobs below one artifact", self.root))),
            false => Ok(self.blobs),
        }
    }
}

/// The digests by which a node may report a manifest: its own, its platforms', and their configurations' (E125).
pub(super) struct Identities {
    found: BTreeSet<Digest>,
    next: Vec<Digest>,
    /// Levels that may still be asked for: an index of indexes runs nowhere.
    levels: usize,
}

impl Identities {
    pub(super) fn of(root: &Digest) -> Self {
        Self { found: BTreeSet::from([root.clone()]), next: vec![root.clone()], levels: 2 }
    }

    /// The manifests to fetch next; none at the end.
    pub(super) fn descend(&mut self) -> Option<Vec<Digest>> {
        let level = std::mem::take(&mut self.next);
        if level.is_empty() || self.levels == 0 {
            return None;
        }
        self.levels -= 1;
        Some(level)
    }

    pub(super) fn add(&mut self, fetched: Result<Manifest, Trouble>) -> Result<(), Fault> {
        match fetched {
            Ok(Manifest { content: Content::Image { config, .. }, .. }) => {
                self.found.insert(config.digest);
            }
            Ok(Manifest { content: Content::Index(children), .. }) => {
                let platforms = children.into_iter().filter(|child| child.is_manifest() && !child.attestation);
                let platforms: Vec<Digest> = platforms.map(|child| child.digest).take(MOST_PLATFORMS).collect();
                self.found.extend(platforms.iter().cloned());
                self.next.extend(platforms);
            }
            // A platform that was cleaned away runs nowhere under its index.
            Err(Trouble::NotFound) => {}
            Err(Trouble::WrongBytes(detail)) => return Err(Fault::malformed(detail)),
            Err(Trouble::Unknown(fault)) => return Err(fault),
        }
        Ok(())
    }

    pub(super) fn found(self) -> BTreeSet<Digest> {
        self.found
    }
}

/// Holds a manifest to what the index above says about it.
pub(super) fn check_child(name: &str, child: &Descriptor, size: usize, media_type: Option<&str>) -> Result<(), Fault> {
    if size as u64 != child.size {
        return Err(Fault::malformed(format!("{name} has {size} bytes and its index says {}", child.size)));
    }
    if media_type.is_some_and(|served| served != child.media_type) {
        let detail = format!("{name} was served as another media type than its index says (F24)");
        return Err(Fault::malformed(detail));
    }
    Ok(())
}
