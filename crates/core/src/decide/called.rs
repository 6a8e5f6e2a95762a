//! What a target is called where several tags name it: as the workload that runs it does, rather than `latest`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{ArtifactId, DeployedReference, Deployment, Tag};

use super::labels::Labels;
use super::rules::{Rules, looks_like_release};

type Claims = BTreeMap<Arc<str>, BTreeMap<Tag, ArtifactId>>;

/// Who calls an artifact by which tag.
pub(super) struct Called<'a> {
    /// Tags beside the bytes that a workload names or that its node reports, and what tags meant to workloads.
    exactly: BTreeSet<(&'a ArtifactId, &'a Tag)>,
    /// Tags that workloads name and nothing else: they mean what they name now.
    named: BTreeSet<&'a Tag>,
    rules: &'a Rules,
    labels: &'a Labels<'a>,
}

impl<'a> Called<'a> {
    pub(super) fn new(running: &'a [Deployment], claims: &'a Claims, rules: &'a Rules, labels: &'a Labels<'a>) -> Self {
        let (mut exactly, mut named) = (BTreeSet::new(), BTreeSet::new());
        let now: Vec<&Deployment> = running.iter().filter(|used| used.runs_now()).collect();
        for used in &now {
            match &used.reference {
                DeployedReference::Artifact(artifact) => {
                    exactly.extend(used.named_as.as_ref().map(|tag| (artifact, tag)));
                }
                DeployedReference::Tag(tag) => {
                    named.insert(tag);
                }
            }
        }
        let still = |via: &Arc<str>| now.iter().any(|used| used.via == *via);
        for claims in claims.iter().filter(|(via, _)| still(via)).map(|(_, claims)| claims) {
            // What a workload once named is kept for its meaning, and is no name for what runs.
            let named = claims.iter().filter(|(tag, _)| named.contains(tag));
            exactly.extend(named.map(|(tag, artifact)| (artifact, tag)));
        }
        Self { exactly, named, rules, labels }
    }

    /// Least first: as a workload names it, by a release tag, by a version, by whatever moves least.
    pub(super) fn rank(&self, artifact: &ArtifactId, tag: &Tag) -> u8 {
        let label = self.labels.label(tag);
        if self.exactly.contains(&(artifact, tag)) || self.named.contains(tag) {
            0
        } else if self.rules.is_release(label) {
            1
        } else if looks_like_release(label) {
            2
        } else if self.rules.may_move(tag, label) || label == "latest" {
            4
        } else {
            3
        }
    }
}
