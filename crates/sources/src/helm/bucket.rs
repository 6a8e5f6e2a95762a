//! A chart repository in a bucket: `index.yaml` beside its archives, each of them an object version that can be held.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::archive::Archive;
use super::http::judge_content;
use super::index::{Entry, Index, Listed};
use super::key::key_of;
use super::left;
use super::shelf::{self, Shelf, Sorted};
use super::web::index_cap;
use crate::file::Files;
use crate::s3::charts::{Keys, NoObject};
use crate::s3::{S3Error, Tuning};
use crate::witness;
use crate::{Inventory, OpenOptions, PinLook, Protector, Reservation, Source};
use prodpin_core::model::{
    ArtifactId, ArtifactKind, Cause, Closure, DeployedReference, Gap, GapTally, Inspection, NamePatterns, ObservedTag,
    Obstacle, PinFailure, Presence, Reference, RepositoryKind, RepositoryName, Resolution, Scope, SettingFacts,
    Snapshot, SourceName, Tag,
};
use prodpin_net::http::answer::Sink as _;
use prodpin_policy::{HelmBucket, S3Config};

const ARCHIVE_CAP: i64 = 256 << 20;
/// An index older than this is read again.
const FRESH: Duration = Duration::from_secs(30);
/// Keys of one chart that are listed at once.
const LISTED_AT_ONCE: usize = 8;

/// Opens a chart repository in a bucket.
pub(super) async fn open(
    name: &SourceName,
    place: &HelmBucket,
    shelf: Shelf,
    options: &OpenOptions,
    tuning: Tuning,
) -> Result<Source, S3Error> {
    let keys = Keys::open(name, config(place), options, tuning).await?;
    let charts = Arc::new(BucketCharts { shelf, keys, place: place.clone(), index: Mutex::default() });
    let protector = options.write.then(|| Arc::clone(&charts) as Arc<dyn Protector>);
    Ok(Source { inventory: charts, protector, rehearsal: None })
}

/// The bucket as a source of objects is configured. No key is read by this layout: the index says which is which.
pub(super) fn config(place: &HelmBucket) -> S3Config {
    let layout = "{repository}/{version}";
    let HelmBucket { bucket, region, endpoint, path_style, owner, .. } = place.clone();
    let Ok(layout) = layout.parse() else { unreachable!("the layout above is one") };
    S3Config {
        bucket,
        layout,
        repositories: NamePatterns::none(),
        region,
        endpoint,
        path_style,
        owner,
        inventory: None,
    }
}

/// Both halves; the writing one is only handed out to a run that may write.
#[derive(Debug)]
pub(super) struct BucketCharts {
    shelf: Shelf,
    pub(super) keys: Keys,
    pub(super) place: HelmBucket,
    index: Mutex<Option<CachedBucketIndex>>,
}

/// The index as last read, or why it could not be.
#[derive(Debug)]
struct CachedBucketIndex {
    asked: Instant,
    outcome: Result<Arc<Index>, Gap>,
}

impl BucketCharts {
    pub(super) async fn index(&self) -> Result<Arc<Index>, Gap> {
        self.index_since(Instant::now().checked_sub(FRESH)).await
    }

    async fn index_since(&self, since: Option<Instant>) -> Result<Arc<Index>, Gap> {
        let mut held = self.index.lock().await;
        if let Some(CachedBucketIndex { asked, outcome }) = &*held
            && since.is_none_or(|since| *asked >= since)
        {
            return outcome.clone();
        }
        let asked = Instant::now();
        // Let go before the next one is read: two of them may be more than there is room for.
        *held = None;
        let outcome = self.read_index().await;
        *held = Some(CachedBucketIndex { asked, outcome: outcome.clone() });
        outcome
    }

    async fn read_index(&self) -> Result<Arc<Index>, Gap> {
        let gap = |cause, detail: String| Gap::new(Scope::Source, cause, format!("{}: {detail}", self.shelf.address));
        let Ok(key) = format!("{}index.yaml", self.place.prefix).parse::<Tag>() else {
            return Err(gap(Cause::Malformed, "the prefix is too long".to_owned()));
        };
        let mut bytes = Vec::new();
        let cap = i64::try_from(index_cap()).unwrap_or(i64::MAX);
        match self.keys.read(&key, None, cap, |slice| bytes.extend_from_slice(slice)).await {
            Ok(()) => {}
            Err(NoObject::NotFound) => {
                return Err(gap(Cause::NotFound, "index.yaml does not exist; check bucket and prefix".to_owned()));
            }
            Err(NoObject::TooLarge(size)) => {
                let detail = format!("index.yaml has {size} bytes, and no more than {cap} are read");
                return Err(gap(Cause::Malformed, detail));
            }
            Err(NoObject::Unknown(found)) => return Err(Gap { scope: Scope::Source, ..found }),
        }
        match tokio::task::spawn_blocking(move || Index::read(&bytes, index_cap())).await {
            Ok(Ok(index)) => Ok(Arc::new(index)),
            Ok(Err(reason)) => Err(gap(Cause::Malformed, format!("index.yaml: {reason}"))),
            Err(_) => Err(gap(Cause::Malformed, "index.yaml could not be read".to_owned())),
        }
    }

