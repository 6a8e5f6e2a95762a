//! An image as a run looks at it: tags as the registry lists them, and every version with what decides how long it stays. Lists of a
//! repository may be some minutes old; what tags name is asked for in each look.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::documents::Row;
use super::place::Place;
use super::settings::Settings;
use super::{Gar, images, package};
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
    let told = told(gar, place, listed.as_deref().unwrap_or_default(), memory).await;
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
            let lacking =
                lacks(&rows, &snapshot).map(|tag| lost(gar, place, &format!("what tag {tag} names is not in it")));
            (rows, lacking)
        }
        Err(fault) => (Vec::new(), Some(fault)),
    };
    let (rows, counted) = match counts(&settings) && unread.is_none() {
        true => counted(gar, place, rows, memory).await,
        false => (rows, Err(None)),
    };
    let mut retention = retention(place, &settings, rows, unread.as_ref(), &snapshot);
    retention.is_counted = counted.is_ok();
    let uncounted = counted.err().flatten();
    // Two lists that do not agree: which of them is whole is not known.
    let torn = uncounted.as_ref().filter(|fault| fault.cause == Cause::Malformed);
    retention.unread = retention.unread.or_else(|| torn.map(|fault| fault.detail.as_str().into()));
    unread = unread.or(uncounted);
    snapshot.retention = Retention::Gar(Box::new(retention));
    // Whoever may read neither is told once.
    let settings = settings.err();
    if settings.as_ref().is_some_and(|fault| fault.cause == Cause::Denied) {
        unread = unread.filter(|fault| fault.cause != Cause::Denied);
    }
    snapshot.gaps.extend(settings.into_iter().chain(unread).map(|fault| fault.gap(Scope::Setting)));
    snapshot
}

/// What the package tells of its tags now. Where it does not, the registry is asked for each.
async fn told(gar: &Gar, place: &Place, rows: &[Row], memory: &Reservation) -> Told {
    let mut told = Told::default();
    let uploads: BTreeMap<&Digest, Timestamp> = rows.iter().map(|row| (&row.digest, row.uploaded)).collect();
    for (tag, digest) in package::tags(&gar.api, place, memory).await.unwrap_or_default() {
        let pushed = uploads.get(&digest).copied();
        told.take(tag, ToldTag { digest, pushed });
    }
    told
}

/// Whether a policy counts versions.
fn counts(settings: &Result<Settings, Fault>) -> bool {
    let Ok(Settings { policies: Setting::Text(policies), on_trial: false, elsewhere: None, .. }) = settings else {
        return false;
    };
    policies.contains("mostRecentVersions")
}

/// The versions, held against the package's own list: a page that one of them lost, tags or not, is in the other.
async fn counted(
    gar: &Gar,
    place: &Place,
    rows: Vec<Row>,
    memory: &Reservation,
) -> (Vec<Row>, Result<(), Option<Fault>>) {
    let is_same = |rows: &[Row], own: &BTreeSet<Digest>| {
        rows.iter().map(|row| &row.digest).collect::<BTreeSet<_>>() == own.iter().collect()
    };
    match package::versions(&gar.api, place, memory).await {
        Err(fault) => return (rows, Err(Some(fault))),
        Ok(own) if is_same(&rows, &own) => return (rows, Ok(())),
        Ok(_) => {}
    }
    // The one may be older than the other.
    let anew = match images::anew(&gar.api, place, memory).await {
        Err(fault) => return (rows, Err(Some(fault))),
        Ok(anew) => anew,
    };
    match package::versions(&gar.api, place, memory).await {
        Err(fault) => (anew, Err(Some(fault))),
        Ok(own) if is_same(&anew, &own) => (anew, Ok(())),
        Ok(_) => {
            let fault = lost(gar, place, "its versions are not those that the image itself lists");
            (anew, Err(Some(fault)))
        }
    }
}

fn lost(gar: &Gar, place: &Place, what: &str) -> Fault {
    let list = gar.api.what(&format!("v1/{}/dockerImages", place.shelf.name()));
    Fault::malformed(format!("{list}: {what}; a page is lost, or it changes while it is read"))
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
    for Row { digest, uploaded, children } in rows {
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
        is_counted: false,
        unread: elsewhere.or_else(|| unread.map(|fault| fault.detail.as_str().into())),
    }
}
