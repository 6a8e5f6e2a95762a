//! A cluster, and the one way to ask it anything: what its gate lets through, with a limit on how long and how much (I17,
//! I20).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use jiff::Timestamp;
use kube::config::{Config, KubeconfigError};
use tokio::sync::RwLock;

use super::question::{Gate, Question};
use super::{client_certificate, exec, kubeconfig};
use prodpin_core::model::Cause;
use prodpin_net::http::{USER_AGENT, retry_after};
use prodpin_net::{blocking, jitter, memory};
use prodpin_policy::ClusterAccess;

const SET_UP_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// One page, with the retries of what is busy.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);
const TRIES: u32 = 5;
/// Whether there is a server at all.
const TRIES_UNANSWERED: u32 = 3;
const HEAD_START: Duration = Duration::from_secs(5);
/// Whether a kind is there at all, with one retry.
const PEEK_TIMEOUT: Duration = Duration::from_secs(10);
const PEEKS: u32 = 2;
/// The first wait between two tries; it doubles.
const BACKOFF: Duration = Duration::from_millis(500);
/// Between two packets of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A page of 500 pods with all their fields is some 15 MiB. Several are read at once, so each has a part of the budget.
pub(super) fn most_bytes() -> usize {
    memory::budget().part(8, 16 << 20, 64 << 20)
}

/// A dry run, with one retry.
const DRY_RUN_TIMEOUT: Duration = Duration::from_secs(30);
const DRY_RUNS: u32 = 2;

/// A server's words in our sentences: enough to understand, not enough to flood.
const MOST_WORDS: usize = 200;

/// Its words as they came, for whoever decides on them.
const MOST_SAID: usize = 2_000;

/// An API server that can only be read, or in which dry runs may be made beside that.
pub(super) struct Cluster {
    client: RwLock<Client>,
    /// What leaves this process for it.
    gate: Gate,
    /// How it is reported from others where its files are read.
    place: String,
    /// How to get there, with the program that has the credentials; none if there is none.
    renewable: Option<Config>,
    deadline: Option<Instant>,
}

#[derive(Clone)]
struct Client {
    client: kube::Client,
    /// How often its credentials were renewed.
    renewed: u32,
    /// Whether they were ever taken: others are no better when they are had a second time.
    proven: Arc<AtomicBool>,
}

impl Client {
    fn new(client: kube::Client, renewed: u32) -> Self {
        Self { client, renewed, proven: Arc::default() }
    }
}

/// Credentials of a program last for minutes or hours: a reading that takes longer asks it again, and no more often.
const RENEWALS: u32 = 8;

/// A question that was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KubernetesFailure {
    pub(super) cause: Cause,
    pub(super) status: Option<StatusCode>,
    /// How long the server asks to wait.
    pub(super) wait: Option<Duration>,
    pub(super) reason: String,
    /// The server's own words, where it is Kubernetes that answered.
    pub(super) said: Option<String>,
}

impl fmt::Display for KubernetesFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl KubernetesFailure {
    pub(super) fn new(cause: Cause, reason: impl Into<String>) -> Self {
        Self { cause, status: None, wait: None, reason: reason.into(), said: None }
    }

    fn late() -> Self {
        Self::new(Cause::TimedOut, "the API server did not answer in time")
    }

    /// What an answer that is no success means. Of a server's own words only the first are reported.
    fn from_response(status: StatusCode, body: &[u8]) -> Self {
        #[derive(serde::Deserialize)]
        struct Status {
            kind: Option<String>,
            message: Option<String>,
        }
        let answer = serde_json::from_slice::<Status>(body).ok();
        let is_kubernetes = answer.as_ref().is_some_and(|answer| answer.kind.as_deref() == Some("Status"));
        let message = answer.and_then(|status| status.message);
        let said = message.as_deref().filter(|_| is_kubernetes).map(|words| words.chars().take(MOST_SAID).collect());
        let words: String = message.unwrap_or_default().chars().take(MOST_WORDS).collect();
        let cause = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Cause::Denied,
            StatusCode::NOT_FOUND => Cause::NotFound,
            StatusCode::TOO_MANY_REQUESTS => Cause::Throttled,
            status if status.is_server_error() => Cause::ServerError,
            status if status.is_redirection() => Cause::Refused,
            _ => Cause::Malformed,
        };
        let reason = match words.is_empty() {
            true => format!("the API server answered {}", status.as_u16()),
            false => format!("the API server answered {}: {words}", status.as_u16()),
        };
        Self { cause, status: Some(status), wait: None, reason, said }
    }
}

