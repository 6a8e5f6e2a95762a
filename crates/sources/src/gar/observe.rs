//! An image as a run looks at it: tags as the registry lists them, and every version with what decides how long it stays.

use std::collections::{BTreeMap, BTreeSet};

use super::documents::Row;
use super::place::Place;
use super::settings::Settings;
use super::{Gar, images};
use crate::Reservation;
use crate::oci::{Told, ToldTag, observe_told};
use prodpin_core::model::{
    Cause, Digest, Gap, GarImage, GarRepository, RepositoryName, Retention, Scope, Setting, Snapshot, Tag, TagTable,
};
use prodpin_net::http::fault::Fault;

/// The API first and the registry's list after it: what came in between is asked for.
pub(super) async fn observe(
    gar: &Gar,
    (repository, place): (&RepositoryName, &Place),
    memory: &Reservation,
    known: &TagTable,
) -> Snapshot {
    let settings = gar.settings(place).await;
    let listed = gar.images.of(&gar.api, place, memory).await;
    let told = listed.as_deref().map(told).unwrap_or_default();
    let mut snapshot = observe_told(&gar.registry, repository, memory, known, &told).await;
    drop(told);
    let is_gone = |gap: &Gap| gap.scope == Scope::Repository && gap.cause == Cause::NotFound;
    if snapshot.gaps.iter().any(is_gone) {
        return snapshot;
    }
    // A list that was kept for a while, or read before a push, has not all that tags name.
    let listed = match listed {
        Ok(rows) if lacks(&rows, &snapshot).is_some() => images::anew(&gar.api, place, memory).await,
        listed => listed,
    };
    let (rows, mut unread) = match listed {
        Ok(rows) => {
            let lacking = lacks(&rows, &snapshot).map(|tag| {
                Fault::malformed(format!(
                    "{}: what tag {tag} names is not in it; a page of it is lost, or it changes while it is read",
                    gar.api.what(&format!("v1/{}/dockerImages", place.shelf.name()))
                ))
            });
            (rows, lacking)
        }
        Err(fault) => (Vec::new(), Some(fault)),
    };
    let retention = retention(place, &settings, rows, unread.as_ref(), &snapshot);
    snapshot.retention = Retention::Gar(Box::new(retention));
    // Whoever may read neither is told once.
    let settings = settings.err();
    if settings.as_ref().is_some_and(|fault| fault.cause == Cause::Denied) {
        unread = unread.filter(|fault| fault.cause != Cause::Denied);
    }
    snapshot.gaps.extend(settings.into_iter().chain(unread).map(|fault| fault.gap(Scope::Setting)));
    snapshot
}

/// What the list tells of tags.
fn told(rows: &[Row]) -> Told {
    let mut told = Told::default();
    for row in rows {
        for tag in row.tags.iter().filter_map(|tag| tag.parse::<Tag>().ok()) {
            told.take(tag, ToldTag { digest: row.digest.clone(), pushed: Some(row.uploaded) });
        }
    }
    told
}

/// The first tag whose target is not in the list.
fn lacks(rows: &[Row], snapshot: &Snapshot) -> Option<Tag> {
    let listed: BTreeSet<&Digest> = rows.iter().map(|row| &row.digest).collect();
    let is_lacking = |digest: &Digest| !listed.contains(digest);
    let lacking =
        snapshot.tags.iter().find(|tag| tag.target.artifact().and_then(|it| it.digest()).is_some_and(is_lacking));
    lacking.map(|tag| tag.name.clone())
}

fn retention(
    place: &Place,
    settings: &Result<Settings, Fault>,
    rows: Vec<Row>,
    unread: Option<&Fault>,
    snapshot: &Snapshot,
) -> GarRepository {
    let mut images: BTreeMap<Digest, GarImage> = BTreeMap::new();
    for Row { digest, uploaded, children, .. } in rows {
        let image = GarImage { digest: digest.clone(), tags: Vec::new(), uploaded, children };
        images.entry(digest).or_insert(image);
    }
    // As the registry has them now; its list is later than the API's.
    for tag in &snapshot.tags {
        let Some(digest) = tag.target.artifact().and_then(|it| it.digest()) else { continue };
        if let Some(image) = images.get_mut(digest) {
            image.tags.push(tag.name.clone());
        }
    }
    let elsewhere = settings.as_ref().ok().and_then(|settings| settings.elsewhere.clone());
    GarRepository {
        place: place.shelf.name().into(),
        package: place.package.clone(),
        policies: match settings {
            Ok(Settings { elsewhere: None, policies, .. }) => policies.clone(),
            _ => Setting::Unknown,
        },
        on_trial: settings.as_ref().is_ok_and(|settings| settings.on_trial),
        immutable_tags: settings.as_ref().ok().map(|settings| settings.immutable_tags),
        cached_from: settings.as_ref().ok().and_then(|settings| settings.cached_from.clone()),
        images: images.into_values().collect(),
        unread: elsewhere.or_else(|| unread.map(|fault| fault.detail.as_str().into())),
    }
}
