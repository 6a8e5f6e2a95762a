//! A repository's keys, versions and delete markers, merged into one snapshot.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{DeleteMarkerEntry, ObjectVersion as ListedVersion};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;

use prodpin_core::model::{
    ArtifactId, Cause, Content, DeleteMarker, Gap, ObjectFacts, ObjectVersion, ObservedTag, RepositoryName, Resolution,
    Retention, Scope, Snapshot, StorageClass, Tag,
};

use super::Bucket;
use super::failure::S3Failure;
use super::inventory::Inventory;
use super::listing::{LIST, Listing, Page, Query};
use super::version::{bare, identify};
use crate::{Reservation, outgrown};

/// Every key of the repository with all its versions (B58).
pub(super) async fn observe(bucket: &Bucket, repository: &RepositoryName, memory: &Reservation) -> Snapshot {
    let layout = &bucket.config.layout;
    let label = |key: &str| {
        layout.read(key).filter(|(found, _)| *found == repository.as_str()).map(|(_, version)| version.into())
    };
    let (fold, failure) = match bucket.inventory().await {
        None => read_in_parts(bucket, layout.repository_prefix(repository), label, memory).await,
        Some(inventory) => read_from(bucket, inventory, repository, label, memory).await,
    };
    let mut snapshot = fold.finish();
    snapshot.gaps.extend(failure.map(|failure| failure.gap(Scope::Repository, &bucket.label)));
    if let Some(Ok(inventory)) = bucket.inventory().await {
        snapshot.gaps.extend(inventory.staleness(bucket, Timestamp::now()));
        snapshot.made = Some(inventory.made);
    }
    snapshot.retention = Retention::Bucket(bucket.state().await.retention(bucket));
    snapshot
}

/// What an inventory knows of one repository.
async fn read_from<L: Fn(&str) -> Option<Box<str>>>(
    bucket: &Bucket,
    inventory: Result<&Inventory, &S3Failure>,
    repository: &RepositoryName,
    label: L,
    memory: &Reservation,
) -> (Fold<L>, Option<S3Failure>) {
    let mut fold = Fold::new(label);
    let rows = inventory.map_or(0, |inventory| inventory.rows(repository));
    if memory.take(rows.saturating_mul(VERSION_COST)).is_err() {
        fold.gaps.push(outgrown(0, "object versions"));
        return (fold, None);
    }
    let page = match inventory {
        Ok(inventory) => inventory.page(bucket, repository).await,
        Err(failure) => Err(failure.clone()),
    };
    let failure = match page {
        Ok(page) => fold.page(&page).err().map(|reason| S3Failure::new(Cause::Malformed, LIST, reason)),
        Err(failure) => Some(failure),
    };
    (fold, failure)
}

/// What one version takes while its repository is looked at: here, in its history, in the event that records it and in
/// the ledger's view of it.
const VERSION_COST: usize = 2_048;

/// Parts of one repository's listing that are read at once, as long as nobody else needs the room.
const PARTS: usize = 16;

/// How often a listing is split at most: a server that makes up keys without end makes up parts of them too.
const SPLITS: u32 = 256;

/// Pages after which a part that goes on is split: most repositories end before, and splitting costs calls.
const LONG: u32 = 4;

/// Reads a listing to its end, a long one in parts at once. Parts are distinguished by key, so that no key is in two.
async fn read_in_parts<L>(
    bucket: &Bucket,
    prefix: String,
    label: L,
    memory: &Reservation,
) -> (Fold<L>, Option<S3Failure>)
where
    L: Fn(&str) -> Option<Box<str>> + Clone,
{
    async fn next<'b, L>(
        mut part: Listing<'b>,
        fold: Fold<L>,
        pages: u32,
    ) -> (Listing<'b>, Fold<L>, u32, Option<Result<Page, S3Failure>>) {
        let page = part.next().await;
        (part, fold, pages, page)
    }
    let listing = Listing::new(bucket, Query::with_prefix(prefix, false, bucket.page_size));
    let mut reading = FuturesUnordered::from_iter([next(listing, Fold::new(label.clone()), 0)]);
    let (mut whole, mut failed, mut splits) = (Fold::new(label.clone()), None, 0);
    while let Some((mut part, mut fold, pages, page)) = reading.next().await {
        let entries = page.as_ref().and_then(|page| page.as_ref().ok()).map_or(0, Page::len);
        if memory.take(entries * VERSION_COST).is_err() {
            fold.blur_last();
            whole.absorb(fold);
            let read = whole.keys.values().map(|key| key.versions.len()).sum();
            whole.gaps.push(outgrown(read, "object versions"));
            break;
        }
        let failure = match page {
            None => {
                whole.absorb(fold);
                continue;
            }
            Some(Ok(page)) => fold.page(&page).err().map(|reason| S3Failure::new(Cause::Malformed, LIST, reason)),
            Some(Err(failure)) => Some(failure),
        };
        if let Some(failure) = failure {
            // The others are read to their end: what they tell is true, and less is unknown.
            fold.blur_last();
            whole.absorb(fold);
            failed.get_or_insert(failure);
            continue;
        }
        let is_long = pages + 1 >= LONG && reading.len() + 1 < PARTS && splits < SPLITS && bucket.budget.has_room();
        if is_long && let Some(rest) = part.split() {
            splits += 1;
            // A part that is new has shown nothing yet, and may be split as soon as it turns out to go on.
            reading.push(next(rest, Fold::new(label.clone()), LONG - 1));
        }
        reading.push(next(part, fold, pages + 1));
    }
    (whole, failed)
}

