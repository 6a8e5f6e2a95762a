//! A stateful Azure container registry in this process: `/acr/v1` beside the registry protocol, as its reference describes
//! it and its own command line expects it. What holds bytes is the honest registry of `registry`, behind it.
//!
//! It keeps the habits that matter here: every call wants a token of its own scope, lists come 100 at a time and go on behind
//! `last`, tags and manifests have times and locks each, what is locked answers 405 to whoever would delete or move it, and a
//! lock on an index is none on what it lists.
#![allow(dead_code, reason = "each program that includes this uses its own part of it")]

mod metadata;
mod protocol;
mod world;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use serde_json::json;

pub(crate) use self::world::{Account, World};
use super::registry::{Logged, Options, Registry};

/// What the stand-in does in place of the truth.
#[derive(Debug, Clone)]
pub(crate) enum Lie {
    /// This page of the lists that are called so is empty.
    EmptyPage(&'static str, usize),
    /// This page is left out: the one behind it comes in its place.
    SkippedPage(&'static str, usize),
    /// No page says that there is a next one.
    NoLinks,
    /// One manifest goes each time that the first page of a list of manifests was read.
    Vanishing,
    /// Calls with this method whose path holds this text are answered so.
    Answer(Method, &'static str, u16, &'static str),
    /// The same by something in front that has no error documents.
    Bare(Method, &'static str, u16),
    /// The next so many calls whose path holds this text are told to wait.
    Throttles(&'static str, usize),
    /// After so many further calls no token is taken any more.
    LogoutAfter(usize),
    /// Locks are taken, and nothing is locked.
    ForgetsLocks,
}

/// A running registry; it ends when this is dropped.
pub(crate) struct Acr {
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
    /// Scopes for which tokens were asked.
    scopes: Mutex<Vec<String>>,
}

pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Acr {
    /// Starts one on a free port, without any repository.
    pub(crate) async fn start(accounts: Vec<Account>) -> Self {
        let inner = Registry::start_with(Options { referrers: true, ..Options::default() }).await;
        let shared = Arc::new(Shared {
            world: Mutex::new(World::new(accounts)),
            inner,
            http: reqwest::Client::builder().no_proxy().build().expect("a client"),
            lies: Mutex::default(),
            requests: Mutex::default(),
            scopes: Mutex::default(),
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

    /// Starts the logs of requests and scopes anew.
    pub(crate) fn forget_requests(&self) {
        held(&self.shared.requests).clear();
        held(&self.shared.scopes).clear();
    }

    /// Requests that could change something.
    pub(crate) fn writes(&self) -> Vec<Logged> {
        let mut requests = self.requests();
        requests.retain(|request| !matches!(&*request.method, "GET" | "HEAD"));
        requests
    }

    /// The scopes for which tokens were asked.
    pub(crate) fn scopes(&self) -> Vec<String> {
        held(&self.shared.scopes).clone()
    }
}

impl Drop for Acr {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request, read.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The scopes that its token opens; none without a token that is taken.
    granted: Option<Vec<String>>,
}

impl Call {
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether its token opens this.
    pub(super) fn may(&self, scope: &str, action: &str) -> Result<(), Refusal> {
        let opens = |granted: &String| {
            granted
                .rsplit_once(':')
                .is_some_and(|(of, actions)| of == scope && actions.split(',').any(|it| it == action))
        };
        match self.granted.iter().flatten().any(opens) {
            true => Ok(()),
            false => Err(Refusal { challenge: Some(format!("{scope}:{action}")), ..refuse(401, "UNAUTHORIZED", "no") }),
        }
    }
}

/// An answer that is an error, as the registry writes them.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// The scope that is asked for.
    pub(super) challenge: Option<String>,
}

pub(super) type Answer = Result<Response, Refusal>;

impl Refusal {
    fn into_answer(self, host: &str) -> Response {
        let body = json!({ "errors": [{ "code": self.code, "message": self.message, "detail": null }] });
        let kind = [(CONTENT_TYPE, "application/json; charset=utf-8")];
        let mut answer = (self.status, kind, body.to_string()).into_response();
        if let Some(scope) = self.challenge {
            let realm = format!(
                "Bearer realm=\"http://{host}/oauth2/token\",service=\"{host}\",scope=\"{scope}\",error=\"invalid_token\""
            );
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_str(&realm).expect("a header"));
        }
        answer
    }
}

pub(super) fn refuse(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
    let status = StatusCode::from_u16(status).expect("a status");
    Refusal { status, code, message: message.into(), challenge: None }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    held(&shared.requests).push(Logged { method: parts.method.to_string(), path });
    let body = to_bytes(body, 64 << 20).await.expect("a body of a test");
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let (method, path) = (parts.method, parts.uri.path().to_owned());
    let granted = granted(&shared, &parts.headers);
    let call = Call { method, path, query, headers: parts.headers, body, granted };
    let answer = match lied(&shared, &call) {
        Some(answer) => Ok(answer),
        None if call.path == "/oauth2/token" => token(&shared, &call),
        None if call.path == "/oauth2/exchange" => exchange(&shared, &call),
        None if call.path.starts_with("/acr/v1/") => metadata::answer(&shared, &call),
        None => protocol::answer(&shared, &call).await,
    };
    let host = call.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    answer.unwrap_or_else(|refusal| refusal.into_answer(&host))
}

fn lied(shared: &Shared, call: &Call) -> Option<Response> {
    held(&shared.lies).iter_mut().find_map(|lie| match lie {
        Lie::Answer(method, text, status, code) if *method == call.method && call.path.contains(*text) => {
            Some(refuse(*status, code, "so it is").into_answer(""))
        }
        Lie::Bare(method, text, status) if *method == call.method && call.path.contains(*text) => {
            Some((StatusCode::from_u16(*status).expect("a status"), "no route").into_response())
        }
        Lie::Throttles(text, left) if *left > 0 && call.path.contains(*text) => {
            *left -= 1;
            let mut answer = refuse(429, "TOOMANYREQUESTS", "too many requests").into_answer("");
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("0"));
            Some(answer)
        }
        _ => None,
    })
}

/// Which of the lies holds.
pub(super) fn lies(shared: &Shared, is_it: impl Fn(&Lie) -> bool) -> bool {
    held(&shared.lies).iter().any(is_it)
}

/// What a form says.
fn form(call: &Call, name: &str) -> Option<String> {
    let said = url::form_urlencoded::parse(&call.body).find(|(key, _)| key == name);
    said.map(|(_, value)| value.into_owned())
}

/// An access token is `access:USER:PASSWORD` here, and an identity token `identity:USER:PASSWORD`.
fn exchange(shared: &Shared, call: &Call) -> Answer {
    let is_asked = call.method == Method::POST && form(call, "grant_type").as_deref() == Some("access_token");
    let sent = form(call, "access_token").unwrap_or_default();
    let user = sent.strip_prefix("access:").filter(|_| is_asked && form(call, "service").is_some());
    let user = user.ok_or_else(|| refuse(401, "UNAUTHORIZED", "authentication required"))?;
    let known = held(&shared.world).accounts.iter().any(|it| format!("{}:{}", it.name, it.secret) == user);
    match known {
        true => Ok((
            [(CONTENT_TYPE, "application/json")],
            json!({ "refresh_token": format!("identity:{user}") }).to_string(),
        )
            .into_response()),
        false => Err(refuse(401, "UNAUTHORIZED", "authentication required")),
    }
}

/// A token that says what it opens: what was asked for, as far as the account may do it.
fn token(shared: &Shared, call: &Call) -> Answer {
    let sent = call.headers.get(AUTHORIZATION).and_then(|sent| sent.to_str().ok()).unwrap_or_default();
    let by_password = decoded(sent.strip_prefix("Basic ").unwrap_or_default()).filter(|_| call.method == Method::GET);
    let by_identity = form(call, "refresh_token").filter(|_| call.method == Method::POST);
    let by_identity = by_identity.and_then(|token| token.strip_prefix("identity:").map(str::to_owned));
    let text = by_password.or(by_identity).unwrap_or_default();
    let (name, secret) = text.split_once(':').unwrap_or_default();
    let scope = call.query("scope").map(str::to_owned).or_else(|| form(call, "scope")).unwrap_or_default();
    held(&shared.scopes).push(scope.clone());
    let world = held(&shared.world);
    let account = world.accounts.iter().find(|account| account.name == name && account.secret == secret);
    let account = account.ok_or_else(|| refuse(401, "UNAUTHORIZED", "authentication required"))?;
    let (of, actions) = scope.rsplit_once(':').unwrap_or_default();
    let actions: Vec<&str> = actions.split(',').filter(|action| account.may(of, action)).collect();
    let text = format!("{name}\n{secret}\n{of}:{}", actions.join(","));
    let token = base64::engine::general_purpose::STANDARD.encode(text);
    Ok(([(CONTENT_TYPE, "application/json")], json!({ "access_token": token }).to_string()).into_response())
}

fn decoded(encoded: &str) -> Option<String> {
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(encoded).ok()?).ok()
}

/// What the token of a call opens; none if there is none that is taken.
fn granted(shared: &Shared, headers: &HeaderMap) -> Option<Vec<String>> {
    let sent = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let is_out = held(&shared.lies).iter_mut().any(|lie| match lie {
        Lie::LogoutAfter(0) => true,
        Lie::LogoutAfter(left) => {
            *left -= 1;
            false
        }
        _ => false,
    });
    let text = decoded(sent.strip_prefix("Bearer ")?).filter(|_| !is_out)?;
    let mut parts = text.splitn(3, '\n');
    let (name, secret) = (parts.next()?, parts.next()?);
    let world = held(&shared.world);
    let known = world.accounts.iter().any(|account| account.name == name && account.secret == secret);
    known.then(|| vec![parts.next().unwrap_or_default().to_owned()])
}
