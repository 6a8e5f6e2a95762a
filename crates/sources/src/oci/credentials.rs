//! Where the credentials of a source come from, first match wins: the policy, the environment, the configuration of
//! Docker or Podman, and only then nobody. Whatever is there and broken is an error: going on as nobody would look
//! like a registry that lost its repositories.

#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::HeaderValue;
use tokio::sync::OnceCell;
use url::Url;

use super::docker_config::Found;
use super::environment::HttpEnvironment;
use super::fault::Fault;
use super::host::{RegistryHost, is_loopback};
use super::{OciError, docker_config, token};
use crate::google::{self, Identity, Login, TOKEN_USER};
use prodpin_core::model::{Cause, SourceName};
use prodpin_policy::{OciConfig, RegistryInterface, Secret, github_api_of};

/// How the variables of a login end.
const PAIR: [&str; 2] = ["USERNAME", "PASSWORD"];

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    Anonymous,
    Password {
        username: String,
        password: Secret,
    },
    /// What `docker login` keeps of some registries: good for getting tokens, not for the registry itself.
    Identity(Secret),
    /// A bearer token for the registry itself.
    Token(Secret),
    /// An access token of Microsoft Entra, which Azure's registries take in exchange for an identity token (K46).
    Access(Secret),
}

impl Credentials {
    /// The `Authorization` of a user with a password; none for everyone else.
    pub(super) fn basic(&self) -> Option<HeaderValue> {
        let Self::Password { username, password } = self else { return None };
        authorization("Basic", &BASE64_STANDARD.encode(format!("{username}:{}", password.expose())))
    }

    /// Whether a text holds the secret, or what is sent in its place (I18).
    pub(super) fn is_reported_by(&self, text: &str) -> bool {
        let secret = match self {
            Self::Anonymous => return false,
            Self::Password { password, .. } => password,
            Self::Identity(token) | Self::Token(token) | Self::Access(token) => token,
        };
        let sent = self.basic();
        let sent = sent.as_ref().and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Basic "));
        text.contains(secret.expose()) || sent.is_some_and(|sent| text.contains(sent))
    }
}

