//! What becomes of artifacts with pins and without them: what the law that a pin harms nothing is judged by (I22).
//!
//! This is the door to every kind of rules for that law. A kind answers three questions: whose outlook one more pin can
//! change ([`stirred`]), what its outlook is ([`artifact_outlooks`]), and who loses a place because something else stays
//! ([`displaced`]).

use std::collections::BTreeMap;

use super::effects::{ArtifactOutlook, Displaced, Stirred};
use super::{Situation, acr_commands, gar_images, gitlab_tags, harbor_artifacts, images, objects, quay_tags, zot_tags};
use crate::model::{ArtifactId, PinKind, Retention, Threat};

/// Whose outlook the pin of this artifact can change, beside the pins that are there.
pub(crate) fn stirred(situation: &Situation<'_>, artifact: &ArtifactId) -> Stirred {
    match &situation.snapshot.retention {
        Retention::Unruled => Stirred::Nobody,
        Retention::Ecr(repository) => images::stirred(situation, repository, artifact),
        Retention::Bucket(bucket) => objects::stirred(situation, bucket, artifact),
        Retention::Harbor(repository) => harbor_artifacts::stirred(situation, repository, artifact),
        Retention::Acr(acr) => acr_commands::stirred(situation, acr),
        Retention::GitLab(repository) => gitlab_tags::stirred(situation, repository, artifact),
        Retention::Gar(repository) => gar_images::stirred(situation, repository, artifact),
        Retention::Quay(repository) => quay_tags::stirred(situation, repository, artifact),
        Retention::Zot(repository) => zot_tags::stirred(situation, repository),
    }
}

/// The outlook of each artifact that is asked about. What only further pins could bring about is left out: each of those is
/// judged by the same law before it is made.
pub(crate) fn artifact_outlooks(situation: &Situation<'_>) -> BTreeMap<ArtifactId, ArtifactOutlook> {
    match &situation.snapshot.retention {
        Retention::Unruled => BTreeMap::new(),
        Retention::Ecr(repository) => images::artifact_outlooks(situation, repository),
        Retention::Bucket(bucket) => objects::artifact_outlooks(situation, bucket),
        Retention::Harbor(repository) => harbor_artifacts::artifact_outlooks(situation, repository),
        Retention::Acr(acr) => acr_commands::artifact_outlooks(situation, acr),
        Retention::GitLab(repository) => gitlab_tags::artifact_outlooks(situation, repository),
        Retention::Gar(repository) => gar_images::artifact_outlooks(situation, repository),
        Retention::Quay(repository) => quay_tags::artifact_outlooks(situation, repository),
        Retention::Zot(repository) => zot_tags::artifact_outlooks(situation, repository),
    }
}

/// Who loses a place because these stay that rules would have taken, each with what would have taken it.
pub(crate) fn displaced(situation: &Situation<'_>, stay: &[(ArtifactId, Threat)]) -> Vec<Displaced> {
    match &situation.snapshot.retention {
        // The simulation of a bucket follows every event, so that this is part of each version's own outlook.
        Retention::Unruled | Retention::Bucket(_) => Vec::new(),
        // Whatever Harbor's rules count keeps its place until something new comes to stand before it: nothing that stays
        // would have made room.
        Retention::Harbor(_) => Vec::new(),
        // What is counted, is counted anew by each run of a command.
        Retention::Acr(_) => Vec::new(),

        // A run counts anew, pins and what they keep included.
        Retention::GitLab(_) => Vec::new(),
        // What is behind the most recent versions is so whether or not what is further behind stays.
        Retention::Gar(_) => Vec::new(),
        // What zot and Quay count, they count anew each time, pins and what they keep included.
        Retention::Quay(_) | Retention::Zot(_) => Vec::new(),
        Retention::Ecr(repository) => images::displaced(situation, repository, stay),
    }
}

/// What a pin of this artifact is.
pub(crate) fn kind_of_pin(situation: &Situation<'_>, artifact: &ArtifactId) -> PinKind {
    match (&situation.snapshot.retention, artifact) {
        (Retention::Bucket(bucket), ArtifactId::ObjectVersion { .. }) if bucket.object_lock != Some(false) => {
            PinKind::Hold
        }
        _ => PinKind::Tag,
    }
}
