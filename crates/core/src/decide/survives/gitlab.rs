//! Deletion by digest in GitLab's registry, which refuses it where a project has immutable tag rules, or protected ones above the
//! caller's role (K57, and the registry's own sources).

use super::Target;
use crate::decide::lifecycle;
use crate::model::{GitLabRepository, Pin, Survival};

impl Target<'_> {
    /// What keeps it is its pin, as long as a rule makes that immutable: of protected tags there is always somebody who may.
    pub(super) fn deletion_in_gitlab(&self, repository: &GitLabRepository) -> Survival {
        let Some(digest) = self.inspection.and_then(|seen| seen.artifact.digest()) else {
            return Survival::unknown("it was not looked at");
        };
        match self.pinned() {
            Some(true) => {}
            Some(false) => return Survival::no("it has no pin, so a deletion of its tags or its digest takes it"),
            None => return Survival::unknown("its pin is not proven"),
        }
        let pin = Pin::for_digest(digest).to_string();
        let Some(rules) = lifecycle::protection(repository) else {
            return Survival::unknown(
                "which tags of the project are immutable could not be read; an immutable tag rule for ^prod-pinned- keeps pins",
            );
        };
        match rules.role_to_delete(&pin) {
            _ if rules.makes_immutable(&pin) => Survival::yes(
                "an immutable tag rule covers its pin: while the rule is there GitLab deletes neither the tag nor its manifest",
            ),
            Some(role) => Survival::no(format!(
                "a tag rule of the project lets users with the role {role} delete its pin, and no immutable tag rule covers it"
            )),
            None => Survival::no(
                "no tag rule of the project covers its pin, so GitLab deletes it for every developer; add an immutable tag rule \
                 for ^prod-pinned-",
            ),
        }
    }
}
