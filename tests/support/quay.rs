//! A stateful Quay in this process: `/config` and its API v1 beside the registry protocol, answering as its own application did
//! (the captures of 3.18). What holds bytes is the honest registry of `registry`, behind it.
//!
//! It keeps the habits that matter here: strangers get a token and an empty catalog, robot accounts log in to `/v2` and to
//! nothing else, tags have history, one PUT locks whatever the tag names, with the feature off that PUT answers 201 and does
//! nothing, the expiry of a manifest's label comes with each tag of it, and nobody but an owner reads an organization's policies.
#![allow(dead_code, reason = "each program that includes this uses its own part of it")]

mod api;
mod protocol;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::registry::{Logged, Options, Registry};

/// The OAuth token for the API.
pub(crate) const TOKEN: &str = "owner-token";

/// The robot account that reads and pushes.
pub(crate) const ROBOT: (&str, &str) = ("acme+prodpin", "robot-secret");

/// What the stand-in does in place of the truth.
#[derive(Debug, Clone)]
pub(crate) enum Lie {
    /// Calls with this method whose path holds this text are answered so.
    Answer(Method, &'static str, u16),
    /// The same by something in front that has no error documents.
    Bare(Method, &'static str, u16),
    /// The next so many calls whose path holds this text are told to wait.
    Throttles(&'static str, usize),
    /// This page of lists of tags is empty and the last one.
    LostPage(usize),
    /// This page of lists of tags is left out: the one behind it comes in its place.
    SkippedPage(usize),
    /// Lists of tags go on without end.
    Endless,
    /// Tags are not made immutable, and the answer says that they were.
    ForgetsLocks,
}

/// What a name was from one time to another, in seconds.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) digest: String,
    pub(crate) start: i64,
    pub(crate) end: Option<i64>,
    pub(crate) immutable: bool,
}

impl Row {
    pub(crate) fn is_alive(&self) -> bool {
        self.end.is_none_or(|end| end > now())
    }
}

/// What it keeps beside bytes.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// The oldest first.
    pub(crate) rows: BTreeMap<String, Vec<Row>>,
    /// Manifests that no tag names any more, by repository and digest, with their media type: the time machine has them.
    pub(crate) dead: BTreeMap<(String, String), (String, Bytes)>,
    pub(crate) immutable_tags: bool,
    pub(crate) auto_prune: bool,
    pub(crate) default_policy: Value,
    /// Of organizations by name, and of repositories by theirs.
    pub(crate) policies: BTreeMap<String, Vec<Value>>,
    /// Whether pins are immutable as they are pushed: by a policy of the namespace with this pattern.
    pub(crate) immutability: Option<&'static str>,
    /// Whether immutable tags can end by an expiry.
    pub(crate) can_expire: bool,
    /// What the organization caches; none for nothing, and then the server has no such organizations.
    pub(crate) upstream: Option<&'static str>,
    pub(crate) state: &'static str,
    /// Whether the namespace is a user's, and whose token it is.
    pub(crate) user: Option<&'static str>,
    /// What is set on tags as they are made, by their manifest's label.
    pub(crate) expires_after: Option<i64>,
    /// Scopes of the token.
    pub(crate) scopes: Vec<&'static str>,
}

impl World {
    /// The rows of a repository that are tags now.
    pub(crate) fn tags(&self, repository: &str) -> Vec<&Row> {
        self.rows.get(repository).into_iter().flatten().filter(|row| row.is_alive()).collect()
    }

