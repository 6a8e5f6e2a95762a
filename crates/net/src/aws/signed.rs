//! One operation of an AWS service that speaks JSON, signed by the chain's credentials: for a single call a client library of a
//! whole service would be too much.

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use url::Url;

use super::{CREDENTIALS_NEXT, CREDENTIALS_SOUGHT, by_code, by_status};
use prodpin_core::model::Cause;

/// For one call, with its body.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A page of events with the manifests that stand in them.
const MOST_BYTES: usize = 16 << 20;

/// A server's words in our sentences.
const MAX_REASON: usize = 300;

/// One operation of one service in one region. Nothing else can be sent by it (I17).
#[derive(Debug)]
pub struct JsonOperation {
    /// Sends, and follows nothing.
    pub http: reqwest::Client,
    /// The service's address.
    pub url: Url,
    /// Its name in signatures.
    pub service: &'static str,
    /// The region.
    pub region: String,
    /// What `X-Amz-Target` says.
    pub target: &'static str,
    /// Who asks.
    pub credentials: SharedCredentialsProvider,
}

/// A call that did not give what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonFailure {
    /// As a class.
    pub cause: Cause,
    /// What the service or the network said.
    pub said: String,
}

impl JsonFailure {
    fn new(cause: Cause, said: impl AsRef<str>) -> Self {
        Self { cause, said: said.as_ref().chars().take(MAX_REASON).collect() }
    }
}

#[derive(Debug, Default, Deserialize)]
struct ErrorDocument {
    #[serde(default, rename = "__type")]
    kind: String,
    #[serde(default, alias = "Message")]
    message: String,
}

impl JsonOperation {
    /// Sends this body, and returns the answer's.
    pub async fn call(&self, body: Bytes) -> Result<Bytes, JsonFailure> {
        let headers = self.signed(&body, SystemTime::now()).await?;
        let request = self.http.post(self.url.clone()).headers(headers).body(body).timeout(TIMEOUT);
        let failed = |error: reqwest::Error| {
            let cause = if error.is_timeout() { Cause::TimedOut } else { Cause::Unreachable };
            JsonFailure::new(cause, super::root(&error))
        };
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        let mut read = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if read.len() + chunk.len() > MOST_BYTES {
                let said = format!("the answer is larger than the {} MiB that are read of one", MOST_BYTES >> 20);
                return Err(JsonFailure::new(Cause::Malformed, said));
            }
            read.extend_from_slice(&chunk);
        }
        match status {
            StatusCode::OK => Ok(read.into()),
            _ => Err(refusal(status, &read)),
        }
    }

    async fn signed(&self, body: &[u8], now: SystemTime) -> Result<HeaderMap, JsonFailure> {
        let credentials = self
            .credentials
            .provide_credentials()
            .await
            .map_err(|_| JsonFailure::new(Cause::Denied, format!("{CREDENTIALS_SOUGHT}; {CREDENTIALS_NEXT}")))?;
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| unsigned())?
            .into();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
        headers.insert(HeaderName::from_static("x-amz-target"), HeaderValue::from_static(self.target));
        let named = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()));
        let request = SignableRequest::new("POST", self.url.as_str(), named, SignableBody::Bytes(body))
            .map_err(|_| unsigned())?;
        let (instructions, _) = sign(request, &parameters).map_err(|_| unsigned())?.into_parts();
        for (name, value) in instructions.headers() {
            let (Ok(name), Ok(mut value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
                return Err(JsonFailure::new(Cause::Malformed, "the credentials are no text"));
            };
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

fn unsigned() -> JsonFailure {
    JsonFailure::new(Cause::Malformed, "the request could not be signed")
}

fn refusal(status: StatusCode, body: &[u8]) -> JsonFailure {
    let document: ErrorDocument = serde_json::from_slice(body).unwrap_or_default();
    let code = document.kind.rsplit('#').next().unwrap_or_default();
    let cause = by_code(code).unwrap_or_else(|| by_status(Some(status.as_u16())));
    match (code, &*document.message) {
        ("", _) => JsonFailure::new(cause, format!("HTTP status {}", status.as_u16())),
        (code, "") => JsonFailure::new(cause, code),
        (code, message) => JsonFailure::new(cause, format!("{code}: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_credential_types::Credentials;

    fn operation() -> JsonOperation {
        JsonOperation {
            http: reqwest::Client::new(),
            url: "https://cloudtrail.eu-west-1.amazonaws.com/".parse().unwrap(),
            service: "cloudtrail",
            region: "eu-west-1".to_owned(),
            target: "Service.Operation",
            credentials: SharedCredentialsProvider::new(Credentials::new(
                "AKIDEXAMPLE",
                "secret",
                Some("token".to_owned()),
                None,
                "tests",
            )),
        }
    }

    #[tokio::test]
    async fn what_is_sent_is_signed_for_its_service_region_and_body_i18() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let text = |headers: &HeaderMap, name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
        let headers = operation().signed(b"{}", at(1_700_000_000)).await.unwrap();
        let signature = text(&headers, "authorization");
        assert!(
            signature.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20231114/eu-west-1/cloudtrail/aws4_request")
        );
        assert!(
            signature.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target"),
            "{signature}"
        );
        assert_eq!(text(&headers, "x-amz-security-token"), "token");
        assert!(headers.get("authorization").unwrap().is_sensitive());
        let again = operation().signed(b"{}", at(1_700_000_000)).await.unwrap();
        assert_eq!(text(&again, "authorization"), signature);
        let other = operation().signed(b"{ }", at(1_700_000_000)).await.unwrap();
        assert_ne!(text(&other, "authorization"), signature, "the body is covered");
    }

    #[test]
    fn a_refusal_is_what_its_code_says_and_else_what_its_status_says() {
        for (status, body, cause, said) in [
            (
                400,
                r#"{"__type":"AccessDeniedException","Message":"not authorized"}"#,
                Cause::Denied,
                "AccessDeniedException: not authorized",
            ),
            (400, r#"{"__type":"com.amazonaws.x#ThrottlingException"}"#, Cause::Throttled, "ThrottlingException"),
            (
                400,
                r#"{"__type":"ExpiredTokenException","message":"expired"}"#,
                Cause::Denied,
                "ExpiredTokenException: expired",
            ),
            (503, "<html>", Cause::Throttled, "HTTP status 503"),
            (500, "", Cause::ServerError, "HTTP status 500"),
            (302, "", Cause::Refused, "HTTP status 302"),
        ] {
            let failure = refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes());
            assert_eq!(failure, JsonFailure { cause, said: said.to_owned() }, "{body}");
        }
        let long = format!(r#"{{"__type":"X","message":"{}"}}"#, "a".repeat(10_000));
        assert!(refusal(StatusCode::BAD_REQUEST, long.as_bytes()).said.len() <= MAX_REASON);
    }
}
