//! Deletion by digest in Quay: refused as long as a tag of the manifest is immutable, but for that of the whole repository (K52).
//! What an index lists is not deleted by its own digest: Quay deletes tags, and collects what nothing refers to any more (K54).

use super::Target;
use crate::model::{QuayRepository, QuayRow, Survival};

impl Target<'_> {
    /// A pin is made immutable where that is possible, and counts as one only as long as it is read back so.
    pub(super) fn deletion_in_quay(&self, repository: &QuayRepository) -> Survival {
        let digest = self.inspection.and_then(|seen| seen.artifact.digest());
        let living = repository.living(self.now);
        // What the registry serves under another digest than Quay's list has says nothing of either.
        let is_sure = |row: &&&QuayRow| !repository.disputed.contains(&row.name);
        let is_immutable = |row: &&&QuayRow| row.immutable && row.end.is_none() && Some(&row.digest) == digest;
        let immutable = living.iter().filter(is_sure).find(is_immutable);
        let pin_is_immutable = self.inspection.and_then(|seen| seen.pin_is_immutable);
        if immutable.is_some() || (self.pinned() == Some(true) && pin_is_immutable == Some(true)) {
            match &repository.server {
                Some(server) if !server.immutable_tags_can_expire => {}
                Some(_) => {
                    return Survival::no(
                        "immutable tags can expire here (FEATURE_IMMUTABLE_TAGS_CAN_EXPIRE), so whoever may write to the \
                         repository can end them",
                    );
                }
                None => {
                    return Survival::unknown(
                        "whether immutable tags can expire here could not be read from the server's configuration",
                    );
                }
            }
        }
        match (immutable, self.pinned()) {
            (_, Some(true)) if pin_is_immutable == Some(true) => {
                Survival::yes("its pin is immutable, and Quay refuses to delete what has such a tag")
            }
            (Some(row), _) => {
                Survival::yes(format!("its tag {} is immutable, and Quay refuses to delete it", row.name))
            }
            (None, None) => Survival::unknown("whether its pin is immutable is not proven"),
            (None, Some(_)) if repository.rows.is_empty() || !repository.disputed.is_empty() => {
                Survival::unknown("whether one of its tags is immutable could not be read")
            }
            (None, Some(_)) => Survival::no(
                "none of its tags is immutable, so Quay deletes it for whoever may write to the repository",
            ),
        }
    }
}
