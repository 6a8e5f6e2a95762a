//! Deletion by digest in Harbor, which immutability rules refuse.

use super::Target;
use crate::decide::lifecycle::harbor::{self, Lock};
use crate::model::{HarborRepository, Pin, Survival};

impl Target<'_> {
    /// One immutable tag keeps an artifact from being deleted (J24). Only a pin that was read back counts among them.
    pub(super) fn deletion_in_harbor(&self, harbor: &HarborRepository) -> Survival {
        let Some(digest) = self.inspection.and_then(|seen| seen.artifact.digest()) else {
            return Survival::unknown("it was not looked at");
        };
        let pin = Pin::for_digest(digest).to_string();
        let is_pinned = self.pinned();
        let listed = harbor.artifacts.iter().filter(|artifact| artifact.digest == *digest);
        let listed = listed.flat_map(|artifact| artifact.tags.iter().map(|tag| &*tag.name));
        let own = (is_pinned == Some(true)).then_some(pin.as_str());
        let tags = listed.filter(|tag| *tag != pin).chain(own);
        match harbor::lock(harbor, tags) {
            Lock::By(tag) => Survival::yes(format!(
                "an immutability rule covers its tag {tag}, and Harbor refuses to delete it until that rule goes"
            )),
            Lock::Unknown(detail) => Survival::unknown(detail),
            Lock::Open if is_pinned.is_none() => {
                Survival::unknown("its pin is not proven, and no immutability rule covers another of its tags")
            }
            Lock::Open => {
                Survival::no("no immutability rule covers a tag of it, so Harbor deletes it for whoever may delete")
            }
            Lock::FailedOpen => Survival::no(
                "an immutability rule has a malformed selector: behind it Harbor holds nothing immutable, and deletes it",
            ),
        }
    }
}