/// How much of one key's history is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Depth {
    /// What readers by key meet: the newest version, and a delete marker in front of it.
    Front,
    /// Everything down to this version, which is all that lifecycle rules judge it by (B70).
    Version(ArtifactId),
    /// Every version.
    Whole,
}

/// A key's front is in its first entries; a few more than one, for servers that miscount markers.
const FRONT_PAGE: i32 = 10;

/// One key alone; none where nothing of that name is listed. A key sorts before everything that starts with it, so its
/// own entries come first.
pub(super) async fn observe_key(bucket: &Bucket, key: &Tag, depth: Depth) -> Result<Option<ObservedTag>, Vec<Gap>> {
    let layout = &bucket.config.layout;
    let mut fold = Fold::new(|found| {
        (found == key.as_str()).then(|| layout.read(found).map_or_else(|| found.into(), |(_, version)| version.into()))
    });
    fold.only = Some((key.clone(), depth));
    if let Some(failure) = fold.read(bucket, key.as_str().to_owned()).await {
        return Err(vec![failure.gap(Scope::Tag(key.clone()), &bucket.label)]);
    }
    let mut snapshot = fold.finish();
    if snapshot.gaps.is_empty() { Ok(snapshot.tags.pop()) } else { Err(snapshot.gaps) }
}

/// The pages read so far.
struct Fold<L> {
    /// The label of a key that belongs here.
    label: L,
    /// The one key that is wanted, if it is one.
    only: Option<(Tag, Depth)>,
    keys: BTreeMap<Tag, Key>,
    gaps: Vec<Gap>,
    /// Keys that could not be read as text or are longer than S3 allows.
    unreadable: u64,
    last_version: Option<Tag>,
    /// Where the last page with entries ended: its last version's key and its last marker's.
    page_end: [Option<Tag>; 2],
}

struct Key {
    label: Box<str>,
    versions: Vec<ObjectVersion>,
    newest_version_is_latest: bool,
    markers: Vec<Marker>,
    /// What the key points at is unknown: its newest version could not be identified, and the next older one is not
    /// it; or the listing broke off before it had told the whole key.
    blurred: bool,
}

struct Marker {
    id: Arc<str>,
    is_latest: bool,
    modified: Option<Timestamp>,
}

impl<L: Fn(&str) -> Option<Box<str>>> Fold<L> {
    fn new(label: L) -> Self {
        Self {
            label,
            only: None,
            keys: BTreeMap::new(),
            gaps: Vec::new(),
            unreadable: 0,
            last_version: None,
            page_end: [None, None],
        }
    }

    /// Reads the listing to its end, or to where it broke.
    async fn read(&mut self, bucket: &Bucket, prefix: String) -> Option<S3Failure> {
        let wanted = match &self.only {
            Some((_, Depth::Front | Depth::Version(_))) => FRONT_PAGE,
            Some((_, Depth::Whole)) | None => bucket.page_size,
        };
        let page_size = wanted.min(bucket.page_size);
        let mut listing = Listing::new(bucket, Query::with_prefix(prefix, false, page_size));
        while let Some(page) = listing.next().await {
            let page = match page {
                Ok(page) => page,
                Err(failure) => return Some(failure),
            };
            if let Err(reason) = self.page(&page) {
                return Some(S3Failure::new(Cause::Malformed, LIST, reason));
            }
            if self.has_all_that_is_wanted(&page) {
                return None;
            }
        }
        None
    }

    /// Takes what another part of the same listing has read.
    fn absorb(&mut self, other: Self) {
        self.keys.extend(other.keys);
        self.gaps.extend(other.gaps);
        self.unreadable += other.unreadable;
    }

