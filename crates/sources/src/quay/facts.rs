//! One repository for the simulator: every row of its tags, its state, and the policies that may prune it. What Quay's list and
//! `/v2` do not say alike is no ground for anything.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::api::Place;
use super::documents::{Page, TagRow, View};
use super::estate::Estate;
use crate::oci::{Told, ToldTag};
use crate::{Reservation, outgrown};
use prodpin_core::model::{
    Cause, Gap, ObservedTag, QuayCache, QuayPolicies, QuayPolicy, QuayRepository, QuayRow, RepositoryName, Resolution,
    Scope, Snapshot, Tag,
};
use prodpin_net::http::fault::Fault;

/// A list of more pages than this has no end.
const MOST_PAGES: usize = 20_000;

/// What a row takes, with what policies make of it.
const ROW_COST: usize = 768 + Told::COST;

/// The rows of a repository's tags, those of the past among them.
pub(super) struct Rows {
    rows: Vec<TagRow>,
    /// When they were read, by the server's clock where it tells one.
    read: Timestamp,
}

/// Every row as Quay orders them: what began last comes first.
pub(super) async fn list(estate: &Estate, place: &Place, memory: &Reservation) -> Result<Rows, Fault> {
    let (path, longest) = (format!("{}/tag/", place.path()), estate.api.longest_list());
    let late = || {
        let (host, seconds) = (estate.api.host(), longest.as_secs());
        Fault::new(Cause::TimedOut, format!("GET {path} at {host}: the list did not end within {seconds} s"))
    };
    tokio::time::timeout(longest, walk(estate, &path, memory)).await.unwrap_or_else(|_| Err(late()))
}

async fn walk(estate: &Estate, path: &str, memory: &Reservation) -> Result<Rows, Fault> {
    let (mut rows, mut seen): (Vec<TagRow>, HashSet<String>) = (Vec::new(), HashSet::new());
    for number in 1..=MOST_PAGES {
        let query = format!("limit=100&page={number}");
        let (page, read): (Page, _) = estate.api.dated(path, &query).await?;
        let taken: usize = page.tags.iter().map(|row| ROW_COST + row.bytes()).sum();
        if memory.take(taken).is_err() {
            return Err(Fault::refused(outgrown(rows.len(), "tags with their history").detail));
        }
        let before = seen.len();
        for row in page.tags {
            // A push meanwhile moves rows to the next page.
            if seen.insert(row.key()) {
                rows.push(row);
            }
        }
        if !page.has_additional {
            return Ok(Rows { rows, read });
        }
        if seen.len() == before {
            break;
        }
    }
    Err(Fault::malformed(format!("GET {path} at {}: a list without end", estate.api.host())))
}

impl Rows {
    /// What they tell of the tags, so that the registry need not be asked for each.
    pub(super) fn told(&self) -> Told {
        let mut told = Told::default();
        for row in self.rows.iter().filter_map(|row| row.read().ok()) {
            if row.end.is_none_or(|end| end > self.read) {
                told.take(row.name, ToldTag { digest: row.digest, pushed: Some(row.start) });
            }
        }
        told
    }
}

/// What the simulator needs, as far as it could be read. What could not be is told among the snapshot's gaps.
pub(super) async fn complete(
    estate: &Estate,
    (name, place): (&RepositoryName, &Place),
    rows: Result<Rows, Fault>,
    snapshot: &mut Snapshot,
) -> QuayRepository {
    let mut repository = unread(estate, name, Some(place)).await;
    // A repository that is not there has said so already.
    if snapshot.gaps.iter().any(|gap| gap.scope == Scope::Repository && gap.cause == Cause::NotFound) {
        return repository;
    }
    match rows {
        Ok(rows) => take(&mut repository, rows, snapshot),
        Err(fault) => {
            repository.disputed = snapshot.tags.iter().map(|tag| tag.name.clone()).collect();
            snapshot.gaps.push(fault.gap(Scope::Setting));
        }
    }
    match estate.view(place).await {
        Ok(view) => take_policies(estate, place, view, &mut repository, snapshot).await,
        Err(fault) => snapshot.gaps.push(fault.gap(Scope::Setting)),
    }
    repository
}

