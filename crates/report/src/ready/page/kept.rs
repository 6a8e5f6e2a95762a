//! What can be brought back of what is lost: from the vault, and from the registry itself.

use std::io;

use super::Sheet;
use crate::layout::Page as Paper;
use prodpin_core::model::ArtifactId;
use prodpin_core::outcome::ready::ListedRelease;

impl Sheet<'_> {
    pub(super) fn kept(&self, paper: &mut Paper<'_>) -> io::Result<()> {
        let row = self.row;
        if !row.restore.is_empty() {
            let is_object = |release: &ListedRelease| matches!(release.artifact, ArtifactId::ObjectVersion { .. });
            let lost = match row.releases.iter().any(is_object) {
                true => "IN THE VAULT: TO BRING BACK WHAT THE BUCKET LOST",
                false => "IN THE VAULT: TO BRING BACK WHAT THE REGISTRY LOST",
            };
            Self::title(paper, lost)?;
            Self::notes(paper, &row.restore_first)?;
            Self::commands(paper, &row.restore)?;
        }
        if !row.undelete.is_empty() {
            Self::title(paper, "KEPT BY THE REGISTRY: TO BRING BACK WHAT WAS DELETED")?;
            Self::commands(paper, &row.undelete)?;
        }
        Ok(())
    }
}
