//! A stateful Google Artifact Registry in this process: its API on one port, its registry on another, and the metadata server of a
//! machine that runs in Google's cloud on a third. Made from the API's description (`artifactregistry/v1`: `repositories.get` and
//! `.list`, `dockerImages.list`, their paging, and the errors of `google.rpc.Status`). What holds bytes is the honest registry of
//! `registry`, behind it.
//!
//! It keeps the habits that matter here: every manifest is a version with a time of its own, platforms of an index among them;
//! pages are of 1,000 at most, may be empty, and go on behind a token; what has its usual value is left out of documents; the API
//! takes tokens alone, and answers 403 both to what may not be seen and to what is not there for whoever may not see it; an
//! immutable tag is neither moved nor deleted; no tag or digest is deleted while an index lists it.
#![allow(dead_code, reason = "each program that includes this uses its own part of it")]

mod api;
mod protocol;
pub(crate) mod who;
mod world;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method};
use axum::response::Response;

use self::who::Callers;
pub(crate) use self::world::World;
use super::behind::{Behind, Handed};
use super::registry::Logged;

/// Where all of its repositories are.
pub(crate) const LOCATION: &str = "europe-west1";

/// What the stand-in does in place of the truth.
#[derive(Debug, Clone)]
pub(crate) enum Lie {
    /// A page of the lists under paths that end so is empty, and the next one is named all the same.
    EmptyPage(&'static str, usize),
    /// A page names no next one.
    LastPage(&'static str, usize),
    /// Pages go on by the same token for ever.
    Circle,
    /// Calls of the API whose path ends so are answered with this status and code.
    Answer(&'static str, u16, &'static str),
    /// The same by something in front, which has no error documents of Google's.
    Bare(&'static str, u16),
    /// Calls of the API whose path ends so are answered with 200 and this document.
    Document(&'static str, &'static str),
    /// So many further calls of the API are told to wait.
    TooMany(usize),
    /// Pins are taken, and are not there.
    ForgetsPins,
}

/// A running registry; it ends when this is dropped.
pub(crate) struct Gar {
    api: SocketAddr,
    registry: SocketAddr,
    metadata: SocketAddr,
    shared: Arc<Shared>,
    tasks: [tokio::task::JoinHandle<()>; 3],
}

pub(crate) struct Shared {
    pub(super) world: Mutex<World>,
    pub(super) callers: Mutex<Callers>,
    pub(super) behind: Behind,
    pub(super) lies: Mutex<Vec<Lie>>,
    requests: Mutex<Vec<Logged>>,
}

pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gar {
    /// Starts one on free ports, which takes this access token.
    pub(crate) async fn start(token: &str) -> Self {
        let shared = Arc::new(Shared {
            world: Mutex::new(World::new()),
            callers: Mutex::new(Callers::with_token(token)),
            behind: Behind::start().await,
            lies: Mutex::default(),
            requests: Mutex::default(),
        });
        let of = |front: &'static str| {
            let serve = move |State(shared): State<Arc<Shared>>, request: Request| async move {
                serve(&shared, request, front).await
            };
            Router::new().fallback(serve).with_state(Arc::clone(&shared))
        };
        let (api, one) = super::serve::serve(of("api:")).await;
        let (registry, two) = super::serve::serve(of("")).await;
        let (metadata, three) = super::serve::serve(of("metadata:")).await;
        Self { api, registry, metadata, shared, tasks: [one, two, three] }
    }

    /// The registry: `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.registry)
    }

    /// The API, ending in `/`.
    pub(crate) fn api(&self) -> String {
        format!("http://{}/", self.api)
    }

    /// Host and port of the metadata server.
    pub(crate) fn metadata(&self) -> String {
        self.metadata.to_string()
    }

    /// Looks into the database, or changes it.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        held(&self.shared.world)
    }

    /// Who is known to it.
    pub(crate) fn callers(&self) -> MutexGuard<'_, Callers> {
        held(&self.shared.callers)
    }

    /// From now on it lies so.
    pub(crate) fn lie(&self, lie: Lie) {
        held(&self.shared.lies).push(lie);
    }

    /// From now on it tells the truth.
    pub(crate) fn be_honest(&self) {
        held(&self.shared.lies).clear();
    }

    /// Every request so far, those of the API with `api:` in front of the path.
    pub(crate) fn requests(&self) -> Vec<Logged> {
        held(&self.shared.requests).clone()
    }

    /// Those of the API whose path holds this.
    pub(crate) fn asked(&self, text: &str) -> usize {
        let requests = self.requests();
        requests.iter().filter(|request| request.path.starts_with("api:") && request.path.contains(text)).count()
    }

    /// Starts the log of requests anew.
    pub(crate) fn forget_requests(&self) {
        held(&self.shared.requests).clear();
    }

    /// Requests that could change something.
    pub(crate) fn writes(&self) -> Vec<Logged> {
        let mut requests = self.requests();
        requests.retain(|request| !matches!(&*request.method, "GET" | "HEAD"));
        requests
    }
}

impl Drop for Gar {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// One request, read.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) host: String,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn handed(&self) -> Handed<'_> {
        Handed { method: &self.method, headers: &self.headers, query: &self.query, body: &self.body }
    }

    /// What stands after the scheme in `Authorization`.
    pub(super) fn sent(&self, scheme: &str) -> Option<&str> {
        self.headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix(scheme)
    }
}

async fn serve(shared: &Shared, request: Request, front: &str) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    held(&shared.requests).push(Logged { method: parts.method.to_string(), path: format!("{front}{path}") });
    let body = to_bytes(body, 64 << 20).await.expect("a body of a test");
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let host = parts.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    let path = parts.uri.path().to_owned();
    let call = Call { method: parts.method, host, path, query, headers: parts.headers, body };
    match front {
        "api:" => api::answer(shared, &call),
        "metadata:" => who::metadata(shared, &call),
        _ => protocol::answer(shared, &call).await,
    }
}
