//! Archives as files, for a drill and for a copy: held to the digest that the index has of them.

use async_trait::async_trait;
use reqwest::StatusCode;
use reqwest::header::{self, HeaderMap, HeaderValue};

use super::bucket::{self, BucketCharts, config};
use super::http::HttpCharts;
use super::index::{Entry, Listed};
use super::key::key_of;
use super::location::ArchiveLocation;
use super::shelf::Shelf;
use super::web::{Lack, Web};
use crate::content::{Lost, Taker, begins_at};
use crate::file::{FileFacts, Files};
use crate::s3::{ObjectRestorer, S3Error, Tuning};
use crate::{OpenOptions, Source};
use prodpin_core::model::{ArtifactId, Cause, Digest, Gap, NamePatterns, RepositoryName, SourceName, Tag};
use prodpin_net::http::fault::Fault;
use prodpin_policy::HelmBucket;

/// Of so many versions with the same bytes the archives are tried.
const MOST_TRIED: usize = 8;

fn note(facts: &mut FileFacts, chart: &RepositoryName, version: &Tag) {
    for (name, value) in [
        ("chart", chart.as_str().to_owned()),
        ("chart-version", version.as_str().to_owned()),
        ("name", format!("{}-{version}.tgz", chart.as_str())),
    ] {
        facts.notes.insert(name.to_owned(), value);
    }
}

#[async_trait]
impl Files for BucketCharts {
    async fn facts(&self, chart: &RepositoryName, artifact: &ArtifactId) -> Result<FileFacts, Lost> {
        let mut facts = self.keys.facts(artifact).await?;
        let listed = self.listed_as(chart, artifact).await?;
        if let Some((version, digest)) = listed {
            note(&mut facts, chart, &version);
            // The index is the word that people install by.
            facts.digest = digest.or(facts.digest);
        }
        Ok(facts)
    }

    async fn file(
        &self,
        _chart: &RepositoryName,
        artifact: &ArtifactId,
        facts: &FileFacts,
        from: u64,
        taker: &mut dyn Taker,
    ) -> Result<(), Lost> {
        self.keys.hand_over(artifact, facts, from, taker).await
    }
}

#[async_trait]
impl Files for HttpCharts {
    async fn facts(&self, chart: &RepositoryName, artifact: &ArtifactId) -> Result<FileFacts, Lost> {
        let digest = digest_of(artifact)?;
        let found = self.archives(chart, digest).await?;
        let mut size = None;
        for (_, place) in found.iter().take(MOST_TRIED) {
            size = self.web.size(place).await;
            if size.is_some() {
                break;
            }
        }
        let mut facts = FileFacts { size, digest: Some(digest.clone()), ..FileFacts::default() };
        if let Some((version, _)) = found.first() {
            note(&mut facts, chart, version);
        }
        Ok(facts)
    }

    async fn file(
        &self,
        chart: &RepositoryName,
        artifact: &ArtifactId,
        _facts: &FileFacts,
        from: u64,
        taker: &mut dyn Taker,
    ) -> Result<(), Lost> {
        let found = self.archives(chart, digest_of(artifact)?).await?;
        let mut lost = Lost::NotFound;
        for (_, place) in found.iter().take(MOST_TRIED) {
            match self.web.hand_over(place, from, taker).await {
                Err(Lost::NotFound) => {}
                Err(Lost::Unknown(fault)) if fault.cause == Cause::Denied => lost = fault.into(),
                answer => return answer,
            }
        }
        Err(lost)
    }
}

impl BucketCharts {
    /// The version of a chart that this archive is by the index, and the digest that it has there. The index is about the
    /// archive in front: of another one it says nothing.
    pub(super) async fn listed_as(
        &self,
        chart: &RepositoryName,
        artifact: &ArtifactId,
    ) -> Result<Option<(Tag, Option<Digest>)>, Fault> {
        let fault = |gap: Gap| Fault::new(gap.cause, gap.detail);
        let ArtifactId::ObjectVersion { key, .. } = artifact else { return Ok(None) };
        let index = self.index().await.map_err(fault)?;
        let versions = index.charts.get(chart).into_iter().flat_map(|chart| &chart.versions);
        let listed = versions.into_iter().find_map(|(version, listed)| {
            let Listed::Archive(entry) = listed else { return None };
            let is_it = key_of(&self.place, entry.url.as_deref()).is_ok_and(|named| named == *key);
            is_it.then(|| (version.clone(), entry.digest.clone()))
        });
        let Some((version, digest)) = listed else { return Ok(None) };
        let front = self.keys.front(key).await;
        let front =
            front.map_err(|gaps| gaps.into_iter().next().map_or_else(|| Fault::malformed("no answer"), fault))?;
        Ok((front.as_ref() == Some(artifact)).then_some((version, digest)))
    }
}

