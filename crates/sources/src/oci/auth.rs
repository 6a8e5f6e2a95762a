//! Authorization for each scope: learnt from the registry's challenge, fetched once for everyone who waits, renewed
//! once when it stops working (F29), and never quietly replaced by nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use serde::Deserialize;
use tokio::sync::{Mutex, OnceCell};
use tracing::debug;
use url::Url;

use super::challenge::{Scheme, offered, realm_allowed};
use super::credentials::{Credentials, Keys, authorization};
use super::exchange::{exchange_call, exchanged};
use super::fault::Fault;
use super::granted::Granted;
use super::host::{RegistryHost, redacted};
use super::redirect::Redirects;
use super::transport::{Call, Purpose, Transport};
use prodpin_core::model::Cause;
use prodpin_policy::Secret;

/// A token answer larger than this is none.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// What a token lives if its server does not say (C93).
const DEFAULT_LIFE: Duration = Duration::from_secs(60);

/// A scope that was refused is not asked for again within this time: 20,000 tags must not mean 20,000 token calls.
const REFUSAL_HOLDS: Duration = Duration::from_secs(10);

/// One scope of the registry, and what opens it.
#[derive(Debug)]
pub(super) struct Grant {
    scope: String,
    /// Whether what another repository was challenged with is a good guess here. Not so for the catalog, which some
    /// registries guard in a way of its own (C86).
    guess: bool,
    held: RwLock<Option<Arc<Authorization>>>,
    /// Held while a token is fetched, so that one caller fetches it for all; remembers a recent refusal.
    renewal: Mutex<Option<(Instant, Fault)>>,
}

/// An `Authorization` in use.
#[derive(Debug)]
pub(super) struct Authorization {
    pub(super) header: HeaderValue,
    expires: Option<Instant>,
    /// Whether the registry has taken it at least once. If so, a 401 means that it ran out; if not, that it is no good.
    proven: AtomicBool,
}

