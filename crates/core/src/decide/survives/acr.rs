//! What locks hold in an Azure container registry, and against whom (K46–K48).

use super::Target;
use crate::model::{AcrPurges, AcrRetention, Survival};

impl Target<'_> {
    /// Only a purge that is told to unlock takes what is locked, and which commands are run the registry does not say.
    pub(super) fn rules_of_acr(&self, acr: &AcrRetention) -> Survival {
        match &acr.purges {
            // Each of these is an obstacle, and so does not come here.
            AcrPurges::Unknown | AcrPurges::Stated { others: true, .. } => {
                Survival::unknown("which acr purge commands are run on this registry is not known")
            }
            // The registry itself may take what has no tag.
            AcrPurges::Stated { .. } if self.pinned() != Some(true) && self.tag.is_none() => {
                Survival::unknown("the registry's own retention policy for untagged manifests is not read")
            }
            AcrPurges::Stated { commands, .. } if commands.is_empty() => {
                Survival::yes("the policy says that no acr purge is run on this registry")
            }
            AcrPurges::Stated { .. } => {
                Survival::yes("each acr purge command of the policy was simulated, and none takes it")
            }
        }
    }

    /// A pin that was read back locks the manifest. A lock is no wall to whoever may take it off.
    pub(super) fn deletion_in_acr(&self, acr: &AcrRetention) -> Survival {
        let Some(digest) = self.inspection.and_then(|seen| seen.artifact.digest()) else {
            return Survival::unknown("it was not looked at");
        };
        let listed = acr.repository.manifests.iter().find(|manifest| manifest.digest == *digest);
        let is_locked = listed.map(|manifest| manifest.locks.delete_enabled == Some(false));
        match (self.pinned(), is_locked) {
            (Some(true), _) if self.is_index() && !self.saw_below() => {
                Survival::unknown("it is locked, and whether every manifest below it is could not be read")
            }
            (Some(true), _) => Survival::yes(
                "it is locked with every manifest below it, and the registry refuses to delete it until somebody who may \
                 write metadata unlocks it",
            ),
            (Some(false), Some(true)) if !self.is_index() => Survival::yes(
                "it is locked, though not by a whole pin, and the registry refuses to delete it until somebody unlocks it",
            ),
            (Some(false), Some(_)) => Survival::no(
                "it is not locked with all that is below it, so the registry deletes it for whoever may delete",
            ),
            _ => Survival::unknown("whether it is locked could not be read"),
        }
    }

    /// How what is below it outlives a cleanup of untagged manifests, as the end of a sentence; none where not all of it was
    /// seen.
    pub(super) fn locks_below(&self) -> Option<&'static str> {
        (self.pinned() == Some(true) && self.saw_below()).then_some(", and every manifest below it is locked with it")
    }
}
