//! Removing pins in memory, and what a registry may do in place of that.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Memory, pin_tag, repository_name};
use crate::{Permit, PinFailure, Protector, Releaser};
use prodpin_core::model::{ArtifactId, Cause, PinRemoval, RepositoryName, Tag};

/// What is done when a pin is to be removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Removing {
    /// Its tag goes, and nothing else.
    #[default]
    Alone,
    /// It is refused, as registries do that remove nothing by its tag (F35).
    Refused,
    /// Its tag goes, and the answer is lost on the way.
    Unanswered,
    /// The call is lost on the way.
    Lost,
    /// The manifest goes with its tag, and comes back as the pin is made again.
    TakesManifest,
    /// The manifest goes with its tag, as where a tag is removed by deleting what it names, and nobody says so.
    TakesAll,
}

impl Memory {
    /// This registry as `release --apply` gets it beside what reads.
    #[must_use]
    pub fn releaser(&self) -> Arc<dyn Releaser> {
        Arc::new(self.clone())
    }

    /// From now on this is done where a pin of the repository is to be removed.
    pub fn set_removing(&self, repository: &str, removing: Removing) {
        self.lock().removing.insert(repository_name(repository), removing);
    }

    /// Every removal that was asked for, in order, refused ones included.
    #[must_use]
    pub fn removals(&self) -> Vec<ArtifactId> {
        self.lock().removals.iter().map(|(_, artifact)| artifact.clone()).collect()
    }
}

/// How pins are removed in a repository: one of ECR's deletes an image with its last tag (A15).
pub(super) fn removal(memory: &Memory, repository: &RepositoryName) -> PinRemoval {
    let state = memory.lock();
    let is_ecr = state.repositories.get(repository).is_some_and(|stored| stored.ecr.is_some());
    PinRemoval::Untag { leaves_untagged: !is_ecr }
}

#[async_trait]
impl Releaser for Memory {
    async fn release(
        &self,
        repository: &RepositoryName,
        artifact: &ArtifactId,
        kept_by: Option<&Tag>,
        permit: &dyn Permit,
    ) -> Result<(), PinFailure> {
        permit.ask().await?;
        let fail = |cause, detail: String| Err(PinFailure { cause, detail });
        let mut state = self.lock();
        state.removals.push((repository.clone(), artifact.clone()));
        let removing = state.removing.get(repository).copied().unwrap_or_default();
        let Some(stored) = state.repositories.get_mut(repository) else {
            return fail(Cause::NotFound, format!("there is no repository {repository}"));
        };
        let Some(digest) = artifact.digest() else {
            return fail(Cause::Unsupported, format!("{artifact} is no manifest"));
        };
        let named = kept_by.is_none_or(|tag| stored.tags.get(tag).is_some_and(|tagged| tagged.digest == *digest));
        if !named {
            return fail(Cause::Refused, format!("{repository}: what keeps {artifact} does not name it any more"));
        }
        match removing {
            Removing::Refused => fail(Cause::Unsupported, format!("{repository}: no single tag is removed here")),
            Removing::Lost => fail(Cause::Unreachable, format!("{repository}: no answer came")),
            Removing::Alone => {
                stored.tags.remove(&pin_tag(digest));
                Ok(())
            }
            Removing::TakesAll => {
                stored.manifests.remove(digest);
                stored.tags.retain(|_, tagged| tagged.digest != *digest);
                Ok(())
            }
            // What the run then knows is that nothing is known.
            Removing::Unanswered => {
                stored.tags.remove(&pin_tag(digest));
                fail(Cause::Unreachable, format!("{repository}: no answer came"))
            }
            Removing::TakesManifest => {
                fail(Cause::NotFound, format!("{repository}: the manifest was removed with its tag; it was put back"))
            }
        }
    }

    async fn pin_again(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        self.pin(repository, artifact).await
    }
}
