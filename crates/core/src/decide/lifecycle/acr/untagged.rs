//! Which manifests `--untagged` takes: those without a tag, but for what something that stays lists, and what refers to
//! something else.
//!
//! What surprises is kept: a locked manifest is passed over before its parts are looked at, so that these are prey (K47);
//! an index that refers to something and has parts saves these and not itself (K49).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{AcrManifest, AcrPurge, AcrRepository, AcrTag, Digest};

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";

/// What the command takes of the manifests, in order of the listing; beside it what may go or stay: among those of one time
/// the digest decides, so that nothing is open but where the command itself races.
pub(super) struct Untagged<'r> {
    pub(super) taken: Vec<&'r AcrManifest>,
    pub(super) open: BTreeSet<&'r Digest>,
}

/// What is taken once these tags are gone.
pub(super) fn untagged<'r>(
    repository: &'r AcrRepository,
    command: &AcrPurge,
    border: Timestamp,
    goes: &dyn Fn(&AcrTag) -> bool,
) -> Untagged<'r> {
    let mut looks = Looks::of(repository);
    let mut candidates = Vec::new();
    for manifest in &repository.manifests {
        if !command.include_locked && manifest.locks.are_on() {
            continue;
        }
        let has_tag = manifest.tags.iter().any(|tag| !goes(tag));
        // Without a time it stays.
        let is_young = manifest.updated.is_none_or(|updated| updated > border);
        if has_tag || is_young {
            if manifest.media_type.as_deref().is_none_or(is_list) {
                looks.spare_parts(manifest);
            }
            continue;
        }
        candidates.push(manifest);
        if !may_go(manifest) {
            let has_parts = manifest.media_type.as_deref() == Some(OCI_INDEX) && !manifest.children.is_empty();
            if has_parts { looks.spare_parts(manifest) } else { looks.spare(manifest) }
        }
    }
    let (spared, mut open) = looks.end();
    if command.keep > 0 && candidates.iter().any(|manifest| open.contains(&manifest.digest)) {
        // One more that may go may take a place of those that are kept.
        open.extend(candidates.iter().map(|manifest| &manifest.digest));
    }
    let mut taken: Vec<&AcrManifest> =
        candidates.into_iter().filter(|manifest| !spared.contains(&manifest.digest)).collect();
    if let Ok(keep) = usize::try_from(command.keep)
        && keep > 0
    {
        // The newest stay; what has no time counts as the oldest, and of one time the lower digest stays.
        taken.sort_by_key(|manifest| (Reverse(manifest.updated), &manifest.digest));
        taken.drain(..keep.min(taken.len()));
    }
    Untagged { taken, open }
}

fn is_list(media_type: &str) -> bool {
    media_type == OCI_INDEX || media_type == DOCKER_LIST
}

/// Whether an untagged manifest may go by what it is: nothing that refers to something else, as far as the command looks,
/// and nothing of an unknown kind.
fn may_go(manifest: &AcrManifest) -> bool {
    match manifest.media_type.as_deref() {
        None => false,
        Some(OCI_MANIFEST | OCI_INDEX | OCI_ARTIFACT) => manifest.subject.is_none(),
        Some(_) => true,
    }
}

/// What is spared, while the manifests are walked over. The command looks at indexes beside one another: where one is
/// spared by one look, and another look would follow it to its parts, it depends on which came first.
struct Looks<'r> {
    by_digest: BTreeMap<&'r Digest, &'r AcrManifest>,
    /// Spared and not followed any further, whatever it is.
    leaves: BTreeSet<&'r Digest>,
    /// To be spared and followed.
    lists: Vec<&'r Digest>,
}

impl<'r> Looks<'r> {
    fn of(repository: &'r AcrRepository) -> Self {
        let by_digest = repository.manifests.iter().map(|manifest| (&manifest.digest, manifest)).collect();
        Self { by_digest, leaves: BTreeSet::new(), lists: Vec::new() }
    }

    fn spare(&mut self, manifest: &'r AcrManifest) {
        self.leaves.insert(&manifest.digest);
    }

    fn spare_parts(&mut self, manifest: &'r AcrManifest) {
        for child in &manifest.children {
            if self.is_followed(child) {
                self.lists.push(child);
            } else {
                self.leaves.insert(child);
            }
        }
    }

    /// Whether an index says that this part is an index itself.
    fn is_followed(&self, child: &Digest) -> bool {
        let media_type = self.by_digest.get(child).map(|manifest| manifest.media_type.as_deref());
        match media_type {
            Some(Some(media_type)) => is_list(media_type),
            // The registry does not say; the index does.
            Some(None) => self.by_digest.get(child).is_some_and(|manifest| !manifest.children.is_empty()),
            None => false,
        }
    }

    /// All that is spared, and what of it is so only if an index was followed before it was spared as a leaf.
    fn end(self) -> (BTreeSet<&'r Digest>, BTreeSet<&'r Digest>) {
        let all = self.spared(false);
        let least = self.spared(true);
        let open = all.difference(&least).copied().collect();
        (all, open)
    }

    fn spared(&self, leaves_first: bool) -> BTreeSet<&'r Digest> {
        let mut spared = if leaves_first { self.leaves.clone() } else { BTreeSet::new() };
        let mut next = self.lists.clone();
        while let Some(list) = next.pop() {
            let Some(manifest) = self.by_digest.get(list).filter(|_| !spared.contains(list)) else {
                spared.insert(list);
                continue;
            };
            spared.insert(list);
            for child in &manifest.children {
                if self.is_followed(child) {
                    next.push(child);
                } else {
                    spared.insert(child);
                }
            }
        }
        spared.extend(&self.leaves);
        spared
    }
}
