//! What a registry has beside the registry protocol, for sources that know which kind it is: its own interface, asked on the
//! same connection, within the same limits, by the same credentials.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};

use super::auth::Grant;
use super::closure::Trouble;
use super::fault::Fault;
use super::manifest::Content;
use super::pin::Pins;
use super::redirect::Redirects;
use super::registry::Registry;
use super::transport::{Call, Extras, HttpAnswer, Purpose, Transport};
use super::{HttpEnvironment, OciError, OpenOptions, inventory, registry_of};
use crate::{Inventory, Protector};
use prodpin_core::model::{Cause, Digest, Recognised, RegistryKind, RepositoryName, SourceName};
use prodpin_policy::OciConfig;

/// A page of a list, or one document.
const DOCUMENT_CAP: usize = 16 << 20;

/// A registry of a known kind, as far as the registry protocol goes.
pub(crate) struct Known {
    pub(crate) registry: Arc<Registry>,
    pub(crate) inventory: Arc<dyn Inventory>,
    /// Present where the run may write.
    pub(crate) pins: Option<Arc<dyn Protector>>,
}

/// Opens a registry of which the policy says what it is. Nothing is sent yet.
pub(crate) fn open_known(
    name: &SourceName,
    config: &OciConfig,
    kind: RegistryKind,
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<Known, OciError> {
    let power = |transport: Transport| if options.rehearse { transport.rehearsing() } else { transport };
    open_with(name, config, kind, (options, environment), power, options.write)
}

/// The same with the power to remove pins, and to make again those that are needed after all.
pub(crate) fn open_known_to_release(
    name: &SourceName,
    config: &OciConfig,
    kind: RegistryKind,
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<Known, OciError> {
    open_with(name, config, kind, (options, environment), Transport::releasing, true)
}

fn open_with(
    name: &SourceName,
    config: &OciConfig,
    kind: RegistryKind,
    (options, environment): (&OpenOptions, &HttpEnvironment),
    power: impl Fn(Transport) -> Transport,
    pins: bool,
) -> Result<Known, OciError> {
    let registry = Arc::new(registry_of(name, config, options, environment, power)?);
    // Nobody need be asked.
    let _ = registry.recognised.set(Recognised::Kind(kind));
    let inventory = Arc::new(inventory(&registry, config));
    let pins = pins.then(|| Arc::new(Pins { registry: Arc::clone(&registry) }) as Arc<dyn Protector>);
    Ok(Known { registry, inventory, pins })
}

/// What a token is to open.
#[derive(Debug)]
pub(crate) struct Access(Grant);

impl Access {
    /// Some actions on one repository.
    pub(crate) fn to(repository: &RepositoryName, actions: &str) -> Self {
        Self(Grant::to(repository.as_str(), actions))
    }
}

/// What a manifest refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Referred {
    /// The manifests that it lists, if it is an index.
    pub(crate) children: Vec<Digest>,
    /// What it is about.
    pub(crate) subject: Option<Digest>,
}

impl Registry {
    /// Reads a document of the registry's own interface with a token for it, as the registry asks for one.
    pub(crate) async fn read_with(
        &self,
        access: &Access,
        path: &str,
        query: Option<&str>,
    ) -> Result<HttpAnswer, Fault> {
        self.ask_with(access, (Purpose::Read, Method::GET), (path, query), None).await
    }

    /// Sends a lock on a pin. What leaves is judged where it leaves.
    pub(crate) async fn patch_pin(&self, access: &Access, path: &str, body: Bytes) -> Result<HttpAnswer, Fault> {
        let content = (HeaderValue::from_static("application/json"), body);
        self.ask_with(access, (Purpose::Pin, Method::PATCH), (path, None), Some(content)).await
    }

    async fn ask_with(
        &self,
        Access(grant): &Access,
        (purpose, method): (Purpose, Method),
        (path, query): (&str, Option<&str>),
        content: Option<(HeaderValue, Bytes)>,
    ) -> Result<HttpAnswer, Fault> {
        let call = Call {
            purpose,
            method,
            url: self.url(path, query),
            accept: Some(HeaderValue::from_static("application/json")),
            authorization: None,
            content,
            redirects: Redirects::None,
            cap: DOCUMENT_CAP,
        };
        self.call_with(grant, call, Extras::default).await
    }

    /// What a manifest refers to, by its bytes; none if it is definitively not there.
    pub(crate) async fn referred(&self, name: &RepositoryName, digest: &Digest) -> Result<Option<Referred>, Fault> {
        #[derive(serde::Deserialize)]
        struct About {
            subject: Option<Subject>,
        }
        #[derive(serde::Deserialize)]
        struct Subject {
            digest: String,
        }
        let repository = self.repository(name)?;
        let fetched = match self.fetch(&repository, digest).await {
            Ok(fetched) => fetched,
            Err(Trouble::NotFound) => return Ok(None),
            Err(Trouble::WrongBytes(detail)) => return Err(Fault::malformed(detail)),
            Err(Trouble::Unknown(fault)) => return Err(fault),
        };
        let manifest = fetched.manifest.as_ref().map_err(Clone::clone)?;
        let children: &[_] = match &manifest.content {
            Content::Index(children) => children,
            Content::Image { .. } => &[],
        };
        let children = children.iter().filter(|child| child.is_manifest()).map(|child| child.digest.clone()).collect();
        let unclear = || Fault::new(Cause::Malformed, format!("{name}@{digest}: what it is about cannot be read"));
        let bytes = match &fetched.bytes {
            Some(bytes) => bytes.clone(),
            None => return Err(unclear()),
        };
        let about: About = serde_json::from_slice(&bytes).map_err(|_| unclear())?;
        let subject = about.subject.map(|subject| subject.digest.parse()).transpose().map_err(|_| unclear())?;
        Ok(Some(Referred { children, subject }))
    }

    /// Reads a document of the registry's own interface. Credentials go with the first request: it may answer a stranger with
    /// less instead of asking who that is (J40).
    pub(crate) async fn read_document(
        &self,
        path: &str,
        query: Option<&str>,
        headers: HeaderMap,
    ) -> Result<HttpAnswer, Fault> {
        self.ask((Purpose::Read, Method::GET), (path, query), headers, None).await
    }

    /// Sends a pin by the registry's own interface. What leaves is judged where it leaves.
    pub(crate) async fn post_pin(&self, path: &str, headers: HeaderMap, body: Bytes) -> Result<HttpAnswer, Fault> {
        let content = (HeaderValue::from_static("application/json"), body);
        self.ask((Purpose::Pin, Method::POST), (path, None), headers, Some(content)).await
    }

    /// Asks for a dry run by the registry's own interface. What leaves is judged where it leaves.
    pub(crate) async fn post_dry_run(&self, path: &str, headers: HeaderMap, body: Bytes) -> Result<HttpAnswer, Fault> {
        let content = (HeaderValue::from_static("application/json"), body);
        self.ask((Purpose::Rehearse, Method::POST), (path, None), headers, Some(content)).await
    }

    /// Removes a pin by the registry's own interface. What leaves is judged where it leaves.
    pub(crate) async fn delete_by_name(&self, path: &str, headers: HeaderMap) -> Result<HttpAnswer, Fault> {
        self.ask((Purpose::Unpin, Method::DELETE), (path, None), headers, None).await
    }

    /// Reads a document of an interface that asks for another proof of who asks than the registry protocol does, or for none.
    pub(crate) async fn read_as(
        &self,
        authorization: Option<HeaderValue>,
        path: &str,
        query: Option<&str>,
    ) -> Result<HttpAnswer, Fault> {
        self.send_document((Purpose::Read, Method::GET), (path, query), HeaderMap::new(), None, authorization).await
    }

    /// Asks such an interface to hold a pin. What leaves is judged where it leaves.
    pub(crate) async fn lock_pin(
        &self,
        authorization: HeaderValue,
        path: &str,
        body: Bytes,
    ) -> Result<HttpAnswer, Fault> {
        let content = (HeaderValue::from_static("application/json"), body);
        let (call, headers) = ((Purpose::Pin, Method::PUT), HeaderMap::new());
        self.send_document(call, (path, None), headers, Some(content), Some(authorization)).await
    }

    async fn ask(
        &self,
        call: (Purpose, Method),
        address: (&str, Option<&str>),
        headers: HeaderMap,
        content: Option<(HeaderValue, Bytes)>,
    ) -> Result<HttpAnswer, Fault> {
        let authorization = self.auth.password_header().await?;
        self.send_document(call, address, headers, content, authorization).await
    }

    async fn send_document(
        &self,
        (purpose, method): (Purpose, Method),
        (path, query): (&str, Option<&str>),
        headers: HeaderMap,
        content: Option<(HeaderValue, Bytes)>,
        authorization: Option<HeaderValue>,
    ) -> Result<HttpAnswer, Fault> {
        let call = Call {
            purpose,
            method,
            url: self.url(path, query),
            accept: Some(HeaderValue::from_static("application/json")),
            authorization,
            content,
            redirects: Redirects::None,
            cap: DOCUMENT_CAP,
        };
        self.transport.send_with(&call, Extras { headers, ..Extras::default() }).await
    }

    /// The host, for messages.
    pub(crate) fn shown(&self) -> &str {
        self.host.shown()
    }

    /// Whether there are credentials at all.
    pub(crate) async fn has_password(&self) -> bool {
        self.auth.password_header().await.is_ok_and(|header| header.is_some())
    }

    /// What an answer that is no success means, with what may explain it.
    pub(crate) fn refusal(&self, answer: &HttpAnswer, what: &str) -> Fault {
        let blocked = || Fault::blocked(answer, what, self.own_words(answer).as_deref());
        // What is said of a precondition is no word about pulling (J2).
        let is_gate = answer.error_codes().iter().any(|code| code == "PROJECTPOLICYVIOLATION");
        let fault = if is_gate { blocked() } else { None };
        self.explain(fault.unwrap_or_else(|| Fault::from_answer(answer, what)))
    }
}
