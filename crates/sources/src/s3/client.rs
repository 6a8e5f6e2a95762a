//! The SDK's client, set up for one bucket, and the one way to call it.

use std::future::Future;
use std::time::{Duration, Instant};

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{Region, SharedCredentialsProvider};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use tokio::sync::Semaphore;

use crate::OpenOptions;
use prodpin_core::model::Cause;
use prodpin_net::aws::{self, AnswerCap, Gated, NamesItself};
use prodpin_policy::S3Config;

use super::failure::S3Failure;
use super::gate::{Gate, MOST_BYTES, WholeAnswer};

/// Signing needs a region, and a server that is not AWS does not care which.
const FALLBACK_REGION: &str = "us-east-1";

/// One attempt, body included: a page of 1,000 versions is well under a megabyte.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);
/// All attempts of one call with the waits between them.
const CALL_TIMEOUT: Duration = Duration::from_secs(240);
/// As many as get a call through where a third of them is refused (F113): one in 60,000 calls would take more.
const ATTEMPTS: u32 = 10;
/// Doubled with each attempt up to the longest, and jittered: a server that is gone is given up within some 15 seconds.
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
const LONGEST_BACKOFF: Duration = Duration::from_secs(4);

/// Not the SDK's adaptive mode: that has all calls of a client wait for what some of them were told, and a server that refuses
/// some whatever their number would bring it down to one call in two seconds (F113).
fn retries() -> RetryConfig {
    let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS);
    retries.with_initial_backoff(FIRST_BACKOFF).with_max_backoff(LONGEST_BACKOFF)
}

/// Builds the client. Nothing is sent yet, except what the credential and region chains need.
pub(super) async fn connect(config: &S3Config, write: bool, credentials: Option<SharedCredentialsProvider>) -> Client {
    connect_through(if write { Gate::Pins } else { Gate::ReadOnly }, config, credentials).await
}

/// The same with these requests allowed.
pub(super) async fn connect_through(
    gate: Gate,
    config: &S3Config,
    credentials: Option<SharedCredentialsProvider>,
) -> Client {
    let shared = aws::loader(None, credentials.as_ref()).region(region(config)).load().await;
    // From the shared configuration, so that AWS_REQUEST_CHECKSUM_CALCULATION and the like are honoured.
    let mut s3 = aws_sdk_s3::config::Builder::from(&shared)
        .force_path_style(config.path_style)
        .retry_config(retries())
        .timeout_config(aws::timeouts(ATTEMPT_TIMEOUT, Some(CALL_TIMEOUT)))
        .interceptor(Gated(gate))
        .interceptor(AnswerCap(MOST_BYTES))
        .interceptor(NamesItself)
        .retry_classifier(AnswerCap(MOST_BYTES))
        .interceptor(WholeAnswer);
    if let Some(endpoint) = &config.endpoint {
        s3 = s3.endpoint_url(endpoint.as_str());
    }
    Client::from_conf(s3.build())
}

/// The policy's region, else the environment's, else the profile's. Only for AWS itself the instance is asked too:
/// beside another server there rarely is one, and asking takes seconds.
fn region(config: &S3Config) -> RegionProviderChain {
    let given = RegionProviderChain::first_try(config.region.clone().map(Region::new));
    match config.endpoint {
        None => given.or_default_provider(),
        Some(_) => given
            .or_else(EnvironmentVariableRegionProvider::new())
            .or_else(ProfileFileRegionProvider::new())
            .or_else(FALLBACK_REGION),
    }
}

/// How many calls may be in flight, and until when.
#[derive(Debug)]
pub(super) struct Budget {
    permits: Semaphore,
    deadline: Option<Instant>,
}

impl Budget {
    pub(super) fn new(options: &OpenOptions) -> Self {
        Self { permits: Semaphore::new(options.concurrency.max(1)), deadline: options.deadline }
    }

    /// Whether another call could start now.
    pub(super) fn has_room(&self) -> bool {
        self.permits.available_permits() > 0
    }

    /// Makes one call when there is room for it. Past the deadline nothing starts and nothing goes on (I20).
    pub(super) async fn call<T, E>(
        &self,
        name: &'static str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, S3Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let guarded = async {
            // The semaphore is never closed; were it, going on unlimited would be the lesser harm.
            let _permit = self.permits.acquire().await.ok();
            request.await.map_err(|error| S3Failure::read(name, &error))
        };
        let Some(deadline) = self.deadline else { return guarded.await };
        let late =
            || S3Failure::new(Cause::TimedOut, name, "the run's deadline passed; give it more time or less to do");
        if deadline <= Instant::now() {
            return Err(late());
        }
        tokio::time::timeout_at(deadline.into(), guarded).await.unwrap_or_else(|_| Err(late()))
    }
}
