//! Failed calls as causes and sentences.

use aws_sdk_ecr::config::http::HttpResponse;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use http_body_util::LengthLimitError;

use prodpin_core::model::{Cause, Gap, PinFailure, Scope};
use prodpin_net::aws::{
    CREDENTIALS_NEXT, CREDENTIALS_SOUGHT, EXPIRED, TooManyElements, cause, caused_by, mentions_credentials,
};
use prodpin_net::http::fault::Fault;

use super::access::MOST_BYTES;
use super::transport::Call;

/// A call that did not give what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EcrFailure {
    pub(super) cause: Cause,
    /// ECR's error code, where it sent one.
    pub(super) code: Option<String>,
    /// For a person: what was asked of whom, what came of it, and what to do.
    pub(super) detail: String,
    /// Whether the same call may go well a moment later.
    pub(super) passing: bool,
}

/// A server's words in our sentences: enough to understand, not enough to flood.
const MAX_REASON: usize = 300;

/// Where a call went, for a person.
#[derive(Debug, Clone)]
pub(super) struct RegistryAddress {
    /// `ECR 111122223333 in eu-west-1`.
    pub(super) registry: String,
    /// `https://api.ecr.eu-west-1.amazonaws.com`.
    pub(super) address: String,
}

impl EcrFailure {
    pub(super) fn malformed(place: &RegistryAddress, call: &Call<'_>, reason: impl AsRef<str>) -> Self {
        let detail = format!("{}: {call} was answered with what cannot be: {}", place.registry, short(reason.as_ref()));
        Self { cause: Cause::Malformed, code: None, detail, passing: false }
    }

    pub(super) fn late(place: &RegistryAddress, call: &Call<'_>) -> Self {
        let detail = format!(
            "{}: the run's deadline passed before {call} was done; give it more time or less to do",
            place.registry
        );
        Self { cause: Cause::TimedOut, code: None, detail, passing: false }
    }

    pub(super) fn read<E>(place: &RegistryAddress, call: &Call<'_>, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let response = error.raw_response();
        let status = response.map(|response| response.status().as_u16());
        let code = error.code().map(str::to_owned);
        let mut cause = cause(error, code.as_deref(), status);
        let is_large = caused_by::<LengthLimitError>(error) || caused_by::<TooManyElements>(error);
        // A body that broke off is no answer yet, while one that is whole and cannot be read is (F3, F4, F12).
        let broke_off = response.is_some_and(|response| response.body().bytes().is_none()) && !is_large;
        if broke_off && cause == Cause::Malformed && code.is_none() {
            cause = Cause::Unreachable;
        }
        let said = match (&code, error.message()) {
            (Some(code), Some(message)) => format!("{code}: {}", short(message)),
            (Some(code), None) => code.clone(),
            (None, _) if is_large => {
                format!("the answer is larger than the {} MiB that are read of one", MOST_BYTES >> 20)
            }
            (None, _) if broke_off => format!("the answer broke off: {}", root(error)),
            (None, _) if status.is_some_and(|status| status >= 300) => {
                format!("HTTP status {}", status.unwrap_or_default())
            }
            (None, _) if status.is_some() => {
                "the answer is not what ECR sends; is there a proxy in between?".to_owned()
            }
            (None, _) => root(error),
        };
        let passing = matches!(cause, Cause::Throttled | Cause::Unreachable | Cause::ServerError | Cause::TimedOut)
            // Whoever has no credentials has none a moment later.
            && !matches!(error, SdkError::ConstructionFailure(_));
        let no_credentials = status.is_none() && mentions_credentials(error);
        let detail = sentence(place, call, (cause, code.as_deref()), &said, no_credentials);
        Self { cause, code, detail, passing }
    }

    /// Reads an entry of a `failures` list in an answer that says of itself that all is well (A5, F46).
    pub(super) fn listed(place: &RegistryAddress, call: &Call<'_>, code: Option<&str>, reason: Option<&str>) -> Self {
        let code = code.unwrap_or("unknown");
        let reason = reason.map(|reason| format!(": {}", short(reason))).unwrap_or_default();
        let cause = match code {
            "ImageNotFound" => Cause::NotFound,
            "UpstreamAccessDenied" => Cause::Denied,
            "UpstreamTooManyRequests" => Cause::Throttled,
            "UpstreamUnavailable" | "KmsError" | "ImageInaccessible" => Cause::Unreachable,
            _ => Cause::Malformed,
        };
        let advice = match code {
            "KmsError" => "; check that the repository's key is enabled and may be used",
            "UpstreamAccessDenied" => "; check the credentials of the pull-through cache rule",
            "ImageInaccessible" => "; look at the image's state: it may be archived",
            _ => "",
        };
        let detail = format!("{}: {call} failed inside an answer: {}{reason}{advice}", place.registry, short(code));
        Self { cause, code: Some(code.to_owned()), detail, passing: false }
    }

    pub(super) fn is_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether the credentials ran out (F39).
    pub(super) fn is_expired(&self) -> bool {
        self.code.as_deref().is_some_and(|code| EXPIRED.contains(&code))
    }

    pub(super) fn gap(self, scope: Scope) -> Gap {
        Gap::new(scope, self.cause, self.detail)
    }

    pub(super) fn pin_failure(self) -> PinFailure {
        PinFailure { cause: self.cause, detail: self.detail }
    }
}

impl From<EcrFailure> for Fault {
    fn from(failure: EcrFailure) -> Self {
        Self::new(failure.cause, failure.detail)
    }
}

fn sentence(
    place: &RegistryAddress,
    call: &Call<'_>,
    (cause, code): (Cause, Option<&str>),
    said: &str,
    no_credentials: bool,
) -> String {
    let RegistryAddress { registry, address } = place;
    let permission = call.permission();
    match cause {
        Cause::Denied if code.is_some_and(|code| EXPIRED.contains(&code)) => {
            format!("{registry}: the credentials expired ({said}); renew them and run again")
        }
        Cause::Denied if code.is_some() => {
            format!("{registry}: {call} denied ({said}); grant {permission}, or check whose credentials these are")
        }
        Cause::Denied if no_credentials => format!("{registry}: {CREDENTIALS_SOUGHT}; {CREDENTIALS_NEXT}"),
        Cause::Denied => format!(
            "{registry}: {call} denied ({said}), without an error code of ECR; a proxy or gateway in between may have \
             answered"
        ),
        Cause::Throttled => {
            format!("{registry}: {call} still throttled after retries ({said}); lower --concurrency or max_concurrency")
        }
        Cause::Unreachable | Cause::TimedOut if code.is_none() && no_credentials => {
            format!("{registry}: the credentials could not be had ({said}); check the AWS profile, environment or role")
        }
        Cause::ServerError => {
            format!("{registry}: {call} failed, {address} answered {said}; a server error, run again later")
        }
        Cause::Unreachable | Cause::TimedOut if code.is_none() => format!(
            "{registry}: {call} failed, {address} could not be reached ({said}); check the region, the network and any \
             VPC endpoint"
        ),
        _ => format!("{registry}: {call} failed ({said})"),
    }
}

/// The innermost cause, cut.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    short(&prodpin_net::aws::root(error))
}

pub(super) fn short(text: &str) -> String {
    text.chars().take(MAX_REASON).collect()
}
