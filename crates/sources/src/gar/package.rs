//! What one package says of itself: what its tags name at this moment, and which versions it has, which is what policies count.

use std::collections::BTreeSet;

use super::api::Api;
use super::documents::{TagPage, VersionPage};
use super::images::room;
use super::place::Place;
use crate::Reservation;
use crate::oci::Told;
use prodpin_core::model::{Digest, Tag};
use prodpin_net::http::fault::Fault;

/// What one version costs in the list of a package.
const DIGEST_COST: usize = 120;

/// What each tag names, read now: a tag may have been moved a moment ago.
pub(super) async fn tags(api: &Api, place: &Place, memory: &Reservation) -> Result<Vec<(Tag, Digest)>, Fault> {
    let path = format!("{}/tags", at(place));
    let mut tags = Vec::new();
    api.list::<TagPage>(&path, |rows| {
        room(memory, rows.len() * Told::COST, tags.len())?;
        let read = rows.iter().map(|row| row.read(&place.package).ok_or_else(|| odd(api, &path)));
        tags.extend(read.collect::<Result<Vec<_>, _>>()?);
        Ok(())
    })
    .await?;
    Ok(tags)
}

/// Which versions there are, tagged or not, read now.
pub(super) async fn versions(api: &Api, place: &Place, memory: &Reservation) -> Result<BTreeSet<Digest>, Fault> {
    let path = format!("{}/versions", at(place));
    let mut versions = BTreeSet::new();
    api.list::<VersionPage>(&path, |rows| {
        room(memory, rows.len() * DIGEST_COST, versions.len())?;
        for row in &rows {
            versions.insert(row.read(&place.package).ok_or_else(|| odd(api, &path))?);
        }
        Ok(())
    })
    .await?;
    Ok(versions)
}

fn at(place: &Place) -> String {
    format!("v1/{}/packages/{}", place.shelf.name(), place.package.replace('/', "%2F"))
}

fn odd(api: &Api, path: &str) -> Fault {
    Fault::malformed(format!("{}: it lists what is not of this image", api.what(path)))
}
