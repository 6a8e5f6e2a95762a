//! A vendor's own interface on a server of its own, beside the registry: asked with the credentials of the source, within limits
//! of its own, and for reading alone.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::answer::plain_words;
use super::credentials::authorization;
use super::fault::Fault;
use super::place::{is_loopback, names_private};
use super::redirect::Redirects;
use super::registry::Registry;
use super::token::token_of;
use super::transport::{Call, Extras, HttpAnswer, Purpose, Transport};
use super::{HttpEnvironment, OciError, OpenOptions, transport_to};
use prodpin_core::model::{Cause, SourceName};
use prodpin_policy::{OciConfig, Secret};

/// A page of a list, or one document.
const DOCUMENT_CAP: usize = 16 << 20;

/// The server, and who asks it.
#[derive(Debug)]
pub(crate) struct Beside {
    registry: Arc<Registry>,
    transport: Transport,
    /// Ends in `/`.
    base: Url,
    shown: String,
    /// What opens it, where that is not the registry's password.
    token: Option<Secret>,
}

/// What vendors say in an error document; Google's has it one level down.
#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Plain {
        #[serde(alias = "detail")]
        message: String,
    },
    Within {
        error: Within,
    },
}

#[derive(Deserialize)]
struct Within {
    message: String,
}

impl Said {
    fn message(self) -> String {
        match self {
            Self::Plain { message } | Self::Within { error: Within { message } } => message,
        }
    }
}

impl Beside {
    /// Nothing is sent yet.
    pub(crate) fn new(
        registry: Arc<Registry>,
        base: &Url,
        config: &OciConfig,
        options: &OpenOptions,
        environment: &HttpEnvironment,
    ) -> Result<Self, OciError> {
        let host = base.host_str().unwrap_or_default();
        let options = OpenOptions { write: false, ..options.clone() };
        let is_private = config.private || names_private(host);
        let transport = transport_to((base, base), is_private, config, &options, environment)?;
        let shown = base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Ok(Self { registry, transport, base: base.clone(), shown, token: None })
    }

    /// The same with the token that the source has for its interface alone, if it has one.
    pub(crate) fn with_token_of(self, name: &SourceName, config: &OciConfig, environment: &HttpEnvironment) -> Self {
        Self { token: token_of(name, config, environment), ..self }
    }

    /// The host, for messages.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// Where it is.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// How long all pages of one list may take together.
    pub(crate) fn longest_list(&self) -> Duration {
        self.transport.longest_list()
    }

    /// The `Authorization` of whoever has a password: its secret as a bearer token.
    pub(crate) async fn bearer(&self) -> Result<Option<HeaderValue>, Fault> {
        let Some((_, secret)) = self.registry.auth.pair().await? else { return Ok(None) };
        self.must_be_covered()?;
        Ok(authorization("Bearer", secret.expose()))
    }

    /// The token for the interface, else the registry's password, as a header of its own; none for whoever has neither.
    pub(crate) async fn secret(&self) -> Result<Option<HeaderValue>, Fault> {
        let secret = match &self.token {
            Some(token) => token,
            None => match self.registry.auth.pair().await? {
                Some((_, password)) => password,
                None => return Ok(None),
            },
        };
        self.must_be_covered()?;
        let unfit = || Fault::new(Cause::Denied, format!("the token for {} cannot stand in a header", self.shown));
        let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| unfit())?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// Whether a text holds a secret of the source (I18).
    fn is_reported_by(&self, text: &str) -> bool {
        self.token.as_ref().is_some_and(|token| text.contains(token.expose()))
            || self.registry.auth.is_reported_by(text)
    }

    /// User and password, where there are some and they may go there.
    pub(crate) async fn pair(&self) -> Result<Option<(&str, &Secret)>, Fault> {
        let pair = self.registry.auth.pair().await?;
        if pair.is_some() {
            self.must_be_covered()?;
        }
        Ok(pair)
    }

    /// The `Authorization` of this token.
    pub(crate) fn bearer_with(&self, token: &Secret) -> Result<HeaderValue, Fault> {
        self.must_be_covered()?;
        authorization("Bearer", token.expose())
            .ok_or_else(|| Fault::refused(format!("the token for {} cannot stand in a header", self.shown)))
    }

    /// Whether there are credentials at all.
    pub(crate) async fn has_password(&self) -> Result<bool, Fault> {
        Ok(self.registry.auth.pair().await?.is_some())
    }

