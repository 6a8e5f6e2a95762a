//! Deletion by digest in Quay: refused as long as a tag of the manifest is immutable, but for that of the whole repository (K52).

use super::Target;
use crate::model::{QuayRepository, Survival};

impl Target<'_> {
    /// A pin is made immutable where that is possible, and counts as one only as long as it is read back so.
    pub(super) fn deletion_in_quay(&self, repository: &QuayRepository) -> Survival {
        let digest = self.inspection.and_then(|seen| seen.artifact.digest());
        let immutable = repository
            .rows
            .iter()
            .find(|row| row.immutable && row.is_alive(self.now) && row.end.is_none() && Some(&row.digest) == digest);
        match (immutable, self.pinned()) {
            (_, Some(true)) if repository.locks_pins => {
                Survival::yes("its pin is immutable, and Quay refuses to delete what has such a tag")
            }
            (Some(row), _) => {
                Survival::yes(format!("its tag {} is immutable, and Quay refuses to delete it", row.name))
            }
            (None, None) if repository.locks_pins => Survival::unknown("whether its pin is immutable is not proven"),
            (None, _) => Survival::no("none of its tags is immutable, so Quay deletes it for whoever may write"),
        }
    }
}
