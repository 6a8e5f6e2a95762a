//! A chart repository on a web server, as a run reads it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use jiff::Timestamp;

use super::archive::{ArchiveContents, NoChart};
use super::index::{Entry, Index, Listed};
use super::left;
use super::shelf::{self, Shelf, Sorted};
use super::web::{ChartMuseumAnswer, Lack, Web};
use crate::file::Files;
use crate::{Inventory, Reservation};
use prodpin_core::model::{
    ArtifactId, ArtifactKind, Cause, Closure, DeployedReference, Digest, Gap, GapTally, Inspection, ObservedTag,
    Obstacle, PinState, Presence, Reference, RepositoryKind, RepositoryName, Resolution, Scope, SettingFacts, Snapshot,
    Tag,
};
use prodpin_net::http::fault::Fault;

/// How many archives of one chart are hashed at once, where the index has no digests. The limiter has the last word.
const HASHED_AT_ONCE: usize = 8;

/// Of so many versions with the same bytes the archives are looked at, until one is as it should be.
const MOST_SAME: usize = 8;

/// The reading half; there is no other.
#[derive(Debug)]
pub(super) struct HttpCharts {
    pub(super) shelf: Shelf,
    pub(super) web: Web,
    /// What archives hashed to that the index has no digest for, by chart and URL.
    pub(super) hashed: Mutex<BTreeMap<(RepositoryName, Box<str>), Digest>>,
}

impl HttpCharts {
    /// What a version is: the digest that the index has, else that of the archive itself (F139).
    async fn resolve(&self, chart: &RepositoryName, version: &Tag, entry: &Entry) -> (Resolution, Option<Gap>) {
        if let Some(digest) = &entry.digest {
            return (Resolution::Artifact(digest.clone().into()), None);
        }
        let unknown = |fault: Fault| (Resolution::Unknown, Some(fault.gap(Scope::Tag(version.clone()))));
        match self.fetch(entry).await {
            Ok(seen) => {
                let mut hashed = self.hashed.lock().unwrap_or_else(PoisonError::into_inner);
                hashed.insert((chart.clone(), entry.url.clone().unwrap_or_default()), seen.digest.clone());
                (Resolution::Artifact(seen.digest.into()), None)
            }
            Err(Lack::NotFound(detail)) => {
                let detail = format!("{detail}, and the index has no digest for it; put the archive back");
                unknown(Fault::new(Cause::NotFound, detail))
            }
            Err(Lack::Unknown(fault)) => unknown(fault),
        }
    }

    async fn fetch(&self, entry: &Entry) -> Result<ArchiveContents, Lack> {
        let Some(url) = &entry.url else {
            let detail = "the index names no address for the archive, so that nobody can download it";
            return Err(Lack::Unknown(Fault::malformed(detail)));
        };
        let place = self.web.hosts.place(url).map_err(Lack::Unknown)?;
        self.web.archive(&place).await
    }

