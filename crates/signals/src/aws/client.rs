//! The SDK's configuration for one AWS rule, what may be asked through it, and the one way to ask.

use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_apprunner::operation::list_services::ListServicesOutput;
use aws_sdk_ecs::config::http::{HttpRequest, HttpResponse};
use aws_sdk_ecs::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::config::{ConfigBag, Intercept, RuntimeComponents, SharedCredentialsProvider};
use aws_sdk_ecs::error::{BoxError, DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::Signalled;
use prodpin_core::model::Cause;
use prodpin_net::aws::{self, Allowed, AnswerCap, RequestBlocked};
use prodpin_policy::AwsConfig;

const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// All attempts of one call with the waits between them.
const CALL_TIMEOUT: Duration = Duration::from_secs(180);
const ATTEMPTS: u32 = 7;
/// More pages of one list than any account fills (I20).
const MOST_PAGES: usize = 10_000;

/// The largest answer to these calls, 100 tasks with all their containers, is well under a megabyte.
pub(super) const CAP: AnswerCap = AnswerCap(16 << 20);
/// A server's words in our sentences: enough to understand, not enough to flood.
const MOST_WORDS: usize = 300;

/// How an AWS signal reaches its account.
pub(super) struct Access {
    pub(super) config: AwsConfig,
    deadline: Option<Instant>,
    /// In place of the AWS configuration's.
    credentials: Option<SharedCredentialsProvider>,
}

impl Access {
    pub(super) fn new(config: AwsConfig, deadline: Option<Instant>) -> Self {
        Self { config, deadline, credentials: None }
    }

    #[cfg(test)]
    pub(super) fn with(config: AwsConfig, credentials: SharedCredentialsProvider) -> Self {
        Self { config, deadline: None, credentials: Some(credentials) }
    }
}

/// What every AWS signal is set up with.
pub(super) struct Account {
    pub(super) shared: SdkConfig,
    deadline: Option<Instant>,
}

impl Account {
    /// Loads region and credentials. Nothing is asked yet, except what the credential and region chains need.
    pub(super) async fn load(access: &Access) -> Self {
        let Access { config, deadline, credentials } = access;
        let mut loader = aws::loader(config.region.as_deref(), credentials.as_ref())
            .retry_config(RetryConfig::adaptive().with_max_attempts(ATTEMPTS))
            .timeout_config(aws::timeouts(ATTEMPT_TIMEOUT, Some(CALL_TIMEOUT)));
        if let Some(endpoint) = &config.endpoint {
            loader = loader.endpoint_url(endpoint.as_str());
        }
        let mut shared = loader.load().await;
        if let Some(role) = &config.assume_role {
            let provider = aws::assume(&shared, role, None).await;
            shared = shared.into_builder().credentials_provider(provider).build();
        }
        Self { shared, deadline: *deadline }
    }

    /// Makes one call. Past the deadline nothing starts and nothing goes on (I20).
    pub(super) async fn call<T, E>(
        &self,
        name: &'static str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, AwsFailure>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let answered = async { request.await.map_err(|error| AwsFailure::read(name, &error)) };
        let Some(deadline) = self.deadline else { return answered.await };
        let late = || AwsFailure {
            call: name,
            cause: Cause::TimedOut,
            reason: "the run's deadline passed; give it more time or less to do".to_owned(),
        };
        if deadline <= Instant::now() {
            return Err(late());
        }
        tokio::time::timeout_at(deadline.into(), answered).await.unwrap_or_else(|_| Err(late()))
    }

    /// Follows the pages of a list to their end. A page's failure is the list's: half a list is none (F17, F18). So is an
    /// answer without a list: every one of these calls writes an empty one.
    pub(super) async fn pages<T, E, O, Fut>(
        &self,
        name: &'static str,
        mut page: impl FnMut(Option<String>) -> Fut,
        read: impl Fn(O) -> (Option<Vec<T>>, Option<String>),
    ) -> Result<Vec<T>, AwsFailure>
    where
        Fut: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let (mut all, mut token) = (Vec::new(), None::<String>);
        for _ in 0..MOST_PAGES {
            let (items, next) = read(self.call(name, page(token.clone())).await?);
            all.extend(items.ok_or_else(|| AwsFailure::lacks(name, "its list"))?);
            match next.filter(|next| !next.is_empty()) {
                None => return Ok(all),
                Some(next) if token.as_ref() == Some(&next) => break,
                Some(next) => token = Some(next),
            }
        }
        let reason = "the list does not end, or goes on with the page it is at".to_owned();
        Err(AwsFailure { call: name, cause: Cause::Malformed, reason })
    }
}

/// A call that did not give what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AwsFailure {
    /// Which call, for a person and as the permission it needs: `ecs:ListServices`.
    call: &'static str,
    pub(super) cause: Cause,
    reason: String,
}

