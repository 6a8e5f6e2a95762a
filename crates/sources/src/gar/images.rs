//! The versions of an image. The API lists a whole repository of Artifact Registry, of which an image is a part: so a list that is
//! small is kept for the images that are looked at next, and of a large one each image takes its own part.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use super::api::Api;
use super::documents::{ImageDocument, ImagePage, Row};
use super::place::{Place, Shelf};
use crate::{Reservation, outgrown};
use prodpin_net::http::fault::Fault;

/// Lists that are kept at once, each of at most so many versions, for at most so long: some 20 MB, and never older than a run
/// takes for the images of one repository (I20).
const MOST_LISTS: usize = 4;
const MOST_KEPT: usize = 20_000;
const LONGEST_KEPT: Duration = Duration::from_secs(300);

/// More than this is no image but an attempt to fill memory (I20).
const MOST_ROWS: usize = 2_000_000;

/// What one version costs while its image is looked at: here, and in what policies are simulated on.
const ROW_COST: usize = 700;

/// Lists that were read.
#[derive(Debug, Default)]
pub(super) struct Images(Mutex<Vec<Kept>>);

#[derive(Debug, Clone)]
struct Kept {
    shelf: Shelf,
    since: Instant,
    /// Images whose versions were taken from it: whoever looks at one again wants to see what it is by now.
    taken: BTreeSet<Box<str>>,
    list: Arc<OnceCell<Result<List, Fault>>>,
}

/// The images of one repository.
#[derive(Debug, Clone)]
enum List {
    /// By their path.
    All(Arc<BTreeMap<Box<str>, Vec<Row>>>),
    /// More versions than are kept.
    TooLong,
}

impl Images {
    /// Every version of an image, as they were listed for it or, a while ago, for one beside it.
    pub(super) async fn of(&self, api: &Api, place: &Place, memory: &Reservation) -> Result<Vec<Row>, Fault> {
        match self.list(api, &place.shelf, Some(&*place.package)).await? {
            List::TooLong => anew(api, place, memory).await,
            List::All(packages) => {
                let rows = packages.get(&place.package).map_or(&[][..], Vec::as_slice);
                room(memory, rows.len(), rows.len())?;
                Ok(rows.to_vec())
            }
        }
    }

    /// The path of every image of a repository.
    pub(super) async fn paths(&self, api: &Api, shelf: &Shelf) -> Result<BTreeSet<Box<str>>, Fault> {
        if let List::All(packages) = self.list(api, shelf, None).await? {
            return Ok(packages.keys().cloned().collect());
        }
        let mut paths = BTreeSet::new();
        let each = |package: Box<str>, _: Row| {
            paths.insert(package);
            match paths.len() > MOST_ROWS {
                true => Err(Fault::refused(outgrown(paths.len(), "images").detail)),
                false => Ok(()),
            }
        };
        walk(api, shelf, each).await?;
        Ok(paths)
    }

    async fn list(&self, api: &Api, shelf: &Shelf, package: Option<&str>) -> Result<List, Fault> {
        let list = self.kept(shelf, package);
        list.get_or_init(|| read(api, shelf)).await.clone()
    }

    fn kept(&self, shelf: &Shelf, package: Option<&str>) -> Arc<OnceCell<Result<List, Fault>>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was_taken = |one: &Kept| package.is_some_and(|package| one.taken.contains(package));
        kept.retain(|one| one.since.elapsed() < LONGEST_KEPT && !(one.shelf == *shelf && was_taken(one)));
        if !kept.iter().any(|one| one.shelf == *shelf) {
            if kept.len() >= MOST_LISTS {
                kept.remove(0);
            }
            let (taken, list) = (BTreeSet::new(), Arc::default());
            kept.push(Kept { shelf: shelf.clone(), since: Instant::now(), taken, list });
        }
        let found = kept.iter_mut().find(|one| one.shelf == *shelf);
        found.map_or_else(Arc::default, |one| {
            one.taken.extend(package.map(Box::from));
            Arc::clone(&one.list)
        })
    }
}

/// A whole list, as far as it is kept.
async fn read(api: &Api, shelf: &Shelf) -> Result<List, Fault> {
    let (mut packages, mut count): (BTreeMap<Box<str>, Vec<Row>>, usize) = (BTreeMap::new(), 0);
    let walked = walk(api, shelf, |package, row| {
        count += 1;
        if count > MOST_KEPT {
            // It ends here, and whoever needs more reads for themselves.
            return Err(Fault::refused("more than is kept"));
        }
        packages.entry(package).or_default().push(row);
        Ok(())
    });
    match walked.await {
        Err(_) if count > MOST_KEPT => Ok(List::TooLong),
        Err(fault) => Err(fault),
        Ok(()) => Ok(List::All(Arc::new(packages))),
    }
}

/// Every version of an image, read now.
pub(super) async fn anew(api: &Api, place: &Place, memory: &Reservation) -> Result<Vec<Row>, Fault> {
    let mut rows = Vec::new();
    walk(api, &place.shelf, |package, row| {
        if package == place.package {
            room(memory, 1, rows.len() + 1)?;
            rows.push(row);
        }
        Ok(())
    })
    .await?;
    Ok(rows)
}

fn room(memory: &Reservation, more: usize, count: usize) -> Result<(), Fault> {
    match memory.take(more * ROW_COST).is_ok() && count <= MOST_ROWS {
        true => Ok(()),
        false => Err(Fault::refused(outgrown(count, "versions").detail)),
    }
}

async fn walk(
    api: &Api,
    shelf: &Shelf,
    mut each: impl FnMut(Box<str>, Row) -> Result<(), Fault> + Send,
) -> Result<(), Fault> {
    let path = format!("v1/{}/dockerImages", shelf.name());
    let take = |rows: Vec<ImageDocument>| {
        rows.into_iter().try_for_each(|row| {
            let read = row.read(&shelf.repository);
            let (package, row) =
                read.map_err(|wrong| Fault::malformed(format!("{}: it lists {wrong}", api.what(&path))))?;
            each(package, row)
        })
    };
    api.list::<ImagePage>(&path, take).await
}
