//! What a target is called where several tags name it: as the workload that runs it does, rather than `latest`.

use std::collections::BTreeSet;

use crate::model::{ArtifactId, Running, RunningReference, Tag};

use super::labels::Labels;
use super::rules::{Rules, looks_like_release};

/// Who calls an artifact by which tag.
pub(super) struct Called<'a> {
    /// Tags that workloads name beside the bytes, or that stand beside what a node reports.
    exactly: BTreeSet<(&'a ArtifactId, &'a Tag)>,
    /// Tags that workloads name and nothing else: they mean what they name now.
    named: BTreeSet<&'a Tag>,
    rules: &'a Rules,
    labels: Labels<'a>,
}

impl<'a> Called<'a> {
    pub(super) fn of(running: &'a [Running], rules: &'a Rules, labels: Labels<'a>) -> Self {
        let (mut exactly, mut named) = (BTreeSet::new(), BTreeSet::new());
        for used in running.iter().filter(|used| used.runs_now()) {
            match (&used.reference, &used.named_as) {
                (RunningReference::Artifact(artifact), Some(tag)) => {
                    exactly.insert((artifact, tag));
                }
                (RunningReference::Artifact(_), None) => {}
                (RunningReference::Tag(tag), _) => {
                    named.insert(tag);
                }
            }
        }
        Self { exactly, named, rules, labels }
    }

    /// Least first: as a workload names it, by a release tag, by a version, by whatever moves least.
    pub(super) fn rank(&self, artifact: &ArtifactId, tag: &Tag) -> u8 {
        let label = self.labels.of(tag);
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
