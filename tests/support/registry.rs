//! A small honest OCI registry in this process: loopback only, everything in memory, no lies. It keeps the habits that
//! matter here: it refuses a manifest whose parts it does not hold, pages by `Link`, deletes every tag along with a
//! manifest (C90), refuses to delete by tag as many registries do, and answers `null` for an empty list of tags (F20).
#![allow(dead_code, reason = "each program that includes this uses its own part of it")]

// By its path, because some programs include this file by its own.
#[path = "registry/answers.rs"]
mod answers;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use prodpin::model::Digest;
use serde_json::{Value, json};

use self::answers::{
    Answer, Refusal, created, json_answer, known, known_mut, location, manifest_unknown, not_allowed, parts, referrers,
    refuse,
};

/// Larger bodies are refused; nothing in the tests comes near.
const LARGEST_BODY: usize = 64 << 20;

/// How a registry is started.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// User and password for Basic authentication; anonymous without.
    pub(crate) credentials: Option<(String, String)>,
    /// The most entries of a page, whatever `n` asks for.
    pub(crate) largest_page: usize,
    /// Whether requests are kept, for `requests`. A benchmark does without.
    pub(crate) keep_requests: bool,
    /// Whether it tells what names a manifest as its subject; else its interface for that is not there (C91).
    pub(crate) referrers: bool,
    /// Whether a tag can be deleted, and goes alone then.
    pub(crate) deletes_tags: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { credentials: None, largest_page: 1000, keep_requests: true, referrers: false, deletes_tags: false }
    }
}

/// A running registry; it ends when this is dropped.
pub(crate) struct Registry {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    options: Options,
    content: Mutex<Holdings>,
    requests: Mutex<Vec<Logged>>,
}

/// One request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logged {
    /// Its method.
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
}

#[derive(Default)]
struct Holdings {
    repositories: BTreeMap<String, Repository>,
    uploads: HashMap<String, Vec<u8>>,
    next_upload: u64,
}

#[derive(Default)]
struct Repository {
    tags: BTreeMap<String, Digest>,
    manifests: HashMap<Digest, Manifest>,
    blobs: HashMap<Digest, Bytes>,
}

#[derive(Clone)]
struct Manifest {
    media_type: String,
    bytes: Bytes,
}

impl Registry {
    /// Starts an anonymous registry on a free port.
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// Starts a registry on a free port.
    pub(crate) async fn start_with(options: Options) -> Self {
        let shared = Arc::new(Shared { options, content: Mutex::default(), requests: Mutex::default() });
        let app = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let (address, task) = super::serve::serve(app).await;
        Self { address, shared, task }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `127.0.0.1:PORT`, as references name it.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Logged> {
        held(&self.shared.requests).clone()
    }

    /// Starts the log of requests anew.
    pub(crate) fn forget_requests(&self) {
        held(&self.shared.requests).clear();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if shared.options.keep_requests {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        held(&shared.requests).push(Logged { method: parts.method.to_string(), path });
    }
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", "the body is too large").into_response();
    };
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let call = Call { method: &parts.method, headers: &parts.headers, query, body, options: &shared.options };
    let answer = call.authorize().and_then(|()| call.route(parts.uri.path(), &mut held(&shared.content)));
    answer.unwrap_or_else(IntoResponse::into_response)
}

struct Call<'a> {
    method: &'a Method,
    headers: &'a HeaderMap,
    query: HashMap<String, String>,
    body: Bytes,
    options: &'a Options,
}

