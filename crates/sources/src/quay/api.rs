//! Quay's API v1: its paths, its token, and what its refusals mean.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderValue};
use serde::de::DeserializeOwned;
use url::Url;

use crate::oci::{OciError, Registry};
use prodpin_core::model::{Cause, RepositoryName};
use prodpin_net::http::answer::HttpAnswer;
use prodpin_net::http::fault::Fault;
use prodpin_net::http::place::is_loopback;
use prodpin_policy::{OciConfig, Secret};

/// The user by whose name an OAuth token logs in to `/v2`, too.
const TOKEN_USER: &str = "$oauthtoken";

/// The calls of one Quay.
#[derive(Debug, Clone)]
pub(super) struct Api {
    registry: Arc<Registry>,
    token: HeaderValue,
}

/// A repository's place in Quay's paths.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) namespace: Box<str>,
    /// Its name without that.
    pub(super) name: Box<str>,
}

impl Place {
    /// None if there is no namespace in front: Quay has no such repository.
    pub(super) fn of(repository: &RepositoryName) -> Option<Self> {
        let (namespace, name) = repository.as_str().split_once('/')?;
        (repository.is_oci() && !name.is_empty()).then(|| Self { namespace: namespace.into(), name: name.into() })
    }

    pub(super) fn path(&self) -> String {
        format!("/api/v1/repository/{}/{}", self.namespace, self.name)
    }

    pub(super) fn tag(&self, tag: &str) -> String {
        format!("{}/tag/{tag}", self.path())
    }
}

impl Api {
    /// None where there is no token for it: robot accounts cannot use it (K54b).
    pub(super) fn new(
        registry: Arc<Registry>,
        config: &OciConfig,
        token: Option<&Secret>,
    ) -> Result<Option<Self>, OciError> {
        let of_login = || config.password.as_ref().filter(|_| config.username.as_deref() == Some(TOKEN_USER));
        let Some(token) = token.or_else(of_login) else { return Ok(None) };
        must_be_covered(&config.url)?;
        let header = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
        let mut token = header.map_err(|_| OciError::Credentials {
            origin: "the source's token".to_owned(),
            reason: "no header can hold it".to_owned(),
        })?;
        token.set_sensitive(true);
        Ok(Some(Self { registry, token }))
    }

    pub(super) fn host(&self) -> &str {
        self.registry.shown()
    }

    /// How long all pages of one list may take together.
    pub(super) fn longest_list(&self) -> Duration {
        self.registry.longest_list()
    }

    /// A document.
    pub(super) async fn document<T: DeserializeOwned>(&self, path: &str, query: Option<&str>) -> Result<T, Fault> {
        let answer = self.registry.read_as(Some(self.token.clone()), path, query).await?;
        self.parsed(path, &answer)
    }

    /// A document, with when it was made: by the server's clock, or by this one's where that says nothing.
    pub(super) async fn dated<T: DeserializeOwned>(&self, path: &str, query: &str) -> Result<(T, Timestamp), Fault> {
        let answer = self.registry.read_as(Some(self.token.clone()), path, Some(query)).await?;
        let date = answer.headers.get(DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|date| date.timestamp());
        Ok((self.parsed(path, &answer)?, date.unwrap_or_else(Timestamp::now)))
    }

    /// One that is shown to everybody. The token does not go with it.
    pub(super) async fn public<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        let answer = self.registry.read_as(None, path, None).await?;
        self.parsed(path, &answer)
    }

    /// Asks for a pin's tag to stay. Every answer is handed on.
    pub(super) async fn lock_pin(&self, path: &str, body: &'static [u8]) -> Result<HttpAnswer, Fault> {
        self.registry.lock_pin(self.token.clone(), path, Bytes::from_static(body)).await
    }

    fn parsed<T: DeserializeOwned>(&self, path: &str, answer: &HttpAnswer) -> Result<T, Fault> {
        let what = format!("GET {path} at {}", self.host());
        if answer.status != StatusCode::OK {
            return Err(self.refusal(answer, &what));
        }
        answer.must_be(&what, |media_type| media_type.contains("json"))?;
        serde_json::from_slice(&answer.body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Fault::malformed(format!("{what}: a document of another form, from line {line}, column {column} on"))
        })
    }

    /// What an answer other than success means. Unknown and not allowed are one answer here (K54b).
    pub(super) fn refusal(&self, answer: &HttpAnswer, what: &str) -> Fault {
        let fault = Fault::from_answer(answer, what);
        match answer.status {
            StatusCode::UNAUTHORIZED => {
                Fault::new(Cause::Denied, format!("{}; Quay does not take the source's token", fault.detail))
            }
            // A page in HTML is no word of the API's.
            StatusCode::NOT_FOUND if answer.media_type().is_some_and(|media_type| media_type.contains("html")) => {
                Fault::new(Cause::Unsupported, format!("{}; this Quay does not have that call", fault.detail))
            }
            _ => fault,
        }
    }
}

/// Like passwords, tokens stay off plain HTTP, except on this machine (I18).
fn must_be_covered(url: &Url) -> Result<(), OciError> {
    match url.scheme() == "http" && !is_loopback(url) {
        false => Ok(()),
        true => Err(OciError::Credentials {
            origin: url.to_string(),
            reason: "there is a token for it, and without TLS everyone on the way could read it; use https".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_crosses_no_network_in_the_clear_i18() {
        for (url, is_sent) in [
            ("https://quay.example.com", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://quay.example.com", false),
            ("http://10.0.0.5", false),
        ] {
            assert_eq!(must_be_covered(&url.parse().unwrap()).is_ok(), is_sent, "{url}");
        }
    }

    #[test]
    fn a_repository_without_a_namespace_is_none_of_quays() {
        let of = |name: &str| Place::of(&name.parse().unwrap());
        assert!(of("shop").is_none() && of("acme/shop").is_some());
    }
}
