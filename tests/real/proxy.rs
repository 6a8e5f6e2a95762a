//! A reverse proxy that notes what arrives, and takes its time where it is told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use axum::response::Response;
use tokio::net::TcpListener;

/// In front of one server.
#[derive(Clone)]
pub(crate) struct Proxy {
    address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    upstream: String,
    delay: Duration,
    http: reqwest::Client,
    seen: Mutex<Vec<(String, String)>>,
}

impl Proxy {
    /// Starts one in front of this URL, which holds every request back for so long.
    pub(crate) async fn start(upstream: &str, delay: Duration) -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let http = http.build().expect("a client without options");
        let upstream = upstream.trim_end_matches('/').to_owned();
        let inner = Arc::new(Inner { upstream, delay, http, seen: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, inner }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests arrived.
    pub(crate) fn count(&self) -> usize {
        self.inner.seen.lock().expect("no panic while held").len()
    }

    /// What arrived and is no reading: method and path.
    pub(crate) fn writes(&self) -> Vec<(String, String)> {
        let seen = self.inner.seen.lock().expect("no panic while held");
        seen.iter().filter(|(method, _)| !matches!(method.as_str(), "GET" | "HEAD")).cloned().collect()
    }

    /// Forgets what arrived so far.
    pub(crate) fn forget(&self) {
        self.inner.seen.lock().expect("no panic while held").clear();
    }
}

async fn pass(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    inner.seen.lock().expect("no panic while held").push((parts.method.to_string(), path.to_owned()));
    tokio::time::sleep(inner.delay).await;
    let body = axum::body::to_bytes(body, 16 << 20).await.expect("a small request");
    let answer =
        inner.http.request(parts.method, format!("{}{path}", inner.upstream)).headers(parts.headers).body(body);
    let answer = match answer.send().await {
        Ok(answer) => answer,
        Err(error) => {
            let mut response = Response::new(Body::from(error.to_string()));
            *response.status_mut() = axum::http::StatusCode::BAD_GATEWAY;
            return response;
        }
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    for hop_by_hop in [TRANSFER_ENCODING, CONNECTION] {
        response.headers_mut().remove(hop_by_hop);
    }
    *response.body_mut() = Body::from_stream(answer.bytes_stream());
    response
}
