//! `POST /events/SOURCE`, on an address of its own: what is open to a registry need not be open to whoever reads metrics.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::Notify;

use super::notice::{self, Notice};
use super::pending::{Look, Pending};
use super::proof::{self, Admission};
use crate::model::{RepositoryName, SourceName};
use crate::policy::{Policy, SenderProof, SourceConfig};
use crate::watch::server::{Server, TEXT, page};

/// No event of any registry comes near this. What signs its body is read before it has proven itself: as many as may be
/// connected take no more memory than a small part of what a run is planned with.
const LARGEST: usize = 256 << 10;

/// How long a body may take to arrive.
const ARRIVING: Duration = Duration::from_secs(10);

/// How often requests were answered in each way.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    accepted: u64,
    refused: u64,
    unknown: u64,
}

#[derive(Debug, Default)]
struct Inner {
    /// Who may send what: replaced when the policy is read again.
    senders: BTreeMap<SourceName, (SenderProof, SourceConfig)>,
    pending: Pending,
    counts: Counts,
}

/// What events asked for: filled by the listener, taken by the loop that runs. No code panics while it holds it.
#[derive(Debug, Clone, Default)]
pub struct Events {
    inner: Arc<Mutex<Inner>>,
    heard: Arc<Notify>,
}

impl Events {
    /// By the senders of a policy, of these sources only (all if empty).
    #[must_use]
    pub fn new(policy: &Policy, only: &[SourceName]) -> Self {
        let events = Self::default();
        events.reload(policy, only);
        events
    }

    /// By another policy from now on.
    pub fn reload(&self, policy: &Policy, only: &[SourceName]) {
        let wanted = policy.events.iter().filter(|(name, _)| only.is_empty() || only.contains(name));
        let senders =
            wanted.filter_map(|(name, proof)| Some((name.clone(), (proof.clone(), policy.sources.get(name)?.clone()))));
        let mut inner = self.inner();
        inner.senders = senders.collect();
        let Inner { senders, pending, .. } = &mut *inner;
        pending.retain(|source| senders.contains_key(source));
    }

    /// Takes what is due to be looked at.
    #[must_use]
    pub fn take(&self) -> Option<Look> {
        self.inner().pending.take(Instant::now())
    }

    /// A run begins that looks at everything.
    pub fn clear(&self) {
        self.inner().pending.clear();
    }

    /// Returns once something is due.
    pub async fn due(&self) {
        loop {
            let heard = self.heard.notified();
            let due = self.inner().pending.due_at();
            match due {
                None => heard.await,
                Some(at) => tokio::select! {
                    () = heard => {}
                    () = tokio::time::sleep_until(at.into()) => return,
                },
            }
        }
    }

    /// In Prometheus' text format.
    #[must_use]
    pub fn metrics(&self) -> String {
        let Counts { accepted, refused, unknown } = self.inner().counts;
        let name = "prodpin_watch_events_total";
        format!(
            "# HELP {name} Push events by how they were answered.\n# TYPE {name} counter\n\
             {name}{{result=\"accepted\"}} {accepted}\n{name}{{result=\"refused\"}} {refused}\n\
             {name}{{result=\"unknown\"}} {unknown}\n"
        )
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts down what an event names of what the source selects. Everything else is nobody's business here.
    fn hear(&self, source: &SourceName, names: impl Iterator<Item = RepositoryName>) -> usize {
        let mut inner = self.inner();
        let Some((_, config)) = inner.senders.get(source) else { return 0 };
        let selected: Vec<RepositoryName> = names.filter(|name| config.selects(name.as_str())).collect();
        let count = selected.len();
        inner.pending.hear(source, selected, Instant::now());
        drop(inner);
        self.heard.notify_one();
        count
    }
}

/// A bound listener. It ends when this is dropped.
#[derive(Debug)]
pub struct Listener(Server);

impl Listener {
    /// Binds and takes events from now on.
    pub async fn bind(address: SocketAddr, events: Events) -> std::io::Result<Self> {
        let answers = move |request| {
            let events = events.clone();
            async move { counted(request, &events).await }
        };
        Ok(Self(Server::bind(address, answers).await?))
    }

    /// Where it listens: with port 0, the port that was found.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

async fn counted(request: Request<Incoming>, events: &Events) -> Response<Full<Bytes>> {
    let answered = answer(request, events).await;
    let counts = &mut events.inner().counts;
    match answered.status() {
        status if status.is_success() => counts.accepted += 1,
        StatusCode::UNAUTHORIZED => counts.refused += 1,
        _ => counts.unknown += 1,
    }
    answered
}

async fn answer(request: Request<Incoming>, events: &Events) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let Some((source, path)) = addressed(head.uri.path()) else {
        return page(StatusCode::NOT_FOUND, TEXT, "events go to /events/SOURCE\n");
    };
    // Who is no sender is not told which sources there are.
    let proof = events.inner().senders.get(&source).map(|(proof, _)| proof.clone());
    let Some(proof) = proof else { return refused() };
    let admission = proof::before(&proof, path, &head.headers);
    if admission == Admission::Refused {
        return refused();
    }
    match head.method {
        Method::POST => {}
        // The handshake of CloudEvents: a sender asks whether its events are wanted here.
        Method::OPTIONS if admission == Admission::Admitted => return wanted(&head.headers),
        _ => {
            let mut answer = page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "events are posted\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, OPTIONS"));
            return answer;
        }
    }
    let body = match tokio::time::timeout(ARRIVING, Limited::new(body, LARGEST).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return page(StatusCode::PAYLOAD_TOO_LARGE, TEXT, "an event of more than 256 KiB is not read\n");
        }
        Ok(Err(_)) | Err(_) => return page(StatusCode::REQUEST_TIMEOUT, TEXT, "the event did not arrive whole\n"),
    };
    if !proof::of_body(&proof, &head.headers, &body) {
        return refused();
    }
    let kind = ["ce-type", "x-github-event"].iter().find_map(|name| head.headers.get(*name)?.to_str().ok());
    match notice::read(kind, &body) {
        Ok(Notice::Repositories(names)) => match events.hear(&source, names.into_iter()) {
            0 => page(StatusCode::OK, TEXT, "nothing to look at\n"),
            1 => page(StatusCode::ACCEPTED, TEXT, "1 repository is looked at\n"),
            count => page(StatusCode::ACCEPTED, TEXT, format!("{count} repositories are looked at\n")),
        },
        Ok(Notice::Handshake(code)) => {
            let back = serde_json::json!({ "validationResponse": code });
            page(StatusCode::OK, "application/json", back.to_string())
        }
        Err(reason) => page(StatusCode::BAD_REQUEST, TEXT, format!("{reason}\n")),
    }
}

/// The source that an address names, and what follows.
fn addressed(path: &str) -> Option<(SourceName, Option<&str>)> {
    let rest = path.strip_prefix("/events/")?;
    let (source, secret) = match rest.split_once('/') {
        Some((source, secret)) => (source, Some(secret)),
        None => (rest, None),
    };
    Some((source.parse().ok()?, secret))
}

fn refused() -> Response<Full<Bytes>> {
    let mut answer = page(StatusCode::UNAUTHORIZED, TEXT, "this sender has not proven itself\n");
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

fn wanted(headers: &HeaderMap) -> Response<Full<Bytes>> {
    let mut answer = page(StatusCode::OK, TEXT, "");
    if let Some(origin) = headers.get("webhook-request-origin") {
        answer.headers_mut().insert("webhook-allowed-origin", origin.clone());
        answer.headers_mut().insert("webhook-allowed-rate", HeaderValue::from_static("120"));
    }
    answer
}
