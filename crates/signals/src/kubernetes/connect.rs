//! A cluster, and the one way to ask it anything: a GET, with a limit on how long and how much (I17, I20).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use jiff::Timestamp;
use kube::client::Body;
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};
use tokio::sync::RwLock;

use super::exec;
use super::proxy;
use prodpin_core::model::Cause;
use prodpin_net::http::{USER_AGENT, retry_after};
use prodpin_net::{jitter, memory};
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

/// A server's words in our sentences: enough to understand, not enough to flood.
const MOST_WORDS: usize = 200;

/// An API server that can only be read.
pub(super) struct Cluster {
    client: RwLock<Client>,
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
pub(super) struct Failure {
    pub(super) cause: Cause,
    pub(super) status: Option<StatusCode>,
    /// How long the server asks to wait.
    pub(super) wait: Option<Duration>,
    pub(super) reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Failure {
    pub(super) fn new(cause: Cause, reason: impl Into<String>) -> Self {
        Self { cause, status: None, wait: None, reason: reason.into() }
    }

    fn late() -> Self {
        Self::new(Cause::TimedOut, "the API server did not answer in time")
    }

    /// What an answer that is no success means. Of a server's own words only the first are told.
    fn of(status: StatusCode, body: &[u8]) -> Self {
        #[derive(serde::Deserialize)]
        struct Status {
            message: Option<String>,
        }
        let said = serde_json::from_slice::<Status>(body).ok().and_then(|status| status.message);
        let words: String = said.unwrap_or_default().chars().take(MOST_WORDS).collect();
        let cause = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Cause::Denied,
            StatusCode::NOT_FOUND => Cause::NotFound,
            StatusCode::TOO_MANY_REQUESTS => Cause::Throttled,
            status if status.is_server_error() => Cause::Unreachable,
            status if status.is_redirection() => Cause::Refused,
            _ => Cause::Malformed,
        };
        let reason = match words.is_empty() {
            true => format!("the API server answered {}", status.as_u16()),
            false => format!("the API server answered {}: {words}", status.as_u16()),
        };
        Self { cause, status: Some(status), wait: None, reason }
    }
}

impl Cluster {
    /// Sets the client up. Nothing is asked yet.
    pub(super) async fn connect(access: &ClusterAccess, deadline: Option<Instant>) -> Result<Self, Failure> {
        let mut config = configured(access, deadline).await?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(READ_TIMEOUT);
        // Its own retries know no deadline, and double up to half a minute whatever is asked (F134).
        config.default_retry = false;
        config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(USER_AGENT)));
        let renewable = config.auth_info.exec.is_some().then(|| config.clone());
        let client = set_up(config, deadline).await?;
        Ok(Self { client: RwLock::new(Client::new(client, 0)), renewable, deadline })
    }

    /// Asks the program for credentials again, if those that are refused were good before, and unless somebody has done so
    /// since.
    async fn renew(&self, refused: &Client) -> Result<bool, Failure> {
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
        let client = set_up(config.clone(), self.deadline).await?;
        *current = Client::new(client, current.renewed + 1);
        Ok(true)
    }

    /// How long what should be read first may hold up the rest.
    pub(super) fn head_start(&self) -> Duration {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()) / 4);
        left.map_or(HEAD_START, |left| left.min(HEAD_START))
    }

    /// Asks for one path that the answer depends on. What is busy is asked again, for as long as there is time.
    pub(super) async fn get(&self, path: &str) -> Result<Bytes, Failure> {
        self.ask(path, TRIES, CALL_TIMEOUT).await
    }

    /// Asks for what a cluster may do without: shortly, because everything else waits for it (F134).
    pub(super) async fn peek(&self, path: &str) -> Result<Bytes, Failure> {
        self.ask(path, PEEKS, PEEK_TIMEOUT).await
    }

    async fn ask(&self, path: &str, tries: u32, limit: Duration) -> Result<Bytes, Failure> {
        let latest = Instant::now() + limit;
        let until = self.deadline.map_or(latest, |deadline| deadline.min(latest));
        let (mut failures, mut renewed) = (0, false);
        loop {
            let asked = self.client.read().await.clone();
            let failure = match tokio::time::timeout_at(until.into(), Self::get_now(&asked.client, path)).await {
                Ok(Ok(body)) => {
                    asked.proven.store(true, Ordering::Relaxed);
                    return Ok(body);
                }
                Ok(Err(failure)) => failure,
                Err(_) => return Err(Failure::late()),
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

    async fn get_now(client: &kube::Client, path: &str) -> Result<Bytes, Failure> {
        let request = http::Request::get(path)
            .header(http::header::ACCEPT, "application/json")
            .body(Body::empty())
            .map_err(|error| Failure::new(Cause::Refused, format!("{path} cannot be asked for: {error}")))?;
        let unreachable = |error: kube::Error| Failure::new(cause_of(&error), chain(&error));
        let response = client.send(request).await.map_err(unreachable)?;
        let status = response.status();
        let wait = retry_after(response.headers(), Timestamp::now());
        let most = most_bytes();
        let body = Limited::new(response.into_body(), most).collect().await.map_err(|error| match error
            .downcast_ref::<LengthLimitError>()
        {
            Some(_) => {
                let reason = format!("the answer is larger than the {} MiB that are read of one", most >> 20);
                Failure::new(Cause::Malformed, reason)
            }
            None => Failure::new(Cause::Unreachable, chain(error.as_ref())),
        })?;
        let body = body.to_bytes();
        if status.is_success() { Ok(body) } else { Err(Failure { wait, ..Failure::of(status, &body) }) }
    }
}

/// A client with credentials that were just had.
async fn set_up(mut config: Config, deadline: Option<Instant>) -> Result<kube::Client, Failure> {
    exec::resolve(&mut config.auth_info, deadline).await?;
    // Off the threads that everything else runs on: certificates and token files are read without a word.
    let latest = Instant::now() + SET_UP_TIMEOUT;
    let until = deadline.map_or(latest, |deadline| deadline.min(latest));
    let set_up = tokio::task::spawn_blocking(move || kube::Client::try_from(config));
    let client = tokio::time::timeout_at(until.into(), set_up).await.map_err(|_| {
        Failure::new(
            Cause::TimedOut,
            "the client was not set up in time; see whether the kubeconfig's files can be read",
        )
    })?;
    let refused = |error: &(dyn std::error::Error + 'static)| {
        Failure::new(Cause::Refused, format!("the client cannot be set up: {}", chain(error)))
    };
    client.map_err(|error| refused(&error))?.map_err(|error| refused(&error))
}

fn cause_of(error: &kube::Error) -> Cause {
    match error {
        kube::Error::Auth(_) => Cause::Denied,
        _ => Cause::Unreachable,
    }
}

/// The same, off the threads that everything else runs on, and in time: a kubeconfig, or a certificate that it names, may be
/// a pipe that nobody writes into, or lie on a disk that is gone.
async fn configured(access: &ClusterAccess, deadline: Option<Instant>) -> Result<Config, Failure> {
    let latest = Instant::now() + SET_UP_TIMEOUT;
    let until = deadline.map_or(latest, |deadline| deadline.min(latest));
    let (access, runtime) = (access.clone(), tokio::runtime::Handle::current());
    let what = match &access.kubeconfig {
        Some(path) => format!("kubeconfig {}", path.display()),
        None => "the kubeconfig".to_owned(),
    };
    let read = tokio::task::spawn_blocking(move || runtime.block_on(configuration(&access)));
    match tokio::time::timeout_at(until.into(), read).await {
        Ok(Ok(read)) => read,
        Ok(Err(defect)) => Err(Failure::new(Cause::Malformed, format!("{what} cannot be used: {defect}"))),
        Err(_) => {
            let reason = format!(
                "{what} was not read in time; see whether it, and each file that it names, is a regular file on a disk \
                 that answers"
            );
            Err(Failure::new(Cause::TimedOut, reason))
        }
    }
}

/// The kubeconfig that is named, else `KUBECONFIG`, else the usual file, else the cluster around this process. What is
/// named and cannot be used is never replaced by another cluster.
async fn configuration(access: &ClusterAccess) -> Result<Config, Failure> {
    let options = KubeConfigOptions { context: access.context.clone(), ..KubeConfigOptions::default() };
    let refused = |what: &str, error: &(dyn std::error::Error + 'static)| {
        Failure::new(Cause::Refused, format!("{what} cannot be used: {}", chain(error)))
    };
    if let Some(path) = &access.kubeconfig {
        let what = format!("kubeconfig {}", path.display());
        let file = path.clone();
        let read = tokio::task::spawn_blocking(move || Kubeconfig::read_from(file)).await;
        let kubeconfig = read.map_err(|error| refused(&what, &error))?.map_err(|error| refused(&what, &error))?;
        return from_kubeconfig(kubeconfig, &options).await.map_err(|error| refused(&what, &error));
    }
    let named = std::env::var_os("KUBECONFIG").is_some_and(|paths| !paths.is_empty());
    let usual = || std::env::home_dir().is_some_and(|home| home.join(".kube").join("config").exists());
    if named || access.context.is_some() || usual() {
        let what = "the kubeconfig";
        let read = tokio::task::spawn_blocking(Kubeconfig::read).await;
        let kubeconfig = read.map_err(|error| refused(what, &error))?.map_err(|error| refused(what, &error))?;
        return from_kubeconfig(kubeconfig, &options).await.map_err(|error| refused(what, &error));
    }
    Config::incluster().map_err(|error| {
        let reason = format!(
            "there is no kubeconfig, and this is not inside a cluster ({}); set KUBECONFIG or kubeconfig:",
            chain(&error)
        );
        Failure::new(Cause::Refused, reason)
    })
}

async fn from_kubeconfig(kubeconfig: Kubeconfig, options: &KubeConfigOptions) -> Result<Config, KubeconfigError> {
    let named = proxy::named(&kubeconfig, options.context.as_deref());
    let mut config = Config::from_custom_kubeconfig(kubeconfig, options).await?;
    if !named {
        config.proxy_url = proxy::of_environment(&config.cluster_url);
    }
    Ok(config)
}

/// An error with its causes, each once: the outer ones of this client repeat the inner ones, or leave them out.
///
/// What goes wrong with credentials is told in words of our own: theirs hold the program's environment and all that it
/// printed (I18).
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if inner.is::<kube::client::AuthError>() || matches!(inner.downcast_ref(), Some(kube::Error::Auth(_))) {
            return "its credentials could not be had; try the kubeconfig's credential program by hand".to_owned();
        }
        cause = inner.source();
    }
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let words = inner.to_string();
        if !told.contains(&words) {
            told = format!("{told}: {words}");
        }
        source = inner.source();
    }
    told.chars().take(2 * MOST_WORDS).collect()
}
