//! A stateful GitLab in this process: its REST API and GraphQL on one port and its container registry on another, made from GitLab's
//! description of both and from its sources. What holds bytes is the honest registry of `registry`, behind it.
//!
//! It keeps the habits that matter here: 404 stands for "not there" and for "not for you"; pages are 100 at the most, name the next
//! one and say how many rows there are; a project is shown to members with its cleanup policy and to others without; tag rules are
//! for Maintainers, and the REST API leaves the immutable ones out; the registry has no catalog, and takes tokens of GitLab alone.
#![allow(dead_code, reason = "each program that includes this uses its own part of it")]

mod api;
mod graphql;
mod protocol;
mod world;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use serde_json::json;

#[allow(unused_imports, reason = "each program that includes this uses its own part of it")]
pub(crate) use self::world::{Role, Token, World};
use super::behind::{Behind, Handed};
use super::registry::Logged;

/// What the stand-in does in place of the truth.
#[derive(Debug, Clone)]
pub(crate) enum Lie {
    /// A page of the REST lists under paths that end so is empty.
    LostPage(&'static str, usize),
    /// The same without what names the next one and says how many there are, and with its rows.
    LastPage(&'static str, usize),
    /// Calls of the API whose path holds this text are answered so, with GitLab's error document.
    Answer(&'static str, u16, &'static str),
    /// The same with a page of something in front of GitLab.
    Page(&'static str, u16),
    /// So many further calls of the API come too often.
    TooMany(usize),
    /// So many further calls of the API are answered with 502.
    Broken(usize),
    /// Tags are taken, and are not there.
    ForgetsPins,
    /// A page of tags in GraphQL, by number, has no rows.
    LostTags(usize),
}

/// A running GitLab; it ends when this is dropped.
pub(crate) struct GitLab {
    api: SocketAddr,
    registry: SocketAddr,
    shared: Arc<Shared>,
    tasks: [tokio::task::JoinHandle<()>; 2],
}

pub(crate) struct Shared {
    pub(super) world: Mutex<World>,
    pub(super) behind: Behind,
    lies: Mutex<Vec<Lie>>,
    requests: Mutex<Vec<Logged>>,
}

pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl GitLab {
    /// Starts one on two free ports.
    pub(crate) async fn start(tokens: Vec<Token>) -> Self {
        let shared = Arc::new(Shared {
            world: Mutex::new(World::new(tokens)),
            behind: Behind::start().await,
            lies: Mutex::default(),
            requests: Mutex::default(),
        });
        let of_api = Router::new().fallback(serve_api).with_state(Arc::clone(&shared));
        let of_registry = Router::new().fallback(serve_registry).with_state(Arc::clone(&shared));
        let (api, one) = super::serve::serve(of_api).await;
        let (registry, other) = super::serve::serve(of_registry).await;
        {
            let mut world = held(&shared.world);
            world.api = api.to_string();
            world.registry = registry.to_string();
        }
        Self { api, registry, shared, tasks: [one, other] }
    }

    /// The registry: `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.registry)
    }

    /// GitLab itself.
    pub(crate) fn gitlab(&self) -> String {
        format!("http://{}", self.api)
    }

    /// Where it sends for tokens.
    pub(crate) fn realm(&self) -> String {
        self.api.to_string()
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

    /// Every request so far, those of the API with `api:` in front of the path.
    pub(crate) fn requests(&self) -> Vec<Logged> {
        held(&self.shared.requests).clone()
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

impl Drop for GitLab {
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

/// User and secret of a `Basic` text, or of a token of this registry, which is worth as much.
pub(super) fn decoded(text: &str) -> Option<(String, String)> {
    let text = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    let text = String::from_utf8(text).ok()?;
    text.split_once(':').map(|(user, secret)| (user.to_owned(), secret.to_owned()))
}

/// An answer that is an error, as GitLab's API writes them.
pub(super) fn said(status: u16, message: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [(CONTENT_TYPE, "application/json")], json!({ "message": message }).to_string()).into_response()
}

async fn serve_api(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let call = Call::read(&shared, request, "api:").await;
    if call.path.starts_with("/jwt/auth") {
        return protocol::token(&shared, &call);
    }
    match lied(&shared, &call) {
        Some(answer) => answer,
        None => api::answer(&shared, &call),
    }
}

async fn serve_registry(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let call = Call::read(&shared, request, "").await;
    protocol::answer(&shared, &call).await
}

fn lied(shared: &Shared, call: &Call) -> Option<Response> {
    held(&shared.lies).iter_mut().find_map(|lie| match lie {
        Lie::Answer(text, status, message) if call.path.contains(*text) => Some(said(*status, message)),
        Lie::Page(text, status) if call.path.contains(*text) => {
            let status = StatusCode::from_u16(*status).expect("a status");
            Some((status, [(CONTENT_TYPE, "text/html")], "<html>404 page</html>").into_response())
        }
        Lie::TooMany(left) if *left > 0 => {
            *left -= 1;
            let mut answer = (StatusCode::TOO_MANY_REQUESTS, "Retry later\n").into_response();
            for (name, value) in [
                ("retry-after", "0"),
                ("ratelimit-limit", "2000"),
                ("ratelimit-remaining", "0"),
                ("ratelimit-reset", "1700000000"),
            ] {
                answer.headers_mut().insert(name, value.parse().expect("a header"));
            }
            Some(answer)
        }
        Lie::Broken(left) if *left > 0 => {
            *left -= 1;
            Some(said(502, "GitLab is not responding"))
        }
        Lie::LostPage(end, page) if call.path.ends_with(*end) && call.query("page") == Some(&page.to_string()) => {
            Some(([(CONTENT_TYPE, "application/json")], "[]").into_response())
        }
        _ => None,
    })
}

/// Whether this page is to be told as the last one.
pub(super) fn is_last(shared: &Shared, call: &Call) -> bool {
    held(&shared.lies).iter().any(|lie| match lie {
        Lie::LastPage(end, page) => call.path.ends_with(end) && call.query("page") == Some(&page.to_string()),
        _ => false,
    })
}

pub(super) fn loses_tags(shared: &Shared, page: usize) -> bool {
    held(&shared.lies).iter().any(|lie| matches!(lie, Lie::LostTags(lost) if *lost == page))
}

pub(super) fn forgets_pins(shared: &Shared) -> bool {
    held(&shared.lies).iter().any(|lie| matches!(lie, Lie::ForgetsPins))
}
