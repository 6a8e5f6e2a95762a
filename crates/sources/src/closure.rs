//! What is below a manifest, and what of it was found: the bookkeeping that every source of manifests shares (I6).

use std::collections::{BTreeMap, BTreeSet};

use super::manifest::{Content, Descriptor, Manifest, PLATFORM};
use prodpin_core::model::{
    Cause, Closure, Digest, Disagreement, Gap, Inspection, Obstacle, Part, PartAnswer, PartProof, Scope, Served,
    judge_part,
};
use prodpin_net::http::fault::Fault;

/// Indexes in indexes: two levels are rare, eight are an attack (F27).
const MOST_DEPTH: usize = 8;

/// Manifests below one artifact (F27).
const MOST_MANIFESTS: usize = 1_000;

/// Blobs below one artifact.
const MOST_BLOBS: usize = 20_000;

/// Platforms of one index: there are some twenty in all.
const MOST_PLATFORMS: usize = 64;

/// What cannot be told of a part whose manifest says too little.
const NO_SIZE: &str = "its manifest names no size for it, so that nobody can tell whether it is whole";

/// So many parts of each kind are named one by one.
const NAMED: usize = 5;

/// Why a manifest could not be had.
#[derive(Debug)]
pub(super) enum Trouble {
    NotFound,
    /// The bytes are not what their digest says (F21, F22).
    WrongBytes(String),
    Unknown(Fault),
}

/// What was found below a manifest, by the table of proofs (`model::evidence`).
#[derive(Debug, Default)]
pub(super) struct Below {
    missing: BTreeMap<Digest, Option<String>>,
    damaged: BTreeMap<Digest, String>,
    /// What is there, and is kept from being pulled by a rule of the registry.
    blocked: BTreeMap<Digest, String>,
    attestations: BTreeSet<Digest>,
    contradictions: BTreeSet<(String, Disagreement)>,
    wrong: Vec<String>,
    /// Manifests that were found, by the level on which they are: what may need pins of its own.
    manifests: BTreeSet<(usize, Digest, Option<String>)>,
    pub(super) faults: Vec<Fault>,
}

impl Below {
    /// The verdict. What is lacking or damaged is so, whatever else could not be read. An attestation that is gone leaves
    /// everything that could run in its place.
    fn closure(&self) -> Closure {
        if !self.missing.is_empty() || !self.damaged.is_empty() {
            return Closure::Broken(self.missing.keys().cloned().collect());
        }
        let unread = !self.faults.is_empty() || !self.blocked.is_empty();
        match self.wrong.is_empty() && !unread && self.contradictions.is_empty() {
            true => Closure::Complete,
            false => Closure::Unknown,
        }
    }

    /// Writes into the inspection what was found.
    pub(super) fn tell(self, seen: &mut Inspection) {
        seen.closure = self.closure();
        let scope = || Scope::Artifact(seen.artifact.clone());
        for detail in self.wrong {
            seen.gaps.push(Gap::new(scope(), Cause::Malformed, detail.clone()));
            seen.obstacles.push(Obstacle::WrongBytes { detail });
        }
        seen.gaps.extend(self.faults.into_iter().map(|fault| fault.gap(scope())));
        // A manifest may name 20,000 layers: the first few say what to do (F96). Platforms are named before layers.
        let mut missing: Vec<(Digest, String)> =
            self.missing.into_iter().filter_map(|(digest, part)| part.map(|part| (digest, part))).collect();
        missing.sort_by_key(|(_, part)| !part.starts_with(PLATFORM));
        seen.obstacles.extend(missing.into_iter().take(NAMED).map(|(digest, part)| Obstacle::PartMissing {
            digest,
            part: Some(part),
            more: None,
        }));
        let damaged = self.damaged.into_iter().take(NAMED);
        seen.obstacles.extend(damaged.map(|(digest, detail)| Obstacle::PartDamaged { digest, detail }));
        let blocked = self.blocked.into_values().take(NAMED);
        seen.obstacles.extend(blocked.map(|detail| Obstacle::NotPullable { detail }));
        let contradictions = self.contradictions.into_iter().take(NAMED);
        seen.obstacles.extend(contradictions.map(|(about, Disagreement { said, but })| Obstacle::Contradiction {
            about,
            said,
            but,
        }));
        seen.lost_attestations.extend(self.attestations);
        let parts = self.manifests.into_iter().map(|(_, digest, name)| Part::unasked(digest, name.as_deref()));
        seen.parts.below.extend(parts);
    }

    /// A manifest that was found.
    pub(super) fn holds(&mut self, level: usize, child: &Descriptor) {
        let name = if child.attestation { Some("attestation".to_owned()) } else { child.part.clone() };
        self.manifests.insert((level, child.digest.clone(), name));
    }

