//! Reading whole manifests and blobs, for a copy in a vault. A blob is handed on as it arrives and never held.

use std::collections::BTreeSet;

use async_trait::async_trait;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};

use super::OciInventory;
use super::absence::Asked;
use super::closure::Trouble;
use super::fault::Fault;
use super::redirect::Redirects;
use super::registry::{Lack, Registry, Repository};
use crate::content::{AttachedSignatures, Content, Document, IsSignature, Lost, Taker, begins_at};
use prodpin_core::model::{Digest, RepositoryName};

/// The most that is read of an error.
const ERROR_CAP: usize = 64 << 10;

/// So many manifests that may be signatures of one artifact are read.
const MOST_SIGNATURES: usize = 64;

#[async_trait]
impl Content for OciInventory {
    async fn manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<Document, Lost> {
        let repository = self.registry.repository(repository)?;
        let lost = |trouble| match trouble {
            Trouble::NotFound => Lost::NotFound,
            Trouble::WrongBytes(detail) => Lost::Wrong(detail),
            Trouble::Unknown(fault) => Lost::Unknown(fault),
        };
        let fetched = self.registry.fetch(&repository, digest).await.map_err(lost)?;
        if let Some(bytes) = fetched.bytes.clone() {
            return Ok(Document { media_type: fetched.media_type.clone(), bytes });
        }
        let (answer, _room) = self.registry.verified(&repository, digest).await.map_err(lost)?;
        Ok(Document { media_type: answer.media_type().map(str::to_owned), bytes: answer.body })
    }

    async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        from: u64,
        taker: &mut dyn Taker,
    ) -> Result<(), Lost> {
        let repository = self.registry.repository(repository)?;
        self.registry.hand_over(&repository, digest, from, taker).await
    }

    async fn signatures(
        &self,
        repository: &RepositoryName,
        artifact: &Digest,
        is_signature: IsSignature,
    ) -> Result<AttachedSignatures, Fault> {
        let repository = self.registry.repository(repository)?;
        let tag = format!("{}-{}.sig", artifact.algorithm(), artifact.hex());
        let mut manifests: Vec<Digest> = self.registry.attached_by_tag(&repository, &tag).await?.into_iter().collect();
        let (referring, beyond) = self.registry.referring(&repository, artifact, is_signature, MOST_SIGNATURES).await?;
        // The same one may be attached in both ways.
        manifests.extend(referring);
        let mut known = BTreeSet::new();
        manifests.retain(|digest| known.insert(digest.clone()));
        Ok(AttachedSignatures { manifests, beyond })
    }
}

impl Registry {
    async fn hand_over(
        &self,
        repository: &Repository,
        digest: &Digest,
        from: u64,
        taker: &mut dyn Taker,
    ) -> Result<(), Lost> {
        let what = || format!("blob {}/{}@{digest}", self.host.shown(), repository.name);
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if from > 0 {
            let range = HeaderValue::from_str(&format!("bytes={from}-")).map_err(|_| Fault::malformed("no range"))?;
            headers.insert(header::RANGE, range);
        }
        let url = self.url(&format!("v2/{}/blobs/{digest}", repository.name), None);
        let mut call = self.read(Method::GET, url, Redirects::Anywhere, ERROR_CAP);
        let mut held = self.auth.current(&self.transport, &self.host, &repository.pull).await?;
        for renewed in [false, true] {
            call.authorization = held.as_ref().map(|held| held.header.clone());
            let mut incoming = self.transport.stream(&call, &headers).await?;
            let refused = incoming.answer.status == StatusCode::UNAUTHORIZED && !incoming.answer.elsewhere;
            let may_renew = !renewed && held.as_ref().is_none_or(|held| held.is_proven());
            if refused && may_renew {
                let challenge = incoming.answer.headers.clone();
                drop(incoming);
                held = Some(
                    self.auth.answer(&self.transport, &self.host, &repository.pull, held.as_ref(), &challenge).await?,
                );
                continue;
            }
            if !refused && let Some(held) = &held {
                held.prove();
            }
            let at = match incoming.answer.status {
                StatusCode::OK => 0,
                StatusCode::PARTIAL_CONTENT if from > 0 && begins_at(&incoming.answer.headers) == Some(from) => from,
                status if status.is_success() => {
                    return Err(Fault::malformed(format!("{}: another part than was asked for", what())).into());
                }
                _ => {
                    return Err(match self.lack(repository, Asked::Blob(digest), &incoming.answer, &what()).await {
                        Lack::NotFound => Lost::NotFound,
                        Lack::Unknown(fault) => Lost::Unknown(fault),
                    });
                }
            };
            taker.begin(at).await?;
            while let Some(piece) = incoming.next().await? {
                taker.take(piece).await?;
            }
            return Ok(());
        }
        Err(Fault::refused(format!("{}: access was refused", what())).into())
    }
}