impl fmt::Display for AwsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, cause, reason } = self;
        match cause {
            Cause::Denied => write!(f, "{call} denied ({reason}); grant {call}, or renew the credentials"),
            _ => write!(f, "{call} failed: {reason}"),
        }
    }
}

impl AwsFailure {
    /// Reads an SDK error. Codes are compared as text: the SDK's enums lag behind the services (F53).
    fn read<E>(call: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let reason = match (error.code(), status) {
            (Some(code), _) => match error.message() {
                Some(message) => format!("{code}: {message}"),
                None => code.to_owned(),
            },
            (None, Some(status)) if status >= 300 => format!("HTTP status {status}"),
            _ => DisplayErrorContext(error).to_string(),
        };
        Self { call, cause: aws::cause(error, error.code(), status), reason: reason.chars().take(MOST_WORDS).collect() }
    }

    /// An answer that succeeded, and has not what every answer to this call has.
    pub(super) fn lacks(call: &'static str, what: &str) -> Self {
        let reason = format!("the answer lacks {what}; see what answers in the service's place");
        Self { call, cause: Cause::Malformed, reason }
    }

    pub(super) fn tell(&self, said: &mut Signalled) {
        said.gap(self.cause, self);
    }
}

/// What may be asked of ECS and App Runner, whose every call is a POST. Lambda's reads are GETs, and nothing else passes.
/// `policies/iam-signals-*.json` grants the same.
pub(super) const ALLOWED: &[&str] = &[
    "AmazonEC2ContainerServiceV20141113.DescribeServiceRevisions",
    "AmazonEC2ContainerServiceV20141113.DescribeServices",
    "AmazonEC2ContainerServiceV20141113.DescribeTaskDefinition",
    "AmazonEC2ContainerServiceV20141113.DescribeTasks",
    "AmazonEC2ContainerServiceV20141113.ListClusters",
    "AmazonEC2ContainerServiceV20141113.ListServiceDeployments",
    "AmazonEC2ContainerServiceV20141113.ListServices",
    "AmazonEC2ContainerServiceV20141113.ListTaskDefinitions",
    "AmazonEC2ContainerServiceV20141113.ListTasks",
    "AppRunner.DescribeService",
    "AppRunner.ListServices",
];

/// Holds back every call that is not known to read only, at the HTTP layer (I17).
#[derive(Debug)]
pub(super) struct Gate;

impl Gate {
    fn check(method: &str, target: Option<&str>) -> Result<(), RequestBlocked> {
        match (method, target) {
            ("GET" | "HEAD", _) => Ok(()),
            ("POST", Some(target)) if ALLOWED.contains(&target) => Ok(()),
            (_, target) => {
                let what = format!("{method} {}", target.unwrap_or_default()).trim_end().to_owned();
                Err(RequestBlocked { what, reason: "signals only read" })
            }
        }
    }
}

/// App Runner's SDK reads an answer without its list as an empty one; the answer itself says which it was.
#[derive(Debug)]
pub(super) struct Lists;

/// An answer to a list that has none.
#[derive(Debug)]
struct NoList;

impl fmt::Display for NoList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer lacks its list; see what answers in the service's place")
    }
}

impl std::error::Error for NoList {}

impl Lists {
    fn check(body: Option<&[u8]>) -> Result<(), NoList> {
        #[derive(serde::Deserialize)]
        struct Listed {
            #[serde(rename = "ServiceSummaryList")]
            _services: Vec<serde::de::IgnoredAny>,
        }
        match body.is_none_or(|body| serde_json::from_slice::<Listed>(body).is_err()) {
            true => Err(NoList),
            false => Ok(()),
        }
    }
}

impl Intercept for Lists {
    fn name(&self) -> &'static str {
        "Lists"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match context.output_or_error().is_ok_and(|output| output.downcast_ref::<ListServicesOutput>().is_some()) {
            true => Ok(Self::check(context.response().body().bytes())?),
            false => Ok(()),
        }
    }
}

impl Allowed for Gate {
    fn allows(&self, request: &HttpRequest) -> Result<(), RequestBlocked> {
        Self::check(request.method(), request.headers().get("x-amz-target"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reads_pass_the_gate_i17() {
        for target in ALLOWED {
            assert!(Gate::check("POST", Some(target)).is_ok());
        }
        assert!(Gate::check("GET", None).is_ok());
        for (method, target) in [
            ("POST", None),
            ("PUT", None),
            ("DELETE", None),
            ("POST", Some("AmazonEC2ContainerServiceV20141113.UpdateService")),
            ("POST", Some("AppRunner.DeleteService")),
            ("DELETE", Some("AppRunner.ListServices")),
        ] {
            assert!(Gate::check(method, target).is_err(), "{method} {target:?}");
        }
    }
}
