//! Which repositories a group has, those of the groups below it among them, or a project. The registry itself lists none (C86).

use async_trait::async_trait;

use super::api::encoded;
use super::documents::RepositoryRow;
use super::projects::Projects;
use crate::owners::{ListsOwners, MOST_OF_AN_OWNER};
use prodpin_core::model::Cause;
use prodpin_net::http::fault::Fault;

/// What stands for more than one name in a pattern.
const GLOB: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];

#[async_trait]
impl ListsOwners for Projects {
    /// As much of it as names one group or project: a token may see a group and not the one above.
    fn owner_of<'e>(&self, entry: &'e str) -> &'e str {
        let literal = entry.find(GLOB).map_or(entry, |at| entry.get(..at).unwrap_or_default());
        literal.rsplit_once('/').map_or("", |(owner, _)| owner)
    }

    fn is_owner(&self, owner: &str) -> bool {
        let is_part = |part: &str| {
            part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
                && part.bytes().any(|byte| byte != b'.')
        };
        !owner.is_empty() && owner.split('/').all(is_part)
    }

    async fn list(&self, owner: &str, take: &mut (dyn for<'n> FnMut(&'n str) + Send)) -> Result<(), Fault> {
        if self.list_of(&format!("groups/{}", encoded(owner)), "", take).await? {
            return Ok(());
        }
        // It is none, or none that is shown; a project, then, or something in one.
        let project = match owner.contains('/') {
            true => self.within(owner).await?,
            false => None,
        };
        let Some(project) = project else {
            return Err(Fault::new(
                Cause::Denied,
                format!(
                    "{} shows no group or project {owner}: there is none, or the token may not see it; repositories of a \
                     user's projects are listed by the project, as {owner}/PROJECT/**; {}",
                    self.api.host(),
                    super::api::LACKS
                ),
            ));
        };
        match self.list_of(&format!("projects/{}", encoded(project.path())), owner, take).await? {
            true => Ok(()),
            false => Err(Fault::malformed(format!("{} shows project {owner} and no list of it", self.api.host()))),
        }
    }
}

impl Projects {
    /// Hands on what is listed of a group or project, as far as it lies below this path. Whether there is such a thing.
    async fn list_of(
        &self,
        of: &str,
        below: &str,
        take: &mut (dyn for<'n> FnMut(&'n str) + Send),
    ) -> Result<bool, Fault> {
        let mut count = 0;
        let each = |rows: Vec<RepositoryRow>| {
            count += rows.len();
            for row in &rows {
                if below.is_empty() || row.path.starts_with(below) {
                    take(&row.path);
                }
                self.note(row.project());
            }
            match count > MOST_OF_AN_OWNER {
                true => Err(Fault::refused(format!("{of}: more than {MOST_OF_AN_OWNER} repositories"))),
                false => Ok(()),
            }
        };
        Ok(self.api.repositories(of, each).await?.is_some())
    }
}
