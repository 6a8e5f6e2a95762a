//! A repository of this registry as one of ECR's: the same content under ECR's settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Memory, Repository, Stored, manifest_digest, repository_name};
use crate::{Rehearsal, Rehearsed, Source};
use prodpin_core::model::{
    ArtifactId, Cause, Digest, EcrImage, EcrRepository, Gap, ImageStatus, Mutability, Obstacle, PatternError,
    RepositoryName, Retention, Scope, Setting, Tag,
};

/// The settings of a repository in ECR.
#[derive(Debug, Clone, PartialEq)]
pub struct EcrTerms {
    /// Which tags may be overwritten; none: could not be read.
    pub mutability: Option<Mutability>,
    /// The lifecycle policy.
    pub lifecycle: Setting,
    /// The repository policy.
    pub access: Setting,
    /// The upstream whose images it caches.
    pub cached_from: Option<Box<str>>,
    /// Principals that may delete images here.
    pub may_delete: Vec<Box<str>>,
    /// Whether the policy lets prodpin put a rule in front of the lifecycle policy.
    pub manages_lifecycle: bool,
}

impl Default for EcrTerms {
    /// A new repository's: every tag may be overwritten, and there are no policies.
    fn default() -> Self {
        Self {
            mutability: Some(Mutability::Mutable),
            lifecycle: Setting::Unset,
            access: Setting::Unset,
            cached_from: None,
            may_delete: Vec::new(),
            manages_lifecycle: false,
        }
    }
}

impl EcrTerms {
    /// The account that owns every repository here.
    pub const REGISTRY: &'static str = "111122223333";

    /// A new repository's, with this lifecycle policy.
    #[must_use]
    pub fn with_lifecycle(text: &str) -> Self {
        Self { lifecycle: Setting::Text(text.into()), ..Self::default() }
    }
}

impl Memory {
    /// What this registry answers when it is asked for a preview of the repository's lifecycle rules.
    pub fn set_preview(&self, repository: &str, preview: Vec<Rehearsed>) {
        self.lock().repositories.entry(repository_name(repository)).or_default().preview = Some(preview);
    }

    /// This registry as `forecast --confirm` gets it: without the pinning half, with previews.
    pub fn rehearsing<S: AsRef<str>>(&self, patterns: impl IntoIterator<Item = S>) -> Result<Source, PatternError> {
        Ok(Source { rehearsal: Some(Arc::new(self.clone())), ..self.read_only(patterns)? })
    }

    /// Makes the repository one of ECR's, with these settings from now on.
    pub fn set_ecr(&self, repository: &str, terms: EcrTerms) {
        self.lock().repositories.entry(repository_name(repository)).or_default().ecr = Some(terms);
    }

    /// Says when an image was pushed first, whatever the time is now.
    pub fn set_pushed(&self, repository: &str, artifact: &ArtifactId, pushed: Timestamp) {
        self.stored(repository, artifact, |stored| stored.pushed = Some(pushed));
    }

    /// Moves an image to the archive, as a transition rule does (A43).
    pub fn archive(&self, repository: &str, artifact: &ArtifactId, at: Timestamp) {
        self.stored(repository, artifact, |stored| stored.archived = Some(at));
    }

    fn stored(&self, repository: &str, artifact: &ArtifactId, change: impl FnOnce(&mut Stored)) {
        let digest = manifest_digest(artifact);
        let mut state = self.lock();
        match state.existing(repository).manifests.get_mut(&digest) {
            Some(stored) => change(stored),
            None => panic!("{artifact} was never pushed here"),
        }
    }
}

#[async_trait]
impl Rehearsal for Memory {
    async fn rehearse(&self, repository: &RepositoryName, _lifecycle: Option<&str>) -> Result<Vec<Rehearsed>, Gap> {
        let state = self.lock();
        let preview = state.repositories.get(repository).and_then(|stored| stored.preview.clone());
        let denied = || Gap::new(Scope::Repository, Cause::Denied, "ecr:StartLifecyclePolicyPreview is not allowed");
        preview.ok_or_else(denied)
    }
}

impl Repository {
    /// What decides how long its artifacts stay.
    pub(super) fn retention(&self) -> Retention {
        let Some(terms) = &self.ecr else { return Retention::Unruled };
        let mut tags: BTreeMap<&Digest, Vec<Tag>> = BTreeMap::new();
        for (tag, tagged) in &self.tags {
            tags.entry(&tagged.digest).or_default().push(tag.clone());
        }
        let images = self.manifests.iter().map(|(digest, stored)| EcrImage {
            digest: digest.clone(),
            tags: tags.remove(digest).unwrap_or_default().into(),
            pushed: stored.pushed,
            pulled: None,
            archived: stored.archived,
            activated: None,
            status: if stored.archived.is_some() { ImageStatus::Archived } else { ImageStatus::Active },
            subject: None,
            is_index: !stored.children.is_empty(),
        });
        Retention::Ecr(Box::new(EcrRepository {
            registry: EcrTerms::REGISTRY.into(),
            images: images.collect(),
            mutability: terms.mutability.clone(),
            lifecycle: terms.lifecycle.clone(),
            access: terms.access.clone(),
            cached_from: terms.cached_from.clone(),
            manages_lifecycle: terms.manages_lifecycle,
            may_delete: terms.may_delete.clone().into(),
        }))
    }

    /// What an archived image cannot do.
    pub(super) fn archived(&self, digest: &Digest) -> Option<Obstacle> {
        self.manifests.get(digest)?.archived?;
        Some(Obstacle::Archived { class: "ARCHIVED".to_owned() })
    }
}