/// A repository of which nothing could be read but its name.
pub(super) async fn unread(estate: &Estate, name: &RepositoryName, place: Option<&Place>) -> QuayRepository {
    let unknown = || QuayPolicies::Unknown { detail: "what prunes this repository could not be read".to_owned() };
    let server = estate.server().await.as_ref().ok().cloned();
    QuayRepository {
        address: estate.address.clone(),
        namespace: place.map_or_else(|| "".into(), |place| place.namespace.clone()),
        name: place.map_or_else(|| name.as_str().into(), |place| place.name.clone()),
        rows: Vec::new(),
        read: Timestamp::now(),
        disputed: Vec::new(),
        locks_pins: server.as_ref().is_some_and(|server| server.immutable_tags),
        server,
        of_namespace: unknown(),
        own: unknown(),
        state: None,
        immutability: Vec::new(),
        cache: QuayCache::Unknown { detail: "it could not be asked for".to_owned() },
        time_machine: None,
    }
}

async fn take_policies(
    estate: &Estate,
    place: &Place,
    view: View,
    repository: &mut QuayRepository,
    snapshot: &mut Snapshot,
) {
    repository.state = Some(view.state());
    repository.time_machine = view.tag_expiration_s;
    repository.cache = match estate.cache(&place.namespace, view.is_organization).await {
        Ok(cache) => cache,
        Err(fault) => {
            let detail = fault.detail.clone();
            snapshot.gaps.push(fault.gap(Scope::Setting));
            QuayCache::Unknown { detail }
        }
    };
    // Where the feature is off the calls for policies are not there.
    if !estate.prunes().await {
        return;
    }
    let of_namespace = estate.of_namespace(&place.namespace, view.is_organization);
    let (of_namespace, own) = tokio::join!(of_namespace, estate.own(place));
    let mut known = |read: Result<Vec<QuayPolicy>, Fault>| match read {
        Ok(policies) => QuayPolicies::Known(policies),
        // What may not be read is unknown, and never none (K54b).
        Err(fault) => {
            let detail = fault.detail.clone();
            snapshot.gaps.push(fault.gap(Scope::Setting));
            QuayPolicies::Unknown { detail }
        }
    };
    (repository.of_namespace, repository.own) = (known(of_namespace), known(own));
    // What could not be read makes no pin immutable, so that each is judged as one that is not at first.
    if repository.locks_pins {
        repository.immutability = estate.immutability(place, view.is_organization).await.unwrap_or_default();
    }
}

/// Takes the rows in, and notes the tags of which they do not say what `/v2` says.
fn take(repository: &mut QuayRepository, Rows { rows, read }: Rows, snapshot: &mut Snapshot) {
    let listed = rows.len();
    repository.read = read;
    repository.rows = rows.into_iter().filter_map(|row| row.read().ok()).collect();
    let odd = listed - repository.rows.len();
    // Pages that were read one after the other; of one second Quay's own order stands.
    repository.rows.sort_by_key(|row| std::cmp::Reverse(row.start));
    if odd > 0 {
        // What they would count is not known.
        let detail = format!("{odd} rows of Quay's list of tags cannot be read");
        snapshot.gaps.push(Gap::new(Scope::Repository, Cause::Malformed, detail));
    }
    let living: HashMap<&Tag, &QuayRow> = repository.living(read).into_iter().map(|row| (&row.name, row)).collect();
    let differs = |tag: &&ObservedTag| match (&tag.target, living.get(&tag.name)) {
        (Resolution::Artifact(artifact), Some(row)) => artifact.digest() != Some(&row.digest),
        (Resolution::Artifact(_) | Resolution::Unknown, None) => true,
        (Resolution::Unknown, Some(_)) | (Resolution::NotFound, _) => false,
    };
    let mut disputed: Vec<Tag> = snapshot.tags.iter().filter(differs).map(|tag| tag.name.clone()).collect();
    let served: HashSet<&Tag> = snapshot.tags.iter().map(|tag| &tag.name).collect();
    disputed.extend(living.into_keys().filter(|name| !served.contains(name)).cloned());
    disputed.sort();
    repository.disputed = disputed;
}
