//! The registry's calls, each with its address, its scope, its cap, and what "not found" means.

mod repository;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use oci_distribution::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE,
};
use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode};
use tokio::sync::OnceCell;
use url::Url;

pub(super) use self::repository::Repository;
use super::absence::{Asked, Speaks};
use super::answer::plain_words;
use super::auth::{Auth, Grant};
use super::fault::Fault;
use super::host::RegistryHost;
use super::list::{List, PAGE};
use super::manifests::Manifests;
use super::redirect::Redirects;
use super::resolve::Gets;
use super::transport::{Call, Extras, HttpAnswer, Purpose, Transport};
use prodpin_core::model::{Digest, Pin, Recognised, RegistryKind, RepositoryName, WellKnown};
use prodpin_net::memory::{self, InFlight};

/// A manifest larger than this is refused (F26); the specification asks registries to take as much.
pub(super) const MANIFEST_CAP: usize = 4 << 20;

/// Few manifests are larger: an index of twenty platforms has some 10 KiB.
const ORDINARY: usize = 64 << 10;

/// What a body becomes at most while it is read and parsed, as a multiple of its bytes.
const PARSED: usize = 6;

/// A manifest as it came, with the room for it.
pub(super) type Body = (HttpAnswer, InFlight);

/// A page of a list.
const PAGE_CAP: usize = 16 << 20;

/// What a registry tells of itself.
const RECOGNISE_CAP: usize = 1 << 20;

/// Repositories whose grants and blobs are remembered at once (I20).
const REPOSITORIES_KEPT: usize = 128;

/// One registry.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(super) host: RegistryHost,
    pub(super) transport: Transport,
    pub(super) auth: Auth,
    catalog: Grant,
    /// For what is shown to everyone who has logged in.
    login: Grant,
    accept: HeaderValue,
    repositories: Mutex<HashMap<RepositoryName, Arc<Repository>>>,
    /// Whether its 404s have error documents.
    pub(super) speaks: Speaks,
    /// Manifests that were read in this run.
    pub(super) manifests: Manifests,
    /// What the registry is, asked once.
    pub(super) recognised: OnceCell<Recognised>,
    /// The kind that an answer to something else showed.
    pub(super) passing: OnceLock<RegistryKind>,
    /// Whether it has an interface for referrers, asked once.
    pub(super) has_referrers: OnceCell<bool>,
    /// Whether a GET brought what a HEAD was refused.
    pub(super) gets: Gets,
}

/// Why something could not be fetched.
#[derive(Debug, Clone)]
pub(super) enum Lack {
    /// The registry says definitively that it does not exist.
    NotFound,
    /// Not known.
    Unknown(Fault),
}

impl From<Fault> for Lack {
    fn from(fault: Fault) -> Self {
        Self::Unknown(fault)
    }
}

impl Registry {
    pub(super) fn new(host: RegistryHost, transport: Transport, auth: Auth) -> Result<Self, Fault> {
        let accept = [
            OCI_IMAGE_INDEX_MEDIA_TYPE,
            OCI_IMAGE_MEDIA_TYPE,
            IMAGE_MANIFEST_LIST_MEDIA_TYPE,
            IMAGE_MANIFEST_MEDIA_TYPE,
        ];
        // Always all four: an older registry converts, and another Accept would be another digest (C88).
        let accept = HeaderValue::from_str(&accept.join(", ")).map_err(|_| Fault::malformed("no media types"))?;
        Ok(Self {
            host,
            transport,
            auth,
            catalog: Grant::catalog(),
            login: Grant::login(),
            accept,
            repositories: Mutex::default(),
            speaks: Speaks::default(),
            manifests: Manifests::default(),
            recognised: OnceCell::new(),
            passing: OnceLock::new(),
            has_referrers: OnceCell::new(),
            gets: Gets::default(),
        })
    }

    /// Whether requests wait because the registry told them to, while it answers others.
    pub(super) fn is_pacing(&self) -> bool {
        self.transport.is_pacing()
    }

    /// How many questions may be worth asking at once.
    pub(super) fn width(&self) -> usize {
        self.transport.width()
    }

    /// How long all pages of one list may take together.
    pub(crate) fn longest_list(&self) -> Duration {
        self.transport.longest_list()
    }

    /// The repository by name, if the name can stand in a path (F25).
    pub(super) fn repository(&self, name: &RepositoryName) -> Result<Arc<Repository>, Fault> {
        if !name.is_oci() {
            return Err(Fault::malformed(format!("{:?} is no repository name that a registry takes", name.as_str())));
        }
        let mut known = self.repositories.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(repository) = known.get(name) {
            return Ok(Arc::clone(repository));
        }
        if known.len() >= REPOSITORIES_KEPT {
            known.retain(|_, repository| Arc::strong_count(repository) > 1);
        }
        let repository = Arc::new(Repository {
            name: name.clone(),
            pull: Grant::pull(name.as_str()),
            push: Grant::push(name.as_str()),
            delete: Grant::delete(name.as_str()),
            served: Mutex::default(),
            blobs: Mutex::default(),
        });
        known.insert(name.clone(), Arc::clone(&repository));
        Ok(repository)
    }

