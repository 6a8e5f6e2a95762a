//! What everything on an AWS SDK shares, sources and signals: how large an answer may be, and what a failed call means.

mod chain;
mod gate;
mod signed;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut, InterceptorContext,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use futures::StreamExt as _;
use http_body_util::{BodyStream, LengthLimitError, Limited, StreamBody};

use super::http::USER_AGENT;
use prodpin_core::model::Cause;

pub use self::chain::{assume, loader, timeouts};
pub use self::gate::{Allowed, Gated, RequestBlocked};
pub use self::signed::{JsonFailure, JsonOperation};

/// Ends an answer that is larger than any that the service gives. The SDK reads whole bodies into memory (I20).
#[derive(Debug, Clone, Copy)]
pub struct AnswerCap(pub usize);

impl Intercept for AnswerCap {
    fn name(&self) -> &'static str {
        "AnswerCap"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let body = std::mem::replace(response.body_mut(), SdkBody::taken());
        // A part of an object is somebody's text or binary, and is not parsed by the SDK.
        let is_document = response.status().as_u16() != 206;
        let (mut tags, mut values) = (0, 0);
        let counted = BodyStream::new(Limited::new(body, self.0)).map(move |frame| {
            let frame = frame?;
            if let Some(bytes) = frame.data_ref() {
                let count = |of: u8| if is_document { bytes.iter().filter(|byte| **byte == of).count() } else { 0 };
                tags += count(b'<');
                values += count(b',');
            }
            match tags > MOST_TAGS || values > MOST_VALUES {
                true => Err(Box::new(TooManyElements) as BoxError),
                false => Ok(frame),
            }
        });
        *response.body_mut() = SdkBody::from_body_1_x(StreamBody::new(counted));
        Ok(())
    }
}

/// What an answer may consist of: a page of 1,000 versions has some 30,000 tags of XML, one of 1,000 images as many values
/// of JSON and those of their tags; and each becomes a hundred times its size where it is small.
const MOST_TAGS: usize = 250_000;
const MOST_VALUES: usize = 1_000_000;

/// An answer of small parts without number.
#[derive(Debug, thiserror::Error)]
#[error("the answer has more elements than any page of this service")]
pub struct TooManyElements;

/// The next answer would be as large.
impl ClassifyRetry for AnswerCap {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err);
        let bounded =
            error.is_some_and(|error| caused_by::<LengthLimitError>(error) || caused_by::<TooManyElements>(error));
        match bounded {
            true => RetryAction::RetryForbidden,
            false => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "AnswerCap"
    }
}

/// Puts this program's name in front of the SDK's, so that whoever reads the service's log knows who asked.
#[derive(Debug, Clone, Copy)]
pub struct NamesItself;

impl Intercept for NamesItself {
    fn name(&self) -> &'static str {
        "NamesItself"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // No signature covers this header.
        let headers = context.request_mut().headers_mut();
        let sdk = headers.get("user-agent").unwrap_or_default().to_owned();
        headers.insert("user-agent", format!("{USER_AGENT} {sdk}").trim_end().to_owned());
        Ok(())
    }
}

/// Credentials that were good and are not any more.
pub const EXPIRED: &[&str] = &["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"];
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AllAccessDisabled",
    "AccountProblem",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "NotSignedUp",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnauthorizedAccess",
    "UnrecognizedClientException",
];
const THROTTLED: &[&str] = &[
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "BandwidthLimitExceeded",
    "PriorRequestNotComplete",
];
const NOT_FOUND: &[&str] = &[
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchVersion",
    "NotFound",
    "404",
    "ClusterNotFoundException",
    "RepositoryNotFoundException",
    "ResourceNotFoundException",
    "ServiceNotFoundException",
    "ImageNotFoundException",
];
const OUT_OF_ROOM: &[&str] = &["LimitExceededException"];
const UNSUPPORTED: &[&str] =
    &["NotImplemented", "MethodNotAllowed", "UnsupportedOperation", "UnsupportedArgument", "UnknownOperationException"];

/// What an SDK error means. Codes are compared as text: the SDK's enums lag behind the service, and throttling is in
/// none of them (A7, F53).
pub fn cause<E>(error: &SdkError<E, HttpResponse>, code: Option<&str>, status: Option<u16>) -> Cause
where
    E: std::error::Error + 'static,
{
    if let Some(cause) = code.and_then(by_code) {
        return cause;
    }
    match error {
        SdkError::TimeoutError(_) => Cause::TimedOut,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => Cause::TimedOut,
        _ if caused_by::<RequestBlocked>(error) => Cause::Refused,
        _ if caused_by::<LengthLimitError>(error) || caused_by::<TooManyElements>(error) => Cause::Malformed,
        SdkError::DispatchFailure(failure) if failure.is_io() => Cause::Unreachable,
        SdkError::DispatchFailure(_) if mentions_credentials(error) => Cause::Denied,
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => Cause::Unreachable,
        _ => by_status(status),
    }
}

fn by_code(code: &str) -> Option<Cause> {
    let known = [
        (EXPIRED, Cause::Denied),
        (DENIED, Cause::Denied),
        (THROTTLED, Cause::Throttled),
        (NOT_FOUND, Cause::NotFound),
        (UNSUPPORTED, Cause::Unsupported),
        (OUT_OF_ROOM, Cause::Refused),
    ];
    known.into_iter().find(|(codes, _)| codes.contains(&code)).map(|(_, cause)| cause)
}

fn by_status(status: Option<u16>) -> Cause {
    match status {
        Some(401 | 403) => Cause::Denied,
        Some(404) => Cause::NotFound,
        Some(405 | 501) => Cause::Unsupported,
        Some(408) => Cause::TimedOut,
        Some(429 | 503) => Cause::Throttled,
        Some(300..=399) => Cause::Refused,
        Some(status) if status >= 500 => Cause::ServerError,
        // What came back with any other status was not the service's protocol, or its body broke off.
        Some(_) => Cause::Malformed,
        None => Cause::Unreachable,
    }
}

/// Whether an error, or anything that it came from, is of this type.
pub fn caused_by<T: std::error::Error + 'static>(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<T>())
}

/// The credential chain's errors are types of a crate that is no dependency of this one; their text names them.
pub fn mentions_credentials(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| error.to_string().to_lowercase().contains("credential"))
}

/// Where the credential chain looks, and what to do where it finds nothing.
pub const CREDENTIALS_SOUGHT: &str =
    "no AWS credentials found (tried environment, profile, web identity, container, instance)";

/// The next step of whoever has none.
pub const CREDENTIALS_NEXT: &str = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run with a role; `aws sts get-caller-identity` shows \
     who asks";

/// The innermost cause of an error: what wraps it only says that something failed.
pub fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.last().map(ToString::to_string).unwrap_or_default()
}
