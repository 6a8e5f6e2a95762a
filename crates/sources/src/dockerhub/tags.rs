//! What tags of a repository name, as Docker Hub's own interface tells it: no quota is spent by that, and when each was pushed is
//! told as well.

use serde::Deserialize;

use super::api::Api;
use crate::oci::{Told, ToldTag};
use crate::{Reservation, outgrown};
use prodpin_core::model::{Digest, RepositoryName, Tag};
use prodpin_net::http::fault::Fault;

/// More than this is no repository but an attempt to fill memory (I20).
const MOST_TAGS: usize = 5_000_000;

#[derive(Deserialize)]
struct TagRow {
    name: Box<str>,
    #[serde(default)]
    digest: Option<Box<str>>,
    #[serde(default)]
    tag_last_pushed: Option<Box<str>>,
}

/// Where a repository is.
pub(super) fn path_of(repository: &RepositoryName) -> Result<String, Fault> {
    let split = repository.as_str().split_once('/').filter(|(_, name)| repository.is_oci() && !name.contains('/'));
    let Some((namespace, name)) = split else {
        let detail =
            format!("{:?} is no repository of Docker Hub's: each has one namespace in front", repository.as_str());
        return Err(Fault::malformed(detail));
    };
    Ok(format!("v2/namespaces/{namespace}/repositories/{name}"))
}

/// What Docker Hub tells of the tags, and why that is not all. Whatever of it cannot be read is asked of the registry.
pub(super) async fn told(api: &Api, repository: &RepositoryName, memory: &Reservation) -> (Told, Option<Fault>) {
    let mut told = Told::default();
    let path = match path_of(repository) {
        Ok(path) => format!("{path}/tags"),
        Err(fault) => return (told, Some(fault)),
    };
    let mut read = 0;
    let take = |rows: Vec<TagRow>| {
        read += rows.len();
        let cost = rows.len() * Told::COST;
        for row in rows {
            let digest = row.digest.and_then(|digest| digest.parse::<Digest>().ok());
            let pushed = row.tag_last_pushed.and_then(|time| time.parse().ok());
            if let (Some(digest), Ok(tag)) = (digest, row.name.parse::<Tag>()) {
                told.take(tag, ToldTag { digest, pushed });
            }
        }
        match memory.take(cost).is_err() || read > MOST_TAGS {
            true => Err(Fault::refused(outgrown(read, "tags").detail)),
            false => Ok(()),
        }
    };
    let end = api.pages(&path, take).await.err().map(|fault| {
        let detail = format!(
            "{}; without it each tag is asked of the registry, and when it was pushed is unknown",
            fault.detail
        );
        Fault { detail, ..fault }
    });
    (told, end)
}
