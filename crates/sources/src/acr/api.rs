//! The calls of `/acr/v1`: paths, pages, and what refusals mean (K46).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::LINK;
use serde::de::DeserializeOwned;

use super::documents::{ManifestDocument, Page, RepositoryDocument, Row, TagDocument};
use crate::oci::{Access, Referred, Registry};
use prodpin_core::model::{Cause, Digest, RepositoryName, Tag};
use prodpin_net::http::answer::HttpAnswer;
use prodpin_net::http::fault::Fault;

/// What the registry gives at once, unless it is asked for less.
const PAGE: usize = 100;

/// A list of more pages than this has no end.
const MOST_PAGES: usize = 50_000;

/// Repositories whose tokens are remembered at once (I20).
const REPOSITORIES_KEPT: usize = 128;

/// The calls of one registry.
#[derive(Debug)]
pub(super) struct Api {
    registry: Arc<Registry>,
    accesses: Mutex<HashMap<RepositoryName, Arc<Accesses>>>,
}

/// What opens the metadata of a repository.
#[derive(Debug)]
struct Accesses {
    read: Access,
    write: Access,
}

/// What was read of a list.
#[derive(Debug)]
pub(super) struct Rows<T> {
    pub(super) rows: Vec<T>,
    /// Why they are not all.
    pub(super) end: Option<Fault>,
}

/// Whether there is room for these rows.
pub(super) type Room<'r, T> = dyn FnMut(&[T]) -> Result<(), Fault> + Send + 'r;