    /// The versions of a chart that have these bytes, going by the index. There may be several, and anybody who may write
    /// the index may add one.
    pub(super) fn entries_of<'i>(
        &self,
        index: &'i Index,
        chart: &RepositoryName,
        digest: &Digest,
    ) -> Vec<(&'i Tag, &'i Entry)> {
        let hashed = self.hashed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(chart_listed) = index.charts.get(chart) else { return Vec::new() };
        let same = chart_listed.versions.iter().filter_map(|(version, listed)| {
            let Listed::Archive(entry) = listed else { return None };
            let named = match (&entry.digest, &entry.url) {
                (Some(named), _) => Some(named),
                (None, Some(url)) => hashed.get(&(chart.clone(), url.clone())),
                (None, None) => None,
            };
            (named == Some(digest)).then_some((version, entry))
        });
        same.collect()
    }

    async fn look(&self, chart: &RepositoryName, digest: &Digest, seen: &mut Inspection) -> Result<(), Fault> {
        let index = self.web.index().await?;
        let same = self.entries_of(&index, chart, digest);
        if !same.is_empty() {
            return self.look_at_any(chart, &same, digest, seen).await;
        }
        // An index that was read a while ago proves no absence.
        let index = self.web.index_now().await?;
        let same = self.entries_of(&index, chart, digest);
        if !same.is_empty() {
            return self.look_at_any(chart, &same, digest, seen).await;
        }
        let Some(known) = index.charts.get(chart) else {
            return Err(Fault::new(Cause::NotFound, format!("the index does not name the chart {chart}")));
        };
        let unclear = known.versions.values().any(|listed| match listed {
            Listed::Archive(entry) => entry.digest.is_none(),
            Listed::Invalid(_) => true,
        });
        if unclear || !known.nameless.is_empty() {
            let detail = "the index names no archive with this digest, and has entries that cannot be told apart";
            return Err(Fault::malformed(detail));
        }
        seen.presence = Presence::NotFound;
        Ok(())
    }

    /// One entry that serves the bytes as they should be is enough; they are gone only if none has them.
    async fn look_at_any(
        &self,
        chart: &RepositoryName,
        same: &[(&Tag, &Entry)],
        digest: &Digest,
        seen: &mut Inspection,
    ) -> Result<(), Fault> {
        let mut reported: Option<(Inspection, Result<(), Fault>)> = None;
        for (version, entry) in same.iter().take(MOST_SAME) {
            let mut looked = seen.clone();
            let result = self.look_at(chart, version, entry, digest, &mut looked).await;
            let sound = result.is_ok() && looked.presence == Presence::Present && looked.obstacles == seen.obstacles;
            let is_gone = |looked: &Inspection| looked.presence == Presence::NotFound;
            if sound || reported.as_ref().is_none_or(|(first, _)| is_gone(first) && !is_gone(&looked)) {
                reported = Some((looked, result));
            }
            if sound {
                break;
            }
        }
        let Some((looked, result)) = reported else { return Ok(()) };
        if looked.presence == Presence::NotFound && same.len() > MOST_SAME {
            let detail = format!("{} versions have this digest, and the first {MOST_SAME} have no archive", same.len());
            return Err(Fault::malformed(detail));
        }
        *seen = looked;
        result
    }

    /// The archive of a version that no index names: at one of the addresses where it may be, if it has these bytes.
    async fn look_where_it_was(&self, chart: &RepositoryName, version: &Tag, digest: &Digest, seen: &mut Inspection) {
        let Ok(index) = self.web.index().await else { return };
        for url in left::addresses(index.charts.get(chart), chart, version) {
            let entry = Entry { digest: None, url: Some(url), created: None };
            // What is served at an address that was guessed may be anything: only the same bytes prove something.
            if let Ok(archive) = self.fetch(&entry).await
                && archive.digest == *digest
            {
                seen.presence = Presence::Present;
                judge_content(chart, version, archive, seen);
                return;
            }
        }
    }

    async fn look_at(
        &self,
        chart: &RepositoryName,
        version: &Tag,
        entry: &Entry,
        digest: &Digest,
        seen: &mut Inspection,
    ) -> Result<(), Fault> {
        seen.created = entry.created;
        match self.fetch(entry).await {
            Err(Lack::NotFound(_)) => seen.presence = Presence::NotFound,
            // It was answered: the archive is there, and not to be had.
            Err(Lack::Unknown(fault)) if fault.cause == Cause::Blocked => {
                seen.obstacles.push(Obstacle::NotPullable { detail: fault.detail });
            }
            Err(Lack::Unknown(fault)) => return Err(fault),
            Ok(archive) if archive.digest != *digest => {
                let detail = format!(
                    "the index says {digest} for version {version}, and the archive hashes to {}",
                    archive.digest
                );
                seen.obstacles.push(Obstacle::WrongBytes { detail: detail.clone() });
                return Err(Fault::malformed(detail));
            }
            Ok(archive) => {
                seen.presence = Presence::Present;
                judge_content(chart, version, archive, seen);
            }
        }
        Ok(())
    }
}

/// Bytes that hash as they should may still be another chart: Helm installs what is in the archive.
pub(super) fn judge_content(chart: &RepositoryName, version: &Tag, archive: ArchiveContents, seen: &mut Inspection) {
    match archive.chart {
        Ok(named) if named.name == chart.as_str() && named.version == version.as_str() => {
            seen.closure = Closure::Complete;
        }
        Ok(named) => {
            seen.closure = Closure::Complete;
            let detail = format!(
                "the index says {chart} {version}, and the archive is {:.80} {:.80}",
                named.name.escape_debug().to_string(),
                named.version.escape_debug().to_string()
            );
            seen.obstacles.push(Obstacle::WrongBytes { detail });
        }
        Err(NoChart::None(reason)) => {
            seen.closure = Closure::Complete;
            seen.obstacles.push(Obstacle::WrongBytes { detail: format!("the archive is no chart: {reason}") });
        }
        Err(NoChart::TooMuch(reason)) => {
            let detail = format!("the archive was not looked into to its end: {reason}");
            seen.gaps.push(Gap::new(Scope::Artifact(seen.artifact.clone()), Cause::Malformed, detail));
        }
    }
}

/// An inspection of a chart that says nothing yet.
pub(super) fn blank(artifact: ArtifactId, pin: PinState) -> Inspection {
    Inspection { kind: Some(ArtifactKind::Chart), pin, ..Inspection::unread(artifact) }
}

