//! Docker Hub: a tag that a rule makes immutable is neither overwritten nor deleted, whoever asks (K59).

use super::Target;
use crate::model::Survival;

impl Target<'_> {
    /// What keeps it is its pin, as long as a rule makes that immutable.
    pub(super) fn deletion_in_docker_hub(&self) -> Survival {
        match (self.pinned(), self.inspection.and_then(|seen| seen.pin_is_immutable)) {
            (Some(true), Some(true)) => Survival::yes(
                "the repository's immutable tags cover its pin: Docker Hub neither deletes nor moves it while the rule is there",
            ),
            (Some(true), Some(false)) => Survival::no(
                "no rule of the repository makes its pin immutable; add prod-pinned-.* to its immutable tags",
            ),
            (Some(true), None) => Survival::unknown(
                "whether the repository's immutable tags cover its pin is not known; prod-pinned-.* among them would",
            ),
            (Some(false), _) => Survival::no("it has no pin, so a deletion of its tags or its digest takes it"),
            (None, _) => Survival::unknown("its pin is not proven"),
        }
    }
}