impl Api {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        Self { registry, accesses: Mutex::default() }
    }

    fn accesses(&self, name: &RepositoryName) -> Result<Arc<Accesses>, Fault> {
        if !name.is_oci() {
            return Err(Fault::malformed(format!("{:?} is no repository name that a registry takes", name.as_str())));
        }
        let mut known = self.accesses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(accesses) = known.get(name) {
            return Ok(Arc::clone(accesses));
        }
        if known.len() >= REPOSITORIES_KEPT {
            known.retain(|_, accesses| Arc::strong_count(accesses) > 1);
        }
        let accesses = Arc::new(Accesses {
            read: Access::to(name, "metadata_read"),
            write: Access::to(name, "metadata_read,metadata_write"),
        });
        known.insert(name.clone(), Arc::clone(&accesses));
        Ok(accesses)
    }

    /// What the registry says of a repository as a whole.
    pub(super) async fn repository(&self, name: &RepositoryName) -> Result<RepositoryDocument, Fault> {
        let path = format!("/acr/v1/{name}");
        let document: RepositoryDocument = self.document(name, &path).await?;
        self.must_be_of(name, &document.image_name, &path)?;
        Ok(document)
    }

    /// What the registry says of a tag.
    pub(super) async fn tag(&self, name: &RepositoryName, tag: &Tag) -> Result<TagDocument, Fault> {
        let path = tag_path(name, tag);
        let document: TagDocument = self.document(name, &path).await?;
        self.must_be_of(name, &document.image_name, &path)?;
        match *document.tag.name == *tag.as_str() {
            true => Ok(document),
            false => Err(Fault::malformed(format!("{}: it tells of another tag", self.what(&path)))),
        }
    }

    /// What the registry says of a manifest.
    pub(super) async fn manifest(&self, name: &RepositoryName, digest: &Digest) -> Result<ManifestDocument, Fault> {
        let path = manifest_path(name, digest);
        let document: ManifestDocument = self.document(name, &path).await?;
        self.must_be_of(name, &document.image_name, &path)?;
        match *document.manifest.digest == *digest.to_string() {
            true => Ok(document),
            false => Err(Fault::malformed(format!("{}: it tells of another manifest", self.what(&path)))),
        }
    }

    /// Every row of a list. `room` is asked before rows are kept.
    pub(super) async fn list<P, T>(&self, name: &RepositoryName, list: &str, room: &mut Room<'_, T>) -> Rows<T>
    where
        P: Page<T> + DeserializeOwned,
        T: Row,
    {
        let path = format!("/acr/v1/{name}/{list}");
        let (mut rows, mut last) = (Vec::<T>::new(), None::<String>);
        for _ in 0..MOST_PAGES {
            let (page, has_next) = match self.page::<P, T>(name, &path, last.as_deref()).await {
                Ok(page) => page,
                Err(fault) => return Rows { rows, end: Some(fault) },
            };
            if let Err(fault) = room(&page) {
                return Rows { rows, end: Some(fault) };
            }
            let count = page.len();
            let next = page.last().map(|row| row.key().into_owned());
            rows.extend(page);
            // Some end a list at a full page without a word about more (F106).
            if count == 0 || (count < PAGE && !has_next) {
                return Rows { rows, end: None };
            }
            if next == last {
                let fault = Fault::malformed(format!("{}: its pages repeat themselves", self.what(&path)));
                return Rows { rows, end: Some(fault) };
            }
            last = next;
        }
        let fault = Fault::malformed(format!("{}: no end after {MOST_PAGES} pages", self.what(&path)));
        Rows { rows, end: Some(fault) }
    }

    async fn page<P, T>(&self, name: &RepositoryName, path: &str, last: Option<&str>) -> Result<(Vec<T>, bool), Fault>
    where
        P: Page<T> + DeserializeOwned,
    {
        let query = page_query(last);
        let answer = self.success(name, path, Some(&query)).await?;
        let page: P = self.parsed(path, &answer.body)?;
        let (of, rows) = page.into_rows();
        self.must_be_of(name, &of, path)?;
        let links = answer.headers.get(LINK).and_then(|links| links.to_str().ok());
        let has_next = links.is_some_and(|links| links.contains("rel=\"next\"") || links.contains("rel=next"));
        Ok((rows, has_next))
    }

    /// Locks something. Every answer but success is a fault.
    pub(super) async fn lock(&self, name: &RepositoryName, path: &str, body: &serde_json::Value) -> Result<(), Fault> {
        let accesses = self.accesses(name)?;
        let sent = self.registry.patch_pin(&accesses.write, path, Bytes::from(body.to_string()));
        let hint = "; grant metadata/write on the repository (the role AcrPush has it)";
        let answer = sent.await.map_err(|fault| hinted(fault, hint))?;
        if answer.status.is_success() {
            return Ok(());
        }
        let what = format!("PATCH {path} at {}", self.registry.shown());
        Err(hinted(self.registry.refusal(&answer, &what), hint))
    }

    /// What a manifest refers to; none if it is definitively not there.
    pub(super) async fn referred(&self, name: &RepositoryName, digest: &Digest) -> Result<Option<Referred>, Fault> {
        self.registry.referred(name, digest).await
    }

    async fn document<T: DeserializeOwned>(&self, name: &RepositoryName, path: &str) -> Result<T, Fault> {
        let answer = self.success(name, path, None).await?;
        self.parsed(path, &answer.body)
    }

    async fn success(&self, name: &RepositoryName, path: &str, query: Option<&str>) -> Result<HttpAnswer, Fault> {
        let what = self.what(path);
        let accesses = self.accesses(name)?;
        let hint = "; grant metadata/read on the repository (the role AcrPull has it)";
        let answer = self.registry.read_with(&accesses.read, path, query).await.map_err(|fault| hinted(fault, hint))?;
        if answer.status != StatusCode::OK {
            return Err(hinted(self.refusal(&answer, &what), hint));
        }
        answer.must_be(&what, |media_type| media_type.contains("json"))?;
        Ok(answer)
    }

    /// Only the registry's own words say that something is not there.
    fn refusal(&self, answer: &HttpAnswer, what: &str) -> Fault {
        let is_own = answer.error_codes().iter().any(|code| code.ends_with("_UNKNOWN") || code == "NOT_FOUND");
        let fault = self.registry.refusal(answer, what);
        match fault.cause {
            Cause::NotFound if !is_own => Fault::new(
                Cause::Unsupported,
                format!("{}, and not in the registry's words; is this an Azure container registry?", fault.detail),
            ),
            _ => fault,
        }
    }

    fn must_be_of(&self, name: &RepositoryName, of: &str, path: &str) -> Result<(), Fault> {
        match *of == *name.as_str() {
            true => Ok(()),
            false => Err(Fault::malformed(format!("{}: it tells of another repository", self.what(path)))),
        }
    }

    /// Where a document stops being what was expected; what stands in it is not quoted, for a server chooses it (I18).
    fn parsed<T: DeserializeOwned>(&self, path: &str, body: &[u8]) -> Result<T, Fault> {
        serde_json::from_slice(body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let what = self.what(path);
            Fault::malformed(format!("{what}: a document of another form, from line {line}, column {column} on"))
        })
    }

    pub(super) fn what(&self, path: &str) -> String {
        format!("GET {path} at {}", self.registry.shown())
    }
}

fn page_query(last: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("n", &PAGE.to_string());
    if let Some(last) = last {
        query.append_pair("last", last);
    }
    query.finish()
}

/// A fault with what would end it, where that is a permission.
fn hinted(fault: Fault, hint: &str) -> Fault {
    match fault.cause {
        Cause::Denied => Fault { detail: format!("{}{hint}", fault.detail), ..fault },
        _ => fault,
    }
}

pub(super) fn tag_path(name: &RepositoryName, tag: &Tag) -> String {
    format!("/acr/v1/{name}/_tags/{tag}")
}

pub(super) fn manifest_path(name: &RepositoryName, digest: &Digest) -> String {
    format!("/acr/v1/{name}/_manifests/{digest}")
}
