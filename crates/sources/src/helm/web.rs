//! The calls to a chart repository on a web server: its index, its archives, and ChartMuseum's API where there is one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use tokio::sync::Mutex as AsyncMutex;
use url::Url;

use super::archive::{Archive, ArchiveContents, GZIP};
use super::index::Index;
use super::location::{ArchiveLocation, Hosts};
use prodpin_core::model::{Cause, Digest, RepositoryName, Tag};
use prodpin_net::http::answer::HttpAnswer;
use prodpin_net::http::fault::Fault;
use prodpin_net::http::place::redacted;
use prodpin_net::http::redirect::Redirects;
use prodpin_net::http::transport::{Call, Extras, Purpose, Transport};
use prodpin_net::memory;

/// The largest public index is a quarter of what is read where there is memory. Where there is little, less than that is read:
/// the body and what is made of it are held at once.
pub(super) fn index_cap() -> usize {
    memory::budget().part(4, 4 << 20, 64 << 20)
}
/// Helm itself stores no chart that is larger than a hundredth of it; others are only hashed, as they stream by.
const ARCHIVE_CAP: usize = 256 << 20;
/// One version's description by ChartMuseum.
const DESCRIPTION_CAP: usize = 4 << 20;
/// An index older than this is asked for again, with the condition that it changed.
const FRESH: Duration = Duration::from_secs(30);

/// A chart repository on a web server.
#[derive(Debug)]
pub(super) struct Web {
    pub(super) transport: Transport,
    pub(super) hosts: Hosts,
    authorization: Option<HeaderValue>,
    /// Whether it is a ChartMuseum; none: not known yet.
    museum: Mutex<Option<bool>>,
    index: AsyncMutex<Option<CachedIndex>>,
    /// Origins that have given an archive: only there does "not found" say something about one archive (I4).
    proven: Mutex<BTreeSet<String>>,
}

/// The index as last read, or why it could not be.
#[derive(Debug)]
struct CachedIndex {
    outcome: Result<Arc<Index>, Fault>,
    /// Under which conditions it need not be sent again.
    conditions: HeaderMap,
    digest: Option<Digest>,
    asked: Instant,
}

/// Why there is no archive.
#[derive(Debug)]
pub(super) enum Lack {
    NotFound(String),
    Unknown(Fault),
}

/// What ChartMuseum says of one version.
#[derive(Debug)]
pub(super) enum ChartMuseumAnswer {
    Has(Option<Digest>),
    HasNot,
    /// This is no ChartMuseum.
    Nothing,
}

impl Web {
    pub(super) fn new(
        transport: Transport,
        hosts: Hosts,
        authorization: Option<HeaderValue>,
        museum: Option<bool>,
    ) -> Self {
        Self {
            transport,
            hosts,
            authorization,
            museum: Mutex::new(museum),
            index: AsyncMutex::default(),
            proven: Mutex::default(),
        }
    }

    /// The index, read once for everyone who asks for it at about the same time.
    pub(super) async fn index(&self) -> Result<Arc<Index>, Fault> {
        self.index_since(Instant::now().checked_sub(FRESH)).await
    }

    /// The index as it is now, past any copy.
    pub(super) async fn index_now(&self) -> Result<Arc<Index>, Fault> {
        self.index_since(Some(Instant::now())).await
    }

    async fn index_since(&self, since: Option<Instant>) -> Result<Arc<Index>, Fault> {
        let mut held = self.index.lock().await;
        match &*held {
            Some(known) if since.is_none_or(|since| known.asked >= since) => known.outcome.clone(),
            _ => {
                let read = self.read_index(held.take()).await;
                let outcome = read.outcome.clone();
                *held = Some(read);
                outcome
            }
        }
    }

    async fn read_index(&self, before: Option<CachedIndex>) -> CachedIndex {
        let asked = Instant::now();
        let before = before.filter(|before| before.outcome.is_ok());
        let mut headers = before.as_ref().map(|before| before.conditions.clone()).unwrap_or_default();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let failed = |fault| CachedIndex { outcome: Err(fault), conditions: HeaderMap::new(), digest: None, asked };
        let Ok(url) = self.hosts.home.join("index.yaml") else {
            return failed(Fault::malformed("the repository's address takes no index.yaml"));
        };
        let call = self.read(url.clone(), Redirects::SameOrigin, index_cap(), true);
        let answer = match self.transport.send_with(&call, Extras { headers, ..Extras::default() }).await {
            Ok(answer) => answer,
            Err(fault) => return failed(fault),
        };
        match (answer.status, before) {
            (StatusCode::NOT_MODIFIED, Some(before)) => CachedIndex { asked, ..before },
            // Plain file servers call an index by whatever they call the others. What it is, its bytes tell.
            (StatusCode::OK, before) => take_index(answer, before, asked).await,
            (StatusCode::NOT_FOUND, _) => {
                let detail = format!("{} does not exist; check the repository's address", redacted(&url));
                failed(Fault::new(Cause::NotFound, detail))
            }
            _ => failed(Fault::from_answer(&answer, &redacted(&url))),
        }
    }

