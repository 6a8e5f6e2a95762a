//! Which packages an owner has. The registry itself lists none (C86).

use async_trait::async_trait;
use serde::Deserialize;

use super::api::Row;
use super::owners::Owners;
use crate::owners::{ListsOwners, MOST_OF_AN_OWNER};
use prodpin_core::model::Cause;
use prodpin_net::http::fault::Fault;

/// A package in the list of them.
#[derive(Deserialize)]
struct PackageRow {
    id: u64,
    name: Box<str>,
}

impl Row for PackageRow {
    fn id(&self) -> u64 {
        self.id
    }
}

#[async_trait]
impl ListsOwners for Owners {
    async fn list(&self, owner: &str, take: &mut (dyn for<'n> FnMut(&'n str) + Send)) -> Result<(), Fault> {
        let path = format!("{}/packages", self.find(owner).await?.prefix);
        let (mut count, front) = (0, owner.to_ascii_lowercase());
        let each = |rows: Vec<PackageRow>| {
            count += rows.len();
            rows.iter().for_each(|row| take(&format!("{front}/{}", row.name)));
            match count > MOST_OF_AN_OWNER {
                true => Err(Fault::refused(format!("{path}: more than {MOST_OF_AN_OWNER} packages"))),
                false => Ok(()),
            }
        };
        self.api.list(&path, &[("package_type", "container")], each).await?;
        if count == 0 {
            // What a token may not see is left out of the list (F129).
            let detail = format!(
                "{} lists no container package of {owner}: there is none, or the token may not see them; use one with \
                 read:packages",
                self.api.host()
            );
            return Err(Fault::new(Cause::Denied, detail));
        }
        Ok(())
    }
}
