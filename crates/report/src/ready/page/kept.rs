//! What can be brought back of what is lost: from the vault, and from the registry itself.

use std::io;

use super::Sheet;
use crate::layout::Page as Paper;

impl Sheet<'_> {
    pub(super) fn kept(&self, paper: &mut Paper<'_>) -> io::Result<()> {
        let row = self.row;
        if !row.restore.is_empty() {
            Self::title(paper, "IN THE VAULT: TO BRING BACK WHAT THE REGISTRY LOST")?;
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
