//! A stateful Docker Hub in this process: its own interface on one port and its registry on another, made from Docker's
//! description of the interface. What holds bytes is the honest registry of `registry`, behind it.
//!
//! It keeps the habits that matter here: a GET of a manifest is a pull and a HEAD is none; strangers are shown public repositories
//! with 200; a login gives a token that ends; immutable tags are neither moved nor deleted; the registry has no catalog.
#![allow(dead_code, reason = "each program that includes this uses its own part of it")]

mod answers;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use prodpin::model::Digest;

use super::behind::{Behind, Handed};
use super::registry::Logged;

/// What the stand-in does in place of the truth.
#[derive(Debug, Clone)]
pub(crate) enum Lie {
    /// A page of the lists under paths that end so is empty.
    LostPage(&'static str, usize),
    /// Calls whose path holds this text are answered so, with Docker Hub's error document.
    Answer(&'static str, u16, &'static str),
    /// So many further calls of the interface are told that there were too many.
    TooMany(usize),
    /// The token of the last login is taken no more.
    Expired,
}

#[derive(Debug, Default)]
pub(crate) struct World {
    /// Users and their secrets.
    pub(crate) users: BTreeMap<String, String>,
    /// By `namespace/name`.
    pub(crate) repositories: BTreeMap<String, Repository>,
    /// Tokens of logins that are taken.
    pub(super) tokens: BTreeSet<String>,
    /// GETs of manifests, which count against a quota.
    pub(crate) pulls: usize,
    pub(crate) logins: usize,
    clock: Timestamp,
}

#[derive(Debug, Default)]
pub(crate) struct Repository {
    pub(crate) tags: BTreeMap<String, (Digest, Timestamp)>,
    pub(crate) manifests: BTreeSet<Digest>,
    pub(crate) is_public: bool,
    /// Expressions of immutable tags, where these are enabled.
    pub(crate) immutable: Option<Vec<String>>,
}

impl World {
    /// A push: a tag is new or moves.
    pub(crate) fn push(&mut self, name: &str, digest: &Digest, tag: Option<&str>) {
        self.clock += SignedDuration::from_mins(1);
        let now = self.clock;
        let repository = self.repositories.entry(name.to_owned()).or_default();
        repository.manifests.insert(digest.clone());
        if let Some(tag) = tag {
            repository.tags.insert(tag.to_owned(), (digest.clone(), now));
        }
    }

    pub(crate) fn remove_tag(&mut self, name: &str, tag: &str) {
        self.repositories.get_mut(name).map(|repository| repository.tags.remove(tag));
    }

    pub(crate) fn remove(&mut self, name: &str, digest: &str) {
        if let Some(repository) = self.repositories.get_mut(name) {
            repository.manifests.retain(|other| other.to_string() != digest);
            repository.tags.retain(|_, (other, _)| other.to_string() != digest);
        }
    }

    /// What a tag or digest names.
    pub(super) fn find(&self, name: &str, reference: &str) -> Option<Digest> {
        let repository = self.repositories.get(name)?;
        let by_digest = reference.parse::<Digest>().ok().filter(|digest| repository.manifests.contains(digest));
        by_digest.or_else(|| repository.tags.get(reference).map(|(digest, _)| digest.clone()))
    }
}

/// A running Docker Hub; it ends when this is dropped.
pub(crate) struct Hub {
    api: SocketAddr,
    registry: SocketAddr,
    shared: Arc<Shared>,
    tasks: [tokio::task::JoinHandle<()>; 2],
}

pub(crate) struct Shared {
    pub(super) world: Mutex<World>,
    pub(super) behind: Behind,
    pub(super) lies: Mutex<Vec<Lie>>,
    requests: Mutex<Vec<Logged>>,
}

pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// Starts one on two free ports, with one user.
    pub(crate) async fn start(user: &str, secret: &str) -> Self {
        let users = BTreeMap::from([(user.to_owned(), secret.to_owned())]);
        let clock = Timestamp::now() - SignedDuration::from_hours(24 * 7);
        let shared = Arc::new(Shared {
            world: Mutex::new(World { users, clock, ..World::default() }),
            behind: Behind::start().await,
            lies: Mutex::default(),
            requests: Mutex::default(),
        });
        let of_api = Router::new().fallback(serve_api).with_state(Arc::clone(&shared));
        let of_registry = Router::new().fallback(serve_registry).with_state(Arc::clone(&shared));
        let (api, one) = super::serve::serve(of_api).await;
        let (registry, other) = super::serve::serve(of_registry).await;
        Self { api, registry, shared, tasks: [one, other] }
    }

    /// The registry: `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.registry)
    }

    /// The interface, ending in `/`.
    pub(crate) fn api(&self) -> String {
        format!("http://{}/", self.api)
    }

    /// Looks into the database, or changes it.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        held(&self.shared.world)
    }

    /// From now on it lies so.
    pub(crate) fn lie(&self, lie: Lie) {
        if matches!(lie, Lie::Expired) {
            held(&self.shared.world).tokens.clear();
            return;
        }
        held(&self.shared.lies).push(lie);
    }

    /// From now on it tells the truth.
    pub(crate) fn be_honest(&self) {
        held(&self.shared.lies).clear();
    }

    /// Every request so far, those of the interface with `api:` in front of the path.
    pub(crate) fn requests(&self) -> Vec<Logged> {
        held(&self.shared.requests).clone()
    }

    /// Starts the log of requests anew.
    pub(crate) fn forget_requests(&self) {
        held(&self.shared.requests).clear();
    }

    /// Requests that could change something, logins left out.
    pub(crate) fn writes(&self) -> Vec<Logged> {
        let mut requests = self.requests();
        let reads =
            |request: &Logged| matches!(&*request.method, "GET" | "HEAD") || request.path == "api:/v2/auth/token";
        requests.retain(|request| !reads(request));
        requests
    }
}

impl Drop for Hub {
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
    async fn read(shared: &Shared, request: Request, front: &str) -> Self {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        held(&shared.requests).push(Logged { method: parts.method.to_string(), path: format!("{front}{path}") });
        let body = to_bytes(body, 64 << 20).await.expect("a body of a test");
        let query =
            url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let host = parts.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
        Self { method: parts.method, host, path: parts.uri.path().to_owned(), query, headers: parts.headers, body }
    }

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

async fn serve_api(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let call = Call::read(&shared, request, "api:").await;
    answers::of_api(&shared, &call)
}

async fn serve_registry(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let call = Call::read(&shared, request, "").await;
    answers::of_registry(&shared, &call).await
}