#[async_trait]
impl Inventory for HttpCharts {
    async fn settings(&self) -> (SettingFacts, Vec<Gap>) {
        (SettingFacts::Registry { recognised: None }, Vec::new())
    }

    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        shelf::stream(async {
            match self.web.index().await {
                Ok(index) => self.shelf.repositories(&index),
                Err(fault) => self.shelf.without_index(fault.gap(Scope::Source)),
            }
        })
    }

    async fn observe(&self, repository: &RepositoryName) -> Snapshot {
        self.observe_within(repository, &Reservation::unlimited()).await
    }

    async fn observe_within(&self, repository: &RepositoryName, memory: &Reservation) -> Snapshot {
        let mut snapshot = Snapshot { kind: RepositoryKind::Charts, ..Snapshot::default() };
        let index = match self.web.index().await {
            Ok(index) => index,
            Err(fault) => {
                snapshot.gaps.push(fault.gap(Scope::Repository));
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
            snapshot.tags.push(tag(&version, Resolution::Unknown));
            unread.push(gap);
        }
        let resolved = stream::iter(good)
            .map(|(version, entry)| async move {
                let resolved = self.resolve(repository, &version, &entry).await;
                (version, resolved)
            })
            .buffer_unordered(HASHED_AT_ONCE);
        let mut resolved = std::pin::pin!(resolved);
        while let Some((version, (target, gap))) = resolved.next().await {
            snapshot.tags.push(tag(&version, target));
            gap.into_iter().for_each(|gap| unread.push(gap));
        }
        snapshot.gaps.extend(unread.finish());
        snapshot
    }

    /// A list is all that there is: it is read anew, and a ChartMuseum is asked beside it.
    async fn look_up(&self, repository: &RepositoryName, version: &Tag) -> (Resolution, Option<Gap>) {
        let scope = || Scope::Tag(version.clone());
        let index = match self.web.index_now().await {
            Ok(index) => index,
            Err(fault) => return (Resolution::Unknown, Some(fault.gap(scope()))),
        };
        let chart = index.charts.get(repository);
        match chart.and_then(|chart| chart.versions.get(version)) {
            Some(Listed::Archive(entry)) => return self.resolve(repository, version, entry).await,
            Some(Listed::Invalid(reason)) => {
                let gap = Gap::new(scope(), Cause::Malformed, format!("version {version}: {reason}"));
                return (Resolution::Unknown, Some(gap));
            }
            None => {}
        }
        if let Some(reason) = chart.and_then(|chart| chart.nameless.first()) {
            let detail = format!("version {version} is not in the index, where {reason}: it may be that one");
            return (Resolution::Unknown, Some(Gap::new(scope(), Cause::Malformed, detail)));
        }
        match self.web.ask_museum(repository, version).await {
            Ok(ChartMuseumAnswer::HasNot | ChartMuseumAnswer::Nothing) => (Resolution::NotFound, None),
            Ok(ChartMuseumAnswer::Has(Some(digest))) => (Resolution::Artifact(digest.into()), None),
            Ok(ChartMuseumAnswer::Has(None)) => {
                let detail = format!("ChartMuseum has version {version}, which its index does not name; run again");
                (Resolution::Unknown, Some(Gap::new(scope(), Cause::Suspicious, detail)))
            }
            Err(fault) => (Resolution::Unknown, Some(fault.gap(scope()))),
        }
    }

    async fn is_left_out(&self, repository: &RepositoryName, version: &Tag) -> bool {
        let Ok(index) = self.web.index().await else { return false };
        for url in left::addresses(index.charts.get(repository), repository, version) {
            if let Ok(place) = self.web.hosts.place(&url)
                && self.web.serves(&place).await
            {
                return true;
            }
        }
        false
    }

    async fn inspect_left_out(&self, repository: &RepositoryName, artifact: &ArtifactId, version: &Tag) -> Inspection {
        let mut seen = self.inspect(repository, artifact).await;
        if seen.presence == Presence::NotFound
            && let Some(digest) = artifact.digest()
        {
            self.look_where_it_was(repository, version, digest, &mut seen).await;
        }
        seen
    }

    async fn inspect(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Inspection {
        let mut seen = blank(artifact.clone(), PinState::Unsupported { marked: false });
        let scope = || Scope::Artifact(artifact.clone());
        let looked = match artifact.digest() {
            Some(digest) => self.look(repository, digest, &mut seen).await,
            None => Err(Fault::new(Cause::Unsupported, format!("{artifact} is no chart archive's digest"))),
        };
        if let Err(fault) = looked {
            seen.gaps.push(fault.gap(scope()));
        }
        let detail = "a chart repository on a web server offers no pins; keep releases in a registry or in a bucket with \
                      Object Lock";
        seen.obstacles.push(Obstacle::NoPins { detail: detail.to_owned() });
        seen
    }

    /// When the index says that the version was made; some programs write the time of the index there (F139).
    async fn created(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<Timestamp> {
        let index = self.web.index().await.ok()?;
        self.entries_of(&index, repository, artifact.digest()?).first()?.1.created
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

fn tag(version: &Tag, target: Resolution) -> ObservedTag {
    ObservedTag { name: version.clone(), target, pushed: None, object: None }
}
