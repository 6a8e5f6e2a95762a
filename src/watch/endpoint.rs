//! `/healthz`, `/readyz` and `/metrics` over HTTP/1.1, for whoever may connect: it only tells, and takes nothing in.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use jiff::Timestamp;

use super::server::{Server, TEXT, page};
use super::{Events, Status};

const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The status, shared between the runs and the endpoint. No code panics while it holds it.
#[derive(Debug, Clone)]
pub struct Board(Arc<Mutex<Status>>);

impl Board {
    /// With this on it.
    #[must_use]
    pub fn new(status: Status) -> Self {
        Self(Arc::new(Mutex::new(status)))
    }

    /// The status, to read or to change; not to be held across a wait.
    pub fn status(&self) -> MutexGuard<'_, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A bound endpoint. It ends when this is dropped.
#[derive(Debug)]
pub struct Endpoint(Server);

impl Endpoint {
    /// Binds and answers from now on.
    pub async fn bind(address: SocketAddr, board: Board, events: Events) -> std::io::Result<Self> {
        let answers = move |request| std::future::ready(answer(&request, &board, &events, Timestamp::now()));
        Ok(Self(Server::bind(address, answers).await?))
    }

    /// Where it listens: with port 0, the port that was found.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

fn answer(request: &Request<Incoming>, board: &Board, events: &Events, now: Timestamp) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let reported = |state: Result<(), String>| match state {
        Ok(()) => page(StatusCode::OK, TEXT, "ok\n"),
        Err(reason) => page(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{reason}\n")),
    };
    match request.uri().path() {
        "/healthz" => reported(board.status().alive(now, Instant::now())),
        "/readyz" => reported(board.status().ready(now, Instant::now())),
        "/metrics" => {
            let status = board.status().clone();
            page(StatusCode::OK, METRICS, status.metrics() + &events.metrics())
        }
        _ => page(StatusCode::NOT_FOUND, TEXT, "there are /healthz, /readyz and /metrics\n"),
    }
}