    /// Everything of the repository as it would be so many seconds later.
    pub(crate) fn age(&mut self, repository: &str, seconds: i64) {
        for row in self.rows.get_mut(repository).into_iter().flatten() {
            row.start -= seconds;
            row.end = row.end.map(|end| end - seconds);
        }
    }
}

/// A running Quay; it ends when this is dropped.
pub(crate) struct Quay {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    world: Mutex<World>,
    inner: Registry,
    http: reqwest::Client,
    lies: Mutex<Vec<Lie>>,
    requests: Mutex<Vec<Logged>>,
    /// What calls were sent with, by path.
    sent: Mutex<Vec<(String, Option<String>)>>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

impl Quay {
    /// Starts one on a free port, with both features on and no policy.
    pub(crate) async fn start() -> Self {
        let options = Options { referrers: true, largest_page: 50, deletes_tags: true, ..Options::default() };
        let inner = Registry::start_with(options).await;
        let world = World {
            immutable_tags: true,
            auto_prune: true,
            state: "NORMAL",
            scopes: vec!["repo:read", "repo:write", "repo:admin", "org:admin"],
            ..World::default()
        };
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            inner,
            http: reqwest::Client::builder().no_proxy().build().expect("a client"),
            lies: Mutex::default(),
            requests: Mutex::default(),
            sent: Mutex::default(),
        });
        let app = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let (address, task) = super::serve::serve(app).await;
        Self { address, shared, task }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Looks into the database, or changes it.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        held(&self.shared.world)
    }

    /// From now on it lies so.
    pub(crate) fn lie(&self, lie: Lie) {
        held(&self.shared.lies).push(lie);
    }

    /// From now on it tells the truth.
    pub(crate) fn be_honest(&self) {
        held(&self.shared.lies).clear();
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Logged> {
        held(&self.shared.requests).clone()
    }

    /// Starts the logs of requests anew.
    pub(crate) fn forget_requests(&self) {
        held(&self.shared.requests).clear();
        held(&self.shared.sent).clear();
    }

    /// Requests that could change something.
    pub(crate) fn writes(&self) -> Vec<Logged> {
        let mut requests = self.requests();
        requests.retain(|request| !matches!(&*request.method, "GET" | "HEAD"));
        requests
    }

    /// The paths of calls that came with this text in their `Authorization`.
    pub(crate) fn sent_with(&self, text: &str) -> Vec<String> {
        let sent = held(&self.shared.sent);
        let with = sent.iter().filter(|(_, sent)| sent.as_ref().is_some_and(|sent| sent.contains(text)));
        with.map(|(path, _)| path.clone()).collect()
    }
}

impl Drop for Quay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request, read.
struct Call {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
}

impl Call {
    fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn authorization(&self) -> Option<&str> {
        self.headers.get(AUTHORIZATION).and_then(|sent| sent.to_str().ok())
    }
}

fn answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    held(&shared.requests).push(Logged { method: parts.method.to_string(), path });
    let body = to_bytes(body, 64 << 20).await.expect("a body of a test");
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let (method, path) = (parts.method, parts.uri.path().to_owned());
    let call = Call { method, path, query, headers: parts.headers, body };
    held(&shared.sent).push((call.path.clone(), call.authorization().map(str::to_owned)));
    match lied(&shared, &call) {
        Some(answer) => answer,
        None if call.path == "/config" || call.path.starts_with("/api/v1/") => api::answer(&shared, &call).await,
        None => protocol::answer(&shared, &call).await,
    }
}

fn lied(shared: &Shared, call: &Call) -> Option<Response> {
    let so = |status: u16| answer(status, &json!({ "error_message": "so it is", "status": status }));
    held(&shared.lies).iter_mut().find_map(|lie| match lie {
        Lie::Answer(method, text, status) if *method == call.method && call.path.contains(*text) => Some(so(*status)),
        Lie::Bare(method, text, status) if *method == call.method && call.path.contains(*text) => {
            let status = StatusCode::from_u16(*status).expect("a status");
            Some((status, [(CONTENT_TYPE, "text/html; charset=utf-8")], "<html>").into_response())
        }
        Lie::Throttles(text, left) if *left > 0 && call.path.contains(*text) => {
            *left -= 1;
            let mut answer = so(429);
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("0"));
            Some(answer)
        }
        _ => None,
    })
}

/// Which of the lies holds.
fn lies(shared: &Shared, is_it: impl Fn(&Lie) -> bool) -> bool {
    held(&shared.lies).iter().any(is_it)
}