    /// Logs in with user and password, and gives the `Authorization` of what it gets for them; nothing for whoever has none.
    pub(crate) async fn log_in(&self, path: &str, lacks: &str) -> Result<Option<HeaderValue>, Fault> {
        #[derive(Deserialize)]
        struct LoggedIn {
            access_token: String,
        }
        let Some((user, secret)) = self.registry.auth.pair().await? else { return Ok(None) };
        self.must_be_covered()?;
        let body = serde_json::json!({ "identifier": user, "secret": secret.expose() }).to_string();
        let json = HeaderValue::from_static("application/json");
        let call = Call {
            purpose: Purpose::Token,
            method: Method::POST,
            url: self.url(path),
            accept: Some(json.clone()),
            authorization: None,
            content: Some((json, body.into())),
            redirects: Redirects::None,
            cap: DOCUMENT_CAP,
        };
        let answer = self.transport.send(&call).await?;
        if !answer.status.is_success() {
            let what = format!("POST {}{path} at {}", self.base.path(), self.shown);
            return Err(self.refused(&answer, &what, lacks));
        }
        let LoggedIn { access_token } = self.parsed(path, &answer)?;
        authorization("Bearer", &access_token)
            .map(Some)
            .ok_or_else(|| Fault::malformed(format!("{} gave a token that cannot stand in a header", self.shown)))
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        url
    }

    /// Passwords stay off plain HTTP, except on this machine (I18).
    fn must_be_covered(&self) -> Result<(), Fault> {
        if self.base.scheme() == "http" && !is_loopback(&self.base) {
            let detail = format!(
                "http://{}: there are credentials for it, and without TLS everyone on the way could read them; use https",
                self.shown
            );
            return Err(Fault::refused(detail));
        }
        Ok(())
    }

    /// Reads a document or a page of a list. Every answer is handed on.
    pub(crate) async fn read(
        &self,
        path: &str,
        query: &[(&str, &str)],
        (accept, headers): (&'static str, HeaderMap),
        authorization: Option<HeaderValue>,
    ) -> Result<HttpAnswer, Fault> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let call = Call {
            purpose: Purpose::Read,
            method: Method::GET,
            url,
            accept: Some(HeaderValue::from_static(accept)),
            authorization,
            content: None,
            redirects: Redirects::None,
            cap: DOCUMENT_CAP,
        };
        self.transport.send_with(&call, Extras { headers, ..Extras::default() }).await
    }

    /// The call for messages.
    pub(crate) fn what(&self, path: &str) -> String {
        format!("GET {}{path} at {}", self.base.path(), self.shown)
    }

    /// The document that an answer of success holds.
    pub(crate) fn parsed<T: DeserializeOwned>(&self, path: &str, answer: &HttpAnswer) -> Result<T, Fault> {
        let what = self.what(path);
        answer.must_be(&what, |media_type| media_type.contains("json"))?;
        // What stands in it is not quoted, for a server chooses it (I18).
        serde_json::from_slice(&answer.body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Fault::malformed(format!("{what}: a document of another form, from line {line}, column {column} on"))
        })
    }

    /// What an answer other than success means, in the server's own words where they can be shown. `lacks` is what to do where
    /// the credentials do not reach. A 404 is never believed: it is also the answer to who may not see.
    pub(crate) fn refusal(&self, answer: &HttpAnswer, path: &str, lacks: &str) -> Fault {
        self.refused(answer, &self.what(path), lacks)
    }

    fn refused(&self, answer: &HttpAnswer, what: &str, lacks: &str) -> Fault {
        let status = answer.status;
        let said = serde_json::from_slice::<Said>(&answer.body).ok().map(Said::message);
        let said = said.filter(|message| !self.is_reported_by(message));
        let said = said.and_then(|message| plain_words(&message));
        let said = said.map_or_else(String::new, |said| format!(" ({said})"));
        let answered = format!("{what}: the server answered {}{said}", status.as_u16());
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Fault::new(Cause::Denied, format!("{answered}; {lacks}"))
            }
            StatusCode::NOT_FOUND => Fault::new(
                Cause::Denied,
                format!(
                    "{answered}, which it does to what is not there and to what the credentials do not show; {lacks}"
                ),
            ),
            status if status.is_redirection() => Fault::refused(format!(
                "{answered}, a redirect that is not followed: the name may have changed, so write the present one"
            )),
            _ => Fault::from_answer(answer, what),
        }
    }
}
