//! ECR by the registry protocol, for blobs alone: the API hands out none. `GetAuthorizationToken` gives a password for half
//! a day, and the address where it is good; a run that reads none asks for neither.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::Mutex;
use url::Url;

use super::Registry;
use super::access::Access;
use super::gate::TOKEN;
use super::manifests::fetch_text;
use super::transport::Call;
use super::{Tuning, pin, registry};
use crate::closure::Trouble;
use crate::content::{AttachedSignatures, Content, Document, IsSignature, Lost, Taker};
use crate::oci::{HttpEnvironment, Restorer, open_in, open_to_look, open_to_restore as open_v2_to_restore};
use crate::{Inventory, OpenOptions, Source};
use prodpin_core::model::{Cause, Digest, EcrHost, RepositoryName, SourceName};
use prodpin_net::http::fault::Fault;
use prodpin_net::http::place::is_loopback;
use prodpin_policy::{EcrConfig, OciConfig, Secret};

/// Tokens are good for twelve hours.
const RENEWED_AFTER: Duration = Duration::from_secs(6 * 3600);

/// The way to this registry's bytes, found when they are first asked for.
#[derive(Default)]
pub(super) struct Pulling {
    held: Mutex<Option<(Instant, Arc<dyn Inventory>)>>,
}

impl std::fmt::Debug for Pulling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pulling")
    }
}

impl Registry {
    /// The registry protocol's half, with a token that is good for some time.
    async fn pulling(&self) -> Result<Arc<dyn Inventory>, Fault> {
        let mut held = self.pulling.held.lock().await;
        if let Some((since, inventory)) = &*held
            && since.elapsed() < RENEWED_AFTER
        {
            return Ok(Arc::clone(inventory));
        }
        let config = self.v2().await?;
        let options = OpenOptions { write: false, ..self.options.clone() };
        let source = open_in(&self.name, &config, &options, &self.environment);
        let source = source.map_err(|error| Fault::refused(error.to_string()))?;
        *held = Some((Instant::now(), Arc::clone(&source.inventory)));
        Ok(source.inventory)
    }

    /// Where the registry protocol is spoken, and by what password.
    async fn v2(&self) -> Result<OciConfig, Fault> {
        let call = Call::registry(TOKEN);
        let client = self.transport.pulling().await;
        let answer = self.transport.call(call, |_| {
            let request = client.get_authorization_token();
            async move { request.send().await }
        });
        let answer = answer.await.map_err(Fault::from)?;
        let odd = |what: &str| Fault::from(self.transport.malformed(&call, what));
        let [granted] = answer.authorization_data() else { return Err(odd("not one token")) };
        let endpoint = granted.proxy_endpoint().and_then(|endpoint| endpoint.parse::<Url>().ok());
        let endpoint = endpoint.ok_or_else(|| odd("no address of the registry"))?;
        self.must_be_ours(&endpoint)?;
        let token = granted.authorization_token().and_then(|token| STANDARD.decode(token).ok());
        let token = token.and_then(|token| String::from_utf8(token).ok());
        let login = token.as_deref().and_then(|token| token.split_once(':'));
        let (user, password) = login.ok_or_else(|| odd("a token that is no user and password"))?;
        Ok(OciConfig {
            repositories: self.config.repositories.clone(),
            username: Some(user.to_owned()),
            password: Some(Secret::new(password)),
            token_realms: Vec::new(),
            // An endpoint of one's own network has an address of it.
            private: self.config.endpoint.is_some(),
            ca_file: None,
            max_concurrency: self.config.max_concurrency,
            cleanup: None,
            interface: prodpin_policy::RegistryInterface::None,
            url: endpoint,
        })
    }

    /// The password goes to this account's registry in this region, or to where the policy sends the API's calls; an answer
    /// alone names no other place (F13).
    fn must_be_ours(&self, endpoint: &Url) -> Result<(), Fault> {
        let host = endpoint.host_str().unwrap_or_default();
        let is_ecr = EcrHost::read(host).is_some_and(|named| {
            self.transport.account().is_none_or(|account| account == named.account)
                && named.region == self.transport.region()
        });
        let own = self.config.endpoint.as_ref();
        let is_named =
            own.is_some_and(|own| own.host_str() == Some(host) || (is_loopback(own) && is_loopback(endpoint)));
        match (is_ecr && endpoint.scheme() == "https") || is_named {
            true => Ok(()),
            false => Err(Fault::refused(format!(
                "{TOKEN} names {host:.200} as the registry, which is none of this account in this region: no password is \
                 sent there"
            ))),
        }
    }
}

#[async_trait]
impl Content for Registry {
    /// By the API, which every role that reads here may ask.
    async fn manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<Document, Lost> {
        let fetched = fetch_text(self, repository, digest).await;
        let (fetched, text) = fetched.map_err(|trouble| match trouble {
            Trouble::NotFound => Lost::NotFound,
            Trouble::WrongBytes(detail) => Lost::Wrong(detail),
            Trouble::Unknown(fault) => Lost::Unknown(fault),
        })?;
        Ok(Document { media_type: fetched.media_type, bytes: text.text.into() })
    }

    async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        from: u64,
        taker: &mut dyn Taker,
    ) -> Result<(), Lost> {
        let pulling = self.pulling().await?;
        match pulling.content() {
            Some(content) => content.blob(repository, digest, from, taker).await,
            None => Err(without_content().into()),
        }
    }

    async fn signatures(
        &self,
        repository: &RepositoryName,
        artifact: &Digest,
        is_signature: IsSignature,
    ) -> Result<AttachedSignatures, Fault> {
        let pulling = self.pulling().await?;
        let content = pulling.content().ok_or_else(without_content)?;
        content.signatures(repository, artifact, is_signature).await
    }
}

fn without_content() -> Fault {
    Fault::new(Cause::Unsupported, "the registry protocol reads no bytes")
}

/// Opens a registry so that what a vault kept can be put back there: by the registry protocol, and looked at by the API. Without
/// write power nothing is sent that could write. The error is for a person.
pub async fn open_to_restore(
    name: &SourceName,
    config: &EcrConfig,
    options: &OpenOptions,
    environment: &HttpEnvironment,
    tuning: Tuning,
) -> Result<(Source, Restorer), String> {
    let access = Access::new(name, config, options, tuning.credentials.clone()).await;
    let access = access.map_err(|error| error.to_string())?;
    let registry = registry(access, (name, config), options, environment, &tuning).await;
    let v2 = registry.v2().await.map_err(|fault| fault.detail)?;
    let opened = match options.write {
        true => open_v2_to_restore(name, &v2, options, environment),
        false => open_to_look(name, &v2, options, environment),
    };
    let (_, restorer) = opened.map_err(|error| error.to_string())?;
    let protector = options.write.then(|| Arc::new(pin::Pinner(Arc::clone(&registry))) as Arc<_>);
    Ok((Source { inventory: registry, protector, rehearsal: None }, restorer))
}
