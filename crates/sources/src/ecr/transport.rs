//! The one way to call ECR: no more at once than the account and region bear, again where that may help, and never past
//! the deadline.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::http::HttpResponse;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::RwLock;

use crate::OpenOptions;
use prodpin_core::model::{Cause, RepositoryName, is_account};
use prodpin_net::http::throttle::{Throttle, Throttles};
use prodpin_net::jitter;
use prodpin_policy::EcrConfig;

use super::access::Access;
use super::failure::{EcrFailure, RegistryAddress};
use super::pace::Pace;

/// The first wait between two tries of one call; it doubles, with jitter.
const BACKOFF: Duration = Duration::from_millis(200);

/// No wait is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// A throttled call is tried so many times more often than one that failed: the service is there, and says "later".
const PATIENCE: u32 = 2;

/// One call, for sentences: which operation, on what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    operation: &'static str,
    repository: Option<&'a RepositoryName>,
}

impl<'a> Call<'a> {
    pub(super) fn registry(operation: &'static str) -> Self {
        Self { operation, repository: None }
    }

    pub(super) fn on(operation: &'static str, repository: &'a RepositoryName) -> Self {
        Self { operation, repository: Some(repository) }
    }

    /// What an IAM policy calls it.
    pub(super) fn permission(&self) -> String {
        format!("ecr:{}", self.operation)
    }
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.repository {
            Some(repository) => write!(f, "{} on {repository}", self.operation),
            None => f.write_str(self.operation),
        }
    }
}

/// The SDK's client with the credentials that it was made with.
#[derive(Debug)]
struct Generation {
    number: u64,
    client: Client,
    /// Whether any call of it went well: a new one would be no better than one that never did.
    worked: AtomicBool,
}

#[derive(Debug)]
pub(super) struct EcrTransport {
    access: Access,
    current: RwLock<Arc<Generation>>,
    throttle: Arc<Throttle>,
    pace: Arc<Pace>,
    place: RegistryAddress,
    account: Option<String>,
    deadline: Option<Instant>,
    tries: u32,
}

impl EcrTransport {
    pub(super) async fn open(
        access: Access,
        config: &EcrConfig,
        options: &OpenOptions,
        throttles: &Throttles,
        tries: u32,
    ) -> Self {
        let client = access.connect().await;
        let address = access.address().await;
        let cap = config.max_concurrency.map_or(options.concurrency, |most| most.min(options.concurrency));
        let known = config.account().map(str::to_owned);
        let mut transport = Self {
            current: RwLock::new(Arc::new(Generation { number: 0, client, worked: AtomicBool::new(false) })),
            // Until the account is known, its limit is the address's.
            throttle: throttles.at(format!("ecr {address}"), cap),
            pace: Arc::default(),
            place: RegistryAddress { registry: format!("ECR in {}", access.region()), address },
            account: None,
            deadline: options.deadline,
            tries: tries.max(1),
            access,
        };
        transport.account = match known {
            Some(account) => Some(account),
            None => transport.ask_account().await,
        };
        let account = transport.account.as_deref().unwrap_or("-");
        let key = format!("ecr {account} {} {}", transport.access.region(), transport.place.address);
        if transport.account.is_some() {
            transport.place.registry = format!("ECR {account} in {}", transport.access.region());
        }
        transport.throttle = throttles.at(key.clone(), cap);
        transport.pace = Pace::for_account(&key);
        transport
    }

    /// Whose registry this is, in ECR's own words. Either permission will do, and many have only the second.
    async fn ask_account(&self) -> Option<String> {
        let call = Call::registry("DescribeRegistry");
        let described = self.call(call, |client| async move { client.describe_registry().send().await }).await;
        let account = match described {
            Ok(registry) => registry.registry_id,
            Err(failure) if matches!(failure.cause, Cause::Denied | Cause::Unsupported) => {
                let call = Call::registry("DescribeRepositories");
                let page = self
                    .call(call, |client| async move { client.describe_repositories().max_results(1).send().await })
                    .await;
                page.ok()?.repositories?.into_iter().next()?.registry_id
            }
            Err(_) => None,
        };
        account.filter(|account| is_account(account))
    }

    /// The account whose registry this is, if that could be reported.
    pub(super) fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    pub(super) fn region(&self) -> &str {
        self.access.region()
    }