impl Cluster {
    /// Sets the client up. Nothing is asked yet.
    pub(super) async fn connect(access: &ClusterAccess, deadline: Option<Instant>) -> Result<Self, KubernetesFailure> {
        Self::through(Gate::Reads, access, deadline).await
    }

    /// The same for one in which dry runs are made.
    pub(super) async fn rehearsing(
        access: &ClusterAccess,
        deadline: Option<Instant>,
    ) -> Result<Self, KubernetesFailure> {
        Self::through(Gate::Rehearses, access, deadline).await
    }

    async fn through(gate: Gate, access: &ClusterAccess, deadline: Option<Instant>) -> Result<Self, KubernetesFailure> {
        let place = kubeconfig::place(access);
        let mut config = kubeconfig::configured(access, set_up_until(deadline)).await?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(READ_TIMEOUT);
        // Its own retries know no deadline, and double up to half a minute whatever is asked (F134).
        config.default_retry = false;
        config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(USER_AGENT)));
        let renewable = config.auth_info.exec.is_some().then(|| config.clone());
        let client = set_up(&place, config, deadline).await?;
        Ok(Self { client: RwLock::new(Client::new(client, 0)), gate, place, renewable, deadline })
    }

    /// Asks the program for credentials again, if those that are refused were good before, and unless somebody has done so
    /// since.
    async fn renew(&self, refused: &Client) -> Result<bool, KubernetesFailure> {
        let Some(config) = self.renewable.as_ref().filter(|_| refused.proven.load(Ordering::Relaxed)) else {
            return Ok(false);
        };
        let mut current = self.client.write().await;
        if current.renewed > refused.renewed {
            return Ok(true);
        }
        if current.renewed >= RENEWALS {
            return Ok(false);
        }
        let client = set_up(&self.place, config.clone(), self.deadline).await?;
        *current = Client::new(client, current.renewed + 1);
        Ok(true)
    }

    /// How long what should be read first may hold up the rest.
    pub(super) fn head_start(&self) -> Duration {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()) / 4);
        left.map_or(HEAD_START, |left| left.min(HEAD_START))
    }

    /// Asks for one path that the answer depends on. What is busy is asked again, for as long as there is time.
    pub(super) async fn get(&self, path: &str) -> Result<Bytes, KubernetesFailure> {
        self.ask(&Question::get(path), TRIES, CALL_TIMEOUT).await
    }

    /// Asks for something small, or makes a dry run: neither leaves anything, so that either may be asked again.
    pub(super) async fn try_out(&self, question: &Question) -> Result<Bytes, KubernetesFailure> {
        self.ask(question, DRY_RUNS, DRY_RUN_TIMEOUT).await
    }

    /// Asks for what a cluster may do without: shortly, because everything else waits for it (F134).
    pub(super) async fn peek(&self, path: &str) -> Result<Bytes, KubernetesFailure> {
        self.ask(&Question::get(path), PEEKS, PEEK_TIMEOUT).await
    }

    async fn ask(&self, question: &Question, tries: u32, limit: Duration) -> Result<Bytes, KubernetesFailure> {
        let latest = Instant::now() + limit;
        let until = self.deadline.map_or(latest, |deadline| deadline.min(latest));
        let (mut failures, mut renewed) = (0, false);
        loop {
            let asked = self.client.read().await.clone();
            let failure = match tokio::time::timeout_at(until.into(), self.ask_now(&asked.client, question)).await {
                Ok(Ok(body)) => {
                    asked.proven.store(true, Ordering::Relaxed);
                    return Ok(body);
                }
                Ok(Err(failure)) => failure,
                Err(_) => return Err(KubernetesFailure::late()),
            };
            if failure.status == Some(StatusCode::UNAUTHORIZED) && !renewed && self.renew(&asked).await? {
                renewed = true;
                continue;
            }
            failures += 1;
            let busy = failure.status.is_some_and(|status| matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504));
            // Without a status nothing was answered: the connection broke, or there was none.
            let broke = failure.status.is_none() && failure.cause == Cause::Unreachable;
            let tries = if broke { tries.min(TRIES_UNANSWERED) } else { tries };
            if failures >= tries || !(busy || broke) {
                return Err(failure);
            }
            let own = || jitter::wait(jitter::backoff(BACKOFF, failures, Duration::MAX));
            let wait = failure.wait.map_or_else(own, |asked| asked.max(BACKOFF));
            if Instant::now() + wait >= until {
                return Err(failure);
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn ask_now(&self, client: &kube::Client, question: &Question) -> Result<Bytes, KubernetesFailure> {
        let request = question.request(self.gate).map_err(|reason| KubernetesFailure::new(Cause::Refused, reason))?;
        let unreachable = |error: kube::Error| KubernetesFailure::new(cause_of(&error), chain(&error));
        let response = client.send(request).await.map_err(unreachable)?;
        let status = response.status();
        let wait = retry_after(response.headers(), Timestamp::now());
        let most = most_bytes();
        let body = Limited::new(response.into_body(), most).collect().await.map_err(|error| match error
            .downcast_ref::<LengthLimitError>()
        {
            Some(_) => {
                let reason = format!("the answer is larger than the {} MiB that are read of one", most >> 20);
                KubernetesFailure::new(Cause::Malformed, reason)
            }
            None => KubernetesFailure::new(Cause::Unreachable, chain(error.as_ref())),
        })?;
        let body = body.to_bytes();
        if status.is_success() {
            Ok(body)
        } else {
            Err(KubernetesFailure { wait, ..KubernetesFailure::from_response(status, &body) })
        }
    }
}

/// What is to be read before anything can be asked is read by then.
fn set_up_until(deadline: Option<Instant>) -> Instant {
    let latest = Instant::now() + SET_UP_TIMEOUT;
    deadline.map_or(latest, |deadline| deadline.min(latest))
}

/// A client with credentials that were just had.
async fn set_up(place: &str, mut config: Config, deadline: Option<Instant>) -> Result<kube::Client, KubernetesFailure> {
    exec::resolve(&mut config.auth_info, deadline).await?;
    // Certificates and token files are read without a word.
    match blocking::one(place, set_up_until(deadline), move || client_certificate::client(config)).await {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(error)) => Err(refused(&error)),
        Err(blocking::Unread::Broke(error)) => Err(refused(&error)),
        Err(blocking::Unread::Late) => Err(KubernetesFailure::new(
            Cause::TimedOut,
            "the client was not set up in time; see whether the kubeconfig's files can be read",
        )),
    }
}