    /// One version with everything that its key has.
    async fn resolve(&self, version: &Tag, entry: &Entry) -> (ObservedTag, Vec<Gap>) {
        let plain = |target| ObservedTag { name: version.clone(), target, pushed: None, object: None };
        let scope = || Scope::Tag(version.clone());
        let key = match key_of(&self.place, entry.url.as_deref()) {
            Ok(key) => key,
            Err((cause, detail)) => return (plain(Resolution::Unknown), vec![Gap::new(scope(), cause, detail)]),
        };
        match self.keys.key(&key).await {
            // The index names what is not there: no archive, no version.
            Ok(None) => (plain(Resolution::NotFound), Vec::new()),
            Ok(Some(mut observed)) => {
                observed.name = version.clone();
                if let Some(object) = &mut observed.object {
                    object.label = version.as_str().into();
                }
                (observed, Vec::new())
            }
            Err(gaps) => {
                let gaps = gaps.into_iter().map(|gap| Gap { scope: scope(), ..gap }).collect();
                (plain(Resolution::Unknown), gaps)
            }
        }
    }

    /// Holds the bytes to what the index says of them: its digest, where they are what it is about, and chart and
    /// version in any case.
    async fn look_into(&self, chart: &RepositoryName, artifact: &ArtifactId, seen: &mut Inspection) {
        let ArtifactId::ObjectVersion { key, .. } = artifact else { return };
        let scope = || Scope::Artifact(artifact.clone());
        // Until the archive has been read to its end it is not known to be the chart that was released.
        let fetched = std::mem::replace(&mut seen.closure, Closure::Unknown);
        let index = match self.index().await {
            Ok(index) => index,
            Err(gap) => return seen.gaps.push(Gap { scope: scope(), ..gap }),
        };
        let known =
            index.charts.get(chart).into_iter().flat_map(|chart| &chart.versions).find_map(|(version, listed)| {
                let Listed::Archive(entry) = listed else { return None };
                (key_of(&self.place, entry.url.as_deref()).ok()? == *key).then_some((version, entry))
            });
        // An archive that the index does not name any more: its version is known to the ledger alone.
        let Some((version, entry)) = known else {
            seen.closure = fetched;
            return;
        };
        let mut archive = Archive::new();
        match self.keys.read(key, Some(artifact), ARCHIVE_CAP, |slice| archive.take(slice)).await {
            Ok(()) => {}
            // Whoever looked a moment ago has said so.
            Err(NoObject::NotFound) => return,
            Err(NoObject::TooLarge(size)) => {
                let detail = format!("the archive has {size} bytes, and no more than {ARCHIVE_CAP} are read");
                return seen.gaps.push(Gap::new(scope(), Cause::Malformed, detail));
            }
            Err(NoObject::Unknown(gap)) => return seen.gaps.push(gap),
        }
        let archive = archive.finish();
        if let Some(digest) = &entry.digest
            && archive.digest != *digest
        {
            let reported =
                format!("the index says {digest} for version {version}, and the archive hashes to {}", archive.digest);
            match self.keys.front(key).await {
                Ok(front) if front.as_ref() == Some(artifact) => {
                    seen.obstacles.push(Obstacle::WrongBytes { detail: reported });
                }
                // The index is about the version in front, which is another.
                Ok(_) => {}
                Err(gaps) => {
                    seen.obstacles
                        .push(Obstacle::Unproven { detail: format!("{reported}, if it is about this version") });
                    return seen.gaps.extend(gaps.into_iter().map(|gap| Gap { scope: scope(), ..gap }));
                }
            }
        }
        judge_content(chart, version, archive, seen);
        if fetched == Closure::Unknown {
            seen.closure = Closure::Unknown;
        }
    }
}