    fn read(&self, url: Url, redirects: Redirects, cap: usize, trusted: bool) -> Call {
        let authorization = self.authorization.clone().filter(|_| trusted);
        let (purpose, method) = (Purpose::Read, Method::GET);
        Call { purpose, method, url, accept: None, authorization, content: None, redirects, cap }
    }

    /// An archive, hashed and looked into as it streams by.
    pub(super) async fn archive(&self, place: &ArchiveLocation) -> Result<ArchiveContents, Lack> {
        let what = redacted(&place.url);
        let call = self.archive_call(place);
        let mut archive = Archive::new();
        let extras = Extras { sink: Some(&mut archive), ..Extras::default() };
        let answer = self.transport.send_with(&call, extras).await.map_err(Lack::Unknown)?;
        match answer.status {
            StatusCode::OK => {
                let contents = archive.finish();
                if !contents.is_packed {
                    no_page(&answer, &what).map_err(Lack::Unknown)?;
                }
                if !answer.elsewhere {
                    self.prove(&place.url);
                }
                Ok(contents)
            }
            _ => Err(self.why_not(&answer, place)),
        }
    }

    /// How an archive is asked for.
    pub(super) fn archive_call(&self, place: &ArchiveLocation) -> Call {
        self.read(place.url.clone(), Redirects::Anywhere, ARCHIVE_CAP, place.trusted)
    }

    /// Why an archive was not had.
    pub(super) fn why_not(&self, answer: &HttpAnswer, place: &ArchiveLocation) -> Lack {
        let what = redacted(&place.url);
        match answer.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => self.lack(answer, place, &what),
            _ => {
                Lack::Unknown(Fault::blocked(answer, &what, None).unwrap_or_else(|| Fault::from_answer(answer, &what)))
            }
        }
    }

    /// Whether something is served there that is no page, by its first byte.
    pub(super) async fn serves(&self, place: &ArchiveLocation) -> bool {
        let call = self.read(place.url.clone(), Redirects::Anywhere, DESCRIPTION_CAP, place.trusted);
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=0-0"));
        match self.transport.send_with(&call, Extras { headers, first_byte: true, ..Extras::default() }).await {
            Ok(answer) => {
                let is_packed = answer.body.first() == Some(&GZIP[0]);
                let is_file = is_packed || no_page(&answer, &redacted(&place.url)).is_ok();
                answer.status.is_success() && !answer.body.is_empty() && is_file
            }
            Err(_) => false,
        }
    }

    /// Some hosts answer "not found" to whoever may not read. The repository's own has just given its index.
    fn lack(&self, answer: &HttpAnswer, place: &ArchiveLocation, what: &str) -> Lack {
        let home = place.url.origin() == self.hosts.home.origin();
        let proven = || {
            let proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
            proven.contains(&place.url.origin().ascii_serialization())
        };
        if !answer.elsewhere && (home || proven()) {
            return Lack::NotFound(format!("{what}: the server answered {}", answer.status.as_u16()));
        }
        let detail = format!(
            "{what}: answered {}, by a host that has given no archive in this run; it may be gone, or not for these \
             credentials",
            answer.status.as_u16()
        );
        Lack::Unknown(Fault::new(Cause::Denied, detail))
    }

    fn prove(&self, url: &Url) {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner).insert(url.origin().ascii_serialization());
    }

    /// Asks ChartMuseum for one version, past the index (F141). Where it is not known whether this is one, an answer of
    /// its own kind tells.
    pub(super) async fn ask_museum(&self, chart: &RepositoryName, version: &Tag) -> Result<ChartMuseumAnswer, Fault> {
        let known = *self.museum.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(url) = museum_url(&self.hosts.home, chart, version).filter(|_| known != Some(false)) else {
            return Ok(ChartMuseumAnswer::Nothing);
        };
        let what = redacted(&url);
        let answer = self.transport.send(&self.read(url, Redirects::None, DESCRIPTION_CAP, true)).await;
        let reported = answer.and_then(|answer| reported(&answer, version, &what));
        match (reported, known) {
            (Ok(reported), _) => {
                *self.museum.lock().unwrap_or_else(PoisonError::into_inner) = Some(true);
                Ok(reported)
            }
            (Err(fault), Some(true)) => Err(fault),
            (Err(fault), _)
                if matches!(
                    fault.cause,
                    Cause::Unreachable | Cause::ServerError | Cause::TimedOut | Cause::Throttled
                ) =>
            {
                Err(fault)
            }
            (Err(_), _) => {
                *self.museum.lock().unwrap_or_else(PoisonError::into_inner) = Some(false);
                Ok(ChartMuseumAnswer::Nothing)
            }
        }
    }
}

