//! One repository for the simulator: every row of its tags, its state, and the policies that may prune it. What Quay's list and
//! `/v2` do not say alike is no ground for anything.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::api::Place;
use super::documents::{Page, TagRow, View};
use super::estate::Estate;
use crate::{Reservation, outgrown};
use prodpin_core::model::{
    Cause, Gap, QuayPolicies, QuayRepository, QuayRow, RepositoryName, Resolution, Scope, Snapshot, Tag,
};
use prodpin_net::http::fault::Fault;

/// A list of more pages than this has no end.
const MOST_PAGES: usize = 20_000;

/// What a row takes, with what rules make of it.
const ROW_COST: usize = 512;

/// What was read, and what could not be.
pub(super) struct Facts {
    pub(super) repository: QuayRepository,
    pub(super) gaps: Vec<Gap>,
}

/// Reads what the simulator needs beside the tags that `/v2` listed.
pub(super) async fn read(estate: &Estate, name: &RepositoryName, memory: &Reservation, snapshot: &Snapshot) -> Facts {
    let unknown = || QuayPolicies::Unknown { detail: "what prunes this repository could not be read".to_owned() };
    let mut repository = QuayRepository {
        address: estate.address.clone(),
        namespace: "".into(),
        name: name.as_str().into(),
        rows: Vec::new(),
        unlisted: Vec::new(),
        server: estate.server().await.as_ref().ok().cloned(),
        of_namespace: unknown(),
        own: unknown(),
        is_normal: None,
        time_machine: None,
        locks_pins: false,
    };
    let Some(place) = Place::of(name) else {
        let detail = format!("{:?} is no repository of Quay's: each has its organization in front", name.as_str());
        return Facts { repository, gaps: vec![Gap::new(Scope::Repository, Cause::Malformed, detail)] };
    };
    let (namespace, short) = (place.namespace.clone(), place.name.clone());
    (repository.namespace, repository.name) = (namespace, short);
    repository.locks_pins = repository.server.as_ref().is_some_and(|server| server.immutable_tags);
    // A repository that is not there has said so already.
    if snapshot.gaps.iter().any(|gap| gap.scope == Scope::Repository && gap.cause == Cause::NotFound) {
        return Facts { repository, gaps: Vec::new() };
    }
    let path = place.path();
    let (listed, view) = tokio::join!(list(estate, &place, memory), estate.api.document::<View>(&path, None));
    let mut gaps = Vec::new();
    match listed {
        Ok(rows) => take(&mut repository, rows, snapshot, &mut gaps),
        Err(gap) => {
            repository.unlisted = snapshot.tags.iter().map(|tag| tag.name.clone()).collect();
            gaps.push(gap);
        }
    }
    match view {
        Ok(view) => {
            repository.is_normal = Some(&*view.state == "NORMAL");
            repository.time_machine = view.tag_expiration_s;
            if estate.prunes().await {
                let of_namespace = estate.of_namespace(&place.namespace, view.is_organization);
                (repository.of_namespace, repository.own) = tokio::join!(of_namespace, estate.own(&place));
            }
        }
        Err(fault) => gaps.push(fault.gap(Scope::Setting)),
    }
    let server_is_read = repository.server.is_some();
    for policies in [&repository.of_namespace, &repository.own] {
        if let (QuayPolicies::Unknown { detail }, true, true) =
            (policies, server_is_read, repository.is_normal.is_some())
            && estate.prunes().await
        {
            gaps.push(Gap::new(Scope::Setting, Cause::Denied, detail.clone()));
        }
    }
    Facts { repository, gaps }
}

/// Every row, also of the past, as Quay orders them: what began last comes first.
async fn list(estate: &Estate, place: &Place, memory: &Reservation) -> Result<Vec<TagRow>, Gap> {
    let path = format!("{}/tag/", place.path());
    let (mut rows, mut seen): (Vec<TagRow>, HashSet<String>) = (Vec::new(), HashSet::new());
    for number in 1..=MOST_PAGES {
        let query = format!("limit=100&page={number}");
        let page: Page = estate.api.document(&path, Some(&query)).await.map_err(|fault| fault.gap(Scope::Setting))?;
        if memory.take(page.tags.len() * ROW_COST).is_err() {
            return Err(outgrown(rows.len(), "tags with their history"));
        }
        let before = seen.len();
        for row in page.tags {
            // A push meanwhile moves rows to the next page.
            if seen.insert(format!("{row:?}")) {
                rows.push(row);
            }
        }
        if !page.has_additional {
            return Ok(rows);
        }
        if seen.len() == before {
            break;
        }
    }
    let detail = format!("GET {path} at {}: a list without end", estate.api.host());
    Err(Fault::malformed(detail).gap(Scope::Setting))
}

/// Takes the rows in, and notes the tags of which they do not say what `/v2` says.
fn take(repository: &mut QuayRepository, rows: Vec<TagRow>, snapshot: &Snapshot, gaps: &mut Vec<Gap>) {
    let mut odd = 0_usize;
    for row in rows {
        match row.read() {
            Ok(row) => repository.rows.push(row),
            Err(_) => odd += 1,
        }
    }
    repository.rows.sort_by(|a, b| b.start.cmp(&a.start));
    if odd > 0 {
        let detail = format!("{odd} rows of Quay's list of tags cannot be read");
        // What they would count is not known.
        gaps.push(Gap::new(Scope::Repository, Cause::Malformed, detail));
    }
    let now = Timestamp::now();
    let alive = repository.rows.iter().filter(|row| row.is_alive(now));
    let alive: HashMap<&Tag, &QuayRow> = alive.map(|row| (&row.name, row)).collect();
    let differs = |tag: &&prodpin_core::model::ObservedTag| match (&tag.target, alive.get(&tag.name)) {
        (Resolution::Artifact(artifact), Some(row)) => artifact.digest() != Some(&row.digest),
        (Resolution::Artifact(_) | Resolution::Unknown, None) => true,
        (Resolution::Unknown, Some(_)) | (Resolution::NotFound, _) => false,
    };
    let unlisted: Vec<Tag> = snapshot.tags.iter().filter(differs).map(|tag| tag.name.clone()).collect();
    repository.unlisted = unlisted;
}
