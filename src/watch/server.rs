//! A small HTTP/1.1 server for whoever may connect: bounded in connections, in what they send and in how long they last.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// Far more than probes, a scraper and a registry need. The oldest connection makes room for one more: whoever opens many
/// and says nothing keeps nobody from an answer.
const CONNECTIONS: usize = 64;

/// How long a connection may take to ask, and how long it may last.
const ASKING: Duration = Duration::from_secs(5);
const LASTING: Duration = Duration::from_secs(60);

/// What is said in plain words.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// A bound address. Nobody is answered there any more once this is dropped.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Binds, and has each request answered by `answer` from now on.
    pub(super) async fn bind<A, F>(address: SocketAddr, answer: A) -> std::io::Result<Self>
    where
        A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { address, task: tokio::spawn(accept(listener, answer)) })
    }

    /// Where it listens: with port 0, the port that was found.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept<A, F>(listener: TcpListener, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
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
        let answer = answer.clone();
        let connection = tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answered = answer(request);
                async move { Ok::<_, Infallible>(answered.await) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(ASKING).max_headers(64).max_buf_size(16 << 10);
            let _ = tokio::time::timeout(LASTING, http.serve_connection(TokioIo::new(stream), service)).await;
        });
        open.push_back(connection.abort_handle());
    }
}

/// One answer.
pub(super) fn page(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
