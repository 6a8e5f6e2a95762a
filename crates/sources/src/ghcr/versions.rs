//! The versions of a package: each manifest is one, tagged or not, children of an index among them (K58).

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;

use super::api::Row;
use super::owners::{Owner, Owners};
use crate::oci::{Told, ToldTag};
use crate::{Reservation, outgrown};
use prodpin_core::model::{
    ArtifactId, Cause, Closure, DeletedManifest, Digest, Inspection, Presence, RepositoryName, Tag, Undelete,
};
use prodpin_net::http::fault::Fault;

/// What a version takes beside its tags while a page of them is read.
const VERSION_COST: usize = 64;

/// More than this is no package but an attempt to fill memory (I20).
const MOST_VERSIONS: usize = 5_000_000;

/// Of deleted versions so many are remembered.
const MOST_DELETED: usize = 100_000;

/// So many parts that are gone are looked for among deleted versions.
const MOST_GONE: usize = 1_000;

/// A version of a package.
#[derive(Deserialize)]
struct VersionRow {
    id: u64,
    /// Its digest.
    name: Box<str>,
    #[serde(default)]
    created_at: Option<Box<str>>,
    #[serde(default)]
    deleted_at: Option<Box<str>>,
    #[serde(default)]
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    container: Option<Container>,
}

#[derive(Deserialize)]
struct Container {
    #[serde(default)]
    tags: Option<Vec<Box<str>>>,
}

impl Row for VersionRow {
    fn id(&self) -> u64 {
        self.id
    }
}

impl VersionRow {
    fn into_tags(self) -> Vec<Box<str>> {
        self.metadata.and_then(|metadata| metadata.container?.tags).unwrap_or_default()
    }
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

/// A package, and where GitHub has it.
pub(super) struct Package {
    owner: Owner,
    /// As it stands in a path: names may hold `/`.
    name: String,
}

impl Package {
    pub(super) async fn of(owners: &Owners, repository: &RepositoryName) -> Result<Self, Fault> {
        let Some((owner, name)) = repository.as_str().split_once('/').filter(|_| repository.is_oci()) else {
            let detail = format!("{:?} is no package of GitHub's: each has its owner in front", repository.as_str());
            return Err(Fault::malformed(detail));
        };
        Ok(Self { owner: owners.find(owner).await?, name: name.replace('/', "%2F") })
    }

    fn versions(&self) -> String {
        format!("{}/packages/container/{}/versions", self.owner.prefix, self.name)
    }
}

/// What GitHub tells of the tags of a package, and why that is not all. Whatever of it cannot be read is asked of the registry.
pub(super) async fn told(owners: &Owners, repository: &RepositoryName, memory: &Reservation) -> (Told, Option<Fault>) {
    let mut told = Told::default();
    let package = match Package::of(owners, repository).await {
        Ok(package) => package,
        Err(fault) => return (told, Some(without(fault))),
    };
    let mut read = 0;
    let take = |rows: Vec<VersionRow>| {
        read += rows.len();
        let cost = rows.len() * VERSION_COST;
        let mut tags = 0;
        for row in rows {
            let (Ok(digest), pushed) = (row.name.parse::<Digest>(), time(row.created_at.as_deref())) else { continue };
            for tag in row.into_tags().iter().filter_map(|tag| tag.parse::<Tag>().ok()) {
                tags += 1;
                told.take(tag, ToldTag { digest: digest.clone(), pushed });
            }
        }
        match memory.take(cost + tags * Told::COST).is_err() || read > MOST_VERSIONS {
            true => Err(Fault::refused(outgrown(read, "versions").detail)),
            false => Ok(()),
        }
    };
    let end = owners.api.list(&package.versions(), &[], take).await.err();
    (told, end.map(without))
}

/// What is missing where versions cannot be read.
fn without(fault: Fault) -> Fault {
    let detail = format!(
        "{}; without it each tag is asked of the registry, when it was pushed is unknown, and so is what GitHub still keeps \
         of deleted versions",
        fault.detail
    );
    Fault { detail, ..fault }
}

/// What is definitively gone of an artifact.
pub(super) fn gone(seen: &Inspection) -> BTreeSet<Digest> {
    let own = match (&seen.artifact, seen.presence) {
        (ArtifactId::Manifest(digest), Presence::NotFound) => Some(digest),
        _ => None,
    };
    let parts = match &seen.closure {
        Closure::Broken(parts) => parts.as_slice(),
        Closure::Complete | Closure::Unknown => &[],
    };
    own.into_iter().chain(parts).chain(&seen.lost_attestations).take(MOST_GONE).cloned().collect()
}

/// Deleted versions of a package, as far as they could be listed.
pub(super) struct DeletedVersions {
    pub(super) kept: Vec<DeletedManifest>,
    pub(super) unread: Option<String>,
}

/// What GitHub still keeps of what was deleted in a package.
pub(super) async fn deleted(owners: &Owners, package: Result<Package, Fault>) -> DeletedVersions {
    let unread = |fault: Fault| DeletedVersions { kept: Vec::new(), unread: Some(fault.detail) };
    let package = match package {
        Ok(package) => package,
        Err(fault) => return unread(fault),
    };
    if !package.owner.lists_deleted {
        let detail = "GitHub lists deleted versions of a user's package to that user alone; use that user's token";
        return unread(Fault::new(Cause::Denied, detail));
    }
    let (mut kept, versions) = (Vec::new(), package.versions());
    let take = |rows: Vec<VersionRow>| {
        for row in rows {
            let Ok(digest) = row.name.parse::<Digest>() else { continue };
            let path = format!("/{versions}/{}/restore", row.id).into();
            let by = Undelete::GitHub { server: owners.api.server(), path };
            kept.push(DeletedManifest { digest, deleted: time(row.deleted_at.as_deref()), by });
        }
        match kept.len() > MOST_DELETED {
            true => Err(Fault::refused(format!("there are more than {MOST_DELETED} deleted versions"))),
            false => Ok(()),
        }
    };
    let end = owners.api.list(&versions, &[("state", "deleted")], take).await.err();
    DeletedVersions { kept, unread: end.map(|fault| fault.detail) }
}
