//! A stateful Harbor in this process: its API v2.0 beside the registry protocol, answering as a live server of 2.15 did. What
//! holds bytes is the honest registry of `registry`, behind it.
//!
//! It keeps the habits that matter here: a stranger is shown public projects with 200, a missing repository lists as an empty
//! one, untagged children of an index are in no list, 101 to a page is refused, a tag is only ever created, a session cookie
//! forbids writes.
#![allow(dead_code, reason = "each program that includes this uses its own part of it")]

mod api;
mod audit;
pub(crate) mod description;
mod executions;
mod protocol;
mod world;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use serde_json::json;

use self::world::Project;
#[allow(unused_imports, reason = "each program that includes this uses its own part of it")]
pub(crate) use self::world::{Account, Ending, Execution, World};
use super::registry::{Logged, Options, Registry};

/// What the stand-in does in place of the truth.
#[derive(Debug, Clone)]
pub(crate) enum Lie {
    /// A page of the lists under paths that end so is empty.
    LostPage(&'static str, usize),
    /// One artifact is deleted once the first page of a list of artifacts was read, each time that it is.
    Vanishing,
    /// After so many further requests no credentials are taken any more.
    LogoutAfter(usize),
    /// Calls with this method whose path holds this text are answered so.
    Answer(Method, &'static str, u16, &'static str),
    /// The same by something in front that has no error documents.
    Bare(Method, &'static str, u16),
    /// Tags are created, and no list has them.
    ForgetsPins,
}

/// A running Harbor; it ends when this is dropped.
pub(crate) struct Harbor {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

pub(crate) struct Shared {
    pub(super) world: Mutex<World>,
    pub(super) inner: Registry,
    pub(super) http: reqwest::Client,
    lies: Mutex<Vec<Lie>>,
    requests: Mutex<Vec<Logged>>,
    /// What of them is not as the vendor describes the interface.
    departures: Mutex<Vec<String>>,
    /// Permissions that were asked of an account: resource and action.
    pub(super) used: Mutex<BTreeSet<(String, String)>>,
    cookies: Mutex<usize>,
}

pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Harbor {
    /// Starts one on a free port, without any project.
    pub(crate) async fn start(accounts: Vec<Account>) -> Self {
        let inner = Registry::start_with(Options { referrers: true, ..Options::default() }).await;
        let shared = Arc::new(Shared {
            world: Mutex::new(World::new(accounts)),
            inner,
            http: reqwest::Client::builder().no_proxy().build().expect("a client"),
            lies: Mutex::default(),
            requests: Mutex::default(),
            departures: Mutex::default(),
            used: Mutex::default(),
            cookies: Mutex::default(),
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

    /// Starts the logs of requests and permissions anew.
    pub(crate) fn forget_requests(&self) {
        held(&self.shared.requests).clear();
        held(&self.shared.used).clear();
    }

    /// Requests that could change something.
    pub(crate) fn writes(&self) -> Vec<Logged> {
        let mut requests = self.requests();
        requests.retain(|request| !matches!(&*request.method, "GET" | "HEAD"));
        requests
    }

    /// What of the requests is not as the vendor describes them. What nobody took is found when this is dropped.
    pub(crate) fn take_departures(&self) -> Vec<String> {
        std::mem::take(&mut *held(&self.shared.departures))
    }

    /// Permissions that were needed: `resource:action`.
    pub(crate) fn used(&self) -> BTreeSet<String> {
        held(&self.shared.used).iter().map(|(resource, action)| format!("{resource}:{action}")).collect()
    }

    /// How many requests brought a cookie.
    pub(crate) fn cookies(&self) -> usize {
        *held(&self.shared.cookies)
    }
}

impl Drop for Harbor {
    fn drop(&mut self) {
        self.task.abort();
        let departures = self.take_departures();
        // A test that failed says why itself.
        assert!(departures.is_empty() || std::thread::panicking(), "no calls of Harbor's API: {departures:#?}");
    }
}

/// One request, read.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The account whose credentials were taken.
    pub(super) who: Option<Account>,
}

impl Call {
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An answer that is an error, as Harbor writes them.
pub(super) struct Refusal(pub(super) StatusCode, pub(super) &'static str, pub(super) String);

pub(super) type Answer = Result<Response, Refusal>;

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "errors": [{ "code": self.1, "message": self.2 }] });
        (self.0, [(CONTENT_TYPE, "application/json; charset=utf-8")], body.to_string()).into_response()
    }
}

pub(super) fn refuse(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal(StatusCode::from_u16(status).expect("a status"), code, message.into())
}

/// Whether an account may do this in a project; what was asked is kept.
pub(super) fn must_be_allowed(
    shared: &Shared,
    call: &Call,
    resource: &str,
    action: &str,
    project: Option<&str>,
) -> Result<(), Refusal> {
    let account = call.who.as_ref().ok_or_else(|| refuse(401, "UNAUTHORIZED", "unauthorized"))?;
    held(&shared.used).insert((resource.to_owned(), action.to_owned()));
    match account.may(resource, action, project) {
        true => Ok(()),
        false => Err(refuse(403, "FORBIDDEN", "forbidden")),
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    held(&shared.requests).push(Logged { method: parts.method.to_string(), path });
    let body = to_bytes(body, 64 << 20).await.expect("a body of a test");
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let (method, path) = (parts.method, parts.uri.path().to_owned());
    if let Some(rest) = path.strip_prefix("/api/v2.0") {
        let departures = description::departures(method.as_str(), rest, &query, &body);
        held(&shared.departures).extend(departures);
    }
    let who = account(&shared, &parts.headers);
    let call = Call { method, path, query, headers: parts.headers, body, who };
    if call.headers.contains_key(COOKIE) {
        *held(&shared.cookies) += 1;
        if !matches!(call.method, Method::GET | Method::HEAD) {
            return refuse(403, "FORBIDDEN", "CSRF token not found in request").into_response();
        }
    }
    let answer = match lied(&shared, &call) {
        Some(answer) => Ok(answer),
        None if call.path.starts_with("/api/v2.0/") => api::answer(&shared, &call),
        None => protocol::answer(&shared, &call).await,
    };
    let mut answer = answer.unwrap_or_else(IntoResponse::into_response);
    answer.headers_mut().insert(SET_COOKIE, HeaderValue::from_static("sid=0123456789abcdef; Path=/; HttpOnly"));
    answer
}

fn lied(shared: &Shared, call: &Call) -> Option<Response> {
    held(&shared.lies).iter().find_map(|lie| match lie {
        Lie::Answer(method, text, status, code) if *method == call.method && call.path.contains(text) => {
            Some(refuse(*status, code, "so it is").into_response())
        }
        Lie::Bare(method, text, status) if *method == call.method && call.path.contains(text) => {
            Some((StatusCode::from_u16(*status).expect("a status"), "no route").into_response())
        }
        Lie::LostPage(end, page) if call.path.ends_with(end) && call.query("page") == Some(&page.to_string()) => {
            Some(([(CONTENT_TYPE, "application/json")], "[]").into_response())
        }
        _ => None,
    })
}

/// Whose credentials these are, by password or by a token that was made of one.
fn account(shared: &Shared, headers: &HeaderMap) -> Option<Account> {
    let is_out = held(&shared.lies).iter_mut().any(|lie| match lie {
        Lie::LogoutAfter(0) => true,
        Lie::LogoutAfter(left) => {
            *left -= 1;
            false
        }
        _ => false,
    });
    let sent = headers.get(AUTHORIZATION).filter(|_| !is_out)?.to_str().ok()?;
    let encoded = sent.strip_prefix("Basic ").or_else(|| sent.strip_prefix("Bearer "))?;
    let text = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (name, secret) = text.split_once(':')?;
    let world = held(&shared.world);
    let found = world.accounts.iter().find(|account| account.name == name && account.secret == secret)?;
    (!found.disabled).then(|| found.clone())
}

/// Whether a list of artifacts is to lose one now.
pub(super) fn is_vanishing(shared: &Shared) -> bool {
    held(&shared.lies).iter().any(|lie| matches!(lie, Lie::Vanishing))
}

pub(super) fn forgets_pins(shared: &Shared) -> bool {
    held(&shared.lies).iter().any(|lie| matches!(lie, Lie::ForgetsPins))
}