/// An `Authorization` that prints as nothing; none if the secret cannot stand in a header (F79).
pub(super) fn authorization(scheme: &str, secret: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("{scheme} {secret}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Credentials that were found.
#[derive(Debug)]
struct Held {
    first: Credentials,
    /// Who gives a newer token in place of the first.
    renewed_by: Option<Identity>,
    /// What was given last.
    newest: Mutex<Option<Credentials>>,
}

impl Held {
    fn lasting(first: Credentials) -> Self {
        Self { first, renewed_by: None, newest: Mutex::default() }
    }

    fn of_login(login: Login) -> Self {
        Self { renewed_by: Some(login.identity), ..Self::lasting(access_token(login.token)) }
    }

    /// What holds now.
    async fn now(&self) -> Result<Credentials, Fault> {
        let Some(identity) = &self.renewed_by else { return Ok(self.first.clone()) };
        let token = identity.token().await.ok_or_else(|| {
            Fault::new(Cause::Denied, "Google's application default credentials: they give no further token".to_owned())
        })?;
        let found = access_token(token);
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.clone());
        Ok(found)
    }

    fn is_reported_by(&self, text: &str) -> bool {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        self.first.is_reported_by(text) || newest.as_ref().is_some_and(|newest| newest.is_reported_by(text))
    }
}

fn access_token(token: Secret) -> Credentials {
    Credentials::Password { username: TOKEN_USER.to_owned(), password: token }
}

/// The credentials of a source, as soon as somebody wants to know them: who has to ask a program for them does so once,
/// and no other source waits for it (F108).
#[derive(Debug)]
pub(super) struct Keys {
    found: Found,
    /// For messages, where nothing but TLS would keep a secret.
    exposed: Option<String>,
    environment: HttpEnvironment,
    deadline: Option<Instant>,
    resolved: OnceCell<Result<Held, Fault>>,
    /// What there is for parts of the registry alone, where there is nothing for all of it.
    for_parts: Option<String>,
    /// The variables that are this source's own: user and password.
    variables: [String; 2],
    /// Whether Google's own tools are asked for a login where nothing else has one.
    asks_google: bool,
}

impl Keys {
    /// Finds who has the credentials. Nobody is asked yet.
    pub(super) fn find(
        name: &SourceName,
        config: &OciConfig,
        host: &RegistryHost,
        environment: &HttpEnvironment,
        deadline: Option<Instant>,
    ) -> Result<Self, OciError> {
        let found = find(name, config, host, environment)?;
        let exposed = (host.is_plain() && !host.is_loopback()).then(|| format!("http://{}", host.shown()));
        let nobody = matches!(found, Found::Ready(Credentials::Anonymous));
        let for_parts = nobody.then(|| docker_config::for_parts(host, environment)).flatten();
        let (environment, resolved) = (environment.clone(), OnceCell::new());
        let variables = variables(name, PAIR);
        let asks_google = is_googles(config, host);
        let keys = Self { found, exposed, environment, deadline, resolved, for_parts, variables, asks_google };
        if let Found::Ready(credentials) = &keys.found {
            keys.guarded(credentials)?;
        }
        Ok(keys)
    }

    /// These, whatever else there may be.
    pub(super) fn given(
        credentials: Credentials,
        host: &RegistryHost,
        environment: &HttpEnvironment,
    ) -> Result<Self, OciError> {
        let exposed = (host.is_plain() && !host.is_loopback()).then(|| format!("http://{}", host.shown()));
        let (environment, resolved, variables) = (environment.clone(), OnceCell::new(), [String::new(), String::new()]);
        let found = Found::Ready(credentials.clone());
        let (deadline, for_parts, asks_google) = (None, None, false);
        let keys = Self { found, exposed, environment, deadline, resolved, for_parts, variables, asks_google };
        keys.guarded(&credentials)?;
        Ok(keys)
    }

    /// Whether a text holds the secret, as far as it is known by now (I18).
    pub(super) fn is_reported_by(&self, text: &str) -> bool {
        match &self.found {
            Found::Ready(credentials) if *credentials != Credentials::Anonymous => credentials.is_reported_by(text),
            Found::Ready(_) | Found::Ask(_) => {
                let held = self.resolved.get().and_then(|resolved| resolved.as_ref().ok());
                held.is_some_and(|held| held.is_reported_by(text))
            }
        }
    }

    /// The credentials, as they are now. What is there and cannot be had is a fault, never nobody.
    pub(super) async fn get(&self) -> Result<Credentials, Fault> {
        let resolved = self.resolved.get_or_init(|| async {
            let found = self.resolve().await;
            found.map_err(|error| Fault::new(Cause::Denied, error.to_string()))
        });
        resolved.await.as_ref().map_err(Clone::clone)?.now().await
    }

    /// The variables that are this source's own: user and password.
    pub(super) fn variables(&self) -> &[String; 2] {
        &self.variables
    }

    /// A refusal, with what may explain it.
    pub(super) fn explain(&self, fault: Fault) -> Fault {
        match &self.for_parts {
            Some(why) if fault.cause == Cause::Denied => Fault { detail: format!("{}; {why}", fault.detail), ..fault },
            _ => fault,
        }
    }

    async fn resolve(&self) -> Result<Held, OciError> {
        // Half of the time at most, so that there is some left for the registry's other answers.
        let now = Instant::now();
        let half = self.deadline.map(|deadline| now + deadline.saturating_duration_since(now) / 2);
        let found = self.found.resolve(&self.environment, half).await?.unwrap_or(Credentials::Anonymous);
        let found = match found {
            Credentials::Anonymous if self.asks_google => self.of_google(half).await?,
            found => Held::lasting(found),
        };
        self.guarded(&found.first)?;
        Ok(found)
    }

    async fn of_google(&self, deadline: Option<Instant>) -> Result<Held, OciError> {
        let failed =
            |reason| OciError::Credentials { origin: "Google's application default credentials".to_owned(), reason };
        let longest = self.environment.timing.helper;
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let asked =
            tokio::time::timeout(left.map_or(longest, |left| left.min(longest)), google::login(&self.environment));
        let late = || failed("whoever has them did not answer in time".to_owned());
        let login = asked.await.map_err(|_| late())?.map_err(failed)?;
        Ok(login.map_or_else(|| Held::lasting(Credentials::Anonymous), Held::of_login))
    }

    fn guarded(&self, found: &Credentials) -> Result<(), OciError> {
        match &self.exposed {
            Some(origin) if *found != Credentials::Anonymous => Err(OciError::Credentials {
                origin: origin.clone(),
                reason:
                    "there are credentials for it, and without TLS everyone on the way could read them; use https, \
                         or take the credentials away"
                        .to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

/// Whether registry and interface are Google's own: whoever a policy names else gets nothing that it does not give them. What stays on
/// this machine is a test, or a proxy that somebody set up.
fn is_googles(config: &OciConfig, host: &RegistryHost) -> bool {
    let RegistryInterface::Gar { api, .. } = &config.interface else { return false };
    let is_plain_https = |url: &Url| url.scheme() == "https" && url.port().is_none();
    let registry = is_plain_https(host.url()) && host.host().ends_with("-docker.pkg.dev");
    let interface = is_plain_https(api) && api.host_str() == Some("artifactregistry.googleapis.com");
    (registry || host.is_loopback()) && (interface || is_loopback(api))
}

/// Finds the credentials of a source, or who has them.
fn find(
    name: &SourceName,
    config: &OciConfig,
    host: &RegistryHost,
    environment: &HttpEnvironment,
) -> Result<Found, OciError> {
    let found = match from_policy(name, config)? {
        Some(found) => Some(Found::Ready(found)),
        None => match from_environment(name, environment)? {
            Some(found) => Some(Found::Ready(found)),
            None => match from_github(config, environment)? {
                Some(found) => Some(Found::Ready(found)),
                None => docker_config::find(host, environment)?
                    .or_else(|| token::as_password(name, config, environment).map(Found::Ready)),
            },
        },
    };
    Ok(found.unwrap_or(Found::Ready(Credentials::Anonymous)))
}

fn from_policy(name: &SourceName, config: &OciConfig) -> Result<Option<Credentials>, OciError> {
    let origin = || format!("source {name}");
    pair(config.username.clone(), config.password.clone(), origin, "`username`", "`password`")
}

/// The variables that are this source's own and end so.
pub(super) fn variables<const N: usize>(name: &SourceName, ends: [&str; N]) -> [String; N] {
    ends.map(|what| own_variable(name, what))
}

/// A variable that is this source's own.
pub(crate) fn own_variable(name: &SourceName, what: &str) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let own: String = name.as_str().chars().map(upper).collect();
    format!("PRODPIN_{own}_{what}")
}

fn from_environment(name: &SourceName, environment: &HttpEnvironment) -> Result<Option<Credentials>, OciError> {
    let own = variables(name, PAIR);
    let general = ["PRODPIN_USERNAME", "PRODPIN_PASSWORD"].map(str::to_owned);
    for [user, word] in [&own, &general] {
        let get = |name: &str| environment.variables.get(name).map(str::to_owned);
        let found = pair(get(user), get(word).map(Secret::new), || "the environment".to_owned(), user, word)?;
        if found.is_some() && *user == general[0] && environment.several_registries {
            return Err(OciError::Credentials {
                origin: "the environment".to_owned(),
                reason: format!(
                    "{user} and {word} name no source, and this policy has several registries, which would all see \
                     them; set {} and {} for this source",
                    own[0], own[1]
                ),
            });
        }
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The token that GitHub gives its own workflows, for the server that gave it and that server's own registry, and no other. It is
/// that of github.com unless `GITHUB_API_URL` says otherwise.
fn from_github(config: &OciConfig, environment: &HttpEnvironment) -> Result<Option<Credentials>, OciError> {
    let RegistryInterface::Ghcr { api } = &config.interface else { return Ok(None) };
    let giver = environment.variables.get("GITHUB_API_URL").unwrap_or("https://api.github.com");
    let is_givers = |api: &Url| giver.trim_end_matches('/') == api.as_str().trim_end_matches('/');
    if !is_givers(api) || github_api_of(&config.url).is_none_or(|own| !is_givers(&own)) {
        return Ok(None);
    }
    let Some(token) = environment.variables.get("GITHUB_TOKEN") else { return Ok(None) };
    let user = environment.variables.get("GITHUB_ACTOR").unwrap_or("prodpin").to_owned();
    let origin = || "the environment".to_owned();
    pair(Some(user), Some(Secret::new(token)), origin, "GITHUB_ACTOR", "GITHUB_TOKEN")
}

fn pair(
    username: Option<String>,
    password: Option<Secret>,
    origin: impl Fn() -> String,
    user_key: &str,
    password_key: &str,
) -> Result<Option<Credentials>, OciError> {
    let lacking = |has: &str, lacks: &str| OciError::Credentials {
        origin: origin(),
        reason: format!("{has} is set and {lacks} is not; set both or neither"),
    };
    match (username, password) {
        (Some(username), Some(password)) => match checked(username, password) {
            Ok(found) => Ok(Some(found)),
            Err(reason) => Err(OciError::Credentials { origin: origin(), reason: reason.to_owned() }),
        },
        (Some(_), None) => Err(lacking(user_key, password_key)),
        (None, Some(_)) => Err(lacking(password_key, user_key)),
        (None, None) => Ok(None),
    }
}

/// A user and a password that can be sent. The user `<token>` is Docker's way to say that it is an identity token; in the same
/// way `<access-token>` says that it is one of Microsoft Entra.
pub(super) fn checked(username: String, password: Secret) -> Result<Credentials, &'static str> {
    if username.contains(':') || username.chars().any(char::is_control) {
        return Err("a user name cannot hold a colon or a control character");
    }
    Ok(match username.as_str() {
        "<token>" => Credentials::Identity(password),
        "<access-token>" => Credentials::Access(password),
        _ => Credentials::Password { username, password },
    })
}