fn refused(error: &(dyn std::error::Error + 'static)) -> KubernetesFailure {
    KubernetesFailure::new(Cause::Refused, format!("the client cannot be set up: {}", chain(error)))
}

fn cause_of(error: &kube::Error) -> Cause {
    match error {
        kube::Error::Auth(_) => Cause::Denied,
        _ => Cause::Unreachable,
    }
}

/// An error with its causes, each once: the outer ones of this client repeat the inner ones, or leave them out.
///
/// Where their words hold secrets, words of our own stand in their place (I18).
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if let Some(words) = without_secrets(inner) {
            return words;
        }
        // What an error of I/O was made of is no source of it.
        let made_of = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = made_of.map(|error| error as &(dyn std::error::Error + 'static)).or_else(|| inner.source());
    }
    let mut reported = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let words = inner.to_string();
        if !reported.contains(&words) {
            reported = format!("{reported}: {words}");
        }
        source = inner.source();
    }
    reported.chars().take(2 * MOST_WORDS).collect()
}

/// Of errors that show the credential program's environment and all that it printed, a proxy with its password, or the
/// lines of a kubeconfig around what is wrong in it.
fn without_secrets(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let no_credentials = "its credentials could not be had; try the kubeconfig's credential program by hand";
    if error.is::<kube::client::AuthError>() {
        return Some(no_credentials.to_owned());
    }
    if let Some(KubeconfigError::Parse(error)) = error.downcast_ref() {
        let place = error.location().map(|at| format!(" at line {}, column {}", at.line(), at.column()));
        return Some(format!(
            "it is no kubeconfig{}; mend what stands there, and try kubectl config view",
            place.unwrap_or_default()
        ));
    }
    match error.downcast_ref()? {
        kube::Error::Auth(_) => Some(no_credentials.to_owned()),
        kube::Error::ProxyProtocolUnsupported { .. } | kube::Error::ProxyProtocolDisabled { .. } => {
            Some("its proxy is of a kind that is not supported; name one by http://, https:// or socks5://".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn i18_no_error_tells_the_password_of_a_proxy() {
        let mut config = Config::new(http::Uri::from_static("https://k8s.example"));
        config.proxy_url = Some(http::Uri::from_static("ftp://me:hunter2@proxy.corp.example:1"));
        let Err(failure) = set_up("a test", config, None).await else { panic!("no client goes through that") };
        assert!(failure.reason.contains("socks5://") && !failure.reason.contains("hunter2"), "{failure}");
        let proxy_url = Box::new(http::Uri::from_static("socks5://me:hunter2@proxy.corp.example:1"));
        let error = kube::Error::ProxyProtocolDisabled { proxy_url, protocol_feature: "socks5" };
        let reported = chain(&std::io::Error::other(error));
        assert!(!reported.contains("hunter2"), "{reported}");
    }
}
