//! Harbor's API v2.0: its paths, its pages, and what its refusals mean.
//!
//! Every request carries the credentials, because a stranger is answered with less instead of being asked who that is (J40),
//! and none a cookie: with a session Harbor refuses writes (J1).

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LINK};
use serde::de::DeserializeOwned;

use crate::oci::Registry;
use prodpin_core::model::{Cause, Digest, RepositoryName};
use prodpin_net::http::answer::HttpAnswer;
use prodpin_net::http::fault::Fault;

/// The most that Harbor takes: 101 is refused (J3).
const PAGE: usize = 100;

/// A list of more pages than this has no end.
const MOST_PAGES: usize = 50_000;

/// So many pages in a row without a row that is new, and the list only repeats itself.
const MOST_STALE_PAGES: usize = 3;

/// How often a list is read until its rows are as many as it says that there are.
const WALKS: usize = 3;

/// The calls of one Harbor.
#[derive(Debug, Clone)]
pub(super) struct Api {
    registry: Arc<Registry>,
}

/// A row of a list, and what makes it another one than those before.
pub(super) trait Row: DeserializeOwned + Send {
    fn identity(&self) -> Cow<'_, str>;
}

/// What was read of a list.
#[derive(Debug)]
pub(super) struct Rows<T> {
    /// In the order of the last walk. One may come twice.
    pub(super) rows: Vec<T>,
    /// Why they are not all.
    pub(super) end: Option<Fault>,
}

/// A repository's place in Harbor's paths.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) project: Box<str>,
    /// Its name without the project's.
    pub(super) name: Box<str>,
}

impl Place {
    /// None if the name has no project in front: there is no such repository in Harbor.
    pub(super) fn of(repository: &RepositoryName) -> Option<Self> {
        let (project, name) = repository.as_str().split_once('/')?;
        (repository.is_oci() && !name.is_empty()).then(|| Self { project: project.into(), name: name.into() })
    }

    /// Names are decoded twice (J7).
    pub(super) fn path(&self) -> String {
        format!("{}/repositories/{}", project_path(&self.project), self.name.replace('/', "%252F"))
    }

    pub(super) fn artifacts(&self) -> String {
        format!("{}/artifacts", self.path())
    }

    pub(super) fn tags(&self, digest: &Digest) -> String {
        format!("{}/{digest}/tags", self.artifacts())
    }
}

pub(super) fn project_path(project: &str) -> String {
    format!("projects/{project}")
}

/// Whether there is room for these rows after so many others.
type Room<'r, T> = dyn FnMut(usize, &[T]) -> Result<(), Fault> + Send + 'r;