/// Opens the bucket of a chart repository so that archives can be put back there. The index is whose it is, and stays as it is.
pub async fn open_to_restore(
    name: &SourceName,
    place: &HelmBucket,
    patterns: NamePatterns,
    options: &OpenOptions,
    tuning: Tuning,
) -> Result<(Source, ObjectRestorer), S3Error> {
    let shelf = Shelf::new(format!("s3://{}/{}", place.bucket, place.prefix), patterns);
    let (_, restorer) = crate::s3::open_to_restore(name, &config(place), options, tuning.clone()).await?;
    let source = bucket::open(name, place, shelf, options, tuning).await?;
    Ok((source, restorer))
}

fn digest_of(artifact: &ArtifactId) -> Result<&Digest, Lost> {
    let odd = || Fault::new(Cause::Unsupported, format!("{artifact} is no archive by its digest"));
    artifact.digest().ok_or_else(|| odd().into())
}

impl HttpCharts {
    /// The versions that have these bytes, with where their archives are. An index that was read a while ago proves no absence.
    async fn archives(&self, chart: &RepositoryName, digest: &Digest) -> Result<Vec<(Tag, ArchiveLocation)>, Lost> {
        let index = self.web.index().await?;
        let mut found = self.located(&self.entries_of(&index, chart, digest));
        if found.is_empty() {
            let index = self.web.index_now().await?;
            found = self.located(&self.entries_of(&index, chart, digest));
        }
        match found.is_empty() {
            false => Ok(found),
            true => {
                let detail = format!("the index names no archive of {chart} with this digest that may be fetched");
                Err(Fault::new(Cause::NotFound, detail).into())
            }
        }
    }

    fn located(&self, entries: &[(&Tag, &Entry)]) -> Vec<(Tag, ArchiveLocation)> {
        let located = entries.iter().filter_map(|(version, entry)| {
            Some(((*version).clone(), self.web.hosts.place(entry.url.as_deref()?).ok()?))
        });
        located.collect()
    }
}

impl Web {
    /// How large an archive is, by the first byte of it; none where the server does not say.
    pub(super) async fn size(&self, place: &ArchiveLocation) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=0-0"));
        let call = self.archive_call(place);
        let incoming = self.transport.stream(&call, &headers).await.ok()?;
        let answer = &incoming.answer;
        let text = |name| answer.headers.get(name)?.to_str().ok();
        match answer.status {
            StatusCode::PARTIAL_CONTENT => text(header::CONTENT_RANGE)?.rsplit_once('/')?.1.trim().parse().ok(),
            StatusCode::OK => text(header::CONTENT_LENGTH)?.trim().parse().ok(),
            _ => None,
        }
    }

    /// An archive's bytes from this place on, as they arrive.
    pub(super) async fn hand_over(
        &self,
        place: &ArchiveLocation,
        from: u64,
        taker: &mut dyn Taker,
    ) -> Result<(), Lost> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if from > 0 {
            let range = HeaderValue::from_str(&format!("bytes={from}-")).map_err(|_| Fault::malformed("no range"))?;
            headers.insert(header::RANGE, range);
        }
        let call = self.archive_call(place);
        let mut incoming = self.transport.stream(&call, &headers).await?;
        let at = match incoming.answer.status {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if from > 0 && begins_at(&incoming.answer.headers) == Some(from) => from,
            _ => {
                return Err(match self.why_not(&incoming.answer, place) {
                    Lack::NotFound(_) => Lost::NotFound,
                    Lack::Unknown(fault) => Lost::Unknown(fault),
                });
            }
        };
        taker.begin(at).await?;
        while let Some(piece) = incoming.next().await? {
            taker.take(piece).await?;
        }
        Ok(())
    }
}