/// A page is no file: a proxy's, or that of a login (F12). Servers call indexes and archives by too many names to hold
/// them to any.
fn no_page(answer: &HttpAnswer, what: &str) -> Result<(), Fault> {
    answer.must_be(what, |media_type| !matches!(media_type, "text/html" | "application/xhtml+xml"))
}

async fn take_index(answer: HttpAnswer, before: Option<CachedIndex>, asked: Instant) -> CachedIndex {
    let digest = Digest::sha256(&answer.body);
    let mut conditions = HeaderMap::new();
    for (given, asked) in [(header::ETAG, header::IF_NONE_MATCH), (header::LAST_MODIFIED, header::IF_MODIFIED_SINCE)] {
        if let Some(value) = answer.headers.get(given) {
            conditions.insert(asked, value.clone());
        }
    }
    if let Some(before) = before.filter(|before| before.digest.as_ref() == Some(&digest)) {
        return CachedIndex { conditions, asked, ..before };
    }
    let body = answer.body;
    // Seconds of work for the largest: not on a thread that others wait for.
    let read = tokio::task::spawn_blocking(move || Index::read(&body, index_cap())).await;
    let outcome = match read {
        Ok(Ok(index)) => Ok(Arc::new(index)),
        Ok(Err(reason)) => Err(Fault::malformed(format!("index.yaml: {reason}"))),
        Err(_) => Err(Fault::malformed("index.yaml could not be read")),
    };
    CachedIndex { outcome, conditions, digest: Some(digest), asked }
}

/// `/api` comes before the path that the repository has: `/org/repo` is `/api/org/repo/charts` (F141).
fn museum_url(home: &Url, chart: &RepositoryName, version: &Tag) -> Option<Url> {
    let mut url = home.clone();
    let tenancy: Vec<String> = home.path_segments()?.filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let expected = tenancy.len() + 4;
    url.path_segments_mut()
        .ok()?
        .clear()
        .push("api")
        .extend(tenancy)
        .push("charts")
        .push(chart.as_str())
        .push(version.as_str());
    // `.` and `..` are dropped on the way, and what is left would ask for something else.
    (url.path_segments()?.count() == expected).then_some(url)
}

fn reported(answer: &HttpAnswer, version: &Tag, what: &str) -> Result<ChartMuseumAnswer, Fault> {
    #[derive(Deserialize)]
    struct Described {
        version: String,
        #[serde(default)]
        digest: String,
    }
    #[derive(Deserialize)]
    struct ErrorBody {
        error: String,
    }
    let strange = || Fault::malformed(format!("{what}: this is not how ChartMuseum answers"));
    match answer.status {
        StatusCode::OK => {
            let described: Described = serde_json::from_slice(&answer.body).map_err(|_| strange())?;
            if described.version != version.as_str() {
                // It falls back to what matches best, as Helm does (F140).
                return Ok(ChartMuseumAnswer::HasNot);
            }
            Ok(ChartMuseumAnswer::Has(format!("sha256:{}", described.digest).parse().ok()))
        }
        StatusCode::NOT_FOUND => {
            let refused: ErrorBody = serde_json::from_slice(&answer.body).map_err(|_| strange())?;
            if refused.error.is_empty() { Err(strange()) } else { Ok(ChartMuseumAnswer::HasNot) }
        }
        _ => Err(Fault::from_answer(answer, what)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn museum_addresses_keep_tenancy_and_encode_names_f81_f141() {
        let url = |home: &str, version: &str| {
            let url = museum_url(&home.parse().unwrap(), &"shop".parse().unwrap(), &version.parse().unwrap());
            url.map(|url| url.to_string())
        };
        assert_eq!(url("https://m.example/", "1.2.3+b").unwrap(), "https://m.example/api/charts/shop/1.2.3+b");
        assert_eq!(
            url("https://m.example/org/repo/", "1.2.3").unwrap(),
            "https://m.example/api/org/repo/charts/shop/1.2.3"
        );
        assert_eq!(url("https://m.example/", ".."), None);
        assert_eq!(url("https://m.example/", "a/../b").unwrap(), "https://m.example/api/charts/shop/a%2F..%2Fb");
    }
}