impl Api {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }

    pub(super) fn host(&self) -> &str {
        self.registry.shown()
    }

    pub(super) async fn has_password(&self) -> bool {
        self.registry.has_password().await
    }

    /// The text of a document.
    pub(super) async fn text(&self, path: &str) -> Result<String, Fault> {
        let what = self.what(path);
        let answer = self.success(path, None).await?;
        String::from_utf8(answer.body.to_vec()).map_err(|_| Fault::malformed(format!("{what}: a body that is no text")))
    }

    /// A document.
    pub(super) async fn document<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        let answer = self.success(path, None).await?;
        self.parsed(path, &answer.body)
    }

    /// A document, or none where Harbor itself says that there is none. Whatever stands in between may say 404 as well, and
    /// not in Harbor's words.
    pub(super) async fn document_if_there<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Fault> {
        match self.success(path, None).await {
            Ok(answer) => self.parsed(path, &answer.body).map(Some),
            Err(fault) if fault.cause == Cause::NotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Every row of a list. `room` is asked before rows are kept.
    pub(super) async fn list<T: Row>(
        &self,
        path: &str,
        query: &str,
        mut room: impl FnMut(&[T]) -> Result<(), Fault> + Send,
    ) -> Rows<T> {
        let (mut most, mut walk) = (0_usize, 0);
        loop {
            walk += 1;
            let mut more = |before: usize, rows: &[T]| {
                // What an earlier walk had room for needs none again.
                let known = most.saturating_sub(before).min(rows.len());
                most = most.max(before + rows.len());
                room(&rows[known..])
            };
            let Walked { rows, end, torn } = self.walk(path, query, &mut more).await;
            let Some(torn) = torn.filter(|_| end.is_none()) else { return Rows { rows, end } };
            if walk >= WALKS {
                let detail = format!(
                    "{}: {torn}, in each of {WALKS} tries: the list changes while it is read, or a page of it is lost",
                    self.what(path)
                );
                return Rows { rows, end: Some(Fault::malformed(detail)) };
            }
        }
    }

    async fn walk<T: Row>(&self, path: &str, query: &str, room: &mut Room<'_, T>) -> Walked<T> {
        let (mut rows, mut seen, hasher) = (Vec::new(), HashSet::new(), RandomState::new());
        let (mut total, mut shrank, mut stale) = (None, false, 0);
        let ended = |rows, end| Walked { rows, end: Some(end), torn: None };
        for number in 1..=MOST_PAGES {
            let page = match self.page(path, query, (number, PAGE)).await {
                Ok(page) => page,
                Err(fault) => return ended(rows, fault),
            };
            if let Err(fault) = room(rows.len(), &page.rows) {
                return ended(rows, fault);
            }
            shrank |= matches!((total, page.total), (Some(before), Some(now)) if now < before);
            total = page.total.or(total);
            let (count, before) = (page.rows.len(), seen.len());
            seen.extend(page.rows.iter().map(|row| hasher.hash_one(row.identity().as_ref())));
            stale = if seen.len() == before { stale + 1 } else { 0 };
            rows.extend(page.rows);
            let is_whole = match total {
                Some(total) => seen.len() >= total,
                None => count < PAGE,
            };
            if count == 0 || stale >= MOST_STALE_PAGES || (is_whole && !page.has_next) {
                let torn = match total {
                    Some(total) if total != seen.len() => {
                        Some(format!("it lists {} entries and says that there are {total}", seen.len()))
                    }
                    // Harbor always says it, 0 included.
                    None if seen.is_empty() => {
                        Some("it is empty, and does not say how many entries there are".to_owned())
                    }
                    _ if shrank => Some("entries were removed meanwhile".to_owned()),
                    _ => None,
                };
                return Walked { rows, end: None, torn };
            }
        }
        let detail = format!("{}: no end after {MOST_PAGES} pages", self.what(path));
        ended(rows, Fault::malformed(detail))
    }

    /// One page of a list that is not read to its end, and whether there is another one.
    pub(super) async fn one_page<T: Row>(
        &self,
        path: &str,
        query: &str,
        number: usize,
    ) -> Result<(Vec<T>, bool), Fault> {
        let Page { rows, has_next, .. } = self.page(path, query, (number, PAGE)).await?;
        Ok((rows, has_next))
    }

    /// The first row of a list, if there is any.
    pub(super) async fn first<T: Row>(&self, path: &str) -> Result<Option<T>, Fault> {
        Ok(self.page(path, "", (1, 1)).await?.rows.into_iter().next())
    }

    async fn page<T: Row>(&self, path: &str, query: &str, (number, size): (usize, usize)) -> Result<Page<T>, Fault> {
        static TOTAL: HeaderName = HeaderName::from_static("x-total-count");
        let asked = format!("page={number}&page_size={size}{}{query}", if query.is_empty() { "" } else { "&" });
        let answer = self.success(path, Some(&asked)).await?;
        let rows: Option<Vec<T>> = self.parsed(path, &answer.body)?;
        let text = |name: &HeaderName| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let has_next = text(&LINK).is_some_and(|links| links.contains("rel=\"next\""));
        let total = text(&TOTAL).and_then(|total| total.trim().parse().ok());
        Ok(Page { rows: rows.unwrap_or_default(), total, has_next })
    }

    /// Sends a pin's name. Every answer is handed on.
    pub(super) async fn post_pin(&self, path: &str, body: Bytes) -> Result<HttpAnswer, Fault> {
        self.registry.post_pin(&rooted(path), headers(), body).await
    }

    /// Asks for a dry run of a retention policy. Every answer is handed on.
    pub(super) async fn post_dry_run(&self, path: &str) -> Result<HttpAnswer, Fault> {
        self.registry.post_dry_run(&rooted(path), headers(), Bytes::from_static(br#"{"dry_run":true}"#)).await
    }

    /// A text that is no document, such as a log.
    pub(super) async fn log(&self, path: &str) -> Result<String, Fault> {
        let what = self.what(path);
        let answer = self.registry.read_document(&rooted(path), None, headers()).await?;
        if answer.status != StatusCode::OK {
            return Err(self.refusal(&answer, &what));
        }
        answer.must_be(&what, |media_type| media_type.starts_with("text/plain"))?;
        String::from_utf8(answer.body.to_vec()).map_err(|_| Fault::malformed(format!("{what}: a body that is no text")))
    }

    /// Removes a pin by its name. Every answer is handed on.
    pub(super) async fn delete_pin(&self, path: &str) -> Result<HttpAnswer, Fault> {
        self.registry.delete_by_name(&rooted(path), headers()).await
    }

    async fn success(&self, path: &str, query: Option<&str>) -> Result<HttpAnswer, Fault> {
        let what = self.what(path);
        let answer = self.registry.read_document(&rooted(path), query, headers()).await?;
        if answer.status != StatusCode::OK {
            return Err(self.refusal(&answer, &what));
        }
        answer.must_be(&what, |media_type| media_type.contains("json"))?;
        Ok(answer)
    }

    /// What an answer other than success means. Only Harbor's own words say that something is not there.
    pub(super) fn refusal(&self, answer: &HttpAnswer, what: &str) -> Fault {
        let codes = answer.error_codes();
        let has = |code: &str| codes.iter().any(|other| other == code);
        let fault = self.registry.refusal(answer, what);
        match answer.status {
            StatusCode::NOT_FOUND if fault.cause == Cause::NotFound && !has("NOT_FOUND") => Fault::new(
                Cause::Unsupported,
                format!("{}, and not in Harbor's words; is this a Harbor, with its API under /api/v2.0?", fault.detail),
            ),
            // The same code stands for a quota (J2).
            StatusCode::FORBIDDEN if has("DENIED") => Fault::new(
                Cause::Unreachable,
                format!("{what}: Harbor answered 403 DENIED: it is in read-only mode, or a quota is used up"),
            ),
            StatusCode::PRECONDITION_FAILED if has("PRECONDITION") => Fault::refused(format!(
                "{what}: Harbor answered 412 PRECONDITION: an immutability rule, or an index that refers to it, forbids this"
            )),
            StatusCode::PRECONDITION_FAILED if has("VIOLATE_FOREIGN_KEY_CONSTRAINT") => Fault::new(
                Cause::Unreachable,
                format!(
                    "{what}: Harbor answered 412 VIOLATE_FOREIGN_KEY_CONSTRAINT: what this is about was removed meanwhile"
                ),
            ),
            _ => fault,
        }
    }

    fn parsed<T: DeserializeOwned>(&self, path: &str, body: &[u8]) -> Result<T, Fault> {
        // A setting that was never made has an empty body, which means null (J32).
        let body = if body.trim_ascii().is_empty() { b"null" } else { body };
        serde_json::from_slice(body)
            .map_err(|error| Fault::malformed(format!("{}: {}", self.what(path), unexpected(&error))))
    }

    pub(super) fn what(&self, path: &str) -> String {
        format!("GET {} at {}", rooted(path), self.host())
    }
}

/// Where a document stops being what was expected; what stands in it is not quoted, for a server chooses it (I18).
fn unexpected(error: &serde_json::Error) -> String {
    format!("a document of another form, from line {}, column {} on", error.line(), error.column())
}

pub(super) fn rooted(path: &str) -> String {
    format!("/api/v2.0/{path}")
}

/// A project whose name is a number is taken for its id otherwise (J7).
fn headers() -> HeaderMap {
    let name = (HeaderName::from_static("x-is-resource-name"), HeaderValue::from_static("true"));
    HeaderMap::from_iter([name])
}

struct Walked<T> {
    rows: Vec<T>,
    end: Option<Fault>,
    /// Why what came cannot be all of it.
    torn: Option<String>,
}

struct Page<T> {
    rows: Vec<T>,
    total: Option<usize>,
    has_next: bool,
}
