//! A stateful Quay in this process: `/config` and its API v1 beside the registry protocol, answering as its own application did
//! (the captures of 3.18). What holds bytes is the honest registry of `registry`, behind it.
//!
//! It keeps the habits that matter here: tags have history, one PUT locks whatever the tag names, with the feature off that PUT
//! answers 201 and does nothing, unknown and not allowed are both 403, and nobody but an owner reads an organization's policies.
#![allow(dead_code, reason = "each program that includes this uses its own part of it")]

mod api;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use prodpin::model::Digest;
use serde_json::{Value, json};

use super::registry::{Logged, Options, Registry};

/// The token that may do everything.
pub(crate) const TOKEN: &str = "owner-token";

/// What the stand-in does in place of the truth.
#[derive(Debug, Clone)]
pub(crate) enum Lie {
    /// Calls with this method whose path holds this text are answered so.
    Answer(Method, &'static str, u16),
    /// This page of lists of tags is empty and the last one.
    LostPage(usize),
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
    fn is_alive(&self) -> bool {
        self.end.is_none_or(|end| end > now())
    }
}

/// What it keeps beside bytes.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// The oldest first.
    pub(crate) rows: BTreeMap<String, Vec<Row>>,
    pub(crate) immutable_tags: bool,
    pub(crate) auto_prune: bool,
    pub(crate) default_policy: Value,
    /// Of organizations by name, and of repositories by theirs.
    pub(crate) policies: BTreeMap<String, Vec<Value>>,
    pub(crate) state: &'static str,
    /// What is set on tags as they are made, by their manifest's label.
    pub(crate) expires_after: Option<i64>,
    /// Scopes of the token.
    pub(crate) scopes: Vec<&'static str>,
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
        let inner = Registry::start_with(Options { referrers: true, largest_page: 50, ..Options::default() }).await;
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

    /// Starts the log of requests anew.
    pub(crate) fn forget_requests(&self) {
        held(&self.shared.requests).clear();
    }

    /// Requests that could change something.
    pub(crate) fn writes(&self) -> Vec<Logged> {
        let mut requests = held(&self.shared.requests).clone();
        requests.retain(|request| !matches!(&*request.method, "GET" | "HEAD"));
        requests
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

    fn has_token(&self) -> bool {
        let sent = self.headers.get(AUTHORIZATION).and_then(|sent| sent.to_str().ok());
        sent == Some(&format!("Bearer {TOKEN}"))
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
    let lied = held(&shared.lies).iter().find_map(|lie| match lie {
        Lie::Answer(method, text, status) if *method == call.method && call.path.contains(text) => Some(*status),
        _ => None,
    });
    match lied {
        Some(status) => answer(status, &json!({ "error_message": "so it is", "status": status })),
        None if call.path == "/config" || call.path.starts_with("/api/v1/") => api::answer(&shared, &call),
        None => protocol(&shared, &call).await,
    }
}

/// The registry protocol, through Quay: an immutable tag is neither moved nor deleted.
async fn protocol(shared: &Shared, call: &Call) -> Response {
    let named = call.path.strip_prefix("/v2/").and_then(|rest| rest.rsplit_once("/manifests/"));
    let Some((repository, reference)) = named.filter(|_| matches!(call.method, Method::PUT | Method::DELETE)) else {
        return forward(shared, call).await;
    };
    let is_held = held(&shared.world).rows.get(repository).is_some_and(|rows| {
        rows.iter().any(|row| row.is_alive() && row.immutable && (row.name == reference || row.digest == reference))
    });
    let moves = call.method == Method::PUT && reference.parse::<Digest>().is_ok();
    if is_held && !moves {
        return answer(409, &json!({ "errors": [{ "code": "TAG_IMMUTABLE", "message": "tag is immutable" }] }));
    }
    let done = forward(shared, call).await;
    if !done.status().is_success() {
        return done;
    }
    let mut world = held(&shared.world);
    let expires = world.expires_after;
    let rows = world.rows.entry(repository.to_owned()).or_default();
    let ended = rows.iter_mut().filter(|row| row.is_alive() && (row.name == reference || row.digest == reference));
    if !moves {
        ended.for_each(|row| row.end = Some(now()));
    }
    if call.method == Method::PUT && !moves {
        let digest = Digest::sha256(&call.body).to_string();
        let end = expires.map(|span| now() + span);
        rows.push(Row { name: reference.to_owned(), digest, start: now(), end, immutable: false });
    }
    done
}

/// The same call to the registry behind.
async fn forward(shared: &Shared, call: &Call) -> Response {
    let mut url: reqwest::Url = format!("{}{}", shared.inner.url(), call.path).parse().expect("an address");
    url.query_pairs_mut().extend_pairs(&call.query);
    let mut headers = call.headers.clone();
    for name in ["authorization", "host", "content-length", "transfer-encoding"] {
        headers.remove(name);
    }
    let sent = shared.http.request(call.method.clone(), url).headers(headers).body(call.body.clone());
    let done = sent.send().await.expect("the registry behind answers");
    let (status, headers) = (done.status(), done.headers().clone());
    let body = done.bytes().await.expect("its body");
    let mut response = (status, Body::from(body)).into_response();
    for (name, value) in &headers {
        let is_framing = matches!(name.as_str(), "content-length" | "transfer-encoding" | "connection" | "date");
        if !is_framing || (call.method == Method::HEAD && name == "content-length") {
            response.headers_mut().insert(name.clone(), value.clone());
        }
    }
    response
}
