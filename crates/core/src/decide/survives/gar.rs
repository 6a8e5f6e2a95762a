//! Google Artifact Registry: what its cleanup policies come to, and what keeps a version from whoever may delete (K42, K44).

use super::Target;
use super::against::Against;
use crate::model::{GarRepository, Setting, Survival};

impl Target<'_> {
    /// Where something was not read, that is an obstacle, and so does not come here.
    pub(super) fn rules_of_gar(repository: &GarRepository) -> Survival {
        match &repository.policies {
            Setting::Unknown => Survival::unknown("the repository's cleanup policies could not be read"),
            Setting::Unset => Survival::yes("the repository has no cleanup policies"),
            Setting::Text(_) if repository.on_trial => Survival::yes(
                "the repository's cleanup policies are on trial (cleanupPolicyDryRun), and delete nothing",
            ),
            Setting::Text(_) => {
                Survival::yes("the repository's cleanup policies were simulated, and none takes it or what is below it")
            }
        }
    }

    /// A policy to keep holds against policies alone. "Tagged artifacts in repositories with immutable tags enabled cannot be deleted",
    /// says the vendor's page of repositories (K44).
    pub(super) fn deletion_in_gar(&self) -> Survival {
        let below = self.obstacles(Against::Below);
        match (self.pinned(), self.inspection.and_then(|seen| seen.pin_is_immutable)) {
            (Some(true), Some(true)) if below.0.is_some() => {
                Survival::no("a manifest below it has no pin, so whoever may delete deletes that")
            }
            (Some(true), Some(true)) if below.1.is_some() || self.keeps_below().is_none() => Survival::unknown(
                "its pin is an immutable tag, and whether every manifest below it has one is not known",
            ),
            (Some(true), Some(true)) => Survival::yes(
                "its pin is an immutable tag: Artifact Registry neither moves nor deletes it, and deletes no version apart from its tags",
            ),
            (Some(true), Some(false)) => Survival::no(
                "the repository's tags are not immutable, so whoever may delete deletes it with its pin (`gcloud artifacts \
                 repositories update --immutable-tags`)",
            ),
            (Some(true), None) => Survival::unknown("whether the repository's tags are immutable could not be read"),
            (Some(false), _) => Survival::no("it has no pin, so a deletion of its tags or its digest takes it"),
            (None, _) => Survival::unknown("its pin is not proven"),
        }
    }
}
