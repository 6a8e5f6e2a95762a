//! `/healthz`, `/readyz` and `/metrics` over HTTP/1.1, for whoever may connect: it only tells, and takes nothing in.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::Status;

/// Probes and a scraper or two need far less. The oldest connection makes room for one more: whoever opens many and
/// says nothing keeps no probe from its answer.
const CONNECTIONS: usize = 64;

/// How long a connection may take to ask, and how long it may last.
const ASKING: Duration = Duration::from_secs(5);
const LASTING: Duration = Duration::from_secs(60);

const TEXT: &str = "text/plain; charset=utf-8";
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
pub struct Endpoint {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Endpoint {
    /// Binds and answers from now on.
    pub async fn bind(address: SocketAddr, board: Board) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { address, task: tokio::spawn(accept(listener, board)) })
    }

    /// Where it listens: with port 0, the port that was found.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, board: Board) {
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Descriptors may be short for a moment; asking again at once would only burn.
                tracing::debug!("cannot take a connection: {error}");
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        open.retain(|connection| !connection.is_finished());
        if open.len() >= CONNECTIONS
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        let board = board.clone();
        let connection = tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer(&request, &board, Timestamp::now());
                async move { Ok::<_, Infallible>(answer) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(ASKING).max_headers(64).max_buf_size(16 << 10);
            let _ = tokio::time::timeout(LASTING, http.serve_connection(TokioIo::new(stream), service)).await;
        });
        open.push_back(connection.abort_handle());
    }
}

fn answer(request: &Request<Incoming>, board: &Board, now: Timestamp) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".to_owned());
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let reported = |state: Result<(), String>| match state {
        Ok(()) => page(StatusCode::OK, TEXT, "ok\n".to_owned()),
        Err(reason) => page(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{reason}\n")),
    };
    match request.uri().path() {
        "/healthz" => reported(board.status().alive(now, Instant::now())),
        "/readyz" => reported(board.status().ready(now, Instant::now())),
        "/metrics" => {
            let status = board.status().clone();
            page(StatusCode::OK, METRICS, status.metrics())
        }
        _ => page(StatusCode::NOT_FOUND, TEXT, "there are /healthz, /readyz and /metrics\n".to_owned()),
    }
}

fn page(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