    pub(super) fn place(&self) -> &RegistryAddress {
        &self.place
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// A client that may ask for a password, as no other of this source may.
    pub(super) async fn pulling(&self) -> Client {
        self.access.clone().pulling().connect().await
    }

    /// Who asks.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// An answer that ECR cannot have given.
    pub(super) fn malformed(&self, call: &Call<'_>, reason: impl AsRef<str>) -> EcrFailure {
        EcrFailure::malformed(&self.place, call, reason)
    }

    /// A call that writes, in its turn.
    pub(super) async fn write<T, E, R>(&self, call: Call<'_>, request: impl Fn(Client) -> R) -> Result<T, EcrFailure>
    where
        R: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.repeat(call, request, true).await
    }

    /// A call that writes and must not be sent again by itself: what it writes over may have changed meanwhile.
    pub(super) async fn write_once<T, E, R>(
        &self,
        call: Call<'_>,
        request: impl Fn(Client) -> R,
    ) -> Result<T, EcrFailure>
    where
        R: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let generation = Arc::clone(&*self.current.read().await);
        self.pace.turn(self.deadline).await.map_err(|_| EcrFailure::late(&self.place, &call))?;
        self.once(&call, request(generation.client.clone()).boxed()).await
    }

    pub(super) async fn call<T, E, R>(&self, call: Call<'_>, request: impl Fn(Client) -> R) -> Result<T, EcrFailure>
    where
        R: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.repeat(call, request, false).await
    }

    async fn repeat<T, E, R>(
        &self,
        call: Call<'_>,
        request: impl Fn(Client) -> R,
        writes: bool,
    ) -> Result<T, EcrFailure>
    where
        R: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let mut renewed = false;
        let mut tries = 0;
        loop {
            let generation = Arc::clone(&*self.current.read().await);
            if writes {
                self.pace.turn(self.deadline).await.map_err(|_| EcrFailure::late(&self.place, &call))?;
            }
            // Boxed, because the SDK's futures are large and lie deep within others.
            let attempt = request(generation.client.clone()).boxed();
            let failure = match self.once(&call, attempt).await {
                Ok(output) => {
                    generation.worked.store(true, Ordering::Relaxed);
                    return Ok(output);
                }
                Err(failure) => failure,
            };
            if failure.is_expired() && !renewed {
                renewed = true;
                if self.renew(&generation).await {
                    continue;
                }
            }
            tries += 1;
            let is_throttled = failure.cause == Cause::Throttled;
            let most = if is_throttled { self.tries * PATIENCE } else { self.tries };
            let wait = jitter::wait(jitter::backoff(BACKOFF, tries, LONGEST_WAIT));
            let in_time = self.deadline.is_none_or(|end| Instant::now() + wait < end);
            if is_throttled {
                // Everybody waits, not only whoever was reported: the limit is the account's (F38).
                self.throttle.complaint(in_time.then_some(wait));
            }
            if !failure.passing || tries >= most || !in_time {
                return Err(failure);
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// One attempt.
    async fn once<T, E>(
        &self,
        call: &Call<'_>,
        request: BoxFuture<'_, Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, EcrFailure>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let late = || EcrFailure::late(&self.place, call);
        if self.deadline.is_some_and(|end| end <= Instant::now()) {
            return Err(late());
        }
        let permit = self.throttle.acquire(self.deadline).await.map_err(|fault| EcrFailure {
            cause: fault.cause,
            code: None,
            detail: format!("{}: {call}: {}", self.place.registry, fault.detail),
            passing: false,
        })?;
        let answer = match self.deadline {
            Some(deadline) => tokio::time::timeout_at(deadline.into(), request).await.map_err(|_| late())?,
            None => request.await,
        };
        drop(permit);
        match answer {
            Ok(output) => {
                self.throttle.well();
                Ok(output)
            }
            Err(error) => Err(EcrFailure::read(&self.place, call, &error)),
        }
    }

    /// Makes a client with fresh credentials, unless somebody else just did, or they never worked (F39).
    async fn renew(&self, used: &Generation) -> bool {
        let mut current = self.current.write().await;
        if current.number != used.number {
            return true;
        }
        if !current.worked.load(Ordering::Relaxed) {
            return false;
        }
        tracing::info!("the credentials for {} expired; looking for new ones", self.place.registry);
        let client = self.access.connect().await;
        *current = Arc::new(Generation { number: current.number + 1, client, worked: AtomicBool::new(false) });
        true
    }
}