    fn page(&mut self, page: &Page) -> Result<(), &'static str> {
        let end = page.last_keys().map(|key| key.and_then(|key| key.parse().ok()));
        if end.iter().any(Option::is_some) {
            self.page_end = end;
        }
        for version in &page.versions {
            let Some(key) = self.key(page, version.key()) else { continue };
            self.version(key, version)?;
        }
        for marker in &page.markers {
            let Some(key) = self.key(page, marker.key()) else { continue };
            self.marker(key, marker);
        }
        Ok(())
    }

    /// After a listing broke off, the key it stopped in may have versions and markers that were not told: a marker
    /// alone would pass for a deletion (I4), and the oldest version told for the original. Which list a page ended in is not
    /// said, so both ends are doubted.
    fn blur_last(&mut self) {
        for tag in std::mem::take(&mut self.page_end).into_iter().flatten() {
            if let Some(key) = self.keys.get_mut(&tag) {
                key.blurred = true;
            }
        }
    }

    /// The key as a tag, if it belongs here; its place in the map is made.
    fn key(&mut self, page: &Page, key: Option<&str>) -> Option<Tag> {
        let Some(plain) = key.and_then(|key| page.plain(key)) else {
            self.unreadable += 1;
            return None;
        };
        if let Some((known, _)) = self.keys.get_key_value(&*plain) {
            return Some(known.clone());
        }
        let label = (self.label)(&plain)?;
        let Ok(tag) = plain.parse::<Tag>() else {
            self.unreadable += 1;
            return None;
        };
        self.keys.insert(
            tag.clone(),
            Key { label, versions: Vec::new(), newest_version_is_latest: false, markers: Vec::new(), blurred: false },
        );
        Some(tag)
    }

    /// Within a key S3 lists the newest first; a key that comes again after others is a listing that runs in circles.
    fn version(&mut self, tag: Tag, listed: &ListedVersion) -> Result<(), &'static str> {
        let Entry::Occupied(mut entry) = self.keys.entry(tag.clone()) else { return Ok(()) };
        let key = entry.get_mut();
        if self.last_version.as_ref() != Some(&tag) {
            if !key.versions.is_empty() {
                key.blurred = true;
                return Err("the listing came back to a key it had left");
            }
            self.last_version = Some(tag.clone());
        }
        let artifact = identify(&tag, listed.version_id(), listed.e_tag());
        let facts = artifact.zip(timestamp(listed.last_modified())).zip(listed.size().and_then(|s| s.try_into().ok()));
        let Some(((artifact, modified), size)) = facts else {
            key.blurred |= key.versions.is_empty();
            let detail = format!("key {tag:?}: a version was listed without an id, time or size that could be read");
            self.gaps.push(Gap::new(Scope::Tag(tag), Cause::Malformed, detail));
            return Ok(());
        };
        if key.versions.is_empty() {
            key.newest_version_is_latest = listed.is_latest() == Some(true);
        }
        let etag = bare(listed.e_tag().unwrap_or_default()).into();
        let class = listed.storage_class().map_or(StorageClass::STANDARD, |class| StorageClass::new(class.as_str()));
        key.versions.push(ObjectVersion { artifact, modified, content: Content { etag, size }, class });
        Ok(())
    }

    /// The newest comes first.
    fn marker(&mut self, tag: Tag, listed: &DeleteMarkerEntry) {
        if let Some(key) = self.keys.get_mut(&tag) {
            key.markers.push(Marker {
                id: listed.version_id().unwrap_or(super::version::NULL).into(),
                is_latest: listed.is_latest() == Some(true),
                modified: timestamp(listed.last_modified()),
            });
        }
    }

    fn has_all_that_is_wanted(&self, page: &Page) -> bool {
        let Some((only, depth)) = &self.only else { return false };
        let has_enough = self.keys.get(only).is_some_and(|key| match depth {
            Depth::Front => !key.versions.is_empty(),
            Depth::Version(artifact) => key.versions.iter().any(|version| version.artifact == *artifact),
            Depth::Whole => false,
        });
        if has_enough {
            return true;
        }
        page.last_keys().into_iter().flatten().any(|key| *key > *only.as_str())
    }

    fn finish(self) -> Snapshot {
        let mut gaps = self.gaps;
        if self.unreadable > 0 {
            let detail =
                format!("{} listed keys could not be read as text; look at the bucket's keys", self.unreadable);
            gaps.push(Gap::new(Scope::Repository, Cause::Malformed, detail));
        }
        Snapshot {
            tags: self.keys.into_iter().map(|(name, key)| key.finish(name)).collect(),
            gaps,
            ..Snapshot::default()
        }
    }
}

impl Key {
    fn finish(self, name: Tag) -> ObservedTag {
        let newest = self.versions.first();
        let target = match newest {
            _ if self.blurred => Resolution::Unknown,
            Some(version) => Resolution::Artifact(version.artifact.clone()),
            None => Resolution::NotFound,
        };
        // Of several markers only the newest can be in front.
        let front = self.markers.first().filter(|marker| self.is_hidden_by(marker));
        let hidden_by = front.map(|marker| marker.id.clone());
        let markers = self.markers.into_iter().map(|Marker { id, modified, .. }| DeleteMarker { id, modified });
        let markers = markers.collect();
        ObservedTag {
            name,
            target,
            pushed: newest.map(|version| Box::new(version.modified)),
            object: Some(Box::new(ObjectFacts { label: self.label, versions: self.versions, markers, hidden_by })),
        }
    }

    /// By `IsLatest`, and by time where a server does not say. Where both claim to be latest, hidden is the reading
    /// that makes someone look.
    fn is_hidden_by(&self, marker: &Marker) -> bool {
        let Some(version) = self.versions.first() else { return !self.blurred || marker.is_latest };
        let by_time = marker.modified.is_none_or(|marked| marked >= version.modified);
        marker.is_latest || (!self.newest_version_is_latest && by_time)
    }
}

/// S3's time as ours.
pub(super) fn timestamp(time: Option<&DateTime>) -> Option<Timestamp> {
    let time = time?;
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}