impl Call<'_> {
    fn authorize(&self) -> Result<(), Refusal> {
        let Some((user, password)) = &self.options.credentials else { return Ok(()) };
        let expected =
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")));
        if self.headers.get(AUTHORIZATION).is_some_and(|sent| sent.as_bytes() == expected.as_bytes()) {
            return Ok(());
        }
        Err(refuse(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "who are you?"))
    }

    fn route(&self, path: &str, holdings: &mut Holdings) -> Answer {
        let unknown = || refuse(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing at this path");
        let rest = path.strip_prefix("/v2/").ok_or_else(unknown)?;
        if rest.is_empty() {
            return Ok(json_answer(&json!({}), None));
        }
        if rest == "_catalog" {
            let (names, more) = self.page(&holdings.repositories);
            return Ok(json_answer(&json!({ "repositories": names }), more.then(|| self.next("/v2/_catalog", &names))));
        }
        if let Some(name) = rest.strip_suffix("/tags/list") {
            return self.tags(name, holdings);
        }
        if let Some((name, upload)) = rest.rsplit_once("/blobs/uploads/") {
            return self.upload(name, upload, holdings);
        }
        if let Some((name, digest)) = rest.rsplit_once("/blobs/") {
            return self.blob(name, digest, holdings);
        }
        if let Some((name, subject)) = rest.rsplit_once("/referrers/").filter(|_| self.options.referrers) {
            return Ok(json_answer(&referrers(known(name, holdings)?, subject), None));
        }
        let (name, reference) = rest.rsplit_once("/manifests/").ok_or_else(unknown)?;
        self.manifest(name, reference, holdings)
    }

    /// The names of one page, and whether there are more.
    fn page<'m, V>(&self, all: &'m BTreeMap<String, V>) -> (Vec<&'m str>, bool) {
        let asked = self.query.get("n").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
        let most = asked.min(self.options.largest_page);
        let after = self.query.get("last").map_or(Bound::Unbounded, |last| Bound::Excluded(last.as_str()));
        let mut rest = all.range::<str, _>((after, Bound::Unbounded)).map(|(name, _)| name.as_str());
        let names: Vec<_> = rest.by_ref().take(most).collect();
        let more = !names.is_empty() && rest.next().is_some();
        (names, more)
    }

    fn next(&self, path: &str, names: &[&str]) -> String {
        let last = names.last().expect("a page that others follow is not empty");
        let size = names.len();
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("last", last)
            .append_pair("n", &size.to_string())
            .finish();
        format!("<{path}?{query}>; rel=\"next\"")
    }

    fn tags(&self, name: &str, holdings: &Holdings) -> Answer {
        let repository = known(name, holdings)?;
        let (names, more) = self.page(&repository.tags);
        let next = more.then(|| self.next(&format!("/v2/{name}/tags/list"), &names));
        let tags = if repository.tags.is_empty() { Value::Null } else { json!(names) };
        Ok(json_answer(&json!({ "name": name, "tags": tags }), next))
    }

    fn manifest(&self, name: &str, reference: &str, holdings: &mut Holdings) -> Answer {
        match *self.method {
            Method::GET | Method::HEAD => self.read_manifest(known(name, holdings)?, reference),
            Method::PUT => self.store_manifest(name, reference, holdings),
            // As distribution 3 does: the tag goes alone.
            Method::DELETE if self.options.deletes_tags && reference.parse::<Digest>().is_err() => {
                let repository = known_mut(name, holdings)?;
                repository.tags.remove(reference).ok_or_else(|| manifest_unknown(reference))?;
                Ok(StatusCode::ACCEPTED.into_response())
            }
            Method::DELETE => {
                let digest: Digest = reference.parse().map_err(|_| {
                    refuse(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "tags cannot be deleted here")
                })?;
                let repository = known_mut(name, holdings)?;
                repository.manifests.remove(&digest).ok_or_else(|| manifest_unknown(reference))?;
                repository.tags.retain(|_, tagged| *tagged != digest);
                Ok(StatusCode::ACCEPTED.into_response())
            }
            _ => Err(not_allowed()),
        }
    }

    fn read_manifest(&self, repository: &Repository, reference: &str) -> Answer {
        let digest = match reference.parse() {
            Ok(digest) => digest,
            Err(_) => repository.tags.get(reference).ok_or_else(|| manifest_unknown(reference))?.clone(),
        };
        let manifest = repository.manifests.get(&digest).ok_or_else(|| manifest_unknown(reference))?;
        if !self.accepts(&manifest.media_type) {
            let message = format!("{reference} is {}, which the Accept header does not name", manifest.media_type);
            return Err(refuse(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message));
        }
        let headers = [("docker-content-digest", digest.to_string()), ("content-type", manifest.media_type.clone())];
        Ok((headers, manifest.bytes.clone()).into_response())
    }

    fn accepts(&self, media_type: &str) -> bool {
        let mut sent = self.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
        sent.peek().is_none()
            || sent.flat_map(|value| value.split(',')).any(|one| {
                let one = one.split(';').next().unwrap_or_default().trim();
                one == media_type || one == "*/*"
            })
    }

    fn store_manifest(&self, name: &str, reference: &str, holdings: &mut Holdings) -> Answer {
        let invalid = |message: &str| refuse(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message);
        let sent = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = sent.ok_or_else(|| invalid("no Content-Type"))?.to_owned();
        let manifest: Value = serde_json::from_slice(&self.body).map_err(|_| invalid("not JSON"))?;
        if manifest["mediaType"].as_str().is_some_and(|inside| inside != media_type) {
            return Err(invalid("mediaType and Content-Type differ"));
        }
        let repository = holdings.repositories.entry(name.to_owned()).or_default();
        for part in parts(&manifest).ok_or_else(|| invalid("a descriptor without a digest"))? {
            if !repository.blobs.contains_key(&part) && !repository.manifests.contains_key(&part) {
                return Err(refuse(StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN", format!("{part} is not here")));
            }
        }
        let digest = Digest::sha256(&self.body);
        match reference.parse::<Digest>() {
            Ok(named) if !named.matches(&self.body) => return Err(invalid("the body does not hash to the digest")),
            Ok(_) => {}
            Err(_) => {
                repository.tags.insert(reference.to_owned(), digest.clone());
            }
        }
        repository.manifests.insert(digest.clone(), Manifest { media_type, bytes: self.body.clone() });
        let location = format!("/v2/{name}/manifests/{digest}");
        Ok((StatusCode::CREATED, created(location, &digest)).into_response())
    }

    fn blob(&self, name: &str, digest: &str, holdings: &mut Holdings) -> Answer {
        let unknown = || refuse(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", format!("{digest} is not here"));
        let parsed: Digest =
            digest.parse().map_err(|_| refuse(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "that is no digest"))?;
        match *self.method {
            Method::GET | Method::HEAD => {
                let blob = known(name, holdings)?.blobs.get(&parsed).ok_or_else(unknown)?;
                let headers = [("docker-content-digest", digest), ("content-type", "application/octet-stream")];
                Ok((headers, blob.clone()).into_response())
            }
            Method::DELETE => {
                known_mut(name, holdings)?.blobs.remove(&parsed).ok_or_else(unknown)?;
                Ok(StatusCode::ACCEPTED.into_response())
            }
            _ => Err(not_allowed()),
        }
    }

    /// `POST` opens an upload, `PATCH` adds to it, `PUT` closes it with the digest.
    fn upload(&self, name: &str, upload: &str, holdings: &mut Holdings) -> Answer {
        if *self.method == Method::POST {
            holdings.next_upload += 1;
            let upload = format!("upload-{}", holdings.next_upload);
            holdings.uploads.insert(upload.clone(), Vec::new());
            return Ok((StatusCode::ACCEPTED, [(LOCATION, location(name, &upload))]).into_response());
        }
        let unknown = || refuse(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "there is no such upload");
        let received = holdings.uploads.get_mut(upload).ok_or_else(unknown)?;
        received.extend_from_slice(&self.body);
        match *self.method {
            Method::PATCH => {
                let range = format!("0-{}", received.len().saturating_sub(1));
                let headers = [("location", location(name, upload)), ("range", range)];
                Ok((StatusCode::ACCEPTED, headers).into_response())
            }
            Method::PUT => {
                let bytes = Bytes::from(holdings.uploads.remove(upload).ok_or_else(unknown)?);
                let named: Option<Digest> = self.query.get("digest").and_then(|digest| digest.parse().ok());
                let digest = named.filter(|digest| digest.matches(&bytes)).ok_or_else(|| {
                    refuse(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "the content does not hash to the digest")
                })?;
                holdings.repositories.entry(name.to_owned()).or_default().blobs.insert(digest.clone(), bytes);
                Ok((StatusCode::CREATED, created(format!("/v2/{name}/blobs/{digest}"), &digest)).into_response())
            }
            _ => Err(not_allowed()),
        }
    }
}