impl Authorization {
    pub(super) fn prove(&self) {
        if !self.proven.load(Ordering::Relaxed) {
            self.proven.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    fn is_fresh(&self) -> bool {
        self.expires.is_none_or(|expires| Instant::now() < expires)
    }
}

impl Grant {
    pub(super) fn pull(repository: &str) -> Self {
        Self::new(format!("repository:{repository}:pull"), true)
    }

    pub(super) fn push(repository: &str) -> Self {
        Self::new(format!("repository:{repository}:pull,push"), true)
    }

    pub(super) fn delete(repository: &str) -> Self {
        Self::new(format!("repository:{repository}:pull,delete"), true)
    }

    /// Actions that are the registry's own.
    pub(super) fn to(repository: &str, actions: &str) -> Self {
        Self::new(format!("repository:{repository}:{actions}"), true)
    }

    pub(super) fn catalog() -> Self {
        Self::new("registry:catalog:*".to_owned(), false)
    }

    /// Nothing in particular: whatever the registry shows to everyone who has logged in.
    pub(super) fn login() -> Self {
        Self::new(String::new(), false)
    }

    fn new(scope: String, guess: bool) -> Self {
        Self { scope, guess, held: RwLock::new(None), renewal: Mutex::new(None) }
    }

    fn held(&self) -> Option<Arc<Authorization>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hold(&self, held: Arc<Authorization>) {
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }
}

/// How one source proves who it is.
#[derive(Debug)]
pub(super) struct Auth {
    keys: Keys,
    token_realms: Vec<String>,
    /// What the registry asked for last, so that the next repository needs no challenge of its own.
    known: RwLock<Option<Scheme>>,
    /// Who issued the tokens, by their own word.
    issuer: OnceLock<String>,
    /// What an access token was exchanged for, once for all scopes.
    exchanged: OnceCell<Secret>,
}

impl Auth {
    pub(super) fn new(keys: Keys, token_realms: Vec<String>) -> Self {
        Self { keys, token_realms, known: RwLock::new(None), issuer: OnceLock::new(), exchanged: OnceCell::new() }
    }

    /// Whether a text holds the secret of this source, or what that was exchanged for (I18).
    pub(super) fn is_reported_by(&self, text: &str) -> bool {
        self.keys.is_reported_by(text) || self.exchanged.get().is_some_and(|token| text.contains(token.expose()))
    }

    /// A refusal, with what may explain it.
    pub(super) fn explain(&self, fault: Fault) -> Fault {
        self.keys.explain(fault)
    }

    fn known(&self) -> Option<Scheme> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The `Authorization` of a user with a password, whether or not anybody asked for one.
    pub(super) async fn password_header(&self) -> Result<Option<HeaderValue>, Fault> {
        Ok(self.keys.get().await?.basic())
    }

    /// User and password, where there are some: for some vendors that is a token, too.
    pub(super) async fn pair(&self) -> Result<Option<(String, Secret)>, Fault> {
        match self.keys.get().await? {
            Credentials::Password { username, password } => Ok(Some((username, password))),
            Credentials::Anonymous | Credentials::Identity(_) | Credentials::Token(_) | Credentials::Access(_) => {
                Ok(None)
            }
        }
    }

    /// Who issued the tokens that were fetched so far, where they say so.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.issuer.get().map(String::as_str)
    }

    /// What to send in this scope now; nothing as long as the registry has not asked.
    pub(super) async fn current(
        &self,
        transport: &Transport,
        host: &RegistryHost,
        grant: &Grant,
    ) -> Result<Option<Arc<Authorization>>, Fault> {
        let held = grant.held();
        match held {
            Some(held) if held.is_fresh() => Ok(Some(held)),
            None if !grant.guess => Ok(None),
            stale => match self.known() {
                Some(scheme) => self.renew(transport, host, grant, stale.as_ref(), scheme).await.map(Some),
                None => Ok(None),
            },
        }
    }

    /// Answers a 401: the scheme that it offers, or the one known, in place of what was sent.
    pub(super) async fn answer(
        &self,
        transport: &Transport,
        host: &RegistryHost,
        grant: &Grant,
        sent: Option<&Arc<Authorization>>,
        headers: &HeaderMap,
    ) -> Result<Arc<Authorization>, Fault> {
        let Some(scheme) = offered(host.url(), headers)?.or_else(|| self.known()) else {
            let detail = format!("{} answers 401 and offers no way to authenticate that is known", host.shown());
            return Err(Fault::new(Cause::Denied, detail));
        };
        let held = self.renew(transport, host, grant, sent, scheme.clone()).await?;
        if grant.guess {
            *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(scheme);
        }
        Ok(held)
    }

    async fn renew(
        &self,
        transport: &Transport,
        host: &RegistryHost,
        grant: &Grant,
        stale: Option<&Arc<Authorization>>,
        scheme: Scheme,
    ) -> Result<Arc<Authorization>, Fault> {
        let mut refusal = grant.renewal.lock().await;
        let newer = grant.held().filter(|held| held.is_fresh() && !stale.is_some_and(|stale| Arc::ptr_eq(stale, held)));
        if let Some(newer) = newer {
            return Ok(newer);
        }
        if let Some((since, fault)) = &*refusal
            && since.elapsed() < REFUSAL_HOLDS
        {
            return Err(fault.clone());
        }
        let obtained = match scheme {
            Scheme::Basic => self.password(host).await,
            Scheme::Bearer { realm, service } => {
                self.token(transport, host, &grant.scope, &realm, service.as_deref()).await
            }
        };
        let obtained = obtained.map_err(|fault| self.keys.explain(fault));
        match obtained {
            Ok(held) => {
                let held = Arc::new(held);
                grant.hold(Arc::clone(&held));
                *refusal = None;
                Ok(held)
            }
            Err(fault) => {
                *refusal = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }

    async fn password(&self, host: &RegistryHost) -> Result<Authorization, Fault> {
        let lasting = |header| Authorization { header, expires: None, proven: AtomicBool::new(false) };
        self.keys.get().await?.basic().map(lasting).ok_or_else(|| {
            let [user, word] = self.keys.variables();
            let detail = format!(
                "{0} asks for a user and a password; set `username` and `password` on the source, or {user} and {word}, \
                 or log in with `docker login {0}`",
                host.shown()
            );
            Fault::new(Cause::Denied, detail)
        })
    }

    /// The token flow (C93).
    async fn token(
        &self,
        transport: &Transport,
        host: &RegistryHost,
        scope: &str,
        realm: &Url,
        service: Option<&str>,
    ) -> Result<Authorization, Fault> {
        let credentials = self.keys.get().await?;
        if let Credentials::Token(token) = &credentials {
            return bearer(token.expose(), None, realm);
        }
        realm_allowed(host, realm, &self.token_realms)?;
        let call = match &credentials {
            Credentials::Identity(token) => exchange_call(realm, service, scope, token),
            Credentials::Access(token) => {
                let exchanged = self.exchanged.get_or_try_init(|| exchanged(transport, realm, service, token));
                exchange_call(realm, service, scope, exchanged.await?)
            }
            other => token_call(realm, service, scope, other.basic()),
        };
        debug!(realm = %redacted(realm), scope, "asking for a token");
        let answer = transport.send(&call).await?;
        if !answer.status.is_success() {
            let what = format!("token for {scope} from {}", redacted(realm));
            return Err(match answer.status.as_u16() {
                401 | 403 => Fault::from_answer(&answer, &what),
                status => Fault::new(Cause::Denied, format!("{what}: answered {status}")),
            });
        }
        let granted = Granted::read(&answer.body)
            .map_err(|lacks| Fault::malformed(format!("the token server {} sent no {lacks}", redacted(realm))))?;
        if let Some(issuer) = issuer(&granted.token) {
            self.issuer.get_or_init(|| issuer);
        }
        bearer(&granted.token, Some(granted.seconds), realm)
    }
}

/// The issuer that a JSON Web Token names. Nobody verified it: it tells registries apart, and opens nothing.
fn issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        iss: String,
    }
    let claims = token.split('.').nth(1)?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    serde_json::from_slice::<Claims>(&claims).ok().map(|claims| claims.iss).filter(|issuer| issuer.len() <= 200)
}

fn bearer(token: &str, lives: Option<i64>, realm: &Url) -> Result<Authorization, Fault> {
    let header = authorization("Bearer", token);
    let header = header.filter(|_| token.bytes().all(|byte| byte.is_ascii_graphic())).ok_or_else(|| {
        Fault::malformed(format!("the token server {} sent a token that cannot stand in a header", redacted(realm)))
    })?;
    let expires = lives.map(|seconds| {
        let life = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs);
        let life = life.unwrap_or(DEFAULT_LIFE).min(Duration::from_secs(3600));
        // Counted from here, not from the server's clock (I21), and ended early: a request takes time to arrive.
        Instant::now() + life - (life / 4).min(Duration::from_secs(15))
    });
    Ok(Authorization { header, expires, proven: AtomicBool::new(false) })
}

fn token_call(realm: &Url, service: Option<&str>, scope: &str, basic: Option<HeaderValue>) -> Call {
    let mut url = realm.clone();
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = service {
            query.append_pair("service", service);
        }
        if !scope.is_empty() {
            query.append_pair("scope", scope);
        }
    }
    Call {
        purpose: Purpose::Token,
        method: Method::GET,
        url,
        accept: None,
        authorization: basic,
        content: None,
        redirects: Redirects::None,
        cap: MOST_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_end_early_and_never_at_once() {
        let realm = "https://a.example/token".parse().unwrap();
        let left = |lives| bearer("t", Some(lives), &realm).unwrap().expires.unwrap() - Instant::now();
        for (lives, seconds) in [(300, 285), (60, 45), (8, 6), (0, 45), (-5, 45), (i64::MAX, 3585)] {
            assert!(left(lives).as_secs_f64().ceil() as i64 == seconds, "{lives}: {:?}", left(lives));
        }
        assert!(bearer("a\nb", None, &realm).is_err(), "F79");
    }
}
