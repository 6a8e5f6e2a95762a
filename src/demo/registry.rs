//! A registry for as long as the story is told: in this process, on a free port of this machine, with nothing on a disk.
//! It speaks what prodpin asks of any registry, and keeps a log of it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::model::Digest;
use crate::sources::memory::Content;

/// More than any manifest of the story.
const LARGEST: usize = 1 << 20;

/// A request as the log keeps it.
#[derive(Clone)]
pub(super) struct Logged {
    pub(super) method: Method,
    pub(super) path: String,
}

/// The registry. It ends when this is dropped.
pub(super) struct Registry {
    address: SocketAddr,
    shared: Arc<Mutex<Shelves>>,
    task: JoinHandle<()>,
}

/// What it holds, and what was asked of it.
#[derive(Default)]
struct Shelves {
    repositories: BTreeMap<String, Repository>,
    log: Vec<Logged>,
}

#[derive(Default)]
struct Repository {
    tags: BTreeMap<String, Digest>,
    manifests: BTreeMap<Digest, Bytes>,
    blobs: BTreeMap<Digest, Bytes>,
}

impl Registry {
    pub(super) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::default();
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, task })
    }

    /// `http://127.0.0.1:PORT`.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Pushes content under a tag, as a pipeline does.
    pub(super) fn push(&self, repository: &str, tag: &str, content: &Content) {
        let mut shelves = held(&self.shared);
        let repository = shelves.repositories.entry(repository.to_owned()).or_default();
        repository.store(content);
        repository.tags.insert(tag.to_owned(), Digest::sha256(&content.bytes()));
    }

    /// Deletes a manifest by its digest, with every tag on it, as a cleanup job does.
    pub(super) fn delete(&self, repository: &str, content: &Content) {
        let digest = Digest::sha256(&content.bytes());
        if let Some(repository) = held(&self.shared).repositories.get_mut(repository) {
            repository.manifests.remove(&digest);
            repository.tags.retain(|_, named| *named != digest);
        }
    }

    /// What was asked since the last time.
    pub(super) fn take_log(&self) -> Vec<Logged> {
        std::mem::take(&mut held(&self.shared).log)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Repository {
    fn store(&mut self, content: &Content) {
        content.children().iter().for_each(|child| self.store(child));
        self.blobs.extend(content.blobs());
        let bytes = content.bytes();
        self.manifests.insert(Digest::sha256(&bytes), bytes);
    }
}

fn held(shared: &Mutex<Shelves>) -> MutexGuard<'_, Shelves> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Mutex<Shelves>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| {
            let shared = Arc::clone(&shared);
            async move { Ok::<_, Infallible>(answer(request, &shared).await) }
        });
        let http = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move { _ = http.await });
    }
}

async fn answer(request: Request<Incoming>, shared: &Mutex<Shelves>) -> Response<Full<Bytes>> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let sent = request.headers().get("range").is_some();
    let body = Limited::new(request.into_body(), LARGEST).collect().await.map(http_body_util::Collected::to_bytes);
    let mut shelves = held(shared);
    shelves.log.push(Logged { method: method.clone(), path: path.clone() });
    let Ok(body) = body else { return error(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID") };
    let Some(rest) = path.strip_prefix("/v2/") else { return error(StatusCode::NOT_FOUND, "NOT_FOUND") };
    match (rest.rsplit_once("/manifests/"), rest.rsplit_once("/blobs/"), rest.strip_suffix("/tags/list")) {
        (Some((name, tag)), ..) if method == Method::PUT => shelves.put(name, tag, body),
        (Some((name, reference)), ..) => shelves.manifest(name, reference),
        (_, Some((name, digest)), _) => shelves.blob(name, digest, sent),
        (.., Some(name)) => match shelves.repositories.get(name) {
            Some(found) => json_page(&json!({ "name": name, "tags": found.tags.keys().collect::<Vec<_>>() })),
            None => error(StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
        },
        _ if rest.is_empty() => json_page(&json!({})),
        _ if rest == "_catalog" => {
            json_page(&json!({ "repositories": shelves.repositories.keys().collect::<Vec<_>>() }))
        }
        _ => error(StatusCode::NOT_FOUND, "NOT_FOUND"),
    }
}

impl Shelves {
    /// A manifest with these bytes is there under its digest, and is given a tag.
    fn put(&mut self, name: &str, tag: &str, body: Bytes) -> Response<Full<Bytes>> {
        let digest = Digest::sha256(&body);
        let found = self.repositories.get_mut(name).filter(|found| found.manifests.contains_key(&digest));
        let Some(found) = found else { return error(StatusCode::BAD_REQUEST, "MANIFEST_INVALID") };
        found.tags.insert(tag.to_owned(), digest.clone());
        with_digest(page(StatusCode::CREATED, "text/plain", Bytes::new()), &digest)
    }

    fn manifest(&self, name: &str, reference: &str) -> Response<Full<Bytes>> {
        let found = self.repositories.get(name).and_then(|found| {
            let digest = reference.parse().ok().or_else(|| found.tags.get(reference).cloned())?;
            Some((found.manifests.get(&digest)?, digest))
        });
        let Some((bytes, digest)) = found else { return error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN") };
        let kind = serde_json::from_slice::<Value>(bytes).ok();
        let kind = kind.as_ref().and_then(|manifest| manifest["mediaType"].as_str()).unwrap_or("application/json");
        with_digest(page(StatusCode::OK, kind, bytes.clone()), &digest)
    }

    fn blob(&self, name: &str, digest: &str, part: bool) -> Response<Full<Bytes>> {
        let found = digest.parse().ok().and_then(|digest: Digest| self.repositories.get(name)?.blobs.get(&digest));
        let Some(bytes) = found else { return error(StatusCode::NOT_FOUND, "BLOB_UNKNOWN") };
        if !part || bytes.is_empty() {
            return page(StatusCode::OK, "application/octet-stream", bytes.clone());
        }
        // The one byte by which prodpin proves that a layer is there with its size.
        let mut answer = page(StatusCode::PARTIAL_CONTENT, "application/octet-stream", bytes.slice(..1));
        let range = HeaderValue::try_from(format!("bytes 0-0/{}", bytes.len()));
        answer.headers_mut().extend(range.map(|range| (hyper::header::CONTENT_RANGE, range)));
        answer
    }
}

fn page(status: StatusCode, kind: &str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().extend(HeaderValue::from_str(kind).map(|kind| (CONTENT_TYPE, kind)));
    response
}

fn with_digest(mut response: Response<Full<Bytes>>, digest: &Digest) -> Response<Full<Bytes>> {
    let name = hyper::header::HeaderName::from_static("docker-content-digest");
    response.headers_mut().extend(HeaderValue::try_from(digest.to_string()).map(|digest| (name, digest)));
    response
}

fn json_page(value: &Value) -> Response<Full<Bytes>> {
    page(StatusCode::OK, "application/json", Bytes::from(value.to_string()))
}

fn error(status: StatusCode, code: &str) -> Response<Full<Bytes>> {
    page(status, "application/json", Bytes::from(json!({ "errors": [{ "code": code, "message": code }] }).to_string()))
}
