//! Failed calls as causes and sentences.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use http_body_util::LengthLimitError;

use crate::PinFailure;
use prodpin_core::model::{Cause, Gap, Scope};
use prodpin_net::aws::{
    CREDENTIALS_NEXT, CREDENTIALS_SOUGHT, EXPIRED, TooManyElements, cause, caused_by, mentions_credentials, root,
};

use super::gate::{CutShort, MOST_BYTES};

/// A call that did not give what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct S3Failure {
    pub(super) cause: Cause,
    /// S3's error code, where it sent one. HEAD answers have no body and so no code.
    pub(super) code: Option<String>,
    pub(super) status: Option<u16>,
    /// Which call, for a person and as the permission it needs: `s3:ListBucketVersions`.
    pub(super) call: &'static str,
    /// What a server that reports success said, if it could not be read.
    pub(super) answer: Option<Box<str>>,
    reason: String,
    /// Whether nothing was asked, for want of credentials.
    no_credentials: bool,
}

/// The longest unreadable answer that is kept.
const MAX_ANSWER: usize = 2048;

/// A server's words in our sentences: enough to understand, not enough to flood.
const MAX_REASON: usize = 300;

impl S3Failure {
    pub(super) fn new(cause: Cause, call: &'static str, reason: impl Into<String>) -> Self {
        Self { cause, code: None, status: None, call, answer: None, reason: reason.into(), no_credentials: false }
    }

    /// Reads an SDK error. Codes are compared as text: the SDK's enums lag behind the service (F53).
    pub(super) fn read<E>(call: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let response = error.raw_response();
        let status = response.map(|response| response.status().as_u16());
        let code = error.code().map(str::to_owned);
        let region = response.and_then(|response| response.headers().get("x-amz-bucket-region")).map(str::to_owned);
        let cause = match caused_by::<CutShort>(error) {
            true => Cause::Malformed,
            false => cause(error, code.as_deref(), status),
        };
        let reason = match (region, status, code.as_deref()) {
            (Some(region), Some(301 | 307 | 400), _) => format!("the bucket is in {region}; set its region"),
            (_, _, Some(code)) => match error.message() {
                Some(message) => format!("{code}: {message}"),
                None => code.to_owned(),
            },
            _ if caused_by::<LengthLimitError>(error) => {
                format!("the answer is larger than the {} MiB that are read of one", MOST_BYTES >> 20)
            }
            _ if caused_by::<TooManyElements>(error) => TooManyElements.to_string(),
            (_, Some(status), None) if status >= 300 => format!("HTTP status {status}"),
            (_, Some(_), None) => "the answer is not what S3 sends; is there a proxy in between?".to_owned(),
            (_, None, None) => root(error),
        };
        let no_credentials = status.is_none() && mentions_credentials(error);
        let answer = response
            .filter(|response| response.status().is_success())
            .and_then(|response| response.body().bytes())
            .filter(|body| body.len() <= MAX_ANSWER)
            .and_then(|body| std::str::from_utf8(body).ok())
            .map(Box::from);
        Self { cause, code, status, call, answer, reason: short(&reason), no_credentials }
    }

    pub(super) fn is_code(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// Whether the server itself says that what was asked for does not exist, by code or, for HEAD, by status.
    pub(super) fn is_not_found(&self) -> bool {
        self.cause == Cause::NotFound
    }

    pub(super) fn gap(&self, scope: Scope, bucket: &BucketName) -> Gap {
        Gap::new(scope, self.cause, self.sentence(bucket))
    }

    pub(super) fn pin_failure(&self, bucket: &BucketName) -> PinFailure {
        PinFailure { cause: self.cause, detail: self.sentence(bucket) }
    }

    fn sentence(&self, bucket: &BucketName) -> String {
        let Self { call, reason, .. } = self;
        let name = &bucket.name;
        match (self.cause, &bucket.owner) {
            (Cause::Denied, _) if self.is_code(EXPIRED) => {
                format!("bucket {name}: the credentials expired ({reason}); renew them and run again")
            }
            // The same words whatever was to be asked: it is one trouble.
            (Cause::Denied, _) if self.no_credentials => {
                format!("bucket {name}: {CREDENTIALS_SOUGHT}; {CREDENTIALS_NEXT}")
            }
            (Cause::Unreachable | Cause::TimedOut, _) if self.no_credentials => {
                format!("bucket {name}: the AWS credentials could not be had ({reason}); {CREDENTIALS_NEXT}")
            }
            // S3 answers a wrong expected owner exactly as it answers a missing permission (F51).
            (Cause::Denied, Some(owner)) => format!(
                "bucket {name}: {call} denied ({reason}); either the bucket does not belong to account {owner}, which \
                 the policy names as its owner, or the credentials lack {call}"
            ),
            (Cause::Denied, None) => format!("bucket {name}: {call} denied ({reason}); grant {call}"),
            (Cause::Throttled, _) => {
                format!("bucket {name}: {call} still throttled after retries ({reason}); lower --concurrency")
            }
            _ => format!("bucket {name}: {call} failed: {reason}"),
        }
    }
}

/// A reason on one line, cut between words.
fn short(reason: &str) -> String {
    let mut text = String::new();
    for word in reason.split_whitespace() {
        if text.len() + word.len() > MAX_REASON {
            text.push_str(" …");
            break;
        }
        text.push_str(if text.is_empty() { "" } else { " " });
        text.push_str(word);
    }
    text
}

/// A bucket as sentences name it.
#[derive(Debug, Clone)]
pub(super) struct BucketName {
    pub(super) name: String,
    pub(super) owner: Option<String>,
}
