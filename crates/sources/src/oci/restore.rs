//! Putting back what a vault kept: blobs, manifests under their own digests, and tags that nobody holds. It has a wire of its
//! own, that no run has; a tag that names anything is never written over (I8, I27).

use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use url::Url;

use super::answer::HttpAnswer;
use super::closure::Trouble;
use super::fault::Fault;
use super::pin::Pins;
use super::redirect::Redirects;
use super::registry::{Registry, Repository};
use super::transport::{Call, Extras, Purpose, Transport};
use super::{HttpEnvironment, OciError, OpenOptions, inventory, registry_of};
use crate::Source;
use prodpin_core::model::{Digest, PartAnswer, PartProof, RepositoryName, Served, SourceName, Tag, judge_part};
use prodpin_policy::OciConfig;

/// The most that is read of an answer to a write.
const ANSWER_CAP: usize = 64 << 10;

/// The writing half of `restore`.
#[derive(Debug, Clone)]
pub struct Restorer {
    registry: Arc<Registry>,
}

/// What beginning an upload came to.
#[derive(Debug)]
pub enum Upload {
    /// The registry had the bytes elsewhere, and took them from there.
    Mounted,
    /// Send them here.
    At(Url),
}

/// Opens a registry so that what a vault kept can be put back there. Nothing is sent yet.
pub fn open_to_restore(
    name: &SourceName,
    config: &OciConfig,
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<(Source, Restorer), OciError> {
    let registry = Arc::new(registry_of(name, config, options, environment, Transport::restoring)?);
    let inventory = Arc::new(inventory(&registry, config));
    let protector = options.write.then(|| Arc::new(Pins { registry: registry.clone() }) as Arc<dyn crate::Protector>);
    Ok((Source { inventory, protector, rehearsal: None }, Restorer { registry }))
}

/// The same for looking only: its wire sends nothing that could write.
pub fn open_to_look(
    name: &SourceName,
    config: &OciConfig,
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<(Source, Restorer), OciError> {
    let registry = Arc::new(registry_of(name, config, options, environment, |transport| transport)?);
    let inventory = Arc::new(inventory(&registry, config));
    Ok((Source { inventory, protector: None, rehearsal: None }, Restorer { registry }))
}

impl Restorer {
    /// Whether a manifest is served now, by its bytes.
    pub async fn has_manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, Fault> {
        let repository = self.registry.repository(repository)?;
        match self.registry.get_by_digest(&repository, digest).await {
            Ok(_) => Ok(true),
            // Other bytes under its name are not it.
            Err(Trouble::NotFound | Trouble::WrongBytes(_)) => Ok(false),
            Err(Trouble::Unknown(fault)) => Err(fault),
        }
    }

    /// Whether a blob is served, by its first byte and its size: a HEAD may be answered from memory (F130).
    pub async fn has_blob(&self, repository: &RepositoryName, digest: &Digest, size: u64) -> Result<bool, Fault> {
        let repository = self.registry.repository(repository)?;
        let answer = self.registry.ask_blob(&repository, digest).await?;
        judged(digest, size, &answer)
    }

    /// The same, whatever was answered before.
    pub async fn has_blob_now(&self, repository: &RepositoryName, digest: &Digest, size: u64) -> Result<bool, Fault> {
        let repository = self.registry.repository(repository)?;
        let answer = self.registry.look_at_blob(&repository, digest).await?;
        judged(digest, size, &answer)
    }

    /// Begins to upload a blob. A registry that looks for the digest elsewhere by itself answers that it is there.
    pub async fn begin(&self, repository: &RepositoryName, digest: &Digest, mount: bool) -> Result<Upload, Fault> {
        let repository = self.registry.repository(repository)?;
        let mut url = self.registry.url(&format!("v2/{}/blobs/uploads/", repository.name), None);
        if mount {
            url.query_pairs_mut().append_pair("mount", &digest.to_string());
        }
        let answer = self.write(&repository, Method::POST, url, Bytes::new(), HeaderMap::new()).await?;
        match answer.status {
            StatusCode::CREATED => Ok(Upload::Mounted),
            StatusCode::ACCEPTED => Ok(Upload::At(self.location(&answer)?)),
            _ => Err(refused(&answer, "the registry takes no upload")),
        }
    }

    /// Sends a piece of a blob, and says where the next goes.
    pub async fn send(&self, repository: &RepositoryName, to: Url, offset: u64, bytes: Bytes) -> Result<Url, Fault> {
        let repository = self.registry.repository(repository)?;
        let mut headers = HeaderMap::new();
        let last = (offset + bytes.len() as u64).saturating_sub(1);
        let range = HeaderValue::from_str(&format!("{offset}-{last}")).map_err(|_| Fault::malformed("no range"))?;
        headers.insert(header::CONTENT_RANGE, range);
        let answer = self.write(&repository, Method::PATCH, to, bytes, headers).await?;
        match answer.status {
            StatusCode::ACCEPTED | StatusCode::NO_CONTENT | StatusCode::CREATED => self.location(&answer),
            _ => Err(refused(&answer, "the registry did not take a part of a blob")),
        }
    }

    /// Sends the last piece with the digest: the registry holds what it got to that.
    pub async fn end(&self, repository: &RepositoryName, to: Url, digest: &Digest, bytes: Bytes) -> Result<(), Fault> {
        let repository = self.registry.repository(repository)?;
        let mut url = to;
        url.query_pairs_mut().append_pair("digest", &digest.to_string());
        let answer = self.write(&repository, Method::PUT, url, bytes, HeaderMap::new()).await?;
        match answer.status {
            StatusCode::CREATED | StatusCode::NO_CONTENT | StatusCode::OK => Ok(()),
            _ => Err(refused(&answer, "the registry did not take a blob")),
        }
    }

    /// Puts a manifest under its own digest.
    pub async fn put_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<(), Fault> {
        self.put(repository, &digest.to_string(), digest, media_type, bytes).await
    }

    /// Puts a manifest under a tag. The caller has just looked it up and found that it names nothing.
    pub async fn put_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        digest: &Digest,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<(), Fault> {
        self.put(repository, tag.as_str(), digest, media_type, bytes).await
    }

    async fn put(
        &self,
        repository: &RepositoryName,
        reference: &str,
        digest: &Digest,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<(), Fault> {
        let repository = self.registry.repository(repository)?;
        let url = self.registry.url(&format!("v2/{}/manifests/{reference}", repository.name), None);
        let media_type =
            HeaderValue::from_str(media_type).map_err(|_| Fault::malformed("the media type is no header"))?;
        let answer = self.put_as(&repository, Method::PUT, url, media_type, bytes, HeaderMap::new()).await?;
        if !answer.status.is_success() {
            return Err(refused(&answer, &format!("the registry did not take the manifest as {reference}")));
        }
        match answer.digest() {
            Some(Ok(stored)) if stored != *digest => {
                Err(Fault::malformed(format!("the registry says that it stored {stored} in place of {digest}")))
            }
            _ => Ok(()),
        }
    }

    async fn write(
        &self,
        repository: &Repository,
        method: Method,
        url: Url,
        bytes: Bytes,
        headers: HeaderMap,
    ) -> Result<HttpAnswer, Fault> {
        let binary = HeaderValue::from_static("application/octet-stream");
        self.put_as(repository, method, url, binary, bytes, headers).await
    }

    async fn put_as(
        &self,
        repository: &Repository,
        method: Method,
        url: Url,
        media_type: HeaderValue,
        bytes: Bytes,
        headers: HeaderMap,
    ) -> Result<HttpAnswer, Fault> {
        let call = Call {
            purpose: Purpose::Restore,
            method,
            url,
            accept: None,
            authorization: None,
            content: Some((media_type, bytes)),
            redirects: Redirects::None,
            cap: ANSWER_CAP,
        };
        let extras = || Extras { headers: headers.clone(), ..Extras::default() };
        self.registry.call_with(&repository.push, call, extras).await
    }

    /// Where an upload goes on: a place of the registry's own origin, because credentials go there too (F15).
    fn location(&self, answer: &HttpAnswer) -> Result<Url, Fault> {
        static LOCATION: HeaderName = header::LOCATION;
        let base = self.registry.url("v2/", None);
        let location = answer.headers.get(&LOCATION).and_then(|value| value.to_str().ok());
        let Some(url) = location.and_then(|location| base.join(location).ok()) else {
            return Err(Fault::malformed("the registry did not say where to upload to"));
        };
        let same_host =
            url.host_str() == base.host_str() && url.port_or_known_default() == base.port_or_known_default();
        // A registry behind a proxy that ends TLS may name itself by http: the host is the same, and https is what is used.
        if same_host && url.scheme() == "http" && base.scheme() == "https" {
            let mut url = url;
            return match url.set_scheme("https") {
                Ok(()) => Ok(url),
                Err(()) => Err(Fault::malformed("the registry did not say where to upload to")),
            };
        }
        match url.origin() == base.origin() {
            true => Ok(url),
            false => Err(Fault::refused(format!(
                "the registry wants uploads at another host, {}: credentials are not sent there",
                url.host_str().unwrap_or_default()
            ))),
        }
    }
}

/// Whether an answer proves a blob, or proves that it is not there.
fn judged(digest: &Digest, size: u64, answer: &PartAnswer) -> Result<bool, Fault> {
    match judge_part(digest, size, answer).0 {
        PartProof::Whole => Ok(true),
        PartProof::Absent | PartProof::Broken(_) => Ok(false),
        PartProof::Unknown(_) if matches!(answer.served, Served::BrokeOff | Served::NotFoundElsewhere) => Ok(false),
        PartProof::Unknown(detail) => Err(Fault::malformed(format!("blob {digest}: {detail}"))),
    }
}

/// What a refused write means for whoever has to mend it.
fn refused(answer: &HttpAnswer, what: &str) -> Fault {
    let fault = Fault::from_answer(answer, what);
    let advice = match answer.status.as_u16() {
        401 | 403 => "; the credentials may read and not push: grant push on this repository",
        405 => "; the registry takes no pushes here: is it a mirror or a proxy cache?",
        409 | 412 => "; the registry's rules refuse it: see its immutability rules and retention locks",
        413 => "; a proxy in front of the registry limits how large a request may be: raise that limit",
        _ => "",
    };
    Fault::new(fault.cause, format!("{}{advice}", fault.detail))
}