    /// The host was read once and for all: reading it again for every tag is a good part of what a look-up costs.
    pub(super) fn url(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = self.host.url().clone();
        url.set_path(path);
        url.set_query(query);
        url
    }

    pub(super) fn read(&self, method: Method, url: Url, redirects: Redirects, cap: usize) -> Call {
        let (accept, authorization, content) = (Some(self.accept.clone()), None, None);
        Call { purpose: Purpose::Read, method, url, accept, authorization, content, redirects, cap }
    }

    /// Sends a call in a scope, and answers one 401 with one renewal (F29).
    async fn call(&self, grant: &Grant, call: Call) -> Result<HttpAnswer, Fault> {
        self.call_with(grant, call, Extras::default).await
    }

    /// The same for reading in a repository, with extras.
    pub(super) async fn pull<'e>(
        &self,
        repository: &Repository,
        call: Call,
        extras: impl Fn() -> Extras<'e>,
    ) -> Result<HttpAnswer, Fault> {
        self.call_with(&repository.pull, call, extras).await
    }

    pub(super) async fn call_with<'e>(
        &self,
        grant: &Grant,
        mut call: Call,
        extras: impl Fn() -> Extras<'e>,
    ) -> Result<HttpAnswer, Fault> {
        let mut held = self.auth.current(&self.transport, &self.host, grant).await?;
        let mut renewed = false;
        loop {
            call.authorization = held.as_ref().map(|held| held.header.clone());
            let answer = self.transport.send_with(&call, extras()).await?;
            self.note_passing(&answer);
            if answer.status != StatusCode::UNAUTHORIZED || answer.elsewhere {
                if let Some(held) = &held {
                    held.prove();
                }
                return Ok(answer);
            }
            if renewed || held.as_ref().is_some_and(|held| !held.is_proven()) {
                return Ok(answer);
            }
            held = Some(self.auth.answer(&self.transport, &self.host, grant, held.as_ref(), &answer.headers).await?);
            renewed = true;
        }
    }

    /// The address of a list.
    pub(super) fn list_url(&self, list: List<'_>, query: impl IntoIterator<Item = (&'static str, String)>) -> Url {
        let mut url = match list {
            List::Catalog => self.url("v2/_catalog", None),
            List::Tags(repository) => self.url(&format!("v2/{}/tags/list", repository.name), None),
        };
        url.query_pairs_mut().extend_pairs(query);
        url
    }

    /// The base of the registry's interface, asked as anyone would: its challenge is what matters.
    pub(super) async fn base(&self) -> Result<HttpAnswer, Fault> {
        self.transport.send(&self.recognising("v2/", Redirects::SameOrigin)).await
    }

    /// A path that one kind of registry answers. Credentials go with it only where it lies in the registry's own part of
    /// its address.
    pub(super) async fn well_known(&self, path: WellKnown) -> Result<HttpAnswer, Fault> {
        let call = self.recognising(path.path(), Redirects::None);
        match path.needs_login() {
            true => self.call(&self.login, call).await,
            false => self.transport.send(&call).await,
        }
    }

    fn recognising(&self, path: &str, redirects: Redirects) -> Call {
        let (accept, authorization, content) = (None, None, None);
        let (purpose, method, url) = (Purpose::Recognise, Method::GET, self.url(path, None));
        Call { purpose, method, url, accept, authorization, content, redirects, cap: RECOGNISE_CAP }
    }

    /// Who issued the registry's tokens, by their own word.
    pub(super) fn token_issuer(&self) -> Option<&str> {
        self.auth.issuer()
    }

    /// A page of a list.
    pub(super) async fn page(&self, list: List<'_>, url: Option<Url>) -> Result<(Url, HttpAnswer), Fault> {
        let url = url.unwrap_or_else(|| self.list_url(list, [("n", PAGE.to_string())]));
        let call = self.read(Method::GET, url.clone(), Redirects::None, PAGE_CAP);
        let grant = match list {
            List::Catalog => &self.catalog,
            List::Tags(repository) => &repository.pull,
        };
        Ok((url, self.call(grant, call).await?))
    }

    /// A manifest's headers. `reference` is a tag that OCI allows, or a digest.
    pub(super) async fn head_manifest(&self, repository: &Repository, reference: &str) -> Result<HttpAnswer, Fault> {
        let url = self.url(&format!("v2/{}/manifests/{reference}", repository.name), None);
        let call = self.read(Method::HEAD, url, manifest_redirects(reference), MANIFEST_CAP);
        let answer = self.call(&repository.pull, call).await?;
        if answer.status == StatusCode::OK && !answer.elsewhere {
            repository.note_served(Asked::Manifest(reference));
        }
        Ok(answer)
    }

    /// A manifest's bytes, not judged yet, with the room for them and for what parsing makes of them: hold it until both
    /// are done with. One that is larger than manifests are is read only once there is room for it (I28).
    pub(super) async fn get_manifest(&self, repository: &Repository, reference: &str) -> Result<Body, Lack> {
        let room = memory::bodies().enter(ORDINARY * PARSED).await;
        let answer = self.get_shorter(repository, reference, Some(ORDINARY)).await?;
        if !answer.is_left {
            return Ok((answer, room));
        }
        drop((answer, room));
        let room = memory::bodies().enter(MANIFEST_CAP * PARSED).await;
        Ok((self.get_shorter(repository, reference, None).await?, room))
    }

    async fn get_shorter(
        &self,
        repository: &Repository,
        reference: &str,
        shorter_than: Option<usize>,
    ) -> Result<HttpAnswer, Lack> {
        let url = self.url(&format!("v2/{}/manifests/{reference}", repository.name), None);
        let call = self.read(Method::GET, url, manifest_redirects(reference), MANIFEST_CAP);
        let answer = self.pull(repository, call, || Extras { shorter_than, ..Extras::default() }).await?;
        if answer.status == StatusCode::OK {
            repository.note_served(Asked::Manifest(reference));
            return Ok(answer);
        }
        let what = format!("{}/{}:{reference}", self.host.shown(), repository.name);
        Err(self.lack(repository, Asked::Manifest(reference), &answer, &what).await)
    }

    /// A small blob's bytes, held to their digest, with the room for them.
    pub(super) async fn get_blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        cap: usize,
    ) -> Result<(Bytes, InFlight), Lack> {
        let room = memory::bodies().enter(ORDINARY * PARSED).await;
        if let Some(bytes) = self.get_blob_shorter(repository, digest, cap, Some(ORDINARY)).await? {
            return Ok((bytes, room));
        }
        drop(room);
        let room = memory::bodies().enter(cap.saturating_mul(PARSED)).await;
        match self.get_blob_shorter(repository, digest, cap, None).await? {
            Some(bytes) => Ok((bytes, room)),
            None => Err(Fault::malformed(format!("blob {digest} was not read")).into()),
        }
    }

    /// None if it is longer.
    async fn get_blob_shorter(
        &self,
        repository: &Repository,
        digest: &Digest,
        cap: usize,
        shorter_than: Option<usize>,
    ) -> Result<Option<Bytes>, Lack> {
        let url = self.url(&format!("v2/{}/blobs/{digest}", repository.name), None);
        let call = self.read(Method::GET, url, Redirects::Anywhere, cap);
        let answer = self.pull(repository, call, || Extras { shorter_than, ..Extras::default() }).await?;
        let what = format!("blob {}/{}@{digest}", self.host.shown(), repository.name);
        if answer.status != StatusCode::OK {
            return Err(self.lack(repository, Asked::Blob(digest), &answer, &what).await);
        }
        match digest.matches(&answer.body) {
            _ if answer.is_left => Ok(None),
            true => Ok(Some(answer.body)),
            false => Err(Fault::malformed(format!("{what}: the bytes served do not hash to the digest")).into()),
        }
    }

    /// Puts a manifest's exact bytes under a pin. A run has no other write.
    pub(super) async fn put_pin(
        &self,
        repository: &Repository,
        pin: &Pin,
        media_type: HeaderValue,
        bytes: Bytes,
    ) -> Result<HttpAnswer, Fault> {
        let call = Call {
            purpose: Purpose::Pin,
            method: Method::PUT,
            url: self.url(&format!("v2/{}/manifests/{pin}", repository.name), None),
            accept: None,
            authorization: None,
            content: Some((media_type, bytes)),
            redirects: Redirects::None,
            cap: MANIFEST_CAP,
        };
        self.call(&repository.push, call).await
    }

    /// Removes a pin's tag. There is no call that removes anything by its digest (F35).
    pub(super) async fn delete_pin(&self, repository: &Repository, pin: &Pin) -> Result<HttpAnswer, Fault> {
        let call = Call {
            purpose: Purpose::Unpin,
            method: Method::DELETE,
            url: self.url(&format!("v2/{}/manifests/{pin}", repository.name), None),
            accept: None,
            authorization: None,
            content: None,
            redirects: Redirects::None,
            cap: MANIFEST_CAP,
        };
        self.call(&repository.delete, call).await
    }

    /// A refusal, with what may explain it.
    pub(super) fn explain(&self, fault: Fault) -> Fault {
        self.auth.explain(fault)
    }

    /// The registry's own message, cleaned and capped; none where it may hold a secret.
    pub(super) fn own_words(&self, answer: &HttpAnswer) -> Option<String> {
        let message = answer.error_message()?;
        plain_words(&message).filter(|_| !self.auth.is_reported_by(&message))
    }
}

/// How far a registry may send on who asks for a manifest. By digest the bytes prove themselves, wherever they come from; a
/// tag means what the registry itself says.
pub(super) fn manifest_redirects(reference: &str) -> Redirects {
    match reference.parse::<Digest>() {
        Ok(_) => Redirects::Anywhere,
        Err(_) => Redirects::SameOrigin,
    }
}