    /// A manifest that could not be had, or a blob that was not answered.
    pub(super) fn note(&mut self, child: &Descriptor, trouble: Trouble) {
        match trouble {
            Trouble::NotFound if child.attestation => {
                self.attestations.insert(child.digest.clone());
            }
            Trouble::NotFound => {
                self.missing.insert(child.digest.clone(), child.part.clone());
            }
            Trouble::WrongBytes(detail) => self.wrong.push(detail),
            // Nobody pulls an attestation to start what it is about.
            Trouble::Unknown(fault) if fault.cause == Cause::Blocked && child.attestation => {}
            Trouble::Unknown(fault) if fault.cause == Cause::Blocked => {
                let detail = match &child.part {
                    Some(part) => format!("{part}: {}", fault.detail),
                    None => fault.detail,
                };
                self.blocked.insert(child.digest.clone(), detail);
            }
            Trouble::Unknown(fault) => self.faults.push(fault),
        }
    }

    /// Two answers about something below that cannot both be true.
    pub(super) fn contradict(&mut self, about: String, disagreement: Disagreement) {
        self.contradictions.insert((about, disagreement));
    }

    /// What the server answered about a blob.
    pub(super) fn note_blob(&mut self, repository: &str, blob: &Descriptor, answer: &PartAnswer) {
        let (proof, disagreement) = match (blob.size, answer.served) {
            (Some(size), _) => judge_part(&blob.digest, size, answer),
            // That it is not there is known all the same; what is there has to be as large as it was.
            (None, Served::NotFound | Served::NotFoundElsewhere | Served::BrokeOff) => {
                judge_part(&blob.digest, 1, answer)
            }
            (None, _) => (PartProof::Unknown(NO_SIZE.to_owned()), None),
        };
        if let Some(disagreement) = disagreement {
            self.contradictions.insert((format!("blob {repository}@{}", blob.digest), disagreement));
        }
        match proof {
            PartProof::Whole => {}
            PartProof::Absent => self.lacks_blob(repository, blob),
            PartProof::Broken(_) if blob.attestation => {
                self.attestations.insert(blob.digest.clone());
            }
            PartProof::Broken(detail) => {
                let detail = format!("{} {repository}@{}: {detail}", what(blob), blob.digest);
                self.damaged.insert(blob.digest.clone(), detail);
            }
            // Told as a contradiction already.
            PartProof::Unknown(_) if matches!(answer.served, Served::BrokeOff | Served::NotFoundElsewhere) => {}
            PartProof::Unknown(detail) => {
                let detail = format!("{} {repository}@{}: {detail}", what(blob), blob.digest);
                self.faults.push(Fault::new(Cause::Unsupported, detail));
            }
        }
    }

    /// Once the levels are walked: an index below which everything was read, and no image was found, starts nothing. That is
    /// so of these bytes for ever, and no gap that a later run could close.
    pub(super) fn note_hollow(&mut self, frontier: &Frontier) {
        let is_read = self.missing.is_empty()
            && self.blocked.is_empty()
            && self.wrong.is_empty()
            && self.faults.is_empty()
            && self.contradictions.is_empty();
        if is_read && !frontier.has_image {
            let detail = format!("the index {} names no image, so that nothing can be started", frontier.root);
            self.damaged.insert(frontier.root_digest.clone(), detail);
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
        } else if blob.attestation {
            self.attestations.insert(blob.digest.clone());
        } else {
            self.missing.insert(blob.digest.clone(), blob.part.clone());
        }
    }
}

fn what(blob: &Descriptor) -> &str {
    blob.part.as_deref().unwrap_or("blob")
}

/// What is still to be looked at, each thing once: a manifest named twice, or by itself, ends there (F27).
pub(super) struct Frontier {
    root_digest: Digest,
    /// For sentences: `shop/api@sha256:…`.
    root: String,
    depth: usize,
    manifests: Vec<Descriptor>,
    blobs: BTreeSet<Descriptor>,
    seen: BTreeSet<Digest>,
    /// Whether an image was read that could be started: an index of nothing is whole and no way back.
    has_image: bool,
}

impl Frontier {
    pub(super) fn below(repository: &str, root: &Digest, content: Content) -> Self {
        let mut frontier = Self {
            root_digest: root.clone(),
            root: format!("{repository}@{root}"),
            depth: 0,
            manifests: Vec::new(),
            blobs: BTreeSet::new(),
            seen: BTreeSet::from([root.clone()]),
            has_image: false,
        };
        frontier.add(content, false);
        frontier
    }

    /// Takes in what a manifest refers to. What an attestation consists of is needed by nothing that runs.
    pub(super) fn add(&mut self, content: Content, attestation: bool) {
        self.has_image |= !attestation && matches!(content, Content::Image { .. });
        let below = match content {
            Content::Image { config, mut layers } => {
                layers.push(config);
                layers
            }
            Content::Index(children) => children,
        };
        for mut descriptor in below {
            descriptor.attestation |= attestation;
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
    pub(super) fn new(root: &Digest) -> Self {
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
    if let Some(said) = child.size.filter(|said| *said != size as u64) {
        return Err(Fault::malformed(format!("{name} has {size} bytes and its index says {said}")));
    }
    if media_type.is_some_and(|served| served != child.media_type) {
        let detail = format!("{name} was served as another media type than its index says");
        return Err(Fault::malformed(detail));
    }
    Ok(())
}
