//! Tag → digest: by HEAD, which is cheap and spends no quota (C94), and by GET and hash where HEAD does not do.

use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::{Method, StatusCode};

use super::answer::HttpAnswer;
use super::closure::Fetched;
use super::fault::Fault;
use super::manifest::{is_manifest, is_schema_1};
use super::redirect::Redirects;
use super::registry::{Lack, MANIFEST_CAP, Registry, Repository};
use super::transport::{Extras, head_not_offered, may_refuse_head};
use prodpin_core::model::{ArtifactId, Cause, Digest, Disagreement, Resolution, Tag};

/// So many GETs are tried after a HEAD that was refused, as long as none of them brings more.
const MOST_GETS: u32 = 4;

/// Whether to ask by GET what a HEAD was refused: as long as that has ever helped, or has not been tried in vain too often.
#[derive(Debug, Default)]
pub(super) struct Gets {
    in_vain: AtomicU32,
}

impl Gets {
    fn may_try(&self) -> bool {
        self.in_vain.load(Ordering::Relaxed) < MOST_GETS
    }

    fn note(&self, helped: bool) {
        match helped {
            true => self.in_vain.store(0, Ordering::Relaxed),
            false => _ = self.in_vain.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl Registry {
    /// What a tag points at now. `NotFound` is the registry's definitive word (I4).
    pub(super) async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Resolution, Fault> {
        if !tag.is_oci() {
            let detail = format!("{:.160?} is no tag that a registry takes, so it is not asked for", tag.as_str());
            return Err(Fault::malformed(detail));
        }
        let what = || format!("{}/{}:{tag}", self.host.shown(), repository.name);
        let answer = match self.head_manifest(repository, tag.as_str()).await {
            // A 401 that offers no way in.
            Err(fault) if fault.cause == Cause::Denied && self.gets.may_try() => {
                return self.resolve_in_place_of_head(repository, tag).await;
            }
            answer => answer?,
        };
        match answer.status {
            StatusCode::OK => {
                if let Some(digest) = self.digest_by_head(&answer, what)? {
                    return Ok(Resolution::Artifact(digest.into()));
                }
            }
            // A HEAD has no body to tell a registry's 404 from a proxy's: the GET has.
            StatusCode::NOT_FOUND => {}
            status if head_not_offered(status) => {}
            // Some gateways refuse the method and not what is asked for. Of a registry that refuses the bytes too, no more
            // is asked twice.
            status if may_refuse_head(status) && self.gets.may_try() => {
                return self.resolve_in_place_of_head(repository, tag).await;
            }
            _ => return Err(self.blocked(&answer, &what()).unwrap_or_else(|| Fault::from_answer(&answer, &what()))),
        }
        self.resolve_by_bytes(repository, tag).await
    }

    /// By the bytes, after a HEAD that was refused.
    async fn resolve_in_place_of_head(&self, repository: &Repository, tag: &Tag) -> Result<Resolution, Fault> {
        let by_bytes = self.resolve_by_bytes(repository, tag).await;
        self.gets.note(by_bytes.is_ok());
        by_bytes
    }

    /// What a tag points at, by HEAD and by the bytes, and whether the two agree (F105). What changed in between is asked
    /// for again before it is called a contradiction.
    pub(super) async fn resolve_twice(
        &self,
        repository: &Repository,
        tag: &Tag,
    ) -> Result<(Resolution, Option<Disagreement>), Fault> {
        let served = self.resolve_by_bytes(repository, tag).await?;
        let Some(reported) = self.reported_by_head(repository, tag.as_str()).await else { return Ok((served, None)) };
        if served.artifact().and_then(ArtifactId::digest) == Some(&reported) {
            return Ok((served, None));
        }
        let served = self.resolve_by_bytes(repository, tag).await?;
        let but = match served.artifact().and_then(ArtifactId::digest) {
            Some(served) if *served == reported => return Ok((Resolution::Artifact(reported.into()), None)),
            Some(served) => format!("GET serves bytes that hash to {served}"),
            None => "GET answers 404".to_owned(),
        };
        match self.reported_by_head(repository, tag.as_str()).await {
            Some(again) if again == reported => {
                Ok((served, Some(Disagreement { said: format!("HEAD says that it names {reported}"), but })))
            }
            _ => Ok((served, None)),
        }
    }

    /// The digest that a HEAD of a tag or digest tells; none if it tells nothing. A weak word.
    pub(super) async fn reported_by_head(&self, repository: &Repository, reference: &str) -> Option<Digest> {
        let answer = self.head_manifest(repository, reference).await.ok()?;
        let what = || format!("{}/{}:{reference}", self.host.shown(), repository.name);
        (answer.status == StatusCode::OK).then(|| self.digest_by_head(&answer, what).ok().flatten())?
    }

    /// Why a tag that is listed is not served, as the registry says it.
    pub(super) async fn why_unserved(&self, repository: &Repository, tag: &Tag) -> String {
        let url = self.url(&format!("v2/{}/manifests/{tag}", repository.name), None);
        let call = self.read(Method::GET, url, Redirects::SameOrigin, MANIFEST_CAP);
        let Ok(answer) = self.pull(repository, call, Extras::default).await else { return String::new() };
        let code = answer.error_codes().into_iter().next();
        let words = self.own_words(&answer).map(|words| format!("({words})"));
        let said = [Some(answer.status.as_u16().to_string()), code, words];
        said.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// The same by the manifest's bytes, whatever a header says of them (F21).
    pub(super) async fn resolve_by_bytes(&self, repository: &Repository, tag: &Tag) -> Result<Resolution, Fault> {
        match self.get_by_tag(repository, tag).await {
            Ok((digest, fetched)) => {
                self.hold(repository, &digest, fetched);
                Ok(Resolution::Artifact(digest.into()))
            }
            Err(Lack::NotFound) => Ok(Resolution::NotFound),
            Err(Lack::Unknown(fault)) => Err(fault),
        }
    }

    /// A tag's manifest with the digest that its bytes have.
    pub(super) async fn get_by_tag(&self, repository: &Repository, tag: &Tag) -> Result<(Digest, Fetched), Lack> {
        let what = || format!("{}/{}:{tag}", self.host.shown(), repository.name);
        let (answer, _room) = self.get_manifest(repository, tag.as_str()).await?;
        let digest = self.digest_by_hash(&answer, what)?;
        Ok((digest, Fetched::from_answer(answer, what)))
    }

    /// The digest that a HEAD tells (C87); none if it says too little, and the bytes must be hashed.
    fn digest_by_head(&self, answer: &HttpAnswer, what: impl Fn() -> String) -> Result<Option<Digest>, Fault> {
        let Some(media_type) = answer.media_type() else { return Ok(None) };
        check_type(media_type, answer, &what)?;
        match answer.digest() {
            None => Ok(None),
            Some(Ok(digest)) => Ok(Some(digest)),
            Some(Err(error)) => Err(Fault::malformed(format!("{}: Docker-Content-Digest: {error}", what()))),
        }
    }

    /// The digest of the bytes, which a header may confirm and must not contradict (F21).
    fn digest_by_hash(&self, answer: &HttpAnswer, what: impl Fn() -> String) -> Result<Digest, Fault> {
        match answer.media_type() {
            Some(media_type) => check_type(media_type, answer, &what)?,
            None => return Err(Fault::malformed(format!("{}: a manifest without a Content-Type", what()))),
        }
        check_header(answer, &what)?;
        Ok(Digest::sha256(&answer.body))
    }
}

/// Holds an answer's digest header, if there is one, to its bytes (F21).
pub(super) fn check_header(answer: &HttpAnswer, what: impl Fn() -> String) -> Result<(), Fault> {
    match answer.digest() {
        None => Ok(()),
        Some(Ok(digest)) if digest.matches(&answer.body) => Ok(()),
        Some(Ok(digest)) => Err(Fault::malformed(format!(
            "{}: the registry calls these bytes {digest} and they hash to {}",
            what(),
            Digest::sha256(&answer.body)
        ))),
        Some(Err(error)) => Err(Fault::malformed(format!("{}: Docker-Content-Digest: {error}", what()))),
    }
}

/// A tag leads to a manifest, of whatever kind, and not to a page (F12).
fn check_type(media_type: &str, answer: &HttpAnswer, what: impl Fn() -> String) -> Result<(), Fault> {
    if is_manifest(media_type) {
        return Ok(());
    }
    if is_schema_1(media_type) {
        let detail = format!(
            "{}: a manifest of Docker's schema 1, which cannot be verified; push the image again with a current client",
            what()
        );
        return Err(Fault::new(Cause::Unsupported, detail));
    }
    let is_json = |media_type: &str| media_type == "application/json" || media_type.ends_with("+json");
    answer.must_be(&what(), is_json)
}
