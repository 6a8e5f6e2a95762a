//! The versions of an image. The API lists a whole repository of Artifact Registry, of which an image is a part: so a list that is
//! small is kept for the images that are looked at next, and of a large one each image takes its own part.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use super::api::Api;
use super::documents::{ImageDocument, ImagePage, Row, Wrong};
use super::place::{Place, Shelf};
use crate::{Reservation, outgrown};
use prodpin_core::model::Digest;
use prodpin_net::http::fault::Fault;

/// Lists that are kept at once, each of at most so many bytes, for at most so long: never older than a run takes for the images of
/// one repository (I20).
const MOST_LISTS: usize = 4;
const MOST_KEPT: usize = 8 << 20;
const LONGEST_KEPT: Duration = Duration::from_secs(300);

/// More than this is no image but an attempt to fill memory (I20).
const MOST_ROWS: usize = 2_000_000;

/// The paths of one repository may take so many bytes (I20).
const MOST_PATHS: u64 = 256 << 20;

/// What one version costs while its image is looked at: here, and in what policies are simulated on. What it lists comes on top.
const ROW_COST: usize = 700;

/// What keeping a name or a digest costs beside what it is.
const KEPT_COST: usize = 64;

/// Lists that were read.
#[derive(Debug, Default)]
pub(super) struct Images(Mutex<Vec<Kept>>);

#[derive(Debug, Clone)]
struct Kept {
    shelf: Shelf,
    since: Instant,
    /// Images whose versions were taken from it: whoever looks at one again wants to see what it is by now.
    taken: BTreeSet<Box<str>>,
    /// Nothing where it could not be read: whoever asks next reads it again.
    list: Arc<OnceCell<List>>,
}

/// The versions of an image, or what is wrong with one of them.
type Rows = Result<Vec<Row>, Wrong>;

/// The images of one repository.
#[derive(Debug, Clone)]
enum List {
    /// By their path.
    All(Arc<BTreeMap<Box<str>, Rows>>),
    /// More than is kept.
    TooLong,
}

impl Row {
    /// The bytes that it takes while its image is looked at.
    fn cost(&self) -> usize {
        ROW_COST + self.children.len() * (size_of::<Digest>() + KEPT_COST)
    }
}

impl Images {
    /// Every version of an image, as they were listed for it or, a while ago, for one beside it.
    pub(super) async fn of(&self, api: &Api, place: &Place, memory: &Reservation) -> Result<Vec<Row>, Fault> {
        match self.list(api, &place.shelf, Some(&*place.package)).await? {
            List::TooLong => anew(api, place, memory).await,
            List::All(packages) => {
                let Some(rows) = packages.get(&place.package) else { return Ok(Vec::new()) };
                let rows = rows.as_ref().map_err(|wrong| odd(api, &place.shelf, wrong))?;
                room(memory, rows.iter().map(Row::cost).sum(), rows.len())?;
                Ok(rows.clone())
            }
        }
    }

    /// The path of every image of a repository.
    pub(super) async fn paths(&self, api: &Api, shelf: &Shelf) -> Result<BTreeSet<Box<str>>, Fault> {
        if let List::All(packages) = self.list(api, shelf, None).await? {
            return Ok(packages.keys().cloned().collect());
        }
        let (mut paths, memory) = (BTreeSet::new(), Reservation::with_limit(MOST_PATHS));
        let each = |package: Box<str>, _: Result<Row, Wrong>| {
            if !paths.contains(&package) {
                room(&memory, package.len() + KEPT_COST, paths.len())?;
                paths.insert(package);
            }
            Ok(())
        };
        walk(api, shelf, each).await?;
        Ok(paths)
    }

    /// A fault is the answer to whoever met it, and to nobody after.
    async fn list(&self, api: &Api, shelf: &Shelf, package: Option<&str>) -> Result<List, Fault> {
        let list = self.kept(shelf, package);
        list.get_or_try_init(|| read(api, shelf)).await.cloned()
    }

    fn kept(&self, shelf: &Shelf, package: Option<&str>) -> Arc<OnceCell<List>> {
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
    let (mut packages, mut bytes): (BTreeMap<Box<str>, Rows>, usize) = (BTreeMap::new(), 0);
    let walked = walk(api, shelf, |package, row| {
        let of_row = row.as_ref().map_or(0, |row| size_of::<Row>() + row.cost() - ROW_COST);
        bytes += of_row + KEPT_COST + package.len();
        if bytes > MOST_KEPT {
            // It ends here, and whoever needs more reads for themselves.
            return Err(Fault::refused("more than is kept"));
        }
        let rows = packages.entry(package).or_insert_with(|| Ok(Vec::new()));
        match (&mut *rows, row) {
            (Ok(rows), Ok(row)) => rows.push(row),
            (Ok(_), Err(wrong)) => *rows = Err(wrong),
            (Err(_), _) => {}
        }
        Ok(())
    });
    match walked.await {
        Err(_) if bytes > MOST_KEPT => Ok(List::TooLong),
        Err(fault) => Err(fault),
        Ok(()) => Ok(List::All(Arc::new(packages))),
    }
}

/// Every version of an image, read now.
pub(super) async fn anew(api: &Api, place: &Place, memory: &Reservation) -> Result<Vec<Row>, Fault> {
    let mut rows = Vec::new();
    walk(api, &place.shelf, |package, row| {
        if package == place.package {
            let row = row.map_err(|wrong| odd(api, &place.shelf, wrong))?;
            room(memory, row.cost(), rows.len() + 1)?;
            rows.push(row);
        }
        Ok(())
    })
    .await?;
    Ok(rows)
}

/// Counts what is about to be kept.
pub(super) fn room(memory: &Reservation, bytes: usize, count: usize) -> Result<(), Fault> {
    match memory.take(bytes).is_ok() && count <= MOST_ROWS {
        true => Ok(()),
        false => Err(Fault::refused(outgrown(count, "versions").detail)),
    }
}

fn path_of(shelf: &Shelf) -> String {
    format!("v1/{}/dockerImages", shelf.name())
}

fn odd(api: &Api, shelf: &Shelf, wrong: Wrong) -> Fault {
    Fault::malformed(format!("{}: it lists {wrong}", api.what(&path_of(shelf))))
}

async fn walk(
    api: &Api,
    shelf: &Shelf,
    mut each: impl FnMut(Box<str>, Result<Row, Wrong>) -> Result<(), Fault> + Send,
) -> Result<(), Fault> {
    let take = |rows: Vec<ImageDocument>| {
        rows.into_iter().try_for_each(|row| {
            let (package, row) = row.read(&shelf.repository).map_err(|wrong| odd(api, shelf, wrong))?;
            each(package, row)
        })
    };
    api.list::<ImagePage>(&path_of(shelf), take).await
}