#[async_trait]
impl Inventory for BucketCharts {
    async fn settings(&self) -> (SettingFacts, Vec<Gap>) {
        self.keys.settings().await
    }

    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        shelf::stream(async {
            match self.index().await {
                Ok(index) => self.shelf.repositories(&index),
                Err(gap) => self.shelf.without_index(gap),
            }
        })
    }

    async fn observe(&self, repository: &RepositoryName) -> Snapshot {
        self.observe_within(repository, &Reservation::unlimited()).await
    }

    async fn observe_within(&self, repository: &RepositoryName, memory: &Reservation) -> Snapshot {
        let retention = self.keys.retention().await;
        let mut snapshot = Snapshot { kind: RepositoryKind::Charts, retention, ..Snapshot::default() };
        let index = self.index().await.map_err(|gap| Gap { scope: Scope::Repository, ..gap });
        let index = match index {
            Ok(index) => index,
            Err(gap) => {
                snapshot.gaps.push(gap);
                return snapshot;
            }
        };
        let chart = match self.shelf.chart(&index, repository) {
            Ok(chart) => chart,
            Err(gap) => {
                snapshot.gaps.push(gap);
                return snapshot;
            }
        };
        if let Err(gap) = shelf::reserve(chart, memory) {
            snapshot.gaps.push(gap);
            return snapshot;
        }
        let Sorted { good, bad, nameless } = Sorted::from_chart(chart);
        snapshot.gaps.extend(nameless);
        let mut unread = GapTally::default();
        for (version, gap) in bad {
            let target = Resolution::Unknown;
            snapshot.tags.push(ObservedTag { name: version, target, pushed: None, object: None });
            unread.push(gap);
        }
        let resolved = stream::iter(good)
            .map(|(version, entry)| async move { self.resolve(&version, &entry).await })
            .buffer_unordered(LISTED_AT_ONCE);
        let mut resolved = std::pin::pin!(resolved);
        while let Some((tag, gaps)) = resolved.next().await {
            snapshot.tags.push(tag);
            gaps.into_iter().for_each(|gap| unread.push(gap));
        }
        snapshot.gaps.extend(unread.finish());
        snapshot
    }

    async fn look_for_pin(&self, chart: &RepositoryName, _memory: &Reservation) -> PinLook {
        // Whether an archive is held shows without reading it.
        let snapshot = self.observe(chart).await;
        let (mut holds, asked) = witness::Holds::look(&snapshot);
        for artifact in asked {
            if let Some(found) = holds.note(self.keys.inspect(&artifact).await) {
                return found;
            }
        }
        holds.end()
    }

    async fn look_up(&self, repository: &RepositoryName, version: &Tag) -> (Resolution, Option<Gap>) {
        let scope = || Scope::Tag(version.clone());
        let index = match self.index_since(Some(Instant::now())).await {
            Ok(index) => index,
            Err(gap) => return (Resolution::Unknown, Some(Gap { scope: scope(), ..gap })),
        };
        let chart = index.charts.get(repository);
        match chart.and_then(|chart| chart.versions.get(version)) {
            Some(Listed::Archive(entry)) => {
                let (observed, gaps) = self.resolve(version, entry).await;
                (observed.target, gaps.into_iter().next())
            }
            Some(Listed::Invalid(reason)) => {
                let gap = Gap::new(scope(), Cause::Malformed, format!("version {version}: {reason}"));
                (Resolution::Unknown, Some(gap))
            }
            None => match chart.and_then(|chart| chart.nameless.first()) {
                Some(reason) => {
                    let detail = format!("version {version} is not in the index, where {reason}: it may be that one");
                    (Resolution::Unknown, Some(Gap::new(scope(), Cause::Malformed, detail)))
                }
                None => (Resolution::NotFound, None),
            },
        }
    }

    async fn is_left_out(&self, repository: &RepositoryName, version: &Tag) -> bool {
        let Ok(index) = self.index().await else { return false };
        for url in left::addresses(index.charts.get(repository), repository, version) {
            if let Ok(key) = key_of(&self.place, Some(&url))
                && let Ok(Some(observed)) = self.keys.key(&key).await
                && observed.target.artifact().is_some()
            {
                return true;
            }
        }
        false
    }

    async fn inspect(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Inspection {
        let mut seen = self.keys.inspect(artifact).await;
        seen.kind = Some(ArtifactKind::Chart);
        let archived = seen.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::Archived { .. }));
        // What lies in an archive class cannot be read, and that is said already.
        if seen.presence == Presence::Present && !archived {
            self.look_into(repository, artifact, &mut seen).await;
        }
        seen
    }

    async fn created(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<Timestamp> {
        let ArtifactId::ObjectVersion { key, .. } = artifact else { return None };
        let index = self.index().await.ok()?;
        index.charts.get(repository)?.versions.values().find_map(|listed| {
            let Listed::Archive(entry) = listed else { return None };
            (key_of(&self.place, entry.url.as_deref()).ok()? == *key).then_some(entry.created)?
        })
    }

    fn locate(&self, reference: &Reference) -> Option<(RepositoryName, DeployedReference)> {
        self.shelf.locate(reference)
    }

    fn selects(&self, repository: &RepositoryName) -> bool {
        self.shelf.patterns.matches(repository.as_str())
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }

    fn unmatched_patterns(&self) -> Vec<String> {
        self.shelf.unmatched()
    }
}

#[async_trait]
impl Protector for BucketCharts {
    async fn pin(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        let beneath = match artifact {
            ArtifactId::ObjectVersion { key, .. } => key.as_str().starts_with(&self.place.prefix),
            ArtifactId::Manifest(_) => false,
        };
        if !beneath {
            let detail = format!("{artifact} of chart {repository} is not beneath {}", self.shelf.address);
            return Err(PinFailure { cause: Cause::Refused, detail });
        }
        self.keys.pin(artifact).await
    }
}
